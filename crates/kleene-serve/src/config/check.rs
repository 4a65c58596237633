//! From a file as it is written to a configuration that can be run.

use std::collections::{BTreeMap, BTreeSet};
use std::net::ToSocketAddrs as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kleene_input::{Form, Format, OptionNames, Reading, TimeUnit, delimiter_of};
use kleene_report::output::EventForm;
use toml::Spanned;

use super::file::{
    ConfigFile, EventsName, FormatName, HttpTable, KafkaTable, LimitsTable, OtlpTable, SchemaTable,
    SinkKindName, SinkTable, SourceKindName, SourceTable, TextOrSecret,
};
use super::report::Mistake;
use super::units::Secret;
use super::{
    Config, Encoding, Kafka, Limits, Otlp, RecordPart, Rules, SchemaPlace, Sink, SinkKind, Source,
    SourceKind, TopicSource, WebhookSink,
};
use crate::http::{Settings, Token};

/// Events that wait for the clock, where the file does not say.
const BUFFERED: usize = 1_000_000;
const KEYS_IN_MEMORY: u64 = 1_000_000;
const BACKLOG: u64 = 256 << 20;
const MAX_LINE: u64 = 16 << 20;
const SINK_BUFFER: u64 = 64 << 20;

/// The place of a schema, as help.
const SCHEMA_EXAMPLE: &str =
    "write `schema = { registry = \"http://127.0.0.1:8081\" }`, or `{ file = .. }`";

/// The mistakes that were found so far.
#[derive(Default)]
struct Mistakes(Vec<Mistake>);

impl Mistakes {
    fn add(&mut self, span: Range<usize>, message: impl Into<String>, help: &str) {
        let mistake = Mistake::new(span, message);
        self.0.push(if help.is_empty() { mistake } else { mistake.help(help) });
    }

    fn missing(&mut self, message: impl Into<String>, help: &str) {
        let help = Some(help.to_owned());
        self.0.push(Mistake { span: None, message: message.into(), help });
    }

    /// Returns an option that the kind requires.
    fn require<T>(
        &mut self,
        option: Option<Spanned<T>>,
        (span, kind): (&Range<usize>, &str),
        name: &str,
        example: &str,
    ) -> Option<Spanned<T>> {
        if option.is_none() {
            self.add(span.clone(), format!("{kind} needs `{name}`"), example);
        }
        option
    }

    /// Reports an option that has no effect.
    fn refuse<T>(&mut self, option: Option<&Spanned<T>>, name: &str, of: &str) {
        if let Some(option) = option {
            self.add(
                option.span(),
                format!("`{name}` has no effect here: it is {of}"),
                "remove it",
            );
        }
    }
}

