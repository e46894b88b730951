/*
 * filetouch FILE PAGES [--private|--shared|--read]
 *
 * Maps the first PAGES pages of FILE, makes the file that long if it is shorter, and touches each page once, from main().
 * --private, the default, writes to a private mapping: one fault for each page, whatever is in the page cache.
 * --shared writes to a shared mapping: one fault for each page, unless the file system maps large folios whole.
 * --read reads a private mapping: the kernel may map up to fault_around_bytes at a time, so there are fewer faults.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "workload.h"

static const char line[] = "filetouch FILE PAGES [--private|--shared|--read]";

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4)
        usage(line);
    long pages = number(argv[2], 1 << 20, line);
    const char *mode = argc == 4 ? argv[3] : "--private";
    int shared = !strcmp(mode, "--shared");
    int reading = !strcmp(mode, "--read");
    if (!shared && !reading && strcmp(mode, "--private"))
        usage(line);

    size_t size = page_size();
    size_t length = (size_t)pages * size;
    int file = open(argv[1], O_RDWR | O_CREAT, 0600);
    if (file < 0)
        refused(argv[1]);
    struct stat status;
    if (fstat(file, &status))
        refused("fstat");
    if ((size_t)status.st_size < length) {
        /* Written, not only extended, so that no page is a hole. */
        char *page = calloc(1, size);
        if (!page)
            refused("calloc");
        for (long i = 0; i < pages; i++)
            if (pwrite(file, page, size, (off_t)(i * size)) != (ssize_t)size)
                refused("pwrite");
    }
    volatile char *memory =
        mmap(NULL, length, reading ? PROT_READ : PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE, file, 0);
    if (memory == MAP_FAILED)
        refused("mmap");

    char seen = 0;
    struct faults before = faults_of(RUSAGE_SELF);
    for (long i = 0; i < pages; i++) {
        if (reading)
            seen |= memory[i * size];
        else
            memory[i * size] = 1;
    }
    struct faults loop = faults_since(RUSAGE_SELF, before);
    (void)seen;

    printf("pid=%d pages=%ld minflt=%ld majflt=%ld\n", getpid(), pages, loop.minor, loop.major);
    return 0;
}
