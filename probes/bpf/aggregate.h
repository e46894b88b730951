/*
 * What aggregations share: how a key comes into a map, and the order of extremes.
 */
#ifndef PFSCRIPT_AGGREGATE_H
#define PFSCRIPT_AGGREGATE_H

#include "template.h"

/* More than CPUs are likely to come to a key of their own accord at once. */
#define PF_EXTREME_TRIES 64

/*
 * The value of a key that was not there a moment ago, or null when there is no room. BPF_NOEXIST, and a second look:
 * another CPU, or an interrupt here, may have brought the key in between, and what it counted must stay.
 */
static __always_inline void *create(void *map, const void *key, const void *initial, __u64 loss)
{
	void *value;
	int error;

	error = bpf_map_update_elem(map, key, initial, BPF_NOEXIST);
	value = bpf_map_lookup_elem(map, key);
	if (!value)
		pf_loss(loss + refusal(error, PF_MAP_FULL));
	return value;
}

/* The value of a key, all zero if it is new, or null when there is no room. */
#define value_of(type, map, key, loss)                           \
	({                                                       \
		type *value_ = bpf_map_lookup_elem(map, key);    \
		if (pf_unlikely(!value_)) {                      \
			type zero_ = {};                         \
			value_ = create(map, key, &zero_, loss); \
		}                                                \
		value_;                                          \
	})

/* The rank of a value: the greater one counts, and none is below 0, what a new element begins as. */
static __always_inline __u64 rank_of(__u64 value, __u64 mode)
{
	/* Signed numbers in the order of unsigned ones: with the sign bit flipped. */
	__u64 rank = value ^ (mode & PF_MINMAX_SIGNED) << 62;

	return mode & PF_MINMAX_MAX ? rank : ~rank;
}

/*
 * Makes a rank the greatest so far, also where CPUs share it. A try fails only when another CPU has just brought a greater one,
 * which is still below this one, so that they are soon over.
 */
static __always_inline void raise(__u64 *greatest, __u64 rank, __u64 loss)
{
	__u64 seen = *(volatile __u64 *)greatest;

#pragma clang loop unroll(disable)
	for (int tries = 0; tries < PF_EXTREME_TRIES; tries++) {
		__u64 before = seen;

		if (rank <= before)
			return;
		seen = __sync_val_compare_and_swap(greatest, before, rank);
		if (seen == before)
			return;
	}
	pf_loss(loss + PF_NO_MEMORY);
}

#endif
