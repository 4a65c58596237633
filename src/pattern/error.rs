//! The errors of building a pattern.

use std::fmt;
use std::sync::Arc;

/// The reason why [`build`](super::PatternBuilder::build) refused a pattern. `Display` names the
/// mistake and a correction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PatternError(Box<ErrorInner>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct ErrorInner {
    kind: PatternErrorKind,
    step: Option<Arc<str>>,
    message: String,
}

/// The kind of a mistake in a pattern.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum PatternErrorKind {
    /// Two steps have the same name, or a step has no name.
    BadName,
    /// There is no event type with this name, or no schema that could declare one.
    UnknownType,
    /// A type of the stream does not have the field.
    UnknownField,
    /// A quantifier allows nothing, is given twice, or is given where nothing can repeat.
    BadQuantifier,
    /// `until` is given without an unbounded loop.
    UntilWithoutLoop,
    /// `longest` is given on a step that is not the last.
    LongestNotLast,
    /// The pattern can match no event at all, or has a step that no stream of events reaches.
    MatchesNothing,
    /// A loop over a group that can be empty.
    EmptyLoop,
    /// A `not` at the end without a bound.
    UnboundedNot,
    /// A `not` where it has no meaning.
    MisplacedNot,
    /// A bound on time is not positive, or its ends are swapped.
    BadBound,
    /// `suppress` is given together with `once`.
    BadOnce,
    /// `repeat` is given without a silence at the end, or together with a setting that contradicts
    /// it.
    BadRepeat,
    /// Timeouts are to be reported, but nothing bounds the pattern in time.
    NoBound,
    /// The target of a skip is not the name of a step that captures events.
    UnknownSkipTarget,
    /// A setting is misplaced: one of the whole pattern in a group, or one of a step on a group.
    Misplaced,
    /// The pattern exceeds the limits on size, nesting or repetitions.
    TooLarge,
}

impl PatternError {
    pub(super) fn new(
        kind: PatternErrorKind,
        step: Option<&Arc<str>>,
        message: impl Into<String>,
    ) -> PatternError {
        PatternError(Box::new(ErrorInner { kind, step: step.cloned(), message: message.into() }))
    }

    /// Returns the kind of the mistake.
    pub fn kind(&self) -> PatternErrorKind {
        self.0.kind
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
