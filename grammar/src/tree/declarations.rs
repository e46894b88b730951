//! Declarations of C, from the grammar's pairs to nodes.

use pest::iterators::Pair;

use super::Builder;
use crate::ast::c::{
    Attributes, Declaration, Declarator, Derived, Enumeration, Member, Record, Specifiers,
};
use crate::ast::{Expr, TypeTag};
use crate::diagnostic::Diagnostic;
use crate::rule::Rule;
use crate::span::Spanned;

impl Builder<'_> {
    pub(super) fn declaration(&self, pair: Pair<'_, Rule>) -> Declaration {
        let span = self.trimmed(&pair);
        let text = self.source[span.range()].trim_end().to_owned();
        let mut declaration = Declaration {
            typedef: false,
            ty: Specifiers::Named {
                tag: None,
                name: Spanned::new(String::new(), span),
            },
            declarators: Vec::new(),
            text,
            span,
        };
        let mut attributes = Attributes::default();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::c_storage => declaration.typedef |= part.as_str() == "typedef",
                Rule::c_specifiers => declaration.ty = self.specifiers(part),
                Rule::c_attribute => attribute(&part, &mut attributes),
                Rule::c_declarator => declaration.declarators.extend(self.declarator(part)),
                _ => {}
            }
        }
        if let Specifiers::Record(record) = &mut declaration.ty {
            record.attributes = both(record.attributes, attributes);
        }
        declaration
    }

    fn specifiers(&self, pair: Pair<'_, Rule>) -> Specifiers {
        let span = self.trimmed(&pair);
        let mut words: Vec<&str> = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::c_record => return self.record(part),
                Rule::c_enum => return self.enumeration(part),
                Rule::qualifier => {}
                _ => words.push(part.as_str()),
            }
        }
        Specifiers::Named {
            tag: None,
            name: Spanned::new(words.join(" "), span),
        }
    }

    fn record(&self, pair: Pair<'_, Rule>) -> Specifiers {
        let mut record = Record {
            union: false,
            name: None,
            members: Vec::new(),
            attributes: Attributes::default(),
            span: self.trimmed(&pair),
        };
        let mut defined = false;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::c_record_tag => record.union = part.as_str() == "union",
                Rule::tag_name => record.name = Some(self.spanned(&part)),
                Rule::c_attribute => attribute(&part, &mut record.attributes),
                Rule::c_members => {
                    defined = true;
                    let members = part.into_inner();
                    let members = members.filter(|pair| pair.as_rule() == Rule::c_member);
                    record.members = members.map(|member| self.member(member)).collect();
                }
                _ => {}
            }
        }
        match (defined, &record.name) {
            (false, Some(name)) => Specifiers::Named {
                tag: Some(if record.union {
                    TypeTag::Union
                } else {
                    TypeTag::Struct
                }),
                name: name.clone(),
            },
            (false, None) => {
                let error = Diagnostic::error(record.span, "a name or `{` is missing");
                self.error(error);
                Specifiers::Record(record)
            }
            (true, _) => Specifiers::Record(record),
        }
    }

    fn member(&self, pair: Pair<'_, Rule>) -> Member {
        let span = self.trimmed(&pair);
        let mut member = Member {
            ty: Specifiers::Named {
                tag: None,
                name: Spanned::new(String::new(), span),
            },
            declarators: Vec::new(),
            span,
        };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::c_specifiers => member.ty = self.specifiers(part),
                Rule::c_declarator => member.declarators.extend(self.declarator(part)),
                _ => {}
            }
        }
        member
    }

    fn enumeration(&self, pair: Pair<'_, Rule>) -> Specifiers {
        let mut enumeration = Enumeration {
            name: None,
            enumerators: Vec::new(),
            span: self.trimmed(&pair),
        };
        let mut defined = false;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::tag_name => enumeration.name = Some(self.spanned(&part)),
                Rule::c_enumerators => {
                    defined = true;
                    let all = part.into_inner();
                    let all = all.filter(|pair| pair.as_rule() == Rule::c_enumerator);
                    enumeration.enumerators = all.filter_map(|one| self.enumerator(one)).collect();
                }
                _ => {}
            }
        }
        match (defined, &enumeration.name) {
            (false, Some(name)) => Specifiers::Named {
                tag: Some(TypeTag::Enum),
                name: name.clone(),
            },
            (false, None) => {
                let error = Diagnostic::error(enumeration.span, "a name or `{` is missing");
                self.error(error);
                Specifiers::Enumeration(enumeration)
            }
            (true, _) => Specifiers::Enumeration(enumeration),
        }
    }

    fn enumerator(&self, pair: Pair<'_, Rule>) -> Option<(Spanned<String>, Option<Expr>)> {
        let mut name = None;
        let mut value = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::ident => name = Some(self.spanned(&part)),
                Rule::expr => value = Some(self.expr(part).node),
                _ => {}
            }
        }
        Some((name?, value))
    }

    /// `None` for one that is empty: `struct pair { … } ;`.
    fn declarator(&self, pair: Pair<'_, Rule>) -> Option<Declarator> {
        let mut declarator = Declarator {
            name: None,
            derived: Vec::new(),
            bits: None,
            attributes: Attributes::default(),
            span: self.trimmed(&pair),
        };
        let mut suffixes = Vec::new();
        let mut nested = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::pointer => declarator.derived.push(Derived::Pointer),
                Rule::ident => declarator.name = Some(self.spanned(&part)),
                Rule::c_nested => {
                    let inner = part.into_inner();
                    let mut inner = inner.filter(|pair| pair.as_rule() == Rule::c_declarator);
                    nested = inner.next().and_then(|inner| self.declarator(inner));
                }
                Rule::c_params => suffixes.push(Derived::Function),
                Rule::c_array => {
                    let inner = part.into_inner();
                    let mut inner = inner.filter(|pair| pair.as_rule() == Rule::expr);
                    suffixes.push(Derived::Array(
                        inner.next().map(|expr| self.expr(expr).node),
                    ));
                }
                Rule::c_bits => {
                    let inner = part.into_inner();
                    let mut inner = inner.filter(|pair| pair.as_rule() == Rule::expr);
                    declarator.bits = inner.next().map(|expr| self.expr(expr).node);
                }
                Rule::c_attribute => attribute(&part, &mut declarator.attributes),
                _ => {}
            }
        }
        // `x[2][3]` is an array of 2 arrays of 3.
        declarator.derived.extend(suffixes.into_iter().rev());
        if let Some(nested) = nested {
            declarator.derived.extend(nested.derived);
            declarator.name = declarator.name.or(nested.name);
        }
        let empty =
            declarator.name.is_none() && declarator.derived.is_empty() && declarator.bits.is_none();
        (!empty).then_some(declarator)
    }

    fn spanned(&self, pair: &Pair<'_, Rule>) -> Spanned<String> {
        Spanned::new(pair.as_str().to_owned(), self.span(pair))
    }
}

fn both(a: Attributes, b: Attributes) -> Attributes {
    Attributes {
        packed: a.packed || b.packed,
        aligned: a.aligned.max(b.aligned),
    }
}

/// Reads what an attribute asks for: `__attribute__((packed, aligned(8)))`.
fn attribute(pair: &Pair<'_, Rule>, attributes: &mut Attributes) {
    let words = pair
        .as_str()
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty());
    let mut last = "";
    for word in words {
        let plain = word.trim_matches('_');
        if plain == "packed" {
            attributes.packed = true;
        }
        if last == "aligned" {
            attributes.aligned = word.parse().unwrap_or(0);
        }
        last = plain;
    }
}
