//! The probes of a manifest: one program each, and the points to attach it to.
//!
//! These are data types alone: providers make them, the runtime attaches by them.

use crate::program::ProgramKind;
use pfscript_grammar::Span;
use std::path::PathBuf;

/// One probe: one program and its sites.
#[derive(Clone, Debug)]
pub struct ProbeManifest {
    /// The program's ELF symbol and, behind its section's first part, section name: `p0`.
    pub symbol: String,
    /// The probe as messages call it: `software:page-faults:1`.
    pub name: String,
    /// Where it stands in the script.
    pub span: Span,
    /// The kind of its program.
    pub kind: ProgramKind,
    /// Where to attach it; all must succeed.
    pub sites: Vec<Site>,
    /// The instruction of the program whose immediate is the id of the process that it is narrowed to. It is 0, for every
    /// process, until the loader sets it. `None` for a probe that is not narrowed.
    pub narrowing: Option<u32>,
    /// The program asks for its site: the first one's row in `pf_map_sites`, behind which are those of the others. The row's
    /// number is the cookie to attach the site with.
    pub rows: Option<u32>,
}

impl ProbeManifest {
    /// The attach points.
    pub fn points(&self) -> impl Iterator<Item = &Attach> {
        self.sites.iter().map(|site| &site.attach)
    }
}

/// One place where a program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its full name (the builtin `probe`).
    pub name: String,
    /// The traced function, if there is one (the builtin `func`).
    pub function: Option<String>,
    /// What to attach to.
    pub attach: Attach,
}

/// What a program can ask of the site that it runs for: a column of `pf_map_sites`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SiteColumn {
    /// The site's full name.
    Probe,
    /// The traced function.
    Function,
}

impl SiteColumn {
    /// All columns, in the order in which they stand in a row.
    pub const ALL: [SiteColumn; 2] = [SiteColumn::Probe, SiteColumn::Function];
}

impl Site {
    /// What stands in a column; `None` where the site has no such thing.
    pub fn text(&self, column: SiteColumn) -> Option<&str> {
        match column {
            SiteColumn::Probe => Some(&self.name),
            SiteColumn::Function => self.function.as_deref(),
        }
    }
}

/// The map `pf_map_sites`: an array with a row for each site of the programs that ask for theirs. In a row are the columns
/// one behind the other, as strings padded with zeroes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteTable {
    /// How many rows.
    pub rows: u32,
    /// Bytes of each column, in the order of [`SiteColumn::ALL`]; multiples of 8, 0 for one that nobody asks for.
    pub widths: [u32; SiteColumn::ALL.len()],
}

impl SiteTable {
    /// Bytes of a row.
    pub fn row_bytes(&self) -> u32 {
        self.widths.iter().sum()
    }

    /// Where a column begins in a row, and its width, in bytes.
    pub fn column(&self, column: SiteColumn) -> (u32, u32) {
        let mut offset = 0;
        for (other, width) in SiteColumn::ALL.into_iter().zip(self.widths) {
            if other == column {
                return (offset, width);
            }
            offset += width;
        }
        (offset, 0)
    }

    /// A site's row.
    pub fn row(&self, site: &Site) -> Vec<u8> {
        let mut row = Vec::with_capacity(self.row_bytes() as usize);
        for (column, width) in SiteColumn::ALL.into_iter().zip(self.widths) {
            let end = row.len() + width as usize;
            let text = site.text(column).unwrap_or_default().as_bytes();
            // A terminator is left where a column has any room.
            let most = (width as usize).saturating_sub(1);
            row.extend(&text[..text.len().min(most)]);
            row.resize(end, 0);
        }
        row
    }
}

/// What a session is for that does not trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `bench:NAME` is run again and again, to see how long it takes.
    Bench,
    /// `test:NAME` is run once, to see whether it goes well.
    Test,
}

/// One attach point, as the mechanism that attaches it sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attach {
    /// Run once by the runtime before any other probe fires (`BEGIN`).
    Begin,
    /// Run once by the runtime after the last probe was detached (`END`).
    End,
    /// Run by the runtime when the tracer gets a signal.
    Signal {
        /// Its number.
        number: i32,
    },
    /// Run by the runtime in a session that is for these alone.
    Asked {
        /// Which session that is.
        mode: Mode,
        /// The script's name for it.
        name: String,
    },
    /// A perf event.
    PerfEvent(PerfEvent),
    /// A tracepoint of tracefs.
    Tracepoint {
        /// Such as `sched`.
        category: String,
        /// Such as `sched_switch`.
        name: String,
    },
    /// A tracepoint, without the record that tracefs makes of it.
    RawTracepoint {
        /// Such as `sched_switch`.
        name: String,
    },
    /// A kernel function.
    Kprobe {
        /// Its name.
        function: String,
        /// Bytes from its start.
        offset: u64,
        /// At its return.
        on_return: bool,
    },
    /// An instruction of a program or a shared library.
    Uprobe {
        /// The file, from where the runtime runs.
        path: PathBuf,
        /// Where in the file the instruction is, in bytes.
        offset: u64,
        /// Where in the file a counter is that the kernel counts up while the probe is there, in bytes; 0 if there is none.
        counter: u64,
        /// When the function returns that begins there.
        on_return: bool,
    },
}

impl Attach {
    /// Whether it fires in any process even while a command is traced: the kernel cannot narrow it to a process tree.
    pub fn fires_in_any_process(&self) -> bool {
        match self {
            // These run in the session's own process.
            Attach::Begin | Attach::End | Attach::Signal { .. } | Attach::Asked { .. } => false,
            Attach::PerfEvent(event) => match event.scope {
                PerfScope::EveryCpu => false,
                // A timer that prints and ends; nobody samples with it.
                PerfScope::OneCpu => false,
            },
            Attach::Tracepoint { .. }
            | Attach::RawTracepoint { .. }
            | Attach::Kprobe { .. }
            | Attach::Uprobe { .. } => true,
        }
    }
}

/// A perf event to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerfEvent {
    /// `perf_event_attr.type`
    pub event_type: u32,
    /// `perf_event_attr.config`
    pub config: u64,
    /// When it fires.
    pub sample: Sample,
    /// Where it counts.
    pub scope: PerfScope,
}

/// When a perf event fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Every `n` events (nanoseconds, for clocks).
    Period(u64),
    /// `n` times a second.
    Frequency(u64),
}

/// Where a perf event counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerfScope {
    /// Every process on every CPU; narrowed to the command's process tree under `-c`.
    EveryCpu,
    /// One CPU, whatever runs there (`interval`).
    OneCpu,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(name: &str) -> Site {
        Site {
            name: name.into(),
            function: Some("abc".into()),
            attach: Attach::Begin,
        }
    }

    #[test]
    fn a_row_holds_the_columns_padded_and_cut() {
        let table = SiteTable {
            rows: 1,
            widths: [8, 8],
        };
        assert_eq!(table.row(&site("kprobe:abcdef")), b"kprobe:\0abc\0\0\0\0\0");
        assert_eq!(table.column(SiteColumn::Probe), (0, 8));
        assert_eq!(table.column(SiteColumn::Function), (8, 8));
    }

    #[test]
    fn a_column_that_nobody_asks_for_takes_no_room() {
        let table = SiteTable {
            rows: 1,
            widths: [0, 8],
        };
        assert_eq!(table.row(&site("kprobe:abc")), b"abc\0\0\0\0\0");
        assert_eq!(table.column(SiteColumn::Function), (0, 8));
    }
}
