/* What a stack is captured into, as the routines see it that capture one. */
#ifndef PFSCRIPT_CAPTURE_H
#define PFSCRIPT_CAPTURE_H

#include "template.h"

/* What is captured at a level. */
static __always_inline struct pf_capture *capture_of(__u64 level)
{
	__u32 key = level;
	struct pf_scratch *scratch = bpf_map_lookup_elem(&pf_map_captures, &key);

	return scratch ? (struct pf_capture *)scratch->memory : 0;
}

/* Notes a word of the stack. 0 if there is no room. */
static __always_inline int note(struct pf_capture *capture, __u64 word)
{
	__u64 frames = capture->walk.frames, most = pf_param(stack_depth);

	/* 5.10 forgets the bounds of what it spills. */
	asm volatile("" : "+r"(frames));
	PF_UNLESS_BELOW(frames, most, full);
	capture->stack.ips[frames] = word;
	capture->walk.frames = frames + 1;
	return 1;
full:
	return 0;
}

#endif
