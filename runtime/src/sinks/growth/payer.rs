//! Who is charged for memory, on a line: the functions of a stack, by names that a person takes in at a glance.

use super::super::form::{self, Outside, push};
use crate::results::{Frame, Value};
use pfscript_grammar::escape::Keep;
use std::borrow::Cow;

/// Functions of a stack at most; what stands for the others is `…`.
const FUNCTIONS: usize = 10;

/// Libraries that programs allocate and copy with: what these do inside is not why memory grows.
const LIBRARIES: [&str; 10] = [
    "libc.",
    "libc-",
    "libgcc",
    "libm.",
    "libpthread",
    "libstdc++",
    "libc++",
    "libjemalloc",
    "libmimalloc",
    "libtcmalloc",
];

/// The loader, in whose source nobody looks for that either.
const LOADER: &str = "ld-";

/// What runs the functions of Python.
const INTERPRETERS: [&str; 2] = ["python", "libpython"];

/// Who is charged: of a stack the functions, the innermost first, from the one of a library that was called. One that calls itself is there
/// once, and so is a file without names. The first with a known line has it behind its name, and so has the first of Python.
pub(super) fn payer(by: &Value, outside: Outside, out: &mut Vec<u8>) {
    let Value::Stack(stack) = by else {
        return form::value(by, outside, out);
    };
    let (mut last, mut count) = (Vec::new(), 0);
    let mut placed = [false; 2];
    for frame in called(&stack.frames) {
        let mut name = Vec::new();
        function(frame, outside, &mut name);
        if count > 0 && last == name {
            continue;
        }
        if count > 0 {
            out.extend_from_slice(" ← ".as_bytes());
        }
        if count == FUNCTIONS {
            out.extend_from_slice("…".as_bytes());
            break;
        }
        out.extend_from_slice(&name);
        let placed = &mut placed[usize::from(frame.interpreted)];
        *placed = *placed || place(frame, outside, out);
        (last, count) = (name, count + 1);
    }
}

/// The frames from the function of a library that was called on, without those that it called: `malloc ← add` of `_int_malloc ← malloc ← add`.
/// A function of Python that allocates needs no word of how the interpreter does that.
fn called(frames: &[Frame]) -> &[Frame] {
    let inside = frames.iter().take_while(|frame| is_in(frame, &LIBRARIES));
    let inside = inside.count();
    let rest = &frames[inside..];
    let runs = rest
        .iter()
        .take_while(|frame| !frame.interpreted && is_in(frame, &INTERPRETERS));
    let runs = runs.count();
    match rest.get(runs) {
        Some(frame) if frame.interpreted => &rest[runs..],
        Some(_) => &frames[inside.saturating_sub(1)..],
        // All of it is inside.
        None => frames,
    }
}

/// Whether a frame is in a file whose name begins so.
fn is_in(frame: &Frame, names: &[&str]) -> bool {
    let module = frame.module.as_deref().map(last_part).unwrap_or_default();
    names.iter().any(|name| module.starts_with(name.as_bytes()))
}

/// Where in the source a frame is, behind its function's name: ` (server.c:16)`. False if that is not known, or of no interest.
fn place(frame: &Frame, outside: Outside, out: &mut Vec<u8>) -> bool {
    let (Some(file), Some(line)) = (&frame.file, frame.line) else {
        return false;
    };
    if !frame.interpreted && (is_in(frame, &LIBRARIES) || is_in(frame, &[LOADER])) {
        return false;
    }
    out.extend_from_slice(b" (");
    outside(last_part(file.as_bytes()), Keep::Nothing, out);
    push(out, format_args!(":{line})"));
    true
}

/// The last part of a path.
fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// A function's name, failing that its file, failing that the address.
fn function(frame: &Frame, outside: Outside, out: &mut Vec<u8>) {
    match (&frame.function, &frame.module) {
        (Some(name), _) => outside(brief(name).as_bytes(), Keep::Nothing, out),
        (None, Some(module)) => outside(last_part(module), Keep::Nothing, out),
        (None, None) => push(out, format_args!("{:#x}", frame.address)),
    }
}

/// A function's name without what it takes and gives, in C++ and Java: `v8::Isolate::Initialize` of `v8::Isolate::Initialize(v8::Isolate*,
/// v8::CreateParams const&)`. Names that say it in another way are left as they are.
fn brief(name: &str) -> Cow<'_, str> {
    const NAMELESS: &str = "(anonymous namespace)";
    let written = name.split(" [clone").next().unwrap_or(name);
    let called = written.strip_suffix(" const").unwrap_or(written);
    let takes = called.ends_with(')') && !called.ends_with(NAMELESS);
    if !takes || called.contains("operator") || called.starts_with('<') {
        return Cow::Borrowed(name);
    }
    // What is outside of all brackets. Brackets that do not match are part of a name that is not understood.
    let mut brief = String::new();
    let mut depth = 0_u32;
    let mut rest = called;
    while let Some(character) = rest.chars().next() {
        if depth == 0 && rest.starts_with(NAMELESS) {
            brief.push_str("(anonymous)");
            rest = &rest[NAMELESS.len()..];
            continue;
        }
        match character {
            '(' | '<' => depth += 1,
            ')' | '>' => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return Cow::Borrowed(name),
            },
            _ if depth == 0 => brief.push(character),
            _ => {}
        }
        rest = &rest[character.len_utf8()..];
    }
    // The type of the result is in front.
    let brief = brief.trim_end().rsplit(' ').next().unwrap_or_default();
    match depth == 0 && !brief.is_empty() {
        true => Cow::Owned(brief.to_owned()),
        false => Cow::Borrowed(name),
    }
}

