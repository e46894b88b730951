//! Where results go: the trait that a session hands decoded results to, and the one that writes them as text.

use crate::decode::Table;
use crate::print::{self, MapOptions, Names};
use pfscript_compiler::manifest::{Layout, MapManifest};
use std::io::{self, BufWriter, Write};

/// A consumer of a session's results. Errors end the session; `BrokenPipe` ends it quietly.
pub trait Sink {
    /// Text that the script made by `printf` or `time`.
    ///
    /// # Errors
    /// If it can't be written.
    fn text(&mut self, text: &[u8]) -> io::Result<()>;

    /// A value that the script printed by `print(value)`.
    ///
    /// # Errors
    /// If it can't be written.
    fn value(&mut self, layout: &Layout, bytes: &[u8], names: &mut dyn Names) -> io::Result<()>;

    /// A map, printed by `print(@map)` or at the end.
    ///
    /// # Errors
    /// If it can't be written.
    fn map(
        &mut self,
        info: &MapManifest,
        table: &Table,
        options: MapOptions,
        names: &mut dyn Names,
    ) -> io::Result<()>;

    /// Tracing has ended; what follows are the maps that are printed at the end.
    ///
    /// # Errors
    /// If it can't be written.
    fn end(&mut self) -> io::Result<()>;

    /// Nothing more is to come for the moment.
    ///
    /// # Errors
    /// If it can't be written.
    fn flush(&mut self) -> io::Result<()>;
}

/// Results as text, in bpftrace's form.
#[derive(Debug)]
pub struct Text<W: Write> {
    writer: BufWriter<W>,
}

impl<W: Write> Text<W> {
    /// Writes to `writer`, with a buffer between.
    pub fn new(writer: W) -> Text<W> {
        Text {
            writer: BufWriter::with_capacity(1 << 16, writer),
        }
    }
}

impl<W: Write> Sink for Text<W> {
    fn text(&mut self, text: &[u8]) -> io::Result<()> {
        self.writer.write_all(text)
    }

    fn value(&mut self, layout: &Layout, bytes: &[u8], names: &mut dyn Names) -> io::Result<()> {
        let mut line = Vec::new();
        print::value(layout, bytes, names, &mut line);
        line.push(b'\n');
        self.writer.write_all(&line)
    }

    fn map(
        &mut self,
        info: &MapManifest,
        table: &Table,
        options: MapOptions,
        names: &mut dyn Names,
    ) -> io::Result<()> {
        print::map(info, table, options, names, |line| {
            self.writer.write_all(line)
        })
    }

    fn end(&mut self) -> io::Result<()> {
        self.writer.write_all(b"\n\n")
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
