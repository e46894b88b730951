//! Programs are loaded side by side; a rejected one is loaded again with a log, to say which line of the script it was.

use super::{PLEASE_REPORT, malformed};
use crate::error::{Error, ErrorKind};
use crate::refusal::{exhausted, no_permission};
use crate::sys;
use crate::sys::bpf::{BtfInfo, ProgramSpec};
use aya_obj::generated::{bpf_attach_type, bpf_line_info};
use pfscript_compiler::ir::ProbeId;
use pfscript_compiler::manifest::{Manifest, ProbeManifest};
use std::collections::HashSet;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// What the verifier's log says of a program that is sound, but beyond a limit; why it was refused, and what to try.
const LIMITS: &[(&str, &str, &str)] = &[
    (
        "maps per program has reached the limit",
        "it uses more than 64 maps, those for output and losses among them",
        "use keys instead of maps, such as `@x[\"name\"]`, or several probes",
    ),
    (
        "BPF program is too large",
        "the verifier follows every path through it and found too many",
        "make the action smaller: fewer conditions, shorter strings, or several probes",
    ),
    (
        "is too complex",
        "the verifier follows every path through it and found too many",
        "make the action smaller: fewer conditions, shorter strings, or several probes",
    ),
];
/// What programs are loaded from.
pub(super) struct Loading<'a> {
    pub object: &'a aya_obj::Object,
    pub btf: Option<BorrowedFd<'a>>,
    /// The script, for messages.
    pub source: &'a str,
    pub at_once: &'a HashSet<ProbeId>,
}

impl Loading<'_> {
    /// The programs of all probes, loaded side by side: the verifier takes most of the time, and one processor for each.
    ///
    /// # Errors
    /// The first in the order of the script.
    pub fn programs(&self, manifest: &Manifest) -> Result<Vec<OwnedFd>, Error> {
        let probes: Vec<(ProbeId, &ProbeManifest)> = manifest.probes.iter().collect();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = processors.min(probes.len()).max(1);
        // The first of them loads here.
        let share = |worker: usize| -> Vec<Result<OwnedFd, Error>> {
            let own = probes.iter().skip(worker).step_by(workers);
            own.map(|(id, probe)| self.program(*id, probe)).collect()
        };
        let mut loaded: Vec<_> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..workers)
                .map(|worker| {
                    std::thread::Builder::new().spawn_scoped(scope, move || share(worker))
                })
                .collect();
            let first = share(0);
            let others = others.into_iter().zip(1..).map(|(thread, worker)| {
                let joined = thread.ok().and_then(|thread| thread.join().ok());
                // Where there is no thread, it is done here.
                joined.unwrap_or_else(|| share(worker))
            });
            let shares = [first].into_iter().chain(others);
            shares.map(Vec::into_iter).collect()
        });
        // In the order of the script, so that of several errors the first is said.
        let in_order = (0..probes.len()).filter_map(|index| loaded[index % workers].next());
        in_order.collect()
    }

    fn program(&self, id: ProbeId, probe: &ProbeManifest) -> Result<OwnedFd, Error> {
        let object = self.object;
        let function = object
            .programs
            .get(&probe.symbol)
            .and_then(|program| object.functions.get(&program.function_key()))
            .ok_or_else(|| malformed(&format!("there is no program `{}`", probe.symbol)))?;
        let functions = function.func_info.func_info_bytes();
        let lines = function.line_info.line_info_bytes();
        let spec = ProgramSpec {
            name: &probe.symbol,
            program_type: probe.kind.info().program_type,
            expected_attach_type: match self.at_once.contains(&id) {
                true => bpf_attach_type::BPF_TRACE_UPROBE_MULTI as u32,
                false => probe.kind.info().expected_attach_type,
            },
            instructions: &function.instructions,
            license: &object.license,
            btf: self.btf.map(|fd| BtfInfo {
                fd,
                functions: &functions,
                function_size: function.func_info_rec_size as u32,
                lines: &lines,
                line_size: function.line_info_rec_size as u32,
            }),
        };
        sys::bpf::load_program(&spec, None).or_else(|error| {
            rejected(
                &error,
                &spec,
                &function.line_info.line_info,
                &probe.name,
                self.source,
            )
        })
    }
}

