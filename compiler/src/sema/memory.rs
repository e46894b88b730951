//! What is reached through pointers: casts, fields, elements, and the kernel's types.

use super::Checker;
use super::integer_types::INTEGER_TYPES;
use crate::btf::{Btf, Kind, TypeId};
use crate::hir::{Expr, ExprKind};
use crate::ir::{Arith, Width};
use crate::types::{Pointee, Type, round_up};
use pfscript_grammar::ast::{self, BinaryOp, ExprKind as Ast, TypeName, TypeTag};
use pfscript_grammar::{Diagnostic, Span, Spanned};

/// Size of a pointer in bytes, on every architecture that pfscript knows.
const POINTER_BYTES: u32 = 8;

impl Checker<'_> {
    /// The type that a name in the script means.
    pub(super) fn type_named(&mut self, name: &TypeName) -> Result<Type, Diagnostic> {
        if let Some(count) = name.array {
            let _ = count;
            return Err(Diagnostic::unsupported(name.span, "casts to arrays"));
        }
        if name.pointers == 0 {
            if name.tag.is_none() {
                if let Some(&(_, bytes, signed)) =
                    INTEGER_TYPES.iter().find(|row| row.0 == name.name)
                {
                    return Ok(Type::int(bytes, signed));
                }
                match name.name.as_str() {
                    "bool" | "_Bool" => return Ok(Type::Bool),
                    "string" => {
                        return Ok(Type::Str {
                            bytes: self.options.limits.max_strlen,
                        });
                    }
                    _ => {}
                }
            }
            let id = self.find_type(name)?;
            let btf = self.btf(name.span)?;
            return match scalar(btf, id) {
                Some(ty) => Ok(ty),
                None => Err(Diagnostic::error(
                    name.span,
                    format!(
                        "`{}` is a structure; only pointers to it can be cast to",
                        name.name
                    ),
                )
                .help(format!("write `(struct {} *)`", name.name))),
            };
        }
        let mut pointee = self.pointee(name)?;
        for _ in 1..name.pointers {
            pointee = Pointee::Pointer(Box::new(pointee));
        }
        Ok(Type::Pointer(pointee))
    }

    fn pointee(&mut self, name: &TypeName) -> Result<Pointee, Diagnostic> {
        if name.tag.is_none() {
            if let Some(&(_, bytes, signed)) = INTEGER_TYPES.iter().find(|row| row.0 == name.name) {
                return Ok(Pointee::Int { bytes, signed });
            }
            if name.name == "void" {
                return Ok(Pointee::Void);
            }
        }
        let id = self.find_type(name)?;
        let btf = self.btf(name.span)?;
        Ok(pointee_of(btf, id))
    }

    /// The pointee for a type spelled as in C by a kernel file; unknown names point to nothing known.
    pub(crate) fn pointee_named(&mut self, spelled: &str) -> Pointee {
        let spelled = spelled.trim();
        if let Some(inner) = spelled.strip_suffix('*') {
            return Pointee::Pointer(Box::new(self.pointee_named(inner)));
        }
        if let Some(&(_, bytes, signed)) = INTEGER_TYPES.iter().find(|row| row.0 == spelled) {
            return Pointee::Int { bytes, signed };
        }
        let (kind, name) = match spelled.split_once(' ') {
            Some(("struct", name)) => (Kind::Struct, name),
            Some(("union", name)) => (Kind::Union, name),
            _ => (Kind::Typedef, spelled),
        };
        let found = self.facts.btf().and_then(|btf| {
            let id = btf.find(kind, name.trim())?;
            Some(pointee_of(btf, id))
        });
        found.unwrap_or(Pointee::Void)
    }

    fn btf(&self, span: Span) -> Result<&Btf, Diagnostic> {
        self.facts.btf().ok_or_else(|| {
            Diagnostic::error(span, "this kernel does not tell its types: it has no BTF").help(
                "it needs /sys/kernel/btf/vmlinux, from a kernel built with CONFIG_DEBUG_INFO_BTF",
            )
        })
    }

    fn find_type(&self, name: &TypeName) -> Result<TypeId, Diagnostic> {
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

    /// `(type)operand`
    pub(super) fn cast(
        &mut self,
        name: &TypeName,
        operand: &ast::Expr,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let ty = self.type_named(name)?;
        let value = self.expr(operand)?;
        if !value.ty.is_scalar() || matches!(value.ty, Type::Stack { .. }) {
            return Err(Diagnostic::error(
                operand.span,
                format!("{} cannot be cast", value.ty.describe()),
            ));
        }
        let kind = match (&ty, value.constant()) {
            (Type::Int { bytes, signed, .. }, Some(constant)) => {
                ExprKind::Int(extend(constant, *bytes, *signed))
            }
            (Type::Int { bytes, signed, .. }, None) if *bytes < 8 => ExprKind::Extend {
                // Integer types have 1, 2, 4 or 8 bytes.
                width: Width::of(*bytes).unwrap_or(Width::W64),
                signed: *signed,
                value: Box::new(value),
            },
            (Type::Bool, _) => ExprKind::Not(Box::new(Expr {
                kind: ExprKind::Not(Box::new(value)),
                ty: Type::Bool,
                span,
            })),
            (Type::Str { .. }, _) => {
                return Err(
                    Diagnostic::error(span, "a number cannot be cast to a string")
                        .help("read a string with `str(pointer)`"),
                );
            }
            _ => value.kind,
        };
        Ok(Expr { kind, ty, span })
    }

    /// `base.name` and `base->name`
    pub(super) fn field(
        &mut self,
        base: &ast::Expr,
        name: &Spanned<String>,
        arrow: bool,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        if matches!(&base.kind, Ast::Ident(ident) if ident == "args") {
            return self.named_argument(name, span);
        }
        let value = self.expr(base)?;
        let id = match &value.ty {
            Type::Record(id) | Type::Pointer(Pointee::Btf(id)) => *id,
            Type::Unknown => return Ok(value),
            Type::Pointer(_) | Type::Int { .. } => {
                self.btf(span)?;
                return Err(Diagnostic::error(
                    span,
                    format!(
                        "it is not known what this points to, so it has no field `{}`",
                        name.node
                    ),
                )
                .help(format!(
                    "cast it first: `((struct NAME *)x)->{}`",
                    name.node
                )));
            }
            other => {
                return Err(Diagnostic::error(
                    span,
                    format!("{} has no fields", other.describe()),
                ));
            }
        };
        let _ = arrow; // bpftrace takes `.` and `->` alike.
        let btf = self.btf(span)?;
        let Some(member) = btf.member(id, &name.node) else {
            return Err(Diagnostic::error(
                name.span,
                format!("`{}` has no field `{}`", btf.c_name(id), name.node),
            )
            .suggest(&name.node, btf.member_names(id)));
        };
        let (ty, bit_offset, bits) = (member.ty, member.bit_offset, member.bitfield_bits);
        if let Some(bits) = bits {
            return self.bit_field(value, ty, bit_offset, bits, span);
        }
        let address = offset(value, i64::from(bit_offset / 8), span);
        self.read_btf(address, ty, span)
    }

    fn bit_field(
        &mut self,
        base: Expr,
        ty: TypeId,
        bit_offset: u32,
        bits: u32,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let btf = self.btf(span)?;
        let signed = match scalar(btf, ty) {
            Some(Type::Int { signed, .. }) => signed,
            _ => false,
        };
        // The smallest aligned access that holds all the bits.
        let (width, start) = [Width::W8, Width::W16, Width::W32, Width::W64]
            .into_iter()
            .map(|width| {
                (
                    width,
                    bit_offset / (width.bytes() * 8) * (width.bytes() * 8),
                )
            })
            .find(|(width, start)| bit_offset + bits <= start + width.bytes() * 8)
            .ok_or_else(|| Diagnostic::unsupported(span, "bit fields that cross 8 bytes"))?;
        Ok(Expr {
            kind: ExprKind::ReadBits {
                address: Box::new(offset(base, i64::from(start / 8), span)),
                width,
                shift: bit_offset - start,
                bits,
                signed,
            },
            ty: Type::int(width.bytes(), signed),
            span,
        })
    }

    fn named_argument(&mut self, name: &Spanned<String>, span: Span) -> Result<Expr, Diagnostic> {
        let provider = self.probe.provider;
        let mut found = Vec::with_capacity(self.probe.points.len());
        for point in self.probe.points {
            let arguments = match point.arguments(provider, self.facts) {
                Ok(arguments) => arguments,
                Err(error) => return Err(error.clone().diagnostic(span, String::new)),
            };
            found.push(arguments.iter().find(|argument| argument.name == name.node));
        }
        if found.iter().any(|argument| *argument != found[0]) {
            let differing = &mut self.probe.differences.arguments;
            differing.insert(name.node.clone());
        }
        // Where they differ, this check is only to find what else does.
        let point = self.probe.points[0];
        let arguments = point.arguments(provider, self.facts).as_deref();
        let arguments = arguments.unwrap_or_default();
        if arguments.is_empty() {
            return Err(Diagnostic::error(
                span,
                format!(
                    "`{}` probes have no named arguments",
                    provider.info().names[0]
                ),
            ));
        }
        match found[0] {
            Some(argument) => self.argument_value(argument, span),
            None => Err(Diagnostic::error(
                name.span,
                format!("`{}` has no argument `{}`", point.site.name, name.node),
            )
            .suggest(
                &name.node,
                arguments.iter().map(|argument| argument.name.as_str()),
            )),
        }
    }

    /// `base[index]`
    pub(super) fn index(
        &mut self,
        base: &ast::Expr,
        index: &ast::Expr,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let value = self.expr(base)?;
        let at = self.number(index)?;
        let pointee = match &value.ty {
            Type::Array { element, count } => {
                if let Some(constant) = at.constant()
                    && !(0..i64::from(*count)).contains(&constant)
                {
                    return Err(Diagnostic::error(
                        index.span,
                        format!("the array has {count} elements, counted from 0"),
                    ));
                }
                element.clone()
            }
            Type::Pointer(pointee) => pointee.clone(),
            Type::Unknown => return Ok(value),
            other => {
                return Err(Diagnostic::error(
                    span,
                    format!("{} has no elements", other.describe()),
                ));
            }
        };
        let address = self.offset_pointer(BinaryOp::Add, value, at, &pointee, span);
        self.read_pointee(address, &pointee, span)
    }

    /// `pointer + number` and `pointer - number`, in elements.
    pub(super) fn offset_pointer(
        &mut self,
        op: BinaryOp,
        pointer: Expr,
        number: Expr,
        pointee: &Pointee,
        span: Span,
    ) -> Expr {
        let size = i64::from(self.size_of(pointee).unwrap_or(1));
        let ty = Type::Pointer(pointee.clone());
        let scaled = match number.constant() {
            Some(constant) => Expr::int(constant.wrapping_mul(size), Type::I64, span),
            None if size == 1 => number,
            None => Expr {
                kind: ExprKind::Arith(
                    Arith::Mul,
                    Box::new(number),
                    Box::new(Expr::int(size, Type::I64, span)),
                ),
                ty: Type::I64,
                span,
            },
        };
        let arith = match op {
            BinaryOp::Sub => Arith::Sub,
            _ => Arith::Add,
        };
        Expr {
            kind: ExprKind::Arith(arith, Box::new(pointer), Box::new(scaled)),
            ty,
            span,
        }
    }

    fn size_of(&self, pointee: &Pointee) -> Option<u32> {
        match pointee {
            Pointee::Void => Some(1),
            Pointee::Int { bytes, .. } => Some(*bytes),
            Pointee::Pointer(_) => Some(POINTER_BYTES),
            Pointee::Btf(id) => self.facts.btf().and_then(|btf| btf.size_of(*id)),
        }
    }

    /// What a pointer points to: a value, or the address of a structure.
    pub(super) fn read_pointee(
        &mut self,
        address: Expr,
        pointee: &Pointee,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let (width, signed, ty) = match pointee {
            Pointee::Void => {
                return Err(
                    Diagnostic::error(span, "it is not known what this points to")
                        .help("cast it: `*(uint64 *)x`"),
                );
            }
            Pointee::Int { bytes, signed } => {
                (Width::of(*bytes), *signed, Type::int(*bytes, *signed))
            }
            Pointee::Pointer(inner) => (Some(Width::W64), false, Type::Pointer((**inner).clone())),
            Pointee::Btf(id) => return self.read_btf(address, *id, span),
        };
        Ok(Expr {
            kind: ExprKind::Read {
                address: Box::new(address),
                width: width.unwrap_or(Width::W64),
                signed,
            },
            ty,
            span,
        })
    }

    /// What is of a kernel type at an address.
    fn read_btf(&mut self, address: Expr, id: TypeId, span: Span) -> Result<Expr, Diagnostic> {
        let most = self.options.limits.max_strlen;
        let btf = self.btf(span)?;
        if let Some((element, count)) = btf.array(id) {
            if btf
                .int(element)
                .is_some_and(|int| int.is_char || int.bytes == 1 && int.signed)
                && count > 0
            {
                let most = count.min(most);
                return Ok(Expr {
                    kind: ExprKind::ReadString {
                        address: Box::new(address),
                        limit: None,
                        most,
                    },
                    ty: Type::Str {
                        bytes: round_up(most),
                    },
                    span,
                });
            }
            return Ok(Expr {
                ty: Type::Array {
                    element: pointee_of(btf, element),
                    count,
                },
                span,
                ..address
            });
        }
        let resolved = btf.resolve(id);
        if matches!(btf.kind(resolved), Kind::Struct | Kind::Union) {
            return Ok(Expr {
                ty: Type::Record(resolved),
                span,
                ..address
            });
        }
        let Some(ty) = scalar(btf, id) else {
            return Err(Diagnostic::unsupported(
                span,
                &format!("values of the type `{}`", btf.c_name(id)),
            ));
        };
        let width = btf.size_of(resolved).and_then(Width::of);
        let Some(width) = width else {
            return Err(Diagnostic::unsupported(
                span,
                &format!("values of the type `{}`", btf.c_name(id)),
            ));
        };
        Ok(Expr {
            kind: ExprKind::Read {
                address: Box::new(address),
                width,
                signed: matches!(ty, Type::Int { signed: true, .. }),
            },
            ty,
            span,
        })
    }
}

