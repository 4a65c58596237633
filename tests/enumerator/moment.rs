//! When a match is reported, and what is asked up to that moment.

use super::check::{Cursor, Judge, Lead, OpenLoop, Verdict};
use super::rule::{Arrow, Kind, Mode, Parts, Quantifier, Rule};

/// When a match is reported.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Moment {
    pub(super) time: i64,
    /// For a deadline that has passed already when an event says it, that event: it comes right
    /// after the event. Other deadlines come before the events of their time.
    pub(super) after: Option<usize>,
    /// The event that completes it; none for a deadline.
    pub(super) event: Option<usize>,
}

impl Moment {
    /// Returns what orders moments: the time, and the place among the events of that time.
    pub(super) fn place(self) -> (i64, usize) {
        let after = |event: usize| 2 * event + 1;
        let place = self.event.map(after).or(self.after.map(|event| after(event) + 1));
        (self.time, place.unwrap_or(0))
    }
}

/// Returns the number and the quantifier of a `longest` loop, which is the last step.
fn longest_loop(rule: &Rule) -> Option<(usize, &Quantifier)> {
    let Parts::Sequence(items) = &rule.body.parts else { return None };
    match &items.last()?.kind {
        Kind::Step { id, quantifier, .. } if quantifier.mode == Mode::Longest => {
            Some((*id, quantifier))
        }
        _ => None,
    }
}

