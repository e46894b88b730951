//! Values in bpftrace's text, byte for byte. Text sinks print it; others take it for what they have no form for, such as
//! stacks. Whole maps and lines are their sinks' own affair.

pub(super) use super::push;
use super::{histogram, series};
use crate::results::{Frame, Stack, Value};
use pfscript_compiler::manifest::{BytesForm, StackMode};
use pfscript_grammar::escape::Keep;

/// Appends text from the traced system as the sink wants it, marked or not. [`Keep::Layout`] is asked for where ends of
/// lines are wanted in it.
pub type Outside = fn(text: &[u8], keep: Keep, out: &mut Vec<u8>);

/// The digits of 64 bits in octal.
pub const MAX_DIGITS: usize = 22;

/// The digits of a number to a base of 8 to 16.
pub fn digits(mut number: u64, base: u64, room: &mut [u8; MAX_DIGITS]) -> &mut [u8] {
    let mut begin = room.len();
    loop {
        begin -= 1;
        room[begin] = b"0123456789abcdef"[(number % base) as usize];
        number /= base;
        if number == 0 {
            return &mut room[begin..];
        }
    }
}

/// Appends a number as it is written mostly.
fn decimal(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(digits(number, 10, &mut [0; MAX_DIGITS]));
}

/// Appends a value: `5`, `true`, `0x7f`, `text`, `(1, x)`, `[1,2]`, `{ .a = 1 }`, a stack or a symbol.
pub fn value(value: &Value, outside: Outside, out: &mut Vec<u8>) {
    match value {
        Value::Int(number) => {
            if *number < 0 {
                out.push(b'-');
            }
            decimal(number.unsigned_abs(), out);
        }
        Value::UInt(number) => decimal(*number, out),
        Value::Enumerator { name, .. } => outside(name.as_bytes(), Keep::Nothing, out),
        Value::Bool(set) => push(out, format_args!("{set}")),
        Value::Absent => out.extend_from_slice(b"null"),
        Value::Pointer(address) => push(out, format_args!("{address:#x}")),
        Value::Str(text) => outside(text, Keep::Nothing, out),
        Value::Literal(text) => out.extend_from_slice(text),
        Value::Buffer(bytes) => self::bytes(bytes, BytesForm::Characters, out),
        Value::Tuple(parts) => {
            out.push(b'(');
            joined(parts, b", ", outside, out);
            out.push(b')');
        }
        Value::Array(elements) => {
            out.push(b'[');
            joined(elements, b",", outside, out);
            out.push(b']');
        }
        Value::Record(parts) => {
            out.push(b'{');
            for (index, (name, part)) in parts.iter().enumerate() {
                out.extend_from_slice(if index > 0 { b", ." } else { b" ." });
                outside(name.as_bytes(), Keep::Nothing, out);
                out.extend_from_slice(b" = ");
                self::value(part, outside, out);
            }
            out.extend_from_slice(b" }");
        }
        Value::Stack(captured) => stack(captured, outside, out),
        Value::Symbol(frame) => match &frame.function {
            Some(name) => outside(name.as_bytes(), Keep::Nothing, out),
            None => unnamed(frame, outside, out),
        },
        Value::Stats(stats) => push(
            out,
            format_args!(
                "{{ .count = {}, .average = {}, .total = {} }}",
                stats.count, stats.average, stats.total
            ),
        ),
        Value::Histogram(histogram) => histogram::rows(histogram, None, out),
        Value::Series(series) => series::plot(series, out),
    }
}

/// Appends the bytes of a buffer, none of which a terminal could be made to act on.
pub fn bytes(bytes: &[u8], form: BytesForm, out: &mut Vec<u8>) {
    for (index, byte) in bytes.iter().enumerate() {
        match form {
            BytesForm::Characters if matches!(byte, 0x20..0x7f) => out.push(*byte),
            BytesForm::Characters | BytesForm::Escaped => push(out, format_args!("\\x{byte:02x}")),
            BytesForm::Hexadecimal => {
                let blank = if index > 0 { " " } else { "" };
                push(out, format_args!("{blank}{byte:02x}"));
            }
        }
    }
}

/// Appends a map's key: several without parentheses.
pub fn key(key: &Value, outside: Outside, out: &mut Vec<u8>) {
    match key {
        Value::Tuple(parts) => joined(parts, b", ", outside, out),
        single => value(single, outside, out),
    }
}

fn joined(parts: &[Value], separator: &[u8], outside: Outside, out: &mut Vec<u8>) {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(separator);
        }
        value(part, outside, out);
    }
}

