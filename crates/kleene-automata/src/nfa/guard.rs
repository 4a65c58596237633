//! Boolean combinations of conditions, each stored once.

use hashbrown::HashMap;

use crate::nfa::operands::OperandSet;
use kleene_event::define_id;
use kleene_event::schema::TypeId;
use kleene_syntax::hir::{Condition, ConditionId, Length, Test};

define_id! {
    /// A guard of a program.
    pub GuardId
}

/// When a transition is open.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Guard {
    /// Always.
    True,
    /// Never.
    False,
    /// The condition is true of the event.
    Condition(ConditionId),
    /// From `min` to `max` have passed since the event captured last, both included.
    /// True where nothing was captured, and if the clock `unless_set` is set.
    Gap {
        /// The least time.
        min: Length,
        /// Without bound where `None`.
        max: Option<Length>,
        /// This clock is not set.
        unless_set: Option<u32>,
        /// The clock that has the time of the event before, where it is not the one captured last.
        since: Option<u32>,
    },
    /// Less than `within` has passed since the clock was set. True if it is not.
    Within {
        /// The clock.
        clock: u32,
        /// The time.
        within: Length,
    },
    /// Less than so long has passed since the event before. True where nothing was captured.
    Sooner {
        /// The time.
        than: Length,
        /// The clock that has the time of the event before, where it is not the one captured last.
        since: Option<u32>,
    },
    /// The clock is set.
    IsSet(u32),
    /// The event of an operand has come: it is in the set that the clock holds.
    HasCome {
        /// The clock.
        set: u32,
        /// The number of the event.
        event: u8,
    },
    /// At least `count` events of `of` are in the set that the clock holds.
    HaveCome {
        /// The clock.
        set: u32,
        /// The events that are counted.
        of: OperandSet,
        /// The number of events.
        count: u8,
    },
    /// The other is closed.
    Not(GuardId),
    /// All of them; sorted, at least two.
    And(Box<[GuardId]>),
    /// At least one of them; sorted, at least two.
    Or(Box<[GuardId]>),
}

impl Guard {
    /// The condition that has to hold, where it is one.
    pub fn condition(&self) -> Option<ConditionId> {
        match self {
            Guard::Condition(condition) => Some(*condition),
            _ => None,
        }
    }
}

/// Makes guards, and gives equal ones the same id.
#[derive(Debug)]
pub(crate) struct Guards {
    all: Vec<Guard>,
    ids: HashMap<Guard, GuardId>,
    /// The conditions that are one of several others, with these.
    one_of: HashMap<ConditionId, Vec<ConditionId>>,
    /// By condition: the type of event that fits, where it is one.
    types: Vec<Option<TypeId>>,
}

impl Guards {
    /// For the conditions of a pattern.
    pub(crate) fn new(conditions: &[Condition]) -> Guards {
        let one_of = conditions.iter().enumerate().filter_map(|(id, condition)| {
            let Test::OneOf(others) = &condition.test else { return None };
            Some((ConditionId::new(id), others.clone()))
        });
        let one_of = one_of.collect();
        let types = conditions.iter().map(|condition| condition.ty).collect();
        let mut guards = Guards { all: Vec::new(), ids: HashMap::new(), one_of, types };
        guards.intern(Guard::True);
        guards.intern(Guard::False);
        guards
    }

    #[expect(clippy::unused_self, reason = "it is made by every table's constructor")]
    pub(crate) fn always(&self) -> GuardId {
        GuardId::new(0)
    }

    #[expect(clippy::unused_self, reason = "it is made by every table's constructor")]
    pub(crate) fn never(&self) -> GuardId {
        GuardId::new(1)
    }

    /// A guard that is neither constant nor made of others.
    pub(crate) fn leaf(&mut self, guard: Guard) -> GuardId {
        self.intern(guard)
    }

    /// One of several conditions becomes these, so that each is asked of events of its type only.
    pub(crate) fn condition(&mut self, condition: ConditionId) -> GuardId {
        let Some(others) = self.one_of.get(&condition).cloned() else {
            return self.leaf(Guard::Condition(condition));
        };
        let leaves = others.into_iter().map(|other| self.leaf(Guard::Condition(other)));
        let leaves = leaves.collect();
        self.any(leaves)
    }

    pub(crate) fn get(&self, id: GuardId) -> &Guard {
        &self.all[id.index()]
    }

