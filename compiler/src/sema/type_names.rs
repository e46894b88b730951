//! Type names in the script and in the kernel's files, to types.
//!
//! In comes a name, out goes a type of the table or a diagnostic. What a structure's members are is asked later, one at a time.

use super::Checker;
use super::integer_types::INTEGER_TYPES;
use crate::btf::{self, Btf, Kind};
use crate::types::{Type, round_up};
use pfscript_grammar::ast::{TypeName, TypeTag};
use pfscript_grammar::{Diagnostic, Span};
use pfscript_probes::abi::MAX_STRING_BYTES;

impl<'a> Checker<'a> {
    /// The type that a name in the script means.
    pub(super) fn type_named(&mut self, name: &TypeName) -> Result<Type, Diagnostic> {
        if let Some(string) = string_named(name) {
            return Ok(string);
        }
        if let Some(count) = name.array {
            let element = self.type_named(&TypeName {
                array: None,
                ..name.clone()
            })?;
            return match count.and_then(|count| u32::try_from(count).ok()) {
                Some(count) => Ok(Type::Array {
                    element: self.types.intern(element),
                    count,
                }),
                None => Err(Diagnostic::error(
                    name.span,
                    "how many elements has this array?",
                )),
            };
        }
        if name.pointers == 0 {
            return match &name.of {
                Some(of) => self.type_of(of),
                None => self.value_named(name),
            };
        }
        let mut ty = self.target_named(name)?;
        for _ in 0..name.pointers {
            ty = self.types.pointer_to(ty);
        }
        Ok(ty)
    }

    /// A type name without pointers.
    fn value_named(&mut self, name: &TypeName) -> Result<Type, Diagnostic> {
        if name.tag.is_none() {
            if let Some(ty) = integer_named(&name.name) {
                return Ok(ty);
            }
            match name.name.as_str() {
                "bool" | "_Bool" => return Ok(Type::Bool),
                "string" => {
                    return Ok(Type::Str {
                        bytes: self.options.limits.string_room(),
                    });
                }
                _ => {}
            }
        }
        let id = self.find_type(name)?;
        let btf = self.btf(name.span)?;
        match self.types.import(btf, id) {
            Some(ty) if ty.is_scalar() => Ok(ty),
            _ => Err(Diagnostic::error(
                name.span,
                format!(
                    "cannot cast to the structure `{}`, only to a pointer to it",
                    name.name
                ),
            )
            .help(format!("write `(struct {} *)`", name.name))),
        }
    }

    /// What a pointer with this type name points to.
    pub(super) fn target_named(&mut self, name: &TypeName) -> Result<Type, Diagnostic> {
        if let Some(of) = &name.of {
            return self.type_of(of);
        }
        if name.tag.is_none() {
            if let Some(ty) = integer_named(&name.name) {
                return Ok(ty);
            }
            if name.name == "void" {
                return Ok(Type::Void);
            }
        }
        let id = self.find_type(name)?;
        let btf = self.btf(name.span)?;
        Ok(self.types.import_target(btf, id))
    }

    /// What a pointer points to whose target a kernel file spells as in C; unknown names give [`Type::Void`].
    pub(crate) fn target_spelled(&mut self, spelled: &str) -> Type {
        let spelled = spelled.trim();
        if let Some(inner) = spelled.strip_suffix('*') {
            let inner = self.target_spelled(inner);
            return self.types.pointer_to(inner);
        }
        if let Some(ty) = integer_named(spelled) {
            return ty;
        }
        match spelled.split_once(' ') {
            Some(("struct", name)) => self.kernel_type(Kind::Struct, name.trim()),
            Some(("union", name)) => self.kernel_type(Kind::Union, name.trim()),
            _ => self.kernel_type(Kind::Typedef, spelled),
        }
    }

    /// What a pointer to a type of the kernel points to; [`Type::Void`] if the kernel does not tell.
    pub(crate) fn kernel_type(&mut self, kind: Kind, name: &str) -> Type {
        let found = self
            .facts
            .btf()
            .and_then(|btf| Some((btf, btf.find(kind, name)?)));
        match found {
            Some((btf, id)) => self.types.import_target(btf, id),
            None => Type::Void,
        }
    }

    /// An integer of that size with the names of an enumeration of the kernel, or without if the kernel does not tell.
    pub(crate) fn enumeration_named(&mut self, name: &str, bytes: u32, signed: bool) -> Type {
        let btf = self.facts.btf();
        let found = btf.and_then(|btf| self.types.import(btf, btf.find(Kind::Enum, name)?));
        match found {
            Some(Type::Int {
                literal,
                enumeration,
                ..
            }) => Type::Int {
                bytes,
                signed,
                literal,
                enumeration,
            },
            _ => Type::int(bytes, signed),
        }
    }

    /// The kernel's types.
    pub(super) fn btf(&self, span: Span) -> Result<&'a Btf, Diagnostic> {
        self.facts.btf().ok_or_else(|| {
            Diagnostic::error(span, "this kernel has no BTF type information").help(
                "it needs /sys/kernel/btf/vmlinux, from a kernel built with CONFIG_DEBUG_INFO_BTF",
            )
        })
    }

    fn find_type(&self, name: &TypeName) -> Result<btf::TypeId, Diagnostic> {
        let btf = self.btf(name.span)?;
        let kinds: &[Kind] = match name.tag {
            Some(TypeTag::Struct) => &[Kind::Struct],
            Some(TypeTag::Union) => &[Kind::Union],
            Some(TypeTag::Enum) => &[Kind::Enum],
            None => &[
                Kind::Typedef,
                Kind::Struct,
                Kind::Union,
                Kind::Int,
                Kind::Enum,
            ],
        };
        if let Some(id) = kinds.iter().find_map(|&kind| btf.find(kind, &name.name)) {
            return Ok(id);
        }
        let tag = match name.tag {
            Some(TypeTag::Struct) => "struct ",
            Some(TypeTag::Union) => "union ",
            Some(TypeTag::Enum) => "enum ",
            None => "type ",
        };
        let integers = INTEGER_TYPES.iter().map(|row| row.0);
        Err(
            Diagnostic::error(name.span, format!("the kernel has no {tag}`{}`", name.name))
                .suggest(&name.name, integers.chain(btf.struct_names())),
        )
    }
}

/// `string[64]`: room for a string of so many bytes, its NUL among them.
pub(super) fn string_named(name: &TypeName) -> Option<Type> {
    let bytes = u32::try_from(name.array??).ok()?;
    let string = name.name == "string" && name.tag.is_none() && name.pointers == 0;
    (string && (1..=MAX_STRING_BYTES).contains(&bytes)).then(|| Type::Str {
        bytes: round_up(bytes),
    })
}

fn integer_named(name: &str) -> Option<Type> {
    let &(_, bytes, signed) = INTEGER_TYPES.iter().find(|row| row.0 == name)?;
    Some(Type::int(bytes, signed))
}
