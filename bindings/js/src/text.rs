//! Rule text alone: checks, spelling, explanations, tests, and the requests of an editor.

use std::ops::Range;

use kleene::diagnostic::{Code, Source, Span};
use kleene::{Record, RuleSet};
use kleene_explain::explain::Explanation;
use kleene_explain::testing::TestStep;
use kleene_input::Reading;
use kleene_language::diagnostics::{Diagnostic, diagnostics, of_source};
use kleene_language::scan::{ItemKind, scan};
use kleene_language::utf16::Utf16;
use kleene_language::{CompletionKind, File, Set};
use kleene_report::output::{LineForm, Shapes};
use kleene_report::test_report;
use kleene_syntax::hir::Rule;
use kleene_syntax::syntax;
use serde_json::{Value as Json, json};

use crate::fault::{Fault, FaultKind};
use crate::options::Options;
use crate::rules::{self, pick};

/// All that is to be said of rules.
///
/// # Errors
/// The options have no meaning.
pub fn check(text: &str, options: &Options) -> Result<Vec<Diagnostic>, Fault> {
    Ok(match rules::build(text, options)? {
        Ok(rules) => warnings(&rules, options),
        Err(error) => diagnostics(error.diagnostics(), options.name()),
    })
}

/// Returns the warnings of a rule set.
pub fn warnings(rules: &RuleSet, options: &Options) -> Vec<Diagnostic> {
    diagnostics(rules.warnings(), options.name())
}

/// The rules in their one spelling.
///
/// # Errors
/// The text has mistakes.
pub fn format(text: &str) -> Result<String, Fault> {
    let source = Source::new(Options::default().name(), text);
    syntax::format(&source).map_err(|reported| {
        let rendered: Vec<String> = reported.iter().map(|one| one.render(&source)).collect();
        Fault {
            kind: FaultKind::Rules,
            message: rendered.join("\n").trim_end().to_owned(),
            diagnostics: of_source(&reported, &source),
        }
    })
}

/// A rule in words or as a picture.
///
/// # Errors
/// The rules have mistakes, or there is no such rule or form.
pub fn explain(text: &str, options: &Options) -> Result<String, Fault> {
    let rules = rules::parse(text, options)?;
    let form = options.r#as.as_deref().unwrap_or("text");
    if !["text", "svg", "dot", "mermaid"].contains(&form) {
        return Err(Fault::options(format!(
            "as: expected \"text\", \"svg\", \"dot\" or \"mermaid\", not {form:?}"
        )));
    }
    if form == "text" && options.rule.is_none() && !rules.rules().is_empty() {
        let texts: Result<Vec<String>, Fault> = rules
            .rules()
            .iter()
            .map(|rule| explained(rule, &rules, form, options.states))
            .collect();
        return Ok(texts?.join("\n"));
    }
    explained(pick(&rules, options.rule.as_deref())?, &rules, form, options.states)
}

fn explained(rule: &Rule, rules: &RuleSet, form: &str, states: bool) -> Result<String, Fault> {
    let explanation = Explanation::new(rule, rules.schema()).map_err(|error| {
        Fault::new(FaultKind::Rules, format!("the rule `{}` cannot be run: {error}", rule.name))
    })?;
    let picture = || if states { explanation.picture_of_states() } else { explanation.picture() };
    Ok(match form {
        "svg" => picture().to_svg(),
        "dot" => picture().to_dot(),
        "mermaid" => picture().to_mermaid(),
        _ if states => explanation.states(),
        _ => explanation.text(),
    })
}

/// Returns the explanation of a diagnostic's code.
///
/// # Errors
/// There is no such code.
pub fn explain_code(code: &str) -> Result<String, Fault> {
    let found: Code = code
        .trim()
        .parse()
        .map_err(|_| Fault::options(format!("{code:?} is no code of a diagnostic")))?;
    Ok(found.explanation().to_owned())
}