/// A line for each frame, behind an end of line.
fn stack(stack: &Stack, outside: Outside, out: &mut Vec<u8>) {
    out.push(b'\n');
    for frame in &stack.frames {
        match stack.mode {
            StackMode::Raw | StackMode::BuildId if frame.interpreted => {
                interpreted(frame, outside, out);
            }
            StackMode::Raw => push(out, format_args!("{:x}", frame.address)),
            StackMode::BuildId => match (&frame.build_id, frame.module_offset) {
                (Some(id), Some(offset)) => {
                    for byte in &**id {
                        push(out, format_args!("{byte:02x}"));
                    }
                    push(out, format_args!(" {offset:#04x}"));
                }
                _ => push(out, format_args!("{:x}", frame.address)),
            },
            StackMode::Bpftrace if frame.interpreted => {
                out.extend_from_slice(b"        ");
                interpreted(frame, outside, out);
            }
            StackMode::Bpftrace => {
                out.extend_from_slice(b"        ");
                if frame.inlined {
                    out.extend_from_slice(b"[inlined] ");
                }
                place(frame, outside, out);
                source(frame, outside, out);
            }
            StackMode::Perf if frame.interpreted => {
                out.extend_from_slice(b"\t0 ");
                interpreted(frame, outside, out);
            }
            StackMode::Perf => {
                push(out, format_args!("\t{:x} ", frame.address));
                place(frame, outside, out);
                if frame.inlined {
                    out.extend_from_slice(b" (inlined)");
                } else if stack.user {
                    out.extend_from_slice(b" (");
                    outside(
                        frame.module.as_deref().unwrap_or(b"[unknown]"),
                        Keep::Nothing,
                        out,
                    );
                    out.push(b')');
                }
            }
        }
        out.push(b'\n');
    }
}

/// `function (file.py:12)`: a frame of Python.
fn interpreted(frame: &Frame, outside: Outside, out: &mut Vec<u8>) {
    let Some(name) = &frame.function else {
        out.extend_from_slice(b"[python]");
        return;
    };
    outside(name.as_bytes(), Keep::Nothing, out);
    out.extend_from_slice(b" (");
    if let Some(file) = &frame.file {
        outside(file.as_bytes(), Keep::Nothing, out);
    }
    if let Some(line) = frame.line {
        push(out, format_args!(":{line}"));
    }
    out.push(b')');
}

/// `function+offset`, or what is known without a function.
fn place(frame: &Frame, outside: Outside, out: &mut Vec<u8>) {
    match &frame.function {
        Some(name) => {
            outside(name.as_bytes(), Keep::Nothing, out);
            if !frame.inlined {
                out.push(b'+');
                decimal(frame.offset, out);
            }
        }
        None => unnamed(frame, outside, out),
    }
}

/// `@file:line`, if it is known.
fn source(frame: &Frame, outside: Outside, out: &mut Vec<u8>) {
    if let Some(file) = &frame.file {
        out.push(b'@');
        outside(file.as_bytes(), Keep::Nothing, out);
        push(out, format_args!(":{}", frame.line.unwrap_or(0)));
    }
}

/// `[libc.so.6+0x7a248]`: what is mapped there, by its name without folders, and the address as the file counts. Where nothing
/// is known to be mapped, the address.
fn unnamed(frame: &Frame, outside: Outside, out: &mut Vec<u8>) {
    let (Some(module), Some(address)) = (&frame.module, frame.module_address) else {
        push(out, format_args!("{:#x}", frame.address));
        return;
    };
    out.push(b'[');
    outside(short_name(module), Keep::Nothing, out);
    push(out, format_args!("+{address:#x}]"));
}

