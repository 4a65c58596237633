//! Rule text as a tree that keeps everything: names as written, every span, every literal.
//!
//! The tree knows no schema. It prints back to text that parses to the same tree.

mod declaration;
mod expr;
mod file;
mod pattern;
mod rule;
mod spanned;
mod test;

pub use declaration::{Define, EventDecl, FieldDecl, ListDecl, ListSource, ParamDecl, Type};
pub use expr::level;
pub use expr::{BinaryOp, Dur, Expr, ItemQuantifier, Literal, Path, PathPart};
pub use file::{File, FileItem};
pub use pattern::{
    ANY_EVENT, Arrow, Body, Choice, Contiguity, Gap, Junction, LoopMode, Part, Quant, Sequence,
    Step, Take, Unit, Until,
};
pub use rule::{
    Clause, Emit, Instance, KeyPart, LimitPolicy, Once, Report, Rule, Skip, SkipStrategy,
};
pub use spanned::{Name, Spanned};
pub use test::{Test, TestStep};
