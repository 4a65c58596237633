//! Moments of a run, made again from the last snapshot before them.

use std::collections::BTreeMap;
use std::ops::Range;

use kleene::stream::{Engine, Ignore, Partial};
use kleene::value::Value;
use kleene::{Match, Sink, Timeout, Timestamp};
use kleene_explain::why::{states_of, waits_of};
use kleene_report::output::Shapes;
use serde_json::{Value as Json, json};

use super::decoded::Decoded;
use super::items::{captures, millis};
use super::lanes::NONE;
use super::{Explorer, Run};
use crate::fault::{Fault, FaultKind};
use crate::run::{end, stopped};
use kleene_wasm_engine::Indexed;

impl Explorer {
    /// The partial matches of a rule that are open at a moment: after the events before the first
    /// one that is later, and with time moved to the moment.
    ///
    /// # Errors
    /// There is no such rule, or no run.
    pub fn open_at(
        &mut self,
        rule: &str,
        time: f64,
        lane: Option<u32>,
        limit: usize,
    ) -> Result<Json, Fault> {
        let (decoded, run) = self.parts_mut()?;
        let number = run.rule(rule)?;
        #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and NaN is 0")]
        let time = Timestamp::from_millis(time as i64).min(Timestamp::from_millis(i64::MAX - 1));
        let events = decoded.until(time).min(run.done);
        run.lanes(decoded, number);
        let (mut engine, from) = run.engine_before(events)?;
        replay(decoded, &mut engine, from..events, &mut Ignore)?;
        let sink: &mut dyn Sink<Indexed> = &mut Ignore;
        kleene_wasm_engine::advance(&mut engine, time, sink).map_err(|error| stopped(&error))?;
        let mut total = 0;
        let mut states: BTreeMap<String, u64> = BTreeMap::new();
        let mut shown = Vec::new();
        for partial in engine.collect_partials(rule) {
            // Those of a rule without timeouts may be listed for a while after their time is over.
            if partial.deadline().is_some_and(|deadline| deadline <= time) {
                continue;
            }
            let key: Vec<Value> = partial.key_values().map(|(_, value)| value.clone()).collect();
            let of = run.lanes[number].known(&key).unwrap_or(NONE);
            if lane.is_some_and(|lane| lane != of) {
                continue;
            }
            total += 1;
            let waits_in = states_of(&partial);
            for state in &waits_in {
                *states.entry(state.clone()).or_default() += 1;
            }
            if shown.len() < limit {
                shown.push(of_partial(run, number, &partial, of, &waits_in));
            }
        }
        Ok(json!({ "total": total, "partials": shown, "states": states }))
    }
}

fn of_partial(
    run: &Run,
    rule: usize,
    partial: &Partial<'_, Indexed>,
    lane: u32,
    states: &[String],
) -> Json {
    let rule = &run.rules[rule];
    let steps = &rule.pattern.steps;
    let captured = partial.captures().map(|(name, event)| {
        let step = steps.iter().position(|step| std::sync::Arc::ptr_eq(&step.name, name));
        let step = step.or_else(|| steps.iter().position(|step| step.name == *name));
        (step.unwrap_or(usize::MAX), event.index())
    });
    json!({
        "lane": lane,
        "captures": captures(rule, captured),
        "states": states,
        "waits": waits_of(partial).text(|time| time.to_string()),
        "deadline": partial.deadline().map(millis),
    })
}

/// Pushes events again.
fn replay(
    decoded: &Decoded,
    engine: &mut Engine<Indexed>,
    events: Range<usize>,
    sink: &mut dyn Sink<Indexed>,
) -> Result<(), Fault> {
    for index in events {
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        if let Some(record) = decoded.record(index) {
            let event = Indexed::new(record, number);
            kleene_wasm_engine::push(engine, &event, sink).map_err(|error| stopped(&error))?;
        }
    }
    Ok(())
}

impl Run {
    /// An engine at the last snapshot before a number of events, and the events before that.
    fn engine_before(&self, events: usize) -> Result<(Engine<Indexed>, usize), Fault> {
        let builder = self.options.builder(&self.set)?;
        let failed = |reason: String| Fault::new(FaultKind::Snapshot, reason);
        match self.marks.before(events) {
            Some((taken, snapshot)) => {
                let restored = builder.restore(&[snapshot]);
                let (engine, _) = restored.map_err(|error| failed(error.to_string()))?;
                Ok((engine, taken))
            }
            None => Ok((builder.build().map_err(|error| failed(error.to_string()))?, 0)),
        }
    }

    /// The lines of some outputs of a rule. Those that were not kept are made again.
    pub(super) fn output_lines(
        &self,
        decoded: &Decoded,
        rule: usize,
        wanted: Range<usize>,
    ) -> Result<Vec<Vec<u8>>, Fault> {
        let outputs = &self.recorder.outputs[rule];
        let mut lines: Vec<Vec<u8>> = Vec::new();
        for index in wanted.clone() {
            let Some(line) = outputs.line(index) else { break };
            lines.push(line.to_vec());
        }
        let first = wanted.start + lines.len();
        if first == wanted.end {
            return Ok(lines);
        }
        let mut again = Again {
            shapes: &self.recorder.shapes,
            rule: &self.rules[rule].name,
            skip: 0,
            wanted: wanted.end - first,
            lines,
        };
        // The event that completes it, and how many outputs of the rule come before with that one.
        let pushed = outputs.pushed[first] as usize;
        let at_once = outputs.pushed.partition_point(|other| (*other as usize) < pushed);
        let events = pushed.saturating_sub(1).min(self.done);
        let (mut engine, from) = self.engine_before(events)?;
        replay(decoded, &mut engine, from..events, &mut Ignore)?;
        again.skip = first - at_once;
        for index in events..self.done {
            if again.wanted == 0 {
                break;
            }
            replay(decoded, &mut engine, index..index + 1, &mut again)?;
        }
        if again.wanted > 0 && self.is_finished {
            let sink: &mut dyn Sink<Indexed> = &mut again;
            end(&mut engine, &self.options, sink).map_err(|error| stopped(&error))?;
        }
        Ok(again.lines)
    }
}

/// Writes some outputs of one rule.
struct Again<'a> {
    shapes: &'a Shapes,
    rule: &'a str,
    skip: usize,
    wanted: usize,
    lines: Vec<Vec<u8>>,
}

impl Again<'_> {
    fn is_wanted(&mut self, rule: &str) -> bool {
        if rule != self.rule || self.wanted == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.wanted -= 1;
        true
    }
}

impl Sink<Indexed> for Again<'_> {
    fn matched(&mut self, found: Match<'_, Indexed>) {
        if self.is_wanted(&found.rule().name) {
            let mut line = Vec::new();
            self.shapes.matched(&mut line, &found);
            self.lines.push(line);
        }
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Indexed>) {
        if self.is_wanted(&timeout.rule().name) {
            let mut line = Vec::new();
            self.shapes.timed_out(&mut line, &timeout);
            self.lines.push(line);
        }
    }
}
