/*
 * Stacks: each different one is stored once, under an id, with its process and the time when it was first seen.
 *
 * The kernel's own stack table (bpf_get_stackid) is fast, since it compares a stack where it was walked, but it drops a
 * stack whose place is taken, and knows neither process nor time. So it is asked first, and what it answers is the id, with
 * the process: whether that is stored is looked up, mostly in one page of memory. Where it has no place left,
 * the stack is captured into scratch memory, and its id is a 64-bit hash: two stacks of a session share one about once in
 * 2^61 / stacks^2 sessions. Nothing is dropped but by a full table, and that is counted.
 */
#include "template.h"

extern char pf_map_stacks; /* HASH: __u64 id -> struct pf_stack */
extern char pf_map_traces; /* STACK_TRACE, as deep as the deepest stack of the script */
extern char pf_map_captures; /* PERCPU_ARRAY of PF_LEVELS: struct pf_scratch with a struct pf_stack */
extern char pf_map_known; /* ARRAY of PF_KNOWN: __u64 id, of a stack that is stored */

/* As src/maps.rs has it; a power of two. */
#define PF_KNOWN 512

#define PF_FRAMES 127
/* Flags of pf_stack that are not the kernel's, which have 32 bits. */
#define PF_STACK_DEFAULT_DEPTH (1ULL << 32) /* the script asked for no depth: a deeper stack is a loss */
#define PF_STACK_FULL_DEPTH (1ULL << 33) /* as deep as pf_map_traces */

/* Bits of an id: process and place in pf_map_traces have the low 62. */
#define PF_ID_HASHED (1ULL << 63)
/* In pf_map_known, beside the id: the stack was cut. */
#define PF_ID_CUT (1ULL << 62)

#define EEXIST 17

/* As src/maps.rs lays it out for the reader. */
struct pf_stack {
	__u32 tgid; /* 0 for a kernel stack */
	__u32 nr;   /* frames; what follows them is not part of the stack */
	__u64 first_ns; /* CLOCK_MONOTONIC at the first capture */
	__u64 ips[];
};

/* Odd numbers with well-mixed bits: the fractional parts of the golden ratio and of the square root of 3. */
#define PF_MULTIPLIER 0x9e3779b97f4a7c15ULL
#define PF_OTHER_MULTIPLIER 0xbb67ae8584caa73bULL

/* Brings high bits down, which a multiplication only carries up: the bits that address-space layout varies are high. */
static __always_inline __u64 fold(__u64 hash)
{
	return hash ^ hash >> 32;
}

/* Two lanes, so that the multiplications of neighbouring frames overlap. Each step is a bijection of the lane. */
static __always_inline __u64 identify(const struct pf_stack *stack, __u64 frames)
{
	__u64 even = (__u64)stack->tgid << 32 | frames;
	__u64 odd = PF_OTHER_MULTIPLIER;
	__u64 i;

#pragma clang loop unroll(disable)
	for (i = 0; i < PF_FRAMES / 2 * 2; i += 2) {
		if (i + 1 >= frames)
			break;
		even = fold((even ^ stack->ips[i]) * PF_MULTIPLIER);
		odd = fold((odd ^ stack->ips[i + 1]) * PF_OTHER_MULTIPLIER);
	}
	if (i < frames)
		even = fold((even ^ stack->ips[i]) * PF_MULTIPLIER);
	even = fold((even ^ odd * PF_MULTIPLIER) * PF_OTHER_MULTIPLIER);
	return even;
}

/* Where an id of pf_map_traces is remembered. Any CPU may write there; what it writes is true for all. */
static __always_inline __u64 *remembered(__u64 id)
{
	__u32 place = (id ^ id >> 32) % PF_KNOWN;

	return bpf_map_lookup_elem(&pf_map_known, &place);
}

static __always_inline __u64 process(__u64 flags)
{
	return flags & BPF_F_USER_STACK ? bpf_get_current_pid_tgid() >> 32 : 0;
}

/* Captures the current stack, and stores it under `id`, or under its hash if that is 0. */
pf_template __u64 pf_stack_capture(void *ctx, __u64 flags, __u64 size, __u64 id, __u64 loss)
{
	struct pf_scratch *scratch = pf_claim(&pf_map_captures);
	struct pf_stack *stack;
	__u64 *known;
	long result;

	if (!scratch) {
		pf_loss(loss + PF_SCRATCH_BUSY);
		return 0;
	}
	stack = (struct pf_stack *)scratch->memory;
	result = bpf_get_stack(ctx, stack->ips, size, flags & 0xffffffff);
	if (result < 8) {
		/* None is an answer: a kernel thread has no user stack, and code of a process no kernel stack. */
		if (result < 0)
			pf_loss(loss + PF_STACK_FAILED);
		pf_release(scratch);
		return 0;
	}
	stack->tgid = process(flags);
	stack->nr = (__u64)result / 8;
	if ((__u64)result == size && flags & PF_STACK_DEFAULT_DEPTH)
		pf_loss(loss + PF_STACK_TRUNCATED);
	known = id ? remembered(id) : 0;
	if (known)
		*known = (__u64)result == size ? id | PF_ID_CUT : id;
	if (!id) {
		__u64 frames = (__u64)result / 8;

		/*
		 * Just before the access: 5.10 forgets the bounds of what it spills, though not constants. And of a number
		 * that the compiler does not know to be `stack->nr`, which it would read back without any bounds.
		 */
		asm volatile("" : "+r"(frames));
		if (frames > size / 8)
			frames = size / 8;
		id = (identify(stack, frames) & ~PF_ID_CUT) | PF_ID_HASHED;
	}
	if (!bpf_map_lookup_elem(&pf_map_stacks, &id)) {
		stack->first_ns = bpf_ktime_get_ns();
		result = bpf_map_update_elem(&pf_map_stacks, &id, stack, BPF_NOEXIST);
		if (result && result != -EEXIST) {
			pf_loss(loss + refusal(result, PF_STACKS_FULL));
			if (known)
				*known = 0;
		}
	}
	pf_release(scratch);
	return id;
}

/* The id of the current stack, stored if it is new; 0 if there is none or it could not be walked. */
pf_template __u64 pf_stack(void *ctx, __u64 flags, __u64 size, __u64 loss)
{
	__u64 id = 0, *known;
	long place = -1;

	if (flags & PF_STACK_FULL_DEPTH)
		place = bpf_get_stackid(ctx, &pf_map_traces, flags & 0xffffffff);
	if (place >= 0) {
		id = process(flags) << 32 | (__u32)(place + 1);
		known = remembered(id);
		if (known && (*known & ~PF_ID_CUT) == id) {
			if (pf_unlikely(*known & PF_ID_CUT && flags & PF_STACK_DEFAULT_DEPTH))
				pf_loss(loss + PF_STACK_TRUNCATED);
			return id;
		}
	}
	return pf_stack_capture(ctx, flags, size, id, loss);
}

/* The frames of a stored stack; 0 if there is none of that id. */
pf_template __u64 pf_stack_len(__u64 id)
{
	struct pf_stack *stack = bpf_map_lookup_elem(&pf_map_stacks, &id);

	return stack ? stack->nr : 0;
}
