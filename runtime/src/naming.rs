//! What numbers stand for: times of day, users, errors, signals, system calls, cgroups.
//!
//! In come a number and what kind of number it is, out goes a value to print. What is asked of the system is asked here, and
//! when something is printed.

use crate::local_time;
use crate::results::Value;
use crate::sys;
use pfscript_compiler::manifest::Naming;
use std::collections::HashMap;
use std::io::{self, Read as _};
use std::sync::LazyLock;

/// The most that is read of a list of users, in bytes.
const MAX_USERS: u64 = 16 << 20;

/// The names of users by their ids, as `/etc/passwd` has them.
static USERS: LazyLock<HashMap<u32, Vec<u8>>> = LazyLock::new(|| {
    let mut text = Vec::new();
    // Without the file, users are numbers.
    if let Ok(file) = std::fs::File::open("/etc/passwd") {
        let _ = file.take(MAX_USERS).read_to_end(&mut text);
    }
    users(&text)
});

/// What a number stands for.
pub fn name(naming: &Naming, number: u64) -> Value {
    match naming {
        Naming::Time { format } => Value::Literal(local_time::since_boot(format, number)),
        Naming::User => match u32::try_from(number).ok().and_then(|id| USERS.get(&id)) {
            Some(name) => Value::Str(name.clone()),
            None => Value::UInt(number),
        },
        Naming::Error => Value::Literal(error(number as i32).into_bytes()),
        Naming::Signal => Value::Literal(sys::signal_name(number as i64).into_bytes()),
        Naming::Syscall => Value::Literal(syscall(number).as_bytes().to_vec()),
        Naming::Cgroup => match sys::cgroup_path(number) {
            Some(path) => Value::Str([b"unified:", &path[..]].concat()),
            None => Value::Str(Vec::new()),
        },
    }
}

/// What an error number means.
fn error(number: i32) -> String {
    let text = io::Error::from_raw_os_error(number).to_string();
    let meaning = text.rsplit_once(" (os error").map(|(meaning, _)| meaning);
    meaning.unwrap_or(&text).to_owned()
}

/// What the system call of a number is called on this architecture.
fn syscall(number: u64) -> &'static str {
    usize::try_from(number)
        .ok()
        .and_then(syscalls::Sysno::new)
        .map_or("Unknown syscall", |call| call.name())
}

/// Reads lines `NAME:PASSWORD:ID:…`; the first of an id counts.
fn users(text: &[u8]) -> HashMap<u32, Vec<u8>> {
    let mut users = HashMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let mut parts = line.split(|byte| *byte == b':');
        if let (Some(name), Some(id)) = (parts.next(), parts.nth(1))
            && let Some(id) = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok())
        {
            users.entry(id).or_insert_with(|| name.to_vec());
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_the_first_of_their_id() {
        let users =
            users(b"root:x:0:0::/root:/bin/sh\ntoor:x:0:0\n\nbroken\nna\x1bme:x:1000:5\nx:x:-1:");
        assert_eq!(users.len(), 2);
        assert_eq!(users[&0], b"root");
        assert_eq!(users[&1000], b"na\x1bme");
    }

    #[test]
    fn errors_and_signals_have_the_c_librarys_names() {
        let text = |naming, number| match name(&naming, number) {
            Value::Literal(text) => String::from_utf8(text).unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(text(Naming::Error, 2), "No such file or directory");
        assert_eq!(text(Naming::Error, 5000), "Unknown error 5000");
        assert_eq!(text(Naming::Signal, 9), "Killed");
        assert_eq!(text(Naming::Signal, 0), "Unknown signal 0");
        assert_eq!(text(Naming::Syscall, libc::SYS_openat as u64), "openat");
        for number in [99_999, u64::MAX] {
            assert_eq!(text(Naming::Syscall, number), "Unknown syscall");
        }
        assert_eq!(text(Naming::Signal, 1 << 40), "N/A");
    }

    #[test]
    fn a_cgroup_is_found_by_its_id() {
        use std::os::unix::fs::MetadataExt as _;
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let Some(folder) = mounts.lines().find_map(|line| {
            let mut words = line.split(' ');
            let folder = words.nth(1)?;
            (words.next()? == "cgroup2").then_some(folder)
        }) else {
            println!("skip: no cgroup2 is mounted");
            return;
        };
        let root = std::fs::metadata(folder).unwrap().ino();
        assert_eq!(sys::cgroup_path(root), Some(b"/".to_vec()));
        assert_eq!(sys::cgroup_path(u64::MAX), None);
    }
}
