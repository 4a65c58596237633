//! The operands of `and` and `of`: how many there may be.
//!
//! Up to 12 operands, a pattern has a state for each set of operands that have come. More of them
//! wait in one state, if each operand is one event: `crates/kleene-automata/src/nfa/graph/operands.rs`.

use super::{PlanItem, PlanKind, SequencePlan};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::lower::context::RuleLowerer;
use crate::hir::{MAX_OPERANDS, MAX_OPERANDS_IN_STATES};

impl RuleLowerer<'_, '_> {
    /// Reports an `and` or `of` with too many operands. Returns true if it has no more than there
    /// may be.
    pub(super) fn check_operands(&mut self, branches: &[SequencePlan<'_>], span: Span) -> bool {
        let count = branches.len();
        let longer = branches.iter().find(|branch| !is_plain(branch));
        let most = if longer.is_some() { MAX_OPERANDS_IN_STATES } else { MAX_OPERANDS };
        if count <= most {
            return true;
        }
        let message = format!("{count} operands of one `and` or `of`");
        let error = Diagnostic::error(Code::LimitExceeded, span, message);
        let error = match longer.and_then(|branch| branch.items.first()) {
            Some(first) if count <= MAX_OPERANDS => error
                .label(format!("at most {most}, unless each of them is one event"))
                .context(first.span, "this operand is not one event")
                .help(
                    "make each operand one step without `{..}`, `+`, `?` and `->`, or move the \
                     longer ones to a rule with `emit as` and name its events here",
                ),
            _ => error
                .label(format!("at most {MAX_OPERANDS} are allowed"))
                .help("use fewer, or count them with a loop: `x[kind in [..]]{3}`"),
        };
        self.report(error);
        false
    }
}

/// True if these operands wait in one state, with the set of those that have come.
pub(super) fn wait_in_one_state(branches: &[SequencePlan<'_>], count: usize) -> bool {
    count > 1 && branches.len() > MAX_OPERANDS_IN_STATES && branches.iter().all(is_plain)
}

/// True if the operand is one event of one step.
fn is_plain(branch: &SequencePlan<'_>) -> bool {
    let [PlanItem { kind: PlanKind::Step { quant, .. }, .. }] = branch.items.as_slice() else {
        return false;
    };
    quant.quantifier.is_once() && quant.until.is_none() && branch.without.is_none()
}
