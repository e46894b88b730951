/*
 * Stacks: each different one is stored once, under a hash of its process and frames, with the time when it was first seen.
 *
 * The kernel's own stack table (bpf_get_stackid) drops a stack whose place is taken. Here the key is a 64-bit hash, so that
 * two stacks of a session share an id about once in 2^63 / stacks^2 sessions, and what a full table refuses is counted.
 *
 * Where a script gives stacks up, there are two tables (the routines `…_renewed`): the runtime has programs change over to the
 * other one, carries along the stacks that are still held, and empties the one before. An id is the same in both.
 */
#include "template.h"

/* Bytes of frames that are asked for at the least: the kernel zeroes what it does not fill. */
#define PF_FEW_FRAMES 128

#define EEXIST 17

/* Odd numbers with well-mixed bits: the fractional parts of the golden ratio and of the square root of 3. */
#define PF_MULTIPLIER 0x9e3779b97f4a7c15ULL
#define PF_OTHER_MULTIPLIER 0xbb67ae8584caa73bULL

/* Brings high bits down, which a multiplication only carries up: the bits that address-space layout varies are high. */
static __always_inline __u64 fold(__u64 hash)
{
	return hash ^ hash >> 32;
}

/*
 * Goes to `label` unless `index` is below `count`. Verifiers before 6.3 know which way it goes only if the number that they know
 * stands on the right, and follow impossible ways otherwise, beyond the end of what is read; the compiler would put it on either.
 */
