//! The partial matches of plain patterns: steps that come once, `not` between them, and `within`.
//!
//! A partial match is a list of captured events, one for each of the first steps. Every list is
//! made, and each is asked at which events it goes on. What `skip` and `limit` drop has no longer
//! lists after that.

use std::cmp::Reverse;

use super::clauses::{ClauseRule, Found, GiveWay, drops};
use super::evaluate::{Capture, Context};
use super::matches::all_matches;
use super::rule::{Arrow, Event, Gap, Item, Kind, Length, Parts, Quantifier, Rule, Skip, Test};

/// The most lists that are made.
const MOST_LISTS: usize = 2_000;

/// A pattern of steps that come once.
struct Plain<'a> {
    steps: Vec<Step<'a>>,
    without: &'a [Test],
    within: i64,
    events: &'a [Event],
}

/// A step with the `not`s before it.
struct Step<'a> {
    id: usize,
    arrow: Arrow,
    test: &'a Test,
    nots: Vec<(Arrow, &'a [Test], Option<Length>)>,
}

/// A list of captured events, one for each of the first steps.
struct List {
    captures: Vec<Capture>,
    /// The list without its last event.
    parent: Option<usize>,
}

impl List {
    fn begin(&self) -> usize {
        self.captures[0].0
    }

    fn last(&self) -> usize {
        self.captures[self.captures.len() - 1].0
    }
}

/// Returns the plain pattern that a rule is, once what is not plain is left out.
pub(super) fn plain(rule: &Rule, within: i64) -> Option<Rule> {
    let Parts::Sequence(items) = &rule.body.parts else { return None };
    let mut left: Vec<Item> = Vec::new();
    for item in items {
        let kind = match &item.kind {
            Kind::Step { id, test, .. } => {
                Kind::Step { id: *id, test: test.clone(), quantifier: Quantifier::once() }
            }
            not @ Kind::Not { .. } if !left.is_empty() => not.clone(),
            _ => continue,
        };
        left.push(Item { arrow: item.arrow, gap: Gap::NONE, kind });
    }
    while left.last().is_some_and(Item::is_not) {
        left.pop();
    }
    let mut rule = Rule { leading: None, ..rule.clone() };
    rule.body.parts = Parts::Sequence(left);
    rule.body.within = Some(Length::Millis(within));
    of_rule(&rule, &[]).filter(|plain| plain.steps.len() > 1)?;
    Some(rule)
}

/// Returns the steps of a plain pattern; none if it is not plain.
fn of_rule<'a>(rule: &'a Rule, events: &'a [Event]) -> Option<Plain<'a>> {
    let Parts::Sequence(items) = &rule.body.parts else { return None };
    let mut steps: Vec<Step<'_>> = Vec::new();
    let mut nots = Vec::new();
    for item in items {
        match &item.kind {
            Kind::Step { id, test, quantifier }
                if quantifier.is_once() && item.gap == Gap::NONE =>
            {
                let nots = std::mem::take(&mut nots);
                steps.push(Step { id: *id, arrow: item.arrow, test, nots });
            }
            Kind::Not { tests, time, repeat: false } if !steps.is_empty() => {
                nots.push((item.arrow, &tests[..], *time));
            }
            _ => return None,
        }
    }
    let is_plain = nots.is_empty() && !steps.is_empty() && rule.leading.is_none();
    let Length::Millis(within) = rule.body.within? else { return None };
    let plain = Plain { steps, without: &rule.body.without, within, events };
    is_plain.then_some(plain)
}

