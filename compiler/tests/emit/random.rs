//! Random bodies and functions: arithmetic, branches, loops, slots, calls, and values that live long.

use crate::build::{Body, helper};
use crate::mixes::{Functions, MIXES};
use pfscript_compiler::ir::{
    Arith, Block, Condition, FuncId, Function, InstData, Kind, LINK_BYTES, MapId, Signature, Slot,
    SlotPlace, Value, Width,
};
use pfscript_testkit::random::Random;
use std::collections::HashMap;

/// Words of context.
pub const CONTEXT_WORDS: usize = 12;
/// The most functions around one that is called back.
const MAX_LEVEL: u32 = 2;
/// Where the final results begin in the map's value.
const RESULTS: i32 = 256;

const OPS: [Arith; 11] = [
    Arith::Add,
    Arith::Sub,
    Arith::Mul,
    Arith::UDiv,
    Arith::UMod,
    Arith::And,
    Arith::Or,
    Arith::Xor,
    Arith::Shl,
    Arith::LShr,
    Arith::AShr,
];
const CONDITIONS: [Condition; 10] = [
    Condition::Eq,
    Condition::Ne,
    Condition::ULt,
    Condition::ULe,
    Condition::UGt,
    Condition::UGe,
    Condition::SLt,
    Condition::SLe,
    Condition::SGt,
    Condition::SGe,
];
const WIDTHS: [Width; 4] = [Width::W8, Width::W16, Width::W32, Width::W64];

/// What bodies are made of.
#[derive(Clone, Copy)]
pub struct Recipe {
    /// Loops too. The kernel cannot see that these end.
    pub loops: bool,
    /// Slots too big for the stack, so that the body needs a frame.
    pub framed: bool,
    /// Blocks in any order, so that some are before what they depend on.
    pub shuffled: bool,
    /// How many functions there are to call.
    pub functions: u32,
    /// Functions too that are called back, within each other, and share slots.
    pub callbacks: bool,
    /// How many statements.
    pub statements: u64,
}

struct Maker {
    random: Random,
    recipe: Recipe,
    body: Body,
    context: Option<Value>,
    slots: Vec<Slot>,
    /// Values that dominate what is built next.
    known: Vec<Value>,
    output: Value,
    /// The numbers of arguments of the functions that can be called, after the output.
    callees: Vec<u64>,
    left: u64,
    /// The map of the output.
    map: MapId,
    /// The number of this function among those that share a frame, the body's being 0.
    number: u32,
    /// The slots of the functions around this one, with their sizes.
    around: Vec<(FuncId, Slot, u32)>,
    /// How many functions are around this one.
    level: u32,
    /// Functions that are called back, by their numbers, and the number of the next one.
    callbacks: Vec<(u32, Function)>,
    next: u32,
    /// What such functions get of this one.
    link: Option<Slot>,
}

/// What stands for the id of a function that is called back, or of the body, until all are there.
fn provisional(number: u32) -> FuncId {
    FuncId::from_u32(1_000_000 + number)
}

/// Random functions, each of which may call those before it, and a body.
pub fn functions(seed: u64, recipe: Recipe, output: MapId) -> Functions {
    let mut random = Random::new(seed);
    let mut functions = Functions::new();
    let mut callees = Vec::new();
    for index in 0..recipe.functions {
        let params = random.below(5);
        let name = format!("f{index}");
        functions.push(function(&name, &mut random, recipe, params, &callees));
        callees.push(params);
    }
    let (body, mut callbacks) = body(&mut random, recipe, output, callees);
    callbacks.push((0, body));
    // The body comes last.
    let ids: HashMap<FuncId, FuncId> = callbacks
        .iter()
        .zip(functions.len() as u32..)
        .map(|(&(number, _), id)| (provisional(number), FuncId::from_u32(id)))
        .collect();
    for (_, mut function) in callbacks {
        for data in function.slots.values_mut() {
            data.outer = data.outer.map(|(owner, slot)| (ids[&owner], slot));
        }
        for data in function.insts.values_mut() {
            if let InstData::FuncAddr(callback) = data {
                *callback = ids[callback];
            }
        }
        functions.push(function);
    }
    functions
}

