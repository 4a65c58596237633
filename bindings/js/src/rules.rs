//! Rules from text, with the files that they name.

use kleene::RuleSet;
use kleene::diagnostic::Source;
use kleene_syntax::hir::Rule;

use crate::fault::Fault;
use crate::options::Options;

/// Checks rules and compiles them.
///
/// # Errors
/// They have mistakes.
pub fn parse(text: &str, options: &Options) -> Result<RuleSet, Fault> {
    build(text, options)?.map_err(|error| Fault::rules(&error, options.name()))
}

/// Checks rules.
///
/// # Errors
/// The options have no meaning.
pub fn build(
    text: &str,
    options: &Options,
) -> Result<Result<RuleSet, kleene::ruleset::RulesError>, Fault> {
    let mut builder = RuleSet::builder().source(Source::new(options.name(), text));
    for (name, value) in &options.params {
        let value = match value {
            serde_json::Value::String(text) => text.clone(),
            value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => {
                value.to_string()
            }
            _ => {
                return Err(Fault::options(format!(
                    "params: {name:?} has to be a text, a number or a bool"
                )));
            }
        };
        builder = builder.param(name.as_str(), value);
    }
    let files = &options.files;
    let loader = move |_: &Source, path: &str| match files.get(path.trim_start_matches("./")) {
        Some(text) => Ok(text.clone()),
        None => Err(String::from("it is not among the files that were given")),
    };
    Ok(builder.loader(loader).build())
}

/// The rule of this name, or the only one.
///
/// # Errors
/// There is no such rule, or several where none is named.
pub fn pick<'a>(rules: &'a RuleSet, name: Option<&str>) -> Result<&'a Rule, Fault> {
    let names = || rules.rules().iter().map(|rule| &*rule.name).collect::<Vec<_>>().join(", ");
    match (name, rules.rules()) {
        (_, []) => Err(Fault::options("there is no rule in this text")),
        (Some(name), _) => rules.rule(name).map(|rule| &**rule).ok_or_else(|| {
            Fault::options(format!("there is no rule `{name}`; there are: {}", names()))
        }),
        (None, [rule]) => Ok(rule),
        (None, _) => Err(Fault::options(format!("which rule? `rule` names one of: {}", names()))),
    }
}
