//! Decoders of the values of topics, by the configuration.

use anyhow::Result;
use kleene_kafka::formats::ValueDecoder;
#[cfg(any(feature = "avro", feature = "protobuf"))]
use kleene_kafka::formats::{Framing, Registry};

use crate::config::Encoding;
#[cfg(any(feature = "avro", feature = "protobuf"))]
use crate::config::{SchemaPlace, Secret};

/// Returns the decoder of an encoding; `None` for JSON, which needs none.
///
/// # Errors
/// A file of a schema cannot be used.
pub(super) fn decoder(encoding: &Encoding) -> Result<Option<Box<dyn ValueDecoder>>> {
    match encoding {
        Encoding::Json => Ok(None),
        #[cfg(feature = "avro")]
        Encoding::Avro(place) => {
            use kleene_kafka::formats::AvroDecoder;
            Ok(Some(Box::new(match place {
                SchemaPlace::Registry(url) => AvroDecoder::from_registry(registry(url)?),
                SchemaPlace::File { path, is_framed } => {
                    AvroDecoder::from_file(path, framing(*is_framed))?
                }
            })))
        }
        #[cfg(feature = "protobuf")]
        Encoding::Protobuf { schema, message } => {
            use kleene_kafka::formats::ProtobufDecoder;
            Ok(Some(Box::new(match schema {
                SchemaPlace::Registry(url) => {
                    ProtobufDecoder::from_registry(registry(url)?, message.clone())
                }
                SchemaPlace::File { path, is_framed } => {
                    let message = message.as_deref().unwrap_or_default();
                    ProtobufDecoder::from_file(path, message, framing(*is_framed))?
                }
            })))
        }
        // The configuration file was refused: see `config/check.rs`.
        #[cfg(not(all(feature = "avro", feature = "protobuf")))]
        other => anyhow::bail!("this program cannot read {other:?}"),
    }
}

#[cfg(any(feature = "avro", feature = "protobuf"))]
fn registry(url: &Secret) -> Result<Registry> {
    Ok(Registry::new(url.reveal())?)
}

#[cfg(any(feature = "avro", feature = "protobuf"))]
fn framing(is_framed: bool) -> Framing {
    if is_framed { Framing::Framed } else { Framing::Bare }
}
