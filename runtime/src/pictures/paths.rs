//! From results to paths of a tree of calls: what stands in front of a stack, its frames, and what it weighs.

use super::tree::{CallTree, Frame, Kind};
use crate::results::{self, Entry, Growth, GrowthPart, MemoryKind, Stack, Value};
use crate::sinks;

/// What a map's value weighs; `None` if it has no weight: it is none that adds up, or not above 0.
pub fn weight(value: &Value) -> Option<u64> {
    let number = match value {
        Value::Int(number) => i128::from(*number),
        Value::UInt(number) => i128::from(*number),
        Value::Stats(stats) => stats.total,
        Value::Histogram(histogram) => {
            let counts = histogram.buckets.iter().map(|bucket| bucket.count);
            counts.map(i128::from).sum()
        }
        _ => return None,
    };
    let number = number.min(u64::MAX.into());
    u64::try_from(number).ok().filter(|number| *number > 0)
}

/// Adds a map's entry, below `front`. What its key has beside stacks comes first, in the key's order, a frame each; then the stacks of
/// processes, then those of the kernel. Whether it has a weight.
pub fn add_entry(entry: &Entry, front: &[Frame], tree: &mut CallTree) -> bool {
    let Some(weight) = weight(&entry.value) else {
        return false;
    };
    let mut parts = Vec::new();
    if let Some(key) = &entry.key {
        flatten(key, &mut parts);
    }
    let mut path = front.to_vec();
    for part in &parts {
        if !matches!(part, Value::Stack(_)) {
            path.push(label(part));
        }
    }
    for user in [true, false] {
        let stacks = parts.iter().filter_map(|part| match part {
            Value::Stack(stack) if stack.user == user => Some(stack),
            _ => None,
        });
        for (index, stack) in stacks.enumerate() {
            if index > 0 {
                path.push(Frame::new(Kind::Label, b"--"));
            }
            push_stack(stack, &mut path);
        }
    }
    tree.add(&path, weight);
    true
}

/// The parts of a key, those of tuples in it one by one.
fn flatten<'a>(key: &'a Value, parts: &mut Vec<&'a Value>) {
    match key {
        Value::Tuple(inner) => inner.iter().for_each(|part| flatten(part, parts)),
        Value::Record(inner) => inner.iter().for_each(|(_, part)| flatten(part, parts)),
        single => parts.push(single),
    }
}

/// A value as a frame.
fn label(value: &Value) -> Frame {
    Frame::new(Kind::Label, &sinks::shown(value))
}

/// A stack's functions, the innermost first.
pub fn functions(stack: &Stack) -> Vec<Vec<u8>> {
    stack.frames.iter().map(function).collect()
}

/// Appends a stack's frames, the outermost first.
fn push_stack(stack: &Stack, path: &mut Vec<Frame>) {
    path.extend(stack.frames.iter().rev().map(|frame| {
        let kind = match stack.user {
            _ if frame.inlined => Kind::Inlined,
            _ if frame.interpreted => Kind::Interpreted,
            true => Kind::User,
            false => Kind::Kernel,
        };
        Frame::new(kind, &function(frame))
    }));
}

/// A function's name; without one the file in which it is, so that its addresses are one.
fn function(frame: &results::Frame) -> Vec<u8> {
    match (&frame.function, &frame.module) {
        (Some(name), _) => name.as_bytes().to_vec(),
        (None, _) if frame.interpreted => b"[python]".to_vec(),
        (None, Some(module)) => [b"[", sinks::short_name(module), b"]"].concat(),
        (None, None) => b"[unknown]".to_vec(),
    }
}

/// Adds what a process has grown by, in bytes, below `front`: its name, what memory it is, of files their path, then the stack.
pub fn add_growth(growth: &Growth, front: &[Frame], tree: &mut CallTree) {
    for part in &growth.parts {
        let mut path = front.to_vec();
        path.push(Frame::new(Kind::Label, &process(growth)));
        path.push(Frame::new(Kind::Label, part.kind.name().as_bytes()));
        if let Some(file) = named_file(part) {
            path.push(Frame::new(Kind::Label, file));
        }
        match &part.by {
            Some(Value::Stack(stack)) => push_stack(stack, &mut path),
            Some(by) => path.push(label(by)),
            None => path.push(Frame::new(Kind::Label, b"[not explained]")),
        }
        tree.add(&path, part.bytes);
    }
}

