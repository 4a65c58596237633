//! The diagnostics found so far: each is reported once, and their number is limited.

use std::collections::BTreeMap;

use hashbrown::HashSet;

use crate::diagnostic::{Code, Diagnostic, Severity, Span};
use crate::syntax::MAX_DIAGNOSTICS;
use kleene_event::util::order;

/// The number of errors, and the number of warnings, of a file that are kept until all are known
/// and can be put in the order of the text.
const MAX_KEPT: usize = 4 * MAX_DIAGNOSTICS;

/// The diagnostics of all files, by the numbers of the files.
#[derive(Default)]
pub(super) struct FileDiagnostics {
    seen: HashSet<(usize, Code, Span, String)>,
    kept: Vec<(usize, Diagnostic)>,
    /// The number of errors and warnings of each file.
    counts: BTreeMap<(usize, Severity), usize>,
}

impl FileDiagnostics {
    /// Takes a diagnostic, unless it was reported before.
    pub(super) fn add(&mut self, source: usize, diagnostic: Diagnostic) {
        let count = self.counts.entry((source, diagnostic.severity)).or_default();
        if *count >= MAX_KEPT {
            *count += 1;
            return;
        }
        let key = (source, diagnostic.code, diagnostic.primary.span, diagnostic.message.clone());
        if self.seen.insert(key) {
            *count += 1;
            self.kept.push((source, diagnostic));
        }
    }

    /// All of it in the order of the files and their text; of a file with very much, errors before
    /// warnings, and a last one that says so.
    pub(super) fn into_sorted(self) -> Vec<(usize, Diagnostic)> {
        let FileDiagnostics { mut kept, counts, seen: _ } = self;
        order::sort_by_key(&mut kept, |(source, diagnostic)| (*source, diagnostic.primary.span));
        let mut reported = Vec::with_capacity(kept.len());
        for of_file in kept.chunk_by(|a, b| a.0 == b.0) {
            let source = of_file[0].0;
            let count = |severity| counts.get(&(source, severity)).copied().unwrap_or_default();
            let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
            if errors + warnings <= MAX_DIAGNOSTICS {
                reported.extend_from_slice(of_file);
                continue;
            }
            let mut room = BTreeMap::from([
                (Severity::Error, MAX_DIAGNOSTICS),
                (Severity::Warning, MAX_DIAGNOSTICS.saturating_sub(errors)),
            ]);
            let fits = |(_, diagnostic): &&(usize, Diagnostic)| {
                let room = room.entry(diagnostic.severity).or_default();
                let fits = *room > 0;
                *room = room.saturating_sub(1);
                fits
            };
            reported.extend(of_file.iter().filter(fits).cloned());
            let last = reported.last().map_or(Span::default(), |(_, last)| last.primary.span);
            let severity =
                if errors > MAX_DIAGNOSTICS { Severity::Error } else { Severity::Warning };
            let what = if severity == Severity::Error { "errors" } else { "warnings" };
            let message = format!("too many {what}: the rest are not reported");
            let rest = Diagnostic::error(Code::LimitExceeded, last, message)
                .help(format!("the first {MAX_DIAGNOSTICS} are listed above"));
            reported.push((source, Diagnostic { severity, ..rest }));
        }
        reported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of errors and warnings that are kept of these, and what says that there were
    /// more.
    fn reported(errors: usize, warnings: usize) -> (usize, usize, Option<Severity>) {
        let mut reported = FileDiagnostics::default();
        for number in 0..errors.max(warnings) {
            let span = Span::new(number, number + 1);
            for (wanted, diagnostic) in [
                (warnings, Diagnostic::warning(Code::NoKey, span, "w")),
                (errors, Diagnostic::error(Code::UnknownType, span, "e")),
            ] {
                if number < wanted {
                    // Reported twice, it counts once.
                    reported.add(7, diagnostic.clone());
                    reported.add(7, diagnostic);
                }
            }
        }
        let mut reported = reported.into_sorted();
        assert!(reported.iter().all(|(source, _)| *source == 7));
        let more = reported.pop_if(|(_, last)| last.code == Code::LimitExceeded);
        let of = |code| reported.iter().filter(|(_, diagnostic)| diagnostic.code == code).count();
        (of(Code::UnknownType), of(Code::NoKey), more.map(|(_, more)| more.severity))
    }

    #[test]
    fn errors_come_first_and_that_there_are_more_is_reported() {
        assert_eq!(reported(0, 0), (0, 0, None));
        assert_eq!(reported(20, 30), (20, 30, None));
        assert_eq!(reported(20, 31), (20, 30, Some(Severity::Warning)));
        assert_eq!(reported(51, 9), (50, 0, Some(Severity::Error)));
        assert_eq!(reported(9, 10_000), (9, 41, Some(Severity::Warning)));
        assert_eq!(reported(10_000, 10_000), (50, 0, Some(Severity::Error)));
    }
}
