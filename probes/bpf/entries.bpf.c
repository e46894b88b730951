/*
 * Probe programs: where the kernel enters. One for each program type, bare and with a frame of scratch memory.
 *
 * All return 0. For a perf event this means: nothing goes to the event's own ring buffer. For a tracepoint or kprobe it
 * is what every tracer returns; the kernel then skips the perf events of that tracepoint on this hit
 * (perf_trace_run_bpf_submit, kernel/events/core.c).
 */
#include "template.h"

/* The script's action. */
extern __u64 pf_body(void *ctx, void *frame);

extern char pf_map_scratch; /* PERCPU_ARRAY of PF_LEVELS: struct pf_scratch */

/* How deep probes may nest on one CPU: task, softirq, hardirq, NMI. */
#define PF_LEVELS 4

struct pf_scratch {
	__u64 busy;
	__u8 frame[];
};

/* Whether the session follows one process, and this is another one. */
static __always_inline int foreign(void)
{
	__u64 tgid = pf_param(tgid);

	return tgid != 0 && bpf_get_current_pid_tgid() >> 32 != tgid;
}

/*
 * The scratch memory of the first free level, or null.
 *
 * The flag is tested and set without an atomic instruction. That is right where contexts nest strictly, as in programs
 * that run with preemption off: whoever interrupts between the test and the store has released the level again before
 * the store happens. Every program type below runs so: trace_call_bpf (kernel/trace/bpf_trace.c) and
 * bpf_overflow_handler (kernel/events/core.c) cannot sleep nor be preempted. A program type that can be preempted
 * (fentry, uprobes since 6.0) needs another way to claim.
 */
static __always_inline struct pf_scratch *claim(void)
{
#pragma unroll
	for (__u32 level = 0; level < PF_LEVELS; level++) {
		__u32 key = level;
		struct pf_scratch *scratch = bpf_map_lookup_elem(&pf_map_scratch, &key);

		if (!scratch)
			return 0;
		if (!*(volatile __u64 *)&scratch->busy) {
			*(volatile __u64 *)&scratch->busy = 1;
			return scratch;
		}
	}
	return 0;
}

static __always_inline void enter_framed(void *ctx)
{
	struct pf_scratch *scratch;

	if (foreign())
		return;
	scratch = claim();
	if (!scratch) {
		pf_loss(pf_param(loss) + PF_SCRATCH_BUSY);
		return;
	}
	pf_body(ctx, scratch->frame);
	*(volatile __u64 *)&scratch->busy = 0;
}

#define ENTRY(family)                                                 \
	int pf_enter_##family(void *ctx)                              \
	{                                                             \
		if (!foreign())                                       \
			pf_body(ctx, 0);                              \
		return 0;                                             \
	}                                                             \
                                                                      \
	int pf_enter_##family##_framed(void *ctx)                     \
	{                                                             \
		enter_framed(ctx);                                    \
		return 0;                                             \
	}

ENTRY(perf_event)
ENTRY(tracepoint)
ENTRY(kprobe)
ENTRY(once)
