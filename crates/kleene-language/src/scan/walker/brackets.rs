//! Brackets: what is inside of them, by what stands before.

use super::{Frame, MAX_FRAMES, OPERATORS, Walker};
use crate::scan::{Kind, RecordOf, Slot};

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
                (Kind::File, "event") => (Kind::EventBody { prefix: String::new() }, Slot::Free),
                (Kind::EventBody { prefix }, _) => {
                    (Kind::EventBody { prefix: format!("{prefix}{}.", top.last) }, Slot::Free)
                }
                (Kind::File, "rule") => (Kind::RuleBody, Slot::Clause),
                (Kind::File, "test") => (Kind::TestBody, Slot::TestStep),
                (Kind::RuleBody, "emit" | "on") => (Kind::Emit, Slot::RecordField),
                (Kind::RuleBody, "meta") => (Kind::Meta, Slot::RecordField),
                (Kind::RuleBody, "key") => (Kind::KeyPaths, Slot::Event),
                (Kind::TestBody, "at") => {
                    (Kind::Record(RecordOf::Event(top.last.clone())), Slot::RecordField)
                }
                (Kind::TestBody, "expect") => {
                    let rule = self.scan.items.last().map(|item| item.name.clone());
                    (Kind::Record(RecordOf::Rule(rule.unwrap_or_default())), Slot::RecordField)
                }
                _ if top.is_pattern() => (Kind::Quant, Slot::Words(LOOP_WORDS)),
                _ => (Kind::Other, Slot::Free),
            },
            "(" => match (&top.kind, top.head.as_str()) {
                (Kind::File, "rule") => (Kind::Arguments(top.last.clone()), Slot::Argument),
                _ if top.is_expression() => (Kind::Inner, Slot::Operand),
                _ if top.is_pattern() => (Kind::Group(steps), Slot::Step),
                _ => (Kind::Other, Slot::Free),
            },
            _ if top.is_expression() && is_operand_before => (Kind::Index, Slot::Free),
            _ if top.is_expression() => (Kind::Inner, Slot::Operand),
            _ if before == "->" => (Kind::Gap, Slot::Duration),
            _ if top.is_pattern() || top.head == "define" => {
                (Kind::Condition(top.last.clone()), Slot::Operand)
            }
            _ => (Kind::Other, Slot::Free),
        };
        let closer = match bracket {
            "{" => "}",
            "(" => ")",
            _ => "]",
        };
        let all_negated = matches!(kind, Kind::Group(_)) && std::mem::take(&mut self.top().negated);
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
            (Some(Kind::Group(from)), _) => {
                if !all_negated {
                    top.unit = (from, steps);
                }
                top.slot = Slot::AfterStep;
            }
            (Some(Kind::Gap), _) => top.slot = Slot::Step,
            (Some(Kind::Index | Kind::Inner), _) => top.slot = Slot::Operator,
            (_, Kind::File) if bracket == "}" => {
                top.slot = Slot::Item;
                top.head.clear();
                self.rule = None;
            }
            (_, Kind::File) => {}
            (_, Kind::TestBody) => top.slot = Slot::TestStep,
            (_, Kind::EventBody { .. } | Kind::Emit) => top.slot = Slot::Free,
            _ if top.is_pattern() || top.head == "define" => {
                top.negated = false;
                top.slot = Slot::AfterStep;
            }
            (_, Kind::RuleBody) => top.slot = Slot::Clause,
            _ => {}
        }
    }
}
