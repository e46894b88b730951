/*
 * branches PAGES
 *
 * Touches PAGES pages of anonymous memory, each from the end of a call path of its own: 16 calls, of left() or of right() as the
 * bits of the page's number say. So no two of those faults have the same stack, up to 65,536 pages.
 */
#include "workload.h"

static const char line[] = "branches PAGES";

#define LEVELS 16

static long left(long bits, int level, volatile char *page);
static long right(long bits, int level, volatile char *page);

__attribute__((noinline)) static long step(long bits, int level, volatile char *page)
{
    if (level == LEVELS) {
        *page = 1;
        return 1;
    }
    return bits >> level & 1 ? right(bits, level + 1, page) : left(bits, level + 1, page);
}

__attribute__((noinline)) static long left(long bits, int level, volatile char *page)
{
    return step(bits, level, page);
}

__attribute__((noinline)) static long right(long bits, int level, volatile char *page)
{
    return step(bits, level, page);
}

int main(int argc, char **argv)
{
    long pages = only_number(argc, argv, 1 << LEVELS, line);
    volatile char *memory = anonymous(pages, MADV_NOHUGEPAGE);
    long touched = 0;
    struct faults before = faults_of(RUSAGE_SELF);
    for (long page = 0; page < pages; page++)
        touched += step(page, 0, memory + page * page_size());
    struct faults loop = faults_since(RUSAGE_SELF, before);
    printf("pid=%d pages=%ld minflt=%ld majflt=%ld\n", getpid(), touched, loop.minor, loop.major);
    return touched != pages;
}
