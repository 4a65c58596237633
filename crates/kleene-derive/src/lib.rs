//! Part of Kleene.
