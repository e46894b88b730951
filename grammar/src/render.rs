//! Diagnostics as text for people: the message, the line of the script, a caret, and what to try.
//!
//! In come diagnostics and the script, out goes text, safe for a terminal. Where it is printed is the caller's decision.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Severity};
use crate::escape::{escape, is_unprintable, push_escaped};

/// How many columns of a line are shown; a longer line is cut around the place.
const WIDTH: usize = 120;

/// How many columns before the place are kept when a line is cut.
const LEAD: usize = 40;

/// Diagnostics as a compiler prints them, each ending with a newline.
///
/// `source` is the text that was parsed (for text that is not UTF-8, its lossy form), `source_name` what to call it.
/// Whatever a terminal could act upon in either is escaped; `color` adds escape sequences of our own. A place that spans
/// lines is shown by its first line, and long lines are cut.
///
/// ```
/// use pfscript_grammar::{render, Diagnostic, Span};
/// let error = Diagnostic::error(Span::new(8, 11), "unknown name `pdi`").help("did you mean `pid`?");
/// let text = render(&[error], "x.pf", "BEGIN { pdi }", false);
/// assert_eq!(text, "\
/// error: unknown name `pdi`
///  --> x.pf:1:9
///   |
/// 1 | BEGIN { pdi }
///   |         ^^^
///   |
///   = help: did you mean `pid`?
/// ");
/// ```
pub fn render(diagnostics: &[Diagnostic], source_name: &str, source: &str, color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    }
    .term_width(2 * WIDTH);
    let mut out = String::new();
    for (i, diagnostic) in diagnostics.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        out.push_str(&one(&renderer, diagnostic, source_name, source));
        out.push('\n');
    }
    out
}

fn one(renderer: &Renderer, diagnostic: &Diagnostic, source_name: &str, source: &str) -> String {
    let view = View::new(source, diagnostic.span.range());
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut annotation = AnnotationKind::Primary.span(view.span);
    let label = escape(&diagnostic.label);
    if !label.is_empty() {
        annotation = annotation.label(label);
    }
    let mut group = level
        .primary_title(escape(&diagnostic.message))
        .element(
            Origin::path(escape(source_name))
                .line(view.line)
                .char_column(view.column),
        )
        .element(
            Snippet::source(view.text)
                .line_start(view.line)
                .annotation(annotation),
        );
    if let Some(note) = &diagnostic.note {
        group = group.element(Level::NOTE.message(escape(note)));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(escape(help)));
    }
    without_file_mark(&renderer.render(&[group]))
}

/// A piece of a line has its place given apart from it (the column in the script is not that in the piece), and the
/// renderer takes this for a second file, whose mark, a line with `:::`, stands between the two. This takes it out.
fn without_file_mark(text: &str) -> String {
    const MARK_LINE: usize = 3;
    let is_mark = |line: &str| {
        let mut visible = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once('\x1b') {
            visible.push_str(before);
            rest = after.split_once('m').map_or("", |(_, after)| after);
        }
        visible.push_str(rest);
        visible.trim() == ":::"
    };
    let lines = text.lines().enumerate();
    let kept: Vec<&str> = lines
        .filter(|&(i, line)| i != MARK_LINE || !is_mark(line))
        .map(|(_, line)| line)
        .collect();
    kept.join("\n")
}

/// What is shown of the source.
struct View {
    /// One line or a piece of it, printable.
    text: String,
    /// The place, in bytes of `text`.
    span: Range<usize>,
    /// From 1.
    line: usize,
    /// From 1, in characters of the source.
    column: usize,
}

impl View {
    fn new(source: &str, span: Range<usize>) -> View {
        let start = floor_char(source, span.start);
        let bytes = source.as_bytes();
        let line_start = bytes[..start]
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |n| n + 1);
        let line_end = bytes[start..]
            .iter()
            .position(|&byte| byte == b'\n')
            .map_or(source.len(), |n| start + n);
        let end = ceil_char(source, span.end.max(start))
            .min(line_end)
            .max(start);
        let line = bytes[..start].iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = source[line_start..start].chars().count() + 1;

