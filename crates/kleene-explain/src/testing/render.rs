//! A failure as people read it.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::{ActualOutput, CapturedEvent, Failure, OpenRun, TEST_START, TestBlock};
use kleene_event::time::{Timestamp, format_millis};
use kleene_event::value::{Value, ValueRef};

/// The largest number of matches, and of partial matches, that are shown.
const SHOWN: usize = 5;

/// The largest number of a partial match's captured events that are shown at either end.
const SHOWN_EVENTS: usize = 3;

impl Failure {
    /// The failure as plain text of several lines: what is wrong, the source line, what was
    /// reported instead and what was open, ending in a newline. `test` is the test that failed.
    pub fn render(&self, test: &TestBlock) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{}", self.message());
        out.push_str(&test.source.excerpt(self.span()));
        let kind = if self.expected.timeout { "timeout" } else { "match" };
        let head = match (self.reported.is_empty(), self.expected.no) {
            (true, _) => format!("no {kind} was reported up to {}", since_start(self.now)),
            (false, true) => "reported was".to_owned(),
            (false, false) => "reported instead, the nearest first".to_owned(),
        };
        let _ = writeln!(out, "  {head}{}", if self.reported.is_empty() { "" } else { ":" });
        for reported in self.reported.iter().take(SHOWN) {
            self.render_reported(&mut out, reported, kind);
        }
        more(&mut out, self.reported.len());
        let now = since_start(self.now);
        if self.open.is_empty() {
            let _ = writeln!(out, "  no partial match was open at {now}");
        } else {
            let _ = writeln!(out, "  partial matches open at {now}:");
        }
        for open in self.open.iter().take(SHOWN) {
            render_open(&mut out, open);
        }
        more(&mut out, self.open.len());
        out
    }

    /// Returns the reason of the failure, in one line.
    pub fn message(&self) -> String {
        let kind = if self.expected.timeout { "timeout" } else { "match" };
        if self.expected.no {
            return format!("a {kind} was reported that was not expected");
        }
        let is_taken =
            |reported: &ActualOutput| reported.differs.is_empty() && !reported.at_another_time;
        if self.reported.first().is_some_and(is_taken) {
            return format!(
                "a further {kind} was expected, and only that of an earlier line was reported"
            );
        }
        format!("a {kind} was expected that was not reported")
    }

    fn render_reported(&self, out: &mut String, reported: &ActualOutput, kind: &str) {
        let record = match &reported.emit {
            Value::Null => ShownFields(&reported.key).to_string(),
            emit => emit.to_string(),
        };
        let taken = if reported.is_taken { ", which another line expects" } else { "" };
        let _ = writeln!(out, "    {kind} {record} at {}{taken}", since_start(reported.at));
        for differs in &reported.differs {
            let name = &differs.field;
            let found = match differs.found {
                Value::Time(time) if matches!(differs.expected, Value::Duration(_)) => {
                    format!("{} (the start of the test + {})", differs.found, since_start(time))
                }
                _ => differs.found.to_string(),
            };
            let _ = writeln!(out, "      - {name}: {}", differs.expected);
            let _ = writeln!(out, "      + {name}: {found}");
        }
        if let Some(at) = self.expected.at.filter(|_| reported.at_another_time) {
            let _ = writeln!(out, "      - at {}", since_start(at));
            let _ = writeln!(out, "      + at {}", since_start(reported.at));
        }
    }
}

fn render_open(out: &mut String, open: &OpenRun) {
    out.push_str("    ");
    if !open.key.is_empty() {
        let _ = write!(out, "{}: ", ShownFields(&open.key));
    }
    let skipped = open.events.len().saturating_sub(2 * SHOWN_EVENTS);
    for (index, event) in open.events.iter().enumerate() {
        if skipped > 0 && (SHOWN_EVENTS..SHOWN_EVENTS + skipped).contains(&index) {
            if index == SHOWN_EVENTS {
                let _ = write!(out, ", ... {skipped} more");
            }
            continue;
        }
        out.push_str(if index > 0 { ", " } else { "" });
        let CapturedEvent { step, at, fields } = event;
        let _ = write!(out, "{step} at {}", since_start(*at));
        if !fields.is_empty() {
            let _ = write!(out, " {}", ShownFields(fields));
        }
    }
    out.push('\n');
    let waits = open.waits.text(since_start);
    if !waits.is_empty() {
        let _ = writeln!(out, "      {waits}");
    }
}

fn more(out: &mut String, count: usize) {
    if count > SHOWN {
        let _ = writeln!(out, "    ... and {} more", count - SHOWN);
    }
}

/// A time as tests write it.
fn since_start(time: Timestamp) -> String {
    format_millis(time.millis_since(TEST_START))
}

/// `{ user: "ann" }`
struct ShownFields<'a>(&'a [(Arc<str>, Value)]);

impl fmt::Display for ShownFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ValueRef::Record(self.0).fmt(f)
    }
}
