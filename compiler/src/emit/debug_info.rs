//! BTF for the kernel: what the functions are called, and which line of the script each instruction comes from.
//!
//! `func_info` must name every function of a program once callbacks are in it, and `line_info` must begin every function
//! (`check_btf_func`, `check_btf_line`). One `int` and one function type without parameters serve nearly all: linkage is static,
//! so the verifier looks at what is passed, not at what the type says (on 5.10, `btf_check_func_arg_match` compares
//! the parameters that the type has: none). Those that the verifier checks once have global linkage, and types that say what they
//! take: numbers of 64 bits.

use super::asm::{Code, INSN_BYTES};
use super::link::{Linked, LinkedFunction};
use super::source::Source;
use std::collections::HashMap;

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
const BTF_HEADER_BYTES: u32 = 24;
const EXT_HEADER_BYTES: u32 = 32;

const KIND_INT: u32 = 1;
const KIND_FUNC: u32 = 12;
const KIND_FUNC_PROTO: u32 = 13;
/// `BTF_FUNC_STATIC`
const LINKAGE_STATIC: u32 = 0;
/// `BTF_FUNC_GLOBAL`
const LINKAGE_GLOBAL: u32 = 1;
const INT_SIGNED: u32 = 1 << 24;
const INT_ID: u32 = 1;
const FUNC_PROTO_ID: u32 = 2;
const LONG_ID: u32 = 3;

/// `struct bpf_func_info`: instruction, type.
const FUNC_INFO_BYTES: u32 = 8;
/// `struct bpf_line_info`: instruction, file name, line's text, line and column.
const LINE_INFO_BYTES: u32 = 16;
/// The line's number is above the column's 10 bits in `line_col`.
const COLUMN_BITS: u32 = 10;

/// How lines of templates are called in the kernel's messages.
const TEMPLATE_FILE: &str = "template";

/// The contents of the two sections.
#[derive(Debug)]
pub struct DebugInfo {
    /// `.BTF`
    pub btf: Vec<u8>,
    /// `.BTF.ext`
    pub ext: Vec<u8>,
}

/// Describes all functions.
pub fn describe(linked: &Linked, source: &Source<'_>) -> DebugInfo {
    let mut strings = Strings::default();
    strings.add("");
    let mut types = Types::new(&mut strings);
    let mut func_info = vec![FUNC_INFO_BYTES];
    let mut line_info = vec![LINE_INFO_BYTES];

    let mut section = |name: &str, functions: &[&LinkedFunction]| {
        let name = strings.add(name);
        func_info.extend([name, functions.len() as u32]);
        let mut lines = Vec::new();
        let mut start = 0;
        for function in functions {
            let id = types.function(&mut strings, function);
            func_info.extend([start, id]);
            let template = format!("routine {}", function.symbol);
            lines.extend(lines_of(
                &function.code,
                start,
                source,
                &template,
                &mut strings,
            ));
            start += function.code.bytes() as u32;
        }
        line_info.extend([name, lines.len() as u32]);
        line_info.extend(lines.into_iter().flatten());
    };
    for program in &linked.programs {
        section(&program.section, &[&program.entry]);
    }
    if !linked.functions.is_empty() {
        let functions: Vec<&LinkedFunction> = linked.functions.iter().collect();
        section(".text", &functions);
    }
    DebugInfo {
        btf: btf(&types.words, &strings.bytes),
        ext: ext(&func_info, &line_info),
    }
}

