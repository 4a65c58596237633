//! A stream of events to a stream of outputs.
#![cfg(feature = "futures")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use futures::channel::mpsc;
use futures::{FutureExt as _, StreamExt as _};
use kleene::stream::Output;
use kleene::{Engine, Record, RuleSet, Timestamp};
use kleene_runner::Outputs;

const RULES: &str = "event created { order: int, at: time }
    event paid { order: int, at: time }
    rule paid { key order match created -> paid within 1h on timeout emit { order } }";

fn rules() -> RuleSet {
    RuleSet::parse(RULES).unwrap()
}

fn event(rules: &RuleSet, ty: &str, order: i64, minute: i64) -> Record {
    let at = Timestamp::from_millis(60_000 * minute);
    Record::from_fields(rules.schema(), ty, [("order", order.into()), ("at", at.into())]).unwrap()
}

fn events(rules: &RuleSet) -> Vec<Record> {
    [("created", 1, 0), ("created", 2, 1), ("paid", 2, 2), ("created", 3, 90), ("paid", 3, 89)]
        .map(|(ty, order, minute)| event(rules, ty, order, minute))
        .into()
}

fn engine(rules: &RuleSet) -> Engine<Record> {
    Engine::builder().rules(rules).build().unwrap()
}

#[test]
fn the_outputs_are_those_of_the_engine_alone() {
    let rules = rules();
    for ends in [false, true] {
        let mut alone = engine(&rules);
        let mut expected: Vec<Output<Record>> = Vec::new();
        for event in events(&rules) {
            alone.push(&event, &mut expected).unwrap();
        }
        let mut outputs = Outputs::new(engine(&rules), futures::stream::iter(events(&rules)));
        if ends {
            alone.end_time(&mut expected).unwrap();
            outputs = outputs.end_of_time();
        }
        let found: Vec<_> =
            outputs.by_ref().map(|output| output.unwrap()).collect().now_or_never().unwrap();
        assert_eq!(found, expected);
        assert_eq!(found.len(), if ends { 4 } else { 3 });
        assert_eq!(outputs.into_engine().stats(), alone.stats());
    }
}

#[test]
fn it_waits_for_events_and_time_can_be_moved_on_meanwhile() {
    let rules = rules();
    let (sender, receiver) = mpsc::unbounded();
    let mut outputs = Outputs::new(engine(&rules), receiver);
    assert!(outputs.next().now_or_never().is_none(), "no event, no output");
    sender.unbounded_send(event(&rules, "created", 1, 0)).unwrap();
    assert!(outputs.next().now_or_never().is_none(), "nothing is reported yet");
    outputs.advance(Timestamp::from_millis(61 * 60_000)).unwrap();
    let output = outputs.next().now_or_never();
    assert!(matches!(&output, Some(Some(Ok(Output::Timeout(_))))), "{output:?}");
    drop(sender);
    assert!(matches!(outputs.next().now_or_never(), Some(None)));
    assert!(matches!(outputs.next().now_or_never(), Some(None)), "it stays over");
}

#[test]
fn a_limit_that_fails_is_the_last_item() {
    let text = RULES.replace("within 1h", "skip none within 1h limit 1 partials fail");
    let rules = RuleSet::parse(&text).unwrap();
    let twice = ["created", "created", "paid"].map(|ty| event(&rules, ty, 1, 0));
    let outputs = Outputs::new(engine(&rules), futures::stream::iter(twice));
    let found: Vec<_> = outputs.collect().now_or_never().unwrap();
    assert!(matches!(found.last(), Some(Err(_))), "{found:?}");
    assert_eq!(found.iter().filter(|output| output.is_err()).count(), 1);

    // The event that fails is the last, and another rule reports it: the error is not lost.
    let text = format!("{text} rule begun {{ match created }}");
    let rules = RuleSet::parse(&text).unwrap();
    let twice = ["created", "created"].map(|ty| event(&rules, ty, 1, 0));
    let outputs = Outputs::new(engine(&rules), futures::stream::iter(twice)).end_of_time();
    let found: Vec<_> = outputs.collect().now_or_never().unwrap();
    assert!(found.len() > 1 && found.last().unwrap().is_err(), "{found:?}");
}
