//! The script's lines, by place.
//!
//! In comes a span, out go the number and the text of its line. Messages about the script are rendered elsewhere
//! ([`pfscript_grammar::render`]).

use pfscript_grammar::Span;

/// How many characters of a line are shown.
const MAX_LINE: usize = 240;

/// A script and where its lines begin.
#[derive(Debug)]
pub struct Source<'s> {
    /// The script's name.
    pub name: &'s str,
    text: &'s str,
    starts: Vec<usize>,
}

/// A place in a script as people count: lines and columns from 1, columns in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl<'s> Source<'s> {
    /// Finds the lines.
    pub fn new(name: &'s str, text: &'s str) -> Source<'s> {
        let ends = text.match_indices('\n').map(|(end, _)| end + 1);
        Source {
            name,
            text,
            starts: std::iter::once(0).chain(ends).collect(),
        }
    }

    /// Where a span begins.
    pub fn position(&self, span: Span) -> Position {
        let offset = (span.start as usize).min(self.text.len());
        let line = self.starts.partition_point(|&start| start <= offset);
        Position {
            line: line as u32,
            column: (offset - self.starts[line - 1] + 1) as u32,
        }
    }

    /// A line's text, without the white space around it and without control characters. Of a long line, this is the
    /// beginning: a script may be one line of a megabyte.
    pub fn line(&self, line: u32) -> String {
        let index = line as usize - 1;
        let start = self.starts[index];
        let end = self
            .starts
            .get(index + 1)
            .map_or(self.text.len(), |&end| end);
        let shown = self.text[start..end].trim_start().chars();
        let mut text: String = shown
            .take(MAX_LINE)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let length = text.trim_end().len();
        text.truncate(length);
        text
    }
}
