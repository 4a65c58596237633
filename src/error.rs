//! The superset of the library's errors.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use kleene_engine::pattern::PatternError;
use kleene_engine::ruleset::RulesError;
use kleene_engine::stream::{BuildError, PushError, Refused, RestoreError};
use kleene_event::event::{BatchError, RecordError};
use kleene_event::time::ParseTimestampError;
#[cfg(feature = "serde")]
use kleene_event::value::DecodeError;
use kleene_syntax::diagnostic::UnknownCode;

/// Defines [`Error`] with a variant for each error of the library.
macro_rules! superset {
    ($($(#[doc = $doc:literal])+ $(#[cfg($cfg:meta)])? $variant:ident($error:ty),)*) => {
        /// Any error of the library, for functions that use several of its parts. `?` converts each
        /// error, also those of `kleene-runner` and `kleene-explain`. `Display` and `source` are
        /// those of the error itself.
        ///
        /// ```
        /// use kleene::stream::Ignore;
        /// use kleene::{Engine, Record, RuleSet, Timestamp};
        ///
        /// fn count(text: &str) -> Result<u64, kleene::Error> {
        ///     let rules = RuleSet::parse(text)?;
        ///     let mut engine = Engine::builder().rules(&rules).build()?;
        ///     let at = Timestamp::from_millis(1000);
        ///     let paid = Record::from_fields(rules.schema(), "paid", [("at", at.into())])?;
        ///     engine.push(&paid, &mut Ignore)?;
        ///     engine.end_time(&mut Ignore)?;
        ///     Ok(engine.stats().matches)
        /// }
        ///
        /// assert_eq!(count("event paid { at: time } rule all { match paid }")?, 1);
        /// assert!(matches!(count("rule all { match paid }"), Err(kleene::Error::Rules(_))));
        /// # Ok::<(), kleene::Error>(())
        /// ```
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum Error {
            $($(#[doc = $doc])+ $(#[cfg($cfg)])? $variant($error),)*
            /// An error of a crate that builds on the library, such as `kleene-runner`.
            Other(Arc<dyn StdError + Send + Sync>),
        }

        impl fmt::Display for Error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $($(#[cfg($cfg)])? Error::$variant(error) => error.fmt(f),)*
                    Error::Other(error) => error.fmt(f),
                }
            }
        }

        impl StdError for Error {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                match self {
                    $($(#[cfg($cfg)])? Error::$variant(error) => error.source(),)*
                    Error::Other(error) => error.source(),
                }
            }
        }

        $($(#[cfg($cfg)])? impl From<$error> for Error {
            fn from(error: $error) -> Error {
                Error::$variant(error)
            }
        })*
    };
}

impl Error {
    /// Wraps an error of a crate that builds on the library. Such a crate implements
    /// `From<ItsError> for kleene::Error` with it.
    pub fn other(error: impl StdError + Send + Sync + 'static) -> Error {
        Error::Other(Arc::new(error))
    }
}

superset! {
    /// Rule text has mistakes.
    Rules(RulesError),
    /// A pattern of the builder has a mistake.
    Pattern(PatternError),
    /// An engine cannot be built.
    Build(BuildError),
    /// An engine has stopped.
    Push(PushError),
    /// Rules cannot be replaced.
    Replace(Refused),
    /// A snapshot cannot be restored.
    Restore(RestoreError),
    /// A record cannot be made of fields.
    Record(RecordError),
    /// Columns do not make a batch.
    Batch(BatchError),
    /// The text is not a timestamp.
    Timestamp(ParseTimestampError),
    /// The text is not the code of a diagnostic.
    Code(UnknownCode),
    /// A value does not fit the type that it is read as.
    #[cfg(feature = "serde")]
    Decode(DecodeError),
}
