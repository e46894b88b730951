//! The IR as text, for `-d ir` and for golden tests.

use super::{Function, Inst, InstData, Kind, Module, Value};
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
    out.push('\n');
    for (id, probe) in &module.probes {
        let only = match probe.tgid {
            0 => String::new(),
            tgid => format!(" process {tgid}"),
        };
        line(
            &mut out,
            format_args!("probe {id} {}{only} runs {}", probe.family, probe.body),
        );
    }
    for (id, data) in &module.functions {
        let params = data.params.iter().zip(&data.signature.params);
        let params: Vec<String> = params
            .map(|(value, &kind)| format!("{value}: {}", kind_name(kind)))
            .collect();
        let result = match data.signature.result {
            Some(kind) => format!(" -> {}", kind_name(kind)),
            None => String::new(),
        };
        line(
            &mut out,
            format_args!(
                "\nfunction {id} {} ({}){result}",
                data.symbol,
                params.join(", ")
            ),
        );
        function(&mut out, data);
    }
    out
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Scalar => "scalar",
        Kind::Context => "context",
        Kind::Map => "map",
        Kind::MapKey => "map key",
        Kind::MapValue => "map value",
        Kind::Memory => "memory",
        Kind::Frame => "frame",
    }
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
        InstData::FuncAddr(function) => format!("function {function}"),
        InstData::Call { function, args } => format!("call {function} ({})", list(args)),
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
        InstData::Return(None) => "return".into(),
        InstData::Return(Some(value)) => format!("return {value}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::ir::{FuncId, FunctionBuilder, Kind, Module, Signature};

    #[test]
    fn functions_are_shown_with_their_signatures_and_calls_with_their_numbers() {
        let signature = Signature {
            params: vec![Kind::Scalar, Kind::Memory],
            result: Some(Kind::Scalar),
        };
        let mut step = FunctionBuilder::new("step", signature);
        step.ret(step.param(0));
        let mut body = FunctionBuilder::new("body_p0", Signature::body());
        let slot = body.slot(8, "sum");
        let (count, memory) = (body.constant(9), body.address(slot));
        body.call(FuncId::from_u32(0), vec![count, memory]);
        let callback = body.func_addr(FuncId::from_u32(0));
        body.helper(181, vec![count, callback, memory, count]);
        body.ret(None);
        let mut module = Module::default();
        module.functions.push(step.finish());
        module.functions.push(body.finish());
        let expected = "\n
function f0 step (v0: scalar, v1: memory) -> scalar
  b0:
    return v0

function f1 body_p0 (v0: context, v1: frame)
    s0: 8 bytes ; sum
  b0:
    v2 = const 9
    v3 = address s0+0
    v4 = call f0 (v2, v3)
    v5 = function f0
    v6 = helper 181 (v2, v5, v3, v2)
    return
";
        assert_eq!(super::print(&module), expected);
    }
}