/// Runs the tests in rules.
///
/// # Errors
/// The rules have mistakes, or there is no such rule.
pub fn test(text: &str, options: &Options) -> Result<Json, Fault> {
    let rules = rules::parse(text, options)?;
    if let Some(name) = &options.rule {
        pick(&rules, Some(name))?;
    }
    let is_wanted = |name: &str| options.rule.as_deref().is_none_or(|rule| rule == name);
    let ran = kleene_wasm_engine::test(&rules, &mut { is_wanted });
    let places = Utf16::new(text);
    let range = |span: Span| (places.unit(span.start as usize), places.unit(span.end as usize));
    let results: Vec<Json> = ran
        .iter()
        .map(|ran| {
            let (start, end) = range(ran.test.span);
            let failures = ran.failures.iter().map(|failure| {
                let (start, end) = failure.span.map_or((start, end), range);
                json!({
                    "message": failure.message, "rendered": failure.rendered,
                    "start": start, "end": end,
                })
            });
            json!({
                "name": format!("{}:{}", ran.test.rule, ran.test.line()),
                "rule": &*ran.test.rule,
                "line": ran.test.line(),
                "start": start,
                "end": end,
                "ok": ran.failures.is_empty(),
                "failures": failures.collect::<Vec<_>>(),
            })
        })
        .collect();
    let failed = ran.iter().filter(|ran| !ran.failures.is_empty()).count();
    Ok(json!({
        "passed": ran.len() - failed,
        "failed": failed,
        "tests": results,
        "untested": test_report::untested(&rules, &ran, is_wanted),
    }))
}

/// The events of a test as JSON lines, and how far it moves time on behind the last one.
///
/// # Errors
/// The rules have mistakes, or there is no such test.
pub fn test_events(text: &str, test: usize, options: &Options) -> Result<Json, Fault> {
    let rules = rules::parse(text, options)?;
    let found = rules.tests().get(test).ok_or_else(|| {
        Fault::options(format!("there is no test {test}; the rules have {}", rules.tests().len()))
    })?;
    let time_field = Reading::default().time_field;
    let shapes = Shapes::new(rules.schema(), time_field.into(), LineForm::Json);
    let (mut lines, mut advance_to) = (Vec::new(), None);
    for step in &found.steps {
        match step {
            TestStep::Event { ty, at, values, extra } => {
                let record = Record::with_extra(*ty, *at, values.clone(), extra.clone());
                shapes.write_event(&mut lines, &record);
                lines.push(b'\n');
                advance_to = None;
            }
            TestStep::Advance(to) => advance_to = Some(to.as_millis()),
            TestStep::Expect(_) => {}
        }
    }
    let text = String::from_utf8(lines).unwrap_or_default();
    Ok(json!({ "text": text, "advanceTo": advance_to, "rule": &*found.rule }))
}

/// Returns the completions at a place.
pub fn complete(text: &str, offset: usize, options: &Options) -> Json {
    let places = Utf16::new(text);
    let items = kleene_language::complete(&set(text, options), places.byte(offset));
    let items = items.into_iter().map(|item| {
        let kind = match item.kind {
            CompletionKind::Keyword => "keyword",
            CompletionKind::Event => "event",
            CompletionKind::Field => "field",
            CompletionKind::Rule => "rule",
            CompletionKind::List => "list",
            CompletionKind::Step => "step",
            CompletionKind::Param => "param",
            CompletionKind::Function => "function",
        };
        let Range { start, end } = item.replaced;
        let mut object = json!({
            "label": item.label,
            "kind": kind,
            "apply": { "start": places.unit(start), "end": places.unit(end), "text": item.text },
            "filter": item.filter,
            "sort": item.sort,
        });
        if !item.detail.is_empty() {
            object["detail"] = item.detail.into();
        }
        if let Some(about) = item.about {
            object["documentation"] = about.into();
        }
        object
    });
    items.collect()
}

/// Returns the meaning of the name at a place.
pub fn hover(text: &str, offset: usize, options: &Options) -> Json {
    let places = Utf16::new(text);
    let set = set(text, options);
    let Some(mark) = set.mark(places.byte(offset)) else { return Json::Null };
    let Some(meaning) = set.meaning(mark) else { return Json::Null };
    let (start, end) = (mark.span.start as usize, mark.span.end as usize);
    json!({
        "start": places.unit(start),
        "end": places.unit(end),
        "markdown": meaning.markdown(),
    })
}

/// The text with the files that it uses, itself first.
fn set(text: &str, options: &Options) -> Set {
    const MOST: usize = 500;
    let mut files: Vec<File> = Vec::new();
    let mut waiting = vec![Source::new(options.name(), text)];
    while let Some(source) = waiting.pop() {
        if files.len() >= MOST || files.iter().any(|file| file.source.name == source.name) {
            continue;
        }
        let file = File { scan: scan(&source.text), source };
        for item in file.scan.items.iter().filter(|item| item.kind == ItemKind::Use) {
            let name = item.name.trim_start_matches("./");
            if let Some(text) = options.files.get(name) {
                waiting.push(Source::new(name, text.as_str()));
            }
        }
        files.push(file);
    }
    Set { files }
}
