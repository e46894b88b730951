/*
 * Frames of Python in user stacks: CPython 3.11 to 3.13.
 *
 * The interpreter keeps a chain of frames of its own for each thread. A C function of its (_PyEval_EvalFrameDefault) runs several of
 * them, and says so by an anchor on the C stack. While a stack is walked, the frame of the C function that the next anchor lies
 * in is replaced by the frames of Python that it runs. So no name of a C function must be known, and calls in between (sorted() with a
 * key, a class's __init__) come out in order.
 *
 * A frame of Python is a word that says which code object it is of and which instruction runs. What that object is called is copied
 * when it is first seen, since the process may be gone a moment later.
 *
 * All of this is memory of the process, which may say what it likes: reads may fail, chains are followed for so long, and
 * wrong names are the worst that comes of it.
 */
#include "template.h"
#include "capture.h"
#include "hash.h"

/*
 * Threads to look at for the one that runs, and frames for the next that is marked; and how many of either in one call: the verifier
 * follows each turn of a loop, but a function once for all calls.
 */
#define PF_PYTHON_THREADS 256
#define PF_PYTHON_RUN 1024
#define PF_PYTHON_FEW 32

/* A word of the process; 0 if it cannot be read. */
static __always_inline __u64 load_user(__u64 address)
{
	__u64 word;

	bpf_probe_read_user(&word, sizeof(word), (const void *)address);
	return word;
}

/* Whether a frame is the last one that its C function runs. */
static __always_inline int is_marked(const struct pf_python *python, __u64 frame)
{
	return (load_user(frame + python->mark) & 0xff) == python->marked;
}

/* Whether a thread is the one that runs. Threads are known by their pthread_t. */
static __always_inline int is_own(const struct pf_python *python, __u64 thread)
{
	return load_user(thread + python->thread_id) == pf_load(bpf_get_current_task() + pf_param(offset.task_struct.thread.fsbase));
}

/* The thread that runs, if it is one of the next from `thread` on, 0 if there are no more; or the one behind those that were looked at. */
pf_global(__u64, pf_python_threads, __u64 level, __u64 thread)
{
	struct pf_capture *capture = capture_of(level);

	if (!capture)
		return 0;
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_PYTHON_FEW; i++) {
		if (!thread || is_own(&capture->walk.interpreter, thread))
			return thread;
		thread = load_user(thread + capture->walk.interpreter.next_thread);
	}
	return thread;
}

/* What the thread that runs has as its innermost frame or anchor; 0 if it runs no Python. */
pf_global(__u64, pf_python_thread, __u64 level)
{
	struct pf_capture *capture = capture_of(level);
	const struct pf_python *python;
	__u64 interpreter, thread = 0;

	if (!capture)
		return 0;
	python = &capture->walk.interpreter;
	interpreter = load_user(python->interpreters);
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_PYTHON_THREADS / PF_PYTHON_FEW; i++) {
		if (!thread) {
			if (!interpreter)
				return 0;
			thread = load_user(interpreter + python->first_thread);
			interpreter = load_user(interpreter + python->next_interpreter);
		}
		thread = pf_python_threads(level, thread);
		if (thread && is_own(python, thread))
			return load_user(thread + python->thread_frame);
	}
	return 0;
}

/* The first marked frame from `frame` on, 0 if the chain ends before; or the one behind those that were looked at. */
pf_global(__u64, pf_python_few, __u64 level, __u64 frame)
{
	struct pf_capture *capture = capture_of(level);

	if (!capture)
		return 0;
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_PYTHON_FEW; i++) {
		if (!frame || is_marked(&capture->walk.interpreter, frame))
			return frame;
		frame = load_user(frame + capture->walk.interpreter.previous);
	}
	return frame;
}

/* The first marked frame from `frame` on; 0 if there is none. */
pf_global(__u64, pf_python_marked, __u64 level, __u64 frame)
{
	struct pf_capture *capture = capture_of(level);

	if (!capture)
		return 0;
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_PYTHON_RUN / PF_PYTHON_FEW; i++) {
		if (!frame || is_marked(&capture->walk.interpreter, frame))
			return frame;
		frame = pf_python_few(level, frame);
	}
	return 0;
}

/*
 * Copies a string of `room` bytes at most. Its length stands behind the object's header, its state behind that and a hash: bits 2 to 4
 * are the bytes of a character, bit 6 says that it is ASCII (Include/cpython/unicodeobject.h). How long it is in bytes.
 */
