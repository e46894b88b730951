//! What was lost, where and why.
//!
//! In come the kernel's counters when tracing has ended, out come [`Loss`]es and their wording. Programs do the counting,
//! with the routine `pf_loss`. Whether a loss is an error is the caller's decision.

use crate::bytes::unsigned;
use crate::load::Loaded;
use crate::sys;
use pfscript_compiler::manifest::{FaultKind, Manifest};
use pfscript_grammar::Span;
use pfscript_probes::abi::{LOSS_CAUSES, LossCause, MAX_LOOP_TURNS, MAX_WHILE_TURNS, map};
use std::collections::BTreeMap;
use std::fmt;
use std::io;

/// Why something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The program counted it.
    Counted(LossCause),
    /// The kernel did not run the program, since the probe was already running on that CPU.
    Missed,
    /// Records of memory mappings did not arrive, so that addresses may lack names.
    Mappings,
    /// Processes ended before their memory mappings could be read, so that their addresses lack names.
    Processes,
    /// We have no right to see the memory mappings of processes, so that their addresses lack names.
    HiddenProcesses,
    /// Processes wrote down more names of generated code than are kept.
    GeneratedCode,
    /// JVMs generated code that is in stacks, and were not told to keep frame pointers.
    JvmFrames,
    /// Functions of Python were seen whose names did not arrive.
    PythonNames,
    /// The names of files' functions could not be had.
    Names(Names),
    /// What went wrong at this place of the script.
    Fault {
        /// What that is.
        kind: FaultKind,
        /// From 1.
        line: u32,
        /// In bytes, from 1.
        column: u32,
        /// The same as a part of the script's text.
        span: Span,
    },
}

/// Why addresses in a file have no names, though the file may have some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Names {
    /// It was gone, and no process had it any more, before it could be opened.
    Gone,
    /// It could not be opened since too many files were open.
    TooManyOpen,
    /// We have no right to open it.
    Hidden,
    /// It was opened, given up for others, and gone or changed when it was needed.
    NoRoom,
    /// It has more symbols than are read.
    TooLarge,
}

impl Names {
    /// All reasons.
    pub const ALL: [Names; 5] = [
        Names::Gone,
        Names::TooManyOpen,
        Names::Hidden,
        Names::NoRoom,
        Names::TooLarge,
    ];
}

impl Cause {
    /// Whether something that the script asked for is missing. Else it is worth knowing, and no more.
    pub fn is_loss(self) -> bool {
        let counted = match self {
            Cause::Fault {
                kind: FaultKind::NoElement,
                ..
            } => return false,
            Cause::Fault {
                kind: FaultKind::Lost { cause, .. },
                ..
            }
            | Cause::Counted(cause) => cause,
            Cause::JvmFrames => return false,
            _ => return true,
        };
        !matches!(
            counted,
            LossCause::StackAstray | LossCause::StackCut | LossCause::StackEarly
        )
    }
}

