//! A row as text, for people who look for it.

use arrow_array::RecordBatch;
use kleene_report::output::{write_text, write_value};

use crate::element::{dynamic, element};

/// Returns the columns of a row that were read and are not null, as a JSON object.
pub(crate) fn row_text(batch: &RecordBatch, row: usize) -> String {
    let mut text = vec![b'{'];
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let value = dynamic(column, row);
        if value.as_ref().is_ok_and(kleene::Value::is_null) {
            continue;
        }
        if text.len() > 1 {
            text.push(b',');
        }
        write_text(&mut text, field.name());
        text.push(b':');
        match value {
            Ok(value) => write_value(&mut text, value.as_ref()),
            Err(_) => write_text(&mut text, &element(column, row).to_string()),
        }
    }
    text.push(b'}');
    String::from_utf8_lossy(&text).into_owned()
}
