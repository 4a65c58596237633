//! Silences: `not`s with a time of their own, alone and as one of several branches.
//!
//! A silence as a branch captures nothing. It begins with the last event before its group and is
//! over some time later, unless an event breaks it. An example with
//! `match a -> (b and not c for 5s)`:
//! ```text
//! event     branches                  why
//! a1 at 0   [Ready(b), Quiet]         the silence began with a1 and lasts up to 5 s
//! b2 at 2   [Done, Quiet]             the match is complete when the silence is: deadline 5 s
//! c3 at 3   none                      [Done, Broken]: too few branches are left, a Stop
//! time 5    match a1 b2 at 5 s        if c3 did not come
//! ```
//!
//! ```text
//! Quiet ---- its time is over ----> Done
//!   |------- it is not needed ----> Unneeded
//!   +------- the event comes -----> Broken
//! ```
//!
//! With `or` or `of`, a broken silence only takes one branch away. So an event that breaks a
//! silence is no Stop by itself: `moves_of_silences` asks first if enough branches are left.
//!
//! Several silences of one group begin at the same event, so the shortest is over first. Only that
//! one is waited for: when it is over, the position proceeds to one that waits for the next.
//! `Meanwhile` guards all other moves of the position, as they belong to the time before.
//!
//! No clock is needed: all silences of a group begin with the same event, which the captures name.
//!
//! Which test holds it: `silences_as_ways_report_what_the_reference_reports` in
//! `tests/properties.rs`, and `operands_with_an_absence_match_what_their_definition_says` in
//! `tests/absence.rs`, which tries every choice of events.

use std::collections::BTreeSet;

use super::guard::{Guard, Move};
use super::items::{has_time, quantifier, silence};
use super::position::{FIRST, Position, Side, Standing, Wait};
use super::tree::Tree;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::{ConditionId, ItemKind, Length, LoopMode, StepId};