/// So many things lost for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The probe as messages call it; `None` if it is not about one.
    pub probe: Option<String>,
    /// Why.
    pub cause: Cause,
    /// How many.
    pub count: u64,
    /// The capacity that was too small, where there is one (entries, frames or bytes).
    pub capacity: Option<u64>,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.count;
        let of = match &self.probe {
            Some(probe) => format!(" of {probe}"),
            None => String::new(),
        };
        let plural = |one: &'static str, many: &'static str| if n == 1 { one } else { many };
        let capacity = |unit: &str, setting: &str| match self.capacity {
            Some(capacity) => format!(" ({capacity}{unit}; raise it with config {setting})"),
            None => format!(" (raise its capacity with config {setting})"),
        };
        let events = plural("event", "events");
        let stacks = plural("stack", "stacks");
        match self.cause {
            Cause::Counted(LossCause::MapFull) => write!(
                f,
                "lost {n} {events}{of}: a map was full{}",
                capacity(" keys", "max_map_keys, or where `let` declares the map")
            ),
            Cause::Counted(LossCause::EventsFull) => write!(
                f,
                "lost {n} {events}{of}: the event buffer was full{}",
                capacity(" bytes", "perf_rb_pages")
            ),
            Cause::Counted(LossCause::StacksFull) => write!(
                f,
                "lost {n} {stacks}{of}: the table of stacks was full{}",
                capacity(" different stacks", "max_stacks")
            ),
            Cause::Counted(LossCause::StackFailed) => {
                write!(
                    f,
                    "lost {n} {stacks}{of}: the kernel could not walk {}",
                    plural("it", "them")
                )
            }
            Cause::Counted(LossCause::StackTruncated) => match self.capacity {
                Some(depth) => write!(f, "cut {n} {stacks}{of} after {depth} frames"),
                None => write!(f, "cut {n} {stacks}{of}"),
            },
            Cause::Counted(LossCause::StackAstray) => write!(
                f,
                "the walk of {n} {stacks}{of} went astray, and the last frames are not real: \
                 code without frame pointers"
            ),
            Cause::Counted(LossCause::StackCut) => write!(
                f,
                "{n} {stacks}{of} {} before the start of the thread",
                plural("ends", "end")
            ),
            Cause::Counted(LossCause::StackEarly) => write!(
                f,
                "{n} {stacks}{of} may lack frames: how to unwind a file was not known yet when it was first seen"
            ),
            Cause::Counted(LossCause::LoopCut) => write!(
                f,
                "ended {n} {}{of} that would have gone on: a `while` may take {MAX_WHILE_TURNS} turns, \
                 a `for` {MAX_LOOP_TURNS}",
                plural("loop", "loops")
            ),
            Cause::Counted(LossCause::StringTruncated) => write!(
                f,
                "cut {n} {}{of}: longer than max_strlen (raise it with config)",
                plural("string", "strings")
            ),
            Cause::Counted(LossCause::KernelReadFailed) => write!(
                f,
                "lost {n} {}{of}: the kernel's memory could not be read (replaced by 0 or \"\")",
                plural("value", "values")
            ),
            Cause::Counted(LossCause::UserReadFailed) => write!(
                f,
                "lost {n} {}{of}: the process's memory could not be read (replaced by 0 or \"\")",
                plural("value", "values")
            ),
            Cause::Counted(LossCause::NoMemory) => {
                write!(f, "lost {n} {events}{of}: could not allocate a new key")
            }
            Cause::Counted(LossCause::ScratchBusy) => {
                write!(
                    f,
                    "lost {n} {events}{of}: probes were nested too deeply on one CPU"
                )
            }
            Cause::Missed => {
                write!(
                    f,
                    "lost {n} {events}{of}: the probe was already running on that CPU"
                )
            }
            Cause::Mappings => write!(
                f,
                "lost {n} {} of memory mappings: some addresses may have no name",
                plural("record", "records")
            ),
            Cause::Processes => write!(
                f,
                "lost {n} {} names: gone before {} mappings could be read",
                plural("process's", "processes'"),
                plural("its", "their")
            ),
            Cause::HiddenProcesses => write!(
                f,
                "lost {n} {} names: we may not see {} mappings (run as root, or with CAP_SYS_PTRACE)",
                plural("process's", "processes'"),
                plural("its", "their")
            ),
            Cause::GeneratedCode => write!(
                f,
                "cut {n} {} names of generated code: more in /tmp/perf-PID.map than is kept",
                plural("process's", "processes'")
            ),
            Cause::JvmFrames => write!(
                f,
                "stacks of {n} {} lack methods: code of the JVM keeps frame pointers with \
                 -XX:+PreserveFramePointer, which `-c COMMAND --runtimes` sets",
                plural("process", "processes")
            ),
            Cause::PythonNames => write!(
                f,
                "lost {n} {} of functions of Python: more came at once than there is room for",
                plural("name", "names")
            ),
            Cause::Fault {
                kind, line, column, ..
            } => {
                let place = format!("in line {line}, column {column}");
                let (what, then) = match kind {
                    FaultKind::DivisionByZero => (
                        plural("division by zero", "divisions by zero"),
                        "the result is 1",
                    ),
                    FaultKind::OutOfBounds => (
                        plural("array access out of bounds", "array accesses out of bounds"),
                        "the result is no element",
                    ),
                    FaultKind::NoElement => (
                        plural(
                            "read of an element that is not there",
                            "reads of elements that are not there",
                        ),
                        "the result is 0",
                    ),
                    FaultKind::Lost { cause, .. } => {
                        let counted = Loss {
                            cause: Cause::Counted(cause),
                            ..self.clone()
                        };
                        return write!(f, "{counted}, {place}");
                    }
                };
                write!(f, "{n} {what}{of}, {place} ({then})")
            }
            Cause::Names(reason) => write!(
                f,
                "lost {n} {} names: {}",
                plural("file's", "files'"),
                match reason {
                    Names::Gone => plural(
                        "gone before it could be opened",
                        "gone before they could be opened"
                    ),
                    Names::TooManyOpen =>
                        "too many files were open (raise the limit with `ulimit -n`)",
                    Names::Hidden => plural(
                        "we may not open it (run as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH)",
                        "we may not open them (run as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH)"
                    ),
                    Names::NoRoom => "too many files with names for all to be kept",
                    Names::TooLarge => "too many symbols",
                }
            ),
        }
    }
}

