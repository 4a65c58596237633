//! Limits on the size of the values that expressions make.

use super::scope::Scope;
use kleene_event::value::{Value, ValueRef};

/// The bytes of the largest text, list or record that an expression makes. What a rule makes can
/// come back to it, as an event of another rule: without a bound, twice as large each time.
pub const LARGEST: usize = 16 << 20;

/// The deepest nesting of lists and records that an expression makes: a value with two values from
/// JSON (127 levels each) one inside the other.
pub(super) const DEEPEST: u32 = 256;

/// The value, or null where it is too large to go on with.
pub(super) fn bounded<S: Scope>(value: Value, scope: &S) -> Value {
    let mut bytes = LARGEST;
    if fits(value.as_ref(), &mut bytes, DEEPEST) {
        return value;
    }
    scope.too_large();
    Value::Null
}

/// True if a value takes no more than `bytes`, which are counted down, and is not deeper than that.
/// Looks at no more of it.
fn fits(value: ValueRef<'_>, bytes: &mut usize, depth: u32) -> bool {
    let mut take = |size: usize| match bytes.checked_sub(size) {
        Some(rest) => {
            *bytes = rest;
            true
        }
        None => false,
    };
    match value {
        ValueRef::String(text) => take(text.len()),
        ValueRef::List(items) => {
            depth > 0
                && take(size_of_val(items))
                && items.iter().all(|item| fits(item.as_ref(), bytes, depth - 1))
        }
        ValueRef::Items(items) => {
            depth > 0
                && take(items.len().saturating_mul(size_of::<Value>()))
                && (0..items.len()).all(|index| fits(items.get(index), bytes, depth - 1))
        }
        ValueRef::Record(fields) => {
            depth > 0
                && take(size_of_val(fields))
                && fields.iter().all(|(_, value)| fits(value.as_ref(), bytes, depth - 1))
        }
        _ => true,
    }
}
