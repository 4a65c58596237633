//! Alternatives: `a or b`, `a and b`, `2 of (a, b, c)`.
//!
//! Each branch is laid out by itself. Then the states of the branches that are under way at the
//! same time are combined, as in a product of automata. An event goes to one branch, and the others
//! skip it like an event that does not fit. An event is ignored if all branches ignore it.
//!
//! A branch can be a silence, `not x for 5s`: see [`quiet`](super::quiet). Many branches that are
//! one event each wait in one state: see [`operands`](super::operands).
//!
//! A combined state is named by the standing of each branch. For `2 of (a, b, c)`, with `.` for a
//! branch that waits for its first event, `+` for one that is done, and `-` for one that is not
//! needed:
//!
//! ```text
//! [. . .] --take a--> [+ . .] --take b--> [+ + -]  = sink
//!    |                   +------take c--> [+ - +]  = sink
//!    +--take b--> [. + .] --take a, c--> sink
//!    +--take c--> [. . +] --take a, b--> sink
//! ```
//!
//! - No more branches begin than have to happen: with the last one that begins, the others become
//!   `Unneeded`. So in `a or b -> c`, whose count is one, the state after the `b` is that of the
//!   branch itself, and no combined state is made.
//! - Each branch is laid out twice. Before the first event of the group, its first step follows the
//!   event before the group: by that contiguity, within that gap. After it, the branch waits anew,
//!   by `->` and without a gap. Held by the example `b -> any (a and x? -> c)` of
//!   docs/semantics.md.
//! - States are made on demand, from the start on (`Alternatives::open`). Combinations that no
//!   event leads to are never made.
//! - An event is skipped if all branches skip it, each by one of its ignores: the ignores of a
//!   combined state are the products of those of its parts (`skips`).
//!
//! States multiply: twelve operands of one event have 2^12 combinations. Rule text refuses a group
//! from about 5,000 on (`combinations.rs` of the lowering). The other layout, one state and a set
//! of the events that have come, takes up to 64 events in all. It is not used for few operands: an
//! event that is skipped took 0.2 to 0.3 us with 12 operands in states, and 1.9 to 2.7 us with 64
//! operands of one type in one state (commit 8271997c). `tests/operands.rs` holds the two layouts
//! against each other.
//!
//! Held by `testdata/suite/and.cep`, `or.cep` and `of.cep`.

use hashbrown::HashMap;

use crate::nfa::error::{AutomatonError, Refusal};
use crate::nfa::graph::branches::{Alternatives, Places, Quiet, Standing};
use crate::nfa::graph::builder::{Builder, Clock, Context, EnclosingGroup, ItemCursor};
use crate::nfa::graph::raw::{RawState, Role, Transition, Verb};
use crate::nfa::guard::{Guard, GuardId};
use crate::nfa::states::StateId;
use kleene_syntax::hir::{Contiguity, Gap, ItemKind, Quantifier, Sequence};

/// The maximum number of states of one group of alternatives.
///
/// Rule text is refused long before. This bounds patterns that come another way.
const MAX_COMBINED: usize = 30_000;

/// The branches of alternatives, each laid out by itself.
#[derive(Debug, Default)]
struct LaidOut {
    /// The first state of each branch.
    first: Vec<StateId>,
    /// The first state of each branch once another branch has begun.
    later: Vec<StateId>,
    /// The clock of each branch's last event, if it has one.
    clocks: Vec<Option<u32>>,
}

