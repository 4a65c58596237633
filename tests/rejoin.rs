//! Parts of engines at different watermarks, joined at the earliest: the results are those of
//! engines that were never stopped.

use std::time::Duration;

use kleene::stream::{EngineBuilder, Ignore, Output, RestoreError};
use kleene::{Engine, Record, RuleSet, Timestamp, Value};
use kleene_engine::Shard;
use kleene_test::steps::Dice;

const RULES: &str = "event paid { order: int, at: time }
    event sent { order: int, at: time }
    rule slow { key order  match paid -> sent within 40s  emit { order }  on timeout emit { order } }
    rule unsent { key order  match paid -> not sent for 25s  emit { order } }
    rule calm { key order  match paid -> sent within 60s  emit { order }  suppress 50s }
    rule first { key order  match sent -> paid within 1h  emit { order }  once }
    rule many { key order  match paid{3} within 90s  skip none  emit { order } }";

/// How late events are at most, in seconds.
const LATENESS: usize = 10;
const LAST: usize = 300;
const GROUPS: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Time {
    InOrder,
    OutOfOrder,
    FromSource,
}

fn rules() -> RuleSet {
    RuleSet::parse(RULES).expect("they have no mistake")
}

fn seconds(seconds: usize) -> Timestamp {
    Timestamp::from_millis(1000 * i64::try_from(seconds).expect("it is small"))
}

fn builder(rules: &RuleSet, time: Time) -> EngineBuilder<Record> {
    let builder = Engine::builder().rules(rules);
    match time {
        Time::InOrder => builder.in_order(),
        Time::OutOfOrder => builder.out_of_order(Duration::from_secs(LATENESS as u64)),
        Time::FromSource => builder.watermarks_from_source(),
    }
}

fn number(number: usize) -> Value {
    Value::Int(i64::try_from(number).expect("it is small"))
}

/// An event of an order, and the second in which it arrives.
#[derive(Clone)]
struct Arriving {
    order: usize,
    second: usize,
    event: Record,
}

impl Arriving {
    fn group(&self) -> usize {
        self.order % GROUPS
    }
}

/// Events of all orders as they arrive.
fn events(rules: &RuleSet, time: Time, dice: &mut Dice) -> Vec<Arriving> {
    let mut events: Vec<Arriving> = (0..200)
        .map(|_| {
            let (order, second) = (dice.below(8), dice.below(LAST));
            let ty = ["paid", "sent"][dice.below(2)];
            let fields = [("order", number(order)), ("at", seconds(second).into())];
            let late = if matches!(time, Time::InOrder) { 0 } else { dice.below(LATENESS + 1) };
            let event = Record::from_fields(rules.schema(), ty, fields).expect("they fit");
            Arriving { order, second: second + late, event }
        })
        .collect();
    events.sort_by_key(|event| event.second);
    events
}

fn push(engine: &mut Engine<Record>, time: Time, event: &Arriving, to: &mut Vec<Output<Record>>) {
    engine.push(&event.event, to).expect("it goes on");
    if matches!(time, Time::FromSource) {
        let reached = seconds(event.second).plus_millis(-10_001); // `LATENESS`
        engine.advance(reached, to).expect("it goes on");
    }
}

fn end(engine: &mut Engine<Record>, to: &mut Vec<Output<Record>>) {
    engine.advance(seconds(10 * LAST), to).expect("it goes on");
    engine.end_time(to).expect("it goes on");
    assert_eq!(engine.stats().late, 0);
}

fn lines(reported: &[Output<Record>]) -> Vec<String> {
    let mut lines: Vec<String> = reported.iter().map(|output| format!("{output:?}")).collect();
    lines.sort_unstable();
    lines
}

/// What engines report that each have the groups of one of `owners`, and are never stopped.
fn undisturbed(
    rules: &RuleSet,
    time: Time,
    events: &[Arriving],
    owners: &[&[usize]],
) -> Vec<Output<Record>> {
    let mut reported = Vec::new();
    for groups in owners {
        let mut engine = builder(rules, time).build().expect("they fit");
        for event in events.iter().filter(|event| groups.contains(&event.group())) {
            push(&mut engine, time, event, &mut reported);
        }
        end(&mut engine, &mut reported);
    }
    reported
}

