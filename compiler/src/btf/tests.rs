//! Answers from BTF that is written for the test: right ones, and none from bytes that are damaged.

use super::*;
use crate::recorded::BtfWriter;

/// A few types as kernels have them.
fn sample() -> Vec<u8> {
    let mut writer = BtfWriter::new();
    let int = writer.int("int", 4, 1);
    let long = writer.int("long unsigned int", 8, 0);
    let boolean = writer.int("_Bool", 1, 4);
    let byte = writer.int("char", 1, 0);
    let comm = writer.array(byte, 16);
    let constant = writer.reference(Kind::Const, "", byte);
    let text = writer.reference(Kind::Pointer, "", constant);
    let pid = writer.reference(Kind::Typedef, "pid_t", int);
    let file = writer.structure(
        Kind::Struct,
        "file",
        24,
        &[
            ("f_pos", long, 0, 0),
            ("f_name", text, 64, 0),
            ("f_flags", int, 128, 3),
            ("f_mode", int, 131, 5),
            ("f_ok", boolean, 160, 0),
        ],
    );
    let pointer = writer.reference(Kind::Pointer, "", file);
    let inner = writer.structure(
        Kind::Struct,
        "",
        8,
        &[("lo", int, 0, 0), ("hi", int, 32, 0)],
    );
    let union = writer.structure(
        Kind::Union,
        "",
        8,
        &[("both", long, 0, 0), ("", inner, 0, 0)],
    );
    let matrix = writer.array(comm, 4);
    let task = writer.structure(
        Kind::Struct,
        "task_struct",
        112,
        &[
            ("pid", pid, 0, 0),
            ("", union, 64, 0),
            ("comm", comm, 128, 0),
            ("file", pointer, 256, 0),
            ("names", matrix, 320, 0),
        ],
    );
    let proto = writer.prototype(&[("file", pointer), ("", TypeId::VOID)], int);
    writer.reference(Kind::Func, "vfs_read", proto);
    let callback = writer.reference(Kind::Pointer, "", proto);
    writer.reference(Kind::Typedef, "callback_t", callback);
    writer.enumeration("color", 4, false, &[("RED", 0), ("BLUE", 0x8000_0000)]);
    writer.enumeration("", 4, true, &[("MINUS", -1)]);
    writer.enumeration("wide", 8, false, &[("HUGE", 1 << 40)]);
    writer.forward("opaque", false);
    let task_pointer = writer.reference(Kind::Pointer, "", task);
    let constant_pointer = writer.reference(Kind::Const, "", task_pointer);
    writer.reference(Kind::Typedef, "task_ref", constant_pointer);
    writer.finish()
}

fn btf() -> Btf {
    Btf::new(sample()).unwrap()
}

fn find(btf: &Btf, kind: Kind, name: &str) -> TypeId {
    btf.find(kind, name).unwrap()
}

#[test]
fn types_are_found_by_kind_and_name() {
    let btf = btf();
    assert_eq!(btf.name(find(&btf, Kind::Struct, "file")), "file");
    assert_eq!(btf.find(Kind::Union, "file"), None);
    assert_eq!(btf.find(Kind::Struct, "fil"), None);
    assert_eq!(btf.find(Kind::Struct, "ile"), None);
    assert_eq!(btf.find(Kind::Struct, ""), None);
    assert_eq!(btf.kind(find(&btf, Kind::Enum, "wide")), Kind::Enum64);
    assert_eq!(
        btf.struct_names().collect::<Vec<_>>(),
        ["file", "task_struct"]
    );
    assert_eq!(btf.kind(TypeId(0)), Kind::Void);
    assert_eq!(btf.kind(TypeId(u32::MAX)), Kind::Void);
}

