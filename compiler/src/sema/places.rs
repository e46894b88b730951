//! Places: fields, elements, what pointers point to, and their addresses.
//!
//! A structure or array in memory is a [`Place`] until it is kept or one of its parts is read. Its address stands for it where
//! an address is wanted, as in C.

use super::{Checker, MapContent, not_known};
use crate::hir::{Base, Expr, ExprKind, Place};
use crate::ir::Arith;
use crate::providers::{Argument, ArgumentType};
use crate::types::{Field, RecordId, TupleId, Type, TypeId, round_up};
use pfscript_grammar::ast::{self, BinaryOp, ExprKind as Ast};
use pfscript_grammar::{Diagnostic, Span, Spanned};

impl Checker<'_> {
    /// The place that an expression names. What is no place, such as a tuple that was just made, gets one of its own.
    pub(crate) fn place(&self, value: Expr) -> Place {
        match value.kind {
            ExprKind::Load(place) => place,
            _ => {
                let ty = value.ty;
                Place::whole(Base::Value(Box::new(value)), ty)
            }
        }
    }

    /// What is at a place.
    pub(crate) fn load(&self, place: Place, span: Span) -> Result<Expr, Diagnostic> {
        let ty = match place.ty {
            Type::Void => {
                return Err(
                    Diagnostic::error(span, "the type of this pointer is unknown")
                        .help("cast it: `*(uint64 *)x`"),
                );
            }
            Type::Chars { count } => Type::Str {
                bytes: round_up(count + 1).min(self.options.limits.string_room()),
            },
            ty => ty,
        };
        Ok(Expr {
            kind: ExprKind::Load(place),
            ty,
            span,
        })
    }

    /// What a pointer points to.
    pub(super) fn deref(
        &self,
        pointer: Expr,
        target: TypeId,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let target = self.types.get(target);
        self.load(Place::whole(Base::Memory(Box::new(pointer)), target), span)
    }

    /// The address of a place in memory.
    fn memory_address(&mut self, address: Expr, place_ty: Type, offset: u32, span: Span) -> Expr {
        let ty = match place_ty {
            // What it points to is not known before the next pass.
            Type::Unknown => Type::Unknown,
            ty => self.types.pointer_to(ty),
        };
        let kind = match offset {
            0 => address.kind,
            offset => ExprKind::Arith(
                Arith::Add,
                Box::new(address),
                Box::new(Expr::int(offset.into(), Type::I64, span)),
            ),
        };
        Expr { kind, ty, span }
    }

    /// The address of a place.
    fn address_of(&mut self, place: Place, span: Span) -> Expr {
        match place.base {
            Base::Memory(address) => self.memory_address(*address, place.ty, place.offset, span),
            _ => Expr {
                ty: match place.ty {
                    Type::Unknown => Type::Unknown,
                    ty => self.types.pointer_to(ty),
                },
                kind: ExprKind::Address(place),
                span,
            },
        }
    }

    /// A value for where an address is wanted: a structure or an array stands for its address, an array's being that of
    /// its first element.
    pub(crate) fn decayed(&mut self, value: Expr) -> Expr {
        let span = value.span;
        let element = match (value.ty, &value.kind) {
            (Type::Record(_), _) => None,
            (Type::Array { element, .. }, _) => Some(element),
            _ => return value,
        };
        let place = self.place(value);
        let address = self.address_of(place, span);
        Expr {
            ty: element.map_or(address.ty, Type::Pointer),
            ..address
        }
    }

    /// `&operand`
    pub(super) fn address(&mut self, operand: &ast::Expr, span: Span) -> Result<Expr, Diagnostic> {
        let value = self.expr(operand)?;
        if value.ty == Type::Unknown && self.env.partial {
            return Ok(value);
        }
        match value.kind {
            ExprKind::Load(Place {
                base: Base::Element { map, .. },
                ..
            }) if let MapContent::Aggregate(..) = self.content(map) => {
                Err(Diagnostic::error(span, "an aggregation has no address")
                    .help("assign its value to a variable: `$x = @x`"))
            }
            ExprKind::Load(place)
                if place.bits.is_none() && !matches!(place.base, Base::Value(_)) =>
            {
                Ok(self.address_of(place, span))
            }
            // What the context holds in place, or points to.
            ExprKind::ReadString { address, .. } if address.ty.is_scalar() => Ok(Expr {
                ty: Type::VOID_POINTER,
                span,
                ..*address
            }),
            _ if value.ty == Type::Unknown => Ok(value),
            _ => Err(Diagnostic::error(span, "this has no address")
                .help("variables, maps and fields have one")),
        }
    }

    /// `base.name` and `base->name`, which bpftrace takes alike.
    pub(super) fn field(
        &mut self,
        base: &ast::Expr,
        name: &Spanned<String>,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        if matches!(&base.kind, Ast::Ident(ident) if ident == "args") {
            return self.named_argument(name, span);
        }
        let value = self.expr(base)?;
        let place = match value.ty {
            Type::Record(_) => self.place(value),
            Type::Pointer(target) if matches!(self.types.get(target), Type::Record(_)) => {
                Place::whole(Base::Memory(Box::new(value)), self.types.get(target))
            }
            Type::Tuple(tuple) if !self.types.names(tuple).is_empty() => {
                let names = self.types.names(tuple);
                return match names.iter().position(|known| **known == *name.node) {
                    Some(at) => self.item(value, tuple, at as i64, name.span, span),
                    None => {
                        let message = format!("the record has no field `{}`", name.node);
                        let names = names.iter().map(|name| &**name);
                        Err(Diagnostic::error(name.span, message).suggest(&name.node, names))
                    }
                };
            }
            Type::Unknown => return Ok(value),
            Type::Pointer(_) | Type::Int { .. } => {
                self.btf(span)?;
                return Err(Diagnostic::error(
                    span,
                    format!(
                        "cannot read the field `{}`: the type of the pointer is unknown",
                        name.node
                    ),
                )
                .help(format!("cast it: `((struct NAME *)x)->{}`", name.node)));
            }
            other => {
                return Err(Diagnostic::error(
                    span,
                    format!("{} has no fields", self.types.describe(other)),
                ));
            }
        };
        self.member(place, name, span)
    }

    /// What is known of a structure's member.
    pub(super) fn field_of(
        &mut self,
        record: RecordId,
        name: &Spanned<String>,
        span: Span,
    ) -> Result<Field, Diagnostic> {
        let btf = self.btf(span)?;
        self.types.field(btf, record, &name.node).ok_or_else(|| {
            let message = format!(
                "`{}` has no field `{}`",
                self.types.record(record).name,
                name.node
            );
            Diagnostic::error(name.span, message)
                .suggest(&name.node, self.types.field_names(btf, record))
        })
    }

    /// A member of a structure.
    fn member(
        &mut self,
        place: Place,
        name: &Spanned<String>,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let Type::Record(record) = place.ty else {
            return Err(Diagnostic::error(span, "this has no fields"));
        };
        let field = self.field_of(record, name, span)?;
        match field.place() {
            Some((offset, ty, bits)) => {
                let place = place.part_in_c(offset, ty);
                self.load(Place { bits, ..place }, span)
            }
            None if field.ty.is_some() => Err(Diagnostic::unsupported(
                span,
                "bit fields that are in nine bytes",
            )),
            None => Err(Diagnostic::unsupported(
                span,
                &format!("values of the type `{}`", field.spelled),
            )),
        }
    }

    /// `args.name`
    pub(crate) fn named_argument(
        &mut self,
        name: &Spanned<String>,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let provider = self.probe.provider;
        let Some(point) = self.probe.points.first() else {
            return Err(not_known(span));
        };
        let mut found = Vec::with_capacity(self.probe.points.len());
        for point in self.probe.points {
            let arguments = match point.arguments(provider, self.facts) {
                Ok(arguments) => arguments,
                Err(error) => return Err(error.clone().diagnostic(span, String::new)),
            };
            let named = |name: &str| arguments.iter().find(|argument| argument.name == name);
            found.push(named(&name.node).or_else(|| named("")));
        }
        if found.iter().any(|argument| *argument != found[0]) {
            let differing = &mut self.probe.differences.arguments;
            differing.insert(name.node.clone());
        }
        // Where they differ, this check is only to find what else does.
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
            Some(Argument {
                ty: ArgumentType::Unknown { reason },
                ..
            }) => {
                let what = format!("`args.{}`", name.node);
                Ok(self.unchecked(&what, reason, span))
            }
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

    /// `args`: all arguments by name, as a record.
    pub(crate) fn all_arguments(&mut self, span: Span) -> Result<Expr, Diagnostic> {
        let provider = self.probe.provider;
        let mut names: Vec<String> = Vec::new();
        for point in self.probe.points {
            let arguments = match point.arguments(provider, self.facts) {
                Ok(arguments) => arguments,
                Err(error) => return Err(error.clone().diagnostic(span, String::new)),
            };
            let all = arguments.iter().map(|argument| argument.name.clone());
            if names.is_empty() {
                names = all.collect();
            } else if !all.eq(names.iter().cloned()) {
                let differing = &mut self.probe.differences.arguments;
                differing.extend(arguments.iter().map(|argument| argument.name.clone()));
            }
        }
        // Nothing is known of them, or there are none: the first says so.
        if matches!(&names[..], [] | [_]) && names.first().is_none_or(String::is_empty) {
            let unnamed = Spanned::new(String::new(), span);
            return self.named_argument(&unnamed, span);
        }
        let mut items = Vec::with_capacity(names.len());
        for name in &names {
            items.push(self.named_argument(&Spanned::new(name.clone(), span), span)?);
        }
        if let Some(unknown) = items.iter().position(|item| item.ty == Type::Unknown) {
            return Ok(items.swap_remove(unknown));
        }
        let types: Vec<Type> = items.iter().map(|item| item.ty).collect();
        let names: Vec<_> = names.iter().map(|name| name.as_str().into()).collect();
        Ok(Expr {
            ty: self.tuple_type(&types, &names, span)?,
            kind: ExprKind::Tuple(items),
            span,
        })
    }

    /// `tuple.0`
    pub(super) fn tuple_field(
        &mut self,
        base: &ast::Expr,
        index: &Spanned<u32>,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let value = self.expr(base)?;
        let tuple = match value.ty {
            Type::Tuple(tuple) => tuple,
            Type::Unknown => return Ok(value),
            other => {
                return Err(Diagnostic::error(
                    span,
                    format!("{} has no numbered fields", self.types.describe(other)),
                ));
            }
        };
        self.item(value, tuple, index.node.into(), index.span, span)
    }

    /// An item of a tuple.
    fn item(
        &mut self,
        value: Expr,
        tuple: TupleId,
        index: i64,
        index_span: Span,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let items = self.types.items(tuple);
        let found = usize::try_from(index)
            .ok()
            .and_then(|at| Some((at, *items.get(at)?)));
        let Some((at, ty)) = found else {
            return Err(Diagnostic::error(
                index_span,
                format!("the tuple has {} fields, counted from 0", items.len()),
            ));
        };
        if let ExprKind::Tuple(parts) = &value.kind
            && value.is_written()
        {
            return Ok(parts[at].clone());
        }
        let offset = items[..at].iter().map(|item| self.types.size(*item)).sum();
        let part = self.place(value).part(offset, ty);
        self.load(part, span)
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
        let value = self.characters(value);
        let (element, count) = match value.ty {
            // The end of a structure whose number of elements C does not say.
            Type::Array { element, count: 0 } if in_memory(&value) => (element, None),
            Type::Array { element, count } => (element, Some(count)),
            Type::Pointer(target) => (target, None),
            Type::Tuple(tuple) => {
                let Some(constant) = at.constant() else {
                    let message = "the index of a tuple's field must be a constant";
                    return Err(Diagnostic::error(index.span, message));
                };
                return self.item(value, tuple, constant, index.span, span);
            }
            Type::Unknown => return Ok(value),
            other => {
                return Err(Diagnostic::error(
                    span,
                    format!("{} has no elements", self.types.describe(other)),
                ));
            }
        };
        if let (Some(count), Some(constant)) = (count, at.constant())
            && !(0..i64::from(count)).contains(&constant)
        {
            return Err(Diagnostic::error(
                index.span,
                format!("the array has {count} elements, counted from 0"),
            ));
        }
        let at = match (count, at.constant()) {
            (Some(count), None) => Expr {
                ty: at.ty,
                span,
                kind: ExprKind::Index {
                    index: Box::new(at),
                    count,
                },
            },
            _ => at,
        };
        if let Some(count) = count
            && !in_memory(&value)
        {
            let place = self.place(value);
            return self.element_of(place, element, count, at, span);
        }
        let base = self.decayed(value);
        let address = self.offset_pointer(BinaryOp::Add, base, at, element, span);
        self.deref(address, element, span)
    }

    /// A string as the array of its characters; other values as they are.
    pub(crate) fn characters(&mut self, value: Expr) -> Expr {
        let (ty, span) = (value.ty, value.span);
        let place = match (value.kind, ty) {
            // Also the characters behind those that a string would hold.
            (ExprKind::Load(place), Type::Str { .. }) => place,
            (kind, Type::Str { .. }) => {
                Place::whole(Base::Value(Box::new(Expr { kind, ty, span })), ty)
            }
            (kind, _) => return Expr { kind, ty, span },
        };
        let count = match place.ty {
            Type::Chars { count } => count,
            other => self.types.size(other),
        };
        let ty = Type::Array {
            element: self.types.intern(Type::int(1, true)),
            count,
        };
        Expr {
            kind: ExprKind::Load(place.part_in_c(0, ty)),
            ty,
            span,
        }
    }

    /// An element of an array that is in a variable, a map, or nowhere yet.
    fn element_of(
        &mut self,
        place: Place,
        element: TypeId,
        count: u32,
        index: Expr,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let ty = self.types.get(element);
        let size = self.types.c_size(ty).unwrap_or(0);
        // It is within the array, whose size is that of all elements.
        let constant = index.constant().and_then(|index| u32::try_from(index).ok());
        if let Some(index) = constant {
            return self.load(place.part_in_c(index.saturating_mul(size), ty), span);
        }
        let address = Expr {
            kind: ExprKind::ElementAddress {
                place,
                index: Box::new(index),
                size,
                count,
            },
            ty: Type::Pointer(element),
            span,
        };
        self.deref(address, element, span)
    }
}

/// Whether a value is still in memory.
fn in_memory(value: &Expr) -> bool {
    matches!(
        value.kind,
        ExprKind::Load(Place {
            base: Base::Memory(_),
            ..
        })
    )
}
