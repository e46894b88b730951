//! A part of the language as a tree, and its text.

use super::memory::{Structure, named, shape};
use std::fmt;
use std::rc::Rc;

/// The type of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    Int {
        bytes: u32,
        signed: bool,
    },
    Bool,
    Text,
    Tuple(Vec<Type>),
    /// A tuple with names.
    Record(Vec<(&'static str, Type)>),
    /// Text in a structure, with so many bytes.
    Chars(u32),
    /// Of integers, or of what a structure may have.
    Array(Box<Type>, u32),
    Struct(Rc<Structure>),
}

pub const I64: Type = Type::Int {
    bytes: 8,
    signed: true,
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    Minus,
    Complement,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    And,
    Or,
    Xor,
    Shl,
    Shr,
    Lt,
    Gt,
    Le,
    Ge,
    Eq,
    Ne,
}

/// The functions that gather values in maps.
pub const GATHERERS: [&str; 6] = ["count", "sum", "min", "max", "avg", "stats"];

/// What a map holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Plain(Type),
    /// What a function gathers of numbers, signed or not.
    Gathered(&'static str, bool),
    /// `hist(n, bits)`
    Hist(u32),
    /// `lhist(n, least, most, step)`
    Linear {
        least: i64,
        most: i64,
        step: i64,
    },
}

/// A map: `@m0`, `@m1`, … by their index.
#[derive(Clone, Debug)]
pub struct Map {
    pub key: Vec<Type>,
    pub content: Content,
}

/// `$v0`, `$v1`, …
pub type Variable = usize;

#[derive(Clone, Debug)]
pub enum Expr {
    Number(u64),
    Bool(bool),
    Text(String),
    Variable(Variable),
    Element(usize, Vec<Expr>),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `&&`, or else `||`
    Logical(bool, Box<Expr>, Box<Expr>),
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `if (a) { … b } else { … c }`, as a value.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `a ?: b`
    Elvis(Box<Expr>, Box<Expr>),
    Cast(u32, bool, Box<Expr>),
    Tuple(Vec<Expr>),
    /// `(a = 1, b = 2)`
    Record(Vec<(&'static str, Expr)>),
    /// A number's bytes as an array.
    Bytes(Type, Box<Expr>),
    Item(Box<Expr>, usize),
    /// A part of a record.
    Named(Box<Expr>, &'static str),
    /// What is in the memory of a variable, as a structure.
    View(Rc<Structure>, Variable),
    /// A member of it, by its number.
    Through(Rc<Structure>, Variable, usize),
    /// A member of a value.
    Member(Box<Expr>, Rc<Structure>, usize),
    Index(Box<Expr>, Box<Expr>),
    Step {
        variable: Variable,
        up: bool,
        prefix: bool,
    },
    Strlen(Box<Expr>),
    Strncmp(Box<Expr>, Box<Expr>, u64),
    Strcontains(Box<Expr>, Box<Expr>),
    /// `str(text, limit)`
    Beginning(Box<Expr>, Box<Expr>),
    Bswap(Box<Expr>),
    HasKey(usize, Vec<Expr>),
    Delete(usize, Vec<Expr>),
    Len(usize),
    Block(Vec<Stmt>, Box<Expr>),
    /// A call of the macro of that number.
    Macro(usize, Vec<Expr>),
    /// What a macro was given.
    Parameter(usize),
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Let(Variable, Expr),
    Set(Variable, Expr),
    SetElement(usize, Vec<Expr>, Expr),
    /// `$v += e`
    Change(Variable, Binary, Expr),
    /// `@m[k] += e`
    ChangeElement(usize, Vec<Expr>, Binary, Expr),
    /// `@m[k] = sum(e)`
    Gather(usize, Vec<Expr>, Content, Option<Expr>),
    /// `print(@m, top, div)`
    PrintMap(usize, Option<u64>, Option<i64>),
    Clear(usize),
    Zero(usize),
    If(Vec<(Expr, Vec<Stmt>)>, Option<Vec<Stmt>>),
    Unroll(u64, Vec<Stmt>),
    /// Counts in a variable that is set to 0 before.
    While(Variable, u64, Vec<Stmt>),
    Range(Variable, Expr, Expr, Vec<Stmt>),
    /// The elements of a map, in no order, so that the body must not depend on one.
    Each(Variable, usize, Vec<Stmt>),
    Break,
    Continue,
    Return,
    Print(Expr),
    Printf(Vec<(String, Conversion, Expr)>),
    Discard(Expr),
}

/// `%-5d`
#[derive(Clone, Copy, Debug, Default)]
pub struct Conversion {
    pub left: bool,
    pub zero: bool,
    pub plus: bool,
    pub blank: bool,
    /// `#`
    pub other: bool,
    pub width: usize,
    pub precision: Option<usize>,
    /// `hh`, `h`, `l`, `ll` or nothing
    pub length: &'static str,
    pub kind: char,
}

/// When a probe runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Begin,
    /// `interval`, of which there is one: it runs once and ends tracing.
    Once,
    End,
}

#[derive(Clone, Debug)]
pub struct Probe {
    pub kind: Kind,
    pub predicate: Option<Expr>,
    pub body: Vec<Stmt>,
}

#[derive(Clone, Debug, Default)]
pub struct Script {
    pub structures: Vec<Rc<Structure>>,
    pub maps: Vec<Map>,
    /// How many parameters each has, and what it stands for.
    pub macros: Vec<(usize, Expr)>,
    pub probes: Vec<Probe>,
}

impl Binary {
    pub fn symbol(self) -> &'static str {
        match self {
            Binary::Add => "+",
            Binary::Sub => "-",
            Binary::Mul => "*",
            Binary::Div => "/",
            Binary::Mod => "%",
            Binary::And => "&",
            Binary::Or => "|",
            Binary::Xor => "^",
            Binary::Shl => "<<",
            Binary::Shr => ">>",
            Binary::Eq => "==",
            Binary::Ne => "!=",
            Binary::Lt => "<",
            Binary::Le => "<=",
            Binary::Gt => ">",
            Binary::Ge => ">=",
        }
    }

    pub fn compares(self) -> bool {
        matches!(
            self,
            Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge
        )
    }
}

struct List<'a>(&'a [Expr]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{item}")?;
        }
        Ok(())
    }
}

