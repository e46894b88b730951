//! `uprobe:FILE:FUNCTION[+OFFSET]`, `uprobe:FILE:ADDRESS`, `uprobe:FILE@SOURCE:LINE` and `uretprobe:FILE:FUNCTION`: the entry, an instruction inside, or
//! the return of a function of a program or a shared library.
//!
//! File and function take wildcards. A file without a slash is a program, looked for as a shell does, or a shared library by
//! its name (`libc`). Which instruction an offset or an address hits is not looked at yet, and in the middle of one, a probe would
//! make the process run astray. So only a function's start is taken.

use super::convention::Convention;
use super::user_files::{binaries, names_of};
use super::{Argument, Provider, ProviderInfo, nearest, parts, prototype, source_lines};
use crate::btf::{Btf, BtfWriter};
use crate::facts::{Arch, Binary, FactError, Facts, FunctionSymbol, WantedTypes};
use crate::glob::{self, Glob};
use crate::manifest::{Attach, Site};
use crate::program::ProgramKind;
use crate::sema::debug_types;
use pfscript_grammar::ast::AttachPoint;
use pfscript_grammar::{Diagnostic, Spanned, escape};
use pfscript_probes::Feature;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Probes on functions of programs and shared libraries.
pub(super) struct Uprobe {
    info: ProviderInfo,
    on_return: bool,
}

pub(super) static UPROBE: Uprobe = Uprobe {
    info: info(
        &["uprobe", "u"],
        "uprobe:FILE:FUNCTION[+OFFSET], uprobe:FILE:cpp:\"FUNCTION\", uprobe:FILE@SOURCE:LINE[:COLUMN]",
        "the entry of a function of a program or a shared library (`uprobe:libc:malloc`); its arguments are `arg0` and so on, or `args.NAME`",
    ),
    on_return: false,
};

pub(super) static URETPROBE: Uprobe = Uprobe {
    info: info(
        &["uretprobe", "ur"],
        "uretprobe:FILE:FUNCTION, uretprobe:FILE:cpp:\"FUNCTION\"",
        "the return of a function of a program or a shared library; what it returns is `retval`",
    ),
    on_return: true,
};

const fn info(
    names: &'static [&'static str],
    syntax: &'static str,
    doc: &'static str,
) -> ProviderInfo {
    ProviderInfo {
        names,
        syntax,
        doc,
        kind: ProgramKind::Uprobe,
        narrowed: true,
        listed: false,
    }
}

/// What an attach point asks for in a file.
enum Wanted<'a> {
    /// Functions, and how far behind their start.
    Functions { name: &'a str, offset: u64 },
    /// Functions by the name that they have in the source, in a language: all of it, or without what they take.
    Readable { language: &'a str, name: &'a str },
    /// An address, by the file's own count.
    Address(u64),
}

impl Wanted<'_> {
    /// Reads the part of an attach point that says where in the file.
    fn read<'a>(
        language: Option<&'a str>,
        part: &'a Spanned<String>,
        on_return: bool,
    ) -> Result<Wanted<'a>, Diagnostic> {
        let text = part.node.as_str();
        if let Some(language) = language {
            return Ok(Wanted::Readable {
                language,
                name: text,
            });
        }
        if let Some(address) = parts::integer(text) {
            return Ok(Wanted::Address(address));
        }
        let Some((name, offset)) = text.split_once('+') else {
            return Ok(Wanted::Functions {
                name: text,
                offset: 0,
            });
        };
        let error = |message: &str| Err(Diagnostic::error(part.span, message));
        let Some(offset) = parts::integer(offset) else {
            return error(&format!(
                "the offset must be a number of bytes, not `{}`",
                escape(offset)
            ));
        };
        if on_return {
            return error("a return probe takes no offset");
        }
        if glob::is_pattern(name) {
            return error("an offset cannot be combined with a wildcard");
        }
        Ok(Wanted::Functions { name, offset })
    }
}

/// Languages whose compilers mangle names.
const LANGUAGES: [&str; 2] = ["cpp", "rust"];

