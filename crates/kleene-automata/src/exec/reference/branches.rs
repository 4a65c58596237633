//! Moves of partial matches in a position with several branches.
//!
//! The position has one [`Standing`] for each branch. An example with `match (a and b) -> c`:
//! ```text
//! event   branches, or the position after them
//!         [Ready(a), Ready(b)]
//! b1      [Ready(a), Done]        `a` is `later` now: the arrow before the group is over
//! a2      at `c`                  as many have begun as have to, and none is open
//! c3      match b1 a2 c3
//! ```
//!
//! With `or`, one branch has to happen. The first event of a branch then leaves the others for
//! good: the position is inside of that branch, and there is no list of branches any more.
//!
//! How one event is shared among the branches of `and` and `of`:
//! ```text
//! the event is      the branch that takes it   the other branches that wait
//! captured          Take                       Skip: the event may fit them, and is not between
//! captured by none  -                          Ignore, all of them: no step there takes it
//! ```
//! So the moves of a position with branches are a product: one move of one branch, and one pass of
//! each other branch. Most branches have a single pass, and then the product is a single move.
//!
//! Not done here, though the automaton does it: one state for each set of branches that are done,
//! or one state with a set of operands. The list of branches is slower, and says by itself what is
//! meant.
//!
//! Which test holds it: `the_matcher_reports_what_the_reference_reports` in `tests/properties.rs`,
//! `a_set_of_operands_does_what_a_state_for_each_set_does` in `tests/operands.rs`, and
//! `tests/enumerator/branches.rs`, which defines the branches without positions.

use std::collections::BTreeSet;

use super::guard::{Guard, Move};
use super::items::silence;
use super::position::{CurrentBranch, Leaving, Position, Side, Standing, Wait};
use super::tree::Tree;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::{ItemKind, Sequence};

/// The result of an event that branches let pass.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Passed {
    /// No branch captures it.
    Ignored,
    /// Another branch captures it.
    Captured,
}