#[test]
fn types_that_are_found_together_are_those_that_are_found_alone() {
    let wanted = [
        (Kind::Struct, "file"),
        (Kind::Union, "file"),
        (Kind::Struct, "task_struct"),
        (Kind::Struct, "nothing"),
        (Kind::Typedef, "pid_t"),
        (Kind::Enum, "wide"),
        (Kind::Int, "unsigned long"),
        (Kind::Struct, ""),
    ];
    let together = btf();
    together.find_all(&wanted);
    for (kind, name) in wanted {
        let alone = btf().find(kind, name);
        assert_eq!(together.find(kind, name), alone, "{kind:?} {name}");
        assert_eq!(together.find(kind, name), alone, "{kind:?} {name} again");
    }
}

#[test]
fn integers_are_found_by_any_spelling() {
    let btf = btf();
    let long = find(&btf, Kind::Int, "long unsigned int");
    for spelling in ["unsigned long", "unsigned long int", "long unsigned"] {
        assert_eq!(btf.find(Kind::Int, spelling), Some(long), "{spelling}");
    }
    assert_eq!(btf.find(Kind::Int, "signed"), btf.find(Kind::Int, "int"));
    assert_eq!(btf.find(Kind::Int, "unsigned"), None);
    assert_eq!(btf.find(Kind::Int, "long"), None);
    assert_eq!(btf.find(Kind::Int, "unsigned char"), None);
}

#[test]
fn members_of_anonymous_structures_are_members() {
    let btf = btf();
    let task = find(&btf, Kind::Struct, "task_struct");
    assert_eq!(btf.member(task, "hi").unwrap().bit_offset, 64 + 32);
    assert_eq!(btf.member(task, "both").unwrap().bit_offset, 64);
    assert_eq!(btf.member(task, "comm").unwrap().bit_offset, 128);
    assert_eq!(btf.member(task, ""), None);
    assert_eq!(btf.member(task, "nothing"), None);
    assert_eq!(
        btf.member_names(task),
        ["pid", "both", "lo", "hi", "comm", "file", "names"]
    );
    let direct: Vec<&str> = btf.members(task).map(|member| member.name).collect();
    assert_eq!(direct, ["pid", "", "comm", "file", "names"]);
}

#[test]
fn bit_fields_have_a_width() {
    let btf = btf();
    let file = find(&btf, Kind::Struct, "file");
    let mode = btf.member(file, "f_mode").unwrap();
    assert_eq!((mode.bit_offset, mode.bitfield_bits), (131, Some(5)));
    let position = btf.member(file, "f_pos").unwrap();
    assert_eq!((position.bit_offset, position.bitfield_bits), (0, None));
}

#[test]
fn bit_fields_of_old_files_are_in_the_integer() {
    let mut writer = BtfWriter::new();
    let int = writer.int("int", 4, 1);
    writer.structure(
        Kind::Struct,
        "old",
        4,
        &[("a", int, 0, 0), ("b", int, 0, 0)],
    );
    let mut bytes = writer.finish();
    // The integer's encoding: signed, 3 bits, from bit 2.
    let encoding = 24 + 12;
    bytes[encoding..encoding + 4].copy_from_slice(&(1 << 24 | 2 << 16 | 3u32).to_le_bytes());
    let btf = Btf::new(bytes).unwrap();
    let member = btf.member(find(&btf, Kind::Struct, "old"), "b").unwrap();
    assert_eq!((member.bit_offset, member.bitfield_bits), (2, Some(3)));
}

#[test]
fn references_are_looked_through() {
    let btf = btf();
    let pid = find(&btf, Kind::Typedef, "pid_t");
    let int = btf.int(pid).unwrap();
    assert_eq!((int.bytes, int.bits, int.signed), (4, 32, true));
    assert!(btf.int(find(&btf, Kind::Int, "_Bool")).unwrap().is_bool);
    assert!(btf.int(find(&btf, Kind::Int, "char")).unwrap().is_char);
    let task = find(&btf, Kind::Struct, "task_struct");
    let reference = find(&btf, Kind::Typedef, "task_ref");
    assert_eq!(btf.pointee(reference), Some(task));
    assert_eq!(btf.pointee(task), None);
    let text = btf
        .member(find(&btf, Kind::Struct, "file"), "f_name")
        .unwrap();
    let target = btf.pointee(text.ty).unwrap();
    assert_eq!(btf.kind(target), Kind::Const);
    assert!(btf.int(btf.resolve(target)).unwrap().is_char);
}

