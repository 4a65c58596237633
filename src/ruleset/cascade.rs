//! What the checker says of rules only because the parser could not read all of them.
//!
//! A field that is "unknown" because its event's declaration lacks a comma, a rule "without
//! `match`" because that is where the mistake is: such messages only hide the one that counts.

use super::Report;
use crate::diagnostic::{Code, Diagnostic, Severity, Source};

/// Where the parser gave up.
#[derive(Default)]
pub(super) struct Broken {
    /// Whether a declaration that others refer to is among it.
    declarations: bool,
    /// The rules and tests, by file and the bytes from their word to the next item's.
    rules: Vec<(Source, std::ops::Range<u32>)>,
}

impl Broken {
    /// Notes what a mistake that the parser told of has spoiled.
    pub(super) fn add(&mut self, source: &Source, at: u32) {
        let starts = item_starts(&source.text);
        let index = starts.partition_point(|(start, _)| *start <= at);
        match index.checked_sub(1).map(|index| starts[index]) {
            Some((start, "rule" | "test")) => {
                let end = starts.get(index).map_or(u32::MAX, |(next, _)| *next);
                self.rules.push((source.clone(), start..end));
            }
            _ => self.declarations = true,
        }
    }

    /// Whether the checker may say this only because of what could not be read.
    pub(super) fn explains(&self, report: &Report) -> bool {
        let code = report.diagnostic.code;
        let at = report.diagnostic.primary.span.start;
        let in_rule = || {
            let mut rules = self.rules.iter();
            rules.any(|(source, range)| range.contains(&at) && *source == report.source)
        };
        let refers = matches!(
            code,
            Code::UnknownType
                | Code::UnknownField
                | Code::UnknownAlias
                | Code::UnknownList
                | Code::UnknownParam
                | Code::UnknownRule
                | Code::NotAllowedHere
                | Code::BadEvent
                | Code::BadKey
        );
        self.declarations && refers || may_follow(&report.diagnostic) && in_rule()
    }
}

/// Whether something may only be found because a part of its rule could not be read: what that part
/// said is missing.
fn may_follow(found: &Diagnostic) -> bool {
    found.severity == Severity::Warning
        || matches!(
            found.code,
            Code::UnknownAlias
                | Code::AmbiguousAlias
                | Code::AliasNotYetCaptured
                | Code::UnknownSkipTarget
                | Code::UnknownParam
                | Code::NotAllowedHere
                | Code::MissingMatch
                | Code::MissingClause
                | Code::BadKey
                | Code::BadBound
                | Code::BadQuantifier
        )
}

/// The first byte of each line that begins an item, with its word.
fn item_starts(text: &str) -> Vec<(u32, &str)> {
    const ITEMS: [&str; 7] = ["event", "list", "param", "define", "rule", "test", "use"];
    let mut starts = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let word = line.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        if ITEMS.contains(&word) {
            starts.push((u32::try_from(start).unwrap_or(u32::MAX), word));
        }
        start += line.len();
    }
    starts
}

#[cfg(test)]
mod tests {
    use crate::RuleSet;

    #[test]
    fn what_follows_from_a_mistake_is_not_told() {
        let events = "event a { k: int, v: int, at: time }\n";
        for (text, expected) in [
            // The declaration is what has to be mended.
            ("event b { k: int v: string }\nrule r { key k match b[v == \"\"] within 1m }", 0),
            ("list l string = []\nrule r { key k match a[v in l] within 1m }", 0),
            ("rule r { key k match a -> [v > 1] within 1m emit { x: b.v } }", 0),
            ("rule r { ky k match a[v > 1] within 1m emit { k } }", 0),
            // What stands on its own is told all the same, and so are other rules' mistakes.
            ("rule r {\n key k match a[v > \"x\"]\n within 1 }", 1),
            ("rule r { key k match -> a }\nrule s { key k match a[w > 1] within 1m }", 1),
        ] {
            let error = RuleSet::parse(&format!("{events}{text}")).unwrap_err();
            let checked = error.diagnostics().iter().map(|report| report.diagnostic.code.as_str());
            let checked = checked.filter(|code| !code.starts_with("E01")).count();
            assert_eq!(checked, expected, "{text}\n{error}");
        }
    }
}
