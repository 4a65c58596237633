//! The layout of a batch of events, as Java hands it over.
//!
//! A batch is described by a *header* of 64-bit integers in a direct buffer. The header holds the
//! addresses of other direct buffers, one for each part of a column. All numbers have the byte order
//! of the machine. Nothing is kept: columns are copied before the call returns.
//!
//! | word | |
//! |---|---|
//! | 0 | the version of the layout: 1 |
//! | 1 | the number of rows |
//! | 2 | the number of event types in the batch, `t` |
//! | 3 | the address of the order: for each row a 32-bit integer, which of the `t` types it has; 0 if `t` is 1 |
//!
//! Then for each type:
//!
//! | word | |
//! |---|---|
//! | 0 | the number of the event type in the plan |
//! | 1 | the number of its rows, in the order in which they come |
//! | 2 | the address of the event times: for each row milliseconds since 1970, 64 bits |
//! | 3 | the number of its columns, `c` |
//!
//! and for each of its `c` columns:
//!
//! | word | |
//! |---|---|
//! | 0 | the number of the field in the plan; -1 for the undeclared fields of an open type |
//! | 1 | the kind: 0 bool (a byte), 1 int, 2 float, 3 time, 4 duration (64 bits each), 5 string, 6 any |
//! | 2 | the address of the values; for strings and any, of all bytes one after the other |
//! | 3 | the address of the validity: for each row a byte, 1 for a value and 0 for null; 0 if no row is null |
//! | 4 | for strings and any: the address of the end of each row in the bytes, 32 bits; else 0 |
//! | 5 | for strings and any: the number of bytes; else 0 |
//!
//! A string is UTF-8. A value of the kind any is written as in snapshots (docs/format.md).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use kleene::event::{Bitmap, Column, ColumnValues, EventBatch, Texts, TypeColumns};
use kleene::schema::Schema;
use kleene::value::Value;
use kleene_event::util::wire::Reader;
use kleene_event::value::wire::read_value;

use crate::plan::Plan;

const VERSION: i64 = 1;
/// More rows than any batch has: a header that says more is damaged.
const MAX_ROWS: usize = 1 << 24;
const UNDECLARED: i64 = -1;

/// Why a batch cannot be read. It is a mistake of the caller, never of the events.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LayoutError(Cow<'static, str>);

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a batch cannot be read: {}", self.0)
    }
}

impl std::error::Error for LayoutError {}

fn wrong<T>(what: impl Into<Cow<'static, str>>) -> Result<T, LayoutError> {
    Err(LayoutError(what.into()))
}

/// Reads a batch.
///
/// # Errors
/// [`LayoutError`] if the header contradicts itself, the plan or the schema.
///
/// # Safety
/// Every address in the header is that of as many values as the header says, and none of them
/// changes during the call.
pub unsafe fn read_batch(
    header: &[i64],
    plan: &Plan,
    schema: &Schema,
) -> Result<EventBatch, LayoutError> {
    let mut words = Words(header);
    if words.next()? != VERSION {
        return wrong("it has another version of the layout");
    }
    let rows = words.count()?;
    let types = words.count()?;
    let order = words.next()?;
    let mut parts = Vec::with_capacity(types.min(1024));
    for _ in 0..types {
        // SAFETY: the caller's promise covers the whole header.
        parts.push(unsafe { read_type(&mut words, plan, schema)? });
    }
    if let [_] = parts[..]
        && let Some(only) = parts.pop()
    {
        return if only.len() == rows { Ok(only.into()) } else { wrong("the number of rows") };
    }
    // SAFETY: the caller's promise covers the order.
    let order: &[u32] = unsafe { slice(order, rows)? };
    EventBatch::interleaved(parts, order.iter().map(|part| *part as usize))
        .map_err(|error| LayoutError(error.to_string().into()))
}

/// The words of a header that are still to be read.
struct Words<'a>(&'a [i64]);

impl Words<'_> {
    fn next(&mut self) -> Result<i64, LayoutError> {
        let Some((first, rest)) = self.0.split_first() else { return wrong("its header ends") };
        self.0 = rest;
        Ok(*first)
    }

    fn count(&mut self) -> Result<usize, LayoutError> {
        let count = usize::try_from(self.next()?).ok().filter(|count| *count <= MAX_ROWS);
        count.map_or_else(|| wrong("a count is out of range"), Ok)
    }

    /// The number of bytes of a column; the ends of its rows have 32 bits.
    fn length(&mut self) -> Result<usize, LayoutError> {
        let length = u32::try_from(self.next()?).ok().and_then(|length| length.try_into().ok());
        length.map_or_else(|| wrong("a length is out of range"), Ok)
    }
}

