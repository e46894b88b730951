/*
 * threads THREADS PAGES
 *
 * Starts THREADS threads, named worker0, worker1, ..., each of which touches PAGES pages of anonymous memory in worker().
 * Prints the page faults of all the threads' loops taken together, each counted by its own thread.
 */
#include "threads.h"

static const char line[] = "threads THREADS PAGES";

static long pages;

static void *worker(void *argument)
{
    struct thread *thread = argument;
    char name[16];
    snprintf(name, sizeof name, "worker%ld", thread->index);
    pthread_setname_np(pthread_self(), name);
    thread->loop = write_each_page(anonymous(pages, MADV_NOHUGEPAGE), pages, RUSAGE_THREAD);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        usage(line);
    long threads = number(argv[1], 1000, line);
    pages = number(argv[2], 1 << 20, line);
    struct faults all = run_threads(threads, worker);
    printf("pid=%d threads=%ld pages=%ld minflt=%ld majflt=%ld\n", getpid(), threads, pages, all.minor, all.major);
    return all.minor + all.major < threads * pages;
}
