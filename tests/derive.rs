//! Rust types with `#[derive(Event)]` and `#[derive(Fields)]`.
#![cfg(feature = "derive")]

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kleene::event::{AsVariant, FieldValue};
use kleene::schema::{FieldId, FieldType};
use kleene::{Event, Fields, Timestamp, ValueRef};

/// The types of an event as a rule file would declare them, `@` marking the event time.
fn declared<E: Event>() -> Vec<String> {
    let schema = E::schema().expect("a derived event has a schema");
    schema
        .types()
        .map(|(_, ty)| {
            let fields = ty.fields.iter().enumerate().map(|(i, field)| {
                let optional = if field.optional { "?" } else { "" };
                let time = if ty.time == Some(FieldId::new(i)) { "@" } else { "" };
                format!("{time}{}: {}{optional}", field.name, field.ty)
            });
            format!("{} {{ {} }}", ty.name, fields.collect::<Vec<_>>().join(", "))
        })
        .collect()
}

/// An event's type, time and every value.
fn reported(event: &impl Event) -> String {
    fn schema_of<E: Event>(_: &E) -> kleene::schema::Schema {
        E::schema().expect("a derived event has a schema")
    }
    let schema = schema_of(event);
    let ty = schema.ty(event.type_id());
    // One more than there are: it reads as null.
    let values = (0..=ty.fields.len()).map(|i| event.field(FieldId::new(i)).to_string());
    let values: Vec<_> = values.collect();
    format!("{} at {}: {}", ty.name, event.time().as_millis(), values.join(" "))
}

#[derive(Clone, Event)]
struct AllTypes<'a> {
    at: Timestamp,
    yes: bool,
    byte: u8,
    int: i64,
    wide: u32,
    ratio: f32,
    exact: f64,
    owned: String,
    lent: &'a str,
    perhaps_lent: Cow<'a, str>,
    shared: Arc<str>,
    boxed: Option<Box<str>>,
    took: Duration,
    from: IpAddr,
    to: Option<Ipv4Addr>,
    seen: Option<SystemTime>,
    #[event(unit = "s")]
    expires: Option<u32>,
    #[event(saturate)]
    id: u64,
    #[event(rename = "type")]
    kind: i8,
    r#match: bool,
    own: Celsius,
    #[event(skip)]
    unseen: Vec<u8>,
}

#[derive(Clone)]
struct Celsius(f64);

impl FieldValue for Celsius {
    fn field_type() -> FieldType {
        FieldType::Float
    }

    fn value(&self) -> ValueRef<'_> {
        ValueRef::Float(self.0)
    }
}

#[test]
fn every_type_of_field_is_declared_and_lent() {
    assert_eq!(
        declared::<AllTypes<'_>>(),
        ["all_types { @at: time, yes: bool, byte: int, int: int, wide: int, ratio: float, \
          exact: float, owned: string, lent: string, perhaps_lent: string, shared: string, \
          boxed: string?, took: duration, from: ip, to: ip?, seen: time?, expires: time?, id: int, \
          type: int, match: bool, own: float }"]
    );
    let lent = String::from("lent");
    let event = AllTypes {
        at: Timestamp::from_millis(7),
        yes: true,
        byte: 255,
        int: -1,
        wide: u32::MAX,
        ratio: 0.5,
        exact: 2.5,
        owned: "owned".into(),
        lent: &lent,
        perhaps_lent: Cow::Borrowed(&lent),
        shared: "shared".into(),
        boxed: None,
        took: Duration::from_secs(90),
        from: IpAddr::V4(Ipv4Addr::LOCALHOST),
        to: Some(Ipv4Addr::BROADCAST),
        seen: Some(SystemTime::UNIX_EPOCH),
        expires: Some(60),
        id: u64::MAX,
        kind: -8,
        r#match: false,
        own: Celsius(36.6),
        unseen: vec![1],
    };
    assert_eq!(event.unseen.len(), 1);
    assert_eq!(
        reported(&event),
        "all_types at 7: 1970-01-01T00:00:00.007Z true 255 -1 4294967295 0.5 2.5 \"owned\" \
         \"lent\" \"lent\" \"shared\" null 1m30s 127.0.0.1 255.255.255.255 1970-01-01T00:00:00Z \
         1970-01-01T00:01:00Z 9223372036854775807 -8 false 36.6 null"
    );
    let ValueRef::String(value) = event.field(FieldId::new(8)) else { panic!("a string") };
    assert_eq!(value.as_ptr(), lent.as_ptr(), "the text is lent, not copied");
}

