//! Rules whose keys are not divided among engines, and the reasons.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use hashbrown::HashSet;

use crate::ruleset::RuleSet;
use kleene_event::schema::TypeId;
use kleene_event::value::Value;
use kleene_syntax::hir::{Emit, Expr, LimitPolicy, Once, Rule};

/// A rule whose keys a host must not divide among engines of its own; see [`RuleSet::undivided`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Undivided {
    /// The name of the rule.
    pub rule: Arc<str>,
    /// The reason.
    pub reason: UndividedReason,
}

/// The reason why the keys of a rule are not divided among engines. `Display` prints a part of a
/// sentence that fits after "rule `x` is not divided: ".
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum UndividedReason {
    /// The rule reads events that rules make (`emit as`).
    Fed,
    /// The rule makes events that rules read (`emit as`).
    Feeds,
    /// The rule has no key.
    NoKey,
    /// `once per rule`: the first match of any key ends the rule.
    OncePerRule,
    /// `suppress .. by`: a match of one key can suppress matches of another.
    SuppressAcrossKeys,
    /// An event can have several keys, which steps of one type take from different fields.
    SeveralKeys,
    /// A rule of the set, with this name, has `limit .. fail`, which stops the engine for all rules
    /// and keys.
    Fails(Arc<str>),
}

impl fmt::Display for UndividedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UndividedReason::Fed => f.write_str("it reads events that rules make (`emit as`)"),
            UndividedReason::Feeds => f.write_str("it makes events that rules read (`emit as`)"),
            UndividedReason::NoKey => f.write_str("it has no key"),
            UndividedReason::OncePerRule => {
                f.write_str("its `once per rule` concerns more than one key")
            }
            UndividedReason::SuppressAcrossKeys => {
                f.write_str("its `suppress` concerns more than one key")
            }
            UndividedReason::SeveralKeys => f.write_str("its events can have more than one key"),
            UndividedReason::Fails(rule) => {
                write!(f, "the `limit .. fail` of rule `{rule}` stops all rules and keys")
            }
        }
    }
}

impl RuleSet {
    /// Returns the rules whose keys a host must not divide among engines of its own, with the
    /// reasons, in the order of the rules.
    ///
    /// Such a host gives each event to the engine of its key, and keeps the engines in different
    /// processes. Rules that are not divided need one engine that gets all of their events. For
    /// threads of one process, the crate `kleene-runner` takes care of all rules by itself. It
    /// divides rules whose events have several keys, too, since each of its threads reads every
    /// event.
    ///
    /// ```
    /// use kleene::RuleSet;
    ///
    /// let rules = RuleSet::parse(
    ///     "event hit { user: string, at: time }
    ///      rule twice { key user  match hit{2} within 1m }
    ///      rule burst { match hit{100} within 1s }",
    /// )?;
    /// let undivided = rules.undivided();
    /// let [burst] = undivided.as_slice() else { panic!("{undivided:?}") };
    /// let text = format!("rule `{}` is not divided: {}", burst.rule, burst.reason);
    /// assert_eq!(text, "rule `burst` is not divided: it has no key");
    /// # Ok::<(), kleene::ruleset::RulesError>(())
    /// ```
    pub fn undivided(&self) -> Vec<Undivided> {
        let fails = fails(self.rules().iter());
        let reasons = self.rules().iter().zip(whole(self.rules()));
        let undivided = reasons.filter_map(|(rule, reason)| {
            let several = || (!rule.step_keys.is_empty()).then_some(UndividedReason::SeveralKeys);
            let fails = || fails.clone().map(UndividedReason::Fails);
            let reason = reason.or_else(several).or_else(fails)?;
            Some(Undivided { rule: rule.name.clone(), reason })
        });
        undivided.collect()
    }
}

/// Returns, for each rule, the reason why all of its keys have to be in one engine, even if each
/// engine reads every event; `None` if keys can be divided.
pub(in crate::stream) fn whole(rules: &[Arc<Rule>]) -> Vec<Option<UndividedReason>> {
    let read: HashSet<TypeId> = rules.iter().flat_map(|rule| &rule.types).copied().collect();
    let feeds = |emit: &Option<Emit>| {
        emit.as_ref().and_then(|emit| emit.feeds).filter(|ty| read.contains(ty))
    };
    let made: HashSet<TypeId> = rules
        .iter()
        .flat_map(|rule| [feeds(&rule.emit), feeds(&rule.on_timeout)])
        .flatten()
        .collect();
    let reason = |rule: &Arc<Rule>| {
        if rule.types.iter().any(|ty| made.contains(ty)) {
            Some(UndividedReason::Fed)
        } else if feeds(&rule.emit).or(feeds(&rule.on_timeout)).is_some() {
            Some(UndividedReason::Feeds)
        } else if rule.key.is_empty() {
            Some(UndividedReason::NoKey)
        } else {
            across_keys(rule)
        }
    };
    rules.iter().map(reason).collect()
}

/// Returns the name of the first rule with `limit .. fail`.
pub(in crate::stream) fn fails<'a>(
    mut rules: impl Iterator<Item = &'a Arc<Rule>>,
) -> Option<Arc<str>> {
    let fails =
        |rule: &&Arc<Rule>| rule.limit.is_some_and(|limit| limit.policy == LimitPolicy::Fail);
    rules.find(fails).map(|rule| rule.name.clone())
}

/// Returns the reason if a match of one key of a rule can suppress matches of another key.
pub(in crate::stream) fn across_keys(rule: &Rule) -> Option<UndividedReason> {
    if rule.once == Some(Once::Rule) {
        return Some(UndividedReason::OncePerRule);
    }
    let by = rule.suppress.as_ref().and_then(|suppress| suppress.by.as_ref())?;
    let has = |part| by.iter().any(|expr| matches!(expr, Expr::Key(index) if *index == part));
    let has_all = (0..rule.key.len()).all(has);
    (!has_all).then_some(UndividedReason::SuppressAcrossKeys)
}

/// Returns the key of the matches that an entry of `suppress` or `once` suppresses. If they are
/// matches of [one key](across_keys), the entry has every part of the key.
pub(in crate::stream) fn suppressed_key<'k>(rule: &Rule, entry: &'k [Value]) -> Cow<'k, [Value]> {
    let Some(by) = rule.suppress.as_ref().and_then(|suppress| suppress.by.as_ref()) else {
        return Cow::Borrowed(entry);
    };
    let part = |part| by.iter().position(|expr| matches!(expr, Expr::Key(index) if *index == part));
    (0..rule.key.len()).filter_map(|index| entry.get(part(index)?).cloned()).collect()
}
