//! One value of a column, whatever the type of the column is.

use std::fmt;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DecimalType, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::types::{Date32Type, Date64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, StructArray};
use arrow_schema::{DataType, TimeUnit};
use kleene::schema::FieldType;
use kleene::value::{Value, ValueRef};
use kleene::{Timestamp, event};
use kleene_input::{Reading, TIMES, millis_of, quoted, wrong_element};

/// A value of a column.
pub(crate) enum Element<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// A whole number that is no `i64`: as text, and as the nearest float.
    Large(String, f64),
    Float(f64),
    Text(&'a str),
    /// Bytes that are not UTF-8.
    Bytes,
    /// A moment: a number of these units since 1970.
    Time(i64, event::TimeUnit),
    /// A duration: a number of these units.
    Duration(i64, event::TimeUnit),
    List(ArrayRef),
    Struct(&'a StructArray),
    /// The entries of a map.
    Map(StructArray),
    /// A value of a type that no field can hold, which [`Plan`](crate::plan::Plan) refuses.
    Other,
}

/// Writes the value as messages name it, in the words for JSON.
impl fmt::Display for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Element::Null => f.write_str("null"),
            Element::Bool(b) => b.fmt(f),
            Element::Int(number) => write!(f, "the number {number}"),
            Element::Large(digits, _) => write!(f, "the number {digits}"),
            Element::Float(number) => write!(f, "the number {number:?}"),
            Element::Text(text) => write!(f, "the text {}", quoted(text)),
            Element::Bytes => f.write_str("bytes that are not UTF-8"),
            Element::Time(number, unit) => match time_of(*number, *unit) {
                Ok(time) => write!(f, "the time {time}"),
                Err(_) => write!(f, "the time {number} ({})", unit.name()),
            },
            Element::Duration(number, unit) => {
                write!(
                    f,
                    "the duration {}",
                    Value::Duration(millis_of(*number, *unit).unwrap_or(i64::MAX))
                )
            }
            Element::List(_) => f.write_str("a list"),
            Element::Struct(_) | Element::Map(_) => f.write_str("an object"),
            Element::Other => f.write_str("a value of another type"),
        }
    }
}

/// Returns the moment of a number of units since 1970, or the reason why it is out of range.
pub(crate) fn time_of(number: i64, unit: event::TimeUnit) -> Result<Timestamp, String> {
    match millis_of(number, unit) {
        Some(millis) if TIMES.contains(&millis) => Ok(Timestamp::from_millis(millis)),
        _ => {
            let unit = unit.name();
            Err(format!("{number} {unit} is out of range, the year is not between 0 and 9999"))
        }
    }
}

/// Returns Kleene's name of a unit.
pub(crate) fn unit_of(unit: TimeUnit) -> event::TimeUnit {
    match unit {
        TimeUnit::Second => event::TimeUnit::Seconds,
        TimeUnit::Millisecond => event::TimeUnit::Millis,
        TimeUnit::Microsecond => event::TimeUnit::Micros,
        TimeUnit::Nanosecond => event::TimeUnit::Nanos,
    }
}

fn native<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

