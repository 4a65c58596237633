//! Forms of state: how the partial matches of one key are held, and the contract of every form.
//!
//! [`Form`] has a variant for each form, and [`FormContract`] names what a form has to do. A form
//! that lacks one of these does not compile. No other folder asks which form a key has: `matcher`,
//! `snapshot` and `migrate` call the functions of this file, and this file picks the form.
//!
//! | form | what is stored | files |
//! |---|---|---|
//! | runs | a run for each partial match | `runs`; `general` and `deterministic` (in place) advance them, `crowded` finds those that an event can move by their `census`, `expire` is what time does |
//! | joined | the runs of a busy key, with an index by the values that events ask for | `joined/`, `waiting/` |
//! | window | the last events, in a queue | `window`, `queue` |
//! | shared suffix | the oldest run, with marks where others start | `shared_suffix` |
//! | compact | groups of partial matches with the same future, and a graph of events; many groups have an index, too | `compact/`, `waiting/` |
//!
//! The strategy of the [plan](crate::nfa::Strategy) picks the form of a key. There is one
//! exception: a key whose runs were carried over from another rule keeps runs until they are gone.
//!
//! The choice is one branch for each event of a key, and every form is called directly: there are
//! no function pointers and no boxes.

mod census;
mod compact;
mod contract;
mod crowded;
mod deterministic;
mod dispatch;
mod expire;
mod general;
mod joined;
mod key;
mod kind;
mod queue;
mod runs;
mod shared_suffix;
mod waiting;
mod window;

pub use key::KeyState;
pub use key::OpenCount;
pub(super) use kind::FormKind;
pub(super) use queue::{Queue, Queues};
pub(super) use waiting::MANY as MANY_WAITING;
