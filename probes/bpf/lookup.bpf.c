/*
 * What is known of an address of code: the mapping that it lies in, the file that is mapped there, that file's table, and the row.
 *
 * The mappings are the kernel's own, and tables are by file, so that one serves all processes. A table that is not there yet is asked
 * for. What was found is remembered.
 */
#include "template.h"
#include "capture.h"
#include "memo.h"

/* Rows of a chunk are at most its bytes. */
#define PF_SEARCH_STEPS PF_UNWIND_CHUNK_BITS

/* Has user space make the table of a file, and nobody else ask for it. */
static __always_inline void ask_for_table(struct pf_walk *walk, __u64 address)
{
	walk->pending.chunks = PF_UNWIND_PENDING;
	walk->wanted.address = address;
	walk->wanted.tgid = bpf_get_current_pid_tgid() >> 32;
	if (bpf_map_update_elem(&pf_map_unwind_files, &walk->wanted.file, &walk->pending, BPF_NOEXIST))
		return;
	if (bpf_ringbuf_output(&pf_map_unwind_wanted, &walk->wanted, sizeof(walk->wanted), 0))
		bpf_map_delete_elem(&pf_map_unwind_files, &walk->wanted.file);
}

/* Finds the table of a mapping, if it has one. 0 if it is not there yet. */
static __always_inline int find_table(struct pf_walk *walk, __u64 vma, __u64 address)
{
	struct pf_unwind_table *table;
	__u64 file = pf_load(vma + pf_param(offset.vm_area_struct.vm_file));

	walk->chunks = 0;
	walk->is_python = 0;
	walk->inode = 0;
	walk->wanted.file.inode = 0;
	walk->wanted.file.device = 0;
	if (file) {
		__u64 inode = pf_load(file + pf_param(offset.file.f_inode));
		__u64 super = pf_load(inode + pf_param(offset.inode.i_sb));

		walk->inode = pf_load(inode + pf_param(offset.inode.i_ino));
		walk->wanted.file.inode = walk->inode;
		walk->wanted.file.device = pf_load(super + pf_param(offset.super_block.s_dev));
		take_in_file(walk);
	} else {
		__u64 mm = pf_load(vma + pf_param(offset.vm_area_struct.vm_mm));

		if (pf_load(mm + pf_param(offset.mm_struct.context.vdso)) != walk->start)
			return 1;
	}
	table = bpf_map_lookup_elem(&pf_map_unwind_files, &walk->wanted.file);
	if (!table) {
		ask_for_table(walk, address);
		return 0;
	}
	if (table->chunks == PF_UNWIND_PENDING)
		return 0;
	walk->table = table->slot;
	walk->first_chunk = table->first_chunk;
	walk->chunks = table->chunks;
	walk->is_python = table->is_python;
	if (pf_unlikely(table->is_python) && walk->python == PF_PYTHON_NONE)
		walk->python = PF_PYTHON_SEEN;
	return 1;
}

/* Makes `walk` speak of the mapping that the address lies in. Nothing but code is a frame. */
static __always_inline int enter_mapping(struct pf_walk *walk, __u64 vma)
{
	walk->end = 0;
	if (!vma || !(pf_load(vma + pf_param(offset.vm_area_struct.vm_flags)) & PF_EXECUTABLE))
		return 0;
	walk->start = pf_load(vma + pf_param(offset.vm_area_struct.vm_start));
	walk->end = pf_load(vma + pf_param(offset.vm_area_struct.vm_end));
	walk->base = (pf_load(vma + pf_param(offset.vm_area_struct.vm_pgoff)) << pf_param(page_shift)) - walk->start;
	return 1;
}

/* The row of the table that was found last for an offset in the file; 0, which is the unknown rule, if there is none. */
pf_global(__u64, pf_unwind_row, __u64 level, __u64 offset)
{
	struct pf_capture *capture = capture_of(level);
	__u64 within = offset & PF_CHUNK_MASK, row, *word;
	__u32 from, to, chunk;
	void *table;

	if (!capture)
		return 0;
	chunk = (offset >> PF_UNWIND_CHUNK_BITS) - capture->walk.first_chunk;
	if (chunk >= capture->walk.chunks)
		return 0;
	table = bpf_map_lookup_elem(&pf_map_unwind_tables, &capture->walk.table);
	if (!table)
		return 0;
	word = bpf_map_lookup_elem(table, &chunk);
	if (!word)
		return 0;
	from = *word;
	chunk++;
	word = bpf_map_lookup_elem(table, &chunk);
	if (!word)
		return 0;
	to = *word;
	word = bpf_map_lookup_elem(table, &from);
	if (!word)
		return 0;
	row = *word;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < PF_SEARCH_STEPS; i++) {
		__u32 middle = from + (to - from) / 2;

		if (middle == from)
			break;
		word = bpf_map_lookup_elem(table, &middle);
		if (!word)
			return 0;
		if ((*word & PF_CHUNK_MASK) <= within) {
			from = middle;
			row = *word;
		} else {
			to = middle;
		}
	}
	return row;
}

/* Remembers them. */
static __always_inline void remember(struct pf_capture *capture)
{
	const struct pf_walk *walk = &capture->walk;
	__u64 key = memo_key(walk);
	struct pf_memo *memo = memo_of(capture, key);

	memo->key = key;
	memo->row = walk->row;
	memo->start = walk->start;
	memo->end = walk->end;
	memo->base = walk->base;
	memo->inode = walk->inode;
	memo->table = walk->table;
	memo->first_chunk = walk->first_chunk;
	memo->chunks = walk->chunks;
	memo->is_python = walk->is_python;
}

/*
 * Makes `walk` speak of the mapping and the row of the next frame's address. PF_WALK_CUT if nothing but data is there; PF_WALK_EARLY if its
 * table is not there yet, and then the frame is noted.
 */
pf_global(__u64, pf_look_up, __u64 level)
{
	struct pf_capture *capture = capture_of(level);
	struct pf_walk *walk;
	__u64 address, vma;

	if (!capture)
		return PF_WALK_CUT;
	walk = &capture->walk;
	address = instruction_of(walk);
	walk->row = 0;
	if (address < walk->start || address >= walk->end) {
		vma = vma_of(address);
		if (!enter_mapping(walk, vma))
			return PF_WALK_CUT;
		walk->missing = !find_table(walk, vma, address);
		if (walk->missing && !walk->early)
			return note_address(capture) ? PF_WALK_EARLY : PF_WALK_CUT;
	}
	walk->is_known = 1;
	if (walk->chunks)
		walk->row = pf_unwind_row(level, address + walk->base);
	if (walk->space && !walk->missing)
		remember(capture);
	return PF_WALK_ON;
}
