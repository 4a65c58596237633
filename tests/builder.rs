//! Patterns built in Rust: what they match, and what the builder refuses.
#![cfg(feature = "derive")]

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use kleene::exec::{KeyState, Matcher, Outcome, OutcomeKind};
use kleene::pattern::{LimitPolicy, Only, PatternBuilder, Report};
use kleene::schema::{EventType, Field, FieldType, Schema, TypeId};
use kleene::stream::on_match;
use kleene::{Engine, Event, Pattern, Record, RuleSet, Timestamp, Value};
use kleene_syntax::hir::StepId;

macro_rules! structs {
    ($($name:ident),*) => {
        $(#[derive(Clone, Debug, Event)]
        struct $name {
            v: i64,
            at: Timestamp,
        })*

        #[derive(Clone, Debug, Event)]
        enum Ev {
            $($name($name),)*
        }
    };
}

structs!(A, B, C, D);

impl Ev {
    fn v(&self) -> i64 {
        match self {
            Ev::A(A { v, .. }) | Ev::B(B { v, .. }) | Ev::C(C { v, .. }) | Ev::D(D { v, .. }) => *v,
        }
    }
}

/// Events from text: `a1 b2@5000` are an `A` with `v` 1 at 0 ms and a `B` with `v` 2 at 5 s;
/// without a time, events come 1 s apart.
fn events(text: &str) -> Vec<Ev> {
    let parse = |(index, word): (usize, &str)| {
        let (ty, rest) = word.split_at(1);
        let default = (index * 1000).to_string();
        let (v, at) = rest.split_once('@').unwrap_or((rest, &default));
        let v = if v.is_empty() { 0 } else { v.parse().expect("a number") };
        let at = Timestamp::from_millis(at.parse().expect("a time"));
        match ty {
            "a" => Ev::A(A { v, at }),
            "b" => Ev::B(B { v, at }),
            "c" => Ev::C(C { v, at }),
            "d" => Ev::D(D { v, at }),
            other => panic!("no type {other}"),
        }
    };
    text.split_whitespace().enumerate().map(parse).collect()
}

/// Returns the outputs of the pattern: `x=0 y=1,2` for a match of the events with these positions,
/// with `timeout@<ms>` before it for a timeout.
fn run<E: Event>(pattern: &Pattern<E>, events: &[E]) -> Vec<String> {
    run_matcher(&pattern.matcher(), &|step| pattern.step_name(step).to_owned(), events)
}

fn run_matcher<E: Event>(
    matcher: &Matcher<E>,
    name: &dyn Fn(StepId) -> String,
    events: &[E],
) -> Vec<String> {
    let (mut store, mut key) = (matcher.create_store(), KeyState::default());
    let mut reported = Vec::new();
    for (seq, event) in (0..).zip(events) {
        matcher
            .advance(&mut store, &mut key, event.time(), &mut |o| reported.push(report(name, &o)));
        matcher.push(&mut store, &mut key, event, seq, &mut |o| reported.push(report(name, &o)));
    }
    matcher.advance(&mut store, &mut key, Timestamp::MAX, &mut |o| reported.push(report(name, &o)));
    reported
}

fn report<E: Event>(name: &dyn Fn(StepId) -> String, outcome: &Outcome<'_, E>) -> String {
    let mut steps: Vec<(String, Vec<String>)> = Vec::new();
    for (step, seq, _) in outcome.captures().numbered() {
        let name = name(step);
        match steps.last_mut() {
            Some((last, seqs)) if *last == name => seqs.push(seq.to_string()),
            _ => steps.push((name, vec![seq.to_string()])),
        }
    }
    let mut words: Vec<String> =
        steps.into_iter().map(|(name, seqs)| format!("{name}={}", seqs.join(","))).collect();
    if outcome.kind() == OutcomeKind::Timeout {
        words.insert(0, format!("timeout@{}", outcome.at().as_millis()));
    }
    words.join(" ")
}

const SECOND: Duration = Duration::from_secs(1);

/// No `c` for two seconds, beside something else.
fn quiet() -> PatternBuilder<Ev, Only<C>> {
    Pattern::begin_not("c").of::<C>().lasting(2 * SECOND)
}

fn a() -> PatternBuilder<Ev, Only<A>> {
    Pattern::begin("a").of::<A>()
}

/// Builds a pattern, runs it over the events and compares what is reported.
fn check<V>(builder: PatternBuilder<Ev, V>, input: &str, expected: &[&str]) {
    let text = format!("{builder:?} over {input}");
    let pattern = builder.build().unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(run(&pattern, &events(input)), expected, "{text}");
}

