//! Columns and single items of a run.

use std::collections::BTreeMap;
use std::ops::Range;

use kleene::{Event as _, Record, Timestamp};
use kleene_report::output::write_text;
use kleene_syntax::hir::Rule;
use serde_json::{Value as Json, json};

use super::decoded::{Decoded, Line};
use super::lanes::NONE;
use super::recorder::{MADE, Outputs, Refused};
use super::{Explorer, Run};
use crate::fault::Fault;

/// The number of the type of what is no event of a declared type.
const NO_TYPE: u16 = u16::MAX;

/// The events of an input as columns, for one rule.
#[derive(Debug)]
pub struct EventColumns {
    /// In milliseconds; NaN where there is none.
    pub time: Vec<f64>,
    /// By the numbers of the rule's lanes.
    pub lane: Vec<u32>,
    /// By the numbers of the types.
    pub ty: Vec<u16>,
}

/// The outputs of a rule as columns.
#[derive(Debug)]
pub struct OutputColumns {
    /// 0 for a match, 1 for a timeout.
    pub kind: Vec<u8>,
    /// By the numbers of the rule's lanes.
    pub lane: Vec<u32>,
    /// When the first captured event was, in milliseconds.
    pub start: Vec<f64>,
    /// When it was reported.
    pub end: Vec<f64>,
}

#[expect(clippy::cast_precision_loss, reason = "times of events are far below 2^53")]
pub(super) fn millis(time: Timestamp) -> f64 {
    time.as_millis() as f64
}

impl Explorer {
    /// The rules.
    ///
    /// # Errors
    /// There is no run.
    pub fn rules(&self) -> Result<Json, Fault> {
        let (_, run) = self.parts()?;
        let schema = run.engine.schema();
        let rules = run.rules.iter().map(|rule| {
            json!({
                "name": &*rule.name,
                "key": rule.key.iter().map(|part| &*part.name).collect::<Vec<_>>(),
                "types": rule.types.iter().map(|ty| &*schema.ty(*ty).name).collect::<Vec<_>>(),
                "hasTimeout": rule.on_timeout.is_some(),
            })
        });
        Ok(rules.collect())
    }

    /// The names of the types, by their numbers.
    ///
    /// # Errors
    /// There is no run.
    pub fn types(&self) -> Result<Json, Fault> {
        let (_, run) = self.parts()?;
        Ok(run.engine.schema().types().map(|(_, ty)| Json::from(&*ty.name)).collect())
    }

    /// The keys of a rule, by the numbers of their lanes.
    ///
    /// # Errors
    /// There is no such rule, or no run.
    pub fn lanes(&mut self, rule: &str) -> Result<Json, Fault> {
        let (decoded, run) = self.parts_mut()?;
        let rule = run.rule(rule)?;
        // Keys of events that rules made come behind those of the input.
        run.output_lanes(decoded, rule);
        Ok(run.lanes[rule].labels.iter().map(String::as_str).collect())
    }

    /// The events as columns.
    ///
    /// # Errors
    /// There is no such rule, or no run.
    pub fn event_columns(&mut self, rule: &str) -> Result<EventColumns, Fault> {
        let (decoded, run) = self.parts_mut()?;
        let rule = run.rule(rule)?;
        let lane = run.lanes(decoded, rule).of_event.clone();
        let records = || (0..run.done).map(|index| decoded.record(index));
        let time = |record: Option<&Record>| record.map_or(f64::NAN, |of| millis(of.time()));
        let ty = |record: Option<&Record>| match record {
            Some(record) => u16::try_from(record.type_id().index()).unwrap_or(NO_TYPE),
            None => NO_TYPE,
        };
        Ok(EventColumns {
            time: records().map(time).collect(),
            lane,
            ty: records().map(ty).collect(),
        })
    }

    /// The outputs of a rule as columns.
    ///
    /// # Errors
    /// There is no such rule, or no run.
    pub fn output_columns(&mut self, rule: &str) -> Result<OutputColumns, Fault> {
        let (decoded, run) = self.parts_mut()?;
        let rule = run.rule(rule)?;
        let lane = run.output_lanes(decoded, rule);
        let outputs = &run.recorder.outputs[rule];
        Ok(OutputColumns {
            kind: outputs.kinds.clone(),
            lane,
            start: outputs.starts.iter().map(|time| millis(*time)).collect(),
            end: outputs.ends.iter().map(|time| millis(*time)).collect(),
        })
    }

