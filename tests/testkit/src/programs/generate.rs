//! Makes programs: each well-typed, and of statements that find mistakes.

mod expressions;
mod structures;

use self::expressions::boxed;
use super::Features;
use super::ast::{
    Binary, Content, Conversion, Expr, GATHERERS, I64, Kind, Map, Probe, Script, Stmt, Type,
    Variable,
};
use crate::random::Random;

const ARITHMETIC: [Binary; 10] = [
    Binary::Add,
    Binary::Sub,
    Binary::Mul,
    Binary::Div,
    Binary::Mod,
    Binary::And,
    Binary::Or,
    Binary::Xor,
    Binary::Shl,
    Binary::Shr,
];
const COMPARISONS: [Binary; 6] = [
    Binary::Eq,
    Binary::Ne,
    Binary::Lt,
    Binary::Le,
    Binary::Gt,
    Binary::Ge,
];
const WIDTHS: [u32; 4] = [1, 2, 4, 8];
const WORDS: [&str; 9] = [
    "",
    "a",
    "b",
    "ab",
    "abc",
    "abcabc",
    "one two",
    "Z",
    "0123456789",
];
/// Loops in loops.
const MAX_LOOPS: u32 = 2;

/// A variable that can be seen.
#[derive(Clone, Debug)]
struct Seen {
    variable: Variable,
    ty: Type,
    /// Only read: what a loop counts in.
    fixed: bool,
}

struct Generator {
    random: Random,
    features: Features,
    script: Script,
    seen: Vec<Seen>,
    next_variable: Variable,
    loops: u32,
    /// In a probe that interrupts: it is not left before its end, and makes no elements, since the kernel may have none there.
    interrupts: bool,
    /// Inside a macro: how many parameters there are, all of which are integers. Nothing else is known there.
    parameters: usize,
}

/// The program of a seed.
pub fn program(seed: u64, features: Features) -> Script {
    let mut generator = Generator {
        random: Random::new(seed),
        features,
        script: Script::default(),
        seen: Vec::new(),
        next_variable: 0,
        loops: 0,
        interrupts: false,
        parameters: 0,
    };
    generator.structures();
    generator.maps();
    generator.macros();
    let probes = 1 + generator.random.below(3);
    for _ in 0..probes {
        let kind = match generator.chance(4) {
            true => Kind::End,
            false => Kind::Begin,
        };
        generator.probe(kind);
    }
    if generator.chance(4) {
        generator.probe(Kind::Once);
    }
    // Whatever the others do, there is a BEGIN, and each map is assigned.
    generator.probe(Kind::Begin);
    generator.seen.clear();
    generator.interrupts = false;
    for map in 0..generator.script.maps.len() {
        let stmt = generator.assign(map);
        generator.script.probes[0].body.push(stmt);
    }
    generator.script
}

impl Generator {
    fn chance(&mut self, of: u64) -> bool {
        self.random.below(of) == 0
    }

    fn maps(&mut self) {
        let count = 3 + self.random.below(4);
        for _ in 0..count {
            let content = match self.random.below(15) {
                number @ 0..6 => {
                    let signed = number == 0 || !self.chance(4);
                    Content::Gathered(GATHERERS[number as usize], signed)
                }
                12 | 13 => self.histogram(),
                6 => Content::Plain(Type::Text),
                7 => Content::Plain(self.tuple_type()),
                8 | 9 => Content::Plain(self.composite_type()),
                _ => Content::Plain(I64),
            };
            let key = match self.random.below(6) {
                5 => self.composite_as_key(),
                0 => Vec::new(),
                1 => vec![Type::Text],
                2 => vec![I64, Type::Text],
                3 => vec![Type::Bool, I64],
                _ => vec![I64],
            };
            self.script.maps.push(Map { key, content });
        }
    }

    fn macros(&mut self) {
        for _ in 0..self.random.below(3) {
            self.parameters = 1 + self.random.below(2) as usize;
            let value = self.any_int(2);
            let value = Expr::Cast(8, true, boxed(value));
            self.script.macros.push((self.parameters, value));
            self.parameters = 0;
        }
    }

    fn probe(&mut self, kind: Kind) {
        self.seen.clear();
        self.interrupts = kind == Kind::Once;
        let predicate = kind != Kind::Once && self.chance(4);
        let predicate = predicate.then(|| self.condition(1));
        let count = 4 + self.random.below(10);
        let mut body = Vec::new();
        for _ in 0..count {
            body.push(self.stmt(2));
        }
        // What is left in variables is seen.
        for seen in self.seen.clone() {
            body.push(Stmt::Print(Expr::Variable(seen.variable)));
        }
        self.script.probes.push(Probe {
            kind,
            predicate,
            body,
        });
    }

