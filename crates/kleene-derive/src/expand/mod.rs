//! The code that the derives write.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Generics, Ident, Path, Result, Type, parse_quote};

use crate::attributes::{Errors, TypeAttributes, Unit};
use crate::model::{
    Access, Field, FieldSet, Role, Time, argument_of, option_argument, snake_case, unraw,
};

/// `#[derive(Event)]`
pub(crate) fn event(input: &DeriveInput) -> Result<TokenStream> {
    let mut errors = Errors::default();
    let attributes = TypeAttributes::parse(&input.attrs, &mut errors);
    let krate = attributes.krate.clone().unwrap_or_else(|| parse_quote!(::kleene));
    let tokens = match &input.data {
        Data::Struct(data) => {
            let set = FieldSet::parse(&data.fields, &input.ident, Role::Event, &mut errors);
            errors.finish()?;
            struct_event(input, &attributes, &set, &krate)
        }
        Data::Enum(data) => {
            if let Some(name) = &attributes.name {
                errors.at(name.span(), "an enum has no event type of its own: name its variants");
            }
            if data.variants.is_empty() {
                errors.at(input.ident.span(), "an event enum needs at least one variant");
            }
            let variants: Vec<_> =
                data.variants.iter().filter_map(|v| Variant::parse(v, &mut errors)).collect();
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
    if let Some(name) = &attributes.name {
        errors.at(name.span(), "only events have a name; this is a part of one");
    }
    let Data::Struct(data) = &input.data else {
        errors.at(input.ident.span(), "only a struct can be flattened into an event");
        errors.finish()?;
        return Ok(TokenStream::new());
    };
    let set = FieldSet::parse(&data.fields, &input.ident, Role::Part, &mut errors);
    errors.finish()?;
    let krate = attributes.krate.unwrap_or_else(|| parse_quote!(::kleene));
    Ok(impl_fields(input, &set, &krate))
}

fn struct_event(
    input: &DeriveInput,
    attributes: &TypeAttributes,
    set: &FieldSet,
    krate: &Path,
) -> TokenStream {
    let ident = &input.ident;
    let generics = with_bounds(&input.generics, set.bounds(krate));
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let name = match &attributes.name {
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

fn impl_fields(input: &DeriveInput, set: &FieldSet, krate: &Path) -> TokenStream {
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

/// A variant of an enum of events.
struct Variant<'a> {
    ident: &'a Ident,
    /// The name given by `#[event(name = "...")]`.
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
    fn parse(variant: &'a syn::Variant, errors: &mut Errors) -> Option<Variant<'a>> {
        let ident = &variant.ident;
        let attributes = TypeAttributes::parse(&variant.attrs, errors);
        if let Some(path) = &attributes.krate {
            errors.at(path.span(), "`crate` belongs on the enum");
        }
        let name = attributes.name.map(|name| name.value());
        let content = match &variant.fields {
            syn::Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                let field = &fields.unnamed[0];
                if let Some(attribute) = field.attrs.iter().find(|a| a.path().is_ident("event")) {
                    errors.at(attribute.span(), "this belongs on the fields of the struct");
                }
                Content::Struct(&field.ty)
            }
            fields @ syn::Fields::Named(_) => {
                Content::Fields(Box::new(FieldSet::parse(fields, ident, Role::Event, errors)))
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
fn check_distinct(variants: &[Variant<'_>], errors: &mut Errors) {
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

fn enum_event(input: &DeriveInput, variants: &[Variant<'_>], krate: &Path) -> TokenStream {
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
    let event = quote!(#krate::event::Event);
    let times = variants.iter().map(|variant| {
        variant.arm(
            |ty| quote!(<#ty as #event>::time(content)),
            |set| {
                let time = set.time.as_ref();
                time.map(|time| time_of(time, &bound(&time.ident), krate)).unwrap_or_default()
            },
        )
    });
    let fields = variants.iter().map(|variant| {
        variant.arm(
            |ty| quote!(<#ty as #event>::field(content, field)),
            |set| {
                let values = set.values(bound, krate);
                quote!(let index = field.index(); #values)
            },
        )
    });
    let dynamic_fields = variants.iter().map(|variant| {
        variant.arm(
            |ty| quote!(<#ty as #event>::dynamic_field(content, path)),
            |set| set.entry(bound, krate),
        )
    });
    let ranges = variants.iter().map(|variant| {
        variant.arm(
            |ty| quote!(<#ty as #event>::out_of_range(content)),
            |set| {
                let index = set.out_of_range(bound, krate);
                quote! {
                    let index = || -> ::core::option::Option<usize> { #index };
                    index().map(#krate::schema::FieldId::new)
                }
            },
        )
    });
    let heap_sizes = variants.iter().map(|variant| {
        variant.arm(
            |ty| quote!(<#ty as #event>::heap_size(content)),
            |set| {
                let (count, maps) = (set.count(krate), set.entries_heap_size(bound, krate));
                quote!(#krate::event::derived::heap_size(self, #count) + { #maps })
            },
        )
    });
    let descriptions = variants.iter().filter(|v| v.holds_struct()).map(|variant| {
        variant.arm(|ty| quote!(<#ty as #event>::describe(content)), |_| TokenStream::new())
    });
    let others = (!variants.iter().all(Variant::holds_struct)).then_some(quote!(_));
    let none = others.iter().map(|any| quote!(#any => ::core::option::Option::None,));
    let as_variants = variants.iter().enumerate().filter_map(|(id, variant)| {
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
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::event::Event for #ident #ty_generics #where_clause {
            fn schema() -> ::core::option::Option<#krate::schema::Schema> {
                const {
                    ::core::assert!(
                        #krate::event::derived::distinct(&[#(#names),*]),
                        "two variants have the same event type name: use #[event(name = \"...\")]",
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

        #(#as_variants)*
    }
}

impl Variant<'_> {
    fn holds_struct(&self) -> bool {
        matches!(self.content, Content::Struct(_))
    }
}

impl FieldSet {
    /// The fields that the code reads, the event time included.
    fn idents(&self) -> Vec<&Ident> {
        let time = self.time.iter().filter(|time| time.index.is_none()).map(|time| &time.ident);
        self.fields.iter().map(|field| &field.ident).chain(time).collect()
    }

    /// How many flat fields there are.
    fn count(&self, krate: &Path) -> TokenStream {
        flat_count(&self.fields, krate)
    }

    /// The flat position of the event time, an `Option<usize>`.
    fn time_index(&self, krate: &Path) -> TokenStream {
        let index = self.time.as_ref().and_then(|time| time.index);
        optional(index.map(|index| flat_count(&self.fields[..index], krate)))
    }

    /// Statements that append every field to `out`, in sight of `prefix` and `optional`.
    fn append(&self, krate: &Path) -> TokenStream {
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
    fn values(&self, place: impl Fn(&Ident) -> TokenStream, krate: &Path) -> TokenStream {
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
    fn entry(&self, place: impl Fn(&Ident) -> TokenStream, krate: &Path) -> TokenStream {
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
    fn entries_heap_size(
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
    fn out_of_range(&self, place: impl Fn(&Ident) -> TokenStream, krate: &Path) -> TokenStream {
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

    /// What has to hold of the fields' types, for structs with type parameters.
    fn bounds(&self, krate: &Path) -> Vec<syn::WherePredicate> {
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
fn at(ty: &Type) -> Span {
    Span::call_site().located_at(ty.span())
}

/// An `Option` as it is written.
fn optional(content: Option<TokenStream>) -> TokenStream {
    content.map_or_else(
        || quote!(::core::option::Option::None),
        |content| quote!(::core::option::Option::Some(#content)),
    )
}

fn flat_count(fields: &[Field], krate: &Path) -> TokenStream {
    let nested = |field: &&Field| matches!(field.access, Access::Nested { .. });
    let leaves = fields.iter().filter(|field| !nested(field)).count();
    let parts = fields.iter().filter(nested).map(nested_type);
    quote!(#leaves #(+ <#parts as #krate::event::Fields>::COUNT)*)
}

fn nested_type(field: &Field) -> &Type {
    match field.access {
        Access::Nested { optional: true } => option_argument(&field.ty).unwrap_or(&field.ty),
        _ => &field.ty,
    }
}

/// A nested struct as an `Option` of a reference to it.
fn part_of(optional: bool, place: &TokenStream) -> TokenStream {
    if optional {
        quote!(::core::option::Option::as_ref(#place))
    } else {
        quote!(::core::option::Option::Some(#place))
    }
}

fn value_of(field: &Field, place: &TokenStream, krate: &Path) -> TokenStream {
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

fn time_of(time: &Time, place: &TokenStream, krate: &Path) -> TokenStream {
    let (ty, unit) = (&time.ty, unit_path(time.unit, krate));
    quote_spanned! {at(ty)=>
        <#ty as #krate::event::EventTime>::event_time(#place, #unit)
    }
}

fn unit_path(unit: Unit, krate: &Path) -> TokenStream {
    let name = match unit {
        Unit::Seconds => format_ident!("Seconds"),
        Unit::Millis => format_ident!("Millis"),
        Unit::Micros => format_ident!("Micros"),
        Unit::Nanos => format_ident!("Nanos"),
    };
    quote!(#krate::event::TimeUnit::#name)
}

fn self_field(ident: &Ident) -> TokenStream {
    quote!(&self.#ident)
}

/// The name that a variant's field is bound to; its own could hide `field` or `index`.
fn binding(ident: &Ident) -> Ident {
    format_ident!("bound_{}", unraw(ident))
}

fn bound(ident: &Ident) -> TokenStream {
    let name = binding(ident);
    quote!(#name)
}

/// What a `Box`, `Rc` or `Arc` points to; the type itself otherwise.
fn pointee(ty: &Type) -> &Type {
    argument_of(ty, &["Box", "Rc", "Arc"]).unwrap_or(ty)
}

/// The generics with `bounds`, which only type parameters need.
pub(crate) fn with_bounds(generics: &Generics, bounds: Vec<syn::WherePredicate>) -> Generics {
    let mut generics = generics.clone();
    if generics.type_params().next().is_some() {
        generics.make_where_clause().predicates.extend(bounds);
    }
    generics
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
                "#[event(name = \"\")] struct A { at: Timestamp }",
                &[("a name must not be empty", "\"\"")],
            ),
            (
                event,
                "#[event(name = \"a\", name = \"b\")] struct A { at: Timestamp }",
                &[("given twice", "name")],
            ),
            (event, "struct A(Timestamp);", &[("`A` must have named fields", "A")]),
            (event, "union A { a: i64 }", &[("a union cannot be an event", "A")]),
            (event, "enum A {}", &[("needs at least one variant", "A")]),
            (
                event,
                "#[event(name = \"a\")] enum A { B(B), C, D(D, E), F(Box<B>) }",
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
            (fields, "#[event(name = \"a\")] struct A { }", &[("only events have", "\"a\"")]),
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
