//! Which variable a name means.
//!
//! bpftrace's variables were once visible in the whole action and are now visible in their block. Both kinds of script
//! run here: a name means the variable of the nearest open block, and, failing that, of a block closed before it.

use crate::hir::Var;
use std::collections::HashMap;

/// The blocks of one action, open and closed.
#[derive(Default)]
pub(super) struct Scopes {
    open: Vec<HashMap<String, Var>>,
    /// The variables of closed blocks by name, each once, the latest last.
    closed: HashMap<String, Vec<Var>>,
}

impl Scopes {
    /// Enters a block.
    pub fn enter(&mut self) {
        self.open.push(HashMap::new());
    }

    /// Leaves a block.
    pub fn leave(&mut self) {
        for (name, var) in self.open.pop().into_iter().flatten() {
            let vars = self.closed.entry(name).or_default();
            vars.retain(|known| *known != var);
            vars.push(var);
        }
    }

    /// Makes a name mean a variable in the innermost block.
    pub fn bind(&mut self, name: &str, var: Var) {
        if let Some(block) = self.open.last_mut() {
            block.insert(name.to_string(), var);
        }
    }

    /// The variable of the nearest open block.
    pub fn open(&self, name: &str) -> Option<Var> {
        self.open
            .iter()
            .rev()
            .find_map(|block| block.get(name))
            .copied()
    }

    /// Whether the innermost block has the name.
    pub fn is_local(&self, name: &str) -> bool {
        self.open
            .last()
            .is_some_and(|block| block.contains_key(name))
    }

    /// The variables of closed blocks, each once, the latest last.
    pub fn closed(&self, name: &str) -> &[Var] {
        self.closed.get(name).map_or(&[], Vec::as_slice)
    }

    /// Every name that can be read.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.open
            .iter()
            .flat_map(|block| block.keys())
            .chain(self.closed.keys())
            .map(String::as_str)
    }
}
