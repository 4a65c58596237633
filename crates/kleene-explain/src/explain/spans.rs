//! Quantifiers and gaps in words.

use super::words::Words;
use kleene_syntax::hir::{Gap, Length, Quantifier};

/// Describes a quantifier: `3 times`, `at least once`, `2 to 5 times, or not at all`.
pub(super) fn times(quantifier: &Quantifier) -> String {
    let Quantifier { min, max, optional, .. } = quantifier;
    let text = match (min, max) {
        (1, Some(1)) => return String::from("optional"),
        (1, None) if *optional => return String::from("any number of times, or not at all"),
        (1, None) => String::from("once or more"),
        (min, None) => format!("at least {min} times"),
        (min, Some(max)) if min == max => format!("{min} times"),
        (min, Some(max)) => format!("{min} to {max} times"),
    };
    if *optional { format!("{text}, or not at all") } else { text }
}

/// `1m to 5m later`
pub(super) fn span(gap: Gap, words: &Words<'_>) -> String {
    match (gap.min, gap.max) {
        (min, None) => format!("at least {} later", words.length(min)),
        (Length::ZERO, Some(max)) => format!("at most {} later", words.length(max)),
        (min, Some(max)) => format!("{} to {} later", words.length(min), words.length(max)),
    }
}
