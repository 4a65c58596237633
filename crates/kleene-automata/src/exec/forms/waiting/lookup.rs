//! What an event can move of all that waits.

use std::hash::Hash;
use std::ops::RangeInclusive;

use smallvec::{SmallVec, smallvec};

use super::values::{By, Coarse, Order, ValueIndex};
use super::{InState, WaitingIndex};
use crate::exec::fields::field_of;
use crate::exec::matcher::Walk;
use crate::exec::registers::{RegisterFile, Registers};
use crate::nfa::{Decision, Join, Operand, Shift, StateId};
use kleene_event::event::Event;
use kleene_syntax::hir::ConditionId;
use kleene_syntax::hir::eval::Relation;

/// Of what waits in one state, what an event can move.
#[derive(Clone, Debug, PartialEq)]
enum Movable {
    All,
    /// What one of these finds.
    Found(SmallVec<[Lookup; 2]>),
}

impl Movable {
    fn nothing() -> Movable {
        Movable::Found(SmallVec::new())
    }

    /// Returns what either finds.
    fn or(self, other: Movable) -> Movable {
        match (self, other) {
            (Movable::Found(mut found), Movable::Found(others)) => {
                for other in others {
                    if !found.contains(&other) {
                        found.push(other);
                    }
                }
                Movable::Found(found)
            }
            _ => Movable::All,
        }
    }
}

/// What has values in these places.
#[derive(Clone, Debug, PartialEq)]
struct Lookup {
    by: By,
    places: RangeInclusive<Coarse>,
}

impl<E: Event> Walk<'_, E> {
    /// Returns what the event can move, in order; some of it the event leaves as it is.
    /// `registers_of` returns the registers of what waits.
    pub(in crate::exec::forms) fn find_movable<Id: Copy + Ord + Hash>(
        &mut self,
        waiting: &mut WaitingIndex<Id>,
        registers_of: impl Fn(&Id) -> Registers,
        event_epoch: u64,
    ) -> Vec<Id> {
        let mut ids = Vec::new();
        for in_state in waiting.states.iter_mut().filter(|one| one.count > 0) {
            let tree = self.program.decisions.of(in_state.state, self.column);
            match self.movable(tree, event_epoch) {
                Movable::All => in_state.indexes[0].all(&mut ids),
                Movable::Found(lookups) => {
                    let file = &self.store.file;
                    for lookup in &lookups {
                        let index = in_state.index(&lookup.by, file, &registers_of);
                        index.find(&lookup.places, &mut ids);
                    }
                }
            }
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// True unless the event leaves every run in this state as it is.
    pub(in crate::exec::forms) fn can_move(&mut self, state: StateId, event_epoch: u64) -> bool {
        let tree = self.program.decisions.of(state, self.column);
        self.movable(tree, event_epoch) != Movable::nothing()
    }

    /// Returns the runs for which the event goes another way down a tree than to
    /// [`Decision::Stay`]; some others can be among them.
    fn movable(&mut self, tree: &Decision, event_epoch: u64) -> Movable {
        let program = self.program;
        let node = |number: u32| program.decisions.node(number);
        match tree {
            Decision::Stay => Movable::nothing(),
            Decision::Condition { condition, yes, no } => {
                if !program.correlated[condition.index()] {
                    let nothing = self.nothing();
                    let holds = self.test(*condition, &nothing, event_epoch);
                    return self.movable(node(if holds { *yes } else { *no }), event_epoch);
                }
                let otherwise = self.movable(node(*no), event_epoch);
                if otherwise == Movable::All {
                    return otherwise;
                }
                let movable = self.movable(node(*yes), event_epoch);
                self.narrowed(*condition, movable).or(otherwise)
            }
            Decision::Time { yes, no, .. } => {
                let one = self.movable(node(*yes), event_epoch);
                one.or(self.movable(node(*no), event_epoch))
            }
            _ => Movable::All,
        }
    }

    /// Returns those of `movable` for which a condition can hold: none if it cannot hold for the
    /// event.
    fn narrowed(&self, condition: ConditionId, movable: Movable) -> Movable {
        if movable == Movable::nothing() {
            return movable;
        }
        let mut equal: SmallVec<[(usize, Coarse); 2]> = SmallVec::new();
        let mut range: Option<(usize, RangeInclusive<Coarse>)> = None;
        for one in self.program.comparisons[condition.index()].all() {
            if let Operand::Literal(literal) = &one.with
                && !one.holds_of(|field| self.event.field(field), literal)
            {
                return Movable::nothing();
            }
        }
        for Join { field, shift, relation, register } in &self.program.joins[condition.index()].all
        {
            let (value, register) = (field_of(self.event, field), *register);
            // A value such as null is in no relation to any value.
            if Coarse::of(value, Order::Sorted).is_none() {
                return Movable::nothing();
            }
            let is_equal = *relation == Relation::Eq && *shift == Shift::Nothing;
            if let Some(place) = Coarse::of(value, Order::Equal).filter(|_| is_equal) {
                if place.is_known() {
                    equal.push((register, place));
                }
                continue;
            }
            let Some(place) = Coarse::shifted(value, *shift) else { continue };
            let places = places_of(*relation, &place);
            match &mut range {
                Some((other, known)) if *other == register => {
                    let from = *known.start().max(places.start());
                    let to = *known.end().min(places.end());
                    if from > to {
                        return Movable::nothing();
                    }
                    *known = from..=to;
                }
                Some(_) => {}
                None => range = Some((register, places)),
            }
        }
        // Equal values are the fewest.
        let lookup = match Coarse::of_several(equal.iter().map(|(_, place)| Some(*place))) {
            Some(place) => {
                let registers = equal.iter().map(|(register, _)| *register).collect();
                Some(Lookup { by: By::Equal(registers), places: place..=place })
            }
            None => range.map(|(register, places)| Lookup { by: By::Sorted(register), places }),
        };
        lookup.map_or(movable, |lookup| Movable::Found(smallvec![lookup]))
    }
}

/// The places of the values to which a value in one of `places` can be in the relation.
fn places_of(relation: Relation, places: &RangeInclusive<Coarse>) -> RangeInclusive<Coarse> {
    match relation {
        Relation::Lt | Relation::Le => places.start().and_above(),
        Relation::Gt | Relation::Ge => places.end().and_below(),
        Relation::Eq | Relation::Ne | Relation::Like => places.clone(),
    }
}

impl<Id: Copy + Ord + Hash> InState<Id> {
    /// Returns the index of this kind. It is made when it is asked for the first time.
    fn index(
        &mut self,
        by: &By,
        file: &RegisterFile,
        registers_of: impl Fn(&Id) -> Registers,
    ) -> &ValueIndex<Id> {
        let known = self.indexes.iter().position(|one| one.by == *by);
        let known = known.unwrap_or_else(|| {
            let mut ids = Vec::with_capacity(self.count);
            self.indexes[0].all(&mut ids);
            let mut index = ValueIndex::new(by.clone());
            for id in ids {
                index.add(index.place(file, registers_of(&id)), id);
            }
            if self.indexes[0].by == By::Nothing {
                self.indexes.clear();
            }
            self.indexes.push(index);
            self.indexes.len() - 1
        });
        &self.indexes[known]
    }
}
