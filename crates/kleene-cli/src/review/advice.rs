//! Advice about an input, from what was seen of it.

use std::fmt::Write as _;

use hashbrown::{HashMap, HashSet};

use kleene::Value;
use kleene::schema::TypeId;
use kleene::value::ValueRef;
use kleene_syntax::hir::Rule;

use super::collect::Review;
use super::event_counts::YEAR_2100;
use super::reasons::ReasonKind;
use super::suggest::{Leaves, leaves, nearest, time_options, type_field};
use crate::args::InputArgs;
use crate::rules::Loaded;
use crate::source::RowName;
use crate::stderr::say;
use kleene_input::{Format, Raw, delimiter_argument, fields_of_line};
use kleene_language::infer::argument;
use kleene_report::counts::{Counts, counted, grouped};

/// The number of reasons that are printed.
const REASONS: usize = 3;
/// The number of types that one hint names.
const TYPES: usize = 5;
/// The number of characters of a line that are printed.
const SHOWN: usize = 120;
/// The delay in milliseconds beyond which an input counts as not in order.
const FAR_OFF: i64 = 3_600_000;
const DAY: i64 = 86_400_000;

/// Further facts at the end of an input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) args: &'a InputArgs,
    pub(crate) loaded: &'a Loaded,
    /// The rules that were looked at.
    pub(crate) rules: &'a [&'a Rule],
    pub(crate) counts: &'a Counts,
    /// The names of the columns, in CSV.
    pub(crate) header: &'a [String],
    /// True if there was not a byte in the input.
    pub(crate) is_empty: bool,
    /// The number of results: matches, timeouts and suppressed matches.
    pub(crate) found: u64,
    /// Events without a key in some rule.
    pub(crate) keyless: u64,
}

/// The findings of a review.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// The reason why no event of the input could be used; `None` if one could, or if there is no
    /// line.
    pub(crate) unusable: Option<String>,
    /// Hints that may help.
    pub(crate) hints: Vec<String>,
}

impl Findings {
    /// Prints the findings.
    pub(crate) fn say(&self) {
        if let Some(reason) = &self.unusable {
            say(reason);
        }
        self.hints.iter().for_each(|hint| say(&format!("hint: {hint}")));
    }

    /// Prints the findings of a quiet run: hints alone are not printed.
    pub(crate) fn say_if_unusable(&self) {
        if self.unusable.is_some() {
            self.say();
        }
    }
}

impl Review {
    /// Returns the findings.
    pub(crate) fn findings(&self, facts: &Facts<'_>) -> Findings {
        let advice = Advice { review: self, facts, read_types: read_types(facts) };
        let mut hints = Vec::new();
        if self.is_partial {
            hints.extend(advice.late());
            return Findings { unusable: None, hints };
        }
        if advice.lines() == 0 {
            hints.push(advice.nothing_there());
            return Findings { unusable: None, hints };
        }
        let unusable = advice.unusable();
        hints.extend(advice.rejected());
        hints.extend(advice.misdated());
        hints.extend(advice.late());
        hints.extend(advice.types());
        hints.extend(advice.keyless());
        Findings { unusable, hints }
    }
}

struct Advice<'a> {
    review: &'a Review,
    facts: &'a Facts<'a>,
    /// The types that rules read, without those that rules make.
    read_types: Vec<ReadType<'a>>,
}

/// The name of a type with the rules that read it.
type ReadType<'a> = (&'a str, Vec<&'a Rule>);

/// Returns the types that rules read, without those that rules make, in the order of rules.
fn read_types<'a>(facts: &Facts<'a>) -> Vec<ReadType<'a>> {
    let schema = &facts.loaded.schema;
    let emits = facts.loaded.rules.iter().flat_map(|rule| [&rule.emit, &rule.on_timeout]);
    let made: HashSet<TypeId> = emits.flatten().filter_map(|emit| emit.feeds).collect();
    let mut types: Vec<ReadType<'a>> = Vec::new();
    let mut positions: HashMap<&str, usize> = HashMap::new();
    for rule in facts.rules {
        for ty in rule.types.iter().filter(|ty| !made.contains(*ty)) {
            let name = &*schema.ty(*ty).name;
            let position = *positions.entry(name).or_insert(types.len());
            match types.get_mut(position) {
                Some((_, rules)) => rules.push(rule),
                None => types.push((name, vec![rule])),
            }
        }
    }
    types
}

impl<'a> Advice<'a> {
    /// Events of declared types, whatever became of them.
    fn events(&self) -> u64 {
        self.review.seen.of_type.iter().sum()
    }

