//! The errors of building a pattern.

use std::fmt;
use std::sync::Arc;

/// The reason why [`build`](super::PatternBuilder::build) refused a pattern. `Display` names the
/// mistake and a correction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PatternError(Box<ErrorInner>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct ErrorInner {
    step: Option<Arc<str>>,
    message: String,
}

impl PatternError {
    pub(super) fn new(step: Option<&Arc<str>>, message: impl Into<String>) -> PatternError {
        PatternError(Box::new(ErrorInner { step: step.cloned(), message: message.into() }))
    }

    /// Returns the name of the step with the mistake; `None` if the mistake is not in a step.
    pub fn step(&self) -> Option<&str> {
        self.0.step.as_deref()
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for PatternError {}
