//! A run as a page shows it: events and outputs stay here, and only columns and single items are
//! given out.
//!
//! A run pushes the events one by one, and keeps of each output when it was reported and which
//! events it captured, as numbers. Now and then it takes a snapshot of the engine. Any earlier
//! moment is made again from the last snapshot before it: the partial matches that were open, and
//! the texts of outputs that were not kept. That is exact, as the same events give the same results.

mod decoded;
pub mod items;
mod lanes;
mod marks;
mod moments;
mod recorder;
mod story;

use std::sync::Arc;

use kleene::stream::Engine;
use kleene::{RuleSet, Sink};
use kleene_report::output::{LineForm, Shapes};
use kleene_syntax::hir::Rule;
use serde::Serialize;

use self::decoded::Decoded;
use self::lanes::Lanes;
use self::marks::Marks;
use self::recorder::Recorder;
use crate::fault::{Fault, FaultKind};
use crate::input::Input;
use crate::options::Options;
use crate::rules;
use crate::run::{end, stopped};
use crate::summary::{Reject, Summary, summary};
use kleene_wasm_engine::Indexed;

/// The maximum number of outputs that are kept; further ones are counted only.
const MAX_OUTPUTS: usize = 2_000_000;

/// A run over an input that can be looked at.
#[derive(Debug, Default)]
pub struct Explorer {
    options: Options,
    decoded: Option<Decoded>,
    run: Option<Run>,
}

/// A run, as far as it has come.
#[derive(Debug)]
struct Run {
    options: Options,
    set: RuleSet,
    /// With the numbers of the engine's types.
    rules: Vec<Arc<Rule>>,
    engine: Engine<Indexed>,
    recorder: Recorder,
    marks: Marks,
    lanes: Vec<Lanes>,
    /// The number of events that were looked at.
    done: usize,
    is_finished: bool,
    /// Why it cannot go on.
    failure: Option<Fault>,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ExplorerProgress {
    done: usize,
    total: usize,
    finished: bool,
}

impl Explorer {
    /// Without events.
    pub fn new(options: Options) -> Explorer {
        Explorer { options, decoded: None, run: None }
    }

    /// Takes events. The run before is over.
    ///
    /// # Errors
    /// They cannot be unpacked, are too many, or an option has no meaning.
    pub fn set_events(&mut self, bytes: Vec<u8>, options: &str) -> Result<(), Fault> {
        let options = self.options.with(options)?;
        // What was there is of no more use, and may be large.
        (self.decoded, self.run) = (None, None);
        self.decoded = Some(Decoded::new(Input::new(bytes, &options)?));
        Ok(())
    }

    /// Starts a run of these rules.
    ///
    /// # Errors
    /// They have mistakes, or an option has no meaning. The run before stays.
    pub fn start(&mut self, text: &str, options: &str) -> Result<RuleSet, Fault> {
        let options = self.options.with(options)?;
        let set = rules::parse(text, &options)?;
        let engine: Engine<Indexed> = options
            .builder(&set)?
            .build()
            .map_err(|error| Fault::new(FaultKind::Rules, error.to_string()))?;
        let rules: Vec<Arc<Rule>> = engine.rules().cloned().collect();
        let Some(decoded) = &mut self.decoded else {
            return Err(Fault::options("there are no events: call `setEvents` first"));
        };
        decoded.declare(engine.schema(), &set);
        let time_field = decoded.input.reading.time_field.as_str().into();
        let shapes =
            Shapes::new(engine.schema(), time_field, LineForm::Json).with_rules(engine.rules());
        let max_outputs = options.max_outputs.unwrap_or(MAX_OUTPUTS);
        self.run = Some(Run {
            recorder: Recorder::new(shapes, &rules, max_outputs),
            lanes: rules.iter().map(|_| Lanes::default()).collect(),
            options,
            set: set.clone(),
            rules,
            engine,
            marks: Marks::default(),
            done: 0,
            is_finished: false,
            failure: None,
        });
        Ok(set)
    }

    /// Goes on for a number of events.
    ///
    /// # Errors
    /// No event can be read from the input, or a rule's limit ended the run.
    pub fn step(&mut self, events: usize) -> Result<ExplorerProgress, Fault> {
        let (decoded, run) = self.parts_mut()?;
        if let Some(failure) = &run.failure {
            return Err(failure.clone());
        }
        if !run.is_finished
            && let Err(fault) = run.go_on(decoded, events)
        {
            // What was found up to there stays to be looked at.
            run.failure = Some(fault.clone());
            return Err(fault);
        }
        let total = decoded.estimate().max(run.done);
        Ok(ExplorerProgress { done: run.done, total, finished: run.is_finished })
    }

