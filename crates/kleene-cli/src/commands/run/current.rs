//! The current run: the rules with their files, the clock, and the state that is kept.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use kleene::stream::{Engine, Replacement, RuleChange, Verdict};
use kleene::{Record, Timestamp};

use super::checks::suits;
use super::outlets::{Lines, Outlets, OutputPrinter};
use super::stop::{Stop, stopped};
use crate::args::RunArgs;
use crate::idle::IdleClock;
use crate::progress::ReadProgress;
use crate::rules::{self, Listing, Loaded};
use crate::source::EventSource;
use crate::state::{HeldCheckpoint, Moment, State};
use kleene_host::paths;
use kleene_host::watch::{Files, Watch};
use kleene_report::counts::{Counts, counted};

/// The rules that run now.
pub(super) struct Current<'a> {
    pub(super) args: &'a RunArgs,
    pub(super) watch: Option<Watch>,
    pub(super) loaded: Loaded,
    pub(super) state: Option<State>,
    pub(super) idle: Option<IdleClock>,
    /// The time of the newest event.
    pub(super) newest: Option<Timestamp>,
    /// The number of events that have come to the engine. It is counted here, as the engine's
    /// statistics ask each rule.
    pub(super) arrived: u64,
    /// True if events have come since the clock was looked at.
    pub(super) has_come: bool,
    /// True if the input was read to its end.
    pub(super) has_ended: bool,
}

