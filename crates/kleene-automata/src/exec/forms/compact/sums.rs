//! Groups whose partial matches differ in a running sum.
//!
//! When it applies: each start has one partial match, and the only captured value that a condition
//! reads is a sum or a count of one step: `b{1..} as ps -> c[sum(ps.v) > 100]`
//! ([`RunningSum`] has the whole list). The values are declared as
//! integers, and their sum stays below 2^60. A host can hand over other values: with one of these,
//! the key has runs until none is open.
//!
//! Why it is right: the sum is asked by one condition alone, which one side of the sums fulfils. So
//! it need not distinguish groups before that condition is asked. All partial matches of a group
//! capture the same events, so an event changes the sums of all of them by the same amount, and
//! their order stays. A group keeps what its sums have in common, and each partial match what it
//! lacks of that. When an event asks the condition, those that fulfil it are at one end of the
//! order, and they become a group of their own. Where both parts go on to the same states with the
//! same event, they are one group again, with the graph that they had before.
//!
//! What it saves: a loop that a new partial match begins with at each event holds each event once.
//! An event costs `log n`, and a step for each partial match that it completes. 10,000 events of
//! `a -> b{1..} as ps -> c[sum(ps.v) > 1000000]` took 11 s and 682 MB.
//!
//! Which test holds it: `running_sums_are_reported_as_by_the_reference` in `tests/running_sums.rs`,
//! and `sums_of_a_loop_are_kept_in_order` in `tests/scaling_events.rs` for the steps.
//!
//! An example with `match a -> b{1..} as ps -> c[sum(ps.v) > 5]`. The sum of each start is shown,
//! by group:
//! ```text
//! event   in the loop          waits for its first b
//! a1                           a1: 0
//! b 3     a1: 3
//! a2      a1: 3                a2: 0
//! b 4     a1: 7, a2: 4         both groups have become one: b 4 is added to each sum
//! c       a1 fulfils > 5       the group is divided: a1 completes, a2: 4 goes on
//! ```
//!
//! The order of the sums is stored once, and an event moves all of them:
//! ```text
//! total 7     a1 lacks 0 (sum 7)     a2 lacks 3 (sum 4)
//! b 2         total 9: one addition, and no start is touched
//! ```
//!
//! ```text
//! whole --divide_groups--> wanted, rest --the event--> alike: rejoin, with the node of the whole
//!                                          `---------> one of them completes: the rest is a group
//! ```
//! A division is needed for one event only. Without `rejoin`, each event that asks would leave more
//! groups behind, and the form would be a list of partial matches again.
//!
//! Invariants:
//! * The sums of a group have each start once, and every start of its node that is not out of time.
//! * `magnitude` is at least the absolute value of each sum that can be made of the captured
//!   events. Below 2^60, neither a sum nor a difference of two sums overflows.
//! * A divided group is remembered only while all of its parts are groups.
//!
//! Rejected: the sum as a register of the group. Partial matches with different sums would be
//! different groups, one for each start: 10,000 events took 11 s.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::chain_sums::{ChainSums, DividedGroup, joined};
use super::group::{Configuration, Configurations, RunGroup};
use super::groups::{MatchGroups, Successor};
use crate::exec::captures::CaptureArena;
use crate::exec::dag::{DagPart, Divided, NONE, SameEvent};
use crate::exec::fields::field_of;
use crate::exec::forms::KeyState;
use crate::exec::matcher::{Matcher, Walk};
use crate::exec::registers::RegisterFile;
use crate::exec::run::Run;
use crate::exec::store::Store;
use crate::nfa::{RunningSum, Summand};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_event::value::ValueRef;
use kleene_syntax::hir::StepId;

/// The largest sum of absolute values for which sums and what they lack certainly fit.
const MOST: u64 = 1 << 60;

impl RunningSum {
    /// Returns what an event adds to the sum; `None` if the sum would not be an integer.
    fn summand_of<E: Event>(&self, event: &E) -> Option<i64> {
        match &self.summand {
            Summand::One => Some(1),
            Summand::OneIfPresent(field) => Some(i64::from(!field_of(event, field).is_null())),
            Summand::Field(field) => match field_of(event, field) {
                ValueRef::Int(value) => Some(value),
                ValueRef::Null => Some(0),
                _ => None,
            },
        }
    }
}

