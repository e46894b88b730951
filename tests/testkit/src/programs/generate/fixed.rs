//! What is the same on every machine, and yet comes from it.

use super::Generator;
use super::expressions::boxed;
use crate::programs::ast::{Binary, Expr, I64, Stmt, Type};

/// What always holds.
const FACTS: [&str; 34] = [
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
    "__always_true == 1",
    "probetype == \"special\" || probetype == \"interval\"",
    "probe == probe",
    "usermode < 2",
    "numaid < 1024",
    "cgroup == cgroup",
    "curtask->tgid == pid(init)",
    "curtask->pid == tid(init)",
    "comm == comm(tid(init))",
    "ppid == ppid(curtask)",
    "pcomm == pcomm(curtask)",
    "leader_tid == leader_tid(curtask)",
    "leader_comm == leader_comm(curtask)",
    "kaddr(\"_stext\") != 0",
    "vma(0) == 0",
    "len(kstack) < 2049",
    "len(kstack(2)) <= 2",
    "len(ustack) < 2049",
    "len(ustack(3)) <= 3",
    "len(dw_ustack(1)) <= 1",
];

/// What prints the same everywhere: the kernel's name, and times that no clock is asked for.
const FIXED: [(&str, &[u8]); 3] = [
    ("cat(\"/proc/sys/kernel/os%s\", \"type\");", b"Linux\n"),
    ("time(\"no clock\\n\");", b"no clock\n"),
    ("print(strftime(\"then\", 5));", b"then\n"),
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
        match self.random.below(6) {
            0 => Stmt::Assert("assert", self.condition(1)),
            1 => Stmt::Assert("assert_str", self.text(1)),
            2 => {
                let known =
                    Expr::Binary(Binary::Ge, boxed(self.constant()), boxed(Expr::Number(0)));
                Stmt::Assert("static_assert", known)
            }
            3 => {
                let function = self.random.one_of(&["warnf", "errorf"]);
                Stmt::Said(function, self.any_int(2))
            }
            _ if self.prints() => {
                let (written, printed) = self.random.one_of(&FIXED);
                Stmt::Fixed(written, printed)
            }
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
