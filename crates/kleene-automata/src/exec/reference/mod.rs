//! An independent matcher: slow and obvious.
//!
//! It reads a [`Pattern`] as it is. Each partial match is a list of its captured events and a
//! `Position` in the pattern's tree. For every event the open moves are worked out by a walk of the
//! tree. Nothing is compiled, and nothing is kept in registers, so that the compiled matcher can be
//! held against it. It remembers the answers to questions that the tree alone answers
//! (`AnswerCache`): that changes its speed, and nothing else. It takes time and memory exponential
//! in the number of events where the pattern asks for every combination, and it keeps every event.
//! It is for tests and explanations, not for streams.
//!
//! Four words name the effects of an event on a partial match. They are the words of Flink CEP and
//! SASE:
//! * *take*: the event is captured, and the match continues after it;
//! * *ignore*: the event is skipped, and the match waits;
//! * *proceed*: the match also tries the same event at a later position, because the items between
//!   may be left out or have been repeated often enough;
//! * *stop*: a `not` was violated. Everything else that this partial match would have become at
//!   this event is dropped, unless the step after the `not` takes the event: that event is not
//!   between.
//!
//! All open takes and ignores of a position, and of those that it proceeds to, are followed.
//!
//! The way of an event through the files:
//! ```text
//! push(event)                                  advance(to)
//!   the start, and each partial match            the earliest deadline, if it is not after `to`
//!     | meet: which moves are open?                | deadline: is it a match or a timeout?
//!     |   moves, step, branches, silence           v
//!     |   guard, nots, greedy                    matches, timeouts
//!     v                                            |
//!   matches, partial matches                       |
//!     | sort, remove duplicates                    |
//!     v                                            v
//!   complete: skip, `ordered`                    complete, and then the next deadline
//!     v
//!   report: the set, its totals (set)
//! ```
//!
//! An example, with `match a -> b+ -> c`, `skip none`. The items of the pattern's sequence are 0:
//! `a`, 1: `b+`, 2: `c`. A partial match is written as what it has captured and where it waits.
//! ```text
//! event   partial matches afterwards     why
//! a1      {a1} at 1, turn 1              the start takes a1
//! b2      {a1 b2} at 1, further turn     it takes b2; the turns after the least number are alike
//! c3      {a1 b2} at 1, skipped          it ignores c3 and can still take a `b`
//!         match a1 b2 c3                 it proceeds to 2, and takes c3 there
//! ```
//!
//! Invariants:
//! * After an event, `partials` has no duplicates and no partial match without events. The start is
//!   made anew for each event.
//! * [`Reference::advance`] has been called for an event's time before the event is pushed. So no
//!   partial match meets an event after its deadline.
//! * Two partial matches can have the same captures and different positions. They are one partial
//!   match that waits in two places: results are compared by captures alone.
//!
//! Rejected: to walk the compiled automaton here. A mistake of the lowering would then be in both
//! matchers, and no test would find it. For the same reason sums, lengths and deadlines are
//! computed from the captured events each time, and not carried along.
//!
//! Which test holds it: `the_reference_agrees_with_the_record` in `tests/conformance.rs` against
//! the recorded answers of Flink CEP, and the enumerator in `tests/enumerator`, which shares no
//! code with this. What it holds in turn: `the_matcher_reports_what_the_reference_reports` in
//! `tests/properties.rs` and `random_inputs_find_no_difference` in `tests/engines_random.rs`.

mod branches;
mod check;
mod deadline;
mod greedy;
mod guard;
mod items;
mod known;
mod meet;
mod moves;
mod nots;
mod partial;
mod position;
mod prospects;
mod set;
mod silence;
mod step;
mod tree;
mod view;

use std::fmt;
use std::rc::Rc;

pub use check::RefusedPattern;
use check::check;
use items::{forbids, takes_what_it_can};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_event::value::Value;
use kleene_syntax::hir::{Gap, Item, ItemKind, Pattern, SkipStrategy, StepId};
use known::AnswerCache;
use partial::{Captures, Partial, in_order, start_of};
use tree::Tree;

/// A condition that the host tests, from the candidate event and the captured events.
pub type ReferenceCondition<E> = Box<dyn Fn(&E, &[(StepId, &E)]) -> bool>;

/// A match or a timeout.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReferenceOutput {
    /// True for a match, false for a timeout.
    pub is_match: bool,
    /// The captured events in their order: the step, and the index of the event among the pushed
    /// events, from 0.
    pub captures: Vec<(StepId, usize)>,
    /// The time of the event that completed the match, or the deadline that passed.
    pub at: Timestamp,
    /// The set of matches that it belongs to; 0 and empty for a timeout.
    pub set: ReferenceSet,
}

/// The matches that one event, or one deadline, completes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ReferenceSet {
    /// The number of matches.
    pub count: u64,
    /// The totals over all of them, in the order of [`Pattern::totals`].
    pub totals: Vec<Value>,
}

