/*
 * The mapping that an address of the current process lies in.
 *
 * The kernel keeps a process's mappings in a tree: a maple tree since 6.1, before that a red-black tree. The routines for
 * either walk it with probe reads. That takes no lock, so that it neither fails while another thread maps memory nor
 * slows the process. Where the fields are, the kernel's types say. The compiler takes the first routine of which it finds
 * all of them; for a kernel with another tree there is the helper bpf_find_vma, which cannot wait for the lock.
 *
 * A tree may change during a walk. So what was found is checked, and looked for again if it is not right.
 */
#include "template.h"

/* Addresses of the kernel have their top bit set. */
static __always_inline int is_of_process(__u64 address)
{
	return (__s64)address >= 0;
}

/* 1 if a < b, else 0, without a jump, at which the verifier would go both ways in each step. b is a process's address. */
static __always_inline __u64 is_less(__u64 a, __u64 b)
{
	return (~a & (a - b)) >> 63;
}

/* One or the other by a 1 or 0, likewise. */
static __always_inline __u64 either(__u64 first, __u64 one, __u64 other)
{
	return other + first * (one - other);
}

/* What the current process has mapped; 0 for a kernel thread. */
static __always_inline __u64 current_mm(void)
{
	return pf_load(bpf_get_current_task() + pf_param(offset.task_struct.mm));
}

/* Whether the mapping holds the address. */
static __always_inline int holds(__u64 vma, __u64 address)
{
	return pf_load(vma + pf_param(offset.vm_area_struct.vm_start)) <= address &&
	       pf_load(vma + pf_param(offset.vm_area_struct.vm_end)) > address;
}

/* Walks before giving up, and how deep the tree may be: each node but the root has 5 slots at least, and 65,530 mappings are the most. */
#define PF_MAPLE_WALKS 4
#define PF_MAPLE_DEPTH 8
/* Pivots that are read at once, and the most that a node has, rounded up to them: the node is longer. */
#define PF_PIVOTS 3
#define PF_MAX_PIVOTS 18

/* The type of the node that an entry points to (mte_node_type, lib/maple_tree.c). */
static __always_inline __u64 node_type(__u64 entry)
{
	return entry >> 3 & 15;
}

/* A constant of nodes by whether the node that an entry points to is a maple_arange_64. */
#define PF_OF_NODE(entry, what, member)                                                            \
	either(is_less(node_type(entry) ^ pf_param(value.maple_type.maple_arange_64), 1),          \
	       pf_param(what.maple_arange_64.member), pf_param(what.maple_range_64.member))

/* Where the node has a member. */
#define PF_IN_NODE(entry, member) \
	(((entry) & ~(pf_param(size.maple_node) - 1)) + PF_OF_NODE(entry, offset, member))

/*
 * What the node that an entry points to has for an index: the next entry, or what the tree keeps there. A node divides its range among
 * its slots: pivot i is the last index of slot i, and the last slot, which has no pivot, ends where the node does.
 *
 * The verifier checks a step once, and not for each node of a walk.
 */
pf_global(__u64, pf_maple_step, __u64 entry, __u64 index)
{
	__u64 slot = 0, count;

#pragma clang loop unroll(disable)
	for (__u64 at = 0; at < PF_MAX_PIVOTS * sizeof(__u64); at += PF_PIVOTS * sizeof(__u64)) {
		__u64 pivot[PF_PIVOTS], below = 1;

		/* What follows from the entry is computed where it is needed, since the stack is short here. */
		asm volatile("" : "+r"(entry));
		bpf_probe_read_kernel(pivot, sizeof(pivot), (const void *)(PF_IN_NODE(entry, pivot) + at));
#pragma unroll
		for (__u64 i = 0; i < PF_PIVOTS; i++) {
			below &= is_less(pivot[i], index);
			slot += below;
		}
		if (!below)
			break;
	}
	/* Behind the pivots of the shorter nodes are slots. */
	count = PF_OF_NODE(entry, count, pivot);
	return pf_load(PF_IN_NODE(entry, slot) + (slot < count ? slot : count) * 8);
}

/*
 * The address of the `struct vm_area_struct`, or 0, in a maple tree. A pointer to a node has the node's type in its low
 * bits, and nodes are aligned to their size (mte_to_node, lib/maple_tree.c).
 *
 * Not finding a mapping is an answer; not being able to look is a loss.
 */
