//! What the host gives to rules: event types, values of parameters, and functions.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Source, Span};
use crate::hir::expr::AggregateOp;
use crate::hir::functions::{Callee, FUNCTIONS, HostFunction};
use crate::syntax;
use kleene_event::schema::EventType;
use kleene_event::util::spelling::nearest;

const NAME_HELP: &str = "use letters, digits and `_`, and no keyword";

/// A value that the host gives a parameter: `wait=2m` or `unpaid_order.wait=2m`.
#[derive(Clone, Debug)]
pub struct HostParam {
    /// The parameter's name, perhaps with its rule's name and a dot before it.
    pub name: String,
    /// The value as text.
    pub value: String,
}

/// The types, parameters and functions that the host gives to rules.
pub(super) struct Host<'a> {
    /// The event types that the host declares.
    pub(super) types: &'a [EventType],
    pub(super) params: &'a [HostParam],
    pub(super) functions: &'a [Arc<HostFunction>],
    /// True for each of the host's parameters that a rule file declares.
    pub(super) used: Vec<bool>,
    /// The names by which the host could give parameters; kept only if it gives any.
    pub(super) names: BTreeSet<String>,
}

impl<'a> Host<'a> {
    /// The host with its types, parameters and functions; no parameter is declared so far.
    pub(super) fn new(
        types: &'a [EventType],
        params: &'a [HostParam],
        functions: &'a [Arc<HostFunction>],
    ) -> Host<'a> {
        let used = vec![false; params.len()];
        Host { types, params, functions, used, names: BTreeSet::new() }
    }

    /// Returns the texts that diagnostics about the host are reported for: first of its parameters,
    /// then of its functions, then of its types.
    pub(super) fn sources(&self) -> Vec<Source> {
        let params = self.params.iter();
        let params = params.map(|p| Source::new("<params>", format!("{}={}", p.name, p.value)));
        let functions = self.functions.iter();
        let functions = functions.map(|f| Source::new("<functions>", f.signature()));
        let types = self.types.iter().map(|ty| Source::new("<events>", &*ty.name));
        params.chain(functions).chain(types).collect()
    }

    /// Returns what is wrong with parameters that no rule file declares, by the number of their
    /// [source](Host::sources).
    pub(super) fn unknown_params(&self) -> Vec<(usize, Diagnostic)> {
        let mut found = Vec::new();
        for (index, param) in self.params.iter().enumerate() {
            if !self.used[index] {
                let message = format!("there is no parameter `{}`", param.name);
                let near = nearest(&param.name, self.names.iter().map(String::as_str));
                let mut diagnostic = self.param_diagnostic(index, message);
                diagnostic.help = Some(near.map_or_else(
                    || "write `param` or `rule.param`".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                ));
                found.push((index, diagnostic));
            }
        }
        found
    }

    /// An error about the value that the host gives; it is reported for the text `name=value`.
    pub(super) fn param_diagnostic(&self, index: usize, message: String) -> Diagnostic {
        let HostParam { name, value } = &self.params[index];
        let span = Span::new(0, name.len() + 1 + value.len());
        Diagnostic::error(Code::BadParam, span, message)
    }

    /// The host's function of this name.
    pub(super) fn function(&self, name: &str) -> Option<Callee> {
        let function = self.functions.iter().find(|function| function.name() == name)?;
        Some(Callee::Host(Arc::clone(function)))
    }

    /// The names of all functions.
    pub(super) fn function_names(&self) -> impl Iterator<Item = &str> {
        let host = self.functions.iter().map(|function| function.name());
        host.chain(built_in_names().map(|name| -> &str { name }))
    }

    /// Returns what is wrong with functions that rules could not call, or that would take the place
    /// of others, by the number of their [source](Host::sources).
    pub(super) fn wrong_functions(&self) -> Vec<(usize, Diagnostic)> {
        let mut found = Vec::new();
        for (index, function) in self.functions.iter().enumerate() {
            let name = function.name();
            let (message, help) = if !syntax::is_name(name) {
                ("rules can't call a function of this name".to_owned(), NAME_HELP)
            } else if built_in_names().any(|built_in| built_in == name) {
                (format!("a built-in function `{name}` already exists"), "choose another name")
            } else if self.functions[..index].iter().any(|other| other.name() == name) {
                (format!("the function `{name}` is registered twice"), "choose another name")
            } else {
                continue;
            };
            let span = Span::new(0, name.len());
            let diagnostic = Diagnostic::error(Code::BadFunction, span, message).help(help);
            found.push((self.params.len() + index, diagnostic));
        }
        found
    }
}

/// The names of the built-in functions and of aggregates.
fn built_in_names() -> impl Iterator<Item = &'static str> {
    let functions = FUNCTIONS.iter().map(|function| function.name);
    functions.chain(AggregateOp::ALL.map(AggregateOp::name)).chain(["matches"])
}
