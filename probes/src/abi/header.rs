//! Prints `bpf/abi.h`.
//!
//! In come the tables of the parent, out goes the text of the C header. `probes/build` writes the file.

use super::layout::{Struct, Type};
use super::{CAUSES, CONSTANTS, LAYOUTS, LOSS_CAUSES, map};
use std::fmt::Write;

/// The text of `bpf/abi.h`.
pub fn c_header() -> String {
    let mut out = String::from(
        "/* Written by probes/build from src/abi.rs. Do not edit. */\n\
         #ifndef PFSCRIPT_ABI_H\n#define PFSCRIPT_ABI_H\n\n#include <linux/types.h>\n\n\
         /* Causes of loss. */\nenum pf_loss_cause {\n",
    );
    // Writing to a string cannot fail, here and below.
    for (name, doc) in CAUSES {
        let _ = writeln!(out, "\t{}, /* {} */", c_name(name), joined(doc));
    }
    let _ = writeln!(out, "}};\n#define PF_LOSS_CAUSES {LOSS_CAUSES}\n");
    for (name, value, doc) in CONSTANTS {
        let _ = writeln!(out, "/* {} */", joined(doc));
        let _ = match u32::try_from(*value) {
            Ok(value) => writeln!(out, "#define PF_{name} {value}"),
            Err(_) => writeln!(out, "#define PF_{name} {value:#x}ULL"),
        };
    }
    for layout in LAYOUTS {
        structure(&mut out, layout);
    }
    out.push('\n');
    for (symbol, doc) in map::REFERRED {
        let _ = writeln!(out, "extern char {symbol}; /* {doc} */");
    }
    out.push_str("\n#endif\n");
    out
}

/// A structure, and that C puts its fields where Rust does.
fn structure(out: &mut String, layout: &Struct) {
    let name = layout.name;
    let _ = writeln!(out, "\n/* {} */\nstruct pf_{name} {{", layout.doc);
    for field in layout.fields {
        let declared = match field.ty {
            Type::U32 => format!("__u32 {}", field.name),
            Type::U64 => format!("__u64 {}", field.name),
            Type::Bytes => format!("__u8 {}[]", field.name),
            Type::Words => format!("__u64 {}[]", field.name),
            Type::Struct(inner) => format!("struct pf_{} {}", inner.name, field.name),
            Type::Structs(inner, count) => {
                format!("struct pf_{} {}[{count}]", inner.name, field.name)
            }
        };
        let _ = writeln!(out, "\t{declared}; /* {} */", field.doc);
    }
    let _ = writeln!(out, "}};");
    for field in layout.fields {
        let offset = layout.extent(field.name).offset;
        let _ = writeln!(
            out,
            "_Static_assert(__builtin_offsetof(struct pf_{name}, {}) == {offset}, \"as in src/abi.rs\");",
            field.name
        );
    }
}

/// `SomeCause` as C has it: `PF_SOME_CAUSE`.
fn c_name(name: &str) -> String {
    let mut out = String::from("PF");
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(character.to_ascii_uppercase());
    }
    out
}

/// Lines of a doc comment as one line of C.
fn joined(doc: &[&str]) -> String {
    let lines: Vec<&str> = doc.iter().map(|line| line.trim()).collect();
    lines.join(" ").replace('`', "")
}

#[test]
fn the_header_in_bpf_is_up_to_date() {
    let committed = include_str!("../../bpf/abi.h");
    assert!(committed == c_header(), "run probes/build");
}
