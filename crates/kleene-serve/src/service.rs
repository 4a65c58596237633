//! The service: its threads, from start to stop.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use kleene::{RuleSet, Timestamp};
use kleene_host::rules::Edit;
use serde_json::{Value, json};

use crate::config::{Config, LogForm};
use crate::control::{ChangeError, Control, RuleFile};
use crate::host::Host;
use crate::http::{self, HttpCounters};
use crate::hub::Hub;
use crate::journal::Journal;
use crate::links::{Command, Links};
use crate::metrics::Metrics;
#[cfg(feature = "otlp")]
use crate::metrics::otlp::OtlpExporter;
use crate::rules::{AuditLog, RuleFolder, write_file};
use crate::sink::outbox::OutboxQueue;
use crate::sink::{Sinks, end_waits};
use crate::source::inbox::Inbox;
use crate::status::{HttpParts, Phase, SharedStatus, time_of};

/// The time that a change of rules waits for the engine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The newest results that a stream can go on from: their number and bytes.
const STREAMED: (usize, usize) = (10_000, 16 << 20);

/// Reads and checks a configuration file, and the rules that it names. Returns what would run.
///
/// # Errors
/// The mistakes, as they are printed.
pub fn check(path: &Path) -> Result<String, String> {
    let config = Config::load(path)?;
    let (_, rules) = RuleFolder::open(config.rules, || {})?;
    let count = |number: usize, what: &str| kleene_report::counts::counted(number, what);
    Ok(format!(
        "{}: {}, {}, {}: no mistakes",
        path.display(),
        count(rules.rules().len(), "rule"),
        count(config.sources.len(), "source"),
        count(config.sinks.len(), "sink"),
    ))
}

/// Runs a service until `stop` is set, or until all its sources have ended. It ends with a
/// checkpoint.
///
/// # Errors
/// The mistakes in the files, as they are printed, or the reason why the service cannot go on.
pub fn serve(path: &Path, stop: &Arc<AtomicBool>) -> Result<(), String> {
    let config = Arc::new(Config::load(path)?);
    start_log(config.log);
    let printed = |error: anyhow::Error| format!("error: {error:#}\n");
    kleene_host::disk::make_directory(&config.state).map_err(|error| {
        format!("error: cannot make the state directory {}: {error}\n", config.state.display())
    })?;
    let audit = Arc::new(AuditLog::open(&config.state).map_err(printed)?);
    let inbox = Arc::new(Inbox::new(config.sources.len()));
    let woken = inbox.clone();
    let (folder, rules) = RuleFolder::open(config.rules.clone(), move || woken.wake())?;
    let folder = Arc::new(folder);
    Sinks::check_rules(&config, &rules);
    let status = Arc::new(SharedStatus::default());
    let metrics = Arc::new(Metrics::new(status.clone()));
    let (commands, received) = mpsc::channel();
    let stop = stop.clone();
    let hub = config.http.as_ref().map(|_| Arc::new(Hub::new(STREAMED.0, STREAMED.1)));
    let links = Links {
        stop: stop.clone(),
        status: status.clone(),
        folder,
        metrics: metrics.clone(),
        audit,
    };
    let service = Arc::new(Service { links: links.clone(), commands, inbox: inbox.clone() });
    let settings = config.http.clone();
    let (rules_count, sources, sinks) =
        (rules.rules().len(), config.sources.len(), config.sinks.len());
    // Without streams nothing is kept for them.
    let streams = hub.clone().filter(|_| config.has_streams());
    let engines =
        Engines::open(&config, &rules, links, (inbox, received, streams)).map_err(printed)?;
    let server = match settings.zip(hub) {
        None => None,
        Some((settings, hub)) => {
            let counters = Arc::new(HttpCounters::default());
            let journals = engines.journals();
            let parts = HttpParts {
                counters: counters.clone(),
                hub: hub.clone(),
                journals: journals.clone(),
            };
            status.lock().http = Some(parts);
            let parts = http::Parts { journals, hub, control: service, counters };
            let server = http::start(settings, parts).map_err(printed)?;
            tracing::info!(addr = %server.addr, "HTTP interface");
            Some(server)
        }
    };
    // Not before: a service that cannot start would wait for the collector to take its last values.
    #[cfg(feature = "otlp")]
    let exporter = {
        let exporter = config.otlp.as_ref();
        let start = |settings| OtlpExporter::start(settings, status.clone(), metrics);
        exporter.map(start).transpose().map_err(printed)?
    };
    tracing::info!(rules = rules_count, sources, sinks, "started");
    end_waits(engines.queues(), stop.clone());
    let thread = thread::Builder::new().name(String::from("engine")).spawn(move || engines.run());
    let thread = thread.map_err(|error| format!("error: cannot start a thread: {error}\n"))?;
    let ended = thread.join().unwrap_or_else(|_| Err(anyhow!("the engine's thread panicked")));
    stop.store(true, Ordering::Relaxed);
    if let Err(error) = &ended {
        status.fail(format!("{error:#}"));
    }
    if let Some(server) = server {
        server.stop();
    }
    #[cfg(feature = "otlp")]
    if let Some(exporter) = exporter {
        exporter.stop();
    }
    ended.map_err(printed)?;
    tracing::info!("stopped");
    Ok(())
}

