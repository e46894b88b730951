//! Runs a program by the rules of `docs/language.md`.

use super::ast::{Binary, Content, Expr, Kind, Map, Script, Stmt, Type, Unary, Variable};
use super::maps::{self, Entries, Held, Shown};
use super::memory;
use super::printf::formatted;
use super::value::{Int, Value, arithmetic, item, says, takes_signed};
use std::collections::HashMap;

/// The most turns of one run, so that a mistake of the generator's ends.
const MAX_TURNS: u32 = 1_000_000;

/// What user space is told: it comes to it when a phase is over.
enum Request {
    Text(String),
    Print(usize, Shown),
    Clear(usize),
    Zero(usize),
}

/// How a statement ends.
enum End {
    Next,
    Break,
    Continue,
    Return,
}

struct Machine<'a> {
    script: &'a Script,
    variables: HashMap<Variable, Value>,
    maps: Vec<Entries>,
    requests: Vec<Request>,
    /// What the macros that are being evaluated were given.
    given: Vec<&'a [Expr]>,
    out: String,
    turns: u32,
}

/// What a script prints.
pub fn output(script: &Script) -> String {
    let mut machine = Machine {
        script,
        variables: HashMap::new(),
        maps: vec![Vec::new(); script.maps.len()],
        requests: Vec::new(),
        given: Vec::new(),
        out: String::new(),
        turns: 0,
    };
    for kind in [Kind::Begin, Kind::Once, Kind::End] {
        for probe in script.probes.iter().filter(|probe| probe.kind == kind) {
            machine.variables.clear();
            let passes = probe.predicate.as_ref();
            if passes.is_none_or(|predicate| machine.eval(predicate).holds()) {
                machine.run(&probe.body);
            }
        }
        machine.answer();
    }
    machine.out += "\n\n";
    for map in 0..script.maps.len() {
        machine.print(map, Shown { top: None, div: 1 });
    }
    if script.probes.iter().any(|probe| probe.kind == Kind::Once) {
        machine.out += "@once: 1\n";
    }
    machine.out
}

impl<'a> Machine<'a> {
    fn run(&mut self, body: &'a [Stmt]) -> End {
        for stmt in body {
            match self.stmt(stmt) {
                End::Next => {}
                end => return end,
            }
        }
        End::Next
    }

    /// Runs the body of a loop; `false` if the loop ends, which is then how.
    fn turn(&mut self, body: &'a [Stmt]) -> Result<(), End> {
        self.turns += 1;
        assert!(self.turns < MAX_TURNS, "a loop does not end");
        match self.run(body) {
            End::Next | End::Continue => Ok(()),
            End::Break => Err(End::Next),
            End::Return => Err(End::Return),
        }
    }

    fn repeat(&mut self, times: u64, body: &'a [Stmt]) -> End {
        for _ in 0..times {
            if let Err(end) = self.turn(body) {
                return end;
            }
        }
        End::Next
    }