/// Returns the value of a row.
pub(crate) fn element(array: &dyn Array, row: usize) -> Element<'_> {
    use DataType::{
        Binary, BinaryView, Boolean, Date32, Date64, Dictionary, Duration, FixedSizeBinary,
        Float16, Float32, Float64, Int8, Int16, Int32, Int64, LargeBinary, LargeUtf8, Struct,
        Time32, Time64, Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    if array.is_null(row) {
        return Element::Null;
    }
    match array.data_type() {
        Boolean => Element::Bool(array.as_boolean().value(row)),
        Int8 => Element::Int(native::<Int8Type>(array, row).into()),
        Int16 => Element::Int(native::<Int16Type>(array, row).into()),
        Int32 => Element::Int(native::<Int32Type>(array, row).into()),
        Int64 => Element::Int(native::<Int64Type>(array, row)),
        UInt8 => Element::Int(native::<UInt8Type>(array, row).into()),
        UInt16 => Element::Int(native::<UInt16Type>(array, row).into()),
        UInt32 => Element::Int(native::<UInt32Type>(array, row).into()),
        UInt64 => whole(native::<UInt64Type>(array, row)),
        Float16 => Element::Float(native::<Float16Type>(array, row).into()),
        Float32 => Element::Float(native::<Float32Type>(array, row).into()),
        Float64 => Element::Float(native::<Float64Type>(array, row)),
        Utf8 => Element::Text(array.as_string::<i32>().value(row)),
        LargeUtf8 => Element::Text(array.as_string::<i64>().value(row)),
        Utf8View => Element::Text(array.as_string_view().value(row)),
        Binary => bytes(array.as_binary::<i32>().value(row)),
        LargeBinary => bytes(array.as_binary::<i64>().value(row)),
        BinaryView => bytes(array.as_binary_view().value(row)),
        FixedSizeBinary(_) => bytes(array.as_fixed_size_binary().value(row)),
        Timestamp(..) | Date32 | Date64 | Duration(_) | Time32(_) | Time64(_) => {
            temporal(array, row)
        }
        Dictionary(..) => in_dictionary(array, row),
        Struct(_) => Element::Struct(array.as_struct()),
        ty if ty.is_decimal() => decimal(array, row),
        _ => nested(array, row),
    }
}

fn whole(number: u64) -> Element<'static> {
    #[expect(clippy::cast_precision_loss, reason = "only good for a float")]
    i64::try_from(number)
        .map_or_else(|_| Element::Large(number.to_string(), number as f64), Element::Int)
}

fn bytes(bytes: &[u8]) -> Element<'_> {
    str::from_utf8(bytes).map_or(Element::Bytes, Element::Text)
}

/// Returns a moment or a duration. A time of day is a duration since midnight.
fn temporal(array: &dyn Array, row: usize) -> Element<'_> {
    use event::TimeUnit::{Micros, Millis, Nanos, Seconds};
    match array.data_type() {
        DataType::Timestamp(unit, _) => {
            let number = match unit {
                TimeUnit::Second => native::<TimestampSecondType>(array, row),
                TimeUnit::Millisecond => native::<TimestampMillisecondType>(array, row),
                TimeUnit::Microsecond => native::<TimestampMicrosecondType>(array, row),
                TimeUnit::Nanosecond => native::<TimestampNanosecondType>(array, row),
            };
            Element::Time(number, unit_of(*unit))
        }
        DataType::Date32 => {
            Element::Time(i64::from(native::<Date32Type>(array, row)) * 86_400, Seconds)
        }
        DataType::Date64 => Element::Time(native::<Date64Type>(array, row), Millis),
        DataType::Duration(unit) => {
            let number = match unit {
                TimeUnit::Second => native::<DurationSecondType>(array, row),
                TimeUnit::Millisecond => native::<DurationMillisecondType>(array, row),
                TimeUnit::Microsecond => native::<DurationMicrosecondType>(array, row),
                TimeUnit::Nanosecond => native::<DurationNanosecondType>(array, row),
            };
            Element::Duration(number, unit_of(*unit))
        }
        DataType::Time32(TimeUnit::Second) => {
            Element::Duration(native::<Time32SecondType>(array, row).into(), Seconds)
        }
        DataType::Time32(_) => {
            Element::Duration(native::<Time32MillisecondType>(array, row).into(), Millis)
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            Element::Duration(native::<Time64MicrosecondType>(array, row), Micros)
        }
        _ => Element::Duration(native::<Time64NanosecondType>(array, row), Nanos),
    }
}

