//! Names for kernel addresses: blazesym looks them up in the kernel's list of symbols, `/proc/kallsyms`.
//!
//! In comes an address, out goes a name and the distance from its start. The list has no sizes, so that the last symbol before
//! an address may be gigabytes away and have nothing to do with it. So the list is first cut down to what names code and data:
//! the symbols of the kernel's sections, and those of modules and of generated code. A name is good for an address in the same
//! section, or not too far behind it.

use crate::sys::process;
use blazesym::MaybeDefault;
use blazesym::symbolize::source::{Kernel, Source};
use blazesym::symbolize::{Input, Symbolizer};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write as _};
use std::ops::Range;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

/// The lowest address of the kernel's half, on x86-64 and arm64 alike.
const KERNEL_HALF: u64 = 1 << 63;

/// How far from its start, in bytes, a symbol may name an address outside the kernel's sections: programs and trampolines that
/// the kernel generates, and modules' data, which may lie anywhere.
const REACH: u64 = 64 << 10;

/// Why kernel addresses will have no names, and what to do, if the kernel hides where its symbols are. It shows zeros then.
pub fn hidden() -> Option<String> {
    let mut start = String::new();
    // Some kernels begin the list with places of per-CPU variables, of which one alone is 0.
    let opened = File::open("/proc/kallsyms");
    opened.ok()?.take(1 << 12).read_to_string(&mut start).ok()?;
    if start.is_empty() || !all_zero(&start) {
        return None;
    }
    let restriction = std::fs::read_to_string("/proc/sys/kernel/kptr_restrict");
    let remedy = match restriction.as_deref().map(str::trim) {
        // Nobody is shown them.
        Ok("2") => "set the sysctl kernel.kptr_restrict to 1, and run as root or with CAP_SYSLOG",
        _ => "run as root or with CAP_SYSLOG",
    };
    Some(format!(
        "kernel addresses will have no names, since /proc/kallsyms hides them: {remedy}"
    ))
}

/// Whether all addresses of a part of the list are 0.
fn all_zero(list: &str) -> bool {
    let addresses = list.lines().filter_map(|line| line.split_once(' '));
    addresses
        .map(|(address, _)| address)
        .all(|address| address.bytes().all(|digit| digit == b'0'))
}

/// Symbols that mark where something ends. What lies behind one is not part of it.
const ENDS: [&str; 7] = [
    "_etext",
    "_einittext",
    "_edata",
    "_end",
    "__bss_stop",
    "__end_rodata",
    "__init_end",
];

/// Looks kernel addresses up. Nothing is read before the first question.
#[derive(Debug, Default)]
pub struct KernelSymbols {
    list: Option<List>,
}

/// The symbols, read.
#[derive(Debug)]
struct List {
    symbolizer: Symbolizer,
    sections: Sections,
    /// What blazesym reads. It asks for the file by its path again and again.
    _file: File,
    path: PathBuf,
}

impl KernelSymbols {
    /// The symbol at an address, and how far behind its start that is, in bytes.
    pub fn find(&mut self, address: u64) -> Option<(String, u64)> {
        if address < KERNEL_HALF {
            return None;
        }
        let list = match &mut self.list {
            Some(list) => list,
            empty => {
                let symbols = std::fs::read_to_string("/proc/kallsyms").unwrap_or_default();
                let modules = std::fs::read_to_string("/proc/modules").unwrap_or_default();
                empty.insert(List::new(&symbols, &modules).ok()?)
            }
        };
        list.find(address)
    }
}

impl List {
    /// From the texts of `/proc/kallsyms` and `/proc/modules`.
    fn new(symbols: &str, modules: &str) -> io::Result<List> {
        let sections = Sections::new(symbols, modules);
        let file = File::from(process::memory_file(c"kallsyms")?);
        let mut list = BufWriter::new(&file);
        for line in symbols.lines() {
            if Line::new(line).is_some_and(|line| line.is_in_module || sections.any(line.address)) {
                list.write_all(line.as_bytes())?;
                list.write_all(b"\n")?;
            }
        }
        list.flush()?;
        drop(list);
        Ok(List {
            symbolizer: Symbolizer::builder()
                .enable_auto_reload(false)
                .enable_code_info(false)
                .enable_inlined_fns(false)
                // Done in `demangle`, within bounds.
                .enable_demangling(false)
                .build(),
            sections,
            path: PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())),
            _file: file,
        })
    }

    fn find(&self, address: u64) -> Option<(String, u64)> {
        let source = Source::Kernel(Kernel {
            kallsyms: MaybeDefault::Some(self.path.clone()),
            vmlinux: MaybeDefault::None,
            kaslr_offset: Some(0),
            debug_syms: false,
            ..Kernel::default()
        });
        let symbol = self
            .symbolizer
            .symbolize_single(&source, Input::AbsAddr(address))
            .ok()?
            .into_sym()?;
        let offset = symbol.offset as u64;
        let is_end = offset > 0 && ENDS.contains(&&*symbol.name);
        (self.sections.reaches(symbol.addr, address) && !is_end)
            .then(|| (symbol.name.into_owned(), offset))
    }
}

/// A line of the list: `ADDRESS TYPE NAME`, and the module in brackets.
struct Line<'a> {
    address: u64,
    name: &'a str,
    is_in_module: bool,
}

impl Line<'_> {
    fn new(line: &str) -> Option<Line<'_>> {
        let (address, rest) = line.split_once(' ')?;
        let address = u64::from_str_radix(address, 16).ok()?;
        // The list begins with places of per-CPU variables, which are no addresses.
        if address < KERNEL_HALF {
            return None;
        }
        // Behind the type, which is a letter.
        let name = rest.get(2..)?;
        let (name, module) = name.split_once('\t').unwrap_or((name, ""));
        Some(Line {
            address,
            name,
            is_in_module: !module.is_empty(),
        })
    }
}

