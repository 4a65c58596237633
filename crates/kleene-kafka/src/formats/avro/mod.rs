//! Values in Avro.
//!
//! `apache-avro` parses the schemas. It does not read the values: it has no limit on their depth, so
//! that a value of a recursive type could overflow the stack, and a length in a value makes it reserve
//! up to 512 MiB. The reader here writes JSON as it reads, without values in between. The tests hold
//! it against `apache-avro`.

mod decimal;
mod plan;
mod read;

use std::path::Path;

use self::plan::Plan;
use super::by_id::ById;
use super::decoder::ValueDecoder;
use super::error::{DecodeError, SchemaError};
use super::frame::{Bytes, Framing};
use super::json::Json;
use super::registry::{Registry, SchemaText};

/// Writes values in Avro as JSON, each by the schema that it was written with.
///
/// A union is the JSON of its value, without the name of its type. A decimal number is a text, a time
/// of day a whole number. A duration has 30 days for each month. A timestamp without a time zone
/// (`local-timestamp-*`) is taken as UTC.
#[derive(Debug)]
pub struct AvroDecoder {
    schemas: Schemas,
}

#[derive(Debug)]
enum Schemas {
    File(Plan, Framing),
    Registry(ById<Plan>),
}

impl AvroDecoder {
    /// Reads values by the schema in a file (`.avsc`).
    ///
    /// # Errors
    /// The file cannot be read, or is not a schema.
    pub fn from_file(path: &Path, framing: Framing) -> Result<AvroDecoder, SchemaError> {
        let named = |reason: String| SchemaError::new(format!("{}: {reason}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
        AvroDecoder::from_schema(&text, framing).map_err(|error| named(error.to_string()))
    }

    /// Reads values by a schema.
    ///
    /// # Errors
    /// The text is not a schema.
    pub fn from_schema(text: &str, framing: Framing) -> Result<AvroDecoder, SchemaError> {
        let plan = Plan::parse(text, &[]).map_err(SchemaError::new)?;
        Ok(AvroDecoder { schemas: Schemas::File(plan, framing) })
    }

    /// Reads framed values by the schemas of a registry.
    pub fn from_registry(registry: Registry) -> AvroDecoder {
        AvroDecoder { schemas: Schemas::Registry(ById::new(registry, "AVRO")) }
    }
}

impl ValueDecoder for AvroDecoder {
    fn decode(&mut self, topic: &str, value: &[u8], json: &mut Vec<u8>) -> Result<(), DecodeError> {
        let mut bytes = Bytes::new(value);
        let plan = match &mut self.schemas {
            Schemas::File(plan, Framing::Bare) => plan,
            Schemas::File(plan, Framing::Framed) => {
                bytes.schema_id()?;
                plan
            }
            Schemas::Registry(schemas) => {
                let build = |schema: &SchemaText| Plan::parse(&schema.text, &schema.references);
                schemas.get(bytes.schema_id()?, topic, build)?
            }
        };
        let start = json.len();
        let read = read::read(plan, bytes, &mut Json::new(json));
        if read.is_err() {
            json.truncate(start);
        }
        read
    }
}
