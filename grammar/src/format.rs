//! A script in one consistent layout. Comments are not part of the tree and are not kept.
//!
//! In comes a tree, out goes a script: `parse(format(tree))` gives the same tree back.

mod items;

use pest::Parser;

use crate::ast::*;
use crate::literal::write_string;
use crate::rule::{Rule, ScriptParser};

/// Prints a script.
///
/// ```
/// let script = pfscript_grammar::parse("BEGIN{@x=1+2*3;exit()}").unwrap();
/// assert_eq!(pfscript_grammar::format(&script), "BEGIN {\n    @x = 1 + 2 * 3;\n    exit();\n}\n");
/// ```
pub fn format(script: &Script) -> String {
    let mut printer = Printer::default();
    let mut before: Option<&Item> = None;
    for item in &script.items {
        let line = |item: &Item| {
            matches!(item, Item::Include(_) | Item::Import(_))
                || matches!(item, Item::Unsupported(u) if !u.text.contains('\n'))
                || matches!(item, Item::Declaration(d) if !d.text.contains('\n'))
        };
        if before.is_some_and(|before| !(line(before) && line(item))) {
            printer.out.push('\n');
        }
        printer.item(item);
        before = Some(item);
    }
    printer.out
}

/// Prints one expression, as [`format()`] would.
pub fn format_expr(expr: &Expr) -> String {
    let mut printer = Printer::default();
    printer.expr(expr, ANY);
    printer.out
}

// How tightly an expression holds together.
const ANY: u8 = 0;
const TERNARY: u8 = 1;
const UNARY: u8 = 12;
const POSTFIX: u8 = 13;
const PRIMARY: u8 = 14;

fn binary_strength(rest: &[(BinaryOp, Expr)]) -> u8 {
    rest.first()
        .map_or(PRIMARY, |(op, _)| TERNARY + op.precedence())
}

fn strength(expr: &Expr) -> u8 {
    match &expr.kind {
        ExprKind::Ternary { .. } => TERNARY,
        ExprKind::Binary { rest, .. } => binary_strength(rest),
        ExprKind::Unary { .. } | ExprKind::Cast { .. } | ExprKind::Comptime(_) => UNARY,
        ExprKind::IncDec { prefix: true, .. } => UNARY,
        ExprKind::IncDec { .. }
        | ExprKind::Field { .. }
        | ExprKind::TupleField { .. }
        | ExprKind::Index { .. } => POSTFIX,
        ExprKind::Block { .. } | ExprKind::If { .. } => ANY,
        // What closes with its own parenthesis holds together; blocks, `if`, casts and the like do not.
        ExprKind::Unsupported(unsupported) => match unsupported.what {
            "elements in offsetof" | "arrays of arrays" | "empty tuples" => PRIMARY,
            _ => ANY,
        },
        _ => PRIMARY,
    }
}

#[derive(Default)]
struct Printer {
    out: String,
    indent: usize,
}

impl Printer {
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn measured(&mut self, of: &Measured) {
        match of {
            Measured::Type(ty) => self.type_name(ty),
            Measured::Value(value) => self.expr(value, ANY),
        }
    }

    fn newline(&mut self) {
        self.out.push('\n');
        for _ in 0..self.indent {
            self.out.push_str("    ");
        }
    }

    fn block(&mut self, block: &Block) {
        self.body(block, None);
    }

    /// A block, and the expression that closes it without a semicolon.
    fn body(&mut self, block: &Block, value: Option<&Expr>) {
        if block.statements.is_empty() && value.is_none() {
            self.push("{ }");
            return;
        }
        self.push("{");
        self.indent += 1;
        for statement in &block.statements {
            self.newline();
            self.statement(statement);
        }
        if let Some(value) = value {
            self.newline();
            // A block or an `if` is read as a value there, without parentheses.
            let alone = matches!(value.kind, ExprKind::Block { .. } | ExprKind::If { .. });
            self.expr(value, if alone { ANY } else { TERNARY });
        }
        self.indent -= 1;
        self.newline();
        self.push("}");
    }

    fn statement(&mut self, statement: &Stmt) {
        match &statement.kind {
            StmtKind::Block(block) => return self.block(block),
            StmtKind::If { arms, otherwise } => return self.if_chain(arms, otherwise.as_ref()),
            StmtKind::While { condition, body } => return self.repeated("while", condition, body),
            StmtKind::Unroll { count, body } => return self.repeated("unroll", count, body),
            StmtKind::For { name, over, body } => {
                self.push(&format!("for (${} : ", name.node));
                match over {
                    Iterated::Elements(map) => self.expr(map, ANY),
                    Iterated::Range(first, end) => {
                        self.expr(first, ANY);
                        self.push("..");
                        self.expr(end, ANY);
                    }
                }
                self.push(") ");
                return self.block(body);
            }
            StmtKind::Break => self.push("break"),
            StmtKind::Continue => self.push("continue"),
            StmtKind::Unsupported(unsupported) => {
                self.push(&unsupported.text);
            }
            // A statement that begins with a brace or with `if` would be another one: hence TERNARY, not ANY.
            StmtKind::Expr(expr) => self.expr(expr, TERNARY),
            StmtKind::Assign { target, op, value } => {
                self.expr(target, TERNARY);
                self.push(" ");
                self.push(op.as_ref().map_or("", |op| op.node.symbol()));
                self.push("= ");
                self.expr(value, ANY);
            }
            StmtKind::Let { name, ty, value } => {
                self.push("let $");
                self.push(&name.node);
                if let Some(ty) = ty {
                    self.push(": ");
                    self.type_name(ty);
                }
                if let Some(value) = value {
                    self.push(" = ");
                    self.expr(value, ANY);
                }
            }
            StmtKind::Return(value) => {
                self.push("return");
                if let Some(value) = value {
                    self.push(" ");
                    self.expr(value, ANY);
                }
            }
        }
        self.push(";");
    }

