//! What a host reads of outputs, and the two ends of a stream.

use std::time::Duration;

use kleene::stream::Ignore;
use kleene::value::ValueCow;
use kleene::{
    Engine, EngineBuilder, Event, Match, Output, Record, RuleSet, Sink, Timeout, Timestamp, Value,
};
use kleene_engine::{Plain, Shard};

#[derive(Clone, Debug, Event, PartialEq)]
struct Login {
    user: String,
    ok: bool,
    at: Timestamp,
}

const GUESSED: &str = "rule guessed {
    key user
    match login[not ok]{2..} as fails -> login[ok] as hit
    within 1m
    emit { tries: count(fails), who: user }
    on timeout emit { tries: count(fails) }
}";

fn login(user: &str, second: i64, ok: bool) -> Login {
    Login { user: user.into(), ok, at: at(second) }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1000 * second)
}

/// Reads all outputs by name.
#[derive(Default)]
struct ByName(Vec<String>);

impl Sink<Login> for ByName {
    fn matched(&mut self, found: Match<'_, Login>) {
        let fails: Vec<_> = found.events("fails").map(|login| login.at).collect();
        assert_eq!(found.event("fails").map(|login| login.at), fails.last().copied());
        assert_eq!(found.get("who").map(ValueCow::into_owned).as_ref(), found.key("user"));
        assert_eq!((found.get("whom"), found.key("usr")), (None, None));
        assert!(found.event("hits").is_none() && found.events("hits").next().is_none());
        assert_eq!(Some(found.first_event_at()), fails.first().copied());
        assert_eq!(found.event("hit").map(|login| login.at), Some(found.last_event_at()));
        self.0.push(format!("match {:?}", found.get("tries")));
        let owned = found.to_owned();
        assert_eq!(found.get("tries"), owned.get("tries").cloned().map(ValueCow::Owned));
        assert_eq!(owned["who"].as_str(), owned.key("user").and_then(Value::as_str));
        assert_eq!(owned.event("hit"), found.event("hit"));
        assert!(owned.events("fails").eq(found.events("fails")));
        assert_eq!((owned.get("whom"), owned.event("hits")), (None, None));
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Login>) {
        assert_eq!(timeout.key("user").and_then(Value::as_str), Some("bob"));
        let fails = timeout.events("fails").count();
        assert_eq!(timeout.event("fails").map(|login| login.at), Some(at(11)));
        assert!(timeout.event("hit").is_none());
        self.0.push(format!("timeout {:?}", timeout.get("tries")));
        let owned = timeout.to_owned();
        assert_eq!(timeout.get("tries"), owned.get("tries").cloned().map(ValueCow::Owned));
        assert_eq!(owned.key("user"), timeout.key("user"));
        assert_eq!(owned.event("fails"), timeout.event("fails"));
        assert_eq!(owned.events("fails").count(), fails);
    }
}

#[test]
fn outputs_are_read_by_name() {
    let rules = RuleSet::parse_for::<Login>(GUESSED).expect("they are right");
    let mut engine = Engine::builder().rules(&rules).build().expect("they fit");
    let mut sink = ByName::default();
    for (user, second, ok) in [
        ("ann", 1, false),
        ("ann", 2, false),
        ("ann", 3, true),
        ("bob", 10, false),
        ("bob", 11, false),
    ] {
        engine.push(&login(user, second, ok), &mut sink).expect("no limit fails");
    }
    {
        let open = engine.collect_partials("guessed");
        let bob = open.first().expect("it is open");
        assert_eq!(bob.key("user").and_then(Value::as_str), Some("bob"));
        assert_eq!(bob.event("fails").map(|login| login.at), Some(at(11)));
        assert_eq!((bob.events("fails").count(), bob.events("hit").count()), (2, 0));
    }
    engine.end_time(&mut sink).expect("no limit fails");
    let expected = ["match Some(Int(2))", "timeout Some(Int(2))", "timeout Some(Int(1))"];
    assert_eq!(sink.0, expected);
}