    fn tuple_type(&mut self) -> Type {
        let count = 2 + self.random.below(2);
        Type::Tuple((0..count).map(|_| self.item_type(1)).collect())
    }

    fn item_type(&mut self, depth: u32) -> Type {
        match self.random.below(7) {
            6 => match depth {
                0 => self.structure_or_number(),
                _ => self.composite_type(),
            },
            0 => Type::Text,
            1 => Type::Bool,
            2 if depth > 0 => Type::Tuple(vec![I64, self.item_type(depth - 1)]),
            3 => Type::Int {
                bytes: self.random.one_of(&WIDTHS),
                signed: self.chance(2),
            },
            _ => I64,
        }
    }

    fn any_type(&mut self) -> Type {
        match self.random.below(11) {
            0 => Type::Text,
            1 => Type::Bool,
            2 => self.tuple_type(),
            8 => self.structure_or_number(),
            9 | 10 => self.composite_type(),
            3 | 4 => Type::Int {
                bytes: self.random.one_of(&WIDTHS),
                signed: self.chance(2),
            },
            _ => I64,
        }
    }

    /// A variable in sight that fits.
    fn variable(&mut self, fits: impl Fn(&Seen) -> bool) -> Option<Seen> {
        let fitting: Vec<&Seen> = self.seen.iter().filter(|seen| fits(seen)).collect();
        match fitting.len() as u64 {
            0 => None,
            count => Some(fitting[self.random.below(count) as usize].clone()),
        }
    }

    fn fresh(&mut self, ty: Type, fixed: bool) -> Variable {
        let variable = self.next_variable;
        self.next_variable += 1;
        self.seen.push(Seen {
            variable,
            ty,
            fixed,
        });
        variable
    }

    /// A map that fits, by its number.
    fn map(&mut self, fits: impl Fn(&Map) -> bool) -> Option<usize> {
        if self.parameters > 0 {
            return None;
        }
        let maps = self.script.maps.iter().enumerate();
        let fitting: Vec<usize> = maps
            .filter(|(_, map)| fits(map))
            .map(|(number, _)| number)
            .collect();
        match fitting.len() as u64 {
            0 => None,
            count => Some(fitting[self.random.below(count) as usize]),
        }
    }

    /// The same, of those that can be written.
    fn written(&mut self, fits: impl Fn(&Map) -> bool) -> Option<usize> {
        let interrupts = self.interrupts;
        self.map(|map| fits(map) && (!interrupts || map.key.is_empty()))
    }

    fn keys(&mut self, map: usize, depth: u32) -> Vec<Expr> {
        let types = self.script.maps[map].key.clone();
        types
            .iter()
            .map(|ty| match *ty {
                // Few different ones, so that they are met again.
                I64 if self.chance(2) => {
                    let number = Expr::Number(self.random.below(4));
                    Expr::Cast(8, true, boxed(number))
                }
                _ => self.value(ty, depth.min(1)),
            })
            .collect()
    }

    /// Statements of their own block.
    fn body(&mut self, depth: u32) -> Vec<Stmt> {
        let seen = self.seen.len();
        let condition = self.condition(1);
        let count = 1 + self.random.below(3);
        let mut body: Vec<Stmt> = (0..count).map(|_| self.stmt(depth)).collect();
        if self.loops > 0 && self.chance(4) {
            let leaves = if self.chance(2) {
                Stmt::Break
            } else {
                Stmt::Continue
            };
            let at = self.random.below(body.len() as u64 + 1) as usize;
            body.insert(
                at.min(body.len()),
                Stmt::If(vec![(condition, vec![leaves])], None),
            );
        }
        self.seen.truncate(seen);
        body
    }