/// What matches: one engine over files and HTTP, or the workers of Kafka.
enum Engines {
    Host(Box<Host>),
    #[cfg(feature = "kafka")]
    Kafka(Box<KafkaParts>),
}

/// What the workers of Kafka start with.
#[cfg(feature = "kafka")]
struct KafkaParts {
    config: Arc<Config>,
    rules: RuleSet,
    links: Links,
    commands: Receiver<Command>,
    hub: Option<Arc<Hub>>,
}

impl Engines {
    fn open(
        config: &Arc<Config>,
        rules: &RuleSet,
        links: Links,
        (inbox, commands, hub): (Arc<Inbox>, Receiver<Command>, Option<Arc<Hub>>),
    ) -> Result<Engines> {
        if config.kafka.is_some() {
            #[cfg(not(feature = "kafka"))]
            anyhow::bail!("this program was built without Kafka");
            #[cfg(feature = "kafka")]
            {
                let (config, rules) = (config.clone(), rules.clone());
                let parts = KafkaParts { config, rules, links, commands, hub };
                return Ok(Engines::Kafka(Box::new(parts)));
            }
        }
        Ok(Engines::Host(Box::new(Host::open(config, rules, links, (inbox, commands, hub))?)))
    }

    fn journals(&self) -> BTreeMap<String, Arc<Journal>> {
        match self {
            Engines::Host(host) => host.journals(),
            #[cfg(feature = "kafka")]
            Engines::Kafka(_) => BTreeMap::new(),
        }
    }

    fn queues(&self) -> Vec<OutboxQueue> {
        match self {
            Engines::Host(host) => host.queues(),
            #[cfg(feature = "kafka")]
            Engines::Kafka(_) => Vec::new(),
        }
    }

    fn run(self) -> Result<()> {
        match self {
            Engines::Host(host) => host.run(),
            #[cfg(feature = "kafka")]
            Engines::Kafka(parts) => {
                let KafkaParts { config, rules, links, commands, hub } = *parts;
                crate::kafka::run(&config, rules, &links, (commands, hub))
            }
        }
    }
}

fn start_log(form: LogForm) {
    let level = match std::env::var("KLEENE_LOG").as_deref() {
        Ok("error") => tracing::Level::ERROR,
        Ok("warn") => tracing::Level::WARN,
        Ok("debug") => tracing::Level::DEBUG,
        _ => tracing::Level::INFO,
    };
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    let log = log.with_target(false);
    // A second service in one process, as in tests, uses the log of the first.
    let _ = match form {
        LogForm::Text => log.with_ansi(false).try_init(),
        LogForm::Json => log.json().flatten_event(true).try_init(),
    };
}

/// Returns a watermark; null before the first event.
fn shown(watermark: Timestamp) -> Option<String> {
    (watermark > Timestamp::MIN).then(|| watermark.to_string())
}

/// The service as the HTTP interface sees it.
struct Service {
    links: Links,
    commands: Sender<Command>,
    inbox: Arc<Inbox>,
}

impl Service {
    /// Checks an edit, writes it to the audit log and to the file, and puts the rules in force.
    fn edit(&self, who: &str, name: &str, text: Option<&str>) -> Result<Value, ChangeError> {
        let what = if text.is_some() { "put" } else { "delete" };
        let result = self.change(name, text);
        let said = match &result {
            Ok(verdicts) => verdicts.clone(),
            Err(error) => json!({ "refused": error.to_string() }),
        };
        let line = format!("{what} {name}");
        self.links
            .audit
            .add(who, &line, &said)
            .map_err(|error| ChangeError::Failed(error.to_string()))?;
        result
    }

