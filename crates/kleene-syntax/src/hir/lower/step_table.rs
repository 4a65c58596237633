//! The steps of a pattern while its rule is checked, by number and by name.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use hashbrown::HashMap;

use super::terms::{StepInfo, Takes};
use crate::hir::site::Site;

/// The steps of a pattern. Conditions name steps, and both can be many: a name is found without a
/// look at all steps.
///
/// Only [`StepTable::rename`] changes the name of a step. Its type, `negated` and `group` never
/// change. Its other facts can be changed in place.
#[derive(Default)]
pub(super) struct StepTable {
    all: Vec<StepInfo>,
    /// By name: the steps whose name someone chose with `as`, in order.
    chosen: HashMap<Arc<str>, Vec<usize>>,
    /// By name: the other steps that capture events, in order.
    given: HashMap<Arc<str>, Vec<usize>>,
    /// By what they take: the steps that capture events, in order.
    capturing: BTreeMap<Option<Takes>, Vec<usize>>,
}

impl StepTable {
    /// Adds a step. Returns its number.
    pub(super) fn add(&mut self, step: StepInfo) -> usize {
        let number = self.all.len();
        if !step.negated {
            let names = if step.explicit { &mut self.chosen } else { &mut self.given };
            names.entry(step.name.clone()).or_default().push(number);
            if !step.group {
                self.capturing.entry(step.ty).or_default().push(number);
            }
        }
        self.all.push(step);
        number
    }

    /// Gives a step that captures events a name that someone chose.
    pub(super) fn rename(&mut self, number: usize, name: &str, site: Site) {
        let step = &mut self.all[number];
        let names = if step.explicit { &mut self.chosen } else { &mut self.given };
        if let Some(numbers) = names.get_mut(&step.name)
            && let Ok(position) = numbers.binary_search(&number)
        {
            numbers.remove(position);
        }
        (step.name, step.explicit, step.site) = (name.into(), true, site);
        let numbers = self.chosen.entry(step.name.clone()).or_default();
        if let Err(position) = numbers.binary_search(&number) {
            numbers.insert(position, number);
        }
    }

    /// Returns the steps that capture events and have this name, in order. A name that someone
    /// chose goes before a name that a type gave.
    pub(super) fn named(&self, name: &str) -> &[usize] {
        let chosen = self.chosen(name);
        if chosen.is_empty() { self.given.get(name).map_or(&[], Vec::as_slice) } else { chosen }
    }

    /// Returns the steps that capture events by what they take, in order.
    pub(super) fn capturing(&self) -> impl Iterator<Item = (Option<Takes>, &[usize])> {
        self.capturing.iter().map(|(takes, steps)| (*takes, &**steps))
    }

    /// Returns the steps for which someone chose this name, in order.
    pub(super) fn chosen(&self, name: &str) -> &[usize] {
        self.chosen.get(name).map_or(&[], Vec::as_slice)
    }
}

impl Deref for StepTable {
    type Target = [StepInfo];

    fn deref(&self) -> &[StepInfo] {
        &self.all
    }
}

impl DerefMut for StepTable {
    fn deref_mut(&mut self) -> &mut [StepInfo] {
        &mut self.all
    }
}
