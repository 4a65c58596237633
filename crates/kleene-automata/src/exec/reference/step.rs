//! Moves where a step or the start of a group is waited for.
//!
//! The moves of a step by what leads to it, for an event without gaps and `until`:
//! ```text
//! event           next     relaxed   any
//! it fits         Take     Take      Take, Ignore
//! it does not     none     Ignore    Ignore
//! ```
//! No open move means that the partial match is gone: that is how `next` breaks a row.
//!
//! An optional step can also be passed (Proceed), as can a loop that has been repeated often
//! enough. An example with `match a -> b{0..1 each} -> c`, items 0 to 2:
//! ```text
//! event   partial matches afterwards        why
//! a1      {a1} at 1                         it may still leave `b` out
//! x2      {a1} at 1, skipped; {a1} at 2     both positions ignore x2: there are two now
//! c3      {a1} at 1, skipped; match a1 c3   at 1 it is ignored, at 2 it is taken
//! ```
//! `skipped` is why `c3` makes one match and not two: the position at 1 does not proceed to 2
//! again, as the other partial match waits there already.
//!
//! Invariant: a Take ends all that was waited for with the event before. So its target has no open
//! loops but the one that it leaves, no `skipped`, and is whole (not on one side of a silence).
//!
//! Which test holds it: the tables of arrows and loops in docs/semantics.md
//! (`the_page_says_what_comes_out` in `tests/semantics.rs`), and
//! `the_reference_agrees_with_the_record` in `tests/conformance.rs`.

use std::collections::BTreeSet;

use super::guard::{Guard, Move};
use super::items::quantifier;
use super::position::{FIRST, Frame, Leaving, Position, Side, Turn, Wait};
use super::tree::Tree;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::{Contiguity, ItemKind};

impl Tree<'_> {
    /// Returns the moves of a position that waits for a step in a repetition.
    pub(super) fn step_moves(
        &self,
        position: &Position,
        turn: Turn,
        skipped: bool,
        time: Timestamp,
    ) -> Vec<(Guard, Move)> {
        let Position { frames, index, .. } = position;
        let index = *index;
        let ItemKind::Step { step, condition, quantifier } = &self.item(frames, index).kind else {
            return Vec::new();
        };
        let mut moves = Vec::new();
        let (group_until, ending) = (self.group_until(frames), self.ending_until(frames));
        let fits = Guard::Fits(*condition).and(Guard::InGap);

        // `until` closes the Take also before the loop has begun, but not the Ignore. So an event
        // that is the `until` and fits the first repetition is neither taken nor, unless by `any`,
        // skipped.
        let take = fits.clone().and(Guard::InGroups).unless(group_until).unless(quantifier.until);
        let taken = self.after_take(position, turn, time);
        moves.push((take.clone(), Move::Take(*step, taken, position.clone())));

        let optional = Self::may_be_left_out(quantifier, turn);
        // A settled loop is last: it completes by `Complete`, and does not proceed to the end at
        // once.
        if optional && !skipped && !self.is_settled(position) {
            moves.push(self.move_past(frames, index, turn));
        }

        let nots = self.nots_of_loops(frames, index, turn);
        let contiguity = self.contiguity(frames, index, turn);
        let mut skips = Guard::Any(Vec::new());
        let ignore = match contiguity {
            Contiguity::Next => None,
            Contiguity::Relaxed => Some(Guard::not(fits)),
            Contiguity::Any => Some(Guard::always()),
        };
        if let Some(ignore) = ignore {
            // `until` ends what has begun.
            let until = if turn == FIRST { None } else { quantifier.until };
            let waits_apart = optional || self.starts_optional_group(frames, index);
            let target = if waits_apart && !skipped {
                let without = position.without.clone();
                Position {
                    without,
                    ..Position::at(frames, index, Wait::Step { turn, skipped: true })
                }
            } else {
                position.clone()
            };
            // Another branch captures the event, so it need not be one that this step would let
            // pass.
            let mut skip = Guard::always().unless(ending).unless(until);
            let ignore = ignore.unless(ending).unless(until);
            skips = ignore.clone().and(Guard::KeptOut { from: None });
            // A loop around several branches captures what one of them does.
            let branch = self.depth_of_branch(frames);
            for (_, _, violated) in
                nots.iter().filter(|(depth, ..)| branch.is_none_or(|branch| *depth > branch))
            {
                skip = skip.and(Guard::not(violated.clone()));
            }
            moves.push((skip, Move::Skip(target.clone())));
            moves.push((ignore, Move::Ignore(target)));
        }

        if self.is_settled(position) {
            // It can grow no more. One that `any` leads to could skip also what it takes.
            let goes_on = match contiguity {
                Contiguity::Any => skips,
                _ => Guard::Any(vec![skips, take]),
            };
            moves.push((Guard::not(goes_on), Move::Complete));
        }

        for (_, step, violated) in nots {
            moves.push((violated, Move::Stop(step, Some(position.clone()))));
        }
        if turn == FIRST {
            for (step, violated) in self.nots_before(frames, index) {
                moves.push((violated, Move::Stop(step, Some(position.clone()))));
            }
        }
        // Here the repetition of the group has captured nothing, so the group can be left out, too.
        if turn == FIRST && index == 0 && !skipped {
            self.group_moves(position, frames, &mut moves);
        }
        moves
    }

    /// Returns the position after a step has captured an event.
    fn after_take(&self, position: &Position, turn: Turn, time: Timestamp) -> Position {
        let Position { frames, index, .. } = position;
        let index = *index;
        // The event begins those repetitions around it that had not begun.
        let mut begun = frames.clone();
        for frame in &mut begun {
            frame.begun.get_or_insert(time);
            if let Some(branch) = &mut frame.branch {
                branch.last = Some(time);
            }
        }
        match self.next_turn(frames, index, turn) {
            Some(Turn::Further) if turn == Turn::Further => Position {
                frames: begun,
                wait: Wait::Step { turn, skipped: false },
                side: Side::Whole,
                open_loops: BTreeSet::new(),
                ..position.clone()
            },
            Some(next) => Position {
                without: self.left_behind(frames, index),
                ..Position::at(&begun, index, Wait::Step { turn: next, skipped: false })
            },
            None => Position {
                without: self.left_behind(frames, index),
                ..self.after(&begun, index, Leaving::Begun)
            },
        }
    }

    /// The move past an item that may be left out, or be left.
    fn move_past(&self, frames: &[Frame], index: usize, turn: Turn) -> (Guard, Move) {
        let mut next = self.after(frames, index, Leaving::at(turn));
        if turn == Turn::Further {
            next.without = self.left_behind(frames, index);
        }
        (Guard::always(), Move::Proceed(next))
    }

    /// Returns the moves where a repetition of a group starts: it may be left out.
    pub(super) fn group_moves(
        &self,
        here: &Position,
        frames: &[Frame],
        moves: &mut Vec<(Guard, Move)>,
    ) {
        let Some((group, outer)) = frames.split_last() else { return };
        // Of several branches together that is asked where they stand.
        if group.branch.is_some() {
            return;
        }
        let quantifier = quantifier(self.item(outer, group.index));
        if Self::may_be_left_out(quantifier, group.turn) {
            moves.push(self.move_past(outer, group.index, group.turn));
        }
        if group.turn == FIRST {
            for (step, violated) in self.nots_before(outer, group.index) {
                moves.push((violated, Move::Stop(step, Some(here.clone()))));
            }
        }
        if group.turn == FIRST && group.index == 0 {
            self.group_moves(here, outer, moves);
        }
    }
}
