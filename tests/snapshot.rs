//! Snapshots: an engine that is made again goes on as if nothing had happened, whatever the rules
//! and whenever it was; bytes that are no snapshot are refused.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kleene::ruleset::Rule;
use kleene::stream::{EngineBuilder, Ignore, Output, RestoreError, Verdict};
use kleene::{Engine, Record, RuleSet, Timestamp, Value};
use kleene_engine::Shard;
use kleene_test::files::rule_files;
use kleene_test::random;
use kleene_test::restore::{
    Step, any_bytes_are_taken_or_refused, restoring_changes_nothing, with_checksum,
};
use kleene_test::steps::{Dice, as_rules, made_up, shuffled, steps_of_tests};
use proptest::prelude::*;

fn files(folder: &str) -> Vec<PathBuf> {
    rule_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
}

fn load(file: &Path) -> RuleSet {
    RuleSet::from_path(file).unwrap_or_else(|error| panic!("{error}"))
}

fn builder(rules: &RuleSet, lateness: i64) -> EngineBuilder<Record> {
    let builder = Engine::builder().rules(rules);
    builder.out_of_order(Duration::from_millis(lateness.unsigned_abs()))
}

#[test]
fn every_construct_goes_on_after_a_restart_at_any_moment() {
    let (mut reported, mut dice) = (0, Dice(7));
    for file in files("testdata/suite").into_iter().chain(files("patterns")) {
        let rules = load(&file);
        let known = steps_of_tests(&rules);
        let check = |lateness, steps: &[Step], restore: &mut dyn FnMut(usize) -> bool| {
            restoring_changes_nothing(|| Some(builder(&rules, lateness)), steps, restore)
                .unwrap_or_else(|different| panic!("{}: {different}", file.display()))
        };
        reported += check(0, &known, &mut |_| true);
        for _ in 0..6 {
            let steps = made_up(&rules, &known, &mut dice);
            reported += check(2000, &steps, &mut |_| dice.below(2) == 0);
        }
    }
    assert!(reported > 5000, "only {reported} matches and timeouts are compared");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn restored_is_as_never_stopped(
        pattern in random::runnable(),
        events in random::stream(),
        late in prop::collection::vec(0..4_i64, 13),
        restore in prop::collection::vec(any::<bool>(), 13),
        lateness in 0..3_i64,
        clauses in prop::sample::select(vec![
            "", "key v", "key type, v", "suppress 3ms", "key v suppress 5ms by 1", "key v once",
            "key v once per rule",
        ]),
    ) {
        let Some(rules) = as_rules(&pattern.0, clauses) else { return Ok(()) };
        let steps = shuffled(&events.0, &late);
        let done = restoring_changes_nothing(
            || Some(builder(&rules, lateness)),
            &steps,
            |index| restore.get(index).copied().unwrap_or(true),
        );
        prop_assert!(done.is_ok(), "{}", done.unwrap_err());
    }

    #[test]
    fn other_rules_go_on_as_if_they_had_been_replaced(
        patterns in prop::collection::vec(random::runnable(), 2),
        edit in any::<bool>(),
        events in random::stream(),
        moment in 0..13_usize,
    ) {
        let Some(old) = as_rules(&patterns[0].0, "key v") else { return Ok(()) };
        let new = if edit {
            as_rules(&patterns[0].0, "key v emit { reported: 1 }")
        } else {
            as_rules(&patterns[1].0, "key v")
        };
        let Some(new) = new else { return Ok(()) };
        let (Ok(mut live), mut reported) = (builder(&old, 1).build(), Vec::new()) else {
            return Ok(());
        };
        let moment = moment.min(events.0.len());
        for event in &events.0[..moment] {
            live.push(event, &mut reported).expect("it has not ended");
            if live.stats().partials > 1500 {
                return Ok(());
            }
        }
        let bytes = live.snapshot();
        let replaced = live.replace_rules(&new);
        let restored = builder(&new, 1).restore(&[&bytes]);
        let (Ok(replaced), Ok((mut restored, verdicts))) = (&replaced, restored) else {
            prop_assert!(replaced.is_err());
            return Ok(());
        };
        prop_assert_eq!(replaced, &verdicts);
        let (mut expected, mut reported) = (Vec::new(), Vec::new());
        for event in &events.0[moment..] {
            live.push(event, &mut expected).expect("it has not ended");
            restored.push(event, &mut reported).expect("it has not ended");
        }
        live.end_time(&mut expected).unwrap();
        restored.end_time(&mut reported).unwrap();
        prop_assert_eq!(reported, expected);
    }

    #[test]
    fn damage_is_noticed(
        pattern in random::runnable(),
        events in random::stream(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
        end in any::<prop::sample::Index>(),
    ) {
        let Some(rules) = as_rules(&pattern.0, "key v") else { return Ok(()) };
        let Ok(mut engine) = builder(&rules, 1).build() else { return Ok(()) };
        let steps: Vec<Step> = events.0.iter().cloned().map(Step::Push).collect();
        for event in &events.0 {
            engine.push(event, &mut Ignore).expect("it has not ended");
            if engine.stats().partials > 1500 {
                return Ok(());
            }
        }
        let bytes = engine.snapshot();
        let mut flipped = bytes.clone();
        flipped[at.index(bytes.len())] ^= 1 << bit;
        let refused = |bytes: &[u8]| builder(&rules, 1).restore(&[bytes]).err();
        prop_assert!(matches!(
            refused(&flipped),
            Some(RestoreError::Damaged | RestoreError::NotASnapshot | RestoreError::Version(_))
        ));
        prop_assert_eq!(refused(&bytes[..end.index(bytes.len())]), Some(RestoreError::Damaged));
        // A checksum that holds makes it no better; what comes of it is no panic.
        any_bytes_are_taken_or_refused(builder(&rules, 1), &with_checksum(&flipped), &steps);
    }
}

#[test]
fn any_damage_that_the_checksum_hides_is_taken_or_refused() {
    let mut dice = Dice(3);
    let mut taken = 0;
    for file in files("testdata/suite") {
        let rules = load(&file);
        let steps = steps_of_tests(&rules);
        let Ok(mut engine) = builder(&rules, 2000).build() else { continue };
        for step in &steps {
            if let Step::Push(event) = step {
                drop(engine.push(event, &mut Ignore));
            }
        }
        let bytes = engine.snapshot();
        for _ in 0..60 {
            let mut damaged = bytes.clone();
            for _ in 0..=dice.below(3) {
                // After the header; numbers at their edges are where mistakes are.
                let at = 12 + dice.below(bytes.len() - 16);
                damaged[at] = [0, 1, 0x7f, 0x80, 0xff, damaged[at] ^ 1][dice.below(6)];
            }
            let damaged = with_checksum(&damaged);
            taken += usize::from(builder(&rules, 2000).restore(&[&damaged]).is_ok());
            any_bytes_are_taken_or_refused(
                builder(&rules, 2000),
                &damaged,
                &steps[..steps.len().min(20)],
            );
        }
    }
    assert!(taken > 100, "only {taken} were taken: the damage never reaches what is inside");
}

#[test]
fn what_a_fuzzer_calls_holds_for_some_bytes() {
    let mut dice = Dice(11);
    for length in 0..300 {
        let data: Vec<u8> = (0..length).map(|_| dice.below(256).to_le_bytes()[0]).collect();
        kleene_test::restore::fuzz(&data);
    }
}

/// `testdata/snapshots` has what versions wrote: for each a rule file, the snapshot, and what an
/// engine that is made of it reports at the end of time. `KLEENE_TEST_UPDATE=1` writes what is
/// missing.
#[test]
fn what_older_versions_wrote_is_read() {
    let files = files("testdata/snapshots");
    assert!(!files.is_empty());
    for file in files {
        // A snapshot names the files of its rules: by where they are in the repository.
        let rules = load(file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap());
        let snapshot = file.with_extension("snapshot");
        if std::env::var_os("KLEENE_TEST_UPDATE").is_some() && !snapshot.exists() {
            let mut engine = builder(&rules, 5000).build().unwrap();
            for step in steps_of_tests(&rules) {
                match step {
                    Step::Push(event) => engine.push(&event, &mut Ignore).unwrap(),
                    Step::Advance(to) => engine.advance(to, &mut Ignore).unwrap(),
                }
            }
            std::fs::write(&snapshot, engine.snapshot()).unwrap();
            let mut reported = Vec::new();
            engine.end_time(&mut reported).unwrap();
            std::fs::write(file.with_extension("outputs"), shown(&reported)).unwrap();
        }
        let bytes = std::fs::read(&snapshot).unwrap();
        let (mut engine, verdicts) = builder(&rules, 5000).restore(&[&bytes]).unwrap();
        for change in &verdicts.rules {
            if &*change.rule == REFUSED {
                assert_eq!(change.verdict, Verdict::Removed, "{}: {change}", file.display());
                continue;
            }
            assert_eq!(change.verdict, Verdict::Unchanged, "{}: {change}", file.display());
            assert!(change.kept > 0, "{}: {change}", file.display());
        }
        assert!(engine.stats().buffered > 0 && engine.stats().derived > 0);
        let mut reported = Vec::new();
        engine.end_time(&mut reported).unwrap();
        let expected = std::fs::read_to_string(file.with_extension("outputs")).unwrap();
        assert_eq!(shown(&reported), expected, "{}", file.display());
    }
}

/// A rule of all the snapshots that can never match, which was not known when they were written: a
/// loop took all that the step behind it could take (E0413).
const REFUSED: &str = "rounds";

/// Matches and timeouts, a line each.
fn shown(reported: &[Output<Record>]) -> String {
    let line = |output: &Output<Record>| match output {
        Output::Match(found) => format!("match {} {} {}\n", found.rule, found.id, found.emit),
        Output::Timeout(one) => {
            format!("timeout {} {} {}\n", one.found.rule, one.found.id, one.found.emit)
        }
        Output::Filtered(found) => format!("filtered {} {}\n", found.rule, found.id),
        Output::Suppressed(found) => format!("suppressed {} {}\n", found.rule, found.id),
        other => format!("{other:?}\n"),
    };
    reported.iter().map(line).collect::<Vec<_>>().concat()
}

const SHOP: &str = "event paid { order: int, at: time }
    event sent { order: int, at: time }
    rule slow { key order  match paid -> sent[at - paid.at > 1h] within 2d }
    rule twice { key order  match paid{2} within 1d }";

fn shop(ty: &str, order: i64, second: i64, rules: &RuleSet) -> Record {
    let at = Timestamp::from_millis(1000 * second);
    Record::from_fields(rules.schema(), ty, [("order", order.into()), ("at", at.into())])
        .expect("they fit")
}

/// An engine that has seen a payment of each of these orders.
fn with_payments(orders: impl Iterator<Item = i64>) -> (RuleSet, Engine<Record>) {
    let rules = RuleSet::parse(SHOP).expect("they have no mistake");
    let mut engine = builder(&rules, 5000).build().expect("they can be run");
    for order in orders {
        engine.push(&shop("paid", order, order, &rules), &mut Ignore).expect("it has not ended");
    }
    (rules, engine)
}

#[test]
fn shards_are_engines_of_their_own_and_one_together() {
    let (rules, mut whole) = with_payments(0..100);
    let shards = Shard::split_snapshot(&whole, 3, |_, key| match key {
        [Value::Int(order)] => usize::try_from(*order).unwrap(),
        _ => 0,
    });
    let parts: Vec<&[u8]> = shards.iter().map(Vec::as_slice).collect();
    let (mut merged, _) = builder(&rules, 5000).restore(&parts).unwrap();
    assert_eq!(merged.stats(), whole.stats());
    let mut open = 0;
    let mut alone = Vec::new();
    for part in &parts {
        let (engine, _) = builder(&rules, 5000).restore(&[part]).unwrap();
        open += engine.stats().partials;
        alone.push(engine);
    }
    assert_eq!(open, whole.stats().partials);
    let (mut expected, mut reported, mut apart) = (Vec::new(), Vec::new(), Vec::new());
    for order in 0..100 {
        let event = shop("sent", order, 5000 + order / 10, &rules);
        whole.push(&event, &mut expected).unwrap();
        merged.push(&event, &mut reported).unwrap();
        alone[usize::try_from(order % 3).unwrap()].push(&event, &mut apart).unwrap();
    }
    whole.end_time(&mut expected).unwrap();
    merged.end_time(&mut reported).unwrap();
    assert_eq!(reported, expected);
    assert!(expected.len() > 50, "{}", expected.len());
    // Engines of their own, brought to one time, are one again.
    let snapshots: Vec<Vec<u8>> = alone
        .iter_mut()
        .map(|engine| {
            engine.advance(Timestamp::from_millis(5_020_000), &mut apart).unwrap();
            engine.snapshot()
        })
        .collect();
    let parts: Vec<&[u8]> = snapshots.iter().map(Vec::as_slice).collect();
    let (mut engine, _) = builder(&rules, 5000).restore(&parts).unwrap();
    engine.end_time(&mut apart).unwrap();
    let ids = |reported: &[Output<Record>]| {
        let mut ids: Vec<_> = reported
            .iter()
            .map(|reported| match reported {
                Output::Match(found) => found.id,
                other => panic!("{other:?}"),
            })
            .collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&apart), ids(&expected));
    assert_eq!(engine.stats().matches, whole.stats().matches);
}

