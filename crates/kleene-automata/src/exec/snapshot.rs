//! Images of keys as bytes, for snapshots.

use crate::exec::aggregate::Accumulator;
use crate::exec::forms::FormKind;
use crate::exec::image::{Image, ImageConfiguration, ImageNode, ImagePart, ImageRun, number};
use crate::exec::registers::{RegisterState, UNSET};
use crate::nfa::{Program, Register, RegisterKind, StateId};
use kleene_event::event::Event;
use kleene_event::util::wire::{Reader, put_i64, put_len, put_u64};
use kleene_event::value::Value;
use kleene_event::value::wire::{put_value, read_value};
use kleene_syntax::hir::StepId;

impl<E: Event> Image<&E> {
    /// Appends everything except the events.
    pub fn write(&self, out: &mut Vec<u8>) {
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
            write_registers(&run.registers, out);
        }
        put_len(out, self.completed.len());
        self.completed.iter().for_each(|head| put_u64(out, u64::from(*head)));
        out.push(u8::from(self.last_violation.is_some()) | self.form.code());
        if let Some(last_violation) = self.last_violation {
            put_i64(out, last_violation);
        }
        if self.form == FormKind::Compact {
            self.write_groups(out);
        }
    }

    /// Appends the graph and the groups of the compact form.
    fn write_groups(&self, out: &mut Vec<u8>) {
        put_len(out, self.graph.len());
        for (at, part) in (0..).zip(&self.graph) {
            let mut put_node = |node: u32| put_u64(out, u64::from(at - node));
            match *part {
                ImagePart::Union(one, other) => {
                    put_node(at);
                    put_node(one);
                    put_node(other);
                }
                ImagePart::Event { event, step, below } => {
                    put_u64(out, step.index() as u64 + 1);
                    put_u64(out, u64::from(event));
                    put_u64(out, below.map_or(0, |below| u64::from(at - below)));
                }
            }
        }
        put_len(out, self.groups.len());
        for (root, configurations) in &self.groups {
            put_u64(out, u64::from(*root));
            put_len(out, configurations.len());
            for configuration in configurations {
                put_len(out, configuration.state.index());
                for time in [configuration.last, configuration.deadline] {
                    put_i64(out, time);
                }
                configuration.clocks.iter().for_each(|clock| put_i64(out, *clock));
                write_registers(&configuration.registers, out);
            }
        }
        if let Some(now) = self.now {
            put_i64(out, now);
        }
    }
}

fn write_registers(registers: &[(Value, RegisterState)], out: &mut Vec<u8>) {
    for (value, state) in registers {
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

/// Reads the registers of a run or a configuration.
fn read_registers(
    reader: &mut Reader<'_>,
    program: &Program,
) -> Option<Vec<(Value, RegisterState)>> {
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
    program.registers.iter().map(register).collect()
}

impl<E: Event> Image<E> {
    /// Reads an image of a key in a rule with this program, with the captured events. `None` if the
    /// bytes are not an image, or refer to parts that the program does not have.
    pub fn read(
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
        if flags & 1 != 0 {
            program.leading_not?;
            image.last_violation = Some(reader.i64()?);
        }
        if image.form == FormKind::Compact {
            image.read_graph(reader, program)?;
            image.read_groups(reader, program)?;
        }
        image.form.fits(&image, program).then_some(image)
    }

    fn read_graph(&mut self, reader: &mut Reader<'_>, program: &Program) -> Option<()> {
        // By node: the last event, which what comes behind it has to follow.
        let mut lasts: Vec<u32> = Vec::new();
        for at in 0..reader.count()? {
            let at = u32::try_from(at).ok()?;
            let (kind, first, second) = (reader.u64()?, reader.u32()?, reader.u32()?);
            let node = |back: u32| (back > 0).then(|| at.checked_sub(back))?;
            let last = |node: u32| lasts.get(node as usize).copied();
            let (part, event) = match usize::try_from(kind).ok()?.checked_sub(1) {
                None => {
                    let (one, other) = (node(first)?, node(second)?);
                    (ImagePart::Union(one, other), last(one)?.max(last(other)?))
                }
                Some(step) => {
                    let event = first;
                    let below = if second == 0 { None } else { Some(node(second)?) };
                    let follows = match below {
                        Some(below) => last(below)? < event,
                        None => true,
                    };
                    let is_known =
                        step < program.steps.len() && (event as usize) < self.events.len();
                    if !follows || !is_known {
                        return None;
                    }
                    (ImagePart::Event { event, step: StepId::new(step), below }, event)
                }
            };
            lasts.push(event);
            self.graph.push(part);
        }
        let is_in_order = self.events.windows(2).all(|pair| pair[0].0 < pair[1].0);
        is_in_order.then_some(())
    }

    fn read_groups(&mut self, reader: &mut Reader<'_>, program: &Program) -> Option<()> {
        for _ in 0..reader.count()? {
            let root = reader.u32()?;
            let mut configurations = Vec::new();
            for _ in 0..reader.count()? {
                let state = reader.u32()? as usize;
                let (last, deadline) = (reader.i64()?, reader.i64()?);
                let clocks = (0..program.clocks).map(|_| reader.i64()).collect::<Option<_>>()?;
                let registers = read_registers(reader, program)?;
                if state >= program.states.len() {
                    return None;
                }
                let state = StateId::new(state);
                let configuration = ImageConfiguration { state, last, deadline, clocks, registers };
                configurations.push(configuration);
            }
            // Only matches that wait for older partial matches are in no state.
            let is_one = |(_, states): &(u32, Vec<_>)| states.is_empty();
            let may_wait = program.waits() && !self.groups.iter().any(is_one);
            if root as usize >= self.graph.len() || configurations.is_empty() && !may_wait {
                return None;
            }
            self.groups.push((root, configurations));
        }
        if !reader.is_at_end() {
            self.now = Some(reader.i64()?);
        }
        Some(())
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
        let registers = read_registers(reader, program)?;
        Some(ImageRun { state: StateId::new(state), head, deadline, clocks, registers })
    }
}