    fn repeated(&mut self, keyword: &str, head: &Expr, body: &Block) {
        self.push(keyword);
        self.push(" (");
        self.expr(head, ANY);
        self.push(") ");
        self.block(body);
    }

    fn if_chain(&mut self, arms: &[(Expr, Block)], otherwise: Option<&Block>) {
        for (i, (condition, then)) in arms.iter().enumerate() {
            self.push(if i == 0 { "if (" } else { " else if (" });
            self.expr(condition, ANY);
            self.push(") ");
            self.block(then);
        }
        if let Some(block) = otherwise {
            self.push(" else ");
            self.block(block);
        }
    }

    fn list(&mut self, exprs: &[Expr]) {
        for (i, expr) in exprs.iter().enumerate() {
            if i > 0 {
                self.push(", ");
            }
            self.expr(expr, ANY);
        }
    }

    fn string(&mut self, bytes: &[u8]) {
        self.push("\"");
        write_string(bytes, &mut self.out);
        self.push("\"");
    }

    /// Prints an expression, in parentheses unless it holds together at least this tightly.
    fn expr(&mut self, expr: &Expr, at_least: u8) {
        if strength(expr) < at_least {
            self.push("(");
            self.expr(expr, ANY);
            self.push(")");
            return;
        }
        match &expr.kind {
            ExprKind::Int(value) => self.push(&value.to_string()),
            ExprKind::Str(bytes) => self.string(bytes),
            ExprKind::Bool(value) => self.push(if *value { "true" } else { "false" }),
            ExprKind::Ident(name) => self.push(name),
            ExprKind::Positional(number) => self.push(&format!("${number}")),
            ExprKind::PositionalCount => self.push("$#"),
            ExprKind::Variable(name) => {
                self.push("$");
                self.push(name);
            }
            ExprKind::Map { name, keys } => {
                self.push("@");
                self.push(name);
                if let Some(keys) = keys {
                    self.push("[");
                    self.list(keys);
                    self.push("]");
                }
            }
            ExprKind::Call { name, args } => {
                self.push(&name.node);
                self.push("(");
                self.list(args);
                self.push(")");
            }
            ExprKind::Unary { op, operand } => {
                self.push(match op {
                    UnaryOp::Neg => "-",
                    UnaryOp::Not => "!",
                    UnaryOp::BitNot => "~",
                    UnaryOp::Deref => "*",
                    UnaryOp::AddressOf => "&",
                });
                self.sign_operand(operand, |sign| match op {
                    UnaryOp::Neg => sign == '-',
                    UnaryOp::AddressOf => sign == '&',
                    _ => false,
                });
            }
            ExprKind::IncDec {
                target,
                increment,
                prefix,
            } => {
                let sign = if *increment { "++" } else { "--" };
                if *prefix {
                    self.push(sign);
                    self.expr(target, UNARY);
                } else {
                    self.expr(target, POSTFIX);
                    self.push(sign);
                }
            }
            ExprKind::Binary { first, rest } => {
                let strength = binary_strength(rest);
                self.expr(first, strength);
                for (op, operand) in rest {
                    self.push(" ");
                    self.push(op.symbol());
                    self.push(" ");
                    self.expr(operand, strength + 1);
                }
            }
            ExprKind::Ternary {
                condition,
                then,
                otherwise,
            } => {
                self.expr(condition, TERNARY + 1);
                match then {
                    Some(then) => {
                        self.push(" ? ");
                        self.expr(then, ANY);
                        self.push(" : ");
                    }
                    None => self.push(" ?: "),
                }
                self.expr(otherwise, TERNARY);
            }
            ExprKind::Field { base, name, arrow } => {
                self.expr(base, POSTFIX);
                self.push(if *arrow { "->" } else { "." });
                self.push(&name.node);
            }
            ExprKind::TupleField { base, index } => {
                self.expr(base, POSTFIX);
                self.push(&format!(".{}", index.node));
            }
            ExprKind::Index { base, index } => {
                // Brackets directly behind a map would be its keys.
                let keyless = matches!(&base.kind, ExprKind::Map { keys: None, .. });
                self.expr(base, if keyless { PRIMARY + 1 } else { POSTFIX });
                self.push("[");
                self.expr(index, ANY);
                self.push("]");
            }
            ExprKind::Cast { ty, operand } => {
                self.push("(");
                self.type_name(ty);
                self.push(")");
                let sure = is_sure_type(ty);
                self.sign_operand(operand, |sign| {
                    !sure && matches!(sign, '-' | '*' | '&' | '+')
                });
            }
            ExprKind::Comptime(value) => {
                self.push("comptime ");
                // An `if` behind it would be read as a statement.
                let alone = matches!(value.kind, ExprKind::If { .. } | ExprKind::Block { .. });
                self.expr(value, if alone { PRIMARY } else { UNARY });
            }
            ExprKind::TypeOf(ty) => self.type_name(ty),
            ExprKind::SizeOf(of) | ExprKind::TypeInfo(of) => {
                self.push(match expr.kind {
                    ExprKind::SizeOf(_) => "sizeof(",
                    _ => "typeinfo(",
                });
                self.measured(of);
                self.push(")");
            }
            ExprKind::OffsetOf { of, path } => {
                self.push("offsetof(");
                self.measured(of);
                let path: Vec<&str> = path.iter().map(|member| member.node.as_str()).collect();
                self.push(&format!(", {})", path.join(".")));
            }
            ExprKind::Tuple(fields) => {
                self.push("(");
                self.list(fields);
                self.push(if fields.len() == 1 { ",)" } else { ")" });
            }
            ExprKind::Record(fields) => {
                for (i, (name, value)) in fields.iter().enumerate() {
                    self.push(if i == 0 { "(" } else { ", " });
                    self.push(&format!("{} = ", name.node));
                    self.expr(value, ANY);
                }
                self.push(")");
            }
            ExprKind::Block { body, value } => self.body(body, value.as_deref()),
            ExprKind::If { arms, otherwise } => {
                for (i, (condition, then)) in arms.iter().enumerate() {
                    self.push(if i == 0 { "if (" } else { " else if (" });
                    self.expr(condition, ANY);
                    self.push(") ");
                    self.expr(then, ANY);
                }
                if let Some(otherwise) = otherwise {
                    self.push(" else ");
                    self.expr(otherwise, ANY);
                }
            }
            ExprKind::Unsupported(unsupported) => self.push(&unsupported.text),
        }
    }

