//! The records of tracepoints as the kernel's types have them: what a check goes by where tracefs cannot be read.
//!
//! In come BTF and a tracepoint's names, out go fields. An event with a class of its own has its record as
//! `struct trace_event_raw_EVENT`. Others share a class, which nothing names: it is among those whose calls take the same
//! arguments (`__bpf_trace_CLASS`, include/trace/bpf_probe.h), and what such classes say alike is so in any case. Left out,
//! because types do not tell it: categories, what strings and arrays of varying length hold, and the arguments of most system
//! calls.

use crate::btf::{Btf, Kind, TypeId};
use crate::facts::{Arch, TracepointField, TracepointFormat};

/// How the types are called that BTF has of events.
pub(super) const EVENT_PREFIX: &str = "btf_trace_";
/// How structures of records are called.
const RECORD_PREFIX: &str = "trace_event_raw_";
/// How functions are called that have the arguments of a class.
const CLASS_PREFIX: &str = "__bpf_trace_";

/// The most classes that one event may be of. The kernel has 20 whose calls take no arguments.
const MAX_CLASSES: usize = 64;

/// Where the arguments of a system call begin in its record, in bytes, and what each takes (kernel/trace/trace_syscalls.c).
const SYSCALL_ARGUMENTS: u32 = 16;
const SYSCALL_WORD: u32 = 8;

/// What types tell of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The fields that are known as `format` files have them.
    pub format: TracepointFormat,
    /// Fields of which no more than the name is known, or not even whether this event has them.
    pub unclear: Vec<String>,
    /// There may be fields that are not named here.
    pub partial: bool,
}

/// What is known of a tracepoint; `None` if it is not one of the kernel proper, whatever its category.
pub fn of_event(btf: &Btf, category: &str, name: &str, arch: Arch) -> Option<Known> {
    if category == "syscalls" {
        return of_system_call(btf, name, arch);
    }
    let event = btf.find(Kind::Typedef, &format!("{EVENT_PREFIX}{name}"))?;
    let own = btf.find(Kind::Struct, &format!("{RECORD_PREFIX}{name}"));
    let records = match own {
        Some(record) => vec![record],
        None => classes(btf, event),
    };
    let mut records = records.into_iter().map(|record| of_record(btf, record));
    let Some(mut known) = records.next() else {
        return Some(Known {
            partial: true,
            ..Known::default()
        });
    };
    for other in records {
        known.join(other);
    }
    Some(known)
}

/// The records of the classes that an event may be of: of the same arguments, and no events themselves if there are others.
fn classes(btf: &Btf, event: TypeId) -> Vec<TypeId> {
    let call = |id: TypeId| {
        let call = btf.prototype(id)?;
        let types: Vec<TypeId> = call.params.iter().map(|param| param.1).collect();
        Some((types, call.ret))
    };
    let Some(wanted) = btf.pointee(event).and_then(call) else {
        return Vec::new();
    };
    let alike: Vec<&str> = btf
        .ids()
        .filter(|&id| btf.kind(id) == Kind::Func)
        .filter_map(|id| Some((btf.name(id).strip_prefix(CLASS_PREFIX)?, id)))
        .filter(|&(_, id)| btf.target(id).and_then(call).as_ref() == Some(&wanted))
        .map(|(class, _)| class)
        .take(MAX_CLASSES)
        .collect();
    let is_event = |class: &str| {
        let event = format!("{EVENT_PREFIX}{class}");
        btf.find(Kind::Typedef, &event).is_some()
    };
    let records = |events: bool| -> Vec<TypeId> {
        (alike.iter())
            .filter(|class| is_event(class) == events)
            .filter_map(|class| btf.find(Kind::Struct, &format!("{RECORD_PREFIX}{class}")))
            .collect()
    };
    let classes = records(false);
    match classes.is_empty() {
        true => records(true),
        false => classes,
    }
}

