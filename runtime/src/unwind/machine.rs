//! Runs the call frame instructions of one function (FDE), and says for each of its addresses how to unwind.
//!
//! Only the registers count that a walk needs: the stack pointer (as CFA), the frame pointer and the return address. What a
//! row cannot say is unknown.

use super::Reader;
use super::expression::{Form, form};
use super::row::{FIRST_SCRATCH, Row, Rule, SCRATCH};
use gimli::{
    BaseAddresses, CallFrameInstruction, CallFrameInstructionIter, CommonInformationEntry,
    Register, UnwindSection,
};

/// Bytes of a word.
const WORD: i64 = 8;

/// States that instructions may have remembered at once. Compilers remember one, seldom two.
const MAX_REMEMBERED: usize = 64;

/// A type of processor: the numbers that DWARF gives to its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    X86_64,
    Aarch64,
}

impl Machine {
    fn sp(self) -> Register {
        match self {
            Machine::X86_64 => Register(7),
            Machine::Aarch64 => Register(31),
        }
    }

    fn fp(self) -> Register {
        match self {
            Machine::X86_64 => Register(6),
            Machine::Aarch64 => Register(29),
        }
    }

    /// rbx; where there is none, a register that is none.
    fn bx(self) -> Register {
        match self {
            Machine::X86_64 => Register(3),
            Machine::Aarch64 => Register(u16::MAX),
        }
    }

    /// The return address: a column of its own, or the link register.
    fn ra(self) -> Register {
        match self {
            Machine::X86_64 => Register(16),
            Machine::Aarch64 => Register(30),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cfa {
    Unset,
    /// A register and a number of bytes.
    Sum(Register, i64),
    /// An expression; `None` if it is none of the known ones.
    Computed(Option<Form>),
}

/// Where the caller's value of a register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saved {
    Unset,
    Undefined,
    Same,
    /// In memory, at a number of bytes from the CFA.
    At(i64),
    /// In memory, at the address that an expression computes.
    Computed(Option<Form>),
    /// Anywhere else.
    Elsewhere,
}

/// What holds at one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    cfa: Cfa,
    fp: Saved,
    ra: Saved,
    bx: Saved,
}

impl State {
    const EMPTY: State = State {
        cfa: Cfa::Unset,
        fp: Saved::Unset,
        ra: Saved::Unset,
        bx: Saved::Unset,
    };

    fn row(&self, machine: Machine, signal: bool) -> Option<Row> {
        match machine {
            Machine::X86_64 => self.x86_64(signal),
            Machine::Aarch64 => self.aarch64(signal),
        }
    }

    /// The row, where the return address is below the CFA.
    fn x86_64(&self, signal: bool) -> Option<Row> {
        let (sp, fp) = (Machine::X86_64.sp(), Machine::X86_64.fp());
        if self.ra == Saved::Undefined {
            return Some(Row::bare(Rule::Outermost));
        }
        // Where the kernel puts rsp, rip, rbp and rbx for a handler: `struct rt_sigframe` without its first word, which the return
        // took.
        let frame = State {
            cfa: Cfa::Computed(Some(Form::Word(sp, 160, 0))),
            ra: Saved::Computed(Some(Form::Sum(sp, 168))),
            fp: Saved::Computed(Some(Form::Sum(sp, 120))),
            bx: Saved::Computed(Some(Form::Sum(sp, 128))),
        };
        if signal && *self == frame {
            return Some(Row::bare(Rule::Signal));
        }
        if self.ra != Saved::At(-WORD) {
            return None;
        }
        // Few frames hang on it: what cannot be said of it is no reason to know nothing.
        let bx = from_cfa(self.bx).unwrap_or(0);
        let row = |rule, number, fp, ra| {
            let bx = match rule {
                Rule::FromSp | Rule::FromFp | Rule::FromBx => bx,
                _ => 0,
            };
            Some(Row {
                rule,
                number,
                fp,
                ra,
                bx,
            })
        };
        match self.cfa {
            Cfa::Sum(base, bytes) if base == sp => {
                row(Rule::FromSp, words(bytes)?, self.fp_from_cfa()?, -1)
            }
            Cfa::Sum(base, bytes) if base == fp => {
                row(Rule::FromFp, words(bytes)?, self.fp_from_cfa()?, -1)
            }
            Cfa::Sum(base, bytes) if base == Machine::X86_64.bx() => {
                row(Rule::FromBx, words(bytes)?, self.fp_from_cfa()?, -1)
            }
            Cfa::Sum(Register(base), bytes) if let Some(at) = scratch(base) => {
                let saved = match self.fp {
                    // Where the stack is aligned anew, the frame pointer is saved, and points there.
                    Saved::Computed(Some(Form::Sum(from, bytes))) if from == fp && bytes >= 0 => {
                        words(bytes)? + 1
                    }
                    _ => self.fp_from_cfa()?,
                };
                row(Rule::FromScratch, words(bytes)?, saved, at)
            }
            Cfa::Computed(Some(Form::Word(base, bytes, more))) if base == sp => {
                row(Rule::AtSp, words(bytes)?, self.fp_from_cfa()?, words(more)?)
            }
            // Functions that align their stack. What they saved is counted from the aligned frame.
            Cfa::Computed(Some(Form::Word(base, bytes, more))) if base == fp => match self.fp {
                Saved::Computed(Some(Form::Sum(from, fp_bytes))) if from == fp => {
                    row(Rule::AtFp, words(bytes)?, words(fp_bytes)?, words(more)?)
                }
                _ => None,
            },
            Cfa::Computed(Some(Form::Plt(number))) if self.fp_from_cfa()? == 0 => {
                row(Rule::Plt, number, 0, -1)
            }
            _ => None,
        }
    }

