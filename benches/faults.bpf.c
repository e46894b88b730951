/*
 * What `software:page-faults:1 { @[ustack, pid, comm] = count(); }` is when written by hand: the yardstick for the time
 * per event. Stacks go to the kernel's own table of stacks.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define FRAMES 127 /* PERF_MAX_STACK_DEPTH */

struct key {
	__s32 stack;
	__u32 pid;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 16384);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, FRAMES * sizeof(__u64));
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct key);
	__type(value, __u64);
} counts SEC(".maps");

SEC("perf_event")
int faults(void *ctx)
{
	struct key key = {};
	__u64 *count;

	key.stack = bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
	key.pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(key.comm, sizeof(key.comm));

	count = bpf_map_lookup_elem(&counts, &key);
	if (count) {
		++*count;
	} else {
		__u64 one = 1;

		bpf_map_update_elem(&counts, &key, &one, BPF_NOEXIST);
	}
	return 0;
}

char terms[] SEC("license") = "GPL";
