//! The constants of routines that the kernel's types say: where a field is, how long an array is.
//!
//! In come the names of parameters, as the C source spells them behind `pf_param_`, and the kernel's BTF; out go values.
//! The names are `offset.STRUCT.MEMBER` in bytes, where `MEMBER` may be a path into structures within (`mm_mt.ma_root`);
//! `count.STRUCT.MEMBER`, the elements of an array; `size.STRUCT` in bytes; and `value.ENUM.ENUMERATOR`.

use crate::btf::{Btf, Kind, TypeId};
use crate::facts::Facts;
use pfscript_grammar::{Diagnostic, Span};
use pfscript_probes::abi::{PARAMETER_PREFIX, PID_NAMESPACE_PARAMETER, PID_TGID_ROUTINE};
use pfscript_probes::library;

/// The parameters of a routine and of all that it calls, with their values; none if these types lack one.
pub fn of_routine(routine: &str, btf: Option<&Btf>) -> Option<Vec<(&'static str, u64)>> {
    let names = library().parameters(routine).into_iter();
    names.map(|name| Some((name, value(name, btf?)?))).collect()
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

/// The value of one parameter.
fn value(name: &str, btf: &Btf) -> Option<u64> {
    let (what, path) = name.strip_prefix(PARAMETER_PREFIX)?.split_once('.')?;
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    match what {
        "offset" => place(btf, name, rest).map(|(bits, _)| u64::from(bits / 8)),
        "count" => {
            let (_, ty) = place(btf, name, rest)?;
            btf.array(ty).map(|(_, count)| count.into())
        }
        "size" => btf.size_of(btf.find(Kind::Struct, name)?).map(u64::from),
        "value" => btf
            .enumerators(btf.find(Kind::Enum, name)?)
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
