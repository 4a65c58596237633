//! The reason why a pattern cannot be compiled.

use std::fmt;
use std::sync::Arc;

/// The reason why a pattern has no automaton.
///
/// Rule text and the builder check patterns before they get here and say it with a place; this is
/// for patterns that a host makes itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AutomatonError(Refusal);

/// The reasons. A name is that of a step.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// There are no steps.
    Empty,
    /// A group that can be empty is repeated.
    EmptyLoop,
    /// A `not` ends the pattern, and nothing bounds it.
    UnboundedNot(Arc<str>),
    /// A `not` where none can be.
    MisplacedNot(Arc<str>),
    /// What precedes or follows a `not` can be left out.
    NotAfterOptional(Arc<str>),
    /// A silence stands beside a `not`.
    SilenceBesideNot(Arc<str>),
    /// A silence where none can be.
    MisplacedSilence(Arc<str>),
    /// A quantifier is wrong.
    BadQuantifier(Arc<str>),
    /// An `until` belongs to no loop.
    UntilWithoutLoop(Arc<str>),
    /// A `longest` loop does not end the pattern.
    LongestNotLast(Arc<str>),
    /// A bound ends before it begins.
    BadBound,
    /// An `of` asks for more operands than there are, or for none.
    BadCount,
    /// An operand of `and`, `or` or `of` can be empty.
    EmptyAlternative,
    /// `skip to` names no step of the pattern.
    UnknownSkipTarget,
    /// The automaton is too large.
    TooLarge,
    /// The automata of all patterns are too large together.
    TooLargeTogether,
    /// The pattern names too many event types for its size.
    TooManyTypes,
}

impl AutomatonError {
    pub(crate) fn new(kind: Refusal) -> AutomatonError {
        AutomatonError(kind)
    }

    /// Returns the reason.
    pub fn kind(&self) -> &Refusal {
        &self.0
    }

    /// True if the pattern, alone or with those before it, is beyond the limits on size or nesting.
    pub fn is_too_large(&self) -> bool {
        matches!(self.0, Refusal::TooLarge | Refusal::TooLargeTogether | Refusal::TooManyTypes)
    }

    /// True if the pattern names too many event types for its size.
    pub fn has_too_many_types(&self) -> bool {
        self.0 == Refusal::TooManyTypes
    }
}

impl fmt::Display for AutomatonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Refusal::Empty => f.write_str("the pattern has no steps"),
            Refusal::EmptyLoop => f.write_str("a group that can be empty is repeated"),
            Refusal::UnboundedNot(name) => {
                write!(f, "`not {name}` ends the pattern, but no `within` bounds it")
            }
            Refusal::MisplacedNot(name) => write!(
                f,
                "`not {name}` cannot start a pattern or group, end a group, or come just before a \
                 last `next not`"
            ),
            Refusal::NotAfterOptional(name) => write!(
                f,
                "`not {name}` comes after optional steps only, so there may be no event before it"
            ),
            Refusal::SilenceBesideNot(name) => write!(
                f,
                "`not {name}` has its own time, but is next to a `next not`, or begins the pattern \
                 and is followed by another `not`"
            ),
            Refusal::MisplacedSilence(name) => write!(
                f,
                "`not {name}` is one of several alternatives, but its time can't start at one \
                 event before them, or the next step can't follow it"
            ),
            Refusal::BadQuantifier(name) => {
                write!(f, "`{name}` has a quantifier that allows nothing")
            }
            Refusal::UntilWithoutLoop(name) => {
                write!(f, "`{name}` has an `until`, but no unbounded loop")
            }
            Refusal::LongestNotLast(name) => {
                write!(f, "`{name}` is `longest`, but not the last step of the pattern")
            }
            Refusal::BadBound => {
                f.write_str("a time bound is not positive, or its ends are swapped")
            }
            Refusal::BadCount => {
                f.write_str("the pattern requires zero alternatives, or more than it has")
            }
            Refusal::EmptyAlternative => {
                f.write_str("an alternative can be empty or ends with a `not`")
            }
            Refusal::UnknownSkipTarget => f.write_str("`skip to` names a step that does not exist"),
            Refusal::TooLarge => f.write_str("the pattern exceeds the limits on size or nesting"),
            Refusal::TooManyTypes => f.write_str(
                "the pattern names too many event types: states times types exceed 16 million",
            ),
            Refusal::TooLargeTogether => f.write_str(
                "together with the rules before it, the pattern exceeds the limit of 4 million \
                 transitions",
            ),
        }
    }
}

impl std::error::Error for AutomatonError {}
