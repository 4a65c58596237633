//! The outputs of a run, kept as columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;
use kleene::stream::{Late, Overflow, RejectReason, Rejected};
use kleene::value::Value;
use kleene::{Event, Match, Sink, Timeout, Timestamp};
use kleene_input::Origin;
use kleene_report::counts::Counts;
use kleene_report::output::Shapes;
use kleene_report::reasons::late_reason;
use kleene_report::tally::Tally;
use kleene_syntax::hir::Rule;

use crate::run::LimitNotes;
use crate::summary::{Reject, Rejects};
use kleene_wasm_engine::Indexed;

/// The number of captured events that are kept, over all outputs.
const MAX_CAPTURES: usize = 1 << 25;
/// The bytes of outputs as text that are kept.
const MAX_TEXT: usize = 64 << 20;
/// The reasons of late and rejected events that are kept.
const MAX_REASONS: usize = 100_000;

/// The number of an event that a rule made, among captures.
pub(super) const MADE: u32 = u32::MAX;

/// The reason for which the engine refused an event.
#[derive(Clone, Debug)]
pub(super) enum Refused {
    /// It came too late.
    Late(String),
    /// It cannot be taken.
    Rejected(String),
}

/// The outputs of one rule.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    /// 0 for a match, 1 for a timeout.
    pub(super) kinds: Vec<u8>,
    pub(super) starts: Vec<Timestamp>,
    pub(super) ends: Vec<Timestamp>,
    /// The number of events that were pushed when it was reported, the one that completed it
    /// included.
    pub(super) pushed: Vec<u32>,
    /// Where its captures end.
    pub(super) captures_end: Vec<u32>,
    /// The number of the step and of the event.
    pub(super) captures: Vec<(u16, u32)>,
    /// The keys of outputs that captured no event of the input.
    pub(super) keys: BTreeMap<u32, Vec<Value>>,
    /// The lines of the first of them.
    pub(super) text: Vec<u8>,
    pub(super) text_ends: Vec<usize>,
}

impl Outputs {
    /// Returns the number of outputs.
    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// The captures of an output, as numbers of steps and events.
    pub(super) fn captures(&self, index: usize) -> &[(u16, u32)] {
        let end = self.captures_end.get(index).map_or(0, |end| *end as usize);
        let before = index.checked_sub(1).and_then(|before| self.captures_end.get(before));
        let start = before.map_or(0, |start| *start as usize);
        self.captures.get(start..end).unwrap_or_default()
    }

    /// The line of an output, if it was kept.
    pub(super) fn line(&self, index: usize) -> Option<&[u8]> {
        let end = *self.text_ends.get(index)?;
        let before = index.checked_sub(1).and_then(|before| self.text_ends.get(before));
        self.text.get(before.copied().unwrap_or_default()..end)
    }

    /// The bytes that they take, about.
    pub(super) fn memory_usage(&self) -> usize {
        let each = 1 + 2 * size_of::<Timestamp>() + 2 * size_of::<u32>() + size_of::<usize>();
        self.kinds.capacity() * each + self.captures.capacity() * 8 + self.text.capacity()
    }
}

/// The sink of a run.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) shapes: Shapes,
    pub(super) rules: HashMap<Arc<str>, usize>,
    /// By rule.
    pub(super) outputs: Vec<Outputs>,
    pub(super) tally: Tally,
    pub(super) limit_notes: LimitNotes,
    pub(super) counts: Counts,
    pub(super) rejects: Rejects,
    /// The rule and the number of each output, as they were reported.
    pub(super) order: Vec<(u32, u32)>,
    /// The limits that were reached: the number of outputs that were reported before, and the line.
    limits: Vec<(usize, Vec<u8>)>,
    /// Late and rejected events by number.
    pub(super) refused: BTreeMap<u32, Refused>,
    pub(super) max_outputs: usize,
    /// Outputs that were not kept.
    pub(super) not_kept: u64,
    /// The events that were pushed, the one that is being pushed included.
    pub(super) pushed: u32,
    /// The line of the event that is being pushed.
    pub(super) line: u64,
    kept: usize,
    captures: usize,
    text: usize,
}

impl Recorder {
    /// Nothing yet of these rules.
    pub(super) fn new(shapes: Shapes, rules: &[Arc<Rule>], max_outputs: usize) -> Recorder {
        let numbers = rules.iter().enumerate().map(|(index, rule)| (rule.name.clone(), index));
        Recorder {
            shapes,
            rules: numbers.collect(),
            outputs: rules.iter().map(|_| Outputs::default()).collect(),
            tally: Tally::default(),
            limit_notes: LimitNotes::default(),
            counts: Counts::default(),
            rejects: Rejects::default(),
            order: Vec::new(),
            limits: Vec::new(),
            refused: BTreeMap::new(),
            max_outputs,
            not_kept: 0,
            pushed: 0,
            line: 0,
            kept: 0,
            captures: 0,
            text: 0,
        }
    }

