//! What the page asks of an assignment.

use super::assign::{Content, Node, captures_of, events_of, events_of_content, events_of_node};
use super::branches::Choice;
use super::evaluate::{Capture, Context};
use super::moment::Moment;
use super::rule::{Arrow, Body, Event, Gap, Item, Kind, Length, Parts, Quantifier, Rule, Test};

/// The first broken condition.
pub(super) type Verdict = Result<(), &'static str>;

/// A match: the captured events in order, and the moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Match {
    pub(super) captures: Vec<Capture>,
    pub(super) moment: Moment,
    /// The number of the report of a silence that repeats, or 1.
    pub(super) repetition: i64,
}

/// An assignment with what it is judged by.
pub(super) struct Judge<'a> {
    pub(super) events: &'a [Event],
    pub(super) captures: &'a [Capture],
    /// The number of the report of a silence that repeats, or 1.
    pub(super) repetition: i64,
}

/// How the first event of a part follows; no arrow where the pattern begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lead {
    pub(super) arrow: Option<Arrow>,
    pub(super) gap: Bounds,
}

/// A gap in milliseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Bounds {
    pub(super) least: Option<i64>,
    pub(super) most: Option<i64>,
}

impl Bounds {
    pub(super) const NONE: Bounds = Bounds { least: None, most: None };

    /// Returns the bounds that keep both.
    pub(super) fn and(self, other: Bounds) -> Bounds {
        let most = [self.most, other.most].into_iter().flatten().min();
        Bounds { least: self.least.max(other.least), most }
    }
}

/// The time at which `within` runs out.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Deadline {
    pub(super) time: i64,
    /// The event from which it runs.
    first: usize,
    /// The event that says how long: "The bound applies from that event on."
    said_by: Option<usize>,
}

impl Deadline {
    /// True if an event comes too late. "The first event of a group is never too late for the
    /// group's own `within`", nor is one that would begin the group before it.
    fn is_over(self, event: usize, time: i64) -> bool {
        time >= self.time
            && event > self.first
            && self.said_by.is_none_or(|said_by| said_by <= event)
    }
}

/// What encloses a part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a, 'o> {
    /// The `until` of the group that the part stands in.
    pub(super) until: &'a [Test],
    /// True if something of the pattern follows.
    pub(super) followed: bool,
    /// True if the group around it can come more than once.
    pub(super) repeats: bool,
    /// True if a further repetition of the group around it can follow.
    pub(super) comes_again: bool,
    /// The time at which a group around it has run out of `within`.
    pub(super) deadline: Option<Deadline>,
    /// The same of groups that come once.
    pub(super) deadline_once: Option<Deadline>,
    /// The events of the innermost group around it.
    pub(super) own: &'o [usize],
    /// The events of the innermost branch around it that happens beside others.
    pub(super) branch: Option<&'o [usize]>,
}

impl Place<'_, '_> {
    /// True if the group around it has begun before an event.
    pub(super) fn has_begun_before(&self, event: usize) -> bool {
        self.own.iter().any(|own| *own < event)
    }
}

/// A `not` without a time that holds up to the next captured event.
#[derive(Clone, Debug)]
struct PendingNot<'a> {
    tests: &'a [Test],
    from: usize,
    own: Vec<usize>,
    from_time: i64,
}

/// A greedy loop that is open until the next captured event.
#[derive(Clone, Debug)]
pub(super) struct OpenLoop<'a> {
    /// What could be taken: the step, or what a repetition of the group can begin with.
    pub(super) heads: Vec<&'a Test>,
    pub(super) quantifier: &'a Quantifier,
    /// The `until` of the group around it.
    pub(super) group_until: &'a [Test],
    pub(super) lead: Lead,
    /// The loop's first event.
    pub(super) first: Option<usize>,
    /// The last event of the loop, or before it.
    pub(super) last: Option<usize>,
    min_time: Option<i64>,
    /// The end of a silence beside other branches: what comes before it is skipped.
    done_at: Option<i64>,
    deadline: Option<Deadline>,
    /// True if something of the pattern can follow, a further repetition of a group included.
    pub(super) followed: bool,
    /// The events of the loop that may come later: they are its own.
    own: Vec<usize>,
}

