/*
 * User stacks of code without frame pointers, by tables that user space made from the files' call frame information.
 *
 * From the registers with which a thread entered the kernel, one frame after the other is found: the mapping that the address
 * lies in, the file that is mapped there, that file's table, the row for the address, and with it the caller's registers. The
 * mappings are the kernel's own, so that what was mapped a moment ago is known; tables are by file, so that one serves
 * all processes. In code of no file, which a runtime made, frames are taken to be linked by the frame pointer.
 *
 * A step is a function that the verifier checks once and not for each frame, since it gets nothing but a number.
 */
#include "template.h"
#include "calls.h"
#include "capture.h"
#include "memo.h"

/* A signed field of a row. */
static __always_inline __s64 field(__u64 row, __u32 first, __u32 bits)
{
	return (__s64)(row << (64 - first - bits)) >> (64 - bits);
}

/* Bytes of a thread's stack in the kernel (THREAD_SIZE), which is a page at least. */
#define THREAD_SHIFT 14

/* Where the registers are with which the thread entered the kernel: at the top of its stack there. */
static __always_inline __u64 entry_registers(void)
{
	__u64 stack = pf_load(bpf_get_current_task() + pf_param(offset.task_struct.stack));
	__u64 shift = pf_param(page_shift);

	return stack + (1ULL << (shift > THREAD_SHIFT ? shift : THREAD_SHIFT)) - pf_param(size.pt_regs);
}

/* Selectors of 64-bit code (arch/x86/include/asm/segment.h: __USER_CS). */
#define USER_CODE 0x33
/* What may be above the registers (TOP_OF_KERNEL_STACK_PADDING). */
#define TOP_PADDING 16

/* The registers of 64-bit code; 0 if it is other code. */
static __always_inline __u64 registers_x86_64(void)
{
	__u64 registers = entry_registers();

	if ((pf_load(registers + pf_param(offset.pt_regs.cs)) & 0xffff) == USER_CODE)
		return registers;
	registers -= TOP_PADDING;
	return (pf_load(registers + pf_param(offset.pt_regs.cs)) & 0xffff) == USER_CODE ? registers : 0;
}

/* Begins a walk on x86-64. PF_WALK_CUT if the registers are not those of 64-bit code. */
pf_global(__u64, pf_begin_x86_64, __u64 level)
{
	struct pf_capture *capture = capture_of(level);
	__u64 registers = registers_x86_64();
	struct pf_walk *walk;

	if (!capture || !registers)
		return PF_WALK_CUT;
	walk = &capture->walk;
	walk->ip = pf_load(registers + pf_param(offset.pt_regs.ip));
	walk->sp = pf_load(registers + pf_param(offset.pt_regs.sp));
	walk->fp = pf_load(registers + pf_param(offset.pt_regs.bp));
	walk->bx = pf_load(registers + pf_param(offset.pt_regs.bx));
	walk->address_bits = ~0ULL;
	return PF_WALK_ON;
}

/* The mode in the processor's state (arch/arm64/include/uapi/asm/ptrace.h: PSR_MODE_MASK, PSR_MODE32_BIT); 0 is that of 64-bit code. */
#define MODE 0x1f

/* The same on arm64. */
pf_global(__u64, pf_begin_arm64, __u64 level)
{
	struct pf_capture *capture = capture_of(level);
	__u64 registers = entry_registers(), mm;
	struct pf_walk *walk;

	if (!capture)
		return PF_WALK_CUT;
	walk = &capture->walk;
	if (pf_load(registers + pf_param(offset.pt_regs.pstate)) & MODE)
		return PF_WALK_CUT;
	walk->ip = pf_load(registers + pf_param(offset.pt_regs.pc));
	walk->sp = pf_load(registers + pf_param(offset.pt_regs.sp));
	walk->fp = pf_load(registers + pf_param(offset.pt_regs.regs) + 29 * 8);
	walk->lr = pf_load(registers + pf_param(offset.pt_regs.regs) + 30 * 8);
	mm = pf_load(bpf_get_current_task() + pf_param(offset.task_struct.mm));
	/* A power of two here. */
	walk->address_bits = pf_load(mm + pf_param(offset.mm_struct.task_size)) - 1;
	return PF_WALK_ON;
}

