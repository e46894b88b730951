//! Functions that print, and the one that ends tracing: rows of the table in the parent, and the records that they send. What
//! the records look like on the terminal is decided by the runtime's sinks.

use super::consent::consent;
use super::{Args, FunctionRow};
use crate::hir::{Argument, Expr, ExprKind};
use crate::ir::Width;
use crate::language::format;
use crate::manifest::{
    Conversion, DataType, Field, FormatPiece, Layout, Purpose, RecordKind, Then,
};
use crate::program::ProgramKind;
use crate::sema::Checker;
use crate::types::{Type, TypeTable, fields};
use cranelift_entity::EntityRef;

use pfscript_grammar::{Diagnostic, Span, ast};
use pfscript_probes::abi::{JOINED_STRINGS, RECORD_HEADER};
use std::borrow::Cow;

pub(super) const ROWS: &[FunctionRow] = rows! {
    "print(map m, [const uint top], [const uint div])", Statement(print_map), "prints a map: its `top` largest entries, values divided by `div`";
    "print(any x)", Statement(print), "prints a value";
    "printf(format text, …)", Statement(|checker, args| formatted(checker, args, Purpose::Print)), "prints by a format, as in C; `%gr` prints flags of the kernel's allocator (`gfp_t`) by name";
    "cat(format path, …)", Statement(|checker, args| {
        let most = checker.options.limits.max_cat_bytes;
        formatted(checker, args, Purpose::Cat { most })
    }), "prints the file whose path a format makes, at most `max_cat_bytes` of it";
    "join(ptr array, [const string separator])", Statement(join), "prints the strings of an array that ends in a null pointer, such as `args.argv`, on a line: the first 16, with blanks between";
    "system(format command, …)", Statement(system), "runs a command in `/bin/sh`, and prints what it writes; needs `--unsafe`. What the command leaves running ends with it";
    "warnf(format text, …)", Statement(|checker, args| said(checker, args, Purpose::Warning)), "a warning on the standard error, with its place in the script; none with `--no-warnings`";
    "errorf(format text, …)", Statement(|checker, args| said(checker, args, Purpose::Error)), "an error on the standard error, with its place in the script; tracing goes on";
    "time([const string format])", Statement(time), "prints the time of day by a `strftime` format, `%H:%M:%S\\n` by default";
    "exit([int status])", Statement(exit), "ends tracing: `END` probes run and maps are printed";
};

fn print_map(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let map = args.map(0)?.index();
    let mut option = |index| match args.has(index) {
        true => args.constant(index).map(|n| n as u64),
        false => Ok(0),
    };
    let top = option(1)?;
    let divisor = option(2)?.max(1);
    Ok(checker.emit(
        RecordKind::PrintMap {
            map,
            top,
            divisor,
            // What follows in the script may say more: `sema::emptying`.
            then: Then::Keep,
        },
        Vec::new(),
        args.span,
    ))
}

fn print(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let value = args.value(0)?;
    let mut field = Field {
        offset: RECORD_HEADER,
        layout: checker.types.layout(value.ty),
    };
    if let Some(ast) = args.ast(0) {
        as_written(&mut field.layout, ast);
    }
    let size = RECORD_HEADER + checker.types.size(value.ty);
    Ok(checker.emit(
        RecordKind::PrintValue { field, size },
        vec![value],
        args.span,
    ))
}

/// A message with the place of the call.
fn said(
    checker: &mut Checker<'_>,
    args: Args<'_>,
    purpose: fn(Span) -> Purpose,
) -> Result<Expr, Diagnostic> {
    // In the body of a macro, the span of the call is that of the macro's.
    let place = match args.span.contains(args.written) {
        true => args.span,
        false => args.written,
    };
    let purpose = purpose(place);
    formatted(checker, args, purpose)
}

fn system(checker: &mut Checker<'_>, args: Args<'_>) -> Result<Expr, Diagnostic> {
    consent(checker, "`system` runs commands", args.span)?;
    formatted(checker, args, Purpose::System)
}

fn join(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let separator = match args.has(1) {
        true => args.text(1)?,
        false => Cow::Borrowed(b" ".as_slice()),
    };
    let array = args.value(0)?;
    let routine = "pf_strings";
    let strings = Expr {
        kind: ExprKind::Routine {
            routine,
            args: vec![Argument::Value(array)],
        },
        ty: Type::Str {
            bytes: 8 + JOINED_STRINGS * checker.options.limits.string_room(),
        },
        span,
    };
    let (fields, size) = record_fields(&checker.types, std::slice::from_ref(&strings));
    let kind = RecordKind::Printf {
        purpose: Purpose::Join,
        pieces: vec![FormatPiece::Text(separator.into_owned())],
        fields,
        size,
    };
    Ok(checker.emit(kind, vec![strings], span))
}

