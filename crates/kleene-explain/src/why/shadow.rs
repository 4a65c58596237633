//! Follows the effects of other rules and other keys on a key: events that rules make (`emit as`),
//! and matches that suppress others (`suppress`). An engine runs beside the tracer, just ahead of
//! it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashSet;

use super::keys::is_key;
use kleene::ruleset::RuleSet;
use kleene::stream::{Engine, EngineBuilder, Match, PushError, Sink, Timeout};
use kleene_automata::exec::Feeder;
use kleene_event::event::Event;
use kleene_event::schema::{Schema, TypeId};
use kleene_event::time::Timestamp;
use kleene_syntax::hir::{Emit, Once, Rule};

/// The rules that have something to say about one rule, as an engine.
pub(super) struct Shadow<E: Event> {
    engine: Engine<E>,
    pub(super) heard: ShadowReports<E>,
}

/// The reports of the engine that matter for the key.
pub(super) struct ShadowReports<E> {
    /// The rule, with the events' numbers, and what they mean.
    rule: Arc<Rule>,
    schema: Arc<Schema>,
    /// The key, as it was asked for.
    parts: Vec<String>,
    /// Events that rules have made for it, with the names of those rules, in the order of time.
    pub(super) made: VecDeque<(Timestamp, Made<E>)>,
    /// The time at which a match of another key ended the rule (`once per rule`).
    pub(super) ended: Option<Timestamp>,
    /// The fate of each match of the key.
    pub(super) verdicts: VecDeque<MatchFate>,
}

/// The fate of a match in the engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum MatchFate {
    Reported,
    Suppressed,
    Filtered,
}

/// An event that a rule has made.
pub(super) struct Made<E> {
    pub(super) event: E,
    pub(super) by: Arc<str>,
}

/// The rules that are needed to follow `rule`, in their order: those that make events for it, and
/// itself if it does not report all that it finds. Often none.
pub(super) fn rules_for<'a>(rules: &'a RuleSet, rule: &'a Rule) -> Vec<&'a Rule> {
    let feeds = |emit: &Option<Emit>| emit.as_ref().and_then(|emit| emit.feeds);
    let mut types: HashSet<TypeId> = rule.types.iter().copied().collect();
    let mut wanted: HashSet<&str> = HashSet::new();
    loop {
        let before = wanted.len();
        for other in rules.rules() {
            let made = [feeds(&other.emit), feeds(&other.on_timeout)];
            if made.into_iter().flatten().any(|ty| types.contains(&ty)) {
                wanted.insert(&other.name);
                types.extend(&other.types);
            }
        }
        if wanted.len() == before {
            break;
        }
    }
    let hides = hides(rule);
    let all = rules.rules().iter();
    all.filter(|other| wanted.contains(&*other.name) || hides && *other.name == *rule.name)
        .map(|rule| &**rule)
        .collect()
}

/// True if the engine does not report all matches of the rule.
pub(super) fn hides(rule: &Rule) -> bool {
    rule.suppress.is_some() || rule.having.is_some() || rule.once.is_some()
}

impl<E: Event> Shadow<E> {
    /// Returns `None` if no other rules matter, or if they cannot be run on these events.
    pub(super) fn new(
        rules: &RuleSet,
        rule: &Arc<Rule>,
        schema: &Arc<Schema>,
        parts: &[String],
        out_of_order: Option<Duration>,
    ) -> Option<Shadow<E>> {
        let needed = rules_for(rules, rules.rule(&rule.name)?);
        if needed.is_empty() {
            return None;
        }
        let is_needed = |rule: &Rule| needed.iter().any(|needed| needed.name == rule.name);
        let mut builder = EngineBuilder::new().rules_where(rules, is_needed);
        if let Some(bound) = out_of_order {
            builder = builder.out_of_order(bound);
        }
        let heard = ShadowReports {
            rule: rule.clone(),
            schema: schema.clone(),
            parts: parts.to_vec(),
            made: VecDeque::new(),
            ended: None,
            verdicts: VecDeque::new(),
        };
        Some(Shadow { engine: builder.build().ok()?, heard })
    }

    // The type of the sink is hidden from the engine, of which each type would be a copy.

    pub(super) fn push(&mut self, event: &E) -> Result<(), PushError> {
        let heard: &mut dyn Sink<E> = &mut self.heard;
        self.engine.push(event, heard)
    }

    pub(super) fn advance(&mut self, to: Timestamp) {
        // A shadow that has stopped says nothing more; the tracer goes on.
        let heard: &mut dyn Sink<E> = &mut self.heard;
        let _ = self.engine.advance(to, heard);
    }

    pub(super) fn end_time(&mut self) {
        let heard: &mut dyn Sink<E> = &mut self.heard;
        let _ = self.engine.end_time(heard);
    }
}

impl<E: Event> ShadowReports<E> {
    fn hear(&mut self, reported: &Match<'_, E>, emit: Option<&Emit>) {
        let Some(emit) = emit else { return };
        if emit.feeds.is_none_or(|ty| self.rule.types.binary_search(&ty).is_err()) {
            return;
        }
        let Some(feeder) = Feeder::new(emit, &self.schema) else { return };
        let at = reported.reported_at();
        if let Some((event, None)) =
            feeder.make(at, &self.schema, |expr| reported.value(expr).into_owned())
        {
            let by = reported.rule().name.clone();
            self.made.push_back((at, Made { event, by }));
        }
    }

    fn is_ours(&self, found: &Match<'_, E>) -> bool {
        *found.rule().name == *self.rule.name
            && is_key(&self.parts, found.key_values().map(|(_, value)| value))
    }
}

impl<E: Event> Sink<E> for ShadowReports<E> {
    fn matched(&mut self, found: Match<'_, E>) {
        if self.is_ours(&found) {
            self.verdicts.push_back(MatchFate::Reported);
        } else if *found.rule().name == *self.rule.name && self.rule.once == Some(Once::Rule) {
            self.ended = Some(found.reported_at());
        }
        self.hear(&found, found.rule().emit.as_ref());
    }

    fn filtered(&mut self, found: Match<'_, E>) {
        if self.is_ours(&found) {
            self.verdicts.push_back(MatchFate::Filtered);
        }
    }

    fn suppressed(&mut self, found: Match<'_, E>) {
        if self.is_ours(&found) {
            self.verdicts.push_back(MatchFate::Suppressed);
        }
    }

    fn timed_out(&mut self, timeout: Timeout<'_, E>) {
        self.hear(timeout.as_match(), timeout.rule().on_timeout.as_ref());
    }
}
