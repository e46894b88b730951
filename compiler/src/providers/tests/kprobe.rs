//! `kprobe` and `kretprobe`.

use super::*;

#[test]
fn kprobes_take_functions_offsets_and_modules() {
    let facts = facts()
        .with_function("xfs:xfs_file_open")
        .with_function("xfs:vfs_private");
    let expand = |text: &str| expand_on(text, &facts).unwrap();
    let read = &expand("k:vfs_read")[0];
    assert_eq!(read.name, "kprobe:vfs_read");
    assert_eq!(read.function.as_deref(), Some("vfs_read"));
    assert_eq!(
        expand("kprobe:vfs_read+0x10")[0],
        Site {
            name: "kprobe:vfs_read+16".to_owned(),
            function: Some("vfs_read".to_owned()),
            attach: Attach::Kprobe {
                function: "vfs_read".to_owned(),
                offset: 16,
                on_return: false
            }
        }
    );
    assert!(matches!(
        &expand("kr:vfs_read")[0].attach,
        Attach::Kprobe {
            on_return: true,
            offset: 0,
            ..
        }
    ));
    let file_open = &expand("kprobe:xfs:xfs_file_open")[0];
    assert_eq!(file_open.name, "kprobe:xfs:xfs_file_open");
    assert_eq!(file_open.function.as_deref(), Some("xfs_file_open"));
    assert_eq!(expand("kprobe:xfs_file_open")[0], *file_open);
    assert_eq!(expand("kprobe:vmlinux:vfs_read")[0], *read);
    assert_eq!(expand("kprobe:xfs:*").len(), 2);
    assert_eq!(expand("kprobe:xfs:vfs_*").len(), 1);
    let all = expand("kprobe:vfs_*");
    assert!(all.len() > 20 && all.iter().any(|one| one.name == "kprobe:xfs:vfs_private"));
}

#[test]
fn a_function_that_the_compiler_changed_is_meant_by_its_name() {
    // BTF leaves the suffix out.
    let changed = || {
        facts()
            .without_function("vfs_read")
            .with_function("vfs_read.isra.0")
            .with_function("vfs_read.isra.0.cold")
    };
    assert!(
        expand_on("kprobe:vfs_read", &changed()).is_ok(),
        "the kernel will say it"
    );
    let checked = changed().for_check();
    let site = &expand_on("kprobe:vfs_read", &checked).unwrap()[0];
    assert_eq!(site.function.as_deref(), Some("vfs_read.isra.0"));
    // Where in it an offset would be nobody knows, and several copies or a part of it are not the function.
    assert!(expand_on("kprobe:vfs_read+8", &checked).is_err());
    let several = changed().with_function("vfs_read.constprop.0");
    let part = facts()
        .without_function("vfs_read")
        .with_function("vfs_read.part.0");
    for (unclear, help) in [
        (
            several.for_check(),
            "the compiler made `vfs_read.constprop.0` and `vfs_read.isra.0` of it",
        ),
        (
            part.for_check(),
            "the compiler made `vfs_read.part.0` of it",
        ),
    ] {
        let error = expand_on("kprobe:vfs_read", &unclear).unwrap_err();
        assert_eq!(
            error.message,
            "no kernel function `vfs_read` that can be probed"
        );
        assert_eq!(error.help.unwrap(), help);
    }
    let site = &expand_on("kprobe:vfs_read.isra.0", &checked).unwrap()[0];
    assert_eq!(site.function.as_deref(), Some("vfs_read.isra.0"));
    assert!(expand_on("kprobe:vfs_write", &facts().for_check()).is_ok());
}

#[test]
fn wrong_functions_are_answered_at_their_place() {
    for (text, place, message, help) in [
        (
            "kprobe:vfs_raed",
            "vfs_raed",
            "no kernel function `vfs_raed` that can be probed",
            "did you mean `vfs_read` or `vfs_readv`?",
        ),
        (
            "kprobe:zzz*",
            "zzz*",
            "no kernel function matches `zzz*`",
            "",
        ),
        (
            "kretprobe:vfs_read+1",
            "vfs_read+1",
            "a return probe takes no offset",
            "remove the offset, or use `kprobe`",
        ),
        (
            "kprobe:vfs_read+x",
            "vfs_read+x",
            "the offset must be a number of bytes, not `x`",
            "",
        ),
        (
            "kprobe:vfs_*+1",
            "vfs_*+1",
            "an offset cannot be combined with a wildcard",
            "",
        ),
        (
            "kprobe:nosuch:vfs_read",
            "vfs_read",
            "no function `vfs_read` in module `nosuch`",
            "see `pfscript -l 'kprobe:*vfs_read*'`; functions that the compiler inlined have no entry",
        ),
    ] {
        assert_eq!(
            failure(text),
            (place.to_owned(), message.to_owned(), help.to_owned()),
            "{text}"
        );
    }
}

