/*
 * Arithmetic that eBPF instructions lack on old kernels.
 */
#include "template.h"

static __always_inline __u64 sign(__u64 value)
{
	return (__s64)value >> 63;
}

/* Negates where `sign` is all ones. Without a branch: the verifier would follow both ways, for each operand. */
static __always_inline __u64 apply(__u64 sign, __u64 value)
{
	return (value ^ sign) - sign;
}

/* a / b, rounded towards zero. 0 for b == 0; the smallest number over -1 is itself. */
pf_template(__u64, pf_sdiv, __u64 a, __u64 b)
{
	__u64 quotient = b ? apply(sign(a), a) / apply(sign(b), b) : 0;

	return apply(sign(a ^ b), quotient);
}

/* a - a / b * b, with the sign of a. 0 for b == 0. */
pf_template(__u64, pf_smod, __u64 a, __u64 b)
{
	__u64 rest = b ? apply(sign(a), a) % apply(sign(b), b) : 0;

	return apply(sign(a), rest);
}

/* The low bytes of a number, as many as that is 1, 2, 4 or 8, in the other order. */
pf_template(__u64, pf_bswap, __u64 value, __u64 bytes)
{
	return __builtin_bswap64(value) >> (64 - bytes * 8);
}

/*
 * The bucket of a power-of-two histogram: 0 for negative numbers, then one for each number below 2^bits, then 2^bits
 * equal parts of each power of two. `src/maps.rs` has the inverse.
 */
pf_template(__u64, pf_log2, __u64 value, __u64 bits)
{
	__u64 parts = 1ULL << bits;
	__u64 exponent, part;

	if ((__s64)value < 0)
		return 0;
	if (value < parts)
		return value + 1;
	/* Without branches too (clang's expansion has none): an index that the verifier knows costs a path each. */
	exponent = 63 - __builtin_clzll(value) - bits;
	part = value >> exponent & (parts - 1);
	return ((exponent + 1) << bits) + part + 1;
}
