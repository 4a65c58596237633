//! What `explain` says of a rule is the rule, and its pictures can be drawn.

use std::collections::BTreeSet;

use kleene::{Engine, Record, RuleSet};
use kleene_explain::explain::{Explanation, Shape};
use kleene_explain::why;
use kleene_syntax::hir::{Length, Pattern};

use super::{Capture, Edit, Inputs, captured, captures, hunt, inputs, millis, result, same};

/// The rule file with the pattern as `explain` spells it.
fn respelled(text: &str, explained: &str) -> Option<String> {
    let body = explained.lines().find_map(|line| line.strip_prefix("Match      "))?;
    let lines = text.lines().map(|line| {
        if line.starts_with("  match ") { format!("  match {body}") } else { line.to_owned() }
    });
    Some(lines.collect::<Vec<_>>().join("\n"))
}

/// The lines of a section of an explanation.
fn section<'t>(explained: &'t str, title: &str) -> Vec<&'t str> {
    let of_section = |line: &&str| line.starts_with(' ');
    let mut lines = explained.lines().skip_while(|line| !line.starts_with(title));
    let first = lines.next().and_then(|line| line.strip_prefix(title));
    first.into_iter().chain(lines.take_while(of_section)).map(str::trim).collect()
}

fn says_the_clauses(pattern: &Pattern, explained: &str) -> Result<(), String> {
    let mut names = Vec::new();
    captured(pattern, &pattern.body, &mut names);
    let steps = section(explained, "Steps");
    for name in names {
        let head = format!("`{name}`");
        if !steps.iter().any(|line| line.contains(&head)) {
            return Err(format!("no step {head} in\n{explained}"));
        }
    }
    let time = section(explained, "Time").join(" ");
    let within = pattern.within.and_then(Length::as_millis);
    match within {
        Some(within) if !time.contains(&format!("within {within}ms")) => {
            return Err(format!("`within {within}ms` is not said in\n{explained}"));
        }
        None if pattern.within.is_none() && time.starts_with("within ") => {
            return Err(format!("there is no `within` of the whole\n{explained}"));
        }
        _ => {}
    }
    let reports = section(explained, "Reports").join(" ");
    let is_said = reports.contains("a timeout: ");
    same("timeouts are said to be reported", &is_said, &pattern.report_timeouts)
        .map_err(|different| format!("{different}\n{explained}"))
}

/// The states of a listing, and those that its lines lead to.
fn listed(states: &str) -> (Vec<String>, BTreeSet<String>) {
    let (mut heads, mut targets) = (Vec::new(), BTreeSet::new());
    for line in states.lines() {
        if line.starts_with('S') {
            heads.extend(line.split_whitespace().next().map(str::to_owned));
        }
        let Some((_, to)) = line.split_once(" -> ").filter(|_| line.starts_with("    ")) else {
            continue;
        };
        let to = to.split(':').next().unwrap_or_default();
        targets.extend(to.split(' ').filter(|word| word.starts_with('S')).map(str::to_owned));
    }
    (heads, targets)
}

fn lists_the_states(of: &Explanation<'_>) -> Result<Vec<String>, String> {
    let (text, states) = (of.text(), of.states());
    let (heads, targets) = listed(&states);
    let names: Vec<String> = (0..heads.len()).map(|number| format!("S{number}")).collect();
    same("states", &heads, &names)?;
    if let Some(lost) = targets.iter().find(|target| !heads.contains(target)) {
        return Err(format!("a line leads to {lost}, which is not listed\n{states}"));
    }
    let unreached = heads.iter().skip(1).find(|head| !targets.contains(*head));
    if let Some(unreached) = unreached {
        return Err(format!("nothing leads to {unreached}\n{states}"));
    }
    let number = format!("Automaton  {} state", heads.len());
    if !text.contains(&number) {
        return Err(format!("not `{number}`:\n{text}\n{states}"));
    }
    let picture = of.picture_of_states();
    let drawn = picture.nodes.iter().filter(|node| node.shape == Shape::State).count();
    same("drawn states", &drawn, &heads.len())?;
    let edges = states.lines().filter(|line| {
        ["take", "skip", "end", "complete"].iter().any(|verb| line.trim().starts_with(verb))
            && line.starts_with("    ")
    });
    let both = states.matches(" -> match, and continue in S").count();
    let plain = picture.arrows.iter().filter(|arrow| !arrow.is_dashed).count();
    same("arrows", &plain, &(edges.count() + both))?;
    Ok(heads)
}

/// The parts of a line outside of quotes; an error if a quote is not closed.
fn outside_of_quotes(line: &str) -> Result<String, String> {
    let (mut out, mut quoted, mut escaped) = (String::new(), false, false);
    for c in line.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            c => out.push(c),
        }
    }
    if quoted { Err(format!("an open quote: {line}")) } else { Ok(out) }
}

