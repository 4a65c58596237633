//! What the engine and the reference report of rules with clauses.

use kleene::stream::{EngineBuilder, Output, OwnedMatch};
use kleene::{Engine, Event as _, Record, RuleSet, Timestamp, Value};
use kleene_automata::exec::reference::{Reference, ReferenceOutput};
use kleene_syntax::hir::StepId;

use super::clause_random::RULES;
use super::clauses::{Fate, RuleOutput};
use super::rule::{Event, TYPES};

/// Returns the events as the engine takes them.
pub(super) fn records(rules: &RuleSet, events: &[Event]) -> Vec<Record> {
    let or_null = |value: Option<i64>| value.map_or(Value::Null, Value::Int);
    let record = |(number, event): (usize, &Event)| {
        let ty = rules.schema().type_id(TYPES[event.ty]).expect("it is declared");
        let at = Timestamp::from_millis(event.time);
        let id = Value::Int(i64::try_from(number).expect("streams are short"));
        let wait = event.wait().map_or(Value::Null, Value::Duration);
        Record::new(ty, at, [id, or_null(event.v), wait, or_null(event.key), Value::Time(at)])
    };
    events.iter().enumerate().map(record).collect()
}

/// Returns what an engine reports up to a time. It is made again from its snapshot before the
/// events of the set bits.
pub(super) fn run(
    rules: &RuleSet,
    configure: fn(EngineBuilder<Record>) -> EngineBuilder<Record>,
    (records, end): (&[Record], i64),
    restarts: u64,
) -> Result<Vec<RuleOutput>, String> {
    let builder = || configure(Engine::builder().rules(rules));
    let mut engine = builder().build().map_err(|error| error.to_string())?;
    let mut outputs: Vec<Output<Record>> = Vec::new();
    for (number, record) in records.iter().enumerate() {
        if restarts & (1 << (number % 64)) != 0 {
            let restored = builder().restore(&[&engine.snapshot()]);
            engine = restored.map_err(|error| error.to_string())?.0;
        }
        engine.push(record, &mut outputs).map_err(|error| error.to_string())?;
    }
    engine.advance(Timestamp::from_millis(end), &mut outputs).map_err(|error| error.to_string())?;
    let shown = outputs.into_iter().filter_map(shown);
    shown.collect()
}

/// Returns a match or a timeout; none for what gave way.
fn shown(output: Output<Record>) -> Option<Result<RuleOutput, String>> {
    let (fate, found, reached) = match output {
        Output::Match(found) => (Fate::Reported, found, None),
        Output::Filtered(found) => (Fate::Filtered, found, None),
        Output::Suppressed(found) => (Fate::Suppressed, found, None),
        Output::Timeout(timeout) => (Fate::Timeout, timeout.found, timeout.reached),
        Output::Overflowed(_) => return None,
        other => return Some(Err(format!("{other:?}"))),
    };
    Some(rule_output(fate, &found, reached.as_deref()))
}

fn rule_output(
    fate: Fate,
    found: &OwnedMatch<Record>,
    reached: Option<&str>,
) -> Result<RuleOutput, String> {
    let rule = RULES.iter().position(|name| **name == *found.rule).ok_or("an unknown rule")?;
    let key = match &found.key[..] {
        [] => None,
        [(_, Value::Int(key))] => Some(*key),
        other => return Err(format!("the key {other:?}")),
    };
    let captures = found.captures.iter().map(|(name, event)| (id_of(event), name.to_string()));
    let captures: Vec<(i64, String)> = captures.collect();
    let mut emit = match &found.emit {
        Value::Record(fields) => {
            // The enumerator has `wait` from `v`.
            let fields = fields.iter().filter(|(name, _)| **name != *"wait");
            fields.map(|(name, value)| (name.to_string(), text_of(value))).collect()
        }
        _ => Vec::new(),
    };
    if let Some(reached) = reached {
        let step = [(String::from("step"), reached.to_string())];
        if emit != step {
            return Err(format!("the timeout emits {emit:?}, and reached {reached}"));
        }
        emit = step.to_vec();
    }
    let is_timeout = fate == Fate::Timeout;
    let count = if is_timeout { 0 } else { usize::try_from(found.count).unwrap_or_default() };
    Ok(RuleOutput { rule, fate, time: found.reported_at.as_millis(), key, captures, count, emit })
}

fn id_of(event: &Record) -> i64 {
    match event.values()[0] {
        Value::Int(id) => id,
        _ => -1,
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Int(value) => value.to_string(),
        Value::Null => String::from("null"),
        Value::String(text) => text.to_string(),
        other => format!("{other:?}"),
    }
}

/// An output of the reference: the captured events, the time, the number of matches of the set, and
/// true for a timeout.
pub(super) type OfReference = (Vec<(i64, String)>, i64, usize, bool);

/// Returns what the reference reports of the stream of one key, up to a time.
pub(super) fn reference(
    rules: &RuleSet,
    records: &[Record],
    end: i64,
) -> Result<Vec<OfReference>, String> {
    let rule = &rules.rules()[0];
    let mut reference =
        Reference::<Record>::new(&rule.pattern, Vec::new()).map_err(|error| error.to_string())?;
    let mut outputs: Vec<ReferenceOutput> = Vec::new();
    for record in records {
        outputs.extend(reference.advance(record.time()));
        outputs.extend(reference.push(record.clone()));
    }
    outputs.extend(reference.advance(Timestamp::from_millis(end)));
    let shown = |output: ReferenceOutput| {
        let capture = |(step, seq): &(StepId, usize)| {
            let name = &rule.pattern.steps[step.index()].name;
            (id_of(&records[*seq]), name.to_string())
        };
        let captures: Vec<_> = output.captures.iter().map(capture).collect();
        let count = usize::try_from(output.set.count).unwrap_or_default();
        (captures, output.at.as_millis(), count, !output.is_match)
    };
    Ok(outputs.into_iter().map(shown).collect())
}
