//! The test of an event against the conditions of a transition.

use super::compiled::HostCondition;
use super::walk::Walk;
use crate::exec::captured::Captures;
use crate::exec::captures::NIL;
use crate::exec::fields::field_of;
use crate::exec::registers::{RegisterFile, Registers, UNSET};
use crate::exec::run::Run;
use crate::exec::store::{StepKeyMask, Store};
use crate::nfa::{
    Comparison, FieldComparison, Guard, GuardId, Operand, OperandSet, Program, RegisterKind,
};
use kleene_event::event::Event;
use kleene_event::value::{Value, ValueRef};
use kleene_syntax::hir::eval::{self, Scope};
use kleene_syntax::hir::expr::{Aggregate, CapturedField, FieldRef};
use kleene_syntax::hir::{ConditionId, Test};

impl<E: Event> Walk<'_, E> {
    pub(in crate::exec) fn guard(&mut self, guard: GuardId, run: &Run, event_epoch: u64) -> bool {
        match &self.program.guards[guard.index()] {
            Guard::True => true,
            Guard::False => false,
            Guard::Condition(condition) => self.condition(*condition, run, event_epoch),
            Guard::Gap { min, max, unless_set, since } => {
                let time = |clock| self.store.file.time(run.registers, clock);
                if run.head == NIL || unless_set.is_some_and(|clock| time(clock) != UNSET) {
                    return true;
                }
                let passed = self.time.saturating_sub(since.map_or(run.last, time));
                passed >= self.millis(*min, run)
                    && max.is_none_or(|max| passed <= self.millis(max, run))
            }
            Guard::Sooner { than, since } => {
                let before = since.map(|clock| self.store.file.time(run.registers, clock));
                let passed = self.time.saturating_sub(before.unwrap_or(run.last));
                run.head == NIL || passed < self.millis(*than, run)
            }
            Guard::IsSet(clock) => self.store.file.time(run.registers, *clock) != UNSET,
            Guard::HasCome { set, event } => self.operands(run, *set).has(*event),
            Guard::HaveCome { set, of, count } => self.operands(run, *set).has_of(*of, *count),
            Guard::Within { clock, within } => match self.store.file.time(run.registers, *clock) {
                UNSET => true,
                time => self.time.saturating_sub(time) < self.millis(*within, run),
            },
            Guard::Not(inner) => !self.guard(*inner, run, event_epoch),
            Guard::And(parts) => parts.iter().all(|&part| self.guard(part, run, event_epoch)),
            Guard::Or(parts) => parts.iter().any(|&part| self.guard(part, run, event_epoch)),
        }
    }

    /// Returns the events of the operands of a group that have come.
    fn operands(&self, run: &Run, set: u32) -> OperandSet {
        OperandSet::of_clock(self.store.file.time(run.registers, set))
    }

    /// True if the event fulfils the condition, or one of several.
    pub(in crate::exec) fn one_of(&mut self, id: ConditionId, run: &Run, event_epoch: u64) -> bool {
        let program = self.program;
        match &program.conditions[id.index()].test {
            Test::OneOf(others) => {
                others.iter().any(|other| self.condition(*other, run, event_epoch))
            }
            _ => self.condition(id, run, event_epoch),
        }
    }

    pub(in crate::exec) fn condition(
        &mut self,
        id: ConditionId,
        run: &Run,
        event_epoch: u64,
    ) -> bool {
        let condition = &self.program.conditions[id.index()];
        if condition.ty.is_some_and(|ty| ty != self.event.type_id()) {
            return false;
        }
        matches!(condition.test, Test::True) || self.test(id, run, event_epoch)
    }

    #[inline(always)]
    fn compares(&self, comparison: &Comparison, run: &Run) -> bool {
        match &comparison.with {
            Operand::Literal(literal) => comparison.holds_of(self.event, literal),
            Operand::Register(index) => {
                let field = self.event.field(comparison.field);
                if let (ValueRef::Float(field), Some(float)) = (field, run.registers.float()) {
                    return comparison.relation.of_ordered(field, float);
                }
                let register = self.store.file.value(run.registers, *index);
                comparison.relation.holds(field, register)
            }
        }
    }

    /// True if a condition holds for an event of its type.
    #[inline(always)]
    pub(in crate::exec) fn test(&mut self, id: ConditionId, run: &Run, event_epoch: u64) -> bool {
        match &self.program.comparisons[id.index()] {
            FieldComparison::One(comparison) => self.compares(comparison, run),
            FieldComparison::All(all) => {
                all.iter().all(|comparison| self.compares(comparison, run))
            }
            FieldComparison::Other => self.evaluate(id, run, event_epoch),
        }
    }

    /// Evaluates a condition, once for the event or once for the run.
    fn evaluate(&mut self, id: ConditionId, run: &Run, event_epoch: u64) -> bool {
        if self.store.scratch.answers.known == Some((self.seq, id)) {
            return true;
        }
        let condition = &self.program.conditions[id.index()];
        let Store { arena, file, scratch, .. } = &mut *self.store;
        let epoch =
            if self.program.correlated[id.index()] { scratch.answers.epoch } else { event_epoch };
        let memo = scratch.answers.memo[id.index()];
        if memo >> 1 == epoch {
            return memo & 1 == 1;
        }
        let scope = CandidateScope {
            event: self.event,
            captures: Captures::new(arena, run.head),
            file,
            program: self.program,
            registers: run.registers,
            step_keys: scratch.answers.step_keys,
        };
        let answer = holds(&condition.test, &self.matcher.host, &scope);
        scratch.answers.memo[id.index()] = epoch << 1 | u64::from(answer);
        answer
    }
}

