//! A pattern as a graph of states with take, ignore and proceed transitions.
//!
//! The graph is laid out from the end to the start, each item knowing the state that follows it.
//! Which transitions an item gets decides every question of contiguity, greediness and absence;
//! the shapes are those of Flink CEP's compiler, since its answers are the specification.

mod alternatives;
mod check;
mod quiet;
mod silence;

use hashbrown::HashMap;

use crate::hir::{
    ConditionId, Contiguity, Gap, Item, ItemKind, Length, LoopMode, Pattern, Quantifier, Sequence,
    StageId,
};
use crate::nfa::error::{BuildError, Kind};
use crate::nfa::graph::check::is_nullable;
use crate::nfa::graph::silence::Division;
use crate::nfa::guard::{Guard, GuardId, Guards};
use crate::nfa::states::StateId;

/// The most states that a pattern may take.
pub(super) const MAX_STATES: usize = 100_000;
/// The most groups with an alias, one bit of a node each.
const MAX_NAMED_GROUPS: usize = 32;

/// A pattern laid out.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) states: Vec<RawState>,
    pub(super) guards: Guards,
    pub(super) start: StateId,
    /// What is known of each repetition of a group that has a clock, by [`RawState::instances`].
    pub(super) instances: Vec<Instance>,
    pub(super) clocks: usize,
    /// The named groups, each with its clock.
    pub(super) named: Vec<(StageId, u32)>,
}

#[derive(Clone, Debug)]
pub(super) struct RawState {
    pub(super) role: Role,
    pub(super) transitions: Vec<Transition>,
    /// The repetitions of clocked groups that the state is part of, outermost first.
    pub(super) instances: Vec<usize>,
    /// True if a `longest` loop that waits here is complete when it can grow no more.
    pub(super) accepts_when_exhausted: bool,
    /// Of alternatives: where those wait that have begun and have to go on.
    pub(super) required: Vec<StateId>,
    /// How long after its last event a partial match waits here at most.
    pub(super) closes: Option<Length>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// Waits for an event of a stage, or is a joint between repetitions.
    Normal,
    /// Looks whether the very next event violates a `next not`.
    NextNot,
    /// The match is complete.
    Final,
    /// A `not` was violated.
    Stop,
    /// A `not` at the end: complete when time runs out, at the latest so long after the last event.
    Pending(Option<Length>),
    /// Several branches at the end, of which none but silences are waited for: complete so long after
    /// what the clock has.
    Quiet { time: Length, clock: u32 },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verb {
    /// Captures the event as the stage.
    Take(StageId),
    /// Skips it.
    Ignore,
    /// Goes on to the target with the same event.
    Proceed,
}

#[derive(Clone, Debug)]
pub(super) struct Transition {
    pub(super) verb: Verb,
    pub(super) target: StateId,
    pub(super) guard: GuardId,
    /// What of the guard speaks of the time since the event before.
    pub(super) gap: Option<GuardId>,
    /// Of an ignore: when the event may be skipped although it fits, because another way of a group
    /// of alternatives takes it.
    pub(super) skip: GuardId,
    /// Of a take on one of several branches: the repetitions of clocked groups that it takes part in.
    pub(super) instances: Option<Vec<usize>>,
    /// Of a take: the clocks that it sets to the event's time.
    pub(super) marks: Vec<u32>,
    /// Of one that leads to the stop of a `not`: whether what is taken where it stands comes behind
    /// that `not`, so that it is not between.
    pub(super) is_behind: bool,
    /// The branches that it is on, outermost first: for each group of alternatives its end, and which branch.
    pub(super) branches: Vec<(StateId, usize)>,
}

/// One repetition of a group whose time is bounded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instance {
    pub(super) clock: u32,
    pub(super) within: Option<Length>,
}

pub(super) fn build(pattern: &Pattern) -> Result<Graph, BuildError> {
    check::check(pattern)?;
    let mut builder = Builder {
        graph: Graph {
            states: Vec::new(),
            guards: Guards::new(&pattern.conditions),
            start: StateId::new(0),
            instances: Vec::new(),
            clocks: 0,
            named: Vec::new(),
        },
        stops: HashMap::new(),
        originals: HashMap::new(),
        kept: HashMap::new(),
        clock_of: HashMap::new(),
        nodes: Nodes::default(),
        inside: Vec::new(),
        branch_clocks: Vec::new(),
        before_groups: vec![Vec::new()],
        division: Division::default(),
        quiet_from: Vec::new(),
        repeats: pattern.repeats,
    };
    let end = builder.state(Role::Final)?;
    let context = Context { node: NodeId(0), group: None, following: None, top: true, since: None };
    let start = builder.sequence(&pattern.body, end, context)?;
    builder.divide(0)?;
    builder.start_silences();
    builder.graph.start = start;
    Ok(builder.graph)
}

