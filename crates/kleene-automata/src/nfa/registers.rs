//! Registers: the values of captured events that conditions read, kept up to date as events are
//! captured.

use std::convert::Infallible;

use hashbrown::HashMap;

use kleene_syntax::hir::expr::{Aggregate, AggregateOp, CapturedField, FieldRef, Pick, Set};
use kleene_syntax::hir::{Condition, ConditionId, Expr, StepId, Test};

/// A value that a run keeps for later conditions.
#[derive(Clone, Debug, PartialEq)]
pub struct Register {
    /// Whose events change it; `None`: all.
    pub step: Option<StepId>,
    /// What it holds.
    pub kind: RegisterKind,
}

impl Register {
    /// True if it holds all values, which are copied where a partial match goes along two branches.
    pub(super) fn holds_values(&self) -> bool {
        match &self.kind {
            RegisterKind::Aggregate(aggregate) => {
                matches!(aggregate.op, AggregateOp::Collect | AggregateOp::Distinct)
            }
            RegisterKind::First(_) | RegisterKind::Last(_) => false,
        }
    }
}

/// The effect of a captured event on a register.
#[derive(Clone, Debug)]
pub enum RegisterKind {
    /// The field of the first event.
    First(FieldRef),
    /// The field of the last event.
    Last(FieldRef),
    /// An aggregate.
    Aggregate(Box<Aggregate>),
}

/// Conditions with registers instead of captured events, and the facts about them.
#[derive(Debug, Default)]
pub(super) struct Extracted {
    pub(super) conditions: Vec<Condition>,
    pub(super) correlated: Vec<bool>,
    pub(super) lengths: Vec<Expr>,
    pub(super) registers: Vec<Register>,
    /// True if testing a condition can take longer the more was captured.
    pub(super) reads_back: bool,
}

/// `named` are the aliases of groups, whose repetitions are counted where they are asked for.
pub(super) fn extract(
    conditions: &[Condition],
    lengths: &[Expr],
    named: &[(StepId, u32)],
) -> Extracted {
    let mut extractor = Extractor {
        registers: Vec::new(),
        by_text: HashMap::new(),
        correlated: false,
        reads_back: false,
        named,
    };
    let mut extracted = Extracted::default();
    for condition in conditions {
        extractor.correlated = false;
        let test = extractor.test(&condition.test);
        extracted.conditions.push(Condition { ty: condition.ty, test });
        extracted.correlated.push(extractor.correlated);
    }
    extracted.lengths = extractor.list(lengths);
    extracted.registers = extractor.registers;
    extracted.reads_back = extractor.reads_back;
    extracted
}

struct Extractor<'a> {
    registers: Vec<Register>,
    /// The registers by how they print, which says all that they are.
    by_text: HashMap<String, usize>,
    correlated: bool,
    reads_back: bool,
    named: &'a [(StepId, u32)],
}

impl PartialEq for RegisterKind {
    /// Aggregates are not compared, as what they are of can hold anything.
    fn eq(&self, other: &RegisterKind) -> bool {
        match (self, other) {
            (RegisterKind::First(a), RegisterKind::First(b))
            | (RegisterKind::Last(a), RegisterKind::Last(b)) => a == b,
            _ => false,
        }
    }
}

