//! `#[event(...)]` as data.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, LitStr, Path, Result};

use crate::case::Case;

/// Every error of an item, so that all are reported at once.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn at(&mut self, span: Span, message: impl std::fmt::Display) {
        self.push(Error::new(span, message));
    }

    pub(crate) fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// The content of `#[event(...)]` on a struct, an enum or a variant.
#[derive(Default)]
pub(crate) struct TypeAttributes {
    pub(crate) rename: Option<LitStr>,
    pub(crate) rename_all: Option<(Case, Span)>,
    pub(crate) krate: Option<Path>,
}

impl TypeAttributes {
    pub(crate) fn parse(attributes: &[Attribute], errors: &mut Errors) -> TypeAttributes {
        let mut out = TypeAttributes::default();
        for_each(attributes, errors, |meta| {
            if meta.path.is_ident("rename") {
                set(&mut out.rename, non_empty(meta.value()?.parse()?)?, &meta)
            } else if meta.path.is_ident("rename_all") {
                let case: LitStr = meta.value()?.parse()?;
                set(&mut out.rename_all, (Case::parse(&case)?, case.span()), &meta)
            } else if meta.path.is_ident("crate") {
                let path: LitStr = meta.value()?.parse()?;
                set(&mut out.krate, path.parse()?, &meta)
            } else {
                Err(meta.error(
                    "expected `rename = \"...\"`, `rename_all = \"...\"` or `crate = \"...\"` here",
                ))
            }
        });
        out
    }

    /// Returns the spelling of what is in the struct, enum or variant.
    pub(crate) fn case(&self) -> Option<Case> {
        self.rename_all.map(|(case, _)| case)
    }
}

/// The content of `#[event(...)]` on a field.
#[derive(Default)]
pub(crate) struct FieldAttributes {
    pub(crate) time: Option<Span>,
    pub(crate) unit: Option<(Unit, Span)>,
    pub(crate) rename: Option<LitStr>,
    pub(crate) skip: Option<Span>,
    pub(crate) nested: Option<Span>,
    pub(crate) saturate: Option<Span>,
}

/// The unit of a number that is a time.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

impl FieldAttributes {
    pub(crate) fn parse(attributes: &[Attribute], errors: &mut Errors) -> FieldAttributes {
        let mut out = FieldAttributes::default();
        for_each(attributes, errors, |meta| {
            let span = meta.path.span();
            if meta.path.is_ident("time") {
                set(&mut out.time, span, &meta)
            } else if meta.path.is_ident("unit") {
                let unit: LitStr = meta.value()?.parse()?;
                set(&mut out.unit, (parse_unit(&unit)?, span), &meta)
            } else if meta.path.is_ident("rename") {
                set(&mut out.rename, non_empty(meta.value()?.parse()?)?, &meta)
            } else if meta.path.is_ident("skip") {
                set(&mut out.skip, span, &meta)
            } else if meta.path.is_ident("nested") {
                set(&mut out.nested, span, &meta)
            } else if meta.path.is_ident("saturate") {
                set(&mut out.saturate, span, &meta)
            } else {
                Err(meta.error(
                    "expected `time`, `unit = \"...\"`, `rename = \"...\"`, `skip`, `nested` or \
                     `saturate`",
                ))
            }
        });
        out.check(errors);
        out
    }

    /// Refuses words that contradict each other.
    fn check(&self, errors: &mut Errors) {
        if let Some(span) = self.skip
            && (self.rename.is_some() || self.nested.is_some() || self.saturate.is_some())
        {
            errors.at(span, "a skipped field cannot be `rename`, `nested` or `saturate`");
        }
        if let Some(span) = self.nested
            && (self.time.is_some() || self.unit.is_some() || self.saturate.is_some())
        {
            errors.at(span, "a nested struct cannot be `time`, `unit` or `saturate`");
        }
        if let Some(span) = self.saturate
            && (self.time.is_some() || self.unit.is_some())
        {
            errors.at(span, "times saturate anyway: remove `saturate`");
        }
    }
}

fn for_each(
    attributes: &[Attribute],
    errors: &mut Errors,
    mut visit: impl FnMut(ParseNestedMeta<'_>) -> Result<()>,
) {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("event")) {
        errors.take(attribute.parse_nested_meta(&mut visit));
    }
}

fn set<T>(place: &mut Option<T>, value: T, meta: &ParseNestedMeta<'_>) -> Result<()> {
    if place.replace(value).is_some() { Err(meta.error("given twice")) } else { Ok(()) }
}

fn non_empty(name: LitStr) -> Result<LitStr> {
    if name.value().split('.').any(|part| part.trim().is_empty()) {
        return Err(Error::new(name.span(), "a name must not be empty"));
    }
    Ok(name)
}

fn parse_unit(unit: &LitStr) -> Result<Unit> {
    match unit.value().as_str() {
        "s" => Ok(Unit::Seconds),
        "ms" => Ok(Unit::Millis),
        "us" => Ok(Unit::Micros),
        "ns" => Ok(Unit::Nanos),
        other => Err(Error::new(
            unit.span(),
            format!("unknown unit `{other}`: expected \"s\", \"ms\", \"us\" or \"ns\""),
        )),
    }
}
