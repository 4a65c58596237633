//! Brackets: what is inside of them, by what stands before.

use super::{Frame, MAX_FRAMES, OPERATORS, Walker};
use crate::scan::{BracketKind, RecordOf, Slot};

/// The words of a quantifier.
const LOOP_WORDS: &[&str] = &["next", "any", "greedy", "each", "longest"];

impl Walker<'_> {
    pub(super) fn open(&mut self, bracket: &str) {
        let before = self.before;
        let steps = self.current().map_or(0, |rule| rule.steps.len());
        let top = self.top();
        let is_operand_before = before == "]"
            || before == ")"
            || before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '`')
                && !OPERATORS.contains(&before);
        let (kind, slot) = match bracket {
            "{" => match (&top.kind, top.head.as_str()) {
                (BracketKind::File, "event") => {
                    (BracketKind::EventBody { prefix: String::new() }, Slot::Free)
                }
                (BracketKind::EventBody { prefix }, _) => (
                    BracketKind::EventBody { prefix: format!("{prefix}{}.", top.last) },
                    Slot::Free,
                ),
                (BracketKind::File, "rule") => (BracketKind::RuleBody, Slot::Clause),
                (BracketKind::File, "test") => (BracketKind::TestBody, Slot::TestStep),
                (BracketKind::RuleBody, "emit" | "on") => (BracketKind::Emit, Slot::RecordField),
                (BracketKind::RuleBody, "meta") => (BracketKind::Meta, Slot::RecordField),
                (BracketKind::RuleBody, "key") => (BracketKind::KeyPaths, Slot::Event),
                (BracketKind::TestBody, "at") => {
                    (BracketKind::Record(RecordOf::Event(top.last.clone())), Slot::RecordField)
                }
                (BracketKind::TestBody, "expect") => {
                    let rule = self.scan.items.last().map(|item| item.name.clone());
                    (
                        BracketKind::Record(RecordOf::Rule(rule.unwrap_or_default())),
                        Slot::RecordField,
                    )
                }
                _ if top.is_pattern() => (BracketKind::Quant, Slot::Words(LOOP_WORDS)),
                _ => (BracketKind::Other, Slot::Free),
            },
            "(" => match (&top.kind, top.head.as_str()) {
                (BracketKind::File, "rule") => {
                    (BracketKind::Arguments(top.last.clone()), Slot::Argument)
                }
                _ if top.is_expression() => (BracketKind::Inner, Slot::Operand),
                _ if top.is_pattern() => (BracketKind::Group(steps), Slot::Step),
                _ => (BracketKind::Other, Slot::Free),
            },
            _ if top.is_expression() && is_operand_before => (BracketKind::Index, Slot::Free),
            _ if top.is_expression() => (BracketKind::Inner, Slot::Operand),
            _ if before == "->" => (BracketKind::Gap, Slot::Duration),
            _ if top.is_pattern() || top.head == "define" => {
                (BracketKind::Condition(top.last.clone()), Slot::Operand)
            }
            _ => (BracketKind::Other, Slot::Free),
        };
        let closer = match bracket {
            "{" => "}",
            "(" => ")",
            _ => "]",
        };
        let all_negated =
            matches!(kind, BracketKind::Group(_)) && std::mem::take(&mut self.top().negated);
        if self.frames.len() < MAX_FRAMES {
            self.frames.push(Frame { all_negated, ..Frame::new(kind, closer, slot) });
        } else {
            self.too_deep = 1;
        }
    }

    pub(super) fn close(&mut self, bracket: &str) {
        // A closer that nothing opened is passed over.
        let Some(at) = self.frames.iter().rposition(|frame| frame.closer == bracket) else {
            return;
        };
        let closed = self.frames.get(at).map(|frame| frame.kind.clone());
        let all_negated = self.frames.get(at).is_some_and(|frame| frame.all_negated);
        self.frames.truncate(at);
        let steps = self.current().map_or(0, |rule| rule.steps.len());
        let top = self.top();
        match (closed, &top.kind) {
            (Some(BracketKind::Group(from)), _) => {
                if !all_negated {
                    top.unit = (from, steps);
                }
                top.slot = Slot::AfterStep;
            }
            (Some(BracketKind::Gap), _) => top.slot = Slot::Step,
            (Some(BracketKind::Index | BracketKind::Inner), _) => top.slot = Slot::Operator,
            (_, BracketKind::File) if bracket == "}" => {
                top.slot = Slot::Item;
                top.head.clear();
                self.rule = None;
            }
            (_, BracketKind::File) => {}
            (_, BracketKind::TestBody) => top.slot = Slot::TestStep,
            (_, BracketKind::EventBody { .. } | BracketKind::Emit) => top.slot = Slot::Free,
            _ if top.is_pattern() || top.head == "define" => {
                top.negated = false;
                top.slot = Slot::AfterStep;
            }
            (_, BracketKind::RuleBody) => top.slot = Slot::Clause,
            _ => {}
        }
    }
}
