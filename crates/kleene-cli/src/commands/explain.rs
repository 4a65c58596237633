//! `kleene explain`: what a diagnostic means, and what a rule looks for.

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use kleene::diagnostic::Code;
use kleene_explain::explain::Explanation;
use kleene_syntax::hir::Rule;

use crate::args::ExplainArgs;
use crate::ending::Ending;
use crate::rules::{self, Loaded};

/// Prints what a code means, all codes, or a rule.
pub(crate) fn explain(args: &ExplainArgs) -> Result<Ending> {
    let [subject, others @ ..] = &args.subjects[..] else {
        print(&all_codes());
        return Ok(Ending::Fine);
    };
    let is_file = subject.exists();
    if let (Ok(code), false) = (subject.to_string_lossy().trim().parse::<Code>(), is_file) {
        if !others.is_empty() || is_about_rules(args) {
            bail!("give the code {code} without other arguments");
        }
        print(code.explanation());
        return Ok(Ending::Fine);
    }
    if !is_file && others.is_empty() && subject.extension().is_none() {
        bail!(
            "{} is neither a diagnostic code nor a rule file; `kleene explain` lists the codes",
            subject.display()
        );
    }
    rule(args)
}

/// True if an option is given that makes sense for rules only.
fn is_about_rules(args: &ExplainArgs) -> bool {
    args.rule.is_some() || args.states || args.dot || args.mermaid || args.svg
}

fn rule(args: &ExplainArgs) -> Result<Ending> {
    let loaded = match rules::load(args.rule_args())? {
        Ok(loaded) => loaded,
        Err(refused) => return Ok(refused.say()),
    };
    let is_picture = args.dot || args.mermaid || args.svg;
    if args.rule.is_some() || is_picture || loaded.rules.is_empty() {
        let rule = loaded.pick(args.rule.as_deref())?;
        print(&explained(args, rule, &loaded)?);
        return Ok(Ending::Fine);
    }
    let texts: Result<Vec<String>> =
        loaded.rules.iter().map(|rule| explained(args, rule, &loaded)).collect();
    print(&texts?.join("\n"));
    Ok(Ending::Fine)
}

/// Returns the description of one rule.
fn explained(args: &ExplainArgs, rule: &Rule, loaded: &Loaded) -> Result<String> {
    let explanation = Explanation::new(rule, &loaded.schema)
        .with_context(|| format!("the rule `{}` cannot be run", rule.name))?;
    let picture = || {
        if args.states { explanation.picture_of_states() } else { explanation.picture() }
    };
    Ok(if args.dot {
        picture().to_dot()
    } else if args.mermaid {
        picture().to_mermaid()
    } else if args.svg {
        picture().to_svg()
    } else if args.states {
        explanation.states()
    } else {
        explanation.text()
    })
}

/// Every code with what it is about, a line each.
fn all_codes() -> String {
    let lines = Code::ALL.iter().map(|code| format!("{code}  {}\n", code.title()));
    lines.collect::<Vec<String>>().concat()
}

fn print(text: &str) {
    // A closed pipe has heard enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
