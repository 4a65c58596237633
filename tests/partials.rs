//! One meaning of a partial match, whatever the form in which a key holds it: for the counts of an
//! engine, for `limit`, and for the verdicts of a replacement.
//!
//! A partial match is a list of captured events that could still go on. It counts once, however
//! many ways it can go on.

use std::collections::BTreeSet;

use kleene::exec::{KeyState, Matcher};
use kleene::stream::{EngineBuilder, LimitKind, Output, Overflow, Verdict};
use kleene::{Engine, Record, RuleSet, Timestamp, Value};
use kleene_syntax::hir::{ItemKind, Sequence, Skip, SkipStrategy};
use kleene_test::random::{self, Built, Stream};
use kleene_test::steps::as_rules;
use proptest::prelude::*;

const EVENTS: &str = "event a { at: time, v: int }
event b { at: time, v: int }
event c { at: time, v: int }
";

/// Sets the strategy of an engine.
type SetStrategy = fn(EngineBuilder<Record>) -> EngineBuilder<Record>;

/// The strategies that can match any rule, by name.
const STRATEGIES: [(&str, SetStrategy); 4] = [
    ("general", EngineBuilder::general_strategy),
    ("default", |builder| builder),
    ("compact", EngineBuilder::compact_strategy),
    ("no-compact", EngineBuilder::without_compact_strategy),
];

fn rules(body: &str) -> RuleSet {
    let text = format!("{EVENTS}rule r {{ {body} }}");
    RuleSet::parse(&text).unwrap_or_else(|error| panic!("{body}: {error}"))
}

/// Events from `a1 b2@7`: a type, a value, and the second, which is the next one if it is left out.
fn events(rules: &RuleSet, text: &str) -> Vec<Record> {
    let mut second = -1;
    let event = |word: &str| {
        let (event, at) = word.split_once('@').unwrap_or((word, ""));
        second = at.parse().unwrap_or(second + 1);
        let at = Timestamp::from_millis(1000 * second);
        let v = event[1..].parse().expect("a number");
        let fields = [("at", Value::Time(at)), ("v", Value::Int(v))];
        Record::from_fields(rules.schema(), &event[..1], fields).expect("it is declared so")
    };
    text.split_whitespace().map(event).collect()
}

/// What an engine says after a stream.
#[derive(Debug, Eq, PartialEq)]
struct Seen {
    matches: Vec<String>,
    /// The numbers of partial matches that gave way.
    dropped: Vec<u64>,
    open: u64,
    peak: u64,
    is_stopped: bool,
}

/// Runs the rules with a strategy. What is out of time is dropped after each event.
fn seen(
    rules: &RuleSet,
    events: &[Record],
    with: impl Fn(EngineBuilder<Record>) -> EngineBuilder<Record>,
) -> Seen {
    let builder = with(Engine::builder().rules(rules)).in_order();
    let mut engine: Engine<Record> = builder.build().expect("the rules fit");
    let mut reported: Vec<Output<Record>> = Vec::new();
    for event in events {
        let is_stopped = engine.push(event, &mut reported).is_err();
        engine.sweep();
        if is_stopped {
            break;
        }
    }
    let shown = |output: &Output<Record>| match output {
        Output::Match(found) => {
            let values = found.captures.iter().map(|(_, event)| format!("{:?}", event.values()));
            Some(values.collect::<Vec<_>>().join(" "))
        }
        _ => None,
    };
    let gone = |output: &Output<Record>| match output {
        Output::Overflowed(Overflow { limit: LimitKind::PartialsPerKey, dropped, .. }) => {
            Some(*dropped)
        }
        _ => None,
    };
    Seen {
        matches: reported.iter().filter_map(shown).collect(),
        dropped: reported.iter().filter_map(gone).collect(),
        open: engine.stats().partials,
        peak: engine.stats().peak_partials,
        is_stopped: engine.failure().is_some(),
    }
}

/// Runs the rules with all strategies, which see the same.
fn seen_by_all(rules: &RuleSet, stream: &str) -> Seen {
    let events = events(rules, stream);
    let general = seen(rules, &events, EngineBuilder::general_strategy);
    for (name, with) in STRATEGIES {
        assert_eq!(seen(rules, &events, with), general, "{name}");
    }
    general
}

#[test]
fn a_limit_counts_partial_matches_not_nodes() {
    let limited = |limit: &str| {
        rules(&format!("match a as x -> any b as y within 1h skip none limit {limit}"))
    };
    let seen = seen_by_all(&limited("2 partials drop oldest"), "a1 a2 a3 b4");
    assert_eq!(seen.matches.len(), 2, "{seen:?}");
    assert_eq!((seen.dropped, seen.open, seen.peak), (vec![1], 2, 2));
    let seen = seen_by_all(&limited("2 partials drop newest"), "a1 a2 a3 b4");
    assert_eq!((seen.matches.len(), seen.dropped), (2, vec![1]));
    // Three of them take a limit of three.
    let seen = seen_by_all(&limited("3 partials drop oldest"), "a1 a2 a3 b4");
    assert_eq!((seen.matches.len(), seen.dropped.len()), (3, 0));
    let seen = seen_by_all(&limited("2 partials fail"), "a1 a2 b3");
    assert_eq!((seen.matches.len(), seen.is_stopped), (2, false));
    assert!(seen_by_all(&limited("2 partials fail"), "a1 a2 a3 b4").is_stopped);
}