    fn stmt(&mut self, depth: u32) -> Stmt {
        match self.random.below(if depth > 0 { 20 } else { 12 }) {
            0 | 1 => {
                let ty = self.any_type();
                let value = self.value(&ty, 3);
                Stmt::Let(self.fresh(ty, false), value)
            }
            2 => match self.variable(|seen| !seen.fixed) {
                Some(seen) => Stmt::Set(seen.variable, self.value(&seen.ty, 3)),
                None => self.print(),
            },
            3 | 4 => match self.written(|map| matches!(map.content, Content::Plain(_))) {
                Some(map) => self.assign(map),
                None => self.print(),
            },
            5 => match self.variable(|seen| seen.ty == I64 && !seen.fixed) {
                Some(seen) => {
                    let (op, by) = self.change();
                    Stmt::Change(seen.variable, op, by)
                }
                None => self.print(),
            },
            6 => match self.written(|map| map.content == Content::Plain(I64)) {
                Some(map) => {
                    // The key of some of these is evaluated twice, as in bpftrace: nothing may change it.
                    let keys = self.keys(map, 0);
                    let op = self.random.one_of(&ARITHMETIC);
                    let by = Expr::Cast(8, true, boxed(self.any_int(0)));
                    let by = match op {
                        Binary::Div | Binary::Mod => Expr::Number(1 + self.random.below(9)),
                        _ => by,
                    };
                    Stmt::ChangeElement(map, keys, op, by)
                }
                None => self.print(),
            },
            7 | 8 => match self.written(|map| !matches!(map.content, Content::Plain(_))) {
                Some(map) => self.assign(map),
                None => self.print(),
            },
            9 => match self.map(|map| !map.key.is_empty()) {
                Some(map) => Stmt::Discard(Expr::Delete(map, self.keys(map, 1))),
                None => self.print(),
            },
            10 => self.request(),
            11 => self.print(),
            12..=14 => {
                let arms = 1 + self.random.below(2);
                let arms = (0..arms)
                    .map(|_| (self.condition(2), self.body(depth - 1)))
                    .collect();
                let otherwise = self.chance(2).then(|| self.body(depth - 1));
                Stmt::If(arms, otherwise)
            }
            15 => {
                let loops = std::mem::take(&mut self.loops);
                let body = self.body(depth - 1);
                self.loops = loops;
                Stmt::Unroll(1 + self.random.below(3), body)
            }
            16..=18 if self.features.loops && self.loops < MAX_LOOPS => self.one_of_loops(depth),
            19 if !self.interrupts && self.chance(6) => {
                Stmt::If(vec![(self.condition(2), vec![Stmt::Return])], None)
            }
            _ => self.print(),
        }
    }

    /// Gives a map what it holds.
    fn assign(&mut self, map: usize) -> Stmt {
        let content = self.script.maps[map].content.clone();
        let keys = self.keys(map, 1);
        match &content {
            // Nothing would say of what type a map is that takes its values from itself alone.
            Content::Plain(Type::Text) => {
                let (a, b) = (self.text(1), self.word());
                let chosen = Expr::Choice(boxed(self.condition(1)), boxed(a), boxed(b));
                Stmt::SetElement(map, keys, chosen)
            }
            Content::Plain(ty @ (Type::Struct(_) | Type::Array(..) | Type::Record(_))) => {
                let made = self.made(ty, 1);
                let value = match self.chance(2) {
                    true => {
                        let other = self.composite(ty, 2);
                        Expr::Choice(boxed(self.condition(1)), boxed(other), boxed(made))
                    }
                    false => made,
                };
                Stmt::SetElement(map, keys, value)
            }
            Content::Plain(ty) => Stmt::SetElement(map, keys, self.value(ty, 2)),
            Content::Gathered("count", _) => Stmt::Gather(map, keys, content, None),
            Content::Gathered(_, signed) => {
                let bytes = 8;
                let ty = Type::Int {
                    bytes,
                    signed: *signed,
                };
                let value = self.value(&ty, 2);
                Stmt::Gather(map, keys, content, Some(value))
            }
            Content::Hist(_) | Content::Linear { .. } => {
                let value = match self.chance(2) {
                    true => Expr::Cast(8, true, boxed(Expr::Number(self.random.below(20)))),
                    false => self.value(&I64, 2),
                };
                Stmt::Gather(map, keys, content, Some(value))
            }
        }
    }

    fn histogram(&mut self) -> Content {
        if self.chance(2) {
            return Content::Hist(self.random.below(4) as u32);
        }
        let step = 1 + self.random.below(4) as i64;
        let least = self.random.below(6) as i64;
        let most = least + step * (1 + self.random.below(6) as i64);
        Content::Linear { least, most, step }
    }

    /// What user space does with a map.
    fn request(&mut self) -> Stmt {
        let Some(map) = self.map(|_| true) else {
            return self.print();
        };
        let held = &self.script.maps[map];
        let (keyed, top) = (!held.key.is_empty(), Some(self.random.below(4)));
        let number = matches!(&held.content, Content::Plain(ty) if *ty == I64)
            || matches!(held.content, Content::Gathered(..));
        match self.random.below(8) {
            0 => Stmt::Clear(map),
            1 => Stmt::Zero(map),
            2 | 3 if keyed && number => Stmt::PrintMap(map, top, None),
            4 if keyed && number => {
                let div = 1 + self.random.below(5) as i64;
                Stmt::PrintMap(map, top, Some(div))
            }
            _ => Stmt::PrintMap(map, None, None),
        }
    }

