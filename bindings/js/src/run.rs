//! `run`: all events of an input through rules, as `kleene run` does it.

use kleene::stream::{Engine, Late, Overflow, PushError, RejectReason, Rejected};
use kleene::{Event as _, Match, RuleSet, Sink, Timeout};
use kleene_input::{Cursor, InputItem, Origin, Parser};
use kleene_report::counts::Counts;
use kleene_report::output::{LineForm, Shapes};
use kleene_report::reasons::late_reason;
use kleene_report::tally::Tally;

use crate::fault::{Fault, FaultKind};
use crate::input::Input;
use crate::options::Options;
use crate::rules;
use crate::summary::{Reject, Rejects, Summary, summary};
use kleene_wasm_engine::Indexed;

/// The results of a run.
#[derive(Debug)]
pub struct Ran {
    /// The outputs, a line each.
    pub lines: String,
    /// The counts.
    pub summary: Summary,
}

/// Runs rules over an input.
///
/// # Errors
/// The rules have mistakes, the input is no events, an option has no meaning, or a rule's limit
/// ended the run.
pub fn run(text: &str, events: Vec<u8>, options: &Options) -> Result<Ran, Fault> {
    let rules = rules::parse(text, options)?;
    let input = Input::new(events, options)?;
    let mut engine = engine(&rules, options)?;
    let mut parser = input.parser(engine.schema(), rules.schema());
    let form = if options.brief { LineForm::Brief } else { LineForm::Json };
    let shapes = Shapes::new(engine.schema(), input.reading.time_field.as_str().into(), form)
        .with_rules(engine.rules());
    let mut printer = OutputLines::new(shapes);
    push_all(&mut engine, &mut parser, &input, &mut printer)?;
    end(&mut engine, options, printer.sink()).map_err(|error| stopped(&error))?;
    let OutputLines { lines, tally, limits, rejects, counts, .. } = printer;
    let summary = summary(&rules, &engine.stats(), &counts, (&tally, &limits), rejects)?;
    Ok(Ran { lines: String::from_utf8(lines).unwrap_or_default(), summary })
}

/// Ends the events of a run, as the options say.
///
/// # Errors
/// A rule's limit has ended the run.
pub fn end(
    engine: &mut Engine<Indexed>,
    options: &Options,
    sink: &mut dyn Sink<Indexed>,
) -> Result<(), PushError> {
    if options.end_of_time {
        return kleene_wasm_engine::end_time(engine, sink);
    }
    kleene_wasm_engine::end_input(engine, sink)?;
    let Some(to) = options.advance_to() else { return Ok(()) };
    kleene_wasm_engine::advance(engine, to, sink)
}

/// The engine of a run.
///
/// # Errors
/// A rule cannot be run, or an option has no meaning.
pub fn engine(rules: &RuleSet, options: &Options) -> Result<Engine<Indexed>, Fault> {
    options.builder(rules)?.build().map_err(|error| Fault::new(FaultKind::Rules, error.to_string()))
}

/// Pushes all events of an input.
///
/// # Errors
/// No event can be read from the input, or a rule's limit ended the run.
pub fn push_all(
    engine: &mut Engine<Indexed>,
    parser: &mut Parser,
    input: &Input,
    printer: &mut OutputLines,
) -> Result<(), Fault> {
    let mut cursor = Cursor::default();
    while let Some(item) = parser.next_item(&input.block, &mut cursor) {
        match item {
            InputItem::Event(event, origin) => {
                printer.at(origin);
                kleene_wasm_engine::push(engine, &event.into(), printer.sink())
                    .map_err(|error| stopped(&error))?;
            }
            InputItem::Unknown(name) => printer.counts.saw_unknown(name),
            InputItem::Rejected(origin, reason) => {
                printer.counts.rejected += 1;
                printer.rejects.add(Reject::of(origin, "rejected", &reason));
            }
            InputItem::Unreadable(reason) => return Err(Fault::events(&reason)),
        }
    }
    printer.at(Origin { line: 0, text: b"" });
    Ok(())
}

/// Why an engine takes no more events.
pub fn stopped(error: &PushError) -> Fault {
    let kind = if error.rule().is_some() { FaultKind::Limit } else { FaultKind::Closed };
    Fault::new(kind, error.to_string())
}

/// The first limits that were reached, in words.
#[derive(Clone, Debug, Default)]
pub struct LimitNotes(Vec<String>);

impl LimitNotes {
    /// Notes a limit, if there is room.
    pub fn overflowed(&mut self, overflow: &Overflow) {
        const KEPT: usize = 5;
        if self.0.len() < KEPT {
            let text = overflow.to_string();
            if !self.0.contains(&text) {
                self.0.push(text);
            }
        }
    }

    /// Returns the notes.
    pub fn texts(&self) -> &[String] {
        &self.0
    }
}

/// Writes what an engine reports.
#[derive(Debug)]
pub struct OutputLines {
    /// The lines of outputs so far.
    pub lines: Vec<u8>,
    /// How outputs are written.
    pub shapes: Shapes,
    /// The number of outputs by rule.
    pub tally: Tally,
    /// The limits that were reached.
    pub limits: LimitNotes,
    /// The lines and events that could not be taken.
    pub rejects: Rejects,
    /// The other counts.
    pub counts: Counts,
    line: u64,
    text: Vec<u8>,
}

impl OutputLines {
    /// Nothing yet.
    pub fn new(shapes: Shapes) -> OutputLines {
        OutputLines {
            lines: Vec::new(),
            shapes,
            tally: Tally::default(),
            limits: LimitNotes::default(),
            rejects: Rejects::default(),
            counts: Counts::default(),
            line: 0,
            text: Vec::new(),
        }
    }

    /// Itself as a sink whose type is not known: each type of sink would be a copy of the engine.
    pub fn sink(&mut self) -> &mut dyn Sink<Indexed> {
        self
    }

    /// Notes the line that the next outputs come of.
    pub fn at(&mut self, origin: Origin<'_>) {
        self.line = origin.line;
        self.text.clear();
        self.text.extend_from_slice(Reject::start(origin.text));
    }

    fn reject(&mut self, kind: &'static str, reason: &str) {
        let origin = Origin { line: self.line, text: &self.text };
        self.rejects.add(Reject::of(origin, kind, reason));
    }
}

impl Sink<Indexed> for OutputLines {
    fn matched(&mut self, found: Match<'_, Indexed>) {
        self.tally.matched(&found.rule().name);
        self.shapes.matched(&mut self.lines, &found);
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Indexed>) {
        self.tally.timed_out(&timeout.rule().name);
        self.shapes.timed_out(&mut self.lines, &timeout);
    }

    fn late(&mut self, late: Late<'_, Indexed>) {
        self.reject("late", &late_reason(late.event.time(), late.watermark));
    }

    fn rejected(&mut self, rejected: Rejected<'_, Indexed>) {
        let reason = rejected.reason.to_string();
        if let RejectReason::Mismatch { .. } = rejected.reason {
            // A rule made it: the line that is read is not to blame.
            let origin = Origin { line: 0, text: b"" };
            self.rejects.add(Reject::of(origin, "rejected", &reason));
        } else {
            self.reject("rejected", &reason);
        }
    }

    fn overflowed(&mut self, overflow: Overflow) {
        self.limits.overflowed(&overflow);
        self.shapes.limited(&mut self.lines, &overflow);
    }
}
