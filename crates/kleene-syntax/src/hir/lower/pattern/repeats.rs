//! `repeat`: a silence at the end that is reported each time that its length has passed once more.
//!
//! Fine: `a -> not b for 5m repeat`. Refused: `a -> not b for 5m repeat -> c`, `not b for 5m repeat
//! -> a`, one in a group or a branch, `for 0s repeat`. For a step after each report, there are two
//! rules: the first makes events (`emit as`), and the second begins with them.
//!
//! See `testdata/diagnostics/hir/repeat.cep`, and `testdata/suite/repeat.cep` for the reports.

use crate::diagnostic::{Code, Span};
use crate::hir::lower::context::RuleLowerer;
use crate::syntax::ast::{Body, Part, Sequence};

use super::plan::{PlanKind, Planned};

impl<'a> RuleLowerer<'_, 'a> {
    /// Notes whether the pattern repeats, and reports each `repeat` that is not at its end. The
    /// pattern is laid out unless something in it was refused.
    pub(in crate::hir::lower) fn check_repeats(
        &mut self,
        body: &'a Body,
        planned: Option<&Planned<'a>>,
    ) {
        let last = match (&body.sequences[..], body.joined_by) {
            ([only], None) => only.parts.last().map(|(_, part)| part),
            _ => None,
        };
        let own = match last {
            Some(Part::Not { repeat, .. }) => *repeat,
            _ => None,
        };
        // The syntax is searched, not the plan: a part that was refused has no plan.
        let mut words = Vec::new();
        find(&body.sequences, &mut words);
        for word in words.into_iter().filter(|word| own != Some(*word)) {
            let message = "only the silence at the end of the whole pattern can repeat";
            let help = "remove `repeat`; for steps after each report, end this rule here with \
                        `emit as`, and start another rule with that event";
            self.error(Code::BadRepeat, word, message, help);
        }
        self.traits.repeats = own.is_some();
        self.written.repeat = own.filter(|_| planned.is_some());
        let last = planned.and_then(|planned| planned.plan.items.last());
        if let (Some(word), Some(planned)) = (own, planned)
            && let Some(PlanKind::Not { duration: Some((time, _)), .. }) =
                last.map(|last| &last.kind)
            && let Some(millis) = time.known()
        {
            if let [.., before, _] = planned.plan.items.as_slice()
                && matches!(before.kind, PlanKind::Not { .. })
            {
                let message = "a silence that follows another `not` can't repeat";
                let help = "put a step between them, or remove `repeat`";
                self.error(Code::BadRepeat, word, message, help);
            }
            if millis == 0 {
                let message = "a silence of zero length can't repeat";
                let help = "give the silence a length: `for 5m repeat`";
                self.error(Code::BadRepeat, word, message, help);
            }
        }
    }
}

/// Adds the places of all `repeat`s of sequences, and of those inside.
fn find(sequences: &[Sequence], words: &mut Vec<Span>) {
    for (_, part) in sequences.iter().flat_map(|sequence| &sequence.parts) {
        match part {
            Part::Not { repeat, .. } => words.extend(*repeat),
            Part::Take(take) => find(take.unit.sequences(), words),
        }
    }
}
