//! Tests of the decoders from outside: values that other programs write, and a registry that is faked.

mod avro;
mod hostile;
mod protobuf;
mod registry;

use serde_json::Value;

use super::{DecodeError, ValueDecoder};

/// Decodes a value, which must become JSON without a newline.
fn decode(decoder: &mut dyn ValueDecoder, value: &[u8]) -> Result<Value, DecodeError> {
    let mut json = b"before".to_vec();
    let decoded = decoder.decode("orders", value, &mut json);
    let text = json.strip_prefix(b"before").unwrap();
    match decoded {
        Ok(()) => {
            assert!(!text.contains(&b'\n'));
            Ok(serde_json::from_slice(text).unwrap())
        }
        Err(error) => {
            assert!(text.is_empty());
            Err(error)
        }
    }
}

/// Adds the frame of a registry.
fn framed(id: u32, rest: &[&[u8]]) -> Vec<u8> {
    let mut value = vec![0];
    value.extend(id.to_be_bytes());
    value.extend(rest.concat());
    value
}
