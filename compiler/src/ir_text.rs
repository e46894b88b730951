//! The IR as text, for `-d ir` and for golden tests.

use crate::ir::{Function, Inst, InstData, Module, Value};
use cranelift_entity::EntityRef;
use std::fmt::Write;

/// Writes a module as text.
pub fn print(module: &Module) -> String {
    let mut out = String::new();
    for (id, map) in &module.maps {
        line(
            &mut out,
            format_args!(
                "{id} = map {} type {} key {} value {} entries {} flags {:#x}",
                map.symbol, map.map_type, map.key_size, map.value_size, map.max_entries, map.flags
            ),
        );
    }
    for (id, probe) in &module.probes {
        line(
            &mut out,
            format_args!("\nprobe {id} {}", probe.kind.info().name),
        );
        function(&mut out, &probe.body);
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

fn function(out: &mut String, function: &Function) {
    for (slot, data) in &function.slots {
        let zeroed = if data.zeroed { " zeroed" } else { "" };
        line(
            out,
            format_args!("    {slot}: {} bytes{zeroed} ; {}", data.size, data.name),
        );
    }
    for (block, data) in &function.blocks {
        if data.insts.is_empty() {
            continue;
        }
        line(out, format_args!("  {block}:"));
        for &inst in &data.insts {
            let text = instruction(function, inst);
            match function.results[inst] {
                Some(value) => line(out, format_args!("    {value} = {text}")),
                None => line(out, format_args!("    {text}")),
            }
        }
    }
}

fn list(args: &[Value]) -> String {
    let args: Vec<String> = args.iter().map(Value::to_string).collect();
    args.join(", ")
}

fn instruction(function: &Function, inst: Inst) -> String {
    let sign = |signed: &bool| if *signed { "s" } else { "u" };
    let lower = |name: &dyn std::fmt::Debug| format!("{name:?}").to_lowercase();
    match &function.insts[inst] {
        InstData::Const(value) => format!("const {value}"),
        InstData::Context => "context".into(),
        InstData::Arith { op, args } => format!("{} {}", lower(op), list(args)),
        InstData::Compare { condition, args } => format!("{} {}", lower(condition), list(args)),
        InstData::Extend { width, signed, arg } => {
            format!("extend {}{} {arg}", sign(signed), width.bytes() * 8)
        }
        InstData::Load {
            base,
            offset,
            width,
            signed,
        } => format!("load {}{} {base}+{offset}", sign(signed), width.bytes() * 8),
        InstData::Store {
            base,
            offset,
            width,
            value,
        } => format!("store {} {base}+{offset}, {value}", width.bytes() * 8),
        InstData::AtomicAdd {
            base,
            offset,
            value,
        } => format!("atomic add {base}+{offset}, {value}"),
        InstData::SlotAddr { slot, offset } => format!("address {slot}+{offset}"),
        InstData::SlotLoad {
            slot,
            offset,
            width,
            signed,
        } => format!("load {}{} {slot}+{offset}", sign(signed), width.bytes() * 8),
        InstData::SlotStore {
            slot,
            offset,
            width,
            value,
        } => format!("store {} {slot}+{offset}, {value}", width.bytes() * 8),
        InstData::SlotZero {
            slot,
            offset,
            bytes,
        } => format!("zero {slot}+{offset}, {bytes}"),
        InstData::SlotCopy {
            from,
            from_offset,
            to,
            to_offset,
            bytes,
        } => format!("copy {from}+{from_offset}, {to}+{to_offset}, {bytes}"),
        InstData::LoadBytes {
            base,
            slot,
            offset,
            bytes,
        } => format!("copy {base}, {slot}+{offset}, {bytes}"),
        InstData::SlotBytes {
            slot,
            offset,
            literal,
            bytes,
        } => format!(
            "bytes {slot}+{offset}, \"{}\", {bytes}",
            function.literals[*literal].escape_ascii()
        ),
        InstData::MapPointer(map) => format!("map m{}", map.index()),
        InstData::CallHelper { helper, args } => format!("helper {helper} ({})", list(args)),
        InstData::CallRoutine { routine, args } => format!("call {routine} ({})", list(args)),
        InstData::Jump(block) => format!("jump {block}"),
        InstData::Branch {
            condition,
            args,
            then,
            otherwise,
        } => format!(
            "branch {} {}, {then}, {otherwise}",
            lower(condition),
            list(args)
        ),
        InstData::Return => "return".into(),
    }
}
