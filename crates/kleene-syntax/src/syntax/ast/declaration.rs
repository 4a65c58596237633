//! Declarations: of event types, lists, parameters and steps.

use super::expr::Literal;
use super::pattern::Step;
use super::spanned::{Name, Spanned};

/// `event NAME { field, ..., .. }`
#[derive(Clone, Debug, PartialEq)]
pub struct EventDecl {
    /// The event type's name.
    pub name: Name,
    /// Its fields.
    pub fields: Vec<FieldDecl>,
    /// True if `..` allows undeclared fields.
    pub open: bool,
}

/// `NAME: type? = event time`
#[derive(Clone, Debug, PartialEq)]
pub struct FieldDecl {
    /// The field's name.
    pub name: Name,
    /// Its type.
    pub ty: Spanned<Type>,
    /// True if it is followed by `?`.
    pub optional: bool,
    /// True if it is marked `= event time`.
    pub event_time: bool,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `float`
    Float,
    /// `string`
    String,
    /// `time`
    Time,
    /// `duration`
    Duration,
    /// `ip`
    Ip,
    /// `list<type>`
    List(Box<Spanned<Type>>),
    /// `{ field, ... }`
    Record(Vec<FieldDecl>),
}

/// `list NAME: type = [...]` or `list NAME: type from "file"`
#[derive(Clone, Debug, PartialEq)]
pub struct ListDecl {
    /// The list's name.
    pub name: Name,
    /// The type of its entries.
    pub ty: Spanned<Type>,
    /// The source of the entries.
    pub source: ListSource,
}

/// The source of a list's entries.
#[derive(Clone, Debug, PartialEq)]
pub enum ListSource {
    /// `= [literal, ...]`
    Inline(Vec<Spanned<Literal>>),
    /// `from "path"`
    File(Spanned<String>),
}

/// `param NAME: type = literal`
#[derive(Clone, Debug, PartialEq)]
pub struct ParamDecl {
    /// The parameter's name.
    pub name: Name,
    /// Its type.
    pub ty: Spanned<Type>,
    /// Its value unless the instance or the host gives another.
    pub value: Spanned<Literal>,
}

/// `define NAME = step`
#[derive(Clone, Debug, PartialEq)]
pub struct Define {
    /// The new name.
    pub name: Name,
    /// The step that the name stands for.
    pub step: Step,
}