impl<'a> OpenLoop<'a> {
    /// Returns a greedy loop that is left out at the cursor.
    pub(super) fn left_out(
        item: &'a Item,
        cursor: &Cursor<'a>,
        lead: Lead,
        group_until: &'a [Test],
    ) -> Option<OpenLoop<'a>> {
        let (heads, quantifier) = match &item.kind {
            Kind::Step { test, quantifier, .. } => (vec![test], quantifier),
            Kind::Group { body, quantifier } => (heads_of(&body.parts), quantifier),
            Kind::Not { .. } => return None,
        };
        quantifier.is_greedy().then(|| OpenLoop {
            heads,
            quantifier,
            group_until,
            lead,
            first: None,
            last: cursor.begun,
            min_time: cursor.min_time,
            done_at: cursor.done_at,
            deadline: None,
            followed: true,
            own: Vec::new(),
        })
    }
}

/// How far a sequence has come.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) last: Option<usize>,
    /// The first event of the group, in a branch that begins behind others.
    pub(super) group_from: Option<usize>,
    /// The events of the branch that the group stands in, for a branch that begins behind others.
    pub(super) around: Option<Vec<usize>>,
    /// The event from which on what is left out is open.
    pub(super) begun: Option<usize>,
    /// The moment from which a silence counts.
    pub(super) base: i64,
    pub(super) min_time: Option<i64>,
    /// The moment at which a group of silences is done.
    pub(super) done_at: Option<i64>,
    /// True after a group of which only silences have happened.
    pub(super) is_silent: bool,
    not_from: Option<usize>,
    not_own: Vec<usize>,
    nots: Vec<PendingNot<'a>>,
    pub(super) open: Vec<OpenLoop<'a>>,
}

impl<'a> Cursor<'a> {
    pub(super) fn start() -> Cursor<'a> {
        Cursor {
            last: None,
            group_from: None,
            around: None,
            begun: None,
            base: i64::MIN,
            min_time: None,
            done_at: None,
            is_silent: false,
            not_from: None,
            not_own: Vec::new(),
            nots: Vec::new(),
            open: Vec::new(),
        }
    }

    /// Returns the cursor without what the next captured event decides.
    fn without_pending(&self) -> Cursor<'a> {
        Cursor { nots: Vec::new(), open: Vec::new(), ..self.clone() }
    }

    /// Returns the cursor for a branch that begins behind others: from the first event of the group
    /// on, the others wait anew.
    pub(super) fn in_later_branch(
        self,
        first: Option<usize>,
        around: Option<&[usize]>,
    ) -> Cursor<'a> {
        let around = around.map(<[usize]>::to_vec);
        Cursor { begun: first, group_from: first, around, ..self.without_pending() }
    }

    pub(super) fn after(last: usize, time: i64) -> Cursor<'a> {
        Cursor {
            last: Some(last),
            begun: Some(last),
            base: time,
            not_from: Some(last),
            ..Cursor::start()
        }
    }
}

/// Judges an assignment to the whole pattern, at a report of a silence that repeats.
pub(super) fn judge(
    rule: &Rule,
    events: &[Event],
    content: &Content,
    repetition: i64,
) -> Result<Match, &'static str> {
    let mut captures = Vec::new();
    captures_of(&rule.body, content, &mut captures);
    captures.sort_unstable();
    let judge = Judge { events, captures: &captures, repetition };
    let (Some(first), Some(last)) = (captures.first(), captures.last()) else {
        return Err("nothing is captured");
    };
    let (first, last) = (first.0, last.0);
    if let Some((tests, time)) = &rule.leading {
        judge.leading(tests, *time, first)?;
    }
    let lead = Lead { arrow: None, gap: Bounds::NONE };
    let place = Place {
        until: &[],
        followed: false,
        repeats: false,
        comes_again: false,
        deadline: None,
        deadline_once: None,
        own: &[],
        branch: None,
    };
    let cursor = judge.content(&rule.body, content, Cursor::start(), lead, place)?;
    let moment = judge.moment(rule, &cursor, first, last)?;
    judge.ending(rule, &cursor, moment)?;
    judge.pattern_without(rule, (first, last), moment)?;
    Ok(Match { captures: captures.clone(), moment, repetition })
}

