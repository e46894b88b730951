//! Names as their authors wrote them: what compilers of C++ and Rust made of a name is turned back.
//!
//! In comes a symbol of a file that anybody may have written, out goes what to print. Some 200 bytes of a mangled name can
//! stand for gigabytes, and its parts for each other without end. So the length of what goes in, of what comes out, and the
//! work that all names of a session take together are bounded; a name beyond a bound stays as it is. Only names that a
//! compiler mangled are touched: `f` is a function of C, though the same letter is C++'s short form of `float`.

use cpp_demangle::{DemangleOptions, ParseOptions};
use std::fmt::{self, Write as _};

/// Bytes of a mangled name. Templates of C++ make names of a few thousand.
const MAX_MANGLED: usize = 8 << 10;

/// Bytes of a readable name.
const MAX_READABLE: usize = 16 << 10;

/// Bytes that are written for all names of a session, those that came to nothing included: two or three seconds' work.
const MAX_WRITTEN: usize = 256 << 20;

/// What reading a byte of a mangled name costs, in bytes written.
const COST_OF_READING: usize = 64;

/// Levels that parts of a C++ name may be nested in each other. It bounds the demangler's stack, and with it how often it
/// tries the same part in another way.
const MAX_DEPTH: u32 = 96;

/// Turns mangled names back, as long as its budget lasts.
#[derive(Debug)]
pub struct Demangler {
    budget: usize,
}

impl Default for Demangler {
    fn default() -> Demangler {
        Demangler {
            budget: MAX_WRITTEN,
        }
    }
}

/// Which language's rules made a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mangling {
    Cpp,
    /// `_R…`
    Rust,
    /// `_ZN…17h<hash>E`, as Rust made them before it had rules of its own.
    OldRust,
}

impl Demangler {
    /// What to print for a symbol.
    pub fn readable(&mut self, symbol: &str) -> String {
        self.demangle(symbol).unwrap_or_else(|| symbol.to_owned())
    }

    fn demangle(&mut self, symbol: &str) -> Option<String> {
        let mangling = mangling(symbol)?;
        if symbol.len() > MAX_MANGLED {
            return None;
        }
        self.budget = self.budget.saturating_sub(symbol.len() * COST_OF_READING);
        let room = MAX_READABLE.min(self.budget);
        let mut text = Limited {
            text: String::new(),
            room,
        };
        let demangled = match mangling {
            Mangling::Cpp => cpp(symbol, &mut text),
            Mangling::Rust | Mangling::OldRust => rust(symbol, &mut text),
        };
        self.budget -= room - text.room;
        demangled?;
        (!text.text.is_empty()).then_some(text.text)
    }
}

/// The rules that a symbol was mangled by; `None` if by none.
fn mangling(symbol: &str) -> Option<Mangling> {
    // Some systems put one more underscore before every name.
    let name = symbol.strip_prefix("__Z").or(symbol.strip_prefix("_Z"));
    match name {
        Some(name) if ends_in_hash(name) => Some(Mangling::OldRust),
        Some(_) => Some(Mangling::Cpp),
        None => symbol.starts_with("_R").then_some(Mangling::Rust),
    }
}

/// Whether a name ends as those of older Rust do: `17h`, 16 hexadecimal digits and `E`, perhaps with what the optimizer
/// appended (`.llvm.123`). The name before may have points too: `_$LT$a..B$u20$as$u20$a..C$GT$` is `<a::B as a::C>`.
fn ends_in_hash(name: &str) -> bool {
    const HASH: usize = 16;
    let hash = name.rsplit_once("17h").map(|(_, hash)| hash.as_bytes());
    let hash = hash.and_then(|hash| hash.split_at_checked(HASH));
    name.starts_with('N')
        && hash.is_some_and(|(hash, rest)| {
            hash.iter().all(u8::is_ascii_hexdigit) && matches!(rest, [b'E'] | [b'E', b'.', ..])
        })
}

fn cpp(symbol: &str, text: &mut Limited) -> Option<()> {
    let parsing = ParseOptions::default().recursion_limit(MAX_DEPTH);
    let parsed = cpp_demangle::Symbol::new_with_options(symbol, &parsing).ok()?;
    let writing = DemangleOptions::default().recursion_limit(MAX_DEPTH);
    parsed.structured_demangle(text, &writing).ok()
}

fn rust(symbol: &str, text: &mut Limited) -> Option<()> {
    // Without the hash.
    write!(text, "{:#}", rustc_demangle::try_demangle(symbol).ok()?).ok()
}

/// Text that refuses what is beyond its room, which ends whoever writes.
struct Limited {
    text: String,
    room: usize,
}

