//! Values as snapshots write them: a byte that says what it is, and what there is to say of it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::time::Timestamp;
use crate::util::wire::{Reader, put_bytes, put_i64, put_len};
use crate::value::{Value, ValueRef};

/// The largest depth of lists and records in bytes. Deeper values are written as null.
pub(crate) const MAX_DEPTH: usize = 500;

// docs/format.md describes these bytes; the numbers never change.
const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const FLOAT: u8 = 4;
const STRING: u8 = 5;
const TIME: u8 = 6;
const DURATION: u8 = 7;
const IP_V4: u8 = 8;
const IP_V6: u8 = 9;
const LIST: u8 = 10;
const RECORD: u8 = 11;

/// Appends a value.
pub fn put_value(out: &mut Vec<u8>, value: ValueRef<'_>) {
    put(out, value, MAX_DEPTH);
}

fn put(out: &mut Vec<u8>, value: ValueRef<'_>, depth: usize) {
    match value {
        ValueRef::Null => out.push(NULL),
        ValueRef::Bool(b) => out.push(if b { TRUE } else { FALSE }),
        ValueRef::Int(i) => {
            out.push(INT);
            put_i64(out, i);
        }
        ValueRef::Float(x) => {
            out.push(FLOAT);
            out.extend_from_slice(&x.to_bits().to_le_bytes());
        }
        ValueRef::String(text) => {
            out.push(STRING);
            put_bytes(out, text.as_bytes());
        }
        ValueRef::Time(time) => {
            out.push(TIME);
            put_i64(out, time.as_millis());
        }
        ValueRef::Duration(millis) => {
            out.push(DURATION);
            put_i64(out, millis);
        }
        ValueRef::Ip(IpAddr::V4(ip)) => {
            out.push(IP_V4);
            out.extend_from_slice(&ip.octets());
        }
        ValueRef::Ip(IpAddr::V6(ip)) => {
            out.push(IP_V6);
            out.extend_from_slice(&ip.octets());
        }
        ValueRef::List(_) | ValueRef::Items(_) | ValueRef::Record(_) if depth == 0 => {
            out.push(NULL);
        }
        ValueRef::List(items) => {
            out.push(LIST);
            put_len(out, items.len());
            for item in items {
                put(out, item.as_ref(), depth - 1);
            }
        }
        ValueRef::Items(items) => {
            out.push(LIST);
            put_len(out, items.len());
            (0..items.len()).for_each(|index| put(out, items.get(index), depth - 1));
        }
        ValueRef::Record(fields) => {
            out.push(RECORD);
            put_len(out, fields.len());
            for (name, value) in fields {
                put_bytes(out, name.as_bytes());
                put(out, value.as_ref(), depth - 1);
            }
        }
    }
}

/// Reads a value; `None` if the bytes are none.
pub fn read_value(reader: &mut Reader<'_>) -> Option<Value> {
    read(reader, MAX_DEPTH)
}

fn read(reader: &mut Reader<'_>, depth: usize) -> Option<Value> {
    Some(match reader.u8()? {
        NULL => Value::Null,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        INT => Value::Int(reader.i64()?),
        FLOAT => Value::Float(f64::from_bits(u64::from_le_bytes(reader.array()?))),
        STRING => Value::String(reader.str()?.into()),
        TIME => Value::Time(Timestamp::from_millis(reader.i64()?)),
        DURATION => Value::Duration(reader.i64()?),
        IP_V4 => Value::Ip(IpAddr::from(reader.array::<4>()?)),
        IP_V6 => Value::Ip(IpAddr::from(reader.array::<16>()?)),
        LIST => Value::List(read_list(reader, depth.checked_sub(1)?)?.into()),
        RECORD => {
            let depth = depth.checked_sub(1)?;
            let count = reader.count()?;
            let mut fields: Vec<(Arc<str>, Value)> = Vec::new();
            for _ in 0..count {
                let name = reader.str()?.into();
                fields.push((name, read(reader, depth)?));
            }
            Value::Record(fields.into())
        }
        _ => return None,
    })
}

fn read_list(reader: &mut Reader<'_>, depth: usize) -> Option<Vec<Value>> {
    let count = reader.count()?;
    // It grows as values are there, not as the count promises.
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(read(reader, depth)?);
    }
    Some(items)
}

/// Appends several values with their number.
pub fn put_values<'a>(out: &mut Vec<u8>, values: impl ExactSizeIterator<Item = ValueRef<'a>>) {
    put_len(out, values.len());
    values.for_each(|value| put_value(out, value));
}

/// Reads several values with their number.
pub fn read_values(reader: &mut Reader<'_>) -> Option<Vec<Value>> {
    read_list(reader, MAX_DEPTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: Vec<Value>) -> Value {
        Value::List(items.into())
    }

    fn nested(depth: usize) -> Value {
        (0..depth).fold(Value::Int(1), |value, _| list(vec![value]))
    }

    #[test]
    fn values_come_back_bit_by_bit() {
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Bool(false),
            Value::Int(i64::MIN),
            Value::Float(-0.0),
            Value::Float(f64::from_bits(0x7ff8_0000_0000_0001)),
            Value::from("a \u{1f600}"),
            Value::Time(Timestamp::MAX),
            Value::Duration(-5),
            Value::Ip(IpAddr::from([127, 0, 0, 1])),
            Value::Ip(IpAddr::from([1; 16])),
            list(vec![]),
            nested(MAX_DEPTH),
            Value::Record([("x".into(), list(vec![Value::Null, Value::Int(2)]))].into()),
        ];
        for value in values {
            let mut out = Vec::new();
            put_value(&mut out, value.as_ref());
            let mut reader = Reader::new(&out);
            let back = read_value(&mut reader).expect("it was written");
            assert!(reader.is_at_end());
            let mut again = Vec::new();
            put_value(&mut again, back.as_ref());
            assert_eq!(out, again, "{value}");
        }
    }

    #[test]
    fn depth_is_bounded_both_ways() {
        let mut out = Vec::new();
        put_value(&mut out, nested(MAX_DEPTH + 2).as_ref());
        assert!(read_value(&mut Reader::new(&out)).is_some());
        let deep: Vec<u8> = [LIST, 1].repeat(100_000);
        assert_eq!(read_value(&mut Reader::new(&deep)), None);
    }
}
