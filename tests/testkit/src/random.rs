//! Numbers for tests that make things up: the same from the same seed.

/// xorshift64*
pub struct Random(u64);

impl Random {
    /// Numbers of a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 64 bits.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number from 0 up to, not including, `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// One of some, of which there is at least one.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Numbers that find mistakes: small, at the edges of widths, anything.
    pub fn number(&mut self) -> i64 {
        match self.below(4) {
            0 => self.below(16) as i64 - 4,
            1 => {
                let edge = 1i64 << self.below(64);
                edge.wrapping_add(self.below(3) as i64 - 1)
            }
            2 => self.next() as i32 as i64,
            _ => self.next() as i64,
        }
    }
}
