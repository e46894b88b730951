//! Arguments of calls, operands to `r1` to `r5`, and parameters, from there to where they live: all at once.
//!
//! Some are in registers that others go to, so the order matters. Among arguments, circles need a way out: `r0`, which
//! the call overwrites and which is free by then. Parameters never form one: one that goes to a register of parameters
//! either stays or comes from `r4` or `r5`, where none goes.

use super::{CONTEXT, FRAME, LINK_CONTEXT, Selected, Selector};
use crate::emit::ErrorKind;
use crate::emit::asm::{ARGUMENTS, Insn, R0, R10, Reg, size};
use crate::emit::regalloc::Location;
use crate::emit::simplify::Operand;
use crate::ir::{Kind, Value};

/// `to = from`, pending.
#[derive(Clone, Copy)]
struct Move {
    to: Reg,
    from: Reg,
}

impl Selector<'_> {
    /// Brings arguments where a call takes them.
    pub(super) fn arguments(&mut self, args: &[Value]) -> Selected {
        if args.len() > ARGUMENTS.len() {
            return Err(ErrorKind::Malformed(format!(
                "a call with {} arguments",
                args.len()
            )));
        }
        let mut moves: Vec<Move> = Vec::new();
        let mut loads: Vec<(Reg, Operand)> = Vec::new();
        for (&arg, to) in args.iter().zip(ARGUMENTS) {
            let operand = self.operand(arg);
            match self.register_of(operand) {
                Some(from) if from == to => {}
                Some(from) => moves.push(Move { to, from }),
                None => loads.push((to, operand)),
            }
        }
        self.move_all(moves, Some(R0))?;
        // What is loaded comes from no register that an argument goes to.
        for (to, operand) in loads {
            self.load_operand(to, operand)?;
        }
        Ok(())
    }

    /// Brings parameters from where a call leaves them to where they live; the context only if something uses it.
    pub(super) fn receive(&mut self, context: bool) -> Selected {
        let function = self.function;
        let mut moves: Vec<Move> = Vec::new();
        if function.params.len() > ARGUMENTS.len() {
            let what = format!("a function with {} parameters", function.params.len());
            return Err(ErrorKind::Malformed(what));
        }
        for (&param, from) in function.params.iter().zip(ARGUMENTS) {
            if function.param_kind(param) == Some(Kind::Link) {
                // Neither is a register that arguments come in.
                if self.layout.frame_bytes > 0 {
                    self.assembler.push(Insn::load(size::DW, FRAME, from, 0));
                }
                if context {
                    let insn = Insn::load(size::DW, CONTEXT, from, LINK_CONTEXT);
                    self.assembler.push(insn);
                }
            }
        }
        for (&param, from) in function.params.iter().zip(ARGUMENTS) {
            match function.param_kind(param) {
                Some(Kind::Context) if context => moves.push(Move { to: CONTEXT, from }),
                Some(Kind::Frame) if self.layout.frame_bytes > 0 => {
                    moves.push(Move { to: FRAME, from });
                }
                Some(Kind::Context | Kind::Frame | Kind::Link) => {}
                _ => match self.allocation.location(param) {
                    Some(Location::Reg(to)) if to == from => {}
                    Some(Location::Reg(to)) => moves.push(Move { to, from }),
                    // Stores overwrite no register, so they may come first.
                    Some(Location::Spill(number)) => {
                        let offset = self.layout.spill(number) as i16;
                        self.assembler
                            .push(Insn::store(size::DW, R10, offset, from));
                    }
                    None => {}
                },
            }
        }
        self.move_all(moves, None)
    }

    /// Does all moves as if at once; circles go through `spare`.
    fn move_all(&mut self, mut moves: Vec<Move>, spare: Option<Reg>) -> Selected {
        while !moves.is_empty() {
            let free = moves
                .iter()
                .position(|next| moves.iter().all(|other| other.from != next.to));
            match free {
                Some(index) => {
                    let Move { to, from } = moves.swap_remove(index);
                    self.assembler.mov(to, from);
                }
                None => {
                    // Only circles are left: what the first would overwrite waits in the spare register.
                    let spare = spare.ok_or_else(|| {
                        ErrorKind::Malformed("parameters that change places".to_owned())
                    })?;
                    let blocked = moves[0].to;
                    self.assembler.mov(spare, blocked);
                    for other in &mut moves {
                        if other.from == blocked {
                            other.from = spare;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
