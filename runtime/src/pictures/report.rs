//! The report of what processes have grown by: one file of HTML that a browser reads without a network.
//!
//! It has the answer as text, how memory went over time, the flame graph, and a table of all parts. Text from outside is escaped twice:
//! for people, as on a terminal, and for HTML. A policy in the file forbids it to load anything.

use super::chart;
use super::history::Sample;
use super::paths;
use crate::results::{Growth, GrowthPart, GrowthReport, Value};
use crate::sinks::{self, size};
use pfscript_grammar::escape::{Keep, escape_bytes};
use std::io;

/// Rows of the table at most.
const ROWS: usize = 1000;

/// Functions that are shown of a row at once.
const FUNCTIONS: usize = 4;

/// What a report is made of.
#[derive(Debug)]
pub struct Contents<'a> {
    /// What is said of processes.
    pub growth: &'a GrowthReport,
    /// How memory went over time.
    pub samples: &'a [Sample],
    /// The flame graph, as SVG.
    pub flamegraph: Vec<u8>,
}

/// Writes a report.
///
/// # Errors
/// If it can't be written.
pub fn write(contents: &Contents<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let names = contents.growth.processes.iter().map(paths::process);
    let names: Vec<String> = names.map(|name| html(&name)).collect();
    let title = match &names[..] {
        [] => "nothing".to_owned(),
        [name] => name.clone(),
        names => format!("{} processes", names.len()),
    };
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'\">\n\
         <title>What {title} grew by</title>\n<style>\n{}</style>\n<script>\n{}</script></head>\n<body>\n\
         <h1>What {title} grew by</h1>\n",
        include_str!("report.css"),
        include_str!("report.js"),
    )?;
    out.write_all(b"<pre id=\"answer\">")?;
    let answer = sinks::growth_text(contents.growth);
    out.write_all(html_only(&String::from_utf8_lossy(&answer)).as_bytes())?;
    out.write_all(b"</pre>\n<p><input id=\"query\" type=\"search\" placeholder=\"function, file, kind or process\" aria-label=\"search\"> \
        <span id=\"found\"></span></p>\n<h2 id=\"flame-head\">By stack</h2>\n<div id=\"flame\">\n")?;
    out.write_all(inline(&contents.flamegraph))?;
    out.write_all(b"\n</div>\n")?;
    let chart = chart::draw(contents.samples);
    if !chart.is_empty() {
        out.write_all(b"<div id=\"time\"><h2>Over time</h2>\n")?;
        out.write_all(chart.as_bytes())?;
        out.write_all(b"</div>\n")?;
    }
    table(contents, out)?;
    out.write_all(b"</body></html>\n")
}

/// SVG without what stands before its first element, which HTML has none of.
fn inline(svg: &[u8]) -> &[u8] {
    let start = svg.windows(5).position(|window| window == b"<svg ");
    &svg[start.unwrap_or(0)..]
}

fn table(contents: &Contents<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let mut rows: Vec<(&Growth, &GrowthPart)> = contents
        .growth
        .processes
        .iter()
        .flat_map(|growth| growth.parts.iter().map(move |part| (growth, part)))
        .collect();
    rows.sort_by_key(|(_, part)| std::cmp::Reverse(part.bytes));
    let total: u64 = rows.iter().map(|(_, part)| part.bytes).sum();
    out.write_all(
        b"<div id=\"parts\"><h2>All parts</h2>\n<table><thead><tr><th>bytes<th>%<th>process<th>kind<th>file<th>stack, the innermost function first</tr></thead>\n<tbody>\n",
    )?;
    let share = |bytes: u64| bytes as f64 * 100.0 / total.max(1) as f64;
    for (growth, part) in rows.iter().take(ROWS) {
        writeln!(
            out,
            "<tr><td title=\"{} bytes\">{}<td>{:.1}<td>{}<td>{}<td>{}<td>{}</tr>",
            part.bytes,
            size(part.bytes),
            share(part.bytes),
            html(&paths::process(growth)),
            part.kind.name(),
            html(paths::named_file(part).unwrap_or_default()),
            payer(part.by.as_ref()),
        )?;
    }
    if let Some(left_out @ [_, ..]) = rows.get(ROWS..) {
        let bytes = left_out.iter().map(|(_, part)| part.bytes).sum();
        let (count, size, share) = (left_out.len(), size(bytes), share(bytes));
        writeln!(
            out,
            "<tr><td>{size}<td>{share:.1}<td><td><td><td>{count} smaller ones</tr>"
        )?;
    }
    out.write_all(b"</tbody></table></div>\n")
}

