//! The binary interface between the templates, the compiler and the runtime: every number, name and layout that the C in
//! `bpf/` and the Rust of all crates must agree on.
//!
//! In comes nothing; out go constants, and [`c_header`], the text of `bpf/abi.h`. `probes/build` writes that file, and a
//! test compares it, so that the C side is never edited by hand. A constant `NAME` is `PF_NAME` in C, a structure `NAME` is
//! `struct pf_name`, a cause of loss `SomeCause` is `PF_SOME_CAUSE`. What only one side knows stays out: which
//! routines there are is in the objects (`catalogue.rs`), how maps are made is in [`maps`](crate::maps).

pub mod helper;
pub mod layout;
pub mod map;

mod aggregate;
mod header;
mod python;
mod walk;

pub use aggregate::{
    AVERAGE, AVERAGE_COUNT, AVERAGE_TOTAL, EXTREME, EXTREME_RANK, EXTREME_SET, INTERVAL,
    INTERVAL_NUMBER, INTERVAL_VALUE, INTERVAL_WEIGHT, SAMPLE, SAMPLE_MODE, SAMPLE_NUMBER,
    SAMPLE_TIME, SAMPLE_VALUE, SERIES, SERIES_HEADER,
};
pub use header::c_header;
use layout::{Extent, Struct, Type, field};
pub use python::{PYTHON, PYTHON_CODE, PYTHON_KEY};
pub use walk::{CAPTURE, MEMO, REST, REST_COUNT, UNWIND_FILE, UNWIND_TABLE, UNWIND_WANTED, WALK};

/// The constant of an entry: the index of its probe's first counter of losses.
pub const LOSS_PARAMETER: &str = "pf_param_loss";
/// The routine that counts a loss; the other routines and the entries call it.
pub const LOSS_ROUTINE: &str = "pf_loss";
/// The routine that stands for the helper `bpf_get_current_pid_tgid` where a session runs in a pid namespace of its own.
pub const PID_TGID_ROUTINE: &str = "pf_pid_tgid";
/// The constant of that routine: the namespace's inode number, as `/proc/self/ns/pid` has it.
pub const PID_NAMESPACE_PARAMETER: &str = "pf_param_pid_namespace";
/// The routine that captures a stack by tables. Others of its kind have names that begin so.
pub const STACK_BY_TABLES: &str = "pf_stack_by_tables";
/// The constant of these: the frames that there is room for.
pub const STACK_DEPTH_PARAMETER: &str = "pf_param_stack_depth";
/// Likewise: 1 if the kernel keeps mappings in a maple tree, 0 if in a red-black tree.
pub const MAPLE_PARAMETER: &str = "pf_param_is_maple";
/// Likewise: 1 if the kernel is for arm64, 0 if it is for x86-64.
pub const ARM64_PARAMETER: &str = "pf_param_is_arm64";
/// Likewise: the power of two that a page has bytes.
pub const PAGE_SHIFT_PARAMETER: &str = "pf_param_page_shift";
/// Likewise: 1 if the kernel has uprobes, and with them functions that return to its code.
pub const UPROBES_PARAMETER: &str = "pf_param_has_uprobes";
/// Likewise: 1 if the kernel counts the changes of a process's mappings.
pub const MM_LOCK_SEQ_PARAMETER: &str = "pf_param_has_mm_lock_seq";
/// The entry of programs that cannot be preempted, which claims a frame of scratch memory.
pub const FRAMED_ENTRY: &str = "pf_enter_framed";
/// The entry of programs that can be preempted and cannot sleep, likewise.
pub const PREEMPTIBLE_ENTRY: &str = "pf_enter_preemptible";

/// Defines the causes of loss and the list of them, in the order of their numbers.
macro_rules! causes {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Why something that happened is missing from what was delivered.
        ///
        /// There is one counter for each probe and cause, in the per-CPU array [`map::LOSS`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum LossCause { $($(#[doc = $doc])+ $name,)+ }

        /// Counters a probe has: the counter of `(probe, cause)` is `probe * LOSS_CAUSES + cause`.
        pub const LOSS_CAUSES: u32 = [$(LossCause::$name),+].len() as u32;

        impl LossCause {
            /// All causes, by their number.
            pub const ALL: [LossCause; LOSS_CAUSES as usize] = [$(LossCause::$name),+];
        }

        /// Their names, and what is said about each.
        const CAUSES: &[(&str, &[&str])] = &[$((stringify!($name), &[$($doc),+])),+];
    };
}