#[test]
fn steps_follow_each_other_as_the_words_say() {
    let after = |v| move |b: &B| b.v == v;
    check(a().next("b").of::<B>().skip_none(), "a c b a b", &["a=3 b=4"]);
    check(a().followed_by("b").of::<B>().skip_none(), "a c b b", &["a=0 b=2"]);
    check(a().followed_by_any("b").of::<B>().skip_none(), "a c b b", &["a=0 b=2", "a=0 b=3"]);
    check(
        a().not_next("n").of::<C>().followed_by("b").of::<B>().skip_none(),
        "a c b a d b",
        &["a=3 b=5"],
    );
    check(
        a().not_followed_by("n").of::<C>().followed_by("b").of::<B>().skip_none(),
        "a d c b a d b",
        &["a=4 b=6"],
    );
    check(
        a().not_followed_by("n").of::<B>().when(after(1)).lasting(3 * SECOND),
        "a b2 b1 a b2 d d d",
        &["a=3"],
    );
    check(
        a().followed_by("b").of::<B>().gap(2 * SECOND..=3 * SECOND).skip_none(),
        "a b b a d d d b",
        &["a=0 b=2"],
    );
}

#[test]
fn closures_decide_which_events_a_step_takes() {
    check(
        a().when(|a| a.v > 1).when(|a| a.v < 4).followed_by("any").when(|e| e.v() == 9),
        "a1 a3 b8 c9",
        &["a=1 any=3"],
    );
    check(
        a().times(2)
            .followed_by("b")
            .of::<B>()
            .when(|b| b.v < 100)
            .when_with(|b, seen| b.v == seen.of_as::<A>("a").map(|a| a.v).sum::<i64>()),
        "a1 a2 b2 b3",
        &["a=0,1 b=3"],
    );
    // `first`, `last`, `latest`, `count` and `iter`, in a loop that looks at itself.
    check(
        a().followed_by("b")
            .of::<B>()
            .when_with(|b, seen| {
                let top = seen.first_as::<A>("a").map_or(0, |a| a.v);
                let before = seen.last_as::<B>("b").map_or(top, |b| b.v);
                let latest = seen.latest().map(Ev::v);
                let count = seen.count("b") + 1;
                assert_eq!(latest, Some(before));
                assert_eq!(seen.latest_as::<B>().is_some(), seen.count("b") > 0);
                assert_eq!(seen.iter().map(|(name, _)| name).collect::<String>().len(), count);
                assert_eq!(seen.count("no such step"), 0);
                b.v < before
            })
            .times(3)
            .consecutive(),
        "a9 b8 b7 b6 a5 b4 b6",
        &["a=0 b=1,2,3"],
    );
}

#[test]
fn quantifiers_repeat_steps() {
    let b = || a().followed_by("b").of::<B>();
    let c = |b: PatternBuilder<Ev, _>| b.followed_by("c").of::<C>().skip_none();
    check(c(b().times(2)), "a b d b c", &["a=0 b=1,3 c=4"]);
    check(c(b().times(2).consecutive()), "a b d b c", &[]);
    check(c(b().times(2).allow_combinations()), "a b b b c", &["a=0 b=1,2 c=4", "a=0 b=1,3 c=4"]);
    // As `b{1.. any}` in rule text, it leaves events that fit to the next step.
    check(
        b().one_or_more().allow_combinations().followed_by("d").of::<B>().skip_none(),
        "a b b",
        &["a=0 b=1 d=2"],
    );
    check(c(b().times(1..=2)), "a b b c", &["a=0 b=1,2 c=3"]);
    check(c(b().times(1..=2).each()), "a b b c", &["a=0 b=1,2 c=3", "a=0 b=1 c=3"]);
    check(c(b().times(0..)), "a c a b c", &["a=0 c=1", "a=0 b=3 c=4", "a=2 b=3 c=4"]);
    check(c(b().one_or_more()), "a c b b c", &["a=0 b=2,3 c=4"]);
    check(c(b().optional()), "a c", &["a=0 c=1"]);
    check(
        c(b().one_or_more().until_of::<D>(|d| d.v == 1)),
        "a b b d0 b d1 b c",
        &["a=0 b=1,2,4 c=7"],
    );
    check(c(b().one_or_more().until(|b| b.v == 1)), "a b b b1 b c", &["a=0 b=1,2 c=5"]);
    check(b().one_or_more().longest().within(5 * SECOND), "a b b d b@9000", &["a=0 b=1,2"]);
}

