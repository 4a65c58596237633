//! What the examples share.

#![allow(dead_code, reason = "each example uses a part of it")]

use std::error::Error;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// The value after an option, or a default.
pub(crate) fn option<'a>(arguments: &'a [String], name: &str, default: &'a str) -> &'a str {
    let position = arguments.iter().position(|argument| argument == name);
    position.and_then(|position| arguments.get(position + 1)).map_or(default, String::as_str)
}

/// The options that have a value, as `--option value`.
pub(crate) fn positional(arguments: &[String]) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = arguments.iter().skip(1);
    while let Some(argument) = rest.next() {
        if argument.starts_with("--") {
            rest.next();
        } else {
            found.push(argument.as_str());
        }
    }
    found
}

/// Creates a topic, unless it exists.
pub(crate) fn create_topic(brokers: &str, topic: &str, partitions: i32) -> Outcome<()> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    let topics = [NewTopic::new(topic, partitions, TopicReplication::Fixed(1))];
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
    let created = block_on(admin.create_topics(&topics, &options))?;
    for outcome in created {
        match outcome {
            Ok(_) | Err((_, rdkafka::types::RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(format!("cannot create {topic}: {code}").into()),
        }
    }
    Ok(())
}

/// Waits for a future in this thread, which the future's own thread wakes.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
