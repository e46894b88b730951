//! The constants of routines that the kernel's types say: where a field is, how long an array is.
//!
//! In come the names of parameters, as the C source spells them behind `pf_param_`, and the kernel's BTF; out go values.
//! The names are `offset.STRUCT.MEMBER` in bytes, where `MEMBER` may be a path into structures within (`mm_mt.ma_root`);
//! `count.STRUCT.MEMBER`, the elements of an array; `size.STRUCT` in bytes; and `value.ENUM.ENUMERATOR`.

use crate::btf::{Btf, Kind, TypeId};
use crate::facts::Facts;
use pfscript_grammar::{Diagnostic, Span};
use pfscript_probes::abi::{
    ARM64_PARAMETER, MAPLE_PARAMETER, MM_LOCK_SEQ_PARAMETER, PAGE_SHIFT_PARAMETER,
    PID_NAMESPACE_PARAMETER, PID_TGID_ROUTINE, STACK_BY_TABLES, STACK_DEPTH_PARAMETER,
    UPROBES_PARAMETER,
};
use pfscript_probes::{library, template::PARAMETER_PREFIX};

/// The parameters of a routine and of all that it calls, with their values; none if these types lack one.
pub fn of_routine(routine: &str, btf: Option<&Btf>) -> Option<Vec<(&'static str, u64)>> {
    let names = library().parameters(routine).into_iter();
    names.map(|name| Some((name, value(name, btf?)?))).collect()
}

/// Those of the routines that capture stacks by tables; none if these types lack one. The depth is not among them, which the
/// whole script decides. The kernel has the registers of one processor and one tree of two, perhaps no uprobes and no count of
/// what changes in mappings, and does not say on all machines what tells threads apart; the constants of what it lacks are 0.
pub fn of_stacks_by_tables(facts: &dyn Facts) -> Option<Vec<(&'static str, u64)>> {
    const MACHINES: [&str; 2] = ["pf_begin_x86_64", "pf_begin_arm64"];
    const TREES: [&str; 2] = ["pf_vma_maple", "pf_vma_red_black"];
    const RETURNS: &str = "pf_return_address";
    const PYTHON: &str = "pf_python_thread";
    const MM_LOCK_SEQ: &str = "pf_param_offset.mm_struct.mm_lock_seq";
    let btf = facts.btf()?;
    let names = library().parameters(STACK_BY_TABLES);
    let types: Vec<(Kind, &str)> = names
        .iter()
        .filter_map(|name| Some(parts(name)?.1))
        .collect();
    btf.find_all(&types);
    let of_machine = |routine: &str| {
        let names = library().parameters(routine).into_iter();
        let mut fields = names.filter(|name| *name != PAGE_SHIFT_PARAMETER);
        fields.all(|name| value(name, btf).is_some())
    };
    let [is_x86_64, is_arm64] = MACHINES.map(of_machine);
    let [is_maple, is_red_black] = TREES.map(|tree| of_routine(tree, Some(btf)).is_some());
    if !(is_x86_64 || is_arm64) || !(is_maple || is_red_black) {
        return None;
    }
    let optional: Vec<_> = [&MACHINES[..], &TREES, &[RETURNS, PYTHON]]
        .concat()
        .into_iter()
        .map(|routine| library().parameters(routine))
        .collect();
    let has_uprobes = of_routine(RETURNS, Some(btf)).is_some();
    names
        .into_iter()
        .filter(|name| *name != STACK_DEPTH_PARAMETER)
        .map(|name| {
            let optional = || optional.iter().any(|names| names.contains(name));
            let value = match name {
                ARM64_PARAMETER => Some(is_arm64.into()),
                PAGE_SHIFT_PARAMETER => Some(facts.page_bytes().trailing_zeros().into()),
                MAPLE_PARAMETER => Some(is_maple.into()),
                UPROBES_PARAMETER => Some(has_uprobes.into()),
                MM_LOCK_SEQ_PARAMETER => Some(value(MM_LOCK_SEQ, btf).is_some().into()),
                MM_LOCK_SEQ => Some(value(name, btf).unwrap_or(0)),
                _ => value(name, btf).or_else(|| optional().then_some(0)),
            };
            Some((name, value?))
        })
        .collect()
}