    /// The operand of a prefix, in parentheses if its own leading sign would be read otherwise there.
    fn sign_operand(&mut self, operand: &Expr, clashes: impl Fn(char) -> bool) {
        let sign = match &operand.kind {
            ExprKind::Unary { op, .. } => Some(match op {
                UnaryOp::Neg => '-',
                UnaryOp::Not => '!',
                UnaryOp::BitNot => '~',
                UnaryOp::Deref => '*',
                UnaryOp::AddressOf => '&',
            }),
            ExprKind::IncDec {
                prefix: true,
                increment,
                ..
            } => Some(if *increment { '+' } else { '-' }),
            _ => None,
        };
        let clash = sign.is_some_and(clashes);
        self.expr(operand, if clash { PRIMARY + 1 } else { UNARY });
    }

    fn type_name(&mut self, ty: &TypeName) {
        self.push(match ty.tag {
            Some(TypeTag::Struct) => "struct ",
            Some(TypeTag::Union) => "union ",
            Some(TypeTag::Enum) => "enum ",
            None => "",
        });
        self.push(&ty.name);
        if let Some(of) = &ty.of {
            self.push("typeof(");
            self.measured(of);
            self.push(")");
        }
        if ty.pointers > 0 {
            self.push(" ");
        }
        for _ in 0..ty.pointers {
            self.push("*");
        }
        match ty.array {
            Some(Some(size)) => self.push(&format!("[{size}]")),
            Some(None) => self.push("[]"),
            None => {}
        }
    }
}

/// What `typeof` looks at, as it is written.
pub(crate) fn measured(of: &Measured) -> String {
    let mut printer = Printer::default();
    printer.measured(of);
    printer.out
}

/// True if a cast to this type may stand before an operand with a sign.
fn is_sure_type(ty: &TypeName) -> bool {
    ty.tag.is_some()
        || ty.of.is_some()
        || ty.pointers > 0
        || ScriptParser::parse(Rule::type_sure, &ty.name)
            .is_ok_and(|pairs| pairs.as_str().len() == ty.name.len())
}

impl Macro {
    /// Its name and parameters, as its definition and a call have them: `name($a, @m, b)`.
    pub fn head(&self) -> String {
        let params: Vec<String> = self
            .params
            .iter()
            .map(|param| param.node.to_string())
            .collect();
        format!("{}({})", self.name.node, params.join(", "))
    }
}

impl std::fmt::Display for MacroParam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MacroParam::Variable(name) => write!(f, "${name}"),
            MacroParam::Map(name) => write!(f, "@{name}"),
            MacroParam::Name(name) => f.write_str(name),
        }
    }
}

impl std::fmt::Display for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&format(self))
    }
}
