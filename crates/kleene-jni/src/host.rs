//! One engine in a host that distributes events by key, such as an operator of Apache Flink.

use std::sync::Arc;

use kleene::event::EventBatch;
use kleene::ruleset::Rule;
use kleene::schema::Schema;
use kleene::stream::{EngineBuilder, Replacement, RuleChange, Verdict};
use kleene::{Engine, Record, RuleSet, Timestamp, Value};
use kleene_engine::Shard;
use kleene_event::util::wire::{put_bytes, put_len, put_u64};

use crate::error::HostError;
use crate::key_group::{KeyHasher, key_group};
use crate::parts::{self, KeyGroups};
use crate::plan::Plan;
use crate::results::{ResultParts, ResultWriter};

/// The most events that wait for the watermark in their columns. Beyond, they wait in the reorder
/// buffer of the engine, whose limits count.
const MAX_PENDING: usize = 1 << 20;

/// An engine with the rules of one group, and what was reported since the host last asked.
///
/// Batches wait in their columns for the watermark. When it comes, events in order go to the rules
/// straight from there ([`Engine::push_columns_until`]). Through the reorder buffer, each event would
/// become a record first.
#[derive(Debug)]
pub struct Host {
    engine: Engine<Record>,
    /// The batches that wait, in the order in which they came, and the number of their events.
    pending: Vec<EventBatch>,
    pending_events: usize,
    plan: Arc<Plan>,
    settings: Settings,
    results: ResultWriter,
}

/// What stays the same when rules are replaced.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The signature of the group whose rules the engine runs ([`crate::plan::Group`]).
    pub signature: String,
    /// The name of the time in lines of JSON, for event types that declare none.
    pub time_field: String,
    /// The parts of results.
    pub parts: ResultParts,
}

impl Host {
    /// Makes the engine of a group of rules.
    ///
    /// # Errors
    /// [`HostError`] if the engine cannot run the rules.
    pub fn new(rules: &RuleSet, settings: Settings) -> Result<Host, HostError> {
        Host::planned(rules, Arc::new(Plan::new(rules)), settings)
    }

    /// Makes the engine of a group of rules, whose plan is made already.
    pub(crate) fn planned(
        rules: &RuleSet,
        plan: Arc<Plan>,
        settings: Settings,
    ) -> Result<Host, HostError> {
        let engine = builder(rules, &plan, &settings).build().map_err(HostError::new)?;
        Ok(Host::with(engine, plan, settings))
    }

    fn with(engine: Engine<Record>, plan: Arc<Plan>, settings: Settings) -> Host {
        let results = ResultWriter::new(engine.schema(), &settings.time_field, settings.parts);
        Host { engine, pending: Vec::new(), pending_events: 0, plan, settings, results }
    }

    /// Makes the engine of a group of rules, with the state of key groups that
    /// [`snapshot`](Host::snapshot) has written. Returns the verdict on each rule, too.
    ///
    /// `earliest` is the earliest watermark of the hosts that the key groups come from. The host
    /// heeds the watermark of each key group: events at or before it are not pushed.
    ///
    /// # Errors
    /// [`HostError`] if the state is damaged or not of such rules.
    pub fn restore(
        rules: &RuleSet,
        settings: Settings,
        state: &KeyGroups,
        earliest: Timestamp,
    ) -> Result<(Host, Replacement), HostError> {
        Host::restore_planned(rules, Arc::new(Plan::new(rules)), settings, state, earliest)
    }

    /// Makes the engine of a group of rules with state. Their plan is made already.
    pub(crate) fn restore_planned(
        rules: &RuleSet,
        plan: Arc<Plan>,
        settings: Settings,
        state: &KeyGroups,
        earliest: Timestamp,
    ) -> Result<(Host, Replacement), HostError> {
        let builder = || builder(rules, &plan, &settings);
        let (engine, replacement) = parts::restore(builder, state, earliest)?;
        Ok((Host::with(engine, plan, settings), replacement))
    }

    /// The event types and groups of the rules.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The types and fields that the engine numbers.
    pub fn schema(&self) -> &Arc<Schema> {
        self.engine.schema()
    }

    /// The engine.
    pub fn engine(&self) -> &Engine<Record> {
        &self.engine
    }

