//! The sink: the receiver of an engine's outputs.

use std::fmt;

use crate::stream::output::matched::{Match, Timeout};
use crate::stream::output::overflow::Overflow;
use crate::stream::output::owned::Output;
use crate::stream::output::reason::RejectReason;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

/// Receives the outputs of an engine as borrowed views. Values that a sink does not read are not
/// computed.
///
/// `Vec<Output<E>>` is a sink that keeps everything, [`Ignore`] keeps nothing, and [`on_match`]
/// makes a sink of a closure.
///
/// ```
/// use kleene::stream::Late;
/// use kleene::{Engine, Event, Match, Record, RuleSet, Sink, Timestamp};
///
/// #[derive(Default)]
/// struct Count { matches: usize, late: usize }
///
/// impl<E: Event> Sink<E> for Count {
///     fn matched(&mut self, _: Match<'_, E>) {
///         self.matches += 1;
///     }
///
///     fn late(&mut self, _: Late<'_, E>) {
///         self.late += 1;
///     }
/// }
///
/// let rules = RuleSet::parse("event paid { at: time } rule twice { match paid{2} }")?;
/// let mut engine = Engine::builder().rules(&rules).build()?;
/// let mut count = Count::default();
/// for second in [1, 3, 2] {
///     let at = Timestamp::from_millis(1000 * second);
///     let paid = Record::from_fields(rules.schema(), "paid", [("at", at.into())])?;
///     engine.push(&paid, &mut count)?;
/// }
/// assert_eq!((count.matches, count.late), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Sink<E: Event> {
    /// Receives a match.
    fn matched(&mut self, found: Match<'_, E>);

    /// Receives a timeout: a partial match of a rule with `on timeout` has run out of time.
    fn timed_out(&mut self, timeout: Timeout<'_, E>) {
        let _ = timeout;
    }

    /// Receives a match that is not reported because the condition of the rule's `having` does not
    /// hold.
    fn filtered(&mut self, found: Match<'_, E>) {
        let _ = found;
    }

    /// Receives a match that is not reported because of the rule's `suppress`.
    fn suppressed(&mut self, found: Match<'_, E>) {
        let _ = found;
    }

    /// Receives a late event: its time is at or before the watermark. No rule reads the event.
    fn late(&mut self, late: Late<'_, E>) {
        let _ = late;
    }

    /// Receives an event that the engine cannot take. The event was pushed or made by a rule
    /// (`emit as`). No rule reads the event.
    fn rejected(&mut self, rejected: Rejected<'_, E>) {
        let _ = rejected;
    }

    /// Receives a limit that was reached, with what was dropped or changed.
    fn overflowed(&mut self, overflow: Overflow) {
        let _ = overflow;
    }
}

/// An event that came too late.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Late<'a, E> {
    /// The event.
    pub event: &'a E,
    /// The watermark when the event came. The event's time is at or before the watermark.
    pub watermark: Timestamp,
    /// The number of the event among all that came to the engine, from 0: which event of a batch it
    /// is.
    pub arrival: u64,
}

/// An event that the engine cannot take.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rejected<'a, E> {
    /// The event.
    pub event: &'a E,
    /// The reason for the rejection.
    pub reason: RejectReason,
    /// The number of the event among all that came to the engine, from 0. Of an event that a rule
    /// made, the number of the event that came last.
    pub arrival: u64,
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

    fn overflowed(&mut self, overflow: Overflow) {
        self.push(Output::Overflowed(overflow));
    }
}

/// A sink that keeps nothing. [`Engine::stats`](crate::stream::Engine::stats) still counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ignore;

impl<E: Event> Sink<E> for Ignore {
    fn matched(&mut self, _: Match<'_, E>) {}
}

/// Returns a sink that calls `report` with each match and ignores everything else.
pub fn on_match<E: Event, F: FnMut(Match<'_, E>)>(report: F) -> OnMatch<F> {
    OnMatch(report)
}

/// The sink of [`on_match`].
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