/*
 * What stands for the mappings of the process, as long as they are as they are: the kernel counts their changes (mm_lock_seq, Linux
 * 6.4). Another process may come to have the same memory for them, and as many changes; another program of a process, too, but
 * hardly the stack at the same address.
 */
static __always_inline __u64 space_of_mappings(const struct pf_capture *capture)
{
	__u64 mm = pf_load(bpf_get_current_task() + pf_param(offset.task_struct.mm));
	__u64 space = pf_load(mm + pf_param(offset.mm_struct.mm_lock_seq)) << 32 | capture->stack.tgid;

	space = fold((space ^ mm) * PF_MULTIPLIER);
	return fold((space ^ pf_load(mm + pf_param(offset.mm_struct.start_stack))) * PF_OTHER_MULTIPLIER);
}

/*
 * Begins a walk with the registers with which the thread entered the kernel. PF_WALK_WHOLE if there are none, PF_WALK_CUT if they are
 * not those of 64-bit code.
 */
pf_global(__u64, pf_begin_unwinding, __u64 level)
{
	struct pf_capture *capture = capture_of(level);
	struct pf_walk *walk;

	if (!capture || !pf_load(bpf_get_current_task() + pf_param(offset.task_struct.mm)))
		return PF_WALK_WHOLE;
	walk = &capture->walk;
	if ((pf_param(is_arm64) ? pf_begin_arm64(level) : pf_begin_x86_64(level)) == PF_WALK_CUT)
		return PF_WALK_CUT;
	walk->bx_at = 0;
	walk->exact = 1;
	walk->is_known = 0;
	walk->end = 0;
	walk->space = pf_param(has_mm_lock_seq) ? space_of_mappings(capture) : 0;
	walk->python_goes_on = 0;
	walk->python = PF_PYTHON_NONE;
	return PF_WALK_ON;
}

/*
 * Functions whose return a process waits for (MAX_URETPROBE_DEPTH, kernel/events/uprobes.c), and how many are looked at in one call: the
 * verifier follows each turn of a loop, but a function once for all calls.
 */
#define PF_PENDING_RETURNS 64
#define PF_FEW_RETURNS 8

/* Where on the stack the return address stood that the kernel replaced. */
static __always_inline __u64 replaced_at(__u64 pending)
{
	return pf_load(pending + pf_param(offset.return_instance.stack));
}

/* The return that is pending for a place on the stack, from `pending` on, 0 if there are no more; or the one behind those that were looked at. */
pf_global(__u64, pf_pending_return, __u64 pending, __u64 stack)
{
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_FEW_RETURNS; i++) {
		if (!pending || replaced_at(pending) == stack)
			return pending;
		pending = pf_load(pending + pf_param(offset.return_instance.next));
	}
	return pending;
}

/*
 * Where a function returns to that has a return probe: the kernel put the address of its own code there, and keeps the other one. It
 * knows it by the stack pointer with which the function began. 0 if it is not known.
 */
pf_global(__u64, pf_return_address, __u64 stack)
{
	__u64 pending = pf_load(bpf_get_current_task() + pf_param(offset.task_struct.utask));

	if (!pending)
		return 0;
	pending = pf_load(pending + pf_param(offset.uprobe_task.return_instances));
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_PENDING_RETURNS / PF_FEW_RETURNS; i++) {
		pending = pf_pending_return(pending, stack);
		if (!pending)
			return 0;
		if (replaced_at(pending) == stack)
			return pf_load(pending + pf_param(offset.return_instance.orig_ret_vaddr));
	}
	return 0;
}

/* Reads two words of the process. 0 if that went well. */
static __always_inline long read_pair(struct pf_walk *walk, __u64 address)
{
	return bpf_probe_read_user(&walk->low, 16, (const void *)address);
}

/* Bytes of x86-64's struct ucontext before its registers, and of arm64's struct rt_sigframe before x0. */
#define X86_64_SIGNAL 40
#define ARM64_SIGNAL (128 + 176 + 8)

/*
 * The frame that a signal handler returns to: the stack pointer points to its struct ucontext then, on arm64 to a siginfo before. A function
 * of its own, so that pf_unwind needs less stack.
 */
