//! Positions: where in the pattern's tree a partial match waits.

use std::collections::BTreeSet;

use kleene_event::time::Timestamp;
use kleene_syntax::hir::StepId;

/// The place in the pattern where a partial match waits.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Position {
    /// The groups around it, outermost first.
    pub(super) frames: Vec<Frame>,
    /// The item, in the innermost group's sequence.
    pub(super) index: usize,
    pub(super) wait: Wait,
    /// The `not`s before this position that are not asked for here: an optional step after them has
    /// captured an event, which ended them.
    pub(super) without: BTreeSet<StepId>,
    /// The greedy loops before it that are open: nothing was captured after them.
    pub(super) open_loops: BTreeSet<LeftLoop>,
    pub(super) side: Side,
}

/// The side of a silence on which a position waits, if it can proceed to a silence (a `not` with a
/// time of its own). The silence begins with the last event, and only its own violation ends it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Side {
    /// No silence follows, or nothing is waited for before it.
    Whole,
    /// The part before the silence.
    Before,
    /// The silence and what follows it.
    Behind,
}

/// A group that is being matched.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Frame {
    /// The group's place in its sequence.
    pub(super) index: usize,
    pub(super) turn: Turn,
    /// When the first event of this repetition was captured.
    pub(super) begun: Option<Timestamp>,
    /// The branch, in alternatives.
    pub(super) branch: Option<CurrentBranch>,
}

/// A branch of alternatives that is being matched.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct CurrentBranch {
    pub(super) number: usize,
    /// True if another branch had begun before it was waited for.
    pub(super) later: bool,
    /// When its last event was captured.
    pub(super) last: Option<Timestamp>,
}

/// The progress of one of several branches.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Standing {
    /// Nothing was captured on it.
    Ready(Position),
    Begun(Position),
    Done,
    /// Not needed: enough other branches have begun.
    Unneeded,
    /// It is a silence that began with the event before the group, and goes on.
    Quiet,
    /// It is a silence that was broken.
    Broken,
}

impl Standing {
    pub(super) fn position(&self) -> Option<&Position> {
        match self {
            Standing::Ready(position) | Standing::Begun(position) => Some(position),
            Standing::Done | Standing::Unneeded | Standing::Quiet | Standing::Broken => None,
        }
    }

    /// Returns the branch, moved to another position.
    pub(super) fn moved(&self, position: Position) -> Standing {
        match self {
            Standing::Begun(_) if position.wait == Wait::EndOfWay => Standing::Done,
            Standing::Begun(_) => Standing::Begun(position),
            _ => Standing::Ready(position),
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        matches!(self, Standing::Begun(_) | Standing::Done)
    }
}

/// A repetition of an item.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Turn {
    /// The n-th, from 1.
    Nth(u32),
    /// Any further one of a loop without upper bound, once the least number has been reached.
    Further,
}

pub(super) const FIRST: Turn = Turn::Nth(1);

/// The item or the event that a position waits for.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Wait {
    /// An event of the step. With `skipped`, an event has been ignored here before, and what may
    /// follow the step is waited for by another partial match.
    Step { turn: Turn, skipped: bool },
    /// Nothing: a repetition of the endless group is complete, the next one may start.
    Joint,
    /// One event that does not violate the `next not`.
    NotNext,
    /// The end of time, while the last `not`s hold.
    Pending,
    /// Several branches, each with its own position.
    Alternatives(Vec<Standing>),
    /// Nothing: one of several branches is complete.
    EndOfWay,
    /// Nothing: the pattern is complete.
    End,
}

/// The progress of an item that is left.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Leaving {
    /// It has captured something.
    Begun,
    /// It is left out.
    LeftOut,
}

impl Leaving {
    /// Returns how an item is left in repetition `turn`: in the first one it has captured nothing.
    pub(super) fn at(turn: Turn) -> Leaving {
        if turn == FIRST { Leaving::LeftOut } else { Leaving::Begun }
    }
}

/// A greedy loop that was left before the step that is waited for. Until something is captured
/// after it, an event that it can take is the loop's.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct LeftLoop {
    /// The groups around it, outermost first, and its index in their sequence.
    pub(super) frames: Vec<Frame>,
    pub(super) index: usize,
    pub(super) how: Leaving,
    /// True if the loop can take the very next event only.
    pub(super) is_next: bool,
}

/// A place in the tree: for each group around it its place and the number of the branch in it.
pub(super) type Path = Vec<(usize, Option<usize>)>;

impl Position {
    pub(super) fn at(frames: &[Frame], index: usize, wait: Wait) -> Position {
        Position {
            frames: frames.to_vec(),
            index,
            wait,
            without: BTreeSet::new(),
            open_loops: BTreeSet::new(),
            side: Side::Whole,
        }
    }

    /// True if the position is the first one of what follows something.
    pub(super) fn is_entry(&self) -> bool {
        match &self.wait {
            Wait::Step { turn, skipped } => *turn == FIRST && !skipped,
            Wait::NotNext | Wait::Pending => true,
            Wait::Alternatives(branches) => branches.iter().all(|branch| match branch {
                Standing::Ready(position) => {
                    let here = &position.frames[self.frames.len()..];
                    let at_start = position.index == 0
                        && here.iter().all(|frame| frame.branch.is_some() || frame.index == 0)
                        && here.iter().all(|frame| frame.branch.is_none_or(|branch| !branch.later));
                    at_start && position.is_entry()
                }
                Standing::Quiet => true,
                _ => false,
            }),
            Wait::Joint | Wait::EndOfWay | Wait::End => false,
        }
    }
}

pub(super) fn path(frames: &[Frame]) -> Path {
    frames.iter().map(|frame| (frame.index, frame.branch.map(|branch| branch.number))).collect()
}
