//! Event declarations to a [`Schema`](kleene_event::schema::Schema), nested records flattened.

use std::sync::Arc;

use hashbrown::HashMap;

use super::env::Env;
use crate::diagnostic::{Code, Diagnostic, Source, Span};
use crate::hir::site::Site;
use crate::syntax;
use crate::syntax::ast::{self, FieldDecl, Name, Spanned};
use kleene_event::schema::{EventType, Field, FieldId, FieldType};

/// The most fields that an event type has, nested ones counted one by one. Elastic's common schema,
/// the largest in the field, has some 2,000.
const MAX_FIELDS: usize = 16_384;

/// The fields of an event type, those of nested records included.
#[derive(Default)]
struct FlatFields {
    fields: Vec<Field>,
    /// Those that can be the event time.
    times: Vec<EventTimeField>,
}

/// The record around a field: its name with a dot, and whether it may be missing.
#[derive(Clone, Copy)]
struct Outer<'a> {
    prefix: &'a str,
    optional: bool,
}

/// A field that may be the event time.
struct EventTimeField {
    id: FieldId,
    span: Span,
    marked: bool,
    optional: bool,
}

impl<'a> Env<'a> {
    /// Declares the event types of the host's Rust types.
    pub(super) fn declare_host_types(&mut self) {
        for (index, ty) in self.host.types.iter().enumerate() {
            let name = &*ty.name;
            let (message, help) = if !syntax::is_name(name) {
                (
                    format!("rules can't name an event type `{name}`"),
                    "rename it: #[event(rename = \"...\")]",
                )
            } else if self.schema.add(ty.clone()).is_none() {
                let message = format!("two Rust types have the same event type `{name}`");
                (message, "rename one of them: #[event(rename = \"...\")]")
            } else {
                continue;
            };
            let span = Span::new(0, name.len());
            let diagnostic = Diagnostic::error(Code::DuplicateName, span, message).help(help);
            let source =
                self.sources.len() + self.host.params.len() + self.host.functions.len() + index;
            self.report(source, diagnostic);
        }
    }

    /// Checks a declaration in text against a Rust type with the same name. Returns true if no Rust
    /// type has the name.
    fn is_new_to_host(&mut self, source: usize, name: &Name, ty: &EventType) -> bool {
        let Some(host) = self.host.types.iter().find(|host| host.name == ty.name) else {
            return true;
        };
        let Some(difference) = difference(host, ty) else { return false };
        let message = format!("the Rust type declares the event type `{}` differently", ty.name);
        let diagnostic = Diagnostic::error(Code::DuplicateName, name.span, message)
            .label(difference)
            .help("remove the declaration, or make it match the Rust type");
        self.report(source, diagnostic);
        false
    }

    pub(super) fn declare_events(&mut self, files: &'a [(Source, ast::File)]) {
        for (source, (_, file)) in files.iter().enumerate() {
            for item in &file.items {
                if let ast::FileItem::Event(event) = item {
                    self.declare_event(source, event);
                }
            }
        }
    }

    fn declare_event(&mut self, source: usize, decl: &'a ast::EventDecl) {
        let mut flat = FlatFields::default();
        self.flatten(source, &decl.fields, Outer { prefix: "", optional: false }, &mut flat);
        let FlatFields { mut fields, mut times } = flat;
        if fields.len() > MAX_FIELDS {
            let message = format!("`{}` has {} fields", decl.name.node, fields.len());
            let diagnostic = Diagnostic::error(Code::LimitExceeded, decl.name.span, message)
                .label(format!("an event type has at most {MAX_FIELDS}"))
                .help(
                    "declare only the fields that rules read, and allow the others with `..` at \
                     the end",
                );
            self.report(source, diagnostic);
            fields.truncate(MAX_FIELDS);
            times.retain(|time: &EventTimeField| time.id.index() < MAX_FIELDS);
        }
        let time = self.event_time(source, decl, &times);
        let ty = EventType { name: decl.name.node.as_str().into(), fields, time, open: decl.open };
        let name = decl.name.node.as_str();
        let site = Site { source, span: decl.name.span };
        let Some(first) = self.declarations.declared.get(&("event type", name)).copied() else {
            self.declarations.declared.insert(("event type", name), site);
            if self.is_new_to_host(source, &decl.name, &ty) {
                self.schema.add(ty);
            }
            return;
        };
        if self.host.types.iter().any(|host| *host.name == *name) && first.source != source {
            self.is_new_to_host(source, &decl.name, &ty);
            return;
        }
        let before = self.schema.type_id(name).map(|id| self.schema.ty(id));
        let difference = before.and_then(|before| {
            // A Rust type may keep its time to itself; a text says which field it is.
            let is_untimed = before.time.is_none() && ty.time.is_some();
            let untimed = is_untimed.then(|| String::from("it has no event time"));
            difference(before, &ty).or(untimed)
        });
        if first.source != source && difference.is_none() {
            return;
        }
        let message = if first.source == source {
            format!("the event type `{name}` is declared twice")
        } else {
            format!("the event type `{name}` is declared differently elsewhere")
        };
        let diagnostic = Diagnostic::error(Code::DuplicateName, decl.name.span, message);
        let diagnostic = self.point_at(diagnostic, source, first, "declared here first");
        let shared = "two files may declare the same type if both declarations are identical";
        let help = match difference.filter(|_| first.source != source) {
            Some(difference) => format!("{shared}; there, {difference}"),
            None => String::from(shared),
        };
        self.report(source, diagnostic.help(help));
    }