    /// Takes events, in the order in which they arrived.
    ///
    /// # Errors
    /// [`HostError`] if a limit has stopped the engine.
    pub fn push(&mut self, batch: EventBatch) -> Result<(), HostError> {
        self.pending_events += batch.len();
        self.pending.push(batch);
        if self.pending_events > MAX_PENDING { self.push_pending() } else { Ok(()) }
    }

    fn take_pending(&mut self) -> Vec<EventBatch> {
        self.pending_events = 0;
        std::mem::take(&mut self.pending)
    }

    /// Pushes the batches that wait to the engine.
    ///
    /// # Errors
    /// [`HostError`] if a limit has stopped the engine.
    pub fn push_pending(&mut self) -> Result<(), HostError> {
        for batch in self.take_pending() {
            self.engine.push_columns(&batch, &mut self.results).map_err(HostError::new)?;
        }
        Ok(())
    }

    /// Advances the watermark: no event at or before `to` will come any more.
    ///
    /// # Errors
    /// [`HostError`] if a limit has stopped the engine.
    pub fn advance(&mut self, to: Timestamp) -> Result<(), HostError> {
        self.push_pending_until(to)?;
        self.engine.advance(to, &mut self.results).map_err(HostError::new)
    }

    /// Pushes the batches that wait, each with the watermark that no later batch holds back.
    fn push_pending_until(&mut self, to: Timestamp) -> Result<(), HostError> {
        let pending = self.take_pending();
        let mut bounds = Vec::with_capacity(pending.len());
        let mut bound = to;
        for batch in pending.iter().rev() {
            bounds.push(bound);
            let first = batch.rows().map(|row| row.time()).min();
            bound = first.map_or(bound, |first| bound.min(first.plus_millis(-1)));
        }
        for (batch, to) in pending.iter().zip(bounds.into_iter().rev()) {
            let pushed = self.engine.push_columns_until(batch, to, &mut self.results);
            pushed.map_err(HostError::new)?;
        }
        Ok(())
    }

    /// Ends time: all deadlines pass.
    ///
    /// # Errors
    /// [`HostError`] if a limit has stopped the engine.
    pub fn end_time(&mut self) -> Result<(), HostError> {
        // A repeating silence repeats up to the last event, so that time must not be later before.
        let times = self.pending.iter().flat_map(|batch| batch.rows().map(|row| row.time()));
        if let Some(last) = times.max() {
            self.push_pending_until(last)?;
        }
        self.engine.end_time(&mut self.results).map_err(HostError::new)
    }

    /// Returns the results since the last [`drop_read`](Host::drop_read).
    pub fn read_results(&mut self) -> &[u8] {
        self.results.read()
    }

    /// Drops the results that were read.
    pub fn drop_read(&mut self) {
        self.results.drop_read();
    }

    /// Returns the state of the key groups from `first` to `last` of `groups`. The engine has keys of
    /// these alone. After the end of time the state is empty: a host that starts anew begins with a
    /// new time.
    ///
    /// # Errors
    /// [`HostError`] if a limit has stopped the engine.
    pub fn snapshot(&mut self, groups: u32, first: u32, last: u32) -> Result<KeyGroups, HostError> {
        let mut hasher = KeyHasher::default();
        let is_whole = self.settings.signature.is_empty();
        let count = last.saturating_sub(first) as usize + 1;
        if self.engine.has_ended() {
            return Ok(KeyGroups { heads: Vec::new(), parts: vec![Vec::new(); count] });
        }
        self.push_pending()?;
        let parts = Shard::split_snapshot(&self.engine, count, |_: &Rule, key: &[Value]| {
            let hash = hasher.hash(if is_whole { &[] } else { key });
            key_group(hash, groups).saturating_sub(first) as usize
        });
        Ok(KeyGroups::of_parts(parts))
    }

    /// Replaces the rules, and returns the verdict on each.
    ///
    /// # Errors
    /// [`HostError`] if the new rules cannot be run. The old rules stay.
    pub fn replace(&mut self, rules: &RuleSet) -> Result<Replacement, HostError> {
        self.push_pending()?;
        let state = self.engine.snapshot();
        let plan = Arc::new(Plan::new(rules));
        let builder = builder(rules, &plan, &self.settings);
        let (engine, replacement) = builder.restore(&[&state]).map_err(HostError::new)?;
        let mut results =
            ResultWriter::new(engine.schema(), &self.settings.time_field, self.settings.parts);
        results.continue_from(&mut self.results);
        (self.engine, self.results, self.plan) = (engine, results, plan);
        Ok(replacement)
    }
}

