//! A silence with `repeat` that is never reported a second time (`W0010`).
//!
//! Warned of: `a -> not b for 5m repeat` with `within 10m`, whose second report would come when the
//! time is over. See `testdata/diagnostics/hir/repeat.cep`.

use super::subject::{Findings, Subject};
use crate::diagnostic::Code;
use crate::hir::{Gap, Length};
use kleene_event::time::format_millis;

pub(super) fn never_repeated(rule: &Subject<'_>, findings: &mut Findings) {
    let pattern = rule.pattern();
    let silence = pattern.body.items.last().filter(|last| last.is_not()).and_then(|not| not.gap);
    if let Some(word) = rule.written.repeat
        && let Some(millis) = silence.as_ref().and_then(Gap::silence).and_then(Length::as_millis)
        && let Some(within) = pattern.within.and_then(Length::as_millis)
        && within > millis
        && within <= millis.saturating_mul(2)
    {
        let message = "the silence is never reported a second time";
        let help = format!(
            "the second report would come {} after the last event, but `within {}` ends before that",
            format_millis(millis.saturating_mul(2)),
            format_millis(within)
        );
        findings.warn_here(word, Code::NeverRepeated, message, help);
    }
}
