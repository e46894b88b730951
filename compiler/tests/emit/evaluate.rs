//! The reference: what a body and its functions mean, instruction by instruction, without any of the back end.

use crate::build::helper;
use crate::mixes::{Functions, body_of};
use pfscript_compiler::ir::{
    Arith, Block, Condition, FuncId, Function, InstData, Slot, Value, Width,
};
use std::collections::HashMap;

/// The address that the lookup of the one map value gives.
const VALUE_ADDRESS: u64 = 0xffff_8881_0000_0000;
/// The address of the context.
const CONTEXT_ADDRESS: u64 = 0xffff_c900_0000_0000;

/// `bpf_loop`
const LOOP: u32 = helper::LOOP;

/// What a body runs on.
pub struct Evaluator<'f> {
    functions: &'f Functions,
    id: FuncId,
    function: &'f Function,
    context: &'f [u64],
    /// The one value of the one map.
    pub output: Vec<u8>,
    slots: HashMap<Slot, Vec<u8>>,
    /// The slots of the functions around this one.
    around: HashMap<(FuncId, Slot), Vec<u8>>,
    values: HashMap<Value, u64>,
    routine: fn(&str, &[u64]) -> u64,
}

impl<'f> Evaluator<'f> {
    /// A run of the body of these functions.
    pub fn new(
        functions: &'f Functions,
        context: &'f [u64],
        output_bytes: usize,
        routine: fn(&str, &[u64]) -> u64,
    ) -> Evaluator<'f> {
        let body = body_of(functions);
        Evaluator {
            functions,
            id: functions.last().expect("there is a body").0,
            function: body,
            context,
            output: vec![0; output_bytes],
            slots: slots(body),
            around: HashMap::new(),
            values: [(body.params[0], CONTEXT_ADDRESS)].into_iter().collect(),
            routine,
        }
    }

    /// Runs it; its result, 0 if it gives none.
    pub fn run(&mut self) -> u64 {
        let mut block = self.function.blocks.keys().next();
        while let Some(current) = block {
            match self.block(current) {
                Next::Block(next) => block = Some(next),
                Next::Leave(result) => return result.map_or(0, |value| self.get(value)),
            }
        }
        panic!("there is no block");
    }

    /// Runs a function that the body calls, on the same output.
    fn call(&mut self, callee: FuncId, args: &[u64]) -> u64 {
        let function = &self.functions[callee];
        let params = function.params.iter().copied();
        let mut called = Evaluator {
            functions: self.functions,
            id: callee,
            function,
            context: self.context,
            output: std::mem::take(&mut self.output),
            slots: slots(function),
            around: std::mem::take(&mut self.around),
            values: params.zip(args.iter().copied()).collect(),
            routine: self.routine,
        };
        let result = called.run();
        self.output = called.output;
        self.around = called.around;
        result
    }

    /// Has a function called back, with its turn, which sees the slots of this one; how often it was.
    fn call_back(&mut self, turns: u64, callback: FuncId) -> u64 {
        let id = self.id;
        let own = std::mem::take(&mut self.slots);
        self.around
            .extend(own.into_iter().map(|(slot, bytes)| ((id, slot), bytes)));
        let mut taken = 0;
        while taken < turns {
            let result = self.call(callback, &[taken]);
            taken += 1;
            if result != 0 {
                break;
            }
        }
        let around = std::mem::take(&mut self.around);
        for ((owner, slot), bytes) in around {
            match owner == id {
                true => self.slots.insert(slot, bytes),
                false => self.around.insert((owner, slot), bytes),
            };
        }
        taken
    }

    fn slot(&self, slot: Slot) -> &[u8] {
        match self.function.slots[slot].outer {
            Some(outer) => &self.around[&outer],
            None => &self.slots[&slot],
        }
    }

    fn get(&self, value: Value) -> u64 {
        self.values[&value]
    }

    fn block(&mut self, block: Block) -> Next {
        for &inst in &self.function.blocks[block].insts {
            let result = match &self.function.insts[inst] {
                InstData::Jump(target) => return Next::Block(*target),
                InstData::Return(result) => return Next::Leave(*result),
                InstData::Branch {
                    condition,
                    args,
                    then,
                    otherwise,
                } => {
                    let holds = compare(*condition, self.get(args[0]), self.get(args[1]));
                    return Next::Block(if holds { *then } else { *otherwise });
                }
                data => self.step(data),
            };
            if let Some(value) = self.function.results[inst] {
                self.values.insert(value, result);
            }
        }
        panic!("{block:?} has no end");
    }

    fn step(&mut self, data: &InstData) -> u64 {
        match *data {
            InstData::Const(constant) => constant as u64,
            InstData::Arith { op, args } => arith(op, self.get(args[0]), self.get(args[1])),
            InstData::Compare { condition, args } => {
                compare(condition, self.get(args[0]), self.get(args[1])).into()
            }
            InstData::Extend { width, signed, arg } => extend(width, signed, self.get(arg)),
            InstData::Load {
                base,
                offset,
                width,
                signed,
            } => {
                let from = if self.get(base) == CONTEXT_ADDRESS {
                    self.context
                        .iter()
                        .flat_map(|word| word.to_le_bytes())
                        .collect()
                } else {
                    self.output.clone()
                };
                extend(width, signed, read(&from, offset as usize, width))
            }
            InstData::AtomicAdd { offset, value, .. } => {
                let sum =
                    read(&self.output, offset as usize, Width::W64).wrapping_add(self.get(value));
                write(&mut self.output, offset as usize, &sum.to_le_bytes());
                0
            }
            InstData::Store {
                offset,
                width,
                value,
                ..
            } => {
                let bytes = self.get(value).to_le_bytes();
                write(
                    &mut self.output,
                    offset as usize,
                    &bytes[..width.bytes() as usize],
                );
                0
            }
            InstData::SlotAddr { .. } | InstData::MapPointer(_) => 0,
            InstData::SlotLoad {
                slot,
                offset,
                width,
                signed,
            } => extend(width, signed, read(self.slot(slot), offset as usize, width)),
            InstData::SlotStore {
                slot,
                offset,
                width,
                value,
            } => {
                let bytes = self.get(value).to_le_bytes();
                self.write_slot(slot, offset, &bytes[..width.bytes() as usize]);
                0
            }
            InstData::SlotZero {
                slot,
                offset,
                bytes,
            } => {
                self.write_slot(slot, offset, &vec![0; bytes as usize]);
                0
            }
            InstData::SlotCopy { from, to, bytes } => {
                let start = from.offset as usize;
                let copied = self.slot(from.slot)[start..start + bytes as usize].to_vec();
                self.write_slot(to.slot, to.offset, &copied);
                0
            }
            InstData::LoadBytes {
                slot,
                offset,
                bytes,
                ..
            } => {
                let copied = self.output[..bytes as usize].to_vec();
                self.write_slot(slot, offset, &copied);
                0
            }
            InstData::SlotBytes {
                slot,
                offset,
                literal,
                bytes,
            } => {
                let mut written = self.function.literals[literal].clone();
                written.resize(bytes as usize, 0);
                self.write_slot(slot, offset, &written);
                0
            }
            InstData::CallHelper {
                helper: LOOP,
                ref args,
            } => {
                let callback = FuncId::from_u32(self.get(args[1]) as u32);
                self.call_back(self.get(args[0]), callback)
            }
            InstData::CallHelper { .. } => VALUE_ADDRESS,
            InstData::Call { function, ref args } => {
                let args: Vec<u64> = args.iter().map(|&arg| self.get(arg)).collect();
                self.call(function, &args)
            }
            InstData::FuncAddr(function) => function.as_u32().into(),
            InstData::Link { .. } => 0,
            InstData::Context => CONTEXT_ADDRESS,
            InstData::CallRoutine { routine, ref args } => {
                let args: Vec<u64> = args.iter().map(|&arg| self.get(arg)).collect();
                (self.routine)(routine, &args)
            }
            InstData::Jump(_) | InstData::Branch { .. } | InstData::Return(_) => unreachable!(),
        }
    }

    fn write_slot(&mut self, slot: Slot, offset: u32, bytes: &[u8]) {
        let memory = match self.function.slots[slot].outer {
            Some(outer) => self.around.get_mut(&outer),
            None => self.slots.get_mut(&slot),
        };
        let memory = memory.expect("the slot exists");
        write(memory, offset as usize, bytes);
    }
}

