//! What expressions come to.

use super::Machine;
use crate::programs::ast::{Binary, Expr, Given, Settings, Type, Unary};
use crate::programs::maps::Held;
use crate::programs::memory::{self, shape};
use crate::programs::value::{Int, Text, Value, arithmetic, item, says, takes_signed};

/// Where a string is in another.
fn found(text: &[u8], sought: &[u8]) -> Option<usize> {
    (0..=text.len().checked_sub(sought.len())?).find(|at| text[*at..].starts_with(sought))
}

impl<'a> Machine<'a> {
    pub(super) fn eval(&mut self, expr: &'a Expr) -> Value {
        match expr {
            Expr::Number(number) => Value::Int(Int {
                literal: true,
                ..Int::signed(*number as i64)
            }),
            Expr::Bool(set) => Value::Bool(*set),
            Expr::Text(text) => Value::Text(Text {
                literal: true,
                raw: true,
                ..Text::new(text)
            }),
            Expr::Variable(variable) => self.variable(*variable).clone(),
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
                let words = memory::of_words(self.variable(*variable));
                memory::read(&Type::Struct(structure.clone()), &words)
            }
            Expr::Through(structure, variable, index) => {
                let words = memory::of_words(self.variable(*variable));
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
                    Value::Text(text) => {
                        // Behind the text, there is its end.
                        let byte = text.bytes.get(index as usize).copied().unwrap_or(0);
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
                let before = self.variable(*variable).clone().int().bits;
                let after = before.wrapping_add(if *up { 1 } else { -1 });
                self.set(*variable, Value::Int(Int::signed(after)));
                Value::Int(Int::signed(if *prefix { after } else { before }))
            }
            Expr::Strlen(text) => {
                let length = self.eval(text).text().bytes.len();
                Value::Int(Int::new(length as i64, 8, false))
            }
            Expr::Strncmp(a, b, count) => {
                let beginning = |text: Text| {
                    let mut bytes = text.bytes;
                    bytes.truncate(*count as usize);
                    bytes
                };
                let (a, b) = (self.eval(a).text(), self.eval(b).text());
                let differ = beginning(a) != beginning(b);
                Value::Int(Int::new(differ.into(), 4, true))
            }
            Expr::Strcontains(a, b) => {
                let (a, b) = (self.eval(a).text(), self.eval(b).text());
                Value::Bool(found(&a.bytes, &b.bytes).is_some())
            }
            Expr::Strstr(a, b) => {
                let (a, b) = (self.eval(a).text(), self.eval(b).text());
                let at = found(&a.bytes, &b.bytes);
                Value::Int(Int::signed(at.map_or(-1, |at| at as i64)))
            }
            Expr::Memcmp(a, b, count) => {
                let bytes = |value: Value| match value {
                    Value::Text(text) => text.bytes,
                    other => memory::of(&other),
                };
                let (a, b) = (bytes(self.eval(a)), bytes(self.eval(b)));
                let byte =
                    |of: &[u8], at: u64| i64::from(of.get(at as usize).copied().unwrap_or(0));
                let mut differences = (0..*count).map(|at| byte(&a, at) - byte(&b, at));
                let first = differences.find(|difference| *difference != 0);
                Value::Int(Int::signed(first.unwrap_or(0)))
            }
            Expr::Concat(a, b) => {
                let (a, b) = (self.eval(a).text(), self.eval(b).text());
                let mut both = Text::new(&[a.bytes, b.bytes].concat());
                let Settings {
                    max_strlen,
                    trailer,
                    ..
                } = self.settings;
                // What was cut stays so.
                both.cut = a.cut.or(b.cut);
                if both.bytes.len() > max_strlen {
                    both.bytes.truncate(max_strlen);
                    both.cut = Some(trailer);
                }
                Value::Text(both)
            }
            Expr::Strcap(text) => Value::Int(Int::new(text.len() as i64 + 1, 8, false)),
            Expr::MaxStrlen(_) => Value::Int(Int::new(self.settings.max_strlen as i64, 8, false)),
            Expr::Buffer(text, length) => {
                let mut bytes = self.eval(text).text().bytes;
                bytes.resize(*length as usize, 0);
                Value::Buffer(bytes)
            }
            Expr::Beginning(text, limit) => {
                let text = self.eval(text).text();
                let limit = self.eval(limit).int();
                // The limit counts the terminator, but a number in the script that is a limit of what is written there.
                let written = text.literal && limit.literal;
                if written {
                    let most = text.bytes.len().min(limit.bits as usize);
                    return Value::Text(Text {
                        bytes: text.bytes[..most].to_vec(),
                        raw: false,
                        ..text
                    });
                }
                let Settings {
                    max_strlen,
                    trailer,
                    ..
                } = self.settings;
                let chosen = limit.bits as usize - 1;
                let mut begun = Text::new(&text.bytes);
                if chosen >= text.bytes.len() {
                    begun.cut = text.cut;
                }
                begun.bytes.truncate(chosen);
                if begun.bytes.len() > max_strlen {
                    begun.bytes.truncate(max_strlen);
                    begun.cut = Some(trailer);
                }
                Value::Text(begun)
            }
            Expr::Bswap(of) => {
                let int = self.eval(of).int();
                let swapped = (int.bits as u64).swap_bytes() >> (64 - 8 * int.bytes);
                Value::Int(Int::new(swapped as i64, int.bytes, false))
            }
            Expr::HasKey(map, keys) => {
                let keys = self.keys(keys);
                Value::Bool(
                    self.maps[self.place(*map)]
                        .iter()
                        .any(|(known, _)| *known == keys),
                )
            }
            Expr::Delete(map, keys) => {
                let keys = self.keys(keys);
                let map = self.place(*map);
                let before = self.maps[map].len();
                self.maps[map].retain(|(known, _)| *known != keys);
                Value::Bool(self.maps[map].len() < before)
            }
            Expr::Len(map) => Value::Int(Int::signed(self.maps[self.place(*map)].len() as i64)),
            Expr::Block(body, value) => {
                self.run(body);
                self.eval(value).kept()
            }
            Expr::Macro(number, given) => {
                let value = self.call(*number, given);
                value.expect("the macro has a value")
            }
            Expr::Parameter(number) => {
                // What was given belongs to where the macro is called.
                let frame = self.frames.pop().expect("parameters are used in macros");
                let Given::Value(value) = &frame.given[*number] else {
                    panic!("parameters are expressions");
                };
                let value = self.eval(value);
                self.frames.push(frame);
                value
            }
            Expr::SizeOfType(ty) => Value::Int(Int::new(shape(ty).0.into(), 8, false)),
            // What is asked for the size of is not evaluated.
            Expr::SizeOf(_, size) => Value::Int(Int::new((*size).into(), 8, false)),
            Expr::OffsetOf(structure, index) => {
                let bits = structure.laid().offsets[*index];
                Value::Int(Int::new(i64::from(bits / 8), 8, false))
            }
            Expr::Like(_, bytes, signed, of) => {
                let bits = self.eval(of).int().bits;
                Value::Int(Int::new(bits, *bytes, *signed))
            }
            Expr::Find(map, keys, variable) => {
                let keys = self.keys(keys);
                let known = |(key, _): &(Vec<Value>, Held)| *key == keys;
                let found = self.maps[self.place(*map)].iter().any(known);
                if found {
                    let value = self.read(*map, &keys);
                    self.set(*variable, value);
                }
                Value::Bool(found)
            }
            Expr::Is(what, of) => {
                let value = self.eval(of);
                Value::Bool(match *what {
                    "integer" => matches!(value, Value::Int(_)),
                    "unsigned_integer" => matches!(value, Value::Int(int) if !int.signed),
                    "str" => matches!(value, Value::Text(..)),
                    "array" => matches!(value, Value::Memory(Type::Array(..), _)),
                    "ptr" => false,
                    "literal" => matches!(**of, Expr::Number(_) | Expr::Text(_) | Expr::Bool(_)),
                    other => panic!("is_{other} is not known"),
                })
            }
            Expr::IsErr(of) => {
                // A macro of the language's own: its parameter is evaluated twice.
                let negative = self.eval(of).int().bits < 0;
                Value::Bool(negative && self.eval(of).int().bits >= -4095)
            }
            Expr::Behind(variable) => self.variable(*variable).clone(),
            Expr::Address(variable) => {
                let (frame, variable) = self.home(*variable);
                Value::Pointer(frame, variable)
            }
            Expr::Star(_, pointer) => match *self.variable(*pointer) {
                Value::Pointer(frame, variable) => self.frames[frame].variables[&variable].clone(),
                ref other => panic!("not a pointer: {other:?}"),
            },
            Expr::BehindElement(map, keys) => {
                let keys = self.keys(keys);
                self.read(*map, &keys)
            }
            Expr::Within {
                variable,
                bytes,
                signed,
                at,
                ..
            } => {
                let at = self.eval(at).int().bits as usize;
                let memory = memory::of(self.variable(*variable));
                let ty = Type::Int {
                    bytes: *bytes,
                    signed: *signed,
                };
                memory::element(&ty, at, &memory)
            }
            Expr::Contained {
                structure,
                variable,
                member,
                ..
            } => {
                let words = memory::of_words(self.variable(*variable));
                memory::member(structure, *member, &words)
            }
            Expr::Pton(address) => {
                let byte = Type::Int {
                    bytes: 1,
                    signed: false,
                };
                Value::Memory(Type::Array(Box::new(byte), 4), address.to_vec())
            }
            Expr::Ntop(of) => {
                let [a, b, c, d, ..] = self.eval(of).int().bits.to_le_bytes();
                Value::Text(Text::new(format!("{a}.{b}.{c}.{d}").as_bytes()))
            }
            Expr::Macaddr(variable) => {
                let memory = memory::of(self.variable(*variable));
                let bytes: Vec<String> = memory[..6]
                    .iter()
                    .map(|byte| format!("{byte:02X}"))
                    .collect();
                Value::Text(Text::new(bytes.join(":").as_bytes()))
            }
            Expr::Called(_, _, name) => Value::Text(Text::new(name.as_bytes())),
            Expr::Fact(_) => Value::Bool(true),
            Expr::Option(default) => self.eval(default).kept(),
            Expr::NoParameter(_) => Value::Int(Int {
                literal: true,
                ..Int::signed(0)
            }),
        }
    }
}
