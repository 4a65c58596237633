//! Rules that are replaced while a stream goes on.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use kleene::schema::FieldId;
use kleene::stream::{Engine, Output, Replacement, RuleChange, Verdict};
use kleene::{Event as _, Record, RuleSet, Timestamp, Value};
use kleene_syntax::hir::expr::{BinaryOp, FieldRef};
use kleene_syntax::hir::{
    ConditionId, Expr, ItemKind, Pattern, Sequence, SkipStrategy, StepId, Test,
};
use kleene_test::engine::counts_partials_exactly;
use kleene_test::random::{self, Built};
use kleene_test::text;
use proptest::prelude::*;

const TYPES: &str = "
    event a { k: int, n: int, at: time }
    event b { k: int, n: int, at: time }
    event c { k: int, n: int, at: time }
    event d { k: int, n: int, at: time }
";

fn rules(text: &str) -> RuleSet {
    RuleSet::parse(&format!("{TYPES}{text}")).unwrap_or_else(|error| panic!("{error}"))
}

/// The rule `r` with this body.
fn rule(body: &str) -> RuleSet {
    rules(&format!("rule r {{ {body} }}"))
}

/// An event from `a1` and the like: the type and `n`, of key 1, at so many seconds.
fn event(engine: &Engine<Record>, second: i64, text: &str) -> Record {
    let (ty, number) = text.split_at(1);
    let at = Value::Time(Timestamp::from_millis(1000 * second));
    let fields =
        [("k", Value::Int(1)), ("n", Value::Int(number.parse().expect("a number"))), ("at", at)];
    Record::from_fields(engine.schema(), ty, fields).expect("it is declared so")
}

/// An engine that has seen `events`, one each second from 0 on.
fn seen(rules: &RuleSet, events: &str) -> (Engine<Record>, Vec<Output<Record>>) {
    let mut engine = Engine::builder().rules(rules).build().expect("they can be run");
    let mut reported = Vec::new();
    push(&mut engine, 0, events, &mut reported);
    (engine, reported)
}

fn push(engine: &mut Engine<Record>, from: i64, events: &str, reported: &mut Vec<Output<Record>>) {
    for (second, text) in (from..).zip(events.split_whitespace()) {
        let event = event(engine, second, text);
        engine.push(&event, reported).expect("it has not ended");
    }
}

/// Returns the outputs as `match a1 b2 @3`, with the second of the report.
fn shown(reported: &[Output<Record>]) -> Vec<String> {
    let found = |kind: &str, found: &kleene::stream::OwnedMatch<Record>| {
        let mut text = String::from(kind);
        for (step, event) in &found.captures {
            let n = event.field(FieldId::new(1));
            let _ = write!(text, " {step}{n}");
        }
        let _ = write!(text, " @{}", found.reported_at.as_millis() / 1000);
        text
    };
    reported
        .iter()
        .map(|output| match output {
            Output::Match(one) => found("match", one),
            Output::Timeout(one) => found("timeout", &one.found),
            other => format!("{other:?}"),
        })
        .collect()
}

/// Replaces the rule `r` after `events` and reports what became of it, as it was planned and done.
fn replaced(old: &str, events: &str, new: &str) -> (RuleChange, Engine<Record>) {
    let (mut engine, _) = seen(&rule(old), events);
    let new = rule(new);
    let plan = engine.plan_replacement(&new);
    let before = engine.stats().partials;
    let done = engine.replace_rules(&new).expect("they can be run");
    assert_eq!(plan, done);
    let change = done.rule("r").expect("it is there").clone();
    assert_eq!((change.kept, change.kept + change.dropped), (engine.stats().partials, before));
    (change, engine)
}

#[test]
fn keys_that_come_again_and_again_are_given_up_when_their_rule_changes() {
    // Matches empty the key. What is left of it for its next event is counted, which debug builds
    // check when all of that is given up.
    for events in ["a0 a0 a0", "a0 a0 a0 a0", "a0 a0 a0 a0 a0", "a0 a0 a0 a0 a0 a0"] {
        let old = rule("key k match a{3} within 1h");
        let (mut engine, mut reported) = seen(&old, events);
        let open = events.split(' ').count() % 3;
        assert_eq!(
            (engine.stats().keys, engine.stats().partials),
            ((open > 0).into(), open as u64)
        );
        engine.replace_rules(&rule("key k match a{3} within 2h")).expect("they can be run");
        assert_eq!(engine.stats().partials, open as u64, "{events}");
        push(&mut engine, 9, "a0 a0 a0", &mut reported);
        assert_eq!(shown(&reported).len(), events.split(' ').count() / 3 + 1);
    }
}