/// Checks what Graphviz would: brackets, quotes, and that arrows join nodes that are there.
fn is_well_formed(lines: &str, arrows: &[&str]) -> Result<(), String> {
    let mut nodes = BTreeSet::new();
    let mut joined = Vec::new();
    for line in lines.lines().filter(|line| !line.trim_start().starts_with("%%")) {
        let plain = outside_of_quotes(line)?;
        for (open, close) in [('(', ')'), ('[', ']')] {
            let count = |of: char| plain.matches(of).count();
            same(line, &count(open), &count(close))?;
        }
        let is_node =
            |word: &str| word.strip_prefix('n').is_some_and(|rest| rest.parse::<usize>().is_ok());
        let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| is_node(word));
        let words: Vec<String> = words.map(str::to_owned).collect();
        if arrows.iter().any(|arrow| plain.contains(arrow)) {
            same(line, &words.len(), &2)?;
            joined.extend(words);
        } else if words.len() == 1 && !nodes.insert(words[0].clone()) {
            return Err(format!("a node twice: {line}"));
        }
    }
    match joined.iter().find(|node| !nodes.contains(*node)) {
        Some(node) => Err(format!("there is no node {node} in\n{lines}")),
        None if nodes.is_empty() => Err(format!("there are no nodes in\n{lines}")),
        None => Ok(()),
    }
}

/// The states in which partial matches wait are states of the listing.
fn waits_in_them(rules: &RuleSet, events: &[Record], heads: &[String]) -> Result<(), String> {
    let engine = Engine::builder().rules(rules).build();
    let mut engine = engine.map_err(|error| error.to_string())?;
    for event in events {
        engine.push(event, &mut Vec::new()).map_err(|error| error.to_string())?;
        for partial in engine.collect_partials("r") {
            let states = why::states_of(&partial);
            if states.is_empty() != partial.is_complete() {
                return Err(format!("{partial:?} is in {states:?}"));
            }
            if let Some(lost) = states.iter().find(|state| !heads.contains(state)) {
                return Err(format!("{lost} is not listed: {partial:?}"));
            }
        }
    }
    Ok(())
}

/// What is reported: the kind, the time and the captured events.
type Results = Vec<(&'static str, i64, Vec<Capture>)>;

fn results(rules: &RuleSet, events: &[Record]) -> Result<Results, String> {
    let engine = Engine::builder().rules(rules).build();
    let (mut engine, mut outputs) = (engine.map_err(|error| error.to_string())?, Vec::new());
    for event in events {
        engine.push(event, &mut outputs).map_err(|error| error.to_string())?;
    }
    engine.end_time(&mut outputs).map_err(|error| error.to_string())?;
    let results = outputs.iter().filter_map(result);
    Ok(results.map(|(kind, found)| (kind, millis(found.reported_at), captures(found))).collect())
}

/// Returns a pattern without `longest` on loops of a fixed count. No repetition makes them longer, and
/// `explain` leaves the word out.
fn without_idle_longest(body: &str) -> String {
    let mut loops = body.split("Quantifier { min: ");
    let mut plain = loops.next().unwrap_or_default().to_owned();
    for part in loops {
        plain += "Quantifier { min: ";
        let is_fixed = part.split_once(", max: Some(").is_some_and(|(least, rest)| {
            rest.split_once(')').is_some_and(|(most, _)| most == least)
        });
        if is_fixed {
            plain += &part.replacen("mode: Longest", "mode: Each", 1);
        } else {
            plain += part;
        }
    }
    plain
}

fn check(of: &Inputs) -> Result<Option<()>, String> {
    let (Some((rules, events)), Some(text)) = (of.ready(), of.text(Edit::default())) else {
        return Ok(None);
    };
    let rule = rules.rule("r").ok_or("there is no rule")?;
    let explanation = Explanation::new(rule, rules.schema()).map_err(|error| error.to_string())?;
    let explained = explanation.text();
    let again = respelled(&text, &explained).ok_or("the pattern is not said")?;
    let read = RuleSet::parse(&again).map_err(|error| format!("{error}\n{explained}"))?;
    // Of several events that a `not` names, equal ones are said once.
    let is_shorter = text.contains("(e[") && text.contains(" or e[");
    if !is_shorter {
        let body = |rules: &RuleSet| {
            rules.rule("r").map(|rule| without_idle_longest(&format!("{:?}", rule.pattern.body)))
        };
        same("the steps that it says", &body(&read), &body(&rules))
            .map_err(|different| format!("{different}\n{again}"))?;
    }
    same("the results of it", &results(&read, &events)?, &results(&rules, &events)?)
        .map_err(|different| format!("{different}\n{again}"))?;
    says_the_clauses(&rule.pattern, &explained)?;
    let heads = lists_the_states(&explanation)?;
    for picture in [explanation.picture(), explanation.picture_of_states()] {
        let (dot, mermaid) = (picture.to_dot(), picture.to_mermaid());
        same("braces", &dot.trim_end().ends_with('}'), &true)?;
        is_well_formed(&dot, &["->"])?;
        is_well_formed(&mermaid, &["-->", "-.->"])?;
        same("edges drawn", &dot.matches(" -> n").count(), &picture.arrows.len())?;
    }
    waits_in_them(&rules, &events, &heads)?;
    Ok(Some(()))
}

#[test]
fn explain_says_what_the_rule_says() {
    hunt(600, &inputs(), check);
}
