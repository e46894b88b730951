/*
 * Maps: aggregations (HASH or PERCPU_HASH, so that all that is added is added atomically), shared variables (HASH), and the counters of losses.
 */
#include "template.h"

/* More than CPUs are likely to come to a key of their own accord at once. */
#define PF_EXTREME_TRIES 64

pf_template(void, pf_loss, __u64 index)
{
	__u32 key = index;
	__u64 *counter = bpf_map_lookup_elem(&pf_map_loss, &key);

	if (counter)
		++*counter;
}

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

pf_template(void, pf_count, void *map, const void *key, __u64 loss)
{
	__u64 *count = bpf_map_lookup_elem(map, key);

	if (pf_unlikely(!count)) {
		__u64 zero = 0;

		count = create(map, key, &zero, loss);
		if (!count)
			return;
	}
	__sync_fetch_and_add(count, 1);
}

pf_template(void, pf_sum, void *map, const void *key, __u64 value, __u64 loss)
{
	__u64 *sum = bpf_map_lookup_elem(map, key);

	if (pf_unlikely(!sum)) {
		__u64 zero = 0;

		sum = create(map, key, &zero, loss);
		if (!sum)
			return;
	}
	__sync_fetch_and_add(sum, value);
}

pf_template(void, pf_avg, void *map, const void *key, __u64 value, __u64 loss)
{
	struct pf_average *average = bpf_map_lookup_elem(map, key);

	if (pf_unlikely(!average)) {
		struct pf_average zero = {};

		average = create(map, key, &zero, loss);
		if (!average)
			return;
	}
	__sync_fetch_and_add(&average->count, 1);
	__sync_fetch_and_add(&average->total, value);
}

/* The rank of a value: the greater one counts, and none is below 0, what a new element begins as. */
static __always_inline __u64 rank_of(__u64 value, __u64 mode)
{
	/* Signed numbers in the order of unsigned ones: with the sign bit flipped. */
	__u64 rank = value ^ (mode & PF_MINMAX_SIGNED) << 62;

	return mode & PF_MINMAX_MAX ? rank : ~rank;
}

/* Keeps the least or the greatest value of each CPU, where there is no atomic exchange: PERCPU_HASH. */
pf_template(void, pf_minmax, void *map, const void *key, __u64 value, __u64 mode, __u64 loss)
{
	struct pf_extreme *extreme = bpf_map_lookup_elem(map, key);
	__u64 rank = rank_of(value, mode);

	if (pf_unlikely(!extreme)) {
		struct pf_extreme zero = {};

		extreme = create(map, key, &zero, loss);
		if (!extreme)
			return;
	}
	if (rank > extreme->rank)
		extreme->rank = rank;
	extreme->set = 1;
}

/*
 * Keeps the least or the greatest value, also where CPUs share it. A try fails only when another CPU has just brought a
 * greater rank, which is still below this one, so that they are soon over.
 */
pf_template(void, pf_extreme, void *map, const void *key, __u64 value, __u64 mode, __u64 loss)
{
	struct pf_extreme *extreme = bpf_map_lookup_elem(map, key);
	__u64 rank = rank_of(value, mode), seen;

	if (pf_unlikely(!extreme)) {
		struct pf_extreme zero = {};

		extreme = create(map, key, &zero, loss);
		if (!extreme)
			return;
	}
	if (pf_unlikely(!extreme->set))
		*(volatile __u64 *)&extreme->set = 1;
	seen = *(volatile __u64 *)&extreme->rank;
#pragma clang loop unroll(disable)
	for (int tries = 0; tries < PF_EXTREME_TRIES; tries++) {
		__u64 before = seen;

		if (rank <= before)
			return;
		seen = __sync_val_compare_and_swap(&extreme->rank, before, rank);
		if (seen == before)
			return;
	}
	pf_loss(loss + PF_NO_MEMORY);
}

pf_template(void, pf_bucket, void *map, const void *key, __u64 index, __u64 buckets, __u64 loss)
{
	__u64 *histogram = bpf_map_lookup_elem(map, key);

	if (pf_unlikely(!histogram)) {
		__u32 first = 0;
		void *zeros = bpf_map_lookup_elem(&pf_map_zeros, &first);

		if (!zeros)
			return;
		histogram = create(map, key, zeros, loss);
		if (!histogram)
			return;
	}
	/* Just before the access: 5.10 forgets the bounds of what it spills, though not constants. */
	if (index >= buckets)
		index = buckets - 1;
	__sync_fetch_and_add(&histogram[index], 1);
}

pf_template(void, pf_set, void *map, const void *key, const void *value, __u64 loss)
{
	int error = bpf_map_update_elem(map, key, value, BPF_ANY);

	if (error)
		pf_loss(loss + refusal(error, PF_MAP_FULL));
}

/* Adds atomically. The old value it returns is what was seen just before, since 5.10 has no atomic fetch. */
pf_template(__u64, pf_add, void *map, const void *key, __u64 delta, __u64 loss)
{
	__u64 *value = bpf_map_lookup_elem(map, key);
	__u64 old;

	if (pf_unlikely(!value)) {
		__u64 zero = 0;

		value = create(map, key, &zero, loss);
		if (!value)
			return 0;
	}
	old = *(volatile __u64 *)value;
	__sync_fetch_and_add(value, delta);
	return old;
}
