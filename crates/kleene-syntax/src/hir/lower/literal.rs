//! Literals, lists and parameters, and their values.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::env::{Env, List, Param};
use crate::diagnostic::{Code, Diagnostic, Source, Span};
use crate::hir::expr::ValueSet;
use crate::hir::functions::net::parse_network;
use crate::syntax::ast::{self, Literal, Spanned};
use kleene_event::value::{Kind, Value};

/// Gives the text of a file that a rule file names, or says why it can't be read. The first
/// argument is the source that names it, the second the path as written.
pub type Loader<'l> = dyn FnMut(&Source, &str) -> Result<String, String> + 'l;

/// The value that a literal is by itself.
pub(super) fn plain(literal: &Literal) -> Value {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(b) => Value::Bool(*b),
        Literal::Int(i) => Value::Int(*i),
        Literal::Float(x) => Value::Float(*x),
        Literal::String(text) => Value::from(text.as_str()),
        Literal::Duration(millis) => Value::Duration(*millis),
    }
}

/// The types that a declaration names; records don't have literals.
pub(super) fn declared_kind(ty: &ast::Type) -> Kind {
    match ty {
        ast::Type::Bool => Kind::BOOL,
        ast::Type::Int => Kind::INT,
        ast::Type::Float => Kind::FLOAT,
        ast::Type::String => Kind::STRING,
        ast::Type::Time => Kind::TIME,
        ast::Type::Duration => Kind::DURATION,
        ast::Type::Ip => Kind::IP,
        ast::Type::List(_) => Kind::LIST,
        ast::Type::Record(_) => Kind::RECORD,
    }
}

/// Converts `value` to `kind`: text becomes an address or a moment, an integer becomes a float.
pub(super) fn convert(value: Value, kind: Kind) -> Result<Value, Value> {
    match (&value, kind) {
        (_, kind) if value.kind().is_subset_of(kind) => Ok(value),
        (Value::String(text), Kind::IP) => text.parse().map(Value::Ip).map_err(|_| value.clone()),
        (Value::String(text), Kind::TIME) => {
            text.parse().map(Value::Time).map_err(|_| value.clone())
        }
        (Value::Int(_), Kind::FLOAT) => match value.as_ref().as_f64() {
            Some(x) => Ok(Value::Float(x)),
            None => Err(value),
        },
        _ => Err(value),
    }
}

/// The constant does not fit its place.
pub(super) fn mismatch(value: &Value, kind: Kind, span: Span) -> Diagnostic {
    match (value, kind) {
        (Value::String(text), Kind::IP) if text.contains('/') && parse_network(text).is_none() => {
            Diagnostic::error(Code::BadLiteral, span, format!("{value} is not a network"))
                .help("write a network as \"10.0.0.0/8\" or \"fe80::/10\"")
        }
        (Value::String(_), Kind::IP) => {
            Diagnostic::error(Code::BadLiteral, span, format!("{value} is not an IP address")).help(
                "write an address as \"10.0.0.1\" or \"fe80::1\"; use a network such as \
                 \"10.0.0.0/8\" with `in`",
            )
        }
        (Value::String(_), Kind::TIME) => {
            Diagnostic::error(Code::BadLiteral, span, format!("{value} is not a time"))
                .help("write a time as \"2024-03-01T22:30:00Z\"")
        }
        _ => {
            let message = format!("expected {kind}, found {}", value.kind());
            let diagnostic = Diagnostic::error(Code::TypeMismatch, span, message);
            match (value, kind) {
                (Value::Int(_), Kind::DURATION) => {
                    diagnostic.help(format!("add a unit to the duration: `{value}s`, `{value}m`"))
                }
                (_, Kind::STRING) => diagnostic.help(format!("put strings in quotes: \"{value}\"")),
                _ => diagnostic,
            }
        }
    }
}

/// Adds a constant to a set of `kind`; networks are allowed among addresses.
pub(super) fn add_to_set(set: &mut ValueSet, value: Value, kind: Kind) -> Result<(), Value> {
    if kind == Kind::IP
        && let Value::String(text) = &value
    {
        let Some((network, prefix)) = parse_network(text) else { return Err(value) };
        if text.contains('/') {
            set.insert_network(network, prefix);
        } else {
            set.insert(&Value::Ip(network));
        }
        return Ok(());
    }
    set.insert(&convert(value, kind)?);
    Ok(())
}

/// A value as someone types it outside of rule text: bare words are text.
fn read(text: &str, kind: Kind) -> Option<Value> {
    let text = text.trim();
    let literal = crate::syntax::parse_literal(text).map(|literal| plain(&literal));
    let quoted = text.starts_with('"');
    match literal {
        Some(value) if kind != Kind::STRING || quoted => convert(value, kind).ok(),
        _ if quoted => None,
        _ => convert(Value::from(text), kind).ok(),
    }
}

/// The value that an instance gives a parameter, with its file.
pub(super) type Argument<'v> = (usize, &'v Spanned<Literal>);

