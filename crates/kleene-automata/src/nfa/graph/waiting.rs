//! The guards of an item that waits: the events that it takes, the events that it skips, and the
//! times.
//!
//! An item takes an event or skips it. Where neither guard is open, the partial match ends. The
//! contiguity before the item says what it skips:
//!
//! ```text
//!                  take                    ignore
//! -> b             b                       not b
//! -> next b        b                       none: each other event ends the partial match
//! -> any b         b                       each event, also a `b`
//! ->[2s..5s] b     b, after 2s to 5s       not b, or not after 2s to 5s
//! ```
//!
//! An ignore has two guards. `guard` is for an event that no one takes. `skip` is for an event that
//! another branch of `and` or `of` takes: the item skips it although it fits. A `next` skips
//! neither: an event that another branch takes comes in between, too.
//!
//! Held by `testdata/suite/contiguity.cep` and the arrows of docs/semantics.md, which
//! `tests/semantics.rs` runs.

use crate::nfa::graph::builder::{Builder, Ignoring, ItemCursor};
use crate::nfa::guard::{Guard, GuardId};
use kleene_syntax::hir::{ConditionId, Contiguity, Gap, Item, ItemKind, Sequence};

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
    ///
    /// In `a ->[..5s] (b? -> c)`, the first event of the group is a `b` or a `c`: the gap bounds
    /// both. After the `b`, the gap of the `c` is open: its guard is true once the clock of the
    /// group is set.
    pub(super) fn inherited_gap(cursor: ItemCursor<'p>) -> Option<GuardId> {
        let gap = cursor.context.group?.gap?;
        cursor.items[..cursor.index].iter().all(Item::is_nullable).then_some(gap)
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
        // A `b` one second after the `a` of `a ->[2s..] b` must not end the partial match: a later
        // `b` can still be in time.
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
        // Another branch takes the event, so that it is not lost: the step skips it as under `any`.
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
        // Only the innermost group: as in Flink, the `until` of an outer group is not tested with
        // the steps of a group inside. Branches have the quantifier of the group around them, and
        // are tested.
        let until = cursor.context.group?.quantifier.until?;
        Some(self.graph.guards.condition(until))
    }

    /// Returns the guard under which an event ends the loop of the group around `cursor`: its
    /// `until`, once the loop has begun.
    fn ending_until(&mut self, cursor: ItemCursor<'p>) -> Option<GuardId> {
        let until = self.group_until(cursor)?;
        // In `(a -> b)+ until c`, a `c` before the first `a` is skipped: there is nothing to end
        // yet.
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
    ///
    /// For `(b? -> c)+`, that is a `b` or a `c`. A step after the first required one can begin
    /// nothing.
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
                // A branch that is a silence takes no event, so it begins with none.
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