/// Those of the routine that gives process ids in a pid namespace, none in the initial one.
///
/// # Errors
/// If the kernel's types are not there, without which ids cannot be translated.
pub fn of_process_ids(facts: &dyn Facts) -> Result<Vec<(&'static str, u64)>, Diagnostic> {
    let Some(inode) = facts.pid_namespace() else {
        return Ok(Vec::new());
    };
    let names = library().parameters(PID_TGID_ROUTINE).into_iter();
    let values = names.map(|name| match name {
        PID_NAMESPACE_PARAMETER => Some((name, inode.into())),
        _ => Some((name, value(name, facts.btf()?)?)),
    });
    values.collect::<Option<_>>().ok_or_else(|| {
        let message =
            "process ids cannot be translated into this pid namespace without the kernel's types";
        Diagnostic::error(Span::new(0, 0), message)
            .help("trace from the host, or on a kernel built with CONFIG_DEBUG_INFO_BTF")
    })
}

/// A parameter's name in its parts: what is asked, of which type, and of which of its members.
fn parts(parameter: &str) -> Option<(&str, (Kind, &str), &str)> {
    let (what, path) = parameter.strip_prefix(PARAMETER_PREFIX)?.split_once('.')?;
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let kind = match what {
        "value" => Kind::Enum,
        _ => Kind::Struct,
    };
    Some((what, (kind, name), rest))
}

/// The value of one parameter.
fn value(parameter: &str, btf: &Btf) -> Option<u64> {
    let (what, (kind, name), rest) = parts(parameter)?;
    match what {
        "offset" => place(btf, name, rest).map(|(bits, _)| u64::from(bits / 8)),
        "count" => {
            let (_, ty) = place(btf, name, rest)?;
            btf.array(ty).map(|(_, count)| count.into())
        }
        "size" => btf.size_of(btf.find(kind, name)?).map(u64::from),
        "value" => btf
            .enumerators(btf.find(kind, name)?)
            .find(|(enumerator, _)| *enumerator == rest)
            .map(|(_, value)| value as u64),
        _ => None,
    }
}

