//! Events as Rust types, a pattern with closures, and an engine that takes them in any order.
//!
//! ```text
//! cargo run --example derive_and_builder
//! ```
#![allow(clippy::print_stdout, reason = "it shows what it finds")]

use std::error::Error;
use std::time::Duration;

use kleene::stream::{Late, Match, Sink, Timeout};
use kleene::{Engine, Event, Pattern, Timestamp, Value};

#[derive(Clone, Debug, Event)]
struct OrderCreated {
    order: u32,
    customer: String,
    amount: f64,
    at: Timestamp,
}

#[derive(Clone, Debug, Event)]
struct OrderPaid {
    order: u32,
    /// Seconds since the epoch, as the payment service writes them.
    #[event(time, unit = "s")]
    paid_at: i64,
}

/// What comes in: one Rust type, two event types, `order_created` and `order_paid`.
#[derive(Clone, Debug, Event)]
enum ShopEvent {
    Created(OrderCreated),
    Paid(OrderPaid),
}

/// Prints what the engine reports.
struct Print;

impl Sink<ShopEvent> for Print {
    fn matched(&mut self, found: Match<'_, ShopEvent>) {
        println!("{}: {} has paid order {}", found.reported_at(), name(&found), order(&found));
    }

    fn timed_out(&mut self, timeout: Timeout<'_, ShopEvent>) {
        let found = timeout.as_match();
        println!("{}: {} has not paid order {}", timeout.reported_at(), name(found), order(found));
    }

    fn late(&mut self, late: Late<'_, ShopEvent>) {
        println!("too late: {:?}", late.event);
    }
}

fn name<'a>(found: &Match<'a, ShopEvent>) -> &'a str {
    match found.event("created") {
        Some(ShopEvent::Created(created)) => &created.customer,
        _ => "nobody",
    }
}

fn order(found: &Match<'_, ShopEvent>) -> i64 {
    found.key("order").and_then(Value::as_i64).unwrap_or_default()
}

fn main() -> Result<(), Box<dyn Error>> {
    let pattern = Pattern::begin("created")
        .of::<OrderCreated>()
        .when(|created| created.amount >= 10.0)
        .followed_by("paid")
        .of::<OrderPaid>()
        .within(Duration::from_mins(10))
        .report_timeouts()
        .key("order")
        .build()?;

    let mut engine = Engine::builder()
        .pattern("payment", &pattern)
        .out_of_order(Duration::from_mins(1))
        .build()?;

    let created = |order, customer: &str, amount, second: i64| {
        let at = Timestamp::from_millis(second * 1000);
        ShopEvent::Created(OrderCreated { order, customer: customer.into(), amount, at })
    };
    let paid = |order, second| ShopEvent::Paid(OrderPaid { order, paid_at: second });
    let events = [
        created(1, "Ann", 20.0, 0),
        created(2, "Bob", 5.0, 10), // too small to be watched
        paid(3, 45),                // came before what it pays
        created(3, "Cid", 99.0, 30),
        created(4, "Dot", 10.0, 40),
        paid(1, 599),
        paid(4, 700), // too late for the pattern
        paid(2, 500), // too late for the engine: older than the newest by more than 60 s
    ];
    for event in &events {
        engine.push(event, &mut Print)?;
    }
    engine.end_time(&mut Print)?;
    println!("{:?}", engine.stats());
    Ok(())
}
