//! The calling conventions: where a function's arguments and its result are when a probe interrupts it.
//!
//! In come numbers of arguments, out come places in `struct pt_regs` or on the stack. What their types are is left to the
//! providers.

use super::{Access, Argument, ArgumentType};
use crate::facts::Arch;
use crate::ir::Width;

/// Where the calling convention puts arguments, as offsets in `struct pt_regs`, in bytes.
pub(super) struct Convention {
    /// The registers of the first arguments, in order.
    arguments: &'static [u32],
    /// The register that a function returns its value in.
    result: u32,
    /// The stack pointer.
    stack_pointer: u32,
    /// Where the first argument on the stack is at a function's entry, above the stack pointer.
    first_on_stack: u32,
}

/// System V: rdi, rsi, rdx, rcx, r8, r9; rax; the return address is on top of the stack at the entry.
static X86_64: Convention = Convention {
    arguments: &[112, 104, 96, 88, 72, 64],
    result: 80,
    stack_pointer: 152,
    first_on_stack: 8,
};

/// AAPCS64: x0 to x7; x0; the return address is in a register.
static AARCH64: Convention = Convention {
    arguments: &[0, 8, 16, 24, 32, 40, 48, 56],
    result: 0,
    stack_pointer: 248,
    first_on_stack: 0,
};

/// Arguments that scripts can ask for by number: `arg0` to `arg9`.
const NUMBERED: u32 = 10;

/// `arg3` is 3.
pub(super) fn number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("arg")?;
    let number = digits.parse().ok()?;
    (number < NUMBERED && digits.len() == 1).then_some(number)
}

impl Convention {
    /// That of an architecture.
    pub fn of(arch: Arch) -> &'static Convention {
        match arch {
            Arch::X86_64 => &X86_64,
            Arch::Aarch64 => &AARCH64,
        }
    }

    /// How the `number`-th argument is reached; `width` and `signed` say what of the register counts.
    pub fn access(&self, number: u32, width: Width, signed: bool) -> Access {
        match self.arguments.get(number as usize) {
            Some(&offset) => Access::Context {
                offset,
                width,
                signed,
            },
            None => Access::Memory {
                base: self.stack_pointer,
                index: None,
                offset: (self.first_on_stack + 8 * (number - self.arguments.len() as u32)) as i32,
                width: Width::W64,
                signed: false,
            },
        }
    }

    /// Whether the `number`-th argument is in a register.
    pub fn in_register(&self, number: u32) -> bool {
        (number as usize) < self.arguments.len()
    }

    /// `arg0`, `sarg0` and their kin where a function begins, `retval` where it returns.
    pub fn builtin(&self, name: &str, on_return: bool) -> Option<Argument> {
        let access = if on_return {
            (name == "retval").then_some(Access::Context {
                offset: self.result,
                width: Width::W64,
                signed: false,
            })?
        } else {
            let number = match name.strip_prefix('s') {
                Some(on_stack) => self.arguments.len() as u32 + number(on_stack)?,
                None => number(name)?,
            };
            self.access(number, Width::W64, false)
        };
        Some(Argument {
            name: name.to_owned(),
            ty: ArgumentType::Int {
                bytes: 8,
                signed: false,
            },
            access,
        })
    }
}
