//! Registers and clocks: the state of runs besides their events.
//!
//! When it applies: most patterns with conditions on earlier events need one field of one event.
//! Its value is stored in the run itself, as a word; everything else is stored in a row of tables.
//!
//! Why it is right: only this file knows where a value is, and both places return the same value.
//!
//! What it saves: a word costs no row, no lookup, and nothing to release. Without it, W5 takes 1.49
//! times the instructions, W6 1.33 (docs/performance.md).
//!
//! Which test holds it: `values_are_the_same_in_runs_and_in_rows` below.

use crate::exec::aggregate::Accumulator;
use crate::exec::distinct::Distinct;
use crate::nfa::Program;
use kleene_event::time::Timestamp;
use kleene_event::value::wire::put_value;
use kleene_event::value::{Value, ValueRef};
use kleene_syntax::hir::eval;

/// A clock that is not set.
pub(super) const UNSET: i64 = i64::MIN;

/// The registers and clocks of one run: a value, or the index of a row in [`RegisterFile`].
///
/// The word has the form in which interpreters box values in NaNs. Below [`Registers::BOXED`] are
/// the bits of a float. Above, three bits give the kind of the other 48. Text, integers beyond 48
/// bits and other values that do not fit have a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers(u64);

impl Registers {
    /// No register and no clock is set.
    pub(super) const NOTHING: Registers = Registers(u64::MAX);

    /// Floats with bits from here on are NaNs; they have rows.
    const BOXED: u64 = 0xfff8 << 48;
    const ROW: u64 = 0xfff8;
    const NULL: u64 = 0xfff9;
    const BOOL: u64 = 0xfffa;
    const INT: u64 = 0xfffb;
    const TIME: u64 = 0xfffc;
    const DURATION: u64 = 0xfffd;
    const PAYLOAD: u64 = (1 << 48) - 1;

    #[inline(always)]
    const fn boxed(tag: u64, payload: u64) -> Registers {
        Registers(tag << 48 | payload & Registers::PAYLOAD)
    }

    #[inline(always)]
    const fn payload(self) -> i64 {
        (self.0 << 16).cast_signed() >> 16
    }

    /// Returns a value as a word, if it fits.
    #[inline(always)]
    pub(super) fn of(value: ValueRef<'_>) -> Option<Registers> {
        // Most are floats and integers: no table of jumps for those.
        if let ValueRef::Float(x) = value {
            return (x.to_bits() < Registers::BOXED).then_some(Registers(x.to_bits()));
        }
        let (tag, number) = if let ValueRef::Int(number) = value {
            (Registers::INT, number)
        } else {
            match value {
                ValueRef::Null => (Registers::NULL, 0),
                ValueRef::Bool(is_true) => (Registers::BOOL, i64::from(is_true)),
                ValueRef::Time(time) => (Registers::TIME, time.as_millis()),
                ValueRef::Duration(millis) => (Registers::DURATION, millis),
                _ => return None,
            }
        };
        let word = Registers::boxed(tag, number.cast_unsigned());
        (word.payload() == number).then_some(word)
    }

