/*
 * The numbers of the current task in the pid namespace that a session runs in. Programs have it where that is not the
 * initial namespace, in place of the helper bpf_get_current_pid_tgid, which gives the initial one's numbers.
 *
 * bpf_get_ns_current_pid_tgid (Linux 5.7) does not do: it knows a task's own namespace alone, and not those that this one
 * is nested in.
 */
#include "template.h"

/* The most namespaces that are nested (MAX_PID_NS_LEVEL, include/linux/pid_namespace.h), and the initial one. */
#define PF_PID_LEVELS 33

static __always_inline __u64 load(__u64 address)
{
	__u64 word;

	bpf_probe_read_kernel(&word, sizeof(word), (const void *)address);
	return word;
}

static __always_inline __u32 load_u32(__u64 address)
{
	__u32 word;

	bpf_probe_read_kernel(&word, sizeof(word), (const void *)address);
	return word;
}

/* The number of a `struct pid`, which has one for each namespace from its own outwards; 0 if it has none in ours. */
pf_template(__u64, pf_pid_number, __u64 pid)
{
	__u64 level = load_u32(pid + pf_param(offset.pid.level));
	__u64 numbers = pid + pf_param(offset.pid.numbers) + level * pf_param(size.upid);

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_PID_LEVELS; i++) {
		__u64 space = load(numbers + pf_param(offset.upid.ns));

		if (load_u32(space + pf_param(offset.pid_namespace.ns.inum)) == (__u32)pf_param(pid_namespace))
			return load_u32(numbers + pf_param(offset.upid.nr));
		if (i == level)
			break;
		numbers -= pf_param(size.upid);
	}
	return 0;
}

/* As bpf_get_current_pid_tgid: the process id in the upper half, the thread's in the lower one. */
pf_template(__u64, pf_pid_tgid, void)
{
	__u64 task = bpf_get_current_task();
	__u64 group = load(task + pf_param(offset.task_struct.signal)) + pf_param(offset.signal_struct.pids) +
		      pf_param(value.pid_type.PIDTYPE_TGID) * 8;

	return pf_pid_number(load(group)) << 32 | pf_pid_number(load(task + pf_param(offset.task_struct.thread_pid)));
}
