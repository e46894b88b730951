/*
 * Memory of the kernel and of the current process: reads and comparisons.
 *
 * One address space, as in the language: an address with its top bit set is the kernel's, on x86-64 and on arm64.
 */
#include "template.h"

/* Below this are only the fields of null pointers: processes may not map it (vm.mmap_min_addr, by default). */
#define PF_NULL_BYTES 65536

static __always_inline int is_kernel(__u64 address)
{
	return (__s64)address < 0;
}

/*
 * Counts what could not be read, unless it is a null pointer's field: where there is nothing, nothing is lost, but where `loss` says so.
 */
static __always_inline void failed(__u64 address, __u64 loss)
{
	if (address >= PF_NULL_BYTES || (loss & PF_NULL_COUNTS))
		pf_loss(loss + (is_kernel(address) ? PF_KERNEL_READ_FAILED : PF_USER_READ_FAILED));
}

/*
 * Whether `size` bytes could be read. If not, `to` is all zero: the kernel's helpers see to that
 * (bpf_probe_read_user_common and bpf_probe_read_kernel_common, kernel/trace/bpf_trace.c).
 */
pf_template(__u64, pf_read, void *to, __u64 size, __u64 address, __u64 loss)
{
	const void *from = (const void *)address;
	long error;

	if (is_kernel(address))
		error = bpf_probe_read_kernel(to, size, from);
	else
		error = bpf_probe_read_user(to, size, from);
	if (error) {
		failed(address, loss);
		return 0;
	}
	return 1;
}

/*
 * The length of the string, with its NUL; 0 if it could not be read, and then `to` is all zero, as above.
 * What follows the NUL in `to` stays as it was, but for the rest of the NUL's own word, which may be zero.
 * A string that is cut is counted, and the last byte of the words that it is in, with one byte more, says so by not being zero: but
 * not where `loss` says that the script chose the length.
 */
pf_template(__u64, pf_read_str, void *to, __u64 size, __u64 address, __u64 loss)
{
	const void *from = (const void *)address;
	__u8 last = 0;
	long length;

	if (is_kernel(address))
		length = bpf_probe_read_kernel_str(to, size, from);
	else
		length = bpf_probe_read_user_str(to, size, from);
	if (length < 0) {
		failed(address, loss);
		return 0;
	}
	/* An empty string of a process: 0 in kernels up to 6.12 (strncpy_from_user_nofault, mm/maccess.c). */
	if (length == 0)
		return 1;
	if (pf_unlikely((__u64)length == size && !(loss & PF_STRING_LIMIT_CHOSEN))) {
		__u8 *string = to;

		/* Full: either the string just fits, or the NUL took the place of another character. */
		from += size - 1;
		if (is_kernel(address))
			bpf_probe_read_kernel(&last, 1, from);
		else
			bpf_probe_read_user(&last, 1, from);
		if (last && (loss & PF_STRING_ARRAY)) {
			string[size - 1] = last;
		} else if (last) {
			string[((size + 8) & ~7ULL) - 1] = 1;
			pf_loss(loss + PF_STRING_TRUNCATED);
		}
	}
	return length;
}

/* 1 if the first n bytes, n a multiple of 8, are the same. */
pf_template(__u64, pf_streq, const __u64 *a, const __u64 *b, __u64 n)
{
	__u64 words = n / 8;

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_MAX_STRING_BYTES / 8; i++) {
		if (i >= words)
			break;
		if (a[i] != b[i])
			return 0;
	}
	return 1;
}

/* Whether one of a word's bytes is zero: only then does a borrow reach its top bit. */
static __always_inline int has_zero(__u64 word)
{
	return ((word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL) != 0;
}

/* The bytes before the NUL of a string in `room` bytes, a multiple of 8. */
pf_template(__u64, pf_strlen, const __u64 *string, __u64 room)
{
	__u64 words = room / 8;

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_MAX_STRING_BYTES / 8; i++) {
		__u64 word, length;

		if (i >= words)
			break;
		word = string[i];
		if (!has_zero(word))
			continue;
#pragma clang loop unroll(disable)
		for (length = i * 8; word & 0xff; length++)
			word >>= 8;
		return length;
	}
	/* The last byte only says that the string was cut. */
	return room - 1;
}
