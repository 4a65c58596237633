//! A text that says what a rule means and nothing else: the same for the same meaning, whatever
//! else the file declares and wherever it stands. Rule versions are hashes of it, and equal
//! conditions are found by it, within a rule and between a rule and the one that replaces it.

use std::fmt::{self, Write as _};

use hashbrown::HashMap;

use crate::hir::expr::{
    Aggregate, CapturedField, FieldRef, MatchesFact, Pick, Set, TextCase, TextPatterns, ValueSet,
};
use crate::hir::functions::Callee;
use crate::hir::{
    Condition, ConditionId, Emit, Expr, Item, ItemKind, Limit, Pattern, Quantifier, Report, Rule,
    Sequence, SkipStrategy, StepId, StepKey, StepKeys, Suppress, Test,
};
use kleene_event::schema::{Schema, TypeId};
use kleene_event::time::format_millis_in_days;
use kleene_event::util::fnv::Fnv;
use kleene_event::util::order;
use kleene_event::value::Value;

/// The hash of what `rule` means; [`Rule::version`] itself is not looked at.
pub(super) fn version(rule: &Rule, schema: &Schema) -> u64 {
    let types: Vec<_> = rule.pattern.steps.iter().map(|step| step.ty).collect();
    let mut canon = Canon::new(Some(schema), &types);
    canon.rule(rule, schema);
    let mut hash = Fnv::new();
    hash.write_str(&canon.out);
    hash.finish()
}

/// Returns the canonical text of a condition; `types` has the types of the pattern's steps.
pub fn condition(condition: &Condition, schema: &Schema, types: &[Option<TypeId>]) -> String {
    let mut canon = Canon::new(Some(schema), types);
    canon.condition(condition);
    canon.out
}

/// Returns the canonical text of a part of a condition on an event of type `ty`. It is comparable
/// with other parts of the same condition.
pub(super) fn part(expr: &Expr, ty: TypeId, schema: &Schema) -> String {
    let mut canon = Canon { candidate: Some(ty), ..Canon::new(Some(schema), &[]) };
    canon.expr(expr);
    canon.out
}

/// Returns the canonical text of a field of the candidate.
pub(super) fn field(field: &FieldRef, ty: TypeId, schema: &Schema) -> String {
    let mut canon = Canon::new(Some(schema), &[]);
    canon.field(Some(ty), field);
    canon.out
}

/// The canonical text of a pattern: it can be compared with another one whose types and fields have
/// the same numbers.
#[derive(Debug)]
pub struct Content {
    /// Each step's name, and which of the steps of that name it is.
    pub steps: Vec<String>,
    /// The text of each condition, with the steps by name. The items of a `list` are left out: the
    /// name of the list stands for them.
    pub conditions: Vec<String>,
    /// The text of each length of time that is read from events.
    pub lengths: Vec<String>,
    /// The text of the sequence, without `within` and without the skip strategy.
    pub body: String,
}

impl Content {
    /// Hashes what a pattern means.
    pub fn new(pattern: &Pattern) -> Content {
        let mut steps: Vec<String> = Vec::with_capacity(pattern.steps.len());
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for step in &pattern.steps {
            let count = seen.entry(&step.name).or_default();
            *count += 1;
            steps.push(format!("{:?} {count}", step.name));
        }
        let types: Vec<_> = pattern.steps.iter().map(|step| step.ty).collect();
        let mut canon = Canon { names: &steps, ..Canon::new(None, &types) };
        let mut conditions: Vec<String> = Vec::with_capacity(pattern.conditions.len());
        for condition in &pattern.conditions {
            canon.condition(condition);
            let mut text = std::mem::take(&mut canon.out);
            if let Test::OneOf(others) = &condition.test {
                // Numbers mean nothing to another rule.
                let others = others.iter().filter_map(|other| conditions.get(other.index()));
                let mut others: Vec<&str> = others.map(String::as_str).collect();
                others.sort_unstable();
                text = format!("(one of {})", others.join(", "));
            }
            conditions.push(text);
        }
        let lengths = pattern.lengths.iter().map(|length| {
            canon.expr(length);
            std::mem::take(&mut canon.out)
        });
        let lengths = lengths.collect();
        canon.sequence(&pattern.body);
        let body = std::mem::take(&mut canon.out);
        Content { steps, conditions, lengths, body }
    }
}

