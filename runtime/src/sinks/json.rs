//! Results as JSON, one object a line, with the bytes of bpftrace's `-f json` for what bpftrace has, too. Every line is
//! valid JSON, whatever comes from outside: UTF-8 stays as it is, and what is none becomes U+FFFD (bpftrace takes each byte
//! above 0x7f for a negative number). The object of a map may have a key twice, as bpftrace's may: keys are their text,
//! without blanks.

use super::printf::printf;
use super::{Form, NOTICE, Sink, form};
use crate::local_time::{self, Zone};
use crate::loss::{Cause, Loss};
use crate::results::{
    Benchmark, Bucket, Event, Failure, Growth, GrowthReport, Kind, Memory, Place, Scale, Table,
    TestResult, Testing, Value,
};
use pfscript_compiler::manifest::FaultKind;
use pfscript_grammar::escape::Keep;
use pfscript_probes::LossCause;
use std::io::{self, BufWriter, Write};

pub(super) const FORM: Form = Form {
    name: "json",
    doc: "with one object a line",
    sink: |writers| Box::new(Json::new(writers.results)),
};

/// Results and messages as JSON, an object a line.
#[derive(Debug)]
pub struct Json<W: Write> {
    writer: BufWriter<W>,
    /// What is being put together.
    line: Vec<u8>,
}

impl<W: Write> Json<W> {
    /// Writes to `writer`, with a buffer between.
    pub fn new(writer: W) -> Json<W> {
        Json {
            writer: BufWriter::with_capacity(1 << 16, writer),
            line: Vec::new(),
        }
    }

    /// An entry at a time, so that a large map is never one string.
    fn map(&mut self, table: &Table<'_>) -> io::Result<()> {
        let line = &mut self.line;
        let kind = match table.kind() {
            Kind::Value | Kind::Count | Kind::Sum | Kind::Min | Kind::Max => "map",
            Kind::Avg | Kind::Stats => "stats",
            Kind::Histogram => "hist",
            Kind::Series => "tseries",
        };
        if table.is_empty() && kind != "stats" {
            return Ok(());
        }
        form::push(line, format_args!("{{\"type\": \"{kind}\", \"data\": {{"));
        string(table.name().as_bytes(), line);
        line.extend_from_slice(b": ");
        let braces = table.has_key() || table.is_empty();
        if braces {
            line.push(b'{');
        }
        for (index, entry) in table.entries().enumerate() {
            if index > 0 {
                line.extend_from_slice(b", ");
            }
            if let Some(key) = &entry.key {
                self::key(key, line);
                line.extend_from_slice(b": ");
            }
            value(&entry.value, line);
            self.writer.write_all(line)?;
            line.clear();
        }
        if braces {
            line.push(b'}');
        }
        line.extend_from_slice(b"}}\n");
        self.writer.write_all(line)
    }
}