/// The key of a call: several are a tuple.
struct Key<'a>(&'a [Expr]);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [one] => write!(f, "{one}"),
            many => write!(f, "({})", List(many)),
        }
    }
}

/// What is between the braces of a block.
struct Inner<'a>(&'a Expr);

impl fmt::Display for Inner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Expr::Block(body, value) = self.0 else {
            return write!(f, "{}", self.0);
        };
        for stmt in body {
            write!(f, "{stmt} ")?;
        }
        write!(f, "{value}")
    }
}

struct Element<'a>(usize, &'a [Expr]);

impl fmt::Display for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            [] => write!(f, "@m{}", self.0),
            keys => write!(f, "@m{}[{}]", self.0, List(keys)),
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Number(number) => write!(f, "{number}"),
            Expr::Bool(set) => write!(f, "{set}"),
            Expr::Text(text) => write!(f, "\"{text}\""),
            Expr::Variable(number) => write!(f, "$v{number}"),
            Expr::Element(map, keys) => write!(f, "{}", Element(*map, keys)),
            Expr::Unary(Unary::Minus, of) => write!(f, "(-{of})"),
            Expr::Unary(Unary::Complement, of) => write!(f, "(~{of})"),
            Expr::Unary(Unary::Not, of) => write!(f, "(!{of})"),
            Expr::Binary(op, a, b) => write!(f, "({a} {} {b})", op.symbol()),
            Expr::Logical(true, a, b) => write!(f, "({a} && {b})"),
            Expr::Logical(false, a, b) => write!(f, "({a} || {b})"),
            Expr::Choice(when, a, b) => write!(f, "({when} ? {a} : {b})"),
            Expr::If(when, a, b) => {
                write!(
                    f,
                    "(if ({when}) {{ {} }} else {{ {} }})",
                    Inner(a),
                    Inner(b)
                )
            }
            Expr::Elvis(a, b) => write!(f, "({a} ?: {b})"),
            Expr::Cast(bytes, signed, of) => {
                let sign = if *signed { "" } else { "u" };
                write!(f, "({sign}int{}){of}", bytes * 8)
            }
            Expr::Tuple(items) => write!(f, "({})", List(items)),
            Expr::Record(items) => {
                let items = items
                    .iter()
                    .map(|(name, value)| format!("{name} = {value}"));
                write!(f, "({})", items.collect::<Vec<_>>().join(", "))
            }
            Expr::Bytes(ty, number) => {
                let Type::Array(element, count) = ty else {
                    panic!("not an array: {ty:?}");
                };
                let (Type::Int { bytes, signed }, total) = (&**element, shape(ty).0) else {
                    panic!("an array of no numbers: {ty:?}");
                };
                let sign = if *signed { "" } else { "u" };
                write!(
                    f,
                    "({sign}int{}[{count}])(uint{}){number}",
                    8 * bytes,
                    8 * total
                )
            }
            Expr::Item(of, index) => write!(f, "{of}.{index}"),
            Expr::Named(of, name) => write!(f, "{of}.{name}"),
            Expr::View(structure, variable) => {
                let ty = named(&Type::Struct(structure.clone()));
                write!(f, "*({ty} *)&$v{variable}")
            }
            Expr::Through(structure, variable, index) => {
                let ty = named(&Type::Struct(structure.clone()));
                let member = &structure.members[*index].name;
                write!(f, "(({ty} *)&$v{variable})->{member}")
            }
            Expr::Member(of, structure, index) => {
                write!(f, "{of}.{}", structure.members[*index].name)
            }
            Expr::Index(of, index) => write!(f, "{of}[{index}]"),
            Expr::Step {
                variable,
                up,
                prefix,
            } => {
                let sign = if *up { "++" } else { "--" };
                match prefix {
                    true => write!(f, "({sign}$v{variable})"),
                    false => write!(f, "($v{variable}{sign})"),
                }
            }
            Expr::Strlen(text) => write!(f, "strlen({text})"),
            Expr::Strncmp(a, b, count) => write!(f, "strncmp({a}, {b}, {count})"),
            Expr::Strcontains(a, b) => write!(f, "strcontains({a}, {b})"),
            Expr::Beginning(text, limit) => write!(f, "str({text}, {limit})"),
            Expr::Bswap(of) => write!(f, "bswap({of})"),
            Expr::HasKey(map, keys) => write!(f, "has_key(@m{map}, {})", Key(keys)),
            Expr::Delete(map, keys) => write!(f, "delete(@m{map}, {})", Key(keys)),
            Expr::Len(map) => write!(f, "len(@m{map})"),
            Expr::Block(..) => write!(f, "({{ {} }})", Inner(self)),
            Expr::Macro(number, given) => write!(f, "mix{number}({})", List(given)),
            Expr::Parameter(number) => write!(f, "p{number}"),
        }
    }
}

