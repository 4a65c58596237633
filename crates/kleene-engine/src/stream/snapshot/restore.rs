//! Restoring: from bytes to an engine.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::ruleset::RuleSet;
use crate::ruleset::compiled::same;
use crate::stream::builder::{EngineBuilder, JoinAt};
use crate::stream::change::replace::replace_with;
use crate::stream::change::replacement::{Replacement, RuleChange, Verdict};
use crate::stream::change::schema::merge;
use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::engine::Engine;
use crate::stream::error::PushFailure;
use crate::stream::ingest::arrivals::Ingest;
use crate::stream::keys::key::Key;
use crate::stream::keys::wire::SavedState;
use crate::stream::rule::runtime::RuleRuntime;
use crate::stream::rule::spec::{Preparation, Relink, RuleSpec};
use crate::stream::snapshot::RestoreError;
use crate::stream::snapshot::saved::{SavedEngine, SavedPart, SavedRule};
use kleene_automata::exec::Image;
use kleene_event::event::{Event, Portable};
use kleene_event::schema::{Schema, TypeId};
use kleene_event::time::Timestamp;
use kleene_event::util::order;

pub(super) fn restore<E: Portable>(
    builder: EngineBuilder<E>,
    parts: &[&[u8]],
) -> Result<(Engine<E>, Replacement), RestoreError> {
    let saved = Saved::read(parts, builder.join)?;
    let Old { engine: mut ingest, places, mut lost, declared, new_texts } =
        Old::build(builder, &saved)?;
    saved.give_engine(&mut ingest)?;
    saved.give_keys(&mut ingest, &places, &mut lost)?;
    let now = ingest.next_moment();
    let mut replacement = match new_texts {
        Some(texts) => match replace_with(ingest.dispatcher_mut(), &declared, texts, now) {
            Ok(replacement) => replacement,
            Err(refused) => {
                return Err(
                    cold_failure(ingest.dispatcher()).unwrap_or(RestoreError::Refused(refused))
                );
            }
        },
        None => Replacement::default(),
    };
    complete(&mut replacement, ingest.dispatcher(), &saved.rules, &lost);
    Ok((Engine::new(ingest), replacement))
}

/// Adds the result for each rule that the replacement does not list.
fn complete<E: Event>(
    replacement: &mut Replacement,
    dispatcher: &Dispatcher<E>,
    saved: &[SavedRule],
    lost: &[Option<Lost>],
) {
    let reported = std::mem::take(&mut replacement.rules);
    let mut reported_of = ByName::new(reported.iter().map(|change| &change.rule));
    let mut old_of = ByName::new(saved.iter().map(|rule| &rule.name));
    let partials = dispatcher.partial_counts();
    for (index, running) in dispatcher.rules().iter().enumerate() {
        let rule = running.rule();
        let old = old_of.take(&rule.name);
        let mut change = match reported_of.take(&rule.name) {
            Some(place) => reported[place].clone(),
            None => RuleChange {
                rule: rule.name.clone(),
                verdict: if old.is_some() { Verdict::Unchanged } else { Verdict::Added },
                old_version: old.map(|old| saved[old].version),
                new_version: Some(rule.version),
                kept: partials[index],
                dropped: 0,
            },
        };
        if let Some((old, lost)) = old.and_then(|old| Some((old, lost[old].as_ref()?))) {
            change.verdict = Verdict::Reset(lost.reason.clone());
            change.old_version = Some(saved[old].version);
            change.dropped = lost.partials;
        }
        replacement.rules.push(change);
    }
    for old in old_of.left() {
        let SavedRule { name, version, .. } = &saved[old];
        replacement.rules.push(match reported_of.take(name) {
            Some(place) => reported[place].clone(),
            None => RuleChange {
                rule: name.clone(),
                verdict: Verdict::Removed,
                old_version: Some(*version),
                new_version: None,
                kept: 0,
                dropped: lost[old].as_ref().map_or(0, |lost| lost.partials),
            },
        });
    }
}