/// The file and the rest of an attach point, with the language that the rest is in.
#[allow(clippy::type_complexity)]
fn written<'a>(
    point: &'a AttachPoint,
    info: &ProviderInfo,
) -> Result<(&'a Spanned<String>, Option<&'a str>, &'a Spanned<String>), Diagnostic> {
    match parts::parts(point, info, 2..=3)? {
        [file, place] => Ok((file, None, place)),
        [file, language, place] if LANGUAGES.contains(&&*language.node) => {
            Ok((file, Some(&language.node), place))
        }
        [_, other, _] => {
            let message = format!(
                "there is no language `{}` of functions",
                escape(&other.node)
            );
            let help = "names of C++ and Rust are written `uprobe:FILE:cpp:\"NAME\"` and `uprobe:FILE:rust:\"NAME\"`";
            Err(Diagnostic::error(other.span, message).help(help))
        }
        // `parts` has seen to it that there are two.
        _ => Err(Diagnostic::error(
            point.span,
            "a file or a function is missing",
        )),
    }
}

impl Uprobe {
    fn site(&self, path: &Path, place: &str, function: Option<&str>, offset: u64) -> Site {
        Site {
            name: format!("{}:{}:{place}", self.info.names[0], path.display()),
            function: function.map(str::to_owned),
            attach: Attach::Uprobe {
                path: path.to_owned(),
                offset,
                counter: 0,
                on_return: self.on_return,
            },
        }
    }

    /// The sites of a file that are asked for; none if it has no such function or address.
    fn sites(
        &self,
        path: &Path,
        binary: &Binary,
        wanted: &Wanted<'_>,
        part: &Spanned<String>,
    ) -> Result<Vec<Site>, Diagnostic> {
        match *wanted {
            Wanted::Address(address) => {
                let Some(place) = binary.file_offset(address) else {
                    return Ok(Vec::new());
                };
                let function = binary.function_at(address);
                if function.is_none_or(|function| function.address != address) {
                    return Err(unchecked(part));
                }
                let name = function.map(|function| function.name.as_str());
                Ok(vec![self.site(path, &format!("{address:#x}"), name, place)])
            }
            Wanted::Functions { name, offset } if !glob::is_pattern(name) => {
                let mut sites = Vec::new();
                for function in binary.functions_named(name) {
                    if offset > 0 {
                        return Err(match offset < function.size {
                            true => unchecked(part),
                            false => too_far(part, function),
                        });
                    }
                    sites.extend(self.at_start(path, binary, function));
                }
                Ok(sites)
            }
            // By what their authors call them: not told by the file alone.
            Wanted::Readable { .. } => Ok(Vec::new()),
            Wanted::Functions { name, .. } => {
                let wanted = Glob::new(name);
                let functions = binary.functions().iter();
                let matching = functions.filter(|function| wanted.matches(&function.name));
                // Versions of a symbol are the same name at the same place.
                let mut seen = HashSet::new();
                Ok(matching
                    .filter(|function| seen.insert((&function.name, function.address)))
                    .filter_map(|function| self.at_start(path, binary, function))
                    .collect())
            }
        }
    }

    /// Functions by what their authors call them; without what they take, all that differ in that alone.
    fn readable(
        &self,
        path: &Path,
        binary: &Binary,
        (language, name): (&str, &str),
        facts: &dyn Facts,
    ) -> Vec<Site> {
        let functions = binary.functions();
        let symbols: Vec<&str> = functions.iter().map(|function| &*function.name).collect();
        let wanted = Glob::new(name);
        let takes = name.contains('(');
        let mut seen = HashSet::new();
        let named = functions.iter().zip(facts.readable(&symbols));
        let matching = named.filter(|(function, readable)| {
            let called = if takes {
                readable
            } else {
                without_takes(readable)
            };
            let is_named = wanted.matches(called) || wanted.matches(without_result(called));
            is_named && seen.insert((&function.name, function.address))
        });
        let sites = matching.filter_map(|(function, _)| {
            let site = self.at_start(path, binary, function)?;
            let name = format!(
                "{}:{}:{language}:{}",
                self.info.names[0],
                path.display(),
                function.name
            );
            Some(Site { name, ..site })
        });
        sites.collect()
    }

