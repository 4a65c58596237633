//! Topics of Kafka in and out: workers, each with a thread, a consumer, a producer and the engines of
//! its partitions.

mod decoders;
mod key_check;
mod lines;
mod processor;
mod rules;
mod store;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use kleene::RuleSet;
use kleene_kafka::{
    Client as _, ClientError, Delivery, ErrorKind, RdClient, RdConfig, Worker, WorkerConfig,
};

use self::decoders::decoder;
use self::processor::{Partitions, SharedParts};
use self::rules::CurrentRules;
use crate::config::{self, Config, Kafka, TopicSource};
use crate::hub::Hub;
use crate::links::{Command, Links, Reply};
use crate::sink::{Sinks, end_waits};
use crate::status::Phase;

/// The interval at which rules are looked at.
const TICK: Duration = Duration::from_millis(100);

/// The time that a call to Kafka may take before the service says what is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// The time between two attempts to reach a broker.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs the workers until they are stopped, or one cannot go on.
pub(crate) fn run(
    config: &Arc<Config>,
    rules: RuleSet,
    links: &Links,
    (commands, hub): (Receiver<Command>, Option<Arc<Hub>>),
) -> Result<()> {
    let kafka = config.kafka.as_ref().context("there is no table `[kafka]`")?;
    let topics = topics(config);
    for topic in &topics {
        // Each worker makes its own. A file that cannot be used is reported before anything starts.
        decoder(&topic.encoding).with_context(|| format!("the topic {}", topic.topic))?;
    }
    let count = || count_partitions(kafka, &topics);
    let Some(partitions) = until_reached(&links.stop, count)? else { return Ok(()) };
    check_rules(&rules, kafka, partitions)?;
    let sinks = Sinks::open(config, None, hub)?;
    end_waits(sinks.queues(), links.stop.clone());
    let shared = Arc::new(SharedParts {
        folder: config.state.join("kafka").join(&kafka.group),
        rules: CurrentRules::new(rules),
        sinks: Mutex::new(sinks),
        links: links.clone(),
        partitions,
        config: config.clone(),
    });
    let stopped = Arc::<AtomicBool>::default();
    let mut threads = Vec::new();
    for number in 0..kafka.workers {
        let (shared, stop) = (shared.clone(), stopped.clone());
        let settings = worker_config(config, &topics);
        let client = client_config(kafka, number);
        let run = move || {
            let ended = run_worker((client, settings), shared, &stop);
            // One that cannot go on ends all: its partitions would go to workers that fail as well.
            stop.store(true, Ordering::Release);
            ended
        };
        let thread = thread::Builder::new().name(format!("worker {number}")).spawn(run);
        threads.push(thread.context("cannot start a thread")?);
    }
    links.status.lock().phase = Phase::Running;
    while !links.stop.load(Ordering::Relaxed) && !stopped.load(Ordering::Acquire) {
        thread::sleep(TICK);
        follow_rules(&shared, kafka, &commands);
    }
    stopped.store(true, Ordering::Release);
    links.status.lock().phase = Phase::Stopping;
    let mut result = Ok(());
    for thread in threads {
        let ended = thread.join().unwrap_or_else(|_| Err(anyhow!("a worker's thread panicked")));
        result = result.and(ended);
    }
    shared.sinks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).flush();
    result
}

fn topics(config: &Config) -> Vec<&TopicSource> {
    config.sources.iter().filter_map(config::Source::topic).collect()
}

/// Follows files of rules and requests. Each engine puts the rules in force at its next event.
fn follow_rules(shared: &SharedParts, kafka: &Kafka, commands: &Receiver<Command>) {
    let links = &shared.links;
    let check = |rules: &RuleSet| {
        let checked = check_rules(rules, kafka, shared.partitions);
        let reason = checked.map_err(|error| format!("{error:#}"));
        reason.inspect_err(|reason| links.refuse_rules(reason))
    };
    let put = |rules: RuleSet, reply: Option<Reply>| {
        links.status.lock().reloads += 1;
        shared.rules.replace(rules, reply);
    };
    links.follow_files(|rules| {
        check(&rules)?;
        put(rules, None);
        Ok(serde_json::json!("each partition follows"))
    });
    while let Ok(Command::Replace { rules, reply }) = commands.try_recv() {
        match check(&rules) {
            Ok(()) => put(rules, Some(reply)),
            // Nobody listens if the request has timed out.
            Err(reason) => drop(reply.send(Err(reason))),
        }
    }
}

