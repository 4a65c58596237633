//! The examples of docs/semantics.md, as its second paragraph says how to read them.

use std::fs;
use std::path::Path;

use kleene::stream::Output;
use kleene::{Engine, Event, Record, RuleSet, Timestamp, Value};
use kleene_test::known;

const TYPES: &str = "
event a { v: int, at: time }
event b { v: int, at: time }
event c { v: int, at: time }
event x { v: int, at: time }
";

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/semantics.md");
    fs::read_to_string(path).expect("the page is there")
}

/// An example: where it is, the clauses, the events, and what comes out.
struct Example<'a> {
    line: usize,
    clauses: String,
    events: Vec<&'a str>,
    reported: Vec<&'a str>,
}

fn examples(page: &str) -> Vec<Example<'_>> {
    let mut found = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if line != "```kleene" {
            continue;
        }
        let mut example = Example {
            line: index + 1,
            clauses: String::new(),
            events: Vec::new(),
            reported: Vec::new(),
        };
        for (_, line) in lines.by_ref().take_while(|(_, line)| *line != "```") {
            if let Some(events) = line.strip_prefix("events ") {
                example.events = events.split(' ').collect();
            } else if let Some(reported) = line.strip_prefix("=> ") {
                example.reported.extend((reported != "nothing").then_some(reported));
            } else {
                example.clauses = example.clauses + line + "\n";
            }
        }
        found.push(example);
    }
    found
}

/// `b2@90` as a record, the position in the stream standing for a missing time.
fn event(text: &str, position: usize, rules: &RuleSet) -> Record {
    let (name, second) = text.split_once('@').unwrap_or((text, ""));
    let second: i64 =
        if second.is_empty() { position.try_into().ok() } else { second.parse().ok() }
            .expect("seconds are a number");
    let (ty, v) = name.split_at(1);
    let at = Timestamp::from_millis(second * 1000);
    let v = v.parse().expect("the rest of a name is a number");
    let ty = rules.schema().type_id(ty).expect("the type is declared");
    Record::new(ty, at, [Value::Int(v), Value::Time(at)])
}

fn names<'a>(events: impl IntoIterator<Item = &'a Record>, rules: &RuleSet) -> String {
    let name = |event: &Record| {
        format!("{}{}", rules.schema().ty(event.type_id()).name, event.values()[0])
    };
    events.into_iter().map(name).collect::<Vec<_>>().join(" ")
}

fn run(example: &Example<'_>) -> Vec<(String, Timestamp)> {
    let text = format!("{TYPES}rule r {{\n{}}}\n", example.clauses);
    let rules = RuleSet::parse(&text)
        .unwrap_or_else(|error| panic!("docs/semantics.md:{}\n{error}", example.line));
    let mut engine = Engine::builder().rules(&rules).build().expect("it can be run");
    let mut reported: Vec<Output<Record>> = Vec::new();
    for (position, text) in example.events.iter().enumerate() {
        engine.push(&event(text, position, &rules), &mut reported).expect("it is not finished");
    }
    engine.end_time(&mut reported).expect("no limit fails");
    // What gives way is shown by its absence.
    reported.retain(|output| !matches!(output, Output::Suppressed(_) | Output::Overflowed(_)));
    reported
        .into_iter()
        .map(|output| match output {
            Output::Match(found) => {
                (names(found.captures.iter().map(|(_, event)| event), &rules), found.reported_at)
            }
            Output::Timeout(timeout) => {
                let events = timeout.found.captures.iter().map(|(_, event)| event);
                (format!("timeout {}", names(events, &rules)), timeout.found.reported_at)
            }
            other => panic!("docs/semantics.md:{}: {other:?}", example.line),
        })
        .collect()
}

#[test]
fn the_page_says_what_comes_out() {
    let page = page();
    let examples = examples(&page);
    assert!(examples.len() > 30, "only {} examples", examples.len());
    let mut wrong = Vec::new();
    for example in &examples {
        let reported = run(example);
        let found: Vec<String> = reported
            .iter()
            .zip(example.reported.iter().map(Some).chain(std::iter::repeat(None)))
            .map(|((events, at), expected)| match expected {
                Some(expected) if expected.contains(" at ") => {
                    format!("{events} at {}s", at.as_millis() / 1000)
                }
                _ => events.clone(),
            })
            .collect();
        if found != example.reported {
            wrong.push(format!(
                "docs/semantics.md:{}: expected\n  {}\nfound\n  {}\n",
                example.line,
                example.reported.join("\n  "),
                found.join("\n  ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn every_knowing_difference_is_explained() {
    let page = page();
    for rule in known::RULES {
        assert!(page.contains(&format!("\n### `{}`\n", rule.name)), "{} is missing", rule.name);
    }
    let headings = page.lines().filter(|line| line.starts_with("### `")).count();
    assert_eq!(headings, known::RULES.len(), "the page explains differences that are gone");
}
