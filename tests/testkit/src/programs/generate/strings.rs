//! Strings, and numbers that are found in them.

use super::expressions::boxed;
use super::{Generator, WORDS};
use crate::programs::ast::{Binary, Content, Expr, I64, Settings, Type};

/// Text that is to be escaped, in a script or on a terminal.
const SPECIAL: [&[u8]; 8] = [
    b"q\"r",
    b"b\\s",
    b"tab\tnl\n",
    b"\x01\x7f",
    "\u{e9}".as_bytes(),
    "a\u{4e2d}b".as_bytes(),
    b"\xff",
    b"a\xe4\xb8",
];

/// Settings that are ample for a program, or about what programs do not have.
const OTHERS: [&str; 11] = [
    "max_map_keys = 5000;",
    "max_stacks = 1000;",
    "max_cat_bytes = 100;",
    "perf_rb_pages = 512;",
    "max_probes = 100;",
    "max_bpf_progs = 100;",
    "missing_probes = warn;",
    "stack_mode = raw;",
    "show_debug_info = true;",
    "jvm_map = true;",
    "stats_order = average;",
];

/// Bytes of strings that a function takes, which all of them have room for.
const LEAST_ROOM: u64 = 8;

impl Generator {
    pub(super) fn settings(&mut self) {
        // Old kernels have no keys of more than 512 bytes, and three strings may be one. Most have short strings, since the kernel's
        // verifier looks at each turn of the loops over them.
        let short = !self.features.loops;
        if short || !self.chance(4) {
            let limits = [9, 15, 16, 17, 31, 32, 33, 64, 128, 255, 1000];
            let limits = if short { &limits[..9] } else { &limits[..] };
            self.script.settings = Some(Settings {
                max_strlen: self.random.one_of(limits),
                trailer: self.random.one_of(&["..", "~", ""]),
                prints: !self.chance(8),
                other: self.random.one_of(&OTHERS),
            });
        }
    }

    pub(super) fn word(&mut self) -> Expr {
        Expr::Text(self.letters())
    }

    /// What a literal has. Those at the edges of what strings have room for are of repeated words, so that some begin alike.
    fn letters(&mut self) -> Vec<u8> {
        match self.random.below(12) {
            0 | 1 => self.random.one_of(&SPECIAL).to_vec(),
            2 | 3 => {
                let most = self.script.settings.unwrap_or_default().max_strlen as u64;
                let lengths = [7, 8, 9, 15, 16, 17, 23, 24, 30, most - 1, most];
                let length = self.random.one_of(&lengths).min(most);
                let word = self.random.one_of(&WORDS[1..]).as_bytes();
                let repeated = word.iter().cycle();
                repeated.take(length as usize).copied().collect()
            }
            _ => self.random.one_of(&WORDS).as_bytes().to_vec(),
        }
    }

    /// A number that a string has.
    pub(super) fn of_strings(&mut self, depth: u32) -> Expr {
        match self.random.below(6) {
            0 => Expr::Strcap(self.letters()),
            1 => {
                let written = [
                    "default_str_length()",
                    "default_str_length",
                    "config.max_strlen",
                ];
                Expr::MaxStrlen(self.random.one_of(&written))
            }
            2 | 3 => {
                let count = self.random.below(LEAST_ROOM + 1);
                Expr::Memcmp(boxed(self.text(depth)), boxed(self.text(depth)), count)
            }
            _ => Expr::Strstr(boxed(self.text(depth)), boxed(self.text(depth))),
        }
    }

    /// Bytes of a string.
    pub(super) fn buffer(&mut self) -> Expr {
        let length = self.random.below(LEAST_ROOM + 1);
        Expr::Buffer(boxed(self.text(2)), length)
    }

    pub(super) fn text(&mut self, depth: u32) -> Expr {
        if depth == 0 {
            return self.word();
        }
        match self.random.below(9) {
            7 => Expr::Concat(boxed(self.text(depth - 1)), boxed(self.text(depth - 1))),
            6 => {
                let text = self.part(|ty| matches!(ty, Type::Chars(_)), depth - 1);
                text.map_or_else(|| self.word(), |(part, _)| part)
            }
            0 => {
                let keyed = self.map(|map| map.content == Content::Plain(Type::Text));
                match keyed {
                    Some(map) => Expr::Element(map, self.keys(map, depth - 1)),
                    None => self.word(),
                }
            }
            1 if self.chance(3) => Expr::If(
                boxed(self.condition(depth - 1)),
                boxed(self.text(depth - 1)),
                boxed(self.text(depth - 1)),
            ),
            1 => Expr::Choice(
                boxed(self.condition(depth - 1)),
                boxed(self.text(depth - 1)),
                boxed(self.text(depth - 1)),
            ),
            2 => {
                let text = self.text(depth - 1);
                let counted = self.variable(|seen| seen.ty == I64);
                let limit = match counted {
                    Some(seen) if self.chance(2) => {
                        let number = Expr::Cast(8, false, boxed(Expr::Variable(seen.variable)));
                        let nine = boxed(Expr::Number(9));
                        let below = Expr::Binary(Binary::Mod, boxed(number), nine);
                        Expr::Binary(Binary::Add, boxed(below), boxed(Expr::Number(1)))
                    }
                    _ if self.chance(4) => Expr::Number(1 + self.random.below(40)),
                    _ => Expr::Number(1 + self.random.below(9)),
                };
                Expr::Beginning(boxed(text), boxed(limit))
            }
            3 | 4 => match self.variable(|seen| seen.ty == Type::Text) {
                Some(seen) => Expr::Variable(seen.variable),
                None => self.word(),
            },
            _ => self.word(),
        }
    }
}
