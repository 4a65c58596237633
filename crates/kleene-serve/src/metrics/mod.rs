//! Metrics for Prometheus.

mod table;

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

    /// Returns the page in the text format.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_prometheus() {
        for name in METRICS.iter().map(|metric| metric.name).chain(HISTOGRAMS.map(|(name, _)| name))
        {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(name.starts_with("kleene_") && name.bytes().all(is_plain), "{name}");
            assert!(!name.ends_with("_total"), "the encoder adds it: {name}");
        }
        let page = Metrics::new(Arc::default()).page();
        assert!(page.contains("# TYPE kleene_checkpoints counter\n"), "{page}");
        assert!(page.contains("kleene_checkpoints_total 0.0\n"), "{page}");
        assert!(page.contains("kleene_up 0.0\n"), "{page}");
        assert!(page.ends_with("# EOF\n"), "{page}");
    }

    /// Returns the table of the documentation.
    fn documented() -> String {
        let mut table = String::from("| metric | kind | labels | meaning |\n|---|---|---|---|\n");
        for metric in METRICS {
            let (kind, end) = match metric.kind {
                MetricKind::Counter => ("counter", "_total"),
                MetricKind::Gauge => ("gauge", ""),
            };
            let (name, labels, help) = (metric.name, metric.labels.join(", "), metric.help);
            table.extend(["| `", name, end, "` | ", kind, " | ", &labels, " | ", help, " |\n"]);
        }
        for (name, help) in HISTOGRAMS {
            table.extend(["| `", name, "` | histogram |  | ", help, " |\n"]);
        }
        table
    }

    #[test]
    fn the_documentation_has_the_table() {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/service.md");
        // The packed crate is tested without the page.
        let Ok(text) = std::fs::read_to_string(&page) else { return };
        let start = text.find("| metric | kind |").unwrap();
        let end = start + text[start..].find("\n\n").unwrap() + 1;
        let table = documented();
        if std::env::var_os("KLEENE_TEST_UPDATE").is_some() {
            std::fs::write(&page, format!("{}{table}{}", &text[..start], &text[end..])).unwrap();
            return;
        }
        assert_eq!(
            text[start..end],
            table,
            "KLEENE_TEST_UPDATE=1 cargo test -p kleene-serve writes it"
        );
    }

    #[test]
    fn values_have_the_labels_that_the_table_says() {
        let status = crate::status::Status::default();
        let sample = Sample { status: &status, now: SystemTime::now() };
        for metric in METRICS {
            metric.report(&sample, &mut |labels, _| {
                let names: Vec<&str> = labels.iter().map(|(name, _)| *name).collect();
                assert!(names.iter().all(|name| metric.labels.contains(name)), "{}", metric.name);
            });
        }
    }
}