    fn record(&mut self, found: &Match<'_, Indexed>, timeout: Option<&Timeout<'_, Indexed>>) {
        let Some(&rule) = self.rules.get(&found.rule().name) else { return };
        match timeout {
            Some(_) => self.tally.timed_out(&found.rule().name),
            None => self.tally.matched(&found.rule().name),
        }
        let captured = found.captures().len();
        if self.kept >= self.max_outputs || self.captures + captured > MAX_CAPTURES {
            self.not_kept += 1;
            return;
        }
        self.kept += 1;
        self.captures += captured;
        let outputs = &mut self.outputs[rule];
        let steps = &found.rule().pattern.steps;
        let mut last = (0, None);
        let mut has_place = false;
        for (name, event) in found.captures() {
            // Events of one step mostly come one after the other.
            if last.1.is_none_or(|last| !Arc::ptr_eq(last, name)) {
                let step = steps.iter().position(|step| Arc::ptr_eq(&step.name, name));
                last = (
                    step.and_then(|step| u16::try_from(step).ok()).unwrap_or(u16::MAX),
                    Some(name),
                );
            }
            has_place |= event.index().is_some();
            outputs.captures.push((last.0, event.index().unwrap_or(MADE)));
        }
        let number = u32::try_from(outputs.len()).unwrap_or(u32::MAX);
        self.order.push((u32::try_from(rule).unwrap_or(u32::MAX), number));
        if !has_place {
            let key = found.key_values().map(|(_, value)| value.clone()).collect();
            outputs.keys.insert(number, key);
        }
        outputs.captures_end.push(u32::try_from(outputs.captures.len()).unwrap_or(u32::MAX));
        outputs.kinds.push(u8::from(timeout.is_some()));
        outputs.starts.push(found.first_event_at());
        outputs.ends.push(found.reported_at());
        outputs.pushed.push(self.pushed);
        if self.text < MAX_TEXT && outputs.text_ends.len() + 1 == outputs.len() {
            let before = outputs.text.len();
            match timeout {
                Some(timeout) => self.shapes.timed_out(&mut outputs.text, timeout),
                None => self.shapes.matched(&mut outputs.text, found),
            }
            outputs.text_ends.push(outputs.text.len());
            self.text += outputs.text.len() - before;
        }
    }

    fn record_limit(&mut self, overflow: &Overflow) {
        if self.text < MAX_TEXT {
            let mut line = Vec::new();
            self.shapes.limited(&mut line, overflow);
            self.text += line.len();
            self.limits.push((self.order.len(), line));
        }
    }

    /// Returns the lines of the limits that were reached after this number of outputs, and before
    /// the next output.
    pub(super) fn limits_after(&self, outputs: usize) -> impl Iterator<Item = &[u8]> {
        let first = self.limits.partition_point(|(before, _)| *before < outputs);
        let found = self.limits[first..].iter().take_while(move |(before, _)| *before == outputs);
        found.map(|(_, line)| line.as_slice())
    }

    fn refuse(&mut self, index: Option<u32>, kind: &'static str, reason: String) {
        let line = if index.is_some() { self.line } else { 0 };
        self.rejects.add(Reject::of(Origin { line, text: b"" }, kind, &reason));
        if let Some(index) = index
            && self.refused.len() < MAX_REASONS
        {
            let refused = if kind == "late" { Refused::Late } else { Refused::Rejected };
            self.refused.insert(index, refused(reason));
        }
    }

    /// The bytes that it holds, about.
    pub(super) fn memory_usage(&self) -> usize {
        let limits = self.limits.iter().map(|(_, line)| line.capacity() + size_of::<Vec<u8>>());
        let outputs = self.outputs.iter().map(Outputs::memory_usage);
        outputs.chain(limits).sum::<usize>() + self.refused.len() * 100
    }
}

impl Sink<Indexed> for Recorder {
    fn matched(&mut self, found: Match<'_, Indexed>) {
        self.record(&found, None);
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Indexed>) {
        self.record(timeout.as_match(), Some(&timeout));
    }

    fn late(&mut self, late: Late<'_, Indexed>) {
        let reason = late_reason(late.event.time(), late.watermark);
        self.refuse(late.event.index(), "late", reason);
    }

    fn rejected(&mut self, rejected: Rejected<'_, Indexed>) {
        let is_made = matches!(rejected.reason, RejectReason::Mismatch { .. });
        let index = rejected.event.index().filter(|_| !is_made);
        self.refuse(index, "rejected", rejected.reason.to_string());
    }

    fn overflowed(&mut self, overflow: Overflow) {
        self.limit_notes.overflowed(&overflow);
        self.record_limit(&overflow);
    }
}
