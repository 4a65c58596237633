//! Why an engine takes no more events.

use std::fmt;
use std::sync::Arc;

use crate::time::Timestamp;
use crate::value::Value;

/// An event cannot be taken, and neither can any later one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PushError(pub(super) Failure);

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Failure {
    Finished,
    Limit(Arc<LimitFailure>),
    /// What keeps idle keys cannot go on.
    Cold(Arc<str>),
}

#[derive(Debug, Eq, PartialEq)]
pub(super) struct LimitFailure {
    pub(super) rule: Arc<str>,
    pub(super) key: Vec<(Arc<str>, Value)>,
    pub(super) limit: usize,
    pub(super) at: Timestamp,
}

impl PushError {
    /// The name of the rule that had more partial matches than its `limit ... fail` allows; `None`
    /// where the engine was finished before, or a [cold store](crate::stream::ColdStore) failed.
    pub fn rule(&self) -> Option<&str> {
        match &self.0 {
            Failure::Finished | Failure::Cold(_) => None,
            Failure::Limit(failure) => Some(&failure.rule),
        }
    }
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitFailure { rule, key, limit, at } = match &self.0 {
            Failure::Finished => {
                return f
                    .write_str("the engine was finished: no event can come after the end of time");
            }
            Failure::Cold(reason) => {
                return write!(f, "the store of idle keys has failed: it {reason}");
            }
            Failure::Limit(failure) => &**failure,
        };
        write!(f, "the rule `{rule}` would have more than {limit} partial matches open")?;
        for (index, (name, value)) in key.iter().enumerate() {
            write!(f, "{} {name} = {value}", if index == 0 { " for" } else { "," })?;
        }
        write!(f, " at {at}, and its limit says that this is to fail")
    }
}

impl std::error::Error for PushError {}