#[test]
fn what_partial_matches_have_not_passed_may_change() {
    let kept = [
        // The condition of the step that is waited for, or of one after it.
        ("match a -> b -> c", "a1", "match a -> b[n > 1] -> c"),
        ("match a -> b -> c", "a1 d1", "match a -> b -> c[n > 1]"),
        ("match a -> b -> c", "a1 b1", "match a -> b -> c[n > a.n]"),
        ("match a -> b+ -> c", "a1 b1 d1", "match a -> b+ -> c[n > 1]"),
        (
            "match a -> b{2..} as bs -> c",
            "a1 b1 b2 d1",
            "match a -> b{2..} as bs -> c[n > sum(bs.n)]",
        ),
        // Another step there, one that is put in, one at the end, one that is gone.
        ("match a -> b -> c", "a1", "match a -> d -> c"),
        ("match a -> b -> c", "a1", "match a -> d -> b -> c"),
        ("match a -> b -> c", "a1 b1", "match a -> b -> c -> d"),
        ("match a -> b -> c", "a1", "match a -> c"),
        ("match a -> b -> c", "a1", "match a -> b? -> c"),
        ("match a -> b", "a1", "match a -> b{2}"),
        ("match a -> b -> c", "a1 b1", "match a -> b{1..2} -> c"),
        // An absence.
        ("match a -> b", "a1", "match a -> not d -> b"),
        ("match a -> not b for 1m", "a1", "match a -> not c for 1m"),
        ("match a -> not b for 1m", "a1", "match a -> not b for 2m"),
        // As one of several.
        ("match a -> (b or not c for 1m)", "a1 d1", "match a -> (b or not c for 2m)"),
        ("match a -> (b and not c for 1m) -> d", "a1 b1", "match a -> (b and not c for 1m) -> a"),
        // Time, what is reported and what is dropped.
        ("match a -> b within 1m", "a1", "match a -> b within 2m"),
        ("match a -> b within 1m", "a1", "match a -> b"),
        ("match a -> b within 1m", "a1", "match a -> b within 1m  on timeout emit { n: a.n }"),
        ("match a -> b", "a1", "match a -> b  emit { n: a.n }"),
        ("match a -> b", "a1", "match a -> b  skip none"),
        ("key k match a -> b", "a1", "key k match a -> b[n > 1]"),
        ("match a as x -> b", "a1", "from * match a as x -> b"),
        // What may not be skipped from now on was not skipped before, or may be skipped now.
        ("match a -> next b", "a1", "match a -> b"),
        ("match a -> next b -> c", "a1 b1", "match a -> next b -> any c"),
    ];
    for (old, events, new) in kept {
        let (change, _) = replaced(old, events, new);
        assert!(change.kept > 0 && change.dropped == 0, "{old}; {events}; {new}: {change}");
        assert!(matches!(change.verdict, Verdict::Kept | Verdict::KeptInPart), "{new}: {change}");
        assert_ne!(change.old_version, change.new_version, "{new}");
    }
}

#[test]
fn what_has_passed_a_change_is_given_up() {
    let dropped = [
        ("match a -> b -> c", "a1 b1", "match a -> b[n > 0] -> c"),
        ("match a -> b -> c", "a1 b1", "match a[n > 0] -> b -> c"),
        ("match a -> b -> c", "a1 b1", "match a -> any b -> c"),
        ("match a -> b -> c", "a1 b1", "match a -> d -> b -> c"),
        ("match a -> b{2} -> c", "a1 b1 b2", "match a -> b -> c"),
        ("match a -> b -> c", "a1 b1", "match a -> not d -> b -> c"),
        ("match a -> b -> c", "a1 b1", "match a ->[..1m] b -> c"),
        ("match a -> b -> c", "a1 b1", "match a -> b"),
        ("match (a -> b within 1m){2} -> c", "a1 b1", "match (a -> b within 2m){2} -> c"),
        ("match a as x -> b", "a1", "match a as y -> b"),
        // It has skipped something already.
        ("match a -> b", "a1 d1", "match a -> next b"),
        // It has come too far for the new bound.
        ("match a -> b -> c within 1m", "a1 d1 d1 b1", "match a -> b -> c within 2s"),
        ("key k match a -> b", "a1", "match a -> b"),
        ("key k match a -> b", "a1", "key n match a -> b"),
    ];
    for (old, events, new) in dropped {
        let (change, _) = replaced(old, events, new);
        assert!(change.kept == 0 && change.dropped > 0, "{old}; {events}; {new}: {change}");
    }
}

#[test]
fn the_table_in_live_rules_md_holds() {
    // What a partial match that waits for `b` does, and one that waits for `c`.
    let edits = [
        ("a -> b -> c[n > 1] within 1h", true, true),
        ("a -> b -> d within 1h", true, true),
        ("a -> b -> c -> d within 1h", true, true),
        ("a -> b[n > 1] -> c within 1h", true, false),
        ("a -> d -> c within 1h", true, false),
        ("a -> d -> b -> c within 1h", true, false),
        ("a -> b -> not d -> c within 1h", true, true),
        ("a -> not d -> b -> c within 1h", true, false),
        ("a[n > 1] -> b -> c within 1h", false, false),
        ("a -> b -> c within 2h", true, true),
        ("a -> b -> c within 30m", true, true),
        ("a -> b -> c", true, true),
        ("a -> b -> c within 1h  emit { n: a.n }", true, true),
        ("a -> b -> c within 1h  on timeout emit { n: a.n }", true, true),
        ("a -> b -> c within 1h  skip to next", true, true),
        ("a as x -> b -> c within 1h", false, false),
        ("a -> b as x -> c within 1h", true, false),
        ("a -> b -> c as x within 1h", true, true),
        ("a -> next b -> c within 1h", false, false),
        ("a -> b -> c within 1h  key k", false, false),
    ];
    for (edit, waits_for_b, waits_for_c) in edits {
        for (events, expected) in [("a1", waits_for_b), ("a1 b1", waits_for_c)] {
            let (change, _) =
                replaced("match a -> b -> c within 1h", events, &format!("match {edit}"));
            assert_eq!(change.kept == 1, expected, "{edit} after {events}: {change}");
        }
    }
}

#[test]
fn a_change_in_the_middle_keeps_what_waits_before_it() {
    let (old, new) = ("match a -> b -> c  skip none", "match a -> b[n > 1] -> c  skip none");
    let (change, mut engine) = replaced(old, "a1 b1 a2", new);
    assert_eq!((&change.verdict, change.kept, change.dropped), (&Verdict::KeptInPart, 1, 1));
    let mut reported = Vec::new();
    push(&mut engine, 3, "c1 b1 b2 c2", &mut reported);
    assert_eq!(shown(&reported), ["match a2 b2 c2 @6"]);
    assert!(reported.iter().all(|reported| matches!(reported, Output::Match(found)
        if Some(found.version) == change.new_version)));
}

/// A pattern with a large `and`: `b1`, `b2`, up to `b13`, but for the last one, which is `last`.
fn large(before: &str, last: &str, after: &str) -> String {
    let operands: Vec<String> = (1..13).map(|n| format!("b[n == {n}] as b{n}")).collect();
    format!("match {before}({} and {last} as last) {after}", operands.join(" and "))
}