impl Judge<'_> {
    fn at_event(&self, event: usize) -> Moment {
        Moment { time: self.time(event), after: None, event: Some(event) }
    }

    fn at_deadline(&self, time: i64, last: usize) -> Moment {
        let after = (time == self.time(last)).then_some(last);
        Moment { time, after, event: None }
    }

    /// "`longest` .. reported once, when the loop can grow no further: at `until`, when `next` is
    /// broken, or when time runs out." What `without` forbids ends the growth, too. A loop that is
    /// full can grow no more either.
    fn end_of_growth(
        &self,
        rule: &Rule,
        cursor: &Cursor<'_>,
        last: usize,
        expiry: Option<i64>,
    ) -> Result<Moment, &'static str> {
        let Some((step, quantifier)) = longest_loop(rule) else { return Err("no such loop") };
        let count = self.captures.iter().filter(|(_, of)| *of == step).count();
        if quantifier.max == Some(count) {
            return Ok(self.at_event(last));
        }
        let has_begun = count > 0;
        let lead = cursor.open.last().map(|open| open.lead);
        // "The loop never takes an event that fits both. If that event would be the first
        // repetition, it cannot be skipped either .. unless the arrow is `any`." Before its gap it
        // fits neither.
        let fits_both = |event: usize| {
            let passed = self.time(event) - self.time(last);
            let early = |lead: Lead| lead.gap.least.is_some_and(|least| passed < least);
            let skips = lead.is_some_and(|lead| lead.arrow == Some(Arrow::Any) || early(lead));
            let fits = |open: &OpenLoop<'_>| self.fits_some(&open.heads, event);
            !skips
                && cursor.open.last().is_some_and(fits)
                && self.fits_any(&quantifier.until, event)
        };
        // "An optional `longest` loop is reported without an event when it can no longer begin:
        // after the very next event if `next` leads to it .. when its gap is over."
        let next =
            if has_begun { Some(quantifier.inner) } else { lead.and_then(|lead| lead.arrow) };
        let gap = lead.and_then(|lead| lead.gap.most).filter(|_| !has_begun);
        let gap_over = gap.map(|most| self.time(last) + most + 1);
        let over = [expiry, gap_over].into_iter().flatten().min();
        let ends = |event: usize| {
            has_begun && self.fits_any(&quantifier.until, event)
                || fits_both(event)
                || next == Some(Arrow::Next)
                || self.fits_any(&rule.body.without, event)
        };
        let is_in_time = |event: &usize| over.is_none_or(|over| self.time(*event) < over);
        let mut later = (last + 1..self.events.len()).take_while(is_in_time);
        match (later.find(|event| ends(*event)), over) {
            (Some(event), _) => Ok(self.at_event(event)),
            (None, Some(over)) => Ok(self.at_deadline(over, last)),
            (None, None) => Err("it can grow still"),
        }
    }

    /// When the match is reported.
    pub(super) fn moment(
        &self,
        rule: &Rule,
        cursor: &Cursor<'_>,
        first: usize,
        last: usize,
    ) -> Result<Moment, &'static str> {
        let within = rule.body.within.filter(|within| self.is_known(*within));
        let expiry = within.map(|within| self.deadline(first, within).time);
        // "An event exactly `within` after the first is too late."
        if expiry.is_some_and(|expiry| self.time(last) >= expiry) {
            return Err("within");
        }
        let at_event = |event: usize| self.at_event(event);
        let at_deadline = |time: i64| self.at_deadline(time, last);
        let not = match &rule.body.parts {
            Parts::Sequence(items) => items.last().map(|item| (item.arrow, &item.kind)),
            Parts::Branches { .. } => None,
        };
        let moment = match not {
            Some((Arrow::Next, Kind::Not { .. })) => {
                if last + 1 >= self.events.len() {
                    return Err("no next event");
                }
                at_event(last + 1)
            }
            // "`not b for 10s` at the end is reported when the ten seconds are over"
            Some((_, Kind::Not { time: Some(_), .. })) => at_deadline(cursor.base),
            // "Without `for`, it needs `within`, and is reported when `within` runs out."
            Some((_, Kind::Not { time: None, .. })) => {
                let time = expiry.ok_or("no within")?;
                // "A silence is reported when it is over, or not at all." In a row, this one begins
                // when those before it are over.
                if cursor.min_time.is_some_and(|over| over >= time) {
                    return Err("timeout");
                }
                return Ok(at_deadline(time));
            }
            _ if longest_loop(rule).is_some() => {
                return self.end_of_growth(rule, cursor, last, expiry);
            }
            // "The match is reported at that time if it does not wait for anything else."
            _ => match cursor.done_at {
                Some(time) if cursor.is_silent || time > self.time(last) => at_deadline(time),
                _ => at_event(last),
            },
        };
        // "If `within` runs out earlier or at the same time, the partial match has timed out."
        if expiry.is_some_and(|expiry| moment.time >= expiry) {
            return Err("timeout");
        }
        Ok(moment)
    }

    /// Returns the end of the events that come up to a moment.
    fn end_of(&self, moment: Moment) -> usize {
        let before = || self.events.iter().take_while(|event| event.time < moment.time).count();
        moment.event.or(moment.after).map_or_else(before, |event| event + 1)
    }

    /// What is open when the match is reported.
    pub(super) fn ending(&self, rule: &Rule, cursor: &Cursor<'_>, moment: Moment) -> Verdict {
        let end = self.end_of(moment);
        if moment.event.is_none() || longest_loop(rule).is_some() {
            self.nots(cursor, end)?;
        }
        // "If `any` leads to it, it may skip events that fit, like any step."
        let may_skip = |open: &OpenLoop<'_>| {
            let is_longest = open.quantifier.mode == Mode::Longest;
            is_longest && open.first.is_none() && open.lead.arrow == Some(Arrow::Any)
        };
        for open in cursor.open.iter().filter(|open| !may_skip(open)) {
            let start = open.last.map_or(0, |last| last + 1);
            // A match that waits for a silence has taken what its loop can take.
            if (start..end).any(|event| !self.is_captured(event) && self.could_take(open, event)) {
                return Err("greedy at the end");
            }
        }
        // "If everything after a greedy loop is optional, including another repetition of a group
        // around it, an event that fits the loop completes no match."
        let Some(event) = moment.event.filter(|event| self.is_captured(*event)) else {
            return Ok(());
        };
        let fits = |open: &OpenLoop<'_>| {
            self.fits_some(&open.heads, event)
                && !self.fits_any(&open.quantifier.until, event)
                && !self.fits_any(open.group_until, event)
        };
        if cursor.open.iter().any(|open| open.followed && fits(open)) {
            return Err("an event that fits the loop completes nothing");
        }
        Ok(())
    }

    /// "`without x` forbids an `x` from the first event of a match to its last ..; If the last step
    /// is a `not`, it applies until the match is reported." "An event that the match captures is
    /// not a violation."
    pub(super) fn pattern_without(
        &self,
        rule: &Rule,
        (first, last): (usize, usize),
        moment: Moment,
    ) -> Verdict {
        let tests = &rule.body.without;
        let end =
            if longest_loop(rule).is_some() { last + 1 } else { self.end_of(moment).max(last + 1) };
        let broken =
            (first..end).any(|event| !self.is_captured(event) && self.fits_any(tests, event));
        if broken { Err("without") } else { Ok(()) }
    }
}
