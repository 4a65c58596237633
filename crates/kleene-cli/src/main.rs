//! The command line of Kleene.

fn main() {}
