//! Many events in one call: what is reported, counted and kept is what it would be one by one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use kleene::event::{BatchBuilder, EventBatch};
use kleene::schema::{Schema, TypeId};
use kleene::stream::{Engine, EngineBuilder, Ignore, Match, Output, Sink};
use kleene::{Event, Record, RuleSet, Timestamp, Value};
use kleene_test::steps::Dice;
use proptest::prelude::*;

const RULES: &str = r"
    event a { at: time, k: int }
    event b { at: time, k: int }
    event unseen { at: time, k: int }
    event pair { at: time, k: int, of: int }
    rule paired { key k match a -> b within 40ms on timeout emit { k } emit as pair { k, of: 2 } }
    rule pairs { key k match pair{2} within 1s suppress 100ms }
    rule alone { match a -> not b for 20ms }
";

/// The same, and a limit that ends everything.
const FAILING: &str = r"
    event a { at: time, k: int }
    event b { at: time, k: int }
    event unseen { at: time, k: int }
    rule few { key k match a -> any a -> b within 1s skip none limit 5 partials fail }
";

fn builder(text: &str, bound: u64) -> EngineBuilder<Record> {
    let rules = RuleSet::parse(text).unwrap_or_else(|error| panic!("{error}"));
    Engine::builder().rules(&rules).out_of_order(Duration::from_millis(bound)).limit_buffered(12)
}

fn event(ty: usize, at: i64, k: i64) -> Record {
    let at = Timestamp::from_millis(at);
    Record::new(TypeId::new(ty), at, [Value::Time(at), Value::Int(k)])
}

/// Mostly a few milliseconds on, some of them late, a few unknown or out of the range of times.
fn stream() -> impl Strategy<Value = Vec<Record>> {
    let step = (prop_oneof![9 => 0..4_i64, 1 => 0..90_i64], 0..40_i64, 0..20_usize, 0..3_i64);
    prop::collection::vec(step, 0..200).prop_map(|steps| {
        let mut newest = 1000;
        let make = |(wait, late, what, key)| {
            newest += wait;
            match what {
                0 => event(0, i64::MAX, key),
                1 => event(0, i64::MIN, key),
                2 => event(77, newest, key),
                3 => event(2, newest, key),
                _ => event(what % 2, newest - late, key),
            }
        };
        steps.into_iter().map(make).collect()
    })
}

/// The form of a batch.
#[derive(Clone, Copy, Debug)]
enum Form {
    Records,
    /// Every row in columns, as far as the type is declared.
    Columns,
    /// Every third event as a record, the others in columns.
    Mixed,
}

/// The events as a batch of columns.
fn columns(schema: &Schema, events: &[Record], form: Form) -> EventBatch {
    let mut batch = BatchBuilder::new();
    for (number, event) in events.iter().enumerate() {
        let is_declared = event.type_id().index() < schema.types().len();
        if is_declared && !(matches!(form, Form::Mixed) && number % 3 == 0) {
            batch.copy_record(schema, event);
        } else {
            batch.push_record(event.clone());
        }
    }
    batch.finish()
}

