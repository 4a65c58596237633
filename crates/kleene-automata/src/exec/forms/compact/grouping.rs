//! Runs of a busy key that become groups.
//!
//! When it applies: a key has many partial matches, and later events read nothing of what they have
//! captured, except a running sum (`sums`), so that those in the same states have the same future.
//! The key becomes a key with runs again when nothing is open.
//!
//! Why it is right: a run is a configuration with one chain, and the groups are told apart as those
//! that the compact form makes itself.
//!
//! What it saves: a loop that a new partial match begins with at each event (`a{1..} -> b`) holds
//! each event once, not once for each partial match: 8,000 events take 16 MB instead of 1.7 GB. An
//! event costs a step for each group.
//!
//! Which test holds it: `a_busy_key_reports_what_a_quiet_one_does` in `tests/compact.rs`.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::group::{Configuration, Configurations};
use super::groups::{MatchGroups, Successor};
use crate::exec::captures::CaptureArena;
use crate::exec::dag::{DagEvent, NONE};
use crate::exec::forms::KeyState;
use crate::exec::matcher::Matcher;
use crate::exec::run::Run;
use crate::exec::store::Store;
use crate::exec::times::Times;
use crate::nfa::Compact;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::StepId;

/// The events of chains in a graph: each event once, and each beginning of a chain once.
#[derive(Default)]
struct Chains {
    moments: BTreeMap<u64, u32>,
    nodes: HashMap<(u32, StepId, u32), u32>,
}

impl Chains {
    /// Adds the events of all runs in their order.
    fn of<E: Event>(arena: &mut CaptureArena<E>, runs: &[Run], groups: &mut MatchGroups) -> Chains {
        let mut chains = Chains::default();
        let mut events: BTreeMap<u64, E> = BTreeMap::new();
        for run in runs {
            for (_, node) in arena.iter_rev(run.head) {
                let (seq, event) = arena.event_of(node);
                events.entry(seq).or_insert_with(|| event.clone());
            }
        }
        for (seq, event) in events {
            let time = event.time().as_millis();
            let event = arena.keep(event, seq);
            chains.moments.insert(seq, groups.dag.add_moment(DagEvent { event, seq, time }));
        }
        chains
    }

    /// Returns the node of a chain.
    fn node<E>(&mut self, arena: &CaptureArena<E>, head: u32, groups: &mut MatchGroups) -> u32 {
        arena.iter(head).fold(NONE, |below, id| {
            let node = arena.node(id);
            let moment = self.moments[&arena.event_of(node).0];
            let known = self.nodes.entry((moment, node.step, below));
            *known.or_insert_with(|| groups.dag.event(moment, node.step, below))
        })
    }
}

impl<E: Event> Matcher<E> {
    /// True if the runs of a busy key may become groups. Records it if they cannot.
    pub(in crate::exec::forms) fn can_group_runs(
        &self,
        store: &Store<E>,
        key: &mut KeyState,
    ) -> bool {
        if key.lists_runs() {
            return false;
        }
        let can_group = self.can_sum_runs(store, key.runs());
        if !can_group {
            key.set_lists_runs();
        }
        can_group
    }

    /// Turns the runs of a key into groups.
    #[cold]
    pub(in crate::exec::forms) fn group_runs(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        now: Timestamp,
    ) {
        let Ok(compact) = &self.program.compact else { return };
        let runs = key.runs().to_vec();
        key.clear_runs();
        store.counts.steps += runs.len() as u64;
        let mut groups = self.create_groups();
        groups.now = now.as_millis();
        let mut chains = Chains::of(&mut store.arena, &runs, &mut groups);
        // A partial match that waits in several states is one group of several configurations.
        let mut by_root: BTreeMap<u32, Configurations> = BTreeMap::new();
        for run in runs {
            let root = chains.node(&store.arena, run.head, &mut groups);
            store.arena.release(run.head);
            by_root.entry(root).or_default().push(self.configuration(store, run, compact));
        }
        let successors = by_root.into_iter().map(|(root, configurations)| Successor {
            configurations,
            root,
            sums: None,
        });
        groups.add(store, &compact.live, successors);
        groups.settle(self.whole_bound());
        Matcher::put_back(store, key, Box::new(groups), 0);
    }

    /// Returns what a group keeps of a run, whose start the graph has.
    fn configuration(&self, store: &mut Store<E>, run: Run, compact: &Compact) -> Configuration {
        let mut run = Configuration::of_run(&run).as_run();
        if compact.sum.is_some() {
            // The sum is with the group.
            store.file.release(run.registers);
            run.registers = store.file.create();
        }
        let Store { arena, file, .. } = store;
        run.deadline = Times { program: &self.program, arena, file, run: &run }.deadline();
        if !compact.live[run.state.index()].last {
            run.last = i64::MIN;
        }
        Configuration::of_run(&run)
    }
}