impl<'a> Judge<'a> {
    fn context(&self) -> Context<'a> {
        Context { events: self.events, captures: self.captures }
    }

    pub(super) fn fits_any(&self, tests: &[Test], event: usize) -> bool {
        self.context().fits_any(tests, event)
    }

    pub(super) fn fits_some(&self, tests: &[&Test], event: usize) -> bool {
        tests.iter().any(|test| self.context().fits(test, event))
    }

    pub(super) fn is_captured(&self, event: usize) -> bool {
        self.captures.iter().any(|(captured, _)| *captured == event)
    }

    pub(super) fn time(&self, event: usize) -> i64 {
        self.events[event].time
    }

    /// Returns the events after one, up to but not at a time.
    pub(super) fn until_time(
        &self,
        after: Option<usize>,
        time: i64,
    ) -> impl Iterator<Item = usize> {
        let start = after.map_or(0, |after| after + 1);
        let events = self.events;
        (start..events.len()).take_while(move |event| events[*event].time < time)
    }

    /// Returns a length of time: "Each of these can be a duration from a captured event." "Null and
    /// negative values count as zero."
    pub(super) fn length(&self, length: Length) -> i64 {
        match length {
            Length::Millis(millis) => millis,
            Length::Said(step) => {
                let wait = self.captured_as(step).and_then(|event| self.events[event].wait());
                wait.unwrap_or(0).max(0)
            }
        }
    }

    /// Returns the event of a step that comes once.
    fn captured_as(&self, step: usize) -> Option<usize> {
        let captured = self.captures.iter().find(|(_, of)| *of == step);
        captured.map(|(event, _)| *event)
    }

    /// Returns the end of `within` from an event on.
    pub(super) fn deadline(&self, first: usize, within: Length) -> Deadline {
        let said_by = match within {
            Length::Millis(_) => None,
            Length::Said(step) => self.captured_as(step),
        };
        Deadline { time: self.time(first) + self.length(within), first, said_by }
    }

    /// True if `within` bounds the pattern: "has no effect if the event with its duration was not
    /// captured".
    pub(super) fn is_known(&self, within: Length) -> bool {
        match within {
            Length::Millis(_) => true,
            Length::Said(step) => self.captured_as(step).is_some(),
        }
    }

    pub(super) fn bounds(&self, gap: Gap) -> Bounds {
        let length = |end: Option<Length>| end.map(|end| self.length(end));
        Bounds { least: length(gap.least), most: length(gap.most) }
    }

    /// "At the start, `not b for 5s` requires a silence before the first event: no `b` less than
    /// five seconds before it."
    fn leading(&self, tests: &[Test], time: i64, first: usize) -> Verdict {
        let context = Context { events: self.events, captures: &[] };
        let broken = (0..first).any(|event| {
            self.time(first) - self.time(event) < time && context.fits_any(tests, event)
        });
        if broken { Err("leading silence") } else { Ok(()) }
    }

    /// Follows a body: the pattern, or what a group has in one repetition.
    fn content(
        &self,
        body: &'a Body,
        content: &Content,
        cursor: Cursor<'a>,
        lead: Lead,
        place: Place<'a, '_>,
    ) -> Result<Cursor<'a>, &'static str> {
        match (&body.parts, content) {
            (Parts::Sequence(items), Content::Sequence(nodes)) => {
                self.sequence(items, nodes, cursor, lead, place)
            }
            (Parts::Branches { branches, need }, Content::Branches(chosen)) => {
                let choice = Choice { branches, chosen, need: *need };
                self.branches(choice, cursor, lead, place)
            }
            _ => unreachable!("the assignment is one of this body"),
        }
    }

    pub(super) fn sequence(
        &self,
        items: &'a [Item],
        nodes: &[Node],
        mut cursor: Cursor<'a>,
        lead: Lead,
        place: Place<'a, '_>,
    ) -> Result<Cursor<'a>, &'static str> {
        for (number, (item, node)) in items.iter().zip(nodes).enumerate() {
            let followed = place.followed || items[number + 1..].iter().any(|item| !item.is_not());
            let place = Place { followed, ..place };
            // "The first step of a group follows by the arrow of the outermost group that starts
            // there." A gap bounds the first event.
            let is_begun = nodes[..number].iter().any(|node| !events_of_node(node).is_empty());
            let gap = self.bounds(item.gap);
            let gap = if is_begun { gap } else { gap.and(lead.gap) };
            let own = Lead { arrow: Some(item.arrow), gap };
            let lead = if number == 0 { lead } else { own };
            cursor = match (&item.kind, node) {
                (Kind::Not { tests, time, repeat }, _) => {
                    let time = time.map(|time| self.silence(time, *repeat)).transpose()?;
                    self.not(item.arrow, tests, time, cursor)?
                }
                (Kind::Step { test, quantifier, .. }, Node::Step(events)) => {
                    self.step((test, quantifier), events, cursor, lead, place)?
                }
                (Kind::Group { body, quantifier }, Node::Group(contents)) => {
                    let group = Group { body, quantifier, contents };
                    self.group(group, cursor, lead, place)?
                }
                _ => unreachable!("the assignment is one of these items"),
            };
        }
        Ok(cursor)
    }

    /// "It reports what `not b for 5s`, `for 10s`, `for 15s` and so on would report." "If an event
    /// sets the length of the silence to zero or less, the silence is reported once."
    fn silence(&self, time: Length, repeat: bool) -> Result<i64, &'static str> {
        let time = self.length(time);
        if self.repetition > 1 && repeat && time == 0 {
            return Err("no time at all");
        }
        Ok(if repeat { time * self.repetition } else { time })
    }

    fn not(
        &self,
        arrow: Arrow,
        tests: &'a [Test],
        time: Option<i64>,
        mut cursor: Cursor<'a>,
    ) -> Result<Cursor<'a>, &'static str> {
        let Some(last) = cursor.last else { return Err("a `not` with nothing before it") };
        if arrow == Arrow::Next {
            // "`next not` concerns the very next event, no matter which step would capture it."
            let next = last + 1;
            if next < self.events.len() && self.fits_any(tests, next) {
                return Err("next not");
            }
            // "After a `next not` in the same row, it applies from the last event before the row
            // on."
            (cursor.not_from, cursor.not_own) = (Some(last), Vec::new());
        } else if let Some(time) = time {
            // "Between two steps, `not b for 5s` requires a silence of that length: no `b` for five
            // seconds after the previous event, and then the next step." "The silence begins with
            // the last event before it." Several follow each other.
            let (from, end) = (cursor.base, cursor.base + time);
            let broken = self
                .until_time(Some(last), end)
                .any(|event| self.time(event) >= from && self.fits_any(tests, event));
            if broken {
                return Err("silence");
            }
            cursor.base = end;
            cursor.min_time = Some(end);
            // A `not` without a time behind it begins when it is over.
            (cursor.not_from, cursor.not_own) = (Some(last), Vec::new());
        } else {
            // "forbids events between them"; after a loop "from the first event of the first
            // repetition on".
            let (from, own) = (cursor.not_from.unwrap_or(last), cursor.not_own.clone());
            let from_time = if cursor.base > self.time(last) { cursor.base } else { i64::MIN };
            // Before the end of a silence beside them, the branches are not complete.
            let from_time = from_time.max(cursor.done_at.unwrap_or(i64::MIN));
            cursor.nots.push(PendingNot { tests, from, own, from_time });
        }
        Ok(cursor)
    }

    fn step(
        &self,
        (test, quantifier): (&'a Test, &'a Quantifier),
        events: &[usize],
        mut cursor: Cursor<'a>,
        lead: Lead,
        place: Place<'a, '_>,
    ) -> Result<Cursor<'a>, &'static str> {
        let before = (cursor.min_time, cursor.done_at);
        for (number, &event) in events.iter().enumerate() {
            let inner = Lead { arrow: Some(quantifier.inner), gap: Bounds::NONE };
            let lead = if number == 0 { lead } else { inner };
            let taken = Taken { test, event };
            cursor = self.take(taken, &cursor, lead, place)?;
            // "`until` ends a loop that has begun. The event that ends it is not part of the loop."
            // "The loop never takes an event that fits both."
            if (events[0]..=event).any(|event| self.fits_any(&quantifier.until, event)) {
                return Err("until");
            }
        }
        if let Some(first) = events.first() {
            cursor.not_from = Some(*first);
            cursor.not_own = events.to_vec();
        } else {
            (cursor.not_from, cursor.not_own) = (cursor.last, Vec::new());
        }
        let open = OpenLoop {
            heads: vec![test],
            quantifier,
            group_until: place.until,
            lead,
            first: events.first().copied(),
            last: cursor.begun,
            min_time: before.0,
            done_at: before.1,
            deadline: place.deadline_once,
            followed: place.followed || place.comes_again,
            own: Vec::new(),
        };
        if quantifier.is_greedy() {
            cursor.open.push(open);
        }
        Ok(cursor)
    }

    /// Captures an event as a step.
    fn take(
        &self,
        taken: Taken<'_>,
        cursor: &Cursor<'a>,
        lead: Lead,
        place: Place<'a, '_>,
    ) -> Result<Cursor<'a>, &'static str> {
        let Taken { test, event } = taken;
        if !self.context().fits(test, event) {
            return Err("does not fit");
        }
        self.arrow(taken, cursor, lead)?;
        self.nots(cursor, event)?;
        self.group_until(event, cursor, place)?;
        for open in &cursor.open {
            // "it takes each event that it can take. No step after the loop takes or skips that
            // event." At the start of the pattern there is nothing before the first event.
            let start = open.last.map_or(event, |last| last + 1);
            let kept = (start..=event).any(|other| {
                let is_own = open.own.contains(&other);
                let elsewhere = other < event && self.is_captured(other);
                !is_own && !elsewhere && self.could_take(open, other)
            });
            if kept {
                return Err("greedy");
            }
        }
        Ok(Cursor::after(event, self.time(event)))
    }

    /// How an event follows the one before it.
    fn arrow(&self, taken: Taken<'_>, cursor: &Cursor<'_>, lead: Lead) -> Verdict {
        let Taken { test, event } = taken;
        let before = |event| self.gap_from(cursor, event);
        let is_in_time = |event| {
            before(event).is_none_or(|from| self.in_time(event, from, cursor.min_time, lead.gap))
        };
        if !is_in_time(event) {
            return Err("gap");
        }
        // "`next` requires the event right after the first event of the group"
        let Some(last) = cursor.group_from.or(cursor.last) else { return Ok(()) };
        match lead.arrow {
            // "nothing: the very next event of the stream has to be a `b`"
            Some(Arrow::Next) if !self.is_next(event, last, cursor.done_at) => Err("next"),
            // "events that do not fit are skipped, up to the first event that fits"
            Some(Arrow::Relaxed) => {
                let skipped = (last + 1..event).any(|other| {
                    !self.is_captured(other)
                        && is_in_time(other)
                        // An event that fits both the loop and its `until` "cannot be skipped
                        // either".
                        && self.context().fits(test, other)
                });
                if skipped { Err("relaxed") } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    /// True if nothing comes between two events. Behind a silence beside other branches, "events
    /// before the end of a required silence are skipped".
    fn is_next(&self, event: usize, last: usize, done_at: Option<i64>) -> bool {
        let done_at = done_at.unwrap_or(i64::MIN);
        event > last && (last + 1..event).all(|between| self.time(between) < done_at)
    }

    /// Returns the event from which a gap counts: "the last event of that branch. If the branch has
    /// no event yet, .. the gap counts from the event captured last on any branch of the same `and`
    /// or `of`."
    pub(super) fn gap_from(&self, cursor: &Cursor<'_>, event: usize) -> Option<usize> {
        if cursor.group_from.is_none() {
            return cursor.last;
        }
        let is_around = |captured: &usize| {
            cursor.around.as_ref().is_none_or(|around| around.contains(captured))
        };
        let captured = self.captures.iter().map(|(captured, _)| *captured);
        captured.filter(|captured| *captured < event && is_around(captured)).max()
    }

    /// "`->[1m..5m]` bounds the time between the events before and after the arrow, both ends
    /// included." "An event of the next step that comes too early is skipped."
    pub(super) fn in_time(
        &self,
        event: usize,
        last: usize,
        min_time: Option<i64>,
        gap: Bounds,
    ) -> bool {
        let passed = self.time(event) - self.time(last);
        min_time.is_none_or(|time| self.time(event) >= time)
            && gap.least.is_none_or(|least| passed >= least)
            && gap.most.is_none_or(|most| passed <= most)
    }

    /// "applies up to the first event captured after it, and no further"
    pub(super) fn nots(&self, cursor: &Cursor<'_>, event: usize) -> Verdict {
        let broken = |not: &PendingNot<'_>| {
            (not.from + 1..event).any(|other| {
                !not.own.contains(&other)
                    && self.time(other) >= not.from_time
                    && self.fits_any(not.tests, other)
            })
        };
        if cursor.nots.iter().any(broken) { Err("not") } else { Ok(()) }
    }

    /// "The `until` of a group is tested at each step of the group, from the first one on,
    /// including alternatives. .. it is not tested at the steps of an inner group." Before the
    /// first event of the group there is nothing to end.
    fn group_until(&self, event: usize, cursor: &Cursor<'_>, place: Place<'a, '_>) -> Verdict {
        let last = cursor.group_from.or(cursor.last);
        let begun = last.filter(|last| place.own.contains(last));
        let start = begun.map_or(event, |last| last + 1);
        if (start..=event).any(|other| self.fits_any(place.until, other)) {
            Err("until of the group")
        } else {
            Ok(())
        }
    }

    /// True if a greedy loop can take an event at this moment.
    pub(super) fn could_take(&self, open: &OpenLoop<'_>, event: usize) -> bool {
        if open.deadline.is_some_and(|deadline| deadline.is_over(event, self.time(event))) {
            return false;
        }
        if self.fits_any(open.group_until, event) {
            return false;
        }
        let last = open.last.unwrap_or(event);
        if open.first.is_some() {
            // "[not] with `next`, from the event on that breaks its row"
            if open.quantifier.inner == Arrow::Next && event != last + 1 {
                return false;
            }
            // "[not] after its `until`"; an event that it took or skipped before its last event has
            // not ended it.
            let mut tested = last + 1..=event;
            if tested.any(|event| self.fits_any(&open.quantifier.until, event)) {
                return false;
            }
        } else {
            // "nothing: the very next event of the stream has to be a `b`"
            let is_next = open.last.is_none_or(|last| self.is_next(event, last, open.done_at));
            if open.lead.arrow == Some(Arrow::Next) && !is_next {
                return false;
            }
            // "[not] outside the gap before it, as long as the loop has not begun"
            let in_time = |last| self.in_time(event, last, open.min_time, open.lead.gap);
            if !open.last.is_none_or(in_time) {
                return false;
            }
            if self.fits_any(&open.quantifier.until, event) {
                return false;
            }
        }
        self.fits_some(&open.heads, event)
    }

    fn group(
        &self,
        group: Group<'a, '_>,
        mut cursor: Cursor<'a>,
        lead: Lead,
        place: Place<'a, '_>,
    ) -> Result<Cursor<'a>, &'static str> {
        let Group { body, quantifier, contents } = group;
        let before = (cursor.min_time, cursor.done_at);
        let all: Vec<usize> = contents.iter().flat_map(events_of_content).collect();
        for (number, content) in contents.iter().enumerate() {
            let events = events_of_content(content);
            let inner = Lead { arrow: Some(quantifier.inner), gap: Bounds::NONE };
            let lead = if number == 0 { lead } else { inner };
            // "`within` at the end of the group bounds each repetition."
            let first = events.iter().min();
            let own_deadline = first.and_then(|first| Some(self.deadline(*first, body.within?)));
            let last = events.iter().max();
            if let (Some(deadline), Some(last)) = (own_deadline, last)
                && deadline.is_over(*last, self.time(*last))
            {
                return Err("within of a group");
            }
            let earliest = |other| [own_deadline, other].into_iter().flatten().min();
            let deadline = earliest(place.deadline);
            let repeats = place.repeats || quantifier.max != Some(1);
            let deadline_once =
                if repeats { place.deadline_once } else { earliest(place.deadline_once) };
            // Alternatives in parentheses are these.
            let (until, own) = if is_just_branches(body, quantifier) {
                (place.until, place.own)
            } else {
                (&quantifier.until[..], &all[..])
            };
            let is_last = quantifier.max.is_some_and(|max| number + 1 >= max);
            let comes_again = place.comes_again || !is_last;
            let inside =
                Place { until, repeats, comes_again, deadline, deadline_once, own, ..place };
            cursor = self.content(body, content, cursor, lead, inside)?;
            self.group_without(&body.without, &events)?;
        }
        // What comes once at most does not repeat.
        if !all.is_empty() && quantifier.max != Some(1) {
            cursor.not_from = all.first().copied();
            cursor.not_own.clone_from(&all);
        } else if all.is_empty() {
            (cursor.not_from, cursor.not_own) = (cursor.last, Vec::new());
        }
        let open = OpenLoop {
            heads: heads_of(&body.parts),
            quantifier,
            group_until: place.until,
            lead,
            first: all.iter().min().copied(),
            last: cursor.begun,
            min_time: before.0,
            done_at: before.1,
            deadline: place.deadline_once,
            followed: place.followed || place.comes_again,
            own: Vec::new(),
        };
        if quantifier.is_greedy() {
            cursor.open.push(open);
        }
        Ok(cursor)
    }

    /// "`without x` forbids an `x` from the first event of a match to its last." "For the `without`
    /// of a group, only the events captured by the group itself are exempt."
    fn group_without(&self, tests: &[Test], events: &[usize]) -> Verdict {
        let (Some(&first), Some(&last)) = (events.iter().min(), events.iter().max()) else {
            return Ok(());
        };
        let broken =
            (first..last).any(|event| !events.contains(&event) && self.fits_any(tests, event));
        if broken { Err("without of a group") } else { Ok(()) }
    }
}

/// An event that a step captures.
#[derive(Clone, Copy)]
struct Taken<'t> {
    test: &'t Test,
    event: usize,
}

