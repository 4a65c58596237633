//! The reasons why an input cannot be read, or results cannot be written.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;

use crate::format::ColumnFormat;

/// The reason why an input cannot be read any further, or why results cannot be written.
#[derive(Debug)]
pub struct ColumnarError(Cause);

#[derive(Debug)]
enum Cause {
    Io(io::Error),
    /// The input is damaged, or cannot be read for another reason.
    Input(String),
}

impl ColumnarError {
    pub(crate) fn new(reason: impl Into<String>) -> ColumnarError {
        ColumnarError(Cause::Input(reason.into()))
    }

    /// True if the system failed to read or write, and the input itself may be fine.
    pub fn is_io(&self) -> bool {
        matches!(self.0, Cause::Io(_))
    }

    pub(crate) fn damaged(format: ColumnFormat, message: &str) -> ColumnarError {
        let message = message.lines().next().unwrap_or_default().trim_end_matches('.');
        ColumnarError::new(format!("the {format} is damaged or cut off: {message}"))
    }

    /// Returns the error for one of the Parquet reader.
    pub(crate) fn of_parquet(error: ParquetError) -> ColumnarError {
        let message = match error {
            ParquetError::External(cause) => match cause.downcast::<io::Error>() {
                Ok(error) => return ColumnarError::of_io(ColumnFormat::Parquet, *error),
                Err(cause) => cause.to_string(),
            },
            ParquetError::General(message)
            | ParquetError::NYI(message)
            | ParquetError::EOF(message)
            | ParquetError::ArrowError(message) => message,
            other => other.to_string(),
        };
        ColumnarError::damaged(ColumnFormat::Parquet, &message)
    }

    /// Returns the error for one of Arrow's readers.
    pub(crate) fn of_arrow(format: ColumnFormat, error: ArrowError) -> ColumnarError {
        let message = match error {
            ArrowError::IoError(_, error) => return ColumnarError::of_io(format, error),
            ArrowError::ParquetError(message)
            | ArrowError::ParseError(message)
            | ArrowError::SchemaError(message)
            | ArrowError::InvalidArgumentError(message)
            | ArrowError::IpcError(message) => message,
            ArrowError::ExternalError(cause) => match cause.downcast::<ParquetError>() {
                Ok(error) => return ColumnarError::of_parquet(*error),
                Err(cause) => cause.to_string(),
            },
            other => other.to_string(),
        };
        if message.contains("requires the zstd feature") {
            return ColumnarError::no_codec(format, "zstd");
        }
        ColumnarError::damaged(format, &message)
    }

    pub(crate) fn of_io(format: ColumnFormat, error: io::Error) -> ColumnarError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => ColumnarError::damaged(format, "unexpected end"),
            // A decoder says that its bytes are damaged.
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
                ColumnarError::damaged(format, &error.to_string())
            }
            _ => error.into(),
        }
    }

    /// Returns the error for an input of another format.
    pub(crate) fn other_format() -> ColumnarError {
        ColumnarError::new("the input is neither Parquet nor Arrow IPC")
    }

    /// Returns the error for a codec that this build has not.
    pub(crate) fn no_codec(format: ColumnFormat, codec: &str) -> ColumnarError {
        let others = match format {
            ColumnFormat::Parquet => "snappy, lz4_raw, gzip or brotli",
            ColumnFormat::ArrowFile | ColumnFormat::ArrowStream => "lz4",
        };
        let feature = match codec {
            "zstd" => "build kleene with the feature `zstd`, or ",
            _ => "",
        };
        ColumnarError::new(format!(
            "the {format} is compressed with {codec}, which this build cannot read\n\
             help: {feature}write it with {others}, or without compression"
        ))
    }
}

impl From<io::Error> for ColumnarError {
    fn from(error: io::Error) -> ColumnarError {
        ColumnarError(Cause::Io(error))
    }
}

impl fmt::Display for ColumnarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Io(error) => error.fmt(f),
            Cause::Input(reason) => f.write_str(reason),
        }
    }
}

impl Error for ColumnarError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Cause::Io(error) => Some(error),
            Cause::Input(_) => None,
        }
    }
}

/// Runs a decoder, and makes an error of a panic in it.
///
/// The decoders check most of what they read, but not everything: a length that contradicts another
/// one can still hit an assertion. A panic there is a property of the input, as an error is. After
/// one, the caller drops the decoder, so that no half-changed state is used.
pub(crate) fn guarded<T>(
    format: ColumnFormat,
    decode: impl FnOnce() -> Result<T, ColumnarError>,
) -> Result<T, ColumnarError> {
    let message = |panic: &(dyn Any + Send)| match panic.downcast_ref::<String>() {
        Some(message) => message.clone(),
        None => panic.downcast_ref::<&str>().map_or("it cannot be decoded", |text| text).to_owned(),
    };
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|panic| Err(ColumnarError::damaged(format, &message(&*panic))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_of_arrow_that_is_not_built_in_is_named() {
        let message = "zstd IPC decompression requires the zstd feature".into();
        let error = ArrowError::InvalidArgumentError(message);
        assert_eq!(
            ColumnarError::of_arrow(ColumnFormat::ArrowStream, error).to_string(),
            "the Arrow IPC stream is compressed with zstd, which this build cannot read\n\
             help: build kleene with the feature `zstd`, or write it with lz4, or without \
             compression"
        );
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let format = ColumnFormat::Parquet;
        let error = guarded::<()>(format, || panic!("index {} is beyond the end", 7));
        assert_eq!(
            error.map_err(|error| error.to_string()),
            Err("the Parquet is damaged or cut off: index 7 is beyond the end".into())
        );
    }

    #[test]
    fn an_error_of_the_system_stays_one() {
        let error = || io::Error::from(io::ErrorKind::PermissionDenied);
        let cause = ParquetError::External(Box::new(error()));
        assert!(ColumnarError::of_parquet(cause).is_io());
        let error = ArrowError::IoError(String::new(), error());
        assert!(ColumnarError::of_arrow(ColumnFormat::ArrowFile, error).is_io());
    }
}
