/*
 * Stacks that are left to user space: a walk came to code whose table is not there yet.
 *
 * User space gets the registers of that frame and a copy of the stack above it, and walks on when it has the table. Until then
 * the stack has an id of its own, by all that the rest depends on. What has the same id is copied once, and counted.
 */
#include "template.h"
#include "capture.h"

#define PAGE 4096
#define PAGES (PF_REST_BYTES / PAGE)

/* The stack of a process's first thread is as far from what else there is (MIN_GAP, mm/util.c and arch/x86/mm/mmap.c). */
#define FIRST_STACK (128 << 20)

/* What is put together at a level. */
static __always_inline struct pf_rest *rest_of(__u64 level)
{
	__u32 key = level;

	return bpf_map_lookup_elem(&pf_map_rest, &key);
}

/* Finds where the stack ends that a walk came to: before pf_leave_rest, which would have less of our own stack for this. */
pf_global(__u64, pf_find_stack_end, __u64 level)
{
	struct pf_capture *capture = capture_of(level);
	struct pf_rest *rest;
	__u64 first, vma;

	if (!capture)
		return 0;
	rest = rest_of(level);
	if (!rest)
		return 0;
	rest->sp = capture->walk.sp;
	first = pf_load(bpf_get_current_task() + pf_param(offset.task_struct.mm));
	first = pf_load(first + pf_param(offset.mm_struct.start_stack));
	/* Behind the first thread's frames are its arguments. And what it has just begun to use is not mapped yet. */
	if (first - rest->sp < FIRST_STACK) {
		rest->end = first;
		return 0;
	}
	vma = vma_of(rest->sp);
	rest->end = vma ? pf_load(vma + pf_param(offset.vm_area_struct.vm_end)) : 0;
	return 0;
}

/* Copies the stack, page by page, since each may not be there. */
static __always_inline void copy_stack(struct pf_rest *rest)
{
	rest->length = 0;
	rest->pages = 0;
#pragma unroll
	for (__u32 page = 0; page < PAGES; page++) {
		/* Computed anew in each turn: 5.10 forgets the bounds of what it spills. */
		__u32 skip = *(volatile __u64 *)&rest->sp & (PAGE - 1);
		__u32 begin = page ? page * PAGE - skip : 0, size = page ? PAGE : PAGE - skip;
		__u64 from = *(volatile __u64 *)&rest->sp + begin, end = *(volatile __u64 *)&rest->end;

		if (from >= end)
			break;
		rest->length = begin + (end - from < size ? end - from : size);
		rest->pages |= !bpf_probe_read_user(rest->stack + begin, size, (const void *)from) << page;
	}
}

/* A word of the stack, if it may be an address of the process, without its signature, else 0: other words decide nothing. */
static __always_inline __u64 as_address(__u64 word, __u64 address_bits)
{
	/* Nothing is mapped below (vm.mmap_min_addr), nor above. */
	__u64 begin = 1 << 16, beyond = 1ULL << (pf_param(is_arm64) ? 48 : 47), rest;

	word &= address_bits;
	rest = word - begin;
	return word & -((~rest & (rest - (beyond - begin))) >> 63);
}

/* Words of a copy that are taken in at once: the verifier follows each turn of a loop, but a function once for all calls. */
#define WORDS_AT_ONCE 64

/* Takes words of the copy, from `first` on, into a hash. */
pf_global(__u64, pf_hash_words, __u64 level, __u64 first, __u64 hash)
{
	struct pf_rest *rest = rest_of(level);
	__u64 words, bits;

	if (!rest || first > PF_REST_BYTES / 8 - WORDS_AT_ONCE)
		return 0;
	words = rest->length / 8;
	bits = rest->address_bits;
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < WORDS_AT_ONCE; i++) {
		PF_UNLESS_BELOW(first + i, words, done);
		hash = fold((hash ^ as_address(((const __u64 *)rest->stack)[first + i], bits)) * PF_MULTIPLIER);
	}
done:
	return hash;
}

/* Takes the registers into a hash. */
pf_global(__u64, pf_hash_registers, __u64 level, __u64 hash)
{
	struct pf_rest *rest = rest_of(level);

	if (!rest)
		return 0;
	hash = fold((hash ^ rest->ip) * PF_MULTIPLIER);
	hash = fold((hash ^ rest->sp) * PF_MULTIPLIER);
	hash = fold((hash ^ as_address(rest->fp, rest->address_bits)) * PF_MULTIPLIER);
	if (!pf_param(is_arm64))
		hash = fold((hash ^ as_address(rest->bx, rest->address_bits)) * PF_MULTIPLIER);
	else if (rest->exact)
		hash = fold((hash ^ as_address(rest->lr, rest->address_bits)) * PF_MULTIPLIER);
	return hash;
}

