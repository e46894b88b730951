//! What a script declares in C, as BTF behind the kernel's own: a script's structure is from then on one like the kernel's, and
//! is found before one of the same name.
//!
//! In come declarations of the syntax tree, out go facts whose types have them. Layouts are those of the System V ABIs of
//! x86-64 and arm64, which agree on all that scripts can read: a member is aligned by its type, a bit field does not cross
//! a unit of its type.

mod layout;

use super::integer_types::INTEGER_TYPES;
use crate::btf::{Btf, BtfWriter, Kind, TypeId};
use crate::facts::{Arch, Facts, WithTypes};
use crate::language::constants;
use layout::{Laid, Layout, MAX_BYTES, MAX_DEPTH, MAX_MEMBERS, alignment, too_large};
use pfscript_grammar::ast::c::{
    Declaration, Declarator, Derived, Enumeration, Member, Record, Specifiers,
};
use pfscript_grammar::ast::{BinaryOp, Expr, ExprKind, Item, Script, TypeTag, UnaryOp};
use pfscript_grammar::{Diagnostic, Span, Spanned};
use std::collections::HashMap;

/// The facts with what a script declares; `None` if it declares nothing. What stands in its headers is declared first: they
/// begin at `headers`.
///
/// # Errors
/// What is wrong with the declarations.
pub fn declared<'a>(
    script: &Script,
    headers: Option<u32>,
    facts: &'a dyn Facts,
) -> Result<Option<WithTypes<'a>>, Vec<Diagnostic>> {
    let mut declarations: Vec<&Declaration> = script
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Declaration(declaration) => Some(declaration),
            _ => None,
        })
        .collect();
    if declarations.is_empty() {
        return Ok(None);
    }
    let headers = headers.unwrap_or(u32::MAX);
    declarations.sort_by_key(|declaration| declaration.span.start < headers);
    let none = Btf::new(BtfWriter::new().finish()).ok();
    let Some(kernel) = facts.btf().or(none.as_ref()) else {
        return Ok(None);
    };
    let mut declarer = Declarer::new(kernel, facts.arch());
    let mut errors = Vec::new();
    for declaration in &declarations {
        errors.extend(declarer.declare(declaration).err());
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let (types, strings) = declarer.writer.sections();
    let btf = kernel.extended(types, strings).map_err(|error| {
        let span = declarations.first().map(|first| first.span);
        vec![Diagnostic::error(
            span.unwrap_or_default(),
            format!("these declarations cannot be kept: {error}"),
        )]
    })?;
    Ok(Some(WithTypes::new(facts, btf)))
}

/// Writes declarations as BTF.
struct Declarer<'a> {
    kernel: &'a Btf,
    arch: Arch,
    writer: BtfWriter,
    /// Structures, unions and enumerations by their tags' names.
    tags: HashMap<String, Laid>,
    typedefs: HashMap<String, Laid>,
    integers: HashMap<(String, u32), Laid>,
    constants: HashMap<String, i64>,
}

impl<'a> Declarer<'a> {
    fn new(kernel: &'a Btf, arch: Arch) -> Self {
        Declarer {
            kernel,
            arch,
            writer: BtfWriter::behind(kernel),
            tags: HashMap::new(),
            typedefs: HashMap::new(),
            integers: HashMap::new(),
            constants: HashMap::new(),
        }
    }

    fn declare(&mut self, declaration: &Declaration) -> Result<(), Diagnostic> {
        let base = self.specified(&declaration.ty)?;
        for declarator in &declaration.declarators {
            let laid = self.derived(base, declarator)?;
            // Variables and functions of C are no part of a script.
            if let (true, Some(name)) = (declaration.typedef, &declarator.name) {
                let id = self.writer.reference(Kind::Typedef, &name.node, laid.id);
                self.typedefs.insert(name.node.clone(), Laid { id, ..laid });
            }
        }
        Ok(())
    }

    fn specified(&mut self, ty: &Specifiers) -> Result<Laid, Diagnostic> {
        match ty {
            Specifiers::Named { tag: None, name } => self.named(name),
            Specifiers::Named {
                tag: Some(tag),
                name,
            } => Ok(self.tagged(*tag, &name.node)),
            Specifiers::Record(record) => self.record(record),
            Specifiers::Enumeration(enumeration) => self.enumeration(enumeration),
        }
    }

