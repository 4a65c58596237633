//! The keys of steps: where the braces of `key` name steps, two steps of one type can take their
//! key from different fields.
//!
//! Steps that the braces name alike have one *variant* of the key; variant 0 is the key of the event
//! type, which all other steps have. An event is in the stream of each key that a variant of its
//! steps gives it. Where an event can have several keys, the condition of a step also tests that the
//! step's own key is the key of the stream.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::context::RuleLowerer;
use super::names::{Resolved, Takes, path_text};
use super::unknown;
use crate::diagnostic::{Code, Diagnostic};
use crate::hir::expr::{BinaryOp, FieldRef, StepKeyTest};
use crate::hir::{Expr, StepKey, StepKeys, Test};
use crate::syntax::ast::{self, Name};
use kleene_event::schema::TypeId;
use kleene_event::util::spelling::nearest;

/// The most variants of the key of one rule.
const MAX_VARIANTS: usize = 64;

/// A step, or one of several that must not come, with what matters for its key.
struct KeyedStep<'a> {
    ty: Option<Takes>,
    names: Vec<&'a str>,
    variant: u8,
}

/// The keys of a rule's steps.
#[derive(Default)]
pub(super) struct KeyVariants<'a> {
    /// The steps that an event can be, without numbers.
    steps: Vec<KeyedStep<'a>>,
    /// The entries of each variant: for each part the entry of its braces, or none for the field of
    /// the event type.
    variants: Vec<Vec<Option<usize>>>,
    /// The parts of the key, and the entries of each by name.
    parts: &'a [ast::KeyPart],
    pub(super) by_name: Vec<HashMap<&'a str, usize>>,
    /// The names of all steps.
    names: HashSet<&'a str>,
    /// True if the pattern was laid out, so that its steps are known.
    pub(super) is_laid_out: bool,
    /// The types of which an event can have several keys.
    pub(super) several: Vec<StepKeys>,
}

impl<'a> KeyVariants<'a> {
    /// Adds a step that an event can be.
    pub(super) fn add(&mut self, step: &Resolved<'a>) {
        let (ty, names) = (step.ty, step.names.clone());
        self.names.extend(&names);
        self.steps.push(KeyedStep { ty, names, variant: 0 });
    }

    /// Returns the entries of a step with these names. The names come from the nearest: the alias,
    /// then the defines from the outermost.
    fn entries(&self, names: &[&str]) -> Vec<Option<usize>> {
        let entry = |by_name: &HashMap<&'a str, usize>| -> Option<usize> {
            names.iter().find_map(|name| by_name.get(*name).copied())
        };
        self.by_name.iter().map(entry).collect()
    }

    /// Returns the variants that events of a type can have, each once, in order.
    pub(super) fn of_type(&self, ty: TypeId) -> Vec<u8> {
        if self.variants.len() < 2 {
            return vec![0];
        }
        let takes = |step: &&KeyedStep<'_>| match step.ty {
            Some(Takes::One(one)) => one == ty,
            Some(Takes::Stream) => true,
            None => false,
        };
        let mut variants: Vec<u8> =
            self.steps.iter().filter(takes).map(|step| step.variant).collect();
        variants.sort_unstable();
        variants.dedup();
        // What no step can be still is in the stream of its key.
        if variants.is_empty() { vec![0] } else { variants }
    }

    /// Returns the entry of a part for a variant.
    pub(super) fn entry(&self, variant: u8, part: usize) -> Option<usize> {
        *self.variants.get(usize::from(variant))?.get(part)?
    }

    /// Returns the entries of a part for events of a type, each once.
    pub(super) fn entries_of(&self, ty: TypeId, part: usize) -> Vec<Option<usize>> {
        let mut entries = Vec::new();
        for variant in self.of_type(ty) {
            let entry = self.entry(variant, part);
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        entries
    }

    /// True if some steps of a type are named in the braces of a part.
    pub(super) fn names_others(&self, part: usize, ty: TypeId) -> bool {
        let is_named = |step: &KeyedStep<'_>| self.entry(step.variant, part).is_some();
        self.steps.iter().any(|step| step.ty == Some(Takes::One(ty)) && is_named(step))
    }

    /// True if an event of the type can have several keys.
    pub(in crate::hir::lower) fn has_several(&self, ty: Takes) -> bool {
        match ty {
            Takes::One(ty) => self.several.iter().any(|keys| keys.ty == ty),
            Takes::Stream => !self.several.is_empty(),
        }
    }
}

impl<'a> RuleLowerer<'_, 'a> {
    /// Finds the variants of the key, once the steps of the pattern are known.
    pub(super) fn find_variants(&mut self, source: usize, parts: &'a [ast::KeyPart]) {
        self.step_keys.parts = parts;
        let by_name = |part: &'a ast::KeyPart| {
            // Of a name that is given twice, which is refused, the first counts.
            let paths = part.paths.iter().enumerate().rev();
            paths.map(|(entry, (owner, _))| (owner.node.as_str(), entry)).collect()
        };
        self.step_keys.by_name = parts.iter().map(by_name).collect();
        let mut variants = vec![vec![None; parts.len()]];
        let is_any_named = parts.iter().any(|part| !part.paths.is_empty());
        let count = if is_any_named { self.step_keys.steps.len() } else { 0 };
        for index in 0..count {
            if variants.len() > MAX_VARIANTS {
                break;
            }
            let entries = self.step_keys.entries(&self.step_keys.steps[index].names);
            let known = variants.iter().position(|known| *known == entries);
            let variant = known.unwrap_or(variants.len());
            if known.is_none() {
                variants.push(entries);
            }
            self.step_keys.steps[index].variant = u8::try_from(variant).unwrap_or(0);
        }
        if variants.len() > MAX_VARIANTS
            && let Some(part) = parts.first()
        {
            let message = format!("more than {MAX_VARIANTS} steps have their own key");
            let help = "use one `define` for the steps that share a field, or write two rules";
            self.env.error(source, Code::LimitExceeded, part.name.span, message, help);
            variants.truncate(1);
            self.step_keys.steps.iter_mut().for_each(|step| step.variant = 0);
        }
        self.step_keys.variants = variants;
    }

    /// Checks a name in the braces of `key`. Returns true if the name is a step's, and `None` if it is
    /// refused.
    pub(super) fn is_keyed_step(&mut self, owner: &Name) -> Option<bool> {
        let name = owner.node.as_str();
        let is_type = self.env.schema.type_id(name).is_some();
        let is_step = self.step_keys.names.contains(name);
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
        let mut steps: Vec<&str> = self.step_keys.names.iter().copied().collect();
        steps.sort_unstable();
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
        let entries = self.step_keys.entries(&step.names);
        let variant = self.step_keys.variants.iter().position(|known| *known == entries);
        let variant = u8::try_from(variant.unwrap_or(0)).unwrap_or(0);
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
    pub(super) fn own_field(&self, (index, part): (usize, &ast::KeyPart), ty: TypeId) -> String {
        let own = self.step_keys.by_name[index].get(&*self.env.schema.ty(ty).name);
        own.map_or_else(|| part.name.node.clone(), |entry| path_text(&part.paths[*entry].1))
    }
}
