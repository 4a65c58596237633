//! The bytes of a value to JSON.

use std::fmt::Write as _;

use super::super::error::DecodeError;
use super::super::frame::Bytes;
use super::super::json::Json;
use super::super::time::Moment;
use super::decimal::decimal_text;
use super::plan::{Node, NodeId, Plan};

const MILLIS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

/// Writes a value as JSON. All of its bytes belong to it.
pub(super) fn read(plan: &Plan, bytes: Bytes<'_>, json: &mut Json<'_>) -> Result<(), DecodeError> {
    let mut reader = Reader { plan, bytes };
    reader.value(plan.root(), json)?;
    match reader.bytes.left().len() {
        0 => Ok(()),
        left => {
            let reason = format!("{left} bytes are left after the value: its schema is another");
            Err(DecodeError::poison(reason))
        }
    }
}

struct Reader<'a> {
    plan: &'a Plan,
    bytes: Bytes<'a>,
}

impl<'a> Reader<'a> {
    fn value(&mut self, id: NodeId, json: &mut Json<'_>) -> Result<(), DecodeError> {
        match self.plan.node(id) {
            Node::Null => json.null(),
            Node::Boolean => match self.bytes.array()? {
                [byte @ (0 | 1)] => json.bool(byte == 1),
                [byte] => Err(DecodeError::poison(format!("the byte {byte} is not a boolean"))),
            },
            Node::Int => json.number(self.int()?),
            Node::Long => json.number(self.bytes.long()?),
            Node::Float => json.f32(f32::from_le_bytes(self.bytes.array()?)),
            Node::Double => json.f64(f64::from_le_bytes(self.bytes.array()?)),
            Node::Bytes => json.base64(self.sized()?),
            Node::String => json.text(self.text()?),
            Node::Fixed(size) => json.base64(self.bytes.take(*size)?),
            Node::Array(item) => self.array(*item, json),
            Node::Map(item) => self.map(*item, json),
            Node::Union(variants) => match self.index(variants)? {
                // No union is within a union: this does not go deeper.
                Some(variant) => self.value(*variant, json),
                None => Err(DecodeError::poison("a union has no such type")),
            },
            Node::Enum(symbols) => match self.index(symbols)? {
                Some(symbol) => json.add(symbol),
                None => Err(DecodeError::poison("an enum has no such symbol")),
            },
            Node::Record(fields) => {
                json.open(b'{')?;
                for (index, field) in fields.iter().enumerate() {
                    if index > 0 {
                        json.add(b",")?;
                    }
                    json.add(&field.key)?;
                    self.value(field.node, json)?;
                }
                json.close(b'}')
            }
            Node::Decimal(..)
            | Node::BigDecimal
            | Node::Uuid { .. }
            | Node::Date
            | Node::Timestamp(_)
            | Node::Duration
            | Node::Reserved => self.logical(id, json),
        }
    }

    fn logical(&mut self, id: NodeId, json: &mut Json<'_>) -> Result<(), DecodeError> {
        match self.plan.node(id) {
            Node::Decimal(scale, size) => {
                let bytes = match size {
                    Some(size) => self.bytes.take(*size)?,
                    None => self.sized()?,
                };
                json.text(&decimal_text(bytes, *scale)?)
            }
            Node::BigDecimal => {
                let mut reader = Reader { plan: self.plan, bytes: Bytes::new(self.sized()?) };
                let unscaled = reader.sized()?;
                let scale = reader.bytes.long()?;
                json.text(&decimal_text(unscaled, scale)?)
            }
            Node::Uuid { has_length } => {
                let bytes = if *has_length { self.sized()? } else { self.bytes.take(16)? };
                let bytes: [u8; 16] =
                    bytes.try_into().map_err(|_| DecodeError::poison("a UUID has 16 bytes"))?;
                json.text(&uuid_text(bytes))
            }
            Node::Date => moment(Moment::of_day(self.int()?), json),
            Node::Timestamp(digits) => moment(Moment::of_parts(self.bytes.long()?, *digits), json),
            Node::Duration => {
                let parts: [[u8; 4]; 3] =
                    [self.bytes.array()?, self.bytes.array()?, self.bytes.array()?];
                let [months, days, millis] = parts.map(|part| i64::from(u32::from_le_bytes(part)));
                // A month has no fixed length. The sum fits: each part has 32 bits.
                json.number((months * 30 + days) * MILLIS_PER_DAY + millis)
            }
            _ => Err(DecodeError::poison("the schema is not whole")),
        }
    }

    fn int(&mut self) -> Result<i32, DecodeError> {
        i32::try_from(self.bytes.long()?)
            .map_err(|_| DecodeError::poison("an `int` has more than 32 bits"))
    }

    /// Reads bytes after their length.
    fn sized(&mut self) -> Result<&'a [u8], DecodeError> {
        let size = usize::try_from(self.bytes.long()?);
        self.bytes.take(size.map_err(|_| DecodeError::poison("a length is negative"))?)
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.sized()?)
            .map_err(|_| DecodeError::poison("a text is not valid UTF-8"))
    }

    /// Reads the index of one of several.
    fn index<'b, T>(&mut self, all: &'b [T]) -> Result<Option<&'b T>, DecodeError> {
        let index = usize::try_from(self.bytes.long()?).ok();
        Ok(index.and_then(|index| all.get(index)))
    }

    fn array(&mut self, item: NodeId, json: &mut Json<'_>) -> Result<(), DecodeError> {
        json.open(b'[')?;
        let mut is_first = true;
        loop {
            let count = self.block()?;
            if count == 0 {
                return json.close(b']');
            }
            for _ in 0..count {
                if !std::mem::take(&mut is_first) {
                    json.add(b",")?;
                }
                self.value(item, json)?;
            }
        }
    }

    fn map(&mut self, item: NodeId, json: &mut Json<'_>) -> Result<(), DecodeError> {
        json.open(b'{')?;
        let mut is_first = true;
        loop {
            let count = self.block()?;
            if count == 0 {
                return json.close(b'}');
            }
            for _ in 0..count {
                if !std::mem::take(&mut is_first) {
                    json.add(b",")?;
                }
                json.text(self.text()?)?;
                json.add(b":")?;
                self.value(item, json)?;
            }
        }
    }

    /// Reads the number of items of a block. It may be any number: items without bytes are written as
    /// JSON, which has a limit.
    fn block(&mut self) -> Result<u64, DecodeError> {
        let count = self.bytes.long()?;
        if count < 0 {
            // The bytes of the block follow, for readers that skip it.
            self.bytes.long()?;
        }
        Ok(count.unsigned_abs())
    }
}

fn moment(moment: Moment, json: &mut Json<'_>) -> Result<(), DecodeError> {
    json.add(b"")?;
    moment.write(json.out());
    Ok(())
}

fn uuid_text(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
