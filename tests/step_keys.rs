//! Rules whose steps take the key from different fields report what they report written out: each
//! event once for each of its keys, with the steps that give the key as a field.

use std::fmt::Write as _;
use std::time::Duration;

use kleene::stream::{EngineBuilder, Output};
use kleene::{
    Engine, Event as _, Match, Pattern, Record, RuleSet, Sink, Timeout, Timestamp, Value,
};
use kleene_engine::{Position, Receiver, Shard};
use kleene_test::restore::{Step, they_go_on_alike};
use kleene_test::steps::Dice;

use crate::cold::Shelf;

/// The steps that an event `p` can be, the fields of their keys, and a bit for each. The braces of
/// the key name the first two, and the event type for the third.
const STEPS: [(&str, &str, i64); 3] = [("own", "c", 1), ("first", "a", 2), ("second", "b", 4)];

/// The clauses of rules after the key. `own`, `first` and `second` are the defines above.
const BODIES: &[&str] = &[
    "match first -> second skip none",
    "match first[v > 1] as x -> second[v > x.v] as y within 5s emit { k, x: x.v, y: y.v }",
    "match first as x -> own as z -> second as y within 9s emit { k, v: [x.v, z.v, y.v] }",
    "match first -> next second",
    "match first as x -> next own as y emit { k, v: y.v } skip to next",
    "match first{2..} as xs -> second as y within 6s emit { k, n: count(xs), v: y.v } skip to next",
    "match first as x -> any second{1..3 any each} as ys within 6s skip none
       emit { k, n: count(ys), s: sum(ys.v) }",
    "match first -> not second -> own within 8s",
    "match first as x -> not second for 3s emit { k, v: x.v }",
    "match first as x -> second as y within 3s emit { k, v: y.v } on timeout emit { k, v: x.v }",
    "match not first for 2s -> second as y within 5s emit { k, v: y.v }",
    "match first as x -> second{1..} until own as ys -> q as z within 9s
       emit { k, n: count(ys), z: z.v }",
    "match first as x -> second{1..} until [v > 3] as ys -> q as z within 9s
       emit { k, n: count(ys), z: z.v }",
    "match (first as x -> second as y) without own within 9s emit { k, v: y.v } skip none",
    "match first as x and second as y and q as z within 9s emit { k, x: x.v, y: y.v }",
    "match first as x or (second as y -> q as z) skip none within 9s emit { k, x: x.v, z: z.v }",
    "match 2 of (first, second, own) within 7s skip none",
    "match (first -> second){2} within 20s",
    "match (first as x -> second as y){1..3 each} as g -> q as z within 20s
       emit { k, n: count(g), z: z.v } skip none",
    "match first as x -> second as y skip none emit { k, v: y.v } suppress 3s within 9s",
    "match first as x -> second as y skip none emit { k, v: y.v } suppress 4s by v within 9s",
    "match first as x -> second as y skip none emit { k, v: y.v } once within 9s",
    "match first as x -> second as y skip none emit { k, v: y.v } once per rule within 9s",
    "match first as x -> second as y skip none limit 2 partials drop oldest emit { k, x: x.v }",
    "match first as x -> second as y skip none report first 1 emit { k, x: x.v, n: matches.count }
       within 9s",
    "match first as x -> second as y emit { k, x: x.v, y: y.v } having x.v < y.v within 9s",
    "match first{2} as xs -> second as y skip past last ordered within 9s emit { k, y: y.v }",
    "match second as y -> first as x skip to first y within 9s emit { k, x: x.v }",
    "from p, q match first as x -> next any event as y emit { k, v: y.v }",
    "match first -> second -> not first for 2s within 9s skip none",
    "match first as x ->[..2s] second as y ->[1s..4s] own as z within 9s emit { k, v: z.v }",
    "match own{3} as zs within 9s emit { k, v: collect(zs.v) }",
    "match second+ as ys -> not second for 3s emit { k, v: collect(ys.v) }",
];

