//! Event types, fields and defines by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::env::Env;
use super::terms::Takes;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::expr::FieldRef;
use crate::syntax::MAX_NESTING;
use crate::syntax::ast::{self, Name, Spanned};
use kleene_event::schema::{Schema, TypeId};
use kleene_event::util::spelling::nearest;
use kleene_event::value::Kind;

/// A step with its defines resolved.
#[derive(Clone)]
pub(super) struct Resolved<'a> {
    /// The event types; `None` where they were refused already.
    pub(super) ty: Option<Takes>,
    /// The conditions of its defines and its own, innermost first, with their files.
    pub(super) conditions: Vec<(usize, &'a Spanned<ast::Expr>)>,
    /// The names that it has in the braces of `key`, its event type aside: of its defines, and
    /// before them the one that `as` gives it.
    pub(super) names: Vec<&'a str>,
}

impl<'a> Resolved<'a> {
    /// Gives the step the name that it has with `as`.
    pub(super) fn rename(&mut self, alias: Option<&'a Name>) {
        self.names.splice(..0, alias.map(|alias| alias.node.as_str()));
    }
}

/// The defines of a rule.
pub(super) type Defines<'a> = BTreeMap<&'a str, (usize, &'a ast::Define)>;

/// Follows a step's name through defines to an event type.
pub(super) fn resolve_step<'a>(
    env: &mut Env<'a>,
    local: &Defines<'a>,
    source: usize,
    step: &'a ast::Step,
) -> Resolved<'a> {
    let mut conditions = Vec::new();
    let mut path: Vec<&'a str> = Vec::new();
    let (mut source, mut step) = (source, step);
    let ty = loop {
        conditions.extend(step.condition.as_ref().map(|condition| (source, condition)));
        if step.wildcard {
            break Some(Takes::Stream);
        }
        let name = step.name.node.as_str();
        let Some(&(define_source, define)) =
            local.get(name).or_else(|| env.declarations.defines.get(name))
        else {
            break event_type(env, Some(local), source, &step.name).map(Takes::One);
        };
        if path.contains(&name) {
            report_circle(env, local, std::mem::take(&mut path), name);
            break None;
        }
        if path.len() >= MAX_NESTING as usize {
            report_depth(env, source, &step.name);
            break None;
        }
        path.push(name);
        (source, step) = (define_source, &define.step);
    };
    conditions.reverse();
    Resolved { ty, conditions, names: path }
}

/// Reports defines that build on each other too deeply: once, as every define above is too deep,
/// too.
fn report_depth(env: &mut Env<'_>, source: usize, name: &Name) {
    if std::mem::replace(&mut env.too_deep, true) {
        env.errors += 1;
        return;
    }
    let message = format!("defines nest more than {MAX_NESTING} levels deep");
    let diagnostic = Diagnostic::error(Code::LimitExceeded, name.span, message)
        .label("the level beyond the limit")
        .help("merge the conditions of several defines into one");
    env.report(source, diagnostic);
}

/// Reports a circle of defines, at the same one wherever it was entered.
fn report_circle<'a>(
    env: &mut Env<'a>,
    local: &Defines<'a>,
    mut path: Vec<&'a str>,
    entry: &'a str,
) {
    path.drain(..path.iter().position(|name| *name == entry).unwrap_or(0));
    let first = (0..path.len()).min_by_key(|index| path[*index]).unwrap_or(0);
    path.rotate_left(first);
    let name = path[0];
    let Some(&(source, define)) = local.get(name).or_else(|| env.declarations.defines.get(name))
    else {
        return;
    };
    path.push(name);
    let message = format!("the define `{name}` uses itself");
    let diagnostic = Diagnostic::error(Code::CyclicDefine, define.name.span, message)
        .label(path.join(" -> "))
        .help("a define must lead to an event type");
    env.report(source, diagnostic);
}

/// The event type of this name. Reports if there is none, but not of what rules feed that were
/// refused themselves.
pub(super) fn event_type(
    env: &mut Env<'_>,
    local: Option<&Defines<'_>>,
    source: usize,
    name: &Name,
) -> Option<TypeId> {
    let ty = env.schema.type_id(&name.node);
    if ty.is_none() {
        if env.fed_at(&name.node).is_some() {
            env.errors += 1;
        } else {
            let diagnostic = unknown_type(env, local, name);
            env.report(source, diagnostic);
        }
    }
    ty
}

