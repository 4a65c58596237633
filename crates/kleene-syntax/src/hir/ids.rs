//! The numbers of the parts of a pattern.

use kleene_event::define_id;

define_id! {
    /// A step of a [`Pattern`](crate::hir::Pattern), as which events are captured.
    pub StepId
}
define_id! {
    /// A condition of a [`Pattern`](crate::hir::Pattern).
    pub ConditionId
}
define_id! {
    /// A total over a set of matches that a [`Pattern`](crate::hir::Pattern) reports together.
    pub TotalId
}
define_id! {
    /// A length of time that a [`Pattern`](crate::hir::Pattern) reads from what was captured.
    pub LengthId
}
