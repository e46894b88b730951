//! A tree of calls: stacks that begin alike are there once, with their weights.
//!
//! In come paths of frames, the outermost first, each with a weight; out go the same paths in a fixed order, whatever order they came in.
//! Names are safe in the folded format, and with that on terminals and in XML. What a traced process can make it hold is bounded:
//! a path beyond that ends early, which is counted.

use pfscript_grammar::escape::{Keep, escape_bytes};
use std::collections::HashMap;
use std::sync::Arc;

/// Frames at most, about 100 bytes each.
const MAX_NODES: usize = 1 << 20;

/// Bytes of different names at most.
const MAX_TEXT: usize = 64 << 20;

/// Bytes of one name at most.
const MAX_NAME: usize = 1 << 12;

/// What a frame is, which is shown by its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// No function: what stands before the stack, such as the process's name.
    Label,
    /// A function of a process.
    User,
    /// A function of an interpreter's language.
    Interpreted,
    /// A function of the kernel.
    Kernel,
    /// A function that was inlined into the one before.
    Inlined,
}

/// A frame: what it is, and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Frame {
    /// The name, safe everywhere.
    pub name: Arc<str>,
    /// What it is.
    pub kind: Kind,
}

impl Frame {
    /// A frame whose name is text from outside.
    pub fn new(kind: Kind, name: &[u8]) -> Frame {
        Frame {
            name: safe(name).into(),
            kind,
        }
    }
}