    /// Negations end up at the conditions, so that contradictions show.
    pub(crate) fn not(&mut self, guard: GuardId) -> GuardId {
        match self.all[guard.index()].clone() {
            Guard::True => self.never(),
            Guard::False => self.always(),
            Guard::Not(inner) => inner,
            Guard::And(parts) => {
                let parts = parts.iter().map(|&part| self.not(part)).collect();
                self.any(parts)
            }
            Guard::Or(parts) => {
                let parts = parts.iter().map(|&part| self.not(part)).collect();
                self.all(parts)
            }
            _ => self.intern(Guard::Not(guard)),
        }
    }

    /// The guard as it is where the clock is known not to be set.
    pub(crate) fn where_unset(&mut self, guard: GuardId, clock: u32) -> GuardId {
        self.map(guard, &|leaf| match *leaf {
            Guard::Gap { min, max, unless_set: Some(of), since } if of == clock => {
                Guard::Gap { min, max, unless_set: None, since }
            }
            Guard::IsSet(of) if of == clock => Guard::False,
            Guard::Within { clock: of, .. } if of == clock => Guard::True,
            ref other => other.clone(),
        })
    }

    /// The guard as it is where the clock is known to be set.
    pub(crate) fn where_set(&mut self, guard: GuardId, clock: u32) -> GuardId {
        self.map(guard, &|leaf| match *leaf {
            Guard::Gap { unless_set: Some(of), .. } if of == clock => Guard::True,
            ref other => other.clone(),
        })
    }

    /// Returns a clock on which it depends whether the gap holds.
    pub(crate) fn clock_of_gap(&self, gap: GuardId) -> Option<u32> {
        match self.get(gap) {
            Guard::Gap { unless_set, .. } => *unless_set,
            Guard::And(parts) => parts.iter().find_map(|&part| self.clock_of_gap(part)),
            _ => None,
        }
    }

    /// The guard with the time of the event before taken from `to` where it was from `clock`.
    pub(crate) fn rebased(&mut self, guard: GuardId, clock: u32, to: Option<u32>) -> GuardId {
        self.map(guard, &|leaf| match *leaf {
            Guard::Gap { min, max, unless_set, since: Some(of) } if of == clock => {
                Guard::Gap { min, max, unless_set, since: to }
            }
            Guard::Sooner { than, since: Some(of) } if of == clock => {
                Guard::Sooner { than, since: to }
            }
            ref other => other.clone(),
        })
    }

    /// The guard with each leaf replaced.
    fn map(&mut self, guard: GuardId, leaf: &dyn Fn(&Guard) -> Guard) -> GuardId {
        match self.all[guard.index()].clone() {
            Guard::Not(inner) => {
                let inner = self.map(inner, leaf);
                self.not(inner)
            }
            Guard::And(parts) => {
                let parts = parts.iter().map(|&part| self.map(part, leaf)).collect();
                self.all(parts)
            }
            Guard::Or(parts) => {
                let parts = parts.iter().map(|&part| self.map(part, leaf)).collect();
                self.any(parts)
            }
            here => self.intern(leaf(&here)),
        }
    }

    /// Returns false if types and times show that no event fulfils the guard.
    pub(crate) fn may_hold(&self, guard: GuardId) -> bool {
        let is_over = match self.get(guard) {
            Guard::And(parts) => parts.iter().any(|&part| match *self.get(part) {
                Guard::Sooner { than, since } => {
                    parts.iter().any(|&other| self.is_later(other, than, since))
                }
                _ => false,
            }),
            _ => false,
        };
        !is_over && self.types(guard).is_none_or(|types| !types.is_empty())
    }

    /// Returns true if one guard asks for the opposite of a part of the other. So no event fulfils
    /// both.
    pub(crate) fn exclude_each_other(&self, a: GuardId, b: GuardId) -> bool {
        let parts = |guard: GuardId| match self.get(guard) {
            Guard::And(parts) => parts.to_vec(),
            _ => vec![guard],
        };
        let (some, others) = (parts(a), parts(b));
        let denies = |some: &[GuardId], others: &[GuardId]| {
            some.iter().any(|&part| match self.get(part) {
                Guard::Not(inner) => others.contains(inner),
                _ => false,
            })
        };
        denies(&some, &others) || denies(&others, &some)
    }

