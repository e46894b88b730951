//! Reads the output of `@[ustack, pid, comm] = count()`, and takes nothing but exactly that.

use super::Finished;

/// One key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub frames: Vec<String>,
    pub pid: u32,
    pub comm: String,
    pub count: u64,
}

impl Row {
    /// The function of a frame, without its offset.
    pub fn function(&self, frame: usize) -> &str {
        self.frames
            .get(frame)
            .map_or("", |frame| frame.split('+').next().unwrap_or(frame))
    }

    /// Whether the innermost frame is in this function.
    pub fn is_in(&self, function: &str) -> bool {
        self.function(0) == function
    }

    /// Whether any frame is in this function.
    pub fn passes(&self, function: &str) -> bool {
        (0..self.frames.len()).any(|frame| self.function(frame) == function)
    }
}

/// Parses the whole output: two newlines, then rows such as
///
/// ```text
/// @[
///         main+153
///         __libc_start_call_main+128
/// , 9684, anon2mmap]: 4096
/// ```
///
/// Fails on anything else, and unless the rows are sorted by their counts, ascending.
#[track_caller]
pub fn parse(text: &str) -> Vec<Row> {
    let body = text
        .strip_prefix("\n\n")
        .unwrap_or_else(|| panic!("no empty lines first: {text}"));
    let mut rows: Vec<Row> = Vec::new();
    let mut lines = body.lines();
    while let Some(first) = lines.next() {
        assert_eq!(first, "@[", "in {body}");
        let mut frames = Vec::new();
        let last = loop {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("a row has no end: {body}"));
            match line.strip_prefix("        ") {
                Some(frame) => frames.push(frame.to_owned()),
                None => break line,
            }
        };
        rows.push(row(frames, last));
    }
    assert!(
        body.ends_with('\n') || body.is_empty(),
        "the last line has no end: {body}"
    );
    assert!(
        rows.is_sorted_by_key(|row| row.count),
        "the rows are not sorted by their counts: {body}"
    );
    rows
}

#[track_caller]
fn row(frames: Vec<String>, last: &str) -> Row {
    let parts = || {
        let (pid, rest) = last.strip_prefix(", ")?.split_once(", ")?;
        let (comm, count) = rest.rsplit_once("]: ")?;
        Some((pid.parse().ok()?, comm.to_owned(), count.parse().ok()?))
    };
    let (pid, comm, count) = parts().unwrap_or_else(|| panic!("not the end of a row: {last}"));
    for frame in &frames {
        assert!(is_frame(frame), "not a frame: {frame:?}");
    }
    Row {
        frames,
        pid,
        comm,
        count,
    }
}

/// `name+offset`, `[file+0x10]` for what has no name, or the address where nothing is mapped.
fn is_frame(frame: &str) -> bool {
    let is_hex =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(digits) = frame.strip_prefix("0x") {
        return is_hex(digits);
    }
    if let Some(place) = frame.strip_prefix('[')
        && let Some((file, digits)) = place.strip_suffix(']').and_then(|it| it.rsplit_once("+0x"))
    {
        return !file.is_empty() && is_hex(digits);
    }
    frame.rsplit_once('+').is_some_and(|(name, offset)| {
        !name.is_empty() && !offset.is_empty() && offset.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Fails unless the row of the greatest count has this count, and these functions first.
#[track_caller]
pub fn assert_last(rows: &[Row], count: u64, functions: &[&str]) {
    let last = rows.last().expect("there are rows");
    let found: Vec<&str> = (0..functions.len()).map(|at| last.function(at)).collect();
    assert_eq!((last.count, &found[..]), (count, functions), "{rows:#?}");
}

/// The frames of the only stack that was counted so often, whatever else its key is made of.
#[track_caller]
pub fn only(finished: &Finished, count: u64) -> Vec<String> {
    let end = format!("]: {count}\n");
    let rows: Vec<&str> = finished
        .text()
        .split("@[\n")
        .filter(|row| row.contains(&end))
        .collect();
    assert_eq!(rows.len(), 1, "{finished}");
    let frames = rows[0]
        .lines()
        .take_while(|line| !line.starts_with([']', ',']));
    frames.map(|line| line.trim().to_owned()).collect()
}

/// The sum of counts.
pub fn total<'a>(rows: impl IntoIterator<Item = &'a Row>) -> u64 {
    rows.into_iter().map(|row| row.count).sum()
}
