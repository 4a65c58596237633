//! The code that the derives write.

mod field_set;
mod structs;
mod variants;

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput, Result, parse_quote};

use self::structs::{impl_fields, struct_event};
use self::variants::{Variant, check_distinct, enum_event};
use crate::attributes::{Errors, TypeAttributes};
use crate::model::{FieldSet, Role};

/// `#[derive(Event)]`
pub(crate) fn event(input: &DeriveInput) -> Result<TokenStream> {
    let mut errors = Errors::default();
    let attributes = TypeAttributes::parse(&input.attrs, &mut errors);
    let krate = attributes.krate.clone().unwrap_or_else(|| parse_quote!(::kleene));
    let tokens = match &input.data {
        Data::Struct(data) => {
            let case = attributes.case();
            let set = FieldSet::parse(&data.fields, &input.ident, Role::Event, case, &mut errors);
            errors.finish()?;
            struct_event(input, &attributes, &set, &krate)
        }
        Data::Enum(data) => {
            if let Some(name) = &attributes.rename {
                errors.at(name.span(), "an enum has no event type of its own: name its variants");
            }
            if data.variants.is_empty() {
                errors.at(input.ident.span(), "an event enum needs at least one variant");
            }
            let case = attributes.case();
            let variants: Vec<_> =
                data.variants.iter().filter_map(|v| Variant::parse(v, case, &mut errors)).collect();
            check_distinct(&variants, &mut errors);
            errors.finish()?;
            enum_event(input, &variants, &krate)
        }
        Data::Union(_) => {
            errors.at(input.ident.span(), "a union cannot be an event");
            errors.finish()?;
            TokenStream::new()
        }
    };
    Ok(tokens)
}

/// `#[derive(Fields)]`
pub(crate) fn fields(input: &DeriveInput) -> Result<TokenStream> {
    let mut errors = Errors::default();
    let attributes = TypeAttributes::parse(&input.attrs, &mut errors);
    if let Some(name) = &attributes.rename {
        errors.at(name.span(), "only events have a name; this is a part of one");
    }
    let Data::Struct(data) = &input.data else {
        errors.at(input.ident.span(), "only a struct can be flattened into an event");
        errors.finish()?;
        return Ok(TokenStream::new());
    };
    let case = attributes.case();
    let set = FieldSet::parse(&data.fields, &input.ident, Role::Part, case, &mut errors);
    errors.finish()?;
    let krate = attributes.krate.unwrap_or_else(|| parse_quote!(::kleene));
    Ok(impl_fields(input, &set, &krate))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Expand = fn(&DeriveInput) -> Result<TokenStream>;
    /// A part of each message, and what it points to.
    type Expected = &'static [(&'static str, &'static str)];

    /// The errors' messages, each with the source text that it points to.
    fn errors(expand: Expand, source: &str) -> Vec<(String, String)> {
        let input: DeriveInput = syn::parse_str(source).unwrap();
        let errors = expand(&input).map(|tokens| tokens.to_string()).unwrap_err();
        let text = |error: &syn::Error| error.span().source_text().unwrap_or_default();
        errors.into_iter().map(|error| (error.to_string(), text(&error))).collect()
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "a table of cases")]
    fn what_cannot_be_an_event_is_refused_where_it_stands() {
        let cases: &[(Expand, &str, Expected)] = &[
            (event, "struct A { x: i64 }", &[("`A` has no event time: mark a field", "A")]),
            (
                event,
                "struct A { sent: Timestamp, seen: SystemTime }",
                &[("with #[event(time)]: one of `sent`, `seen`", "A")],
            ),
            (
                event,
                "struct A { #[event(time)] a: i64, #[event(time)] b: i64 }",
                &[("`a` is the event time already", "time")],
            ),
            (
                event,
                "struct A { #[event(time)] a: Option<Timestamp> }",
                &[("the event time cannot be an Option", "time"), ("no event time", "A")],
            ),
            (
                event,
                "struct A { at: Timestamp, id: u64, tags: Option<HashSet<String>>, p: (i64, i64) }",
                &[
                    ("a `HashSet` cannot be lent as a list", "Option"),
                    ("arrays and tuples cannot be lent", "("),
                ],
            ),
            (
                event,
                "struct A { at: Timestamp, #[event(rename = \"b\")] a: i64, b: i64 }",
                &[("`a` and `b` have the same name", "b")],
            ),
            (
                event,
                "struct A { at: Timestamp, #[event(skip, rename = \"b\")] a: i64 }",
                &[("a skipped field cannot be `rename`", "skip")],
            ),
            (
                event,
                "struct A { #[event(time)] at: Timestamp, #[event(nested, unit = \"s\")] a: B }",
                &[("a nested struct cannot be `time`, `unit`", "nested")],
            ),
            (
                event,
                "struct A { #[event(time, unit = \"minutes\")] at: i64 }",
                &[("unknown unit `minutes`: expected \"s\"", "\"minutes\"")],
            ),
            (
                event,
                "struct A { #[event(unit = \"s\")] at: Timestamp }",
                &[("`unit` is for numbers", "unit")],
            ),
            (
                event,
                "struct A { at: Timestamp, #[event(renamed = \"b\")] a: i64 }",
                &[("expected `time`, `unit", "renamed")],
            ),
            (
                event,
                "#[event(rename = \"\")] struct A { at: Timestamp }",
                &[("a name must not be empty", "\"\"")],
            ),
            (
                event,
                "#[event(rename = \"a\", rename = \"b\")] struct A { at: Timestamp }",
                &[("given twice", "rename")],
            ),
            (
                event,
                "#[event(rename_all = \"Camel\")] struct A { at: Timestamp }",
                &[("unknown spelling: expected one of \"lowercase\"", "\"Camel\"")],
            ),
            (
                event,
                "enum A { #[event(rename_all = \"camelCase\")] B(B) }",
                &[("this belongs on the struct", "\"camelCase\"")],
            ),
            (event, "struct A(Timestamp);", &[("`A` must have named fields", "A")]),
            (event, "union A { a: i64 }", &[("a union cannot be an event", "A")]),
            (event, "enum A {}", &[("needs at least one variant", "A")]),
            (
                event,
                "#[event(rename = \"a\")] enum A { B(B), C, D(D, E), F(Box<B>) }",
                &[
                    ("an enum has no event type of its own", "\"a\""),
                    ("`C` must hold one struct", "C"),
                    ("`D` must hold one struct", "D"),
                    ("`B` holds a `B` already", "Box"),
                ],
            ),
            (event, "enum A { B { x: i64 } }", &[("`B` has no event time", "B")]),
            (
                event,
                "enum A { #[event(crate = \"k\")] B(#[event(nested)] B) }",
                &[("`crate` belongs on the enum", "\"k\""), ("belongs on the fields", "#")],
            ),
            (fields, "struct A { #[event(time)] x: i64 }", &[("only an event has", "time")]),
            (fields, "enum A { B }", &[("only a struct can be flattened", "A")]),
            (fields, "#[event(rename = \"a\")] struct A { }", &[("only events have", "\"a\"")]),
        ];
        for (expand, source, expected) in cases {
            let found = errors(*expand, source);
            let fits = found.len() == expected.len()
                && found.iter().zip(*expected).all(|((message, place), (part, at))| {
                    message.contains(part) && place.starts_with(at)
                });
            assert!(fits, "{source}\n{found:#?}");
        }
    }
}