/// Fails if a rule needs events of several partitions.
fn check_rules(rules: &RuleSet, kafka: &Kafka, partitions: i32) -> Result<()> {
    if partitions == 1 || kafka.trusts_partitions {
        return Ok(());
    }
    let is_whole = |reason: &kleene::stream::UndividedReason| {
        !matches!(reason, kleene::stream::UndividedReason::Fails(_))
    };
    let whole = rules.undivided();
    let reasons = whole.iter().filter(|one| is_whole(&one.reason));
    let reasons: Vec<String> =
        reasons.map(|one| format!("the rule `{}`: {}", one.rule, one.reason)).collect();
    if reasons.is_empty() {
        return Ok(());
    }
    bail!(
        "these rules need events of several partitions, and each of the {partitions} partitions has \
         an engine of its own; use a topic with one partition for them, or set `trust_partitions = \
         true` if one partition has all that they look at:\n  {}",
        reasons.join("\n  ")
    )
}

fn client_config(kafka: &Kafka, worker: usize) -> RdConfig {
    let mut client = RdConfig::new(&*kafka.brokers, &*kafka.group);
    if kafka.delivery == config::Delivery::ExactlyOnce {
        let id = format!("{}-{}-{worker}", kafka.group, kafka.instance);
        client = client.with_transactional_id(id);
    }
    client.connect_timeout = PATIENCE;
    let properties = kafka.properties.iter();
    let properties = properties.map(|(name, value)| (name.clone(), value.reveal().to_owned()));
    client.properties = properties.collect::<BTreeMap<String, String>>();
    client
}

fn worker_config(config: &Config, topics: &[&TopicSource]) -> WorkerConfig {
    let names = topics.iter().map(|topic| topic.topic.clone()).collect();
    let mut worker = WorkerConfig::new(names);
    let outputs = config.sinks.iter().filter_map(config::Sink::topic);
    worker.outputs = outputs.map(str::to_owned).collect();
    let kafka = config.kafka.as_ref();
    worker.delivery = match kafka.map(|kafka| kafka.delivery) {
        Some(config::Delivery::AtLeastOnce) => Delivery::AtLeastOnce,
        _ => Delivery::ExactlyOnce,
    };
    worker.commit_interval = config.checkpoint_every;
    worker
}

/// Calls brokers until one answers. Returns `None` if the service is to end before that.
fn until_reached<T>(stop: &AtomicBool, mut call: impl FnMut() -> Result<T>) -> Result<Option<T>> {
    while !stop.load(Ordering::Relaxed) {
        match call() {
            Err(error) if is_unanswered(&error) => tracing::warn!("{error:#}"),
            outcome => return outcome.map(Some),
        }
        thread::sleep(PAUSE);
    }
    Ok(None)
}

fn is_unanswered(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(|error: &ClientError| error.kind == ErrorKind::Retriable)
}

/// Returns the number of partitions, which all topics of the sources share.
fn count_partitions(kafka: &Kafka, topics: &[&TopicSource]) -> Result<i32> {
    let mut settings = client_config(kafka, 0);
    // Nothing is sent: no older producer is cut off.
    settings.transactional_id = None;
    let mut client = RdClient::connect(settings).context("cannot reach Kafka")?;
    let mut counts = Vec::new();
    for TopicSource { topic, .. } in topics {
        let count = client.partition_count(topic, PATIENCE).context("cannot reach Kafka")?;
        counts.push((topic, count.with_context(|| format!("there is no topic {topic}"))?));
    }
    let Some(&(first, count)) = counts.first() else { bail!("no source is a topic") };
    if let Some((topic, other)) = counts.iter().find(|(_, other)| *other != count) {
        bail!(
            "the topics {first} and {topic} have {count} and {other} partitions: events of one key \
             would be in different engines"
        );
    }
    Ok(count)
}

fn run_worker(
    (client, settings): (RdConfig, WorkerConfig),
    shared: Arc<SharedParts>,
    stop: &AtomicBool,
) -> Result<()> {
    let status = shared.links.status.clone();
    let connect = || RdClient::connect(client.clone()).context("cannot reach Kafka");
    let Some(client) = until_reached(stop, connect)? else { return Ok(()) };
    let mut worker = Worker::new(client, Partitions::new(shared)?, settings);
    status.lock().workers.push(worker.stats());
    worker.run(stop)?;
    Ok(())
}
