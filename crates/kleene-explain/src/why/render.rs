//! The story of a key as people read it.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::story::{
    Awaited, Cause, Effect, Entry, Fate, Mismatch, MismatchReason, ShownEvent, Then, Waits, span,
};
use super::tracer::{OpenPartial, Tracer};
use crate::explain::shown;
use crate::lines::write_unended;
use kleene_event::event::Event;
use kleene_event::time::{Timestamp, format_millis};

/// The largest number of partial matches that are shown for one event, and of open ones.
const SHOWN: usize = 12;
/// The largest number of other keys that are named.
const SHOWN_KEYS: usize = 5;

/// The story of a tracer as plain text of several lines: `Display` writes it.
#[derive(Debug)]
pub struct Story<'a, E: Event>(&'a Tracer<E>);

impl<E: Event> Tracer<E> {
    /// The story up to now, to be printed.
    pub fn story(&self) -> Story<'_, E> {
        Story(self)
    }
}

impl<E: Event> fmt::Display for Story<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_unended(f, |out| write!(out, "{}", Lines(self)))
    }
}

/// Text whose last line ends in a newline.
struct Lines<'a, T>(&'a T);

impl<E: Event> fmt::Display for Lines<'_, Story<'_, E>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lines(story) = self;
        let tracer = story.0;
        story.head(f)?;
        if !tracer.wanted.occurred {
            return story.unknown_key(f);
        }
        if tracer.left_out() > 0 && tracer.keeps_last() {
            writeln!(f, "\n... {} before these are not shown", entries(tracer.left_out()))?;
        }
        let mut before_end = true;
        let mut rest = tracer.entries().peekable();
        while let Some(entry) = rest.next() {
            if entry.at_end && before_end {
                before_end = false;
                story.end_of_input(f)?;
            }
            f.write_str("\n")?;
            write!(f, "{}", Lines(entry))?;
            // A series of events that the rule does not see is not worth more than the first.
            if let Cause::Unseen(first) = &entry.cause {
                let mut more = 0;
                let mut last = None;
                while let Some(next) = rest.next_if(|next| match &next.cause {
                    Cause::Unseen(seen) => seen.ty == first.ty && next.at_end == entry.at_end,
                    _ => false,
                }) {
                    more += 1;
                    last = Some(next.at);
                }
                if let Some(last) = last {
                    writeln!(f, "    ... and {more} more up to {}", clock(last, entry.at))?;
                }
            }
        }
        if tracer.left_out() > 0 && !tracer.keeps_last() {
            writeln!(f, "\n... {} after these are not shown", entries(tracer.left_out()))?;
        }
        if before_end {
            story.end_of_input(f)?;
        }
        story.summary(f)
    }
}

