//! The table of metrics: the name, the meaning and the values of each. `docs/service.md` has the
//! same table, which a test compares.

use std::time::SystemTime;

use kleene::Timestamp;
use kleene::stream::Stats;
use kleene_kafka::StatsReading;

use crate::journal::JournalStats;
use crate::status::{ClockHolder, HttpParts, Phase, SinkStatus, Status, TaskStatus, time_of};
use crate::task::{LaneStatus, RuleCounts};

/// The kind of a metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum MetricKind {
    /// A number that only grows, from the start of the process. Its name ends with `_total` on the
    /// page.
    Counter,
    Gauge,
}

/// A metric.
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: MetricKind,
    /// The names of its labels.
    #[cfg_attr(not(test), expect(dead_code, reason = "the documentation has them"))]
    pub(crate) labels: &'static [&'static str],
    pub(crate) help: &'static str,
    /// Calls back with the labels of each value.
    values: fn(&Sample<'_>, &mut Report<'_>),
}

/// Receives values with their labels.
type Report<'a> = dyn FnMut(&[(&'static str, String)], f64) + 'a;

/// What the values are taken from.
#[derive(Clone, Copy)]
pub(crate) struct Sample<'a> {
    pub(crate) status: &'a Status,
    pub(crate) now: SystemTime,
}

