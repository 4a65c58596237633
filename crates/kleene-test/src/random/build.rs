//! From a random pattern to a checked one, as rule text and the builder make them.

use std::fmt;

use super::pattern::{
    RandomItem, RandomKind, RandomLength, RandomPattern, RandomQuantifier, RandomSkip, RandomTest,
};
use super::stream::TYPES;
use crate::{convert, text};
use kleene::Value;
use kleene::schema::FieldId;
use kleene_syntax::hir::expr::{Aggregate, AggregateOp, BinaryOp, CapturedField, FieldRef, Pick};
use kleene_syntax::hir::{
    Condition, ConditionId, Contiguity, Expr, Gap, Item, ItemKind, Length, LengthId, LoopMode,
    Pattern, Quantifier, Report, Sequence, Skip, SkipStrategy, Step, StepId, Test, Without,
};

/// A pattern that shows itself as text.
#[derive(Clone)]
pub struct Built(pub Pattern);

impl fmt::Debug for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pattern, text) = (&self.0, text::body(&self.0));
        let skip = text::skip(pattern);
        write!(f, "{} within {:?} skip {skip} {:?}", text.body, pattern.within, text.problems)
    }
}

impl RandomPattern {
    /// The pattern as it is, which may be one that is refused.
    pub fn build(&self) -> Built {
        let negated = usize::from(self.silence.is_some()) + usize::from(self.without.is_some());
        let count = count(&self.items) + negated;
        let mut builder = Builder { count, steps: vec![], conditions: vec![], lengths: vec![] };
        let silence = self.silence.as_ref().map(|(test, time)| {
            let step = builder.negated_step();
            let kind = ItemKind::Not { step, condition: builder.one_of(test) };
            let gap = Some(Gap { min: Length::ZERO, max: Some(Length::Millis(*time)) });
            Item { contiguity: Contiguity::Relaxed, gap, kind }
        });
        let mut body = builder.sequence(&self.items, self.without.as_ref());
        body.items.splice(0..0, silence);
        if self.longest
            && let Some(Item { kind: ItemKind::Step { quantifier, .. }, .. }) =
                body.items.last_mut()
        {
            quantifier.mode = LoopMode::Longest;
        }
        let step = |number: usize| StepId::new(number % builder.count.max(1));
        let strategy = match self.skip {
            RandomSkip::None => SkipStrategy::None,
            RandomSkip::PastLast => SkipStrategy::PastLast,
            RandomSkip::ToNext => SkipStrategy::ToNext,
            RandomSkip::ToFirst(number) => SkipStrategy::ToFirst(step(number)),
            RandomSkip::ToLast(number) => SkipStrategy::ToLast(step(number)),
        };
        let within = self.within.map(|within| builder.length(within));
        for condition in &mut builder.conditions {
            if let Test::Expr(expr) = &mut condition.test {
                count_rounds(expr, &builder.steps);
            }
        }
        Built(Pattern {
            steps: builder.steps,
            conditions: builder.conditions,
            lengths: builder.lengths,
            body,
            within,
            skip: Skip { strategy, ordered: self.ordered },
            report: Report::All,
            totals: Vec::new(),
            report_timeouts: true,
            repeats: false,
        })
    }

    /// Returns the number of steps with each repetition written out: the automaton grows with it.
    pub fn written_out(&self) -> usize {
        written_out(&self.items)
    }
}

fn count(items: &[RandomItem]) -> usize {
    let in_item = |item: &RandomItem| match &item.kind {
        RandomKind::Step(..) | RandomKind::Not(_) => 1,
        RandomKind::Group(group, _) => {
            let others = usize::from(group.without.is_some()) + usize::from(group.named);
            count(&group.items) + others
        }
        RandomKind::Alternatives(branches, _) => branches.iter().map(|branch| count(branch)).sum(),
    };
    items.iter().map(in_item).sum()
}

/// The number of steps with each repetition written out, and each state of branches beside each
/// other.
fn written_out(items: &[RandomItem]) -> usize {
    let times = |quantifier: &RandomQuantifier| {
        usize::try_from(quantifier.min + quantifier.more.unwrap_or(1)).unwrap_or(usize::MAX)
    };
    let in_item = |item: &RandomItem| match &item.kind {
        RandomKind::Step(_, quantifier) => times(quantifier),
        RandomKind::Not(_) => 1,
        RandomKind::Group(group, quantifier) => times(quantifier) * written_out(&group.items),
        RandomKind::Alternatives(branches, _) => {
            branches.iter().map(|branch| 1 + written_out(branch)).product()
        }
    };
    items.iter().map(in_item).sum()
}

