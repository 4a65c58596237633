//! Probing: the effect that an event would have, computed before the event is pushed, for
//! explanations.
//!
//! No event passes through this module. The answers come from the same guards, tested by the same
//! code, as those of the matcher.

use smallvec::SmallVec;

use super::compiled::Matcher;
use super::condition::CandidateScope;
use super::walk::Walk;
use crate::exec::captured::Captures;
use crate::exec::captures::NIL;
use crate::exec::forms::KeyState;
use crate::exec::open::Waiting;
use crate::exec::run::Run;
use crate::exec::store::Store;
use crate::nfa::{Action, Guard, GuardId, StateId};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::StepId;
use kleene_syntax::hir::eval::Scope;

/// A partial match in one state, with all possible effects of an event there.
#[derive(Clone, Debug)]
pub struct ProbedRun {
    run: Run,
    /// The effects of an event on it.
    pub edges: Vec<ProbedEdge>,
}

/// One possible effect of an event, and true if this event has it.
#[derive(Clone, Debug)]
pub struct ProbedEdge {
    pub action: Action,
    pub judged: Judged,
}

/// A guard with its answer, and its parts with theirs.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The guard.
    pub guard: GuardId,
    /// True if the guard is open.
    pub holds: bool,
    /// The guards that it is made of.
    pub parts: Vec<Judged>,
}

impl ProbedRun {
    /// The state in which it waits.
    pub fn state(&self) -> StateId {
        self.run.state
    }

    /// The time of the event captured last.
    pub fn last(&self) -> Timestamp {
        Timestamp::from_millis(self.run.last)
    }
}

impl<E: Event> Matcher<E> {
    /// Returns the effect of `event` on each partial match of a key, and last on one that starts
    /// with it. Deadlines up to the event's time must have been handled.
    pub fn probe(
        &self,
        store: &mut Store<E>,
        key: &KeyState,
        event: &E,
        seq: u64,
    ) -> (Vec<ProbedRun>, ProbedRun) {
        let mut walk = Walk::new(self, store, event, seq);
        let runs = key.runs().iter().map(|run| walk.probe_run(run)).collect();
        let nothing = walk.nothing();
        (runs, walk.probe_run(&nothing))
    }

    /// Returns the time of the last violation of a leading `not`, while it matters.
    pub fn last_violation(key: &KeyState) -> Option<Timestamp> {
        key.last_violation().map(Timestamp::from_millis)
    }

