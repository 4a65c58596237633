//! A rule's `key`: its parts, and the field that holds each in the events of each type.

use std::sync::Arc;

use super::context::RuleLowerer;
use super::names::{self, listed, path_text};
use crate::diagnostic::{Code, Diagnostic};
use crate::hir::expr::FieldRef;
use crate::hir::{KeyPart, StepKeys};
use crate::syntax;
use crate::syntax::ast::{self, Clause, Name, Spanned};
use kleene_event::schema::TypeId;
use kleene_event::util::spelling::nearest;
use kleene_event::value::Kind;

impl<'a> RuleLowerer<'_, 'a> {
    /// The key's parts; of `from *`, types that lack the key are left out.
    pub(super) fn key(
        &mut self,
        key: Option<(usize, &'a Spanned<Clause>)>,
        mut types: Vec<TypeId>,
        from: Option<(usize, &'a Spanned<Clause>)>,
    ) -> (Vec<TypeId>, Vec<KeyPart>) {
        let Some((source, clause)) = key else { return (types, Vec::new()) };
        let Clause::Key(parts) = &clause.node else { return (types, Vec::new()) };
        self.find_variants(source, parts);
        let all = matches!(from, Some((_, clause)) if clause.node == Clause::From(None));
        if all {
            types.retain(|ty| {
                let has = |part: (usize, &ast::KeyPart)| {
                    let entries = self.step_keys.entries_of(*ty, part.0);
                    entries.into_iter().all(|entry| self.key_field(part, *ty, entry).is_some())
                };
                self.stream.named.contains_key(ty) || parts.iter().enumerate().all(has)
            });
        }
        let errors = self.env.errors;
        let mut out: Vec<KeyPart> = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let name: Arc<str> = part.name.node.as_str().into();
            if self.is_misspelled_key(source, part, &types) {
                self.key.push((name, Kind::NEVER));
                continue;
            }
            if out.iter().any(|other| other.name == name) {
                let message = format!("`{name}` is in the key twice");
                let diagnostic = Diagnostic::error(Code::DuplicateName, part.name.span, message);
                self.env.report(source, diagnostic);
                continue;
            }
            let (fields, kind) = self.at(source, |lowerer| lowerer.key_part(index, part, &types));
            self.key.push((name.clone(), kind));
            out.push(KeyPart { name, fields, is_computed: false });
        }
        if self.env.errors == errors {
            self.find_step_keys(parts, &types);
            for (part, own) in out.iter_mut().enumerate() {
                for StepKeys { ty, keys } in &self.step_keys.several {
                    if let Some((_, field)) = own.fields.iter_mut().find(|(of, _)| of == ty) {
                        field.clone_from(&keys[0].fields[part]);
                    }
                }
            }
        }
        (types, out)
    }

    /// Reports if no type has the field, but all have one of nearly its name.
    fn is_misspelled_key(&mut self, source: usize, part: &ast::KeyPart, types: &[TypeId]) -> bool {
        let key = part.name.node.as_str();
        let lacks = |ty: &TypeId| names::field(&self.env.schema, *ty, key).is_none();
        if types.len() < 2 || !part.paths.is_empty() || !types.iter().all(lacks) {
            return false;
        }
        let fields = |ty: &TypeId| self.env.schema.ty(*ty).fields.iter().map(|field| &*field.name);
        let Some(near) = nearest(key, fields(&types[0])) else { return false };
        if !types.iter().all(|ty| fields(ty).any(|field| field == near)) {
            return false;
        }
        let message = format!("the rule's key is `{key}`, but its events have no such field");
        let help = format!("did you mean `{near}`?");
        self.env.error(source, Code::BadKey, part.name.span, message, help);
        true
    }

    fn key_part(
        &mut self,
        index: usize,
        part: &'a ast::KeyPart,
        types: &[TypeId],
    ) -> (Vec<(TypeId, FieldRef)>, Kind) {
        for (entry, (owner, path)) in part.paths.iter().enumerate() {
            let first = self.step_keys.by_name[index].get(owner.node.as_str()).copied();
            if let Some(first) = first.filter(|first| *first < entry) {
                self.key_named_twice(&part.paths[first], owner, path);
            }
            if self.is_keyed_step(owner) != Some(false) {
                continue;
            }
            let Some(ty) = names::event_type(self.env, None, self.source, owner) else { continue };
            if names::field(&self.env.schema, ty, &path_text(path)).is_none() {
                let text = path_text(path);
                let diagnostic = names::unknown_field(&self.env.schema, ty, &text, path.span);
                self.report(diagnostic);
            } else if !types.is_empty() && !types.contains(&ty) {
                let message = format!(
                    "the rule reads no `{}`: this entry of its `key` does nothing",
                    owner.node
                );
                let help = format!(
                    "remove the entry, or add the type to the rule: `from .., {}`",
                    owner.node
                );
                self.warn(Code::Unused, owner.span, message, help);
            }
        }
        let mut fields = Vec::new();
        let mut kind = Kind::NEVER;
        let mut first: Option<(TypeId, Kind)> = None;
        let entries = |&ty: &TypeId| {
            self.step_keys.entries_of(ty, index).into_iter().map(move |entry| (ty, entry))
        };
        let wanted: Vec<(TypeId, Option<usize>)> = types.iter().flat_map(entries).collect();
        for (ty, entry) in wanted {
            let Some((field, field_kind)) = self.key_field((index, part), ty, entry) else {
                if let Some(entry) = entry {
                    let path = &part.paths[entry].1;
                    let text = path_text(path);
                    let schema = &self.env.schema;
                    self.report(names::unknown_field(schema, ty, &text, path.span));
                    continue;
                }
                if self.step_keys.by_name[index].contains_key(&*self.env.schema.ty(ty).name) {
                    continue;
                }
                self.missing_key(index, part, ty, types);
                continue;
            };
            let own = field_kind.without(Kind::NULL);
            if let Some((other, other_kind)) = first
                && own != other_kind
                && own != Kind::ANY.without(Kind::NULL)
                && other_kind != Kind::ANY.without(Kind::NULL)
            {
                let schema = &self.env.schema;
                let (key, name) = (&part.name.node, &schema.ty(ty).name);
                let message = if other == ty {
                    format!(
                        "`{key}` is {other_kind} in one step of `{name}`, but {own} in another: \
                         they are never equal"
                    )
                } else {
                    let other = &schema.ty(other).name;
                    format!(
                        "`{key}` is {other_kind} in `{other}`, but {own} in `{name}`: they are \
                         never equal"
                    )
                };
                let help = "declare both fields with the same type";
                self.error(Code::BadKey, part.name.span, message, help);
            }
            if own == Kind::LIST && first.is_none() {
                self.warn_of_list(part);
            }
            first = first.or(Some((ty, own)));
            kind = kind.or(field_kind);
            // The entries of one type are next to each other.
            if fields.last().is_none_or(|(of, _)| *of != ty) {
                fields.push((ty, field));
            }
        }
        (fields, kind)
    }

    /// Reports a type that the braces of a key name twice: which field counts would be a guess.
    fn key_named_twice(
        &mut self,
        (first, first_path): &(Name, ast::Path),
        second: &Name,
        path: &ast::Path,
    ) {
        let ty = &second.node;
        let message = format!("the key has two fields for `{ty}`");
        let diagnostic = Diagnostic::error(Code::DuplicateName, second.span, message)
            .context(first.span, "the first one")
            .help(format!(
                "give the steps different names: `{ty} as one -> {ty} as other` with `key .. {{ \
                 one: {}, other: {} }}`",
                path_text(first_path),
                path_text(path)
            ));
        self.report(diagnostic);
    }

    fn warn_of_list(&mut self, part: &ast::KeyPart) {
        let message = format!("the key `{}` is a list and is compared as a whole", part.name.node);
        self.report(
            Diagnostic::warning(Code::ListAsKey, part.name.span, message)
                .label("`[\"a\", \"b\"]`, `[\"b\", \"a\"]` and `[\"a\"]` are three different keys")
                .help(
                    "use a field with a single value as the key, and test the items in a \
                     condition: `login[\"root\" in users]`",
                ),
        );
    }

    fn missing_key(&mut self, index: usize, part: &ast::KeyPart, ty: TypeId, types: &[TypeId]) {
        let schema = &self.env.schema;
        let event = schema.ty(ty);
        let key = &part.name.node;
        let (quoted, owner) = (written_name(key), written_name(&event.name));
        let message = format!("`{}` has no field `{key}`, which is the rule's key", event.name);
        let mut diagnostic = Diagnostic::error(Code::BadKey, part.name.span, message);
        let fields = || event.fields.iter().map(|field| &*field.name);
        let near = nearest(key, fields()).or_else(|| {
            // `user` for `user_id`, `host` for `host.id`.
            fields().find(|field| {
                let (long, short) =
                    if field.len() > key.len() { (*field, &**key) } else { (&**key, *field) };
                long.strip_prefix(short).is_some_and(|rest| rest.starts_with(['_', '.']))
            })
        });
        let other_steps = self.step_keys.names_others(index, ty);
        // A slip of the pen: all types have the field that is meant, and none the one that is named.
        let has = |field: &str, ty: &TypeId| schema.field_id(*ty, field).is_some();
        let is_slip = |near: &&str| {
            types.iter().all(|ty| has(near, ty)) && !types.iter().any(|ty| has(key, ty))
        };
        diagnostic = diagnostic.help(match near {
            _ if other_steps => format!(
                "other steps of this type have their own key; name this step too: `{} as step` and \
                 `key {key} {{ step: ... }}`, or the type: `{0}: ...`",
                event.name
            ),
            Some(near) if is_slip(&near) => {
                format!("did you mean {}?", code(&written_path(near)))
            }
            Some(near) => format!(
                "if the field is called `{near}` there, write {}",
                code(&format!("key {quoted} {{ {owner}: {} }}", written_path(near)))
            ),
            None => format!(
                "write which field is the key: {}; it has {}",
                code(&format!("key {quoted} {{ {owner}: ... }}")),
                listed(fields())
            ),
        });
        if let Some((source, name)) = self.stream.named.get(&ty)
            && *source == self.source
        {
            diagnostic = diagnostic.context(name.span, "a step of this type");
        }
        self.report(diagnostic);
    }
}

/// A name as rules spell it: in back-quotes unless it is one word that the language does not use.
fn written_name(name: &str) -> String {
    if syntax::is_name(name) { name.to_owned() } else { format!("`{name}`") }
}

/// A field as rules spell it behind the name of a type: `host.id`, `` host.`user-agent` ``.
fn written_path(field: &str) -> String {
    let is_word = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let parts = field
        .split('.')
        .map(|part| if is_word(part) { part.to_owned() } else { format!("`{part}`") });
    parts.collect::<Vec<_>>().join(".")
}

/// Rule text in a message: in two back-quotes each if it holds back-quotes itself.
fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}
