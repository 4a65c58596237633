//! The keys of steps: steps of one type that take their key from different fields.
//!
//! Steps that the key names alike have one variant of the key; variant 0 is the key of the event
//! type, which all other steps have.

use std::sync::Arc;

use crate::pattern::draft::{DraftKey, KeySource};
use crate::pattern::error::PatternError;
use kleene_event::schema::TypeId;
use kleene_syntax::hir::expr::{FieldRef, StepKeyTest};
use kleene_syntax::hir::{Condition, ConditionId, Expr, StepKey, StepKeys, Test};

/// The most variants of one key.
const MAX_VARIANTS: usize = 64;

/// A condition on an event: the name of its step, if it has one, and the event type, or any.
pub(super) struct KeyedCondition {
    pub(super) condition: ConditionId,
    pub(super) step: Option<Arc<str>>,
    pub(super) ty: Option<TypeId>,
}

/// Returns the place of a step among those that a part of the key names.
fn entry<E>(key: &DraftKey<E>, step: Option<&Arc<str>>) -> Option<usize> {
    let KeySource::Steps(steps) = &key.source else { return None };
    steps.iter().position(|(name, _)| Some(name) == step)
}

/// Finds the types whose events can have several keys, and adds the tests of the steps' own keys to
/// the conditions. `field` gives the field of a part by type and entry.
///
/// # Errors
/// A field that does not exist, or too many variants.
pub(super) fn add_step_keys<E>(
    keys: &[DraftKey<E>],
    types: &[TypeId],
    keyed: &[KeyedCondition],
    conditions: &mut [Condition],
    field: impl Fn(&DraftKey<E>, TypeId, Option<usize>) -> Result<FieldRef, PatternError>,
) -> Result<Vec<StepKeys>, PatternError> {
    if !keys.iter().any(|key| matches!(key.source, KeySource::Steps(_))) {
        return Ok(Vec::new());
    }
    // For each part the place of the step among those that the part names, or none for the field of
    // the event type.
    let mut variants: Vec<Vec<Option<usize>>> = vec![vec![None; keys.len()]];
    let mut variant_of = Vec::with_capacity(keyed.len());
    for of in keyed {
        let entries: Vec<_> = keys.iter().map(|key| entry(key, of.step.as_ref())).collect();
        let known = variants.iter().position(|known| *known == entries);
        variant_of.push(known.unwrap_or(variants.len()));
        if known.is_none() {
            variants.push(entries);
        }
    }
    if variants.len() > MAX_VARIANTS {
        let message = format!("more than {MAX_VARIANTS} steps have their own key");
        return Err(PatternError::new(None, message));
    }
    let mut several = Vec::new();
    for &ty in types {
        let takes = |of: &KeyedCondition| of.ty.is_none_or(|of| of == ty);
        let used = keyed.iter().zip(&variant_of).filter(|(of, _)| takes(of));
        let mut used: Vec<usize> = used.map(|(_, variant)| *variant).collect();
        used.sort_unstable();
        used.dedup();
        let mut own: Vec<StepKey> = Vec::new();
        for variant in used {
            let fields = keys.iter().zip(&variants[variant]);
            let fields = fields.map(|(key, entry)| field(key, ty, *entry));
            let fields = fields.collect::<Result<Vec<FieldRef>, PatternError>>()?;
            match own.iter_mut().find(|known| known.fields == fields) {
                Some(known) => known.variants |= 1 << variant,
                None => own.push(StepKey { fields, variants: 1 << variant }),
            }
        }
        if own.len() > 1 {
            several.push(StepKeys { ty, keys: own });
        }
    }
    let has_several = |ty: Option<TypeId>| match ty {
        Some(ty) => several.iter().any(|keys| keys.ty == ty),
        None => !several.is_empty(),
    };
    for (of, variant) in keyed.iter().zip(variant_of) {
        if has_several(of.ty) {
            let test = &mut conditions[of.condition.index()].test;
            let own = step_key(keys, &variants[variant], variant);
            *test = match std::mem::replace(test, Test::True) {
                Test::True => own,
                Test::All(tests) => Test::All([own].into_iter().chain(tests).collect()),
                other => Test::All(vec![own, other]),
            };
        }
    }
    Ok(several)
}

fn step_key<E>(keys: &[DraftKey<E>], entries: &[Option<usize>], variant: usize) -> Test {
    let field = |(key, entry): (&DraftKey<E>, &Option<usize>)| match (&key.source, entry) {
        (KeySource::Steps(steps), Some(entry)) => steps[*entry].1.to_string(),
        _ => key.name.to_string(),
    };
    let fields: Vec<String> = keys.iter().zip(entries).map(field).collect();
    let variant = u8::try_from(variant).unwrap_or(0);
    Test::Expr(Expr::StepKey(StepKeyTest { variant, fields: fields.join(", ").into() }))
}