/// True if a condition holds beside the event's type.
fn holds<E: Event>(test: &Test, host: &[HostCondition<E>], scope: &CandidateScope<'_, E>) -> bool {
    match test {
        Test::True => true,
        Test::Expr(expr) => eval::test(expr, scope),
        Test::Host { index, .. } => {
            host.get(*index).is_some_and(|host| host(scope.event, &scope.captures))
        }
        Test::All(tests) => tests.iter().all(|test| holds(test, host, scope)),
        // The automaton asks each of several conditions by itself.
        Test::OneOf(_) => false,
    }
}

/// A candidate event and what was captured before it.
pub(in crate::exec) struct CandidateScope<'a, E> {
    pub(in crate::exec) event: &'a E,
    pub(in crate::exec) captures: Captures<'a, E>,
    pub(in crate::exec) file: &'a RegisterFile,
    pub(in crate::exec) program: &'a Program,
    pub(in crate::exec) registers: Registers,
    pub(in crate::exec) step_keys: StepKeyMask,
}

impl<E: Event> Scope for CandidateScope<'_, E> {
    #[inline]
    fn field(&self, field: &FieldRef) -> ValueRef<'_> {
        field_of(self.event, field)
    }
    fn captured(&self, captured: &CapturedField) -> Value {
        self.captures.field(captured).to_value()
    }
    fn aggregate(&self, aggregate: &Aggregate) -> Value {
        self.captures.aggregate(aggregate, self.program)
    }
    #[inline]
    fn register(&self, index: usize) -> ValueRef<'_> {
        // Before anything was captured, counts and sums are 0, not null.
        if self.file.is_untouched(self.registers, index) {
            return initial(&self.program.registers[index].kind);
        }
        self.file.value(self.registers, index)
    }
    fn register_has(&self, index: usize, value: ValueRef<'_>) -> Option<bool> {
        if self.file.is_untouched(self.registers, index) {
            return eval::list_has(initial(&self.program.registers[index].kind), value);
        }
        self.file.has(self.registers, index, value)
    }
    fn has_step_key(&self, variant: u8) -> bool {
        self.step_keys.has(variant)
    }
    fn divided_by_zero(&self) {
        self.captures.divided_by_zero();
    }
    fn too_large(&self) {
        self.captures.too_large();
    }
}

/// The value of a register that nothing was captured for.
fn initial(kind: &RegisterKind) -> ValueRef<'static> {
    use kleene_syntax::hir::expr::AggregateOp;
    match kind {
        RegisterKind::Aggregate(aggregate) => match aggregate.op {
            AggregateOp::Count | AggregateOp::Sum => ValueRef::Int(0),
            AggregateOp::Distinct | AggregateOp::Collect => ValueRef::List(&[]),
            _ => ValueRef::Null,
        },
        _ => ValueRef::Null,
    }
}
