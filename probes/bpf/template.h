/*
 * What every template shares. What user space knows too is in abi.h: causes of loss, sizes, flags, structures, maps.
 *
 * A template is a function of this directory. The compiler copies those that a script needs into the script's
 * program, as static subprograms: the verifier checks them once per call, with the types of the caller's registers,
 * so that a parameter may be a map, the context, or a pointer into the caller's stack.
 *
 * Undefined symbols are parameters. The address of `pf_map_NAME` is a map, that of `pf_param_NAME` a 64-bit constant.
 *
 * Written for Linux 5.10 and newer: no signed division, no bpf_loop, and no atomics that return a value but where the
 * compiler asks for the feature (pf_extreme).
 */
#ifndef PFSCRIPT_TEMPLATE_H
#define PFSCRIPT_TEMPLATE_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "abi.h"

/*
 * The constant that the program brings. In assembly, since C takes it that no symbol has the address 0; volatile, so that
 * it is not kept on the stack while a loop runs.
 *
 * Names with dots are read from the kernel's types: offset.STRUCT.MEMBER (of members within, too: offset.file.f_path.mnt),
 * count.STRUCT.ARRAY, size.STRUCT, value.ENUM.ENUMERATOR.
 */
#define pf_param(name)                                                     \
	({                                                                 \
		__u64 value_;                                              \
		asm volatile("%0 = pf_param_" #name " ll" : "=r"(value_)); \
		value_;                                               \
	})

/*
 * A template: a function that stays one. Its parameters go along as text, in a section of their own, so that they are
 * said here alone. A routine that counts losses takes the first of the probe's counters (its index times the causes) as
 * its last parameter, called `loss`.
 */
#define pf_template(result, name, ...)                                                                    \
	static const char name##_signature[] __attribute__((section(".pf_signatures"), aligned(1), used)) \
		= #name "(" #__VA_ARGS__ ")";                                                             \
	__attribute__((noinline)) result name(__VA_ARGS__)

/*
 * A template that the verifier checks once, whoever calls it (a global function). It takes and gives nothing but numbers, of which
 * the verifier then knows nothing.
 */
#define pf_global(result, name, ...)                                                                      \
	static const char name##_signature[] __attribute__((section(".pf_signatures"), aligned(1), used)) \
		= #name "(" #__VA_ARGS__ ") global";                                                      \
	__attribute__((noinline)) result name(__VA_ARGS__)

#define pf_unlikely(condition) __builtin_expect(!!(condition), 0)

/*
 * A word of the kernel's memory; 0 if it cannot be read (bpf_probe_read_kernel_common, kernel/trace/bpf_trace.c). A walk that
 * goes astray ends there, and is not told from one that finds nothing.
 */
static __always_inline __u64 pf_load(__u64 address)
{
	__u64 word;

	bpf_probe_read_kernel(&word, sizeof(word), (const void *)address);
	return word;
}

/*
 * Goes to `label` unless `index` is below `count`. Verifiers before 6.3 know which way it goes only if the number that they know
 * stands on the right, and follow impossible ways otherwise, beyond the end of what is read; the compiler would put it on either.
 */
#define PF_UNLESS_BELOW(index, count, label) \
	asm volatile goto("if %[n] <= %[i] goto %l[" #label "]" : : [n] "r"(count), [i] "r"(index) : : label)

/* Whether a level of scratch memory was free. It is taken then. */
typedef int pf_take_fn(struct pf_scratch *scratch);

/* The scratch memory of the first free level, or null, and which level that is. */
static __always_inline struct pf_scratch *pf_first_free(void *map, __u64 *level_claimed, pf_take_fn *take)
{
#pragma unroll
	for (__u32 level = 0; level < PF_SCRATCH_LEVELS; level++) {
		__u32 key = level;
		struct pf_scratch *scratch = bpf_map_lookup_elem(map, &key);

		if (!scratch)
			return 0;
		if (take(scratch)) {
			*level_claimed = level;
			return scratch;
		}
	}
	return 0;
}

/*
 * The flag is tested and set without an atomic instruction. That is right where contexts nest strictly, as in programs
 * that run with preemption off: whoever interrupts between the test and the store has released the level again before
 * the store happens. Perf events, tracepoints and kprobes run so: trace_call_bpf (kernel/trace/bpf_trace.c) and
 * bpf_overflow_handler (kernel/events/core.c) cannot sleep nor be preempted. Programs that can be preempted claim with
 * pf_claim_counted.
 */
static __always_inline int pf_take(struct pf_scratch *scratch)
{
	if (*(volatile __u64 *)&scratch->busy)
		return 0;
	*(volatile __u64 *)&scratch->busy = 1;
	return 1;
}

static __always_inline struct pf_scratch *pf_claim(void *map, __u64 *level_claimed)
{
	return pf_first_free(map, level_claimed, pf_take);
}

static __always_inline void pf_release(struct pf_scratch *scratch)
{
	*(volatile __u64 *)&scratch->busy = 0;
}

/*
 * The same for programs that others may preempt on their CPU, and that may go on before those have ended.
 *
 * Whoever wants a level adds one to its flag, and has it if the flag is then one. If two come at once, both may go on to
 * the next level, but never do both have the same: the later one to add finds what the earlier one added, which stays
 * until it is released. Atomic additions without result are all that this takes, so that Linux 5.10 has them.
 *
 * Programs of both sorts may share levels: one that cannot be preempted finds a flag that is not zero and goes on, or has
 * released the level again before any that it interrupts looks.
 */
static __always_inline int pf_take_counted(struct pf_scratch *scratch)
{
	__sync_fetch_and_add(&scratch->busy, 1);
	if (*(volatile __u64 *)&scratch->busy == 1)
		return 1;
	__sync_fetch_and_add(&scratch->busy, -1);
	return 0;
}

static __always_inline struct pf_scratch *pf_claim_counted(void *map, __u64 *level_claimed)
{
	return pf_first_free(map, level_claimed, pf_take_counted);
}

static __always_inline void pf_release_counted(struct pf_scratch *scratch)
{
	__sync_fetch_and_add(&scratch->busy, -1);
}

/* ++ of a counter in the map of losses (aggregate.bpf.c); `index` is probe * causes + cause. */
void pf_loss(__u64 index);

#define E2BIG 7

/*
 * Why a map did not take a key: it was full, or the kernel had no memory for it at that moment.
 *
 * What maps return is an int: before Linux 6.4 the verifier has programs call a map's own function in the helper's place, and
 * its result has zeroes in the upper half.
 */
static __always_inline __u64 refusal(int error, enum pf_loss_cause full)
{
	return error == -E2BIG ? full : PF_NO_MEMORY;
}

#endif
