//! Images of keys in the compact form.
//!
//! An image is the graph as a list of nodes, a child before its parents, and the groups with the
//! number of their node. An example with `match a -> any b -> c`, after a1 a2 b3:
//! ```text
//! events   a1, a2, b3
//! graph    0: a1    1: a2    2: union(0, 1)    3: b3 over 2
//! groups   (2, waits for b)   (3, waits for c)
//! ```
//!
//! Because a child comes first, the number of partial matches is counted in one pass over the list,
//! and the nodes get the same numbers when they are made again in this order. The graph is
//! collected before: no node is written that no group needs.
//!
//! Matches that wait for older partial matches are a group without configurations.
//!
//! Invariant: a restart changes no count and no report. So what is out of time, and counted until
//! it is swept, is in the image, and so is the time up to which the key has come (`now`).
//!
//! Chains are not written one by one, as runs are: a graph of 2n nodes can have 2^n of them.
//!
//! Which test holds it: `restored_groups_go_on_as_never_stopped` in `tests/compact.rs`, and
//! `restored_is_as_never_stopped` in `tests/snapshot.rs`.

use super::CompactForm;
use super::group::Configuration;
use super::groups::Successor;
use crate::exec::dag::{DagEvent, DagPart, NONE};
use crate::exec::forms::contract::FormImage;
use crate::exec::forms::{FormKind, KeyState};
use crate::exec::image::{Image, ImageConfiguration, ImagePart};
use crate::exec::matcher::Matcher;
use crate::exec::store::Store;
use crate::nfa::Program;
use kleene_event::event::Event;

impl FormImage for CompactForm {
    const CODE: u8 = 6;

    fn count<T>(image: &Image<T>) -> u64 {
        let mut counts: Vec<u64> = Vec::with_capacity(image.graph.len());
        for part in &image.graph {
            let of = |node: u32| counts.get(node as usize).copied().unwrap_or(0);
            counts.push(match *part {
                ImagePart::Union(one, other) => of(one).saturating_add(of(other)),
                ImagePart::Event { below, .. } => below.map_or(1, of),
            });
        }
        // An image comes from outside: a number that is no node counts nothing, and panics nowhere.
        let of = |(root, _): &(u32, _)| counts.get(*root as usize).copied().unwrap_or(0);
        image.groups.iter().map(of).fold(0, u64::saturating_add)
    }

    /// Older versions counted configurations. A snapshot of theirs is checked against that number.
    fn former_count<T>(image: &Image<T>) -> u64 {
        image.groups.iter().map(|(_, configurations)| configurations.len() as u64).sum()
    }

    fn fits<T: Event>(image: &Image<T>, program: &Program) -> bool {
        program.compact.is_ok()
            && !image.groups.is_empty()
            && image.nodes.is_empty()
            && image.runs.is_empty()
            && image.completed.is_empty()
    }
}

impl<E: Event> Matcher<E> {
    /// Adds the groups of a key to an empty image, without nodes that nothing needs. What is out of
    /// time stays until it would have gone: a restart changes no count.
    pub(super) fn export_groups<'s>(
        &self,
        store: &'s Store<E>,
        key: &KeyState,
        image: &mut Image<&'s E>,
    ) {
        let Some(groups) = key.groups() else { return };
        // The key itself stays as it is: a snapshot changes nothing.
        let mut dag = groups.dag.clone();
        let mut roots: Vec<u32> = groups.all.iter().map(|group| group.root).collect();
        roots.push(groups.waiting);
        dag.collect(roots.iter_mut(), |_| true, |_| ());
        image.now = Some(groups.now);
        image.events.extend(dag.moments().iter().map(|moment| store.arena.stored(moment.event)));
        image.graph.extend(dag.parts().map(|part| match part {
            DagPart::Union(one, other) => ImagePart::Union(one, other),
            DagPart::Event { event, step, below } => ImagePart::Event { event, step, below },
        }));
        let file = &store.file;
        let saved = |configuration: &Configuration| {
            let Configuration { state, registers, last, deadline } = *configuration;
            let count = self.program.registers.len();
            ImageConfiguration {
                state,
                last,
                deadline,
                clocks: file.times(registers).to_vec(),
                registers: (0..count).map(|index| file.register(registers, index)).collect(),
            }
        };
        let waiting = roots.pop().filter(|root| *root != NONE);
        let groups = groups.all.iter().zip(roots);
        image.groups.extend(
            groups.map(|(group, root)| (root, group.configurations.iter().map(saved).collect())),
        );
        image.groups.extend(waiting.map(|root| (root, Vec::new())));
    }

    /// Returns a key with the groups of an image.
    pub(super) fn import_groups(&self, store: &mut Store<E>, image: Image<E>) -> KeyState {
        let mut key = KeyState::default();
        key.set_last_violation(image.last_violation);
        let Ok(compact) = &self.program.compact else { return key };
        let mut groups = self.create_groups();
        for (seq, event) in image.events {
            let time = event.time().as_millis();
            // The events come in the order of the graph, so their positions are those that the
            // nodes name.
            let event = store.arena.keep(event, seq);
            groups.dag.add_moment(DagEvent { event, seq, time });
        }
        for part in image.graph {
            match part {
                ImagePart::Union(one, other) => groups.dag.union(one, other),
                ImagePart::Event { event, step, below } => {
                    groups.dag.event(event, step, below.unwrap_or(NONE))
                }
            };
        }
        let mut successors = Vec::new();
        for (root, configurations) in image.groups {
            if configurations.is_empty() {
                groups.waiting = root;
                continue;
            }
            let restore = |saved: ImageConfiguration| {
                let file = &mut store.file;
                let mut registers = file.create();
                for (time, saved) in file.times_mut(registers).iter_mut().zip(&saved.clocks) {
                    *time = *saved;
                }
                for (index, register) in saved.registers.into_iter().enumerate() {
                    // A running sum is found anew. Older versions kept it in the groups.
                    if compact.sum.is_none() {
                        file.restore(&mut registers, index, register);
                    }
                }
                let ImageConfiguration { state, last, deadline, .. } = saved;
                Configuration { state, registers, last, deadline }
            };
            let configurations = configurations.into_iter().map(restore).collect();
            successors.push(Successor { configurations, root, sums: None });
        }
        // Groups that are equal for this program become one here, as at an event.
        groups.add(store, &compact.live, successors.into_iter());
        groups.now = image.now.unwrap_or(i64::MIN);
        groups.settle(self.whole_bound());
        store.arena.graphs += groups.bytes();
        key.set_groups(Box::new(groups));
        debug_assert_eq!(key.kind(), FormKind::Compact, "it was set");
        key
    }
}
