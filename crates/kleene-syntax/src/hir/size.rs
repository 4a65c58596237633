//! The heap size of rules.

use std::mem::size_of;
use std::sync::Arc;

use hashbrown::HashSet;

use crate::hir::expr::{Aggregate, FieldRef, Set};
use crate::hir::{Condition, Emit, Expr, ItemKind, Rule, Sequence, Test};
use kleene_event::schema::TypeId;
use kleene_event::value::Value;

/// Adds up heap sizes. A declared list that several rules read counts once.
#[derive(Debug, Default)]
pub struct HeapSize<'r> {
    /// The bytes so far.
    pub bytes: usize,
    lists: HashSet<&'r str>,
}

impl<'r> HeapSize<'r> {
    /// Returns the heap of rules with their own bytes.
    pub fn of_rules(rules: impl Iterator<Item = &'r Rule>) -> usize {
        let mut heap = HeapSize::default();
        rules.for_each(|rule| heap.add_rule(rule));
        heap.bytes
    }

    fn add_rule(&mut self, rule: &'r Rule) {
        let pattern = &rule.pattern;
        self.bytes += size_of::<Rule>() + rule.name.len() + size_of_val(&*rule.types);
        self.bytes += size_of_val(&*pattern.steps);
        self.bytes += pattern.steps.iter().map(|step| step.name.len()).sum::<usize>();
        for part in &rule.key {
            self.bytes += size_of_val(part) + part.name.len() + size_of_val(&*part.fields);
        }
        let meta = &rule.meta;
        let texts = meta.about.iter().chain(&meta.severity).chain(&meta.tags);
        self.bytes += texts.map(|text| text.len()).sum::<usize>();
        for (name, value) in &meta.values {
            self.add_named(name, value);
        }
        self.add_conditions(&pattern.conditions);
        self.add_exprs(&pattern.lengths);
        self.add_aggregates(&pattern.totals);
        self.add_sequence(&pattern.body);
        for emit in rule.emit.iter().chain(&rule.on_timeout) {
            self.add_emit(emit);
        }
        self.add_exprs(rule.having.as_slice());
        if let Some(suppress) = &rule.suppress {
            self.add_expr(&suppress.duration);
            self.add_exprs(suppress.by.as_deref().unwrap_or_default());
        }
    }

    /// Adds conditions with their own bytes.
    pub fn add_conditions(&mut self, conditions: &'r [Condition]) {
        self.bytes += size_of_val(conditions);
        for condition in conditions {
            self.add_test(&condition.test);
        }
    }

    /// Adds expressions with their own bytes.
    pub fn add_exprs(&mut self, exprs: &'r [Expr]) {
        self.bytes += size_of_val(exprs);
        for expr in exprs {
            self.add_expr(expr);
        }
    }

    /// Adds aggregates with their own bytes.
    pub fn add_aggregates(&mut self, aggregates: &'r [Aggregate]) {
        self.bytes += size_of_val(aggregates);
        for arg in aggregates.iter().filter_map(|aggregate| aggregate.arg.as_ref()) {
            self.add_expr(arg);
        }
    }

    fn add_test(&mut self, test: &'r Test) {
        match test {
            Test::True | Test::Host { .. } => {}
            Test::Expr(expr) => self.add_expr(expr),
            Test::OneOf(others) => self.bytes += size_of_val(&**others),
            Test::All(tests) => {
                self.bytes += size_of_val(&**tests);
                for test in tests {
                    self.add_test(test);
                }
            }
        }
    }

    /// Adds the heap of a sequence.
    pub fn add_sequence(&mut self, sequence: &'r Sequence) {
        self.bytes += size_of_val(&*sequence.items);
        for item in &sequence.items {
            match &item.kind {
                ItemKind::Step { .. } | ItemKind::Not { .. } => {}
                ItemKind::Group { body, .. } => self.add_sequence(body),
                ItemKind::Alternatives { branches, .. } => {
                    self.bytes += size_of_val(&**branches);
                    for branch in branches {
                        self.add_sequence(branch);
                    }
                }
            }
        }
    }

    fn add_emit(&mut self, emit: &'r Emit) {
        for (name, expr) in &emit.fields {
            self.bytes += size_of::<(Arc<str>, Expr)>() + name.len();
            self.add_expr(expr);
        }
    }

    fn add_named(&mut self, name: &str, value: &Value) {
        self.bytes += size_of::<(Arc<str>, Value)>() + name.len() + value.as_ref().heap_size();
    }

    fn add_field(&mut self, field: &FieldRef) {
        match field {
            FieldRef::Declared(_) | FieldRef::Time => {}
            FieldRef::Dynamic(path) => self.bytes += path.len(),
            FieldRef::ByType(fields) => {
                self.bytes += fields.len() * size_of::<(TypeId, FieldRef)>();
            }
        }
    }

    fn add_boxed(&mut self, expr: &'r Expr) {
        self.bytes += size_of::<Expr>();
        self.add_expr(expr);
    }

    /// Adds the heap of an expression without its own bytes.
    fn add_expr(&mut self, expr: &'r Expr) {
        match expr {
            Expr::Register(_) | Expr::Key(_) | Expr::Match(_) | Expr::Matches(_) | Expr::Item => {}
            Expr::StepKey(test) => self.bytes += test.fields.len(),
            Expr::Literal(value) => self.bytes += value.as_ref().heap_size(),
            Expr::Field(field) => self.add_field(field),
            Expr::Captured(captured) => self.add_field(&captured.field),
            Expr::Aggregate(aggregate) => {
                self.bytes += size_of::<Aggregate>();
                if let Some(arg) = &aggregate.arg {
                    self.add_expr(arg);
                }
            }
            Expr::Not(inner)
            | Expr::Neg(inner)
            | Expr::IsNull(inner)
            | Expr::IsTrue(inner)
            | Expr::Fold(inner) => self.add_boxed(inner),
            Expr::Regex(inner, regex) => {
                self.bytes += regex.as_str().len();
                self.add_boxed(inner);
            }
            Expr::Fits(inner, patterns) => {
                let texts = patterns.texts();
                self.bytes += size_of_val(texts);
                self.bytes += texts.iter().map(|text| text.len()).sum::<usize>();
                self.add_boxed(inner);
            }
            Expr::Binary(_, a, b) | Expr::Items(_, a, b) => {
                self.add_boxed(a);
                self.add_boxed(b);
            }
            Expr::In(inner, set) => {
                self.bytes += size_of::<Set>();
                self.add_boxed(inner);
                self.add_set(set);
            }
            Expr::If(parts) => self.add_exprs(&**parts),
            Expr::Call(_, args) => self.add_exprs(args),
            Expr::List(items) => self.add_exprs(items),
            Expr::Record(fields) => {
                for (name, expr) in fields {
                    self.bytes += size_of::<(Arc<str>, Expr)>() + name.len();
                    self.add_expr(expr);
                }
            }
        }
    }

    fn add_set(&mut self, set: &'r Set) {
        match set {
            Set::Range(low, high) => [low, high].into_iter().for_each(|end| self.add_expr(end)),
            Set::Expr(list) => self.add_expr(list),
            Set::Values(values) => {
                if values.list.as_ref().is_none_or(|name| self.lists.insert(name)) {
                    self.bytes += values.values.capacity() * (size_of::<Value>() + 1);
                    let heap = values.values.iter().map(|value| value.as_ref().heap_size());
                    self.bytes += heap.sum::<usize>() + size_of_val(&*values.networks);
                }
            }
        }
    }
}