    /// `struct name`: the script's, the kernel's, or one that somebody may define later.
    fn tagged(&mut self, tag: TypeTag, name: &str) -> Laid {
        if let Some(&laid) = self.tags.get(name) {
            return laid;
        }
        let kind = match tag {
            TypeTag::Struct => Kind::Struct,
            TypeTag::Union => Kind::Union,
            TypeTag::Enum => Kind::Enum,
        };
        if let Some(id) = self.kernel.find(kind, name) {
            return self.of_kernel(id);
        }
        match tag {
            TypeTag::Enum => self.integer("unsigned int", 4, false),
            TypeTag::Struct | TypeTag::Union => Laid {
                id: self.writer.forward(name, tag == TypeTag::Union),
                size: None,
                align: 1,
            },
        }
    }

    fn of_kernel(&self, id: TypeId) -> Laid {
        Laid {
            id,
            size: self.kernel.size_of(id).map(u64::from),
            align: alignment(self.kernel, id, MAX_DEPTH),
        }
    }

    fn integer(&mut self, name: &str, bytes: u32, signed: bool) -> Laid {
        let encoding = match (name, signed) {
            ("_Bool", _) => 4,
            (_, signed) => u32::from(signed),
        };
        let key = (name.to_owned(), bytes);
        if let Some(&known) = self.integers.get(&key) {
            return known;
        }
        let laid = Laid {
            id: self.writer.int(name, bytes, encoding),
            size: Some(bytes.into()),
            align: bytes.into(),
        };
        self.integers.insert(key, laid);
        laid
    }

    /// A type without a tag.
    fn named(&mut self, name: &Spanned<String>) -> Result<Laid, Diagnostic> {
        let text = name.node.as_str();
        if let Some(&laid) = self.typedefs.get(text) {
            return Ok(laid);
        }
        match text {
            "void" => {
                return Ok(Laid {
                    id: TypeId::VOID,
                    size: None,
                    align: 1,
                });
            }
            "bool" | "_Bool" => return Ok(self.integer("_Bool", 1, false)),
            // Of the right size; there are no such values.
            "float" => return Ok(self.float("float", 4)),
            "double" => return Ok(self.float("double", 8)),
            "long double" => return Ok(self.float("long double", 16)),
            _ => {}
        }
        if let Some((bytes, signed)) = integer_words(text) {
            let plain = match (bytes, text) {
                (1, "char") => "char",
                _ => text,
            };
            return Ok(self.integer(plain, bytes, signed));
        }
        if let Some(id) = self.kernel.find(Kind::Typedef, text) {
            return Ok(self.of_kernel(id));
        }
        if let Some(&(known, bytes, signed)) = INTEGER_TYPES.iter().find(|row| row.0 == text) {
            return Ok(self.integer(known, bytes, signed));
        }
        let names = self.typedefs.keys().map(String::as_str);
        let integers = INTEGER_TYPES.iter().map(|row| row.0);
        let message = format!("unknown type `{text}`");
        let error = Diagnostic::error(name.span, message);
        Err(match self.tags.contains_key(text) {
            true => error.help(format!("write `struct {text}`")),
            false => error.suggest(text, names.chain(integers)),
        })
    }

    fn float(&mut self, name: &str, bytes: u32) -> Laid {
        Laid {
            id: self.writer.float(name, bytes),
            size: Some(bytes.into()),
            align: bytes.into(),
        }
    }

    fn derived(&mut self, base: Laid, declarator: &Declarator) -> Result<Laid, Diagnostic> {
        let mut laid = base;
        for derived in &declarator.derived {
            laid = match derived {
                Derived::Pointer => Laid {
                    id: self.writer.reference(Kind::Pointer, "", laid.id),
                    size: Some(8),
                    align: 8,
                },
                Derived::Function => Laid {
                    id: self.writer.prototype(&[], laid.id),
                    size: None,
                    align: 1,
                },
                Derived::Array(count) => self.array(laid, count.as_ref(), declarator.span)?,
            };
        }
        laid.align = laid.align.max(declarator.attributes.aligned.into());
        Ok(laid)
    }

