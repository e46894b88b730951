//! Results as text in bpftrace's form, byte for byte. Here alone text from the traced system is made safe for a terminal.
//! Results go to one writer, messages (what was attached, what was lost) to another.

use super::printf::printf;
use super::{Columns, Form, NOTICE, Sink, form, growth, histogram, memory};
use crate::results::{Benchmark, Event, Failure, Table, Testing, Value};
use pfscript_grammar::escape::{Keep, escape, escape_bytes};
use std::fmt;
use std::io::{self, BufWriter, Write};

/// Appends text from the traced system so that a terminal can't be made to act on it.
pub(super) fn escaped(text: &[u8], keep: Keep, out: &mut Vec<u8>) {
    out.extend_from_slice(escape_bytes(text, keep).as_bytes());
}

/// Has a terminal begin with an empty screen (ECMA-48: CUP, ED).
const CLEAR: &[u8] = b"\x1b[H\x1b[2J";

pub(super) const FORM: Form = Form {
    name: "text",
    doc: "as people read it",
    sink: |writers| {
        let mut text = Text::new(writers.results, writers.messages);
        text.columns = writers.columns;
        Box::new(text)
    },
};

/// Results as text, in bpftrace's form; for a terminal, histograms are within its width.
pub struct Text<W: Write, M: Write> {
    results: BufWriter<W>,
    messages: M,
    columns: Columns,
    /// What is being put together.
    line: Vec<u8>,
}

impl<W: Write, M: Write> fmt::Debug for Text<W, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").finish_non_exhaustive()
    }
}

impl<W: Write, M: Write> Text<W, M> {
    /// Writes to `results`, with a buffer between, and to `messages`, a line at a time.
    pub fn new(results: W, messages: M) -> Text<W, M> {
        Text {
            results: BufWriter::with_capacity(1 << 16, results),
            messages,
            columns: Box::new(|| None),
            line: Vec::new(),
        }
    }

    /// Appends a value to the line; a histogram as wide as there is room for.
    fn value(&mut self, value: &Value) {
        match value {
            Value::Histogram(histogram) => {
                histogram::rows(histogram, (self.columns)(), &mut self.line);
            }
            value => form::value(value, escaped, &mut self.line),
        }
    }

    /// Messages are best effort: a closed standard error does not end a session.
    fn message(&mut self, text: &str) {
        let _ = writeln!(self.messages, "{}", escape(text));
    }

    fn map(&mut self, table: &Table<'_>) -> io::Result<()> {
        for entry in table.entries() {
            self.line.clear();
            self.line.extend_from_slice(table.name().as_bytes());
            if let Some(key) = &entry.key {
                self.line.push(b'[');
                form::key(key, escaped, &mut self.line);
                self.line.push(b']');
            }
            self.line.push(b':');
            match &entry.value {
                drawn @ (Value::Histogram(_) | Value::Series(_)) => self.value(drawn),
                value => {
                    self.line.push(b' ');
                    self.value(value);
                    self.line.push(b'\n');
                }
            }
            self.results.write_all(&self.line)?;
        }
        Ok(())
    }
}

impl<W: Write, M: Write> Sink for Text<W, M> {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.line.clear();
        match event {
            Event::Printf(format) => printf(format, escaped, &mut self.line),
            // The format is the script's own.
            Event::Time(text) => self.line.extend_from_slice(text),
            Event::File(text) | Event::Command(text) => {
                escaped(text, Keep::Layout, &mut self.line);
            }
            Event::Joined(text) => {
                escaped(text, Keep::Nothing, &mut self.line);
                self.line.push(b'\n');
            }
            Event::Value(value) => {
                self.value(value);
                self.line.push(b'\n');
            }
            Event::Map(table) => return self.map(table),
            Event::Memory(memory) => memory::memory(memory, escaped, &mut self.line),
            Event::Growth(report) => {
                if (self.columns)().is_some() && report.recent.is_some() {
                    self.line.extend_from_slice(CLEAR);
                }
                growth::report(report, escaped, &mut self.line);
            }
            Event::Benchmarks(all) => benchmarks(all, &mut self.line),
            Event::Testing(testing) => tests(testing, &mut self.line),
            Event::Ended => self.line.extend_from_slice(b"\n\n"),
            Event::Attached(1) => self.message("Attached 1 probe"),
            Event::Attached(count) => self.message(&format!("Attached {count} probes")),
            Event::Lost(loss) => self.message(&format!("WARNING: {loss}")),
            Event::Failed(failure) => {
                for line in failed(failure) {
                    self.message(&line);
                }
            }
            Event::Said(said) => {
                let kind = if said.error { "ERROR" } else { "WARNING" };
                let text = String::from_utf8_lossy(said.text);
                self.message(&format!("{}: {kind}: {text}", said.place));
            }
            Event::Held(_) => {}
            Event::Notice => self.line.extend_from_slice(NOTICE),
            Event::Message(text) => self.message(text),
        }
        self.results.write_all(&self.line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.results.flush()
    }
}

