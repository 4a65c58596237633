//! Moves out of a position, and the guards that open them.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::items::quantifier;
use super::position::{Frame, Position};
use kleene_syntax::hir::{ConditionId, Gap, Item, ItemKind, Length, Sequence, StepId};

/// When a move is open.
#[derive(Clone, Debug)]
pub(super) enum Guard {
    Fits(ConditionId),
    /// The event's time is within the gaps that the event before leaves open.
    InGap,
    /// The event's time is within the bounds of the groups around that have begun.
    InGroups,
    /// Less than so long has passed since the event before.
    Sooner(Length),
    /// Less than so long has passed since the last event before the pattern's item of that index.
    Meanwhile(usize, Length),
    /// An event that is not captured is none that a `without` around forbids from its sequence's
    /// first event on. All of them are asked, the pattern's own included, or those of the frames
    /// from a depth on: the sequences around capture the event on another branch.
    KeptOut {
        from: Option<usize>,
    },
    /// The guard at another position: the position of one of several branches.
    At(Box<Position>, Box<Guard>),
    Not(Box<Guard>),
    All(Vec<Guard>),
    Any(Vec<Guard>),
}

impl Guard {
    pub(super) fn always() -> Guard {
        Guard::All(Vec::new())
    }

    pub(super) fn not(guard: Guard) -> Guard {
        Guard::Not(Box::new(guard))
    }

    pub(super) fn and(self, other: Guard) -> Guard {
        Guard::All(vec![self, other])
    }

    /// `self`, and not `condition` if there is one.
    pub(super) fn unless(self, condition: Option<ConditionId>) -> Guard {
        match condition {
            Some(condition) => self.and(Guard::not(Guard::Fits(condition))),
            None => self,
        }
    }
}

/// All that can happen at a position, with what it takes.
pub(super) type Moves = Rc<[(Guard, Move)]>;

#[derive(Clone, Debug)]
pub(super) enum Move {
    /// The step, the position afterwards, and the position that takes the event: with several
    /// branches, the position on that branch.
    Take(StepId, Position, Position),
    Ignore(Position),
    /// Another branch captures the event. This one lets it pass, even if the event fits.
    Skip(Position),
    Proceed(Position),
    /// The pattern is complete without the event.
    Complete,
    /// The step of the `not`, and the position that waits for what follows the `not`, if there is
    /// one. An event that such a position takes does not violate the `not`.
    Stop(StepId, Option<Position>),
}

/// The `not`s that have been asked for on the way to where a move is made, by what stands behind
/// them: each with the groups around that.
pub(super) type Asked = BTreeSet<(StepId, Vec<Frame>)>;

/// Returns a guard that is true for events that can start the sequence.
pub(super) fn heads(sequence: &Sequence) -> Guard {
    let mut heads = Vec::new();
    for item in &sequence.items {
        match &item.kind {
            ItemKind::Step { condition, .. } => heads.push(Guard::Fits(*condition)),
            ItemKind::Group { body, .. } => heads.push(self::heads(body)),
            ItemKind::Alternatives { branches, .. } => {
                heads.extend(branches.iter().map(self::heads));
            }
            ItemKind::Not { .. } => break,
        }
        if !quantifier(item).optional {
            break;
        }
    }
    Guard::Any(heads)
}

/// When an event violates a `not`: within its time, if it has its own, and once the silences before
/// it are over.
pub(super) fn violated(not: &Item) -> Guard {
    let ItemKind::Not { condition, .. } = not.kind else { return Guard::Any(Vec::new()) };
    let mut violated = Guard::Fits(condition);
    let Some(Gap { min, max }) = not.gap else { return violated };
    if let Some(time) = max {
        violated = violated.and(Guard::Sooner(time));
    }
    if min != Length::ZERO {
        violated = violated.and(Guard::not(Guard::Sooner(min)));
    }
    violated
}

/// The `not` without the end of its time.
pub(super) fn without_end(not: &Item) -> Item {
    let gap = not.gap.map(|gap| Gap { max: None, ..gap });
    Item { gap, kind: not.kind.clone(), ..*not }
}