static __always_inline __u32 copy_text(void *to, __u32 room, const struct pf_python *python, __u64 text, __u32 *state)
{
	__u64 length = load_user(text + 16);
	__u64 bytes;

	*state = load_user(text + 32);
	bytes = length * (*state >> 2 & 7);
	length = bytes;
	asm volatile("" : "+r"(length));
	if (length > room)
		length = room;
	if (bpf_probe_read_user(to, length, (const void *)(text + (*state & 1 << 6 ? python->ascii : python->wide))))
		return 0;
	return bytes;
}

/* How many of so many bytes were copied. Of a number in memory, which 5.10 does not know the bounds of. */
static __always_inline __u64 copied(__u32 bytes, __u32 room)
{
	__u64 number = bytes;

	asm volatile("" : "+r"(number));
	return number > room ? room : number;
}

/* Where one of the texts of a code object is: 0 its file, 1 its name, 2 its qualified name, 3 its table of lines. */
static __always_inline __u64 load_text(const struct pf_python *python, __u64 code, int which)
{
	return load_user(code + python->texts + which * 8);
}

/* Tells user space what the code object is called that walk->python_key and walk->python_code are of. */
pf_global(__u64, pf_python_copy, __u64 level)
{
	struct pf_capture *capture = capture_of(level);
	struct pf_python_code *code;
	struct pf_walk *walk;
	__u64 bytes, text;
	__u32 key = level;

	code = bpf_map_lookup_elem(&pf_map_python_scratch, &key);
	if (!capture || !code)
		return 0;
	walk = &capture->walk;
	/* Not 0, and there already. Whoever sees the same meanwhile leaves it to this one. */
	if (bpf_map_update_elem(&pf_map_python_known, &walk->python_key, &walk->python_code, BPF_NOEXIST))
		return 0;
	code->key = walk->python_key;
	code->first_line = load_user(walk->python_code + walk->interpreter.first_line);
	text = load_text(&walk->interpreter, walk->python_code, 2);
	code->name_bytes = copy_text(code->texts, PF_PYTHON_NAME_BYTES, &walk->interpreter, text, &code->name_state);
	text = load_text(&walk->interpreter, walk->python_code, 0);
	code->path_bytes = copy_text(code->texts + copied(code->name_bytes, PF_PYTHON_NAME_BYTES), PF_PYTHON_PATH_BYTES,
				     &walk->interpreter, text, &code->path_state);
	/* Bytes: how many stands behind the header, then a hash (Include/cpython/bytesobject.h). */
	text = load_text(&walk->interpreter, walk->python_code, 3);
	bytes = load_user(text + 16);
	asm volatile("" : "+r"(bytes));
	if (bytes > PF_PYTHON_LINES_BYTES)
		bytes = PF_PYTHON_LINES_BYTES;
	if (bpf_probe_read_user(code->texts + copied(code->name_bytes, PF_PYTHON_NAME_BYTES) +
					copied(code->path_bytes, PF_PYTHON_PATH_BYTES),
				bytes, (const void *)(text + 32)))
		bytes = 0;
	code->lines_bytes = bytes;
	bytes = sizeof(*code) + copied(code->name_bytes, PF_PYTHON_NAME_BYTES) + copied(code->path_bytes, PF_PYTHON_PATH_BYTES) +
		copied(code->lines_bytes, PF_PYTHON_LINES_BYTES);
	if (bpf_ringbuf_output(&pf_map_python_codes, code, bytes, 0))
		bpf_map_delete_elem(&pf_map_python_known, &walk->python_key);
	return 0;
}

/* What is said of a frame of Python, in bits: the C function runs no more, and its code object was not seen before. */
enum { LAST = 1, NEW = 2 };

