//! The protocol on a model: any fault at any call loses no output and doubles none.

mod model;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use proptest::prelude::*;

use self::model::{InjectedFault, ModelClient, ModelProcessor, Mutation, Shared, World};
use crate::{Client, Delivery, Partition, Worker, WorkerConfig, WorkerError};

type ModelWorker = Worker<ModelClient, ModelProcessor>;

/// One run: what is read, by how many workers, and what goes wrong.
#[derive(Clone, Debug)]
struct Scenario {
    inputs: BTreeMap<Partition, Vec<u8>>,
    workers: usize,
    batch: usize,
    faults: BTreeMap<usize, InjectedFault>,
    /// The tasks that change their worker, by the turn before which that begins.
    moves: BTreeMap<usize, i32>,
    mutation: Mutation,
    delivery: Delivery,
}

impl Scenario {
    fn topics(&self) -> Vec<String> {
        let mut topics: Vec<String> =
            self.inputs.keys().map(|partition| partition.topic.to_string()).collect();
        topics.dedup();
        topics
    }

    fn config(&self) -> WorkerConfig {
        WorkerConfig {
            commit_interval: Duration::ZERO,
            due_interval: Duration::ZERO,
            poll_wait: Duration::ZERO,
            poll_records: self.batch,
            pause_above: 0,
            resume_below: 1,
            call_timeout: Duration::ZERO,
            backoff: Duration::ZERO,
            abort_limit: 100,
            delivery: self.delivery,
            ..WorkerConfig::new(self.topics())
        }
    }

    fn start(&self, world: &Shared, slot: usize) -> ModelWorker {
        let life = world.borrow_mut().fresh_id();
        let client = ModelClient::connect(world, self.delivery, slot, life);
        let processor = ModelProcessor::new(world, life, self.mutation);
        Worker::new(client, processor, self.config())
    }

    /// Runs to the end. Returns the number of calls, or what is wrong.
    fn run(&self) -> Result<usize, String> {
        let world: Shared = Rc::new(RefCell::new(World::new(self.inputs.clone())));
        world.borrow_mut().faults.clone_from(&self.faults);
        let mut slots: Vec<ModelWorker> =
            (0..self.workers).map(|slot| self.start(&world, slot)).collect();
        let mut drained = 0;
        for turn in 0.. {
            // Outputs that are due come in the turns after the last record.
            drained = if world.borrow().is_drained() { drained + 1 } else { 0 };
            if drained > 4 {
                break;
            }
            if turn > 5000 {
                return Err("no progress".into());
            }
            if let Some(task) = self.moves.get(&turn) {
                world.borrow_mut().move_task(*task);
            }
            for (slot, worker) in slots.iter_mut().enumerate() {
                let outcome = worker.turn();
                if let Err(error) = outcome {
                    check_end(&error)?;
                    // The session of the old member times out, and a new worker starts.
                    let fresh = self.start(&world, slot);
                    let (client, _) = std::mem::replace(worker, fresh).into_parts();
                    world.borrow_mut().leave(client.member);
                }
            }
        }
        compare(&world.borrow(), self.delivery)
    }
}

/// A crash and a fence may end a worker. Anything else may not.
fn check_end(error: &WorkerError) -> Result<(), String> {
    let text = error.to_string();
    let expected = ["crash", "dead", "newer producer"].iter().any(|part| text.contains(part));
    if expected { Ok(()) } else { Err(text) }
}

fn compare(world: &World, delivery: Delivery) -> Result<usize, String> {
    let outputs = world.read_committed();
    let mut sorted = outputs.clone();
    sorted.sort();
    if delivery == Delivery::AtLeastOnce {
        sorted.dedup();
    }
    let expected = world.expected();
    if sorted != expected {
        let lost: Vec<_> = expected.iter().filter(|one| !sorted.contains(one)).collect();
        return Err(format!("{} outputs of {}, lost {lost:?}", sorted.len(), expected.len()));
    }
    if delivery == Delivery::AtLeastOnce {
        return Ok(world.calls);
    }
    // The outputs of each key come in their order.
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for output in &outputs {
        let (key, count) = output.rsplit_once(':').unwrap();
        if last.insert(key, count).is_some_and(|before| before >= count) {
            return Err(format!("{output} is out of order"));
        }
    }
    Ok(world.calls)
}

/// Topics with partitions of some records, each with few keys.
fn inputs(topics: usize, partitions: i32, records: usize) -> BTreeMap<Partition, Vec<u8>> {
    let mut inputs = BTreeMap::new();
    for topic in 0..topics {
        for number in 0..partitions {
            let keys = (0..records).map(|n| u8::try_from((n * n + topic) % 3).unwrap()).collect();
            inputs.insert(Partition::new(format!("in{topic}"), number), keys);
        }
    }
    inputs
}

fn scenario(topics: usize, workers: usize) -> Scenario {
    Scenario {
        inputs: inputs(topics, 2, 12),
        workers,
        batch: 5,
        faults: BTreeMap::new(),
        moves: BTreeMap::new(),
        mutation: Mutation::None,
        delivery: Delivery::ExactlyOnce,
    }
}