fn block(f: &mut fmt::Formatter<'_>, body: &[Stmt]) -> fmt::Result {
    writeln!(f, "{{")?;
    for stmt in body {
        writeln!(f, "{stmt}")?;
    }
    write!(f, "}}")
}

impl fmt::Display for Stmt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stmt::Let(variable, value) => write!(f, "let $v{variable} = {value};"),
            Stmt::Set(variable, value) => write!(f, "$v{variable} = {value};"),
            Stmt::SetElement(map, keys, value) => write!(f, "{} = {value};", Element(*map, keys)),
            Stmt::Change(variable, op, by) => write!(f, "$v{variable} {}= {by};", op.symbol()),
            Stmt::ChangeElement(map, keys, op, by) => {
                write!(f, "{} {}= {by};", Element(*map, keys), op.symbol())
            }
            Stmt::Gather(map, keys, content, value) => {
                let element = Element(*map, keys);
                match (content, value) {
                    (Content::Gathered(function, _), None) => {
                        write!(f, "{element} = {function}();")
                    }
                    (Content::Gathered(function, _), Some(value)) => {
                        write!(f, "{element} = {function}({value});")
                    }
                    (Content::Hist(0), Some(value)) => write!(f, "{element} = hist({value});"),
                    (Content::Hist(bits), Some(value)) => {
                        write!(f, "{element} = hist({value}, {bits});")
                    }
                    (Content::Linear { least, most, step }, Some(value)) => {
                        write!(f, "{element} = lhist({value}, {least}, {most}, {step});")
                    }
                    other => panic!("{other:?} gathers nothing"),
                }
            }
            Stmt::PrintMap(map, None, _) => write!(f, "print(@m{map});"),
            Stmt::PrintMap(map, Some(top), None) => write!(f, "print(@m{map}, {top});"),
            Stmt::PrintMap(map, Some(top), Some(div)) => {
                write!(f, "print(@m{map}, {top}, {div});")
            }
            Stmt::Clear(map) => write!(f, "clear(@m{map});"),
            Stmt::Zero(map) => write!(f, "zero(@m{map});"),
            Stmt::If(arms, otherwise) => {
                for (index, (condition, body)) in arms.iter().enumerate() {
                    let word = if index > 0 { " else if" } else { "if" };
                    write!(f, "{word} ({condition}) ")?;
                    block(f, body)?;
                }
                if let Some(body) = otherwise {
                    write!(f, " else ")?;
                    block(f, body)?;
                }
                Ok(())
            }
            Stmt::Unroll(times, body) => {
                write!(f, "unroll ({times}) ")?;
                block(f, body)
            }
            Stmt::While(variable, limit, body) => {
                writeln!(f, "let $v{variable} = 0;")?;
                writeln!(f, "while ($v{variable} < {limit}) {{\n$v{variable}++;")?;
                for stmt in body {
                    writeln!(f, "{stmt}")?;
                }
                write!(f, "}}")
            }
            Stmt::Range(variable, from, to, body) => {
                write!(f, "for ($v{variable} : {from}..{to}) ")?;
                block(f, body)
            }
            Stmt::Each(variable, map, body) => {
                write!(f, "for ($v{variable} : @m{map}) ")?;
                block(f, body)
            }
            Stmt::Break => write!(f, "break;"),
            Stmt::Continue => write!(f, "continue;"),
            Stmt::Return => write!(f, "return;"),
            Stmt::Print(value) => write!(f, "print({value});"),
            Stmt::Printf(parts) => {
                write!(f, "printf(\"")?;
                for (text, conversion, _) in parts {
                    write!(f, "{text}{conversion}")?;
                }
                write!(f, "\\n\"")?;
                for (_, _, value) in parts {
                    write!(f, ", {value}")?;
                }
                write!(f, ");")
            }
            Stmt::Discard(value) => write!(f, "_ = {value};"),
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for structure in &self.structures {
            write!(f, "{structure}")?;
        }
        for (number, (count, value)) in self.macros.iter().enumerate() {
            let names: Vec<String> = (0..*count).map(|index| format!("p{index}")).collect();
            writeln!(f, "macro mix{number}({}) {{ {value} }}", names.join(", "))?;
        }
        for probe in &self.probes {
            f.write_str(match probe.kind {
                Kind::Begin => "BEGIN ",
                // Its name is behind those of the others, as maps are printed.
                Kind::Once => "interval:ms:1 /@once == 0/ {\n@once = 1;\nif (true) ",
                Kind::End => "END ",
            })?;
            if let Some(predicate) = &probe.predicate {
                write!(f, "/{predicate}/ ")?;
            }
            block(f, &probe.body)?;
            if probe.kind == Kind::Once {
                write!(f, "\nexit();\n}}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = [
            (self.left, '-'),
            (self.zero, '0'),
            (self.plus, '+'),
            (self.blank, ' '),
            (self.other, '#'),
        ];
        let set = flags.iter().filter(|(set, _)| *set);
        let flags: String = set.map(|(_, flag)| flag).collect();
        let width = match self.width {
            0 => String::new(),
            width => width.to_string(),
        };
        let precision = self.precision.map(|most| format!(".{most}"));
        let precision = precision.unwrap_or_default();
        write!(f, "%{flags}{width}{precision}{}{}", self.length, self.kind)
    }
}
