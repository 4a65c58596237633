//! What comes of partial matches: matches in their order, timeouts, and what they drop.

use std::ops::Range;

use super::{Matcher, Store, completed};
use crate::event::Event;
use crate::exec::extras::Extras;
use crate::exec::key::{Completed, KeyState};
use crate::exec::outcome::{Captures, Outcome, OutcomeKind};
use crate::exec::spares::Spares;
use crate::exec::store::Chains;
use crate::hir::{SkipStrategy, StageId};
use crate::nfa::Program;
use crate::time::Timestamp;

impl<E: Event> Matcher<E> {
    /// Takes the runs out whose deadline is `deadline`, and tells what became of them.
    pub(super) fn expire(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        deadline: Timestamp,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) {
        self.expire_window(store, key, deadline, sink);
        if key.runs().is_empty() && key.completed().is_empty() && key.broken().is_none() {
            return;
        }
        let program = &*self.program;
        let Store { chains, extras, scratch } = store;
        if let Some(silence) = &program.silence
            && silence.ends(key.broken()) <= deadline.as_millis()
        {
            key.set_broken(None);
        }
        scratch.expired.clear();
        key.runs_mut().retain(|run| {
            if run.deadline > deadline.as_millis() {
                return true;
            }
            extras.release(run.extra);
            if program.states[run.state.index()].accepts_at_deadline {
                scratch.completed.push(completed(run));
            } else {
                scratch.expired.push(*run);
            }
            false
        });
        scratch.spares.take_back(key.runs_mut());
        // A partial match can wait in several places; it is one all the same, and it is no timeout
        // if one of the places completes it.
        let expired = &mut scratch.expired;
        if program.tell_timeouts {
            expired.sort_by(|a, b| {
                a.start_seq.cmp(&b.start_seq).then_with(|| chains.compare(a.head, b.head))
            });
            let mut rest = &expired[..];
            while let Some(first) = rest.first() {
                let same = rest
                    .iter()
                    .take_while(|run| is_same(program, chains, run.head, first.head))
                    .count();
                let (group, others) = rest.split_at(same);
                rest = others;
                let is_first = |head| is_same(program, chains, head, first.head);
                if scratch.completed.iter().any(|match_| is_first(match_.head)) {
                    continue;
                }
                scratch.states.clear();
                scratch.states.extend(group.iter().map(|run| run.state));
                sink(Outcome {
                    kind: OutcomeKind::Timeout,
                    program,
                    captures: Captures::new(chains, first.head),
                    start: Timestamp::from_millis(first.start),
                    last: Timestamp::from_millis(first.last),
                    at: deadline,
                    start_seq: first.start_seq,
                    states: &scratch.states,
                });
            }
        }
        for run in expired.drain(..) {
            chains.release(run.head);
        }
        if !store.scratch.completed.is_empty() || !key.completed().is_empty() {
            self.tell_completed(store, key, deadline, sink);
        }
    }

    /// Tells the only match that is complete, which ends with `last`, and drops what the skip strategy
    /// says.
    #[inline]
    pub(super) fn tell_at_once(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        (stage, seq, event): (StageId, u64, &E),
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) {
        let program = &*self.program;
        let Store { chains, extras, scratch } = store;
        let Some(match_) = scratch.completed.pop() else { return };
        let captures = Captures::new(chains, match_.head).and(stage, seq, event);
        sink(Outcome {
            kind: OutcomeKind::Match,
            program,
            captures,
            start: Timestamp::from_millis(match_.start),
            last: event.time(),
            at: event.time(),
            start_seq: match_.start_seq,
            states: &[],
        });
        if !key.runs().is_empty()
            && let Some(dropped) =
                dropped_starts(&captures, &program.skip.strategy, match_.start_seq)
        {
            drop_runs(key, chains, extras, &mut scratch.spares, &dropped);
        }
        chains.release(match_.head);
    }

