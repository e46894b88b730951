/* Written by probes/build from src/abi.rs. Do not edit. */
#ifndef PFSCRIPT_ABI_H
#define PFSCRIPT_ABI_H

#include <linux/types.h>

/* Causes of loss. */
enum pf_loss_cause {
	PF_MAP_FULL, /* A map had no room for another key. */
	PF_EVENTS_FULL, /* The event buffer had no room for another record. */
	PF_STACKS_FULL, /* The stack table had no room for another stack. */
	PF_STACK_FAILED, /* A stack could not be walked. */
	PF_STACK_TRUNCATED, /* A stack had more frames than were asked for by default. */
	PF_STRING_TRUNCATED, /* A string was longer than the room for it. */
	PF_KERNEL_READ_FAILED, /* Memory of the kernel could not be read; the value is zero. */
	PF_USER_READ_FAILED, /* Memory of a process could not be read, other than through a null pointer; the value is zero. */
	PF_SCRATCH_BUSY, /* Probes nested deeper than there is scratch memory for: the run was skipped. */
	PF_NO_MEMORY, /* The kernel could not allocate another key or stack. */
	PF_STACK_ASTRAY, /* The walk of a stack went astray, up to the depth that is asked for by default. This is no loss. */
	PF_LOOP_CUT, /* A loop was ended after as many turns as it may take. */
	PF_STACK_CUT, /* A user stack ends before the frame that was called by none. This is no loss. */
	PF_STACK_EARLY, /* The table to unwind a file's code by was not there yet, and the stack could not be left to user space, so that frame pointers were followed instead. This is no loss. */
};
#define PF_LOSS_CAUSES 14

