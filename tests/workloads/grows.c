/*
 * grows WHAT MIB [stay]
 *
 * Makes MIB more MiB of its memory resident in one way, in a function of its own, and prints what the kernel says that it
 * grew by, in bytes: `pid=… grown=…`. It keeps the memory to its end, which with `stay` is that of its
 * input. WHAT is one of the names in `ways` below.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "workload.h"

static const char line[] = "grows WHAT MIB [stay]";

static size_t length;

/* What is resident, in bytes; without an allocation. */
static long resident(void)
{
    char text[4096];
    int file = open("/proc/self/smaps_rollup", O_RDONLY);
    if (file < 0)
        refused("smaps_rollup");
    ssize_t got = read(file, text, sizeof text - 1);
    close(file);
    text[got < 0 ? 0 : got] = 0;
    char *found = strstr(text, "Rss:");
    return found ? atol(found + 4) * 1024 : 0;
}

static char *mapped(int flags, int file)
{
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, file, 0);
    if (memory == MAP_FAILED)
        refused("mmap");
    return memory;
}

/* Anonymous memory in small pages. */
static char *small(void)
{
    return (char *)anonymous((long)(length / page_size()), MADV_NOHUGEPAGE);
}

__attribute__((always_inline)) static inline void touch(volatile char *memory, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += page_size())
        memory[at] = 1;
}

/* A file of that length that has no name any more. */
static int file(void)
{
    char name[] = "/var/tmp/grows-XXXXXX";
    int file = mkstemp(name);
    if (file < 0 || unlink(name))
        refused(name);
    static char block[1 << 16];
    for (size_t at = 0; at < length; at += sizeof block)
        if (write(file, block, sizeof block) != sizeof block)
            refused("write");
    return file;
}

__attribute__((noinline)) static void by_anon(void)
{
    touch(small(), length);
}

/* A MiB every 20 ms. */
__attribute__((noinline)) static void by_and_by(void)
{
    char *memory = small();
    for (size_t at = 0; at < length; at += 1 << 20) {
        touch(memory + at, 1 << 20);
        usleep(20000);
    }
}

__attribute__((noinline)) static void by_malloc(void)
{
    for (size_t at = 0; at < length; at += 1024) {
        volatile char *block = malloc(1024 - 16);
        if (!block)
            refused("malloc");
        *block = 1;
    }
}

__attribute__((noinline)) static void by_huge(void)
{
    char *memory = (char *)anonymous((long)((length + (2 << 20)) / page_size()), MADV_HUGEPAGE);
    /* Whole huge pages alone. */
    memory += (2 << 20) - ((size_t)memory & ((2 << 20) - 1));
    touch(memory, length);
}

__attribute__((noinline)) static void by_populate(void)
{
    mapped(MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1);
}

__attribute__((noinline)) static void by_mlock(void)
{
    if (mlock(small(), length))
        refused("mlock");
}

__attribute__((noinline)) static void by_read(void)
{
    int from = file();
    char *memory = small();
    if (pread(from, memory, length, 0) != (ssize_t)length)
        refused("pread");
}

__attribute__((noinline)) static void by_file(void)
{
    volatile char *memory = mapped(MAP_SHARED, file());
    for (size_t at = 0; at < length; at += page_size())
        (void)memory[at];
}

__attribute__((noinline)) static void by_copied(void)
{
    touch(mapped(MAP_PRIVATE, file()), length);
}

__attribute__((noinline)) static void by_shared(void)
{
    touch(mapped(MAP_SHARED | MAP_ANONYMOUS, -1), length);
}

__attribute__((noinline)) static void by_remapped(void)
{
    char *memory = small();
    touch(memory, length);
    /* Where it can't stay. */
    if (mremap(memory, length, 2 * length, MREMAP_MAYMOVE) == MAP_FAILED)
        refused("mremap");
}

__attribute__((noinline)) static void touched_again(char *memory)
{
    touch(memory, length);
}

