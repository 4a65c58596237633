//! Events that know their place in the input. All engines here have events of this type, as each
//! type is a copy of all code that is generic over events.

use std::borrow::Borrow;
use std::sync::Arc;

use kleene::event::Portable;
use kleene::schema::{FieldId, Schema, TypeId};
use kleene::value::{Value, ValueRef};
use kleene::{Event, Record, Timestamp};

/// An event with its place in the input.
#[derive(Clone, Debug)]
pub struct Indexed {
    record: Record,
    index: u32,
}

/// The place of events that rules make.
const MADE: u32 = u32::MAX;

impl Indexed {
    /// The event at a place.
    pub fn new(record: &Record, index: u32) -> Indexed {
        Indexed { record: record.clone(), index }
    }

    /// Its place; `None` if a rule made it.
    pub fn index(&self) -> Option<u32> {
        Some(self.index).filter(|index| *index != MADE)
    }
}

/// An event without a place.
impl From<Record> for Indexed {
    fn from(record: Record) -> Indexed {
        Indexed { record, index: MADE }
    }
}

impl Borrow<Record> for Indexed {
    fn borrow(&self) -> &Record {
        &self.record
    }
}

/// All but its place is that of the record, so that results are those of records alone.
impl Event for Indexed {
    fn schema() -> Option<Schema> {
        Record::schema()
    }

    #[inline(always)]
    fn type_id(&self) -> TypeId {
        self.record.type_id()
    }

    #[inline(always)]
    fn time(&self) -> Timestamp {
        self.record.time()
    }

    #[inline(always)]
    fn field(&self, field: FieldId) -> ValueRef<'_> {
        self.record.field(field)
    }

    fn dynamic_field(&self, path: &str) -> ValueRef<'_> {
        self.record.dynamic_field(path)
    }

    fn out_of_range(&self) -> Option<FieldId> {
        self.record.out_of_range()
    }

    fn describe(&self) -> Option<&str> {
        self.record.describe()
    }

    fn heap_size(&self) -> usize {
        self.record.heap_size()
    }

    const CAN_BE_MADE: bool = Record::CAN_BE_MADE;

    fn make(
        ty: TypeId,
        time: Timestamp,
        values: Vec<Value>,
        extra: Vec<(Arc<str>, Value)>,
    ) -> Option<Indexed> {
        let record = Record::make(ty, time, values, extra)?;
        Some(Indexed { record, index: MADE })
    }
}

/// The record, and behind it the place if there is one. The snapshots of engines whose events have
/// no place are those of engines of records.
impl Portable for Indexed {
    fn to_bytes(&self, out: &mut Vec<u8>) {
        self.record.to_bytes(out);
        if self.index != MADE {
            out.extend_from_slice(&self.index.to_le_bytes());
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Indexed> {
        // A record says where it ends, so that it is one with or without a place.
        if let Some(record) = Record::from_bytes(bytes) {
            return Some(Indexed { record, index: MADE });
        }
        let (record, index) = bytes.split_last_chunk()?;
        Some(Indexed { record: Record::from_bytes(record)?, index: u32::from_le_bytes(*index) })
    }
}
