//! The counts at the end of a run.

use std::fmt::Write as _;
use std::time::Duration;

use kleene::stream::Stats;
use kleene_report::counts::{Counts, grouped};
use kleene_report::totals::Totals;

/// The counts that a brief summary shows even if they are zero.
const MAIN: [&str; 2] = ["events", "matches"];

/// The counts that are shown only if they are not zero: they are rare, and a line that says 0 is
/// not worth its place.
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

/// The summary as it is printed; `open` says whether open partial matches are kept. A brief one
/// leaves out what is zero.
pub(crate) fn summary(
    stats: &Stats,
    counts: &Counts,
    open: &str,
    elapsed: Duration,
    is_brief: bool,
) -> String {
    let totals = Totals::new(stats, counts);
    let seconds = elapsed.as_secs_f64();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a speed to look at"
    )]
    let speed = (totals.events as f64 / seconds.max(1e-6)) as u64;
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
        ("events", totals.events, format!("{} events/s, {took}", grouped(speed))),
        ("matches", totals.matches, String::new()),
        ("timeouts", totals.timeouts, String::new()),
        ("still open", totals.still_open, open.to_owned()),
        ("not in order yet", totals.buffered, String::from("events that wait for earlier events")),
        ("filtered by having", totals.filtered, String::new()),
        ("suppressed", totals.suppressed, String::new()),
        ("ended by once", totals.ended, String::from("partial matches of keys that are over")),
        ("fed to other rules", totals.derived, String::new()),
        ("late", totals.late, String::new()),
        ("rejected", totals.rejected, String::new()),
        ("unknown", totals.unknown, unknown),
        ("without key", totals.keyless, String::new()),
        ("divisions by zero", totals.divided_by_zero, String::new()),
        ("values too large", totals.values_too_large, String::new()),
        ("limits reached", totals.limits_reached, String::new()),
        ("peak partial matches", totals.peak_partials, String::new()),
    ];
    let width = rows.iter().map(|(_, count, _)| shown(*count).len()).max().unwrap_or(1);
    let mut text = String::new();
    for (name, count, note) in rows {
        let is_left_out = if is_brief { !MAIN.contains(&name) } else { RARE.contains(&name) };
        if count == 0 && is_left_out {
            continue;
        }
        let line = format!("{name:<20}  {:>width$}  {note}", shown(count));
        // Writing to memory does not fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// A count as it is printed. The largest one stands for that many or more: the compact form counts
/// partial matches that it does not hold one by one.
pub(crate) fn shown(count: u64) -> String {
    if count == u64::MAX { format!("at least {}", grouped(count)) } else { grouped(count) }
}
