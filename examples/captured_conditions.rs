//! Conditions that look at what a partial match has captured already: V shapes in a price.
//!
//! ```text
//! cargo run --example captured_conditions
//! ```
#![allow(clippy::print_stdout, reason = "it shows what it finds")]

use std::error::Error;

use kleene::on_match;
use kleene::{Engine, Event, Pattern, Timestamp};

#[derive(Clone, Debug, Event)]
struct Tick {
    symbol: &'static str,
    price: f64,
    at: Timestamp,
}

fn main() -> Result<(), Box<dyn Error>> {
    // The price falls at least twice, without a rise in between, and then rises above the top.
    let v_shape = Pattern::<Tick>::begin("top")
        .next("down")
        .when_with(|tick, seen| seen.latest().is_some_and(|before| tick.price < before.price))
        .times(2..)
        .consecutive()
        .next("up")
        .when_with(|tick, seen| seen.latest().is_some_and(|before| tick.price > before.price))
        .when_with(|tick, seen| seen.first("top").is_some_and(|top| tick.price <= top.price))
        .one_or_more()
        .consecutive()
        .next("above")
        .when_with(|tick, seen| seen.first("top").is_some_and(|top| tick.price > top.price))
        .key("symbol")
        .build()?;

    let mut engine = Engine::builder().pattern("v_shape", &v_shape).build()?;
    let mut print = on_match(|found: kleene::Match<'_, Tick>| {
        let shape: Vec<String> =
            found.captures().map(|(step, tick)| format!("{step} {}", tick.price)).collect();
        println!("{}: {}", found.reported_at(), shape.join(", "));
    });
    let prices = [
        ("KLN", 10.0),
        ("KLN", 9.0),
        ("CEP", 50.0),
        ("KLN", 7.5),
        ("CEP", 49.0),
        ("KLN", 8.0),
        ("CEP", 51.0), // only one step down
        ("KLN", 9.5),
        ("KLN", 10.5),
    ];
    for (minute, (symbol, price)) in (0..).zip(prices) {
        let at = Timestamp::from_millis(minute * 60_000);
        engine.push(&Tick { symbol, price, at }, &mut print)?;
    }
    engine.end_time(&mut print)?;
    Ok(())
}