impl<E: Event> Story<'_, E> {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tracer = self.0;
        let rule = tracer.rule();
        let about = rule.meta.about.as_ref().map(|about| format!(": {about}"));
        writeln!(f, "{}{}", rule.name, about.unwrap_or_default())?;
        let words = tracer.words();
        write!(f, "  match  {}", words.body())?;
        if let Some(within) = rule.pattern.within {
            write!(f, "  within {}", words.length(within))?;
        }
        f.write_str("\n")?;
        if rule.key.is_empty() {
            return writeln!(f, "  key    none: all events are one stream");
        }
        let parts: Vec<String> = tracer.key_parts();
        writeln!(f, "  key    {}", parts.join(", "))
    }

    fn unknown_key(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tracer = self.0;
        let (near, others, count) = tracer.wanted.suggestions(SHOWN_KEYS);
        let counts = tracer.counts();
        let events = counted(counts.events, "event");
        writeln!(f, "\nThis key does not occur in the {events} that were read.")?;
        if counts.late > 0 {
            let late = counted(counts.late, "event");
            writeln!(f, "{late} of this key came too late, and no rule saw them.")?;
        }
        if counts.keyless > 0 {
            writeln!(f, "{} had no key.", counted(counts.keyless, "event"))?;
        }
        if let Some(near) = near {
            writeln!(f, "Did you mean {near}?")?;
        }
        if count == 0 {
            return writeln!(f, "The rule saw no event with a key. Is this the right input?");
        }
        let rest = count - others.len() - usize::from(near.is_some());
        let rest = if rest > 0 || tracer.wanted.more {
            format!(", and {rest} more")
        } else {
            String::new()
        };
        if !others.is_empty() {
            writeln!(f, "Keys that do occur: {}{rest}.", others.join(" "))?;
        }
        Ok(())
    }

    fn end_of_input(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tracer = self.0;
        let open = tracer.collect_open();
        if open.is_empty() && tracer.counts().buffered == 0 {
            return Ok(());
        }
        let Some(now) = tracer.now() else { return Ok(()) };
        f.write_str("\n")?;
        let is_at_end = tracer.open_at_end.is_some();
        let head = if is_at_end { "The input ends here, at" } else { "Now it is" };
        write!(f, "{head} {}", moment(now))?;
        if let (Some(bound), Some(newest)) = (tracer.time.out_of_order, tracer.time.newest) {
            write!(
                f,
                " (the watermark: the newest event is from {}, and events may come {} late)",
                clock(newest, now),
                format_millis(bound)
            )?;
        }
        writeln!(f, ".")?;
        let buffered = tracer.counts().buffered;
        if buffered > 0 {
            let buffered = counted(buffered, "event");
            writeln!(f, "{buffered} of the key wait until time passes them.")?;
        }
        for partial in open.iter().take(SHOWN) {
            write_open(f, partial, now)?;
        }
        if open.len() > SHOWN {
            let more = counted((open.len() - SHOWN) as u64, "partial match");
            writeln!(f, "    ... and {more} more")?;
        }
        if is_at_end && tracer.entries().any(|entry| entry.at_end) {
            writeln!(
                f,
                "With `kleene run --end-of-time`, all deadlines pass at the end of the input:"
            )?;
        }
        Ok(())
    }

    fn summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tracer = self.0;
        let counts = tracer.counts();
        let of = if tracer.rule().key.is_empty() { "for the rule" } else { "of this key" };
        if let Some(limit) = tracer.not_followed {
            let (limit, at) = (grouped(limit as u64), tracer.watermark());
            writeln!(
                f,
                "\nThe trace ends at {at}: {limit} partial matches are open, which is too many to follow. \
                 Use a shorter part of the stream."
            )?;
        }
        write!(
            f,
            "\nIn all: {} of the {} read {} {of}; {}, {}, {}",
            grouped(counts.of_key),
            counted(counts.events, "event"),
            if counts.of_key == 1 { "is" } else { "are" },
            counted(counts.partials, "partial match"),
            counted(counts.matches, "match"),
            counted(counts.timeouts, "timeout"),
        )?;
        for (count, what) in [
            (counts.filtered, "filtered by having"),
            (counts.suppressed, "suppressed"),
            (counts.not_chosen, "not chosen by report"),
            (counts.late, "late"),
        ] {
            if count > 0 {
                write!(f, ", {} {what}", grouped(count))?;
            }
        }
        if counts.keyless > 0 {
            write!(f, ", {} without key", counted(counts.keyless, "event"))?;
        }
        let open = tracer.collect_open().len();
        if open > 0 {
            let when = if tracer.open_at_end.is_some() { "at the end" } else { "now" };
            write!(f, ", {open} open {when}")?;
        }
        f.write_str("\n")
    }
}

/// Writes several lines: the cause, and its effects.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_unended(f, |out| write!(out, "{}", Lines(self)))
    }
}

impl fmt::Display for Lines<'_, Entry> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lines(entry) = self;
        let at = moment(entry.at);
        match &entry.cause {
            Cause::Event(seen) => writeln!(f, "{at}  {seen}")?,
            Cause::Unseen(seen) => {
                writeln!(f, "{at}  {seen}")?;
                return writeln!(f, "    the rule does not see events of type `{}`", seen.ty);
            }
            Cause::Late { event, watermark } => {
                writeln!(f, "{at}  {event}")?;
                let by = watermark.millis_since(entry.at).saturating_add(1);
                return writeln!(
                    f,
                    "    late by {}: time was already {}, so no rule sees it",
                    format_millis(by),
                    clock(*watermark, entry.at)
                );
            }
            Cause::Rejected(seen) => {
                writeln!(f, "{at}  {seen}")?;
                return writeln!(f, "    rejected: its time is out of range");
            }
            Cause::Unreadable { line, reason } => {
                return writeln!(f, "line {line} is not an event: {reason}");
            }
            Cause::Time { moved_by } => {
                write!(f, "{at}  time passes")?;
                match moved_by {
                    Some((Some(line), time)) if *time != entry.at => {
                        write!(f, "  (known from line {line}, at {})", clock(*time, entry.at))?;
                    }
                    _ => {}
                }
                f.write_str("\n")?;
            }
            Cause::End => writeln!(f, "{at}  no more events can come")?,
        }
        let mut more = entry.more;
        for (index, effect) in entry.effects.iter().enumerate() {
            // An effect without a partial match concerns all of them.
            if index < SHOWN || effect.partial.is_none() {
                f.write_str(&effect.text(entry.at))?;
            } else {
                more += 1;
            }
        }
        if more > 0 {
            writeln!(f, "    ... and {} more", counted(more as u64, "partial match"))?;
        }
        Ok(())
    }
}