/* How deep probes may nest on one CPU: task, softirq, hardirq, NMI. Elements of each map of scratch memory. */
#define PF_SCRATCH_LEVELS 4
/* The most frames of a stack that is walked by tables, and those that it has unless told otherwise. */
#define PF_MAX_STACK_FRAMES 2048
/* The most that the kernel walks (PERF_MAX_STACK_DEPTH), and the most in an element of the table of stacks: of a deeper stack each element is a piece. */
#define PF_STACK_PIECE_FRAMES 127
/* Stacks that are remembered to be stored; a power of two. */
#define PF_KNOWN_STACKS 512
/* Where stacks are given up, the element of the remembered ones that is the generation of the table in use. It only rises. */
#define PF_KNOWN_GENERATION 0
/* Likewise, how many stacks were stored in both tables so far. */
#define PF_KNOWN_STORED 1
/* Likewise, the first element that is a stack. */
#define PF_KNOWN_FIRST 2
/* The longest room for a string, a power of two; no routine looks further. */
#define PF_MAX_STRING_BYTES 16384
/* Strings of an array that join() prints. */
#define PF_JOINED_STRINGS 16
/* Flag of pf_stack: the stack of the process, not of the kernel (BPF_F_USER_STACK). */
#define PF_STACK_USER 256
/* Bit of a stack's process: the walk was by tables, so that its words may have the marks that follow. What the kernel walks by frame pointers may be any number. */
#define PF_STACK_MARKED 2147483648
/* Bit of the address of a user stack's frame that is not the first: a signal interrupted it, so it is of the instruction that runs next, and not where a call returns to. */
#define PF_STACK_INTERRUPTED 0x8000000000000000ULL
/* Bit of a word of a user stack: it is a frame of Python, and stands for no address. Below it are 43 bits that the function's code is known by in its process, then PYTHON_UNITS bits: the instruction, in units of 2 bytes from the first. */
#define PF_STACK_PYTHON 0x4000000000000000ULL
/* The bits of the instruction in such a word; all are 1 if it is not known. */
#define PF_PYTHON_UNITS 19
/* The most bytes of a function's name that are copied, as the interpreter has it: 1, 2 or 4 bytes a character. */
#define PF_PYTHON_NAME_BYTES 256
/* The most bytes of the path of its source file, likewise. */
#define PF_PYTHON_PATH_BYTES 512
/* The most bytes of its table of lines. Of the standard library's functions, one of 3,000 has more. */
#define PF_PYTHON_LINES_BYTES 8192
/* Bit of the address of a user stack's last frame: what comes behind it is left to user space. */
#define PF_STACK_UNFINISHED 0x2000000000000000ULL
/* Flag of pf_stack, above the kernel's 32 bits: nobody asked for this depth, so a deeper stack is a loss. */
#define PF_STACK_DEFAULT_DEPTH 0x100000000ULL
/* Flag of pf_read_str, in loss above the counter's 32 bits: the script chose the length, so a longer string is no loss. */
#define PF_STRING_LIMIT_CHOSEN 0x100000000ULL
/* Likewise: the string is in an array of that size, where it needs no NUL, and there is room for one behind it. */
#define PF_STRING_ARRAY 0x200000000ULL
/* Flag of pf_read and pf_read_str, likewise: what is read through a null pointer is counted, too. */
#define PF_NULL_COUNTS 0x400000000ULL
/* The most turns of a loop over numbers: BPF_MAX_LOOPS. */
#define PF_MAX_LOOP_TURNS 8388608
/* The most turns of all while loops of a run together, so that no condition that never fails holds a CPU for long. */
#define PF_MAX_WHILE_TURNS 1048576
/* Tables of how to unwind are cut into chunks of 2 to this power bytes of the file. A table is an array of words: for each chunk, and once more for the end, the element at which its rows begin; then the rows. A row holds from its offset in the chunk up to the next row, and the first row of a chunk is at its beginning. */
#define PF_UNWIND_CHUNK_BITS 12
/* Bits of a row: from this one up, 4 bits that say the rule. Below it is the offset in the chunk. */
#define PF_UNWIND_RULE 12
/* From this one up, 20 bits, signed: the number of the rule, in words (8 bytes) unless it says otherwise. */
#define PF_UNWIND_CFA 16
/* From this one up, 14 bits, signed: where the caller's frame pointer is, in words from the CFA and below it; 0: unchanged. */
#define PF_UNWIND_FP 36
/* From this one up, 14 bits, signed: where the return address is, in words from the CFA; 0: in the link register. */
#define PF_UNWIND_RA 50
/* Rule: nothing is known of this address. */
#define PF_UNWIND_UNKNOWN 0
/* Rule: this frame was called by none. */
#define PF_UNWIND_OUTERMOST 1
/* Rule: the CFA is the stack pointer and the number. */
#define PF_UNWIND_FROM_SP 2
/* Rule: the CFA is the frame pointer and the number. */
#define PF_UNWIND_FROM_FP 3
/* Rule: the CFA is the word at the stack pointer and the number, plus as many words as the bits for the return address say. That is one word below the CFA. */
#define PF_UNWIND_AT_SP 4
/* Rule: the same at the frame pointer and the number; there the caller's frame pointer is counted from the frame pointer, and 0 is no exception. */
#define PF_UNWIND_AT_FP 5
/* Rule: an entry of the procedure linkage table of x86-64. The CFA is the stack pointer plus 8, or 16 if the low 4 bits of the address are the number or more. */
#define PF_UNWIND_PLT 6
/* Rule: the return of a signal handler. The registers are in the signal's frame. */
#define PF_UNWIND_SIGNAL 7
/* Rule: the CFA is a register of x86-64 that calls do not keep, and the number. The return address is one word below. The bits for it say which register: where it is in the kernel's struct pt_regs, in words. Functions that touch the pages of a large frame one after the other, and those that align their stack, have their frame there for a moment. The bits for the frame pointer, if more than 0, count from the frame pointer, and from 1. */
#define PF_UNWIND_FROM_SCRATCH 9
/* Rule: as that from the frame pointer, which is of another stack than the stack pointer. */
#define PF_UNWIND_MOVED 14
/* Rule: Go's code that runs on a thread's own stack. The CFA is the stack pointer that the thread's goroutine left off with, plus as many words as the bits for the return address say. That is one word below the CFA. The bits for the frame pointer say how many words from the thread's base the running goroutine is named, and the number where its thread's one is in what Go knows of a thread, in words. */
#define PF_UNWIND_GOROUTINE 15
/* The chunks of a table that is not there yet. */
#define PF_UNWIND_PENDING 4294967295
/* Bit of a rule: the return address is one word below the CFA, and the bits for it say where the caller's rbx is, in words from the CFA; 0: unchanged. The dynamic linker's code that finds a function when it is first called keeps its frame in rbx. */
#define PF_UNWIND_SAVES_BX 8
/* Rule, with that bit: the CFA is rbx and the number. */
#define PF_UNWIND_FROM_BX 8
/* What became of a step of a walk: there is another frame. */
#define PF_WALK_ON 0
/* The frame was called by none. */
#define PF_WALK_WHOLE 1
/* The caller cannot be found. */
#define PF_WALK_CUT 2
/* How far the search for Python's frames in a walk is: no interpreter was passed yet. */
#define PF_PYTHON_NONE 0
/* The mapping that was entered last is of an interpreter. */
#define PF_PYTHON_SEEN 1
/* The thread's frames were looked for. */
#define PF_PYTHON_BEGUN 2
/* The table of the last frame's code is not there yet. */
#define PF_WALK_EARLY 3
/* What comes behind the last frame is left to user space. */
#define PF_WALK_LEFT 4
/* There are as many frames as are wanted, or as go into a piece. */
#define PF_WALK_FULL 5
/* The table of stacks did not take a piece. */
#define PF_WALK_LOST 6
/* The frame's code is to be looked up. */
#define PF_WALK_UNKNOWN 7
/* Addresses of code that are remembered, in as many places: a power of two. */
#define PF_MEMO_PLACES 256
/* Bytes of the stack that user space gets to walk on in: as many pages as each CPU can have memory for. */
#define PF_REST_BYTES 28672
/* Bit of pf_minmax's mode: keep the greatest value, not the least. */
#define PF_MINMAX_MAX 1
/* Bit of pf_minmax's mode: the values are signed. */
#define PF_MINMAX_SIGNED 2

