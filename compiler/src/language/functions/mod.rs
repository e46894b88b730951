//! The functions: `count()`, `str()`, `printf()`, … One table row for each: how it is called, what it does, and what it
//! is made of.
//!
//! The signature of a row is its check: number, kinds and types of the arguments. A row that is made of a routine of the
//! template library or of a BPF helper needs no Rust; others get their arguments checked and typed ([`Args`]). Rows of one
//! name stand next to each other: a call means the first of them that it fits ([`choose`]).
//!
//! Left to others: where a call may stand (`sema`), and what becomes of it (`lower`).

/// A table of functions, a row each: how one is called, what it is made of (a [`FunctionKind`]), what it does.
macro_rules! rows {
    ($($signature:literal, $kind:ident($of:expr), $doc:literal;)*) => {
        &[$($crate::language::functions::FunctionRow {
            name: $crate::language::functions::name_of($signature),
            signature: $signature,
            kind: $crate::language::functions::FunctionKind::$kind($of),
            doc: $doc,
        }),*]
    };
}

mod acting;
mod aggregate;
mod arguments;
mod buffer;
mod checking;
mod consent;
mod kind;
mod map;
mod memory;
mod naming;
mod number;
mod option;
mod output;
pub(in crate::language) mod probed;
mod process;
mod resident;
mod stack;
mod string;
mod symbol;
mod time_series;

use super::parameters;
use super::signature::{ParamType, Signature};
use crate::hir::{Aggregate, Expr, ExprKind};
use crate::sema::Checker;
use crate::sema::integer_types::INTEGER_TYPES;
use crate::types::{Type, round_up};
pub use arguments::Args;
use pfscript_grammar::ast::{self, ExprKind as Ast};
use pfscript_grammar::{Diagnostic, Span};
use pfscript_probes::library;

/// A call in the script.
pub struct Call<'a> {
    /// The function's name.
    pub name: &'a str,
    /// Its arguments.
    pub args: &'a [ast::Expr],
    /// The whole call; of one in the body of a macro, the call of the macro.
    pub span: Span,
    /// Where the name is written, also in the body of a macro of the script's.
    pub written: Span,
}

/// An aggregation and the values that it takes: none, what it gathers, or that and the time.
pub type Aggregation = (Aggregate, Vec<Expr>);

/// What checks the arguments of a call further and says what the call is made of.
pub type Check<T> = fn(&mut Checker<'_>, Args<'_>) -> Result<T, Diagnostic>;

/// What a function is made of, which is also where a call may stand.
#[derive(Clone, Copy)]
pub enum FunctionKind {
    /// Gives what a routine of the template library returns. Its parameters are those of the signature, in order: a string
    /// is an address and the room there in bytes, a map its address, anything else a value, 0 if it was left out. If the
    /// result is a string, the address and room of where to put it come first. Last comes the place of the loss counters,
    /// if the routine's own parameters end in `loss`.
    Routine(&'static str),
    /// Gives what the first of these routines returns for which the kernel has everything: they do the same in ways that
    /// depend on the kernel.
    Routines(&'static [&'static str]),
    /// Gives what the BPF helper of that number returns, likewise.
    Helper(u32),
    /// Gives a value.
    Value(Check<Expr>),
    /// Stands alone as a statement.
    Statement(Check<Expr>),
    /// Stands on the right of `@map =`.
    Aggregate(Check<Aggregation>),
}

/// One function, or one of the ways to call it.
pub struct FunctionRow {
    /// Its name.
    pub name: &'static str,
    /// How it is called: for the check, messages and the reference. See [`Signature`].
    pub signature: &'static str,
    /// What it is made of.
    pub kind: FunctionKind,
    /// What it does, for the reference.
    pub doc: &'static str,
}

