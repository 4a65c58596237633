//! Patterns: sequences, groups, steps and loops.

use super::expr::{Dur, Expr};
use super::spanned::{Name, Spanned};
use crate::diagnostic::Span;

/// `seq ((and seq)+ | (or seq)+)? (without choice)?`
#[derive(Clone, Debug)]
pub struct Body {
    /// The sequences; more than one only with `joined_by`.
    pub sequences: Vec<Sequence>,
    /// `and` or `or` between them.
    pub joined_by: Option<Junction>,
    /// `without choice`
    pub without: Option<Choice>,
    /// All of it.
    pub span: Span,
}

impl PartialEq for Body {
    fn eq(&self, other: &Body) -> bool {
        (&self.sequences, &self.joined_by, &self.without)
            == (&other.sequences, &other.joined_by, &other.without)
    }
}

/// The word that joins the sequences of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Junction {
    /// All, in any order.
    And,
    /// Any one.
    Or,
}

/// `item (arrow item)*`
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Its parts; the first one's arrow is meaningless and `Arrow::default()`.
    pub parts: Vec<(Arrow, Part)>,
    /// All of it.
    pub span: Span,
}

impl PartialEq for Sequence {
    fn eq(&self, other: &Sequence) -> bool {
        self.parts == other.parts
    }
}

/// `-> [min..max] next|any`
#[derive(Clone, Debug, Default)]
pub struct Arrow {
    /// The contiguity between the part before and the part after the arrow.
    pub contiguity: Contiguity,
    /// `[min..max]`, both ends included.
    pub gap: Option<Gap>,
    /// The arrow with its words.
    pub span: Option<Span>,
}

impl PartialEq for Arrow {
    fn eq(&self, other: &Arrow) -> bool {
        (&self.contiguity, &self.gap) == (&other.contiguity, &other.gap)
    }
}

/// `[dur? .. dur?]`
#[derive(Clone, Debug)]
pub struct Gap {
    /// At least this long.
    pub min: Option<Dur>,
    /// At most this long.
    pub max: Option<Dur>,
    /// With its brackets.
    pub span: Span,
}

impl PartialEq for Gap {
    fn eq(&self, other: &Gap) -> bool {
        (&self.min, &self.max) == (&other.min, &other.max)
    }
}

/// The relation of an event to the event before it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Contiguity {
    /// The first later event that fits; others are skipped.
    #[default]
    Relaxed,
    /// The very next event of the stream: `next`.
    Next,
    /// Every later event that fits, one match each: `any`.
    Any,
}

/// One part of a sequence.
#[derive(Clone, Debug)]
pub enum Part {
    /// `not choice (for dur repeat?)?`
    Not {
        /// The event that must not come.
        what: Choice,
        /// For how long.
        duration: Option<Dur>,
        /// The word `repeat`: it is reported again each time that the duration has passed.
        repeat: Option<Span>,
        /// All of it.
        span: Span,
    },
    /// `unit quant? (until ...)? (as NAME)?`
    Take(Box<Take>),
}

impl PartialEq for Part {
    fn eq(&self, other: &Part) -> bool {
        match (self, other) {
            (
                Part::Not { what, duration, repeat, .. },
                Part::Not { what: other, duration: bound, repeat: again, .. },
            ) => (what, duration, repeat.is_some()) == (other, bound, again.is_some()),
            (Part::Take(take), Part::Take(other)) => take == other,
            _ => false,
        }
    }
}

/// A part that takes events.
#[derive(Clone, Debug)]
pub struct Take {
    /// The step or the group.
    pub unit: Unit,
    /// The number of repetitions.
    pub quant: Option<Quant>,
    /// The end of the loop.
    pub until: Option<Until>,
    /// `as NAME`
    pub alias: Option<Name>,
    /// All of it.
    pub span: Span,
}

impl PartialEq for Take {
    fn eq(&self, other: &Take) -> bool {
        (&self.unit, &self.quant, &self.until, &self.alias)
            == (&other.unit, &other.quant, &other.until, &other.alias)
    }
}

/// The step or the group of a part.
#[derive(Clone, Debug, PartialEq)]
pub enum Unit {
    /// One event.
    Step(Step),
    /// `( body within dur )`
    Group(Body, Option<Dur>),
    /// `N of (seq, seq, ... within dur)`
    Of(Spanned<u64>, Vec<Sequence>, Option<Dur>),
}

impl Unit {
    /// Returns the sequences in it; none of a step.
    pub(crate) fn sequences(&self) -> &[Sequence] {
        match self {
            Unit::Step(_) => &[],
            Unit::Group(body, _) => &body.sequences,
            Unit::Of(_, sequences, _) => sequences,
        }
    }
}

/// One of several steps: `step`, or `( step (or step)* )`.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The steps; never empty.
    pub steps: Vec<Step>,
    /// All of it, with its parentheses.
    pub span: Span,
}

impl Choice {
    /// The steps without their conditions, as they are written: `(a or b)`.
    pub fn name(&self) -> String {
        let names: Vec<&str> = self.steps.iter().map(|step| step.name.node.as_str()).collect();
        match names.as_slice() {
            [one] => (*one).to_owned(),
            several => format!("({})", several.join(" or ")),
        }
    }
}

impl PartialEq for Choice {
    fn eq(&self, other: &Choice) -> bool {
        self.steps == other.steps
    }
}

/// `NAME [ expr ]`, or `any event [ expr ]`
#[derive(Clone, Debug)]
pub struct Step {
    /// An event type or a define. Of a wildcard [`ANY_EVENT`], where its words stand.
    pub name: Name,
    /// True for the wildcard `any event`: every type of the rule's stream.
    pub wildcard: bool,
    /// The condition on the event.
    pub condition: Option<Spanned<Expr>>,
    /// All of it.
    pub span: Span,
}

impl PartialEq for Step {
    fn eq(&self, other: &Step) -> bool {
        (&self.name, self.wildcard, &self.condition)
            == (&other.name, other.wildcard, &other.condition)
    }
}

/// The name of the wildcard, and of its step if `as` gives no other.
pub const ANY_EVENT: &str = "any event";

/// The end of a loop.
#[derive(Clone, Debug, PartialEq)]
pub enum Until {
    /// `until choice`
    Step(Choice),
    /// `until [expr]`
    Condition(Spanned<Expr>),
}

/// `{min..max contiguity mode}` and its short forms.
#[derive(Clone, Debug)]
pub struct Quant {
    /// At least so often.
    pub min: u64,
    /// At most so often; without bound where `None`.
    pub max: Option<u64>,
    /// The contiguity between two repetitions.
    pub contiguity: Contiguity,
    /// The mode of the loop, if a word gives it.
    pub mode: Option<LoopMode>,
    /// All of it.
    pub span: Span,
}

impl PartialEq for Quant {
    fn eq(&self, other: &Quant) -> bool {
        (self.min, self.max, self.contiguity, self.mode)
            == (other.min, other.max, other.contiguity, other.mode)
    }
}

/// The mode of a loop: which repetitions are matches.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum LoopMode {
    /// Takes what it can before the next step may.
    #[default]
    Greedy,
    /// A match for each length.
    Each,
    /// Reported when it can grow no more.
    Longest,
}
