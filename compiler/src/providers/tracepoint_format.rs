//! The `format` files of tracefs: from their text to [`TracepointFormat`], and from its fields to arguments.
//!
//! The text is not trusted: a line that is not understood is left out. Reading the files is the runtime's.

use super::{Access, Argument, ArgumentType};
use crate::facts::{TracepointField, TracepointFormat};
use crate::ir::Width;

/// The record's first bytes are not for programs to read (`tp_prog_is_valid_access` in the kernel).
const HIDDEN_BYTES: u32 = 8;

/// Reads a `format` file. Lines that are not fields are passed over, fields that are not understood too.
///
/// ```
/// let text = "name: x\nformat:\n\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;\n";
/// let format = pfscript_compiler::providers::tracepoint_format::parse(text);
/// assert_eq!((format.fields[0].name.as_str(), format.fields[0].array), ("comm", Some(16)));
/// ```
pub fn parse(text: &str) -> TracepointFormat {
    TracepointFormat {
        fields: text.lines().filter_map(field).collect(),
    }
}

/// `field:char comm[16]; offset:8; size:16; signed:0;`, with tabs between.
fn field(line: &str) -> Option<TracepointField> {
    let mut parts = line.trim().split(';').map(str::trim);
    let declaration = parts.next()?.strip_prefix("field:")?;
    let (mut offset, mut size, mut signed) = (None, None, false);
    for part in parts {
        match part.split_once(':') {
            Some(("offset", value)) => offset = value.parse().ok(),
            Some(("size", value)) => size = value.parse().ok(),
            Some(("signed", value)) => signed = value == "1",
            _ => {}
        }
    }
    let size = size?;
    let (declarator, counts) = match declaration.find('[') {
        // The brackets of `__data_loc char[] name` belong to the type.
        Some(at) if declaration.ends_with(']') => declaration.split_at(at),
        _ => (declaration, ""),
    };
    let declarator = declarator.trim_end();
    let start = declarator
        .rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .map_or(0, |at| at + 1);
    let (c_type, name) = declarator.split_at(start);
    let c_type = c_type.trim_end();
    if name.is_empty() || c_type.is_empty() {
        return None;
    }
    Some(TracepointField {
        name: name.to_owned(),
        array: (!counts.is_empty()).then(|| elements(counts, c_type, size)),
        c_type: c_type.to_owned(),
        offset: offset?,
        size,
        signed,
    })
}

/// How many elements `[4]` or `[4][2]` stand for. Old kernels write names of macros there, and `[]` says nothing, so
/// then the field's size and the element's tell.
fn elements(counts: &str, c_type: &str, size: u32) -> u32 {
    counts
        .split_terminator(']')
        .map(|count| count.strip_prefix('[')?.trim().parse::<u32>().ok())
        .try_fold(1u32, |product, count| product.checked_mul(count?))
        .unwrap_or_else(|| size / scalar(c_type).map_or(1, |(bytes, _)| bytes))
}

/// Size in bytes and sign of the C types whose names say it.
fn scalar(c_type: &str) -> Option<(u32, bool)> {
    Some(match c_type.strip_prefix("const ").unwrap_or(c_type) {
        "char" | "s8" | "__s8" | "int8_t" | "signed char" => (1, true),
        "unsigned char" | "u8" | "__u8" | "uint8_t" | "bool" => (1, false),
        "short" | "s16" | "__s16" | "int16_t" => (2, true),
        "unsigned short" | "u16" | "__u16" | "uint16_t" | "__be16" | "umode_t" => (2, false),
        "int" | "s32" | "__s32" | "int32_t" | "pid_t" | "clockid_t" | "timer_t"
        | "key_serial_t" | "mqd_t" | "rwf_t" => (4, true),
        "unsigned" | "unsigned int" | "u32" | "__u32" | "uint32_t" | "__be32" | "uid_t"
        | "gid_t" | "qid_t" | "dev_t" => (4, false),
        "long" | "long long" | "s64" | "__s64" | "int64_t" | "ssize_t" | "loff_t" => (8, true),
        "unsigned long" | "unsigned long long" | "u64" | "__u64" | "uint64_t" | "__be64"
        | "size_t" | "dma_addr_t" | "phys_addr_t" | "resource_size_t" | "sector_t" => (8, false),
        _ => return None,
    })
}

/// The type that a pointer points to, without qualifiers: `char` for `const char *`.
fn pointee(c_type: &str) -> Option<String> {
    let target = c_type.strip_suffix('*')?;
    let spaced = target.replace('*', " * ");
    let words: Vec<&str> = spaced
        .split_whitespace()
        .filter(|word| {
            !matches!(
                *word,
                "const"
                    | "volatile"
                    | "restrict"
                    | "__user"
                    | "__rcu"
                    | "__iomem"
                    | "__percpu"
                    | "__seg_fs"
                    | "__seg_gs"
            )
        })
        .collect();
    // `char * *` is spelled `char **`.
    Some(words.join(" ").replace("* *", "**"))
}

