/*
 * Strings that are compared in part, and strings in others.
 *
 * Each string comes with its room in bytes, a multiple of 8, and is zero-padded there. Nothing here branches on what is in a
 * string, and no loop ends early: the verifier has one path, however much work a program does before, and on every kernel.
 * Linux up to 6.2 takes all numbers for exact ones in programs with functions, so that paths which differ in one never join.
 * Newer ones (6.18, and some of 6.12) take two paths where a number that is 0 or -1 meets a mask, so factors of 0 or 1 choose
 * here.
 */
#include "template.h"

/* 0 for zero, 1 for others. What clang would know again as a comparison, it would make a branch of: hence the barriers. */
static __always_inline __u64 not_zero(__u64 value)
{
	__u64 negative = -value;

	barrier_var(negative);
	negative = (value | negative) >> 63;
	barrier_var(negative);
	return negative;
}

static __always_inline __u64 is_zero(__u64 value)
{
	return 1 - not_zero(value);
}

/* 0 if the first n bytes of two strings are the same, or both end before with no difference; else 1. */
pf_template(__u64, pf_strncmp, const __u8 *a, __u64 a_room, const __u8 *b, __u64 b_room, __u64 n)
{
	__u64 difference = 0, goes_on = 1;

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_MAX_STRING_BYTES; i++) {
		__u64 c = 0, d = 0;

		/* These are known when the program is loaded. */
		if (i >= n || (i >= a_room && i >= b_room))
			break;
		if (i < a_room)
			c = a[i];
		if (i < b_room)
			d = b[i];
		difference |= (c ^ d) * goes_on;
		goes_on *= not_zero(c);
	}
	return not_zero(difference);
}

/*
 * The difference of the first bytes that differ, of n; 0 if none do. Bytes behind the rooms, which are known when the program is
 * loaded, are 0.
 */
pf_template(__s64, pf_memcmp, const __u8 *a, __u64 a_room, const __u8 *b, __u64 b_room, __u64 n)
{
	__u64 result = 0, goes_on = 1;

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_MAX_STRING_BYTES; i++) {
		__u64 c = 0, d = 0, within;

		if (i >= a_room && i >= b_room)
			break;
		if (i < a_room)
			c = a[i];
		if (i < b_room)
			d = b[i];
		/* n is no more than rooms can be. */
		within = (i - n) >> 63;
		barrier_var(within);
		result += (c - d) * goes_on * within;
		goes_on *= is_zero(c ^ d);
	}
	return result;
}

/*
 * The hash of as many bytes as the needle has is moved along the haystack: a polynomial over 64 bits in a number that is drawn
 * for each call, so that nobody can make strings whose hashes are the same. So the time, and what the verifier has to follow,
 * grow with the sum of the lengths and not with their product.
 */
#define PF_NOWHERE 0x9e3779b97f4a7c15ULL

static __always_inline __u64 draw(void)
{
	return bpf_get_prandom_u32() | 1;
}

/*
 * The place, from 1, where a needle of `length` bytes is first in the haystack, or 0. The length is known when the program is
 * loaded, and not 0.
 */
pf_template(__u64, pf_strstr_literal, const __u8 *haystack, __u64 room, const __u8 *needle, __u64 length)
{
	__u64 factor = draw(), power = 1, wanted = 0, hash = 0, found = 0, goes_on = 1, left = 0;

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_MAX_STRING_BYTES; i++) {
		if (i >= length)
			break;
		wanted = wanted * factor + needle[i];
		power *= factor;
	}
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_MAX_STRING_BYTES; i++) {
		__u64 c;

		if (i >= room)
			break;
		c = haystack[i];
		goes_on *= not_zero(c);
		hash = hash * factor + c;
		if (i >= length) {
			hash -= haystack[left] * power;
			/* Counted, and not i - length: kernels forget what is known of a number that was negated. */
			left++;
			barrier_var(left);
		}
		if (i + 1 >= length)
			found += goes_on * is_zero(hash ^ wanted) * is_zero(found) * (left + 1);
	}
	return found;
}

/*
 * The same for any needle. The byte that leaves the hash is read by a helper: before 5.12, a program may not read
 * its stack at an offset that the verifier does not know.
 */
pf_template(__u64, pf_strstr, const __u8 *haystack, __u64 room, const __u8 *needle, __u64 needle_room)
{
	__u64 factor = draw(), power = 1, wanted = 0, length = 0, hash = 0, found, goes_on = 1;

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_MAX_STRING_BYTES; i++) {
		__u64 c;

		if (i >= needle_room)
			break;
		c = needle[i];
		goes_on *= not_zero(c);
		wanted += (wanted * (factor - 1) + c) * goes_on;
		power += power * (factor - 1) * goes_on;
		length += goes_on;
	}
	found = is_zero(length);
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_MAX_STRING_BYTES; i++) {
		__u64 place = (i - length) & (PF_MAX_STRING_BYTES - 1), c, whole, begun;
		__u8 left = 0;

		if (i >= room)
			break;
		/* All of the string's place is one sum with its address, of a number that has bounds. */
		barrier_var(place);
		bpf_probe_read_kernel(&left, 1, haystack + place);
		c = haystack[i];
		whole = ~(i - length) >> 63;
		begun = ~(i + 1 - length) >> 63;
		barrier_var(whole);
		barrier_var(begun);
		/* Behind the end, nothing is what is wanted. */
		wanted += is_zero(c) * PF_NOWHERE;
		hash = hash * factor + c - left * whole * power;
		found += begun * is_zero(hash ^ wanted) * is_zero(found) * (i + 2 - length);
	}
	return found;
}

