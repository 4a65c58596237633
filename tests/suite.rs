//! The rule files of `testdata/suite`, one for each construct of the language: their tests, whose
//! expectations were worked out by hand from the documentation, hold. What the engine reports each,
//! and of the tests in `patterns`, is what the reference matcher and the matcher report the same
//! events, key by key.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use kleene::{Engine, Event as _, Match, Record, RuleSet, Sink, Timeout, Timestamp, Value};
use kleene_explain::testing::{self, TEST_START, TestStep};
use kleene_syntax::hir::expr::FieldRef;
use kleene_syntax::hir::{KeyPart, Rule, TestBlock};
use kleene_test::engine::{
    Engine as Matcher, GeneralEngine, MatcherEngine, ReferenceEngine, Session,
};
use kleene_test::files::rule_files;

/// The rule files of a folder and those in it, sorted.
fn files(folder: &str) -> Vec<PathBuf> {
    rule_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
}

fn load(file: &Path) -> RuleSet {
    RuleSet::from_path(file).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_language_does_what_its_documentation_says() {
    let (mut tests, mut wrong) = (0, String::new());
    let files = files("testdata/suite");
    for file in &files {
        let rules = load(file);
        for test in rules.tests() {
            tests += 1;
            let failures = testing::run(&rules, test).expect("the rule can be run");
            for failure in failures {
                let _ = writeln!(wrong, "{}: {}", test.rule, failure.render(test));
            }
        }
        let is_tested =
            |name: &str| rules.tests().iter().any(|test: &TestBlock| *test.rule == *name);
        let untested = rules.rules().iter().find(|rule| !is_tested(&rule.name));
        assert!(
            untested.is_none(),
            "{}: {:?} has no test",
            file.display(),
            untested.map(|r| &r.name)
        );
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(tests >= 300, "only {tests} tests in {} files", files.len());
}

/// Events and times; an event's own time is its record's.
type Steps = Vec<(Timestamp, Option<Record>)>;

/// Returns the difference between what the engine and the matchers report `steps`, as text; and how
/// much the engine reports.
fn compare(rules: &RuleSet, rule: &Rule, steps: &Steps) -> (usize, String) {
    // What is kept quiet, and what gives way, only the engine knows.
    let rule = &Rule { having: None, suppress: None, once: None, limit: None, ..rule.clone() };
    let matchers: [&dyn Matcher; 3] = [&ReferenceEngine, &MatcherEngine, &GeneralEngine];
    let steps = &bounded(rule, steps);
    let engine = by_engine(rules, rule, steps);
    let mut wrong = String::new();
    for matcher in matchers {
        let reported = by_key(matcher, rule, steps).unwrap_or_else(|refused| vec![refused]);
        if reported != engine {
            let _ = writeln!(
                wrong,
                "{}: the engine reports\n  {}\nand the {}\n  {}",
                rule.name,
                engine.join("\n  "),
                matcher.name(),
                reported.join("\n  ")
            );
        }
    }
    (engine.len(), wrong)
}

/// The same steps, up to a minute after the last event where a silence is repeated for ever.
fn bounded(rule: &Rule, steps: &Steps) -> Steps {
    let mut steps = steps.clone();
    if rule.pattern.repeats {
        steps.retain(|(at, event)| event.is_some() || *at < Timestamp::MAX);
        let last = steps.last().map_or(TEST_START, |(at, _)| *at);
        steps.push((last.plus_millis(60_000), None));
    }
    steps
}

#[test]
fn the_engine_and_both_matchers_report_the_same() {
    let (mut compared, mut wrong) = (0, String::new());
    for file in files("testdata/suite").into_iter().chain(files("patterns")) {
        let rules = load(&file);
        for test in rules.tests() {
            let rule = rules.rule(&test.rule).expect("it has been checked");
            let (reported, different) = compare(&rules, rule, &steps(test));
            compared += reported;
            if !different.is_empty() {
                let _ = writeln!(wrong, "{}:{}: {different}", file.display(), test.line());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(compared > 700, "only {compared} matches and timeouts are compared");
}

/// The number of streams for each rule: `KLEENE_SUITE_STREAMS=1000` looks longer.
fn streams() -> u64 {
    std::env::var("KLEENE_SUITE_STREAMS").ok().and_then(|text| text.parse().ok()).unwrap_or(8)
}

/// Of the events of a rule's tests, in any order and at other times.
#[test]
fn they_report_the_same_of_streams_that_nobody_thought_of() {
    let (mut compared, mut wrong) = (0, String::new());
    for file in files("testdata/suite").into_iter().chain(files("patterns")) {
        let rules = load(&file);
        for rule in rules.rules() {
            let tests = rules.tests().iter().filter(|test| test.rule == rule.name);
            let known: Steps = tests.flat_map(steps).collect();
            for seed in 0..streams() {
                let made = made_up(&rules, &known, seed);
                let (reported, different) = compare(&rules, rule, &made);
                compared += reported;
                if !different.is_empty() {
                    let _ = writeln!(wrong, "{}, seed {seed}: {different}", file.display());
                    for (at, event) in &made {
                        let at = at.millis_since(TEST_START);
                        let _ =
                            writeln!(wrong, "    {at}ms {:?}", event.as_ref().map(Record::values));
                    }
                    break;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(compared > 1000, "only {compared} matches and timeouts are compared");
}

/// Up to twelve of the `known` events, as far apart as some of them are.
fn made_up(rules: &RuleSet, known: &Steps, seed: u64) -> Steps {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % below.max(1)
    };
    let events: Vec<&Record> = known.iter().filter_map(|(_, event)| event.as_ref()).collect();
    let gaps: Vec<i64> = known
        .windows(2)
        .map(|pair| pair[1].0.millis_since(pair[0].0))
        .filter(|gap| (0..1_000_000_000_000).contains(gap))
        .collect();
    let mut at = TEST_START;
    let mut made = Vec::new();
    for _ in 0..4 + random(9) {
        if !gaps.is_empty() {
            at = at.plus_millis(gaps[random(gaps.len())]);
        }
        if events.is_empty() || random(10) == 0 {
            made.push((at, None));
            // An event of that time would be late.
            at = at.plus_millis(1);
            continue;
        }
        let event = events[random(events.len())];
        let mut values = event.values().to_vec();
        if let Some(time) = rules.schema().ty(event.type_id()).time {
            values[time.index()] = Value::Time(at);
        }
        let event = Record::with_extra(event.type_id(), at, values, event.extra().to_vec());
        made.push((at, Some(event)));
    }
    made.push((Timestamp::MAX, None));
    made
}

/// The events and times of a test, and the end of time after them.
fn steps(test: &TestBlock) -> Steps {
    let steps = test.steps.iter().filter_map(|step| match step {
        TestStep::Event { ty, at, values, extra } => {
            Some((*at, Some(Record::with_extra(*ty, *at, values.clone(), extra.clone()))))
        }
        TestStep::Advance(to) => Some((*to, None)),
        TestStep::Expect(_) => None,
    });
    steps.chain([(Timestamp::MAX, None)]).collect()
}

/// A match or timeout as a line.
fn line<'a>(
    is_match: bool,
    at: Timestamp,
    key: &str,
    events: impl Iterator<Item = (&'a str, &'a Record)>,
) -> String {
    let kind = if is_match { "match" } else { "timeout" };
    let mut line = format!("{kind} {key} at {}ms:", at.millis_since(TEST_START));
    for (step, event) in events {
        let at = event.time().millis_since(TEST_START);
        let _ = write!(line, " {step}@{at}{:?}", event.values());
    }
    line
}

/// Returns the engine's outputs for a test's events, a line each. The lines of one step are sorted:
/// how the keys take turns is not for the matchers to say.
fn by_engine(rules: &RuleSet, rule: &Rule, steps: &Steps) -> Vec<String> {
    struct Lines(Vec<String>);

    impl Lines {
        fn add(&mut self, reported: &Match<'_, Record>, is_match: bool) {
            let key =
                format!("{:?}", reported.key_values().map(|(_, value)| value).collect::<Vec<_>>());
            let events = reported.captures().map(|(step, event)| (&**step, event));
            self.0.push(line(is_match, reported.reported_at(), &key, events));
        }
    }

    impl Sink<Record> for Lines {
        fn matched(&mut self, found: Match<'_, Record>) {
            self.add(&found, true);
        }

        fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
            self.add(timeout.as_match(), false);
        }
    }

    let mut engine = Engine::builder()
        .rule(rules.schema().clone(), rule.clone().into())
        .in_order()
        .build()
        .expect("the rule can be run");
    let mut all = Vec::new();
    for (at, event) in steps {
        let mut lines = Lines(Vec::new());
        match event {
            Some(event) => engine.push(event, &mut lines).expect("it is not finished"),
            None => engine.advance(*at, &mut lines).expect("it is not finished"),
        }
        lines.0.sort();
        all.extend(lines.0);
    }
    all
}

/// The same from a matcher that knows one key and nothing else.
fn by_key(matcher: &dyn Matcher, rule: &Rule, steps: &Steps) -> Result<Vec<String>, String> {
    struct Key {
        session: Box<dyn Session>,
        events: Vec<Record>,
    }

    let mut keys: BTreeMap<String, Key> = BTreeMap::new();
    let mut all = Vec::new();
    for (at, event) in steps {
        let mut reported = Vec::new();
        for (key, of) in &mut keys {
            reported.extend(
                of.session.advance(*at).into_iter().map(|reported| (key.clone(), reported)),
            );
        }
        if let Some(event) = event
            && rule.types.contains(&event.type_id())
        {
            for (key, step_keys) in keys_of(rule, event) {
                if !keys.contains_key(&key) {
                    let session = matcher.start(&rule.pattern)?;
                    keys.insert(key.clone(), Key { session, events: Vec::new() });
                }
                if let Some(of) = keys.get_mut(&key) {
                    let found = of.session.push_keyed(event, step_keys);
                    reported.extend(found.into_iter().map(|reported| (key.clone(), reported)));
                    of.events.push(event.clone());
                }
            }
        }
        let mut lines: Vec<String> = reported
            .iter()
            .map(|(key, reported)| {
                let events = reported.captures.iter().map(|(step, event)| {
                    (&*rule.pattern.steps[step.index()].name, &keys[key].events[*event])
                });
                line(reported.is_match, reported.at, key, events)
            })
            .collect();
        lines.sort();
        all.extend(lines);
    }
    Ok(all)
}

/// The keys of an event, each with the variants of step keys that give it.
fn keys_of(rule: &Rule, event: &Record) -> BTreeMap<String, u64> {
    let ty = event.type_id();
    let mut keys = BTreeMap::new();
    if let Some(several) = rule.step_keys.iter().find(|keys| keys.ty == ty) {
        for key in &several.keys {
            if let Some(text) = key_text(event, key.fields.iter()) {
                *keys.entry(text).or_default() |= key.variants;
            }
        }
        return keys;
    }
    let field = |part: &KeyPart| {
        let own = part.fields.iter().find(|(of, _)| *of == ty);
        own.map(|(_, field)| field.clone())
    };
    let fields: Option<Vec<_>> = rule.key.iter().map(field).collect();
    let text = fields.and_then(|fields| key_text(event, fields.iter()));
    keys.extend(text.map(|text| (text, u64::MAX)));
    keys
}

/// The values of a key, unless one of them is null.
fn key_text<'f>(event: &Record, fields: impl Iterator<Item = &'f FieldRef>) -> Option<String> {
    let values = fields.map(|field| {
        let value = match field {
            FieldRef::Declared(field) => event.field(*field),
            FieldRef::Dynamic(path) => event.dynamic_field(path),
            FieldRef::Time | FieldRef::ByType(_) => return None,
        };
        (!value.is_null()).then(|| value.to_value())
    });
    let values: Option<Vec<_>> = values.collect();
    values.map(|values| format!("{:?}", values.iter().collect::<Vec<_>>()))
}
