//! Rules are replaced at any event: what is unchanged goes on as if nothing had been replaced, what
//! is new is run or refused, and nothing panics.

use kleene::stream::{Output, Verdict};
use kleene::{Engine, Record, RuleSet};
use kleene_syntax::hir::Pattern;
use kleene_test::engine::counts_partials_exactly;
use kleene_test::random::Choices;
use kleene_test::text;

use super::made;

/// Patterns that are larger are left out: their automata take long to build.
const MOST_STEPS: usize = 12;

/// Where combinations explode, those of a key give way.
const MOST_PARTIALS: usize = 40;

/// The number of replacements for one input.
const MOST_REPLACEMENTS: usize = 3;

pub(crate) fn check(data: &[u8]) {
    let mut choices = Choices(&data[..data.len().min(made::LONGEST)]);
    let [key, edit] = choices.digits([3, 4]);
    let key = ["", "key v", "key type, v"][key];
    let stream = choices.stream();
    // A byte for each event: to which rules before it, if to others.
    let moments: Vec<usize> = stream.0.iter().map(|_| choices.below(8)).collect();
    let patterns = [choices.pattern(), choices.pattern()];
    if patterns.iter().any(|pattern| pattern.written_out() > MOST_STEPS) {
        return;
    }
    let [kept, other] = patterns.map(|pattern| pattern.repaired().build());
    let clauses =
        ["", "emit { reported: 1 }", "suppress 3ms", "limit 2 partials drop oldest"][edit];
    let (Some(kept), Some(edited)) = (rule(&kept.0, key, "same"), rule(&kept.0, clauses, "other"))
    else {
        return;
    };
    let Some(other) = rule(&other.0, key, "other") else { return };
    let sets = [[&kept, &other], [&other, &kept], [&kept, &edited]].map(|rules| together(&rules));
    let [Some(first), Some(second), Some(third)] = sets else { return };
    let sets = [first, second, third, together(&[&kept]).expect("it is in the others")];
    let is_exact = sets.iter().all(counts_partials_exactly);
    let engine = |rules: &RuleSet| {
        let builder = Engine::builder().rules(rules);
        builder.limit_partials_per_key(MOST_PARTIALS).build().ok()
    };
    let (Some(mut plain), Some(mut live)) = (engine(&sets[3]), engine(&sets[0])) else { return };
    let (mut expected, mut reported) = (Vec::new(), Vec::new());
    let mut replacements = 0;
    for (event, moment) in stream.0.iter().zip(moments) {
        if let Some(rules) = sets.get(moment)
            && replacements < MOST_REPLACEMENTS
        {
            replacements += 1;
            replace(&mut live, rules, is_exact);
        }
        plain.push(event, &mut expected).expect("no limit fails");
        live.push(event, &mut reported).expect("no limit fails");
    }
    let _ = plain.end_time(&mut expected);
    let _ = live.end_time(&mut reported);
    assert_eq!(of_same(&reported), of_same(&expected), "{kept}\n{other}\nover {stream:?}");
}

fn replace(engine: &mut Engine<Record>, rules: &RuleSet, is_exact: bool) {
    let before = engine.stats().partials;
    let plan = engine.plan_replacement(rules);
    let Ok(done) = engine.replace_rules(rules) else {
        assert_eq!(engine.stats().partials, before, "what is refused changes nothing");
        return;
    };
    assert_eq!(plan, done, "it is done as it was planned");
    let change = done.rule("same").expect("it is in all of them");
    assert_eq!((&change.verdict, change.dropped), (&Verdict::Unchanged, 0), "{done}");
    let kept: u64 = done.rules.iter().map(|change| change.kept).sum();
    let (after, all) = (engine.stats().partials, kept + done.dropped());
    if is_exact {
        assert_eq!((kept, all), (after, before), "{done}");
    } else {
        assert!(kept >= after && all >= before, "{done}: {before} before, {after} after");
    }
}

/// The rule that says `pattern`; `None` where the language has no words for it.
fn rule(pattern: &Pattern, clauses: &str, name: &str) -> Option<String> {
    let text = text::rule(pattern).ok()?;
    let (start, end) = (text.find("rule r {")?, text.rfind('}')?);
    let text = text[start..end].replacen("rule r {", &format!("rule {name} {{"), 1);
    Some(format!("{text}{clauses}\n}}\n"))
}

fn together(rules: &[&String]) -> Option<RuleSet> {
    let rules: String = rules.iter().map(|rule| rule.as_str()).collect();
    RuleSet::parse(&format!("event e {{ type: string, v: int }}\n{rules}")).ok()
}

/// The outputs of the rule that was never changed.
fn of_same(outputs: &[Output<Record>]) -> Vec<&Output<Record>> {
    let is_of_same = |output: &&Output<Record>| match output {
        Output::Match(found) => &*found.rule == "same",
        Output::Timeout(timeout) => &*timeout.found.rule == "same",
        Output::Overflowed(what) => what.to_string().contains("same"),
        _ => false,
    };
    outputs.iter().filter(is_of_same).collect()
}
