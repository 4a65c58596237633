//! The variants of a rule's key: which steps have which.
//!
//! Steps that the braces name alike have one *variant* of the key; variant 0 is the key of the event
//! type, which all other steps have. An event is in the stream of each key that a variant of its
//! steps gives it. Where an event can have several keys, the condition of a step also tests that the
//! step's own key is the key of the stream.

use hashbrown::{HashMap, HashSet};

use super::names::Resolved;
use super::terms::Takes;
use crate::hir::StepKeys;
use crate::syntax::ast;
use kleene_event::schema::TypeId;

/// The most variants of the key of one rule.
pub(super) const MAX_VARIANTS: usize = 64;

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
    pub(super) parts: &'a [ast::KeyPart],
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

    /// Finds the variants, once the steps are known. Returns false if there are too many: then all
    /// steps have the key of their type.
    pub(super) fn find(&mut self, parts: &'a [ast::KeyPart]) -> bool {
        self.parts = parts;
        let by_name = |part: &'a ast::KeyPart| {
            // Of a name that is given twice, which is refused, the first counts.
            let paths = part.paths.iter().enumerate().rev();
            paths.map(|(entry, (owner, _))| (owner.node.as_str(), entry)).collect()
        };
        self.by_name = parts.iter().map(by_name).collect();
        let mut variants = vec![vec![None; parts.len()]];
        let is_any_named = parts.iter().any(|part| !part.paths.is_empty());
        let count = if is_any_named { self.steps.len() } else { 0 };
        for index in 0..count {
            if variants.len() > MAX_VARIANTS {
                break;
            }
            let entries = self.entries(&self.steps[index].names);
            let known = variants.iter().position(|known| *known == entries);
            let variant = known.unwrap_or(variants.len());
            if known.is_none() {
                variants.push(entries);
            }
            self.steps[index].variant = u8::try_from(variant).unwrap_or(0);
        }
        let is_fine = variants.len() <= MAX_VARIANTS;
        if !is_fine {
            variants.truncate(1);
            self.steps.iter_mut().for_each(|step| step.variant = 0);
        }
        self.variants = variants;
        is_fine
    }

    /// Returns the variant of a step's key, and its entries.
    pub(super) fn variant_of(&self, step: &Resolved<'a>) -> (u8, Vec<Option<usize>>) {
        let entries = self.entries(&step.names);
        let variant = self.variants.iter().position(|known| *known == entries);
        (u8::try_from(variant.unwrap_or(0)).unwrap_or(0), entries)
    }

    /// True if a step has this name.
    pub(super) fn has_step(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Returns the names of all steps, sorted.
    pub(super) fn step_names(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.names.iter().copied().collect();
        names.sort_unstable();
        names
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
    pub(super) fn has_several(&self, ty: Takes) -> bool {
        match ty {
            Takes::One(ty) => self.several.iter().any(|keys| keys.ty == ty),
            Takes::Stream => !self.several.is_empty(),
        }
    }
}
