//! An enumerator of all matches, written from `docs/semantics.md` and `docs/language.md`: the third
//! opinion beside the matcher and the reference.
//!
//! It knows no automaton and no partial match. `assign` lists every assignment of events to the
//! steps of a pattern, `check` and `branches` ask of each whether it is a match: each condition is
//! one function that quotes the page. It shares no code with the library, which only reads the
//! text of the rules.
//!
//! `clauses` chooses among all matches as `skip`, `report`, `having`, `suppress` and `once` say, for
//! each key, and lets rules feed rules. `partials` lists the partial matches of plain patterns, for
//! timeouts, `limit` and `ordered`.
//!
//! `KLEENE_HUNT_CASES=1000000 KLEENE_HUNT_SEED=7 cargo test --test matching enumerator` looks
//! longer; a failure prints the smallest case and its seed.

mod assign;
mod branches;
mod check;
mod clause_engines;
mod clause_hunt;
mod clause_random;
mod clauses;
mod engines;
mod evaluate;
mod hunt;
mod matches;
mod moment;
mod partials;
mod plain;
mod random;
mod rule;
mod shrink;
