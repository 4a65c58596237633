//! `test` blocks: events and expectations to values, checked against what the rules declare.

use std::sync::Arc;

use super::env::Env;
use super::literal;
use super::names::{self, listed, unknown};
use crate::diagnostic::{Code, Diagnostic, Source, Span};
use crate::hir::test_block::{Expectation, TEST_START, TestBlock, TestStep};
use crate::hir::{Emit, Rule};
use crate::syntax::ast::{self, Expr, Literal, Name, Spanned};
use kleene_event::schema::{FieldType, TypeId};
use kleene_event::time::{Timestamp, format_millis};
use kleene_event::util::spelling::nearest;
use kleene_event::value::{Kind, Value};

/// The most lines that a test has.
const MAX_STEPS: usize = 10_000;

/// The names in a record of a test with their values.
type TestFields = [(Name, Option<Spanned<Expr>>)];

/// The time that a test has reached.
#[derive(Clone, Copy)]
struct Now {
    time: Timestamp,
    /// True if no event can come at `time` any more.
    passed: bool,
    span: Span,
}

impl<'a> Env<'a> {
    /// The tests of all files. One of a rule with a mistake is looked at for mistakes of its own.
    pub(super) fn tests_of(
        &mut self,
        files: &'a [(Source, ast::File)],
        rules: &[Rule],
    ) -> Vec<TestBlock> {
        let mut tests = Vec::new();
        for (source, (text, file)) in files.iter().enumerate() {
            for item in &file.items {
                let ast::FileItem::Test(test) = item else { continue };
                if !self.declarations.declared.contains_key(&("rule", test.rule.node.as_str())) {
                    let names =
                        self.declarations.declared.keys().filter(|(what, _)| *what == "rule");
                    let near = nearest(&test.rule.node, names.map(|(_, name)| *name));
                    let diagnostic = unknown(Code::UnknownRule, "rule", &test.rule, near);
                    self.report(source, diagnostic);
                }
                let rule = rules.iter().find(|rule| *rule.name == *test.rule.node);
                let steps = self.test_steps(source, test, rule);
                tests.push(TestBlock {
                    rule: test.rule.node.as_str().into(),
                    source: text.clone(),
                    span: test.rule.span,
                    steps,
                });
            }
        }
        tests
    }

    fn test_steps(
        &mut self,
        source: usize,
        test: &ast::Test,
        rule: Option<&Rule>,
    ) -> Vec<TestStep> {
        if let Some(step) = test.steps.get(MAX_STEPS) {
            let message = format!("a test has at most {MAX_STEPS} lines");
            self.error(
                source,
                Code::LimitExceeded,
                step.span,
                message,
                "split it into several tests",
            );
            return Vec::new();
        }
        let mut now: Option<Now> = None;
        let errors = self.errors;
        let mut steps = Vec::with_capacity(test.steps.len());
        for step in &test.steps {
            let step = match &step.node {
                ast::TestStep::Event { at, ty, fields } => {
                    let Some(event) = self.test_event(source, at, ty, fields) else { continue };
                    if let TestStep::Event { at: time, .. } = event {
                        let next = Now { time, passed: false, span: at.span };
                        self.move_on(source, &mut now, next);
                    }
                    event
                }
                ast::TestStep::Advance(to) => {
                    let time = moment(to.node);
                    let next = Now { time, passed: true, span: to.span };
                    self.move_on(source, &mut now, next);
                    TestStep::Advance(time)
                }
                ast::TestStep::Expect { no, timeout, fields, count, at } => {
                    let fields = self.expected_fields(source, fields, rule, *timeout, step.span);
                    // An event that was refused would have moved time on.
                    if let Some(at) = at
                        && *no
                        && self.errors == errors
                    {
                        self.not_yet(source, at, now);
                    }
                    let at = at.as_ref().map(|at| moment(at.node));
                    let count = count.as_ref().map(|count| count.node);
                    let (no, timeout, span) = (*no, *timeout, step.span);
                    TestStep::Expect(Expectation { no, timeout, fields, count, at, span })
                }
            };
            steps.push(step);
        }
        let is_expect =
            |step: &Spanned<ast::TestStep>| matches!(step.node, ast::TestStep::Expect { .. });
        if self.errors == errors && !test.steps.iter().any(is_expect) {
            let message = "this test expects nothing, so it can't fail";
            let diagnostic = Diagnostic::warning(Code::NothingExpected, test.rule.span, message);
            self.report(
                source,
                diagnostic.help("add what must be reported: `expect match { ... }`"),
            );
        }
        steps
    }