    /// Returns the value, unless it is in a row.
    #[inline(always)]
    fn value(self) -> Option<ValueRef<'static>> {
        if let Some(float) = self.float() {
            return Some(ValueRef::Float(float));
        }
        Some(match self.0 >> 48 {
            Registers::ROW => return None,
            Registers::INT => ValueRef::Int(self.payload()),
            Registers::BOOL => ValueRef::Bool(self.payload() != 0),
            Registers::TIME => ValueRef::Time(Timestamp::from_millis(self.payload())),
            Registers::DURATION => ValueRef::Duration(self.payload()),
            _ => ValueRef::Null,
        })
    }

    #[inline(always)]
    fn row(self) -> Option<u32> {
        // The row is below the tag.
        #[expect(clippy::cast_possible_truncation, reason = "rows have 32 bits")]
        (self.0 >> 48 == Registers::ROW).then_some(self.0 as u32)
    }

    /// Returns the value, if it is a float and not in a row.
    #[inline(always)]
    pub(super) fn float(self) -> Option<f64> {
        (self.0 < Registers::BOXED).then(|| f64::from_bits(self.0))
    }

    /// Returns the value, if it is an integer and not in a row.
    #[inline(always)]
    pub(super) fn int(self) -> Option<i64> {
        (self.0 >> 48 == Registers::INT).then(|| self.payload())
    }

    /// Returns an integer as a word, if the value is an integer and fits.
    #[inline(always)]
    pub(super) fn of_int(value: ValueRef<'_>) -> Option<Registers> {
        Registers::of(value).filter(|word| word.0 >> 48 == Registers::INT)
    }

    /// True if both are integers and differ.
    #[inline(always)]
    pub(super) fn is_other_int(self, other: Registers) -> bool {
        self.0 >> 48 == Registers::INT && other.0 >> 48 == Registers::INT && self.0 != other.0
    }

    #[inline(always)]
    pub(super) fn is_nothing(self) -> bool {
        self.0 == Registers::NOTHING.0
    }
}

/// The registers and clocks that are not in the runs themselves, as parallel tables.
#[derive(Clone, Debug)]
pub(super) struct RegisterFile {
    width: usize,
    clocks: usize,
    /// True if a run stores its only register in itself if the value fits.
    in_runs: bool,
    cells: Vec<Cell>,
    times: Vec<i64>,
    free: Vec<u32>,
    rows: u32,
    /// The heap size of values and their states in bytes.
    bytes: u64,
}

/// A register: its value, and the state behind it where it is an aggregate, or whether it was set
/// where not.
#[derive(Clone, Debug, Default)]
struct Cell {
    value: Value,
    state: RegisterState,
}

impl Cell {
    /// A cell with an aggregate. The value is a copy of what it comes to; a list is in the
    /// accumulator only, as a copy would take as long as it is long, for each event.
    fn aggregate(accumulator: Box<Accumulator>) -> Cell {
        let mut cell = Cell { value: Value::Null, state: RegisterState::Aggregate(accumulator) };
        cell.refresh();
        cell
    }

    /// Sets the value from the accumulator, which has changed.
    fn refresh(&mut self) {
        if let RegisterState::Aggregate(accumulator) = &self.state
            && accumulator.list().is_none()
        {
            self.value = accumulator.value();
        }
    }

