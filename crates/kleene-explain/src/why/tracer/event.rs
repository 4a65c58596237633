//! Traces the effects of an event of the key: on each partial match, and as the start of one.

use super::ended::TimeMove;
use super::{Arrived, MAX_COMPARED, MAX_PARTIALS, Over, ReportedOutcome, Tracer, effect};
use crate::why::story::{Cause, Effect, Fate, Mismatch, ShownEvent, Then, Waits};
use kleene_automata::exec::{Matcher, ProbedRun, Waiting};
use kleene_automata::nfa::Action;
use kleene_event::event::Event;
use kleene_event::schema::TypeId;
use kleene_event::time::Timestamp;
use kleene_event::util::order;
use kleene_syntax::hir::{LimitPolicy, SkipStrategy, StepId};

/// The facts about an event before it changes anything.
struct JudgedEvent {
    partials: Vec<EventVerdict>,
    start: EventVerdict,
    /// The `not` that still prevents a start, and the time from which a partial match can start.
    too_soon: Option<(String, Timestamp)>,
    /// The `not` that the event violates, and the time up to which it prevents a start.
    silences: Option<(String, Timestamp)>,
}

/// The possible effect of an event on one partial match.
struct EventVerdict {
    mismatches: Vec<Mismatch>,
    stopped_by: Vec<String>,
    /// True if there is a branch.
    goes_on: bool,
    /// True if it is complete without the event, as a `next not` held.
    completes: bool,
    /// True if it is taken.
    takes: bool,
}

/// The effects of one event, found by comparing the partial matches before it with those after it.
#[derive(Default)]
struct Account {
    /// The number of the event.
    seq: u64,
    /// The partial matches after the event that no effect mentions yet.
    after: Vec<Waiting>,
    /// The outcomes that no effect mentions yet.
    reported: Vec<ReportedOutcome>,
    /// True if a partial match was refused for want of room.
    overflow: bool,
    /// The partial matches that are open now, with their numbers.
    open: Vec<(u64, Waiting)>,
    effects: Vec<Effect>,
    /// The partial matches that neither went on nor ended by themselves. At the end it is known
    /// what dropped them.
    gone: Vec<u64>,
    /// The matches that were reported, with their numbers.
    winners: Vec<(u64, Vec<(StepId, u64)>)>,
}

impl Account {
    /// Removes and returns the partial matches whose captured events are as `is_wanted` says.
    fn take_after(&mut self, is_wanted: impl Fn(&[(StepId, u64)], u64) -> bool) -> Vec<Waiting> {
        let seq = self.seq;
        self.after.extract_if(.., |after| is_wanted(&after.captured, seq)).collect()
    }

    /// Removes and returns the outcomes whose captured events are as `is_wanted` says.
    fn take_reported(
        &mut self,
        is_wanted: impl Fn(&[(StepId, u64)], u64) -> bool,
    ) -> Vec<ReportedOutcome> {
        let seq = self.seq;
        self.reported.extract_if(.., |heard| is_wanted(&heard.captured, seq)).collect()
    }

    /// Removes and returns the partial match with the same captured events as before.
    fn take_same(&mut self, captured: &[(StepId, u64)]) -> Option<Waiting> {
        let at = self.after.iter().position(|after| after.captured == captured)?;
        Some(self.after.remove(at))
    }

    /// Removes and returns the partial matches that took the event after `captured`.
    fn take_grown(&mut self, captured: &[(StepId, u64)]) -> Vec<Waiting> {
        self.take_after(|after, seq| is_next(after, seq, captured))
    }

    /// Notes why nothing began with the event, unless that was said of a partial match already.
    fn add_not_started(&mut self, start: EventVerdict) {
        let is_said = |mismatch: &Mismatch| {
            self.effects.iter().any(|effect| match &effect.fate {
                Fate::Skipped(said) | Fate::Broken(said) => said.contains(mismatch),
                _ => false,
            })
        };
        let mut says = start.mismatches.iter();
        let says_more = says.any(|mismatch| !mismatch.is_of_other_type() && !is_said(mismatch));
        if !start.takes && (says_more || self.effects.is_empty()) {
            self.effects.push(effect(None, Fate::NotStarted(start.mismatches)));
        }
    }
}

/// True if `captured` is `before` and the event with the number `seq`.
fn is_next(captured: &[(StepId, u64)], seq: u64, before: &[(StepId, u64)]) -> bool {
    captured.split_last().is_some_and(|((_, last), rest)| *last == seq && rest == before)
}

/// The numbers of what one partial match becomes: the first keeps its number, unless it stays.
struct Numbers {
    parent: u64,
    stays: bool,
    is_first: bool,
}

