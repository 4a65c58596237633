//! What the page asks of `and`, `or` and `of`.

use super::assign::{Content, Node, events_of, events_of_content, events_of_node};
use super::check::{
    Bounds, Cursor, Judge, Lead, OpenLoop, Place, Verdict, first_event, heads_of_items,
    is_just_branches,
};
use super::rule::{Arrow, Body, Branch, Item, Kind, Parts, Quantifier, Test};

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
    branches.iter().flat_map(|branch| heads_of_items(branch.items())).collect()
}

impl<'a> Judge<'a> {
    pub(super) fn branches(
        &self,
        choice: Choice<'a, '_>,
        cursor: Cursor<'a>,
        lead: Lead,
        place: Place<'a, '_>,
    ) -> Result<Cursor<'a>, &'static str> {
        self.silences(choice, &cursor)?;
        self.unbegun(choice, &cursor, lead, place)?;
        let begins = choice.begins();
        let first = begins.iter().flatten().min().copied();
        let mut ended = None;
        for (number, branch) in choice.branches.iter().enumerate() {
            let (Branch::Sequence(items), Some(nodes)) = (branch, &choice.chosen[number]) else {
                continue;
            };
            // The arrow before it leads to its first step. What may not be skipped is asked for all
            // branches at once.
            let is_first = begins[number] == first;
            let (cursor, arrow) = if is_first {
                let relaxed = lead.arrow == Some(Arrow::Relaxed);
                (cursor.clone(), if relaxed { Some(Arrow::Any) } else { lead.arrow })
            } else {
                let later = cursor.clone().in_later_branch(first, place.branch);
                (later, cursor.last.map(|_| Arrow::Any))
            };
            let events = events_of(nodes);
            let branch = if choice.need > 1 { Some(&events[..]) } else { place.branch };
            let place = Place { branch, ..place };
            let lead = Lead { arrow, gap: if is_first { lead.gap } else { Bounds::NONE } };
            ended = Some(self.sequence(items, nodes, cursor, lead, place)?);
        }
        self.goes_on_no_more(choice, &cursor, place)?;
        Ok(self.joined(choice, cursor, ended))
    }

