//! Columns of Arrow to columns of events.
//!
//! The common pairs of types are converted as a whole: memory is shared where the types agree, and
//! numbers are converted in one loop. All other pairs go value by value through
//! [`declared`](crate::element::declared), which also finds the reason why a value is wrong: a loop
//! that meets a value it cannot convert gives up, and leaves the column to this general way.
//! `tests/columns/equality.rs` holds both against the readers of text.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, Date32Type, Date64Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow_buffer::{ArrowNativeType as _, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit as ArrowUnit};
use kleene::event::{Bitmap, Buffer, Column, ColumnValues, Texts, TimeUnit};
use kleene::schema::FieldType;
use kleene::value::Value;
use kleene_input::{Reading, TIMES, millis_of};

use crate::dictionaries::Dictionaries;
use crate::element::{Element, declared, element, unit_of};
use crate::plan::Path;

/// A column of events, and the rows whose value has no meaning: they are null.
pub(crate) struct Converted {
    pub(crate) column: Column,
    pub(crate) problems: Vec<(usize, String)>,
}

/// Converts the values of a column to those of a field.
pub(crate) fn convert(
    array: &ArrayRef,
    (path, ty): (&Path, &FieldType),
    reading: &Reading,
    dictionaries: &mut Dictionaries,
) -> Converted {
    let values = match ty {
        FieldType::Bool => bools(array),
        FieldType::Int => ints(array),
        FieldType::Float => floats(array),
        FieldType::String => texts(array, path, dictionaries),
        FieldType::Time => times(array, reading),
        FieldType::Duration => durations(array),
        FieldType::Ip | FieldType::List(_) | FieldType::Any => None,
    };
    let Some(values) = values else {
        return value_by_value(array, (path, ty), reading, dictionaries);
    };
    let column = Column::new(values);
    let column = match array.logical_nulls() {
        Some(nulls) => {
            column.with_validity(Bitmap::from_bytes(nulls.validity(), nulls.offset(), nulls.len()))
        }
        None => column,
    };
    Converted { column, problems: Vec::new() }
}

/// The general way. A value of a dictionary is converted once.
fn value_by_value(
    array: &ArrayRef,
    (path, ty): (&Path, &FieldType),
    reading: &Reading,
    dictionaries: &mut Dictionaries,
) -> Converted {
    let mut coded = array.as_any_dictionary_opt().and_then(|dictionary| {
        let values = dictionaries.values((path, ty), dictionary.values())?;
        Some((codes(dictionary.keys())?, dictionary.values(), values))
    });
    let mut problems = Vec::new();
    let values = (0..array.len()).map(|row| {
        let value = match &mut coded {
            Some((codes, dictionary, values)) if array.is_valid(row) => {
                let code = codes[row] as usize;
                let value = values.get_mut(code).map(|value| {
                    value.get_or_insert_with(|| declared(dictionary, code, ty, reading)).clone()
                });
                value.unwrap_or(Ok(Value::Null))
            }
            _ => declared(array, row, ty, reading),
        };
        value.unwrap_or_else(|reason| {
            problems.push((row, reason));
            Value::Null
        })
    });
    let column = column_of(ty, values.collect());
    Converted { column, problems }
}

/// Makes a column of values of a declared type, and nulls.
pub(crate) fn column_of(ty: &FieldType, values: Vec<Value>) -> Column {
    let validity: Bitmap = values.iter().map(|value| !value.is_null()).collect();
    let millis = |value: &Value| match value {
        Value::Time(time) => time.as_millis(),
        Value::Int(number) | Value::Duration(number) => *number,
        _ => 0,
    };
    let numbers = || values.iter().map(millis).collect::<Vec<i64>>().into();
    let column = match ty {
        FieldType::Bool => {
            let bools = values.iter().map(|value| matches!(value, Value::Bool(true)));
            ColumnValues::Bool(bools.collect::<Vec<bool>>().into())
        }
        FieldType::Int => ColumnValues::Int(numbers()),
        FieldType::Time => ColumnValues::Time(numbers()),
        FieldType::Duration => ColumnValues::Duration(numbers()),
        FieldType::Float => {
            let floats = values.iter().map(|value| match value {
                Value::Float(number) => *number,
                _ => 0.0,
            });
            ColumnValues::Float(floats.collect::<Vec<f64>>().into())
        }
        FieldType::String | FieldType::Ip | FieldType::List(_) | FieldType::Any => {
            ColumnValues::Any(values)
        }
    };
    Column::new(column).with_validity(validity)
}

