//! The IR as text, for `-d ir` and for golden tests. What values and slots are called is decided in `names`.
//!
//! In comes a module, out goes text. Nothing reads it back.

use super::names::{self, Names, kind_name};
use super::{Block, Function, Inst, InstData, MapData, Module, Slot, Value};
use cranelift_entity::EntityRef;
use pfscript_probes::abi::helper;
use std::fmt::Write;

/// Writes a module as text.
pub fn print(module: &Module) -> String {
    let mut out = String::new();
    for map in module.maps.values() {
        line(&mut out, format_args!("{}", self::map(map)));
    }
    out.push('\n');
    for (id, probe) in &module.probes {
        let body = &module.functions[probe.body].symbol;
        line(
            &mut out,
            format_args!("probe {id} {} runs {body}", probe.kind.info().name),
        );
    }
    for data in module.functions.values() {
        let params: Vec<String> = data
            .signature
            .params
            .iter()
            .enumerate()
            .map(|(index, &kind)| match names::param(index, kind) {
                name if name == kind_name(kind) => name,
                name => format!("{name}: {}", kind_name(kind)),
            })
            .collect();
        let result = match data.signature.result {
            Some(kind) => format!(" -> {}", kind_name(kind)),
            None => String::new(),
        };
        line(
            &mut out,
            format_args!("\nfunction {} ({}){result}", data.symbol, params.join(", ")),
        );
        function(&mut out, module, data);
    }
    out
}

/// A map, in a line.
pub fn map(map: &MapData) -> String {
    format!(
        "map {}: type {} key {} value {} entries {} flags {:#x}",
        map.symbol, map.map_type, map.key_size, map.value_size, map.max_entries, map.flags
    )
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

fn function(out: &mut String, module: &Module, function: &Function) {
    let names = Names::new(module, function);
    for (slot, data) in &function.slots {
        let zeroed = if data.zeroed { " zeroed" } else { "" };
        let framed = if data.framed { " framed" } else { "" };
        let of = data.outer.map_or(String::new(), |(function, _)| {
            format!(" of {}", module.functions[function].symbol)
        });
        line(
            out,
            format_args!(
                "    {}: {} bytes{zeroed}{framed}{of}",
                names.slot(slot),
                data.size
            ),
        );
    }
    for (block, data) in &function.blocks {
        if data.insts.is_empty() {
            continue;
        }
        line(out, format_args!("  {block}:"));
        for &inst in &data.insts {
            if names.is_in_place(function, inst) {
                continue;
            }
            let text = instruction(module, function, inst, block, &names);
            match names.defined(function, inst) {
                Some(name) => line(out, format_args!("    {name} = {text}")),
                None => line(out, format_args!("    {text}")),
            }
        }
    }
}

fn instruction(
    module: &Module,
    function: &Function,
    inst: Inst,
    block: Block,
    names: &Names,
) -> String {
    let v = |value: &Value| names.value(*value, block);
    let list = |args: &[Value]| args.iter().map(v).collect::<Vec<_>>().join(", ");
    let at = |slot: &Slot, offset: &u32| format!("{}+{offset}", names.slot(*slot));
    let sign = |signed: &bool| if *signed { "s" } else { "u" };
    let lower = |name: &dyn std::fmt::Debug| format!("{name:?}").to_lowercase();
    match &function.insts[inst] {
        InstData::Const(value) => format!("const {value}"),
        InstData::Arith { op, args } => format!("{} {}", lower(op), list(args)),
        InstData::Compare { condition, args } => format!("{} {}", lower(condition), list(args)),
        InstData::Extend { width, signed, arg } => {
            format!("extend {}{} {}", sign(signed), width.bytes() * 8, v(arg))
        }
        InstData::Load {
            base,
            offset,
            width,
            signed,
        } => format!(
            "load {}{} {}+{offset}",
            sign(signed),
            width.bytes() * 8,
            v(base)
        ),
        InstData::Store {
            base,
            offset,
            width,
            value,
        } => format!(
            "store {} {}+{offset}, {}",
            width.bytes() * 8,
            v(base),
            v(value)
        ),
        InstData::AtomicAdd {
            base,
            offset,
            value,
        } => format!("atomic add {}+{offset}, {}", v(base), v(value)),
        InstData::SlotAddr { slot, offset } => format!("address {}", at(slot, offset)),
        InstData::SlotLoad {
            slot,
            offset,
            width,
            signed,
        } => format!(
            "load {}{} {}",
            sign(signed),
            width.bytes() * 8,
            at(slot, offset)
        ),
        InstData::SlotStore {
            slot,
            offset,
            width,
            value,
        } => format!(
            "store {} {}, {}",
            width.bytes() * 8,
            at(slot, offset),
            v(value)
        ),
        InstData::SlotZero {
            slot,
            offset,
            bytes,
        } => format!("zero {}, {bytes}", at(slot, offset)),
        InstData::SlotCopy { from, to, bytes } => format!(
            "copy {}, {}, {bytes}",
            at(&from.slot, &from.offset),
            at(&to.slot, &to.offset)
        ),
        InstData::LoadBytes {
            base,
            slot,
            offset,
            bytes,
        } => format!("copy {}, {}, {bytes}", v(base), at(slot, offset)),
        InstData::SlotBytes {
            slot,
            offset,
            literal,
            bytes,
        } => format!(
            "bytes {}, \"{}\", {bytes}",
            at(slot, offset),
            function.literals[*literal].escape_ascii()
        ),
        InstData::Link { slot, context } => {
            let context = if *context { ", context" } else { "" };
            format!("link {}{context}", names.slot(*slot))
        }
        InstData::Context => "context".into(),
        InstData::MapPointer(map) => format!("map m{}", map.index()),
        InstData::CallHelper { helper, args } => match helper::name(*helper) {
            Some(name) => format!("helper {name} ({})", list(args)),
            None => format!("helper {helper} ({})", list(args)),
        },
        InstData::FuncAddr(function) => format!("function {function}"),
        InstData::Call { function, args } => {
            format!(
                "call {} ({})",
                module.functions[*function].symbol,
                list(args)
            )
        }
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
        InstData::Return(Some(value)) => format!("return {}", v(value)),
    }
}

#[cfg(test)]
mod tests {
    use crate::ir::{FuncId, FunctionBuilder, Kind, Module, Signature};

    #[test]
    fn functions_are_shown_with_their_signatures_and_called_by_their_names() {
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
function step (p0: scalar, p1: memory) -> scalar
  b0:
    return p0

function body_p0 (context, frame)
    sum: 8 bytes
  b0:
    call step (9, &sum+0)
    helper loop (9, step, &sum+0, 9)
    return
";
        assert_eq!(super::print(&module), expected);
    }
}
