//! `POST /events`: lines of JSON that go to a journal.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time;

use super::app::{App, json_response};
use super::auth::Caller;
use super::counters::Reason;
use super::error::Refusal;
use crate::journal::{AppendError, Journal};

/// The longest idempotency key of a client.
const MAX_KEY: usize = 255;

/// Appends events to the journal of a source, and answers when they are there.
pub(super) async fn post(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    source: Option<Path<String>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let journal = journal_of(&app, source.as_ref().map(|Path(source)| source.as_str()))?;
    check_type(&headers)?;
    let key = key_of(&headers, &caller)?;
    // The memory counts as used until the journal has the body.
    let (body, memory) = read_body(&app, &headers, body, app.settings.max_body).await?;
    let lines = count_lines(&body)?;
    let bytes = body.len() as u64;
    let append = journal.append(body, key.as_deref());
    let accepted = match time::timeout(app.settings.request_timeout, append).await {
        Ok(result) => result.map_err(|error| refusal_of(&error))?,
        Err(_) => {
            return Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                Reason::Timeout,
                "the disk has not taken the events in time; they may still be taken: \
                 repeat the request with the same `Idempotency-Key`",
            ));
        }
    };
    drop(memory);
    if accepted.is_repeat {
        app.parts.counters.count_repeat();
    } else {
        app.parts.counters.count_events(bytes, lines);
    }
    let answer = json!({
        "accepted": lines, "offset": accepted.offset, "repeat": accepted.is_repeat,
    });
    Ok((StatusCode::ACCEPTED, json_response(&answer)).into_response())
}

fn journal_of<'a>(app: &'a App, source: Option<&str>) -> Result<&'a Arc<Journal>, Refusal> {
    let journals = &app.parts.journals;
    let found = match source {
        Some(source) => journals.get(source),
        None if journals.len() == 1 => journals.values().next(),
        None => None,
    };
    found.ok_or_else(|| {
        let names: Vec<String> = journals.keys().map(|name| format!("/events/{name}")).collect();
        Refusal::not_found(match (&names[..], source) {
            ([], _) => "no source takes events over HTTP; configure one".to_owned(),
            (_, Some(_)) => format!("there is no such source; there are: {}", names.join(", ")),
            (_, None) => format!("name the source, one of: {}", names.join(", ")),
        })
    })
}

/// Refuses bodies that are declared as something else than lines of JSON.
fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let refuse =
        |text| Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Reason::MediaType, text));
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return refuse("send the events without a `Content-Encoding`");
    }
    let Some(kind) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    let is_json = kind.strip_prefix("application/").is_some_and(|kind| {
        let kind = kind.strip_prefix("x-").unwrap_or(kind);
        matches!(kind, "json" | "ndjson" | "jsonl" | "jsonlines" | "json-lines")
            || kind.ends_with("+json")
    });
    if is_json || kind.starts_with("text/") || kind == "application/x-www-form-urlencoded" {
        // What `curl --data-binary` declares is most often not what it sends.
        return Ok(());
    }
    refuse("send `Content-Type: application/x-ndjson`: one JSON object on each line")
}

/// Returns the idempotency key of a request. It has the name of the token in it: a client cannot make
/// those of others be left out.
fn key_of(headers: &HeaderMap, caller: &Caller) -> Result<Option<String>, Refusal> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    match key.to_str() {
        Ok(key) if (1..=MAX_KEY).contains(&key.len()) => {
            Ok(Some(format!("{}:{key}", caller.name())))
        }
        _ => Err(Refusal::invalid(format!(
            "`Idempotency-Key` has from 1 to {MAX_KEY} visible ASCII characters"
        ))),
    }
}

/// Reads the body of a request, as long as there is memory for it and it comes in time.
pub(super) async fn read_body(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    max_bytes: usize,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Refusal> {
    let too_large = || {
        Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Reason::TooLarge,
            format!("a body may have {max_bytes} bytes; send the events in several requests"),
        )
    };
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let length = length.and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > max_bytes as u64) {
        return Err(too_large());
    }
    let mut memory: Option<OwnedSemaphorePermit> = None;
    let mut all: Vec<u8> = Vec::new();
    let mut single = Bytes::new();
    let mut pieces = body.into_data_stream();
    let read = async {
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| Refusal::invalid("the body is not complete"))?;
            let had = single.len() + all.len();
            if had + piece.len() > max_bytes {
                return Err(too_large());
            }
            let kilobytes = u32::try_from(piece.len().div_ceil(1024)).unwrap_or(u32::MAX);
            let Ok(more) = Arc::clone(&app.memory).try_acquire_many_owned(kilobytes) else {
                return Err(full("the bodies of other requests fill the memory"));
            };
            match &mut memory {
                Some(memory) => memory.merge(more),
                None => memory = Some(more),
            }
            if had == 0 {
                single = piece;
                continue;
            }
            if all.is_empty() {
                all.reserve(length.map_or(0, |length| usize::try_from(length).unwrap_or(0)));
                all.extend_from_slice(&single);
                single = Bytes::new();
            }
            all.extend_from_slice(&piece);
        }
        Ok(())
    };
    time::timeout(app.settings.request_timeout, read).await.map_err(|_| {
        let text = "the body has not come in time";
        Refusal::new(StatusCode::REQUEST_TIMEOUT, Reason::Timeout, text)
    })??;
    Ok((if all.is_empty() { single } else { Bytes::from(all) }, memory))
}

/// Counts the lines that are not blank. Refuses a body that is JSON, but not one object on each line.
fn count_lines(body: &[u8]) -> Result<u64, Refusal> {
    // A frame of the journal has zeros, text has none: so nobody can send what looks like a frame.
    if memchr::memchr(0, body).is_some() {
        return Err(Refusal::invalid("the body has bytes that no text has; send UTF-8"));
    }
    let mut lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut lines = lines.by_ref().filter(|line| !line.is_empty());
    let Some(first) = lines.next() else {
        return Err(Refusal::invalid("the body has no events; send one JSON object on each line"));
    };
    if first.starts_with(b"[") {
        return Err(Refusal::invalid("send one JSON object on each line, not an array"));
    }
    if first == b"{" {
        return Err(Refusal::invalid("send each JSON object on a single line"));
    }
    Ok(1 + lines.count() as u64)
}

fn full(text: &str) -> Refusal {
    let text = format!("{text}; try again after a second");
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, Reason::Full, text)
}

fn refusal_of(error: &AppendError) -> Refusal {
    match error {
        AppendError::Full { unread } => {
            full(&format!("too much waits for the engine: {unread} bytes of events are unread"))
        }
        AppendError::KeyReused => Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            Reason::Invalid,
            "this `Idempotency-Key` was used for another body; use a new key",
        ),
        AppendError::Failed(reason) => Refusal::failed(reason),
    }
}
