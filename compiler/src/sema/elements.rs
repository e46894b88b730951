//! Elements of maps: their keys, what is in them, and what is stored there.
//!
//! In come a map's name and its keys, out goes a place or its value. What an aggregation has come to is a number, or three of them.

use super::{Checker, KeyUse, MapContent};
use crate::hir::{Aggregate, Base, Expr, ExprKind, Place, ScriptMap};
use crate::types::{Type, TypeTable};
use cranelift_entity::EntityRef;
use pfscript_grammar::ast;
use pfscript_grammar::{Diagnostic, Span};
use pfscript_probes::Feature;
use std::sync::Arc;

/// The fields of what `stats()` comes to.
const STATS: [&str; 3] = ["count", "average", "total"];

/// The type of what an aggregation comes to, a number or those of [`STATS`]; `None` for what is no value.
pub(super) fn value_of(types: &mut TypeTable, aggregate: Aggregate, signed: bool) -> Option<Type> {
    let number = Type::int(8, signed);
    match aggregate {
        Aggregate::Count | Aggregate::Sum | Aggregate::Min | Aggregate::Max | Aggregate::Avg => {
            Some(number)
        }
        Aggregate::Stats => {
            Some(types.named_tuple(&[Type::U64, number, number], &STATS.map(Arc::from)))
        }
        Aggregate::Hist { .. } | Aggregate::LHist { .. } | Aggregate::Series { .. } => None,
    }
}

impl Checker<'_> {
    /// A map's element: the map, and its key as values.
    pub(crate) fn map_element(
        &mut self,
        name: &str,
        keys: Option<&[ast::Expr]>,
        span: Span,
    ) -> Result<(ScriptMap, Vec<Expr>), Diagnostic> {
        let key = keys
            .unwrap_or_default()
            .iter()
            .map(|key| self.printable(key))
            .collect::<Result<Vec<_>, _>>()?;
        let map = self.map(name, KeyUse::Whole, span)?;
        let key = self.key(map, key, span)?;
        Ok((map, key))
    }

    /// Notes what a use of a map's element says of its key.
    pub(crate) fn key(
        &mut self,
        map: ScriptMap,
        key: Vec<Expr>,
        span: Span,
    ) -> Result<Vec<Expr>, Diagnostic> {
        let types = match &key[..] {
            // `@x[(a, b)]` and `@x[a, b]` are the same element, and so is `@x[$tuple]`.
            [
                Expr {
                    ty: Type::Tuple(tuple),
                    ..
                },
            ] if self.types.names(*tuple).is_empty() => self.types.items(*tuple).to_vec(),
            _ => key.iter().map(|key| key.ty).collect(),
        };
        let name = self.info(map).name[1..].to_string();
        self.map(&name, KeyUse::Element(types), span)?;
        Ok(key)
    }

    /// The value of a map's element; of an aggregation, what it has come to.
    pub(crate) fn element_value(
        &mut self,
        map: ScriptMap,
        key: Vec<Expr>,
        span: Span,
    ) -> Result<Expr, Diagnostic> {
        let ty = match *self.content(map) {
            MapContent::Unknown => Type::Unknown,
            MapContent::Scalar(ty) => ty,
            MapContent::Aggregate(aggregate, signed) => {
                self.read_by_programs(map, aggregate, signed, span)?
            }
        };
        Ok(Expr {
            kind: ExprKind::Load(Place::whole(Base::Element { map, key }, ty)),
            ty,
            span,
        })
    }

    /// Notes that programs read what an aggregation has come to, and gives its type. All CPUs then share its value, which
    /// must be changed atomically.
    fn read_by_programs(
        &mut self,
        map: ScriptMap,
        aggregate: Aggregate,
        signed: bool,
        span: Span,
    ) -> Result<Type, Diagnostic> {
        let Some(ty) = value_of(&mut self.types, aggregate, signed) else {
            let message = format!(
                "`{}` holds what `{}()` gathers, which is no number",
                self.info(map).name,
                aggregate.name()
            );
            return Err(Diagnostic::error(span, message).help("print the map"));
        };
        if let Aggregate::Min | Aggregate::Max = aggregate {
            self.need(Feature::AtomicExchange, span)?;
        }
        self.env.maps[map.index()].read_by_programs = true;
        Ok(ty)
    }

    /// A map's element that a value of this type is stored in.
    pub(super) fn element_for(
        &mut self,
        map: ScriptMap,
        key: Vec<Expr>,
        ty: Type,
        span: Span,
    ) -> Result<Place, Diagnostic> {
        self.store(map, MapContent::Scalar(ty), span)?;
        let ty = match *self.content(map) {
            MapContent::Scalar(joined) => joined,
            MapContent::Unknown | MapContent::Aggregate(..) => ty,
        };
        Ok(Place::whole(Base::Element { map, key }, ty))
    }
}