#[test]
fn a_count_is_of_all_that_the_limit_allows() {
    let rules = rules(
        "match a as x -> b as y within 1h skip none report count limit 5 partials drop oldest
         emit { n: matches.count }",
    );
    let stream = events(&rules, "a1 a2 a3 a4 a5 b6");
    for (name, with) in STRATEGIES {
        let mut reported: Vec<Output<Record>> = Vec::new();
        let builder = with(Engine::builder().rules(&rules)).in_order();
        let mut engine: Engine<Record> = builder.build().expect("the rules fit");
        engine.push_batch(&stream, &mut reported).expect("no limit fails");
        let counts: Vec<u64> = reported
            .iter()
            .filter_map(|output| match output {
                Output::Match(found) => Some(found.count),
                _ => None,
            })
            .collect();
        assert_eq!(counts, [5], "{name}");
    }
}

#[test]
fn a_limit_of_a_window_is_that_of_all_strategies() {
    let rules = rules("match a{3} as x skip to next limit 2 partials drop oldest");
    assert_eq!(seen_by_all(&rules, "a1 a2 a3 a4").matches.len(), 2);
}

#[test]
fn a_partial_match_that_waits_in_several_states_counts_once() {
    // The `b` is the first or the second part: it is waited for `a` and for `c`.
    let body = "match a as x -> (b as y -> c as z or b as y2 -> a as z2) within 1h skip none";
    let seen = seen_by_all(&rules(body), "a1");
    assert_eq!((seen.open, seen.peak), (1, 1));
    let limited = rules(&format!("{body} limit 1 partials fail"));
    assert!(!seen_by_all(&limited, "a1").is_stopped);
}

#[test]
fn what_the_compact_form_stands_for_is_counted() {
    let rules = rules("match a as x -> any b{1.. any each} as y -> any c within 1h skip none");
    // An `a`, and each set of the `b`s after it.
    let stream = format!("a0 {}", "b1 ".repeat(10));
    assert_eq!(seen_by_all(&rules, &stream).open, 1 << 10);
    let many = events(&rules, &format!("a0 {}", "b1 ".repeat(70)));
    let seen = seen(&rules, &many, |builder| builder);
    assert_eq!((seen.open, seen.peak), (u64::MAX, u64::MAX), "it saturates");
    assert_eq!(seen.dropped, [0_u64; 0], "the limits over all keys are about what is held");
}

#[test]
fn the_graph_of_a_key_has_a_limit_of_its_own() {
    let rules = rules("match a as x -> any b{1.. any each} as y -> any c within 1h skip none");
    let events = events(&rules, &format!("a0 {}", "b1 a2 ".repeat(60)));
    let builder = Engine::builder().rules(&rules).in_order().limit_graph_nodes_per_key(40);
    let mut engine: Engine<Record> = builder.build().expect("the rules fit");
    let mut reported: Vec<Output<Record>> = Vec::new();
    engine.push_batch(&events, &mut reported).expect("no limit fails");
    let graph = |output: &Output<Record>| match output {
        Output::Overflowed(overflow @ Overflow { limit: LimitKind::GraphNodesPerKey, .. }) => {
            Some(overflow.to_string())
        }
        _ => None,
    };
    let messages: Vec<String> = reported.iter().filter_map(graph).collect();
    assert!(messages[0].starts_with("the graph of a key has too many nodes: "), "{messages:?}");
    assert_eq!(engine.stats().overflowed, messages.len() as u64);
    assert!(engine.stats().partials > 0, "the oldest stay");
}

#[test]
fn verdicts_count_what_goes_on() {
    let body = "match a as x -> any b{1.. any each} as y -> any c[v > 1] within 1h skip none";
    let (old, new) = (rules(body), rules(&body.replace("v > 1", "v > 2")));
    for (name, with) in STRATEGIES {
        let builder = with(Engine::builder().rules(&old)).in_order();
        let mut engine: Engine<Record> = builder.build().expect("the rules fit");
        let stream = events(&old, "a1 b1 b1 b1 a2");
        engine.push_batch(&stream, &mut kleene::stream::Ignore).expect("no limit fails");
        let replaced = engine.replace_rules(&new).expect("it can be run");
        let change = replaced.rule("r").expect("it is there");
        assert_eq!((change.kept, change.dropped), (9, 0), "{name}");
        assert_eq!(change.verdict, Verdict::Kept, "{name}");
        assert_eq!(engine.stats().partials, 9, "{name}");
    }
}