/// The tables, in the order of the reference.
const TABLES: &[&[FunctionRow]] = &[
    aggregate::ROWS,
    time_series::ROWS,
    string::ROWS,
    buffer::ROWS,
    number::ROWS,
    naming::ROWS,
    symbol::ROWS,
    stack::ROWS,
    probed::ROWS,
    process::ROWS,
    kind::ROWS,
    checking::ROWS,
    map::ROWS,
    option::ROWS,
    output::ROWS,
    resident::ROWS,
    memory::ROWS,
    acting::ROWS,
];

/// The most arguments of a function that takes any number of them.
const MAX_ARGUMENTS: usize = 64;

/// What stands before the parenthesis.
const fn name_of(signature: &'static str) -> &'static str {
    let bytes = signature.as_bytes();
    let mut end = 0;
    while bytes[end] != b'(' {
        end += 1;
    }
    signature.split_at(end).0
}

/// All functions, in the order of the reference.
pub fn all() -> impl Iterator<Item = &'static FunctionRow> {
    TABLES.iter().copied().flatten()
}

/// The rows of that name, if there are any: at least one.
pub fn named(name: &str) -> Option<&'static [FunctionRow]> {
    TABLES.iter().find_map(|table| {
        let start = table.iter().position(|row| row.name == name)?;
        let count = table[start..].iter().take_while(|row| row.name == name);
        Some(&table[start..start + count.count()])
    })
}

/// The row that a call means, of those of its name: the first with parameters for so many arguments that takes maps
/// where the call has maps.
///
/// # Errors
/// If no row takes so many arguments.
pub fn choose(
    rows: &'static [FunctionRow],
    call: &Call<'_>,
) -> Result<&'static FunctionRow, Diagnostic> {
    let mut fitting = Vec::new();
    for row in rows {
        let signature = row.parsed(call.span)?;
        if fits(&signature, call) {
            fitting.push((row, signature));
        }
    }
    let counted = fitting.iter().find(|(_, signature)| {
        let max = signature.max().unwrap_or(MAX_ARGUMENTS);
        (signature.min()..=max).contains(&call.args.len())
    });
    match (counted, fitting.last()) {
        (Some((row, _)), _) => Ok(row),
        (None, Some((_, signature))) => Err(arity(rows, signature, call)),
        // No row takes such arguments: let the last one say so.
        (None, None) => {
            let row = &rows[rows.len() - 1];
            let signature = row.parsed(call.span)?;
            let max = signature.max().unwrap_or(MAX_ARGUMENTS);
            match (signature.min()..=max).contains(&call.args.len()) {
                true => Ok(row),
                false => Err(arity(rows, &signature, call)),
            }
        }
    }
}

/// Whether maps stand where the signature wants them: that shows before anything is checked.
fn fits(signature: &Signature<'_>, call: &Call<'_>) -> bool {
    let pairs = signature.params.iter().zip(call.args);
    pairs.into_iter().all(|(param, arg)| {
        param.types.iter().any(|ty| match ty {
            ParamType::Map => matches!(arg.kind, Ast::Map { keys: None, .. }),
            ParamType::Element => matches!(arg.kind, Ast::Map { .. }),
            _ => true,
        })
    })
}

/// "2 arguments"
pub(super) fn arguments(count: usize) -> String {
    match count {
        0 => "no arguments".to_string(),
        1 => "1 argument".to_string(),
        n => format!("{n} arguments"),
    }
}

/// "2 are given", without its last word
pub(super) fn given(count: usize) -> String {
    match count {
        0 => "none is".to_string(),
        1 => "1 is".to_string(),
        n => format!("{n} are"),
    }
}

fn arity(rows: &[FunctionRow], signature: &Signature<'_>, call: &Call<'_>) -> Diagnostic {
    let (min, max) = (signature.min(), signature.max().unwrap_or(MAX_ARGUMENTS));
    let takes = if min == max {
        arguments(min)
    } else if call.args.len() < min {
        format!("at least {}", arguments(min))
    } else {
        format!("at most {}", arguments(max))
    };
    let given = given(call.args.len());
    let ways: Vec<String> = rows
        .iter()
        .map(|row| format!("`{}`", row.call_text()))
        .collect();
    Diagnostic::error(
        call.span,
        format!("`{}` takes {takes}, but {given} given", call.name),
    )
    .help(format!("it is called as {}", ways.join(" or ")))
}

