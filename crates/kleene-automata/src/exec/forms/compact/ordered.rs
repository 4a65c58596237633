//! Matches that wait for older partial matches (`ordered`).
//!
//! When it applies: patterns with `ordered` and a `skip` that drops something.
//!
//! Why it is right: a match waits while a partial match is alive that started before it, and what a
//! match drops follows from starts, too. So the starts of the open partial matches, in their order,
//! say which matches are reported. What waits is one more node of the graph. A start that is out of
//! time is dropped at once while something waits, so nothing waits for it. No match is in the node
//! twice: a pattern that could complete one twice is not held in the compact form.
//!
//! What it saves: partial matches and the matches that wait are not listed. An event that releases
//! nothing takes a look at each group.
//!
//! Which test holds it: `the_compact_form_reports_what_the_reference_reports` in
//! `tests/properties.rs`.

use super::groups::MatchGroups;
use super::outcomes::Chosen;
use crate::exec::dag::{NONE, firsts};
use crate::exec::forms::KeyState;
use crate::exec::matcher::Matcher;
use crate::exec::outcome::Outcome;
use crate::exec::store::Store;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::SkipStrategy;

impl<E: Event> Matcher<E> {
    /// Lets complete matches wait, and reports those for which no older partial match is alive.
    pub(super) fn release_groups(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        (groups, completed): (&mut MatchGroups, u32),
        at: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        groups.waiting = groups.dag.union(completed, groups.waiting);
        if groups.waiting == NONE {
            return;
        }
        let first = groups.dag.oldest(groups.waiting).seq;
        let oldest = || groups.all.iter().map(|group| groups.dag.oldest(group.root));
        if oldest().any(|start| start.seq < first && self.end(start) > at.as_millis()) {
            // Nothing waits for what is out of time.
            if oldest().any(|start| self.end(start) <= at.as_millis()) {
                self.collect_groups(store, groups, &mut { NONE }, at);
            }
            return;
        }
        groups.count_pass(store);
        let open = groups.dag.starts(groups.all.iter().map(|group| group.root));
        let open: Vec<u64> = open
            .iter()
            .filter(|start| self.end(start) > at.as_millis())
            .map(|start| start.seq)
            .collect();
        let chosen = match self.program.skip.strategy {
            SkipStrategy::ToNext => first_of_each(groups, &open),
            _ => self.chosen(&groups.dag, groups.waiting, |older| {
                let before = |seq: u64| open.partition_point(|start| *start < seq);
                before(older.start) < before(older.end)
            }),
        };
        if chosen.next == first {
            // Behind what is out of time there is another older start.
            return self.collect_groups(store, groups, &mut { NONE }, at);
        }
        let rest = groups.dag.restrict(&[groups.waiting], |start| start.seq >= chosen.next);
        groups.waiting = rest.first().copied().unwrap_or(NONE);
        store.counts.add_unlisted(chosen.unlisted);
        self.report_chosen(store, key, (groups, &chosen), at, sink);
    }
}

/// Returns the first match of each start that waits for none of the open starts. A match that is
/// reported drops its own start.
fn first_of_each(groups: &mut MatchGroups, open: &[u64]) -> Chosen {
    let mut open = open.iter().copied().peekable();
    let starts = groups.dag.starts([groups.waiting].into_iter()).into_iter();
    let next = starts.map(|start| start.seq).find(|seq| {
        let waits = open.peek().is_some_and(|oldest| oldest < seq);
        open.next_if_eq(seq);
        waits
    });
    let next = next.unwrap_or(u64::MAX);
    let released = groups.dag.restrict(&[groups.waiting], |start| start.seq < next);
    let released = released.first().filter(|root| **root != NONE);
    let matches = released.map(|root| firsts(&groups.dag, *root)).unwrap_or_default();
    Chosen { matches, unlisted: 0, dropped: 0, next }
}
