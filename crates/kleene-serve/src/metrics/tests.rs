use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

#[test]
fn names_are_those_of_prometheus() {
    for name in METRICS.iter().map(|metric| metric.name).chain(HISTOGRAMS.map(|(name, _)| name)) {
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

#[test]
fn the_plain_page_describes_what_it_has() {
    let page = Metrics::new(Arc::default()).page();
    let plain = plain_page(&page);
    assert!(plain.contains("# TYPE kleene_checkpoints_total counter\n"), "{plain}");
    assert!(plain.contains("# HELP kleene_checkpoints_total Checkpoints that were written\n"));
    assert!(plain.contains("# TYPE kleene_latency_seconds histogram\n"), "{plain}");
    assert!(!plain.contains("EOF"), "{plain}");
    let samples = |page: &str| {
        page.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(samples(&plain), samples(&page));
    assert_eq!(plain.lines().count() + 1, page.lines().count());
}

/// Returns the name of each metric as it is on the page, and its kind.
fn samples() -> Vec<(String, &'static str)> {
    let of_table = METRICS.iter().map(|metric| match metric.kind {
        MetricKind::Counter => (format!("{}_total", metric.name), "counter"),
        MetricKind::Gauge => (metric.name.to_owned(), "gauge"),
    });
    let of_histograms = HISTOGRAMS.iter().map(|(name, _)| ((*name).to_owned(), "histogram"));
    of_table.chain(of_histograms).collect()
}

/// Returns a file of the repository. The published crate comes without them.
fn file_of_repository(path: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path));
    if text.is_err() {
        eprintln!("skipped: there is no {path}");
    }
    text.ok()
}

/// Returns the names of metrics in a text.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    text.split(move |character| !is_part(character)).filter(|word| word.starts_with("kleene_"))
}

#[test]
fn alerts_and_the_dashboard_use_metrics_that_exist() {
    let mut known = BTreeSet::new();
    for (name, kind) in samples() {
        if kind == "histogram" {
            known.extend(["bucket", "sum", "count"].map(|part| format!("{name}_{part}")));
        }
        known.insert(name);
    }
    for path in [
        "deploy/prometheus/alerts.yml",
        "deploy/prometheus/alerts.test.yml",
        "deploy/grafana/kleene.json",
    ] {
        let Some(text) = file_of_repository(path) else { continue };
        let unknown: BTreeSet<_> = names_in(&text).filter(|name| !known.contains(*name)).collect();
        assert!(unknown.is_empty(), "{path} has {unknown:?}");
        assert!(names_in(&text).count() > 20, "{path} has no names");
    }
    let Some(dashboard) = file_of_repository("deploy/grafana/kleene.json") else { return };
    let shown: BTreeSet<_> = names_in(&dashboard).collect();
    for (name, kind) in samples() {
        let name = if kind == "histogram" { format!("{name}_bucket") } else { name };
        assert!(shown.contains(&*name), "the dashboard does not have {name}");
    }
}

#[test]
fn the_page_of_the_documentation_has_the_same_metrics() {
    let Some(text) = file_of_repository("docs/service.md") else { return };
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `kleene_"));
    let described: BTreeSet<(String, String)> = rows
        .map(|row| {
            let mut cells = row.split('|').map(str::trim);
            let name = cells.next().unwrap_or_default().trim_end_matches('`');
            (format!("kleene_{name}"), cells.next().unwrap_or_default().to_owned())
        })
        .collect();
    let known = samples().into_iter().map(|(name, kind)| (name, kind.to_owned())).collect();
    let missing: Vec<_> = BTreeSet::difference(&known, &described).collect();
    let unknown: Vec<_> = described.difference(&known).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "docs/service.md does not have {missing:?}, and has {unknown:?}"
    );
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
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/service.md");
    // The packed crate is tested without the page.
    let Ok(text) = fs::read_to_string(&page) else { return };
    let start = text.find("| metric | kind |").unwrap();
    let end = start + text[start..].find("\n\n").unwrap() + 1;
    let table = documented();
    if std::env::var_os("KLEENE_TEST_UPDATE").is_some() {
        fs::write(&page, format!("{}{table}{}", &text[..start], &text[end..])).unwrap();
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
