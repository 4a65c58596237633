//! Traces the effects of passing time on the partial matches of the key.

use super::ended::{Ended, TimeMove};
use super::{Arrived, ReportedOutcome, Tracer};
use crate::why::keys::Whose;
use crate::why::shadow::Made;
use crate::why::story::{Cause, Effect, Fate};
use kleene_automata::exec::Waiting;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

/// The number of expired partial matches that are remembered, so that events that come too late can
/// be reported.
const REMEMBERED: usize = 16;

impl<E: Event> Tracer<E> {
    /// Moves time to the watermark of the source.
    pub(super) fn follow(&mut self) {
        let watermark = self.time.promised();
        if watermark > self.time.watermark {
            self.move_to(watermark);
        }
    }

    pub(super) fn move_to(&mut self, to: Timestamp) {
        self.time.watermark = to;
        while let Some(arrived) = self.time.take_until(to) {
            self.release(&arrived);
        }
        self.catch_up(to, TimeMove::Through);
        self.end_at_once(to);
    }

    /// Handles the deadlines up to `to`, and the events that other rules have made before it, in
    /// the order of time. `until` says whether events made at `to` are included.
    pub(super) fn catch_up(&mut self, to: Timestamp, until: TimeMove) {
        loop {
            let made = self.shadow.as_ref().and_then(|shadow| shadow.heard.made.front());
            let made = made.map(|(time, _)| *time);
            let Some(time) =
                made.filter(|time| *time < to || until == TimeMove::Through && *time == to)
            else {
                break self.fire(to);
            };
            self.fire(time);
            let shadow = self.shadow.as_mut();
            let Some((_, made)) = shadow.and_then(|shadow| shadow.heard.made.pop_front()) else {
                break;
            };
            let Made { event, by } = made;
            let (whose, key, step_keys) =
                self.wanted.whose(&self.info.rule, &self.info.schema, &event);
            if whose == Whose::Ours {
                if self.key.is_empty() {
                    self.key = key;
                }
                let (line, is_seen, made_by) = (None, true, Some(by));
                self.take(&Arrived { event, line, is_seen, made_by, step_keys });
            }
        }
    }

    /// Handles the deadlines up to `to`, one after the other.
    fn fire(&mut self, to: Timestamp) {
        while let Some(deadline) = self.matcher.deadline(&self.state).filter(|&at| at <= to) {
            let effects = self.end_by_other_key(deadline.plus_millis(-1));
            if !effects.is_empty() {
                self.add(deadline, Cause::Time { moved_by: self.time.moved_by }, effects);
                break;
            }
            let before = self.open.clone();
            let (reported, _) = self.collect(|matcher, store, state, sink| {
                matcher.advance(store, state, deadline, sink);
                0
            });
            let effects = self.after_time(&before, &reported, deadline);
            if !effects.is_empty() {
                self.add(deadline, Cause::Time { moved_by: self.time.moved_by }, effects);
            }
        }
    }

    /// Returns the effects of passing time on the partial matches that were open before.
    pub(super) fn after_time(
        &mut self,
        before: &[(u64, Waiting)],
        reported: &[ReportedOutcome],
        deadline: Timestamp,
    ) -> Vec<Effect> {
        let after = self.matcher.waiting(&self.store, &self.state);
        let mut effects = Vec::new();
        let mut winner = None;
        let mut ended = Vec::new();
        {
            let judge = self.judge();
            for (number, waiting) in before {
                let reported =
                    reported.iter().find(|reported| reported.captured == waiting.captured);
                if let Some(reported) = reported.filter(|reported| !reported.reported.is_timeout) {
                    winner = winner.or(Some((*number, reported.captured.clone())));
                }
            }
            for (number, waiting) in before {
                let same = after.iter().find(|after| after.captured == waiting.captured);
                let reported =
                    reported.iter().find(|reported| reported.captured == waiting.captured);
                let due = waiting.deadline.filter(|at| *at <= deadline);
                if same.is_some_and(|after| !after.states.is_empty() || waiting.states.is_empty())
                    && reported.is_none()
                {
                    continue;
                }
                let is_match = reported.is_some_and(|reported| !reported.reported.is_timeout);
                let completes = is_match || same.is_some();
                let fate = if waiting.states.is_empty() && is_match {
                    Fate::TurnCame
                } else if completes && due.is_some() && !judge.absent(waiting).is_empty() {
                    let (bound, _) = judge.bound(waiting, due.unwrap_or(deadline));
                    Fate::Held { not: judge.absent(waiting), bound }
                } else if completes {
                    Fate::Exhausted
                } else if let Some(due) = due {
                    Fate::RanOut {
                        bound: judge.bound(waiting, due).0,
                        awaited: judge.waits::<E>(waiting, None).steps,
                    }
                } else if let Some((by, _)) = &winner {
                    Fate::Dropped { by: *by, skip: self.skip_effect() }
                } else {
                    Fate::RanOut {
                        bound: String::from("the end"),
                        awaited: judge.waits::<E>(waiting, None).steps,
                    }
                };
                if let Some(due) = due {
                    ended.push(Ended {
                        number: *number,
                        at: judge.bound(waiting, due).1,
                        matched: completes,
                        types: judge.types_of_interest(waiting),
                    });
                }
                effects.push(Effect {
                    partial: Some(*number),
                    fate,
                    reported: reported.map(|reported| reported.reported.clone()),
                    waits: same.map(|after| judge.waits::<E>(after, None)),
                });
            }
        }
        self.ended.extend(ended);
        while self.ended.len() > REMEMBERED {
            self.ended.pop_front();
        }
        self.open = before
            .iter()
            .filter_map(|(number, waiting)| {
                let same = after.iter().find(|after| after.captured == waiting.captured)?;
                Some((*number, same.clone()))
            })
            .collect();
        effects
    }
}
