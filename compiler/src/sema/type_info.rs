//! `typeinfo`: what types are called, as bpftrace calls them.
//!
//! In come types and expressions, which are checked and not evaluated, out go records of constant strings.

use super::Checker;
use super::extents::Extent;
use super::maps::MapContent;
use super::measures::Look;
use crate::hir::{Expr, ExprKind};
use crate::manifest::{Holds, Naming};
use crate::types::Type;
use pfscript_grammar::ast::{ExprKind as Ast, Measured};
use pfscript_grammar::{Diagnostic, Span};
use std::sync::Arc;

/// The fields of what `typeinfo` gives.
const FIELDS: [&str; 3] = ["btf_id", "base_type", "full_type"];

/// What a type is called: its kind, and all of it.
struct Called {
    base: &'static str,
    full: String,
}

impl Called {
    /// A type of which there is but one.
    fn plain(base: &'static str) -> Called {
        Called {
            base,
            full: base.into(),
        }
    }
}

impl Checker<'_> {
    /// `typeinfo(type)`, `typeinfo(x)`: a record of constants, `btf_id` (0), `base_type` (`"int"`) and `full_type`
    /// (`"uint64"`).
    pub(super) fn type_info(&mut self, of: &Measured, span: Span) -> Result<Expr, Diagnostic> {
        self.env.extents.wanted = true;
        let called = match self.aggregation(of) {
            Some(called) => called,
            None => match self.measured(of)? {
                Look::Type(ty) => self.called(ty, &Extent::of(&self.types, ty)),
                Look::Value(value) => self.called(value.ty, &self.extent(&value)),
            },
        };
        let items = vec![
            Expr::literal(0, span),
            Expr::string(called.base.as_bytes(), span),
            Expr::string(called.full.as_bytes(), span),
        ];
        let types: Vec<Type> = items.iter().map(|item| item.ty).collect();
        let names: Vec<Arc<str>> = FIELDS.map(Arc::from).into();
        Ok(Expr {
            ty: self.types.named_tuple(&types, &names),
            kind: ExprKind::Tuple(items),
            span,
        })
    }

    /// What the map of an aggregation is called, where that is asked for.
    fn aggregation(&self, of: &Measured) -> Option<Called> {
        let Measured::Value(value) = of else {
            return None;
        };
        let Ast::Map { name, .. } = &value.kind else {
            return None;
        };
        let MapContent::Aggregate(aggregate, signed) = self.env.maps.get(name)?.value else {
            return None;
        };
        let base = match aggregate.name() {
            "count" => "count_t",
            "sum" => "sum_t",
            "min" => "min_t",
            "max" => "max_t",
            "avg" => "avg_t",
            "stats" => "stats_t",
            "hist" => "hist_t",
            "lhist" => "lhist_t",
            _ => "tseries_t",
        };
        let unsigned = !signed && matches!(base, "sum_t" | "min_t" | "max_t" | "avg_t" | "stats_t");
        Some(Called {
            base,
            full: match unsigned {
                true => format!("u{base}"),
                false => base.into(),
            },
        })
    }

    /// What a type is called whose values take that much room.
    fn called(&self, ty: Type, extent: &Extent) -> Called {
        let whole = |ty| self.called(ty, &Extent::of(&self.types, ty)).full;
        let sized = |base: &'static str, size: u32| Called {
            base,
            full: format!("{base}[{size}]"),
        };
        match ty {
            Type::Unknown => Called::plain("none"),
            Type::Void => Called::plain("void"),
            Type::Bool => Called::plain("bool"),
            Type::KernelSymbol => Called::plain("ksym_t"),
            Type::UserSymbol => Called::plain("usym_t"),
            Type::Int {
                signed,
                enumeration,
                ..
            } => {
                let btf = self.facts.btf();
                let named = enumeration.and_then(|id| self.types.enumeration_name(btf?, id));
                let sign = if signed { "" } else { "u" };
                Called {
                    base: "int",
                    full: named.unwrap_or_else(|| format!("{sign}int{}", 8 * extent.size())),
                }
            }
            Type::Str { .. } | Type::Chars { .. } => sized("string", extent.size()),
            Type::Buffer { holds, .. } => match holds {
                Holds::Bytes => sized("buffer", extent.size()),
                Holds::InternetAddress => sized("inet", extent.size()),
                Holds::HardwareAddress => Called::plain("mac_address"),
            },
            Type::Pointer(target) => Called {
                base: "pointer",
                full: format!("{} *", whole(self.types.get(target))),
            },
            Type::Record(record) => Called {
                base: "c_type",
                full: self.types.record(record).name.clone(),
            },
            Type::Array { element, count } => Called {
                base: "array",
                full: format!("{}[{count}]", whole(self.types.get(element))),
            },
            Type::Tuple(tuple) => {
                let items = self.types.items(tuple).iter().enumerate();
                let items = items.map(|(at, item)| match extent {
                    Extent::Tuple(extents) => self.called(*item, &extents[at]).full,
                    Extent::Plain { .. } => whole(*item),
                });
                let names = self.types.names(tuple);
                if names.is_empty() {
                    let items: Vec<String> = items.collect();
                    return Called {
                        base: "tuple",
                        full: format!("({})", items.join(",")),
                    };
                }
                let fields = names.iter().zip(items);
                let fields: Vec<String> = fields
                    .map(|(name, item)| format!(".{name} = {item}"))
                    .collect();
                Called {
                    base: "record",
                    full: format!("record {{ {} }}", fields.join(", ")),
                }
            }
            Type::Stack { user, mode, depth } => {
                let base = if user { "ustack" } else { "kstack" };
                Called {
                    base,
                    full: format!("{base}_{}_{depth}", mode.name()),
                }
            }
            Type::Named(naming) => match self.types.naming(naming) {
                Naming::Time { .. } => Called::plain("timestamp"),
                Naming::User => Called::plain("username_t"),
                Naming::Cgroup => Called::plain("cgroup_path_t"),
                Naming::Error | Naming::Signal | Naming::Syscall => sized("string", 64),
            },
        }
    }
}
