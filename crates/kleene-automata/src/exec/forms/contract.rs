//! The contract of every form.

use super::key::KeyState;
use crate::exec::captures::CaptureArena;
use crate::exec::image::Image;
use crate::exec::matcher::{Matcher, PrefilterOutcome, PushedEvent};
use crate::exec::open::Open;
use crate::exec::outcome::Outcome;
use crate::exec::run::Run;
use crate::exec::store::Store;
use crate::nfa::Program;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

/// The operations of every form. The functions take the key, since a push can change its form.
pub(super) trait FormContract<E: Event>: FormImage {
    /// Matches an event of a key that has this form, or has no state. Returns the number of partial
    /// matches that the limit has dropped or not started.
    fn push(
        matcher: &Matcher<E>,
        store: &mut Store<E>,
        key: &mut KeyState,
        arrival: PushedEvent<'_, E>,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) -> usize;

    /// True if an event leaves a partial match in a key without state; `None` if only a push can
    /// find out.
    fn begins(matcher: &Matcher<E>, event: &E, prefilter: PrefilterOutcome) -> Option<bool>;

    /// Moves time to `to`: reports and drops what has run out of time up to then.
    fn advance(
        matcher: &Matcher<E>,
        store: &mut Store<E>,
        key: &mut KeyState,
        to: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    );

    /// Reports what the end of the stream completes, or leaves it to the caller, and drops
    /// everything else. Returns the time of the last event of what is left to the caller, or
    /// `i64::MIN`.
    fn finish(
        matcher: &Matcher<E>,
        store: &mut Store<E>,
        key: &mut KeyState,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) -> i64;

    /// Returns the first deadline of the partial matches, or `i64::MAX`.
    fn deadline(matcher: &Matcher<E>, key: &KeyState) -> i64;

    /// Returns the last deadline of the partial matches, or `i64::MIN` without partial matches.
    fn last_deadline(matcher: &Matcher<E>, key: &KeyState) -> i64;

    /// Returns the open partial matches, in the order in which they would be reported.
    fn open<'a>(matcher: &'a Matcher<E>, store: &'a Store<E>, key: &KeyState) -> Vec<Open<'a, E>>;

    /// Drops the partial matches.
    fn clear(store: &mut Store<E>, key: &mut KeyState);

    /// Prefetches the state that an event at `time` will need, in steps. Returns true if another
    /// step has more to fetch.
    fn prefetch(
        matcher: &Matcher<E>,
        store: &Store<E>,
        key: &KeyState,
        time: i64,
        step: usize,
    ) -> bool;

    /// Adds the partial matches of a key to an empty image.
    fn export<'s>(
        matcher: &Matcher<E>,
        store: &'s Store<E>,
        key: &KeyState,
        image: &mut Image<&'s E>,
    );

    /// Returns a key with the state of an image that [fits](FormImage::fits).
    fn import(matcher: &Matcher<E>, store: &mut Store<E>, image: Image<E>) -> KeyState;

    /// Turns the partial matches of a key into runs.
    fn into_runs(matcher: &Matcher<E>, store: &mut Store<E>, key: &mut KeyState);

    /// Returns the partial matches that are no runs yet, as runs whose chains are put into `arena`.
    /// Their registers are those of the key.
    fn as_runs(
        matcher: &Matcher<E>,
        store: &Store<E>,
        key: &KeyState,
        arena: &mut CaptureArena<E>,
    ) -> Vec<Run>;
}

/// The part of a form's contract that does not depend on the type of events: its image in
/// snapshots.
pub(super) trait FormImage {
    /// The code in snapshots. See `docs/format.md`.
    const CODE: u8;

    /// Returns the number of partial matches in an image of this form, at most `u64::MAX`.
    fn count<T>(image: &Image<T>) -> u64;

    /// Returns the number that older versions have written as the count: of runs in the form of
    /// runs, and of the configurations of groups in the compact form.
    fn former_count<T>(image: &Image<T>) -> u64 {
        Self::count(image)
    }

    /// True if a key of this program can have the state of the image.
    fn fits<T: Event>(image: &Image<T>, program: &Program) -> bool;
}