/// A group and its repetitions.
#[derive(Clone, Copy)]
struct Group<'a, 'n> {
    body: &'a Body,
    quantifier: &'a Quantifier,
    contents: &'n [Content],
}

/// True for alternatives in parentheses that add nothing.
pub(super) fn is_just_branches(body: &Body, quantifier: &Quantifier) -> bool {
    let Body { parts, without, within } = body;
    let has_branches = matches!(parts, Parts::Branches { .. });
    has_branches && quantifier.is_once() && without.is_empty() && within.is_none()
}

/// Returns the steps that can take the first event of a body.
pub(super) fn heads_of(parts: &Parts) -> Vec<&Test> {
    match parts {
        Parts::Sequence(items) => heads_of_items(items),
        Parts::Branches { branches, .. } => super::branches::heads(branches),
    }
}

pub(super) fn heads_of_items(items: &[Item]) -> Vec<&Test> {
    let mut heads = Vec::new();
    for item in items {
        match &item.kind {
            Kind::Step { test, .. } => heads.push(test),
            Kind::Group { body, .. } => heads.extend(heads_of(&body.parts)),
            Kind::Not { .. } => {}
        }
        if !item.may_be_empty() {
            break;
        }
    }
    heads
}

/// Returns the first event of a sequence.
pub(super) fn first_event(nodes: &[Node]) -> Option<usize> {
    events_of(nodes).into_iter().min()
}
