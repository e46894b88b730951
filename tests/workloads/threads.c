/*
 * threads THREADS PAGES
 *
 * Starts THREADS threads, named worker0, worker1, ..., each of which touches PAGES pages of anonymous memory in worker().
 * Prints the page faults of all the threads' loops taken together, each counted by its own thread.
 */
#include <pthread.h>

#include "workload.h"

static const char line[] = "threads THREADS PAGES";

struct work {
    pthread_t thread;
    long index;
    long pages;
    struct faults loop;
};

static void *worker(void *argument)
{
    struct work *work = argument;
    char name[16];
    snprintf(name, sizeof name, "worker%ld", work->index);
    pthread_setname_np(pthread_self(), name);
    size_t size = page_size();
    volatile char *memory = anonymous(work->pages, MADV_NOHUGEPAGE);
    struct faults before = faults_of(RUSAGE_THREAD);
    for (long i = 0; i < work->pages; i++)
        memory[i * size] = 1;
    work->loop = faults_since(RUSAGE_THREAD, before);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        usage(line);
    long threads = number(argv[1], 1000, line);
    long pages = number(argv[2], 1 << 20, line);
    struct work *work = calloc((size_t)threads, sizeof *work);
    if (!work)
        refused("calloc");

    for (long i = 0; i < threads; i++) {
        work[i].index = i;
        work[i].pages = pages;
        errno = pthread_create(&work[i].thread, NULL, worker, &work[i]);
        if (errno)
            refused("pthread_create");
    }
    struct faults all = {0, 0};
    for (long i = 0; i < threads; i++) {
        errno = pthread_join(work[i].thread, NULL);
        if (errno)
            refused("pthread_join");
        all.minor += work[i].loop.minor;
        all.major += work[i].loop.major;
    }
    printf("pid=%d threads=%ld pages=%ld minflt=%ld majflt=%ld\n", getpid(), threads, pages, all.minor, all.major);
    return all.minor + all.major < threads * pages;
}
