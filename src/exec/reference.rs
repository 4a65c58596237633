//! An independent matcher: slow and obvious.
//!
//! It reads a [`Pattern`] as it stands. Each partial match is a list of what it has captured and a
//! `Position` in the pattern's tree; for every event the moves that are open there are worked out by
//! walking the tree. Nothing is compiled, and nothing is kept in registers, so that it can be held
//! against the matcher that does all of that. It remembers the answers to questions that the tree
//! alone answers (`Known`): that changes how fast it is, and nothing else. It takes time and memory
//! exponential in the number of events where the pattern asks for every combination, and it keeps
//! every event: it is for tests and explanations, not for streams.
//!
//! What a partial match does with an event is put in four words, those of Flink CEP and SASE:
//! * *take*: the event is captured and the match goes on behind it;
//! * *ignore*: the event is skipped and the match waits on;
//! * *proceed*: the match also tries the same event at a later position, because what lies between
//!   may be left out or has been repeated often enough;
//! * *stop*: a `not` was violated; whatever else this partial match would have become at this event
//!   is given up, unless what is waited for behind the `not` takes the event: that is not between.
//!
//! All open takes and ignores of a position, and of those that it proceeds to, are followed.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::event::Event;
use crate::exec::aggregate::Accumulator;
use crate::hir::eval::{self, Scope};
use crate::hir::expr::{Aggregate, AggregateOp, Captured, FieldRef, MatchFact, Pick};
use crate::hir::{
    ConditionId, Contiguity, Expr, Gap, Item, ItemKind, Length, LengthId, LoopMode, Pattern,
    Quantifier, Sequence, SkipStrategy, StageId, Test,
};
use crate::time::Timestamp;
use crate::value::{Value, ValueRef};

/// A condition that the host tests, from the candidate event and the captured events.
pub type HostCondition<E> = Box<dyn Fn(&E, &[(StageId, &E)]) -> bool>;

/// A match or a timeout.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reported {
    /// True for a match, false for a timeout.
    pub is_match: bool,
    /// The captured events in their order: the step, and the index of the event among the pushed
    /// events, from 0.
    pub captures: Vec<(StageId, usize)>,
    /// The time of the event that completed the match, or the deadline that passed.
    pub at: Timestamp,
}

/// The reason why a pattern cannot be run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// The reference matcher, for one key's events in time order.
pub struct Reference<E> {
    pattern: Rc<Pattern>,
    host: Vec<HostCondition<E>>,
    /// Every event that was pushed.
    events: Vec<E>,
    /// Partial matches, in no particular order and without duplicates.
    partials: Vec<Partial>,
    /// Complete matches that wait until no older partial match is alive (`ordered`).
    waiting: Vec<Captures>,
    known: Rc<Known>,
}

/// What a partial match has captured: steps and numbers of events.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
struct Captures {
    events: Vec<(StageId, usize)>,
    /// A group's alias for each of its repetitions that has begun.
    rounds: Vec<StageId>,
}

impl Deref for Captures {
    type Target = [(StageId, usize)];

    fn deref(&self) -> &Self::Target {
        &self.events
    }
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Partial {
    captures: Captures,
    position: Position,
    /// When its silence was reported last, where that repeats.
    reported: Option<Timestamp>,
}

/// Where in the pattern a partial match waits.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Position {
    /// The groups around it, outermost first.
    frames: Vec<Frame>,
    /// The item, in the innermost group's sequence.
    index: usize,
    wait: Wait,
    /// The nots that are not asked for here though they stand before: an optional step behind them
    /// has captured an event.
    without: BTreeSet<StageId>,
    /// How the position was reached, where that decides whether a greedy loop before it holds its
    /// events back from it.
    reached: Reached,
    side: Side,
}

/// What is waited for at a position from which a silence, a `not` with a time of its own, can be
/// proceeded to: the silence begins with the last event, and its violation ends it alone.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Side {
    /// There is no such silence, or nothing to wait for before it.
    Whole,
    /// What comes before the silence.
    Before,
    /// The silence and what comes behind it.
    Behind,
}

/// A group that is being matched.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Frame {
    /// The group's place in its sequence.
    index: usize,
    turn: Turn,
    /// When the first event of this repetition was captured.
    begun: Option<Timestamp>,
    /// Which branch it is, in alternatives.
    branch: Option<Way>,
}

/// A branch of alternatives that is being matched.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Way {
    number: usize,
    /// True if another branch had begun before it was waited for.
    later: bool,
    /// When its last event was captured.
    last: Option<Timestamp>,
}

/// Where one of several branches stands.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Standing {
    /// Nothing was captured on it.
    Ready(Position),
    Begun(Position),
    Done,
    /// So many others have begun that it is not needed.
    Unneeded,
    /// It is a silence that began with the event before the group, and goes on.
    Quiet,
    /// It is a silence that was broken.
    Broken,
}

impl Standing {
    fn position(&self) -> Option<&Position> {
        match self {
            Standing::Ready(position) | Standing::Begun(position) => Some(position),
            Standing::Done | Standing::Unneeded | Standing::Quiet | Standing::Broken => None,
        }
    }

    /// The same branch, at another position.
    fn moved(&self, position: Position) -> Standing {
        match self {
            Standing::Begun(_) if position.wait == Wait::EndOfWay => Standing::Done,
            Standing::Begun(_) => Standing::Begun(position),
            _ => Standing::Ready(position),
        }
    }

    fn has_begun(&self) -> bool {
        matches!(self, Standing::Begun(_) | Standing::Done)
    }
}

/// Which repetition of an item.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Turn {
    /// The n-th, from 1.
    Nth(u32),
    /// Any further one of a loop without upper bound, once the least number has been reached.
    Further,
}

const FIRST: Turn = Turn::Nth(1);

/// What is waited for at a position.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Wait {
    /// An event of the step. With `skipped`, an event has been ignored here before, and what may
    /// follow the step is waited for by another partial match.
    Step { turn: Turn, skipped: bool },
    /// Nothing: a repetition of the endless group is complete, the next one may start.
    Joint,
    /// One event that is not that of the `next not`.
    NotNext,
    /// The end of time, while the last `not`s hold.
    Pending,
    /// What several branches wait for.
    Alternatives(Vec<Standing>),
    /// Nothing: one of several branches is complete.
    EndOfWay,
    /// Nothing: the pattern is complete.
    End,
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Reached {
    /// As it is usual.
    Plainly,
    /// From a greedy loop at the moment when its `until` came: the loop holds nothing back.
    AfterUntil,
    /// From an endless optional loop that has captured something.
    FromLoop,
}

/// When a move is open.
#[derive(Clone, Debug)]
enum Guard {
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
    /// The guard as it is at another position: that of one of several branches.
    At(Box<Position>, Box<Guard>),
    Not(Box<Guard>),
    All(Vec<Guard>),
    Any(Vec<Guard>),
}

impl Guard {
    fn always() -> Guard {
        Guard::All(Vec::new())
    }

    fn not(guard: Guard) -> Guard {
        Guard::Not(Box::new(guard))
    }

    fn and(self, other: Guard) -> Guard {
        Guard::All(vec![self, other])
    }

    /// `self`, and not `condition` if there is one.
    fn unless(self, condition: Option<ConditionId>) -> Guard {
        match condition {
            Some(condition) => self.and(Guard::not(Guard::Fits(condition))),
            None => self,
        }
    }
}

/// All that can happen at a position, with what it takes.
type Moves = Rc<[(Guard, Move)]>;

#[derive(Clone, Debug)]
enum Move {
    /// With where it is made: of several branches, on that one.
    Take(StageId, Position, Position),
    Ignore(Position),
    /// As it is ignored, though it may fit: another branch captures it.
    Skip(Position),
    Proceed(Position),
    /// With where it is made, if what is waited for there stands behind the `not`.
    Stop(StageId, Option<Position>),
}

/// The `not`s that have been asked for on the way to where a move is made, by what stands behind
/// them: each with the groups around that.
type Asked = BTreeSet<(StageId, Vec<Frame>)>;

/// What an event makes of one partial match.
#[derive(Default)]
struct Outcome {
    partials: Vec<Partial>,
    matches: Vec<Captures>,
    /// True if a move was left to make.
    survives: bool,
}

impl<E: Event> Reference<E> {
    /// Returns a matcher without captured events. `host` holds the closures of [`Test::Host`] by
    /// number.
    ///
    /// # Errors
    /// [`Refused`] for patterns without a sensible meaning: see the crate's documentation of
    /// semantics.
    pub fn new(pattern: &Pattern, host: Vec<HostCondition<E>>) -> Result<Reference<E>, Refused> {
        check(pattern)?;
        Ok(Reference {
            pattern: Rc::new(pattern.clone()),
            host,
            events: Vec::new(),
            partials: Vec::new(),
            waiting: Vec::new(),
            known: Rc::default(),
        })
    }

    /// Matches the next event and returns its outputs. Its time must not be before that of the
    /// event before, and [`advance`](Reference::advance) must have been called for its time.
    pub fn push(&mut self, event: E) -> Vec<Reported> {
        let now = self.events.len();
        let at = event.time();
        self.events.push(event);
        self.known.forget();

        let (pattern, known) = (Rc::clone(&self.pattern), Rc::clone(&self.known));
        let tree = Tree::new(&pattern, &known);
        let start =
            Partial { captures: Captures::default(), position: tree.start(), reported: None };
        let start = self.is_silent_before(now).then_some(&start);
        let mut matches = Vec::new();
        let mut partials = Vec::new();
        for partial in start.into_iter().chain(&self.partials) {
            let outcome = self.meet(&tree, partial, now);
            matches.extend(outcome.matches);
            partials.extend(outcome.partials);
        }
        // The start is always there; what has captured nothing is the start.
        partials.retain(|partial| !partial.captures.is_empty());
        partials.sort();
        partials.dedup();
        self.partials = partials;
        self.report(matches, at)
    }

    /// True if what must not have come for a time before the first event has not.
    fn is_silent_before(&self, now: usize) -> bool {
        let first = &self.pattern.body.items[0];
        let (ItemKind::Not { condition, .. }, Some(Gap { max: Some(time), .. })) =
            (&first.kind, first.gap)
        else {
            return true;
        };
        let time = self.millis(time, &Captures::default());
        let at = self.events[now].time();
        (0..now).all(|before| {
            at.millis_since(self.events[before].time()) >= time
                || !self.fits(*condition, &Captures::default(), before)
        })
    }

