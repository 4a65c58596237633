//! All that can happen at a position.
//!
//! One function follows the other, each with one concern:
//! ```text
//! moves                 the answer, which is remembered
//!   divided_moves       a Take before a silence leads to two positions, one on each side
//!     sided_moves       of the moves, those on the position's own side
//!       whole_moves     the moves on both sides, which are remembered, too
//!         moves_where_it_is   by what is waited for, with `without`, open loops and `not`s
//! ```
//!
//! Why a position has sides. In `match a{1..3 each} -> not b for 5s -> c`, the partial match {a1}
//! waits for a further `a`, and at the same time for the end of a silence that began with `a1`. A
//! `b` breaks the silence, and leaves the loop as it is:
//! ```text
//! Before   {a1} at the loop: takes an `a`, ignores a `b`
//! Behind   {a1} past the loop, waiting for `c`: a `b` is a Stop
//! ```
//! With one position for both, the Stop would end the loop, too. So a Take whose target can proceed
//! over the beginning of a silence yields both. `undivided` asks for the moves without this
//! division. It is set where the division itself asks.
//!
//! Invariant: the guards of the moves of one position need not exclude each other. All that are
//! open are made. The order of the proceeds matters: `meet` compares it where two paths part.
//!
//! Which test holds it: `silences_as_ways_report_what_the_reference_reports` and
//! `the_matcher_reports_what_the_reference_reports` in `tests/properties.rs`, and the enumerator in
//! `tests/enumerator`.

use std::collections::BTreeSet;

use super::guard::{Guard, Move, Moves, violated, without_end};
use super::position::{Leaving, Position, Side, Standing, Turn, Wait};
use super::tree::Tree;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::ItemKind;

