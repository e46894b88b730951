/*
 * Stacks: captured into scratch memory, known by a hash of what they are, and stored once.
 *
 * The kernel's own stack table (bpf_get_stackid) drops a stack whose slot is taken. Here the key is a 64-bit hash, so
 * that two stacks of a session share an id about once in 2^63 / stacks^2 sessions, and a full table is counted.
 */
#include "template.h"

extern char pf_map_stacks; /* HASH: __u64 id -> struct pf_stack */
extern char pf_map_known; /* PERCPU_ARRAY of PF_KNOWN: __u64 id, of a stack that is stored */

/* As src/maps.rs has it; a power of two. */
#define PF_KNOWN 512

#define PF_FRAMES 127
/* Not one of the kernel's flags, which are 32 bits: the depth is the default, so that a deeper stack is a loss. */
#define PF_STACK_DEFAULT_DEPTH (1ULL << 32)

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
	return even ? even : 1;
}

/* The id of the current stack, stored if it is new; 0 if there is none or it could not be walked. */
pf_template __u64 pf_stack(void *ctx, struct pf_stack *stack, __u64 flags, __u64 size, __u64 loss)
{
	long bytes = bpf_get_stack(ctx, stack->ips, size, flags & 0xffffffff);
	__u64 frames, id, *known;
	__u32 place;

	if (bytes < 8) {
		/* None is an answer: a kernel thread has no user stack, and code of a process no kernel stack. */
		if (bytes < 0)
			pf_loss(loss + PF_STACK_FAILED);
		return 0;
	}
	frames = (__u64)bytes / 8;
	if ((flags & PF_STACK_DEFAULT_DEPTH) && (__u64)bytes == size)
		pf_loss(loss + PF_STACK_TRUNCATED);
	stack->tgid = flags & BPF_F_USER_STACK ? bpf_get_current_pid_tgid() >> 32 : 0;
	stack->nr = frames;
	id = identify(stack, frames);

	/* Most stacks were captured before, on this CPU: that is known without a look into the table of all. */
	place = id % PF_KNOWN;
	known = bpf_map_lookup_elem(&pf_map_known, &place);
	if (known && *known == id)
		return id;
	if (!bpf_map_lookup_elem(&pf_map_stacks, &id)) {
		long error;

		stack->first_ns = bpf_ktime_get_ns();
		error = bpf_map_update_elem(&pf_map_stacks, &id, stack, BPF_NOEXIST);
		if (error && error != -EEXIST) {
			pf_loss(loss + PF_STACKS_FULL);
			return id;
		}
	}
	if (known)
		*known = id;
	return id;
}

/* The frames of a stored stack; 0 if there is none of that id. */
pf_template __u64 pf_stack_len(__u64 id)
{
	struct pf_stack *stack = bpf_map_lookup_elem(&pf_map_stacks, &id);

	return stack ? stack->nr : 0;
}