fn write_open(f: &mut fmt::Formatter<'_>, open: &OpenPartial, now: Timestamp) -> fmt::Result {
    let taken: Vec<String> = open.taken.iter().map(|step| format!("`{step}`")).collect();
    writeln!(f, "    #{} has {}", open.partial, taken.join(", "))?;
    let text = open.waits.text(|at| clock(at, now));
    if !text.is_empty() {
        writeln!(f, "       {text}")?;
    }
    if let Some(until) = open.waits.until.filter(|until| *until > now) {
        writeln!(
            f,
            "       time has not passed {} yet: {} left",
            clock(until, now),
            format_millis(until.millis_since(now))
        )?;
    }
    Ok(())
}

impl Effect {
    /// Returns the entry for people, in indented lines; `at` is the time of the entry.
    pub fn text(&self, at: Timestamp) -> String {
        let mut out = String::new();
        // Writing to memory does not fail.
        let _ = write_effect(&mut out, self, at);
        out
    }
}

fn write_effect(f: &mut String, effect: &Effect, at: Timestamp) -> fmt::Result {
    writeln!(f, "    {}", fate_text(effect, at))?;
    let lines = match &effect.fate {
        Fate::Skipped(mismatches) | Fate::NotStarted(mismatches) | Fate::Broken(mismatches) => {
            because(mismatches)
        }
        _ => Vec::new(),
    };
    for line in lines {
        writeln!(f, "       {line}")?;
    }
    if let Some(report) = effect.reported.as_ref().and_then(|reported| reported.not_chosen) {
        writeln!(
            f,
            "       not reported, because others of its set were chosen (`report {report}`)"
        )?;
    } else if let Some(reported) = &effect.reported
        && (!reported.emit.is_null() || reported.of > 1)
    {
        let word = match (reported.is_timeout, reported.is_suppressed) {
            _ if reported.is_filtered => "not reported, because `having` is not true:",
            (true, _) => "timeout",
            (false, true) => {
                "not reported, because another was reported shortly before (`suppress`):"
            }
            (false, false) => "match",
        };
        write!(f, "       {word}")?;
        if !reported.emit.is_null() {
            write!(f, " {}", reported.emit)?;
        }
        if reported.of > 1 {
            write!(f, ", one of a set of {}", counted(reported.of, "match"))?;
        }
        writeln!(f)?;
    }
    let says_waits = !matches!(effect.fate, Fate::Skipped(_));
    if let Some(waits) = effect.waits.as_ref().filter(|_| says_waits) {
        let text = waits.text(|time| clock(time, at));
        if !text.is_empty() {
            writeln!(f, "       {text}")?;
        }
    }
    Ok(())
}