/// Where the kernel's own code and data lie, and the modules'.
#[derive(Debug)]
struct Sections {
    kernel: Vec<Range<u64>>,
    modules: Vec<Range<u64>>,
}

impl Sections {
    fn new(symbols: &str, modules: &str) -> Sections {
        const MARKS: [&str; 5] = ["_stext", "_etext", "_sinittext", "_einittext", "_end"];
        let marks: HashMap<&str, u64> = symbols
            .lines()
            .filter_map(Line::new)
            .filter(|line| MARKS.contains(&line.name) && !line.is_in_module)
            .map(|line| (line.name, line.address))
            .collect();
        let between = |start, end| Some(*marks.get(start)?..*marks.get(end)?);
        // Kernels that list no data (without CONFIG_KALLSYMS_ALL) do not list the end of their data either.
        let sections = [
            between("_stext", "_etext"),
            between("_sinittext", "_einittext"),
            between("_etext", "_end"),
        ];
        Sections {
            kernel: sections.into_iter().flatten().collect(),
            modules: modules.lines().filter_map(module).collect(),
        }
    }

    /// Whether an address lies in a section of the kernel.
    fn any(&self, address: u64) -> bool {
        self.kernel.iter().any(|section| section.contains(&address))
    }

    /// Whether the symbol at `start`, the last one before `address`, may be its name.
    fn reaches(&self, start: u64, address: u64) -> bool {
        let both = |section: &Range<u64>| section.contains(&start) && section.contains(&address);
        let of_either =
            |section: &Range<u64>| section.contains(&start) || section.contains(&address);
        if self.kernel.iter().chain(&self.modules).any(both) {
            return true;
        }
        // What lies in no section ends somewhere near, but not in one.
        !self.kernel.iter().chain(&self.modules).any(of_either) && address - start < REACH
    }
}

/// A line of `/proc/modules`: name, size, users, who uses it, state, address.
fn module(line: &str) -> Option<Range<u64>> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let size: u64 = words.get(1)?.parse().ok()?;
    let start = u64::from_str_radix(words.get(5)?.strip_prefix("0x")?, 16).ok()?;
    (start >= KERNEL_HALF).then(|| start..start.saturating_add(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: &str = "0000000000000000 A fixed_percpu_data\n\
        000000000002c000 A __per_cpu_end\n\
        ffffffff81000000 T _stext\n\
        ffffffff81000040 T first\n\
        ffffffff81000100 t _RNvC7example4main\n\
        ffffffff81001000 T _etext\n\
        ffffffff81002000 D jiffies\n\
        ffffffff81003000 B __bss_stop\n\
        ffffffff81004000 T _sinittext\n\
        ffffffff81004100 T start_kernel\n\
        ffffffff81005000 T _einittext\n\
        ffffffff81006000 B _end\n\
        ffffffffc0000000 t open_it\t[module]\n\
        ffffffffc0000200 t close_it\t[module]\n\
        ffffffffc0100000 t bpf_prog_6deef7357e7b4530\t[bpf]\n";

    fn list(symbols: &str) -> List {
        let modules =
            "module 4096 0 - Live 0xffffffffc0000000\nhidden 4096 0 - Live 0x0000000000000000\n";
        List::new(symbols, modules).unwrap()
    }

    #[test]
    fn code_and_data_have_names() {
        let list = list(SYMBOLS);
        for (address, name, offset) in [
            (0xffff_ffff_8100_0041, "first", 1),
            (0xffff_ffff_8100_0fff, "_RNvC7example4main", 0xeff),
            (0xffff_ffff_8100_2004, "jiffies", 4),
            (0xffff_ffff_8100_4fff, "start_kernel", 0xeff),
            (0xffff_ffff_c000_0fff, "close_it", 0xdff),
            (0xffff_ffff_c010_0010, "bpf_prog_6deef7357e7b4530", 16),
        ] {
            assert_eq!(list.find(address), Some((name.to_owned(), offset)));
        }
    }

    #[test]
    fn what_is_no_symbols_has_no_name() {
        let list = list(SYMBOLS);
        for address in [
            // The heap, and just before the kernel.
            0xffff_8881_0000_0000,
            0xffff_ffff_80ff_ffff,
            // Behind an end.
            0xffff_ffff_8100_1800,
            0xffff_ffff_8100_3800,
            0xffff_ffff_8100_5800,
            0xffff_ffff_8100_6800,
            // Behind a module, and far behind a program.
            0xffff_ffff_c000_1000,
            0xffff_ffff_c020_0000,
            u64::MAX,
        ] {
            assert_eq!(list.find(address), None, "{address:x}");
        }
    }

    #[test]
    fn a_list_without_data_names_none() {
        let symbols: String = SYMBOLS
            .lines()
            .filter(|line| !line.contains(" B "))
            .map(|line| format!("{line}\n"))
            .collect();
        let list = list(&symbols);
        assert!(list.find(0xffff_ffff_8100_0041).is_some());
        assert_eq!(list.find(0xffff_ffff_8100_2004), None);
    }

    #[test]
    fn hidden_addresses_are_none() {
        let hidden: String = SYMBOLS
            .lines()
            .map(|line| format!("0000000000000000{}\n", &line[16..]))
            .collect();
        assert_eq!(list(&hidden).find(0xffff_ffff_8100_0041), None);
        assert_eq!(KernelSymbols::default().find(0x2c000), None);
    }
}
