//! Every number that Kleene holds itself to, in one table.
//!
//! ```text
//! cargo bench --bench ratios                          # over streams that it makes up
//! cargo bench --bench ratios -- DIR                   # over orders.csv, logins.csv, ... in DIR
//! cargo bench --bench ratios -- DIR --only W2,W4 --runs 3
//! cargo bench --bench ratios -- DIR --record benches/record
//! ```
//!
//! The engine and the state machine that was written by hand for a workload run alternately in this
//! one process, so that a loaded machine slows both: what counts is the ratio, in the median of
//! `--runs`. All events are parsed before. A wrong count, by the state machine or by what is known
//! of the full streams, is reported at the end, with exit code 1.
//!
//! Memory is counted by the allocator, in runs of their own: what the engine asks for beyond the
//! events, which belong to the caller and are shared with it.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]

mod busy;
mod columns;
mod explosive;
mod figures;
mod machine;
mod measure;
mod report;
mod sizes;
#[path = "../workloads/mod.rs"]
mod suite;

use std::path::PathBuf;
use std::process::ExitCode;

use report::Report;

const USAGE: &str = "usage: cargo bench --bench ratios -- [DIR] [--only W1,W2,..] [--runs N] \
                     [--events N] [--out-of-order MS] [--record DIR]";

/// The measurements to make.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Where the streams are; made up where there is none.
    dir: Option<PathBuf>,
    /// The ids of the workloads; all of them where empty.
    only: Vec<String>,
    runs: usize,
    /// The number of events of a made-up stream.
    events: usize,
    /// By how many milliseconds events are late in the runs through the reorder buffer.
    out_of_order: u32,
    /// Where to write the numbers as JSON.
    record: Option<PathBuf>,
    /// Only whether everything runs and counts right, as `cargo bench -- --test` asks.
    test: bool,
}

impl Options {
    fn wants(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only.eq_ignore_ascii_case(id))
    }
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("ratios: {message}");
            ExitCode::from(2)
        }
    }
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        dir: None,
        only: Vec::new(),
        runs: 5,
        events: 500_000,
        out_of_order: 5000,
        record: None,
        test: false,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("`{arg}` wants a value; {USAGE}"));
        let number = |text: String| {
            text.parse().ok().filter(|n| *n > 0).ok_or(format!("`{text}` is not a positive number"))
        };
        match arg.as_str() {
            // What cargo adds.
            "--bench" => {}
            "--test" => options.test = true,
            "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
            "--runs" => options.runs = number(value()?)? as usize,
            "--events" => options.events = number(value()?)? as usize,
            "--out-of-order" => options.out_of_order = number(value()?)?,
            "--record" => options.record = Some(value()?.into()),
            _ if arg.starts_with('-') => return Err(format!("no option `{arg}`; {USAGE}")),
            _ => options.dir = Some(arg.into()),
        }
    }
    let is_known = |id: &str| {
        suite::Workload::of(id).is_some()
            || busy::IDS.iter().any(|known| known.eq_ignore_ascii_case(id))
    };
    if let Some(unknown) = options.only.iter().find(|id| !is_known(id)) {
        return Err(format!("no workload `{unknown}`; {USAGE}"));
    }
    if options.test {
        options = Options { runs: 1, events: 2000, ..options };
    }
    Ok(options)
}

/// Measures and reports; false if a count is wrong.
fn run(options: &Options) -> Result<bool, String> {
    let mut report = Report::default();
    for workload in &suite::WORKLOADS {
        // W7 and W8 are measured by their number of events and rules, among the figures.
        if options.wants(workload.id) && !matches!(workload.id, "W7" | "W8") {
            eprintln!("{} {} ...", workload.id, workload.name);
            measure::workload(workload, options, &mut report)?;
        }
    }
    columns::all(options, &mut report)?;
    figures::all(options, &mut report)?;
    if options.test {
        println!("ratios: {} workloads ran", report.rows.len());
    } else {
        print!("{report}");
    }
    for wrong in &report.wrong {
        eprintln!("ratios: wrong: {wrong}");
    }
    if let Some(dir) = &options.record {
        let file = machine::record(dir, &report, options)?;
        eprintln!("recorded in {}", file.display());
    }
    Ok(report.wrong.is_empty())
}