#[test]
fn kernels_without_kprobes_name_the_option_and_a_way_out() {
    let facts = RecordedFacts::linux_6_18();
    let (place, message, help) = failure_on("kprobe:handle_mm_fault", &facts);
    assert_eq!(place, "handle_mm_fault");
    assert!(
        message.starts_with("this kernel has no kprobes"),
        "{message}"
    );
    assert!(help.contains("CONFIG_KPROBES"), "{help}");
    assert!(
        help.contains("software:page-faults") && help.contains("ffaults.pf"),
        "{help}"
    );
    let (_, _, help) = failure_on("kprobe:vfs_*", &facts);
    assert!(
        help.contains("CONFIG_KPROBES") && !help.contains("page"),
        "{help}"
    );
}

#[test]
fn arguments_by_number_follow_the_calling_convention() {
    let facts = facts();
    let btf = facts.btf().unwrap();
    let registers = btf.find(crate::btf::Kind::Struct, "pt_regs").unwrap();
    let register = |name: &str| btf.member(registers, name).unwrap().bit_offset / 8;
    let kprobe = by_name("kprobe").unwrap();
    let in_register = |offset| Access::Context {
        offset,
        width: Width::W64,
        signed: false,
    };
    for (number, name) in (0..).zip(["di", "si", "dx", "cx", "r8", "r9"]) {
        let argument = kprobe
            .builtin(&format!("arg{number}"), Arch::X86_64)
            .unwrap();
        assert_eq!(argument.access, in_register(register(name)), "{name}");
    }
    let on_stack = |base, offset| Access::Memory {
        base,
        index: None,
        offset,
        width: Width::W64,
        signed: false,
    };
    let access = |name, arch| kprobe.builtin(name, arch).unwrap().access;
    assert_eq!(access("arg6", Arch::X86_64), on_stack(register("sp"), 8));
    assert_eq!(access("arg9", Arch::X86_64), on_stack(register("sp"), 32));
    assert_eq!(access("arg7", Arch::Aarch64), in_register(56));
    assert_eq!(access("arg8", Arch::Aarch64), on_stack(248, 0));
    for name in ["arg10", "arg", "arg+1", "arg01", "retval", "addr"] {
        assert_eq!(kprobe.builtin(name, Arch::X86_64), None, "{name}");
    }
    let result = |arch| {
        by_name("kretprobe")
            .unwrap()
            .builtin("retval", arch)
            .unwrap()
            .access
    };
    assert_eq!(result(Arch::X86_64), in_register(register("ax")));
    assert_eq!(result(Arch::Aarch64), in_register(0));
    assert_eq!(
        by_name("kretprobe").unwrap().builtin("arg0", Arch::X86_64),
        None
    );
}

#[test]
fn named_arguments_of_functions_come_from_btf() {
    let facts = facts();
    let provider = by_name("kprobe").unwrap();
    let arguments = |text| arguments(provider, text);
    let read = arguments("kprobe:vfs_read");
    let names: Vec<&str> = read.iter().map(|argument| argument.name.as_str()).collect();
    assert_eq!(names, ["file", "buf", "count", "pos"]);
    assert_eq!(
        read[0].ty,
        ArgumentType::Pointer {
            to: "struct file".to_owned()
        }
    );
    assert_eq!(
        read[2].ty,
        ArgumentType::Int {
            bytes: 8,
            signed: false
        }
    );
    assert_eq!(arguments("kprobe:vfs_read+4"), []);
    assert_eq!(
        provider.declarations("kprobe:vfs_read", &facts).unwrap(),
        [
            "struct file * file",
            "char * buf",
            "size_t count",
            "loff_t * pos"
        ]
    );
    assert_eq!(
        by_name("kretprobe")
            .unwrap()
            .declarations("kretprobe:vfs_read", &facts)
            .unwrap(),
        ["ssize_t retval"]
    );
}

#[test]
fn named_arguments_on_the_stack_are_whole_words() {
    let mut writer = crate::recorded::BtfWriter::new();
    let int = writer.int("int", 4, 1);
    let long = writer.int("long int", 8, 1);
    let params = ["a", "b", "c", "d", "e", "f"].map(|name| (name, int));
    let params = [&params[..], &[("narrow", int), ("wide", long)]].concat();
    let prototype = writer.prototype(&params, int);
    writer.reference(crate::btf::Kind::Func, "many", prototype);
    let facts = facts().with_btf(crate::btf::Btf::new(writer.finish()).unwrap());
    let expansion = expand_on("kprobe:many", &facts).unwrap().remove(0);
    let provider = by_name("kprobe").unwrap();
    let arguments = provider.arguments(&expansion, &facts).unwrap();
    let names: Vec<&str> = arguments.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e", "f", "wide"]);
    let on_stack = Access::Memory {
        base: 152,
        index: None,
        offset: 16,
        width: Width::W64,
        signed: false,
    };
    assert_eq!(arguments[6].access, on_stack);
}

#[test]
fn where_probes_may_be_missing_the_list_of_functions_decides() {
    let facts = facts().without_function("vfs_read");
    let read = point("kprobe:vfs_read");
    let provider = find(&read.parts[0]).unwrap();
    assert!(provider.expand(&read, &facts).is_ok(), "BTF knows it");
    assert!(provider.expand_sure(&read, &facts).is_err());
    let write = point("kprobe:vfs_write");
    assert_eq!(provider.expand_sure(&write, &facts).unwrap().len(), 1);
}
