//! `usdt:FILE:PROVIDER:NAME`: a place that the authors of a program or a shared library have marked for probes.
//!
//! A marker that compilers copied, into several places that inline it, is a site for each. Their arguments are where each
//! copy has them: `args` and `arg0` are facts of a site here. The kernel itself counts up the semaphore of each process that
//! has the file mapped, also of those that start later.

mod location;

use super::user_files::{binaries, names_of};
use super::{Argument, ArgumentType, Provider, ProviderInfo, nearest, parts};
use crate::facts::{Binary, FactError, Facts, Marker};
use crate::glob::Glob;
use crate::manifest::{Attach, Site};
use crate::program::ProgramKind;
use pfscript_grammar::ast::AttachPoint;
use pfscript_grammar::{Diagnostic, Spanned, escape};
use pfscript_probes::Feature;
use std::path::Path;

/// Markers of programs and shared libraries.
pub(super) struct Usdt(ProviderInfo);

pub(super) static USDT: Usdt = Usdt(ProviderInfo {
    names: &["usdt", "U"],
    syntax: "usdt:FILE:[PROVIDER:]NAME",
    doc: "a place that the authors of a program or a library have marked; its arguments are `arg0` and so on",
    kind: ProgramKind::Uprobe,
    narrowed: true,
    listed: false,
});

/// What an attach point says.
struct Written<'a> {
    file: &'a Spanned<String>,
    /// Any, if it is left out.
    provider: Glob,
    name: Glob,
    /// The part with the name.
    part: &'a Spanned<String>,
}

impl Written<'_> {
    fn wants(&self, marker: &Marker) -> bool {
        self.provider.matches(&marker.provider) && self.name.matches(&marker.name)
    }
}

impl Usdt {
    fn read<'a>(&self, point: &'a AttachPoint) -> Result<Written<'a>, Diagnostic> {
        let any = Glob::new("*");
        let given = |part: &Spanned<String>| match part.node.is_empty() {
            true => any.clone(),
            false => Glob::new(&part.node),
        };
        Ok(match point.parts.get(1..).unwrap_or_default() {
            [file, name] => Written {
                file,
                provider: any.clone(),
                name: given(name),
                part: name,
            },
            [file, provider, name] => Written {
                file,
                provider: given(provider),
                name: given(name),
                part: name,
            },
            // It says what is missing, or what is too much.
            _ => {
                parts::parts(point, &self.0, 2..=3)?;
                return Err(Diagnostic::error(point.span, "a part is missing"));
            }
        })
    }

    fn site(&self, path: &Path, binary: &Binary, marker: &Marker) -> Option<Site> {
        let counter = match marker.semaphore {
            0 => 0,
            address => binary.file_offset(address)?,
        };
        Some(Site {
            name: name(&self.0, &path.display().to_string(), marker),
            function: None,
            attach: Attach::Uprobe {
                path: path.to_owned(),
                offset: binary.file_offset(marker.address)?,
                counter,
                on_return: false,
            },
        })
    }
}

fn name(info: &ProviderInfo, file: &str, marker: &Marker) -> String {
    format!(
        "{}:{file}:{}:{}",
        info.names[0], marker.provider, marker.name
    )
}

impl Provider for Usdt {
    fn info(&self) -> &ProviderInfo {
        &self.0
    }

    fn expand(&self, point: &AttachPoint, facts: &dyn Facts) -> Result<Vec<Site>, Diagnostic> {
        let written = self.read(point)?;
        if !facts.has(Feature::Uprobes) {
            return Err(FactError::lacking(Feature::Uprobes).diagnostic(point.span, String::new));
        }
        let binaries = binaries(written.file, facts)?;
        let mut sites: Vec<Site> = Vec::new();
        for (path, binary) in &binaries {
            let wanted = binary.markers.iter().filter(|marker| written.wants(marker));
            sites.extend(wanted.filter_map(|marker| self.site(path, binary, marker)));
        }
        if !sites.is_empty() {
            return Ok(sites);
        }
        let markers = || binaries.iter().flat_map(|(_, binary)| &binary.markers);
        let file = escape(&written.file.node);
        let part = written.part;
        let error = Diagnostic::error(
            part.span,
            format!("`{file}` has no marker `{}`", escape(&part.node)),
        );
        Err(if markers().next().is_none() {
            error.help("it has none at all: its authors, or those who built it, left them out")
        } else if let Some(help) =
            nearest::did_you_mean(&part.node, markers().map(|marker| marker.name.as_str()))
        {
            error.help(help)
        } else {
            error.help(format!("see `pfscript -l 'usdt:{file}:*'`"))
        })
    }

    fn arguments(&self, site: &Site, facts: &dyn Facts) -> Result<Vec<Argument>, FactError> {
        let Attach::Uprobe { path, offset, .. } = &site.attach else {
            return Ok(Vec::new());
        };
        let binary = facts.binary(path)?;
        let mut markers = binary.markers.iter();
        let Some(marker) = markers.find(|marker| {
            binary.file_offset(marker.address) == Some(*offset)
                && site
                    .name
                    .ends_with(&format!(":{}:{}", marker.provider, marker.name))
        }) else {
            return Ok(Vec::new());
        };
        let arch = facts.arch();
        let words = marker.arguments.split_ascii_whitespace();
        Ok(location::words(words)
            .zip(0..)
            .filter_map(|(word, number)| {
                let found = location::parse(&word, arch)?;
                Some(Argument {
                    name: format!("arg{number}"),
                    ty: ArgumentType::Int {
                        // In an expression it is a number of 64 bits, whose sign is that of the argument.
                        bytes: 8,
                        signed: found.signed,
                    },
                    access: found.access,
                })
            })
            .collect())
    }

    /// There is no list of all files.
    fn list(&self, _facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        Ok(Vec::new())
    }

    fn list_for(&self, target: &str, facts: &dyn Facts) -> Result<Vec<String>, FactError> {
        let file = target.split(':').next().unwrap_or_default();
        Ok(names_of(file, facts, |shown, binary, names| {
            names.extend(
                binary
                    .markers
                    .iter()
                    .map(|marker| name(&self.0, shown, marker)),
            );
        }))
    }
}