impl<'a> Env<'a> {
    pub(super) fn declare_list(
        &mut self,
        source: usize,
        list: &'a ast::ListDecl,
        loader: &mut Loader<'_>,
    ) {
        if !self.declare_once("list", source, &list.name) {
            return;
        }
        let kind = declared_kind(&list.ty.node);
        if kind == Kind::LIST || kind == Kind::RECORD {
            let what =
                format!("a list of {}", if kind == Kind::LIST { "lists" } else { "records" });
            self.report(source, Diagnostic::unsupported(list.ty.span, &what));
        }
        let name = list.name.node.as_str().into();
        let mut set = ValueSet { list: Some(name), ..ValueSet::default() };
        let errors = self.errors;
        match &list.source {
            ast::ListSource::Inline(literals) => {
                for literal in literals {
                    if let Err(value) = add_to_set(&mut set, plain(&literal.node), kind) {
                        self.report(source, mismatch(&value, kind, literal.span));
                    }
                }
            }
            ast::ListSource::File(path) => {
                let from = self.sources[source].clone();
                match loader(&from, &path.node) {
                    Ok(text) => self.read_list(source, path, &text, kind, &mut set),
                    Err(reason) => {
                        let message = format!("`{}` can't be read: {reason}", path.node);
                        let diagnostic =
                            Diagnostic::error(Code::UnreadableFile, path.span, message)
                                .help("the path is relative to the rule file");
                        self.report(source, diagnostic);
                    }
                }
            }
        }
        self.declarations.lists.insert(
            &list.name.node,
            List {
                set: Arc::new(set),
                kind,
                known: self.errors == errors,
                folded: None,
                patterns: BTreeMap::new(),
            },
        );
    }

    /// One entry a line; empty lines and those that start with `#` are left out.
    fn read_list(
        &mut self,
        source: usize,
        path: &Spanned<String>,
        text: &str,
        kind: Kind,
        set: &mut ValueSet,
    ) {
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let added = if kind == Kind::IP {
                add_to_set(set, Value::from(line), kind).is_ok()
            } else {
                read(line, kind).map(|value| set.insert(&value)).is_some()
            };
            if !added {
                // The message does not show the line: the author of a rule may not be allowed to
                // read the file.
                let message =
                    format!("line {} of `{}` is not a value of type {kind}", number + 1, path.node);
                self.report(source, Diagnostic::error(Code::BadLiteral, path.span, message));
                // A file of something else altogether would say the same for each line.
                return;
            }
        }
    }

    /// The value of a parameter of the file or of `rule`: the host's, else `given`, else the
    /// declared one.
    pub(super) fn param_value(
        &mut self,
        source: usize,
        param: &ast::ParamDecl,
        rule: Option<&str>,
        given: Option<Argument<'_>>,
    ) -> Option<Param> {
        let kind = declared_kind(&param.ty.node);
        if kind == Kind::LIST || kind == Kind::RECORD {
            let help = "a parameter has one value; for several, declare a `list`";
            let message = format!("a parameter can't be a {kind}");
            self.error(source, Code::TypeMismatch, param.ty.span, message, help);
            return None;
        }
        let default = self.literal_of(source, &param.value, kind);
        let given = match given {
            Some((source, literal)) => self.literal_of(source, literal, kind),
            None => default,
        };
        let value = self.host_value(param, kind, rule).or(given)?;
        Some(Param { value, kind })
    }

    fn literal_of(
        &mut self,
        source: usize,
        literal: &Spanned<Literal>,
        kind: Kind,
    ) -> Option<Value> {
        match convert(plain(&literal.node), kind) {
            Ok(value) => Some(value),
            Err(value) => {
                self.report(source, mismatch(&value, kind, literal.span));
                None
            }
        }
    }

    /// Returns the value that the host gives: `rule.name=value` is stronger than `name=value`, and
    /// a later one stronger than an earlier one.
    fn host_value(
        &mut self,
        param: &ast::ParamDecl,
        kind: Kind,
        rule: Option<&str>,
    ) -> Option<Value> {
        let name = &param.name.node;
        let long = rule.map(|rule| format!("{rule}.{name}"));
        if !self.host.params.is_empty() {
            self.host.names.extend([name.clone()].into_iter().chain(long.clone()));
        }
        let mut found = None;
        for (index, host) in self.host.params.iter().enumerate() {
            let is_long = long.as_deref() == Some(host.name.as_str());
            if is_long || host.name == *name {
                self.host.used[index] = true;
                if is_long || !matches!(found, Some((_, true))) {
                    found = Some((index, is_long));
                }
            }
        }
        let (index, _) = found?;
        let value = read(&self.host.params[index].value, kind);
        if value.is_none() {
            let text = &self.host.params[index].value;
            let message =
                format!("the parameter `{name}` needs a value of type {kind}, not `{text}`");
            let mut diagnostic = self.host.param_diagnostic(index, message);
            if kind == Kind::DURATION && text.parse::<f64>().is_ok() {
                diagnostic.help = Some(format!("add a unit to the duration: `{name}={text}s`"));
            }
            self.report(self.sources.len() + index, diagnostic);
        }
        value
    }
}