/* What every record in the event buffer begins with; the fields of its kind follow. */
struct pf_record {
	__u32 kind; /* index into the manifest's kinds of records */
	__u32 probe; /* index of the probe */
};
_Static_assert(__builtin_offsetof(struct pf_record, kind) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_record, probe) == 4, "as in src/abi.rs");

/* A level of scratch memory. */
struct pf_scratch {
	__u64 busy; /* not 0 while a program has it */
	__u8 memory[]; /* what it is for */
};
_Static_assert(__builtin_offsetof(struct pf_scratch, busy) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_scratch, memory) == 8, "as in src/abi.rs");

/* A stack in the table of stacks. */
struct pf_stack {
	__u32 tgid; /* 0 for a kernel stack */
	__u32 nr; /* frames, those of the pieces before among them */
	__u64 first_ns; /* CLOCK_MONOTONIC at the first capture */
	__u64 before; /* the id of the piece that has the frames before these; 0: none */
	__u64 ips[]; /* the frames' addresses, innermost first */
};
_Static_assert(__builtin_offsetof(struct pf_stack, tgid) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_stack, nr) == 4, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_stack, first_ns) == 8, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_stack, before) == 16, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_stack, ips) == 24, "as in src/abi.rs");

/* What must be known of an interpreter of Python to find its frames. Numbers without a unit are places in structures, in bytes. */
struct pf_python {
	__u64 interpreters; /* where the address of the first interpreter is: an offset in the file, as its code is mapped */
	__u64 code_type; /* where the type of code objects is, likewise */
	__u32 next_interpreter; /* of an interpreter */
	__u32 first_thread; /* of an interpreter */
	__u32 next_thread; /* of a thread */
	__u32 thread_id; /* of a thread: its pthread_t */
	__u32 thread_frame; /* of a thread: the innermost frame, or the innermost anchor if there is a chain of these */
	__u32 has_anchors; /* 1 if there is a chain of anchors */
	__u32 anchor_frame; /* of an anchor: the innermost frame */
	__u32 anchor_previous; /* of an anchor: the one before */
	__u32 code; /* of a frame: its code object */
	__u32 previous; /* of a frame: the one before */
	__u32 instruction; /* of a frame: the address of its instruction */
	__u32 mark; /* of a frame: the byte that marks the last one of a C function */
	__u32 marked; /* the value of that byte then */
	__u32 marks_own; /* 1 if a marked frame is a function's, 0 if it stands between */
	__u32 texts; /* of a code object: its file, name, qualified name and table of lines, a word each */
	__u32 first_line; /* of a code object */
	__u32 bytecode; /* of a code object */
	__u32 ascii; /* of a string: its characters, if these are ASCII */
	__u32 wide; /* of a string: its characters, if not */
	__u32 reserved; /* 0 */
};
_Static_assert(__builtin_offsetof(struct pf_python, interpreters) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, code_type) == 8, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, next_interpreter) == 16, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, first_thread) == 20, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, next_thread) == 24, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, thread_id) == 28, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, thread_frame) == 32, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, has_anchors) == 36, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, anchor_frame) == 40, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, anchor_previous) == 44, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, code) == 48, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, previous) == 52, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, instruction) == 56, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, mark) == 60, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, marked) == 64, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, marks_own) == 68, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, texts) == 72, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, first_line) == 76, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, bytecode) == 80, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, ascii) == 84, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, wide) == 88, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python, reserved) == 92, "as in src/abi.rs");

