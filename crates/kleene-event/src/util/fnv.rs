//! FNV-1a, 64 bit: a hash whose value never changes between runs, versions and machines.
//!
//! It makes rule versions and match ids, which have to be the same again after a replay. It is not
//! for hash tables: keys come from outside and want a seeded hasher.

/// The state of a hash in progress.
#[derive(Clone, Copy, Debug)]
pub struct Fnv(u64);

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
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Writes a text and its length, so that `"ab", "c"` and `"a", "bc"` differ.
    #[inline]
    pub fn write_str(&mut self, text: &str) {
        self.write(&(text.len() as u64).to_le_bytes());
        self.write(text.as_bytes());
    }

    /// Adds a number.
    #[inline]
    pub fn write_i64(&mut self, number: i64) {
        self.write(&number.to_le_bytes());
    }

    /// Returns the hash of what was added.
    #[inline]
    pub fn finish(self) -> u64 {
        self.0
    }
}