/* Addresses of the kernel have their top bit set; below this are only fields of null pointers (see memory.bpf.c). */
#define PF_NULL_BITS 16

/*
 * Reads, less than 0 if it failed, without a branch on that: the verifier would follow both ways of each of many. A function, since
 * kernels before 6.2 let no loop begin where two ways meet.
 */
pf_template(__u64, pf_read_any, void *to, __u64 size, __u64 address)
{
	if ((__s64)address < 0)
		return bpf_probe_read_kernel(to, size, (const void *)address);
	return bpf_probe_read_user(to, size, (const void *)address);
}

/* 1 if what was read at an address is lost, else 0: of a null pointer, nothing is. */
static __always_inline __u64 is_lost(long result, __u64 address)
{
	return ((__u64)result >> 63) & not_zero(address >> PF_NULL_BITS);
}

/* What is counted in one word meanwhile, since the stack is short: strings, from this bit on what cannot be read, and from this one what is cut. */
#define PF_COUNTED 0xffff
#define PF_UNREAD 16
#define PF_CUT 32

/*
 * The strings of an array of pointers that ends in a null pointer. `to` has room for a number, of strings that there are, one more
 * than fit if there are more, and behind it for JOINED strings of the same size; all of it is zero before. What cannot be read or does
 * not fit is counted once.
 */
pf_template(__u64, pf_strings, __u64 *to, __u64 room, __u64 array, __u64 loss)
{
	__u64 size = (room - 8) / PF_JOINED_STRINGS - 1, place = array, all;

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i <= PF_JOINED_STRINGS; i++) {
		__u64 pointer = 0, there;
		__u8 *string = (void *)to + 8 + i * (size + 1);
		long length;

		there = is_lost(pf_read_any(&pointer, sizeof(pointer), place), place) << PF_UNREAD;
		*(volatile __u64 *)to += there;
		there = not_zero(pointer);
		*(volatile __u64 *)to += there;
		if (i >= PF_JOINED_STRINGS)
			break;
		/*
		 * Behind the end, nothing is read. Through memory, of which the verifier knows no bounds: it would follow those of the
		 * kernel's and of a process's addresses one by one.
		 */
		*(volatile __u64 *)string = (place + 8) * there;
		place = *(volatile __u64 *)string;
		*(volatile __u64 *)string = 0;
		/* If it is full, either the string just fits, or the NUL took the place of another character, which is read behind it. */
		if ((__s64)pointer < 0) {
			length = bpf_probe_read_kernel_str(string, size, (const void *)pointer);
			bpf_probe_read_kernel(string + size, 1, (const void *)pointer + size - 1);
		} else {
			length = bpf_probe_read_user_str(string, size, (const void *)pointer);
			bpf_probe_read_user(string + size, 1, (const void *)pointer + size - 1);
		}
		there = is_zero(length ^ size) * not_zero(string[size]);
		string[size] = there;
		*(volatile __u64 *)to += there << PF_CUT | is_lost(length, pointer) << PF_UNREAD;
	}
	all = *(volatile __u64 *)to;
	if (all >> PF_UNREAD & PF_COUNTED)
		pf_loss(loss + ((__s64)array < 0 ? PF_KERNEL_READ_FAILED : PF_USER_READ_FAILED));
	if (all >> PF_CUT)
		pf_loss(loss + PF_STRING_TRUNCATED);
	*to = all & PF_COUNTED;
	return *to;
}

/* The length of a string, without a branch on what is in it. */
static __always_inline __u64 length_of(const __u8 *string, __u64 room)
{
	__u64 length = 0, goes_on = 1;

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_MAX_STRING_BYTES; i++) {
		if (i >= room - 1)
			break;
		goes_on *= not_zero(string[i]);
		length += goes_on;
	}
	return length;
}

/*
 * One string behind the other, into `room` bytes that are all zero. Both stand at `strings`. `sizes` are three numbers of 20 bits: the
 * rooms of the strings, and the most bytes that the result may have. The last byte of the room says whether something was cut, as
 * theirs do.
 */
pf_template(__u64, pf_str_concat, __u8 *to, __u64 room, const __u8 *strings, __u64 sizes, __u64 loss)
{
	__u64 length = length_of(strings, sizes & 0xfffff);
	__u64 all = length + length_of(strings + (sizes & 0xfffff), sizes >> 20 & 0xfffff);

	/* What follows from the sizes is computed anew each time, and not kept on the stack. */
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_MAX_STRING_BYTES; i++) {
		__u64 place = (i - length) & (PF_MAX_STRING_BYTES - 1), from_second, there;
		__u8 c = 0;

		barrier_var(sizes);
		if (i >= sizes >> 40)
			break;
		barrier_var(place);
		bpf_probe_read_kernel(&c, 1, strings + (sizes & 0xfffff) + place);
		from_second = ~(i - length) >> 63;
		there = (i - all) >> 63;
		barrier_var(from_second);
		barrier_var(there);
		there *= from_second;
		there *= c;
		if (i < (sizes & 0xfffff) - 1)
			there += strings[i];
		to[i] = there;
	}
	barrier_var(sizes);
	to[room - 1] = strings[(sizes & 0xfffff) - 1] | strings[(sizes & 0xfffff) + (sizes >> 20 & 0xfffff) - 1];
	if (all > sizes >> 40) {
		to[room - 1] = 1;
		pf_loss(loss + PF_STRING_TRUNCATED);
	}
	return 0;
}