causes! {
    /// A map had no room for another key.
    MapFull,
    /// The event buffer had no room for another record.
    EventsFull,
    /// The stack table had no room for another stack.
    StacksFull,
    /// A stack could not be walked.
    StackFailed,
    /// A stack had more frames than were asked for by default.
    StackTruncated,
    /// A string was longer than the room for it.
    StringTruncated,
    /// Memory of the kernel could not be read; the value is zero.
    KernelReadFailed,
    /// Memory of a process could not be read, other than through a null pointer; the value is zero.
    UserReadFailed,
    /// Probes nested deeper than there is scratch memory for: the run was skipped.
    ScratchBusy,
    /// The kernel could not allocate another key or stack.
    NoMemory,
    /// The walk of a stack went astray, up to the depth that is asked for by default. This is no loss.
    StackAstray,
    /// A loop was ended after as many turns as it may take.
    LoopCut,
    /// A user stack ends before the frame that was called by none. This is no loss.
    StackCut,
    /// The table to unwind a file's code by was not there yet, and the stack could not be left to user space, so that frame pointers
    /// were followed instead. This is no loss.
    StackEarly,
}

/// Defines constants and the list of them.
macro_rules! constants {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ident = $value:expr;)+) => {
        $($(#[doc = $doc])+ pub const $name: $type = $value;)+

        /// Their names and values, and what is said about each.
        const CONSTANTS: &[(&str, u64, &[&str])] =
            &[$((stringify!($name), $value, &[$($doc),+])),+];
    };
}

constants! {
    /// How deep probes may nest on one CPU: task, softirq, hardirq, NMI. Elements of each map of scratch memory.
    SCRATCH_LEVELS: u32 = 4;
    /// The most frames of a stack that is walked by tables, and those that it has unless told otherwise.
    MAX_STACK_FRAMES: u32 = 2048;
    /// The most that the kernel walks (`PERF_MAX_STACK_DEPTH`), and the most in an element of the table of stacks: of a deeper stack
    /// each element is a piece.
    STACK_PIECE_FRAMES: u32 = 127;
    /// Stacks that are remembered to be stored; a power of two.
    KNOWN_STACKS: u32 = 512;
    /// Where stacks are given up, the element of the remembered ones that is the generation of the table in use. It only rises.
    KNOWN_GENERATION: u32 = 0;
    /// Likewise, how many stacks were stored in both tables so far.
    KNOWN_STORED: u32 = 1;
    /// Likewise, the first element that is a stack.
    KNOWN_FIRST: u32 = 2;
    /// The longest room for a string, a power of two; no routine looks further.
    MAX_STRING_BYTES: u32 = 1 << 14;
    /// Strings of an array that `join()` prints.
    JOINED_STRINGS: u32 = 16;
    /// Flag of `pf_stack`: the stack of the process, not of the kernel (`BPF_F_USER_STACK`).
    STACK_USER: u64 = 1 << 8;
    /// Bit of a stack's process: the walk was by tables, so that its words may have the marks that follow. What the kernel walks by
    /// frame pointers may be any number.
    STACK_MARKED: u32 = 1 << 31;
    /// Bit of the address of a user stack's frame that is not the first: a signal interrupted it, so it is of the instruction that runs
    /// next, and not where a call returns to.
    STACK_INTERRUPTED: u64 = 1 << 63;
    /// Bit of a word of a user stack: it is a frame of Python, and stands for no address. Below it are 43 bits that the function's
    /// code is known by in its process, then `PYTHON_UNITS` bits: the instruction, in units of 2 bytes from the first.
    STACK_PYTHON: u64 = 1 << 62;
    /// The bits of the instruction in such a word; all are 1 if it is not known.
    PYTHON_UNITS: u32 = 19;
    /// The most bytes of a function's name that are copied, as the interpreter has it: 1, 2 or 4 bytes a character.
    PYTHON_NAME_BYTES: u32 = 256;
    /// The most bytes of the path of its source file, likewise.
    PYTHON_PATH_BYTES: u32 = 512;
    /// The most bytes of its table of lines. Of the standard library's functions, one of 3,000 has more.
    PYTHON_LINES_BYTES: u32 = 8192;
    /// Bit of the address of a user stack's last frame: what comes behind it is left to user space.
    STACK_UNFINISHED: u64 = 1 << 61;
    /// Flag of `pf_stack`, above the kernel's 32 bits: nobody asked for this depth, so a deeper stack is a loss.
    STACK_DEFAULT_DEPTH: u64 = 1 << 32;
    /// Flag of `pf_read_str`, in `loss` above the counter's 32 bits: the script chose the length, so a longer string is no loss.
    STRING_LIMIT_CHOSEN: u64 = 1 << 32;
    /// Likewise: the string is in an array of that size, where it needs no NUL, and there is room for one behind it.
    STRING_ARRAY: u64 = 1 << 33;
    /// Flag of `pf_read` and `pf_read_str`, likewise: what is read through a null pointer is counted, too.
    NULL_COUNTS: u64 = 1 << 34;
    /// The most turns of a loop over numbers: `BPF_MAX_LOOPS`.
    MAX_LOOP_TURNS: u64 = 1 << 23;
    /// The most turns of all `while` loops of a run together, so that no condition that never fails holds a CPU for long.
    MAX_WHILE_TURNS: u64 = 1 << 20;
    /// Tables of how to unwind are cut into chunks of 2 to this power bytes of the file. A table is an array of words: for each
    /// chunk, and once more for the end, the element at which its rows begin; then the rows. A row holds from its offset in the
    /// chunk up to the next row, and the first row of a chunk is at its beginning.
    UNWIND_CHUNK_BITS: u32 = 12;
    /// Bits of a row: from this one up, 4 bits that say the rule. Below it is the offset in the chunk.
    UNWIND_RULE: u32 = 12;
    /// From this one up, 20 bits, signed: the number of the rule, in words (8 bytes) unless it says otherwise.
    UNWIND_CFA: u32 = 16;
    /// From this one up, 14 bits, signed: where the caller's frame pointer is, in words from the CFA and below it; 0: unchanged.
    UNWIND_FP: u32 = 36;
    /// From this one up, 14 bits, signed: where the return address is, in words from the CFA; 0: in the link register.
    UNWIND_RA: u32 = 50;
    /// Rule: nothing is known of this address.
    UNWIND_UNKNOWN: u64 = 0;
    /// Rule: this frame was called by none.
    UNWIND_OUTERMOST: u64 = 1;
    /// Rule: the CFA is the stack pointer and the number.
    UNWIND_FROM_SP: u64 = 2;
    /// Rule: the CFA is the frame pointer and the number.
    UNWIND_FROM_FP: u64 = 3;
    /// Rule: the CFA is the word at the stack pointer and the number, plus as many words as the bits for the return address say.
    /// That is one word below the CFA.
    UNWIND_AT_SP: u64 = 4;
    /// Rule: the same at the frame pointer and the number; there the caller's frame pointer is counted from the frame pointer, and 0
    /// is no exception.
    UNWIND_AT_FP: u64 = 5;
    /// Rule: an entry of the procedure linkage table of x86-64. The CFA is the stack pointer plus 8, or 16 if the low 4 bits of the
    /// address are the number or more.
    UNWIND_PLT: u64 = 6;
    /// Rule: the return of a signal handler. The registers are in the signal's frame.
    UNWIND_SIGNAL: u64 = 7;
    /// Rule: the CFA is a register of x86-64 that calls do not keep, and the number. The return address is one word below. The bits for it say
    /// which register: where it is in the kernel's `struct pt_regs`, in words. Functions that touch the pages of a large frame one after
    /// the other, and those that align their stack, have their frame there for a moment. The bits for the frame pointer, if more than 0, count
    /// from the frame pointer, and from 1.
    UNWIND_FROM_SCRATCH: u64 = 9;
    /// Rule: as that from the frame pointer, which is of another stack than the stack pointer.
    UNWIND_MOVED: u64 = 14;
    /// Rule: Go's code that runs on a thread's own stack. The CFA is the stack pointer that the thread's goroutine left off with, plus as
    /// many words as the bits for the return address say. That is one word below the CFA. The bits for the frame pointer say how
    /// many words from the thread's base the running goroutine is named, and the number where its thread's one is in what Go knows of
    /// a thread, in words.
    UNWIND_GOROUTINE: u64 = 15;
    /// The chunks of a table that is not there yet.
    UNWIND_PENDING: u32 = 0xffff_ffff;
    /// Bit of a rule: the return address is one word below the CFA, and the bits for it say where the caller's rbx is, in words from
    /// the CFA; 0: unchanged. The dynamic linker's code that finds a function when it is first called keeps its frame in rbx.
    UNWIND_SAVES_BX: u64 = 8;
    /// Rule, with that bit: the CFA is rbx and the number.
    UNWIND_FROM_BX: u64 = 8;
    /// What became of a step of a walk: there is another frame.
    WALK_ON: u64 = 0;
    /// The frame was called by none.
    WALK_WHOLE: u64 = 1;
    /// The caller cannot be found.
    WALK_CUT: u64 = 2;
    /// How far the search for Python's frames in a walk is: no interpreter was passed yet.
    PYTHON_NONE: u32 = 0;
    /// The mapping that was entered last is of an interpreter.
    PYTHON_SEEN: u32 = 1;
    /// The thread's frames were looked for.
    PYTHON_BEGUN: u32 = 2;
    /// The table of the last frame's code is not there yet.
    WALK_EARLY: u64 = 3;
    /// What comes behind the last frame is left to user space.
    WALK_LEFT: u64 = 4;
    /// There are as many frames as are wanted, or as go into a piece.
    WALK_FULL: u64 = 5;
    /// The table of stacks did not take a piece.
    WALK_LOST: u64 = 6;
    /// The frame's code is to be looked up.
    WALK_UNKNOWN: u64 = 7;
    /// Addresses of code that are remembered, in as many places: a power of two.
    MEMO_PLACES: u32 = 256;
    /// Bytes of the stack that user space gets to walk on in: as many pages as each CPU can have memory for.
    REST_BYTES: u32 = 7 << 12;
    /// Bit of `pf_minmax`'s mode: keep the greatest value, not the least.
    MINMAX_MAX: u64 = 1;
    /// Bit of `pf_minmax`'s mode: the values are signed.
    MINMAX_SIGNED: u64 = 2;
}

/// What every record in the event buffer begins with. The compiler writes it, the runtime reads it.
pub const RECORD: Struct = Struct {
    name: "record",
    doc: "What every record in the event buffer begins with; the fields of its kind follow.",
    fields: &[
        field(
            "kind",
            Type::U32,
            "index into the manifest's kinds of records",
        ),
        field("probe", Type::U32, "index of the probe"),
    ],
};
/// The kind of a record.
pub const RECORD_KIND: Extent = RECORD.extent("kind");
/// The probe's index in a record.
pub const RECORD_PROBE: Extent = RECORD.extent("probe");
/// Bytes of a record before its fields.
pub const RECORD_HEADER: u32 = RECORD.size();

/// A level of scratch memory.
pub const SCRATCH: Struct = Struct {
    name: "scratch",
    doc: "A level of scratch memory.",
    fields: &[
        field("busy", Type::U64, "not 0 while a program has it"),
        field("memory", Type::Bytes, "what it is for"),
    ],
};
/// Bytes before the memory in a level of scratch memory.
pub const SCRATCH_HEADER: u32 = SCRATCH.size();

/// A stack in the table of stacks.
pub const STACK: Struct = Struct {
    name: "stack",
    doc: "A stack in the table of stacks.",
    fields: &[
        field("tgid", Type::U32, "0 for a kernel stack"),
        field(
            "nr",
            Type::U32,
            "frames, those of the pieces before among them",
        ),
        field(
            "first_ns",
            Type::U64,
            "CLOCK_MONOTONIC at the first capture",
        ),
        field(
            "before",
            Type::U64,
            "the id of the piece that has the frames before these; 0: none",
        ),
        field("ips", Type::Words, "the frames' addresses, innermost first"),
    ],
};
/// The process of a stack, 0 for a kernel stack.
pub const STACK_TGID: Extent = STACK.extent("tgid");
/// The number of frames of a stack.
pub const STACK_NR: Extent = STACK.extent("nr");
/// `CLOCK_MONOTONIC` at a stack's first capture.
pub const STACK_FIRST_NS: Extent = STACK.extent("first_ns");
/// The id of the piece of a stack that has the frames before.
pub const STACK_BEFORE: Extent = STACK.extent("before");
/// Bytes before the frames in a stack.
pub const STACK_HEADER: u32 = STACK.size();

/// All layouts, in an order in which C takes them.
const LAYOUTS: &[Struct] = &[
    RECORD,
    SCRATCH,
    STACK,
    PYTHON,
    PYTHON_KEY,
    PYTHON_CODE,
    UNWIND_FILE,
    UNWIND_TABLE,
    UNWIND_WANTED,
    WALK,
    MEMO,
    REST_COUNT,
    REST,
    CAPTURE,
    AVERAGE,
    EXTREME,
    INTERVAL,
    SERIES,
    SAMPLE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_numbered_from_zero() {
        for (number, cause) in LossCause::ALL.iter().enumerate() {
            assert_eq!(*cause as usize, number);
        }
        assert_eq!(CAUSES.len(), LOSS_CAUSES as usize);
    }

    /// What is said in these places is what running programs and stored objects of this version have.
    #[test]
    fn fields_are_where_c_puts_them() {
        let at = |extent: Extent| (extent.offset, extent.size);
        assert_eq!(at(RECORD_KIND), (0, 4));
        assert_eq!(at(RECORD_PROBE), (4, 4));
        assert_eq!(at(STACK_TGID), (0, 4));
        assert_eq!(at(STACK_NR), (4, 4));
        assert_eq!(at(STACK_FIRST_NS), (8, 8));
        assert_eq!(at(STACK_BEFORE), (16, 8));
        assert_eq!(at(EXTREME_SET), (8, 8));
        assert_eq!((RECORD_HEADER, SCRATCH_HEADER, STACK_HEADER), (8, 8, 24));
        assert_eq!((CAPTURE.size(), AVERAGE.size()), (584 + 256 * 64, 16));
        assert_eq!(at(INTERVAL_WEIGHT), (16, 8));
        assert_eq!((INTERVAL.size(), SERIES_HEADER), (24, 8));
    }
}
