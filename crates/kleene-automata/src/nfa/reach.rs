//! The steps of a pattern that some stream of events can reach, and an answer to whether any
//! stream matches it.
//!
//! The search walks the automaton from its start over the transitions that a single event can take,
//! and back from its ends. What it knows of an event is its type and which conditions it can fulfil
//! together; conditions that look at captured events, and all that speaks of time, may hold or not.
//! So it errs on one side: what it calls impossible is impossible.

use hashbrown::HashMap;

use crate::nfa::automaton::Automaton;
use crate::nfa::guard::{Guard, GuardId};
use crate::nfa::states::{Action, Edge, StateId};
use kleene_event::schema::TypeId;
use kleene_syntax::hir::{ConditionId, ItemKind, Pattern, Sequence, StepId, Test};

/// The number of answers that are tried for one transition. Beyond it, the transition counts as
/// possible.
const MAX_TRIES: usize = 200;

/// Says whether no event of a type fulfils the first conditions and none of the others.
pub(crate) type Excludes<'a> = dyn Fn(TypeId, &[ConditionId], &[ConditionId]) -> bool + 'a;

/// The result of a search.
#[derive(Debug)]
pub struct Reach {
    /// True if some stream may match.
    pub matches: bool,
    /// The steps that no match captures, in the order of the pattern.
    pub idle: Vec<StepId>,
    /// The first of these that no partial match captures either.
    pub first: Option<StepId>,
}

/// Searches the automaton of a pattern. `types` are those of its stream; where they are not known,
/// an event can have any other type.
pub fn reach(
    pattern: &Pattern,
    automaton: &Automaton,
    types: Option<&[TypeId]>,
    excludes: &Excludes<'_>,
) -> Reach {
    let mut named: Vec<TypeId> = pattern.conditions.iter().filter_map(|one| one.ty).collect();
    named.sort_unstable();
    named.dedup();
    let mut kinds: Vec<Option<TypeId>> = named.iter().copied().map(Some).collect();
    match types {
        // All that no condition names are alike.
        Some(types) => {
            kinds.extend(
                types.iter().find(|ty| named.binary_search(ty).is_err()).map(|ty| Some(*ty)),
            );
        }
        None => kinds.push(None),
    }
    let mut search = Search {
        pattern,
        automaton,
        kinds,
        excludes,
        known: HashMap::new(),
        tries: 0,
        has_begun: false,
    };
    let steps = search.steps();
    search.outcome(&steps)
}

/// A transition that an event can take: from where, to where, and what it captures as what.
struct EventEdge {
    from: usize,
    /// `None` if it completes the match without a state behind it.
    to: Option<usize>,
    step: Option<StepId>,
    completes: bool,
}

/// The truth of a guard, as far as the answers decide it.
enum Answer {
    True,
    False,
    /// It depends on this condition, or on time alone.
    Open(Option<ConditionId>),
}

/// The operator that joins guards.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Joined {
    And,
    Or,
}

/// Conditions, each with whether it holds.
type Answers = Vec<(ConditionId, bool)>;

struct Search<'a> {
    pattern: &'a Pattern,
    automaton: &'a Automaton,
    /// The types that an event can have; one that no condition names where `None`.
    kinds: Vec<Option<TypeId>>,
    excludes: &'a Excludes<'a>,
    /// The conditions that exclude each other, as far as it was asked.
    known: HashMap<(Option<TypeId>, Answers), bool>,
    /// The number of answers tried for the current transition.
    tries: usize,
    /// True while the event is looked at that decides a last `next not`: all that has clocks has
    /// begun.
    has_begun: bool,
}