impl Plain<'_> {
    fn time(&self, event: usize) -> i64 {
        self.events[event].time
    }

    /// "An event exactly `within` after the first is too late."
    fn deadline(&self, list: &List) -> i64 {
        self.time(list.begin()) + self.within
    }

    fn is_complete(&self, list: &List) -> bool {
        list.captures.len() == self.steps.len()
    }

    fn fits(&self, list: &List, tests: &[Test], event: usize) -> bool {
        Context { events: self.events, captures: &list.captures }.fits_any(tests, event)
    }

    /// Returns a length of time: "Null and negative values count as zero."
    fn length(&self, list: &List, length: Length) -> i64 {
        match length {
            Length::Millis(millis) => millis,
            Length::Said(step) => {
                let event = list.captures.iter().find(|(_, of)| *of == step);
                event.and_then(|(event, _)| self.events[*event].wait()).unwrap_or(0).max(0)
            }
        }
    }

    /// Returns the end of the silences before the next step: "Several `not` in a row follow each
    /// other. One with a time begins when the silences before it in the row are over."
    fn silences_end(&self, list: &List) -> i64 {
        let nots = self.steps[list.captures.len()].nots.iter();
        let lengths = nots.filter_map(|(_, _, time)| *time);
        self.time(list.last()) + lengths.map(|time| self.length(list, time)).sum::<i64>()
    }

    /// True if the next step can take the event, which comes while the list is open.
    fn takes(&self, list: &List, event: usize) -> bool {
        let step = &self.steps[list.captures.len()];
        let is_next = event == list.last() + 1;
        let next_not = step.nots.iter().any(|(arrow, tests, _)| {
            // "`next not` concerns the very next event, no matter which step would capture it."
            *arrow == Arrow::Next && is_next && self.fits(list, tests, event)
        });
        // "The very next event of the stream has to be a `b`."
        (step.arrow != Arrow::Next || is_next)
            && !next_not
            // "An event of the next step that comes too early is skipped."
            && self.time(event) >= self.silences_end(list)
            && self.time(event) < self.deadline(list)
            && self.fits(list, std::slice::from_ref(step.test), event)
    }

    /// True if the list waits on after an event that comes while it is open.
    fn waits_on(&self, list: &List, event: usize) -> bool {
        match self.steps[list.captures.len()].arrow {
            Arrow::Next => false,
            // "Events that do not fit are skipped, up to the first that does."
            Arrow::Relaxed => !self.takes(list, event) && !self.violates(list, event),
            // "Events that fit may be skipped, too." "An event that the step skips although it fits,
            // under `any`, is between."
            Arrow::Any => !self.violates(list, event),
        }
    }

    /// True if an event that the list does not capture is one that must not come.
    fn violates(&self, list: &List, event: usize) -> bool {
        let mut begin = self.time(list.last());
        for (arrow, tests, time) in &self.steps[list.captures.len()].nots {
            let fits = self.fits(list, tests, event);
            let comes = match (arrow, time) {
                (Arrow::Next, _) => event == list.last() + 1,
                (_, Some(time)) => {
                    let time = self.length(list, *time);
                    begin += time;
                    (begin - time..begin).contains(&self.time(event))
                }
                // "One without a time begins then, too, and holds up to the next step."
                (_, None) => self.time(event) >= begin,
            };
            if fits && comes {
                return true;
            }
        }
        // "`without x` forbids an `x` from the first event of a match to its last."
        self.fits(list, self.without, event)
    }

    /// Returns every list, each after its parent; none if there are too many.
    fn lists(&self) -> Option<Vec<List>> {
        let empty = List { captures: Vec::new(), parent: None };
        let first = std::slice::from_ref(self.steps[0].test);
        let begins = (0..self.events.len()).filter(|event| self.fits(&empty, first, *event));
        let begun = |event| List { captures: vec![(event, self.steps[0].id)], parent: None };
        let mut lists: Vec<List> = begins.map(begun).collect();
        let mut number = 0;
        while number < lists.len() {
            for event in lists[number].last() + 1..self.events.len() {
                let list = &lists[number];
                if self.is_complete(list) || !self.is_open_before(list, event) {
                    break;
                }
                if self.takes(list, event) {
                    let mut captures = list.captures.clone();
                    captures.push((event, self.steps[captures.len()].id));
                    lists.push(List { captures, parent: Some(number) });
                }
            }
            if lists.len() > MOST_LISTS {
                return None;
            }
            number += 1;
        }
        Some(lists)
    }

    /// True if the list waits on after each event between its last one and this one.
    fn is_open_before(&self, list: &List, event: usize) -> bool {
        (list.last() + 1..event).all(|other| self.waits_on(list, other))
    }
}

/// The first of several lists of one moment: "the one that began first; of these the one that
/// captured most; of these, from the last event backwards, the one with the earlier event".
fn in_order(list: &List) -> (usize, Reverse<usize>, Vec<Capture>) {
    let backwards = list.captures.iter().rev().copied().collect();
    (list.begin(), Reverse(list.captures.len()), backwards)
}

/// Returns the matches that `skip` leaves and the timeouts; none if there are too many lists, or if
/// the page does not say which of them gives way.
pub(super) fn found(rule: &ClauseRule, events: &[Event], end: i64) -> Option<Vec<Found>> {
    let plain = of_rule(&rule.rule, events)?;
    let lists = &plain.lists()?;
    let (open, waiting) = (Vec::new(), Vec::new());
    let mut course = Course { rule, plain: &plain, lists, open, waiting, found: Vec::new() };
    for event in 0..events.len() {
        course.time_out(plain.time(event));
        course.meet(event)?;
    }
    course.time_out(end);
    assert_same_matches(rule, events, end, &course.found);
    Some(course.found)
}

/// The lists in the course of the stream.
struct Course<'a> {
    rule: &'a ClauseRule,
    plain: &'a Plain<'a>,
    lists: &'a [List],
    /// The lists that are open.
    open: Vec<usize>,
    /// The complete lists that wait for older ones (`ordered`).
    waiting: Vec<usize>,
    found: Vec<Found>,
}

