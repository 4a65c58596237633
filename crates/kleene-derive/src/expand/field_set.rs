//! The fields of a struct or variant in the generated code.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Ident, Path, Type, parse_quote};

use crate::attributes::Unit;
use crate::model::{Access, Field, FieldSet, Time, argument_of, option_argument, unraw};

impl FieldSet {
    /// The fields that the code reads, the event time included.
    pub(super) fn idents(&self) -> Vec<&Ident> {
        let time = self.time.iter().filter(|time| time.index.is_none()).map(|time| &time.ident);
        self.fields.iter().map(|field| &field.ident).chain(time).collect()
    }

    /// Returns the number of flat fields.
    pub(super) fn count(&self, krate: &Path) -> TokenStream {
        flat_count(&self.fields, krate)
    }

    /// The flat position of the event time, an `Option<usize>`.
    pub(super) fn time_index(&self, krate: &Path) -> TokenStream {
        let index = self.time.as_ref().and_then(|time| time.index);
        optional(index.map(|index| flat_count(&self.fields[..index], krate)))
    }

    /// Statements that append every field to `out`, in sight of `prefix` and `optional`.
    pub(super) fn append(&self, krate: &Path) -> TokenStream {
        let statements = self.fields.iter().map(|field| {
            let (name, ty) = (&field.name, &field.ty);
            let derived = quote!(#krate::event::derived);
            let (field_type, is_optional) = match field.access {
                Access::Value => (
                    quote_spanned!(at(ty)=> <#ty as #krate::event::FieldValue>::field_type()),
                    quote!(<#ty as #krate::event::FieldValue>::is_optional()),
                ),
                Access::Time(_) => (
                    quote!(#krate::schema::FieldType::Time),
                    quote!(<#ty as #derived::TimeField>::OPTIONAL),
                ),
                Access::Saturate => (
                    quote!(#krate::schema::FieldType::Int),
                    quote!(<#ty as #derived::Saturate>::OPTIONAL),
                ),
                Access::Map => {
                    return quote!(#derived::push_map::<#ty>(prefix, #name, out););
                }
                Access::Nested { optional: is_optional } => {
                    let ty = nested_type(field);
                    return quote! {
                        #derived::push_nested::<#ty>(prefix, #name, optional || #is_optional, out);
                    };
                }
            };
            quote! {
                #derived::push_field(prefix, #name, #field_type, optional || #is_optional, out);
            }
        });
        quote!(#(#statements)*)
    }

    /// An expression of type `ValueRef`: the flat field number `index`. `place` gives a reference
    /// to a field.
    pub(super) fn values(
        &self,
        place: impl Fn(&Ident) -> TokenStream,
        krate: &Path,
    ) -> TokenStream {
        let mut out = TokenStream::new();
        let mut arms = Vec::new();
        for field in &self.fields {
            let place = place(&field.ident);
            let Access::Nested { optional } = field.access else {
                let position = arms.len();
                let value = value_of(field, &place, krate);
                arms.push(quote!(#position => #value,));
                continue;
            };
            if !arms.is_empty() {
                let count = arms.len();
                let arms = std::mem::take(&mut arms);
                out.extend(quote! {
                    if index < #count {
                        return match index { #(#arms)* _ => #krate::ValueRef::Null };
                    }
                    let index = index - #count;
                });
            }
            let (ty, part) = (nested_type(field), part_of(optional, &place));
            out.extend(quote! {
                if index < <#ty as #krate::event::Fields>::COUNT {
                    return #krate::event::derived::nested::<#ty>(#part, index);
                }
                let index = index - <#ty as #krate::event::Fields>::COUNT;
            });
        }
        quote!(#out match index { #(#arms)* _ => #krate::ValueRef::Null })
    }

    /// An expression of type `ValueRef`: the entry of a map at `path`.
    pub(super) fn entry(&self, place: impl Fn(&Ident) -> TokenStream, krate: &Path) -> TokenStream {
        let derived = quote!(#krate::event::derived);
        let parts = self.fields.iter().filter_map(|field| {
            let (name, ty, place) = (&field.name, &field.ty, place(&field.ident));
            let value = match field.access {
                Access::Map => quote!(<#ty as #krate::event::MapValue>::entry(#place, rest)),
                Access::Nested { optional } => {
                    let (ty, part) = (nested_type(field), part_of(optional, &place));
                    quote!(#derived::nested_entry::<#ty>(#part, rest))
                }
                Access::Value | Access::Time(_) | Access::Saturate => return None,
            };
            Some(quote! {
                if let ::core::option::Option::Some(rest) = #derived::behind(path, #name) {
                    return #value;
                }
            })
        });
        quote!(let _ = path; #(#parts)* #krate::ValueRef::Null)
    }

    /// An expression: the bytes of heap that maps take.
    pub(super) fn entries_heap_size(
        &self,
        place: impl Fn(&Ident) -> TokenStream,
        krate: &Path,
    ) -> TokenStream {
        let parts = self.fields.iter().filter_map(|field| {
            let (ty, place) = (&field.ty, place(&field.ident));
            match field.access {
                Access::Map => Some(quote!(<#ty as #krate::event::MapValue>::heap_size(#place))),
                Access::Nested { optional } => {
                    let (ty, part) = (nested_type(field), part_of(optional, &place));
                    Some(quote!(#krate::event::derived::nested_heap_size::<#ty>(#part)))
                }
                Access::Value | Access::Time(_) | Access::Saturate => None,
            }
        });
        quote!(0 #(+ #parts)*)
    }

    /// An expression of type `Option<usize>`: the first field whose value rules cannot read.
    pub(super) fn out_of_range(
        &self,
        place: impl Fn(&Ident) -> TokenStream,
        krate: &Path,
    ) -> TokenStream {
        let derived = quote!(#krate::event::derived);
        let parts = self.fields.iter().enumerate().filter_map(|(number, field)| {
            let (ty, place) = (&field.ty, place(&field.ident));
            let index = flat_count(&self.fields[..number], krate);
            let is_in_range = match field.access {
                Access::Value => quote!(#derived::is_in_range::<#ty>(#place)),
                Access::Map => quote!(<#ty as #krate::event::MapValue>::is_in_range(#place)),
                Access::Nested { optional } => {
                    let (ty, part) = (nested_type(field), part_of(optional, &place));
                    return Some(quote! {
                        let found = #derived::nested_range::<#ty>(#part, #index);
                        if found.is_some() {
                            return found;
                        }
                    });
                }
                Access::Time(_) | Access::Saturate => return None,
            };
            Some(quote! {
                if !#is_in_range {
                    return ::core::option::Option::Some(#index);
                }
            })
        });
        quote!(#(#parts)* ::core::option::Option::None)
    }

    /// Returns the bounds on the fields' types, for structs with type parameters.
    pub(super) fn bounds(&self, krate: &Path) -> Vec<syn::WherePredicate> {
        let derived = quote!(#krate::event::derived);
        let mut bounds: Vec<syn::WherePredicate> = Vec::new();
        for field in &self.fields {
            let ty = &field.ty;
            bounds.push(match field.access {
                Access::Value => parse_quote!(#ty: #krate::event::FieldValue),
                Access::Time(_) => parse_quote!(#ty: #derived::TimeField),
                Access::Saturate => parse_quote!(#ty: #derived::Saturate),
                Access::Map => parse_quote!(#ty: #krate::event::MapValue),
                Access::Nested { .. } => {
                    let ty = nested_type(field);
                    parse_quote!(#ty: #krate::event::Fields)
                }
            });
        }
        if let Some(time) = &self.time {
            let ty = &time.ty;
            bounds.push(parse_quote!(#ty: #krate::event::EventTime));
            bounds.push(parse_quote!(Self: ::core::clone::Clone));
        }
        bounds
    }
}

/// Errors in the written code point to `ty`, and lints know that a macro wrote it.
pub(super) fn at(ty: &Type) -> Span {
    Span::call_site().located_at(ty.span())
}

/// An `Option` as it is written.
pub(super) fn optional(content: Option<TokenStream>) -> TokenStream {
    content.map_or_else(
        || quote!(::core::option::Option::None),
        |content| quote!(::core::option::Option::Some(#content)),
    )
}

pub(super) fn flat_count(fields: &[Field], krate: &Path) -> TokenStream {
    let nested = |field: &&Field| matches!(field.access, Access::Nested { .. });
    let leaves = fields.iter().filter(|field| !nested(field)).count();
    let parts = fields.iter().filter(nested).map(nested_type);
    quote!(#leaves #(+ <#parts as #krate::event::Fields>::COUNT)*)
}

pub(super) fn nested_type(field: &Field) -> &Type {
    match field.access {
        Access::Nested { optional: true } => option_argument(&field.ty).unwrap_or(&field.ty),
        _ => &field.ty,
    }
}

/// A nested struct as an `Option` of a reference to it.
pub(super) fn part_of(optional: bool, place: &TokenStream) -> TokenStream {
    if optional {
        quote!(::core::option::Option::as_ref(#place))
    } else {
        quote!(::core::option::Option::Some(#place))
    }
}

pub(super) fn value_of(field: &Field, place: &TokenStream, krate: &Path) -> TokenStream {
    match field.access {
        Access::Time(unit) => {
            let unit = unit_path(unit, krate);
            quote!(#krate::event::derived::time_value(#place, #unit))
        }
        Access::Saturate => quote!(#krate::event::derived::saturated(#place)),
        Access::Map => quote!(#krate::ValueRef::Null),
        Access::Value | Access::Nested { .. } => {
            let ty = &field.ty;
            quote!(<#ty as #krate::event::FieldValue>::value(#place))
        }
    }
}

pub(super) fn time_of(time: &Time, place: &TokenStream, krate: &Path) -> TokenStream {
    let (ty, unit) = (&time.ty, unit_path(time.unit, krate));
    quote_spanned! {at(ty)=>
        <#ty as #krate::event::EventTime>::event_time(#place, #unit)
    }
}

pub(super) fn unit_path(unit: Unit, krate: &Path) -> TokenStream {
    let name = match unit {
        Unit::Seconds => format_ident!("Seconds"),
        Unit::Millis => format_ident!("Millis"),
        Unit::Micros => format_ident!("Micros"),
        Unit::Nanos => format_ident!("Nanos"),
    };
    quote!(#krate::event::TimeUnit::#name)
}

pub(super) fn self_field(ident: &Ident) -> TokenStream {
    quote!(&self.#ident)
}

/// The name that a variant's field is bound to; its own could hide `field` or `index`.
pub(super) fn binding(ident: &Ident) -> Ident {
    format_ident!("bound_{}", unraw(ident))
}

pub(super) fn bound(ident: &Ident) -> TokenStream {
    let name = binding(ident);
    quote!(#name)
}

/// Returns the target of a `Box`, `Rc` or `Arc`; otherwise the type itself.
pub(super) fn pointee(ty: &Type) -> &Type {
    argument_of(ty, &["Box", "Rc", "Arc"]).unwrap_or(ty)
}