pf_global(__u64, pf_vma_maple, __u64 address, __u64 loss)
{
	__u64 vma = 1, entry;

	if (!current_mm() || !is_of_process(address))
		return 0;
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_MAPLE_WALKS; i++) {
		__u64 type, last = vma;

		/* What the process has is asked for where it is needed, since the stack is short here. */
		entry = pf_load(current_mm() + pf_param(offset.mm_struct.mm_mt.ma_root));
#pragma clang loop unroll(disable)
		for (__u64 depth = 0; depth < PF_MAPLE_DEPTH; depth++) {
			type = node_type(entry);
			entry = pf_maple_step(entry, address);
			/* A leaf: this is what the tree has. */
			if (type < pf_param(value.maple_type.maple_range_64))
				break;
		}
		vma = entry;
		if (holds(vma, address))
			return vma;
		if (!(vma | last))
			return 0;
	}
	/*
	 * While a mapping is cut in two, it has its new ends before the tree has its other part (__split_vma, mm/vma.c).
	 * It takes long where who does it is interrupted. What the tree has is what the address lay in, if it is alive.
	 */
	if (vma > 1 && pf_load(vma + pf_param(offset.vm_area_struct.vm_mm)) == current_mm())
		return vma;
	pf_loss(loss + PF_KERNEL_READ_FAILED);
	return 0;
}

/* Nodes to look at before giving up: four walks where there are up to some thousand mappings. */
#define PF_RED_BLACK_NODES 96

/* What is kept beside that: a walk found nothing, and nobody was changing anything when it began and ended. */
#define PF_MISSED 2

/* 1 if a thread may be changing the mappings: RWSEM_WRITER_LOCKED (kernel/locking/rwsem.c). */
static __always_inline __u64 is_changing(void)
{
	return pf_load(current_mm() + pf_param(offset.mm_struct.mmap_lock.count.counter)) & 1;
}

/*
 * The same in a red-black tree. Here a walk goes by the mappings' own ends, so that one that is cut in two, and any while
 * nodes are rotated, may be hidden for a moment. That nothing is mapped is believed the second time that
 * nobody was changing what is: a thread may begin and be done while one walk lasts.
 */
pf_global(__u64, pf_vma_red_black, __u64 address, __u64 loss)
{
	__u64 node, changing;

	if (!current_mm() || !is_of_process(address))
		return 0;
	changing = is_changing();
	node = pf_load(current_mm() + pf_param(offset.mm_struct.mm_rb.rb_node));
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < PF_RED_BLACK_NODES; i++) {
		__u64 vma = node - pf_param(offset.vm_area_struct.vm_rb);
		__u64 start, child;

		if (!node) {
			__u64 before = changing;

			changing = is_changing();
			if (!((before & 1) | changing)) {
				if (before)
					return 0;
				changing = PF_MISSED;
			}
			node = pf_load(current_mm() + pf_param(offset.mm_struct.mm_rb.rb_node));
			continue;
		}
		start = pf_load(vma + pf_param(offset.vm_area_struct.vm_start));
		if (start <= address && pf_load(vma + pf_param(offset.vm_area_struct.vm_end)) > address)
			return vma;
		child = either(is_less(address, start), pf_param(offset.rb_node.rb_left),
			       pf_param(offset.rb_node.rb_right));
		node = pf_load(node + child);
	}
	pf_loss(loss + PF_KERNEL_READ_FAILED);
	return 0;
}

#define ENOENT 2

struct task_struct;

/* Called by bpf_find_vma with the mapping's lock held. */
pf_template(long, pf_vma_found, struct task_struct *task, void *vma, void **found)
{
	(void)task;
	*found = vma;
	return 0;
}

/* The same by the helper: while another thread has the lock for writing it cannot look (-EBUSY). */
pf_template(__u64, pf_vma, __u64 address, __u64 loss)
{
	void *found = 0;
	long error = bpf_find_vma(bpf_get_current_task_btf(), address, pf_vma_found, &found, 0);

	if (error) {
		if (error != -ENOENT)
			pf_loss(loss + PF_KERNEL_READ_FAILED);
		return 0;
	}
	/*
	 * To the verifier this is a typed pointer, which may not be shifted or masked. A script deals in numbers, and
	 * a stack slot that was partly overwritten holds one. Kernel addresses begin with 0xff.
	 */
	((volatile __u8 *)&found)[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 7 : 0] = 0xff;
	return (__u64)found;
}
