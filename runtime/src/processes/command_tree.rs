//! The processes of a command, as far as they live.

use super::map_place::MapPlace;
use std::collections::HashSet;

/// Those of a command. The default one has none.
#[derive(Debug, Default)]
pub struct CommandTree {
    processes: HashSet<u32>,
    /// Where the command would write a map.
    place: Option<MapPlace>,
    told: bool,
}

impl CommandTree {
    /// That of a command that has not started, and where this would write a map; `told` says that its runtimes are told to
    /// ([`crate::runtimes`]).
    pub fn new(command: u32, place: Option<MapPlace>, told: bool) -> CommandTree {
        CommandTree {
            processes: HashSet::from([command]),
            place,
            told,
        }
    }

    /// Whether a process is of it, and lives.
    pub fn contains(&self, tgid: u32) -> bool {
        self.processes.contains(&tgid)
    }

    /// Whether a process of it writes a map since it was told to.
    pub fn is_told(&self, tgid: u32) -> bool {
        self.told && self.contains(tgid)
    }

    /// Where a process of it that is gone most probably wrote its map.
    pub fn place_of(&self, tgid: u32) -> Option<MapPlace> {
        let place = self.place.as_ref().filter(|_| self.contains(tgid))?;
        Some(place.of_another(tgid))
    }

    /// A process begins.
    pub fn begun(&mut self, child: u32, parent: u32) {
        if self.contains(parent) {
            self.processes.insert(child);
        }
    }

    /// A process ended.
    pub fn ended(&mut self, tgid: u32) {
        self.processes.remove(&tgid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_of_its_processes_are_of_it_while_they_live() {
        let mut tree = CommandTree::new(5, None, true);
        tree.begun(6, 5);
        tree.begun(7, 6);
        tree.begun(9, 8);
        tree.ended(6);
        assert!(tree.contains(5) && tree.is_told(7));
        assert!(!tree.contains(6) && !tree.is_told(9));
        assert!(tree.place_of(7).is_none());
    }
}
