use std::sync::Arc;

use super::moves::can_move;
use super::*;
use crate::ruleset::RuleSet;
use kleene_automata::nfa::Program;
use kleene_event::event::Record;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::Rule;

const TYPES: &str = "
    event e { n: int?, x: float?, name: string, ip: ip, ok: bool, at: time }
    event f { n: int?, at: time }
    list nets: ip = [\"10.0.0.0/8\"]
";

struct Indexed {
    rules: RuleSet,
    always: Vec<Subscription>,
    index: Option<Index>,
}

fn compiled(text: &str) -> (RuleSet, Vec<Program>) {
    let rules = RuleSet::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let program = |rule: &Arc<Rule>| Program::new(&rule.pattern).expect("it can be compiled");
    let programs = rules.rules().iter().map(program).collect();
    (rules, programs)
}

/// The rules that an index finds for an event, in order.
fn found(index: &Index, event: &Record) -> Vec<u32> {
    let mut found = Vec::new();
    index.find(event, &mut |subscriptions| found.extend_from_slice(subscriptions));
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|(rule, _)| rule).collect()
}

/// An index over rules with these steps first.
fn indexed(firsts: &[&str]) -> Indexed {
    let rules = firsts
        .iter()
        .enumerate()
        .map(|(number, first)| format!("rule r{number} {{ match {first} -> f within 1m }}\n"));
    let text = TYPES.to_owned() + &rules.collect::<String>();
    let (rules, programs) = compiled(&text);
    let ty = rules.schema().type_id("e").expect("it is declared");
    let mut always: Vec<Subscription> = (0..).zip(&programs).map(|(rule, _)| (rule, 0)).collect();
    let index = Index::new(&mut always, |rule| When::starts(&programs[rule as usize], ty));
    Indexed { rules, always, index }
}

impl Indexed {
    /// The rules that are found for an event.
    fn found(&self, fields: &[(&str, Value)]) -> Vec<u32> {
        let defaults = [
            ("name", Value::from("")),
            ("ip", Value::Ip([1, 1, 1, 1].into())),
            ("ok", false.into()),
        ];
        let at = ("at", Value::Time(Timestamp::from_millis(0)));
        let given = |name: &str| fields.iter().any(|(given, _)| *given == name);
        let defaults = defaults.into_iter().filter(|(name, _)| !given(name));
        let fields = fields.iter().cloned().chain(defaults).chain([at]);
        let event =
            Record::from_fields(self.rules.schema(), "e", fields).expect("it is declared so");
        found(self.index.as_ref().expect("there is one"), &event)
    }

    fn always(&self) -> Vec<u32> {
        self.always.iter().map(|(rule, _)| *rule).collect()
    }
}

#[test]
fn rules_are_found_by_what_they_ask_first() {
    let rules = indexed(&[
        "e[n == 1]",
        "e[n % 10 == 3]",
        "e[lower(name) == \"ann\"]",
        "e[n in [1, 5] and ok]",
        "e[n in 2..4]",
        "e[x > 1.5]",
        "e[2 >= x]",
        "e[n == 7 or x == 7]",
        "e[ip == \"10.0.0.1\"]",
        "e[n == 1.0 and name != \"\"]",
    ]);
    assert_eq!(rules.always(), [0_u32; 0]);
    assert_eq!(rules.found(&[]), [0_u32; 0]);
    assert_eq!(rules.found(&[("n", 1.into())]), [0, 3, 9]);
    assert_eq!(rules.found(&[("n", 3.into())]), [1, 4]);
    assert_eq!(rules.found(&[("n", 13.into()), ("x", 2.0.into())]), [1, 5, 6]);
    assert_eq!(rules.found(&[("name", "Ann".into())]), [2]);
    assert_eq!(rules.found(&[("x", 7.0.into())]), [5, 7]);
    assert_eq!(rules.found(&[("x", f64::NAN.into())]), [0_u32; 0]);
    assert_eq!(rules.found(&[("ip", Value::Ip([10, 0, 0, 1].into()))]), [8]);
}

