//! How many stacks of stock programs are whole: page faults of programs that nobody here built, which keep no frame pointers.
//!
//! A stack is whole if its last frame is where the system begins to run a program, or a thread. That is judged by the frames that
//! each contender prints, one way for all: by the name of the function, or by the address, of which `LD_SHOW_AUXV` says where
//! programs begin. So programs run without random addresses.

use crate::Bench;
use crate::contender::Contender;
use crate::events;
use crate::process;
use crate::table::Table;
use aya::sys::{Stats, enable_stats};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

/// Programs and their arguments. `SCRATCH` is the folder of the measurement.
const PROGRAMS: [(&str, &str); 12] = [
    ("ls", "/usr/bin/ls -l /usr/bin"),
    ("sort", "/usr/bin/sort SCRATCH/lines"),
    ("git", "/usr/bin/git hash-object SCRATCH/lines"),
    ("bash", "/bin/bash SCRATCH/loop.sh"),
    ("openssl", "/usr/bin/openssl genrsa 2048"),
    ("perl", "/usr/bin/perl SCRATCH/loop.pl"),
    ("python3", "/usr/bin/python3 SCRATCH/loop.py"),
    ("cc1", "CC1 -quiet -O2 SCRATCH/loop.c -o /dev/null"),
    ("redis-server", "/usr/bin/redis-server --version"),
    ("node", "/usr/bin/node SCRATCH/loop.js"),
    ("java", "/usr/bin/java -version"),
    // What it compiles for itself is in its stacks.
    (
        "javac",
        "/usr/bin/javac -J-XX:+PreserveFramePointer -d SCRATCH SCRATCH/Loop.java",
    ),
];

/// What the programs read.
const FILES: [(&str, &str); 6] = [
    ("loop.sh", "for i in 1 2 3 4 5 6 7 8 9; do echo $i; done\n"),
    (
        "loop.pl",
        "my %h; $h{$_ % 999} .= $_ for 1..20000; print scalar keys %h;\n",
    ),
    (
        "loop.py",
        "import json, re\nprint(len(json.dumps([{'a': i} for i in range(9999)])))\n",
    ),
    (
        "loop.js",
        "console.log([...Array(9999).keys()].map(i => ({ i })).length)\n",
    ),
    (
        "Loop.java",
        "class Loop { static int sum(int n) { int s = 0; for (int i = 0; i < n; i++) s += i; return s; } }\n",
    ),
    (
        "loop.c",
        "#include <stdio.h>\nint main(void) { for (int i = 0; i < 9; i++) puts(\"\"); return 0; }\n",
    ),
];

/// Functions that nothing calls.
const STARTS: [&str; 7] = [
    "_start",
    "_dl_start_user",
    "clone",
    "__clone",
    "clone3",
    "__clone3",
    "__clone_internal",
];

/// Bytes of the code at which a program begins.
const START_BYTES: u64 = 0x40;