/// A random function of the output and some numbers.
fn function(
    name: &str,
    random: &mut Random,
    recipe: Recipe,
    params: u64,
    callees: &[u64],
) -> Function {
    let mut kinds = vec![Kind::MapValue];
    kinds.extend((0..params).map(|_| Kind::Scalar));
    let signature = Signature {
        params: kinds,
        result: Some(Kind::Scalar),
    };
    let mut body = Body::of(name, signature);
    let slots = (0..2)
        .map(|index| body.zeroed_slot(&format!("slot {index}"), random.one_of(&[8, 16])))
        .collect();
    let seven = body.constant(7);
    let params = (1..=params as usize).map(|index| body.param(index));
    let known = std::iter::once(seven).chain(params).collect();
    let mut maker = Maker {
        random: Random::new(random.next()),
        recipe,
        output: body.param(0),
        context: None,
        body,
        slots,
        known,
        callees: callees.to_vec(),
        left: 2 + random.below(10),
        map: MapId::from_u32(0),
        number: 0,
        around: Vec::new(),
        level: MAX_LEVEL,
        callbacks: Vec::new(),
        next: 0,
        link: None,
    };
    maker.sequence(3);
    let mut result = maker.known[0];
    for value in maker.known.clone() {
        result = maker.body.arith(Arith::Xor, result, value);
    }
    maker.body.gives(result)
}

/// A random body.
fn body(
    random: &mut Random,
    recipe: Recipe,
    map: MapId,
    callees: Vec<u64>,
) -> (Function, Vec<(u32, Function)>) {
    let mut body = Body::new();
    let sizes: &[u32] = if recipe.framed {
        &[8, 64, 400]
    } else {
        &[8, 16, 24]
    };
    let slots = (0..4)
        .map(|index| body.zeroed_slot(&format!("slot {index}"), random.one_of(sizes)))
        .collect();
    let output = look_up(&mut body, map, None);
    let context = body.context();
    let first = body.load(context, 0, Width::W64);
    let mut maker = Maker {
        left: recipe.statements,
        random: Random::new(random.next()),
        recipe,
        context: Some(context),
        body,
        slots,
        known: vec![first],
        output,
        callees,
        map,
        number: 0,
        around: Vec::new(),
        level: 0,
        callbacks: Vec::new(),
        next: 1,
        link: None,
    };
    maker.sequence(3);
    let callbacks = std::mem::take(&mut maker.callbacks);
    (maker.finish(), callbacks)
}

/// The output, if it is there; else the function ends with this result.
fn look_up(body: &mut Body, map: MapId, result: Option<i64>) -> Value {
    let key = body.zeroed_slot("key", 8);
    let arguments = [body.map(map), body.slot_addr(key)];
    let output = body.helper(helper::MAP_LOOKUP_ELEM, &arguments);
    let null = body.constant(0);
    let (missing, found) = (body.block(), body.block());
    body.branch(Condition::Eq, [output, null], missing, found);
    body.block = missing;
    let result = result.map(|result| body.constant(result));
    body.push(InstData::Return(result));
    body.block = found;
    output
}

impl Maker {
    fn sequence(&mut self, depth: u32) {
        let known = self.known.len();
        for _ in 0..2 + self.random.below(20) {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            match self.random.below(14) {
                0 if depth > 0 => self.choice(depth),
                1 if depth > 0 && self.recipe.loops => self.repeat(depth),
                2 if self.recipe.callbacks && self.level < MAX_LEVEL => self.call_back(),
                _ => self.statement(),
            }
        }
        if depth < 3 {
            self.known.truncate(known);
        } else if self.left > 0 {
            self.sequence(depth);
        }
    }

    fn operand(&mut self) -> Value {
        if self.random.below(4) == 0 {
            let number = self.random.number();
            return self.body.constant(number);
        }
        // Mostly recent ones, sometimes old ones, which then live long.
        let count = self.known.len() as u64;
        let back = if self.random.below(3) == 0 {
            self.random.below(count)
        } else {
            self.random.below(count.min(4))
        };
        self.known[(count - 1 - back) as usize]
    }

    /// A slot and the offset of an access of some bytes in it.
    fn place(&mut self, bytes: u32) -> (Slot, u32) {
        let slot = self.random.one_of(&self.slots);
        let size = self.body.function.slots[slot].size;
        let offset = self.random.below(u64::from(size / bytes)) as u32 * bytes;
        (slot, offset)
    }

