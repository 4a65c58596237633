//! Events from Apache Parquet and Arrow IPC, read as batches of columns of the types that Kleene's
//! rules declare, and results written to these formats.

#![forbid(unsafe_code)]

mod convert;
mod element;
mod error;
mod extra;
mod format;
mod input;
mod ipc_source;
mod leaf;
mod message;
mod parquet_source;
mod plan;
mod reader;
mod result_line;
mod rows;
mod source;
mod types;
mod writer;

pub use error::ColumnarError;
pub use format::ColumnFormat;
pub use reader::ColumnReader;
pub use rows::{RejectedRow, RowBatch};
pub use writer::ResultWriter;