/// `redis-server (1234)`, `cc1 (40 processes)`
pub fn process(growth: &Growth) -> Vec<u8> {
    let id = match growth.processes {
        1 => format!(" ({})", growth.process),
        many => format!(" ({many} processes)"),
    };
    [&growth.comm[..], id.as_bytes()].concat()
}

/// The file of a part, where it says more than the kind of memory.
pub fn named_file(part: &GrowthPart) -> Option<&[u8]> {
    let has_file = matches!(
        part.kind,
        MemoryKind::Copied | MemoryKind::File | MemoryKind::Shared
    );
    part.file.as_deref().filter(|_| has_file)
}

#[cfg(test)]
mod tests {
    use super::super::folded;
    use super::*;
    use crate::results::{Bucket, Histogram, Scale, Stats};
    use pfscript_compiler::manifest::StackMode;

    fn stack(user: bool, functions: &[&str]) -> Value {
        let frame = |name: &&str| results::Frame {
            function: (!name.starts_with('/')).then(|| (*name).into()),
            module: name.starts_with('/').then(|| name.as_bytes().into()),
            ..results::Frame::at(16)
        };
        Value::Stack(Stack {
            user,
            mode: StackMode::Bpftrace,
            frames: functions.iter().map(frame).collect(),
        })
    }

    fn lines(tree: &CallTree) -> String {
        let mut out = Vec::new();
        folded::write(tree, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn line(key: Vec<Value>) -> String {
        let mut tree = CallTree::default();
        let entry = Entry {
            key: Some(Value::Tuple(key)),
            value: Value::UInt(3),
        };
        assert!(add_entry(&entry, &[], &mut tree));
        lines(&tree)
    }

    #[test]
    fn other_parts_of_the_key_come_first_then_the_process_then_the_kernel() {
        let comm = Value::Str(b"a;b".to_vec());
        let (user, kernel) = (
            stack(true, &["f", "main"]),
            stack(false, &["read", "entry"]),
        );
        for key in [
            vec![kernel.clone(), user.clone(), Value::UInt(7), comm.clone()],
            vec![Value::UInt(7), Value::Tuple(vec![comm, user]), kernel],
        ] {
            assert_eq!(line(key), "7;a\\x3bb;main;f;entry_[k];read_[k] 3\n");
        }
    }

    #[test]
    fn stacks_of_one_kind_are_kept_apart() {
        let key = vec![stack(true, &["wakes"]), stack(true, &["waits"])];
        assert_eq!(line(key), "wakes;--;waits 3\n");
    }

    #[test]
    fn code_without_names_is_its_file() {
        let key = vec![stack(true, &["/lib/libx.so.1", "main"]), stack(false, &[])];
        assert_eq!(line(key), "main;[libx.so.1] 3\n");
        assert_eq!(line(vec![stack(true, &[])]), "[no stack] 3\n");
    }

    #[test]
    fn a_weight_is_what_adds_up() {
        let bucket = |count| Bucket {
            from: None,
            to: None,
            count,
        };
        let histogram = Histogram {
            scale: Scale::Log2 { bits: 0 },
            buckets: vec![bucket(2), bucket(3)],
        };
        let stats = Stats {
            count: 2,
            average: 5,
            total: 10,
        };
        for (value, expected) in [
            (Value::UInt(7), Some(7)),
            (Value::Int(7), Some(7)),
            (Value::Int(-7), None),
            (Value::UInt(0), None),
            (Value::Stats(stats), Some(10)),
            (Value::Histogram(histogram), Some(5)),
            (Value::Str(b"7".to_vec()), None),
        ] {
            assert_eq!(weight(&value), expected, "{value:?}");
        }
    }

    #[test]
    fn growth_is_in_bytes_by_process_kind_file_and_stack() {
        let part = |bytes, kind, file: &[u8], by| GrowthPart {
            bytes,
            recent: None,
            kind,
            file: Some(file.into()),
            by,
        };
        let growth = Growth {
            process: 12,
            processes: 1,
            comm: b"x".to_vec(),
            after: 60,
            parts: vec![
                part(
                    40,
                    MemoryKind::Heap,
                    b"[heap]",
                    Some(stack(true, &["f", "main"])),
                ),
                part(15, MemoryKind::File, b"/a b", Some(Value::UInt(4))),
                part(5, MemoryKind::Anonymous, b"", None),
            ],
            ..Growth::default()
        };
        let mut tree = CallTree::default();
        add_growth(&growth, &[], &mut tree);
        let expected =
            "x (12);anon;[not explained] 5\nx (12);file;/a b;4 15\nx (12);heap;main;f 40\n";
        assert_eq!(lines(&tree), expected);
    }
}
