/*
 * What the workloads share: reading their arguments, mapping memory, and counting their own page faults.
 *
 * A workload does one known thing a known number of times, so that a test can compare what a tracer counted with what
 * happened. It prints one line of name=value pairs on stdout and exits 0; 1 if the system refused something, 2 on a
 * usage error. The touching loops are parts of the functions that have them, so that these are what stacks begin with.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

struct faults {
    long minor;
    long major;
};

__attribute__((noreturn)) static inline void usage(const char *line)
{
    fprintf(stderr, "usage: %s\n", line);
    exit(2);
}

__attribute__((noreturn)) static inline void refused(const char *what)
{
    perror(what);
    exit(1);
}

/* A decimal number from 1 to max, or the usage line and status 2. */
static inline long number(const char *text, long max, const char *line)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < 1 || value > max)
        usage(line);
    return value;
}

/* The only argument, such a number. */
static inline long only_number(int argc, char **argv, long max, const char *line)
{
    if (argc != 2)
        usage(line);
    return number(argv[1], max, line);
}

static inline size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Anonymous private memory; advice is MADV_NOHUGEPAGE, so that each page is a fault of its own, or MADV_HUGEPAGE. */
static inline volatile char *anonymous(long pages, int advice)
{
    size_t length = (size_t)pages * page_size();
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        refused("mmap");
    /* EINVAL: the kernel was built without transparent huge pages, so there is nothing to turn off. */
    if (madvise(memory, length, advice) && !(errno == EINVAL && advice == MADV_NOHUGEPAGE))
        refused("madvise");
    return memory;
}

static inline struct faults faults_of(int who)
{
    struct rusage usage;
    if (getrusage(who, &usage))
        refused("getrusage");
    return (struct faults){usage.ru_minflt, usage.ru_majflt};
}

static inline struct faults faults_since(int who, struct faults before)
{
    struct faults now = faults_of(who);
    return (struct faults){now.minor - before.minor, now.major - before.major};
}

/* Writes to each page once; the page faults of that, of the thread or the process. */
__attribute__((always_inline)) static inline struct faults write_each_page(volatile char *memory, long pages, int who)
{
    size_t size = page_size();
    struct faults before = faults_of(who);
    for (long i = 0; i < pages; i++)
        memory[i * size] = 1;
    return faults_since(who, before);
}

#endif
