//! Who is charged for which pages of an address space.
//!
//! Pages are numbers, addresses divided by the size of a page. Pages in a row that the same owner is charged for are one extent,
//! so that what a program touches in order takes no more room the more it touches.

use std::collections::BTreeMap;
use std::ops::Range;

/// Who is charged: a number that means something to the caller alone.
pub type Owner = u32;

/// Pages in a row with one owner; where they begin is the key. There may be millions, so it is small: longer ones are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    length: u32,
    owner: Owner,
}

/// The extents of an address space. They do not overlap, and two that touch have different owners, unless they are too long for one.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    extents: BTreeMap<u64, Extent>,
}

impl Ledger {
    /// How many extents there are.
    pub fn extents(&self) -> usize {
        self.extents.len()
    }

    /// Charges an owner for pages, whoever was charged before.
    pub fn charge(&mut self, pages: Range<u64>, owner: Owner) {
        if pages.is_empty() {
            return;
        }
        self.remove(pages.clone(), |_, _| {});
        self.insert(pages, owner);
    }

    /// Who is charged for a page.
    pub fn owner(&self, page: u64) -> Option<Owner> {
        let (own, owner) = self.below(page + 1).next()?;
        (own.end > page).then_some(owner)
    }

    /// Forgets pages of extents of up to 16, but for those that are to be kept.
    pub fn thin(&mut self, mut keeps: impl FnMut(u64, Owner) -> bool) {
        const SHORT: u32 = 16;
        let mut kept = Vec::new();
        self.extents.retain(|start, extent| match extent.length {
            1 => keeps(*start, extent.owner),
            length if length > SHORT => true,
            _ => {
                let (pages, owner) = range((start, extent));
                kept.extend(
                    pages
                        .filter(|page| keeps(*page, owner))
                        .map(|page| (page, owner)),
                );
                false
            }
        });
        for (page, owner) in kept {
            self.insert(page..page + 1, owner);
        }
    }

    /// Charges an owner for those pages that nobody is charged for.
    pub fn fill(&mut self, pages: Range<u64>, owner: Owner) {
        let parts = self.parts(pages);
        let gaps: Vec<_> = parts
            .filter(|(_, charged)| charged.is_none())
            .map(|(gap, _)| gap)
            .collect();
        for gap in gaps {
            self.insert(gap, owner);
        }
    }

    /// Charges nobody for pages, and tells who was.
    pub fn remove(&mut self, pages: Range<u64>, mut removed: impl FnMut(Range<u64>, Owner)) {
        if pages.is_empty() {
            return;
        }
        let before = self.extents.range(..pages.start).next_back();
        if let Some((&start, &extent)) = before
            && start + u64::from(extent.length) > pages.start
        {
            let end = start + u64::from(extent.length);
            self.put(start..pages.start, extent.owner);
            removed(pages.start..end.min(pages.end), extent.owner);
            self.put(pages.end..end, extent.owner);
        }
        while let Some((&start, &extent)) = self.extents.range(pages.clone()).next() {
            let end = start + u64::from(extent.length);
            self.extents.remove(&start);
            removed(start..end.min(pages.end), extent.owner);
            self.put(pages.end..end, extent.owner);
        }
    }

    /// Moves pages to where they begin with `to`, with those who are charged for them; who was charged there before is told.
    pub fn shift(&mut self, pages: Range<u64>, to: u64, removed: impl FnMut(Range<u64>, Owner)) {
        let (start, length) = (pages.start, pages.end.saturating_sub(pages.start));
        let mut moved = Vec::new();
        self.remove(pages, |part, owner| moved.push((part, owner)));
        self.remove(to..to.saturating_add(length), removed);
        for (part, owner) in moved {
            let at = |page: u64| (page - start).saturating_add(to);
            self.insert(at(part.start)..at(part.end), owner);
        }
    }

    /// The pages of a range in order, in parts with one owner or none.
    pub fn parts(&self, pages: Range<u64>) -> impl Iterator<Item = (Range<u64>, Option<Owner>)> {
        let before = self.extents.range(..pages.start).next_back();
        let first = before.map(range).filter(|(own, _)| own.end > pages.start);
        let inside = match pages.is_empty() {
            true => None,
            false => Some(self.extents.range(pages.clone()).map(range)),
        };
        let mut extents = first
            .into_iter()
            .chain(inside.into_iter().flatten())
            .peekable();
        let mut at = pages.start;
        std::iter::from_fn(move || {
            if at >= pages.end {
                return None;
            }
            let from = at;
            let owner = match extents.peek() {
                Some((own, owner)) if own.start <= at => {
                    let owner = *owner;
                    at = own.end.min(pages.end);
                    extents.next();
                    Some(owner)
                }
                Some((own, _)) => {
                    at = own.start;
                    None
                }
                None => {
                    at = pages.end;
                    None
                }
            };
            Some((from..at, owner))
        })
    }

    /// All pages that somebody is charged for.
    pub fn all(&self) -> impl Iterator<Item = (Range<u64>, Owner)> {
        self.extents.iter().map(range)
    }