    /// Returns the scope of conditions on `event` in this state.
    pub fn scope<'a>(
        &'a self,
        store: &'a Store<E>,
        probed: &ProbedRun,
        event: &'a E,
    ) -> impl Scope + use<'a, E> {
        CandidateScope {
            event,
            captures: Captures::new(&store.arena, probed.run.head),
            file: &store.file,
            program: &self.program,
            registers: probed.run.registers,
            step_keys: store.scratch.answers.step_keys,
        }
    }

    /// True if the edge asks for an event of an operand of `and` or `of` that is not waited for: it
    /// has come, or comes after another.
    pub fn is_ruled_out(&self, store: &Store<E>, probed: &ProbedRun, edge: &ProbedEdge) -> bool {
        self.program.is_ruled_out(edge.judged.guard, store.file.times(probed.run.registers))
    }

    /// Returns the captures of the open partial match with these events, if there is one.
    pub fn captures_of<'a>(
        store: &'a Store<E>,
        key: &KeyState,
        captured: &[(StepId, u64)],
    ) -> Option<Captures<'a, E>> {
        let runs = key.runs().iter().map(|run| run.head);
        let mut heads = runs.chain(key.completed().iter().map(|match_| match_.head));
        let last = captured.last().map(|(_, seq)| *seq);
        // Most chains differ in their lengths or their last events.
        let head = heads.find(|head| {
            let captures = Captures::new(&store.arena, *head);
            store.arena.depth(*head) as usize == captured.len()
                && captures.latest_first().next().map(|(_, seq, _)| seq) == last
                && numbers(store, *head) == captured
        })?;
        Some(Captures::new(&store.arena, head))
    }

    /// Returns the captures of a partial match that was read from the store as it is now.
    pub fn captures_now<'a>(store: &'a Store<E>, waiting: &Waiting) -> Captures<'a, E> {
        Captures::new(&store.arena, waiting.head)
    }

    /// Returns the captured events of a probed run, by their sequence numbers.
    pub fn captured(store: &Store<E>, probed: &ProbedRun) -> Vec<(StepId, u64)> {
        numbers(store, probed.run.head)
    }

    /// Returns the partial matches of a key by their captured events. A partial match in several
    /// states counts as one.
    pub fn waiting(&self, store: &Store<E>, key: &KeyState) -> Vec<Waiting> {
        let mut all: Vec<Waiting> = Vec::new();
        let mut by_captured = hashbrown::HashMap::new();
        let mut add = |head: u32, start: i64, last: i64, waits: Option<&Run>| {
            let captured = numbers(store, head);
            let index =
                *by_captured.entry((captured.clone(), waits.is_some())).or_insert_with(|| {
                    all.push(Waiting {
                        captured,
                        head,
                        states: SmallVec::new(),
                        awaits: Vec::new(),
                        start: Timestamp::from_millis(start),
                        last: Timestamp::from_millis(last),
                        deadline: None,
                    });
                    all.len() - 1
                });
            if let Some(run) = waits {
                let Run { state, deadline, registers, .. } = *run;
                let waiting = &mut all[index];
                if !waiting.states.contains(&state) {
                    waiting.states.push(state);
                }
                waiting.awaits.extend(self.program.awaits(state, store.file.times(registers)));
                let deadline = (deadline < i64::MAX).then_some(Timestamp::from_millis(deadline));
                waiting.deadline = match (waiting.deadline, deadline) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
        };
        for run in key.runs() {
            add(run.head, run.start, run.last, Some(run));
        }
        for match_ in key.completed() {
            add(match_.head, match_.start, match_.last, None);
        }
        for waiting in &mut all {
            waiting.awaits.sort_unstable();
            waiting.awaits.dedup();
        }
        all
    }
}

/// Returns the events of the chain that ends in `head`.
fn numbers<E: Event>(store: &Store<E>, head: u32) -> Vec<(StepId, u64)> {
    let captures = Captures::new(&store.arena, head);
    captures.numbered().map(|(step, seq, _)| (step, seq)).collect()
}

impl<E: Event> Walk<'_, E> {
    fn probe_run(&mut self, run: &Run) -> ProbedRun {
        let program = self.program;
        // An epoch for this run: what was remembered of others does not count.
        self.store.scratch.answers.epoch += 1;
        let epoch = self.store.scratch.answers.epoch;
        let edges = program.edges(run.state).iter();
        let edges = edges.filter(|edge| run.head != NIL || starts(edge.action)).map(|edge| {
            ProbedEdge { action: edge.action, judged: self.judge(edge.guard, run, epoch) }
        });
        ProbedRun { run: *run, edges: edges.collect() }
    }

    fn judge(&mut self, guard: GuardId, run: &Run, epoch: u64) -> Judged {
        let program = self.program;
        let parts: SmallVec<[GuardId; 4]> = match &program.guards[guard.index()] {
            Guard::And(parts) | Guard::Or(parts) => SmallVec::from_slice(parts),
            Guard::Not(inner) => SmallVec::from_slice(&[*inner]),
            _ => SmallVec::new(),
        };
        Judged {
            guard,
            holds: self.guard(guard, run, epoch),
            parts: parts.into_iter().map(|part| self.judge(part, run, epoch)).collect(),
        }
    }
}

/// True if an event can do this to a partial match that has captured nothing.
fn starts(action: Action) -> bool {
    matches!(action, Action::Take { .. } | Action::Stop)
}
