//! The [`Event`] trait, [`Record`], an event made at run time, and [`EventBatch`], many events in
//! columns.

mod batch;
mod contract;
mod declared;
pub mod derived;
mod field;
mod map;
mod portable;
mod portable_field;
mod record;
#[cfg(feature = "serde")]
mod serial;

pub use batch::{
    BatchBuilder, BatchError, BatchRow, Bitmap, Buffer, Column, ColumnBuilder, ColumnValues,
    EventBatch, LentRow, RowsBuilder, Texts, TypeColumns,
};
pub use contract::{AsVariant, Event, StructEvent, bytes_of};
pub use field::{EventTime, FieldValue, Fields, TimeUnit};
pub use map::MapValue;
pub use portable::Portable;
pub use portable_field::PortableField;
pub use record::{Record, RecordError};
#[cfg(feature = "serde")]
pub use serial::SerializeEvent;
