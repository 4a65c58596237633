//! Values of records in Avro and Protobuf as JSON.
//!
//! A [`ValueDecoder`] knows the schema of a topic, or finds it in a [`Registry`], and writes each value
//! as one line of JSON. Both formats write alike:
//!
//! | value | JSON |
//! |---|---|
//! | a moment in time, a date | text in RFC 3339, with the precision of the value |
//! | a duration | a number of milliseconds |
//! | bytes | text in Base64 |
//! | an enum | the name of its value |
//! | a float that is not a number, or infinite | `null` |
//!
//! No field is added: the type of the event is a field of the value, or is fixed for the topic.
//!
//! Values are untrusted. A value is refused if it is nested deeper than [`MAX_DEPTH`], or if its JSON
//! is longer than [`MAX_JSON`]. No memory is reserved because of a length in a value.

#[cfg(feature = "avro")]
mod avro;
mod by_id;
mod error;
mod frame;
mod json;
#[cfg(feature = "protobuf")]
mod protobuf;
mod registry;
mod time;

#[cfg(all(test, feature = "avro", feature = "protobuf"))]
mod tests;

#[cfg(feature = "avro")]
pub use avro::AvroDecoder;
pub use error::{DecodeError, DecodeErrorKind, SchemaError};
pub use frame::Framing;
pub use json::{MAX_DEPTH, MAX_JSON};
#[cfg(feature = "protobuf")]
pub use protobuf::ProtobufDecoder;
pub use registry::Registry;

/// Writes the values of the records of a topic as JSON.
pub trait ValueDecoder: Send {
    /// Appends the JSON of a value to `json`, without a newline. After an error `json` is as before.
    ///
    /// # Errors
    /// The value does not fit its schema, or the schema cannot be had: see [`DecodeErrorKind`].
    fn decode(&mut self, topic: &str, value: &[u8], json: &mut Vec<u8>) -> Result<(), DecodeError>;
}

/// Returns bytes as text in Base64.
pub fn base64_text(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
