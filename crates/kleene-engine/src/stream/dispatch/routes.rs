//! Routes: the rules that read the events of each type.
//!
//! One fast path is here, the [`DirectRoute`].
//!
//! When it applies: one rule alone reads the events of a type, and reads each of them.
//!
//! Why it is right: no other rule can see the event, so there is no order of rules, no index and no
//! shared lookup of the key.
//!
//! What it saves: without it, W1 takes 1.29 times the instructions, W2 1.90, W3 1.79
//! (docs/performance.md).
//!
//! Which test holds it: `a_rule_among_many_reports_what_it_reports_alone` in `tests/many_rules.rs`.

use hashbrown::HashMap;

use crate::stream::dispatch::index::{Index, Subscription, When};
use crate::stream::keys::groups::Groups;
use crate::stream::keys::reader::KeyReader;
use crate::stream::keys::several::SeveralKeys;
use crate::stream::rule::context::OnlyReader;
use crate::stream::rule::runtime::RuleRuntime;
use kleene_automata::exec::PrefilterOutcome;
use kleene_automata::nfa::Prefilter;
use kleene_automata::util::sparse::SparseTable;
use kleene_event::event::Event;
use kleene_event::schema::{Schema, TypeId};
use kleene_syntax::hir::{ConditionId, LimitPolicy};

/// Stands for the position of the group of a rule for which an event can have several keys.
pub(in crate::stream) const SEVERAL: u32 = u32::MAX;

/// The rules that read the events of each type.
pub(crate) struct Routes<E> {
    /// By type id.
    pub(in crate::stream) types: Vec<Route<E>>,
    /// True if rules that an event can start are looked up. Otherwise all rules read the event.
    pub(in crate::stream) indexed: bool,
    /// The rules with `suppress`.
    pub(in crate::stream) suppressing: Vec<u32>,
    /// True if a rule has `limit .. fail`.
    pub(in crate::stream) can_fail: bool,
}

/// The rules that read the events of one type.
pub(in crate::stream) struct Route<E> {
    /// True if the rules declare the type.
    pub(in crate::stream) declared: bool,
    /// The id of the type, with its mark.
    id: TypeId,
    /// The groups with a rule that reads the type, each with the reader of its key.
    pub(in crate::stream) groups: Vec<(u32, KeyReader<E>)>,
    /// The rules that read each event, in order, each with the position of its group in `groups`;
    /// [`SEVERAL`] marks a rule of `several`.
    pub(in crate::stream) always: Vec<Subscription>,
    /// The rules for which an event can have several keys, in order.
    pub(in crate::stream) several: Vec<SeveralKeys<E>>,
    /// The only rule that reads the type, with its group and the reader of its key.
    pub(in crate::stream) direct: Option<DirectRoute<E>>,
    /// The other rules. They read the events that can start them, and the events that can advance
    /// their open state, if the key has any.
    pub(in crate::stream) index: Option<Index>,
    /// The events that can advance the open state of some of the other rules.
    pub(in crate::stream) moves: Option<Index>,
    /// The other rules whose open state any event can advance.
    movable: SparseTable<bool>,
    /// By rule: the condition that need not be tested again for an event that finds the rule in
    /// `index`.
    answered: SparseTable<Option<ConditionId>>,
}

/// A rule that is alone in reading the events of a type.
pub(in crate::stream) struct DirectRoute<E> {
    pub(in crate::stream) rule: u32,
    pub(in crate::stream) group: u32,
    pub(in crate::stream) reader: KeyReader<E>,
    pub(in crate::stream) only: OnlyReader,
    /// The comparisons that an event must fulfil to do anything.
    pub(in crate::stream) prefilter: Option<Prefilter>,
    /// What is known of an event that passes `prefilter`.
    pub(in crate::stream) outcome: PrefilterOutcome,
}

