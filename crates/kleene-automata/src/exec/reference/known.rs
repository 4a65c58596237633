//! The answers of the tree that are remembered.
//!
//! An example: a thousand partial matches of `a -> b` wait in the same position when an event
//! comes. Its moves are worked out once. The other 999 get the same shared list, which each of them
//! tests with what it has captured.
//!
//! A question is a position and a time. Most questions ask for the shape alone, with the time
//! [`Timestamp::MIN`]: their answers are valid for good. The moves for an event hold the event's
//! time in the frames that it begins. They are forgotten at the next event.
//!
//! Invariant: no answer depends on captured events. Conditions are in the guards of the moves, and
//! are tested for each partial match anew.
//!
//! Which test holds it: all that compare the reference with another matcher, for example
//! `the_reference_agrees_with_the_record` in `tests/conformance.rs`: an answer for a wrong question
//! would be seen there.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hashbrown::HashMap;

use super::guard::{Move, Moves};
use super::position::Position;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::{Gap, Length};

/// A move with where it is made, and the gaps that the event has to keep.
pub(super) type Prospect = (Position, Vec<Gap>, Move);

/// A position, a time, and whether the sides of silences are left together.
type Moment = (Position, Timestamp, bool);

/// The answers of the tree to questions that are asked again and again. Each depends on the pattern
/// and the question alone, so that it makes no difference whether it is worked out anew.
#[derive(Default)]
pub(super) struct AnswerCache {
    pub(super) moves: RefCell<HashMap<Moment, Moves>>,
    pub(super) whole_moves: RefCell<HashMap<Moment, Moves>>,
    pub(super) over_silence: RefCell<HashMap<Moment, bool>>,
    pub(super) end_of_silence: RefCell<HashMap<Moment, Option<(usize, Length)>>>,
    pub(super) prospects: RefCell<HashMap<Moment, Rc<[Prospect]>>>,
    /// The number of answers that were worked out, not remembered.
    pub(super) worked_out: Cell<usize>,
}

/// Positions have times in them: in long streams there are ever more.
const MOST_KNOWN: usize = 10_000;

impl AnswerCache {
    /// The answer to `question`, which `work_out` gives.
    pub(super) fn ask<T: Clone>(
        &self,
        known: &RefCell<HashMap<Moment, T>>,
        question: Moment,
        work_out: impl FnOnce() -> T,
    ) -> T {
        // The map is not borrowed while an answer is worked out, as that asks further questions.
        if let Some(answer) = known.borrow().get(&question) {
            return answer.clone();
        }
        self.worked_out.set(self.worked_out.get() + 1);
        let answer = work_out();
        known.borrow_mut().insert(question, answer.clone());
        answer
    }

    /// Forgets what was asked at a time that is over, and everything where that is much.
    pub(super) fn forget(&self) {
        for moves in [&self.moves, &self.whole_moves] {
            moves.borrow_mut().retain(|(_, time, _), _| *time == Timestamp::MIN);
        }
        if self.moves.borrow().len() > MOST_KNOWN {
            self.moves.borrow_mut().clear();
            self.whole_moves.borrow_mut().clear();
            self.over_silence.borrow_mut().clear();
            self.end_of_silence.borrow_mut().clear();
            self.prospects.borrow_mut().clear();
        }
    }
}
