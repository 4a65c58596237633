//! A silence that is one of several alternatives: `b and not c for 5s`, `b or not c for 5s`.
//!
//! The silence begins with the event before the group, whose time a clock has, and ends when its
//! length has passed. While the silence goes on, the other branches can go on until it ends. When
//! it ends, its branch is complete, and the other branches go on from there. An event that breaks
//! the silence leaves the other branches open if they are enough; otherwise it ends the partial
//! match.
//!
//! ```text
//! a -> (b and not c for 5s)
//!
//!     [b, goes on] --take: b, in time, no c--> [done, goes on]      matches when 5 s have passed
//!       |   |  +---proceed: c, in time--> stop
//!       |   +--skip: no b, no c, in time--> itself
//!       +--proceed: 5 s have passed--> [b, done] --take b--> match
//!
//! a -> (b or not c for 5s)
//!
//!     [b, goes on] --take: b, in time--> match                      matches when 5 s have passed
//!       |   +--skip: no b, no c, in time--> itself
//!       +--skip: c, no b, in time--> [b, violated] --take b--> match
//! ```
//!
//! The silences of a group have one beginning, so the shortest of those that go on ends first.
//! While it goes on, all of them do: a combined state needs one guard on time, and one edge to what
//! follows when that time is over. Without this order, each of the silences would need a guard and
//! an edge. So `check` refuses a group after an item that can go on, and several silences whose
//! lengths are not known beforehand.
//!
//! Held by `testdata/suite/absence_operands.cep`, by `tests/absence.rs`, which compares random
//! groups with the definition, and by `silences_as_ways_report_what_the_reference_reports` in
//! `tests/properties.rs`.

use hashbrown::HashSet;

use crate::nfa::error::AutomatonError;
use crate::nfa::graph::branches::{Alternatives, Places, Quiet, Standing};
use crate::nfa::graph::builder::{Builder, Clock, ItemCursor};
use crate::nfa::graph::raw::{Role, Verb};
use crate::nfa::guard::{Guard, GuardId};
use crate::nfa::states::{ClockOp, StateId};
use kleene_syntax::hir::{ItemKind, Length, Sequence};

/// Returns the length of the silence, if the branch is one.
pub(super) fn silence(branch: &Sequence) -> Option<Length> {
    let [only] = branch.items.as_slice() else { return None };
    let ItemKind::Not { .. } = only.kind else { return None };
    only.gap?.max
}

impl Alternatives {
    /// Returns the silence that ends first, of those that go on.
    fn next_over(&self, places: &Places) -> Option<(usize, Quiet)> {
        let quiet = self.quiet.iter().enumerate().zip(places).filter_map(|((index, quiet), at)| {
            (*at == Standing::Quiet).then_some(())?;
            Some((index, (*quiet)?))
        });
        // Of two that end at the same time, either can be the first. The index settles it.
        quiet.min_by_key(|(index, quiet)| (quiet.time.as_millis(), *index))
    }

    /// Returns the positions of the branches when a silence has ended.
    fn after_silence(&self, places: &Places, index: usize) -> Places {
        let mut after = places.clone();
        after[index] = Standing::Done;
        // The end of a silence counts as a branch that has begun. With the last one that has to
        // happen, the others are not needed.
        if after.iter().filter(|cursor| cursor.has_begun()).count() == self.count {
            for cursor in &mut after {
                if matches!(cursor, Standing::Ready(_) | Standing::Quiet) {
                    *cursor = Standing::Unneeded;
                }
            }
        }
        after
    }

    /// Returns the role of a deadline that ends the pattern, if only silences are waited for.
    pub(super) fn ends_quietly(&self, places: &Places) -> Option<Role> {
        // Lets the silences end one after the other, without an event. If that is enough, the match
        // is complete when the last of them is over, and the deadline of the state is that time.
        let mut places = places.clone();
        let mut last = None;
        loop {
            let begun = places.iter().filter(|cursor| cursor.has_begun()).count();
            let open = places.iter().any(|cursor| matches!(cursor, Standing::Begun(_)));
            if !self.is_last || open {
                return None;
            }
            if begun == self.count {
                let Quiet { time, clock, .. } = last?;
                return Some(Role::Quiet { time, clock });
            }
            let (index, quiet) = self.next_over(&places)?;
            last = Some(quiet);
            places = self.after_silence(&places, index);
        }
    }
}