fn in_dictionary(array: &dyn Array, row: usize) -> Element<'_> {
    let dictionary = array.as_any_dictionary();
    let keys = dictionary.keys();
    let key = match keys.data_type() {
        DataType::Int8 => key::<Int8Type>(keys, row),
        DataType::Int16 => key::<Int16Type>(keys, row),
        DataType::Int32 => key::<Int32Type>(keys, row),
        DataType::Int64 => key::<Int64Type>(keys, row),
        DataType::UInt8 => key::<UInt8Type>(keys, row),
        DataType::UInt16 => key::<UInt16Type>(keys, row),
        DataType::UInt32 => key::<UInt32Type>(keys, row),
        _ => key::<UInt64Type>(keys, row),
    };
    match key {
        Some(key) if key < dictionary.values().len() => element(dictionary.values(), key),
        _ => Element::Null,
    }
}

fn key<K: ArrowDictionaryKeyType>(keys: &dyn Array, row: usize) -> Option<usize> {
    use arrow_buffer::ArrowNativeType as _;
    native::<K>(keys, row).to_usize()
}

/// Returns a decimal number: whole without a fraction, else the nearest float.
fn decimal(array: &dyn Array, row: usize) -> Element<'_> {
    match array.data_type() {
        DataType::Decimal32(precision, scale) => {
            let number = i128::from(native::<Decimal32Type>(array, row));
            decimal_of::<Decimal128Type>(Some(number), number, (*precision, *scale))
        }
        DataType::Decimal64(precision, scale) => {
            let number = i128::from(native::<Decimal64Type>(array, row));
            decimal_of::<Decimal128Type>(Some(number), number, (*precision, *scale))
        }
        DataType::Decimal128(precision, scale) => {
            let number = native::<Decimal128Type>(array, row);
            decimal_of::<Decimal128Type>(Some(number), number, (*precision, *scale))
        }
        DataType::Decimal256(precision, scale) => {
            let number = native::<Decimal256Type>(array, row);
            decimal_of::<Decimal256Type>(number.to_i128(), number, (*precision, *scale))
        }
        _ => Element::Other,
    }
}

/// `small` is `number`, if it fits.
fn decimal_of<T: DecimalType>(
    small: Option<i128>,
    number: T::Native,
    (precision, scale): (u8, i8),
) -> Element<'static> {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    if scale == 0
        && let Some(number) = small.and_then(|number| i64::try_from(number).ok())
    {
        return Element::Int(number);
    }
    // A quotient of two numbers that floats hold exactly is the nearest float.
    if let (Some(number), Some(power)) =
        (small, usize::try_from(scale).ok().and_then(|scale| POWERS.get(scale)))
        && number.unsigned_abs() < 1 << 53
    {
        #[expect(clippy::cast_precision_loss, reason = "it is less than 2^53")]
        return Element::Float(number as f64 / power);
    }
    let text = T::format_decimal(number, precision, scale);
    let nearest = text.parse().unwrap_or(f64::NAN);
    if scale > 0 {
        return Element::Float(nearest);
    }
    text.parse().map_or_else(|_| Element::Large(text, nearest), Element::Int)
}

