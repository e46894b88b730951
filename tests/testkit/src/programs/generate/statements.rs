//! Statements.

use super::expressions::boxed;
use super::{ARITHMETIC, Generator, MAX_LOOPS};
use crate::programs::ast::{Binary, Content, Expr, I64, Map, Stmt, Type};

impl Generator {
    pub(super) fn stmt(&mut self, depth: u32) -> Stmt {
        match self.random.below(if depth > 0 { 24 } else { 12 }) {
            0 | 1 => {
                let ty = self.any_type();
                let value = self.value(&ty, 3);
                Stmt::Let(self.fresh(ty, false), value)
            }
            2 => match self.variable(|seen| !seen.fixed) {
                Some(seen) if seen.declared => Stmt::Set(seen.variable, self.any_int(3)),
                Some(seen) => Stmt::Set(seen.variable, self.value(&seen.ty, 3)),
                None => self.print(),
            },
            3 | 4 => match self.written(|map| matches!(map.content, Content::Plain(_))) {
                Some(map) => self.assign(map),
                None => self.print(),
            },
            5 => match self.variable(|seen| (seen.ty == I64 || seen.declared) && !seen.fixed) {
                Some(seen) => {
                    let (op, by) = self.change();
                    Stmt::Change(seen.variable, op, by)
                }
                None => self.print(),
            },
            6 => match self.written(|map| map.content == Content::Plain(I64)) {
                Some(map) => {
                    // The key of some of these is evaluated twice, as in bpftrace: nothing may change it.
                    self.repeated = true;
                    let keys = self.keys(map, 0);
                    self.repeated = false;
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
                let leaves = std::mem::take(&mut self.leaves);
                let body = self.body(depth - 1);
                self.leaves = leaves;
                Stmt::Unroll(1 + self.random.below(3), body)
            }
            16..=18 if self.features.loops && self.loops < MAX_LOOPS => self.one_of_loops(depth),
            20 => self.comptime(depth - 1),
            21 => self.declaration(),
            22 => match self.call_as_statement() {
                Some(call) => call,
                None => self.print(),
            },
            23 => match self.pointer() {
                Some(pointer) => pointer,
                None => self.print(),
            },
            19 if !self.interrupts && self.returns && self.chance(6) => {
                Stmt::If(vec![(self.condition(2), vec![Stmt::Return])], None)
            }
            _ => self.print(),
        }
    }

    /// Statements within an expression: none that would leave it.
    pub(super) fn within_block(&mut self) -> Vec<Stmt> {
        let loops = std::mem::replace(&mut self.loops, MAX_LOOPS);
        let leaves = std::mem::take(&mut self.leaves);
        let returns = std::mem::take(&mut self.returns);
        let body = (0..1 + self.random.below(2))
            .map(|_| self.stmt(1))
            .collect();
        (self.loops, self.leaves, self.returns) = (loops, leaves, returns);
        body
    }

    /// Gives a map what it holds.
    pub(super) fn assign(&mut self, map: usize) -> Stmt {
        let content = self.script.map(map).content.clone();
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

    pub(super) fn histogram(&mut self) -> Content {
        if self.chance(2) {
            return Content::Hist(self.random.below(4) as u32);
        }
        let step = 1 + self.random.below(4) as i64;
        let least = self.random.below(6) as i64;
        let most = least + step * (1 + self.random.below(6) as i64);
        Content::Linear { least, most, step }
    }

    /// What user space does with a map.
    pub(super) fn request(&mut self) -> Stmt {
        if self.chance(12) {
            return self.fixed();
        }
        let Some(map) = self.map(|_| true) else {
            return self.print();
        };
        if !self.prints() {
            return self.print();
        }
        let held = self.script.map(map);
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
    pub(super) fn each(&mut self) -> Option<Stmt> {
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
        let Map { key, content, .. } = self.script.map(map).clone();
        let key = match &key[..] {
            [one] => one.clone(),
            many => Type::Tuple(many.to_vec()),
        };
        let signed = !matches!(content, Content::Gathered(_, false));
        let value = Type::Int { bytes: 8, signed };
        // Nothing else is in sight.
        let seen = std::mem::take(&mut self.seen);
        let script = std::mem::take(&mut self.script);
        let ordered = std::mem::replace(&mut self.ordered, false);
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
        self.ordered = ordered;
        Some(Stmt::Each(variable, map, body))
    }

    pub(super) fn one_of_loops(&mut self, depth: u32) -> Stmt {
        if self.chance(3)
            && let Some(each) = self.each()
        {
            return each;
        }
        let (from, to) = (self.random.below(3), self.random.below(6));
        let seen = self.seen.len();
        let variable = self.fresh(I64, true);
        self.loops += 1;
        let leaves = std::mem::replace(&mut self.leaves, true);
        let body = self.body(depth - 1);
        self.leaves = leaves;
        self.loops -= 1;
        self.seen.truncate(seen);
        match self.chance(2) {
            true => Stmt::While(variable, to, body),
            false => Stmt::Range(variable, Expr::Number(from), Expr::Number(to), body),
        }
    }

    pub(super) fn change(&mut self) -> (Binary, Expr) {
        let op = self.random.one_of(&ARITHMETIC);
        let by = match op {
            Binary::Div | Binary::Mod => Expr::Number(1 + self.random.below(9)),
            _ => self.value(&I64, 2),
        };
        (op, by)
    }
}
