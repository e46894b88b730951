/*
 * The mapping that an address of the current process lies in.
 */
#include "template.h"

#define ENOENT 2

struct task_struct;

/* Called by bpf_find_vma with the mapping's lock held. */
pf_template(long, pf_vma_found, struct task_struct *task, void *vma, void **found)
{
	(void)task;
	*found = vma;
	return 0;
}

/*
 * The address of the `struct vm_area_struct`, or 0. Not finding one is an answer; not being able to look is a loss
 * (bpf_find_vma cannot wait for the lock: -EBUSY).
 */
pf_template(__u64, pf_vma, __u64 address, __u64 loss)
{
	void *found = 0;
	long error = bpf_find_vma(bpf_get_current_task_btf(), address, pf_vma_found, &found, 0);

	if (error) {
		if (error != -ENOENT)
			pf_loss(loss + PF_READ_FAILED);
		return 0;
	}
	/*
	 * To the verifier this is a typed pointer, which may not be shifted or masked. A script deals in numbers, and
	 * a stack slot that was partly overwritten holds one. Kernel addresses begin with 0xff.
	 */
	((volatile __u8 *)&found)[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 7 : 0] = 0xff;
	return (__u64)found;
}
