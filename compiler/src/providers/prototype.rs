//! Arguments by the prototype of a kernel function, as its BTF has it.
//!
//! In come parameters, out come types and declarations. Where a parameter's value is, each provider says itself.

use super::ArgumentType;
use crate::btf::{Btf, TypeId};
use crate::ir::Width;

/// Arguments that scripts can ask for by number: `arg0` to `arg9`.
const NUMBERED: u32 = 10;

/// `arg3` is 3.
pub(super) fn number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("arg")?;
    let number = digits.parse().ok()?;
    (number < NUMBERED && digits.len() == 1).then_some(number)
}

/// A parameter as an argument: its type, and what of the register or word that it is in counts. `None` for what takes no
/// register of its own: structures by value and floating-point numbers.
pub(super) fn parameter(btf: &Btf, ty: TypeId) -> Option<(ArgumentType, Width, bool)> {
    let resolved = btf.resolve(ty);
    if let Some(int) = btf.int(resolved) {
        let width = Width::of(int.bytes)?;
        let ty = match int.is_bool {
            true => ArgumentType::Bool,
            false => ArgumentType::Int {
                bytes: int.bytes,
                signed: int.signed,
            },
        };
        return Some((ty, width, int.signed));
    }
    if let Some(info) = btf.enum_info(resolved) {
        let width = Width::of(info.bytes)?;
        let ty = ArgumentType::Enumeration {
            name: btf.name(resolved).to_owned(),
            bytes: info.bytes,
            signed: info.signed,
        };
        return Some((ty, width, info.signed));
    }
    let target = btf.pointee(resolved)?;
    let to = btf.c_name(btf.strip_qualifiers(target));
    Some((ArgumentType::Pointer { to }, Width::W64, false))
}

/// The parameters as bpftrace prints them: `struct file * file`.
pub(super) fn declarations(btf: &Btf, params: &[(&str, TypeId)]) -> Vec<String> {
    params
        .iter()
        .map(|&(name, ty)| match btf.array(ty) {
            Some(_) => btf.c_declaration(ty, name),
            None => format!("{} {name}", btf.c_name(ty)),
        })
        .collect()
}
