//! The cost of an event and the memory of a key grow as [`Explanation::rule_cost`] says: many rules
//! on the worst streams for them, of n, 2n and 4n events.
//!
//! Work is counted in steps ([`Engine::steps`]), so that a busy machine changes nothing. A class is
//! an upper bound: what grows faster fails, and so does a rule whose cost doubles with each step
//! that it is longer.
//!
//! `KLEENE_COST_RULES=3000 KLEENE_COST_EVENTS=64 cargo test --release --test costs classes --
//! --nocapture` takes more rules and longer streams, and prints the largest growth of each class.

use std::collections::BTreeMap;

use kleene::schema::TypeId;
use kleene::stream::Ignore;
use kleene::{Engine, Record, RuleSet, Timestamp, Value};
use kleene_explain::explain::{Explanation, Growth, RuleCost};

const EVENTS: &str = "event a { ts: time, k: int, v: int }\n\
                      event b { ts: time, k: int, v: int }\n\
                      event c { ts: time, k: int, v: int }\n";

const HOUR: i64 = 3_600_000;

/// First steps. All of them capture something as `x`, which later steps can read.
const FIRST: [&str; 7] = [
    "a as x",
    "a{2} as x",
    "a{1..} as x",
    "a{1.. each} as x",
    "(a as x or b)",
    "a as x -> any a",
    "a[v not in distinct(x.v)]{4} as x",
];

const MIDDLE: [&str; 18] = [
    "",
    "-> b",
    "-> any b",
    "-> next b",
    "-> b?",
    "-> b{0..1 each}",
    "-> any b?",
    "-> b{1..} as y",
    "-> b{1..3} as y",
    "-> any b{1.. any each} as y",
    "-> b[v > prev.v]{1..} as y",
    "-> any b[v > prev.v]{1.. any each} as y",
    "-> (b or a)",
    "-> any (b or a[v > x.v])",
    "-> (b and a)",
    "-> not b",
    "-> (b -> a){1..}",
    "->[..30m] b",
];

/// More middle steps, for patterns that repeat them: partial matches wait in many sets of states.
const AMBIGUOUS: [&str; 8] = [
    "-> any (b or a)?",
    "-> any (b -> a)?",
    "-> (b or (b -> a))",
    "-> any (b or (b -> a))",
    "-> any b{0..2 any each}",
    "-> any (a or b){1..2 any each}",
    "-> any (b? -> a)",
    "-> any b{0..1 each} -> any a{0..1 each}",
];

const LAST: [&str; 17] = [
    "-> c",
    "-> any c",
    "-> next c",
    "-> c[v == x.v]",
    "-> any c[v == x.v]",
    "-> c[v > x.v]",
    "-> any c[v > prev.v]",
    "-> any c[v > count(x)]",
    "-> any c[v > sum(x.v)]",
    "-> c[sum(x.v) > 30]",
    "-> c[count(x) < v]",
    "-> c[sum(x.v) <= 3 and v > 1]",
    "-> not c for 10m",
    "-> not c",
    "-> c{1.. longest}",
    "-> c{2}",
    "-> c{1..}",
];

const SKIP: [&str; 6] =
    ["none", "past last", "to next", "to first x", "to last x", "to next ordered"];

const CLAUSE: [&str; 8] = [
    "within 1h",
    "within 1h",
    "",
    "within 1h  on timeout emit { k }",
    "within 1h  report count",
    "within 1h  report count  emit { k, s: matches.sum(x.v) }",
    "within 1h  report first 1",
    "within 1h  limit 40 partials drop oldest",
];

fn number(name: &str, default: usize) -> usize {
    let given = std::env::var(name).ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A sequence of numbers that look random. The same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }
}