/// A builder of engines with the rules of a group.
fn builder(rules: &RuleSet, plan: &Plan, settings: &Settings) -> EngineBuilder<Record> {
    let names = plan.group(&settings.signature).map_or(&[][..], |group| &group.rules);
    Engine::builder()
        .rules_where(rules, |rule| names.contains(&rule.name))
        .watermarks_from_source()
        .join_at_earliest()
}

/// Appends verdicts as bytes, which `RuleVerdict.java` reads: count `n`, and for each the rule, the
/// verdict in a word, the verdict in a sentence, all `text`; the number of partial matches that were
/// kept and dropped, `n`.
pub fn write_verdicts(out: &mut Vec<u8>, replacement: &Replacement) {
    put_len(out, replacement.rules.len());
    for change in &replacement.rules {
        put_bytes(out, change.rule.as_bytes());
        put_bytes(out, word(change).as_bytes());
        put_bytes(out, change.to_string().as_bytes());
        put_u64(out, change.kept);
        put_u64(out, change.dropped);
    }
}

fn word(change: &RuleChange) -> &'static str {
    match change.verdict {
        Verdict::Unchanged => "unchanged",
        Verdict::Added => "added",
        Verdict::Removed => "removed",
        Verdict::Reset(_) => "reset",
        _ => "continued",
    }
}

#[cfg(test)]
mod tests {
    use kleene::event::{Column, ColumnValues, TypeColumns};

    use super::*;

    const RULES: &str = "event paid { order: int }
        event sent { order: int }
        rule late { key order  match paid -> not sent for 1h  emit { order } }
        rule pair { key order  match paid as a -> sent as b  within 2h  emit { order, took: b.at - a.at }
          on timeout emit { order } }";
    const GROUPS: u32 = 128;

    fn rules() -> RuleSet {
        let text = RULES.replace("order: int", "order: int, at: time");
        RuleSet::parse(&text).expect("the rules are right")
    }

    fn settings() -> Settings {
        let parts = ResultParts { events: true, json: true };
        Settings { signature: String::from("order"), time_field: String::from("ts"), parts }
    }

    fn host() -> Host {
        Host::new(&rules(), settings()).expect("the rules can be run")
    }

    /// Events of the type at the same minute, for those orders that a host has.
    fn push(host: &mut Host, ty: &str, minute: i64, orders: impl Iterator<Item = i64>) {
        let orders: Vec<i64> = orders.collect();
        let times = vec![60_000 * minute; orders.len()];
        let columns = [
            ("order", Column::new(ColumnValues::Int(orders.into()))),
            ("at", Column::new(ColumnValues::Time(times.into()))),
        ];
        let rows = TypeColumns::new(host.schema(), ty, columns).expect("the columns fit");
        host.push(rows.into()).expect("no limit is reached");
    }

    /// Returns whether a task with the key groups from `first` to `last` has an order.
    fn owns(order: i64, (first, last): (u32, u32)) -> bool {
        let hash = KeyHasher::default().hash(&[Value::from(order)]);
        (first..=last).contains(&key_group(hash, GROUPS))
    }

    /// Returns the lines of JSON of results, sorted.
    fn lines(hosts: &mut [Host]) -> Vec<String> {
        let mut lines = Vec::new();
        for host in hosts {
            let text = String::from_utf8_lossy(host.read_results()).into_owned();
            host.drop_read();
            let found = text.match_indices("{\"rule\"").map(|(at, _)| at).collect::<Vec<_>>();
            for at in found {
                let end = text[at..].find("}}").map_or(text.len(), |end| at + end + 2);
                lines.push(text[at..end].to_owned());
            }
        }
        lines.sort();
        lines
    }

    fn ranges(tasks: u32) -> Vec<(u32, u32)> {
        let start = |task| task * GROUPS / tasks;
        (0..tasks).map(|task| (start(task), start(task + 1) - 1)).collect()
    }

