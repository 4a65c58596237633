//! The `not`s that stand before and behind an item.
//!
//! A `not` is no position of its own, unless it is last or follows `next`. It is asked for where
//! the item after it waits. An example with `match a -> not x -> b? -> c`, items 0 to 3:
//! ```text
//! event   partial matches afterwards   why
//! a1      {a1} at 2                    asked here and at 3: `not x`, over `b?` to 3
//! b2      {a1 b2} at 3, without x      b2 ended the `not`: `left_behind`
//! x3      {a1 b2} at 3, without x      nothing is violated
//! ```
//! Had `x3` come before `b2`, it would have violated the `not` at 2 and at 3.
//!
//! Three questions, by where the `not` stands:
//! ```text
//! a -> not x -> b? -> c               nots_before: asked at `b?` and at `c`
//! a -> b{2} -> not x -> c             nots_of_loops: from the first event of the loop on
//! a -> not x -> b? -> c               left_behind: what `b?` ends when it captures something
//! ```
//!
//! A partial match does not list the `not`s that hold. They are found from its position. Only those
//! that an optional item has ended are kept (`Position::without`), as the position alone does not
//! say it.
//!
//! Which test holds it: the examples under "Absence" in docs/semantics.md
//! (`the_page_says_what_comes_out` in `tests/semantics.rs`), and the enumerator in
//! `tests/enumerator`.

use std::collections::BTreeSet;

use super::guard::{Guard, violated};
use super::items::{forbids, may_be_empty, quantifier};
use super::position::{FIRST, Frame, Turn};
use super::tree::Tree;
use kleene_syntax::hir::{Item, ItemKind, StepId};

impl Tree<'_> {
    /// The nots whose absence is asked for where the item is waited for: those right before it,
    /// those before optional items before it, and those before the group that it is the first of.
    pub(super) fn nots_before(&self, frames: &[Frame], index: usize) -> Vec<(StepId, Guard)> {
        let (mut nots, is_first) = self.own_nots_before(frames, index);
        if let (true, Some((group, outer))) = (is_first, frames.split_last())
            && group.branch.is_none()
            // From the second repetition on, events lie between the `not` and this item, unless all
            // repetitions before could be empty.
            && (group.turn == FIRST || self.sequence(frames).items.iter().all(may_be_empty))
        {
            nots.extend(self.nots_before(outer, group.index));
        }
        nots
    }

    /// Returns the `not`s before an item in its own sequence, with true if the item can be the
    /// first one there that captures an event.
    fn own_nots_before(&self, frames: &[Frame], index: usize) -> (Vec<(StepId, Guard)>, bool) {
        let sequence = &self.sequence(frames).items;
        // A leading `not` is about the time before the first event.
        let from = usize::from(frames.is_empty() && forbids(&sequence[0]));
        let mut nots = Vec::new();
        for item in sequence[from.min(index)..index].iter().rev() {
            match &item.kind {
                ItemKind::Not { step, .. } if forbids(item) => {
                    nots.push((*step, violated(item).unless(self.group_until(frames))));
                }
                ItemKind::Not { .. } => {}
                _ if may_be_empty(item) => {}
                _ => return (nots, false),
            }
        }
        (nots, true)
    }

    /// The `not`s after loops that have begun: the item itself, and the groups around it; each with
    /// the depth of its loop. Such a `not` holds from the first event of its loop on, for every
    /// event that the loop does not capture.
    pub(super) fn nots_of_loops(
        &self,
        frames: &[Frame],
        index: usize,
        turn: Turn,
    ) -> Vec<(usize, StepId, Guard)> {
        let mut nots = Vec::new();
        let mut extend = |depth: usize, after: Vec<(StepId, Guard)>| {
            nots.extend(after.into_iter().map(|(step, violated)| (depth, step, violated)));
        };
        if turn != FIRST {
            extend(frames.len(), self.nots_after(frames, index));
        }
        for (depth, frame) in frames.iter().enumerate() {
            let outer = &frames[..depth];
            // A group that comes once is no loop: its `not` begins with its last event.
            let repeats = quantifier(self.item(outer, frame.index)).max != Some(1);
            if repeats && (frame.turn != FIRST || frame.begun.is_some()) {
                extend(depth, self.nots_after(outer, frame.index));
            }
        }
        nots
    }

    /// The `not`s right after the item, or after the group that it ends.
    fn nots_after(&self, frames: &[Frame], index: usize) -> Vec<(StepId, Guard)> {
        let items = &self.sequence(frames).items;
        if index + 1 < items.len() {
            // One with its own time begins with the last event, and so does a `next not`.
            let lasts = |item: &&Item| forbids(item) && item.gap.is_none();
            let lasting = items[index + 1..].iter().take_while(lasts);
            let until = self.group_until(frames);
            let not = |item: &Item| match item.kind {
                ItemKind::Not { step, .. } => Some((step, violated(item).unless(until))),
                _ => None,
            };
            return lasting.filter_map(not).collect();
        }
        match frames.split_last() {
            Some((group, outer))
                if group.branch.is_none() || self.count(outer, group.index) == 1 =>
            {
                self.nots_after(outer, group.index)
            }
            _ => Vec::new(),
        }
    }

    /// The nots that an item leaves behind when it captures something, where what may be left out,
    /// the item or a group around it, is all that stands between them and what follows.
    pub(super) fn left_behind(&self, frames: &[Frame], index: usize) -> BTreeSet<StepId> {
        let mut left = BTreeSet::new();
        let (mut frames, mut index, mut may_be_left_out) = (frames, index, false);
        loop {
            may_be_left_out |= may_be_empty(self.item(frames, index));
            if may_be_left_out {
                let (nots, _) = self.own_nots_before(frames, index);
                left.extend(nots.into_iter().map(|(step, _)| step));
            }
            let Some((group, outer)) = frames.split_last() else { return left };
            (frames, index) = (outer, group.index);
        }
    }
}
