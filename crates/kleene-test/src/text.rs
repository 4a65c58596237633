//! Patterns as rule text, so that the parser and the checker can be put on the path of a test.

use std::fmt::Write as _;

use kleene_syntax::hir::expr::{Aggregate, BinaryOp, CapturedField, FieldRef, Pick};
use kleene_syntax::hir::{
    ConditionId, Contiguity, Expr, Gap, Item, ItemKind, Length, LoopMode, Pattern, Quantifier,
    Sequence, SkipStrategy, StepId, Test,
};

/// A pattern in words.
#[derive(Clone, Debug)]
pub struct Text {
    /// The body of `match`.
    pub body: String,
    /// The parts of the pattern that the language has no words for; the text then differs from the
    /// pattern.
    pub problems: Vec<String>,
}

/// What a rule calls itself and what it reads.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The rule.
    pub rule: &'a str,
    /// The type of its events.
    pub event: &'a str,
    /// The fields of [`convert::schema`](crate::convert::schema), in its order.
    pub fields: [&'a str; 2],
    /// The clauses before `match`: what the rule reads, and its key if it has one.
    pub reads: &'a str,
}

impl Names<'_> {
    /// The names of [`convert::schema`](crate::convert::schema), and a rule `r` that reads all.
    pub const PLAIN: Names<'static> =
        Names { rule: "r", event: "e", fields: ["type", "v"], reads: "from *" };
}

/// A rule file with one rule, `r`, that has the pattern and reads events of
/// [`convert::schema`](crate::convert::schema).
///
/// # Errors
/// The parts that the language has no words for.
pub fn rule(pattern: &Pattern) -> Result<String, Vec<String>> {
    let rule = rule_with(pattern, Names::PLAIN)?;
    Ok(format!("event e {{ type: string, v: int }}\n\n{rule}"))
}

/// A rule that has the pattern, without a declaration of its events.
///
/// # Errors
/// The parts that the language has no words for.
pub fn rule_with(pattern: &Pattern, names: Names<'_>) -> Result<String, Vec<String>> {
    let Text { body, problems } = body_with(pattern, names);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut text = format!("rule {} {{\n  {}\n", names.rule, names.reads);
    let _ = writeln!(text, "  match {body}");
    if let Some(within) = pattern.within {
        let Some(within) = within.as_millis() else {
            return Err(vec!["a length that an event says".into()]);
        };
        let _ = writeln!(text, "  within {within}ms");
    }
    let _ = writeln!(text, "  skip {}", skip(pattern));
    let _ = writeln!(text, "  report {}", pattern.report);
    if !pattern.totals.is_empty() {
        let _ = writeln!(text, "  emit {{ {} }}", totals(pattern, names)?.join(", "));
    }
    // The checker refuses timeouts of a pattern whose time nothing bounds.
    if pattern.report_timeouts && (pattern.within.is_some() || has_bound(&pattern.body)) {
        text += "  on timeout emit { step: match.step }\n";
    }
    text += "}\n";
    Ok(text)
}

/// The totals over a set of matches, each as a field of an emit.
fn totals(pattern: &Pattern, names: Names<'_>) -> Result<Vec<String>, Vec<String>> {
    let field = |(number, total): (usize, &Aggregate)| {
        let mut printer = PatternPrinter::new(pattern, names);
        let name = printer.captured_step(total.step);
        match &total.arg {
            Some(Expr::Field(field)) => printer.field(field),
            _ => printer.problem("a total of more than a field"),
        }
        let PatternPrinter { text, problems, .. } = printer;
        let written = format!("t{number}: matches.{}({name}.{text})", total.op.name());
        if problems.is_empty() { Ok(written) } else { Err(problems) }
    };
    pattern.totals.iter().enumerate().map(field).collect()
}

fn has_bound(sequence: &Sequence) -> bool {
    sequence.items.iter().any(|item| {
        let inside = match &item.kind {
            ItemKind::Group { body, within, .. } => within.is_some() || has_bound(body),
            ItemKind::Alternatives { branches, .. } => branches.iter().any(has_bound),
            _ => false,
        };
        // The time of a `not` completes matches, and ends nothing.
        let is_not = matches!(item.kind, ItemKind::Not { .. });
        inside || !is_not && item.gap.is_some_and(|gap| gap.max.is_some())
    })
}

/// Spells the skip strategy of a pattern.
pub fn skip(pattern: &Pattern) -> String {
    let name = |step: StepId| &pattern.steps[step.index()].name;
    let mut text = match pattern.skip.strategy {
        SkipStrategy::None => return "none".into(),
        SkipStrategy::PastLast => "past last".to_owned(),
        SkipStrategy::ToNext => "to next".to_owned(),
        SkipStrategy::ToFirst(step) => format!("to first {}", name(step)),
        SkipStrategy::ToLast(step) => format!("to last {}", name(step)),
    };
    if pattern.skip.ordered {
        text += " ordered";
    }
    text
}