    /// Advances time to `to` and returns the outputs of the deadlines up to `to`, one deadline
    /// after the other.
    pub fn advance(&mut self, to: Timestamp) -> Vec<Reported> {
        let (pattern, known) = (Rc::clone(&self.pattern), Rc::clone(&self.known));
        let tree = Tree::new(&pattern, &known);
        let mut reported = Vec::new();
        loop {
            let deadlines: Vec<_> =
                self.partials.iter().map(|partial| self.deadline(&tree, partial)).collect();
            let Some(at) = deadlines.iter().flatten().min().copied() else { break };
            if at > to {
                break;
            }
            let (mut matches, mut timeouts, mut alive) = (Vec::new(), Vec::new(), Vec::new());
            let mut again = Vec::new();
            for (partial, deadline) in std::mem::take(&mut self.partials).into_iter().zip(deadlines)
            {
                if deadline != Some(at) {
                    alive.push(partial);
                } else if tree.is_complete_in_time(&partial.position) {
                    matches.push(partial.captures.clone());
                    let next = Partial { reported: Some(at), ..partial };
                    // The end of the stream passes one deadline of each silence.
                    if to < Timestamp::MAX && self.is_repeated(&next) {
                        again.push(next);
                    }
                } else {
                    timeouts.push(partial.captures);
                }
            }
            if self.ends_greedily() {
                // The silence is over, and with it what the loop before it waits for.
                alive.retain(|partial: &Partial| !matches.contains(&partial.captures));
            }
            self.partials = alive;
            // A partial match can wait in several places; it is no timeout if one completes it.
            timeouts
                .retain(|captures| !matches.iter().any(|other| other.events == captures.events));
            if self.pattern.report_timeouts {
                in_order(&mut timeouts);
                reported.extend(timeouts.into_iter().map(|captures| Reported {
                    is_match: false,
                    captures: captures.events,
                    at,
                }));
            }
            let found = self.report(matches, at);
            // What a match has repeated goes on, unless another match drops it.
            again.retain(|next: &Partial| {
                found.iter().any(|one| one.captures == next.captures.events)
                    && !found.iter().any(|one| {
                        let rounds = next.captures.rounds.clone();
                        let captures = Captures { events: one.captures.clone(), rounds };
                        one.captures != next.captures.events
                            && self.skips(&captures, start_of(&next.captures))
                    })
            });
            self.partials.extend(again);
            reported.extend(found);
        }
        reported
    }

    /// True if the silence of a partial match is reported once more.
    fn is_repeated(&self, partial: &Partial) -> bool {
        self.next_report(partial).is_some()
    }

    /// When a silence that was reported is reported again; never once the whole pattern's time is
    /// over.
    fn next_report(&self, partial: &Partial) -> Option<Timestamp> {
        let (reported, captures) = (partial.reported?, &partial.captures);
        let length = self.pattern.body.items.last().filter(|_| self.pattern.repeats)?.gap?.max?;
        let millis = self.millis(length, captures);
        let &(_, last) = captures.last()?;
        let mut next = self.events[last].time();
        if millis == 0 {
            return None;
        }
        while next <= reported {
            next = next.plus_millis(millis);
        }
        self.whole_deadline(captures).is_none_or(|end| next < end).then_some(next)
    }

    /// Ends the stream and returns the remaining outputs: those of deadlines, of matches that wait
    /// for older partial matches, and of unbounded `longest` loops.
    pub fn finish(&mut self) -> Vec<Reported> {
        let mut reported = self.advance(Timestamp::MAX);
        let (pattern, known) = (Rc::clone(&self.pattern), Rc::clone(&self.known));
        let tree = Tree::new(&pattern, &known);
        let settled: Vec<Captures> = std::mem::take(&mut self.partials)
            .into_iter()
            .filter(|partial| tree.settles(&partial.position))
            .map(|partial| partial.captures)
            .collect();
        let ends = settled.iter().chain(&self.waiting).filter_map(|captures| captures.last());
        if let Some(at) = ends.map(|&(_, event)| self.events[event].time()).max() {
            reported.extend(self.report(settled, at));
        }
        reported
    }