#[test]
fn groups_repeat_sequences() {
    let pair = || Pattern::<Ev>::begin("a").of::<A>().followed_by("b").of::<B>();
    check(
        Pattern::begin_group(pair()).times(2).named("pairs").followed_by("c").of::<C>(),
        "a b c a b c",
        &["a=0 b=1 a=3 b=4 c=5"],
    );
    check(
        Pattern::begin("d").of::<D>().followed_by_group(pair().within(2 * SECOND)).skip_none(),
        "d a d b a b",
        &["d=2 a=4 b=5"],
    );
    check(
        Pattern::begin("d").of::<D>().next_group(pair()).skip_none(),
        "d c a b d a c b",
        &["d=4 a=5 b=7"],
    );
    check(
        Pattern::begin("d").of::<D>().followed_by_any_group(pair()).skip_none(),
        "d a a b",
        &["d=0 a=1 b=3", "d=0 a=2 b=3"],
    );
}

#[test]
fn a_match_drops_what_the_skip_strategy_says() {
    let p = || a().times(2).each().followed_by("b").of::<B>();
    check(p().skip_none(), "a a a b", &["a=0,1 b=3", "a=1,2 b=3"]);
    check(p(), "a a a b", &["a=0,1 b=3"]);
    check(p().skip_past_last(), "a a a b", &["a=0,1 b=3"]);
    check(p().skip_to_next(), "a a a b", &["a=0,1 b=3", "a=1,2 b=3"]);
    check(p().skip_to_first("b"), "a a a b", &["a=0,1 b=3"]);
    check(p().skip_to_last("a"), "a a a b", &["a=0,1 b=3", "a=1,2 b=3"]);
    let q = || Pattern::<Ev>::begin("x").when(|e| e.v() < 9).followed_by("y").within(4 * SECOND);
    check(
        q().when_with(|y, seen| Some(y.v() + 1) == seen.latest().map(Ev::v)),
        "a5 b3 c2 d9 d9",
        &["x=1 y=2"],
    );
    check(
        q().when_with(|y, seen| Some(y.v() + 1) == seen.latest().map(Ev::v)).ordered(),
        "a5 b3 c2 b4",
        &["x=0 y=3"],
    );
}

#[test]
fn partial_matches_time_out() {
    check(
        a().followed_by("b").of::<B>().within(2 * SECOND).report_timeouts(),
        "a b a d b",
        &["a=0 b=1", "timeout@4000 a=2"],
    );
    check(a().followed_by("b").of::<B>().within(2 * SECOND), "a d b", &[]);
}

#[test]
fn events_that_borrow_are_matched() {
    #[derive(Clone, Event)]
    struct Hit<'a> {
        path: &'a str,
        at: Timestamp,
    }
    let text = String::from("/a /b /b /a");
    let hits =
        text.split(' ').zip(0..).map(|(path, i)| Hit { path, at: Timestamp::from_millis(i) });
    let pattern = Pattern::begin("x")
        .followed_by("y")
        .when_with(|y: &Hit<'_>, seen| seen.first("x").is_some_and(|x| x.path == y.path))
        .when(|y| y.path.len() == 2)
        .build()
        .unwrap();
    assert_eq!(run(&pattern, &hits.collect::<Vec<_>>()), ["x=1 y=2"]);
}

fn record_schema() -> Schema {
    let field = |name: &str, ty| Field { name: name.into(), ty, optional: false };
    let ty = |name: &str| EventType {
        name: name.into(),
        fields: vec![field("user", FieldType::String), field("n", FieldType::Int)],
        time: None,
        open: false,
    };
    let mut schema = Schema::new();
    schema.add(ty("login"));
    schema.add(EventType { open: true, ..ty("logout") });
    schema.add(EventType { fields: vec![field("who", FieldType::String)], ..ty("reset") });
    schema
}

#[test]
fn records_are_matched_by_the_schema_that_is_given() {
    let record = |ty: usize, at| {
        Record::new(TypeId::new(ty), Timestamp::from_millis(at), [Value::from("ann")])
    };
    let pattern = Pattern::<Record>::begin("in")
        .of_type("login")
        .followed_by("out")
        .of_type("logout")
        .schema(record_schema())
        .build()
        .unwrap();
    assert_eq!(run(&pattern, &[record(0, 1), record(2, 2), record(1, 3)]), ["in=0 out=2"]);
}