    fn change(&self, name: &str, text: Option<&str>) -> Result<Value, ChangeError> {
        let path = self.links.folder.path_of(name)?;
        if text.is_none() && !path.exists() {
            return Err(ChangeError::Unknown);
        }
        let rules = self.links.folder.edited(Edit { path: &path, text })?;
        let before = std::fs::read_to_string(&path).ok();
        let (reply, answer) = mpsc::sync_channel(1);
        let failed = |reason: &str| ChangeError::Failed(reason.to_owned());
        // The file first: a crash between the two starts with the rules that were sent.
        write_file(&path, text).map_err(|error| ChangeError::Failed(format!("{error:#}")))?;
        self.links.folder.was_edited();
        let sent = self.commands.send(Command::Replace { rules, reply });
        sent.map_err(|_| failed("the engine has stopped"))?;
        self.inbox.wake();
        let answer = answer.recv_timeout(PATIENCE);
        let answer = answer.map_err(|_| failed("the engine has not answered in time"))?;
        answer.map_err(|refused| {
            // The service would not start again with rules that its engine refuses.
            let restored = write_file(&path, before.as_deref());
            self.links.folder.was_edited();
            match restored {
                Ok(()) => ChangeError::Failed(refused),
                Err(error) => ChangeError::Failed(format!("{refused}; {error:#}")),
            }
        })
    }
}

impl Control for Service {
    fn rule_files(&self) -> Vec<RuleFile> {
        self.links.folder.files()
    }

    fn put_rules(&self, who: &str, name: &str, text: &str) -> Result<Value, ChangeError> {
        self.edit(who, name, Some(text))
    }

    fn delete_rules(&self, who: &str, name: &str) -> Result<Value, ChangeError> {
        self.edit(who, name, None)
    }

    fn status(&self) -> Value {
        let status = self.links.status.lock().clone();
        let phase = match &status.phase {
            Phase::Starting => json!("starting"),
            Phase::Running => json!("running"),
            Phase::Stopping => json!("stopping"),
            Phase::Failed(reason) => json!({ "failed": reason }),
        };
        let tasks = status.tasks.iter().map(|task| {
            let sources = task.sources.iter().map(|source| {
                json!({
                    "name": source.name,
                    "events": source.counts.events,
                    "late": source.counts.late,
                    "rejected": source.counts.rejected,
                    "unknown": source.counts.unknown,
                    "watermark": shown(source.watermark),
                    "idle": source.is_idle,
                })
            });
            let rules = task.rules.iter().map(|(name, counts)| {
                json!({ "name": &**name, "matches": counts.matches, "timeouts": counts.timeouts })
            });
            json!({
                "partition": task.partition,
                "watermark": shown(task.watermark),
                "clock": task.clock.as_ref().map(|clock| json!({
                    "source": clock.source,
                    "since": time_of(clock.since).to_string(),
                })),
                "partial_matches": task.stats.partials,
                "keys": task.stats.keys,
                "buffered": task.stats.buffered,
                "sources": sources.collect::<Vec<_>>(),
                "rules": rules.collect::<Vec<_>>(),
            })
        });
        let sinks = status.sinks.iter().map(|sink| {
            json!({
                "name": sink.name,
                "results": sink.counts.results,
                "dropped": sink.counts.dropped,
                "waiting_bytes": sink.counts.waiting,
                "failure": sink.failure,
            })
        });
        json!({
            "phase": phase,
            "checkpoint": status.checkpoint.at.map(|at| time_of(at).to_string()),
            "engines": tasks.collect::<Vec<_>>(),
            "sinks": sinks.collect::<Vec<_>>(),
        })
    }

    fn check_health(&self) -> Result<(), String> {
        match &self.links.status.lock().phase {
            Phase::Failed(reason) => Err(reason.clone()),
            _ => Ok(()),
        }
    }

    fn check_readiness(&self) -> Result<(), String> {
        match &self.links.status.lock().phase {
            Phase::Running => Ok(()),
            Phase::Starting => Err(String::from("the service is starting")),
            Phase::Stopping => Err(String::from("the service is stopping")),
            Phase::Failed(reason) => Err(reason.clone()),
        }
    }

    fn metrics(&self) -> String {
        self.links.metrics.page()
    }
}
