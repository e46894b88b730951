//! The prebuilt objects, read into templates: by the build script, which makes a table of them, and by tests.
//!
//! In come the ELF files that `probes/build` made. Out go functions by name, each with the places that a linker fills. What
//! clang left as a relocation, against a symbol or against a section, and what it resolved by itself (calls within a section)
//! come out alike. Nothing is linked here.

use std::{borrow::Cow, collections::BTreeMap};

use object::{
    Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget, SectionKind,
    SymbolKind, elf,
};

use crate::template::{BODY, MAP_PREFIX, PARAMETER_PREFIX, Referent, Relocation, Template};

/// The section of signatures (`pf_template` in `bpf/template.h`).
const SIGNATURES: &str = ".pf_signatures";
/// Bytes of an instruction.
const INSTRUCTION: usize = 8;
/// Opcode of a call (`BPF_JMP | BPF_CALL`).
const CALL: u8 = 0x85;
/// Source register of a call that goes to a function of the program, not to a helper (`BPF_PSEUDO_CALL`).
const PSEUDO_CALL: u8 = 1;
/// Opcode of a load of 64 bits, two instructions long (`BPF_LD | BPF_IMM | BPF_DW`).
const LOAD_64: u8 = 0x18;

/// The templates of all objects, given by file name and bytes, in the order of their names. Every template that another one
/// refers to is there.
///
/// # Errors
/// What is wrong with which object.
pub fn read(objects: &[(&str, &'static [u8])]) -> Result<Vec<Template<'static>>, String> {
    let mut templates = BTreeMap::new();
    for &(object, bytes) in objects {
        let fail = |message| format!("template object {object}: {message}");
        for template in read_object(bytes).map_err(fail)? {
            let name = template.name;
            if templates.insert(name, (object, template)).is_some() {
                return Err(fail(format!("there are two functions {name}")));
            }
        }
    }
    for (name, (object, template)) in &templates {
        for relocation in template.relocations.iter() {
            if let Referent::Call(target) | Referent::Callback(target) = relocation.referent
                && !templates.contains_key(target)
            {
                return Err(format!(
                    "template object {object}: {name} refers to {target}, which no object defines"
                ));
            }
        }
    }
    let by_name = templates.into_values();
    Ok(by_name.map(|(_, template)| template).collect())
}

/// Where functions begin: `(index of the section, offset)` to name.
type Functions = BTreeMap<(usize, u64), &'static str>;

/// The functions of one object.
fn read_object(bytes: &'static [u8]) -> Result<Vec<Template<'static>>, String> {
    let file = object::File::parse(bytes).map_err(|error| error.to_string())?;
    if file.architecture() != object::Architecture::Bpf || !file.is_little_endian() {
        return Err("it is not for little-endian eBPF".to_owned());
    }
    let mut functions = Functions::new();
    for symbol in file.symbols() {
        if let (SymbolKind::Text, Some(section)) = (symbol.kind(), symbol.section_index()) {
            let name = symbol.name().map_err(|error| error.to_string())?;
            functions.insert((section.0, symbol.address()), name);
        }
    }
    let signatures = signatures(&file)?;
    let mut templates = Vec::new();
    for section in file.sections() {
        if section.kind() != SectionKind::Text {
            continue;
        }
        let data = section.data().map_err(|error| error.to_string())?;
        let mut relocations = BTreeMap::new();
        for (offset, relocation) in section.relocations() {
            let RelocationTarget::Symbol(symbol) = relocation.target() else {
                return Err(format!("the relocation at {offset:#x} has no symbol"));
            };
            let RelocationFlags::Elf { r_type } = relocation.flags() else {
                return Err(format!("the relocation at {offset:#x} is not ELF's"));
            };
            let symbol = file
                .symbol_by_index(symbol)
                .map_err(|error| error.to_string())?;
            relocations.insert(offset, (r_type, symbol));
        }
        for symbol in file.symbols() {
            if symbol.kind() != SymbolKind::Text || symbol.section_index() != Some(section.index())
            {
                continue;
            }
            let name = symbol.name().map_err(|error| error.to_string())?;
            let start = symbol.address();
            let end = start.saturating_add(symbol.size());
            let code = usize::try_from(start)
                .ok()
                .zip(usize::try_from(end).ok())
                .and_then(|(start, end)| data.get(start..end))
                .filter(|code| !code.is_empty() && code.len() % INSTRUCTION == 0)
                .ok_or_else(|| format!("{name} does not fit its section"))?;
            let mut template = Template {
                name,
                signature: signatures
                    .get(name)
                    .ok_or_else(|| format!("{name} is not declared with pf_template"))?,
                code: Cow::Borrowed(code),
                relocations: &[],
            };
            let mut filled = Vec::new();
            let mut at = 0;
            while at < code.len() {
                let offset = start + at as u64;
                let instruction = Instruction::read(&code[at..]);
                let referent = match relocations.remove(&offset) {
                    Some((r_type, symbol)) => Some(
                        resolve(r_type, &symbol, instruction, &functions).map_err(|message| {
                            format!("{name}, instruction {}: {message}", at / INSTRUCTION)
                        })?,
                    ),
                    None if instruction.is_call() => {
                        let target = offset.wrapping_add(INSTRUCTION as u64).wrapping_add_signed(
                            i64::from(instruction.immediate) * INSTRUCTION as i64,
                        );
                        let target =
                            functions.get(&(section.index().0, target)).ok_or_else(|| {
                                format!(
                                    "{name}, instruction {}: a call into nowhere",
                                    at / INSTRUCTION
                                )
                            })?;
                        Some(Referent::Call(target))
                    }
                    None => None,
                };
                if let Some(referent) = referent {
                    filled.push(Relocation {
                        instruction: at / INSTRUCTION,
                        referent,
                    });
                    clear_immediate(template.code.to_mut(), at, instruction);
                }
                at += instruction.size();
            }
            template.relocations = filled.leak();
            templates.push(template);
        }
        if let Some(offset) = relocations.keys().next() {
            return Err(format!(
                "the relocation at {offset:#x} is in no function or amid an instruction"
            ));
        }
    }
    Ok(templates)
}

/// The signatures that the sources left as strings, by function.
fn signatures(
    file: &object::File<'static>,
) -> Result<BTreeMap<&'static str, &'static str>, String> {
    let Some(section) = file.section_by_name(SIGNATURES) else {
        return Ok(BTreeMap::new());
    };
    let data = section.data().map_err(|error| error.to_string())?;
    data.split(|byte| *byte == 0)
        .filter(|text| !text.is_empty())
        .map(|text| {
            let text = str::from_utf8(text).map_err(|error| error.to_string())?;
            let (name, _) = text
                .split_once('(')
                .ok_or_else(|| format!("{text:?} is no signature"))?;
            Ok((name, text))
        })
        .collect()
}

/// What the linker must know of an instruction.
#[derive(Clone, Copy)]
struct Instruction {
    opcode: u8,
    source: u8,
    immediate: i32,
}

impl Instruction {
    /// Reads the instruction that `bytes` (at least one instruction) begins with.
    fn read(bytes: &[u8]) -> Instruction {
        Instruction {
            opcode: bytes[0],
            source: bytes[1] >> 4,
            immediate: i32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        }
    }

    /// Whether it calls a function of the program.
    fn is_call(self) -> bool {
        self.opcode == CALL && self.source == PSEUDO_CALL
    }

    /// Its length in bytes.
    fn size(self) -> usize {
        if self.opcode == LOAD_64 {
            2 * INSTRUCTION
        } else {
            INSTRUCTION
        }
    }
}

/// What a relocation stands for. Clang writes an offset within the symbol into the instruction: of a call, in
/// instructions and less one; of a load, in bytes (llvm/lib/Target/BPF/MCTargetDesc). It is not zero where the symbol
/// is a section's.
fn resolve<'data>(
    r_type: elf::RelocationType,
    symbol: &impl ObjectSymbol<'data>,
    instruction: Instruction,
    functions: &Functions,
) -> Result<Referent<'static>, String>
where
    'data: 'static,
{
    let call = match r_type {
        elf::R_BPF_64_32 if instruction.is_call() => true,
        elf::R_BPF_64_64 if instruction.opcode == LOAD_64 => false,
        _ => {
            return Err(format!(
                "relocation type {} on opcode {:#x}",
                r_type.0, instruction.opcode
            ));
        }
    };
    let addend = if call {
        (i64::from(instruction.immediate) + 1) * INSTRUCTION as i64
    } else {
        i64::from(instruction.immediate)
    };
    if let Some(section) = symbol.section_index() {
        let target = symbol.address().wrapping_add_signed(addend);
        let name = functions
            .get(&(section.0, target))
            .ok_or("a reference to data or into a function")?;
        return Ok(if call {
            Referent::Call(name)
        } else {
            Referent::Callback(name)
        });
    }
    let name = symbol.name().map_err(|error| error.to_string())?;
    if addend != 0 {
        return Err(format!("a reference to {name} and {addend} bytes"));
    }
    Ok(match (call, name) {
        (true, BODY) => Referent::Hole,
        (true, _) => Referent::Call(name),
        (false, _) if name.starts_with(MAP_PREFIX) => Referent::Map(name),
        (false, _) if name.starts_with(PARAMETER_PREFIX) => Referent::Parameter(name),
        (false, _) => Referent::Callback(name),
    })
}

/// Zeroes the immediate field of the instruction at `at`, both halves of a 64-bit load's.
fn clear_immediate(code: &mut [u8], at: usize, instruction: Instruction) {
    for half in (at..at + instruction.size()).step_by(INSTRUCTION) {
        if let Some(field) = code.get_mut(half + 4..half + INSTRUCTION) {
            field.fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Routines that refer to none of other objects.
    const LOSS: &[u8] = include_bytes!("../prebuilt/events.bpf.o");
    const STACK: &[u8] = include_bytes!("../prebuilt/stack.bpf.o");

    #[test]
    fn a_truncated_object_is_an_error_and_not_a_panic() {
        for length in 0..LOSS.len() {
            let _ = read(&[("short.bpf.o", &LOSS[..length])]);
        }
        let error = read(&[("short.bpf.o", &LOSS[..40])]).unwrap_err();
        assert!(error.contains("short.bpf.o"), "{error}");
    }

    #[test]
    fn a_routine_that_no_object_defines_is_an_error() {
        let error = read(&[("stack.bpf.o", STACK)]).unwrap_err();
        assert!(error.contains("pf_loss"), "{error}");
    }

    #[test]
    fn a_name_defined_twice_is_an_error() {
        let error = read(&[("a.bpf.o", LOSS), ("b.bpf.o", LOSS)]).unwrap_err();
        assert!(error.contains("two functions"), "{error}");
    }

    /// An object such as clang makes of static functions: `pf_caller` calls `pf_static` once by distance, without a
    /// relocation, and once by section; and it takes its address by section.
    fn object_with_statics() -> &'static [u8] {
        use object::{SectionKind, SymbolFlags, SymbolScope, write};
        let mut file = write::Object::new(
            object::BinaryFormat::Elf,
            object::Architecture::Bpf,
            object::Endianness::Little,
        );
        let text = file.add_section(vec![], b".text".to_vec(), SectionKind::Text);
        let code: [[u8; 8]; 6] = [
            [0x95, 0, 0, 0, 0, 0, 0, 0],                // pf_static: exit
            [0x85, 0x10, 0, 0, 0xfe, 0xff, 0xff, 0xff], // pf_caller: call two back
            [0x85, 0x10, 0, 0, 0xff, 0xff, 0xff, 0xff], // call .text + 0
            [0x18, 0x02, 0, 0, 8, 0, 0, 0],             // r2 = .text + 8 ll
            [0; 8],
            [0x95, 0, 0, 0, 0, 0, 0, 0],
        ];
        file.append_section_data(text, &code.concat(), 8);
        let signatures = file.add_section(
            vec![],
            SIGNATURES.as_bytes().to_vec(),
            SectionKind::ReadOnlyString,
        );
        file.append_section_data(signatures, b"pf_static(void)\0pf_caller(void)\0", 1);
        for (name, value, size) in [("pf_static", 0, 8), ("pf_caller", 8, 40)] {
            file.add_symbol(write::Symbol {
                name: name.into(),
                value,
                size,
                kind: SymbolKind::Text,
                scope: SymbolScope::Compilation,
                weak: false,
                section: write::SymbolSection::Section(text),
                flags: SymbolFlags::None,
            });
        }
        let symbol = file.section_symbol(text);
        for (offset, r_type) in [(16, elf::R_BPF_64_32), (24, elf::R_BPF_64_64)] {
            let flags = RelocationFlags::Elf { r_type };
            let relocation = write::Relocation {
                offset,
                symbol,
                addend: 0,
                flags,
            };
            file.add_relocation(text, relocation).unwrap();
        }
        file.write().unwrap().leak()
    }

    #[test]
    fn references_to_static_functions_get_their_names() {
        let templates = read(&[("static.bpf.o", object_with_statics())]).unwrap();
        let named = |name| templates.iter().find(|template| template.name == name);
        let caller = named("pf_caller").unwrap();
        let expected = [
            (0, Referent::Call("pf_static")),
            (1, Referent::Call("pf_static")),
            (2, Referent::Callback("pf_caller")),
        ];
        let found = caller.relocations.iter();
        assert!(found.map(|r| (r.instruction, r.referent)).eq(expected));
        assert_eq!(caller.code[4..8], [0; 4]);
        assert_eq!(caller.code[12..16], [0; 4]);
        assert_eq!(caller.code[20..24], [0; 4]);
        assert!(named("pf_static").unwrap().relocations.is_empty());
    }

    #[test]
    fn a_place_to_fill_holds_zero_and_every_call_is_one() {
        for name in crate::library().names() {
            let template = crate::library().get(name).unwrap();
            assert!(template.relocations.is_sorted_by_key(|r| r.instruction));
            let mut at = 0;
            while at < template.code.len() {
                let instruction = Instruction::read(&template.code[at..]);
                let filled = template
                    .relocations
                    .iter()
                    .any(|r| r.instruction * INSTRUCTION == at);
                if filled {
                    assert_eq!(instruction.immediate, 0, "{name}");
                }
                assert_eq!(
                    instruction.is_call() || instruction.opcode == LOAD_64 && filled,
                    filled,
                    "{name}"
                );
                at += instruction.size();
            }
        }
    }
}
