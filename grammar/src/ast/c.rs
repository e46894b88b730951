//! Declarations of C in a script: structures, unions, enumerations and names of types.
//!
//! They say what was written. Sizes and offsets are worked out by the compiler.

use super::{Expr, TypeTag};
use crate::span::{Span, Spanned};

/// A declaration, with the text that it was read from, which says it all: two of the same text are equal.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// `typedef`: the declarators name types.
    pub typedef: bool,
    /// What is declared or named.
    pub ty: Specifiers,
    /// The names, each with what it makes of the type.
    pub declarators: Vec<Declarator>,
    /// As written.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

impl PartialEq for Declaration {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// The type before the declarators.
#[derive(Clone, Debug)]
pub enum Specifiers {
    /// `struct pair`, `unsigned long`, `pid_t`
    Named {
        /// `struct`, `union` or `enum`, if written.
        tag: Option<TypeTag>,
        /// The words, joined by single spaces.
        name: Spanned<String>,
    },
    /// A structure or union with its members.
    Record(Record),
    /// An enumeration with its enumerators.
    Enumeration(Enumeration),
}

/// `struct name { … }`
#[derive(Clone, Debug)]
pub struct Record {
    /// A union.
    pub union: bool,
    /// Behind the tag.
    pub name: Option<Spanned<String>>,
    /// In order.
    pub members: Vec<Member>,
    /// What attributes ask for.
    pub attributes: Attributes,
    /// From the tag to the closing brace.
    pub span: Span,
}

/// What attributes ask for. Others change no layout, and are passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `packed`: no room between members.
    pub packed: bool,
    /// `aligned(bytes)`; 0 if it is not asked for.
    pub aligned: u32,
}

/// Members of one type: `int a, *b, c[3];`. Without a declarator, the members of an anonymous structure or union.
#[derive(Clone, Debug)]
pub struct Member {
    /// Their type.
    pub ty: Specifiers,
    /// Their names, each with what it makes of the type.
    pub declarators: Vec<Declarator>,
    /// Where they stand.
    pub span: Span,
}

/// `enum name { A, B = 2 }`
#[derive(Clone, Debug)]
pub struct Enumeration {
    /// Behind the tag.
    pub name: Option<Spanned<String>>,
    /// The names, with their values where they are written.
    pub enumerators: Vec<(Spanned<String>, Option<Expr>)>,
    /// From the tag to the closing brace.
    pub span: Span,
}

/// A name, and what it makes of the type before it.
#[derive(Clone, Debug)]
pub struct Declarator {
    /// Absent in an unnamed bit field.
    pub name: Option<Spanned<String>>,
    /// What is made of the type, one after the other.
    pub derived: Vec<Derived>,
    /// The width of a bit field.
    pub bits: Option<Expr>,
    /// What its attributes ask for.
    pub attributes: Attributes,
    /// Where it stands.
    pub span: Span,
}

/// What is made of a type.
#[derive(Clone, Debug)]
pub enum Derived {
    /// A pointer to it.
    Pointer,
    /// An array of it; without a number, one whose length nobody says.
    Array(Option<Expr>),
    /// A function that returns it.
    Function,
}
