//! The arguments of a call, checked by the signature.
//!
//! In come a row and the call's arguments as written; out go typed expressions and constants, or a diagnostic at the argument
//! that is wrong. What a function makes of them is said beside its row.

use super::{Call, FunctionRow};
use crate::hir::{Argument, Expr, ExprKind, ScriptMap};
use crate::language::builtins::Walk;
use crate::language::signature::{Param, ParamType};
use crate::manifest::StackMode;
use crate::sema::{Checker, KeyUse};
use crate::types::Type;
use pfscript_grammar::ast::{self, ExprKind as Ast};
use pfscript_grammar::{Diagnostic, Span};
use std::borrow::Cow;

/// The arguments of a call, one for each parameter. A row's function takes them by the parameter's number and as the type
/// that the signature says; to take anything else is a bug in the row, which is answered as such.
pub struct Args<'a> {
    row: &'static FunctionRow,
    /// The whole call.
    pub span: Span,
    /// Where the function's name is written: see [`Call::written`].
    pub written: Span,
    given: Vec<Option<Given<'a>>>,
    rest: &'a [ast::Expr],
}

/// One argument.
struct Given<'a> {
    ast: &'a ast::Expr,
    value: Value<'a>,
}

/// What an argument turned out to be.
enum Value<'a> {
    Expr(Expr),
    Const(i64),
    Text(Cow<'a, [u8]>),
    Map(ScriptMap),
    Element(ScriptMap, Vec<Expr>),
    Word(&'a str),
}

impl<'a> Args<'a> {
    /// Checks the arguments of a call; their number fits the row.
    pub(super) fn check(
        checker: &mut Checker<'_>,
        row: &'static FunctionRow,
        call: &Call<'a>,
    ) -> Result<Args<'a>, Diagnostic> {
        let signature = row.parsed(call.span)?;
        let params = &signature.params;
        let mut given: Vec<Option<Given<'a>>> = params.iter().map(|_| None).collect();
        let named = call.args.len().min(params.len());
        for ast in &call.args[..named] {
            let wanted = stack_word(ast, params);
            // A word goes to the parameter for such words, wherever it stands, and nothing else does.
            let free = |at: &usize| {
                given[*at].is_none()
                    && match (wanted, &params[*at].types[..]) {
                        (Some(wanted), types) => *types == [wanted],
                        (None, [ParamType::Walk]) => false,
                        (None, [ty]) if ty.is_word() => matches!(ast.kind, Ast::Ident(_)),
                        (None, _) => true,
                    }
            };
            let Some(at) = (0..params.len()).find(free) else {
                let names: Vec<&str> = params.iter().map(|param| param.name).collect();
                let message = match &names[..] {
                    [before @ .., last] if !before.is_empty() => format!(
                        "`{}` takes {} and {last} once each",
                        row.name,
                        before.join(", ")
                    ),
                    _ => format!("`{}` takes {} once", row.name, names.concat()),
                };
                return Err(Diagnostic::error(ast.span, message));
            };
            let value = argument(checker, row, &params[at], ast)?;
            given[at] = Some(Given { ast, value });
        }
        Ok(Args {
            row,
            span: call.span,
            written: call.written,
            given,
            rest: &call.args[named..],
        })
    }

    /// The function's name.
    pub fn name(&self) -> &'static str {
        self.row.name
    }

    /// The number of the parameter of this name, if the function has it.
    pub fn index(&self, name: &str) -> Option<usize> {
        let signature = self.row.parsed(self.span).ok()?;
        signature.params.iter().position(|param| param.name == name)
    }

    /// Whether an argument was given.
    pub fn has(&self, index: usize) -> bool {
        self.given.get(index).is_some_and(Option::is_some)
    }

    /// Where an argument stands, or the call, if it was left out.
    pub fn span(&self, index: usize) -> Span {
        self.ast(index).map_or(self.span, |ast| ast.span)
    }

    /// An argument as it was written.
    pub fn ast(&self, index: usize) -> Option<&'a ast::Expr> {
        self.given.get(index)?.as_ref().map(|given| given.ast)
    }

    /// What the signature leaves open (`…`), as it was written.
    pub fn rest(&self) -> &'a [ast::Expr] {
        self.rest
    }

    /// A value that is known when the script runs: `int`, `bool`, `ptr`, `string`, `stack` or `any`.
    ///
    /// # Errors
    /// If the signature says something else, or the argument was left out.
    pub fn value(&mut self, index: usize) -> Result<Expr, Diagnostic> {
        match self.take(index) {
            Some(Value::Expr(value)) => Ok(value),
            _ => Err(self.row.bug(self.span)),
        }
    }

    /// A `const int` or `const uint`.
    ///
    /// # Errors
    /// As [`Args::value`].
    pub fn constant(&mut self, index: usize) -> Result<i64, Diagnostic> {
        match self.take(index) {
            Some(Value::Const(value)) => Ok(value),
            _ => Err(self.row.bug(self.span)),
        }
    }

    /// A `const string` or `format`.
    ///
    /// # Errors
    /// As [`Args::value`].
    pub fn text(&mut self, index: usize) -> Result<Cow<'a, [u8]>, Diagnostic> {
        match self.take(index) {
            Some(Value::Text(bytes)) => Ok(bytes),
            _ => Err(self.row.bug(self.span)),
        }
    }

    /// A `map`.
    ///
    /// # Errors
    /// As [`Args::value`].
    pub fn map(&mut self, index: usize) -> Result<ScriptMap, Diagnostic> {
        match self.take(index) {
            Some(Value::Map(map)) => Ok(map),
            _ => Err(self.row.bug(self.span)),
        }
    }

    /// An `element`: its map and its key.
    ///
    /// # Errors
    /// As [`Args::value`].
    pub fn element(&mut self, index: usize) -> Result<(ScriptMap, Vec<Expr>), Diagnostic> {
        match self.take(index) {
            Some(Value::Element(map, key)) => Ok((map, key)),
            _ => Err(self.row.bug(self.span)),
        }
    }

    /// A word, such as a `stack_mode`, if one was given.
    pub fn word(&mut self, index: usize) -> Option<&'a str> {
        match self.take(index) {
            Some(Value::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn take(&mut self, index: usize) -> Option<Value<'a>> {
        let given = self.given.get_mut(index)?;
        // The place of what was taken stays known.
        given
            .as_mut()
            .map(|given| std::mem::replace(&mut given.value, Value::Word("")))
    }

    /// All arguments as a routine or a helper takes them.
    pub(super) fn passed(self) -> Result<Vec<Argument>, Diagnostic> {
        let (row, span) = (self.row, self.span);
        let signature = row.parsed(span)?;
        let mut passed = Vec::new();
        for (param, given) in signature.params.iter().zip(self.given) {
            let Some(given) = given else {
                passed.push(Argument::Value(Expr::int(0, Type::I64, span)));
                continue;
            };
            passed.push(match given.value {
                Value::Expr(text) if param.types == [ParamType::String] => Argument::Text(text),
                Value::Expr(value) => Argument::Value(value),
                Value::Const(value) => Argument::Value(Expr::int(value, Type::I64, given.ast.span)),
                Value::Text(bytes) => Argument::Text(Expr::string(&bytes, given.ast.span)),
                Value::Map(map) => Argument::Map(map),
                Value::Element(..) | Value::Word(_) => return Err(row.bug(span)),
            });
        }
        Ok(passed)
    }
}