    fn stmt(&mut self, stmt: &'a Stmt) -> End {
        match stmt {
            Stmt::Let(variable, value) | Stmt::Set(variable, value) => {
                let value = self.eval(value).kept();
                self.variables.insert(*variable, value);
            }
            Stmt::SetElement(map, keys, value) => {
                let value = self.eval(value).kept();
                let keys = self.keys(keys);
                *self.element(*map, keys) = Held::Plain(value);
            }
            Stmt::Change(variable, op, by) => {
                let before = self.variables[variable].clone().int();
                let by = self.eval(by).int();
                let after = Int::signed(arithmetic(*op, before, by).bits);
                self.variables.insert(*variable, Value::Int(after));
            }
            Stmt::ChangeElement(map, keys, op, by) => {
                let by = self.eval(by).int();
                let keys = self.keys(keys);
                let before = self.read(*map, &keys).int();
                let after = Int::signed(arithmetic(*op, before, by).bits);
                *self.element(*map, keys) = Held::Plain(Value::Int(after));
            }
            Stmt::Gather(map, keys, _, value) => {
                let keys = self.keys(keys);
                let value = value
                    .as_ref()
                    .map_or(0, |value| self.eval(value).int().bits);
                let script = self.script;
                let content = &script.maps[*map].content;
                self.element(*map, keys).gather(content, value);
            }
            Stmt::PrintMap(map, top, div) => {
                let (top, div) = (top.filter(|top| *top > 0), div.unwrap_or(1));
                self.requests.push(Request::Print(*map, Shown { top, div }));
            }
            Stmt::Clear(map) => self.requests.push(Request::Clear(*map)),
            Stmt::Zero(map) => self.requests.push(Request::Zero(*map)),
            Stmt::If(arms, otherwise) => {
                for (condition, body) in arms {
                    if self.eval(condition).holds() {
                        return self.run(body);
                    }
                }
                return otherwise.as_ref().map_or(End::Next, |body| self.run(body));
            }
            Stmt::Unroll(times, body) => return self.repeat(*times, body),
            Stmt::While(variable, limit, body) => {
                for turn in 1..=*limit {
                    let counted = Value::Int(Int::signed(turn as i64));
                    self.variables.insert(*variable, counted);
                    if let Err(end) = self.turn(body) {
                        return end;
                    }
                }
            }
            Stmt::Range(variable, from, to, body) => {
                let (from, to) = (self.eval(from).int().bits, self.eval(to).int().bits);
                for number in from..to {
                    self.variables
                        .insert(*variable, Value::Int(Int::signed(number)));
                    if let Err(end) = self.turn(body) {
                        return end;
                    }
                }
            }
            Stmt::Each(variable, map, body) => {
                let content = &self.script.maps[*map].content;
                for (keys, held) in self.maps[*map].clone() {
                    let key = match <[Value; 1]>::try_from(keys) {
                        Ok([key]) => key,
                        Err(keys) => Value::Tuple(keys),
                    };
                    let element = Value::Tuple(vec![key, held.value(content)]);
                    self.variables.insert(*variable, element);
                    if let Err(end) = self.turn(body) {
                        return end;
                    }
                }
            }
            Stmt::Break => return End::Break,
            Stmt::Continue => return End::Continue,
            Stmt::Return => return End::Return,
            Stmt::Print(value) => {
                let line = format!("{}\n", self.eval(value).shown());
                self.requests.push(Request::Text(line));
            }
            Stmt::Printf(parts) => {
                let mut line = String::new();
                for (text, conversion, value) in parts {
                    let value = self.eval(value);
                    line += text;
                    line += &formatted(*conversion, &value);
                }
                line += "\n";
                self.requests.push(Request::Text(line));
            }
            Stmt::Discard(value) => drop(self.eval(value)),
        }
        End::Next
    }

    fn keys(&mut self, keys: &'a [Expr]) -> Vec<Value> {
        keys.iter().map(|key| self.eval(key).kept()).collect()
    }

    /// An element, which is made if it is not there.
    fn element(&mut self, map: usize, keys: Vec<Value>) -> &mut Held {
        let held = Held::nothing(&self.script.maps[map].content);
        let entries = &mut self.maps[map];
        let at = entries.iter().position(|(known, _)| *known == keys);
        let at = at.unwrap_or_else(|| {
            entries.push((keys, held));
            entries.len() - 1
        });
        &mut entries[at].1
    }

    /// What is read of a map.
    fn read(&self, map: usize, keys: &[Value]) -> Value {
        let content = &self.script.maps[map].content;
        let found = self.maps[map].iter().find(|(known, _)| known == keys);
        match found {
            Some((_, held)) => held.value(content),
            None => Held::nothing(content).value(content),
        }
    }