    /// Returns the approximate heap size in bytes.
    #[inline]
    fn bytes(&self) -> u64 {
        let text = match &self.value {
            Value::String(text) => ValueRef::String(text).heap_size() as u64,
            _ => 0,
        };
        match &self.state {
            RegisterState::Aggregate(accumulator) => text + accumulator.bytes(),
            RegisterState::Unset | RegisterState::Set => text,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) enum RegisterState {
    #[default]
    Unset,
    Set,
    Aggregate(Box<Accumulator>),
}

impl RegisterFile {
    pub(super) fn new(program: &Program) -> RegisterFile {
        RegisterFile {
            width: program.registers.len(),
            clocks: program.clocks,
            in_runs: program.has_one_value(),
            cells: Vec::new(),
            times: Vec::new(),
            free: Vec::new(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Returns the registers and clocks of a new run: nothing is set.
    #[inline(always)]
    pub(super) fn create(&mut self) -> Registers {
        if self.in_runs || self.width + self.clocks == 0 {
            return Registers::NOTHING;
        }
        self.create_row()
    }

    fn create_row(&mut self) -> Registers {
        let row = self.free.pop().unwrap_or_else(|| {
            self.rows += 1;
            self.cells.resize(self.cells.len() + self.width, Cell::default());
            self.times.resize(self.times.len() + self.clocks, UNSET);
            self.rows - 1
        });
        Registers::boxed(Registers::ROW, u64::from(row))
    }

    #[inline(always)]
    pub(super) fn duplicate(&mut self, registers: Registers) -> Registers {
        match registers.row() {
            None => registers,
            Some(row) => self.duplicate_row(row),
        }
    }

    fn duplicate_row(&mut self, row: u32) -> Registers {
        let copy = self.create_row();
        if let Some(copy) = copy.row() {
            for i in 0..self.width {
                let (from, to) = (self.cell(row, i), self.cell(copy, i));
                self.cells[to] = self.cells[from].clone();
                self.bytes += self.cells[to].bytes();
            }
            let (from, to) = (row as usize * self.clocks, copy as usize * self.clocks);
            self.times.copy_within(from..from + self.clocks, to);
        }
        copy
    }

    #[inline(always)]
    pub(super) fn release(&mut self, registers: Registers) {
        if let Some(row) = registers.row() {
            self.release_row(row);
        }
    }

    fn release_row(&mut self, row: u32) {
        let first = self.cell(row, 0);
        for cell in &mut self.cells[first..first + self.width] {
            self.bytes = self.bytes.saturating_sub(cell.bytes());
            *cell = Cell::default();
        }
        self.times[row as usize * self.clocks..][..self.clocks].fill(UNSET);
        self.free.push(row);
    }

    #[inline(always)]
    fn cell(&self, row: u32, register: usize) -> usize {
        row as usize * self.width + register
    }

    /// Returns the value of a register; null if it is not set.
    #[inline(always)]
    pub(super) fn value(&self, registers: Registers, register: usize) -> ValueRef<'_> {
        match registers.row() {
            Some(row) => {
                let cell = &self.cells[self.cell(row, register)];
                match &cell.state {
                    RegisterState::Aggregate(accumulator) => {
                        accumulator.list().unwrap_or(cell.value.as_ref())
                    }
                    RegisterState::Unset | RegisterState::Set => cell.value.as_ref(),
                }
            }
            None => registers.value().unwrap_or_default(),
        }
    }

    /// True if the list in a register has an item that equals `value`.
    pub(super) fn has(
        &self,
        registers: Registers,
        register: usize,
        value: ValueRef<'_>,
    ) -> Option<bool> {
        if let Some(row) = registers.row()
            && let RegisterState::Aggregate(accumulator) =
                &self.cells[self.cell(row, register)].state
        {
            return accumulator.has(value);
        }
        eval::list_has(self.value(registers, register), value)
    }

    /// Returns the values of `distinct` in a register; `None` if no captured event has changed it.
    pub(super) fn distinct(&self, registers: Registers, register: usize) -> Option<&Distinct> {
        match &self.cells[self.cell(registers.row()?, register)].state {
            RegisterState::Aggregate(accumulator) => accumulator.distinct(),
            RegisterState::Unset | RegisterState::Set => None,
        }
    }

    /// True if no captured event has changed the register.
    #[inline]
    pub(super) fn is_untouched(&self, registers: Registers, register: usize) -> bool {
        match registers.row() {
            Some(row) => {
                matches!(self.cells[self.cell(row, register)].state, RegisterState::Unset)
            }
            None => registers.is_nothing(),
        }
    }

    /// Returns a copy of a register.
    pub(super) fn register(&self, registers: Registers, register: usize) -> (Value, RegisterState) {
        match (registers.row(), registers.value()) {
            (Some(row), _) => {
                let Cell { value, state } = self.cells[self.cell(row, register)].clone();
                (value, state)
            }
            (None, Some(value)) if !registers.is_nothing() => {
                (value.to_value(), RegisterState::Set)
            }
            _ => (Value::Null, RegisterState::Unset),
        }
    }

    /// Restores a register from the result of [`RegisterFile::register`].
    pub(super) fn restore(
        &mut self,
        registers: &mut Registers,
        register: usize,
        (value, state): (Value, RegisterState),
    ) {
        match state {
            RegisterState::Unset => {}
            RegisterState::Set => self.set(registers, register, value.as_ref()),
            RegisterState::Aggregate(accumulator) => {
                self.change(*registers, register, |cell| *cell = Cell::aggregate(accumulator));
            }
        }
    }

    /// Sets a register to a value.
    #[inline(always)]
    pub(super) fn set(&mut self, registers: &mut Registers, register: usize, value: ValueRef<'_>) {
        if self.in_runs {
            match Registers::of(value) {
                Some(word) => return self.set_word(registers, word),
                None if registers.row().is_none() => *registers = self.create_row(),
                None => {}
            }
        }
        self.set_in_row(*registers, register, value);
    }

    /// Sets the only register, which runs store in themselves, to a word.
    #[inline(always)]
    pub(super) fn set_word(&mut self, registers: &mut Registers, word: Registers) {
        self.release(*registers);
        *registers = word;
    }

    fn set_in_row(&mut self, registers: Registers, register: usize, value: ValueRef<'_>) {
        self.change(registers, register, |cell| {
            cell.state = RegisterState::Set;
            // Most are numbers, which replace numbers.
            match (&mut cell.value, value) {
                (Value::Int(last), ValueRef::Int(new)) => *last = new,
                (Value::Float(last), ValueRef::Float(new)) => *last = new,
                // A number is written where it stays: a value that is returned would be written in
                // parts and read as a whole at once.
                (last, ValueRef::Int(new)) => *last = Value::Int(new),
                (last, ValueRef::Float(new)) => *last = Value::Float(new),
                (last, new) => *last = new.to_value(),
            }
        });
    }

    /// Changes a register with an aggregate. `new` makes the aggregate at the first change.
    pub(super) fn accumulate(
        &mut self,
        registers: Registers,
        register: usize,
        new: impl FnOnce() -> Accumulator,
        add: impl FnOnce(&mut Accumulator),
    ) {
        self.change(registers, register, |cell| {
            if !matches!(cell.state, RegisterState::Aggregate(_)) {
                cell.state = RegisterState::Aggregate(Box::new(new()));
            }
            if let RegisterState::Aggregate(accumulator) = &mut cell.state {
                add(accumulator);
            }
            cell.refresh();
        });
    }

    /// Changes a register in a row.
    #[inline]
    fn change(&mut self, registers: Registers, register: usize, change: impl FnOnce(&mut Cell)) {
        let Some(row) = registers.row() else { return };
        let cell = self.cell(row, register);
        let cell = &mut self.cells[cell];
        let before = cell.bytes();
        change(cell);
        self.bytes = (self.bytes + cell.bytes()).saturating_sub(before);
    }

    /// Appends bytes that are equal for two registers if, and only if, their values and what can
    /// become of them are the same.
    pub(super) fn write_identity(&self, registers: Registers, register: usize, out: &mut Vec<u8>) {
        if self.is_untouched(registers, register) {
            return out.push(0);
        }
        if let Some(row) = registers.row()
            && let RegisterState::Aggregate(accumulator) =
                &self.cells[self.cell(row, register)].state
        {
            out.push(2);
            return accumulator.write(out);
        }
        out.push(1);
        put_value(out, self.value(registers, register));
    }

    /// Returns the approximate heap size of values and their states in bytes.
    #[inline]
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the clocks of a run; none if runs have no rows.
    #[inline]
    pub(super) fn times(&self, registers: Registers) -> &[i64] {
        match registers.row() {
            Some(row) => &self.times[row as usize * self.clocks..][..self.clocks],
            None => &[],
        }
    }

    /// Returns one clock of a run.
    #[inline]
    pub(super) fn time(&self, registers: Registers, clock: u32) -> i64 {
        self.times(registers).get(clock as usize).copied().unwrap_or(UNSET)
    }

    #[inline]
    pub(super) fn times_mut(&mut self, registers: Registers) -> &mut [i64] {
        match registers.row() {
            Some(row) => &mut self.times[row as usize * self.clocks..][..self.clocks],
            None => &mut [],
        }
    }

    pub(super) fn memory_usage(&self) -> usize {
        self.cells.capacity() * size_of::<Cell>()
            + self.times.capacity() * size_of::<i64>()
            + self.free.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(width: usize, clocks: usize, in_runs: bool) -> RegisterFile {
        let (cells, times, free) = (Vec::new(), Vec::new(), Vec::new());
        RegisterFile { width, clocks, in_runs, cells, times, free, rows: 0, bytes: 0 }
    }

    #[test]
    fn values_are_the_same_in_runs_and_in_rows() {
        let numbers =
            [0, -1, i64::MAX, i64::MIN, (1 << 47) - 1, 1 << 47, -(1 << 47), -(1 << 47) - 1];
        let floats = [0.0, -0.0, 1.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -f64::NAN];
        let odd = [0xfff8_0000_0000_0001, 0xfff9 << 48, u64::MAX, 0x7fff << 48];
        let mut values = vec![Value::Null, Value::Bool(true), Value::Bool(false)];
        for number in numbers {
            let time = Value::Time(Timestamp::from_millis(number));
            values.extend([Value::Int(number), time, Value::Duration(number)]);
        }
        values.extend(floats.map(Value::Float));
        values.extend(odd.map(|bits| Value::Float(f64::from_bits(bits))));
        values.extend(["", "text"].map(|text| Value::String(text.into())));
        values.push(Value::Ip([127, 0, 0, 1].into()));
        let (mut here, mut there) = (file(1, 0, true), file(1, 0, false));
        let (mut in_run, mut in_row) = (here.create(), there.create());
        let same = |(a, b): (&RegisterFile, &RegisterFile), (i, j): (Registers, Registers)| {
            assert_eq!(format!("{:?}", a.register(i, 0)), format!("{:?}", b.register(j, 0)));
            assert_eq!(format!("{:?}", a.value(i, 0)), format!("{:?}", b.value(j, 0)));
            assert_eq!(a.is_untouched(i, 0), b.is_untouched(j, 0));
            assert_eq!(a.bytes(), b.bytes());
        };
        same((&here, &there), (in_run, in_row));
        // From any value to any other.
        for first in &values {
            for second in &values {
                for value in [first, second] {
                    here.set(&mut in_run, 0, value.as_ref());
                    there.set(&mut in_row, 0, value.as_ref());
                    same((&here, &there), (in_run, in_row));
                    if let (Value::Float(x), ValueRef::Float(y)) = (value, here.value(in_run, 0)) {
                        assert_eq!(x.to_bits(), y.to_bits());
                    }
                }
                let copies = (here.duplicate(in_run), there.duplicate(in_row));
                same((&here, &there), copies);
                here.release(in_run);
                there.release(in_row);
                let mut restored = (here.create(), there.create());
                here.restore(&mut restored.0, 0, there.register(copies.1, 0));
                there.restore(&mut restored.1, 0, here.register(copies.0, 0));
                same((&here, &there), restored);
                here.release(copies.0);
                there.release(copies.1);
                (in_run, in_row) = restored;
            }
        }
        here.release(in_run);
        there.release(in_row);
        assert_eq!((here.bytes(), there.bytes()), (0, 0));
        assert_eq!(here.free.len(), here.rows as usize);
    }

    #[test]
    fn clocks_are_copied_and_forgotten() {
        let mut file = file(1, 2, false);
        let row = file.create();
        file.times_mut(row).copy_from_slice(&[7, UNSET]);
        let copy = file.duplicate(row);
        assert_eq!((file.times(copy), file.time(copy, 0)), (&[7, UNSET][..], 7));
        file.release(copy);
        let again = file.create();
        assert_eq!((file.times(again), file.times(row)), (&[UNSET; 2][..], &[7, UNSET][..]));
        assert_eq!(
            (file.times(Registers::NOTHING).len(), file.time(Registers::NOTHING, 0)),
            (0, UNSET)
        );
    }
}