    /// Returns the next time at which [`advance`](Reference::advance) acts.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let tree = Tree::new(&self.pattern, &self.known);
        self.partials.iter().filter_map(|partial| self.deadline(&tree, partial)).min()
    }

    /// True if the pattern ends with a silence behind a loop that takes what it can.
    fn ends_greedily(&self) -> bool {
        match &self.pattern.body.items[..] {
            [.., before, last] => {
                forbids(last)
                    && last.gap.is_some_and(|gap| gap.max.is_some())
                    && takes_what_it_can(before)
            }
            _ => false,
        }
    }

    /// Returns the number of open partial matches.
    pub fn partial_count(&self) -> usize {
        self.partials.len()
    }

    /// Returns a measure of the work so far, for callers that stop at a bound.
    pub fn effort(&self) -> usize {
        self.known.worked_out.get()
    }

    /// All that the event does to one partial match.
    fn meet(&self, tree: &Tree<'_>, partial: &Partial, now: usize) -> Outcome {
        let (moves, violated) = self.open_moves(tree, partial, now);
        let mut outcome = Outcome::default();
        for (a_move, asked) in moves {
            let is_behind = |not: &StageId| match &a_move {
                Move::Take(.., origin) => asked.iter().any(|(stage, frames)| {
                    stage == not && !Tree::is_another_way(frames, &origin.frames)
                }),
                _ => false,
            };
            if violated.iter().all(is_behind) {
                self.make(tree, partial, a_move, now, &mut outcome);
                outcome.survives = true;
            }
        }
        let ends = outcome.partials.is_empty() && outcome.matches.is_empty();
        let stopped = !violated.is_empty() && !outcome.survives;
        if ends && !stopped && !partial.captures.is_empty() && tree.settles(&partial.position) {
            outcome.matches.push(partial.captures.clone());
        }
        outcome
    }

    /// The moves that are open for a partial match, other than proceeds, with the `not`s on the way
    /// to each; and the `not`s that are violated.
    fn open_moves(
        &self,
        tree: &Tree<'_>,
        partial: &Partial,
        now: usize,
    ) -> (Vec<(Move, Asked)>, BTreeSet<StageId>) {
        let time = self.events[now].time();
        let (mut found, mut violated) = (Vec::new(), BTreeSet::new());
        let mut open = vec![(partial.position.clone(), Asked::new())];
        let mut seen = BTreeSet::new();
        while let Some((position, mut asked)) = open.pop() {
            let moves = tree.moves(&position, time);
            asked.extend(moves.iter().filter_map(|(_, a_move)| match a_move {
                Move::Stop(stage, Some(behind)) => Some((*stage, behind.frames.clone())),
                _ => None,
            }));
            if !seen.insert((position.clone(), asked.clone())) {
                continue;
            }
            for (guard, a_move) in &*moves {
                if !self.holds(tree, guard, &position, &partial.captures, now) {
                    continue;
                }
                match a_move {
                    Move::Stop(stage, _) => {
                        violated.insert(*stage);
                    }
                    Move::Proceed(target) => open.push((target.clone(), asked.clone())),
                    Move::Skip(_) => {}
                    other => found.push((other.clone(), asked.clone())),
                }
            }
        }
        (found, violated)
    }

    /// What becomes of a partial match by one move.
    fn make(
        &self,
        tree: &Tree<'_>,
        partial: &Partial,
        a_move: Move,
        now: usize,
        outcome: &mut Outcome,
    ) {
        let time = self.events[now].time();
        match a_move {
            Move::Stop(..) | Move::Skip(_) | Move::Proceed(_) => {}
            Move::Ignore(target) if target.wait == Wait::End => {
                outcome.matches.push(partial.captures.clone());
            }
            Move::Ignore(target) => {
                let waits = Partial {
                    captures: partial.captures.clone(),
                    position: target,
                    reported: partial.reported,
                };
                // It may be too late for all that could be waited for there.
                if self.deadline(tree, &waits).is_none_or(|deadline| deadline > time) {
                    outcome.partials.push(waits);
                }
            }
            Move::Take(stage, target, origin) => {
                let mut captures = partial.captures.clone();
                captures.events.push((stage, now));
                captures.rounds.extend(tree.begun_rounds(&origin));
                // Its own event can say that it comes too late.
                let is_read = matches!(self.pattern.within, Some(Length::Read(_)));
                let late = is_read && self.whole_deadline(&captures).is_some_and(|end| end <= time);
                if !late && self.ends_after(tree, &target, &partial.captures, now) {
                    outcome.matches.push(captures.clone());
                }
                if late || tree.is_live(&target) {
                    let waits = Partial { captures, position: target, reported: None };
                    let over = self.pattern.lengths.is_empty()
                        && !tree.is_pending(&waits.position)
                        && tree.end_of_silence(&waits.position).is_none()
                        && self.deadline(tree, &waits).is_some_and(|end| end <= time);
                    if !over {
                        outcome.partials.push(waits);
                    }
                }
            }
        }
    }

    /// True if the end can be reached from `position` without a further event, as seen with the
    /// event that led there and what was captured before it.
    fn ends_after(
        &self,
        tree: &Tree<'_>,
        position: &Position,
        before: &Captures,
        now: usize,
    ) -> bool {
        let time = self.events[now].time();
        let mut open = vec![position.clone()];
        let mut seen = BTreeSet::new();
        while let Some(position) = open.pop() {
            if position.wait == Wait::End {
                return true;
            }
            if !seen.insert(position.clone()) {
                continue;
            }
            for (guard, a_move) in &*tree.moves(&position, time) {
                if let Move::Proceed(target) = a_move
                    && self.holds(tree, guard, &position, before, now)
                {
                    open.push(target.clone());
                }
            }
        }
        false
    }

    fn holds(
        &self,
        tree: &Tree<'_>,
        guard: &Guard,
        position: &Position,
        captures: &Captures,
        now: usize,
    ) -> bool {
        let holds = |guard: &Guard| self.holds(tree, guard, position, captures, now);
        match guard {
            Guard::Fits(condition) => self.fits(*condition, captures, now),
            Guard::InGap => self.in_gap(tree, position, captures, now),
            Guard::InGroups => {
                let time = self.events[now].time();
                let mut groups = tree.running_groups(position);
                groups.all(|group| time < self.end_of(&group, captures))
            }
            Guard::Sooner(than) => {
                let Some(last) = self.event_before(tree, position, captures) else { return true };
                let passed = self.events[now].time().millis_since(last);
                passed < self.millis(*than, captures)
            }
            Guard::Meanwhile(index, time) => {
                let Some(begun) = self.time_before(*index, captures) else { return true };
                let passed = self.events[now].time().millis_since(begun);
                passed < self.millis(*time, captures)
            }
            Guard::KeptOut { from } => {
                let mut asked = tree.kept_out(position, !captures.is_empty(), *from);
                asked.all(|condition| !self.fits(condition, captures, now))
            }
            Guard::At(position, guard) => self.holds(tree, guard, position, captures, now),
            Guard::Not(inner) => !holds(inner),
            Guard::All(all) => all.iter().all(holds),
            Guard::Any(any) => any.iter().any(holds),
        }
    }

    fn fits(&self, condition: ConditionId, captures: &Captures, now: usize) -> bool {
        let condition = &self.pattern.conditions[condition.index()];
        let event = &self.events[now];
        if condition.ty.is_some_and(|ty| ty != event.type_id()) {
            return false;
        }
        self.passes(&condition.test, event, captures)
    }

    fn passes(&self, test: &Test, event: &E, captures: &Captures) -> bool {
        match test {
            Test::True => true,
            Test::Expr(expr) => {
                eval::test(expr, &View { candidate: event, captures, events: &self.events })
            }
            Test::Host { index, .. } => {
                let seen: Vec<_> =
                    captures.iter().map(|&(stage, event)| (stage, &self.events[event])).collect();
                self.host.get(*index).is_some_and(|test| test(event, &seen))
            }
            Test::All(tests) => tests.iter().all(|test| self.passes(test, event, captures)),
            Test::OneOf(of) => of.iter().any(|one| {
                let one = &self.pattern.conditions[one.index()];
                one.ty.is_none_or(|ty| ty == event.type_id())
                    && self.passes(&one.test, event, captures)
            }),
        }
    }

    fn in_gap(
        &self,
        tree: &Tree<'_>,
        position: &Position,
        captures: &Captures,
        now: usize,
    ) -> bool {
        let Some(last) = self.event_before(tree, position, captures) else { return true };
        let passed = self.events[now].time().millis_since(last);
        tree.gaps(position).iter().all(|gap| {
            passed >= self.millis(gap.min, captures)
                && gap.max.is_none_or(|max| passed <= self.millis(max, captures))
        })
    }

    /// The time of the event before: of the same branch, where there are several.
    fn event_before(
        &self,
        tree: &Tree<'_>,
        position: &Position,
        captures: &Captures,
    ) -> Option<Timestamp> {
        let last = captures.last().map(|&(_, event)| self.events[event].time())?;
        Some(tree.last_of_branch(position).map_or(last, |(_, last)| last))
    }

    /// The time of the last event that was captured before the item of the pattern's sequence.
    fn time_before(&self, index: usize, captures: &Captures) -> Option<Timestamp> {
        let mut before = BTreeSet::new();
        steps_of(&self.pattern.body.items[..index], &mut before);
        let last = captures.iter().rev().find(|(stage, _)| before.contains(stage));
        last.map(|&(_, event)| self.events[event].time())
    }

    /// When a partial match runs out of time.
    fn deadline(&self, tree: &Tree<'_>, partial: &Partial) -> Option<Timestamp> {
        let time_of = |capture: Option<&(StageId, usize)>| {
            capture.map(|&(_, event)| self.events[event].time())
        };
        let last = time_of(partial.captures.last())?;
        if partial.reported.is_some() {
            return self.next_report(partial);
        }
        let captures = &partial.captures;
        let whole = self.whole_deadline(captures);
        let pending = tree.pending_bound(&partial.position);
        let pending = pending.map(|bound| last.plus_millis(self.millis(bound, captures)));
        let quiet = tree.end_of_silence(&partial.position);
        let quiet = quiet.and_then(|(index, time)| {
            Some(self.time_before(index, captures)?.plus_millis(self.millis(time, captures)))
        });
        let here = self.shared_bound(tree, &partial.position, captures, last);
        let deadline = whole.into_iter().chain(pending).chain(quiet).chain(here).min()?;
        // What an event says can be over already; time does not go back.
        Some(if self.pattern.lengths.is_empty() { deadline } else { deadline.max(last) })
    }

    /// When the time of the whole pattern is over; `None` too as long as it is not known.
    fn whole_deadline(&self, captures: &Captures) -> Option<Timestamp> {
        let within = self.pattern.within?;
        let &(_, first) = captures.first()?;
        if let Length::Read(id) = within {
            let known = match &self.pattern.lengths[id.index()] {
                Expr::Captured(Captured { stage, pick: Pick::First | Pick::Last, .. }) => {
                    captures.iter().any(|(of, _)| stage.is_none_or(|stage| stage == *of))
                }
                length => !self.read(length, captures).is_null(),
            };
            if !known {
                return None;
            }
        }
        Some(self.events[first].time().plus_millis(self.millis(within, captures)))
    }

    fn end_of(&self, group: &Running, captures: &Captures) -> Timestamp {
        group.begun.plus_millis(self.millis(group.within, captures))
    }

    /// A length of time, as a partial match knows it.
    fn millis(&self, length: Length, captures: &Captures) -> i64 {
        match length {
            Length::Millis(millis) => millis,
            Length::Read(id) => {
                Length::millis_of(&self.read(&self.pattern.lengths[id.index()], captures))
            }
        }
    }

    fn read(&self, expr: &Expr, captures: &Captures) -> Value {
        // There is no candidate; the expression does not ask for one.
        let Some(candidate) = self.events.last() else { return Value::Null };
        eval::eval(expr, &View { candidate, captures, events: &self.events }).into_value()
    }

    /// When all branches from a position are closed by bounds of the same kind: that on the time
    /// since the event before, or that of the same group. Of several branches that have to happen, it
    /// is enough that one of them is closed.
    fn shared_bound(
        &self,
        tree: &Tree<'_>,
        position: &Position,
        captures: &Captures,
        last: Timestamp,
    ) -> Option<Timestamp> {
        let all = self.shared_by_all(tree, position, captures, last);
        let Wait::Alternatives(branches) = &position.wait else { return all };
        let needed = branches.iter().filter_map(|branch| match branch {
            Standing::Begun(here) if !tree.reaches_end_of_branch(here) => {
                self.shared_bound(tree, here, captures, last)
            }
            _ => None,
        });
        needed.chain(all).min()
    }

    fn shared_by_all(
        &self,
        tree: &Tree<'_>,
        position: &Position,
        captures: &Captures,
        last: Timestamp,
    ) -> Option<Timestamp> {
        let mut shared: Option<BTreeMap<(Base, Option<LengthId>), Timestamp>> = None;
        for (position, gaps) in tree.ways_on(position) {
            let mut bounds = BTreeMap::new();
            let (base, last) = match tree.last_of_branch(&position) {
                Some((path, last)) => (Base::LastOfWay(path), last),
                None => (Base::LastEvent, last),
            };
            for max in gaps.iter().filter_map(|gap| gap.max) {
                let end = last.plus_millis(self.millis(max, captures).saturating_add(1));
                let least = bounds.entry((base.clone(), read_from(max))).or_insert(end);
                *least = end.min(*least);
            }
            for group in tree.running_groups(&position) {
                let end = self.end_of(&group, captures);
                bounds.insert((Base::Group(group.path), read_from(group.within)), end);
            }
            shared = Some(match shared {
                None => bounds,
                Some(mut others) => {
                    others.retain(|kind, deadline| {
                        bounds.get(kind).is_some_and(|other| {
                            *deadline = (*deadline).max(*other);
                            true
                        })
                    });
                    others
                }
            });
        }
        shared?.into_values().min()
    }

    /// Reports what has been completed, as far as the skip strategy allows.
    fn report(&mut self, mut matches: Vec<Captures>, at: Timestamp) -> Vec<Reported> {
        let ordered = self.pattern.skip.ordered && self.pattern.skip.strategy != SkipStrategy::None;
        matches.append(&mut self.waiting);
        in_order(&mut matches);
        let mut reported = Vec::new();
        while let Some(first) = matches.first() {
            let start = start_of(first);
            if ordered && self.partials.iter().any(|partial| start_of(&partial.captures) < start) {
                break;
            }
            let captures = matches.remove(0);
            matches.retain(|other| !self.skips(&captures, start_of(other)));
            let mut partials = std::mem::take(&mut self.partials);
            partials.retain(|partial| !self.skips(&captures, start_of(&partial.captures)));
            self.partials = partials;
            reported.push(Reported { is_match: true, captures: captures.events, at });
        }
        self.waiting = matches;
        reported
    }

    /// True if the match drops what started with the event `start`.
    fn skips(&self, captures: &Captures, start: usize) -> bool {
        let of = |stage: StageId| captures.iter().filter(move |(s, _)| *s == stage).map(|c| c.1);
        match self.pattern.skip.strategy {
            SkipStrategy::None => false,
            SkipStrategy::PastLast => captures.last().is_some_and(|&(_, last)| start <= last),
            SkipStrategy::ToNext => start == start_of(captures),
            SkipStrategy::ToFirst(stage) => of(stage).next().is_some_and(|first| start < first),
            SkipStrategy::ToLast(stage) => of(stage).next_back().is_some_and(|last| start < last),
        }
    }
}

impl<E> fmt::Debug for Reference<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reference")
            .field("partials", &self.partials)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

/// The number of the event that a match started with.
fn start_of(captures: &Captures) -> usize {
    captures.first().map_or(usize::MAX, |&(_, event)| event)
}

/// The order in which matches of one moment are reported: the one that started first; then the one that
/// captured most; then, from the last event backwards, the one with the earlier event or, for the
/// same event, the earlier step. Each is reported once.
fn in_order(matches: &mut Vec<Captures>) {
    let key = |captures: &Captures| {
        let backwards: Vec<_> =
            captures.iter().rev().map(|&(stage, event)| (event, stage)).collect();
        (start_of(captures), Reverse(captures.len()), backwards)
    };
    matches.sort_by_key(key);
    matches.dedup_by(|one, other| one.events == other.events);
}

