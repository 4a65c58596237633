//! Random patterns with silences among the branches of alternatives.

use kleene_syntax::hir::Contiguity;
use proptest::collection::vec;
use proptest::prelude::*;

use super::any::{item, length, pattern, test};
use super::pattern::{
    RandomItem, RandomKind, RandomLength, RandomPattern, RandomQuantifier, RandomTest,
};
use super::repair::{may_be_empty, repair_branch, require};

/// Patterns with silences among the branches of alternatives.
pub fn with_silences() -> impl Strategy<Value = RandomPattern> {
    let branches = vec(vec(item(1), 1..3), 0..3);
    let silence = (test(), length(1..9));
    let silences = vec(silence, 1..3);
    let choices = (any::<usize>(), any::<usize>(), prop::bool::weighted(0.2));
    (pattern(), branches, silences, choices).prop_map(
        |(pattern, branches, silences, (at, count, any))| {
            pattern.with_silences(at, MixedAlternatives { branches, silences, count, any })
        },
    )
}

/// Alternatives; some are silences, with the event that must not come and the time.
pub(super) struct MixedAlternatives {
    pub(super) branches: Vec<Vec<RandomItem>>,
    pub(super) silences: Vec<(RandomTest, RandomLength)>,
    /// The number of branches that have to happen, modulo the branches.
    pub(super) count: usize,
    /// True if the group follows the event before it with `any`.
    pub(super) any: bool,
}

impl RandomPattern {
    /// The pattern, repaired, with alternatives behind the item `at`, taken around.
    pub(super) fn with_silences(self, at: usize, group: MixedAlternatives) -> RandomPattern {
        let MixedAlternatives { mut branches, silences, count, any } = group;
        let mut pattern = self.repaired();
        pattern.silence = None;
        let at = 1 + at % pattern.items.len();
        let mut after = pattern.items.split_off(at);
        while pattern.items.last().is_some_and(is_not) && pattern.items.len() > 1 {
            pattern.items.pop();
        }
        pattern.items.last_mut().into_iter().for_each(ends_here);
        let leading = after.iter().take_while(|item| is_not(item)).count();
        after.drain(..leading);
        if let Some(next) = after.first_mut()
            && next.contiguity == Contiguity::Next
        {
            next.contiguity = Contiguity::Relaxed;
        }
        if after.iter().all(may_be_empty) {
            require(&mut after);
        }
        branches.iter_mut().for_each(repair_branch);
        let several = silences.len() > 1;
        for (number, (test, time)) in silences.into_iter().enumerate() {
            let time = match time {
                RandomLength::Read(..) if several => RandomLength::Millis(4),
                time => time,
            };
            let gap = Some((RandomLength::Millis(0), Some(time)));
            let not =
                RandomItem { contiguity: Contiguity::Relaxed, gap, kind: RandomKind::Not(test) };
            branches.insert((at + number) % (branches.len() + 1), vec![not]);
        }
        let contiguity = if any { Contiguity::Any } else { Contiguity::Relaxed };
        let kind = RandomKind::Alternatives(branches, count);
        pattern.items.push(RandomItem { contiguity, gap: None, kind });
        pattern.items.append(&mut after);
        pattern
    }
}

fn is_not(item: &RandomItem) -> bool {
    matches!(item.kind, RandomKind::Not(_))
}

/// Lets the item end where it has what it needs.
fn ends_here(item: &mut RandomItem) {
    let fixed = |quantifier: &mut RandomQuantifier| {
        quantifier.more = Some(0);
        quantifier.optional = false;
        quantifier.until = None;
    };
    match &mut item.kind {
        RandomKind::Step(_, quantifier) => fixed(quantifier),
        RandomKind::Group(group, quantifier) => {
            fixed(quantifier);
            group.items.last_mut().into_iter().for_each(ends_here);
        }
        RandomKind::Alternatives(branches, _) => {
            branches.iter_mut().filter_map(|branch| branch.last_mut()).for_each(ends_here);
        }
        RandomKind::Not(_) => {}
    }
}
