//! An event meets a partial match: the open moves, and the partial match after each.
//!
//! All moves that are open are made, each on a copy: a partial match is a value, and nothing is
//! undone. Only a violated `not` takes moves away. An example with
//! `match a -> not b -> b[v > 5] -> c`, where the partial match {a1} waits for the second `b`:
//! ```text
//! event   Take     Ignore   Stop     afterwards
//! x2      closed   open     closed   {a1}
//! b9      open     closed   open     {a1 b9}: what the step takes is not between
//! b3      closed   open     open     none: the `not` is violated, and the ignore is given up
//! ```
//!
//! Where a step may be left out, the `not` can be asked for at a later position than the one that
//! moves. `match (a -> b?) -> not c -> x`, with {a1} inside of the group and the event `c2`:
//! ```text
//! path to the move    path to the violation
//! [b?] Ignore         [b?, x] Stop           the violation lies past `b?`: {a1} waits on
//! [b?, x] Ignore      [b?, x] Stop           the same path: given up
//! ```
//! So each move and each violation has the positions on the path to it. Where the paths part, the
//! order of the moves there says which part comes first in the pattern.
//!
//! Rejected: a Stop that ends the partial match whatever else is open. It would lose {a1 b9}, and
//! {a1} in the second example, which docs/semantics.md keeps.
//!
//! Which test holds it: the examples under "Absence" in docs/semantics.md
//! (`the_page_says_what_comes_out` in `tests/semantics.rs`) and
//! `the_matcher_reports_what_the_reference_reports` in `tests/properties.rs`.

use std::collections::BTreeSet;

use super::Reference;
use super::guard::{Asked, Guard, Move};
use super::partial::{Captures, Partial};
use super::position::{Position, Wait};
use super::tree::Tree;
use super::view::View;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::{ConditionId, Length, StepId, Test, eval};

/// The effect of an event on one partial match.
///
/// Both can be there at once: `a+` completes at each event and can still grow.
#[derive(Default)]
pub(super) struct EventEffect {
    pub(super) partials: Vec<Partial>,
    pub(super) matches: Vec<Captures>,
}

/// A move that is open, with the `not`s on the way to it, and the positions up to the one that it
/// leaves.
///
/// The path is kept and not only its end: a violated `not` counts for the moves after it on the
/// path, and for those beside it only if they are not past it.
struct Opened {
    a_move: Move,
    asked: Asked,
    way: Vec<Position>,
}

/// A `not` that is violated, with the positions on the way to where it is asked for.
struct Violation {
    not: StepId,
    way: Vec<Position>,
}

impl Violation {
    /// True if the `not` is asked for after the position of the move: where the paths part, the
    /// move is on the first of them, at an item that may be left out.
    fn is_past(&self, tree: &Tree<'_>, opened: &Opened, time: Timestamp) -> bool {
        let ways = opened.way.iter().zip(&self.way);
        let common = ways.take_while(|(own, other)| own == other).count();
        let Some(other) = self.way.get(common) else { return false };
        let Some(own) = opened.way.get(common) else { return true };
        let parting = tree.moves(&self.way[common - 1], time);
        let place = |position: &Position| {
            let leads = |a_move: &Move| matches!(a_move, Move::Proceed(to) if to == position);
            parting.iter().position(|(_, a_move)| leads(a_move))
        };
        place(own) < place(other)
    }
}

impl<E: Event> Reference<E> {
    /// All that the event does to one partial match.
    pub(super) fn meet(&self, tree: &Tree<'_>, partial: &Partial, now: usize) -> EventEffect {
        let (moves, violated) = self.open_moves(tree, partial, now);
        let mut outcome = EventEffect::default();
        let time = self.events[now].time();
        for opened in moves {
            // An event that a step captures violates no `not` before the step, and none after it.
            let is_free = |violation: &Violation| match &opened.a_move {
                Move::Take(.., origin) => {
                    let behind = opened.asked.iter().any(|(step, frames)| {
                        *step == violation.not && !Tree::is_another_way(frames, &origin.frames)
                    });
                    behind || violation.is_past(tree, &opened, time)
                }
                // What waits before the `not` for more events goes on.
                Move::Ignore(_) => violation.is_past(tree, &opened, time),
                _ => false,
            };
            if violated.iter().all(is_free) {
                self.make(tree, partial, opened.a_move, now, &mut outcome);
            }
        }
        outcome
    }