/// A place in the tree: for each group around it its place and the number of the branch in it.
type Path = Vec<(usize, Option<usize>)>;

/// What a bound on time starts from.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Base {
    LastEvent,
    LastOfWay(Path),
    Group(Path),
}

/// A repetition of a bounded group that has begun.
struct Running {
    /// Where the group is in the tree.
    path: Path,
    begun: Timestamp,
    within: Length,
}

/// The pattern, and how to find one's way in it.
struct Tree<'p> {
    pattern: &'p Pattern,
    known: &'p Known,
    /// True if the sides of silences are left together.
    undivided: bool,
}

/// A move with where it is made, and the gaps that the event has to keep.
type Prospect = (Position, Vec<Gap>, Move);

/// A position, a time, and whether the sides of silences are left together.
type Moment = (Position, Timestamp, bool);

/// The answers of the tree to questions that are asked again and again. Each depends on the pattern
/// and the question alone, so that it makes no difference whether it is worked out anew.
#[derive(Default)]
struct Known {
    moves: RefCell<HashMap<Moment, Moves>>,
    whole_moves: RefCell<HashMap<Moment, Moves>>,
    over_silence: RefCell<HashMap<Moment, bool>>,
    end_of_silence: RefCell<HashMap<Moment, Option<(usize, Length)>>>,
    prospects: RefCell<HashMap<Moment, Rc<[Prospect]>>>,
    /// How many answers were worked out.
    worked_out: Cell<usize>,
}

/// Positions have times in them: in long streams there are ever more.
const MOST_KNOWN: usize = 10_000;

impl Known {
    /// The answer to `question`, which `work_out` gives.
    fn ask<T: Clone>(
        &self,
        known: &RefCell<HashMap<Moment, T>>,
        question: Moment,
        work_out: impl FnOnce() -> T,
    ) -> T {
        if let Some(answer) = known.borrow().get(&question) {
            return answer.clone();
        }
        self.worked_out.set(self.worked_out.get() + 1);
        let answer = work_out();
        known.borrow_mut().insert(question, answer.clone());
        answer
    }

    /// Forgets what was asked at a time that is over, and everything where that is much.
    fn forget(&self) {
        for moves in [&self.moves, &self.whole_moves] {
            moves.borrow_mut().retain(|(_, time, _), _| *time == Timestamp::MIN);
        }
        if self.moves.borrow().len() > MOST_KNOWN {
            self.moves.borrow_mut().clear();
            self.whole_moves.borrow_mut().clear();
            self.over_silence.borrow_mut().clear();
            self.end_of_silence.borrow_mut().clear();
            self.prospects.borrow_mut().clear();
        }
    }
}

