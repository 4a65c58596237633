//! A rule file and its items.

use super::declaration::{Define, EventDecl, ListDecl, ParamDecl};
use super::rule::{Instance, Rule};
use super::spanned::Spanned;
use super::test::Test;
use crate::diagnostic::Span;

/// A rule file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Its items in the order of the text.
    pub items: Vec<FileItem>,
}

/// One item of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum FileItem {
    /// `event NAME { ... }`
    Event(EventDecl),
    /// `list NAME: type = [...]` or `from "file"`
    List(ListDecl),
    /// `param NAME: type = literal`
    Param(ParamDecl),
    /// `define NAME = step`
    Define(Define),
    /// `rule NAME { ... }`
    Rule(Rule),
    /// `rule NAME = NAME(...) { ... }`
    Instance(Instance),
    /// `test NAME { ... }`
    Test(Test),
    /// `use "file"`
    Use(Spanned<String>),
}

impl FileItem {
    /// Returns the place of its name, or of the file's path after `use`.
    pub fn name_span(&self) -> Span {
        match self {
            FileItem::Event(event) => event.name.span,
            FileItem::List(list) => list.name.span,
            FileItem::Param(param) => param.name.span,
            FileItem::Define(define) => define.name.span,
            FileItem::Rule(rule) => rule.name.span,
            FileItem::Instance(instance) => instance.name.span,
            FileItem::Test(test) => test.rule.span,
            FileItem::Use(path) => path.span,
        }
    }
}
