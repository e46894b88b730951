/*
 * keys N [REPEAT]
 *
 * Makes REPEAT (1 unless told) passes of close(fd) over N distinct, closed file descriptors, from 1000000 upwards. Each
 * call fails with EBADF and does nothing else, so that tracepoint:syscalls:sys_enter_close { @[args.fd] = count(); }
 * gets exactly N distinct keys from 1000000 on, each counted REPEAT times.
 */
#include <sys/syscall.h>

#include "workload.h"

static const char line[] = "keys N [REPEAT]";

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3)
        usage(line);
    long keys = number(argv[1], 100000000, line);
    long repeat = argc == 3 ? number(argv[2], 1000000, line) : 1;
    const long first = 1000000;

    for (long pass = 0; pass < repeat; pass++)
        for (long key = first; key < first + keys; key++)
            if (syscall(SYS_close, (int)key) != -1 || errno != EBADF) {
                fprintf(stderr, "keys: close(%ld) did not fail with EBADF\n", key);
                return 1;
            }
    printf("pid=%d keys=%ld first=%ld repeat=%ld\n", getpid(), keys, first, repeat);
    return 0;
}
