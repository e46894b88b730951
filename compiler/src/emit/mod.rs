//! The back end: a lowered [`Module`] to a BPF ELF object and a listing of it.
//!
//! Each probe becomes a program: its body alone or, with scratch memory, a copy of an entry template that calls the body.
//! Bodies and the functions that they call are compiled here (`functions` says in which order, `simplify` folds, `regalloc`
//! and `frame` give places, `select` picks instructions); they and the routines that are reached share the section `.text`.
//! `link` puts these together, `debug_info` describes them in
//! BTF, `object` writes the ELF file. No I/O, and the same module gives the same bytes.

pub mod asm;
mod debug_info;
pub mod disasm;
mod frame;
mod functions;
mod guard;
mod link;
mod listing;
mod object;
mod regalloc;
mod select;
mod simplify;
pub(crate) mod source;

pub use link::TemplateSource;

use crate::ir::{FuncId, Module, ProbeId};
use pfscript_grammar::Span;
use pfscript_probes::Template;
use std::fmt;

pub use link::MAX_MAPS;
pub use listing::Listing;

/// An assembled module.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// The ELF file. Programs are the symbols `p0`, `p1`, … by probe, maps have the symbols of the module.
    pub elf: Vec<u8>,
    /// The code as text, with the script's lines as comments.
    pub listing: Listing,
    /// The templates in use, routines and entries, in the order in which they were reached.
    pub templates: Vec<String>,
    /// For each probe that is narrowed to a process, the instruction of its program whose immediate is the process's id: 0, for
    /// every process, until the loader sets it.
    pub narrowings: Vec<Option<u32>>,
    /// The probes whose programs refer to more maps than the kernel lets one program ([`MAX_MAPS`]), and to how many.
    pub too_many_maps: Vec<(ProbeId, usize)>,
    /// Bytes of scratch memory that a run of a probe has; 0 if none needs any, and there is no `pf_map_scratch` then.
    pub frame_bytes: u32,
}

/// Why a module could not be assembled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssembleError {
    /// The probe that the trouble is in.
    pub probe: Option<ProbeId>,
    /// The function that the trouble is in.
    pub function: Option<FuncId>,
    /// The place in the script, where one is to blame.
    pub span: Option<Span>,
    /// What is wrong.
    pub kind: ErrorKind,
}

/// What is wrong with a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The probe needs more scratch memory than a per-CPU map's value can have.
    FrameTooBig {
        /// How many bytes it needs.
        bytes: u32,
        /// How many there are.
        limit: u32,
    },
    /// More values live at the same time than the stack has room for.
    TooManyValues,
    /// Entry, body and routines together exceed the stack that the kernel gives.
    StackTooDeep {
        /// How many bytes they need.
        bytes: u32,
    },
    /// A function without frame needs more stack for its variables and temporaries than there is, or one with a frame for
    /// what it hands to functions that are called back.
    StackTooSmall {
        /// How many bytes it needs, without intermediate values.
        bytes: u32,
        /// How many there are.
        limit: u32,
    },
    /// More functions call each other than the kernel allows.
    TooManyCalls,
    /// A jump would span more than 32,767 instructions.
    TooLong,
    /// One step copies or writes more bytes than are done instruction by instruction.
    TooManyBytes(u32),
    /// No template has this name.
    UnknownTemplate(String),
    /// A template wants a constant that is not known.
    UnknownParameter(String),
    /// A template or body refers to a map that the module lacks.
    UnknownMap(String),
    /// A template is not what it should be.
    BadTemplate(String),
    /// The intermediate representation breaks its own rules.
    Malformed(String),
    /// The object file could not be written.
    Object(String),
}

impl fmt::Display for AssembleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(probe) = self.probe {
            write!(f, "probe {}: ", probe.as_u32())?;
        } else if let Some(function) = self.function {
            write!(f, "function {}: ", function.as_u32())?;
        }
        self.kind.fmt(f)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::FrameTooBig { bytes, limit } => write!(
                f,
                "its variables, strings, records and stacks need {bytes} bytes; the limit is {limit}; \
                 use fewer of them, or shorter strings"
            ),
            ErrorKind::TooManyValues => {
                f.write_str("too many intermediate values at once; split the expression")
            }
            ErrorKind::StackTooDeep { bytes } => write!(
                f,
                "it needs {bytes} bytes of stack; the kernel's limit is {}",
                frame::STACK_BYTES
            ),
            ErrorKind::StackTooSmall { bytes, limit } => write!(
                f,
                "its variables and intermediate values need {bytes} bytes of stack; the limit is {limit}; \
                 use shorter strings or fewer variables"
            ),
            ErrorKind::TooManyCalls => write!(
                f,
                "loops and calls of functions are nested more than {} deep",
                frame::MAX_CALL_FRAMES
            ),
            ErrorKind::TooLong => f.write_str(
                "it is too long for one program: a jump spans more than 32,767 instructions",
            ),
            ErrorKind::TooManyBytes(bytes) => write!(
                f,
                "cannot copy or clear {bytes} bytes in one step; the limit is {}",
                crate::ir::MAX_COPY_BYTES
            ),
            ErrorKind::UnknownTemplate(name) => write!(f, "no template is named {name}"),
            ErrorKind::UnknownParameter(name) => {
                write!(f, "a template needs the unknown constant {name}")
            }
            ErrorKind::UnknownMap(name) => write!(f, "the map {name} is missing"),
            ErrorKind::BadTemplate(what) => write!(f, "bad template: {what}"),
            ErrorKind::Malformed(what) => write!(f, "malformed intermediate code: {what}"),
            ErrorKind::Object(what) => write!(f, "cannot write the object: {what}"),
        }
    }
}

impl std::error::Error for AssembleError {}

impl From<ErrorKind> for AssembleError {
    fn from(kind: ErrorKind) -> Self {
        AssembleError {
            probe: None,
            function: None,
            span: None,
            kind,
        }
    }
}

/// Assembles a module with the template library. `source_name` and `source` are the script's, for the lines that the
/// object and the listing carry.
pub fn assemble(
    module: &Module,
    source_name: &str,
    source: &str,
) -> Result<Assembled, AssembleError> {
    let library = pfscript_probes::library();
    assemble_with(module, source_name, source, &|name| {
        library.get(name).map(|template| template as &Template<'_>)
    })
}

/// Assembles a module with other templates than the library's.
pub fn assemble_with(
    module: &Module,
    source_name: &str,
    source: &str,
    templates: &TemplateSource<'_>,
) -> Result<Assembled, AssembleError> {
    let mut linked = link::link(module, templates)?;
    Ok(Assembled {
        elf: object::write(&linked, &source::Source::new(source_name, source))?,
        narrowings: link::narrowings(&linked),
        too_many_maps: link::too_many_maps(&linked),
        templates: std::mem::take(&mut linked.templates),
        frame_bytes: linked.frame_bytes,
        listing: Listing {
            linked,
            source_name: source_name.to_owned(),
            source: source.to_owned(),
        },
    })
}
