//! Which owner resident pages belong to, also those that came without a fault of their own.
//!
//! One fault may bring many pages: a huge page, the neighbours of a page of a file, a large folio. Only the page that was touched is
//! in the ledger then. So a page that nobody is charged for belongs to the nearest one that somebody is charged for since tracing
//! began, in the aligned 64 KiB around it (what the kernel maps around a fault, `fault_around_bytes`), failing that in the aligned
//! 2 MiB (a huge page), within the mapping.

use super::ledger::{Ledger, Owner};
use super::payers::BEFORE;
use std::ops::Range;

/// Windows in which a fault may have brought pages, in pages of 4 KiB.
const WINDOWS: [u64; 2] = [16, 512];

/// The same where only some of the pages that were touched are known: more of those that belong together are farther apart.
const SAMPLED_WINDOWS: [u64; 3] = [16, 512, 1 << 16];

/// The windows, if of so many pages that stand alone one is known.
pub fn windows(sample: u64) -> &'static [u64] {
    match sample {
        0 | 1 => &WINDOWS,
        _ => &SAMPLED_WINDOWS,
    }
}

/// Tells the owners of resident pages, in parts. What was resident before brings no further pages.
pub fn attribute(
    ledger: &Ledger,
    mapping: &Range<u64>,
    resident: Range<u64>,
    windows: &[u64],
    mut each: impl FnMut(u64, Option<Owner>),
) {
    for (part, owner) in ledger.parts(resident) {
        if owner.is_some() {
            each(part.end - part.start, owner);
            continue;
        }
        let mut at = part.start;
        while at < part.end {
            let end = window(at, WINDOWS[0]).end.min(part.end);
            let near = windows.iter().find_map(|size| {
                let around = window(at, *size);
                let inside = around.start.max(mapping.start)..around.end.min(mapping.end);
                nearest(ledger, &inside, &(at..end))
            });
            each(end - at, near);
            at = end;
        }
    }
}

/// The aligned window of so many pages that a page is in.
fn window(page: u64, size: u64) -> Range<u64> {
    let start = page - page % size;
    start..start.saturating_add(size)
}

/// The owner in a window who is nearest to pages that have none; the one below of two.
fn nearest(ledger: &Ledger, inside: &Range<u64>, pages: &Range<u64>) -> Option<Owner> {
    let below = ledger
        .below(pages.start)
        .take_while(|(own, _)| own.end > inside.start)
        .find(|(_, owner)| *owner != BEFORE)
        .map(|(own, owner)| (pages.start - own.end, owner));
    let above = ledger
        .above(pages.end)
        .take_while(|(own, _)| own.start < inside.end)
        .find(|(_, owner)| *owner != BEFORE)
        .map(|(own, owner)| (own.start - pages.end, owner));
    let nearest = below.into_iter().chain(above);
    nearest
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, owner)| owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn totals(
        ledger: &Ledger,
        mapping: Range<u64>,
        resident: Range<u64>,
    ) -> Vec<(Option<Owner>, u64)> {
        let mut totals = BTreeMap::new();
        attribute(ledger, &mapping, resident, &WINDOWS, |pages, owner| {
            *totals.entry(owner).or_insert(0) += pages;
        });
        totals.into_iter().collect()
    }

    #[test]
    fn a_huge_page_belongs_to_the_fault_in_it() {
        let mut ledger = Ledger::default();
        ledger.charge(512..513, 3);
        ledger.charge(1100..1101, 4);
        let expected = [(Some(3), 512), (Some(4), 512)];
        assert_eq!(totals(&ledger, 512..1536, 512..1536), expected);
    }

    #[test]
    fn pages_around_a_fault_belong_to_the_nearest() {
        let mut ledger = Ledger::default();
        ledger.charge(5..6, 1);
        ledger.charge(20..21, 2);
        assert_eq!(
            totals(&ledger, 0..32, 0..32),
            [(Some(1), 16), (Some(2), 16)]
        );
    }

    #[test]
    fn other_mappings_and_what_was_there_before_bring_nothing() {
        let mut ledger = Ledger::default();
        ledger.charge(5..6, 1);
        ledger.charge(600..610, BEFORE);
        assert_eq!(totals(&ledger, 8..16, 8..16), [(None, 8)]);
        let expected = [(None, 20), (Some(BEFORE), 10)];
        assert_eq!(totals(&ledger, 512..1024, 600..630), expected);
    }
}
