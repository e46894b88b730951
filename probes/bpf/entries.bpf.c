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

/* Whether the session follows one process, and this is another one. */
static __always_inline int foreign(void)
{
	__u64 tgid = pf_param(tgid);

	return tgid != 0 && bpf_get_current_pid_tgid() >> 32 != tgid;
}

static __always_inline void enter_framed(void *ctx)
{
	struct pf_scratch *scratch;

	if (foreign())
		return;
	scratch = pf_claim(&pf_map_scratch);
	if (!scratch) {
		pf_loss(pf_param(loss) + PF_SCRATCH_BUSY);
		return;
	}
	pf_body(ctx, scratch->memory);
	pf_release(scratch);
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