/// The lines of a function that begins `start` bytes into its section, as `struct bpf_line_info`.
fn lines_of(
    code: &Code,
    start: u32,
    source: &Source<'_>,
    template: &str,
    strings: &mut Strings,
) -> Vec<[u32; 4]> {
    let mut lines: Vec<[u32; 4]> = Vec::new();
    let first_place = code.places.first().map_or(usize::MAX, |&(index, _)| index);
    if first_place > 0 {
        lines.push([start, strings.add(TEMPLATE_FILE), strings.add(template), 0]);
    }
    let file = strings.add(source.name);
    for &(index, span) in &code.places {
        let position = source.position(span);
        let column = position.column.min((1 << COLUMN_BITS) - 1);
        lines.push([
            start + (index * INSN_BYTES) as u32,
            file,
            strings.add(&source.line(position.line)),
            position.line << COLUMN_BITS | column,
        ]);
    }
    lines
}

/// The string section, each string once.
#[derive(Default)]
struct Strings {
    bytes: Vec<u8>,
    offsets: HashMap<String, u32>,
}

impl Strings {
    /// The offset of a string. A string ends at its first zero byte, so none may be inside.
    fn add(&mut self, text: &str) -> u32 {
        if let Some(&offset) = self.offsets.get(text) {
            return offset;
        }
        let offset = self.bytes.len() as u32;
        self.bytes.extend(text.bytes().filter(|&byte| byte != 0));
        self.bytes.push(0);
        self.offsets.insert(text.to_owned(), offset);
        offset
    }
}

/// The type section.
struct Types {
    words: Vec<u32>,
    last: u32,
}

impl Types {
    fn new(strings: &mut Strings) -> Types {
        let int = [strings.add("int"), KIND_INT << 24, 4, INT_SIGNED | 32];
        let proto = [0, KIND_FUNC_PROTO << 24, INT_ID];
        let long = [strings.add("unsigned long"), KIND_INT << 24, 8, 64];
        Types {
            words: int.into_iter().chain(proto).chain(long).collect(),
            last: LONG_ID,
        }
    }

    /// Adds a type: its words in the file.
    fn add(&mut self, words: impl IntoIterator<Item = u32>) -> u32 {
        self.words.extend(words);
        self.last += 1;
        self.last
    }

    fn function(&mut self, strings: &mut Strings, function: &LinkedFunction) -> u32 {
        let name = strings.add(&function.symbol);
        let Some(parameters) = function.global else {
            return self.add([name, KIND_FUNC << 24 | LINKAGE_STATIC, FUNC_PROTO_ID]);
        };
        let parameter = [strings.add("number"), LONG_ID];
        let proto = [0, KIND_FUNC_PROTO << 24 | parameters as u32, LONG_ID];
        let parameters = std::iter::repeat_n(parameter, parameters).flatten();
        let proto = self.add(proto.into_iter().chain(parameters));
        self.add([name, KIND_FUNC << 24 | LINKAGE_GLOBAL, proto])
    }
}

fn header(header_bytes: u32, rest: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(MAGIC.to_le_bytes());
    bytes.extend([VERSION, 0]);
    bytes.extend(header_bytes.to_le_bytes());
    bytes.extend(encode(rest));
    bytes
}

fn encode(words: &[u32]) -> impl Iterator<Item = u8> {
    words.iter().flat_map(|word| word.to_le_bytes())
}

fn btf(types: &[u32], strings: &[u8]) -> Vec<u8> {
    let type_bytes = (types.len() * 4) as u32;
    let mut bytes = header(
        BTF_HEADER_BYTES,
        &[0, type_bytes, type_bytes, strings.len() as u32],
    );
    bytes.extend(encode(types));
    bytes.extend(strings);
    bytes
}

fn ext(func_info: &[u32], line_info: &[u32]) -> Vec<u8> {
    let func_bytes = (func_info.len() * 4) as u32;
    let line_bytes = (line_info.len() * 4) as u32;
    // The last pair is the CO-RE relocations, of which there are none.
    let mut bytes = header(
        EXT_HEADER_BYTES,
        &[
            0,
            func_bytes,
            func_bytes,
            line_bytes,
            func_bytes + line_bytes,
            0,
        ],
    );
    bytes.extend(encode(func_info));
    bytes.extend(encode(line_info));
    bytes
}
