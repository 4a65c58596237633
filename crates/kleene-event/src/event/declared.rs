//! Names and values against the declaration of an event type, with the reason where they do not fit.

use crate::schema::{EventType, Field, Schema, TypeId};
use crate::util::spelling::nearest;
use crate::value::Kind;

/// Returns the type with this name.
pub(super) fn find_type<'s>(
    schema: &'s Schema,
    name: &str,
) -> Result<(TypeId, &'s EventType), String> {
    let Some(id) = schema.type_id(name) else {
        let near = did_you_mean(name, schema.types().map(|(_, ty)| &*ty.name));
        return Err(format!("there is no event type `{name}`{near}"));
    };
    Ok((id, schema.ty(id)))
}

/// Says that a type has no field with this name.
pub(super) fn no_field(ty: &EventType, name: &str) -> String {
    let near = did_you_mean(name, ty.fields.iter().map(|field| &*field.name));
    format!("`{}` has no field `{name}`{near}", ty.name)
}

/// Checks that a field of a type can have values of these types.
pub(super) fn check_kind(ty: &EventType, field: &Field, found: Kind) -> Result<(), String> {
    let expected = field.kind();
    if found.is_subset_of(expected) {
        return Ok(());
    }
    Err(format!("`{}.{}` is {expected}, not {found}", ty.name, field.name))
}

fn did_you_mean<'a>(found: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(found, names).map_or_else(String::new, |near| format!(": did you mean `{near}`?"))
}