/// Of a group only its rounds can be asked for.
fn count_rounds(expr: &mut Expr, steps: &[Step]) {
    match expr {
        Expr::Aggregate(of) if steps[of.step.index()].ty.is_none() => {
            (of.op, of.arg) = (AggregateOp::Count, None);
        }
        Expr::Binary(_, a, b) => {
            count_rounds(a, steps);
            count_rounds(b, steps);
        }
        Expr::Not(inner) => count_rounds(inner, steps),
        _ => {}
    }
}

/// Returns the part of the time after the event before a row of `not`s in which the next `not` of
/// the row must not come. The silences before it have `passed`; it lasts for `time`, if it has one.
fn window(passed: &mut Length, time: Option<Length>) -> Option<Gap> {
    let min = *passed;
    match (min, time) {
        (Length::Millis(before), Some(Length::Millis(time))) => {
            *passed = Length::Millis(before + time);
        }
        (Length::ZERO, Some(time)) => *passed = time,
        // Two lengths that events say cannot be added.
        (min, _) => return (min != Length::ZERO).then_some(Gap { min, max: None }),
    }
    Some(Gap { min, max: Some(*passed) })
}

/// The longer of two lengths; of one that is read from an event and another, the former.
fn longer(one: Length, other: Length) -> Length {
    match (one, other) {
        (Length::Millis(one), Length::Millis(other)) => Length::Millis(one.max(other)),
        (Length::Read(_), _) => one,
        (_, Length::Read(_)) => other,
    }
}

struct Builder {
    count: usize,
    steps: Vec<Step>,
    conditions: Vec<Condition>,
    lengths: Vec<Expr>,
}

impl Builder {
    fn length(&mut self, length: RandomLength) -> Length {
        match length {
            RandomLength::Millis(millis) => Length::Millis(millis),
            RandomLength::Read(number, last) => {
                let step = Some(StepId::new(number % self.count.max(1)));
                let pick = if last { Pick::Last } else { Pick::First };
                let field = FieldRef::Declared(FieldId::new(1));
                self.lengths.push(Expr::Captured(CapturedField { step, pick, field }));
                Length::Read(LengthId::new(self.lengths.len() - 1))
            }
        }
    }

    fn sequence(&mut self, items: &[RandomItem], without: Option<&RandomTest>) -> Sequence {
        let mut lowered: Vec<Item> = Vec::new();
        // An item behind a `not` with a time comes after that time.
        let mut silence = Length::ZERO;
        for item in items {
            let mut item = self.item(item);
            match (&item.kind, item.gap) {
                (ItemKind::Not { .. }, gap) if item.contiguity != Contiguity::Next => {
                    item.gap = window(&mut silence, gap.and_then(|gap| gap.max));
                }
                (_, gap) if silence != Length::ZERO => {
                    let Gap { min, max } = gap.unwrap_or(Gap { min: Length::ZERO, max: None });
                    let max = max.map(|max| longer(max, silence));
                    item.gap = Some(Gap { min: longer(min, silence), max });
                    silence = Length::ZERO;
                }
                _ => {}
            }
            lowered.push(item);
        }
        let without = without.map(|test| {
            let step = self.negated_step();
            Without { step, condition: self.one_of(test) }
        });
        Sequence { items: lowered, without }
    }