impl<'p> Builder {
    /// Returns the branches that are silences.
    pub(super) fn quiet_branches(
        &mut self,
        cursor: ItemCursor<'p>,
        branches: &'p [Sequence],
    ) -> Vec<Option<Quiet>> {
        let node = self.nodes.item(cursor);
        let of_branch = |branch: &'p Sequence| {
            let time = silence(branch)?;
            let ItemKind::Not { step, condition } = branch.items.first()?.kind else {
                return None;
            };
            let violated = self.graph.guards.condition(condition);
            // One clock for the group, not one for each silence: `clock` knows it by the node.
            let clock = self.clock(Clock::Quiet, node);
            Some(Quiet { step, violated, time, clock })
        };
        branches.iter().map(of_branch).collect()
    }

    /// Adds the edges of the silences. Returns the guard that all silences still go on: the other
    /// edges are open only under this guard.
    pub(super) fn combine_silences(
        &mut self,
        group: &mut Alternatives,
        places: &Places,
        state: StateId,
    ) -> Result<GuardId, AutomatonError> {
        let Some((index, quiet)) = group.next_over(places) else {
            return Ok(self.graph.guards.always());
        };
        let sooner = Guard::Sooner { than: quiet.time, since: Some(quiet.clock) };
        let goes_on = self.graph.guards.leaf(sooner);
        let over = self.graph.guards.not(goes_on);
        let target = self.combined(group, group.after_silence(places, index))?;
        // At the end of the pattern, the deadline of the state (`ends_quietly`) reports the match
        // without a further event.
        if !(group.is_last && target == group.sink) {
            self.add(state, Verb::Proceed, target, over);
        }
        // If more silences than this are broken, too few branches are left.
        let spare = possible(places).saturating_sub(group.count);
        // There are four silences at most (`MAX_SILENCES`), so there are six choices at most.
        for broken in choices(&group.going_on(places), spare + 1) {
            let mut violated = goes_on;
            for quiet in &broken {
                violated = self.graph.guards.and(violated, quiet.violated);
            }
            // A partial match stops for one reason: the first of the violated silences.
            let stop = self.stop(broken[0].step)?;
            self.add(state, Verb::Proceed, stop, violated);
        }
        Ok(goes_on)
    }

    /// Returns the effects of an event on the silences that go on: the silences that it breaks, the
    /// guard, and the states of the branches afterwards. Effects that leave too few branches are
    /// omitted.
    pub(super) fn broken(
        &mut self,
        group: &Alternatives,
        places: Places,
    ) -> Vec<(GuardId, Places)> {
        let mut found = vec![(self.graph.guards.always(), places)];
        for (index, quiet) in group.quiet.iter().enumerate() {
            let Some(quiet) = quiet else { continue };
            // Each silence that goes on splits the effects in two: the event respects it, or
            // violates it.
            for (guard, mut places) in std::mem::take(&mut found) {
                if places[index] != Standing::Quiet {
                    found.push((guard, places));
                    continue;
                }
                let respected = self.graph.guards.not(quiet.violated);
                found.push((self.graph.guards.and(guard, respected), places.clone()));
                places[index] = Standing::Broken;
                found.push((self.graph.guards.and(guard, quiet.violated), places));
            }
        }
        // `combine_silences` has added the stops of the others.
        found.retain(|(_, places)| group.can_happen(places));
        found
    }

    /// Lets each event before a silence that is a branch set its clock.
    pub(super) fn start_silences(&mut self) {
        for (start, clock) in std::mem::take(&mut self.quiet_from) {
            // The clock is set when the event before the group is taken. That take can lead to a
            // state from which the group is reached without an event.
            let entries = self.leading_to(start);
            for transition in self.graph.states.iter_mut().flat_map(|raw| &mut raw.transitions) {
                if matches!(transition.verb, Verb::Take(_)) && entries.contains(&transition.target)
                {
                    transition.marks.push(ClockOp::Set(clock));
                }
            }
        }
    }

    /// Returns the states that lead to `state` without an event, and `state` itself.
    fn leading_to(&self, state: StateId) -> HashSet<StateId> {
        let mut found = HashSet::from([state]);
        loop {
            // Until nothing is added: a state can lead to another that was looked at before.
            let before = found.len();
            for (index, raw) in self.graph.states.iter().enumerate() {
                let mut proceeds = raw.transitions.iter().filter(|one| one.verb == Verb::Proceed);
                if proceeds.any(|one| found.contains(&one.target)) {
                    found.insert(StateId::new(index));
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }
}

impl Alternatives {
    fn going_on(&self, places: &Places) -> Vec<Quiet> {
        let quiet = self.quiet.iter().zip(places);
        quiet
            .filter(|(_, cursor)| **cursor == Standing::Quiet)
            .filter_map(|(quiet, _)| *quiet)
            .collect()
    }

    /// True if enough of the branches are left.
    fn can_happen(&self, places: &Places) -> bool {
        let has_broken = places.contains(&Standing::Broken);
        let begun = places.iter().filter(|cursor| cursor.has_begun()).count();
        !has_broken || begun == self.count || possible(places) >= self.count
    }
}

/// Returns the number of branches that have happened or can still happen.
fn possible(places: &Places) -> usize {
    let is_out = |cursor: &&Standing| matches!(cursor, Standing::Broken | Standing::Unneeded);
    places.len() - places.iter().filter(is_out).count()
}

/// Returns each choice of `count` silences.
fn choices(of: &[Quiet], count: usize) -> Vec<Vec<Quiet>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut found = Vec::new();
    for (index, first) in of.iter().enumerate() {
        for mut rest in choices(&of[index + 1..], count - 1) {
            rest.insert(0, *first);
            found.push(rest);
        }
    }
    found
}