    /// The moves that are open for a partial match, other than proceeds, and the violations of
    /// `not`s.
    fn open_moves(
        &self,
        tree: &Tree<'_>,
        partial: &Partial,
        now: usize,
    ) -> (Vec<Opened>, Vec<Violation>) {
        let time = self.events[now].time();
        let (mut found, mut violated) = (Vec::new(), Vec::new());
        let mut open = vec![(vec![partial.position.clone()], Asked::new())];
        while let Some((way, mut asked)) = open.pop() {
            let Some(position) = way.last() else { continue };
            let moves = tree.moves(position, time);
            asked.extend(moves.iter().filter_map(|(_, a_move)| match a_move {
                Move::Stop(step, Some(behind)) => Some((*step, behind.frames.clone())),
                _ => None,
            }));
            for (guard, a_move) in &*moves {
                if !self.holds(tree, guard, position, &partial.captures, now) {
                    continue;
                }
                match a_move {
                    Move::Stop(not, _) => violated.push(Violation { not: *not, way: way.clone() }),
                    // A path that comes back to one of its own positions finds nothing new.
                    Move::Proceed(target) if way.contains(target) => {}
                    Move::Proceed(target) => {
                        open.push((
                            [&way[..], std::slice::from_ref(target)].concat(),
                            asked.clone(),
                        ));
                    }
                    Move::Skip(_) => {}
                    other => {
                        let (a_move, asked, way) = (other.clone(), asked.clone(), way.clone());
                        found.push(Opened { a_move, asked, way });
                    }
                }
            }
        }
        (found, violated)
    }

    /// The result of one move of a partial match.
    fn make(
        &self,
        tree: &Tree<'_>,
        partial: &Partial,
        a_move: Move,
        now: usize,
        outcome: &mut EventEffect,
    ) {
        let time = self.events[now].time();
        match a_move {
            Move::Stop(..) | Move::Skip(_) | Move::Proceed(_) => {}
            // The start has captured nothing: it is no match, whatever it waits for.
            Move::Complete if partial.captures.is_empty() => {}
            Move::Complete => outcome.matches.push(partial.captures.clone()),
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
            Move::Take(step, target, origin) => {
                let mut captures = partial.captures.clone();
                captures.events.push((step, now));
                captures.rounds.extend(tree.begun_rounds(&origin));
                // Its own event can say that it comes too late.
                let is_read = matches!(self.pattern.within, Some(Length::Read(_)));
                let late = is_read && self.whole_deadline(&captures).is_some_and(|end| end <= time);
                if !late && self.ends_after(tree, &target, &partial.captures, now) {
                    outcome.matches.push(captures.clone());
                }
                if late || tree.is_live(&target) {
                    let waits = Partial { captures, position: target, reported: None };
                    // A silence of no length is over at this very event, and its deadline still
                    // reports it. Otherwise a branch has waited too long already, and the match
                    // cannot be completed.
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
            // The time of a `not` counts from the event before it, and excludes its end.
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

    pub(super) fn fits(&self, condition: ConditionId, captures: &Captures, now: usize) -> bool {
        let condition = &self.pattern.conditions[condition.index()];
        let event = &self.events[now];
        if condition.ty.is_some_and(|ty| ty != event.type_id()) {
            return false;
        }
        self.passes(&condition.test, now, captures)
    }

    fn passes(&self, test: &Test, now: usize, captures: &Captures) -> bool {
        let event = &self.events[now];
        match test {
            Test::True => true,
            Test::Expr(expr) => {
                let step_keys = self.step_keys[now];
                let events = &self.events;
                // The expression is evaluated as it was written, on all captured events.
                eval::test(expr, &View { candidate: event, captures, events, step_keys })
            }
            Test::Host { index, .. } => {
                let seen: Vec<_> =
                    captures.iter().map(|&(step, event)| (step, &self.events[event])).collect();
                self.host.get(*index).is_some_and(|test| test(event, &seen))
            }
            Test::All(tests) => tests.iter().all(|test| self.passes(test, now, captures)),
            Test::OneOf(of) => of.iter().any(|one| {
                let one = &self.pattern.conditions[one.index()];
                one.ty.is_none_or(|ty| ty == event.type_id())
                    && self.passes(&one.test, now, captures)
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
}