impl<E: Event> DirectRoute<E> {
    /// True if an event passes the prefilter; `None` if there is no prefilter.
    #[inline(always)]
    pub(in crate::stream) fn passes(&self, event: &E) -> Option<bool> {
        match &self.prefilter {
            None => None,
            Some(prefilter) => prefilter.passes(event),
        }
    }
}

impl<E: Event> Route<E> {
    fn new(ty: TypeId) -> Route<E> {
        Route {
            declared: false,
            id: ty,
            groups: Vec::new(),
            always: Vec::new(),
            several: Vec::new(),
            direct: None,
            index: None,
            moves: None,
            movable: SparseTable::default(),
            answered: SparseTable::default(),
        }
    }

    /// Returns the only rule that reads the type, if there is just one and it reads each event.
    fn direct(&self) -> Option<DirectRoute<E>> {
        match (&self.always[..], &self.groups[..], &self.index) {
            ([(rule, _)], [(group, reader)], None) => {
                let reader = reader.clone();
                let only = OnlyReader { retains: false, can_start: true };
                let (prefilter, outcome) = (None, PrefilterOutcome::UNKNOWN);
                let (rule, group) = (*rule, *group);
                Some(DirectRoute { rule, group, reader, only, prefilter, outcome })
            }
            _ => None,
        }
    }

    /// True if a rule reads the type.
    #[inline(always)]
    pub(super) fn is_read(&self) -> bool {
        !self.groups.is_empty() || !self.several.is_empty()
    }

    /// True if the id of an event is of another schema than the engine's.
    #[inline(always)]
    pub(super) fn is_foreign(&self, ty: TypeId) -> bool {
        ty.is_foreign_to(self.id)
    }