/// The rule with keys by step, and the same written out.
fn texts(body: &str) -> (String, String) {
    let wants = |name: &str| body.contains(name);
    let (mut braces, mut defines, mut written) = (String::new(), String::new(), String::new());
    for (name, field, bit) in STEPS {
        if name != "own" {
            let _ = write!(braces, "{name}: {field}, ");
        }
        if wants(name) {
            let _ = write!(defines, "define {name} = p ");
            let masks: Vec<String> =
                (1..8).filter(|mask| mask & bit > 0).map(|mask: i64| mask.to_string()).collect();
            let _ = write!(written, "define {name} = p[m in [{}]] ", masks.join(", "));
        } else if name != "own" {
            // A name in the braces has to be a step.
            braces = braces.replace(&format!("{name}: {field}, "), "");
        }
    }
    let by_step = format!(
        "event p {{ at: time, a: int, b: int?, c: int, v: int }} event q {{ at: time, k: int, v: int }}
         {defines} rule r {{ key k {{ {braces} p: c }} {body} }}"
    );
    // The condition in brackets has the key of the loop's step.
    let body = body.replace("until [v > 3]", "until [v > 3 and m in [4, 5, 6, 7]]");
    // Of each type, `any event` has the key of the type.
    let body = body.replace("any event", "any event[m in [1, 3, 5, 7]]");
    let by_mask = format!(
        "event p {{ at: time, k: int?, m: int, v: int }} event q {{ at: time, k: int, m: int, v: int }}
         {written} rule r {{ key k {body} }}"
    );
    (by_step, by_mask)
}