/* By what a code object of Python is known. */
struct pf_python_key {
	__u64 id; /* 43 bits, of its address and those of its texts */
	__u32 tgid; /* the process */
	__u32 reserved; /* 0 */
};
_Static_assert(__builtin_offsetof(struct pf_python_key, id) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python_key, tgid) == 8, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python_key, reserved) == 12, "as in src/abi.rs");

/* What programs say of a code object of Python when they first see it, in a ring buffer. */
struct pf_python_code {
	struct pf_python_key key; /* the code object */
	__u32 first_line; /* of the source */
	__u32 name_bytes; /* of the qualified name */
	__u32 name_state; /* bits 2 to 4: bytes of a character */
	__u32 path_bytes; /* of the source file's path */
	__u32 path_state; /* likewise */
	__u32 lines_bytes; /* of the table of lines */
	__u8 texts[]; /* the name, the path and the table, one behind the other */
};
_Static_assert(__builtin_offsetof(struct pf_python_code, key) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python_code, first_line) == 16, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python_code, name_bytes) == 20, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python_code, name_state) == 24, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python_code, path_bytes) == 28, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python_code, path_state) == 32, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python_code, lines_bytes) == 36, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_python_code, texts) == 40, "as in src/abi.rs");

/* The file that code is of; all 0 for the vdso. */
struct pf_unwind_file {
	__u64 inode; /* its number */
	__u32 device; /* the file system's, as the kernel has it */
	__u32 reserved; /* 0 */
};
_Static_assert(__builtin_offsetof(struct pf_unwind_file, inode) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_unwind_file, device) == 8, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_unwind_file, reserved) == 12, "as in src/abi.rs");

/* Where the table of a file is. */
struct pf_unwind_table {
	__u32 slot; /* the element of the tables */
	__u32 first_chunk; /* the chunk of the file that it begins with */
	__u32 chunks; /* how many it has; 0: frames are linked by the frame pointer; PF_UNWIND_PENDING: it is not there yet */
	__u32 is_python; /* 1 if the file is an interpreter of Python */
	struct pf_python python; /* what must be known of it then */
};
_Static_assert(__builtin_offsetof(struct pf_unwind_table, slot) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_unwind_table, first_chunk) == 4, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_unwind_table, chunks) == 8, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_unwind_table, is_python) == 12, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_unwind_table, python) == 16, "as in src/abi.rs");