#[test]
fn text_without_case_is_a_condition_of_its_own() {
    let rules = indexed(&[
        "e[name == \"Ann\"]",
        "e[name == \"Ann\" nocase]",
        "e[name in [\"ANN\", \"bob\"] nocase]",
        "e[name >= \"B\" nocase]",
        "e[name == \"x\" or (name == \"ANN\" nocase) is true]",
        "e[name like [\"a*\"] nocase]",
        "e[any [name] == \"Ann\"]",
        "e[name not like \"a*\"]",
        "e[(name == \"Ann\") is not true]",
    ]);
    assert_eq!(rules.always(), [5, 6, 7, 8]);
    assert_eq!(rules.found(&[("name", "Ann".into())]), [0, 1, 2, 4]);
    assert_eq!(rules.found(&[("name", "aNN".into())]), [1, 2, 4]);
    assert_eq!(rules.found(&[("name", "BOB".into())]), [2, 3]);
    assert_eq!(rules.found(&[("name", "a".into())]), [0_u32; 0]);
}

#[test]
fn what_was_looked_up_need_not_be_asked_again() {
    let firsts = [
        ("e[n == 1]", true),
        ("e[name == \"Ann\" nocase]", true),
        ("e[any [name] == \"ann\"]", false),
        ("e[(n == 1) is not true]", false),
        ("e[3 == n % 10]", true),
        ("e[lower(name) == \"ann\"]", true),
        ("e[n == 1.0]", true),
        ("e[n == 1]{2}", true),
        ("e[n == 1 and ok]", false),
        ("e[n in [1, 5]]", false),
        ("e[name in [\"ann\"] nocase]", false),
        ("e[n > 1]", false),
        ("e[ip == \"10.0.0.1\"]", false),
        ("(e[n == 1] or e[n == 2])", false),
        ("e", false),
    ];
    for (first, is_answered) in firsts {
        let rules = indexed(&[first]).rules;
        let program = Program::new(&rules.rules()[0].pattern).expect("it can be compiled");
        let ty = rules.schema().type_id("e").expect("it is declared");
        let answered = When::starts(&program, ty).answered(&program, ty);
        assert_eq!(answered.is_some(), is_answered, "{first}");
    }
}

#[test]
fn what_cannot_be_looked_up_sees_each_event() {
    let rules = indexed(&[
        "e",
        "e[not ok]",
        "e[x is null]",
        "e[n != 1]",
        "e[ip in nets]",
        "e[name ~ \"a\"]",
        "e[n == 1 or not ok]",
        // These may divide by zero, which is counted.
        "e[6 / n == 1]",
        "e[6 / n == 1 and n == 2]",
        "e[n == 2 and 6 / n == 1]",
        "(e[n == 2] or e)",
    ]);
    assert_eq!(rules.always(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]);
    assert_eq!(rules.found(&[("n", 2.into())]), [9]);
}

#[test]
fn the_part_that_fits_the_fewest_is_looked_up() {
    let firsts: Vec<String> =
        (0..20).map(|n| format!("e[name == \"ann\" and n == {n} and x > 0.0]")).collect();
    let firsts: Vec<&str> = firsts.iter().map(String::as_str).collect();
    let rules = indexed(&firsts);
    assert_eq!(rules.found(&[("name", "ann".into()), ("x", 1.0.into())]), [0_u32; 0]);
    assert_eq!(rules.found(&[("n", 7.into())]), [7]);
    assert_eq!(rules.index.expect("there is one").columns.len(), 1);
}

#[test]
fn only_events_that_do_something_are_given_to_what_is_open() {
    // By case: if an `e` and an `f` can advance a partial match, with an `e` first.
    let cases = [
        ("e -> f", (false, true)),
        ("e -> next f", (true, true)),
        ("e -> e -> f", (true, true)),
        ("e -> not e -> f", (true, true)),
        ("e{2} -> f", (true, true)),
        ("e and f", (true, true)),
        ("e -> f without e", (true, true)),
        ("e -> f[n == e.n]", (false, true)),
    ];
    for (body, (by_e, by_f)) in cases {
        let text = format!("{TYPES} rule r {{ from e, f match {body} within 1m }}");
        let rules = RuleSet::parse(&text).unwrap_or_else(|error| panic!("{error}"));
        let program = Program::new(&rules.rules()[0].pattern).expect("it can be compiled");
        let ty = |name| rules.schema().type_id(name).expect("it is declared");
        let moved = (can_move(&program, ty("e")), can_move(&program, ty("f")));
        assert_eq!(moved, (by_e, by_f), "{body}");
    }
}