impl TracepointField {
    /// As a line of `-lv`: `char comm[16]`.
    pub fn declaration(&self) -> String {
        match self.array {
            Some(count) => format!("{} {}[{count}]", self.c_type, self.name),
            None => format!("{} {}", self.c_type, self.name),
        }
    }

    /// Whether programs can read it; the fields common to all tracepoints they cannot.
    pub fn is_readable(&self) -> bool {
        self.offset >= HIDDEN_BYTES
    }

    /// As `args.name`; `None` if programs can't read it.
    pub fn argument(&self) -> Option<Argument> {
        if !self.is_readable() {
            return None;
        }
        let (ty, access) = self.located().unwrap_or_else(|| self.in_place());
        Some(Argument {
            name: self.name.clone(),
            ty,
            access,
        })
    }

    /// What stands elsewhere in the record: `__data_loc char[]`, `__rel_loc u64[]`.
    fn located(&self) -> Option<(ArgumentType, Access)> {
        let offset = self.offset;
        let (element, access) = match self.c_type.strip_prefix("__data_loc ") {
            Some(element) => (element, Access::DataLocation { offset }),
            None => (
                self.c_type.strip_prefix("__rel_loc ")?,
                Access::RelativeLocation { offset },
            ),
        };
        let element = element.strip_suffix("[]").unwrap_or(element).trim();
        let ty = match (element, scalar(element)) {
            ("char" | "const char", _) => ArgumentType::String { bytes: 0 },
            (_, Some((element, signed))) => ArgumentType::Array {
                element,
                signed,
                count: 0,
            },
            // Of unknown size: bytes.
            (_, None) => ArgumentType::Array {
                element: 1,
                signed: false,
                count: 0,
            },
        };
        Some((ty, access))
    }

    fn in_place(&self) -> (ArgumentType, Access) {
        let (offset, size) = (self.offset, self.size);
        let in_context = Access::InContext { offset };
        if let Some(count) = self.array {
            if matches!(self.c_type.as_str(), "char" | "const char") {
                return (ArgumentType::String { bytes: size }, in_context);
            }
            let element = size.checked_div(count).unwrap_or(0);
            let ty = match Width::of(element) {
                Some(_) => ArgumentType::Array {
                    element,
                    signed: self.signed,
                    count,
                },
                None => bytes(size),
            };
            return (ty, in_context);
        }
        let load = |bytes, signed| {
            Width::of(bytes).map(|width| Access::Context {
                offset,
                width,
                signed,
            })
        };
        if let (Some(to), 8, Some(access)) = (pointee(&self.c_type), size, load(8, false)) {
            return (ArgumentType::Pointer { to }, access);
        }
        if let ("bool", Some(access)) = (self.c_type.as_str(), load(size, false)) {
            return (ArgumentType::Bool, access);
        }
        // Arguments of system calls stand in 8 bytes each, whatever their types; the low ones count.
        let (narrow, signed) = match scalar(&self.c_type) {
            Some((bytes, signed)) if bytes < size && size == 8 => (bytes, signed),
            _ => (size, self.signed),
        };
        match load(narrow, signed) {
            Some(access) => {
                let bytes = narrow;
                let ty = match self.c_type.strip_prefix("enum ") {
                    Some(name) => ArgumentType::Enumeration {
                        name: name.to_owned(),
                        bytes,
                        signed,
                    },
                    None => ArgumentType::Int { bytes, signed },
                };
                (ty, access)
            }
            // A structure, whose members the file does not tell.
            None => (bytes(size), in_context),
        }
    }
}