impl<W: Write> Sink for Json<W> {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        let line = &mut self.line;
        line.clear();
        match event {
            Event::Printf(format) => {
                let mut text = Vec::new();
                printf(format, raw, &mut text);
                object("printf", line, |line| string(&text, line));
            }
            Event::Time(text) => object("time", line, |line| string(text, line)),
            Event::File(text) => object("cat", line, |line| string(text, line)),
            Event::Command(text) => object("syscall", line, |line| string(text, line)),
            Event::Joined(text) => object("join", line, |line| string(text, line)),
            Event::Value(printed) => object("value", line, |line| value(printed, line)),
            Event::Map(table) => return self.map(table),
            Event::Attached(count) => counted("attached_probes", "probes", *count as u64, "", line),
            Event::Lost(loss) => lost(loss, line),
            Event::Failed(failure) => failed(failure, line),
            Event::Said(said) => {
                let kind = if said.error { "errorf" } else { "warnf" };
                form::push(line, format_args!("{{\"type\": \"{kind}\", \"msg\": "));
                string(said.text, line);
                place(&said.place, line);
                line.extend_from_slice(b"}\n");
            }
            Event::Memory(memory) => object("memory", line, |line| self::memory(memory, line)),
            Event::Growth(report) => {
                for growth in &report.processes {
                    object("growth", line, |line| self::growth(growth, report, line));
                }
            }
            Event::Notice => line.extend_from_slice(NOTICE),
            Event::Message(text) => object("message", line, |line| string(text.as_bytes(), line)),
            Event::Benchmarks(all) => {
                for bench in *all {
                    object("benchmark_result", line, |line| benchmark(bench, line));
                }
            }
            Event::Testing(Testing::Ran(result)) => {
                object("test_result", line, |line| test_result(result, line));
            }
            Event::Testing(_) | Event::Ended | Event::Held(_) => {}
        }
        self.writer.write_all(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Text from outside, as it is.
pub(super) fn raw(text: &[u8], _: Keep, out: &mut Vec<u8>) {
    out.extend_from_slice(text);
}

/// A line `{"type": …, "data": …}`.
fn object(kind: &str, out: &mut Vec<u8>, data: impl FnOnce(&mut Vec<u8>)) {
    form::push(out, format_args!("{{\"type\": \"{kind}\", \"data\": "));
    data(out);
    out.extend_from_slice(b"}\n");
}

/// What is resident, in bytes.
fn memory(memory: &Memory, out: &mut Vec<u8>) {
    let numbers = |numbers: &[(&str, u64)], out: &mut Vec<u8>| {
        for (name, bytes) in numbers {
            form::push(out, format_args!(", \"{name}\": "));
            number((*bytes).into(), out);
        }
        out.push(b'}');
    };
    out.extend_from_slice(b"{\"time\": ");
    string(&memory.time, out);
    if let Some(machine) = &memory.machine {
        out.extend_from_slice(b", \"machine\": {\"unit\": \"bytes\"");
        let all = [
            ("total", machine.total),
            ("free", machine.free),
            ("available", machine.available),
            ("shared", machine.shared),
            ("cached", machine.cached),
            ("swap_total", machine.swap_total),
            ("swap_free", machine.swap_free),
        ];
        numbers(&all, out);
    }
    out.extend_from_slice(b", \"rows\": ");
    array(&memory.rows, out, |row, out| {
        match row.process {
            Some(pid) => form::push(out, format_args!("{{\"pid\": {pid}, \"comm\": ")),
            None => out.extend_from_slice(b"{\"cgroup\": "),
        }
        string(&row.name, out);
        let all = [
            ("resident", row.now.resident()),
            ("anon", row.now.anonymous),
            ("file", row.now.file),
            ("shmem", row.now.shared),
            ("swap", row.now.swap),
        ];
        numbers(&all, out);
    });
    form::push(out, format_args!(", \"others\": {}}}", memory.others));
}

/// By what processes have grown: sizes in bytes; who is charged for a part is `null` if nothing tells. Of those of one name together
/// the id is that of one of them.
fn growth(growth: &Growth, report: &GrowthReport, out: &mut Vec<u8>) {
    form::push(
        out,
        format_args!(
            "{{\"pid\": {}, \"processes\": {}, \"comm\": ",
            growth.process, growth.processes
        ),
    );
    string(&growth.comm, out);
    let seconds = growth.time.as_secs_f64();
    form::push(out, format_args!(", \"seconds\": {seconds:.3}"));
    if let Some(time) = report.recent {
        let seconds = time.as_secs_f64();
        form::push(out, format_args!(", \"recent_seconds\": {seconds:.3}"));
    }
    for (name, bytes) in [
        ("before", growth.before),
        ("after", growth.after),
        ("gone", growth.gone),
        ("returned", growth.returned),
        ("others", report.others),
    ] {
        form::push(out, format_args!(", \"{name}\": "));
        number(bytes.into(), out);
    }
    recent(growth.recent, out);
    form::push(out, format_args!(", \"sample\": {}", growth.sample));
    for (name, parts) in [
        ("returned_by", &growth.returned_by),
        ("allocated_by", &growth.allocated_by),
    ] {
        form::push(out, format_args!(", \"{name}\": "));
        array(parts, out, |(bytes, by), out| {
            out.extend_from_slice(b"{\"bytes\": ");
            number((*bytes).into(), out);
            out.extend_from_slice(b", \"by\": ");
            value(by, out);
            out.push(b'}');
        });
    }
    if let Some(why) = &growth.unseen {
        out.extend_from_slice(b", \"unseen\": ");
        string(why.as_bytes(), out);
    }
    out.extend_from_slice(b", \"parts\": ");
    array(&growth.parts, out, |part, out| {
        out.extend_from_slice(b"{\"bytes\": ");
        number(part.bytes.into(), out);
        recent(part.recent, out);
        form::push(
            out,
            format_args!(", \"kind\": \"{}\", \"file\": ", part.kind.name()),
        );
        match &part.file {
            Some(file) => string(file, out),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b", \"by\": ");
        value(part.by.as_ref().unwrap_or(&Value::Absent), out);
        out.push(b'}');
    });
    out.push(b'}');
}

/// How many bytes more they are than the time before, if there was one.
fn recent(bytes: Option<i64>, out: &mut Vec<u8>) {
    if let Some(bytes) = bytes {
        out.extend_from_slice(b", \"recent\": ");
        number(bytes.into(), out);
    }
}

fn benchmark(bench: &Benchmark, out: &mut Vec<u8>) {
    out.push(b'{');
    string(bench.name.as_bytes(), out);
    let (average, runs) = (bench.average_ns, bench.iterations);
    form::push(
        out,
        format_args!(": {{\"average\": {average}, \"iters\": {runs}}}}}"),
    );
}

fn test_result(result: &TestResult, out: &mut Vec<u8>) {
    out.push(b'{');
    string(result.name.as_bytes(), out);
    let (took, passed) = (result.took.as_micros(), result.passed);
    form::push(
        out,
        format_args!(": {{\"duration\": {took}, \"passed\": {passed}}}}}"),
    );
}

/// A line that says how many there are twice, as bpftrace's do. `more` is what else there is to say.
fn counted(kind: &str, unit: &str, count: u64, more: &str, out: &mut Vec<u8>) {
    form::push(
        out,
        format_args!(
            "{{\"type\": \"{kind}\", \"count\": {count}, \"data\": {{\"{unit}\": {count}{more}}}}}\n"
        ),
    );
}

/// Where something is in the script.
fn place(place: &Place<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b", \"filename\": ");
    string(place.script.as_bytes(), out);
    let (line, column) = (place.line, place.column);
    form::push(out, format_args!(", \"line\": {line}, \"col\": {column}"));
}

/// bpftrace's line for what failed at a place; what failed more than once has their number behind it.
fn failed(failure: &Failure<'_>, out: &mut Vec<u8>) {
    match failure.refused() {
        Some(refused) => {
            out.extend_from_slice(b"{\"type\": \"helper_error\", \"msg\": ");
            string(refused.meaning.as_bytes(), out);
            let (helper, code) = (refused.helper, refused.code);
            form::push(
                out,
                format_args!(", \"helper\": \"{helper}\", \"retcode\": {code}"),
            );
        }
        None => {
            out.extend_from_slice(b"{\"type\": \"runtime_error\", \"msg\": ");
            string(failure.message().as_bytes(), out);
        }
    }
    place(&failure.place, out);
    if failure.loss.count > 1 {
        form::push(out, format_args!(", \"count\": {}", failure.loss.count));
    }
    out.extend_from_slice(b"}\n");
}

/// bpftrace's line for lost events, with the probe and the reason; other losses have other types.
fn lost(loss: &Loss, out: &mut Vec<u8>) {
    let (kind, unit) = match loss.cause {
        Cause::Missed => ("lost_events", "events"),
        Cause::Counted(cause) => counted_loss(cause),
        Cause::Fault { kind, .. } => match kind {
            FaultKind::DivisionByZero => ("runtime_error", "divisions"),
            FaultKind::OutOfBounds => ("runtime_error", "accesses"),
            FaultKind::NoElement => ("runtime_error", "elements"),
            FaultKind::Lost { cause, .. } => counted_loss(cause),
        },
        Cause::Mappings => ("lost_mappings", "mappings"),
        Cause::GeneratedCode => ("cut_names", "processes"),
        Cause::JvmFrames => ("short_stacks", "processes"),
        Cause::PythonNames => ("lost_names", "functions"),
        Cause::Names(_) => ("lost_names", "files"),
        Cause::Processes | Cause::HiddenProcesses => ("lost_names", "processes"),
    };
    let mut more = Vec::new();
    if let Some(probe) = &loss.probe {
        more.extend_from_slice(b", \"probe\": ");
        string(probe.as_bytes(), &mut more);
    }
    more.extend_from_slice(b", \"message\": ");
    string(loss.to_string().as_bytes(), &mut more);
    counted(kind, unit, loss.count, &String::from_utf8_lossy(&more), out);
}

/// The type of a line about what programs count, and what there are so many of.
fn counted_loss(cause: LossCause) -> (&'static str, &'static str) {
    match cause {
        LossCause::MapFull
        | LossCause::EventsFull
        | LossCause::NoMemory
        | LossCause::ScratchBusy => ("lost_events", "events"),
        LossCause::StacksFull | LossCause::StackFailed => ("lost_stacks", "stacks"),
        LossCause::StackTruncated => ("cut_stacks", "stacks"),
        LossCause::LoopCut => ("cut_loops", "loops"),
        LossCause::StackCut => ("short_stacks", "stacks"),
        LossCause::StackEarly => ("early_stacks", "stacks"),
        LossCause::StackAstray => ("astray_stacks", "stacks"),
        LossCause::StringTruncated => ("cut_strings", "strings"),
        LossCause::KernelReadFailed | LossCause::UserReadFailed => ("lost_values", "values"),
    }
}

fn value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Int(number) => self::number((*number).into(), out),
        Value::UInt(number) | Value::Pointer(number) => self::number((*number).into(), out),
        // The number, as other programs expect it.
        Value::Enumerator { number, .. } => self::number(*number, out),
        Value::Bool(set) => form::push(out, format_args!("{set}")),
        Value::Absent => out.extend_from_slice(b"null"),
        Value::Str(text) | Value::Literal(text) => string(text, out),
        // bpftrace takes each byte above 0x7f for a negative number.
        Value::Buffer(bytes) => array(bytes, out, |byte, out| {
            form::push(out, format_args!("{byte}"))
        }),
        Value::Tuple(parts) => array(parts, out, self::value),
        Value::Record(parts) => {
            out.push(b'{');
            for (index, (name, part)) in parts.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(b", ");
                }
                string(name.as_bytes(), out);
                out.extend_from_slice(b": ");
                self::value(part, out);
            }
            out.push(b'}');
        }
        Value::Array(elements) => array(elements, out, self::value),
        Value::Stack(_) | Value::Symbol(_) => {
            let mut text = Vec::new();
            form::value(value, raw, &mut text);
            string(&text, out);
        }
        Value::Stats(stats) => {
            form::push(
                out,
                format_args!("{{\"count\": {}, \"average\": ", stats.count),
            );
            number(stats.average, out);
            out.extend_from_slice(b", \"total\": ");
            number(stats.total, out);
            out.push(b'}');
        }
        Value::Histogram(histogram) => array(&histogram.buckets, out, |bucket, out| {
            self::bucket(bucket, histogram.scale, out);
        }),
        // Those that a value came in.
        Value::Series(series) => {
            let points: Vec<_> = series
                .points
                .iter()
                .filter_map(|point| Some((point.start, point.value?)))
                .collect();
            array(&points, out, |(start, value), out| {
                point(*start, *value, out)
            });
        }
    }
}

