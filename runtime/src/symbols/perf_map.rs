//! `/tmp/perf-PID.map`: the names that just-in-time compilers write down for the code that they generate.
//!
//! In come an address and a process, out goes a name. The file is not trusted: a line that is no entry is left out.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;

/// The functions of one process, by rising address.
#[derive(Debug, Default)]
pub struct PerfMap {
    functions: Vec<Entry>,
    size: u64,
}

/// A line of the file.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    start: u64,
    end: u64,
    name: String,
}

impl PerfMap {
    /// Reads the file of a process; empty if there is none. `before` is what was read earlier: it is kept if the file
    /// has not grown.
    pub fn read(tgid: u32, before: Option<PerfMap>) -> PerfMap {
        let before = before.unwrap_or_default();
        let Some(mut file) = open(tgid) else {
            return before;
        };
        let size = file.metadata().map_or(0, |meta| meta.len());
        if size == before.size {
            return before;
        }
        let mut text = Vec::new();
        if file.read_to_end(&mut text).is_err() {
            return before;
        }
        let mut map = PerfMap::parse(&text);
        map.size = size;
        map
    }

    fn parse(text: &[u8]) -> PerfMap {
        let mut functions: Vec<Entry> = text
            .split(|byte| *byte == b'\n')
            .filter_map(parse_line)
            .collect();
        // Of code generated twice at an address the later line is the true one; the sort is stable.
        functions.sort_by_key(|function| function.start);
        PerfMap { functions, size: 0 }
    }

    /// The function at an address, and the offset in it.
    pub fn find(&self, address: u64) -> Option<(&str, u64)> {
        let behind = self
            .functions
            .partition_point(|function| function.start <= address);
        let function = self.functions.get(behind.checked_sub(1)?)?;
        (address < function.end).then(|| (function.name.as_str(), address - function.start))
    }
}

/// `START SIZE NAME`, numbers in hexadecimal.
fn parse_line(line: &[u8]) -> Option<Entry> {
    let line = String::from_utf8_lossy(line);
    let mut words = line.splitn(3, ' ');
    let mut number = || {
        let word = words.next()?;
        u64::from_str_radix(word.strip_prefix("0x").unwrap_or(word), 16).ok()
    };
    let start = number()?;
    let end = start.checked_add(number()?)?;
    let name = words.next()?.trim();
    (!name.is_empty()).then(|| Entry {
        start,
        end,
        name: name.to_owned(),
    })
}

/// The file as the process wrote it: in its own /tmp under its own id, or, once it is gone, in ours. Only one that
/// belongs to the process's user or to root is believed.
fn open(tgid: u32) -> Option<File> {
    let process = std::fs::metadata(format!("/proc/{tgid}")).ok();
    let inner = inner_pid(tgid).unwrap_or(tgid);
    [
        format!("/proc/{tgid}/root/tmp/perf-{inner}.map"),
        format!("/tmp/perf-{tgid}.map"),
    ]
    .iter()
    .find_map(|path| {
        let meta = std::fs::symlink_metadata(path).ok()?;
        let trusted = match &process {
            Some(process) => meta.uid() == process.uid() || meta.uid() == 0,
            None => true,
        };
        (meta.is_file() && trusted)
            .then(|| File::open(path).ok())
            .flatten()
    })
}

/// The process's id in its own namespace.
fn inner_pid(tgid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{tgid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_whitespace().next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_address() {
        let map =
            PerfMap::parse(b"2000 10 second one\n0x1000 20 first\nnonsense\n1000 8\n3000 zz x\n");
        assert_eq!(map.find(0x1000), Some(("first", 0)));
        assert_eq!(map.find(0x101f), Some(("first", 0x1f)));
        assert_eq!(map.find(0x1020), None);
        assert_eq!(map.find(0x2005), Some(("second one", 5)));
        assert_eq!(map.find(0xfff), None);
    }

    #[test]
    fn code_generated_again_has_its_latest_name() {
        let map = PerfMap::parse(b"1000 20 old\n1000 20 new\n");
        assert_eq!(map.find(0x1001), Some(("new", 1)));
    }

    #[test]
    fn a_process_without_a_file_has_no_functions() {
        assert_eq!(PerfMap::read(std::process::id(), None).find(1), None);
        assert!(inner_pid(std::process::id()).is_some());
    }
}
