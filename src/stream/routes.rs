//! Which rules see which events.

use std::sync::Arc;

use hashbrown::DefaultHashBuilder;

use crate::event::Event;
use crate::hir::expr::FieldRef;
use crate::schema::{Schema, TypeId};
use crate::stream::running::Running;

/// Which rules see which events.
pub(crate) struct Routes {
    /// By type id.
    pub(super) types: Vec<Route>,
    pub(super) hasher: DefaultHashBuilder,
}

#[derive(Default)]
pub(super) struct Route {
    /// Whether the rules declare the type.
    pub(super) declared: bool,
    /// The different keys that rules want of this type.
    pub(super) keys: Vec<Box<[FieldRef]>>,
    /// The rules in order, each with the key that it wants.
    pub(super) rules: Vec<(u32, u32)>,
}

impl Routes {
    /// For events of the types of `schema`, of which the rules declare some.
    pub(crate) fn new<E: Event>(schema: &Schema, rules: &[Running<E>]) -> Routes {
        let mut routes = Routes { types: Vec::new(), hasher: DefaultHashBuilder::default() };
        routes.renew(schema, rules);
        routes
    }

    /// The same for other rules; keys that are known stay where they are.
    pub(super) fn renew<E: Event>(&mut self, schema: &Schema, rules: &[Running<E>]) {
        let mut routes: Vec<Route> = Vec::new();
        routes.resize_with(schema.len(), Route::default);
        // The rules of one file share what it declares.
        let mut last: Option<&Schema> = None;
        for (index, running) in (0..).zip(rules) {
            let declared = running.declared.as_deref().unwrap_or(schema);
            if !last.is_some_and(|last| std::ptr::eq(last, declared)) {
                for (_, ty) in declared.types() {
                    if let Some(id) = schema.type_id(&ty.name) {
                        routes[id.index()].declared = true;
                    }
                }
            }
            last = Some(declared);
            let rule = &running.info.rule;
            for ty in &rule.types {
                let Some(route) = routes.get_mut(ty.index()) else { continue };
                let key: Box<[FieldRef]> =
                    rule.key.iter().map(|part| field_of(&part.fields, *ty)).collect();
                let at = route.keys.iter().position(|other| *other == key).unwrap_or_else(|| {
                    route.keys.push(key);
                    route.keys.len() - 1
                });
                route.rules.push((index, u32::try_from(at).unwrap_or(u32::MAX)));
            }
        }
        self.types = routes;
    }
}

/// The field that holds a key part in events of type `ty`; one that is always null if there is none.
fn field_of(fields: &[(TypeId, FieldRef)], ty: TypeId) -> FieldRef {
    let field = fields.iter().find(|(id, _)| *id == ty).map(|(_, field)| field.clone());
    field.unwrap_or_else(|| FieldRef::ByType(Arc::new([])))
}