/// A name without what means something in the folded format (`;`, a number at the end, `# ` at the beginning), and without what a
/// terminal or XML does not take. These are written as `\x3b`.
fn safe(name: &[u8]) -> String {
    let cut = &name[..name.len().min(MAX_NAME)];
    let escaped = escape_bytes(cut, Keep::Nothing);
    let mut out = String::with_capacity(escaped.len());
    for c in escaped.chars() {
        match c {
            ';' => out.push_str("\\x3b"),
            '\u{fffe}' | '\u{ffff}' => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    if cut.len() < name.len() {
        out.push('…');
    }
    if out.starts_with("# ") {
        out.replace_range(..1, "\\x23");
    }
    if let Some(blank) = out.rfind(' ') {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        if out[blank + 1..].chars().all(is_number) {
            out.replace_range(blank..=blank, "\\x20");
        }
    }
    match out.is_empty() {
        true => "[unnamed]".to_owned(),
        false => out,
    }
}

/// A frame under the frames that called it.
#[derive(Debug)]
struct Node {
    frame: u32,
    /// The caller's place; it comes before this one. The root's is its own.
    parent: u32,
    /// The weight of the paths that end here.
    own: u64,
}

/// Paths and their weights.
#[derive(Debug)]
pub struct CallTree {
    frames: Vec<Frame>,
    known: HashMap<Frame, u32>,
    /// Bytes of the names.
    text: usize,
    nodes: Vec<Node>,
    /// Callees by caller and frame.
    callees: HashMap<(u32, u32), u32>,
    /// How many paths were cut, and their weight.
    cut: (u64, u64),
}

impl Default for CallTree {
    fn default() -> CallTree {
        let root = Node {
            frame: 0,
            parent: 0,
            own: 0,
        };
        CallTree {
            frames: vec![Frame::new(Kind::Label, b"all")],
            known: HashMap::new(),
            text: 0,
            nodes: vec![root],
            callees: HashMap::new(),
            cut: (0, 0),
        }
    }
}

impl CallTree {
    /// Adds a path, the outermost frame first. Of one that there is no room for, the beginning is there.
    pub fn add(&mut self, path: &[Frame], weight: u64) {
        let mut at = 0;
        for frame in path {
            match self.callee(at, frame) {
                Some(callee) => at = callee,
                None => {
                    self.cut.0 += 1;
                    self.cut.1 = self.cut.1.saturating_add(weight);
                    break;
                }
            }
        }
        let node = &mut self.nodes[at as usize];
        node.own = node.own.saturating_add(weight);
    }

    fn callee(&mut self, caller: u32, frame: &Frame) -> Option<u32> {
        let number = match self.known.get(frame) {
            Some(number) => *number,
            None if self.text + frame.name.len() > MAX_TEXT || self.nodes.len() >= MAX_NODES => {
                return None;
            }
            None => {
                let number = self.frames.len() as u32;
                self.text += frame.name.len();
                self.frames.push(frame.clone());
                self.known.insert(frame.clone(), number);
                number
            }
        };
        let place = (caller, number);
        if let Some(node) = self.callees.get(&place) {
            return Some(*node);
        }
        if self.nodes.len() >= MAX_NODES {
            return None;
        }
        let node = self.nodes.len() as u32;
        self.nodes.push(Node {
            frame: number,
            parent: caller,
            own: 0,
        });
        self.callees.insert(place, node);
        Some(node)
    }

    /// How many paths there was no room for to their ends, and their weight.
    pub fn cut(&self) -> (u64, u64) {
        self.cut
    }

    /// The sum of all weights.
    pub fn total(&self) -> u64 {
        let own = self.nodes.iter().map(|node| node.own);
        own.fold(0, u64::saturating_add)
    }

    /// How many different paths there are.
    pub fn paths(&self) -> usize {
        self.nodes.iter().filter(|node| node.own > 0).count()
    }

    /// The weight of each node with all that it calls.
    fn weights(&self) -> Vec<u64> {
        let mut weights: Vec<u64> = self.nodes.iter().map(|node| node.own).collect();
        for at in (1..self.nodes.len()).rev() {
            let parent = self.nodes[at].parent as usize;
            weights[parent] = weights[parent].saturating_add(weights[at]);
        }
        weights
    }

    /// Calls `each` for every path with its weight, ordered by the names. What weighs less than `least` with all that it calls is no frame
    /// of its own, but in its caller's weight.
    ///
    /// # Errors
    /// The first one of `each`, which ends it.
    pub fn visit<E>(
        &self,
        least: u64,
        mut each: impl FnMut(&[&Frame], u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let weights = self.weights();
        let mut callees: Vec<Vec<u32>> = vec![Vec::new(); self.nodes.len()];
        let mut own: Vec<u64> = self.nodes.iter().map(|node| node.own).collect();
        for at in (1..self.nodes.len()).rev() {
            let parent = self.nodes[at].parent as usize;
            if weights[at] < least.max(1) {
                own[parent] = own[parent].saturating_add(own[at]);
            } else {
                callees[parent].push(at as u32);
            }
        }
        let frame = |node: u32| &self.frames[self.nodes[node as usize].frame as usize];
        for of_one in &mut callees {
            // The last one is taken first.
            of_one.sort_by(|a, b| frame(*b).cmp(frame(*a)));
        }
        let mut nodes = vec![0_u32];
        let mut path: Vec<&Frame> = Vec::new();
        if own[0] > 0 {
            each(&path, own[0])?;
        }
        while let Some(top) = nodes.last() {
            match callees[*top as usize].pop() {
                Some(callee) => {
                    nodes.push(callee);
                    path.push(frame(callee));
                    if own[callee as usize] > 0 {
                        each(&path, own[callee as usize])?;
                    }
                }
                None => {
                    nodes.pop();
                    path.pop();
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn path(names: &str) -> Vec<Frame> {
        let names = names.split(' ').filter(|name| !name.is_empty());
        names
            .map(|name| Frame::new(Kind::User, name.as_bytes()))
            .collect()
    }

    fn shown(tree: &CallTree, least: u64) -> Vec<(String, u64)> {
        let mut all = Vec::new();
        let visited = tree.visit(least, |path, weight| {
            let names: Vec<&str> = path.iter().map(|frame| &*frame.name).collect();
            all.push((names.join(" "), weight));
            Ok::<_, Infallible>(())
        });
        visited.unwrap();
        all
    }

    #[test]
    fn paths_come_in_the_order_of_their_names_and_like_ones_are_one() {
        let mut tree = CallTree::default();
        for (names, weight) in [("b c", 2), ("a-x", 3), ("a b", 1), ("b c", 5), ("a", 7)] {
            tree.add(&path(names), weight);
        }
        let expected = [("a", 7), ("a b", 1), ("a-x", 3), ("b c", 7)];
        let expected = expected.map(|(names, weight)| (names.to_owned(), weight));
        assert_eq!(shown(&tree, 0), expected);
        assert_eq!((tree.total(), tree.paths(), tree.cut()), (18, 4, (0, 0)));
    }

    #[test]
    fn what_is_too_light_is_in_its_callers_weight() {
        let mut tree = CallTree::default();
        tree.add(&path("a b c"), 1);
        tree.add(&path("a b d"), 1);
        tree.add(&path("a e f"), 1);
        tree.add(&path("g"), 1);
        let expected = [("", 1), ("a", 1), ("a b", 2)].map(|(names, n)| (names.to_owned(), n));
        assert_eq!(shown(&tree, 2), expected);
    }

    #[test]
    fn a_frame_of_the_kernel_is_none_of_a_process() {
        let mut tree = CallTree::default();
        tree.add(&[Frame::new(Kind::User, b"f")], 1);
        tree.add(&[Frame::new(Kind::Kernel, b"f")], 2);
        assert_eq!(tree.paths(), 2);
    }

    #[test]
    fn weights_do_not_overflow() {
        let mut tree = CallTree::default();
        tree.add(&path("a"), u64::MAX);
        tree.add(&path("b"), 2);
        assert_eq!(tree.total(), u64::MAX);
    }

    #[test]
    fn a_path_that_there_is_no_room_for_ends_early() {
        let mut tree = CallTree::default();
        // As many paths as it takes, each of its own.
        let most = MAX_NODES as u64 / 2;
        let mut frames = path("x y");
        for number in 0..most + 10 {
            frames[0] = Frame::new(Kind::User, number.to_string().as_bytes());
            tree.add(&frames, 1);
        }
        assert_eq!(tree.nodes.len(), MAX_NODES);
        assert_eq!(tree.total(), most + 10);
        assert_eq!(tree.cut(), (11, 11));
    }

    #[test]
    fn names_are_safe_in_the_folded_format() {
        for (name, expected) in [
            ("main", "main"),
            ("operator new(int, int)", "operator new(int, int)"),
            ("a;b\nc\x1b", "a\\x3bb\\x0ac\\x1b"),
            ("f 12", "f\\x2012"),
            ("f 1.5", "f\\x201.5"),
            ("f ", "f\\x20"),
            ("# f", "\\x23 f"),
            ("", "[unnamed]"),
            ("\u{ffff}<é>", "\\u{ffff}<é>"),
        ] {
            assert_eq!(safe(name.as_bytes()), expected, "{name:?}");
        }
        assert!(safe(&[b'x'; 100_000]).len() < MAX_NAME + 10);
    }
}