#define PF_UNLESS_BELOW(index, count, label) \
	asm volatile goto("if %[n] <= %[i] goto %l[" #label "]" : : [n] "r"(count), [i] "r"(index) : : label)

/* Two lanes, so that the multiplications of neighbouring frames overlap. Each step is a bijection of the lane. */
static __always_inline __u64 identify(const struct pf_stack *stack, __u64 frames)
{
	__u64 even = (__u64)stack->tgid << 32 | frames;
	__u64 odd = PF_OTHER_MULTIPLIER;
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

/*
 * The current stack, in as many bytes as this CPU's last ones needed, since zeroing the rest of the most takes as long as
 * a short walk. A stack that fills them is walked again.
 */
static __always_inline long walk(void *ctx, struct pf_capture *capture, __u64 flags, __u64 size)
{
	__u64 wanted = capture->wanted & ~7ULL;
	long bytes;

	if (wanted < PF_FEW_FRAMES)
		wanted = PF_FEW_FRAMES;
	if (wanted >= size)
		return bpf_get_stack(ctx, capture->stack.ips, size, flags & 0xffffffff);
	bytes = bpf_get_stack(ctx, capture->stack.ips, wanted, flags & 0xffffffff);
	if ((__u64)bytes == wanted) {
		bytes = bpf_get_stack(ctx, capture->stack.ips, size, flags & 0xffffffff);
		capture->wanted = bytes + 64;
	} else {
		capture->wanted = wanted - 8;
	}
	return bytes;
}

/* Return addresses that are looked at to tell a deep stack from a walk that went astray. */
#define PF_LAST_FRAMES 4

/* 1 for 0, else 0, without a branch: each would be two paths more for the verifier. For numbers below 2^63. */
static __always_inline __u64 is_zero(__u64 number)
{
	return (number - 1) >> 63;
}

/*
 * Whether an address of the process is one that a call returns to: a call stands before it. On x86-64 `call rel32`, or
 * `call` by register or memory with its possible lengths; on arm64 `bl` or `blr`.
 */
static __always_inline __u64 follows_call(__u64 address)
{
	__u64 before, found;

	/* What cannot be read is zeroes then. */
	bpf_probe_read_user(&before, 8, (const void *)(address - 8));
	found = is_zero((before >> 24 & 0xff) ^ 0xe8);
#pragma unroll
	for (int i = 1; i <= 6; i++)
		found |= is_zero((before >> 8 * i & 0x38ff) ^ 0x10ff);
	found |= is_zero((before >> 32 & 0xfc000000) ^ 0x94000000);
	return found | is_zero((before >> 32 & 0xfffffc1f) ^ 0xd63f0000);
}

/*
 * Whether a stack that fills its room is that deep. Code without frame pointers sends the walk to memory that is no frame,
 * and there often in circles, until the room is full: its last frames are then no return addresses.
 */
static __always_inline __u64 is_deep(const struct pf_stack *stack, __u64 flags, __u64 size)
{
	__u64 deep = 1;

	if (!(flags & PF_STACK_USER))
		return 1;
#pragma clang loop unroll(disable)
	for (__u64 i = 1; i <= PF_LAST_FRAMES && i <= size / 8; i++)
		deep &= follows_call(stack->ips[size / 8 - i]);
	return deep;
}

/* Puts a stack into a table unless it is there. 0, -EEXIST if it was there, or why the table did not take it. */
static __always_inline int put(void *table, const __u64 *id, struct pf_stack *stack)
{
	int result = -EEXIST;

	if (!bpf_map_lookup_elem(table, id)) {
		stack->first_ns = bpf_ktime_get_ns();
		result = bpf_map_update_elem(table, id, stack, BPF_NOEXIST);
	}
	return result;
}

/* Stores a stack in the only table. */
static __always_inline void store(struct pf_stack *stack, __u64 id, __u64 loss)
{
	__u32 place = id % PF_KNOWN_STACKS;
	__u64 *known;
	int result;

	/* What one CPU remembers is true for all. */
	known = bpf_map_lookup_elem(&pf_map_known, &place);
	if (known && *known == id)
		return;
	result = put(&pf_map_stacks, &id, stack);
	if (result && result != -EEXIST) {
		pf_loss(loss + refusal(result, PF_STACKS_FULL));
		return;
	}
	if (known)
		*known = id;
}

/* The word at a place of pf_map_known. */
static __always_inline __u64 *known_word(__u32 place)
{
	return bpf_map_lookup_elem(&pf_map_known, &place);
}

/* The table of an even or odd generation. */
static __always_inline void *table_of(__u64 generation)
{
	__u32 place = generation & 1;

	return bpf_map_lookup_elem(&pf_map_stack_tables, &place);
}

/*
 * Stores a stack in the present one of two tables. Which one that is, is read once: the runtime empties the other only after
 * the programs that began before it changed the generation have ended.
 */
static __always_inline void store_renewed(struct pf_stack *stack, __u64 id, __u64 loss)
{
	__u64 *word, *known, *stored, generation, mark;
	void *table;
	int result;

	word = known_word(PF_KNOWN_GENERATION);
	known = known_word(PF_KNOWN_FIRST + id % (PF_KNOWN_STACKS - PF_KNOWN_FIRST));
	if (!word || !known)
		return;
	generation = *(volatile __u64 *)word;
	/* What is remembered holds for one generation, so that nothing has to be cleared. */
	mark = id ^ generation * PF_MULTIPLIER;
	if (*known == mark)
		return;
	table = table_of(generation);
	if (!table)
		return;
	result = put(table, &id, stack);
	if (result && result != -EEXIST) {
		pf_loss(loss + refusal(result, PF_STACKS_FULL));
		return;
	}
	*known = mark;
	if (result)
		return;
	stored = known_word(PF_KNOWN_STORED);
	if (stored)
		__sync_fetch_and_add(stored, 1);
}

/* The id of the current stack, stored if it is new; 0 if there is none or it could not be walked. */
static __always_inline __u64 stored(void *ctx, __u64 flags, __u64 size, __u64 loss, struct pf_scratch *scratch,
				    const int renewed)
{
	struct pf_stack *stack;
	__u64 id, frames;
	long result;

	stack = &((struct pf_capture *)scratch->memory)->stack;
	result = walk(ctx, (struct pf_capture *)scratch->memory, flags, size);
	if (pf_unlikely(result < 8)) {
		/* None is an answer: a kernel thread has no user stack, and code of a process no kernel stack. */
		if (result < 0)
			pf_loss(loss + PF_STACK_FAILED);
		return 0;
	}
	frames = (__u64)result / 8;
	if (pf_unlikely((__u64)result == size && flags & PF_STACK_DEFAULT_DEPTH))
		pf_loss(loss + (is_deep(stack, flags, size) ? PF_STACK_TRUNCATED : PF_STACK_ASTRAY));
	stack->tgid = flags & PF_STACK_USER ? bpf_get_current_pid_tgid() >> 32 : 0;
	stack->nr = frames;
	/*
	 * Just before the access: 5.10 forgets the bounds of what it spills, though not constants. And of a number that the
	 * compiler does not know to be `stack->nr`, which it would read back without any bounds.
	 */
	asm volatile("" : "+r"(frames));
	if (frames > size / 8)
		frames = size / 8;
	id = identify(stack, frames);
	if (renewed)
		store_renewed(stack, id, loss);
	else
		store(stack, id, loss);
	return id;
}

/* The same, in scratch memory claimed as programs must that can be preempted, or may that cannot. */
static __always_inline __u64 captured(void *ctx, __u64 flags, __u64 size, __u64 loss, const int preemptible,
				      const int renewed)
{
	struct pf_scratch *scratch = preemptible ? pf_claim_counted(&pf_map_captures) : pf_claim(&pf_map_captures);
	__u64 id;

	if (pf_unlikely(!scratch)) {
		pf_loss(loss + PF_SCRATCH_BUSY);
		return 0;
	}
	id = stored(ctx, flags, size, loss, scratch, renewed);
	if (preemptible)
		pf_release_counted(scratch);
	else
		pf_release(scratch);
	return id;
}

pf_template(__u64, pf_stack, void *ctx, __u64 flags, __u64 size, __u64 loss)
{
	return captured(ctx, flags, size, loss, 0, 0);
}

pf_template(__u64, pf_stack_preemptible, void *ctx, __u64 flags, __u64 size, __u64 loss)
{
	return captured(ctx, flags, size, loss, 1, 0);
}

pf_template(__u64, pf_stack_renewed, void *ctx, __u64 flags, __u64 size, __u64 loss)
{
	return captured(ctx, flags, size, loss, 0, 1);
}

pf_template(__u64, pf_stack_renewed_preemptible, void *ctx, __u64 flags, __u64 size, __u64 loss)
{
	return captured(ctx, flags, size, loss, 1, 1);
}

/* The frames of a stored stack, in the present table or in the past one; 0 if there is none of that id. */
pf_template(__u64, pf_stack_len, __u64 id)
{
	__u64 *word = known_word(PF_KNOWN_GENERATION), generation;
	struct pf_stack *stack;
	void *table;

	if (!word)
		return 0;
	generation = *(volatile __u64 *)word;
	table = table_of(generation);
	if (!table)
		return 0;
	stack = bpf_map_lookup_elem(table, &id);
	if (stack)
		return stack->nr;
	table = table_of(generation + 1);
	if (!table)
		return 0;
	stack = bpf_map_lookup_elem(table, &id);
	return stack ? stack->nr : 0;
}
