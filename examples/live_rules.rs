//! Rules that are edited while a stream goes on: what an edit would do, and what it does.
//!
//! ```text
//! cargo run --example live_rules
//! ```
#![allow(clippy::print_stdout, reason = "it shows what it finds")]

use std::error::Error;

use kleene::on_match;
use kleene::{Engine, Record, RuleSet, Timestamp};

/// The rules with a condition of the second step, and a deadline.
fn rules(packed: &str, deadline: &str) -> Result<RuleSet, Box<dyn Error>> {
    Ok(RuleSet::parse(&format!(
        "event created {{ order: int, at: time }}
         event packed  {{ order: int, items: int, at: time }}
         event sent    {{ order: int, at: time }}

         rule not_sent {{
           key    order
           match  created -> packed{packed} -> not sent for {deadline}
           within 30d
           emit   {{ order, due: match.end }}
         }}"
    ))?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut engine: Engine<Record> = Engine::builder().rules(&rules("", "2d")?).build()?;
    let mut sink = on_match(|found| {
        println!("{:016x} {} {}", found.rule().version, found.rule().name, found.to_record());
    });
    // Events are made with the engine's numbers, which stay what they are when rules change.
    let at = |hour: i64| ("at", Timestamp::from_millis(hour * 3_600_000).into());
    for (ty, order, hour) in [("created", 1, 0), ("packed", 1, 1), ("created", 2, 2)] {
        let mut fields = vec![("order", order.into()), at(hour)];
        if ty == "packed" {
            fields.push(("items", 3.into()));
        }
        let event = Record::from_fields(engine.schema(), ty, fields)?;
        engine.push(&event, &mut sink)?;
    }

    // A deadline moves for all; a condition drops what has passed it.
    for new in [rules("", "1d")?, rules("[items > 0]", "1d")?] {
        println!("would be {}", engine.plan_replacement(&new));
        println!("is       {}", engine.replace_rules(&new)?);
    }

    let fields = [("order", 2.into()), ("items", 1.into()), at(3)];
    let event = Record::from_fields(engine.schema(), "packed", fields)?;
    engine.push(&event, &mut sink)?;
    engine.end_time(&mut sink)?;
    Ok(())
}
