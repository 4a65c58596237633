//! The first rows of an input as JSON lines.

use std::io::{Read, Seek};

use crate::chunk::{BATCH_ROWS, Chunk};
use crate::error::{ColumnarError, guarded};
use crate::plan::Plan;
use crate::row_text::row_text;
use crate::source::Source;

/// Returns the first rows of a Parquet or Arrow IPC input as JSON lines, for a look at an input that
/// no rule declares. Columns that are null are left out, and times are RFC 3339.
///
/// ```
/// use std::io::Cursor;
/// use std::sync::Arc;
///
/// use arrow_array::{ArrayRef, Int64Array, RecordBatch};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let user: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None, Some(9)]));
/// let columns = RecordBatch::try_from_iter([("user", user)])?;
/// let mut file = Vec::new();
/// let mut writer = parquet::arrow::ArrowWriter::try_new(&mut file, columns.schema(), None)?;
/// writer.write(&columns)?;
/// writer.close()?;
/// assert_eq!(kleene_arrow::json_lines(Cursor::new(file), 2)?, b"{\"user\":7}\n{}\n");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The input cannot be read, is of another format, or damaged.
pub fn json_lines(
    input: impl Read + Seek + Send + 'static,
    rows: usize,
) -> Result<Vec<u8>, ColumnarError> {
    let (mut source, format) = Source::open(input)?;
    let plan = Plan::of_all_columns();
    let (mut text, mut left) = (Vec::new(), rows);
    while left > 0 {
        let Some(chunk) = source.next(&plan, BATCH_ROWS)? else { break };
        // No row group is skipped, as no type is looked for.
        let Chunk::Rows(batch) = chunk else { continue };
        let count = batch.num_rows().min(left);
        left -= count;
        for row in 0..count {
            text.extend_from_slice(guarded(format, || Ok(row_text(&batch, row)))?.as_bytes());
            text.push(b'\n');
        }
    }
    Ok(text)
}
