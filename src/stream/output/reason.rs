//! Why an event cannot be taken.

use std::fmt;
use std::sync::Arc;

use crate::value::Kind;

/// What is wrong with an event.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// Its time is the first or the last that there is; these stand for "before everything" and
    /// "the end".
    TimeOutOfRange,
    /// A field of it has a value that rules cannot read: a `u64` beyond `i64::MAX`.
    #[non_exhaustive]
    FieldOutOfRange {
        /// The event type and the field: `login.session`.
        field: Arc<str>,
    },
    /// A rule made it (`emit as`), and it is not as its type declares it.
    #[non_exhaustive]
    Misfit {
        /// The rule.
        rule: Arc<str>,
        /// The event type and the field: `alert.user`.
        field: Arc<str>,
        /// What the field can be.
        declared: Kind,
        /// What it would be.
        found: Kind,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::TimeOutOfRange => f.write_str("the event's time is out of range"),
            Reason::FieldOutOfRange { field } => {
                write!(f, "`{field}` is beyond {}, the largest int of rules", i64::MAX)
            }
            Reason::Misfit { rule, field, declared, found } => write!(
                f,
                "what the rule `{rule}` feeds to others is not as declared: `{field}` is \
                 {declared}, not {found}"
            ),
        }
    }
}
