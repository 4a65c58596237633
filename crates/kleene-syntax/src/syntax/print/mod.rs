//! The tree to text, in one spelling. What is printed reads back as the same tree.

mod expr;
mod pattern;
mod rule;
mod test;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::ast::{
    Define, EventDecl, FieldDecl, File, FileItem, ListDecl, ListSource, Literal, ParamDecl, Type,
};
use super::layout::{BreakEdge, Flat, Mark, MarkKind, lay_out};
use super::words;
use kleene_event::time::format_millis;

/// The file in the one spelling of the language, comments left out.
pub fn print(file: &File) -> String {
    let mut printer = Printer::default();
    printer.file(file, Spacing::Loose);
    lay_out(&printer.finish(), &BTreeMap::new())
}

/// The file with marks where lines may break. Blank lines stand only where they have to.
pub(super) fn flat(file: &File) -> Flat {
    let mut printer = Printer::default();
    printer.file(file, Spacing::Tight);
    printer.finish()
}

/// The blank lines between declarations.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Spacing {
    /// Only where they have to be.
    Tight,
    /// Also between declarations of different kinds.
    Loose,
}

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
    fn may_break(&mut self, flat: &str, edge: BreakEdge) {
        self.mark(MarkKind::Break { hard: false, blanks: flat.len(), edge, apart: false });
        self.push(flat);
    }

    /// A new line.
    fn line(&mut self, edge: BreakEdge) {
        self.mark(MarkKind::Break { hard: true, blanks: 1, edge, apart: false });
        self.push("\n");
    }

    /// Prints a group: its breaks are all taken or none.
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

    fn file(&mut self, file: &File, spacing: Spacing) {
        self.mark(MarkKind::Break { hard: true, blanks: 0, edge: BreakEdge::Open, apart: false });
        let mut last: Option<&FileItem> = None;
        for item in &file.items {
            if let Some(last) = last {
                let is_block =
                    |item: &FileItem| matches!(item, FileItem::Rule(_) | FileItem::Test(_));
                // Declarations of one line stand together, everything else apart.
                let is_short = matches!(
                    item,
                    FileItem::List(_) | FileItem::Param(_) | FileItem::Define(_) | FileItem::Use(_)
                ) && std::mem::discriminant(item) == std::mem::discriminant(last);
                let is_loose = spacing == Spacing::Loose && !is_short;
                let apart = is_block(item) || is_block(last) || is_loose;
                self.mark(MarkKind::Break {
                    hard: true,
                    blanks: 1,
                    edge: BreakEdge::Between,
                    apart,
                });
                self.push("\n");
            }
            last = Some(item);
            self.item(item);
        }
        self.mark(MarkKind::Break { hard: true, blanks: 0, edge: BreakEdge::Close, apart: false });
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

    /// Prints a list as `list` does. `item` returns true if a comma may stand behind the last one.
    fn list_with<T>(
        &mut self,
        brackets: (&str, &str),
        items: &[T],
        mut item: impl FnMut(&mut Self, &T) -> bool,
    ) {
        let pad = if brackets.0 == "{" { " " } else { "" };
        if items.is_empty() {
            return self.empty_brackets(brackets);
        }
        self.brackets(brackets, pad, |this| {
            for (i, one) in items.iter().enumerate() {
                let is_last = i + 1 == items.len();
                let comma = item(this, one);
                if !is_last {
                    this.push(",");
                    this.may_break(" ", BreakEdge::Between);
                } else if comma {
                    this.mark(MarkKind::Comma);
                }
            }
        });
    }

    /// Something in brackets that stands on lines of its own if it is too long for one.
    fn brackets(&mut self, brackets: (&str, &str), pad: &str, inner: impl FnOnce(&mut Self)) {
        self.group(|this| {
            this.push(brackets.0);
            this.indented(|this| {
                this.may_break(pad, BreakEdge::Open);
                inner(this);
                this.may_break(pad, BreakEdge::Close);
            });
            this.push(brackets.1);
        });
    }

    /// Brackets with nothing in them but comments.
    fn empty_brackets(&mut self, brackets: (&str, &str)) {
        self.group(|this| {
            this.push(brackets.0);
            this.indented(|this| this.may_break("", BreakEdge::Empty));
            this.push(brackets.1);
        });
    }

    /// A name where reserved words need back-quotes.
    fn name(&mut self, name: &str) {
        self.plain_if(name, !words::is_reserved(name));
    }

    /// A name where every word may be one.
    fn free_name(&mut self, name: &str) {
        self.plain_if(name, words::is_word(name));
    }

    /// The first name of a path in an expression.
    fn root(&mut self, name: &str) {
        self.plain_if(name, !words::is_operator(name));
    }

    /// A name without back-quotes if it is a word and may be `plain`.
    fn plain_if(&mut self, name: &str, plain: bool) {
        if plain && words::is_word(name) {
            self.push(name);
        } else {
            let _ = write!(self.out, "`{name}`");
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

    fn item(&mut self, item: &FileItem) {
        match item {
            FileItem::Event(event) => self.event(event),
            FileItem::List(list) => self.list_decl(list),
            FileItem::Param(param) => self.param(param),
            FileItem::Define(define) => self.define(define),
            FileItem::Rule(rule) => {
                self.push("rule ");
                self.name(&rule.name.node);
                self.push(" ");
                self.clauses(&rule.clauses);
            }
            FileItem::Instance(instance) => {
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
                        self.brackets(("{", "}"), " ", |this| this.clause(&one.node));
                    }
                    overrides => {
                        self.push(" ");
                        self.clauses(overrides);
                    }
                }
            }
            FileItem::Test(test) => self.test(test),
            FileItem::Use(file) => {
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
}
