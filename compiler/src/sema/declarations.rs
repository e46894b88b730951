//! `let @name = kind(size);`: what kind of map a script wants, and how large.
//!
//! In come declarations and what the maps turned out to hold, out go the same checked. Which kind of map of the kernel is
//! made of it is decided in lowering.

use super::{MapContent, MapInfo};
use pfscript_grammar::ast::{self, ExprKind};
use pfscript_grammar::{Diagnostic, Span};
use std::collections::HashMap;

/// What a script says of a map.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    /// How many elements it has room for.
    pub entries: u32,
    /// It makes room for a new element by forgetting old ones that are not used.
    pub forgets: bool,
    /// It is of a kind for aggregations.
    aggregates: bool,
    /// The kind's name.
    kind: &'static str,
    span: Span,
}

/// A kind's name, whether it is for aggregations, and whether it forgets.
const KINDS: [(&str, bool, bool); 4] = [
    ("hash", false, false),
    ("lruhash", false, true),
    ("percpuhash", true, false),
    ("percpulruhash", true, true),
];

/// The declarations of a script, by the maps' names.
pub(super) type Declarations = HashMap<String, Declared>;

/// Adds a declaration.
///
/// # Errors
/// If it is of no known kind or size, or the second of its map.
pub(super) fn add(
    declarations: &mut Declarations,
    declaration: &ast::MapDeclaration,
) -> Result<(), Diagnostic> {
    let kind = &declaration.kind;
    let names = KINDS.map(|row| row.0);
    let Some((name, aggregates, forgets)) = KINDS.iter().find(|row| row.0 == kind.node) else {
        let message = format!("`{}` is no kind of map", kind.node);
        return Err(
            Diagnostic::error(kind.span, message).help(format!("there are {}", names.join(", ")))
        );
    };
    let entries = match &declaration.args[..] {
        [one] => match one.kind {
            ExprKind::Int(number) => u32::try_from(number).ok().filter(|number| *number > 0),
            _ => None,
        },
        _ => None,
    };
    let Some(entries) = entries else {
        let at = declaration.args.first().map_or(kind.span, |arg| arg.span);
        return Err(
            Diagnostic::error(at, "expected how many elements the map has room for").help(format!(
                "such as `let @{} = {name}(1000);`",
                declaration.name.node
            )),
        );
    };
    let declared = Declared {
        entries,
        forgets: *forgets,
        aggregates: *aggregates,
        kind: name,
        span: declaration.span,
    };
    match declarations.insert(declaration.name.node.clone(), declared) {
        None => Ok(()),
        Some(_) => Err(Diagnostic::error(
            declaration.name.span,
            format!("`@{}` is declared twice", declaration.name.node),
        )),
    }
}

/// What is wrong with a map that holds something else than its declaration says.
pub(super) fn mismatch(map: &MapInfo) -> Option<Diagnostic> {
    let declared = map.declared?;
    let holds = match &map.value {
        MapContent::Aggregate(aggregate, _) => Some(format!("`{}()`", aggregate.name())),
        MapContent::Scalar(_) => None,
        MapContent::Unknown => return None,
    };
    let message = match (holds, declared.aggregates) {
        (Some(holds), false) => {
            format!(
                "`{}` holds {holds}, which a `{}` does not",
                map.name, declared.kind
            )
        }
        (None, true) => format!(
            "`{}` holds plain values, which a `{}` does not",
            map.name, declared.kind
        ),
        _ => return None,
    };
    let fits =
        |row: &&(&str, bool, bool)| row.1 != declared.aggregates && row.2 == declared.forgets;
    let other = KINDS.iter().find(fits).map_or("hash", |row| row.0);
    let help = format!(
        "declare it as `let {} = {other}({});`",
        map.name, declared.entries
    );
    Some(Diagnostic::error(declared.span, message).help(help))
}

/// Warnings of declarations that no action uses.
pub(super) fn unused<'a>(
    declarations: &'a Declarations,
    used: impl Fn(&str) -> bool + 'a,
) -> Vec<Diagnostic> {
    let unused = declarations.iter().filter(|(name, _)| !used(name));
    let mut warnings: Vec<Diagnostic> = unused
        .map(|(name, declared)| {
            Diagnostic::warning(declared.span, format!("`@{name}` is declared and not used"))
        })
        .collect();
    warnings.sort_by_key(|warning| warning.span.start);
    warnings
}
