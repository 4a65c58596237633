//! Bounds on the type parameters of what derives an event.

use syn::Generics;

/// The generics with `bounds`, which only type parameters need.
pub(crate) fn with_bounds(generics: &Generics, bounds: Vec<syn::WherePredicate>) -> Generics {
    let mut generics = generics.clone();
    if generics.type_params().next().is_some() {
        generics.make_where_clause().predicates.extend(bounds);
    }
    generics
}
