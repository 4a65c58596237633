//! The emitter: reports or suppresses a rule's outputs, and makes derived events of them.

use hashbrown::HashSet;

use crate::stream::error::BuildError;
use crate::stream::keys::key_ref::KeyRef;
use crate::stream::limits::EngineLimits;
use crate::stream::output::matched::{Match, RuleInfo, Timeout};
use crate::stream::output::overflow::{LimitKind, Overflow};
use crate::stream::output::reason::RejectReason;
use crate::stream::output::receiver::Receiver;
use crate::stream::output::sink::{Rejected, Sink};
use crate::stream::rule::accounting::Accounting;
use crate::stream::rule::suppress::{SuppressVerdict, SuppressionTable};
use kleene_automata::exec::{Feeder, Misfit, OutcomeKind};
use kleene_event::event::{Event, bytes_of};
use kleene_event::schema::{Schema, TypeId};
use kleene_event::value::Value;
use kleene_syntax::hir::{Emit, Expr, Once, Rule};

/// The path of a rule's matches and timeouts to the sink.
pub(in crate::stream) struct Emitter {
    /// The suppressed keys, if the rule has `suppress` or `once`.
    pub(in crate::stream) suppression: Option<SuppressionTable>,
    /// The scope that ends with the first match.
    pub(in crate::stream) once: Option<Once>,
    /// True if the last reported match ended its key. The state of the key must then be dropped.
    has_ended_key: bool,
    /// True if the last reported match ended the rule.
    pub(in crate::stream) has_ended_rule: bool,
    /// Makes the events of matches, if a rule reads them.
    pub(in crate::stream) on_match: Option<Feeder>,
    on_timeout: Option<Feeder>,
}

impl Emitter {
    /// Returns true once after a match has ended its key (`once`).
    #[inline(always)]
    pub(in crate::stream) fn take_ended_key(&mut self) -> bool {
        let has_ended = self.has_ended_key;
        if has_ended {
            self.has_ended_key = false;
        }
        has_ended
    }

    pub(in crate::stream) fn new(rule: &Rule) -> Emitter {
        let remembers = rule.suppress.is_some() || rule.once.is_some();
        Emitter {
            suppression: remembers.then(SuppressionTable::default),
            once: rule.once,
            has_ended_key: false,
            has_ended_rule: false,
            on_match: None,
            on_timeout: None,
        }
    }

    /// Returns the same emitter without suppressed keys.
    pub(in crate::stream) fn empty_like(other: &Emitter) -> Emitter {
        let Emitter { suppression, once, on_match, on_timeout, .. } = other;
        Emitter {
            suppression: suppression.as_ref().map(|_| SuppressionTable::default()),
            once: *once,
            has_ended_key: false,
            has_ended_rule: false,
            on_match: on_match.clone(),
            on_timeout: on_timeout.clone(),
        }
    }

    /// Prepares the derived events of the rule; other rules read the types `read`.
    ///
    /// # Errors
    /// [`BuildError`] if events of this Rust type cannot be made.
    pub(in crate::stream) fn link<E: Event>(
        &mut self,
        info: &RuleInfo,
        read: &HashSet<TypeId>,
    ) -> Result<(), BuildError> {
        let RuleInfo { rule, schema, .. } = info;
        let link = |emit: Option<&Emit>| match emit {
            Some(emit) if emit.feeds.is_some_and(|ty| read.contains(&ty)) => {
                let feeder = Feeder::new(emit, schema).filter(|_| E::CAN_BE_MADE);
                feeder.map(Some).ok_or_else(|| BuildError::cannot_be_made(&rule.name))
            }
            _ => Ok(None),
        };
        self.on_match = link(rule.emit.as_ref())?;
        self.on_timeout = link(rule.on_timeout.as_ref())?;
        Ok(())
    }

    /// True if the rule has `once` and is over for this key.
    #[inline]
    pub(in crate::stream) fn is_over(&self, key: &KeyRef<'_>) -> bool {
        match (self.once, &self.suppression) {
            (Some(once), Some(suppression)) => suppression.is_over(once, key),
            _ => false,
        }
    }

    /// Marks a match as the last one that `once` allows.
    fn end<E: Event, S: Receiver<E> + ?Sized>(
        &mut self,
        once: Once,
        found: &Match<'_, E>,
        accounting: &mut Accounting<E>,
        sink: &mut S,
    ) {
        let Some(suppression) = &mut self.suppression else { return };
        if !suppression.mark_over(once, found, accounting.limits.suppressed) {
            accounting.stats.overflowed += 1;
            sink.outputs().overflowed(not_remembered(found));
            return;
        }
        self.has_ended_key = true;
        if once == Once::Rule {
            self.has_ended_rule = true;
            accounting.has_ended_rules = true;
        }
    }

