//! Moves where a step or the start of a group is waited for.

use super::guard::{Guard, Move};
use super::items::{is_greedy, quantifier};
use super::position::{FIRST, Frame, Position, Reached, Side, Turn, Wait, path};
use super::tree::Tree;
use crate::hir::{Contiguity, ItemKind};
use crate::time::Timestamp;

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
        let group_until = self.group_until(frames);
        let fits = Guard::Fits(*condition).and(Guard::InGap);

        let take = fits.clone().and(Guard::InGroups).unless(group_until).unless(quantifier.until);
        let taken = self.after_take(position, turn, time);
        moves.push((take, Move::Take(*step, taken, position.clone())));

        let optional = Self::may_be_left_out(quantifier, turn);
        if optional && !skipped && !self.is_settled(position) {
            moves.extend(self.moves_past(frames, index, turn));
        }

        let ignore = match self.contiguity(frames, index, turn) {
            Contiguity::Next => None,
            Contiguity::Relaxed => Some(Guard::not(fits)),
            Contiguity::Any => Some(Guard::always()),
        };
        if let Some(ignore) = ignore {
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
            let skip = Guard::always().unless(group_until).unless(until);
            moves.push((skip, Move::Skip(target.clone())));
            moves.push((ignore.unless(group_until).unless(until), Move::Ignore(target)));
        }

        let is_behind = turn == FIRST;
        let nots = if is_behind {
            self.nots_before(frames, index)
        } else {
            let after = self.not_after(frames, index).into_iter();
            after.map(|(step, violated)| (step, violated.unless(group_until))).collect()
        };
        for (step, violated) in nots {
            let behind = is_behind.then(|| position.clone());
            moves.push((violated, Move::Stop(step, behind)));
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
                ..position.clone()
            },
            Some(next) => Position {
                without: self.left_behind(frames, index),
                ..Position::at(&begun, index, Wait::Step { turn: next, skipped: false })
            },
            None => {
                Position { without: self.left_behind(frames, index), ..self.after(&begun, index) }
            }
        }
    }

    /// The moves past an item that may be left out, or be left.
    fn moves_past(&self, frames: &[Frame], index: usize, turn: Turn) -> Vec<(Guard, Move)> {
        let until = quantifier(self.item(frames, index)).until;
        let open = Guard::always().unless(self.group_until(frames));
        let mut next = self.after(frames, index);
        if turn == Turn::Further {
            next.without = self.left_behind(frames, index);
        }
        match until {
            Some(until) if is_greedy(quantifier(self.item(frames, index))) => {
                let reached = Reached::AfterUntil(path(frames), index);
                let free = Position { reached, ..next.clone() };
                vec![
                    (open.clone().and(Guard::Fits(until)), Move::Proceed(free)),
                    (open.unless(Some(until)), Move::Proceed(next)),
                ]
            }
            _ => vec![(open, Move::Proceed(next))],
        }
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
        let until = self.group_until(outer);
        let quantifier = quantifier(self.item(outer, group.index));
        if Self::may_be_left_out(quantifier, group.turn) {
            moves.extend(self.moves_past(outer, group.index, group.turn));
        }
        let nots = match group.turn {
            FIRST => self.nots_before(outer, group.index),
            Turn::Nth(_) => {
                let after = self.not_after(outer, group.index).into_iter();
                after.map(|(step, violated)| (step, violated.unless(until))).collect()
            }
            Turn::Further => Vec::new(),
        };
        for (step, violated) in nots {
            let behind = (group.turn == FIRST).then(|| here.clone());
            moves.push((violated, Move::Stop(step, behind)));
        }
        if group.turn == FIRST && group.index == 0 {
            self.group_moves(here, outer, moves);
        }
    }
}
