//! Rule text in, what it means out. Mistakes are in `testdata/diagnostics/hir`.

use std::fmt::Write as _;

use kleene_automata::nfa::Program;
use kleene_syntax::hir::canon;
use kleene_syntax::hir::eval::constant;
use kleene_syntax::hir::{
    Contiguity, Expr, Item, ItemKind, Length, LoopMode, Pattern, Quantifier, Rule, Sequence,
    SkipStrategy, Test,
};

use crate::ruleset::RuleSet;

const EVENTS: &str = "
    event a { k: int, v: int, s: string?, at: time }
    event b { k: int, v: float, ok: bool, ip: ip, took: duration, addr: { city: string }, at: time }
    event c { k: int, at: time, .. }
";

fn rules(text: &str) -> RuleSet {
    RuleSet::parse(&format!("{EVENTS}{text}")).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn rule(clauses: &str) -> Rule {
    (*rules(&format!("rule r {{ {clauses} }}")).rules()[0]).clone()
}

/// A pattern in few letters: names, quantifiers, contiguities.
fn summary(pattern: &Pattern) -> String {
    let mut out = sequence(pattern, &pattern.body);
    if let Some(within) = pattern.within {
        let _ = write!(out, " within {}", length(within));
    }
    match &pattern.skip.strategy {
        SkipStrategy::PastLast => {}
        SkipStrategy::ToFirst(step) => {
            let _ = write!(out, " skip to first {}", pattern.steps[step.index()].name);
        }
        other => {
            let _ = write!(out, " skip {other:?}");
        }
    }
    if pattern.skip.ordered {
        out.push_str(" ordered");
    }
    out
}

fn sequence(pattern: &Pattern, body: &Sequence) -> String {
    let items = body.items.iter().enumerate().map(|(i, one)| item(pattern, one, i == 0));
    let without = body
        .without
        .as_ref()
        .map(|without| format!("without {}", pattern.steps[without.step.index()].name));
    items.chain(without).collect::<Vec<_>>().join(" ")
}

fn item(pattern: &Pattern, item: &Item, first: bool) -> String {
    let mut out = String::new();
    if !first {
        out.push_str(match item.contiguity {
            Contiguity::Next => "-> next ",
            Contiguity::Relaxed => "-> ",
            Contiguity::Any => "-> any ",
        });
    }
    if let Some(gap) = item.gap {
        let _ = write!(out, "[{}..{}] ", length(gap.min), gap.max.map_or(String::new(), length));
    }
    let name = |step: &kleene_syntax::hir::StepId| pattern.steps[step.index()].name.clone();
    match &item.kind {
        ItemKind::Step { step, quantifier, .. } => {
            let _ = write!(out, "{}{}", name(step), quant(quantifier));
        }
        ItemKind::Not { step, .. } => {
            let _ = write!(out, "not {}", name(step));
        }
        ItemKind::Group { body, quantifier, within, alias } => {
            let _ = write!(out, "({}", sequence(pattern, body));
            if let Some(within) = within {
                let _ = write!(out, " within {}", length(*within));
            }
            let _ = write!(out, "){}", quant(quantifier));
            if let Some(alias) = alias {
                let _ = write!(out, " as {}", name(alias));
            }
        }
        ItemKind::Alternatives { branches, count } => {
            let branches: Vec<_> =
                branches.iter().map(|branch| sequence(pattern, branch)).collect();
            let _ = write!(out, "{count} of ({})", branches.join(", "));
        }
    }
    out
}

fn length(length: Length) -> String {
    length.as_millis().map_or("?".into(), |millis| millis.to_string())
}

fn quant(quantifier: &Quantifier) -> String {
    if quantifier.is_once() {
        return String::new();
    }
    let Quantifier { min, max, optional, inner, mode, until } = quantifier;
    let mut out = format!("{{{min}");
    match max {
        Some(max) if max == min => {}
        Some(max) => {
            let _ = write!(out, "..{max}");
        }
        None => out.push_str(".."),
    }
    out.push_str(match inner {
        Contiguity::Next => " next",
        Contiguity::Relaxed => "",
        Contiguity::Any => " any",
    });
    out.push_str(match mode {
        LoopMode::Greedy => " greedy",
        LoopMode::Each => "",
        LoopMode::Longest => " longest",
    });
    out.push('}');
    out.push_str(if *optional { "?" } else { "" });
    out.push_str(if until.is_some() { " until" } else { "" });
    out
}

#[test]
fn patterns_lose_their_sugar() {
    for (text, expected) in [
        ("a -> b -> next c -> any a as z", "a -> b -> next c -> any z"),
        ("a+ -> b", "a{1.. greedy} -> b"),
        ("a -> b* -> c", "a -> b{1.. greedy}? -> c"),
        ("a -> b? -> c", "a -> b{1 greedy}? -> c"),
        ("a -> b{0..3} -> c", "a -> b{1..3 greedy}? -> c"),
        ("a -> b{0..} -> c", "a -> b{1.. greedy}? -> c"),
        ("a{3}", "a{3}"),
        ("a{3 next}", "a{3 next}"),
        ("a{2..4 next each} -> b", "a{2..4 next} -> b"),
        ("a{2.. any} -> b", "a{2.. any} -> b"),
        ("a -> b{2.. longest} within 1m", "a -> b{2.. longest} within 60000"),
        ("a+ until b -> c", "a{1.. greedy} until -> c"),
        ("a+ until [v > 3] -> c", "a{1.. greedy} until -> c"),
        ("(a -> b){2} as r -> c", "(a -> b){2} as r -> c"),
        ("(a -> b within 5s) -> c", "(a -> b within 5000) -> c"),
        ("c -> (a{2..4})? -> b", "c -> a{2..4 greedy}? -> b"),
        ("(a{2 next} within 5s) as x -> b", "(x{2 next} within 5000) -> b"),
        ("(a as x){2..3} -> b", "x{2..3 greedy} -> b"),
        ("(a){2..3} as x -> b", "x{2..3 greedy} -> b"),
        ("(a{2}){3} as x -> b", "(a{2}){3} as x -> b"),
        ("((a -> b)) -> c", "((a -> b)) -> c"),
        ("a -> not b -> c", "a -> not b -> c"),
        ("a -> next not b -> c", "a -> next not b -> c"),
        ("a -> not b for 5s", "a -> [0..5000] not b"),
        ("a -> not b within 5s", "a -> not b within 5000"),
        ("a ->[1s..2s] b ->[..2s] next c", "a -> [1000..2000] b -> next [0..2000] c"),
        ("a ->[1s..] b", "a -> [1000..] b"),
        ("a as x -> b skip to first x", "x -> b skip to first x"),
        ("a -> b skip to next ordered", "a -> b skip ToNext ordered"),
        ("a -> b skip none", "a -> b skip None"),
    ] {
        let rule = rule(&format!("key k match {text}"));
        assert_eq!(summary(&rule.pattern), expected, "{text}");
        Program::new(&rule.pattern).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

/// Returns the lowered condition of the pattern's last step, with fields by name; the step is
/// `candidate`.
fn last_condition(text: &str) -> String {
    let rules = rules(&format!("list names: string = [\"x\", \"y\"]\nparam p: int = 7\n{text}"));
    let pattern = &rules.rules()[0].pattern;
    let condition = pattern.conditions.last().unwrap();
    let steps: Vec<_> = pattern.steps.iter().map(|step| step.ty).collect();
    let text = match &condition.test {
        Test::True => "true".to_owned(),
        _ => canon::condition(condition, rules.schema(), &steps),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(").replace(" )", ")")
}

#[test]
fn conditions_are_resolved_and_constants_computed() {
    for (text, expected) in [
        ("a -> b[v > 1 + 2]", r#""b" (> ("v") (int 3))"#),
        ("a -> b[v > $p]", r#""b" (> ("v") (int 7))"#),
        ("a -> b[true or v > 1]", "true"),
        ("a -> b[ok and 1 < 2]", r#""b" ("ok")"#),
        ("a -> b[v > a.v]", r#""b" (> ("v") (("captured", Some(0)) last "v"))"#),
        ("a -> b[v > prev.v]", r#""b" (> ("v") (("captured", None) last "a" "v"))"#),
        ("a{2} as x -> b[v > x[0].v]", r#""b" (> ("v") (("captured", Some(0)) 0 "v"))"#),
        ("a{2} as x -> b[v > x[-1].v]", r#""b" (> ("v") (("captured", Some(0)) ("end", 1) "v"))"#),
        ("a{2} as x -> b[v > first(x.v)]", r#""b" (> ("v") (("captured", Some(0)) first "v"))"#),
        (
            "a{2} as x -> b[v > last(x.v * 2)]",
            r#""b" (> ("v") (* (("captured", Some(0)) last "v") (int 2)))"#,
        ),
        ("a{2} as x -> b[v > sum(x.v * x.k)]", r#""b" (> ("v") ((Sum, 0) (* ("v") ("k"))))"#),
        ("a{2} as x -> b[v > count(x)]", r#""b" (> ("v") ((Count, 0)))"#),
        ("a{2} as x -> b[v > max(x.v)]", r#""b" (> ("v") ((Max, 0) ("v")))"#),
        (
            "a as x -> b[v > max(x.v, 3)]",
            r#""b" (> ("v") (max (("captured", Some(0)) last "v") (int 3)))"#,
        ),
        ("a -> b[addr.city == \"x\"]", r#""b" (== ("addr.city") (string "x"))"#),
        ("a -> c[anything.at_all > 1]", r#""c" (> (("dynamic", "anything.at_all")) (int 1))"#),
        ("a -> b[ip == \"10.0.0.1\"]", r#""b" (== ("ip") (ip 10.0.0.1))"#),
        ("a -> b[ip in \"10.0.0.0/8\"]", r#""b" (in ("ip") ["10.0.0.0/8"])"#),
        ("a -> b[ip not in cidr(\"10.0.0.0/8\")]", r#""b" (not (in ("ip") ["10.0.0.0/8"]))"#),
        ("b -> a[s in names]", r#""a" (in ("s") ["string \"x\"", "string \"y\""])"#),
        ("b -> a[v in 1..5]", r#""a" (in ("v") range (int 1) (int 5))"#),
        (
            "b -> a[v in [b.k, 1]]",
            r#""a" (in ("v") (list (("captured", Some(0)) last "k") (int 1)))"#,
        ),
        ("b -> a[s ~ \"^x\"]", r#""a" (("~", "^x") ("s"))"#),
        ("b -> a[matches(s, \"^x\")]", r#""a" (("~", "^x") ("s"))"#),
        ("b -> a[s is not null]", r#""a" (not (null ("s")))"#),
    ] {
        let rule = format!("rule r {{ key k match {text} }}");
        assert_eq!(last_condition(&rule), expected, "{text}");
    }
}

#[test]
fn a_loop_sees_what_it_holds_already() {
    let text = "rule r { key k match b -> a[v > last(up.v) or count(up) == 0]{2..3} as up }";
    assert_eq!(
        last_condition(text),
        r#""a" (or (> ("v") (("captured", Some(1)) last "v")) (== ((Count, 1)) (int 0)))"#
    );
}

#[test]
fn defines_add_their_conditions_from_the_inside_out() {
    let text = "
        define big = a[v > 10]
        rule r { define huge = big[v > 100]  key k  match b -> huge[k == 1] }";
    assert_eq!(
        last_condition(text),
        r#""a" (and (and (> ("v") (int 10)) (> ("v") (int 100))) (== ("k") (int 1)))"#
    );
    assert_eq!(&*rules(text).rules()[0].pattern.steps[1].name, "huge");
}

fn depth(expr: &Expr) -> usize {
    match expr {
        Expr::Binary(_, a, b) => 1 + depth(a).max(depth(b)),
        _ => 1,
    }
}

#[test]
fn long_chains_stay_shallow() {
    let terms: Vec<String> = (0..2000).map(|i| format!("v == {i}")).collect();
    let rule = rule(&format!("key k match a[{}]", terms.join(" or ")));
    let Test::Expr(expr) = &rule.pattern.conditions[0].test else { panic!("no condition") };
    assert!(depth(expr) < 15, "{}", depth(expr));
}

#[test]
fn equal_conditions_share_a_number() {
    let pattern = rule("key k match a[v > 1] as x -> a[v > 1] as y -> a[v > 2] as z").pattern;
    assert_eq!(pattern.conditions.len(), 2);
}

#[test]
fn streams_and_keys_are_those_of_the_rule() {
    let events = "event d { id: int, at: time }\n";
    for (clauses, types, key) in [
        ("key k match a -> not b for 1s", 2, "k"),
        ("key k from a, c, b match a -> c", 3, "k"),
        // `d` has no `k`: its events can't be in the stream.
        ("key k from * match a -> c", 3, "k"),
        ("key k { d: id } from * match a -> c", 4, "k"),
        ("key k, v match a -> b[ok] as x", 0, ""),
        ("key k match a+ until c -> b", 3, "k"),
    ] {
        let text = format!("{EVENTS}{events}rule r {{ {clauses} }}");
        let Ok(rules) = RuleSet::parse(&text) else {
            assert_eq!(types, 0, "{clauses}");
            continue;
        };
        let rule = &rules.rules()[0];
        assert_eq!(rule.types.len(), types, "{clauses}");
        assert_eq!(rule.key.len(), 1, "{clauses}");
        assert_eq!(&*rule.key[0].name, key, "{clauses}");
        let owners: Vec<_> = rule.key[0].fields.iter().map(|(ty, _)| *ty).collect();
        assert_eq!(owners, rule.types, "{clauses}");
    }
}

#[test]
fn a_version_says_what_a_rule_means() {
    let version = |text: &str| RuleSet::parse(text).unwrap().rules()[0].version;
    let a = "event a { k: int, v: int, at: time }\n";
    let base = version(&format!("{a}rule r {{ key k match a[v > 1]{{3}} within 1m }}"));
    let other = "event other { x: int, at: time }\n";
    for (text, same) in [
        (format!("{other}{a}# a comment\nrule r {{ within 60s key k match a[v > 1]{{3}} }}"), true),
        (
            format!("{a}rule r {{ about \"x\" severity high key k match a[v>1]{{3}} within 1m }}"),
            true,
        ),
        (format!("{a}define x = a[v > 1]\nrule r {{ key k match x{{3}} as a within 1m }}"), true),
        (format!("{a}param p: int = 1\nrule r {{ key k match a[v > $p]{{3}} within 1m }}"), true),
        (format!("{a}rule q {{ key k match a[v > 1]{{3}} within 1m }}"), false),
        (format!("{a}rule r {{ key k match a[v > 2]{{3}} within 1m }}"), false),
        (format!("{a}rule r {{ key k match a[v > 1]{{4}} within 1m }}"), false),
        (format!("{a}rule r {{ key k match a[v > 1]{{3}} within 2m }}"), false),
        (format!("{a}rule r {{ key k match a[v > 1]{{3}} within 1m emit {{ k }} }}"), false),
        (format!("{a}rule r {{ key v match a[v > 1]{{3}} within 1m }}"), false),
        (format!("{a}rule r {{ key k match a[k > 1]{{3}} within 1m }}"), false),
        (format!("{a}rule r {{ key k match a[v > 1]{{3}} as x within 1m }}"), false),
        (a.replace("v: int", "v: float") + "rule r { key k match a[v > 1]{3} within 1m }", false),
    ] {
        assert_eq!(version(&text) == base, same, "{text}");
    }
}

#[test]
fn parameters_come_from_the_file_the_instance_and_the_host() {
    let text = format!(
        "{EVENTS}param low: int = 1
         rule r {{ param wait: duration = 10m  key k  match a[v > $low] -> not b for $wait }}
         rule fast = r(wait: 1m) {{ severity high }}
         rule faster = fast() {{ severity low }}"
    );
    let waits = |host: &[(&str, &str)]| {
        let builder =
            RuleSet::builder().source(kleene_syntax::diagnostic::Source::new("x", &*text));
        let rules = host.iter().fold(builder, |b, (name, value)| b.param(*name, *value)).build();
        let rules = rules.unwrap_or_else(|error| panic!("{error}"));
        let waits = rules.rules().iter().map(|rule| rule.pattern.body.items[1].gap.unwrap().max);
        (waits.map(|max| max.and_then(Length::as_millis).unwrap()).collect::<Vec<_>>(), rules)
    };
    assert_eq!(waits(&[]).0, [600_000, 60_000, 60_000]);
    assert_eq!(waits(&[("wait", "5s")]).0, [5000, 5000, 5000]);
    assert_eq!(waits(&[("fast.wait", "2s"), ("wait", "5s")]).0, [5000, 2000, 5000]);
    assert_eq!(waits(&[("r.wait", "1h30m"), ("low", "-5")]).0, [5_400_000, 60_000, 60_000]);
    let rules = waits(&[]).1;
    assert_eq!(rules.rule("fast").unwrap().meta.severity.as_deref(), Some("high"));
    assert!(rules.rule("slow").is_none());
    for (name, value, expected) in [
        ("wiat", "5s", "error[E0505]: there is no parameter `wiat`\n --> <params>:1:1"),
        ("wiat", "5s", "did you mean `wait`?"),
        ("fast.wiat", "5s", "did you mean `fast.wait`?"),
        ("wait", "5", "add a unit to the duration: `wait=5s`"),
        (
            "wait",
            "soon",
            "error[E0505]: the parameter `wait` needs a value of type duration, not `soon`",
        ),
        ("low", "1.5", "error[E0505]: the parameter `low` needs a value of type int, not `1.5`"),
    ] {
        let builder =
            RuleSet::builder().source(kleene_syntax::diagnostic::Source::new("x", &*text));
        let error = builder.param(name, value).build().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn functions_do_what_their_examples_say() {
    for function in kleene_syntax::hir::functions::FUNCTIONS {
        assert!(!function.examples.is_empty(), "{} has no example", function.name);
        for (call, expected) in function.examples {
            let rule = rule(&format!("key k match a emit {{ x: {call} }}"));
            let value = constant(&rule.emit.unwrap().fields[0].1);
            assert_eq!(value.to_string(), *expected, "{call}");
        }
    }
}

#[test]
fn list_items_are_reached_by_index() {
    for (call, expected) in [
        ("split(\"a,b,c\", \",\")", "[\"a\", \"b\", \"c\"]"),
        ("len(split(\"a,b\", \",\"))", "2"),
        ("if 1 > 2 then \"x\" else \"y\"", "\"y\""),
        ("\"b\" in split(\"a,b\", \",\")", "true"),
    ] {
        let rule = rule(&format!("key k match a emit {{ x: {call} }}"));
        assert_eq!(constant(&rule.emit.unwrap().fields[0].1).to_string(), expected, "{call}");
    }
}

#[test]
fn files_share_what_they_declare() {
    use kleene_syntax::diagnostic::Source;
    let events = "event a { k: int, s: string, at: time }\n";
    let loader = |from: &Source, path: &str| match path {
        "common.cep" => Ok(format!("use \"../rules/main.cep\"\n{events}define x = a[k > 1]\n")),
        "names.txt" => Ok("# people\n\n ann \n\"bob\"\n".to_owned()),
        _ => Err(format!("{} asks for {path}", from.name)),
    };
    let main = "use \"common.cep\"\nlist names: string from \"names.txt\"\n
                rule r { key k match x[s in names] }";
    let build = |text: String| {
        RuleSet::builder().source(Source::new("rules/main.cep", text)).loader(loader).build()
    };
    for text in [main.to_owned(), format!("{events}{main}")] {
        let rules = build(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(rules.schema().len(), 1);
        let Test::Expr(Expr::Binary(_, _, found)) = &rules.rules()[0].pattern.conditions[0].test
        else {
            panic!("two conditions")
        };
        let Expr::In(_, set) = &**found else { panic!("no set") };
        let kleene_syntax::hir::expr::Set::Values(set) = &**set else { panic!("no values") };
        assert!(set.contains(kleene_event::value::ValueRef::String("bob")));
        assert_eq!(set.values.len(), 2);
    }
    let other = "event a { k: int, at: time }\n";
    let error = build(format!("{other}{main}use \"more.cep\"")).unwrap_err().to_string();
    assert!(error.contains("declared differently elsewhere"), "{error}");
    assert!(error.contains("declared here first: rules/main.cep:1:7"), "{error}");
    assert!(
        error.contains("`more.cep` can't be read: rules/main.cep asks for more.cep"),
        "{error}"
    );
}