/// Positions by name. Each position is taken once, the first one first.
struct ByName<'a> {
    /// From the last to the first.
    places: HashMap<&'a str, Vec<usize>>,
}

impl<'a> ByName<'a> {
    fn new(names: impl DoubleEndedIterator<Item = &'a Arc<str>> + ExactSizeIterator) -> ByName<'a> {
        let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, name) in names.enumerate().rev() {
            places.entry(name).or_default().push(place);
        }
        ByName { places }
    }

    fn first(&self, name: &str) -> Option<usize> {
        self.places.get(name)?.last().copied()
    }

    fn take(&mut self, name: &str) -> Option<usize> {
        self.places.get_mut(name)?.pop()
    }

    /// Returns the positions that were not taken, in order.
    fn left(&self) -> Vec<usize> {
        let mut left: Vec<usize> = self.places.values().flatten().copied().collect();
        left.sort_unstable();
        left
    }
}

/// The joined contents of several parts.
struct Saved<'a, E> {
    parts: Vec<SavedPart<'a, E>>,
    /// Snapshots with the changes that follow them, as places in `parts`.
    chains: Vec<Vec<usize>>,
    schema: Schema,
    rules: Vec<SavedRule>,
    /// The earliest watermark of the parts. The times in each part are read by its own.
    watermark: Timestamp,
    /// By chain: the first chain that numbers events alike. Chains of one engine at one moment do.
    origins: Vec<usize>,
}

