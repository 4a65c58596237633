//! Comparisons that what is known of all matches rules out: captured events have the same key, come
//! in the order of time, and within the rule's bound.

use super::subject::Subject;
use crate::hir::contradiction::opposite;
use crate::hir::expr::{AggregateOp, BinaryOp, FieldRef, MatchFact, Set};
use crate::hir::{Expr, Length, StepId};
use kleene_event::schema::{Field, TypeId};
use kleene_event::time::format_millis;
use kleene_event::value::{Kind, Value};

/// The maximum number of parts of a condition that are looked at.
const MAX_PARTS: usize = 200;

/// The reason why a condition never holds.
pub(super) enum NeverHolds {
    /// A part of the key, by its name, would have to differ.
    Key(String),
    /// Two times would have to be in another order, or further apart. The text says what they are.
    Time(String),
}

impl NeverHolds {
    /// Returns the reason, and what to do about it.
    pub(super) fn say(self) -> (String, &'static str) {
        match self {
            NeverHolds::Key(key) => (
                format!("`{key}` is in the key, so it has the same value in all events of a match"),
                "remove the condition, or remove the field from the `key`",
            ),
            NeverHolds::Time(why) => (why, "remove the condition, or change its time"),
        }
    }
}

/// The event that a condition tests.
#[derive(Clone, Copy, Default)]
pub(super) struct Tested {
    /// The type of the event; `None` if it can have several, or if no event is tested.
    pub(super) ty: Option<TypeId>,
    /// The step that takes the event.
    pub(super) step: Option<StepId>,
}

/// A time that an expression adds or subtracts.
#[derive(Clone, PartialEq)]
enum TimePoint {
    /// Of the event that is tested.
    Candidate,
    /// Of a captured event; `None` is the one captured last. Other events of the same step have
    /// another text.
    Captured(Option<StepId>, String),
    /// The beginning of the match.
    Start,
    /// The end of the match.
    End,
}

/// A sum of times and a number of milliseconds.
#[derive(Default)]
struct TimeSum {
    plus: Vec<TimePoint>,
    minus: Vec<TimePoint>,
    millis: i64,
}

impl TimeSum {
    fn minus(mut self, other: TimeSum) -> Option<TimeSum> {
        self.plus.extend(other.minus);
        self.minus.extend(other.plus);
        self.millis = self.millis.checked_sub(other.millis)?;
        Some(self)
    }

    /// Takes out what is added and subtracted.
    fn cancelled(mut self) -> TimeSum {
        self.plus.retain(|moment| {
            let other = self.minus.iter().position(|other| other == moment);
            other.map(|other| self.minus.swap_remove(other)).is_none()
        });
        self
    }
}

/// The least and the greatest time between two moments, in milliseconds.
#[derive(Clone, Copy, Default)]
struct TimeRange {
    low: Option<i64>,
    high: Option<i64>,
}

impl TimeRange {
    fn reversed(self) -> TimeRange {
        TimeRange { low: self.high.map(i64::wrapping_neg), high: self.low.map(i64::wrapping_neg) }
    }

    /// True if no time of the range compares so with `millis`.
    fn excludes(self, op: BinaryOp, millis: i64) -> bool {
        let (low, high) = (self.low, self.high);
        match op {
            BinaryOp::Lt => low.is_some_and(|low| low >= millis),
            BinaryOp::Le => low.is_some_and(|low| low > millis),
            BinaryOp::Gt => high.is_some_and(|high| high <= millis),
            BinaryOp::Ge => high.is_some_and(|high| high < millis),
            BinaryOp::Eq => {
                low.is_some_and(|low| low > millis) || high.is_some_and(|high| high < millis)
            }
            _ => false,
        }
    }
}

