//! The parts of a program that decide its strategy.

use std::ops::Deref;

use crate::hir::{Condition, Expr};
use crate::nfa::automaton::Automaton;
use crate::nfa::edge_effect::EdgeEffect;
use crate::nfa::registers::Register;

/// A program that has no strategy yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    pub(super) automaton: &'a Automaton,
    pub(super) conditions: &'a [Condition],
    /// By condition: true if it reads captured events.
    pub(super) correlated: &'a [bool],
    pub(super) lengths: &'a [Expr],
    pub(super) registers: &'a [Register],
    pub(super) registers_by_step: &'a [Box<[u32]>],
    pub(super) effects: &'a [EdgeEffect],
}

impl Deref for Parts<'_> {
    type Target = Automaton;

    fn deref(&self) -> &Automaton {
        self.automaton
    }
}
