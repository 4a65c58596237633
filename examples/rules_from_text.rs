//! Rules that are loaded at run time, over events made at run time (`Record`) and over Rust types.
//!
//! ```text
//! cargo run --example rules_from_text
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it shows what it finds")]

use std::error::Error;
use std::time::Duration;

use kleene::stream::Output;
use kleene::{Engine, Event, Record, RuleSet, Timestamp, Value};

const RULES: &str = r#"
event order_created { order_id: string, user: string, amount: float, at: time }
event order_paid    { order_id: string, at: time }

rule unpaid_order {
  about   "Nobody paid this order in time"
  param   wait: duration = 10m
  key     order_id
  match   order_created[amount > 0] as o -> not order_paid for $wait
  emit    { user: o.user, amount: o.amount, due: o.at + $wait }
}

rule big_spender {
  key     user
  from    order_created
  match   order_created{3} as orders
  within  1h
  emit    { user, total: sum(orders.amount) }
}
"#;

/// Events whose types are known at run time only.
fn records(rules: &RuleSet) -> Result<Vec<Record>, Box<dyn Error>> {
    let at = |minute: i64| ("at", Timestamp::from_millis(minute * 60_000).into());
    let created = |order: &str, user: &str, amount: f64, minute| {
        let fields = [("order_id", order.into()), ("user", user.into()), ("amount", amount.into())];
        let fields: Vec<(&str, Value)> = fields.into_iter().chain([at(minute)]).collect();
        Record::from_fields(rules.schema(), "order_created", fields)
    };
    let paid = |order: &str, minute| {
        Record::from_fields(rules.schema(), "order_paid", [("order_id", order.into()), at(minute)])
    };
    let records = [
        created("1", "ann", 9.5, 0),
        created("2", "bob", 5.0, 1),
        created("3", "ann", 20.0, 2),
        paid("1", 9),
        created("4", "ann", 1.5, 30),
        paid("4", 31),
        paid("3", 40),
    ];
    Ok(records.into_iter().collect::<Result<_, _>>()?)
}

/// The same rules run over Rust types: linked by the names of types and fields. A type may have
/// more fields than the rules declare.
#[derive(Clone, Debug, Event)]
struct OrderCreated {
    order_id: String,
    user: &'static str,
    amount: f64,
    coupon: Option<u32>,
    at: Timestamp,
}

#[derive(Clone, Debug, Event)]
struct OrderPaid {
    order_id: String,
    at: Timestamp,
}

#[derive(Clone, Debug, Event)]
enum ShopEvent {
    Created(OrderCreated),
    Paid(OrderPaid),
}

fn typed() -> Vec<ShopEvent> {
    let at = |minute: i64| Timestamp::from_millis(minute * 60_000);
    let new = |order: u32, coupon, minute| {
        let (order_id, at) = (order.to_string(), at(minute));
        ShopEvent::Created(OrderCreated { order_id, user: "cid", amount: 1.0, coupon, at })
    };
    vec![
        new(7, None, 0),
        new(8, Some(5), 1),
        ShopEvent::Paid(OrderPaid { order_id: "7".into(), at: at(2) }),
    ]
}

fn run<E: Event>(rules: &RuleSet, events: &[E]) -> Result<(), Box<dyn Error>> {
    let mut engine = Engine::builder().rules(rules).out_of_order(Duration::from_secs(5)).build()?;
    let mut reported: Vec<Output<E>> = Vec::new(); // a sink that keeps everything
    engine.push_batch(events, &mut reported)?;
    engine.end_time(&mut reported)?;
    for output in reported {
        if let Output::Match(found) = output {
            println!("{} {} {}", found.reported_at, found.rule, found.emit);
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let rules = RuleSet::builder()
        .source(kleene::diagnostic::Source::new("shop.cep", RULES))
        .param("unpaid_order.wait", "15m")
        .build()?;
    run(&rules, &records(&rules)?)?;
    run(&rules, &typed())?;

    // Mistakes are reported all at once, each with its place and what to type instead.
    if let Err(errors) = RuleSet::parse(&RULES.replace("order_paid for", "order_payed for")) {
        eprintln!("\n{errors}");
    }
    Ok(())
}
