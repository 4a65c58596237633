//! `#[derive(Event)]`, `#[derive(Fields)]`, `#[derive(Portable)]` and `#[derive(PortableField)]`
//! for the crate `kleene`, which exports and documents them.

#![forbid(unsafe_code)]

mod attributes;
mod bounds;
mod case;
mod expand;
mod model;
mod portable;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct an event, or an enum of structs that are events.
///
/// A struct's fields become the fields that rules see, without allocation when they are read. The
/// event type is called as the struct, in snake case: `OrderPaid` is `order_paid`. The event time
/// is the field marked `#[event(time)]`, or the only field of type `Timestamp` or `SystemTime`.
///
/// The variants of an enum hold one event struct each, also in a `Box`, `Rc` or `Arc`, or have
/// named fields themselves.
///
/// # On the struct
/// * `#[event(rename = "paid")]`: the name of the event type. On a variant of an enum, too.
/// * `#[event(rename_all = "camelCase")]`: the spelling of the fields' names, by the names that
///   `serde` has for spellings: `lowercase`, `UPPERCASE`, `PascalCase`, `camelCase`, `snake_case`,
///   `SCREAMING_SNAKE_CASE`, `kebab-case`, `SCREAMING-KEBAB-CASE`. On a variant with named fields,
///   too. On an enum, it is the spelling of the event types: each is then called as its variant.
///   A `rename` comes first.
/// * `#[event(crate = "path")]`: where the crate `kleene` is, if not at `::kleene`.
///
/// # On a field
/// * `#[event(time)]`: this is the event time.
/// * `#[event(unit = "s")]`: a number that is a time, from the Unix epoch: `s`, `ms` (what `time`
///   alone means), `us` or `ns`.
/// * `#[event(rename = "type")]`: its name for rules.
/// * `#[event(skip)]`: rules do not see it.
/// * `#[event(nested)]`: a struct (or an `Option` of one) that derives `Fields`: a field `city` in
///   a field `address` becomes `address.city`.
/// * `#[event(saturate)]`: a `u64` or `usize` whose values beyond `i64::MAX` all count as
///   `i64::MAX`. Without it, an event with a value beyond that is rejected.
///
/// A `HashMap` or `BTreeMap` from names to values is a map: rules read `labels.env` as an optional
/// field. Every other field has a type that implements `kleene::event::FieldValue`; a `Vec` of
/// these is a list.
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::event(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Makes a struct a part of events, flattened by `#[event(nested)]`.
///
/// Takes the same `#[event(...)]` on fields as `#[derive(Event)]`, without `time`, and `rename_all`.
#[proc_macro_derive(Fields, attributes(event))]
pub fn derive_fields(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::fields(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Makes an event one that snapshots hold: implements `kleene::event::Portable`, and
/// `kleene::event::PortableField`, so that an enum of events can hold it.
///
/// All fields are written, also those that rules do not see. A struct in a field derives
/// `PortableField`. A struct is written behind a hash of its fields' names and types, a variant
/// behind one of its name, too: bytes of a type with other fields are refused, and variants may be
/// added and reordered.
///
/// * `#[portable(skip)]` on a field: it is not written, and comes back as its `Default`.
/// * `#[portable(crate = "path")]`: where the crate `kleene` is, as for `#[derive(Event)]`.
#[proc_macro_derive(Portable, attributes(portable, event))]
pub fn derive_portable(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    portable::event(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Makes a struct or an enum a part of events that snapshots hold.
///
/// Takes the same `#[portable(...)]` as `#[derive(Portable)]`.
#[proc_macro_derive(PortableField, attributes(portable, event))]
pub fn derive_portable_field(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    portable::part(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}