/// The lines that say what failed, with the line of the script and a mark below the place.
fn failed(failure: &Failure<'_>) -> Vec<String> {
    let place = &failure.place;
    let mut lines = vec![format!("{place}: WARNING: {}", failure.message())];
    let mut more = Vec::new();
    if let Some(refused) = failure.refused() {
        more.push(format!("helper: {}", refused.helper));
        more.push(format!("retcode: {}", refused.code));
    }
    if failure.loss.count > 1 {
        more.push(format!("times: {}", failure.loss.count));
    }
    if !more.is_empty() {
        lines.push(format!("Additional Info - {}", more.join(", ")));
    }
    let before = place.text.get(..place.column - 1).unwrap_or_default();
    let indent = " ".repeat(before.chars().count());
    let marks = "~".repeat(place.width.max(1));
    lines.push(place.text.replace('\t', " "));
    lines.push(indent + &marks);
    lines
}

/// A table of what benchmarks came to.
fn benchmarks(all: &[Benchmark], out: &mut Vec<u8>) {
    const NAME: usize = 40;
    const TIME: usize = 14;
    const RULE: usize = 66;
    let row = |out: &mut Vec<u8>, name: &str, time: &str, runs: &str| {
        let name = escape(name);
        form::push(out, format_args!("{name:<NAME$} {time:<TIME$} {runs}\n"));
    };
    row(out, "Benchmark", "Time(ns)", "Iterations");
    form::push(out, format_args!("{:-<RULE$}\n", ""));
    for bench in all {
        let (time, runs) = (bench.average_ns.to_string(), bench.iterations.to_string());
        row(out, &bench.name, &time, &runs);
    }
}

