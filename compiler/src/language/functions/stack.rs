//! Functions that capture stacks: rows of the table in the parent, with modes and depths. Walking stacks is a routine
//! (`probes/bpf/stack.bpf.c`), naming frames is the runtime's.

use super::{Args, FunctionRow};
use crate::hir::Expr;
use crate::language::builtins::{self, Walk};
use crate::manifest::StackMode;
use crate::sema::Checker;
use pfscript_grammar::Diagnostic;
use pfscript_probes::abi::MAX_STACK_FRAMES;

pub(super) const ROWS: &[FunctionRow] = rows! {
    "ustack([stack_mode mode], [const int depth])", Value(|checker, args| stack(checker, args, true)), "the user stack";
    "dw_ustack([stack_mode mode], [const int depth])", Value(|checker, args| stack(checker, args, true)), "the user stack, as `ustack`";
    "kstack([stack_mode mode], [const int depth])", Value(|checker, args| stack(checker, args, false)), "the kernel stack";
};

fn stack(checker: &mut Checker<'_>, mut args: Args<'_>, user: bool) -> Result<Expr, Diagnostic> {
    let word = args.word(0);
    let walk = word.and_then(walk);
    let mode = match word {
        None => None,
        Some(_) if walk.is_some() => None,
        Some(word) => Some(StackMode::named(word).ok_or_else(|| {
            let known = StackMode::NAMES.into_iter();
            Diagnostic::error(args.span(0), format!("unknown stack mode `{word}`"))
                .suggest(word, known.chain(WALKS.iter().map(|row| row.0)))
        })?),
    };
    if mode == Some(StackMode::BuildId) && !user {
        let message = "the kernel's own code has no build ids in stacks";
        return Err(Diagnostic::error(args.span(0), message)
            .help("`build_id` is for user stacks: `ustack(build_id)`"));
    }
    let depth = match args.has(1) {
        false => None,
        true => {
            let frames = args.constant(1)?;
            if !(1..=MAX_STACK_FRAMES.into()).contains(&frames) {
                return Err(Diagnostic::error(
                    args.span(1),
                    format!("`depth` must be 1 to {MAX_STACK_FRAMES}"),
                ));
            }
            Some(frames as u32)
        }
    };
    builtins::stack(checker, user, mode, walk, depth, args.span)
}

/// How stacks are walked.
const WALKS: &[(&str, Walk)] = &[("fp", Walk::FramePointers), ("dwarf", Walk::Tables)];

fn walk(word: &str) -> Option<Walk> {
    WALKS.iter().find(|row| row.0 == word).map(|row| row.1)
}
