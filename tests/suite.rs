//! The rule files of `testdata/suite`, one for each construct of the language: their tests, whose
//! expectations were worked out by hand from the documentation, hold. What the engine tells of each,
//! and of the tests in `patterns`, is what the reference matcher and the matcher tell of the same
//! events, key by key.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use kleene::hir::expr::FieldRef;
use kleene::hir::{Rule, TestBlock};
use kleene::testing::{self, TEST_START, TestStep};
use kleene::{Engine, Event as _, Match, Record, RuleSet, Sink, Timeout, Timestamp};
use kleene_test::engine::{Engine as Matcher, MatcherEngine, ReferenceEngine, Session};

/// The rule files of a folder and those in it, sorted.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            files.extend(self::files(&path.to_string_lossy()));
        } else if path.extension().is_some_and(|extension| extension == "cep") {
            files.push(path);
        }
    }
    files.sort();
    files
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

/// Rules whose conditions count the rounds of a group, which the reference matcher cannot.
const BEYOND_THE_REFERENCE: [&str; 1] = ["rounds_in_condition"];

#[test]
fn the_engine_and_both_matchers_tell_the_same() {
    let matchers: [&dyn Matcher; 2] = [&ReferenceEngine, &MatcherEngine];
    let (mut compared, mut wrong) = (0, String::new());
    for file in files("testdata/suite").into_iter().chain(files("patterns")) {
        let rules = load(&file);
        for test in rules.tests() {
            let rule = rules.rule(&test.rule).expect("it has been checked");
            let engine = by_engine(&rules, rule, test);
            for matcher in matchers {
                let is_reference = matcher.name() == ReferenceEngine.name();
                if is_reference && BEYOND_THE_REFERENCE.contains(&&*rule.name) {
                    continue;
                }
                let told = by_key(matcher, rule, test).unwrap_or_else(|refused| vec![refused]);
                compared += engine.len();
                if told != engine {
                    let _ = writeln!(
                        wrong,
                        "{}:{}: {}: the engine tells\n  {}\nand the {}\n  {}",
                        file.display(),
                        test.line(),
                        test.rule,
                        engine.join("\n  "),
                        matcher.name(),
                        told.join("\n  ")
                    );
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(compared > 1000, "only {compared} matches and timeouts are compared");
}

/// The events and times of a test, and the end of time after them.
fn steps(test: &TestBlock) -> impl Iterator<Item = (Timestamp, Option<Record>)> {
    let steps = test.steps.iter().filter_map(|step| match step {
        TestStep::Event { ty, at, values, extra } => {
            Some((*at, Some(Record::with_extra(*ty, *at, values.clone(), extra.clone()))))
        }
        TestStep::Advance(to) => Some((*to, None)),
        TestStep::Expect(_) => None,
    });
    steps.chain([(Timestamp::MAX, None)])
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

/// What the engine tells of a test's events, a line each. The lines of one step are sorted: how the
/// keys take turns is not for the matchers to say.
fn by_engine(rules: &RuleSet, rule: &Rule, test: &TestBlock) -> Vec<String> {
    struct Lines(Vec<String>);

    impl Lines {
        fn add(&mut self, told: &Match<'_, Record>, is_match: bool) {
            let key = format!("{:?}", told.key().map(|(_, value)| value).collect::<Vec<_>>());
            let events = told.events().map(|(step, event)| (&**step, event));
            self.0.push(line(is_match, told.end(), &key, events));
        }
    }

    impl Sink<Record> for Lines {
        fn matched(&mut self, found: Match<'_, Record>) {
            self.add(&found, true);
        }

        fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
            self.add(&timeout, false);
        }
    }

    let mut engine = Engine::builder()
        .rule(rules.schema().clone().into(), rule.clone().into())
        .sorted()
        .build()
        .expect("the rule can be run");
    let mut all = Vec::new();
    for (at, event) in steps(test) {
        let mut lines = Lines(Vec::new());
        match event {
            Some(event) => engine.push(&event, &mut lines).expect("it is not finished"),
            None => engine.advance(at, &mut lines),
        }
        lines.0.sort();
        all.extend(lines.0);
    }
    all
}

/// The same from a matcher that knows one key and nothing else.
fn by_key(matcher: &dyn Matcher, rule: &Rule, test: &TestBlock) -> Result<Vec<String>, String> {
    struct Key {
        session: Box<dyn Session>,
        events: Vec<Record>,
    }

    let mut keys: BTreeMap<String, Key> = BTreeMap::new();
    let mut all = Vec::new();
    for (at, event) in steps(test) {
        let mut told = Vec::new();
        for (key, of) in &mut keys {
            told.extend(of.session.advance(at).into_iter().map(|told| (key.clone(), told)));
        }
        if let Some(event) = event
            && rule.types.contains(&event.type_id())
            && let Some(key) = key_of(rule, &event)
        {
            if !keys.contains_key(&key) {
                let session = matcher.start(&rule.pattern)?;
                keys.insert(key.clone(), Key { session, events: Vec::new() });
            }
            if let Some(of) = keys.get_mut(&key) {
                told.extend(of.session.push(&event).into_iter().map(|told| (key.clone(), told)));
                of.events.push(event);
            }
        }
        let mut lines: Vec<String> = told
            .iter()
            .map(|(key, told)| {
                let events = told.captures.iter().map(|(stage, event)| {
                    (&*rule.pattern.stages[stage.index()].name, &keys[key].events[*event])
                });
                line(told.is_match, told.at, key, events)
            })
            .collect();
        lines.sort();
        all.extend(lines);
    }
    Ok(all)
}

/// The values of an event's key, unless one of them is null.
fn key_of(rule: &Rule, event: &Record) -> Option<String> {
    let values = rule.key.iter().map(|part| {
        let (_, field) = part.fields.iter().find(|(ty, _)| *ty == event.type_id())?;
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
