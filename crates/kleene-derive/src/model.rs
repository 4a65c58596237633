//! The checked input of a derive: fields with their names and the way to their value.

use syn::spanned::Spanned as _;
use syn::{GenericArgument, Ident, PathArguments, Type};

use crate::attributes::{Errors, FieldAttributes, Unit};
use crate::case::Case;

/// The named fields of a struct or of a variant.
pub(crate) struct FieldSet {
    pub(crate) fields: Vec<Field>,
    /// The event time.
    pub(crate) time: Option<Time>,
}

/// A field that rules see.
pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) access: Access,
}

/// The way from a field to its values.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    /// Through `FieldValue`.
    Value,
    /// A number that is a time.
    Time(Unit),
    /// A big unsigned number.
    Saturate,
    /// Entries by name, through `MapValue`.
    Map,
    /// Several fields, through `Fields`; whether in an `Option`.
    Nested { optional: bool },
}

/// The event time.
pub(crate) struct Time {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) unit: Unit,
    /// Its position among the fields; none where it is skipped.
    pub(crate) index: Option<usize>,
}

/// The owner of the fields: an event, which has a time, or a part of one.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Role {
    Event,
    Part,
}

impl FieldSet {
    /// Reads `fields` of the struct or variant at `owner`, whose names are spelled in `case`.
    pub(crate) fn parse(
        fields: &syn::Fields,
        owner: &Ident,
        role: Role,
        case: Option<Case>,
        errors: &mut Errors,
    ) -> FieldSet {
        let mut set = FieldSet { fields: Vec::new(), time: None };
        let syn::Fields::Named(named) = fields else {
            errors.at(owner.span(), format!("`{owner}` must have named fields"));
            return set;
        };
        let mut marked: Option<Time> = None;
        let mut by_type: Vec<Time> = Vec::new();
        for field in &named.named {
            let Some(ident) = field.ident.clone() else { continue };
            let attributes = FieldAttributes::parse(&field.attrs, errors);
            let unit = attributes.unit.map_or(Unit::Millis, |(unit, _)| unit);
            let is_time_type =
                matches!(last_ident(&field.ty), Some(n) if n == "Timestamp" || n == "SystemTime");
            if let Some((_, span)) = attributes.unit
                && is_time_type
            {
                errors.at(span, "`unit` is for numbers; this type knows its own");
            }
            let index = attributes.skip.is_none().then_some(set.fields.len());
            let as_time = || Time { ident: ident.clone(), ty: field.ty.clone(), unit, index };
            if let Some(span) = attributes.time {
                if role == Role::Part {
                    errors.at(span, "only an event has an event time; this is a part of one");
                } else if option_argument(&field.ty).is_some() {
                    errors.at(span, "the event time cannot be an Option");
                } else if let Some(first) = &marked {
                    errors.at(span, format!("`{}` is the event time already", first.ident));
                } else {
                    marked = Some(as_time());
                }
            } else if attributes.skip.is_none()
                && (is_time_type || attributes.unit.is_some())
                && option_argument(&field.ty).is_none()
            {
                by_type.push(as_time());
            }
            if attributes.skip.is_some() {
                continue;
            }
            if let Some(access) = access(&attributes, &field.ty, is_time_type, unit, errors) {
                let name = match (&attributes.rename, case) {
                    (Some(name), _) => name.value(),
                    (None, Some(case)) => case.of_field(&unraw(&ident)),
                    (None, None) => unraw(&ident),
                };
                set.push(Field { ident, name, ty: field.ty.clone(), access }, errors);
            }
        }
        if role == Role::Event {
            set.time = marked.or_else(|| only_time(by_type, owner, errors));
        }
        set
    }

    fn push(&mut self, field: Field, errors: &mut Errors) {
        if let Some(other) = self.fields.iter().find(|other| other.name == field.name) {
            let message = format!("`{}` and `{}` have the same name", other.ident, field.ident);
            errors.at(field.ident.span(), message);
        }
        self.fields.push(field);
    }
}

fn access(
    attributes: &FieldAttributes,
    ty: &Type,
    is_time_type: bool,
    unit: Unit,
    errors: &mut Errors,
) -> Option<Access> {
    if attributes.nested.is_some() {
        return Some(Access::Nested { optional: option_argument(ty).is_some() });
    }
    if attributes.unit.is_some() || attributes.time.is_some() && !is_time_type {
        return Some(Access::Time(unit));
    }
    if attributes.saturate.is_some() {
        return Some(Access::Saturate);
    }
    let inner = option_argument(ty).unwrap_or(ty);
    let name = last_ident(inner).map(ToString::to_string).unwrap_or_default();
    let problem = match name.as_str() {
        "HashMap" | "BTreeMap" => return Some(Access::Map),
        "VecDeque" | "HashSet" | "BTreeSet" => Some(format!(
            "a `{name}` cannot be lent as a list: use a `Vec`, or leave it out with #[event(skip)]"
        )),
        _ if matches!(inner, Type::Array(_) | Type::Slice(_) | Type::Tuple(_)) => Some(
            "arrays and tuples cannot be lent as values: use a `Vec`, or leave it out with \
             #[event(skip)]"
                .to_owned(),
        ),
        _ => None,
    };
    if let Some(problem) = problem {
        errors.at(ty.span(), problem);
        return None;
    }
    Some(Access::Value)
}

/// The event time where no field is marked: the only field of a time type.
fn only_time(mut by_type: Vec<Time>, owner: &Ident, errors: &mut Errors) -> Option<Time> {
    if by_type.len() > 1 {
        let names: Vec<_> = by_type.iter().map(|time| format!("`{}`", time.ident)).collect();
        let message =
            format!("mark the event time with #[event(time)]: one of {}", names.join(", "));
        errors.at(owner.span(), message);
    } else if by_type.is_empty() {
        errors.at(
            owner.span(),
            format!("`{owner}` has no event time: mark a field with #[event(time)]"),
        );
    }
    by_type.pop()
}

/// The last name of a path: `Timestamp` of `kleene::Timestamp`.
pub(crate) fn last_ident(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        Type::Paren(inner) => last_ident(&inner.elem),
        Type::Group(inner) => last_ident(&inner.elem),
        _ => None,
    }
}

/// `T` of `Name<T>`, if the type is called by one of `names`.
pub(crate) fn argument_of<'a>(ty: &'a Type, names: &[&str]) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    if !names.iter().any(|name| segment.ident == name) {
        return None;
    }
    match arguments.args.first()? {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    }
}

pub(crate) fn option_argument(ty: &Type) -> Option<&Type> {
    argument_of(ty, &["Option"])
}

/// The name without the `r#` of raw identifiers.
pub(crate) fn unraw(ident: &Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map_or_else(|| name.clone(), str::to_owned)
}

/// `OrderPaid` to `order_paid`, `HTTPRequest` to `http_request`.
pub(crate) fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        let starts_word = i > 0
            && c.is_uppercase()
            && (!chars[i - 1].is_uppercase() || chars.get(i + 1).is_some_and(|n| n.is_lowercase()));
        if starts_word && !out.ends_with('_') {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_names_become_snake_case() {
        for (name, snake) in [
            ("Login", "login"),
            ("OrderPaid", "order_paid"),
            ("HTTPRequest", "http_request"),
            ("Tick2", "tick2"),
            ("Already_Snake", "already_snake"),
        ] {
            assert_eq!(snake_case(name), snake);
        }
    }
}
