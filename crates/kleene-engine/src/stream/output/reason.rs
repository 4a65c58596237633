//! The reasons why an engine cannot take an event.

use std::fmt;
use std::sync::Arc;

use kleene_event::value::Kind;

/// The reason why an engine cannot take an event.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RejectReason {
    /// The event's time is the least or the greatest timestamp. These two mean "before everything"
    /// and "the end".
    TimeOutOfRange,
    /// A field of the event has a value that rules cannot read: a `u64` beyond `i64::MAX`.
    #[non_exhaustive]
    FieldOutOfRange {
        /// The event type and the field: `login.session`.
        field: Arc<str>,
    },
    /// The event's type id is of another schema than the engine's: of a rule set whose types stand in
    /// another order, or that has replaced the engine's rules.
    ForeignType,
    /// A rule made the event (`emit as`), and a value does not fit the declared type.
    #[non_exhaustive]
    Mismatch {
        /// The rule.
        rule: Arc<str>,
        /// The event type and the field: `alert.user`.
        field: Arc<str>,
        /// The declared type of the field.
        declared: Kind,
        /// The type of the emitted value.
        found: Kind,
    },
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RejectReason::TimeOutOfRange => f.write_str("the event's time is out of range"),
            RejectReason::FieldOutOfRange { field } => {
                write!(f, "`{field}` is beyond {}, the largest int of rules", i64::MAX)
            }
            RejectReason::ForeignType => f.write_str(
                "the event's type id is of another schema: make events with `Engine::schema`",
            ),
            RejectReason::Mismatch { rule, field, declared, found } => write!(
                f,
                "what the rule `{rule}` feeds to others is not as declared: `{field}` is \
                 {declared}, not {found}"
            ),
        }
    }
}