impl<'p> Tree<'p> {
    fn new(pattern: &'p Pattern, known: &'p Known) -> Tree<'p> {
        Tree { pattern, known, undivided: false }
    }

    fn start(&self) -> Position {
        // What must not have come before is looked at elsewhere.
        let silent = self.pattern.body.items[0].is_not();
        self.enter(&[], usize::from(silent))
    }

    /// The sequence inside of the groups of `frames`.
    fn sequence(&self, frames: &[Frame]) -> &'p Sequence {
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

    fn item(&self, frames: &[Frame], index: usize) -> &'p Item {
        &self.sequence(frames).items[index]
    }

    /// The `until` of the innermost group: inside, nothing happens once it holds.
    fn group_until(&self, frames: &[Frame]) -> Option<ConditionId> {
        let (last, outer) = frames.split_last()?;
        if last.branch.is_some() {
            return self.group_until(outer);
        }
        quantifier(self.item(outer, last.index)).until
    }

    /// The first position of an item's first repetition.
    fn enter(&self, frames: &[Frame], index: usize) -> Position {
        self.enter_turn(frames, index, FIRST)
    }

    fn enter_turn(&self, frames: &[Frame], index: usize, turn: Turn) -> Position {
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
                        Standing::Ready(self.enter_way(frames, index, branch, false))
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
    fn enter_way(&self, frames: &[Frame], index: usize, number: usize, later: bool) -> Position {
        let mut inside = frames.to_vec();
        let branch = Some(Way { number, later, last: None });
        inside.push(Frame { index, turn: FIRST, begun: None, branch });
        self.enter(&inside, 0)
    }

    /// The aliases of the groups of which an event that is taken at a position begins a repetition.
    fn begun_rounds(&self, position: &Position) -> Vec<StageId> {
        let frames = &position.frames;
        let begun = frames.iter().enumerate().filter(|(_, frame)| frame.begun.is_none());
        begun
            .filter_map(|(depth, frame)| match self.item(&frames[..depth], frame.index).kind {
                ItemKind::Group { alias, .. } => alias,
                _ => None,
            })
            .collect()
    }

    /// How many of several branches have to happen.
    fn count(&self, frames: &[Frame], index: usize) -> usize {
        match self.item(frames, index).kind {
            ItemKind::Alternatives { count, .. } => count,
            _ => 1,
        }
    }

    /// The branch around a position on which something was captured, where it is one of several that
    /// have to happen; with the time of its last event.
    fn last_of_branch(&self, position: &Position) -> Option<(Path, Timestamp)> {
        let frames = &position.frames;
        (0..frames.len()).rev().find_map(|depth| {
            let last = frames[depth].branch?.last?;
            (self.count(&frames[..depth], frames[depth].index) > 1)
                .then(|| (path(&frames[..=depth]), last))
        })
    }

    /// What must not come here: the `without` of the sequences around that have begun. `any` says
    /// whether the pattern's own has; `from` is the depth of the outermost sequence that is asked,
    /// where that is not the pattern.
    fn kept_out(
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

    /// True if one of two places, inside of these groups, is on another of the branches that have to
    /// happen beside each other.
    fn is_another_way(frames: &[Frame], others: &[Frame]) -> bool {
        let number = |frame: &Frame| frame.branch.map(|branch| branch.number);
        let mut both = frames.iter().zip(others);
        let differs = both.find(|(frame, other)| {
            (frame.index, frame.turn, number(frame)) != (other.index, other.turn, number(other))
        });
        differs.is_some_and(|(frame, other)| (frame.index, frame.turn) == (other.index, other.turn))
    }

    /// The depth of the innermost branch around a position that is one of several that have to happen.
    fn depth_of_branch(&self, frames: &[Frame]) -> Option<usize> {
        (0..frames.len()).rev().find(|&depth| {
            let frame = &frames[depth];
            frame.branch.is_some() && self.count(&frames[..depth], frame.index) > 1
        })
    }

    /// The position after an item is done with.
    fn after(&self, frames: &[Frame], index: usize) -> Position {
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
        if group.branch.is_some() && self.count(outer, group.index) > 1 {
            return Position::at(outer, group.index, Wait::EndOfWay);
        }
        match self.next_turn(outer, group.index, group.turn) {
            Some(_) if group.turn == Turn::Further => Position::at(outer, group.index, Wait::Joint),
            Some(turn) => self.enter_turn(outer, group.index, turn),
            None => self.after(outer, group.index),
        }
    }

    /// The repetition after `turn`, if the item allows one more.
    fn next_turn(&self, frames: &[Frame], index: usize, turn: Turn) -> Option<Turn> {
        let quantifier = quantifier(self.item(frames, index));
        match (turn, quantifier.max) {
            (Turn::Further, _) => Some(Turn::Further),
            (Turn::Nth(n), None) if n >= quantifier.min => Some(Turn::Further),
            (Turn::Nth(n), Some(max)) if n >= max => None,
            (Turn::Nth(n), _) => Some(Turn::Nth(n + 1)),
        }
    }

    /// True if everything after `index` in its sequence and the groups around it has been matched
    /// when repetition `turn` may be left out.
    fn may_be_left_out(quantifier: &Quantifier, turn: Turn) -> bool {
        match turn {
            Turn::Nth(1) => quantifier.optional,
            Turn::Nth(n) => n > quantifier.min,
            Turn::Further => true,
        }
    }

    /// How the item's next event follows the one before, in repetition `turn`.
    fn contiguity(&self, frames: &[Frame], index: usize, turn: Turn) -> Contiguity {
        let item = self.item(frames, index);
        match (turn, frames.split_last()) {
            (FIRST, Some((Frame { branch: Some(Way { later: true, .. }), .. }, _)))
                if index == 0 =>
            {
                Contiguity::Relaxed
            }
            (FIRST, Some((group, outer))) if index == 0 => {
                self.contiguity(outer, group.index, group.turn)
            }
            (FIRST, _) => item.contiguity,
            _ => quantifier(item).inner,
        }
    }

    /// The nots whose absence is asked for where the item is waited for: those right before it, those
    /// before optional items before it, and those before the group that it is the first of.
    fn nots_before(&self, frames: &[Frame], index: usize) -> Vec<(StageId, Guard)> {
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
    fn own_nots_before(&self, frames: &[Frame], index: usize) -> (Vec<(StageId, Guard)>, bool) {
        let sequence = &self.sequence(frames).items;
        // What stands first is about the time before.
        let from = usize::from(frames.is_empty() && forbids(&sequence[0]));
        let mut nots = Vec::new();
        for item in sequence[from.min(index)..index].iter().rev() {
            match &item.kind {
                ItemKind::Not { stage, .. } if forbids(item) => {
                    nots.push((*stage, violated(item).unless(self.group_until(frames))));
                }
                ItemKind::Not { .. } => {}
                _ if may_be_empty(item) => {}
                _ => return (nots, false),
            }
        }
        (nots, true)
    }

    /// The not right after the item, or after the group that it ends.
    fn not_after(&self, frames: &[Frame], index: usize) -> Option<(StageId, Guard)> {
        if let Some(item) = self.sequence(frames).items.get(index + 1) {
            return match item.kind {
                // One with its own time begins with the last event.
                ItemKind::Not { .. } if item.gap.is_some_and(|gap| gap.max.is_some()) => None,
                ItemKind::Not { stage, .. } if forbids(item) => Some((stage, violated(item))),
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
    fn left_behind(&self, frames: &[Frame], index: usize) -> BTreeSet<StageId> {
        let mut left = BTreeSet::new();
        let (mut frames, mut index, mut may_be_left_out) = (frames, index, false);
        loop {
            may_be_left_out |= may_be_empty(self.item(frames, index));
            if may_be_left_out {
                let (nots, _) = self.own_nots_before(frames, index);
                left.extend(nots.into_iter().map(|(stage, _)| stage));
            }
            let Some((group, outer)) = frames.split_last() else { return left };
            (frames, index) = (outer, group.index);
        }
    }

    /// Everything that can happen at a position at `time`, with what it takes. Where an event leads
    /// to a position before a silence that could be over behind it, both are waited for apart.
    fn moves(&self, position: &Position, time: Timestamp) -> Moves {
        let moment = (position.clone(), time, self.undivided);
        self.known.ask(&self.known.moves, moment, || self.divided_moves(position, time).into())
    }

    fn divided_moves(&self, position: &Position, time: Timestamp) -> Vec<(Guard, Move)> {
        let mut moves = Vec::new();
        for (guard, a_move) in self.sided_moves(position, time) {
            match a_move {
                Move::Take(stage, target, origin) => {
                    for target in self.sides(target) {
                        moves.push((guard.clone(), Move::Take(stage, target, origin.clone())));
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
    fn walk(&self, position: &Position, is: impl Fn(&Position) -> bool) -> bool {
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

    /// True if a `not` of the pattern has a time of its own.
    fn has_silence(&self) -> bool {
        (0..self.pattern.stages.len()).any(|not| has_time(&self.pattern.body, StageId::new(not)))
    }

    fn leads_over_silence(&self, position: &Position) -> bool {
        let whole = Position { side: Side::Whole, ..position.clone() };
        let moment = (whole.clone(), Timestamp::MIN, self.undivided);
        self.known.ask(&self.known.over_silence, moment, || {
            self.walk(&whole, |here| {
                let moves = self.whole_moves(here, Timestamp::MIN);
                let mut targets = moves.iter().filter_map(|(_, a_move)| match a_move {
                    Move::Proceed(target) => Some(target),
                    _ => None,
                });
                targets.any(|target| self.begins_silence(here, target))
            })
        })
    }

    /// True if a silence is asked for at `to` that is not asked for at `from`.
    fn begins_silence(&self, from: &Position, to: &Position) -> bool {
        let asked = |position: &Position| -> BTreeSet<StageId> {
            let moves = self.whole_moves(position, Timestamp::MIN);
            let stops = moves.iter().filter_map(|(_, a_move)| match a_move {
                Move::Stop(stage, _) if has_time(&self.pattern.body, *stage) => Some(*stage),
                _ => None,
            });
            stops.collect()
        };
        !asked(to).is_subset(&asked(from))
    }

    /// What can happen at a position on its side of the silence.
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
            Move::Take(..) | Move::Ignore(_) | Move::Skip(_) => side == Side::Before,
        });
        for (_, a_move) in &mut moves {
            match a_move {
                Move::Proceed(target) if tree.begins_silence(position, target) => {}
                Move::Proceed(target) | Move::Ignore(target) | Move::Skip(target) => {
                    target.side = side;
                }
                Move::Take(..) | Move::Stop(..) => {}
            }
        }
        moves
    }

    /// What can happen at a position on either side.
    fn whole_moves(&self, position: &Position, time: Timestamp) -> Moves {
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
                    for (stage, violated) in self.nots_before(frames, *index) {
                        moves.push((violated, Move::Stop(stage, Some(position.clone()))));
                    }
                }
                if position.is_entry() && *index == 0 {
                    self.group_moves(position, frames, &mut moves);
                }
                moves
            }
            Wait::Joint => {
                let start = self.enter_turn(frames, *index, Turn::Further);
                vec![(Guard::always().unless(self.group_until(frames)), Move::Proceed(start))]
            }
            Wait::NotNext => {
                let item = self.item(frames, *index);
                let ItemKind::Not { stage, condition } = item.kind else { return Vec::new() };
                let violated = Guard::Fits(condition).unless(self.group_until(frames));
                let next = self.after(frames, *index);
                let is_end = next.wait == Wait::End;
                let on = if is_end { Move::Ignore(next) } else { Move::Proceed(next) };
                let respected = Guard::not(violated.clone()).and(Guard::InGap);
                vec![(respected, on), (violated, Move::Stop(stage, None))]
            }
            Wait::Pending => {
                let mut moves = Vec::new();
                let mut respected = Vec::new();
                for item in &self.sequence(frames).items[*index..] {
                    if let ItemKind::Not { stage, condition } = item.kind {
                        moves.push((Guard::Fits(condition), Move::Stop(stage, None)));
                        respected.push(Guard::not(Guard::Fits(condition)));
                    }
                }
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
                Move::Skip(_) => Some(self.depth_of_branch(frames).unwrap_or(frames.len())),
                // What is captured is no violation.
                Move::Take(..) | Move::Proceed(_) | Move::Stop(..) => continue,
            };
            *guard = guard.clone().and(Guard::KeptOut { from });
        }
        if position.is_entry()
            && let Some(held_back) = self.held_back(position)
        {
            for (guard, a_move) in &mut moves {
                // From other branches nothing is held back.
                if !matches!(a_move, Move::Skip(_)) {
                    *guard = guard.clone().and(Guard::not(held_back.clone()));
                }
            }
        }
        // A copy that does without some nots goes on to copies that do without them.
        moves.retain(
            |(_, a_move)| !matches!(a_move, Move::Stop(stage, _) if position.without.contains(stage)),
        );
        for (_, a_move) in &mut moves {
            if let Move::Proceed(target) = a_move {
                target.without.extend(&position.without);
            }
        }
        moves
    }

    fn step_moves(
        &self,
        position: &Position,
        turn: Turn,
        skipped: bool,
        time: Timestamp,
    ) -> Vec<(Guard, Move)> {
        let Position { frames, index, .. } = position;
        let index = *index;
        let ItemKind::Step { stage, condition, quantifier } = &self.item(frames, index).kind else {
            return Vec::new();
        };
        let mut moves = Vec::new();
        let group_until = self.group_until(frames);
        let fits = Guard::Fits(*condition).and(Guard::InGap);

        let take = fits.clone().and(Guard::InGroups).unless(group_until).unless(quantifier.until);
        // The event begins those repetitions around it that had not begun.
        let mut begun = frames.clone();
        for frame in &mut begun {
            frame.begun.get_or_insert(time);
            if let Some(branch) = &mut frame.branch {
                branch.last = Some(time);
            }
        }
        let taken = match self.next_turn(frames, index, turn) {
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
        };
        moves.push((take, Move::Take(*stage, taken, position.clone())));

        let optional = Self::may_be_left_out(quantifier, turn);
        if optional && !skipped && !self.is_settled(position) {
            let open = Guard::always().unless(group_until);
            let mut next = self.after(frames, index);
            if turn == Turn::Further {
                next.without = self.left_behind(frames, index);
                if !next.without.is_empty() {
                    next.reached = Reached::FromLoop;
                }
            }
            match quantifier.until {
                Some(until) if is_greedy(quantifier) => {
                    let free = Position { reached: Reached::AfterUntil, ..next.clone() };
                    moves.push((open.clone().and(Guard::Fits(until)), Move::Proceed(free)));
                    moves.push((open.unless(Some(until)), Move::Proceed(next)));
                }
                _ => moves.push((open, Move::Proceed(next))),
            }
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
                Position::at(frames, index, Wait::Step { turn, skipped: true })
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
            after.map(|(stage, violated)| (stage, violated.unless(group_until))).collect()
        };
        for (stage, violated) in nots {
            let behind = is_behind.then(|| position.clone());
            moves.push((violated, Move::Stop(stage, behind)));
        }
        if turn == FIRST && index == 0 && !skipped {
            self.group_moves(position, frames, &mut moves);
        }
        moves
    }

    /// What can happen at a position where a repetition of a group starts: it may be left out.
    fn group_moves(&self, here: &Position, frames: &[Frame], moves: &mut Vec<(Guard, Move)>) {
        let Some((group, outer)) = frames.split_last() else { return };
        // Of several branches together that is asked where they stand.
        if group.branch.is_some() {
            return;
        }
        let until = self.group_until(outer);
        let quantifier = quantifier(self.item(outer, group.index));
        if Self::may_be_left_out(quantifier, group.turn) {
            let mut next = self.after(outer, group.index);
            if group.turn == Turn::Further {
                next.without = self.left_behind(outer, group.index);
                if !next.without.is_empty() {
                    next.reached = Reached::FromLoop;
                }
            }
            let open = Guard::always().unless(until);
            match quantifier.until {
                Some(until) if is_greedy(quantifier) => {
                    let free = Position { reached: Reached::AfterUntil, ..next.clone() };
                    moves.push((open.clone().and(Guard::Fits(until)), Move::Proceed(free)));
                    moves.push((open.unless(Some(until)), Move::Proceed(next)));
                }
                _ => moves.push((open, Move::Proceed(next))),
            }
        }
        let nots = match group.turn {
            FIRST => self.nots_before(outer, group.index),
            Turn::Nth(_) => {
                let after = self.not_after(outer, group.index).into_iter();
                after.map(|(stage, violated)| (stage, violated.unless(until))).collect()
            }
            Turn::Further => Vec::new(),
        };
        for (stage, violated) in nots {
            let behind = (group.turn == FIRST).then(|| here.clone());
            moves.push((violated, Move::Stop(stage, behind)));
        }
        if group.turn == FIRST && group.index == 0 {
            self.group_moves(here, outer, moves);
        }
    }

    /// What can happen where several branches stand: one of them takes the event or goes on without it,
    /// or all of them ignore it.
    fn moves_of_branches(
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
                    Move::Take(stage, target, origin) => {
                        for (others, target) in self.take_on(position, branches, number, target) {
                            let take = Move::Take(stage, target, origin.clone());
                            moves.push((at(guard.clone()).and(others), take));
                        }
                    }
                    Move::Proceed(target) => {
                        let mut branches = branches.to_vec();
                        branches[number] = standing.moved(target);
                        moves.push((at(guard), Move::Proceed(self.with_ways(position, branches))));
                    }
                    stop @ Move::Stop(..) => moves.push((at(guard), stop)),
                    Move::Ignore(_) | Move::Skip(_) => {}
                }
            }
        }
        let everyone: Vec<usize> =
            (0..branches.len()).filter(|&number| branches[number].position().is_some()).collect();
        // Each of the branches asks what must not come; where there is none, it is asked here.
        let alone =
            if everyone.is_empty() { Guard::KeptOut { from: None } } else { Guard::always() };
        for (guard, branches) in self.pass_over(branches, &everyone, false) {
            for (breaks, branches) in self.after_breaks(position, &branches) {
                if self.is_possible(position, &branches) {
                    let guard = guard.clone().and(breaks).and(alone.clone());
                    moves.push((guard, Move::Ignore(self.with_ways(position, branches))));
                }
            }
        }
        for (guard, branches) in self.pass_over(branches, &everyone, true) {
            moves.push((guard, Move::Skip(self.with_ways(position, branches))));
        }
        if let Some((_, time)) = self.silence_over_next(position, branches) {
            // All of that is open as long as the silence goes on.
            for (guard, _) in &mut moves[silences..] {
                *guard = guard.clone().and(Guard::Meanwhile(position.index, time));
            }
        }
        moves
    }

    /// What becomes of silences that are branches: one is over, or so many are broken that the others
    /// are not enough.
    fn moves_of_silences(&self, position: &Position, branches: &[Standing]) -> Vec<(Guard, Move)> {
        let Some((number, time)) = self.silence_over_next(position, branches) else {
            return Vec::new();
        };
        let meanwhile = Guard::Meanwhile(position.index, time);
        let mut moves = Vec::new();
        for (breaks, left) in self.after_breaks(position, branches) {
            if let Some(broken) =
                (0..branches.len()).find(|&branch| left[branch] != branches[branch])
                && !self.is_possible(position, &left)
                && let Some((stage, ..)) = self.silence_of(position, broken)
            {
                moves.push((meanwhile.clone().and(breaks), Move::Stop(stage, None)));
            }
        }
        let over = self.with_ways(position, self.after_silence(position, branches, number));
        if over.wait != Wait::End {
            moves.push((Guard::not(meanwhile), Move::Proceed(over)));
        }
        moves
    }

    /// The silence that a branch is: what must not come, and for how long.
    fn silence_of(
        &self,
        position: &Position,
        branch: usize,
    ) -> Option<(StageId, ConditionId, Length)> {
        let item = self.item(&position.frames, position.index);
        let ItemKind::Alternatives { branches, .. } = &item.kind else { return None };
        silence(&branches[branch])
    }

    /// Which of the silences that go on is over first, and how long it lasts.
    fn silence_over_next(
        &self,
        position: &Position,
        branches: &[Standing],
    ) -> Option<(usize, Length)> {
        let going_on = (0..branches.len()).filter(|&branch| branches[branch] == Standing::Quiet);
        let silences =
            going_on.filter_map(|branch| Some((branch, self.silence_of(position, branch)?.2)));
        silences.min_by_key(|(branch, time)| (time.as_millis(), *branch))
    }

    /// Where the branches stand once the silence that is one of them is over.
    fn after_silence(
        &self,
        position: &Position,
        branches: &[Standing],
        number: usize,
    ) -> Vec<Standing> {
        let mut branches = branches.to_vec();
        branches[number] = Standing::Done;
        let begun = branches.iter().filter(|branch| branch.has_begun()).count();
        if begun == self.count(&position.frames, position.index) {
            for branch in &mut branches {
                if matches!(branch, Standing::Ready(_) | Standing::Quiet) {
                    *branch = Standing::Unneeded;
                }
            }
        }
        branches
    }

    /// Where the branches stand once an event has broken some of the silences, or none, and when.
    fn after_breaks(
        &self,
        position: &Position,
        branches: &[Standing],
    ) -> Vec<(Guard, Vec<Standing>)> {
        let mut found = vec![(Guard::always(), branches.to_vec())];
        for branch in (0..branches.len()).filter(|&branch| branches[branch] == Standing::Quiet) {
            let Some((_, condition, _)) = self.silence_of(position, branch) else { continue };
            let breaks = Guard::Fits(condition);
            for (guard, branches) in std::mem::take(&mut found) {
                let mut broken = branches.clone();
                broken[branch] = Standing::Broken;
                found.push((guard.clone().and(breaks.clone()), broken));
                found.push((guard.and(Guard::not(breaks.clone())), branches));
            }
        }
        found
    }

    /// True if as many of the branches as have to can still happen.
    fn is_possible(&self, position: &Position, branches: &[Standing]) -> bool {
        let can = branches.iter().filter(|branch| match branch {
            Standing::Ready(_) | Standing::Begun(_) | Standing::Done | Standing::Quiet => true,
            Standing::Unneeded | Standing::Broken => false,
        });
        can.count() >= self.count(&position.frames, position.index)
    }

    /// The index of alternatives at the end that is complete when time passes, and how long
    /// after the event before it.
    fn end_of_silence(&self, position: &Position) -> Option<(usize, Length)> {
        let moment = (position.clone(), Timestamp::MIN, self.undivided);
        let known = &self.known.end_of_silence;
        self.known.ask(known, moment, || self.find_end_of_silence(position))
    }

    fn find_end_of_silence(&self, position: &Position) -> Option<(usize, Length)> {
        let mut open = vec![position.clone()];
        let mut seen = BTreeSet::new();
        while let Some(here) = open.pop() {
            if !seen.insert(here.clone()) || here.wait == Wait::NotNext {
                continue;
            }
            if let Wait::Alternatives(branches) = &here.wait
                && let Some(time) = self.silent_end(&here, branches)
            {
                return Some((here.index, time));
            }
            for (_, a_move) in &*self.moves(&here, Timestamp::MIN) {
                if let Move::Proceed(target) = a_move {
                    open.push(target.clone());
                }
            }
        }
        None
    }

    fn silent_end(&self, position: &Position, branches: &[Standing]) -> Option<Length> {
        let mut branches = branches.to_vec();
        loop {
            let (number, time) = self.silence_over_next(position, &branches)?;
            branches = self.after_silence(position, &branches, number);
            if self.with_ways(position, branches.clone()).wait == Wait::End {
                return Some(time);
            }
        }
    }

    /// Where several branches stand once the event has been captured on one of them, which leads it to
    /// `target`; with what the others ask for to skip it.
    fn take_on(
        &self,
        position: &Position,
        branches: &[Standing],
        number: usize,
        target: Position,
    ) -> Vec<(Guard, Position)> {
        let Position { frames, index, .. } = position;
        let count = self.count(frames, *index);
        if count == 1 {
            return vec![(Guard::always(), target)];
        }
        let outer = target.frames[..frames.len()].to_vec();
        let mut branches = branches.to_vec();
        branches[number] = Standing::Begun(Position::at(&[], 0, Wait::End)).moved(target);
        let begun = branches.iter().filter(|branch| branch.has_begun()).count();
        for (other, branch) in branches.iter_mut().enumerate() {
            match branch {
                Standing::Ready(_) | Standing::Quiet if begun == count => {
                    *branch = Standing::Unneeded;
                }
                Standing::Ready(_) => {
                    *branch = Standing::Ready(self.enter_way(&outer, *index, other, true));
                }
                _ => {}
            }
        }
        let others: Vec<usize> = (0..branches.len())
            .filter(|&other| other != number && matches!(branches[other], Standing::Begun(_)))
            .collect();
        let after = self.pass_over(&branches, &others, true).into_iter();
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
                let position = Position { frames, side: Side::Whole, ..position.clone() };
                (guard, self.with_ways(&position, branches))
            })
            .collect()
    }

    /// What `who` of several branches ask for to let an event pass, all of them, and where they stand
    /// then. With `taken` the event is one that another branch captures.
    fn pass_over(
        &self,
        branches: &[Standing],
        who: &[usize],
        taken: bool,
    ) -> Vec<(Guard, Vec<Standing>)> {
        let mut found = vec![(Guard::always(), branches.to_vec())];
        for &number in who {
            let Some(here) = branches[number].position() else { continue };
            let mut longer = Vec::new();
            for (guard, a_move) in &*self.moves(here, Timestamp::MIN) {
                let target = match a_move {
                    Move::Skip(target) if taken => target,
                    Move::Ignore(target) if !taken => target,
                    _ => continue,
                };
                for (others, branches) in &found {
                    let mut branches = branches.clone();
                    branches[number] = branches[number].moved(target.clone());
                    let guard = Guard::At(Box::new(here.clone()), Box::new(guard.clone()));
                    longer.push((others.clone().and(guard), branches));
                }
            }
            found = longer;
        }
        found
    }

    /// The position with the branches as they stand; behind them, if enough of them are done.
    fn with_ways(&self, position: &Position, branches: Vec<Standing>) -> Position {
        let Position { frames, index, .. } = position;
        let begun = branches.iter().filter(|branch| branch.has_begun()).count();
        let open = branches.iter().any(|branch| matches!(branch, Standing::Begun(_)));
        if begun == self.count(frames, *index) && !open {
            let without = self.left_behind(frames, *index);
            return Position { without, ..self.after(frames, *index) };
        }
        Position { wait: Wait::Alternatives(branches), ..position.clone() }
    }

    /// True if the item is the first of a group's repetition that may be left out.
    fn starts_optional_group(&self, frames: &[Frame], index: usize) -> bool {
        let Some((group, outer)) = frames.split_last() else { return false };
        index == 0
            && group.branch.is_none_or(|branch| !branch.later)
            && (Self::may_be_left_out(quantifier(self.item(outer, group.index)), group.turn)
                || group.turn == FIRST && self.starts_optional_group(outer, group.index))
    }

    /// The events that a greedy loop right before the position keeps from it.
    fn held_back(&self, position: &Position) -> Option<Guard> {
        if position.reached == Reached::AfterUntil {
            return None;
        }
        self.held_back_before(&position.frames, position.index, position.reached)
    }

    fn held_back_before(&self, frames: &[Frame], index: usize, reached: Reached) -> Option<Guard> {
        if index > 0 {
            let items = &self.sequence(frames).items;
            let last = (0..index).rev().find(|&before| !forbids(&items[before]))?;
            return self.wanted_by(frames, last, reached);
        }
        let (group, outer) = frames.split_last()?;
        // Where several branches are entered, they are held back together.
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

    /// What the item wants to keep from what directly follows it, if it is or ends with a greedy
    /// loop.
    fn wanted_by(&self, frames: &[Frame], index: usize, reached: Reached) -> Option<Guard> {
        let item = self.item(frames, index);
        let quantifier = quantifier(item);
        let group_until = self.group_until(frames);
        // An endless optional loop after a not holds events back from what follows it only where
        // it has been entered.
        let is_apart = quantifier.is_unbounded()
            && reached != Reached::FromLoop
            && !self.left_behind(frames, index).is_empty();
        let wants = is_greedy(quantifier) && quantifier.max != Some(quantifier.min) && !is_apart;
        match &item.kind {
            // A loop at the end of one of several branches keeps nothing from what follows them all.
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

    /// The bounds on the time from the event before to one that is taken here: the item's for its
    /// first event, and those of the groups that it is the first event of.
    fn gaps(&self, position: &Position) -> Vec<Gap> {
        if !matches!(position.wait, Wait::Step { turn: FIRST, .. } | Wait::NotNext) {
            return Vec::new();
        }
        let own = self.item(&position.frames, position.index).gap;
        let mut gaps: Vec<Gap> = own.into_iter().collect();
        for (depth, frame) in position.frames.iter().enumerate().rev() {
            // What bounds the first of several branches does not bound the others.
            if frame.turn != FIRST || frame.begun.is_some() {
                continue;
            }
            if frame.branch.is_some_and(|branch| branch.later) {
                break;
            }
            gaps.extend(self.item(&position.frames[..depth], frame.index).gap);
        }
        gaps
    }

    /// The repetitions of bounded groups that have begun.
    fn running_groups(&self, position: &Position) -> impl Iterator<Item = Running> {
        position.frames.iter().enumerate().filter_map(|(depth, frame)| {
            match self.item(&position.frames[..depth], frame.index).kind {
                ItemKind::Group { within: Some(within), .. } => Some(Running {
                    path: path(&position.frames[..=depth]),
                    begun: frame.begun?,
                    within,
                }),
                _ => None,
            }
        })
    }

    /// True if one of several branches can end here without another event.
    fn reaches_end_of_branch(&self, position: &Position) -> bool {
        self.reaches_through(position, |_| true, |position| position.wait == Wait::EndOfWay)
    }

    /// What can happen to a partial match that waits at `position`, whatever the event: the moves
    /// other than proceeds, there and at the positions that it proceeds to. Each with where it is
    /// made, and the gaps that the event has to keep.
    fn prospects(&self, position: &Position) -> Rc<[Prospect]> {
        let moment = (position.clone(), Timestamp::MIN, self.undivided);
        let known = &self.known.prospects;
        self.known.ask(known, moment, || self.find_prospects(position).into())
    }

    fn find_prospects(&self, position: &Position) -> Vec<Prospect> {
        let mut prospects = Vec::new();
        let mut open = vec![(position.clone(), Vec::new())];
        let mut seen = Vec::new();
        while let Some(here) = open.pop() {
            if seen.contains(&here) {
                continue;
            }
            let (position, gaps) = &here;
            for (_, a_move) in self.moves(position, Timestamp::MIN).iter().cloned() {
                let with_own = |own: &Position| [&gaps[..], &self.gaps(own)].concat();
                match a_move {
                    Move::Skip(_) => {}
                    Move::Proceed(target) if position.wait == Wait::NotNext => {
                        open.push((target, with_own(position)));
                    }
                    Move::Proceed(target) => open.push((target, gaps.clone())),
                    Move::Take(.., ref origin) => {
                        prospects.push((origin.clone(), with_own(origin), a_move));
                    }
                    other => prospects.push((position.clone(), with_own(position), other)),
                }
            }
            seen.push(here);
        }
        prospects
    }

    /// True if anything can happen at a position.
    fn is_live(&self, position: &Position) -> bool {
        position.wait != Wait::End && !self.prospects(position).is_empty()
    }

    /// The positions that take an event, or need one more, among those that can be reached from
    /// `position` without an event; each with the gaps that its event has to keep.
    fn ways_on(&self, position: &Position) -> Vec<(Position, Vec<Gap>)> {
        let needs_one = |(_, _, a_move): &&Prospect| match a_move {
            Move::Take(..) => true,
            Move::Ignore(target) => target.wait == Wait::End,
            _ => false,
        };
        let prospects = self.prospects(position);
        let ways_on = prospects.iter().filter(needs_one);
        ways_on.map(|(position, gaps, _)| (position.clone(), gaps.clone())).collect()
    }

    /// True if one of the positions that can be reached without an event is as `is` says. A `next
    /// not` on the way has not been fulfilled before the next event.
    fn reaches(&self, position: &Position, is: impl Fn(&Position) -> bool) -> bool {
        self.reaches_through(position, |position| position.wait != Wait::NotNext, is)
    }

    /// The same over those positions that `passable` says.
    fn reaches_through(
        &self,
        position: &Position,
        passable: impl Fn(&Position) -> bool,
        is: impl Fn(&Position) -> bool,
    ) -> bool {
        let mut open = vec![position.clone()];
        let mut seen = BTreeSet::new();
        while let Some(position) = open.pop() {
            if is(&position) {
                return true;
            }
            if !passable(&position) || !seen.insert(position.clone()) {
                continue;
            }
            for (_, a_move) in &*self.moves(&position, Timestamp::MIN) {
                if let Move::Proceed(target) = a_move {
                    open.push(target.clone());
                }
            }
        }
        false
    }

    /// True if only the `not`s at the end are still to hold.
    fn is_pending(&self, position: &Position) -> bool {
        self.reaches(position, |position| position.wait == Wait::Pending)
    }

    /// True if a partial match that waits here is complete once it can grow no more: all that is
    /// left is a `longest` loop that has repeated often enough.
    fn settles(&self, position: &Position) -> bool {
        self.reaches(position, |position| self.is_settled(position))
    }

    fn is_settled(&self, position: &Position) -> bool {
        let Wait::Step { turn, .. } = position.wait else { return false };
        let quantifier = quantifier(self.item(&position.frames, position.index));
        quantifier.mode == LoopMode::Longest && Self::may_be_left_out(quantifier, turn)
    }

    /// The bound of the last `not`, since the last event.
    fn pending_bound(&self, position: &Position) -> Option<Length> {
        let bound = self.pattern.body.items.last().filter(|last| forbids(last))?.gap?.max?;
        self.is_pending(position).then_some(bound)
    }

    /// True if a partial match that runs out of time here is a match.
    fn is_complete_in_time(&self, position: &Position) -> bool {
        self.is_pending(position)
            || self.settles(position)
            || self.end_of_silence(position).is_some()
    }
}

/// What can start a sequence.
fn heads(sequence: &Sequence) -> Guard {
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

/// What a condition sees.
struct View<'a, E> {
    candidate: &'a E,
    captures: &'a Captures,
    events: &'a [E],
}

impl<'a, E: Event> View<'a, E> {
    fn of(&self, stage: Option<StageId>) -> Vec<&'a E> {
        let wanted = self.captures.iter().filter(|(s, _)| stage.is_none_or(|stage| *s == stage));
        wanted.map(|&(_, event)| &self.events[event]).collect()
    }
}

impl<E: Event> Scope for View<'_, E> {
    fn field(&self, field: &FieldRef) -> ValueRef<'_> {
        read(self.candidate, field)
    }

    fn captured(&self, captured: &Captured) -> Value {
        let events = self.of(captured.stage);
        let event = match captured.pick {
            Pick::First => events.first(),
            Pick::Last => events.last(),
            Pick::Nth(n) => events.get(n as usize),
            Pick::FromEnd(n) => events.len().checked_sub(n as usize).and_then(|i| events.get(i)),
        };
        event.map_or(Value::Null, |event| read(*event, &captured.field).to_value())
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Value {
        let mut accumulator = Accumulator::new(aggregate.op);
        // Of a group only its rounds can be asked for.
        let rounds = self.captures.rounds.iter().filter(|alias| **alias == aggregate.stage);
        for _ in rounds.filter(|_| aggregate.op == AggregateOp::Count) {
            accumulator.add(ValueRef::Bool(true));
        }
        for event in self.of(Some(aggregate.stage)) {
            match &aggregate.arg {
                None => accumulator.add(ValueRef::Bool(true)),
                Some(arg) => {
                    let inner = View { candidate: event, ..*self };
                    accumulator.add(eval::eval(arg, &inner).as_ref());
                }
            }
        }
        accumulator.value()
    }

    fn register(&self, _index: usize) -> ValueRef<'_> {
        ValueRef::Null
    }

    fn key(&self, _index: usize) -> ValueRef<'_> {
        ValueRef::Null
    }

    fn fact(&self, _fact: MatchFact) -> Value {
        Value::Null
    }
}

