//! Runs a program by the rules of `docs/language.md`.

use super::ast::{Binary, Content, Expr, Script, Stmt, Type, Unary, Variable};
use super::memory;
use super::value::{Int, Value, arithmetic, formatted, nothing, says, takes_signed};
use std::cmp::Ordering;
use std::collections::HashMap;

/// The most turns of one run, so that a mistake of the generator's ends.
const MAX_TURNS: u32 = 1_000_000;

/// What an aggregation has come to.
#[derive(Clone, Copy, Debug, Default)]
struct Gathered {
    count: i64,
    total: i64,
    least: i64,
    greatest: i64,
}

#[derive(Clone, Debug)]
enum Held {
    Plain(Value),
    Gathered(Gathered),
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
    maps: Vec<Vec<(Vec<Value>, Held)>>,
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
        given: Vec::new(),
        out: String::new(),
        turns: 0,
    };
    for end in [false, true] {
        for probe in script.probes.iter().filter(|probe| probe.end == end) {
            machine.variables.clear();
            let passes = probe.predicate.as_ref();
            if passes.is_none_or(|predicate| machine.eval(predicate).holds()) {
                machine.run(&probe.body);
            }
        }
    }
    machine.out += "\n\n";
    machine.print_maps();
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
                let Held::Gathered(gathered) = self.element(*map, keys) else {
                    panic!("a map holds two kinds of things");
                };
                let first = gathered.count == 0;
                gathered.count += 1;
                gathered.total = gathered.total.wrapping_add(value);
                gathered.least = if first {
                    value
                } else {
                    gathered.least.min(value)
                };
                gathered.greatest = if first {
                    value
                } else {
                    gathered.greatest.max(value)
                };
            }
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
            Stmt::Each { map, sum, part } => {
                let mut total = self.variables[sum].clone().int().bits;
                for (keys, held) in &self.maps[*map] {
                    let Held::Plain(value) = held else {
                        panic!("aggregations are not added up");
                    };
                    let part = if *part == 0 { &keys[0] } else { value };
                    total = total.wrapping_add(part.clone().int().bits);
                }
                self.variables.insert(*sum, Value::Int(Int::signed(total)));
            }
            Stmt::Break => return End::Break,
            Stmt::Continue => return End::Continue,
            Stmt::Return => return End::Return,
            Stmt::Print(value) => {
                let value = self.eval(value).shown();
                self.out += &value;
                self.out += "\n";
            }
            Stmt::Printf(parts) => {
                for (text, conversion, value) in parts {
                    let value = self.eval(value);
                    self.out += text;
                    self.out += &formatted(*conversion, &value);
                }
                self.out += "\n";
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
        let held = match &self.script.maps[map].content {
            Content::Plain(ty) => Held::Plain(nothing(ty)),
            _ => Held::Gathered(Gathered::default()),
        };
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
        match (content, found.map(|(_, held)| held)) {
            (Content::Plain(ty), None) => nothing(ty),
            (_, Some(Held::Plain(value))) => value.clone(),
            (content, Some(Held::Gathered(gathered))) => {
                Value::Int(Int::signed(come_to(content, *gathered)))
            }
            (_, None) => Value::Int(Int::signed(0)),
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
            Expr::Choice(when, a, b) => match self.eval(when).holds() {
                true => self.eval(a).kept(),
                false => self.eval(b).kept(),
            },
            Expr::Cast(bytes, signed, of) => {
                Value::Int(Int::new(self.eval(of).int().bits, *bytes, *signed))
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
                    other => panic!("not an array: {other:?}"),
                }
            }
            Expr::Item(variable, index) => match &self.variables[variable] {
                Value::Tuple(items) => items[*index].clone(),
                other => panic!("not a tuple: {other:?}"),
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
                // The limit counts the terminator, which what is written in the script has none of.
                let most = *limit as usize - usize::from(!literal);
                Value::Text(text.chars().take(most).collect(), literal)
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

    /// Prints all maps by name: those of numbers by rising value, then by key.
    fn print_maps(&mut self) {
        for (number, map) in self.script.maps.iter().enumerate() {
            let content = &map.content;
            let mut entries = std::mem::take(&mut self.maps[number]);
            let by_key = |a: &[Value], b: &[Value]| {
                let mut pairs = a.iter().zip(b).map(|(a, b)| a.compare(b));
                pairs.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
            };
            entries.sort_by(|(key_a, a), (key_b, b)| {
                let by_value = match (a, b) {
                    (Held::Plain(Value::Int(a)), Held::Plain(Value::Int(b))) => a.compare(*b),
                    (Held::Plain(_), _) | (_, Held::Plain(_)) => Ordering::Equal,
                    (Held::Gathered(a), Held::Gathered(b)) => {
                        come_to(content, *a).cmp(&come_to(content, *b))
                    }
                };
                by_value.then_with(|| by_key(key_a, key_b))
            });
            for (keys, held) in entries {
                let keys: Vec<String> = keys.iter().map(Value::shown).collect();
                let key = match &keys[..] {
                    [] => String::new(),
                    keys => format!("[{}]", keys.join(", ")),
                };
                let value = match held {
                    Held::Plain(value) => value.shown(),
                    Held::Gathered(gathered) if *content == Content::Gathered("stats") => format!(
                        "{{ .count = {}, .average = {}, .total = {} }}",
                        gathered.count,
                        gathered.total / gathered.count,
                        gathered.total
                    ),
                    Held::Gathered(gathered) => come_to(content, gathered).to_string(),
                };
                self.out += &format!("@m{number}{key}: {value}\n");
            }
        }
    }
}

/// The number that an aggregation stands for.
fn come_to(content: &Content, gathered: Gathered) -> i64 {
    let Content::Gathered(function) = content else {
        return 0;
    };
    match *function {
        "count" => gathered.count,
        "sum" => gathered.total,
        "min" => gathered.least,
        "max" => gathered.greatest,
        _ => gathered.total / gathered.count,
    }
}