fn array<T>(elements: &[T], out: &mut Vec<u8>, each: impl Fn(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        each(element, out);
    }
    out.push(b']');
}

/// With the least and the largest value that belong into it, where there are such.
fn bucket(bucket: &Bucket, scale: Scale, out: &mut Vec<u8>) {
    let most = match (scale, bucket.to) {
        (_, Some(to)) => Some(i128::from(to) - 1),
        // The last one is full by then.
        (Scale::Log2 { .. }, None) => Some(i64::MAX.into()),
        (Scale::Linear { .. }, None) => None,
    };
    out.push(b'{');
    for (name, bound) in [("min", bucket.from.map(i128::from)), ("max", most)] {
        if let Some(bound) = bound {
            form::push(out, format_args!("\"{name}\": "));
            number(bound, out);
            out.extend_from_slice(b", ");
        }
    }
    form::push(out, format_args!("\"count\": {}}}", bucket.count));
}

/// When an interval began, in universal time, and what it came to.
fn point(start: u64, value: i128, out: &mut Vec<u8>) {
    let second = local_time::since_1970("%Y-%m-%d %H:%M:%S", start, Zone::Utc);
    out.extend_from_slice(b"{\"interval_start\":\"");
    out.extend_from_slice(&second);
    form::push(
        out,
        format_args!(".{:09}\",\"value\":", start % 1_000_000_000),
    );
    // As a number whatever its size, as bpftrace has it.
    form::push(out, format_args!("{value}}}"));
}

