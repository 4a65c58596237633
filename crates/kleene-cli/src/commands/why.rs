//! `kleene why`: what each event of a key did, and why.

use std::io::Write as _;

use anyhow::{Result, anyhow, bail};
use kleene::Record;
use kleene::Value;
use kleene::why::{Cause, Effect, Entry, Fate, TraceError, Tracer};
use serde_json::{Map, json};

use crate::Ending;
use crate::args::WhyArgs;
use crate::input::{self, Feed, Fill, Item};
use crate::interrupt::Interrupt;
use crate::output::write_value;
use crate::review::{Facts, Review};
use crate::rules;
use crate::summary::Counts;

/// How many of the open partial matches programs are reported for.
const OPEN_SHOWN: usize = 100;

/// Follows a key of a rule through an input and prints its story.
pub(crate) fn why(args: &WhyArgs) -> Result<Ending> {
    let loaded = match rules::load(args.rule_args())? {
        Ok(loaded) => loaded,
        Err(refused) => return Ok(refused.say()),
    };
    loaded.refuse_unknown_type(args.events.event_type.as_deref())?;
    let rule = loaded.pick(args.rule.as_deref())?;
    if args.key.is_empty() && !rule.key.is_empty() {
        let parts: Vec<&str> = rule.key.iter().map(|part| &*part.name).collect();
        let (name, parts) = (&rule.name, parts.join(", "));
        bail!("which key? `--key VALUE` names one; the key of `{name}` is {parts}");
    }
    let mut tracer: Tracer<Record> = match Tracer::new(&loaded.set, &rule.name, &args.key) {
        Ok(tracer) => tracer,
        Err(TraceError::Key(error)) => bail!("--key: {error}"),
        Err(error) => return Err(error.into()),
    };
    tracer = match args.last {
        Some(count) => tracer.keep_last(count),
        None => tracer.keep_first(args.limit),
    };
    if let Some(bound) = args.events.out_of_order {
        tracer = tracer.out_of_order(bound);
    }
    if args.events.is_typed() {
        crate::say("reading events from the terminal; Ctrl-D ends, --input reads a file");
    }
    let opened = input::open(&args.events.input)?;
    let mut feed = args.events.start(opened, &loaded.schema)?;
    let interrupt = Interrupt::default();
    interrupt.listen(feed.waker());
    let mut review = Review::new(&loaded.schema, args.events.time_unit);
    let mut counts = Counts::default();
    let ending = pump(&mut feed, &mut tracer, &mut review, &mut counts, &args.key, &interrupt)?;
    if ending == Ending::Fine {
        if args.events.end_of_time {
            tracer.finish();
        } else {
            tracer.end_input();
        }
    }
    let text = if args.json { json_lines(&tracer) } else { format!("{}\n", tracer.story()) };
    // A closed pipe has heard enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    if tracer.counts().of_key > 0 {
        return Ok(ending);
    }
    // There was nothing to show: why is what a run says of such an input.
    let findings = review.findings(&Facts {
        args: &args.events,
        loaded: &loaded,
        rules: &[rule],
        counts: &counts,
        header: &feed.header(),
        is_empty: feed.is_empty(),
        found: 0,
        keyless: tracer.counts().keyless,
    });
    findings.say();
    let is_unusable = ending == Ending::Fine && findings.unusable.is_some();
    Ok(if is_unusable { Ending::Unusable } else { ending })
}

/// Gives all events to the tracer.
fn pump(
    feed: &mut Feed,
    tracer: &mut Tracer<Record>,
    review: &mut Review,
    counts: &mut Counts,
    key: &[String],
    interrupt: &Interrupt,
) -> Result<Ending> {
    // What cannot be read has no key; a line that has the text of the key may be one of its events.
    let texts: Vec<&str> = key
        .iter()
        .flat_map(|key| key.split(','))
        .map(|part| part.split_once('=').map_or(part, |(_, value)| value).trim())
        .collect();
    loop {
        match feed.next_item() {
            Some(Item::Event(event, place)) => {
                review.event(&event, &place);
                tracer.push(&event, Some(place.line));
                if interrupt.is_set() {
                    return Ok(Ending::Interrupted);
                }
            }
            Some(Item::Rejected(place, reason)) => {
                counts.rejected += 1;
                review.rejected(&place, &reason);
                let text = String::from_utf8_lossy(place.text);
                if texts.iter().all(|part| text.contains(part)) {
                    tracer.unreadable(place.line, &reason);
                }
            }
            Some(Item::Unknown(name)) => counts.saw_unknown(name),
            Some(Item::Unreadable(reason)) => return Err(anyhow!(reason)),
            None => {
                let fill = feed.fill();
                if interrupt.is_set() {
                    return Ok(Ending::Interrupted);
                }
                match fill {
                    Ok(Fill::More | Fill::Woken | Fill::TimedOut) => {}
                    Ok(Fill::End) => return Ok(Ending::Fine),
                    Err(error) => {
                        let error = anyhow::Error::new(error);
                        return Err(error.context("cannot read on in the input"));
                    }
                }
            }
        }
    }
}

/// The story for programs: a line for each entry, and the counts at the end.
fn json_lines(tracer: &Tracer<Record>) -> String {
    let mut lines: Vec<String> =
        tracer.entries().map(|entry| of_entry(entry).to_string()).collect();
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
    let summary = json!({
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
    });
    lines.push(summary.to_string());
    lines.push(String::new());
    lines.join("\n")
}

fn of_entry(entry: &Entry) -> serde_json::Value {
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

fn of_effect(effect: &Effect, entry: &Entry) -> serde_json::Value {
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
fn of_value(value: &Value) -> serde_json::Value {
    let mut text = Vec::new();
    write_value(&mut text, value.as_ref());
    serde_json::from_slice(&text).unwrap_or_default()
}
