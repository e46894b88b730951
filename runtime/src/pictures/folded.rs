//! The folded format: a line for each stack, `process;outer;inner 5`.
//!
//! Functions of the kernel end in `_[k]`, inlined ones in `_[i]`, as the readers of this format know them.

use super::tree::{CallTree, Frame, Kind};
use std::io::{self, Write};

/// Writes all stacks, ordered by their names.
///
/// # Errors
/// If they can't be written.
pub fn write(tree: &CallTree, out: &mut dyn Write) -> io::Result<()> {
    let mut line = String::new();
    tree.visit(0, |path, weight| {
        line.clear();
        if path.is_empty() {
            // What has no frame at all still has its weight.
            line.push_str("[no stack]");
        }
        push(path, &mut line, |frame| match frame.kind {
            Kind::Kernel => "_[k]",
            Kind::Inlined => "_[i]",
            Kind::Label | Kind::User | Kind::Interpreted => "",
        });
        writeln!(out, "{line} {weight}")
    })
}

/// Appends the names with `;` between them, and behind each its mark; for a path without frames, that is nothing.
pub fn push(path: &[&Frame], line: &mut String, mark: impl Fn(&Frame) -> &'static str) {
    for (index, frame) in path.iter().enumerate() {
        if index > 0 {
            line.push(';');
        }
        line.push_str(&frame.name);
        line.push_str(mark(frame));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_a_line() {
        let mut tree = CallTree::default();
        let frame = Frame::new;
        tree.add(
            &[
                frame(Kind::Label, b"a b"),
                frame(Kind::User, b"main"),
                frame(Kind::Inlined, b"f"),
                frame(Kind::Kernel, b"do_read"),
            ],
            5,
        );
        tree.add(&[frame(Kind::Label, b"x;y")], 7);
        tree.add(&[], 1);
        let mut out = Vec::new();
        write(&tree, &mut out).unwrap();
        let expected = "[no stack] 1\na b;main;f_[i];do_read_[k] 5\nx\\x3by 7\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