impl<'p> Builder {
    /// Lays out alternatives in front of `sink`.
    pub(super) fn branches(
        &mut self,
        cursor: ItemCursor<'p>,
        branches: &'p [Sequence],
        count: usize,
        sink: StateId,
    ) -> Result<StateId, AutomatonError> {
        let end = self.state(Role::Normal)?;
        if count == 1 {
            // It leads on from the start, so that a greedy loop at the end of a branch keeps its
            // events from what follows.
            let always = self.graph.guards.always();
            self.add(end, Verb::Proceed, sink, always);
        }
        // The gap is measured at the first event, on whichever branch it is.
        let mut gap = Self::inherited_gap(cursor);
        let clocked = cursor.item().gap.is_some();
        let node = self.nodes.item(cursor);
        if let Some(Gap { min, max }) = cursor.item().gap {
            let clock = self.clock(Clock::Item, node);
            self.enter(clock, None);
            let since = cursor.context.since;
            // Once a branch has begun, the clock is set, and the gap says nothing to the others.
            let own = Guard::Gap { min, max, unless_set: Some(clock), since };
            let own = self.graph.guards.leaf(own);
            gap = self.both(gap, Some(own));
        }
        let quiet = self.quiet_branches(cursor, branches);
        let wait = self.set_wait(node, branches, count);
        let laid_out = self.lay_out_branches((cursor, gap), (branches, &quiet), count, end)?;
        let LaidOut { first, later, clocks } = laid_out;
        let mut group = Alternatives {
            count,
            clocks,
            since: cursor.context.since,
            later,
            end,
            sink,
            is_last: self.graph.states[sink.index()].role == Role::Final,
            quiet,
            wait,
            made: HashMap::new(),
            open: Vec::new(),
        };
        let start = first.into_iter().zip(&group.quiet).map(|(state, quiet)| match quiet {
            Some(_) => Standing::Quiet,
            None => Standing::Ready(state),
        });
        let start = start.collect();
        let start = self.combined(&mut group, start)?;
        // All silences of a group begin with the event before it, so one clock is enough.
        if let Some(clock) = group.quiet.iter().flatten().map(|quiet| quiet.clock).next() {
            self.quiet_from.push((start, clock));
        }
        // `combine` makes the states that it leads to, and adds them here.
        while let Some((places, state)) = group.open.pop() {
            self.combine(&mut group, &places, state)?;
            if !places.iter().any(|cursor| cursor.has_begun()) {
                // The `not`s before the alternatives apply up to the first event of a branch.
                self.add_stops(cursor, state)?;
            }
        }
        if clocked {
            self.inside.pop();
        }
        Ok(start)
    }

    /// Lays out each branch by itself in front of `end`.
    fn lay_out_branches(
        &mut self,
        (cursor, gap): (ItemCursor<'p>, Option<GuardId>),
        (branches, quiet): (&'p [Sequence], &[Option<Quiet>]),
        count: usize,
        end: StateId,
    ) -> Result<LaidOut, AutomatonError> {
        let from = self.graph.states.len();
        let mut laid_out = LaidOut::default();
        let LaidOut { first, later, clocks } = &mut laid_out;
        for (number, (branch, quiet)) in branches.iter().zip(quiet).enumerate() {
            if quiet.is_some() {
                // A silence has no states of its own.
                first.push(end);
                later.push(end);
                clocks.push(None);
                continue;
            }
            let contiguity = Self::entry_contiguity(cursor);
            let mut context = self.context_of_branch(cursor, number, contiguity, gap);
            // Once a branch has begun, the others are not needed: no state waits for two of them by
            // then, and the second layout would not be reached.
            if count == 1 {
                let start = self.sequence(branch, end, context)?;
                first.push(start);
                later.push(start);
                clocks.push(None);
                continue;
            }
            // A gap is measured from the last event of this branch, if conditions on time read it.
            let own = reads_time(branch).then(|| self.clock(Clock::Branch, context.node));
            context.since = own.or(context.since);
            self.branch_clocks.extend(own);
            clocks.push(own);
            // A `not` after the group begins when the group is done, and not in a loop that ends a
            // branch.
            context.following = &[];
            first.push(self.sequence(branch, end, context)?);
            context.group = context.group.map(|group| EnclosingGroup {
                // The branch no longer follows the event before the group, but the group's first.
                contiguity: Contiguity::Relaxed,
                optional: false,
                gap: None,
                ..group
            });
            later.push(self.sequence(branch, end, context)?);
            if own.is_some() {
                self.branch_clocks.pop();
            }
        }
        if count > 1 {
            // States before a silence of one branch stay while the other branches go on.
            self.divide(from)?;
        }
        Ok(laid_out)
    }

    /// Returns the surroundings of the branch with this number.
    fn context_of_branch(
        &mut self,
        cursor: ItemCursor<'p>,
        number: usize,
        contiguity: Contiguity,
        gap: Option<GuardId>,
    ) -> Context<'p> {
        let around = cursor.context.group;
        let quantifier = around.map_or(&Quantifier::ONCE, |group| group.quantifier);
        let optional = cursor.heads_optional_group();
        let loop_clock = around.and_then(|group| group.loop_clock);
        let group = EnclosingGroup { contiguity, quantifier, loop_clock, optional, gap, nots: 0 };
        let following = cursor.following();
        let item = self.nodes.item(cursor);
        let node = self.nodes.child(item, number);
        Context { node, group: Some(group), following, top: false, since: cursor.context.since }
    }

    /// Returns the state for branches at `places`.
    pub(super) fn combined(
        &mut self,
        group: &mut Alternatives,
        places: Places,
    ) -> Result<StateId, AutomatonError> {
        let begun = places.iter().filter(|cursor| cursor.has_begun()).count();
        let open = places.iter().filter(|cursor| matches!(cursor, Standing::Begun(_))).count();
        if begun == group.count && open == 0 {
            return Ok(group.sink);
        }
        if group.count == 1
            && let Some(state) = places.iter().find(|cursor| cursor.has_begun())
        {
            // The only branch that is left goes on by itself.
            return Ok(state.state().unwrap_or(group.sink));
        }
        // Branches are done in any order: both ways around `a and b and c` meet in one state.
        if let Some(&state) = group.made.get(&places) {
            return Ok(state);
        }
        if group.made.len() >= MAX_COMBINED {
            return Err(AutomatonError::new(Refusal::TooLarge));
        }
        let parts: Vec<&RawState> = places
            .iter()
            .filter_map(|cursor| cursor.state())
            .map(|state| &self.graph.states[state.index()])
            .collect();
        let waits_for_one = parts.iter().any(|part| part.role == Role::NextNot);
        let mut instances = self.inside.clone();
        for part in &parts {
            for instance in &part.instances {
                if !instances.contains(instance) {
                    instances.push(*instance);
                }
            }
        }
        let role = match group.ends_quietly(&places) {
            _ if waits_for_one => Role::NextNot,
            Some(role) => role,
            None => Role::Normal,
        };
        let state = self.state(role)?;
        let required = places
            .iter()
            .filter_map(|cursor| match cursor {
                Standing::Begun(state) => Some(*state),
                _ => None,
            })
            .filter(|state| !self.can_end(*state, group.end))
            .collect();
        let raw = &mut self.graph.states[state.index()];
        raw.instances = instances;
        raw.required = required;
        group.made.insert(places.clone(), state);
        group.open.push((places, state));
        Ok(state)
    }

    /// True if a branch can end at `state` without another event.
    ///
    /// `a+` of `a+ and b` can: it proceeds to the end. `a -> c` of `(a -> c) and b` cannot before
    /// the `c`.
    fn can_end(&self, state: StateId, end: StateId) -> bool {
        let mut open = vec![state];
        let mut seen = Vec::new();
        while let Some(state) = open.pop() {
            if state == end {
                return true;
            }
            if seen.contains(&state) {
                continue;
            }
            seen.push(state);
            let transitions = &self.graph.states[state.index()].transitions;
            let on = transitions.iter().filter(|transition| transition.verb == Verb::Proceed);
            open.extend(on.map(|transition| transition.target));
        }
        false
    }

    /// Adds the transitions of the state for branches at `places`.
    fn combine(
        &mut self,
        group: &mut Alternatives,
        places: &Places,
        state: StateId,
    ) -> Result<(), AutomatonError> {
        let meanwhile = self.combine_silences(group, places, state)?;
        for (index, cursor) in places.iter().enumerate() {
            for transition in self.transitions(group, *cursor, index) {
                match transition.verb {
                    // One branch takes the event, and the others skip it. If one of them cannot,
                    // there is no take.
                    Verb::Take(_) => {
                        let guard = self.graph.guards.and(transition.guard, meanwhile);
                        let take = Transition { guard, ..transition };
                        self.combine_take(group, places, index, state, &take)?;
                    }
                    Verb::Proceed => {
                        let target = self.combine_proceed(group, places, index, &transition)?;
                        let guard = self.graph.guards.and(transition.guard, meanwhile);
                        let added = Transition { target, guard, ..transition };
                        self.graph.states[state.index()].transitions.push(added);
                    }
                    // An event is ignored by all branches or by none.
                    Verb::Ignore | Verb::Complete => {}
                }
            }
        }
        // Branches that are done or not needed wait for nothing, and have no say.
        let everyone: Vec<usize> =
            (0..places.len()).filter(|&index| places[index].state().is_some()).collect();
        for (guard, skip, places) in self.skips(group, places, &everyone, |ignore| ignore.guard) {
            let guard = self.graph.guards.and(guard, meanwhile);
            for (breaks, places) in self.broken(group, places) {
                let target = self.combined(group, places)?;
                let guard = self.graph.guards.and(guard, breaks);
                self.add(state, Verb::Ignore, target, guard);
                if let Some(added) = self.graph.states[state.index()].transitions.last_mut() {
                    added.skip = skip;
                }
            }
        }
        Ok(())
    }

    /// Returns the transitions of one branch, from where it stands.
    fn transitions(
        &mut self,
        group: &Alternatives,
        cursor: Standing,
        index: usize,
    ) -> Vec<Transition> {
        let Some(here) = cursor.state() else { return Vec::new() };
        let mut transitions = self.graph.states[here.index()].transitions.clone();
        for transition in &mut transitions {
            transition.branches.insert(0, (group.end, index));
        }
        if let (Standing::Ready(_), Some(clock)) = (cursor, group.clocks[index]) {
            // The clock still has the time of an earlier repetition.
            let guards = &mut self.graph.guards;
            for transition in &mut transitions {
                transition.guard = guards.rebased(transition.guard, clock, group.since);
                transition.skip = guards.rebased(transition.skip, clock, group.since);
                transition.gap = transition.gap.map(|gap| guards.rebased(gap, clock, group.since));
            }
        }
        transitions
    }

    fn combine_proceed(
        &mut self,
        group: &mut Alternatives,
        places: &Places,
        index: usize,
        transition: &Transition,
    ) -> Result<StateId, AutomatonError> {
        if self.graph.states[transition.target.index()].role == Role::Stop {
            return Ok(transition.target);
        }
        let mut places = places.clone();
        places[index] = match places[index] {
            Standing::Begun(_) if transition.target == group.end => Standing::Done,
            Standing::Begun(_) => Standing::Begun(transition.target),
            _ => Standing::Ready(transition.target),
        };
        self.combined(group, places)
    }

    fn combine_take(
        &mut self,
        group: &mut Alternatives,
        places: &Places,
        index: usize,
        state: StateId,
        take: &Transition,
    ) -> Result<(), AutomatonError> {
        // Many operands that are rows of single events: all takes lead to their one state.
        if let Some(mut wait) = group.wait.take() {
            let first = self.first_of_set(group, &mut wait, (index, take));
            group.wait = Some(wait);
            self.graph.states[state.index()].transitions.push(first?);
            return Ok(());
        }
        // A branch waits anew at the first event of the group, and not at each later one: an event
        // that another branch captures is skipped by it.
        let here = places[index].state().expect("something is taken there");
        let mut after = places.clone();
        after[index] =
            if take.target == group.end { Standing::Done } else { Standing::Begun(take.target) };
        let begun = after.iter().filter(|cursor| cursor.has_begun()).count();
        // A silence that is over has brought no event.
        // In `a -> any (a and a and not a for 3ms)`, the silence can be over before the first event
        // of the group. The other branches still wait anew from that event on.
        let has_event =
            |(cursor, quiet): (&Standing, &Option<Quiet>)| cursor.has_begun() && quiet.is_none();
        let is_first = !places.iter().zip(&group.quiet).any(has_event);
        for (other, cursor) in after.iter_mut().enumerate() {
            match cursor {
                Standing::Ready(_) | Standing::Quiet if begun == group.count => {
                    *cursor = Standing::Unneeded;
                }
                // From the first event of the group on, the others wait anew.
                Standing::Ready(_) if is_first => *cursor = Standing::Ready(group.later[other]),
                _ => {}
            }
        }
        // A branch that has begun, or waits since an earlier event of the group, has to skip the
        // event. At the first event of the group, a branch that has not begun only starts to wait:
        // nothing to skip.
        let others: Vec<usize> = (0..after.len())
            .filter(|&other| match after[other] {
                Standing::Begun(_) => other != index,
                Standing::Ready(_) => !is_first,
                _ => false,
            })
            .collect();
        let instances = self.graph.states[here.index()].instances.clone();
        for (guard, _, places) in self.skips(group, &after, &others, |ignore| ignore.skip) {
            let guard = self.graph.guards.and(take.guard, guard);
            for (breaks, places) in self.broken(group, places) {
                let target = self.combined(group, places)?;
                let guard = self.graph.guards.and(guard, breaks);
                let instances = Some(take.instances.clone().unwrap_or_else(|| instances.clone()));
                let added = Transition { target, guard, instances, ..take.clone() };
                self.graph.states[state.index()].transitions.push(added);
            }
        }
        Ok(())
    }

    /// Returns the ways in which all branches of `who` skip one event: the guard, the guard if yet
    /// another branch takes the event, and the states afterwards.
    ///
    /// For two branches that skip by `not b` and by `not d`, this is one way: `not b and not d`. A
    /// branch without an ignore (`next`) leaves none.
    fn skips(
        &mut self,
        group: &Alternatives,
        places: &Places,
        who: &[usize],
        guard_of: fn(&Transition) -> GuardId,
    ) -> Vec<(GuardId, GuardId, Places)> {
        let always = self.graph.guards.always();
        let mut found = vec![(always, always, places.clone())];
        for &index in who {
            let mut ignores = self.transitions(group, places[index], index);
            ignores.retain(|transition| transition.verb == Verb::Ignore);
            // A state can have two ignores: the split at the end of a greedy loop. Each of them is
            // followed.
            let mut longer = Vec::new();
            for (guard, skip, places) in &found {
                for ignore in &ignores {
                    let mut places = places.clone();
                    places[index] = match places[index] {
                        Standing::Begun(_) => Standing::Begun(ignore.target),
                        _ => Standing::Ready(ignore.target),
                    };
                    longer.push((
                        self.graph.guards.and(*guard, guard_of(ignore)),
                        self.graph.guards.and(*skip, ignore.skip),
                        places,
                    ));
                }
            }
            found = longer;
        }
        found
    }
}

/// True if something in the sequence depends on the time since the event before.
/// A branch without such a condition needs no clock of its own.
fn reads_time(sequence: &Sequence) -> bool {
    sequence.items.iter().any(|item| {
        item.gap.is_some()
            || match &item.kind {
                ItemKind::Group { body, .. } => reads_time(body),
                ItemKind::Alternatives { branches, .. } => branches.iter().any(reads_time),
                ItemKind::Step { .. } | ItemKind::Not { .. } => false,
            }
    })
}