/// Checks a file. Reports all mistakes.
pub(super) fn check(file: ConfigFile, folder: &Path) -> Result<Config, Vec<Mistake>> {
    let mut mistakes = Mistakes::default();
    let state = folder.join(file.state.into_inner());
    if file.rules.paths.get_ref().is_empty() {
        mistakes.add(file.rules.paths.span(), "there are no rules", "name a folder: [\"rules\"]");
    }
    let every = file.checkpoint.every;
    if every.get_ref().0 < Duration::from_millis(10) {
        let message = "checkpoints cannot be less than 10 ms apart";
        mistakes.add(every.span(), message, "write `every = \"1s\"`");
    }
    let limits = limits(file.limits, folder, &mut mistakes);
    let idle_after = file.time.idle_after.map(|span| span.0);
    if file.sources.is_empty() {
        mistakes.missing("there is no source", "add a table `[[source]]`");
    }
    let mut names = BTreeSet::new();
    let mut sources = Vec::new();
    for table in file.sources {
        let span = table.span();
        let table = table.into_inner();
        unique(&table.name, &mut names, &mut mistakes);
        let idle_after = table.idle_after.map_or(idle_after, |span| Some(span.0));
        let source = source(table, &span, folder, &mut mistakes);
        sources.extend(source.map(|source| Source { idle_after, ..source }));
    }
    let mut sinks = Vec::new();
    let mut names = BTreeSet::new();
    for table in file.sinks {
        let span = table.span();
        let table = table.into_inner();
        unique(&table.name, &mut names, &mut mistakes);
        sinks.extend(sink(table, &span, folder, &mut mistakes));
    }
    let http = file.http.and_then(|table| http(table, folder, &mut mistakes));
    let kafka_span = file.kafka.as_ref().map(Spanned::span);
    let kafka = file.kafka.map(|table| kafka(table, folder, &mut mistakes));
    fits_together(&sources, &sinks, (http.as_ref(), kafka_span), &mut mistakes);
    let otlp = file.otlp.map(|table| otlp(table, folder, &mut mistakes));
    let rejects = file.rejects.map(|path| folder.join(path));
    separate_files(&sources, &sinks, (rejects.as_deref(), &state), &mut mistakes);
    if !mistakes.0.is_empty() {
        return Err(mistakes.0);
    }
    Ok(Config {
        state,
        log: file.log,
        rules: Rules {
            paths: join_all(folder, file.rules.paths.into_inner()),
            params: file.rules.params.iter().map(parameter).collect(),
            allowed: join_all(folder, file.rules.allow),
            is_watched: file.rules.watch,
        },
        out_of_order: file.time.out_of_order.map(|span| span.0),
        limits,
        checkpoint_every: every.into_inner().0,
        sources,
        sinks,
        rejects,
        http,
        kafka,
        otlp,
    })
}

fn join_all(folder: &Path, paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.into_iter().map(|path| folder.join(path)).collect()
}

fn parameter((name, value): (&String, &toml::Value)) -> String {
    match value {
        toml::Value::String(text) => format!("{name}={text}"),
        value => format!("{name}={value}"),
    }
}

/// Names appear in metrics, in messages, and as folders of the state.
fn unique(name: &Spanned<String>, names: &mut BTreeSet<String>, mistakes: &mut Mistakes) {
    let text = name.get_ref();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if text.is_empty() || text.len() > 64 || !text.bytes().all(is_plain) {
        let message = "a name has 1 to 64 letters, digits, `-` and `_`";
        mistakes.add(name.span(), message, "choose a short name, such as \"orders\"");
    } else if !names.insert(text.clone()) {
        mistakes.add(name.span(), format!("the name `{text}` is taken"), "choose another name");
    }
}

fn limits(table: LimitsTable, folder: &Path, mistakes: &mut Mistakes) -> Limits {
    if let (None, Some(keys)) = (&table.spill, &table.keys_in_memory) {
        let message = "`keys_in_memory` has no effect without `spill`";
        mistakes.add(keys.span(), message, "name a folder for idle keys: `spill = \"spill\"`");
    }
    let keys = table.keys_in_memory.map_or(KEYS_IN_MEMORY, Spanned::into_inner);
    if let Some(buffered) = table.buffered.as_ref().filter(|buffered| *buffered.get_ref() == 0) {
        mistakes.add(buffered.span(), "at least one event must be able to wait", "");
    }
    Limits {
        buffered: table.buffered.map_or(BUFFERED, Spanned::into_inner),
        partials: table.partials,
        captured: table.captured.map(|size| size.0),
        spill: table.spill.map(|path| (folder.join(path), keys)),
    }
}

