//! The errors of building an engine and of pushing events.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::ruleset::relink::SchemaMismatch;
use kleene_automata::nfa;
use kleene_event::time::Timestamp;
use kleene_event::value::Value;

/// The engine has stopped: it takes neither this event nor any later one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PushError(pub(in crate::stream) PushFailure);

#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::stream) enum PushFailure {
    Finished,
    Limit(Arc<LimitFailure>),
    /// The store of idle keys has failed.
    Cold(Arc<str>),
}

#[derive(Debug, Eq, PartialEq)]
pub(in crate::stream) struct LimitFailure {
    pub(in crate::stream) rule: Arc<str>,
    pub(in crate::stream) key: Vec<(Arc<str>, Value)>,
    pub(in crate::stream) limit: usize,
    pub(in crate::stream) at: Timestamp,
}

impl PushError {
    /// Returns the name of the rule that had more partial matches than its `limit ... fail` allows.
    /// `None` if the engine was finished before or a [cold store](crate::stream::ColdStore) failed.
    pub fn rule(&self) -> Option<&str> {
        match &self.0 {
            PushFailure::Finished | PushFailure::Cold(_) => None,
            PushFailure::Limit(failure) => Some(&failure.rule),
        }
    }
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitFailure { rule, key, limit, at } = match &self.0 {
            PushFailure::Finished => {
                return f
                    .write_str("the engine was finished: no event can come after the end of time");
            }
            PushFailure::Cold(reason) => {
                return write!(f, "the store of idle keys has failed: it {reason}");
            }
            PushFailure::Limit(failure) => &**failure,
        };
        write!(f, "the rule `{rule}` would have more than {limit} partial matches open")?;
        for (index, (name, value)) in key.iter().enumerate() {
            write!(f, "{} {name} = {value}", if index == 0 { " for" } else { "," })?;
        }
        write!(f, " at {at}, and its limit says that this is to fail")
    }
}

impl Error for PushError {}

/// The reason why an engine could not be built.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BuildError {
    pub(in crate::stream) rule: Arc<str>,
    pub(in crate::stream) kind: BuildErrorKind,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::stream) enum BuildErrorKind {
    Pattern(nfa::AutomatonError),
    Mismatch(SchemaMismatch),
    Schemas,
    CannotBeMade,
}

impl BuildError {
    /// Returns the error for a rule with `emit as` over events that cannot be made at run time.
    pub(in crate::stream) fn cannot_be_made(rule: &Arc<str>) -> BuildError {
        BuildError { rule: rule.clone(), kind: BuildErrorKind::CannotBeMade }
    }

    /// Returns the name of the rule that caused the error.
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            BuildErrorKind::Pattern(_) => write!(f, "the rule `{}` cannot be run", self.rule),
            BuildErrorKind::Mismatch(mismatch) => {
                write!(f, "the rule `{}` does not fit the events: {mismatch}", self.rule)
            }
            BuildErrorKind::CannotBeMade => write!(
                f,
                "the rule `{}` feeds other rules (`emit as`), but events of this Rust type can't \
                 be made at run time: `Record`s can",
                self.rule
            ),
            BuildErrorKind::Schemas => write!(
                f,
                "the rule `{}` declares other event types than the rules before it",
                self.rule
            ),
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            BuildErrorKind::Pattern(error) => Some(error),
            BuildErrorKind::Mismatch(_)
            | BuildErrorKind::Schemas
            | BuildErrorKind::CannotBeMade => None,
        }
    }
}
