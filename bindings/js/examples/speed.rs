//! The native half of `bench.mjs`: `speed W1 EVENTS RUNS` prints the number of outputs and the fewest
//! nanoseconds of RUNS runs, as JSON.

use std::env;
use std::io::{self, Write as _};
use std::time::Instant;

use kleene::Record;
use kleene::stream::{Engine, Ignore};

#[path = "../../../benches/workloads/mod.rs"]
mod suite;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [id, events, runs] = &arguments[..] else {
        return Err("usage: speed W1 EVENTS RUNS".into());
    };
    let workload = suite::Workload::of(id).ok_or("there is no such workload")?;
    let rules = workload.rule_set(1);
    let events = workload.generate(rules.schema(), events.parse()?, 1);
    let (mut outputs, mut least) = (0, u128::MAX);
    for _ in 0..runs.parse::<usize>()? {
        let mut engine: Engine<Record> = Engine::builder().rules(&rules).in_order().build()?;
        let began = Instant::now();
        for event in &events {
            engine.push(event, &mut Ignore)?;
        }
        engine.end_time(&mut Ignore)?;
        least = least.min(began.elapsed().as_nanos());
        outputs = engine.stats().matches + engine.stats().timeouts;
    }
    writeln!(
        io::stdout(),
        "{{\"events\":{},\"outputs\":{outputs},\"nanos\":{least}}}",
        events.len()
    )?;
    Ok(())
}
