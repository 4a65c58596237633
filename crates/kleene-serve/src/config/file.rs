//! The configuration file as it is written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::units::{SecretPlace, Size, Span};
use crate::http::Role;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    /// The directory of checkpoints, of what came over HTTP, and of what waits for webhooks.
    pub(super) state: Spanned<PathBuf>,
    #[serde(default)]
    pub(super) log: LogForm,
    /// The file of rejected and late events.
    pub(super) rejects: Option<PathBuf>,
    pub(super) rules: RulesTable,
    #[serde(default)]
    pub(super) time: TimeTable,
    #[serde(default)]
    pub(super) limits: LimitsTable,
    #[serde(default)]
    pub(super) checkpoint: CheckpointTable,
    #[serde(default, rename = "source")]
    pub(super) sources: Vec<Spanned<SourceTable>>,
    #[serde(default, rename = "sink")]
    pub(super) sinks: Vec<Spanned<SinkTable>>,
    pub(super) http: Option<HttpTable>,
    pub(super) kafka: Option<Spanned<KafkaTable>>,
    pub(super) otlp: Option<Spanned<OtlpTable>>,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogForm {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RulesTable {
    /// Rule files, and folders with such.
    pub(super) paths: Spanned<Vec<PathBuf>>,
    /// Parameters, as `rule.name = 10`.
    #[serde(default)]
    pub(super) params: BTreeMap<String, toml::Value>,
    /// Folders in which rules may name files, beside their own.
    #[serde(default)]
    pub(super) allow: Vec<PathBuf>,
    /// True if rules are read again when their files change.
    #[serde(default = "yes")]
    pub(super) watch: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeTable {
    /// The longest time by which an event comes after a later one. Without it, events of a source
    /// are in order.
    pub(super) out_of_order: Option<Span>,
    /// The time after which the others do not wait for a silent source.
    pub(super) idle_after: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsTable {
    /// Events that wait for the clock.
    pub(super) buffered: Option<Spanned<usize>>,
    /// Partial matches, over all rules and keys.
    pub(super) partials: Option<u64>,
    /// Bytes of captured events, over all rules and keys.
    pub(super) captured: Option<Size>,
    /// The folder of idle keys.
    pub(super) spill: Option<PathBuf>,
    /// Keys in memory, where idle ones go to `spill`.
    pub(super) keys_in_memory: Option<Spanned<u64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckpointTable {
    #[serde(default = "every_second")]
    pub(super) every: Spanned<Span>,
}

impl Default for CheckpointTable {
    fn default() -> CheckpointTable {
        CheckpointTable { every: every_second() }
    }
}

fn every_second() -> Spanned<Span> {
    Spanned::new(0..0, Span(std::time::Duration::from_secs(1)))
}

fn yes() -> bool {
    true
}

/// The kind of a source.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum SourceKindName {
    File,
    Http,
    Kafka,
}

/// The format of a file.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum FormatName {
    Json,
    Csv,
    Avro,
    Protobuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceTable {
    pub(super) name: Spanned<String>,
    pub(super) kind: SourceKindName,
    /// Of a file.
    pub(super) path: Option<Spanned<PathBuf>>,
    /// Of a file: true if what is added to it is read, too.
    pub(super) follow: Option<Spanned<bool>>,
    /// Of HTTP: bytes that were accepted and not matched yet.
    pub(super) backlog: Option<Spanned<Size>>,
    /// Of HTTP: true if events are on the disk before they are acknowledged.
    pub(super) durable: Option<Spanned<bool>>,
    /// Of Kafka.
    pub(super) topic: Option<Spanned<String>>,
    /// Of Kafka: fields of events that are the key, a header or the time of the record.
    pub(super) fields: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
    /// Of Kafka: the schema of Avro or Protobuf.
    pub(super) schema: Option<Spanned<SchemaTable>>,
    pub(super) format: Option<Spanned<FormatName>>,
    pub(super) delimiter: Option<Spanned<String>>,
    #[serde(rename = "type")]
    pub(super) event_type: Option<Spanned<String>>,
    pub(super) type_field: Option<String>,
    pub(super) time_field: Option<String>,
    pub(super) time_unit: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) strict: bool,
    pub(super) max_line: Option<Size>,
    /// The time after which the others do not wait for this source.
    pub(super) idle_after: Option<Span>,
}

/// The schema of the values of a topic.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SchemaTable {
    /// The address of a schema registry.
    pub(super) registry: Option<Spanned<String>>,
    /// A file: a schema of Avro, or a set of descriptors of Protobuf.
    pub(super) file: Option<PathBuf>,
    /// The message of Protobuf.
    pub(super) message: Option<String>,
    /// True if values have the frame of a registry though the schema is in a file.
    pub(super) framed: Option<Spanned<bool>>,
}

/// The kind of a sink.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum SinkKindName {
    File,
    Webhook,
    Kafka,
}

