//! Patterns and streams out of any bytes, for fuzzing: each choice is the next byte, so that a
//! small change of the bytes is a small change of what they stand for.

use kleene_syntax::hir::Contiguity;
use kleene_syntax::hir::expr::{BinaryOp, Pick};

use super::chain::Chain;
use super::pattern::{
    AGGREGATES, COMPARISONS, PICKS, RandomGroup, RandomItem, RandomKind, RandomLength,
    RandomPattern, RandomQuantifier, RandomSkip, RandomTest,
};
use super::silences::MixedAlternatives;
use super::stream::{Stream, TYPES};
use crate::convert;

/// Bytes that are taken one after the other; zeros when there are no more.
#[derive(Clone, Debug)]
pub struct Choices<'a>(pub &'a [u8]);

impl Choices<'_> {
    /// A number from 0 to `bound`, without it.
    pub fn below(&mut self, bound: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % bound.max(1)
    }

    /// From 0 to `bound`, without it.
    pub fn millis(&mut self, bound: u8) -> i64 {
        i64::try_from(self.below(bound.into())).unwrap_or(0)
    }

    /// True in one of `cases` cases, and never if all bytes are zero.
    fn one_of(&mut self, cases: usize) -> bool {
        self.below(cases) == cases - 1
    }

    fn some<T>(&mut self, cases: usize, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_of(cases).then(|| make(self))
    }

    fn pick<T: Copy, const N: usize>(&mut self, from: [T; N]) -> T {
        from[self.below(N)]
    }

    /// From 1 to `most` of what `make` makes.
    fn list<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..=self.below(most)).map(|_| make(self)).collect()
    }

    /// A pattern that may be one that is refused.
    pub fn pattern(&mut self) -> RandomPattern {
        RandomPattern {
            items: self.list(4, |choices| choices.item(2)),
            skip: match self.below(8) {
                0..3 => RandomSkip::None,
                3..5 => RandomSkip::PastLast,
                5 => RandomSkip::ToNext,
                6 => RandomSkip::ToFirst(self.below(8)),
                _ => RandomSkip::ToLast(self.below(8)),
            },
            within: self.some(2, |choices| choices.length(16)),
            ordered: self.one_of(2),
            longest: self.one_of(6),
            silence: self.some(10, |choices| (choices.test(2), 1 + choices.millis(4))),
            without: self.some(10, |choices| choices.test(2)),
        }
    }

    /// A pattern in which each event has to be the next one.
    pub fn chain(&mut self) -> RandomPattern {
        let first = match self.below(5) {
            0..3 => RandomTest::Always,
            3 => RandomTest::Compare(BinaryOp::Gt, self.millis(5)),
            _ => self.test(1),
        };
        let times = |choices: &mut Self| u32::try_from(1 + choices.below(2)).unwrap_or(1);
        let other = |choices: &mut Self| {
            if choices.below(4) == 0 {
                return choices.test(1);
            }
            let pick = choices.pick([Pick::Last, Pick::Last, Pick::First]);
            RandomTest::Captured(choices.comparison(), None, pick)
        };
        let lead = self.some(3, |choices| (other(choices), times(choices)));
        let again = (other(self), times(self));
        let last = other(self);
        let within = self.some(2, |choices| choices.length(8));
        let skip = if self.one_of(6) { RandomSkip::ToNext } else { RandomSkip::PastLast };
        Chain { first, lead, again, last, within, skip }.into()
    }

    /// A pattern with silences among the branches of alternatives.
    pub fn pattern_with_silences(&mut self) -> RandomPattern {
        let [at, count, any, branches] = self.digits([4, 4, 4, 3]);
        let branches = (0..branches).map(|_| self.list(2, |choices| choices.item(1))).collect();
        let silences = self.list(2, |choices| (choices.test(1), choices.length(8)));
        let group = MixedAlternatives { branches, silences, count, any: any == 3 };
        self.pattern().with_silences(at, group)
    }

    /// At most 14 events in the order of time, a byte for each.
    pub fn stream(&mut self) -> Stream {
        let mut time = 0;
        let count = self.below(15);
        let event = |_| {
            let [passed, ty, v] = self.digits([4, TYPES.len(), 5]);
            time += i64::try_from(passed).unwrap_or(0);
            convert::event(time, TYPES[ty], i64::try_from(v).unwrap_or(0))
        };
        Stream((0..count).map(event).collect())
    }

    /// Several numbers out of one byte, each from 0 to its bound, without it. The product of the
    /// bounds is at most 256.
    pub fn digits<const N: usize>(&mut self, bounds: [usize; N]) -> [usize; N] {
        let mut rest = self.below(256);
        bounds.map(|bound| {
            let digit = rest % bound;
            rest /= bound;
            digit
        })
    }

    fn item(&mut self, depth: u32) -> RandomItem {
        let kind = match self.below(if depth == 0 { 7 } else { 11 }) {
            0..6 => RandomKind::Step(self.test(2), self.quantifier()),
            6 => RandomKind::Not(self.test(2)),
            7..10 => {
                let items = self.list(3, |choices| choices.item(depth - 1));
                let group = RandomGroup {
                    named: self.one_of(6),
                    items,
                    without: self.some(6, |choices| choices.test(2)),
                    within: self.some(5, |choices| choices.length(8)),
                };
                RandomKind::Group(group, self.quantifier())
            }
            _ => {
                let branch =
                    |choices: &mut Self| choices.list(2, |choices| choices.item(depth - 1));
                RandomKind::Alternatives(self.list(3, branch), self.below(8))
            }
        };
        let gap = self.some(8, |choices| match choices.length(3) {
            RandomLength::Millis(min) => {
                let max = choices.some(2, |choices| RandomLength::Millis(min + choices.millis(5)));
                (RandomLength::Millis(min), max)
            }
            read @ RandomLength::Read(..) => (read, None),
        });
        RandomItem { contiguity: self.contiguity(), gap, kind }
    }

    fn length(&mut self, bound: u8) -> RandomLength {
        match self.below(9) {
            8 => RandomLength::Read(self.below(8), self.one_of(2)),
            _ => RandomLength::Millis(1 + self.millis(bound)),
        }
    }

    fn contiguity(&mut self) -> Contiguity {
        self.pick([Contiguity::Relaxed, Contiguity::Next, Contiguity::Any])
    }

    fn quantifier(&mut self) -> RandomQuantifier {
        let times = |choices: &mut Self| u32::try_from(choices.below(2)).unwrap_or(0) + 1;
        let (min, more) = match self.below(8) {
            0..4 => (1, Some(0)),
            4 => (1 + times(self), Some(0)),
            5 => (times(self), Some(times(self))),
            _ => (times(self), None),
        };
        RandomQuantifier {
            min,
            more,
            optional: self.one_of(4),
            inner: self.contiguity(),
            greedy: self.one_of(3),
            until: self.some(3, |choices| choices.test(1)).filter(|_| more.is_none()),
        }
    }

    fn test(&mut self, depth: u32) -> RandomTest {
        match self.below(if depth == 0 { 6 } else { 10 }) {
            0..3 => RandomTest::Type(self.below(TYPES.len())),
            3 => RandomTest::Compare(self.comparison(), self.millis(5)),
            4 => {
                let aggregate = self.pick(AGGREGATES);
                RandomTest::Aggregate(self.comparison(), aggregate, self.below(8))
            }
            5 => {
                let step = self.some(2, |choices| choices.below(8));
                let pick = self.pick(PICKS);
                RandomTest::Captured(self.comparison(), step, pick)
            }
            6 => RandomTest::Not(self.test(depth - 1).into()),
            7 => RandomTest::Or(self.test(depth - 1).into(), self.test(depth - 1).into()),
            8 => RandomTest::And(self.test(depth - 1).into(), self.test(depth - 1).into()),
            _ => RandomTest::Always,
        }
    }

    fn comparison(&mut self) -> BinaryOp {
        self.pick(COMPARISONS)
    }
}
