/*
 * opens N PATH
 *
 * Calls openat(AT_FDCWD, PATH, O_RDONLY) N times and closes what it got. PATH need not exist: opened and failed say how
 * often each happened, and they must agree in all the calls.
 */
#include <fcntl.h>

#include "workload.h"

static const char line[] = "opens N PATH";

int main(int argc, char **argv)
{
    long opened = 0, calls;

    if (argc != 3)
        usage(line);
    calls = number(argv[1], 100000000, line);
    for (long i = 0; i < calls; i++) {
        int file = openat(AT_FDCWD, argv[2], O_RDONLY);
        if (file >= 0) {
            opened++;
            close(file);
        }
    }
    printf("pid=%d calls=%ld opened=%ld failed=%ld\n", getpid(), calls, opened, calls - opened);
    return opened != 0 && opened != calls;
}
