//! Several sources with idleness give the results of one stream, and rules that are replaced or
//! restarted on the way go on as if nothing had happened: `once` and `suppress` remember.

use std::time::Duration;

use kleene::stream::{EngineBuilder, Output, RuleChange, SourceId, Verdict};
use kleene::value::ValueRef;
use kleene::{Engine, Event as _, Record, RuleSet, Value};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Capture, Edit, Inputs, captures, hunt, inputs, millis, number, result, same};

/// A step of the input of an engine.
#[derive(Clone, Debug)]
enum Op {
    Push(usize, Record),
    Idle(usize),
    Advance(usize, i64),
}

/// Something that a source says besides its events.
#[derive(Clone, Copy, Debug)]
enum Word {
    Idle(usize),
    /// A watermark so many milliseconds after the event before.
    Advance(usize, i64),
}

/// A rule, its events, and the sources that they come from.
#[derive(Clone, Debug)]
struct Sources {
    inputs: Inputs,
    /// The number of sources.
    count: usize,
    /// The source of each event.
    of: Vec<usize>,
    /// How far each source is behind.
    lags: Vec<i64>,
    /// What is said after each event.
    words: Vec<Option<Word>>,
    bound: Option<i64>,
}

impl Sources {
    /// The events in the order in which they come, with what their sources say.
    fn ops(&self, events: Vec<Record>) -> Vec<Op> {
        let mut arrivals: Vec<(usize, Record)> =
            self.of.iter().map(|source| source % self.count).zip(events).collect();
        arrivals.sort_by_key(|(source, event)| event.time().plus_millis(self.lags[*source]));
        let mut ops = Vec::new();
        for ((source, event), word) in arrivals.into_iter().zip(&self.words) {
            let time = millis(event.time());
            ops.push(Op::Push(source, event));
            ops.extend(word.map(|word| match word {
                Word::Idle(source) => Op::Idle(source % self.count),
                Word::Advance(source, ahead) => Op::Advance(source % self.count, time + ahead),
            }));
        }
        ops
    }

    fn builder(&self, rules: &RuleSet) -> EngineBuilder<Record> {
        let builder = Engine::builder().rules(rules);
        match self.bound {
            Some(bound) => builder.out_of_order(Duration::from_millis(bound.unsigned_abs())),
            None => builder,
        }
    }

    fn ids(&self, engine: &mut Engine<Record>) -> Vec<SourceId> {
        (0..self.count).map(|number| engine.source(&format!("source {number}"))).collect()
    }
}

fn sources() -> impl Strategy<Value = Sources> {
    let word = prop_oneof![
        2 => (0..3_usize).prop_map(Word::Idle),
        1 => (0..3_usize, -2..4_i64).prop_map(|(source, ahead)| Word::Advance(source, ahead)),
    ];
    let words = vec(option::weighted(0.4, word), 14);
    let bound = option::weighted(0.4, 0..4_i64);
    (inputs(), 1..4_usize, vec(0..3_usize, 14), vec(0..6_i64, 3), words, bound).prop_map(
        |(inputs, count, of, lags, words, bound)| Sources { inputs, count, of, lags, words, bound },
    )
}

/// The watermarks as the documentation of `Engine::source` and `Engine::set_idle` has them.
struct Watermarks {
    of: Vec<Option<i64>>,
    idle: Vec<bool>,
    all: Option<i64>,
    bound: i64,
}

impl Watermarks {
    fn of(sources: &Sources) -> Watermarks {
        let (of, idle) = (vec![None; sources.count], vec![false; sources.count]);
        Watermarks { of, idle, all: None, bound: sources.bound.unwrap_or(0) }
    }

    fn is_late(&self, time: i64) -> bool {
        self.all.is_some_and(|all| time <= all)
    }

    fn follow(&mut self, op: &Op) {
        let (source, to) = match op {
            Op::Push(source, event) => (*source, millis(event.time()) - self.bound - 1),
            Op::Advance(source, to) => (*source, *to),
            Op::Idle(source) => {
                self.idle[*source] = true;
                return self.settle();
            }
        };
        self.idle[source] = false;
        self.of[source] = self.of[source].max(Some(to));
        self.settle();
    }

    /// The least of those that are not idle; the greatest if all are.
    fn settle(&mut self) {
        let live = self.of.iter().zip(&self.idle).filter(|(_, idle)| !**idle);
        let least = live.map(|(watermark, _)| *watermark).min();
        let now = least.or_else(|| self.of.iter().copied().max()).flatten();
        self.all = self.all.max(now);
    }
}

