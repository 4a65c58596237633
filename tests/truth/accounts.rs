//! What `why` says happened is what happened.
//!
//! An account reads a story effect by effect and keeps the captured events of each partial match
//! of which it is said that it goes on. What it ends up with is what the engine has.

use std::collections::BTreeMap;
use std::time::Duration;

use kleene::stream::Output;
use kleene::{Engine, Event as _, Record, RuleSet, Timestamp};
use kleene_explain::why::{self, Cause, Entry, Fate, Tracer, Waits};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{Capture, Inputs, KEYS, captures, hunt, inputs, millis, number, result, same};

/// A result of one key.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Reported {
    kind: &'static str,
    at: i64,
    captured: Vec<Capture>,
    emit: String,
}

/// What a story has said so far.
#[derive(Default)]
struct Account {
    /// The entries that were read.
    read: usize,
    open: BTreeMap<u64, Vec<Capture>>,
    reported: Vec<Reported>,
}

/// The reason why a story is not followed to its end.
enum Stop {
    /// It leaves something out, and says so.
    Shortened,
    Wrong(String),
}

fn wrong<T>(reason: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Wrong(reason.into()))
}

impl Account {
    fn follow(&mut self, tracer: &Tracer<Record>) -> Result<(), Stop> {
        for entry in tracer.entries().skip(self.read) {
            self.entry(entry)?;
            self.read += 1;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), Stop> {
        if entry.more > 0 {
            return Err(Stop::Shortened);
        }
        let event = match &entry.cause {
            Cause::Event(event) => event.line.and_then(|line| i64::try_from(line).ok()),
            _ => None,
        };
        let before = self.open.clone();
        let mut spoken_of = Vec::new();
        for effect in &entry.effects {
            let known = |number: u64| match before.get(&number) {
                Some(captured) => Ok(captured.clone()),
                None => wrong(format!("#{number} is not open: {effect:?}")),
            };
            let with = |mut captured: Vec<Capture>, step: &str| match event {
                Some(event) => {
                    captured.push((step.to_owned(), event));
                    Ok(captured)
                }
                None => wrong(format!("an event was taken, and none came: {effect:?}")),
            };
            let captured = match (&effect.fate, effect.partial) {
                (Fate::NotFollowed { .. }, _) => return Err(Stop::Shortened),
                (Fate::TooLate { .. }, _) => continue,
                (_, None) if effect.reported.is_some() || effect.waits.is_some() => {
                    return wrong(format!("nobody's effect: {effect:?}"));
                }
                (_, None) => continue,
                (Fate::Started { step, .. }, Some(partial)) => {
                    if before.contains_key(&partial) {
                        return wrong(format!("#{partial} was open before: {effect:?}"));
                    }
                    with(Vec::new(), step)?
                }
                (Fate::Took { step, branch_of, .. }, Some(partial)) => {
                    spoken_of.push(branch_of.unwrap_or(partial));
                    with(known(branch_of.unwrap_or(partial))?, step)?
                }
                (_, Some(partial)) => known(partial)?,
            };
            let Some(partial) = effect.partial else { continue };
            spoken_of.push(partial);
            if let Some(reported) = effect.reported.as_ref().filter(|it| it.not_chosen.is_none()) {
                self.reported.push(Reported {
                    kind: match (reported.is_timeout, reported.is_suppressed) {
                        _ if reported.is_filtered => "filtered",
                        (true, _) => "timeout",
                        (false, true) => "suppressed",
                        (false, false) => "match",
                    },
                    at: millis(reported.at),
                    captured: captured.clone(),
                    emit: reported.emit.to_string(),
                });
            }
            if effect.waits.is_some() {
                self.open.insert(partial, captured);
            } else {
                self.open.remove(&partial);
            }
        }
        // Each open partial match is spoken of at each event of the key.
        let silent = before.keys().find(|number| !spoken_of.contains(number));
        match (&entry.cause, silent) {
            (Cause::Event(_), Some(number)) => wrong(format!("no word of #{number}: {entry:?}")),
            _ => Ok(()),
        }
    }
}

/// Without what differs by the number of equal ones only.
fn as_set<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all.dedup();
    all
}

/// Compares what is open with what the story says is open.
fn compare_open(
    engine: &Engine<Record>,
    tracer: &Tracer<Record>,
    account: &Account,
    key: i64,
    now: Timestamp,
) -> Result<(), String> {
    let partials = engine.collect_partials("r");
    let own = partials.iter().filter(|partial| {
        partial.key_values().all(|(_, value)| *value == kleene::Value::Int(key))
            && partial.deadline().is_none_or(|deadline| deadline > now)
    });
    let open: Vec<(Vec<Capture>, Waits)> = own
        .map(|partial| {
            let events = partial.captures().map(|(step, event)| (step.to_string(), number(event)));
            (events.collect(), why::waits_of(partial))
        })
        .collect();
    let reported: Vec<Vec<Capture>> = account.open.values().cloned().collect();
    let captured = open.iter().map(|(captured, _)| captured.clone()).collect();
    same("open, as the story says", &as_set(reported), &as_set(captured))?;
    let listed = tracer.collect_open();
    let numbers = listed.iter().map(|open| open.partial).collect();
    same("open, as the list says", &as_set(numbers), &account.open.keys().copied().collect())?;
    for one in listed {
        let mut alike = open.iter().filter(|(captured, _)| *captured == account.open[&one.partial]);
        if let (Some((captured, waits)), None) = (alike.next(), alike.next()) {
            same(&format!("what {captured:?} waits for"), &one.waits, waits)?;
        }
    }
    Ok(())
}