    fn item(&mut self, item: &RandomItem) -> Item {
        let kind = match &item.kind {
            RandomKind::Step(test, quantifier) => {
                let step = self.step();
                let condition = self.condition(test);
                ItemKind::Step { step, condition, quantifier: self.quantifier(quantifier) }
            }
            RandomKind::Not(test) => {
                let step = self.negated_step();
                ItemKind::Not { step, condition: self.one_of(test) }
            }
            RandomKind::Group(group, quantifier) => ItemKind::Group {
                body: self.sequence(&group.items, group.without.as_ref()),
                quantifier: self.quantifier(quantifier),
                within: group.within.map(|within| self.length(within)),
                alias: group.named.then(|| self.group_alias()),
            },
            RandomKind::Alternatives(branches, count) => {
                let count = count % branches.len() + 1;
                let branches = branches.iter().map(|branch| self.sequence(branch, None)).collect();
                ItemKind::Alternatives { branches, count }
            }
        };
        let gap = item
            .gap
            .map(|(min, max)| Gap { min: self.length(min), max: max.map(|max| self.length(max)) });
        // Neither rules nor the builder have an `any` before a `not`.
        let contiguity = match (&kind, item.contiguity) {
            (ItemKind::Not { .. }, Contiguity::Any) => Contiguity::Relaxed,
            (_, contiguity) => contiguity,
        };
        Item { contiguity, gap, kind }
    }

    /// The name of a group, which captures nothing but is counted.
    fn group_alias(&mut self) -> StepId {
        let alias = self.step();
        self.steps[alias.index()].ty = None;
        alias
    }

    fn step(&mut self) -> StepId {
        let id = StepId::new(self.steps.len());
        let name = format!("s{}", self.steps.len()).into();
        self.steps.push(Step { name, ty: Some(convert::event_type()), negated: false });
        id
    }

    fn negated_step(&mut self) -> StepId {
        let step = self.step();
        self.steps[step.index()].negated = true;
        step
    }

    fn quantifier(&mut self, quantifier: &RandomQuantifier) -> Quantifier {
        // Neither rules nor the builder let a greedy loop skip events that fit.
        let is_greedy = quantifier.greedy && quantifier.inner != Contiguity::Any;
        Quantifier {
            min: quantifier.min,
            max: quantifier.more.map(|more| quantifier.min + more),
            optional: quantifier.optional,
            inner: quantifier.inner,
            mode: if is_greedy { LoopMode::Greedy } else { LoopMode::Each },
            until: quantifier.until.as_ref().map(|test| self.one_of(test)),
        }
    }

    /// Returns the condition of a `not` or an `until`: of `a or b` two steps are made.
    fn one_of(&mut self, test: &RandomTest) -> ConditionId {
        let RandomTest::Or(a, b) = test else { return self.condition(test) };
        let (a, b) = (self.condition(a), self.condition(b));
        self.conditions.push(Condition { ty: None, test: Test::OneOf(vec![a, b]) });
        ConditionId::new(self.conditions.len() - 1)
    }

    fn condition(&mut self, test: &RandomTest) -> ConditionId {
        let id = ConditionId::new(self.conditions.len());
        let test = match test {
            RandomTest::Always => Test::True,
            test => Test::Expr(self.expr(test)),
        };
        self.conditions.push(Condition { ty: Some(convert::event_type()), test });
        id
    }

    fn expr(&self, test: &RandomTest) -> Expr {
        let field = |index| Expr::Field(FieldRef::Declared(FieldId::new(index)));
        let binary = |op, a, b| Expr::Binary(op, Box::new(a), Box::new(b));
        let step = |number: usize| StepId::new(number % self.count.max(1));
        match test {
            RandomTest::Always => Expr::Literal(Value::Bool(true)),
            RandomTest::Type(ty) => {
                binary(BinaryOp::Eq, field(0), Expr::Literal(Value::from(TYPES[*ty])))
            }
            RandomTest::Compare(op, v) => binary(*op, field(1), Expr::Literal(Value::from(*v))),
            RandomTest::Aggregate(op, aggregate, number) => {
                let arg = (*aggregate != AggregateOp::Count).then(|| field(1));
                let (of, step, of_ints) = (*aggregate, step(*number), true);
                let aggregate = Aggregate { op: of, step, arg, of_ints };
                binary(*op, field(1), Expr::Aggregate(Box::new(aggregate)))
            }
            RandomTest::Captured(op, number, pick) => {
                let field_ref = FieldRef::Declared(FieldId::new(1));
                let captured =
                    CapturedField { step: number.map(step), pick: *pick, field: field_ref };
                binary(*op, field(1), Expr::Captured(captured))
            }
            RandomTest::Not(a) => Expr::Not(Box::new(self.expr(a))),
            RandomTest::And(a, b) => binary(BinaryOp::And, self.expr(a), self.expr(b)),
            RandomTest::Or(a, b) => binary(BinaryOp::Or, self.expr(a), self.expr(b)),
        }
    }
}
