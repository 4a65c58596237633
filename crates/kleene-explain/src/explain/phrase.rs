//! Expressions in the spelling of rules.

use std::fmt::Write as _;
use std::sync::Arc;

use super::words::{KnownValues, Words, shown};
use kleene_event::schema::{Schema, TypeId};
use kleene_syntax::hir::Expr;
use kleene_syntax::hir::expr::{
    Aggregate, BinaryOp, CapturedField, FieldRef, ItemQuantifier, MatchFact, MatchesFact,
    PatternSyntax, Pick, Set, TextCase, TextPatterns, ValueSet, level,
};

/// The largest number of members of a set that are spelled out.
const SHOWN_MEMBERS: usize = 5;

/// A fact of a match, as rules spell it.
fn fact_name(fact: MatchFact) -> &'static str {
    match fact {
        MatchFact::Start => "match.start",
        MatchFact::End => "match.end",
        MatchFact::Step => "match.step",
        MatchFact::Awaits => "match.awaits",
        MatchFact::Id => "match.id",
        MatchFact::Repetition => "match.repetition",
    }
}

/// Writes one expression.
pub(super) struct PhraseWriter<'a, 'k> {
    words: Words<'a>,
    candidate: Option<TypeId>,
    /// The step whose fields a bare one means, inside of an aggregate.
    of: Option<&'a str>,
    known: KnownValues<'k>,
    /// The text that stands for an item of a list: `any args`.
    item: String,
    out: String,
}

impl Words<'_> {
    /// An expression over a candidate of type `candidate`.
    pub(crate) fn expr(
        &self,
        expr: &Expr,
        candidate: Option<TypeId>,
        known: KnownValues<'_>,
    ) -> String {
        PhraseWriter::write(*self, expr, candidate, known)
    }
}

impl<'a, 'k> PhraseWriter<'a, 'k> {
    /// Spells an expression over a candidate of type `candidate`.
    pub(super) fn write(
        words: Words<'a>,
        expr: &Expr,
        candidate: Option<TypeId>,
        known: KnownValues<'k>,
    ) -> String {
        let (item, out) = (String::new(), String::new());
        let mut writer = PhraseWriter { words, candidate, of: None, known, item, out };
        writer.expr(expr, 0);
        writer.out
    }

    fn expr(&mut self, expr: &Expr, outer: u8) {
        let own = level_of(expr);
        let wrap = own < outer;
        self.out.push_str(if wrap { "(" } else { "" });
        match expr {
            Expr::Literal(value) => self.out.push_str(&shown(value)),
            Expr::Field(field) => self.field(field),
            Expr::Captured(captured) => match (self.known)(expr) {
                Some(value) => self.out.push_str(&shown(&value)),
                None => self.captured(captured),
            },
            Expr::Aggregate(aggregate) => {
                if let Some(value) = (self.known)(expr) {
                    self.out.push_str(&shown(&value));
                } else {
                    self.aggregate(aggregate);
                }
            }
            Expr::Register(_) => self.out.push_str("a captured value"),
            Expr::Key(_) => self.out.push_str("the key"),
            Expr::StepKey(test) => {
                let _ = write!(self.out, "key {}", test.fields);
            }
            Expr::Match(fact) => self.out.push_str(fact_name(*fact)),
            Expr::Matches(fact) => self.of_matches(*fact),
            Expr::Not(x) => self.negation(x),
            Expr::Neg(x) => {
                self.out.push('-');
                self.expr(x, level::OPERAND);
            }
            Expr::Binary(op, a, b) => {
                // Comparisons do not chain, and `a - (b - c)` keeps its brackets.
                let comparison = own == level::COMPARE;
                self.expr(a, if comparison { level::ADD } else { own });
                let _ = write!(self.out, " {} ", op.as_str());
                self.expr(b, if own <= level::AND { own } else { own + 1 });
                self.case_of(&[a, b]);
            }
            Expr::In(value, set) => self.membership(value, set, "in"),
            Expr::IsNull(x) => {
                self.expr(x, level::ADD);
                self.out.push_str(" is null");
            }
            Expr::IsTrue(x) => self.is_true(x, "is"),
            Expr::Regex(x, regex) => {
                self.expr(x, level::ADD);
                let _ = write!(self.out, " ~ {:?}", regex.as_str());
                self.out.push_str(if regex.case() == TextCase::Ignored { " nocase" } else { "" });
            }
            Expr::Fits(x, patterns) => self.fits(x, patterns, ""),
            Expr::Fold(x) => self.expr(x, outer),
            Expr::Items(of, list, test) => self.items(*of, list, test),
            Expr::Item => {
                let item = self.item.clone();
                self.out.push_str(&item);
            }
            Expr::If(parts) => self.conditional(parts),
            Expr::Call(function, args) => {
                let _ = write!(self.out, "{}(", function.name());
                self.list(args);
                self.out.push(')');
                self.case_of(&args.iter().collect::<Vec<_>>());
            }
            Expr::List(items) => {
                self.out.push('[');
                self.list(items);
                self.out.push(']');
            }
            Expr::Record(fields) => self.record(fields),
        }
        self.out.push_str(if wrap { ")" } else { "" });
    }