#[test]
fn a_large_group_goes_on_with_the_operands_that_have_come() {
    let last = "b[n == 13]";
    let edits = [
        (large("a -> ", last, "-> d"), large("a -> ", last, "-> d[n > 1]")),
        (large("a -> ", last, "-> d"), large("a -> ", last, "-> (c -> d within 1h)")),
        (large("a -> ", last, ""), large("a -> ", last, "-> c -> d")),
        (large("a -> ", last, "-> d within 1h"), large("a -> ", last, "-> d within 2h")),
    ];
    for (old, new) in edits {
        let (change, mut engine) = replaced(&old, "a1 b3 b1", &new);
        assert_eq!((change.kept, change.dropped), (1, 0), "{new}: {change}");
        let mut reported = Vec::new();
        push(&mut engine, 3, "b2 b4 b5 b6 b7 b8 b9 b10 b11 b12 b3 b1 c1 d2", &mut reported);
        assert_eq!(shown(&reported), [""; 0], "{new}");
        push(&mut engine, 20, "b13 c1 d2", &mut reported);
        assert_eq!(shown(&reported).len(), 1, "{new}");
    }
    // What has come may have been another one under the new condition.
    let (old, new) = (large("a -> ", last, "-> d"), large("a -> ", "b[n > 13]", "-> d"));
    let (change, _) = replaced(&old, "a1 b3 b1", &new);
    assert_eq!((change.kept, change.dropped), (0, 1), "{change}");
    // Before the first of them, everything may change.
    let (change, _) = replaced(&old, "a1", &new);
    assert_eq!((change.kept, change.dropped), (1, 0), "{change}");
}