impl Numbers {
    /// Returns the next number, and the partial match that it branches off. `started` counts them.
    fn next(&mut self, started: &mut u64) -> (u64, Option<u64>) {
        if !self.stays && std::mem::replace(&mut self.is_first, false) {
            return (self.parent, None);
        }
        *started += 1;
        (*started, Some(self.parent))
    }
}

impl<E: Event> Tracer<E> {
    /// Gives an event of the key to the rule, after the deadlines up to its time.
    pub(super) fn release(&mut self, arrived: &Arrived<E>) {
        self.catch_up(arrived.event.time(), TimeMove::Before);
        self.take(arrived);
    }

    /// Gives the event to the rule. Deadlines before it have been handled.
    pub(super) fn take(&mut self, arrived: &Arrived<E>) {
        let Arrived { event, line, is_seen, made_by, step_keys } = arrived;
        let time = event.time();
        let seen = ShownEvent { made_by: made_by.clone(), ..self.seen(event, *line) };
        if !is_seen {
            self.add(time, Cause::Unseen(seen), Vec::new());
            return;
        }
        self.journal.counts.of_key += 1;
        let mut effects = self.end_by_other_key(time);
        if let Some(Over { since, by_other_key }) = self.over {
            if effects.is_empty() {
                let fate = Fate::Over { since, by_other_key };
                effects.push(effect(None, fate));
            }
            self.add(time, Cause::Event(seen), effects);
            return;
        }
        let seq = self.seq;
        self.seq += 1;
        let before = self.open.clone();
        self.store.set_step_keys(*step_keys);
        let (runs, start) = self.matcher.probe(&mut self.store, &self.state, event, seq);
        let judged = self.judged(&before, &runs, &start, event);
        let (reported, dropped) = self
            .collect(|matcher, store, state, sink| matcher.push(store, state, event, seq, sink));
        let account = Account {
            seq,
            after: self.matcher.waiting(&self.store, &self.state),
            reported,
            overflow: dropped > 0,
            ..Account::default()
        };
        let mut effects = self.after_event(account, &before, judged, event);
        let own = self.info.rule.limit.map_or(usize::MAX, |limit| limit.partials);
        self.compared += self.open.iter().map(|(_, open)| open.captured.len()).sum::<usize>();
        let is_dropped = dropped > 0 && own > MAX_PARTIALS;
        let gives_up = is_dropped || self.compared > MAX_COMPARED;
        if gives_up {
            let limit = if is_dropped { MAX_PARTIALS } else { self.open.len() };
            effects.retain(|effect| effect.fate != Fate::Overflow);
            effects.push(effect(None, Fate::NotFollowed { limit }));
            self.not_followed = Some(limit);
        }
        let fails = dropped > 0 && self.matcher.limits().policy == LimitPolicy::Fail;
        if fails {
            effects.push(effect(None, Fate::Failed));
        }
        self.add(time, Cause::Event(seen), effects);
        self.finished |= fails || gives_up;
    }

    /// Returns the facts about an event before it changes anything: for each partial match, and for
    /// the start.
    fn judged(
        &self,
        before: &[(u64, Waiting)],
        runs: &[ProbedRun],
        start: &ProbedRun,
        event: &E,
    ) -> JudgedEvent {
        let judge = self.judge();
        let mut by_captured: hashbrown::HashMap<_, Vec<&ProbedRun>> = hashbrown::HashMap::new();
        for run in runs {
            let captured = Matcher::captured(&self.store, run);
            by_captured.entry(captured).or_default().push(run);
        }
        let completes = |run: &&ProbedRun| {
            let mut open = run.edges.iter().filter(|edge| edge.judged.holds);
            open.any(|edge| edge.action == Action::Complete) && !judge.accepts_when_exhausted(run)
        };
        let has = |runs: &[&ProbedRun], of: &dyn Fn(Action) -> bool| {
            let mut edges = runs.iter().flat_map(|run| &run.edges);
            edges.any(|edge| edge.judged.holds && of(edge.action))
        };
        let of_one = |runs: &[&ProbedRun]| EventVerdict {
            mismatches: judge.mismatches(runs, event),
            stopped_by: judge.stopped_by(runs),
            goes_on: has(runs, &|action| action != Action::Stop),
            takes: has(runs, &|action| matches!(action, Action::Take { .. })),
            completes: runs.iter().any(completes),
        };
        let partials = before.iter().map(|(_, waiting)| {
            of_one(by_captured.get(&waiting.captured).map_or(&[], Vec::as_slice))
        });
        let partials = partials.collect();
        let mut of_start = of_one(&[start]);
        let silenced = judge.silenced(Matcher::<E>::last_violation(&self.state), event);
        let too_soon = silenced.filter(|_| of_start.takes);
        of_start.takes &= too_soon.is_none();
        JudgedEvent { partials, start: of_start, too_soon, silences: judge.silences(start, event) }
    }