/* What tells a stack from others whose rest is left, of that frame on which was noted last. A function, so that the verifier follows it once. */
pf_global(__u64, pf_identify_rest, __u64 level)
{
	struct pf_capture *capture = capture_of(level);
	struct pf_rest *rest = rest_of(level);
	__u64 words, hash;

	if (!capture || !rest)
		return 1;
	hash = identify_walk(&capture->walk, capture->walk.hash_before, rest->frames, rest->tgid);
	words = rest->length / 8;
	hash = pf_hash_registers(level, hash);
	hash = fold((hash ^ rest->depth ^ (__u64)rest->pages << 48) * PF_MULTIPLIER);
	hash = fold((hash ^ rest->counted.loss) * PF_MULTIPLIER);
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_REST_BYTES / 8; i += WORDS_AT_ONCE) {
		PF_UNLESS_BELOW(i, words, done);
		hash = pf_hash_words(level, i, hash);
	}
done:
	return hash ? hash : 1;
}

/* Sends the copy, unless there was one of the same. 0 if there is none. */
static __always_inline int send(struct pf_rest *rest)
{
	struct pf_rest_count *counted = bpf_map_lookup_elem(&pf_map_rest_counts, &rest->id);
	__u64 length = rest->length;

	if (!counted) {
		rest->counted.count = 0;
		/* Another CPU may have come first. */
		bpf_map_update_elem(&pf_map_rest_counts, &rest->id, &rest->counted, BPF_NOEXIST);
		counted = bpf_map_lookup_elem(&pf_map_rest_counts, &rest->id);
		if (!counted)
			return 0;
		asm volatile("" : "+r"(length));
		if (length > PF_REST_BYTES)
			return 0;
		if (bpf_ringbuf_output(&pf_map_rests, rest, sizeof(*rest) + length, 0))
			*(volatile __u64 *)&counted->lost = 1;
	}
	if (*(volatile __u64 *)&counted->lost)
		return 0;
	__sync_fetch_and_add(&counted->count, 1);
	return 1;
}

/*
 * Leaves the rest of a walk to user space, from the frame that was noted last: PF_WALK_LEFT. Its stack pointer and the stack's end are
 * there already. If that cannot be, the walk goes on with that frame, by frame pointers: PF_WALK_ON.
 */
pf_global(__u64, pf_leave_rest, __u64 level)
{
	struct pf_capture *capture = capture_of(level);
	struct pf_rest *rest;
	__u64 frames;

	if (!capture)
		return PF_WALK_CUT;
	rest = rest_of(level);
	if (!rest)
		return PF_WALK_CUT;
	rest->ip = capture->walk.ip;
	rest->fp = capture->walk.fp;
	rest->lr = capture->walk.lr;
	rest->address_bits = capture->walk.address_bits;
	rest->bx = capture->walk.bx;
	if (capture->walk.bx_at)
		bpf_probe_read_user(&rest->bx, 8, (const void *)capture->walk.bx_at);
	rest->exact = capture->walk.exact;
	rest->depth = capture->walk.depth;
	rest->counted.loss = capture->walk.loss;
	rest->counted.lost = 0;
	rest->time = bpf_ktime_get_ns();
	rest->tgid = bpf_get_current_pid_tgid() >> 32;
	copy_stack(rest);
	frames = capture->walk.frames - 1;
	capture->walk.frames = frames;
	rest->frames = capture->walk.earlier + frames + 1;
	rest->id = pf_identify_rest(level);
	if (!send(rest)) {
		/* The frame is noted again. */
		capture->walk.hash = capture->walk.hash_before;
		capture->walk.early = 1;
		return PF_WALK_ON;
	}
	frames = capture->walk.frames;
	asm volatile("" : "+r"(frames));
	PF_UNLESS_BELOW(frames, pf_param(stack_depth), out);
	capture->stack.ips[frames] |= PF_STACK_UNFINISHED;
	capture->walk.frames = frames + 1;
	capture->walk.left = rest->id;
	return PF_WALK_LEFT;
out:
	return PF_WALK_CUT;
}
