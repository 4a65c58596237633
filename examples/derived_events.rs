//! Rules that feed other rules: what one of them finds is an event to the next.
//!
//! ```text
//! cargo run --example derived_events
//! ```
#![allow(clippy::print_stdout, reason = "it shows what it finds")]

use std::error::Error;

use kleene::on_match;
use kleene::{Engine, Record, RuleSet, Timestamp, Value};

const RULES: &str = r#"
event order { id: string, user: string, at: time }
event paid  { id: string, at: time }

rule unpaid {
  key    id
  match  order as o -> paid
  within 10m
  on timeout emit as reminder { user: o.user, id, due: match.end }
}
rule lost {
  about  "Two orders were not paid in time, and no one ordered again"
  key    user
  match  reminder{2} as r -> not order for 1h
  within 1d
  emit   { user, first: first(r.id), last: last(r.id), due: last(r.due) }
  suppress 1d
}
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let rules = RuleSet::parse(RULES)?;
    let minute = |minute: i64| Timestamp::from_millis(minute * 60_000);
    let order = |id: &str, user: &str, at: i64| {
        let fields: [(&str, Value); 3] =
            [("id", id.into()), ("user", user.into()), ("at", minute(at).into())];
        Record::from_fields(rules.schema(), "order", fields)
    };
    let events = [order("1", "ann", 0)?, order("2", "bob", 3)?, order("3", "ann", 7)?];

    let mut engine = Engine::builder().rules(&rules).build()?;
    let mut sink = on_match(|found| {
        println!("{} {} {}", found.reported_at(), found.rule().name, found.to_record());
    });
    engine.push_batch(&events, &mut sink)?;
    // Nothing else comes: time alone brings the timeouts, and what the other rule makes of them.
    engine.advance(minute(200), &mut sink)?;
    let stats = engine.stats();
    println!("{} timeouts, {} of them events to other rules", stats.timeouts, stats.derived);
    Ok(())
}