/// Where a block leads.
enum Next {
    Block(Block),
    Leave(Option<Value>),
}

fn slots(function: &Function) -> HashMap<Slot, Vec<u8>> {
    let slots = function.slots.iter();
    slots
        .map(|(slot, data)| (slot, vec![0; data.size as usize]))
        .collect()
}

fn read(memory: &[u8], offset: usize, width: Width) -> u64 {
    let mut bytes = [0; 8];
    let count = width.bytes() as usize;
    bytes[..count].copy_from_slice(&memory[offset..offset + count]);
    u64::from_le_bytes(bytes)
}

fn write(memory: &mut [u8], offset: usize, bytes: &[u8]) {
    memory[offset..offset + bytes.len()].copy_from_slice(bytes);
}

fn extend(width: Width, signed: bool, value: u64) -> u64 {
    match (width, signed) {
        (Width::W8, false) => value as u8 as u64,
        (Width::W16, false) => value as u16 as u64,
        (Width::W32, false) => value as u32 as u64,
        (Width::W8, true) => value as i8 as u64,
        (Width::W16, true) => value as i16 as u64,
        (Width::W32, true) => value as i32 as u64,
        (Width::W64, _) => value,
    }
}

fn arith(op: Arith, a: u64, b: u64) -> u64 {
    match op {
        Arith::Add => a.wrapping_add(b),
        Arith::Sub => a.wrapping_sub(b),
        Arith::Mul => a.wrapping_mul(b),
        Arith::UDiv => a.checked_div(b).unwrap_or(0),
        Arith::UMod => a.checked_rem(b).unwrap_or(a),
        Arith::And => a & b,
        Arith::Or => a | b,
        Arith::Xor => a ^ b,
        Arith::Shl => a.wrapping_shl(b as u32),
        Arith::LShr => a.wrapping_shr(b as u32),
        Arith::AShr => (a as i64).wrapping_shr(b as u32) as u64,
    }
}

fn compare(condition: Condition, a: u64, b: u64) -> bool {
    match condition {
        Condition::Eq => a == b,
        Condition::Ne => a != b,
        Condition::ULt => a < b,
        Condition::ULe => a <= b,
        Condition::UGt => a > b,
        Condition::UGe => a >= b,
        Condition::SLt => (a as i64) < b as i64,
        Condition::SLe => a as i64 <= b as i64,
        Condition::SGt => a as i64 > b as i64,
        Condition::SGe => a as i64 >= b as i64,
    }
}
