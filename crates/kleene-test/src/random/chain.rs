//! Random patterns in which each event has to be the next one.

use kleene_syntax::hir::Contiguity;
use kleene_syntax::hir::expr::{BinaryOp, Pick};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::any::{length, test};
use super::pattern::{
    COMPARISONS, RandomItem, RandomKind, RandomLength, RandomPattern, RandomQuantifier, RandomSkip,
    RandomTest,
};

/// Patterns in which each event has to be the next one, as in `a -> next b{1.. next greedy} -> next
/// c`: in many of them partial matches that begin later follow those that have begun before.
pub fn chain() -> impl Strategy<Value = RandomPattern> {
    let first = prop_oneof![
        3 => Just(RandomTest::Always),
        1 => (0..5_i64).prop_map(|v| RandomTest::Compare(BinaryOp::Gt, v)),
        1 => test(),
    ];
    let compare = || {
        (select(&COMPARISONS[..]), select(&[Pick::Last, Pick::Last, Pick::First][..]))
            .prop_map(|(op, pick)| RandomTest::Captured(op, None, pick))
    };
    let other = || prop_oneof![3 => compare(), 1 => test()];
    let lead = option::weighted(0.3, (other(), 1..3_u32));
    let skip = prop_oneof![5 => Just(RandomSkip::PastLast), 1 => Just(RandomSkip::ToNext)];
    let within = option::weighted(0.8, length(1..9));
    (first, lead, (other(), 1..3_u32), other(), within, skip).prop_map(
        |(first, lead, again, last, within, skip)| {
            Chain { first, lead, again, last, within, skip }.into()
        },
    )
}

/// A test, and how often it has to hold in a row.
pub(super) type Times = (RandomTest, u32);

/// The parts of a pattern in which each event has to be the next one.
pub(super) struct Chain {
    pub(super) first: RandomTest,
    pub(super) lead: Option<Times>,
    pub(super) again: Times,
    pub(super) last: RandomTest,
    pub(super) within: Option<RandomLength>,
    pub(super) skip: RandomSkip,
}

impl From<Chain> for RandomPattern {
    fn from(chain: Chain) -> RandomPattern {
        let item = |test, min, more| {
            let (optional, inner) = (false, Contiguity::Next);
            let quantifier =
                RandomQuantifier { min, more, optional, inner, greedy: true, until: None };
            let kind = RandomKind::Step(test, quantifier);
            RandomItem { contiguity: Contiguity::Next, gap: None, kind }
        };
        let mut items = vec![item(chain.first, 1, Some(0))];
        items.extend(chain.lead.map(|(test, times)| item(test, times, Some(0))));
        items.push(item(chain.again.0, chain.again.1, None));
        items.push(item(chain.last, 1, Some(0)));
        RandomPattern {
            silence: None,
            items,
            without: None,
            within: chain.within,
            skip: chain.skip,
            ordered: false,
            longest: false,
        }
    }
}