    /// Returns the cursor after the group.
    fn joined(
        &self,
        choice: Choice<'a, '_>,
        mut before: Cursor<'a>,
        ended: Option<Cursor<'a>>,
    ) -> Cursor<'a> {
        let done_at = self.silence_ends(choice, before.base).into_iter().flatten().max();
        let last = choice.chosen.iter().flatten().flat_map(|nodes| events_of(nodes)).max();
        let mut after = match (last, ended) {
            // "At the end of a branch of `or`, it keeps them from the steps after the branches."
            (Some(_), Some(ended)) if choice.need == 1 => ended,
            // "In `and` and `of`, it keeps nothing from the other branches or from the steps after
            // them."
            (Some(last), _) => Cursor::after(last, self.time(last)),
            (None, _) => {
                before.min_time = done_at.max(before.min_time);
                before.done_at = done_at;
                before.is_silent = true;
                return before;
            }
        };
        // "events before the end of a required silence are skipped"
        after.min_time = done_at;
        after.done_at = done_at.or(after.done_at);
        after
    }

    /// "`not c for 5s` in `and`, `or` or `of` is a silence that begins with the event before the
    /// group." "A `c` in that time breaks the silence."
    fn silences(&self, choice: Choice<'_, '_>, cursor: &Cursor<'_>) -> Verdict {
        let begins = choice.begins();
        // The moments at which those that happen begin: by an event, or by time.
        let by_event = begins.iter().flatten().map(|event| self.time(*event)).max();
        let by_time = self.silence_ends(choice, cursor.base).into_iter().flatten().max();
        for (branch, chosen) in choice.branches.iter().zip(choice.chosen) {
            let Branch::Silence { tests, time } = branch else { continue };
            let end = cursor.base + self.length(*time);
            let mut during = self.until_time(cursor.last, end);
            let broken = during.any(|event| self.fits_any(tests, event));
            // "When enough have begun, by an event or by time, the others are not needed."
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

    /// A silence whose end reports the match ends it: "a loop in another branch stops growing."
    fn goes_on_no_more(
        &self,
        choice: Choice<'_, '_>,
        cursor: &Cursor<'_>,
        place: Place<'a, '_>,
    ) -> Verdict {
        let Some(over) = self.silence_ends(choice, cursor.base).into_iter().flatten().max() else {
            return Ok(());
        };
        let mut events = choice.chosen.iter().flatten().flat_map(|nodes| events_of(nodes));
        let goes_on = events.any(|event| self.time(event) >= over);
        let was_complete = self.are_complete_at(choice.branches, choice.chosen, over);
        if !place.followed && goes_on && was_complete {
            return Err("the end of the silence ended the match");
        }
        Ok(())
    }

    /// True if each branch that happens could have ended before a time.
    fn are_complete_at(
        &self,
        branches: &[Branch],
        chosen: &[Option<Vec<Node>>],
        time: i64,
    ) -> bool {
        branches.iter().zip(chosen).all(|(branch, nodes)| {
            nodes.as_ref().is_none_or(|nodes| self.is_complete_at(branch.items(), nodes, time))
        })
    }

    /// True if a sequence could have ended before a time: what comes later is more of a loop, and
    /// what may be left out behind it.
    fn is_complete_at(&self, items: &[Item], nodes: &[Node], time: i64) -> bool {
        let is_before =
            |events: Vec<usize>| events.into_iter().all(|event| self.time(event) < time);
        let Some(cut) = nodes.iter().position(|node| !is_before(events_of_node(node))) else {
            return true;
        };
        let has_enough = match (&items[cut].kind, &nodes[cut]) {
            (Kind::Step { quantifier, .. }, Node::Step(events)) => {
                let count = events.iter().filter(|event| self.time(**event) < time).count();
                count >= quantifier.min || count == 0 && quantifier.or_none
            }
            (Kind::Group { body, quantifier }, Node::Group(contents)) => {
                let whole = |content: &&Content| is_before(events_of_content(content));
                let count = contents.iter().take_while(whole).count();
                count >= quantifier.min
                    || count + 1 == quantifier.min
                        && self.was_content_complete(body, &contents[count], time)
            }
            _ => true,
        };
        has_enough && items[cut + 1..].iter().all(Item::may_be_empty)
    }

    /// The same of one repetition of a group.
    fn was_content_complete(&self, body: &Body, content: &Content, time: i64) -> bool {
        match (&body.parts, content) {
            (Parts::Sequence(items), Content::Sequence(nodes)) => {
                self.is_complete_at(items, nodes, time)
            }
            (Parts::Branches { branches, .. }, Content::Branches(chosen)) => {
                self.are_complete_at(branches, chosen, time)
            }
            _ => unreachable!("the assignment is one of this body"),
        }
    }

    /// "Until enough have begun, an event is skipped only if each of the other sequences skips it."
    fn unbegun(
        &self,
        choice: Choice<'a, '_>,
        cursor: &Cursor<'a>,
        lead: Lead,
        place: Place<'a, '_>,
    ) -> Verdict {
        let begins = choice.begins();
        let first = begins.iter().flatten().min().copied();
        let skipped = self.skipped_before(choice, cursor);
        let is_before = |event: &&usize| first.is_none_or(|first| **event < first);
        let before: Vec<usize> = skipped.iter().filter(is_before).copied().collect();
        let later: Vec<usize> = skipped.iter().filter(|event| !is_before(event)).copied().collect();
        // "The arrow before it leads to its first step."
        let later_cursor = cursor.clone().in_later_branch(first, place.branch);
        let relaxed = Lead { arrow: Some(Arrow::Relaxed), gap: Bounds::NONE };
        let waits = Waiting { cursor, lead, place };
        let waits_anew = Waiting { cursor: &later_cursor, lead: relaxed, place };
        for (branch, begin) in choice.branches.iter().zip(&begins) {
            let Branch::Sequence(items) = branch else { continue };
            let is_first = begin.is_some() && *begin == first;
            let is_free = match *begin {
                Some(begin) if is_first => self.begins_after(items, begin, &before, waits),
                Some(begin) => {
                    let later: Vec<usize> =
                        later.iter().filter(|event| **event < begin).copied().collect();
                    self.waits_past(items, &before, waits)
                        && self.begins_after(items, begin, &later, waits_anew)
                }
                None => {
                    self.waits_past(items, &before, waits)
                        && self.waits_past(items, &later, waits_anew)
                }
            };
            if !is_free {
                return Err("a branch would have begun");
            }
        }
        Ok(())
    }

    /// Returns the events that are skipped while more branches have to begin: by all of them, or by
    /// all but the one that captures the event.
    fn skipped_before(&self, choice: Choice<'_, '_>, cursor: &Cursor<'_>) -> Vec<usize> {
        let (begins, ends) = (choice.begins(), self.silence_ends(choice, cursor.base));
        let first = begins.iter().flatten().min().copied();
        // At the start of the pattern, there is nothing before the first event.
        let start = match cursor.group_from.or(cursor.last) {
            Some(last) => last + 1,
            None => first.map_or(self.events.len(), |first| first + 1),
        };
        let is_open = |event: &usize| {
            let begun = begins.iter().flatten().filter(|begin| *begin <= event).count()
                + ends.iter().flatten().filter(|end| **end <= self.time(*event)).count();
            begun < choice.need
        };
        let events = (start..self.events.len()).take_while(is_open);
        events.filter(|event| Some(*event) != first).collect()
    }

    /// True if a branch that begins with an event skips those before: it begins with one of the
    /// steps that it can begin with, which waits together with its alternatives.
    fn begins_after(
        &self,
        items: &'a [Item],
        begin: usize,
        skipped: &[usize],
        waiting: Waiting<'a, '_>,
    ) -> bool {
        let step = self.captures.iter().find(|(captured, _)| *captured == begin);
        let Some(&(_, step)) = step else { return true };
        for (number, item) in items.iter().enumerate() {
            let waiting = self.at_item(items, number, waiting);
            match &item.kind {
                Kind::Step { id, test, .. } if *id == step => {
                    return skipped.iter().all(|event| self.skips(test, *event, waiting));
                }
                Kind::Group { body, quantifier } if body.has(step) => {
                    let waiting = waiting.inside(body, quantifier);
                    match &body.parts {
                        Parts::Sequence(items) => {
                            return self.begins_after(items, begin, skipped, waiting);
                        }
                        Parts::Branches { branches, .. } => {
                            return branches.iter().all(|branch| match branch {
                                Branch::Sequence(items)
                                    if items.iter().any(|item| item.has(step)) =>
                                {
                                    self.begins_after(items, begin, skipped, waiting)
                                }
                                Branch::Sequence(items) => self.waits_past(items, skipped, waiting),
                                Branch::Silence { .. } => true,
                            });
                        }
                    }
                }
                _ => {}
            }
        }
        true
    }

    /// True if a branch that has not begun skips the events in one of the ways in which it can wait:
    /// for its first step, or for one behind what can be left out.
    fn waits_past(&self, items: &'a [Item], skipped: &[usize], waiting: Waiting<'a, '_>) -> bool {
        let mut left_out: Vec<OpenLoop<'a>> = Vec::new();
        for (number, item) in items.iter().enumerate() {
            let waiting = self.at_item(items, number, waiting);
            let skips = match &item.kind {
                Kind::Step { test, .. } => {
                    skipped.iter().all(|event| self.skips(test, *event, waiting))
                }
                Kind::Group { body, quantifier } => {
                    let waiting = waiting.inside(body, quantifier);
                    match &body.parts {
                        Parts::Sequence(items) => self.waits_past(items, skipped, waiting),
                        Parts::Branches { branches, .. } => {
                            branches.iter().all(|branch| match branch {
                                Branch::Sequence(items) => self.waits_past(items, skipped, waiting),
                                Branch::Silence { .. } => true,
                            })
                        }
                    }
                }
                Kind::Not { .. } => false,
            };
            let keeps =
                |open: &OpenLoop<'_>| skipped.iter().any(|event| self.could_take(open, *event));
            if skips && !left_out.iter().any(keeps) {
                return true;
            }
            if !item.may_be_empty() {
                return false;
            }
            let Waiting { cursor, lead, place } = waiting;
            left_out.extend(OpenLoop::left_out(item, cursor, lead, place.until));
        }
        false
    }

    /// Returns when each silence that happens is over.
    fn silence_ends(&self, choice: Choice<'_, '_>, base: i64) -> Vec<Option<i64>> {
        let both = choice.branches.iter().zip(choice.chosen);
        both.map(|(branch, chosen)| match (branch, chosen) {
            (Branch::Silence { time, .. }, Some(_)) => Some(base + self.length(*time)),
            _ => None,
        })
        .collect()
    }

    /// Returns how an item of a branch follows what is before the group.
    fn at_item<'c>(
        &self,
        items: &[Item],
        number: usize,
        waiting: Waiting<'a, 'c>,
    ) -> Waiting<'a, 'c> {
        let Some(item) = items.get(number).filter(|_| number > 0) else { return waiting };
        let gap = self.bounds(item.gap).and(waiting.lead.gap);
        Waiting { lead: Lead { arrow: Some(item.arrow), gap }, ..waiting }
    }

    /// True if an event can be skipped while a step is waited for as the first of a branch.
    fn skips(&self, test: &Test, event: usize, waiting: Waiting<'_, '_>) -> bool {
        let Waiting { cursor, lead, place } = waiting;
        // "Events before the end of a required silence are skipped."
        if cursor.done_at.is_some_and(|done_at| self.time(event) < done_at) {
            return true;
        }
        // "The `until` of a group is tested at each step of the group .. including alternatives."
        if place.has_begun_before(event) && self.fits_any(place.until, event) {
            return false;
        }
        match lead.arrow {
            // "an event that another sequence captures comes in between"
            Some(Arrow::Next) => false,
            _ if self.is_captured(event) => true,
            Some(Arrow::Any) | None => true,
            Some(Arrow::Relaxed) => {
                let from = self.gap_from(cursor, event);
                let is_early =
                    from.is_some_and(|from| !self.in_time(event, from, cursor.min_time, lead.gap));
                is_early || !self.fits_some(&[test], event)
            }
        }
    }
}

/// How a branch waits for its first event.
#[derive(Clone, Copy)]
struct Waiting<'a, 'c> {
    cursor: &'c Cursor<'a>,
    lead: Lead,
    place: Place<'a, 'c>,
}

impl Waiting<'_, '_> {
    /// Returns how what is inside of a group waits: `until` "is not tested at the steps of an inner
    /// group", and the group's own does not end what has not begun.
    fn inside(self, body: &Body, quantifier: &Quantifier) -> Self {
        if is_just_branches(body, quantifier) {
            return self;
        }
        Waiting { place: Place { until: &[], ..self.place }, ..self }
    }
}
