//! Null in conditions: the table of docs/language.md, and every compiled way of testing a condition
//! against three-valued logic written out here.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use kleene::stream::Output;
use kleene::{Engine, Record, RuleSet, Timestamp, Value};
use proptest::prelude::*;

const EVENTS: &str = "event a { k: int, n: int?, m: int?, s: string?, t: list<string>?, at: time }
                      event b { k: int, n: int?, m: int?, s: string?, at: time }
                      list known: string = [\"DE\", \"FR\"]
                      list starts: string = [\"a*\", \"A\", \"c?\"]\n";

/// An event as its type and fields.
type Fields<'f> = (&'f str, Vec<(&'f str, Value)>);

/// How often each rule of a text matches, with the index of rules and without.
fn matches(rules: &str, events: &[Fields<'_>]) -> Vec<usize> {
    let rules = RuleSet::parse(&format!("{EVENTS}{rules}")).unwrap_or_else(|e| panic!("{e}"));
    let record = |(second, (ty, fields)): (i64, &Fields<'_>)| {
        let at = ("at", Timestamp::from_millis(second * 1000).into());
        let fields = fields.iter().cloned().chain([at]);
        Record::from_fields(rules.schema(), ty, fields).unwrap()
    };
    let records: Vec<Record> = (0..).zip(events).map(record).collect();
    let run = |builder: kleene::stream::EngineBuilder<Record>| {
        let mut engine = builder.rules(&rules).in_order().build().unwrap();
        let mut outputs: Vec<Output<Record>> = Vec::new();
        engine.push_batch(&records, &mut outputs).unwrap();
        engine.end_time(&mut outputs).unwrap();
        let of_rule = |rule: &std::sync::Arc<kleene_syntax::hir::Rule>| {
            let is_it = |output: &&Output<Record>| match output {
                Output::Match(found) => found.rule == rule.name,
                _ => false,
            };
            outputs.iter().filter(is_it).count()
        };
        rules.rules().iter().map(of_rule).collect::<Vec<_>>()
    };
    let indexed = run(Engine::builder());
    assert_eq!(indexed, run(Engine::builder().without_index()));
    indexed
}

/// The answer of a condition for an event: true, false or null, as three rules report.
fn condition(text: &str, fields: Vec<(&str, Value)>) -> &'static str {
    let rules = format!(
        "rule yes {{ key k  match a[{text}] }}
         rule no {{ key k  match a[not ({text})] }}
         rule unknown {{ key k  match a[({text}) is null] }}"
    );
    match *matches(&rules, &[("a", fields)]) {
        [1, 0, 0] => "true",
        [0, 1, 0] => "false",
        [0, 0, 1] => "null",
        ref other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn the_table_of_the_language_is_right() {
    let text = std::fs::read_to_string("docs/language.md").unwrap();
    let (_, text) = text.split_once("<!-- nulls").unwrap();
    let (text, _) = text.split_once("<!-- end -->").unwrap();
    let mut rows = 0;
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').collect();
        let result = cells[cells.len() - 2].trim().trim_matches('`');
        for condition in cells[1].split("`, `").map(|cell| cell.trim().trim_matches('`')) {
            let fields = vec![
                ("k", Value::Int(1)),
                ("n", Value::Int(7)),
                ("t", Value::List([Value::from("x"), Value::Null].into())),
            ];
            assert_eq!(self::condition(condition, fields), result, "{condition}");
            rows += 1;
        }
    }
    assert!(rows > 30, "{rows}");
}

#[test]
fn items_of_a_list_join_by_or_and_by_and() {
    let list = |items: &[Option<&str>]| {
        let items = items.iter().map(|item| item.map_or(Value::Null, Value::from));
        Value::List(items.collect())
    };
    let (some, gap) = (list(&[Some("-e"), Some("-X")]), list(&[Some("-e"), None]));
    let empty = list(&[]);
    for (text, of_some, of_gap, of_empty, of_null) in [
        ("any t == \"-e\"", "true", "true", "false", "null"),
        ("any t == \"-x\"", "false", "null", "false", "null"),
        ("any t == \"-x\" nocase", "true", "null", "false", "null"),
        ("any t != \"-e\"", "true", "null", "false", "null"),
        ("all t == \"-e\"", "false", "null", "true", "null"),
        ("all t == \"-x\"", "false", "false", "true", "null"),
        ("any t like \"-e*\"", "true", "true", "false", "null"),
        ("any t not like \"-e*\"", "true", "null", "false", "null"),
        ("all t not like \"-y*\"", "true", "null", "true", "null"),
        ("all t like [\"-E*\", \"-x\"] nocase", "true", "null", "true", "null"),
        ("any t in [\"-x\", \"-X\"]", "true", "null", "false", "null"),
        ("all t in [\"-e\", \"-X\"]", "true", "null", "true", "null"),
        ("all t not in known", "true", "null", "true", "null"),
        ("any t in known", "false", "null", "false", "null"),
        ("any t in [\"-X\", null]", "true", "null", "false", "null"),
        ("any t in [\"-y\", null]", "null", "null", "false", "null"),
        ("any t ~ \"^-[x]$\" nocase", "true", "null", "false", "null"),
        ("all t ~ [\"e\", \"X\"]", "true", "null", "true", "null"),
        ("any t > \"-e\"", "false", "null", "false", "null"),
        ("any t is null", "false", "true", "false", "null"),
        ("all t is not null", "true", "false", "true", "null"),
        ("(any t == \"-y\") is not true", "true", "true", "true", "true"),
        ("(any t == \"-e\") is true", "true", "true", "false", "false"),
        ("contains(t, \"-x\") nocase", "true", "null", "false", "null"),
        ("\"-x\" in t nocase", "true", "null", "false", "null"),
        ("any split(\"a,b\", \",\") == \"b\"", "true", "true", "true", "true"),
    ] {
        let lists = [Some(&some), Some(&gap), Some(&empty), None];
        for (list, expected) in lists.into_iter().zip([of_some, of_gap, of_empty, of_null]) {
            let fields = [("k", Value::Int(1))].into_iter();
            let fields = fields.chain(list.map(|list| ("t", list.clone()))).collect();
            assert_eq!(condition(text, fields), expected, "{text} of {list:?}");
        }
    }
}

#[test]
fn shipped_rules_say_what_they_mean_by_null() {
    let mut files = 0;
    for folder in std::fs::read_dir("patterns").unwrap().map(|folder| folder.unwrap().path()) {
        let Ok(folder) = std::fs::read_dir(folder) else { continue };
        for file in folder.map(|file| file.unwrap().path()) {
            if file.extension().is_none_or(|extension| extension != "cep") {
                continue;
            }
            let rules = RuleSet::from_path(&file).unwrap_or_else(|e| panic!("{e}"));
            let warnings: Vec<String> = rules.warnings().iter().map(ToString::to_string).collect();
            assert!(!warnings.iter().any(|text| text.contains("W0009")), "{warnings:?}");
            files += 1;
        }
    }
    assert!(files > 20, "{files}");
}

/// A condition on the event's `n`, `m`, `s` and on those of a captured one.
#[derive(Clone, Debug)]
enum Cond {
    /// `left op right`: each a field's place, or a constant.
    Compare(usize, &'static str, Operand),
    In(usize, bool, Vec<i64>),
    InOperands(usize, bool, Vec<Operand>),
    Between(usize, i64, i64),
    Text(&'static str),
    IsNull(usize),
    /// `is`, or `is not`, `true` or `false`.
    Is(bool, bool, Box<Cond>),
    Not(Box<Cond>),
    Both(Box<Cond>, Box<Cond>),
    Either(Box<Cond>, Box<Cond>),
    If(Box<[Cond; 3]>),
}

#[derive(Clone, Copy, Debug)]
enum Operand {
    Field(usize),
    Number(i64),
}

const FIELDS: [&str; 4] = ["n", "m", "p.n", "p.m"];
const RELATIONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];
/// Conditions that hold where `s` is `a`, not where it is `b`, and are null where it is null.
const TEXTS: [&str; 19] = [
    "s == \"a\"",
    "s like \"a*\"",
    "s ~ \"a\"",
    "contains(s, \"a\")",
    "s in [\"a\", \"c\"]",
    "s not like \"b*\"",
    "s not ~ \"b\"",
    "s like [\"c\", \"a*\", \"a?\"]",
    "s not like [\"b\", \"c*\"]",
    "s like starts",
    "s ~ [\"^c\", \"^a$\"]",
    "s == \"A\" nocase",
    "s != \"B\" nocase",
    "s in [\"A\", \"C\"] nocase",
    "s like \"A*\" nocase",
    "s like [\"C*\", \"A*\"] nocase",
    "s ~ \"^A\" nocase",
    "any [s] == \"A\" nocase",
    "not (all [s] not like starts)",
];

/// `n`, `m` of the event, `n`, `m` of the captured one.
type Numbers = [Option<i64>; 4];

impl Operand {
    fn text(self) -> String {
        match self {
            Operand::Field(field) => FIELDS[field].to_owned(),
            Operand::Number(number) => number.to_string(),
        }
    }

    fn value(self, numbers: &Numbers) -> Option<i64> {
        match self {
            Operand::Field(field) => numbers[field],
            Operand::Number(number) => Some(number),
        }
    }
}

fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    and(a.map(|a| !a), b.map(|b| !b)).map(|both| !both)
}

impl Cond {
    fn text(&self) -> String {
        let list = |items: Vec<String>| items.join(", ");
        let not = |negated: bool| if negated { "not in" } else { "in" };
        match self {
            Cond::Compare(field, op, with) => format!("{} {op} {}", FIELDS[*field], with.text()),
            Cond::In(field, negated, items) => {
                let items = list(items.iter().map(i64::to_string).collect());
                format!("{} {} [{items}]", FIELDS[*field], not(*negated))
            }
            Cond::InOperands(field, negated, items) => {
                let items = list(items.iter().map(|item| item.text()).collect());
                format!("{} {} [{items}]", FIELDS[*field], not(*negated))
            }
            Cond::Between(field, low, high) => format!("{} in {low}..{high}", FIELDS[*field]),
            Cond::Text(text) => (*text).to_owned(),
            Cond::IsNull(field) => format!("{} is null", FIELDS[*field]),
            Cond::Is(negated, truth, inner) => {
                format!("({}) is {}{truth}", inner.text(), if *negated { "not " } else { "" })
            }
            Cond::Not(inner) => format!("not ({})", inner.text()),
            Cond::Both(a, b) => format!("({}) and ({})", a.text(), b.text()),
            Cond::Either(a, b) => format!("({}) or ({})", a.text(), b.text()),
            Cond::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                let mut text = format!("if {} then ", condition.text());
                let _ = write!(text, "({}) else ({})", then.text(), otherwise.text());
                text
            }
        }
    }

    /// Three-valued: `None` is null.
    fn truth(&self, numbers: &Numbers, text: Option<&str>) -> Option<bool> {
        let truth = |cond: &Cond| cond.truth(numbers, text);
        match self {
            Cond::Compare(field, op, with) => {
                let (a, b) = (numbers[*field]?, with.value(numbers)?);
                Some(match *op {
                    "==" => a == b,
                    "!=" => a != b,
                    "<" => a < b,
                    "<=" => a <= b,
                    ">" => a > b,
                    _ => a >= b,
                })
            }
            Cond::In(field, negated, items) => Some(items.contains(&numbers[*field]?) != *negated),
            // `x == a or x == b or ..`
            Cond::InOperands(field, negated, items) => {
                let equal = items.iter().map(|item| Some(item.value(numbers)? == numbers[*field]?));
                equal.reduce(or).unwrap().map(|is_in| is_in != *negated)
            }
            Cond::Between(field, low, high) => Some((*low..=*high).contains(&numbers[*field]?)),
            Cond::Text(_) => Some(text? == "a"),
            Cond::IsNull(field) => Some(numbers[*field].is_none()),
            Cond::Is(negated, asked, inner) => Some((truth(inner) == Some(*asked)) != *negated),
            Cond::Not(inner) => truth(inner).map(|inner| !inner),
            Cond::Both(a, b) => and(truth(a), truth(b)),
            Cond::Either(a, b) => or(truth(a), truth(b)),
            Cond::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                truth(if truth(condition) == Some(true) { then } else { otherwise })
            }
        }
    }
}

fn operand() -> impl Strategy<Value = Operand> {
    prop_oneof![(0..4usize).prop_map(Operand::Field), (0..4i64).prop_map(Operand::Number)]
}

fn cond() -> impl Strategy<Value = Cond> {
    let list = proptest::collection::vec(0..4i64, 1..3);
    let operands = proptest::collection::vec(operand(), 1..3);
    let leaf = prop_oneof![
        4 => (0..4usize, proptest::sample::select(&RELATIONS[..]), operand())
            .prop_map(|(field, op, with)| Cond::Compare(field, op, with)),
        1 => (0..4usize, any::<bool>(), list).prop_map(|(f, not, items)| Cond::In(f, not, items)),
        1 => (0..4usize, any::<bool>(), operands)
            .prop_map(|(field, not, items)| Cond::InOperands(field, not, items)),
        1 => (0..4usize, 0..2i64, 2..4i64).prop_map(|(f, low, high)| Cond::Between(f, low, high)),
        1 => proptest::sample::select(&TEXTS[..]).prop_map(Cond::Text),
        1 => (0..4usize).prop_map(Cond::IsNull),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            inner.clone().prop_map(|x| Cond::Not(Box::new(x))),
            (any::<bool>(), any::<bool>(), inner.clone()).prop_map(|(not, truth, x)| Cond::Is(
                not,
                truth,
                Box::new(x)
            )),
            two.clone().prop_map(|(a, b)| Cond::Both(Box::new(a), Box::new(b))),
            two.prop_map(|(a, b)| Cond::Either(Box::new(a), Box::new(b))),
            [inner.clone(), inner.clone(), inner].prop_map(|parts| Cond::If(Box::new(parts))),
        ]
    })
}