/// Checks a call that gives a value.
///
/// # Errors
/// If an argument is wrong, or the function returns no value.
pub fn value(
    checker: &mut Checker<'_>,
    row: &'static FunctionRow,
    call: &Call<'_>,
) -> Result<Expr, Diagnostic> {
    let no_value = |help: String| {
        let message = match row.kind {
            FunctionKind::Aggregate(_) => format!("`{}` must be assigned to a map", row.name),
            _ => format!("`{}` returns no value", row.name),
        };
        Err(Diagnostic::error(call.span, message).help(help))
    };
    let kind = match row.kind {
        FunctionKind::Value(check) => {
            let args = Args::check(checker, row, call)?;
            return check(checker, args);
        }
        FunctionKind::Statement(_) => return statement(checker, row, call),
        FunctionKind::Aggregate(_) => {
            return no_value(format!("such as `@x[comm] = {}`", row.signature));
        }
        FunctionKind::Routine(routine) => {
            prepare(checker, routine, call.span)?;
            ExprKind::Routine {
                routine,
                args: Args::check(checker, row, call)?.passed()?,
            }
        }
        FunctionKind::Routines(routines) => {
            let mut prepared = Err(row.bug(call.span));
            for &routine in routines {
                prepared = prepare(checker, routine, call.span).map(|()| routine);
                if prepared.is_ok() {
                    break;
                }
            }
            ExprKind::Routine {
                routine: prepared?,
                args: Args::check(checker, row, call)?.passed()?,
            }
        }
        FunctionKind::Helper(helper) => ExprKind::Helper {
            helper,
            args: Args::check(checker, row, call)?.passed()?,
        },
    };
    let ty = row
        .parsed(call.span)?
        .result
        .and_then(|spelled| result_type(checker, spelled))
        .ok_or_else(|| row.bug(call.span))?;
    Ok(Expr {
        kind,
        ty,
        span: call.span,
    })
}

/// Sees to what a routine needs of the kernel: features, and constants from its types.
fn prepare(checker: &mut Checker<'_>, routine: &str, span: Span) -> Result<(), Diagnostic> {
    for feature in library().needs(routine) {
        checker.need(feature, span)?;
    }
    let parameters = parameters::of_routine(routine, checker.facts.btf()).ok_or_else(|| {
        let message = "this needs types that the kernel's BTF does not have";
        Diagnostic::error(span, message).help(
            "it needs /sys/kernel/btf/vmlinux, from a kernel built with CONFIG_DEBUG_INFO_BTF",
        )
    })?;
    checker.needs.parameters.extend(parameters);
    Ok(())
}

/// Checks a call that stands alone.
///
/// # Errors
/// If an argument is wrong.
fn statement(
    checker: &mut Checker<'_>,
    row: &'static FunctionRow,
    call: &Call<'_>,
) -> Result<Expr, Diagnostic> {
    let FunctionKind::Statement(check) = row.kind else {
        return Err(row.bug(call.span));
    };
    let args = Args::check(checker, row, call)?;
    check(checker, args)
}

/// Checks an aggregation.
///
/// # Errors
/// If an argument is wrong.
pub fn aggregation(
    checker: &mut Checker<'_>,
    row: &'static FunctionRow,
    call: &Call<'_>,
) -> Result<Aggregation, Diagnostic> {
    let FunctionKind::Aggregate(check) = row.kind else {
        return Err(row.bug(call.span));
    };
    let args = Args::check(checker, row, call)?;
    check(checker, args)
}

