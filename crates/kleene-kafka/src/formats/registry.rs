//! The client of a schema registry with the interface of Confluent's.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::Agent;
use ureq::http::StatusCode;

use super::error::{DecodeError, SchemaError};
use super::json::base64_text;

/// The time for a request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The time for which a request is repeated, if nothing else is said.
const PATIENCE: Duration = Duration::from_secs(30);

/// The first wait before a request is repeated, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The bytes of an answer that are read.
const MAX_ANSWER: u64 = 16 << 20;

/// The schemas that a schema may refer to, directly or not.
const MAX_REFERENCES: usize = 1000;

/// What is asked for.
const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json, application/json";

/// A schema registry.
pub struct Registry {
    agent: Agent,
    /// The address, without a user and without a slash at its end.
    url: String,
    /// The header of the user and the password.
    authorization: Option<String>,
    patience: Duration,
}

/// A schema with the schemas that it refers to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct SchemaText {
    pub(super) text: String,
    /// The name and the text of each schema that is referred to, after those that it refers to.
    pub(super) references: Vec<(String, String)>,
}

/// The schemas that a schema refers to.
#[derive(Debug, Default)]
struct References {
    /// The subjects and versions that were asked for.
    visited: BTreeSet<(String, i64)>,
    /// The name and the text of each.
    found: Vec<(String, String)>,
}

/// A failed request.
enum Failure {
    /// It may succeed if it is repeated.
    Transient(String),
    Final(DecodeError),
}

impl fmt::Debug for Registry {
    // Not derived: the password is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Registry {
    /// Returns the registry at a URL, which may have a user and a password:
    /// `http://user:password@127.0.0.1:8081`. Nothing is sent yet.
    ///
    /// # Errors
    /// The URL is neither `http` nor `https`, or is `https` and this program was built without TLS.
    pub fn new(url: &str) -> Result<Registry, SchemaError> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        match scheme {
            "http" => {}
            "https" if cfg!(feature = "registry-tls") => {}
            "https" => return Err(SchemaError::new("this program was built without TLS")),
            _ => return Err(SchemaError::new("expected a URL with `http://` or `https://`")),
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if host.is_empty() {
            return Err(SchemaError::new("the URL has no host"));
        }
        let authorization = user.map(|user| {
            let (user, password) = user.split_once(':').unwrap_or((user, ""));
            let user = [percent_decode(user), percent_decode(password)].join(&b':');
            format!("Basic {}", base64_text(&user))
        });
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("kleene/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let url = format!("{scheme}://{host}{}", path.trim_end_matches('/'));
        Ok(Registry { agent, url, authorization, patience: PATIENCE })
    }

    /// Sets the time for which requests are repeated while the registry does not answer.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Registry {
        self.patience = patience;
        self
    }

    /// Returns the schema with an id, which must be in a format: `AVRO` or `PROTOBUF`.
    pub(super) fn schema(&self, id: u32, format: &str) -> Result<SchemaText, DecodeError> {
        let deadline = Instant::now() + self.patience;
        let answer = self.get(&format!("/schemas/ids/{id}"), deadline)?;
        // Registries leave the format out if it is Avro, the first that there was.
        let found = answer.get("schemaType").and_then(Value::as_str).unwrap_or("AVRO");
        if found != format {
            let reason = format!("the schema {id} has the format {found}, not {format}");
            return Err(DecodeError::poison(reason));
        }
        let mut references = References::default();
        self.collect(&answer, &mut references, deadline)?;
        Ok(SchemaText { text: self.text_of(&answer)?, references: references.found })
    }

