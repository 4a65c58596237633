//! `kleene why`: what each event of a key did, and why.

use std::io::Write as _;

use anyhow::{Result, anyhow, bail};
use kleene::Record;
use kleene_explain::why::{TraceError, Tracer};
use kleene_report::why::json_lines;

use crate::args::WhyArgs;
use crate::ending::Ending;
use crate::interrupt::Interrupt;
use crate::review::{Facts, Review};
use crate::rules;
use crate::source::{EventSource, OpenInput, ReadPlan};
use crate::stderr::say;
use kleene_input::{Fill, InputItem, Parsing, Position};
use kleene_report::counts::Counts;

/// The maximum number of lines that are read at a time.
const BATCH: usize = 1024;

/// Follows a key of a rule through an input and prints its story.
pub(crate) fn why(args: &WhyArgs) -> Result<Ending> {
    let loaded = match rules::load(args.rule_args())? {
        Ok(loaded) => loaded,
        Err(refused) => return Ok(refused.say()),
    };
    loaded.refuse_unknown_type(args.events.event_type.as_deref())?;
    args.events.refuse_needless_delimiter()?;
    let rule = loaded.pick(args.rule.as_deref())?;
    if args.key.is_empty() && !rule.key.is_empty() {
        let parts: Vec<&str> = rule.key.iter().map(|part| &*part.name).collect();
        let (name, parts) = (&rule.name, parts.join(", "));
        bail!("no key given: add `--key VALUE`; the key of `{name}` is {parts}");
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
        say("reading events from the terminal; Ctrl-D ends, --input reads a file");
    }
    let input = OpenInput::open(&args.events, Position::default())?;
    let row_name = input.row_name;
    let plan = ReadPlan {
        schema: &loaded.schema,
        declared: &loaded.schema,
        parsing: Parsing::Here,
        rows: BATCH,
        ahead: 1,
    };
    let mut feed = EventSource::start(&args.events, input, &plan)?;
    if let Some(note) = feed.disorder() {
        say(note);
    }
    let interrupt = Interrupt::default();
    interrupt.listen(feed.waker());
    let mut review = Review::new(&loaded.schema, &args.events, row_name);
    let mut counts = Counts::default();
    let ending = pump(&mut feed, &mut tracer, &mut review, &mut counts, &args.key, &interrupt)?;
    if ending == Ending::Fine {
        if args.events.end_of_time {
            tracer.end_time();
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
    feed: &mut EventSource,
    tracer: &mut Tracer<Record>,
    review: &mut Review,
    counts: &mut Counts,
    key: &[String],
    interrupt: &Interrupt,
) -> Result<Ending> {
    // A line that cannot be read has no key; if it contains the text of the key, it may be one of
    // its events.
    let texts: Vec<&str> = key
        .iter()
        .flat_map(|key| key.split(','))
        .map(|part| part.split_once('=').map_or(part, |(_, value)| value).trim())
        .collect();
    loop {
        if let Some((batch, _)) = feed.read_batch(BATCH, |name| counts.saw_unknown(name)) {
            for (number, row) in batch.rows().enumerate() {
                let (event, place) = (row.to_record(), feed.origin(number));
                if let Some(place) = &place {
                    review.event(&event, place);
                }
                tracer.push(&event, place.map(|place| place.line));
            }
            if interrupt.is_set() {
                return Ok(Ending::Interrupted);
            }
            continue;
        }
        match feed.next_item() {
            Some(InputItem::Event(event, place)) => {
                review.event(&event, &place);
                tracer.push(&event, Some(place.line));
                if interrupt.is_set() {
                    return Ok(Ending::Interrupted);
                }
            }
            Some(InputItem::Rejected(place, reason)) => {
                counts.rejected += 1;
                review.rejected(&place, &reason);
                let text = String::from_utf8_lossy(place.text);
                if texts.iter().all(|part| text.contains(part)) {
                    tracer.unreadable(place.line, &reason);
                }
            }
            Some(InputItem::Unknown(name)) => counts.saw_unknown(name),
            Some(InputItem::Unreadable(reason)) => return Err(anyhow!(reason)),
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
                        return Err(error.context("cannot continue to read the input"));
                    }
                }
            }
        }
    }
}
