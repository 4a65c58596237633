//! The division of what an engine holds among the parts of a snapshot.

use kleene_event::value::Value;
use kleene_syntax::hir::Rule;

/// Maps a rule and a key to a part.
type PartOf<'f> = dyn FnMut(&Rule, &[Value]) -> usize + 'f;

/// Selects the part of the snapshot for a rule and a key.
pub(super) struct KeyDivision<'f> {
    count: usize,
    part_of: Option<&'f mut PartOf<'f>>,
}

impl<'f> KeyDivision<'f> {
    /// All keys are in one part.
    pub(super) fn one() -> KeyDivision<'f> {
        KeyDivision { count: 1, part_of: None }
    }

    /// The keys are in `count` parts. The result of `part_of` is taken modulo `count`.
    pub(super) fn of(count: usize, part_of: &'f mut PartOf<'f>) -> KeyDivision<'f> {
        KeyDivision { count: count.max(1), part_of: Some(part_of) }
    }

    /// Returns the number of parts.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Returns the part of a key of a rule.
    #[inline]
    pub(super) fn part(&mut self, rule: &Rule, key: &[Value]) -> usize {
        self.part_of.as_mut().map_or(0, |part_of| part_of(rule, key) % self.count)
    }
}

/// Items of all parts, ordered by part.
pub(super) struct ByPart<T>(Vec<(usize, T)>);

impl<T> ByPart<T> {
    /// `items` have to be ordered by part.
    pub(super) fn new(items: Vec<(usize, T)>) -> ByPart<T> {
        ByPart(items)
    }

    /// Returns the items of a part in their order.
    pub(super) fn of(&self, part: usize) -> impl ExactSizeIterator<Item = &T> {
        let from = self.0.partition_point(|(other, _)| *other < part);
        let of_part = &self.0[from..];
        let until = of_part.partition_point(|(other, _)| *other == part);
        of_part[..until].iter().map(|(_, item)| item)
    }

    /// Returns the part of each item in their order.
    pub(super) fn parts(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|(part, _)| *part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_found_by_their_part() {
        let items = ByPart::new(vec![(0, 'a'), (2, 'b'), (2, 'c'), (5, 'd')]);
        let of = |part| items.of(part).collect::<String>();
        assert_eq!([of(0), of(1), of(2), of(5), of(6)], ["a", "", "bc", "d", ""]);
        assert_eq!(items.parts().collect::<Vec<_>>(), [0, 2, 2, 5]);
    }
}
