//! The builder of runners: what it sets, and what it says.

use std::sync::mpsc;
use std::time::Duration;

use kleene::{Engine, Event, Output, Record, RuleSet, Timestamp};
use kleene_runner::{Runner, StartError};

#[derive(Clone, Debug, Event, PartialEq)]
struct Hit {
    user: u32,
    at: Timestamp,
}

fn hit(user: u32, second: i64) -> Hit {
    Hit { user, at: Timestamp::from_millis(1000 * second) }
}

fn rules(text: &str) -> RuleSet {
    RuleSet::parse_for::<Hit>(text).expect("they are right")
}

const TWICE: &str =
    "rule twice { key user  match hit{2} -> not hit for 5s  within 1m  emit { user } }";

#[test]
fn fewer_threads_than_asked_come_with_the_reason() {
    let cases = [
        (TWICE, None),
        (
            "rule few { key user  match hit{2}  limit 5 partials fail }",
            Some("rule `few` has `limit .. fail`"),
        ),
    ];
    for (text, expected) in cases {
        let runner = Runner::builder().rules(&rules(text)).threads(4).start(|_| {});
        let runner: Runner<Hit, _> = runner.expect("it starts");
        assert_eq!(runner.undivided(), expected, "{text}");
        assert_eq!(runner.threads(), if expected.is_none() { 4 } else { 1 }, "{text}");
        runner.stop().expect("nothing panics");
    }
    let fed = "event hit { user: int, at: time }
        rule hits { key user  match hit  emit as hit_again { user } }
        rule again { key user  match hit_again{2} }";
    let fed = RuleSet::parse(fed).expect("they are right");
    let runner = Runner::<Record, _>::builder().rules(&fed).threads(4).start(|_| {});
    let runner = runner.expect("it starts");
    assert_eq!(runner.undivided(), Some("no rule has keys that can be divided"));
    let one = Runner::<Hit, _>::builder().rules(&rules("rule all { match hit{2} }")).threads(1);
    let one = one.start(|_| {}).expect("it starts");
    assert_eq!((one.threads(), one.undivided()), (1, None));
}

#[test]
fn sources_and_both_ends_are_those_of_one_engine() {
    let rules = rules(TWICE);
    let engine = Engine::builder().rules(&rules).out_of_order(Duration::from_secs(2));
    let mut engine: Engine<Hit> = engine.build().expect("they fit");
    let mut expected: Vec<Output<Hit>> = Vec::new();

    let (sender, reported) = mpsc::channel();
    let builder = Runner::builder().rules(&rules).out_of_order(Duration::from_secs(2));
    let sink = move |output| sender.send(output).expect("the test listens");
    let mut runner = builder.threads(3).batch(2).waiting(1).start(sink).expect("it starts");

    let ids = ["a", "b"].map(|name| {
        let id = runner.source(name).expect("it runs");
        assert_eq!(id, engine.source(name));
        id
    });
    for (index, second) in [3, 1, 4, 1, 5, 9, 2, 6].into_iter().enumerate() {
        let (source, event) = (ids[index % 2], hit(u32::from(second > 3), second));
        engine.push_from(source, &event, &mut expected).expect("no limit fails");
        runner.push_from(source, event).expect("it runs");
    }
    engine.end_input(&mut expected).expect("no limit fails");
    runner.end_input().expect("it runs");
    assert_eq!(runner.stats().expect("it runs").partials, engine.stats().partials);
    let of_input: Vec<_> = reported.try_iter().collect();
    assert_eq!(of_input, expected);

    engine.end_time(&mut expected).expect("no limit fails");
    let ended = runner.end_time().expect("nothing panics");
    let of_time: Vec<_> = reported.try_iter().collect();
    assert_eq!([of_input, of_time.clone()].concat(), expected);
    assert!(!of_time.is_empty() && ended.failure.is_none());
}

#[test]
fn a_runner_that_cannot_start_says_why() {
    let text = "event seen { user: int, at: time }  rule seen_twice { key user  match seen{2} }";
    let foreign = RuleSet::parse(text).expect("they are right");
    let builder = Runner::<Hit, _>::builder().rules(&foreign).threads(2);
    let Err(StartError::Build(error)) = builder.start(|_| {}) else { panic!("it starts") };
    assert!(error.to_string().contains("seen"), "{error}");
}
