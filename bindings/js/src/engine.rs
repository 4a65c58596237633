//! An engine whose events come as lines of JSON.

use kleene::stream::{self, Replacement, Verdict};
use kleene::{RuleSet, Timestamp};
use kleene_input::{Format, Parser};
use kleene_report::output::{LineForm, Shapes};
use serde_json::{Value as Json, json};

use crate::fault::{Fault, FaultKind};
use crate::input::Input;
use crate::options::Options;
use crate::rules;
use crate::run::{OutputLines, push_all, stopped};
use crate::summary::Reject;
use kleene_wasm_engine::Indexed;

/// An engine with what its events are read by.
#[derive(Debug)]
pub struct Engine {
    options: Options,
    set: RuleSet,
    inner: stream::Engine<Indexed>,
    parser: Option<Parser>,
    printer: OutputLines,
    /// The verdicts on the rules when it was restored.
    restored: Replacement,
}

impl Engine {
    /// A new engine.
    ///
    /// # Errors
    /// The rules have mistakes, or an option has no meaning.
    pub fn new(text: &str, options: Options) -> Result<Engine, Fault> {
        let set = rules::parse(text, &options)?;
        let engine = crate::run::engine(&set, &options)?;
        Engine::with(options, set, engine, Replacement::default())
    }

    /// An engine that goes on where a snapshot was taken.
    ///
    /// # Errors
    /// As [`new`](Engine::new), and if the bytes are no snapshot or do not fit.
    pub fn restore(text: &str, snapshot: &[u8], options: Options) -> Result<Engine, Fault> {
        let set = rules::parse(text, &options)?;
        let restored = options.builder(&set)?.restore(&[snapshot]);
        let (engine, changes) =
            restored.map_err(|error| Fault::new(FaultKind::Snapshot, error.to_string()))?;
        Engine::with(options, set, engine, changes)
    }

    fn with(
        options: Options,
        set: RuleSet,
        engine: stream::Engine<Indexed>,
        restored: Replacement,
    ) -> Result<Engine, Fault> {
        let time_field = options.reading()?.time_field;
        let shapes = Shapes::new(engine.schema(), time_field.as_str().into(), LineForm::Json)
            .with_rules(engine.rules());
        let printer = OutputLines::new(shapes);
        Ok(Engine { options, set, inner: engine, parser: None, printer, restored })
    }

    /// Takes events as text, in a format that may be known. Returns the outputs, a line each.
    ///
    /// # Errors
    /// The text is no events, or the engine takes no more.
    pub fn push(&mut self, events: Vec<u8>, format: Option<Format>) -> Result<String, Fault> {
        self.refuse_if_ended()?;
        let input = match format {
            Some(format) => Input::in_format(events, &self.options, format)?,
            None => Input::new(events, &self.options)?,
        };
        let is_json = input.form.format == Format::Jsonl;
        let mut parser = match self.parser.take() {
            Some(parser) if is_json => parser,
            _ => input.parser(self.inner.schema(), self.set.schema()),
        };
        let pushed = push_all(&mut self.inner, &mut parser, &input, &mut self.printer);
        // Each text of CSV has a header of its own.
        self.parser = is_json.then_some(parser);
        let lines = self.take_lines();
        pushed.map(|()| lines)
    }

