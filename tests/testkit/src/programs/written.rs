//! The text of a program.

use super::ast::{
    Content, Conversion, Expr, Given, Kind, Macro, Param, Script, Settings, Stmt, Type, Unary,
};
use super::memory::{named, shape};
use std::fmt;

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

/// A literal.
struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"")?;
        for byte in self.0 {
            match byte {
                b'"' | b'\\' => write!(f, "\\{}", char::from(*byte))?,
                b'\n' => write!(f, "\\n")?,
                b'\t' => write!(f, "\\t")?,
                b' '..=b'~' => write!(f, "{}", char::from(*byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        write!(f, "\"")
    }
}

/// The name of a type.
fn integer(bytes: u32, signed: bool) -> String {
    let sign = if signed { "" } else { "u" };
    format!("{sign}int{}", 8 * bytes)
}

/// A call of a macro.
struct Call<'a>(usize, &'a [Given]);

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = self.1.iter().map(|given| match given {
            Given::Value(value) => value.to_string(),
            Given::Variable(variable) => format!("$v{variable}"),
            Given::Map(map) => format!("@m{map}"),
        });
        let given = given.collect::<Vec<_>>().join(", ");
        write!(f, "mix{}({given})", self.0)
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
            Expr::Text(text) => write!(f, "{}", Quoted(text)),
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
                write!(f, "({}){of}", integer(*bytes, *signed))
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
            Expr::Concat(a, b) => write!(f, "str_concat({a}, {b})"),
            Expr::Strstr(a, b) => write!(f, "strstr({a}, {b})"),
            Expr::Memcmp(a, b, count) => write!(f, "memcmp({a}, {b}, {count})"),
            Expr::Strcap(text) => write!(f, "strcap({})", Quoted(text)),
            Expr::MaxStrlen(written) => f.write_str(written),
            Expr::Buffer(text, length) => write!(f, "buf({text}, {length})"),
            Expr::Bswap(of) => write!(f, "bswap({of})"),
            Expr::HasKey(map, keys) => write!(f, "has_key(@m{map}, {})", Key(keys)),
            Expr::Delete(map, keys) => write!(f, "delete(@m{map}, {})", Key(keys)),
            Expr::Len(map) => write!(f, "len(@m{map})"),
            Expr::Block(..) => write!(f, "({{ {} }})", Inner(self)),
            Expr::Macro(number, given) => write!(f, "{}", Call(*number, given)),
            Expr::Parameter(number) => write!(f, "p{number}"),
            Expr::SizeOfType(ty) => match ty {
                Type::Int { bytes, signed } => write!(f, "sizeof({})", integer(*bytes, *signed)),
                Type::Array(_, count) => write!(f, "sizeof({}[{count}])", named(ty)),
                other => write!(f, "sizeof({})", named(other)),
            },
            Expr::SizeOf(of, _) => write!(f, "sizeof({of})"),
            Expr::OffsetOf(structure, index) => {
                let ty = named(&Type::Struct(structure.clone()));
                write!(f, "offsetof({ty}, {})", structure.members[*index].name)
            }
            Expr::Like(variable, _, _, of) => write!(f, "(typeof($v{variable})){of}"),
            Expr::Find(map, keys, variable) => {
                write!(f, "find(@m{map}, {}, $v{variable})", Key(keys))
            }
            Expr::Is(what, of) => write!(f, "is_{what}({of})"),
            Expr::IsErr(of) => write!(f, "is_err({of})"),
            Expr::Behind(variable) => write!(f, "(*&$v{variable})"),
            Expr::Address(variable) => write!(f, "&$v{variable}"),
            Expr::Star("", pointer) => write!(f, "(*$v{pointer})"),
            Expr::Star(mark, pointer) => write!(f, "(*{mark}($v{pointer}))"),
            Expr::Contained {
                structure,
                variable,
                by,
                member,
            } => {
                let ty = named(&Type::Struct(structure.clone()));
                let (by, member) = (
                    &structure.members[*by].name,
                    &structure.members[*member].name,
                );
                let at = format!("(uint64)&$v{variable} + offsetof({ty}, {by})");
                write!(f, "container_of({at}, typeof({ty}), {by})->{member}")
            }
            Expr::Pton([a, b, c, d]) => write!(f, "pton(\"{a}.{b}.{c}.{d}\")"),
            Expr::Ntop(of) => write!(f, "ntop({of})"),
            Expr::Macaddr(variable) => write!(f, "macaddr(&$v{variable})"),
            Expr::Called(function, number, _) => write!(f, "{function}({number})"),
            Expr::Fact(written) => write!(f, "({written})"),
            Expr::BehindElement(map, keys) => write!(f, "(*&{})", Element(*map, keys)),
            Expr::Within {
                variable,
                bytes,
                signed,
                at,
                indexed,
            } => {
                let ty = integer(*bytes, *signed);
                match indexed {
                    true => write!(f, "(({ty} *)&$v{variable})[{at}]"),
                    false => write!(f, "(*(({ty} *)&$v{variable} + {at}))"),
                }
            }
            Expr::Option(default) => write!(f, "getopt(\"unset{default}\", {default})"),
            Expr::NoParameter(written) => f.write_str(written),
        }
    }
}