fn read<'a, E: Event>(event: &'a E, field: &FieldRef) -> ValueRef<'a> {
    match field {
        FieldRef::Declared(id) => event.field(*id),
        FieldRef::Dynamic(path) => event.dynamic_field(path),
        FieldRef::Time => ValueRef::Time(event.time()),
        FieldRef::ByType(fields) => fields
            .iter()
            .find(|(ty, _)| *ty == event.type_id())
            .map_or(ValueRef::Null, |(_, field)| read(event, field)),
    }
}

/// Refuses what has no sensible meaning.
fn check(pattern: &Pattern) -> Result<(), Refused> {
    if pattern.within.and_then(Length::as_millis).is_some_and(|within| within <= 0) {
        return Err(Refused("`within` is not positive".into()));
    }
    check_sequence(pattern, &pattern.body, true)?;
    if let SkipStrategy::ToFirst(stage) | SkipStrategy::ToLast(stage) = pattern.skip.strategy
        && stage.index() >= pattern.stages.len()
    {
        return Err(Refused("there is no step of the name to skip to".into()));
    }
    Ok(())
}

fn check_sequence(pattern: &Pattern, sequence: &Sequence, top: bool) -> Result<(), Refused> {
    let items = &sequence.items;
    let refuse = |text: String| Err(Refused(text));
    let name_of = |stage: StageId| &pattern.stages[stage.index()].name;
    if items.is_empty() {
        return refuse("a sequence has no steps".into());
    }
    for (index, item) in items.iter().enumerate() {
        let last = index + 1 == items.len();
        let swapped = |gap: Gap| {
            let min = gap.min.as_millis();
            let max = gap.max.and_then(Length::as_millis);
            min.is_some_and(|min| min < 0) || max.is_some_and(|max| max < min.unwrap_or(0))
        };
        if item.gap.is_some_and(swapped) {
            return refuse("the ends of a gap are negative or swapped".into());
        }
        match &item.kind {
            ItemKind::Not { stage, .. } => {
                let name = name_of(*stage);
                let timed = item.gap.is_some_and(|gap| gap.max.is_some());
                if let Some(next) = items.get(index + 1)
                    && next.is_not()
                    && (timed || next.gap.is_some_and(|gap| gap.max.is_some()))
                {
                    return refuse(format!("`not {name}` or the `not` behind it lasts for a time"));
                }
                if index == 0 && top && !last && forbids(item) && timed {
                    continue;
                }
                if index == 0 || (last && !top && forbids(item)) {
                    return refuse(format!(
                        "`not {name}` cannot start a pattern or group, or end a group"
                    ));
                }
                let nothing_before = items[..index].iter().all(may_be_empty);
                if quantifier(&items[index - 1]).optional || nothing_before {
                    return refuse(format!("`not {name}` comes after what may be left out"));
                }
                let bounded = pattern.within.is_some() || timed;
                if last && forbids(item) && !bounded {
                    return refuse(format!("`not {name}` ends the pattern without a bound"));
                }
            }
            ItemKind::Step { stage, quantifier, .. } => {
                let name = name_of(*stage);
                check_quantifier(quantifier, name)?;
                if quantifier.mode == LoopMode::Longest && !(top && last) {
                    return refuse(format!("`{name}` is `longest` but not last"));
                }
            }
            ItemKind::Group { body, quantifier, within, .. } => {
                check_quantifier(quantifier, "(...)")?;
                if within.and_then(Length::as_millis).is_some_and(|within| within <= 0) {
                    return refuse("the `within` of a group is not positive".into());
                }
                if quantifier.mode == LoopMode::Longest {
                    return refuse("a group cannot be `longest`".into());
                }
                check_sequence(pattern, body, false)?;
                if quantifier.is_unbounded() && body.items.iter().all(may_be_empty) {
                    return refuse("a group that can be empty is repeated without bound".into());
                }
            }
            ItemKind::Alternatives { branches, count } => {
                if *count == 0 || *count > branches.len() {
                    return refuse(
                        "more alternatives have to happen than there are, or none".into(),
                    );
                }
                check_silences(items, index, top)?;
                for branch in branches.iter().filter(|branch| silence(branch).is_none()) {
                    check_sequence(pattern, branch, false)?;
                    if ends_with_not(branch) || branch.items.iter().all(may_be_empty) {
                        return refuse("an alternative can be empty or ends with a `not`".into());
                    }
                }
            }
        }
    }
    Ok(())
}