impl Metric {
    /// Calls `report` with each value and its labels.
    pub(crate) fn report(&self, sample: &Sample<'_>, report: &mut Report<'_>) {
        (self.values)(sample, report);
    }
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    values: fn(&Sample<'_>, &mut Report<'_>),
) -> Metric {
    Metric { name, kind: MetricKind::Counter, labels, help, values }
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    values: fn(&Sample<'_>, &mut Report<'_>),
) -> Metric {
    Metric { name, kind: MetricKind::Gauge, labels, help, values }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
fn float(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or(u64::MAX) as f64
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
fn seconds(time: Timestamp) -> f64 {
    time.as_millis() as f64 / 1000.0
}

/// Reports a number of all engines together.
fn of_engines(sample: &Sample<'_>, report: &mut Report<'_>, value: impl Fn(&Stats) -> u64) {
    let all = sample.status.tasks.iter().map(|task| value(&task.stats));
    report(&[], float(all.fold(0, u64::saturating_add)));
}

/// Reports a value of each source of each engine.
fn of_sources(
    sample: &Sample<'_>,
    report: &mut Report<'_>,
    value: impl Fn(&TaskStatus, &LaneStatus) -> Option<f64>,
) {
    for task in &sample.status.tasks {
        for source in &task.sources {
            if let Some(value) = value(task, source) {
                report(&labels(task, &source.name), value);
            }
        }
    }
}

fn labels(task: &TaskStatus, source: &str) -> Vec<(&'static str, String)> {
    let mut labels = vec![("source", source.to_owned())];
    labels.extend(task.partition.map(|number| ("partition", number.to_string())));
    labels
}

/// Reports a number of each rule, over all engines.
fn of_rules(sample: &Sample<'_>, report: &mut Report<'_>, value: fn(&RuleCounts) -> u64) {
    let Some(first) = sample.status.tasks.first() else { return };
    for (rule, _) in &first.rules {
        let tasks = sample.status.tasks.iter().flat_map(|task| &task.rules);
        let all = tasks.filter(|(name, _)| name == rule).map(|(_, counts)| value(counts));
        report(&[("rule", rule.to_string())], float(all.sum::<u64>()));
    }
}

fn of_sinks(sample: &Sample<'_>, report: &mut Report<'_>, value: fn(&SinkStatus) -> f64) {
    for sink in &sample.status.sinks {
        report(&[("sink", sink.name.clone())], value(sink));
    }
}

fn of_clocks(sample: &Sample<'_>, report: &mut Report<'_>, value: impl Fn(&ClockHolder) -> f64) {
    for task in &sample.status.tasks {
        if let Some(clock) = &task.clock {
            report(&labels(task, &clock.source), value(clock));
        }
    }
}

fn of_http(sample: &Sample<'_>, report: &mut Report<'_>, value: fn(&HttpParts) -> u64) {
    if let Some(http) = &sample.status.http {
        report(&[], float(value(http)));
    }
}

fn of_journals(sample: &Sample<'_>, report: &mut Report<'_>, value: fn(&JournalStats) -> u64) {
    for (name, journal) in sample.status.http.iter().flat_map(|http| &http.journals) {
        report(&[("source", name.clone())], float(value(&journal.stats())));
    }
}

#[cfg(feature = "kafka")]
fn kafka(sample: &Sample<'_>) -> impl Iterator<Item = StatsReading> {
    sample.status.workers.iter().map(|worker| worker.read())
}

/// Without Kafka there are no workers; the table has its rows all the same.
#[cfg(not(feature = "kafka"))]
fn kafka(_: &Sample<'_>) -> impl Iterator<Item = StatsReading> {
    std::iter::empty()
}

fn of_workers(sample: &Sample<'_>, report: &mut Report<'_>, value: fn(&StatsReading) -> f64) {
    for (number, reading) in kafka(sample).enumerate() {
        report(&[("worker", number.to_string())], value(&reading));
    }
}

/// A source that has sent nothing yet has no watermark.
fn has_begun(source: &LaneStatus) -> bool {
    source.watermark > Timestamp::MIN
}

/// The labels of what is counted for each source; `partition` only where it is one of Kafka.
const SOURCE: &[&str] = &["source", "partition"];

/// All metrics but the histograms.
pub(crate) const METRICS: &[Metric] = &[
    gauge(
        "kleene_up",
        &[],
        "1 while the service runs; 0 while it starts or stops, or after it has failed",
        |sample, report| {
            report(&[], f64::from(u8::from(sample.status.phase == Phase::Running)));
        },
    ),
    counter(
        "kleene_events",
        SOURCE,
        "Events that have come, late and unknown ones included",
        |sample, report| {
            of_sources(sample, report, |_, source| Some(float(source.counts.events)));
        },
    ),
    counter("kleene_read_bytes", SOURCE, "Bytes of input that were read", |sample, report| {
        of_sources(sample, report, |_, source| Some(float(source.counts.bytes)));
    }),
    counter(
        "kleene_late_events",
        SOURCE,
        "Events that came at or before the watermark; no rule reads them",
        |sample, report| {
            of_sources(sample, report, |_, source| Some(float(source.counts.late)));
        },
    ),
    counter(
        "kleene_rejected_events",
        SOURCE,
        "Input that is not an event, and events that the engine cannot take",
        |sample, report| {
            of_sources(sample, report, |_, source| Some(float(source.counts.rejected)));
        },
    ),
    counter(
        "kleene_unknown_events",
        SOURCE,
        "Events of types that no rule file declares",
        |sample, report| {
            of_sources(sample, report, |_, source| Some(float(source.counts.unknown)));
        },
    ),
    counter(
        "kleene_deletion_records",
        SOURCE,
        "Records of Kafka without a value, which delete a key; no rule reads them",
        |sample, report| {
            of_sources(sample, report, |_, source| Some(float(source.counts.deletions)));
        },
    ),
    counter(
        "kleene_keyless_events",
        &[],
        "Events that a rule skipped because a part of its key is null or missing",
        |sample, report| {
            of_engines(sample, report, |stats| stats.keyless);
        },
    ),
    counter("kleene_derived_events", &[], "Events that rules made for others", |sample, report| {
        of_engines(sample, report, |stats| stats.derived);
    }),
    counter("kleene_matches", &["rule"], "Matches that were reported", |sample, report| {
        of_rules(sample, report, |counts| counts.matches);
    }),
    counter("kleene_timeouts", &["rule"], "Timeouts that were reported", |sample, report| {
        of_rules(sample, report, |counts| counts.timeouts);
    }),
    counter(
        "kleene_filtered_matches",
        &[],
        "Matches that `having` kept from being reported",
        |sample, report| {
            of_engines(sample, report, |stats| stats.filtered);
        },
    ),
    counter(
        "kleene_suppressed_matches",
        &[],
        "Matches that `suppress` kept from being reported",
        |sample, report| {
            of_engines(sample, report, |stats| stats.suppressed);
        },
    ),
    counter(
        "kleene_limits_reached",
        &["limit"],
        "Limits that were reached; partial matches may have been dropped",
        |sample, report| {
            let mut all = std::collections::BTreeMap::new();
            for (limit, count) in sample.status.tasks.iter().flat_map(|task| &task.limits) {
                *all.entry(limit.as_str()).or_insert(0) += count;
            }
            for (limit, count) in all {
                report(&[("limit", limit.to_owned())], float(count));
            }
        },
    ),
    counter(
        "kleene_evaluation_errors",
        &[],
        "Divisions by zero, and values that were too large; the result is null",
        |sample, report| {
            of_engines(sample, report, |stats| stats.divided_by_zero + stats.values_too_large);
        },
    ),
    gauge("kleene_partial_matches", &[], "Open partial matches", |sample, report| {
        of_engines(sample, report, |stats| stats.partials);
    }),
    gauge("kleene_keys", &[], "Keys with state, over all rules", |sample, report| {
        of_engines(sample, report, |stats| stats.keys);
    }),
    gauge(
        "kleene_spilled_keys",
        &[],
        "Keys with state that are in the folder of `spill`",
        |sample, report| {
            of_engines(sample, report, |stats| stats.cold);
        },
    ),
    gauge(
        "kleene_captured_bytes",
        &[],
        "Size of the events that partial matches have captured",
        |sample, report| {
            of_engines(sample, report, |stats| stats.captured_bytes);
        },
    ),
    gauge(
        "kleene_engine_bytes",
        &[],
        "Memory of the engines, without the captured and buffered events",
        |sample, report| {
            let all = sample.status.tasks.iter().map(|task| task.memory).sum::<usize>();
            report(&[], float(all));
        },
    ),
    gauge("kleene_buffered_events", &[], "Events that wait for the watermark", |sample, report| {
        of_engines(sample, report, |stats| stats.buffered);
    }),
    gauge(
        "kleene_buffered_bytes",
        &[],
        "Size of the events that wait for the watermark",
        |sample, report| {
            of_engines(sample, report, |stats| stats.buffered_bytes);
        },
    ),
    gauge(
        "kleene_watermark_seconds",
        SOURCE,
        "Watermark of a source, as seconds since 1970",
        |sample, report| {
            of_sources(sample, report, |_, source| {
                has_begun(source).then(|| seconds(source.watermark))
            });
        },
    ),
    gauge(
        "kleene_watermark_lag_seconds",
        SOURCE,
        "Time of the clock minus the watermark of a source",
        |sample, report| {
            let now = seconds(time_of(sample.now));
            of_sources(sample, report, |_, source| {
                has_begun(source).then(|| now - seconds(source.watermark))
            });
        },
    ),
    gauge(
        "kleene_source_idle",
        SOURCE,
        "1 if the other sources do not wait for this one",
        |sample, report| {
            of_sources(sample, report, |_, source| Some(f64::from(u8::from(source.is_idle))));
        },
    ),
    gauge(
        "kleene_clock_holder",
        SOURCE,
        "1 for the source for which the others wait",
        |sample, report| {
            of_clocks(sample, report, |_| 1.0);
        },
    ),
    gauge(
        "kleene_clock_held_seconds",
        SOURCE,
        "Time since the source for which the others wait has moved its watermark",
        |sample, report| {
            of_clocks(sample, report, |clock| {
                sample.now.duration_since(clock.since).unwrap_or_default().as_secs_f64()
            });
        },
    ),
    gauge(
        "kleene_queue_length",
        &["source"],
        "Parts of the input of a source that wait for the engine, at most 4",
        |sample, report| {
            for (source, length) in &sample.status.waiting {
                report(&[("source", source.clone())], float(*length));
            }
        },
    ),
    counter("kleene_checkpoints", &[], "Checkpoints that were written", |sample, report| {
        report(&[], float(sample.status.checkpoint.count));
    }),
    counter(
        "kleene_checkpoint_failures",
        &[],
        "Checkpoints that could not be written",
        |sample, report| {
            report(&[], float(sample.status.checkpoint.failures));
        },
    ),
    gauge(
        "kleene_checkpoint_duration_seconds",
        &[],
        "Time that the last checkpoint took to write",
        |sample, report| {
            report(&[], sample.status.checkpoint.took.as_secs_f64());
        },
    ),
    gauge(
        "kleene_checkpoint_age_seconds",
        &[],
        "Time since the last checkpoint was written",
        |sample, report| {
            if let Some(at) = sample.status.checkpoint.at {
                report(&[], sample.now.duration_since(at).unwrap_or_default().as_secs_f64());
            }
        },
    ),
    gauge("kleene_checkpoint_bytes", &[], "Size of the last checkpoint", |sample, report| {
        report(&[], float(sample.status.checkpoint.bytes));
    }),
    counter("kleene_rule_reloads", &[], "Changes of rules that took effect", |sample, report| {
        report(&[], float(sample.status.reloads));
    }),
    counter(
        "kleene_rule_reload_failures",
        &[],
        "Changes of rules that were refused; the old rules went on",
        |sample, report| {
            report(&[], float(sample.status.failed_reloads));
        },
    ),
    counter("kleene_sink_results", &["sink"], "Results that a sink has taken", |sample, report| {
        of_sinks(sample, report, |sink| float(sink.counts.results));
    }),
    counter(
        "kleene_sink_bytes",
        &["sink"],
        "Bytes of results that a sink has taken",
        |sample, report| {
            of_sinks(sample, report, |sink| float(sink.counts.bytes));
        },
    ),
    counter(
        "kleene_sink_failures",
        &["sink"],
        "Failed attempts of a sink to write or to send",
        |sample, report| {
            of_sinks(sample, report, |sink| float(sink.counts.failures));
        },
    ),
    counter(
        "kleene_sink_dropped_results",
        &["sink"],
        "Results that were lost because a sink could not take them",
        |sample, report| {
            of_sinks(sample, report, |sink| float(sink.counts.dropped));
        },
    ),
    gauge(
        "kleene_sink_waiting_bytes",
        &["sink"],
        "Bytes of results that wait for a sink",
        |sample, report| {
            of_sinks(sample, report, |sink| float(sink.counts.waiting));
        },
    ),
    gauge(
        "kleene_sink_up",
        &["sink"],
        "1 while a sink takes results, 0 while it fails",
        |sample, report| {
            of_sinks(sample, report, |sink| f64::from(u8::from(sink.failure.is_none())));
        },
    ),
    counter(
        "kleene_http_requests",
        &["route", "status"],
        "Requests, by route and class of status",
        |sample, report| {
            let Some(http) = &sample.status.http else { return };
            for (route, status, count) in http.counters.requests() {
                report(
                    &[("route", route.name().to_owned()), ("status", status.to_owned())],
                    float(count),
                );
            }
        },
    ),
    counter(
        "kleene_http_refused_requests",
        &["reason"],
        "Requests that were refused, by reason",
        |sample, report| {
            let Some(http) = &sample.status.http else { return };
            for (reason, count) in http.counters.refused() {
                report(&[("reason", reason.name().to_owned())], float(count));
            }
        },
    ),
    counter(
        "kleene_http_received_events",
        &[],
        "Lines of events that were accepted",
        |sample, report| of_http(sample, report, |http| http.counters.lines_in()),
    ),
    counter(
        "kleene_http_received_bytes",
        &[],
        "Bytes of events that were received",
        |sample, report| {
            of_http(sample, report, |http| http.counters.bytes_in());
        },
    ),
    counter(
        "kleene_http_repeated_requests",
        &[],
        "Requests whose idempotency key was known; their events are there once",
        |sample, report| {
            of_http(sample, report, |http| http.counters.repeats());
        },
    ),
    gauge("kleene_http_connections", &[], "Open connections", |sample, report| {
        of_http(sample, report, |http| http.counters.open_connections());
    }),
    gauge("kleene_http_streams", &[], "Open streams of results", |sample, report| {
        of_http(sample, report, |http| http.hub.clients() as u64);
    }),
    counter(
        "kleene_http_skipped_results",
        &[],
        "Results that slow readers of streams have missed",
        |sample, report| {
            of_http(sample, report, |http| http.hub.skipped());
        },
    ),
    gauge(
        "kleene_journal_unread_bytes",
        &["source"],
        "Bytes that were accepted over HTTP and that the engine has not taken yet",
        |sample, report| {
            of_journals(sample, report, |stats| stats.unread);
        },
    ),
    gauge(
        "kleene_journal_bytes",
        &["source"],
        "Bytes of accepted events that are kept until a checkpoint covers them",
        |sample, report| {
            of_journals(sample, report, |stats| stats.end - stats.start);
        },
    ),
    counter(
        "kleene_journal_failures",
        &["source"],
        "Events that could not be written to the disk; the clients were answered so",
        |sample, report| {
            of_journals(sample, report, |stats| stats.failures);
        },
    ),
    gauge(
        "kleene_kafka_lag",
        &["topic", "partition"],
        "Records between the position in a partition and its end",
        |sample, report| {
            for reading in kafka(sample) {
                for (partition, lag) in reading.lag {
                    let labels = [
                        ("topic", partition.topic.to_string()),
                        ("partition", partition.number.to_string()),
                    ];
                    report(&labels, float(lag.max(0)));
                }
            }
        },
    ),
    counter(
        "kleene_kafka_records",
        &["worker"],
        "Records that were read, those included that were read again after an abort",
        |sample, report| {
            of_workers(sample, report, |reading| float(reading.records));
        },
    ),
    counter(
        "kleene_kafka_sent_records",
        &["worker"],
        "Records that were sent, those of aborted transactions included",
        |sample, report| {
            of_workers(sample, report, |reading| float(reading.sent));
        },
    ),
    counter(
        "kleene_kafka_commits",
        &["worker"],
        "Commits of results and positions",
        |sample, report| {
            of_workers(sample, report, |reading| float(reading.commits));
        },
    ),
    counter(
        "kleene_kafka_aborts",
        &["worker"],
        "Transactions that were aborted; their records are read again",
        |sample, report| {
            of_workers(sample, report, |reading| float(reading.aborts));
        },
    ),
    counter(
        "kleene_kafka_rebuilds",
        &["worker"],
        "Connections that were given up and made again",
        |sample, report| {
            of_workers(sample, report, |reading| float(reading.rebuilds));
        },
    ),
    counter("kleene_kafka_retries", &["worker"], "Calls that were repeated", |sample, report| {
        of_workers(sample, report, |reading| float(reading.retries));
    }),
    gauge(
        "kleene_kafka_fenced",
        &["worker"],
        "1 after another instance with the same name has cut this worker off",
        |sample, report| {
            of_workers(sample, report, |reading| float(reading.fenced));
        },
    ),
    gauge(
        "kleene_kafka_partitions",
        &["worker"],
        "Partitions that a worker has, by their numbers",
        |sample, report| {
            of_workers(sample, report, |reading| float(reading.tasks));
        },
    ),
    gauge(
        "kleene_kafka_paused_partitions",
        &["worker"],
        "Partitions that are not read because results wait to be sent",
        |sample, report| {
            of_workers(sample, report, |reading| float(reading.paused));
        },
    ),
    gauge(
        "kleene_kafka_commit_duration_seconds",
        &["worker"],
        "Time that the last commit took, with its snapshots",
        |sample, report| {
            of_workers(sample, report, |reading| reading.commit_duration.as_secs_f64());
        },
    ),
    gauge(
        "kleene_kafka_commit_age_seconds",
        &["worker"],
        "Time since the last commit",
        |sample, report| {
            for (number, reading) in kafka(sample).enumerate() {
                if let Some(at) = reading.commit_time {
                    let age = sample.now.duration_since(at).unwrap_or_default();
                    report(&[("worker", number.to_string())], age.as_secs_f64());
                }
            }
        },
    ),
    counter(
        "kleene_otlp_requests",
        &[],
        "Requests with metrics that a collector of OTLP has taken",
        |sample, report| report(&[], float(sample.status.otlp.requests)),
    ),
    counter(
        "kleene_otlp_failures",
        &[],
        "Requests with metrics that a collector of OTLP has not taken, or only in part",
        |sample, report| report(&[], float(sample.status.otlp.failures)),
    ),
];