/* What programs say of a file whose table they missed, in a ring buffer. */
struct pf_unwind_wanted {
	struct pf_unwind_file file; /* the file */
	__u64 address; /* an address of its code */
	__u32 tgid; /* the process */
	__u32 reserved; /* 0 */
};
_Static_assert(__builtin_offsetof(struct pf_unwind_wanted, file) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_unwind_wanted, address) == 16, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_unwind_wanted, tgid) == 24, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_unwind_wanted, reserved) == 28, "as in src/abi.rs");

/* A walk by tables: the registers of the frame that is next, and the mapping that was looked up last. */
struct pf_walk {
	__u64 level; /* of the scratch memory that this is in */
	__u64 depth; /* how many frames are wanted, with PF_STACK_DEFAULT_DEPTH if nobody asked for so many */
	__u64 loss; /* the probe's first counter of losses */
	__u64 frames; /* that were found, in this piece */
	__u64 most; /* that this piece is to have */
	__u64 earlier; /* those of the pieces before, which are stored */
	__u64 hash; /* of all these frames */
	__u64 hash_before; /* what that was before the frame that was noted last */
	__u64 ip; /* the address of the code */
	__u64 sp; /* the stack pointer */
	__u64 stack; /* what that was in the frame before */
	__u64 fp; /* the frame pointer */
	__u64 lr; /* the link register, on arm64 */
	__u64 address_bits; /* of an address; others sign it */
	__u64 bx; /* rbx of the first frame, on x86-64 */
	__u64 bx_at; /* where on the stack rbx of the frame is; 0: it is that of the first frame */
	__u64 exact; /* 1 if the address is of an instruction that runs next, 0 if it is where a call returns to */
	__u64 space; /* stands for the mappings of the process, as they are; 0: nothing does */
	__u64 is_known; /* 1 if the mapping and the row of the frame are looked up */
	__u64 row; /* of the frame */
	__u64 inode; /* of the file that is mapped; 0: none */
	__u64 start; /* of the mapping */
	__u64 early; /* 1 if a table was not there yet, and the rest could not be left to user space */
	__u64 end; /* of the mapping; 0 if there is none */
	__u64 base; /* what makes an address an offset in the file */
	__u64 files; /* stands for the files of all frames and for where they are mapped: other code may be at the same addresses later */
	__u32 table; /* the element of the tables */
	__u32 first_chunk; /* the chunk that the table begins with */
	__u32 chunks; /* of the table; 0: frames are linked by the frame pointer */
	__u32 python; /* how far the search for Python's frames is: PF_PYTHON_… */
	__u32 is_python; /* 1 if the file that is mapped is an interpreter of Python */
	__u32 missing; /* 1 if its table is not there yet */
	struct pf_unwind_wanted wanted; /* what is mapped, and what is said if its table is missed */
	struct pf_unwind_table pending; /* what stands for a table that is not there yet */
	__u64 low; /* the word below the next */
	__u64 high; /* that was read last */
	struct pf_python interpreter; /* that Python's frames are of, where it was found */
	__u64 python_frame; /* Python's frame that is next */
	__u64 python_anchor; /* where on the C stack the function is marked that runs it; 0: nowhere */
	struct pf_python_key python_key; /* the code object of the frame before */
	__u64 python_code; /* its address */
	__u64 python_goes_on; /* 1 if more frames of Python belong to the C function that was noted last */
	__u64 left; /* the id of a stack whose rest is left to user space, else 0 */
};
_Static_assert(__builtin_offsetof(struct pf_walk, level) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, depth) == 8, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, loss) == 16, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, frames) == 24, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, most) == 32, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, earlier) == 40, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, hash) == 48, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, hash_before) == 56, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, ip) == 64, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, sp) == 72, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, stack) == 80, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, fp) == 88, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, lr) == 96, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, address_bits) == 104, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, bx) == 112, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, bx_at) == 120, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, exact) == 128, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, space) == 136, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, is_known) == 144, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, row) == 152, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, inode) == 160, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, start) == 168, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, early) == 176, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, end) == 184, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, base) == 192, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, files) == 200, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, table) == 208, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, first_chunk) == 212, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, chunks) == 216, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, python) == 220, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, is_python) == 224, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, missing) == 228, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, wanted) == 232, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, pending) == 264, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, low) == 376, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, high) == 384, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, interpreter) == 392, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, python_frame) == 488, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, python_anchor) == 496, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, python_key) == 504, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, python_code) == 520, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, python_goes_on) == 528, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_walk, left) == 536, "as in src/abi.rs");

