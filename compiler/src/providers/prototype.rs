//! Arguments by the prototype of a function: of the kernel, as its BTF has it, or of a program, as its DWARF has it.
//!
//! In come parameters, out come types and declarations. Where a parameter's value is, each provider says itself.

use super::convention::Convention;
use super::{Argument, ArgumentType};
use crate::btf::{Btf, TypeId};
use crate::facts::Arch;
use crate::ir::Width;

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

/// `args.NAME` by the function's prototype, up to the first parameter that cannot be placed.
pub(super) fn arguments(btf: &Btf, function: &str, arch: Arch) -> Vec<Argument> {
    let Some(prototype) = btf.function(function) else {
        return Vec::new();
    };
    let convention = Convention::of(arch);
    prototype
        .params
        .iter()
        .map_while(|&(name, ty)| Some((name, parameter(btf, ty)?)))
        .zip(0..)
        // An argument on the stack is read as 8 bytes, of which a narrower one leaves some undefined.
        .filter(|((name, (_, width, _)), number)| {
            !name.is_empty() && (convention.in_register(*number) || *width == Width::W64)
        })
        .map(|((name, (ty, width, signed)), number)| Argument {
            name: name.to_owned(),
            ty,
            access: convention.access(number, width, signed),
        })
        .collect()
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