fn bytes(count: u32) -> ArgumentType {
    ArgumentType::Array {
        element: 1,
        signed: false,
        count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> (TracepointField, Option<Argument>) {
        let field = field(line).unwrap();
        let argument = field.argument();
        (field, argument)
    }

    fn described(line: &str) -> (ArgumentType, Access) {
        let argument = one(line).1.unwrap();
        (argument.ty, argument.access)
    }

    #[test]
    fn character_arrays_are_strings() {
        let (field, _) = one("\tfield:char prev_comm[16];\toffset:8;\tsize:16;\tsigned:0;");
        assert_eq!(field.declaration(), "char prev_comm[16]");
        assert_eq!(
            described("field:char prev_comm[16]; offset:8; size:16; signed:0;"),
            (
                ArgumentType::String { bytes: 16 },
                Access::InContext { offset: 8 }
            )
        );
    }

    #[test]
    fn old_kernels_write_macros_for_counts() {
        let (field, _) = one("field:char comm[TASK_COMM_LEN]; offset:8; size:16; signed:1;");
        assert_eq!(field.array, Some(16));
        let (field, _) = one("field:u32 words[WORDS]; offset:8; size:16; signed:0;");
        assert_eq!(field.array, Some(4));
    }

    #[test]
    fn data_locations_are_strings_or_arrays() {
        let (field, argument) =
            one("field:__data_loc char[] filename; offset:8; size:4; signed:0;");
        assert_eq!(field.declaration(), "__data_loc char[] filename");
        let argument = argument.unwrap();
        assert_eq!(argument.name, "filename");
        assert_eq!(argument.ty, ArgumentType::String { bytes: 0 });
        assert_eq!(argument.access, Access::DataLocation { offset: 8 });
        assert_eq!(
            described("field:__rel_loc unsigned int[] lengths; offset:12; size:4; signed:0;"),
            (
                ArgumentType::Array {
                    element: 4,
                    signed: false,
                    count: 0
                },
                Access::RelativeLocation { offset: 12 }
            )
        );
    }

    #[test]
    fn pointers_lose_their_qualifiers() {
        let (field, argument) = one("field:const char * filename; offset:24; size:8; signed:0;");
        assert_eq!(field.declaration(), "const char * filename");
        assert_eq!(
            argument.unwrap().ty,
            ArgumentType::Pointer {
                to: "char".to_owned()
            }
        );
        assert_eq!(
            described("field:const struct cred *c; offset:24; size:8; signed:0;").0,
            ArgumentType::Pointer {
                to: "struct cred".to_owned()
            }
        );
        assert_eq!(
            described("field:const char *const * argv; offset:24; size:8; signed:0;").0,
            ArgumentType::Pointer {
                to: "char *".to_owned()
            }
        );
    }

    #[test]
    fn arguments_of_system_calls_have_the_width_of_their_types() {
        let int = |bytes, signed| ArgumentType::Int { bytes, signed };
        for (line, expected) in [
            ("field:int dfd; offset:16; size:8; signed:0;", int(4, true)),
            (
                "field:umode_t mode; offset:40; size:8; signed:0;",
                int(2, false),
            ),
            (
                "field:size_t count; offset:40; size:8; signed:0;",
                int(8, false),
            ),
            ("field:long ret; offset:16; size:8; signed:1;", int(8, true)),
            (
                "field:int __syscall_nr; offset:8; size:4; signed:1;",
                int(4, true),
            ),
            (
                "field:enum zone_type idx; offset:8; size:4; signed:0;",
                ArgumentType::Enumeration {
                    name: "zone_type".to_owned(),
                    bytes: 4,
                    signed: false,
                },
            ),
            (
                "field:pid_t pid; offset:12; size:4; signed:1;",
                int(4, true),
            ),
        ] {
            assert_eq!(described(line).0, expected, "{line}");
        }
        assert_eq!(
            described("field:bool online; offset:9; size:1; signed:0;").0,
            ArgumentType::Bool
        );
    }

    #[test]
    fn arrays_and_structures_stay_in_the_record() {
        for (line, element, count) in [
            (
                "field:unsigned long args[6]; offset:16; size:48; signed:0;",
                8,
                6,
            ),
            ("field:__u8 saddr[4]; offset:16; size:4; signed:0;", 1, 4),
            ("field:u8 grid[4][2]; offset:16; size:8; signed:0;", 1, 8),
            (
                "field:struct btrfs_key key; offset:16; size:17; signed:0;",
                1,
                17,
            ),
            ("field:u64 none[0]; offset:16; size:0; signed:0;", 1, 0),
        ] {
            let (ty, access) = described(line);
            let expected = ArgumentType::Array {
                element,
                signed: false,
                count,
            };
            assert_eq!(ty, expected, "{line}");
            assert_eq!(access, Access::InContext { offset: 16 });
        }
    }

    #[test]
    fn common_fields_are_not_arguments() {
        let (field, argument) =
            one("field:unsigned short common_type; offset:0; size:2; signed:0;");
        assert_eq!((field.name.as_str(), argument), ("common_type", None));
    }

    #[test]
    fn lines_that_are_no_fields_are_passed_over() {
        for text in [
            "",
            "name: x",
            "print fmt: \"a;b\", REC->x",
            "field:",
            "field:int;",
            "field:int x; offset:a; size:4; signed:1;",
            "field:[; offset:0; size:0;",
            "field:x[]; offset:0; size:0;",
        ] {
            assert_eq!(parse(text).fields, [], "{text}");
        }
    }
}
