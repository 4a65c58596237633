//! Explains why a rule did or did not match for one key: its events one by one, and the effects of
//! each.
//!
//! A [`Tracer`] gets the same events as an [`Engine`](kleene::Engine): all of them, since events of
//! other keys move time, too. It follows one key of one rule and keeps a story. Each partial match
//! has a number. The story names the event that began it, the event of each step, the skipped
//! events with the values that failed a condition, its end, and what it waits for.
//!
//! ```
//! use kleene_explain::why::Tracer;
//! use kleene::{Record, RuleSet, Timestamp};
//!
//! let rules = RuleSet::parse(
//!     "event view { user: string, item: string, at: time }
//!      event cart { user: string, item: string, at: time }
//!      rule interest { key user  match view -> cart[item == view.item]  within 1h }",
//! )?;
//! let mut tracer: Tracer<Record> = Tracer::new(&rules, "interest", ["ann"])?;
//! for (minute, ty, item) in [(0, "view", "lamp"), (5, "cart", "desk")] {
//!     let at = Timestamp::from_millis(minute * 60_000);
//!     let fields = [("user", "ann".into()), ("item", item.into()), ("at", at.into())];
//!     tracer.push(&Record::from_fields(rules.schema(), ty, fields)?, None);
//! }
//! let text = tracer.story().to_string();
//! assert!(text.contains(r#"requires item == view.item ("desk" is not "lamp")"#), "{text}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod judge;
mod keys;
mod render;
mod shadow;
mod story;
mod tracer;

pub use keys::{KeyError, key_of};
pub use render::Story;
pub use render::grouped;
pub use story::{
    Awaited, Cause, Effect, Entry, Failed, Fate, Mismatch, MismatchReason, Reported, ShownEvent,
    Then, Waits,
};
pub use tracer::{Counts, OpenPartial, TraceError, Tracer};

use crate::explain::{self, Words};
use kleene::stream::Partial;
use kleene_event::event::Event;

/// Returns everything that a partial match waits for; an engine
/// [shows](kleene::Engine::collect_partials) the partial matches.
pub fn waits_of<E: Event>(partial: &Partial<'_, E>) -> Waits {
    let (info, open) = (partial.info(), partial.open());
    let pattern = &info.rule.pattern;
    let roles = judge::Roles::new(pattern);
    let words = Words { pattern, schema: &info.schema };
    let narrator = judge::Narrator { words, roles: &roles, program: open.program() };
    narrator.waits(&open.waiting(), Some(open.captures()))
}

/// Returns the names of the states in which a partial match waits, as
/// [`Explanation::states`](crate::explain::Explanation::states) and pictures name them; mostly one.
/// Empty if the partial match is complete.
pub fn states_of<E: Event>(partial: &Partial<'_, E>) -> Vec<String> {
    let open = partial.open();
    explain::state_names(open.program(), open.states())
}