    fn flatten(
        &mut self,
        source: usize,
        decls: &[FieldDecl],
        outer: Outer<'_>,
        flat: &mut FlatFields,
    ) {
        let prefix = outer.prefix;
        let mut firsts: HashMap<&str, Span> = HashMap::new();
        for decl in decls {
            let first = *firsts.entry(&decl.name.node).or_insert(decl.name.span);
            if first != decl.name.span {
                let message = format!("the field `{}` is declared twice", decl.name.node);
                let diagnostic = Diagnostic::error(Code::DuplicateName, decl.name.span, message)
                    .context(first, "declared here first");
                self.report(source, diagnostic);
                continue;
            }
            let name: Arc<str> = format!("{prefix}{}", decl.name.node).into();
            let optional = outer.optional || decl.optional;
            if decl.event_time && decl.ty.node != ast::Type::Time {
                let message = "the event time must be a field of type `time`";
                let help = format!("write `{}: time = event time`", decl.name.node);
                self.error(source, Code::BadEvent, decl.ty.span, message, help);
            }
            if let ast::Type::Record(inner) = &decl.ty.node {
                let outer = Outer { prefix: &format!("{name}."), optional };
                self.flatten(source, inner, outer, flat);
                continue;
            }
            let Some(ty) = self.field_type(source, &decl.ty) else { continue };
            if ty == FieldType::Time && (prefix.is_empty() || decl.event_time) {
                flat.times.push(EventTimeField {
                    id: FieldId::new(flat.fields.len()),
                    span: decl.name.span,
                    marked: decl.event_time,
                    optional,
                });
            }
            flat.fields.push(Field { name, ty, optional });
        }
    }

    fn field_type(&mut self, source: usize, ty: &Spanned<ast::Type>) -> Option<FieldType> {
        Some(match &ty.node {
            ast::Type::Bool => FieldType::Bool,
            ast::Type::Int => FieldType::Int,
            ast::Type::Float => FieldType::Float,
            ast::Type::String => FieldType::String,
            ast::Type::Time => FieldType::Time,
            ast::Type::Duration => FieldType::Duration,
            ast::Type::Ip => FieldType::Ip,
            ast::Type::List(element) => {
                FieldType::List(Box::new(self.field_type(source, element)?))
            }
            ast::Type::Record(_) => {
                let diagnostic = Diagnostic::unsupported(ty.span, "a list of records");
                let help = "send one event for each record, or one list for each field: `prices: \
                            list<float>`";
                self.report(source, diagnostic.help(help));
                return None;
            }
        })
    }

    fn event_time(
        &mut self,
        source: usize,
        decl: &ast::EventDecl,
        times: &[EventTimeField],
    ) -> Option<FieldId> {
        let marked: Vec<_> = times.iter().filter(|time| time.marked).collect();
        let time = match (marked.as_slice(), times) {
            ([time], _) => *time,
            ([], [time]) => time,
            ([], []) => return None,
            ([], [first, second, ..]) => {
                let message = format!("`{}` has several fields of type `time`", decl.name.node);
                let diagnostic = Diagnostic::error(Code::BadEvent, decl.name.span, message)
                    .context(first.span, "this one")
                    .context(second.span, "or this one?")
                    .help("mark the event time: `at: time = event time`");
                self.report(source, diagnostic);
                return None;
            }
            ([first, second, ..], _) => {
                let message = format!("`{}` has two event times", decl.name.node);
                let diagnostic = Diagnostic::error(Code::BadEvent, second.span, message)
                    .context(first.span, "already marked here")
                    .help("mark only one field");
                self.report(source, diagnostic);
                return None;
            }
        };
        if time.optional {
            let message = format!("the event time of `{}` can't be optional", decl.name.node);
            let help = "remove the `?`, or mark another field with `= event time`";
            self.error(source, Code::BadEvent, time.span, message, help);
        }
        Some(time.id)
    }
}

/// The first thing in which the declaration `other` is not as `text`, in words about `other`. The
/// order of fields does not count.
fn difference(other: &EventType, text: &EventType) -> Option<String> {
    for field in &text.fields {
        let Some(id) = other.field_id(&field.name) else {
            return Some(format!("it has no field `{}`", field.name));
        };
        let found = other.field(id);
        if (&found.ty, found.optional) != (&field.ty, field.optional) {
            let optional = if found.optional { "?" } else { "" };
            return Some(format!("its `{}` is {}{optional}", field.name, found.ty));
        }
    }
    let has = |field: &&Field| text.field_id(&field.name).is_some();
    if let Some(more) = other.fields.iter().find(|field| !has(field)) {
        return Some(format!("it also has a field `{}`", more.name));
    }
    let time = |ty: &EventType| ty.time.map(|time| ty.field(time).name.clone());
    match (time(other), time(text)) {
        (Some(other), text) if Some(&other) != text.as_ref() => {
            Some(format!("its event time is `{other}`"))
        }
        _ if other.open != text.open => {
            Some(String::from(if other.open { "it has `..`" } else { "it has no `..`" }))
        }
        _ => None,
    }
}