/// A pattern's body in words.
pub fn body(pattern: &Pattern) -> Text {
    body_with(pattern, Names::PLAIN)
}

fn body_with(pattern: &Pattern, names: Names<'_>) -> Text {
    let mut printer = PatternPrinter::new(pattern, names);
    printer.sequence(&pattern.body);
    Text { body: printer.text, problems: printer.problems }
}

struct PatternPrinter<'a> {
    pattern: &'a Pattern,
    names: Names<'a>,
    text: String,
    problems: Vec<String>,
}

impl<'a> PatternPrinter<'a> {
    fn new(pattern: &'a Pattern, names: Names<'a>) -> Self {
        PatternPrinter { pattern, names, text: String::new(), problems: Vec::new() }
    }

    fn problem(&mut self, problem: &str) {
        self.problems.push(problem.to_owned());
    }

    fn sequence(&mut self, sequence: &Sequence) {
        for (index, item) in sequence.items.iter().enumerate() {
            if index > 0 {
                self.text += " ->";
                self.arrow(item);
                self.text += " ";
            } else if item.gap.is_some() && !matches!(item.kind, ItemKind::Not { .. }) {
                self.problem("a gap before the first step of a sequence");
            }
            self.item(item);
        }
        if let Some(without) = &sequence.without {
            self.text += " without ";
            self.step(without.condition);
        }
    }

    fn arrow(&mut self, item: &Item) {
        if let Some(Gap { min, max }) = item.gap
            && !matches!(item.kind, ItemKind::Not { .. })
        {
            self.text += "[";
            self.length(min);
            self.text += "..";
            if let Some(max) = max {
                self.length(max);
            }
            self.text += "]";
        }
        self.text += contiguity(item.contiguity);
    }

    fn item(&mut self, item: &Item) {
        match &item.kind {
            ItemKind::Not { condition, .. } => {
                self.text += "not ";
                self.step(*condition);
                if item.contiguity == Contiguity::Any {
                    self.problem("`any` before a not");
                }
                match item.gap {
                    None => {}
                    // One without a time after a silence.
                    Some(Gap { max: None, .. }) if item.contiguity == Contiguity::Relaxed => {}
                    Some(Gap { min, max: Some(max) }) if item.contiguity == Contiguity::Relaxed => {
                        self.text += " for ";
                        self.length(match (min, max) {
                            (Length::Millis(min), Length::Millis(max)) => Length::Millis(max - min),
                            _ => max,
                        });
                        let last = self.pattern.body.items.last();
                        if self.pattern.repeats && last.is_some_and(|last| std::ptr::eq(last, item))
                        {
                            self.text += " repeat";
                        }
                    }
                    Some(_) => self.problem("a gap before a not"),
                }
            }
            ItemKind::Step { step, condition, quantifier } => {
                self.step(*condition);
                self.quantifier(quantifier);
                let name = &self.pattern.steps[step.index()].name;
                let _ = write!(self.text, " as {name}");
            }
            ItemKind::Group { body, quantifier, within, alias } => {
                if body.items.len() == 1 {
                    self.problem("a group of one step, which is taken for that step");
                }
                self.text += "(";
                self.sequence(body);
                if let Some(within) = within {
                    self.text += " within ";
                    self.length(*within);
                }
                self.text += ")";
                self.quantifier(quantifier);
                if let Some(alias) = alias {
                    let name = &self.pattern.steps[alias.index()].name;
                    let _ = write!(self.text, " as {name}");
                }
            }
            ItemKind::Alternatives { branches, count } => {
                let joint = match *count {
                    _ if branches.len() == 1 => ", ",
                    1 => " or ",
                    all if all == branches.len() => " and ",
                    _ => ", ",
                };
                if joint == ", " {
                    let _ = write!(self.text, "{count} of ");
                }
                self.text += "(";
                for (number, branch) in branches.iter().enumerate() {
                    if number > 0 {
                        self.text += joint;
                    }
                    self.sequence(branch);
                }
                self.text += ")";
            }
        }
    }

    fn length(&mut self, length: Length) {
        match length.as_millis() {
            Some(millis) => {
                let _ = write!(self.text, "{millis}ms");
            }
            None => self.problem("a length that an event says"),
        }
    }

