//! A long stream holds no more memory at its end than early on: many keys that come and go, events
//! out of order and too late, timeouts, suppression, rules that feed others.
//!
//! `KLEENE_SOAK_EVENTS=50000000 cargo test --release --test costs soak -- --nocapture` goes on for
//! longer.

use std::time::Duration;

use kleene::stream::Ignore;
use kleene::{Engine, Record, RuleSet, Timestamp, Value};

const RULES: &str = "
event order { ts: time, id: int, user: int, amount: float }
event paid  { ts: time, id: int, user: int, amount: float }
event big   { ts: time, user: int, total: float }

rule unpaid { key id    match order -> paid within 30s skip none on timeout emit { id } }
rule busy   { key user  match order{3} as o within 5s emit as big { user, total: sum(o.amount) } }
rule again  { key user  match big -> big within 20s emit { user } suppress 10s }
rule rising { key user  match order as first -> order[amount > prev.amount]{1.. next greedy} as up -> next order[amount < prev.amount] within 10s emit { user, n: count(up) } }
";

/// The number of events that are pushed between two looks at the memory.
const CHUNK: u64 = 20_000;

fn events() -> u64 {
    let text = std::env::var("KLEENE_SOAK_EVENTS").ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(1_000_000)
}

/// The event of this number: a new order every other one, most of them paid soon, one in a thousand
/// too late for any rule.
fn event(rules: &RuleSet, number: u64) -> Record {
    let mut hash = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^= hash >> 32;
    let below = |shift: u32, bound: u16| {
        u16::try_from((hash >> shift) & 0x7fff).map_or(0, |bits| bits % bound)
    };
    let is_late = below(0, 1000) == 0;
    let delay = if is_late { 60_000 } else { i64::from(below(16, 900)) };
    let number = i64::try_from(number).expect("there are fewer");
    let at = Timestamp::from_millis(number - delay);
    let (ty, id) = if number % 2 == 0 { ("order", number) } else { ("paid", number - 1001) };
    let ty = rules.schema().type_id(ty).expect("the rules declare it");
    // One in fifty is paid under an id that nobody knows.
    let id = if number % 2 == 1 && below(48, 50) == 0 { -number } else { id };
    let user = Value::Int(i64::from(below(32, 500)));
    let amount = Value::Float(f64::from(below(40, 1000)));
    Record::new(ty, at, vec![Value::Time(at), Value::Int(id), user, amount])
}

#[test]
fn memory_stays_flat() {
    let rules = RuleSet::parse(RULES).unwrap_or_else(|error| panic!("{error}"));
    let builder = Engine::builder().rules(&rules).out_of_order(Duration::from_secs(1));
    let mut engine = builder.build().unwrap();
    let (total, mut held, mut early, mut most) = (events(), 0_i64, 0, 0);
    let chunks = total / CHUNK;
    for chunk in 0..chunks {
        let info = allocation_counter::measure(|| {
            for number in chunk * CHUNK..(chunk + 1) * CHUNK {
                engine.push(&event(&rules, number), &mut Ignore).unwrap();
            }
        });
        held += info.bytes_current;
        if chunk < chunks / 4 {
            early = early.max(held);
        }
        most = most.max(held);
    }
    let stats = engine.stats();
    println!("{} events: {early} bytes held early on, {most} at most; {stats:?}", stats.events);
    assert!(stats.matches > 1000 && stats.timeouts > 1000 && stats.late > 100, "{stats:?}");
    assert!(stats.derived > 1000 && stats.suppressed > 100, "{stats:?}");
    assert_eq!(stats.overflowed, 0);
    // Tables may double once by accident of what comes together, and no more.
    assert!(most <= early + early / 4 + (1 << 20), "{early} bytes early on, {most} at most");
}