    /// Reports a match or timeout, and makes its derived event.
    #[inline]
    pub(in crate::stream) fn report<E: Event, S: Receiver<E> + ?Sized>(
        &mut self,
        reported: Match<'_, E>,
        kind: OutcomeKind,
        schema: &Schema,
        accounting: &mut Accounting<E>,
        sink: &mut S,
    ) {
        if let (Some(once), Some(suppression)) = (self.once, &self.suppression)
            && suppression.is_over_for(once, &reported)
        {
            return;
        }
        if let Some(share) = &accounting.share {
            sink.at(share.position(kind, reported.start_seq()));
        }
        let feeder = match kind {
            OutcomeKind::Match => {
                if let Some(having) = &reported.rule().having
                    && reported.value(having) != Value::Bool(true)
                {
                    accounting.stats.filtered += 1;
                    sink.outputs().filtered(reported);
                    return;
                }
                if let Some(suppression) = &mut self.suppression
                    && is_suppressed(suppression, reported, accounting, sink)
                {
                    return;
                }
                if let Some(once) = self.once {
                    self.end(once, &reported, accounting, sink);
                }
                accounting.stats.matches += 1;
                sink.outputs().matched(reported);
                &self.on_match
            }
            OutcomeKind::Timeout => {
                accounting.stats.timeouts += 1;
                sink.outputs().timed_out(Timeout::new(reported));
                &self.on_timeout
            }
        };
        if let Some(feeder) = feeder {
            feed(feeder, reported, schema, accounting, sink);
        }
    }
}

fn not_remembered<E: Event>(found: &Match<'_, E>) -> Overflow {
    let is_once = found.rule().once.is_some();
    let limit = if is_once { LimitKind::Once } else { LimitKind::Suppressed };
    let (key, time) = (Some(Box::new(found.limited_key())), found.reported_at());
    Overflow::of_key(limit, key, time, 0)
}

fn is_suppressed<E: Event, S: Receiver<E> + ?Sized>(
    suppression: &mut SuppressionTable,
    found: Match<'_, E>,
    accounting: &mut Accounting<E>,
    sink: &mut S,
) -> bool {
    let Some(suppress) = &found.rule().suppress else { return false };
    let verdict = suppression.judge(suppress, &found, accounting.limits.suppressed);
    match verdict {
        SuppressVerdict::Reported => {}
        SuppressVerdict::Suppressed => {
            accounting.stats.suppressed += 1;
            sink.outputs().suppressed(found);
        }
        SuppressVerdict::NotRemembered => {
            accounting.stats.overflowed += 1;
            sink.outputs().overflowed(not_remembered(&found));
        }
    }
    verdict == SuppressVerdict::Suppressed
}

/// Makes the derived event of a match or timeout.
fn feed<E: Event, S: Receiver<E> + ?Sized>(
    feeder: &Feeder,
    reported: Match<'_, E>,
    schema: &Schema,
    accounting: &mut Accounting<E>,
    sink: &mut S,
) {
    let value = |expr: &Expr| reported.value(expr).into_owned();
    match feeder.make(reported.reported_at(), schema, value) {
        Some((event, None)) => {
            let bytes = accounting.derived.bytes().saturating_add(bytes_of(&event));
            let EngineLimits { buffered, buffered_bytes, .. } = accounting.limits;
            if accounting.derived.len() >= buffered || bytes > buffered_bytes {
                accounting.stats.overflowed += 1;
                let (limit, time) = (LimitKind::Derived, reported.reported_at());
                let key = Some(Box::new(reported.limited_key()));
                sink.outputs().overflowed(Overflow::of_key(limit, key, time, 1));
                return;
            }
            accounting.stats.derived += 1;
            accounting.derived.add(reported.reported_at(), event);
        }
        Some((event, Some(Misfit { field, declared, found }))) => {
            accounting.stats.rejected += 1;
            let rule = reported.rule().name.clone();
            let reason = RejectReason::Mismatch { rule, field, declared, found };
            let arrival = accounting.arrival();
            sink.outputs().rejected(Rejected { event: &event, reason, arrival });
        }
        None => accounting.stats.rejected += 1,
    }
}
