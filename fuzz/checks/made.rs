//! Engines for patterns that are made of bytes.

use std::sync::Arc;

use kleene::schema::FieldId;
use kleene::stream::EngineBuilder;
use kleene::{Engine, Record};
use kleene_syntax::hir::expr::FieldRef;
use kleene_syntax::hir::{Emit, KeyPart, Limit, LimitPolicy, Meta, Once, Pattern, Rule, Suppress};
use kleene_test::convert;

/// The number of bytes of an input that are read. Short inputs let the target run more of them.
pub(crate) const LONGEST: usize = 96;

/// An engine in the making that runs `pattern`, for each `v` alone if it `has_key`.
#[allow(dead_code, reason = "not all targets are without clauses")]
pub(crate) fn engine(pattern: &Pattern, has_key: bool) -> EngineBuilder<Record> {
    with(rule(pattern, has_key))
}

/// As `engine`, with a clause of that number among `CLAUSES`.
#[allow(dead_code, reason = "not all targets have clauses")]
pub(crate) fn engine_with(
    pattern: &Pattern,
    has_key: bool,
    clause: usize,
) -> EngineBuilder<Record> {
    let mut rule = rule(pattern, has_key);
    let limit = |partials, policy| Some(Limit { partials, policy });
    match clause {
        1 => rule.suppress = Some(Suppress::by_key(3)),
        2 => rule.once = Some(Once::Key),
        3 => rule.limit = limit(2, LimitPolicy::DropOldest),
        4 => rule.limit = limit(2, LimitPolicy::DropNewest),
        5 => rule.limit = limit(3, LimitPolicy::Fail),
        _ => {}
    }
    with(rule)
}

/// The number of clauses, none included.
#[allow(dead_code, reason = "not all targets have clauses")]
pub(crate) const CLAUSES: usize = 6;

/// One more rule.
#[allow(dead_code, reason = "most targets have one rule")]
pub(crate) fn and(
    builder: EngineBuilder<Record>,
    pattern: &Pattern,
    has_key: bool,
) -> EngineBuilder<Record> {
    let rule = Rule { name: "other".into(), ..rule(pattern, has_key) };
    builder.rule(Arc::new(convert::schema()), Arc::new(rule))
}

fn with(rule: Rule) -> EngineBuilder<Record> {
    Engine::builder().rule(Arc::new(convert::schema()), Arc::new(rule))
}

fn rule(pattern: &Pattern, has_key: bool) -> Rule {
    let field = (convert::event_type(), FieldRef::Declared(FieldId::new(1)));
    let part = KeyPart { name: "v".into(), fields: vec![field], is_computed: false };
    Rule {
        name: "made".into(),
        meta: Meta::default(),
        types: vec![convert::event_type()],
        key: if has_key { vec![part] } else { Vec::new() },
        step_keys: Vec::new(),
        pattern: pattern.clone(),
        emit: None,
        on_timeout: pattern.report_timeouts.then(|| Emit { fields: Vec::new(), feeds: None }),
        having: None,
        suppress: None,
        once: None,
        limit: None,
        version: 1,
    }
}
