//! Patterns and conditions in the spelling of rules, with captured values in their places where
//! they are known.

use std::fmt::Write as _;

use kleene_event::schema::{Schema, TypeId};
use kleene_event::time::format_millis;
use kleene_event::value::{Value, ValueRef};
use kleene_syntax::hir::eval::{self, Scope};
use kleene_syntax::hir::expr::BinaryOp;
use kleene_syntax::hir::{
    Condition, ConditionId, Contiguity, Expr, Item, ItemKind, Length, LoopMode, Pattern,
    Quantifier, Sequence, SkipStrategy, StepId, Test,
};

/// The largest number of characters of a text that are shown.
const SHOWN_CHARS: usize = 60;

/// Spells the parts of one pattern.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    pub(crate) pattern: &'a Pattern,
    /// The names of types and fields.
    pub(crate) schema: &'a Schema,
}

/// Returns the value of a captured field or an aggregate, if it is known where the expression is
/// spelled.
pub(super) type KnownValues<'k> = &'k dyn Fn(&Expr) -> Option<Value>;

/// A part of a condition that does not hold.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Failed {
    /// The part as the rule spells it, parameters with their values: `amount > 100`.
    pub condition: String,
    /// The value that was found: `amount was 95`.
    pub found: String,
}

impl<'a> Words<'a> {
    /// Returns the name of a step.
    pub(crate) fn step(&self, step: StepId) -> &'a str {
        self.pattern.steps.get(step.index()).map_or("?", |step| &*step.name)
    }

    /// Returns the name of an event type.
    pub(crate) fn ty(&self, ty: Option<TypeId>) -> &'a str {
        let known = ty.filter(|ty| ty.index() < self.schema.len());
        known.map_or("any event", |ty| &*self.schema.ty(ty).name)
    }

    /// A length of time: `10m`, `order.sla`.
    pub(crate) fn length(&self, length: Length) -> String {
        match length {
            Length::Millis(millis) => format_millis(millis),
            Length::Read(id) => match self.pattern.lengths.get(id.index()) {
                Some(length) => self.expr(length, None, &|_| None),
                None => String::from("?"),
            },
        }
    }

    /// ` -> next `
    fn arrow(&self, item: &Item) -> String {
        let mut out = String::from(" ->");
        if let (Some(gap), false) = (item.gap, item.is_not()) {
            let min = Some(gap.min).filter(|min| *min != Length::ZERO);
            let bound = |length: Option<Length>| length.map_or(String::new(), |of| self.length(of));
            let _ = write!(out, "[{}..{}]", bound(min), bound(gap.max));
        }
        out.push_str(match item.contiguity {
            Contiguity::Next => " next ",
            Contiguity::Relaxed => " ",
            Contiguity::Any => " any ",
        });
        out
    }

    /// The condition of this number, if the pattern has it.
    pub(crate) fn condition(&self, id: ConditionId) -> Option<&'a Condition> {
        self.pattern.conditions.get(id.index())
    }

    /// A condition as a step: `login[not ok]`.
    pub(crate) fn step_text(&self, id: ConditionId) -> String {
        self.step_text_with(id, &|_| None)
    }

    /// A condition as a step, with the values that are known.
    pub(crate) fn step_text_with(&self, id: ConditionId, known: KnownValues<'_>) -> String {
        let Some(condition) = self.condition(id) else { return String::from("an event") };
        if let Test::OneOf(others) = &condition.test {
            let others: Vec<_> = others.iter().map(|id| self.step_text_with(*id, known)).collect();
            return format!("({})", others.join(" or "));
        }
        let ty = self.ty(condition.ty);
        match self.test(&condition.test, condition.ty, known) {
            Some(test) => format!("{ty}[{test}]"),
            None => ty.to_owned(),
        }
    }

    /// Returns the fields of the key that a condition asks for, where an event can have several.
    pub(crate) fn step_key(&self, id: ConditionId) -> Option<&'a str> {
        let key = |expr: &'a Expr| match expr {
            Expr::StepKey(test) => Some(&*test.fields),
            Expr::Binary(BinaryOp::And, own, _) => match &**own {
                Expr::StepKey(test) => Some(&*test.fields),
                _ => None,
            },
            _ => None,
        };
        match &self.pattern.conditions.get(id.index())?.test {
            Test::Expr(expr) => key(expr),
            Test::All(tests) => match tests.first()? {
                Test::Expr(expr) => key(expr),
                _ => None,
            },
            Test::OneOf(others) => self.step_key(*others.first()?),
            Test::True | Test::Host { .. } => None,
        }
    }

    /// Spells the test of a condition, besides the type.
    fn test(&self, test: &Test, ty: Option<TypeId>, known: KnownValues<'_>) -> Option<String> {
        match test {
            // Each of several is a step of its own. The clause `key` has the keys of steps.
            Test::True | Test::OneOf(_) | Test::Expr(Expr::StepKey(_)) => None,
            Test::Expr(Expr::Binary(BinaryOp::And, own, rest))
                if matches!(**own, Expr::StepKey(_)) =>
            {
                Some(self.expr(rest, ty, known))
            }
            Test::Expr(expr) => Some(self.expr(expr, ty, known)),
            Test::Host { .. } => Some(String::from("a condition of the program")),
            Test::All(tests) => {
                let tests: Vec<String> =
                    tests.iter().filter_map(|test| self.test(test, ty, known)).collect();
                (!tests.is_empty()).then(|| tests.join(" and "))
            }
        }
    }

    /// The parts of `expr`, joined by `and`, that do not hold in `scope`.
    pub(crate) fn failed<S: Scope>(
        &self,
        expr: &Expr,
        candidate: Option<TypeId>,
        scope: &S,
        failed: &mut Vec<Failed>,
    ) {
        if let Expr::Binary(BinaryOp::And, a, b) = expr {
            self.failed(a, candidate, scope, failed);
            self.failed(b, candidate, scope, failed);
            return;
        }
        if eval::test(expr, scope) {
            return;
        }
        if let Expr::StepKey(test) = expr {
            let condition = format!("the key {}", test.fields);
            let found = String::from("it is another key here");
            failed.push(Failed { condition, found });
            return;
        }
        let condition = self.expr(expr, candidate, &|_| None);
        let mut sides = Vec::new();
        self.sides(expr, candidate, scope, &mut sides);
        let found = match (expr, &sides[..]) {
            (Expr::Binary(BinaryOp::Eq, ..), [(_, a), (_, b)])
                if !a.is_null() && !b.is_null() && is_leaf_pair(expr) =>
            {
                format!("{} is not {}", shown(a), shown(b))
            }
            (_, []) => String::from("it is false"),
            (_, sides) => {
                let sides = sides.iter().map(|(text, value)| {
                    if value.is_null() {
                        format!("{text} was missing")
                    } else {
                        format!("{text} was {}", shown(value))
                    }
                });
                sides.collect::<Vec<_>>().join(", ")
            }
        };
        failed.push(Failed { condition, found });
    }

    /// Collects the parts of `expr` whose values its text does not show, each once.
    fn sides<S: Scope>(
        &self,
        expr: &Expr,
        candidate: Option<TypeId>,
        scope: &S,
        sides: &mut Vec<(String, Value)>,
    ) {
        let mut add = |expr: &Expr| {
            let text = self.expr(expr, candidate, &|_| None);
            if sides.iter().all(|(known, _)| *known != text) {
                sides.push((text, eval::eval(expr, scope).into_owned()));
            }
        };
        match expr {
            Expr::Field(_)
            | Expr::Captured(_)
            | Expr::Aggregate(_)
            | Expr::Key(_)
            | Expr::Match(_)
            | Expr::Matches(_)
            | Expr::Register(_)
            | Expr::Call(..)
            | Expr::Binary(
                BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem,
                ..,
            ) => add(expr),
            _ => {}
        }
        for part in expr.parts() {
            self.sides(part, candidate, scope, sides);
        }
    }

    /// The pattern's body, as after `match`.
    pub(crate) fn body(&self) -> String {
        self.sequence(&self.pattern.body)
    }

    fn sequence(&self, sequence: &Sequence) -> String {
        let mut out = String::new();
        for (index, item) in sequence.items.iter().enumerate() {
            if index > 0 {
                out.push_str(&self.arrow(item));
            }
            out.push_str(&self.item(item));
        }
        if let Some(without) = &sequence.without {
            let _ = write!(out, " without {}", self.step_text(without.condition));
        }
        out
    }

    /// Sequences beside each other: `a and b`, `a or b`, `2 of (a, b, c)`.
    fn branches(&self, branches: &[Sequence], count: usize) -> String {
        let branches: Vec<String> = branches.iter().map(|branch| self.sequence(branch)).collect();
        match count {
            1 => format!("({})", branches.join(" or ")),
            count if count == branches.len() => format!("({})", branches.join(" and ")),
            count => format!("{count} of ({})", branches.join(", ")),
        }
    }

    fn item(&self, item: &Item) -> String {
        match &item.kind {
            ItemKind::Step { step, condition, quantifier } => {
                let text = self.step_text(*condition);
                let mut out = format!("{text}{}", quantity(quantifier));
                out.push_str(&self.until(quantifier));
                let ty = self.condition(*condition).and_then(|condition| condition.ty);
                let name = self.step(*step);
                if name != self.ty(ty) {
                    let _ = write!(out, " as {name}");
                }
                out
            }
            ItemKind::Not { condition, .. } => {
                let bound = item.gap.and_then(|gap| gap.silence());
                let bound = bound.map(|time| format!(" for {}", self.length(time)));
                let last = self.pattern.body.items.last();
                let repeats =
                    self.pattern.repeats && last.is_some_and(|last| std::ptr::eq(last, item));
                let repeat = if repeats { " repeat" } else { "" };
                format!("not {}{}{repeat}", self.step_text(*condition), bound.unwrap_or_default())
            }
            ItemKind::Alternatives { branches, count } => self.branches(branches, *count),
            ItemKind::Group { body, quantifier, within, alias } => {
                let inner = self.sequence(body);
                // Alternatives bring brackets of their own.
                let is_bracketed = body.items.len() == 1
                    && matches!(body.items[0].kind, ItemKind::Alternatives { .. })
                    && within.is_none()
                    && body.without.is_none();
                let mut out = if is_bracketed {
                    inner
                } else {
                    let within = within.map(|within| format!(" within {}", self.length(within)));
                    format!("({inner}{})", within.unwrap_or_default())
                };
                let _ = write!(out, "{}{}", quantity(quantifier), self.until(quantifier));
                if let Some(alias) = alias {
                    let _ = write!(out, " as {}", self.step(*alias));
                }
                out
            }
        }
    }

    fn until(&self, quantifier: &Quantifier) -> String {
        let until = quantifier.until.map(|until| format!(" until {}", self.step_text(until)));
        until.unwrap_or_default()
    }

    /// The strategy after a match, as after `skip`.
    pub(crate) fn skip(&self) -> String {
        let skip = &self.pattern.skip;
        let ordered = if skip.ordered { " ordered" } else { "" };
        let strategy = match &skip.strategy {
            SkipStrategy::None => String::from("none"),
            SkipStrategy::PastLast => String::from("past last"),
            SkipStrategy::ToNext => String::from("to next"),
            SkipStrategy::ToFirst(step) => format!("to first {}", self.step(*step)),
            SkipStrategy::ToLast(step) => format!("to last {}", self.step(*step)),
        };
        format!("{strategy}{ordered}")
    }

    /// Describes the effect of the skip strategy on other partial matches after a match.
    pub(crate) fn skip_effect(&self) -> String {
        let skip = self.skip();
        let what = match &self.pattern.skip.strategy {
            SkipStrategy::None => String::from("nothing"),
            SkipStrategy::PastLast => String::from("partial matches that began before its end"),
            SkipStrategy::ToNext => String::from("partial matches that began with the same event"),
            SkipStrategy::ToFirst(step) => {
                format!("partial matches that began before its first `{}`", self.step(*step))
            }
            SkipStrategy::ToLast(step) => {
                format!("partial matches that began before its last `{}`", self.step(*step))
            }
        };
        format!("`skip {skip}` drops {what}")
    }

    /// True if a match can hold several events of this step.
    pub(crate) fn is_many(&self, step: StepId) -> bool {
        fn search(sequence: &Sequence, step: StepId) -> Option<bool> {
            sequence.items.iter().find_map(|item| match &item.kind {
                ItemKind::Step { step: of, quantifier, .. } if *of == step => {
                    Some(quantifier.max != Some(1))
                }
                ItemKind::Group { body, quantifier, .. } => {
                    let in_body = search(body, step)?;
                    Some(in_body || quantifier.max != Some(1))
                }
                ItemKind::Alternatives { branches, .. } => {
                    branches.iter().find_map(|branch| search(branch, step))
                }
                _ => None,
            })
        }
        search(&self.pattern.body, step).unwrap_or(false)
    }
}

