//! The command line of Kleene.
mod input;

fn main() {}
