//! The key group of a key: which part of the state it belongs to.
//!
//! The Java side routes events by the same computation (`KeyHash.java`), so both must agree to the
//! bit. A test of the binding compares them.

use kleene::{Value, ValueRef};
use kleene_event::util::fnv::Fnv;
use kleene_event::value::wire::put_value;

/// Hashes keys. It keeps its buffer from one key to the next.
#[derive(Debug, Default)]
pub struct KeyHasher {
    bytes: Vec<u8>,
}

impl KeyHasher {
    /// Returns the hash of a key: FNV-1a over its values as snapshots write them (docs/format.md),
    /// folded to 32 bits. The hash of a rule without a key is that of no values.
    ///
    /// Before that, a float without a fraction becomes an int, a time and a duration become their
    /// milliseconds, and an address becomes its text. So the hash is the same if rules declare a
    /// field in another way, and if they do not declare it.
    pub fn hash(&mut self, key: &[Value]) -> i32 {
        self.bytes.clear();
        for value in key {
            put_normalized(&mut self.bytes, value);
        }
        fold(&self.bytes)
    }
}

fn put_normalized(out: &mut Vec<u8>, value: &Value) {
    /// Floats below have no fraction that is lost.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Float(number) if number.trunc() == *number && number.abs() < EXACT => {
            #[expect(clippy::cast_possible_truncation, reason = "it is below 2^53")]
            put_value(out, ValueRef::Int(*number as i64));
        }
        Value::Time(time) => put_value(out, ValueRef::Int(time.as_millis())),
        Value::Duration(millis) => put_value(out, ValueRef::Int(*millis)),
        Value::Ip(address) => put_value(out, ValueRef::String(&address.to_string())),
        value => put_value(out, value.as_ref()),
    }
}

/// Returns the hash of bytes.
fn fold(bytes: &[u8]) -> i32 {
    let mut hash = Fnv::new();
    hash.write(bytes);
    let hash = hash.finish();
    #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
    let folded = (hash ^ hash >> 32) as u32;
    folded.cast_signed()
}

/// Returns the key group of a hash out of `groups`, as Flink's `KeyGroupRangeAssignment` computes
/// it: Murmur3 of the hash, modulo the number of groups.
pub fn key_group(hash: i32, groups: u32) -> u32 {
    murmur(hash.cast_unsigned()) % groups.max(1)
}

/// Flink's `MathUtils.murmurHash`.
fn murmur(code: u32) -> u32 {
    let code = code.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let code = code.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64) ^ 4;
    let code = (code ^ code >> 16).wrapping_mul(0x85eb_ca6b);
    let code = (code ^ code >> 13).wrapping_mul(0xc2b2_ae35);
    let code = (code ^ code >> 16).cast_signed();
    if code == i32::MIN { 0 } else { code.unsigned_abs() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_of_other_types_have_one_hash() {
        let mut hasher = KeyHasher::default();
        let mut hash = |value: Value| hasher.hash(&[value]);
        assert_eq!(hash(Value::from(7)), hash(Value::from(7.0)));
        assert_ne!(hash(Value::from(7)), hash(Value::from(7.5)));
        let time = kleene::Timestamp::from_millis(7);
        assert_eq!(hash(Value::from(7)), hash(Value::from(time)));
        let address = "10.0.0.1";
        let ip: std::net::IpAddr = address.parse().expect("it is an address");
        assert_eq!(hash(Value::from(address)), hash(Value::Ip(ip)));
    }

    /// As Flink 2.3.0 computes them.
    #[test]
    fn groups_are_those_of_flink() {
        assert_eq!([0, 1, -1, i32::MIN].map(|hash| key_group(hash, 128)), [94, 86, 80, 108]);
    }

    #[test]
    fn keys_spread_over_all_groups() {
        let mut hasher = KeyHasher::default();
        let mut counts = vec![0; 128];
        for number in 0..12_800 {
            let hash = hasher.hash(&[Value::from(i64::from(number))]);
            counts[key_group(hash, 128) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }
}