#[derive(Clone, Fields)]
struct Place {
    lat: f64,
    lon: f64,
}

#[derive(Clone, Fields)]
struct Address<'a> {
    city: &'a str,
    #[event(nested)]
    place: Option<Place>,
    zip: Option<&'a str>,
}

#[derive(Clone, Event)]
#[event(rename = "parcel")]
struct ParcelScanned<'a> {
    id: &'a str,
    #[event(nested)]
    from: Address<'a>,
    #[event(nested)]
    to: Option<Address<'a>>,
    ok: bool,
    #[event(time, unit = "us")]
    at: i64,
}

#[test]
fn nested_structs_are_flattened_and_a_missing_one_is_null() {
    assert_eq!(
        declared::<ParcelScanned<'_>>(),
        [
            "parcel { id: string, from.city: string, from.place.lat: float?, from.place.lon: float?, \
          from.zip: string?, to.city: string?, to.place.lat: float?, to.place.lon: float?, \
          to.zip: string?, ok: bool, @at: time }"
        ]
    );
    let place = Place { lat: 1.0, lon: 2.0 };
    let from = Address { city: "Oslo", place: Some(place), zip: None };
    let to = Address { city: "Rome", place: None, zip: Some("00042") };
    let parcel = ParcelScanned { id: "p", from, to: Some(to), ok: true, at: 5_999 };
    assert_eq!(
        reported(&parcel),
        "parcel at 5: \"p\" \"Oslo\" 1.0 2.0 null \"Rome\" null null \"00042\" true \
         1970-01-01T00:00:00.005Z null"
    );
    assert_eq!(
        reported(&ParcelScanned { to: None, ..parcel }),
        "parcel at 5: \"p\" \"Oslo\" 1.0 2.0 null null null null null true \
         1970-01-01T00:00:00.005Z null"
    );
}

#[derive(Clone, Debug, Event, PartialEq)]
struct OrderCreated {
    order: String,
    at: Timestamp,
}

#[derive(Clone, Debug, Event, PartialEq)]
struct OrderPaid<'a> {
    #[event(skip, time, unit = "s")]
    at: u64,
    order: &'a str,
    amount: f64,
}

#[derive(Clone, Event)]
enum ShopEvent<'a> {
    OrderCreated(OrderCreated),
    #[event(rename = "paid")]
    OrderPaid(Box<OrderPaid<'a>>),
    Restocked {
        field: &'a str,
        index: u32,
        at: SystemTime,
        #[event(skip)]
        _unseen: Vec<u8>,
    },
}