/// The reference matcher, for one key's events in time order.
pub struct Reference<E> {
    pattern: Rc<Pattern>,
    host: Vec<ReferenceCondition<E>>,
    /// Every event that was pushed.
    events: Vec<E>,
    /// The variants of step keys that each event has.
    step_keys: Vec<u64>,
    /// Partial matches, in no particular order and without duplicates.
    partials: Vec<Partial>,
    /// Complete matches that wait until no older partial match is alive (`ordered`).
    waiting: Vec<Captures>,
    known: Rc<AnswerCache>,
}

impl<E: Event> Reference<E> {
    /// Returns a matcher without captured events. `host` holds the closures of
    /// [`Test::Host`](kleene_syntax::hir::Test::Host) by number.
    ///
    /// # Errors
    /// [`RefusedPattern`] for patterns without a sensible meaning: see the crate's documentation of
    /// semantics.
    pub fn new(
        pattern: &Pattern,
        host: Vec<ReferenceCondition<E>>,
    ) -> Result<Reference<E>, RefusedPattern> {
        check(pattern)?;
        Ok(Reference {
            pattern: Rc::new(pattern.clone()),
            host,
            events: Vec::new(),
            step_keys: Vec::new(),
            partials: Vec::new(),
            waiting: Vec::new(),
            known: Rc::default(),
        })
    }

    /// Matches the next event and returns its outputs. Its time must not be before the time of the
    /// event before, and [`advance`](Reference::advance) must have been called for its time.
    pub fn push(&mut self, event: E) -> Vec<ReferenceOutput> {
        self.push_keyed(event, u64::MAX)
    }

    /// Matches the next event, as [`push`](Reference::push) does. The event has these variants of
    /// step keys in the stream of the key, a bit for each.
    pub fn push_keyed(&mut self, event: E, step_keys: u64) -> Vec<ReferenceOutput> {
        let now = self.events.len();
        let at = event.time();
        self.events.push(event);
        self.step_keys.push(step_keys);
        self.known.forget();

        let (pattern, known) = (Rc::clone(&self.pattern), Rc::clone(&self.known));
        let tree = Tree::new(&pattern, &known);
        let start =
            Partial { captures: Captures::default(), position: tree.start(), reported: None };
        let start = self.is_silent_before(now).then_some(&start);
        let mut matches = Vec::new();
        let mut partials = Vec::new();
        for partial in start.into_iter().chain(&self.partials) {
            let outcome = self.meet(&tree, partial, now);
            matches.extend(outcome.matches);
            partials.extend(outcome.partials);
        }
        // The start is always there; what has captured nothing is the start.
        partials.retain(|partial| !partial.captures.is_empty());
        partials.sort();
        // Two paths can lead to the same captures in the same position. Kept apart, these copies
        // would multiply, and every event would report their match again.
        partials.dedup();
        self.partials = partials;
        let found = self.complete(matches);
        self.report(found, at)
    }

    /// True if what must not have come for a time before the first event has not.
    fn is_silent_before(&self, now: usize) -> bool {
        let first = &self.pattern.body.items[0];
        let (ItemKind::Not { condition, .. }, Some(Gap { max: Some(time), .. })) =
            (&first.kind, first.gap)
        else {
            return true;
        };
        let time = self.millis(time, &Captures::default());
        let at = self.events[now].time();
        (0..now).all(|before| {
            at.millis_since(self.events[before].time()) >= time
                || !self.fits(*condition, &Captures::default(), before)
        })
    }

