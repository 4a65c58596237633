//! FNV-1a, 64 bit: a hash whose value never changes between runs, versions and machines.
//!
//! It makes rule versions and match ids, which have to be the same again after a replay. It is not
//! for hash tables: keys come from outside and want a seeded hasher.

/// The state of a hash in progress.
#[derive(Clone, Copy, Debug)]
pub struct Fnv(u64);

/// The factor of a byte.
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The powers of the factor: what as many bytes 0 multiply by.
const POWERS: [u64; 9] = {
    let (mut powers, mut power) = ([1; 9], 1);
    while power < 9 {
        powers[power] = PRIME.wrapping_mul(powers[power - 1]);
        power += 1;
    }
    powers
};

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv::new()
    }
}

impl Fnv {
    /// Makes the hash of nothing.
    #[inline]
    pub fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    /// Adds bytes.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }

    /// Writes a text and its length, so that `"ab", "c"` and `"a", "bc"` differ.
    #[inline]
    pub fn write_str(&mut self, text: &str) {
        self.write_u64(text.len() as u64);
        self.write(text.as_bytes());
    }

    /// Adds a number.
    #[inline]
    pub fn write_i64(&mut self, number: i64) {
        self.write_u64(number.cast_unsigned());
    }

    /// Adds a number, its lowest byte first. A byte 0 only multiplies, so the highest byte that is not
    /// 0 and all bytes 0 above it are added in one step: most numbers are small, and each
    /// multiplication waits for the last.
    #[inline]
    pub fn write_u64(&mut self, number: u64) {
        let (mut rest, mut bytes_left) = (number, 8);
        while rest > 0xff {
            self.0 = (self.0 ^ rest & 0xff).wrapping_mul(PRIME);
            rest >>= 8;
            bytes_left -= 1;
        }
        self.0 = (self.0 ^ rest).wrapping_mul(POWERS[bytes_left]);
    }

    /// Returns the hash of what was added.
    #[inline]
    pub fn finish(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_its_bytes() {
        for shift in 0..64 {
            for number in [1_u64 << shift, u64::MAX >> shift, 0x0100_0000_0001 << shift, 0] {
                let (mut by_number, mut by_byte) = (Fnv::new(), Fnv::new());
                by_number.write_u64(number);
                by_byte.write(&number.to_le_bytes());
                assert_eq!(by_number.finish(), by_byte.finish(), "{number:x}");
            }
        }
    }
}