/// Reports an unknown event type or define.
pub(super) fn unknown_type(env: &Env<'_>, local: Option<&Defines<'_>>, name: &Name) -> Diagnostic {
    let types = env.schema.types().map(|(_, ty)| &*ty.name);
    let defines = env.declarations.defines.keys().copied();
    let local = local.into_iter().flat_map(BTreeMap::keys).copied();
    let near = nearest(&name.node, types.chain(defines).chain(local));
    let diagnostic = unknown(Code::UnknownType, "event type or define", name, near);
    if near.is_some() {
        return diagnostic;
    }
    if env.schema.is_empty() {
        return diagnostic.help(format!("declare it: `event {} {{ ... }}`", name.node));
    }
    let names = listed(env.schema.types().map(|(_, ty)| &*ty.name));
    diagnostic.help(format!("declared: {names}"))
}

/// `what` of this name does not exist; `near` may be meant.
pub(super) fn unknown(code: Code, what: &str, name: &Name, near: Option<&str>) -> Diagnostic {
    let message = format!("there is no {what} `{}`", name.node);
    let diagnostic = Diagnostic::error(code, name.span, message);
    match near {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}

/// `the steps are ...`, or `the only step is ...`; nothing if there are none.
pub(super) fn these<'n>(what: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    match names.as_slice() {
        [] => None,
        [only, rest @ ..] if rest.iter().all(|name| name == only) => {
            Some(format!("the only {what} is `{only}`"))
        }
        _ => Some(format!("the {what}s are {}", listed(names.into_iter()))),
    }
}

/// `a`, `b` and `c`, cut off where there are many.
pub(super) fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    const SHOWN: usize = 8;
    // Each once, and one more than is shown.
    let mut distinct: Vec<&str> = Vec::with_capacity(SHOWN + 1);
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
        if distinct.len() > SHOWN {
            break;
        }
    }
    let names = distinct;
    let mut out = String::new();
    for (i, name) in names.iter().take(SHOWN).enumerate() {
        let last = i + 1 == names.len() && i > 0;
        out.push_str(if last {
            " and "
        } else if i > 0 {
            ", "
        } else {
            ""
        });
        out.push('`');
        out.push_str(name);
        out.push('`');
    }
    if names.len() > SHOWN {
        out.push_str(", ...");
    }
    out
}

/// The field at a dotted path, with its types.
pub(super) fn field(schema: &Schema, ty: TypeId, path: &str) -> Option<(FieldRef, Kind)> {
    let event = schema.ty(ty);
    if let Some(id) = schema.field_id(ty, path) {
        return Some((FieldRef::Declared(id), event.field(id).kind()));
    }
    if let Some(map) = event.map_of(path) {
        return Some((FieldRef::Dynamic(Arc::from(path)), map.kind()));
    }
    // A nested field of a declared record is not dynamic.
    if !event.open {
        return None;
    }
    (!schema.is_record(ty, path)).then(|| (FieldRef::Dynamic(Arc::from(path)), Kind::ANY))
}

/// Reports an unknown field of an event type.
pub(super) fn unknown_field(schema: &Schema, ty: TypeId, path: &str, span: Span) -> Diagnostic {
    let event = schema.ty(ty);
    let prefix = format!("{path}.");
    let inside: Vec<_> = event
        .fields
        .iter()
        .map(|field| &*field.name)
        .filter(|name| name.starts_with(&prefix))
        .collect();
    if !inside.is_empty() {
        let message = format!("`{path}` of `{}` is a record", event.name);
        return Diagnostic::error(Code::UnknownField, span, message)
            .help(format!("write which field: {}", listed(inside.into_iter())));
    }
    let message = format!("`{}` has no field `{path}`", event.name);
    let diagnostic = Diagnostic::error(Code::UnknownField, span, message);
    let names = || event.fields.iter().map(|field| &*field.name);
    if path == "prev" {
        return diagnostic.help("write which field of the event before you mean: `prev.price`");
    }
    if matches!(path, "None" | "none" | "nil" | "undefined") {
        return diagnostic.help("a missing value is `null`: write `is null` or `is not null`");
    }
    if path.starts_with("prev.") {
        return diagnostic.help(
            "`prev` is the event before the one that a condition tests: use it only in brackets, \
             as in `tick[price > prev.price]`",
        );
    }
    match nearest(path, names()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if event.fields.is_empty() => diagnostic.help("it is declared without fields"),
        None => diagnostic.help(format!("its fields are {}", listed(names()))),
    }
}

/// Returns a path as rules spell it.
pub(super) fn path_text(path: &ast::Path) -> String {
    let mut text = path.root.node.clone();
    for part in &path.rest {
        match part {
            ast::PathPart::Field(name) => {
                text.push('.');
                text.push_str(&name.node);
            }
            ast::PathPart::Index(index) => text = format!("{text}[{}]", index.node),
        }
    }
    text
}
