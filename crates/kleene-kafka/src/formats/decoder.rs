//! What reads the values of a topic.

use std::fmt;

use super::error::DecodeError;

/// Writes the values of the records of a topic as JSON.
pub trait ValueDecoder: fmt::Debug + Send {
    /// Appends the JSON of a value to `json`, without a newline. After an error `json` is as before.
    ///
    /// # Errors
    /// The value does not fit its schema, or the schema cannot be had: see
    /// [`DecodeErrorKind`](super::DecodeErrorKind).
    fn decode(&mut self, topic: &str, value: &[u8], json: &mut Vec<u8>) -> Result<(), DecodeError>;
}