/// Statements; where they are not even checked, with one that would not compile.
fn branch(f: &mut fmt::Formatter<'_>, body: &[Stmt], checked: bool) -> fmt::Result {
    match checked {
        true => block(f, body),
        false => f.write_str("{ print(\"a\".there); fail(\"not checked\"); }"),
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
            Stmt::Declare(variable, (bytes, signed), like, value) => {
                match like {
                    Some(like) => write!(f, "let $v{variable}: typeof($v{like})")?,
                    None => write!(f, "let $v{variable}: {}", integer(*bytes, *signed))?,
                }
                match value {
                    Some(value) => write!(f, " = {value};"),
                    None => write!(f, ";"),
                }
            }
            Stmt::Call(number, given) => write!(f, "{};", Call(*number, given)),
            Stmt::Assert("assert_str", text) => write!(f, "assert_str({text});"),
            Stmt::Assert("assert", condition) => {
                write!(f, "assert(({condition} || true), \"it holds\");")
            }
            Stmt::Assert(function, condition) => {
                write!(f, "{function}({condition}, \"it holds\");")
            }
            Stmt::Fixed(written, _) => f.write_str(written),
            Stmt::Said(function, value) => write!(f, "{function}(\"said: %d\", {value});"),
            Stmt::Comptime(condition, holds, body) => {
                write!(f, "if comptime ({condition}) ")?;
                let (first, second): (&[Stmt], &[Stmt]) = match holds {
                    true => (body, &[]),
                    false => (&[], body),
                };
                branch(f, first, *holds)?;
                write!(f, " else ")?;
                branch(f, second, !*holds)
            }
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
        if let Some(settings) = &self.settings {
            writeln!(f, "{settings}")?;
        }
        for structure in &self.structures {
            write!(f, "{structure}")?;
        }
        for (
            number,
            Macro {
                params,
                body,
                value,
                ..
            },
        ) in self.macros.iter().enumerate()
        {
            let params = params.iter().enumerate();
            let params = params.map(|(index, param)| match param {
                Param::Value(_) => format!("p{index}"),
                Param::Variable(variable, _) => format!("$v{variable}"),
                Param::Map(map) => format!("@m{map}"),
            });
            let params = params.collect::<Vec<_>>().join(", ");
            write!(f, "macro mix{number}({params}) {{ ")?;
            for stmt in body {
                writeln!(f, "{stmt}")?;
            }
            match value {
                Some(value) => writeln!(f, "{value} }}")?,
                None => writeln!(f, "}}")?,
            }
        }
        let mut ends = Vec::new();
        for probe in &self.probes {
            match probe.kind {
                Kind::Begin if probe.predicate.is_some() => write!(f, "begin ")?,
                Kind::Begin => write!(f, "BEGIN ")?,
                Kind::Signal => write!(f, "self:signal:SIGUSR1 ")?,
                Kind::End if probe.predicate.is_some() => write!(f, "end ")?,
                Kind::End => write!(f, "END ")?,
                Kind::Once | Kind::Apart(_) => {
                    let once = once(probe.kind).expect("it is an interval");
                    write!(f, "interval:ms:1 /{once} == 0/ {{\n{once} = 1;\nif (true) ")?;
                    ends.push(once);
                }
            }
            if let Some(predicate) = &probe.predicate {
                write!(f, "/{predicate}/ ")?;
            }
            block(f, &probe.body)?;
            if let Some(once) = once(probe.kind) {
                write!(f, "\n{once} = 2;\n}}")?;
            }
            writeln!(f)?;
        }
        if !ends.is_empty() {
            let over: Vec<String> = ends.iter().map(|once| format!("{once} == 2")).collect();
            writeln!(f, "interval:ms:1 /{}/ {{ exit(); }}", over.join(" && "))?;
        }
        if self.probes.iter().any(|probe| probe.kind == Kind::Signal) {
            writeln!(f, "self:signal:SIGUSR1 {{ exit(); }}")?;
            writeln!(f, "BEGIN {{ system(\"kill -USR1 %d\", pid); }}")?;
        }
        Ok(())
    }
}

/// The map that says how far an interval is. Its name is behind those of the others, as maps are printed.
pub(super) fn once(kind: Kind) -> Option<String> {
    match kind {
        Kind::Once => Some("@once".to_owned()),
        Kind::Apart(number) => Some(format!("@once{number}")),
        Kind::Begin | Kind::Signal | Kind::End => None,
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings {
            max_strlen,
            trailer,
            prints,
            other,
        } = self;
        write!(f, "config = {{ max_strlen = {max_strlen}; ")?;
        write!(f, "str_trunc_trailer = \"{trailer}\"; ")?;
        write!(f, "print_maps_on_exit = {prints}; {other} }}")
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
        match self.kind {
            // What forms bytes stands behind.
            'r' => write!(f, "%{flags}{width}r{}", self.length),
            kind => write!(f, "%{flags}{width}{precision}{}{kind}", self.length),
        }
    }
}