/* What was found out about an address: the mapping that it lies in, the table of the file that is mapped there, and the row. */
struct pf_memo {
	__u64 key; /* stands for the address and the mappings of the process; 0: nothing is remembered */
	__u64 row; /* as in the table; 0: there is none */
	__u64 start; /* as in struct pf_walk */
	__u64 end; /* likewise */
	__u64 base; /* likewise */
	__u64 inode; /* the file's; 0: it is of none */
	__u32 table; /* as in struct pf_walk */
	__u32 first_chunk; /* likewise */
	__u32 chunks; /* likewise */
	__u32 is_python; /* 1 if the file is an interpreter of Python */
};
_Static_assert(__builtin_offsetof(struct pf_memo, key) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_memo, row) == 8, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_memo, start) == 16, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_memo, end) == 24, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_memo, base) == 32, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_memo, inode) == 40, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_memo, table) == 48, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_memo, first_chunk) == 52, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_memo, chunks) == 56, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_memo, is_python) == 60, "as in src/abi.rs");

/* How often a stack was left to user space. */
struct pf_rest_count {
	__u64 count; /* how often */
	__u64 loss; /* the first of the probe's counters */
	__u64 lost; /* 1 if the copy did not arrive */
};
_Static_assert(__builtin_offsetof(struct pf_rest_count, count) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest_count, loss) == 8, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest_count, lost) == 16, "as in src/abi.rs");

/* What user space needs to walk on where a walk in the kernel found no table. */
struct pf_rest {
	__u64 id; /* of the stack */
	__u64 time; /* CLOCK_MONOTONIC */
	__u64 ip; /* as in struct pf_walk */
	__u64 sp; /* likewise; the copy begins there */
	__u64 end; /* where the stack ends; 0: nowhere */
	__u64 fp; /* likewise */
	__u64 lr; /* likewise */
	__u64 address_bits; /* likewise */
	__u64 bx; /* rbx of the frame, on x86-64 */
	__u64 exact; /* as in struct pf_walk */
	__u64 depth; /* frames that are wanted, with PF_STACK_DEFAULT_DEPTH */
	__u32 tgid; /* the process */
	__u32 pages; /* a bit for each page that could be read, from that of the stack pointer on */
	__u32 length; /* bytes of the copy */
	__u32 frames; /* frames that were found, that of the registers among them */
	struct pf_rest_count counted; /* what its counter begins as */
	__u8 stack[]; /* the copy */
};
_Static_assert(__builtin_offsetof(struct pf_rest, id) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest, time) == 8, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest, ip) == 16, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest, sp) == 24, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest, end) == 32, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest, fp) == 40, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest, lr) == 48, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest, address_bits) == 56, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest, bx) == 64, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest, exact) == 72, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest, depth) == 80, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest, tgid) == 88, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest, pages) == 92, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest, length) == 96, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest, frames) == 100, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest, counted) == 104, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_rest, stack) == 128, "as in src/abi.rs");

/* What a CPU captures stacks into, in a level of scratch memory. */
struct pf_capture {
	__u64 wanted; /* bytes of frames that are likely to hold the next stack */
	__u64 id; /* of the stack */
	struct pf_walk walk; /* the walk, where it is by tables */
	struct pf_memo memo[256]; /* what this CPU remembers of code, each address in a place of its own choice */
	struct pf_stack stack; /* the stack */
};
_Static_assert(__builtin_offsetof(struct pf_capture, wanted) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_capture, id) == 8, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_capture, walk) == 16, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_capture, memo) == 560, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_capture, stack) == 16944, "as in src/abi.rs");