impl<'a, E: Portable> Saved<'a, E> {
    fn read(bytes: &[&'a [u8]], join: JoinAt) -> Result<Saved<'a, E>, RestoreError> {
        let mut parts: Vec<SavedPart<'a, E>> = Vec::new();
        let mut chains: Vec<Vec<usize>> = Vec::new();
        for (index, bytes) in bytes.iter().enumerate() {
            let part = SavedPart::read(bytes)?;
            if let Some(base) = part.base {
                let is_followed = |chain: &&mut Vec<usize>| {
                    chain.last().is_some_and(|last| parts[*last].identity == base)
                };
                let Some(chain) = chains.iter_mut().find(is_followed) else {
                    return Err(RestoreError::Unfounded(index));
                };
                chain.push(index);
            } else {
                chains.push(vec![index]);
            }
            parts.push(part);
        }
        let malformed = |section| RestoreError::Malformed { section };
        let mut first: Option<(Schema, Vec<SavedRule>)> = None;
        for chain in &chains {
            let part = &mut parts[chain[0]];
            let schema = part.schema.take().ok_or(malformed("schema"))?;
            let rules = part.rules.take().ok_or(malformed("rules"))?;
            let Some((known_schema, known)) = &first else {
                first = Some((schema, rules));
                continue;
            };
            let other =
                (0..rules.len().max(known.len())).find(|&at| rules.get(at) != known.get(at));
            let other = other.or((!schema.types().eq(known_schema.types())).then_some(0));
            if let Some(at) = other {
                let rule = rules.get(at).or(known.get(at));
                let name = rule.map_or_else(|| Arc::from(""), |rule| rule.name.clone());
                return Err(RestoreError::OtherRules(name));
            }
        }
        let (schema, rules) = first.ok_or(RestoreError::Nothing)?;
        let (watermark, origins) = (Timestamp::MAX, Vec::new());
        let mut saved = Saved { parts, chains, schema, rules, watermark, origins };
        let heads: Vec<&SavedEngine> = saved.heads().map(|head| &head.engine).collect();
        let is_other = |head: &&SavedEngine| {
            head.finished != heads[0].finished
                || join == JoinAt::Alike && head.watermark != heads[0].watermark
        };
        if heads.iter().any(is_other) {
            return Err(RestoreError::OtherTime);
        }
        let watermark = heads.iter().map(|head| head.watermark).min();
        let mut first_of: HashMap<u64, usize> = HashMap::new();
        let origin = |(index, head): (usize, &&SavedEngine)| match head.numbering {
            0 => index,
            numbering => *first_of.entry(numbering).or_insert(index),
        };
        saved.origins = heads.iter().enumerate().map(origin).collect();
        saved.watermark = watermark.unwrap_or(Timestamp::MIN);
        Ok(saved)
    }

    /// True if all parts number events alike.
    fn is_one_numbering(&self) -> bool {
        self.origins.iter().all(|origin| *origin == 0)
    }

    /// Returns the last part of each chain, which holds the full state except for the keys.
    fn heads(&self) -> impl Iterator<Item = &SavedPart<'a, E>> {
        self.chains.iter().filter_map(|chain| Some(&self.parts[*chain.last()?]))
    }

    fn give_sources(&self, ingest: &mut Ingest<E>) {
        for head in self.heads() {
            let saved = &head.engine;
            ingest.restore_time(self.watermark, saved.newest, saved.finished);
            for (name, watermark, idle) in &saved.sources {
                ingest.restore_source(name, *watermark, *idle);
            }
            if saved.has_main {
                // To ask for it makes it.
                ingest.main_source();
            }
        }
        if self.heads().all(|head| head.engine.watermark == self.watermark) {
            return;
        }
        // A source must not move the watermark on before the events of parts that do not have it.
        let names: HashSet<&Arc<str>> = self
            .heads()
            .flat_map(|head| head.engine.sources.iter().map(|(name, ..)| name))
            .collect();
        for SavedEngine { sources, watermark, .. } in self.heads().map(|head| &head.engine) {
            for name in names.iter().filter(|name| sources.iter().all(|(own, ..)| own != **name)) {
                ingest.hold_source(name, *watermark);
            }
        }
    }

    fn give_engine(&self, ingest: &mut Ingest<E>) -> Result<(), RestoreError> {
        self.give_sources(ingest);
        for head in self.heads() {
            let saved = &head.engine;
            ingest.dispatcher_mut().raise_released(saved.released);
            ingest.dispatcher_mut().add_counts(saved.stats);
            if saved.failure.is_some() {
                ingest.dispatcher_mut().set_failure(saved.failure.as_ref());
            }
        }
        // By time; what was numbered by several engines, by part and then by its number there. An
        // event that several parts of one engine have is one event.
        let chains = || self.origins.iter().copied().zip(self.heads());
        let mut buffer: Vec<_> = chains()
            .flat_map(|(origin, head)| head.buffer.iter().map(move |event| (origin, event)))
            .map(|(origin, (number, event))| (event.time(), (origin, *number), event))
            .collect();
        order::sort_by_key(&mut buffer, |(time, order, _)| (*time, *order));
        buffer.dedup_by_key(|(time, order, _)| (*time, *order));
        for (.., event) in buffer {
            if !ingest.restore_buffered(event) {
                return Err(RestoreError::Malformed { section: "buffer" });
            }
        }
        let mut derived: Vec<_> = chains()
            .flat_map(|(origin, head)| head.derived.iter().map(move |event| (origin, event)))
            .map(|(origin, (number, time, event))| (*time, (origin, *number), event))
            .collect();
        order::sort_by_key(&mut derived, |(time, order, _)| (*time, *order));
        derived.dedup_by_key(|(time, order, _)| (*time, *order));
        for (time, _, event) in derived {
            ingest.dispatcher_mut().add_derived(time, event.clone());
        }
        Ok(())
    }

    /// Restores the state of the rules of `engine`. `places` has the rule for each saved rule.
    fn give_keys(
        &self,
        ingest: &mut Ingest<E>,
        places: &[Option<usize>],
        lost: &mut [Option<Lost>],
    ) -> Result<(), RestoreError> {
        let mut suppressed: Vec<Vec<(Timestamp, Key)>> = vec![Vec::new(); self.rules.len()];
        for chain in &self.chains {
            for (index, part) in chain.iter().enumerate() {
                // Changes hold what ends as a whole, and of what never ends what is new.
                let is_head = index + 1 == chain.len();
                let of_part = self.parts[*part].suppressed(&self.rules)?;
                for (all, of_rule) in suppressed.iter_mut().zip(of_part) {
                    let counts = |until: Timestamp| is_head || until == Timestamp::MAX;
                    all.extend(of_rule.into_iter().filter(|(until, _)| counts(*until)));
                }
            }
        }
        for (place, mut entries) in places.iter().zip(suppressed) {
            let Some(place) = place else { continue };
            if ingest.dispatcher().rules()[*place].suppression().is_some() {
                // Of parts that differ, the later one counts.
                let mut latest: HashMap<Key, Timestamp> = HashMap::new();
                if self.chains.len() > 1 {
                    for (until, key) in &entries {
                        let known = latest.entry(key.clone()).or_insert(*until);
                        *known = (*known).max(*until);
                    }
                    entries.retain(|(until, key)| {
                        latest.get(key) == Some(until) && latest.remove(key).is_some()
                    });
                }
                order::sort_by_key(&mut entries, |(until, _)| *until);
                for (until, key) in entries {
                    ingest.dispatcher_mut().suppress(*place, key, until);
                }
            }
        }
        let is_one_numbering = self.is_one_numbering();
        let numbers = if is_one_numbering { HashMap::new() } else { self.renumbered()? };
        if !is_one_numbering {
            ingest.dispatcher_mut().set_released(numbers.len() as u64);
        }
        for (origin, chain) in self.origins.iter().zip(&self.chains) {
            // The newest part that speaks of a key says what it holds.
            let mut seen: HashSet<(u32, Key)> = HashSet::new();
            for part in chain.iter().rev() {
                self.parts[*part].keys(&self.rules, |saved| {
                    if chain.len() > 1 && !seen.insert((saved.group, saved.key.clone())) {
                        return Ok(());
                    }
                    for (rule, mut held) in saved.held {
                        if !is_one_numbering {
                            for (seq, _) in &mut held.events {
                                *seq = numbers.get(&(*origin, *seq)).copied().unwrap_or_default();
                            }
                        }
                        give_key(ingest, rule, &saved.key, held, places, lost)?;
                    }
                    Ok(())
                })?;
            }
        }
        ingest.dispatcher_mut().account();
        // If events are numbered alike, the counts are those of one ingest.
        if !is_one_numbering {
            ingest.dispatcher_mut().raise_peak();
        }
        Ok(())
    }

    /// Returns new numbers for the events of engines with separate numberings: ordered by time,
    /// then by part, then by their old numbers.
    ///
    /// # Errors
    /// [`RestoreError`] if a part is invalid.
    fn renumbered(&self) -> Result<HashMap<(usize, u64), u64>, RestoreError> {
        let mut events: Vec<(Timestamp, usize, u64)> = Vec::new();
        for (origin, chain) in self.origins.iter().zip(&self.chains) {
            for part in chain {
                self.parts[*part].keys(&self.rules, |saved| {
                    let captured = saved.held.iter().flat_map(|(_, held)| &held.events);
                    events.extend(captured.map(|(seq, event)| (event.time(), *origin, *seq)));
                    Ok(())
                })?;
            }
        }
        events.sort_unstable();
        let mut numbers = HashMap::new();
        for (_, origin, seq) in events {
            let next = numbers.len() as u64;
            numbers.entry((origin, seq)).or_insert(next);
        }
        Ok(numbers)
    }
}

/// Returns the failure of a cold store.
fn cold_failure<E: Event>(dispatcher: &Dispatcher<E>) -> Option<RestoreError> {
    let failure = dispatcher.check_running().err();
    failure.filter(|failure| matches!(failure.0, PushFailure::Cold(_))).map(RestoreError::Cold)
}

fn give_key<E: Portable>(
    ingest: &mut Ingest<E>,
    rule: usize,
    key: &Key,
    mut held: SavedState<'_, E>,
    places: &[Option<usize>],
    lost: &mut [Option<Lost>],
) -> Result<(), RestoreError> {
    let Some(place) = places[rule] else {
        if let Some(lost) = &mut lost[rule] {
            lost.partials = lost.partials.saturating_add(held.partials);
        }
        return Ok(());
    };
    let horizon = ingest.next_moment();
    let dispatcher = ingest.dispatcher_mut();
    if dispatcher.has_cold_store() {
        dispatcher.make_room(horizon);
        dispatcher.load_for(place, key);
        cold_failure(dispatcher).map_or(Ok(()), Err)?;
    }
    let running = &dispatcher.rules()[place];
    let name = running.rule().name.clone();
    let image = Image::read(&mut held.body, running.program(), held.events)
        .filter(|image| held.body.is_at_end() && image.has_count(held.partials))
        .ok_or(RestoreError::Malformed { section: "keys" })?;
    let is_new = dispatcher.admit(place, key, held.armed, image);
    if is_new { Ok(()) } else { Err(RestoreError::Overlap(name)) }
}

/// A saved rule that cannot continue.
#[derive(Clone, Debug)]
struct Lost {
    reason: String,
    /// The number of its partial matches.
    partials: u64,
}

/// An engine with the rules of a snapshot that can be run, without state.
struct Old<E: Event> {
    engine: Ingest<E>,
    /// By saved rule: its place in the engine.
    places: Vec<Option<usize>>,
    /// By saved rule: the reason why it has no position.
    lost: Vec<Option<Lost>>,
    /// The declarations of the new rules.
    declared: Vec<Arc<Schema>>,
    /// The rules from rule text that replace the old ones, if they differ.
    new_texts: Option<Vec<RuleSpec<E>>>,
}

impl<E: Portable> Old<E> {
    fn build(builder: EngineBuilder<E>, saved: &Saved<'_, E>) -> Result<Old<E>, RestoreError> {
        let EngineBuilder { rules: given, strategy, limits, matching, indexed, cold, join: _ } =
            builder;
        let own = E::schema().map(Arc::new);
        let mut declared: Vec<Arc<Schema>> =
            given.iter().filter_map(|given| given.schema.clone()).collect();
        // Only to keep the list short: a schema that comes twice is read twice.
        declared.dedup_by(|a, b| Arc::ptr_eq(a, b));
        let is_same = {
            let texts = saved.rules.iter().filter(|rule| rule.is_text);
            let new = given.iter().filter(|given| given.is_text);
            texts
                .map(|rule| (&rule.name, rule.version))
                .eq(new.map(|given| (&given.rule.name, given.rule.version)))
        };
        let known = || {
            let known = Arc::new(saved.schema.clone());
            declared.iter().find(|declared| same(declared, &known)).cloned().unwrap_or(known)
        };
        let mut schema = own.unwrap_or_else(known);
        if is_same && E::schema().is_none() {
            for declared in &declared {
                schema = merge(&schema, declared).0;
            }
        }
        let mut lost = vec![None; saved.rules.len()];
        let (rules, new_texts) = if is_same {
            (given, None)
        } else {
            let sets: Vec<RuleSet> = given.iter().filter_map(|given| given.text.clone()).collect();
            let (texts, mut hosts): (Vec<_>, Vec<_>) =
                given.into_iter().enumerate().partition(|(_, given)| given.is_text);
            let first = texts.first().map_or(usize::MAX, |(index, _)| *index);
            let after = hosts.split_off(hosts.partition_point(|(index, _)| *index < first));
            let before = hosts.into_iter().map(|(_, given)| given);
            let old = saved.old_texts(&sets, &mut lost);
            let rules = before.chain(old).chain(after.into_iter().map(|(_, given)| given));
            (rules.collect(), Some(texts.into_iter().map(|(_, given)| given).collect()))
        };
        let (mut started, mut prepared) = (Vec::new(), Preparation::default());
        for given in rules {
            started.push(given.start(&schema, Relink::Allowed, matching, &mut prepared)?);
        }
        let read: HashSet<TypeId> =
            started.iter().flat_map(|rule: &RuleRuntime<E>| &rule.rule().types).copied().collect();
        for rule in &mut started {
            rule.link(&read)?;
        }
        if new_texts.is_none() {
            started.iter().try_for_each(RuleRuntime::check_events)?;
        }
        let places = places(&started, &saved.rules, &mut lost);
        let mut dispatcher = Dispatcher::new(schema, started, indexed, limits, matching);
        dispatcher.set_cold(cold);
        let engine = Ingest::new(dispatcher, strategy);
        Ok(Old { engine, places, lost, declared, new_texts })
    }
}

/// Returns, for each saved rule, the index of the rule that continues it. If no rule does, `lost`
/// gets the reason.
fn places<E: Event>(
    started: &[RuleRuntime<E>],
    saved: &[SavedRule],
    lost: &mut [Option<Lost>],
) -> Vec<Option<usize>> {
    let mut places = Vec::new();
    let mut by_name = ByName::new(started.iter().map(|rule| &rule.rule().name));
    for (saved, lost) in saved.iter().zip(lost) {
        let place = by_name.first(&saved.name);
        let mismatch = place.and_then(|place| mismatch(&started[place], saved));
        let place = place.filter(|_| lost.is_none() && mismatch.is_none());
        if place.is_some() {
            by_name.take(&saved.name);
        } else if lost.is_none() {
            let reason = mismatch.unwrap_or("it is there no more");
            *lost = Some(Lost { reason: String::from(reason), partials: 0 });
        }
        places.push(place);
    }
    places
}

/// Returns the reason why a rule cannot take over the saved state of its name.
fn mismatch<E: Event>(running: &RuleRuntime<E>, saved: &SavedRule) -> Option<&'static str> {
    let rule = running.rule();
    if rule.version != saved.version || running.is_text() != saved.is_text {
        return Some("it is another one, and was not built from rule text");
    }
    if running.program().layout() != saved.layout
        || rule.key.len() != saved.key_width
        || running.suppression().is_some() != saved.suppresses
    {
        return Some("another version of Kleene numbers its states in another way");
    }
    None
}