/// Loads a rejected program again for its log. Should it pass this time (memory was short), it is taken.
fn rejected(
    first: &io::Error,
    spec: &ProgramSpec<'_>,
    lines: &[bpf_line_info],
    probe: &str,
    source: &str,
) -> Result<OwnedFd, Error> {
    if first.raw_os_error() == Some(libc::EPERM) {
        return Err(no_permission(
            &format!("load the BPF program of `{probe}`"),
            "CAP_BPF or CAP_PERFMON",
        ));
    }
    if let Some(exhausted) = exhausted(first, &format!("load the BPF program of `{probe}`")) {
        return Err(exhausted);
    }
    let mut log = vec![0_u8; 1 << 20];
    loop {
        match sys::bpf::load_program(spec, Some(&mut log)) {
            Ok(program) => return Ok(program),
            // The log did not fit; its end is what matters.
            Err(error) if error.raw_os_error() == Some(libc::ENOSPC) && log.len() < 1 << 26 => {
                log = vec![0; log.len() * 8];
            }
            Err(_) => break,
        }
    }
    let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
    let log = String::from_utf8_lossy(&log[..end]).into_owned();
    let line = last_instruction(&log).and_then(|index| line_of(lines, index));
    let place = match line {
        Some(number) => match source.lines().nth(number as usize - 1) {
            Some(text) => format!(", line {number}: {}", text.trim()),
            None => format!(", line {number}"),
        },
        None => String::new(),
    };
    if let Some((_, why, help)) = LIMITS.iter().find(|(words, ..)| log.contains(words)) {
        let message = format!("can't load the BPF program of `{probe}`: {why}{place}");
        return Err(Error::new(ErrorKind::Kernel, message).with_help(*help));
    }
    Err(Error::new(
        ErrorKind::Bug,
        format!("the kernel's verifier rejected the program of `{probe}` ({first}){place}"),
    )
    .with_help(PLEASE_REPORT)
    .with_detail(tail(&log, 25)))
}

/// The last instruction that the log shows: lines such as `12: (85) call bpf_map_lookup_elem#1`.
fn last_instruction(log: &str) -> Option<u32> {
    log.lines().rev().find_map(|line| {
        let (index, rest) = line.trim_start().split_once(": (")?;
        let code = rest.as_bytes();
        let is_code = code.len() > 2
            && code[0].is_ascii_hexdigit()
            && code[1].is_ascii_hexdigit()
            && code[2] == b')';
        is_code.then(|| index.parse().ok()).flatten()
    })
}

/// The script's line for an instruction: that of the last record at or before it. Line 0 stands for code that no line
/// of the script made.
fn line_of(lines: &[bpf_line_info], instruction: u32) -> Option<u32> {
    const LINE_SHIFT: u32 = 10;
    lines
        .iter()
        .filter(|record| record.insn_off <= instruction)
        .max_by_key(|record| record.insn_off)
        .map(|record| record.line_col >> LINE_SHIFT)
        .filter(|line| *line > 0)
}

fn tail(log: &str, lines: usize) -> String {
    let all: Vec<&str> = log.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "0: R1=ctx() R10=fp0\n0: (bf) r6 = r1\n; @ = 1 @ script:2\n1: (79) r1 = *(u64 *)(r6 +176)\n12: (85) call bpf_get_stack#67\nR3 unbounded memory access\nprocessed 2 insns (limit 1000000)\n";

    #[test]
    fn the_last_instruction_of_a_log_is_found() {
        assert_eq!(last_instruction(LOG), Some(12));
        assert_eq!(last_instruction("nothing here: (maybe)\n"), None);
        assert_eq!(last_instruction(""), None);
    }

    #[test]
    fn an_instruction_belongs_to_the_record_before_it() {
        let record = |insn_off, line: u32| bpf_line_info {
            insn_off,
            file_name_off: 0,
            line_off: 0,
            line_col: line << 10 | 3,
        };
        let lines = [record(0, 1), record(5, 2), record(20, 0)];
        assert_eq!(line_of(&lines, 4), Some(1));
        assert_eq!(line_of(&lines, 5), Some(2));
        assert_eq!(line_of(&lines, 19), Some(2));
        assert_eq!(line_of(&lines, 30), None);
        assert_eq!(line_of(&[], 30), None);
    }

    #[test]
    fn the_tail_is_the_end_of_the_log() {
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
        assert_eq!(tail("a", 2), "a");
    }
}
