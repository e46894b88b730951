//! Widths, arithmetic and comparisons of 64-bit values, and what they compute.
//!
//! In come an operator and constants, out goes the result that the program would compute. How the instructions look is left
//! to the emitter.

/// The size of a memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Width {
    W8,
    W16,
    W32,
    W64,
}

impl Width {
    /// In bytes.
    pub fn bytes(self) -> u32 {
        match self {
            Width::W8 => 1,
            Width::W16 => 2,
            Width::W32 => 4,
            Width::W64 => 8,
        }
    }

    /// The width of `bytes` bytes, if a load can have it.
    pub fn of(bytes: u32) -> Option<Width> {
        match bytes {
            1 => Some(Width::W8),
            2 => Some(Width::W16),
            4 => Some(Width::W32),
            8 => Some(Width::W64),
            _ => None,
        }
    }

    /// The low bits of `value`, extended.
    pub fn extend(self, signed: bool, value: i64) -> i64 {
        let shift = 64 - 8 * self.bytes();
        if signed {
            value << shift >> shift
        } else {
            ((value as u64) << shift >> shift) as i64
        }
    }
}

/// 64-bit arithmetic. Division and remainder by zero give 0 and the dividend, as in eBPF; signed division is a routine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Arith {
    Add,
    Sub,
    Mul,
    UDiv,
    UMod,
    And,
    Or,
    Xor,
    Shl,
    LShr,
    AShr,
}

impl Arith {
    /// What an eBPF machine computes: modulo 2^64, shifts modulo 64, `x / 0` is 0 and `x % 0` is `x`.
    pub fn apply(self, left: i64, right: i64) -> i64 {
        let (a, b) = (left as u64, right as u64);
        let shift = (b & 63) as u32;
        let result = match self {
            Arith::Add => a.wrapping_add(b),
            Arith::Sub => a.wrapping_sub(b),
            Arith::Mul => a.wrapping_mul(b),
            Arith::UDiv => a.checked_div(b).unwrap_or(0),
            Arith::UMod => a.checked_rem(b).unwrap_or(a),
            Arith::And => a & b,
            Arith::Or => a | b,
            Arith::Xor => a ^ b,
            Arith::Shl => a << shift,
            Arith::LShr => a >> shift,
            Arith::AShr => (left >> shift) as u64,
        };
        result as i64
    }
}

/// 64-bit comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Condition {
    Eq,
    Ne,
    ULt,
    ULe,
    UGt,
    UGe,
    SLt,
    SLe,
    SGt,
    SGe,
}

impl Condition {
    /// Whether `left condition right`.
    pub fn holds(self, left: i64, right: i64) -> bool {
        let (a, b) = (left as u64, right as u64);
        match self {
            Condition::Eq => a == b,
            Condition::Ne => a != b,
            Condition::ULt => a < b,
            Condition::ULe => a <= b,
            Condition::UGt => a > b,
            Condition::UGe => a >= b,
            Condition::SLt => left < right,
            Condition::SLe => left <= right,
            Condition::SGt => left > right,
            Condition::SGe => left >= right,
        }
    }

    /// The condition that holds when this one does not.
    pub fn inverted(self) -> Condition {
        match self {
            Condition::Eq => Condition::Ne,
            Condition::Ne => Condition::Eq,
            Condition::ULt => Condition::UGe,
            Condition::ULe => Condition::UGt,
            Condition::UGt => Condition::ULe,
            Condition::UGe => Condition::ULt,
            Condition::SLt => Condition::SGe,
            Condition::SLe => Condition::SGt,
            Condition::SGt => Condition::SLe,
            Condition::SGe => Condition::SLt,
        }
    }

    /// The condition that holds for `(b, a)` when this one holds for `(a, b)`.
    pub fn swapped(self) -> Condition {
        match self {
            Condition::Eq => Condition::Eq,
            Condition::Ne => Condition::Ne,
            Condition::ULt => Condition::UGt,
            Condition::ULe => Condition::UGe,
            Condition::UGt => Condition::ULt,
            Condition::UGe => Condition::ULe,
            Condition::SLt => Condition::SGt,
            Condition::SLe => Condition::SGe,
            Condition::SGt => Condition::SLt,
            Condition::SGe => Condition::SLe,
        }
    }
}