fn bools(array: &ArrayRef) -> Option<ColumnValues> {
    let values = array.as_boolean_opt()?.values();
    Some(ColumnValues::Bool(values.iter().collect::<Vec<bool>>().into()))
}

/// Shares the values of a column.
fn shared<T: ArrowPrimitiveType>(array: &ArrayRef) -> Buffer<T::Native>
where
    T::Native: Send + Sync,
{
    let values: ScalarBuffer<T::Native> = array.as_primitive::<T>().values().clone();
    Buffer::shared(Arc::new(values))
}

/// Converts each value of a column.
fn mapped<T: ArrowPrimitiveType, V>(array: &ArrayRef, to: impl Fn(T::Native) -> V) -> Buffer<V> {
    array.as_primitive::<T>().values().iter().map(|value| to(*value)).collect::<Vec<V>>().into()
}

/// Converts each value of a column, unless one of them has no other form.
fn try_mapped<T: ArrowPrimitiveType, V: Default>(
    array: &ArrayRef,
    to: impl Fn(T::Native) -> Option<V>,
) -> Option<Buffer<V>> {
    let array = array.as_primitive::<T>();
    let values = array.values().iter().enumerate().map(|(row, value)| match to(*value) {
        // The value of a null means nothing.
        None if array.is_null(row) => Some(V::default()),
        value => value,
    });
    Some(values.collect::<Option<Vec<V>>>()?.into())
}

/// Returns whole numbers of any width that `i64` holds.
fn whole(array: &ArrayRef) -> Option<Buffer<i64>> {
    Some(match array.data_type() {
        DataType::Int64 => shared::<Int64Type>(array),
        DataType::Int32 => mapped::<Int32Type, _>(array, i64::from),
        DataType::Int16 => mapped::<Int16Type, _>(array, i64::from),
        DataType::Int8 => mapped::<Int8Type, _>(array, i64::from),
        DataType::UInt32 => mapped::<UInt32Type, _>(array, i64::from),
        DataType::UInt16 => mapped::<UInt16Type, _>(array, i64::from),
        DataType::UInt8 => mapped::<UInt8Type, _>(array, i64::from),
        DataType::UInt64 => try_mapped::<UInt64Type, _>(array, |value| i64::try_from(value).ok())?,
        _ => return None,
    })
}

fn ints(array: &ArrayRef) -> Option<ColumnValues> {
    whole(array).map(ColumnValues::Int)
}

fn floats(array: &ArrayRef) -> Option<ColumnValues> {
    let values = match array.data_type() {
        DataType::Float64 => shared::<Float64Type>(array),
        DataType::Float32 => mapped::<Float32Type, _>(array, f64::from),
        DataType::Float16 => mapped::<Float16Type, _>(array, f64::from),
        #[expect(clippy::cast_precision_loss, reason = "declared as float: rounding is asked for")]
        _ => whole(array)?.iter().map(|value| *value as f64).collect::<Vec<f64>>().into(),
    };
    Some(ColumnValues::Float(values))
}

/// True if all moments are in the years 0 to 9999. A null may hold any number: the general way
/// knows.
fn are_times(millis: &[i64]) -> bool {
    millis.iter().all(|millis| TIMES.contains(millis))
}

/// Returns the milliseconds of a column of numbers of a unit.
fn in_millis<T: ArrowPrimitiveType<Native = i64>>(
    array: &ArrayRef,
    unit: TimeUnit,
) -> Option<Buffer<i64>> {
    match unit {
        TimeUnit::Millis => Some(shared::<T>(array)),
        TimeUnit::Seconds => try_mapped::<T, _>(array, |value| millis_of(value, unit)),
        TimeUnit::Micros => Some(mapped::<T, _>(array, |value| value.div_euclid(1000))),
        TimeUnit::Nanos => Some(mapped::<T, _>(array, |value| value.div_euclid(1_000_000))),
    }
}