    /// A loop over a map. Its elements come in no order, so the body adds up, and uses nothing that it changes.
    fn each(&mut self) -> Option<Stmt> {
        let number = |map: &Map| match &map.content {
            Content::Plain(ty) => *ty == I64,
            Content::Gathered(function, _) => *function != "stats",
            _ => false,
        };
        let map = self.map(|map| !map.key.is_empty() && number(map))?;
        let sum = self.variable(|seen| seen.ty == I64 && !seen.fixed)?;
        let adds =
            |content: &Content| matches!(content, Content::Gathered("count" | "sum" | "max", true));
        let other = self.written(|other| adds(&other.content) && other.key == [I64]);
        let Map { key, content } = self.script.maps[map].clone();
        let key = match &key[..] {
            [one] => one.clone(),
            many => Type::Tuple(many.to_vec()),
        };
        let signed = !matches!(content, Content::Gathered(_, false));
        let value = Type::Int { bytes: 8, signed };
        // Nothing else is in sight.
        let seen = std::mem::take(&mut self.seen);
        let script = std::mem::take(&mut self.script);
        let variable = self.fresh(Type::Tuple(vec![key, value]), true);
        let mut body = Vec::new();
        if self.chance(2) {
            let condition = self.condition(2);
            body.push(Stmt::If(vec![(condition, vec![Stmt::Continue])], None));
        }
        let op = self.random.one_of(&[Binary::Add, Binary::Sub, Binary::Xor]);
        let by = self.value(&I64, 2);
        body.push(Stmt::Change(sum.variable, op, by));
        if let Some(other) = other.filter(|other| *other != map) {
            let key = self.value(&I64, 2);
            let content = script.maps[other].content.clone();
            let counts = matches!(content, Content::Gathered("count", _));
            let value = (!counts).then(|| self.value(&I64, 2));
            body.push(Stmt::Gather(other, vec![key], content, value));
        }
        self.seen = seen;
        self.script = script;
        Some(Stmt::Each(variable, map, body))
    }

    fn one_of_loops(&mut self, depth: u32) -> Stmt {
        if self.chance(3)
            && let Some(each) = self.each()
        {
            return each;
        }
        let (from, to) = (self.random.below(3), self.random.below(6));
        let seen = self.seen.len();
        let variable = self.fresh(I64, true);
        self.loops += 1;
        let body = self.body(depth - 1);
        self.loops -= 1;
        self.seen.truncate(seen);
        match self.chance(2) {
            true => Stmt::While(variable, to, body),
            false => Stmt::Range(variable, Expr::Number(from), Expr::Number(to), body),
        }
    }

    fn change(&mut self) -> (Binary, Expr) {
        let op = self.random.one_of(&ARITHMETIC);
        let by = match op {
            Binary::Div | Binary::Mod => Expr::Number(1 + self.random.below(9)),
            _ => self.value(&I64, 2),
        };
        (op, by)
    }

    fn conversion(&mut self) -> Conversion {
        let kinds = ['d', 'u', 'x', 'X', 'o', 'c', 's', 's', 'i'];
        let kind = self.random.one_of(&kinds);
        let number = kind != 's' && kind != 'c';
        let signed = kind == 'd' || kind == 'i';
        let based = matches!(kind, 'x' | 'X' | 'o');
        let left = self.chance(3);
        let precise = kind != 'c' && self.chance(4);
        let lengths = match number {
            true => &["", "", "", "hh", "h", "l", "ll"][..],
            false => &[""],
        };
        Conversion {
            left,
            zero: number && !left && self.chance(3),
            plus: signed && self.chance(4),
            blank: signed && self.chance(4),
            other: based && self.chance(3),
            width: self.random.below(12) as usize,
            precision: precise.then(|| self.random.below(6) as usize),
            length: self.random.one_of(lengths),
            kind,
        }
    }

    fn print(&mut self) -> Stmt {
        if self.chance(2) {
            let ty = self.any_type();
            return Stmt::Print(match ty {
                // A bare map would be printed as one.
                Type::Int { .. } => match self.any_int(3) {
                    map @ Expr::Element(..) => Expr::Cast(8, true, boxed(map)),
                    other => other,
                },
                _ => match self.value(&ty, 3) {
                    map @ Expr::Element(..) => Expr::Block(Vec::new(), boxed(map)),
                    other => other,
                },
            });
        }
        let count = 1 + self.random.below(4);
        let parts = (0..count).map(|_| {
            let conversion = self.conversion();
            let kind = conversion.kind;
            let value = match kind {
                'c' => Expr::Number(b'a' as u64 + self.random.below(26)),
                // The precision is of text alone.
                's' if conversion.precision.is_some() => self.text(2),
                's' => {
                    let ty = self.any_type();
                    self.value(&ty, 2)
                }
                _ => self.any_int(2),
            };
            let text = self.random.one_of(&["", " ", "x=", ": "]).to_owned();
            (text, conversion, value)
        });
        Stmt::Printf(parts.collect())
    }
}
