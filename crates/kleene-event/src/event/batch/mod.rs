//! Batches of events in columns.
//!
//! ```text
//! EventBatch          rows of several types, in the order in which they come
//!   +- TypeColumns    the rows of one type: their times, and a column for each field
//!        +- Column    the values of one field: numbers, texts, ...
//! ```
//!
//! A row is read in place. Only a row that a partial match or the reorder buffer keeps is copied to
//! a [`Record`](crate::event::Record) of its own, once.
//!
//! The columns are laid out as in Apache Arrow (a dense union of types, offsets or a dictionary for
//! texts, a bitmap of the rows that have a value), so that a program that has Arrow's arrays can
//! hand over their memory.

mod bitmap;
mod builder;
mod column;
mod events;
pub(super) mod type_columns;

pub use bitmap::Bitmap;
pub use builder::{BatchBuilder, ColumnBuilder, RowsBuilder};
pub use column::{Buffer, Column, ColumnValues, Texts};
pub use events::{BatchRow, EventBatch, LentRow};
pub use type_columns::{BatchError, TypeColumns};