/// # Safety
/// As for [`read_batch`].
unsafe fn read_type(
    words: &mut Words<'_>,
    plan: &Plan,
    schema: &Schema,
) -> Result<TypeColumns, LayoutError> {
    let number = words.count()?;
    let Some(ty) = plan.types.get(number) else { return wrong("there is no such event type") };
    let rows = words.count()?;
    // SAFETY: the caller's promise covers the times.
    let times: &[i64] = unsafe { slice(words.next()?, rows)? };
    let mut columns = Vec::new();
    let mut extra = None;
    for _ in 0..words.count()? {
        let field = words.next()?;
        // SAFETY: the caller's promise covers the column.
        let column = unsafe { read_column(words, rows)? };
        if field == UNDECLARED {
            extra = Some(column);
            continue;
        }
        let field = usize::try_from(field).ok().and_then(|field| ty.fields.get(field));
        let Some(field) = field else { return wrong("there is no such field") };
        columns.push((&*field.name, column));
    }
    let columns = TypeColumns::with_times(schema, &ty.name, times.to_vec().into(), columns)
        .map_err(|error| LayoutError(error.to_string().into()))?;
    let Some(extra) = extra else { return Ok(columns) };
    let fields = (0..rows).map(|row| undeclared(&extra, row));
    columns.with_extra(fields).map_err(|error| LayoutError(error.to_string().into()))
}

/// Returns the undeclared fields of a row, which are a record.
fn undeclared(column: &Column, row: usize) -> Box<[(Arc<str>, Value)]> {
    match column.values() {
        ColumnValues::Any(values) => match values.get(row) {
            Some(Value::Record(fields)) => {
                fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
            }
            _ => Box::default(),
        },
        _ => Box::default(),
    }
}

/// # Safety
/// As for [`read_batch`].
unsafe fn read_column(words: &mut Words<'_>, rows: usize) -> Result<Column, LayoutError> {
    let (kind, values, validity) = (words.next()?, words.next()?, words.next()?);
    let (ends, length) = (words.next()?, words.length()?);
    // SAFETY: the caller's promise covers the values of each kind, and the validity.
    let values = unsafe {
        match kind {
            0 => {
                let bytes: &[u8] = slice(values, rows)?;
                ColumnValues::Bool(bytes.iter().map(|byte| *byte != 0).collect::<Vec<_>>().into())
            }
            1 => ColumnValues::Int(slice::<i64>(values, rows)?.to_vec().into()),
            2 => ColumnValues::Float(slice::<f64>(values, rows)?.to_vec().into()),
            3 => ColumnValues::Time(slice::<i64>(values, rows)?.to_vec().into()),
            4 => ColumnValues::Duration(slice::<i64>(values, rows)?.to_vec().into()),
            5 => ColumnValues::String(texts(slice(values, length)?, slice(ends, rows)?)?),
            6 => ColumnValues::Any(any(slice(values, length)?, slice(ends, rows)?)?),
            _ => return wrong("there is no such kind of column"),
        }
    };
    let column = Column::new(values);
    if validity == 0 {
        return Ok(column);
    }
    // SAFETY: as above.
    let bytes: &[u8] = unsafe { slice(validity, rows)? };
    Ok(column.with_validity(bytes.iter().map(|byte| *byte != 0).collect::<Bitmap>()))
}

fn texts(bytes: &[u8], ends: &[u32]) -> Result<Texts, LayoutError> {
    let Ok(all) = std::str::from_utf8(bytes) else { return wrong("a text is not UTF-8") };
    Texts::new(all.into(), ends.to_vec()).map_or_else(|| wrong("the ends of texts"), Ok)
}

fn any(bytes: &[u8], ends: &[u32]) -> Result<Vec<Value>, LayoutError> {
    let mut values = Vec::with_capacity(ends.len());
    let mut start = 0;
    for end in ends {
        let end = *end as usize;
        let Some(bytes) = bytes.get(start..end) else { return wrong("the ends of values") };
        let mut reader = Reader::new(bytes);
        // A null has no bytes.
        let value = if bytes.is_empty() { Some(Value::Null) } else { read_value(&mut reader) };
        let Some(value) = value.filter(|_| reader.is_at_end()) else { return wrong("a value") };
        values.push(value);
        start = end;
    }
    Ok(values)
}

/// A value of which every pattern of bits is one.
trait Plain: Copy {}
impl Plain for u8 {}
impl Plain for u32 {}
impl Plain for i64 {}
impl Plain for f64 {}

/// Returns values in the memory of the caller.
///
/// # Safety
/// `address` is that of `length` values, which do not change as long as the result lives.
unsafe fn slice<'a, T: Plain>(address: i64, length: usize) -> Result<&'a [T], LayoutError> {
    if length == 0 {
        return Ok(&[]);
    }
    let Ok(address) = usize::try_from(address) else { return wrong("an address is negative") };
    let first = std::ptr::with_exposed_provenance::<T>(address);
    if first.is_null() || !first.is_aligned() {
        return wrong("an address is null or not aligned");
    }
    // SAFETY: the caller's promise; not null and aligned, as checked.
    Ok(unsafe { std::slice::from_raw_parts(first, length) })
}