    /// Where a line of source begins.
    fn at_line(
        &self,
        line: &source_lines::Written<'_>,
        facts: &dyn Facts,
    ) -> Result<Vec<Site>, Diagnostic> {
        let mut sites = Vec::new();
        for (path, binary) in binaries(&line.file, facts)? {
            for (address, function) in line.addresses(&path, &binary, facts)? {
                let Some(offset) = binary.file_offset(address) else {
                    continue;
                };
                let function = function.map(|function| function.name.as_str());
                let site = self.site(&path, "", function, offset);
                sites.push(Site {
                    name: format!("{}:{}{}", self.info.names[0], path.display(), line.shown),
                    ..site
                });
            }
        }
        Ok(sites)
    }

    /// A function's start; `None` if the file has no code there.
    fn at_start(&self, path: &Path, binary: &Binary, function: &FunctionSymbol) -> Option<Site> {
        let place = binary.file_offset(function.address)?;
        Some(self.site(path, &function.name, Some(&function.name), place))
    }
}

/// Nothing says what arguments a function has.
fn undescribed(path: &Path, function: &str) -> FactError {
    FactError::Unavailable {
        reason: format!(
            "nothing says what the arguments of `{}` in `{}` are called",
            escape(function),
            escape(&path.display().to_string())
        ),
        help: Some(
            "that is in the DWARF of programs that were compiled with `-g`, or in their packages of debug information; \
             `arg0` is the first argument"
                .to_owned(),
        ),
    }
}

/// A name of C++ without what the function takes: `Cache::add` of `Cache::add(int) const`. What is in brackets before that is a part of it.
fn without_takes(readable: &str) -> &str {
    let Some(end) = readable.rfind(')') else {
        return readable;
    };
    let mut depth = 0_usize;
    for (at, byte) in readable.as_bytes()[..=end].iter().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &readable[..at];
        }
    }
    readable
}

/// A name of C++ without what the function gives back, which stands in front where that is a template: `Cache::get<int>` of
/// `int Cache::get<int>`.
fn without_result(called: &str) -> &str {
    let mut depth = 0_usize;
    for (at, byte) in called.bytes().enumerate().rev() {
        match byte {
            b'>' | b')' => depth += 1,
            b'<' | b'(' => depth = depth.saturating_sub(1),
            b' ' if depth == 0 && called.contains('<') => return &called[at + 1..],
            _ => {}
        }
    }
    called
}

fn unchecked(part: &Spanned<String>) -> Diagnostic {
    let message = "places inside of a function are not supported yet";
    Diagnostic::error(part.span, message).help(
        "in the middle of an instruction a probe would make the traced process run astray, and instructions are not read \
         yet; use the function's start",
    )
}

fn too_far(part: &Spanned<String>, function: &FunctionSymbol) -> Diagnostic {
    let message = format!(
        "the offset is behind the end of `{}`, which has {} bytes",
        escape(&function.name),
        function.size
    );
    Diagnostic::error(part.span, message)
}

/// No function or address of the files is what was asked for.
fn nothing(
    part: &Spanned<String>,
    wanted: &Wanted<'_>,
    file: &Spanned<String>,
    binaries: &[(PathBuf, Arc<Binary>)],
) -> Diagnostic {
    let shown = escape(&file.node);
    match *wanted {
        Wanted::Address(address) => {
            let message = format!("`{shown}` has no code at address {address:#x}");
            Diagnostic::error(part.span, message)
        }
        Wanted::Functions { name, .. } | Wanted::Readable { name, .. } => {
            let verb = match glob::is_pattern(name) {
                true => "matches",
                false => "is called",
            };
            let message = format!("no function of `{shown}` {verb} `{}`", escape(name));
            let error = Diagnostic::error(part.span, message);
            let functions = binaries.iter().flat_map(|(_, binary)| binary.functions());
            let names = functions.map(|function| function.name.as_str());
            if let Some(help) = nearest::did_you_mean(name, names) {
                return error.help(help);
            }
            match binaries
                .iter()
                .all(|(_, binary)| binary.functions().is_empty())
            {
                true => error.help("the file is stripped: it names no functions"),
                false => error.help(format!("see `pfscript -l 'uprobe:{shown}:*'`")),
            }
        }
    }
}