    /// Moves time on.
    ///
    /// # Errors
    /// The engine takes no more.
    pub fn advance(&mut self, to: f64) -> Result<String, Fault> {
        self.refuse_if_ended()?;
        if to.is_nan() {
            return Err(Fault::options("advance: expected a time in milliseconds"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
        let to = Timestamp::from_millis((to as i64).clamp(i64::MIN + 1, i64::MAX - 1));
        let advanced = kleene_wasm_engine::advance(&mut self.inner, to, self.printer.sink());
        let lines = self.take_lines();
        advanced.map(|()| lines).map_err(|error| stopped(&error))
    }

    /// Ends the input for now: time moves to the newest event.
    ///
    /// # Errors
    /// The engine takes no more.
    pub fn end_input(&mut self) -> Result<String, Fault> {
        self.refuse_if_ended()?;
        let ended = kleene_wasm_engine::end_input(&mut self.inner, self.printer.sink());
        let lines = self.take_lines();
        ended.map(|()| lines).map_err(|error| stopped(&error))
    }

    /// Ends time.
    ///
    /// # Errors
    /// A rule's limit has stopped the engine.
    pub fn end_time(&mut self) -> Result<String, Fault> {
        let ended = kleene_wasm_engine::end_time(&mut self.inner, self.printer.sink());
        let lines = self.take_lines();
        ended.map(|()| lines).map_err(|error| stopped(&error))
    }

    /// The state as bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        self.inner.snapshot()
    }

    /// Goes on with other rules. Returns what becomes of each.
    ///
    /// # Errors
    /// They have mistakes or cannot be run. Nothing changes then.
    pub fn replace(&mut self, text: &str, options: &str) -> Result<Json, Fault> {
        let options = self.options.with(options)?;
        let set = rules::parse(text, &options)?;
        let replaced = self.inner.replace_rules(&set);
        let changes = replaced.map_err(|error| Fault::new(FaultKind::Rules, error.to_string()))?;
        let shapes = self.printer.shapes.renewed(self.inner.schema());
        self.printer.shapes = shapes.with_rules(self.inner.rules());
        (self.options, self.set, self.parser) = (options, set, None);
        Ok(verdicts(&changes))
    }

    /// Returns the verdicts on the rules when it was restored.
    pub fn restored(&self) -> Json {
        verdicts(&self.restored)
    }

    /// The counts.
    pub fn stats(&self) -> Json {
        let stats = self.inner.stats();
        let counts = &self.printer.counts;
        json!({
            "events": stats.events + counts.unknown,
            "matches": stats.matches,
            "timeouts": stats.timeouts,
            "filtered": stats.filtered,
            "suppressed": stats.suppressed,
            "ended": stats.ended,
            "derived": stats.derived,
            "late": stats.late,
            "rejected": stats.rejected + counts.rejected,
            "unknown": stats.unknown + counts.unknown,
            "keyless": stats.keyless,
            "dividedByZero": stats.divided_by_zero,
            "valuesTooLarge": stats.values_too_large,
            "limitsReached": stats.overflowed,
            "partials": stats.partials,
            "peakPartials": stats.peak_partials,
            "buffered": stats.buffered,
            "bufferedBytes": stats.buffered_bytes,
            "capturedBytes": stats.captured_bytes,
            "keys": stats.keys,
        })
    }

    /// How far time has come, in milliseconds.
    pub fn watermark(&self) -> Option<f64> {
        let mark = self.inner.watermark();
        #[expect(clippy::cast_precision_loss, reason = "times of events are far below 2^53")]
        let millis = mark.as_millis() as f64;
        (mark > Timestamp::MIN && mark < Timestamp::MAX).then_some(millis)
    }

    /// Returns the rejects since the last call.
    pub fn take_rejects(&mut self) -> Vec<Reject> {
        self.printer.rejects.take()
    }

    /// The bytes that it holds, about, without the events'.
    pub fn memory_usage(&self) -> usize {
        self.inner.memory_usage()
    }

    fn refuse_if_ended(&self) -> Result<(), Fault> {
        if self.inner.has_ended() {
            return Err(Fault::new(
                FaultKind::Closed,
                "time has ended: a new engine takes new events",
            ));
        }
        Ok(())
    }

    fn take_lines(&mut self) -> String {
        let lines = std::mem::take(&mut self.printer.lines);
        String::from_utf8(lines).unwrap_or_default()
    }
}

fn verdicts(replacement: &Replacement) -> Json {
    let changes = replacement.rules.iter().map(|change| {
        let (verdict, reason) = match &change.verdict {
            Verdict::Kept => ("kept", None),
            Verdict::KeptInPart => ("kept in part", None),
            Verdict::Reset(reason) => ("reset", Some(reason.clone())),
            Verdict::Added => ("added", None),
            Verdict::Removed => ("removed", None),
            Verdict::Refused(error) => ("refused", Some(error.to_string())),
            _ => ("unchanged", None),
        };
        let mut object = json!({
            "rule": &*change.rule,
            "verdict": verdict,
            "kept": change.kept,
            "dropped": change.dropped,
            "text": change.to_string(),
        });
        if let Some(reason) = reason {
            object["reason"] = reason.into();
        }
        object
    });
    changes.collect()
}
