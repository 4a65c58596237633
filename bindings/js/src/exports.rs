//! The exports of the module to JavaScript.

use kleene_input::Format;
use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsValue, throw_str};

use crate::fault::{Fault, FaultKind};
use crate::options::Options;
use crate::{engine, explorer, infer, run, text, why};

type Thrown<T> = Result<T, JsValue>;

fn thrown(fault: &Fault) -> JsValue {
    JsValue::from_str(&fault.to_json())
}

fn json<T: Serialize>(result: Result<T, Fault>) -> Thrown<String> {
    let value = result.map_err(|fault| thrown(&fault))?;
    serde_json::to_string(&value)
        .map_err(|error| thrown(&Fault::new(FaultKind::Options, error.to_string())))
}

fn plain<T>(result: Result<T, Fault>) -> Thrown<T> {
    result.map_err(|fault| thrown(&fault))
}

/// Called once for each instance. A panic then throws what it says out of the module, or it is a trap
/// in a build without messages. The state of the module is never used again: `core.js` refuses every
/// later call.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|panic| throw_str(&panic.to_string())));
}

/// The version of the package.
#[wasm_bindgen]
pub fn version() -> String {
    String::from(env!("CARGO_PKG_VERSION"))
}

/// True if there are time zones by name.
#[wasm_bindgen(js_name = hasTimeZones)]
pub fn has_time_zones() -> bool {
    cfg!(feature = "tz")
}

/// All that is to be said of rules.
///
/// # Errors
/// The options have no meaning.
#[wasm_bindgen]
pub fn check(rules: &str, options: &str) -> Thrown<String> {
    json(Options::read(options).and_then(|options| text::check(rules, &options)))
}

/// The rules in their one spelling.
///
/// # Errors
/// The text has mistakes.
#[wasm_bindgen]
pub fn format(rules: &str) -> Thrown<String> {
    plain(text::format(rules))
}

/// A rule in words or as a picture.
///
/// # Errors
/// The rules have mistakes, or the options have no meaning.
#[wasm_bindgen]
pub fn explain(rules: &str, options: &str) -> Thrown<String> {
    plain(Options::read(options).and_then(|options| text::explain(rules, &options)))
}

/// Returns the explanation of a diagnostic's code.
///
/// # Errors
/// There is no such code.
#[wasm_bindgen(js_name = explainCode)]
pub fn explain_code(code: &str) -> Thrown<String> {
    plain(text::explain_code(code))
}

/// The events of a test, by its place among the tests.
///
/// # Errors
/// The rules have mistakes, or there is no such test.
#[wasm_bindgen(js_name = testEvents)]
pub fn test_events(rules: &str, test: usize, options: &str) -> Thrown<String> {
    json(Options::read(options).and_then(|options| text::test_events(rules, test, &options)))
}

/// Returns the completions at a place.
///
/// # Errors
/// The options have no meaning.
#[wasm_bindgen]
pub fn complete(rules: &str, offset: usize, options: &str) -> Thrown<String> {
    json(Options::read(options).map(|options| text::complete(rules, offset, &options)))
}

/// Returns the meaning of the name at a place.
///
/// # Errors
/// The options have no meaning.
#[wasm_bindgen]
pub fn hover(rules: &str, offset: usize, options: &str) -> Thrown<String> {
    json(Options::read(options).map(|options| text::hover(rules, offset, &options)))
}

/// Runs the tests in rules.
///
/// # Errors
/// The rules have mistakes, or the options have no meaning.
#[wasm_bindgen]
pub fn test(rules: &str, options: &str) -> Thrown<String> {
    json(Options::read(options).and_then(|options| text::test(rules, &options)))
}

/// Declarations that fit events.
///
/// # Errors
/// There is no event, or the options have no meaning.
#[wasm_bindgen]
pub fn infer(events: Vec<u8>, options: &str) -> Thrown<String> {
    plain(Options::read(options).and_then(|options| infer::infer(events, &options)))
}

/// Runs rules over events: the summary in the first line, the outputs behind it.
///
/// # Errors
/// The rules have mistakes, the input is no events, or the options have no meaning.
#[wasm_bindgen]
pub fn run(rules: &str, events: Vec<u8>, options: &str) -> Thrown<String> {
    let ran = Options::read(options).and_then(|options| run::run(rules, events, &options));
    let run::Ran { lines, summary } = plain(ran)?;
    let mut text = json(Ok(summary))?;
    text.push('\n');
    text.push_str(&lines);
    Ok(text)
}

/// The story of a key of a rule.
///
/// # Errors
/// The rules have mistakes, the input is no events, or the options have no meaning.
#[wasm_bindgen]
pub fn why(rules: &str, events: Vec<u8>, options: &str) -> Thrown<String> {
    json(Options::read(options).and_then(|options| why::why(rules, events, &options)))
}

