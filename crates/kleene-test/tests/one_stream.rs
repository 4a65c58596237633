//! Cases through an engine by their files alone, and results that a judge must not let pass.

use std::path::Path;

use kleene::stream::Sink;
use kleene::{Engine, Match, Record, RuleSet, Timeout};
use kleene_input::{Format, RecordReader};
use kleene_report::output::{LineForm, Shapes};
use kleene_test::format;
use kleene_test::judge::Verdict;
use kleene_test::one_stream::{OneStream, Results};
use serde_json::{Value, json};

/// Writes results as `kleene run` does.
struct Lines {
    shapes: Shapes,
    text: Vec<u8>,
}

impl Sink<Record> for Lines {
    fn matched(&mut self, found: Match<'_, Record>) {
        self.shapes.matched(&mut self.text, &found);
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
        self.shapes.timed_out(&mut self.text, &timeout);
    }
}

/// The recorded cases of a file with these ids, or all.
fn cases(file: &str, ids: &[&str]) -> OneStream {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/conformance");
    let mut cases = format::read_cases(&folder.join(file)).expect("the cases can be read");
    cases.retain(|case| ids.is_empty() || ids.contains(&case.id.as_str()));
    assert!(cases.len() >= ids.len());
    OneStream::new(cases.into_iter().map(|case| (case, Vec::new())))
}

/// Matches of an event and of a deadline, timeouts, a match that waits to the end of time, and a
/// case that is knowingly different.
fn handful() -> OneStream {
    let ids = [
        "doc-contiguity-relaxed",
        "quirk-skip-match-held-back-for-ever-by-an-open-partial",
        "quirk-skip-what-times-out-depends-on-the-watermarks",
        "quirk-loop-then-last-not-followed-by-times-out-instead",
        "quirk-previous-current-optional-lost-after-an-ignored-event",
    ];
    let cases = cases("classics.jsonl", &ids);
    assert_eq!(cases.len(), ids.len(), "{:?}", cases.unsaid());
    cases
}

/// What the host of this test, an engine, answers.
fn answers(cases: &OneStream) -> Vec<String> {
    let rules = RuleSet::parse(&cases.rules()).expect("each rule was checked");
    let mut engine: Engine<Record> = Engine::builder().rules(&rules).build().expect("it has rules");
    let shapes = Shapes::new(engine.schema(), "ts".into(), LineForm::Json);
    let mut lines = Lines { shapes, text: Vec::new() };
    let events = cases.events().into_bytes();
    for event in RecordReader::from_bytes(events, Format::Jsonl, rules.schema()) {
        engine.push(&event.expect("it fits its type"), &mut lines).expect("it goes on");
    }
    engine.end_time(&mut lines).expect("it goes on");
    assert_eq!((engine.stats().late, engine.stats().rejected), (0, 0));
    String::from_utf8(lines.text).expect("JSON is text").lines().map(str::to_owned).collect()
}

/// The number of cases that fail with these lines, and of all others.
fn judge(cases: &OneStream, lines: &[String]) -> (usize, usize) {
    let results = Results::read(lines.join("\n").as_bytes()).expect("they are results");
    let verdicts = cases.judge(&results);
    let failed = verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Failed(_)));
    let failed = failed.count();
    (failed, verdicts.len() - failed)
}

#[test]
fn an_engine_answers_as_recorded_in_any_order() {
    let cases = cases("classics.jsonl", &[]);
    assert!(cases.len() > 80, "{:?}", cases.unsaid());
    let mut lines = answers(&cases);
    assert_eq!(judge(&cases, &lines), (0, cases.len()));
    lines.reverse();
    assert_eq!(judge(&cases, &lines), (0, cases.len()));
}

#[test]
fn events_are_in_the_order_of_time_and_of_their_case() {
    let cases = handful();
    let events: Vec<Value> =
        cases.events().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let by = |name: &str, event: &Value| event[name].as_i64();
    assert!(events.is_sorted_by_key(|event| by("ts", event)));
    for case in 0..5 {
        let mut of_case = events.iter().filter(|event| by("case", event) == Some(case));
        assert!(of_case.clone().count() > 1);
        assert!((0..).zip(&mut of_case).all(|(number, event)| by("i", event) == Some(number)));
    }
}

#[test]
fn a_missing_line_fails_its_case() {
    let cases = handful();
    let lines = answers(&cases);
    assert!(lines.len() > 6);
    for dropped in 0..lines.len() {
        let mut fewer = lines.clone();
        let line = fewer.remove(dropped);
        assert_eq!(judge(&cases, &fewer), (1, 4), "{line}");
    }
}

#[test]
fn a_doubled_line_fails_its_case() {
    let cases = handful();
    let lines = answers(&cases);
    for line in &lines {
        let mut more = lines.clone();
        more.push(line.clone());
        assert_eq!(judge(&cases, &more), (1, 4), "{line}");
    }
}

#[test]
fn an_altered_line_fails_its_case() {
    let cases = handful();
    let lines = answers(&cases);
    let alterations: [(&str, Value); 7] = [
        ("/kind", json!("limit")),
        ("/key/case", json!(77)),
        ("/start", json!("2024-05-01T10:00:00Z")),
        ("/end", json!("2024-05-01T10:00:00Z")),
        ("/events/a/0/i", json!(77)),
        ("/events/a/0/v", json!(77)),
        ("/events/a/0/ts", json!("2024-05-01T10:00:00Z")),
    ];
    for altered in 0..lines.len() {
        for (place, value) in &alterations {
            let mut line: Value = serde_json::from_str(&lines[altered]).unwrap();
            *line.pointer_mut(place).unwrap() = value.clone();
            let mut lines = lines.clone();
            lines[altered] = line.to_string();
            assert_eq!(judge(&cases, &lines), (1, 4), "{line}");
        }
    }
}

#[test]
fn a_match_is_no_timeout() {
    let cases = handful();
    let mut lines = answers(&cases);
    for line in &mut lines {
        *line = line.replace(r#""kind":"match""#, r#""kind":"timeout""#);
    }
    assert_eq!(judge(&cases, &lines), (5, 0));
}

#[test]
fn results_of_no_case_fail() {
    let cases = handful();
    let mut lines = answers(&cases);
    lines.push(lines[0].replace(r#""rule":"c"#, r#""rule":"c7"#));
    assert_eq!(judge(&cases, &lines), (1, 5));
}

#[test]
fn results_without_a_line_are_refused() {
    for (text, reason) in [
        ("", "there are no results"),
        ("\n\n", "there are no results"),
        ("{\"rule\":\"c0\"}", "results, line 1: missing field"),
    ] {
        let error = Results::read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(reason), "{error}");
    }
}
