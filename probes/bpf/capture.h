/* What is captured: the scratch memory that it is in, its mappings, and how it is known. */
#ifndef PFSCRIPT_CAPTURE_H
#define PFSCRIPT_CAPTURE_H

#include "template.h"
#include "hash.h"

/* Not a place of counters: what the walk of mappings cannot read is no loss of its own here. */
#define PF_NO_LOSS 0xffffffff

__u64 pf_vma_maple(__u64 address, __u64 loss);
__u64 pf_vma_red_black(__u64 address, __u64 loss);

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

/*
 * The mapping of an address. The verifier knows which tree the kernel has, and leaves the other routine out; the constants of
 * that one are 0.
 */
static __always_inline __u64 vma_of(__u64 address)
{
	return pf_param(is_maple) ? pf_vma_maple(address, PF_NO_LOSS) : pf_vma_red_black(address, PF_NO_LOSS);
}

/* The id of a stack. Two lanes, so that the multiplications of neighbouring frames overlap. Each step is a bijection of the lane. */
static __always_inline __u64 identify(const struct pf_stack *stack, __u64 frames, __u64 files)
{
	__u64 even = (__u64)stack->tgid << 32 | frames;
	__u64 odd = PF_OTHER_MULTIPLIER ^ files;
	__u64 i;

#pragma clang loop unroll(disable)
	for (i = 0; i < PF_MAX_STACK_FRAMES / 2 * 2; i += 2) {
		PF_UNLESS_BELOW(i + 1, frames, last);
		even = fold((even ^ stack->ips[i]) * PF_MULTIPLIER);
		odd = fold((odd ^ stack->ips[i + 1]) * PF_OTHER_MULTIPLIER);
	}
last:
	PF_UNLESS_BELOW(i, frames, done);
	even = fold((even ^ stack->ips[i]) * PF_MULTIPLIER);
done:
	even = fold((even ^ odd * PF_MULTIPLIER) * PF_OTHER_MULTIPLIER);
	return even ? even : 1;
}

#endif
