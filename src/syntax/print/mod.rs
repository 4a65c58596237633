//! The tree to text, in one spelling. What is printed reads back as the same tree.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::time::format_millis;

use super::ast::{
    ANY_EVENT, Arrow, BinaryOp, Body, Choice, Clause, Contiguity, Define, Dur, Emit, EventDecl,
    Expr, FieldDecl, File, Item, Junction, LimitPolicy, ListDecl, ListSource, Literal, LoopMode,
    Once, ParamDecl, Part, Path, PathPart, Quant, Sequence, Skip, SkipStrategy, Spanned, Step,
    Take, Test, TestStep, Type, Unit, Until,
};
use super::layout::{Edge, Flat, Mark, MarkKind, lay_out};
use super::words;

/// The file in the one spelling of the language, comments left out.
pub fn print(file: &File) -> String {
    let mut printer = Printer::default();
    printer.file(file, true);
    lay_out(&printer.finish(), &BTreeMap::new())
}

/// The file with marks where lines may break. Blank lines stand only where they have to.
pub(super) fn flat(file: &File) -> Flat {
    let mut printer = Printer::default();
    printer.file(file, false);
    printer.finish()
}

type Field = (super::ast::Name, Option<Spanned<Expr>>);

#[derive(Default)]
struct Printer {
    /// Everything on one line.
    out: String,
    marks: Vec<Mark>,
}

