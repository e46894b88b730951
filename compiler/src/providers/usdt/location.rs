//! Where an argument of a marker is, as the file says it: `-4@%eax`, `8@-16(%rbp,%rcx,8)`, `4@$7`; on arm64 `4@[sp, 12]`.
//!
//! In comes a word, out goes how the value is reached. What is not understood is no argument. Numbers stand in the words of
//! whoever built the file, so each is checked.

use crate::facts::Arch;
use crate::ir::Width;
use crate::providers::Access;

/// An argument's place and sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// How it is reached.
    pub access: Access,
    /// Two's complement.
    pub signed: bool,
}

/// The words of a marker's arguments, with those put together again that have a blank in brackets (`4@[sp, 12]`).
pub fn words<'a>(parts: impl Iterator<Item = &'a str>) -> impl Iterator<Item = String> {
    let mut all: Vec<String> = Vec::new();
    for part in parts {
        match all.last_mut() {
            Some(last) if last.contains('[') && !last.contains(']') => last.push_str(part),
            _ => all.push(part.to_owned()),
        }
    }
    all.into_iter()
}

/// Reads one: `SIZE@PLACE`, where the size is negative for a signed number, and may be followed by `f`, which is a
/// floating-point number and no argument here.
pub fn parse(word: &str, arch: Arch) -> Option<Location> {
    let (size, place) = word.split_once('@')?;
    let size: i32 = size.parse().ok()?;
    let width = Width::of(size.unsigned_abs())?;
    let signed = size < 0;
    let access = match arch {
        Arch::X86_64 => x86_64(place, width, signed)?,
        Arch::Aarch64 => aarch64(place, width, signed)?,
    };
    Some(Location { access, signed })
}

/// A constant as a number of that width.
fn constant(text: &str, width: Width, signed: bool) -> Option<Access> {
    let value = integer(text)?;
    let unused = 64 - 8 * width.bytes();
    let raised = value << unused;
    let value = match signed {
        true => raised >> unused,
        false => ((raised as u64) >> unused) as i64,
    };
    Some(Access::Constant(value))
}

/// A number in C's notation, that may be as great as the greatest unsigned one.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let value = match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok()?,
        None => digits.parse::<u64>().ok()?,
    } as i64;
    Some(match negative {
        true => value.wrapping_neg(),
        false => value,
    })
}

/// `%reg`, `$number`, `offset(%reg)`, `offset(%reg,%index,scale)`.
fn x86_64(place: &str, width: Width, signed: bool) -> Option<Access> {
    if let Some(number) = place.strip_prefix('$') {
        return constant(number, width, signed);
    }
    if let Some(name) = place.strip_prefix('%') {
        return Some(Access::Context {
            offset: x86_64_register(name)?,
            width,
            signed,
        });
    }
    let (offset, rest) = place.split_once('(')?;
    let mut registers = rest.strip_suffix(')')?.split(',').map(str::trim);
    let offset = match offset {
        "" => 0,
        text => i32::try_from(integer(text)?).ok()?,
    };
    let base = x86_64_register(registers.next()?.strip_prefix('%')?)?;
    let index = match registers.next() {
        None => None,
        Some(name) => {
            let register = x86_64_register(name.strip_prefix('%')?)?;
            let scale: u32 = registers.next().unwrap_or("1").parse().ok()?;
            [1, 2, 4, 8]
                .contains(&scale)
                .then_some(Some((register, scale)))?
        }
    };
    if registers.next().is_some() {
        return None;
    }
    Some(Access::Memory {
        base,
        index,
        offset,
        width,
        signed,
    })
}

/// Where a register, or a part of one, is in `struct pt_regs`, in bytes.
fn x86_64_register(name: &str) -> Option<u32> {
    /// 64, 32, 16 and 8 bits, and the offset.
    const ROWS: [([&str; 4], u32); 8] = [
        (["rbp", "ebp", "bp", "bpl"], 32),
        (["rbx", "ebx", "bx", "bl"], 40),
        (["rax", "eax", "ax", "al"], 80),
        (["rcx", "ecx", "cx", "cl"], 88),
        (["rdx", "edx", "dx", "dl"], 96),
        (["rsi", "esi", "si", "sil"], 104),
        (["rdi", "edi", "di", "dil"], 112),
        (["rsp", "esp", "sp", "spl"], 152),
    ];
    /// r8 to r15, whose parts end in `d`, `w` and `b`.
    const NUMBERED: [u32; 8] = [72, 64, 56, 48, 24, 16, 8, 0];
    /// The second byte of these.
    const HIGH: [(&str, u32); 4] = [("ah", 81), ("bh", 41), ("ch", 89), ("dh", 97)];
    if let Some((_, offset)) = ROWS.iter().find(|(names, _)| names.contains(&name)) {
        return Some(*offset);
    }
    if let Some((_, offset)) = HIGH.iter().find(|(high, _)| *high == name) {
        return Some(*offset);
    }
    let number = name.strip_prefix('r')?;
    let number = number.strip_suffix(['d', 'w', 'b']).unwrap_or(number);
    let number: usize = number.parse().ok()?;
    NUMBERED.get(number.checked_sub(8)?).copied()
}

