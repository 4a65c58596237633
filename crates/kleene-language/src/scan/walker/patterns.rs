//! The steps of a pattern.

use kleene_syntax::syntax::Token;

use super::Walker;
use crate::scan::{AliasScan, Role, Slot, StepScan};

impl Walker<'_> {
    pub(super) fn in_pattern(&mut self, token: Token, name: &str, is_word: bool) {
        let before = self.before;
        let steps = self.current().map_or(0, |rule| rule.steps.len());
        let top = self.top();
        if before == "as" {
            let unit = top.unit;
            top.slot = Slot::AfterStep;
            let Some(rule) = self.current() else { return };
            // The steps of a group keep their names, but for a single one.
            if unit.1 == unit.0 + 1
                && let Some(step) = rule.steps.get_mut(unit.0)
            {
                step.renamed = true;
            }
            let index = rule.names.len();
            rule.names.push(AliasScan { name: name.to_owned(), span: token.span, steps: unit });
            self.mark(token.span, Role::Alias(index));
            return;
        }
        let slot = match name {
            _ if !is_word => None,
            "not" | "without" => {
                top.negated = true;
                Some(Slot::Step)
            }
            "next" | "any" | "and" | "or" | "until" => Some(Slot::Step),
            "of" | "as" => Some(Slot::Free),
            "for" | "within" => Some(Slot::Duration),
            "repeat" if top.slot == Slot::AfterStep => Some(Slot::AfterStep),
            _ => None,
        };
        if let Some(slot) = slot {
            // The end of a loop is no step of it.
            if name == "until" {
                top.negated = true;
            }
            top.slot = slot;
            self.mark(token.span, Role::Keyword);
            return;
        }
        match top.slot {
            Slot::Step => {
                let negated = std::mem::take(&mut top.negated) || top.all_negated;
                let wildcard = is_word && name == "event" && before == "any";
                let name = if wildcard { "any event" } else { name };
                let is_until = before == "until";
                name.clone_into(&mut top.last);
                top.slot = Slot::AfterStep;
                if !is_until {
                    top.unit = (steps, steps + 1);
                }
                self.mark(token.span, Role::Step);
                if let Some(rule) = self.current()
                    && !is_until
                {
                    let name = name.to_owned();
                    rule.steps.push(StepScan { name, span: token.span, negated, renamed: false });
                }
            }
            Slot::Duration | Slot::Member(_) => self.path(token, name),
            _ => {}
        }
    }
}
