//! Crowded keys: an event visits only runs that it may move.
//!
//! When it applies: a key has many runs ([`CROWDED`](super::census::CROWDED)). With fewer, a look at
//! each costs less.
//!
//! Why it is right: the event's type and the conditions on the event alone decide whether the event
//! can move a run that waits in a state ([`can_move`](Walk::can_move)). If they leave one run as it
//! is, they leave every run in this state. The census knows the number of the other runs. So a
//! search for them from the newest run on knows when it has found the oldest of them. The runs
//! before that one stay as they are.
//!
//! What it saves: a visit of each run by each event. `a -> not b for 1h` with 50,000 `a` of one key
//! took 7 s.
//!
//! A loop that takes each value once (`a[v not in distinct(x.v)]{10} as x`) has a second way. Its
//! runs are offered the same events under the same condition ([`DistinctLoop`]). So the values of a
//! run contain those of every newer run: what the newer one takes, the older one has or takes, too.
//! If a run has the value of the event, so has every older run. The first run without it is found
//! by bisection, and an event costs a step for each run that moves. 20,000 events of three values
//! took 8.5 s. NaN ends this, as it compares with nothing, and so do values of several types. Runs
//! that were carried over or restored can have any values: they are compared once.
//!
//! Which test holds it: `tests/enumerator`, where four runs are many, and
//! `what_cannot_move_is_not_visited` in `tests/scaling_events.rs` for the steps. Of the loops that
//! take each value once: `values_that_many_have_are_found_by_bisection` in `tests/aggregates.rs` and
//! `a_value_that_all_have_is_asked_of_few` in `tests/scaling_events.rs`.

use smallvec::SmallVec;

use super::KeyState;
use super::census::{CROWDED, Census, ValueNesting};
use crate::exec::distinct::Distinct;
use crate::exec::fields::field_of;
use crate::exec::matcher::Walk;
use crate::exec::run::Run;
use crate::nfa::{Decision, DistinctLoop, StateId};
use kleene_event::event::Event;
use kleene_event::value::{Kind, ValueRef};

impl<E: Event> Walk<'_, E> {
    /// Returns the number of the oldest runs that the event certainly leaves as they are, and the
    /// census of all runs, to be given back when it is true again.
    pub(super) fn first_that_moves(
        &mut self,
        key: &mut KeyState,
        event_epoch: u64,
    ) -> (usize, Census) {
        let mut census = match key.take_census() {
            Some(census) if census.count() == key.runs().len() => census,
            _ => Census::of(key.runs()),
        };
        let mut left = 0;
        let mut moving: SmallVec<[StateId; 4]> = SmallVec::new();
        for (state, count) in &census.states {
            if self.can_move(*state, event_epoch) {
                moving.push(*state);
                left += *count as usize;
            }
        }
        let runs = key.runs();
        let movable = (&moving[..], left);
        if let Some(first) = self.first_without_value(runs, &mut census, movable, event_epoch) {
            return (first, census);
        }
        // Where most may move, a search saves little.
        if 2 * left > runs.len() {
            return (0, census);
        }
        let mut first = runs.len();
        while left > 0 && first > 0 {
            first -= 1;
            left -= usize::from(moving.contains(&runs[first].state));
        }
        (first, census)
    }

    /// Returns the first run for which the value of the event is new, if the runs that the event
    /// can move are in a loop that takes each value once, and their values are nested. These runs
    /// are in the states `moving`; `left` is their number.
    fn first_without_value(
        &mut self,
        runs: &[Run],
        census: &mut Census,
        (moving, mut left): (&[StateId], usize),
        event_epoch: u64,
    ) -> Option<usize> {
        let program = self.program;
        let DistinctLoop { condition, register, field, .. } = program.distinct_loop.as_ref()?;
        let ty = program.conditions[condition.index()].ty;
        if ty.is_some_and(|ty| ty != self.event.type_id()) {
            return None;
        }
        if matches!(census.nesting, ValueNesting::Unknown(events) if events >= CROWDED) {
            census.nesting = self.nesting(runs, moving, *register);
        }
        census.nesting = match field_of(self.event, field) {
            ValueRef::Float(value) if value.is_nan() => ValueNesting::Mixed,
            value => census.nesting.and(value.kind()),
        };
        let column = self.column;
        let tree = |state: StateId| program.decisions.of(state, column);
        let asks_for_value = |state: &StateId| match tree(*state) {
            Decision::Condition { condition: asked, .. } => asked == condition,
            _ => false,
        };
        if !matches!(census.nesting, ValueNesting::Nested(_)) || !moving.iter().all(asks_for_value)
        {
            return None;
        }
        let mut stays = |run: &Run| {
            self.store.counts.steps += 1;
            *self.decide(tree(run.state), run, event_epoch) == Decision::Stay
        };
        if moving.len() == census.states.len() {
            return Some(runs.partition_point(stays));
        }
        // Others wait elsewhere, in most cases older ones.
        let mut first = runs.len();
        while left > 0 && first > 0 {
            let run = &runs[first - 1];
            if moving.contains(&run.state) {
                if stays(run) {
                    break;
                }
                left -= 1;
            }
            first -= 1;
        }
        Some(first)
    }

    /// Finds out whether the values of runs in some states are nested.
    fn nesting(&mut self, runs: &[Run], states: &[StateId], register: usize) -> ValueNesting {
        self.store.counts.steps += runs.len() as u64;
        let file = &self.store.file;
        let in_loop = runs.iter().filter(|run| states.contains(&run.state));
        let mut nesting = ValueNesting::Nested(Kind::NEVER);
        let mut older: Option<Option<&Distinct>> = None;
        for run in in_loop {
            let values = file.distinct(run.registers, register);
            if let Some(newer) = values {
                let is_nested =
                    older.is_none_or(|older| older.is_some_and(|it| it.contains(newer)));
                if !is_nested || newer.has_nan() {
                    return ValueNesting::Mixed;
                }
                nesting = newer.kinds().map_or(nesting, |kinds| nesting.and(kinds));
            }
            older = Some(values);
        }
        nesting
    }
}