    fn step(&mut self, condition: ConditionId) {
        if let Test::OneOf(others) = &self.pattern.conditions[condition.index()].test {
            self.text += "(";
            for (number, other) in others.iter().enumerate() {
                self.text += if number > 0 { " or " } else { "" };
                self.step(*other);
            }
            self.text += ")";
            return;
        }
        self.text += self.names.event;
        match &self.pattern.conditions[condition.index()].test {
            // Said above.
            Test::True | Test::OneOf(_) => {}
            Test::Expr(expr) => {
                self.text += "[";
                self.expr(expr);
                self.text += "]";
            }
            Test::Host { .. } | Test::All(_) => self.problem("a condition of the host"),
        }
    }

    fn quantifier(&mut self, quantifier: &Quantifier) {
        let Quantifier { min, max, optional, inner, mode, until } = quantifier;
        if quantifier.is_once() {
            return;
        }
        if *optional && *min > 1 {
            self.problem("an optional loop of more than one");
        }
        let from = if *optional { 0 } else { *min };
        let _ = match max {
            Some(max) if *max == from => write!(self.text, "{{{from}"),
            Some(max) => write!(self.text, "{{{from}..{max}"),
            None => write!(self.text, "{{{from}.."),
        };
        self.text += contiguity(*inner);
        self.text += match mode {
            LoopMode::Greedy => " greedy",
            LoopMode::Each => " each",
            LoopMode::Longest => " longest",
        };
        self.text += "}";
        if let Some(until) = until {
            self.text += " until ";
            self.step(*until);
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Literal(value) => {
                let _ = write!(self.text, "{value}");
            }
            Expr::Field(field) => self.field(field),
            Expr::Not(inner) => {
                self.text += "not (";
                self.expr(inner);
                self.text += ")";
            }
            Expr::Binary(op, a, b) => {
                let nested = matches!(op, BinaryOp::And | BinaryOp::Or);
                for (index, part) in [a, b].into_iter().enumerate() {
                    if index > 0 {
                        let _ = write!(self.text, " {} ", operator(*op));
                    }
                    if nested {
                        self.text += "(";
                    }
                    self.expr(part);
                    if nested {
                        self.text += ")";
                    }
                }
            }
            Expr::If(parts) => {
                for (word, part) in ["if ", " then ", " else "].into_iter().zip(&**parts) {
                    self.text += word;
                    self.text += "(";
                    self.expr(part);
                    self.text += ")";
                }
            }
            Expr::Captured(captured) => self.captured(captured),
            Expr::Aggregate(aggregate) => {
                let name = aggregate.op.name();
                let step = self.captured_step(aggregate.step);
                let _ = write!(self.text, "{name}({step}");
                if let Some(arg) = &aggregate.arg {
                    self.text += ".";
                    self.expr(arg);
                }
                self.text += ")";
            }
            _ => self.problem("an expression of another kind"),
        }
    }

    fn captured(&mut self, captured: &CapturedField) {
        let of = match captured.step {
            Some(step) => self.captured_step(step),
            None => "prev".to_owned(),
        };
        match (captured.step, captured.pick) {
            (None, Pick::Last) => self.text += &of,
            (None, _) => {
                self.problem("an event by number, whatever the step");
                self.text += "prev";
            }
            (Some(_), Pick::First) => {
                let _ = write!(self.text, "first({of}.");
                self.field(&captured.field);
                self.text += ")";
                return;
            }
            (Some(_), Pick::Last) => {
                let _ = write!(self.text, "last({of}.");
                self.field(&captured.field);
                self.text += ")";
                return;
            }
            (Some(_), Pick::Nth(n)) => {
                let _ = write!(self.text, "{of}[{n}]");
            }
            (Some(_), Pick::FromEnd(n)) => {
                let _ = write!(self.text, "{of}[-{n}]");
            }
        }
        self.text += ".";
        self.field(&captured.field);
    }

    fn captured_step(&mut self, step: StepId) -> String {
        let step = &self.pattern.steps[step.index()];
        if step.negated {
            self.problems.push("a condition on what a not captured".into());
        }
        step.name.to_string()
    }

    fn field(&mut self, field: &FieldRef) {
        match field {
            FieldRef::Declared(id) => {
                self.text += self.names.fields.get(id.index()).unwrap_or(&"?");
            }
            _ => self.problem("an undeclared field"),
        }
    }
}

fn contiguity(contiguity: Contiguity) -> &'static str {
    match contiguity {
        Contiguity::Next => " next",
        Contiguity::Relaxed => "",
        Contiguity::Any => " any",
    }
}

fn operator(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::And => "and",
        BinaryOp::Or => "or",
        BinaryOp::Eq => "==",
        BinaryOp::Ne => "!=",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        _ => "?",
    }
}