/// The parts that have bytes.
fn stored(parts: &[Vec<u8>]) -> Vec<&[u8]> {
    parts.iter().map(Vec::as_slice).filter(|part| !part.is_empty()).collect()
}

/// A number of a rule and a key.
fn number_of(rule: &Rule, key: &[Value]) -> usize {
    key.iter().fold(rule.name.len(), |sum, value| 31 * sum + value.to_string().len())
}

/// All parts are written in one pass, and each of them holds what it would hold if it were written
/// without the others; those without bytes hold nothing.
#[test]
fn parts_of_every_construct_hold_the_whole_together() {
    let (mut dice, mut with_bytes, mut without) = (Dice(5), 0, 0);
    for file in files("testdata/suite").into_iter().chain(files("patterns")) {
        let rules = load(&file);
        let known = steps_of_tests(&rules);
        let steps = made_up(&rules, &known, &mut dice);
        let mut engine = builder(&rules, 2000).build().unwrap();
        let restored = |parts: &[&[u8]]| builder(&rules, 2000).restore(parts).unwrap().0;
        for (index, step) in steps.iter().enumerate() {
            match step {
                Step::Push(event) => drop(engine.push(event, &mut Ignore)),
                Step::Advance(to) => drop(engine.advance(*to, &mut Ignore)),
            }
            if index % 9 != 4 {
                continue;
            }
            let parts = Shard::split_snapshot(&engine, 5, number_of);
            let whole = restored(&stored(&parts));
            assert!(Shard::split_snapshot(&whole, 5, number_of) == parts, "{}", file.display());
            for (number, part) in parts.iter().enumerate() {
                let is_first = number == 0;
                let alone = Shard::split_snapshot(&engine, 2, |rule, key| {
                    usize::from((number_of(rule, key) % 5 == number) != is_first)
                });
                let alone = &alone[usize::from(!is_first)];
                assert_eq!(part.len(), alone.len(), "{}", file.display());
                if part.is_empty() {
                    without += 1;
                } else {
                    with_bytes += 1;
                    let [part, alone] = [part, alone].map(|bytes| restored(&[bytes]).snapshot());
                    assert!(part == alone, "{}", file.display());
                }
            }
        }
    }
    assert!(with_bytes > 500 && without > 300, "{with_bytes} parts with bytes, {without} without");
}