fn take(
    engine: &mut Engine<Record>,
    ids: &[SourceId],
    op: &Op,
    outputs: &mut Vec<Output<Record>>,
) -> Result<(), String> {
    let done = match op {
        Op::Push(source, event) => engine.push_from(ids[*source], event, outputs),
        Op::Idle(source) => engine.set_idle(ids[*source], outputs),
        Op::Advance(source, to) => {
            let to = kleene_explain::testing::TEST_START.plus_millis(*to);
            engine.advance_source(ids[*source], to, outputs)
        }
    };
    done.map_err(|error| error.to_string())
}

fn late(outputs: &[Output<Record>]) -> Vec<i64> {
    let late = outputs.iter().filter_map(|output| match output {
        Output::Late { event, .. } => Some(number(event)),
        _ => None,
    });
    late.collect()
}

fn without_late(mut outputs: Vec<Output<Record>>) -> Vec<Output<Record>> {
    outputs.retain(|output| !matches!(output, Output::Late { .. }));
    outputs
}

fn are_as_one_stream(of: &Sources) -> Result<Option<()>, String> {
    let Some((rules, events)) = of.inputs.ready() else { return Ok(None) };
    let ops = of.ops(events);
    let built = |builder: EngineBuilder<Record>| builder.build().map_err(|e| e.to_string());
    let mut engine = built(of.builder(&rules))?;
    let ids = of.ids(&mut engine);
    let mut watermarks = Watermarks::of(of);
    let (mut outputs, mut in_time, mut too_late) = (Vec::new(), Vec::new(), Vec::new());
    for op in &ops {
        match op {
            Op::Push(_, event) if watermarks.is_late(millis(event.time())) => {
                too_late.push(number(event));
            }
            Op::Push(_, event) => in_time.push(event.clone()),
            _ => {}
        }
        watermarks.follow(op);
        take(&mut engine, &ids, op, &mut outputs)?;
        if let Some(expected) = watermarks.all {
            same(&format!("watermark after {op:?}"), &millis(engine.watermark()), &expected)?;
        }
    }
    same("late events", &late(&outputs), &too_late)?;
    in_time.sort_by_key(kleene::Event::time);
    let mut plain = built(Engine::builder().rules(&rules))?;
    let mut expected = Vec::new();
    for event in &in_time {
        plain.push(event, &mut expected).map_err(|error| error.to_string())?;
    }
    plain.end_time(&mut expected).map_err(|error| error.to_string())?;
    engine.end_time(&mut outputs).map_err(|error| error.to_string())?;
    same("results", &without_late(outputs), &expected)?;
    Ok(Some(()))
}

/// A change of the engine on the way.
#[derive(Clone, Copy, Debug)]
enum Change {
    Replace(Edit),
    /// From a snapshot, with the rules as they are.
    Restart,
    /// From a snapshot, with other rules.
    RestartWith(Edit),
}

fn change() -> impl Strategy<Value = Change> {
    let about = select(vec!["", "about \"other\"", "severity high", "tags [\"a\"]"]);
    let edit = (about, 0..3_i64).prop_map(|(about, constant)| Edit { about, constant });
    prop_oneof![
        3 => edit.clone().prop_map(Change::Replace),
        1 => Just(Change::Restart),
        1 => edit.prop_map(Change::RestartWith),
    ]
}

/// A result without the version of its rule, the id that is made of it, and the constant.
#[derive(Debug, PartialEq)]
struct Told {
    kind: &'static str,
    key: Vec<Value>,
    span: (i64, i64, i64),
    captured: Vec<Capture>,
    emit: Vec<(String, String)>,
    count: u64,
}

fn told(output: &Output<Record>) -> Option<Told> {
    let (kind, found) = result(output)?;
    let ValueRef::Record(emit) = found.emit.as_ref() else { return None };
    let emit = emit.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    Some(Told {
        kind,
        key: found.key.iter().map(|(_, value)| value.clone()).collect(),
        span: (
            millis(found.first_event_at),
            millis(found.last_event_at),
            millis(found.reported_at),
        ),
        captured: captures(found),
        emit: emit.filter(|(name, _)| name != "c").collect(),
        count: found.count,
    })
}