struct Canon<'a> {
    /// The names of types and fields; where there is none, their numbers stand for them.
    schema: Option<&'a Schema>,
    /// The names of the steps; where there are none, their numbers stand for them.
    names: &'a [String],
    types: &'a [Option<TypeId>],
    /// The type of the event whose fields a bare name means.
    candidate: Option<TypeId>,
    out: String,
}

/// A step in a text; by number it looks as the number alone.
#[derive(Clone, Copy)]
enum StepLabel<'a> {
    Name(&'a str),
    Number(usize),
}

impl fmt::Debug for StepLabel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepLabel::Name(name) => f.write_str(name),
            StepLabel::Number(number) => number.fmt(f),
        }
    }
}

impl<'a> Canon<'a> {
    fn new(schema: Option<&'a Schema>, types: &'a [Option<TypeId>]) -> Canon<'a> {
        Canon { schema, names: &[], types, candidate: None, out: String::new() }
    }

    fn word(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push(' ');
    }

    /// Writing to a string does not fail.
    fn debug(&mut self, thing: impl fmt::Debug) {
        let _ = write!(self.out, "{thing:?} ");
    }

    /// Returns the label that stands for a step.
    fn label(&self, step: StepId) -> StepLabel<'a> {
        match self.names.get(step.index()) {
            Some(name) => StepLabel::Name(name),
            None => StepLabel::Number(step.index()),
        }
    }

    fn rule(&mut self, rule: &Rule, schema: &Schema) {
        let Rule {
            name,
            meta: _,
            types,
            key,
            step_keys,
            pattern,
            emit,
            on_timeout,
            having,
            suppress,
            once,
            limit,
            version: _,
        } = rule;
        self.debug(name);
        let mut types: Vec<TypeId> = types.clone();
        order::sort_by_key(&mut types, |ty| schema.ty(*ty).name.clone());
        for ty in types {
            let ty = schema.ty(ty);
            self.debug((&ty.name, ty.open, ty.time.map(|time| &ty.field(time).name)));
            let mut fields: Vec<_> = ty.fields.iter().collect();
            order::sort_by_key(&mut fields, |field| field.name.clone());
            for field in fields {
                let _ = write!(self.out, "{:?} {} {} ", field.name, field.ty, field.optional);
            }
        }
        for part in key {
            self.debug(&part.name);
            let mut fields = part.fields.clone();
            order::sort_by_key(&mut fields, |(ty, _)| schema.ty(*ty).name.clone());
            for (ty, field) in &fields {
                self.ty(Some(*ty));
                self.field(Some(*ty), field);
            }
        }
        for StepKeys { ty, keys } in step_keys {
            self.word("step keys");
            self.ty(Some(*ty));
            for StepKey { fields, variants } in keys {
                self.debug(variants);
                for field in fields {
                    self.field(Some(*ty), field);
                }
            }
        }
        self.pattern(pattern);
        self.emit(emit.as_ref());
        self.emit(on_timeout.as_ref());
        if let Some(having) = having {
            self.word("having");
            self.expr(having);
        }
        if let Some(Suppress { duration, by }) = suppress {
            self.word("suppress");
            self.expr(duration);
            if let Some(by) = by {
                self.word("by");
                self.exprs(by);
            }
        }
        if let Some(once) = once {
            self.debug(("once", once));
        }
        if let Some(Limit { partials, policy }) = limit {
            self.debug(("limit", partials, policy));
        }
    }

    fn emit(&mut self, emit: Option<&Emit>) {
        self.word("emit");
        for (name, value) in emit.into_iter().flat_map(|emit| &emit.fields) {
            self.debug(name);
            self.expr(value);
        }
        if let Some(ty) = emit.and_then(|emit| emit.feeds) {
            self.word("as");
            self.ty(Some(ty));
        }
    }

    fn pattern(&mut self, pattern: &Pattern) {
        let Pattern {
            steps,
            conditions,
            lengths,
            body,
            within,
            skip,
            report,
            totals,
            report_timeouts,
            repeats,
        } = pattern;
        for step in steps {
            self.debug((&step.name, step.negated));
            self.ty(step.ty);
        }
        for condition in conditions {
            self.condition(condition);
        }
        for length in lengths {
            self.expr(length);
        }
        self.sequence(body);
        self.debug((within, skip.ordered, report_timeouts));
        if *repeats {
            self.word("repeat");
        }
        match &skip.strategy {
            SkipStrategy::None => self.word("none"),
            SkipStrategy::PastLast => self.word("past last"),
            SkipStrategy::ToNext => self.word("to next"),
            SkipStrategy::ToFirst(step) => self.debug(("to first", step.index())),
            SkipStrategy::ToLast(step) => self.debug(("to last", step.index())),
        }
        if *report != Report::All {
            self.debug(("report", report));
        }
        for total in totals {
            self.word("total");
            self.aggregate(total);
        }
    }

    fn sequence(&mut self, sequence: &Sequence) {
        self.word("(");
        for Item { contiguity, gap, kind } in &sequence.items {
            self.debug((contiguity, gap.map(|gap| (gap.min, gap.max))));
            match kind {
                ItemKind::Step { step, condition, quantifier } => {
                    self.debug((step.index(), condition.index()));
                    self.quantifier(quantifier);
                }
                ItemKind::Not { step, condition } => {
                    self.debug(("not", step.index(), condition.index()));
                }
                ItemKind::Group { body, quantifier, within, alias } => {
                    self.sequence(body);
                    self.quantifier(quantifier);
                    self.debug((within, alias.map(StepId::index)));
                }
                ItemKind::Alternatives { branches, count } => {
                    self.debug(("of", count));
                    for branch in branches {
                        self.sequence(branch);
                    }
                }
            }
        }
        if let Some(without) = &sequence.without {
            self.debug(("without", without.step.index(), without.condition.index()));
        }
        self.word(")");
    }

    fn quantifier(&mut self, quantifier: &Quantifier) {
        let Quantifier { min, max, optional, inner, mode, until } = quantifier;
        let until = until.map(ConditionId::index);
        self.debug((min, max, optional, inner, mode, until));
    }

    fn condition(&mut self, condition: &Condition) {
        self.ty(condition.ty);
        self.candidate = condition.ty;
        self.test(&condition.test);
    }

    fn test(&mut self, test: &Test) {
        match test {
            Test::True => self.word("true"),
            Test::Expr(expr) => self.expr(expr),
            Test::All(tests) => {
                self.word("(all");
                for test in tests {
                    self.test(test);
                }
                self.word(")");
            }
            Test::OneOf(others) => {
                self.word("(one of");
                for other in others {
                    self.debug(other.index());
                }
                self.word(")");
            }
            Test::Host { index, correlated } => self.debug(("host", index, correlated)),
        }
    }

    fn ty(&mut self, ty: Option<TypeId>) {
        match (ty, self.schema) {
            (Some(ty), Some(schema)) => self.debug(&schema.ty(ty).name),
            (Some(ty), None) => self.debug(("type", ty.index())),
            (None, _) => self.word("-"),
        }
    }

    fn field(&mut self, ty: Option<TypeId>, field: &FieldRef) {
        match (field, ty.zip(self.schema)) {
            (FieldRef::Declared(id), Some((ty, schema))) => {
                self.debug(&schema.ty(ty).field(*id).name);
            }
            (FieldRef::Declared(id), None) => self.debug(("#", id.index())),
            (FieldRef::Dynamic(path), _) => self.debug(("dynamic", path)),
            (FieldRef::Time, _) => self.word("time"),
            (FieldRef::ByType(fields), _) => {
                let mut fields = fields.to_vec();
                match self.schema {
                    Some(schema) => {
                        order::sort_by_key(&mut fields, |(ty, _)| schema.ty(*ty).name.clone());
                    }
                    None => order::sort_by_key(&mut fields, |(ty, _)| *ty),
                }
                for (ty, field) in &fields {
                    self.ty(Some(*ty));
                    self.field(Some(*ty), field);
                }
            }
        }
    }

    fn step_type(&self, step: StepId) -> Option<TypeId> {
        self.types.get(step.index()).copied().flatten()
    }

    fn aggregate(&mut self, aggregate: &Aggregate) {
        self.debug((aggregate.op, self.label(aggregate.step)));
        let each = self.step_type(aggregate.step);
        let outside = std::mem::replace(&mut self.candidate, each);
        if let Some(arg) = &aggregate.arg {
            self.expr(arg);
        }
        self.candidate = outside;
    }

    fn expr(&mut self, expr: &Expr) {
        self.word("(");
        match expr {
            Expr::Literal(value) => {
                self.word(&literal(value));
            }
            Expr::Field(field) => self.field(self.candidate, field),
            Expr::Captured(CapturedField { step, pick, field }) => {
                self.debug(("captured", step.map(|step| self.label(step))));
                match pick {
                    Pick::First => self.word("first"),
                    Pick::Last => self.word("last"),
                    Pick::Nth(n) => self.debug(n),
                    Pick::FromEnd(n) => self.debug(("end", n)),
                }
                self.field(step.and_then(|step| self.step_type(step)), field);
            }
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::Register(index) => self.debug(("register", index)),
            Expr::Key(index) => self.debug(("key", index)),
            Expr::StepKey(test) => self.debug(("step key", test.variant, &test.fields)),
            Expr::Match(fact) => self.debug(fact),
            Expr::Matches(MatchesFact::Count) => self.word("matches"),
            Expr::Matches(MatchesFact::Total(total)) => self.debug(("matches", total.index())),
            Expr::Not(x) => {
                self.word("not");
                self.expr(x);
            }
            Expr::Neg(x) => {
                self.word("neg");
                self.expr(x);
            }
            Expr::Binary(op, a, b) => {
                self.word(op.as_str());
                self.expr(a);
                self.expr(b);
            }
            Expr::In(x, set) => {
                self.word("in");
                self.expr(x);
                self.set(set);
            }
            Expr::IsNull(x) => {
                self.word("null");
                self.expr(x);
            }
            Expr::IsTrue(x) => {
                self.word("true");
                self.expr(x);
            }
            Expr::Regex(..) | Expr::Fits(..) | Expr::Fold(_) | Expr::Items(..) | Expr::Item => {
                self.text_or_items(expr);
            }
            Expr::If(parts) => {
                self.word("if");
                self.exprs(&**parts);
            }
            Expr::Call(function, args) => {
                self.callee(function);
                self.exprs(args);
            }
            Expr::List(items) => {
                self.word("list");
                self.exprs(items);
            }
            Expr::Record(fields) => {
                self.word("record");
                for (name, value) in fields {
                    self.debug(name);
                    self.expr(value);
                }
            }
        }
        self.word(")");
    }

    /// A comparison of text or of the items of a list.
    fn text_or_items(&mut self, expr: &Expr) {
        match expr {
            Expr::Regex(x, regex) => {
                self.debug(("~", regex.as_str()));
                if regex.case() == TextCase::Ignored {
                    self.word("nocase");
                }
                self.expr(x);
            }
            Expr::Fold(x) => {
                self.word("fold");
                self.expr(x);
            }
            Expr::Fits(x, patterns) => {
                self.patterns(patterns);
                self.expr(x);
            }
            Expr::Items(of, list, test) => {
                self.word(of.as_str());
                self.expr(list);
                self.expr(test);
            }
            _ => self.word("item"),
        }
    }

    fn patterns(&mut self, patterns: &TextPatterns) {
        self.debug(("fits", patterns.syntax(), patterns.case()));
        if let (Some(list), None) = (&patterns.list, self.schema) {
            self.debug(("list", list));
            return;
        }
        let mut texts: Vec<&str> = patterns.texts().iter().map(|text| &**text).collect();
        texts.sort_unstable();
        self.debug(texts);
    }

    fn set(&mut self, set: &Set) {
        match set {
            Set::Values(values) => self.values(values),
            Set::Range(low, high) => {
                self.word("range");
                self.expr(low);
                self.expr(high);
            }
            Set::Expr(list) => self.expr(list),
        }
    }

    fn callee(&mut self, function: &Callee) {
        match function {
            // The zone is among the arguments.
            Callee::BuiltIn(function) | Callee::InZone(function, _) => {
                self.word(function.name);
            }
            Callee::Host(function) => {
                let (params, required) = (function.params(), function.required());
                let result = function.result();
                self.debug(("host", function.name(), params, required, result));
            }
        }
    }

    fn exprs(&mut self, exprs: &[Expr]) {
        for expr in exprs {
            self.expr(expr);
        }
    }

    fn values(&mut self, set: &ValueSet) {
        if let (Some(list), None) = (&set.list, self.schema) {
            self.debug(("list", list));
            return;
        }
        let mut texts: Vec<String> = set.values.iter().map(literal).collect();
        texts.extend(set.networks.iter().map(|(ip, prefix)| format!("{ip}/{prefix}")));
        texts.sort_unstable();
        self.debug(texts);
    }
}

/// A value with its type. Durations are spelled in days and less: the spelling of weeks is newer
/// than the versions of rules that have been recorded.
fn literal(value: &Value) -> String {
    match value {
        Value::Duration(millis) => format!("{} {}", value.kind(), format_millis_in_days(*millis)),
        _ => format!("{} {value}", value.kind()),
    }
}