/// Returns the rule, unless it has a mistake. `within` stands before `skip`, other clauses after it.
fn parse(pattern: &str, skip: &str, clause: &str) -> Option<RuleSet> {
    let (within, rest) = match clause.strip_prefix("within 1h") {
        Some(rest) => ("within 1h", rest),
        None => ("", clause),
    };
    let rule = format!("rule r {{ key k  match {pattern}  {within}  skip {skip}  {rest} }}");
    RuleSet::parse(&format!("{EVENTS}{rule}")).ok()
}

fn cost_of(rules: &RuleSet) -> RuleCost {
    Explanation::new(&rules.rules()[0], rules.schema()).expect("it can run").rule_cost()
}

/// The types of the events of a stream, and their values.
type Shape = (&'static str, fn(usize, usize) -> (usize, usize));

/// The streams. Each is a function from the position of an event and the number of events to the
/// event's type and its value.
const STREAMS: [Shape; 9] = [
    ("a then b then c", |at, n| (3 * at / n, at)),
    ("a then b then c, falling", |at, n| (3 * at / n, n - at)),
    ("a then c", |at, n| (2 * (2 * at / n), at % (n / 2).max(1))),
    ("a", |at, _| (0, at)),
    ("one a, then b and c", |at, _| (if at == 0 { 0 } else { 1 + at % 2 }, at)),
    ("a b c", |at, _| (at % 3, at)),
    ("a b c of one value", |at, _| (at % 3, 7)),
    ("a then b c", |at, n| (if 2 * at < n { 0 } else { 1 + at % 2 }, at)),
    ("random", |at, _| {
        let mut numbers = Numbers(at as u64);
        numbers.below(7);
        (numbers.below(3), numbers.below(1000))
    }),
];

/// How long a stream is, compared with the `within` of a rule.
#[derive(Clone, Copy, Debug)]
enum Length {
    /// Nothing ends.
    Shorter,
    /// The time of what began in the first half ends in the second half.
    Twice,
}

/// The steps of a stream, and the most bytes that its key has held.
fn run(rules: &RuleSet, cost: &RuleCost, n: usize, (shape, length): (&Shape, Length)) -> [u64; 2] {
    let builder = Engine::<Record>::builder().rules(rules).limit_matches_per_set(4);
    let multiplies = cost.event == Growth::Combinations;
    let builder = if multiplies { builder.limit_steps_per_event(STEPS) } else { builder };
    let mut engine = builder.build().expect("it fits");
    let spread = match length {
        Length::Shorter => HOUR / 2,
        Length::Twice => 2 * HOUR,
    };
    let (before, mut bytes) = (engine.memory_usage(), 0);
    for at in 0..n {
        let (ty, value) = shape.1(at, n);
        let signed = |number: usize| i64::try_from(number).expect("it is small");
        let time = Timestamp::from_millis(signed(at) * spread / signed(n));
        let fields = vec![Value::Time(time), Value::Int(1), Value::Int(signed(value))];
        engine
            .push(&Record::new(TypeId::new(ty.min(2)), time, fields), &mut Ignore)
            .expect("it fits");
        if at % (n / 8) == 0 {
            bytes = bytes.max(engine.memory_usage().saturating_sub(before));
        }
    }
    [engine.steps(), bytes as u64]
}

/// The limit of steps for rules that multiply.
const STEPS: usize = 500;

/// The power of n in a class; `None` if only limits bound the cost.
fn power(growth: Growth, cost: &RuleCost) -> Option<u32> {
    // The text lists the values in which groups differ: `x`, `y` and `z`.
    let values = cost.groups.as_ref().map_or(0, |groups| match groups.split_once("combination") {
        Some((_, values)) => 2 + u32::try_from(values.matches(", ").count()).unwrap_or(u32::MAX),
        None => 1,
    });
    match growth {
        Growth::Constant => Some(0),
        Growth::Logarithmic | Growth::Linear => Some(1),
        Growth::Groups => Some(values),
        Growth::LinearInGroups => Some(values + 1),
        Growth::Quadratic => Some(2),
        _ => None,
    }
}

/// The largest growth that was seen of each class, with the rule.
#[derive(Default)]
struct Seen {
    by_class: BTreeMap<(&'static str, String), (usize, f64, String)>,
    failures: Vec<String>,
}

impl Seen {
    fn add(&mut self, of: &'static str, class: Growth, power: f64, rule: &str) {
        let entry = self.by_class.entry((of, class.to_string())).or_insert((0, 0.0, String::new()));
        entry.0 += 1;
        if power >= entry.1 {
            (entry.1, entry.2) = (power, rule.to_owned());
        }
    }
}

/// The power of n in three numbers for n, 2n and 4n. Streams of n events can be so short that
/// nothing happens: the lesser of two powers counts.
#[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
fn seen_power(counted: [u64; 3], least: u64) -> f64 {
    let [small, middle, large] = counted.map(|number| number.max(least) as f64);
    (large / small).log(4.0).min((large / middle).log2())
}

/// The growth of steps that is allowed beyond a class: a power of n.
const SLACK: f64 = 0.25;

/// The growth of bytes that is allowed beyond a class. Tables that are full become twice as large.
const SLACK_OF_BYTES: f64 = 0.5;

/// The power of n from which on a growth needs no longer stream: it cannot be a few events that
/// begin to come close enough together.
const BEYOND_DOUBT: f64 = 1.0;

/// Returns the growth of the steps and the bytes of a stream of n events.
///
/// A class says how a cost grows once there is something that grows. A stream of 24 events in two
/// hours has one event in 5 minutes, and a `not .. for 10m` sees none of those before: its cost
/// grows faster than its class until it does. So a growth that is a little too large is measured
/// again with streams twice as long, and the lesser one counts.
fn growth_of(
    (rules, cost): (&RuleSet, &RuleCost),
    n: usize,
    stream: (&Shape, Length),
    exceeds: impl Fn([f64; 2]) -> Option<f64>,
) -> ([[u64; 2]; 3], [f64; 2]) {
    let growth = |n: usize| {
        let counted = [n, 2 * n, 4 * n].map(|n| run(rules, cost, n, stream));
        let steps = seen_power(counted.map(|[steps, _]| steps), 1);
        let bytes = seen_power(counted.map(|[_, bytes]| bytes), 4000);
        (counted, [steps, bytes])
    };
    let (counted, powers) = growth(n);
    if exceeds(powers).is_none_or(|excess| excess > BEYOND_DOUBT) {
        return (counted, powers);
    }
    growth(2 * n)
}

fn check(rule: &str, rules: &RuleSet, n: usize, seen: &mut Seen) {
    let cost = cost_of(rules);
    let event = power(cost.event.max(cost.completion), &cost);
    let memory = power(cost.memory, &cost);
    let mut largest = [0.0_f64, 0.0];
    for shape in &STREAMS {
        for length in [Length::Shorter, Length::Twice] {
            let too_steep = |steps: f64| {
                let excess = event.map(|event| steps - 1.0 - f64::from(event) - SLACK);
                excess.filter(|excess| *excess > 0.0)
            };
            let too_large = |bytes: f64| {
                let excess = memory.map(|memory| bytes - f64::from(memory) - SLACK_OF_BYTES);
                excess.filter(|excess| *excess > 0.0)
            };
            let exceeds = |[steps, bytes]: [f64; 2]| match (too_steep(steps), too_large(bytes)) {
                (Some(one), Some(other)) => Some(one.max(other)),
                (one, other) => one.or(other),
            };
            let of = (rules, &cost);
            let (counted, [steps, bytes]) = growth_of(of, n, (shape, length), exceeds);
            let about = || format!("{rule}\non {} ({length:?}): {counted:?}\n{cost:#?}", shape.0);
            // Each of those that are left makes a few others, and is dropped.
            let is_limited = counted[2][0] <= (4 * n * STEPS * 12) as u64;
            if too_steep(steps).is_some() || event.is_none() && !is_limited {
                seen.failures.push(format!("n^{steps:.2} steps: {}", about()));
            }
            if too_large(bytes).is_some() {
                seen.failures.push(format!("n^{bytes:.2} bytes: {}", about()));
            }
            largest = [largest[0].max(steps - 1.0), largest[1].max(bytes)];
        }
    }
    seen.add("time", cost.event.max(cost.completion), largest[0], rule);
    seen.add("memory", cost.memory, largest[1], rule);
}

#[test]
fn no_class_is_exponential_in_the_length_of_a_rule() {
    let mut failures = Vec::new();
    let mut most = (0.0, String::new());
    for part in MIDDLE.iter().chain(&AMBIGUOUS).filter(|part| !part.is_empty()) {
        for (skip, clause) in [("none", "within 1h  report count"), ("past last", "within 1h")] {
            let parts = |length: usize| {
                // Each part has names of its own.
                let named = |at: usize| part.replace(" as y", &format!(" as y{at}"));
                let parts: Vec<String> = (0..length).map(named).collect();
                parse(&format!("a as x {} -> any c", parts.join(" ")), skip, clause)
            };
            let lengths = [8, 16, 32].map(parts);
            let [Some(short), Some(middle), Some(long)] = lengths else { continue };
            let costs = [&short, &middle, &long].map(cost_of);
            if costs.iter().any(|cost| cost.event == Growth::Combinations) {
                continue;
            }
            for shape in &STREAMS {
                let of = |rules, cost| run(rules, cost, 96, (shape, Length::Shorter))[0];
                let counted = [of(&short, &costs[0]), of(&middle, &costs[1]), of(&long, &costs[2])];
                let power = seen_power(counted, 1);
                let rule = format!("{part}, skip {skip}, on {}: {counted:?}", shape.0);
                if power > 3.0 + SLACK {
                    failures.push(format!("length^{power:.2} steps: {rule}"));
                }
                if power > most.0 {
                    most = (power, rule);
                }
            }
        }
    }
    println!("length of the rule: at most l^{:.2}: {}", most.0, most.1);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn classes_bound_what_streams_cost() {
    let (wanted, n) = (number("KLEENE_COST_RULES", 40), number("KLEENE_COST_EVENTS", 24));
    let (mut numbers, mut seen) = (Numbers(number("KLEENE_COST_SEED", 1) as u64), Seen::default());
    let mut checked = 0;
    while checked < wanted {
        let mut pick = |of: &[&'static str]| of[numbers.below(of.len())];
        let (first, middle, last) = (pick(&FIRST), pick(&MIDDLE), pick(&LAST));
        let (skip, clause) = (pick(&SKIP), pick(&CLAUSE));
        let pattern = format!("{first} {middle} {last}");
        if let Some(rules) = parse(&pattern, skip, clause) {
            let rule = format!("match {pattern}  {clause}  skip {skip}");
            check(&rule, &rules, n, &mut seen);
            checked += 1;
        }
    }
    for ((of, class), (rules, power, rule)) in seen.by_class {
        println!("{of} {class}: {rules} rules, at most n^{power:.2}: {rule}");
    }
    let failures = seen.failures;
    assert!(
        failures.is_empty(),
        "{}: {}",
        failures.len(),
        failures[..failures.len().min(30)].join("\n")
    );
}

/// Rules that random runs have found: the class was too low, or the streams too short to say.
const FOUND: [(&str, &str, &str); 1] =
    [("a{1..} as x -> not c for 10m", "to next ordered", "within 1h")];

#[test]
fn classes_bound_what_was_found() {
    let mut seen = Seen::default();
    for (pattern, skip, clause) in FOUND {
        let rules = parse(pattern, skip, clause).expect("it is a rule");
        let rule = format!("match {pattern}  {clause}  skip {skip}");
        for n in [24, 96] {
            check(&rule, &rules, n, &mut seen);
        }
    }
    assert!(seen.failures.is_empty(), "{}", seen.failures.join("\n"));
}