/// `x0`, `w0`, a number, `[x0]`, `[sp, 12]`.
fn aarch64(place: &str, width: Width, signed: bool) -> Option<Access> {
    if let Some(inside) = place.strip_prefix('[') {
        let (base, offset) = match inside.strip_suffix(']')?.split_once(',') {
            Some((base, offset)) => (base.trim(), integer(offset.trim().trim_start_matches('#'))?),
            None => (inside.strip_suffix(']')?.trim(), 0),
        };
        return Some(Access::Memory {
            base: aarch64_register(base)?,
            index: None,
            offset: i32::try_from(offset).ok()?,
            width,
            signed,
        });
    }
    match aarch64_register(place) {
        Some(offset) => Some(Access::Context {
            offset,
            width,
            signed,
        }),
        None => constant(place, width, signed),
    }
}

/// `x0` to `x30` stand first in `struct user_pt_regs`, then `sp`.
fn aarch64_register(name: &str) -> Option<u32> {
    let number = match name {
        "sp" => 31,
        _ => name
            .strip_prefix(['x', 'w'])?
            .parse::<u32>()
            .ok()
            .filter(|number| *number <= 30)?,
    };
    Some(8 * number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(
        base: u32,
        index: Option<(u32, u32)>,
        offset: i32,
        width: Width,
        signed: bool,
    ) -> Option<Location> {
        Some(Location {
            access: Access::Memory {
                base,
                index,
                offset,
                width,
                signed,
            },
            signed,
        })
    }

    fn register(offset: u32, width: Width, signed: bool) -> Option<Location> {
        Some(Location {
            access: Access::Context {
                offset,
                width,
                signed,
            },
            signed,
        })
    }

    fn number(value: i64, signed: bool) -> Option<Location> {
        Some(Location {
            access: Access::Constant(value),
            signed,
        })
    }

    #[test]
    fn x86_64_places_are_read() {
        for (word, expected) in [
            ("8@%rax", register(80, Width::W64, false)),
            ("-4@%eax", register(80, Width::W32, true)),
            ("1@%ah", register(81, Width::W8, false)),
            ("-2@%r15w", register(0, Width::W16, true)),
            ("8@%r8", register(72, Width::W64, false)),
            ("8@-16(%rbp)", memory(32, None, -16, Width::W64, false)),
            ("-4@(%rsp)", memory(152, None, 0, Width::W32, true)),
            (
                "4@0x10(%rdx,%rcx,4)",
                memory(96, Some((88, 4)), 16, Width::W32, false),
            ),
            (
                "1@(%rax,%rbx)",
                memory(80, Some((40, 1)), 0, Width::W8, false),
            ),
            ("-1@$-16", number(-16, true)),
            ("1@$-16", number(240, false)),
            ("8@$18446744073709551615", number(-1, false)),
            ("8@", None),
            ("8", None),
            ("3@%rax", None),
            ("8f@%xmm0", None),
            ("8@%r7", None),
            ("8@%r16", None),
            ("8@%r18446744073709551615", None),
            ("8@(%rax,%rbx,3)", None),
            ("8@99999999999(%rax)", None),
            ("8@name(%rip)", None),
            ("-2147483648@%rax", None),
        ] {
            assert_eq!(parse(word, Arch::X86_64), expected, "{word}");
        }
    }

    #[test]
    fn arm64_places_are_read() {
        let all = words("4@[sp, 12] -8@x1 8@[x30] 4@w2 4@7 8@x31".split(' '));
        let found: Vec<_> = all.map(|word| parse(&word, Arch::Aarch64)).collect();
        assert_eq!(
            found,
            [
                memory(248, None, 12, Width::W32, false),
                register(8, Width::W64, true),
                memory(240, None, 0, Width::W64, false),
                register(16, Width::W32, false),
                number(7, false),
                None,
            ]
        );
    }
}