/// Reads all counters. `rests` is what is to be added to them.
///
/// # Errors
/// The kernel's.
pub(crate) fn read(
    loaded: &Loaded,
    manifest: &Manifest,
    lost_mappings: u64,
    rests: &BTreeMap<u32, u64>,
) -> io::Result<Vec<Loss>> {
    let mut losses = Vec::new();
    for (probe, info) in &manifest.probes {
        for cause in LossCause::ALL {
            let index = probe.as_u32() * LOSS_CAUSES + cause as u32;
            let rest = rests.get(&index).copied().unwrap_or(0);
            let count = counter(loaded, index)? + rest;
            if count > 0 {
                losses.push(Loss {
                    probe: Some(info.name.clone()),
                    cause: Cause::Counted(cause),
                    count,
                    capacity: capacity(cause, loaded, manifest),
                });
            }
        }
        let missed = match loaded.program(probe) {
            Some(program) => sys::bpf::missed_runs(program).unwrap_or(0),
            None => 0,
        };
        if missed > 0 {
            losses.push(Loss {
                probe: Some(info.name.clone()),
                cause: Cause::Missed,
                count: missed,
                capacity: None,
            });
        }
    }
    let behind = manifest.probes.len().max(1) as u32 * LOSS_CAUSES;
    for (index, fault) in (behind..).zip(&manifest.faults) {
        let count = counter(loaded, index)?;
        if count > 0 {
            losses.push(Loss {
                probe: manifest
                    .probes
                    .get(fault.probe)
                    .map(|probe| probe.name.clone()),
                cause: Cause::Fault {
                    kind: fault.kind,
                    line: fault.line,
                    column: fault.column,
                    span: fault.span,
                },
                count,
                capacity: None,
            });
        }
    }
    if lost_mappings > 0 {
        losses.push(Loss {
            probe: None,
            cause: Cause::Mappings,
            count: lost_mappings,
            capacity: None,
        });
    }
    Ok(losses)
}

/// The sum of the CPUs' counters; 0 if the object has no such counter.
fn counter(loaded: &Loaded, index: u32) -> io::Result<u64> {
    let Some(map) = loaded.map(map::LOSS) else {
        return Ok(0);
    };
    let mut value = vec![0; map.value_size()];
    if index >= map.max_entries() || !map.lookup(&index.to_le_bytes(), &mut value)? {
        return Ok(0);
    }
    Ok(value
        .chunks_exact(8)
        .map(unsigned)
        .fold(0, u64::wrapping_add))
}

/// The capacity that a cause is about. Which of several maps was full is not known, so that theirs is given only if
/// they agree.
fn capacity(cause: LossCause, loaded: &Loaded, manifest: &Manifest) -> Option<u64> {
    match cause {
        LossCause::MapFull => {
            let mut keyed = manifest.maps.iter().filter(|map| map.key.is_some());
            let first = keyed.next()?.capacity;
            keyed
                .all(|map| map.capacity == first)
                .then_some(first.into())
        }
        LossCause::EventsFull => Some(loaded.map(map::EVENTS)?.max_entries().into()),
        LossCause::StacksFull => Some(loaded.stacks().next()?.max_entries().into()),
        LossCause::StackTruncated => manifest.stack_limit.map(u64::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(cause: Cause, count: u64, capacity: Option<u64>) -> String {
        let probe = matches!(cause, Cause::Counted(_)).then(|| "kprobe:x".to_owned());
        Loss {
            probe,
            cause,
            count,
            capacity,
        }
        .to_string()
    }

    #[test]
    fn losses_are_worded_for_users() {
        assert_eq!(
            text(Cause::Counted(LossCause::MapFull), 12, Some(4096)),
            "lost 12 events of kprobe:x: a map was full (4096 keys; raise it with config max_map_keys, or where `let` declares the map)"
        );
        assert_eq!(
            text(Cause::Counted(LossCause::MapFull), 1, None),
            "lost 1 event of kprobe:x: a map was full (raise its capacity with config max_map_keys, or where `let` declares the map)"
        );
        assert_eq!(
            text(Cause::Counted(LossCause::StacksFull), 2, Some(100)),
            "lost 2 stacks of kprobe:x: the table of stacks was full (100 different stacks; raise it with config max_stacks)"
        );
        assert_eq!(
            text(Cause::Counted(LossCause::StackTruncated), 2, Some(127)),
            "cut 2 stacks of kprobe:x after 127 frames"
        );
        assert_eq!(
            text(Cause::Mappings, 1, None),
            "lost 1 record of memory mappings: some addresses may have no name"
        );
        assert_eq!(
            text(Cause::Processes, 1, None),
            "lost 1 process's names: gone before its mappings could be read"
        );
        assert_eq!(
            text(Cause::GeneratedCode, 2, None),
            "cut 2 processes' names of generated code: more in /tmp/perf-PID.map than is kept"
        );
        assert!(
            text(Cause::JvmFrames, 2, None).starts_with("stacks of 2 processes lack methods: ")
        );
        assert_eq!(
            text(Cause::PythonNames, 2, None),
            "lost 2 names of functions of Python: more came at once than there is room for"
        );
        assert_eq!(
            text(Cause::Names(Names::Gone), 2, None),
            "lost 2 files' names: gone before they could be opened"
        );
        let divided = Cause::Fault {
            kind: FaultKind::DivisionByZero,
            line: 3,
            column: 7,
            span: Span::default(),
        };
        assert_eq!(
            text(divided, 2, None),
            "2 divisions by zero, in line 3, column 7 (the result is 1)"
        );
        for cause in LossCause::ALL {
            assert!(
                text(Cause::Counted(cause), 3, None).contains("3 "),
                "{cause:?}"
            );
        }
    }
}
