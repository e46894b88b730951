/*
 * Entries: where the kernel enters a program whose action needs scratch memory. An action without is the program itself.
 *
 * All return 0. For a perf event this means: nothing goes to the event's own ring buffer. For a tracepoint or kprobe it
 * is what every tracer returns; the kernel then skips the perf events of that tracepoint on this hit
 * (perf_trace_run_bpf_submit, kernel/events/core.c).
 */
#include "template.h"

/* The script's action. */
extern __u64 pf_body(void *ctx, void *frame);

/* For programs that cannot be preempted nor sleep, so that claims nest strictly: see pf_claim. */
pf_template(int, pf_enter_framed, void *ctx)
{
	__u64 level;
	struct pf_scratch *scratch = pf_claim(&pf_map_scratch, &level);

	if (!scratch) {
		pf_loss(pf_param(loss) + PF_SCRATCH_BUSY);
		return 0;
	}
	pf_body(ctx, scratch->memory);
	pf_release(scratch);
	return 0;
}

/* For programs that can be preempted and cannot sleep: see pf_claim_counted. */
pf_template(int, pf_enter_preemptible, void *ctx)
{
	__u64 level;
	struct pf_scratch *scratch = pf_claim_counted(&pf_map_scratch, &level);

	if (!scratch) {
		pf_loss(pf_param(loss) + PF_SCRATCH_BUSY);
		return 0;
	}
	pf_body(ctx, scratch->memory);
	pf_release_counted(scratch);
	return 0;
}