/// An engine that fails may not become anything else.
fn push(
    engine: &mut Engine<Record>,
    events: &[Record],
    form: Form,
    sink: &mut Vec<Output<Record>>,
) -> bool {
    let pushed = match form {
        Form::Records => engine.push_batch(events, sink),
        form => engine.push_columns(&columns(&engine.schema().clone(), events, form), sink),
    };
    match pushed {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(engine.failure(), Some(&error));
            false
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_is_its_events_one_by_one(
        events in stream(),
        bound in 0..60_u64,
        size in 1..150_usize,
        fails in any::<bool>(),
        form in prop_oneof![Just(Form::Records), Just(Form::Columns), Just(Form::Mixed)],
    ) {
        let text = if fails { FAILING } else { RULES };
        let (mut by_one, mut by_batch) = (Vec::new(), Vec::new());
        let mut one = builder(text, bound).build().unwrap();
        let mut batch = builder(text, bound).build().unwrap();
        for some in events.chunks(size) {
            let goes_on = some.iter().all(|event| one.push(event, &mut by_one).is_ok());
            prop_assert_eq!(push(&mut batch, some, form, &mut by_batch), goes_on);
            prop_assert_eq!(&by_batch, &by_one);
            prop_assert_eq!(batch.stats(), one.stats());
            prop_assert_eq!(batch.watermark(), one.watermark());
            if !goes_on {
                break;
            }
            prop_assert_eq!(batch.snapshot(), one.snapshot());
        }
        prop_assert_eq!(one.end_time(&mut by_one), batch.end_time(&mut by_batch));
        prop_assert_eq!(by_batch, by_one);
        prop_assert_eq!(batch.stats(), one.stats());
    }
}

/// Rules that share no type of event, with keys of each kind.
const APART: &str = r#"
    event a { at: time, k: int, s: string }
    event b { at: time, k: int, s: string }
    event c { at: time, k: int, s: string }
    event d { at: time, k: int, s: string }
    event e { at: time, k: int, s: string }
    event f { at: time, k: int, s: string }
    event unseen { at: time, k: int, s: string }
    rule paired { key k match a -> b within 10m on timeout emit { k } }
    rule counted { key k match c[s != "s1"]{3} within 50ms }
    rule two_parts { key k, s match d -> e within 40ms skip none }
    rule text { key s match f as first -> next f[k > first.k] within 3ms on timeout emit { s } }
"#;

/// Others that see the same events under the same keys.
const MORE: &str = r"
    rule paired_too { key k match a -> next a within 30ms on timeout emit { k } }
    rule counted_too { key k match c{2} within 20ms }
    rule two_parts_too { key k, s match e -> d within 20ms skip none }
    rule text_too { key s match f as first -> next f[k < first.k] within 1s }
";

#[test]
fn keys_that_were_looked_up_ahead_can_go_and_come_back_before_their_turn() {
    look_keys_up_ahead(4);
}

#[test]
fn events_that_were_looked_up_ahead_are_the_next_ones_where_many_have_one_time() {
    look_keys_up_ahead(100);
}

/// Compares batches with single events where this many events have one time.
fn look_keys_up_ahead(of_one_time: i64) {
    // So many keys that batches look ahead.
    const OPEN: i64 = 40_000;
    const LATE: usize = 30;
    let event = |ty: usize, at: i64, k: i64| {
        let at = Timestamp::from_millis(at);
        let s = if ty == 4 && k == 7 { Value::Null } else { format!("s{}", k % 3).into() };
        let k = if ty == 2 && [1, -2].contains(&k) { Value::Null } else { Value::Int(k) };
        Record::new(TypeId::new(ty), at, [Value::Time(at), k, s])
    };
    let mut events: Vec<Record> = (0..OPEN).map(|k| event(0, 1 + k / 1000, -k)).collect();
    let mut random = 1_u64;
    for index in 0..20_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // A few keys come again and again within sixteen events, and some of the many once.
        let k = if (random >> 33).is_multiple_of(8) {
            -((random >> 40).cast_signed() % OPEN)
        } else {
            random.cast_signed() >> 61
        };
        // Few in a thousand are of no rule, of no known type, late, or at no time at all.
        let (ty, at) = ((random >> 50) as usize % 6, 200 + index / of_one_time);
        events.push(match random >> 10 & 1023 {
            0..20 => event(6, at, k),
            20..30 => event(77, at, k),
            30..32 => event(ty, at - 100, k),
            32 => event(ty, i64::MAX, k),
            _ => event(ty, at, k),
        });
    }
    let rules = [String::from(APART), format!("{APART}{MORE}")].map(|text| RuleSet::parse(&text));
    let rules = rules.map(|rules| rules.expect("they have no mistake"));
    let builder = |of: usize| Engine::builder().rules(&rules[of].clone());
    for of in 0..2 {
        for form in [Form::Records, Form::Columns] {
            same_in_batches(|| builder(of).in_order().build().expect("it builds"), &events, form);
        }
    }
    let (mut late, mut dice) = (Vec::new(), Dice(1));
    for event in events {
        let delay = i64::try_from(dice.below(LATE)).expect("it fits");
        late.push((event.time().as_millis().saturating_add(delay), event));
    }
    late.sort_by_key(|(arrival, _)| *arrival);
    let late: Vec<Record> = late.into_iter().map(|(_, event)| event).collect();
    let bound = Duration::from_millis(LATE.try_into().expect("it fits"));
    for of in 0..2 {
        for form in [Form::Records, Form::Columns] {
            same_in_batches(
                || builder(of).out_of_order(bound).build().expect("it builds"),
                &late,
                form,
            );
        }
    }
}

