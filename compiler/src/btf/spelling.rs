//! Types as C spells them.
//!
//! In comes an id, out goes text such as `struct file *`, or a whole definition for `-lv`. The language's own names of types
//! are not known here.

use super::{Btf, Kind, MAX_DEPTH, TypeId};
use std::fmt::Write as _;

/// The most declarators in one declaration.
const MAX_EFFORT: u32 = 256;

/// The most bytes of one definition.
const MAX_TEXT: usize = 1 << 18;

impl Btf {
    /// A type as C spells it: `struct file *`, `unsigned int [4]`, `const char *`, `void (*)(struct callback_head *)`.
    pub fn c_name(&self, id: TypeId) -> String {
        self.c_declaration(id, "")
    }

    /// A declaration of `name` with that type: `char comm[16]`, `int (*open)(struct inode *, struct file *)`.
    pub fn c_declaration(&self, id: TypeId, name: &str) -> String {
        let mut effort = 0;
        self.declare(id, name.to_owned(), MAX_DEPTH, &mut effort)
    }

    /// Wraps the declarator outwards, C's way: from the name to the base type.
    fn declare(&self, id: TypeId, declarator: String, depth: u32, effort: &mut u32) -> String {
        *effort += 1;
        let Some(header) = self.header(id) else {
            return join("void", &declarator);
        };
        if depth == 0 || *effort > MAX_EFFORT {
            return join("...", &declarator);
        }
        let target = TypeId(header.size_or_type);
        match header.kind {
            Kind::Pointer => {
                let inner = self.header(self.strip_qualifiers(target)).map(|h| h.kind);
                let pointer = match inner {
                    Some(Kind::Array | Kind::FuncProto) => format!("(*{declarator})"),
                    _ => format!("*{declarator}"),
                };
                self.declare(target, pointer, depth - 1, effort)
            }
            Kind::Const | Kind::Volatile | Kind::Restrict => {
                let word = match header.kind {
                    Kind::Const => "const",
                    Kind::Volatile => "volatile",
                    _ => "restrict",
                };
                // After the star for pointers, before the name of anything else.
                if self.header(target).map(|h| h.kind) == Some(Kind::Pointer) {
                    let declarator = match declarator.as_str() {
                        "" => word.to_owned(),
                        _ => format!("{word} {declarator}"),
                    };
                    let inner = self.declare(target, declarator, depth - 1, effort);
                    return inner.replacen(&format!("*{word}"), &format!("* {word}"), 1);
                }
                format!(
                    "{word} {}",
                    self.declare(target, declarator, depth - 1, effort)
                )
            }
            Kind::TypeTag | Kind::DeclTag => self.declare(target, declarator, depth - 1, effort),
            Kind::Array => {
                let element = TypeId(self.trailer(&header, 0).unwrap_or_default());
                let count = self.trailer(&header, 2).unwrap_or_default();
                self.declare(element, format!("{declarator}[{count}]"), depth - 1, effort)
            }
            Kind::FuncProto => {
                let parameters = match self.prototype(id) {
                    Some(prototype) => {
                        let mut texts: Vec<String> = Vec::new();
                        for &(name, ty) in &prototype.params {
                            texts.push(self.declare(ty, name.to_owned(), depth - 1, effort));
                            if *effort > MAX_EFFORT {
                                break;
                            }
                        }
                        if prototype.variadic {
                            texts.push("...".to_owned());
                        }
                        if texts.is_empty() {
                            texts.push("void".to_owned());
                        }
                        texts.join(", ")
                    }
                    None => String::new(),
                };
                self.declare(
                    target,
                    format!("{declarator}({parameters})"),
                    depth - 1,
                    effort,
                )
            }
            Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Forward => {
                let tag = match header.kind {
                    Kind::Struct => "struct",
                    Kind::Union => "union",
                    // The flag of a forward declaration tells unions from structures.
                    Kind::Forward if header.kind_flag => "union",
                    Kind::Forward => "struct",
                    _ => "enum",
                };
                match self.string(header.name) {
                    "" => join(&format!("{tag}{HOLE}"), &declarator),
                    name => join(&format!("{tag} {name}"), &declarator),
                }
            }
            _ => join(self.string(header.name), &declarator),
        }
    }

    /// A structure, union or enumeration as C defines it, over several lines; of anything else, the spelling.
    pub fn c_definition(&self, id: TypeId) -> String {
        let mut text = String::new();
        self.define(id, 0, &mut text);
        text
    }

    /// Appends a definition without final semicolon, its members indented by one tab more than `depth`.
    fn define(&self, id: TypeId, depth: u32, text: &mut String) {
        let Some(header) = self.header(id) else {
            return;
        };
        let tag = match header.kind {
            Kind::Struct => "struct",
            Kind::Union => "union",
            Kind::Enum | Kind::Enum64 => "enum",
            _ => {
                text.push_str(&self.c_name(id));
                return;
            }
        };
        text.push_str(&join(tag, self.string(header.name)));
        text.push_str(" {\n");
        let tabs = "\t".repeat(depth as usize + 1);
        if tag == "enum" {
            for (name, value) in self.enumerators(id) {
                // Writing to a string cannot fail, here and below.
                let _ = writeln!(text, "{tabs}{name} = {value},");
            }
        }
        for member in self.members(id) {
            if text.len() > MAX_TEXT || depth >= MAX_DEPTH {
                break;
            }
            let declaration = self.c_declaration(member.ty, member.name);
            text.push_str(&tabs);
            match (self.innermost(member.ty), declaration.split_once(HOLE)) {
                (Some(inner), Some((before, after))) => {
                    // The tag is written again by the definition.
                    text.push_str(before.trim_end_matches(|c: char| c.is_ascii_lowercase()));
                    self.define(inner, depth + 1, text);
                    text.push_str(after);
                }
                _ => text.push_str(&declaration),
            }
            if let Some(bits) = member.bitfield_bits {
                let _ = write!(text, ": {bits}");
            }
            text.push_str(";\n");
        }
        text.push_str(&tabs[1..]);
        text.push('}');
    }

    /// The structure, union or enumeration without a name that a declaration is about, behind arrays, pointers and
    /// qualifiers.
    fn innermost(&self, mut id: TypeId) -> Option<TypeId> {
        for _ in 0..MAX_DEPTH {
            let header = self.header(id)?;
            id = match header.kind {
                Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 => {
                    return self.name(id).is_empty().then_some(id);
                }
                Kind::Array => self.array(id)?.0,
                Kind::Pointer | Kind::Const | Kind::Volatile | Kind::Restrict | Kind::TypeTag => {
                    TypeId(header.size_or_type)
                }
                _ => return None,
            };
        }
        None
    }
}

/// Stands for the members of what has no name.
const HOLE: &str = " {...}";

/// A base type and its declarator.
fn join(base: &str, declarator: &str) -> String {
    match declarator {
        "" => base.to_owned(),
        _ => format!("{base} {declarator}"),
    }
}

/// What an integer's name says, whichever of C's spellings it is: the words sorted, those left out that change nothing.
pub(super) fn plain_integer(name: &str) -> Vec<&str> {
    let mut words: Vec<&str> = name.split_ascii_whitespace().collect();
    words.sort_unstable();
    let is_char = words.contains(&"char");
    // `signed` changes `char` alone; `int` by itself is all there is to say.
    words.retain(|&word| is_char || word != "signed");
    let sized = words
        .iter()
        .any(|word| matches!(*word, "long" | "short" | "unsigned"));
    words.retain(|&word| !(sized && word == "int"));
    if words.is_empty() {
        words.push("int");
    }
    words
}
