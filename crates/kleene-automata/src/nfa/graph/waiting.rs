//! The guards of an item that waits: the events that it takes, the events that it skips, and the
//! times.

use crate::nfa::graph::builder::{Builder, Ignoring, ItemCursor};
use crate::nfa::graph::check::is_nullable;
use crate::nfa::guard::{Guard, GuardId};
use kleene_syntax::hir::{ConditionId, Contiguity, Gap, ItemKind, Sequence};

impl<'p> Builder {
    /// The contiguity with which an item's first event follows the event before. The first item of
    /// a group follows it as the group does.
    pub(super) fn entry_contiguity(cursor: ItemCursor<'p>) -> Contiguity {
        cursor.head_of().map_or(cursor.item().contiguity, |group| group.contiguity)
    }

    /// Returns the guard on time for the item's first event.
    pub(super) fn gap_guard(&mut self, cursor: ItemCursor<'p>) -> Option<GuardId> {
        let own = cursor.item().gap.map(|Gap { min, max }| {
            let since = cursor.context.since;
            self.graph.guards.leaf(Guard::Gap { min, max, unless_set: None, since })
        });
        self.both(own, Self::inherited_gap(cursor))
    }

    pub(super) fn both(&mut self, a: Option<GuardId>, b: Option<GuardId>) -> Option<GuardId> {
        match (a, b) {
            (Some(a), Some(b)) => Some(self.graph.guards.and(a, b)),
            (a, b) => a.or(b),
        }
    }

    /// Returns the gap of the group around `cursor`, if the group's first event can be this item's.
    pub(super) fn inherited_gap(cursor: ItemCursor<'p>) -> Option<GuardId> {
        let gap = cursor.context.group?.gap?;
        cursor.items[..cursor.index].iter().all(is_nullable).then_some(gap)
    }

    /// Returns the guards for skipping before an item's first event, as [`Builder::ignoring`] does.
    /// An event that fits but comes outside of the gap counts as one that does not fit.
    pub(super) fn first_ignoring(
        &mut self,
        cursor: ItemCursor<'p>,
        gap: Option<GuardId>,
    ) -> Option<Ignoring> {
        let contiguity = Self::entry_contiguity(cursor);
        let ignore = self.ignoring(cursor, contiguity, None)?;
        let Some(gap) = gap else { return Some(ignore) };
        let outside = self.graph.guards.not(gap);
        let until = self.ending_until(cursor);
        let outside = self.unless(outside, until);
        Some(Ignoring { guard: self.graph.guards.or(ignore.guard, outside), ..ignore })
    }

    /// Returns the guards under which a step skips events: as `contiguity` says, and none that
    /// fulfils `until`.
    pub(super) fn ignoring(
        &mut self,
        cursor: ItemCursor<'p>,
        contiguity: Contiguity,
        until: Option<GuardId>,
    ) -> Option<Ignoring> {
        let guard = self.ignore_guard(cursor, contiguity)?;
        let skip = self.ignore_guard(cursor, Contiguity::Any)?;
        Some(Ignoring { guard: self.unless(guard, until), skip: self.unless(skip, until) })
    }

    pub(super) fn ignore_guard(
        &mut self,
        cursor: ItemCursor<'p>,
        contiguity: Contiguity,
    ) -> Option<GuardId> {
        let guard = match contiguity {
            Contiguity::Next => return None,
            Contiguity::Relaxed => {
                let fits = match cursor.item().kind {
                    ItemKind::Step { condition, .. } => self.graph.guards.condition(condition),
                    // The contiguity of a group applies to its first step.
                    _ => self.graph.guards.always(),
                };
                self.graph.guards.not(fits)
            }
            Contiguity::Any => self.graph.guards.always(),
        };
        let until = self.ending_until(cursor);
        Some(self.unless(guard, until))
    }

    pub(super) fn take_guard(&mut self, cursor: ItemCursor<'p>) -> GuardId {
        match cursor.item().kind {
            ItemKind::Step { condition, .. } | ItemKind::Not { condition, .. } => {
                self.extend(cursor, condition)
            }
            ItemKind::Group { .. } | ItemKind::Alternatives { .. } => {
                let until = self.group_until(cursor);
                let always = self.graph.guards.always();
                self.unless(always, until)
            }
        }
    }

    /// Returns a guard for `condition` without the `until` of the group around it.
    pub(super) fn extend(&mut self, cursor: ItemCursor<'p>, condition: ConditionId) -> GuardId {
        let guard = self.graph.guards.condition(condition);
        let until = self.group_until(cursor);
        self.unless(guard, until)
    }

    pub(super) fn group_until(&mut self, cursor: ItemCursor<'p>) -> Option<GuardId> {
        let until = cursor.context.group?.quantifier.until?;
        Some(self.graph.guards.condition(until))
    }

    /// Returns the guard under which an event ends the loop of the group around `cursor`: its `until`,
    /// once the loop has begun.
    fn ending_until(&mut self, cursor: ItemCursor<'p>) -> Option<GuardId> {
        let until = self.group_until(cursor)?;
        let clock = cursor.context.group?.loop_clock?;
        let has_begun = self.graph.guards.leaf(Guard::IsSet(clock));
        Some(self.graph.guards.and(until, has_begun))
    }

    pub(super) fn unless(&mut self, guard: GuardId, until: Option<GuardId>) -> GuardId {
        match until {
            Some(until) => {
                let not_until = self.graph.guards.not(until);
                self.graph.guards.and(not_until, guard)
            }
            None => guard,
        }
    }

    /// Returns the guard under which an event can start the group: the events that a greedy loop of
    /// groups keeps.
    pub(super) fn head_guard(&mut self, cursor: ItemCursor<'p>, body: &'p Sequence) -> GuardId {
        let mut guard = self.graph.guards.never();
        for item in &body.items {
            let (head, optional) = match &item.kind {
                ItemKind::Step { condition, quantifier, .. } => {
                    (self.extend(cursor, *condition), quantifier.optional)
                }
                ItemKind::Group { body, quantifier, .. } => {
                    (self.head_guard(cursor, body), quantifier.optional)
                }
                ItemKind::Alternatives { branches, .. } => {
                    let mut any = self.graph.guards.never();
                    for branch in branches {
                        let head = self.head_guard(cursor, branch);
                        any = self.graph.guards.or(any, head);
                    }
                    (any, false)
                }
                ItemKind::Not { .. } => break,
            };
            guard = self.graph.guards.or(guard, head);
            if !optional {
                break;
            }
        }
        guard
    }
}
