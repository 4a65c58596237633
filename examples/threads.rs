//! Four threads, a snapshot, and new rules while the stream runs.
#![allow(clippy::print_stdout, reason = "it shows what it finds")]

use kleene::{Output, Record, RuleSet};
use kleene_input::RecordReader;
use kleene_runner::Runner;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("examples/unpaid.cep")?;
    let rules = RuleSet::parse(&text)?;
    let sink = |output: Output<Record>| {
        if let Output::Match(unpaid) = output {
            println!("{} {}", unpaid.reported_at, unpaid["customer"]);
        }
    };
    let mut runner = Runner::builder().rules(&rules).threads(4).start(sink)?;
    for event in RecordReader::open("examples/data/orders.jsonl", rules.schema())? {
        runner.push(event?)?;
    }
    let snapshot = runner.snapshot()?; // one part for each thread
    runner.stop()?;

    let (mut runner, _) = Runner::builder().rules(&rules).threads(2).restore(&snapshot, sink)?;
    let patient = RuleSet::parse(&text.replace("for 30m", "for 1h"))?;
    println!("{}", runner.replace_rules(&patient)?);
    println!("{} matches", runner.end_time()?.stats.matches);
    Ok(())
}