/// A map's keys as one string: as they are in text, but without blanks and outer parentheses.
fn key(key: &Value, out: &mut Vec<u8>) {
    let mut text = Vec::new();
    form::key(key, raw, &mut text);
    let single = !matches!(key, Value::Tuple(_));
    if single && text.len() >= 2 && text.starts_with(b"(") && text.ends_with(b")") {
        text = text[1..text.len() - 1].to_vec();
    }
    text.retain(|byte| *byte != b' ');
    string(&text, out);
}

/// A number; as a string where a reader who takes numbers for 64-bit floating point, as RFC 8259 lets them, would get
/// another one.
fn number(number: i128, out: &mut Vec<u8>) {
    if number as f64 as i128 == number {
        form::push(out, format_args!("{number}"));
    } else {
        form::push(out, format_args!("\"{number}\""));
    }
}

fn string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        for byte in chunk.valid().bytes() {
            match byte {
                b'"' => out.extend_from_slice(b"\\\""),
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                0..0x20 => form::push(out, format_args!("\\u{byte:04x}")),
                _ => out.push(byte),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(print: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        print(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_utf8_and_escaped() {
        for (text, expected) in [
            (&b"a b"[..], r#""a b""#),
            (b"\"\\\n\r\t", r#""\"\\\n\r\t""#),
            (b"\0\x1b\x1f", r#""\u0000\u001b\u001f""#),
            ("é\u{7f}".as_bytes(), "\"é\u{7f}\""),
            (b"a\xffb\xc3", "\"a\u{fffd}b\u{fffd}\""),
        ] {
            assert_eq!(shown(|out| string(text, out)), expected);
        }
    }

    #[test]
    fn numbers_that_floating_point_changes_are_strings() {
        for (number_, expected) in [
            (0, "0"),
            (-(1 << 53), "-9007199254740992"),
            ((1 << 53) + 1, "\"9007199254740993\""),
            (i64::MAX.into(), "\"9223372036854775807\""),
            (i64::MIN.into(), "-9223372036854775808"),
            (u64::MAX.into(), "\"18446744073709551615\""),
        ] {
            assert_eq!(shown(|out| number(number_, out)), expected);
        }
    }

    #[test]
    fn keys_lose_blanks_and_outer_parentheses() {
        let text = |text: &str| Value::Str(text.as_bytes().to_vec());
        let pair = |a, b| Value::Tuple(vec![a, b]);
        for (value, expected) in [
            (text("a b"), "\"ab\""),
            (text("(a)"), "\"a\""),
            (text("("), "\"(\""),
            (pair(text("(a"), text("b)")), "\"(a,b)\""),
            (
                pair(Value::Int(1), pair(Value::Int(2), text("x"))),
                "\"1,(2,x)\"",
            ),
        ] {
            assert_eq!(shown(|out| key(&value, out)), expected);
        }
    }

    #[test]
    fn losses_say_what_and_why() {
        let loss = Loss {
            probe: Some("kprobe:x".into()),
            cause: Cause::Counted(LossCause::StackTruncated),
            count: 2,
            capacity: Some(127),
        };
        assert_eq!(
            shown(|out| lost(&loss, out)),
            concat!(
                r#"{"type": "cut_stacks", "count": 2, "data": {"stacks": 2, "probe": "kprobe:x", "#,
                r#""message": "cut 2 stacks of kprobe:x after 127 frames"}}"#,
                "\n"
            )
        );
    }
}