impl Current<'_> {
    /// Does what is due where the input ends, keeps where the run is, and says how the run ends.
    pub(super) fn end(
        &mut self,
        feed: &EventSource,
        engine: &mut Engine<Record>,
        outlets: &mut Outlets,
        counts: &Counts,
    ) -> Stop {
        self.has_ended = true;
        let ended = if self.args.events.end_of_time {
            let start = outlets.start_matching(engine);
            let ended = engine
                .end_time(&mut OutputPrinter { outlets, lines: Lines::Nothing })
                .map_err(stopped);
            if let Some(start) = start {
                outlets.end_matching(start, engine);
            }
            ended.and_then(|()| self.keep(feed, engine, outlets, counts))
        } else if self.state.is_some() {
            self.end_for_now(feed, engine, outlets, counts)
        } else {
            engine.end_input(&mut OutputPrinter { outlets, lines: Lines::Nothing }).map_err(stopped)
        };
        ended.map_or_else(Stop::Failed, |()| Stop::End)
    }

    /// Reports what a run without a state reports where the input ends. The checkpoint is of before
    /// that: the input can go on at the moment of its last event, and what rules feed to others at
    /// that moment comes after its last event. A run that goes on cuts the output back to the
    /// checkpoint.
    fn end_for_now(
        &mut self,
        feed: &EventSource,
        engine: &mut Engine<Record>,
        outlets: &mut Outlets,
        counts: &Counts,
    ) -> Result<()> {
        let held = self.hold(feed, engine, outlets, counts)?;
        if self.args.events.out_of_order.is_none() {
            engine
                .end_input(&mut OutputPrinter { outlets, lines: Lines::Nothing })
                .map_err(stopped)?;
        }
        let output = outlets.output.settle();
        let (Some(held), Some(state)) = (held, &mut self.state) else { return Ok(()) };
        if outlets.output.has_failed() {
            return Ok(());
        }
        let held = state.with_end(held, output);
        state.write(held)
    }

    /// Moves time on with the clock where no event comes for long.
    pub(super) fn follow_clock(&mut self, engine: &mut Engine<Record>, outlets: &mut Outlets) {
        let Some(idle) = &mut self.idle else { return };
        let now = Instant::now();
        if std::mem::take(&mut self.has_come)
            && let Some(newest) = self.newest
        {
            idle.saw(newest, now);
        }
        if let Some(watermark) = idle.watermark(now) {
            // The next event fails in the same way.
            let _ =
                engine.advance(watermark, &mut OutputPrinter { outlets, lines: Lines::Nothing });
        }
    }

    /// Returns the time to wait for input.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.idle.as_ref().map(|idle| idle.wait(Instant::now()))
    }

    /// Reads the rules again if their files have changed, and goes on with them if they are right.
    #[inline]
    pub(super) fn follow(
        &mut self,
        feed: &mut EventSource,
        engine: &mut Engine<Record>,
        outlets: &mut Outlets,
    ) {
        if let Some(watch) = &self.watch
            && watch.has_changed()
        {
            let mut files = Files::default();
            let read = paths::require_regular(&self.args.rules).and_then(|()| {
                rules::load_and_note(self.args.rule_args(), Listing::Screen, &mut files)
            });
            watch.was_read(files);
            if let Err(reason) = self.replace(read, feed, engine, outlets) {
                let text =
                    format!("{reason:#}\nthe rules were not reloaded: the old rules keep running");
                outlets.progress.say(&text);
            }
        }
    }

    /// Keeps where the run is, if it is to be kept.
    pub(super) fn keep(
        &mut self,
        feed: &EventSource,
        engine: &mut Engine<Record>,
        outlets: &mut Outlets,
        counts: &Counts,
    ) -> Result<()> {
        let held = self.hold(feed, engine, outlets, counts)?;
        match (&mut self.state, held) {
            (Some(state), Some(held)) => state.write(held),
            _ => Ok(()),
        }
    }

    /// Makes a checkpoint, if one is to be kept.
    fn hold(
        &mut self,
        feed: &EventSource,
        engine: &mut Engine<Record>,
        outlets: &mut Outlets,
        counts: &Counts,
    ) -> Result<Option<HeldCheckpoint>> {
        let Some(state) = &mut self.state else { return Ok(None) };
        let (output, rejects) = (outlets.output.settle(), outlets.rejects.settle());
        // A failed output is reported as an error; the checkpoint before it stays the newest.
        if outlets.output.has_failed() || outlets.rejects.has_failed() {
            return Ok(None);
        }
        let (position, tally, has_ended) = (feed.position(), &outlets.tally, self.has_ended);
        let moment = Moment { position, output, rejects, counts, tally, has_ended };
        state.hold(&moment, engine).map(Some)
    }

    fn replace(
        &mut self,
        read: Result<Result<Loaded, rules::Refused>>,
        feed: &mut EventSource,
        engine: &mut Engine<Record>,
        outlets: &mut Outlets,
    ) -> Result<()> {
        let loaded = read?.map_err(|refused| anyhow!(refused.text))?;
        suits(self.args, &loaded)?;
        // The verdicts count what can still go on.
        engine.sweep();
        let replacement = engine.replace_rules(&loaded.set)?;
        feed.renew(engine.schema(), &loaded.schema);
        outlets.output.renew(engine.schema(), engine.rules());
        outlets.review.renew(engine.schema());
        if !self.args.quiet {
            // Those that were reported before stand elsewhere in the text now, but say the same.
            let said = |loaded: &Loaded| -> Vec<String> {
                let warnings = loaded.set.warnings().iter();
                warnings.map(|warning| warning.diagnostic.message.clone()).collect()
            };
            if !loaded.warnings.is_empty() && said(&loaded) != said(&self.loaded) {
                outlets.progress.say(&loaded.warnings);
            }
            report(&replacement, &outlets.progress);
        }
        self.loaded = loaded;
        Ok(())
    }
}

/// A line for each rule that is not as before, and one for the others.
fn report(replacement: &Replacement, progress: &ReadProgress) {
    let (same, changed): (Vec<&RuleChange>, Vec<&RuleChange>) =
        replacement.rules.iter().partition(|change| change.verdict == Verdict::Unchanged);
    for change in changed {
        let version = change.new_version;
        let version = version.map_or(String::new(), |version| format!(", version {version:016x}"));
        progress.say(&format!("reloaded {change}{version}"));
    }
    if !same.is_empty() {
        progress.say(&format!("reloaded {}: unchanged", counted(same.len(), "rule")));
    }
}
