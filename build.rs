//! Has the linker pack the places that are filled in when the program starts (RELR): some KiB in place of 145 in a static
//! executable that can be loaded anywhere.
//!
//! A static executable fills them in itself, by the C library that is linked into it, and glibc knows the packed form since 2.36.

use std::env;
use std::process::Command;

const GLIBC: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Of another machine's library nothing is known here.
    if env::var_os("HOST") == env::var_os("TARGET") && glibc().is_some_and(|found| found >= GLIBC) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's glibc, if it has one.
fn glibc() -> Option<(u32, u32)> {
    let output = Command::new("getconf")
        .arg("GNU_LIBC_VERSION")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
