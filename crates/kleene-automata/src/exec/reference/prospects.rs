//! The future of a position: its gaps, the groups around it, and whether it can be complete.
//!
//! A position says what is waited for. These functions follow its proceeds and ask what could
//! happen then, without an event. An example with `match a -> b? -> c` and {a1}, which waits at
//! `b?`:
//! ```text
//! prospects        at b?: Take b, Ignore     at c: Take c, Ignore
//! ways_on          b?, c                     each takes an event
//! is_live          true                      something can happen
//! settles          false                     no `longest` loop
//! ```
//!
//! They are asked for deadlines (when is all of it too late?), at the end of the stream (is it
//! complete as it is?), and after a Take (is there anything left to wait for?).
//!
//! Invariant: a question is asked with [`Timestamp::MIN`], as no event is there. So the guards of
//! the moves are not tested: a prospect says what could be open, for some event.
//!
//! Not possible here, though the automaton does it: to work these out once for the pattern.
//! Positions have times in them, so they cannot be listed. The answers are remembered in `known`
//! instead.
//!
//! Which test holds it: `how_far_time_moves_at_once_changes_nothing` in `tests/properties.rs`, and
//! `timeouts_are_those_of_the_reference` in `tests/timeouts.rs`.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::guard::Move;
use super::items::{forbids, quantifier};
use super::known::Prospect;
use super::position::{FIRST, Position, Wait, path};
use super::tree::{Running, Tree};
use kleene_event::time::Timestamp;
use kleene_syntax::hir::{Gap, ItemKind, Length, LoopMode};

impl Tree<'_> {
    /// The bounds on the time from the event before to one that is taken here: the item's for its
    /// first event, and those of the groups that it is the first event of.
    pub(super) fn gaps(&self, position: &Position) -> Vec<Gap> {
        if !matches!(position.wait, Wait::Step { turn: FIRST, .. } | Wait::NotNext) {
            return Vec::new();
        }
        let own = self.item(&position.frames, position.index).gap;
        let mut gaps: Vec<Gap> = own.into_iter().collect();
        for (depth, frame) in position.frames.iter().enumerate().rev() {
            // A bound on the first of several branches does not bound the others.
            if frame.turn != FIRST || frame.begun.is_some() {
                continue;
            }
            // The gap before the group was kept by the first event of another branch.
            if frame.branch.is_some_and(|branch| branch.later) {
                break;
            }
            gaps.extend(self.item(&position.frames[..depth], frame.index).gap);
        }
        gaps
    }

    /// The repetitions of bounded groups that have begun.
    pub(super) fn running_groups(&self, position: &Position) -> impl Iterator<Item = Running> {
        position.frames.iter().enumerate().filter_map(|(depth, frame)| {
            match self.item(&position.frames[..depth], frame.index).kind {
                ItemKind::Group { within: Some(within), .. } => Some(Running {
                    path: path(&position.frames[..=depth]),
                    begun: frame.begun?,
                    within,
                }),
                _ => None,
            }
        })
    }

    /// True if one of several branches can end here without another event.
    pub(super) fn reaches_end_of_branch(&self, position: &Position) -> bool {
        self.reaches_through(position, |_| true, |position| position.wait == Wait::EndOfWay)
    }

    /// Returns the moves, except proceeds, of a partial match that waits at `position` or at a
    /// position that it proceeds to. Each move has its position and the gaps that the event has to
    /// keep.
    pub(super) fn prospects(&self, position: &Position) -> Rc<[Prospect]> {
        let moment = (position.clone(), Timestamp::MIN, self.undivided);
        let known = &self.known.prospects;
        self.known.ask(known, moment, || self.find_prospects(position).into())
    }

    fn find_prospects(&self, position: &Position) -> Vec<Prospect> {
        let mut prospects = Vec::new();
        let mut open = vec![(position.clone(), Vec::new())];
        let mut seen = Vec::new();
        while let Some(here) = open.pop() {
            if seen.contains(&here) {
                continue;
            }
            let (position, gaps) = &here;
            for (_, a_move) in self.moves(position, Timestamp::MIN).iter().cloned() {
                let with_own = |own: &Position| [&gaps[..], &self.gaps(own)].concat();
                match a_move {
                    // A branch skips what another branch takes. For the position as a whole that is
                    // a Take.
                    Move::Skip(_) => {}
                    // The event that respects a `next not` has to keep its gap, and so has all that
                    // follows.
                    Move::Proceed(target) if position.wait == Wait::NotNext => {
                        open.push((target, with_own(position)));
                    }
                    Move::Proceed(target) => open.push((target, gaps.clone())),
                    Move::Take(.., ref origin) => {
                        prospects.push((origin.clone(), with_own(origin), a_move));
                    }
                    other => prospects.push((position.clone(), with_own(position), other)),
                }
            }
            seen.push(here);
        }
        prospects
    }

    /// True if anything can happen at a position.
    pub(super) fn is_live(&self, position: &Position) -> bool {
        position.wait != Wait::End && !self.prospects(position).is_empty()
    }

    /// The positions that take an event, or need one more, among those that can be reached from
    /// `position` without an event; each with the gaps that its event has to keep.
    pub(super) fn ways_on(&self, position: &Position) -> Vec<(Position, Vec<Gap>)> {
        let needs_one =
            |(_, _, a_move): &&Prospect| matches!(a_move, Move::Take(..) | Move::Complete);
        let prospects = self.prospects(position);
        let ways_on = prospects.iter().filter(needs_one);
        ways_on.map(|(position, gaps, _)| (position.clone(), gaps.clone())).collect()
    }

    /// True if one of the positions that can be reached without an event is as `is` says. A `next
    /// not` on the way has not been fulfilled before the next event.
    fn reaches(&self, position: &Position, is: impl Fn(&Position) -> bool) -> bool {
        self.reaches_through(position, |position| position.wait != Wait::NotNext, is)
    }

    /// Returns true if a position that is as `is` says can be reached by proceeds through positions
    /// that `passable` accepts.
    fn reaches_through(
        &self,
        position: &Position,
        passable: impl Fn(&Position) -> bool,
        is: impl Fn(&Position) -> bool,
    ) -> bool {
        let mut open = vec![position.clone()];
        let mut seen = BTreeSet::new();
        while let Some(position) = open.pop() {
            if is(&position) {
                return true;
            }
            if !passable(&position) || !seen.insert(position.clone()) {
                continue;
            }
            for (_, a_move) in &*self.moves(&position, Timestamp::MIN) {
                if let Move::Proceed(target) = a_move {
                    open.push(target.clone());
                }
            }
        }
        false
    }

    /// True if only the `not`s at the end are still to hold.
    pub(super) fn is_pending(&self, position: &Position) -> bool {
        self.reaches(position, |position| position.wait == Wait::Pending)
    }

    /// True if a partial match that waits here is complete once it can grow no more: all that is
    /// left is a `longest` loop that has repeated often enough.
    pub(super) fn settles(&self, position: &Position) -> bool {
        self.reaches(position, |position| self.is_settled(position))
    }

    pub(super) fn is_settled(&self, position: &Position) -> bool {
        let Wait::Step { turn, .. } = position.wait else { return false };
        let quantifier = quantifier(self.item(&position.frames, position.index));
        quantifier.mode == LoopMode::Longest && Self::may_be_left_out(quantifier, turn)
    }

    /// The bound of the last `not`, since the last event.
    pub(super) fn pending_bound(&self, position: &Position) -> Option<Length> {
        let bound = self.pattern.body.items.last().filter(|last| forbids(last))?.gap?.max?;
        self.is_pending(position).then_some(bound)
    }
}
