//! A hash that spreads values evenly and is the same in every engine of a run.
//!
//! It says which shard a key belongs to. Nothing is looked up by it, so that it needs no seed: who
//! picks keys of one shard only makes that shard busy.

use std::hash::Hasher;

/// The state of a hash in progress. Like wyhash it multiplies into 128 bits and folds the halves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread(u64);

impl Spread {
    #[inline]
    fn mix(&mut self, word: u64) {
        let wide = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xa076_1d64_78bd_642f;
        #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
        let (low, high) = (wide as u64, (wide >> 64) as u64);
        self.0 = low ^ high;
    }
}

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(last) ^ (bytes.len() as u64) << 56);
    }

    #[inline]
    fn write_u8(&mut self, number: u8) {
        self.mix(u64::from(number));
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }

    fn finish(&self) -> u64 {
        let mut last = *self;
        last.mix(0);
        last.0
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hash as _;

    use super::*;

    #[test]
    fn keys_that_differ_little_are_spread() {
        let shard = |hash: &Spread| (u128::from(hash.finish()) * 7) >> 64;
        let mut counts = [0; 7];
        for number in 0..7000_u64 {
            for texts in [false, true] {
                let mut hash = Spread::default();
                if texts {
                    format!("user-{number}").hash(&mut hash);
                } else {
                    number.hash(&mut hash);
                }
                counts[usize::try_from(shard(&hash)).unwrap()] += 1;
            }
        }
        assert!(counts.iter().all(|count| (1800..2200).contains(count)), "{counts:?}");
    }
}
