/*
 * waits PAGES
 *
 * Prints its pid and waits for a line of input; then touches PAGES pages of anonymous memory in touch(), and ends.
 */
#include "workload.h"

__attribute__((noinline)) static void touch(long pages)
{
    write_each_page(anonymous(pages, MADV_NOHUGEPAGE), pages, RUSAGE_SELF);
}

int main(int argc, char **argv)
{
    long pages = only_number(argc, argv, 1 << 20, "waits PAGES");
    printf("pid=%d pages=%ld\n", getpid(), pages);
    fflush(stdout);
    if (getchar() == EOF)
        return 0;
    touch(pages);
    return 0;
}