/// True if both sides of a comparison are what has a value of its own.
fn is_leaf_pair(expr: &Expr) -> bool {
    let is_leaf =
        |expr: &Expr| matches!(expr, Expr::Field(_) | Expr::Captured(_) | Expr::Aggregate(_));
    matches!(expr, Expr::Binary(_, a, b) if is_leaf(a) && is_leaf(b))
}

/// A value as rules spell it, cut where it is long.
pub(crate) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text,
    }
}

/// `1 event`, `2 events`
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// `{2..5 next}`, `+`, or nothing for once.
pub(crate) fn quantity(quantifier: &Quantifier) -> String {
    let Quantifier { min, max, optional, inner, mode, until: _ } = quantifier;
    let once = *min == 1 && *max == Some(1);
    let is_plain = *mode == LoopMode::Greedy && *inner == Contiguity::Relaxed;
    if once && (is_plain || !optional) {
        return String::from(if *optional { "?" } else { "" });
    }
    let mut out = String::from("{");
    match (optional, min, max) {
        (true, 1, Some(max)) => {
            let _ = write!(out, "0..{max}");
        }
        (true, 1, None) => out.push_str("0.."),
        (_, min, Some(max)) if min == max => {
            let _ = write!(out, "{min}");
        }
        (_, min, Some(max)) => {
            let _ = write!(out, "{min}..{max}");
        }
        (_, min, None) => {
            let _ = write!(out, "{min}..");
        }
    }
    out.push_str(match inner {
        Contiguity::Next => " next",
        Contiguity::Relaxed => "",
        Contiguity::Any => " any",
    });
    let fixed = *max == Some(*min) && !once;
    out.push_str(match mode {
        _ if fixed => "",
        LoopMode::Greedy => "",
        LoopMode::Each => " each",
        LoopMode::Longest => " longest",
    });
    out.push('}');
    if *optional && *min > 1 {
        out.push('?');
    }
    match out.as_str() {
        "{1..}" => String::from("+"),
        "{0..}" => String::from("*"),
        _ => out,
    }
}

/// True if a value is one that a person has written as `text`: text without quotes, a number in any
/// of its forms.
pub(crate) fn is_written(value: ValueRef<'_>, text: &str) -> bool {
    match value {
        ValueRef::Null => false,
        ValueRef::String(value) => value == text,
        ValueRef::Int(value) => text.parse() == Ok(value),
        ValueRef::Float(value) => text.parse() == Ok(value),
        ValueRef::Time(value) => text.parse() == Ok(value),
        ValueRef::Ip(value) => text.parse() == Ok(value),
        value => value.to_string() == text,
    }
}
