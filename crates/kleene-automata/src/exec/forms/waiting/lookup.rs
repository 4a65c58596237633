//! What an event can move of all that waits.

use std::hash::Hash;

use smallvec::SmallVec;

use super::values::{By, Coarse, MOST_EQUAL, Order, PlaceRange, ValueIndex};
use super::{InState, WaitingIndex};
use crate::exec::fields::field_of;
use crate::exec::matcher::Walk;
use crate::exec::registers::{RegisterFile, Registers};
use crate::nfa::{Comparison, Decision, Decisions, FieldComparison, Join, Operand, Shift, StateId};
use kleene_event::event::Event;
use kleene_event::schema::FieldId;
use kleene_syntax::hir::ConditionId;
use kleene_syntax::hir::eval::Relation;

/// Of what waits in one state, what an event can move.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Movable {
    Nothing,
    /// What a list of lookups finds.
    Found,
    All,
}

impl Movable {
    /// Returns what either is.
    fn or(self, other: Movable) -> Movable {
        match (self, other) {
            (Movable::All, _) | (_, Movable::All) => Movable::All,
            (Movable::Nothing, Movable::Nothing) => Movable::Nothing,
            _ => Movable::Found,
        }
    }
}

/// What has values in these places.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Lookup {
    by: By,
    places: PlaceRange,
}

/// The lookups of a state. They are added to a list: to return and join lists took 300 instructions
/// for a lookup.
type Lookups = SmallVec<[Lookup; 2]>;

/// What a condition says of all that it is asked for.
enum Narrowed {
    /// It cannot hold for the event.
    Never,
    /// It can hold for what has these values only.
    To(Lookup),
    /// It can hold for any.
    Not,
}

