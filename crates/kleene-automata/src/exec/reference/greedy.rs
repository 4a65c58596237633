//! Greedy loops, which keep the events that they can take from everything after them.
//!
//! A greedy loop that was left stays *open* until something is captured after it: docs/semantics.md
//! has the rule under "Greedy". The position remembers the loops that are open. Each move from
//! there is closed to the events that one of them could take. An example with `match a -> b? -> c`,
//! where the items are 0: `a`, 1: `b?`, 2: `c`:
//! ```text
//! event   partial matches afterwards   why
//! a1      {a1} at 1                    nothing is left out yet
//! b2      {a1 b2} at 2, `b?` is open   1 takes b2; 2 may neither take nor skip it: {a1} is gone
//! b3      none                         one too many: 2 may not skip what `b?` could take
//! ```
//! With `each`, the loop is not open in item 2. `b3` is skipped there, and `c4` completes the
//! match.
//!
//! ```text
//! open:   a -> b? ........ c          until c is taken, a `b` belongs to `b?`
//! closed: a -> b? -> c ... d          c was captured after the loop: a `b` may be skipped
//! ```
//!
//! An open loop is closed without a capture by the event that ends it: any skipped event if the
//! loop can take the very next event only, and its `until`. So a move that skips is divided in two,
//! with exclusive guards: the event ends the loop, or it does not.
//!
//! Rejected: a loop that gives events back, as a regular expression does when it fails later. The
//! semantics say that each event that the loop can take is the loop's, so nothing has to be tried
//! again.
//!
//! Which test holds it: the examples of docs/semantics.md (`the_page_says_what_comes_out` in
//! `tests/semantics.rs`), `the_reference_agrees_with_the_record` in `tests/conformance.rs`, and the
//! enumerator of `tests/enumerator`.

use super::guard::{Guard, Move, heads};
use super::items::{is_greedy, quantifier};
use super::position::{FIRST, Frame, Leaving, LeftLoop, Position, Standing, Wait};
use super::tree::Tree;
use kleene_syntax::hir::{Contiguity, ItemKind};

impl Tree<'_> {
    /// True if the item is the first of a group's repetition that may be left out.
    ///
    /// A position of this kind can proceed past the group. It is therefore divided when it skips an
    /// event, like the position of an optional step.
    pub(super) fn starts_optional_group(&self, frames: &[Frame], index: usize) -> bool {
        let Some((group, outer)) = frames.split_last() else { return false };
        index == 0
            && group.branch.is_none_or(|branch| !branch.later)
            && (Self::may_be_left_out(quantifier(self.item(outer, group.index)), group.turn)
                || group.turn == FIRST && self.starts_optional_group(outer, group.index))
    }

    /// The item as a loop that is open after it was left, if it is a greedy loop.
    pub(super) fn open_loop(
        &self,
        frames: &[Frame],
        index: usize,
        how: Leaving,
    ) -> Option<LeftLoop> {
        let quantifier = quantifier(self.item(frames, index));
        let leads = match how {
            Leaving::Begun => quantifier.inner,
            // A loop that is left out waits for its first event, which the arrow before it leads
            // to.
            Leaving::LeftOut => self.contiguity(frames, index, FIRST),
        };
        (is_greedy(quantifier) && quantifier.varies()).then(|| LeftLoop {
            frames: frames.to_vec(),
            index,
            how,
            is_next: leads == Contiguity::Next,
        })
    }

    /// Closes the moves at a position to events that open loops before it can take. Two kinds of
    /// skipped events end a loop: any event, if the loop can take the very next event only, and one
    /// that its `until` names.
    pub(super) fn keep_for_open_loops(&self, position: &Position, moves: &mut Vec<(Guard, Move)>) {
        for open in &position.open_loops {
            for (mut guard, a_move) in std::mem::take(moves) {
                // An event that another branch takes is not kept for a loop before this one. If a
                // position follows, it keeps the events by itself. An event that fits the loop
                // completes nothing.
                match &a_move {
                    Move::Skip(_) => {}
                    Move::Proceed(target) if target.wait != Wait::End => {}
                    // The end of the pattern follows at once, without a position that could keep
                    // the event.
                    Move::Proceed(_) => guard = guard.and(Guard::not(self.fits_loop(open))),
                    _ => guard = guard.and(Guard::not(self.takes(open))),
                }
                let target = match &a_move {
                    Move::Proceed(target) | Move::Ignore(target) | Move::Skip(target) => target,
                    Move::Take(..) | Move::Stop(..) | Move::Complete => {
                        moves.push((guard, a_move));
                        continue;
                    }
                };
                let mut kept = target.clone();
                kept.open_loops.insert(open.clone());
                let with = |target: Position| match &a_move {
                    Move::Proceed(_) => Move::Proceed(target),
                    Move::Ignore(_) => Move::Ignore(target),
                    _ => Move::Skip(target),
                };
                let mut free = target.clone();
                free.open_loops.remove(open);
                let is_proceed = matches!(a_move, Move::Proceed(_));
                match self.ends(open) {
                    Some(ends) if !is_proceed => {
                        moves.push((guard.clone().and(ends.clone()), with(free)));
                        moves.push((guard.and(Guard::not(ends)), with(kept)));
                    }
                    _ => moves.push((guard, with(kept))),
                }
            }
        }
    }

    /// The events, if there are any, that end an open loop where they are skipped.
    fn ends(&self, open: &LeftLoop) -> Option<Guard> {
        if open.is_next {
            return Some(Guard::always());
        }
        let until = quantifier(self.item(&open.frames, open.index)).until?;
        // Before the first repetition there is nothing that `until` could end.
        (open.how == Leaving::Begun).then_some(Guard::Fits(until))
    }

    /// The events that an open loop can take: also those that are one too many, but none once the
    /// time of a group is over that the loop ends, and that comes once.
    fn takes(&self, open: &LeftLoop) -> Guard {
        let LeftLoop { frames, index, how, .. } = open;
        let mut takes = self.fits_loop(open);
        let repeats = |depth: usize| {
            quantifier(self.item(&frames[..depth], frames[depth].index)).max != Some(1)
        };
        // The bound of a group that repeats begins anew with each repetition, so it does not end
        // the loop.
        let once = (0..frames.len()).take_while(|depth| !repeats(*depth)).count();
        if once > 0 {
            let index = frames.get(once).map_or(*index, |frame| frame.index);
            let here = Position::at(&frames[..once], index, Wait::End);
            takes = takes.and(Guard::At(Box::new(here), Box::new(Guard::InGroups)));
        }
        if *how == Leaving::Begun {
            return takes;
        }
        let entry = self.enter_turn(frames, *index, FIRST);
        // The gap is that of the group, whatever its branch.
        let mut first = &entry;
        while let Wait::Alternatives(branches) = &first.wait
            && let Some(position) = branches.iter().find_map(Standing::position)
        {
            first = position;
        }
        takes.and(Guard::At(Box::new(first.clone()), Box::new(Guard::InGap)))
    }

    /// The events that fit an open loop.
    fn fits_loop(&self, open: &LeftLoop) -> Guard {
        let LeftLoop { frames, index, .. } = open;
        let item = self.item(frames, *index);
        let fits = match &item.kind {
            ItemKind::Step { condition, .. } => Guard::Fits(*condition),
            ItemKind::Group { body, .. } => heads(body),
            ItemKind::Not { .. } | ItemKind::Alternatives { .. } => Guard::Any(Vec::new()),
        };
        fits.unless(self.group_until(frames)).unless(quantifier(item).until)
    }
}
