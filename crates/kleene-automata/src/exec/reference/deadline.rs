//! The times at which partial matches run out of time.
//!
//! A deadline is the earliest of three times: the end of the pattern's `within`, the end of a
//! silence that completes the match, and the time at which all that could follow is too late. An
//! example with `match a -> not b for 5s` and two values of `within`, for `a1` at 1 s:
//! ```text
//! within   whole   silence   deadline   what happens at the deadline
//! 8s       9 s     6 s       6 s        match: the silence is over before the whole time
//! 5s       6 s     6 s       6 s        timeout: it has to be over before, not at the same moment
//! ```
//!
//! `within` and `for` exclude their end, a gap includes it. So the deadline of a gap of at most 5 s
//! is a millisecond after these 5 s.
//!
//! Invariant: deadlines never go back. Where an event says how long something lasts, that time can
//! be over when it is read. The deadline is then the time of the last event.
//!
//! Not done here, though the automaton does it: clocks that are set when a group begins. Each time
//! is found from the captured events and from the frames of the position.
//!
//! Which test holds it: `how_far_time_moves_at_once_changes_nothing` and
//! `silences_as_ways_are_alike_however_far_time_moves` in `tests/properties.rs`, and
//! `timeouts_are_those_of_the_reference` in `tests/timeouts.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::Reference;
use super::items::{forbids, steps_of};
use super::partial::{Captures, Partial};
use super::position::{Path, Position, Standing, Wait};
use super::tree::{Running, Tree};
use super::view::View;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_event::value::Value;
use kleene_syntax::hir::expr::{CapturedField, Pick};
use kleene_syntax::hir::{Expr, Length, LengthId, StepId, eval};

impl<E: Event> Reference<E> {
    /// True if the silence of a partial match is reported once more.
    pub(super) fn is_repeated(&self, partial: &Partial) -> bool {
        self.next_report(partial).is_some()
    }

    /// When a silence that was reported is reported again; never once the whole pattern's time is
    /// over.
    fn next_report(&self, partial: &Partial) -> Option<Timestamp> {
        let (reported, captures) = (partial.reported?, &partial.captures);
        let length = self.pattern.body.items.last().filter(|_| self.pattern.repeats)?.gap?.max?;
        let millis = self.millis(length, captures);
        let &(_, last) = captures.last()?;
        let mut next = self.events[last].time();
        if millis == 0 {
            return None;
        }
        // The periods count from the last event, so a late report does not move the ones after it.
        while next <= reported {
            next = next.plus_millis(millis);
        }
        self.whole_deadline(captures).is_none_or(|end| next < end).then_some(next)
    }

    /// The time of the last event that was captured before the item of the pattern's sequence.
    pub(super) fn time_before(&self, index: usize, captures: &Captures) -> Option<Timestamp> {
        let mut before = BTreeSet::new();
        steps_of(&self.pattern.body.items[..index], &mut before);
        let last = captures.iter().rev().find(|(step, _)| before.contains(step));
        last.map(|&(_, event)| self.events[event].time())
    }

    /// When a partial match runs out of time.
    pub(super) fn deadline(&self, tree: &Tree<'_>, partial: &Partial) -> Option<Timestamp> {
        let time_of = |capture: Option<&(StepId, usize)>| {
            capture.map(|&(_, event)| self.events[event].time())
        };
        let last = time_of(partial.captures.last())?;
        if partial.reported.is_some() {
            return self.next_report(partial);
        }
        let captures = &partial.captures;
        let whole = self.whole_deadline(captures);
        let silences = self.ends_of_silences(tree, partial);
        let here = self.shared_bound(tree, &partial.position, captures, last);
        let deadline = whole.into_iter().chain(silences).chain(here).min()?;
        // The time that an event says can be over already; deadlines never go back.
        Some(if self.pattern.lengths.is_empty() { deadline } else { deadline.max(last) })
    }

    /// When the silences are over that complete a partial match.
    fn ends_of_silences(&self, tree: &Tree<'_>, partial: &Partial) -> Vec<Timestamp> {
        let captures = &partial.captures;
        let Some(&(_, last)) = captures.last() else { return Vec::new() };
        let pending = tree.pending_bound(&partial.position);
        let pending =
            pending.map(|bound| self.events[last].time().plus_millis(self.millis(bound, captures)));
        let branch = tree.end_of_silence(&partial.position).and_then(|(index, time)| {
            Some(self.time_before(index, captures)?.plus_millis(self.millis(time, captures)))
        });
        pending.into_iter().chain(branch).collect()
    }

    /// True if a partial match whose deadline is `at` is a match then, and has not run out of time:
    /// a silence of its own is over before the time of the whole pattern; a last `not` without a
    /// time and a `longest` loop hold up to that time. An event that says itself that it comes too
    /// late completes nothing, and neither does a last `not` that has not begun by then.
    pub(super) fn completes(&self, tree: &Tree<'_>, partial: &Partial, at: Timestamp) -> bool {
        let whole = self.whole_deadline(&partial.captures);
        let last = partial.captures.last().map(|&(_, event)| self.events[event].time());
        let item = self.pattern.body.items.last().filter(|item| forbids(item));
        let begins = item.and_then(|not| not.gap.filter(|gap| gap.max.is_none()));
        let begins = begins.map_or(0, |gap| self.millis(gap.min, &partial.captures));
        if let (Some(last), Some(whole)) = (last, whole)
            && last.plus_millis(begins) >= whole
        {
            return false;
        }
        let is_over = |end: &Timestamp| *end <= at && whole.is_none_or(|whole| *end < whole);
        partial.reported.is_some()
            || tree.settles(&partial.position)
            || tree.is_pending(&partial.position) && tree.pending_bound(&partial.position).is_none()
            || self.ends_of_silences(tree, partial).iter().any(is_over)
    }

