//! The results, their date and the machine, as a file to keep.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use kleene::Timestamp;
use serde_json::{Value, json};

use crate::Options;
use crate::report::{OUT_OF_ORDER, Report, SHARE};

/// Writes the numbers to `DATE-COMMIT.json` in `dir`. A later run of that day and commit replaces
/// it.
pub(crate) fn record(dir: &Path, report: &Report, options: &Options) -> Result<PathBuf, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let now = Timestamp::from_millis(i64::try_from(now).unwrap_or(0)).to_string();
    let date = now.get(..10).unwrap_or(&now);
    let commit = commit();
    let file = dir.join(format!("{date}-{commit}.json"));
    let workloads: Vec<Value> = report
        .rows
        .iter()
        .map(|row| {
            json!({
                            "id": row.id,
                            "events": row.events,
                            "matches": row.counts.matches,
                            "timeouts": row.counts.timeouts,
                            "million_events_per_second": rounded(row.rate(row.engine)),
                            "by_hand": rounded(row.rate(row.baseline)),
                            "share": rounded(row.share),
                            "share_verdict": SHARE.verdict(row.share),
                            "out_of_order": rounded(row.out_of_order),
                            "out_of_order_verdict":
            OUT_OF_ORDER.verdict(row.out_of_order),
                            "peak_heap_bytes": row.peak,
                            "peak_heap_bytes_by_hand": row.peak_by_hand,
                        })
        })
        .collect();
    let figures: Vec<Value> = report
        .figures
        .iter()
        .map(|figure| {
            json!({
                "name": figure.name,
                "value": rounded(figure.value),
                "unit": figure.unit,
                "verdict": figure.bound.map(|bound| bound.verdict(figure.value)),
                "note": figure.note,
            })
        })
        .collect();
    let all = json!({
        "time": now,
        "commit": commit,
        "cpu": cpu(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "load": first_line("/proc/loadavg"),
        "rustc": output("rustc", &["--version"]),
        "streams": if options.dir.is_some() { "files" } else { "made up" },
        "runs": options.runs,
        "workloads": workloads,
        "figures": figures,
        "wrong": report.wrong,
    });
    let text = serde_json::to_string_pretty(&all).map_err(|error| error.to_string())?;
    fs::write(&file, text + "\n").map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

/// To four digits after the point: there is no more to it.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// The commit, with `-dirty` where the tree differs from it.
fn commit() -> String {
    let Some(commit) = output("git", &["rev-parse", "--short", "HEAD"]) else {
        return "unknown".to_owned();
    };
    match output("git", &["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if !changes.is_empty() => commit + "-dirty",
        _ => commit,
    }
}

fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn first_line(file: &str) -> Option<String> {
    Some(fs::read_to_string(file).ok()?.lines().next()?.to_owned())
}

/// Returns the output of a command; `None` if the command fails.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
