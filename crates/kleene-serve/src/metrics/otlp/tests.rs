use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{self, Receiver};

use super::*;
use crate::config::Secret;
use crate::sink::file::SinkCounts;
use crate::status::SinkStatus;

const LONG: Duration = Duration::from_secs(20);

/// A request: its first line and headers, and its body.
type Received = (Vec<String>, Vec<u8>);

/// A collector that gives these answers, and no more.
fn collector(answers: Vec<(&'static str, Vec<u8>)>) -> (SocketAddr, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (sender, received) = mpsc::channel();
    thread::spawn(move || {
        for (status, answer) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(&stream);
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                head.push(line.trim().to_lowercase());
            }
            let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.unwrap().parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                answer.len()
            )
            .unwrap();
            stream.write_all(&answer).unwrap();
            sender.send((head, body)).unwrap();
        }
    });
    (addr, received)
}

fn settings(url: String) -> Otlp {
    Otlp {
        url: Secret::from(url),
        headers: vec![(String::from("authorization"), Secret::from(String::from("Bearer x")))],
        every: Duration::from_millis(20),
        timeout: LONG,
        attributes: [("service.name", "fraud"), ("host.name", "h1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    }
}

/// The state of a service with two sinks.
fn status() -> Arc<SharedStatus> {
    let shared = Arc::<SharedStatus>::default();
    let sink = |name: &str, results| SinkStatus {
        name: name.to_owned(),
        counts: SinkCounts { results, ..SinkCounts::default() },
        failure: None,
    };
    shared.lock().sinks = vec![sink("one", 7), sink("two", 9)];
    shared
}

/// Returns each value of a request as a line of the page for Prometheus.
fn lines(request: &ExportMetricsServiceRequest) -> Vec<String> {
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let mut lines = Vec::new();
    let text = |value: &NumberDataPoint| match value.value {
        Some(Number::AsDouble(value)) => format!("{value:?}"),
        _ => panic!("{value:?}"),
    };
    let labels = |attributes: &[KeyValue]| {
        let one = |pair: &KeyValue| match pair.value.as_ref().and_then(|it| it.value.as_ref()) {
            Some(Value::StringValue(value)) => format!("{}=\"{value}\"", pair.key),
            other => panic!("{other:?}"),
        };
        let all: Vec<String> = attributes.iter().map(one).collect();
        if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
    };
    for metric in metrics {
        let name = &metric.name;
        match metric.data.as_ref().unwrap() {
            Data::Sum(Sum { data_points, is_monotonic: true, .. }) => {
                for point in data_points {
                    lines.push(format!(
                        "{name}_total{} {}",
                        labels(&point.attributes),
                        text(point)
                    ));
                }
            }
            Data::Gauge(Gauge { data_points }) => {
                for point in data_points {
                    lines.push(format!("{name}{} {}", labels(&point.attributes), text(point)));
                }
            }
            Data::Histogram(Histogram { data_points, .. }) => {
                let point = &data_points[0];
                lines.push(format!("{name}_sum {:?}", point.sum.unwrap()));
                lines.push(format!("{name}_count {}", point.count));
                let mut sum = 0;
                let bounds = point.explicit_bounds.iter().map(|bound| format!("{bound:?}"));
                let bounds = bounds.chain([String::from("+Inf")]);
                for (bound, count) in bounds.zip(&point.bucket_counts) {
                    sum += count;
                    lines.push(format!("{name}_bucket{{le=\"{bound}\"}} {sum}"));
                }
            }
            other => panic!("{other:?}"),
        }
    }
    lines.sort();
    lines
}

#[test]
fn a_request_has_what_the_page_has() {
    let status = status();
    let metrics = Arc::new(Metrics::new(status.clone()));
    metrics.pushed(Duration::from_millis(2));
    metrics.pushed(Duration::from_millis(250));
    let (addr, received) = collector(vec![("200 OK", Vec::new())]);
    let settings = Otlp { every: LONG, ..settings(format!("http://{addr}")) };
    // The last values are sent at the end.
    OtlpExporter::start(&settings, status.clone(), metrics.clone()).unwrap().stop();
    let (head, body) = received.recv_timeout(LONG).unwrap();
    assert_eq!(head[0], "post /v1/metrics http/1.1");
    for header in ["content-type: application/x-protobuf", "authorization: bearer x"] {
        assert!(head.iter().any(|line| line == header), "{head:?}");
    }
    let request = ExportMetricsServiceRequest::decode(&body[..]).unwrap();
    let resource = request.resource_metrics[0].resource.as_ref().unwrap();
    let names: Vec<&str> = resource.attributes.iter().map(|it| &*it.key).collect();
    assert_eq!(names, ["service.version", "host.name", "service.name"]);
    status.lock().otlp.requests = 0;
    let page = metrics.page();
    let mut of_page: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
    of_page.sort_unstable();
    assert_eq!(lines(&request), of_page);
    assert!(page.contains("kleene_sink_results_total{sink=\"two\"} 9.0\n"), "{page}");
}

#[test]
fn a_collector_that_fails_is_counted_and_asked_again() {
    let partial = ExportMetricsServiceResponse {
        partial_success: Some(
            opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsPartialSuccess {
                rejected_data_points: 3,
                error_message: String::from("too old"),
            },
        ),
    };
    let (addr, received) = collector(vec![
        ("503 Service Unavailable", b"later".to_vec()),
        ("200 OK", partial.encode_to_vec()),
        ("200 OK", Vec::new()),
    ]);
    let status = status();
    let metrics = Arc::new(Metrics::new(status.clone()));
    let settings = settings(format!("http://{addr}/custom/path"));
    let exporter = OtlpExporter::start(&settings, status.clone(), metrics).unwrap();
    for _ in 0..3 {
        let (head, _) = received.recv_timeout(LONG).unwrap();
        assert_eq!(head[0], "post /custom/path http/1.1");
    }
    // Nobody listens any more.
    exporter.stop();
    let counts = status.lock().otlp;
    assert_eq!(counts.requests, 1);
    assert!(counts.failures >= 3, "{counts:?}");
}

#[test]
fn a_url_that_cannot_be_used_is_refused() {
    let status = status();
    let metrics = Arc::new(Metrics::new(status.clone()));
    let start = |settings: &Otlp| {
        let started = OtlpExporter::start(settings, status.clone(), metrics.clone());
        format!("{:#}", started.unwrap_err())
    };
    let said = start(&settings(String::from("grpc://127.0.0.1:4317")));
    assert_eq!(said, "`[otlp]`: the URL does not begin with `http://` or `https://`");
    let mut settings = settings(String::from("http://127.0.0.1:4318"));
    settings.headers = vec![(String::from("a b"), Secret::from(String::from("hunter2")))];
    assert_eq!(start(&settings), "`[otlp]`: the header \"a b\" cannot be sent");
}