impl<E: Event> Walk<'_, E> {
    /// Adds what the event can move to `ids`, in order; some of it the event leaves as it is.
    /// `registers_of` returns the registers of what waits.
    pub(in crate::exec::forms) fn find_movable<Id: Copy + Ord + Hash>(
        &mut self,
        waiting: &mut WaitingIndex<Id>,
        registers_of: impl Fn(&Id) -> Registers,
        event_epoch: u64,
        ids: &mut Vec<Id>,
    ) {
        for in_state in waiting.states.iter_mut().filter(|one| one.count > 0) {
            let tree = self.program.decisions.of(in_state.state, self.column);
            if let Some((field, register)) = self.only_equality(tree) {
                match Coarse::of(self.event.field(field), Order::Equal) {
                    // A value such as null equals none.
                    None => continue,
                    Some(place) if place.is_known() => {
                        let by = By::Equal(1 << register);
                        let index = in_state.index(by, &self.store.file, &registers_of);
                        index.find(&PlaceRange::only(place), ids);
                        continue;
                    }
                    Some(_) => {}
                }
            }
            let mut lookups = Lookups::new();
            match self.movable(tree, event_epoch, &mut lookups) {
                Movable::Nothing => {}
                Movable::Found => {
                    for lookup in &lookups {
                        let file = &self.store.file;
                        in_state.index(lookup.by, file, &registers_of).find(&lookup.places, ids);
                    }
                }
                Movable::All => in_state.indexes[0].all(ids),
            }
        }
        if ids.len() > 1 {
            ids.sort_unstable();
            ids.dedup();
        }
    }

    /// Returns the field of the event and the register that have to be equal, if a tree asks nothing
    /// else: the wait for one value, as `b[id == x.id]`.
    ///
    /// What it saves: a list of lookups, and the joins of the condition. W10 takes 1.1 times the
    /// instructions without it.
    #[inline(always)]
    fn only_equality(&self, tree: &Decision) -> Option<(FieldId, usize)> {
        let Decision::Condition { condition, yes, no: Decisions::STAY } = tree else { return None };
        let is_end =
            matches!(self.program.decisions.node(*yes), Decision::One(_) | Decision::Several(_));
        match &self.program.comparisons[condition.index()] {
            FieldComparison::One(Comparison {
                field,
                relation: Relation::Eq,
                with: Operand::Register(register),
            }) if is_end && *register < MOST_EQUAL => Some((*field, *register)),
            _ => None,
        }
    }

    /// True unless the event leaves every run in this state as it is.
    pub(in crate::exec::forms) fn can_move(&mut self, state: StateId, event_epoch: u64) -> bool {
        let tree = self.program.decisions.of(state, self.column);
        self.movable(tree, event_epoch, &mut Lookups::new()) != Movable::Nothing
    }

    /// Returns the runs for which the event goes another way down a tree than to
    /// [`Decision::Stay`]; some others can be among them. Adds the lookups that find them.
    fn movable(&mut self, tree: &Decision, event_epoch: u64, lookups: &mut Lookups) -> Movable {
        let program = self.program;
        let node = |number: u32| program.decisions.node(number);
        match tree {
            Decision::Stay => Movable::Nothing,
            Decision::Condition { condition, yes, no } => {
                if !program.correlated[condition.index()] {
                    let nothing = self.nothing();
                    let holds = self.test(*condition, &nothing, event_epoch);
                    return self.movable(
                        node(if holds { *yes } else { *no }),
                        event_epoch,
                        lookups,
                    );
                }
                let otherwise = self.movable(node(*no), event_epoch, lookups);
                if otherwise == Movable::All {
                    return otherwise;
                }
                let known = lookups.len();
                let movable = self.movable(node(*yes), event_epoch, lookups);
                if movable == Movable::Nothing {
                    return otherwise;
                }
                match self.narrowed(*condition) {
                    Narrowed::Never => {
                        lookups.truncate(known);
                        otherwise
                    }
                    Narrowed::To(lookup) => {
                        lookups.truncate(known);
                        if !lookups.contains(&lookup) {
                            lookups.push(lookup);
                        }
                        Movable::Found
                    }
                    Narrowed::Not => movable.or(otherwise),
                }
            }
            Decision::Time { yes, no, .. } => {
                let one = self.movable(node(*yes), event_epoch, lookups);
                one.or(self.movable(node(*no), event_epoch, lookups))
            }
            _ => Movable::All,
        }
    }

    /// Returns what a condition says of all that waits.
    fn narrowed(&self, condition: ConditionId) -> Narrowed {
        let mut equal = EqualPlaces::default();
        let mut range: Option<(usize, PlaceRange)> = None;
        for one in self.program.comparisons[condition.index()].all() {
            if let Operand::Literal(literal) = &one.with
                && !one.holds_of(self.event, literal)
            {
                return Narrowed::Never;
            }
        }
        for Join { field, shift, relation, register } in &self.program.joins[condition.index()].all
        {
            let (value, register) = (field_of(self.event, field), *register);
            // A value such as null is in no relation to any value.
            let Some(place) = Coarse::of(value, Order::Equal) else { return Narrowed::Never };
            if *relation == Relation::Eq && *shift == Shift::Nothing {
                equal.add(register, place);
                continue;
            }
            let Some(place) = Coarse::shifted(value, *shift) else { continue };
            let places = place.in_relation(*relation);
            match &mut range {
                Some((other, known)) if *other == register => {
                    let Some(both) = known.and(places) else { return Narrowed::Never };
                    *known = both;
                }
                Some(_) => {}
                None => range = Some((register, places)),
            }
        }
        // Equal values are the fewest.
        match (equal.lookup(), range) {
            (Some(lookup), _) => Narrowed::To(lookup),
            (None, Some((register, places))) => {
                Narrowed::To(Lookup { by: By::Sorted(register), places })
            }
            (None, None) => Narrowed::Not,
        }
    }
}

/// The values of an event that have to be equal to captured ones, with the registers of those.
#[derive(Default)]
struct EqualPlaces {
    of: SmallVec<[(usize, Coarse); 2]>,
}

impl EqualPlaces {
    /// Adds a value, unless an index cannot have it.
    fn add(&mut self, register: usize, place: Coarse) {
        if place.is_known()
            && register < MOST_EQUAL
            && self.of.iter().all(|(other, _)| *other != register)
        {
            self.of.push((register, place));
        }
    }

    /// Returns the lookup of all values together.
    fn lookup(mut self) -> Option<Lookup> {
        // As in the index.
        self.of.sort_unstable_by_key(|(register, _)| *register);
        let place = Coarse::of_several(self.of.iter().map(|(_, place)| Some(*place)))?;
        let registers = self.of.iter().fold(0, |all, (register, _)| all | 1 << *register);
        Some(Lookup { by: By::Equal(registers), places: PlaceRange::only(place) })
    }
}

impl<Id: Copy + Ord + Hash> InState<Id> {
    /// Returns the index of this kind. It is made when it is asked for the first time.
    fn index(
        &mut self,
        by: By,
        file: &RegisterFile,
        registers_of: impl Fn(&Id) -> Registers,
    ) -> &ValueIndex<Id> {
        let known = self.indexes.iter().position(|one| one.by == by);
        let known = known.unwrap_or_else(|| {
            let mut ids = Vec::with_capacity(self.count);
            self.indexes[0].all(&mut ids);
            let mut index = ValueIndex::new(by);
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