    fn array(
        &mut self,
        element: Laid,
        count: Option<&Expr>,
        span: Span,
    ) -> Result<Laid, Diagnostic> {
        let Some(size) = element.size else {
            return Err(Diagnostic::error(
                span,
                "the elements of this array have no size",
            ));
        };
        let count = match count {
            Some(count) => {
                let value = self.constant(count)?;
                let message = format!("an array cannot have {value} elements");
                u32::try_from(value).map_err(|_| Diagnostic::error(count.span, message))?
            }
            None => 0,
        };
        let size = size * u64::from(count);
        if size > MAX_BYTES {
            return Err(too_large(span));
        }
        Ok(Laid {
            id: self.writer.array(element.id, count),
            size: Some(size),
            align: element.align,
        })
    }

    fn record(&mut self, record: &Record) -> Result<Laid, Diagnostic> {
        let kind = match record.union {
            true => Kind::Union,
            false => Kind::Struct,
        };
        if let Some(name) = &record.name
            && self.tags.contains_key(&name.node)
        {
            let message = format!("`{}` is defined twice", name.node);
            return Err(Diagnostic::error(name.span, message));
        }
        let mut layout = Layout {
            union: record.union,
            packed: record.attributes.packed,
            bits: 0,
            size_bits: 0,
            align: 1,
        };
        let mut members: Vec<(String, TypeId, u32, u32)> = Vec::new();
        for member in &record.members {
            self.member(member, &mut layout, &mut members)?;
            if members.len() > MAX_MEMBERS {
                return Err(too_large(member.span));
            }
        }
        let align = layout.align.max(record.attributes.aligned.into());
        let size = layout.size_bits.div_ceil(8).next_multiple_of(align);
        if size > MAX_BYTES {
            return Err(too_large(record.span));
        }
        let name = record.name.as_ref().map_or("", |name| name.node.as_str());
        let rows: Vec<(&str, TypeId, u32, u32)> = members
            .iter()
            .map(|(name, ty, offset, bits)| (name.as_str(), *ty, *offset, *bits))
            .collect();
        let laid = Laid {
            id: self.writer.structure(kind, name, size as u32, &rows),
            size: Some(size),
            align,
        };
        if let Some(name) = &record.name {
            self.tags.insert(name.node.clone(), laid);
        }
        Ok(laid)
    }

    fn member(
        &mut self,
        member: &Member,
        layout: &mut Layout,
        members: &mut Vec<(String, TypeId, u32, u32)>,
    ) -> Result<(), Diagnostic> {
        let base = self.specified(&member.ty)?;
        if member.declarators.is_empty() {
            // Members of an anonymous structure are members here; a named one is only declared.
            let anonymous =
                matches!(&member.ty, Specifiers::Record(record) if record.name.is_none());
            if anonymous {
                let bits = layout.place(base, base.size.unwrap_or(0), member.span)?;
                members.push((String::new(), base.id, bits as u32, 0));
            }
            return Ok(());
        }
        for declarator in &member.declarators {
            let laid = self.derived(base, declarator)?;
            let name = declarator
                .name
                .as_ref()
                .map_or("", |name| name.node.as_str());
            if !name.is_empty() && members.iter().any(|known| known.0 == name) {
                let message = format!("there are two members `{name}`");
                return Err(Diagnostic::error(declarator.span, message));
            }
            let Some(size) = laid.size else {
                let message = format!("the member `{name}` has a type without a size");
                return Err(Diagnostic::error(declarator.span, message)
                    .help("a structure that is not defined can only be pointed to"));
            };
            match &declarator.bits {
                None => {
                    let bits = layout.place(laid, size, declarator.span)?;
                    members.push((name.to_owned(), laid.id, bits as u32, 0));
                }
                Some(width) => {
                    let bits = self.constant(width)?;
                    let most = 8 * size as i64;
                    if !(0..=most).contains(&bits) || size > 8 || (bits == 0 && !name.is_empty()) {
                        let message = format!("a bit field of this type has 1 to {most} bits");
                        return Err(Diagnostic::error(width.span, message));
                    }
                    if let Some(offset) = layout.place_bits(size, bits as u64, declarator.span)?
                        && !name.is_empty()
                    {
                        members.push((name.to_owned(), laid.id, offset as u32, bits as u32));
                    }
                }
            }
        }
        Ok(())
    }

