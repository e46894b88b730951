//! `uprobe:FILE@SOURCE:LINE[:COLUMN]`: where a line of a program's source begins, by the program's DWARF.
//!
//! In come an attach point and facts, out come addresses, one in each function that the line is in: a line of a loop begins several
//! times there. What is probed at them is left to `uprobe`.

use super::ProviderInfo;
use super::parts;
use crate::facts::{Binary, FactError, Facts, FunctionSymbol, SourcePlace};
use pfscript_grammar::ast::AttachPoint;
use pfscript_grammar::{Diagnostic, Spanned, escape};
use std::collections::BTreeMap;
use std::path::Path;

/// What an attach point says.
pub(super) struct Written<'a> {
    /// The program or library.
    pub file: Spanned<String>,
    /// As it is written, from the file's `@` on.
    pub shown: String,
    place: SourcePlace<'a>,
    part: &'a Spanned<String>,
}

/// Reads an attach point of that form; `None` for one of another form.
///
/// # Errors
/// What is wrong with its parts.
pub(super) fn read<'a>(
    point: &'a AttachPoint,
    info: &ProviderInfo,
    facts: &dyn Facts,
) -> Result<Option<Written<'a>>, Diagnostic> {
    let Some(part) = point.parts.get(1) else {
        return Ok(None);
    };
    let Some((file, source)) = part
        .node
        .rsplit_once('@')
        .filter(|(file, _)| !file.is_empty())
    else {
        return Ok(None);
    };
    let numbers = point
        .parts
        .get(2)
        .and_then(|part| parts::integer(&part.node));
    // The `@` may be one of a file's own name.
    let is_file = || {
        facts
            .files(&part.node)
            .iter()
            .any(|path| facts.binary(path).is_ok())
    };
    if numbers.is_none() || is_file() {
        return Ok(None);
    }
    let written = parts::parts(point, info, 2..=3)?;
    let number = |part: &Spanned<String>| {
        let number = parts::integer(&part.node).filter(|number| *number > 0);
        number.ok_or_else(|| {
            let message = format!(
                "expected the number of a line or a column, from 1, found `{}`",
                escape(&part.node)
            );
            Diagnostic::error(part.span, message)
        })
    };
    let column = written.get(2).map(number).transpose()?;
    let numbers: Vec<&str> = written[1..].iter().map(|part| part.node.as_str()).collect();
    Ok(Some(Written {
        file: Spanned::new(file.to_owned(), part.span),
        shown: format!("@{source}:{}", numbers.join(":")),
        place: SourcePlace {
            file: Path::new(source),
            line: number(&written[1])?,
            column,
        },
        part: &written[1],
    }))
}

impl Written<'_> {
    /// The addresses in a file, each with the function that it is in.
    ///
    /// # Errors
    /// If the file's DWARF cannot be had, or has no such line.
    pub fn addresses<'b>(
        &self,
        path: &Path,
        binary: &'b Binary,
        facts: &dyn Facts,
    ) -> Result<Vec<(u64, Option<&'b FunctionSymbol>)>, Diagnostic> {
        let shown = escape(&path.display().to_string()).into_owned();
        let addresses = facts.statements(path, self.place).map_err(|error| match error {
            FactError::Unknown => {
                let message = format!("nothing says where the lines of `{shown}` are");
                Diagnostic::error(self.part.span, message).help(
                    "that is in the DWARF of programs that were compiled with `-g`, or in their packages of debug information",
                )
            }
            error => error.diagnostic(self.part.span, String::new),
        })?;
        let mut of_functions = BTreeMap::new();
        for address in addresses {
            let function = binary.function_at(address);
            let first = of_functions
                .entry(function.map(|function| function.address))
                .or_insert((address, function));
            first.0 = first.0.min(address);
        }
        if of_functions.is_empty() {
            let message = format!(
                "no statement of `{shown}` begins at {}",
                escape(&self.shown[1..])
            );
            return Err(Diagnostic::error(self.part.span, message).help(
                "lines of declarations and comments have no code, and optimisation moves others; is the path of the source right?",
            ));
        }
        Ok(of_functions.into_values().collect())
    }
}