/// What surrounds the items of a sequence.
#[derive(Clone, Copy, Debug)]
struct Context<'p> {
    /// The sequence.
    node: NodeId,
    group: Option<Group<'p>>,
    /// The item that comes after the sequence.
    following: Option<&'p Item>,
    /// Whether the sequence is the pattern's own, not a group's.
    top: bool,
    /// The clock that has the time of the event captured last on this branch of alternatives.
    since: Option<u32>,
}

/// The group whose items are laid out.
#[derive(Clone, Copy, Debug)]
struct Group<'p> {
    /// How this repetition follows what is before it.
    contiguity: Contiguity,
    quantifier: &'p Quantifier,
    /// Whether this repetition may be left out together with the group.
    optional: bool,
    /// What must hold of the time for the group's first event, true once it was taken.
    gap: Option<GuardId>,
    /// The number of the `not`s before the group, whose absence is asked for up to its first event.
    nots: usize,
}

/// An item with its place.
#[derive(Clone, Copy, Debug)]
struct Place<'p> {
    items: &'p [Item],
    index: usize,
    context: Context<'p>,
}

impl<'p> Place<'p> {
    fn item(&self) -> &'p Item {
        &self.items[self.index]
    }

    fn previous(&self) -> Option<Place<'p>> {
        (self.index > 0).then(|| Place { index: self.index - 1, ..*self })
    }

    fn following(&self) -> Option<&'p Item> {
        self.items.get(self.index + 1).or(self.context.following)
    }

    /// The group that the item is the first of.
    fn head_of(&self) -> Option<Group<'p>> {
        if self.index == 0 { self.context.group } else { None }
    }

    fn heads_optional_group(&self) -> bool {
        self.head_of().is_some_and(|group| group.optional)
    }

    /// Whether it is the pattern's first item.
    fn is_start(&self) -> bool {
        self.context.top && self.index == 0
    }

    fn quantifier(&self) -> Option<&'p Quantifier> {
        match &self.item().kind {
            ItemKind::Step { quantifier, .. } | ItemKind::Group { quantifier, .. } => {
                Some(quantifier)
            }
            ItemKind::Not { .. } | ItemKind::Alternatives { .. } => None,
        }
    }

    fn is_optional(&self) -> bool {
        self.quantifier().is_some_and(|quantifier| quantifier.optional)
    }
}

/// The guards of a step where it waits for an event.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    take: GuardId,
    /// `None` where nothing may be skipped.
    ignore: Option<Ignoring>,
    optional: bool,
    /// What of `take` speaks of the time since the event before.
    gap: Option<GuardId>,
}

/// When an event is skipped.
#[derive(Clone, Copy, Debug)]
struct Ignoring {
    guard: GuardId,
    /// The same for an event that another of several branches takes.
    skip: GuardId,
}

/// Which repetition of a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Repetition {
    First,
    /// A later one without which the group is not complete.
    Needed,
    /// A later one that may be left out.
    Optional,
}

/// A sequence or item of a pattern.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct NodeId(usize);

/// The nodes of a pattern, by their parents. A node that is laid out more than once has one id, so
/// that all its copies share their clocks.
#[derive(Debug, Default)]
struct Nodes(HashMap<(NodeId, usize), NodeId>);

impl Nodes {
    /// Returns a child of a node by its index: an item of a sequence, or a sequence of an item.
    fn child(&mut self, parent: NodeId, index: usize) -> NodeId {
        // The root has the id 0, and no parent.
        let next = NodeId(self.0.len() + 1);
        *self.0.entry((parent, index)).or_insert(next)
    }

    fn item(&mut self, place: Place<'_>) -> NodeId {
        self.child(place.context.node, place.index)
    }
}

/// What a clock is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Clock {
    /// When the repetition of an item began.
    Item,
    /// When a sequence with `without` began.
    Without,
    /// When the last event of a branch came.
    Branch,
    /// When the last event before alternatives came.
    Quiet,
}

/// A `not` whose absence is asked for where an item behind it is waited for.
#[derive(Clone, Copy)]
struct EarlierNot {
    stage: StageId,
    violated: GuardId,
    /// Whether it has a time of its own.
    timed: bool,
}

struct Builder {
    graph: Graph,
    /// The stop state of each `not`.
    stops: HashMap<StageId, StateId>,
    /// For a greedy loop with `until`: what followed it before it was made to wait for the loop.
    originals: HashMap<StateId, StateId>,
    /// What greedy loops keep from the states behind them.
    kept: HashMap<StateId, Vec<GuardId>>,
    /// The clocks by purpose and node.
    clock_of: HashMap<(Clock, NodeId), u32>,
    nodes: Nodes,
    /// The repetitions of clocked groups around what is laid out now.
    inside: Vec<usize>,
    /// The clocks of the branches around it that have the time of their last event.
    branch_clocks: Vec<u32>,
    /// The `not`s before groups, by [`Group::nots`]; the first are none.
    before_groups: Vec<Vec<EarlierNot>>,
    /// What is known of silences behind loops.
    division: Division,
    /// Where silences that are branches begin, with the clock that has the time.
    quiet_from: Vec<(StateId, u32)>,
    /// True if the silence at the end is reported again and again.
    repeats: bool,
}