impl Printer {
    fn finish(self) -> Flat {
        Flat { text: self.out, marks: self.marks }
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn mark(&mut self, kind: MarkKind) {
        self.marks.push(Mark { at: self.out.len(), kind });
    }

    /// A place where the line may be broken, instead of the blanks that `flat` is.
    fn may_break(&mut self, flat: &str, edge: Edge) {
        self.mark(MarkKind::Break { hard: false, blanks: flat.len(), edge, apart: false });
        self.push(flat);
    }

    /// A new line.
    fn line(&mut self, edge: Edge, apart: bool) {
        self.mark(MarkKind::Break { hard: true, blanks: 1, edge, apart });
        self.push("\n");
    }

    /// What is broken everywhere or nowhere.
    fn group(&mut self, inner: impl FnOnce(&mut Self)) {
        self.mark(MarkKind::Begin);
        inner(self);
        self.mark(MarkKind::End);
    }

    fn indented(&mut self, inner: impl FnOnce(&mut Self)) {
        self.mark(MarkKind::Indent);
        inner(self);
        self.mark(MarkKind::Dedent);
    }

    fn file(&mut self, file: &File, apart: bool) {
        self.mark(MarkKind::Break { hard: true, blanks: 0, edge: Edge::Open, apart: false });
        let mut last: Option<&Item> = None;
        for item in &file.items {
            if let Some(last) = last {
                let is_block = |item: &Item| matches!(item, Item::Rule(_) | Item::Test(_));
                // Declarations of one line stand together, everything else apart.
                let is_short =
                    matches!(item, Item::List(_) | Item::Param(_) | Item::Define(_) | Item::Use(_))
                        && std::mem::discriminant(item) == std::mem::discriminant(last);
                self.line(Edge::Between, is_block(item) || is_block(last) || apart && !is_short);
            }
            last = Some(item);
            self.item(item);
        }
        self.mark(MarkKind::Break { hard: true, blanks: 0, edge: Edge::Close, apart: false });
    }

    /// `before item, item, ... after`; a line each if they are too long for one.
    fn list<T>(
        &mut self,
        brackets: (&str, &str),
        items: &[T],
        mut item: impl FnMut(&mut Self, &T),
    ) {
        self.list_with(brackets, items, |this, one| {
            item(this, one);
            true
        });
    }

    /// The same; `item` reports whether a comma may stand behind it if it is the last one.
    fn list_with<T>(
        &mut self,
        brackets: (&str, &str),
        items: &[T],
        mut item: impl FnMut(&mut Self, &T) -> bool,
    ) {
        let pad = if brackets.0 == "{" { " " } else { "" };
        self.brackets(brackets, pad, items.is_empty(), |this| {
            for (i, one) in items.iter().enumerate() {
                let is_last = i + 1 == items.len();
                let comma = item(this, one);
                if !is_last {
                    this.push(",");
                    this.may_break(" ", Edge::Between);
                } else if comma {
                    this.mark(MarkKind::Comma);
                }
            }
        });
    }

    /// Something in brackets that stands on lines of its own if it is too long for one.
    fn brackets(
        &mut self,
        brackets: (&str, &str),
        pad: &str,
        is_empty: bool,
        inner: impl FnOnce(&mut Self),
    ) {
        self.group(|this| {
            this.push(brackets.0);
            this.indented(|this| {
                if is_empty {
                    return this.may_break("", Edge::Empty);
                }
                this.may_break(pad, Edge::Open);
                inner(this);
                this.may_break(pad, Edge::Close);
            });
            this.push(brackets.1);
        });
    }

    /// A name where reserved words need back-quotes.
    fn name(&mut self, name: &str) {
        self.quoted(name, words::is_reserved(name));
    }

    /// A name where every word may be one.
    fn free_name(&mut self, name: &str) {
        self.quoted(name, false);
    }

    /// The first name of a path in an expression.
    fn root(&mut self, name: &str) {
        self.quoted(name, words::is_operator(name));
    }

    fn quoted(&mut self, name: &str, quote: bool) {
        if quote || !words::is_word(name) {
            let _ = write!(self.out, "`{name}`");
        } else {
            self.push(name);
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.push("\\\""),
                '\\' => self.push("\\\\"),
                '\n' => self.push("\\n"),
                '\r' => self.push("\\r"),
                '\t' => self.push("\\t"),
                c if c.is_control() => {
                    let _ = write!(self.out, "\\u{{{:x}}}", u32::from(c));
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Event(event) => self.event(event),
            Item::List(list) => self.list_decl(list),
            Item::Param(param) => self.param(param),
            Item::Define(define) => self.define(define),
            Item::Rule(rule) => {
                self.push("rule ");
                self.name(&rule.name.node);
                self.push(" ");
                self.clauses(&rule.clauses);
            }
            Item::Instance(instance) => {
                self.push("rule ");
                self.name(&instance.name.node);
                self.push(" = ");
                self.name(&instance.base.node);
                self.list(("(", ")"), &instance.args, |this, (name, value)| {
                    this.free_name(&name.node);
                    this.push(": ");
                    this.literal(&value.node);
                });
                match instance.overrides.as_slice() {
                    [] => {}
                    [one] => {
                        self.push(" ");
                        self.brackets(("{", "}"), " ", false, |this| this.clause(&one.node));
                    }
                    overrides => {
                        self.push(" ");
                        self.clauses(overrides);
                    }
                }
            }
            Item::Test(test) => self.test(test),
            Item::Use(file) => {
                self.push("use ");
                self.string(&file.node);
            }
        }
    }

    fn event(&mut self, event: &EventDecl) {
        self.push("event ");
        self.name(&event.name.node);
        self.push(" ");
        // The `..` is one more field, so to say.
        let mut fields: Vec<Option<&FieldDecl>> = event.fields.iter().map(Some).collect();
        if event.open {
            fields.push(None);
        }
        self.list_with(("{", "}"), &fields, |this, field| {
            match field {
                Some(field) => this.field(field),
                None => this.push(".."),
            }
            // No comma behind `..`.
            field.is_some()
        });
    }

    fn field(&mut self, field: &FieldDecl) {
        self.free_name(&field.name.node);
        self.push(": ");
        self.ty(&field.ty.node);
        if field.optional {
            self.push("?");
        }
        if field.event_time {
            self.push(" = event time");
        }
    }

    fn ty(&mut self, ty: &Type) {
        match ty {
            Type::Bool => self.push("bool"),
            Type::Int => self.push("int"),
            Type::Float => self.push("float"),
            Type::String => self.push("string"),
            Type::Time => self.push("time"),
            Type::Duration => self.push("duration"),
            Type::Ip => self.push("ip"),
            Type::List(inner) => {
                self.push("list<");
                self.ty(&inner.node);
                self.push(">");
            }
            Type::Record(fields) => self.list(("{", "}"), fields, Self::field),
        }
    }

    fn list_decl(&mut self, list: &ListDecl) {
        self.push("list ");
        self.free_name(&list.name.node);
        self.push(": ");
        self.ty(&list.ty.node);
        match &list.source {
            ListSource::Inline(entries) => {
                self.push(" = ");
                self.list(("[", "]"), entries, |this, entry| this.literal(&entry.node));
            }
            ListSource::File(file) => {
                self.push(" from ");
                self.string(&file.node);
            }
        }
    }

    fn param(&mut self, param: &ParamDecl) {
        self.push("param ");
        self.free_name(&param.name.node);
        self.push(": ");
        self.ty(&param.ty.node);
        self.push(" = ");
        self.literal(&param.value.node);
    }

    fn define(&mut self, define: &Define) {
        self.push("define ");
        self.name(&define.name.node);
        self.push(" = ");
        self.step(&define.step);
    }

    fn literal(&mut self, literal: &Literal) {
        match literal {
            Literal::Null => self.push("null"),
            Literal::Bool(value) => self.push(if *value { "true" } else { "false" }),
            Literal::Int(value) => {
                let _ = write!(self.out, "{value}");
            }
            Literal::Float(value) => {
                let _ = write!(self.out, "{value:?}");
            }
            Literal::String(value) => self.string(value),
            Literal::Duration(millis) => self.push(&format_millis(*millis)),
        }
    }

    // Rules.

    fn clauses(&mut self, clauses: &[Spanned<Clause>]) {
        self.block(clauses, |this, clause| this.clause(&clause.node));
    }

    /// `{ ... }` with a line for each item.
    fn block<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        if items.is_empty() {
            return self.brackets(("{", "}"), "", true, |_| ());
        }
        self.push("{");
        self.indented(|this| {
            for (i, one) in items.iter().enumerate() {
                this.line(if i == 0 { Edge::Open } else { Edge::Between }, false);
                item(this, one);
            }
            this.line(Edge::Close, false);
        });
        self.push("}");
    }

    fn clause(&mut self, clause: &Clause) {
        match clause {
            Clause::About(text) => {
                self.push("about ");
                self.string(&text.node);
            }
            Clause::Severity(name) => {
                self.push("severity ");
                self.name(&name.node);
            }
            Clause::Tags(tags) => {
                self.push("tags ");
                self.list(("[", "]"), tags, |this, tag| this.string(&tag.node));
            }
            Clause::Meta(fields) => {
                self.push("meta ");
                self.list(("{", "}"), fields, |this, (name, value)| {
                    this.free_name(&name.node);
                    this.push(": ");
                    this.expr(&value.node, 0);
                });
            }
            Clause::Param(param) => self.param(param),
            Clause::Define(define) => self.define(define),
            Clause::From(None) => self.push("from *"),
            Clause::From(Some(names)) => {
                self.push("from ");
                self.names(names);
            }
            Clause::Key(parts) => {
                self.push("key ");
                for (i, part) in parts.iter().enumerate() {
                    if i > 0 {
                        self.push(", ");
                    }
                    self.name(&part.name.node);
                    if !part.paths.is_empty() {
                        self.push(" ");
                        self.list(("{", "}"), &part.paths, |this, (ty, path)| {
                            this.free_name(&ty.node);
                            this.push(": ");
                            this.path(path);
                        });
                    }
                }
            }
            Clause::Match(body) => {
                self.push("match ");
                self.body(body);
            }
            Clause::Within(dur) => {
                self.push("within ");
                self.dur(dur);
            }
            Clause::Skip(skip) => self.skip(skip),
            Clause::Emit(emit) => self.emit(emit),
            Clause::OnTimeout(emit) => {
                self.push("on timeout ");
                self.emit(emit);
            }
            Clause::Having(condition) => {
                self.push("having ");
                self.expr(&condition.node, 0);
            }
            Clause::Suppress(dur, by) => {
                self.push("suppress ");
                self.dur(dur);
                if !by.is_empty() {
                    self.push(" by ");
                    self.names(by);
                }
            }
            Clause::Once(Once::Key) => self.push("once"),
            Clause::Once(Once::Rule) => self.push("once per rule"),
            Clause::Limit(number, policy) => {
                let policy = match policy {
                    LimitPolicy::DropOldest => "drop oldest",
                    LimitPolicy::DropNewest => "drop newest",
                    LimitPolicy::Fail => "fail",
                };
                let _ = write!(self.out, "limit {} partials {policy}", number.node);
            }
        }
    }

    fn names(&mut self, names: &[super::ast::Name]) {
        for (i, name) in names.iter().enumerate() {
            if i > 0 {
                self.push(", ");
            }
            self.name(&name.node);
        }
    }

    fn skip(&mut self, skip: &Skip) {
        self.push("skip ");
        match &skip.strategy {
            SkipStrategy::None => self.push("none"),
            SkipStrategy::PastLast => self.push("past last"),
            SkipStrategy::ToNext => self.push("to next"),
            SkipStrategy::ToFirst(name) => {
                self.push("to first ");
                self.name(&name.node);
            }
            SkipStrategy::ToLast(name) => {
                self.push("to last ");
                self.name(&name.node);
            }
        }
        if skip.ordered {
            self.push(" ordered");
        }
    }

    fn emit(&mut self, emit: &Emit) {
        self.push("emit ");
        if let Some(name) = &emit.as_type {
            self.push("as ");
            self.name(&name.node);
            self.push(" ");
        }
        self.record(&emit.fields);
    }

    fn record(&mut self, fields: &[Field]) {
        self.list(("{", "}"), fields, |this, (name, value)| match value {
            Some(value) => {
                this.free_name(&name.node);
                this.push(": ");
                this.expr(&value.node, 0);
            }
            None => this.root(&name.node),
        });
    }

    fn dur(&mut self, dur: &Dur) {
        match dur {
            Dur::Literal(millis) => self.push(&format_millis(millis.node)),
            Dur::Param(name) => {
                self.push("$");
                self.free_name(&name.node);
            }
            Dur::Path(path) if path.root.node == "prev" => self.path(path),
            Dur::Path(path) => {
                self.name(&path.root.node);
                self.path_rest(path);
            }
        }
    }

    // Patterns.

    fn body(&mut self, body: &Body) {
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
                            this.may_break(" ", Edge::Between);
                            this.push(junction);
                            this.group(|this| this.sequence(sequence));
                        });
                    }
                }
            }
            if let Some(choice) = &body.without {
                this.indented(|this| {
                    this.may_break(" ", Edge::Between);
                    this.push("without ");
                    this.choice(choice);
                });
            }
        });
    }

    fn sequence(&mut self, sequence: &Sequence) {
        for (i, (arrow, part)) in sequence.parts.iter().enumerate() {
            if i == 0 {
                self.part(part);
                continue;
            }
            self.indented(|this| {
                this.may_break(" ", Edge::Between);
                this.arrow(arrow);
                this.part(part);
            });
        }
    }

    fn part(&mut self, part: &Part) {
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

    fn arrow(&mut self, arrow: &Arrow) {
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

    fn take(&mut self, take: &Take) {
        match &take.unit {
            Unit::Step(step) => self.step(step),
            Unit::Group(body, within) => {
                self.brackets(("(", ")"), "", false, |this| {
                    this.body(body);
                    this.within(within.as_ref());
                });
            }
            Unit::Of(count, sequences, within) => {
                let _ = write!(self.out, "{} of ", count.node);
                self.brackets(("(", ")"), "", false, |this| {
                    for (i, sequence) in sequences.iter().enumerate() {
                        if i > 0 {
                            this.push(",");
                            this.may_break(" ", Edge::Between);
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

    fn within(&mut self, within: Option<&Dur>) {
        if let Some(within) = within {
            self.push(" within ");
            self.dur(within);
        }
    }

    /// Parentheses stand around several steps only.
    fn choice(&mut self, choice: &Choice) {
        let [one] = choice.steps.as_slice() else {
            return self.brackets(("(", ")"), "", false, |this| {
                for (i, step) in choice.steps.iter().enumerate() {
                    if i > 0 {
                        this.may_break(" ", Edge::Between);
                        this.push("or ");
                    }
                    this.step(step);
                }
            });
        };
        self.step(one);
    }

    fn step(&mut self, step: &Step) {
        if step.wildcard {
            self.push(ANY_EVENT);
        } else {
            self.name(&step.name.node);
        }
        if let Some(condition) = &step.condition {
            self.condition(&condition.node);
        }
    }

    fn condition(&mut self, condition: &Expr) {
        self.brackets(("[", "]"), "", false, |this| match condition {
            // Nothing else stands in the brackets that it could be confused with.
            Expr::Binary(op @ (BinaryOp::And | BinaryOp::Or), left, right) => {
                this.group(|this| this.chain(*op, &left.node, &right.node));
            }
            _ => this.expr(condition, 0),
        });
    }

    fn quant(&mut self, quant: &Quant) {
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

    // Expressions.

    fn path(&mut self, path: &Path) {
        self.root(&path.root.node);
        self.path_rest(path);
    }

    fn path_rest(&mut self, path: &Path) {
        for part in &path.rest {
            match part {
                PathPart::Field(name) => {
                    self.push(".");
                    self.free_name(&name.node);
                }
                PathPart::Index(index) => {
                    let _ = write!(self.out, "[{}]", index.node);
                }
            }
        }
    }

    /// An expression; in parentheses if its operator binds less than `min`.
    fn expr(&mut self, expr: &Expr, min: u8) {
        if level(expr) < min {
            self.push("(");
            self.bare(expr);
            self.push(")");
        } else {
            self.bare(expr);
        }
    }

    fn bare(&mut self, expr: &Expr) {
        match expr {
            Expr::Literal(literal) => self.literal(literal),
            Expr::List(entries) => {
                self.list(("[", "]"), entries, |this, entry| this.expr(&entry.node, 0));
            }
            Expr::Path(path) => self.path(path),
            Expr::Param(name) => {
                self.push("$");
                self.free_name(&name.node);
            }
            Expr::Not(inner) => {
                self.push("not ");
                self.expr(&inner.node, NOT);
            }
            Expr::Neg(inner) => {
                self.push("-");
                // `-5` is a literal; this is something else.
                let min = if is_unsigned_number(&inner.node) { u8::MAX } else { UNARY };
                self.expr(&inner.node, min);
            }
            Expr::Binary(op @ (BinaryOp::And | BinaryOp::Or), left, right) => {
                self.group(|this| this.indented(|this| this.chain(*op, &left.node, &right.node)));
            }
            Expr::Binary(op, left, right) => {
                let level = level(expr);
                let left_min = if level == COMPARE { COMPARE + 1 } else { level };
                self.expr(&left.node, left_min);
                let _ = write!(self.out, " {} ", op.as_str());
                self.expr(&right.node, level + 1);
            }
            Expr::In { negated, value, set } => {
                self.expr(&value.node, ADD);
                self.push(if *negated { " not in " } else { " in " });
                if let Expr::Range(from, to) = &set.node {
                    self.expr(&from.node, ADD);
                    self.push("..");
                    self.expr(&to.node, ADD);
                } else {
                    self.expr(&set.node, ADD);
                }
            }
            Expr::Range(from, to) => {
                self.expr(&from.node, ADD);
                self.push("..");
                self.expr(&to.node, ADD);
            }
            Expr::IsNull { negated, value } => {
                self.expr(&value.node, ADD);
                self.push(if *negated { " is not null" } else { " is null" });
            }
            Expr::Call(name, arguments) => {
                self.root(&name.node);
                self.list(("(", ")"), arguments, |this, argument| this.expr(&argument.node, 0));
            }
            Expr::If(parts) => {
                let [condition, yes, no] = parts.as_ref();
                self.push("if ");
                self.expr(&condition.node, 0);
                self.push(" then ");
                self.expr(&yes.node, 0);
                self.push(" else ");
                self.expr(&no.node, 0);
            }
        }
    }

    /// `left op right` for an `and` or `or`; broken, a line starts with the operator.
    fn chain(&mut self, op: BinaryOp, left: &Expr, right: &Expr) {
        self.link(op, left);
        self.may_break(" ", Edge::Between);
        let _ = write!(self.out, "{} ", op.as_str());
        self.link(op, right);
    }

    /// One side of an `and` or `or`: a chain of the same operator goes on without parentheses.
    fn link(&mut self, op: BinaryOp, side: &Expr) {
        match side {
            Expr::Binary(inner, left, right) if *inner == op => {
                self.chain(op, &left.node, &right.node);
            }
            _ => {
                let min = if op == BinaryOp::Or { AND } else { NOT };
                self.expr(side, min);
            }
        }
    }

    // Tests.

    fn test(&mut self, test: &Test) {
        self.push("test ");
        self.name(&test.rule.node);
        self.push(" ");
        self.block(&test.steps, |this, step| this.test_step(&step.node));
    }

    fn test_step(&mut self, step: &TestStep) {
        match step {
            TestStep::Event { at, ty, fields } => {
                let _ = write!(self.out, "at {} ", format_millis(at.node));
                self.name(&ty.node);
                self.push(" ");
                self.record(fields);
            }
            TestStep::Advance(to) => {
                let _ = write!(self.out, "advance to {}", format_millis(to.node));
            }
            TestStep::Expect { no, timeout, fields, at } => {
                self.push(if *no { "expect no " } else { "expect " });
                self.push(if *timeout { "timeout" } else { "match" });
                if !fields.is_empty() {
                    self.push(" ");
                    self.record(fields);
                }
                if let Some(at) = at {
                    let _ = write!(self.out, " at {}", format_millis(at.node));
                }
            }
        }
    }
}

const IF: u8 = 0;
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARE: u8 = 4;
const ADD: u8 = 5;
const MUL: u8 = 6;
const UNARY: u8 = 7;
const OPERAND: u8 = 8;

/// How strongly the outermost operator of an expression binds.
fn level(expr: &Expr) -> u8 {
    match expr {
        Expr::If(_) => IF,
        Expr::Binary(op, ..) => match op {
            BinaryOp::Or => OR,
            BinaryOp::And => AND,
            BinaryOp::Add | BinaryOp::Sub => ADD,
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => MUL,
            _ => COMPARE,
        },
        Expr::Not(_) => NOT,
        Expr::In { .. } | Expr::IsNull { .. } | Expr::Range(..) => COMPARE,
        Expr::Neg(_) => UNARY,
        Expr::Literal(literal) if is_negative(literal) => UNARY,
        _ => OPERAND,
    }
}

fn is_negative(literal: &Literal) -> bool {
    match literal {
        Literal::Int(value) | Literal::Duration(value) => *value < 0,
        Literal::Float(value) => value.is_sign_negative(),
        _ => false,
    }
}

fn is_unsigned_number(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Literal(literal @ (Literal::Int(_) | Literal::Duration(_) | Literal::Float(_)))
            if !is_negative(literal)
    )
}
