//! Why a run found nothing: what came of the lines of an input, with a sample of each kind.
//!
//! While the input is read, [`Review`] counts: events by type, times, reasons of rejects. At the
//! end [`Review::findings`] says what that means. It is cheap for events that are fine: one count
//! and two comparisons each.

mod advice;
mod collect;
mod event_counts;
mod reasons;
mod suggest;

pub(crate) use self::advice::Facts;
pub(crate) use self::collect::Review;
pub(crate) use self::event_counts::EventCounts;
