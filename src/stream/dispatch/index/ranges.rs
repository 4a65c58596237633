//! Which of many ranges a value is in.

use std::cmp::Ordering;

use crate::value::{Value, ValueRef};

/// A low end, a high end, and what is found between them.
pub(super) type Between<T> = (Option<Value>, Option<Value>, T);

/// Ranges of values that all compare with each other, both ends included.
///
/// An interval tree in an array: sorted by their low ends, and the middle of each part is the root
/// of it, which knows the greatest high end of its part. What a value is in is found in
/// O(log n + found).
#[derive(Debug)]
pub(super) struct Ranges<T> {
    ranges: Vec<Range<T>>,
}

#[derive(Debug)]
struct Range<T> {
    /// Without bound where `None`.
    low: Option<Value>,
    high: Option<Value>,
    /// The greatest high end of the part whose middle this is; without bound where `None`.
    furthest: Option<Value>,
    content: T,
}

impl<T> Ranges<T> {
    /// All ends that are there have to compare.
    pub(super) fn new(ranges: impl IntoIterator<Item = Between<T>>) -> Self {
        let range = |(low, high, content)| Range { low, high, furthest: None, content };
        let mut ranges: Vec<Range<T>> = ranges.into_iter().map(range).collect();
        ranges.sort_by(|a, b| match (&a.low, &b.low) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => compare(a.as_ref(), b.as_ref()),
        });
        find_furthest(&mut ranges);
        Ranges { ranges }
    }

    /// Calls `found` for each range that `value` is in; for none if it does not compare with them.
    pub(super) fn find(&self, value: ValueRef<'_>, found: &mut impl FnMut(&T)) {
        find(&self.ranges, value, found);
    }
}

fn compare(a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
    a.compare(b).unwrap_or(Ordering::Equal)
}

/// Sets `furthest` of a part, and gives that of its middle. The part is not empty.
fn find_furthest<T>(part: &mut [Range<T>]) -> Option<Value> {
    let middle = part.len() / 2;
    let (left, rest) = part.split_at_mut(middle);
    let (root, right) = rest.split_first_mut()?;
    let mut furthest = root.high.clone();
    for side in [left, right] {
        if !side.is_empty() {
            furthest = match (furthest, find_furthest(side)) {
                (Some(a), Some(b)) if compare(a.as_ref(), b.as_ref()).is_lt() => Some(b),
                (Some(a), Some(_)) => Some(a),
                _ => None,
            };
        }
    }
    root.furthest.clone_from(&furthest);
    furthest
}

/// The parts halve, so that this is never deeper than an index has bits.
fn find<T>(part: &[Range<T>], value: ValueRef<'_>, found: &mut impl FnMut(&T)) {
    let (left, rest) = part.split_at(part.len() / 2);
    let Some((root, right)) = rest.split_first() else { return };
    let is_at_most = |end: &Option<Value>| {
        end.as_ref().is_none_or(|end| value.compare(end.as_ref()).is_some_and(Ordering::is_le))
    };
    let is_at_least = |end: &Option<Value>| {
        end.as_ref().is_none_or(|end| value.compare(end.as_ref()).is_some_and(Ordering::is_ge))
    };
    if !is_at_most(&root.furthest) {
        return;
    }
    find(left, value, found);
    if is_at_least(&root.low) {
        if is_at_most(&root.high) {
            found(&root.content);
        }
        find(right, value, found);
    }
}
