/*
 * counted COMMAND [ARGUMENT...]
 *
 * Runs COMMAND with an empty environment and counts its page faults in two ways of the kernel's own: the software event
 * page-faults, which counts from exec on (events), and the resource usage of its whole life (usage).
 */
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "workload.h"

int main(int argc, char **argv)
{
    if (argc < 2)
        usage("counted COMMAND [ARGUMENT...]");
    int gate[2];
    if (pipe(gate))
        refused("pipe");
    pid_t pid = fork();
    if (pid < 0)
        refused("fork");
    if (!pid) {
        char byte;
        char *environment[] = {NULL};
        if (read(gate[0], &byte, 1) == 1)
            execve(argv[1], argv + 1, environment);
        _exit(127);
    }
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attributes,
        .config = PERF_COUNT_SW_PAGE_FAULTS,
        .disabled = 1,
        .inherit = 1,
        .enable_on_exec = 1,
    };
    int event = (int)syscall(SYS_perf_event_open, &attributes, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (event < 0)
        refused("perf_event_open");
    if (write(gate[1], "", 1) != 1)
        refused("write");
    int status;
    struct rusage usage;
    if (wait4(pid, &status, 0, &usage) != pid)
        refused("wait4");
    long long events;
    if (read(event, &events, sizeof events) != sizeof events)
        refused("read");
    printf("counted=%d events=%lld usage=%ld\n", pid, events, usage.ru_minflt + usage.ru_majflt);
    return status != 0;
}