    fn statement(&mut self) {
        let value = match self.random.below(13) {
            0..=3 => {
                let op = self.random.one_of(&OPS);
                let (left, right) = (self.operand(), self.operand());
                self.body.arith(op, left, right)
            }
            4 => {
                let condition = self.random.one_of(&CONDITIONS);
                let (left, right) = (self.operand(), self.operand());
                self.body.compare(condition, left, right)
            }
            5 => {
                let width = self.random.one_of(&WIDTHS);
                let signed = self.random.below(2) == 0;
                let arg = self.operand();
                self.body.extend(width, signed, arg)
            }
            6 => {
                let Some(context) = self.context else { return };
                let word = self.random.below(CONTEXT_WORDS as u64) as i32;
                self.body.load(context, word * 8, Width::W64)
            }
            7 => {
                let width = self.random.one_of(&WIDTHS);
                let (slot, offset) = self.place(width.bytes());
                let signed = self.random.below(2) == 0;
                self.body.slot_load(slot, offset, width, signed)
            }
            8 => {
                let args: Vec<Value> = (0..self.random.below(6)).map(|_| self.operand()).collect();
                self.body.routine(MIXES[args.len()], &args)
            }
            9 => return self.bytes(),
            10 if !self.callees.is_empty() => {
                let callee = self.random.below(self.callees.len() as u64) as usize;
                let mut args = vec![self.output];
                args.extend((0..self.callees[callee]).map(|_| self.operand()));
                self.body.value(InstData::Call {
                    function: FuncId::from_u32(callee as u32),
                    args,
                })
            }
            10 => {
                let width = self.random.one_of(&WIDTHS);
                let offset = self.random.below(8) as i32 * 8;
                let value = self.operand();
                return self.body.store(self.output, offset, width, value);
            }
            11 => {
                let width = self.random.one_of(&WIDTHS);
                let offset = self.random.below(8) as i32 * 8;
                self.body.load(self.output, offset, width)
            }
            _ => {
                let width = self.random.one_of(&WIDTHS);
                let (slot, offset) = self.place(width.bytes());
                let value = self.operand();
                return self.body.slot_store(slot, offset, width, value);
            }
        };
        self.known.push(value);
    }

    fn bytes(&mut self) {
        let (slot, offset) = self.place(4);
        let room = self.body.function.slots[slot].size - offset;
        let bytes = 1 + self.random.below(room.min(64).into()) as u32;
        match self.random.below(4) {
            0 => self.body.push(InstData::SlotZero {
                slot,
                offset,
                bytes,
            }),
            1 => {
                let length = self.random.below(u64::from(bytes) + 1);
                let text: Vec<u8> = (0..length).map(|_| self.random.next() as u8).collect();
                let literal = self.body.literal(&text);
                self.body.push(InstData::SlotBytes {
                    slot,
                    offset,
                    literal,
                    bytes,
                });
            }
            2 => self.body.push(InstData::LoadBytes {
                base: self.output,
                slot,
                offset,
                bytes,
            }),
            _ => {
                let from = self.random.one_of(&self.slots);
                if from != slot {
                    let bytes = bytes.min(self.body.function.slots[from].size);
                    let (from, to) = (from.into(), SlotPlace { slot, offset });
                    self.body.push(InstData::SlotCopy { from, to, bytes });
                }
            }
        }
    }

    fn choice(&mut self, depth: u32) {
        let condition = self.random.one_of(&CONDITIONS);
        let args = [self.operand(), self.operand()];
        let (then, otherwise, after) = (self.body.block(), self.body.block(), self.body.block());
        if self.random.below(3) == 0 {
            let truth = self.body.compare(condition, args[0], args[1]);
            let zero = self.body.constant(0);
            self.body
                .branch(Condition::Ne, [truth, zero], then, otherwise);
        } else {
            self.body.branch(condition, args, then, otherwise);
        }
        for block in [then, otherwise] {
            self.body.block = block;
            if self.random.below(4) > 0 {
                self.sequence(depth - 1);
            }
            self.body.jump(after);
        }
        self.body.block = after;
    }

    /// `for (counter = n; counter > 0; counter--) { … }`
    fn repeat(&mut self, depth: u32) {
        let counter = self.body.slot("counter", 8);
        let count = self.random.below(4) as i64;
        let count = self.body.constant(count);
        self.body.slot_store(counter, 0, Width::W64, count);
        let (head, inside, after) = (self.body.block(), self.body.block(), self.body.block());
        self.body.jump(head);
        self.body.block = head;
        let left = self.body.slot_load(counter, 0, Width::W64, false);
        let zero = self.body.constant(0);
        self.body.branch(Condition::Ne, [left, zero], inside, after);
        self.body.block = inside;
        self.sequence(depth - 1);
        let one = self.body.constant(1);
        let less = self.body.arith(Arith::Sub, left, one);
        self.body.slot_store(counter, 0, Width::W64, less);
        self.body.jump(head);
        self.body.block = after;
    }