/// What happens while a sink cannot take results.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnFailure {
    /// Results are held up to the sink's `buffer`, and dropped and counted beyond it.
    #[default]
    Drop,
    /// Results are held up to the sink's `buffer`; then the service waits, and all sinks with it.
    Wait,
}

/// The form of captured events in results.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum EventsName {
    None,
    Ids,
    #[default]
    Full,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SinkTable {
    pub(super) name: Spanned<String>,
    pub(super) kind: SinkKindName,
    /// Of a file.
    pub(super) path: Option<Spanned<PathBuf>>,
    /// Of a webhook.
    pub(super) url: Option<Spanned<String>>,
    /// Of a webhook: what signs requests.
    pub(super) secret: Option<Spanned<SecretPlace>>,
    /// Of a webhook: more headers.
    pub(super) headers: Option<Spanned<BTreeMap<String, String>>>,
    /// Of a webhook: results of one request.
    pub(super) max_batch: Option<Spanned<usize>>,
    /// Of a webhook: the time for one request.
    pub(super) timeout: Option<Spanned<Span>>,
    /// Of a webhook: the time after which a result becomes a dead letter.
    pub(super) retry_for: Option<Spanned<Span>>,
    /// Of Kafka.
    pub(super) topic: Option<Spanned<String>>,
    /// The rules whose results go here; all without it.
    pub(super) rules: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    pub(super) events: EventsName,
    /// Bytes that wait while the sink cannot take results.
    pub(super) buffer: Option<Size>,
    #[serde(default)]
    pub(super) on_failure: OnFailure,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpTable {
    pub(super) listen: Spanned<String>,
    #[serde(default, rename = "token")]
    pub(super) tokens: Vec<Spanned<TokenTable>>,
    pub(super) max_body: Option<Size>,
    pub(super) max_connections: Option<usize>,
    pub(super) max_requests_per_second: Option<u32>,
    pub(super) max_streams: Option<usize>,
    pub(super) request_timeout: Option<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenTable {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) secret: Spanned<SecretPlace>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KafkaTable {
    pub(super) brokers: String,
    pub(super) group: String,
    /// The name of this instance, which no other of the group has at the same time.
    pub(super) instance: Option<String>,
    #[serde(default)]
    pub(super) delivery: DeliveryName,
    /// Consumers, each with a thread.
    pub(super) workers: Option<Spanned<usize>>,
    /// True if keys are not compared with the partitions that they came from.
    #[serde(default)]
    pub(super) trust_partitions: bool,
    /// More properties of the client.
    #[serde(default)]
    pub(super) properties: BTreeMap<String, TextOrSecret>,
}

/// Where metrics are sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OtlpTable {
    pub(super) url: Spanned<String>,
    /// The time between two requests.
    pub(super) every: Option<Spanned<Span>>,
    /// The time for a request.
    pub(super) timeout: Option<Span>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, TextOrSecret>,
    /// Attributes that name the service.
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
}

/// A text, or the place of a secret.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum TextOrSecret {
    Text(String),
    Secret(SecretPlace),
}

/// The guarantee of results in Kafka.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DeliveryName {
    /// Results and positions in one transaction.
    #[default]
    ExactlyOnce,
    /// No transaction: results may be there twice after a failure.
    AtLeastOnce,
}
