/*
 * Maps: aggregations (HASH or PERCPU_HASH, so that sums are atomic additions; extremes and histograms are PERCPU_HASH
 * always), shared variables (HASH), and the counters of losses.
 */
#include "template.h"

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
	long error;

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

pf_template(void, pf_minmax, void *map, const void *key, __u64 value, __u64 mode, __u64 loss)
{
	struct pf_extreme *extreme = bpf_map_lookup_elem(map, key);

	if (pf_unlikely(!extreme)) {
		struct pf_extreme zero = {};

		extreme = create(map, key, &zero, loss);
		if (!extreme)
			return;
	}
	if (extreme->set) {
		/* Signed numbers in the order of unsigned ones: with the sign bit flipped. */
		__u64 flip = (mode & PF_MINMAX_SIGNED) << 62;
		__u64 new = value ^ flip, old = extreme->value ^ flip;

		if (mode & PF_MINMAX_MAX) {
			if (new <= old)
				return;
		} else if (new >= old) {
			return;
		}
	}
	extreme->value = value;
	extreme->set = 1;
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
	histogram[index]++;
}

pf_template(void, pf_set, void *map, const void *key, const void *value, __u64 loss)
{
	long error = bpf_map_update_elem(map, key, value, BPF_ANY);

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