impl Course<'_> {
    /// Lets an event come.
    fn meet(&mut self, event: usize) -> Option<()> {
        let Course { plain, lists, .. } = *self;
        let born = |list: &List| {
            list.last() == event && list.parent.is_none_or(|parent| self.open.contains(&parent))
        };
        let numbers = 0..lists.len();
        let mut born: Vec<usize> = numbers.filter(|number| born(&lists[*number])).collect();
        self.open.retain(|number| plain.waits_on(&lists[*number], event));
        born.sort_by_key(|number| in_order(&lists[*number]));
        let (complete, begun): (Vec<usize>, Vec<usize>) =
            born.into_iter().partition(|number| plain.is_complete(&lists[*number]));
        self.open.extend(begun);
        let before_skip = self.open.len();
        self.report(complete, plain.time(event), Some(event));
        if let Some((most, gives_way)) = self.rule.limit {
            // `limit-before-skip`: the page does not say if what a match drops counts at the event
            // that completes the match. The engine counts it.
            let is_less = self.open.len() < before_skip;
            if is_less && before_skip > most && !includes("limit-before-skip") {
                return None;
            }
            give_way(lists, &mut self.open, most, gives_way)?;
        }
        Some(())
    }

    /// Lets time pass: "each partial match that runs out of time is reported. It is reported when
    /// time passes the deadline, and carries the deadline as its time."
    fn time_out(&mut self, time: i64) {
        let Course { plain, lists, .. } = *self;
        let deadline = |number: &usize| plain.deadline(&lists[*number]);
        while let Some(next) = self.open.iter().map(deadline).min().filter(|next| *next <= time) {
            let is_over = |number: &usize| deadline(number) == next;
            let mut over: Vec<usize> = self.open.iter().copied().filter(is_over).collect();
            self.open.retain(|number| !is_over(number));
            over.sort_by_key(|number| in_order(&lists[*number]));
            if self.rule.rule.timeouts {
                let output = |number: &usize| self.output(*number, next, None, true);
                let outputs: Vec<Found> = over.iter().map(output).collect();
                self.found.extend(outputs);
            }
            self.report(Vec::new(), next, None);
        }
    }

    /// Reports what is complete, but for what waits: "With `ordered` a match waits while an older
    /// partial match lives." It is reported by what ends the last of these, at that time.
    fn report(&mut self, complete: Vec<usize>, time: i64, event: Option<usize>) {
        let Course { rule, lists, .. } = *self;
        let skip = rule.rule.skip;
        let mut left = std::mem::take(&mut self.waiting);
        left.extend(complete);
        left.sort_by_key(|number| in_order(&lists[*number]));
        while let Some(number) = left.first().copied() {
            let list = &lists[number];
            let is_older = |other: &usize| lists[*other].begin() < list.begin();
            if rule.rule.ordered && self.open.iter().any(is_older) {
                break;
            }
            left.remove(0);
            let stays = |other: &usize| !drops(skip, &list.captures, lists[*other].begin());
            left.retain(stays);
            self.open.retain(stays);
            self.found.push(self.output(number, time, event, false));
        }
        self.waiting = left;
    }

    fn output(&self, number: usize, time: i64, event: Option<usize>, is_timeout: bool) -> Found {
        let captures = self.lists[number].captures.clone();
        Found { is_timeout, captures, time, after: None, event, repetition: 1 }
    }
}

/// True if `KLEENE_HUNT_INCLUDE` names what is left out.
fn includes(name: &str) -> bool {
    let included = std::env::var("KLEENE_HUNT_INCLUDE").unwrap_or_default();
    included == "all" || included.split(',').any(|one| one == name)
}

/// "`drop oldest` gives up the one that began first, `drop newest` the one that began last." Returns
/// none if several began with the same event, and not all of them give way.
fn give_way(lists: &[List], open: &mut Vec<usize>, most: usize, gives_way: GiveWay) -> Option<()> {
    let Some(excess) = open.len().checked_sub(most) else { return Some(()) };
    open.sort_by_key(|number| lists[*number].begin());
    if gives_way == GiveWay::Newest {
        open.reverse();
    }
    let stays = open.split_off(excess);
    let begin = |numbers: Option<&usize>| numbers.map(|number| lists[*number].begin());
    let is_decided = open.is_empty() || begin(open.last()) != begin(stays.first());
    *open = stays;
    is_decided.then_some(())
}

/// Compares the complete lists with the matches of the pattern's enumerator.
fn assert_same_matches(rule: &ClauseRule, events: &[Event], end: i64, found: &[Found]) {
    if rule.limit.is_some() || rule.rule.skip != Skip::None {
        return;
    }
    let Some(matches) = all_matches(&rule.rule, events, end) else { return };
    let complete = found.iter().filter(|one| !one.is_timeout).map(|one| &one.captures);
    let matches = matches.iter().map(|one| &one.captures);
    assert!(complete.eq(matches), "{}: the lists are not the matches of {events:?}", rule.rule);
}