#[test]
fn many_parts_take_one_pass() {
    let (rules, engine) = with_payments(0..1000);
    let divide = |count: usize| {
        let mut calls = 0;
        let parts = Shard::split_snapshot(&engine, count, |_, key| {
            calls += 1;
            match key {
                [Value::Int(order)] => usize::try_from(*order).unwrap(),
                _ => unreachable!("the key is an order"),
            }
        });
        (calls, parts)
    };
    let ((calls, few), (calls_for_many, many)) = (divide(2), divide(32_768));
    assert_eq!(calls, calls_for_many);
    // Two rules; five payments wait to be put in order, the last one for its millisecond as well.
    assert!(calls <= 2 * (1000 + 6), "{calls} calls");
    assert_eq!((few.len(), stored(&few).len()), (2, 2));
    assert_eq!((many.len(), stored(&many).len()), (32_768, 1000));
    for parts in [few, many] {
        let (restored, _) = builder(&rules, 5000).restore(&stored(&parts)).unwrap();
        assert_eq!(restored.stats(), engine.stats());
    }
    // An engine that holds nothing has its counts.
    let engine = builder(&rules, 5000).build().unwrap();
    let parts = Shard::split_snapshot(&engine, 3, |_, _| 0);
    assert_eq!(stored(&parts), [parts[0].as_slice()]);
    let (restored, _) = builder(&rules, 5000).restore(&stored(&parts)).unwrap();
    assert!(restored.snapshot() == engine.snapshot());
    assert_eq!(Shard::split_snapshot(&engine, 0, |_, _| 0).len(), 1);
}

