//! Patterns.

use std::fmt::Write as _;

use super::Printer;
use crate::syntax::ast::{
    ANY_EVENT, Arrow, BinaryOp, Body, Choice, Contiguity, Dur, Expr, Junction, LoopMode, Part,
    Quant, Sequence, Step, Take, Unit, Until,
};
use crate::syntax::layout::BreakEdge;

impl Printer {
    pub(super) fn body(&mut self, body: &Body) {
        let junction = match body.joined_by {
            Some(Junction::Or) => "or ",
            _ => "and ",
        };
        self.group(|this| {
            match body.sequences.as_slice() {
                [one] => this.sequence(one),
                sequences => {
                    for (i, sequence) in sequences.iter().enumerate() {
                        if i == 0 {
                            this.group(|this| this.sequence(sequence));
                            continue;
                        }
                        this.indented(|this| {
                            this.may_break(" ", BreakEdge::Between);
                            this.push(junction);
                            this.group(|this| this.sequence(sequence));
                        });
                    }
                }
            }
            if let Some(choice) = &body.without {
                this.indented(|this| {
                    this.may_break(" ", BreakEdge::Between);
                    this.push("without ");
                    this.choice(choice);
                });
            }
        });
    }

    pub(super) fn sequence(&mut self, sequence: &Sequence) {
        for (i, (arrow, part)) in sequence.parts.iter().enumerate() {
            if i == 0 {
                self.part(part);
                continue;
            }
            self.indented(|this| {
                this.may_break(" ", BreakEdge::Between);
                this.arrow(arrow);
                this.part(part);
            });
        }
    }

    pub(super) fn part(&mut self, part: &Part) {
        match part {
            Part::Not { what, duration, repeat, .. } => {
                self.push("not ");
                self.choice(what);
                if let Some(duration) = duration {
                    self.push(" for ");
                    self.dur(duration);
                }
                if repeat.is_some() {
                    self.push(" repeat");
                }
            }
            Part::Take(take) => self.take(take),
        }
    }

    pub(super) fn arrow(&mut self, arrow: &Arrow) {
        self.push("->");
        if let Some(gap) = &arrow.gap {
            self.push("[");
            if let Some(min) = &gap.min {
                self.dur(min);
            }
            self.push("..");
            if let Some(max) = &gap.max {
                self.dur(max);
            }
            self.push("]");
        }
        self.push(match arrow.contiguity {
            Contiguity::Relaxed => " ",
            Contiguity::Next => " next ",
            Contiguity::Any => " any ",
        });
    }

    pub(super) fn take(&mut self, take: &Take) {
        match &take.unit {
            Unit::Step(step) => self.step(step),
            Unit::Group(body, within) => {
                self.brackets(("(", ")"), "", |this| {
                    this.body(body);
                    this.within(within.as_ref());
                });
            }
            Unit::Of(count, sequences, within) => {
                let _ = write!(self.out, "{} of ", count.node);
                self.brackets(("(", ")"), "", |this| {
                    for (i, sequence) in sequences.iter().enumerate() {
                        if i > 0 {
                            this.push(",");
                            this.may_break(" ", BreakEdge::Between);
                        }
                        this.group(|this| this.sequence(sequence));
                    }
                    this.within(within.as_ref());
                });
            }
        }
        if let Some(quant) = &take.quant {
            self.quant(quant);
        }
        match &take.until {
            Some(Until::Step(choice)) => {
                self.push(" until ");
                self.choice(choice);
            }
            Some(Until::Condition(condition)) => {
                self.push(" until ");
                self.condition(&condition.node);
            }
            None => {}
        }
        if let Some(alias) = &take.alias {
            self.push(" as ");
            self.name(&alias.node);
        }
    }

    pub(super) fn within(&mut self, within: Option<&Dur>) {
        if let Some(within) = within {
            self.push(" within ");
            self.dur(within);
        }
    }

    /// Parentheses stand around several steps only.
    pub(super) fn choice(&mut self, choice: &Choice) {
        let [one] = choice.steps.as_slice() else {
            return self.brackets(("(", ")"), "", |this| {
                for (i, step) in choice.steps.iter().enumerate() {
                    if i > 0 {
                        this.may_break(" ", BreakEdge::Between);
                        this.push("or ");
                    }
                    this.step(step);
                }
            });
        };
        self.step(one);
    }

    pub(super) fn step(&mut self, step: &Step) {
        if step.wildcard {
            self.push(ANY_EVENT);
        } else {
            self.name(&step.name.node);
        }
        if let Some(condition) = &step.condition {
            self.condition(&condition.node);
        }
    }

    pub(super) fn condition(&mut self, condition: &Expr) {
        self.brackets(("[", "]"), "", |this| match condition {
            // Nothing else stands in the brackets that it could be confused with.
            Expr::Binary(op @ (BinaryOp::And | BinaryOp::Or), left, right) => {
                this.group(|this| this.chain(*op, &left.node, &right.node));
            }
            _ => this.expr(condition, 0),
        });
    }

    pub(super) fn quant(&mut self, quant: &Quant) {
        let Quant { min, max, contiguity, mode, .. } = quant;
        if *contiguity == Contiguity::Relaxed && mode.is_none() {
            match (min, max) {
                (0, Some(1)) => return self.push("?"),
                (0, None) => return self.push("*"),
                (1, None) => return self.push("+"),
                _ => {}
            }
        }
        let _ = write!(self.out, "{{{min}");
        match max {
            Some(max) if max == min => {}
            Some(max) => {
                let _ = write!(self.out, "..{max}");
            }
            None => self.push(".."),
        }
        self.push(match contiguity {
            Contiguity::Relaxed => "",
            Contiguity::Next => " next",
            Contiguity::Any => " any",
        });
        self.push(match mode {
            None => "",
            Some(LoopMode::Greedy) => " greedy",
            Some(LoopMode::Each) => " each",
            Some(LoopMode::Longest) => " longest",
        });
        self.push("}");
    }
}
