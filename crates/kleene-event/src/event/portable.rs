//! Events as bytes, for snapshots.

use std::rc::Rc;
use std::sync::Arc;

use crate::event::{Event, Record};
use crate::schema::TypeId;
use crate::time::Timestamp;
use crate::util::wire::{Reader, put_bytes, put_i64, put_len, put_u64};
use crate::value::wire::{put_value, put_values, read_value, read_values};

/// An event that a snapshot can store: it can be written to bytes and read from bytes.
///
/// [`Record`] is portable, and so are types that derive the trait. Reading refuses bytes of a type
/// whose fields had other names or types. Implement the trait for a format of your own. The format
/// must restore the same event, with everything that conditions and outputs read.
///
/// ```
/// use kleene::{Engine, Event, Pattern, Portable, Timestamp, stream::Ignore};
///
/// #[derive(Clone, Event, Portable)]
/// struct Login { user: u32, at: Timestamp }
///
/// let twice = Pattern::<Login>::begin("a").followed_by("b").key("user").build()?;
/// let builder = || Engine::builder().pattern("twice", &twice);
/// let login = |second: i64| Login { user: 7, at: Timestamp::from_millis(second * 1000) };
/// let mut engine = builder().build()?;
/// engine.push(&login(1), &mut Ignore)?;
/// let bytes = engine.snapshot();
///
/// // In another process, perhaps:
/// let (mut engine, _) = builder().restore(&[&bytes])?;
/// engine.push(&login(2), &mut Ignore)?;
/// assert_eq!(engine.stats().matches, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Portable: Event {
    /// Appends the event to `out`, which may hold other bytes already.
    fn to_bytes(&self, out: &mut Vec<u8>);

    /// Returns the event that [`to_bytes`](Portable::to_bytes) has written; `None` if `bytes` do
    /// not hold an event of this type. Do not trust `bytes`: a snapshot comes from a disk.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

/// Writes lists and records that are nested deeper than 500 levels as null.
impl Portable for Record {
    fn to_bytes(&self, out: &mut Vec<u8>) {
        put_len(out, self.type_id().index());
        put_i64(out, self.time().as_millis());
        put_values(out, self.values().iter().map(|value| value.as_ref()));
        put_u64(out, self.extra().len() as u64);
        for (name, value) in self.extra() {
            put_bytes(out, name.as_bytes());
            put_value(out, value.as_ref());
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Record> {
        let mut reader = Reader::new(bytes);
        let ty = TypeId::new(usize::try_from(reader.u32()?).ok()?);
        let time = Timestamp::from_millis(reader.i64()?);
        let values = read_values(&mut reader)?;
        let extra = reader.list(|reader| Some((reader.str()?.into(), read_value(reader)?)))?;
        reader.is_at_end().then(|| Record::with_extra(ty, time, values, extra))
    }
}

macro_rules! forwarded_bytes {
    ($($pointer:ident),*) => {
        $(impl<E: Portable> Portable for $pointer<E>
        where
            $pointer<E>: Clone,
        {
            fn to_bytes(&self, out: &mut Vec<u8>) {
                E::to_bytes(self, out);
            }

            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                E::from_bytes(bytes).map($pointer::new)
            }
        })*
    };
}

forwarded_bytes!(Box, Rc, Arc);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    #[test]
    fn a_record_comes_back() {
        let record = Record::with_extra(
            TypeId::new(3),
            Timestamp::from_millis(-7),
            vec![Value::from("x"), Value::Null],
            vec![("more".into(), Value::Int(1))],
        );
        let mut bytes = Vec::new();
        record.to_bytes(&mut bytes);
        assert_eq!(Record::from_bytes(&bytes), Some(record));
        for end in 0..bytes.len() {
            assert_eq!(Record::from_bytes(&bytes[..end]), None, "cut after {end}");
        }
        bytes.push(0);
        assert_eq!(Record::from_bytes(&bytes), None);
    }
}
