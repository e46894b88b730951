/*
 * mallocs THREADS ROUNDS
 *
 * Starts THREADS threads, each of which takes memory from malloc(), touches every page of it and gives it back, ROUNDS
 * times: blocks of 16 to 79 pages, each a mapping of its own, so that the process's mappings change all the time while
 * its threads fault. Prints the page faults of all the threads' loops taken together, each counted by its own thread.
 */
#include <malloc.h>

#include "threads.h"

static const char line[] = "mallocs THREADS ROUNDS";

static long rounds;

static void *worker(void *argument)
{
    struct thread *thread = argument;
    size_t size = page_size();
    struct faults before = faults_of(RUSAGE_THREAD);
    for (long i = 0; i < rounds; i++) {
        size_t length = (size_t)(16 + i % 64) * size;
        volatile char *memory = malloc(length);
        if (!memory)
            refused("malloc");
        for (size_t at = 0; at < length; at += size)
            memory[at] = 1;
        free((void *)memory);
    }
    thread->loop = faults_since(RUSAGE_THREAD, before);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        usage(line);
    long threads = number(argv[1], 1000, line);
    rounds = number(argv[2], 1 << 20, line);
    /* Also so that the threshold does not adapt to what is freed. */
    if (!mallopt(M_MMAP_THRESHOLD, 4096))
        refused("mallopt");
    struct faults all = run_threads(threads, worker);
    printf("pid=%d threads=%ld rounds=%ld minflt=%ld majflt=%ld\n", getpid(), threads, rounds, all.minor, all.major);
    return 0;
}
