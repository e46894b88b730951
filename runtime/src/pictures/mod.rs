//! Files that show where a weight comes from, by stack: the folded format, flame graphs, and a report of a process's growth.
//!
//! In come the maps that have stacks in their keys, as they are when they come no more, and what a process has grown by. Out go files,
//! at the end, each complete or not at all. What makes the text or the picture is a file of its own here; this one says what belongs
//! into them, and when.

mod chart;
mod file;
mod flamegraph;
mod folded;
mod history;
mod paths;
mod report;
mod tree;

use crate::error::{Error, ErrorKind};
use crate::results::{Event, GrowthReport, Table};
use file::WholeFile;
use flamegraph::Labels;
use history::History;
use pfscript_compiler::manifest::{DataType, Layout, Manifest, MapManifest, MapValue};
use report::Contents;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use tree::{CallTree, Frame, Kind};

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Picture {
    /// The folded format, for other programs.
    Folded,
    /// A flame graph, as SVG.
    FlameGraph,
    /// A page about what processes have grown by, as HTML.
    Report,
}

/// Which pictures are wanted, and where.
#[derive(Clone, Debug, Default)]
pub struct Pictures {
    wanted: Vec<(Picture, PathBuf)>,
}

impl Pictures {
    /// With this one.
    #[must_use]
    pub fn with(mut self, picture: Picture, path: impl Into<PathBuf>) -> Pictures {
        self.wanted.push((picture, path.into()));
        self
    }

    /// Whether none is wanted.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Says whether a script has what is wanted.
    ///
    /// # Errors
    /// That it has not, and why.
    pub(crate) fn fit(&self, manifest: &Manifest) -> Result<(), Error> {
        if self.is_empty() || manifest.accounts_for_pages {
            return Ok(());
        }
        if self
            .wanted
            .iter()
            .any(|(picture, _)| *picture == Picture::Report)
        {
            let message =
                "a report says what processes have grown by, which this script does not follow";
            return Err(Error::new(ErrorKind::Output, message)
                .with_help("run `rssgrow` for it; a flame graph can be drawn of each map with stacks in its key"));
        }
        let mut maps = manifest.maps.iter().filter(|map| has_stack(map)).peekable();
        if maps.peek().is_none() {
            return Err(none(
                "no map of the script has a stack in its key",
                "one that has: `@[ustack, comm] = count();`",
            ));
        }
        let mut named = Vec::new();
        for map in maps {
            match unweighed(&map.value) {
                None => return Ok(()),
                Some(what) => named.push(format!("{} ({what})", map.name)),
            }
        }
        let message = format!("values of {} do not add up to a weight", named.join(", "));
        Err(none(
            &message,
            "count(), sum(), stats(), hist() and numbers have one",
        ))
    }

    /// Prepares the files.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] if one can't be written.
    pub(crate) fn open(&self, manifest: &Manifest, title: &str) -> Result<Album, Error> {
        let files = self.wanted.iter().map(|(picture, path)| {
            let file = WholeFile::prepare(path)?;
            Ok((*picture, file))
        });
        let has_growth = manifest.accounts_for_pages;
        let drawn = |map: &&MapManifest| is_drawn(map);
        let several = manifest.maps.iter().filter(drawn).count() + usize::from(has_growth) > 1;
        Ok(Album {
            files: files.collect::<Result<_, Error>>()?,
            // What is on the command line has no name.
            title: match title {
                "stdin" => "pfscript".to_owned(),
                title => title.to_owned(),
            },
            several,
            ..Album::default()
        })
    }
}

fn none(message: &str, help: &str) -> Error {
    let message = format!("there is nothing to draw: {message}");
    Error::new(ErrorKind::Output, message).with_help(help)
}

/// Whether a map has a stack in its key.
fn has_stack(map: &MapManifest) -> bool {
    fn has(layout: &Layout) -> bool {
        match &layout.ty {
            DataType::Stack { .. } => true,
            DataType::Tuple(parts) => parts.iter().any(|part| has(&part.layout)),
            DataType::Record(members) => members.iter().any(|member| has(&member.field.layout)),
            _ => false,
        }
    }
    map.key.as_ref().is_some_and(has)
}

/// What makes values that do not add up; `None` if they do.
fn unweighed(value: &MapValue) -> Option<&'static str> {
    match value {
        MapValue::Count
        | MapValue::Sum { .. }
        | MapValue::Stats { .. }
        | MapValue::Hist { .. }
        | MapValue::LHist { .. } => None,
        MapValue::Scalar(layout) => match layout.ty {
            DataType::Int { .. } => None,
            _ => Some("no numbers"),
        },
        MapValue::Avg { .. } => Some("avg()"),
        MapValue::Min { .. } => Some("min()"),
        MapValue::Max { .. } => Some("max()"),
        MapValue::Series { .. } => Some("tseries()"),
    }
}