impl Tree<'_> {
    /// True if a `not` of the pattern has a time of its own, or the end of a gap completes it.
    pub(super) fn has_silence(&self) -> bool {
        let last = self.pattern.body.items.last();
        let ends = last.is_some_and(|last| {
            quantifier(last).mode == LoopMode::Longest
                && last.gap.is_some_and(|gap| gap.max.is_some())
        });
        ends || (0..self.pattern.steps.len())
            .any(|not| has_time(&self.pattern.body, StepId::new(not)))
    }

    /// True if a silence begins on one of the proceeds from a position. Such a position is divided
    /// into the side before the silence and the side after it.
    pub(super) fn leads_over_silence(&self, position: &Position) -> bool {
        let whole = Position { side: Side::Whole, ..position.clone() };
        let moment = (whole.clone(), Timestamp::MIN, self.undivided);
        self.known.ask(&self.known.over_silence, moment, || {
            self.walk(&whole, |here| {
                let moves = self.whole_moves(here, Timestamp::MIN);
                let mut targets = moves.iter().filter_map(|(_, a_move)| match a_move {
                    Move::Proceed(target) => Some(target),
                    _ => None,
                });
                targets.any(|target| self.begins_silence(here, target))
            })
        })
    }

    /// True if a silence is asked for at `to` that is not asked for at `from`, or the end of a gap
    /// completes the match there alone.
    pub(super) fn begins_silence(&self, from: &Position, to: &Position) -> bool {
        let asked = |position: &Position| -> BTreeSet<StepId> {
            let moves = self.whole_moves(position, Timestamp::MIN);
            let stops = moves.iter().filter_map(|(_, a_move)| match a_move {
                Move::Stop(step, _) if has_time(&self.pattern.body, *step) => Some(*step),
                _ => None,
            });
            stops.collect()
        };
        let ends = |position: &Position| {
            let gap = || self.item(&position.frames, position.index).gap;
            matches!(position.wait, Wait::Step { turn: FIRST, .. })
                && self.is_settled(position)
                && gap().is_some_and(|gap| gap.max.is_some())
        };
        !asked(to).is_subset(&asked(from)) || ends(to) && !ends(from)
    }

    /// The moves of silences that are branches: one is over, or too few are left because the others
    /// are broken.
    pub(super) fn moves_of_silences(
        &self,
        position: &Position,
        branches: &[Standing],
    ) -> Vec<(Guard, Move)> {
        let Some((number, time)) = self.silence_over_next(position, branches) else {
            return Vec::new();
        };
        let meanwhile = Guard::Meanwhile(position.index, time);
        let mut moves = Vec::new();
        for (breaks, left) in self.after_breaks(position, branches) {
            if let Some(broken) =
                (0..branches.len()).find(|&branch| left[branch] != branches[branch])
                && !self.is_possible(position, &left)
                && let Some((step, ..)) = self.silence_of(position, broken)
            {
                moves.push((meanwhile.clone().and(breaks), Move::Stop(step, None)));
            }
        }
        let over = self.with_branches(position, self.after_silence(position, branches, number));
        // A silence at the end of the pattern is complete at its deadline, not at the next event.
        if over.wait != Wait::End {
            moves.push((Guard::not(meanwhile), Move::Proceed(over)));
        }
        moves
    }

    /// The silence that a branch is: what must not come, and for how long.
    fn silence_of(
        &self,
        position: &Position,
        branch: usize,
    ) -> Option<(StepId, ConditionId, Length)> {
        let item = self.item(&position.frames, position.index);
        let ItemKind::Alternatives { branches, .. } = &item.kind else { return None };
        silence(&branches[branch])
    }

    /// Returns the silence that is over first of those that go on, and how long it lasts.
    pub(super) fn silence_over_next(
        &self,
        position: &Position,
        branches: &[Standing],
    ) -> Option<(usize, Length)> {
        let going_on = (0..branches.len()).filter(|&branch| branches[branch] == Standing::Quiet);
        let silences =
            going_on.filter_map(|branch| Some((branch, self.silence_of(position, branch)?.2)));
        silences.min_by_key(|(branch, time)| (time.as_millis(), *branch))
    }

    /// Returns the position after the silence that is one of the branches.
    fn after_silence(
        &self,
        position: &Position,
        branches: &[Standing],
        number: usize,
    ) -> Vec<Standing> {
        // The silence is over for good, as an event that breaks it would have come before.
        let mut branches = branches.to_vec();
        branches[number] = Standing::Done;
        let begun = branches.iter().filter(|branch| branch.has_begun()).count();
        if begun == self.count(&position.frames, position.index) {
            for branch in &mut branches {
                if matches!(branch, Standing::Ready(_) | Standing::Quiet) {
                    *branch = Standing::Unneeded;
                }
            }
        }
        branches
    }

    /// Returns the positions after an event that breaks some of the silences, or none.
    pub(super) fn after_breaks(
        &self,
        position: &Position,
        branches: &[Standing],
    ) -> Vec<(Guard, Vec<Standing>)> {
        let mut found = vec![(Guard::always(), branches.to_vec())];
        for branch in (0..branches.len()).filter(|&branch| branches[branch] == Standing::Quiet) {
            let Some((_, condition, _)) = self.silence_of(position, branch) else { continue };
            let breaks = Guard::Fits(condition);
            // Each silence doubles the cases: the event breaks it or not. `check` allows four of
            // them.
            for (guard, branches) in std::mem::take(&mut found) {
                let mut broken = branches.clone();
                broken[branch] = Standing::Broken;
                found.push((guard.clone().and(breaks.clone()), broken));
                found.push((guard.and(Guard::not(breaks.clone())), branches));
            }
        }
        found
    }

    /// The index of alternatives at the end that is complete when time passes, and how long
    /// after the event before it.
    pub(super) fn end_of_silence(&self, position: &Position) -> Option<(usize, Length)> {
        let moment = (position.clone(), Timestamp::MIN, self.undivided);
        let known = &self.known.end_of_silence;
        self.known.ask(known, moment, || self.find_end_of_silence(position))
    }

    fn find_end_of_silence(&self, position: &Position) -> Option<(usize, Length)> {
        let mut open = vec![position.clone()];
        let mut seen = BTreeSet::new();
        while let Some(here) = open.pop() {
            if !seen.insert(here.clone()) || here.wait == Wait::NotNext {
                continue;
            }
            if let Wait::Alternatives(branches) = &here.wait
                && let Some(time) = self.silent_end(&here, branches)
            {
                return Some((here.index, time));
            }
            for (_, a_move) in &*self.moves(&here, Timestamp::MIN) {
                if let Move::Proceed(target) = a_move {
                    open.push(target.clone());
                }
            }
        }
        None
    }

    /// Silences that are over one after the other can complete the group together. The one that
    /// completes it is the last of them, so its length is the answer.
    fn silent_end(&self, position: &Position, branches: &[Standing]) -> Option<Length> {
        let mut branches = branches.to_vec();
        loop {
            let (number, time) = self.silence_over_next(position, &branches)?;
            branches = self.after_silence(position, &branches, number);
            if self.with_branches(position, branches.clone()).wait == Wait::End {
                return Some(time);
            }
        }
    }
}
