//! The effect of each edge, worked out when the pattern is compiled.
//!
//! When it applies: the strategies other than the general one follow edges by their effects.
//!
//! Why it is right: without branches, whether the target state accepts and whether a partial match
//! can wait there decide what becomes of the partial match. If a guard decides,
//! [`EdgeEffect::Ask`] leaves that to the state.
//!
//! What it saves: a look at the target state and its guards for each captured event.
//!
//! Which test holds it: `every_strategy_reports_the_same` in `tests/strategies.rs`.

use crate::hir::StageId;
use crate::hir::expr::FieldRef;
use crate::nfa::guard::Guard;
use crate::nfa::program::{Action, Program, StateId};
use crate::nfa::registers::RegisterKind;
use crate::schema::FieldId;

/// The effect of an edge on a partial match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum EdgeEffect {
    /// The event is captured, and the partial match waits on.
    Capture { stage: StageId, target: StateId, update: RegisterUpdate },
    /// The event is captured and the match is complete.
    End { stage: StageId },
    /// The event is captured; the target state's guards decide what becomes of the partial match.
    Ask { stage: StageId, target: StateId },
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
    /// The registers that [`Program::registers_by_step`] lists are updated one by one.
    Many,
}

impl Program {
    /// Returns the effects by edge.
    pub(super) fn edge_effects(&self) -> Vec<EdgeEffect> {
        let effects = self.edges.iter().map(|edge| match edge.action {
            Action::Take { stage, target } => {
                let state = &self.states[target.index()];
                match state.accept.map(|guard| &self.guards[guard.index()]) {
                    None | Some(Guard::False) if state.live => {
                        EdgeEffect::Capture { stage, target, update: self.register_update(stage) }
                    }
                    Some(Guard::True) if !state.live => EdgeEffect::End { stage },
                    _ => EdgeEffect::Ask { stage, target },
                }
            }
            Action::Ignore { target } => EdgeEffect::Skip { target },
            Action::Complete => EdgeEffect::Complete,
            Action::Stop => EdgeEffect::Stop,
        });
        effects.collect()
    }

    /// Returns the effect of an event that is captured as `stage` on registers.
    fn register_update(&self, stage: StageId) -> RegisterUpdate {
        if self.registers_by_step[stage.index()].is_empty() {
            return RegisterUpdate::Nothing;
        }
        // The field of the one type that the step takes.
        let declared = |field: &FieldRef| match field {
            FieldRef::Declared(field) => Some(*field),
            FieldRef::ByType(fields) => fields.iter().find_map(|(ty, field)| match field {
                FieldRef::Declared(field) if self.stages[stage.index()].ty == Some(*ty) => {
                    Some(*field)
                }
                _ => None,
            }),
            FieldRef::Dynamic(_) | FieldRef::Time => None,
        };
        let update = match &self.registers[0].kind {
            _ if !self.has_one_value() => None,
            RegisterKind::First(field) => declared(field).map(RegisterUpdate::First),
            RegisterKind::Last(field) => declared(field).map(RegisterUpdate::Last),
            RegisterKind::Aggregate(_) => None,
        };
        update.unwrap_or(RegisterUpdate::Many)
    }
}
