//! The texts of public types: no `Display` ends in a newline, so that `println!` fits all of
//! them.
#![cfg(feature = "derive")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::Path;

use kleene::diagnostic::{Code, Severity};
use kleene::event::TypeColumns;
use kleene::exec::Matcher;
use kleene::ruleset::RuleDiagnostics;
use kleene::schema::FieldType;
use kleene::stream::{Ignore, Output, Verdict};
use kleene::value::Kind;
use kleene::{Engine, Event, Pattern, Record, RuleSet, Timestamp, Value};
use kleene_automata::nfa;
use kleene_explain::why::{Cause, MismatchReason, TraceError, Tracer};
use kleene_syntax::hir::Length;

const EVENTS: &str = "event paid { order: int, at: time }
    event sent { order: int, at: time }\n";

fn rules(rule: &str) -> RuleSet {
    RuleSet::parse(&format!("{EVENTS}{rule}")).unwrap()
}

fn event(rules: &RuleSet, ty: &str, at: Timestamp) -> Record {
    let fields = [("order", 7.into()), ("at", at.into())];
    Record::from_fields(rules.schema(), ty, fields).unwrap()
}

#[derive(Clone, Debug, Event)]
struct Paid {
    order: String,
    at: Timestamp,
}

/// Keeps what overflows say.
struct Overflows(Vec<String>);
impl kleene::stream::Sink<Record> for Overflows {
    fn matched(&mut self, _: kleene::stream::Match<'_, Record>) {}

    fn overflowed(&mut self, overflow: kleene::stream::Overflow) {
        self.0.push(overflow.to_string());
    }
}

/// Texts by the name of their type, as it is written where `Display` is implemented.
#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn shown() -> BTreeMap<&'static str, Vec<String>> {
    let mut all: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    let mut show = |name, text: &dyn Display| {
        all.entry(name).or_default().extend([format!("{text}"), format!("{text:#}")]);
    };
    let done = rules("rule done { key order match paid -> sent within 2d }");
    let at = Timestamp::from_millis;

    // Values and names.
    let value = Value::List([1.into(), "a".into(), Value::Null].into());
    show("Value", &value);
    show("ValueRef<'_>", &value.as_ref());
    show("ValueCow<'_>", &kleene::value::ValueCow::Borrowed(value.as_ref()));
    show("Kind", &Kind::INT.or(Kind::NULL));
    show("FieldType", &FieldType::List(Box::new(FieldType::Int)));
    show("Timestamp", &at(7));
    show("ParseTimestampError", &"noon".parse::<Timestamp>().unwrap_err());
    let rows = TypeColumns::new(done.schema(), "payd", []);
    show("BatchError", &rows.unwrap_err());
    show("RecordError", &Record::from_fields(done.schema(), "payd", []).unwrap_err());
    show("Strategy", &nfa::Strategy::General);
    show("Growth", &nfa::Growth::LinearInGroups);
    show("Code", &Code::UnknownType);
    show("UnknownCode", &"E9999".parse::<Code>().unwrap_err());
    show("Severity", &Severity::Error);
    show("Report", &kleene::pattern::Report::Longest);

    // Mistakes of rules.
    for count in [1, 200] {
        let all = (0..count).map(|number| format!("rule r{number} {{ match payed }}\n"));
        let text = all.collect::<Vec<String>>().concat();
        let error = RuleSet::parse(&text).unwrap_err();
        show("RuleDiagnostic", &error.diagnostics()[0]);
        show("RuleDiagnostics<'_>", &RuleDiagnostics(error.diagnostics()));
        show("RuleDiagnostics<'_>", &RuleDiagnostics(&[]));
        show("RulesError", &error);
        assert_eq!(format!("{error:?}"), error.to_string(), "`Debug` is what `Display` is");
    }
    show("PatternError", &Pattern::<Paid>::begin("a").followed_by("a").build().unwrap_err());
    let mismatch = Engine::<Paid>::builder().rules(&done).build().unwrap_err();
    show("BuildError", &mismatch);
    let mut pattern = done.rule("done").expect("it is a rule").pattern.clone();
    pattern.within = Some(Length::ZERO);
    show("AutomatonError", &Matcher::<Record>::new(&pattern, []).unwrap_err());