    /// When the time of the whole pattern is over; `None` too as long as it is not known.
    pub(super) fn whole_deadline(&self, captures: &Captures) -> Option<Timestamp> {
        let within = self.pattern.within?;
        let &(_, first) = captures.first()?;
        if let Length::Read(id) = within {
            // As long as the event that says the length has not been captured, the pattern is
            // unbounded.
            let known = match &self.pattern.lengths[id.index()] {
                Expr::Captured(CapturedField { step, pick: Pick::First | Pick::Last, .. }) => {
                    captures.iter().any(|(of, _)| step.is_none_or(|step| step == *of))
                }
                length => !self.read(length, captures).is_null(),
            };
            if !known {
                return None;
            }
        }
        Some(self.events[first].time().plus_millis(self.millis(within, captures)))
    }

    pub(super) fn end_of(&self, group: &Running, captures: &Captures) -> Timestamp {
        group.begun.plus_millis(self.millis(group.within, captures))
    }

    /// A length of time, as a partial match knows it.
    pub(super) fn millis(&self, length: Length, captures: &Captures) -> i64 {
        match length {
            Length::Millis(millis) => millis,
            Length::Read(id) => {
                Length::millis_of(&self.read(&self.pattern.lengths[id.index()], captures))
            }
        }
    }

    fn read(&self, expr: &Expr, captures: &Captures) -> Value {
        // There is no candidate; the expression does not ask for one.
        let Some(candidate) = self.events.last() else { return Value::Null };
        let view = View { candidate, captures, events: &self.events, step_keys: u64::MAX };
        eval::eval(expr, &view).into_owned()
    }

    /// Returns the bound that closes all branches from a position, if their bounds are of the same
    /// kind: the time since the event before, or the time of the same group. If several branches
    /// have to happen, it is enough that one of them is closed.
    fn shared_bound(
        &self,
        tree: &Tree<'_>,
        position: &Position,
        captures: &Captures,
        last: Timestamp,
    ) -> Option<Timestamp> {
        let all = self.shared_by_all(tree, position, captures, last);
        let Wait::Alternatives(branches) = &position.wait else { return all };
        let needed = branches.iter().filter_map(|branch| match branch {
            // A branch that has begun has to be completed. If it cannot be any more, the match
            // cannot.
            Standing::Begun(here) if !tree.reaches_end_of_branch(here) => {
                self.shared_bound(tree, here, captures, last)
            }
            _ => None,
        });
        needed.chain(all).min()
    }

    fn shared_by_all(
        &self,
        tree: &Tree<'_>,
        position: &Position,
        captures: &Captures,
        last: Timestamp,
    ) -> Option<Timestamp> {
        // A last `not` without a time waits until the time of the pattern is over.
        if tree.is_pending(position) && tree.pending_bound(position).is_none() {
            return None;
        }
        let mut ways_on = tree.ways_on(position);
        if tree.end_of_silence(position).is_some() {
            // It is a match when the silence is over, whatever it could still capture until then.
            ways_on.push((position.clone(), Vec::new()));
        }
        let mut shared: Option<BTreeMap<(Base, Option<LengthId>), Timestamp>> = None;
        for (position, gaps) in ways_on {
            let mut bounds = BTreeMap::new();
            let (base, last) = match tree.last_of_branch(&position) {
                Some((path, last)) => (Base::LastOfBranch(path), last),
                None => (Base::LastEvent, last),
            };
            for max in gaps.iter().filter_map(|gap| gap.max) {
                // A gap includes its greatest time.
                let end = last.plus_millis(self.millis(max, captures).saturating_add(1));
                let least = bounds.entry((base.clone(), read_from(max))).or_insert(end);
                *least = end.min(*least);
            }
            for group in tree.running_groups(&position) {
                let end = self.end_of(&group, captures);
                bounds.insert((Base::Group(group.path), read_from(group.within)), end);
            }
            shared = Some(match shared {
                None => bounds,
                Some(mut others) => {
                    // All that could follow is too late only when each of these is. A kind of bound
                    // that one of them does not have says nothing about that one. Of a kind, the
                    // latest end counts.
                    others.retain(|kind, deadline| {
                        bounds.get(kind).is_some_and(|other| {
                            *deadline = (*deadline).max(*other);
                            true
                        })
                    });
                    others
                }
            });
        }
        shared?.into_values().min()
    }
}

/// The event or clock that a bound on time starts from.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Base {
    LastEvent,
    LastOfBranch(Path),
    Group(Path),
}

/// Bounds that are read from different events are of different kinds.
fn read_from(length: Length) -> Option<LengthId> {
    match length {
        Length::Millis(_) => None,
        Length::Read(id) => Some(id),
    }
}