    /// Reports an `expect no match` of a time that the test has not reached: it could not fail. One
    /// that expects a match fails when the test runs.
    fn not_yet(&mut self, source: usize, at: &Spanned<i64>, now: Option<Now>) {
        let reached = now.map_or(TEST_START, |now| now.time);
        if moment(at.node) <= reached {
            return;
        }
        let (wanted, reached) =
            (format_millis(at.node), format_millis(reached.millis_since(TEST_START)));
        let message =
            format!("nothing can be reported at {wanted} yet: the time of the test is {reached}");
        let diagnostic = Diagnostic::error(Code::BadTest, at.span, message);
        self.report(
            source,
            diagnostic.help(format!("advance the time first: `advance to {wanted}`")),
        );
    }

    /// Reports where time would go back.
    fn move_on(&mut self, source: usize, now: &mut Option<Now>, next: Now) {
        let Now { time, passed, span } = next;
        if let Some(before) = *now
            && (time < before.time || time == before.time && before.passed && !passed)
        {
            let message = if before.passed && !passed {
                "this event is late: the time of the test is already past it"
            } else {
                "this time is before the one above"
            };
            let mut diagnostic = Diagnostic::error(Code::BadTest, span, message)
                .help("write the events of a test in time order");
            if before.span != span {
                let label = if before.passed {
                    "the time was advanced here"
                } else {
                    "this is the earlier line"
                };
                diagnostic = diagnostic.context(before.span, label);
            }
            self.report(source, diagnostic);
            return;
        }
        *now = Some(Now {
            time,
            passed: passed || now.is_some_and(|now| now.passed && now.time == time),
            span,
        });
    }

    fn test_event(
        &mut self,
        source: usize,
        at: &Spanned<i64>,
        name: &Name,
        fields: &TestFields,
    ) -> Option<TestStep> {
        let ty = names::event_type(self, None, source, name)?;
        let event = self.schema.ty(ty).clone();
        let mut time = moment(at.node);
        let mut values: Vec<Option<Value>> = vec![None; event.fields.len()];
        let mut extra = Vec::new();
        let errors = self.errors;
        for (index, (field, value)) in fields.iter().enumerate() {
            self.given_twice(source, fields, index);
            let value = self.constant(source, field, value.as_ref());
            if let Some(id) = event.field_id(&field.node) {
                let Some((value, span)) = value else { continue };
                let declared = event.field(id);
                if value.is_null() && !declared.optional {
                    self.missing_value(source, ty, &declared.name, span);
                    continue;
                }
                match fit(value, &declared.ty, span) {
                    Ok(value) => values[id.index()] = Some(value),
                    Err(diagnostic) => {
                        let label = format!("`{}` is declared as {}", declared.name, declared.ty);
                        self.report(source, diagnostic.label(label));
                    }
                }
            } else if names::field(&self.schema, ty, &field.node).is_some() {
                extra.extend(value.map(|(value, _)| (Arc::from(field.node.as_str()), value)));
            } else {
                let mut diagnostic =
                    names::unknown_field(&self.schema, ty, &field.node, field.span);
                let prefix = format!("{}.", field.node);
                let inner = event.fields.iter().find(|other| other.name.starts_with(&prefix));
                if let Some(inner) = inner {
                    diagnostic = diagnostic
                        .help(format!("write its fields one by one: `` `{}`: ... ``", inner.name));
                }
                self.report(source, diagnostic);
            }
        }
        if self.errors != errors {
            return None;
        }
        if let Some(id) = event.time {
            match &values[id.index()] {
                Some(Value::Time(given)) => time = *given,
                _ => values[id.index()] = Some(Value::Time(time)),
            }
        }
        let missing = event
            .fields
            .iter()
            .zip(&values)
            .find(|(field, value)| !field.optional && value.is_none());
        if let Some((field, _)) = missing {
            self.missing_value(source, ty, &field.name, name.span);
            return None;
        }
        let values = values.into_iter().map(Option::unwrap_or_default).collect();
        Some(TestStep::Event { ty, at: time, values, extra })
    }

