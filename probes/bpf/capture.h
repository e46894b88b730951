/* What is captured: the scratch memory that it is in, its mappings, and how it is known. */
#ifndef PFSCRIPT_CAPTURE_H
#define PFSCRIPT_CAPTURE_H

#include "template.h"
#include "hash.h"

/* Not a place of counters: what the walk of mappings cannot read is no loss of its own here. */
#define PF_NO_LOSS 0xffffffff

/* Steps of a walk in one call: the verifier follows each turn of a loop, but a function once for all calls. */
#define PF_STEPS_AT_ONCE 32

__u64 pf_vma_maple(__u64 address, __u64 loss);
__u64 pf_vma_red_black(__u64 address, __u64 loss);

/* What is captured at a level. */
static __always_inline struct pf_capture *capture_of(__u64 level)
{
	__u32 key = level;
	struct pf_scratch *scratch = bpf_map_lookup_elem(&pf_map_captures, &key);

	return scratch ? (struct pf_capture *)scratch->memory : 0;
}

/* Takes a word of the stack into the walk's hash. Each step is a bijection, so that stacks that differ in one frame have different ones. */
static __always_inline void take_in(struct pf_walk *walk, __u64 word)
{
	walk->hash_before = walk->hash;
	walk->hash = fold((walk->hash ^ word) * PF_MULTIPLIER);
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
	take_in(&capture->walk, word);
	return 1;
full:
	return 0;
}

/* Notes the address of a frame. 0 if there is no room. */
static __always_inline int note_address(struct pf_capture *capture)
{
	const struct pf_walk *walk = &capture->walk;

	return note(capture, walk->ip | (walk->frames && walk->exact ? PF_STACK_INTERRUPTED : 0));
}

/*
 * The mapping of an address. The verifier knows which tree the kernel has, and leaves the other routine out; the constants of
 * that one are 0.
 */
static __always_inline __u64 vma_of(__u64 address)
{
	return pf_param(is_maple) ? pf_vma_maple(address, PF_NO_LOSS) : pf_vma_red_black(address, PF_NO_LOSS);
}

/* Makes an id of the hash of a walk's frames, how many these are, and the process: not 0. */
static __always_inline __u64 identify_walk(const struct pf_walk *walk, __u64 hash, __u64 frames, __u32 tgid)
{
	hash = fold((hash ^ walk->files) * PF_OTHER_MULTIPLIER);
	hash = fold((hash ^ ((__u64)tgid << 32 | frames)) * PF_MULTIPLIER);
	return hash ? hash : 1;
}

#endif
