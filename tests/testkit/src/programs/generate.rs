//! Makes programs: each well-typed, and of statements that find mistakes.

mod constants;
mod expressions;
mod fixed;
mod macros;
mod output;
mod statements;
mod strings;
mod structures;

use self::expressions::boxed;
use super::Features;
use super::ast::{
    Binary, Content, Expr, GATHERERS, I64, Kind, Map, Param, Probe, Script, Stmt, Type, Variable,
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
    /// With a width that all values are cut to.
    declared: bool,
}

struct Generator {
    random: Random,
    features: Features,
    script: Script,
    seen: Vec<Seen>,
    next_variable: Variable,
    loops: u32,
    /// Whether `break` and `continue` have a loop that they leave.
    leaves: bool,
    /// Whether `return` has a probe that it leaves.
    returns: bool,
    /// Whether the order of statements is known, so that blocks may do more than compute.
    ordered: bool,
    /// Whether an expression is evaluated more often than it is written.
    repeated: bool,
    kind: Kind,
    /// In a probe that interrupts: it is not left before its end, and makes no elements, since the kernel may have none there.
    interrupts: bool,
    /// What the macro takes that is being written. Nothing else is known there.
    params: Option<Vec<Param>>,
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
        leaves: false,
        returns: true,
        ordered: true,
        repeated: false,
        kind: Kind::Begin,
        interrupts: false,
        params: None,
    };
    generator.settings();
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
    let apart = generator.script.maps.iter().any(|map| map.owner.is_some());
    if apart {
        generator.probe(Kind::Apart(0));
        generator.probe(Kind::Apart(1));
    }
    if generator.chance(4) {
        generator.probe(Kind::Once);
    } else if !apart && generator.chance(6) {
        generator.probe(Kind::Signal);
    }
    // Whatever the others do, there is a BEGIN, and each map is assigned.
    generator.probe(Kind::Begin);
    generator.seen.clear();
    generator.interrupts = false;
    for map in 0..generator.script.maps.len() {
        if let Some(owner) = generator.script.maps[map].owner {
            generator.kind = Kind::Apart(owner);
            let stmt = generator.assign(map);
            let probes = &mut generator.script.probes;
            let own = probes
                .iter_mut()
                .find(|probe| probe.kind == Kind::Apart(owner));
            own.expect("the interval is there").body.push(stmt);
            continue;
        }
        generator.kind = Kind::Begin;
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
            let owner = None;
            self.script.maps.push(Map {
                key,
                content,
                owner,
            });
        }
        // Intervals come in any order, so that each has maps of its own.
        if self.chance(5) {
            for owner in 0..2 {
                for _ in 0..2 {
                    let content = match self.chance(2) {
                        true => Content::Plain(I64),
                        false => Content::Gathered(self.random.one_of(&GATHERERS[..5]), true),
                    };
                    self.script.maps.push(Map {
                        key: Vec::new(),
                        content,
                        owner: Some(owner),
                    });
                }
            }
        }
    }

    fn probe(&mut self, kind: Kind) {
        self.seen.clear();
        self.kind = kind;
        self.interrupts = matches!(kind, Kind::Once | Kind::Apart(_));
        let predicate = !self.interrupts && self.chance(4);
        let predicate = predicate.then(|| self.condition(1));
        let count = 4 + self.random.below(10);
        let mut body = Vec::new();
        for _ in 0..count {
            body.push(self.stmt(2));
        }
        // What is left in variables is seen.
        for seen in self.seen.clone() {
            if seen.ty == Type::Pointer || matches!(kind, Kind::Apart(_)) {
                continue;
            }
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

    /// Whether what is printed has a place in the output.
    fn prints(&self) -> bool {
        !matches!(self.kind, Kind::Apart(_))
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
            declared: false,
        });
        variable
    }

    /// A map that fits, by its number.
    fn map(&mut self, fits: impl Fn(&Map) -> bool) -> Option<usize> {
        let all: Vec<usize> = match &self.params {
            None => {
                let seen = |map: &usize| match (self.kind, self.script.maps[*map].owner) {
                    (Kind::End, _) => true,
                    (Kind::Apart(own), owner) => owner == Some(own),
                    (_, owner) => owner.is_none(),
                };
                (0..self.script.maps.len()).filter(seen).collect()
            }
            Some(params) => {
                let maps = params.iter();
                let maps = maps.filter_map(|param| match param {
                    Param::Map(map) => Some(*map),
                    _ => None,
                });
                maps.collect()
            }
        };
        let fitting: Vec<usize> = all
            .into_iter()
            .filter(|map| fits(self.script.map(*map)))
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
        let types = self.script.map(map).key.clone();
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
        if self.leaves && self.chance(4) {
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
}