/// A kernel type that fits a register: integer, boolean, enumeration or pointer.
fn scalar(btf: &Btf, id: TypeId) -> Option<Type> {
    let resolved = btf.resolve(id);
    if let Some(int) = btf.int(resolved) {
        return match (int.is_bool, int.bytes) {
            (true, _) => Some(Type::Bool),
            (false, bytes @ (1 | 2 | 4 | 8)) => Some(Type::int(bytes, int.signed)),
            _ => None,
        };
    }
    if let Some(enumeration) = btf.enum_info(resolved) {
        return Some(Type::int(enumeration.bytes, enumeration.signed));
    }
    let target = btf.pointee(resolved)?;
    Some(Type::Pointer(pointee_of(btf, target)))
}

/// What a pointer to a kernel type points to.
fn pointee_of(btf: &Btf, id: TypeId) -> Pointee {
    let resolved = btf.resolve(id);
    match btf.kind(resolved) {
        // A declaration without its members, as a module's or another unit's type may stand: find the definition.
        Kind::Forward => match btf.find(Kind::Struct, btf.name(resolved)) {
            Some(definition) => Pointee::Btf(definition),
            None => Pointee::Void,
        },
        Kind::Struct | Kind::Union | Kind::Array => Pointee::Btf(resolved),
        _ => match scalar(btf, resolved) {
            Some(Type::Int { bytes, signed, .. }) => Pointee::Int { bytes, signed },
            Some(Type::Bool) => Pointee::Int {
                bytes: 1,
                signed: false,
            },
            Some(Type::Pointer(inner)) => Pointee::Pointer(Box::new(inner)),
            _ => Pointee::Void,
        },
    }
}

