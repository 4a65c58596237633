//! The values that a captured event leaves in registers.

use crate::exec::aggregate::Accumulator;
use crate::exec::captures::CaptureArena;
use crate::exec::fields::{add_event, field_of};
use crate::exec::registers::{RegisterFile, Registers};
use crate::nfa::RegisterKind;
use kleene_event::event::Event;

/// Updates a register for a captured event; `arena` counts what cannot be computed.
#[inline(always)]
pub(in crate::exec) fn update_register<E: Event>(
    kind: &RegisterKind,
    (file, registers): (&mut RegisterFile, &mut Registers),
    index: usize,
    event: &E,
    arena: &CaptureArena<E>,
) {
    match kind {
        RegisterKind::First(field) => {
            if file.is_untouched(*registers, index) {
                file.set(registers, index, field_of(event, field));
            }
        }
        RegisterKind::Last(field) => file.set(registers, index, field_of(event, field)),
        RegisterKind::Aggregate(aggregate) => {
            let new = || Accumulator::new(aggregate.op);
            file.accumulate(*registers, index, new, |accumulator| {
                add_event(accumulator, aggregate, event, arena);
                if accumulator.is_too_large() {
                    arena.too_large();
                }
            });
        }
    }
}
