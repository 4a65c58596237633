//! What the page asks of `and`, `or` and `of`.

use super::assign::{Node, events_of};
use super::check::{Cursor, Judge, Lead, Place, Verdict, first_event, heads_of_items};
use super::rule::{Arrow, Branch, Gap, Item, Kind, Parts, Test};

/// The branches, and what those that happen have.
#[derive(Clone, Copy)]
pub(super) struct Choice<'a, 'n> {
    pub(super) branches: &'a [Branch],
    pub(super) chosen: &'n [Option<Vec<Node>>],
    pub(super) need: usize,
}

impl Choice<'_, '_> {
    /// Returns the first event of each branch that has events.
    fn begins(&self) -> Vec<Option<usize>> {
        self.chosen.iter().map(|nodes| nodes.as_deref().and_then(first_event)).collect()
    }
}

/// Returns the steps that can begin a branch.
pub(super) fn heads(branches: &[Branch]) -> Vec<&Test> {
    let sequences = branches.iter().filter_map(|branch| match branch {
        Branch::Sequence(items) => Some(items),
        Branch::Silence { .. } => None,
    });
    sequences.flat_map(|items| heads_of_items(items)).collect()
}

impl<'a> Judge<'a> {
    pub(super) fn branches(
        &self,
        choice: Choice<'a, '_>,
        cursor: Cursor<'a>,
        lead: Lead,
        place: Place<'_>,
    ) -> Result<Cursor<'a>, &'static str> {
        self.silences(choice, &cursor)?;
        self.unbegun(choice, &cursor, lead)?;
        let begins = choice.begins();
        let first = begins.iter().flatten().min().copied();
        let mut ended = None;
        for (number, branch) in choice.branches.iter().enumerate() {
            let (Branch::Sequence(items), Some(nodes)) = (branch, &choice.chosen[number]) else {
                continue;
            };
            // The arrow says how the first event of the group follows. What may not be skipped is
            // asked for all branches at once.
            let is_first = begins[number] == first;
            let (cursor, arrow) = if is_first {
                let relaxed = lead.arrow == Some(Arrow::Relaxed);
                (cursor.clone(), if relaxed { Some(Arrow::Any) } else { lead.arrow })
            } else {
                // What it leaves out is open from the first event of the group on.
                let begun = cursor.last.or(first);
                (cursor.without_pending().begun_at(begun), cursor.last.map(|_| Arrow::Any))
            };
            let lead = Lead { arrow, gap: if is_first { lead.gap } else { Gap::NONE } };
            let followed = place.followed;
            let place = Place { followed, ..place };
            ended = Some(self.sequence(items, nodes, cursor, lead, place)?);
        }
        Ok(self.joined(choice, cursor, ended))
    }