    fn missing_value(&mut self, source: usize, ty: TypeId, field: &str, span: Span) {
        let event = &self.schema.ty(ty).name;
        let message = format!("the field `{field}` of `{event}` is required");
        let help = format!("add the field, or declare it as optional: `{field}: ...?`");
        self.error(source, Code::BadTest, span, message, help);
    }

    fn given_twice(&mut self, source: usize, fields: &TestFields, index: usize) {
        let name = &fields[index].0;
        if let Some((first, _)) = fields[..index].iter().find(|(other, _)| other == name) {
            let message = format!("`{}` is given twice", name.node);
            let diagnostic = Diagnostic::error(Code::DuplicateName, name.span, message)
                .context(first.span, "given here first");
            self.report(source, diagnostic);
        }
    }

    /// The names and values of an expectation, which its rule has to emit or to have in its key.
    fn expected_fields(
        &mut self,
        source: usize,
        fields: &TestFields,
        rule: Option<&Rule>,
        timeout: bool,
        span: Span,
    ) -> Vec<(Arc<str>, Value)> {
        let emit = rule
            .and_then(|rule| if timeout { rule.on_timeout.as_ref() } else { rule.emit.as_ref() });
        if let Some(rule) = rule
            && timeout
            && emit.is_none()
        {
            let message = format!("the rule `{}` reports no timeouts", rule.name);
            let help = "to report them, add `on timeout emit { ... }` to the rule";
            self.error(source, Code::MissingClause, span, message, help);
            return Vec::new();
        }
        let mut expected = Vec::with_capacity(fields.len());
        for (index, (name, value)) in fields.iter().enumerate() {
            self.given_twice(source, fields, index);
            if let Some(rule) = rule {
                self.check_output(source, rule, emit, timeout, name);
            }
            if let Some(constant) = self.constant(source, name, value.as_ref()) {
                if let Some(rule) = rule {
                    self.check_value(source, rule, timeout, name, &constant);
                }
                expected.push((name.node.as_str().into(), constant.0));
            }
        }
        expected
    }

    /// Reports if what the rule says has no field of this name.
    fn check_output(
        &mut self,
        source: usize,
        rule: &Rule,
        emit: Option<&Emit>,
        timeout: bool,
        name: &Name,
    ) {
        let emitted = || emit.iter().flat_map(|emit| &emit.fields).map(|(name, _)| &**name);
        let key = || rule.key.iter().map(|part| &*part.name);
        if emitted().chain(key()).any(|known| known == name.node) {
            return;
        }
        let what = if timeout { "timeout" } else { "match" };
        let message = format!("a {what} of `{}` has no field `{}`", rule.name, name.node);
        let diagnostic = Diagnostic::error(Code::UnknownField, name.span, message);
        let known = || emitted().chain(key().filter(|part| !emitted().any(|name| name == *part)));
        let help = match nearest(&name.node, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known().next().is_none() => {
                "the rule has neither a key nor an `emit`: write the expectation without fields"
                    .to_owned()
            }
            None => format!("it has {}", listed(known())),
        };
        self.report(source, diagnostic.help(help));
    }