impl Provider for Uprobe {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn expand(&self, point: &AttachPoint, facts: &dyn Facts) -> Result<Vec<Site>, Diagnostic> {
        if !facts.has(Feature::Uprobes) {
            return Err(FactError::lacking(Feature::Uprobes).diagnostic(point.span, String::new));
        }
        if !self.on_return
            && let Some(line) = source_lines::read(point, &self.info, facts)?
        {
            return self.at_line(&line, facts);
        }
        let (file, language, place) = written(point, &self.info)?;
        let wanted = Wanted::read(language, place, self.on_return)?;
        let binaries = binaries(file, facts)?;
        let mut sites = Vec::new();
        for (path, binary) in &binaries {
            sites.extend(match wanted {
                Wanted::Readable { language, name } => {
                    self.readable(path, binary, (language, name), facts)
                }
                _ => self.sites(path, binary, &wanted, place)?,
            });
        }
        match sites.is_empty() {
            true => Err(nothing(place, &wanted, file, &binaries)),
            false => Ok(sites),
        }
    }

    fn builtin(&self, name: &str, arch: Arch) -> Option<Argument> {
        Convention::of(arch).builtin(name, self.on_return)
    }

    fn arguments(&self, site: &Site, facts: &dyn Facts) -> Result<Vec<Argument>, FactError> {
        let (Attach::Uprobe { path, offset, .. }, Some(function), false) =
            (&site.attach, &site.function, self.on_return)
        else {
            return Ok(Vec::new());
        };
        // Behind the entry the registers hold something else.
        let binary = facts.binary(path)?;
        let address = binary.address(*offset);
        let starts = binary.functions_named(function);
        if !starts.iter().any(|start| Some(start.address) == address) {
            return Ok(Vec::new());
        }
        let name = debug_types::name_of(path, function);
        match facts.btf().filter(|btf| btf.function(&name).is_some()) {
            Some(btf) => Ok(prototype::arguments(btf, &name, facts.arch())),
            None => Err(undescribed(path, function)),
        }
    }

    /// There is no list of all files.
    fn list(&self, _facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        Ok(Vec::new())
    }

    fn list_for(&self, target: &str, facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        let file = target.rsplit_once(':').map_or(target, |(file, _)| file);
        Ok(names_of(file, facts, |shown, binary, names| {
            let functions = binary.functions().iter();
            names.extend(
                functions
                    .map(|function| format!("{}:{shown}:{}", self.info.names[0], function.name)),
            );
        }))
    }

    fn declarations(&self, listed: &str, facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        let Some((file, function)) = listed
            .split_once(':')
            .and_then(|(_, rest)| rest.rsplit_once(':'))
            .filter(|_| !self.on_return)
        else {
            return Ok(Vec::new());
        };
        let mut writer = BtfWriter::new();
        for path in facts.files(file) {
            let binary = facts.binary(&path)?;
            let functions: Vec<(String, u64)> = binary
                .functions_named(function)
                .iter()
                .map(|found| (function.to_owned(), found.address))
                .collect();
            let wanted = WantedTypes {
                functions: &functions,
                names: &[],
            };
            // Most programs have none.
            let _ = facts.debug_types(&path, &wanted, &mut writer);
        }
        let Ok(btf) = Btf::new(writer.finish()) else {
            return Ok(Vec::new());
        };
        let prototype = btf.function(function);
        let lines = prototype.map(|found| prototype::declarations(&btf, &found.params));
        // As bpftrace has it in programs, and not in the kernel: `char* name`.
        Ok(lines
            .unwrap_or_default()
            .iter()
            .map(|line| line.replace(" *", "*"))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{without_result, without_takes};

    #[test]
    fn names_are_told_without_what_functions_take_and_give() {
        for (readable, called, name) in [
            ("ns::A::add(int) const", "ns::A::add", "ns::A::add"),
            (
                "int ns::A::twice<int>(int)",
                "int ns::A::twice<int>",
                "ns::A::twice<int>",
            ),
            ("f((anonymous namespace)::A*)", "f", "f"),
            (
                "(anonymous namespace)::f(int (*)(int))",
                "(anonymous namespace)::f",
                "(anonymous namespace)::f",
            ),
            (
                "operator new(unsigned long)",
                "operator new",
                "operator new",
            ),
            ("core::fmt::write", "core::fmt::write", "core::fmt::write"),
            ("odd)(", "odd)(", "odd)("),
            ("main", "main", "main"),
        ] {
            assert_eq!(without_takes(readable), called);
            assert_eq!(without_result(called), name);
        }
    }
}