impl fmt::Write for Limited {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        match self.room.checked_sub(part.len()) {
            Some(room) => {
                self.room = room;
                self.text.push_str(part);
                Ok(())
            }
            None => {
                self.room = 0;
                Err(fmt::Error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readable(symbol: &str) -> String {
        Demangler::default().readable(symbol)
    }

    #[test]
    fn mangled_names_are_turned_back() {
        for (mangled, expected) in [
            ("_ZN5space3fooEibc", "space::foo(int, bool, char)"),
            ("__ZN5space3fooEv", "space::foo()"),
            ("_Z3foov.cold", "foo() [clone .cold]"),
            ("_ZN5space8variableE", "space::variable"),
            ("_ZN3std2io5print17h0123456789abcdefE", "std::io::print"),
            (
                "_ZN3std2io5print17h0123456789abcdefE.llvm.77",
                "std::io::print",
            ),
            (
                "_ZN36_$LT$r..Cat$u20$as$u20$r..Animal$GT$5speak17h4205dee43d9bb16bE",
                "<r::Cat as r::Animal>::speak",
            ),
            (
                "_ZN4core3ops8function6FnOnce40call_once$u7b$$u7b$vtable.shim$u7d$$u7d$17h2fcc1b63f012b0b9E.llvm.77",
                "core::ops::function::FnOnce::call_once{{vtable.shim}}",
            ),
            ("_RNvC7example4main", "example::main"),
            // What optimizers cut off, and what they copied.
            ("_Z3foov.part.0", "foo() [clone .part.0]"),
            (
                "_Z3foov.constprop.0.isra.0",
                "foo() [clone .constprop.0] [clone .isra.0]",
            ),
            ("_RNvC7example4main.llvm.123", "example::main"),
            ("_RNvC7example4main.cold", "example::main.cold"),
            (
                "_ZN3std2io5print17h0123456789abcdefE.cold",
                "std::io::print.cold",
            ),
            ("plain.cold", "plain.cold"),
            ("plain.part.0", "plain.part.0"),
        ] {
            assert_eq!(readable(mangled), expected);
        }
    }

    #[test]
    fn names_of_c_stay_as_they_are() {
        // The first of each kind of C++'s short forms of types and names, and some that begin like mangled ones.
        let short = "v w b c a h s t i j l m x y n o f d e g z Pi Pc PKc Rf Kf Ss Sa So Si Sd St Dn Da Di Ds Fvv A_i Tn";
        let alike = "_ _Z _Zone? _R _Reset __Zone? _ZN main R RNvC1a1b ZN1a1bE _GLOBAL__sub_I_x ü";
        for name in short.split(' ').chain(alike.split(' ')) {
            assert_eq!(readable(name), name);
        }
    }

    /// A template whose arguments are twice the one before, again and again.
    fn bomb(steps: usize) -> String {
        let mut name = String::from("_Z1f1AI1BE");
        for step in 1..steps {
            let last = digits(step);
            name += &format!("S_IS{last}_S{last}_E");
        }
        name
    }

    /// A number in base 36, as substitutions have it.
    fn digits(number: usize) -> String {
        let digit =
            |number: usize| char::from_digit(number as u32, 36).map(|c| c.to_ascii_uppercase());
        match number / 36 {
            0 => digit(number).into_iter().collect(),
            high => [digit(high), digit(number % 36)]
                .into_iter()
                .flatten()
                .collect(),
        }
    }

    #[test]
    fn a_name_that_stands_for_more_than_memory_holds_stays_mangled() {
        assert!(
            readable(&bomb(4)).starts_with("f(A<B>, A<"),
            "{}",
            readable(&bomb(4))
        );
        for steps in [19, 23, 60, 300] {
            let name = bomb(steps);
            assert_eq!(readable(&name), name);
        }
        let rust = format!("_RIC1a{}E", "TB4_B4_E".repeat(40));
        assert!(readable(&rust).len() <= MAX_READABLE);
    }

    #[test]
    fn deep_and_long_names_stay_mangled() {
        let long = format!("_Z{}{}v", MAX_MANGLED, "a".repeat(MAX_MANGLED));
        assert_eq!(readable(&long), long);
        for part in [
            "P", "N", "1aI", "DpDt", "ptDp", "cvS_", "srS_", "Z", "LS_IS_",
        ] {
            let deep = format!("_Z1fI{}", part.repeat(8000 / part.len()));
            assert_eq!(readable(&deep), deep);
        }
        let deep = format!("_RI{}", "R".repeat(8000));
        assert!(readable(&deep).len() <= MAX_READABLE);
    }

    #[test]
    fn the_work_for_all_names_together_is_bounded() {
        let mut demangler = Demangler { budget: 100_000 };
        let bomb = bomb(23);
        let readable = |demangler: &mut Demangler| demangler.readable("_Z3foov") == "foo()";
        assert!(readable(&mut demangler));
        for _ in 0..10 {
            assert_eq!(demangler.readable(&bomb), bomb);
        }
        assert!(!readable(&mut demangler));
    }
}