#[test]
fn the_rule_of_a_pattern_has_its_stream_and_its_key() {
    let begin = || Pattern::<Record>::begin("in").of_type("login").schema(record_schema());
    let described = |builder: PatternBuilder<Record>| {
        let rule = builder.build().unwrap().to_rule("r");
        let types: Vec<_> = rule.types.iter().map(|ty| ty.index()).collect();
        let key = rule.key.iter().map(|part| {
            let fields = part.fields.iter().map(|(ty, field)| format!("{} {field:?}", ty.index()));
            format!("{}: {}", part.name, fields.collect::<Vec<_>>().join(", "))
        });
        (types, key.collect::<Vec<_>>().join("; "))
    };
    let declared = |ty: usize, field: u32| format!("{ty} Declared(FieldId({field}))");
    assert_eq!(described(begin()), (vec![0], String::new()));
    assert_eq!(described(begin().next("any")), (vec![0, 1, 2], String::new()));
    assert_eq!(described(begin().from_all()), (vec![0, 1, 2], String::new()));
    assert_eq!(
        described(begin().from_types(["logout", "login"]).key("user").key("n")),
        (
            vec![0, 1],
            format!(
                "user: {}, {}; n: {}, {}",
                declared(0, 0),
                declared(1, 0),
                declared(0, 1),
                declared(1, 1)
            )
        )
    );
    assert_eq!(
        described(begin().from_all().key_by_type("user", [("reset", "who"), ("logout", "x.y")])),
        (
            vec![0, 1, 2],
            format!("user: {}, 1 Dynamic(\"x.y\"), {}", declared(0, 0), declared(2, 0))
        )
    );
    let version = |builder: PatternBuilder<Record>| builder.build().unwrap().to_rule("r").version;
    assert_eq!(version(begin()), version(begin()));
    assert_ne!(version(begin()), version(begin().version(2)));
    assert_ne!(version(begin()), version(begin().within(SECOND)));
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn what_makes_no_sense_is_refused_with_its_kind_and_what_to_do() {
    let b = || a().followed_by("b").of::<B>();
    let group = || Pattern::begin_group(Pattern::<Ev>::begin("x").optional());
    let record = || Pattern::<Record>::begin("in").schema(record_schema());
    let refused = |result: Result<Pattern<Ev>, _>| result.map(|_| ()).unwrap_err();
    let refused_record = |builder: PatternBuilder<Record>| builder.build().map(|_| ()).unwrap_err();
    let (name, none, step) = (Some("b"), None, Some("a"));
    let cases = [
        (refused(a().followed_by("a").build()), step, "two steps are called `a`"),
        (refused(a().followed_by("").build()), none, "a step needs a name"),
        (refused(b().named("c").build()), name, "already has a name"),
        (refused(b().times(0).build()), name, "zero times is never"),
        (refused(b().times(0..=0).build()), name, "zero times is never"),
        (refused(b().times(RangeInclusive::new(5, 2)).build()), name, "larger than the maximum"),
        (refused(b().times(2).times(3).build()), name, "two quantifiers"),
        (refused(b().times(10_001).build()), name, "at most 10000"),
        (refused(b().consecutive().build()), name, "need `times`"),
        (refused(b().greedy().build()), name, "need `times`"),
        (refused(b().times(2..).greedy().each().build()), name, "exclude"),
        (
            refused(b().times(2).consecutive().allow_combinations().build()),
            name,
            "exclude each other",
        ),
        (
            refused(b().one_or_more().allow_combinations().greedy().build()),
            name,
            "a greedy loop never does",
        ),
        (
            refused(
                a().followed_by_group(Pattern::begin("x").of::<B>().optional())
                    .times(2..=4)
                    .build(),
            ),
            none,
            "can be empty",
        ),
        (refused(b().times(2).until(|b| b.v > 1).build()), name, "a loop without upper bound"),
        (refused(b().times(2..).until(|_| true).until(|_| true).build()), name, "two `until`s"),
        (refused(a().times(2..).longest().followed_by("b").build()), step, "not the last step"),
        (
            refused(b().times(1..).followed_by("c").of::<B>().build()),
            Some("c"),
            "a greedy loop before it",
        ),
        (
            refused(a().not_next("x").of::<B>().next("b").of::<B>().next("c").build()),
            name,
            "a `not` forbids them",
        ),
        (refused(a().optional().build()), none, "without any event"),
        (refused(group().followed_by("c").times(0..).build()), none, "without any event"),
        (refused(group().times(2..).followed_by("c").build()), none, "can be empty"),
        (refused(a().not_followed_by("b").build()), name, "no `within` bounds it"),
        (
            refused(a().not_followed_by("b").times(2).within(SECOND).build()),
            name,
            "can't be repeated",
        ),
        (
            refused(Pattern::<Ev>::begin("x").of::<B>().or(quiet()).build()),
            Some("c"),
            "can't start at one event",
        ),
        (
            refused(a().not_next("b").lasting(SECOND).followed_by("c").build()),
            name,
            "a single event",
        ),
        (
            refused(a().not_followed_by("b").lasting(SECOND).followed_by("c").optional().build()),
            none,
            "it must be required",
        ),
        (refused(Pattern::begin_not("b").followed_by("c").build()), name, "cannot start a pattern"),
        (refused(a().without("b").followed_by("c").build()), name, "nothing can follow"),
        (refused(a().or(Pattern::<Ev>::begin("c")).choose(3).build()), none, "needs alternatives"),
        (refused(a().or(Pattern::<Ev>::begin("c").within(SECOND)).build()), none, "into a group"),
        (
            refused(
                a().not_next("b").not_followed_by("c").lasting(SECOND).within(SECOND * 9).build(),
            ),
            name,
            "next to a `next not`",
        ),
        (refused(a().not_followed_by("b").gap(SECOND..).build()), name, "use `lasting`"),
        (refused(b().lasting(SECOND).build()), name, "can only be used on a `not`"),
        (refused(a().not_followed_by("b").lasting(Duration::ZERO).build()), name, "at least 1 ms"),
        (
            refused(a().optional().not_followed_by("b").followed_by("c").build()),
            name,
            "no event before it",
        ),
        (
            refused(
                a().followed_by_group(Pattern::<Ev>::begin("x").optional())
                    .not_followed_by("b")
                    .followed_by("c")
                    .build(),
            ),
            name,
            "no event before it",
        ),
        (
            refused(
                Pattern::<Ev>::begin("x")
                    .followed_by_group(a().not_next("b"))
                    .followed_by("c")
                    .build(),
            ),
            name,
            "a group can't end with a `not`",
        ),
        (
            refused(a().not_followed_by("b").followed_by("c").optional().within(SECOND).build()),
            name,
            "everything after it is optional",
        ),
        (
            refused(a().not_followed_by("b").not_followed_by("c").within(SECOND).build()),
            name,
            "test both in one closure",
        ),
        (
            refused(a().not_next("b").not_followed_by("c").within(SECOND).build()),
            name,
            "put this one between two steps",
        ),
        (refused(a().within(Duration::ZERO).build()), none, "at least 1 ms"),
        (refused(a().gap(SECOND..).build()), step, "nothing comes before it"),
        (refused(b().gap(2 * SECOND..=SECOND).build()), name, "no whole millisecond"),
        (refused(b().report_timeouts().build()), none, "needs `within`"),
        (refused(b().skip_to_first("bb").build()), Some("bb"), "did you mean `b`?"),
        (
            refused(a().not_next("b").followed_by("c").skip_to_last("b").build()),
            name,
            "no step `b` captures events",
        ),
        (
            refused(a().followed_by_group(Pattern::begin("b").ordered()).build()),
            none,
            "`ordered` can't be set in a group",
        ),
        (refused(a().followed_by_group(Pattern::begin("b").times(0)).build()), name, "zero times"),
        (refused(group().when(|_| true).build()), none, "not itself"),
        (refused(group().of::<A>().build()), none, "not itself"),
        (
            refused(Pattern::begin("a").of_type("bb").build()),
            step,
            "no event type `bb`: did you mean `b`?",
        ),
        (refused(a().from_types(["zebra"]).build()), none, "no event type `zebra`"),
        (refused(a().schema(record_schema()).build()), none, "without their own schema"),
        (refused(a().key("vv").build()), none, "did you mean `v`?"),
        (refused_record(record().key("user")), none, "`reset` has no field `user`"),
        (
            refused_record(record().key_by_type("user", [("resett", "who")])),
            none,
            "did you mean `reset`?",
        ),
        (
            refused_record(record().key_by_step("user", [("inn", "who")])),
            Some("inn"),
            "did you mean `in`?",
        ),
        (
            refused_record(record().of_type("reset").key_by_step("user", [("in", "usr")])),
            none,
            "`reset` has no field `usr`",
        ),
        (
            refused_record(Pattern::begin("in").of_type("login")),
            Some("in"),
            "give one with `schema`",
        ),
        (refused_record(Pattern::begin("in").key("user")), none, "give one with `schema`"),
    ];
    for (error, step, part) in cases {
        assert_eq!(error.step(), step, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let nested = (0..70).fold(a().followed_by("b"), |inner, _| Pattern::begin_group(inner));
    assert!(refused(nested.build()).to_string().contains("nested deeper"));
}

/// Streams of every mixture, the same in every run.
fn random_streams(count: usize) -> Vec<Vec<Ev>> {
    let mut state = 7_u64;
    let mut next = move |below: u64| -> u64 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let stream = |_| {
        let mut at = 0;
        let words = (0..14).map(|_| {
            at += next(4) * 500;
            let ty = match next(7) {
                0 | 1 => 'a',
                2 | 3 => 'b',
                4 | 5 => 'c',
                _ => 'd',
            };
            format!("{ty}{}@{at}", next(3))
        });
        events(&words.collect::<Vec<_>>().join(" "))
    };
    (0..count).map(stream).collect()
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn the_builder_and_rule_text_say_the_same() {
    let b = || a().followed_by("b").of::<B>();
    let c = |before: PatternBuilder<Ev, Only<B>>| before.followed_by("c").of::<C>();
    let c_of = |before: PatternBuilder<Ev>| before.followed_by("c").of::<C>();
    let pair = || Pattern::<Ev>::begin("a").of::<A>().followed_by("b").of::<B>();
    let pairs = [
        (
            "match a -> b[v > a.v and v < 2]",
            b().when_with(|b, seen| seen.first_as::<A>("a").is_some_and(|a| b.v > a.v))
                .when(|b| b.v < 2)
                .build(),
        ),
        ("match a -> next b  skip none", a().next("b").of::<B>().skip_none().build()),
        (
            "match a -> any b -> c  skip none",
            c(a().followed_by_any("b").of::<B>()).skip_none().build(),
        ),
        (
            "match a -> b{2 any} -> c  skip none",
            c(b().times(2).allow_combinations()).skip_none().build(),
        ),
        ("match a -> b{2..3 next each} -> c", c(b().times(2..=3).consecutive().each()).build()),
        ("match a -> b{2..3} -> c  skip none", c(b().times(2..=3)).skip_none().build()),
        ("match a -> b? -> c  skip none", c(b().optional()).skip_none().build()),
        ("match a -> b* -> c  skip none", c(b().times(0..)).skip_none().build()),
        (
            "match a -> b+ until d[v == 1] -> c",
            c(b().one_or_more().until_of(|d: &D| d.v == 1)).build(),
        ),
        (
            "match a -> b+ until [v == 1] -> c  skip to last b",
            c(b().one_or_more().until(|b| b.v == 1)).skip_to_last("b").build(),
        ),
        (
            "match a -> not d -> b  skip none",
            a().not_followed_by("d").of::<D>().followed_by("b").of::<B>().skip_none().build(),
        ),
        (
            "match a -> next not d -> b  skip none",
            a().not_next("d").of::<D>().followed_by("b").of::<B>().skip_none().build(),
        ),
        (
            "match a -> not b[v != 0] for 2s  skip to next",
            a().not_followed_by("b")
                .of::<B>()
                .when(|b| b.v != 0)
                .lasting(2 * SECOND)
                .skip_to_next()
                .build(),
        ),
        (
            "match a -> not b  within 3s  on timeout emit {}",
            a().not_followed_by("b").of::<B>().within(3 * SECOND).report_timeouts().build(),
        ),
        (
            "match a ->[1s..2s] b  skip to first b ordered",
            b().gap(SECOND..=2 * SECOND).skip_to_first("b").ordered().build(),
        ),
        (
            "match (a or b) -> c  skip none",
            c_of(a().or(Pattern::<Ev>::begin("b").of::<B>())).skip_none().build(),
        ),
        (
            "match (a and b) -> c  skip none",
            c_of(a().and(Pattern::<Ev>::begin("b").of::<B>())).skip_none().build(),
        ),
        (
            "match (a ->[..2s] b without d) and c  skip none",
            b().gap(..=2 * SECOND)
                .without("d")
                .of::<D>()
                .and(Pattern::<Ev>::begin("c").of::<C>())
                .skip_none()
                .build(),
        ),
        (
            "match 2 of (a, b, c -> d)  skip none",
            a().or(Pattern::<Ev>::begin("b").of::<B>())
                .or(Pattern::<Ev>::begin("c").of::<C>().followed_by("d").of::<D>())
                .choose(2)
                .skip_none()
                .build(),
        ),
        (
            "match a -> (b or not c for 2s) -> d  skip none",
            a().followed_by_group(Pattern::<Ev>::begin("b").of::<B>().or(quiet()))
                .followed_by("d")
                .of::<D>()
                .skip_none()
                .build(),
        ),
        (
            "match a -> any (b and not c for 2s)  skip none",
            a().followed_by_any_group(Pattern::<Ev>::begin("b").of::<B>().and(quiet()))
                .skip_none()
                .build(),
        ),
        ("match a -> b without d  skip none", b().without("d").of::<D>().skip_none().build()),
        (
            "match a -> not d for 2s -> b  skip none",
            a().not_followed_by("d")
                .of::<D>()
                .lasting(2 * SECOND)
                .followed_by("b")
                .of::<B>()
                .skip_none()
                .build(),
        ),
        (
            "match not d for 2s -> a  skip none",
            Pattern::begin_not("d")
                .of::<D>()
                .lasting(2 * SECOND)
                .followed_by("a")
                .of::<A>()
                .skip_none()
                .build(),
        ),
        (
            "match (a -> b){2..} as pairs -> c  skip none",
            Pattern::begin_group(pair())
                .times(2..)
                .named("pairs")
                .followed_by("c")
                .of::<C>()
                .skip_none()
                .build(),
        ),
        (
            "match d -> (a -> b within 2s)?  -> c  skip none",
            Pattern::begin("d")
                .of::<D>()
                .followed_by_group(pair().within(2 * SECOND))
                .optional()
                .followed_by("c")
                .of::<C>()
                .skip_none()
                .build(),
        ),
        (
            "match d -> next (a -> b){1..2 next} -> any c  within 6s  on timeout emit {}",
            Pattern::begin("d")
                .of::<D>()
                .next_group(pair())
                .times(1..=2)
                .consecutive()
                .followed_by_any("c")
                .of::<C>()
                .within(6 * SECOND)
                .report_timeouts()
                .build(),
        ),
        (
            "match a -> b{1.. longest}  within 5s  ",
            b().one_or_more().longest().within(5 * SECOND).build(),
        ),
        (
            "match a{2} -> b  skip past last ordered",
            a().times(2).followed_by("b").of::<B>().skip_past_last().ordered().build(),
        ),
    ];
    let streams = random_streams(300);
    for (text, built) in pairs {
        let built = built.unwrap();
        let file = format!(
            "event a {{ v: int, at: time }}  event b {{ v: int, at: time }}
             event c {{ v: int, at: time }}  event d {{ v: int, at: time }}
             rule r {{ from * {text} }}"
        );
        let rules = RuleSet::parse(&file).unwrap_or_else(|error| panic!("{text}: {error}"));
        let parsed = &rules.rules()[0].pattern;
        let matcher = Matcher::new(parsed, []).unwrap();
        let name = |step: StepId| parsed.steps[step.index()].name.to_string();
        let mut reported = 0;
        for stream in &streams {
            let expected = run_matcher(&matcher, &name, stream);
            assert_eq!(run(&built, stream), expected, "{text} over {stream:?}");
            reported += expected.len();
        }
        assert!(reported > 20, "{text}: the streams hardly say anything: {reported}");
    }
}

#[test]
fn a_report_chooses_among_the_matches_of_an_event() {
    let pattern = || a().followed_by_any("b").of::<B>().skip_none();
    check(pattern(), "a b b", &["a=0 b=1", "a=0 b=2"]);
    check(pattern().report(Report::Count), "a a b", &["a=0 b=2"]);
    check(pattern().report(Report::Last(NonZeroU32::MIN)), "a a b", &["a=1 b=2"]);
    let version = |pattern: PatternBuilder<Ev, Only<B>>| {
        pattern.build().expect("it is right").to_rule("p").version
    };
    assert_ne!(version(pattern()), version(pattern().report(Report::Longest)));
    let inner = Pattern::<Ev>::begin("b").of::<B>().report(Report::Count);
    let refused = a().followed_by_group(inner).build().map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("can't be set in a group"), "{refused}");

    // Each result knows its set, and lists it when it is asked.
    let counted = pattern().report(Report::Count).build().expect("it is right");
    let mut engine = Engine::builder().pattern("p", &counted).build().expect("it fits");
    let mut sets = Vec::new();
    let mut sink = on_match(|found: kleene::Match<'_, Ev>| {
        let (mut listing, mut starts) = (found.set().listing(), Vec::new());
        while let Some(one) = listing.next_match() {
            assert_eq!(one.set().count(), found.set().count());
            starts.push(one.first_event_at().as_millis() / 1000);
        }
        sets.push((found.set().count(), found.set().is_saturated(), starts));
    });
    for event in events("a a b a b") {
        engine.push(&event, &mut sink).expect("no limit fails");
    }
    assert_eq!(sets, [(2, false, vec![0, 1]), (3, false, vec![0, 1, 3])]);
}

#[test]
fn totals_read_the_fields_of_the_events_own_types() {
    // The file has the fields in another order than the types.
    let rules = RuleSet::parse(
        "event a { at: time, v: int }  event b { at: time, v: int }
         rule r { match a as x -> any b  within 1h  skip none  report count
           emit { sum: matches.sum(x.v), late: matches.max(x.at) - matches.min(x.at) } }",
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let mut engine = Engine::builder().rules(&rules).build().expect("it fits");
    let mut records = Vec::new();
    let mut sink = on_match(|found: kleene::Match<'_, Ev>| {
        records.push(found.to_record().to_string());
    });
    for event in events("a3 a4 b0") {
        engine.push(&event, &mut sink).expect("no limit fails");
    }
    assert_eq!(records, ["{ sum: 7, late: 1s }"]);
}

#[test]
fn suppress_once_and_limits_are_said_with_the_words_of_rule_text() {
    let reported = |pattern: &Pattern<Ev>, text: &str| {
        let mut engine = Engine::builder().pattern("p", pattern).build().expect("it fits");
        let mut reported = Vec::new();
        let mut sink = on_match(|found: kleene::Match<'_, Ev>| {
            let first = found.captures().next().expect("a match has events");
            reported.push((first.1.v(), found.reported_at().as_millis() / 1000));
        });
        for event in events(text) {
            engine.push(&event, &mut sink).expect("no limit fails");
        }
        engine.end_time(&mut sink).unwrap();
        (reported, engine.stats().suppressed, engine.stats().overflowed)
    };
    let hour = Duration::from_hours(1);
    let quiet = Pattern::<Ev>::begin("a").of::<A>().suppress(Duration::from_secs(2));
    let quiet = quiet.build().expect("it is right");
    assert_eq!(reported(&quiet, "a1 a2 a3 a4 a5"), (vec![(1, 0), (3, 2), (5, 4)], 2, 0));

    let once = || Pattern::<Ev>::begin("a").of::<A>().skip_none();
    let first = once().once().build().expect("it is right");
    assert_eq!(reported(&first, "a1 a2 a3 a4 a5"), (vec![(1, 0)], 0, 0));
    let first_of_all = once().once_per_rule().build().expect("it is right");
    assert_eq!(reported(&first_of_all, "b0 a2 a3"), (vec![(2, 1)], 0, 0));
    assert_ne!(first.to_rule("p").version, first_of_all.to_rule("p").version);

    let pairs = |policy| {
        let pattern = Pattern::<Ev>::begin("a").of::<A>().followed_by("b").of::<B>().within(hour);
        pattern.skip_none().limit_partials(2, policy).build().expect("it is right")
    };
    let (oldest, newest) = (pairs(LimitPolicy::DropOldest), pairs(LimitPolicy::DropNewest));
    assert_eq!(reported(&oldest, "a1 a2 a3 b0"), (vec![(2, 3), (3, 3)], 0, 1));
    assert_eq!(reported(&newest, "a1 a2 a3 b0"), (vec![(1, 3), (2, 3)], 0, 1));
    assert_eq!(newest.matcher().limits().partial_matches_per_key, 2);
    assert_ne!(oldest.to_rule("p").version, newest.to_rule("p").version);

    let group = Pattern::begin("a").suppress(hour);
    let refused: [(PatternBuilder<Ev>, &str); 4] = [
        (Pattern::begin("a").suppress(Duration::ZERO), "at least 1 ms"),
        (Pattern::begin("a").limit_partials(0, LimitPolicy::Fail), "a limit of 0 partial matches"),
        (Pattern::begin("a").suppress(hour).once(), "contradict each other"),
        (Pattern::begin("x").followed_by_group(group), "can't be set in a group"),
    ];
    for (builder, part) in refused {
        let error = builder.build().map(|_| ()).expect_err("it is wrong").to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn patterns_match_events_that_are_borrowed() {
    let events = events("a1 c b2 a3 b4");
    let pattern: Pattern<&Ev> = Pattern::begin("a")
        .of::<A>()
        .followed_by("b")
        .of::<B>()
        .when_with(|b, before| before.last("a").is_some_and(|a: &&Ev| a.v() < b.v))
        .build()
        .expect("it is right");
    let mut engine = Engine::builder().pattern("p", &pattern).build().expect("it fits");
    let mut reported = Vec::new();
    let mut sink = on_match(|found: kleene::Match<'_, &Ev>| {
        reported.extend(found.captures().map(|(_, event)| event.v()));
    });
    for event in &events {
        engine.push(&event, &mut sink).expect("no limit fails");
    }
    assert_eq!(reported, [1, 2, 3, 4]);
}