/// Where a path of members ends: its bits from the start of the structure, and its type.
fn place(btf: &Btf, name: &str, path: &str) -> Option<(u32, TypeId)> {
    let mut at = (0u32, btf.find(Kind::Struct, name)?);
    for name in path.split('.') {
        let member = btf.member(at.1, name)?;
        at = (at.0.checked_add(member.bit_offset)?, member.ty);
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Arch;
    use crate::recorded::RecordedFacts;
    use std::collections::HashMap;

    fn parameters(routine: &str, kernel: &str) -> Option<HashMap<&'static str, u64>> {
        let btf = RecordedFacts::types_of(kernel).unwrap();
        let values = of_routine(routine, Some(&btf))?;
        let short = |name: &'static str| name.strip_prefix(PARAMETER_PREFIX).unwrap();
        Some(
            values
                .into_iter()
                .map(|(name, value)| (short(name), value))
                .collect(),
        )
    }

    #[test]
    fn each_kernel_has_the_fields_of_its_own_tree() {
        for (kernel, maple) in [
            ("5.10", false),
            ("6.1", true),
            ("6.12", true),
            ("6.18", true),
            ("7.2", true),
        ] {
            assert_eq!(
                parameters("pf_vma_maple", kernel).is_some(),
                maple,
                "{kernel}"
            );
            assert_eq!(
                parameters("pf_vma_red_black", kernel).is_some(),
                !maple,
                "{kernel}"
            );
        }
        assert_eq!(of_routine("pf_vma_maple", None), None);
        assert_eq!(of_routine("pf_vma", None), Some(Vec::new()));
    }

    #[test]
    fn each_kernel_has_what_stacks_by_tables_need() {
        for kernel in ["5.10", "6.1", "6.12", "6.18", "7.2"] {
            let types = RecordedFacts::types_of(kernel).unwrap();
            let facts = RecordedFacts::empty(Arch::X86_64).with_btf(types);
            let values = of_stacks_by_tables(&facts).expect(kernel);
            let value = |wanted| values.iter().find(|(name, _)| *name == wanted).unwrap().1;
            assert_eq!(
                value(MAPLE_PARAMETER),
                u64::from(kernel != "5.10"),
                "{kernel}"
            );
            assert_eq!(value(UPROBES_PARAMETER), 1, "{kernel}");
            assert_eq!(
                value(MM_LOCK_SEQ_PARAMETER),
                u64::from(!["5.10", "6.1"].contains(&kernel)),
                "{kernel}"
            );
            assert_eq!(value(ARM64_PARAMETER), 0, "{kernel}");
            assert_eq!(value(PAGE_SHIFT_PARAMETER), 12, "{kernel}");
            assert_eq!(value("pf_param_size.pt_regs"), 168, "{kernel}");
        }
        let types = RecordedFacts::types_of("6.12-aarch64").unwrap();
        let facts = RecordedFacts::empty(Arch::Aarch64).with_btf(types);
        let values = of_stacks_by_tables(&facts).unwrap();
        let value = |wanted| values.iter().find(|(name, _)| *name == wanted).unwrap().1;
        assert_eq!(value(ARM64_PARAMETER), 1);
        assert_eq!(value("pf_param_size.pt_regs"), 336);
        // `struct user_pt_regs`: 31 registers, the stack pointer, the program counter, the state.
        assert_eq!(value("pf_param_offset.pt_regs.pstate"), 33 * 8);
        assert_eq!(value("pf_param_offset.pt_regs.cs"), 0);
        let without = RecordedFacts::empty(Arch::X86_64);
        assert_eq!(of_stacks_by_tables(&without), None);
    }

    /// As `include/linux/maple_tree.h` has them for 64 bits.
    #[test]
    fn values_are_those_of_the_kernels_sources() {
        let maple = parameters("pf_vma_maple", "6.1").unwrap();
        assert_eq!(maple["size.maple_node"], 256);
        assert_eq!(maple["count.maple_range_64.pivot"], 15);
        assert_eq!(maple["count.maple_arange_64.pivot"], 9);
        assert_eq!(maple["offset.maple_range_64.pivot"], 8);
        assert_eq!(maple["offset.maple_range_64.slot"], 8 + 15 * 8);
        assert_eq!(maple["offset.maple_arange_64.slot"], 8 + 9 * 8);
        assert_eq!(maple["value.maple_type.maple_range_64"], 2);
        assert_eq!(maple["value.maple_type.maple_arange_64"], 3);
        let red_black = parameters("pf_vma_red_black", "5.10").unwrap();
        assert_eq!(red_black["offset.vm_area_struct.vm_end"], 8);
        assert_eq!(red_black["offset.rb_node.rb_right"], 8);
        assert_eq!(red_black["offset.rb_node.rb_left"], 16);
    }

    #[test]
    fn what_the_types_lack_has_no_value() {
        let btf = RecordedFacts::types_of("6.18").unwrap();
        for name in [
            "offset.mm_struct.nothing",
            "offset.nothing.mm",
            "offset.mm_struct.mm_mt.nothing",
            "count.mm_struct.mm_mt",
            "size.nothing",
            "value.maple_type.nothing",
            "colour.mm_struct",
            "loss",
        ] {
            assert_eq!(value(&format!("pf_param_{name}"), &btf), None, "{name}");
        }
    }
}