fn source(
    table: SourceTable,
    span: &Range<usize>,
    folder: &Path,
    mistakes: &mut Mistakes,
) -> Option<Source> {
    refuse_others(&table, mistakes);
    let mut format = Format::Jsonl;
    let mut delimiter = b',';
    let name = table.name.get_ref().clone();
    let written_format = table.format.as_ref().map(|format| *format.get_ref());
    let reading = reading(&table, mistakes);
    let is_delimited = table.delimiter.as_ref().map(|text| (text.span(), text.get_ref().clone()));
    let max_line = table.max_line.map_or(MAX_LINE, |size| size.0);
    let kind = match table.kind {
        SourceKindName::File => {
            let example = "write `path = \"events.jsonl\"`";
            let path = mistakes.require(table.path, (span, "a file"), "path", example)?;
            let path = folder.join(path.into_inner());
            (format, delimiter) = (Format::of(&path), delimiter_of(&path));
            SourceKind::File { path, follow: table.follow.is_none_or(Spanned::into_inner) }
        }
        SourceKindName::Http => SourceKind::Http {
            backlog: table.backlog.map_or(BACKLOG, |size| size.into_inner().0),
            durable: table.durable.is_none_or(Spanned::into_inner),
        },
        SourceKindName::Kafka => {
            let example = "write `topic = \"orders\"`";
            let topic = mistakes.require(table.topic, (span, "Kafka"), "topic", example)?;
            let encoding = encoding(table.format.as_ref(), table.schema, (span, folder), mistakes)?;
            let fields = record_fields(table.fields, mistakes);
            SourceKind::Kafka(TopicSource { topic: topic.into_inner(), encoding, fields })
        }
    };
    match (table.kind, written_format) {
        (SourceKindName::File, Some(FormatName::Csv)) => format = Format::Csv,
        (SourceKindName::File | SourceKindName::Http, Some(FormatName::Json)) => {
            format = Format::Jsonl;
        }
        (SourceKindName::Kafka, _) | (_, None) => {}
        (_, Some(other)) => {
            let span = table.format.as_ref().map_or(0..0, Spanned::span);
            let message = format!("a source of this kind cannot be in the format {other:?}");
            mistakes.add(span, message, "a file is `json` or `csv`, HTTP is `json`");
        }
    }
    if let Some((span, text)) = is_delimited {
        match (text.as_bytes(), format) {
            (&[byte], Format::Csv) if byte.is_ascii() => delimiter = byte,
            (_, Format::Csv) => mistakes.add(span, "a delimiter is one ASCII character", ""),
            _ => mistakes.add(span, "`delimiter` has no effect: this is not CSV", "remove it"),
        }
    }
    let max_line = usize::try_from(max_line).unwrap_or(usize::MAX);
    let form = Form { format, delimiter, max_line };
    Some(Source { name, kind, form, reading, idle_after: None })
}

/// Reports options of other kinds of sources.
fn refuse_others(table: &SourceTable, mistakes: &mut Mistakes) {
    let (file, http, kafka) = ("an option of files", "an option of HTTP", "an option of Kafka");
    if table.kind != SourceKindName::File {
        mistakes.refuse(table.path.as_ref(), "path", file);
        mistakes.refuse(table.follow.as_ref(), "follow", file);
        mistakes.refuse(table.delimiter.as_ref(), "delimiter", file);
    }
    if table.kind != SourceKindName::Http {
        mistakes.refuse(table.backlog.as_ref(), "backlog", http);
        mistakes.refuse(table.durable.as_ref(), "durable", http);
    }
    if table.kind != SourceKindName::Kafka {
        mistakes.refuse(table.topic.as_ref(), "topic", kafka);
        mistakes.refuse(table.fields.as_ref(), "fields", kafka);
        mistakes.refuse(table.schema.as_ref(), "schema", kafka);
    }
}

fn reading(table: &SourceTable, mistakes: &mut Mistakes) -> Reading {
    let base = Reading::default();
    let unit = table.time_unit.as_ref().map_or(base.unit, |unit| {
        let found = TimeUnit::ALL.into_iter().find(|known| known.as_str() == unit.get_ref());
        found.unwrap_or_else(|| {
            mistakes.add(
                unit.span(),
                "unknown unit of time",
                "write \"s\", \"ms\", \"us\" or \"ns\"",
            );
            base.unit
        })
    });
    Reading {
        type_field: table.type_field.clone().unwrap_or(base.type_field),
        fixed_type: table.event_type.as_ref().map(|ty| ty.get_ref().clone()),
        prefers_time_field: table.time_field.is_some(),
        time_field: table.time_field.clone().unwrap_or(base.time_field),
        unit,
        is_strict: table.strict,
        options: OptionNames::TomlKeys,
    }
}

