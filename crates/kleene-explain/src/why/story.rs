//! The story of a key: the events and moments that mattered, and the effects of each.

use std::fmt;
use std::sync::Arc;

pub use crate::explain::Failed;

use kleene_event::time::{Timestamp, format_millis};
use kleene_event::value::Value;
use kleene_syntax::hir::Report;

/// An event or a moment, and what came of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// The event time.
    pub at: Timestamp,
    /// The cause of the effects.
    pub cause: Cause,
    /// The effects on each partial match, in the order of their numbers, and on the partial matches
    /// that it started.
    pub effects: Vec<Effect>,
    /// The number of further effects that are not kept.
    pub more: usize,
    /// True if it came with the end of the input, which moves time to its end.
    pub at_end: bool,
}

/// The cause of an entry.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// An event of the key that the rule saw.
    Event(ShownEvent),
    /// An event of the key, of a type that the rule does not see.
    Unseen(ShownEvent),
    /// An event of the key that came when its time was over.
    #[non_exhaustive]
    Late {
        /// The event.
        event: ShownEvent,
        /// The time that the watermark had reached.
        watermark: Timestamp,
    },
    /// An event of the key that cannot be taken, as its time is out of range.
    Rejected(ShownEvent),
    /// Input that could not be read as an event, and may have been one of the key.
    #[non_exhaustive]
    Unreadable {
        /// Its line in the input, from 1.
        line: u64,
        /// The reason.
        reason: String,
    },
    /// Time came to a deadline.
    #[non_exhaustive]
    Time {
        /// The line of the event that moved time there, and that event's time; `None` at the end of
        /// the input, and where the host moved it.
        moved_by: Option<(Option<u64>, Timestamp)>,
    },
    /// Nothing more can come.
    End,
}

/// An event as it is shown.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ShownEvent {
    /// Its line in the input, from 1, if the host has said it.
    pub line: Option<u64>,
    /// The rule that made it, if one did (`emit as`).
    pub made_by: Option<Arc<str>>,
    /// Its type.
    pub ty: Arc<str>,
    /// Its fields, without those that are null, the event time and the key.
    pub fields: Vec<(Arc<str>, Value)>,
}

/// The effect of an event or a moment on one partial match.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Effect {
    /// The number of the partial match, from 1; `None` if there is none: the event started nothing.
    pub partial: Option<u64>,
    /// The kind of the effect.
    pub fate: Fate,
    /// The match or timeout that was reported.
    pub reported: Option<Reported>,
    /// Everything that the partial match waits for now; `None` if it is over.
    pub waits: Option<Waits>,
}

/// A match or timeout that was reported.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reported {
    /// True if it is a timeout.
    pub is_timeout: bool,
    /// True if it was not reported after all, as another was reported before (`suppress`).
    pub is_suppressed: bool,
    /// True if it was not reported, as the condition of `having` does not hold.
    pub is_filtered: bool,
    /// The rule's `report`, if it chose other matches of the same set than this one.
    pub not_chosen: Option<Report>,
    /// The number of matches in its set, if the rule has a `report` other than `all`; else 1.
    pub of: u64,
    /// The time of the report.
    pub at: Timestamp,
    /// The record that the rule emits; null if it has no `emit`.
    pub emit: Value,
}

/// The fate of a partial match.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fate {
    /// The event began it.
    #[non_exhaustive]
    Started {
        /// The step that took it.
        step: Arc<str>,
        /// The number of repetitions, if the step repeats: `1 of 3`.
        count: Option<String>,
    },
    /// The event began nothing, for these reasons.
    NotStarted(Vec<Mismatch>),
    /// The event would have begun one, but an event that a leading `not` forbids came too short a
    /// time before.
    #[non_exhaustive]
    TooSoon {
        /// The event that must not come.
        not: String,
        /// The time from which one can begin again.
        until: Timestamp,
    },
    /// The event violates a leading `not`: no partial match begins for a time.
    #[non_exhaustive]
    Silenced {
        /// The event that must not come.
        not: String,
        /// The time from which one can begin again.
        until: Timestamp,
    },
    /// The event would have begun one, but the match that it completed covers it.
    #[non_exhaustive]
    Covered {
        /// The number of the match.
        by: u64,
        /// The skip strategy, in words.
        skip: String,
    },
    /// It took the event.
    #[non_exhaustive]
    Took {
        /// The step.
        step: Arc<str>,
        /// The number of repetitions, if the step repeats: `2 of 3`.
        count: Option<String>,
        /// The number of the partial match that it branched off, which continues without the event.
        branch_of: Option<u64>,
    },
    /// It skipped the event, which fits none of the steps that it waits for.
    Skipped(Vec<Mismatch>),
    /// It matched without the event: the event of its `not` did not come.
    Completed,
    /// The event had to fit and did not: `next` is broken.
    Broken(Vec<Mismatch>),
    /// An event came that must not come.
    #[non_exhaustive]
    Stopped {
        /// The violated steps with `not` or `without`.
        by: Vec<String>,
        /// The milliseconds that were left until the match, if the partial match waited for time
        /// alone.
        left: Option<i64>,
    },
    /// Another match dropped it.
    #[non_exhaustive]
    Dropped {
        /// The number of the match.
        by: u64,
        /// The skip strategy, in words.
        skip: String,
    },
    /// Its time ran out.
    #[non_exhaustive]
    RanOut {
        /// The bound on its time: `within 1h`.
        bound: String,
        /// The steps that it still waited for.
        awaited: Vec<Awaited>,
    },
    /// Its time ran out, and the event of its `not` had not come: a match.
    #[non_exhaustive]
    Held {
        /// The events that did not come.
        not: Vec<String>,
        /// The bound on its time: `for 30m`.
        bound: String,
    },
    /// Its loop can grow no further, and has its minimum of events.
    Exhausted,
    /// It was complete and waited for older partial matches (`ordered`), which are gone now.
    TurnCame,
    /// The event would have fit, but the partial match had run out of time before.
    #[non_exhaustive]
    TooLate {
        /// The time at which it timed out, or matched because the event had not come.
        ended: Timestamp,
        /// True if it matched.
        matched: bool,
    },
    /// The event has no effect: the key, or the rule for all keys, is over (`once`).
    #[non_exhaustive]
    Over {
        /// The time of the match that ended it.
        since: Timestamp,
        /// True if a match of another key ended the whole rule.
        by_other_key: bool,
    },
    /// There were too many partial matches: this one was dropped, or not begun if it has no number.
    Overflow,
    /// There are as many partial matches as are followed: the story ends with this event.
    #[non_exhaustive]
    NotFollowed {
        /// The number of partial matches that are followed.
        limit: usize,
    },
    /// There were too many partial matches, and the rule says that the run then ends.
    Failed,
}

