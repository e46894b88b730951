/*
 * Stacks: each different one is stored once, under a hash of its process, its frames and, where these are known, the files that they
 * are in, with the time when it was first seen.
 *
 * The kernel's own stack table (bpf_get_stackid) drops a stack whose place is taken. Here the key is a 64-bit hash, so that
 * two stacks of a session share an id about once in 2^63 / stacks^2 sessions, and what a full table refuses is counted.
 *
 * Where a script gives stacks up, there are two tables (the routines `…_renewed`): the runtime has programs change over to the
 * other one, carries along the stacks that are still held, and empties the one before. An id is the same in both.
 */
#include "template.h"
#include "calls.h"
#include "capture.h"

/* Bytes of frames that are asked for at the least: the kernel zeroes what it does not fill. */
#define PF_FEW_FRAMES 128

#define EEXIST 17

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

/* How a stack is walked: by the kernel, which follows frame pointers, or by tables. */
enum { BY_KERNEL, BY_TABLES };

/* The first counter of losses. Read back where it was noted, since there is little room to keep it. */
static __always_inline __u64 noted_loss(const struct pf_capture *capture, __u64 loss, const int how)
{
	return how == BY_TABLES ? *(volatile const __u64 *)&capture->walk.loss : loss;
}

/* Puts a stack into a table unless it is there. 0, -EEXIST if it was there, or why the table did not take it. */
static __always_inline int put(void *table, struct pf_capture *capture)
{
	int result = -EEXIST;

	if (!bpf_map_lookup_elem(table, &capture->id)) {
		capture->stack.first_ns = bpf_ktime_get_ns();
		result = bpf_map_update_elem(table, &capture->id, &capture->stack, BPF_NOEXIST);
	}
	return result;
}

