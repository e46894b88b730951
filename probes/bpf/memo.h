/* What a CPU remembers of the code that it walked stacks in, so that the same frames need not be looked up again. */
#ifndef PFSCRIPT_MEMO_H
#define PFSCRIPT_MEMO_H

#include "template.h"
#include "capture.h"

/* The program's own code, as a flag of a mapping: VM_EXEC (include/linux/mm.h). */
#define PF_EXECUTABLE 4

#define PF_CHUNK_MASK ((1ULL << PF_UNWIND_CHUNK_BITS) - 1)

/* Takes the file that is mapped, and where, into what stands for the files of all frames. */
static __always_inline void take_in_file(struct pf_walk *walk)
{
	walk->files = fold((walk->files ^ walk->inode ^ walk->base) * PF_MULTIPLIER);
}

/* The address of the instruction that a frame is at: of a caller, that of its call. */
static __always_inline __u64 instruction_of(const struct pf_walk *walk)
{
	return walk->ip - !walk->exact;
}

/* The address of the frame that is next, in these mappings. Each step is a bijection: of one process's addresses, no two have the same. */
static __always_inline __u64 memo_key(const struct pf_walk *walk)
{
	return fold((instruction_of(walk) ^ walk->space) * PF_MULTIPLIER);
}

/* Where it is remembered. */
static __always_inline struct pf_memo *memo_of(struct pf_capture *capture, __u64 key)
{
	return &capture->memo[key & (PF_MEMO_PLACES - 1)];
}

/*
 * Makes `walk` speak of the mapping and the row of the next frame's address, if that is remembered. 0 if it is not, or if the first
 * frame of an interpreter of Python is to be entered, of which more must be known.
 */
static __always_inline int recall(struct pf_capture *capture)
{
	struct pf_walk *walk = &capture->walk;
	__u64 key = memo_key(walk);
	const struct pf_memo *memo = memo_of(capture, key);

	if (!walk->space || memo->key != key)
		return 0;
	if (memo->start != walk->start || !walk->end) {
		if (memo->is_python && walk->python == PF_PYTHON_NONE)
			return 0;
		walk->start = memo->start;
		walk->end = memo->end;
		walk->base = memo->base;
		walk->inode = memo->inode;
		walk->table = memo->table;
		walk->first_chunk = memo->first_chunk;
		walk->chunks = memo->chunks;
		walk->missing = 0;
		if (walk->inode)
			take_in_file(walk);
	}
	walk->row = memo->row;
	return 1;
}

#endif
