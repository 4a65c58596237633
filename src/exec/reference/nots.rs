//! The `not`s that stand before and behind an item.

use std::collections::BTreeSet;

use super::guard::{Guard, violated};
use super::items::{forbids, may_be_empty};
use super::position::{FIRST, Frame};
use super::tree::Tree;
use crate::hir::{ItemKind, StepId};

impl Tree<'_> {
    /// The nots whose absence is asked for where the item is waited for: those right before it,
    /// those before optional items before it, and those before the group that it is the first of.
    pub(super) fn nots_before(&self, frames: &[Frame], index: usize) -> Vec<(StepId, Guard)> {
        let (mut nots, is_first) = self.own_nots_before(frames, index);
        if let (true, Some((group, outer))) = (is_first, frames.split_last())
            && group.branch.is_none()
            && (group.turn == FIRST || self.sequence(frames).items.iter().all(may_be_empty))
        {
            nots.extend(self.nots_before(outer, group.index));
        }
        nots
    }

    /// Those in the sequence of the item, and whether it can be the first of that.
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

    /// The not right after the item, or after the group that it ends.
    pub(super) fn not_after(&self, frames: &[Frame], index: usize) -> Option<(StepId, Guard)> {
        if let Some(item) = self.sequence(frames).items.get(index + 1) {
            return match item.kind {
                // One with its own time begins with the last event.
                ItemKind::Not { .. } if item.gap.is_some_and(|gap| gap.max.is_some()) => None,
                ItemKind::Not { step, .. } if forbids(item) => Some((step, violated(item))),
                _ => None,
            };
        }
        let (group, outer) = frames.split_last()?;
        if group.branch.is_some() && self.count(outer, group.index) > 1 {
            return None;
        }
        self.not_after(outer, group.index)
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