#[cfg(test)]
mod tests {
    use kleene::RuleSet;
    use kleene::value::ValueRef;
    use kleene_event::value::wire::put_value;

    use super::*;

    const RULES: &str =
        "event paid { order: int, amount: float?, by: string?, from: ip?, at: time, .. }
        event sent { order: int }
        rule done { key order  match paid -> sent  within 1h }";

    fn address<T>(values: &[T]) -> i64 {
        i64::try_from(values.as_ptr().expose_provenance()).expect("an address")
    }

    /// Reads a batch of two rows of `paid` and one of `sent`, after a change of its header.
    fn read(change: impl FnOnce(&mut Vec<i64>)) -> Result<EventBatch, LayoutError> {
        let rules = RuleSet::parse(RULES).expect("the rules are right");
        let plan = Plan::new(&rules);
        let number = |name: &str| plan.types.iter().position(|ty| &*ty.name == name);
        let (paid, sent) = (number("paid").expect("a type"), number("sent").expect("a type"));
        let field = |name: &str| {
            let field = plan.types[paid].field_id(name).expect("a field").index();
            i64::try_from(field).expect("a small number")
        };
        let (order, times): ([i64; 2], [i64; 2]) = ([7, 8], [1000, 2000]);
        let (amounts, valid): ([f64; 2], [u8; 2]) = ([2.5, 0.0], [1, 0]);
        let (texts, ends): (&[u8], [u32; 2]) = ("ann\u{f6}".as_bytes(), [3, 5]);
        let (mut any, mut any_ends) = (Vec::new(), [0_u32; 2]);
        put_value(&mut any, ValueRef::Ip("10.0.0.1".parse().expect("an address")));
        any_ends.fill(u32::try_from(any.len()).expect("a small number"));
        let mut extra = Vec::new();
        let record = Value::Record([(Arc::from("note"), Value::from("x"))].into());
        put_value(&mut extra, record.as_ref());
        let extra_ends = [u32::try_from(extra.len()).expect("a small number"); 2];
        let (sent_order, sent_times): ([i64; 1], [i64; 1]) = ([7], [3000]);
        let places: [u32; 3] = [0, 0, 1];
        let length = |bytes: &[u8]| i64::try_from(bytes.len()).expect("a small number");
        let number = |number: usize| i64::try_from(number).expect("a small number");
        #[rustfmt::skip]
        let mut header = vec![
            1, 3, 2, address(&places),
            number(paid), 2, address(&times), 6,
            field("order"), 1, address(&order), 0, 0, 0,
            field("amount"), 2, address(&amounts), address(&valid), 0, 0,
            field("by"), 5, address(texts), 0, address(&ends), length(texts),
            field("from"), 6, address(&any), 0, address(&any_ends), length(&any),
            field("at"), 3, address(&times), 0, 0, 0,
            -1, 6, address(&extra), 0, address(&extra_ends), length(&extra),
            number(sent), 1, address(&sent_times), 1,
            0, 1, address(&sent_order), 0, 0, 0,
        ];
        change(&mut header);
        // SAFETY: the header has the addresses of the arrays above, and their lengths.
        unsafe { read_batch(&header, &plan, rules.schema()) }
    }

    #[test]
    fn all_kinds_of_columns_are_read() {
        let batch = read(|_| {}).expect("the header is right");
        let rows: Vec<String> = batch.rows().map(|row| format!("{:?}", row.to_record())).collect();
        assert_eq!(rows.len(), 3);
        for part in ["Int(7)", "Float(2.5)", "ann", "10.0.0.1", "note"] {
            assert!(rows[0].contains(part), "{part}: {}", rows[0]);
        }
        assert!(rows[1].contains("\u{f6}") && !rows[1].contains("Float"), "{}", rows[1]);
        assert_eq!(batch.row(2).time().as_millis(), 3000);
    }

    #[test]
    fn a_header_that_contradicts_itself_is_an_error() {
        type Change = fn(&mut Vec<i64>);
        let changes: [(Change, &str); 9] = [
            (|header| header[0] = 2, "another version"),
            (|header| header[1] = -1, "out of range"),
            (|header| header[2] = 3, "its header ends"),
            (|header| header[3] = 0, "null or not aligned"),
            (|header| header[3] += 1, "null or not aligned"),
            (|header| header[4] = 99, "no such event type"),
            (|header| header[8] = 99, "no such field"),
            (|header| header[9] = 9, "no such kind"),
            (|header| header[9] = 2, "is int, not float"),
        ];
        for (number, (change, expected)) in changes.into_iter().enumerate() {
            let error = read(change).expect_err("the header is wrong").to_string();
            assert!(error.contains(expected), "{number}: {error}");
        }
    }
}