/// The parameter that a word says something for: how a stack is walked, or printed. `None` if it is no such word, or none has such a parameter.
fn stack_word(ast: &ast::Expr, params: &[Param<'_>]) -> Option<ParamType> {
    let Ast::Ident(word) = &ast.kind else {
        return None;
    };
    let ty = match Walk::named(word) {
        Some(_) => ParamType::Walk,
        None => StackMode::named(word).map(|_| ParamType::Mode)?,
    };
    params.iter().any(|param| param.types == [ty]).then_some(ty)
}

/// Checks one argument by its parameter.
fn argument<'a>(
    checker: &mut Checker<'_>,
    row: &FunctionRow,
    param: &Param<'_>,
    ast: &'a ast::Expr,
) -> Result<Value<'a>, Diagnostic> {
    // Types whose arguments are no values of their own stand alone in a signature.
    match param.types[..] {
        [ParamType::Map] => {
            return match &ast.kind {
                Ast::Map { name, keys: None } => {
                    Ok(Value::Map(checker.map(name, KeyUse::Whole, ast.span)?))
                }
                _ => Err(takes(row, param, ast)),
            };
        }
        [ParamType::Element] => {
            let Ast::Map { name, keys } = &ast.kind else {
                return Err(takes(row, param, ast));
            };
            let (map, key) = checker.map_element(name, keys.as_deref(), ast.span)?;
            return Ok(Value::Element(map, key));
        }
        [ty] if ty.is_word() => {
            return match &ast.kind {
                Ast::Ident(name) => Ok(Value::Word(name)),
                _ => Err(takes(row, param, ast)),
            };
        }
        [ParamType::ConstString | ParamType::Format] => {
            return match &ast.kind {
                Ast::Str(bytes) => Ok(Value::Text(Cow::Borrowed(bytes))),
                // A parameter of the command line is as constant: `$1`, `str($1)`, `getopt("name", "text")`.
                Ast::Positional(_) | Ast::Call { .. }
                    if param.types == [ParamType::ConstString] =>
                {
                    match checker.expr(ast)?.kind {
                        ExprKind::Str(bytes) => Ok(Value::Text(Cow::Owned(bytes))),
                        _ => Err(takes(row, param, ast)),
                    }
                }
                _ if param.types == [ParamType::Format] => Err(Diagnostic::error(
                    ast.span,
                    format!("the format of `{}` must be a constant string", row.name),
                )
                .help(format!(
                    "to print a string, write `{}(\"%s\\n\", x)`",
                    row.name
                ))),
                _ => Err(takes(row, param, ast)),
            };
        }
        [ParamType::ConstInt | ParamType::ConstUint] => {
            let value = checker.expr(ast)?;
            let Some(constant) = value.constant() else {
                return Err(Diagnostic::error(
                    ast.span,
                    format!("`{}` must be a constant number", param.name),
                ));
            };
            if constant < 0 && param.types == [ParamType::ConstUint] {
                return Err(Diagnostic::error(
                    ast.span,
                    format!("`{}` must not be negative", param.name),
                ));
            }
            return Ok(Value::Const(constant));
        }
        [ParamType::Any] => return checker.printable(ast).map(Value::Expr),
        _ => {}
    }
    let mut value = checker.expr(ast)?;
    if param.types.contains(&ParamType::Ptr) {
        value = checker.decayed(value);
    }
    if param.types.iter().any(|ty| takes_type(*ty, value.ty)) {
        return Ok(Value::Expr(value));
    }
    Err(Diagnostic::error(
        ast.span,
        format!(
            "expected {}, found {}",
            param.describe(),
            checker.types.describe(value.ty)
        ),
    ))
}

fn takes(row: &FunctionRow, param: &Param<'_>, ast: &ast::Expr) -> Diagnostic {
    Diagnostic::error(
        ast.span,
        format!("`{}` takes {}", row.name, param.describe()),
    )
}

/// Whether a parameter for values takes values of a type.
fn takes_type(param: ParamType, ty: Type) -> bool {
    if ty == Type::Unknown {
        return true;
    }
    match param {
        ParamType::Int => ty.is_number() || matches!(ty, Type::Pointer(_)),
        ParamType::Bool => ty.is_condition(),
        ParamType::Ptr => matches!(ty, Type::Pointer(_) | Type::Int { .. }),
        ParamType::String => matches!(ty, Type::Str { .. }),
        ParamType::Stack => matches!(ty, Type::Stack { .. }),
        ParamType::ConstInt
        | ParamType::ConstUint
        | ParamType::ConstString
        | ParamType::Format
        | ParamType::Map
        | ParamType::Element
        | ParamType::Mode
        | ParamType::Walk
        | ParamType::Clock
        | ParamType::Namespace
        | ParamType::Any => false,
    }
}