fn encoding(
    format: Option<&Spanned<FormatName>>,
    schema: Option<Spanned<SchemaTable>>,
    (span, folder): (&Range<usize>, &Path),
    mistakes: &mut Mistakes,
) -> Option<Encoding> {
    let name = format.map_or(FormatName::Json, |format| *format.get_ref());
    match name {
        FormatName::Json => {
            mistakes.refuse(schema.as_ref(), "schema", "an option of Avro and Protobuf");
            Some(Encoding::Json)
        }
        FormatName::Csv => {
            let span = format.map_or(span.clone(), Spanned::span);
            mistakes.add(span, "values of Kafka cannot be CSV", "they are json, avro or protobuf");
            None
        }
        FormatName::Avro | FormatName::Protobuf => {
            let span = format.map_or(span.clone(), Spanned::span);
            is_built(name, span.clone(), mistakes);
            let schema =
                mistakes.require(schema, (&span, "this format"), "schema", SCHEMA_EXAMPLE)?;
            let at = schema.span();
            let table = schema.into_inner();
            let message = table.message.clone();
            let place = schema_place(table, (at.clone(), folder), mistakes)?;
            if name == FormatName::Avro {
                if message.is_some() {
                    mistakes.add(at, "`message` is an option of Protobuf", "remove it");
                }
                return Some(Encoding::Avro(place));
            }
            if message.is_none() && matches!(place, SchemaPlace::File { .. }) {
                mistakes.add(at, "the message is missing", "add `message = \"shop.Order\"`");
            }
            Some(Encoding::Protobuf { schema: place, message })
        }
    }
}

/// Reports a format that this program cannot read.
fn is_built(format: FormatName, span: Range<usize>, mistakes: &mut Mistakes) {
    let (name, feature, is_built) = match format {
        FormatName::Avro => ("Avro", "avro", cfg!(feature = "avro")),
        _ => ("Protobuf", "protobuf", cfg!(feature = "protobuf")),
    };
    if !is_built {
        let help = format!("build it with the feature `{feature}`");
        mistakes.add(span, format!("this program was built without {name}"), &help);
    }
}

fn schema_place(
    table: SchemaTable,
    (span, folder): (Range<usize>, &Path),
    mistakes: &mut Mistakes,
) -> Option<SchemaPlace> {
    match (table.registry, table.file) {
        (Some(registry), None) => {
            let of = "an option of files; values of a registry always have a frame";
            mistakes.refuse(table.framed.as_ref(), "framed", of);
            check_url(&registry, SCHEMA_EXAMPLE, mistakes);
            Some(SchemaPlace::Registry(Secret::from(registry.into_inner())))
        }
        (None, Some(file)) => {
            let is_framed = table.framed.is_some_and(Spanned::into_inner);
            Some(SchemaPlace::File { path: folder.join(file), is_framed })
        }
        _ => {
            mistakes.add(span, "a schema is in a registry or in a file", SCHEMA_EXAMPLE);
            None
        }
    }
}

fn record_fields(
    fields: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
    mistakes: &mut Mistakes,
) -> Vec<(String, RecordPart)> {
    let mut found = Vec::new();
    for (name, part) in fields.map(Spanned::into_inner).unwrap_or_default() {
        let span = part.span();
        let part = match part.get_ref().as_str() {
            "key" => RecordPart::Key,
            "timestamp" => RecordPart::Timestamp,
            text => {
                let Some(header) = text.strip_prefix("header:") else {
                    let help = "write \"key\", \"timestamp\" or \"header:NAME\"";
                    mistakes.add(span, "unknown part of a record", help);
                    continue;
                };
                RecordPart::Header(header.to_owned())
            }
        };
        found.push((name, part));
    }
    found
}

