//! The table.

use std::fmt;
use std::time::Duration;

use crate::suite::Counts;

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    pub(crate) figures: Vec<Figure>,
    /// The counts that are wrong.
    pub(crate) wrong: Vec<String>,
}

/// One workload.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) events: usize,
    pub(crate) counts: Counts,
    /// The time of one run over the sorted events.
    pub(crate) engine: Duration,
    pub(crate) baseline: Duration,
    /// The share of the state machine's speed that the engine reaches.
    pub(crate) share: f64,
    /// The share of its own speed over sorted events it reaches through the reorder buffer.
    pub(crate) out_of_order: f64,
    /// In bytes.
    pub(crate) peak: u64,
    pub(crate) peak_by_hand: u64,
}

/// A single number.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) bound: Option<Bound>,
    pub(crate) note: String,
}

/// The bound that a number has to keep.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtLeast { hold: f64, aim: f64 },
    AtMost { hold: f64, aim: f64 },
}

/// At least this part of the state machine's speed.
pub(crate) const SHARE: Bound = Bound::AtLeast { hold: 0.25, aim: 0.667 };
/// At least this part of the speed over sorted events.
pub(crate) const OUT_OF_ORDER: Bound = Bound::AtLeast { hold: 0.5, aim: 0.75 };

impl Bound {
    /// `aim`, `hold`, or `below`, which is less than what is promised.
    pub(crate) fn verdict(self, value: f64) -> &'static str {
        let (holds, aims) = match self {
            Bound::AtLeast { hold, aim } => (value >= hold, value >= aim),
            Bound::AtMost { hold, aim } => (value <= hold, value <= aim),
        };
        match (holds, aims) {
            (_, true) => "aim",
            (true, false) => "hold",
            (false, false) => "below",
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::AtLeast { hold, aim } => write!(f, "hold >= {hold}, aim >= {aim}"),
            Bound::AtMost { hold, aim } => write!(f, "hold <= {hold}, aim <= {aim}"),
        }
    }
}

impl Row {
    /// Millions of events a second.
    pub(crate) fn rate(&self, took: Duration) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let events = self.events as f64;
        events / took.as_secs_f64().max(1e-9) / 1e6
    }
}

impl Report {
    /// Remembers a wrong count.
    pub(crate) fn check(&mut self, id: &str, what: &str, found: Counts, expected: Counts) {
        if found != expected {
            self.wrong.push(format!("{id}, {what}: found {found:?}, and {expected:?} is right"));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<11} {:>8} {:>8} {:>8}  {:>7} {:>7} {:>6} {:<6} {:>7} {:<6} {:>8} {:>8}",
            "workload",
            "events",
            "matches",
            "timeouts",
            "M ev/s",
            "by hand",
            "share",
            "",
            "disord.",
            "",
            "peak MiB",
            "by hand",
        )?;
        for row in &self.rows {
            writeln!(
                f,
                "{:<11} {:>8} {:>8} {:>8}  {:>7.2} {:>7.2} {:>6.3} {:<6} {:>7.3} {:<6} {:>8.1} {:>8.1}",
                format!("{} {}", row.id, row.name),
                row.events,
                row.counts.matches,
                row.counts.timeouts,
                row.rate(row.engine),
                row.rate(row.baseline),
                row.share,
                SHARE.verdict(row.share),
                row.out_of_order,
                OUT_OF_ORDER.verdict(row.out_of_order),
                mib(row.peak),
                mib(row.peak_by_hand),
            )?;
        }
        writeln!(
            f,
            "share: of the speed by hand, {SHARE}; disord.: late by up to 5 s, of the speed over \
             sorted events, {OUT_OF_ORDER}"
        )?;
        writeln!(f)?;
        for figure in &self.figures {
            let Figure { name, value, unit, bound, note } = figure;
            let verdict = bound.map_or("", |bound| bound.verdict(*value));
            write!(f, "{name:<57} {value:>9.3} {unit:<15} {verdict:<6}")?;
            if let Some(bound) = bound {
                write!(f, " ({bound})")?;
            }
            writeln!(f, "{}{note}", if note.is_empty() { "" } else { " " })?;
        }
        Ok(())
    }
}
