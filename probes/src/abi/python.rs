//! What programs and user space must agree on about frames of Python: where an interpreter keeps them, and how a function is
//! named.

use super::layout::{Struct, Type, field};

/// What must be known of an interpreter of Python to find its frames: CPython 3.11 to 3.13.
///
/// A thread has a chain of frames, the innermost first. A C function runs several, up to one that is marked, and says by an *anchor*
/// on the C stack which function that is: up to 3.12 a structure that the thread has a chain of (`_PyCFrame`), then the marked
/// frame itself.
pub const PYTHON: Struct = Struct {
    name: "python",
    doc: "What must be known of an interpreter of Python to find its frames. Numbers without a unit are places in structures, in bytes.",
    fields: &[
        field(
            "interpreters",
            Type::U64,
            "where the address of the first interpreter is: an offset in the file, as its code is mapped",
        ),
        field(
            "code_type",
            Type::U64,
            "where the type of code objects is, likewise",
        ),
        field("next_interpreter", Type::U32, "of an interpreter"),
        field("first_thread", Type::U32, "of an interpreter"),
        field("next_thread", Type::U32, "of a thread"),
        field("thread_id", Type::U32, "of a thread: its pthread_t"),
        field(
            "thread_frame",
            Type::U32,
            "of a thread: the innermost frame, or the innermost anchor if there is a chain of these",
        ),
        field("has_anchors", Type::U32, "1 if there is a chain of anchors"),
        field(
            "anchor_frame",
            Type::U32,
            "of an anchor: the innermost frame",
        ),
        field("anchor_previous", Type::U32, "of an anchor: the one before"),
        field("code", Type::U32, "of a frame: its code object"),
        field("previous", Type::U32, "of a frame: the one before"),
        field(
            "instruction",
            Type::U32,
            "of a frame: the address of its instruction",
        ),
        field(
            "mark",
            Type::U32,
            "of a frame: the byte that marks the last one of a C function",
        ),
        field("marked", Type::U32, "the value of that byte then"),
        field(
            "marks_own",
            Type::U32,
            "1 if a marked frame is a function's, 0 if it stands between",
        ),
        field(
            "texts",
            Type::U32,
            "of a code object: its file, name, qualified name and table of lines, a word each",
        ),
        field("first_line", Type::U32, "of a code object"),
        field("bytecode", Type::U32, "of a code object"),
        field(
            "ascii",
            Type::U32,
            "of a string: its characters, if these are ASCII",
        ),
        field("wide", Type::U32, "of a string: its characters, if not"),
        field("reserved", Type::U32, "0"),
    ],
};

/// By what a process's code object of Python is known.
pub const PYTHON_KEY: Struct = Struct {
    name: "python_key",
    doc: "By what a code object of Python is known.",
    fields: &[
        field(
            "id",
            Type::U64,
            "43 bits, of its address and those of its texts",
        ),
        field("tgid", Type::U32, "the process"),
        field("reserved", Type::U32, "0"),
    ],
};

/// What programs say of a code object of Python when they first see it, in a ring buffer. The three texts follow, of which at most
/// `PYTHON_NAME_BYTES`, `PYTHON_PATH_BYTES` and `PYTHON_LINES_BYTES` are there.
pub const PYTHON_CODE: Struct = Struct {
    name: "python_code",
    doc: "What programs say of a code object of Python when they first see it, in a ring buffer.",
    fields: &[
        field("key", Type::Struct(&PYTHON_KEY), "the code object"),
        field("first_line", Type::U32, "of the source"),
        field("name_bytes", Type::U32, "of the qualified name"),
        field("name_state", Type::U32, "bits 2 to 4: bytes of a character"),
        field("path_bytes", Type::U32, "of the source file's path"),
        field("path_state", Type::U32, "likewise"),
        field("lines_bytes", Type::U32, "of the table of lines"),
        field(
            "texts",
            Type::Bytes,
            "the name, the path and the table, one behind the other",
        ),
    ],
};