/// What `suppress` remembers for one key goes to the part of the key, in whatever order `by` has the
/// parts of the key; what it remembers for several keys goes to all parts.
#[test]
fn suppressed_keys_are_in_the_part_of_their_key() {
    let text = "event hit { user: int, port: int, at: time }
        rule calm { key user, port  match hit  emit { user }  suppress 1h by port, user }
        rule alike { key user  match hit as h  emit { port: h.port }  suppress 1h by port }";
    let rules = RuleSet::parse(text).unwrap();
    let hit = |user: i64, second: i64| {
        let at = Timestamp::from_millis(1000 * second).into();
        let fields = [("user", user.into()), ("port", 80.into()), ("at", at)];
        Record::from_fields(rules.schema(), "hit", fields).unwrap()
    };
    let mut engine = Engine::builder().rules(&rules).build().unwrap();
    for user in 0..100 {
        engine.push(&hit(user, user), &mut Ignore).unwrap();
    }
    let parts = Shard::split_snapshot(&engine, 1000, |_, key| match key {
        [Value::Int(user), ..] => usize::try_from(*user).unwrap(),
        _ => unreachable!("the key begins with a user"),
    });
    assert_eq!(stored(&parts).len(), 100);
    let restored = |parts: &[&[u8]]| Engine::builder().rules(&rules).restore(parts).unwrap().0;
    let mut whole = restored(&stored(&parts));
    for user in 0..100 {
        let mut alone = restored(&[&parts[usize::try_from(user).unwrap()]]);
        for engine in [&mut whole, &mut alone] {
            let mut reported = Vec::new();
            engine.push(&hit(user, 200 + user), &mut reported).unwrap();
            assert!(!shown(&reported).contains("match"), "{}", shown(&reported));
        }
        let mut reported = Vec::new();
        alone.push(&hit(user + 1, 200 + user), &mut reported).unwrap();
        assert!(shown(&reported).starts_with("match calm"), "{}", shown(&reported));
        assert!(!shown(&reported).contains("match alike"), "{}", shown(&reported));
    }
}