/// An event without the fields that are null.
fn fields(
    k: i64,
    numbers: [Option<i64>; 2],
    text: Option<&'static str>,
) -> Vec<(&'static str, Value)> {
    let mut fields = vec![("k", Value::Int(k))];
    let known = ["n", "m"].into_iter().zip(numbers);
    fields.extend(known.filter_map(|(name, value)| Some((name, Value::Int(value?)))));
    fields.extend(text.map(|text| ("s", Value::from(text))));
    fields
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A condition holds exactly where three-valued logic says that it is true, its negation where
    /// that says that it is false: as the first step, behind another one, and as what must not
    /// come.
    #[test]
    fn conditions_hold_where_three_valued_logic_is_true(
        cond in cond(),
        cases in proptest::collection::vec(
            (
                [proptest::option::of(0..4i64), proptest::option::of(0..4i64)],
                [proptest::option::of(0..4i64), proptest::option::of(0..4i64)],
                proptest::option::of(proptest::sample::select(&["a", "b"][..])),
            ),
            1..12,
        ),
    ) {
        let text = cond.text();
        let rules = format!(
            "rule yes {{ key k  match b as p -> a[{text}] }}
             rule no {{ key k  match b as p -> a[not ({text})] }}
             rule unknown {{ key k  match b as p -> a[({text}) is null] }}
             rule next {{ key k  match b as p -> next a[{text}] }}
             rule absent {{ key k  match b as p -> next not a[{text}] within 1d }}
             rule first {{ key k  match a[{}] }}",
            text.replace("p.", ""),
        );
        let mut events = Vec::new();
        let mut expected = [0; 6];
        for (k, (own, captured, text)) in (0..).zip(cases) {
            events.push(("b", fields(k, captured, text)));
            events.push(("a", fields(k, own, text)));
            let numbers = [own[0], own[1], captured[0], captured[1]];
            let truth = cond.truth(&numbers, text);
            expected[0] += usize::from(truth == Some(true));
            expected[1] += usize::from(truth == Some(false));
            expected[2] += usize::from(truth.is_none());
            expected[3] += usize::from(truth == Some(true));
            expected[4] += usize::from(truth != Some(true));
            let alone = [own[0], own[1], own[0], own[1]];
            expected[5] += usize::from(cond.truth(&alone, text) == Some(true));
        }
        // What can never hold is refused, and what can is not.
        let is_refused = RuleSet::parse(&format!("{EVENTS}{rules}")).is_err();
        if !is_refused {
            prop_assert_eq!(matches(&rules, &events), expected, "{}", text);
        }
    }
}
