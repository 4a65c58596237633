//! The memory of a rule for each key with open state, by kind of rule: the table in
//! docs/operations.md.

use kleene::stream::Engine;
use kleene::{Event, Record, RuleSet, Timestamp, Value};

use crate::Options;
use crate::measure;
use crate::report::{Figure, Report};

/// As many keys as fill tables that grow by doubling nearly up: seven eighths of 2^17.
const KEYS: i64 = 114_688;

const TYPES: &str = "
event a { at: time, k: int, n: int, t: string }
event b { at: time, k: int, n: int, t: string }
event c { at: time, k: int, n: int, t: string }
event d { at: time, k: int, n: int, t: string }
";

/// A kind of rule, and the events that each key has then seen: all of them are captured.
struct Kind {
    name: &'static str,
    rule: &'static str,
    events: &'static str,
}

const fn kind(name: &'static str, rule: &'static str, events: &'static str) -> Kind {
    Kind { name, rule, events }
}

const KINDS: [Kind; 14] = [
    kind("deterministic, 1 event", "key k match a -> b within 1h skip none", "a"),
    kind(
        "deterministic, 1 event, timeouts reported",
        "key k match a -> b within 1h skip none on timeout emit { k }",
        "a",
    ),
    kind("deterministic, 1 event, key of text", "key t match a -> b within 1h skip none", "a"),
    kind("deterministic, 2 events", "key k match a -> b -> c within 1h skip none", "ab"),
    kind("deterministic, 3 events", "key k match a -> b -> c -> d within 1h skip none", "abc"),
    kind("deterministic, 3 partial matches", "key k match a -> b within 1h skip none", "aaa"),
    kind(
        "deterministic, a number kept",
        "key k match a as x -> b[n > x.n] within 1h skip none",
        "a",
    ),
    kind(
        "deterministic, a text kept",
        "key k match a as x -> b[t == x.t] within 1h skip none",
        "a",
    ),
    kind(
        "shared suffix, 3 partial matches of 3, 2 and 1 events",
        "key k match a -> next a[n > prev.n]{1.. next greedy} -> next b within 1h",
        "aaa",
    ),
    kind("counting window, 1 event", "key k match a{10} within 1h", "a"),
    kind("counting window, 4 events", "key k match a{10} within 1h", "aaaa"),
    kind("counting window, 9 events", "key k match a{10} within 1h", "aaaaaaaaa"),
    kind(
        "general, 3 events, a sum kept",
        "key k match a -> b{1..} as y -> c[sum(y.n) > 9] within 1h",
        "abb",
    ),
    kind(
        "general, 4 events, each of 3 in or out",
        "key k match a -> any b{1.. any each} -> c within 1h",
        "abbb",
    ),
];

#[expect(clippy::unnecessary_wraps, reason = "as all figures")]
pub(crate) fn by_kind_of_rule(options: &Options, report: &mut Report) -> Result<(), String> {
    let keys = if options.test { 100 } else { KEYS };
    for Kind { name, rule, events } in KINDS {
        let rules = RuleSet::parse(&format!("{TYPES} rule r {{ {rule} }}"));
        let rules = rules.unwrap_or_else(|error| panic!("{error}"));
        // Waves, as a stream has them: each key sees its next event when all have seen theirs.
        let mut stream = Vec::new();
        for (wave, ty) in (0..).zip(events.chars()) {
            let ty = rules.schema().type_id(&ty.to_string()).expect("it is declared");
            stream.extend((0..keys).map(|key| {
                let at = Timestamp::from_millis(wave * 60_000 + key % 1000);
                let text = format!("text-{key:011}");
                let values = [Value::Time(at), Value::Int(key), Value::Int(wave), text.into()];
                Record::new(ty, at, values)
            }));
        }
        stream.sort_by_key(Event::time);
        let mut engine: Engine<Record> =
            Engine::builder().rules(&rules).build().expect("the rules run");
        let held = allocation_counter::measure(|| measure::push(&mut engine, &stream));
        let stats = engine.stats();
        if stats.keys != keys.unsigned_abs() {
            report.wrong.push(format!("{name}: {stats:?}"));
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let per_key = |bytes: i64| bytes as f64 / keys as f64;
        let captured = i64::try_from(stats.captured_bytes).unwrap_or(i64::MAX);
        report.figures.push(Figure {
            name: format!("a key: {name}"),
            value: per_key(held.bytes_current),
            unit: "bytes",
            bound: None,
            note: format!(
                "without its records, which count as {:.0}; {} partial matches a key",
                per_key(captured),
                stats.partials / keys.unsigned_abs(),
            ),
        });
    }
    Ok(())
}
