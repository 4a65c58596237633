//! Why a pattern was refused.

use std::fmt;
use std::sync::Arc;

/// Why [`build`](super::PatternBuilder::build) refused a pattern. `Display` says what is wrong and
/// what would be right.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PatternError(Box<Inner>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct Inner {
    kind: PatternErrorKind,
    step: Option<Arc<str>>,
    message: String,
}

/// What is wrong with a pattern.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum PatternErrorKind {
    /// Two steps have the same name, or a step has none.
    BadName,
    /// No event type of this name, or no schema to look in.
    UnknownType,
    /// A type of the stream has no such field.
    UnknownField,
    /// A quantifier that allows nothing, is given twice, or stands where nothing can repeat.
    BadQuantifier,
    /// `until` on what is no unbounded loop.
    UntilWithoutLoop,
    /// `longest` on what is not the last step.
    LongestNotLast,
    /// A pattern that can match no event at all, or with a step that no stream of events reaches.
    MatchesNothing,
    /// A loop over a group that can be empty.
    EmptyLoop,
    /// A `not` at the end without a bound.
    UnboundedNot,
    /// A `not` where it means nothing.
    MisplacedNot,
    /// A bound on time that is not positive, or whose ends are swapped.
    BadBound,
    /// `suppress` beside `once`.
    BadOnce,
    /// `repeat` on what is no silence at the end, or beside what contradicts it.
    BadRepeat,
    /// Timeouts are to be reported, but nothing bounds the pattern in time.
    NoBound,
    /// Skip to a name that is no step which captures events.
    UnknownSkipTarget,
    /// A setting that does not belong there: of the whole pattern in a group, of a step on a group.
    Misplaced,
    /// Beyond the limits on size, nesting or repetitions.
    TooLarge,
}

impl PatternError {
    pub(super) fn new(
        kind: PatternErrorKind,
        step: Option<&Arc<str>>,
        message: impl Into<String>,
    ) -> PatternError {
        PatternError(Box::new(Inner { kind, step: step.cloned(), message: message.into() }))
    }

    /// What is wrong.
    pub fn kind(&self) -> PatternErrorKind {
        self.0.kind
    }

    /// The name of the step that it is about, if it is about one.
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