fn sink(
    table: SinkTable,
    span: &Range<usize>,
    folder: &Path,
    mistakes: &mut Mistakes,
) -> Option<Sink> {
    refuse_other_sinks(&table, mistakes);
    let rules = table.rules.map(|rules| {
        rules.into_inner().into_iter().map(Spanned::into_inner).collect::<Vec<String>>()
    });
    let kind = match table.kind {
        SinkKindName::File => {
            let example = "write `path = \"alerts.jsonl\"`";
            let path = mistakes.require(table.path, (span, "a file"), "path", example)?;
            SinkKind::File(folder.join(path.into_inner()))
        }
        SinkKindName::Kafka => {
            let example = "write `topic = \"alerts\"`";
            let topic = mistakes.require(table.topic, (span, "Kafka"), "topic", example)?;
            SinkKind::Kafka { topic: topic.into_inner() }
        }
        SinkKindName::Webhook => {
            let example = "write `url = \"http://127.0.0.1:9000/alerts\"`";
            let url = mistakes.require(table.url, (span, "a webhook"), "url", example)?;
            check_url(&url, example, mistakes);
            let secret = table.secret.and_then(|place| secret(&place, folder, mistakes));
            let headers = table.headers.map(Spanned::into_inner).unwrap_or_default();
            SinkKind::Webhook(WebhookSink {
                url: url.into_inner(),
                secret,
                headers: headers.into_iter().collect(),
                max_batch: table.max_batch.map_or(1, Spanned::into_inner).max(1),
                timeout: table.timeout.map_or(Duration::from_secs(10), |span| span.into_inner().0),
                retry_for: table
                    .retry_for
                    .map_or(Duration::from_hours(24), |span| span.into_inner().0),
            })
        }
    };
    Some(Sink {
        name: table.name.into_inner(),
        kind,
        rules,
        events: match table.events {
            EventsName::None => EventForm::None,
            EventsName::Ids => EventForm::Ids,
            EventsName::Full => EventForm::Full,
        },
        buffer: table.buffer.map_or(SINK_BUFFER, |size| size.0),
        on_failure: table.on_failure,
    })
}

/// Reports options of other kinds of sinks.
fn refuse_other_sinks(table: &SinkTable, mistakes: &mut Mistakes) {
    if table.kind != SinkKindName::File {
        mistakes.refuse(table.path.as_ref(), "path", "an option of files");
    }
    if table.kind != SinkKindName::Kafka {
        mistakes.refuse(table.topic.as_ref(), "topic", "an option of Kafka");
    }
    if table.kind != SinkKindName::Webhook {
        let webhook = "an option of webhooks";
        mistakes.refuse(table.url.as_ref(), "url", webhook);
        mistakes.refuse(table.secret.as_ref(), "secret", webhook);
        mistakes.refuse(table.headers.as_ref(), "headers", webhook);
        mistakes.refuse(table.max_batch.as_ref(), "max_batch", webhook);
        mistakes.refuse(table.timeout.as_ref(), "timeout", webhook);
        mistakes.refuse(table.retry_for.as_ref(), "retry_for", webhook);
    }
}

fn secret(
    place: &Spanned<super::units::SecretPlace>,
    folder: &Path,
    mistakes: &mut Mistakes,
) -> Option<Secret> {
    match place.get_ref().read(folder) {
        Ok(secret) => Some(secret),
        Err(reason) => {
            mistakes.add(place.span(), reason, "");
            None
        }
    }
}

