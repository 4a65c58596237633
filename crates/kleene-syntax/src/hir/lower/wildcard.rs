//! `any event`: what it stands for, and the fields that all of its types have.

use std::slice;
use std::sync::Arc;

use super::context::RuleLowerer;
use super::env::Env;
use super::names::{self, listed};
use super::terms::Takes;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::expr::FieldRef;
use crate::hir::site::Site;
use crate::syntax::ast::{ANY_EVENT, Clause, Spanned};
use kleene_event::schema::TypeId;
use kleene_event::util::spelling::nearest;
use kleene_event::value::Kind;

impl Env<'_> {
    /// Reports a diagnostic. Where there is none, what it would be about was reported already.
    pub(super) fn report_if(&mut self, source: usize, diagnostic: Option<Diagnostic>) {
        match diagnostic {
            Some(diagnostic) => self.report(source, diagnostic),
            None => self.errors += 1,
        }
    }
}

impl RuleLowerer<'_, '_> {
    /// The event types that a step takes.
    pub(super) fn types_of<'s>(&'s self, of: &'s Takes) -> &'s [TypeId] {
        match of {
            Takes::One(ty) => slice::from_ref(ty),
            Takes::Stream => &self.stream.types,
        }
    }

    /// The field at a dotted path with its types. Of `any event` it is one that all types have,
    /// with one type: int and float go together, and an undeclared field of an open type goes with
    /// everything.
    pub(super) fn field_of(&self, of: Takes, path: &str) -> Option<(FieldRef, Kind)> {
        let Takes::Stream = of else { return names::field(&self.env.schema, of.one()?, path) };
        let mut fields = Vec::with_capacity(self.stream.types.len());
        let (mut all, mut declared) = (Kind::NEVER, Kind::NEVER);
        for &ty in &self.stream.types {
            let (field, kind) = names::field(&self.env.schema, ty, path)?;
            all = all.or(kind);
            if let FieldRef::Declared(_) = field {
                let own = kind.without(Kind::NULL);
                let agrees = declared.is_never()
                    || declared == own
                    || declared.or(own).is_subset_of(Kind::NUMBER);
                if !agrees {
                    return None;
                }
                declared = declared.or(own);
            }
            fields.push((ty, field));
        }
        (!fields.is_empty()).then(|| (FieldRef::ByType(Arc::from(fields)), all))
    }

    /// The declared fields that [`field_of`](Self::field_of) finds.
    pub(super) fn fields_in_common(&self, of: Takes) -> Vec<&str> {
        let Some(first) = self.types_of(&of).first() else { return Vec::new() };
        let names = self.env.schema.ty(*first).fields.iter().map(|field| &*field.name);
        names.filter(|name| self.field_of(of, name).is_some()).collect()
    }

    /// Reports a field that no type of the stream has. `None` if the stream has no type, which is
    /// reported by itself.
    pub(super) fn no_field_of(&self, of: Takes, path: &str, span: Span) -> Option<Diagnostic> {
        let schema = &self.env.schema;
        if let Takes::One(ty) = of {
            return Some(names::unknown_field(schema, ty, path, span));
        }
        let kind = |ty: TypeId| names::field(schema, ty, path).map(|(_, kind)| kind);
        let first = *self.stream.types.first()?;
        let common = self.fields_in_common(of);
        let help = match (nearest(path, common.iter().copied()), common.is_empty()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, true) => "its types share no field: name the types instead".to_owned(),
            (None, false) => format!("its types share {}", listed(common.into_iter())),
        };
        let lacking = self.stream.types.iter().find(|ty| kind(**ty).is_none());
        let diagnostic = if let Some(lacking) = lacking {
            let message = format!("`{ANY_EVENT}` has no field `{path}`");
            let label = format!("`{}` has none", schema.ty(*lacking).name);
            Diagnostic::error(Code::UnknownField, span, message).label(label)
        } else {
            let one = kind(first)?.without(Kind::NULL);
            let differs = |ty: &&TypeId| {
                kind(**ty).is_some_and(|kind| {
                    let other = kind.without(Kind::NULL);
                    other != one && !other.or(one).is_subset_of(Kind::NUMBER)
                })
            };
            let other = *self.stream.types.iter().find(differs)?;
            let message = format!(
                "`{path}` is {one} in `{}`, but {} in `{}`",
                schema.ty(first).name,
                kind(other)?.without(Kind::NULL),
                schema.ty(other).name
            );
            let label = format!("`{ANY_EVENT}` has fields of one type");
            Diagnostic::error(Code::TypeMismatch, span, message).label(label)
        };
        Some(diagnostic.help(help))
    }

    /// Checks that the wildcard stands for something; `errors` is how many there were before the
    /// rule.
    pub(super) fn check_wildcard(
        &mut self,
        from: Option<(usize, &Spanned<Clause>)>,
        errors: usize,
    ) {
        let Some((source, span)) = self.stream.wildcard else { return };
        // A name that was refused may be a type of the stream.
        if self.env.errors > errors {
            return;
        }
        self.written.wildcard = Some(Site { source, span });
        let diagnostic = match (self.stream.types.as_slice(), from) {
            ([], None) => {
                Diagnostic::error(Code::NoStream, span, "any event of which types?".to_owned())
                    .label("the rule names no event type")
                    .help("add `from order, payment`, or `from *` for all declared types")
            }
            ([], Some(_)) => {
                let message = "no event type is declared".to_owned();
                Diagnostic::error(Code::NoStream, span, message)
                    .help("declare one: `event order { ... }`")
            }
            _ => return,
        };
        self.env.report(source, diagnostic);
    }
}
