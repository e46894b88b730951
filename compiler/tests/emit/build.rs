//! Building modules by hand, briefly, and without the care of `FunctionBuilder`: broken ones too.

use pfscript_compiler::ir::{
    Arith, Block, BlockData, Condition, Function, InstData, Literal, MapData, MapId, Module,
    ProbeData, ProbeId, Signature, Slot, SlotData, Value, Width,
};
use pfscript_compiler::program::ProgramKind;
use pfscript_grammar::Span;

/// Builds a function, block by block.
pub struct Body {
    pub function: Function,
    /// Where instructions go.
    pub block: Block,
    /// The place in the script that instructions get.
    pub span: Span,
}

impl Body {
    /// The body of a probe.
    pub fn new() -> Body {
        Body::of("body", Signature::body())
    }

    pub fn of(symbol: &str, signature: Signature) -> Body {
        let mut function = Function::new(symbol, signature);
        let block = function.blocks.push(BlockData::default());
        Body {
            function,
            block,
            span: Span::new(0, 0),
        }
    }

    pub fn block(&mut self) -> Block {
        self.function.blocks.push(BlockData::default())
    }

    pub fn slot(&mut self, name: &str, size: u32) -> Slot {
        self.function.slots.push(SlotData {
            size,
            zeroed: false,
            framed: false,
            name: name.to_owned(),
            outer: None,
        })
    }

    pub fn zeroed_slot(&mut self, name: &str, size: u32) -> Slot {
        let slot = self.slot(name, size);
        self.function.slots[slot].zeroed = true;
        slot
    }

    pub fn literal(&mut self, bytes: &[u8]) -> Literal {
        self.function.literals.push(bytes.to_vec())
    }

    pub fn push(&mut self, data: InstData) {
        self.function.append(self.block, data, self.span);
    }

    pub fn value(&mut self, data: InstData) -> Value {
        self.function.define(self.block, data, self.span)
    }

    pub fn constant(&mut self, constant: i64) -> Value {
        self.value(InstData::Const(constant))
    }

    pub fn context(&mut self) -> Value {
        self.param(0)
    }

    pub fn param(&self, index: usize) -> Value {
        self.function.params[index]
    }

    pub fn arith(&mut self, op: Arith, left: Value, right: Value) -> Value {
        self.value(InstData::Arith {
            op,
            args: [left, right],
        })
    }

    pub fn compare(&mut self, condition: Condition, left: Value, right: Value) -> Value {
        self.value(InstData::Compare {
            condition,
            args: [left, right],
        })
    }

    pub fn extend(&mut self, width: Width, signed: bool, arg: Value) -> Value {
        self.value(InstData::Extend { width, signed, arg })
    }

    pub fn load(&mut self, base: Value, offset: i32, width: Width) -> Value {
        self.value(InstData::Load {
            base,
            offset,
            width,
            signed: false,
        })
    }

    pub fn store(&mut self, base: Value, offset: i32, width: Width, value: Value) {
        self.push(InstData::Store {
            base,
            offset,
            width,
            value,
        });
    }

    pub fn slot_addr(&mut self, slot: Slot) -> Value {
        self.value(InstData::SlotAddr { slot, offset: 0 })
    }

    pub fn slot_load(&mut self, slot: Slot, offset: u32, width: Width, signed: bool) -> Value {
        self.value(InstData::SlotLoad {
            slot,
            offset,
            width,
            signed,
        })
    }

    pub fn slot_store(&mut self, slot: Slot, offset: u32, width: Width, value: Value) {
        self.push(InstData::SlotStore {
            slot,
            offset,
            width,
            value,
        });
    }

    pub fn map(&mut self, map: MapId) -> Value {
        self.value(InstData::MapPointer(map))
    }

    pub fn helper(&mut self, helper: u32, args: &[Value]) -> Value {
        self.value(InstData::CallHelper {
            helper,
            args: args.to_vec(),
        })
    }

    pub fn routine(&mut self, routine: &'static str, args: &[Value]) -> Value {
        self.value(InstData::CallRoutine {
            routine,
            args: args.to_vec(),
        })
    }

    pub fn jump(&mut self, target: Block) {
        self.push(InstData::Jump(target));
    }

    pub fn branch(
        &mut self,
        condition: Condition,
        args: [Value; 2],
        then: Block,
        otherwise: Block,
    ) {
        self.push(InstData::Branch {
            condition,
            args,
            then,
            otherwise,
        });
    }

    /// Ends the body.
    pub fn done(mut self) -> Function {
        self.push(InstData::Return(None));
        self.function
    }

    /// Ends the function with a result.
    pub fn gives(mut self, result: Value) -> Function {
        self.push(InstData::Return(Some(result)));
        self.function
    }
}

pub use pfscript_probes::abi::helper;

pub fn map(symbol: &str, map_type: u32, key_size: u32, value_size: u32, entries: u32) -> MapData {
    MapData {
        symbol: symbol.to_owned(),
        map_type,
        key_size,
        value_size,
        max_entries: entries,
        flags: 0,
    }
}

/// The map of losses, which templates need.
pub fn loss_map() -> MapData {
    map("pf_map_loss", 6, 4, 8, 64)
}

/// A module of maps and bodies, all of programs that are run once.
pub fn module(maps: Vec<MapData>, bodies: Vec<Function>) -> Module {
    let mut module = Module::default();
    for map in maps {
        module.maps.push(map);
    }
    for body in bodies {
        add_probe(&mut module, ProgramKind::Once, false, body);
    }
    module
}

/// Adds a probe of a kind to a module.
pub fn add_probe(
    module: &mut Module,
    kind: ProgramKind,
    narrowed: bool,
    mut body: Function,
) -> ProbeId {
    body.symbol = format!("body_{}", module.probes.next_key());
    let body = module.functions.push(body);
    module.probes.push(ProbeData {
        kind,
        narrowed,
        stops: false,
        body,
    })
}

/// A body that goes on if the output is there; the output.
pub fn with_output() -> (Body, Value) {
    output_of(Body::new())
}

/// The same for a body that is begun.
pub fn output_of(mut body: Body) -> (Body, Value) {
    let key = body.zeroed_slot("key", 8);
    let arguments = [body.map(MapId::from_u32(0)), body.slot_addr(key)];
    let output = body.helper(helper::MAP_LOOKUP_ELEM, &arguments);
    let (missing, found) = (body.block(), body.block());
    let zero = body.constant(0);
    body.branch(Condition::Eq, [output, zero], missing, found);
    body.block = missing;
    body.push(InstData::Return(None));
    body.block = found;
    (body, output)
}

pub fn word(body: &mut Body, index: i32) -> Value {
    let context = body.context();
    body.load(context, index * 8, Width::W64)
}
