//! `/rules`: rule files that are read and changed.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::app::{App, json_response};
use super::auth::Caller;
use super::counters::Reason;
use super::error::Refusal;
use super::events::read_body;
use crate::control::ChangeError;

/// The longest rule file.
const MAX_TEXT: usize = 1 << 20;

/// The longest name of a rule file.
const MAX_NAME: usize = 128;

/// Lists the rule files.
pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    let files = app.ask(|control| control.rule_files()).await?;
    let files: Vec<_> =
        files.iter().map(|file| json!({ "name": file.name, "bytes": file.text.len() })).collect();
    Ok(json_response(&json!({ "files": files })))
}

/// Returns the text of a rule file.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    check_name(&name)?;
    let files = app.ask(|control| control.rule_files()).await?;
    let file = files.into_iter().find(|file| file.name == name);
    let file = file.ok_or_else(|| refusal_of(ChangeError::Unknown))?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], file.text).into_response())
}

/// Replaces a rule file.
pub(super) async fn put(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    check_name(&name)?;
    let max_bytes = MAX_TEXT.min(app.settings.max_body);
    let (body, _memory) = read_body(&app, &headers, body, max_bytes).await?;
    let text = String::from_utf8(body.into());
    let text = text.map_err(|_| Refusal::invalid("a rule file is UTF-8 text"))?;
    let (who, file) = (caller.name().to_owned(), name.clone());
    let verdicts = app.ask(move |control| control.put_rules(&who, &file, &text)).await?;
    let verdicts = verdicts.map_err(refusal_of)?;
    tracing::info!(caller = caller.name(), file = name, "rules replaced");
    Ok(json_response(&verdicts))
}

/// Removes a rule file.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    check_name(&name)?;
    let (who, file) = (caller.name().to_owned(), name.clone());
    let verdicts = app.ask(move |control| control.delete_rules(&who, &file)).await?;
    let verdicts = verdicts.map_err(refusal_of)?;
    tracing::info!(caller = caller.name(), file = name, "rules removed");
    Ok(json_response(&verdicts))
}

/// Refuses names that are not those of a file in the folder of rules.
fn check_name(name: &str) -> Result<(), Refusal> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let is_name = name.strip_suffix(".cep").is_some_and(|stem| !stem.is_empty())
        && !name.starts_with('.')
        && name.len() <= MAX_NAME
        && name.as_bytes().iter().all(is_plain);
    if is_name {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "a rule file is named like `fraud.cep`: letters, digits, `_`, `.` and `-`, \
         no dot at the start, at most {MAX_NAME} characters"
    )))
}

fn refusal_of(error: ChangeError) -> Refusal {
    match error {
        ChangeError::Mistakes(text) => {
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, Reason::RuleMistakes, text)
        }
        ChangeError::Failed(text) => Refusal::failed(text),
        ChangeError::Unknown => {
            Refusal::not_found("there is no such rule file; `GET /rules` lists them")
        }
    }
}