        // Cut before escaping: what is cut off is not looked at.
        let width = source[line_start..line_end].chars().take(WIDTH + 1).count();
        let (from, to) = if width <= WIDTH {
            (line_start, line_end)
        } else {
            let from = source[line_start..start]
                .char_indices()
                .rev()
                .take(LEAD)
                .last()
                .map_or(start, |(i, _)| line_start + i);
            let to = source[from..line_end]
                .char_indices()
                .nth(WIDTH)
                .map_or(line_end, |(i, _)| from + i);
            (from, to)
        };
        let end = end.min(to);

        let mut text = String::new();
        let mut marked = 0..0;
        if from > line_start {
            text.push('…');
        }
        for (i, c) in source[from..to].char_indices() {
            if from + i == start {
                marked.start = text.len();
            }
            if from + i == end {
                marked.end = text.len();
            }
            match c {
                '\t' => text.push_str("    "),
                '\r' if from + i + 1 == line_end => {}
                c if is_unprintable(c) => push_escaped(c, &mut text),
                c => text.push(c),
            }
        }
        if start >= to {
            marked.start = text.len();
        }
        if end >= to {
            marked.end = text.len();
        }
        if to < line_end {
            text.push('…');
        }
        View {
            text,
            span: marked.start..marked.end.max(marked.start),
            line,
            column,
        }
    }
}

fn floor_char(source: &str, at: usize) -> usize {
    let mut at = at.min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil_char(source: &str, at: usize) -> usize {
    let mut at = at.min(source.len());
    while !source.is_char_boundary(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Span;

    fn plain(source: &str, start: usize, end: usize) -> String {
        let error = Diagnostic::error(Span::new(start, end), "wrong").label("here");
        render(&[error], "x.pf", source, false)
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        assert_eq!(
            plain("a\n\tfoo(检查, bar)\n", 15, 18),
            "\
error: wrong
 --> x.pf:2:10
  |
2 |     foo(检查, bar)
  |               ^^^ here
"
        );
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let source = "a \x1b[2J\u{202e} \x07b\r\nc";
        for start in 0..=source.len() + 3 {
            for end in [start, start + 1, start + 5, 0] {
                let error = Diagnostic::error(Span::new(start, end), "bad \x1b[0m\nthing")
                    .label("x\x1b")
                    .help("\u{9b}31m\u{2066}");
                let text = render(&[error], "na\x1bme", source, false);
                assert!(
                    text.chars().all(|c| c == '\n' || !is_unprintable(c)),
                    "{text:?}"
                );
            }
        }
    }

    #[test]
    fn a_line_of_a_megabyte_is_cut_around_the_place() {
        let source = "x".repeat(1 << 20);
        for at in [0, 1, 60, 500_000, (1 << 20) - 1, 1 << 20] {
            let text = plain(&source, at, at + 1);
            assert!(text.len() < 1000, "{} bytes at {at}", text.len());
            assert!(text.contains("^ here"), "{text}");
            assert!(text.contains(&format!("x.pf:1:{}", at + 1)), "{text}");
        }
        let text = plain(&source, 0, source.len());
        assert!(text.len() < 1000, "{} bytes", text.len());
        let wide = "检".repeat(300_000);
        assert!(plain(&wide, 300_000, 300_003).len() < 2000);
    }

    #[test]
    fn a_place_over_lines_is_shown_by_its_first() {
        assert_eq!(
            plain("if (x) {\n  y();\n}", 0, 17),
            "\
error: wrong
 --> x.pf:1:1
  |
1 | if (x) {
  | ^^^^^^^^ here
"
        );
    }

    #[test]
    fn an_empty_source_has_a_place_too() {
        assert!(plain("", 0, 0).starts_with("error: wrong\n --> x.pf:1:1\n"));
        assert!(plain("\n", 7, 9).starts_with("error: wrong\n --> x.pf:2:1\n"));
    }

    #[test]
    fn colors_are_ours_alone() {
        let error = Diagnostic::warning(Span::new(0, 1), "w\x1b[31m");
        let text = render(&[error], "x.pf", "a\x1b", true);
        assert!(text.contains("warning"));
        assert!(
            text.contains("\x1b[0m") && !text.contains("\x1b[31m"),
            "{text:?}"
        );
    }
}
