//! Types as they are written, from the grammar's pairs to nodes. Whether they exist is not asked here.

use pest::iterators::Pair;

use super::{AnyType, Builder};
use crate::ast::*;
use crate::literal;
use crate::rule::Rule;

impl Builder<'_> {
    pub(super) fn cast_type(&self, pair: Pair<'_, Rule>) -> AnyType {
        match pair.as_rule() {
            Rule::type_typeof => Err("typeof expressions"),
            _ => self.type_name(pair),
        }
    }

    pub(super) fn type_any(&self, pair: Pair<'_, Rule>) -> AnyType {
        match pair.into_inner().next() {
            Some(ty) if ty.as_rule() == Rule::type_name => self.type_name(ty),
            Some(ty) if ty.as_rule() == Rule::type_tuple => Err("tuple types"),
            _ => Err("typeof expressions"),
        }
    }

    pub(super) fn type_name(&self, pair: Pair<'_, Rule>) -> AnyType {
        let mut ty = TypeName {
            tag: None,
            name: String::new(),
            pointers: 0,
            array: None,
            span: self.trimmed(&pair),
        };
        let mut arrays = 0;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::qualifier => {}
                Rule::type_tag => {
                    ty.tag = Some(match part.as_str() {
                        "union" => TypeTag::Union,
                        "enum" => TypeTag::Enum,
                        _ => TypeTag::Struct,
                    });
                }
                Rule::pointer => ty.pointers += 1,
                Rule::array => {
                    arrays += 1;
                    let size = part.into_inner().next().map(|number| {
                        literal::integer(number.as_str()).unwrap_or_else(|error| {
                            self.literal_error(error, self.span(&number), 0);
                            0
                        })
                    });
                    ty.array = Some(size);
                }
                _ => {
                    if !ty.name.is_empty() {
                        ty.name.push(' ');
                    }
                    ty.name.push_str(part.as_str());
                }
            }
        }
        if arrays > 1 {
            return Err("arrays of arrays");
        }
        Ok(ty)
    }
}
