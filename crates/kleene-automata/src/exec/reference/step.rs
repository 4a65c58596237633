//! Moves where a step or the start of a group is waited for.

use std::collections::BTreeSet;

use super::guard::{Guard, Move};
use super::items::quantifier;
use super::position::{FIRST, Frame, Leaving, Position, Side, Turn, Wait};
use super::tree::Tree;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::{Contiguity, ItemKind};

impl Tree<'_> {
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

        let take = fits.clone().and(Guard::InGroups).unless(group_until).unless(quantifier.until);
        let taken = self.after_take(position, turn, time);
        moves.push((take.clone(), Move::Take(*step, taken, position.clone())));

        let optional = Self::may_be_left_out(quantifier, turn);
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