    /// One event, or line that is none.
    ///
    /// # Errors
    /// There is no such event, or no run.
    pub fn event(&self, index: usize) -> Result<Json, Fault> {
        let (decoded, run) = self.parts()?;
        if index >= run.done {
            return Err(Fault::options(format!("there is no event {index} yet")));
        }
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        let mut item = json!({
            "index": index,
            "line": decoded.line_number(index),
            "time": null,
            "type": "",
            "fields": {},
            "text": shown(decoded.text(index)),
            "status": "ok",
        });
        let mut say = |name: &str, value: Json| item[name] = value;
        if let Some(record) = decoded.record(index) {
            say("time", millis(record.time()).into());
            say("type", (&*run.engine.schema().ty(record.type_id()).name).into());
            let mut line = Vec::new();
            run.recorder.shapes.write_event(&mut line, record);
            say("fields", serde_json::from_slice(&line).unwrap_or_default());
            match run.recorder.refused.get(&number) {
                Some(Refused::Late(reason)) => {
                    say("status", "late".into());
                    say("reason", reason.as_str().into());
                }
                Some(Refused::Rejected(reason)) => {
                    say("status", "rejected".into());
                    say("reason", reason.as_str().into());
                }
                None => {}
            }
            return Ok(item);
        }
        match decoded.decode_again(index) {
            Some(Line::Unknown(name)) => {
                say("status", "unknown".into());
                let reason = format!("the rules declare no event type `{name}`");
                say("type", name.into());
                say("reason", reason.into());
            }
            Some(Line::Rejected(reason)) => {
                say("status", "rejected".into());
                say("reason", reason.into());
            }
            Some(Line::Event) | None => {}
        }
        Ok(item)
    }

    /// Some outputs of a rule, from the one of this number on.
    ///
    /// # Errors
    /// The index is too large, or there is no such rule or no run.
    pub fn outputs(&mut self, rule: &str, from: usize, count: usize) -> Result<String, Fault> {
        let (decoded, run) = self.parts_mut()?;
        let number = run.rule(rule)?;
        let end = from.saturating_add(count);
        if end > run.recorder.outputs[number].len() {
            return Err(Fault::options(format!("there is no output {} of `{rule}`", end - 1)));
        }
        let lanes = run.output_lanes(decoded, number);
        let lines = run.output_lines(decoded, number, from..end)?;
        let outputs = &run.recorder.outputs[number];
        let mut all = b"[".to_vec();
        for (index, line) in (from..end).zip(lines) {
            if index > from {
                all.push(b',');
            }
            write_output(&mut all, &run.rules[number], outputs, index, lanes[index], &line);
        }
        all.push(b']');
        String::from_utf8(all).map_err(|_| Fault::options("this output cannot be shown"))
    }

    /// Returns the number of outputs of all rules.
    ///
    /// # Errors
    /// There is no run.
    pub fn output_count(&self) -> Result<usize, Fault> {
        let (_, run) = self.parts()?;
        Ok(run.recorder.order.len())
    }

    /// The rule and the number of an output, by its place among all.
    ///
    /// # Errors
    /// There is no such output, or no run.
    pub fn output_at(&self, place: usize) -> Result<Json, Fault> {
        let (_, run) = self.parts()?;
        let found = run.recorder.order.get(place);
        let (rule, index) =
            found.ok_or_else(|| Fault::options(format!("there is no output {place}")))?;
        Ok(json!({ "rule": &*run.rules[*rule as usize].name, "index": index }))
    }

    /// The lines of outputs of all rules, from the one at this place on, as they were reported. Those
    /// of limits that were reached are among them.
    ///
    /// # Errors
    /// There is no run.
    pub fn output_lines(&self, from: usize, count: usize) -> Result<String, Fault> {
        let (decoded, run) = self.parts()?;
        let order = &run.recorder.order;
        let end = from.saturating_add(count).min(order.len());
        let wanted = order.get(from.min(end)..end).unwrap_or_default();
        // Those of one rule follow each other, so that each rule is asked once.
        let mut of_rules: BTreeMap<u32, (Range<usize>, Vec<Vec<u8>>)> = BTreeMap::new();
        for (rule, index) in wanted {
            let index = *index as usize;
            let range = of_rules.entry(*rule).or_insert_with(|| (index..index, Vec::new()));
            range.0.end = index + 1;
        }
        for (rule, (range, lines)) in &mut of_rules {
            *lines = run.output_lines(decoded, *rule as usize, range.clone())?;
        }
        let limits_after = |outputs| run.recorder.limits_after(outputs).flatten();
        let mut all = Vec::new();
        if from == 0 {
            all.extend(limits_after(0));
        }
        for (place, (rule, index)) in (from..end).zip(wanted) {
            let Some((range, lines)) = of_rules.get(rule) else { continue };
            let line = lines.get(*index as usize - range.start);
            all.extend_from_slice(line.map_or(&b"\n"[..], Vec::as_slice));
            all.extend(limits_after(place + 1));
        }
        Ok(String::from_utf8(all).unwrap_or_default())
    }