/* Stores a stack in the only table. 0 if the table does not take it, which is counted. */
static __always_inline int store(struct pf_capture *capture, __u64 loss, const int how)
{
	__u64 *known, id = capture->id;
	__u32 place = id % PF_KNOWN_STACKS;
	int result;

	/* What one CPU remembers is true for all. */
	known = bpf_map_lookup_elem(&pf_map_known, &place);
	if (known && *known == id)
		return 1;
	result = put(&pf_map_stacks, capture);
	if (result && result != -EEXIST) {
		pf_loss(noted_loss(capture, loss, how) + refusal(result, PF_STACKS_FULL));
		return 0;
	}
	if (known)
		*known = id;
	return 1;
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
 * Stores a stack in the present one of two tables, likewise. Which one that is, is read once: the runtime empties the other only after
 * the programs that began before it changed the generation have ended.
 */
static __always_inline int store_renewed(struct pf_capture *capture, __u64 loss, const int how)
{
	__u64 *word, *known, *stored, generation, mark, id = capture->id;
	void *table;
	int result;

	word = known_word(PF_KNOWN_GENERATION);
	known = known_word(PF_KNOWN_FIRST + id % (PF_KNOWN_STACKS - PF_KNOWN_FIRST));
	if (!word || !known)
		return 0;
	generation = *(volatile __u64 *)word;
	/* What is remembered holds for one generation, so that nothing has to be cleared. */
	mark = id ^ generation * PF_MULTIPLIER;
	if (*known == mark)
		return 1;
	table = table_of(generation);
	if (!table)
		return 0;
	result = put(table, capture);
	if (result && result != -EEXIST) {
		pf_loss(noted_loss(capture, loss, how) + refusal(result, PF_STACKS_FULL));
		return 0;
	}
	*known = mark;
	if (result)
		return 1;
	stored = known_word(PF_KNOWN_STORED);
	if (stored)
		__sync_fetch_and_add(stored, 1);
	return 1;
}

/* The id of a stack that the kernel walked. Two lanes, so that the multiplications of neighbouring frames overlap. Each step is a bijection of the lane. */
static __always_inline __u64 identify(const struct pf_stack *stack, __u64 frames)
{
	__u64 even = (__u64)stack->tgid << 32 | frames;
	__u64 odd = PF_OTHER_MULTIPLIER;
	__u64 i;

#pragma clang loop unroll(disable)
	for (i = 0; i < PF_STACK_PIECE_FRAMES / 2 * 2; i += 2) {
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

__u64 pf_begin_unwinding(__u64 level);
__u64 pf_steps(__u64 level);

/* Frames that are taken in at once: the verifier follows each turn of a loop, but a function once for all calls. */
#define PF_FRAMES_AT_ONCE 16

/* Takes so many of the kernel's frames, from `first` on, into the walk's hash. */
pf_global(__u64, pf_take_in_frames, __u64 level, __u64 first, __u64 frames)
{
	struct pf_capture *capture = capture_of(level);
	__u64 most = pf_param(stack_depth);

	if (!capture)
		return 0;
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_FRAMES_AT_ONCE; i++) {
		__u64 frame = first + i;

		asm volatile("" : "+r"(frame));
		PF_UNLESS_BELOW(frame, frames, done);
		PF_UNLESS_BELOW(frame, most, done);
		take_in(&capture->walk, capture->stack.ips[frame]);
	}
done:
	return 0;
}

/* Begins a piece of a walk, behind so many frames. */
static __always_inline void begin_piece(struct pf_walk *walk, __u64 earlier)
{
	__u64 most = (walk->depth & ~PF_STACK_DEFAULT_DEPTH) - earlier, room = pf_param(stack_depth);

	walk->frames = 0;
	walk->earlier = earlier;
	walk->most = most < room ? most : room;
}

/* Stores what a walk has found, after its pieces before, under an id: that of the rest if one is left to user space. 0 if that cannot be. */
static __always_inline int store_walk(struct pf_capture *capture, const int renewed)
{
	struct pf_walk *walk = &capture->walk;
	__u64 frames = walk->earlier + walk->frames;

	capture->stack.nr = frames;
	capture->id = walk->left;
	if (!capture->id)
		capture->id = identify_walk(walk, walk->hash, frames, capture->stack.tgid);
	return renewed ? store_renewed(capture, 0, BY_TABLES) : store(capture, 0, BY_TABLES);
}

/*
 * Stores the frames that a walk has found as a piece, so that it has room for more: PF_WALK_ON. PF_WALK_FULL if no more are wanted,
 * PF_WALK_LOST if the table did not take them.
 */
static __always_inline __u64 next_piece(__u64 level, const int renewed)
{
	struct pf_capture *capture = capture_of(level);

	if (!capture)
		return PF_WALK_LOST;
	if (capture->walk.earlier + capture->walk.frames >= (capture->walk.depth & ~PF_STACK_DEFAULT_DEPTH))
		return PF_WALK_FULL;
	if (!store_walk(capture, renewed))
		return PF_WALK_LOST;
	capture->stack.before = capture->id;
	begin_piece(&capture->walk, capture->stack.nr);
	return PF_WALK_ON;
}

/* Functions, so that the verifier follows them once. */
pf_global(__u64, pf_next_piece, __u64 level)
{
	return next_piece(level, 0);
}

pf_global(__u64, pf_next_piece_renewed, __u64 level)
{
	return next_piece(level, 1);
}

/* The most pieces of a stack, and calls for the steps of one: where frames of Python are noted in part, a step more is taken. */
#define PF_PIECES (PF_MAX_STACK_FRAMES / PF_STACK_PIECE_FRAMES + 1)
#define PF_CALLS (PF_STACK_PIECE_FRAMES * 9 / 8 / PF_STEPS_AT_ONCE + 1)

/* The bytes of frames that a walk by tables finds, behind those that are stored as pieces. */
static __always_inline long walk_by_tables(void *ctx, struct pf_capture *capture, __u64 flags, __u64 size, __u64 loss,
					   const int renewed)
{
	struct pf_walk *walk = &capture->walk;
	/* Read back, so that the verifier does not follow each level by itself. */
	__u64 level = *(volatile __u64 *)&walk->level, end;

	walk->files = 0;
	walk->hash = 0;
	walk->depth = size / 8 | (flags & PF_STACK_DEFAULT_DEPTH);
	walk->loss = loss;
	walk->early = 0;
	walk->left = 0;
	begin_piece(walk, 0);
	end = pf_begin_unwinding(level);
	if (end == PF_WALK_WHOLE)
		return 0;
	/* Code of 32 bits has other tables. */
	if (end != PF_WALK_ON) {
		long bytes = bpf_get_stack(ctx, capture->stack.ips, pf_param(stack_depth) * 8, flags & 0xffffffff);

#pragma clang loop unroll(disable)
		for (__u64 i = 0; bytes > 0 && i < PF_STACK_PIECE_FRAMES; i += PF_FRAMES_AT_ONCE)
			pf_take_in_frames(level, i, bytes / 8);
		if (bytes > 0)
			walk->frames = bytes / 8;
		/* The kernel walks as far as there is room here, which may be less than is wanted. */
		if (walk->frames == pf_param(stack_depth) && (walk->depth & ~PF_STACK_DEFAULT_DEPTH) > pf_param(stack_depth))
			pf_loss(noted_loss(capture, loss, BY_TABLES) + PF_STACK_CUT);
		return bytes;
	}
#pragma clang loop unroll(disable)
	for (__u64 piece = 0; piece < PF_PIECES; piece++) {
#pragma clang loop unroll(disable)
		for (__u64 i = 0; i < PF_CALLS; i++) {
			end = pf_steps(level);
			if (end != PF_WALK_ON)
				break;
		}
		if (end != PF_WALK_FULL)
			break;
		end = renewed ? pf_next_piece_renewed(level) : pf_next_piece(level);
		if (end != PF_WALK_ON)
			break;
	}
	if (walk->early)
		pf_loss(noted_loss(capture, loss, BY_TABLES) + PF_STACK_EARLY);
	/*
	 * A process that is about to execute another program has the registers of the one before, and is nowhere in the new one.
	 * A walk that is still on after so many steps goes in circles.
	 */
	else if ((end == PF_WALK_CUT || end == PF_WALK_ON) && walk->earlier + walk->frames)
		pf_loss(noted_loss(capture, loss, BY_TABLES) + PF_STACK_CUT);
	if (end == PF_WALK_FULL && walk->depth & PF_STACK_DEFAULT_DEPTH)
		pf_loss(noted_loss(capture, loss, BY_TABLES) + PF_STACK_TRUNCATED);
	return end == PF_WALK_LOST ? 0 : walk->frames * 8;
}

/* Stores what the kernel walked: so many frames, of which there is room for `most`. */
static __always_inline void store_walked(struct pf_capture *capture, __u64 frames, __u64 most, __u64 loss, const int renewed)
{
	capture->stack.nr = frames;
	/*
	 * Just before the access: 5.10 forgets the bounds of what it spills, though not constants. And of a number that the
	 * compiler does not know to be `stack->nr`, which it would read back without any bounds.
	 */
	asm volatile("" : "+r"(frames));
	if (frames > most)
		frames = most;
	capture->id = identify(&capture->stack, frames);
	if (renewed)
		store_renewed(capture, loss, BY_KERNEL);
	else
		store(capture, loss, BY_KERNEL);
}

/* The id of the current stack, stored if it is new; 0 if there is none or it could not be walked. */
static __always_inline __u64 stored(void *ctx, __u64 flags, __u64 size, __u64 loss, struct pf_scratch *scratch,
				    const int how, const int renewed)
{
	struct pf_capture *capture = (struct pf_capture *)scratch->memory;
	struct pf_stack *stack = &capture->stack;
	long result;

	stack->tgid = flags & PF_STACK_USER ? bpf_get_current_pid_tgid() >> 32 : 0;
	stack->before = 0;
	if (how == BY_KERNEL) {
		result = walk(ctx, capture, flags, size);
	} else {
		stack->tgid |= PF_STACK_MARKED;
		result = walk_by_tables(ctx, capture, flags, size, loss, renewed);
	}
	if (pf_unlikely(result < 8)) {
		/* None is an answer: a kernel thread has no user stack, and code of a process no kernel stack. */
		if (result < 0)
			pf_loss(noted_loss(capture, loss, how) + PF_STACK_FAILED);
		/* Or all frames that are stored are in pieces. */
		return stack->before;
	}
	if (how == BY_KERNEL) {
		if (pf_unlikely((__u64)result == size && flags & PF_STACK_DEFAULT_DEPTH))
			pf_loss(loss + (is_deep(stack, flags, size) ? PF_STACK_TRUNCATED : PF_STACK_ASTRAY));
		store_walked(capture, (__u64)result / 8, size / 8, loss, renewed);
	} else {
		store_walk(capture, renewed);
	}
	return capture->id;
}

/* The same, in scratch memory claimed as programs must that can be preempted, or may that cannot. */
static __always_inline __u64 captured(void *ctx, __u64 flags, __u64 size, __u64 loss, const int how,
				      const int preemptible, const int renewed)
{
	struct pf_scratch *scratch;
	__u64 id, level;

	scratch = preemptible ? pf_claim_counted(&pf_map_captures, &level) : pf_claim(&pf_map_captures, &level);
	if (pf_unlikely(!scratch)) {
		pf_loss(loss + PF_SCRATCH_BUSY);
		return 0;
	}
	if (how != BY_KERNEL)
		((struct pf_capture *)scratch->memory)->walk.level = level;
	id = stored(ctx, flags, size, loss, scratch, how, renewed);
	if (preemptible)
		pf_release_counted(scratch);
	else
		pf_release(scratch);
	return id;
}

/* A routine for each way to walk and to store. */
#define PF_STACK_ROUTINE(name, how, preemptible, renewed)                             \
	pf_template(__u64, name, void *ctx, __u64 flags, __u64 size, __u64 loss)      \
	{                                                                             \
		return captured(ctx, flags, size, loss, how, preemptible, renewed);   \
	}

#define PF_STACK_ROUTINES(name, how)                              \
	PF_STACK_ROUTINE(name, how, 0, 0)                         \
	PF_STACK_ROUTINE(name##_preemptible, how, 1, 0)           \
	PF_STACK_ROUTINE(name##_renewed, how, 0, 1)               \
	PF_STACK_ROUTINE(name##_renewed_preemptible, how, 1, 1)

PF_STACK_ROUTINES(pf_stack, BY_KERNEL)
PF_STACK_ROUTINES(pf_stack_by_tables, BY_TABLES)

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