    /// Returns what the event did to each partial match of `before`, what it began, and what else
    /// there is to say of it.
    fn after_event(
        &mut self,
        mut account: Account,
        before: &[(u64, Waiting)],
        judged: JudgedEvent,
        event: &E,
    ) -> Vec<Effect> {
        let JudgedEvent { partials, start, too_soon, silences } = judged;
        for ((number, waiting), verdict) in before.iter().zip(partials) {
            self.account_for(&mut account, *number, waiting, verdict, event.time());
        }
        if start.takes {
            self.account_for_starts(&mut account);
        }
        self.account_for_dropped(&mut account, start.takes);
        self.account_for_late(&mut account, event.type_id());
        let too_soon = too_soon.map(|(not, until)| Fate::TooSoon { not, until });
        let silences = silences.map(|(not, until)| Fate::Silenced { not, until });
        account.effects.extend(too_soon.into_iter().chain(silences).map(|fate| effect(None, fate)));
        account.add_not_started(start);
        let Account { mut effects, mut open, .. } = account;
        order::sort_by_key(&mut effects, |effect| effect.partial.unwrap_or(u64::MAX));
        order::sort_by_key(&mut open, |(number, _)| *number);
        self.open = open;
        effects
    }

    /// Notes what the event did to one partial match.
    fn account_for(
        &mut self,
        account: &mut Account,
        number: u64,
        waiting: &Waiting,
        verdict: EventVerdict,
        now: Timestamp,
    ) {
        let same = account.take_same(&waiting.captured);
        let grown = account.take_grown(&waiting.captured);
        let mut matched_same = account.take_reported(|captured, _| captured == waiting.captured);
        let matched =
            account.take_reported(|captured, seq| is_next(captured, seq, &waiting.captured));
        let had_children = !grown.is_empty() || !matched.is_empty();
        let mut numbers = Numbers { parent: number, stays: same.is_some(), is_first: true };
        let is_match = !matched_same.is_empty();
        // A match without the event (a `not next` that held) ends what was there.
        if let Some(heard) = matched_same.pop() {
            account.winners.push((number, heard.captured));
            numbers.stays = false;
            numbers.is_first = same.as_ref().is_none_or(|same| same.states.is_empty());
            let fate = match (waiting.states.is_empty(), verdict.completes) {
                (true, _) => Fate::TurnCame,
                (_, true) => Fate::Completed,
                _ => Fate::Exhausted,
            };
            // Another branch with the same events may go on.
            let waits = same.as_ref().map(|same| self.waits(same));
            let reported = Some(heard.reported);
            account.effects.push(Effect { reported, waits, ..effect(Some(number), fate) });
        } else if let Some(same) = &same {
            let fate = if same.states.is_empty() && !waiting.states.is_empty() {
                Fate::Completed
            } else {
                Fate::Skipped(verdict.mismatches.clone())
            };
            let waits = Some(self.waits(same));
            account.effects.push(Effect { waits, ..effect(Some(number), fate) });
        }
        self.account_for_children(account, &mut numbers, grown, matched);
        let is_over = same.is_none() && !had_children && numbers.is_first && !is_match;
        account.open.extend(same.map(|same| (number, same)));
        if is_over {
            match self.end_of(waiting, verdict, now) {
                Some(fate) => account.effects.push(effect(Some(number), fate)),
                None => account.gone.push(number),
            }
        }
    }

    /// Notes the partial matches and matches that the event made of one partial match.
    fn account_for_children(
        &mut self,
        account: &mut Account,
        numbers: &mut Numbers,
        grown: Vec<Waiting>,
        mut matched: Vec<ReportedOutcome>,
    ) {
        for grown in grown {
            let (name, branch_of) = numbers.next(&mut self.journal.counts.partials);
            let at = matched.iter().position(|heard| heard.captured == grown.captured);
            let heard = at.map(|at| matched.remove(at));
            if let Some(heard) = &heard {
                account.winners.push((name, heard.captured.clone()));
            }
            account.effects.push(self.took(name, branch_of, &grown.captured, heard, Some(&grown)));
            account.open.push((name, grown));
        }
        for heard in matched {
            let (name, branch_of) = numbers.next(&mut self.journal.counts.partials);
            let captured = heard.captured.clone();
            account.effects.push(self.took(name, branch_of, &captured, Some(heard), None));
            account.winners.push((name, captured));
        }
    }

