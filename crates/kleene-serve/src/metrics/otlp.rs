//! Metrics that are sent to a collector of OpenTelemetry, by OTLP over HTTP in Protobuf.
//!
//! A request has the values of all metrics since the start of the process, as the page for Prometheus
//! has them. So a request that fails is not repeated: the next one says the same and more.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

use super::table::{METRICS, MetricKind, Sample};
use super::{BOUNDS, HISTOGRAMS, HistogramReading, Metrics};
use crate::client::{self, MAX_ANSWER, Stop};
use crate::config::Otlp;
use crate::status::{SharedStatus, Status};

/// Where a collector takes metrics, if the URL has no path.
const PATH: &str = "v1/metrics";

/// Sends metrics until it is stopped.
#[derive(Debug)]
pub(crate) struct OtlpExporter {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl OtlpExporter {
    /// Starts the thread that sends.
    ///
    /// # Errors
    /// The URL or a header cannot be sent, or there is no thread.
    pub(crate) fn start(
        settings: &Otlp,
        status: Arc<SharedStatus>,
        metrics: Arc<Metrics>,
    ) -> Result<OtlpExporter> {
        let of_table = || "`[otlp]`";
        let uri = client::check_url(settings.url.reveal()).with_context(of_table)?;
        let url = settings.url.reveal();
        let url = match uri.path() {
            "" | "/" => format!("{}/{PATH}", url.trim_end_matches('/')),
            _ => url.to_owned(),
        };
        let headers = settings.headers.iter().map(|(name, value)| (&**name, value.reveal()));
        let sender = Sender {
            url,
            headers: client::headers("application/x-protobuf", headers).with_context(of_table)?,
            agent: client::agent(settings.timeout),
            resource: resource(settings),
            start: SystemTime::now(),
            status,
            metrics,
        };
        let stop = Arc::<Stop>::default();
        let (stopped, every) = (stop.clone(), settings.every);
        let thread = thread::Builder::new().name(String::from("otlp"));
        let thread = thread.spawn(move || sender.run(&stopped, every))?;
        Ok(OtlpExporter { stop, thread: Some(thread) })
    }

    /// Sends the last values, and stops.
    pub(crate) fn stop(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        self.stop.set();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for OtlpExporter {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Returns the attributes that name the service.
fn resource(settings: &Otlp) -> Resource {
    let known = [("service.name", "kleene"), ("service.version", env!("CARGO_PKG_VERSION"))];
    let known = known.into_iter().filter(|(name, _)| !settings.attributes.contains_key(*name));
    let given = settings.attributes.iter().map(|(name, value)| (&**name, &**value));
    let attributes = known.chain(given).map(|(name, value)| attribute(name, value)).collect();
    Resource { attributes, ..Resource::default() }
}

fn attribute(name: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(Value::StringValue(value.to_owned())) };
    KeyValue { key: name.to_owned(), value: Some(value), ..KeyValue::default() }
}

/// The thread that sends.
struct Sender {
    url: String,
    headers: HeaderMap,
    agent: Agent,
    resource: Resource,
    /// The moment at which all counters were 0.
    start: SystemTime,
    status: Arc<SharedStatus>,
    metrics: Arc<Metrics>,
}

impl Sender {
    fn run(self, stop: &Stop, every: Duration) {
        loop {
            let is_last = stop.wait(every);
            match self.send() {
                Ok(()) => self.status.lock().otlp.requests += 1,
                Err(error) => {
                    let failures = {
                        let mut status = self.status.lock();
                        status.otlp.failures += 1;
                        status.otlp.failures
                    };
                    // The first, and then ever more rarely.
                    if failures.is_power_of_two() {
                        let error = format!("{error:#}");
                        tracing::warn!(error, failures, "metrics were not taken by the collector");
                    }
                }
            }
            if is_last {
                return;
            }
        }
    }

    fn send(&self) -> Result<()> {
        let status = self.status.lock().clone();
        let times = (self.start, SystemTime::now());
        let metrics = metrics(&status, &self.metrics.histograms.read(), times);
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(InstrumentationScope {
                        name: String::from("kleene"),
                        version: String::from(env!("CARGO_PKG_VERSION")),
                        ..InstrumentationScope::default()
                    }),
                    metrics,
                    schema_url: String::new(),
                }],
                schema_url: String::new(),
            }],
        };
        let mut post = Request::post(&self.url);
        if let Some(headers) = post.headers_mut() {
            headers.clone_from(&self.headers);
        }
        let mut response = self.agent.run(post.body(&request.encode_to_vec()[..])?)?;
        let status = response.status();
        // The connection is used again only after the answer is read.
        let answer = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        let answer = answer.unwrap_or_default();
        anyhow::ensure!(status.is_success(), client::refusal(status, &answer));
        // A collector can take a part. An answer that is no message says nothing.
        let answer = ExportMetricsServiceResponse::decode(&answer[..]).unwrap_or_default();
        let partial = answer.partial_success.unwrap_or_default();
        anyhow::ensure!(
            partial.rejected_data_points == 0,
            "{} values were rejected: {}",
            partial.rejected_data_points,
            partial.error_message
        );
        Ok(())
    }
}

/// Returns all metrics that have values, from `start` until `now`.
fn metrics(
    status: &Status,
    histograms: &[HistogramReading],
    (start, now): (SystemTime, SystemTime),
) -> Vec<Metric> {
    let (start_time_unix_nano, time_unix_nano) = (nanos(start), nanos(now));
    let cumulative = AggregationTemporality::Cumulative.into();
    let sample = Sample { status, now };
    let of_table = METRICS.iter().map(|metric| {
        let mut data_points = Vec::new();
        metric.report(&sample, &mut |labels, value| {
            data_points.push(NumberDataPoint {
                attributes: labels.iter().map(|(name, value)| attribute(name, value)).collect(),
                start_time_unix_nano,
                time_unix_nano,
                value: Some(Number::AsDouble(value)),
                ..NumberDataPoint::default()
            });
        });
        let has_values = !data_points.is_empty();
        let data = match metric.kind {
            MetricKind::Counter => Data::Sum(Sum {
                data_points,
                aggregation_temporality: cumulative,
                is_monotonic: true,
            }),
            MetricKind::Gauge => Data::Gauge(Gauge { data_points }),
        };
        has_values.then(|| described((metric.name, metric.help), data))
    });
    let of_histograms = HISTOGRAMS.into_iter().zip(histograms).map(|(described_as, reading)| {
        let data_point = HistogramDataPoint {
            start_time_unix_nano,
            time_unix_nano,
            count: reading.count,
            sum: Some(reading.sum),
            bucket_counts: reading.buckets.to_vec(),
            explicit_bounds: BOUNDS.to_vec(),
            ..HistogramDataPoint::default()
        };
        let (data_points, aggregation_temporality) = (vec![data_point], cumulative);
        described(described_as, Data::Histogram(Histogram { data_points, aggregation_temporality }))
    });
    of_table.flatten().chain(of_histograms).collect()
}

/// Returns a metric. Its unit follows from its name.
fn described((name, help): (&str, &str), data: Data) -> Metric {
    let unit = match name.rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        _ => "",
    };
    Metric {
        name: name.to_owned(),
        description: help.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn nanos(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
