/*
 * Records for the reader in user space.
 */
#include "template.h"

/* Hands over a record; counts it if there is no room. */
pf_template(void, pf_emit, void *record, __u64 size, __u64 loss)
{
	if (bpf_ringbuf_output(&pf_map_events, record, size, 0))
		pf_loss(loss + PF_EVENTS_FULL);
}