/// The type of a routine's or a helper's result, as a signature spells it: an integer type, `bool`, a pointer,
/// `string[ROOM]`, or `string`, which is as long as strings are.
fn result_type(checker: &mut Checker<'_>, spelled: &str) -> Option<Type> {
    if let Some(&(_, bytes, signed)) = INTEGER_TYPES.iter().find(|row| row.0 == spelled) {
        return Some(Type::int(bytes, signed));
    }
    if let Some(target) = spelled.strip_suffix('*') {
        let target = checker.target_spelled(target);
        return Some(checker.types.pointer_to(target));
    }
    let room = match spelled {
        "bool" => return Some(Type::Bool),
        "string" => checker.options.limits.string_room(),
        _ => spelled
            .strip_prefix("string[")?
            .strip_suffix(']')?
            .parse()
            .ok()?,
    };
    Some(Type::Str {
        bytes: round_up(room),
    })
}

impl FunctionRow {
    /// The signature, read.
    fn parsed(&self, span: Span) -> Result<Signature<'static>, Diagnostic> {
        Signature::parse(self.signature).map_err(|message| Diagnostic::error(span, message))
    }

    /// How it is called: the signature without its result.
    pub fn call_text(&self) -> &'static str {
        self.signature
            .split_once(" -> ")
            .map_or(self.signature, |(call, _)| call)
    }

    /// The answer to what the tests of the tables rule out.
    fn bug(&self, span: Span) -> Diagnostic {
        Diagnostic::error(
            span,
            format!(
                "the row of `{}` says other arguments than it uses; this is a bug in pfscript",
                self.name
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::slice;

    #[test]
    fn every_signature_is_one() {
        for row in all() {
            Signature::parse(row.signature).unwrap();
        }
    }

    #[test]
    fn rows_of_one_name_stand_together_and_in_one_place_of_a_script() {
        let mut runs: HashMap<&str, usize> = HashMap::new();
        let rows: Vec<&FunctionRow> = all().collect();
        for (at, row) in rows.iter().enumerate() {
            if at == 0 || rows[at - 1].name != row.name {
                *runs.entry(row.name).or_default() += 1;
            } else {
                let place = |row: &FunctionRow| match row.kind {
                    FunctionKind::Statement(_) => 1,
                    FunctionKind::Aggregate(_) => 2,
                    _ => 0,
                };
                assert_eq!(place(row), place(rows[at - 1]), "{}", row.name);
            }
        }
        assert!(runs.values().all(|&runs| runs == 1), "{runs:?}");
    }

    /// What a row of a routine or helper says is what the routine takes.
    #[test]
    fn routines_and_helpers_take_what_their_rows_say() {
        for row in all() {
            let signature = Signature::parse(row.signature).unwrap();
            let passed = |ty: &ParamType| match ty {
                ParamType::String | ParamType::ConstString => 2,
                ParamType::Element
                | ParamType::Mode
                | ParamType::Walk
                | ParamType::Clock
                | ParamType::Namespace
                | ParamType::Format
                | ParamType::Any => {
                    panic!("`{}` cannot be passed to a routine", row.signature)
                }
                _ => 1,
            };
            let count = |signature: &Signature<'_>| -> usize {
                let result = match signature.result.expect(row.signature).split('[').next() {
                    Some("string") => 2,
                    _ => 0,
                };
                result
                    + signature
                        .params
                        .iter()
                        .map(|param| {
                            assert_eq!(param.types.len(), 1, "{}", row.signature);
                            let passed = passed(&param.types[0]);
                            assert!(!param.optional || passed == 1, "{}", row.signature);
                            passed
                        })
                        .sum::<usize>()
            };
            let routines = match &row.kind {
                FunctionKind::Routine(routine) => slice::from_ref(routine),
                FunctionKind::Routines(routines) => routines,
                _ => &[],
            };
            for routine in routines {
                let routine = library().get(routine).expect(row.signature);
                let passed = count(&signature) + usize::from(routine.counts_losses());
                assert_eq!(passed, routine.params().count(), "{}", row.signature);
            }
            match row.kind {
                FunctionKind::Helper(_) => assert!(count(&signature) <= 5, "{}", row.signature),
                FunctionKind::Routine(_)
                | FunctionKind::Routines(_)
                | FunctionKind::Value(_)
                | FunctionKind::Statement(_)
                | FunctionKind::Aggregate(_) => {}
            }
        }
    }
}