    /// Tells what is complete, in order, and drops what the skip strategy says.
    pub(super) fn tell_completed(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        at: Timestamp,
        sink: &mut impl FnMut(Outcome<'_, E>),
    ) {
        let program = &*self.program;
        let Store { chains, extras, scratch } = store;
        let skip = &program.skip;
        // The buffer is taken out while it is told from, and given back for its space.
        let mut new = std::mem::take(&mut scratch.completed);
        if program.waits() {
            let waiting = key.completed_mut();
            waiting.append(&mut new);
            std::mem::swap(waiting, &mut new);
        }
        in_order(chains, &mut new);
        // The same events can have completed the pattern in more than one way.
        new.dedup_by(|later, earlier| {
            let same = later.start_seq == earlier.start_seq
                && is_same(program, chains, later.head, earlier.head);
            if same {
                chains.release(later.head);
            }
            same
        });
        let mut told = 0;
        let mut dropped_from = new.len();
        while told < dropped_from {
            let match_ = new[told];
            if program.waits()
                && key.runs().first().is_some_and(|oldest| oldest.start_seq < match_.start_seq)
            {
                break;
            }
            told += 1;
            sink(Outcome {
                kind: OutcomeKind::Match,
                program,
                captures: Captures::new(chains, match_.head),
                start: Timestamp::from_millis(match_.start),
                last: Timestamp::from_millis(match_.last),
                at,
                start_seq: match_.start_seq,
                states: &[],
            });
            let captures = Captures::new(chains, match_.head);
            if let Some(dropped) = dropped_starts(&captures, &skip.strategy, match_.start_seq) {
                drop_runs(key, chains, extras, &mut scratch.spares, &dropped);
                let mut kept = told;
                for i in told..dropped_from {
                    if dropped.contains(&new[i].start_seq) {
                        chains.release(new[i].head);
                    } else {
                        new[kept] = new[i];
                        kept += 1;
                    }
                }
                dropped_from = kept;
            }
            chains.release(match_.head);
        }
        if program.waits() {
            key.completed_mut().extend_from_slice(&new[told..dropped_from]);
        }
        new.clear();
        scratch.completed = new;
    }
}

/// Drops the partial matches that began with an event of these numbers.
fn drop_runs<E: Event>(
    key: &mut KeyState,
    chains: &mut Chains<E>,
    extras: &mut Extras,
    spares: &mut Spares,
    dropped: &Range<u64>,
) {
    let runs = key.runs_mut();
    runs.retain(|run| {
        let kept = !dropped.contains(&run.start_seq);
        if !kept {
            chains.release(run.head);
            extras.release(run.extra);
        }
        kept
    });
    spares.take_back(runs);
}

/// Whether two partial matches hold the same events. Named groups can divide the same events into
/// rounds in more than one way; they are told once all the same.
fn is_same<E>(program: &Program, chains: &Chains<E>, a: u32, b: u32) -> bool {
    a == b || !program.named.is_empty() && chains.compare(a, b).is_eq()
}

/// Sorts matches by their start; [`Chains::compare`] decides between those that start together.
fn in_order<E>(chains: &Chains<E>, matches: &mut Vec<Completed>) {
    let compare = |a: &Completed, b: &Completed| {
        a.start_seq.cmp(&b.start_seq).then_with(|| chains.compare(a.head, b.head))
    };
    // Chains are scattered over memory: where there are many, most pairs are decided by keys.
    if matches.len() < 64 {
        matches.sort_by(compare);
        return;
    }
    let mut keyed: Vec<_> = matches
        .drain(..)
        .map(|match_| (chains.sort_key(match_.head, match_.start_seq), match_))
        .collect();
    keyed.sort_by(|(i, a), (j, b)| {
        a.start_seq.cmp(&b.start_seq).then(i.cmp(j)).then_with(|| compare(a, b))
    });
    matches.extend(keyed.into_iter().map(|(_, match_)| match_));
}

/// What started with an event of these numbers is dropped after a match that has captured these.
fn dropped_starts<E>(
    captures: &Captures<'_, E>,
    strategy: &SkipStrategy,
    start_seq: u64,
) -> Option<Range<u64>> {
    match strategy {
        SkipStrategy::None => None,
        SkipStrategy::PastLast => captures.latest_first().next().map(|(_, seq, _)| 0..seq + 1),
        SkipStrategy::ToNext => Some(start_seq..start_seq + 1),
        SkipStrategy::ToFirst(stage) => captures.first_of(*stage).map(|(_, seq, _)| 0..seq),
        SkipStrategy::ToLast(stage) => captures.last_of(*stage).map(|(_, seq, _)| 0..seq),
    }
}