/// True if the sequence ends with a `not`, or with a group that does.
fn ends_with_not(sequence: &Sequence) -> bool {
    sequence.items.last().is_some_and(|last| match &last.kind {
        ItemKind::Not { .. } => true,
        ItemKind::Group { body, .. } => ends_with_not(body),
        ItemKind::Step { .. } | ItemKind::Alternatives { .. } => false,
    })
}

/// Silences as branches begin with the event before their group, which has to be sure.
fn check_silences(items: &[Item], index: usize, top: bool) -> Result<(), Refused> {
    let has_silence = |item: &Item| match &item.kind {
        ItemKind::Not { .. } => true,
        ItemKind::Alternatives { branches, .. } => {
            branches.iter().any(|branch| silence(branch).is_some())
        }
        _ => false,
    };
    let ItemKind::Alternatives { branches, .. } = &items[index].kind else { return Ok(()) };
    let silences: Vec<_> = branches.iter().filter(|branch| silence(branch).is_some()).collect();
    if silences.is_empty() {
        return Ok(());
    }
    let refuse = |text: &str| Err(Refused(text.into()));
    if !top || index == 0 || has_silence(&items[index - 1]) || may_go_on(&items[index - 1]) {
        return refuse(
            "a silence that is one of several alternatives has no single event before it",
        );
    }
    let is_next = |item: &Item| item.contiguity == Contiguity::Next;
    let follows = items.get(index + 1);
    if is_next(&items[index])
        || items[index].gap.is_some()
        || follows.is_some_and(|next| is_next(next) || has_silence(next))
        || follows.is_some() && items[index + 1..].iter().all(may_be_empty)
    {
        return refuse(
            "what surrounds a silence that is one of several alternatives does not go with it",
        );
    }
    for branch in &silences {
        let not = &branch.items[0];
        if branch.without.is_some()
            || is_next(not)
            || not.gap.is_some_and(|gap| gap.min != Length::ZERO)
        {
            return refuse("a silence that is one of several alternatives says more than its time");
        }
    }
    let is_read =
        |branch: &&&Sequence| silence(branch).is_some_and(|one| one.2.as_millis().is_none());
    if silences.len() > 1 && silences.iter().any(|branch| is_read(&branch)) || silences.len() > 4 {
        return refuse("there are too many silences in one group");
    }
    Ok(())
}

