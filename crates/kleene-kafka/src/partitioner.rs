//! The partition of a key, as common producers compute it.
//!
//! The state of a task is complete only if all records of a key are in one partition. So the key of
//! the rules must be the key by which the topic is partitioned. [`Partitioner::check`] finds records
//! for which that is not so.

use std::fmt;

/// A hash that decides about partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Partitioner {
    /// The default of the Java client and of Kafka Streams; `murmur2_random` of librdkafka.
    #[default]
    Murmur2,
    /// The default of librdkafka: `consistent_random`, a CRC-32.
    Crc32,
}

/// A record that is not in the partition of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongPartition {
    /// The partition that the record came from.
    pub actual: i32,
    /// The partition of the key.
    pub expected: i32,
}

impl fmt::Display for WrongPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the key belongs to partition {}, but the record is in partition {}: \
             partition the topic by the key of the rules, or change the rules",
            self.expected, self.actual
        )
    }
}

impl std::error::Error for WrongPartition {}

impl Partitioner {
    /// Returns the partition of a key, among `count` partitions.
    ///
    /// # Panics
    ///
    /// Panics if `count` is not positive.
    pub fn partition(self, key: &[u8], count: i32) -> i32 {
        assert!(count > 0, "a topic has at least one partition");
        match self {
            Self::Murmur2 => (murmur2(key) & 0x7fff_ffff).cast_signed() % count,
            // librdkafka takes the remainder of the unsigned hash.
            Self::Crc32 => (crc32(key) % count.unsigned_abs()).cast_signed(),
        }
    }

    /// Checks that a key belongs to the partition that its record came from.
    ///
    /// # Errors
    ///
    /// The error names both partitions.
    ///
    /// # Panics
    ///
    /// Panics if `count` is not positive.
    pub fn check(self, key: &[u8], actual: i32, count: i32) -> Result<(), WrongPartition> {
        let expected = self.partition(key, count);
        if expected == actual { Ok(()) } else { Err(WrongPartition { actual, expected }) }
    }
}

/// Returns the hash `MurmurHash2` with the seed of Kafka's Java client.
pub fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const MULTIPLIER: u32 = 0x5bd1_e995;
    // A Java array has at most 2^31 - 1 bytes, and so has a key.
    #[expect(clippy::cast_possible_truncation, reason = "a longer key does not exist")]
    let mut hash = SEED ^ (bytes.len() as u32);
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        k ^= k >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ k.wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

/// Returns the CRC-32 of zlib (polynomial `EDB88320`, reflected).
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of `UtilsTest.testMurmur2` in Apache Kafka.
    #[test]
    fn murmur2_is_that_of_the_java_client() {
        let vectors: [(&str, i32); 7] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
            ("", 275_646_681),
        ];
        for (key, hash) in vectors {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    /// The check value of the catalogue of CRCs, and that of an empty text.
    #[test]
    fn crc32_is_that_of_zlib() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(b"The quick brown fox jumps over the lazy dog"), 0x414f_a339);
    }

    #[test]
    fn a_key_of_another_partition_is_found() {
        let home = Partitioner::Murmur2.partition(b"foobar", 6);
        assert_eq!(home, 1_357_151_166 % 6);
        assert_eq!(Partitioner::Murmur2.check(b"foobar", home, 6), Ok(()));
        let wrong = Partitioner::Murmur2.check(b"foobar", (home + 1) % 6, 6).unwrap_err();
        assert_eq!((wrong.expected, wrong.actual), (home, (home + 1) % 6));
        assert_eq!(
            Partitioner::Crc32.partition(b"123456789", 7),
            0xcbf4_3926_u32.rem_euclid(7).cast_signed()
        );
    }
}
