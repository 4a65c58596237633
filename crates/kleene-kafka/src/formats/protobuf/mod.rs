//! Values in Protobuf, read by reflection.

mod schema;
mod write;

use std::path::Path;

use prost_reflect::{DescriptorPool, DynamicMessage, FileDescriptor, MessageDescriptor};

use self::schema::compile;
use super::by_id::ById;
use super::decoder::ValueDecoder;
use super::error::{DecodeError, SchemaError};
use super::frame::{Bytes, Framing};
use super::json::Json;
use super::registry::{Registry, SchemaText};

/// Writes messages of Protobuf as JSON.
///
/// Fields have the names of the `.proto` file, and whole numbers of 64 bits are numbers, unlike in the
/// JSON mapping of Protobuf. A field without a value has its default. A message, a member of a `oneof`
/// and an `optional` field without a value are left out, and so are extensions and fields that the
/// schema does not have.
#[derive(Debug)]
pub struct ProtobufDecoder {
    schemas: Schemas,
}

#[derive(Debug)]
enum Schemas {
    File(MessageDescriptor, Framing),
    Registry { schemas: ById<FileDescriptor>, message: Option<String> },
}

impl ProtobufDecoder {
    /// Reads values as a message that a file describes, written by
    /// `protoc --include_imports --descriptor_set_out`.
    ///
    /// # Errors
    /// The file cannot be read, is no set of descriptors, or does not have the message.
    pub fn from_file(
        path: &Path,
        message: &str,
        framing: Framing,
    ) -> Result<ProtobufDecoder, SchemaError> {
        let named = |reason: String| SchemaError::new(format!("{}: {reason}", path.display()));
        let descriptors = std::fs::read(path).map_err(|error| named(error.to_string()))?;
        ProtobufDecoder::from_descriptors(&descriptors, message, framing)
            .map_err(|error| named(error.to_string()))
    }

    /// Reads values as a message of a `FileDescriptorSet`.
    ///
    /// # Errors
    /// The bytes are no set of descriptors, or do not have the message.
    pub fn from_descriptors(
        descriptors: &[u8],
        message: &str,
        framing: Framing,
    ) -> Result<ProtobufDecoder, SchemaError> {
        let pool = DescriptorPool::decode(descriptors).map_err(|error| {
            SchemaError::new(format!(
                "not a set of descriptors with all imports (`protoc --include_imports \
                 --descriptor_set_out`): {error}"
            ))
        })?;
        let Some(found) = pool.get_message_by_name(message) else {
            return Err(SchemaError::new(format!("there is no message {message}")));
        };
        Ok(ProtobufDecoder { schemas: Schemas::File(found, framing) })
    }

    /// Reads framed values by the schemas of a registry. A value names its message. If `message` is
    /// given, a value that is another message is refused.
    pub fn from_registry(registry: Registry, message: Option<String>) -> ProtobufDecoder {
        let schemas = ById::new(registry, "PROTOBUF");
        ProtobufDecoder { schemas: Schemas::Registry { schemas, message } }
    }

    /// Reads what is before the message, and returns the message.
    fn message(
        &mut self,
        topic: &str,
        bytes: &mut Bytes<'_>,
    ) -> Result<MessageDescriptor, DecodeError> {
        match &mut self.schemas {
            Schemas::File(message, framing) => {
                if *framing == Framing::Framed {
                    bytes.schema_id()?;
                    bytes.message_indexes()?;
                }
                Ok(message.clone())
            }
            Schemas::Registry { schemas, message } => {
                let id = bytes.schema_id()?;
                let build = |schema: &SchemaText| compile(id, schema);
                let file = schemas.get(id, topic, build)?;
                let found = find(file, &bytes.message_indexes()?).ok_or_else(|| {
                    DecodeError::poison(format!("the schema {id} does not have the message"))
                })?;
                match message {
                    Some(name) if found.full_name() != name => Err(DecodeError::poison(format!(
                        "the message is {}, not {name}",
                        found.full_name()
                    ))),
                    _ => Ok(found),
                }
            }
        }
    }
}

impl ValueDecoder for ProtobufDecoder {
    fn decode(&mut self, topic: &str, value: &[u8], json: &mut Vec<u8>) -> Result<(), DecodeError> {
        let mut bytes = Bytes::new(value);
        let message = self.message(topic, &mut bytes)?;
        let message = DynamicMessage::decode(message, bytes.left())
            .map_err(|error| DecodeError::poison(error.to_string()))?;
        let start = json.len();
        let written = write::write(&message, &mut Json::new(json));
        if written.is_err() {
            json.truncate(start);
        }
        written
    }
}

/// Returns the message at a path: the index of a message, then of a message within.
fn find(file: &FileDescriptor, indexes: &[usize]) -> Option<MessageDescriptor> {
    let (first, rest) = indexes.split_first()?;
    let outer = file.messages().nth(*first)?;
    // The type of the entries of a map is not in the text of the schema: it has no index.
    rest.iter().try_fold(outer, |message, index| {
        message.child_messages().filter(|child| !child.is_map_entry()).nth(*index)
    })
}