fn http(table: HttpTable, folder: &Path, mistakes: &mut Mistakes) -> Option<Settings> {
    let mut tokens = Vec::new();
    for token in table.tokens {
        let token = token.into_inner();
        let secret = secret(&token.secret, folder, mistakes);
        tokens.extend(secret.map(|secret| Token::new(token.name, token.role, secret.reveal())));
    }
    let address = table.listen.get_ref().to_socket_addrs().ok().and_then(|mut all| all.next());
    let Some(listen) = address else {
        let message = "expected an address with a port";
        mistakes.add(table.listen.span(), message, "write \"127.0.0.1:8080\"");
        return None;
    };
    if tokens.is_empty() && !listen.ip().is_loopback() {
        let message =
            "anybody could change rules: this address is not loopback, and no token is set";
        let help = "listen on 127.0.0.1, or add a table `[[http.token]]`";
        mistakes.add(table.listen.span(), message, help);
    }
    let base = Settings::new(listen);
    let max_body = table.max_body.map(|size| usize::try_from(size.0).unwrap_or(usize::MAX));
    Some(Settings {
        tokens,
        max_body: max_body.unwrap_or(base.max_body),
        max_connections: table.max_connections.unwrap_or(base.max_connections),
        max_requests_per_second: table.max_requests_per_second,
        max_listeners: table.max_streams.unwrap_or(base.max_listeners),
        request_timeout: table.request_timeout.map_or(base.request_timeout, |span| span.0),
        ..base
    })
}

fn kafka(table: Spanned<KafkaTable>, folder: &Path, mistakes: &mut Mistakes) -> Kafka {
    let span = table.span();
    let table = table.into_inner();
    let workers = table.workers.map_or(1, |workers| {
        if *workers.get_ref() == 0 {
            mistakes.add(workers.span(), "at least one worker is needed", "");
        }
        workers.into_inner()
    });
    let properties = texts_or_secrets(table.properties, (&span, folder), mistakes).collect();
    Kafka {
        brokers: table.brokers,
        group: table.group,
        instance: table.instance.unwrap_or_else(|| String::from("0")),
        delivery: table.delivery,
        workers,
        trusts_partitions: table.trust_partitions,
        properties,
    }
}

/// Reads the secrets among texts.
fn texts_or_secrets(
    written: BTreeMap<String, TextOrSecret>,
    (span, folder): (&Range<usize>, &Path),
    mistakes: &mut Mistakes,
) -> impl Iterator<Item = (String, Secret)> {
    written.into_iter().filter_map(move |(name, value)| {
        let text = match value {
            TextOrSecret::Text(text) => Some(Secret::from(text)),
            TextOrSecret::Secret(place) => {
                secret(&Spanned::new(span.clone(), place), folder, mistakes)
            }
        };
        Some((name, text?))
    })
}

fn otlp(table: Spanned<OtlpTable>, folder: &Path, mistakes: &mut Mistakes) -> Otlp {
    let span = table.span();
    let table = table.into_inner();
    if !cfg!(feature = "otlp") {
        let message = "this program was built without OTLP";
        mistakes.add(span.clone(), message, "build it with the feature `otlp`");
    }
    let example = "write `url = \"http://127.0.0.1:4318/v1/metrics\"`";
    check_url(&table.url, example, mistakes);
    let every = table.every.map_or(Duration::from_secs(10), |every| {
        if every.get_ref().0 < Duration::from_millis(100) {
            let message = "metrics cannot be sent more often than each 100 ms";
            mistakes.add(every.span(), message, "write `every = \"10s\"`");
        }
        every.into_inner().0
    });
    let headers = texts_or_secrets(table.headers, (&span, folder), mistakes).collect();
    Otlp {
        url: Secret::from(table.url.into_inner()),
        headers,
        every,
        timeout: table.timeout.map_or(Duration::from_secs(10), |span| span.0),
        attributes: table.attributes,
    }
}