pub fn measure(bench: &Bench) -> Result<(), String> {
    let _stats =
        enable_stats(Stats::RunTime).map_err(|error| format!("kernel statistics: {error}"))?;
    let write = |name: &str, text: &str| {
        let path = bench.scratch.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    for (name, text) in FILES {
        write(name, text)?;
    }
    let lines: String = (0..20_000)
        .map(|i: u64| format!("{}\n", i.wrapping_mul(7919) % 10_007))
        .collect();
    write("lines", &lines)?;
    let columns = [
        "stacks",
        "whole",
        "named",
        "starts later",
        "perf, dwarf",
        "named",
        "bpftrace",
        "pfscript, fp",
    ];
    let mut table = Table::new("stacks of page faults", &columns);
    for (name, line) in PROGRAMS {
        let Some(program) = Program::new(bench, name, line) else {
            table.row(name, ["not installed".to_owned()]);
            continue;
        };
        let own = program.pfscript(bench, "ustack")?;
        let later = program.later(bench, &bench.pfscript)?;
        let perf = program.perf(bench)?;
        let bpftrace = program.later(bench, &bench.bpftrace)?;
        let linked = program.pfscript(bench, "ustack(fp)")?;
        let whole = |seen: &Option<Seen>| seen.as_ref().map_or("-".to_owned(), Seen::whole);
        let perf_named = perf.as_ref().map_or("-".to_owned(), Seen::named);
        table.row(
            name,
            [
                own.stacks.to_string(),
                own.whole(),
                own.named(),
                whole(&later),
                whole(&perf),
                perf_named,
                whole(&bpftrace),
                linked.whole(),
            ],
        );
    }
    table.row(
        "target",
        [String::new(), "99.0 %".to_owned(), "100.0 %".to_owned()],
    );
    table.print();
    Ok(())
}

/// A program to trace.
struct Program {
    /// As the kernel names its process.
    name: &'static str,
    words: Vec<String>,
    /// Where the system begins to run it, and its loader: where they are loaded without random addresses, and in their files.
    starts: Vec<u64>,
}

impl Program {
    /// `None` if it is not installed.
    fn new(bench: &Bench, name: &'static str, line: &str) -> Option<Program> {
        let compiler = || {
            let output = Command::new("cc")
                .arg("-print-prog-name=cc1")
                .output()
                .ok()?;
            Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
        };
        let scratch = bench.scratch.display().to_string();
        let line = line.replace("SCRATCH", &scratch);
        let line = line.replace("CC1", &compiler().unwrap_or_default());
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if !Path::new(&words[0]).is_absolute() || !Path::new(&words[0]).exists() {
            return None;
        }
        let mut program = Program {
            name,
            words,
            starts: Vec::new(),
        };
        program.starts = program.find_starts();
        Some(program)
    }

    /// The program as arguments of something that runs it without random addresses.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]);
        let mut command = not_random(&command);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn find_starts(&self) -> Vec<u64> {
        const INTERPRETER: &str = "/lib64/ld-linux-x86-64.so.2";
        let shown = self
            .command()
            .env("LD_SHOW_AUXV", "1")
            .stdout(Stdio::piped())
            .output();
        let shown = shown.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let text = shown.unwrap_or_default();
        // Behind those of what runs it.
        let value = |name: &str| {
            let value = text
                .lines()
                .rev()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            u64::from_str_radix(value.trim().trim_start_matches("0x"), 16).ok()
        };
        let entry = |path: &str| {
            let header = fs::read(path).ok()?;
            Some(u64::from_le_bytes(header.get(24..32)?.try_into().ok()?))
        };
        let interpreter = entry(INTERPRETER);
        let loaded = value("AT_BASE")
            .zip(interpreter)
            .map(|(base, entry)| base + entry);
        [
            value("AT_ENTRY"),
            loaded,
            entry(&self.words[0]),
            interpreter,
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Under pfscript, from its start on.
    fn pfscript(&self, bench: &Bench, stack: &str) -> Result<Seen, String> {
        let script = self.script(stack);
        let line = self.words.join(" ");
        let mut command = not_random(&bench.pfscript.command(&["-e", &script, "-c", &line]));
        command.env("PFSCRIPT_STACK_MODE", "perf");
        let output = command
            .output()
            .map_err(|error| format!("pfscript: {error}"))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("pfscript: {errors}"));
        }
        Ok(self.maps_of(&output.stdout))
    }

    /// Under a tracer that traces all processes already.
    fn later(&self, bench: &Bench, tracer: &Contender) -> Result<Option<Seen>, String> {
        if !tracer.installed() {
            return Ok(None);
        }
        let path = bench.scratch.join("stacks.out");
        let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let script = self.script("ustack(perf)");
        let mut command = tracer.command(&["-e", &script]);
        let mut child = events::start(bench, tracer.name, command.stdout(file))?;
        let result = self.command().status();
        process::interrupt(&child);
        let ended = child.wait();
        ended.map_err(|error| format!("{}: {error}", tracer.name))?;
        result.map_err(|error| format!("{}: {error}", self.name))?;
        let output = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Some(self.maps_of(&output)))
    }

    fn script(&self, stack: &str) -> String {
        let name = self.name;
        format!("software:page-faults:1 /comm == \"{name}\"/ {{ @[{stack}] = count(); }}")
    }

    /// Under perf, which copies 8 KiB of each stack and unwinds it afterwards.
    fn perf(&self, bench: &Bench) -> Result<Option<Seen>, String> {
        if !bench.perf.installed() {
            return Ok(None);
        }
        let data = bench.scratch.join("perf.data").display().to_string();
        let record = ["record", "-q", "-e", "page-faults:u", "-c", "1"];
        let mut command = bench.perf.command(&record);
        command
            .args(["--call-graph", "dwarf", "-o", &data, "--"])
            .args(&self.words);
        let mut command = not_random(&command);
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().map_err(|error| format!("perf: {error}"))?;
        let script = ["script", "-i", &data, "--no-inline", "--comms", self.name];
        let mut command = bench.perf.command(&script);
        command.args(["-F", "comm,ip,sym,symoff,dso"]);
        let output = command.output().map_err(|error| format!("perf: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut seen = Seen::default();
        for stack in text.split("\n\n") {
            let frames: Vec<&str> = stack.lines().skip(1).collect();
            seen.add(&frames, 1, &self.starts);
        }
        Ok(Some(seen))
    }

    /// What is in maps of stacks with counts, as pfscript and bpftrace print them.
    fn maps_of(&self, output: &[u8]) -> Seen {
        let text = String::from_utf8_lossy(output);
        let mut seen = Seen::default();
        let mut frames: Vec<&str> = Vec::new();
        for line in text.lines() {
            if line.starts_with("@[") {
                frames.clear();
            } else if let Some(count) = line.strip_prefix("]: ") {
                let count = count.trim().parse().unwrap_or(0);
                seen.add(&frames, count, &self.starts);
            } else {
                frames.push(line);
            }
        }
        seen
    }
}

/// A command whose processes have no random addresses. It reads nothing.
fn not_random(command: &Command) -> Command {
    let mut wrapped = Command::new("setarch");
    wrapped.arg("-R").arg(command.get_program());
    wrapped.args(command.get_args()).stdin(Stdio::null());
    wrapped
}

/// What was seen of stacks.
#[derive(Debug, Default)]
struct Seen {
    stacks: u64,
    whole: u64,
    frames: u64,
    named: u64,
}

impl Seen {
    /// Takes so many equal stacks: an address, a function and a file in each line.
    fn add(&mut self, lines: &[&str], count: u64, starts: &[u64]) {
        let frames: Vec<Frame> = lines.iter().filter_map(|line| Frame::parse(line)).collect();
        // Some faults are of the kernel on behalf of a program that does not run yet.
        let Some(last) = frames.last() else { return };
        self.stacks += count;
        self.frames += count * frames.len() as u64;
        self.named += count * frames.iter().filter(|frame| frame.is_named()).count() as u64;
        let by_name = STARTS.contains(&last.function);
        let at = |start: &u64| (*start..start + START_BYTES).contains(&last.address);
        if by_name || starts.iter().any(at) {
            self.whole += count;
        }
    }

    fn whole(&self) -> String {
        percent(self.whole, self.stacks)
    }

    fn named(&self) -> String {
        percent(self.named, self.frames)
    }
}

fn percent(part: u64, all: u64) -> String {
    match all {
        0 => "-".to_owned(),
        all => format!("{:.1} %", part as f64 * 100.0 / all as f64),
    }
}

/// A frame as all contenders print it: `address function+offset (file)`.
struct Frame<'a> {
    address: u64,
    function: &'a str,
    file: &'a str,
}

impl<'a> Frame<'a> {
    fn parse(line: &'a str) -> Option<Frame<'a>> {
        let (address, rest) = line.trim().split_once(' ')?;
        let (function, file) = rest.rsplit_once(" (").unwrap_or((rest, ""));
        let function = function.rsplit_once('+').map_or(function, |parts| parts.0);
        Some(Frame {
            address: u64::from_str_radix(address, 16).ok()?,
            function: function.trim(),
            file: file.trim_end_matches(')'),
        })
    }

    /// Whether a function or a file is known.
    fn is_named(&self) -> bool {
        let known = |name: &str| !name.is_empty() && name != "[unknown]" && !name.starts_with("0x");
        known(self.file) || (known(self.function) && self.function != "0")
    }
}