pf_global(__u64, pf_leave_signal, __u64 level)
{
	struct pf_capture *capture = capture_of(level);
	struct pf_walk *walk;
	__u64 registers;

	if (!capture)
		return PF_WALK_CUT;
	walk = &capture->walk;
	if (pf_param(is_arm64)) {
		/* struct sigcontext (arch/arm64/include/uapi/asm/sigcontext.h): x0 and on, and behind x30 sp and pc. */
		registers = walk->sp + ARM64_SIGNAL;
		if (read_pair(walk, registers + 29 * 8))
			return PF_WALK_CUT;
		walk->fp = walk->low;
		walk->lr = walk->high;
		if (read_pair(walk, registers + 31 * 8))
			return PF_WALK_CUT;
	} else {
		/*
		 * struct sigcontext (arch/x86/include/uapi/asm/sigcontext.h): rbp is the 11th, rbx the 12th, rsp and rip the 16th
		 * and on.
		 */
		registers = walk->sp + X86_64_SIGNAL;
		walk->bx_at = registers + 11 * 8;
		if (read_pair(walk, registers + 15 * 8) ||
		    bpf_probe_read_user(&walk->fp, 8, (const void *)(registers + 10 * 8)))
			return PF_WALK_CUT;
	}
	walk->sp = walk->low;
	walk->ip = walk->high;
	/* Where it was interrupted is the very address. */
	walk->exact = 1;
	return PF_WALK_ON;
}

/* No code is there. */
#define NOWHERE 1

/* The walk goes on with a frame that called: what it is to return to is not in the link register any more. */
static __always_inline __u64 called(struct pf_walk *walk)
{
	walk->exact = 0;
	walk->lr = NOWHERE;
	return PF_WALK_ON;
}

/*
 * The CFA by a row that counts from a register that calls do not keep, which is known of the innermost frame: else 0. The frame pointer is made
 * the caller's if the row says where it points to that, unless it is so already: then it is not below the CFA.
 */
pf_global(__u64, pf_scratch_cfa, __u64 level)
{
	struct pf_capture *capture = capture_of(level);
	__u64 registers = registers_x86_64(), cfa;
	struct pf_walk *walk;
	__s64 fp;

	if (!capture || !registers || capture->walk.earlier + capture->walk.frames != 1)
		return 0;
	walk = &capture->walk;
	cfa = pf_load(registers + field(walk->row, PF_UNWIND_RA, 14) * 8) + field(walk->row, PF_UNWIND_CFA, 20) * 8;
	fp = field(walk->row, PF_UNWIND_FP, 14);
	if (fp > 0 && walk->fp < cfa && bpf_probe_read_user(&walk->fp, 8, (const void *)(walk->fp + (fp - 1) * 8)))
		return 0;
	return cfa;
}

/* Where Go has in what it knows of a goroutine (runtime.g): the thread (m), and the stack pointer that it left off with (sched.sp). */
#define GOROUTINE_THREAD 0x30
#define GOROUTINE_STACK 0x38

/* The frame of a goroutine that has its thread do something on the thread's own stack, by a row that says where it is named. */
pf_global(__u64, pf_leave_thread_stack, __u64 level, __u64 row)
{
	struct pf_capture *capture = capture_of(level);
	__u64 at = pf_load(bpf_get_current_task() + pf_param(offset.task_struct.thread.fsbase));
	struct pf_walk *walk;

	if (!capture)
		return PF_WALK_CUT;
	walk = &capture->walk;
	at += field(row, PF_UNWIND_FP, 14) * 8;
	if (bpf_probe_read_user(&at, 8, (const void *)at) ||
	    bpf_probe_read_user(&at, 8, (const void *)(at + GOROUTINE_THREAD)) ||
	    bpf_probe_read_user(&at, 8, (const void *)(at + field(row, PF_UNWIND_CFA, 20) * 8)))
		return PF_WALK_CUT;
	/* What gave up its goroutine looks for the next one, and does not come back. */
	if (!at)
		return PF_WALK_WHOLE;
	if (bpf_probe_read_user(&at, 8, (const void *)(at + GOROUTINE_STACK)))
		return PF_WALK_CUT;
	at += field(row, PF_UNWIND_RA, 14) * 8;
	if (read_pair(walk, at - 16))
		return PF_WALK_CUT;
	walk->sp = at;
	walk->ip = walk->high;
	return called(walk);
}

