//! Short lines for people.

use std::io::Write as _;

use kleene::stream::{LimitedKey, Overflow};
use kleene::value::ValueRef;
use kleene::{Event, Match};

use super::json::write_value;
use super::set::set_of;

/// Writes the short line of a result: when it ended, its rule, and what is emitted, or else the
/// key.
pub(super) fn write_result<E: Event>(line: &mut Vec<u8>, kind: &str, found: &Match<'_, E>) {
    // Writing to memory does not fail.
    let _ = write!(line, "{}  {}  {kind}", ValueRef::Time(found.reported_at()), found.rule().name);
    let fields = found.emit();
    if fields.len() > 0 {
        fields.for_each(|(name, value)| write_pair(line, name, value.as_ref()));
    } else {
        found.key_values().for_each(|(name, value)| write_pair(line, name, value.as_ref()));
        if let Some(set) = set_of(found) {
            let more = if set.is_saturated() { "+" } else { "" };
            let _ = write!(line, "matches={}{more}", set.count());
        }
    }
    line.truncate(line.trim_ascii_end().len());
    line.push(b'\n');
}

/// Writes the short line of a limit that was reached for a key.
pub(super) fn write_limit(line: &mut Vec<u8>, overflow: &Overflow, of: &LimitedKey) {
    let (time, rule, limit) = (ValueRef::Time(overflow.time), &of.rule, overflow.limit.as_str());
    // Writing to memory does not fail.
    let _ = write!(line, "{time}  {rule}  limit  {limit}  ");
    of.parts.iter().for_each(|(name, value)| write_pair(line, name, value.as_ref()));
    let _ = writeln!(line, "dropped={}", overflow.dropped);
}

/// Writes `name=value` and a blank. A text is written as it is where it is one word; else in
/// quotes, and with what a terminal would obey escaped.
fn write_pair(line: &mut Vec<u8>, name: &str, value: ValueRef<'_>) {
    let is_plain = |c: char| !(c.is_control() || c.is_whitespace() || "\"\\={}[]".contains(c));
    line.extend_from_slice(name.as_bytes());
    line.push(b'=');
    match value {
        ValueRef::String(text) if !text.is_empty() && text.chars().all(is_plain) => {
            line.extend_from_slice(text.as_bytes());
        }
        // Writing to memory does not fail.
        ValueRef::String(text) => drop(write!(line, "{text:?}")),
        ValueRef::Time(_) | ValueRef::Duration(_) | ValueRef::Ip(_) => {
            drop(write!(line, "{value}"));
        }
        value => write_value(line, value),
    }
    line.push(b' ');
}