    fn eval(&mut self, expr: &'a Expr) -> Value {
        match expr {
            Expr::Number(number) => Value::Int(Int {
                literal: true,
                ..Int::signed(*number as i64)
            }),
            Expr::Bool(set) => Value::Bool(*set),
            Expr::Text(text) => Value::Text(text.clone(), true),
            Expr::Variable(variable) => self.variables[variable].clone(),
            Expr::Element(map, keys) => {
                let keys = self.keys(keys);
                self.read(*map, &keys)
            }
            Expr::Unary(Unary::Not, of) => Value::Bool(!self.eval(of).holds()),
            Expr::Unary(Unary::Minus, of) => {
                let int = self.eval(of).int();
                Value::Int(match int.signed {
                    true => Int::signed(int.bits.wrapping_neg()),
                    false => Int::new(int.bits.wrapping_neg(), int.bytes, false),
                })
            }
            Expr::Unary(Unary::Complement, of) => {
                let int = self.eval(of).int();
                Value::Int(match int.signed {
                    true => Int {
                        literal: int.literal,
                        ..Int::signed(!int.bits)
                    },
                    false => Int::new(!int.bits, int.bytes, false),
                })
            }
            Expr::Binary(op, a, b) => {
                let (a, b) = (self.eval(a), self.eval(b));
                match (op, a, b) {
                    (op, Value::Int(a), Value::Int(b)) if !op.compares() => {
                        Value::Int(arithmetic(*op, a, b))
                    }
                    (op, Value::Int(a), Value::Int(b)) => {
                        let signed = takes_signed(*op, a, b);
                        let order = match signed {
                            true => a.bits.cmp(&b.bits),
                            false => (a.bits as u64).cmp(&(b.bits as u64)),
                        };
                        Value::Bool(says(*op, order))
                    }
                    // Structures and arrays are compared with all bytes that they have.
                    (op, a @ Value::Memory(..), b) => Value::Bool((a == b) == (*op == Binary::Eq)),
                    (op, a, b) => Value::Bool(says(*op, a.compare(&b))),
                }
            }
            Expr::Logical(and, a, b) => {
                let first = self.eval(a).holds();
                Value::Bool(if first == *and {
                    self.eval(b).holds()
                } else {
                    first
                })
            }
            Expr::Elvis(a, b) => {
                let first = self.eval(a);
                match first.holds() {
                    true => first.kept(),
                    false => self.eval(b).kept(),
                }
            }
            Expr::Choice(when, a, b) | Expr::If(when, a, b) => match self.eval(when).holds() {
                true => self.eval(a).kept(),
                false => self.eval(b).kept(),
            },
            Expr::Cast(bytes, signed, of) => {
                let bits = match self.eval(of) {
                    Value::Memory(_, memory) => memory::word(&memory),
                    number => number.int().bits,
                };
                Value::Int(Int::new(bits, *bytes, *signed))
            }
            Expr::Tuple(items) => Value::Tuple(items.iter().map(|item| self.eval(item)).collect()),
            Expr::View(structure, variable) => {
                let words = memory::of_words(&self.variables[variable]);
                memory::read(&Type::Struct(structure.clone()), &words)
            }
            Expr::Through(structure, variable, index) => {
                let words = memory::of_words(&self.variables[variable]);
                memory::member(structure, *index, &words)
            }
            Expr::Member(of, structure, index) => match self.eval(of) {
                Value::Memory(_, bytes) => memory::member(structure, *index, &bytes),
                other => panic!("not a structure: {other:?}"),
            },
            Expr::Index(of, index) => {
                let of = self.eval(of);
                let index = self.eval(index).int().bits;
                match of {
                    Value::Memory(Type::Array(element, count), bytes) => {
                        assert!((0..i64::from(count)).contains(&index), "within the array");
                        memory::element(&element, index as usize, &bytes)
                    }
                    Value::Text(text, _) => {
                        // Behind the text, there is its end.
                        let byte = text.as_bytes().get(index as usize).copied().unwrap_or(0);
                        Value::Int(Int::new(byte.into(), 1, true))
                    }
                    other => panic!("not an array: {other:?}"),
                }
            }
            Expr::Record(items) => {
                let items = items.iter().map(|(name, value)| (*name, self.eval(value)));
                Value::Record(items.collect())
            }
            Expr::Bytes(ty, number) => {
                let bytes = self.eval(number).int().bits.to_le_bytes();
                memory::read(ty, &bytes)
            }
            Expr::Item(of, index) => match self.eval(of) {
                Value::Tuple(items) => items[*index].clone(),
                other => panic!("not a tuple: {other:?}"),
            },
            Expr::Named(of, name) => match self.eval(of) {
                Value::Record(items) => item(&items, name).clone(),
                other => panic!("not a record: {other:?}"),
            },
            Expr::Step {
                variable,
                up,
                prefix,
            } => {
                let before = self.variables[variable].clone().int().bits;
                let after = before.wrapping_add(if *up { 1 } else { -1 });
                self.variables
                    .insert(*variable, Value::Int(Int::signed(after)));
                Value::Int(Int::signed(if *prefix { after } else { before }))
            }
            Expr::Strlen(text) => {
                Value::Int(Int::new(self.eval(text).text().len() as i64, 8, false))
            }
            Expr::Strncmp(a, b, count) => {
                let beginning = |text: &str| text.chars().take(*count as usize).collect::<String>();
                let (a, b) = (self.eval(a).text(), self.eval(b).text());
                let differ = beginning(&a) != beginning(&b);
                Value::Int(Int::new(differ.into(), 4, true))
            }
            Expr::Strcontains(a, b) => {
                let (a, b) = (self.eval(a).text(), self.eval(b).text());
                Value::Bool(a.contains(&b))
            }
            Expr::Beginning(text, limit) => {
                let Value::Text(text, literal) = self.eval(text) else {
                    panic!("not a string: {text}");
                };
                let limit = self.eval(limit).int();
                // The limit counts the terminator, but a number in the script that is a limit of what is written there.
                let written = literal && limit.literal;
                let most = limit.bits as usize - usize::from(!written);
                Value::Text(text.chars().take(most).collect(), written)
            }
            Expr::Bswap(of) => {
                let int = self.eval(of).int();
                let swapped = (int.bits as u64).swap_bytes() >> (64 - 8 * int.bytes);
                Value::Int(Int::new(swapped as i64, int.bytes, false))
            }
            Expr::HasKey(map, keys) => {
                let keys = self.keys(keys);
                Value::Bool(self.maps[*map].iter().any(|(known, _)| *known == keys))
            }
            Expr::Delete(map, keys) => {
                let keys = self.keys(keys);
                let before = self.maps[*map].len();
                self.maps[*map].retain(|(known, _)| *known != keys);
                Value::Bool(self.maps[*map].len() < before)
            }
            Expr::Len(map) => Value::Int(Int::signed(self.maps[*map].len() as i64)),
            Expr::Block(body, value) => {
                self.run(body);
                self.eval(value).kept()
            }
            Expr::Macro(number, given) => {
                let script = self.script;
                self.given.push(given);
                let value = self.eval(&script.macros[*number].1);
                self.given.pop();
                value
            }
            Expr::Parameter(number) => {
                // What was given belongs to where the macro is called.
                let given = self.given.pop().expect("parameters are used in macros");
                let value = self.eval(&given[*number]);
                self.given.push(given);
                value
            }
        }
    }

    /// Does what user space was told to.
    fn answer(&mut self) {
        for request in std::mem::take(&mut self.requests) {
            match request {
                Request::Text(text) => self.out += &text,
                Request::Print(map, what) => {
                    let Map { key, content } = &self.script.maps[map];
                    let histogram = matches!(content, Content::Hist(_) | Content::Linear { .. });
                    if key.is_empty() && self.maps[map].is_empty() && !histogram {
                        // A map without key is seen as what it starts with.
                        let start = vec![(Vec::new(), Held::nothing(content))];
                        self.out += &maps::shown(map, content, &start, what);
                    } else {
                        self.print(map, what);
                    }
                }
                Request::Clear(map) => self.maps[map].clear(),
                Request::Zero(map) => {
                    let content = &self.script.maps[map].content;
                    for (_, held) in &mut self.maps[map] {
                        *held = Held::nothing(content);
                    }
                }
            }
        }
    }

    fn print(&mut self, map: usize, what: Shown) {
        let content = &self.script.maps[map].content;
        self.out += &maps::shown(map, content, &self.maps[map], what);
    }
}