    /// Adds the schemas that a schema refers to, each after those that it refers to.
    fn collect(
        &self,
        schema: &Value,
        references: &mut References,
        deadline: Instant,
    ) -> Result<(), DecodeError> {
        let direct = schema.get("references").and_then(Value::as_array);
        for reference in direct.into_iter().flatten() {
            let part = |name| reference.get(name).and_then(Value::as_str);
            let version = reference.get("version").and_then(Value::as_i64);
            let (Some(name), Some(subject), Some(version)) =
                (part("name"), part("subject"), version)
            else {
                return Err(self.unusable("a reference has no name, subject or version"));
            };
            if !references.visited.insert((subject.to_owned(), version)) {
                continue;
            }
            if references.visited.len() > MAX_REFERENCES {
                let reason = format!("a schema refers to more than {MAX_REFERENCES} others");
                return Err(DecodeError::poison(reason));
            }
            let subject = percent_encode(subject);
            let answer = self.get(&format!("/subjects/{subject}/versions/{version}"), deadline)?;
            self.collect(&answer, references, deadline)?;
            references.found.push((name.to_owned(), self.text_of(&answer)?));
        }
        Ok(())
    }

    fn text_of(&self, answer: &Value) -> Result<String, DecodeError> {
        let text = answer.get("schema").and_then(Value::as_str);
        text.map(str::to_owned).ok_or_else(|| self.unusable("an answer has no schema"))
    }

    fn unusable(&self, what: &str) -> DecodeError {
        DecodeError::unavailable(format!("the schema registry {}: {what}", self.url))
    }

    /// Sends a request, again and again until the deadline.
    fn get(&self, path: &str, deadline: Instant) -> Result<Value, DecodeError> {
        let mut wait = BACK_OFF.0;
        loop {
            let reason = match self.get_once(path) {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Transient(reason)) => reason,
            };
            if Instant::now() + wait >= deadline {
                return Err(self.unusable(&reason));
            }
            thread::sleep(wait);
            wait = (wait * 2).min(BACK_OFF.1);
        }
    }

    fn get_once(&self, path: &str) -> Result<Value, Failure> {
        let transient = |error: ureq::Error| Failure::Transient(error.to_string());
        let mut request =
            self.agent.get(format!("{}{path}", self.url)).header("Accept", MEDIA_TYPE);
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut answer = request.call().map_err(transient)?;
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        let body = serde_json::from_slice::<Value>(&body.map_err(transient)?);
        if status.is_success() {
            return match body {
                Ok(body) if body.is_object() => Ok(body),
                _ => Err(Failure::Transient(String::from("an answer is not JSON"))),
            };
        }
        let body = body.unwrap_or_default();
        let message = body.get("message").and_then(Value::as_str).unwrap_or_default();
        let said = format!("{path} has the status {status} {message}").trim_end().to_owned();
        let is_registry = body.get("error_code").is_some_and(Value::is_number);
        Err(match status {
            // Only a registry has this number. Any server says 404 if the URL is wrong, and then no
            // record may be skipped.
            StatusCode::NOT_FOUND if is_registry => Failure::Final(DecodeError::poison(format!(
                "the schema registry {}: {said}",
                self.url
            ))),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Failure::Transient(said),
            status if status.is_server_error() => Failure::Transient(said),
            _ => Failure::Final(self.unusable(&said)),
        })
    }
}

/// Returns text as a part of the path of a URL.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn percent_decode(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        let digits = after.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) if *byte == b'%' => {
                decoded.push(code);
                rest = &after[2..];
            }
            _ => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_have_a_user() {
        let registry = Registry::new("http://us%40er:p:w@[::1]:8081/api/").unwrap();
        assert_eq!(registry.url, "http://[::1]:8081/api");
        let expected = format!("Basic {}", base64_text(b"us@er:p:w"));
        assert_eq!(registry.authorization.as_deref(), Some(&*expected));
        assert!(!format!("{registry:?}").contains("p:w"));
        let registry = Registry::new("http://host").unwrap();
        assert_eq!((&*registry.url, registry.authorization), ("http://host", None));
    }

    #[test]
    fn other_urls_are_refused() {
        for url in ["", "host:8081", "ftp://host", "http://", "http://user@/"] {
            Registry::new(url).unwrap_err();
        }
        assert_eq!(Registry::new("https://host").is_ok(), cfg!(feature = "registry-tls"));
    }

    #[test]
    fn subjects_are_parts_of_a_path() {
        assert_eq!(percent_encode("a/b c-1.x"), "a%2Fb%20c-1.x");
        assert_eq!(percent_decode("a%2Fb%2"), b"a/b%2");
        assert_eq!(percent_decode("%zz%+1"), b"%zz%+1");
    }
}
