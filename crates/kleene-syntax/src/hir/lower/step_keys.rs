//! The keys of steps: where the braces of `key` name steps, two steps of one type can take their
//! key from different fields.

use std::sync::Arc;

use super::context::RuleLowerer;
use super::key_variants::MAX_VARIANTS;
use super::names::{self, Resolved, path_text, unknown};
use super::terms::Takes;
use crate::diagnostic::{Code, Diagnostic};
use crate::hir::expr::{BinaryOp, FieldRef, StepKeyTest};
use crate::hir::{Expr, StepKey, StepKeys, Test};
use crate::syntax::ast::{self, Name};
use kleene_event::schema::TypeId;
use kleene_event::util::spelling::nearest;
use kleene_event::value::Kind;

impl<'a> RuleLowerer<'_, 'a> {
    /// Finds the variants of the key, once the steps of the pattern are known.
    pub(super) fn find_variants(&mut self, source: usize, parts: &'a [ast::KeyPart]) {
        if !self.step_keys.find(parts)
            && let Some(part) = parts.first()
        {
            let message = format!("more than {MAX_VARIANTS} steps have their own key");
            let help = "use one `define` for the steps that share a field, or write two rules";
            self.env.error(source, Code::LimitExceeded, part.name.span, message, help);
        }
    }

    /// Checks a name in the braces of `key`. Returns true if the name is a step's, and `None` if it is
    /// refused.
    pub(super) fn is_keyed_step(&mut self, owner: &Name) -> Option<bool> {
        let name = owner.node.as_str();
        let is_type = self.env.schema.type_id(name).is_some();
        let is_step = self.step_keys.has_step(name);
        if is_type && is_step {
            let message = format!("`{name}` is both an event type and a step of this rule");
            let help = format!("rename the step `{name}`");
            self.error(Code::BadStepKey, owner.span, message, help);
            return None;
        }
        if is_type || is_step {
            return Some(is_step);
        }
        if let Some(group) = self.steps.iter().find(|step| step.group && *step.name == *name) {
            let site = group.site;
            let message = format!("`{name}` is a group: each of its events has its own key");
            let mut diagnostic = Diagnostic::error(Code::BadStepKey, owner.span, message)
                .help("name the steps inside the group");
            if site.source == self.source {
                diagnostic = diagnostic.context(site.span, "this group");
            }
            self.report(diagnostic);
            return None;
        }
        if self.env.fed_at(name).is_some() || !self.step_keys.is_laid_out {
            // What is missing was refused, and reported.
            self.env.errors += 1;
            return None;
        }
        let types = self.env.schema.types().map(|(_, ty)| &*ty.name);
        let steps = self.step_keys.step_names();
        let near = nearest(name, types.chain(steps));
        let diagnostic = unknown(Code::UnknownType, "event type or step", owner, near);
        let diagnostic = match near {
            Some(_) => diagnostic,
            None => diagnostic
                .help(format!("name an event type, or a step of this rule: `login as {name}`")),
        };
        self.report(diagnostic);
        None
    }

    /// Finds the types whose events can have several keys.
    pub(super) fn find_step_keys(&mut self, parts: &[ast::KeyPart], types: &[TypeId]) {
        for &ty in types {
            let mut keys: Vec<StepKey> = Vec::new();
            for variant in self.step_keys.of_type(ty) {
                let field = |(index, part): (usize, &ast::KeyPart)| {
                    let entry = self.step_keys.entry(variant, index);
                    self.key_field((index, part), ty, entry).map(|(field, _)| field)
                };
                let fields: Option<Vec<FieldRef>> = parts.iter().enumerate().map(field).collect();
                let Some(fields) = fields else { continue };
                match keys.iter_mut().find(|key| key.fields == fields) {
                    Some(known) => known.variants |= 1 << variant,
                    None => keys.push(StepKey { fields, variants: 1 << variant }),
                }
            }
            if keys.len() > 1 {
                self.step_keys.several.push(StepKeys { ty, keys });
            }
        }
    }

    /// Returns the test of a condition together with the test of the step's key, where an event can
    /// have several.
    pub(super) fn with_step_key(&self, test: Test, step: &Resolved<'a>) -> Test {
        let Some(of) = step.ty.filter(|ty| self.step_keys.has_several(*ty)) else { return test };
        let (variant, entries) = self.step_keys.variant_of(step);
        let parts = self.step_keys.parts.iter().enumerate();
        let fields = parts.zip(&entries).map(|((index, part), entry)| match entry {
            Some(entry) => path_text(&part.paths[*entry].1),
            None => match of {
                Takes::One(ty) => self.own_field((index, part), ty),
                Takes::Stream => part.name.node.clone(),
            },
        });
        let fields: Arc<str> = fields.collect::<Vec<_>>().join(", ").into();
        let own = Expr::StepKey(StepKeyTest { variant, fields });
        match test {
            Test::Expr(expr) => {
                Test::Expr(Expr::Binary(BinaryOp::And, Box::new(own), Box::new(expr)))
            }
            _ => Test::Expr(own),
        }
    }

    /// Returns the text of the field that holds a part of the key in events of a type, where no step
    /// is named. The part is given with its number.
    fn own_field(&self, (index, part): (usize, &ast::KeyPart), ty: TypeId) -> String {
        let own = self.step_keys.by_name[index].get(&*self.env.schema.ty(ty).name);
        own.map_or_else(|| part.name.node.clone(), |entry| path_text(&part.paths[*entry].1))
    }

    /// The field that holds a part of the key in events of this type: the field of an entry of the
    /// braces for a step, or the type's own. The part is given with its number.
    pub(super) fn key_field(
        &self,
        part: (usize, &ast::KeyPart),
        ty: TypeId,
        entry: Option<usize>,
    ) -> Option<(FieldRef, Kind)> {
        let path = match entry {
            Some(entry) => path_text(&part.1.paths[entry].1),
            None => self.own_field(part, ty),
        };
        names::field(&self.env.schema, ty, &path)
    }
}