impl MatchGroups {
    /// True if this is the node of a part of a divided group.
    pub(super) fn is_part(&self, root: u32) -> bool {
        self.divided.iter().any(|group| group.parts.contains(&root))
    }

    /// Forgets the divided groups that have lost a part.
    pub(super) fn forget_divided(&mut self) {
        let all = &self.all;
        let has = |root: &u32| all.iter().any(|group| group.root == *root);
        self.divided.retain(|group| group.parts.iter().all(has));
    }

    /// Makes one group of parts of a divided group that go on alike.
    pub(super) fn rejoin(
        &mut self,
        file: &mut RegisterFile,
        successors: &mut SmallVec<[Successor; 4]>,
    ) {
        if self.divided.is_empty() {
            return;
        }
        let mut one = 0;
        while one < successors.len() {
            let mut other = one + 1;
            while other < successors.len() {
                let [a, b] = [&successors[one], &successors[other]];
                let node = if are_equal(&a.configurations, &b.configurations) {
                    self.rejoined(a.root, b.root)
                } else {
                    None
                };
                // Equal configurations alone do not make one group of two: their nodes have to be
                // known to fit.
                let Some(node) = node else {
                    other += 1;
                    continue;
                };
                let gone = successors.remove(other);
                gone.configurations.iter().for_each(|each| file.release(each.registers));
                let kept = &mut successors[one];
                (kept.root, kept.sums) = (node, joined(kept.sums.take(), gone.sums));
                // Its new node can fit one that was passed.
                other = one + 1;
            }
            one += 1;
        }
    }

    /// Returns the node of two parts, or of two parts after which the same event was captured.
    ///
    /// The parts can have moved on by one event: both captured it, or both ignored it.
    fn rejoined(&mut self, one: u32, other: u32) -> Option<u32> {
        if let Some(node) = self.rejoined_parts(one, other) {
            return Some(node);
        }
        // Both parts have captured the event, which becomes one node over the whole.
        let SameEvent { event, step, below: [one, other] } = self.dag.same_event(one, other)?;
        let below = self.rejoined_parts(one, other)?;
        Some(self.dag.event(event, step, below))
    }

    fn rejoined_parts(&mut self, one: u32, other: u32) -> Option<u32> {
        let has_both =
            |group: &DividedGroup| group.parts.contains(&one) && group.parts.contains(&other);
        let at = self.divided.iter().position(has_both).filter(|_| one != other)?;
        let group = &mut self.divided[at];
        // The last two parts are the whole, whose node is still in the graph.
        if group.parts.len() == 2 {
            return Some(self.divided.swap_remove(at).whole);
        }
        let node = self.dag.union(one, other);
        group.parts.retain(|part| *part != one && *part != other);
        group.parts.push(node);
        Some(node)
    }

    /// Records that a group is divided.
    fn record_divided(&mut self, whole: u32, wanted: u32, rest: u32) {
        // A part that is divided again leaves its parts to the group that it is of.
        let of_whole = |group: &&mut DividedGroup| group.parts.contains(&whole);
        if let Some(group) = self.divided.iter_mut().find(of_whole) {
            group.parts.retain(|part| *part != whole);
            group.parts.extend([wanted, rest]);
        } else {
            let parts = [wanted, rest].into_iter().collect();
            self.divided.push(DividedGroup { whole, parts });
        }
    }

    /// Returns the sum of the absolute values of all summands; `None` if one is not an integer.
    fn magnitude<E: Event>(&self, arena: &CaptureArena<E>, sum: &RunningSum) -> Option<u64> {
        let mut is_summed = vec![false; self.dag.moments().len()];
        for part in self.dag.parts() {
            if let DagPart::Event { event, step, .. } = part
                && step == sum.step
            {
                is_summed[event as usize] = true;
            }
        }
        let summed = self.dag.moments().iter().zip(is_summed).filter(|(_, is)| *is);
        summed.map(|(moment, _)| moment).try_fold(0_u64, |all, moment| {
            let (_, event) = arena.stored(moment.event);
            Some(all.saturating_add(sum.summand_of(event)?.unsigned_abs()))
        })
    }