const UNSENT: &str = "event paid { order: int, at: time }
    event sent { order: int, at: time }
    rule unsent { key order  match paid -> not sent for 10s  emit { order } }
    rule paid_now { key order  match paid  emit { order } }";

/// Pushes payments and ends the input. Returns the watermark and the number of matches of each rule.
fn ended(builder: EngineBuilder<Record>, seconds: &[i64]) -> (i64, u64, Engine<Record>) {
    let rules = RuleSet::parse(UNSENT).expect("they are right");
    let mut engine = builder.rules(&rules).build().expect("they fit");
    for second in seconds {
        let fields = [("order", (*second).into()), ("at", at(*second).into())];
        let paid = Record::from_fields(rules.schema(), "paid", fields).expect("it fits");
        engine.push(&paid, &mut Ignore).expect("no limit fails");
    }
    engine.end_input(&mut Ignore).expect("no limit fails");
    (engine.watermark().as_millis(), engine.stats().matches, engine)
}

#[test]
fn the_end_of_the_input_is_not_the_end_of_time() {
    let in_order = || Engine::builder().in_order();
    let (watermark, matches, mut engine) = ended(in_order(), &[1, 2, 12]);
    // Three payments, and what was paid at 1 s and 2 s was not sent by 11 s and 12 s.
    assert_eq!((watermark, matches), (12_000, 5));
    // Again: nothing has come.
    engine.end_input(&mut Ignore).expect("no limit fails");
    assert_eq!((engine.watermark().as_millis(), engine.stats().matches), (12_000, 5));
    engine.end_time(&mut Ignore).expect("no limit fails");
    assert_eq!(engine.stats().matches, 6);
    assert!(engine.has_ended() && engine.end_input(&mut Ignore).is_err());

    // What waits in the buffer is released.
    let late = || Engine::builder().out_of_order(Duration::from_mins(1));
    let (watermark, matches, engine) = ended(late(), &[2, 12, 1]);
    assert_eq!((watermark, matches, engine.stats().buffered), (12_000, 5, 0));

    // Nothing has come at all.
    for builder in [in_order(), late(), Engine::builder().watermarks_from_source()] {
        let (watermark, matches, _) = ended(builder, &[]);
        assert_eq!((watermark, matches), (i64::MIN, 0));
    }
    let (watermark, matches, _) = ended(Engine::builder().watermarks_from_source(), &[1, 12]);
    assert_eq!((watermark, matches), (12_000, 3));
}

#[test]
fn an_engine_of_a_snapshot_knows_where_its_input_ended() {
    let rules = RuleSet::parse(UNSENT).expect("they are right");
    let restored = |engine: &Engine<Record>| {
        let bytes = engine.snapshot();
        let restored = Engine::builder().rules(&rules).restore(&[&bytes]);
        restored.expect("it is a snapshot").0
    };
    let (watermark, matches, engine) = ended(Engine::builder(), &[1, 2, 12]);
    let mut again: Engine<Record> = restored(&engine);
    again.end_input(&mut Ignore).expect("no limit fails");
    assert_eq!((again.watermark().as_millis(), again.stats().matches), (watermark, matches));

    let mut before = Engine::builder().rules(&rules).build().expect("they fit");
    let fields = [("order", 1.into()), ("at", at(5).into())];
    let paid = Record::from_fields(rules.schema(), "paid", fields).expect("it fits");
    before.push(&paid, &mut Ignore).expect("no limit fails");
    let mut again = restored(&before);
    again.end_input(&mut Ignore).expect("no limit fails");
    assert_eq!(again.watermark(), at(5));
}

#[test]
fn all_sources_end_with_the_input() {
    let rules = RuleSet::parse(UNSENT).expect("they are right");
    let mut engine = Engine::builder().rules(&rules).build().expect("they fit");
    let (fast, slow) = (engine.source("fast"), engine.source("slow"));
    let paid = |second: i64| {
        let fields = [("order", second.into()), ("at", at(second).into())];
        Record::from_fields(rules.schema(), "paid", fields).expect("it fits")
    };
    engine.push_from(fast, &paid(20), &mut Ignore).expect("no limit fails");
    engine.push_from(slow, &paid(1), &mut Ignore).expect("no limit fails");
    assert_eq!(engine.watermark().as_millis(), 999);
    engine.end_input(&mut Ignore).expect("no limit fails");
    assert_eq!((engine.watermark(), engine.stats().matches), (at(20), 3));
}

