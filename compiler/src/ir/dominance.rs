//! Which blocks are on every path to which: immediate dominators, by the iterative algorithm of Cooper, Harvey and
//! Kennedy ("A Simple, Fast Dominance Algorithm").

use super::{Block, Function};
use cranelift_entity::SecondaryMap;

/// The dominator tree of a function's reached blocks.
pub struct Dominance {
    /// Each reached block's place in reverse postorder.
    order: SecondaryMap<Block, Option<u32>>,
    /// Each reached block's immediate dominator, that of the first being itself.
    parent: SecondaryMap<Block, Option<Block>>,
}

impl Dominance {
    /// Computes the tree. Blocks that jumps name must exist.
    pub fn new(function: &Function) -> Dominance {
        let postorder = postorder(function);
        let mut order = SecondaryMap::new();
        let mut predecessors: SecondaryMap<Block, Vec<Block>> = SecondaryMap::new();
        for (index, &block) in postorder.iter().rev().enumerate() {
            order[block] = Some(index as u32);
            for_each_successor(function, block, |next| predecessors[next].push(block));
        }
        let mut this = Dominance {
            order,
            parent: SecondaryMap::new(),
        };
        let Some(&first) = postorder.last() else {
            return this;
        };
        this.parent[first] = Some(first);
        let mut changed = true;
        while std::mem::take(&mut changed) {
            for &block in postorder.iter().rev().skip(1) {
                let known = predecessors[block].iter().copied();
                let new = known
                    .filter(|&block| this.parent[block].is_some())
                    .reduce(|a, b| this.meet(a, b));
                if this.parent[block] != new {
                    this.parent[block] = new;
                    changed = true;
                }
            }
        }
        this
    }

    /// Whether any path from the first block leads to `block`.
    pub fn is_reached(&self, block: Block) -> bool {
        self.order[block].is_some()
    }

    /// Whether every path to `block`, which is reached, leads through `above`.
    pub fn dominates(&self, above: Block, mut block: Block) -> bool {
        let Some(limit) = self.order[above] else {
            return false;
        };
        while self.order[block].is_some_and(|order| order > limit) {
            match self.parent[block] {
                Some(parent) => block = parent,
                None => return false,
            }
        }
        block == above
    }

    /// The nearest block that dominates both.
    fn meet(&self, mut a: Block, mut b: Block) -> Block {
        while a != b {
            let (higher, lower) = if self.order[a] < self.order[b] {
                (a, &mut b)
            } else {
                (b, &mut a)
            };
            // What is met has a parent: only such blocks come here, and the first one is its own.
            *lower = self.parent[*lower].unwrap_or(higher);
        }
        a
    }
}

fn for_each_successor(function: &Function, block: Block, f: impl FnMut(Block)) {
    if let Some(&end) = function.blocks[block].insts.last() {
        function.insts[end].for_each_successor(f);
    }
}

/// The reached blocks, each behind those that it leads to (but for loops).
fn postorder(function: &Function) -> Vec<Block> {
    let mut seen: SecondaryMap<Block, bool> = SecondaryMap::new();
    let mut order = Vec::new();
    let first = function.blocks.keys().next();
    // A block to enter, or, if true, one whose successors are done.
    let mut work: Vec<(Block, bool)> = first.map(|block| (block, false)).into_iter().collect();
    while let Some((block, done)) = work.pop() {
        if done {
            order.push(block);
        } else if !std::mem::replace(&mut seen[block], true) {
            work.push((block, true));
            for_each_successor(function, block, |next| work.push((next, false)));
        }
    }
    order
}