/// The constants that matches have emitted.
fn constants(outputs: &[Output<Record>]) -> Vec<String> {
    let emitted = outputs.iter().filter_map(result).filter(|(kind, _)| *kind != "timeout");
    let constant = |found: &kleene::stream::OwnedMatch<Record>| match found.emit.as_ref() {
        ValueRef::Record(emit) => {
            let field = emit.iter().find(|(name, _)| **name == *"c");
            field.map_or_else(String::new, |(_, value)| value.to_string())
        }
        _ => String::new(),
    };
    emitted.map(|(_, found)| constant(found)).collect()
}

/// An engine that is changed on the way.
struct Changing<'s> {
    of: &'s Sources,
    engine: Engine<Record>,
    rules: RuleSet,
    edit: Edit,
}

impl Changing<'_> {
    fn edited(&self, edit: Edit) -> Result<RuleSet, String> {
        let text = self.of.inputs.text(edit).ok_or("it was said before")?;
        RuleSet::parse(&text).map_err(|error| error.to_string())
    }

    fn change(&mut self, change: Change) -> Result<(), String> {
        self.engine.sweep();
        let (rules, edit) = match change {
            Change::Restart => (self.rules.clone(), self.edit),
            Change::Replace(edit) | Change::RestartWith(edit) => (self.edited(edit)?, edit),
        };
        let done = match change {
            Change::Replace(_) => {
                self.engine.replace_rules(&rules).map_err(|refused| format!("{refused:?}"))?
            }
            Change::Restart | Change::RestartWith(_) => {
                let bytes = self.engine.snapshot();
                let restored = self.of.builder(&rules).restore(&[&bytes]);
                let (engine, done) = restored.map_err(|error| error.to_string())?;
                self.engine = engine;
                done
            }
        };
        (self.rules, self.edit) = (rules, edit);
        let goes_on = |change: &RuleChange| {
            change.dropped == 0 && matches!(change.verdict, Verdict::Unchanged | Verdict::Kept)
        };
        if done.rules.iter().all(goes_on) { Ok(()) } else { Err(format!("{change:?}: {done}")) }
    }
}

fn change_nothing(of: &Sources, changes: &[Option<Change>]) -> Result<Option<()>, String> {
    let Some((rules, events)) = of.inputs.ready() else { return Ok(None) };
    let ops = of.ops(events);
    let built = || of.builder(&rules).build().map_err(|error| error.to_string());
    let mut plain = built()?;
    let ids = of.ids(&mut plain);
    let mut changing =
        Changing { of, engine: built()?, rules: rules.clone(), edit: Edit::default() };
    of.ids(&mut changing.engine);
    let (mut expected, mut reported) = (Vec::new(), Vec::new());
    let mut constant = Vec::new();
    for (op, change) in ops.iter().zip(changes.iter().cycle()) {
        if let Some(change) = change {
            changing.change(*change)?;
        }
        take(&mut plain, &ids, op, &mut expected)?;
        let own = of.ids(&mut changing.engine);
        let from = reported.len();
        take(&mut changing.engine, &own, op, &mut reported)?;
        constant.extend(constants(&reported[from..]).iter().map(|_| changing.edit.constant));
        compare(&reported, &expected).map_err(|different| format!("after {op:?}: {different}"))?;
        plain.sweep();
        changing.engine.sweep();
        let counts = |engine: &Engine<Record>| (engine.stats().partials, engine.stats().keys);
        same(&format!("counts after {op:?}"), &counts(&changing.engine), &counts(&plain))?;
    }
    let from = reported.len();
    plain.end_time(&mut expected).map_err(|error| error.to_string())?;
    changing.engine.end_time(&mut reported).map_err(|error| error.to_string())?;
    constant.extend(constants(&reported[from..]).iter().map(|_| changing.edit.constant));
    compare(&reported, &expected).map_err(|different| format!("at the end: {different}"))?;
    let constant = constant.iter().map(i64::to_string).collect();
    same("constants", &constants(&reported), &constant)?;
    Ok(Some(()))
}

fn compare(reported: &[Output<Record>], expected: &[Output<Record>]) -> Result<(), String> {
    let all = |outputs: &[Output<Record>]| outputs.iter().filter_map(told).collect::<Vec<_>>();
    same("results", &all(reported), &all(expected))?;
    same("late events", &late(reported), &late(expected))
}

#[test]
fn several_sources_are_as_one_stream() {
    hunt(500, &sources(), are_as_one_stream);
}

#[test]
fn edits_and_restarts_that_change_nothing_change_no_result() {
    let changes = vec(option::weighted(0.3, change()), 14);
    hunt(400, &(sources(), changes), |(of, changes)| change_nothing(of, changes));
}
