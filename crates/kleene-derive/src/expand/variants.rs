//! Enums of events.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{DeriveInput, Generics, Ident, Path, Type, parse_quote};

use super::field_set::{at, binding, bound, optional, pointee, time_of};
use crate::attributes::{Errors, TypeAttributes};
use crate::bounds::with_bounds;
use crate::case::Case;
use crate::model::{FieldSet, Role, snake_case, unraw};

/// A variant of an enum of events.
pub(super) struct Variant<'a> {
    ident: &'a Ident,
    /// The name given by `#[event(rename = "...")]`, or by `rename_all` on the enum.
    name: Option<String>,
    content: Content<'a>,
}

enum Content<'a> {
    /// One struct that is an event by itself.
    Struct(&'a Type),
    /// Named fields.
    Fields(Box<FieldSet>),
}

impl<'a> Variant<'a> {
    /// Reads a variant of an enum whose event types are spelled in `case`.
    pub(super) fn parse(
        variant: &'a syn::Variant,
        case: Option<Case>,
        errors: &mut Errors,
    ) -> Option<Variant<'a>> {
        let ident = &variant.ident;
        let attributes = TypeAttributes::parse(&variant.attrs, errors);
        if let Some(path) = &attributes.krate {
            errors.at(path.span(), "`crate` belongs on the enum");
        }
        let name = match &attributes.rename {
            Some(name) => Some(name.value()),
            None => case.map(|case| case.of_variant(&unraw(ident))),
        };
        let content = match &variant.fields {
            syn::Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                let field = &fields.unnamed[0];
                if let Some(attribute) = field.attrs.iter().find(|a| a.path().is_ident("event")) {
                    errors.at(attribute.span(), "this belongs on the fields of the struct");
                }
                if let Some((_, span)) = attributes.rename_all {
                    errors.at(span, "this belongs on the struct");
                }
                Content::Struct(&field.ty)
            }
            fields @ syn::Fields::Named(_) => {
                let case = attributes.case();
                Content::Fields(Box::new(FieldSet::parse(fields, ident, Role::Event, case, errors)))
            }
            _ => {
                errors.at(
                    ident.span(),
                    format!(
                        "`{ident}` must hold one struct that derives Event, or have named fields"
                    ),
                );
                return None;
            }
        };
        Some(Variant { ident, name, content })
    }

    fn name(&self, krate: &Path) -> TokenStream {
        match (&self.name, &self.content) {
            (Some(name), _) => quote!(#name),
            (None, Content::Struct(ty)) => quote!(<#ty as #krate::event::StructEvent>::NAME),
            (None, Content::Fields(_)) => {
                let name = snake_case(&unraw(self.ident));
                quote!(#name)
            }
        }
    }

    fn event_type(&self, krate: &Path) -> TokenStream {
        match &self.content {
            Content::Struct(ty) => {
                let name = optional(self.name.as_ref().map(|name| quote!(#name)));
                quote_spanned! {at(ty)=>
                    <#ty as #krate::event::StructEvent>::event_type(#name)
                }
            }
            Content::Fields(set) => {
                let name = self.name(krate);
                let (append, time) = (set.append(krate), set.time_index(krate));
                quote! {{
                    let (prefix, optional) = ("", false);
                    let mut fields = ::std::vec::Vec::new();
                    let out = &mut fields;
                    #append
                    #krate::event::derived::event_type(#name, fields, #time)
                }}
            }
        }
    }

    /// An arm of `match self` that binds what `value` needs.
    fn arm(
        &self,
        of_struct: impl FnOnce(&Type) -> TokenStream,
        of_fields: impl FnOnce(&FieldSet) -> TokenStream,
    ) -> TokenStream {
        let ident = self.ident;
        match &self.content {
            Content::Struct(ty) => {
                let value = of_struct(ty);
                quote!(Self::#ident(content) => #value,)
            }
            Content::Fields(set) => {
                let value = of_fields(set);
                let names = set.idents();
                let bindings = names.iter().map(|name| binding(name));
                quote!(Self::#ident { #(#names: #bindings,)* .. } => { #value })
            }
        }
    }
}

/// Two variants with the same struct could not be distinguished by it.
pub(super) fn check_distinct(variants: &[Variant<'_>], errors: &mut Errors) {
    let mut seen: Vec<(String, &Ident)> = Vec::new();
    for variant in variants {
        let Content::Struct(ty) = &variant.content else { continue };
        let text = pointee(ty).to_token_stream().to_string();
        match seen.iter().find(|(other, _)| *other == text) {
            Some((_, first)) => errors.at(
                ty.span(),
                format!("`{first}` holds a `{text}` already: give each variant its own struct"),
            ),
            None => seen.push((text, variant.ident)),
        }
    }
}

/// The arms of the methods of `Event`.
impl Variant<'_> {
    fn holds_struct(&self) -> bool {
        matches!(self.content, Content::Struct(_))
    }

    fn time(&self, krate: &Path) -> TokenStream {
        self.arm(
            |ty| quote!(<#ty as #krate::event::Event>::time(content)),
            |set| {
                let time = set.time.as_ref();
                time.map(|time| time_of(time, &bound(&time.ident), krate)).unwrap_or_default()
            },
        )
    }

    fn field(&self, krate: &Path) -> TokenStream {
        self.arm(
            |ty| quote!(<#ty as #krate::event::Event>::field(content, field)),
            |set| {
                let values = set.values(bound, krate);
                quote!(let index = field.index(); #values)
            },
        )
    }

    fn dynamic_field(&self, krate: &Path) -> TokenStream {
        self.arm(
            |ty| quote!(<#ty as #krate::event::Event>::dynamic_field(content, path)),
            |set| set.entry(bound, krate),
        )
    }

    fn out_of_range(&self, krate: &Path) -> TokenStream {
        self.arm(
            |ty| quote!(<#ty as #krate::event::Event>::out_of_range(content)),
            |set| {
                let index = set.out_of_range(bound, krate);
                quote! {
                    let index = || -> ::core::option::Option<usize> { #index };
                    index().map(#krate::schema::FieldId::new)
                }
            },
        )
    }

    fn heap_size(&self, krate: &Path) -> TokenStream {
        self.arm(
            |ty| quote!(<#ty as #krate::event::Event>::heap_size(content)),
            |set| {
                let (count, maps) = (set.count(krate), set.entries_heap_size(bound, krate));
                quote!(#krate::event::derived::heap_size(self, #count) + { #maps })
            },
        )
    }

    fn description(&self, krate: &Path) -> TokenStream {
        self.arm(
            |ty| quote!(<#ty as #krate::event::Event>::describe(content)),
            |_| TokenStream::new(),
        )
    }
}

pub(super) fn enum_event(
    input: &DeriveInput,
    variants: &[Variant<'_>],
    krate: &Path,
) -> TokenStream {
    let ident = &input.ident;
    let bounds = variants.iter().flat_map(|variant| match &variant.content {
        Content::Struct(ty) => vec![parse_quote!(#ty: #krate::event::StructEvent)],
        Content::Fields(set) => set.bounds(krate),
    });
    let generics = with_bounds(&input.generics, bounds.collect());
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let names = variants.iter().map(|variant| variant.name(krate));
    let types = variants.iter().map(|variant| variant.event_type(krate));
    let ids = variants.iter().enumerate().map(|(id, variant)| {
        let ident = variant.ident;
        quote!(Self::#ident { .. } => #id,)
    });
    let times = variants.iter().map(|variant| variant.time(krate));
    let fields = variants.iter().map(|variant| variant.field(krate));
    let dynamic_fields = variants.iter().map(|variant| variant.dynamic_field(krate));
    let ranges = variants.iter().map(|variant| variant.out_of_range(krate));
    let heap_sizes = variants.iter().map(|variant| variant.heap_size(krate));
    let holders = variants.iter().filter(|variant| variant.holds_struct());
    let descriptions = holders.map(|variant| variant.description(krate));
    let others = (!variants.iter().all(Variant::holds_struct)).then_some(quote!(_));
    let none = others.iter().map(|any| quote!(#any => ::core::option::Option::None,));
    let as_variants = as_variants(input, variants, &generics, krate);
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::event::Event for #ident #ty_generics #where_clause {
            fn schema() -> ::core::option::Option<#krate::schema::Schema> {
                const {
                    ::core::assert!(
                        #krate::event::derived::distinct(&[#(#names),*]),
                        "two variants have the same event type name: use #[event(rename = \"...\")]",
                    );
                }
                #krate::event::derived::schema([#(#types),*])
            }

            fn type_id(&self) -> #krate::schema::TypeId {
                #krate::schema::TypeId::new(match self { #(#ids)* })
            }

            fn time(&self) -> #krate::Timestamp {
                match self { #(#times)* }
            }

            fn field(&self, field: #krate::schema::FieldId) -> #krate::ValueRef<'_> {
                match self { #(#fields)* }
            }

            fn dynamic_field(&self, path: &str) -> #krate::ValueRef<'_> {
                match self { #(#dynamic_fields)* }
            }

            #[inline]
            fn out_of_range(&self) -> ::core::option::Option<#krate::schema::FieldId> {
                match self { #(#ranges)* }
            }

            fn describe(&self) -> ::core::option::Option<&str> {
                match self { #(#descriptions)* #(#none)* }
            }

            fn heap_size(&self) -> usize {
                match self { #(#heap_sizes)* }
            }
        }

        #as_variants
    }
}

/// The implementations of `AsVariant`, one for each variant that holds a struct.
fn as_variants(
    input: &DeriveInput,
    variants: &[Variant<'_>],
    generics: &Generics,
    krate: &Path,
) -> TokenStream {
    let ident = &input.ident;
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let impls = variants.iter().enumerate().filter_map(|(id, variant)| {
        let Content::Struct(ty) = &variant.content else { return None };
        let (target, variant) = (pointee(ty), variant.ident);
        let only = variants.len() == 1;
        let other = (!only).then(|| quote!(_ => ::core::option::Option::None,));
        Some(quote! {
            #[automatically_derived]
            impl #impl_generics #krate::event::AsVariant<#target>
                for #ident #ty_generics #where_clause
            {
                fn as_variant(&self) -> ::core::option::Option<&#target> {
                    match self {
                        Self::#variant(content) => ::core::option::Option::Some(content),
                        #other
                    }
                }

                fn variant_type() -> #krate::schema::TypeId {
                    #krate::schema::TypeId::new(#id)
                }
            }
        })
    });
    quote!(#(#impls)*)
}