/* Whether code is at an address; whether it is code that a runtime made: it is of no file. */
static __always_inline int is_code(__u64 vma)
{
	return vma && pf_load(vma + pf_param(offset.vm_area_struct.vm_flags)) & PF_EXECUTABLE;
}

static __always_inline int is_generated(__u64 address)
{
	__u64 vma = vma_of(address);

	return is_code(vma) && !pf_load(vma + pf_param(offset.vm_area_struct.vm_file));
}

/*
 * The caller's registers where frames are linked by the frame pointer. What is not returned to by a call is no caller, but for an
 * interpreter that a runtime made, which pushes addresses of its own choice (HotSpot's).
 */
static __always_inline __u64 follow_frame_pointer(struct pf_walk *walk)
{
	if (walk->fp < walk->sp || read_pair(walk, walk->fp))
		return PF_WALK_CUT;
	walk->high &= walk->address_bits;
	if (!follows_call(walk->high) && !is_generated(walk->high))
		return PF_WALK_CUT;
	walk->sp = walk->fp + 16;
	walk->fp = walk->low;
	walk->ip = walk->high;
	return called(walk);
}

/*
 * The caller's registers where nothing is known of the code. What runs may have begun a moment ago, and not have used the stack yet
 * (_init and _fini of each library): then what a call returns to is on top, on arm64 in the link register. That one keeps the address
 * after a call of one's own, too: only code of a file is believed not to have called. Or it keeps frame pointers, as what a runtime made.
 */
static __always_inline __u64 guess_caller(struct pf_walk *walk)
{
	if (pf_param(is_arm64)) {
		if (walk->exact && walk->chunks && follows_call(walk->lr & walk->address_bits)) {
			walk->ip = walk->lr;
			return called(walk);
		}
	} else if (walk->exact && !bpf_probe_read_user(&walk->high, 8, (const void *)walk->sp) && follows_call(walk->high) &&
		   is_code(vma_of(walk->high))) {
		walk->ip = walk->high;
		walk->sp += 8;
		return called(walk);
	}
	return follow_frame_pointer(walk);
}

/* Where the row says that the caller's frame pointer is. Read when it is needed, since the stack is short here. */
static __always_inline __s64 saved_fp(const struct pf_walk *walk)
{
	return field(*(const volatile __u64 *)&walk->row, PF_UNWIND_FP, 14) * 8;
}

