//! Values of records in Avro and Protobuf as JSON, with the features `avro` and `protobuf`.
//!
//! A [`ValueDecoder`] knows the schema of a topic, or finds it in a registry of schemas, and writes
//! each value as one line of JSON. Both formats write alike:
//!
//! | value | JSON |
//! |---|---|
//! | a moment in time, a date | text in RFC 3339, with the precision of the value |
//! | a duration | a number of milliseconds |
//! | bytes | text in Base64 |
//! | an enum | the name of its value |
//! | a float that is not a number, or infinite | `null` |
//!
//! A moment outside of the years 0 to 9999, which RFC 3339 does not have, is `null`.
//!
//! No field is added: the type of the event is a field of the value, or is fixed for the topic.
//!
//! Values are untrusted. A value is refused if its objects and lists are nested deeper than 64, or if
//! its JSON is longer than 64 MiB. No memory is reserved because of a length in a value.

#[cfg(feature = "avro")]
mod avro;
#[cfg(any(feature = "avro", feature = "protobuf"))]
mod by_id;
mod decoder;
mod error;
#[cfg(any(feature = "avro", feature = "protobuf"))]
mod frame;
#[cfg(any(feature = "avro", feature = "protobuf"))]
mod json;
#[cfg(feature = "protobuf")]
mod protobuf;
#[cfg(any(feature = "avro", feature = "protobuf"))]
mod registry;
#[cfg(any(feature = "avro", feature = "protobuf"))]
mod time;

#[cfg(test)]
#[cfg(all(feature = "avro", feature = "protobuf"))]
mod tests;

#[cfg(feature = "avro")]
pub use avro::AvroDecoder;
pub use decoder::ValueDecoder;
pub use error::{DecodeError, DecodeErrorKind, SchemaError};
#[cfg(any(feature = "avro", feature = "protobuf"))]
pub use frame::Framing;
#[cfg(feature = "protobuf")]
pub use protobuf::ProtobufDecoder;
#[cfg(any(feature = "avro", feature = "protobuf"))]
pub use registry::Registry;
