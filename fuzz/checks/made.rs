//! Engines for patterns that are made of bytes.

use std::sync::Arc;

use kleene::hir::expr::FieldRef;
use kleene::hir::{Emit, KeyPart, Meta, Pattern, Rule};
use kleene::schema::FieldId;
use kleene::stream::Builder;
use kleene::{Engine, Record};
use kleene_test::convert;

/// An engine in the making that runs `pattern`, for each `v` alone if it `has_key`.
pub(crate) fn engine(pattern: &Pattern, has_key: bool) -> Builder<Record> {
    let field = (convert::event_type(), FieldRef::Declared(FieldId::new(1)));
    let part = KeyPart { name: "v".into(), fields: vec![field] };
    let rule = Rule {
        name: "made".into(),
        meta: Meta::default(),
        types: vec![convert::event_type()],
        key: if has_key { vec![part] } else { Vec::new() },
        pattern: pattern.clone(),
        emit: None,
        on_timeout: Some(Emit { fields: Vec::new(), feeds: None }),
        having: None,
        suppress: None,
        once: None,
        limit: None,
        version: 1,
    };
    Engine::builder().rule(Arc::new(convert::schema()), Arc::new(rule))
}