fn of_record(btf: &Btf, record: TypeId) -> Known {
    let mut known = Known::default();
    for member in btf.members(record) {
        match member.name {
            // What all records begin with, and what is of varying length.
            "ent" | "__data" | "" => {}
            name => match located(name) {
                Some(name) => known.unclear.push(name.to_owned()),
                None => match field(btf, name, member.ty, member.bit_offset / 8) {
                    Some(field) => known.format.fields.push(field),
                    None => known.unclear.push(name.to_owned()),
                },
            },
        }
    }
    known
}

/// The name of a field that stands elsewhere in the record.
fn located(member: &str) -> Option<&str> {
    let prefixes = ["__data_loc_", "__rel_loc_"];
    (prefixes.iter()).find_map(|prefix| member.strip_prefix(prefix))
}

/// A member as a `format` file has it.
fn field(btf: &Btf, name: &str, ty: TypeId, offset: u32) -> Option<TracepointField> {
    let (mut element, mut array) = (ty, None);
    while let Some((inner, count)) = btf.array(element) {
        array = Some(count.checked_mul(array.unwrap_or(1))?);
        element = inner;
    }
    let signed = match (btf.int(element), btf.enum_info(element)) {
        (Some(int), _) => int.signed,
        (None, Some(info)) => info.signed,
        (None, None) => false,
    };
    Some(TracepointField {
        name: name.to_owned(),
        c_type: btf.c_name(element),
        array,
        offset,
        size: btf.size_of(ty)?,
        signed,
    })
}

/// Whether the kernel has a system call its functions tell, what it takes only some of them.
fn of_system_call(btf: &Btf, name: &str, arch: Arch) -> Option<Known> {
    let (enter, call) = match name.strip_prefix("sys_enter_") {
        Some(call) => (true, call),
        None => (false, name.strip_prefix("sys_exit_")?),
    };
    let typed = format!("__do_sys_{call}");
    let entry = match arch {
        Arch::X86_64 => format!("__x64_sys_{call}"),
        Arch::Aarch64 => format!("__arm64_sys_{call}"),
    };
    let found = [typed.as_str(), entry.as_str()].map(|name| btf.function(name));
    if found.iter().all(Option::is_none) {
        return None;
    }
    let shared = match enter {
        true => "syscall_trace_enter",
        false => "syscall_trace_exit",
    };
    let mut known = Known::default();
    let record = btf.find(Kind::Struct, shared);
    for member in record.into_iter().flat_map(|record| btf.members(record)) {
        let name = match member.name {
            "nr" => "__syscall_nr",
            "ret" => "ret",
            _ => continue,
        };
        let field = field(btf, name, member.ty, member.bit_offset / 8);
        known.format.fields.extend(field);
    }
    known.partial = known.format.fields.is_empty();
    if enter {
        let [typed, _] = found;
        known.partial = typed.is_none();
        for ((name, ty), number) in typed.into_iter().flat_map(|call| call.params).zip(0..) {
            known.format.fields.push(TracepointField {
                name: name.to_owned(),
                c_type: btf.c_name(ty),
                array: None,
                offset: SYSCALL_ARGUMENTS + SYSCALL_WORD * number,
                size: SYSCALL_WORD,
                signed: false,
            });
        }
    }
    Some(known)
}

impl Known {
    /// What is so whichever of two records it is.
    fn join(&mut self, other: Known) {
        let fields = std::mem::take(&mut self.format.fields);
        let (same, differing): (Vec<_>, Vec<_>) = fields
            .into_iter()
            .partition(|field| other.format.fields.contains(field));
        let mut unclear: Vec<String> = differing.into_iter().map(|field| field.name).collect();
        for field in other.format.fields {
            if !same.contains(&field) {
                unclear.push(field.name);
            }
        }
        unclear.extend(other.unclear);
        self.format.fields = same;
        for name in unclear {
            if !self.unclear.contains(&name) {
                self.unclear.push(name);
            }
        }
    }
}
