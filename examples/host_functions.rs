//! Rules that call functions of the program around them: here one that knows where shops are.
//!
//! ```text
//! cargo run --example host_functions
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it shows what it finds")]

use std::collections::BTreeMap;
use std::error::Error;

use kleene::diagnostic::Source;
use kleene::ruleset::HostFunction;
use kleene::stream::Output;
use kleene::value::{Kind, Value, ValueRef};
use kleene::{Engine, Record, RuleSet, Timestamp};

const RULES: &str = r#"
event paid { card: string, shop: string, amount: float, at: time }

rule two_countries {
  about  "A card was used in two countries within an hour"
  key    card
  match  paid as here -> paid[country(shop) != country(here.shop)] as there
  within 1h
  emit   { card, from: country(here.shop), to: country(there.shop), euro: euro(there.amount, "SEK") }
}
"#;

/// A look-up in a table that the program has read from somewhere.
fn country() -> HostFunction {
    let table = BTreeMap::from([("alster", "DE"), ("gamla stan", "SE"), ("reeperbahn", "DE")]);
    HostFunction::new("country", Kind::STRING, move |args| match args {
        // What is not known is null, and a comparison with null is false.
        [ValueRef::String(shop)] => table.get(shop).map_or(Value::Null, |&code| Value::from(code)),
        _ => Value::Null,
    })
    .param("shop", Kind::STRING)
}

/// A computation; the currency can be left out.
fn euro() -> HostFunction {
    HostFunction::new("euro", Kind::FLOAT, |args| match args {
        [ValueRef::Float(amount), ValueRef::String("SEK")] => Value::Float(amount * 0.09),
        [ValueRef::Float(amount)] => Value::Float(*amount),
        _ => Value::Null,
    })
    .param("amount", Kind::FLOAT)
    .optional("currency", Kind::STRING)
}

fn main() -> Result<(), Box<dyn Error>> {
    let load = |text: &str| {
        let builder = RuleSet::builder().function(country()).function(euro());
        builder.source(Source::new("cards.cep", text)).build()
    };
    let rules = load(RULES)?;

    let paid = |card: &str, shop: &str, amount: f64, minute: i64| {
        let at = Timestamp::from_millis(minute * 60_000);
        let fields = [
            ("card", card.into()),
            ("shop", shop.into()),
            ("amount", amount.into()),
            ("at", at.into()),
        ];
        let fields: [(&str, Value); 4] = fields;
        Record::from_fields(rules.schema(), "paid", fields)
    };
    let events = [
        paid("4711", "alster", 12.0, 0),
        paid("4712", "gamla stan", 99.0, 5),
        paid("4711", "reeperbahn", 30.0, 10),
        paid("4711", "gamla stan", 500.0, 20),
        paid("4712", "nowhere", 1.0, 30),
    ];
    let events: Vec<Record> = events.into_iter().collect::<Result<_, _>>()?;

    let mut engine = Engine::builder().rules(&rules).in_order().build()?;
    let mut reported: Vec<Output<Record>> = Vec::new();
    engine.push_batch(&events, &mut reported)?;
    engine.end_time(&mut reported)?;
    for output in reported {
        if let Output::Match(found) = output {
            println!("{} {} {}", found.reported_at, found.rule, found.emit);
        }
    }

    // The checker knows what they take and give.
    if let Err(errors) = load(&RULES.replace("euro(there.amount", "euro(there.shop")) {
        eprintln!("\n{errors}");
    }
    Ok(())
}
