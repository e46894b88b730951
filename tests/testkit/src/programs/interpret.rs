//! Runs a program by the rules of `docs/language.md`.

mod expressions;

use super::ast::{Content, Expr, Given, Kind, Map, Param, Script, Settings, Stmt, Variable};
use super::maps::{self, Entries, Held, Shown};
use super::printf::formatted;
use super::value::{Int, Value, arithmetic};
use super::written::once;
use std::collections::HashMap;

/// The most turns of one run, so that a mistake of the generator's ends.
const MAX_TURNS: u32 = 1_000_000;

/// What user space is told: it comes to it when a phase is over.
enum Request {
    Text(Vec<u8>),
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

/// A probe, or a macro that is being evaluated.
#[derive(Default)]
struct Frame<'a> {
    variables: HashMap<Variable, Value>,
    /// The width and sign of those that were declared with them.
    declared: HashMap<Variable, (u32, bool)>,
    /// What a macro takes and was given, by the frame below.
    params: &'a [Param],
    given: &'a [Given],
}

struct Machine<'a> {
    script: &'a Script,
    frames: Vec<Frame<'a>>,
    maps: Vec<Entries>,
    requests: Vec<Request>,
    settings: Settings,
    out: Vec<u8>,
    turns: u32,
}

/// What a script prints.
pub fn output(script: &Script) -> Vec<u8> {
    let mut machine = Machine {
        script,
        frames: Vec::new(),
        maps: vec![Vec::new(); script.maps.len()],
        requests: Vec::new(),
        settings: script.settings.unwrap_or_default(),
        out: Vec::new(),
        turns: 0,
    };
    let phase = |kind: Kind| match kind {
        Kind::Begin => 0,
        Kind::Once | Kind::Apart(_) | Kind::Signal => 1,
        Kind::End => 2,
    };
    for number in 0..3 {
        let probes = script.probes.iter();
        for probe in probes.filter(|probe| phase(probe.kind) == number) {
            machine.frames = vec![Frame::default()];
            let passes = probe.predicate.as_ref();
            if passes.is_none_or(|predicate| machine.eval(predicate).holds()) {
                machine.run(&probe.body);
            }
        }
        machine.answer();
    }
    machine.out.extend(b"\n\n");
    if !machine.settings.prints {
        return machine.out;
    }
    for map in 0..script.maps.len() {
        machine.print(map, Shown { top: None, div: 1 });
    }
    let mut over: Vec<String> = (script.probes.iter())
        .filter_map(|probe| once(probe.kind))
        .collect();
    over.sort();
    for once in over {
        machine.out.extend(format!("{once}: 2\n").bytes());
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
                self.set(*variable, value);
            }
            Stmt::Declare(variable, (bytes, signed), _, value) => {
                let value = value.as_ref().map(|value| self.eval(value));
                let frame = self.frames.last_mut().expect("a probe runs");
                frame.declared.insert(*variable, (*bytes, *signed));
                self.set(*variable, value.unwrap_or(Value::Int(Int::signed(0))));
            }
            Stmt::Call(number, given) => drop(self.call(*number, given)),
            Stmt::Assert("assert", condition) => drop(self.eval(condition)),
            Stmt::Assert(..) => {}
            Stmt::Fixed(_, printed) => self.requests.push(Request::Text(printed.to_vec())),
            Stmt::Said(_, value) => drop(self.eval(value)),
            Stmt::Comptime(condition, holds, body) => {
                assert_eq!(self.eval(condition).holds(), *holds, "{condition}");
                return self.run(body);
            }
            Stmt::SetElement(map, keys, value) => {
                let value = self.eval(value).kept();
                let keys = self.keys(keys);
                *self.element(*map, keys) = Held::Plain(value);
            }
            Stmt::Change(variable, op, by) => {
                let before = self.variable(*variable).clone().int();
                let by = self.eval(by).int();
                let after = Int::signed(arithmetic(*op, before, by).bits);
                self.set(*variable, Value::Int(after));
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
                let content = &script.map(*map).content;
                self.element(*map, keys).gather(content, value);
            }
            Stmt::PrintMap(map, top, div) => {
                let (top, div) = (top.filter(|top| *top > 0), div.unwrap_or(1));
                let map = self.place(*map);
                self.requests.push(Request::Print(map, Shown { top, div }));
            }
            Stmt::Clear(map) => self.requests.push(Request::Clear(self.place(*map))),
            Stmt::Zero(map) => self.requests.push(Request::Zero(self.place(*map))),
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
                    self.set(*variable, counted);
                    if let Err(end) = self.turn(body) {
                        return end;
                    }
                }
            }
            Stmt::Range(variable, from, to, body) => {
                let (from, to) = (self.eval(from).int().bits, self.eval(to).int().bits);
                for number in from..to {
                    self.set(*variable, Value::Int(Int::signed(number)));
                    if let Err(end) = self.turn(body) {
                        return end;
                    }
                }
            }
            Stmt::Each(variable, map, body) => {
                let map = self.place(*map);
                let content = &self.script.maps[map].content;
                for (keys, held) in self.maps[map].clone() {
                    let key = match <[Value; 1]>::try_from(keys) {
                        Ok([key]) => key,
                        Err(keys) => Value::Tuple(keys),
                    };
                    let element = Value::Tuple(vec![key, held.value(content)]);
                    self.set(*variable, element);
                    if let Err(end) = self.turn(body) {
                        return end;
                    }
                }
            }
            Stmt::Break => return End::Break,
            Stmt::Continue => return End::Continue,
            Stmt::Return => return End::Return,
            Stmt::Print(value) => {
                let mut line = self.eval(value).shown();
                line.push(b'\n');
                self.requests.push(Request::Text(line));
            }
            Stmt::Printf(parts) => {
                let mut line = Vec::new();
                for (text, conversion, value) in parts {
                    let value = self.eval(value);
                    line.extend(text.bytes());
                    line.extend(formatted(*conversion, &value));
                }
                line.push(b'\n');
                self.requests.push(Request::Text(line));
            }
            Stmt::Discard(value) => drop(self.eval(value)),
        }
        End::Next
    }

    /// Where a variable is: a macro's may be that of its caller.
    fn home(&self, mut variable: Variable) -> (usize, Variable) {
        let mut at = self.frames.len() - 1;
        loop {
            let frame = &self.frames[at];
            let passed = frame.params.iter().zip(frame.given);
            let mut passed = passed.filter_map(|(param, given)| match (param, given) {
                (Param::Variable(own, _), Given::Variable(given)) if *own == variable => {
                    Some(*given)
                }
                _ => None,
            });
            match passed.next() {
                Some(given) => (at, variable) = (at - 1, given),
                None => return (at, variable),
            }
        }
    }

    fn variable(&self, variable: Variable) -> &Value {
        let (at, variable) = self.home(variable);
        &self.frames[at].variables[&variable]
    }

    fn set(&mut self, variable: Variable, value: Value) {
        let (at, variable) = self.home(variable);
        let frame = &mut self.frames[at];
        let value = match frame.declared.get(&variable) {
            Some((bytes, signed)) => Value::Int(Int::new(value.int().bits, *bytes, *signed)),
            None => value,
        };
        frame.variables.insert(variable, value);
    }

    /// The map that a macro's map is.
    fn place(&self, mut map: usize) -> usize {
        for frame in self.frames.iter().rev() {
            let passed = frame.params.iter().zip(frame.given);
            let mut passed = passed.filter_map(|(param, given)| match (param, given) {
                (Param::Map(own), Given::Map(given)) if *own == map => Some(*given),
                _ => None,
            });
            match passed.next() {
                Some(given) => map = given,
                None => break,
            }
        }
        map
    }

    /// Runs a macro, and gives its value.
    fn call(&mut self, number: usize, given: &'a [Given]) -> Option<Value> {
        let script = self.script;
        let called = &script.macros[number];
        self.frames.push(Frame {
            params: &called.params,
            given,
            ..Frame::default()
        });
        self.run(&called.body);
        let value = called.value.as_ref().map(|value| self.eval(value));
        self.frames.pop();
        // An expression alone is put in as it is.
        match called.body.is_empty() {
            true => value,
            false => value.map(Value::kept),
        }
    }

    fn keys(&mut self, keys: &'a [Expr]) -> Vec<Value> {
        keys.iter().map(|key| self.eval(key).kept()).collect()
    }

    /// An element, which is made if it is not there.
    fn element(&mut self, map: usize, keys: Vec<Value>) -> &mut Held {
        let map = self.place(map);
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
        let map = self.place(map);
        let content = &self.script.maps[map].content;
        let found = self.maps[map].iter().find(|(known, _)| known == keys);
        match found {
            Some((_, held)) => held.value(content),
            None => Held::nothing(content).value(content),
        }
    }

    /// Does what user space was told to.
    fn answer(&mut self) {
        for request in std::mem::take(&mut self.requests) {
            match request {
                Request::Text(text) => self.out.extend(text),
                Request::Print(map, what) => {
                    let Map { key, content, .. } = &self.script.maps[map];
                    let histogram = matches!(content, Content::Hist(_) | Content::Linear { .. });
                    if key.is_empty() && self.maps[map].is_empty() && !histogram {
                        // A map without key is seen as what it starts with.
                        let start = vec![(Vec::new(), Held::nothing(content))];
                        self.out.extend(maps::shown(map, content, &start, what));
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
        let shown = maps::shown(map, content, &self.maps[map], what);
        self.out.extend(shown);
    }
}
