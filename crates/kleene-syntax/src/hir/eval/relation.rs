//! Comparisons of two values, `like` and `in` included.

use std::cmp::Ordering;

use crate::hir::expr::BinaryOp;
use kleene_event::value::ValueRef;

/// The float that an integer is, if no other integer is close to it.
#[inline(always)]
pub fn float_of(int: i64) -> Option<f64> {
    const EXACT: u64 = 1 << 53;
    #[expect(clippy::cast_precision_loss, reason = "there is none up to 2^53")]
    (int.unsigned_abs() <= EXACT).then_some(int as f64)
}

/// The order of two values as a bit: less, equal, greater. 0 for what has none.
#[inline(always)]
pub fn order_of<T: Copy + PartialOrd>(a: T, b: T) -> u8 {
    u8::from(a < b) | u8::from(a == b) << 1 | u8::from(a > b) << 2
}

/// An operator that gives a bool.
///
/// Its number has a bit for each order in which it holds: less, equal, greater.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Relation {
    /// `<`
    Lt = 0b001,
    /// `==`
    Eq = 0b010,
    /// `<=`
    Le = 0b011,
    /// `>`
    Gt = 0b100,
    /// `!=`
    Ne = 0b101,
    /// `>=`
    Ge = 0b110,
    /// `like`, which orders nothing.
    Like = 0,
}

impl Relation {
    /// Returns the relation of an operator; `None` for one that gives no bool of two values.
    #[inline]
    pub fn of(op: BinaryOp) -> Option<Relation> {
        Some(match op {
            BinaryOp::Eq => Relation::Eq,
            BinaryOp::Ne => Relation::Ne,
            BinaryOp::Lt => Relation::Lt,
            BinaryOp::Le => Relation::Le,
            BinaryOp::Gt => Relation::Gt,
            BinaryOp::Ge => Relation::Ge,
            BinaryOp::Like => Relation::Like,
            _ => return None,
        })
    }

    /// Returns the relation with its sides swapped, where there is one.
    pub fn flipped(self) -> Option<Relation> {
        Some(match self {
            Relation::Eq | Relation::Ne => self,
            Relation::Lt => Relation::Gt,
            Relation::Le => Relation::Ge,
            Relation::Gt => Relation::Lt,
            Relation::Ge => Relation::Le,
            Relation::Like => return None,
        })
    }

    /// True if the values stand in the relation. A comparison with null is not true.
    #[inline(always)]
    pub fn holds(self, a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
        match (a, b) {
            (ValueRef::Int(a), ValueRef::Int(b)) => self.of_ordered(a, b),
            (ValueRef::Float(a), ValueRef::Float(b)) => self.of_ordered(a, b),
            (ValueRef::Float(float), ValueRef::Int(int)) => match float_of(int) {
                Some(int) => self.of_ordered(float, int),
                None => self.of_other(a, b),
            },
            (ValueRef::String(a), ValueRef::String(b)) => match self {
                Relation::Eq => a == b,
                Relation::Ne => a != b,
                Relation::Like => like(a, b),
                Relation::Lt | Relation::Le | Relation::Gt | Relation::Ge => {
                    self.of_ordered(a.cmp(b), Ordering::Equal)
                }
            },
            _ => self.of_other(a, b),
        }
    }

    /// True or false, or `None` where the values do not compare so: what is unknown.
    pub(crate) fn truth(self, a: ValueRef<'_>, b: ValueRef<'_>) -> Option<bool> {
        if self.holds(a, b) {
            return Some(true);
        }
        let compares = match (a, b) {
            (ValueRef::String(_), ValueRef::String(_)) => true,
            _ if self == Relation::Like => false,
            (ValueRef::List(_) | ValueRef::Items(_), ValueRef::List(_) | ValueRef::Items(_))
            | (ValueRef::Record(_), ValueRef::Record(_)) => {
                matches!(self, Relation::Eq | Relation::Ne)
            }
            _ => a.compare(b).is_some(),
        };
        compares.then_some(false)
    }

    /// True if it holds between what has an order. NaN compares with nothing, not even under `!=`.
    #[inline(always)]
    pub fn of_ordered<T: Copy + PartialOrd>(self, a: T, b: T) -> bool {
        self.holds_in(order_of(a, b))
    }

    /// True if it holds between what is in this [order](order_of).
    #[inline(always)]
    pub fn holds_in(self, order: u8) -> bool {
        self as u8 & order != 0
    }

    fn of_other(self, a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
        match (a, b) {
            // Lists and records have no order, but they are equal or not.
            (ValueRef::List(_) | ValueRef::Items(_), ValueRef::List(_) | ValueRef::Items(_)) => {
                match self {
                    Relation::Eq => a.compare(b) == Some(Ordering::Equal),
                    Relation::Ne => a.compare(b) != Some(Ordering::Equal),
                    _ => false,
                }
            }
            (ValueRef::Record(a), ValueRef::Record(b)) => match self {
                Relation::Eq => a == b,
                Relation::Ne => a != b,
                _ => false,
            },
            _ => match a.compare(b) {
                Some(ordering) => self.of_ordered(ordering, Ordering::Equal),
                None => false,
            },
        }
    }
}

/// Returns true if a list has an item that equals `value`: `value == a or value == b or ..`. `None`
/// if none does and one does not compare, as null does not.
pub fn has_item<'i>(
    mut items: impl Iterator<Item = ValueRef<'i>>,
    value: ValueRef<'_>,
) -> Option<bool> {
    let mut found = Some(false);
    let is_there = items.any(|item| {
        let equal = Relation::Eq.truth(item, value);
        if equal.is_none() {
            found = None;
        }
        equal == Some(true)
    });
    if is_there { Some(true) } else { found }
}

/// Returns [`has_item`] of a value that may be a list; `None` for others.
pub fn list_has(list: ValueRef<'_>, value: ValueRef<'_>) -> Option<bool> {
    has_item(list.as_list()?.iter(), value)
}

/// True if `text` fits `pattern`, in which `*` stands for any text and `?` for any one character.
fn like(text: &str, pattern: &str) -> bool {
    let (mut text, mut pattern) = (text.chars(), pattern.chars());
    // Behind the last `*`, and how much of the text it does not swallow.
    let mut retry = None;
    loop {
        let before = text.clone();
        match pattern.next() {
            Some('*') => {
                retry = Some((before.clone(), pattern.clone()));
                text = before;
                continue;
            }
            Some(wanted) => {
                if let Some(found) = text.next()
                    && (wanted == '?' || wanted == found)
                {
                    continue;
                }
            }
            None if before.as_str().is_empty() => return true,
            None => {}
        }
        let Some((rest, after_star)) = &mut retry else { return false };
        if rest.next().is_none() {
            return false;
        }
        (text, pattern) = (rest.clone(), after_star.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_knows_stars_and_question_marks() {
        for (text, pattern, expected) in [
            ("cmd.exe", "*.exe", true),
            ("cmd.exe.txt", "*.exe", false),
            ("", "", true),
            ("", "*", true),
            ("a", "", false),
            ("", "?", false),
            ("a.exe.exe", "*.exe", true),
            ("aXbXc", "a*X?", true),
            ("aXbXc", "a*b*d", false),
            ("stra\u{df}e", "stra?e", true),
            ("*", "\u{2a}", true),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "a*a*a*a*a*a*a*a*c", false),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} like {pattern}");
        }
    }
}
