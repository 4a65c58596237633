//! Reporting: matches in their order, timeouts, and the partial matches that a match drops.

use std::ops::Range;

use crate::exec::captured::Captures;
use crate::exec::captures::CaptureArena;
use crate::exec::forms::KeyState;
use crate::exec::matcher::Matcher;
use crate::exec::outcome::{Outcome, OutcomeKind};
use crate::exec::run::Completed;
use crate::exec::set::{self, Listed, SetRef};
use crate::exec::store::Store;
use crate::nfa::Program;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::{SkipStrategy, StepId};

impl<E: Event> Matcher<E> {
    /// Reports the only complete match, which ends with `last`, and drops partial matches by the
    /// skip strategy.
    #[inline]
    pub(super) fn report_at_once(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        (step, seq, event): (StepId, u64, &E),
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        let program = &self.program;
        let Store { arena, file, scratch, counts } = store;
        let Some(match_) = scratch.completed.pop() else { return };
        let captures = Captures::new(arena, match_.head).and(step, seq, event);
        sink(Outcome {
            kind: OutcomeKind::Match,
            program,
            captures,
            start: Timestamp::from_millis(match_.start),
            last: event.time(),
            at: event.time(),
            start_seq: match_.start_seq,
            states: &[],
            clocks: &[],
            repetition: 0,
            set: SetRef::Alone,
        });
        if (key.has_runs() || key.has_joined())
            && let Some(dropped) =
                dropped_starts(&captures, &program.skip.strategy, match_.start_seq)
        {
            counts.steps += key.drop_starts(arena, file, &dropped);
        }
        arena.release(match_.head);
    }

    /// Reports the complete matches in order, and drops partial matches by the skip strategy.
    pub(super) fn report_completed(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        at: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        let program = &*self.program;
        let Store { arena, file, scratch, counts } = store;
        let skip = &program.skip;
        // The buffer is taken out while it is reported from, and given back for its space.
        let mut new = std::mem::take(&mut scratch.completed);
        if program.waits() {
            let waiting = key.completed_mut();
            waiting.append(&mut new);
            std::mem::swap(waiting, &mut new);
        }
        in_order(arena, &mut new);
        // Two partial matches can complete the pattern with the same events.
        new.dedup_by(|later, earlier| {
            let same = later.start_seq == earlier.start_seq
                && is_same(program, arena, later.head, earlier.head);
            if same {
                arena.release(later.head);
            }
            same
        });
        let mut reported = 0;
        let mut dropped_from = new.len();
        while reported < dropped_from {
            let match_ = new[reported];
            if program.waits()
                && key.runs().first().is_some_and(|oldest| oldest.start_seq < match_.start_seq)
            {
                break;
            }
            reported += 1;
            let captures = Captures::new(arena, match_.head);
            for (run, is_reported) in &mut scratch.silences.repeating {
                *is_reported |= run.head == match_.head;
            }
            if let Some(dropped) = dropped_starts(&captures, &skip.strategy, match_.start_seq) {
                // A match does not drop its own repetition.
                for (run, is_reported) in &mut scratch.silences.repeating {
                    *is_reported &= run.head == match_.head || !dropped.contains(&run.start_seq);
                }
                counts.steps += key.drop_starts(arena, file, &dropped);
                let mut kept = reported;
                for i in reported..dropped_from {
                    if dropped.contains(&new[i].start_seq) {
                        arena.release(new[i].head);
                    } else {
                        new[kept] = new[i];
                        kept += 1;
                    }
                }
                dropped_from = kept;
            }
        }
        if program.waits() {
            key.completed_mut().extend_from_slice(&new[reported..dropped_from]);
        }
        new.truncate(reported);
        let empty = self.report_set(store, new, at, sink);
        store.scratch.completed = empty;
    }

    /// Reports what the pattern wants to know of a set of matches, and releases them. Returns the
    /// empty buffer. Matches beyond the [limit](super::matcher::Limits::matches_per_set) are
    /// counted.
    fn report_set(
        &self,
        store: &mut Store<E>,
        matches: Vec<Completed>,
        at: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) -> Vec<Completed> {
        let program = &self.program;
        let Store { arena, counts, .. } = store;
        let mut set = Listed { matches, totals: Vec::new(), number: counts.sets };
        counts.sets += 1;
        if set.matches.len() > 1 {
            set.totals = set::totals_of(&program.totals, arena, &set.matches);
        }
        let wanted = set::selected(program.report, arena, &set.matches);
        let listed = set::listed(program.report, wanted.clone(), self.limits.matches_per_set);
        counts.add_unlisted((wanted.len() - listed.len()) as u64);
        for match_ in &set.matches[listed] {
            sink(Outcome {
                kind: OutcomeKind::Match,
                program,
                captures: Captures::new(arena, match_.head),
                start: Timestamp::from_millis(match_.start),
                last: Timestamp::from_millis(match_.last),
                at,
                start_seq: match_.start_seq,
                states: &[],
                clocks: &[],
                repetition: match_.repetition,
                set: if set.matches.len() > 1 { SetRef::Listed(&set) } else { SetRef::Alone },
            });
        }
        for match_ in &set.matches {
            arena.release(match_.head);
        }
        set.matches.clear();
        set.matches
    }
}

/// True if two partial matches hold the same events. Named groups can divide the same events into
/// rounds in several ways; matches that differ only in this are reported once.
pub(super) fn is_same<E>(program: &Program, arena: &CaptureArena<E>, a: u32, b: u32) -> bool {
    a == b || !program.named.is_empty() && arena.compare(a, b).is_eq()
}

/// Sorts matches by their start; [`CaptureArena::compare`] decides between those that start
/// together.
fn in_order<E>(arena: &CaptureArena<E>, matches: &mut Vec<Completed>) {
    let compare = |a: &Completed, b: &Completed| {
        a.start_seq.cmp(&b.start_seq).then_with(|| arena.compare(a.head, b.head))
    };
    // Chains are scattered over memory: where there are many, most pairs are decided by keys.
    if matches.len() < 64 {
        matches.sort_by(compare);
        return;
    }
    let mut keyed: Vec<_> = matches
        .drain(..)
        .map(|match_| (arena.sort_key(match_.head, match_.start_seq), match_))
        .collect();
    keyed.sort_by(|(i, a), (j, b)| {
        a.start_seq.cmp(&b.start_seq).then(i.cmp(j)).then_with(|| compare(a, b))
    });
    matches.extend(keyed.into_iter().map(|(_, match_)| match_));
}

/// Returns the starts whose partial matches are dropped after a match that has captured these
/// events.
fn dropped_starts<E>(
    captures: &Captures<'_, E>,
    strategy: &SkipStrategy,
    start_seq: u64,
) -> Option<Range<u64>> {
    match strategy {
        SkipStrategy::None => None,
        SkipStrategy::PastLast => captures.latest_first().next().map(|(_, seq, _)| 0..seq + 1),
        SkipStrategy::ToNext => Some(start_seq..start_seq + 1),
        SkipStrategy::ToFirst(step) => captures.first_of(*step).map(|(_, seq, _)| 0..seq),
        SkipStrategy::ToLast(step) => captures.last_of(*step).map(|(_, seq, _)| 0..seq),
    }
}