#[test]
fn an_enum_has_a_type_for_each_variant() {
    assert_eq!(
        declared::<ShopEvent<'_>>(),
        [
            "order_created { order: string, @at: time }",
            "paid { order: string, amount: float }",
            "restocked { field: string, index: int, @at: time }",
        ]
    );
    let created = OrderCreated { order: "1".into(), at: Timestamp::from_millis(1) };
    let paid = OrderPaid { at: 2, order: "1", amount: 9.5 };
    let restocked = ShopEvent::Restocked {
        field: "shoes",
        index: 3,
        at: SystemTime::UNIX_EPOCH,
        _unseen: vec![],
    };
    let events = [
        ShopEvent::OrderCreated(created.clone()),
        ShopEvent::OrderPaid(Box::new(paid.clone())),
        restocked,
    ];
    assert_eq!(
        events.each_ref().map(reported),
        [
            "order_created at 1: \"1\" 1970-01-01T00:00:00.001Z null",
            "paid at 2000: \"1\" 9.5 null",
            "restocked at 0: \"shoes\" 3 1970-01-01T00:00:00Z null",
        ]
    );
    let as_created = events.each_ref().map(AsVariant::<OrderCreated>::as_variant);
    assert_eq!(as_created, [Some(&created), None, None]);
    let as_paid = events.each_ref().map(AsVariant::<OrderPaid<'_>>::as_variant);
    assert_eq!(as_paid, [None, Some(&paid), None]);
    assert_eq!(<ShopEvent<'_> as AsVariant<OrderPaid<'_>>>::variant_type().index(), 1);
    assert_eq!(created.as_variant(), Some(&created), "a struct is its own variant");
}

#[test]
fn a_pointer_to_an_event_is_that_event() {
    let created = OrderCreated { order: "1".into(), at: Timestamp::from_millis(1) };
    let event = Arc::new(ShopEvent::OrderCreated(created.clone()));
    assert_eq!(declared::<Arc<ShopEvent<'_>>>(), declared::<ShopEvent<'_>>());
    assert_eq!(reported(&event), reported(&*event));
    assert_eq!(AsVariant::<OrderCreated>::as_variant(&event), Some(&created));
}

#[derive(Clone, Event)]
struct Reading<'a, T, const N: usize>
where
    T: Send,
{
    value: T,
    other: Option<&'a T>,
    at: Timestamp,
    #[event(skip)]
    _raw: [u8; N],
}

#[test]
fn generic_structs_are_events_where_their_fields_allow_it() {
    let at = Timestamp::from_millis(3);
    let reading = Reading { value: 1.5, other: None, at, _raw: [0; 2] };
    assert_eq!(reported(&reading), "reading at 3: 1.5 null 1970-01-01T00:00:00.003Z null");
    assert_eq!(
        declared::<Reading<'_, String, 0>>(),
        ["reading { value: string, other: string?, @at: time }"]
    );
}

#[derive(Clone, Fields)]
#[event(rename_all = "UPPERCASE")]
struct Parts {
    zip_code: i64,
}

#[derive(Clone, Event)]
#[event(rename_all = "camelCase")]
struct LineAdded {
    order_id: i64,
    r#type: i64,
    #[event(rename = "as_it_is")]
    renamed: i64,
    #[event(nested)]
    ship_to: Parts,
    added_at: Timestamp,
}

#[derive(Clone, Event)]
#[event(rename_all = "SCREAMING-KEBAB-CASE")]
#[expect(dead_code, reason = "only its declarations are of interest")]
enum Spelled {
    LineWasAdded(LineAdded),
    #[event(rename = "as_it_is")]
    Renamed(OrderCreated),
    #[event(rename_all = "PascalCase")]
    OrderClosed {
        order_id: i64,
        at: Timestamp,
    },
}

#[test]
fn rename_all_spells_the_names_of_fields_and_variants() {
    let line = "{ orderId: int, type: int, as_it_is: int, shipTo.ZIP_CODE: int, @addedAt: time }";
    assert_eq!(declared::<LineAdded>(), [format!("line_added {line}")]);
    assert_eq!(
        declared::<Spelled>(),
        [
            &format!("LINE-WAS-ADDED {line}"),
            "as_it_is { order: string, @at: time }",
            "ORDER-CLOSED { OrderId: int, @At: time }",
        ]
    );
    let at = Timestamp::from_millis(5);
    let line = LineAdded {
        order_id: 7,
        r#type: 1,
        renamed: 2,
        ship_to: Parts { zip_code: 3 },
        added_at: at,
    };
    assert_eq!(
        reported(&Spelled::LineWasAdded(line)),
        "LINE-WAS-ADDED at 5: 7 1 2 3 1970-01-01T00:00:00.005Z null"
    );
}

mod elsewhere {
    pub(crate) use ::kleene as engine;
}

#[derive(Clone, Event)]
#[event(crate = "crate::derive::elsewhere::engine")]
struct Renamed {
    at: Timestamp,
}

#[test]
fn the_crate_may_be_elsewhere() {
    let at = Timestamp::from_millis(0);
    assert_eq!(reported(&Renamed { at }), "renamed at 0: 1970-01-01T00:00:00Z null");
}

mod declared_by_rust {
    use kleene::diagnostic::Source;
    use kleene::ruleset::RulesError;
    use kleene::stream::{Ignore, Verdict};
    use kleene::{Engine, RuleSet};

    use super::*;

    #[derive(Clone, Event)]
    #[expect(dead_code, reason = "only its declarations are of interest")]
    enum Shop {
        Created { order: u32, note: Option<String>, at: Timestamp },
        Paid { order: u32, amount: f64, at: Timestamp },
    }

    #[derive(Clone, Event)]
    struct Created {
        order: u32,
        at: Timestamp,
    }

    fn rules(texts: &[&str]) -> Result<RuleSet, RulesError> {
        let mut builder = RuleSet::builder().events::<Shop>();
        for (number, text) in texts.iter().enumerate() {
            builder = builder.source(Source::new(format!("{number}.cep"), *text));
        }
        builder.build()
    }

    const UNPAID: &str =
        "rule unpaid { key order  match created -> not paid for 1h  emit { order } }";

    #[test]
    fn rule_text_needs_no_declarations_of_rust_types() {
        let rules = rules(&[UNPAID]).unwrap();
        assert_eq!(rules.schema().len(), 2);
        let mut engine = Engine::<Shop>::builder().rules(&rules).build().unwrap();
        let created = |order, minute: i64| Shop::Created {
            order,
            note: None,
            at: Timestamp::from_millis(minute * 60_000),
        };
        engine.push(&created(1, 0), &mut Ignore).unwrap();
        engine.push(&created(2, 61), &mut Ignore).unwrap();
        assert_eq!(engine.stats().matches, 1);
        // Tests in rule text know the types, too.
        let test =
            "test unpaid { at 0s created { order: 1 }  advance to 1h  expect match { order: 1 } }";
        let tested = self::rules(&[UNPAID, test]).unwrap();
        assert!(kleene_explain::testing::run(&tested, &tested.tests()[0]).unwrap().is_empty());
    }

    #[test]
    fn mistakes_are_found_as_with_declarations_in_text() {
        for (text, expected) in [
            ("rule r { match payed }", "declared: `created` and `paid`"),
            ("rule r { match paid[amout > 1] }", "help: did you mean `amount`?"),
            ("rule r { match paid[amount > \"1\"] }", "error[E03"),
        ] {
            let error = rules(&[text]).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn text_may_repeat_a_declaration_and_not_change_it() {
        let same = "event paid { at: time, amount: float, order: int }";
        // The order of fields does not matter, nor does a second file that says it again.
        assert_eq!(rules(&[UNPAID, same, same]).unwrap().schema().len(), 2);
        let more = "event sent { order: int, at: time } rule s { match sent }";
        assert_eq!(rules(&[more]).unwrap().schema().len(), 3, "text may declare more types");
        for (declared, difference) in [
            ("order: int, at: time", "it also has a field `amount`"),
            ("order: string, amount: float, at: time", "its `order` is int"),
            ("order: int?, amount: float, at: time", "its `order` is int"),
            ("order: int, amount: float, tip: int, at: time", "it has no field `tip`"),
            ("order: int, amount: float, at: time, ..", "it has no `..`"),
        ] {
            for texts in [vec![], vec![same]] {
                let text = format!("event paid {{ {declared} }}");
                let texts: Vec<&str> = texts.into_iter().chain([&*text]).collect();
                let error = rules(&texts).unwrap_err().to_string();
                let message = "the Rust type declares the event type `paid` differently";
                assert!(error.contains(message), "{declared}: {error}");
                assert!(error.contains(difference), "{declared}: {error}");
            }
        }
    }

    #[test]
    fn two_rust_types_cannot_have_one_event_type() {
        let builder = RuleSet::builder().events::<Shop>().events::<Created>();
        let error = builder.source(Source::new("a.cep", UNPAID)).build().unwrap_err().to_string();
        assert!(error.contains("two Rust types have the same event type `created`"), "{error}");
        assert!(error.contains("--> <events>:1:1"), "{error}");
    }

    #[test]
    fn rules_can_be_replaced_that_a_rust_type_declares() {
        let mut engine =
            Engine::<Shop>::builder().rules(&rules(&[UNPAID]).unwrap()).build().unwrap();
        let at = Timestamp::from_millis(0);
        engine.push(&Shop::Created { order: 1, note: None, at }, &mut Ignore).unwrap();
        let edited = UNPAID.replace("1h", "2h");
        let replacement = engine.replace_rules(&rules(&[&edited]).unwrap()).unwrap();
        let unpaid = replacement.rule("unpaid").unwrap();
        assert_eq!((&unpaid.verdict, unpaid.kept), (&Verdict::Kept, 1));
    }
}

#[expect(clippy::disallowed_types, reason = "events have what their programs use")]
mod lists_maps_and_big_numbers {
    use std::collections::{BTreeMap, HashMap};

    use kleene::diagnostic::Source;
    use kleene::stream::Output;
    use kleene::{Engine, RuleSet, Value};

    use super::*;

    #[derive(Clone, Debug, Default, Fields, PartialEq)]
    struct Host {
        name: String,
        tags: HashMap<String, i64>,
        size: Option<u64>,
    }

    #[derive(Clone, Debug, Event, PartialEq)]
    enum Ops {
        Deploy {
            service: String,
            session: u64,
            stages: Vec<u32>,
            flags: Vec<String>,
            weights: Option<Vec<f64>>,
            labels: BTreeMap<String, String>,
            #[event(nested)]
            host: Option<Host>,
            at: Timestamp,
        },
        Seen(Seen),
    }

    #[derive(Clone, Debug, Event, PartialEq)]
    struct Seen {
        service: String,
        counts: Vec<u64>,
        sizes: HashMap<Arc<str>, u64>,
        at: Timestamp,
    }

    fn deploy(second: i64) -> Ops {
        Ops::Deploy {
            service: "api".into(),
            session: 7,
            stages: vec![5, 50, 100],
            flags: vec!["beta".into(), "eu".into()],
            weights: None,
            labels: [("env".into(), "prod".into()), ("app.team".into(), "core".into())].into(),
            host: Some(Host {
                name: "h1".into(),
                tags: [("rack".into(), 4)].into(),
                size: Some(9),
            }),
            at: Timestamp::from_millis(1000 * second),
        }
    }

    fn engine(rule: &str) -> Engine<Ops> {
        let rules = RuleSet::builder().events::<Ops>().source(Source::new("ops.cep", rule));
        let rules = rules.build().unwrap_or_else(|error| panic!("{rule}: {error}"));
        Engine::builder().rules(&rules).build().expect("the rules fit the events")
    }

    fn outputs(rule: &str, events: &[Ops]) -> Vec<Output<Ops>> {
        let mut outputs = Vec::new();
        let mut engine = engine(rule);
        for event in events {
            engine.push(event, &mut outputs).expect("it is not finished");
        }
        // A batch, in which events are looked at together, says the same.
        let mut together = Vec::new();
        self::engine(rule).push_batch(events, &mut together).expect("it is not finished");
        assert_eq!(outputs, together);
        outputs
    }

    #[test]
    fn they_are_declared_as_rules_read_them() {
        let expected = [
            "deploy { service: string, session: int, stages: list<int>, flags: list<string>, \
             weights: list<float>?, labels.*: string?, host.name: string?, host.tags.*: int?, \
             host.size: int?, @at: time }",
            "seen { service: string, counts: list<int>, sizes.*: int?, @at: time }",
        ];
        assert_eq!(declared::<Ops>(), expected);
        assert_eq!(
            reported(&deploy(0)),
            "deploy at 0: \"api\" 7 [5, 50, 100] [\"beta\", \"eu\"] null null \"h1\" null 9 \
             1970-01-01T00:00:00Z null"
        );
        assert_eq!(size_of::<ValueRef<'_>>(), 24, "a list takes no more room than text");
    }

    #[test]
    fn rules_read_lists_and_entries_of_maps() {
        for (condition, holds) in [
            ("\"beta\" in flags", true),
            ("\"b\" in flags", false),
            ("50 in stages and 51 not in stages", true),
            ("len(stages) == 3", true),
            ("stages[0] == 5 and stages[-1] == 100", true),
            ("stages[3] is null", true),
            ("contains(flags, \"eu\")", true),
            ("flags == [\"beta\", \"eu\"]", true),
            ("flags == [\"beta\"]", false),
            ("largest(stages, 2) == [100, 50]", true),
            ("weights is null", true),
            ("labels.env == \"prod\"", true),
            ("labels.env in [\"prod\", \"test\"]", true),
            ("labels.zone is null", true),
            ("labels.zone == \"a\"", false),
            ("labels.app.team == \"core\"", true),
            ("host.tags.rack + 1 == 5", true),
            ("host.tags.shelf is null", true),
        ] {
            let found = outputs(&format!("rule r {{ match deploy[{condition}] }}"), &[deploy(0)]);
            assert_eq!(found.len() == 1, holds, "{condition}");
        }
    }

    #[test]
    fn entries_are_typed_and_maps_are_no_values() {
        for (rule, expected) in [
            ("rule r { match deploy[labels.env > 1] }", "error["),
            ("rule r { match deploy[len(host.tags.rack) > 1] }", "error["),
            ("rule r { match deploy[labels is not null] }", "`labels` of `deploy` is a record"),
            ("rule r { match deploy[label.env == \"a\"] }", "error["),
        ] {
            let rules = RuleSet::builder().events::<Ops>().source(Source::new("ops.cep", rule));
            let error = rules.build().unwrap_err().to_string();
            assert!(error.contains(expected), "{rule}: {error}");
        }
    }

    #[test]
    fn they_are_captured_emitted_and_keys() {
        let rule = "rule r { key env { deploy: labels.env }  match deploy as a -> deploy[flags == a.flags] as b
            emit { flags: a.flags, first: b.stages[0], all: b.stages, env: b.labels.env } }";
        let found = outputs(rule, &[deploy(0), deploy(1)]);
        let [Output::Match(found)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(found.key[0].1, Value::from("prod"));
        assert_eq!(
            found.emit.to_string(),
            "{ flags: [\"beta\", \"eu\"], first: 5, all: [5, 50, 100], env: \"prod\" }"
        );
        // A list is a key as any value is.
        let listed = "rule r { key flags  match deploy{2} }";
        assert_eq!(outputs(listed, &[deploy(0), deploy(1)]).len(), 1);
    }

    #[test]
    fn text_may_declare_the_entries_that_it_reads() {
        let text = "event deploy { labels: { env: string? }, flags: list<string>, at: time }
            rule r { match deploy[labels.env == \"prod\" and \"eu\" in flags] }";
        let rules = RuleSet::parse(text).unwrap();
        let mut engine = Engine::<Ops>::builder().rules(&rules).build().unwrap();
        let mut found = Vec::new();
        engine.push(&deploy(0), &mut found).unwrap();
        assert_eq!(found.len(), 1);
        let wrong = RuleSet::parse(
            &text
                .replace("env: string?", "env: int?")
                .replace("labels.env == \"prod\"", "labels.env == 1"),
        );
        assert!(Engine::<Ops>::builder().rules(&wrong.unwrap()).build().is_err());
    }

    #[test]
    fn a_number_beyond_int_rejects_the_event_with_a_reason() {
        let seen = |counts: &[u64], size: u64, second: i64| {
            let at = Timestamp::from_millis(1000 * second);
            let sizes = [(Arc::from("x"), size)].into();
            Ops::Seen(Seen { service: "api".into(), counts: counts.into(), sizes, at })
        };
        let mut big = deploy(1);
        if let Ops::Deploy { session, .. } = &mut big {
            *session = u64::MAX;
        }
        let mut deep = deploy(2);
        if let Ops::Deploy { host: Some(host), .. } = &mut deep {
            host.size = Some(1 << 63);
        }
        let largest = i64::MAX.cast_unsigned();
        let events = [
            seen(&[1, largest], largest, 0),
            big,
            deep,
            seen(&[1, largest + 1], 0, 3),
            seen(&[], u64::MAX, 4),
            deploy(5),
        ];
        let rule = "rule r { match seen[sizes.x == 9223372036854775807] -> deploy[session == 7] }";
        let found = outputs(rule, &events);
        let reasons: Vec<String> = found
            .iter()
            .map(|output| match output {
                Output::Rejected { reason, .. } => reason.to_string(),
                Output::Match(found) => found.rule.to_string(),
                other => format!("{other:?}"),
            })
            .collect();
        let beyond =
            |field| format!("`{field}` is beyond 9223372036854775807, the largest int of rules");
        let expected = [
            beyond("deploy.session"),
            beyond("deploy.host.size"),
            beyond("seen.counts"),
            beyond("seen.sizes.*"),
            "r".into(),
        ];
        assert_eq!(reasons, expected);
    }

    #[test]
    fn what_lists_and_maps_own_is_counted() {
        let small = deploy(0).heap_size();
        let mut large = deploy(0);
        if let Ops::Deploy { labels, flags, .. } = &mut large {
            labels.insert("long".into(), "x".repeat(1000));
            flags.push("y".repeat(1000));
        }
        assert!(large.heap_size() > small + 2000);
    }
}
