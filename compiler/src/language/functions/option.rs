//! Named parameters of a script, `getopt()`: a row of the table in the parent.
//!
//! What the command line says of them stands in [`crate::Options`]; each becomes a constant. What a script knows is noted, so
//! that the command can refuse what it does not know.

use super::{Args, FunctionRow};
use crate::hir::{Expr, ExprKind};
use crate::sema::{Checker, Parameter, ParameterDefault, parse_integer};
use crate::types::Type;
use pfscript_grammar::{Diagnostic, Span, escape};

pub(super) const ROWS: &[FunctionRow] = rows! {
    "getopt(const string name, [any default], [const string description]) -> any", Value(getopt), "the parameter `--name=VALUE` behind `--` on the command line, of the default's type; without a default, whether `--name` is there";
};

fn getopt(checker: &mut Checker<'_>, mut args: Args<'_>) -> Result<Expr, Diagnostic> {
    let span = args.span;
    let name = String::from_utf8_lossy(&args.text(0)?).into_owned();
    if name.is_empty() || name.starts_with('-') || name.contains(['=', ' ']) {
        let message = "a parameter's name is not empty, begins with no `-` and has no `=` or space";
        return Err(Diagnostic::error(args.span(0), message));
    }
    let default = match args.has(1) {
        false => ParameterDefault::Flag(false),
        true => {
            let at = args.span(1);
            let value = args.value(1)?;
            match (&value.kind, value.ty) {
                (ExprKind::Int(n), Type::Bool) => ParameterDefault::Flag(*n != 0),
                (ExprKind::Int(n), Type::Int { .. }) => ParameterDefault::Number(*n),
                (ExprKind::Str(bytes), _) => ParameterDefault::Text(bytes.clone()),
                _ => {
                    let message = "the default must be a constant number, string or boolean";
                    return Err(Diagnostic::error(at, message));
                }
            }
        }
    };
    let description = match args.has(2) {
        true => Some(String::from_utf8_lossy(&args.text(2)?).into_owned()),
        false => None,
    };
    let known = checker
        .needs
        .script_parameters
        .entry(name.clone())
        .or_insert_with(|| Parameter {
            default: default.clone(),
            description: None,
        });
    if known.default != default {
        let message = format!(
            "the parameter `{name}` has another default here: {default}, before {}",
            known.default
        );
        return Err(Diagnostic::error(span, message).help("give it the same default everywhere"));
    }
    if description.is_some() {
        known.description = description;
    }
    let named = &checker.options.named;
    // As with most commands, what was said last counts.
    let given = named.iter().rev().find(|(given, _)| *given == name);
    constant(
        &name,
        &default,
        given.map(|(_, value)| value.as_deref()),
        span,
    )
}

/// The value of a parameter: `given` is `None` where the command line does not name it, `Some(None)` for `--name` alone.
fn constant(
    name: &str,
    default: &ParameterDefault,
    given: Option<Option<&str>>,
    span: Span,
) -> Result<Expr, Diagnostic> {
    let wrong = |expected: &str, example: &str| {
        let found = match given.flatten() {
            Some(value) => format!("`--{name}={}`", escape(value)),
            None => format!("`--{name}` without a value"),
        };
        let message = format!("the parameter `{name}` takes {expected}, found {found}");
        Err(Diagnostic::error(span, message).help(format!("such as `--{name}={example}`")))
    };
    Ok(match default {
        ParameterDefault::Flag(default) => {
            let value = match given {
                None => *default,
                Some(None) => true,
                Some(Some(value)) => match value.to_ascii_lowercase().as_str() {
                    "true" | "1" => true,
                    "false" | "0" => false,
                    _ => return wrong("`true` or `false`", "true"),
                },
            };
            Expr::int(value.into(), Type::Bool, span)
        }
        ParameterDefault::Number(default) => match given {
            None => Expr::int(*default, Type::I64, span),
            Some(value) => match value.and_then(parse_integer) {
                // What no signed number holds is none.
                Some(number) if number as i64 >= 0 || value.is_some_and(|v| v.starts_with('-')) => {
                    Expr::int(number as i64, Type::I64, span)
                }
                Some(number) => Expr::int(number as i64, Type::U64, span),
                None => return wrong("a number", "5"),
            },
        },
        ParameterDefault::Text(default) => match given {
            None => Expr::string(default, span),
            Some(Some(value)) => Expr::string(value.as_bytes(), span),
            Some(None) => return wrong("a string", "text"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::constant;
    use crate::hir::ExprKind;
    use crate::sema::ParameterDefault::{self, Flag, Number, Text};
    use pfscript_grammar::Span;

    fn value(default: &ParameterDefault, given: Option<Option<&str>>) -> Result<ExprKind, String> {
        constant("x", default, given, Span::default())
            .map(|expr| expr.kind)
            .map_err(|error| error.message)
    }

    #[test]
    fn a_parameter_has_the_type_of_its_default() {
        let number = |given| match value(&Number(7), given) {
            Ok(ExprKind::Int(n)) => Some(n),
            _ => None,
        };
        assert_eq!(number(None), Some(7));
        assert_eq!(number(Some(Some("-5"))), Some(-5));
        assert_eq!(number(Some(Some("0x10"))), Some(16));
        assert_eq!(number(Some(Some("five"))), None);
        assert_eq!(number(Some(None)), None);
        let flag = |given| match value(&Flag(false), given) {
            Ok(ExprKind::Int(n)) => Some(n != 0),
            _ => None,
        };
        assert_eq!(flag(None), Some(false));
        assert_eq!(flag(Some(None)), Some(true));
        assert_eq!(flag(Some(Some("TRUE"))), Some(true));
        assert_eq!(flag(Some(Some("0"))), Some(false));
        assert_eq!(flag(Some(Some("3"))), None);
        let text = |given| match value(&Text(b"a".to_vec()), given) {
            Ok(ExprKind::Str(bytes)) => Some(bytes),
            _ => None,
        };
        assert_eq!(text(None), Some(b"a".to_vec()));
        assert_eq!(text(Some(Some(""))), Some(Vec::new()));
        assert_eq!(text(Some(None)), None);
    }
}