    // What an engine says.
    let mut engine = Engine::<Record>::builder().rules(&done).build().unwrap();
    engine.push(&event(&done, "paid", at(1)), &mut Ignore).unwrap();
    let mut outputs: Vec<Output<Record>> = Vec::new();
    engine.push(&event(&done, "paid", Timestamp::MAX), &mut outputs).unwrap();
    engine.push(&event(&done, "sent", at(2)), &mut outputs).unwrap();
    for output in &outputs {
        match output {
            Output::Match(found) => show("MatchId", &found.id),
            Output::Rejected { reason, .. } => show("RejectReason", reason),
            _ => {}
        }
    }
    let two = "rule done { key order match paid -> sent within 1d } rule more { match sent }";
    let replacement = engine.replace_rules(&rules(two)).unwrap();
    show("Replacement", &replacement);
    show("RuleChange", &replacement.rules[0]);
    show("Verdict", &Verdict::Reset(String::from("its key is another one")));
    let refused = Engine::<Paid>::builder().build().unwrap().replace_rules(&done).unwrap_err();
    show("Refused", &refused);
    show("Replacement", refused.replacement());
    show("RestoreError", &Engine::<Record>::builder().restore(&[b"?"]).unwrap_err());
    let full = rules("rule full { match paid -> sent skip none within 1d limit 1 partials fail }");
    full.undivided().iter().for_each(|rule| show("UndividedReason", &rule.reason));
    let mut engine = Engine::<Record>::builder().rules(&full).build().unwrap();
    engine.push(&event(&full, "paid", at(1)), &mut Ignore).unwrap();
    let failure = engine.push(&event(&full, "paid", at(2)), &mut Ignore).unwrap_err();
    show("PushError", &failure);
    let full =
        rules("rule full { match paid -> sent skip none within 1d limit 1 partials drop newest }");
    let mut engine = Engine::<Record>::builder().rules(&full).build().unwrap();
    let mut overflows = Overflows(Vec::new());
    for time in 1..3 {
        engine.push(&event(&full, "paid", at(time)), &mut overflows).unwrap();
    }
    overflows.0.iter().for_each(|overflow| show("Overflow", overflow));

    // What happened, and why.
    show("MismatchReason", &MismatchReason::Order(String::from("`a` is taken first")));
    show("TraceError", &Tracer::<Record>::new(&done, "dne", ["7"]).unwrap_err());
    let error = Tracer::<Record>::new(&done, "done", ["7", "8"]).unwrap_err();
    if let TraceError::Key(error) = &error {
        show("KeyError", error);
    }
    let mut test =
        rules("rule done { match sent } test done { at 1s sent { order: 1 } expect match }");
    if let [block] = test.tests() {
        let block = block.clone();
        test = rules("rule other { match sent }");
        show("TestError", &kleene_explain::testing::run(&test, &block).unwrap_err());
    }
    let mut tracer = Tracer::<Record>::new(&done, "done", ["7"]).unwrap();
    show("Story<'_, E>", &tracer.story());
    tracer.push(&event(&done, "paid", at(1)), Some(1));
    tracer.push(&event(&done, "paid", at(0)), Some(2));
    show("Story<'_, E>", &tracer.story());
    tracer.end_time();
    show("Story<'_, E>", &tracer.story());
    for entry in tracer.entries() {
        show("Entry", entry);
        if let Cause::Event(seen) = &entry.cause {
            show("ShownEvent", seen);
        }
    }
    all
}

#[test]
fn no_display_ends_in_a_newline() {
    for (name, texts) in shown() {
        for text in texts {
            assert!(!text.ends_with('\n'), "{name}: {text:?}");
        }
    }
}

/// Types that users do not see, and those of which there is only a name.
const PRIVATE: [&str; 7] = [
    "DecodeError",
    "Length",
    "Lines<'_, Entry>",
    "RefusedPattern",
    "SchemaMismatch",
    "ShownFields<'_>",
    "Unseen",
];

#[test]
fn every_public_display_is_looked_at() {
    let shown = shown();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = ["event", "syntax", "automata", "engine", "explain"];
    let mut folders = vec![root.join("src")];
    folders.extend(crates.map(|name| root.join(format!("crates/kleene-{name}/src"))));
    let mut found = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for line in text.lines().filter(|line| line.starts_with("impl")) {
                let Some((_, name)) = line.split_once("Display for ") else { continue };
                let name = name.trim_end_matches(" {");
                let is_known = shown.contains_key(name) || PRIVATE.contains(&name);
                assert!(is_known || name.starts_with("Lines<"), "{}: {name}", path.display());
                found += 1;
            }
        }
    }
    assert!(found > 30, "{found}");
}
