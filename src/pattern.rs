//! Patterns that are built in Rust, with closures as conditions.
//!
//! The builder uses the words of rule text; a table below lists those of Flink CEP. Each step gets
//! a name first, then its conditions:
//!
//! ```
//! use std::time::Duration;
//! use kleene::{Event, Pattern, Timestamp};
//!
//! #[derive(Clone, Event)]
//! struct Login {
//!     user: String,
//!     ok: bool,
//!     at: Timestamp,
//! }
//!
//! # fn main() -> Result<(), kleene::pattern::PatternError> {
//! // (login[not ok]{3.. next}) as fails -> next login[ok] as hit   within 1m
//! let guessed = Pattern::<Login>::begin("fails")
//!     .when(|login| !login.ok)
//!     .times(3..)
//!     .consecutive()
//!     .next("hit")
//!     .when(|login| login.ok)
//!     .within(Duration::from_mins(1))
//!     .key("user")
//!     .build()?;
//!
//! let matcher = guessed.matcher(); // for the events of one user
//! let (mut store, mut state) = (matcher.create_store(), Default::default());
//! let mut tries = Vec::new();
//! for (seq, ok) in [false, false, false, true].into_iter().enumerate() {
//!     let at = Timestamp::from_millis(1000 * seq as i64);
//!     let login = Login { user: "ann".into(), ok, at };
//!     matcher.push(&mut store, &mut state, &login, seq as u64, &mut |found| {
//!         tries.push(guessed.captured(&found).count("fails"));
//!     });
//! }
//! assert_eq!(tries, [3]);
//! # Ok(())
//! # }
//! ```
//!
//! | rule text | builder | Flink CEP |
//! |---|---|---|
//! | `-> next b` | `.next("b")` | `next` |
//! | `-> b` | `.followed_by("b")` | `followedBy` |
//! | `-> any b` | `.followed_by_any("b")` | `followedByAny` |
//! | `-> not b -> c` | `.not_followed_by("b").followed_by("c")` | `notFollowedBy` |
//! | `-> not b for 10m` | `.not_followed_by("b").lasting(..)` | `notFollowedBy`, `within` |
//! | `any event` | a step without `of`: of every type of the stream | - |
//! | `-> not (b or c) -> d` | `.not_followed_by("bad").when(..)`, without `of`, with one closure for both | - |
//! | `login[not ok]` | `.of::<Login>().when(..)` | `subtype`, `where` |
//! | `[item == view.item]` | `.when_with(..)` | `IterativeCondition` |
//! | `{3}` `{2..4}` `{3..}` `+` `?` | `.times(3)` `.times(2..=4)` `.times(3..)` `.one_or_more()` `.optional()` | `times`, `timesOrMore`, `oneOrMore`, `optional` |
//! | `{3 next}` `{3 any}` | `.times(3).consecutive()` `.allow_combinations()` | the same |
//! | `{1.. greedy}` (the default), `each`, `longest` | `.greedy()` `.each()` `.longest()` | `greedy()`, its default, - |
//! | `until` | `.until(..)` `.until_of(..)` | `until` |
//! | `(a -> b){2} within 5s` | `.followed_by_group(Pattern::begin("a").followed_by("b").within(..)).times(2)` | a group pattern |
//! | `not b for 10m -> c` | `Pattern::begin_not("b").lasting(..).followed_by("c")` | - |
//! | `a -> not b for 10m -> c` | `.not_followed_by("b").lasting(..).followed_by("c")` | - |
//! | `a or b`, `a and b` | `Pattern::begin("a").or(Pattern::begin("b"))`, `.and(..)` | - |
//! | `2 of (a, b, c)` | `.or(..).or(..).choose(2)` | - |
//! | `a -> b without c` | `.without("c")` | - |
//! | `->[1m..5m]` | `.gap(..)` | `within(.., PREVIOUS_AND_CURRENT)` |
//! | `skip past last` (the default) ... | `.skip_past_last()` ... | `AfterMatchSkipStrategy` (default: none) |
//! | `from *` | `.from_all()` | always so |
//! | `suppress 1m` | `.suppress(..)` | - |
//! | `not x for 10m repeat` | `.not_followed_by(..).lasting(..)` and `.repeat()` | - |
//! | `once`, `once per rule` | `.once()`, `.once_per_rule()` | - |
//! | `key user` | `.key("user")` | `keyBy` before the pattern |
//! | `key id { child: parent_id }` | `.key_by_step("id", [("child", "parent_id")])` | - |
//! | - | `.key_by("area", ..)` | `keyBy` with a `KeySelector` |
//! | `limit 100 partials drop oldest` | `.limit_partials(100, LimitPolicy::DropOldest)` | - |

#[doc(inline)]
pub use kleene_engine::pattern::{
    AnyEvent, Captured, LimitPolicy, Only, Pattern, PatternBuilder, PatternError, Repetitions,
    Report, StepId, View,
};