/// True if an item can capture more where what follows it is waited for.
fn may_go_on(item: &Item) -> bool {
    let body_may = |body: &Sequence| body.items.last().is_some_and(may_go_on);
    match &item.kind {
        ItemKind::Step { quantifier, .. } => {
            quantifier.optional || quantifier.max != Some(quantifier.min)
        }
        ItemKind::Group { body, quantifier, .. } => {
            quantifier.optional || quantifier.max != Some(quantifier.min) || body_may(body)
        }
        ItemKind::Alternatives { branches, .. } => branches.iter().any(body_may),
        ItemKind::Not { .. } => true,
    }
}

/// What must not come and for how long, where a branch is a silence.
fn silence(branch: &Sequence) -> Option<(StageId, ConditionId, Length)> {
    match branch.items.as_slice() {
        [Item { kind: ItemKind::Not { stage, condition }, gap, .. }] => {
            Some((*stage, *condition, (*gap)?.max?))
        }
        _ => None,
    }
}

/// The steps that the items capture events as.
fn steps_of(items: &[Item], steps: &mut BTreeSet<StageId>) {
    for item in items {
        match &item.kind {
            ItemKind::Step { stage, .. } => {
                steps.insert(*stage);
            }
            ItemKind::Group { body, .. } => steps_of(&body.items, steps),
            ItemKind::Alternatives { branches, .. } => {
                for branch in branches {
                    steps_of(&branch.items, steps);
                }
            }
            ItemKind::Not { .. } => {}
        }
    }
}

fn check_quantifier(quantifier: &Quantifier, name: &str) -> Result<(), Refused> {
    if quantifier.min == 0 || quantifier.max.is_some_and(|max| max < quantifier.min) {
        return Err(Refused(format!("the quantifier of `{name}` allows nothing")));
    }
    if quantifier.until.is_some() && !quantifier.is_unbounded() {
        return Err(Refused(format!("`{name}` has an `until` but can't repeat without bound")));
    }
    Ok(())
}

fn may_be_empty(item: &Item) -> bool {
    match &item.kind {
        ItemKind::Step { quantifier, .. } => quantifier.optional,
        ItemKind::Group { quantifier, body, .. } => {
            quantifier.optional || body.items.iter().all(may_be_empty)
        }
        ItemKind::Not { .. } | ItemKind::Alternatives { .. } => false,
    }
}

impl Position {
    fn at(frames: &[Frame], index: usize, wait: Wait) -> Position {
        Position {
            frames: frames.to_vec(),
            index,
            wait,
            without: BTreeSet::new(),
            reached: Reached::Plainly,
            side: Side::Whole,
        }
    }

    /// True if the position is the first one of what follows something.
    fn is_entry(&self) -> bool {
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

/// True if the item is a `not` that speaks of all events up to the item after it.
fn forbids(item: &Item) -> bool {
    item.is_not() && item.contiguity != Contiguity::Next
}

/// True if the stage is that of a `not` with a time of its own.
fn has_time(sequence: &Sequence, not: StageId) -> bool {
    sequence.items.iter().any(|item| match &item.kind {
        ItemKind::Not { stage, .. } => {
            let begins = !forbids(item) || item.gap.is_some_and(|gap| gap.max.is_some());
            *stage == not && begins
        }
        ItemKind::Group { body, .. } => has_time(body, not),
        // One that is a branch by itself begins elsewhere.
        ItemKind::Alternatives { branches, .. } => {
            branches.iter().any(|branch| silence(branch).is_none() && has_time(branch, not))
        }
        ItemKind::Step { .. } => false,
    })
}

/// True if what the item ends with is a greedy loop.
fn takes_what_it_can(item: &Item) -> bool {
    let Quantifier { min, max, .. } = *quantifier(item);
    match &item.kind {
        ItemKind::Step { .. } | ItemKind::Group { .. } if max != Some(min) => {
            is_greedy(quantifier(item))
        }
        ItemKind::Group { body, .. } => body.items.last().is_some_and(takes_what_it_can),
        _ => false,
    }
}

fn is_greedy(quantifier: &Quantifier) -> bool {
    matches!(quantifier.mode, LoopMode::Greedy | LoopMode::Longest)
}

fn quantifier(item: &Item) -> &Quantifier {
    match &item.kind {
        ItemKind::Step { quantifier, .. } | ItemKind::Group { quantifier, .. } => quantifier,
        ItemKind::Not { .. } | ItemKind::Alternatives { .. } => &Quantifier::ONCE,
    }
}

/// When an event violates a `not`: within its time, if it has its own.
fn violated(not: &Item) -> Guard {
    let ItemKind::Not { condition, .. } = not.kind else { return Guard::Any(Vec::new()) };
    let violated = Guard::Fits(condition);
    match not.gap.and_then(|gap| gap.max) {
        Some(time) => violated.and(Guard::Sooner(time)),
        None => violated,
    }
}

/// Bounds that are read from different events are of different kinds.
fn read_from(length: Length) -> Option<LengthId> {
    match length {
        Length::Millis(_) => None,
        Length::Read(id) => Some(id),
    }
}

fn path(frames: &[Frame]) -> Path {
    frames.iter().map(|frame| (frame.index, frame.branch.map(|branch| branch.number))).collect()
}