#[test]
fn sizes_are_in_bytes() {
    let btf = btf();
    let task = find(&btf, Kind::Struct, "task_struct");
    assert_eq!(btf.size_of(task), Some(112));
    assert_eq!(btf.size_of(btf.member(task, "names").unwrap().ty), Some(64));
    assert_eq!(btf.size_of(btf.member(task, "file").unwrap().ty), Some(8));
    assert_eq!(btf.size_of(find(&btf, Kind::Forward, "opaque")), None);
    assert_eq!(btf.size_of(find(&btf, Kind::Func, "vfs_read")), None);
    assert_eq!(btf.size_of(TypeId::VOID), None);
    let (element, count) = btf.array(btf.member(task, "comm").unwrap().ty).unwrap();
    assert_eq!((btf.name(element), count), ("char", 16));
}

#[test]
fn functions_have_prototypes() {
    let btf = btf();
    let prototype = btf.function("vfs_read").unwrap();
    assert_eq!(prototype.params.len(), 1);
    assert_eq!(prototype.params[0].0, "file");
    assert!(prototype.variadic);
    assert_eq!(btf.name(prototype.ret), "int");
    assert_eq!(btf.function("vfs_write"), None);
}

#[test]
fn enumerators_have_values() {
    let btf = btf();
    let value = |name| btf.enumerator(name).map(|(_, value)| value);
    assert_eq!(value("RED"), Some(0));
    assert_eq!(value("BLUE"), Some(0x8000_0000));
    assert_eq!(value("MINUS"), Some(-1));
    assert_eq!(value("HUGE"), Some(1 << 40));
    assert_eq!(value("color"), None);
    let color = find(&btf, Kind::Enum, "color");
    let info = btf.enum_info(color).unwrap();
    assert_eq!((info.bytes, info.signed, info.count), (4, false, 2));
    let wide = find(&btf, Kind::Enum, "wide");
    assert_eq!(
        btf.enumerators(wide).collect::<Vec<_>>(),
        [("HUGE", 1 << 40)]
    );
}

#[test]
fn types_are_spelled_as_in_c() {
    let btf = btf();
    let task = find(&btf, Kind::Struct, "task_struct");
    let file = find(&btf, Kind::Struct, "file");
    let ty = |id, name| btf.member(id, name).unwrap().ty;
    assert_eq!(btf.c_name(task), "struct task_struct");
    assert_eq!(btf.c_name(ty(task, "file")), "struct file *");
    assert_eq!(btf.c_name(ty(task, "comm")), "char [16]");
    assert_eq!(btf.c_declaration(ty(task, "comm"), "comm"), "char comm[16]");
    assert_eq!(
        btf.c_declaration(ty(task, "names"), "names"),
        "char names[4][16]"
    );
    assert_eq!(btf.c_name(ty(file, "f_name")), "const char *");
    assert_eq!(
        btf.c_declaration(ty(file, "f_name"), "name"),
        "const char *name"
    );
    assert_eq!(btf.c_name(ty(task, "pid")), "pid_t");
    assert_eq!(btf.c_name(TypeId::VOID), "void");
    let target = |name| btf.target(find(&btf, Kind::Typedef, name)).unwrap();
    assert_eq!(
        btf.c_name(target("callback_t")),
        "int (*)(struct file *file, ...)"
    );
    assert_eq!(
        btf.c_declaration(target("callback_t"), "call"),
        "int (*call)(struct file *file, ...)"
    );
    assert_eq!(
        btf.c_declaration(target("task_ref"), "t"),
        "struct task_struct * const t"
    );
}