__attribute__((noinline)) static void by_dontneed(void)
{
    char *memory = small();
    touch(memory, length);
    if (madvise(memory, length, MADV_DONTNEED))
        refused("madvise");
    touched_again(memory);
}

/* Mapped and unmapped again and again: what stays is the last. */
__attribute__((noinline)) static void by_unmapped(void)
{
    for (int turn = 0; turn < 4; turn++) {
        char *memory = small();
        touch(memory, length);
        if (turn < 3 && munmap(memory, length))
            refused("munmap");
    }
}

__attribute__((noinline)) static void by_stack(void)
{
    char memory[length];
    volatile char *bytes = memory;
    for (size_t at = length; at >= page_size(); at -= page_size())
        bytes[at - 1] = 1;
}

/* Reading memory that was never written shows the zero page, which is nobody's. */
__attribute__((noinline)) static void by_zeros(void)
{
    volatile char *memory = small();
    for (size_t at = 0; at < length; at += page_size())
        (void)memory[at];
}

__attribute__((noinline)) static void by_child(char *memory)
{
    touch(memory, length / 2);
}

/* A child that writes to half of what it has from its parent, and reports so. */
__attribute__((noinline)) static void by_forked(void)
{
    char *memory = small();
    touch(memory, length);
    pid_t child = fork();
    if (child < 0)
        refused("fork");
    if (!child) {
        by_child(memory);
        printf("pid=%d grown=%zu\n", getpid(), length / 2);
        exit(0);
    }
    if (waitpid(child, NULL, 0) != child)
        refused("waitpid");
}

__attribute__((noinline)) static void by_mlockall(void)
{
    small();
    if (mlockall(MCL_CURRENT))
        refused("mlockall");
}

/* All that comes later is locked, and filled. */
__attribute__((noinline)) static void by_future(void)
{
    if (mlockall(MCL_FUTURE))
        refused("mlockall");
    mapped(MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

__attribute__((noinline)) static void *by_thread(void *nothing)
{
    by_stack();
    /* Glibc gives a stack back when its thread is joined. */
    pause();
    return nothing;
}

__attribute__((noinline)) static void by_threads(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    size_t before = resident();
    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, length + (1 << 20)) || pthread_create(&thread, &attributes, by_thread, NULL))
        refused("pthread_create");
    while (resident() < (long)(before + length))
        usleep(1000);
}

static const struct {
    const char *name;
    void (*grow)(void);
} ways[] = {
    {"anon", by_anon},         {"malloc", by_malloc},     {"huge", by_huge},         {"populate", by_populate},
    {"mlock", by_mlock},       {"read", by_read},         {"file", by_file},         {"copied", by_copied},
    {"shared", by_shared},     {"remapped", by_remapped}, {"dontneed", by_dontneed}, {"unmapped", by_unmapped},
    {"stack", by_stack},       {"zeros", by_zeros},       {"forked", by_forked},
    {"slowly", by_and_by},
    {"mlockall", by_mlockall}, {"future", by_future},     {"thread", by_threads},
};

int main(int argc, char **argv)
{
    if (argc != 3 && !(argc == 4 && !strcmp(argv[3], "stay")))
        usage(line);
    length = (size_t)number(argv[2], 4096, line) << 20;
    /* Whatever the machine does by itself, the other ways are in small pages. */
    if (strcmp(argv[1], "huge") && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
        refused("prctl");
    struct rlimit stack = {RLIM_INFINITY, RLIM_INFINITY};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (strcmp(ways[i].name, argv[1]))
            continue;
        if (!strcmp(argv[1], "stack"))
            setrlimit(RLIMIT_STACK, &stack);
        long before = resident();
        ways[i].grow();
        printf("pid=%d grown=%ld\n", getpid(), resident() - before);
        fflush(stdout);
        while (argc == 4 && getchar() != EOF)
            continue;
        return 0;
    }
    usage(line);
}
