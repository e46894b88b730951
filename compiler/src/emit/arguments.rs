//! Arguments of calls: operands to `r1` to `r5`, all at once.
//!
//! Some operands are in registers that other arguments go to, so the order matters, and circles need a way out: `r0`,
//! which the call overwrites and which is free by then.

use super::ErrorKind;
use super::asm::{ARGUMENTS, R0, Reg};
use super::select::{Selected, Selector};
use super::simplify::Operand;
use crate::ir::Value;

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
        self.move_all(moves);
        // What is loaded comes from no register that an argument goes to.
        for (to, operand) in loads {
            self.load_operand(to, operand);
        }
        Ok(())
    }

    fn move_all(&mut self, mut moves: Vec<Move>) {
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
                    // Only circles are left: what the first would overwrite waits in r0.
                    let blocked = moves[0].to;
                    self.assembler.mov(R0, blocked);
                    for other in &mut moves {
                        if other.from == blocked {
                            other.from = R0;
                        }
                    }
                }
            }
        }
    }
}