/// The name of a file without its folders, and without what the kernel adds to one: `libc.so.6`, `memfd:code`, `vdso`, `anon`.
pub fn short_name(module: &[u8]) -> &[u8] {
    let bracketed = module.strip_prefix(b"[");
    if let Some(name) = bracketed.and_then(|name| name.strip_suffix(b"]")) {
        return name;
    }
    let path = module.strip_suffix(b" (deleted)").unwrap_or(module);
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows which text is from outside.
    fn marked(text: &[u8], _: Keep, out: &mut Vec<u8>) {
        out.extend_from_slice(&[b"<", text, b">"].concat());
    }

    fn text(value_: &Value) -> String {
        let mut out = Vec::new();
        value(value_, marked, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn string(text: &str) -> Value {
        Value::Str(text.as_bytes().to_vec())
    }

    #[test]
    fn values_print_as_in_bpftrace() {
        assert_eq!(text(&Value::Int(-5)), "-5");
        assert_eq!(text(&Value::UInt(u64::MAX)), "18446744073709551615");
        assert_eq!(text(&Value::Bool(true)), "true");
        assert_eq!(text(&Value::Pointer(0)), "0x0");
        assert_eq!(text(&Value::Pointer(0x7f01)), "0x7f01");
        assert_eq!(text(&string("ab")), "<ab>");
        let inner = Value::Tuple(vec![Value::Int(2), Value::Int(3)]);
        let outer = Value::Tuple(vec![Value::Int(1), string("x"), inner]);
        assert_eq!(text(&outer), "(1, <x>, (2, 3))");
        let mut out = Vec::new();
        key(&outer, marked, &mut out);
        assert_eq!(out, b"1, <x>, (2, 3)");
        let record = Value::Record(vec![("a".into(), Value::Int(1)), ("b".into(), string("x"))]);
        assert_eq!(text(&record), "{ .<a> = 1, .<b> = <x> }");
        assert_eq!(text(&Value::Buffer(b"a\n\\\xff".to_vec())), "a\\x0a\\\\xff");
        let array = Value::Array(vec![Value::Int(1), Value::UInt(255)]);
        assert_eq!(text(&array), "[1,255]");
    }

    fn named(address: u64, function: &str) -> Frame {
        Frame {
            function: Some(function.into()),
            offset: 12,
            ..Frame::at(address)
        }
    }

    #[test]
    fn symbols_are_functions_or_addresses() {
        assert_eq!(text(&Value::Symbol(named(0x10, "f"))), "<f>");
        assert_eq!(text(&Value::Symbol(Frame::at(0x10))), "0x10");
        let symbol = Value::Symbol(unnamed_in(b"/bin/ls", 0x4242));
        assert_eq!(text(&symbol), "[<ls>+0x4242]");
    }

    fn unnamed_in(module: &[u8], address: u64) -> Frame {
        Frame {
            module: Some(module.into()),
            module_address: Some(address),
            ..Frame::at(0x7f00_0000_0000 + address)
        }
    }

    #[test]
    fn what_has_no_function_is_a_place_in_what_is_mapped_there() {
        for (module, expected) in [
            (&b"/usr/lib/libx.so.1"[..], "        [<libx.so.1>+0x10]\n"),
            (b"/tmp/gone (deleted)", "        [<gone>+0x10]\n"),
            (b"/memfd:a b (deleted)", "        [<memfd:a b>+0x10]\n"),
            (b"[vdso]", "        [<vdso>+0x10]\n"),
            (b"[anon:v8/x]", "        [<anon:v8/x>+0x10]\n"),
            (b"//anon", "        [<anon>+0x10]\n"),
            (b"/tmp/[odd]", "        [<[odd]>+0x10]\n"),
        ] {
            let frames = vec![unnamed_in(module, 0x10)];
            let shown = |mode| {
                let frames = frames.clone();
                let user = true;
                text(&Value::Stack(Stack { user, mode, frames }))
            };
            assert_eq!(shown(StackMode::Bpftrace), format!("\n{expected}"));
            let module = String::from_utf8_lossy(module);
            assert_eq!(
                shown(StackMode::Perf),
                format!("\n\t7f0000000010 {} (<{module}>)\n", expected.trim())
            );
            // Raw means the numbers, for whoever names them later.
            assert_eq!(shown(StackMode::Raw), "\n7f0000000010\n");
        }
    }

    #[test]
    fn functions_of_python_have_a_place_in_the_source() {
        let python = |function: Option<&str>, line| Frame {
            interpreted: true,
            function: function.map(Into::into),
            file: function.map(|_| "x.py".into()),
            line,
            ..Frame::default()
        };
        let shown = |mode| {
            let frames = vec![
                python(Some("<module>"), Some(3)),
                python(Some("f"), None),
                python(None, None),
            ];
            let user = true;
            text(&Value::Stack(Stack { user, mode, frames }))
        };
        assert_eq!(
            shown(StackMode::Bpftrace),
            "\n        <<module>> (<x.py>:3)\n        <f> (<x.py>)\n        [python]\n"
        );
        assert_eq!(
            shown(StackMode::Perf),
            "\n\t0 <<module>> (<x.py>:3)\n\t0 <f> (<x.py>)\n\t0 [python]\n"
        );
        assert_eq!(
            shown(StackMode::Raw),
            "\n<<module>> (<x.py>:3)\n<f> (<x.py>)\n[python]\n"
        );
    }

    #[test]
    fn stacks_print_in_their_mode() {
        let mapped = Frame {
            module: Some(b"/bin/x".as_slice().into()),
            ..named(0x20, "main")
        };
        let shown = |user, mode| {
            let frames = vec![mapped.clone(), Frame::at(0x30)];
            text(&Value::Stack(Stack { user, mode, frames }))
        };
        assert_eq!(
            shown(true, StackMode::Bpftrace),
            "\n        <main>+12\n        0x30\n"
        );
        assert_eq!(
            shown(true, StackMode::Perf),
            "\n\t20 <main>+12 (</bin/x>)\n\t30 0x30 (<[unknown]>)\n"
        );
        assert_eq!(
            shown(false, StackMode::Perf),
            "\n\t20 <main>+12\n\t30 0x30\n"
        );
        assert_eq!(shown(true, StackMode::Raw), "\n20\n30\n");
        assert_eq!(shown(true, StackMode::BuildId), "\n20\n30\n");
        let known = Frame {
            build_id: Some([0x0a, 0xbc].as_slice().into()),
            module_offset: Some(7),
            ..mapped.clone()
        };
        let stack = Stack {
            user: true,
            mode: StackMode::BuildId,
            frames: vec![known],
        };
        assert_eq!(text(&Value::Stack(stack)), "\n0abc 0x07\n");
    }
}
