//! The effect of each edge, worked out when the pattern is compiled.
//!
//! When it applies: the strategies other than the general one follow edges by their effects.
//!
//! Why it is right: without branches, whether the target state accepts and whether a partial match
//! can wait there decide whether the partial match goes on. If a guard decides,
//! [`EdgeEffect::Ask`] leaves that to the state.
//!
//! What it saves: a look at the target state and its guards for each captured event. Without the
//! effect on the only register, W5 takes 1.09 times the instructions, W6 1.13
//! (docs/performance.md).
//!
//! Which test holds it: `every_strategy_reports_the_same` in `tests/strategies.rs`.

use crate::nfa::automaton::Automaton;
use crate::nfa::guard::Guard;
use crate::nfa::registers::{self, Register, RegisterKind};
use crate::nfa::states::{Action, StateId};
use kleene_event::schema::FieldId;
use kleene_syntax::hir::expr::FieldRef;
use kleene_syntax::hir::{Step, StepId};

/// The effect of an edge on a partial match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum EdgeEffect {
    /// The event is captured, and the partial match waits on.
    Capture { step: StepId, target: StateId, update: RegisterUpdate },
    /// The event is captured and the match is complete.
    End { step: StepId },
    /// The event is captured; the target state's guards move or end the partial match.
    Ask { step: StepId, target: StateId },
    /// The event is skipped.
    Skip { target: StateId },
    /// The event is skipped and completes the match.
    Complete,
    /// The partial match is given up.
    Stop,
}

/// The effect of a captured event on the registers of a partial match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RegisterUpdate {
    Nothing,
    /// The only register takes this field of the event, unless it was set before.
    First(FieldId),
    /// The only register takes this field of the event.
    Last(FieldId),
    /// The registers that `Program::registers_by_step` lists are updated one by one.
    Many,
}

/// Returns the effects by edge of an automaton for a pattern with these steps and registers.
pub(super) fn edge_effects(
    automaton: &Automaton,
    steps: &[Step],
    registers: &[Register],
    registers_by_step: &[Box<[u32]>],
) -> Vec<EdgeEffect> {
    let update = |step: StepId| {
        if registers_by_step[step.index()].is_empty() {
            return RegisterUpdate::Nothing;
        }
        register_update(&steps[step.index()], automaton, registers).unwrap_or(RegisterUpdate::Many)
    };
    let effects = automaton.edges.iter().map(|edge| match edge.action {
        Action::Take { step, target } => {
            let state = &automaton.states[target.index()];
            match state.accept.map(|guard| &automaton.guards[guard.index()]) {
                None | Some(Guard::False) if state.live => {
                    EdgeEffect::Capture { step, target, update: update(step) }
                }
                Some(Guard::True) if !state.live => EdgeEffect::End { step },
                _ => EdgeEffect::Ask { step, target },
            }
        }
        Action::Ignore { target } => EdgeEffect::Skip { target },
        Action::Complete => EdgeEffect::Complete,
        Action::Stop => EdgeEffect::Stop,
    });
    effects.collect()
}

/// Returns the effect of an event that is captured as a step on the only register; `None` if there
/// are others, or if the register holds no field of the event.
fn register_update(
    step: &Step,
    automaton: &Automaton,
    registers: &[Register],
) -> Option<RegisterUpdate> {
    if !registers::is_one_value(automaton.clocks, registers) {
        return None;
    }
    // The field of the one type that the step takes.
    let declared = |field: &FieldRef| match field {
        FieldRef::Declared(field) => Some(*field),
        FieldRef::ByType(fields) => fields.iter().find_map(|(ty, field)| match field {
            FieldRef::Declared(field) if step.ty == Some(*ty) => Some(*field),
            _ => None,
        }),
        FieldRef::Dynamic(_) | FieldRef::Time => None,
    };
    match &registers[0].kind {
        RegisterKind::First(field) => declared(field).map(RegisterUpdate::First),
        RegisterKind::Last(field) => declared(field).map(RegisterUpdate::Last),
        RegisterKind::Aggregate(_) => None,
    }
}
