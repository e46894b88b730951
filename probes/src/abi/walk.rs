//! Walks of stacks by tables: where the tables are, what a walk is, and what of it goes to user space.

use super::layout::{Struct, Type, field};
use super::{MEMO_PLACES, PYTHON, PYTHON_KEY, STACK};

/// The file that code is of.
pub const UNWIND_FILE: Struct = Struct {
    name: "unwind_file",
    doc: "The file that code is of; all 0 for the vdso.",
    fields: &[
        field("inode", Type::U64, "its number"),
        field(
            "device",
            Type::U32,
            "the file system's, as the kernel has it",
        ),
        field("reserved", Type::U32, "0"),
    ],
};

/// Where the table of a file is.
pub const UNWIND_TABLE: Struct = Struct {
    name: "unwind_table",
    doc: "Where the table of a file is.",
    fields: &[
        field("slot", Type::U32, "the element of the tables"),
        field(
            "first_chunk",
            Type::U32,
            "the chunk of the file that it begins with",
        ),
        field(
            "chunks",
            Type::U32,
            "how many it has; 0: frames are linked by the frame pointer; PF_UNWIND_PENDING: it is not there yet",
        ),
        field(
            "is_python",
            Type::U32,
            "1 if the file is an interpreter of Python",
        ),
        field(
            "python",
            Type::Struct(&PYTHON),
            "what must be known of it then",
        ),
    ],
};

/// What programs say of a file whose table they missed, in a ring buffer.
pub const UNWIND_WANTED: Struct = Struct {
    name: "unwind_wanted",
    doc: "What programs say of a file whose table they missed, in a ring buffer.",
    fields: &[
        field("file", Type::Struct(&UNWIND_FILE), "the file"),
        field("address", Type::U64, "an address of its code"),
        field("tgid", Type::U32, "the process"),
        field("reserved", Type::U32, "0"),
    ],
};

/// A walk by tables: the registers of the frame that is next, and the mapping that was looked up last.
pub const WALK: Struct = Struct {
    name: "walk",
    doc: "A walk by tables: the registers of the frame that is next, and the mapping that was looked up last.",
    fields: &[
        field("level", Type::U64, "of the scratch memory that this is in"),
        field(
            "depth",
            Type::U64,
            "how many frames are wanted, with PF_STACK_DEFAULT_DEPTH if nobody asked for so many",
        ),
        field("loss", Type::U64, "the probe's first counter of losses"),
        field("frames", Type::U64, "that were found, in this piece"),
        field("most", Type::U64, "that this piece is to have"),
        field(
            "earlier",
            Type::U64,
            "those of the pieces before, which are stored",
        ),
        field("hash", Type::U64, "of all these frames"),
        field(
            "hash_before",
            Type::U64,
            "what that was before the frame that was noted last",
        ),
        field("ip", Type::U64, "the address of the code"),
        field("sp", Type::U64, "the stack pointer"),
        field("stack", Type::U64, "what that was in the frame before"),
        field("fp", Type::U64, "the frame pointer"),
        field("lr", Type::U64, "the link register, on arm64"),
        field("address_bits", Type::U64, "of an address; others sign it"),
        field("bx", Type::U64, "rbx of the first frame, on x86-64"),
        field(
            "bx_at",
            Type::U64,
            "where on the stack rbx of the frame is; 0: it is that of the first frame",
        ),
        field(
            "exact",
            Type::U64,
            "1 if the address is of an instruction that runs next, 0 if it is where a call returns to",
        ),
        field(
            "space",
            Type::U64,
            "stands for the mappings of the process, as they are; 0: nothing does",
        ),
        field(
            "is_known",
            Type::U64,
            "1 if the mapping and the row of the frame are looked up",
        ),
        field("row", Type::U64, "of the frame"),
        field("inode", Type::U64, "of the file that is mapped; 0: none"),
        field("start", Type::U64, "of the mapping"),
        field(
            "early",
            Type::U64,
            "1 if a table was not there yet, and the rest could not be left to user space",
        ),
        field("end", Type::U64, "of the mapping; 0 if there is none"),
        field(
            "base",
            Type::U64,
            "what makes an address an offset in the file",
        ),
        field(
            "files",
            Type::U64,
            "stands for the files of all frames and for where they are mapped: other code may be at the same addresses later",
        ),
        field("table", Type::U32, "the element of the tables"),
        field(
            "first_chunk",
            Type::U32,
            "the chunk that the table begins with",
        ),
        field(
            "chunks",
            Type::U32,
            "of the table; 0: frames are linked by the frame pointer",
        ),
        field(
            "python",
            Type::U32,
            "how far the search for Python's frames is: PF_PYTHON_…",
        ),
        field(
            "is_python",
            Type::U32,
            "1 if the file that is mapped is an interpreter of Python",
        ),
        field("missing", Type::U32, "1 if its table is not there yet"),
        field(
            "wanted",
            Type::Struct(&UNWIND_WANTED),
            "what is mapped, and what is said if its table is missed",
        ),
        field(
            "pending",
            Type::Struct(&UNWIND_TABLE),
            "what stands for a table that is not there yet",
        ),
        field("low", Type::U64, "the word below the next"),
        field("high", Type::U64, "that was read last"),
        field(
            "interpreter",
            Type::Struct(&PYTHON),
            "that Python's frames are of, where it was found",
        ),
        field("python_frame", Type::U64, "Python's frame that is next"),
        field(
            "python_anchor",
            Type::U64,
            "where on the C stack the function is marked that runs it; 0: nowhere",
        ),
        field(
            "python_key",
            Type::Struct(&PYTHON_KEY),
            "the code object of the frame before",
        ),
        field("python_code", Type::U64, "its address"),
        field(
            "python_goes_on",
            Type::U64,
            "1 if more frames of Python belong to the C function that was noted last",
        ),
        field(
            "left",
            Type::U64,
            "the id of a stack whose rest is left to user space, else 0",
        ),
    ],
};

