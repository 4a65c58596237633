//! Options as the package passes them: one JSON object, of which each function reads its part.

use std::collections::BTreeMap;
use std::time::Duration;

use kleene::stream::EngineBuilder;
use kleene::{Event, RuleSet, Timestamp};
use kleene_input::{Form, Format, OptionNames, Reading, TimeUnit, duration_from_text};
use serde::Deserialize;

use crate::fault::Fault;

/// Longer lines are rejected.
const MAX_LINE: usize = 1 << 20;
/// More unpacked bytes are refused.
const MAX_BYTES: u64 = 1 << 30;

/// All options; `index.d.ts` says what each means.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own in JavaScript")]
pub struct Options {
    /// The name of the rules in diagnostics.
    pub name: Option<String>,
    /// The files that rules name.
    pub files: BTreeMap<String, String>,
    /// The parameters of rules.
    pub params: BTreeMap<String, serde_json::Value>,
    /// A rule.
    pub rule: Option<String>,
    /// How something is explained.
    pub r#as: Option<String>,
    /// True for the automaton of a rule.
    pub states: bool,
    format: Option<String>,
    delimiter: Option<String>,
    type_field: Option<String>,
    r#type: Option<String>,
    time_field: Option<String>,
    time_unit: Option<String>,
    strict: bool,
    max_line: Option<usize>,
    max_bytes: Option<u64>,
    out_of_order: Option<Bound>,
    limits: Limits,
    /// True if the stream ends with the input.
    pub end_of_time: bool,
    /// How far time moves behind the last event, in milliseconds.
    pub advance_to: Option<f64>,
    /// True for short lines.
    pub brief: bool,
    /// A key.
    pub key: Option<Key>,
    /// The number of first entries that are kept.
    pub first: Option<usize>,
    /// The number of last entries that are kept.
    pub last: Option<usize>,
    /// The maximum number of outputs that are kept.
    pub max_outputs: Option<usize>,
}

/// A duration.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Bound {
    Millis(f64),
    Text(String),
}

/// A key: a text, or one for each of its parts.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Key {
    /// One text.
    One(String),
    /// A text for each part.
    Parts(Vec<String>),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Limits {
    partials: Option<u64>,
    partials_per_key: Option<usize>,
    captured_bytes: Option<u64>,
    buffered: Option<usize>,
    buffered_bytes: Option<u64>,
    steps_per_event: Option<usize>,
    matches_per_set: Option<usize>,
    graph_nodes_per_key: Option<usize>,
}

impl Options {
    /// Reads the options.
    ///
    /// # Errors
    /// There is no such option, or it has another type.
    pub fn read(json: &str) -> Result<Options, Fault> {
        serde_json::from_str(json).map_err(|error| {
            let text = error.to_string();
            // The place in a text that nobody has written says nothing.
            let text = text.split(" at line ").next().unwrap_or_default().to_owned();
            Fault::options(format!("these options cannot be used: {text}"))
        })
    }

    /// Reads options of a later call over these.
    ///
    /// # Errors
    /// As [`read`](Options::read).
    pub fn with(&self, json: &str) -> Result<Options, Fault> {
        let later = Options::read(json)?;
        let later_input = later.clone();
        Ok(Options {
            name: later.name.or_else(|| self.name.clone()),
            files: if later.files.is_empty() { self.files.clone() } else { later.files },
            params: if later.params.is_empty() { self.params.clone() } else { later.params },
            out_of_order: later.out_of_order.or_else(|| self.out_of_order.clone()),
            limits: later.limits.or(&self.limits),
            format: later.format.or_else(|| self.format.clone()),
            delimiter: later.delimiter.or_else(|| self.delimiter.clone()),
            type_field: later.type_field.or_else(|| self.type_field.clone()),
            r#type: later.r#type.or_else(|| self.r#type.clone()),
            time_field: later.time_field.or_else(|| self.time_field.clone()),
            time_unit: later.time_unit.or_else(|| self.time_unit.clone()),
            strict: later.strict || self.strict,
            max_line: later.max_line.or(self.max_line),
            max_bytes: later.max_bytes.or(self.max_bytes),
            ..later_input
        })
    }