    /// The row, where the return address is in the link register until it is saved.
    fn aarch64(&self, signal: bool) -> Option<Row> {
        let (sp, fp) = (Machine::Aarch64.sp(), Machine::Aarch64.fp());
        if self.ra == Saved::Undefined {
            return Some(Row::bare(Rule::Outermost));
        }
        if signal {
            return Some(Row::bare(Rule::Signal));
        }
        let (rule, number) = match self.cfa {
            Cfa::Sum(base, bytes) if base == sp => (Rule::FromSp, words(bytes)?),
            Cfa::Sum(base, bytes) if base == fp => (Rule::FromFp, words(bytes)?),
            _ => return None,
        };
        Some(Row {
            rule,
            number,
            fp: self.fp_from_cfa()?,
            ra: from_cfa(self.ra)?,
            bx: 0,
        })
    }

    /// Where the frame pointer is, which is below the CFA. What a function does not say of it, or that it has none to give back, leaves it
    /// as it is.
    fn fp_from_cfa(&self) -> Option<i64> {
        let words = match self.fp {
            Saved::Undefined => 0,
            saved => from_cfa(saved)?,
        };
        (words <= 0).then_some(words)
    }
}

/// Which of the registers that calls do not keep has this number in DWARF, as [`Row::ra`] has it.
fn scratch(register: u16) -> Option<i64> {
    let at = SCRATCH.iter().position(|known| *known == register)?;
    Some(FIRST_SCRATCH + at as i64)
}

/// Where a register was saved, in words from the CFA; 0: it was not.
fn from_cfa(saved: Saved) -> Option<i64> {
    match saved {
        Saved::Unset | Saved::Same => Some(0),
        Saved::At(bytes) => words(bytes).filter(|words| *words != 0),
        Saved::Undefined | Saved::Computed(_) | Saved::Elsewhere => None,
    }
}

fn words(bytes: i64) -> Option<i64> {
    (bytes % WORD == 0).then_some(bytes / WORD)
}

/// What functions have in common (a CIE), as far as it is needed.
#[derive(Clone, Debug)]
pub(super) struct Common<'a> {
    machine: Machine,
    pub entry: CommonInformationEntry<Reader<'a>>,
    /// What holds at the beginning of each function; `None` if it is damaged.
    initial: Option<State>,
}

impl<'a> Common<'a> {
    pub fn new<S: UnwindSection<Reader<'a>>>(
        machine: Machine,
        section: &S,
        bases: &BaseAddresses,
        entry: CommonInformationEntry<Reader<'a>>,
    ) -> Common<'a> {
        let mut common = Common {
            machine,
            entry,
            initial: None,
        };
        let mut run = Run::new(&common, section, State::EMPTY);
        let mut instructions = common.entry.instructions(section, bases);
        let known = common.entry.return_address_register() == machine.ra();
        common.initial = loop {
            match instructions.next() {
                Ok(Some(instruction)) => {
                    if !matches!(run.step(&instruction), Some(Step::Stay)) {
                        break None;
                    }
                }
                Ok(None) => break known.then_some(run.state),
                Err(_) => break None,
            }
        };
        common
    }

    /// Runs a function's instructions, and tells each part of the function with its row, as a word: the offset in the function
    /// at which it begins. The first is 0, and the offsets rise.
    pub fn rows<S: UnwindSection<Reader<'a>>>(
        &self,
        section: &S,
        function: Function,
        mut instructions: CallFrameInstructionIter<'_, Reader<'a>>,
        mut tell: impl FnMut(u64, u64),
    ) {
        let unknown = Row::UNKNOWN.encode();
        let Some(initial) = self.initial else {
            return tell(0, unknown);
        };
        let signal = self.entry.is_signal_trampoline();
        let word = |state: &State| {
            state
                .row(self.machine, signal)
                .map_or(unknown, |row| row.encode())
        };
        let mut run = Run::new(self, section, initial);
        let mut at = 0;
        loop {
            let step = match instructions.next() {
                Ok(Some(instruction)) => run.step(&instruction),
                Ok(None) => return tell(at, word(&run.state)),
                Err(_) => None,
            };
            let next = match step {
                Some(Step::Stay) => continue,
                Some(Step::By(bytes)) => at.checked_add(bytes),
                Some(Step::To(address)) => address
                    .checked_sub(function.start)
                    .filter(|offset| *offset >= at),
                None => None,
            };
            // Nobody knows what damaged instructions were to say.
            let Some(next) = next else {
                return tell(at, unknown);
            };
            if next != at {
                tell(at, word(&run.state));
            }
            if next >= function.size {
                return;
            }
            at = next;
        }
    }
}