    /// Runs orders on one task, then three, then two, and returns the results.
    fn rescaled(tasks: &[u32]) -> Vec<String> {
        let mut all = Vec::new();
        let mut state: Vec<((u32, u32), KeyGroups)> = Vec::new();
        for (step, tasks) in (0_i64..).zip(tasks) {
            let mut hosts = Vec::new();
            for range in ranges(*tasks) {
                let mut of_range = KeyGroups::default();
                for ((first, _), groups) in &state {
                    of_range.heads.extend(groups.heads.iter().cloned());
                    for (number, part) in (*first..).zip(&groups.parts) {
                        if (range.0..=range.1).contains(&number) {
                            of_range.parts.push(part.clone());
                        }
                    }
                }
                let restored = Host::restore(&rules(), settings(), &of_range, Timestamp::MAX);
                let mut host = restored.expect("the state is right").0;
                push(&mut host, "paid", 30 * step, (0..200).filter(|order| owns(*order, range)));
                let sent = (0..200).filter(|order| order % 3 == step && owns(*order, range));
                push(&mut host, "sent", 30 * step + 10, sent);
                // The last events wait for the watermark when the state is taken.
                host.advance(Timestamp::from_millis(60_000 * (30 * step + 5))).expect("no limit");
                hosts.push(host);
            }
            all.extend(lines(&mut hosts));
            let taken = hosts.iter_mut().zip(ranges(*tasks));
            state = taken
                .map(|(host, range)| {
                    let taken = host.snapshot(GROUPS, range.0, range.1);
                    (range, taken.expect("no limit is reached"))
                })
                .collect();
            if step == 2 {
                for host in &mut hosts {
                    host.end_time().expect("no limit");
                }
                all.extend(lines(&mut hosts));
            }
        }
        all.sort();
        all
    }

    #[test]
    fn key_groups_move_between_tasks() {
        let undisturbed = rescaled(&[1, 1, 1]);
        assert!(undisturbed.len() > 400, "{}", undisturbed.len());
        assert_eq!(rescaled(&[1, 3, 2]), undisturbed);
        assert_eq!(rescaled(&[3, 2, 4]), undisturbed);
    }

    #[test]
    fn a_damaged_part_is_an_error() {
        let mut host = host();
        push(&mut host, "paid", 0, 0..9);
        let state = host.snapshot(GROUPS, 0, GROUPS - 1).expect("no limit is reached");
        let full = state.parts.iter().position(|part| part.len() > 40).expect("a group has keys");
        let restored =
            |state: &KeyGroups| Host::restore(&rules(), settings(), state, Timestamp::MAX);
        assert!(restored(&state).is_ok());
        let mut damaged = state.clone();
        damaged.parts[full][30] ^= 1;
        assert!(restored(&damaged).is_err());
        let mut headless = state.clone();
        headless.heads.clear();
        let error = restored(&headless).expect_err("a head is missing").to_string();
        assert!(error.contains("has lost the rules"), "{error}");
        let mut short = state;
        short.parts[full].truncate(9);
        assert!(restored(&short).is_err());
    }

    #[test]
    fn replaced_rules_continue() {
        let mut host = host();
        push(&mut host, "paid", 0, 0..9);
        host.advance(Timestamp::from_millis(1)).expect("no limit");
        let edited = RuleSet::parse(
            "event paid { order: int, at: time }
             event sent { order: int, at: time, by: string? }
             rule late { key order  match paid -> not sent for 1h  emit { order, was: \"late\" } }
             rule other { key order  match sent{2}  within 1h }",
        );
        let replaced =
            host.replace(&edited.expect("the rules are right")).expect("they can be run");
        let verdicts: Vec<_> = replaced
            .rules
            .iter()
            .map(|change| (&*change.rule, word(change), change.kept))
            .collect();
        let mut sorted = verdicts;
        sorted.sort_unstable();
        assert_eq!(
            sorted,
            [("late", "continued", 9), ("other", "added", 0), ("pair", "removed", 0)]
        );
        host.end_time().expect("no limit");
        let lines = lines(&mut [host]);
        assert_eq!(lines.len(), 9);
        assert!(lines[0].contains("\"was\":\"late\""), "{}", lines[0]);
    }
}
