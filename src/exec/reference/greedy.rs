//! Greedy loops, which hold their events back from what follows them.

use super::guard::{Guard, heads};
use super::items::{forbids, is_greedy, quantifier};
use super::position::{FIRST, Frame, Position, Reached, Turn, path};
use super::tree::Tree;
use crate::hir::ItemKind;

impl Tree<'_> {
    /// True if the item is the first of a group's repetition that may be left out.
    pub(super) fn starts_optional_group(&self, frames: &[Frame], index: usize) -> bool {
        let Some((group, outer)) = frames.split_last() else { return false };
        index == 0
            && group.branch.is_none_or(|branch| !branch.later)
            && (Self::may_be_left_out(quantifier(self.item(outer, group.index)), group.turn)
                || group.turn == FIRST && self.starts_optional_group(outer, group.index))
    }

    /// The events that a greedy loop right before the position keeps from it.
    pub(super) fn held_back(&self, position: &Position) -> Option<Guard> {
        self.held_back_before(&position.frames, position.index, &position.reached)
    }

    fn held_back_before(&self, frames: &[Frame], index: usize, reached: &Reached) -> Option<Guard> {
        if index > 0 {
            let items = &self.sequence(frames).items;
            let last = (0..index).rev().find(|&before| !forbids(&items[before]))?;
            return self.wanted_by(frames, last, reached);
        }
        let (group, outer) = frames.split_last()?;
        // Several branches that are entered are held back together.
        if group.branch.is_some() {
            return None;
        }
        let previous = match group.turn {
            FIRST => return self.held_back_before(outer, group.index, reached),
            Turn::Nth(n) => Turn::Nth(n - 1),
            Turn::Further => Turn::Nth(quantifier(self.item(outer, group.index)).min),
        };
        let mut inside = frames.to_vec();
        if let Some(frame) = inside.last_mut() {
            frame.turn = previous;
        }
        let last = self.sequence(&inside).items.len() - 1;
        self.wanted_by(&inside, last, reached)
    }

    /// Returns the events that the item keeps from the item directly behind it, if it is or ends
    /// with a greedy loop.
    fn wanted_by(&self, frames: &[Frame], index: usize, reached: &Reached) -> Option<Guard> {
        let item = self.item(frames, index);
        let quantifier = quantifier(item);
        let group_until = self.group_until(frames);
        let is_free = *reached == Reached::AfterUntil(path(frames), index);
        let wants = is_greedy(quantifier) && quantifier.max != Some(quantifier.min) && !is_free;
        match &item.kind {
            // A loop at the end of one of several branches keeps nothing from what follows them
            // all.
            ItemKind::Not { .. } | ItemKind::Alternatives { .. } => None,
            ItemKind::Step { condition, .. } => {
                wants.then(|| Guard::Fits(*condition).unless(group_until))
            }
            ItemKind::Group { body, .. } => {
                let mut wanted = Vec::new();
                if wants {
                    wanted.push(heads(body).unless(group_until));
                }
                if let Some(max) = quantifier.max {
                    let mut inside = frames.to_vec();
                    inside.push(Frame { index, turn: Turn::Nth(max), begun: None, branch: None });
                    wanted.extend(self.wanted_by(&inside, body.items.len() - 1, reached));
                }
                if wanted.is_empty() { None } else { Some(Guard::Any(wanted)) }
            }
        }
    }
}
