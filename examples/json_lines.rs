//! Rules from a file over JSON lines from a file.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it shows what it finds")]

use kleene::{Engine, RuleSet, on_match};
use kleene_input::RecordReader;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rules = RuleSet::from_path("examples/unpaid.cep")?;
    let mut engine = Engine::builder().rules(&rules).build()?;
    let mut sink = on_match(|unpaid| {
        if let Some(customer) = unpaid.get("customer") {
            println!("{} {customer}", unpaid.reported_at());
        }
    });
    for event in RecordReader::open("examples/data/orders.jsonl", rules.schema())? {
        match event {
            Ok(event) => engine.push(&event, &mut sink)?,
            Err(error) => eprintln!("{error}"),
        }
    }
    engine.end_input(&mut sink)?;
    Ok(())
}