fn same_in_batches(engine: impl Fn() -> Engine<Record>, events: &[Record], form: Form) {
    let (mut one, mut batch) = (engine(), engine());
    let (mut by_one, mut by_batch) = (Vec::new(), Vec::new());
    for some in events.chunks(61) {
        for event in some {
            one.push(event, &mut by_one).expect("no limit fails");
        }
        assert!(push(&mut batch, some, form, &mut by_batch), "no limit fails");
        assert_eq!(by_batch.len(), by_one.len());
        assert_eq!(batch.stats(), one.stats());
        assert_eq!(batch.watermark(), one.watermark());
    }
    assert!(batch.stats().keys > 32_768);
    assert_eq!(batch.snapshot(), one.snapshot());
    assert!(["paired", "counted", "two_parts", "text"].iter().all(|rule| {
        let reported =
            |reported: &&Output<Record>| matches!(reported, Output::Match(found) if &*found.rule == *rule);
        by_one.iter().filter(reported).count() > 20
    }));
    assert_eq!(by_batch, by_one);
}

#[test]
fn timers_of_what_is_gone_go_where_every_other_event_does_nothing() {
    let event = |ty: usize, at: i64, k: i64| {
        let at = Timestamp::from_millis(at);
        Record::new(TypeId::new(ty), at, [Value::Time(at), Value::Int(k), "s1".into()])
    };
    // Of `paired` that many wait, and others are complete at once; `counted` wants no `s1`.
    let open = (1..=33_000).map(|k| event(0, 1, -k));
    let often = (0..250_000).flat_map(|k| [2, 0, 2, 1].map(|ty| event(ty, 1 + k, k)));
    let events: Vec<Record> = open.chain(often).collect();
    let [mut one, mut batch] = [(); 2].map(|()| {
        let rules = RuleSet::parse(APART).expect("it has no mistake");
        Engine::builder().rules(&rules).in_order().build().unwrap()
    });
    for event in &events {
        one.push(event, &mut Ignore).unwrap();
    }
    batch.push_batch(&events, &mut Ignore).unwrap();
    assert_eq!((batch.stats().matches, batch.stats()), (250_000, one.stats()));
    let (most, used) = (one.memory_usage() / 10 * 11, batch.memory_usage());
    assert!(used <= most, "{used} bytes, not {most}");
}

/// A sink that gives up at the first match.
struct Panicking;

impl<E: Event> Sink<E> for Panicking {
    fn matched(&mut self, _: Match<'_, E>) {
        panic!("reported");
    }
}

