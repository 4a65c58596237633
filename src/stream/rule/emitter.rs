//! What becomes of what rules find: it is told, kept quiet, made an event for other rules.

use hashbrown::HashSet;

use crate::event::{Event, bytes_of};
use crate::exec::OutcomeKind;
use crate::hir::{Emit, Once, Rule};
use crate::schema::{Schema, TypeId};
use crate::stream::builder::BuildError;
use crate::stream::error::PushError;
use crate::stream::keys::table::KeyRef;
use crate::stream::output::matched::{Match, RuleInfo, Timeout};
use crate::stream::output::sink::{Overflow, Rejected, Sink};
use crate::stream::rule::derived::{Derived, Feeder};
use crate::stream::rule::suppress::{Quiet, Verdict};
use crate::stream::shard::Share;
use crate::stream::stats::Stats;
use crate::time::Timestamp;
use crate::value::Value;

/// What may grow how far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) buffered: usize,
    /// What the buffered events take; and as much those that rules have made and that wait.
    pub(crate) buffered_bytes: u64,
    pub(crate) partials: u64,
    pub(crate) captured_bytes: u64,
    /// Of one rule.
    pub(crate) suppressed: usize,
}

/// What all rules write to.
pub(in crate::stream) struct Books<E> {
    pub(in crate::stream) limits: Limits,
    pub(in crate::stream) stats: Stats,
    /// What rules have made for other rules, and no rule has seen yet.
    pub(in crate::stream) derived: Derived<E>,
    /// True if a rule is over for all keys (`once per rule`) and still holds something.
    pub(in crate::stream) has_ended_rules: bool,
    /// Why nothing is done any more.
    pub(in crate::stream) failure: Option<PushError>,
    /// What is this engine's part, where others have the same rules.
    pub(in crate::stream) share: Option<Box<Share>>,
}

impl<E: Event> Books<E> {
    pub(in crate::stream) fn new(limits: Limits) -> Books<E> {
        let (stats, derived) = (Stats::default(), Derived::new());
        Books { limits, stats, derived, has_ended_rules: false, failure: None, share: None }
    }

    /// Whether there is more than limits over all rules and keys allow.
    #[inline]
    pub(in crate::stream) fn hold_too_much(&self) -> bool {
        // A key can be kept for the silence that it has broken alone.
        self.stats.partials.max(self.stats.keys) > self.limits.partials
            || self.stats.captured_bytes > self.limits.captured_bytes
    }

    /// Whether this engine tells what has nothing to do with keys.
    pub(in crate::stream) fn tells_all(&self) -> bool {
        self.share.as_ref().is_none_or(|share| share.is_first())
    }

    /// Says where what has nothing to do with keys stands when time has come to `watermark`.
    pub(in crate::stream) fn stand<S: Sink<E> + ?Sized>(&self, watermark: Timestamp, sink: &mut S) {
        if let Some(share) = &self.share {
            sink.at(share.now(watermark));
        }
    }

    /// Says where what a rule makes of the event of now stands.
    pub(in crate::stream) fn stand_at_event<S: Sink<E> + ?Sized>(&self, sink: &mut S) {
        if let Some(share) = &self.share {
            sink.at(share.position(false, 0));
        }
    }

    /// Notes the partial matches that are open now that an event was given to all rules.
    #[inline]
    pub(in crate::stream) fn note_open(&mut self) {
        self.stats.peak_partials = self.stats.peak_partials.max(self.stats.partials);
        if let Some(share) = &mut self.share {
            share.leave_event(self.stats.partials);
        }
    }
}

/// What becomes of a rule's matches and timeouts.
pub(in crate::stream) struct Voice {
    /// What it keeps quiet, if it has `suppress` or `once`.
    pub(in crate::stream) quiet: Option<Quiet>,
    /// What is over after the first match.
    pub(in crate::stream) once: Option<Once>,
    /// True if the match that was just reported was the last one of its key: what is open for the
    /// key is to be given up.
    pub(in crate::stream) has_ended_key: bool,
    /// True if it was the last one of the rule.
    pub(in crate::stream) has_ended_rule: bool,
    /// The events that matches make, where a rule sees them.
    pub(in crate::stream) on_match: Option<Feeder>,
    on_timeout: Option<Feeder>,
}

impl Voice {
    pub(in crate::stream) fn new(rule: &Rule) -> Voice {
        let remembers = rule.suppress.is_some() || rule.once.is_some();
        Voice {
            quiet: remembers.then(Quiet::default),
            once: rule.once,
            has_ended_key: false,
            has_ended_rule: false,
            on_match: None,
            on_timeout: None,
        }
    }