    fn late_events(&self) -> u64 {
        self.review.late_of_type.iter().sum()
    }

    /// All that was read.
    fn lines(&self) -> u64 {
        self.events() + self.facts.counts.rejected + self.facts.counts.unknown
    }

    /// Events that came in time, of types that rules read.
    fn in_time(&self) -> u64 {
        self.read_types.iter().map(|(name, _)| self.review.of_type(name).1).sum()
    }

    /// True if all these events lack the key. Where rules have different keys, it is not known.
    fn all_lack_the_key(&self) -> bool {
        let parts = |rule: &'a Rule| rule.key.iter().map(|part| &part.name);
        let have_same_key = |two: &[&'a Rule]| parts(two[0]).eq(parts(two[1]));
        let (keyless, in_time) = (self.facts.keyless, self.in_time());
        keyless > 0 && keyless >= in_time && self.facts.rules.windows(2).all(have_same_key)
    }

    fn all_are_misdated(&self) -> bool {
        let seen = &self.review.seen;
        let is_sure = seen
            .first_misdated
            .as_ref()
            .is_some_and(|first| first.likely.is_some() || first.time.as_millis() >= YEAR_2100);
        is_sure && seen.misdated == self.events()
    }

    /// Returns the reason why not one event could be used.
    fn unusable(&self) -> Option<String> {
        let (events, late, in_time) = (self.events(), self.late_events(), self.in_time());
        let lacks_key = self.all_lack_the_key();
        let misdated = self.all_are_misdated();
        // No event could be late for the newest event of all.
        let is_late = late > 0 && in_time <= 1;
        let is_unusable = in_time == 0 || is_late || lacks_key || misdated;
        if self.facts.found > 0 || !is_unusable {
            return None;
        }
        let counts = self.facts.counts;
        let unread = events.saturating_sub(self.read_events());
        let late_and_read = self.read_events().saturating_sub(in_time);
        let row = self.review.row_name.word();
        let mut parts = Vec::new();
        if counts.rejected > 0 {
            parts.push(format!("{} rejected", were(counts.rejected, row)));
        }
        if counts.unknown > 0 {
            let types = counts.unknown_types();
            parts.push(format!(
                "{} of types that are not declared ({types})",
                were(counts.unknown, "event")
            ));
        }
        if unread > 0 {
            parts.push(format!("{} of types that no rule reads", were(unread, "event")));
        }
        if late_and_read > 0 {
            parts.push(format!("{} late", were(late_and_read, "event")));
        }
        if lacks_key {
            parts.push(format!("{} without key", were(in_time, "event")));
        } else if misdated {
            parts.push(format!("{} dated in 1970 or after 2100", were(in_time, "event")));
        }
        let mut text = format!("error: no event could be used: {}", parts.join("; "));
        for kind in self.review.reasons.top().iter().take(REASONS) {
            let _ = write!(text, "\n  {}: {}", counted(kind.count, row), kind.reason);
            if let Some((line, sample)) = kind.samples.first() {
                let _ = write!(text, "\n    {row} {}: {}", grouped(*line), shortened(sample));
            }
        }
        Some(text)
    }

    /// Events of types that rules read, late or not.
    fn read_events(&self) -> u64 {
        self.read_types.iter().map(|(name, _)| self.review.of_type(name).0).sum()
    }

    /// Returns the note on an input without a line.
    fn nothing_there(&self) -> String {
        match self.facts.args.format() {
            _ if self.review.row_name == RowName::Row => String::from("the input has no rows"),
            _ if self.facts.is_empty => String::from("the input is empty"),
            Format::Csv => String::from("the input has a header and nothing below it"),
            Format::Jsonl => String::from("the input has only blank lines"),
        }
    }

    /// Returns hints for rejected lines: for the most frequent reasons.
    fn rejected(&self) -> Vec<String> {
        let reasons = &self.review.reasons;
        // A few broken lines among many are reported one by one.
        if reasons.count * 2 <= self.lines() {
            return Vec::new();
        }
        let mut hints: Vec<String> = Vec::new();
        let mut is_format_reported = false;
        for kind in reasons.top().into_iter().take(REASONS) {
            // Of lines that are no JSON at all, the first says which format it is.
            if kind.is_no_json() && std::mem::replace(&mut is_format_reported, true) {
                continue;
            }
            let Some(hint) = self.of_reason(kind) else { continue };
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        hints
    }

    /// Returns a hint for a reason.
    fn of_reason(&self, kind: &ReasonKind) -> Option<String> {
        let reason = &*kind.reason;
        let starts = |text: &str| reason.starts_with(text);
        if kind.is_no_json() {
            return other_format(kind);
        }
        if starts("no event type") {
            return Some(self.no_type(kind));
        }
        if starts("no event time") {
            let line = self.sampled(kind).next()?;
            let options = time_options(&line, self.facts.args.time_unit)?;
            return Some(format!("another field contains a time: try `{options}`"));
        }
        let name = reason.strip_prefix("missing field `")?.strip_suffix('`')?;
        let line = self.sampled(kind).next()?;
        let near = nearest(name, line.iter().map(|(path, _)| &**path))?;
        Some(format!(
            "there is no field `{name}`, but there is `{near}`: use the same field names in the \
             declaration as in the input"
        ))
    }

    /// The samples of a reason, read.
    fn sampled<'k>(&'k self, kind: &'k ReasonKind) -> impl Iterator<Item = Leaves> + use<'k> {
        let form = self.facts.args.form();
        let header = self.facts.header;
        let samples = kind.samples.iter();
        samples.filter_map(move |(_, text)| fields_of_line(text, form, header).map(leaves))
    }

    /// Lines without an event type.
    fn no_type(&self, kind: &ReasonKind) -> String {
        let schema = &self.facts.loaded.schema;
        let lines: Vec<Leaves> = self.sampled(kind).collect();
        if let Some(path) = type_field(&lines, |name| schema.type_id(name).is_some()) {
            return format!(
                "another field contains the type: try `--type-field {}`",
                argument(&path)
            );
        }
        let has = |line: &Leaves, name: &str| {
            line.iter().any(|(path, value)| path == name && *value != Raw::Null)
        };
        let mut fitting = schema.types().filter(|(_, ty)| {
            let mut required = ty.fields.iter().enumerate().filter(|(index, field)| {
                !field.optional && ty.time.map(kleene::schema::FieldId::index) != Some(*index)
            });
            !ty.fields.is_empty()
                && required.all(|(_, field)| lines.iter().all(|line| has(line, &field.name)))
        });
        match (fitting.next(), fitting.next()) {
            (Some((_, only)), None) if !lines.is_empty() => {
                format!(
                    "no field contains the type; if all events are `{}`, add `--type {}`",
                    only.name,
                    argument(&only.name)
                )
            }
            _ => format!(
                "name the field that contains the type (--type-field FIELD), or the type of all \
                 events (--type NAME); {}",
                self.facts.loaded.declared()
            ),
        }
    }

    /// Times that hardly any log has.
    fn misdated(&self) -> Option<String> {
        let seen = &self.review.seen;
        let first = seen.first_misdated.as_ref()?;
        // A lone one is a broken event among others.
        if seen.misdated * 2 < self.events() {
            return None;
        }
        let time = ValueRef::Time(first.time);
        let (row, line) = (self.review.row_name.word(), grouped(first.line));
        match first.likely {
            Some(unit) => Some(format!(
                "the time in {row} {line} was read as {time}; if it is in {}, add `--time-unit {}`",
                unit.name(),
                unit.as_str()
            )),
            None if first.time.as_millis() >= YEAR_2100 => {
                Some(format!("the time in {row} {line} is {time}: is --time-unit right?"))
            }
            None => None,
        }
    }

    /// Returns the note on events that came too late: by how much, and the option that helps.
    fn late(&self) -> Option<String> {
        let late = self.late_events();
        if late == 0 {
            return None;
        }
        let most = self.review.most_late;
        let by = Value::Duration(most);
        let option = Value::Duration(bound(most));
        let text = format!("{} late, by up to {by}", were(late, "event"));
        if most <= FAR_OFF && late * 2 <= self.events() {
            return Some(format!("{text}: `--out-of-order {option}` waits for them"));
        }
        let newest = self.review.seen.newest.map_or(String::new(), |(time, line)| {
            let row = self.review.row_name.word();
            format!(" (the newest time, {}, is in {row} {})", ValueRef::Time(time), grouped(line))
        });
        Some(if most <= 366 * DAY {
            format!(
                "{text}: the input is not in time order{newest}. Sort it by time, or let the run \
                 sort it in memory: `--out-of-order {option}`"
            )
        } else {
            format!(
                "{text}: the input is not in time order{newest}. If that time is right, sort the \
                 input by time"
            )
        })
    }

    /// Types that rules read and that never came, and those that came and are not declared.
    fn types(&self) -> Vec<String> {
        let counts = self.facts.counts;
        let mut hints = Vec::new();
        let mut absent = Vec::new();
        for (name, rules) in &self.read_types {
            if self.review.of_type(name).0 > 0 {
                continue;
            }
            match nearest(name, counts.unknown().map(|(name, _)| name)) {
                Some(near) => {
                    let seen = counts.unknown().find(|(name, _)| *name == near);
                    let seen = grouped(seen.map_or(0, |(_, count)| count));
                    hints.push(format!(
                        "no event of the declared type `{name}` came; did you mean `{}` ({seen} \
                         seen)?",
                        near.escape_debug()
                    ));
                }
                None => absent.push((*name, &**rules)),
            }
        }
        let more = hints.len().saturating_sub(TYPES);
        hints.truncate(TYPES);
        if more > 0 {
            hints.push(format!("the same applies to {more} more types"));
        }
        if self.events() == 0 {
            // All are absent; why is said already, but where nothing is near.
            if counts.unknown > 0 && hints.is_empty() {
                // Rejected lines may have one.
                let subject = if counts.rejected > 0 { "no other event" } else { "no event" };
                hints.push(format!(
                    "{subject} has a declared type: {}, but the input has {}",
                    self.facts.loaded.declared(),
                    counts.unknown_types()
                ));
            }
        } else if !absent.is_empty() {
            let named: Vec<String> = absent.iter().take(TYPES).map(of_rules).collect();
            let more = absent.len().saturating_sub(TYPES);
            let more = if more > 0 { format!(" and {more} more types") } else { String::new() };
            hints.push(format!("the input has no event of {}{more}", named.join(", ")));
        }
        hints
    }

    /// Events that lack the key.
    fn keyless(&self) -> Option<String> {
        let rule = self.facts.rules.first()?;
        let parts: Vec<String> = rule.key.iter().map(|part| format!("`{}`", part.name)).collect();
        self.all_lack_the_key().then(|| {
            format!(
                "every event lacks the key of `{}`: {} is missing or null",
                rule.name,
                parts.join(", ")
            )
        })
    }
}

/// Lines that are no JSON at all.
fn other_format(kind: &ReasonKind) -> Option<String> {
    let (line, sample) = kind.samples.first()?;
    let sample = sample.trim_start_matches('\u{feff}').trim();
    Some(match sample.as_bytes().first() {
        Some(b'[') => String::from(
            "the input is a JSON array; expected one object per line: convert it with `jq -c \
             '.[]'`",
        ),
        Some(b'{') if sample == "{" || *line == 1 && !sample.ends_with('}') => String::from(
            "JSON objects span several lines; expected one object per line: convert them with `jq \
             -c .`",
        ),
        Some(b'{') => return None,
        _ if sample.contains(',') => {
            String::from("expected one JSON object per line; for CSV, add `--format csv`")
        }
        _ => match sample.bytes().find(|b| b";\t|".contains(b)) {
            Some(delimiter) => format!(
                "expected one JSON object per line; for CSV, add `--format csv --delimiter {}`",
                delimiter_argument(delimiter)
            ),
            None => String::from("expected one JSON object per line"),
        },
    })
}

/// A type with the rules that read it: `` `refund` (rule `x`)``.
fn of_rules((name, rules): &(&str, &[&Rule])) -> String {
    let first = rules.first().map_or("", |rule| &*rule.name);
    match rules.len() {
        0 | 1 => format!("`{name}` (rule `{first}`)"),
        many => format!("`{name}` ({many} rules)"),
    }
}

/// A duration that is easy to type, and no shorter.
fn bound(millis: i64) -> i64 {
    const STEPS: [i64; 9] = [1, 5, 10, 30, 60, 300, 600, 1800, 3600];
    let step = STEPS.into_iter().map(|seconds| seconds * 1000).find(|step| millis <= *step);
    let round = |unit: i64| millis.saturating_add(unit - 1) / unit * unit;
    step.unwrap_or_else(|| if millis <= 2 * DAY { round(3_600_000) } else { round(DAY) })
}

/// `1 line was`, `2 lines were`.
fn were(count: u64, what: &str) -> String {
    format!("{} {}", counted(count, what), if count == 1 { "was" } else { "were" })
}

/// The start of a line, on one line.
fn shortened(text: &str) -> String {
    let shown = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c });
    let mut shown: String = shown.collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_round_and_no_shorter() {
        let cases = [
            (1, "1s"),
            (2000, "5s"),
            (5001, "10s"),
            (61_000, "5m"),
            (3_600_001, "2h"),
            (3 * DAY - 1, "3d"),
            (3 * DAY, "3d"),
        ];
        for (millis, expected) in cases {
            assert_eq!(Value::Duration(bound(millis)).to_string(), expected);
        }
    }
}
