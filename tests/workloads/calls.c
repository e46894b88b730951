/*
 * calls N PATH
 *
 * Calls getppid N times, getuid 2 N times, and openat, and open where there is such a call, with PATH N times each. What
 * was opened is closed again. PATH need not exist.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "workload.h"

static const char line[] = "calls N PATH";

static void shut(long file)
{
    if (file >= 0)
        close(file);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        usage(line);
    long calls = number(argv[1], 1000000, line);
    long opens = 0;
    for (long i = 0; i < calls; i++) {
        syscall(SYS_getppid);
        syscall(SYS_getuid);
        syscall(SYS_getuid);
        shut(syscall(SYS_openat, AT_FDCWD, argv[2], O_RDONLY));
#ifdef SYS_open
        opens++;
        shut(syscall(SYS_open, argv[2], O_RDONLY));
#endif
    }
    printf("pid=%d getppid=%ld getuid=%ld openat=%ld open=%ld\n", getpid(), calls, 2 * calls, calls, opens);
    return 0;
}
