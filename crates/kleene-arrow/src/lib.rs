//! Events from Apache Parquet and Arrow IPC, read as batches of columns of the types that Kleene's
//! rules declare, and results written to these formats.
//!
//! [`ColumnReader`] reads [`RowBatch`]es, whose events an engine takes as they are
//! (`Engine::push_columns`). What a column, a type or a time means is the same as in JSON lines and
//! CSV, and so are the reasons why a row is rejected: `kleene_input` decides both.
//! [`ResultWriter`] writes results, one row for each.
//!
//! Only columns that the rules need are decoded, page by page. Row groups of Parquet are skipped if
//! their statistics say that they hold no declared type. A damaged input is an error and no panic.
//!
//! Values of columns become values of fields as follows. A field of another type takes what it would
//! take from JSON: numbers and bools in texts, a single value for a list of one.
//!
//! | column | value |
//! |---|---|
//! | integers of any width, decimals without a fraction | `int` if 64 bits with a sign hold it |
//! | floats of any width, other decimals | `float` |
//! | texts, bytes in UTF-8, dictionaries of these | `string` |
//! | timestamps, dates | `time`; parts of a millisecond are cut off towards the past |
//! | durations, times of day | `duration` |
//! | lists | `list` |
//! | structs | nested fields; an undeclared one of an open type is a record, as a map is |
//! | intervals, unions, run-end encoding | an error, if a field needs the column |

#![forbid(unsafe_code)]

mod chunk;
mod convert;
mod dictionaries;
mod element;
mod error;
mod extra;
mod format;
mod input;
mod ipc_source;
mod json_lines;
mod leaf;
mod message;
mod order;
mod parquet_source;
mod plan;
mod reader;
mod result_line;
mod row_text;
mod rows;
mod source;
mod types;
mod writer;

pub use error::ColumnarError;
pub use format::ColumnFormat;
pub use json_lines::json_lines;
pub use order::TimeOrder;
pub use reader::ColumnReader;
pub use rows::{RejectedRow, RowBatch};
pub use writer::ResultWriter;