    fn enumeration(&mut self, enumeration: &Enumeration) -> Result<Laid, Diagnostic> {
        let mut next = 0_i64;
        let mut values: Vec<(&str, i64)> = Vec::new();
        for (name, value) in &enumeration.enumerators {
            if let Some(value) = value {
                next = self.constant(value)?;
            }
            self.constants.insert(name.node.clone(), next);
            values.push((&name.node, next));
            next = next.wrapping_add(1);
        }
        if values.len() > MAX_MEMBERS {
            return Err(too_large(enumeration.span));
        }
        let signed = values.iter().any(|(_, value)| *value < 0);
        let fits = |value: i64| match signed {
            true => i32::try_from(value).is_ok(),
            false => u32::try_from(value).is_ok(),
        };
        let bytes = match values.iter().all(|(_, value)| fits(*value)) {
            true => 4,
            false => 8,
        };
        let name = enumeration
            .name
            .as_ref()
            .map_or("", |name| name.node.as_str());
        let laid = Laid {
            id: self.writer.enumeration(name, bytes, signed, &values),
            size: Some(bytes.into()),
            align: bytes.into(),
        };
        if let Some(name) = &enumeration.name {
            self.tags.insert(name.node.clone(), laid);
        }
        Ok(laid)
    }

    /// The value of a constant expression.
    fn constant(&self, expr: &Expr) -> Result<i64, Diagnostic> {
        let error = |message: &str| Err(Diagnostic::error(expr.span, message));
        Ok(match &expr.kind {
            ExprKind::Int(value) => *value as i64,
            ExprKind::Ident(name) => {
                let known = self.constants.get(name).copied();
                let known = known.or_else(|| Some(self.kernel.enumerator(name)?.1));
                match known.or_else(|| constants::named(name, self.arch)) {
                    Some(value) => value,
                    None => return error(&format!("`{name}` is no constant")),
                }
            }
            ExprKind::Unary { op, operand } => {
                let value = self.constant(operand)?;
                match op {
                    UnaryOp::Neg => value.wrapping_neg(),
                    UnaryOp::BitNot => !value,
                    UnaryOp::Not => i64::from(value == 0),
                    UnaryOp::Deref | UnaryOp::AddressOf => return error("this is no constant"),
                }
            }
            ExprKind::Binary { first, rest } => {
                let mut value = self.constant(first)?;
                for (op, operand) in rest {
                    let right = self.constant(operand)?;
                    let Some(result) = arithmetic(*op, value, right) else {
                        return error("this has no value");
                    };
                    value = result;
                }
                value
            }
            _ => return error("a constant is expected here"),
        })
    }
}

fn arithmetic(op: BinaryOp, a: i64, b: i64) -> Option<i64> {
    let shift = u32::try_from(b).ok().filter(|shift| *shift < 64);
    Some(match op {
        BinaryOp::Add => a.wrapping_add(b),
        BinaryOp::Sub => a.wrapping_sub(b),
        BinaryOp::Mul => a.wrapping_mul(b),
        BinaryOp::Div => a.checked_div(b)?,
        BinaryOp::Mod => a.checked_rem(b)?,
        BinaryOp::BitAnd => a & b,
        BinaryOp::BitOr => a | b,
        BinaryOp::BitXor => a ^ b,
        BinaryOp::Shl => a << shift?,
        BinaryOp::Shr => a >> shift?,
        BinaryOp::And => i64::from(a != 0 && b != 0),
        BinaryOp::Or => i64::from(a != 0 || b != 0),
        BinaryOp::Eq => i64::from(a == b),
        BinaryOp::Ne => i64::from(a != b),
        BinaryOp::Lt => i64::from(a < b),
        BinaryOp::Le => i64::from(a <= b),
        BinaryOp::Gt => i64::from(a > b),
        BinaryOp::Ge => i64::from(a >= b),
    })
}

/// `unsigned long int` and the like, in any order of the words: bytes, and whether it is signed.
fn integer_words(text: &str) -> Option<(u32, bool)> {
    let (mut longs, mut short, mut char, mut signed) = (0, false, false, None);
    for word in text.split(' ') {
        match word {
            "int" => {}
            "long" => longs += 1,
            "short" => short = true,
            "char" => char = true,
            "signed" => signed = Some(true),
            "unsigned" => signed = Some(false),
            _ => return None,
        }
    }
    let bytes = match (longs, short, char) {
        (_, _, true) => 1,
        (_, true, _) => 2,
        (0, ..) => 4,
        _ => 8,
    };
    Some((bytes, signed.unwrap_or(true)))
}