#[test]
fn parts_at_different_watermarks_go_on_as_if_never_stopped() {
    let (rules, mut dice, mut compared) = (rules(), Dice(3), 0);
    for round in 0..150 {
        let time = [Time::InOrder, Time::OutOfOrder, Time::FromSource][round % 3];
        let events = events(&rules, time, &mut dice);
        let before: [&[usize]; 2] = [&[0, 1], &[2, 3]];
        let expected = undisturbed(&rules, time, &events, &before);
        // Each engine stops at a moment of its own; the first sometimes before its first event.
        let stops = [dice.below(LAST) * dice.below(2), dice.below(LAST)];
        let mut reported = Vec::new();
        let mut parts: Vec<(usize, Vec<u8>)> = Vec::new();
        for (groups, stop) in before.iter().zip(stops) {
            let mut engine = builder(&rules, time).build().expect("they fit");
            let own = events.iter().filter(|event| groups.contains(&event.group()));
            for event in own.take_while(|event| event.second <= stop) {
                push(&mut engine, time, event, &mut reported);
            }
            let of_engine = Shard::split_snapshot(&engine, 4, |_, key| match key {
                [Value::Int(order)] => usize::try_from(*order).expect("it is not negative") % 4,
                _ => unreachable!("the key is an order"),
            });
            parts.extend(of_engine.into_iter().enumerate().filter(|(_, part)| !part.is_empty()));
        }
        // The groups are divided in another way, or not at all.
        let after: &[&[usize]] =
            if round % 2 == 0 { &[&[0, 1, 2, 3]] } else { &[&[0, 2], &[1, 3]] };
        // It has the watermark of the groups without bytes, and more.
        let early = builder(&rules, time).build().expect("they fit").snapshot();
        for groups in after {
            let own = parts.iter().filter(|(group, _)| groups.contains(group));
            let mut own: Vec<&[u8]> = own.map(|(_, part)| part.as_slice()).collect();
            own.push(&early);
            let builder = builder(&rules, time).join_at_earliest();
            let (mut engine, _) = builder.restore(&own).expect("they belong together");
            let own = events.iter().filter(|event| groups.contains(&event.group()));
            for event in own.filter(|event| {
                event.second > stops[usize::from(before[1].contains(&event.group()))]
            }) {
                push(&mut engine, time, event, &mut reported);
            }
            end(&mut engine, &mut reported);
        }
        assert_eq!(lines(&reported), lines(&expected), "{time:?}, stopped at {stops:?}");
        compared += expected.len();
    }
    assert!(compared > 10_000, "only {compared} results are compared");
}

/// An engine with one payment, and the watermark at the second of the payment.
fn paid(rules: &RuleSet, order: i64, second: usize) -> Engine<Record> {
    let mut engine = builder(rules, Time::FromSource).build().expect("they fit");
    let fields = [("order", order.into()), ("at", seconds(second).into())];
    let event = Record::from_fields(rules.schema(), "paid", fields).expect("they fit");
    engine.push(&event, &mut Ignore).expect("it goes on");
    engine.advance(seconds(second), &mut Ignore).expect("it goes on");
    engine
}

#[test]
fn each_part_keeps_its_own_times() {
    let rules = rules();
    let (mut one, mut other) = (paid(&rules, 1, 100), paid(&rules, 2, 130));
    // Changes have a watermark of their own.
    let base = one.snapshot_base();
    one.advance(seconds(110), &mut Ignore).expect("it goes on");
    let changes = one.snapshot_changes().expect("it follows the base");
    let parts = [base, changes, other.snapshot()];
    let parts = parts.each_ref().map(Vec::as_slice);
    let builder = || builder(&rules, Time::FromSource);
    assert_eq!(builder().restore(&parts).err(), Some(RestoreError::OtherTime));
    let (mut joined, _) = builder().join_at_earliest().restore(&parts).expect("they fit");
    assert_eq!(joined.watermark(), seconds(110));
    let (mut expected, mut reported) = (Vec::new(), Vec::new());
    for second in [125, 131, 140, 155, 170] {
        one.advance(seconds(second), &mut expected).expect("it goes on");
        other.advance(seconds(second), &mut expected).expect("it goes on");
        joined.advance(seconds(second), &mut reported).expect("it goes on");
        assert_eq!(joined.watermark(), seconds(second));
        assert_eq!(lines(&reported), lines(&expected), "{second}");
    }
    assert_eq!(reported.len(), 4);
}

#[test]
fn engines_are_joined_only_if_all_have_ended_or_none() {
    let rules = rules();
    let (one, mut other) = (paid(&rules, 1, 100), paid(&rules, 2, 130));
    other.end_time(&mut Ignore).expect("it goes on");
    let join = |parts: &[&[u8]]| {
        builder(&rules, Time::FromSource)
            .join_at_earliest()
            .restore(parts)
            .map(|(engine, _)| engine)
    };
    let (running, ended) = (one.snapshot(), other.snapshot());
    assert_eq!(join(&[&running, &ended]).err(), Some(RestoreError::OtherTime));
    assert!(RestoreError::OtherTime.to_string().contains("join_at_earliest"));
    assert!(join(&[&ended]).expect("it is whole").has_ended());
}

/// Only the sources that all parts have hold time up as far as they did.
#[test]
fn a_source_that_a_part_does_not_have_waits_for_that_part() {
    let rules = rules();
    let make = |names: &[(&str, usize)]| {
        let mut engine = builder(&rules, Time::FromSource).build().expect("they fit");
        let sources: Vec<_> = names.iter().map(|(name, _)| engine.source(name)).collect();
        for (source, (_, second)) in sources.into_iter().zip(names) {
            engine.advance_source(source, seconds(*second), &mut Ignore).expect("it goes on");
        }
        engine.snapshot()
    };
    let parts = [make(&[("a", 50)]), make(&[("b", 90)])];
    let parts = parts.each_ref().map(Vec::as_slice);
    let builder = builder(&rules, Time::FromSource).join_at_earliest();
    let (mut joined, _) = builder.restore(&parts).expect("they fit");
    let (a, b) = (joined.source("a"), joined.source("b"));
    assert_eq!(joined.watermark(), seconds(50));
    joined.advance_source(a, seconds(200), &mut Ignore).expect("it goes on");
    assert_eq!(joined.watermark(), seconds(50));
    joined.advance_source(b, seconds(150), &mut Ignore).expect("it goes on");
    assert_eq!(joined.watermark(), seconds(150));
}