/* The value of avg and stats. */
struct pf_average {
	__u64 count; /* how many values */
	__u64 total; /* their sum, modulo 2^64 */
};
_Static_assert(__builtin_offsetof(struct pf_average, count) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_average, total) == 8, "as in src/abi.rs");

/* The value of min and max. */
struct pf_extreme {
	__u64 rank; /* of the least or the greatest value: the greater rank counts */
	__u64 set; /* 0 if there was no value yet */
};
_Static_assert(__builtin_offsetof(struct pf_extreme, rank) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_extreme, set) == 8, "as in src/abi.rs");

/* One interval of a time series. */
struct pf_interval {
	__u64 number; /* the intervals from 1970 to the end of this one; 0 if none began here yet */
	__u64 value; /* the last value, the total, or the rank as in struct pf_extreme */
	__u64 weight; /* how many values, or one more than when the last one came; 0 if none came yet */
};
_Static_assert(__builtin_offsetof(struct pf_interval, number) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_interval, value) == 8, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_interval, weight) == 16, "as in src/abi.rs");

/* The value of tseries; the intervals (struct pf_interval) follow, and are used in turn. */
struct pf_series {
	__u64 claims; /* how many programs want to begin an interval: the one that makes it 1 does so */
	__u8 intervals[]; /* the intervals */
};
_Static_assert(__builtin_offsetof(struct pf_series, claims) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_series, intervals) == 8, "as in src/abi.rs");

/* What a program puts into a time series. */
struct pf_sample {
	__u64 value; /* the value */
	__u64 time; /* the clock, in nanoseconds since 1970 */
	__u64 number; /* of the interval, as in struct pf_interval */
	__u64 mode; /* PF_MINMAX_MAX, PF_MINMAX_SIGNED */
};
_Static_assert(__builtin_offsetof(struct pf_sample, value) == 0, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_sample, time) == 8, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_sample, number) == 16, "as in src/abi.rs");
_Static_assert(__builtin_offsetof(struct pf_sample, mode) == 24, "as in src/abi.rs");

extern char pf_map_loss; /* PERCPU_ARRAY: __u64, by probe * PF_LOSS_CAUSES + cause */
extern char pf_map_stacks; /* HASH: __u64 id -> struct pf_stack */
extern char pf_map_stack_tables; /* ARRAY_OF_MAPS of two such, by the last bit of the generation */
extern char pf_map_captures; /* PERCPU_ARRAY of PF_SCRATCH_LEVELS: struct pf_scratch with a struct pf_capture */
extern char pf_map_known; /* ARRAY of PF_KNOWN_STACKS: __u64 id, of a stack that is stored; see PF_KNOWN_FIRST */
extern char pf_map_unwind_files; /* HASH: struct pf_unwind_file -> struct pf_unwind_table */
extern char pf_map_unwind_tables; /* ARRAY_OF_MAPS: ARRAY of __u64; see PF_UNWIND_CHUNK_BITS */
extern char pf_map_unwind_wanted; /* RINGBUF of struct pf_unwind_wanted */
extern char pf_map_rests; /* RINGBUF of struct pf_rest */
extern char pf_map_rest_counts; /* HASH: __u64 id -> struct pf_rest_count */
extern char pf_map_rest; /* PERCPU_ARRAY of PF_SCRATCH_LEVELS: struct pf_rest with PF_REST_BYTES of the stack */
extern char pf_map_python_known; /* HASH: struct pf_python_key -> __u64, not 0 */
extern char pf_map_python_codes; /* RINGBUF of struct pf_python_code */
extern char pf_map_python_scratch; /* PERCPU_ARRAY of PF_SCRATCH_LEVELS: struct pf_python_code with its texts */
extern char pf_map_events; /* RINGBUF of records, each begins with struct pf_record */
extern char pf_map_scratch; /* PERCPU_ARRAY of PF_SCRATCH_LEVELS: struct pf_scratch with a frame */
extern char pf_map_zeros; /* ARRAY of one element as big as the biggest histogram, never written */

#endif
