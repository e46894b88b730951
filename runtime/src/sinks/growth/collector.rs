//! Collectors of garbage that move objects. What they move is in new pages, which they are the first to touch; so it is charged to them, and
//! says nothing of who keeps it. Beside that stands who made objects in fresh memory.

use super::payer::payer;
use crate::results::{Frame, Growth, MemoryKind, Value};
use crate::sinks::form::Outside;
use std::cmp::Reverse;
use std::collections::HashMap;

/// A collector.
#[derive(Debug)]
pub(super) struct Collector {
    /// What it is called.
    pub name: &'static str,
    /// Parts of the names of its functions that move objects, or mark those that are in use.
    moves: &'static [&'static str],
    /// A part of the name of what calls the code that makes objects.
    calls: &'static str,
}

const JAVA: &str = "JavaCalls::call_helper";

static COLLECTORS: [Collector; 6] = [
    Collector {
        name: "G1",
        moves: &["G1ParScanThreadState", "G1ParCopyClosure", "G1FullGC"],
        calls: JAVA,
    },
    Collector {
        name: "Serial",
        moves: &["DefNewGeneration", "GenMarkSweep", "SerialFullGC"],
        calls: JAVA,
    },
    Collector {
        name: "Parallel",
        moves: &["PSPromotionManager", "PSParallelCompact", "PSScavenge"],
        calls: JAVA,
    },
    Collector {
        name: "ZGC",
        moves: &["ZRelocate", "ZMark"],
        calls: JAVA,
    },
    Collector {
        name: "Shenandoah",
        moves: &[
            "ShenandoahEvac",
            "ShenandoahHeap::evacuate_object",
            "ShenandoahMark",
        ],
        calls: JAVA,
    },
    Collector {
        name: "V8",
        moves: &[
            "v8::internal::Scavenge",
            "v8::internal::Evacuat",
            "v8::internal::SemiSpace",
        ],
        calls: "Builtins_JSEntry",
    },
];

/// What names of generated code begin with that are no function's of the program, and what others end in.
const STUBS: [&str; 4] = ["Interpreter", "StubRoutines", "call_stub", "_new_"];
const STUB: &str = " stub";

/// So many are named that made objects, of so many of a hundred at least.
const MAKERS: usize = 3;
const LEAST: u64 = 5;

/// The collector that moved what such a stack touched.
pub(super) fn of(by: &Value) -> Option<&'static Collector> {
    let Value::Stack(stack) = by else {
        return None;
    };
    let moves = |collector: &&Collector| {
        let names = stack
            .frames
            .iter()
            .filter_map(|frame| frame.function.as_deref());
        let mut names = names.filter(|name| collector.moves.iter().any(|part| name.contains(part)));
        names.next().is_some()
    };
    COLLECTORS.iter().find(moves)
}

impl Collector {
    /// Who touched fresh memory in the code that makes objects, also what was given back since: of a hundred so many, the most first.
    pub fn makers(&self, growth: &Growth, outside: Outside) -> Vec<(u64, Vec<u8>)> {
        let parts = growth.parts.iter().filter(|part| {
            use MemoryKind::{Anonymous, Heap, Huge, Unknown};
            matches!(part.kind, Anonymous | Heap | Huge | Unknown)
        });
        let parts = parts.filter_map(|part| Some((part.bytes, part.by.as_ref()?)));
        let returned = growth.returned_by.iter().map(|(bytes, by)| (*bytes, by));
        let mut makers: HashMap<Vec<u8>, u64> = HashMap::new();
        for (bytes, by) in parts.chain(returned) {
            if let Some(maker) = self.maker(by) {
                let mut text = Vec::new();
                payer(&maker, outside, &mut text);
                *makers.entry(text).or_default() += bytes;
            }
        }
        let all: u64 = makers.values().sum();
        let mut makers: Vec<(u64, Vec<u8>)> = makers
            .into_iter()
            .map(|(text, bytes)| (super::percent(bytes, all), text))
            .filter(|(percent, _)| *percent >= LEAST)
            .collect();
        makers.sort_by(|(a, first), (b, second)| (Reverse(a), first).cmp(&(Reverse(b), second)));
        makers.truncate(MAKERS);
        makers
    }