/// Where a function lies, in the addresses of its file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function {
    pub start: u64,
    pub size: u64,
}

/// What an instruction does with the address.
enum Step {
    Stay,
    By(u64),
    To(u64),
}

/// The state of a run.
struct Run<'run, 'a, S> {
    common: &'run Common<'a>,
    section: &'run S,
    state: State,
    remembered: Vec<State>,
}

impl<'run, 'a, S: UnwindSection<Reader<'a>>> Run<'run, 'a, S> {
    fn new(common: &'run Common<'a>, section: &'run S, state: State) -> Run<'run, 'a, S> {
        Run {
            common,
            section,
            state,
            remembered: Vec::new(),
        }
    }

    /// Takes an instruction. Addresses are left to the caller; `None`: it makes no sense.
    fn step(&mut self, instruction: &CallFrameInstruction<usize>) -> Option<Step> {
        use CallFrameInstruction as I;
        let code = self.common.entry.code_alignment_factor();
        let data = self.common.entry.data_alignment_factor();
        let factored = |offset: i64| offset.checked_mul(data);
        let at = |offset: u64| {
            let bytes = i64::try_from(offset).ok().and_then(factored);
            bytes.map_or(Saved::Elsewhere, Saved::At)
        };
        match *instruction {
            I::Nop | I::ArgsSize { .. } | I::NegateRaState => {}
            I::SetLoc { address } => return Some(Step::To(address)),
            I::AdvanceLoc { delta } => {
                return Some(Step::By(code.checked_mul(delta.into())?));
            }
            I::DefCfa { register, offset } => {
                self.state.cfa = Cfa::Sum(register, i64::try_from(offset).ok()?);
            }
            I::DefCfaSf {
                register,
                factored_offset,
            } => self.state.cfa = Cfa::Sum(register, factored(factored_offset)?),
            I::DefCfaRegister { register } => match &mut self.state.cfa {
                Cfa::Sum(base, _) => *base = register,
                _ => return None,
            },
            I::DefCfaOffset { offset } => self.offset(i64::try_from(offset).ok()?)?,
            I::DefCfaOffsetSf { factored_offset } => self.offset(factored(factored_offset)?)?,
            I::DefCfaExpression { expression } => {
                let expression = expression.get(self.section).ok()?;
                self.state.cfa = Cfa::Computed(form(expression));
            }
            I::Undefined { register } => self.set(register, || Some(Saved::Undefined))?,
            I::SameValue { register } => self.set(register, || Some(Saved::Same))?,
            I::Offset {
                register,
                factored_offset,
            } => self.set(register, || Some(at(factored_offset)))?,
            I::OffsetExtendedSf {
                register,
                factored_offset,
            } => self.set(register, || factored(factored_offset).map(Saved::At))?,
            I::ValOffset { register, .. }
            | I::ValOffsetSf { register, .. }
            | I::ValExpression { register, .. } => {
                self.set(register, || Some(Saved::Elsewhere))?;
            }
            I::Register {
                dest_register: register,
                ..
            } => self.set(register, || Some(Saved::Elsewhere))?,
            I::Expression {
                register,
                expression,
            } => {
                let section = self.section;
                self.set(register, || {
                    let expression = expression.get(section).ok()?;
                    Some(Saved::Computed(form(expression)))
                })?;
            }
            I::Restore { register } => {
                let initial = self.common.initial?;
                let machine = self.common.machine;
                self.set(register, || {
                    Some(match register {
                        register if register == machine.fp() => initial.fp,
                        register if register == machine.bx() => initial.bx,
                        _ => initial.ra,
                    })
                })?;
            }
            I::RememberState => {
                if self.remembered.len() == MAX_REMEMBERED {
                    return None;
                }
                self.remembered.push(self.state);
            }
            I::RestoreState => self.state = self.remembered.pop()?,
        }
        Some(Step::Stay)
    }

    fn offset(&mut self, bytes: i64) -> Option<()> {
        match &mut self.state.cfa {
            Cfa::Sum(_, offset) => *offset = bytes,
            _ => return None,
        }
        Some(())
    }

    /// Says where a register is, if it is one that counts.
    fn set(&mut self, register: Register, saved: impl FnOnce() -> Option<Saved>) -> Option<()> {
        let machine = self.common.machine;
        if register == machine.fp() {
            self.state.fp = saved()?;
        } else if register == machine.ra() {
            self.state.ra = saved()?;
        } else if register == machine.bx() {
            self.state.bx = saved()?;
        }
        Some(())
    }
}
