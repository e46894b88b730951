//! Constants that scripts know from the kernel's headers. What is an enumerator there, BTF has; macros it has not, so their
//! values are in `constants.txt`, by header. No `#include` is needed for them.

const TABLE: &str = include_str!("constants.txt");

/// The value of a constant of the kernel's headers: `EPERM`, `AF_INET6`, `S_IFMT`.
pub(crate) fn named(name: &str) -> Option<i64> {
    rows().find(|row| row.0 == name).map(|row| row.1)
}

/// Names and values, in the order of the file.
fn rows() -> impl Iterator<Item = (&'static str, i64)> {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
        .filter_map(|word| word.split_once('='))
        .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn constants_have_the_values_of_the_kernels_headers() {
        for (name, value) in [
            ("EPERM", 1),
            ("ENOTSUPP", 524),
            ("AF_INET6", 10),
            ("S_IFMT", 0o170_000),
            ("O_CREAT", 0o100),
            ("AT_FDCWD", -100),
            ("SIGKILL", 9),
            ("DT_DIR", 4),
            ("TASK_UNINTERRUPTIBLE", 2),
            ("ETH_P_IPV6", 0x86dd),
        ] {
            assert_eq!(named(name), Some(value), "{name}");
        }
        assert_eq!(named("PERM"), None);
    }

    #[test]
    fn every_word_of_the_table_is_a_header_or_a_constant_and_none_comes_twice() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        let words = lines.flat_map(str::split_whitespace);
        let constants = words.filter(|word| !word.ends_with(':')).count();
        let names: HashSet<&str> = rows().map(|row| row.0).collect();
        assert_eq!(names.len(), constants);
    }
}
