//! The pattern's tree, and how to find one's way in it.
//!
//! A position names an item by its index and by the groups around it, one frame for each. An
//! example with `match a -> (b -> c){2} -> d`:
//! ```text
//! body     [0] a      [1] group {2}      [2] d
//!                          |
//!                     [0] b    [1] c
//!
//! event    frames                              index
//!          none                                0: a
//! a1       [item 1, turn 1, not begun]         0: b
//! b2       [item 1, turn 1, begun at b2]       1: c
//! c3       [item 1, turn 2, not begun]         0: b
//! ```
//! After the second `c`, there is no further turn: the frame is dropped, and `d` is waited for.
//!
//! A loop without upper bound would have a frame for each turn, and positions without end. So all
//! turns after the least number are one, [`Turn::Further`]: what can happen in them is the same.
//! Between two of them the position is `Joint`.
//!
//! Invariants:
//! * The functions here change no partial match. They return new positions.
//! * `frames` is a path in the tree: each frame's index is that of a group or of alternatives in
//!   the sequence that the frames before it lead to. [`Tree::sequence`] relies on that.
//! * A `not` that only forbids is passed by `after_item`. It is asked for at the item after it
//!   (`nots`).
//!
//! Which test holds it: every comparison of the reference with another matcher; see [`super`].

use super::items::{forbids, quantifier, silence};
use super::known::AnswerCache;
use super::position::{
    CurrentBranch, FIRST, Frame, Leaving, Path, Position, Standing, Turn, Wait, path,
};
use kleene_event::time::Timestamp;
use kleene_syntax::hir::{
    ConditionId, Contiguity, Item, ItemKind, Length, Pattern, Quantifier, Sequence, StepId,
};

/// A repetition of a bounded group that has begun.
pub(super) struct Running {
    /// The path to the group in the tree.
    pub(super) path: Path,
    pub(super) begun: Timestamp,
    pub(super) within: Length,
}

/// The pattern, and how to find one's way in it.
pub(super) struct Tree<'p> {
    pub(super) pattern: &'p Pattern,
    pub(super) known: &'p AnswerCache,
    /// True if the sides of silences are left together.
    pub(super) undivided: bool,
}

