//! Metrics for Prometheus.

mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use self::table::{METRICS, MetricKind, Sample};
use crate::status::SharedStatus;

/// The bounds of the histograms, in seconds.
const BOUNDS: [f64; 13] =
    [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0];

/// The histograms: the name, the meaning.
const HISTOGRAMS: [(&str, &str); 2] = [
    ("kleene_push_seconds", "Time in which the engine took a part of the input"),
    (
        "kleene_latency_seconds",
        "Time from when an event was accepted or read until its results are with the sinks, for \
         parts of the input that have results",
    ),
];

/// The metrics of the service.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    push: Histogram,
    latency: Histogram,
}

impl Metrics {
    pub(crate) fn new(status: Arc<SharedStatus>) -> Metrics {
        let mut registry = Registry::default();
        let [push, latency] = HISTOGRAMS.map(|(name, help)| {
            let histogram = Histogram::new(BOUNDS);
            registry.register(name, help, histogram.clone());
            histogram
        });
        registry.register_collector(Box::new(StatusCollector(status)));
        Metrics { registry, push, latency }
    }

    /// The engine took a part of the input.
    pub(crate) fn pushed(&self, took: Duration) {
        self.push.observe(took.as_secs_f64());
    }

    /// The results of a part of the input are with the sinks.
    pub(crate) fn delivered(&self, accepted: SystemTime) {
        let latency = SystemTime::now().duration_since(accepted).unwrap_or_default();
        self.latency.observe(latency.as_secs_f64());
    }

    /// Returns the page as `OpenMetrics`.
    pub(crate) fn page(&self) -> String {
        let mut page = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut page, &self.registry);
        page
    }
}

/// Reads the table of metrics from the state of the service.
#[derive(Debug)]
struct StatusCollector(Arc<SharedStatus>);

impl Collector for StatusCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let status = self.0.lock().clone();
        let sample = Sample { status: &status, now: SystemTime::now() };
        for metric in METRICS {
            let kind = match metric.kind {
                MetricKind::Counter => MetricType::Counter,
                MetricKind::Gauge => MetricType::Gauge,
            };
            let mut encoder = encoder.encode_descriptor(metric.name, metric.help, None, kind)?;
            let mut written = Ok(());
            metric.report(&sample, &mut |labels, value| {
                let mut write = || -> Result<(), fmt::Error> {
                    let mut encoder = encoder.encode_family(&labels)?;
                    match metric.kind {
                        MetricKind::Counter => {
                            encoder.encode_counter::<NoLabelSet, f64, f64>(&value, None)
                        }
                        MetricKind::Gauge => encoder.encode_gauge(&value),
                    }
                };
                let result = write();
                if written.is_ok() {
                    written = result;
                }
            });
            written?;
        }
        Ok(())
    }
}

/// Returns a page of `OpenMetrics` in the older text format of Prometheus, version 0.0.4. It differs
/// in two things: a counter is described with the `_total` of its samples, and nothing marks the end.
pub(crate) fn plain_page(page: &str) -> String {
    let mut plain = String::with_capacity(page.len());
    let mut add = |parts: &[&str]| parts.iter().for_each(|part| plain.push_str(part));
    // The help comes before the type.
    let mut help = None;
    for line in page.lines().filter(|line| *line != "# EOF") {
        if let Some(text) = line.strip_prefix("# HELP ") {
            help = text.split_once(' ');
            continue;
        }
        let described = line.strip_prefix("# TYPE ").and_then(|text| text.split_once(' '));
        let Some((name, kind)) = described else {
            add(&[line, "\n"]);
            continue;
        };
        let suffix = if kind == "counter" { "_total" } else { "" };
        if let Some((name, text)) = help.take() {
            add(&["# HELP ", name, suffix, " ", text, "\n"]);
        }
        add(&["# TYPE ", name, suffix, " ", kind, "\n"]);
    }
    plain
}
