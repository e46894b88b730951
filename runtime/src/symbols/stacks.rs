//! The captured stacks as the object keeps them: addresses, and whose they are since when.
//!
//! In comes a stack's id, out go its frames' addresses. Their names are found by the parent. A stack whose walk was left to user space
//! is finished there by [`crate::rests`].

use crate::bytes::unsigned;
use crate::load::Loaded;
use crate::raw_table::each_entry;
use pfscript_probes::abi::{
    MAX_STACK_FRAMES, STACK_BEFORE, STACK_FIRST_NS, STACK_HEADER, STACK_INTERRUPTED, STACK_MARKED,
    STACK_NR, STACK_PIECE_FRAMES, STACK_PYTHON, STACK_TGID, STACK_UNFINISHED,
};
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::io;

/// Pieces that a stack can have.
const MAX_PIECES: usize = MAX_STACK_FRAMES.div_ceil(STACK_PIECE_FRAMES) as usize;

/// A captured stack.
#[derive(Debug)]
pub struct Captured {
    /// The process.
    pub tgid: u32,
    /// When it was captured first, `CLOCK_MONOTONIC` in nanoseconds.
    pub first_ns: u64,
    /// The innermost call first.
    words: Vec<u64>,
    /// They may have marks.
    marked: bool,
}

impl Captured {
    /// The innermost call first.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = CapturedFrame> {
        let words = self.words.iter().enumerate();
        words.map(|(index, word)| frame(index, *word, self.marked))
    }

    /// A number of its process and its frames.
    pub fn hash(&self, hasher: &impl BuildHasher) -> u64 {
        hasher.hash_one((self.tgid, &self.words))
    }

    /// Whether the program left the walk behind the last frame to user space.
    pub fn is_unfinished(&self) -> bool {
        let last = self.words.last().copied().unwrap_or(0);
        self.marked && last & (STACK_UNFINISHED | STACK_PYTHON) == STACK_UNFINISHED
    }

    /// Has these frames behind those that the program found.
    pub fn finish(&mut self, rest: &[u64]) {
        if let Some(last) = self.words.last_mut() {
            *last &= !STACK_UNFINISHED;
        }
        self.words.extend(rest);
    }
}

/// One of its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapturedFrame {
    /// The address of an instruction; of a frame of Python what stands for one.
    pub address: u64,
    /// It runs next, and is not where a call returns to.
    pub is_next: bool,
    /// It is of Python.
    pub is_python: bool,
}

/// The stack with an id, put together from its pieces; `None` if it could not be had.
pub fn read(loaded: &Loaded, id: u64) -> Option<Captured> {
    let last = value(loaded, id)?;
    let mut pieces = Vec::new();
    let mut before = unsigned(STACK_BEFORE.of(&last));
    while before != 0 && pieces.len() < MAX_PIECES {
        let piece = value(loaded, before)?;
        before = unsigned(STACK_BEFORE.of(&piece));
        pieces.push(piece);
    }
    let mut words = Vec::new();
    for piece in pieces.iter().rev().chain([&last]) {
        // Those of the pieces before are counted, too.
        let count = (unsigned(STACK_NR.of(piece)) as usize).saturating_sub(words.len());
        let own = piece.get(STACK_HEADER as usize..).unwrap_or_default();
        words.extend(own.chunks_exact(8).take(count).map(unsigned));
    }
    Some(Captured {
        tgid: owner(&last),
        first_ns: unsigned(STACK_FIRST_NS.of(&last)),
        words,
        marked: unsigned(STACK_TGID.of(&last)) as u32 & STACK_MARKED != 0,
    })
}

/// The value of an id in the tables of stacks.
fn value(loaded: &Loaded, id: u64) -> Option<Vec<u8>> {
    let mut value = Vec::new();
    let mut tables = loaded.stacks().filter(|_| id != 0);
    tables.find(|table| {
        value.resize(table.value_size(), 0);
        table.lookup(&id.to_le_bytes(), &mut value).unwrap_or(false)
    })?;
    Some(value)
}

/// The frame that a word of a stack stands for. Addresses of a process leave the bits of marks free.
fn frame(index: usize, word: u64, marked: bool) -> CapturedFrame {
    let has = |mark| marked && word & mark != 0;
    let marks = match (marked, has(STACK_PYTHON)) {
        (true, true) => STACK_INTERRUPTED,
        (true, false) => STACK_INTERRUPTED | STACK_UNFINISHED,
        (false, _) => 0,
    };
    CapturedFrame {
        address: word & !marks,
        is_next: index == 0 || has(STACK_INTERRUPTED),
        is_python: has(STACK_PYTHON),
    }
}

/// The processes that stacks were captured of, and when the first was; all stacks have one.
///
/// # Errors
/// The kernel's.
pub fn owners(loaded: &Loaded) -> io::Result<HashMap<u32, u64>> {
    let mut owners = HashMap::new();
    for table in loaded.stacks() {
        each_entry(table, |_, value| {
            let time = unsigned(STACK_FIRST_NS.of(value));
            let first: &mut u64 = owners.entry(owner(value)).or_insert(time);
            *first = time.min(*first);
        })?;
    }
    Ok(owners)
}

fn owner(value: &[u8]) -> u32 {
    unsigned(STACK_TGID.of(value)) as u32 & !STACK_MARKED
}
