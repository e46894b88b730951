/*
 * nproc_faults CHILDREN PAGES
 *
 * Forks CHILDREN children, each of which touches PAGES pages of anonymous memory in child(), and waits for all of them.
 * Prints the children's pids in the order of their start, and their page faults taken together.
 */
#include <sys/wait.h>

#include "workload.h"

static const char line[] = "nproc_faults CHILDREN PAGES";

__attribute__((noinline)) static void child(long pages)
{
    struct faults loop = write_each_page(anonymous(pages, MADV_NOHUGEPAGE), pages, RUSAGE_SELF);
    _exit(loop.minor + loop.major < pages);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        usage(line);
    long children = number(argv[1], 1000, line);
    long pages = number(argv[2], 1 << 20, line);
    pid_t pids[1000];

    for (long i = 0; i < children; i++) {
        pids[i] = fork();
        if (pids[i] < 0)
            refused("fork");
        if (!pids[i])
            child(pages);
    }
    for (long i = 0; i < children; i++) {
        int status;
        if (waitpid(pids[i], &status, 0) < 0)
            refused("waitpid");
        if (status) {
            fprintf(stderr, "nproc_faults: child %d: fewer faults than pages, or stopped (status %#x)\n", pids[i], status);
            return 1;
        }
    }
    struct faults all = faults_of(RUSAGE_CHILDREN);
    printf("pid=%d children=%ld pages=%ld minflt=%ld majflt=%ld pids=", getpid(), children, pages, all.minor, all.major);
    for (long i = 0; i < children; i++)
        printf("%s%d", i ? "," : "", pids[i]);
    printf("\n");
    return 0;
}