    /// Computes the sums of all groups that do not know them.
    ///
    /// Groups that were restored, made from runs, or collected do not know their sums.
    fn find_sums<E: Event>(&mut self, arena: &CaptureArena<E>, sum: &RunningSum) {
        for group in self.all.iter_mut().filter(|group| group.sums.is_none()) {
            let summand = |step: StepId, event: u32| {
                let event = Some(arena.stored(event).1).filter(|_| step == sum.step);
                event.and_then(|event| sum.summand_of(event)).unwrap_or(0)
            };
            let mut sums = ChainSums::default();
            for (start, sum) in self.dag.chain_sums(group.root, summand) {
                sums.insert((start.seq, start.time), sum);
            }
            group.sums = Some(Box::new(sums));
        }
    }
}

/// True if partial matches wait in the same states, in the same order.
fn are_equal(one: &Configurations, other: &Configurations) -> bool {
    let wait = |of: &Configuration| (of.state, of.last, of.deadline);
    one.iter().map(wait).eq(other.iter().map(wait))
}

impl<E: Event> Matcher<E> {
    /// True if runs can become groups with a running sum, if the pattern has one: each start has
    /// one partial match, and the sums are integers.
    pub(in crate::exec::forms) fn can_sum_runs(&self, store: &Store<E>, runs: &[Run]) -> bool {
        let Some(sum) = self.program.running_sum() else { return true };
        // Runs of one partial match in several states are next to each other, and are one.
        let is_one = |pair: &[Run]| {
            pair[0].start_seq < pair[1].start_seq
                || pair[0].start_seq == pair[1].start_seq && pair[0].head == pair[1].head
        };
        let is_int = |run: &Run| {
            store.file.is_untouched(run.registers, sum.register)
                || matches!(store.file.value(run.registers, sum.register), ValueRef::Int(_))
        };
        runs.windows(2).all(is_one) && runs.iter().all(is_int)
    }

    /// Turns the groups of a key into runs, which stay runs until there are none. Returns the
    /// number of partial matches that the limit on nodes has dropped.
    #[cold]
    pub(super) fn list_groups(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        (mut groups, before): (Box<MatchGroups>, u64),
    ) -> usize {
        let now = Timestamp::from_millis(groups.now);
        // What is out of time would be listed only to be dropped.
        self.collect_groups(store, &mut groups, &mut { NONE }, now);
        let dropped = self.cut_chains(store, &mut groups);
        Matcher::put_back(store, key, groups, before);
        self.convert_to_runs(store, key);
        self.count_duplicates(key);
        if key.has_runs() {
            key.set_lists_runs();
        }
        dropped
    }

    /// Drops the newest partial matches, if as chains of their own they have more nodes than the
    /// graph of a key may have. Returns their number.
    fn cut_chains(&self, store: &mut Store<E>, groups: &mut MatchGroups) -> usize {
        let lengths = |group: &RunGroup| groups.dag.chain_sums(group.root, |_, _| 1);
        // In the order of their starts, which differ. A list with a sort of its own would be 1.6 kB
        // more, packed, in the module for browsers.
        let mut chains: BTreeSet<(i64, u64)> = BTreeSet::new();
        for (start, length) in groups.all.iter().flat_map(lengths) {
            chains.insert((start.seq.cast_signed(), length.cast_unsigned()));
        }
        let mut left = Some(self.limits.graph_nodes_per_key as u64);
        let mut fits = |(_, length): &&(i64, u64)| {
            left = left.and_then(|left| left.checked_sub(*length));
            left.is_some()
        };
        let kept = chains.iter().take_while(&mut fits).count();
        let Some((first, _)) = chains.iter().nth(kept) else { return 0 };
        let end = first.cast_unsigned();
        groups.collect(store, &mut { NONE }, |start| start.seq < end);
        let dropped = chains.len() - kept;
        store.counts.pruned = store.counts.pruned.saturating_add(dropped);
        dropped
    }
}

