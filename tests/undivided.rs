//! The rules whose keys are not divided among engines, and the reasons.

use kleene::stream::{EngineBuilder, UndividedReason};
use kleene::{Engine, Record, RuleSet};
use kleene_engine::Shard;

const EVENTS: &str = "event hit { user: string, ip: string, child: string, at: time }
    event miss { user: string, at: time }
    event burst { user: string, at: time }
    event spared { user: string, at: time }";

fn rules(text: &str) -> RuleSet {
    RuleSet::parse(&format!("{EVENTS}\n{text}")).expect("they have no mistake")
}

fn undivided(rules: &RuleSet) -> Vec<(String, UndividedReason)> {
    let all = rules.undivided().into_iter();
    all.map(|undivided| (undivided.rule.to_string(), undivided.reason)).collect()
}

#[test]
fn each_rule_that_is_not_divided_has_a_reason() {
    let rules = rules(
        "rule twice { key user  match hit{2} within 1m }
         rule calm { key user  match hit  suppress 1m }
         rule calm_by_key { key user, ip  match hit  suppress 1m by ip, user }
         rule first { key user  match hit  once }
         rule unread { key user  match hit{3} within 1m  emit as spared { user } }
         rule all { match hit{100} within 1s }
         rule calm_by_ip { key user  match hit as h  emit { ip: h.ip }  suppress 1m by ip }
         rule calm_by_part { key user, ip  match hit  suppress 1m by ip }
         rule only { key user  match hit  once per rule }
         rule feeding { key user  match miss{5} within 1m  emit as burst { user } }
         rule late { key user  match hit -> miss within 1m  on timeout emit as burst { user } }
         rule fed { key user  match burst{2} within 1h }
         rule steps { key id { parent: user, child: child }
                      match hit as parent -> hit as child within 1m }",
    );
    let expected = [
        ("all", UndividedReason::NoKey),
        ("calm_by_ip", UndividedReason::SuppressAcrossKeys),
        ("calm_by_part", UndividedReason::SuppressAcrossKeys),
        ("only", UndividedReason::OncePerRule),
        ("feeding", UndividedReason::Feeds),
        ("late", UndividedReason::Feeds),
        ("fed", UndividedReason::Fed),
        ("steps", UndividedReason::SeveralKeys),
    ];
    assert_eq!(undivided(&rules), expected.map(|(rule, reason)| (rule.to_owned(), reason)));
    for (_, reason) in undivided(&rules) {
        let text = reason.to_string();
        assert!(text.starts_with("it") && !text.ends_with('.'), "{text}");
    }
}

#[test]
fn a_limit_that_fails_divides_nothing() {
    let rules = rules(
        "rule twice { key user  match hit{2} within 1m }
         rule all { match hit{100} within 1s }
         rule few { key user  match hit -> miss within 1m  skip none  limit 5 partials fail }",
    );
    let fails = UndividedReason::Fails("few".into());
    assert_eq!(fails.to_string(), "the `limit .. fail` of rule `few` stops all rules and keys");
    let expected = [("twice", fails.clone()), ("all", UndividedReason::NoKey), ("few", fails)];
    assert_eq!(undivided(&rules), expected.map(|(rule, reason)| (rule.to_owned(), reason)));
}

/// Shards read every event, so that they divide what a host does not; they divide nothing else.
#[test]
fn shards_divide_what_has_no_reason_and_several_keys() {
    let of_use = |text: &str| {
        let rules = rules(text);
        let builder: EngineBuilder<Record> = Engine::builder().rules(&rules);
        let shards = Shard::build(builder, 2).expect("they fit");
        (shards.len(), Shard::undivided(&shards, 2).is_some(), rules.undivided().len())
    };
    assert_eq!(of_use("rule twice { key user  match hit{2} within 1m }"), (2, false, 0));
    let steps = "rule steps { key id { parent: user, child: child }
                              match hit as parent -> hit as child within 1m }";
    assert_eq!(of_use(steps), (2, false, 1));
    let once = "rule only { key user  match hit  once per rule }";
    let fed = "rule feeding { key user  match miss{5} within 1m  emit as burst { user } }
               rule fed { key user  match burst{2} within 1h }";
    assert_eq!(of_use(fed), (1, true, 2));
    // Alone, but not in the first shard.
    assert_eq!(of_use(once), (2, false, 1));
}