impl<'p> Builder {
    /// Lays out `sequence` in front of `sink` and gives its first state.
    fn sequence(
        &mut self,
        sequence: &'p Sequence,
        sink: StateId,
        context: Context<'p>,
    ) -> Result<StateId, BuildError> {
        let from = self.graph.states.len();
        if sequence.without.is_some() {
            let clock = self.clock(Clock::Without, context.node);
            self.enter(clock, None);
        }
        let mut next = sink;
        for index in (0..sequence.items.len()).rev() {
            let place = Place { items: &sequence.items, index, context };
            match &place.item().kind {
                ItemKind::Not { stage, condition } => {
                    next = self.absence(place, *stage, *condition, next)?;
                }
                ItemKind::Alternatives { branches, count } => {
                    next = self.branches(place, branches, *count, next)?;
                }
                ItemKind::Step { .. } | ItemKind::Group { .. } => next = self.item(place, next)?,
            }
        }
        if let Some(without) = &sequence.without
            && let Some(instance) = self.inside.pop()
        {
            self.keep_out(from, without.condition, instance);
        }
        Ok(next)
    }

    /// No event that the states of `instance` skip fulfils the condition, from the first that they
    /// take to the last. An event that they take is no violation: it is part of the match. They are
    /// from `from` on, between copies of what follows them.
    fn keep_out(&mut self, from: usize, condition: ConditionId, instance: usize) {
        let clock = self.graph.instances[instance].clock;
        let violated = self.graph.guards.condition(condition);
        let respected = self.graph.guards.not(violated);
        let begun = self.graph.guards.leaf(Guard::IsSet(clock));
        let not_begun = self.graph.guards.not(begun);
        let skipped = self.graph.guards.or(respected, not_begun);
        let Graph { states, guards, .. } = &mut self.graph;
        let inside = states[from..].iter_mut().filter(|state| state.instances.contains(&instance));
        for transition in inside.flat_map(|state| &mut state.transitions) {
            match transition.verb {
                Verb::Ignore => {
                    transition.guard = guards.and(transition.guard, skipped);
                    transition.skip = guards.and(transition.skip, skipped);
                }
                Verb::Take(_) | Verb::Proceed => {}
            }
        }
    }

    fn clock(&mut self, what: Clock, of: NodeId) -> u32 {
        let clocks = &mut self.graph.clocks;
        *self.clock_of.entry((what, of)).or_insert_with(|| {
            *clocks += 1;
            u32::try_from(*clocks - 1).unwrap_or(u32::MAX)
        })
    }

    /// What is laid out from here on is part of one repetition of what has the clock.
    fn enter(&mut self, clock: u32, within: Option<Length>) {
        self.inside.push(self.graph.instances.len());
        self.graph.instances.push(Instance { clock, within });
    }

    fn absence(
        &mut self,
        place: Place<'p>,
        stage: StageId,
        condition: ConditionId,
        next: StateId,
    ) -> Result<StateId, BuildError> {
        if place.is_start() {
            // The matcher knows when such an event came last, and starts nothing too soon after it.
            return Ok(next);
        }
        let violated = self.extend(place, condition);
        let respected = self.graph.guards.not(violated);
        let next_role = self.graph.states[next.index()].role;
        if place.item().contiguity == Contiguity::Next {
            // Of the very next event only; a gap bounds when that one comes.
            let state = self.state(Role::NextNot)?;
            let gap = self.gap_guard(place);
            let respected = gap.map_or(respected, |gap| self.graph.guards.and(respected, gap));
            if next_role == Role::Final {
                self.add_in_gap(state, Verb::Ignore, next, respected, gap);
            } else {
                self.add_in_gap(state, Verb::Proceed, next, respected, gap);
            }
            let stop = self.stop(stage)?;
            self.set_timed(stop);
            self.add(state, Verb::Proceed, stop, violated);
            return Ok(state);
        }
        match next_role {
            Role::Final if place.context.top => {
                let bound = place.item().gap.and_then(|gap| gap.max);
                let state = self.state(Role::Pending(bound))?;
                let stop = self.stop(stage)?;
                if let Some(time) = bound {
                    self.set_timed(stop);
                    if let Some(before) = place.previous() {
                        self.set_closing(state, before.item(), time);
                    }
                }
                self.add(state, Verb::Proceed, stop, violated);
                self.add(state, Verb::Ignore, state, respected);
                Ok(state)
            }
            Role::Pending(_) if place.context.top => {
                // A second one at the end joins the first.
                let stop = self.stop(stage)?;
                self.add(next, Verb::Proceed, stop, violated);
                for transition in &mut self.graph.states[next.index()].transitions {
                    if transition.verb == Verb::Ignore {
                        transition.guard = self.graph.guards.and(transition.guard, respected);
                    }
                }
                Ok(next)
            }
            // Between two steps: it becomes stop transitions of the states around it.
            _ => Ok(next),
        }
    }

    /// Lays out a step or group with its quantifier.
    fn item(&mut self, place: Place<'p>, sink: StateId) -> Result<StateId, BuildError> {
        let quantifier = place.quantifier().expect("it is a step or a group");
        let first = if quantifier.is_unbounded() {
            let after_loop = self.without_earlier_nots(place, sink)?;
            let looping = self.unbounded(place, quantifier, after_loop)?;
            self.repeated(place, quantifier, looping, sink)?
        } else {
            self.repeated(place, quantifier, sink, sink)?
        };
        self.add_stops(place, first)?;
        Ok(first)
    }

    /// The needed repetitions, and the optional ones of a bounded loop, in front of `sink`; what
    /// may be left out proceeds to `proceed`.
    fn repeated(
        &mut self,
        place: Place<'p>,
        quantifier: &'p Quantifier,
        sink: StateId,
        proceed: StateId,
    ) -> Result<StateId, BuildError> {
        let until = quantifier.until.map(|until| self.graph.guards.condition(until));
        let is_step = matches!(place.item().kind, ItemKind::Step { .. });
        let until = if is_step { until } else { None };
        let step_take = self.take_guard(place);
        let take = self.unless(step_take, until);
        let inner_ignore = self.ignoring(place, quantifier.inner, until);
        let min = quantifier.min;
        let max = quantifier.max.unwrap_or(min);
        let longest = Self::is_longest(place, quantifier) && !quantifier.is_unbounded();
        // What a group wants is seen to where its first repetition is laid out.
        if is_step && is_greedy(quantifier) && min != max {
            if until.is_some() {
                let copy = self.copy(sink)?;
                self.originals.insert(sink, copy);
            }
            self.make_wait(sink, take);
        }
        let mut next = sink;
        let again = Waiting { take, ignore: inner_ignore, optional: true, gap: None };
        for _ in min..max {
            next = self.single(place, next, proceed, again, false)?;
            if longest {
                self.accept_when_exhausted(next);
            }
            self.add_stop_to_loop(place, next)?;
        }
        let again = Waiting { optional: false, ..again };
        for _ in 1..min {
            next = self.single(place, next, proceed, again, false)?;
            self.add_stop_to_loop(place, next)?;
        }
        // The first repetition is what a gap speaks of, and its ignore does not look at `until`.
        let gap = self.gap_guard(place);
        let take = gap.map_or(take, |gap| self.graph.guards.and(take, gap));
        let ignore = self.first_ignoring(place, gap);
        let first = Waiting { take, ignore, optional: quantifier.optional, gap };
        let state = self.single(place, next, proceed, first, true)?;
        if Self::is_longest(place, quantifier) && quantifier.optional {
            self.accept_when_exhausted(state);
        }
        Ok(state)
    }

    /// The state of a loop without upper bound, after its needed repetitions.
    fn unbounded(
        &mut self,
        place: Place<'p>,
        quantifier: &'p Quantifier,
        sink: StateId,
    ) -> Result<StateId, BuildError> {
        if let ItemKind::Group { body, .. } = &place.item().kind {
            let joint = self.state(Role::Normal)?;
            if is_greedy(quantifier) {
                if quantifier.until.is_some() {
                    let copy = self.copy(sink)?;
                    self.originals.insert(sink, copy);
                }
                let head = self.head_guard(place, body);
                self.make_wait(sink, head);
            }
            let always = self.proceed_guard(place);
            let head = self.group_body(place, quantifier, body, joint, Repetition::Optional)?;
            self.leave(head, sink, quantifier, always);
            self.add(joint, Verb::Proceed, head, always);
            return Ok(head);
        }
        let until = quantifier.until.map(|until| self.graph.guards.condition(until));
        let ignore = self.ignoring(place, quantifier.inner, until);
        let step_take = self.take_guard(place);
        let take = self.unless(step_take, until);
        let always = self.proceed_guard(place);
        let state = self.state(Role::Normal)?;
        let longest = Self::is_longest(place, quantifier);
        if longest {
            self.graph.states[state.index()].accepts_when_exhausted = true;
        } else if is_greedy(quantifier) {
            if let Some(until) = until {
                let copy = self.copy(sink)?;
                self.originals.insert(sink, copy);
                let ended = self.graph.guards.and(always, until);
                self.add(state, Verb::Proceed, copy, ended);
            }
            let open = self.unless(always, until);
            self.add(state, Verb::Proceed, sink, open);
            self.make_wait(sink, step_take);
        } else {
            self.add(state, Verb::Proceed, sink, always);
        }
        self.add_take(place, state, state, take, None);
        self.add_stop_to_loop(place, state)?;
        if let Some(ignore) = ignore {
            // A state of its own without the way on, so that an ignored event does not make one
            // more copy of what waits behind the loop each time.
            let skipping = self.state(Role::Normal)?;
            self.graph.states[skipping.index()].accepts_when_exhausted = longest;
            self.add_take(place, skipping, state, take, None);
            self.add_ignore(skipping, skipping, ignore);
            self.add_ignore(state, skipping, ignore);
            self.add_stop_to_loop(place, skipping)?;
        }
        Ok(state)
    }

    /// One repetition of a step or group.
    fn single(
        &mut self,
        place: Place<'p>,
        sink: StateId,
        proceed: StateId,
        waiting: Waiting,
        first: bool,
    ) -> Result<StateId, BuildError> {
        if let ItemKind::Group { body, quantifier, .. } = &place.item().kind {
            if first && is_greedy(quantifier) && quantifier.max.is_some_and(|m| m != quantifier.min)
            {
                let head = self.head_guard(place, body);
                self.make_wait(proceed, head);
            }
            let always = self.proceed_guard(place);
            let repetition = match (first, waiting.optional) {
                (true, _) => Repetition::First,
                (false, true) => Repetition::Optional,
                (false, false) => Repetition::Needed,
            };
            // Where all of it can be left out, what is taken in it says that something was.
            let can_be_empty = body.items.iter().all(is_nullable);
            let target = if can_be_empty { sink } else { self.without_earlier_nots(place, sink)? };
            let head = self.group_body(place, quantifier, body, target, repetition)?;
            if target != sink {
                // A greedy loop at the group's end keeps what it could take from what follows, also
                // where the group is left out: with a `not` before the group as without.
                for loop_take in self.kept.get(&target).cloned().unwrap_or_default() {
                    self.make_wait(sink, loop_take);
                }
            }
            if waiting.optional {
                self.leave(head, proceed, quantifier, always);
            }
            return Ok(head);
        }
        let quantifier = place.quantifier().expect("it is a step");
        let state = self.state(Role::Normal)?;
        // Once the event is taken, the nots before an optional step no longer hold.
        let target = self.without_earlier_nots(place, sink)?;
        self.add_take(place, state, target, waiting.take, waiting.gap);
        if waiting.optional {
            let always = self.proceed_guard(place);
            self.leave(state, proceed, quantifier, always);
        }
        if let Some(ignore) = waiting.ignore {
            if waiting.optional || place.heads_optional_group() {
                let skipping = self.state(Role::Normal)?;
                self.add_take(place, skipping, target, waiting.take, waiting.gap);
                self.add_ignore(skipping, skipping, ignore);
                if first {
                    self.add_stops(place, skipping)?;
                } else {
                    self.add_stop_to_loop(place, skipping)?;
                }
                self.add_ignore(state, skipping, ignore);
            } else {
                self.add_ignore(state, state, ignore);
            }
        }
        Ok(state)
    }

    /// Lets a repetition that may be left out be left out. Once its `until` has come, a greedy loop
    /// holds nothing back from what follows.
    fn leave(&mut self, state: StateId, to: StateId, quantifier: &Quantifier, when: GuardId) {
        match quantifier.until {
            Some(until) if is_greedy(quantifier) => {
                let until = self.graph.guards.condition(until);
                let original = self.originals.get(&to).copied().unwrap_or(to);
                let ended = self.graph.guards.and(when, until);
                self.add(state, Verb::Proceed, original, ended);
                let open = self.unless(when, Some(until));
                self.add(state, Verb::Proceed, to, open);
            }
            _ => self.add(state, Verb::Proceed, to, when),
        }
    }

    fn group_body(
        &mut self,
        place: Place<'p>,
        quantifier: &'p Quantifier,
        body: &'p Sequence,
        sink: StateId,
        repetition: Repetition,
    ) -> Result<StateId, BuildError> {
        let first = repetition == Repetition::First;
        let ItemKind::Group { within, alias, .. } = place.item().kind else {
            unreachable!("only groups have a body")
        };
        let clocked = within.is_some() || place.item().gap.is_some() || alias.is_some();
        // Where a repetition can be empty, the first event can be in the next one.
        let can_start = first || body.items.iter().all(is_nullable);
        let mut gap = if can_start { Self::inherited_gap(place) } else { None };
        if clocked {
            let node = self.nodes.item(place);
            let clock = self.clock(Clock::Item, node);
            if let Some(alias) = alias
                && self.graph.named.iter().all(|(known, _)| *known != alias)
            {
                self.graph.named.push((alias, clock));
                if self.graph.named.len() > MAX_NAMED_GROUPS {
                    return Err(BuildError::new(Kind::TooLarge));
                }
            }
            self.enter(clock, within);
            if let (Some(Gap { min, max }), true) = (place.item().gap, first) {
                let since = place.context.since;
                let own = Guard::Gap { min, max, unless_set: Some(clock), since };
                let own = self.graph.guards.leaf(own);
                gap = self.both(gap, Some(own));
            }
        }
        let contiguity = if first { Self::entry_contiguity(place) } else { quantifier.inner };
        let optional = match repetition {
            Repetition::First => quantifier.optional || place.heads_optional_group(),
            Repetition::Needed => false,
            Repetition::Optional => true,
        };
        let nots = if can_start { self.earlier_nots(place) } else { Vec::new() };
        self.before_groups.push(nots);
        let nots = self.before_groups.len() - 1;
        let group = Group { contiguity, quantifier, optional, gap, nots };
        let item = self.nodes.item(place);
        let context = Context {
            node: self.nodes.child(item, 0),
            group: Some(group),
            following: place.following(),
            top: false,
            since: place.context.since,
        };
        let head = self.sequence(body, sink, context)?;
        if clocked {
            self.inside.pop();
        }
        Ok(head)
    }

    /// The contiguity with which an item's first event follows the event before. The first item of
    /// a group follows it as the group does.
    fn entry_contiguity(place: Place<'p>) -> Contiguity {
        place.head_of().map_or(place.item().contiguity, |group| group.contiguity)
    }

    /// What must hold of the time for the item's first event.
    fn gap_guard(&mut self, place: Place<'p>) -> Option<GuardId> {
        let own = place.item().gap.map(|Gap { min, max }| {
            let since = place.context.since;
            self.graph.guards.leaf(Guard::Gap { min, max, unless_set: None, since })
        });
        self.both(own, Self::inherited_gap(place))
    }

    fn both(&mut self, a: Option<GuardId>, b: Option<GuardId>) -> Option<GuardId> {
        match (a, b) {
            (Some(a), Some(b)) => Some(self.graph.guards.and(a, b)),
            (a, b) => a.or(b),
        }
    }

    /// The bound of the group around `place`, where the group's first event can be this item's.
    fn inherited_gap(place: Place<'p>) -> Option<GuardId> {
        let gap = place.context.group?.gap?;
        place.items[..place.index].iter().all(is_nullable).then_some(gap)
    }

    /// As [`Builder::ignoring`] for an item's first event: one that fits but comes outside of
    /// the gap does not fit.
    fn first_ignoring(&mut self, place: Place<'p>, gap: Option<GuardId>) -> Option<Ignoring> {
        let contiguity = Self::entry_contiguity(place);
        let ignore = self.ignoring(place, contiguity, None)?;
        let Some(gap) = gap else { return Some(ignore) };
        let outside = self.graph.guards.not(gap);
        let until = self.group_until(place);
        let outside = self.unless(outside, until);
        Some(Ignoring { guard: self.graph.guards.or(ignore.guard, outside), ..ignore })
    }

    /// When a step skips events as `contiguity` says, but none that fulfils `until`.
    fn ignoring(
        &mut self,
        place: Place<'p>,
        contiguity: Contiguity,
        until: Option<GuardId>,
    ) -> Option<Ignoring> {
        let guard = self.ignore_guard(place, contiguity)?;
        let skip = self.ignore_guard(place, Contiguity::Any)?;
        Some(Ignoring { guard: self.unless(guard, until), skip: self.unless(skip, until) })
    }

    fn ignore_guard(&mut self, place: Place<'p>, contiguity: Contiguity) -> Option<GuardId> {
        let guard = match contiguity {
            Contiguity::Next => return None,
            Contiguity::Relaxed => {
                let fits = match place.item().kind {
                    ItemKind::Step { condition, .. } => self.graph.guards.condition(condition),
                    // A group's first step decides, not the group.
                    _ => self.graph.guards.always(),
                };
                self.graph.guards.not(fits)
            }
            Contiguity::Any => self.graph.guards.always(),
        };
        let until = self.group_until(place);
        Some(self.unless(guard, until))
    }

    fn take_guard(&mut self, place: Place<'p>) -> GuardId {
        match place.item().kind {
            ItemKind::Step { condition, .. } | ItemKind::Not { condition, .. } => {
                self.extend(place, condition)
            }
            ItemKind::Group { .. } | ItemKind::Alternatives { .. } => {
                let until = self.group_until(place);
                let always = self.graph.guards.always();
                self.unless(always, until)
            }
        }
    }

    /// `condition`, and not the `until` of the group around it.
    fn extend(&mut self, place: Place<'p>, condition: ConditionId) -> GuardId {
        let guard = self.graph.guards.condition(condition);
        let until = self.group_until(place);
        self.unless(guard, until)
    }

    fn proceed_guard(&mut self, place: Place<'p>) -> GuardId {
        let until = self.group_until(place);
        let always = self.graph.guards.always();
        self.unless(always, until)
    }

    fn group_until(&mut self, place: Place<'p>) -> Option<GuardId> {
        let until = place.context.group?.quantifier.until?;
        Some(self.graph.guards.condition(until))
    }

    fn unless(&mut self, guard: GuardId, until: Option<GuardId>) -> GuardId {
        match until {
            Some(until) => {
                let not_until = self.graph.guards.not(until);
                self.graph.guards.and(not_until, guard)
            }
            None => guard,
        }
    }

    /// When an event can start the group: what a greedy loop of groups wants.
    fn head_guard(&mut self, place: Place<'p>, body: &'p Sequence) -> GuardId {
        let mut guard = self.graph.guards.never();
        for item in &body.items {
            let (head, optional) = match &item.kind {
                ItemKind::Step { condition, quantifier, .. } => {
                    (self.extend(place, *condition), quantifier.optional)
                }
                ItemKind::Group { body, quantifier, .. } => {
                    (self.head_guard(place, body), quantifier.optional)
                }
                ItemKind::Alternatives { branches, .. } => {
                    let mut any = self.graph.guards.never();
                    for branch in branches {
                        let head = self.head_guard(place, branch);
                        any = self.graph.guards.or(any, head);
                    }
                    (any, false)
                }
                ItemKind::Not { .. } => break,
            };
            guard = self.graph.guards.or(guard, head);
            if !optional {
                break;
            }
        }
        guard
    }

    /// The `not`s whose absence is still asked for where `place` waits: those right before it, those
    /// before optional items before it, and those before the group that it is the first of.
    fn earlier_nots(&mut self, place: Place<'p>) -> Vec<EarlierNot> {
        let mut nots = Vec::new();
        let mut here = place;
        while let Some(previous) = here.previous() {
            match previous.item().kind {
                ItemKind::Not { stage, condition } => {
                    if previous.item().contiguity != Contiguity::Next && !previous.is_start() {
                        let violated = self.violation(previous, place, condition);
                        let timed = has_time(previous.item());
                        nots.push(EarlierNot { stage, violated, timed });
                    }
                }
                _ if is_nullable(previous.item()) => {}
                _ => return nots,
            }
            here = previous;
        }
        if let Some(group) = place.context.group {
            nots.extend_from_slice(&self.before_groups[group.nots]);
        }
        nots
    }

    /// When an event violates a `not` before `place`.
    fn violation(&mut self, not: Place<'p>, place: Place<'p>, condition: ConditionId) -> GuardId {
        let violated = self.extend(place, condition);
        self.in_time(violated, not.item().gap, place.context.since)
    }

    /// A `not` with its own time is violated only within it.
    fn in_time(&mut self, violated: GuardId, time: Option<Gap>, since: Option<u32>) -> GuardId {
        let Some(than) = time.and_then(|time| time.max) else { return violated };
        let sooner = self.graph.guards.leaf(Guard::Sooner { than, since });
        self.graph.guards.and(violated, sooner)
    }

    fn add_stops(&mut self, place: Place<'p>, state: StateId) -> Result<(), BuildError> {
        for EarlierNot { stage, violated, timed } in self.earlier_nots(place) {
            let stop = self.stop(stage)?;
            if timed {
                self.set_timed(stop);
            }
            let asked = &self.graph.states[state.index()].transitions;
            if asked.iter().any(|known| (known.target, known.guard) == (stop, violated)) {
                continue;
            }
            self.add(state, Verb::Proceed, stop, violated);
            if let Some(added) = self.graph.states[state.index()].transitions.last_mut() {
                added.is_behind = true;
            }
        }
        Ok(())
    }

    /// A loop right before a `not` already respects it while it repeats; one that has its own time
    /// begins with the last event.
    fn add_stop_to_loop(&mut self, place: Place<'p>, state: StateId) -> Result<(), BuildError> {
        let Some(following) = place.following() else { return Ok(()) };
        if let ItemKind::Not { stage, condition } = following.kind
            && following.contiguity != Contiguity::Next
            && !has_time(following)
        {
            let violated = self.extend(place, condition);
            let stop = self.stop(stage)?;
            self.add(state, Verb::Proceed, stop, violated);
        }
        Ok(())
    }

    /// `state` for the way on which an optional item's event was taken: a copy that no longer
    /// respects the nots before the item. The state itself where there are none.
    fn without_earlier_nots(
        &mut self,
        place: Place<'p>,
        state: StateId,
    ) -> Result<StateId, BuildError> {
        let nots = self.earlier_nots(place);
        if nots.is_empty() || !place.is_optional() {
            return Ok(state);
        }
        let stops: Vec<StateId> =
            nots.iter().filter_map(|not| self.stops.get(&not.stage).copied()).collect();
        self.copy_without(state, &stops)
    }

    fn copy_without(&mut self, state: StateId, stops: &[StateId]) -> Result<StateId, BuildError> {
        let copy = self.copy(state)?;
        if copy == state {
            return Ok(state);
        }
        let transitions = std::mem::take(&mut self.graph.states[copy.index()].transitions);
        let mut kept = Vec::with_capacity(transitions.len());
        for mut transition in transitions {
            if transition.verb == Verb::Proceed && transition.target != copy {
                if stops.contains(&transition.target) {
                    continue;
                }
                if self.graph.states[transition.target.index()].role != Role::Stop {
                    transition.target = self.copy_without(transition.target, stops)?;
                }
            }
            kept.push(transition);
        }
        self.graph.states[copy.index()].transitions = kept;
        Ok(copy)
    }

    /// A state with the same transitions. The end needs none, and the joint of a group that is
    /// being laid out has none yet: behind it is a new repetition, where all holds again.
    fn copy(&mut self, state: StateId) -> Result<StateId, BuildError> {
        if self.graph.states[state.index()].transitions.is_empty() {
            return Ok(state);
        }
        let copy = self.state(self.graph.states[state.index()].role)?;
        let mut raw = self.graph.states[state.index()].clone();
        for transition in &mut raw.transitions {
            if transition.target == state {
                transition.target = copy;
            }
        }
        self.graph.states[copy.index()] = raw;
        Ok(copy)
    }

    /// Makes a greedy loop's successor wait: nothing leaves `state` with an event that the loop
    /// can take.
    fn make_wait(&mut self, state: StateId, loop_take: GuardId) {
        self.kept.entry(state).or_default().push(loop_take);
        let free = self.graph.guards.not(loop_take);
        for transition in &mut self.graph.states[state.index()].transitions {
            transition.guard = self.graph.guards.and(transition.guard, free);
        }
    }

    fn is_longest(place: Place<'p>, quantifier: &Quantifier) -> bool {
        quantifier.mode == LoopMode::Longest
            && place.context.top
            && place.index + 1 == place.items.len()
            && matches!(place.item().kind, ItemKind::Step { .. })
    }

    /// Makes one of a bounded `longest` loop's optional repetitions complete only when it can grow
    /// no more, instead of at once.
    fn accept_when_exhausted(&mut self, state: StateId) {
        let mut waiting = vec![state];
        for transition in &self.graph.states[state.index()].transitions {
            if transition.verb == Verb::Ignore {
                waiting.push(transition.target);
            }
        }
        for id in waiting {
            let mut transitions = std::mem::take(&mut self.graph.states[id.index()].transitions);
            transitions.retain(|transition| {
                transition.verb != Verb::Proceed
                    || self.graph.states[transition.target.index()].role == Role::Stop
            });
            let raw = &mut self.graph.states[id.index()];
            raw.accepts_when_exhausted = true;
            raw.transitions = transitions;
        }
    }

    fn stop(&mut self, not: StageId) -> Result<StateId, BuildError> {
        if let Some(&stop) = self.stops.get(&not) {
            return Ok(stop);
        }
        let stop = self.state(Role::Stop)?;
        self.stops.insert(not, stop);
        Ok(stop)
    }

    fn state(&mut self, role: Role) -> Result<StateId, BuildError> {
        if self.graph.states.len() >= MAX_STATES {
            return Err(BuildError::new(Kind::TooLarge));
        }
        let id = StateId::new(self.graph.states.len());
        // The end, the stops and the joints between repetitions are outside of their group.
        let instances = self.inside.clone();
        self.graph.states.push(RawState {
            role,
            transitions: Vec::new(),
            instances,
            accepts_when_exhausted: false,
            required: Vec::new(),
            closes: None,
        });
        Ok(id)
    }

    fn add(&mut self, state: StateId, verb: Verb, target: StateId, guard: GuardId) {
        self.add_in_gap(state, verb, target, guard, None);
    }

    fn add_in_gap(
        &mut self,
        state: StateId,
        verb: Verb,
        target: StateId,
        guard: GuardId,
        gap: Option<GuardId>,
    ) {
        let skip = self.graph.guards.always();
        let transition = Transition {
            verb,
            target,
            guard,
            gap,
            skip,
            instances: None,
            marks: Vec::new(),
            is_behind: false,
            branches: Vec::new(),
        };
        self.graph.states[state.index()].transitions.push(transition);
    }

    fn add_take(
        &mut self,
        place: Place<'p>,
        state: StateId,
        target: StateId,
        guard: GuardId,
        gap: Option<GuardId>,
    ) {
        self.add_in_gap(state, Verb::Take(place.stage()), target, guard, gap);
        if let Some(take) = self.graph.states[state.index()].transitions.last_mut() {
            take.marks.clone_from(&self.branch_clocks);
        }
    }

    fn add_ignore(&mut self, state: StateId, target: StateId, ignore: Ignoring) {
        self.add(state, Verb::Ignore, target, ignore.guard);
        if let Some(added) = self.graph.states[state.index()].transitions.last_mut() {
            added.skip = ignore.skip;
        }
    }
}

impl Place<'_> {
    fn stage(&self) -> StageId {
        match self.item().kind {
            ItemKind::Step { stage, .. } | ItemKind::Not { stage, .. } => stage,
            ItemKind::Group { .. } | ItemKind::Alternatives { .. } => {
                unreachable!("a group is laid out by its content")
            }
        }
    }
}

/// True if a `not` has a time of its own.
fn has_time(item: &Item) -> bool {
    item.gap.is_some_and(|gap| gap.max.is_some())
}

fn is_greedy(quantifier: &Quantifier) -> bool {
    matches!(quantifier.mode, LoopMode::Greedy | LoopMode::Longest)
}