    /// Advances time to `to` and returns the outputs of the deadlines up to `to`, one deadline
    /// after the other.
    pub fn advance(&mut self, to: Timestamp) -> Vec<ReferenceOutput> {
        let (pattern, known) = (Rc::clone(&self.pattern), Rc::clone(&self.known));
        let tree = Tree::new(&pattern, &known);
        let mut reported = Vec::new();
        loop {
            let deadlines: Vec<_> =
                self.partials.iter().map(|partial| self.deadline(&tree, partial)).collect();
            // One deadline at a time: a match at the first can drop partial matches that have the
            // second.
            let Some(at) = deadlines.iter().flatten().min().copied() else { break };
            if at > to {
                break;
            }
            let (mut matches, mut timeouts, mut alive) = (Vec::new(), Vec::new(), Vec::new());
            let mut again = Vec::new();
            let mut closes = self.ends_greedily();
            for (partial, deadline) in std::mem::take(&mut self.partials).into_iter().zip(deadlines)
            {
                if deadline != Some(at) {
                    alive.push(partial);
                } else if self.completes(&tree, &partial, at) {
                    matches.push(partial.captures.clone());
                    // The end of a silence reports the match. It ends a loop on another branch,
                    // too.
                    closes |= tree.end_of_silence(&partial.position).is_some();
                    let next = Partial { reported: Some(at), ..partial };
                    // The end of the stream passes one deadline of each silence.
                    if to < Timestamp::MAX && self.is_repeated(&next) {
                        again.push(next);
                    }
                } else {
                    timeouts.push(partial.captures);
                }
            }
            if closes {
                // The silence is over, and with it what the loop before it waits for.
                let is_over = |partial: &Partial| {
                    matches.iter().any(|one| one.events == partial.captures.events)
                };
                alive.retain(|partial: &Partial| !is_over(partial));
            }
            self.partials = alive;
            // A partial match can wait in several places; it is no timeout if one completes it.
            timeouts
                .retain(|captures| !matches.iter().any(|other| other.events == captures.events));
            if self.pattern.report_timeouts {
                in_order(&mut timeouts);
                reported.extend(timeouts.into_iter().map(|captures| ReferenceOutput {
                    is_match: false,
                    captures: captures.events,
                    at,
                    set: ReferenceSet::default(),
                }));
            }
            let found = self.complete(matches);
            // The rest of a repeated match goes on, unless another match drops it.
            again.retain(|next: &Partial| {
                found.iter().any(|one| one.events == next.captures.events)
                    && !found.iter().any(|one| {
                        one.events != next.captures.events
                            && self.skips(one, start_of(&next.captures))
                    })
            });
            self.partials.extend(again);
            reported.extend(self.report(found, at));
        }
        reported
    }

    /// Ends the stream and returns the remaining outputs: those of deadlines, of matches that wait
    /// for older partial matches, and of unbounded `longest` loops.
    pub fn finish(&mut self) -> Vec<ReferenceOutput> {
        let mut reported = self.advance(Timestamp::MAX);
        let (pattern, known) = (Rc::clone(&self.pattern), Rc::clone(&self.known));
        let tree = Tree::new(&pattern, &known);
        let settled: Vec<Captures> = std::mem::take(&mut self.partials)
            .into_iter()
            .filter(|partial| tree.settles(&partial.position))
            .map(|partial| partial.captures)
            .collect();
        let ends = settled.iter().chain(&self.waiting).filter_map(|captures| captures.last());
        if let Some(at) = ends.map(|&(_, event)| self.events[event].time()).max() {
            let found = self.complete(settled);
            reported.extend(self.report(found, at));
        }
        reported
    }

    /// True if the pattern ends with a silence after a greedy loop.
    fn ends_greedily(&self) -> bool {
        let items = &self.pattern.body.items;
        let before = items.iter().rev().find(|item| !forbids(item));
        let ends = |last: &Item| forbids(last) && last.gap.is_some_and(|gap| gap.max.is_some());
        items.last().is_some_and(ends) && before.is_some_and(takes_what_it_can)
    }

    /// Returns the number of open partial matches.
    pub fn partial_count(&self) -> usize {
        self.partials.len()
    }

    /// Returns a measure of the work so far, for callers that stop at a bound.
    pub fn effort(&self) -> usize {
        self.known.worked_out.get()
    }

    /// Returns the set of what has been completed, as far as the skip strategy allows.
    fn complete(&mut self, mut matches: Vec<Captures>) -> Vec<Captures> {
        let ordered = self.pattern.skip.ordered && self.pattern.skip.strategy != SkipStrategy::None;
        matches.append(&mut self.waiting);
        in_order(&mut matches);
        let mut set = Vec::new();
        while let Some(first) = matches.first() {
            let start = start_of(first);
            // An older partial match could still complete and, by `skip`, drop this match.
            if ordered && self.partials.iter().any(|partial| start_of(&partial.captures) < start) {
                break;
            }
            let captures = matches.remove(0);
            // The first match of the set is certain. What it skips is neither reported nor kept,
            // and the next one that is left is certain in turn.
            matches.retain(|other| !self.skips(&captures, start_of(other)));
            let mut partials = std::mem::take(&mut self.partials);
            partials.retain(|partial| !self.skips(&captures, start_of(&partial.captures)));
            self.partials = partials;
            set.push(captures);
        }
        self.waiting = matches;
        set
    }

    /// True if the match drops what started with the event `start`.
    fn skips(&self, captures: &Captures, start: usize) -> bool {
        let of = |step: StepId| captures.iter().filter(move |(s, _)| *s == step).map(|c| c.1);
        match self.pattern.skip.strategy {
            SkipStrategy::None => false,
            SkipStrategy::PastLast => captures.last().is_some_and(|&(_, last)| start <= last),
            SkipStrategy::ToNext => start == start_of(captures),
            SkipStrategy::ToFirst(step) => of(step).next().is_some_and(|first| start < first),
            SkipStrategy::ToLast(step) => of(step).next_back().is_some_and(|last| start < last),
        }
    }
}

impl<E> fmt::Debug for Reference<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reference")
            .field("partials", &self.partials)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}
