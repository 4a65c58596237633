//! The numbers that snapshots use for the parts of a program.

use crate::nfa::{Action, Program, RegisterKind};
use kleene_event::util::fnv::Fnv;
use kleene_syntax::hir::expr::AggregateOp;

impl Program {
    /// A hash of all that gives numbers their meaning: states with what leads on from them, steps,
    /// clocks, registers. The meaning of a rule is its version; this is what one version of this
    /// library has made of it, so that numbers which another one wrote are not taken for others.
    pub fn layout(&self) -> u64 {
        let mut hash = Fnv::new();
        let mut number = |number: usize| hash.write_i64(number.try_into().unwrap_or(i64::MAX));
        let optional = |at: Option<u32>| at.map_or(0, |at| at as usize + 1);
        number(self.states.len());
        number(self.start.index());
        for state in &self.states {
            number(state.edges.end as usize);
            number(state.accept.map_or(0, |guard| guard.index() + 1));
            number(
                usize::from(state.accepts_at_deadline)
                    + 2 * usize::from(state.accepts_when_exhausted)
                    + 4 * usize::from(state.live),
            );
            number(state.bounds.end as usize);
        }
        for edge in &self.edges {
            number(edge.guard.index());
            let (kind, step, target) = match edge.action {
                Action::Stop => (0, 0, 0),
                Action::Take { step, target } => (1, step.index(), target.index()),
                Action::Ignore { target } => (2, 0, target.index()),
                Action::Complete => (3, 0, 0),
            };
            [kind, step, target, edge.clocks.end as usize].into_iter().for_each(&mut number);
        }
        for op in &self.clock_ops {
            number(op.kind().into());
            number(op.clock() as usize);
            if op.operand_event() != 0 {
                number(op.operand_event().into());
            }
        }
        number(self.clocks);
        for (step, clock) in &self.named {
            number(step.index());
            number(optional(Some(*clock)));
        }
        number(self.registers.len());
        for register in self.registers.iter() {
            number(register.step.map_or(0, |step| step.index() + 1));
            number(match &register.kind {
                RegisterKind::First(_) => 0,
                RegisterKind::Last(_) => 1,
                RegisterKind::Aggregate(aggregate) => match aggregate.op {
                    AggregateOp::Count => 2,
                    AggregateOp::Sum => 3,
                    AggregateOp::Avg => 4,
                    AggregateOp::Min => 5,
                    AggregateOp::Max => 6,
                    AggregateOp::First => 7,
                    AggregateOp::Last => 8,
                    AggregateOp::Distinct => 9,
                    AggregateOp::Collect => 10,
                    AggregateOp::Stddev => 11,
                },
            });
        }
        number(usize::from(self.leading_not.is_some()));
        number(usize::from(self.waits()));
        hash.finish()
    }
}