impl Extractor<'_> {
    fn test(&mut self, test: &Test) -> Test {
        match test {
            Test::Expr(expr) => Test::Expr(self.expr(expr)),
            Test::Host { index, correlated } => {
                self.correlated |= *correlated;
                self.reads_back |= *correlated;
                Test::Host { index: *index, correlated: *correlated }
            }
            Test::All(tests) => Test::All(tests.iter().map(|test| self.test(test)).collect()),
            Test::OneOf(_) | Test::True => test.clone(),
        }
    }

    fn expr(&mut self, expr: &Expr) -> Expr {
        // A look-up.
        if let Expr::In(value, set) = expr
            && let Set::Expr(Expr::Aggregate(list)) = &**set
            && list.op == AggregateOp::Distinct
        {
            let value = self.expr(value);
            return Expr::In(Box::new(value), Box::new(Set::Expr(self.aggregate(list))));
        }
        match expr {
            Expr::Captured(captured) => self.captured(captured),
            Expr::Aggregate(of) if self.named.iter().any(|(alias, _)| *alias == of.step) => {
                (self.correlated, self.reads_back) = (true, true);
                expr.clone()
            }
            Expr::Aggregate(aggregate) => {
                let is_list = matches!(aggregate.op, AggregateOp::Collect | AggregateOp::Distinct);
                self.reads_back |= is_list;
                self.aggregate(aggregate)
            }
            _ => {
                let Ok(expr) = expr.map_parts(|part| Ok::<_, Infallible>(self.expr(part)));
                expr
            }
        }
    }

    fn list(&mut self, exprs: &[Expr]) -> Vec<Expr> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Expr {
        let kind = RegisterKind::Aggregate(Box::new(aggregate.clone()));
        self.register(Some(aggregate.step), kind)
    }

    fn captured(&mut self, captured: &CapturedField) -> Expr {
        let field = captured.field.clone();
        match captured.pick {
            Pick::First | Pick::Nth(0) => self.register(captured.step, RegisterKind::First(field)),
            Pick::Last | Pick::FromEnd(1) => {
                self.register(captured.step, RegisterKind::Last(field))
            }
            // Rare: read from the chain of captures when it is asked for.
            Pick::Nth(_) | Pick::FromEnd(_) => {
                (self.correlated, self.reads_back) = (true, true);
                Expr::Captured(captured.clone())
            }
        }
    }

    /// The register that holds this, a new one unless another condition asks for the same.
    fn register(&mut self, step: Option<StepId>, kind: RegisterKind) -> Expr {
        self.correlated = true;
        let register = Register { step, kind };
        let registers = &mut self.registers;
        let index = self.by_text.entry(format!("{register:?}")).or_insert_with(|| {
            registers.push(register);
            registers.len() - 1
        });
        Expr::Register(*index)
    }
}

/// True if all that runs keep beside their events is one value of one event.
pub(super) fn is_one_value(clocks: usize, registers: &[Register]) -> bool {
    let is_value = |register: &Register| {
        matches!(register.kind, RegisterKind::First(_) | RegisterKind::Last(_))
    };
    clocks == 0 && matches!(registers, [register] if is_value(register))
}

/// Calls `read` with each register that a condition reads.
pub(super) fn read_by(
    conditions: &[Condition],
    condition: ConditionId,
    read: &mut dyn FnMut(usize),
) {
    fn of_test(conditions: &[Condition], test: &Test, read: &mut dyn FnMut(usize)) {
        match test {
            Test::True | Test::Host { .. } => {}
            Test::Expr(expr) => of_expr(expr, read),
            Test::OneOf(others) => {
                for other in others {
                    of_test(conditions, &conditions[other.index()].test, read);
                }
            }
            Test::All(tests) => {
                for test in tests {
                    of_test(conditions, test, read);
                }
            }
        }
    }
    fn of_expr(expr: &Expr, read: &mut dyn FnMut(usize)) {
        if let Expr::Register(index) = expr {
            read(*index);
        }
        expr.parts().into_iter().for_each(|part| of_expr(part, read));
    }
    of_test(conditions, &conditions[condition.index()].test, read);
}

/// Returns by step the registers that its events update, in order: its own, and those of any step.
pub(super) fn by_step(steps: usize, registers: &[Register]) -> Vec<Box<[u32]>> {
    let of_any: Vec<u32> =
        (0..).zip(registers).filter(|(_, one)| one.step.is_none()).map(|(id, _)| id).collect();
    let mut by_step = vec![of_any; steps];
    for (id, register) in (0..).zip(registers) {
        if let Some(step) = register.step {
            by_step[step.index()].push(id);
        }
    }
    for of_step in &mut by_step {
        of_step.sort_unstable();
    }
    by_step.into_iter().map(Vec::into_boxed_slice).collect()
}

/// True if an expression reads captured events.
pub(super) fn reads_captures(expr: &Expr) -> bool {
    matches!(expr, Expr::Register(_) | Expr::Captured(_) | Expr::Aggregate(_))
        || expr.parts().into_iter().any(reads_captures)
}
