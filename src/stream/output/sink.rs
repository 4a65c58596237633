//! Where results go.

use std::fmt;

use crate::event::Event;
use crate::hir::Rule;
use crate::stream::output::matched::{Match, Output, Timeout};
use crate::stream::output::order::Position;
use crate::stream::output::reason::Reason;
use crate::time::Timestamp;

/// Takes what an engine has to report, as borrowed views: what is not looked at costs nothing.
///
/// `Vec<Output<E>>` is a sink that keeps everything, [`Ignore`] one that keeps nothing, and
/// [`on_match`] makes one of a closure.
pub trait Sink<E: Event> {
    /// A rule has matched.
    fn matched(&mut self, found: Match<'_, E>);

    /// A partial match of a rule with `on timeout` has run out of time.
    fn timed_out(&mut self, timeout: Timeout<'_, E>) {
        let _ = timeout;
    }

    /// A rule has matched, and is not reported because the condition of its `having` does not hold.
    fn filtered(&mut self, found: Match<'_, E>) {
        let _ = found;
    }

    /// A rule has matched, and is not reported because its `suppress` says so.
    fn suppressed(&mut self, found: Match<'_, E>) {
        let _ = found;
    }

    /// An event came when its time was over; no rule sees it.
    fn late(&mut self, late: Late<'_, E>) {
        let _ = late;
    }

    /// An event cannot be taken, be it pushed or made of what a rule emits (`emit as`); no rule
    /// sees it.
    fn rejected(&mut self, rejected: Rejected<'_, E>) {
        let _ = rejected;
    }

    /// A limit was reached, and something had to give way.
    fn overflowed(&mut self, overflow: Overflow<'_>) {
        let _ = overflow;
    }

    /// What is reported next stands here among what all [shards](crate::stream::Shard) report in the call
    /// that is going on. Only said where there is more than one.
    fn at(&mut self, position: Position) {
        let _ = position;
    }
}

/// An event that came too late.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Late<'a, E> {
    /// The event.
    pub event: &'a E,
    /// How far time had come: the event's time is not after it.
    pub watermark: Timestamp,
}

/// An event that cannot be taken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rejected<'a, E> {
    /// The event.
    pub event: &'a E,
    /// What is wrong with it.
    pub reason: Reason,
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Overflow<'a> {
    /// The reorder buffer was full. Its oldest events were let go before it was sure that no older
    /// one would come: time was moved on to theirs.
    #[non_exhaustive]
    Reorder {
        /// How far time was moved.
        watermark: Timestamp,
    },
    /// There were too many partial matches. Beyond the limit of one key the newest or the oldest
    /// gave way, as [`Rule::limit`] says; beyond that of the engine all those of the key that made
    /// one more were dropped.
    #[non_exhaustive]
    Partials {
        /// Of which rule.
        rule: &'a Rule,
        /// How many were dropped or not started.
        dropped: usize,
    },
    /// The next event of a key would have taken more steps than
    /// [one event may](crate::stream::Builder::limit_steps_per_event). The oldest partial matches of
    /// the key gave way.
    #[non_exhaustive]
    Steps {
        /// Of which rule.
        rule: &'a Rule,
        /// How many were dropped.
        dropped: usize,
    },
    /// The events that partial matches have captured took too many bytes. Those of the key that made
    /// it so were dropped.
    #[non_exhaustive]
    Captured {
        /// Of which rule.
        rule: &'a Rule,
        /// How many partial matches were dropped.
        dropped: usize,
    },
    /// A rule's `suppress` or `once` remembered too many keys. A match was reported, and those that follow
    /// it will be reported, too.
    #[non_exhaustive]
    Suppressed {
        /// Which rule.
        rule: &'a Rule,
    },
    /// Silences that repeat were reported so often that they ended
    /// ([`limit_repetitions`](crate::stream::Builder::limit_repetitions)).
    #[non_exhaustive]
    Repetitions {
        /// Of which rule.
        rule: &'a Rule,
        /// How many silences.
        silences: u64,
    },
    /// Too many events that rules made (`emit as`) waited for their moment to be over. One was
    /// dropped.
    #[non_exhaustive]
    Derived {
        /// Of which rule.
        rule: &'a Rule,
    },
}

impl fmt::Display for Overflow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Overflow::Reorder { watermark } => {
                write!(f, "the reorder buffer is full: time was moved on to {watermark}")
            }
            Overflow::Partials { rule, dropped } => write!(
                f,
                "too many partial matches: {dropped} of the rule `{}` were dropped",
                rule.name
            ),
            Overflow::Steps { rule, dropped } => write!(
                f,
                "an event would take too many steps: {dropped} of the oldest partial matches of the \
                 rule `{}` were dropped",
                rule.name
            ),
            Overflow::Captured { rule, dropped } => write!(
                f,
                "captured events take too much memory: {dropped} partial matches of the rule `{}` \
                 were dropped",
                rule.name
            ),
            Overflow::Suppressed { rule } if rule.once.is_some() => write!(
                f,
                "`once` of the rule `{}` remembers too many keys: a match was reported without ending \
                 its key",
                rule.name
            ),
            Overflow::Suppressed { rule } => write!(
                f,
                "`suppress` of the rule `{}` remembers too many keys: a match was reported without \
                 silencing others",
                rule.name
            ),
            Overflow::Repetitions { rule, silences } => write!(
                f,
                "a silence has lasted too long: {silences} of the rule `{}` will not be repeated any \
                 more (`repeat`)",
                rule.name
            ),
            Overflow::Derived { rule } => write!(
                f,
                "too many events that rules made wait: one of the rule `{}` was dropped",
                rule.name
            ),
        }
    }
}

impl<E: Event> Sink<E> for Vec<Output<E>> {
    fn matched(&mut self, found: Match<'_, E>) {
        self.push(Output::Match(found.to_owned()));
    }

    fn timed_out(&mut self, timeout: Timeout<'_, E>) {
        self.push(Output::Timeout(timeout.to_owned()));
    }

    fn filtered(&mut self, found: Match<'_, E>) {
        self.push(Output::Filtered(found.to_owned()));
    }

    fn suppressed(&mut self, found: Match<'_, E>) {
        self.push(Output::Suppressed(found.to_owned()));
    }

    fn late(&mut self, late: Late<'_, E>) {
        self.push(Output::Late { event: late.event.clone(), watermark: late.watermark });
    }

    fn rejected(&mut self, rejected: Rejected<'_, E>) {
        self.push(Output::Rejected { event: rejected.event.clone(), reason: rejected.reason });
    }

    fn overflowed(&mut self, overflow: Overflow<'_>) {
        self.push(Output::Overflowed { what: overflow.to_string() });
    }
}

/// A sink that keeps nothing: [`Engine::stats`](crate::stream::Engine::stats) counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ignore;

impl<E: Event> Sink<E> for Ignore {
    fn matched(&mut self, _: Match<'_, E>) {}
}

/// A sink that calls `report` with each match and lets the rest go.
pub fn on_match<E: Event, F: FnMut(Match<'_, E>)>(report: F) -> OnMatch<F> {
    OnMatch(report)
}

/// What [`on_match`] makes.
pub struct OnMatch<F>(F);

impl<F> fmt::Debug for OnMatch<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnMatch(..)")
    }
}

impl<E: Event, F: FnMut(Match<'_, E>)> Sink<E> for OnMatch<F> {
    fn matched(&mut self, found: Match<'_, E>) {
        (self.0)(found);
    }
}