/* Notes the frame of Python that is next, unless it is of no code. */
static __always_inline __u64 note_frame(struct pf_capture *capture)
{
	struct pf_walk *walk = &capture->walk;
	const struct pf_python *python = &walk->interpreter;
	__u64 code = load_user(walk->python_frame + python->code), id = code, instruction;

	/* The type of an object stands behind its count of references. */
	if (!code || load_user(code + 8) != python->code_type)
		return 0;
#pragma unroll
	for (int i = 0; i < 4; i++)
		id = fold((id ^ load_text(python, code, i)) * PF_MULTIPLIER);
	/* As many bits as a word of the stack has room for. */
	id >>= 2 + PF_PYTHON_UNITS;
	instruction = (load_user(walk->python_frame + python->instruction) - code - python->bytecode) / 2;
	if (instruction >> PF_PYTHON_UNITS)
		instruction = (1 << PF_PYTHON_UNITS) - 1;
	walk->python_code = code;
	walk->python_key.id = id;
	walk->python_key.tgid = bpf_get_current_pid_tgid() >> 32;
	if (!note(capture, PF_STACK_PYTHON | id << PF_PYTHON_UNITS | instruction))
		return LAST;
	return bpf_map_lookup_elem(&pf_map_python_known, &walk->python_key) ? 0 : NEW;
}

/* Notes the frame of Python that is next, and goes on to the one before. What is said of it. */
pf_global(__u64, pf_python_frame, __u64 level)
{
	struct pf_capture *capture = capture_of(level);
	struct pf_walk *walk;
	__u64 said;

	if (!capture || !capture->walk.python_frame)
		return LAST;
	walk = &capture->walk;
	said = is_marked(&walk->interpreter, walk->python_frame) ? LAST : 0;
	if (!said || walk->interpreter.marks_own)
		said |= note_frame(capture);
	walk->python_frame = load_user(walk->python_frame + walk->interpreter.previous);
	return said;
}

/* Finds the anchor of the C function that runs the next frames, from the anchor before or from the thread's first frame. */
static __always_inline void find_anchor(struct pf_walk *walk, __u64 level, __u64 anchor)
{
	if (walk->interpreter.has_anchors)
		walk->python_frame = load_user(anchor + walk->interpreter.anchor_frame);
	else
		anchor = pf_python_marked(level, walk->python_frame);
	walk->python_anchor = anchor;
}

/* Looks for the thread's frames. The mapping that was entered last is of the interpreter. */
static __always_inline void begin(struct pf_walk *walk, __u64 level)
{
	struct pf_unwind_table *table = bpf_map_lookup_elem(&pf_map_unwind_files, &walk->wanted.file);
	__u64 first;

	walk->python = PF_PYTHON_BEGUN;
	walk->python_anchor = 0;
	if (!table)
		return;
	walk->interpreter = table->python;
	walk->interpreter.interpreters -= walk->base;
	walk->interpreter.code_type -= walk->base;
	first = pf_python_thread(level);
	walk->python_frame = first;
	find_anchor(walk, level, first);
}

/*
 * Whether the frame that was noted last is of a C function which runs frames of Python, of which some are not noted yet. Its frame on the
 * C stack is from what the stack pointer was in it to what it is now.
 */
pf_global(__u64, pf_python_runs, __u64 level)
{
	struct pf_capture *capture = capture_of(level);

	if (!capture)
		return 0;
	if (capture->walk.python_goes_on)
		return 1;
	if (capture->walk.python == PF_PYTHON_SEEN)
		begin(&capture->walk, level);
	return capture->walk.python_anchor - capture->walk.stack < capture->walk.sp - capture->walk.stack;
}

/* Frames that are noted in one call. */
#define PF_PYTHON_NOTED 8

/*
 * Puts the frames that this C function runs in the place of its own, which was noted last. If there are more than a few,
 * or than there is room for, walk->python_goes_on, and the rest is noted when this is called again.
 */
pf_global(__u64, pf_python, __u64 level)
{
	struct pf_capture *capture = capture_of(level);
	struct pf_walk *walk;
	__u64 frames;

	if (!capture)
		return 0;
	walk = &capture->walk;
	frames = walk->frames;
	if (!walk->python_goes_on) {
		__u64 hash = walk->hash;

		walk->frames = frames - 1;
		walk->hash = walk->hash_before;
		walk->hash_before = hash;
	}
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_PYTHON_NOTED; i++) {
		__u64 said;

		if (walk->frames >= walk->most)
			break;
		said = pf_python_frame(level);
		if (said & NEW)
			pf_python_copy(level);
		if (said & LAST)
			goto last;
	}
	walk->python_goes_on = 1;
	return 0;
last:
	walk->python_goes_on = 0;
	/* One that is about to begin has no frame of its own yet. */
	if (walk->frames < frames) {
		walk->frames = frames;
		walk->hash = walk->hash_before;
	}
	find_anchor(walk, level, load_user(walk->python_anchor + walk->interpreter.anchor_previous));
	return 0;
}
