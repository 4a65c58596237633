//! The specification of a rule that an engine is to run.

use std::sync::Arc;

use hashbrown::HashSet;

use crate::ruleset::RuleSet;
use crate::ruleset::compiled::{CompiledRule, LinkError, LinkedRules, same};
use crate::ruleset::relink::relink;
use crate::stream::error::{BuildError, BuildErrorKind as Kind};
use crate::stream::keys::reader::KeyClosures;
use crate::stream::limits::Matching;
use crate::stream::output::id::FieldOrder;
use crate::stream::output::matched::RuleInfo;
use crate::stream::rule::runtime::RuleRuntime;
use kleene_automata::exec::{HostCondition, Matcher};
use kleene_automata::nfa::{CompileCache, Program};
use kleene_event::event::Event;
use kleene_event::schema::{Schema, TypeId};
use kleene_syntax::hir::Rule;

/// A rule that an engine is to run.
pub(in crate::stream) struct RuleSpec<E> {
    pub(in crate::stream) rule: Arc<Rule>,
    pub(in crate::stream) host: Vec<HostCondition<E>>,
    /// The closures of the rule's key; `None` if it is in fields.
    pub(in crate::stream) key_closures: Option<KeyClosures<E>>,
    /// The schema of the rule's numbers; `None` if the events' own schema has the same numbers.
    pub(in crate::stream) schema: Option<Arc<Schema>>,
    /// True if the rule comes from rule text, not from the host's own code.
    pub(in crate::stream) is_text: bool,
    /// The rule set of the rule, if there is one.
    pub(in crate::stream) text: Option<RuleSet>,
    /// The automaton of the rule, if a pattern has compiled it.
    pub(in crate::stream) program: Option<Arc<Program>>,
}

impl<E> RuleSpec<E> {
    pub(in crate::stream) fn text(
        schema: Arc<Schema>,
        rule: Arc<Rule>,
        text: Option<RuleSet>,
    ) -> RuleSpec<E> {
        RuleSpec {
            rule,
            host: Vec::new(),
            key_closures: None,
            schema: Some(schema),
            is_text: true,
            text,
            program: None,
        }
    }

    /// Returns all rules of a set.
    pub(in crate::stream) fn of(rules: &RuleSet) -> impl Iterator<Item = RuleSpec<E>> {
        let text = |rule: &Arc<Rule>| {
            RuleSpec::text(rules.schema().clone(), rule.clone(), Some(rules.clone()))
        };
        rules.rules().iter().map(text)
    }
}

/// The values that the rules of one engine share while they are prepared.
#[derive(Debug, Default)]
pub(in crate::stream) struct Preparation {
    known: CompileCache,
    /// The last rule set with its automata for the events.
    linked: Option<(RuleSet, Arc<LinkedRules>)>,
}

impl Preparation {
    /// Returns the preparation of rules that share parts with rules that run.
    pub(in crate::stream) fn beside<'p>(running: impl Iterator<Item = &'p Program>) -> Preparation {
        Preparation { known: CompileCache::of(running), linked: None }
    }

    /// Returns a rule of a rule set with its automaton, for events that `schema` numbers.
    fn linked(
        &mut self,
        (set, rule): (&RuleSet, &Rule),
        schema: &Arc<Schema>,
    ) -> Option<Result<CompiledRule, Kind>> {
        let linked = match self.linked.take() {
            Some((last, linked)) if last.is(set) => linked,
            _ => set.linked(schema),
        };
        let found = linked.rule(set.rule_number(&rule.name)?).cloned();
        self.linked = Some((set.clone(), linked));
        let found = found?.map_err(|error| match error {
            LinkError::Mismatch(mismatch) => Kind::Mismatch(mismatch),
            LinkError::Pattern(error) => Kind::Pattern(error),
        });
        Some(found.map(|CompiledRule { rule, program }| CompiledRule {
            rule,
            program: self.known.unify(program),
        }))
    }
}

/// The treatment of a rule whose types and fields have other numbers than those of the events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::stream) enum Relink {
    /// The rule gets the numbers of the events.
    Allowed,
    Refused,
}

impl<E: Event> RuleSpec<E> {
    /// Builds the runtime of the rule for events that `schema` numbers. Automata that were compiled
    /// before are not compiled again.
    ///
    /// # Errors
    /// [`BuildError`] if the rule cannot be run or does not fit the events.
    pub(in crate::stream) fn start(
        self,
        schema: &Arc<Schema>,
        relinking: Relink,
        matching: Matching,
        prepared: &mut Preparation,
    ) -> Result<RuleRuntime<E>, BuildError> {
        let name = self.rule.name.clone();
        let fail = |kind| BuildError { rule: name.clone(), kind };
        let CompiledRule { rule, program } =
            self.compiled(schema, relinking, prepared).map_err(fail)?;
        let RuleSpec { host, key_closures, schema: declared, is_text, text, .. } = self;
        let matcher = Matcher::of(program, host);
        let Matching { per_key, choice } = matching;
        let matcher =
            matcher.with_limits(rule.limit.map_or(per_key, |limit| per_key.of_rule(limit)));
        let matcher = matcher.with_choice(choice);
        // A shared schema has the same order; comparing the fields would say so, too.
        let order = declared.as_ref().filter(|declared| !Arc::ptr_eq(declared, schema));
        let order = order.and_then(|declared| FieldOrder::new(declared, schema));
        let order = order.filter(|_| E::schema().is_none()).map(Arc::new);
        let info = RuleInfo { rule, schema: schema.clone(), order };
        Ok(RuleRuntime::new(info, matcher, declared, is_text, text).with_key(key_closures))
    }

    /// Returns the rule for events that `schema` numbers, with its automaton.
    ///
    /// # Errors
    /// A rule that does not fit the events, or a host's own rule without an automaton.
    fn compiled(
        &self,
        schema: &Arc<Schema>,
        relinking: Relink,
        prepared: &mut Preparation,
    ) -> Result<CompiledRule, Kind> {
        let is_linked = self.schema.as_ref().is_none_or(|declared| same(declared, schema));
        if !is_linked && relinking == Relink::Refused {
            return Err(Kind::Schemas);
        }
        if let Some(set) = &self.text
            && let Some(compiled) = prepared.linked((set, &self.rule), schema)
        {
            return compiled;
        }
        let (rule, program) = match &self.schema {
            Some(declared) if !is_linked => {
                let relinked = relink(&self.rule, declared, schema).map_err(Kind::Mismatch)?;
                (Arc::new(relinked), None)
            }
            _ => (self.rule.clone(), self.program.clone()),
        };
        let known = &mut prepared.known;
        let program = match program {
            Some(program) => known.unify(program),
            None => Arc::new(Program::sharing(&rule.pattern, known).map_err(Kind::Pattern)?),
        };
        Ok(CompiledRule { rule, program })
    }
}

/// Prepares the derived events that rules make for each other.
///
/// # Errors
/// [`BuildError`] if events of this Rust type cannot be made.
pub(in crate::stream) fn link<E: Event>(rules: &mut [RuleRuntime<E>]) -> Result<(), BuildError> {
    let read: HashSet<TypeId> = rules.iter().flat_map(|rule| &rule.rule().types).copied().collect();
    rules.iter_mut().try_for_each(|rule| rule.link(&read))?;
    rules.iter().try_for_each(RuleRuntime::check_events)
}