/// `base + bytes`, offsets of nested fields folded into one.
fn offset(base: Expr, bytes: i64, span: Span) -> Expr {
    if bytes == 0 {
        return Expr {
            ty: Type::U64,
            span,
            ..base
        };
    }
    let kind = match base.kind {
        ExprKind::Arith(Arith::Add, inner, constant)
            if matches!(base.ty, Type::Record(_) | Type::Array { .. })
                && constant.constant().is_some() =>
        {
            let before = constant.constant().unwrap_or(0);
            ExprKind::Arith(
                Arith::Add,
                inner,
                Box::new(Expr::int(before + bytes, Type::I64, span)),
            )
        }
        kind => ExprKind::Arith(
            Arith::Add,
            Box::new(Expr {
                kind,
                ty: base.ty,
                span: base.span,
            }),
            Box::new(Expr::int(bytes, Type::I64, span)),
        ),
    };
    Expr {
        kind,
        ty: Type::U64,
        span,
    }
}

/// A constant as an integer type of `bytes` bytes holds it.
fn extend(value: i64, bytes: u32, signed: bool) -> i64 {
    let shift = 64 - bytes * 8;
    if signed {
        value << shift >> shift
    } else {
        ((value as u64) << shift >> shift) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_cut_and_extended_as_c_does() {
        assert_eq!(extend(-1, 4, false), 0xffff_ffff);
        assert_eq!(extend(0x80, 1, true), -128);
        assert_eq!(extend(-1, 8, false), -1);
    }
}
