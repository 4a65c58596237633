//! Why a rule did or did not match for a key.

use kleene_explain::why::{Entry, TraceError, Tracer};
use kleene_input::{Cursor, InputItem};
use kleene_report::why::{entry_json, summary_json};
use serde_json::{Value as Json, json};

use crate::fault::Fault;
use crate::input::Input;
use crate::options::{Key, Options};
use crate::rules;
use kleene_wasm_engine::Indexed;

/// The default number of entries to keep.
const ENTRIES: usize = 1000;

/// The story of a key of a rule.
///
/// # Errors
/// The rules have mistakes, the input is no events, or an option has no meaning.
pub fn why(text: &str, events: Vec<u8>, options: &Options) -> Result<Json, Fault> {
    let rules = rules::parse(text, options)?;
    let input = Input::new(events, options)?;
    let rule = rules::pick(&rules, options.rule.as_deref())?;
    let key = match &options.key {
        None => Vec::new(),
        Some(Key::One(key)) => vec![key.clone()],
        Some(Key::Parts(parts)) => parts.clone(),
    };
    if key.is_empty() && !rule.key.is_empty() {
        let parts: Vec<&str> = rule.key.iter().map(|part| &*part.name).collect();
        let (name, parts) = (&rule.name, parts.join(", "));
        return Err(Fault::options(format!(
            "which key? `key` names one; the key of `{name}` is {parts}"
        )));
    }
    let tracer: Tracer<Indexed> =
        Tracer::new(&rules, &rule.name, &key).map_err(|error| of_trace(&error))?;
    let mut tracer = bounded(tracer, options)?;
    // What cannot be read has no key; a line that has the text of the key may be one of its events.
    let texts: Vec<&str> = key
        .iter()
        .flat_map(|key| key.split(','))
        .map(|part| part.split_once('=').map_or(part, |(_, value)| value).trim())
        .collect();
    let mut parser = input.parser(rules.schema(), rules.schema());
    let mut cursor = Cursor::default();
    while let Some(item) = parser.next_item(&input.block, &mut cursor) {
        match item {
            InputItem::Event(event, origin) => {
                kleene_wasm_engine::trace(&mut tracer, &event.into(), Some(origin.line));
            }
            InputItem::Rejected(origin, reason) => {
                let text = String::from_utf8_lossy(origin.text);
                if texts.iter().all(|part| text.contains(part)) {
                    tracer.unreadable(origin.line, &reason);
                }
            }
            InputItem::Unknown(_) => {}
            InputItem::Unreadable(reason) => return Err(Fault::events(&reason)),
        }
    }
    end(&mut tracer, options);
    Ok(story(&tracer, |_| None))
}

/// The tracer with the options for how much it keeps and how late events come.
///
/// # Errors
/// An option has no meaning.
pub fn bounded(tracer: Tracer<Indexed>, options: &Options) -> Result<Tracer<Indexed>, Fault> {
    let tracer = match (options.first, options.last) {
        (_, Some(last)) => tracer.keep_last(last),
        (first, None) => tracer.keep_first(first.unwrap_or(ENTRIES)),
    };
    Ok(match options.bound()? {
        Some(bound) => tracer.out_of_order(bound),
        None => tracer,
    })
}

/// Ends the input.
pub fn end(tracer: &mut Tracer<Indexed>, options: &Options) {
    if options.end_of_time {
        return kleene_wasm_engine::end_tracer_time(tracer);
    }
    if let Some(to) = options.advance_to() {
        kleene_wasm_engine::advance_tracer(tracer, to);
    }
    kleene_wasm_engine::end_tracer_input(tracer);
}

/// Why a key cannot be followed.
pub fn of_trace(error: &TraceError) -> Fault {
    match error {
        TraceError::Key(error) => Fault::options(format!("key: {error}")),
        error => Fault::options(error.to_string()),
    }
}

/// The story as JSON; `index` says where the event of an entry stands in the input.
pub fn story(tracer: &Tracer<Indexed>, index: impl Fn(&Entry) -> Option<usize>) -> Json {
    let entries = tracer.entries().map(|entry| {
        let mut object = entry_json(entry);
        object["time"] = entry.at.as_millis().into();
        if let Some(index) = index(entry) {
            object["index"] = index.into();
        }
        object
    });
    json!({
        "entries": entries.collect::<Vec<_>>(),
        "summary": summary_json(tracer),
        "text": tracer.story().to_string(),
    })
}