    /// Writes `not x`.
    fn negation(&mut self, x: &Expr) {
        match x {
            Expr::In(value, set) => self.membership(value, set, "not in"),
            Expr::IsNull(value) => {
                self.expr(value, level::ADD);
                self.out.push_str(" is not null");
            }
            Expr::IsTrue(value) => self.is_true(value, "is not"),
            Expr::Fits(value, patterns) => self.fits(value, patterns, "not "),
            Expr::Binary(BinaryOp::Like, a, b) => {
                self.expr(a, level::ADD);
                self.out.push_str(" not like ");
                self.expr(b, level::ADD);
                self.case_of(&[a, b]);
            }
            Expr::Regex(value, regex) => {
                self.expr(value, level::ADD);
                let _ = write!(self.out, " not ~ {:?}", regex.as_str());
                self.out.push_str(if regex.case() == TextCase::Ignored { " nocase" } else { "" });
            }
            x => {
                self.out.push_str("not ");
                self.expr(x, level::COMPARE);
            }
        }
    }

    /// Writes `x is true` or `x is false`.
    fn is_true(&mut self, x: &Expr, is: &str) {
        let (x, truth) = match x {
            Expr::Not(x) => (&**x, "false"),
            x => (x, "true"),
        };
        self.expr(x, level::ADD);
        let _ = write!(self.out, " {is} {truth}");
    }

    /// Writes `nocase` if one of the operands is a text without case.
    fn case_of(&mut self, operands: &[&Expr]) {
        let is_folded = operands.iter().any(|operand| matches!(operand, Expr::Fold(_)));
        self.out.push_str(if is_folded { " nocase" } else { "" });
    }

    fn fits(&mut self, x: &Expr, patterns: &TextPatterns, not: &str) {
        self.expr(x, level::ADD);
        let operator = match patterns.syntax() {
            PatternSyntax::Wildcards => "like",
            PatternSyntax::Regex => "~",
        };
        let _ = write!(self.out, " {not}{operator} ");
        let texts = patterns.texts().iter();
        self.shown_members(texts.map(|text| format!("{text:?}")).collect());
        if patterns.case() == TextCase::Ignored {
            self.out.push_str(" nocase");
        } else {
            self.case_of(&[x]);
        }
    }

    fn items(&mut self, of: ItemQuantifier, list: &Expr, test: &Expr) {
        let before = std::mem::take(&mut self.out);
        let _ = write!(self.out, "{} ", of.as_str());
        self.expr(list, level::OPERAND);
        let item = std::mem::replace(&mut self.out, before);
        let outside = std::mem::replace(&mut self.item, item);
        self.expr(test, 0);
        self.item = outside;
    }

    fn of_matches(&mut self, fact: MatchesFact) {
        self.out.push_str("matches.");
        match fact {
            MatchesFact::Count => self.out.push_str("count"),
            MatchesFact::Total(id) => match self.words.pattern.totals.get(id.index()) {
                Some(total) => self.aggregate(total),
                None => self.out.push('?'),
            },
        }
    }

    fn conditional(&mut self, [condition, then, otherwise]: &[Expr; 3]) {
        self.out.push_str("if ");
        self.expr(condition, 0);
        self.out.push_str(" then ");
        self.expr(then, 0);
        self.out.push_str(" else ");
        self.expr(otherwise, 0);
    }

    fn record(&mut self, fields: &[(Arc<str>, Expr)]) {
        self.out.push_str("{ ");
        for (index, (name, value)) in fields.iter().enumerate() {
            self.out.push_str(if index > 0 { ", " } else { "" });
            let _ = write!(self.out, "{name}: ");
            self.expr(value, 0);
        }
        self.out.push_str(" }");
    }

    fn aggregate(&mut self, aggregate: &Aggregate) {
        let name = self.words.step(aggregate.step);
        let _ = write!(self.out, "{}(", aggregate.op.name());
        match &aggregate.arg {
            None => self.out.push_str(name),
            Some(arg) => {
                let steps = &self.words.pattern.steps;
                let ty = steps.get(aggregate.step.index()).and_then(|of| of.ty);
                let outside = (std::mem::replace(&mut self.candidate, ty), self.of.replace(name));
                self.expr(arg, 0);
                (self.candidate, self.of) = outside;
            }
        }
        self.out.push(')');
    }