    /// Reports if what the rule reports under this name can never be `value`.
    fn check_value(
        &mut self,
        source: usize,
        rule: &Rule,
        timeout: bool,
        name: &Name,
        (value, span): &(Value, Span),
    ) {
        let span = *span;
        let Some(types) = self.outputs.get(&rule.name) else { return };
        let emitted = if timeout { &types.timeout } else { &types.emit };
        let mut known = emitted.iter().chain(&types.key);
        let Some((_, kind)) = known.find(|(known, _)| **known == *name.node) else { return };
        let kind = *kind;
        let found = value.kind();
        let agrees = kind.is_never()
            || kind.intersects(found)
            || kind.intersects(Kind::NUMBER) && found.is_subset_of(Kind::NUMBER)
            // It counts from the start of the test.
            || kind.intersects(Kind::TIME) && found == Kind::DURATION;
        let as_text = Kind::IP.or(Kind::TIME);
        if agrees || found == Kind::STRING && kind.intersects(as_text) {
            let exact = kind.without(Kind::NULL);
            if let (Value::String(_), Kind::IP | Kind::TIME) = (value, exact)
                && let Err(value) = literal::convert(value.clone(), exact)
            {
                let diagnostic = literal::mismatch(&value, exact, span);
                self.report(source, diagnostic.label(format!("`{}` is {exact}", name.node)));
            }
            return;
        }
        let wanted = kind.without(Kind::NULL);
        let message = if value.is_null() {
            format!("`{}` is never null", name.node)
        } else {
            format!("`{}` is {wanted}, and never {found}", name.node)
        };
        let mut diagnostic = Diagnostic::error(Code::TypeMismatch, span, message);
        if wanted == Kind::STRING && !value.is_null() {
            diagnostic = diagnostic.help(format!("put strings in quotes: \"{value}\""));
        } else if wanted == Kind::DURATION && found == Kind::INT {
            diagnostic =
                diagnostic.help(format!("add a unit to the duration: `{value}s`, `{value}m`"));
        }
        self.report(source, diagnostic);
    }

    /// The constant that a field is given, with its place.
    fn constant(
        &mut self,
        source: usize,
        name: &Name,
        value: Option<&Spanned<Expr>>,
    ) -> Option<(Value, Span)> {
        let (constant, span) = match value {
            Some(value) => (constant(value), value.span),
            None => (Err(name.span), name.span),
        };
        match constant {
            Ok(value) => Some((value, span)),
            Err(span) => {
                let message = "only constants can be used in a test";
                let help =
                    format!("write a value, such as `{}: 1`, or a string in quotes", name.node);
                self.error(source, Code::NotAllowedHere, span, message, help);
                None
            }
        }
    }
}

fn moment(since_start: i64) -> Timestamp {
    TEST_START.plus_millis(since_start)
}

/// The value of a constant, or the place of what is none.
fn constant(expr: &Spanned<Expr>) -> Result<Value, Span> {
    match &expr.node {
        Expr::Literal(literal) => Ok(literal::plain(literal)),
        Expr::Neg(inner) => match &inner.node {
            Expr::Literal(Literal::Int(int)) => Ok(Value::Int(int.wrapping_neg())),
            Expr::Literal(Literal::Float(float)) => Ok(Value::Float(-float)),
            Expr::Literal(Literal::Duration(millis)) => Ok(Value::Duration(millis.wrapping_neg())),
            _ => Err(expr.span),
        },
        Expr::List(items) => {
            let items: Result<Vec<Value>, Span> = items.iter().map(constant).collect();
            Ok(Value::List(items?.into()))
        }
        _ => Err(expr.span),
    }
}

/// `value` as one of a declared type. For a time, a duration counts from the start of the test.
fn fit(value: Value, ty: &FieldType, span: Span) -> Result<Value, Diagnostic> {
    match (value, ty) {
        (Value::Null, _) => Ok(Value::Null),
        (Value::Duration(millis), FieldType::Time) => Ok(Value::Time(moment(millis))),
        (Value::List(items), FieldType::List(element)) => {
            let items: Result<Vec<Value>, Diagnostic> =
                items.iter().map(|item| fit(item.clone(), element, span)).collect();
            Ok(Value::List(items?.into()))
        }
        (value, ty) => literal::convert(value, ty.kind())
            .map_err(|value| literal::mismatch(&value, ty.kind(), span)),
    }
}
