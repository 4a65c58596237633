//! The work that is due before an event: deadlines, evicted keys with deadlines, and derived
//! events.

use smallvec::SmallVec;

use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::dispatch::prefetch::KeyHint;
use crate::stream::keys::table::At;
use crate::stream::output::receiver::Receiver;
use crate::stream::rule::context::SweepContext;
use crate::stream::rule::runtime::RuleRuntime;
use crate::stream::rule::timers::Timer;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

/// A moment up to which work is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::stream) enum DueUntil {
    /// More events of this time can come.
    Open,
    /// No more events of this time can come.
    Over,
}

impl<E: Event> Dispatcher<E> {
    /// True if work may be due before an event of time `to`.
    #[inline]
    pub(in crate::stream) fn is_due(&self, to: Timestamp) -> bool {
        self.timers.next().min(self.wake) <= to || !self.accounting.derived.is_empty()
    }

    /// Returns the time of the next deadline, derived event, or end of a suppression.
    pub(in crate::stream) fn next_due(&self) -> Option<Timestamp> {
        let suppressions = self.rules.iter().filter_map(|rule| rule.suppression()?.first_end());
        let timers = [self.timers.next().min(self.wake)];
        let timers = timers.into_iter().filter(|at| *at < Timestamp::MAX);
        timers.chain(self.accounting.derived.next()).chain(suppressions).min()
    }

    /// True if no rule suppresses matches because of earlier ones.
    pub(in crate::stream) fn remembers_nothing(&self) -> bool {
        let mut suppressions = self.rules.iter().filter_map(RuleRuntime::suppression);
        suppressions.all(|suppression| suppression.entries().next().is_none())
    }

    /// Fires the deadlines up to and including `to`, and dispatches the derived events before `to`,
    /// or up to and including `to` if the moment is over. At one time, deadlines come first and
    /// derived events last.
    #[inline(never)]
    pub(in crate::stream) fn dispatch_due<S: Receiver<E> + ?Sized>(
        &mut self,
        to: Timestamp,
        until: DueUntil,
        sink: &mut S,
    ) {
        while self.accounting.failure.is_none() {
            let derived = self.accounting.derived.next();
            let timer = self.timers.next();
            if self.wake < Timestamp::MAX
                && self.wake <= timer.min(to)
                && derived.is_none_or(|derived| self.wake <= derived)
            {
                self.load_due();
            } else if self.timers.len() > 0
                && timer <= to
                && derived.is_none_or(|derived| timer <= derived)
            {
                self.fire_timers(sink);
            } else if derived
                .is_some_and(|derived| derived < to || until == DueUntil::Over && derived == to)
                && let Some(event) = self.accounting.derived.take()
            {
                if let Some(share) = &mut self.accounting.share {
                    share.enter_derived(event.time());
                }
                self.dispatch_next(&event, KeyHint::NOTHING, sink);
            } else {
                break;
            }
        }
    }

    /// Fires the deadlines of the next moment with a deadline.
    fn fire_timers<S: Receiver<E> + ?Sized>(&mut self, sink: &mut S) {
        let Dispatcher { rules, groups, timers, accounting, due, .. } = self;
        let mut places: SmallVec<[(u32, usize); 16]> = SmallVec::new();
        let mut idle: SmallVec<[(u32, u32, u32); 16]> = SmallVec::new();
        let now = timers.take_next(due);
        if let Some(share) = &mut accounting.share {
            share.enter_moment(now);
        }
        if let [timer @ Timer { rule, id, .. }] = due[..] {
            // Most timers come one by one, and many of them are outdated.
            let keys = groups.keys(rules[rule as usize].group());
            if !timer.is_of_sweep() && keys.living(id).is_none() {
                return;
            }
        }
        for of_rule in due.chunk_by(|a, b| a.rule == b.rule) {
            let index = of_rule[0].rule;
            let rule = &mut rules[index as usize];
            let keys = groups.keys_mut(rule.group());
            if rule.has_sweeps() {
                let stats = &mut accounting.stats;
                rule.sweep(keys, &mut SweepContext { rule: index, now, timers, stats });
                continue;
            }
            places.clear();
            places.extend(of_rule.iter().filter_map(|timer| {
                let place = keys.armed(timer.id, index, now)?;
                Some((timer.id.slot, place))
            }));
            if let Some(share) = &mut accounting.share {
                share.enter_rule(index);
            }
            rule.expire(keys, &places, now, accounting, sink);
            for &(slot, place) in &places {
                let At { id, held, .. } = keys.at_mut(slot, place);
                held.armed = Timestamp::MAX;
                if rule.schedule(index, id, held, timers, &mut accounting.stats) {
                    idle.push((rule.group(), slot, u32::try_from(place).unwrap_or(u32::MAX)));
                }
            }
        }
        idle.sort_unstable();
        for of_slot in idle.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let (group, slot, _) = of_slot[0];
            let keys = groups.keys_mut(group);
            let sorted = keys.slot(slot).held().len();
            let idle: SmallVec<[u32; 4]> = of_slot.iter().map(|(.., place)| *place).collect();
            keys.tidy_at(slot, &idle, sorted);
        }
        if self.accounting.has_ended_rules {
            self.end_rules();
        }
    }

    /// Drops the state of rules that are over for all keys (`once per rule`).
    #[cold]
    pub(super) fn end_rules(&mut self) {
        self.accounting.has_ended_rules = false;
        // A cold store has some of their keys. It happens once in the life of a rule.
        if self.load_all() {
            return;
        }
        let Dispatcher { rules, groups, accounting, .. } = self;
        for (index, rule) in (0..).zip(rules) {
            rule.end_if_over(index, groups.keys_mut(rule.group()), &mut accounting.stats);
        }
    }
}
