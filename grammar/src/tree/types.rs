//! Types as they are written, from the grammar's pairs to nodes. Whether they exist is not asked here.

use pest::Parser;
use pest::iterators::Pair;

use super::{AnyType, Builder};
use crate::ast::*;
use crate::literal;
use crate::parse::failure;
use crate::rule::{Rule, ScriptParser};
use crate::syntax_error::of_failure;

impl Builder<'_> {
    /// A type, or `typeof(x)`, with how deep it is.
    pub(super) fn any_type(&self, pair: Pair<'_, Rule>) -> (AnyType, usize) {
        match pair.as_rule() {
            Rule::type_typeof => self.type_of(pair),
            Rule::type_tuple => (Err("tuple types"), 0),
            Rule::type_any => match pair.clone().into_inner().next() {
                Some(ty) => self.any_type(ty),
                None => (self.type_name(pair), 0),
            },
            _ => (self.type_name(pair), 0),
        }
    }

    /// `typeof(x)`, `typeof(type)`
    fn type_of(&self, pair: Pair<'_, Rule>) -> (AnyType, usize) {
        let mut parts = pair.clone().into_inner();
        let Some(inner) = parts.find(|part| part.as_rule() == Rule::measured) else {
            return (self.type_name(pair), 0);
        };
        let start = self.base + inner.as_span().start();
        let builder = Builder::new(self.source, start);
        let (of, depth) = match ScriptParser::parse(Rule::measured_text, inner.as_str()) {
            Ok(mut text) => match text.next() {
                Some(text) => builder.measured_text(text),
                None => (Err("typeof expressions"), 0),
            },
            Err(error) => {
                let failure = failure(&error, start, start);
                self.error(of_failure(self.source, &failure, None));
                (Err("typeof expressions"), 0)
            }
        };
        builder
            .into_errors()
            .into_iter()
            .for_each(|error| self.error(error));
        let ty = self.type_name(pair).and_then(|ty| {
            Ok(TypeName {
                of: Some(Box::new(of?)),
                name: String::new(),
                ..ty
            })
        });
        (ty, depth + 1)
    }

    fn measured_text(&self, pair: Pair<'_, Rule>) -> (Result<Measured, &'static str>, usize) {
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr => {
                    let value = self.expr(part);
                    return (Ok(Measured::Value(Box::new(value.node))), value.depth);
                }
                Rule::type_name => return (self.type_name(part).map(Measured::Type), 0),
                _ => {}
            }
        }
        (Err("typeof expressions"), 0)
    }

    pub(super) fn type_name(&self, pair: Pair<'_, Rule>) -> AnyType {
        let mut ty = TypeName {
            tag: None,
            name: String::new(),
            of: None,
            pointers: 0,
            array: None,
            span: self.trimmed(&pair),
        };
        let mut arrays = 0;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::qualifier | Rule::measured => {}
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
