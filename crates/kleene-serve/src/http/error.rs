//! Answers to requests that are refused.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::counters::Reason;

/// A request that is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) reason: Reason,
    pub(super) text: String,
}

/// What a response says about its refusal, for the log.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) reason: Reason,
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, reason: Reason, text: impl Into<String>) -> Refusal {
        Refusal { status, reason, text: text.into() }
    }

    pub(super) fn invalid(text: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, Reason::Invalid, text)
    }

    pub(super) fn not_found(text: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, Reason::NotFound, text)
    }

    pub(super) fn failed(text: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Reason::Failed, text)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        // Diagnostics have several lines, with carets that would not be aligned in JSON.
        let is_plain = self.reason == Reason::RuleMistakes;
        let (kind, body) = if is_plain {
            ("text/plain; charset=utf-8", self.text.clone())
        } else {
            ("application/json", format!("{}\n", serde_json::json!({ "error": self.text })))
        };
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(Refused { reason: self.reason, text: self.text });
        response
    }
}
