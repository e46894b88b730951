//! Who is charged for which pages of an address space.
//!
//! Pages are numbers, addresses divided by the size of a page. Pages in a row that the same owner is charged for are one extent,
//! so that what a program touches in order takes no more room the more it touches.

use std::collections::BTreeMap;
use std::ops::Range;

/// Who is charged: a number that means something to the caller alone.
pub type Owner = u32;

/// Pages in a row with one owner; where they begin is the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    end: u64,
    owner: Owner,
}

/// The extents of an address space. They do not overlap, and two that touch have different owners.
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
            && extent.end > pages.start
        {
            self.extents.insert(
                start,
                Extent {
                    end: pages.start,
                    ..extent
                },
            );
            removed(pages.start..extent.end.min(pages.end), extent.owner);
            self.keep_behind(pages.end, extent);
        }
        while let Some((&start, &extent)) = self.extents.range(pages.clone()).next() {
            self.extents.remove(&start);
            removed(start..extent.end.min(pages.end), extent.owner);
            self.keep_behind(pages.end, extent);
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
        let first = before.filter(|(_, extent)| extent.end > pages.start);
        let inside = match pages.is_empty() {
            true => None,
            false => Some(self.extents.range(pages.clone())),
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
                Some(&(&start, &extent)) if start <= at => {
                    at = extent.end.min(pages.end);
                    extents.next();
                    Some(extent.owner)
                }
                Some(&(&start, _)) => {
                    at = start;
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
        self.extents
            .iter()
            .map(|(start, extent)| (*start..extent.end, extent.owner))
    }

    /// Puts back what of a removed extent is behind the removed pages.
    fn keep_behind(&mut self, end: u64, extent: Extent) {
        if extent.end > end {
            self.extents.insert(end, extent);
        }
    }

    /// Adds pages that nobody is charged for, as one extent with those of the same owner that they touch.
    fn insert(&mut self, mut pages: Range<u64>, owner: Owner) {
        let before = self.extents.range(..pages.start).next_back();
        if let Some((&start, extent)) = before
            && extent.end == pages.start
            && extent.owner == owner
        {
            pages.start = start;
        }
        if let Some(&extent) = self.extents.get(&pages.end)
            && extent.owner == owner
        {
            self.extents.remove(&pages.end);
            pages.end = extent.end;
        }
        let end = pages.end;
        self.extents.insert(pages.start, Extent { end, owner });
    }
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
}