    /// The outputs of a rule that captured an event.
    ///
    /// # Errors
    /// There is no such rule, or no run.
    pub fn outputs_of(&self, rule: &str, event: u32) -> Result<Vec<u32>, Fault> {
        let (_, run) = self.parts()?;
        let outputs = &run.recorder.outputs[run.rule(rule)?];
        let mut found = Vec::new();
        for index in 0..outputs.len() {
            if outputs.captures(index).iter().any(|(_, captured)| *captured == event) {
                found.push(u32::try_from(index).unwrap_or(u32::MAX));
            }
        }
        Ok(found)
    }
}

impl Run {
    /// The lanes of the outputs of a rule.
    fn output_lanes(&mut self, decoded: &Decoded, rule: usize) -> Vec<u32> {
        self.lanes(decoded, rule);
        let (lanes, of) = (&mut self.lanes[rule], &self.rules[rule]);
        let outputs = &self.recorder.outputs[rule];
        let mut all = Vec::with_capacity(outputs.len());
        for index in 0..outputs.len() {
            let captured = outputs.captures(index).iter().find(|(_, event)| *event != MADE);
            let lane = captured.and_then(|(_, event)| lanes.of_event.get(*event as usize).copied());
            let number = u32::try_from(index).unwrap_or(u32::MAX);
            let of_key = |key: &Vec<_>| lanes.of_key(of, key);
            all.push(match lane {
                Some(lane) => lane,
                None => outputs.keys.get(&number).map_or(NONE, of_key),
            });
        }
        all
    }
}

/// The start of a line, as it is shown.
fn shown(text: &[u8]) -> String {
    const MOST: usize = 64 << 10;
    String::from_utf8_lossy(&text[..text.len().min(MOST)]).into_owned()
}

/// The captures of an output or a partial match: the events by their steps, in the order in which
/// the steps were reached.
pub(super) fn captures(rule: &Rule, captured: impl Iterator<Item = (usize, Option<u32>)>) -> Json {
    let mut steps: Vec<(&str, Vec<Json>)> = Vec::new();
    for (step, event) in captured {
        let name = rule.pattern.steps.get(step).map_or("", |step| &*step.name);
        let event = event.map_or(Json::from(-1), Json::from);
        match steps.iter_mut().find(|(known, _)| *known == name) {
            Some((_, events)) => events.push(event),
            None => steps.push((name, vec![event])),
        }
    }
    steps.into_iter().map(|(step, events)| json!({ "step": step, "events": events })).collect()
}

/// Writes an output with its line.
fn write_output(
    all: &mut Vec<u8>,
    rule: &Rule,
    outputs: &Outputs,
    index: usize,
    lane: u32,
    line: &[u8],
) {
    let captured = outputs.captures(index).iter();
    let captured =
        captured.map(|(step, event)| (usize::from(*step), Some(*event).filter(|at| *at != MADE)));
    let line = line.trim_ascii_end();
    let head = json!({
        "kind": if outputs.kinds[index] == 0 { "match" } else { "timeout" },
        "lane": lane,
        "time": millis(outputs.ends[index]),
        "captures": captures(rule, captured),
        "count": count(line),
    });
    let head = head.to_string();
    all.extend_from_slice(head.trim_end_matches('}').as_bytes());
    all.extend_from_slice(b",\"json\":");
    write_text(all, &String::from_utf8_lossy(line));
    all.extend_from_slice(b",\"value\":");
    all.extend_from_slice(line);
    all.push(b'}');
}

/// Returns the number of matches in the set of an output, if its line says so.
fn count(line: &[u8]) -> Option<String> {
    let value: Json = serde_json::from_slice(line).ok()?;
    let more = if value["saturated"] == true { "+" } else { "" };
    Some(format!("{}{more}", value.get("count")?.as_u64()?))
}
