//! Metrics, as a page for Prometheus and as requests to a collector of OTLP.

mod histogram;
#[cfg(feature = "otlp")]
pub(crate) mod otlp;
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
use prometheus_client::registry::Registry;

use self::histogram::{BOUNDS, Histogram, HistogramReading};
use self::table::{METRICS, MetricKind, Sample};
use crate::status::SharedStatus;

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
    histograms: Arc<Histograms>,
}

/// The histograms of the service.
#[derive(Debug, Default)]
struct Histograms {
    push: Histogram,
    latency: Histogram,
}

impl Histograms {
    /// Returns the values of each histogram, in the order of [`HISTOGRAMS`].
    fn read(&self) -> [HistogramReading; HISTOGRAMS.len()] {
        [self.push.read(), self.latency.read()]
    }
}

impl Metrics {
    pub(crate) fn new(status: Arc<SharedStatus>) -> Metrics {
        let mut registry = Registry::default();
        let histograms = Arc::<Histograms>::default();
        registry.register_collector(Box::new(HistogramCollector(histograms.clone())));
        registry.register_collector(Box::new(StatusCollector(status)));
        Metrics { registry, histograms }
    }

    /// The engine took a part of the input.
    pub(crate) fn pushed(&self, took: Duration) {
        self.histograms.push.observe(took);
    }

    /// The results of a part of the input are with the sinks.
    pub(crate) fn delivered(&self, accepted: SystemTime) {
        let latency = SystemTime::now().duration_since(accepted).unwrap_or_default();
        self.histograms.latency.observe(latency);
    }

    /// Returns the page as `OpenMetrics`.
    pub(crate) fn page(&self) -> String {
        let mut page = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut page, &self.registry);
        page
    }
}

/// Reads the histograms.
#[derive(Debug)]
struct HistogramCollector(Arc<Histograms>);

impl Collector for HistogramCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for ((name, help), reading) in HISTOGRAMS.into_iter().zip(self.0.read()) {
            let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(reading.buckets).collect();
            let mut encoder = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
            encoder.encode_histogram::<NoLabelSet>(reading.sum, reading.count, &buckets, None)?;
        }
        Ok(())
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
