//! Events from an async channel, outputs as a stream: a service on tokio that reports orders that
//! nobody pays. Time moves with the events, and with the clock where none come.
//!
//! ```sh
//! cargo run --example async_stream
//! ```

#![allow(clippy::print_stdout, reason = "an example prints what it found")]

use std::error::Error;
use std::time::Duration;

use futures::StreamExt as _;
use kleene::{Engine, Event, Output, RuleSet, Timestamp, Value};
use kleene_runner::Outputs;
use tokio::sync::mpsc;

#[derive(Clone, Debug, Event)]
enum Shop {
    Created { order: u32, at: Timestamp },
    Paid { order: u32, at: Timestamp },
}

const RULES: &str = "rule unpaid {
  key order
  match created -> not paid for 10m
  emit { order, since: first(created.at) }
}";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::builder().rules(&RuleSet::parse_for::<Shop>(RULES)?).build()?;

    // A channel with room for 16 events: whoever sends waits while the engine is behind.
    let (sender, receiver) = mpsc::channel(16);
    tokio::spawn(produce(sender));
    let events = futures::stream::unfold(receiver, |mut receiver| async {
        Some((receiver.recv().await?, receiver))
    });

    let mut outputs = Outputs::new(engine, events);
    let mut unpaid = Vec::new();
    loop {
        tokio::select! {
            output = outputs.next() => match output.transpose()? {
                Some(Output::Match(found)) => {
                    println!("{}: {}", found.rule, found.emit);
                    unpaid.extend(found.key("order").and_then(Value::as_i64));
                }
                Some(_) => {}
                None => break,
            },
            // No event for a while: the clock moves time on, here to a moment that is made up.
            () = tokio::time::sleep(Duration::from_millis(200)) => outputs.advance(minute(20))?,
        }
    }
    assert_eq!(unpaid, [1, 3]);
    println!("{} events", outputs.engine().stats().events);
    Ok(())
}

async fn produce(sender: mpsc::Sender<Shop>) {
    let events = [
        Shop::Created { order: 1, at: minute(0) },
        Shop::Created { order: 2, at: minute(1) },
        Shop::Paid { order: 2, at: minute(4) },
        Shop::Created { order: 3, at: minute(5) },
    ];
    for event in events {
        if sender.send(event).await.is_err() {
            return;
        }
    }
    // The connection stays open and is silent.
    tokio::time::sleep(Duration::from_millis(500)).await;
}

fn minute(minute: i64) -> Timestamp {
    Timestamp::from_millis(minute * 60_000)
}