#[test]
fn what_is_out_of_time_is_counted_until_it_is_swept() {
    let rules = rules("match a as x -> any b as y -> any c within 10s skip none");
    for (name, with) in STRATEGIES {
        let builder = with(Engine::builder().rules(&rules)).in_order();
        let mut engine: Engine<Record> = builder.build().expect("the rules fit");
        let stream = events(&rules, "a1@0 a2@8 b3@9 c9@11");
        engine.push_batch(&stream, &mut kleene::stream::Ignore).expect("no limit fails");
        engine.sweep();
        // The first `a`, alone and with the `b`, is over.
        assert_eq!(engine.stats().partials, 2, "{name}");
    }
}

/// True if a group of the pattern has a name. Partial matches that divide the same events into its
/// repetitions in different ways are different.
fn has_named_group(sequence: &Sequence) -> bool {
    sequence.items.iter().any(|item| match &item.kind {
        ItemKind::Group { body, alias, .. } => alias.is_some() || has_named_group(body),
        ItemKind::Alternatives { branches, .. } => branches.iter().any(has_named_group),
        ItemKind::Step { .. } | ItemKind::Not { .. } => false,
    })
}

/// The captured events of each open partial match of a key, in the general form.
fn open(matcher: &Matcher<Record>, events: &[Record], named: bool) -> Vec<(usize, u64)> {
    let (mut store, mut key) = (matcher.create_store(), KeyState::default());
    let mut counts = Vec::new();
    for (seq, event) in (0..).zip(events) {
        matcher.push(&mut store, &mut key, event, seq, &mut |_| {});
        let open = matcher.open(&store, &key);
        let contents: BTreeSet<(bool, Vec<_>)> = open
            .iter()
            .map(|open| {
                let captured = open.captures().numbered().map(|(step, seq, _)| (step, seq));
                (open.is_complete(), captured.collect())
            })
            .collect();
        assert!(contents.len() == open.len() || named, "none is listed twice: {contents:?}");
        counts.push((open.len(), key.partial_count()));
        if open.len() > 200 {
            break;
        }
    }
    counts
}

/// Returns the pattern without bounds on time: what is out of time is dropped at other moments.
fn timeless(mut pattern: Built, keeps: usize) -> Built {
    pattern.0.within = None;
    if keeps > 0 {
        let strategy = if keeps > 1 { SkipStrategy::ToNext } else { SkipStrategy::None };
        pattern.0.skip = Skip { strategy, ordered: false };
        pattern.0.report_timeouts = false;
    }
    pattern
}

/// Compares what all strategies see of a rule.
fn is_seen_alike(
    rules: &RuleSet,
    events: &[Record],
    compares_peak: bool,
) -> Result<(), TestCaseError> {
    let general = seen(rules, events, EngineBuilder::general_strategy);
    if general.peak > 500 {
        return Ok(());
    }
    for (name, with) in STRATEGIES {
        let mut seen = seen(rules, events, with);
        if !compares_peak {
            seen.peak = general.peak;
        }
        prop_assert_eq!(&seen, &general, "{}", name);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn open_partial_matches_are_counted_once(
        pattern in random::pattern().prop_map(|pattern| pattern.repaired().build()),
        Stream(events) in random::stream(),
    ) {
        if let Ok(matcher) = Matcher::new(&pattern.0, []) {
            let named = has_named_group(&pattern.0.body);
            for (listed, counted) in open(&matcher.clone().generalized(), &events, named) {
                prop_assert_eq!(listed as u64, counted);
            }
            for (listed, counted) in open(&matcher, &events, named) {
                prop_assert!(listed as u64 <= counted);
            }
        }
    }

    #[test]
    fn all_strategies_count_alike(
        pattern in random::runnable(),
        keeps in 0..3_usize,
        Stream(events) in random::stream(),
    ) {
        if let Some(rules) = as_rules(&timeless(pattern.clone(), keeps).0, "") {
            is_seen_alike(&rules, &events, true)?;
        }
        if let Some(rules) = as_rules(&pattern.0, "") {
            is_seen_alike(&rules, &events, false)?;
        }
    }

    #[test]
    fn a_limit_means_the_same_with_all_strategies(
        pattern in random::runnable(),
        keeps in 0..3_usize,
        limit in 1..5_usize,
        policy in prop::sample::select(&["drop oldest", "drop newest", "fail"][..]),
        Stream(events) in random::stream(),
    ) {
        let clause = format!("limit {limit} partials {policy}");
        if let Some(rules) = as_rules(&timeless(pattern.clone(), keeps).0, &clause) {
            is_seen_alike(&rules, &events, true)?;
        }
        if let Some(rules) = as_rules(&pattern.0, &clause) {
            is_seen_alike(&rules, &events, false)?;
        }
    }
}
