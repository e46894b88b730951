/*
 * anon2mmap [PAGES] [--huge|--no-huge]
 *
 * Maps PAGES (1000 unless told) pages of anonymous memory and writes to each page once, from main(). Prints the page
 * faults of the process: up to main() (start), of that loop (minflt, majflt), and up to the loop's end (total).
 * start and total are minor and major faults together, since the process was forked.
 * --no-huge, the default, makes each page a fault of its own; --huge asks for huge pages, so there are fewer faults.
 */
#include "workload.h"

static const char line[] = "anon2mmap [PAGES] [--huge|--no-huge]";

int main(int argc, char **argv)
{
    struct faults start = faults_of(RUSAGE_SELF);
    long pages = 0;
    int advice = MADV_NOHUGEPAGE;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--huge"))
            advice = MADV_HUGEPAGE;
        else if (!strcmp(argv[i], "--no-huge"))
            advice = MADV_NOHUGEPAGE;
        else if (!pages)
            pages = number(argv[i], 1 << 24, line);
        else
            usage(line);
    }
    if (!pages)
        pages = 1000;

    struct faults loop = write_each_page(anonymous(pages, advice), pages, RUSAGE_SELF);

    struct faults total = faults_of(RUSAGE_SELF);
    printf("pid=%d pages=%ld minflt=%ld majflt=%ld start=%ld total=%ld\n", getpid(), pages, loop.minor, loop.major,
           start.minor + start.major, total.minor + total.major);
    return 0;
}
