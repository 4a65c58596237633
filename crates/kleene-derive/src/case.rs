//! The spellings of `#[event(rename_all = "...")]`, by the names that `serde` has for them.

use syn::{Error, LitStr, Result};

/// A way to spell the words of a name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Case {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

const CASES: [(&str, Case); 8] = [
    ("lowercase", Case::Lower),
    ("UPPERCASE", Case::Upper),
    ("PascalCase", Case::Pascal),
    ("camelCase", Case::Camel),
    ("snake_case", Case::Snake),
    ("SCREAMING_SNAKE_CASE", Case::ScreamingSnake),
    ("kebab-case", Case::Kebab),
    ("SCREAMING-KEBAB-CASE", Case::ScreamingKebab),
];

impl Case {
    pub(crate) fn parse(text: &LitStr) -> Result<Case> {
        let found = CASES.into_iter().find(|(name, _)| *name == text.value());
        found.map(|(_, case)| case).ok_or_else(|| {
            let names = CASES.map(|(name, _)| format!("{name:?}")).join(", ");
            Error::new(text.span(), format!("unknown spelling: expected one of {names}"))
        })
    }

    /// Returns the name of a field, which is in snake case in Rust.
    pub(crate) fn of_field(self, name: &str) -> String {
        match self {
            Case::Lower | Case::Snake => name.to_owned(),
            Case::Upper | Case::ScreamingSnake => name.to_uppercase(),
            Case::Pascal => {
                name.split('_').map(|word| with_first(word, char::to_uppercase)).collect()
            }
            Case::Camel => with_first(&Case::Pascal.of_field(name), char::to_lowercase),
            Case::Kebab => name.replace('_', "-"),
            Case::ScreamingKebab => name.to_uppercase().replace('_', "-"),
        }
    }

    /// Returns the name of the event type of a variant, which is in Pascal case in Rust. Each capital
    /// begins a word, as for serde: `HTTPGet` is `h_t_t_p_get`, where the name without `rename_all`
    /// is `http_get`.
    pub(crate) fn of_variant(self, name: &str) -> String {
        match self {
            Case::Lower => name.to_lowercase(),
            Case::Upper => name.to_uppercase(),
            Case::Pascal => name.to_owned(),
            Case::Camel => with_first(name, char::to_lowercase),
            Case::Snake | Case::ScreamingSnake | Case::Kebab | Case::ScreamingKebab => {
                let begins = |(index, c): (usize, char)| {
                    let gap = (index > 0 && c.is_uppercase()).then_some('_');
                    gap.into_iter().chain(c.to_lowercase())
                };
                self.of_field(&name.char_indices().flat_map(begins).collect::<String>())
            }
        }
    }
}

/// Returns a word with another first letter.
fn with_first<I: Iterator<Item = char>>(word: &str, change: fn(char) -> I) -> String {
    let mut chars = word.chars();
    chars.next().into_iter().flat_map(change).chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_serde_spells_them() {
        for ((name, case), (field, variant)) in CASES.into_iter().zip([
            ("ship_to2", "orderpaid"),
            ("SHIP_TO2", "ORDERPAID"),
            ("ShipTo2", "OrderPaid"),
            ("shipTo2", "orderPaid"),
            ("ship_to2", "order_paid"),
            ("SHIP_TO2", "ORDER_PAID"),
            ("ship-to2", "order-paid"),
            ("SHIP-TO2", "ORDER-PAID"),
        ]) {
            assert_eq!(case.of_field("ship_to2"), field, "{name}");
            assert_eq!(case.of_variant("OrderPaid"), variant, "{name}");
        }
        assert_eq!(Case::Snake.of_variant("HTTPGet"), "h_t_t_p_get");
    }
}