#[test]
fn definitions_show_members_of_anonymous_structures() {
    let btf = btf();
    let task = find(&btf, Kind::Struct, "task_struct");
    assert_eq!(
        btf.c_definition(task),
        "struct task_struct {\n\tpid_t pid;\n\tunion {\n\t\tlong unsigned int both;\n\t\tstruct {\n\
         \t\t\tint lo;\n\t\t\tint hi;\n\t\t};\n\t};\n\tchar comm[16];\n\tstruct file *file;\n\
         \tchar names[4][16];\n}"
    );
    let file = find(&btf, Kind::Struct, "file");
    assert!(btf.c_definition(file).contains("\tint f_flags: 3;\n"));
    let wide = find(&btf, Kind::Enum, "wide");
    assert_eq!(
        btf.c_definition(wide),
        "enum wide {\n\tHUGE = 1099511627776,\n}"
    );
}

#[test]
fn headers_are_checked() {
    let good = sample();
    let error = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        Btf::new(bytes).err()
    };
    assert_eq!(error(&|_| ()), None);
    assert_eq!(error(&|bytes| bytes.clear()), Some(BtfError::Truncated));
    assert_eq!(
        error(&|bytes| bytes.truncate(23)),
        Some(BtfError::Truncated)
    );
    assert_eq!(
        error(&|bytes| bytes.truncate(bytes.len() - 1)),
        Some(BtfError::Truncated)
    );
    assert_eq!(error(&|bytes| bytes[0] = 0), Some(BtfError::NotBtf));
    assert_eq!(error(&|bytes| bytes.swap(0, 1)), Some(BtfError::ByteOrder));
    assert_eq!(error(&|bytes| bytes[2] = 9), Some(BtfError::Version(9)));
    assert_eq!(error(&|bytes| bytes[7] = 0xff), Some(BtfError::Truncated));
}

/// Asks everything of everything.
fn exercise(bytes: Vec<u8>) {
    let Ok(btf) = Btf::new(bytes) else {
        return;
    };
    for id in btf.ids().chain([TypeId(0), TypeId(u32::MAX)]) {
        btf.name(id);
        btf.resolve(id);
        btf.pointee(id);
        btf.int(id);
        btf.array(id);
        btf.size_of(id);
        btf.enum_info(id);
        btf.enumerators(id).count();
        btf.member(id, "hi");
        btf.member_names(id);
        btf.prototype(id);
        btf.c_name(id);
        btf.c_definition(id);
    }
    btf.find(Kind::Struct, "file");
    btf.find(Kind::Int, "unsigned long");
    btf.function("vfs_read");
    btf.enumerator("HUGE");
    btf.struct_names().count();
}

#[test]
fn damaged_files_give_answers_and_no_panic() {
    let good = sample();
    for length in 0..good.len() {
        let mut cut = good[..length].to_vec();
        exercise(cut.clone());
        // With a header that agrees with the length, so that the types themselves are cut.
        if length > 24 {
            let types = (length - 24)
                .min(u32::from_le_bytes([cut[12], cut[13], cut[14], cut[15]]) as usize);
            let strings = length - 24 - types;
            cut[12..16].copy_from_slice(&(types as u32).to_le_bytes());
            cut[16..20].copy_from_slice(&(types as u32).to_le_bytes());
            cut[20..24].copy_from_slice(&(strings as u32).to_le_bytes());
            exercise(cut);
        }
    }
    // A linear congruential generator: the same mutations every time.
    let mut state = 1u64;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    for _ in 0..600 {
        let mut bytes = good.clone();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            bytes[at] = match random(3) {
                0 => random(256) as u8,
                1 => 0xff,
                _ => random(24) as u8,
            };
        }
        exercise(bytes);
    }
}

#[test]
fn structures_that_hold_themselves_end() {
    let mut writer = BtfWriter::new();
    // Both members are the structure itself, anonymous: 2^depth paths.
    let this = TypeId(1);
    writer.structure(Kind::Struct, "", 8, &[("", this, 0, 0), ("", this, 0, 0)]);
    let typedef = TypeId(2);
    writer.reference(Kind::Typedef, "loop", typedef);
    writer.array(TypeId(3), u32::MAX);
    writer.prototype(&[("a", TypeId(4)), ("b", TypeId(4))], TypeId(4));
    exercise(writer.finish());
}