impl Fate {
    /// A word for programs: `took`, `skipped`, ...
    pub fn name(&self) -> &'static str {
        match self {
            Fate::Started { .. } => "started",
            Fate::NotStarted(_) => "not started",
            Fate::TooSoon { .. } => "too soon",
            Fate::Silenced { .. } => "silenced",
            Fate::Covered { .. } => "covered",
            Fate::Took { branch_of: None, .. } => "took",
            Fate::Took { branch_of: Some(_), .. } => "branched",
            Fate::Skipped(_) => "skipped",
            Fate::Completed => "completed",
            Fate::Broken(_) => "broken",
            Fate::Stopped { .. } => "stopped",
            Fate::Dropped { .. } => "dropped",
            Fate::RanOut { .. } => "ran out",
            Fate::Held { .. } => "held",
            Fate::Exhausted => "exhausted",
            Fate::TurnCame => "turn came",
            Fate::TooLate { .. } => "too late",
            Fate::Over { .. } => "over",
            Fate::Overflow => "overflow",
            Fate::NotFollowed { .. } => "not followed",
            Fate::Failed => "failed",
        }
    }
}

/// A step that an event does not fit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Mismatch {
    /// The step.
    pub step: Arc<str>,
    /// The reasons.
    pub reasons: Vec<MismatchReason>,
}

impl Mismatch {
    /// True if the event has another type and there is no other reason.
    pub fn is_of_other_type(&self) -> bool {
        self.reasons.iter().all(|reason| matches!(reason, MismatchReason::Type { .. }))
    }
}

/// The reason why an event does not fit a step.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MismatchReason {
    /// It is of another type.
    #[non_exhaustive]
    Type {
        /// The type that fits.
        expected: Arc<str>,
    },
    /// A part of the condition does not hold.
    Condition(Failed),
    /// It comes too early or too late, in words.
    Time(String),
    /// Another part of the pattern decides, in words.
    Order(String),
}

impl fmt::Display for MismatchReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MismatchReason::Type { expected } => write!(f, "it is not `{expected}`"),
            MismatchReason::Condition(failed) => {
                write!(f, "requires {} ({})", failed.condition, failed.found)
            }
            MismatchReason::Time(text) | MismatchReason::Order(text) => f.write_str(text),
        }
    }
}

/// Everything that a partial match waits for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Waits {
    /// The steps that would move it on.
    pub steps: Vec<Awaited>,
    /// True if the very next event has to be one of them, or completes it where there are none.
    pub very_next: bool,
    /// The events that must not come meanwhile, as steps with the values that are known.
    pub forbidden: Vec<String>,
    /// The time at which it times out; `None` if it never does.
    pub until: Option<Timestamp>,
    /// The bound on its time: `within 1h`.
    pub bound: Option<String>,
    /// The outcome when the time is over.
    pub then: Then,
    /// True if it is complete, and waits for older partial matches (`ordered`).
    pub is_complete: bool,
}

/// A step that would move a partial match on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Awaited {
    /// Its name.
    pub step: Arc<str>,
    /// The event that is needed, with the values that are known: `cart[item == "lamp"]`.
    pub needs: String,
    /// The number of repetitions so far, if the step repeats: `2 of 3`.
    pub count: Option<String>,
    /// The number of repetitions so far; 0 if there is none, or if the step does not repeat.
    pub have: u32,
}

/// The outcome when the time of a partial match runs out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Then {
    /// It matches.
    Match,
    /// It is reported as a timeout.
    Timeout,
    /// It is over, and nothing is reported.
    Nothing,
}

/// Returns the progress of a loop: `2 of 3`, `2 of at least 3`, `4 so far`; before its first event
/// the number of repetitions.
pub(super) fn progress(count: u32, min: u32, max: Option<u32>) -> String {
    let wanted = match max {
        Some(max) if max == min => max.to_string(),
        Some(max) => format!("{min} to {max}"),
        None => format!("at least {min}"),
    };
    match (count, max) {
        (0, None) if min == 1 => String::from("at least once"),
        (0, _) => format!("{wanted} times"),
        (_, None) if count >= min => format!("{count} so far"),
        _ => format!("{count} of {wanted}"),
    }
}

/// A span of time in words, without its sign.
pub(super) fn span(millis: i64) -> String {
    format_millis(millis.saturating_abs())
}