    /// Has a function called back a few times, that shares slots with those around it.
    fn call_back(&mut self) {
        let number = self.next;
        let mut around = self.around.clone();
        for &slot in &self.slots {
            // What stands for an outer slot is among those already.
            let data = &self.body.function.slots[slot];
            if data.outer.is_none() {
                around.push((provisional(self.number), slot, data.size));
            }
        }
        let signature = Signature {
            params: vec![Kind::Scalar, Kind::Link],
            result: Some(Kind::Scalar),
        };
        let mut body = Body::of(&format!("callback{number}"), signature);
        let own = self.random.one_of(&[8, 24, 200]);
        let mut slots = vec![body.zeroed_slot("own", own)];
        for &(owner, outer, size) in &around {
            if self.random.below(2) == 0 {
                let slot = body.slot("outer", size);
                body.function.slots[slot].outer = Some((owner, outer));
                slots.push(slot);
            }
        }
        let turn = body.param(0);
        let output = look_up(&mut body, self.map, Some(1));
        let context = match self.random.below(2) {
            0 => Some(body.value(InstData::Context)),
            _ => None,
        };
        let mut maker = Maker {
            random: Random::new(self.random.next()),
            recipe: self.recipe,
            body,
            context,
            slots,
            known: vec![turn],
            output,
            callees: Vec::new(),
            left: 2 + self.random.below(12),
            map: self.map,
            number,
            around,
            level: self.level + 1,
            callbacks: std::mem::take(&mut self.callbacks),
            next: number + 1,
            link: None,
        };
        maker.sequence(2);
        // Most loops go on, some stop where the turn says so.
        let condition = maker.random.one_of(&[Condition::Eq, Condition::ULt]);
        let last = maker.random.below(6) as i64;
        let last = maker.body.constant(last);
        let stops = maker.body.compare(condition, last, turn);
        self.next = maker.next;
        self.callbacks = maker.callbacks;
        self.callbacks.push((number, maker.body.gives(stops)));

        let body = &mut self.body;
        let link = *self
            .link
            .get_or_insert_with(|| body.slot("link", LINK_BYTES));
        let context = true;
        self.body.push(InstData::Link {
            slot: link,
            context,
        });
        // At least one: Linux 6.18 does not load a program whose callback it sees is never called.
        let turns = 1 + self.random.below(4) as i64;
        let callback = InstData::FuncAddr(provisional(number));
        let arguments = [
            self.body.constant(turns),
            self.body.value(callback),
            self.body.slot_addr(link),
            self.body.constant(0),
        ];
        let taken = self.body.helper(helper::LOOP, &arguments);
        self.known.push(taken);
    }

    /// Stores what is known, so that it lives to the end.
    fn finish(mut self) -> Function {
        let mut offset = RESULTS;
        let values: Vec<Value> = self.known.iter().rev().take(32).copied().collect();
        for value in values {
            self.body.store(self.output, offset, Width::W64, value);
            offset += 8;
        }
        for slot in self.slots.clone() {
            for word in 0..(self.body.function.slots[slot].size / 8).min(8) {
                let value = self.body.slot_load(slot, word * 8, Width::W64, false);
                self.body.store(self.output, offset, Width::W64, value);
                offset += 8;
            }
        }
        let function = self.body.done();
        if self.recipe.shuffled {
            shuffle(&function, &mut self.random)
        } else {
            function
        }
    }
}

/// The same function with its blocks, but for the first, in another order.
fn shuffle(function: &Function, random: &mut Random) -> Function {
    let mut order: Vec<Block> = function.blocks.keys().collect();
    for index in (2..order.len()).rev() {
        order.swap(index, 1 + random.below(index as u64) as usize);
    }
    let renamed = |block: Block| {
        let index = order.iter().position(|&old| old == block);
        Block::from_u32(index.expect("every block is in the order") as u32)
    };
    let mut shuffled = function.clone();
    shuffled.blocks.clear();
    for &old in &order {
        shuffled.blocks.push(function.blocks[old].clone());
    }
    for data in shuffled.insts.values_mut() {
        match data {
            InstData::Jump(target) => *target = renamed(*target),
            InstData::Branch {
                then, otherwise, ..
            } => {
                *then = renamed(*then);
                *otherwise = renamed(*otherwise);
            }
            _ => {}
        }
    }
    shuffled
}