/// An engine.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawEngine(engine::Engine);

#[wasm_bindgen]
impl RawEngine {
    /// A new engine.
    ///
    /// # Errors
    /// The rules have mistakes, or the options have no meaning.
    #[wasm_bindgen(constructor)]
    pub fn new(rules: &str, options: &str) -> Thrown<RawEngine> {
        let made = Options::read(options).and_then(|options| engine::Engine::new(rules, options));
        plain(made).map(RawEngine)
    }

    /// An engine that goes on where a snapshot was taken.
    ///
    /// # Errors
    /// The rules have mistakes, or the bytes do not fit.
    pub fn restore(rules: &str, snapshot: &[u8], options: &str) -> Thrown<RawEngine> {
        let made = Options::read(options)
            .and_then(|options| engine::Engine::restore(rules, snapshot, options));
        plain(made).map(RawEngine)
    }

    /// Takes events as text; `format` is `jsonl`, or empty if it is not known.
    ///
    /// # Errors
    /// The text is no events, or the engine takes no more.
    pub fn push(&mut self, events: Vec<u8>, format: &str) -> Thrown<String> {
        plain(self.0.push(events, (format == "jsonl").then_some(Format::Jsonl)))
    }

    /// Moves time on.
    ///
    /// # Errors
    /// The engine takes no more.
    pub fn advance(&mut self, to: f64) -> Thrown<String> {
        plain(self.0.advance(to))
    }

    /// Ends the input for now.
    ///
    /// # Errors
    /// The engine takes no more.
    #[wasm_bindgen(js_name = endInput)]
    pub fn end_input(&mut self) -> Thrown<String> {
        plain(self.0.end_input())
    }

    /// Ends time.
    ///
    /// # Errors
    /// A rule's limit has stopped the engine.
    #[wasm_bindgen(js_name = endTime)]
    pub fn end_time(&mut self) -> Thrown<String> {
        plain(self.0.end_time())
    }

    /// The state as bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        self.0.snapshot()
    }

    /// Goes on with other rules.
    ///
    /// # Errors
    /// They have mistakes or cannot be run.
    pub fn replace(&mut self, rules: &str, options: &str) -> Thrown<String> {
        json(self.0.replace(rules, options))
    }

    /// Returns the verdicts on the rules when it was restored.
    pub fn restored(&self) -> String {
        self.0.restored().to_string()
    }

    /// The counts.
    pub fn stats(&self) -> String {
        self.0.stats().to_string()
    }

    /// How far time has come.
    pub fn watermark(&self) -> Option<f64> {
        self.0.watermark()
    }

    /// Returns the rejects since the last call.
    ///
    /// # Errors
    /// None.
    #[wasm_bindgen(js_name = takeRejects)]
    pub fn take_rejects(&mut self) -> Thrown<String> {
        json(Ok(self.0.take_rejects()))
    }

    /// The bytes that it holds.
    #[wasm_bindgen(js_name = memoryUsage)]
    pub fn memory_usage(&self) -> usize {
        self.0.memory_usage()
    }
}

/// A run that can be looked at.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawExplorer {
    explorer: explorer::Explorer,
    time: Vec<f64>,
    end: Vec<f64>,
    lane: Vec<u32>,
    ty: Vec<u16>,
    kind: Vec<u8>,
}