impl<'p> Tree<'p> {
    pub(super) fn new(pattern: &'p Pattern, known: &'p AnswerCache) -> Tree<'p> {
        Tree { pattern, known, undivided: false }
    }

    /// Returns the position before the first event.
    pub(super) fn start(&self) -> Position {
        // A leading `not` is checked elsewhere.
        let silent = self.pattern.body.items[0].is_not();
        self.enter(&[], usize::from(silent))
    }

    /// The sequence inside of the groups of `frames`.
    pub(super) fn sequence(&self, frames: &[Frame]) -> &'p Sequence {
        let mut sequence = &self.pattern.body;
        for frame in frames {
            match (&sequence.items[frame.index].kind, frame.branch) {
                (ItemKind::Group { body, .. }, _) => sequence = body,
                (ItemKind::Alternatives { branches, .. }, Some(branch)) => {
                    sequence = &branches[branch.number];
                }
                _ => {}
            }
        }
        sequence
    }

    /// Returns the item at an index inside of the groups of `frames`.
    pub(super) fn item(&self, frames: &[Frame], index: usize) -> &'p Item {
        &self.sequence(frames).items[index]
    }

    /// The `until` of the innermost group: inside, nothing happens once it holds.
    pub(super) fn group_until(&self, frames: &[Frame]) -> Option<ConditionId> {
        let (last, outer) = frames.split_last()?;
        if last.branch.is_some() {
            // A branch is no loop: the `until` is that of the group around the alternatives.
            return self.group_until(outer);
        }
        quantifier(self.item(outer, last.index)).until
    }

    /// The `until` of the innermost group, where it ends that group: it has begun.
    pub(super) fn ending_until(&self, frames: &[Frame]) -> Option<ConditionId> {
        let (last, outer) = frames.split_last()?;
        if last.branch.is_some() {
            return self.ending_until(outer);
        }
        // Before its first event there is no loop that could end: the event is skipped like any
        // other.
        let has_begun = last.turn != FIRST || last.begun.is_some();
        has_begun.then(|| self.group_until(frames)).flatten()
    }

    /// The first position of an item's first repetition.
    fn enter(&self, frames: &[Frame], index: usize) -> Position {
        self.enter_turn(frames, index, FIRST)
    }

    /// Returns the first position of a repetition. A group leads down to its first item.
    pub(super) fn enter_turn(&self, frames: &[Frame], index: usize, turn: Turn) -> Position {
        let wait = match &self.item(frames, index).kind {
            ItemKind::Group { .. } => {
                let mut inside = frames.to_vec();
                inside.push(Frame { index, turn, begun: None, branch: None });
                return self.enter(&inside, 0);
            }
            ItemKind::Alternatives { branches, .. } => {
                let standing = branches.iter().enumerate().map(|(branch, sequence)| {
                    if silence(sequence).is_some() {
                        Standing::Quiet
                    } else {
                        Standing::Ready(self.enter_branch(
                            frames,
                            index,
                            CurrentBranch { number: branch, later: false, last: None },
                        ))
                    }
                });
                Wait::Alternatives(standing.collect())
            }
            ItemKind::Step { .. } => Wait::Step { turn, skipped: false },
            ItemKind::Not { .. } => Wait::NotNext,
        };
        Position::at(frames, index, wait)
    }

    /// The first position of one of several branches.
    pub(super) fn enter_branch(
        &self,
        frames: &[Frame],
        index: usize,
        branch: CurrentBranch,
    ) -> Position {
        let mut inside = frames.to_vec();
        inside.push(Frame { index, turn: FIRST, begun: None, branch: Some(branch) });
        self.enter(&inside, 0)
    }

    /// Returns the aliases of the groups that begin a repetition with an event taken at the
    /// position.
    ///
    /// Only the frames that have not begun: a group whose repetition goes on gets no further round.
    pub(super) fn begun_rounds(&self, position: &Position) -> Vec<StepId> {
        let frames = &position.frames;
        let begun = frames.iter().enumerate().filter(|(_, frame)| frame.begun.is_none());
        begun
            .filter_map(|(depth, frame)| match self.item(&frames[..depth], frame.index).kind {
                ItemKind::Group { alias, .. } => alias,
                _ => None,
            })
            .collect()
    }

    /// Returns the number of branches that have to happen.
    pub(super) fn count(&self, frames: &[Frame], index: usize) -> usize {
        match self.item(frames, index).kind {
            ItemKind::Alternatives { count, .. } => count,
            _ => 1,
        }
    }

    /// The branch around a position on which something was captured, where it is one of several
    /// that have to happen; with the time of its last event.
    pub(super) fn last_of_branch(&self, position: &Position) -> Option<(Path, Timestamp)> {
        let frames = &position.frames;
        (0..frames.len()).rev().find_map(|depth| {
            let last = frames[depth].branch?.last?;
            (self.count(&frames[..depth], frames[depth].index) > 1)
                .then(|| (path(&frames[..=depth]), last))
        })
    }

    /// Returns the events that must not come here: the `without` of each sequence around the
    /// position that has begun. `any` says whether the pattern's own has; `from` is the depth of
    /// the outermost sequence that counts, if that is not the pattern.
    pub(super) fn kept_out(
        &self,
        position: &Position,
        any: bool,
        from: Option<usize>,
    ) -> impl Iterator<Item = ConditionId> {
        let frames = &position.frames;
        let own = self.pattern.body.without.as_ref().filter(|_| any && from.is_none());
        let of_groups = (from.unwrap_or(0)..frames.len()).filter_map(|depth| {
            let without = self.sequence(&frames[..=depth]).without.as_ref();
            without.filter(|_| frames[depth].begun.is_some())
        });
        own.into_iter().chain(of_groups).map(|without| without.condition)
    }

    /// True if two positions, inside of these groups, are on different branches of the same
    /// alternatives.
    pub(super) fn is_another_way(frames: &[Frame], others: &[Frame]) -> bool {
        let number = |frame: &Frame| frame.branch.map(|branch| branch.number);
        let mut both = frames.iter().zip(others);
        let differs = both.find(|(frame, other)| {
            (frame.index, frame.turn, number(frame)) != (other.index, other.turn, number(other))
        });
        differs.is_some_and(|(frame, other)| (frame.index, frame.turn) == (other.index, other.turn))
    }

    /// The depth of the innermost branch around a position that is one of several that have to
    /// happen.
    pub(super) fn depth_of_branch(&self, frames: &[Frame]) -> Option<usize> {
        (0..frames.len()).rev().find(|&depth| {
            let frame = &frames[depth];
            frame.branch.is_some() && self.count(&frames[..depth], frame.index) > 1
        })
    }

    /// Returns the position after an item. If the item is a greedy loop, it is open there.
    pub(super) fn after(&self, frames: &[Frame], index: usize, how: Leaving) -> Position {
        let mut after = self.after_item(frames, index);
        after.open_loops.extend(self.open_loop(frames, index, how));
        after
    }

    /// The next position is searched from the inside outwards: the next item of the sequence, the
    /// next repetition of the group, and then what follows the group.
    fn after_item(&self, frames: &[Frame], index: usize) -> Position {
        let items = &self.sequence(frames).items;
        for next in index + 1..items.len() {
            match &items[next].kind {
                ItemKind::Not { .. } if forbids(&items[next]) => {
                    // Between two items it only forbids; at the end of the pattern it waits.
                    if frames.is_empty() && items[next..].iter().all(forbids) {
                        return Position::at(frames, next, Wait::Pending);
                    }
                }
                _ => return self.enter(frames, next),
            }
        }
        let Some((group, outer)) = frames.split_last() else {
            return Position::at(&[], items.len(), Wait::End);
        };
        // The other branches are not known here. `with_branches` asks if enough of them are done.
        if group.branch.is_some() && self.count(outer, group.index) > 1 {
            return Position::at(outer, group.index, Wait::EndOfWay);
        }
        match self.next_turn(outer, group.index, group.turn) {
            Some(_) if group.turn == Turn::Further => Position::at(outer, group.index, Wait::Joint),
            Some(turn) => self.enter_turn(outer, group.index, turn),
            // The group itself may be the last item of the group around it.
            None => self.after(outer, group.index, Leaving::Begun),
        }
    }

    /// The repetition after `turn`, if the item allows one more.
    pub(super) fn next_turn(&self, frames: &[Frame], index: usize, turn: Turn) -> Option<Turn> {
        let quantifier = quantifier(self.item(frames, index));
        match (turn, quantifier.max) {
            (Turn::Further, _) => Some(Turn::Further),
            (Turn::Nth(n), None) if n >= quantifier.min => Some(Turn::Further),
            (Turn::Nth(n), Some(max)) if n >= max => None,
            (Turn::Nth(n), _) => Some(Turn::Nth(n + 1)),
        }
    }

    /// True if repetition `turn` of an item may be left out: the repetitions before it are enough.
    pub(super) fn may_be_left_out(quantifier: &Quantifier, turn: Turn) -> bool {
        match turn {
            Turn::Nth(1) => quantifier.optional,
            Turn::Nth(n) => n > quantifier.min,
            Turn::Further => true,
        }
    }

    /// Returns the contiguity between the item's next event and the event before, in repetition
    /// `turn`.
    pub(super) fn contiguity(&self, frames: &[Frame], index: usize, turn: Turn) -> Contiguity {
        let item = self.item(frames, index);
        match (turn, frames.split_last()) {
            (FIRST, Some((Frame { branch: Some(CurrentBranch { later: true, .. }), .. }, _)))
                if index == 0 =>
            {
                Contiguity::Relaxed
            }
            // The arrow before a group leads to its first item.
            (FIRST, Some((group, outer))) if index == 0 => {
                self.contiguity(outer, group.index, group.turn)
            }
            (FIRST, _) => item.contiguity,
            _ => quantifier(item).inner,
        }
    }
}
