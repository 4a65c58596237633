//! Matches and timeouts that are held to be reported later.

use std::ops::Range;

use hashbrown::HashMap;

use crate::stream::output::matched::{Match, RuleInfo, Timeout};
use crate::stream::output::sink::Sink;
use kleene_automata::exec::{HeldOutcomes, OutcomeKind};
use kleene_event::event::Event;
use kleene_event::value::Value;

/// Matches and timeouts that are held, to be reported by another thread.
///
/// To hold a match copies its key and its captured events, and computes nothing.
///
/// ```
/// use std::thread;
///
/// use kleene::stream::HeldMatches;
/// use kleene::{Engine, Record, RuleSet, Timestamp, on_match};
///
/// let rules = RuleSet::parse(
///     "event paid { user: string, at: time }
///      rule twice { key user  match paid{2} as both  emit { user, took: last(both.at) - first(both.at) } }",
/// )?;
/// let mut engine = Engine::builder().rules(&rules).build()?;
/// let mut held = HeldMatches::default();
/// for second in [1, 3] {
///     let fields = [("user", "ann".into()), ("at", Timestamp::from_millis(1000 * second).into())];
///     let paid = Record::from_fields(rules.schema(), "paid", fields)?;
///     engine.push(&paid, &mut on_match(|found| assert!(held.hold(&found))))?;
/// }
/// let writing = thread::spawn(move || {
///     let mut lines = Vec::new();
///     held.report(0..held.len(), &mut on_match(|found| lines.push(found.to_record().to_string())));
///     lines
/// });
/// assert_eq!(writing.join().unwrap(), [r#"{ user: "ann", took: 2s }"#]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HeldMatches<E> {
    rules: Vec<OfRule<E>>,
    /// The rules by the address of what the engine knows of each.
    by_address: HashMap<usize, usize>,
    /// The rule of the last one.
    last: usize,
    /// For each the number of its rule, and its number there.
    order: Vec<(usize, usize)>,
    /// The approximate size of the captured events.
    bytes: u64,
}

/// What is held of a rule.
#[derive(Debug)]
struct OfRule<E> {
    info: RuleInfo,
    outcomes: HeldOutcomes<E>,
    /// The keys, one after the other.
    keys: Vec<Value>,
}

impl<E> Default for HeldMatches<E> {
    fn default() -> HeldMatches<E> {
        let (rules, by_address, order) = Default::default();
        HeldMatches { rules, by_address, last: 0, order, bytes: 0 }
    }
}

impl<E> HeldMatches<E> {
    /// The number of matches and timeouts.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// The approximate size of the captured events in bytes. Events that the engine holds as well are
    /// counted as if they were copies.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// True if nothing is held.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl<E: Event> HeldMatches<E> {
    /// Holds a match, or what a [timeout shares with one](Timeout::as_match). Returns false, and does
    /// not hold it, if it is one of several of its [set](Match::set): the whole set would have to be
    /// copied.
    pub fn hold(&mut self, found: &Match<'_, E>) -> bool {
        let rule = self.number_of(found);
        let of_rule = &mut self.rules[rule];
        let before = of_rule.outcomes.bytes();
        let Some(number) = of_rule.outcomes.push(found.outcome()) else { return false };
        of_rule.keys.extend_from_slice(found.key_slice());
        self.bytes += of_rule.outcomes.bytes() - before;
        self.order.push((rule, number));
        true
    }

    /// Returns the number of a match's rule.
    fn number_of(&mut self, found: &Match<'_, E>) -> usize {
        let is_of = |held: &OfRule<E>| {
            held.info.is_same(found.info()) && held.outcomes.is_like(found.outcome())
        };
        if !self.rules.get(self.last).is_some_and(is_of) {
            let address = found.info().address();
            let known = self.by_address.get(&address).copied();
            self.last = known.filter(|known| is_of(&self.rules[*known])).unwrap_or_else(|| {
                let outcomes = HeldOutcomes::like(found.outcome());
                let info = found.info().clone();
                self.rules.push(OfRule { info, outcomes, keys: Vec::new() });
                self.by_address.insert(address, self.rules.len() - 1);
                self.rules.len() - 1
            });
        }
        self.last
    }

    /// Reports what is held at these positions, in the order in which it came.
    ///
    /// # Panics
    /// If a position is not held.
    pub fn report(&self, positions: Range<usize>, sink: &mut impl Sink<E>) {
        for (rule, number) in &self.order[positions] {
            let OfRule { info, outcomes, keys } = &self.rules[*rule];
            let Some(outcome) = outcomes.get(*number) else { continue };
            let parts = info.rule.key.len();
            let key = &keys[number * parts..(number + 1) * parts];
            let found = Match::new(info, key, outcome);
            match outcome.kind() {
                OutcomeKind::Match => sink.matched(found),
                OutcomeKind::Timeout => sink.timed_out(Timeout::new(found)),
            }
        }
    }

    /// Drops what is held. The memory of its rules stays for as many matches.
    pub fn clear(&mut self) {
        let known = self.rules.len();
        self.rules.retain(|held| !held.outcomes.is_empty());
        for OfRule { outcomes, keys, .. } in &mut self.rules {
            outcomes.clear();
            keys.clear();
        }
        if self.rules.len() < known {
            let addresses = self.rules.iter().map(|held| held.info.address());
            self.by_address = addresses.zip(0..).collect();
        }
        self.order.clear();
        self.bytes = 0;
    }
}