/// Returns the fate of a partial match, in one line.
fn fate_text(effect: &Effect, at: Timestamp) -> String {
    let number = effect.partial.map_or_else(String::new, |number| format!("#{number} "));
    let reported = effect.reported.as_ref().map(|reported| reported.is_timeout);
    let this_is = |step: &str, count: Option<&String>| {
        format!("this is `{step}`{}{}", in_brackets(count), matched(reported))
    };
    match &effect.fate {
        Fate::Started { step, count } => {
            format!("{number}starts: {}", this_is(step, count.as_ref()))
        }
        Fate::Took { step, count, branch_of: None } => {
            format!("{number}continues: {}", this_is(step, count.as_ref()))
        }
        Fate::Took { step, count, branch_of: Some(of) } => {
            format!("{number}branches off #{of}: {}", this_is(step, count.as_ref()))
        }
        Fate::Skipped(mismatches) => format!("{number}{}", skipped(mismatches)),
        Fate::NotStarted(mismatches) if because(mismatches).is_empty() => {
            format!("starts nothing: a match starts with {}", awaited_steps(mismatches))
        }
        Fate::NotStarted(_) => String::from("starts nothing"),
        Fate::TooSoon { not, until } => format!(
            "starts nothing: `{not}` came too shortly before; from {} on, an event can start a match",
            clock(*until, at)
        ),
        Fate::Silenced { not, until } => {
            format!("nothing can start before {}, because `{not}` came", clock(*until, at))
        }
        Fate::Covered { by, skip } => format!("starts nothing: #{by} matched, and {skip}"),
        Fate::Completed if reported.is_none() => format!("{number}is complete"),
        Fate::Completed => {
            format!("{number}matches: the very next event is not a forbidden one")
        }
        Fate::Broken(mismatches) => {
            format!("{number}ends: the very next event had to be {}", awaited_steps(mismatches))
        }
        Fate::Stopped { by, left } => {
            let left = left.map(|left| format!(", {} before the time was over", span(left)));
            let (by, left) = (quoted(by).join(", "), left.unwrap_or_default());
            format!("{number}ends: {by} came, which is forbidden{left}")
        }
        Fate::Dropped { by, skip } => format!("{number}is dropped: #{by} matched, and {skip}"),
        Fate::RanOut { bound, awaited } => {
            let missing = missing(awaited);
            let reported = if reported == Some(true) { "; reported as a timeout" } else { "" };
            format!("{number}runs out of time (`{bound}`){missing}{reported}")
        }
        Fate::Held { not, bound } => {
            let verb = if reported.is_some() { "matches" } else { "is complete" };
            format!("{number}{verb}: no {} came (`{bound}`)", quoted(not).join(" or "))
        }
        Fate::Exhausted => format!("{number}matches: its last step can grow no further"),
        Fate::TurnCame => format!("{number}matches: no older partial match is left (`ordered`)"),
        Fate::TooLate { ended, matched } => {
            let by = span(at.millis_since(*ended));
            let what = if *matched { "it had matched" } else { "its time had run out" };
            format!("{number}has ended: this came {by} too late, {what} at {}", clock(*ended, at))
        }
        Fate::Over { since, by_other_key } => {
            let since = clock(*since, at);
            over(&number, &since, *by_other_key)
        }
        Fate::Overflow if effect.partial.is_some() => {
            format!("{number}is dropped: there are too many partial matches (`limit`)")
        }
        Fate::NotFollowed { limit } => format!(
            "{} partial matches are open, which is too many to follow: the trace ends here",
            grouped(*limit as u64)
        ),
        Fate::Failed => {
            String::from("the run ends here: there are too many partial matches (`limit`, `fail`)")
        }
        Fate::Overflow => String::from("there are too many partial matches (`limit`)"),
    }
}

/// Returns the reasons for a skipped event, behind the number of the partial match.
fn skipped(mismatches: &[Mismatch]) -> String {
    if mismatches.is_empty() {
        String::from("also continues without it")
    } else if because(mismatches).is_empty() {
        format!("skips it and still waits for {}", awaited_steps(mismatches))
    } else {
        String::from("skips it")
    }
}

/// Returns the sentence that the key or the rule is over; `number` is empty if no partial match
/// ends by it.
fn over(number: &str, since: &str, by_other_key: bool) -> String {
    let (what, whose) = if by_other_key {
        ("the rule", "a match of another key")
    } else {
        ("the key", "its match")
    };
    let what = if number.is_empty() {
        format!("{what} has ended")
    } else {
        format!("{number}ends, because {what} has ended")
    };
    format!("{what}: {whose} was at {since} (`once`)")
}

/// The steps that an event does not fit.
fn awaited_steps(mismatches: &[Mismatch]) -> String {
    steps(mismatches.iter().map(|mismatch| &mismatch.step))
}

/// Each name in backticks.
fn quoted(names: &[String]) -> Vec<String> {
    names.iter().map(|name| format!("`{name}`")).collect()
}

fn matched(reported: Option<bool>) -> &'static str {
    if reported == Some(false) { ", and it matches" } else { "" }
}

fn in_brackets(count: Option<&String>) -> String {
    count.map(|count| format!(" ({count})")).unwrap_or_default()
}

/// Returns a line for each reason why an event fits no step; steps of other types get no line.
fn because(mismatches: &[Mismatch]) -> Vec<String> {
    let mut lines = Vec::new();
    for mismatch in mismatches.iter().filter(|mismatch| !mismatch.is_of_other_type()) {
        for reason in
            mismatch.reasons.iter().filter(|reason| !matches!(reason, MismatchReason::Type { .. }))
        {
            lines.push(format!("not `{}`: {reason}", mismatch.step));
        }
    }
    lines
}

