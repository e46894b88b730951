/*
 * Maps: aggregations (HASH or PERCPU_HASH, so that all that is added is added atomically), shared variables (HASH), and the counters of losses.
 */
#include "aggregate.h"

pf_template(void, pf_loss, __u64 index)
{
	__u32 key = index;
	__u64 *counter = bpf_map_lookup_elem(&pf_map_loss, &key);

	if (counter)
		++*counter;
}

pf_template(void, pf_count, void *map, const void *key, __u64 loss)
{
	__u64 *count = value_of(__u64, map, key, loss);

	if (!count)
		return;
	__sync_fetch_and_add(count, 1);
}

pf_template(void, pf_sum, void *map, const void *key, __u64 value, __u64 loss)
{
	__u64 *sum = value_of(__u64, map, key, loss);

	if (!sum)
		return;
	__sync_fetch_and_add(sum, value);
}

pf_template(void, pf_avg, void *map, const void *key, __u64 value, __u64 loss)
{
	struct pf_average *average = value_of(struct pf_average, map, key, loss);

	if (!average)
		return;
	__sync_fetch_and_add(&average->count, 1);
	__sync_fetch_and_add(&average->total, value);
}

/* Keeps the least or the greatest value of each CPU, where there is no atomic exchange: PERCPU_HASH. */
pf_template(void, pf_minmax, void *map, const void *key, __u64 value, __u64 mode, __u64 loss)
{
	__u64 rank = rank_of(value, mode);
	struct pf_extreme *extreme = value_of(struct pf_extreme, map, key, loss);

	if (!extreme)
		return;
	if (rank > extreme->rank)
		extreme->rank = rank;
	extreme->set = 1;
}

/* Keeps the least or the greatest value, also where CPUs share it. */
pf_template(void, pf_extreme, void *map, const void *key, __u64 value, __u64 mode, __u64 loss)
{
	__u64 rank = rank_of(value, mode);
	struct pf_extreme *extreme = value_of(struct pf_extreme, map, key, loss);

	if (!extreme)
		return;
	if (pf_unlikely(!extreme->set))
		*(volatile __u64 *)&extreme->set = 1;
	raise(&extreme->rank, rank, loss);
}

pf_template(void, pf_bucket, void *map, const void *key, __u64 index, __u64 buckets, __u64 loss)
{
	__u64 *histogram = bpf_map_lookup_elem(map, key);
	__u32 forgotten;

	if (pf_unlikely(!histogram)) {
		__u32 first = 0;
		void *zeros = bpf_map_lookup_elem(&pf_map_zeros, &first);

		if (!zeros)
			return;
		histogram = create(map, key, zeros, loss);
		if (!histogram)
			return;
	}
	/*
	 * 5.10 follows paths that cannot be, on which a number is more than 128 and less than 5, and then knows of no place where it
	 * is. But it forgets what it knows of half a register that is stored. So the bounds are made anew, just before the access.
	 */
	if (index >> 32)
		index = buckets;
	*(volatile __u32 *)&forgotten = index;
	index = *(volatile __u32 *)&forgotten;
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
	__u64 *value = value_of(__u64, map, key, loss);
	__u64 old;

	if (!value)
		return 0;
	old = *(volatile __u64 *)value;
	__sync_fetch_and_add(value, delta);
	return old;
}
