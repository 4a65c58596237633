//! Measures one workload on a file that `workloads.py` wrote, and prints one JSON object.
//!
//! ```text
//! cargo run --release --example workloads -- W1 orders.csv
//! cargo run --release --example workloads -- W1 orders.csv --baseline
//! cargo run --release --example workloads -- W1 orders.csv --out-of-order 5000
//! cargo run --release --example workloads -- W8 funnel.csv --rules 1000
//! ```
//!
//! `seconds` is the time for matching alone: the events were parsed before. `peak_rss_kb` is the
//! most memory that the process ever held, events included, and null where the system is not Linux.
//! `--baseline` runs the state machine that was written by hand for the workload. `--out-of-order
//! N` shuffles the events by up to N milliseconds and sends them through the reorder buffer.

#[path = "../benches/workloads/mod.rs"]
mod suite;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use kleene::Record;
use kleene::stream::{Engine, Ignore, Stats};
use suite::{Counts, Workload};

const USAGE: &str = "usage: workloads W1..W8 FILE.csv [--baseline] [--out-of-order MS] [--rules N]";

struct Options {
    workload: &'static Workload,
    file: PathBuf,
    baseline: bool,
    out_of_order: Option<u32>,
    rules: usize,
}

fn main() -> ExitCode {
    match options().and_then(|options| measure(&options)) {
        Ok(line) => {
            #[expect(clippy::print_stdout, reason = "the result")]
            {
                println!("{line}");
            }
            ExitCode::SUCCESS
        }
        Err(message) => {
            #[expect(clippy::print_stderr, reason = "the one message of a failed run")]
            {
                eprintln!("workloads: {message}");
            }
            ExitCode::from(2)
        }
    }
}

fn options() -> Result<Options, String> {
    let mut args = std::env::args().skip(1);
    let id = args.next().ok_or(USAGE)?;
    let workload = Workload::of(&id).ok_or_else(|| format!("no workload `{id}`; {USAGE}"))?;
    let file = args.next().ok_or(USAGE)?.into();
    let mut options = Options { workload, file, baseline: false, out_of_order: None, rules: 1000 };
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|text| text.parse().ok()).ok_or(USAGE);
        match arg.as_str() {
            "--baseline" => options.baseline = true,
            "--out-of-order" => options.out_of_order = Some(number()?),
            "--rules" => options.rules = number()? as usize,
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(options)
}

fn measure(options: &Options) -> Result<String, String> {
    let workload = options.workload;
    let rules = workload.rule_set(options.rules);
    let mut events = suite::read(&options.file, rules.schema())?;
    let mut stats = Stats::default();
    let (how, counts, seconds) = if options.baseline {
        let start = Instant::now();
        let counts = (workload.baseline)(&events, options.rules);
        ("baseline", counts, start.elapsed().as_secs_f64())
    } else {
        let builder = workload.builder(&rules);
        let builder = match options.out_of_order {
            Some(bound) => {
                events = suite::shuffle(&events, bound);
                builder.out_of_order(Duration::from_millis(bound.into()))
            }
            None => builder.in_order(),
        };
        let mut engine: Engine<Record> = builder.build().map_err(|error| error.to_string())?;
        let start = Instant::now();
        engine.push_batch(&events, &mut Ignore).map_err(|error| error.to_string())?;
        engine.end_time(&mut Ignore).expect("no limit fails");
        let seconds = start.elapsed().as_secs_f64();
        stats = engine.stats();
        ("engine", Counts { matches: stats.matches, timeouts: stats.timeouts }, seconds)
    };
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = events.len() as f64 / seconds;
    Ok(format!(
        "{{\"workload\":\"{}\",\"run\":\"{how}\",\"events\":{},\"seconds\":{seconds:.4},\
         \"events_per_second\":{rate:.0},\"matches\":{},\"timeouts\":{},\"late\":{},\
         \"overflowed\":{},\"peak_partials\":{},\"peak_rss_kb\":{}}}",
        workload.id,
        events.len(),
        counts.matches,
        counts.timeouts,
        stats.late,
        stats.overflowed,
        stats.peak_partials,
        peak_rss().map_or("null".to_owned(), |kb| kb.to_string()),
    ))
}

/// The process's peak resident memory in kilobytes, where Linux reports it.
fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