    /// The stack from the program's own code on, if that made an object.
    fn maker(&self, by: &Value) -> Option<Value> {
        let Value::Stack(stack) = by else {
            return None;
        };
        if of(by).is_some() {
            return None;
        }
        let name = |frame: &Frame| frame.function.as_deref().unwrap_or_default().to_owned();
        let calls = |frame: &Frame| name(frame).contains(self.calls);
        // Without frame pointers, a stack ends in the program's code.
        let called = stack.frames.iter().position(calls);
        let code = &stack.frames[..called.unwrap_or(stack.frames.len())];
        let is_own = |frame: &Frame| {
            let name = name(frame);
            let is_stub = name.ends_with(STUB) || STUBS.iter().any(|part| name.starts_with(part));
            is_generated(frame) && (frame.function.is_some() || called.is_some()) && !is_stub
        };
        let first = code.iter().position(is_own)?;
        let mut stack = stack.clone();
        stack.frames.drain(..first);
        Some(Value::Stack(stack))
    }
}

/// Whether code is in no file.
fn is_generated(frame: &Frame) -> bool {
    let module = frame.module.as_deref().unwrap_or_default();
    !module.starts_with(b"/") || module.starts_with(b"//anon") || module.starts_with(b"/memfd:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{GrowthPart, Stack};
    use crate::sinks::text::escaped;
    use pfscript_compiler::manifest::StackMode;

    /// A stack of functions; those of generated code have a `+` in front.
    fn stack(functions: &[&str]) -> Value {
        let frame = |name: &&str| {
            let generated = name.strip_prefix('+');
            let module: &[u8] = if generated.is_some() {
                b"//anon"
            } else {
                b"/lib/libjvm.so"
            };
            Frame {
                function: Some(generated.unwrap_or(name).into()),
                module: Some(module.into()),
                ..Frame::default()
            }
        };
        Value::Stack(Stack {
            user: true,
            mode: StackMode::Bpftrace,
            frames: functions.iter().map(frame).collect(),
        })
    }

    #[test]
    fn collectors_are_known_by_what_they_call() {
        let name = |functions: &[&str]| of(&stack(functions)).map(|collector| collector.name);
        let moves = [
            "memcpy",
            "G1ParScanThreadState::steal_and_trim_queue(x)",
            "start_thread",
        ];
        assert_eq!(name(&moves), Some("G1"));
        assert_eq!(name(&["v8::internal::Scavenger::Process(x)"]), Some("V8"));
        assert_eq!(name(&["malloc", "main"]), None);
        assert!(of(&Value::Int(3)).is_none());
    }

    #[test]
    fn those_who_made_objects_are_named_from_the_programs_own_code_on() {
        let part = |bytes, functions: &[&str]| GrowthPart {
            bytes,
            recent: None,
            kind: MemoryKind::Anonymous,
            file: None,
            by: Some(stack(functions)),
        };
        let moved = ["memcpy", "DefNewGeneration::copy", "JavaCalls::call_helper"];
        let growth = Growth {
            parts: vec![
                part(900, &moved),
                part(
                    50,
                    &[
                        "memset",
                        "+Leak.add",
                        "+Interpreter",
                        "JavaCalls::call_helper",
                        "main",
                    ],
                ),
                // Cut, since there are no frame pointers.
                part(10, &["memset", "+Leak.read"]),
                part(2, &["+Interpreter", "JavaCalls::call_helper"]),
                part(1, &["+Other.run", "JavaCalls::call_helper"]),
                part(70, &["malloc", "main"]),
            ],
            returned_by: vec![(
                40,
                stack(&[
                    "+Leak.add",
                    "+Interpreter",
                    "JavaCalls::call_helper",
                    "main",
                ]),
            )],
            ..Growth::default()
        };
        let collector = of(&stack(&moved)).expect("it is known");
        let makers = collector.makers(&growth, escaped);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let makers: Vec<_> = makers
            .iter()
            .map(|(percent, name)| (*percent, text(name)))
            .collect();
        let add = "Leak.add ← Interpreter ← JavaCalls::call_helper ← main";
        assert_eq!(makers, [(89, add.to_owned()), (10, "Leak.read".to_owned())]);
    }
}
