//! The operands of `and` and `of` that have come, where the group waits in one state.
//!
//! When it applies: groups with more operands than the layout has a state for each set of. Twenty
//! operands have a million sets.
//!
//! Why it is right: the state knows from the set what its states would know otherwise. The property
//! in `tests/operands.rs` compares the two layouts.
//!
//! What it saves: the set is the value of one clock, so that a partial match is copied, compared,
//! saved and migrated like any other.

/// A set of operands, as a clock holds it. A clock that is not set holds the empty set.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct OperandSet(u64);

impl OperandSet {
    /// Returns the set that is the value of a clock. One that is not set has the least value.
    #[inline]
    pub(crate) fn of_clock(clock: i64) -> OperandSet {
        OperandSet((clock ^ i64::MIN).cast_unsigned())
    }

    /// Returns the value of the clock that holds the set.
    #[inline]
    pub(crate) fn to_clock(self) -> i64 {
        self.0.cast_signed() ^ i64::MIN
    }

    #[inline]
    pub(crate) fn has(self, operand: u8) -> bool {
        self.0 >> operand & 1 == 1
    }

    #[inline]
    pub(crate) fn with(self, operand: u8) -> OperandSet {
        OperandSet(self.0 | 1 << operand)
    }

    #[inline]
    pub(crate) fn len(self) -> usize {
        self.0.count_ones() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_values_of_clocks() {
        let mut set = OperandSet::of_clock(i64::MIN);
        assert_eq!((set, set.len()), (OperandSet::default(), 0));
        for operand in [0, 63, 1, 62, 31] {
            assert!(!set.has(operand));
            set = OperandSet::of_clock(set.with(operand).to_clock());
            assert!(set.has(operand));
            assert_ne!(set.to_clock(), i64::MIN);
        }
        assert_eq!((set.len(), set.with(63)), (5, set));
    }
}