    /// Returns the counts so far.
    ///
    /// # Errors
    /// There is no run.
    pub fn summary(&self) -> Result<Summary, Fault> {
        let (_, run) = self.parts()?;
        let recorder = &run.recorder;
        let (stats, rejects) = (run.engine.stats(), recorder.rejects.clone());
        let found = (&recorder.tally, &recorder.limit_notes);
        let mut summary = summary(&run.set, &stats, &recorder.counts, found, rejects)?;
        summary.outputs_not_kept = recorder.not_kept;
        Ok(summary)
    }

    /// The bytes that it holds, about.
    pub fn memory_usage(&self) -> usize {
        let decoded = self.decoded.as_ref().map_or(0, Decoded::memory_usage);
        decoded + self.run.as_ref().map_or(0, Run::memory_usage)
    }

    fn parts(&self) -> Result<(&Decoded, &Run), Fault> {
        match (&self.decoded, &self.run) {
            (Some(decoded), Some(run)) => Ok((decoded, run)),
            _ => Err(no_run()),
        }
    }

    fn parts_mut(&mut self) -> Result<(&mut Decoded, &mut Run), Fault> {
        match (&mut self.decoded, &mut self.run) {
            (Some(decoded), Some(run)) => Ok((decoded, run)),
            _ => Err(no_run()),
        }
    }
}

fn no_run() -> Fault {
    Fault::options("nothing runs: call `setEvents` and `start` first")
}

impl Run {
    fn go_on(&mut self, decoded: &mut Decoded, events: usize) -> Result<(), Fault> {
        let until = self.done.saturating_add(events);
        while self.done < until {
            if self.done == decoded.len() && !decoded.decode()? {
                return self.end();
            }
            self.marks.at(self.done, &self.engine);
            self.push(decoded, self.done)?;
            self.done += 1;
        }
        if self.done == decoded.len() && decoded.is_at_end() {
            return self.end();
        }
        Ok(())
    }

    #[inline]
    fn push(&mut self, decoded: &Decoded, index: usize) -> Result<(), Fault> {
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        self.recorder.pushed = number.saturating_add(1);
        let Some(record) = decoded.record(index) else {
            self.no_event(decoded, index);
            return Ok(());
        };
        self.recorder.line = decoded.line_number(index).into();
        let sink: &mut dyn Sink<Indexed> = &mut self.recorder;
        let event = Indexed::new(record, number);
        kleene_wasm_engine::push(&mut self.engine, &event, sink).map_err(|error| stopped(&error))
    }

    #[cold]
    fn no_event(&mut self, decoded: &Decoded, index: usize) {
        match decoded.decode_again(index) {
            Some(decoded::Line::Rejected(reason)) => {
                self.recorder.counts.rejected += 1;
                let line = decoded.line_number(index).into();
                let origin = kleene_input::Origin { line, text: decoded.text(index) };
                self.recorder.rejects.add(Reject::of(origin, "rejected", &reason));
            }
            Some(decoded::Line::Unknown(name)) => self.recorder.counts.saw_unknown(&name),
            Some(decoded::Line::Event) | None => {}
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.is_finished = true;
        self.recorder.pushed = u32::MAX;
        let sink: &mut dyn Sink<Indexed> = &mut self.recorder;
        end(&mut self.engine, &self.options, sink).map_err(|error| stopped(&error))
    }

    /// The number of the rule of this name.
    fn rule(&self, name: &str) -> Result<usize, Fault> {
        self.recorder.rules.get(name).copied().ok_or_else(|| {
            let names: Vec<&str> = self.rules.iter().map(|rule| &*rule.name).collect();
            Fault::options(format!("there is no rule `{name}`; there are: {}", names.join(", ")))
        })
    }

    /// The lanes of a rule, up to the events that were looked at.
    fn lanes(&mut self, decoded: &Decoded, rule: usize) -> &mut Lanes {
        let (lanes, of) = (&mut self.lanes[rule], &self.rules[rule]);
        for index in lanes.of_event.len()..self.done {
            lanes.event(of, decoded.record(index));
        }
        lanes
    }

    fn memory_usage(&self) -> usize {
        let lanes: usize = self.lanes.iter().map(Lanes::memory_usage).sum();
        let kept = self.recorder.memory_usage() + self.marks.memory_usage();
        self.engine.memory_usage() + lanes + kept
    }
}