/// Reports a URL to which this program cannot send requests.
fn check_url(url: &Spanned<String>, help: &str, mistakes: &mut Mistakes) {
    let is_secure = url.get_ref().starts_with("https://");
    if !is_secure && !url.get_ref().starts_with("http://") {
        mistakes.add(url.span(), "expected a URL with `http://` or `https://`", help);
    } else if is_secure && !cfg!(feature = "tls") {
        let message = "this program was built without TLS";
        mistakes.add(url.span(), message, "build it with the feature `tls`");
    }
}

/// Reports files that would be read and written, or written by two.
fn separate_files(
    sources: &[Source],
    sinks: &[Sink],
    (rejects, state): (Option<&Path>, &Path),
    mistakes: &mut Mistakes,
) {
    let read = sources.iter().filter_map(|source| match &source.kind {
        SourceKind::File { path, .. } => Some((format!("the source `{}`", source.name), &**path)),
        _ => None,
    });
    let written = sinks.iter().filter_map(|sink| match &sink.kind {
        SinkKind::File(path) => Some((format!("the sink `{}`", sink.name), &**path)),
        _ => None,
    });
    let mut known: Vec<(String, PathBuf)> = Vec::new();
    let rejects = rejects.map(|path| (String::from("`rejects`"), path));
    // Links count as what they lead to, where they are there already.
    let place = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    for (name, path) in read.chain(written).chain(rejects) {
        let (path, shown) = (place(path), path.display());
        if let Some((other, _)) = known.iter().find(|(_, known)| *known == path) {
            mistakes
                .missing(format!("{other} and {name} are the same file {shown}"), "name two files");
        }
        if path.starts_with(place(state)) {
            let message = format!("{name} is inside the state directory: {shown}");
            mistakes.missing(message, "the state directory holds only the state");
        }
        known.push((name, path));
    }
}

/// Reports parts of the file that do not fit each other.
fn fits_together(
    sources: &[Source],
    sinks: &[Sink],
    (http, kafka): (Option<&Settings>, Option<Range<usize>>),
    mistakes: &mut Mistakes,
) {
    let topics = sources.iter().filter(|source| source.topic().is_some()).count();
    if topics > 0 && topics < sources.len() {
        let message = "sources of Kafka cannot be together with others: no checkpoint covers both";
        mistakes.missing(message, "run two services, or send all events through topics");
    }
    let is_http = |source: &Source| matches!(source.kind, SourceKind::Http { .. });
    if sources.iter().any(is_http) && http.is_none() {
        let message = "a source waits for HTTP, but there is no `[http]`";
        mistakes.missing(message, "add `[http]` with `listen = \"127.0.0.1:8080\"`");
    }
    let writes_topic = |sink: &Sink| sink.topic().is_some();
    let uses_kafka = topics > 0 || sinks.iter().any(writes_topic);
    match kafka {
        Some(span) if !uses_kafka => {
            mistakes.add(span, "no source and no sink is a topic of Kafka", "remove this table");
        }
        None if uses_kafka => {
            let message = "a topic is named, but there is no `[kafka]`";
            let help = "add `[kafka]` with `brokers = \"127.0.0.1:9092\"` and `group = \"fraud\"`";
            mistakes.missing(message, help);
        }
        _ => {}
    }
    if topics == 0 && sinks.iter().any(writes_topic) {
        let message = "a sink is a topic of Kafka, but no source is";
        let help = "results are in one transaction with what was read: read from a topic, too";
        mistakes.missing(message, help);
    }
    if uses_kafka && !cfg!(feature = "kafka") {
        let message = "this program was built without Kafka";
        mistakes.missing(message, "build it with the feature `kafka`");
    }
    let has_streams = http.is_some_and(|http| http.max_listeners > 0);
    if sinks.is_empty() && !has_streams {
        let message = "results would go nowhere: there is no sink, and no stream over `[http]`";
        mistakes.missing(message, "add a table `[[sink]]`");
    }
}
