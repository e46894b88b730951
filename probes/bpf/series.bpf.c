/*
 * Time series: what values came to in each of the last intervals of time. HASH, which CPUs share, or PERCPU_HASH.
 *
 * The intervals of a series are used in turn. The first program that finds another number in its interval empties it and
 * puts in its own. Only that is guarded, by a claim that is counted like one of scratch memory: whoever interrupts it there,
 * or comes from another CPU, tries again until the interval has begun, which is a few instructions away. What is added then is
 * added atomically where it has to be, as in other maps.
 */
#include "aggregate.h"

/* A program that is preempted in between may hold up more than these: that is counted. */
#define PF_INTERVAL_TRIES 32

/* Empties an interval, and has it be that of a number. Subtracted, so that nothing is lost that is added meanwhile. */
static __always_inline void begin(struct pf_interval *interval, __u64 number)
{
	if (*(volatile __u64 *)&interval->number >= number)
		return;
	__sync_fetch_and_add(&interval->value, -*(volatile __u64 *)&interval->value);
	__sync_fetch_and_add(&interval->weight, -*(volatile __u64 *)&interval->weight);
	*(volatile __u64 *)&interval->number = number;
}

/*
 * The interval that a sample belongs to, of a key that may be new. Null if it could not be had, which is counted then, or if
 * the series has gone on so far that the sample's interval is not kept any more.
 */
static __always_inline struct pf_interval *interval_of(void *map, const void *key, const struct pf_sample *sample,
						       __u64 intervals, __u64 loss)
{
	struct pf_series *series = bpf_map_lookup_elem(map, key);
	__u64 number = sample->number;
	struct pf_interval *interval;

	if (pf_unlikely(!series)) {
		__u32 first = 0;
		void *zeros = bpf_map_lookup_elem(&pf_map_zeros, &first);

		if (!zeros)
			return 0;
		series = create(map, key, zeros, loss);
		if (!series)
			return 0;
	}
#pragma clang loop unroll(disable)
	for (int tries = 0; tries < PF_INTERVAL_TRIES; tries++) {
		__u64 index = number % intervals, seen;

		/* For the verifier, which knows nothing of remainders, and just before the access: 5.10 forgets bounds that are spilled. */
		barrier_var(index);
		if (index >= intervals)
			index = intervals - 1;
		interval = (struct pf_interval *)series->intervals + index;
		seen = *(volatile __u64 *)&interval->number;
		if (seen == number)
			return interval;
		if (seen > number)
			return 0;
		__sync_fetch_and_add(&series->claims, 1);
		if (*(volatile __u64 *)&series->claims == 1)
			begin(interval, number);
		__sync_fetch_and_add(&series->claims, -1);
	}
	pf_loss(loss + PF_NO_MEMORY);
	return 0;
}

/* Keeps the last value. */
pf_template(void, pf_series_last, void *map, const void *key, const struct pf_sample *sample, __u64 intervals, __u64 loss)
{
	struct pf_interval *interval = interval_of(map, key, sample, intervals, loss);

	if (!interval)
		return;
	*(volatile __u64 *)&interval->value = sample->value;
	*(volatile __u64 *)&interval->weight = sample->time + 1;
}

/* Adds up, and counts. */
pf_template(void, pf_series_sum, void *map, const void *key, const struct pf_sample *sample, __u64 intervals, __u64 loss)
{
	struct pf_interval *interval = interval_of(map, key, sample, intervals, loss);

	if (!interval)
		return;
	__sync_fetch_and_add(&interval->value, sample->value);
	__sync_fetch_and_add(&interval->weight, 1);
}

/* Keeps the least or the greatest value of each CPU, as pf_minmax does. */
pf_template(void, pf_series_minmax, void *map, const void *key, const struct pf_sample *sample, __u64 intervals, __u64 loss)
{
	struct pf_interval *interval = interval_of(map, key, sample, intervals, loss);
	__u64 rank = rank_of(sample->value, sample->mode);

	if (!interval)
		return;
	if (rank > interval->value)
		interval->value = rank;
	interval->weight = 1;
}

/* Keeps the least or the greatest value, also where CPUs share it, as pf_extreme does. */
pf_template(void, pf_series_extreme, void *map, const void *key, const struct pf_sample *sample, __u64 intervals, __u64 loss)
{
	struct pf_interval *interval = interval_of(map, key, sample, intervals, loss);
	__u64 rank = rank_of(sample->value, sample->mode);

	if (!interval)
		return;
	raise(&interval->value, rank, loss);
	*(volatile __u64 *)&interval->weight = 1;
}