/* The caller's registers by the row. */
static __always_inline __u64 apply(struct pf_walk *walk)
{
	__u64 row = walk->row, rule = row >> PF_UNWIND_RULE & 15, number = field(row, PF_UNWIND_CFA, 20) * 8;
	__s64 ra = field(row, PF_UNWIND_RA, 14) * 8, bx = 0, fp;
	__u64 cfa, from = 0;

	if (rule == PF_UNWIND_GOROUTINE)
		return pf_leave_thread_stack(walk->level, row);
	if (rule == PF_UNWIND_MOVED) {
		walk->sp = 0;
		rule = PF_UNWIND_FROM_FP;
	}
	if (rule == PF_UNWIND_FROM_SCRATCH) {
		ra = -8;
	} else if (rule & PF_UNWIND_SAVES_BX) {
		bx = ra;
		ra = -8;
	}
	if (rule == PF_UNWIND_SIGNAL)
		return pf_leave_signal(walk->level);
	if (rule == PF_UNWIND_OUTERMOST)
		return PF_WALK_WHOLE;
	if ((rule & ~PF_UNWIND_SAVES_BX) == PF_UNWIND_FROM_SP) {
		cfa = walk->sp + number;
	} else if ((rule & ~PF_UNWIND_SAVES_BX) == PF_UNWIND_FROM_FP) {
		cfa = walk->fp + number;
	} else if (rule == PF_UNWIND_FROM_SCRATCH) {
		cfa = pf_scratch_cfa(walk->level);
	} else if (rule == PF_UNWIND_FROM_BX) {
		if (walk->bx_at && bpf_probe_read_user(&walk->bx, 8, (const void *)walk->bx_at))
			return PF_WALK_CUT;
		walk->bx_at = 0;
		cfa = walk->bx + number;
	} else if (rule == PF_UNWIND_PLT) {
		cfa = walk->sp + 8 + ((walk->ip & 15) * 8 >= number ? 8 : 0);
		ra = -8;
	} else if (rule == PF_UNWIND_AT_SP || rule == PF_UNWIND_AT_FP) {
		__u64 at = (rule == PF_UNWIND_AT_SP ? walk->sp : walk->fp) + number;

		if (read_pair(walk, at - 8))
			return PF_WALK_CUT;
		cfa = walk->high + ra;
		ra = -8;
		if (rule == PF_UNWIND_AT_FP)
			from = walk->fp + saved_fp(walk);
	} else {
		return guess_caller(walk);
	}
	/* Who did not call may not have used the stack: on arm64 a call leaves it as it is. */
	if (cfa < walk->sp + !walk->exact)
		return PF_WALK_CUT;
	fp = saved_fp(walk);
	if (fp < 0 && !from)
		from = cfa + fp;
	/* The return address, and below it what mostly is the caller's frame pointer. */
	if (ra) {
		if (read_pair(walk, cfa + ra - 8))
			return PF_WALK_CUT;
		walk->ip = walk->high;
		if (from == cfa + ra - 8) {
			walk->fp = walk->low;
			from = 0;
		}
	} else {
		walk->ip = walk->lr;
	}
	if (from && bpf_probe_read_user(&walk->fp, 8, (const void *)from))
		return PF_WALK_CUT;
	if (bx)
		walk->bx_at = cfa + bx;
	walk->sp = cfa;
	return called(walk);
}

/*
 * Notes the frame that is next, and makes its caller the next, if there is room and no frames of Python come before. What became of it, as
 * PF_WALK_….
 */
pf_global(__u64, pf_unwind, __u64 level)
{
	struct pf_capture *capture = capture_of(level);
	struct pf_walk *walk;
	__u64 address;

	if (!capture)
		return PF_WALK_CUT;
	walk = &capture->walk;
	if (walk->frames >= walk->most)
		return PF_WALK_FULL;
	if (pf_unlikely(walk->python_goes_on))
		return PF_WALK_ON;
	walk->stack = walk->sp;
	walk->ip &= walk->address_bits;
	if (!walk->ip)
		return PF_WALK_WHOLE;
	/* The kernel's code that functions with return probes return to begins at a page. */
	if (pf_param(has_uprobes) && !walk->exact && !(walk->ip & PF_CHUNK_MASK)) {
		/* A call of x86-64 has put the address on the stack. */
		address = pf_return_address(walk->sp - (pf_param(is_arm64) ? 0 : 8));
		if (address)
			walk->ip = address;
	}
	if (!walk->is_known && !recall(capture))
		return PF_WALK_UNKNOWN;
	walk->is_known = 0;
	if (!note_address(capture))
		return PF_WALK_CUT;
	return apply(walk);
}

__u64 pf_look_up(__u64 level);
__u64 pf_python_runs(__u64 level);
__u64 pf_python(__u64 level);
__u64 pf_find_stack_end(__u64 level);
__u64 pf_leave_rest(__u64 level);

/*
 * Steps of a walk: each is a frame, or frames of Python in its place, or all that is left. What became of the last one, as PF_WALK_….
 */
pf_global(__u64, pf_steps, __u64 level)
{
	struct pf_capture *capture = capture_of(level);
	__u64 end;

	if (!capture)
		return PF_WALK_CUT;
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_STEPS_AT_ONCE; i++) {
		end = pf_unwind(level);
		/* From here, where less of the stack is in use. */
		if (end == PF_WALK_UNKNOWN) {
			end = pf_look_up(level);
			if (end == PF_WALK_ON)
				end = pf_unwind(level);
		}
		if (end == PF_WALK_EARLY) {
			pf_find_stack_end(level);
			return pf_leave_rest(level);
		}
		if (end != PF_WALK_ON)
			return end;
		if (pf_unlikely(capture->walk.python) && pf_python_runs(level))
			pf_python(level);
	}
	return PF_WALK_ON;
}
