//! Every line of output is what a simple renderer on top of `serde_json` makes of the same result:
//! for random events, and for rules and event types with names that have to be escaped.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use kleene::schema::Schema;
use kleene::stream::{Engine, Overflow};
use kleene::value::{Items, Value, ValueRef};
use kleene::{Event as _, Match, Record, RuleSet, Sink, Timeout, Timestamp};
use kleene_report::output::{EventForm, LineForm, Shapes, write_value};
use kleene_syntax::hir::Report;
use proptest::prelude::*;

const RULES: &str = r#"
    event a {
      id: string, n: int?, x: float?, at: time?, d: duration?, ip: ip?, ok: bool?,
      labels: list<string>?, who: { name: string?, home: { zip: int? } }, ts: time = event time, ..
    }
    event `b "q" \` { type: string, id: string, x: float?, who: { age: int? }, ts: time }
    event c { id: string, n: int? }

    rule `odd "name" \` {
      key id, n
      match a as `first "x"` -> c as `t \u{9}` within 1h
      emit { id, `q"`: `first "x"`.x, all: [`first "x"`.n, 1.5, null], took: match.end - `first "x"`.ts }
      on timeout emit { waits: match.awaits, end: match.end, d: `first "x"`.d, ip: `first "x"`.ip }
    }
    rule scattered { match (a as x -> `b "q" \` as y){2}  within 1h  skip none }
    rule again { match (a as x or c as y) -> a as z  within 5m  skip none  on timeout emit { n: x.n } }
    rule counted { key id  match a{1..3 any each} as x  within 1h  skip none  report count }
    rule bound { key id  match a as x -> c as y  limit 1 partials drop oldest  emit {} }
"#;

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn object(members: impl Iterator<Item = (String, String)>) -> String {
    let members: Vec<_> = members.map(|(name, value)| format!("{}:{value}", json(&name))).collect();
    format!("{{{}}}", members.join(","))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn value(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::from("null"),
        ValueRef::Bool(b) => b.to_string(),
        ValueRef::Int(i) => i.to_string(),
        ValueRef::Float(x) => serde_json::to_string(&x).unwrap(),
        ValueRef::String(text) => json(text),
        ValueRef::Time(_) | ValueRef::Duration(_) | ValueRef::Ip(_) => format!("\"{value}\""),
        ValueRef::List(items) => list(items.iter().map(|item| self::value(item.as_ref()))),
        ValueRef::Items(items) => list((0..items.len()).map(|i| self::value(items.get(i)))),
        ValueRef::Record(fields) => object(named(fields)),
    }
}

fn named(fields: &[(Arc<str>, Value)]) -> impl Iterator<Item = (String, String)> {
    fields.iter().map(|(name, value)| (name.to_string(), self::value(value.as_ref())))
}

/// An object of fields with dotted names, as a list, because the order counts.
#[derive(Default)]
struct Tree(Vec<(String, Node)>);

enum Node {
    Leaf(String),
    Inner(Tree),
}

impl Tree {
    fn insert(&mut self, path: &str, leaf: String) {
        let Some((first, rest)) = path.split_once('.') else {
            self.0.push((path.to_owned(), Node::Leaf(leaf)));
            return;
        };
        if !self.0.iter().any(|(name, node)| name == first && matches!(node, Node::Inner(_))) {
            self.0.push((first.to_owned(), Node::Inner(Tree::default())));
        }
        for (name, node) in &mut self.0 {
            if let Node::Inner(tree) = node
                && name == first
            {
                return tree.insert(rest, leaf);
            }
        }
    }

    /// Adds undeclared fields. A declared object hides what is no object.
    fn merge(&mut self, fields: &[(Arc<str>, Value)]) {
        for (name, value) in fields {
            let declared = self.0.iter_mut().find_map(|(of, node)| match node {
                Node::Inner(tree) if **of == **name => Some(tree),
                _ => None,
            });
            match (declared, value) {
                (Some(tree), Value::Record(fields)) => tree.merge(fields),
                (Some(_), _) => {}
                (None, value) => {
                    self.0.push((name.to_string(), Node::Leaf(self::value(value.as_ref()))));
                }
            }
        }
    }

    /// Removes the last part of a path, but not the objects that it is in.
    fn remove(&mut self, path: &str) {
        match path.split_once('.') {
            None => self.0.retain(|(name, node)| name != path || matches!(node, Node::Inner(_))),
            Some((first, rest)) => {
                for (name, node) in &mut self.0 {
                    if let Node::Inner(tree) = node
                        && name == first
                    {
                        tree.remove(rest);
                    }
                }
            }
        }
    }

    /// Returns the object; objects in it that are empty are left out.
    fn text(&self) -> String {
        let members = self.0.iter().filter_map(|(name, node)| {
            let text = match node {
                Node::Leaf(text) => Some(text.clone()),
                Node::Inner(tree) => Some(tree.text()).filter(|text| text != "{}"),
            };
            Some((name.clone(), text?))
        });
        object(members)
    }
}

fn event(schema: &Schema, event: &Record, form: EventForm) -> String {
    let ty = schema.ty(event.type_id());
    let mut tree = Tree::default();
    if form == EventForm::Ids || ty.field_id("type").is_none() {
        tree.insert("type", json(&ty.name));
    }
    let time = ty.time.map_or("ts", |id| &*ty.field(id).name);
    tree.insert(time, value(ValueRef::Time(event.time())));
    if form == EventForm::Ids {
        return tree.text();
    }
    for (field, value) in ty.fields.iter().zip(event.values()) {
        if *field.name != *time {
            tree.insert(&field.name, self::value(value.as_ref()));
            if value.is_null() {
                tree.remove(&field.name);
            }
        }
    }
    tree.merge(event.extra());
    tree.text()
}

fn result(
    schema: &Schema,
    found: &Match<'_, Record>,
    timeout: Option<&Timeout<'_, Record>>,
    form: EventForm,
) -> String {
    let kind = if timeout.is_some() { "timeout" } else { "match" };
    let mut parts = vec![format!(
        "{{\"rule\":{},\"version\":\"{:016x}\",\"kind\":\"{kind}\",\"id\":\"{}\",\"key\":{}",
        json(&found.rule().name),
        found.rule().version,
        found.id(),
        object(found.key_values().map(|(name, key)| (name.to_string(), value(key.as_ref())))),
    )];
    let (start, end) = (found.first_event_at(), found.reported_at());
    parts.push(format!(",\"start\":\"{start}\",\"end\":\"{end}\""));
    let count = found.set().count();
    if found.rule().pattern.report != Report::All && count > 0 {
        parts.push(format!(",\"count\":{count}"));
    }
    if let Some(timeout) = timeout {
        let reached = timeout.reached().map_or(String::from("null"), |name| json(name));
        let awaits = list(timeout.awaits().map(|name| json(name)));
        parts.push(format!(",\"reached\":{reached},\"awaits\":{awaits}"));
    }
    if form != EventForm::None {
        let mut steps: Vec<(String, Vec<String>)> = Vec::new();
        for (name, captured) in found.captures() {
            let captured = event(schema, captured, form);
            match steps.iter_mut().find(|(of, _)| **of == **name) {
                Some((_, events)) => events.push(captured),
                None => steps.push((name.to_string(), vec![captured])),
            }
        }
        let steps = steps.into_iter().map(|(name, events)| (name, list(events.into_iter())));
        parts.push(format!(",\"events\":{}", object(steps)));
    }
    let emit = found.emit().map(|(name, emitted)| (name.to_string(), value(emitted.as_ref())));
    parts.push(format!(",\"emit\":{}}}\n", object(emit)));
    parts.concat()
}

/// Writes each result in both ways.
struct Both {
    schema: Arc<Schema>,
    shapes: Vec<(Shapes, EventForm)>,
    lines: usize,
}

impl Both {
    fn compare(
        &mut self,
        write: impl Fn(&Shapes, &mut Vec<u8>),
        expected: impl Fn(EventForm) -> String,
    ) {
        for (shapes, form) in &self.shapes {
            // There is something in the buffer already.
            let mut line = b"before".to_vec();
            write(shapes, &mut line);
            assert_eq!(String::from_utf8(line).unwrap(), format!("before{}", expected(*form)));
            self.lines += 1;
        }
    }
}

impl Sink<Record> for Both {
    fn matched(&mut self, found: Match<'_, Record>) {
        let schema = self.schema.clone();
        let expected = |form| result(&schema, &found, None, form);
        self.compare(|shapes, line| shapes.matched(line, &found), expected);
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
        let schema = self.schema.clone();
        let expected = |form| result(&schema, timeout.as_match(), Some(&timeout), form);
        self.compare(|shapes, line| shapes.timed_out(line, &timeout), expected);
    }

    fn overflowed(&mut self, overflow: Overflow) {
        let expected = |_| {
            let Some(of) = &overflow.key else { return String::new() };
            format!(
                "{{\"rule\":{},\"version\":\"{:016x}\",\"kind\":\"limit\",\"key\":{},\"end\":\"{}\",\
                 \"limit\":{},\"dropped\":{}}}\n",
                json(&of.rule),
                of.version,
                object(named(&of.parts)),
                overflow.time,
                json(overflow.limit.as_str()),
                overflow.dropped,
            )
        };
        self.compare(|shapes, line| shapes.limited(line, &overflow), expected);
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::from("k")),
        "[a-z]{0,20}",
        "[ -~]{0,12}",
        "\\PC{0,12}",
        prop::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter),
    ]
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        any::<u64>().prop_map(f64::from_bits),
        (-100_000..100_000_i32).prop_map(|hundredths| f64::from(hundredths) / 100.0),
    ]
}

fn int() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -200..200_i64, Just(i64::MIN), Just(i64::MAX)]
}

/// A value of any type; objects and lists nest.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        int().prop_map(Value::Int),
        float().prop_map(Value::Float),
        text().prop_map(Value::from),
        int().prop_map(|millis| Value::Time(Timestamp::from_millis(millis))),
        int().prop_map(Value::Duration),
        any::<std::net::IpAddr>().prop_map(Value::Ip),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let fields = prop::collection::vec((text(), inner.clone()), 0..4).prop_map(|fields| {
            Value::Record(fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
        });
        let items = prop::collection::vec(inner, 0..4);
        prop_oneof![items.prop_map(|items| Value::List(items.into())), fields]
    })
}

/// The values of an event: its type, the milliseconds since the one before, and more than enough
/// for all its fields.
type Draft = (u8, i64, Vec<(bool, Value)>, Vec<(String, Value)>);

fn draft() -> impl Strategy<Value = Draft> {
    let values = (
        prop_oneof![Just("k"), Just("l")].prop_map(Value::from),
        int().prop_map(Value::Int),
        float().prop_map(Value::Float),
        int().prop_map(|millis| Value::Time(Timestamp::from_millis(millis))),
        int().prop_map(Value::Duration),
        any::<std::net::IpAddr>().prop_map(Value::Ip),
        any::<bool>().prop_map(Value::Bool),
        prop::collection::vec(text().prop_map(Value::from), 0..3)
            .prop_map(|items| Value::List(items.into())),
        text().prop_map(Value::from),
        (0..3_i64).prop_map(Value::Int),
    );
    let values =
        values.prop_map(|(a, b, c, d, e, f, g, h, i, j)| vec![a, b, c, d, e, f, g, h, i, j]);
    let values = (values, prop::collection::vec(any::<bool>(), 10))
        .prop_map(|(values, are_there)| are_there.into_iter().zip(values).collect());
    let name = prop_oneof![text(), Just(String::from("who")), Just(String::from("note"))];
    let extra = prop::collection::vec((name, any_value()), 0..3);
    (0..3_u8, 0..400_000_i64, values, extra)
}

/// Makes the record of a draft: by the types of its fields.
fn record(schema: &Schema, time: Timestamp, draft: &Draft) -> Record {
    let (ty, _, drafted, extra) = draft;
    let name = ["a", "b \"q\" \\", "c"][usize::from(*ty)];
    let id = schema.type_id(name).unwrap();
    let values = schema.ty(id).fields.iter().map(|field| {
        let index = match &*field.name {
            "ts" => return Value::Time(time),
            "type" | "who.name" => 8,
            "id" => return drafted[0].1.clone(),
            "n" => 9,
            "x" => 2,
            "at" => 3,
            "d" => 4,
            "ip" => 5,
            "ok" => 6,
            "labels" => 7,
            _ => 1,
        };
        let (is_there, value) = &drafted[index];
        if *is_there || *field.name == *"type" { value.clone() } else { Value::Null }
    });
    let values: Vec<Value> = values.collect();
    if *ty > 0 {
        return Record::new(id, time, values);
    }
    // A name comes once in an event.
    let mut seen: Vec<(Arc<str>, Value)> = Vec::new();
    for (name, value) in extra {
        let is_declared = schema.ty(id).fields.iter().any(|field| *field.name == **name);
        if !is_declared && name != "type" && !seen.iter().any(|(of, _)| **of == **name) {
            seen.push((name.as_str().into(), value.clone()));
        }
    }
    Record::with_extra(id, time, values, seen)
}

/// Runs the rules over events, and returns the number of lines that were compared.
fn compare(start: i64, drafts: &[Draft]) -> usize {
    let rules = RuleSet::parse(RULES).unwrap();
    let mut engine: Engine<Record> = Engine::builder().rules(&rules).in_order().build().unwrap();
    let schema = engine.schema().clone();
    let shapes = || Shapes::new(&schema, "ts".into(), LineForm::Json);
    let mut shapes = vec![(shapes(), EventForm::Full)];
    for form in [EventForm::None, EventForm::Ids, EventForm::Full] {
        let with_rules = shapes[0].0.clone().with_rules(engine.rules()).with_events(form);
        shapes.push((with_rules, form));
    }
    let mut both = Both { schema: schema.clone(), shapes, lines: 0 };
    let mut time = Timestamp::from_millis(start);
    for draft in drafts {
        time = time.plus_millis(draft.1);
        engine.push(&record(&schema, time, draft), &mut both).unwrap();
    }
    engine.end_time(&mut both).unwrap();
    both.lines
}

proptest! {
    #[test]
    fn lines_are_what_a_simple_renderer_makes(
        start in prop_oneof![
            Just(0),
            -70_000_000_000_000..300_000_000_000_000_i64,
            Just(i64::MIN + 1_000_000_000),
            Just(i64::MAX - 1_000_000_000),
        ],
        drafts in prop::collection::vec(draft(), 1..12),
    ) {
        compare(start, &drafts);
    }

    #[test]
    fn values_are_what_serde_json_makes(value in any_value()) {
        let mut line = Vec::new();
        write_value(&mut line, value.as_ref());
        prop_assert_eq!(String::from_utf8(line).unwrap(), self::value(value.as_ref()));
    }
}

#[test]
fn lists_that_an_event_holds_in_a_form_of_its_own_are_lists() {
    struct Numbers;

    impl Items for Numbers {
        fn len(&self) -> usize {
            3
        }

        fn get(&self, index: usize) -> ValueRef<'_> {
            ValueRef::Int(i64::try_from(index).unwrap())
        }
    }

    let mut line = Vec::new();
    write_value(&mut line, ValueRef::Items(&Numbers));
    assert_eq!(line, b"[0,1,2]");
}

#[test]
fn the_random_events_lead_to_results_of_every_kind() {
    let fields = |n: i64| {
        let values = ["k", "", "", "", "", "", "", "", "t", ""].map(Value::from).to_vec();
        let mut values: Vec<(bool, Value)> = values.into_iter().map(|v| (false, v)).collect();
        values[9] = (true, Value::Int(n));
        values
    };
    let types = [0, 1, 0, 1, 0, 2, 2, 0, 0, 0];
    let drafts: Vec<Draft> = types.map(|ty| (ty, 1000, fields(1), Vec::new())).to_vec();
    assert!(compare(0, &drafts) > 60, "{}", compare(0, &drafts));
}