/// A rule, its events, and the order in which they come.
#[derive(Clone, Debug)]
struct Arrivals {
    inputs: Inputs,
    /// The bound of lateness.
    bound: Option<u8>,
    /// The delay of each event.
    delays: Vec<i64>,
    /// How far time goes on after the last event, before its end.
    rest: i64,
}

impl Arrivals {
    fn in_order(&self, events: Vec<Record>) -> Vec<Record> {
        if self.bound.is_none() {
            return events;
        }
        let mut delayed: Vec<_> = self.delays.iter().zip(events).collect();
        delayed.sort_by_key(|(delay, event)| event.time().plus_millis(**delay));
        delayed.into_iter().map(|(_, event)| event).collect()
    }
}

/// Compares the story of a key with what happened.
fn is_told_as_it_was(
    rules: &RuleSet,
    events: &[Record],
    key: i64,
    of: &Arrivals,
) -> Result<(), Stop> {
    let mut builder = Engine::builder().rules(rules);
    let refused = |error: &dyn std::fmt::Display| Stop::Wrong(error.to_string());
    let mut tracer: Tracer<Record> =
        Tracer::new(rules, "r", [key.to_string()]).map_err(|error| refused(&error))?;
    if let Some(bound) = of.bound {
        let bound = Duration::from_millis(bound.into());
        builder = builder.out_of_order(bound);
        tracer = tracer.out_of_order(bound);
    }
    let mut engine = builder.build().map_err(|error| refused(&error))?;
    let (mut outputs, mut account) = (Vec::new(), Account::default());
    let mut last = Timestamp::MIN;
    for event in events {
        last = last.max(event.time());
        engine.push(event, &mut outputs).map_err(|error| refused(&error))?;
        tracer.push(event, u64::try_from(number(event)).ok());
        account.follow(&tracer)?;
        let now = if of.bound.is_some() { engine.watermark() } else { event.time() };
        compare_open(&engine, &tracer, &account, key, now).map_err(|different| {
            Stop::Wrong(format!("after event {}: {different}", number(event)))
        })?;
    }
    if !events.is_empty() {
        let now = last.plus_millis(of.rest);
        engine.advance(now, &mut outputs).map_err(|error| refused(&error))?;
        tracer.advance(now);
        account.follow(&tracer)?;
        compare_open(&engine, &tracer, &account, key, now)
            .map_err(|different| Stop::Wrong(format!("{} later: {different}", of.rest)))?;
    }
    engine.end_time(&mut outputs).map_err(|error| refused(&error))?;
    tracer.end_time();
    account.follow(&tracer)?;
    if !account.open.is_empty() {
        return wrong(format!("still open after the end: {:?}", account.open));
    }
    same("results", &sorted(account.reported), &sorted(reported(&outputs, key)))
        .map_err(Stop::Wrong)
}

fn sorted(mut reported: Vec<Reported>) -> Vec<Reported> {
    reported.sort();
    reported
}

/// The results of a key.
fn reported(outputs: &[Output<Record>], key: i64) -> Vec<Reported> {
    let own = outputs.iter().filter_map(result);
    let own = own.filter(|(_, found)| found.key[0].1 == kleene::Value::Int(key));
    own.map(|(kind, found)| Reported {
        kind,
        at: millis(found.reported_at),
        captured: captures(found),
        emit: found.emit.to_string(),
    })
    .collect()
}

/// The story of a key, for a failure.
fn story(rules: &RuleSet, events: &[Record], key: i64, bound: Option<u8>) -> String {
    let Ok(mut tracer) = Tracer::<Record>::new(rules, "r", [key.to_string()]) else {
        return String::new();
    };
    if let Some(bound) = bound {
        tracer = tracer.out_of_order(Duration::from_millis(bound.into()));
    }
    for event in events {
        tracer.push(event, u64::try_from(number(event)).ok());
    }
    tracer.end_time();
    tracer.story().to_string()
}

#[test]
fn why_says_what_happened() {
    let bound = option::weighted(0.3, 0..4_u8);
    let arrivals = (inputs(), bound, vec(0..5_i64, 14), 0..6_i64)
        .prop_map(|(inputs, bound, delays, rest)| Arrivals { inputs, bound, delays, rest });
    hunt(800, &arrivals, |of| {
        let Some((rules, events)) = of.inputs.ready() else { return Ok(None) };
        let events = of.in_order(events);
        for key in KEYS {
            match is_told_as_it_was(&rules, &events, key, of) {
                Ok(()) => {}
                Err(Stop::Shortened) => return Ok(None),
                Err(Stop::Wrong(reason)) => {
                    let story = story(&rules, &events, key, of.bound);
                    return Err(format!("key {key}: {reason}\n{story}"));
                }
            }
        }
        Ok(Some(()))
    });
}
