//! The frame that serializers of schema registries put around a value, and the bytes of a value.

use super::error::DecodeError;

/// The bytes before the value of a record whose schema is in a file.
///
/// There is no detection: a bare value may begin with the bytes of a frame. With a registry each value
/// is framed, as the frame has the id of the schema.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Framing {
    /// The value is bare.
    #[default]
    Bare,
    /// A zero byte, the id of a schema in 4 bytes, and for Protobuf the indexes of the message come
    /// first. They are skipped, and the schema of the file is used.
    Framed,
}

/// The longest path to a message: messages within messages.
#[cfg(feature = "protobuf")]
const MAX_INDEXES: i64 = 64;

/// Reads the bytes of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a> {
    left: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Bytes<'a> {
        Bytes { left: bytes }
    }

    pub(super) fn left(&self) -> &'a [u8] {
        self.left
    }

    /// Reads a number of bytes. The number may come from the value: it reserves no memory.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, left)) = self.left.split_at_checked(count) else {
            let left = self.left.len();
            let reason = format!("the value is cut off: {count} bytes expected, {left} are left");
            return Err(DecodeError::poison(reason));
        };
        self.left = left;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| DecodeError::poison("the value is cut off"))
    }

    /// Reads a whole number of variable length in zigzag order, as in Avro.
    pub(super) fn long(&mut self) -> Result<i64, DecodeError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
            }
        }
        Err(DecodeError::poison("a whole number has more than 64 bits"))
    }

    /// Reads the id of a schema and what is before it.
    pub(super) fn schema_id(&mut self) -> Result<u32, DecodeError> {
        match self.left.first() {
            Some(0) => {}
            Some(byte) => {
                let reason = format!(
                    "the value has no schema id: it begins with the byte {byte}, not with 0"
                );
                return Err(DecodeError::poison(reason));
            }
            None => return Err(DecodeError::poison("the value is empty: it has no schema id")),
        }
        let [_, id @ ..] = self.array::<5>()?;
        Ok(u32::from_be_bytes(id))
    }

    /// Reads the path to a message within its file: the index of a message, then of a message within.
    #[cfg(feature = "protobuf")]
    pub(super) fn message_indexes(&mut self) -> Result<Vec<usize>, DecodeError> {
        let bad = || DecodeError::poison("the indexes of the message are wrong");
        let count = self.long()?;
        if count == 0 {
            // The first message is the common case, and has this short form.
            return Ok(vec![0]);
        }
        if !(1..=MAX_INDEXES).contains(&count) {
            return Err(bad());
        }
        (0..count).map(|_| usize::try_from(self.long()?).map_err(|_| bad())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_a_variable_length() {
        for (bytes, number) in [
            (&[0_u8][..], 0_i64),
            (&[1], -1),
            (&[2], 1),
            (&[0x80, 1], 64),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], i64::MIN),
            (&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], i64::MAX),
        ] {
            let mut read = Bytes::new(bytes);
            assert_eq!(read.long(), Ok(number));
            assert!(read.left().is_empty());
        }
        assert!(Bytes::new(&[0xff; 9]).long().is_err());
        assert!(Bytes::new(&[0xff; 20]).long().is_err());
        assert!(
            Bytes::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).long().is_err()
        );
    }

    #[test]
    fn a_frame_has_the_id_of_the_schema() {
        assert_eq!(Bytes::new(&[0, 0, 0, 1, 2, 9]).schema_id(), Ok(258));
        for bad in [&[][..], &[1, 0, 0, 0, 1], &[0, 0, 0, 1]] {
            assert!(Bytes::new(bad).schema_id().is_err());
        }
    }

    #[cfg(feature = "protobuf")]
    #[test]
    fn the_path_to_a_message_is_short() {
        assert_eq!(Bytes::new(&[0]).message_indexes(), Ok(vec![0]));
        assert_eq!(Bytes::new(&[4, 2, 0]).message_indexes(), Ok(vec![1, 0]));
        for bad in [&[1][..], &[2, 1], &[4, 2], &[0xfe, 0xff, 0xff, 0xff, 0xff, 0x0f]] {
            assert!(Bytes::new(bad).message_indexes().is_err());
        }
    }
}