/// How tests go on, in the form that GoogleTest made known.
fn tests(testing: &Testing<'_>, out: &mut Vec<u8>) {
    let mut line = |mark: &str, text: String| form::push(out, format_args!("[{mark}] {text}\n"));
    let counted = |count| match count {
        1 => "1 test".to_owned(),
        count => format!("{count} tests"),
    };
    match testing {
        Testing::Begin(count) => line("==========", format!("Running {}.", counted(*count))),
        Testing::Runs(name) => line(" RUN      ", escape(name).into_owned()),
        Testing::Ran(result) => {
            let (name, took) = (escape(&result.name), result.took.as_micros());
            let mark = if result.passed {
                "       OK "
            } else {
                "  FAILED  "
            };
            line(mark, format!("{name} ({took} μs)"));
        }
        Testing::End(results) => {
            let failed = || results.iter().filter(|result| !result.passed);
            let failures = failed().count();
            line("==========", format!("{} ran.", counted(results.len())));
            line(
                "  PASSED  ",
                format!("{}.", counted(results.len() - failures)),
            );
            if failures > 0 {
                line(
                    "  FAILED  ",
                    format!("{}, listed below:", counted(failures)),
                );
            }
            failed().for_each(|result| line("  FAILED  ", escape(&result.name).into_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::tests::{int, words};
    use crate::raw_table::tests::map as map_info;
    use crate::results::testing::{layout, tuple, with_table};
    use crate::results::{Argument, MapOptions, Printf};
    use pfscript_compiler::manifest::{Conversion, DataType, FormatPiece, MapManifest, MapValue};

    /// What is written to the two writers.
    fn written(events: &[Event<'_>]) -> (String, String) {
        let (mut results, mut messages) = (Vec::new(), Vec::new());
        let mut sink = Text::new(&mut results, &mut messages);
        for event in events {
            sink.event(event).unwrap();
        }
        sink.flush().unwrap();
        drop(sink);
        (
            String::from_utf8(results).unwrap(),
            String::from_utf8(messages).unwrap(),
        )
    }

    fn map_text(info: &MapManifest, entries: &[(Vec<u8>, Vec<u8>)], options: MapOptions) -> String {
        with_table(info, entries, options, |table| {
            written(&[Event::Map(table)]).0
        })
    }

    #[test]
    fn results_and_messages_go_their_own_ways() {
        let (results, messages) = written(&[
            Event::Attached(1),
            Event::Attached(2),
            Event::Message("p\x1b: at most 5 keys"),
            Event::Time(b"12\n".to_vec()),
            Event::Value(Value::Str(b"a\x1b\n".to_vec())),
            Event::Benchmarks(&[Benchmark {
                name: "a".to_owned(),
                average_ns: 70,
                iterations: 20_000,
            }]),
            Event::Ended,
        ]);
        let table = "\
Benchmark                                Time(ns)       Iterations
------------------------------------------------------------------
a                                        70             20000
";
        assert_eq!(results, format!("12\na\\x1b\\x0a\n{table}\n\n"));
        assert_eq!(
            messages,
            "Attached 1 probe\nAttached 2 probes\np\\x1b: at most 5 keys\n"
        );
    }

    #[test]
    fn arguments_are_escaped_and_padded_as_they_are_shown_and_formats_pass() {
        let conversion = |kind, width, precision| {
            FormatPiece::Conversion(Conversion {
                kind,
                width,
                precision,
                ..Conversion::default()
            })
        };
        let pieces = [
            FormatPiece::Text(b"\x1b[1m".to_vec()),
            conversion(b's', Some(7), Some(2)),
            conversion(b'c', None, None),
            conversion(b'c', None, None),
        ];
        let argument = |value| Argument { value, size: 8 };
        let arguments = vec![
            argument(Value::Str(b"\x1bab".to_vec())),
            argument(Value::Int(10)),
            argument(Value::Int(27)),
        ];
        let format = Printf {
            pieces: &pieces,
            arguments,
        };
        let (results, _) = written(&[Event::Printf(format)]);
        assert_eq!(results, "\x1b[1m  \\x1ba\n\\x1b");
    }

    #[test]
    fn a_map_without_key_is_one_line() {
        let info = map_info("@y", None, MapValue::Scalar(int(8, true)));
        assert_eq!(
            map_text(&info, &[(words(&[0]), words(&[5]))], MapOptions::default()),
            "@y: 5\n"
        );
        assert_eq!(map_text(&info, &[], MapOptions::default()), "");
    }

    #[test]
    fn keys_are_joined_and_inner_tuples_keep_their_parentheses() {
        let inner = tuple(&[(0, int(8, true)), (8, int(8, true))]);
        let key = tuple(&[(0, int(8, true)), (8, inner)]);
        let value = tuple(&[(0, int(8, true)), (8, layout(8, DataType::String))]);
        let info = map_info("@x", Some(key), MapValue::Scalar(value));
        let mut bytes = words(&[4]);
        bytes.extend(b"b\0\0\0\0\0\0\0");
        assert_eq!(
            map_text(&info, &[(words(&[1, 2, 3]), bytes)], MapOptions::default()),
            "@x[1, (2, 3)]: (4, b)\n"
        );
    }

    #[test]
    fn aggregates_print_as_in_bpftrace() {
        let line = |kind, value: &[i64]| {
            map_text(
                &map_info("@", None, kind),
                &[(words(&[0]), words(value))],
                MapOptions::default(),
            )
        };
        assert_eq!(line(MapValue::Count, &[3]), "@: 3\n");
        assert_eq!(line(MapValue::Sum { signed: true }, &[-5]), "@: -5\n");
        assert_eq!(
            line(MapValue::Sum { signed: false }, &[-1]),
            "@: 18446744073709551615\n"
        );
        assert_eq!(line(MapValue::Avg { signed: true }, &[2, 11]), "@: 5\n");
        assert_eq!(line(MapValue::Min { signed: true }, &[-3, 1]), "@: -3\n");
        assert_eq!(
            line(MapValue::Stats { signed: true }, &[2, 11]),
            "@: { .count = 2, .average = 5, .total = 11 }\n"
        );
    }

    #[test]
    fn the_largest_entries_are_the_last_ones() {
        let info = map_info("@x", Some(int(8, true)), MapValue::Count);
        let entries: Vec<_> = (1..=3).map(|n| (words(&[n]), words(&[n]))).collect();
        let shown = |top, divisor| map_text(&info, &entries, MapOptions { top, divisor });
        assert_eq!(shown(2, 1), "@x[2]: 2\n@x[3]: 3\n");
        assert_eq!(shown(2, 2), "@x[2]: 1\n@x[3]: 1\n");
        assert_eq!(shown(0, 0), "@x[1]: 1\n@x[2]: 2\n@x[3]: 3\n");
        assert_eq!(shown(9, 1), shown(0, 1));
    }

    #[test]
    fn division_leaves_counts_and_totals_of_stats_alone() {
        let info = map_info("@f", Some(int(8, true)), MapValue::Stats { signed: true });
        let entries = [(words(&[2]), words(&[2, 505]))];
        assert_eq!(
            map_text(&info, &entries, MapOptions { top: 1, divisor: 2 }),
            "@f[2]: { .count = 2, .average = 126, .total = 505 }\n"
        );
        let info = map_info("@g", None, MapValue::Avg { signed: true });
        let entries = [(words(&[0]), words(&[1, -7]))];
        assert_eq!(
            map_text(&info, &entries, MapOptions { top: 0, divisor: 2 }),
            "@g: -3\n"
        );
    }
}