    /// The extents before a page, the nearest first.
    pub fn below(&self, page: u64) -> impl Iterator<Item = (Range<u64>, Owner)> {
        self.extents.range(..page).rev().map(range)
    }

    /// The extents that begin with a page or behind it, the nearest first.
    pub fn above(&self, page: u64) -> impl Iterator<Item = (Range<u64>, Owner)> {
        self.extents.range(page..).map(range)
    }

    /// Puts pages in a place where nothing is.
    fn put(&mut self, pages: Range<u64>, owner: Owner) {
        let mut start = pages.start;
        while start < pages.end {
            let length = u32::try_from(pages.end - start).unwrap_or(u32::MAX);
            self.extents.insert(start, Extent { length, owner });
            start += u64::from(length);
        }
    }

    /// Adds pages that nobody is charged for, as one extent with those of the same owner that they touch.
    fn insert(&mut self, mut pages: Range<u64>, owner: Owner) {
        if pages.is_empty() {
            return;
        }
        let before = self.extents.range(..pages.start).next_back().map(range);
        if let Some((own, _)) = before.filter(|(own, by)| own.end == pages.start && *by == owner) {
            pages.start = own.start;
        }
        if let Some(&extent) = self.extents.get(&pages.end)
            && extent.owner == owner
        {
            self.extents.remove(&pages.end);
            pages.end += u64::from(extent.length);
        }
        self.put(pages, owner);
    }
}

/// Where an extent is, and whose.
fn range((start, extent): (&u64, &Extent)) -> (Range<u64>, Owner) {
    (*start..start + u64::from(extent.length), extent.owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: usize = 64;

    /// The same, page by page.
    #[derive(Clone, Default)]
    struct Plain(Vec<Option<Owner>>);

    impl Plain {
        fn parts(&self) -> Vec<(Range<u64>, Option<Owner>)> {
            let mut parts: Vec<(Range<u64>, Option<Owner>)> = Vec::new();
            for (page, owner) in self.0.iter().enumerate() {
                let page = page as u64;
                match parts.last_mut() {
                    Some((range, last)) if last == owner => range.end = page + 1,
                    _ => parts.push((page..page + 1, *owner)),
                }
            }
            parts
        }
    }

    #[test]
    fn it_says_what_a_list_of_pages_says() {
        let mut state = 1_u64;
        let mut random = move |below: u64| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) % below
        };
        let mut ledger = Ledger::default();
        let mut plain = Plain(vec![None; PAGES]);
        for _ in 0..20_000 {
            let start = random(PAGES as u64 - 8);
            let pages = start..start + random(9);
            let owner = random(3) as Owner;
            let inside = pages.start as usize..pages.end as usize;
            let mut removed = 0;
            let mut count = |part: Range<u64>, _: Owner| removed += part.end - part.start;
            let charged = |pages: &[Option<Owner>]| pages.iter().flatten().count() as u64;
            match random(4) {
                0 => {
                    ledger.charge(pages, owner);
                    plain.0[inside].fill(Some(owner));
                }
                1 => {
                    ledger.fill(pages, owner);
                    plain.0[inside]
                        .iter_mut()
                        .for_each(|page| *page = page.or(Some(owner)));
                }
                2 => {
                    ledger.remove(pages, &mut count);
                    assert_eq!(removed, charged(&plain.0[inside.clone()]));
                    plain.0[inside].fill(None);
                }
                _ => {
                    let to = random(PAGES as u64 - 8);
                    ledger.shift(pages, to, |_, _| {});
                    let moved = plain.0[inside.clone()].to_vec();
                    plain.0[inside].fill(None);
                    plain.0[to as usize..][..moved.len()].clone_from_slice(&moved);
                }
            }
            assert_eq!(
                ledger.parts(0..PAGES as u64).collect::<Vec<_>>(),
                plain.parts()
            );
        }
    }

    #[test]
    fn pages_in_a_row_are_one_extent() {
        let mut ledger = Ledger::default();
        for page in (0..1000).rev().chain(1000..2000) {
            ledger.charge(page..page + 1, 7);
        }
        assert_eq!(ledger.all().collect::<Vec<_>>(), [(0..2000, 7)]);
        ledger.charge(500..501, 8);
        assert_eq!(ledger.all().count(), 3);
        ledger.remove(0..u64::MAX, |_, _| {});
        assert_eq!(ledger.all().count(), 0);
    }

    #[test]
    fn there_is_no_end_to_what_one_is_charged_for() {
        let mut ledger = Ledger::default();
        let end = 5 << 32;
        ledger.charge(0..end, 7);
        ledger.remove(3..4, |_, _| {});
        let count: u64 = ledger.all().map(|(pages, _)| pages.end - pages.start).sum();
        assert_eq!((count, ledger.extents()), (end - 1, 7));
    }

    #[test]
    fn neighbours_are_found_on_both_sides() {
        let mut ledger = Ledger::default();
        ledger.charge(2..4, 1);
        ledger.charge(6..7, 2);
        ledger.charge(9..12, 3);
        let below: Vec<_> = ledger.below(8).collect();
        assert_eq!(below, [(6..7, 2), (2..4, 1)]);
        assert_eq!(ledger.above(8).next(), Some((9..12, 3)));
    }
}
