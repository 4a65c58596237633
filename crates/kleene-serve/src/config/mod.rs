//! The configuration file: what it says, checked.

mod check;
mod file;
mod report;
mod units;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kleene_input::{Form, Reading};
use kleene_report::output::EventForm;

use self::report::{Mistake, render};

use crate::http::Settings as HttpSettings;

pub(crate) use self::file::{DeliveryName as Delivery, LogForm, OnFailure};
pub(crate) use self::units::Secret;

/// The configuration of a service.
#[derive(Debug)]
pub(crate) struct Config {
    /// The directory of all that outlives the process.
    pub(crate) state: PathBuf,
    pub(crate) log: LogForm,
    pub(crate) rules: Rules,
    pub(crate) out_of_order: Option<Duration>,
    pub(crate) limits: Limits,
    pub(crate) checkpoint_every: Duration,
    pub(crate) sources: Vec<Source>,
    pub(crate) sinks: Vec<Sink>,
    /// The file of rejected and late events.
    pub(crate) rejects: Option<PathBuf>,
    pub(crate) http: Option<HttpSettings>,
    pub(crate) kafka: Option<Kafka>,
    #[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "without OTLP nothing reads it"))]
    pub(crate) otlp: Option<Otlp>,
}

#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) params: Vec<String>,
    pub(crate) allowed: Vec<PathBuf>,
    pub(crate) is_watched: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Events that wait for the clock.
    pub(crate) buffered: usize,
    pub(crate) partials: Option<u64>,
    pub(crate) captured: Option<u64>,
    /// The folder of idle keys, and the keys that stay in memory.
    pub(crate) spill: Option<(PathBuf, u64)>,
}

/// A source of events.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) kind: SourceKind,
    pub(crate) form: Form,
    pub(crate) reading: Reading,
    /// The time after which the other sources do not wait for this one.
    pub(crate) idle_after: Option<Duration>,
}

impl Source {
    /// Returns the topic of a source of Kafka.
    pub(crate) fn topic(&self) -> Option<&TopicSource> {
        match &self.kind {
            SourceKind::Kafka(topic) => Some(topic),
            SourceKind::File { .. } | SourceKind::Http { .. } => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum SourceKind {
    File { path: PathBuf, follow: bool },
    Http { backlog: u64, durable: bool },
    Kafka(TopicSource),
}

/// A topic of Kafka.
#[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "without Kafka nothing reads it"))]
#[derive(Clone, Debug)]
pub(crate) struct TopicSource {
    pub(crate) topic: String,
    pub(crate) encoding: Encoding,
    /// Fields of events that come from elsewhere in the record than its value.
    pub(crate) fields: Vec<(String, RecordPart)>,
}

/// The encoding of the values of a topic.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(all(feature = "avro", feature = "protobuf")),
    allow(dead_code, reason = "only the decoders of these formats read them")
)]
pub(crate) enum Encoding {
    Json,
    Avro(SchemaPlace),
    Protobuf { schema: SchemaPlace, message: Option<String> },
}

/// The place of a schema.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(all(feature = "avro", feature = "protobuf")),
    allow(dead_code, reason = "only the decoders of these formats read them")
)]
pub(crate) enum SchemaPlace {
    /// A URL, which may have a password. Values are framed.
    Registry(Secret),
    /// A file. Values are bare, or have a frame that is skipped.
    File { path: PathBuf, is_framed: bool },
}

/// A part of a record of Kafka.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum RecordPart {
    Key,
    Timestamp,
    Header(String),
}

/// A sink of results.
#[derive(Clone, Debug)]
pub(crate) struct Sink {
    pub(crate) name: String,
    pub(crate) kind: SinkKind,
    /// The rules whose results go here; all where it is `None`.
    pub(crate) rules: Option<Vec<String>>,
    pub(crate) events: EventForm,
    pub(crate) buffer: u64,
    pub(crate) on_failure: OnFailure,
}

#[derive(Clone, Debug)]
pub(crate) enum SinkKind {
    File(PathBuf),
    Webhook(WebhookSink),
    Kafka { topic: String },
}

impl Sink {
    /// Returns the topic of a sink in Kafka.
    pub(crate) fn topic(&self) -> Option<&str> {
        match &self.kind {
            SinkKind::Kafka { topic } => Some(topic),
            SinkKind::File(_) | SinkKind::Webhook(_) => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct WebhookSink {
    pub(crate) url: String,
    pub(crate) secret: Option<Secret>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) max_batch: usize,
    pub(crate) timeout: Duration,
    pub(crate) retry_for: Duration,
}

#[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "without Kafka nothing reads it"))]
#[derive(Clone, Debug)]
pub(crate) struct Kafka {
    pub(crate) brokers: String,
    pub(crate) group: String,
    pub(crate) instance: String,
    pub(crate) delivery: Delivery,
    pub(crate) workers: usize,
    pub(crate) trusts_partitions: bool,
    pub(crate) properties: BTreeMap<String, Secret>,
}

/// A collector that takes metrics by OTLP.
#[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "without OTLP nothing reads it"))]
#[derive(Clone, Debug)]
pub(crate) struct Otlp {
    /// The URL of its metrics, which may have a password.
    pub(crate) url: Secret,
    pub(crate) headers: Vec<(String, Secret)>,
    /// The time between two requests.
    pub(crate) every: Duration,
    /// The time for a request.
    pub(crate) timeout: Duration,
    /// Attributes that name the service.
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Config {
    /// Reads and checks a configuration file. Paths in it are relative to its folder. The error is
    /// printed as it is.
    pub(crate) fn load(path: &Path) -> Result<Config, String> {
        let text = fs::read_to_string(path);
        let text =
            text.map_err(|error| format!("error: cannot read {}: {error}\n", path.display()))?;
        Config::parse(path, &text).map_err(|mistakes| render(path, &text, &mistakes))
    }

    /// True if clients may ask for streams of results.
    pub(crate) fn has_streams(&self) -> bool {
        self.http.as_ref().is_some_and(|http| http.max_listeners > 0)
    }

    fn parse(path: &Path, text: &str) -> Result<Config, Vec<Mistake>> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let written = toml::from_str(text).map_err(|error| {
            let (span, message) = (error.span(), error.message().to_owned());
            vec![Mistake { span, message, help: None }]
        })?;
        check::check(written, folder)
    }
}

#[cfg(test)]
mod tests;
