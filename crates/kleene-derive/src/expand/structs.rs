//! Structs that are events, or parts of them.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Path};

use super::field_set::{self_field, time_of};
use crate::attributes::TypeAttributes;
use crate::bounds::with_bounds;
use crate::model::{FieldSet, snake_case, unraw};

pub(super) fn struct_event(
    input: &DeriveInput,
    attributes: &TypeAttributes,
    set: &FieldSet,
    krate: &Path,
) -> TokenStream {
    let ident = &input.ident;
    let generics = with_bounds(&input.generics, set.bounds(krate));
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let name = match &attributes.rename {
        Some(name) => name.value(),
        None => snake_case(&unraw(ident)),
    };
    let time_index = set.time_index(krate);
    let time = set.time.as_ref().map(|time| time_of(time, &self_field(&time.ident), krate));
    let fields = impl_fields(input, set, krate);
    quote! {
        #fields

        #[automatically_derived]
        impl #impl_generics #krate::event::StructEvent for #ident #ty_generics #where_clause {
            const NAME: &'static str = #name;

            fn event_type(
                name: ::core::option::Option<&str>,
            ) -> #krate::schema::EventType {
                #krate::event::derived::struct_type::<Self>(
                    name.unwrap_or(#name),
                    #time_index,
                )
            }
        }

        #[automatically_derived]
        impl #impl_generics #krate::event::Event for #ident #ty_generics #where_clause {
            fn schema() -> ::core::option::Option<#krate::schema::Schema> {
                #krate::event::derived::schema(
                    [<Self as #krate::event::StructEvent>::event_type(::core::option::Option::None)],
                )
            }

            fn type_id(&self) -> #krate::schema::TypeId {
                #krate::schema::TypeId::new(0)
            }

            fn time(&self) -> #krate::Timestamp {
                #time
            }

            #[inline]
            fn field(&self, field: #krate::schema::FieldId) -> #krate::ValueRef<'_> {
                #krate::event::Fields::field_at(self, field.index())
            }

            fn dynamic_field(&self, path: &str) -> #krate::ValueRef<'_> {
                #krate::event::Fields::entry(self, path)
            }

            #[inline]
            fn out_of_range(&self) -> ::core::option::Option<#krate::schema::FieldId> {
                #krate::event::Fields::out_of_range(self).map(#krate::schema::FieldId::new)
            }

            fn heap_size(&self) -> usize {
                #krate::event::derived::heap_size(self, <Self as #krate::event::Fields>::COUNT)
                    + #krate::event::Fields::entries_heap_size(self)
            }
        }

        #[automatically_derived]
        impl #impl_generics #krate::event::AsVariant<Self> for #ident #ty_generics #where_clause {
            fn as_variant(&self) -> ::core::option::Option<&Self> {
                ::core::option::Option::Some(self)
            }

            fn variant_type() -> #krate::schema::TypeId {
                #krate::schema::TypeId::new(0)
            }
        }
    }
}

pub(super) fn impl_fields(input: &DeriveInput, set: &FieldSet, krate: &Path) -> TokenStream {
    let ident = &input.ident;
    let generics = with_bounds(&input.generics, set.bounds(krate));
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let count = set.count(krate);
    let append = set.append(krate);
    let values = set.values(self_field, krate);
    let (entry, heap_size) =
        (set.entry(self_field, krate), set.entries_heap_size(self_field, krate));
    let out_of_range = set.out_of_range(self_field, krate);
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::event::Fields for #ident #ty_generics #where_clause {
            const COUNT: usize = #count;

            fn append_fields(
                prefix: &str,
                optional: bool,
                out: &mut ::std::vec::Vec<#krate::schema::Field>,
            ) {
                #append
            }

            #[inline]
            fn field_at(&self, index: usize) -> #krate::ValueRef<'_> {
                #values
            }

            fn entry(&self, path: &str) -> #krate::ValueRef<'_> {
                #entry
            }

            fn entries_heap_size(&self) -> usize {
                #heap_size
            }

            #[inline]
            fn out_of_range(&self) -> ::core::option::Option<usize> {
                #out_of_range
            }
        }
    }
}