    /// The same that keeps nothing quiet.
    pub(in crate::stream) fn empty_like(other: &Voice) -> Voice {
        let Voice { quiet, once, on_match, on_timeout, .. } = other;
        Voice {
            quiet: quiet.as_ref().map(|_| Quiet::default()),
            once: *once,
            has_ended_key: false,
            has_ended_rule: false,
            on_match: on_match.clone(),
            on_timeout: on_timeout.clone(),
        }
    }

    /// Prepares what the rule makes for other rules, of which some see the types `read`. Fails where
    /// there can be no such events.
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
        match (self.once, &self.quiet) {
            (Some(once), Some(quiet)) => quiet.is_over(once, key),
            _ => false,
        }
    }

    /// Notes that a match is the last one that `once` allows.
    fn end<E: Event, S: Sink<E> + ?Sized>(
        &mut self,
        once: Once,
        found: &Match<'_, E>,
        books: &mut Books<E>,
        sink: &mut S,
    ) {
        let Some(quiet) = &mut self.quiet else { return };
        if !quiet.mark_over(once, found, books.limits.suppressed) {
            books.stats.overflowed += 1;
            sink.overflowed(Overflow::Suppressed { rule: found.rule() });
            return;
        }
        self.has_ended_key = true;
        if once == Once::Rule {
            self.has_ended_rule = true;
            books.has_ended_rules = true;
        }
    }

    /// Tells a match or timeout, and makes the event that it is to other rules.
    #[inline]
    pub(in crate::stream) fn tell<E: Event, S: Sink<E> + ?Sized>(
        &mut self,
        told: Match<'_, E>,
        kind: OutcomeKind,
        schema: &Schema,
        books: &mut Books<E>,
        sink: &mut S,
    ) {
        if let (Some(once), Some(quiet)) = (self.once, &self.quiet)
            && quiet.is_over_for(once, &told)
        {
            return;
        }
        if let Some(share) = &books.share {
            sink.at(share.position(kind == OutcomeKind::Match, told.start_seq()));
        }
        let feeder = match kind {
            OutcomeKind::Match => {
                if let Some(having) = &told.rule().having
                    && told.value(having) != Value::Bool(true)
                {
                    books.stats.filtered += 1;
                    sink.filtered(told);
                    return;
                }
                if let Some(quiet) = &mut self.quiet
                    && is_suppressed(quiet, told, books, sink)
                {
                    return;
                }
                if let Some(once) = self.once {
                    self.end(once, &told, books, sink);
                }
                books.stats.matches += 1;
                sink.matched(told);
                &self.on_match
            }
            OutcomeKind::Timeout => {
                books.stats.timeouts += 1;
                sink.timed_out(Timeout::new(told));
                &self.on_timeout
            }
        };
        if let Some(feeder) = feeder {
            feed(feeder, told, schema, books, sink);
        }
    }
}

fn is_suppressed<E: Event, S: Sink<E> + ?Sized>(
    quiet: &mut Quiet,
    found: Match<'_, E>,
    books: &mut Books<E>,
    sink: &mut S,
) -> bool {
    let Some(suppress) = &found.rule().suppress else { return false };
    let verdict = quiet.judge(suppress, &found, books.limits.suppressed);
    match verdict {
        Verdict::Told => {}
        Verdict::Suppressed => {
            books.stats.suppressed += 1;
            sink.suppressed(found);
        }
        Verdict::NotRemembered => {
            books.stats.overflowed += 1;
            sink.overflowed(Overflow::Suppressed { rule: found.rule() });
        }
    }
    verdict == Verdict::Suppressed
}

/// Makes the event that a match or timeout is to other rules.
fn feed<E: Event, S: Sink<E> + ?Sized>(
    feeder: &Feeder,
    told: Match<'_, E>,
    schema: &Schema,
    books: &mut Books<E>,
    sink: &mut S,
) {
    match feeder.make(&told, schema) {
        Some((event, None)) => {
            let bytes = books.derived.bytes().saturating_add(bytes_of(&event));
            let Limits { buffered, buffered_bytes, .. } = books.limits;
            if books.derived.len() >= buffered || bytes > buffered_bytes {
                books.stats.overflowed += 1;
                sink.overflowed(Overflow::Derived { rule: told.rule() });
                return;
            }
            books.stats.derived += 1;
            books.derived.add(told.end(), event);
        }
        Some((event, Some(reason))) => {
            books.stats.rejected += 1;
            sink.rejected(Rejected { event: &event, reason });
        }
        None => books.stats.rejected += 1,
    }
}
