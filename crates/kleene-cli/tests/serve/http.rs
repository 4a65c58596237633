//! Requests by hand, so that a test says what is on the wire.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Sends a request. The status is 0 if there is no answer.
pub(crate) fn request(address: &str, method: &str, path: &str, head: &str, body: &str) -> Answer {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let length = body.len();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{head}\r\n{body}"
        );
        stream.write_all(text.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().unwrap_or_default();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
    Answer { status, body }
}

pub(crate) fn get(address: &str, path: &str) -> Answer {
    request(address, "GET", path, "", "")
}

/// Posts events, with an idempotency key.
pub(crate) fn post(address: &str, key: &str, events: &str) -> Answer {
    let head = format!("Content-Type: application/x-ndjson\r\nIdempotency-Key: {key}\r\n");
    request(address, "POST", "/events", &head, events)
}

/// Returns the value of a metric, with its labels as they are on the page.
pub(crate) fn metric(address: &str, name: &str) -> Option<f64> {
    let page = get(address, "/metrics").body;
    let line =
        page.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    line?.rsplit(' ').next()?.parse().ok()
}
