//! The state of the service, as the HTTP interface shows it: engine threads write it a few times a
//! second, and nobody waits for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use kleene::Timestamp;
use kleene::stream::{LimitKind, Stats};

use crate::http::HttpCounters;
use crate::hub::Hub;
use crate::journal::Journal;
use crate::sink::file::SinkCounts;
use crate::task::{LaneStatus, RuleCounts, Task};

/// The interval at which engines show their state.
pub(crate) const SHOW: Duration = Duration::from_millis(500);

/// The phase of the service.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum Phase {
    #[default]
    Starting,
    Running,
    Stopping,
    /// The service cannot go on, and why.
    Failed(String),
}

/// The state of one engine.
#[derive(Clone, Debug)]
pub(crate) struct TaskStatus {
    /// The number of the partition; `None` for an engine of files and HTTP.
    pub(crate) partition: Option<i32>,
    pub(crate) stats: Stats,
    pub(crate) memory: usize,
    pub(crate) watermark: Timestamp,
    pub(crate) sources: Vec<LaneStatus>,
    pub(crate) rules: Vec<(Arc<str>, RuleCounts)>,
    pub(crate) limits: Vec<(LimitKind, u64)>,
    pub(crate) clock: Option<ClockHolder>,
}

impl TaskStatus {
    pub(crate) fn of(task: &Task, partition: Option<i32>, clock: &Clock) -> TaskStatus {
        let engine = task.engine();
        TaskStatus {
            partition,
            stats: engine.stats(),
            memory: engine.memory_usage(),
            watermark: engine.watermark(),
            sources: task.status_of_sources(),
            rules: task.counts_of_rules().map(|(rule, counts)| (rule.clone(), counts)).collect(),
            limits: task.reached_limits().collect(),
            clock: clock.holder.clone(),
        }
    }
}

/// The source for which the others wait.
#[derive(Clone, Debug)]
pub(crate) struct ClockHolder {
    pub(crate) source: String,
    /// Its watermark, and the moment since which that has not moved.
    pub(crate) watermark: Timestamp,
    pub(crate) since: SystemTime,
}

/// Follows which source holds the clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    pub(crate) holder: Option<ClockHolder>,
    /// True if the log has it.
    is_said: bool,
}

/// The time after which a source that holds the clock is reported.
const PATIENCE: Duration = Duration::from_secs(5);

impl Clock {
    /// Looks at the sources of a task.
    pub(crate) fn update(&mut self, task: &Task, now: SystemTime) {
        let sources = task.status_of_sources();
        let Some(index) = task.clock_holder() else {
            self.holder = None;
            return;
        };
        let lane = &sources[index];
        let is_same = self
            .holder
            .as_ref()
            .is_some_and(|holder| holder.source == lane.name && holder.watermark == lane.watermark);
        if !is_same {
            if std::mem::take(&mut self.is_said) {
                tracing::info!("the clock moves again");
            }
            let (source, watermark) = (lane.name.clone(), lane.watermark);
            self.holder = Some(ClockHolder { source, watermark, since: now });
            return;
        }
        let Some(holder) = &self.holder else { return };
        let held = now.duration_since(holder.since).unwrap_or_default();
        let others_wait = sources.iter().any(|other| other.watermark > lane.watermark);
        if held >= PATIENCE && others_wait && !std::mem::replace(&mut self.is_said, true) {
            let since = time_of(holder.since);
            tracing::warn!(
                source = lane.name,
                "the source holds the clock since {since}: the others wait for it; `idle_after` \
                 lets them go on without a silent source"
            );
        }
    }
}

/// Returns a moment of the wall clock as a time.
pub(crate) fn time_of(moment: SystemTime) -> Timestamp {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The state of a sink.
#[derive(Clone, Debug)]
pub(crate) struct SinkStatus {
    pub(crate) name: String,
    pub(crate) counts: SinkCounts,
    /// The reason why it cannot take results now.
    pub(crate) failure: Option<String>,
}

/// The last checkpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CheckpointStatus {
    pub(crate) at: Option<SystemTime>,
    pub(crate) took: Duration,
    pub(crate) bytes: usize,
    pub(crate) count: u64,
    pub(crate) failures: u64,
}

impl CheckpointStatus {
    /// A checkpoint was written.
    pub(crate) fn add(&mut self, took: Duration, bytes: usize) {
        (self.at, self.took, self.bytes) = (Some(SystemTime::now()), took, bytes);
        self.count += 1;
    }
}

/// The requests to a collector of OTLP.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OtlpStatus {
    /// Requests that the collector has taken.
    pub(crate) requests: u64,
    pub(crate) failures: u64,
}

/// The parts of the HTTP interface that count.
#[derive(Clone, Debug)]
pub(crate) struct HttpParts {
    pub(crate) counters: Arc<HttpCounters>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) journals: BTreeMap<String, Arc<Journal>>,
}

/// The state of the service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    pub(crate) phase: Phase,
    pub(crate) tasks: Vec<TaskStatus>,
    pub(crate) sinks: Vec<SinkStatus>,
    pub(crate) checkpoint: CheckpointStatus,
    pub(crate) reloads: u64,
    /// Changes of rules that were refused.
    pub(crate) failed_reloads: u64,
    /// Parts of each source that wait for the engine.
    pub(crate) waiting: Vec<(String, usize)>,
    pub(crate) otlp: OtlpStatus,
    /// The counts of the HTTP interface.
    pub(crate) http: Option<HttpParts>,
    /// The counts of each worker of Kafka.
    #[cfg(feature = "kafka")]
    pub(crate) workers: Vec<Arc<kleene_kafka::WorkerStats>>,
}

/// The state of the service, shared by its threads.
#[derive(Debug, Default)]
pub(crate) struct SharedStatus(Mutex<Status>);

impl SharedStatus {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The service cannot go on.
    pub(crate) fn fail(&self, reason: String) {
        tracing::error!("{reason}");
        self.lock().phase = Phase::Failed(reason);
    }
}
