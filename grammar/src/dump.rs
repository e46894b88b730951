//! The syntax tree as indented text, for `-d ast` and for golden files.
//!
//! In comes a tree, out goes text. Spans are left out, and nothing reads the text back.

use crate::ast::*;
use crate::literal::write_string;

/// One line for each node, children indented by two blanks.
///
/// ```
/// let script = pfscript_grammar::parse("BEGIN { @x = -1; }").unwrap();
/// assert_eq!(pfscript_grammar::dump(&script), "\
/// probe
///   attach BEGIN
///   assign
///     map @x
///     unary -
///       int 1
/// ");
/// ```
pub fn dump(script: &Script) -> String {
    let mut dumper = Dumper {
        out: String::new(),
        depth: 0,
    };
    for item in &script.items {
        dumper.item(item);
    }
    dumper.out
}

struct Dumper {
    out: String,
    depth: usize,
}

impl Dumper {
    fn line(&mut self, text: impl AsRef<str>) {
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
        self.out.push_str(text.as_ref());
        self.out.push('\n');
    }

    fn nest(&mut self, text: impl AsRef<str>, children: impl FnOnce(&mut Dumper)) {
        self.line(text);
        self.depth += 1;
        children(self);
        self.depth -= 1;
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Include(path) => self.line(format!("include {}", quote(path.node.as_bytes()))),
            Item::Import(path) => self.line(format!("import {}", quote(path.node.as_bytes()))),
            Item::Config(entries) => self.nest("config", |d| {
                for entry in entries {
                    let value = quote(entry.value.node.as_bytes());
                    d.line(format!("{} = {value}", entry.name.node));
                }
            }),
            Item::Probe(probe) => self.nest("probe", |d| {
                for point in &probe.attach_points {
                    let parts: Vec<String> = point
                        .parts
                        .iter()
                        .map(|part| crate::escape(&part.node).into_owned())
                        .collect();
                    d.line(format!("attach {}", parts.join(" : ")));
                }
                if let Some(predicate) = &probe.predicate {
                    d.nest("predicate", |d| d.expr(predicate));
                }
                d.statements(&probe.body);
            }),
            Item::Macro(definition) => {
                let head = format!("macro {}", definition.head());
                self.nest(head, |d| {
                    d.statements(&definition.body);
                    if let Some(value) = &definition.value {
                        d.nest("value", |d| d.expr(value));
                    }
                });
            }
            Item::MapDeclaration(declaration) => {
                let head = format!("let @{} {}", declaration.name.node, declaration.kind.node);
                self.nest(head, |d| d.exprs(&declaration.args));
            }
            Item::Declaration(declaration) => {
                let text = quote(declaration.text.as_bytes());
                self.line(format!("declaration {text}"));
            }
            Item::Unsupported(unsupported) => self.unsupported(unsupported),
        }
    }

    fn unsupported(&mut self, unsupported: &Unsupported) {
        let text = quote(unsupported.text.as_bytes());
        self.line(format!("unsupported {}: {text}", unsupported.what));
    }

    fn measured(&mut self, what: &str, of: &Measured) {
        match of {
            Measured::Type(ty) => self.line(format!("{what} of {}", type_text(ty))),
            Measured::Value(value) => self.nest(what, |d| d.expr(value)),
        }
    }

    fn statements(&mut self, block: &Block) {
        for statement in &block.statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        match &statement.kind {
            StmtKind::Expr(expr) => self.expr(expr),
            StmtKind::Assign { target, op, value } => {
                let op = op
                    .as_ref()
                    .map_or(String::new(), |op| format!(" {}=", op.node.symbol()));
                self.nest(format!("assign{op}"), |d| {
                    d.expr(target);
                    d.expr(value);
                });
            }
            StmtKind::Let { name, ty, value } => {
                let ty = ty
                    .as_ref()
                    .map_or(String::new(), |ty| format!(": {}", type_text(ty)));
                self.nest(format!("let ${}{ty}", name.node), |d| {
                    if let Some(value) = value {
                        d.expr(value);
                    }
                });
            }
            StmtKind::If { arms, otherwise } => self.nest("if", |d| {
                for (condition, then) in arms {
                    d.expr(condition);
                    d.nest("then", |d| d.statements(then));
                }
                if let Some(otherwise) = otherwise {
                    d.nest("else", |d| d.statements(otherwise));
                }
            }),
            StmtKind::While { condition, body } => self.nest("while", |d| {
                d.expr(condition);
                d.nest("do", |d| d.statements(body));
            }),
            StmtKind::For { name, over, body } => self.nest(format!("for ${}", name.node), |d| {
                match over {
                    Iterated::Elements(map) => d.expr(map),
                    Iterated::Range(first, end) => d.nest("range", |d| {
                        d.expr(first);
                        d.expr(end);
                    }),
                }
                d.nest("do", |d| d.statements(body));
            }),
            StmtKind::Unroll { count, body } => self.nest("unroll", |d| {
                d.expr(count);
                d.nest("do", |d| d.statements(body));
            }),
            StmtKind::Break => self.line("break"),
            StmtKind::Continue => self.line("continue"),
            StmtKind::Return(value) => self.nest("return", |d| {
                if let Some(value) = value {
                    d.expr(value);
                }
            }),
            StmtKind::Block(block) => self.nest("block", |d| d.statements(block)),
            StmtKind::Unsupported(unsupported) => self.unsupported(unsupported),
        }
    }

    fn exprs(&mut self, exprs: &[Expr]) {
        for expr in exprs {
            self.expr(expr);
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Int(value) => self.line(format!("int {value}")),
            ExprKind::Str(bytes) => self.line(format!("str {}", quote(bytes))),
            ExprKind::Bool(value) => self.line(format!("bool {value}")),
            ExprKind::Ident(name) => self.line(format!("name {name}")),
            ExprKind::Positional(number) => self.line(format!("param ${number}")),
            ExprKind::PositionalCount => self.line("param $#"),
            ExprKind::Variable(name) => self.line(format!("var ${name}")),
            ExprKind::Map { name, keys } => match keys {
                None => self.line(format!("map @{name}")),
                Some(keys) => self.nest(format!("map @{name}[]"), |d| d.exprs(keys)),
            },
            ExprKind::Call { name, args } => {
                self.nest(format!("call {}", name.node), |d| d.exprs(args));
            }
            ExprKind::Unary { op, operand } => {
                let op = match op {
                    UnaryOp::Neg => '-',
                    UnaryOp::Not => '!',
                    UnaryOp::BitNot => '~',
                    UnaryOp::Deref => '*',
                    UnaryOp::AddressOf => '&',
                };
                self.nest(format!("unary {op}"), |d| d.expr(operand));
            }
            ExprKind::IncDec {
                target,
                increment,
                prefix,
            } => {
                let place = if *prefix { "prefix" } else { "postfix" };
                let sign = if *increment { "++" } else { "--" };
                self.nest(format!("{place} {sign}"), |d| d.expr(target));
            }
            ExprKind::Binary { first, rest } => {
                let operators: Vec<&str> = rest.iter().map(|(op, _)| op.symbol()).collect();
                self.nest(format!("binary {}", operators.join(" ")), |d| {
                    d.expr(first);
                    rest.iter().for_each(|(_, operand)| d.expr(operand));
                });
            }
            ExprKind::Ternary {
                condition,
                then,
                otherwise,
            } => self.nest("ternary", |d| {
                d.expr(condition);
                if let Some(then) = then {
                    d.expr(then);
                }
                d.expr(otherwise);
            }),
            ExprKind::Field { base, name, arrow } => {
                let sign = if *arrow { "->" } else { "." };
                self.nest(format!("field {sign}{}", name.node), |d| d.expr(base));
            }
            ExprKind::TupleField { base, index } => {
                self.nest(format!("field .{}", index.node), |d| d.expr(base));
            }
            ExprKind::Index { base, index } => self.nest("index", |d| {
                d.expr(base);
                d.expr(index);
            }),
            ExprKind::Cast { ty, operand } => {
                self.nest(format!("cast {}", type_text(ty)), |d| d.expr(operand));
            }
            ExprKind::Comptime(value) => self.nest("comptime", |d| d.expr(value)),
            ExprKind::TypeOf(ty) => self.line(type_text(ty)),
            ExprKind::SizeOf(of) => self.measured("sizeof", of),
            ExprKind::TypeInfo(of) => self.measured("typeinfo", of),
            ExprKind::OffsetOf { of, path } => {
                let path: Vec<&str> = path.iter().map(|member| member.node.as_str()).collect();
                self.measured(&format!("offsetof {}", path.join(".")), of);
            }
            ExprKind::Tuple(fields) => self.nest("tuple", |d| d.exprs(fields)),
            ExprKind::Record(fields) => self.nest("record", |d| {
                for (name, value) in fields {
                    d.nest(format!("field {}", name.node), |d| d.expr(value));
                }
            }),
            ExprKind::Block { body, value } => self.nest("block", |d| {
                d.statements(body);
                if let Some(value) = value {
                    d.nest("value", |d| d.expr(value));
                }
            }),
            ExprKind::If { arms, otherwise } => self.nest("if", |d| {
                for (condition, then) in arms {
                    d.expr(condition);
                    d.nest("then", |d| d.expr(then));
                }
                if let Some(otherwise) = otherwise {
                    d.nest("else", |d| d.expr(otherwise));
                }
            }),
            ExprKind::Unsupported(unsupported) => self.unsupported(unsupported),
        }
    }
}

fn type_text(ty: &TypeName) -> String {
    let tag = match ty.tag {
        Some(TypeTag::Struct) => "struct ",
        Some(TypeTag::Union) => "union ",
        Some(TypeTag::Enum) => "enum ",
        None => "",
    };
    let pointers = "*".repeat(ty.pointers as usize);
    let array = match ty.array {
        Some(Some(size)) => format!("[{size}]"),
        Some(None) => "[]".to_owned(),
        None => String::new(),
    };
    let name = match &ty.of {
        Some(of) => format!("typeof({})", crate::format::measured(of)),
        None => ty.name.clone(),
    };
    format!("{tag}{name}{pointers}{array}")
}

fn quote(bytes: &[u8]) -> String {
    let mut out = "\"".to_owned();
    write_string(bytes, &mut out);
    out.push('"');
    out
}