/// Whether a map is drawn.
pub(crate) fn is_drawn(map: &MapManifest) -> bool {
    has_stack(map) && unweighed(&map.value).is_none()
}

/// The files of a session, and what goes into them.
#[derive(Debug, Default)]
pub(crate) struct Album {
    files: Vec<(Picture, WholeFile)>,
    title: String,
    /// Whether what is drawn comes from several maps, which are told apart then.
    several: bool,
    tree: CallTree,
    /// Maps that have been printed, and not been emptied since.
    printed: BTreeSet<String>,
    /// Tracing has ended: what maps hold now, they hold for good.
    ended: bool,
    /// The maps in it, each with what its weights are counted in.
    maps: BTreeMap<String, &'static str>,
    /// Entries of maps that have no weight above 0.
    weightless: u64,
    /// The last that was said of processes' growth.
    growth: GrowthReport,
    /// How the target's memory goes over time, for a report.
    history: Option<History>,
}

impl Album {
    /// Begins to look at a process's memory over time, if a report is wanted.
    pub fn follow(&mut self, process: u32) {
        if self
            .files
            .iter()
            .any(|(picture, _)| *picture == Picture::Report)
        {
            // Of one that is gone already there is nothing to see.
            self.history = History::begin(process).ok();
        }
    }

    /// What maps hold from now on they hold for good.
    pub fn tracing_ended(&mut self) {
        self.ended = true;
    }

    /// Takes what belongs into pictures: what a map held when it was emptied and had been printed, and what it holds in the end; and the last
    /// that is said of a process's growth. What a script empties without having printed it, it throws away.
    pub fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Map(table) => drop(self.printed.insert(table.name().to_owned())),
            Event::Held(table) if self.ended || self.printed.remove(table.name()) => {
                self.add_map(table);
            }
            Event::Growth(report) => self.growth = (*report).clone(),
            _ => {}
        }
    }

    fn add_map(&mut self, table: &Table<'_>) {
        let map = table.info();
        let unit = match map.value {
            MapValue::Count | MapValue::Hist { .. } | MapValue::LHist { .. } => "events",
            _ => "in all",
        };
        self.maps.insert(map.name.clone(), unit);
        let front = self.front(&map.name);
        for entry in table.entries() {
            let added = paths::add_entry(&entry, &front, &mut self.tree);
            self.weightless += u64::from(!added);
        }
    }

    fn front(&self, name: &str) -> Vec<Frame> {
        match self.several {
            true => vec![Frame::new(Kind::Label, name.as_bytes())],
            false => Vec::new(),
        }
    }

    /// Writes the files. Calls `tell` with a line about each of them, and for what is not in them.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] if one can't be written; the others are.
    pub fn finish(mut self, mut tell: impl FnMut(&str)) -> Result<(), Error> {
        let front = self.front("growth");
        for growth in &self.growth.processes {
            paths::add_growth(growth, &front, &mut self.tree);
        }
        let unit = self.unit();
        let (total, paths) = (self.tree.total(), self.tree.paths());
        let of = match self.maps.is_empty() {
            true => String::new(),
            false => {
                let maps: Vec<&str> = self.maps.keys().map(String::as_str).collect();
                format!(" of {}", maps.join(", "))
            }
        };
        let samples = self.history.take().map(History::end).unwrap_or_default();
        let mut failed = Ok(());
        for (picture, file) in std::mem::take(&mut self.files) {
            let path = file.path().display().to_string();
            let labels = Labels {
                title: &self.title,
                unit,
            };
            let tree = &self.tree;
            let written = file.finish(|out| match picture {
                Picture::Folded => folded::write(tree, out),
                Picture::FlameGraph => out.write_all(&flamegraph::draw(tree, labels)?),
                Picture::Report => {
                    let contents = Contents {
                        growth: &self.growth,
                        samples: &samples,
                        flamegraph: flamegraph::draw(tree, labels)?,
                    };
                    report::write(&contents, out)
                }
            });
            match written {
                Ok(()) => tell(&format!("{path}: {paths} stacks{of}, {total} {unit}")),
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        if self.weightless > 0 {
            let count = self.weightless;
            tell(&format!(
                "note: {count} keys whose value is not above 0 are in no picture"
            ));
        }
        let (cut, weight) = self.tree.cut();
        if cut > 0 {
            tell(&format!(
                "note: there was no room for {cut} stacks to their ends ({weight} {unit}) in pictures"
            ));
        }
        failed
    }

    /// What the sum of all weights is counted in.
    fn unit(&self) -> &'static str {
        let mut units = self.maps.values();
        match (units.next(), self.growth.processes.is_empty()) {
            (None, false) => "bytes",
            (Some(unit), true) if units.all(|other| other == unit) => unit,
            _ => "in all",
        }
    }
}