impl<E: Event> Walk<'_, E> {
    /// True if the sums of groups are integers that fit, with the event, too.
    pub(super) fn can_sum(&self, groups: &mut MatchGroups, sum: &RunningSum) -> bool {
        let mut trees = self.column.roots.iter().chain([&self.column.begins]);
        // An event that no state can take as the summed step adds nothing, whatever its value.
        let is_taken = trees.any(|tree| self.program.takes(*tree, sum.step));
        let summand = if is_taken { sum.summand_of(self.event) } else { Some(0) };
        groups.magnitude = groups.magnitude.or_else(|| groups.magnitude(&self.store.arena, sum));
        let all = summand.zip(groups.magnitude);
        all.is_some_and(|(summand, all)| all.saturating_add(summand.unsigned_abs()) <= MOST)
    }

    /// Divides groups so that either all partial matches of a group fulfil the condition on the sum
    /// or none does. Returns the answer for each group.
    pub(super) fn divide_groups(
        &mut self,
        groups: &mut MatchGroups,
        sum: &RunningSum,
        event_epoch: u64,
    ) -> Vec<bool> {
        let mut answers = vec![false; groups.all.len()];
        for at in 0..groups.all.len() {
            if !self.asks_for_sum(&groups.all[at].configurations, sum, event_epoch) {
                continue;
            }
            if groups.all[at].sums.is_none() {
                groups.count_pass(self.store);
                groups.find_sums(&self.store.arena, sum);
            }
            let Some(mut sums) = groups.all[at].sums.take() else { continue };
            let (program, now) = (self.program, self.time);
            sums.drop_over(|start| program.deadline_of(start) <= now);
            let found = self.fulfilling(&sums, sum, event_epoch);
            self.store.counts.steps += 1 + found.len() as u64;
            let whole = groups.all[at].root;
            // All or none: the group stays whole, which is what most events find.
            if found.is_empty() || found.len() as u64 == groups.dag.count(whole).0 {
                answers[at] = !found.is_empty();
                groups.all[at].sums = Some(sums);
                continue;
            }
            let before = groups.dag.len();
            let part = sums.split_off(&found);
            let Divided { wanted, rest } = groups.dag.divide(whole, &part.starts());
            self.store.counts.steps += (groups.dag.len() - before) as u64 / 8;
            groups.record_divided(whole, wanted, rest);
            // Both parts wait in the same states. Each owns its registers.
            let mut fulfilling = groups.all[at].clone();
            (fulfilling.root, fulfilling.sums) = (wanted, Some(Box::new(part)));
            for one in &mut fulfilling.configurations {
                one.registers = self.store.file.duplicate(one.registers);
            }
            // It is after all groups that are still to be asked, and has its answer.
            groups.all.push(fulfilling);
            let group = &mut groups.all[at];
            (group.root, group.sums) = (rest, Some(sums));
            answers.push(true);
        }
        answers
    }

    /// Returns the starts whose sums fulfil the condition with this event.
    ///
    /// The condition itself is tested, from one end of the order up to the first sum that does not
    /// fulfil it: as it compares the sum, no later one does.
    fn fulfilling(&mut self, sums: &ChainSums, sum: &RunningSum, event_epoch: u64) -> Vec<u64> {
        let mut run = self.nothing();
        run.registers = self.store.file.create();
        let found = sums.fulfilling(sum.fulfilled_by, |value| {
            self.store.file.set(&mut run.registers, sum.register, ValueRef::Int(value));
            // Another value, another answer: the answers of the epoch before are void.
            self.store.scratch.answers.epoch += 1;
            self.test(sum.condition, &run, event_epoch)
        });
        self.store.file.release(run.registers);
        found
    }

    /// True if the answer of the condition on the sum decides what the event does.
    ///
    /// Both answers are tried. If they lead to the same decision, the group is not divided.
    fn asks_for_sum(
        &mut self,
        configurations: &Configurations,
        sum: &RunningSum,
        event_epoch: u64,
    ) -> bool {
        configurations.iter().any(|one| {
            let run = one.as_run();
            let tree = self.program.decisions.of(one.state, self.column);
            let [yes, no] = [true, false].map(|holds| {
                self.decide_knowing(tree, &run, event_epoch, Some((sum.condition, holds)))
            });
            yes != no
        })
    }

    /// Returns what the event adds to the sums of a group that captures it as this step, and
    /// records it.
    pub(super) fn record_summand(&self, groups: &mut MatchGroups, step: StepId) -> i64 {
        let sum = self.program.running_sum().filter(|sum| sum.step == step);
        let summand = sum.and_then(|sum| sum.summand_of(self.event)).unwrap_or(0);
        groups.magnitude = groups.magnitude.map(|all| all.saturating_add(summand.unsigned_abs()));
        summand
    }
}
