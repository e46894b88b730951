//! Who is charged for pages, of all processes: a number for each, since pages are many and who is charged for them few.

use super::Payer;
use super::ledger::Owner;
use std::collections::HashMap;

/// The owner of what was resident before.
pub const BEFORE: Owner = 0;

/// The owner of what is charged to somebody that there is no room for.
pub const OTHERS: Owner = 1;

/// In the number of an owner: the page stands for others that were not told.
pub const SAMPLED: Owner = 1 << 31;

/// Those after [`OTHERS`].
const FIRST: Owner = 2;

/// So many are told apart; a tracer of days has a bound.
const MOST: usize = 1 << 18;

/// Everybody who was ever charged.
#[derive(Debug, Default)]
pub struct Payers {
    all: Vec<(u32, Box<[u8]>)>,
    /// The same the other way round, by what the bytes are.
    owners: HashMap<u32, HashMap<Box<[u8]>, Owner>>,
}

impl Payers {
    /// The number of who is charged.
    pub fn owner(&mut self, (kind, bytes): Payer<'_>) -> Owner {
        let owners = self.owners.entry(kind).or_default();
        if let Some(owner) = owners.get(bytes) {
            return *owner;
        }
        if self.all.len() >= MOST {
            return OTHERS;
        }
        let owner = FIRST + self.all.len() as Owner;
        self.all.push((kind, bytes.into()));
        owners.insert(bytes.into(), owner);
        owner
    }

    /// Who has a number, whether pages of it stand for others or not; `None` of [`BEFORE`] and [`OTHERS`].
    pub fn get(&self, owner: Owner) -> Option<Payer<'_>> {
        let index = (owner & !SAMPLED).checked_sub(FIRST)?;
        let (kind, bytes) = self.all.get(index as usize)?;
        Some((*kind, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_one_number() {
        let mut payers = Payers::default();
        let owners = [(0, &b"x"[..]), (1, b"x"), (0, b"x"), (0, b"y")];
        let owners = owners.map(|payer| payers.owner(payer));
        assert_eq!(owners, [FIRST, FIRST + 1, FIRST, FIRST + 2]);
        assert_eq!(payers.get(FIRST + 2), Some((0, &b"y"[..])));
        assert_eq!((payers.get(BEFORE), payers.get(OTHERS)), (None, None));
    }
}
