//! Functions that capture stacks: rows of the table in the parent, with modes and depths. Walking stacks is a routine
//! (`probes/bpf/stack.bpf.c`), naming frames is the runtime's.

use super::{Args, FunctionRow};
use crate::hir::Expr;
use crate::language::builtins::{self, Walk};
use crate::manifest::StackMode;
use crate::sema::Checker;
use pfscript_grammar::{Diagnostic, Span};
use pfscript_probes::abi::MAX_STACK_FRAMES;

pub(super) const ROWS: &[FunctionRow] = rows! {
    "ustack([stack_mode mode], [stack_walk walk], [const int depth])", Value(|checker, args| stack(checker, args, true)), "the user stack; `walk` is `fp` (by frame pointers) or `dwarf`";
    "dw_ustack([stack_mode mode], [const int depth])", Value(|checker, args| stack(checker, args, true)), "the user stack, as `ustack`";
    "kstack([stack_mode mode], [const int depth])", Value(|checker, args| stack(checker, args, false)), "the kernel stack";
};

fn stack(checker: &mut Checker<'_>, mut args: Args<'_>, user: bool) -> Result<Expr, Diagnostic> {
    let [mode, walk, depth] = ["mode", "walk", "depth"].map(|name| args.index(name));
    let word = mode.and_then(|mode| args.word(mode));
    let span = mode.map_or(args.span, |mode| args.span(mode));
    let mode = match word {
        None => None,
        Some(word) => Some(StackMode::named(word).ok_or_else(|| unknown(&args, span, word))?),
    };
    if mode == Some(StackMode::BuildId) && !user {
        let message = "the kernel's own code has no build ids in stacks";
        return Err(Diagnostic::error(span, message)
            .help("`build_id` is for user stacks: `ustack(build_id)`"));
    }
    let walk = walk.and_then(|walk| args.word(walk)).and_then(Walk::named);
    let depth = match depth.filter(|depth| args.has(*depth)) {
        None => None,
        Some(index) => {
            let frames = args.constant(index)?;
            if !(1..=MAX_STACK_FRAMES.into()).contains(&frames) {
                return Err(Diagnostic::error(
                    args.span(index),
                    format!("`depth` must be 1 to {MAX_STACK_FRAMES}"),
                ));
            }
            Some(frames as u32)
        }
    };
    builtins::stack(checker, user, mode, walk, depth, args.span)
}

/// What is said of a word that is no stack mode.
fn unknown(args: &Args<'_>, span: Span, word: &str) -> Diagnostic {
    if Walk::named(word).is_some() {
        let message = format!("`{}` does not take `{word}`", args.name());
        return Diagnostic::error(span, message).help(format!(
            "how a stack is walked can be chosen for user stacks: `ustack({word})`"
        ));
    }
    let known = StackMode::NAMES.into_iter();
    Diagnostic::error(span, format!("unknown stack mode `{word}`"))
        .suggest(word, known.chain(Walk::NAMES.iter().map(|row| row.0)))
}
