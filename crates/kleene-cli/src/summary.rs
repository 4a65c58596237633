//! The counts at the end of a run.

use std::fmt::Write as _;
use std::time::Duration;

use kleene::stream::Stats;
use serde_json::{Value, json};

/// How many types are reported by name.
const NAMES: usize = 5;
/// How many names are remembered, however many there are in the input.
const NAMES_KEPT: usize = 100;

/// What a brief summary reports even where there is none.
const MAIN: [&str; 2] = ["events", "matches"];

/// What is reported only where there is any: what is rare is not worth a line that says 0.
const RARE: [&str; 10] = [
    "filtered by having",
    "still open",
    "not in order yet",
    "suppressed",
    "ended by once",
    "fed to other rules",
    "without key",
    "divisions by zero",
    "values too large",
    "limits reached",
];

/// What a run counts beside the engine.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Lines that are no event of a declared type.
    pub(crate) rejected: u64,
    /// Events of types that no rule file declares.
    pub(crate) unknown: u64,
    unknown_types: Vec<(String, u64)>,
}

impl Counts {
    /// Counts an event of an undeclared type.
    pub(crate) fn saw_unknown(&mut self, name: &str) {
        self.unknown += 1;
        let has_room = self.unknown_types.len() < NAMES_KEPT;
        match self.unknown_types.iter_mut().find(|(known, _)| known == name) {
            Some((_, count)) => *count += 1,
            // Names come from the input and can be of any length.
            None if has_room && name.len() <= 100 => {
                self.unknown_types.push((name.to_owned(), 1));
            }
            None => {}
        }
    }

    /// The names of undeclared types, with how many events of each came.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = (&str, u64)> {
        self.unknown_types.iter().map(|(name, count)| (&**name, *count))
    }

    /// The undeclared types with how many events of each came, for [`Counts::restore`].
    pub(crate) fn types(&self) -> Value {
        self.unknown_types.iter().map(|(name, count)| json!([name, count])).collect()
    }

    /// What was counted by a run that goes on.
    pub(crate) fn restore(rejected: u64, unknown: u64, types: &Value) -> Counts {
        let types = types.as_array().into_iter().flatten();
        let unknown_types =
            types.filter_map(|ty| Some((ty[0].as_str()?.to_owned(), ty[1].as_u64()?))).collect();
        Counts { rejected, unknown, unknown_types }
    }

    /// The undeclared types that came most often: `delivered 4,856, login 12, ...`.
    pub(crate) fn unknown_types(&self) -> String {
        let mut types: Vec<_> = self.unknown_types.iter().collect();
        types.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let named = types.iter().take(NAMES);
        let mut text: Vec<String> = named
            .map(|(name, count)| format!("{} {}", name.escape_debug(), grouped(*count)))
            .collect();
        if types.len() > NAMES {
            text.push(String::from("..."));
        }
        text.join(", ")
    }
}

/// The summary as it is printed; `open` says whether open partial matches are kept. A brief one
/// leaves out what is zero.
pub(crate) fn summary(
    stats: &Stats,
    counts: &Counts,
    open: &str,
    elapsed: Duration,
    is_brief: bool,
) -> String {
    let events = stats.events + counts.unknown;
    let seconds = elapsed.as_secs_f64();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a speed to look at"
    )]
    let speed = (events as f64 / seconds.max(1e-6)) as u64;
    // Of a short run, seconds with two digits would say nothing.
    let took = if seconds < 0.1 {
        format!("{:.1} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.2} s")
    };
    let unknown = if counts.unknown == 0 {
        String::new()
    } else {
        format!("types that are not declared: {}", counts.unknown_types())
    };
    let rows = [
        ("events", events, format!("{} events/s, {took}", grouped(speed))),
        ("matches", stats.matches, String::new()),
        ("timeouts", stats.timeouts, String::new()),
        ("still open", stats.partials, open.to_owned()),
        (
            "not in order yet",
            stats.buffered,
            String::from("events that wait for others before them"),
        ),
        ("filtered by having", stats.filtered, String::new()),
        ("suppressed", stats.suppressed, String::new()),
        ("ended by once", stats.ended, String::from("partial matches of keys that are over")),
        ("fed to other rules", stats.derived, String::new()),
        ("late", stats.late, String::new()),
        ("rejected", counts.rejected + stats.rejected, String::new()),
        ("unknown", counts.unknown + stats.unknown, unknown),
        ("without key", stats.keyless, String::new()),
        ("divisions by zero", stats.divided_by_zero, String::new()),
        ("values too large", stats.values_too_large, String::new()),
        ("limits reached", stats.overflowed, String::new()),
        ("peak partial matches", stats.peak_partials, String::new()),
    ];
    let width = rows.iter().map(|(_, count, _)| grouped(*count).len()).max().unwrap_or(1);
    let mut text = String::new();
    for (name, count, note) in rows {
        let is_left_out = if is_brief { !MAIN.contains(&name) } else { RARE.contains(&name) };
        if count == 0 && is_left_out {
            continue;
        }
        let line = format!("{name:<20}  {:>width$}  {note}", grouped(count));
        // Writing to memory does not fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// `1 rule`, `2 rules`.
pub(crate) fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number as u64))
}

/// The number with separators: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (12_345, "12,345")]
        {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn undeclared_types_are_reported_most_frequent_first() {
        let mut counts = Counts::default();
        for name in ["b", "a", "c", "b", "d", "e", "f", "\n", "a", "b"] {
            counts.saw_unknown(name);
        }
        for number in 0..1000 {
            counts.saw_unknown(&"x".repeat(number));
        }
        assert_eq!(counts.unknown_types(), "b 3, a 2,  1, \\n 1, c 1, ...");
        assert_eq!((counts.unknown, counts.unknown_types.len()), (1010, NAMES_KEPT));
    }
}
