//! A loop means what it means written out: `a{2}` is `a -> a`, and `a{1..2 each}` reports what `a`
//! and `a -> a` report. This is held for each construct before, in and behind a loop, on random
//! streams, for the matcher, its general strategy and the reference.

use std::collections::BTreeSet;

use kleene::{Event as _, Record, RuleSet, Timestamp, Value};
use kleene_syntax::hir::Pattern;
use kleene_test::engine::{Engine, GeneralEngine, MatcherEngine, ReferenceEngine, run};

const TYPES: [&str; 4] = ["a", "b", "c", "d"];
const EVENTS: &str = "event a { at: time }\nevent b { at: time }\nevent c { at: time }\n\
                      event d { at: time }\n";

/// The step or group that is repeated.
const UNITS: [&str; 12] = [
    "a",
    "(a -> c)",
    "(a -> next c)",
    "(a or c)",
    "(a and c)",
    "(a -> c?)",
    "(a -> not b -> c)",
    "(a -> next not b -> c)",
    "(a -> not b for 2s -> c)",
    "(a ->[1s..3s] c)",
    "(a -> c{1.. each} until b)",
    "(a -> (c or d))",
];

/// The items before the loop.
const HEADS: [&str; 7] = [
    "",
    "d -> ",
    "not b for 2s -> ",
    "d -> not b -> ",
    "d -> next not b -> ",
    "d -> not b for 2s -> ",
    "d ->[1s..3s] ",
];

/// The items behind the loop.
const TAILS: [&str; 15] = [
    "",
    " -> d",
    " -> next d",
    " -> any d",
    " ->[1s..3s] d",
    " -> not b for 2s",
    " -> not b for 2s -> d",
    " -> next not b -> d",
    " -> not b -> d",
    " -> not b",
    " -> c? -> d",
    " -> (c -> d)",
    " -> (c or d)",
    " -> (b and d)",
    " -> d{1.. each} until b",
];

/// The words in the braces that say how repetitions follow each other, and the arrow that says it.
const ARROWS: [(&str, &str); 3] = [("", " -> "), (" next", " -> next "), (" any", " -> any ")];

/// The least and the most repetitions. Of the last one there is no most: no stream has more events
/// than are written out.
const COUNTS: [(usize, usize); 6] = [(2, 2), (3, 3), (1, 2), (4, 4), (2, 4), (1, MOST_EVENTS)];

/// The most events of a stream.
const MOST_EVENTS: usize = 9;

/// The relation between the outputs of a loop and those of the written-out pattern.
#[derive(Clone, Copy, PartialEq)]
enum Relation {
    Same,
    /// As in Flink, a `not` without a time holds from the first event of the loop before it, so
    /// that what comes between two repetitions violates it, and ends the loop as well. A greedy
    /// loop reports of its lengths those that left nothing that it could take.
    Fewer,
}

fn relation(is_greedy: bool, tail: &str) -> Relation {
    let has_plain_not = matches!(tail, " -> not b -> d" | " -> not b");
    if has_plain_not || is_greedy { Relation::Fewer } else { Relation::Same }
}

/// The pattern of a rule, unless the checker refuses it.
fn pattern(text: &str) -> Option<Pattern> {
    let rules =
        RuleSet::parse(&format!("{EVENTS}rule r {{ match {text}  within 20s  skip none }}"));
    rules.ok().map(|rules| rules.rules()[0].pattern.clone())
}

/// Up to nine events, at most three seconds apart.
fn stream(random: &mut impl FnMut(usize) -> usize) -> Vec<Record> {
    let rules = RuleSet::parse(EVENTS).expect("the declarations are right");
    let mut at = 0;
    (0..3 + random(MOST_EVENTS - 2))
        .map(|_| {
            at += [0, 500, 1000, 1000, 2000, 3000][random(6)];
            let (ty, time) =
                (["a", "a", "c", "c", "d", "d", "b"][random(7)], Timestamp::from_millis(at));
            let ty = rules.schema().type_id(ty).expect("the type is declared");
            Record::new(ty, time, [Value::Time(time)])
        })
        .collect()
}

/// The numbers of the captured events, and the time of the match.
type Found = BTreeSet<(Vec<usize>, Timestamp)>;

