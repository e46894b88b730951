/*
 * Threads that fault, each of which counts its own page faults.
 */
#ifndef THREADS_H
#define THREADS_H

#include <pthread.h>

#include "workload.h"

struct thread {
    pthread_t id;
    /* From 0 */
    long index;
    /* What the thread says of itself before it ends. */
    struct faults loop;
};

/* Runs that many threads, each of which gets its struct thread; the page faults of all of them. */
static inline struct faults run_threads(long count, void *(*run)(void *))
{
    struct thread *threads = calloc((size_t)count, sizeof *threads);
    if (!threads)
        refused("calloc");
    for (long i = 0; i < count; i++) {
        threads[i].index = i;
        errno = pthread_create(&threads[i].id, NULL, run, &threads[i]);
        if (errno)
            refused("pthread_create");
    }
    struct faults all = {0, 0};
    for (long i = 0; i < count; i++) {
        errno = pthread_join(threads[i].id, NULL);
        if (errno)
            refused("pthread_join");
        all.minor += threads[i].loop.minor;
        all.major += threads[i].loop.major;
    }
    return all;
}

#endif