fn nested(array: &dyn Array, row: usize) -> Element<'_> {
    match array.data_type() {
        DataType::List(_) => Element::List(array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => Element::List(array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => Element::List(array.as_fixed_size_list().value(row)),
        DataType::ListView(_) => Element::List(array.as_list_view::<i32>().value(row)),
        DataType::LargeListView(_) => Element::List(array.as_list_view::<i64>().value(row)),
        DataType::Map(..) => Element::Map(array.as_map().value(row)),
        DataType::Null => Element::Null,
        _ => Element::Other,
    }
}

/// Converts the value of a row to a value of a declared type. Null gives null, which the caller has
/// to check.
///
/// # Errors
/// The reason why the value has no meaning for the type.
pub(crate) fn declared(
    array: &dyn Array,
    row: usize,
    ty: &FieldType,
    reading: &Reading,
) -> Result<Value, String> {
    let found = element(array, row);
    let value = match (&found, ty) {
        (Element::Null, _) => ValueRef::Null,
        (Element::Time(number, unit), FieldType::Time) => {
            return time_of(*number, *unit).map(Value::Time);
        }
        (Element::Duration(number, unit), FieldType::Duration) => {
            return match millis_of(*number, *unit) {
                Some(millis) => Ok(Value::Duration(millis)),
                None => Err(String::from("the duration is too long")),
            };
        }
        (Element::List(items), FieldType::List(item)) => return list(items, item, ty, reading),
        (_, FieldType::Any) => return dynamic(array, row),
        (Element::Bool(value), _) => ValueRef::Bool(*value),
        (Element::Int(number), _) => ValueRef::Int(*number),
        (Element::Large(digits, _), FieldType::Int) => {
            return Err(format!("{digits} is out of range for int"));
        }
        (Element::Large(_, number) | Element::Float(number), _) => ValueRef::Float(*number),
        (Element::Text(text), _) => ValueRef::String(text),
        _ => {
            return one_item(array, row, ty, reading)
                .unwrap_or_else(|| Err(format!("expected {ty}, found {found}")));
        }
    };
    // NaN and the infinities are floats like others, but JSON has none.
    match (value, ty) {
        (ValueRef::Float(number), FieldType::Float) => Ok(Value::Float(number)),
        _ => reading.value(ty, value),
    }
}

/// Returns the list of a single value, where a list is declared: many write one so.
fn one_item(
    array: &dyn Array,
    row: usize,
    ty: &FieldType,
    reading: &Reading,
) -> Option<Result<Value, String>> {
    let FieldType::List(item) = ty else { return None };
    if reading.is_strict || matches!(**item, FieldType::List(_)) {
        return None;
    }
    let item = declared(array, row, item, reading).ok()?;
    Some(Ok(Value::List([item].into())))
}

fn list(
    items: &ArrayRef,
    item: &FieldType,
    ty: &FieldType,
    reading: &Reading,
) -> Result<Value, String> {
    let mut values = Vec::with_capacity(items.len());
    for row in 0..items.len() {
        let reason = match declared(items, row, item, reading) {
            Ok(Value::Null) => format!("expected {item}, found null"),
            Ok(value) => {
                values.push(value);
                continue;
            }
            Err(reason) => reason,
        };
        return Err(wrong_element(ty, row + 1, &reason));
    }
    Ok(Value::List(values.into()))
}

/// Returns the value of a row for a field that is not declared. Fields of a struct that are null are
/// left out.
///
/// # Errors
/// The reason why no field can hold the value.
pub(crate) fn dynamic(array: &dyn Array, row: usize) -> Result<Value, String> {
    Ok(match element(array, row) {
        Element::Null => Value::Null,
        Element::Bool(value) => Value::Bool(value),
        Element::Int(number) => Value::Int(number),
        Element::Large(_, number) | Element::Float(number) => Value::Float(number),
        Element::Text(text) => Value::from(text),
        Element::Time(number, unit) => Value::Time(time_of(number, unit)?),
        Element::Duration(number, unit) => match millis_of(number, unit) {
            Some(millis) => Value::Duration(millis),
            None => return Err(String::from("the duration is too long")),
        },
        Element::List(items) => {
            let items = (0..items.len()).map(|row| dynamic(&items, row));
            Value::List(items.collect::<Result<Vec<Value>, String>>()?.into())
        }
        Element::Struct(array) => {
            let mut fields: Vec<(Arc<str>, Value)> = Vec::new();
            for (field, column) in array.fields().iter().zip(array.columns()) {
                let value = dynamic(column, row)?;
                if !value.is_null() {
                    fields.push((field.name().as_str().into(), value));
                }
            }
            Value::Record(fields.into())
        }
        Element::Map(entries) => {
            let mut fields: Vec<(Arc<str>, Value)> = Vec::new();
            for row in 0..entries.len() {
                let Element::Text(name) = element(entries.column(0), row) else {
                    return Err(String::from(
                        "expected an object, found a map with other keys than texts",
                    ));
                };
                fields.push((name.into(), dynamic(entries.column(1), row)?));
            }
            Value::Record(fields.into())
        }
        found @ (Element::Bytes | Element::Other) => {
            return Err(format!("expected a value, found {found}"));
        }
    })
}
