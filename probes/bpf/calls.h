/* Which addresses of a process are return addresses. */
#ifndef PFSCRIPT_CALLS_H
#define PFSCRIPT_CALLS_H

#include "template.h"

/* 1 for 0, else 0, without a branch: each would be two paths more for the verifier. For numbers below 2^63. */
static __always_inline __u64 is_zero(__u64 number)
{
	return (number - 1) >> 63;
}

/*
 * Whether an address of the process is one that a call returns to: a call stands before it. On x86-64 `call rel32`, or
 * `call` by register or memory with its possible lengths; on arm64 `bl` or `blr`.
 */
static __always_inline __u64 follows_call(__u64 address)
{
	__u64 before, found;

	/* What cannot be read is zeroes then. */
	bpf_probe_read_user(&before, 8, (const void *)(address - 8));
	found = is_zero((before >> 24 & 0xff) ^ 0xe8);
#pragma unroll
	for (int i = 1; i <= 6; i++)
		found |= is_zero((before >> 8 * i & 0x38ff) ^ 0x10ff);
	found |= is_zero((before >> 32 & 0xfc000000) ^ 0x94000000);
	return found | is_zero((before >> 32 & 0xfffffc1f) ^ 0xd63f0000);
}

#endif
