//! Counts in addition to those of the engine, and numbers formatted for people.

pub use kleene_explain::why::grouped;
use serde::Serialize;
use serde_json::{Value, json};

use kleene_event::util::order;

/// The number of types that are reported by name.
const NAMES: usize = 5;
/// The largest number of names that are remembered.
const NAMES_KEPT: usize = 100;

/// A type that no rule file declares.
#[derive(Clone, Debug, Serialize)]
pub struct UnknownType {
    /// The name.
    pub r#type: String,
    /// The number of its events.
    pub count: u64,
}

/// The counts of a run in addition to those of the engine.
#[derive(Debug, Default)]
pub struct Counts {
    /// Lines that are no event of a declared type.
    pub rejected: u64,
    /// Events of types that no rule file declares.
    pub unknown: u64,
    unknown_types: Vec<(String, u64)>,
}

impl Counts {
    /// Counts an event of an undeclared type.
    pub fn saw_unknown(&mut self, name: &str) {
        self.unknown += 1;
        let has_room = self.unknown_types.len() < NAMES_KEPT;
        match self.unknown_types.iter_mut().find(|(known, _)| known == name) {
            Some((_, count)) => *count += 1,
            // Names come from the input and can be of any length.
            None if has_room && name.len() <= 100 => {
                self.unknown_types.push((name.to_owned(), 1));
            }
            None => {}
        }
    }

    /// The names of undeclared types, with how many events of each came.
    pub fn unknown(&self) -> impl Iterator<Item = (&str, u64)> {
        self.unknown_types.iter().map(|(name, count)| (&**name, *count))
    }

    /// The undeclared types with how many events of each came, for [`Counts::restore`].
    pub fn types(&self) -> Value {
        self.unknown_types.iter().map(|(name, count)| json!([name, count])).collect()
    }

    /// Restores the counts of a run that continues.
    pub fn restore(rejected: u64, unknown: u64, types: &Value) -> Counts {
        let types = types.as_array().into_iter().flatten();
        let unknown_types =
            types.filter_map(|ty| Some((ty[0].as_str()?.to_owned(), ty[1].as_u64()?))).collect();
        Counts { rejected, unknown, unknown_types }
    }

    /// The undeclared types, the most frequent first.
    pub fn by_type(&self) -> Vec<UnknownType> {
        let types = self.unknown();
        let mut types: Vec<UnknownType> =
            types.map(|(name, count)| UnknownType { r#type: name.to_owned(), count }).collect();
        order::sort_by(&mut types, |a, b| {
            b.count.cmp(&a.count).then_with(|| a.r#type.cmp(&b.r#type))
        });
        types
    }

    /// The undeclared types that came most often: `delivered 4,856, login 12, ...`.
    pub fn unknown_types(&self) -> String {
        let types = self.by_type();
        let named = types.iter().take(NAMES);
        let mut text: Vec<String> =
            named.map(|ty| format!("{} {}", ty.r#type.escape_debug(), grouped(ty.count))).collect();
        if types.len() > NAMES {
            text.push(String::from("..."));
        }
        text.join(", ")
    }
}

/// `1 rule`, `2 rules`.
pub fn counted(number: impl TryInto<u64>, what: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (12_345, "12,345")]
        {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn undeclared_types_are_reported_most_frequent_first() {
        let mut counts = Counts::default();
        for name in ["b", "a", "c", "b", "d", "e", "f", "\n", "a", "b"] {
            counts.saw_unknown(name);
        }
        for number in 0..1000 {
            counts.saw_unknown(&"x".repeat(number));
        }
        assert_eq!(counts.unknown_types(), "b 3, a 2,  1, \\n 1, c 1, ...");
        assert_eq!((counts.unknown, counts.unknown_types.len()), (1010, NAMES_KEPT));
    }
}
