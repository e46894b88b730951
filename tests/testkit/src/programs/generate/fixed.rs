//! What is the same on every machine, and yet comes from it.

use super::Generator;
use super::expressions::boxed;
use crate::programs::ast::{Binary, Expr, I64, Stmt, Type};

/// What always holds.
const FACTS: [&str; 14] = [
    "pid == pid()",
    "tid == tid(curr_ns)",
    "uid == uid",
    "gid == gid",
    "cpu < ncpus",
    "nsecs <= nsecs",
    "nsecs(monotonic) <= nsecs()",
    "elapsed <= elapsed",
    "jiffies <= jiffies",
    "strlen(comm) < 16",
    "!has_cpid",
    "rand < 4294967296",
    "!kfunc_exist(\"there_is_no_such_function\")",
    "!kfunc_allowed(\"bpf_task_from_pid\")",
];

/// What numbers are called, on every kind of processor: those of system calls are the same since Linux 5.1.
const NAMES: [(&str, u64, &str); 6] = [
    ("strerror", 2, "No such file or directory"),
    ("strerror", 22, "Invalid argument"),
    ("signal_name", 9, "Killed"),
    ("signal_name", 15, "Terminated"),
    ("syscall_name", 435, "clone3"),
    ("syscall_name", 437, "openat2"),
];

impl Generator {
    pub(super) fn fact(&mut self) -> Expr {
        Expr::Fact(self.random.one_of(&FACTS))
    }

    /// A statement that does the same everywhere.
    pub(super) fn fixed(&mut self) -> Stmt {
        match self.random.below(4) {
            0 => Stmt::Assert("assert", self.condition(1)),
            1 => Stmt::Assert("assert_str", self.text(1)),
            2 => {
                let known =
                    Expr::Binary(Binary::Ge, boxed(self.constant()), boxed(Expr::Number(0)));
                Stmt::Assert("static_assert", known)
            }
            _ if self.prints() => Stmt::Cat,
            _ => self.print(),
        }
    }

    /// Names that user space finds.
    pub(super) fn printed_name(&mut self) -> Stmt {
        match self.random.below(3) {
            0 => {
                let number = Expr::Cast(4, false, boxed(self.any_int(1)));
                Stmt::Print(Expr::Ntop(boxed(number)))
            }
            1 => match self.variable(|seen| seen.ty == I64 && !seen.declared) {
                Some(seen) => Stmt::Print(Expr::Macaddr(seen.variable)),
                None => self.print(),
            },
            _ => {
                let (function, number, name) = self.random.one_of(&NAMES);
                Stmt::Print(Expr::Called(function, number, name))
            }
        }
    }

    /// The bytes of an address.
    pub(super) fn address(&mut self, ty: &Type) -> Option<Expr> {
        let byte = Type::Int {
            bytes: 1,
            signed: false,
        };
        let fits = *ty == Type::Array(Box::new(byte), 4);
        (fits && self.chance(2)).then(|| Expr::Pton((self.random.next() as u32).to_le_bytes()))
    }
}