fn times(array: &ArrayRef, reading: &Reading) -> Option<ColumnValues> {
    let millis = match array.data_type() {
        DataType::Timestamp(unit, _) => {
            let of = unit_of(*unit);
            match unit {
                ArrowUnit::Second => in_millis::<TimestampSecondType>(array, of),
                ArrowUnit::Millisecond => in_millis::<TimestampMillisecondType>(array, of),
                ArrowUnit::Microsecond => in_millis::<TimestampMicrosecondType>(array, of),
                ArrowUnit::Nanosecond => in_millis::<TimestampNanosecondType>(array, of),
            }
        }
        DataType::Date32 => {
            Some(mapped::<Date32Type, _>(array, |days| i64::from(days) * 86_400_000))
        }
        DataType::Date64 => Some(shared::<Date64Type>(array)),
        DataType::Int64 => in_millis::<Int64Type>(array, reading.unit),
        _ => {
            let numbers = whole(array)?;
            let millis = numbers.iter().map(|number| millis_of(*number, reading.unit));
            Some(millis.collect::<Option<Vec<i64>>>()?.into())
        }
    }?;
    are_times(&millis).then(|| ColumnValues::Time(millis))
}

fn durations(array: &ArrayRef) -> Option<ColumnValues> {
    let millis = match array.data_type() {
        DataType::Duration(unit) => {
            let of = unit_of(*unit);
            match unit {
                ArrowUnit::Second => in_millis::<DurationSecondType>(array, of),
                ArrowUnit::Millisecond => in_millis::<DurationMillisecondType>(array, of),
                ArrowUnit::Microsecond => in_millis::<DurationMicrosecondType>(array, of),
                ArrowUnit::Nanosecond => in_millis::<DurationNanosecondType>(array, of),
            }
        }
        _ => whole(array),
    };
    millis.map(ColumnValues::Duration)
}

fn texts(array: &ArrayRef, path: &Path, dictionaries: &mut Dictionaries) -> Option<ColumnValues> {
    match array.data_type() {
        DataType::Utf8 => all_texts(array.as_string::<i32>().iter()),
        DataType::LargeUtf8 => all_texts(array.as_string::<i64>().iter()),
        DataType::Utf8View => all_texts(array.as_string_view().iter()),
        DataType::Dictionary(_, values) if is_text(values) => {
            let dictionary = array.as_any_dictionary();
            let Some(texts) = dictionaries.texts(path, dictionary.values()) else {
                let text = |row| match element(array, row) {
                    Element::Text(text) => Some(text),
                    _ => None,
                };
                return all_texts((0..array.len()).map(text));
            };
            Some(ColumnValues::Dictionary(codes(dictionary.keys())?.into(), texts))
        }
        _ => None,
    }
}

/// True if values of this type are texts.
pub(crate) fn is_text(ty: &DataType) -> bool {
    matches!(ty, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn all_texts<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> Option<ColumnValues> {
    let (mut all, mut ends) = (String::new(), Vec::with_capacity(texts.size_hint().0));
    for text in texts {
        all.push_str(text.unwrap_or_default());
        ends.push(u32::try_from(all.len()).ok()?);
    }
    Texts::new(all, ends).map(ColumnValues::String)
}

/// Returns the keys of a dictionary as codes. The code of a null means nothing.
pub(crate) fn codes(keys: &dyn Array) -> Option<Vec<u32>> {
    fn of<K: ArrowDictionaryKeyType>(keys: &dyn Array) -> Vec<u32> {
        let code = |key: &K::Native| key.to_usize().and_then(|key| u32::try_from(key).ok());
        let values = keys.as_primitive::<K>().values();
        values.iter().map(|key| code(key).unwrap_or(u32::MAX)).collect()
    }
    Some(match keys.data_type() {
        DataType::Int8 => of::<Int8Type>(keys),
        DataType::Int16 => of::<Int16Type>(keys),
        DataType::Int32 => of::<Int32Type>(keys),
        DataType::Int64 => of::<Int64Type>(keys),
        DataType::UInt8 => of::<UInt8Type>(keys),
        DataType::UInt16 => of::<UInt16Type>(keys),
        DataType::UInt32 => of::<UInt32Type>(keys),
        DataType::UInt64 => of::<UInt64Type>(keys),
        _ => return None,
    })
}