    /// Returns the group of all rules that read the type, if there is one group only, with the
    /// reader of its key.
    #[inline(always)]
    pub(super) fn only_group(&self) -> Option<&(u32, KeyReader<E>)> {
        match &self.groups[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Adds a rule if events of the type can have several keys in it. Returns true if they can.
    fn has_several(&mut self, (index, rule): (u32, &RuleRuntime<E>), ty: TypeId) -> bool {
        let keys = rule.rule().step_keys.iter().find(|keys| keys.ty == ty);
        let Some(keys) = keys else { return false };
        let closures = rule.key_closures();
        self.several.push(SeveralKeys::new((index, rule.group()), keys, closures));
        self.always.push((index, SEVERAL));
        true
    }

    /// Returns the keys that a rule's steps give to events of the type, if there can be several.
    pub(in crate::stream) fn several(&self, rule: u32) -> Option<&SeveralKeys<E>> {
        let position = self.several.binary_search_by_key(&rule, |of| of.rule).ok()?;
        self.several.get(position)
    }

    /// True if any event may advance or end the open state of a rule of the `index`.
    #[inline]
    pub(in crate::stream) fn moves(&self, rule: u32) -> bool {
        self.movable.get(rule as usize)
    }

    /// Returns the condition that need not be tested again for an event that finds the rule in
    /// `index`.
    #[inline]
    pub(super) fn answered(&self, rule: u32) -> Option<ConditionId> {
        self.answered.get(rule as usize)
    }

    /// True if there is a rule of the `index` whose open state any event may advance or end.
    #[inline]
    pub(super) fn moves_any(&self) -> bool {
        !self.movable.is_empty()
    }

    /// Builds the index. All rules are in `always` before.
    fn index(&mut self, ty: TypeId, rules: &[RuleRuntime<E>]) {
        let all = self.always.clone();
        let program = |rule: u32| &**rules[rule as usize].program();
        let mut answered = Vec::new();
        let several = &self.several;
        self.index = Index::new(&mut self.always, |rule| {
            // Which steps an event can be depends on the key.
            if several.binary_search_by_key(&rule, |of| of.rule).is_ok() {
                return When::Always;
            }
            let when = When::starts(program(rule), ty);
            let condition = when.answered(program(rule), ty);
            if condition.is_some() {
                answered.push((rule as usize, condition));
            }
            when
        });
        self.answered = SparseTable::of(&answered);
        let mut always = self.always.iter().peekable();
        let mut others: Vec<Subscription> = all
            .into_iter()
            .filter(|subscription| always.next_if_eq(&subscription).is_none())
            .collect();
        self.moves = Index::new(&mut others, |rule| When::moves(program(rule), ty));
        let movable: Vec<_> = others.into_iter().map(|(rule, _)| (rule as usize, true)).collect();
        self.movable = SparseTable::of(&movable);
    }
}

impl<E: Event> Routes<E> {
    /// Builds the routes for events of the types of `schema`. The rules declare some of these
    /// types.
    pub(in crate::stream) fn new(
        schema: &Schema,
        rules: &[RuleRuntime<E>],
        groups: &Groups,
        indexed: bool,
    ) -> Routes<E> {
        let mut routes: Vec<Route<E>> = schema.types().map(|(id, _)| Route::new(id)).collect();
        let mut places = HashMap::new();
        // The rules of one file share a schema: its types are marked once. Marking them again would
        // change nothing, so that an address decides nothing here.
        let mut last: Option<&Schema> = None;
        for (index, running) in (0..).zip(rules) {
            let declared = running.declared().unwrap_or(schema);
            if !last.is_some_and(|last| std::ptr::eq(last, declared)) {
                for (_, ty) in declared.types() {
                    if let Some(id) = schema.type_id(&ty.name) {
                        routes[id.index()].declared = true;
                    }
                }
            }
            last = Some(declared);
            for ty in &running.rule().types {
                let Some(route) = routes.get_mut(ty.index()) else { continue };
                if route.has_several((index, running), *ty) {
                    continue;
                }
                let place = *places.entry((*ty, running.group())).or_insert_with(|| {
                    let fields = groups.fields(running.group(), *ty);
                    let reader = KeyReader::new(fields, running.key_closures().cloned());
                    route.groups.push((running.group(), reader));
                    u32::try_from(route.groups.len() - 1).unwrap_or(u32::MAX)
                });
                route.always.push((index, place));
            }
        }
        if indexed {
            for (route, ty) in routes.iter_mut().zip(0..) {
                route.index(TypeId::new(ty), rules);
            }
        }
        for route in &mut routes {
            // A rule with `once` first asks whether the key is over.
            let is_once = |direct: &DirectRoute<E>| rules[direct.rule as usize].once().is_some();
            route.direct = route.direct().filter(|direct| !is_once(direct));
        }
        let mut members = vec![0; groups.len()];
        for rule in rules {
            members[rule.group() as usize] += 1;
        }
        let retains = |rule: &RuleRuntime<E>| {
            let goes_alone = |ty: &TypeId| match routes.get(ty.index()) {
                Some(route) => route.direct.is_some(),
                None => true,
            };
            rule.has_sweeps()
                && members[rule.group() as usize] == 1
                && rule.rule().types.iter().all(goes_alone)
        };
        let retains: Vec<bool> = rules.iter().map(retains).collect();
        for (route, ty) in routes.iter_mut().zip(0..) {
            if let Some(direct) = &mut route.direct {
                let retains = retains[direct.rule as usize];
                let matcher = rules[direct.rule as usize].matcher();
                let ty = TypeId::new(ty);
                direct.only = OnlyReader { retains, can_start: matcher.can_start_with(ty) };
                direct.prefilter = matcher.program().prefilter(ty);
                direct.outcome = matcher.known_of_passing(ty, direct.prefilter.is_some());
            }
        }
        let suppressing = (0..).zip(rules).filter(|(_, rule)| rule.suppression().is_some());
        let suppressing = suppressing.map(|(index, _)| index).collect();
        let can_fail = rules.iter().any(|rule| rule.matcher().limits().policy == LimitPolicy::Fail);
        Routes { types: routes, indexed, suppressing, can_fail }
    }
}
