//! Which rules see which events.

use hashbrown::HashMap;

use crate::event::Event;
use crate::hir::expr::FieldRef;
use crate::schema::Schema;
use crate::stream::groups::Groups;
use crate::stream::running::Running;

/// Which rules see which events.
#[derive(Default)]
pub(crate) struct Routes {
    /// By type id.
    pub(super) types: Vec<Route>,
}

/// What becomes of the events of one type.
#[derive(Default)]
pub(super) struct Route {
    /// Whether the rules declare the type.
    pub(super) declared: bool,
    /// The groups of which some rule sees the type, each with the fields of its key.
    pub(super) groups: Vec<(u32, Box<[FieldRef]>)>,
    /// The rules that see each event, in order, each with its group's place in `groups`.
    pub(super) always: Vec<(u32, u32)>,
}

impl Routes {
    /// For events of the types of `schema`, of which the rules declare some.
    pub(crate) fn new<E: Event>(schema: &Schema, rules: &[Running<E>], groups: &Groups) -> Routes {
        let mut routes: Vec<Route> = Vec::new();
        routes.resize_with(schema.len(), Route::default);
        let mut places = HashMap::new();
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
            for ty in &running.info.rule.types {
                let Some(route) = routes.get_mut(ty.index()) else { continue };
                let place = *places.entry((*ty, running.group)).or_insert_with(|| {
                    route.groups.push((running.group, groups.fields(running.group, *ty)));
                    u32::try_from(route.groups.len() - 1).unwrap_or(u32::MAX)
                });
                route.always.push((index, place));
            }
        }
        Routes { types: routes }
    }
}
