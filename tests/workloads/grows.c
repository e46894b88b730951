/*
 * grows WHAT MIB [stay]
 *
 * Makes MIB more MiB of its memory resident in one way, in a function of its own, and prints what the kernel says that it
 * grew by, in bytes: `pid=… grown=…`. It keeps the memory to its end, which with `stay` is that of its
 * input. WHAT is one of the names in `ways` below. What is read is a file of its own, or what GROWS_FROM names, such as a block device.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
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

/* A file of that length that has no name any more, or what is given. */
static int file(void)
{
    const char *given = getenv("GROWS_FROM");
    if (given) {
        int file = open(given, O_RDONLY);
        if (file < 0)
            refused(given);
        return file;
    }
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

/* One that is read without the page cache: the kernel takes the pages of memory themselves, without faults. */
static int direct(void)
{
    int from = file();
    struct stat what;
    struct statfs where;
    if (fstat(from, &what) || fstatfs(from, &where))
        refused("fstat");
    /* It takes the flag, and goes on as before. */
    if (S_ISREG(what.st_mode) && where.f_type == TMPFS_MAGIC) {
        errno = EINVAL;
        refused("O_DIRECT");
    }
    if (lseek(from, 0, SEEK_SET) || fcntl(from, F_SETFL, O_DIRECT))
        refused("O_DIRECT");
    /* Else the first who reads waits for that. */
    if (S_ISREG(what.st_mode) && fsync(from))
        refused("fsync");
    return from;
}

/* Memory in parts that are apart. */
enum { PARTS = 4 };
static void in_parts(char *memory, struct iovec *parts)
{
    for (int i = 0; i < PARTS; i++)
        parts[i] = (struct iovec){memory + i * (length / PARTS), length / PARTS};
}

__attribute__((noinline)) static void by_direct(void)
{
    int from = direct();
    char *memory = small();
    if (read(from, memory, length / 2) != (ssize_t)length / 2)
        refused("read");
    if (pread(from, memory + length / 2, length / 2, length / 2) != (ssize_t)length / 2)
        refused("pread");
}

__attribute__((noinline)) static void by_vector(void)
{
    int from = direct();
    struct iovec parts[PARTS];
    in_parts(small(), parts);
    if (readv(from, parts, 1) + preadv(from, parts + 1, 1, 0) + preadv2(from, parts + 2, PARTS - 2, 0, 0) != (ssize_t)length)
        refused("readv");
}

__attribute__((noinline)) static void by_aio(void)
{
    int from = direct();
    struct iovec parts[PARTS];
    in_parts(small(), parts);
    aio_context_t context = 0;
    struct iocb reads[2] = {
        {.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = from, .aio_buf = (size_t)parts[0].iov_base, .aio_nbytes = parts[0].iov_len},
        {.aio_lio_opcode = IOCB_CMD_PREADV, .aio_fildes = from, .aio_buf = (size_t)(parts + 1), .aio_nbytes = PARTS - 1},
    };
    struct iocb *all[] = {&reads[0], &reads[1]};
    struct io_event events[2];
    if (syscall(SYS_io_setup, 2, &context))
        refused("io_setup");
    if (syscall(SYS_io_submit, context, 2, all) != 2 || syscall(SYS_io_getevents, context, 2, 2, events, NULL) != 2)
        refused("io_submit");
    if (events[0].res + events[1].res != (long long)length)
        refused("aio");
}

/* A ring of requests, and how to have some done that are in it. */
static struct io_uring_params params;
static struct io_uring_sqe *requests;
static unsigned *order, *head, *tail, *done;
static int ring(unsigned flags)
{
    params.flags = flags;
    int ring = (int)syscall(SYS_io_uring_setup, 8, &params);
    if (ring < 0)
        refused("io_uring_setup");
    size_t size = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    char *queue = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    char *completed = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    size = params.sq_entries * sizeof *requests;
    requests = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    if (queue == MAP_FAILED || completed == MAP_FAILED || (char *)requests == MAP_FAILED)
        refused("mmap");
    tail = (unsigned *)(queue + params.sq_off.tail);
    order = (unsigned *)(queue + params.sq_off.array);
    head = (unsigned *)(completed + params.cq_off.head);
    done = (unsigned *)(completed + params.cq_off.tail);
    return ring;
}

static void perform(int ring, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        order[i] = i;
    __atomic_store_n(tail, count, __ATOMIC_RELEASE);
    unsigned flags = IORING_ENTER_GETEVENTS | (params.flags & IORING_SETUP_SQPOLL ? IORING_ENTER_SQ_WAKEUP : 0);
    while (syscall(SYS_io_uring_enter, ring, count, count, flags, NULL, 0) < 0)
        if (errno != EINTR)
            refused("io_uring_enter");
    while (__atomic_load_n(done, __ATOMIC_ACQUIRE) != count)
        usleep(1000);
}

/* The third is done by a thread of the kernel's. */
__attribute__((noinline)) static void by_uring(void)
{
    int from = direct(), own = ring(0);
    struct iovec parts[PARTS];
    in_parts(small(), parts);
    requests[0] = (struct io_uring_sqe){.opcode = IORING_OP_READ, .fd = from, .addr = (size_t)parts[0].iov_base, .len = parts[0].iov_len};
    requests[1] = (struct io_uring_sqe){.opcode = IORING_OP_NOP};
    requests[2] = (struct io_uring_sqe){.opcode = IORING_OP_READV, .fd = from, .addr = (size_t)(parts + 1), .len = PARTS - 1};
    requests[2].flags = IOSQE_ASYNC;
    perform(own, 3);
}

/* Buffers that a ring is told of stay where they are. */
__attribute__((noinline)) static void by_buffers(void)
{
    struct iovec parts[PARTS];
    in_parts(small(), parts);
    if (syscall(SYS_io_uring_register, ring(0), IORING_REGISTER_BUFFERS, parts, PARTS))
        refused("io_uring_register");
}

/* The same by the newer calls: two when it is told of them, the others later, in places that were left free. */
__attribute__((noinline)) static void by_resources(void)
{
    int own = ring(0);
    struct iovec parts[PARTS];
    in_parts(small(), parts);
    struct iovec first[PARTS] = {parts[0], parts[1]};
    struct io_uring_rsrc_register all = {.nr = PARTS, .data = (size_t)first};
    struct io_uring_rsrc_update2 rest = {.offset = 2, .nr = PARTS - 2, .data = (size_t)(parts + 2)};
    if (syscall(SYS_io_uring_register, own, IORING_REGISTER_BUFFERS2, &all, sizeof all))
        refused("io_uring_register");
    if (syscall(SYS_io_uring_register, own, IORING_REGISTER_BUFFERS_UPDATE, &rest, sizeof rest) != PARTS - 2)
        refused("io_uring_register");
}

/* A child that writes to its parent's memory. */
__attribute__((noinline)) static void by_writer(pid_t whose, char *memory)
{
    static char block[1 << 16];
    for (size_t at = 0; at < length; at += sizeof block) {
        struct iovec from = {block, sizeof block}, to = {memory + at, sizeof block};
        if (process_vm_writev(whose, &from, 1, &to, 1, 0) != (ssize_t)sizeof block)
            refused("process_vm_writev");
    }
}

__attribute__((noinline)) static void by_others(void)
{
    char *memory = small();
    pid_t child = fork();
    if (child < 0)
        refused("fork");
    if (!child) {
        by_writer(getppid(), memory);
        exit(0);
    }
    int status;
    if (waitpid(child, &status, 0) != child || status)
        refused("waitpid");
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

/* Reads to where something is already. */
__attribute__((noinline)) static void read_again(int from, char *memory)
{
    for (int turn = 0; turn < 2; turn++)
        if (pread(from, memory, length, 0) != (ssize_t)length)
            refused("pread");
}

__attribute__((noinline)) static void by_again(void)
{
    int from = direct();
    char *memory = small();
    touched_again(memory);
    read_again(from, memory);
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

enum { ARENAS = 4 };

/* Glibc gives each thread an arena of its own. */
__attribute__((noinline)) static void *by_arena(void *nothing)
{
    for (size_t at = 0; at < length / ARENAS; at += 1024) {
        volatile char *block = malloc(1024 - 16);
        if (!block)
            refused("malloc");
        *block = 1;
    }
    return nothing;
}

__attribute__((noinline)) static void by_arenas(void)
{
    pthread_t threads[ARENAS];
    for (int i = 0; i < ARENAS; i++)
        if (pthread_create(&threads[i], NULL, by_arena, NULL))
            refused("pthread_create");
    for (int i = 0; i < ARENAS; i++)
        pthread_join(threads[i], NULL);
}

static const struct {
    const char *name;
    void (*grow)(void);
} ways[] = {
    {"anon", by_anon},         {"malloc", by_malloc},     {"huge", by_huge},         {"populate", by_populate},
    {"mlock", by_mlock},       {"read", by_read},         {"file", by_file},         {"copied", by_copied},
    {"shared", by_shared},     {"remapped", by_remapped}, {"dontneed", by_dontneed}, {"unmapped", by_unmapped},
    {"stack", by_stack},       {"zeros", by_zeros},       {"forked", by_forked},     {"slowly", by_and_by},
    {"mlockall", by_mlockall}, {"future", by_future},     {"thread", by_threads},    {"direct", by_direct},
    {"vector", by_vector},     {"aio", by_aio},           {"uring", by_uring},       {"buffers", by_buffers},
    {"others", by_others},     {"again", by_again},       {"resources", by_resources},
    {"arenas", by_arenas},
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