#[cfg(test)]
mod tests {
    use super::{brief, payer};
    use crate::results::{Frame, Stack, Value};
    use crate::sinks::text::escaped;
    use pfscript_compiler::manifest::StackMode;

    #[test]
    fn the_first_line_of_the_programs_own_source_is_shown() {
        let frame = |function: &str, module: &str, file: &str, interpreted| Frame {
            function: Some(function.into()),
            module: Some(module.as_bytes().into()),
            file: (!file.is_empty()).then(|| file.into()),
            line: (!file.is_empty()).then_some(7),
            interpreted,
            ..Frame::default()
        };
        let stack = Value::Stack(Stack {
            user: true,
            mode: StackMode::Bpftrace,
            frames: vec![
                frame("memset", "/lib/libc.so.6", "string/memset.S", false),
                frame("grow", "/usr/lib/libcache.so", "", false),
                frame("add", "/usr/bin/server", "/src/a\x1b.c", false),
                frame("serve", "", "/srv/app.py", true),
                frame("<module>", "", "/srv/app.py", true),
                frame("main", "/usr/bin/server", "/src/main.c", false),
            ],
        });
        let mut out = Vec::new();
        payer(&stack, escaped, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "memset ← grow ← add (a\\x1b.c:7) ← serve (app.py:7) ← <module> ← main"
        );
    }

    #[test]
    fn what_a_library_does_inside_is_left_out() {
        let stack = |frames: &[(&str, &str)]| {
            let frame = |(function, module): &(&str, &str)| Frame {
                function: Some((*function).into()),
                module: Some(module.as_bytes().into()),
                interpreted: module.is_empty(),
                ..Frame::default()
            };
            let stack = Value::Stack(Stack {
                user: true,
                mode: StackMode::Bpftrace,
                frames: frames.iter().map(frame).collect(),
            });
            let mut out = Vec::new();
            payer(&stack, escaped, &mut out);
            String::from_utf8(out).unwrap()
        };
        let (libc, python) = ("/lib/libc.so.6", "/usr/bin/python3.11");
        for (frames, expected) in [
            (
                &[
                    ("sysmalloc", libc),
                    ("_int_malloc", libc),
                    ("malloc", libc),
                    ("add", "/bin/a"),
                    ("run", libc),
                ][..],
                "malloc ← add ← run",
            ),
            (
                &[
                    ("malloc", libc),
                    ("operator new", "/lib/libstdc++.so.6"),
                    ("add", "/bin/a"),
                ],
                "operator new ← add",
            ),
            (&[("init", libc), ("start", libc)], "init ← start"),
            (
                &[
                    ("memset", libc),
                    ("PyList_New", python),
                    ("remember", ""),
                    ("run", ""),
                ],
                "remember ← run",
            ),
            (
                &[
                    ("memset", libc),
                    ("zeros", "/x/numpy.so"),
                    ("call", python),
                    ("f", ""),
                ],
                "memset ← zeros ← call ← f",
            ),
            (
                &[("PyList_New", python), ("main", python)],
                "PyList_New ← main",
            ),
            (&[], ""),
        ] {
            assert_eq!(stack(frames), expected);
        }
    }

    #[test]
    fn names_are_without_what_functions_take_and_give() {
        for (name, expected) in [
            ("main", "main"),
            ("operator new(unsigned long)", "operator new(unsigned long)"),
            (
                "v8::Isolate::Initialize(v8::Isolate*, v8::Params const&)",
                "v8::Isolate::Initialize",
            ),
            ("int a::B<c::D<1> >::f<E>(G<H>*) const", "a::B::f"),
            (
                "a::(anonymous namespace)::f(int) [clone .part.0]",
                "a::(anonymous)::f",
            ),
            ("void Grow.remember()", "Grow.remember"),
            (
                "std::function<void ()>::operator()() const",
                "std::function<void ()>::operator()() const",
            ),
            (
                "JS:*handle /a b/grow.js:3:16",
                "JS:*handle /a b/grow.js:3:16",
            ),
            ("main.(*Server).Serve", "main.(*Server).Serve"),
            (
                "<alloc::vec::Vec<T> as core::Extend<T>>::extend",
                "<alloc::vec::Vec<T> as core::Extend<T>>::extend",
            ),
            (
                "core::ptr::drop_in_place::<T>",
                "core::ptr::drop_in_place::<T>",
            ),
            ("<module>", "<module>"),
            ("odd)>(", "odd)>("),
            ("odd(a))", "odd(a))"),
            ("(a)", "(a)"),
            ("", ""),
        ] {
            assert_eq!(brief(name), expected);
        }
    }
}