    /// Returns how a partial match ended that is gone; `None` if it did not end by itself.
    fn end_of(&self, waiting: &Waiting, verdict: EventVerdict, now: Timestamp) -> Option<Fate> {
        let EventVerdict { mismatches, stopped_by, goes_on, .. } = verdict;
        if !stopped_by.is_empty() {
            // An absence whose partial match would have matched in the end.
            let is_pending = self.judge().then(waiting) == Then::Match;
            let deadline = waiting.deadline.filter(|_| is_pending);
            let left = deadline.map(|deadline| deadline.millis_since(now));
            return Some(Fate::Stopped { by: stopped_by, left });
        }
        if goes_on || waiting.states.is_empty() {
            return None;
        }
        let repeats = self.matcher.program().timing.repeat.is_some();
        Some(if repeats && mismatches.is_empty() {
            Fate::Stopped { by: self.judge().absent(waiting), left: None }
        } else {
            Fate::Broken(mismatches)
        })
    }

    /// Notes the partial matches and matches that begin with the event.
    fn account_for_starts(&mut self, account: &mut Account) {
        let is_new = |captured: &[(StepId, u64)], seq: u64| matches!(captured, [(_, first)] if *first == seq);
        let mut reported = account.take_reported(is_new);
        for new in account.take_after(is_new) {
            let at = reported.iter().position(|heard| heard.captured == new.captured);
            let heard = at.map(|at| reported.remove(at));
            self.start(account, &new.captured.clone(), heard, Some(new));
        }
        for heard in reported {
            self.start(account, &heard.captured.clone(), Some(heard), None);
        }
    }

    fn start(
        &mut self,
        account: &mut Account,
        captured: &[(StepId, u64)],
        heard: Option<ReportedOutcome>,
        new: Option<Waiting>,
    ) {
        self.journal.counts.partials += 1;
        let number = self.journal.counts.partials;
        let took = self.took(number, None, captured, heard, new.as_ref());
        if took.reported.is_some() {
            account.winners.push((number, captured.to_vec()));
        }
        let fate = match took.fate {
            Fate::Took { step, count, .. } => Fate::Started { step, count },
            other => other,
        };
        account.effects.push(Effect { fate, ..took });
        account.open.extend(new.map(|new| (number, new)));
    }

    /// Notes what a match or a limit has dropped, or kept from starting.
    fn account_for_dropped(&self, account: &mut Account, takes: bool) {
        let skip = self.skip_effect();
        let skips =
            self.info.rule.pattern.skip.strategy != SkipStrategy::None || self.over.is_some();
        let winner = account.winners.first().map(|(number, _)| *number).filter(|_| skips);
        for number in std::mem::take(&mut account.gone) {
            let fate = match winner {
                Some(by) if by != number => Fate::Dropped { by, skip: skip.clone() },
                _ if account.overflow => Fate::Overflow,
                _ => Fate::RanOut {
                    bound: String::from("the time of the next step"),
                    awaited: Vec::new(),
                },
            };
            account.effects.push(effect(Some(number), fate));
        }
        let has = |of: fn(&Fate) -> bool| account.effects.iter().any(|effect| of(&effect.fate));
        if takes && !has(|fate| matches!(fate, Fate::Started { .. })) {
            let fate = match winner {
                Some(by) => Fate::Covered { by, skip },
                None => Fate::Overflow,
            };
            account.effects.push(effect(None, fate));
        } else if account.overflow && !has(|fate| *fate == Fate::Overflow) {
            account.effects.push(effect(None, Fate::Overflow));
        }
    }

    /// Notes the newest partial match that the event came too late for: this is the most frequent
    /// question.
    fn account_for_late(&mut self, account: &mut Account, ty: TypeId) {
        let is_used =
            |effect: &Effect| matches!(effect.fate, Fate::Started { .. } | Fate::Took { .. });
        if account.effects.iter().any(is_used) {
            return;
        }
        if let Some(ended) = self.ended.iter().rev().find(|ended| ended.types.contains(&ty)) {
            let number = ended.number;
            let fate = Fate::TooLate { ended: ended.at, matched: ended.matched };
            account.effects.push(effect(Some(number), fate));
            self.ended.retain(|ended| ended.number != number);
        }
    }

    /// The effect of an event that was taken as the last of `captured`.
    fn took(
        &self,
        number: u64,
        branch_of: Option<u64>,
        captured: &[(StepId, u64)],
        reported: Option<ReportedOutcome>,
        waiting: Option<&Waiting>,
    ) -> Effect {
        let judge = self.judge();
        let step = captured.last().map(|(step, _)| *step);
        let waits = waiting.map(|waiting| self.waits(waiting));
        Effect {
            partial: Some(number),
            fate: Fate::Took {
                step: step.map_or("?", |step| judge.words.step(step)).into(),
                count: step.and_then(|step| judge.count(step, captured)),
                branch_of,
            },
            reported: reported.map(|reported| reported.reported),
            waits,
        }
    }

    /// Returns what a partial match waits for that is open after the event of now.
    fn waits(&self, waiting: &Waiting) -> Waits {
        self.judge().waits(waiting, Some(Matcher::captures_now(&self.store, waiting)))
    }
}