/// How often a stack was left to user space.
pub const REST_COUNT: Struct = Struct {
    name: "rest_count",
    doc: "How often a stack was left to user space.",
    fields: &[
        field("count", Type::U64, "how often"),
        field("loss", Type::U64, "the first of the probe's counters"),
        field("lost", Type::U64, "1 if the copy did not arrive"),
    ],
};

/// What user space needs to walk on where a walk in the kernel found no table.
pub const REST: Struct = Struct {
    name: "rest",
    doc: "What user space needs to walk on where a walk in the kernel found no table.",
    fields: &[
        field("id", Type::U64, "of the stack"),
        field("time", Type::U64, "CLOCK_MONOTONIC"),
        field("ip", Type::U64, "as in struct pf_walk"),
        field("sp", Type::U64, "likewise; the copy begins there"),
        field("end", Type::U64, "where the stack ends; 0: nowhere"),
        field("fp", Type::U64, "likewise"),
        field("lr", Type::U64, "likewise"),
        field("address_bits", Type::U64, "likewise"),
        field("bx", Type::U64, "rbx of the frame, on x86-64"),
        field("exact", Type::U64, "as in struct pf_walk"),
        field(
            "depth",
            Type::U64,
            "frames that are wanted, with PF_STACK_DEFAULT_DEPTH",
        ),
        field("tgid", Type::U32, "the process"),
        field(
            "pages",
            Type::U32,
            "a bit for each page that could be read, from that of the stack pointer on",
        ),
        field("length", Type::U32, "bytes of the copy"),
        field(
            "frames",
            Type::U32,
            "frames that were found, that of the registers among them",
        ),
        field(
            "counted",
            Type::Struct(&REST_COUNT),
            "what its counter begins as",
        ),
        field("stack", Type::Bytes, "the copy"),
    ],
};

/// What was found out about an address: the mapping that it lies in, the table of the file that is mapped there, and the row.
pub const MEMO: Struct = Struct {
    name: "memo",
    doc: "What was found out about an address: the mapping that it lies in, the table of the file that is mapped there, and the row.",
    fields: &[
        field(
            "key",
            Type::U64,
            "stands for the address and the mappings of the process; 0: nothing is remembered",
        ),
        field("row", Type::U64, "as in the table; 0: there is none"),
        field("start", Type::U64, "as in struct pf_walk"),
        field("end", Type::U64, "likewise"),
        field("base", Type::U64, "likewise"),
        field("inode", Type::U64, "the file's; 0: it is of none"),
        field("table", Type::U32, "as in struct pf_walk"),
        field("first_chunk", Type::U32, "likewise"),
        field("chunks", Type::U32, "likewise"),
        field(
            "is_python",
            Type::U32,
            "1 if the file is an interpreter of Python",
        ),
    ],
};

/// What a CPU captures stacks into, in a level of scratch memory.
pub const CAPTURE: Struct = Struct {
    name: "capture",
    doc: "What a CPU captures stacks into, in a level of scratch memory.",
    fields: &[
        field(
            "wanted",
            Type::U64,
            "bytes of frames that are likely to hold the next stack",
        ),
        field("id", Type::U64, "of the stack"),
        field(
            "walk",
            Type::Struct(&WALK),
            "the walk, where it is by tables",
        ),
        field(
            "memo",
            Type::Structs(&MEMO, MEMO_PLACES),
            "what this CPU remembers of code, each address in a place of its own choice",
        ),
        field("stack", Type::Struct(&STACK), "the stack"),
    ],
};