impl Search<'_> {
    /// The steps that capture events, in order.
    fn steps(&self) -> Vec<StepId> {
        let mut steps = Vec::new();
        let mut open: Vec<&Sequence> = vec![&self.pattern.body];
        while let Some(sequence) = open.pop() {
            for item in &sequence.items {
                match &item.kind {
                    ItemKind::Step { step, .. } => steps.push(*step),
                    ItemKind::Group { body, .. } => open.push(body),
                    ItemKind::Alternatives { branches, .. } => open.extend(branches),
                    ItemKind::Not { .. } => {}
                }
            }
        }
        steps.sort_unstable();
        steps
    }

    fn outcome(&mut self, steps: &[StepId]) -> Reach {
        let (edges, waits) = self.forward();
        let mut captured = vec![false; self.pattern.steps.len()];
        for step in edges.iter().filter_map(|edge| edge.step) {
            captured[step.index()] = true;
        }
        // Back from the ends: each edge into a state that leads to one.
        let states = &self.automaton.states;
        let mut into: Vec<Vec<usize>> = vec![Vec::new(); states.len()];
        for (index, edge) in edges.iter().enumerate() {
            if let Some(to) = edge.to {
                into[to].push(index);
            }
        }
        let mut leads = vec![false; states.len()];
        let mut useful = vec![false; self.pattern.steps.len()];
        let mut open: Vec<usize> = Vec::new();
        for state in waits.iter().copied().filter(|state| states[*state].accepts_at_deadline) {
            leads[state] = true;
            open.push(state);
        }
        let mut matches = !open.is_empty();
        for edge in edges.iter().filter(|edge| edge.completes) {
            matches = true;
            if let Some(step) = edge.step {
                useful[step.index()] = true;
            }
            if !std::mem::replace(&mut leads[edge.from], true) {
                open.push(edge.from);
            }
        }
        while let Some(state) = open.pop() {
            for edge in into[state].iter().map(|index| &edges[*index]) {
                if let Some(step) = edge.step {
                    useful[step.index()] = true;
                }
                if !std::mem::replace(&mut leads[edge.from], true) {
                    open.push(edge.from);
                }
            }
        }
        let idle: Vec<StepId> =
            steps.iter().copied().filter(|step| !useful[step.index()]).collect();
        let first = idle.iter().copied().find(|step| !captured[step.index()]);
        Reach { matches, idle, first }
    }

    /// Every edge that an event can take from a state that can be reached, and these states.
    fn forward(&mut self) -> (Vec<EventEdge>, Vec<usize>) {
        let automaton = self.automaton;
        let mut passable = Vec::new();
        // A partial match waits in a state, or begins in the start.
        let mut waits = Vec::new();
        let mut is_reached = vec![false; automaton.states.len()];
        let mut open = vec![(automaton.start.index(), true)];
        while let Some((state, begins)) = open.pop() {
            let edges = automaton.edges(StateId::new(state));
            let stops: Vec<GuardId> = edges
                .iter()
                .filter(|edge| edge.action == Action::Stop)
                .map(|edge| edge.guard)
                .collect();
            for edge in edges {
                let Some(found) = self.event_edge(state, edge, &stops, begins) else { continue };
                if let Some(to) = found.to
                    && !std::mem::replace(&mut is_reached[to], true)
                {
                    waits.push(to);
                    open.push((to, false));
                }
                passable.push(found);
            }
        }
        (passable, waits)
    }

    /// Returns the edge for the search, if an event can take it.
    fn event_edge(
        &mut self,
        from: usize,
        edge: &Edge,
        stops: &[GuardId],
        begins: bool,
    ) -> Option<EventEdge> {
        let (to, step) = match edge.action {
            Action::Stop => return None,
            Action::Take { step, target } => (Some(target.index()), Some(step)),
            Action::Ignore { .. } | Action::Complete if begins => return None,
            // It leads nowhere else.
            Action::Ignore { target } if target.index() == from => return None,
            Action::Ignore { target } => (Some(target.index()), None),
            Action::Complete => (None, None),
        };
        self.has_begun = edge.action == Action::Complete;
        let goes_on = self.fits(&[edge.guard], stops);
        self.has_begun = false;
        let completes = match edge.action {
            Action::Take { target, .. } => self.automaton.states[target.index()]
                .accept
                .is_some_and(|accept| self.fits(&[edge.guard, accept], stops)),
            _ => goes_on && edge.action == Action::Complete,
        };
        goes_on.then_some(EventEdge { from, to, step, completes })
    }

    /// True if some event may fulfil the first guards and none of the others.
    fn fits(&mut self, must: &[GuardId], must_not: &[GuardId]) -> bool {
        self.tries = 0;
        let mut given = Vec::new();
        (0..self.kinds.len()).any(|index| {
            given.clear();
            self.solve(self.kinds[index], must, must_not, &mut given)
        })
    }

    fn solve(
        &mut self,
        ty: Option<TypeId>,
        must: &[GuardId],
        must_not: &[GuardId],
        given: &mut Vec<(ConditionId, bool)>,
    ) -> bool {
        self.tries += 1;
        if self.tries > MAX_TRIES {
            return true;
        }
        let mut ask = None;
        for (guards, is_wanted) in [(must, true), (must_not, false)] {
            for guard in guards {
                match self.answer(*guard, ty, given) {
                    Answer::True if !is_wanted => return false,
                    Answer::False if is_wanted => return false,
                    Answer::Open(condition) => ask = ask.or(condition),
                    Answer::True | Answer::False => {}
                }
            }
        }
        let Some(condition) = ask else { return true };
        [true, false].into_iter().any(|answer| {
            given.push((condition, answer));
            let fits = !self.is_excluded(ty, given) && self.solve(ty, must, must_not, given);
            given.pop();
            fits
        })
    }

    /// True if no event of the type gives these answers.
    fn is_excluded(&mut self, ty: Option<TypeId>, given: &[(ConditionId, bool)]) -> bool {
        let Some(of) = ty else { return false };
        // A contradiction within a single condition is reported where the condition is checked.
        if given.len() < 2 {
            return false;
        }
        let mut given = given.to_vec();
        given.sort_unstable();
        let excludes = self.excludes;
        *self.known.entry((ty, given)).or_insert_with_key(|(_, given)| {
            let [held, failed] = [true, false].map(|answer| {
                let those = given.iter().filter(|(_, given)| *given == answer);
                those.map(|(condition, _)| *condition).collect::<Vec<_>>()
            });
            excludes(of, &held, &failed)
        })
    }

    /// Returns the truth of a guard for this type and these answers.
    fn answer(&self, guard: GuardId, ty: Option<TypeId>, given: &[(ConditionId, bool)]) -> Answer {
        let all = |parts: &[GuardId], joined: Joined| {
            let decisive = joined == Joined::Or;
            let (mut open, mut ask) = (false, None);
            for part in parts {
                match self.answer(*part, ty, given) {
                    Answer::True if decisive => return Answer::True,
                    Answer::False if !decisive => return Answer::False,
                    Answer::Open(condition) => {
                        open = true;
                        ask = ask.or(condition);
                    }
                    Answer::True | Answer::False => {}
                }
            }
            match (open, decisive) {
                (true, _) => Answer::Open(ask),
                (false, true) => Answer::False,
                (false, false) => Answer::True,
            }
        };
        match &self.automaton.guards[guard.index()] {
            Guard::True => Answer::True,
            Guard::False => Answer::False,
            Guard::Not(inner) => match self.answer(*inner, ty, given) {
                Answer::True => Answer::False,
                Answer::False => Answer::True,
                open @ Answer::Open(_) => open,
            },
            Guard::And(parts) => all(parts, Joined::And),
            Guard::Or(parts) => all(parts, Joined::Or),
            Guard::Condition(id) => {
                let condition = &self.pattern.conditions[id.index()];
                if condition.ty.is_some() && condition.ty != ty {
                    return Answer::False;
                }
                if matches!(condition.test, Test::True) {
                    return Answer::True;
                }
                match given.iter().find(|(of, _)| of == id) {
                    Some((_, true)) => Answer::True,
                    Some((_, false)) => Answer::False,
                    None => Answer::Open(Some(*id)),
                }
            }
            Guard::IsSet(_) if self.has_begun => Answer::True,
            Guard::Gap { .. }
            | Guard::Within { .. }
            | Guard::Sooner { .. }
            | Guard::IsSet(_)
            | Guard::HasCome { .. }
            | Guard::HaveCome { .. } => Answer::Open(None),
        }
    }
}
