//! Images of keys as bytes, for snapshots.

use crate::event::Event;
use crate::exec::aggregate::Accumulator;
use crate::exec::forms::FormKind;
use crate::exec::image::{Image, ImageNode, ImageRun, number};
use crate::exec::registers::{RegisterState, UNSET};
use crate::hir::StepId;
use crate::nfa::{Program, Register, RegisterKind, StateId};
use crate::util::wire::{Reader, put_i64, put_len, put_u64};
use crate::value::Value;
use crate::value::wire::{put_value, read_value};

impl<E: Event> Image<&E> {
    /// Appends everything except the events.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put_len(out, self.nodes.len());
        for (index, node) in (0..).zip(&self.nodes) {
            put_len(out, node.step.index());
            put_u64(out, u64::from(node.event));
            // Most nodes are behind the one before them.
            put_u64(out, if node.previous == 0 { 0 } else { index + 1 - u64::from(node.previous) });
            put_u64(out, u64::from(node.starts));
        }
        put_len(out, self.runs.len());
        for run in &self.runs {
            let last = self.last_event(run.head).time().as_millis();
            put_len(out, run.state.index());
            put_u64(out, u64::from(run.head));
            put_i64(out, run.deadline.wrapping_sub(last));
            for clock in &run.clocks {
                out.push(u8::from(*clock != UNSET));
                if *clock != UNSET {
                    put_i64(out, last.wrapping_sub(*clock));
                }
            }
            for (value, state) in &run.registers {
                match state {
                    RegisterState::Unset => out.push(0),
                    RegisterState::Set => {
                        out.push(1);
                        put_value(out, value.as_ref());
                    }
                    RegisterState::Aggregate(accumulator) => {
                        out.push(1);
                        accumulator.write(out);
                    }
                }
            }
        }
        put_len(out, self.completed.len());
        self.completed.iter().for_each(|head| put_u64(out, u64::from(*head)));
        out.push(u8::from(self.last_violation.is_some()) | self.form.code());
        if let Some(last_violation) = self.last_violation {
            put_i64(out, last_violation);
        }
    }
}

impl<E: Event> Image<E> {
    /// Reads an image of a key in a rule with this program, with the captured events. `None` if the
    /// bytes are not an image, or refer to parts that the program does not have.
    pub(crate) fn read(
        reader: &mut Reader<'_>,
        program: &Program,
        events: Vec<(u64, E)>,
    ) -> Option<Image<E>> {
        let mut image = Image { events, ..Image::default() };
        for index in 0..reader.count()? {
            let step = reader.u32()? as usize;
            let event = reader.u32()?;
            let back = usize::try_from(reader.u64()?).ok()?;
            let starts = reader.u32()?;
            let previous = if back == 0 { 0 } else { (index + 1).checked_sub(back)? };
            let (seq, _) = image.events.get(event as usize)?;
            // Events are captured in the order of their numbers.
            let follows = match previous.checked_sub(1) {
                Some(previous) => image.events[image.nodes[previous].event as usize].0 < *seq,
                None => back == 0,
            };
            if !follows || step >= program.steps.len() {
                return None;
            }
            let step = StepId::new(step);
            image.nodes.push(ImageNode { event, previous: number(previous), step, starts });
        }
        for _ in 0..reader.count()? {
            let run = image.read_run(reader, program)?;
            image.runs.push(run);
        }
        for _ in 0..reader.count()? {
            let head = reader.u32()?;
            if head as usize >= image.nodes.len() || !program.waits() {
                return None;
            }
            image.completed.push(head);
        }
        let flags = reader.u8()?;
        image.form = FormKind::of_code(flags & !1)?;
        if !image.form.fits(&image, program) {
            return None;
        }
        if flags & 1 != 0 {
            program.leading_not?;
            image.last_violation = Some(reader.i64()?);
        }
        Some(image)
    }

    fn read_run(&self, reader: &mut Reader<'_>, program: &Program) -> Option<ImageRun> {
        let state = reader.u32()? as usize;
        let head = reader.u32()?;
        if head as usize >= self.nodes.len() || state >= program.states.len() {
            return None;
        }
        let last = self.last_event(head).time().as_millis();
        let deadline = last.wrapping_add(reader.i64()?);
        let clock = |_| {
            let is_set = reader.bool()?;
            if is_set { Some(last.wrapping_sub(reader.i64()?)) } else { Some(UNSET) }
        };
        let clocks = (0..program.clocks).map(clock).collect::<Option<_>>()?;
        let register = |register: &Register| {
            if !reader.bool()? {
                return Some((Value::Null, RegisterState::Unset));
            }
            Some(match &register.kind {
                RegisterKind::First(_) | RegisterKind::Last(_) => {
                    (read_value(reader)?, RegisterState::Set)
                }
                RegisterKind::Aggregate(aggregate) => {
                    let accumulator = Accumulator::read(reader, aggregate.op)?;
                    (Value::Null, RegisterState::Aggregate(Box::new(accumulator)))
                }
            })
        };
        let registers = program.registers.iter().map(register).collect::<Option<_>>()?;
        Some(ImageRun { state: StateId::new(state), head, deadline, clocks, registers })
    }
}
