/*
 * bpfobjects
 *
 * Counts the BPF objects that the kernel holds, whoever made them, so that a test can tell whether a tracer left any.
 * Prints programs=N maps=N links=N; links=-1 if the kernel cannot list links (it can from 5.8 on).
 */
#include <linux/bpf.h>
#include <sys/syscall.h>

#include "workload.h"

static const char line[] = "bpfobjects";

static long count(int command)
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    long found = 0;
    while (!syscall(SYS_bpf, command, &attributes, sizeof attributes)) {
        attributes.start_id = attributes.next_id;
        found++;
    }
    if (errno == EINVAL)
        return -1;
    if (errno != ENOENT)
        refused("bpf");
    return found;
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        usage(line);
    printf("programs=%ld maps=%ld links=%ld\n", count(BPF_PROG_GET_NEXT_ID), count(BPF_MAP_GET_NEXT_ID),
           count(BPF_LINK_GET_NEXT_ID));
    return 0;
}
