//! The engine against the state machines that were written by hand for each workload, over small
//! generated streams.

use std::time::Duration;

use crate::machines::{Counts, WORKLOADS, Workload, run};
use kleene::stream::Ignore;
use kleene::{Engine, Event};

#[test]
fn the_engine_agrees_with_the_state_machines_written_by_hand() {
    for workload in &WORKLOADS {
        let rules = workload.rule_set(1);
        for seed in 0..5 {
            let events = workload.generate(rules.schema(), 3000, seed);
            let expected = (workload.baseline)(&events, 1);
            let counts = run(&mut workload.engine(&rules.clone()), &events);
            assert_eq!(counts, expected, "{} with seed {seed}", workload.id);
            assert!(expected.matches > 20, "{} with seed {seed}: {expected:?}", workload.id);
            assert!(expected.matches < events.len() as u64 || workload.id == "W7");
        }
    }
}

#[test]
fn the_reorder_buffer_changes_no_count() {
    for workload in &WORKLOADS {
        let rules = workload.rule_set(10);
        let mut events = workload.generate(rules.schema(), 2000, 42);
        let sorted = run(&mut workload.engine(&rules.clone()), &events);
        // Pairs that are out of order by up to a minute.
        for pair in events.chunks_exact_mut(2) {
            if pair[0].time() != pair[1].time()
                && pair[1].time().millis_since(pair[0].time()) <= 60_000
            {
                pair.swap(0, 1);
            }
        }
        let builder = workload.builder(&rules).out_of_order(Duration::from_mins(1));
        let mut engine = builder.build().unwrap();
        assert_eq!(run(&mut engine, &events), sorted, "{}", workload.id);
        assert_eq!(engine.stats().late, 0, "{}", workload.id);
    }
}

#[test]
fn many_rules_find_what_each_finds_alone() {
    let workload = Workload::of("W8").expect("W8 is one of them");
    let rules = workload.rule_set(7);
    let events = workload.generate(rules.schema(), 3000, 1);
    let together = run(&mut workload.engine(&rules.clone()), &events);
    let mut alone = Counts::default();
    for rule in rules.rules() {
        let schema = rules.schema().clone();
        let builder = Engine::builder().rule(schema, rule.clone());
        let mut engine = builder.build().unwrap();
        engine.push_batch(&events, &mut Ignore).unwrap();
        engine.end_time(&mut Ignore).unwrap();
        alone.matches += engine.stats().matches;
    }
    assert_eq!(together, alone);
    assert_eq!(together, (workload.baseline)(&events, 7));
    assert!(together.matches > 20, "{together:?}");
}
