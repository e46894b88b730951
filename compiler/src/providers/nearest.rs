//! The nearest names to a mistyped one, out of a hundred thousand, in a few milliseconds.
//!
//! In come a name and candidates, out goes "did you mean …?". Short lists, such as those of builtins, use
//! [`Diagnostic::suggest`](pfscript_grammar::Diagnostic::suggest).

use std::fmt::Write as _;

/// The most names that a message offers.
const MAX: usize = 3;

/// The candidates nearest to `name` by edit distance, nearest first, as far as they are near enough to be what was
/// meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut limit = (name.chars().count() / 3).max(1);
    let wanted = Census::of(name);
    let mut best: Vec<(usize, &str)> = Vec::new();
    for candidate in candidates {
        // The distance is at least the difference in length, and at least half the difference in letters.
        if candidate.len().abs_diff(name.len()) > limit
            || wanted.distance(&Census::of(candidate)) > limit
        {
            continue;
        }
        let distance = strsim::osa_distance(name, candidate);
        if distance > limit || best.iter().any(|&(_, known)| known == candidate) {
            continue;
        }
        let at = best.partition_point(|&(known, _)| known <= distance);
        best.insert(at, (distance, candidate));
        best.truncate(MAX);
        if best.len() == MAX {
            limit = best[MAX - 1].0;
        }
    }
    // Names much farther off than the best one are noise.
    let nearest = best.first().map_or(0, |&(distance, _)| distance);
    best.retain(|&(distance, _)| distance <= nearest + 1);
    best.into_iter().map(|(_, candidate)| candidate).collect()
}

/// "did you mean `a`, `b` or `c`?", if anything is near enough.
pub fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let names = nearest(name, candidates);
    let (last, others) = names.split_last()?;
    let mut text = "did you mean ".to_owned();
    for (index, other) in others.iter().enumerate() {
        let comma = if index + 1 < others.len() { "," } else { " or" };
        // Writing to a string cannot fail.
        let _ = write!(text, "`{other}`{comma} ");
    }
    let _ = write!(text, "`{last}`?");
    Some(text)
}

/// How often each letter comes, in 16 classes: a lower bound of the edit distance that takes no table.
struct Census([u8; 16]);

impl Census {
    fn of(text: &str) -> Census {
        let mut counts = [0u8; 16];
        for byte in text.bytes() {
            let count = &mut counts[usize::from(byte & 15)];
            *count = count.saturating_add(1);
        }
        Census(counts)
    }

    fn distance(&self, other: &Census) -> usize {
        let (mut more, mut less) = (0, 0);
        for (a, b) in self.0.iter().zip(other.0) {
            more += usize::from(a.saturating_sub(b));
            less += usize::from(b.saturating_sub(*a));
        }
        more.max(less)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_comes_first() {
        let names = ["vfs_read", "vfs_readv", "vfs_write", "do_sys_open"];
        assert_eq!(nearest("vfs_raed", names), ["vfs_read", "vfs_readv"]);
        assert_eq!(
            did_you_mean("vfs_raed", names).as_deref(),
            Some("did you mean `vfs_read` or `vfs_readv`?")
        );
    }

    #[test]
    fn nothing_is_offered_for_names_unlike_any() {
        assert_eq!(did_you_mean("frobnicate", ["vfs_read", "vfs_write"]), None);
        assert_eq!(did_you_mean("x", []), None);
    }

    #[test]
    fn a_hundred_thousand_names_take_milliseconds() {
        let names: Vec<String> = (0..100_000)
            .map(|n| format!("some_function_{n}_name"))
            .collect();
        let start = std::time::Instant::now();
        let found = nearest("some_functoin_77777_name", names.iter().map(String::as_str));
        assert_eq!(found[0], "some_function_77777_name");
        // Unoptimised builds on busy machines are slow; this catches only the wrong order of growth.
        assert!(start.elapsed() < std::time::Duration::from_secs(5));
    }
}