#[wasm_bindgen]
impl RawExplorer {
    /// Without events.
    ///
    /// # Errors
    /// The options have no meaning.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &str) -> Thrown<RawExplorer> {
        Ok(RawExplorer {
            explorer: explorer::Explorer::new(plain(Options::read(options))?),
            time: Vec::new(),
            end: Vec::new(),
            lane: Vec::new(),
            ty: Vec::new(),
            kind: Vec::new(),
        })
    }

    /// Takes events.
    ///
    /// # Errors
    /// They cannot be unpacked, are too many, or an option has no meaning.
    #[wasm_bindgen(js_name = setEvents)]
    pub fn set_events(&mut self, events: Vec<u8>, options: &str) -> Thrown<()> {
        plain(self.explorer.set_events(events, options))
    }

    /// Starts a run.
    ///
    /// # Errors
    /// The rules have mistakes, or an option has no meaning.
    pub fn start(&mut self, rules: &str, options: &str) -> Thrown<String> {
        let started = self.explorer.start(rules, options);
        json(started.and_then(|set| Ok(text::warnings(&set, &Options::read(options)?))))
    }

    /// Goes on for a number of events.
    ///
    /// # Errors
    /// No event can be read from the input, or a rule's limit ended the run.
    pub fn step(&mut self, events: usize) -> Thrown<String> {
        json(self.explorer.step(events))
    }

    /// Returns the counts so far.
    ///
    /// # Errors
    /// There is no run.
    pub fn summary(&self) -> Thrown<String> {
        json(self.explorer.summary())
    }

    /// The rules.
    ///
    /// # Errors
    /// There is no run.
    pub fn rules(&self) -> Thrown<String> {
        json(self.explorer.rules())
    }

    /// The names of the types.
    ///
    /// # Errors
    /// There is no run.
    pub fn types(&self) -> Thrown<String> {
        json(self.explorer.types())
    }

    /// The keys of a rule.
    ///
    /// # Errors
    /// There is no such rule, or no run.
    pub fn lanes(&mut self, rule: &str) -> Thrown<String> {
        json(self.explorer.lanes(rule))
    }

    /// Makes the columns of events, for the getters below.
    ///
    /// # Errors
    /// There is no such rule, or no run.
    #[wasm_bindgen(js_name = eventColumns)]
    pub fn event_columns(&mut self, rule: &str) -> Thrown<()> {
        let columns = plain(self.explorer.event_columns(rule))?;
        (self.time, self.lane, self.ty) = (columns.time, columns.lane, columns.ty);
        Ok(())
    }

    /// Makes the columns of outputs, for the getters below.
    ///
    /// # Errors
    /// There is no such rule, or no run.
    #[wasm_bindgen(js_name = outputColumns)]
    pub fn output_columns(&mut self, rule: &str) -> Thrown<()> {
        let columns = plain(self.explorer.output_columns(rule))?;
        (self.kind, self.lane) = (columns.kind, columns.lane);
        (self.time, self.end) = (columns.start, columns.end);
        Ok(())
    }

    /// The times of the columns, or the starts. They are given once, as are those below.
    #[wasm_bindgen(js_name = takeTime)]
    pub fn take_time(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.time)
    }

    /// The ends of the columns.
    #[wasm_bindgen(js_name = takeEnd)]
    pub fn take_end(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.end)
    }

    /// The lanes of the columns.
    #[wasm_bindgen(js_name = takeLane)]
    pub fn take_lane(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.lane)
    }

    /// The types of the columns.
    #[wasm_bindgen(js_name = takeType)]
    pub fn take_type(&mut self) -> Vec<u16> {
        std::mem::take(&mut self.ty)
    }

    /// The kinds of the columns.
    #[wasm_bindgen(js_name = takeKind)]
    pub fn take_kind(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.kind)
    }

    /// One event.
    ///
    /// # Errors
    /// There is no such event, or no run.
    pub fn event(&self, index: usize) -> Thrown<String> {
        json(self.explorer.event(index))
    }

    /// Some outputs of a rule.
    ///
    /// # Errors
    /// The index is too large, or there is no such rule or no run.
    pub fn outputs(&mut self, rule: &str, from: usize, count: usize) -> Thrown<String> {
        plain(self.explorer.outputs(rule, from, count))
    }

    /// Returns the number of outputs of all rules.
    ///
    /// # Errors
    /// There is no run.
    #[wasm_bindgen(js_name = outputCount)]
    pub fn output_count(&self) -> Thrown<usize> {
        plain(self.explorer.output_count())
    }

    /// The rule and the number of an output.
    ///
    /// # Errors
    /// There is no such output, or no run.
    #[wasm_bindgen(js_name = outputAt)]
    pub fn output_at(&self, place: usize) -> Thrown<String> {
        json(self.explorer.output_at(place))
    }

    /// The lines of outputs of all rules.
    ///
    /// # Errors
    /// There is no run.
    #[wasm_bindgen(js_name = outputLines)]
    pub fn output_lines(&self, from: usize, count: usize) -> Thrown<String> {
        plain(self.explorer.output_lines(from, count))
    }

    /// The outputs that captured an event.
    ///
    /// # Errors
    /// There is no such rule, or no run.
    #[wasm_bindgen(js_name = outputsOf)]
    pub fn outputs_of(&self, rule: &str, event: u32) -> Thrown<Vec<u32>> {
        plain(self.explorer.outputs_of(rule, event))
    }

    /// The partial matches that are open at a moment.
    ///
    /// # Errors
    /// There is no such rule, or no run.
    #[wasm_bindgen(js_name = openAt)]
    pub fn open_at(
        &mut self,
        rule: &str,
        time: f64,
        lane: Option<u32>,
        limit: usize,
    ) -> Thrown<String> {
        json(self.explorer.open_at(rule, time, lane, limit))
    }

    /// The story of an event's key.
    ///
    /// # Errors
    /// There is no such event, or no run.
    pub fn why(&self, rule: &str, event: usize) -> Thrown<String> {
        json(self.explorer.why(rule, event))
    }

    /// The bytes that it holds.
    #[wasm_bindgen(js_name = memoryUsage)]
    pub fn memory_usage(&self) -> usize {
        self.explorer.memory_usage()
    }
}