impl Tree<'_> {
    /// Returns everything that can happen at a position at `time`, with the guards. If an event
    /// leads to a position that can proceed over the beginning of a silence, its Take is there once
    /// for each side.
    pub(super) fn moves(&self, position: &Position, time: Timestamp) -> Moves {
        let moment = (position.clone(), time, self.undivided);
        self.known.ask(&self.known.moves, moment, || self.divided_moves(position, time).into())
    }

    fn divided_moves(&self, position: &Position, time: Timestamp) -> Vec<(Guard, Move)> {
        let mut moves = Vec::new();
        for (guard, a_move) in self.sided_moves(position, time) {
            match a_move {
                Move::Take(step, target, origin) => {
                    for target in self.sides(target) {
                        moves.push((guard.clone(), Move::Take(step, target, origin.clone())));
                    }
                }
                other => moves.push((guard, other)),
            }
        }
        moves
    }

    /// A position, or the two sides of the silence that can begin there.
    fn sides(&self, position: Position) -> Vec<Position> {
        if self.undivided || position.side != Side::Whole || !self.has_silence() {
            return vec![position];
        }
        let tree = Tree { undivided: true, ..*self };
        let before = Position { side: Side::Before, ..position.clone() };
        let waits = |here: &Position| {
            let moves = tree.sided_moves(here, Timestamp::MIN);
            moves.iter().any(|(_, a_move)| !matches!(a_move, Move::Proceed(_) | Move::Stop(..)))
        };
        if tree.leads_over_silence(&position) && tree.walk(&before, waits) {
            vec![before, Position { side: Side::Behind, ..position }]
        } else {
            vec![position]
        }
    }

    /// True if a position is as `is` says among those that can be proceeded to from `position`.
    pub(super) fn walk(&self, position: &Position, is: impl Fn(&Position) -> bool) -> bool {
        let mut open = vec![position.clone()];
        let mut seen = BTreeSet::new();
        while let Some(here) = open.pop() {
            if !seen.insert(here.clone()) {
                continue;
            }
            if is(&here) {
                return true;
            }
            for (_, a_move) in self.sided_moves(&here, Timestamp::MIN) {
                if let Move::Proceed(target) = a_move {
                    open.push(target);
                }
            }
        }
        false
    }

    /// Returns the moves at a position, on its side of the silence.
    fn sided_moves(&self, position: &Position, time: Timestamp) -> Vec<(Guard, Move)> {
        let mut moves = self.whole_moves(position, time).to_vec();
        let side = position.side;
        if side == Side::Whole {
            return moves;
        }
        let tree = Tree { undivided: true, ..*self };
        moves.retain(|(_, a_move)| match a_move {
            Move::Proceed(target) if tree.begins_silence(position, target) => side == Side::Behind,
            Move::Proceed(target) => side == Side::Before || tree.leads_over_silence(target),
            Move::Stop(..) => true,
            Move::Take(..) | Move::Ignore(_) | Move::Skip(_) | Move::Complete => {
                side == Side::Before
            }
        });
        for (_, a_move) in &mut moves {
            match a_move {
                Move::Proceed(target) if tree.begins_silence(position, target) => {}
                Move::Proceed(target) | Move::Ignore(target) | Move::Skip(target) => {
                    target.side = side;
                }
                Move::Take(..) | Move::Stop(..) | Move::Complete => {}
            }
        }
        moves
    }

    /// Returns the moves at a position, on both sides of the silence.
    pub(super) fn whole_moves(&self, position: &Position, time: Timestamp) -> Moves {
        let whole = Position { side: Side::Whole, ..position.clone() };
        let moment = (whole.clone(), time, self.undivided);
        let known = &self.known.whole_moves;
        self.known.ask(known, moment, || self.moves_where_it_is(&whole, time).into())
    }

    fn moves_where_it_is(&self, position: &Position, time: Timestamp) -> Vec<(Guard, Move)> {
        let Position { frames, index, wait, .. } = position;
        let mut moves = match wait {
            Wait::Step { turn, skipped } => self.step_moves(position, *turn, *skipped, time),
            Wait::Alternatives(branches) => {
                let mut moves = self.moves_of_branches(position, branches, time);
                // Up to the first event of a branch, what is before them all is asked for.
                if branches.iter().all(|branch| matches!(branch, Standing::Ready(_))) {
                    for (step, violated) in self.nots_before(frames, *index) {
                        moves.push((violated, Move::Stop(step, Some(position.clone()))));
                    }
                }
                if position.is_entry() && *index == 0 {
                    self.group_moves(position, frames, &mut moves);
                }
                moves
            }
            // All repetitions from the least number on end here. The next one has a frame of its
            // own, which has not begun.
            Wait::Joint => {
                let start = self.enter_turn(frames, *index, Turn::Further);
                vec![(Guard::always(), Move::Proceed(start))]
            }
            Wait::NotNext => {
                let item = self.item(frames, *index);
                let ItemKind::Not { step, condition } = item.kind else { return Vec::new() };
                let violated = Guard::Fits(condition).unless(self.group_until(frames));
                let next = self.after(frames, *index, Leaving::Begun);
                let is_end = next.wait == Wait::End;
                let respected = Guard::not(violated.clone()).and(Guard::InGap);
                // At the end of the pattern there is no position that could hear of the event, so
                // it completes the match itself.
                let (respected, on) = if is_end {
                    (respected.and(Guard::KeptOut { from: None }), Move::Complete)
                } else {
                    (respected, Move::Proceed(next))
                };
                vec![(respected, on), (violated, Move::Stop(step, None))]
            }
            Wait::Pending => {
                let mut moves = Vec::new();
                let mut respected = Vec::new();
                let items = &self.sequence(frames).items;
                for (place, item) in items.iter().enumerate().skip(*index) {
                    let ItemKind::Not { step, .. } = item.kind else { continue };
                    // The last one ends with the wait, and may be reported again and again.
                    let violated = if place + 1 == items.len() {
                        violated(&without_end(item))
                    } else {
                        violated(item)
                    };
                    moves.push((violated.clone(), Move::Stop(step, None)));
                    respected.push(Guard::not(violated));
                }
                // Every event that violates none of them is let pass. Only a deadline completes the
                // match.
                moves.push((Guard::All(respected), Move::Ignore(position.clone())));
                moves
            }
            Wait::EndOfWay | Wait::End => Vec::new(),
        };
        for (guard, a_move) in &mut moves {
            let from = match a_move {
                // Each of the branches has asked already.
                Move::Ignore(_) if matches!(wait, Wait::Alternatives(_)) => continue,
                Move::Ignore(_) => None,
                // The sequences around all branches capture the event: for them it is no event
                // between.
                Move::Skip(_) => Some(self.depth_of_branch(frames).unwrap_or(frames.len())),
                // An event that is captured violates nothing.
                Move::Take(..) | Move::Proceed(_) | Move::Stop(..) | Move::Complete => continue,
            };
            *guard = guard.clone().and(Guard::KeptOut { from });
        }
        self.keep_for_open_loops(position, &mut moves);
        // A copy that does without some nots goes on to copies that do without them.
        moves.retain(
            |(_, a_move)| !matches!(a_move, Move::Stop(step, _) if position.without.contains(step)),
        );
        for (_, a_move) in &mut moves {
            if let Move::Proceed(target) = a_move {
                target.without.extend(&position.without);
            }
        }
        moves
    }
}