impl<E: Portable> Saved<'_, E> {
    /// The rules from rule text as they were; `sets` have the functions of the host.
    fn old_texts(&self, sets: &[RuleSet], lost: &mut [Option<Lost>]) -> Vec<RuleSpec<E>> {
        let texts = self.chains.first().map_or(&[][..], |chain| &self.parts[chain[0]].texts);
        let read: Vec<Option<RuleSet>> = texts
            .iter()
            .map(|bytes| {
                let rules = RuleSet::from_origin(bytes, sets.iter(), E::schema().as_ref())?;
                Some(rules)
            })
            .collect();
        let mut old = Vec::new();
        for (saved, lost) in self.rules.iter().zip(lost).filter(|(saved, _)| saved.is_text) {
            let text = saved.text.and_then(|text| read.get(text)?.as_ref());
            let rule = text.and_then(|rules| rules.rule(&saved.name));
            let rule = rule.filter(|rule| rule.version == saved.version);
            if let (Some(rules), Some(rule)) = (text, rule) {
                let schema = rules.schema().clone();
                old.push(RuleSpec::text(schema, rule.clone(), Some(rules.clone())));
            } else {
                let reason = String::from("the snapshot does not hold its text as it was");
                *lost = Some(Lost { reason, partials: 0 });
            }
        }
        old
    }
}
