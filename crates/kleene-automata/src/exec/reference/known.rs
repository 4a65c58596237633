//! The answers of the tree that are remembered.

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
