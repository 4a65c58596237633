//! Cascades: diagnostics that the checker gives only because the parser could not read all rules.
//!
//! Examples are a field that is "unknown" because its event's declaration lacks a comma, and a rule
//! "without `match`" because that is where the mistake is. Such messages hide the one that counts.

use hashbrown::HashSet;

use crate::ruleset::diagnostic::RuleDiagnostic;
use kleene_syntax::diagnostic::{Code, Diagnostic, Severity, Source};

/// The words that begin an item.
const ITEMS: [&str; 7] = ["event", "list", "param", "define", "rule", "test", "use"];

/// The parts that the parser could not read.
#[derive(Default)]
pub(super) struct Broken {
    /// True if a declaration that others refer to is unreadable.
    declarations: bool,
    /// True if a whole file is missing.
    missing_files: bool,
    /// The declared names, readable or not.
    names: HashSet<String>,
    /// The rules and tests, by file and the bytes from their word to the next item's.
    rules: Vec<(Source, std::ops::Range<u32>)>,
    /// The files that were looked through, with the first byte and the word of each item.
    files: Vec<(Source, Vec<(u32, &'static str)>)>,
}

impl Broken {
    /// Records the parts that the parser could not read because of this mistake.
    pub(super) fn add(&mut self, report: &RuleDiagnostic) {
        let RuleDiagnostic { source, diagnostic } = report;
        let at = diagnostic.primary.span.start;
        self.missing_files |= diagnostic.code == Code::UnreadableFile;
        let known = self
            .files
            .iter()
            .position(|(file, _)| file.name == source.name && file.text.len() == source.text.len());
        let file = known.unwrap_or_else(|| {
            // Once for a file, however many mistakes it has.
            self.names.extend(declared_names(&source.text).map(str::to_owned));
            self.files.push((source.clone(), item_starts(&source.text)));
            self.files.len() - 1
        });
        let starts = &self.files[file].1;
        let index = starts.partition_point(|(start, _)| *start <= at);
        match index.checked_sub(1).map(|index| starts[index]) {
            Some((start, "rule" | "test")) => {
                let end = starts.get(index).map_or(u32::MAX, |(next, _)| *next);
                self.rules.push((source.clone(), start..end));
            }
            _ => self.declarations = true,
        }
    }

    /// True if the name that a report is about is declared in an unreadable way.
    fn is_declared(&self, report: &RuleDiagnostic) -> bool {
        let span = report.diagnostic.primary.span;
        let name = report.source.text.get(span.start as usize..span.end as usize);
        name.is_some_and(|name| self.names.contains(name.trim_matches(['`', '$'])))
    }

    /// True if the checker may give this report only because of unreadable parts.
    pub(super) fn explains(&self, report: &RuleDiagnostic) -> bool {
        let code = report.diagnostic.code;
        let at = report.diagnostic.primary.span.start;
        let in_rule = || {
            let mut rules = self.rules.iter();
            rules.any(|(source, range)| range.contains(&at) && *source == report.source)
        };
        let follows_from_declaration = match code {
            // Is it declared, only not well?
            Code::UnknownType | Code::UnknownList | Code::UnknownParam | Code::UnknownRule => {
                self.missing_files || self.is_declared(report)
            }
            Code::UnknownField
            | Code::UnknownAlias
            | Code::NotAllowedHere
            | Code::BadEvent
            | Code::BadTest
            | Code::BadKey => true,
            _ => false,
        };
        self.declarations && follows_from_declaration || may_follow(&report.diagnostic) && in_rule()
    }
}

/// Returns the names after the word of an item.
fn declared_names(text: &str) -> impl Iterator<Item = &str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut words = text.split(move |c| !is_word(c)).filter(|word| !word.is_empty());
    let mut last = words.next().unwrap_or_default();
    words.filter(move |word| ITEMS.contains(&std::mem::replace(&mut last, word)))
}

/// True if the diagnostic may only be due to the missing contents of an unreadable part of its
/// rule.
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
                | Code::MatchesNothing
                | Code::MissingClause
                | Code::BadKey
                | Code::BadBound
                | Code::BadQuantifier
        )
}

/// Returns the first byte of each line that begins an item, with its word.
fn item_starts(text: &str) -> Vec<(u32, &'static str)> {
    let mut starts = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let word = line.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        if let Some(word) = ITEMS.into_iter().find(|item| *item == word) {
            starts.push((u32::try_from(start).unwrap_or(u32::MAX), word));
        }
        start += line.len();
    }
    starts
}

#[cfg(test)]
mod tests {
    use crate::ruleset::RuleSet;

    #[test]
    fn what_follows_from_a_mistake_is_not_reported() {
        let events = "event a { k: int, v: int, at: time }\n";
        for (text, expected) in [
            // The declaration is what has to be mended.
            ("event b { k: int v: string }\nrule r { key k match b[v == \"\"] within 1m }", 0),
            ("list l string = []\nrule r { key k match a[v in l] within 1m }", 0),
            ("rule r { key k match a -> [v > 1] within 1m emit { x: b.v } }", 0),
            ("rule r { ky k match a[v > 1] within 1m emit { k } }", 0),
            // A mistake that does not follow from another is reported all the same, and so are
            // mistakes of other rules.
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