    fn list(&mut self, items: &[Expr]) {
        for (index, item) in items.iter().enumerate() {
            self.out.push_str(if index > 0 { ", " } else { "" });
            self.expr(item, 0);
        }
    }

    fn membership(&mut self, value: &Expr, set: &Set, word: &str) {
        self.expr(value, level::ADD);
        let _ = write!(self.out, " {word} ");
        match set {
            Set::Values(values) => self.members(values),
            Set::Range(low, high) => {
                self.expr(low, level::ADD);
                self.out.push_str("..");
                self.expr(high, level::ADD);
            }
            Set::Expr(list) => self.expr(list, level::ADD),
        }
        self.case_of(&[value]);
    }

    fn members(&mut self, set: &ValueSet) {
        let mut members: Vec<String> = set.values.iter().map(shown).collect();
        members.extend(set.networks.iter().map(|(ip, prefix)| format!("{ip}/{prefix}")));
        members.sort_unstable();
        self.shown_members(members);
    }

    /// Writes a list, the first of its members.
    fn shown_members(&mut self, mut members: Vec<String>) {
        let more = members.len().saturating_sub(SHOWN_MEMBERS);
        members.truncate(SHOWN_MEMBERS);
        let _ = write!(self.out, "[{}", members.join(", "));
        if more > 0 {
            let _ = write!(self.out, ", ... {more} more");
        }
        self.out.push(']');
    }

    fn field(&mut self, field: &FieldRef) {
        if let Some(of) = self.of {
            let _ = write!(self.out, "{of}.");
        }
        let name = field_name(field, self.candidate, self.words.schema);
        self.out.push_str(&name);
    }

    fn captured(&mut self, captured: &CapturedField) {
        let steps = &self.words.pattern.steps;
        let ty = captured.step.and_then(|step| steps.get(step.index())?.ty);
        let field = field_name(&captured.field, ty, self.words.schema);
        let Some(step) = captured.step else {
            let _ = write!(self.out, "prev.{field}");
            return;
        };
        let name = self.words.step(step);
        let many = self.words.is_many(step);
        let _ = match captured.pick {
            Pick::First if many => write!(self.out, "first({name}.{field})"),
            Pick::Last if many => write!(self.out, "last({name}.{field})"),
            Pick::First | Pick::Last => write!(self.out, "{name}.{field}"),
            Pick::Nth(n) => write!(self.out, "{name}[{n}].{field}"),
            Pick::FromEnd(n) => write!(self.out, "{name}[-{n}].{field}"),
        };
    }
}

/// The binding strength of an expression as it is written.
fn level_of(expr: &Expr) -> u8 {
    match expr {
        Expr::Binary(op, ..) => op.level(),
        Expr::Not(x) if !is_negated_form(x) => level::NOT,
        Expr::Not(_)
        | Expr::In(..)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::Regex(..)
        | Expr::Fits(..)
        | Expr::Items(..) => level::COMPARE,
        Expr::If(_) => level::IF,
        Expr::Neg(_) => level::UNARY,
        Expr::Fold(x) => level_of(x),
        Expr::Call(_, args) if args.iter().any(|arg| matches!(arg, Expr::Fold(_))) => {
            level::COMPARE
        }
        _ => level::OPERAND,
    }
}

/// True if `not` before it has a form of its own.
fn is_negated_form(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::In(..)
            | Expr::IsNull(_)
            | Expr::IsTrue(_)
            | Expr::Fits(..)
            | Expr::Regex(..)
            | Expr::Binary(BinaryOp::Like, ..)
    )
}

fn field_name(field: &FieldRef, ty: Option<TypeId>, schema: &Schema) -> String {
    let ty = ty.filter(|ty| ty.index() < schema.len());
    match field {
        FieldRef::Declared(id) => {
            let fields = ty.map(|ty| &schema.ty(ty).fields);
            let field = fields.and_then(|fields| fields.get(id.index()));
            field.map_or_else(|| String::from("?"), |field| field.name.to_string())
        }
        FieldRef::Dynamic(path) => path.to_string(),
        FieldRef::Time => String::from("its time"),
        FieldRef::ByType(fields) => {
            let of_type = fields.iter().find(|(of, _)| Some(*of) == ty).or(fields.first());
            of_type.map_or_else(
                || String::from("?"),
                |(of, field)| field_name(field, Some(*of), schema),
            )
        }
    }
}
