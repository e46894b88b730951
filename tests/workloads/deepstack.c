/*
 * deepstack DEPTH PAGES
 *
 * Calls descend() from main(), which calls itself until DEPTH frames of it are on the stack; the deepest one touches
 * PAGES pages of anonymous memory. So the stack of each of those faults is DEPTH times descend, then main.
 */
#include "workload.h"

static const char line[] = "deepstack DEPTH PAGES";

static struct faults loop;

__attribute__((noinline)) static long descend(long depth, volatile char *memory, long pages)
{
    size_t size = page_size();
    if (depth > 1)
        return descend(depth - 1, memory, pages) + 1;
    struct faults before = faults_of(RUSAGE_SELF);
    for (long i = 0; i < pages; i++)
        memory[i * size] = 1;
    loop = faults_since(RUSAGE_SELF, before);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        usage(line);
    long depth = number(argv[1], 20000, line);
    long pages = number(argv[2], 1 << 24, line);
    volatile char *memory = anonymous(pages, MADV_NOHUGEPAGE);
    long reached = descend(depth, memory, pages);
    printf("pid=%d depth=%ld pages=%ld minflt=%ld majflt=%ld\n", getpid(), reached, pages, loop.minor, loop.major);
    return reached != depth;
}
