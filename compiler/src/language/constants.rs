//! Constants that scripts know from the kernel's headers. What is an enumerator there, BTF has; macros it has not, so their
//! values are in `constants.txt`, by header, and numbers of system calls come from the crate `syscalls`. No `#include` is needed
//! for them.

use crate::facts::Arch;

const TABLE: &str = include_str!("constants.txt");

/// The value of a constant of the kernel's headers: `EPERM`, `AF_INET6`, `S_IFMT`, `__NR_openat`.
pub(crate) fn named(name: &str, arch: Arch) -> Option<i64> {
    let call = name.strip_prefix("__NR_").or(name.strip_prefix("SYS_"));
    if let Some(call) = call {
        return match arch {
            Arch::X86_64 => Some(call.parse::<syscalls::x86_64::Sysno>().ok()? as i64),
            Arch::Aarch64 => Some(call.parse::<syscalls::aarch64::Sysno>().ok()? as i64),
        };
    }
    let mut rows = rows();
    rows.find(|row| row.0 == name && row.1.is_none_or(|own| own == arch))
        .map(|row| row.2)
}

/// Names, the architecture that a value is of where it is not of both, and values, in the order of the file.
fn rows() -> impl Iterator<Item = (&'static str, Option<Arch>, i64)> {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
        .filter_map(|word| word.split_once('='))
        .filter_map(|(name, value)| {
            let (name, arch) = match name.split_once('@') {
                None => (name, None),
                Some((name, "x86_64")) => (name, Some(Arch::X86_64)),
                Some((name, "aarch64")) => (name, Some(Arch::Aarch64)),
                Some(_) => return None,
            };
            Some((name, arch, value.parse().ok()?))
        })
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
            for arch in [Arch::X86_64, Arch::Aarch64] {
                assert_eq!(named(name, arch), Some(value), "{name}");
            }
        }
        for (name, on_x86_64, on_aarch64) in [
            ("O_DIRECT", 0o40_000, 0o200_000),
            ("O_TMPFILE", 0o20_200_000, 0o20_040_000),
            ("__NR_openat", 257, 56),
            ("SYS_openat", 257, 56),
        ] {
            assert_eq!(named(name, Arch::X86_64), Some(on_x86_64), "{name}");
            assert_eq!(named(name, Arch::Aarch64), Some(on_aarch64), "{name}");
        }
        // arm64 never had it.
        assert_eq!(named("__NR_open", Arch::X86_64), Some(2));
        assert_eq!(named("__NR_open", Arch::Aarch64), None);
        assert_eq!(named("PERM", Arch::X86_64), None);
    }

    #[test]
    fn every_word_of_the_table_is_a_header_or_a_constant_and_none_comes_twice() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        let words = lines.flat_map(str::split_whitespace);
        let constants = words.filter(|word| !word.ends_with(':')).count();
        let names: HashSet<(&str, Option<bool>)> = rows()
            .map(|(name, arch, _)| (name, arch.map(|arch| arch == Arch::X86_64)))
            .collect();
        assert_eq!(names.len(), constants);
        for (name, _) in names.iter().filter(|name| name.1 == Some(true)) {
            let other = (*name, Some(false));
            assert!(names.contains(&other), "{name} is not there for arm64");
        }
    }
}