    /// Returns the name of the rules in diagnostics.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("rules.cep")
    }

    /// How events are read.
    ///
    /// # Errors
    /// An option has no meaning.
    pub fn reading(&self) -> Result<Reading, Fault> {
        let unit = match self.time_unit.as_deref() {
            None | Some("ms") => TimeUnit::Millis,
            Some("s") => TimeUnit::Seconds,
            Some("us") => TimeUnit::Micros,
            Some("ns") => TimeUnit::Nanos,
            Some(other) => {
                return Err(Fault::options(format!(
                    "timeUnit: expected \"s\", \"ms\", \"us\" or \"ns\", not {other:?}"
                )));
            }
        };
        let usual = Reading::default();
        Ok(Reading {
            type_field: self.type_field.clone().unwrap_or(usual.type_field),
            fixed_type: self.r#type.clone(),
            prefers_time_field: self.time_field.is_some(),
            time_field: self.time_field.clone().unwrap_or(usual.time_field),
            unit,
            is_strict: self.strict,
            options: OptionNames::CamelCase,
        })
    }

    /// True if it was said what numbers count that are moments.
    pub fn says_unit(&self) -> bool {
        self.time_unit.is_some()
    }

    /// How the input `text` is written.
    ///
    /// # Errors
    /// An option has no meaning.
    pub fn form(&self, text: &[u8]) -> Result<Form, Fault> {
        let start = text.trim_ascii_start();
        let format = match self.format.as_deref() {
            Some("jsonl") => Format::Jsonl,
            Some("csv") => Format::Csv,
            Some(other) => {
                return Err(Fault::options(format!(
                    "format: expected \"jsonl\" or \"csv\", not {other:?}"
                )));
            }
            None if start.first().is_none_or(|first| b"{[".contains(first)) => Format::Jsonl,
            None => Format::Csv,
        };
        let delimiter = match self.delimiter.as_deref().map(str::as_bytes) {
            Some([byte]) if byte.is_ascii() => *byte,
            Some(_) => {
                return Err(Fault::options("delimiter: expected one ASCII character"));
            }
            None => {
                let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
                let line = String::from_utf8_lossy(&line[..line.len().min(MAX_LINE)]);
                kleene_input::other_delimiter(line.trim_end(), b',').unwrap_or(b',')
            }
        };
        Ok(Form { format, delimiter, max_line: self.max_line.unwrap_or(MAX_LINE) })
    }

    /// The maximum number of unpacked bytes.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes.unwrap_or(MAX_BYTES)
    }

    /// How far time moves after the input, if an option says so.
    pub fn advance_to(&self) -> Option<Timestamp> {
        #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and NaN is 0")]
        let wished = self.advance_to.map(|to| (to as i64).clamp(i64::MIN + 1, i64::MAX - 1));
        wished.map(Timestamp::from_millis)
    }

    /// How late events may come.
    ///
    /// # Errors
    /// It is no duration.
    pub fn bound(&self) -> Result<Option<Duration>, Fault> {
        let millis = match &self.out_of_order {
            None => return Ok(None),
            #[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
            Some(Bound::Millis(millis)) => *millis as i64,
            Some(Bound::Text(text)) => duration_from_text(text)
                .map_err(|reason| Fault::options(format!("outOfOrder: {reason}")))?,
        };
        let millis = u64::try_from(millis)
            .map_err(|_| Fault::options("outOfOrder: a duration is not negative"))?;
        Ok(Some(Duration::from_millis(millis)))
    }

    /// An engine with these rules and limits.
    ///
    /// # Errors
    /// An option has no meaning.
    pub fn builder<E: Event>(&self, rules: &RuleSet) -> Result<EngineBuilder<E>, Fault> {
        let mut builder = EngineBuilder::new().rules(rules);
        builder = match self.bound()? {
            Some(bound) => builder.out_of_order(bound),
            None => builder.in_order(),
        };
        let Limits { partials, partials_per_key, captured_bytes, .. } = self.limits;
        let Limits { buffered, buffered_bytes, steps_per_event, matches_per_set, .. } = self.limits;
        builder = given(builder, partials, EngineBuilder::limit_partials);
        builder = given(builder, partials_per_key, EngineBuilder::limit_partials_per_key);
        builder = given(builder, captured_bytes, EngineBuilder::limit_captured_bytes);
        builder = given(builder, buffered, EngineBuilder::limit_buffered);
        builder = given(builder, buffered_bytes, EngineBuilder::limit_buffered_bytes);
        builder = given(builder, steps_per_event, EngineBuilder::limit_steps_per_event);
        builder = given(
            builder,
            self.limits.graph_nodes_per_key,
            EngineBuilder::limit_graph_nodes_per_key,
        );
        Ok(given(builder, matches_per_set, EngineBuilder::limit_matches_per_set))
    }
}

impl Limits {
    fn or(&self, other: &Limits) -> Limits {
        Limits {
            partials: self.partials.or(other.partials),
            partials_per_key: self.partials_per_key.or(other.partials_per_key),
            captured_bytes: self.captured_bytes.or(other.captured_bytes),
            buffered: self.buffered.or(other.buffered),
            buffered_bytes: self.buffered_bytes.or(other.buffered_bytes),
            steps_per_event: self.steps_per_event.or(other.steps_per_event),
            matches_per_set: self.matches_per_set.or(other.matches_per_set),
            graph_nodes_per_key: self.graph_nodes_per_key.or(other.graph_nodes_per_key),
        }
    }
}

fn given<E: Event, T>(
    builder: EngineBuilder<E>,
    limit: Option<T>,
    set: impl FnOnce(EngineBuilder<E>, T) -> EngineBuilder<E>,
) -> EngineBuilder<E> {
    match limit {
        Some(limit) => set(builder, limit),
        None => builder,
    }
}