fn formatted(
    checker: &mut Checker<'_>,
    mut args: Args<'_>,
    purpose: Purpose,
) -> Result<Expr, Diagnostic> {
    let text = args.text(0)?;
    let mut pieces =
        format::parse(&text).map_err(|message| Diagnostic::error(args.span(0), message))?;
    let given = args.rest();
    let values = printed(checker, &pieces, given, args.span)?;
    let conversions = pieces.iter_mut().filter_map(|piece| match piece {
        FormatPiece::Conversion(conversion) => Some(conversion),
        FormatPiece::Text(_) => None,
    });
    for (conversion, value) in conversions.zip(&values) {
        conversion.lines = has_lines(checker, value);
    }
    let (mut fields, size) = record_fields(&checker.types, &values);
    for (field, ast) in fields.iter_mut().zip(given) {
        as_written(&mut field.layout, ast);
    }
    let kind = RecordKind::Printf {
        purpose,
        pieces,
        fields,
        size,
    };
    Ok(checker.emit(kind, values, args.span))
}

/// Whether newlines in a string are its own affair: a program's text is, by what is traced in the program. What the kernel is
/// told by system calls are names of files and the like, in which a newline could only pretend to be another row.
fn has_lines(checker: &Checker<'_>, value: &Expr) -> bool {
    let of_a_program = checker.probe.provider.info().kind == ProgramKind::Uprobe;
    of_a_program && matches!(value.kind, ExprKind::ReadString { .. })
}

/// The values that a format prints, checked by its conversions. `span` is the call.
pub(super) fn printed(
    checker: &mut Checker<'_>,
    pieces: &[FormatPiece],
    given: &[ast::Expr],
    span: Span,
) -> Result<Vec<Expr>, Diagnostic> {
    let conversions: Vec<&Conversion> = pieces
        .iter()
        .filter_map(|piece| match piece {
            FormatPiece::Conversion(conversion) => Some(conversion),
            FormatPiece::Text(_) => None,
        })
        .collect();
    if conversions.len() != given.len() {
        return Err(Diagnostic::error(
            span,
            format!(
                "the format takes {} argument{}, but {} {} given",
                conversions.len(),
                if conversions.len() == 1 { "" } else { "s" },
                given.len(),
                if given.len() == 1 { "is" } else { "are" },
            ),
        ));
    }
    let mut values = Vec::new();
    for (conversion, arg) in conversions.iter().zip(given) {
        let value = checker.printable(arg)?;
        if !format::prints(conversion.kind, value.ty) {
            return Err(Diagnostic::error(
                arg.span,
                format!(
                    "`%{}` cannot print {}",
                    conversion.kind as char,
                    checker.types.describe(value.ty)
                ),
            )
            .help(match value.ty {
                Type::Int { .. } | Type::Bool => "use `%d`".to_owned(),
                Type::Pointer(target) => match checker.types.get(target) {
                    Type::Int { bytes: 1, .. } | Type::Void if conversion.kind == b's' => format!(
                        "print the string there with `str({})`, or the address with `%p`",
                        pfscript_grammar::format::format_expr(arg)
                    ),
                    _ => "use `%p`".to_owned(),
                },
                _ => "use `%s`".to_owned(),
            }));
        }
        values.push(as_in_c(conversion, value));
    }
    Ok(values)
}

fn time(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let format = match args.has(0) {
        true => String::from_utf8_lossy(&args.text(0)?).into_owned(),
        false => "%H:%M:%S\n".to_string(),
    };
    Ok(checker.emit(RecordKind::Time { format }, Vec::new(), args.span))
}

fn exit(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let status = match args.has(0) {
        true => args.value(0)?,
        false => Expr::int(0, Type::I64, args.span),
    };
    Ok(checker.exit(status, args.span))
}

/// What a conversion takes of a value that is no wider than C's `int`: 32 bits, with the conversion's sign. A length says
/// itself how much is taken.
fn as_in_c(conversion: &Conversion, value: Expr) -> Expr {
    let signed = match (conversion.kind, value.ty) {
        _ if conversion.length.is_some() => return value,
        (
            b'd' | b'i',
            Type::Int {
                bytes: 4,
                signed: false,
                ..
            },
        ) => true,
        (
            b'u' | b'x' | b'X' | b'o',
            Type::Int {
                bytes: ..8,
                signed: true,
                ..
            },
        ) => false,
        _ => return value,
    };
    let span = value.span;
    Expr {
        kind: ExprKind::Extend {
            width: Width::W32,
            signed,
            value: Box::new(value),
        },
        ty: Type::int(4, signed),
        span,
    }
}

/// Notes which strings are literals of the script, to be printed as they were written.
fn as_written(layout: &mut Layout, ast: &ast::Expr) {
    match (&mut layout.ty, &ast.kind) {
        (DataType::String, ast::ExprKind::Str(_)) => layout.ty = DataType::Literal,
        (DataType::Tuple(fields), ast::ExprKind::Tuple(parts)) => {
            for (field, part) in fields.iter_mut().zip(parts) {
                as_written(&mut field.layout, part);
            }
        }
        (DataType::Record(members), ast::ExprKind::Record(parts)) => {
            for (member, (_, part)) in members.iter_mut().zip(parts) {
                as_written(&mut member.field.layout, part);
            }
        }
        _ => {}
    }
}

/// Fields of a record, behind its header.
pub(super) fn record_fields(types: &TypeTable, values: &[Expr]) -> (Vec<Field>, u32) {
    let items: Vec<Type> = values.iter().map(|value| value.ty).collect();
    let size = RECORD_HEADER + items.iter().map(|ty| types.size(*ty)).sum::<u32>();
    (fields(types, &items, RECORD_HEADER), size)
}