#[test]
fn each_verdict_is_reported_with_its_reason() {
    let old = rules(
        "rule same { match a -> b }
         rule reported { match a -> b  emit { n: a.n } }
         rule part { match a -> b -> c  skip none }
         rule start { match a -> b }
         rule keyed { key k  match a -> b }
         rule gone { match a -> b -> c }",
    );
    let new = rules(
        "rule fresh { match c -> b }
         # Neither comments nor what people should know change anything.
         rule same { about \"the same\"  match a -> b }
         rule reported { match a -> b  emit { m: a.n } }
         rule part { match a -> b[n > 1] -> c  skip none }
         rule start { match a[n > 0] -> b }
         rule keyed { key n  match a -> b }",
    );
    let (mut engine, _) = seen(&old, "a1 a2");
    let done = engine.replace_rules(&new).unwrap();
    assert_eq!(
        done.to_string(),
        "fresh: added\n\
         same: unchanged (2 partial matches)\n\
         reported: kept (2 partial matches)\n\
         part: kept in part (2 partial matches)\n\
         start: reset, its first step is another one (2 partial matches dropped)\n\
         keyed: reset, its key is another one (2 partial matches dropped)\n\
         gone: removed (2 partial matches dropped)"
    );
    assert_eq!(done.dropped(), 6);
    assert_eq!(engine.rules().next().unwrap().name, "fresh".into());
    assert_eq!(engine.rules().nth(1).unwrap().meta.about.as_deref(), Some("the same"));
}

#[test]
fn deadlines_move_with_their_bounds() {
    let cases = [
        // The new deadline is ahead, and was passed: then it passes at once.
        ("match a -> not b for 10s", "a1 d1", "match a -> not b for 3s", vec!["match a1 @3"]),
        ("match a -> not b for 9s", "a1 d1 d2", "match a -> not b for 1s", vec!["match a1 @2"]),
        ("match a -> not b for 3s", "a1 d1", "match a -> not b for 20s", vec![]),
        (
            "match a -> (b or not c for 10s)",
            "a1 d1",
            "match a -> (b or not c for 3s)",
            vec!["match a1 @3"],
        ),
        ("match a -> (b or not c for 3s)", "a1 d1", "match a -> (b or not c for 20s)", vec![]),
        (
            "match a -> b within 9s  on timeout emit { n: a.n }",
            "a1 d1",
            "match a -> b within 4s  on timeout emit { n: a.n }",
            vec!["timeout a1 @4"],
        ),
    ];
    for (old, events, new, expected) in cases {
        let (_, mut engine) = replaced(old, events, new);
        let mut reported = Vec::new();
        push(&mut engine, 8, "d1", &mut reported);
        assert_eq!(shown(&reported), expected, "{new}");
    }
}

#[test]
fn deadlines_that_events_say_are_read_from_them() {
    let with = |length: &str| {
        RuleSet::parse(&format!(
            "event a {{ k: int, n: int, at: time, sla: duration, more: duration }}
             event b {{ k: int, n: int, at: time }}
             rule r {{ key k  match a as o -> not b for {length} }}"
        ))
        .unwrap()
    };
    let mut engine: Engine<Record> = Engine::builder().rules(&with("9s")).build().unwrap();
    let mut reported = Vec::new();
    let at = ("at", Value::Time(Timestamp::from_millis(0)));
    let times = [("sla", Value::Duration(4000)), ("more", Value::Duration(6000))];
    let fields = [("k", 1.into()), ("n", 1.into()), at].into_iter().chain(times);
    let first = Record::from_fields(engine.schema(), "a", fields).unwrap();
    engine.push(&first, &mut reported).unwrap();
    for (length, ends) in [("o.sla", 4), ("o.more", 6), ("5s", 5), ("o.more", 6)] {
        let done = engine.replace_rules(&with(length)).unwrap();
        assert_eq!((&done.rules[0].verdict, done.rules[0].kept), (&Verdict::Kept, 1), "{length}");
        let deadline = engine.collect_partials("r")[0].deadline();
        assert_eq!(deadline, Some(Timestamp::from_millis(1000 * ends)), "{length}");
    }
    engine.advance(Timestamp::from_millis(9000), &mut reported).unwrap();
    assert_eq!(shown(&reported), ["match o1 @6"]);
}

#[test]
fn what_a_new_condition_asks_of_captured_events_is_found_in_them() {
    let old = "match a as first -> b{2..} as bs -> c";
    let new = "match a as first -> b{2..} as bs
               -> c[n == sum(bs.n) + first.n + last(bs.n) * 10 + max(bs.n)]";
    let (change, mut engine) = replaced(old, "a1 b2 b4 b3 d1", new);
    assert_eq!(change.dropped, 0, "{change}");
    let mut reported = Vec::new();
    push(&mut engine, 5, "c43 c44", &mut reported);
    assert_eq!(shown(&reported), ["match first1 bs2 bs4 bs3 c44 @6"]);
}

#[test]
fn named_repetitions_are_still_counted() {
    let old = "match (a -> b){1..3} as round -> c  emit { n: count(round) }";
    let new = "match (a -> b){1..3} as round -> c[n > 1] -> d  emit { rounds: count(round) }";
    let (change, mut engine) = replaced(old, "a1 b1 a2 b2 d1", new);
    assert_eq!(change.dropped, 0, "{change}");
    let mut reported = Vec::new();
    push(&mut engine, 5, "c2 d2", &mut reported);
    let emits: Vec<_> = reported
        .iter()
        .map(|reported| match reported {
            Output::Match(found) => found.emit.to_string(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(emits, ["{ rounds: 2 }"]);
}

#[test]
fn what_is_in_a_list_is_no_part_of_a_condition() {
    let with = |list: &str| {
        rules(&format!(
            "list watched: int = [{list}]  rule r {{ match a[n in watched] -> b -> c }}"
        ))
    };
    let (mut engine, mut reported) = seen(&with("1, 2"), "a1 b1");
    let done = engine.replace_rules(&with("3")).unwrap();
    let change = done.rule("r").unwrap();
    assert_eq!((&change.verdict, change.kept), (&Verdict::Kept, 1));
    assert_ne!(change.old_version, change.new_version);
    push(&mut engine, 2, "c1 a1 b1 c2 a3 b2 c3", &mut reported);
    assert_eq!(shown(&reported), ["match a1 b1 c1 @2", "match a3 b2 c3 @8"]);
}

#[test]
fn what_is_kept_quiet_stays_quiet() {
    let quiet =
        |condition: &str| format!("match a[{condition}] -> b  suppress 10s  emit {{ n: a.n }}");
    for new in
        [quiet("n >= 0"), quiet("n >= 0") + " on timeout emit { n: a.n } within 1h", quiet("n > 0")]
    {
        let (mut engine, mut reported) = seen(&rule(&quiet("n >= 0")), "a1 b1 a2");
        engine.replace_rules(&rule(&new)).unwrap();
        push(&mut engine, 3, "a3 b3 d1 d1 d1 d1 d1 d1 a4 b4", &mut reported);
        let reported: Vec<_> =
            shown(&reported).into_iter().filter(|reported| reported.starts_with("match")).collect();
        assert_eq!(reported, ["match a1 b1 @1", "match a4 b4 @12"], "{new}");
    }
}

#[test]
fn a_new_having_holds_at_once_and_keeps_partial_matches() {
    let with = |having: &str| format!("match a -> b  emit {{ n: a.n }}  {having}");
    for (old, new, expected) in [
        ("", "having n > 1", ["match a3 b3 @4"].as_slice()),
        ("having n > 1", "", &["match a1 b1 @2", "match a3 b3 @4"]),
        ("having n > 1", "having n < 2", &["match a1 b1 @2"]),
    ] {
        let (mut engine, mut reported) = seen(&rule(&with(old)), "a1");
        engine.replace_rules(&rule(&with(new))).unwrap();
        push(&mut engine, 2, "b1 a3 b3", &mut reported);
        let reported: Vec<_> =
            shown(&reported).into_iter().filter(|reported| reported.starts_with("match")).collect();
        assert_eq!(reported, expected, "{old} / {new}");
    }
}

#[test]
fn rules_that_feed_others_can_be_replaced() {
    let with = |fields: &str, condition: &str| {
        rules(&format!(
            "rule feeds {{ match a -> b  emit as pair {{ {fields} }} }}
             rule reads {{ match pair[n > 0] -> pair[{condition}] as second -> c  emit {{ n: second.n }} }}"
        ))
    };
    let (mut engine, mut reported) = seen(&with("n: a.n", "n > 0"), "a1 b1 a2");
    // The type of what is fed gets a field, and what reads it another condition.
    let done = engine.replace_rules(&with("m: b.n, n: a.n", "m > 5")).unwrap();
    let kept: Vec<_> =
        done.rules.iter().map(|rule| (&*rule.rule, rule.kept, rule.dropped)).collect();
    assert_eq!(kept, [("feeds", 1, 0), ("reads", 1, 0)]);
    push(&mut engine, 3, "b3 a4 b9 c1", &mut reported);
    // Of a pair `m` is shown, which there was not when the first was made.
    assert_eq!(
        shown(&reported),
        ["match a1 b1 @1", "match a2 b3 @3", "match a4 b9 @5", "match pairnull second9 c1 @6"]
    );
    let Some(Output::Match(found)) = reported.last() else { panic!("{reported:?}") };
    assert_eq!(found.emit.to_string(), "{ n: 4 }");
    // One that reads what it did not read before.
    let more = rules(
        "rule feeds { match a -> b  emit as pair { m: b.n, n: a.n } }
         rule other { match pair as p  emit { n: p.n } }",
    );
    let done = engine.replace_rules(&more).unwrap();
    let verdicts: Vec<_> = done.rules.iter().map(|rule| rule.verdict.clone()).collect();
    assert_eq!(verdicts, [Verdict::Unchanged, Verdict::Added, Verdict::Removed]);
    reported.clear();
    push(&mut engine, 7, "a7 b7 d1", &mut reported);
    assert_eq!(shown(&reported), ["match a7 b7 @8", "match p7 @8"]);
}

#[test]
fn large_rules_are_compared_in_no_time() {
    let steps = |count: usize, one: &str| vec![one; count].join(" -> ");
    let cases = [
        (steps(400, "a{0..1 each}"), 2, true),
        (steps(2000, "a"), 2, true),
        (String::from("a{5000}"), 2, true),
        (format!("({}){{1..}}", steps(200, "a")), 250, true),
        // A loop over too many steps to look into, before it is entered again and after.
        (format!("({}){{1..}}", steps(300, "a")), 250, true),
        (format!("({}){{1..}}", steps(300, "a")), 350, false),
    ];
    for (body, count, is_kept) in cases {
        let old = format!("match a -> {body} -> b  limit 1 partials drop newest");
        let new = format!("match a -> {body} -> b[n > 1]  limit 1 partials drop newest");
        let (change, _) = replaced(&old, &"a1 ".repeat(count), &new);
        assert_eq!(change.dropped == 0, is_kept, "{change}");
    }
}

#[test]
fn what_is_only_reported_otherwise_keeps_all_however_large_its_loops_are() {
    let body = format!(
        "match a -> ({}){{1..}} -> b  limit 1 partials drop newest",
        vec!["a"; 300].join(" -> ")
    );
    let new = format!("{body}  emit {{ reported: 1 }}");
    let (change, _) = replaced(&body, &"a1 ".repeat(350), &new);
    assert_eq!((&change.verdict, change.dropped), (&Verdict::Kept, 0), "{change}");
}

#[test]
fn what_was_over_stays_over() {
    // Where nothing is reported at a deadline, it goes a little later.
    let new =
        ["within 20s", "within 20s  on timeout emit { n: a.n }", "", "within 8s  emit { n: a.n }"];
    for clauses in new {
        let (mut engine, mut reported) = seen(&rule("match a -> b  within 8s"), "a1");
        engine.advance(Timestamp::from_millis(8500), &mut reported).unwrap();
        assert_eq!(engine.stats().partials, 1);
        engine.replace_rules(&rule(&format!("match a -> b  {clauses}"))).expect("it can be run");
        push(&mut engine, 10, "b2", &mut reported);
        engine.end_time(&mut reported).unwrap();
        assert_eq!(shown(&reported), [""; 0], "{clauses}");
    }
}

#[test]
fn a_lower_limit_holds_at_once() {
    for (policy, left) in [("drop newest", "match a1 b9 @9"), ("drop oldest", "match a3 b9 @9")] {
        let new = format!("match a -> b  skip none  limit 1 partials {policy}");
        let (change, mut engine) = replaced("match a -> b  skip none", "a1 a2 a3", &new);
        assert_eq!((change.kept, change.dropped), (1, 2), "{change}");
        let mut reported = Vec::new();
        push(&mut engine, 9, "b9", &mut reported);
        assert_eq!(shown(&reported), [left]);
    }
}

#[test]
fn event_types_may_change() {
    let old = RuleSet::parse(
        "event a { at: time, k: int }
         event b { at: time, k: int, gone: string }
         rule r { key k  match a -> b  emit { k } }
         rule other { key k  match b -> a }",
    )
    .unwrap();
    // Another order, fields that come and go, a type that is new, one whose field is another.
    let new = RuleSet::parse(
        "event z { k: int, at: time }
         event b { extra: int?, k: int, at: time }
         event a { k: int, at: time, extra: int? }
         rule r { key k  match a -> b  emit { k, extra: b.extra } }
         rule other { key k  match b -> a }
         rule fresh { key k  match z }",
    )
    .unwrap();
    let at = |second: i64| ("at", Value::Time(Timestamp::from_millis(1000 * second)));
    let mut engine: Engine<Record> =
        Engine::builder().rules(&old).out_of_order(Duration::from_secs(2)).build().unwrap();
    let mut reported = Vec::new();
    let mut make = |engine: &mut Engine<Record>, ty, fields: Vec<(&str, Value)>| {
        let event = Record::from_fields(engine.schema(), ty, fields).unwrap();
        engine.push(&event, &mut reported).unwrap();
    };
    let k = || ("k", Value::Int(7));
    make(&mut engine, "a", vec![at(0), k()]);
    make(&mut engine, "b", vec![at(5), k(), ("gone", Value::from("x"))]); // waits to be put in order
    let done = engine.replace_rules(&new).unwrap();
    let verdicts: Vec<_> = done.rules.iter().map(|rule| rule.verdict.clone()).collect();
    assert_eq!(verdicts, [Verdict::Kept, Verdict::Kept, Verdict::Added]);
    make(&mut engine, "a", vec![at(6), k()]);
    make(&mut engine, "z", vec![at(7), k()]);
    make(&mut engine, "b", vec![at(9), k(), ("extra", Value::Int(3))]);
    engine.end_time(&mut reported).unwrap();
    let emitted: Vec<_> = reported
        .iter()
        .map(|reported| match reported {
            Output::Match(found) => format!("{} {}", found.rule, found.emit),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        emitted,
        ["r { k: 7, extra: null }", "other null", "fresh null", "r { k: 7, extra: 3 }"]
    );

    let retyped = RuleSet::parse(
        "event a { k: int, at: time, extra: string? }
         event b { extra: int?, k: int, at: time }
         rule r { key k  match a -> b  emit { k, extra: b.extra } }",
    )
    .unwrap();
    let plan = engine.plan_replacement(&retyped);
    let reason = String::from("the field `a.extra` is declared with another type");
    assert_eq!(plan.rule("r").unwrap().verdict, Verdict::Reset(reason));
    assert_eq!(plan.rule("other").unwrap().verdict, Verdict::Removed);
}

#[cfg(feature = "derive")]
#[test]
fn rules_that_do_not_fit_the_events_are_refused_and_nothing_changes() {
    use kleene::{Event, Pattern};

    #[derive(Clone, Event)]
    struct A {
        n: i64,
        at: Timestamp,
    }

    let rules = |body: &str| {
        RuleSet::parse(&format!("event a {{ n: int, m: int?, at: time }} rule r {{ {body} }}"))
            .unwrap()
    };
    let own = Pattern::<A>::begin("x").followed_by("y").build().unwrap();
    let mut engine = Engine::builder()
        .pattern("own", &own)
        .rules(&rules("match a[n > 0] -> a[n > 1]"))
        .build()
        .unwrap();
    let mut reported = Vec::new();
    let event = |second: i64| A { n: second, at: Timestamp::from_millis(1000 * second) };
    engine.push(&event(1), &mut reported).unwrap();
    let refused = engine.replace_rules(&rules("match a[m > 0]")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the rules cannot be replaced; the rule `r` does not fit the events: the events' type `a` \
         has no field `m`, which the rule reads"
    );
    assert!(refused.replacement().is_refused());
    // A rule that the host built stays, too, with what it holds.
    engine.replace_rules(&rules("match a[n > 0] -> a[n > 5]")).unwrap();
    for second in 2..7 {
        engine.push(&event(second), &mut reported).unwrap();
    }
    let names: Vec<_> = engine.rules().map(|rule| rule.name.clone()).collect();
    assert_eq!(names, ["own".into(), "r".into()] as [Arc<str>; 2]);
    let matches: Vec<_> = reported
        .iter()
        .filter_map(|reported| match reported {
            Output::Match(found) => Some((&*found.rule, found.first_event_at.as_millis() / 1000)),
            _ => None,
        })
        .collect();
    assert_eq!(matches, [("own", 1), ("own", 3), ("own", 5), ("r", 1)]);
}

// Random patterns.

/// Where combinations explode, the rest of the stream is left out.
const MOST_PARTIALS: u64 = 1500;

/// The rule that says `pattern`, with more clauses; `None` where the language has no words for it.
fn as_rules(pattern: &Pattern, clauses: &str) -> Option<RuleSet> {
    let rule = rule_text(pattern, clauses)?;
    RuleSet::parse(&format!("event e {{ type: string, v: int }}\n{rule}")).ok()
}

/// The same as text, without the event type.
fn rule_text(pattern: &Pattern, clauses: &str) -> Option<String> {
    let text = text::rule(pattern).ok()?;
    let (start, end) = (text.find("rule r {")?, text.rfind('}')?);
    Some(format!("{}{clauses}\n}}\n", &text[start..end]))
}

fn engine(rules: &RuleSet) -> Option<Engine<Record>> {
    Engine::builder().rules(rules).build().ok()
}

/// Returns the outputs without the rule's name and without what it emits.
fn without_version(reported: &[Output<Record>]) -> Vec<String> {
    let found = |kind: &str, found: &kleene::stream::OwnedMatch<Record>| {
        let events = found.captures.iter().map(|(name, event)| {
            format!("{name}={:?}@{}", event.values(), event.time().as_millis())
        });
        format!("{kind} {:?} at {}", events.collect::<Vec<_>>(), found.reported_at.as_millis())
    };
    reported
        .iter()
        .map(|output| match output {
            Output::Match(one) => found("match", one),
            Output::Timeout(one) => found("timeout", &one.found),
            other => format!("{other:?}"),
        })
        .collect()
}

/// The steps of a pattern with their conditions.
fn steps(sequence: &Sequence, found: &mut Vec<(StepId, ConditionId)>) {
    for item in &sequence.items {
        match &item.kind {
            ItemKind::Step { step, condition, .. } | ItemKind::Not { step, condition } => {
                found.push((*step, *condition));
            }
            ItemKind::Group { body, .. } => steps(body, found),
            ItemKind::Alternatives { branches, .. } => {
                for branch in branches {
                    steps(branch, found);
                }
            }
        }
    }
    found.extend(sequence.without.iter().map(|without| (without.step, without.condition)));
}

/// The conditions of `until`, and of the loops of one step that they end.
fn untils(sequence: &Sequence, found: &mut Vec<ConditionId>) {
    for item in &sequence.items {
        match &item.kind {
            ItemKind::Step { condition, quantifier, .. } => {
                if let Some(until) = quantifier.until {
                    found.extend([until, *condition]);
                }
            }
            ItemKind::Not { .. } => {}
            ItemKind::Group { body, quantifier, .. } => {
                found.extend(quantifier.until);
                untils(body, found);
            }
            ItemKind::Alternatives { branches, .. } => {
                for branch in branches {
                    untils(branch, found);
                }
            }
        }
    }
}

/// True if a `not` leads to the last step. The event that this step takes is exempt from the `not`,
/// so that an edit of the step is one of the `not`, too.
fn is_exempt_from_a_not(body: &Sequence) -> bool {
    let is_optional = |kind: &ItemKind| match kind {
        ItemKind::Step { quantifier, .. } | ItemKind::Group { quantifier, .. } => {
            quantifier.optional
        }
        ItemKind::Not { .. } | ItemKind::Alternatives { .. } => false,
    };
    let mut before = body.items.iter().rev().map(|item| &item.kind).skip(1);
    matches!(before.find(|kind| !is_optional(kind)), Some(ItemKind::Not { .. }))
}

/// The value that no event has before a rule is replaced.
const NEW_VALUE: i64 = 9;

/// The pattern with another condition, which differs only for events with the new value.
fn edited(pattern: &Pattern, condition: ConditionId, wider: bool) -> Pattern {
    let mut pattern = pattern.clone();
    let is_new = |op| {
        let value = Expr::Literal(Value::Int(NEW_VALUE));
        let field = Expr::Field(FieldRef::Declared(FieldId::new(1)));
        Expr::Binary(op, Box::new(field), Box::new(value))
    };
    let binary = |op, a, b| Test::Expr(Expr::Binary(op, Box::new(a), Box::new(b)));
    // Of several that a `not` names, the first is edited.
    let condition = match &pattern.conditions[condition.index()].test {
        Test::OneOf(parts) => parts[0],
        _ => condition,
    };
    let test = &mut pattern.conditions[condition.index()].test;
    *test = match test.clone() {
        Test::Expr(old) if wider => binary(BinaryOp::Or, old, is_new(BinaryOp::Eq)),
        Test::Expr(old) => binary(BinaryOp::And, old, is_new(BinaryOp::Ne)),
        _ => Test::Expr(is_new(BinaryOp::Ne)),
    };
    pattern
}

/// The events from `moment` on with some that have the new value.
fn with_new_values(events: &[Record], moment: usize) -> Vec<Record> {
    let change = |(index, event): (usize, &Record)| match event.values() {
        [ty, Value::Int(v)] if index >= moment && *v >= 3 => {
            let values = vec![ty.clone(), Value::Int(NEW_VALUE)];
            Record::new(event.type_id(), event.time(), values)
        }
        _ => event.clone(),
    };
    events.iter().enumerate().map(change).collect()
}

/// Checks the numbers of partial matches of a replacement among these rule sets.
fn check_counts<'a>(
    engine: &Engine<Record>,
    done: &Replacement,
    before: u64,
    sets: impl IntoIterator<Item = &'a RuleSet>,
) -> Result<(), TestCaseError> {
    let kept: u64 = done.rules.iter().map(|rule| rule.kept).sum();
    let (after, all) = (engine.stats().partials, kept + done.dropped());
    if sets.into_iter().all(counts_partials_exactly) {
        prop_assert_eq!((kept, all), (after, before));
    } else {
        prop_assert!(
            kept >= after && all >= before,
            "{}: {} before, {} after",
            done,
            before,
            after
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rule_set_replaced_by_itself_changes_no_output(
        pattern in random::runnable(),
        events in random::stream(),
        moments in prop::collection::vec(0..3_u8, 13),
        lateness in 0..3_u64,
        key in prop::sample::select(vec!["", "key v", "key type, v"]),
    ) {
        let Some(rules) = as_rules(&pattern.0, key) else { return Ok(()) };
        // Its version is another one, and with it the way on which everything goes over.
        let reported_so = format!("{key} # the same\n emit {{ reported: 1 }}");
        let reported_so = as_rules(&pattern.0, &reported_so).expect("it can report something");
        let start = || {
            let engine = Engine::builder().rules(&rules);
            engine.out_of_order(Duration::from_millis(lateness)).build().ok()
        };
        let (Some(mut plain), Some(mut live)) = (start(), start()) else { return Ok(()) };
        let (mut expected, mut reported) = (Vec::new(), Vec::new());
        for (event, moment) in events.0.iter().zip(moments) {
            if moment > 0 {
                let new = if moment == 1 { &rules } else { &reported_so };
                let before = live.stats().partials;
                let done = live.replace_rules(new).expect("it was run before");
                check_counts(&live, &done, before, [&rules, new])?;
                let verdict = &done.rules[0].verdict;
                prop_assert!(matches!(verdict, Verdict::Unchanged | Verdict::Kept), "{}", done);
            }
            plain.push(event, &mut expected).expect("it has not ended");
            live.push(event, &mut reported).expect("it has not ended");
            prop_assert_eq!(without_version(&reported), without_version(&expected));
            if plain.stats().partials > MOST_PARTIALS {
                break;
            }
        }
        plain.end_time(&mut expected).unwrap();
        live.end_time(&mut reported).unwrap();
        prop_assert_eq!(without_version(&reported), without_version(&expected));
        let counts = |engine: &Engine<Record>| (engine.stats().partials, engine.stats().keys);
        prop_assert_eq!(counts(&live), counts(&plain));
    }

    #[test]
    fn a_rule_edited_where_nothing_has_passed_finds_what_it_would_have_found_from_the_start(
        pattern in random::runnable(),
        events in random::stream(),
        moment in 0..13_usize,
        which in any::<prop::sample::Index>(),
        wider in any::<bool>(),
    ) {
        let mut all = Vec::new();
        steps(&pattern.0.body, &mut all);
        let (_, condition) = *which.get(&all);
        let new = Built(edited(&pattern.0, condition, wider));
        let (Some(old), Some(new)) = (as_rules(&pattern.0, ""), as_rules(&new.0, "")) else {
            return Ok(());
        };
        let (Some(mut from_start), Some(mut live)) = (engine(&new), engine(&old)) else {
            return Ok(());
        };
        let events = with_new_values(&events.0, moment);
        let (mut expected, mut reported) = (Vec::new(), Vec::new());
        let mut all_kept = true;
        for (index, event) in events.iter().enumerate() {
            if index == moment {
                let before = live.stats().partials;
                let done = live.replace_rules(&new).expect("it runs elsewhere");
                check_counts(&live, &done, before, [&old, &new])?;
                all_kept = done.dropped() == 0;
            }
            from_start.push(event, &mut expected).expect("it has not ended");
            live.push(event, &mut reported).expect("it has not ended");
            if from_start.stats().partials > MOST_PARTIALS {
                break;
            }
        }
        from_start.end_time(&mut expected).unwrap();
        live.end_time(&mut reported).unwrap();
        let (expected, reported) = (without_version(&expected), without_version(&reported));
        if all_kept {
            prop_assert_eq!(reported, expected);
        } else if pattern.0.skip.strategy == SkipStrategy::None {
            // Where the part that would have matched is dropped, the rest of it times out.
            let mut matches = reported.iter().filter(|one| one.starts_with("match"));
            prop_assert!(matches.all(|one| expected.contains(one)), "{:?} {:?}", reported, expected);
        }
    }

    #[test]
    fn rules_that_did_not_change_go_on_among_others(
        patterns in prop::collection::vec(random::runnable(), 3),
        events in random::stream(),
        moments in prop::collection::vec(prop::option::weighted(0.4, 0..3_usize), 13),
        key in prop::sample::select(vec!["", "key v"]),
    ) {
        let alone: Vec<String> =
            patterns.iter().filter_map(|pattern| rule_text(&pattern.0, key)).collect();
        let [first, second, other] = &alone[..] else { return Ok(()) };
        let together = |rules: &[(&str, &String)]| {
            let mut text = String::from("event e { type: string, v: int }\n");
            for (name, rule) in rules {
                text += &rule.replacen("rule r {", &format!("rule {name} {{"), 1);
            }
            RuleSet::parse(&text).ok()
        };
        let sets = [
            together(&[("a", first), ("b", second)]),
            together(&[("b", second), ("x", other), ("a", first)]),
            together(&[("x", first), ("a", first), ("y", other), ("b", second)]),
        ];
        let [Some(one), Some(two), Some(three)] = sets else { return Ok(()) };
        let sets = [one, two, three];
        let (Some(mut plain), Some(mut live)) = (engine(&sets[0]), engine(&sets[0])) else {
            return Ok(());
        };
        let (mut expected, mut reported) = (Vec::new(), Vec::new());
        for (event, moment) in events.0.iter().zip(moments) {
            if let Some(moment) = moment {
                let before = live.stats().partials;
                // What cannot be run is refused, and then nothing changes.
                if let Ok(done) = live.replace_rules(&sets[moment]) {
                    check_counts(&live, &done, before, &sets)?;
                    for name in ["a", "b"] {
                        let change = done.rule(name).expect("it is in all of them");
                        prop_assert_eq!(&change.verdict, &Verdict::Unchanged);
                    }
                }
            }
            plain.push(event, &mut expected).expect("it has not ended");
            live.push(event, &mut reported).expect("it has not ended");
            if live.stats().partials > MOST_PARTIALS {
                break;
            }
        }
        plain.end_time(&mut expected).unwrap();
        live.end_time(&mut reported).unwrap();
        for name in ["a", "b"] {
            let of_rule = |reported: &[Output<Record>]| -> Vec<Output<Record>> {
                let of_rule = reported.iter().filter(|reported| match reported {
                    Output::Match(found) => *found.rule == *name,
                    Output::Timeout(timeout) => *timeout.found.rule == *name,
                    _ => false,
                });
                of_rule.cloned().collect()
            };
            prop_assert_eq!(of_rule(&reported), of_rule(&expected));
        }
    }

    #[test]
    fn an_edit_of_the_last_step_keeps_all_that_have_not_reached_it(
        pattern in random::runnable(),
        events in random::stream(),
        moment in 0..13_usize,
    ) {
        let Some(ItemKind::Step { step, condition, .. }) =
            pattern.0.body.items.last().map(|item| &item.kind)
        else {
            return Ok(());
        };
        if is_exempt_from_a_not(&pattern.0.body) {
            return Ok(());
        }
        // What an `until` or the loop that it ends asks, too, is one question before the edit and
        // two after it: then a place of the automaton becomes two.
        let says = |id: ConditionId| format!("{:?}", pattern.0.conditions[id.index()].test);
        let mut others = Vec::new();
        untils(&pattern.0.body, &mut others);
        if others.into_iter().any(|until| says(until) == says(*condition)) {
            return Ok(());
        }
        let new = edited(&pattern.0, *condition, false);
        let (Some(old), Some(new)) = (as_rules(&pattern.0, ""), as_rules(&new, "")) else {
            return Ok(());
        };
        let Some(mut live) = engine(&old) else { return Ok(()) };
        for event in events.0.iter().take(moment) {
            live.push(event, &mut Vec::new()).expect("it has not ended");
            if live.stats().partials > MOST_PARTIALS {
                return Ok(());
            }
        }
        let name = &pattern.0.steps[step.index()].name;
        let not_reached = |engine: &Engine<Record>| -> Vec<String> {
            let partials = engine.collect_partials("r");
            let before = partials.iter().filter(|partial| {
                !partial.is_complete() && partial.captures().all(|(step, _)| step != name)
            });
            before.map(|partial| format!("{:?}", partial.captures().collect::<Vec<_>>())).collect()
        };
        let before = not_reached(&live);
        let done = live.replace_rules(&new).expect("it differs in a condition");
        prop_assert_eq!(not_reached(&live), before, "{}", done);
    }

    #[test]
    fn any_rule_can_take_the_place_of_any_other(
        patterns in prop::collection::vec(random::runnable(), 3),
        events in random::stream(),
        moments in prop::collection::vec(prop::option::weighted(0.3, 0..3_usize), 13),
    ) {
        let all: Vec<RuleSet> =
            patterns.iter().filter_map(|pattern| as_rules(&pattern.0, "")).collect();
        let Some(mut live) = all.first().and_then(engine) else { return Ok(()) };
        let mut reported = Vec::new();
        for (event, moment) in events.0.iter().zip(moments) {
            if let Some(new) = moment.and_then(|moment| all.get(moment)) {
                let before = live.stats().partials;
                if let Ok(done) = live.replace_rules(new) {
                    check_counts(&live, &done, before, &all)?;
                }
            }
            live.push(event, &mut reported).expect("it has not ended");
            if live.stats().partials > MOST_PARTIALS {
                break;
            }
        }
        // Whatever was replaced, what is reported is in the order of time.
        let mut last = Timestamp::MIN;
        for one in &reported {
            let (Output::Match(found) | Output::Timeout(kleene::stream::OwnedTimeout { found, .. })) = one
            else {
                continue;
            };
            prop_assert!(found.reported_at >= last, "{:?}", without_version(&reported));
            last = found.reported_at;
        }
        live.end_time(&mut reported).unwrap();
        prop_assert_eq!((live.stats().partials, live.stats().keys), (0, 0));
    }
}
