//! The service: its threads, from start to stop.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use kleene::RuleSet;
use kleene_host::rules::Edit;
use serde_json::{Value, json};

use crate::config::{Config, LogForm};
use crate::control::{ChangeError, Control, RuleFile};
use crate::host::{Command, Host, HostLinks};
use crate::metrics::Metrics;
use crate::rules::{AuditLog, RuleFolder, write_file};
use crate::sink::Sinks;
use crate::source::inbox::Inbox;
use crate::status::{Phase, SharedStatus, time_of};

/// The time that a change of rules waits for the engine.
const PATIENCE: Duration = Duration::from_secs(30);

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
    let config = Config::load(path)?;
    start_log(config.log);
    let printed = |error: anyhow::Error| format!("error: {error:#}\n");
    kleene_host::disk::make_directory(&config.state).map_err(|error| {
        format!("error: cannot make the state directory {}: {error}\n", config.state.display())
    })?;
    let audit = AuditLog::open(&config.state).map_err(printed)?;
    let inbox = Arc::new(Inbox::new(config.sources.len()));
    let woken = inbox.clone();
    let (folder, rules) = RuleFolder::open(config.rules.clone(), move || woken.wake())?;
    let folder = Arc::new(folder);
    Sinks::check_rules(&config, &rules);
    let status = Arc::new(SharedStatus::default());
    let metrics = Arc::new(Metrics::new(status.clone()));
    let (commands, received) = mpsc::channel();
    let stop = stop.clone();
    let links = Links { inbox, stop: stop.clone(), status: status.clone(), folder, metrics };
    let _service = Service { links: links.clone(), audit, commands };
    let engines = start_engines(config, rules, links, received).map_err(printed)?;
    let ended = engines.join().unwrap_or_else(|_| Err(anyhow!("the engine's thread panicked")));
    stop.store(true, Ordering::Relaxed);
    ended.map_err(|error| {
        status.fail(format!("{error:#}"));
        printed(error)
    })?;
    tracing::info!("stopped");
    Ok(())
}

/// What the threads of the service share.
#[derive(Clone)]
struct Links {
    inbox: Arc<Inbox>,
    stop: Arc<AtomicBool>,
    status: Arc<SharedStatus>,
    folder: Arc<RuleFolder>,
    metrics: Arc<Metrics>,
}

/// Starts the thread of the engine, or the one that looks after the workers of Kafka.
fn start_engines(
    config: Config,
    rules: RuleSet,
    links: Links,
    commands: Receiver<Command>,
) -> Result<JoinHandle<Result<()>>> {
    let Links { inbox, stop, status, folder, metrics } = links;
    let numbers = (rules.rules().len(), config.sources.len(), config.sinks.len());
    let builder = thread::Builder::new();
    let thread = if config.kafka.is_some() {
        #[cfg(not(feature = "kafka"))]
        anyhow::bail!("this program was built without Kafka");
        #[cfg(feature = "kafka")]
        {
            let links = crate::kafka::KafkaLinks { stop, status, folder, commands, metrics };
            let run = move || crate::kafka::run(Arc::new(config), rules, links);
            builder.name(String::from("kafka")).spawn(run)
        }
    } else {
        let links = HostLinks { inbox, stop, status, folder, commands, metrics };
        let host = Host::open(&config, &rules, links)?;
        builder.name(String::from("engine")).spawn(move || host.run())
    };
    let (rules, sources, sinks) = numbers;
    tracing::info!(rules, sources, sinks, "started");
    thread.context("cannot start a thread")
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

/// The service as the HTTP interface sees it.
struct Service {
    links: Links,
    audit: AuditLog,
    commands: Sender<Command>,
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
        self.audit
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
        let (reply, answer) = mpsc::sync_channel(1);
        let failed = |reason: &str| ChangeError::Failed(reason.to_owned());
        // The file first: a crash between the two starts with the rules that were sent.
        write_file(&path, text).map_err(|error| ChangeError::Failed(format!("{error:#}")))?;
        self.links.folder.was_edited();
        let sent = self.commands.send(Command::Replace { rules, reply });
        sent.map_err(|_| failed("the engine has stopped"))?;
        self.links.inbox.wake();
        let answer = answer.recv_timeout(PATIENCE);
        let answer = answer.map_err(|_| failed("the engine has not answered in time"))?;
        answer.map_err(ChangeError::Failed)
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
                    "watermark": source.watermark.to_string(),
                    "idle": source.is_idle,
                })
            });
            let rules = task.rules.iter().map(|(name, counts)| {
                json!({ "name": &**name, "matches": counts.matches, "timeouts": counts.timeouts })
            });
            json!({
                "partition": task.partition,
                "watermark": task.watermark.to_string(),
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
