//! Requests that the service sends: results to webhooks, metrics to a collector.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ureq::Agent;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};

/// The bytes of an answer that are read.
pub(crate) const MAX_ANSWER: u64 = 64 << 10;

/// Returns a client whose requests take no longer than this. It follows no redirects.
pub(crate) fn agent(timeout: Duration) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(timeout))
        .user_agent(concat!("kleene/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// Checks that requests can be sent to a URL.
///
/// # Errors
/// The URL cannot be read, or its scheme is not one of this build.
pub(crate) fn check_url(url: &str) -> Result<Uri> {
    // The URL is not shown: it may have a password.
    let uri: Uri = url.parse().context("the URL cannot be read")?;
    match uri.scheme_str() {
        Some("http") => Ok(uri),
        Some("https") if cfg!(feature = "tls") => Ok(uri),
        Some("https") => bail!(
            "this build has no `https`; build it with `--features tls`, or send to a local proxy"
        ),
        _ => bail!("the URL does not begin with `http://` or `https://`"),
    }
}

/// Returns the headers of all requests.
///
/// # Errors
/// A header cannot be sent. The error names it and does not show its value.
pub(crate) fn headers<'a>(
    content_type: &'static str,
    more: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    for (name, value) in more {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
        let Some((name, value)) = parsed.zip(HeaderValue::from_str(value).ok()) else {
            bail!("the header {name:?} cannot be sent");
        };
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Returns why a receiver did not take a request, with the first characters of its answer.
pub(crate) fn refusal(status: StatusCode, answer: &[u8]) -> String {
    let answer: String = String::from_utf8_lossy(answer).chars().take(200).collect();
    format!("{status}: {}", answer.trim().escape_debug())
}

/// The signal that ends a thread that sends.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    stops: Mutex<bool>,
    wake: Condvar,
}

impl Stop {
    /// The thread ends, and waits no longer.
    pub(crate) fn set(&self) {
        *self.stops.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_all();
    }

    /// Waits for some time. Returns true if the thread is to end.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let stops = self.stops.lock().unwrap_or_else(PoisonError::into_inner);
        let (stops, _) = self
            .wake
            .wait_timeout_while(stops, time, |stops| !*stops)
            .unwrap_or_else(PoisonError::into_inner);
        *stops
    }
}
