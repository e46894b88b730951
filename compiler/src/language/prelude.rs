//! The prelude: names of the language that are said in the language itself, as macros (`prelude/*.pf`). What can be said so
//! is said there, in one line; a comment of one line before each says its type and, behind a colon, what it is.
//!
//! Left to [`macros`](super::macros): what a macro means.

use pfscript_grammar::ast::Macro;
use std::sync::LazyLock;

/// A macro of the prelude.
pub struct PreludeMacro {
    /// The macro.
    pub definition: Macro,
    /// Its type, for the reference.
    pub ty: &'static str,
    /// What it is, for the reference.
    pub doc: &'static str,
}

const FILES: &[&str] = &[
    include_str!("prelude/checking.pf"),
    include_str!("prelude/kernel.pf"),
    include_str!("prelude/map.pf"),
    include_str!("prelude/pointer.pf"),
    include_str!("prelude/process.pf"),
];

/// All macros, read when a script first has a name that no table has.
pub static PRELUDE: LazyLock<Vec<PreludeMacro>> = LazyLock::new(|| {
    let mut macros = Vec::new();
    for source in FILES {
        // A test parses every file.
        let script = pfscript_grammar::parse(source).unwrap_or_default();
        macros.extend(script.macros().map(|definition| {
            let before = &source[..definition.span.start as usize];
            let comment = before.lines().next_back().unwrap_or_default();
            let comment = comment.strip_prefix("// ").unwrap_or_default();
            let (ty, doc) = comment.split_once(": ").unwrap_or_default();
            PreludeMacro {
                definition: definition.clone(),
                ty,
                doc,
            }
        }));
    }
    macros
});

#[cfg(test)]
mod tests {
    use super::*;
    use pfscript_grammar::render;

    #[test]
    fn every_file_holds_macros_with_their_types_and_texts() {
        for source in FILES {
            let script = pfscript_grammar::parse(source)
                .unwrap_or_else(|errors| panic!("{}", render(&errors, "prelude", source, false)));
            assert_eq!(script.macros().count(), script.items.len());
        }
        for row in PRELUDE.iter() {
            assert!(
                !row.ty.is_empty() && !row.doc.is_empty(),
                "`{}` has no comment `// TYPE: TEXT` before it",
                row.definition.name.node
            );
        }
    }
}