impl Subject<'_> {
    /// Returns why a condition on an event, or on a match, never holds; `None` if it can.
    pub(super) fn never_holds(&self, expr: &Expr, tested: Tested) -> Option<NeverHolds> {
        let mut open = vec![(expr, false)];
        let mut looked_at = 0;
        while let Some((next, negated)) = open.pop() {
            looked_at += 1;
            if looked_at > MAX_PARTS {
                return None;
            }
            match next {
                Expr::Not(inner) => open.push((&**inner, !negated)),
                Expr::Binary(BinaryOp::And, a, b) if !negated => {
                    open.extend([(&**a, negated), (&**b, negated)]);
                }
                Expr::Binary(BinaryOp::Or, a, b) if negated => {
                    open.extend([(&**a, negated), (&**b, negated)]);
                }
                Expr::Binary(op, a, b) => {
                    let op = if negated { opposite(*op) } else { Some(*op) };
                    let reason = op.and_then(|op| self.never_compares(op, (a, b), tested));
                    if reason.is_some() {
                        return reason;
                    }
                }
                Expr::In(value, set) if !negated => {
                    let Set::Range(low, high) = &**set else { continue };
                    let reason = self
                        .never_compares(BinaryOp::Ge, (value, low), tested)
                        .or_else(|| self.never_compares(BinaryOp::Le, (value, high), tested));
                    if reason.is_some() {
                        return reason;
                    }
                }
                _ => {}
            }
        }
        None
    }

    fn never_compares(
        &self,
        op: BinaryOp,
        (a, b): (&Expr, &Expr),
        tested: Tested,
    ) -> Option<NeverHolds> {
        if let (Some(part), Some(other)) =
            (self.key_part_of(a, tested), self.key_part_of(b, tested))
            && part == other
            && matches!(op, BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Gt)
        {
            return Some(NeverHolds::Key(self.rule.key[part].name.to_string()));
        }
        let apart = self.time_sum(a, tested)?.minus(self.time_sum(b, tested)?)?.cancelled();
        let ([later], [earlier]) = (apart.plus.as_slice(), apart.minus.as_slice()) else {
            return None;
        };
        let millis = apart.millis.checked_neg()?;
        let range = self.time_range(later, earlier, tested)?;
        range.excludes(op, millis).then(|| NeverHolds::Time(self.why(op, millis)))
    }

    /// The rule's `within` in milliseconds, if it is known.
    fn within(&self) -> Option<i64> {
        self.pattern().within.filter(|_| self.written.is_sound).and_then(Length::as_millis)
    }

    /// Says what is known of two times that compare so with `millis`.
    fn why(&self, op: BinaryOp, millis: i64) -> String {
        let is_long = matches!(op, BinaryOp::Gt | BinaryOp::Ge | BinaryOp::Eq) && millis > 0
            || matches!(op, BinaryOp::Lt | BinaryOp::Le) && millis < 0;
        match self.within() {
            Some(within) if is_long && millis.saturating_abs() >= within => format!(
                "`within {}` ends the partial match before this much time has passed",
                format_millis(within)
            ),
            _ if is_long => "the pattern requires these events to be closer together".to_owned(),
            _ => "events are captured in time order, with the gaps that the arrows require"
                .to_owned(),
        }
    }

    /// The part of the key that an expression is, of the event that is tested, of a captured one, or
    /// of the match. Floats are left out: NaN is a key, and differs from itself.
    fn key_part_of(&self, expr: &Expr, tested: Tested) -> Option<usize> {
        let part = match expr {
            Expr::Key(part) => *part,
            Expr::Field(field) => self.key_with(field, tested.ty)?,
            Expr::Captured(of) => {
                let ty = of.step.and_then(|step| self.pattern().steps[step.index()].ty);
                self.key_with(&of.field, ty)?
            }
            _ => return None,
        };
        let is_float = |ty: TypeId, field: &FieldRef| {
            let kind = match field {
                FieldRef::Declared(id) => self.schema.ty(ty).field(*id).kind(),
                FieldRef::Dynamic(path) => {
                    self.schema.ty(ty).map_of(path).map_or(Kind::ANY, Field::kind)
                }
                FieldRef::Time | FieldRef::ByType(_) => Kind::TIME,
            };
            kind.intersects(Kind::FLOAT)
        };
        let fields = self.rule.key.get(part)?.fields.iter().map(|(ty, field)| (*ty, field));
        let of_steps = self.rule.step_keys.iter().flat_map(|several| {
            several.keys.iter().filter_map(move |key| Some((several.ty, key.fields.get(part)?)))
        });
        let has_float = fields.chain(of_steps).any(|(ty, field)| is_float(ty, field));
        (!has_float).then_some(part)
    }

    /// The part of the key that a field is, whatever the step of its event.
    fn key_with(&self, field: &FieldRef, ty: Option<TypeId>) -> Option<usize> {
        self.rule.key.iter().position(|part| {
            let is_in = |ty: TypeId, field: &FieldRef| {
                !self.rule.step_keys.iter().any(|several| several.ty == ty)
                    && part.fields.iter().any(|(of, own)| *of == ty && own == field)
            };
            match field {
                FieldRef::ByType(fields) => {
                    !fields.is_empty() && fields.iter().all(|(ty, field)| is_in(*ty, field))
                }
                field => ty.is_some_and(|ty| is_in(ty, field)),
            }
        })
    }

    /// The times that an expression adds and subtracts; `None` if it is something else.
    fn time_sum(&self, expr: &Expr, tested: Tested) -> Option<TimeSum> {
        let one = |moment| TimeSum { plus: vec![moment], ..TimeSum::default() };
        Some(match expr {
            Expr::Literal(Value::Duration(millis)) => {
                TimeSum { millis: *millis, ..TimeSum::default() }
            }
            Expr::Match(MatchFact::Start) => one(TimePoint::Start),
            Expr::Match(MatchFact::End) => one(TimePoint::End),
            Expr::Field(field) if self.is_event_time(field, tested.ty) => one(TimePoint::Candidate),
            Expr::Captured(of) => {
                let ty = of.step.and_then(|step| self.pattern().steps[step.index()].ty);
                if !self.is_event_time(&of.field, ty) {
                    return None;
                }
                one(TimePoint::Captured(of.step, format!("{:?}", of.pick)))
            }
            Expr::Aggregate(of) if matches!(of.op, AggregateOp::Min | AggregateOp::Max) => {
                let Some(Expr::Field(field)) = &of.arg else { return None };
                if !self.is_event_time(field, self.pattern().steps[of.step.index()].ty) {
                    return None;
                }
                one(TimePoint::Captured(Some(of.step), format!("{:?}", of.op)))
            }
            Expr::Binary(BinaryOp::Sub, a, b) => {
                self.time_sum(a, tested)?.minus(self.time_sum(b, tested)?)?
            }
            Expr::Binary(BinaryOp::Add, a, b) => {
                let (mut sum, more) = (self.time_sum(a, tested)?, self.time_sum(b, tested)?);
                sum.plus.extend(more.plus);
                sum.minus.extend(more.minus);
                sum.millis = sum.millis.checked_add(more.millis)?;
                sum
            }
            _ => return None,
        })
    }

    /// True if a field is the event time of the events that it is read of.
    fn is_event_time(&self, field: &FieldRef, of: Option<TypeId>) -> bool {
        let is_time = |ty: TypeId, field: &FieldRef| match field {
            FieldRef::Declared(id) => self.schema.ty(ty).time == Some(*id),
            FieldRef::Time => true,
            FieldRef::Dynamic(_) | FieldRef::ByType(_) => false,
        };
        match field {
            FieldRef::ByType(fields) => {
                !fields.is_empty() && fields.iter().all(|(ty, field)| is_time(*ty, field))
            }
            field => of.is_some_and(|ty| is_time(ty, field)),
        }
    }

    /// The time from the one moment to the other that matches can have.
    fn time_range(
        &self,
        later: &TimePoint,
        earlier: &TimePoint,
        tested: Tested,
    ) -> Option<TimeRange> {
        // An event exactly `within` after the first is too late.
        let inside = self.within().map(|within| within - 1);
        Some(match (later, earlier) {
            (TimePoint::Candidate, TimePoint::Captured(step, _)) => {
                let mut range = TimeRange { low: Some(0), high: inside };
                if let Some(own) = tested.step
                    && let Some(gap) = self.written.gaps.get(&own.index())
                    && (step.is_none() || gap.after == step.map(StepId::index))
                {
                    range.low = range.low.max(Some(gap.min));
                    range.high = match (range.high, gap.max) {
                        (Some(high), Some(max)) => Some(high.min(max)),
                        (high, max) => high.or(max),
                    };
                }
                range
            }
            (TimePoint::Captured(..), TimePoint::Candidate | TimePoint::End)
            | (TimePoint::Start, TimePoint::Captured(..) | TimePoint::End) => {
                self.time_range(earlier, later, tested)?.reversed()
            }
            (TimePoint::Captured(..), TimePoint::Captured(..)) => {
                TimeRange { low: inside.map(|inside| -inside), high: inside }
            }
            (TimePoint::Captured(..), TimePoint::Start) => TimeRange { low: Some(0), high: inside },
            // The deadline of the match can be its end.
            (TimePoint::End, TimePoint::Captured(..) | TimePoint::Start) => {
                TimeRange { low: Some(0), high: self.within() }
            }
            _ => return None,
        })
    }
}