/// Returns the events that a partial match still needed when it ran out of time.
fn missing(awaited: &[Awaited]) -> String {
    // A loop that has come often enough is not what was missing.
    let come = awaited.iter().filter_map(|awaited| {
        let count = awaited.count.as_ref().filter(|count| count.contains(" of "))?;
        (awaited.have > 0).then(|| format!("`{}` was at {count}", awaited.step))
    });
    let come: Vec<String> = come.collect();
    let never = awaited.iter().filter(|awaited| awaited.have == 0);
    let never: Vec<&Arc<str>> = never.map(|awaited| &awaited.step).collect();
    let never = if never.is_empty() { None } else { Some(format!("no {} came", steps(never))) };
    let all: Vec<String> = come.into_iter().chain(never).collect();
    if all.is_empty() { String::new() } else { format!(": {}", all.join(", ")) }
}

/// `a`, `b` or `c`
fn steps<'a>(names: impl IntoIterator<Item = &'a Arc<str>>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => String::from("something else"),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

impl Waits {
    /// Returns what is awaited in a line for people; `time` writes times.
    pub fn text(&self, time: impl Fn(Timestamp) -> String) -> String {
        let waits = self;
        if waits.is_complete {
            return String::from("complete: waits for older partial matches (`ordered`)");
        }
        let until = waits.until.map(|until| {
            let bound = waits.bound.as_ref().map(|bound| format!(" (`{bound}`)"));
            format!("until {}{}", time(until), bound.unwrap_or_default())
        });
        let wanted: Vec<String> = waits
            .steps
            .iter()
            .map(|awaited| {
                let count = in_brackets(awaited.count.as_ref());
                if *awaited.needs == *awaited.step {
                    format!("`{}`{count}", awaited.step)
                } else {
                    format!("`{}`{count}: {}", awaited.step, awaited.needs)
                }
            })
            .collect();
        let wanted = wanted.join(", or ");
        let mut out = match (&until, wanted.is_empty(), waits.very_next) {
            (None, true, true) => String::from("the very next event completes it"),
            (Some(until), true, true) => format!("the very next event, {until}, completes it"),
            (None, true, _) => String::from("waits"),
            (Some(until), true, _) => format!("waits {until}"),
            (None, _, true) => format!("the very next event must be {wanted}"),
            (Some(until), _, true) => format!("the very next event, {until}, must be {wanted}"),
            (None, ..) => format!("waits for {wanted}"),
            (Some(until), ..) => format!("waits {until} for {wanted}"),
        };
        let forbidden = quoted(&waits.forbidden).join(" or ");
        let matches = waits.then == Then::Match;
        if matches && wanted.is_empty() {
            out.push_str("; it matches then");
        } else if matches {
            out.push_str("; it matches when that is over");
        }
        if !forbidden.is_empty() {
            let _ = match (matches, waits.very_next && wanted.is_empty()) {
                (true, _) => write!(out, ", unless {forbidden} comes before"),
                (false, true) => write!(out, ", unless it is {forbidden}"),
                (false, false) => write!(out, "; {forbidden} must not come before"),
            };
        }
        out
    }
}

impl fmt::Display for ShownEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.ty)?;
        if !self.fields.is_empty() {
            let fields = self.fields.iter();
            let fields = fields.map(|(name, value)| format!("{name}: {}", shown(value)));
            write!(f, " {{ {} }}", fields.collect::<Vec<_>>().join(", "))?;
        }
        match (&self.made_by, self.line) {
            (Some(rule), _) => write!(f, "  (made by the rule `{rule}`)"),
            (None, Some(line)) => write!(f, "  (line {line})"),
            (None, None) => Ok(()),
        }
    }
}

/// `2024-05-01 08:57:14`
fn moment(at: Timestamp) -> String {
    at.to_string().replacen('T', " ", 1).trim_end_matches('Z').to_owned()
}

/// Spells a time without its date where that is the one of `near`.
fn clock(at: Timestamp, near: Timestamp) -> String {
    let (text, near) = (moment(at), moment(near));
    match (text.split_once(' '), near.split_once(' ')) {
        (Some((date, time)), Some((same, _))) if date == same => time.to_owned(),
        _ => text,
    }
}

fn entries(count: u64) -> String {
    if count == 1 { String::from("1 entry") } else { format!("{} entries", grouped(count)) }
}

fn counted(count: u64, what: &str) -> String {
    let plural = match (count, what.ends_with("ch")) {
        (1, _) => "",
        (_, true) => "es",
        _ => "s",
    };
    format!("{} {what}{plural}", grouped(count))
}

/// Returns a count with separators: `1,234,567`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
