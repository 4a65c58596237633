//! The operands of `and` and `of`: how many there may be.
//!
//! A pattern has a state for each set of operands that have come, up to 4096 of them. More operands
//! wait in one state, if each is a row of single events:
//! `crates/kleene-automata/src/nfa/graph/operands.rs`.
//!
//! `row_length` has to agree with its namesake there: operands that are rows here, and are not
//! there, would get a state for each combination.
//!
//! Refused: thirteen operands of which one is `b+`; 65 single events. Fine: twelve operands of any
//! kind; 64 single events; 32 times `x -> y`. See `ways.cep` of `testdata/diagnostics/hir`, and
//! `testdata/suite/and.cep` (`thirteen`, `sixty_four`).

use super::plan::{PlanItem, PlanKind, SequencePlan, contiguity};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::lower::context::RuleLowerer;
use crate::hir::{Contiguity, MAX_OPERANDS, MAX_OPERANDS_IN_STATES};

impl RuleLowerer<'_, '_> {
    /// Reports an `and` or `of` with too many operands. Returns true if it has no more than there
    /// may be.
    pub(super) fn check_operands(&mut self, branches: &[SequencePlan<'_>], span: Span) -> bool {
        let count = branches.len();
        if count <= MAX_OPERANDS_IN_STATES {
            return true;
        }
        // The message depends on what would help: shorter operands, fewer operands, or other ones.
        let longer = branches.iter().find(|branch| row_length(branch).is_none());
        let events: usize = branches.iter().filter_map(row_length).sum();
        let error = |message: String| Diagnostic::error(Code::LimitExceeded, span, message);
        let error = match longer.and_then(|branch| branch.items.first()) {
            None if events <= MAX_OPERANDS => return true,
            None if count <= MAX_OPERANDS => {
                error(format!("{count} operands of one `and` or `of` with {events} events in all"))
                    .label(format!("at most {MAX_OPERANDS} events are allowed"))
                    .help("use fewer, or move the longer ones to a rule with `emit as`")
            }
            Some(first) if count <= MAX_OPERANDS => {
                let most = MAX_OPERANDS_IN_STATES;
                error(format!("{count} operands of one `and` or `of`"))
                    .label(format!("at most {most}, unless each of them is single steps"))
                    .context(first.span, "this operand is not single steps")
                    .help(
                        "write each operand as `x`, `x{2}` or `x -> y` without a time, `next`, \
                         `+`, `?` and `not`, or move the longer ones to a rule with `emit as` and \
                         name its events here",
                    )
            }
            _ => error(format!("{count} operands of one `and` or `of`"))
                .label(format!("at most {MAX_OPERANDS} are allowed"))
                .help("use fewer, or count them with a loop: `x[kind in [..]]{3}`"),
        };
        self.report(error);
        false
    }
}

/// True if these operands wait in one state, with the set of those that have come.
pub(super) fn wait_in_one_state(branches: &[SequencePlan<'_>], count: usize) -> bool {
    let lengths = || branches.iter().map(row_length);
    // A row of n events is in one of n + 1 positions. One operand that is no row makes this `None`.
    let ways = lengths()
        .try_fold(1, |ways: usize, length| length.map(|length| ways.saturating_mul(length + 1)));
    let events: usize = lengths().flatten().sum();
    count > 1
        && events <= MAX_OPERANDS
        && ways.is_some_and(|ways| ways > 1 << MAX_OPERANDS_IN_STATES)
}

/// Returns the number of events of an operand that is a row of single events: steps that occur a
/// fixed number of times, between which events can come.
fn row_length(branch: &SequencePlan<'_>) -> Option<usize> {
    if let [
        PlanItem {
            kind: PlanKind::Group { plan, quant, within: None, alias: None }, arrow, ..
        },
    ] = branch.items.as_slice()
    {
        // Parentheses around an operand change nothing.
        let is_once = quant.quantifier.is_once() && quant.until.is_none();
        let is_plain = is_once && arrow.gap.is_none() && branch.without.is_none();
        return row_length(plan).filter(|_| is_plain);
    }
    let is_loose = |contiguity| contiguity != Contiguity::Next;
    let length = |(index, item): (usize, &PlanItem<'_>)| {
        let PlanKind::Step { quant, .. } = &item.kind else { return None };
        let is_fixed = !quant.quantifier.varies() && quant.until.is_none();
        let is_loose = (index == 0 || is_loose(contiguity(item.arrow.contiguity)))
            && (quant.quantifier.is_once() || is_loose(quant.quantifier.inner));
        // A gap needs the time of the operand's last event. The partial match has a set, and no
        // times.
        let has_gap = item.arrow.gap.is_some();
        (is_fixed && is_loose && !has_gap).then_some(quant.quantifier.min as usize)
    };
    let mut lengths = branch.items.iter().enumerate().map(length);
    let length = lengths.try_fold(0, |sum: usize, length| Some(sum.saturating_add(length?)));
    length.filter(|_| branch.without.is_none())
}
