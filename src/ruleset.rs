//! Rule files, checked and ready for an [`Engine`](crate::Engine).

#[doc(inline)]
pub use kleene_engine::ruleset::{
    FileLoader, HostFunction, KeyPart, Limit, Meta, Once, Rule, RuleDiagnostic, RuleDiagnostics,
    RuleSet, RuleSetBuilder, RulesError, TestBlock,
};
