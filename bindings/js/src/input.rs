//! Events as text or bytes, ready to be decoded.

use kleene::schema::Schema;
use kleene_input::{Block, Form, Format, Parser, Reading, is_gzip, unpack};

use crate::fault::{Fault, FaultKind};
use crate::options::Options;

/// An input in memory. All of it is one block.
#[derive(Debug)]
pub struct Input {
    /// The lines.
    pub block: Block,
    /// How they are written.
    pub form: Form,
    /// How they are read.
    pub reading: Reading,
}

impl Input {
    /// Takes bytes, which may be packed with gzip.
    ///
    /// # Errors
    /// They cannot be unpacked, are too many, or an option has no meaning.
    pub fn new(bytes: Vec<u8>, options: &Options) -> Result<Input, Fault> {
        let most = options.max_bytes().min(u32::MAX.into());
        let too_many = || {
            Fault::new(
                FaultKind::Limit,
                format!("the input is longer than {most} bytes; `maxBytes` allows more"),
            )
        };
        let mut bytes = if is_gzip(&bytes) {
            let unpacked = unpack(&bytes, most).map_err(|error| {
                Fault::new(FaultKind::Events, format!("the input cannot be unpacked: {error}"))
            })?;
            unpacked.ok_or_else(too_many)?
        } else {
            bytes
        };
        if bytes.len() as u64 > most {
            return Err(too_many());
        }
        // A byte order mark says nothing in UTF-8.
        if bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        let (form, reading) = (options.form(&bytes)?, options.reading()?);
        Ok(Input { block: Block::new(bytes, 1), form, reading })
    }

    /// Takes bytes of a known format, which are not packed.
    ///
    /// # Errors
    /// An option has no meaning.
    pub fn in_format(bytes: Vec<u8>, options: &Options, format: Format) -> Result<Input, Fault> {
        let form = Form { format, ..options.form(b"")? };
        Ok(Input { block: Block::new(bytes, 1), form, reading: options.reading()? })
    }

    /// No bytes.
    pub fn empty() -> Input {
        let form = Form { format: Format::Jsonl, delimiter: b',', max_line: 0 };
        Input { block: Block::default(), form, reading: Reading::default() }
    }

    /// Returns a parser for events of the types of `schema`, if they are `declared`.
    pub fn parser(&self, schema: &Schema, declared: &Schema) -> Parser {
        let mut parser = Parser::new(self.form, declared, self.reading.clone());
        parser.renew(schema, declared);
        parser
    }
}