#[test]
fn what_moves_is_found_by_what_the_event_before_was_asked() {
    let bodies = [
        "e[n == 1] -> f[n == e.n]",
        "e[n % 10 == 3 and ok] -> f[e.n == n]",
        "e[n in 4..5] -> f[n == e.n and n > 4]",
        "e[n == 1] -> f -> f[n == e.n]",
        "e[n == 1] -> f[n > e.n]",
        "e[n + 1 == 2] -> f[n == e.n]",
        "e[n in few] -> f[n == e.n]",
        "e[n in [1, 13] or n == 2] -> f[n == e.n]",
        "e[x == 1.0] -> f[n == e.n]",
        "e[n == 1] -> not f[n == 2] for 5s",
        "e[n == 1] -> f[6 / n == 1 and n == e.n]",
    ];
    let rules = (0..)
        .zip(bodies)
        .map(|(number, body)| format!("rule r{number} {{ from e, f match {body} within 1m }}\n"));
    let text = format!("{TYPES} list few: int = [1, 3]\n{}", rules.collect::<String>());
    let (rules, programs) = compiled(&text);
    let ty = rules.schema().type_id("f").expect("it is declared");
    let mut any: Vec<Subscription> = (0..).zip(&programs).map(|(rule, _)| (rule, 0)).collect();
    let index = Index::new(&mut any, |rule| When::moves(&programs[rule as usize], ty));
    let index = index.expect("there are many");
    // A list can be replaced, a sum can differ where what is added up is equal, and of divisions by
    // zero none may be missed.
    assert_eq!(any.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), [3, 4, 5, 6, 8, 10]);
    let found = |n: i64| {
        let at = ("at", Value::Time(Timestamp::from_millis(0)));
        let event = Record::from_fields(rules.schema(), "f", [("n", n.into()), at]);
        found(&index, &event.expect("it is declared so"))
    };
    assert_eq!(found(1), [0, 7]);
    assert_eq!(found(2), [7, 9]);
    assert_eq!(found(5), [2]);
    assert_eq!(found(13), [1, 7]);
    assert_eq!(found(6), [0_u32; 0]);
}

#[test]
fn a_few_rules_are_asked_one_by_one() {
    let rules = indexed(&["e[n == 1]", "e[n == 2]"]);
    assert!(rules.index.is_none());
    assert_eq!(rules.always(), [0, 1]);
}

#[test]
fn ranges_are_found_as_if_all_were_looked_at() {
    let end = |at: i64| match at.rem_euclid(7) {
        0 => None,
        1 => Some(Value::Float(1.5)),
        other => Some(Value::Int(other * 3)),
    };
    let all: Vec<Between<i64>> = (0..100).map(|i| (end(i), end(i * i + 3), i)).collect();
    let ranges = Ranges::new(all.iter().cloned());
    let text = Value::String(Arc::from("no number"));
    for value in (-2..24).map(Value::Int).chain([Value::Float(1.5), Value::Float(7.25), text]) {
        let value = value.as_ref();
        let is_in = |(low, high, _): &&Between<i64>| {
            let low = low.as_ref().is_none_or(|low| {
                low.as_ref().compare(value).is_some_and(std::cmp::Ordering::is_le)
            });
            let high = high.as_ref().is_none_or(|high| {
                value.compare(high.as_ref()).is_some_and(std::cmp::Ordering::is_le)
            });
            low && high
        };
        let expected: Vec<i64> = all.iter().filter(is_in).map(|(.., i)| *i).collect();
        let mut found = Vec::new();
        ranges.find(value, &mut |i| found.push(*i));
        found.sort_unstable();
        assert_eq!(found, expected, "{value}");
    }
}
