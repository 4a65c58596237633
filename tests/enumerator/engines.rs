//! What the engine and the reference report.

use std::fmt::Write as _;

use kleene::stream::{EngineBuilder, Output};
use kleene::{Engine, Event as _, Record, RuleSet, Timestamp, Value};
use kleene_automata::exec::reference::Reference;

use super::rule::{Event, Rule, TYPES};

/// An output: true for a timeout, the captured events with the names of their steps, and its time.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Reported {
    pub(super) is_timeout: bool,
    pub(super) captures: Vec<(usize, String)>,
    pub(super) time: i64,
}

/// Returns the rule as a file.
pub(super) fn text(rule: &Rule) -> String {
    let mut text = String::new();
    for name in TYPES {
        let _ = writeln!(text, "event {name} {{ id: int, v: int?, wait: duration?, at: time }}");
    }
    text + &format!("rule r {{ {rule} }}\n")
}

/// Returns the checked rule, or the codes of what the checker refuses.
pub(super) fn parse(rule: &Rule) -> Result<RuleSet, Vec<String>> {
    RuleSet::parse(&text(rule)).map_err(|error| {
        let diagnostics = error.diagnostics().iter().map(|report| &report.diagnostic);
        let errors = diagnostics.filter(|one| one.severity == kleene::diagnostic::Severity::Error);
        errors.map(|one| format!("{:?}", one.code)).collect()
    })
}

/// Sets the way in which an engine matches.
type Strategy = fn(EngineBuilder<Record>) -> EngineBuilder<Record>;

/// The ways in which the engine matches.
pub(super) const STRATEGIES: [(&str, Strategy); 3] = [
    ("default", |builder| builder),
    ("general", EngineBuilder::general_strategy),
    ("compact", EngineBuilder::compact_strategy),
];

/// Returns the events as the engine takes them.
pub(super) fn records(rules: &RuleSet, events: &[Event]) -> Vec<Record> {
    let record = |(number, event): (usize, &Event)| {
        let ty = rules.schema().type_id(TYPES[event.ty]).expect("it is declared");
        let at = Timestamp::from_millis(event.time);
        let id = Value::Int(i64::try_from(number).expect("streams are short"));
        let v = event.v.map_or(Value::Null, Value::Int);
        let wait = event.wait().map_or(Value::Null, Value::Duration);
        Record::new(ty, at, [id, v, wait, Value::Time(at)])
    };
    events.iter().enumerate().map(record).collect()
}

/// Returns what an engine reports up to a time.
pub(super) fn run(
    rules: &RuleSet,
    configure: fn(EngineBuilder<Record>) -> EngineBuilder<Record>,
    records: &[Record],
    end: i64,
) -> Result<Vec<Reported>, String> {
    let builder = configure(Engine::builder().rules(rules));
    let mut engine = builder.build().map_err(|error| error.to_string())?;
    let mut outputs: Vec<Output<Record>> = Vec::new();
    for record in records {
        engine.push(record, &mut outputs).map_err(|error| error.to_string())?;
    }
    // The watermark lags a millisecond behind what it has passed.
    engine.advance(Timestamp::from_millis(end), &mut outputs).map_err(|error| error.to_string())?;
    outputs.into_iter().map(reported).collect()
}

fn reported(output: Output<Record>) -> Result<Reported, String> {
    let (is_timeout, found) = match output {
        Output::Match(found) => (false, found),
        Output::Timeout(timeout) => (true, timeout.found),
        other => return Err(format!("{other:?}")),
    };
    let capture = |(name, event): &(std::sync::Arc<str>, Record)| match event.values()[0] {
        Value::Int(id) => (usize::try_from(id).unwrap_or_default(), name.to_string()),
        _ => (usize::MAX, name.to_string()),
    };
    let mut captures: Vec<_> = found.captures.iter().map(capture).collect();
    captures.sort();
    Ok(Reported { is_timeout, captures, time: found.reported_at.as_millis() })
}

/// Returns what the reference reports up to a time.
pub(super) fn reference(
    rules: &RuleSet,
    records: &[Record],
    end: i64,
) -> Result<Vec<Reported>, String> {
    let rule = &rules.rules()[0];
    let mut reference =
        Reference::<Record>::new(&rule.pattern, Vec::new()).map_err(|error| error.to_string())?;
    let mut outputs = Vec::new();
    for record in records {
        outputs.extend(reference.advance(record.time()));
        outputs.extend(reference.push(record.clone()));
    }
    outputs.extend(reference.advance(Timestamp::from_millis(end)));
    let reported = |output: kleene_automata::exec::reference::ReferenceOutput| {
        let capture = |(step, seq): &(kleene_syntax::hir::StepId, usize)| {
            let name = &rule.pattern.steps[step.index()].name;
            (numbers(records)[*seq], name.to_string())
        };
        let mut captures: Vec<_> = output.captures.iter().map(capture).collect();
        captures.sort();
        Reported { is_timeout: !output.is_match, captures, time: output.at.as_millis() }
    };
    Ok(outputs.into_iter().map(reported).collect())
}

fn numbers(records: &[Record]) -> Vec<usize> {
    let number = |record: &Record| match record.values()[0] {
        Value::Int(id) => usize::try_from(id).unwrap_or_default(),
        _ => usize::MAX,
    };
    records.iter().map(number).collect()
}
