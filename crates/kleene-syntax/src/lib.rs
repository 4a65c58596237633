//! Rules of Kleene from text to checked form.
//!
//! Text becomes a tree ([`syntax`]), and the tree a checked rule without sugar ([`hir`]), which says
//! what an automaton is made of. Mistakes on the way are data ([`diagnostic`]). Rules are checked
//! against a schema of event types (`kleene_event::schema`).
//!
//! This crate is made for `kleene`, which programs use, and for tools that work on the text of rules.
//! Each version belongs to one version of `kleene`: what is public here can change with each.

#![forbid(unsafe_code)]

pub mod diagnostic;
pub mod hir;
pub mod syntax;
