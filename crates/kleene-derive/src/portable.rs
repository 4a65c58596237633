//! `#[derive(Portable)]` and `#[derive(PortableField)]`: events as bytes, and back.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident, quote};
use syn::{Attribute, Data, DeriveInput, Member, Path, Result, parse_quote};

use crate::attributes::{Errors, TypeAttributes};
use crate::bounds::with_bounds;

/// `#[derive(Portable)]`, for an event.
pub(crate) fn event(input: &DeriveInput) -> Result<TokenStream> {
    let (part, krate) = expand(input)?;
    let ident = &input.ident;
    let own: syn::WherePredicate = parse_quote!(Self: #krate::event::Event);
    let mut bounds = bounds_of(input, &krate);
    bounds.push(own);
    let generics = with_bounds(&input.generics, bounds);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #part

        #[automatically_derived]
        impl #impl_generics #krate::event::Portable for #ident #ty_generics #where_clause {
            fn to_bytes(&self, out: &mut ::std::vec::Vec<u8>) {
                #krate::event::PortableField::write(self, out);
            }

            fn from_bytes(mut bytes: &[u8]) -> ::core::option::Option<Self> {
                let event = <Self as #krate::event::PortableField>::read(&mut bytes)?;
                bytes.is_empty().then_some(event)
            }
        }
    })
}

/// `#[derive(PortableField)]`, for a part of an event.
pub(crate) fn part(input: &DeriveInput) -> Result<TokenStream> {
    expand(input).map(|(tokens, _)| tokens)
}

/// A struct or a variant: what distinguishes it in bytes, and code to write and read it.
struct Shape {
    /// The hash of its name and of its fields' names and types. Bytes of another shape are refused.
    print: u32,
    write: TokenStream,
    read: TokenStream,
}

fn expand(input: &DeriveInput) -> Result<(TokenStream, Path)> {
    let mut errors = Errors::default();
    let krate = krate_of(&input.attrs, &mut errors);
    let shapes: Vec<Shape> = match &input.data {
        Data::Struct(data) => {
            vec![shape(&quote!(Self), "", &data.fields, &krate, &mut errors)]
        }
        Data::Enum(data) => {
            let variants = data.variants.iter().map(|variant| {
                let ident = &variant.ident;
                let name = ident.to_string();
                shape(&quote!(Self::#ident), &name, &variant.fields, &krate, &mut errors)
            });
            variants.collect()
        }
        Data::Union(_) => {
            errors.at(input.ident.span(), "a union cannot be written to a snapshot");
            Vec::new()
        }
    };
    for (number, shape) in shapes.iter().enumerate() {
        if shapes[..number].iter().any(|other| other.print == shape.print) {
            errors.at(input.ident.span(), "two variants look alike in bytes: rename one of them");
        }
    }
    errors.finish()?;
    let ident = &input.ident;
    let generics = with_bounds(&input.generics, bounds_of(input, &krate));
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let writes = shapes.iter().map(|shape| &shape.write);
    let reads = shapes.iter().map(|shape| {
        let Shape { print, read, .. } = shape;
        quote!(#print => #read,)
    });
    let write =
        if shapes.is_empty() { quote!(match *self {}) } else { quote!(match self { #(#writes)* }) };
    let tokens = quote! {
        #[automatically_derived]
        impl #impl_generics #krate::event::PortableField for #ident #ty_generics #where_clause {
            fn write(&self, out: &mut ::std::vec::Vec<u8>) {
                #write
            }

            fn read(bytes: &mut &[u8]) -> ::core::option::Option<Self> {
                ::core::option::Option::Some(
                    match <u32 as #krate::event::PortableField>::read(bytes)? {
                        #(#reads)*
                        _ => return ::core::option::Option::None,
                    },
                )
            }
        }
    };
    Ok((tokens, krate))
}

/// Of the struct or variant at `path`.
fn shape(
    path: &TokenStream,
    name: &str,
    fields: &syn::Fields,
    krate: &Path,
    errors: &mut Errors,
) -> Shape {
    let mut layout = name.to_owned();
    let (mut patterns, mut writes, mut reads) = (Vec::new(), Vec::new(), Vec::new());
    for (field, member) in fields.iter().zip(fields.members()) {
        if is_skipped(&field.attrs, errors) {
            reads.push(quote!(#member: ::core::default::Default::default()));
            continue;
        }
        let (ty, part) = (&field.ty, quote!(#krate::event::PortableField));
        let bound = match &member {
            Member::Named(ident) => format_ident!("bound_{}", crate::model::unraw(ident)),
            Member::Unnamed(index) => format_ident!("bound_{}", index.index),
        };
        layout.push(';');
        layout.push_str(&member.to_token_stream().to_string());
        layout.push(':');
        layout.extend(ty.to_token_stream().to_string().chars().filter(|c| !c.is_whitespace()));
        patterns.push(quote!(#member: #bound));
        writes.push(quote!(<#ty as #part>::write(#bound, out);));
        reads.push(quote!(#member: <#ty as #part>::read(bytes)?));
    }
    let print = fnv(&layout);
    Shape {
        print,
        write: quote! {
            #path { #(#patterns,)* .. } => {
                <u32 as #krate::event::PortableField>::write(&#print, out);
                #(#writes)*
            }
        },
        read: quote!(#path { #(#reads,)* }),
    }
}

/// The 32-bit FNV-1a hash: it stands in snapshots, so that it never changes.
fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Returns the bounds on the fields' types, for types with type parameters.
fn bounds_of(input: &DeriveInput, krate: &Path) -> Vec<syn::WherePredicate> {
    let fields: Vec<&syn::Field> = match &input.data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| &variant.fields).collect(),
        Data::Union(_) => Vec::new(),
    };
    let bound = |field: &syn::Field| {
        let ty = &field.ty;
        if is_skipped(&field.attrs, &mut Errors::default()) {
            parse_quote!(#ty: ::core::default::Default)
        } else {
            parse_quote!(#ty: #krate::event::PortableField)
        }
    };
    fields.into_iter().map(bound).collect()
}

fn is_skipped(attributes: &[Attribute], errors: &mut Errors) -> bool {
    let mut skipped = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("portable")) {
        errors.take(attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("skip") {
                skipped = true;
                Ok(())
            } else {
                Err(meta.error("expected `skip`"))
            }
        }));
    }
    skipped
}

/// Returns the path of the crate `kleene`: `#[portable(crate = "...")]`, or that of the event.
fn krate_of(attributes: &[Attribute], errors: &mut Errors) -> Path {
    // Mistakes in `event` are reported by the derive that the attribute belongs to.
    let mut krate = TypeAttributes::parse(attributes, &mut Errors::default()).krate;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("portable")) {
        errors.take(attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("crate") {
                let path: syn::LitStr = meta.value()?.parse()?;
                krate = Some(path.parse()?);
                Ok(())
            } else {
                Err(meta.error("expected `crate = \"...\"`"))
            }
        }));
    }
    krate.unwrap_or_else(|| parse_quote!(::kleene))
}