fn parse(text: &str) -> RuleSet {
    RuleSet::parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// An event: its type, its time in seconds, three fields that are keys, and `v`.
#[derive(Clone, Debug)]
struct RawEvent {
    ty: &'static str,
    at: i64,
    keys: [Option<i64>; 3],
    v: i64,
}

fn stream(dice: &mut Dice, length: usize) -> Vec<RawEvent> {
    let mut at = 0;
    let mut number = |most: usize| i64::try_from(dice.below(most)).expect("it is small");
    let mut raws = Vec::new();
    for _ in 0..length {
        at += number(3);
        let ty = if number(6) == 0 { "q" } else { "p" };
        let b = Some(number(3)).filter(|_| number(8) > 0);
        raws.push(RawEvent { ty, at, keys: [Some(number(3)), Some(number(3)), b], v: number(6) });
    }
    raws
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn record<const N: usize>(rules: &RuleSet, ty: &str, fields: [(&str, Value); N]) -> Record {
    Record::from_fields(rules.schema(), ty, fields).expect("it fits")
}

/// The event for the rule with keys by step.
fn by_step(rules: &RuleSet, raw: &RawEvent) -> Record {
    let [c, a, b] = raw.keys.map(|key| key.map_or(Value::Null, Value::Int));
    let at = ("at", Value::Time(time(raw.at)));
    match raw.ty {
        "p" => record(rules, "p", [at, ("a", a), ("b", b), ("c", c), ("v", raw.v.into())]),
        _ => record(rules, "q", [at, ("k", c), ("v", raw.v.into())]),
    }
}

/// The events for the rule that is written out.
fn by_mask(rules: &RuleSet, raw: &RawEvent, body: &str) -> Vec<Record> {
    let at = || ("at", Value::Time(time(raw.at)));
    if raw.ty == "q" {
        let key = raw.keys[0].map_or(Value::Null, Value::Int);
        return vec![record(rules, "q", [at(), ("k", key), ("m", 7.into()), ("v", raw.v.into())])];
    }
    // The key of the type comes first, then those of steps in the order of the pattern.
    let place = |index: usize| {
        let name = STEPS[index].0;
        let is_own = name == "own" && (body.contains(name) || body.contains("any event"));
        if is_own { Some(0) } else { body.find(name).map(|place| place + 1) }
    };
    let mut used: Vec<usize> = (0..3).filter(|index| place(*index).is_some()).collect();
    used.sort_by_key(|index| place(*index));
    let mut keys: Vec<(i64, i64)> = Vec::new();
    for index in used {
        let Some(key) = raw.keys[index] else { continue };
        match keys.iter_mut().find(|(known, _)| *known == key) {
            Some((_, mask)) => *mask |= STEPS[index].2,
            None => keys.push((key, STEPS[index].2)),
        }
    }
    if keys.is_empty() {
        // Time moves with it, too.
        let fields = [at(), ("k", Value::Null), ("m", 0.into()), ("v", raw.v.into())];
        return vec![record(rules, "p", fields)];
    }
    let event = |(key, mask): (i64, i64)| {
        record(rules, "p", [at(), ("k", key.into()), ("m", mask.into()), ("v", raw.v.into())])
    };
    keys.into_iter().map(event).collect()
}

/// What an output says, without what depends on how a rule is written.
fn line(output: &Output<Record>) -> String {
    let (kind, found) = match output {
        Output::Match(found) => ("match", found),
        Output::Timeout(timeout) => ("timeout", &timeout.found),
        _ => return String::new(),
    };
    let events = found.captures.iter().map(|(step, event)| {
        format!("{step} {:?} at {}", event.values().last(), event.time().as_millis())
    });
    let events: Vec<String> = events.collect();
    format!(
        "{kind} {:?} {} {:?} {}",
        found.key,
        found.reported_at.as_millis(),
        found.emit,
        events.join("; ")
    )
}

fn lines(outputs: &[Output<Record>]) -> Vec<String> {
    outputs.iter().map(line).filter(|line| !line.is_empty()).collect()
}

fn builder(rules: &RuleSet) -> EngineBuilder<Record> {
    Engine::builder().rules(rules)
}

/// The outputs of one call of a shard, with their positions.
#[derive(Default)]
struct PlacedOutputs {
    position: Position,
    outputs: Vec<(Position, Output<Record>)>,
}

impl Sink<Record> for PlacedOutputs {
    fn matched(&mut self, found: Match<'_, Record>) {
        self.outputs.push((self.position, Output::Match(found.to_owned())));
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
        self.outputs.push((self.position, Output::Timeout(timeout.to_owned())));
    }
}

impl Receiver<Record> for PlacedOutputs {
    type Sink = Self;

    fn outputs(&mut self) -> &mut Self {
        self
    }

    fn at(&mut self, position: Position) {
        self.position = position;
    }
}

/// Calls each shard, and gives the outputs of all of them in the order of one engine.
fn merged(
    shards: &mut [Shard<Record>],
    call: impl Fn(&mut Shard<Record>, &mut PlacedOutputs),
) -> Vec<Output<Record>> {
    let mut all = Vec::new();
    for shard in shards {
        let mut placed = PlacedOutputs::default();
        call(shard, &mut placed);
        all.extend(placed.outputs);
    }
    all.sort_by_key(|(position, _)| *position);
    all.into_iter().map(|(_, output)| output).collect()
}

#[test]
fn keys_by_step_report_what_is_written_out() {
    let (mut dice, mut reported) = (Dice(3), 0);
    for body in BODIES {
        let (stepped, written) = texts(body);
        let (stepped, written) = (parse(&stepped), parse(&written));
        for round in 0..60 {
            let raws = stream(&mut dice, 4 + round % 40);
            let mut one = builder(&stepped).build().expect("it can be run");
            let mut other = builder(&written).build().expect("it can be run");
            let (mut found, mut expected) = (Vec::new(), Vec::new());
            for raw in &raws {
                one.push(&by_step(&stepped, raw), &mut found).expect("it goes on");
                for event in by_mask(&written, raw, body) {
                    other.push(&event, &mut expected).expect("it goes on");
                }
                assert_eq!(lines(&found), lines(&expected), "{body}\n{raws:#?}");
            }
            one.end_time(&mut found).expect("it ends");
            other.end_time(&mut expected).expect("it ends");
            assert_eq!(lines(&found), lines(&expected), "{body}\n{raws:#?}");
            reported += found.len();
        }
    }
    assert!(reported > 3000, "only {reported} outputs are compared");
}

#[test]
fn shards_batches_and_keys_that_are_not_in_memory_change_nothing() {
    let (mut dice, mut reported) = (Dice(5), 0);
    for body in BODIES {
        let rules = parse(&texts(body).0);
        for round in 0..12 {
            let raws = stream(&mut dice, 10 + 3 * round);
            let events: Vec<Record> = raws.iter().map(|raw| by_step(&rules, raw)).collect();
            let mut one = builder(&rules).build().expect("it can be run");
            let mut expected = Vec::new();
            let mut shards = Shard::build(builder(&rules), 3).expect("they can be run");
            let mut found = Vec::new();
            for event in &events {
                one.push(event, &mut expected).expect("it goes on");
                found.extend(merged(&mut shards, |shard, placed| {
                    shard.push(event, placed).expect("it goes on");
                }));
            }
            one.end_time(&mut expected).expect("it ends");
            found.extend(merged(&mut shards, |shard, placed| {
                shard.end_time(placed).expect("it ends");
            }));
            expected.retain(|output| matches!(output, Output::Match(_) | Output::Timeout(_)));
            assert_eq!(found, expected, "{body}\n{raws:#?}");
            let mut batch = Vec::new();
            let mut engine = builder(&rules).build().expect("it can be run");
            for some in events.chunks(1 + round) {
                engine.push_batch(some, &mut batch).expect("it goes on");
            }
            engine.end_time(&mut batch).expect("it ends");
            batch.retain(|output| matches!(output, Output::Match(_) | Output::Timeout(_)));
            assert_eq!(batch, expected, "{body}\n{raws:#?}");
            reported += expected.len();

            let steps: Vec<Step> = events.into_iter().map(Step::Push).collect();
            let plain = || Some(builder(&rules));
            let keys = dice.below(3) as u64;
            let cold = || Some(builder(&rules).cold_store(Shelf::default(), keys));
            let mut cuts = Dice(round as u64);
            they_go_on_alike(plain, cold, &steps, |_| cuts.below(4) == 0)
                .unwrap_or_else(|different| panic!("{body}: {different}\n{raws:#?}"));
        }
    }
    assert!(reported > 800, "only {reported} outputs are compared");
}

/// Of several rules, some have keys by step: the order of their results is the order of rules.
#[test]
fn rules_with_and_without_keys_by_step_take_turns() {
    let text = "event p { at: time, a: int, b: int, v: int }
        rule plain { key a  match p as x -> p as y  skip none  within 5s  emit { n: y.v } }
        rule stepped {
          key k { first: a, second: b }
          match p as first -> p as second  skip none  within 5s  emit { n: second.v }
        }
        rule other { key b  match p as x -> p as y  skip none  within 5s  emit { n: y.v } }
        rule again {
          key k { first: b, second: a }
          match p as first -> p as second  skip none  within 5s  emit { n: second.v }
        }";
    let rules = parse(text);
    let mut dice = Dice(7);
    for round in 0..40 {
        let mut at = 0;
        let mut number = |most: usize| i64::try_from(dice.below(most)).expect("it is small");
        let events: Vec<Record> = (0..30)
            .map(|v| {
                at += number(3);
                let (a, b) = (number(4).into(), number(4).into());
                let at = Value::Time(time(at));
                record(&rules, "p", [("at", at), ("a", a), ("b", b), ("v", v.into())])
            })
            .collect();
        let mut all = Vec::new();
        let mut engine = builder(&rules).build().expect("it can be run");
        engine.push_batch(&events, &mut all).expect("it goes on");
        let mut alone: Vec<(i64, usize, String)> = Vec::new();
        for (index, rule) in rules.rules().iter().enumerate() {
            let only = Engine::builder().rules_where(&rules, |of| of.name == rule.name);
            let mut engine = only.build().expect("it can be run");
            let mut found = Vec::new();
            engine.push_batch(&events, &mut found).expect("it goes on");
            alone.extend(found.iter().map(|output| {
                let Output::Match(found) = output else { panic!("there are no deadlines") };
                let Value::Record(emit) = &found.emit else { panic!("it emits a record") };
                let Value::Int(n) = emit[0].1 else { panic!("a number") };
                (n, index, format!("{output:?}"))
            }));
        }
        // The outputs of one event and rule keep their order.
        alone.sort_by_key(|(n, rule, _)| (*n, *rule));
        let all: Vec<String> = all.iter().map(|output| format!("{output:?}")).collect();
        let alone: Vec<String> = alone.into_iter().map(|(.., text)| text).collect();
        assert_eq!(all, alone, "round {round}");
    }
}

#[test]
fn an_event_without_any_key_is_counted_once() {
    let text = "event p { at: time, a: int?, b: int? }
        rule r { key k { first: a, second: b }  match p as first -> p as second  within 5s }
        rule s { key k { first: b, second: a }  match p as first -> p as second  within 5s }";
    let rules = parse(text);
    let events: Vec<Record> = [(None, None), (Some(1), None), (None, Some(1)), (None, None)]
        .into_iter()
        .zip(0..)
        .map(|((a, b), second): ((Option<i64>, Option<i64>), i64)| {
            let [a, b] = [a, b].map(|key| key.map_or(Value::Null, Value::Int));
            record(&rules, "p", [("at", Value::Time(time(second))), ("a", a), ("b", b)])
        })
        .collect();
    let mut found: Vec<Output<Record>> = Vec::new();
    let mut engine = builder(&rules).build().expect("it can be run");
    engine.push_batch(&events, &mut found).expect("it goes on");
    assert_eq!((engine.stats().keyless, engine.stats().matches), (2, 1));
    let mut shards = Shard::build(builder(&rules), 3).expect("they can be run");
    let count = events.iter().map(|event| {
        merged(&mut shards, |shard, placed| shard.push(event, placed).expect("it goes on")).len()
    });
    assert_eq!(count.sum::<usize>(), 1);
    let stats: kleene::stream::Stats = shards.iter().map(Shard::stats).sum();
    assert_eq!((stats.keyless, stats.matches), (2, 1));
}

#[test]
fn the_builder_has_keys_by_step() {
    let rules = parse(
        "event p { at: time, a: int, b: int?, c: int, v: int }
         rule r {
           key c, k { first: a, second: b, none: a }
           match p[v > 1] as first -> not none -> p[v < 4] as second
           within 9s
           skip none
         }
         define none = p[v == 5]",
    );
    let v = |event: &Record| match event.values()[4] {
        Value::Int(v) => v,
        _ => -1,
    };
    let fields = [("first", "a"), ("second", "b"), ("none", "a")];
    let pattern = Pattern::<Record>::begin("first")
        .of_type("p")
        .when(move |event| v(event) > 1)
        .not_followed_by("none")
        .of_type("p")
        .when(move |event| v(event) == 5)
        .followed_by("second")
        .of_type("p")
        .when(move |event| v(event) < 4)
        .within(Duration::from_secs(9))
        .skip_none()
        .schema(rules.schema().clone());
    let built = pattern.key("c").key_by_step("k", fields).build().expect("it is right");
    let mut dice = Dice(13);
    let mut reported = 0;
    for round in 0..60 {
        let raws = stream(&mut dice, 10 + round % 30);
        let events: Vec<Record> = raws
            .iter()
            .filter(|raw| raw.ty == "p")
            .map(|raw| {
                let [c, a, b] = raw.keys.map(|key| key.map_or(Value::Null, Value::Int));
                let at = ("at", Value::Time(time(raw.at)));
                record(&rules, "p", [at, ("a", a), ("b", b), ("c", c), ("v", raw.v.into())])
            })
            .collect();
        let mut found = [Vec::new(), Vec::new()];
        let with_pattern = Engine::builder().pattern("r", &built);
        for (builder, found) in [builder(&rules), with_pattern].into_iter().zip(&mut found) {
            let mut engine = builder.build().expect("it can be run");
            engine.push_batch(&events, found).expect("it goes on");
            engine.end_time(found).expect("it ends");
        }
        let line = |output: &Output<Record>| match output {
            Output::Match(found) => {
                format!("{:?} {:?} {}", found.key, found.captures, found.reported_at)
            }
            _ => String::new(),
        };
        let [text, built] = found.map(|found| found.iter().map(line).collect::<Vec<_>>());
        assert_eq!(text, built, "{raws:#?}");
        reported += text.len();
    }
    assert!(reported > 50, "only {reported} matches are compared");
}
