//! The story of `kleene why` as JSON.

use kleene::Event;
use kleene::value::Value;
use kleene_explain::why::{Cause, Effect, Entry, Fate, Tracer};
use serde_json::{Map, Value as Json, json};

use crate::output::write_value;

/// The number of open partial matches that are written for programs.
const OPEN_SHOWN: usize = 100;

/// The story for programs: a line for each entry, and the counts at the end.
pub fn json_lines<E: Event>(tracer: &Tracer<E>) -> String {
    let mut lines: Vec<String> =
        tracer.entries().map(|entry| entry_json(entry).to_string()).collect();
    lines.push(summary_json(tracer).to_string());
    lines.push(String::new());
    lines.join("\n")
}

/// The counts at the end of a story, and what is open.
pub fn summary_json<E: Event>(tracer: &Tracer<E>) -> Json {
    let counts = tracer.counts();
    let all_open = tracer.collect_open();
    let open: Vec<_> = all_open
        .iter()
        .take(OPEN_SHOWN)
        .map(|open| {
            json!({
                "partial": open.partial,
                "taken": open.taken.iter().map(|step| &**step).collect::<Vec<_>>(),
                "waits_for": open.waits.steps.iter().map(|step| &*step.needs).collect::<Vec<_>>(),
                "must_not_come": open.waits.forbidden,
                "until": open.waits.until.map(|until| until.to_string()),
            })
        })
        .collect();
    json!({
        "kind": "summary",
        "rule": &*tracer.rule().name,
        "events_read": counts.events,
        "events": counts.of_key,
        "partial_matches": counts.partials,
        "matches": counts.matches,
        "timeouts": counts.timeouts,
        "filtered": counts.filtered,
        "suppressed": counts.suppressed,
        "not_chosen": counts.not_chosen,
        "late": counts.late,
        "left_out": tracer.left_out(),
        "open": open,
        "more_open": all_open.len() - open.len(),
    })
}

/// An event or a moment, and what it did.
pub fn entry_json(entry: &Entry) -> Json {
    let (kind, event, reason) = match &entry.cause {
        Cause::Event(event) => ("event", Some(event), None),
        Cause::Unseen(event) => ("unseen type", Some(event), None),
        Cause::Late { event, watermark, .. } => {
            ("late", Some(event), Some(format!("the watermark is at {watermark}")))
        }
        Cause::Rejected(event) => ("rejected", Some(event), None),
        Cause::Unreadable { line, reason, .. } => {
            ("unreadable", None, Some(format!("line {line}: {reason}")))
        }
        Cause::Time { .. } => ("time", None, None),
        _ => ("end", None, None),
    };
    let event = event.map(|event| {
        let fields = event.fields.iter();
        let fields = fields.map(|(name, value)| (name.to_string(), of_value(value)));
        json!({
            "type": &*event.ty,
            "line": event.line,
            "made_by": event.made_by.as_deref(),
            "fields": fields.collect::<Map<_, _>>(),
        })
    });
    json!({
        "kind": kind,
        "at": entry.at.to_string(),
        "event": event,
        "reason": reason,
        "more_effects": entry.more,
        "effects": entry.effects.iter().map(|effect| of_effect(effect, entry)).collect::<Vec<_>>(),
    })
}

fn of_effect(effect: &Effect, entry: &Entry) -> Json {
    let step = match &effect.fate {
        Fate::Started { step, .. } | Fate::Took { step, .. } => Some(&**step),
        _ => None,
    };
    let mismatches = match &effect.fate {
        Fate::Skipped(mismatches) | Fate::NotStarted(mismatches) | Fate::Broken(mismatches) => {
            &mismatches[..]
        }
        _ => &[],
    };
    let mismatches = mismatches.iter().map(|mismatch| {
        let reasons: Vec<String> = mismatch.reasons.iter().map(ToString::to_string).collect();
        json!({ "step": &*mismatch.step, "reasons": reasons })
    });
    let reported = effect.reported.as_ref().map(|reported| {
        json!({
            "kind": if reported.is_timeout { "timeout" } else { "match" },
            "suppressed": reported.is_suppressed,
            "filtered": reported.is_filtered,
            "chosen": reported.not_chosen.is_none(),
            "of": reported.of,
            "at": reported.at.to_string(),
            "emit": of_value(&reported.emit),
        })
    });
    let until = effect.waits.as_ref().and_then(|waits| waits.until);
    json!({
        "partial": effect.partial,
        "fate": effect.fate.name(),
        "step": step,
        "mismatches": mismatches.collect::<Vec<_>>(),
        "reported": reported,
        "until": until.map(|until| until.to_string()),
        "text": effect.text(entry.at).trim(),
    })
}

/// The value as results have it.
fn of_value(value: &Value) -> Json {
    let mut text = Vec::new();
    write_value(&mut text, value.as_ref());
    serde_json::from_slice(&text).unwrap_or_default()
}