#[test]
fn what_waits_is_there_after_a_sink_has_panicked() {
    let mut engine = builder(RULES, 10).build().unwrap();
    let events: Vec<Record> = (0..20).map(|at| event(usize::from(at % 2 == 1), at, 1)).collect();
    let pushed = catch_unwind(AssertUnwindSafe(|| engine.push_batch(&events, &mut Panicking)));
    assert!(pushed.is_err());
    let buffered = engine.stats().buffered;
    assert!(buffered > 5, "{buffered}");
    drop(events);
    let mut reported = Vec::new();
    engine.end_time(&mut reported).unwrap();
    assert!(
        reported.iter().filter(|reported| matches!(reported, Output::Match(_))).count() > 5,
        "{reported:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Batches that a host holds until the watermark passes some or all of their events.
    #[test]
    fn columns_until_a_time_are_columns_and_then_time(
        events in stream(),
        sizes in prop::collection::vec(1..150_usize, 1..9),
        bounds in prop::collection::vec(-20..60_i64, 1..9),
        is_sorted in any::<bool>(),
        fails in any::<bool>(),
        form in prop_oneof![Just(Form::Columns), Just(Form::Mixed)],
    ) {
        let rules = RuleSet::parse(if fails { FAILING } else { RULES }).unwrap();
        let build = || Engine::builder().rules(&rules).watermarks_from_source().build().unwrap();
        let (mut plain, mut until) = (build(), build());
        let (mut expected, mut outputs) = (Vec::new(), Vec::new());
        let mut events = events;
        if is_sorted {
            events.sort_by_key(Record::time);
        }
        let (mut rest, mut newest) = (&events[..], Timestamp::MIN);
        for (&size, &bound) in sizes.iter().cycle().zip(bounds.iter().cycle()) {
            if rest.is_empty() {
                break;
            }
            let (some, others) = rest.split_at(size.min(rest.len()));
            rest = others;
            newest = some.iter().map(Record::time).fold(newest, Timestamp::max);
            let to = newest.plus_millis(-bound);
            let batch = columns(&plain.schema().clone(), some, form);
            let pushed = plain.push_columns(&batch, &mut expected);
            let pushed = pushed.and_then(|()| plain.advance(to, &mut expected));
            prop_assert_eq!(until.push_columns_until(&batch, to, &mut outputs), pushed.clone());
            prop_assert_eq!(rejected_last(&outputs), rejected_last(&expected));
            if pushed.is_err() {
                break;
            }
            prop_assert_eq!(until.watermark(), plain.watermark());
            prop_assert_eq!(until.stats(), plain.stats());
            prop_assert_eq!(until.snapshot(), plain.snapshot());
        }
        prop_assert_eq!(until.end_time(&mut outputs), plain.end_time(&mut expected));
        prop_assert_eq!(rejected_last(&outputs), rejected_last(&expected));
    }
}

/// Returns outputs with the rejected events last: a rejected event waits for nothing, so that it is
/// reported before or after what waits.
fn rejected_last(outputs: &[Output<Record>]) -> Vec<&Output<Record>> {
    let is_rejected = |output: &&Output<Record>| matches!(output, Output::Rejected { .. });
    let (rejected, mut others): (Vec<_>, Vec<_>) = outputs.iter().partition(is_rejected);
    others.extend(rejected);
    others
}

#[test]
fn all_rows_of_another_schema_are_rejected() {
    let text = |field: &str| {
        format!(
            "event a {{ at: time, {field}: int }}
             rule r {{ key {field}  match a[{field} > 5]{{2}} within 1h }}"
        )
    };
    let rules = RuleSet::parse(&text("k")).unwrap();
    let other = RuleSet::parse(&text("other")).unwrap();
    let foreign = other.schema().type_id("a").unwrap();
    let event = |at: i64| {
        let at = Timestamp::from_millis(at);
        Record::new(foreign, at, [Value::Time(at), Value::Int(at.as_millis() % 10)])
    };
    let events: Vec<Record> = (0..100).map(event).collect();
    for form in [Form::Records, Form::Columns, Form::Mixed] {
        let mut engine = Engine::builder().rules(&rules).in_order().build().unwrap();
        let mut outputs = Vec::new();
        match form {
            Form::Records => engine.push_batch(&events, &mut outputs).unwrap(),
            form => {
                let batch = columns(other.schema(), &events, form);
                engine.push_columns(&batch, &mut outputs).unwrap();
            }
        }
        assert_eq!((engine.stats().rejected, outputs.len()), (100, 100), "{form:?}");
    }
}