    /// Returns true if the guard asks for at least this time since the previous event.
    fn is_later(&self, guard: GuardId, than: Length, of: Option<u32>) -> bool {
        match *self.get(guard) {
            Guard::Gap { min, unless_set: None, since, .. } if since == of => {
                match (min.as_millis(), than.as_millis()) {
                    (Some(min), Some(than)) => min >= than,
                    _ => min == than,
                }
            }
            _ => false,
        }
    }

    /// The types of the events that can fulfil a guard; `None` where that can be all.
    fn types(&self, guard: GuardId) -> Option<Vec<TypeId>> {
        match self.get(guard) {
            Guard::False => Some(Vec::new()),
            Guard::Condition(condition) => {
                self.types.get(condition.index())?.map(|only| vec![only])
            }
            Guard::And(parts) => {
                parts.iter().filter_map(|&part| self.types(part)).reduce(|mut some, others| {
                    some.retain(|ty| others.contains(ty));
                    some
                })
            }
            Guard::Or(parts) => parts.iter().try_fold(Vec::new(), |mut all, &part| {
                all.extend(self.types(part)?);
                Some(all)
            }),
            _ => None,
        }
    }

    pub(crate) fn and(&mut self, a: GuardId, b: GuardId) -> GuardId {
        self.all(vec![a, b])
    }

    pub(crate) fn or(&mut self, a: GuardId, b: GuardId) -> GuardId {
        self.any(vec![a, b])
    }

    /// The guard that holds if all parts hold. Many parts are joined at once: a fold with
    /// [`Guards::and`] would make and keep a list of the parts so far for each part.
    pub(crate) fn all(&mut self, parts: Vec<GuardId>) -> GuardId {
        let (always, never) = (self.always(), self.never());
        self.join(parts, always, never, Guard::And)
    }

    /// The guard that holds if at least one part holds.
    pub(crate) fn any(&mut self, parts: Vec<GuardId>) -> GuardId {
        let (always, never) = (self.always(), self.never());
        self.join(parts, never, always, Guard::Or)
    }

    /// All parts joined by `and` or by `or`, flat and sorted: `unit` changes nothing, `zero`
    /// decides.
    fn join(
        &mut self,
        joined: Vec<GuardId>,
        unit: GuardId,
        zero: GuardId,
        make: fn(Box<[GuardId]>) -> Guard,
    ) -> GuardId {
        let same = std::mem::discriminant(&make(Box::default()));
        let mut parts = Vec::with_capacity(joined.len());
        for id in joined {
            match &self.all[id.index()] {
                guard @ (Guard::And(inner) | Guard::Or(inner))
                    if std::mem::discriminant(guard) == same =>
                {
                    parts.extend_from_slice(inner);
                }
                _ => parts.push(id),
            }
        }
        parts.sort_unstable();
        parts.dedup();
        parts.retain(|&id| id != unit);
        let contradicts = |id: GuardId| match self.all[id.index()] {
            Guard::Not(inner) => parts.binary_search(&inner).is_ok(),
            _ => id == zero,
        };
        if parts.iter().any(|&id| contradicts(id)) {
            return zero;
        }
        match parts[..] {
            [] => unit,
            [one] => one,
            _ => self.intern(make(parts.into())),
        }
    }

    fn intern(&mut self, guard: Guard) -> GuardId {
        if let Some(&id) = self.ids.get(&guard) {
            return id;
        }
        let id = GuardId::new(self.all.len());
        self.all.push(guard.clone());
        self.ids.insert(guard, id);
        id
    }

    pub(crate) fn into_vec(self) -> Vec<Guard> {
        self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_guards_are_one_and_constants_vanish() {
        let mut guards = Guards::new(&[]);
        let a = guards.condition(ConditionId::new(0));
        let b = guards.condition(ConditionId::new(1));
        let not_a = guards.not(a);
        assert_eq!(guards.not(not_a), a);
        assert_eq!(guards.and(a, b), guards.and(b, a));
        let always = guards.always();
        assert_eq!(guards.and(a, always), a);
        assert_eq!(guards.or(a, always), always);
        assert_eq!(guards.and(a, not_a), guards.never());
        assert_eq!(guards.or(not_a, a), always);
        let ab = guards.and(a, b);
        let neither = guards.or(a, b);
        let neither = guards.not(neither);
        assert_eq!(guards.and(a, neither), guards.never());
        assert_eq!(guards.and(ab, not_a), guards.never());
    }
}