/// Events of several engines are never taken for one event, however alike the engines are; an event
/// that several parts of one engine have is one event.
#[test]
fn parts_of_engines_that_are_alike_are_told_apart() {
    let text = "event paid { order: int, card: int, at: time }
        rule twice { key order  match paid{2} within 1d }
        rule cards { key card  match paid{2} within 1d }";
    let rules = RuleSet::parse(text).unwrap();
    let paid = |order: i64, second: i64| {
        let at = Timestamp::from_millis(1000 * second).into();
        let fields = [("order", order.into()), ("card", (-order).into()), ("at", at)];
        Record::from_fields(rules.schema(), "paid", fields).unwrap()
    };
    let run = |order: i64| {
        let mut engine = builder(&rules, 5000).build().unwrap();
        for second in [90, 110, 111] {
            engine.push(&paid(order, second), &mut Ignore).unwrap();
        }
        engine
    };
    let (mut expected, mut reported) = (Vec::new(), Vec::new());
    let mut parts = Vec::new();
    for order in [1, 2] {
        let mut engine = run(order);
        // One part for each rule: each event is in both.
        parts.extend(Shard::split_snapshot(&engine, 2, |rule, _| {
            usize::from(&*rule.name == "cards")
        }));
        engine.end_time(&mut expected).unwrap();
    }
    assert_eq!(stored(&parts).len(), 4);
    let (mut joined, _) = builder(&rules, 5000).restore(&stored(&parts)).unwrap();
    assert_eq!((joined.stats().buffered, joined.stats().events), (4, 6));
    joined.end_time(&mut reported).unwrap();
    let lines = |reported: &[Output<Record>]| {
        let mut lines: Vec<String> = shown(reported).lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(lines(&reported), lines(&expected));
    assert_eq!(reported.len(), 4);
}

#[test]
fn changes_follow_a_base_and_are_as_big_as_what_changed() {
    let (rules, mut engine) = with_payments(0..10_000);
    assert!(engine.snapshot_changes().is_none(), "there is no base yet");
    let base = engine.snapshot_base();
    let mut parts = vec![base];
    for order in 0..20 {
        engine.push(&shop("sent", order, 10_010 + order, &rules), &mut Ignore).unwrap();
        parts.push(engine.snapshot_changes().expect("it follows the base"));
    }
    let largest = parts[1..].iter().map(Vec::len).max();
    assert!(largest < Some(3000), "{largest:?} bytes of {}", parts[0].len());
    let refs: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let (mut restored, _) = builder(&rules, 5000).restore(&refs).unwrap();
    assert_eq!(restored.stats(), engine.stats());
    let refused = |parts: &[&[u8]]| builder(&rules, 5000).restore(parts).unwrap_err();
    assert_eq!(refused(&[refs[1]]), RestoreError::Unfounded(0));
    assert_eq!(refused(&[refs[0], refs[2]]), RestoreError::Unfounded(1));
    let (mut expected, mut reported) = (Vec::new(), Vec::new());
    engine.end_time(&mut expected).unwrap();
    restored.end_time(&mut reported).unwrap();
    assert_eq!(reported, expected);
    assert!(engine.snapshot_changes().is_none(), "the end of time needs another base");
}

/// What `once` remembers never ends: changes hold what is new, and a chain of them all of it. What
/// `suppress` remembers is in each of them as a whole, as it ends.
#[test]
fn changes_hold_the_keys_that_once_has_ended_since() {
    let text = "event paid { order: int, at: time }
        event sent { order: int, at: time }
        rule first { key order  match paid -> sent within 2d  once }
        rule special { match paid[order == 9999] once per rule }
        rule rare { match sent  suppress 20s }";
    let rules = RuleSet::parse(text).expect("it has no mistake");
    let build = || Engine::<Record>::builder().rules(&rules);
    let mut engine = build().build().expect("it can be run");
    let end = |engine: &mut Engine<Record>, order: i64, second: i64| {
        let mut reported = Vec::new();
        for (ty, second) in [("paid", second), ("sent", second + 1)] {
            engine.push(&shop(ty, order, second, &rules), &mut reported).unwrap();
        }
        shown(&reported)
    };
    (0..10_000).for_each(|order| drop(end(&mut engine, order, 2 * order)));
    let base = engine.snapshot_base();
    assert!(base.len() > 10_000 * 3, "{} bytes", base.len());
    let mut parts = vec![base];
    for order in 10_000..10_020 {
        end(&mut engine, order, 2 * order);
        parts.push(engine.snapshot_changes().expect("it follows the base"));
    }
    let largest = parts[1..].iter().map(Vec::len).max();
    assert!(largest < Some(600), "{largest:?} bytes of {}", parts[0].len());
    let refs: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let (mut restored, _) = build().restore(&refs).unwrap();
    assert_eq!(restored.stats(), engine.stats());
    assert_eq!(restored.snapshot(), engine.snapshot());
    // Over before the base, since then, in the last changes; and one that is new.
    for (order, second) in [0, 9_999, 10_000, 10_019, 10_020].into_iter().zip(30_000..) {
        let expected = end(&mut engine, order, 2 * second);
        assert_eq!(end(&mut restored, order, 2 * second), expected, "{order}");
        assert_eq!(expected.contains("match first"), order == 10_020, "{order}");
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let (rules, one) = with_payments(0..10);
    let (_, later) = with_payments(0..11);
    let bytes = one.snapshot();
    let refuse = |parts: &[&[u8]]| builder(&rules, 5000).restore(parts).unwrap_err();
    assert_eq!(refuse(&[]), RestoreError::Nothing);
    assert_eq!(refuse(&[b"PK\x03\x04"]), RestoreError::NotASnapshot);
    assert_eq!(refuse(&[b""]), RestoreError::Damaged);
    let mut newer = bytes.clone();
    newer[8] = 9;
    assert_eq!(refuse(&[&newer]), RestoreError::Version(9));
    assert_eq!(refuse(&[&bytes, &later.snapshot()]), RestoreError::OtherTime);
    assert_eq!(refuse(&[&bytes, &bytes]), RestoreError::Overlap("slow".into()));
    let other = RuleSet::parse(&SHOP.replace("{2}", "{3}")).unwrap();
    let other = builder(&other, 5000).build().unwrap().snapshot();
    assert_eq!(refuse(&[&bytes, &other]), RestoreError::OtherRules("twice".into()));
    for error in [refuse(&[]), refuse(&[b"PK"]), refuse(&[&newer]), refuse(&[&bytes, &other])] {
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn what_becomes_of_each_rule_is_reported() {
    let (_, engine) = with_payments(0..10);
    let bytes = engine.snapshot();
    let new = SHOP
        .replace("rule twice { key order  match paid{2}", "rule thrice { match paid{3}")
        .replace("> 1h", "> 2h");
    let new = RuleSet::parse(&new).unwrap();
    let (restored, verdicts) = builder(&new, 5000).restore(&[&bytes]).unwrap();
    assert_eq!(
        verdicts.to_string(),
        "slow: kept (4 partial matches)\nthrice: added\ntwice: removed (4 partial matches dropped)"
    );
    assert_eq!((restored.stats().partials, restored.stats().buffered), (4, 6));
}

#[cfg(feature = "derive")]
mod own_types {
    use kleene::event::Portable;
    use kleene::{Event, Pattern};

    use super::*;

    #[derive(Clone, Debug, Event, PartialEq)]
    struct Login {
        user: u32,
        ok: bool,
        at: Timestamp,
    }

    impl Portable for Login {
        fn to_bytes(&self, out: &mut Vec<u8>) {
            out.extend(self.user.to_le_bytes());
            out.push(u8::from(self.ok));
            out.extend(self.at.as_millis().to_le_bytes());
        }

        fn from_bytes(bytes: &[u8]) -> Option<Login> {
            let (user, rest) = bytes.split_first_chunk()?;
            let (ok, at) = rest.split_first()?;
            let at = i64::from_le_bytes(at.try_into().ok()?);
            let user = u32::from_le_bytes(*user);
            Some(Login { user, ok: *ok == 1, at: Timestamp::from_millis(at) })
        }
    }

    fn login(user: u32, ok: bool, second: i64) -> Login {
        Login { user, ok, at: Timestamp::from_millis(1000 * second) }
    }

    fn guessed(fails: u32) -> Pattern<Login> {
        let fails = Pattern::begin("fails").when(|login: &Login| !login.ok).times(fails);
        let hit = fails.followed_by("hit").when(|login: &Login| login.ok);
        hit.within(Duration::from_mins(1)).key("user").build().expect("it can be built")
    }

    #[test]
    fn events_and_patterns_of_rust_go_on_by_name_and_version() {
        let text = RuleSet::parse(
            "event login { user: int, ok: bool, at: time }
             rule back { key user  match login[ok] -> login[not ok] within 1m }",
        )
        .unwrap();
        let builder =
            |pattern: &Pattern<Login>| Engine::builder().pattern("guessed", pattern).rules(&text);
        let mut engine = builder(&guessed(2)).build().unwrap();
        for (user, ok, second) in [(1, false, 1), (2, true, 2), (1, false, 3)] {
            engine.push(&login(user, ok, second), &mut Ignore).unwrap();
        }
        let bytes = engine.snapshot();
        let (mut restored, verdicts) = builder(&guessed(2)).restore(&[&bytes]).unwrap();
        assert!(verdicts.rules.iter().all(|change| change.verdict == Verdict::Unchanged));
        let (mut expected, mut reported) = (Vec::new(), Vec::new());
        for event in [login(1, true, 4), login(2, false, 5)] {
            engine.push(&event, &mut expected).unwrap();
            restored.push(&event, &mut reported).unwrap();
        }
        assert_eq!((reported.len(), &reported), (2, &expected));
        // Another pattern of that name starts anew; the other rule goes on.
        let (other, verdicts) = builder(&guessed(3)).restore(&[&bytes]).unwrap();
        let kept: Vec<_> =
            verdicts.rules.iter().map(|change| (change.kept, change.dropped)).collect();
        assert_eq!((kept, other.stats().partials), (vec![(0, 2), (1, 0)], 1));
        // Bytes of another type are reported as what they are.
        let (rules, records) = with_payments(0..1);
        drop(rules);
        let error = builder(&guessed(2)).restore(&[&records.snapshot()]).unwrap_err();
        assert_eq!(error, RestoreError::Event);
    }
}

#[test]
fn a_rule_whose_text_is_not_known_starts_anew() {
    let (rules, _) = with_payments(0..0);
    let schema = rules.schema().clone();
    let alone = |rules: &RuleSet| {
        let rule = rules.rule("twice").unwrap().clone();
        Engine::<Record>::builder().rule(schema.clone(), rule)
    };
    let mut engine = alone(&rules).build().unwrap();
    engine.push(&shop("paid", 1, 1, &rules), &mut Ignore).unwrap();
    let bytes = engine.snapshot();
    let (same, verdicts) = alone(&rules).restore(&[&bytes]).unwrap();
    assert_eq!((same.stats().partials, &verdicts.rules[0].verdict), (1, &Verdict::Unchanged));
    let edited = RuleSet::parse(&SHOP.replace("{2}", "{3}")).unwrap();
    let (anew, verdicts) = alone(&edited).restore(&[&bytes]).unwrap();
    assert_eq!(anew.stats().partials, 0);
    assert_eq!(
        verdicts.to_string(),
        "twice: reset, the snapshot does not hold its text as it was (1 partial match dropped)"
    );
}