const FAULTS: [InjectedFault; 6] = [
    InjectedFault::CrashBefore,
    InjectedFault::CrashAfter,
    InjectedFault::LostRequest,
    InjectedFault::LostAnswer,
    InjectedFault::Abort,
    InjectedFault::Steal,
];

/// Runs a scenario with each fault at each call, once alone and once for five calls in a row, which
/// exhausts the attempts. Returns the runs and the first that went wrong.
fn every_cut(base: &Scenario) -> (usize, Option<String>) {
    let calls = base.run().unwrap();
    let mut runs = 0;
    let mut wrong = None;
    for call in 1..=calls {
        for fault in FAULTS {
            for length in [1, 5] {
                let faults = (call..call + length).map(|call| (call, fault)).collect();
                runs += 1;
                if let Err(what) = (Scenario { faults, ..base.clone() }).run() {
                    wrong.get_or_insert(format!("{fault:?} x {length} at call {call}: {what}"));
                }
            }
        }
    }
    (runs, wrong)
}

#[test]
fn nothing_is_lost_or_doubled_with_a_fault_at_any_call() {
    for (topics, workers) in [(1, 1), (2, 1), (1, 2), (2, 2)] {
        let base = Scenario { moves: [(6, 0), (9, 1)].into(), ..scenario(topics, workers) };
        let (runs, wrong) = every_cut(&base);
        assert_eq!(wrong, None, "{topics} topics, {workers} workers");
        assert!(runs > 500, "{runs}");
    }
}

#[test]
fn nothing_is_lost_at_least_once() {
    for workers in [1, 2] {
        let delivery = Delivery::AtLeastOnce;
        let base = Scenario { moves: [(6, 0)].into(), delivery, ..scenario(2, workers) };
        assert_eq!(every_cut(&base).1, None, "{workers} workers");
    }
}

/// These tests are worth something only if they find broken protocols.
#[test]
fn every_broken_protocol_is_found() {
    for mutation in
        [Mutation::CommitFirst, Mutation::NoSync, Mutation::KeepOne, Mutation::KeepState]
    {
        let (_, wrong) = every_cut(&Scenario { mutation, ..scenario(1, 1) });
        let wrong = wrong.unwrap_or_else(|| panic!("{mutation:?} is not found"));
        let missing = mutation != Mutation::KeepState;
        assert_eq!(wrong.contains("missing"), missing, "{mutation:?}: {wrong}");
    }
}

proptest! {


    #[test]
    fn nothing_is_lost_or_doubled(
        (topics, partitions, workers) in (1_usize..3, 1..4_i32, 1_usize..4),
        (records, batch) in (0_usize..40, 1_usize..12),
        faults in prop::collection::btree_map(1_usize..400, prop::sample::select(&FAULTS[..]), 0..25),
        moves in prop::collection::btree_map(0_usize..60, 0..4_i32, 0..8),
    ) {
        let base = Scenario {
            inputs: inputs(topics, partitions, records),
            workers, batch, faults, moves,
            mutation: Mutation::None,
            delivery: Delivery::ExactlyOnce,
        };
        prop_assert_eq!(base.run().err(), None);
    }
}

#[test]
fn a_run_that_is_stopped_ends_with_a_commit() {
    let base = Scenario { batch: 100, ..scenario(1, 1) };
    let world: Shared = Rc::new(RefCell::new(World::new(base.inputs.clone())));
    let mut worker = base.start(&world, 0);
    worker.config.commit_interval = Duration::from_secs(1000);
    for _ in 0..10 {
        worker.turn().unwrap();
    }
    assert!(!world.borrow().is_drained());
    worker.run(&AtomicBool::new(true)).unwrap();
    assert!(world.borrow().is_drained());
    compare(&world.borrow(), Delivery::ExactlyOnce).unwrap();
    let reading = worker.stats().read();
    assert_eq!((reading.records, reading.commits, reading.sent), (24, 1, 6));
    assert!(reading.commit_time.is_some());
}

#[test]
fn topics_with_other_numbers_of_partitions_are_refused() {
    let mut base = scenario(2, 1);
    base.inputs.insert(Partition::new("in1", 2), Vec::new());
    let error = base.run().unwrap_err();
    assert_eq!(
        error,
        "topic in0 has 2 partitions and topic in1 has 3: give all input topics the same number of \
         partitions"
    );
}

#[test]
fn a_fenced_worker_stops() {
    let base = scenario(1, 1);
    let world: Shared = Rc::new(RefCell::new(World::new(base.inputs.clone())));
    let mut old = base.start(&world, 0);
    for _ in 0..4 {
        old.turn().unwrap();
    }
    let mut new = base.start(&world, 0);
    let error = (0..10).find_map(|_| old.turn().err()).unwrap();
    assert!(error.to_string().contains("newer producer"), "{error}");
    assert_eq!(old.stats().read().fenced, 1);
    let (client, _) = old.into_parts();
    world.borrow_mut().leave(client.member);
    assert_eq!(client.known_ends(), []);
    while !world.borrow().is_drained() {
        new.turn().unwrap();
    }
    compare(&world.borrow(), Delivery::ExactlyOnce).unwrap();
}
