//! The role of each name of a rule file, however much of the file is missing.
//!
//! This walks over the tokens and keeps track of where it is: in which rule, which clause, which
//! brackets. It never fails and looks nothing up; a text that is half typed gives the names that
//! stand before the hole and those behind it. What names mean is found by [`Set`](super::Set).

mod parts;
mod walker;

use kleene_syntax::syntax::tokens;

pub use self::parts::{
    AliasScan, BracketKind, End, FieldScan, ItemKind, ItemScan, LocalKind, LocalScan, Mark,
    RecordOf, Role, RuleScan, Scan, Slot, StepScan, bare,
};
use self::walker::Walker;

/// Walks over a text.
pub fn scan(text: &str) -> Scan {
    let tokens = tokens(text);
    let mut walker = Walker::new(text);
    for (index, token) in tokens.iter().enumerate() {
        walker.token(*token, tokens.get(index + 1).copied());
    }
    walker.finish()
}