impl Tree<'_> {
    /// Returns the moves where several branches stand: one of them takes the event or goes on
    /// without it, or all of them ignore it.
    pub(super) fn moves_of_branches(
        &self,
        position: &Position,
        branches: &[Standing],
        time: Timestamp,
    ) -> Vec<(Guard, Move)> {
        let mut moves = self.moves_of_silences(position, branches);
        let silences = moves.len();
        for (number, standing) in branches.iter().enumerate() {
            let Some(here) = standing.position() else { continue };
            for (guard, a_move) in self.moves(here, time).iter().cloned() {
                let at = |guard| Guard::At(Box::new(here.clone()), Box::new(guard));
                match a_move {
                    Move::Take(step, target, origin) => {
                        for (others, target) in self.take_on(position, branches, number, target) {
                            let take = Move::Take(step, target, origin.clone());
                            moves.push((at(guard.clone()).and(others), take));
                        }
                    }
                    Move::Proceed(target) => {
                        let mut branches = branches.to_vec();
                        branches[number] = standing.moved(target);
                        moves.push((
                            at(guard),
                            Move::Proceed(self.with_branches(position, branches)),
                        ));
                    }
                    stop @ Move::Stop(..) => moves.push((at(guard), stop)),
                    // All branches have to let an event pass together, which is worked out below. A
                    // branch is never complete on its own: a `longest` loop stands at the end of
                    // the pattern only.
                    Move::Ignore(_) | Move::Skip(_) | Move::Complete => {}
                }
            }
        }
        let everyone: Vec<usize> =
            (0..branches.len()).filter(|&number| branches[number].position().is_some()).collect();
        // Each of the branches asks what must not come; where there is none, it is asked here.
        let alone =
            if everyone.is_empty() { Guard::KeptOut { from: None } } else { Guard::always() };
        for (guard, branches) in self.pass_over(branches, &everyone, Passed::Ignored) {
            for (breaks, branches) in self.after_breaks(position, &branches) {
                if self.is_possible(position, &branches) {
                    let guard = guard.clone().and(breaks).and(alone.clone());
                    moves.push((guard, Move::Ignore(self.with_branches(position, branches))));
                }
            }
        }
        for (guard, branches) in self.pass_over(branches, &everyone, Passed::Captured) {
            moves.push((guard, Move::Skip(self.with_branches(position, branches))));
        }
        if let Some((_, time)) = self.silence_over_next(position, branches) {
            // All of that is open as long as the silence goes on.
            for (guard, _) in &mut moves[silences..] {
                *guard = guard.clone().and(Guard::Meanwhile(position.index, time));
            }
        }
        moves
    }

    /// True if as many of the branches as have to can still happen.
    pub(super) fn is_possible(&self, position: &Position, branches: &[Standing]) -> bool {
        let can = branches.iter().filter(|branch| match branch {
            Standing::Ready(_) | Standing::Begun(_) | Standing::Done | Standing::Quiet => true,
            Standing::Unneeded | Standing::Broken => false,
        });
        can.count() >= self.count(&position.frames, position.index)
    }

    /// True if one of the branches has captured an event: a silence that is over has brought none.
    fn has_event(&self, position: &Position, branches: &[Standing]) -> bool {
        let item = self.item(&position.frames, position.index);
        let ItemKind::Alternatives { branches: sequences, .. } = &item.kind else { return false };
        let captures = |(branch, sequence): (&Standing, &Sequence)| {
            branch.has_begun() && silence(sequence).is_none()
        };
        branches.iter().zip(sequences).any(captures)
    }

    /// Returns the positions after the event is captured on one of several branches, which it leads
    /// to `target`, with the conditions on which the other branches skip it.
    fn take_on(
        &self,
        position: &Position,
        branches: &[Standing],
        number: usize,
        target: Position,
    ) -> Vec<(Guard, Position)> {
        let Position { frames, index, .. } = position;
        let count = self.count(frames, *index);
        // The other branches of `or` are left here: the target knows nothing of them.
        if count == 1 {
            return vec![(Guard::always(), target)];
        }
        // The target lies in one branch. What the event has begun around all branches is in its
        // outer frames, and is copied to the other branches below.
        let outer = target.frames[..frames.len()].to_vec();
        let is_first = !self.has_event(position, branches);
        let mut branches = branches.to_vec();
        branches[number] = Standing::Begun(Position::at(&[], 0, Wait::End)).moved(target);
        let begun = branches.iter().filter(|branch| branch.has_begun()).count();
        for (other, branch) in branches.iter_mut().enumerate() {
            match branch {
                // With the last branch that has to happen, the ones without an event are dropped.
                Standing::Ready(_) | Standing::Quiet if begun == count => {
                    *branch = Standing::Unneeded;
                }
                // From the first event of the group on, the others wait anew.
                Standing::Ready(_) if is_first => {
                    *branch = Standing::Ready(self.enter_branch(
                        &outer,
                        *index,
                        CurrentBranch { number: other, later: true, last: None },
                    ));
                }
                _ => {}
            }
        }
        let others: Vec<usize> = (0..branches.len())
            .filter(|&other| match branches[other] {
                Standing::Begun(_) => other != number,
                // A branch that has no event yet is asked only from the second event on. Up to the
                // first one it waits with the group, whose arrow was asked by the branch that took
                // the event.
                Standing::Ready(_) => !is_first,
                _ => false,
            })
            .collect();
        let after = self.pass_over(&branches, &others, Passed::Captured).into_iter();
        after
            .flat_map(|(guard, branches)| {
                let breaks = self.after_breaks(position, &branches).into_iter();
                breaks.map(move |(breaks, branches)| (guard.clone().and(breaks), branches))
            })
            .filter(|(_, branches)| self.is_possible(position, branches))
            .map(|(guard, mut branches)| {
                // The groups around have begun for all of them.
                for branch in &mut branches {
                    if let Standing::Begun(position) | Standing::Ready(position) = branch {
                        position.frames[..outer.len()].clone_from_slice(&outer);
                    }
                }
                let frames = outer.clone();
                let open_loops = BTreeSet::new();
                let position =
                    Position { frames, side: Side::Whole, open_loops, ..position.clone() };
                (guard, self.with_branches(&position, branches))
            })
            .collect()
    }

    /// Returns the guards under which all branches of `who` let an event pass, and their positions
    /// afterwards. The event is `passed`.
    fn pass_over(
        &self,
        branches: &[Standing],
        who: &[usize],
        passed: Passed,
    ) -> Vec<(Guard, Vec<Standing>)> {
        let mut found = vec![(Vec::new(), branches.to_vec())];
        for &number in who {
            let Some(here) = branches[number].position() else { continue };
            let passes = self.moves(here, Timestamp::MIN);
            let passes = passes.iter().filter_map(|(guard, a_move)| match a_move {
                Move::Skip(target) if passed == Passed::Captured => Some((guard, target)),
                Move::Ignore(target) if passed == Passed::Ignored => Some((guard, target)),
                _ => None,
            });
            let passes: Vec<_> = passes
                .map(|(guard, target)| {
                    let guard = Guard::At(Box::new(here.clone()), Box::new(guard.clone()));
                    (guard, branches[number].moved(target.clone()))
                })
                .collect();
            // Most branches have one such move: nothing is copied for them.
            if let [(guard, standing)] = &passes[..] {
                for (guards, branches) in &mut found {
                    guards.push(guard.clone());
                    branches[number] = standing.clone();
                }
                continue;
            }
            // An open greedy loop divides a pass in two, by whether the event ends the loop. Then
            // all combinations with the passes of the other branches are possible.
            let mut longer = Vec::new();
            for (guard, standing) in passes {
                for (guards, branches) in &found {
                    let (mut guards, mut branches) = (guards.clone(), branches.clone());
                    guards.push(guard.clone());
                    branches[number] = standing.clone();
                    longer.push((guards, branches));
                }
            }
            found = longer;
        }
        found.into_iter().map(|(guards, branches)| (Guard::All(guards), branches)).collect()
    }

    /// Returns the position with these branches, or the position after them, if as many are done as
    /// have to happen and none is still open.
    pub(super) fn with_branches(&self, position: &Position, branches: Vec<Standing>) -> Position {
        let Position { frames, index, .. } = position;
        let begun = branches.iter().filter(|branch| branch.has_begun()).count();
        let open = branches.iter().any(|branch| matches!(branch, Standing::Begun(_)));
        if begun == self.count(frames, *index) && !open {
            let without = self.left_behind(frames, *index);
            return Position { without, ..self.after(frames, *index, Leaving::Begun) };
        }
        Position { wait: Wait::Alternatives(branches), ..position.clone() }
    }
}