/// Who is charged: of a long stack the first functions, and all of them on demand.
fn payer(by: Option<&Value>) -> String {
    let functions: Vec<String> = match by {
        None => vec!["not explained".to_owned()],
        Some(Value::Stack(stack)) => paths::functions(stack)
            .iter()
            .map(|name| html(name))
            .collect(),
        Some(other) => vec![html(&sinks::shown(other))],
    };
    match functions.get(..FUNCTIONS) {
        Some(first) if functions.len() > FUNCTIONS => format!(
            "<details><summary>{} ← …</summary>{}</details>",
            first.join(" ← "),
            functions.join("<br>")
        ),
        _ => functions.join(" ← "),
    }
}

/// Text from outside, safe in HTML and to read.
fn html(text: &[u8]) -> String {
    html_only(&escape_bytes(text, Keep::Nothing))
}

fn html_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Frame, MemoryKind, Stack};
    use pfscript_compiler::manifest::StackMode;

    fn growth(comm: &[u8], functions: &[&str], file: &[u8], parts: u64) -> Growth {
        let frame = |name: &&str| Frame {
            function: Some((*name).into()),
            ..Frame::at(16)
        };
        let stack = Stack {
            user: true,
            mode: StackMode::Bpftrace,
            frames: functions.iter().map(frame).collect(),
        };
        let part = |bytes| GrowthPart {
            bytes,
            recent: None,
            kind: MemoryKind::File,
            file: Some(file.into()),
            by: Some(Value::Stack(stack.clone())),
        };
        Growth {
            process: 12,
            processes: 1,
            comm: comm.to_vec(),
            parts: (1..=parts).map(|number| part(number << 12)).collect(),
            ..Growth::default()
        }
    }

    fn written(growths: &[Growth]) -> String {
        let report = GrowthReport {
            processes: growths.to_vec(),
            ..GrowthReport::default()
        };
        let contents = Contents {
            growth: &report,
            samples: &[],
            flamegraph: b"<?xml?>\n<svg width=\"1\"></svg>".to_vec(),
        };
        let mut out = Vec::new();
        write(&contents, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_from_outside_is_text() {
        let evil = "</script><script>alert(1)</script>\"'&";
        let page = written(&[growth(b"<b>\x1b", &[evil, "main"], evil.as_bytes(), 1)]);
        // Its own, and none from outside.
        assert_eq!(page.matches("<script>").count(), 1, "{page}");
        assert!(
            page.contains("<title>What &lt;b&gt;\\x1b (12) grew by</title>"),
            "{page}"
        );
        assert!(
            page.contains(
                "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp; ← main"
            ),
            "{page}"
        );
        assert!(page.contains("default-src 'none'"));
        assert!(!page.contains("<?xml?>"));
    }

    #[test]
    fn the_table_has_the_largest_first_and_an_end() {
        let deep = ["a", "b", "c", "d", "e"];
        let page = written(&[growth(b"x", &deep, b"/f", 1500)]);
        let rows: Vec<&str> = page.split("<tr><td").skip(1).collect();
        assert_eq!(rows.len(), ROWS + 1);
        assert!(
            rows[0]
                .starts_with(" title=\"6144000 bytes\">5.9 MiB<td>0.1<td>x (12)<td>file<td>/f<td>"),
            "{}",
            rows[0]
        );
        assert!(
            rows[0].contains("<summary>a ← b ← c ← d ← …</summary>a<br>b<br>c<br>d<br>e<"),
            "{}",
            rows[0]
        );
        assert!(rows[ROWS].contains("500 smaller ones"), "{}", rows[ROWS]);
    }

    #[test]
    fn what_belongs_to_several_processes_is_in_one_report() {
        let page = written(&[growth(b"a", &["f"], b"", 1), growth(b"b", &["g"], b"", 1)]);
        assert!(page.contains("<h1>What 2 processes grew by</h1>"), "{page}");
        assert!(page.contains("a (12)") && page.contains("b (12)"));
    }
}