fn found(engine: &dyn Engine, pattern: &Pattern, events: &[Record]) -> Found {
    let mut session = engine.start(pattern).expect("the checker has accepted it");
    let matches =
        run(&mut *session, events).into_iter().flatten().filter(|reported| reported.is_match);
    matches
        .map(|reported| (reported.captures.iter().map(|(_, at)| *at).collect(), reported.at))
        .collect()
}

/// The number of streams for each pattern: `KLEENE_WRITTEN_OUT_STREAMS=500` looks longer.
fn streams() -> usize {
    let given = std::env::var("KLEENE_WRITTEN_OUT_STREAMS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// A loop, and the patterns that it stands for.
struct Case {
    text: String,
    looped: Pattern,
    written: Vec<Pattern>,
    relation: Relation,
}

impl Case {
    /// Returns the outputs of the loop and of the written-out patterns, if they are not as they
    /// have to be.
    fn difference(
        &self,
        engine: &dyn Engine,
        events: &[Record],
        matches: &mut usize,
    ) -> Option<String> {
        let reported = found(engine, &self.looped, events);
        let each = self.written.iter().flat_map(|pattern| found(engine, pattern, events));
        let expected: Found = each.collect();
        *matches += expected.len();
        let holds = match self.relation {
            Relation::Same => reported == expected,
            Relation::Fewer => reported.is_subset(&expected),
        };
        let name = engine.name();
        let events: Vec<String> = events
            .iter()
            .map(|event| format!("{}@{}", TYPES[event.type_id().index()], event.time().as_millis()))
            .collect();
        let Case { text, .. } = self;
        (!holds).then(|| {
            let events = events.join(" ");
            format!("{text}, {name}: {events}\n  loop    {reported:?}\n  written {expected:?}\n")
        })
    }
}

/// Every loop of every unit between every two constructs, as text with what it stands for.
fn texts() -> Vec<(String, Vec<String>, Relation)> {
    let mut texts = Vec::new();
    for (unit, (word, arrow)) in UNITS.iter().flat_map(|unit| ARROWS.map(|arrow| (*unit, arrow))) {
        for ((min, max), head) in
            COUNTS.iter().flat_map(|count| HEADS.iter().map(move |head| (*count, head)))
        {
            for (is_greedy, tail) in TAILS.iter().flat_map(|tail| [(false, tail), (true, tail)]) {
                let mode = if is_greedy { "greedy" } else { "each" };
                let count = match max {
                    _ if min == max && is_greedy => continue,
                    _ if min == max => format!("{min}{word}"),
                    MOST_EVENTS => format!("{min}..{word} {mode}"),
                    _ => format!("{min}..{max}{word} {mode}"),
                };
                let looping = format!("{head}{unit}{{{count}}}{tail}");
                let written = |times| format!("{head}{}{tail}", vec![unit; times].join(arrow));
                let written = (min..=max).map(written).collect();
                texts.push((looping, written, relation(is_greedy, tail)));
            }
        }
    }
    texts
}

#[test]
fn a_loop_means_what_it_means_written_out() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % below
    };
    // One in so many patterns is looked at, as long as nobody asks for more.
    let share = if std::env::var_os("KLEENE_WRITTEN_OUT_STREAMS").is_some() { 1 } else { 120 };
    let engines: [&dyn Engine; 3] = [&MatcherEngine, &GeneralEngine, &ReferenceEngine];
    let (mut wrong, mut patterns, mut matches) = (String::new(), 0, 0);
    for (text, written, relation) in texts() {
        if random(share) > 0 {
            continue;
        }
        // Some are refused, such as a `not` behind what can be left out.
        let written: Option<Vec<Pattern>> = written.iter().map(|text| pattern(text)).collect();
        let (Some(looped), Some(written)) = (pattern(&text), written) else { continue };
        let case = Case { text, looped, written, relation };
        patterns += 1;
        for _ in 0..streams() {
            let events = stream(&mut random);
            let mut differences =
                engines.iter().filter_map(|engine| case.difference(*engine, &events, &mut matches));
            wrong.extend(differences.next());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(patterns > 200 && matches > 300, "{patterns} patterns, {matches} matches");
}
