//! Whether an event of a type can do anything to what a rule has open, whatever is in it.

use crate::hir::Test;
use crate::nfa::{Action, Guard, GuardId, Program, StateId};
use crate::schema::TypeId;

/// Whether an event of this type can move on or end a partial match: whether there is a place to
/// wait in which it is not just passed over.
///
/// Deadlines do not count: the engine has timers for them.
pub(in crate::stream) fn can_move(program: &Program, ty: TypeId) -> bool {
    let states = || (0..program.states.len()).map(StateId::new);
    let starts_anew = states().filter(|state| *state != program.start).any(|state| {
        program.edges(state).iter().any(|edge| match edge.action {
            Action::Take { target, .. } | Action::Ignore { target } => target == program.start,
            Action::Stop | Action::Complete => false,
        })
    });
    states()
        .any(|state| (starts_anew || state != program.start) && !is_passed_over(program, state, ty))
}

fn is_passed_over(program: &Program, state: StateId, ty: TypeId) -> bool {
    let mut stays = false;
    let others_are_shut = program.edges(state).iter().all(|edge| {
        let is_open = known(program, edge.guard, ty);
        let is_loop = edge.action == Action::Ignore { target: state } && edge.clocks.is_empty();
        if is_loop && is_open == Some(true) && !stays {
            stays = true;
            return true;
        }
        is_open == Some(false)
    });
    let is_live = program.states[state.index()].live;
    !is_live || stays && others_are_shut
}

/// What is known of a guard from the event's type alone.
fn known(program: &Program, guard: GuardId, ty: TypeId) -> Option<bool> {
    let known = |part: &GuardId| known(program, *part, ty);
    match &program.guards[guard.index()] {
        Guard::True => Some(true),
        Guard::False => Some(false),
        Guard::Condition(id) => {
            let condition = &program.conditions[id.index()];
            match (condition.ty, &condition.test) {
                (Some(of), _) if of != ty => Some(false),
                (_, Test::True) => Some(true),
                _ => None,
            }
        }
        Guard::Not(inner) => known(inner).map(|holds| !holds),
        Guard::And(parts) => all(parts, true, known),
        Guard::Or(parts) => all(parts, false, known),
        // About time and what was captured.
        Guard::Gap { .. } | Guard::Within { .. } | Guard::Sooner { .. } | Guard::IsSet(_) => None,
    }
}

/// Whether all parts are `wanted`, as far as it is known: that one is not is enough to know.
fn all(parts: &[GuardId], wanted: bool, known: impl Fn(&GuardId) -> Option<bool>) -> Option<bool> {
    if parts.iter().any(|part| known(part) == Some(!wanted)) {
        return Some(!wanted);
    }
    parts.iter().all(|part| known(part) == Some(wanted)).then_some(wanted)
}
