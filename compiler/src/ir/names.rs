//! What the values and slots of a function are called in a listing of its IR.
//!
//! In comes a function; out go names that stay as they are when an instruction is added elsewhere, so that listings
//! can be compared. Constants, addresses of slots, maps and functions have no name: what they are is said where they
//! are used. Other values are numbered within their block, and only those that something uses; in another block the
//! name says where the value is from, `b0.v1`. A slot is called what it holds. Nothing is printed here.

use super::{Block, Function, Inst, InstData, Kind, Module, Slot, Value};
use cranelift_entity::{EntitySet, SecondaryMap};
use std::collections::HashMap;

/// The names of a function's values and slots.
pub struct Names {
    values: SecondaryMap<Value, String>,
    /// Where numbered values are from.
    homes: SecondaryMap<Value, Option<Block>>,
    slots: SecondaryMap<Slot, String>,
}

impl Names {
    /// Names everything in a function.
    pub fn new(module: &Module, function: &Function) -> Names {
        let mut names = Names {
            values: SecondaryMap::new(),
            homes: SecondaryMap::new(),
            slots: SecondaryMap::new(),
        };
        let mut count: HashMap<&str, u32> = HashMap::new();
        for (slot, data) in &function.slots {
            let plain = data.name.replace(' ', "_");
            let times = count.entry(&data.name).or_default();
            names.slots[slot] = match times {
                0 => plain,
                _ => format!("{plain}.{times}"),
            };
            *times += 1;
        }
        for (index, (value, kind)) in function
            .params
            .iter()
            .zip(&function.signature.params)
            .enumerate()
        {
            names.values[*value] = param(index, *kind);
        }
        let mut used: EntitySet<Value> = EntitySet::new();
        for data in function.blocks.values() {
            for &inst in &data.insts {
                function.insts[inst].for_each_operand(|value| {
                    used.insert(value);
                });
            }
        }
        for (block, data) in &function.blocks {
            let mut number = 0;
            for &inst in &data.insts {
                let Some(value) = function.results[inst] else {
                    continue;
                };
                if let Some(text) = names.in_place(module, function, inst) {
                    names.values[value] = text;
                } else if used.contains(value) {
                    names.values[value] = format!("v{number}");
                    names.homes[value] = Some(block);
                    number += 1;
                }
            }
        }
        names
    }

    /// What is said of an instruction's value where it is used, if that is all that is said of it.
    fn in_place(&self, module: &Module, function: &Function, inst: Inst) -> Option<String> {
        match &function.insts[inst] {
            InstData::Const(value) => Some(value.to_string()),
            InstData::SlotAddr { slot, offset } => Some(format!("&{}+{offset}", self.slots[*slot])),
            InstData::Context => Some("context".to_owned()),
            InstData::MapPointer(map) => Some(module.maps[*map].symbol.clone()),
            InstData::FuncAddr(function) => Some(module.functions[*function].symbol.clone()),
            _ => None,
        }
    }

    /// A value as the instructions of a block say it.
    pub fn value(&self, value: Value, block: Block) -> String {
        match self.homes[value] {
            Some(home) if home != block => format!("{home}.{}", self.values[value]),
            _ => self.values[value].clone(),
        }
    }

    /// A slot.
    pub fn slot(&self, slot: Slot) -> &str {
        &self.slots[slot]
    }

    /// Whether an instruction is said where its value is used, and has no line of its own.
    pub fn is_in_place(&self, function: &Function, inst: Inst) -> bool {
        function.results[inst]
            .is_some_and(|value| self.homes[value].is_none() && !self.values[value].is_empty())
    }

    /// The name that an instruction's line gives its value; none if nothing uses it.
    pub fn defined(&self, function: &Function, inst: Inst) -> Option<&str> {
        let value = function.results[inst]?;
        self.homes[value].map(|_| self.values[value].as_str())
    }
}

/// What a parameter is called. There is one context and one frame; others go by their number.
pub fn param(index: usize, kind: Kind) -> String {
    match kind {
        Kind::Context | Kind::Frame | Kind::Link => kind_name(kind).to_owned(),
        _ => format!("p{index}"),
    }
}

/// What a parameter or result is.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Scalar => "scalar",
        Kind::Context => "context",
        Kind::Map => "map",
        Kind::MapKey => "map key",
        Kind::MapValue => "map value",
        Kind::Memory => "memory",
        Kind::Frame => "frame",
        Kind::Link => "link",
    }
}