#[test]
fn an_event_of_another_schema_is_rejected() {
    let declared = |text: &str| RuleSet::parse(text).expect("they are right");
    let old = declared("event paid { order: int, at: time }  rule one { match paid }");
    let new = declared(
        "event sent { order: int, at: time }  event paid { order: int, at: time }
         rule two { match sent }",
    );
    let event = |schema: &kleene::schema::Schema, ty: &str| {
        let fields = [("order", 1.into()), ("at", at(1).into())];
        Record::from_fields(schema, ty, fields).expect("it fits")
    };
    for is_out_of_order in [false, true] {
        let builder = Engine::builder().rules(&old);
        let builder =
            if is_out_of_order { builder.out_of_order(Duration::from_secs(1)) } else { builder };
        let mut engine = builder.build().expect("they fit");
        let mut outputs: Vec<Output<Record>> = Vec::new();
        engine.replace_rules(&new).expect("they fit");
        // The engine has `paid` first, as before; the new rules have `sent` first.
        engine.push(&event(new.schema(), "sent"), &mut outputs).expect("no limit fails");
        engine.push_batch([&event(new.schema(), "sent")], &mut outputs).expect("no limit fails");
        assert_eq!((engine.stats().rejected, engine.stats().unknown), (2, 0));
        let reasons = outputs.iter().map(|output| match output {
            Output::Rejected { reason, .. } => reason.to_string(),
            other => panic!("{other:?}"),
        });
        assert!(reasons.into_iter().all(|reason| reason.contains("Engine::schema")));
        // The engine's own ids, those of the old rules, and ids without a schema are taken.
        let own = event(engine.schema(), "sent");
        let by_number = Record::new(kleene::schema::TypeId::new(1), at(1), own.values().to_vec());
        for taken in [own, event(old.schema(), "paid"), by_number] {
            engine.push(&taken, &mut outputs).expect("no limit fails");
        }
        engine.end_input(&mut outputs).expect("no limit fails");
        assert_eq!((engine.stats().rejected, engine.stats().matches), (2, 2));
    }
}

#[test]
fn no_other_declaration_is_taken_for_the_engines_own() {
    let declared = |ty: &str| {
        let text = format!("event {ty} {{ order: int, at: time }}  rule one {{ match {ty} }}");
        RuleSet::parse(&text).expect("it is right")
    };
    let mut engine = Engine::builder().rules(&declared("paid")).build().expect("it fits");
    for number in 0..2000 {
        let (ty, fields) = (format!("e{number}"), [("order", 1.into()), ("at", at(1).into())]);
        let event = Record::from_fields(declared(&ty).schema(), &ty, fields).expect("it fits");
        engine.push(&event, &mut Ignore).expect("no limit fails");
    }
    assert_eq!((engine.stats().rejected, engine.stats().matches), (2000, 0));
}

#[test]
fn shards_end_their_input_where_one_engine_does() {
    let rules = RuleSet::parse(UNSENT).expect("they are right");
    let mut shards = Shard::build(Engine::<Record>::builder().rules(&rules), 2).expect("they fit");
    for second in [1, 2, 12] {
        let fields = [("order", second.into()), ("at", at(second).into())];
        let paid = Record::from_fields(rules.schema(), "paid", fields).expect("it fits");
        for shard in &mut shards {
            shard.push(&paid, &mut Plain(&mut Ignore)).expect("it goes on");
        }
    }
    for shard in &mut shards {
        shard.end_input(&mut Plain(&mut Ignore)).expect("it goes on");
    }
    let stats: kleene::stream::Stats = shards.iter().map(Shard::stats).sum();
    assert_eq!(stats.matches, 5);
}
