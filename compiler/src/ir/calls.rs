//! Which function calls which, walked in depth.

use super::{FuncId, Function, Module};
use cranelift_entity::SecondaryMap;

/// What is reached from some functions.
#[derive(Debug, Default)]
pub struct Reached {
    /// Every function once, each behind those that it calls; those too that do not exist.
    pub callees_first: Vec<FuncId>,
    /// Functions that call themselves, by others too.
    pub recursive: Vec<FuncId>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum State {
    #[default]
    New,
    Open,
    Done,
}

impl Module {
    /// All functions that `roots` reach by calls, these among them.
    pub fn reached(&self, roots: impl IntoIterator<Item = FuncId>) -> Reached {
        let mut states: SecondaryMap<FuncId, State> = SecondaryMap::new();
        let mut reached = Reached::default();
        for root in roots {
            // A function to enter, or, if true, one whose callees are done.
            let mut work = vec![(root, false)];
            while let Some((id, done)) = work.pop() {
                if done {
                    states[id] = State::Done;
                    reached.callees_first.push(id);
                    continue;
                }
                if states[id] != State::New {
                    continue;
                }
                states[id] = State::Open;
                work.push((id, true));
                for callee in self
                    .functions
                    .get(id)
                    .into_iter()
                    .flat_map(Function::callees)
                {
                    match states[callee] {
                        State::New => work.push((callee, false)),
                        State::Open => reached.recursive.push(callee),
                        State::Done => {}
                    }
                }
            }
        }
        reached
    }
}