    /// Returns the cursor after the group.
    fn joined(
        &self,
        choice: Choice<'a, '_>,
        mut before: Cursor<'a>,
        ended: Option<Cursor<'a>>,
    ) -> Cursor<'a> {
        let done_at = choice.silence_ends(before.base).into_iter().flatten().max();
        let last = choice.chosen.iter().flatten().flat_map(|nodes| events_of(nodes)).max();
        let mut after = match (last, ended) {
            // "In `or`, it does keep from what comes after."
            (Some(_), Some(ended)) if choice.need == 1 => ended,
            // "inside `and`/`of`, a loop at the end of a branch keeps nothing from the other
            // branches, nor from what comes after the group"
            (Some(last), _) => Cursor::after(last, self.time(last)),
            (None, _) => {
                before.min_time = done_at.max(before.min_time);
                before.done_at = done_at;
                return before;
            }
        };
        // "what comes before the end of a silence that is needed is skipped"
        after.min_time = done_at;
        after.done_at = done_at.or(after.done_at);
        after
    }

    /// "`not c for 5s` in `and`, `or` or `of` is a silence that begins with the event before the
    /// group." "A `c` in that time breaks it."
    fn silences(&self, choice: Choice<'_, '_>, cursor: &Cursor<'_>) -> Verdict {
        let begins = choice.begins();
        // The moments at which those that happen begin: by an event, or by time.
        let by_event = begins.iter().flatten().map(|event| self.time(*event)).max();
        let by_time = choice.silence_ends(cursor.base).into_iter().flatten().max();
        for (branch, chosen) in choice.branches.iter().zip(choice.chosen) {
            let Branch::Silence { tests, time } = branch else { continue };
            let end = cursor.base + time;
            let mut during = self.until_time(cursor.last, end);
            let broken = during.any(|event| self.fits_any(tests, event));
            // "Once enough have begun, by an event or by time, the others are not needed."
            let would_count =
                by_event.is_some_and(|time| end <= time) || by_time.is_some_and(|time| end < time);
            if chosen.is_some() && broken {
                return Err("a silence is broken");
            }
            if chosen.is_none() && !broken && would_count {
                return Err("a silence comes first");
            }
        }
        Ok(())
    }

    /// As long as more branches have to begin, an event that one of them can begin with is not
    /// skipped: "up to the first that fits".
    fn unbegun(&self, choice: Choice<'_, '_>, cursor: &Cursor<'_>, lead: Lead) -> Verdict {
        let begins = choice.begins();
        let ends = choice.silence_ends(cursor.base);
        let first = begins.iter().flatten().min().copied();
        let start = match (lead.arrow, cursor.last) {
            (Some(Arrow::Relaxed), Some(last)) => last + 1,
            _ => first.map_or(self.events.len(), |first| first + 1),
        };
        let mut skipped = Vec::new();
        for event in start..self.events.len() {
            let begun = begins.iter().flatten().filter(|begin| **begin < event).count()
                + ends.iter().flatten().filter(|end| **end <= self.time(event)).count();
            if begun >= choice.need {
                break;
            }
            let before_first = first.is_none_or(|first| event < first);
            let too_early = before_first
                && cursor
                    .last
                    .is_some_and(|last| !self.in_time(event, last, cursor.min_time, lead.gap));
            if !self.is_captured(event) && !too_early {
                skipped.push(event);
            }
        }
        for (branch, begin) in choice.branches.iter().zip(&begins) {
            let Branch::Sequence(items) = branch else { continue };
            let skips = |test: &Test, end: usize| {
                skipped.iter().any(|event| *event < end && self.fits_some(&[test], *event))
            };
            // A branch is written out: it begins with one of the steps that it can begin with.
            let begins = match *begin {
                Some(begin) => {
                    let step = self.captures.iter().find(|(captured, _)| *captured == begin);
                    let heads = step.map(|(_, step)| heads_with(items, *step));
                    heads.iter().flatten().any(|test| skips(test, begin))
                }
                None => head_sets(items)
                    .iter()
                    .all(|heads| heads.iter().any(|test| skips(test, self.events.len()))),
            };
            if begins {
                return Err("a branch would have begun");
            }
        }
        Ok(())
    }
}

impl Choice<'_, '_> {
    /// Returns when each silence that happens is over.
    fn silence_ends(&self, base: i64) -> Vec<Option<i64>> {
        let both = self.branches.iter().zip(self.chosen);
        both.map(|(branch, chosen)| match (branch, chosen) {
            (Branch::Silence { time, .. }, Some(_)) => Some(base + time),
            _ => None,
        })
        .collect()
    }
}

/// Returns the steps that a sequence can begin with, for each way to leave out what stands first;
/// alternatives wait together.
fn head_sets(items: &[Item]) -> Vec<Vec<&Test>> {
    let mut found = Vec::new();
    for item in items {
        match &item.kind {
            Kind::Step { test, .. } => found.push(vec![test]),
            Kind::Group { body, .. } => match &body.parts {
                Parts::Sequence(items) => found.extend(head_sets(items)),
                Parts::Branches { branches, .. } => found.push(heads(branches)),
            },
            Kind::Not { .. } => {}
        }
        if !item.may_be_empty() {
            break;
        }
    }
    found
}

/// Returns the steps that wait together with the step that begins a sequence: itself, or all that
/// the alternatives can begin with.
fn heads_with(items: &[Item], step: usize) -> Vec<&Test> {
    let found = items.iter().map(|item| match &item.kind {
        Kind::Step { id, test, .. } if *id == step => vec![test],
        Kind::Group { body, .. } => match &body.parts {
            Parts::Sequence(items) => heads_with(items, step),
            Parts::Branches { branches, .. } => {
                let has = branches.iter().any(|branch| match branch {
                    Branch::Sequence(items) => !heads_with(items, step).is_empty(),
                    Branch::Silence { .. } => false,
                });
                if has { heads(branches) } else { Vec::new() }
            }
        },
        Kind::Step { .. } | Kind::Not { .. } => Vec::new(),
    });
    found.flatten().collect()
}
