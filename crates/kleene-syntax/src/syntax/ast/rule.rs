//! Rules and their clauses.

use super::declaration::{Define, ParamDecl};
use super::expr::{Dur, Expr, Literal, Path};
use super::pattern::Body;
use super::spanned::{Name, Spanned};

/// `rule NAME { clause* }`
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The rule's name.
    pub name: Name,
    /// Its clauses in the order of the text.
    pub clauses: Vec<Spanned<Clause>>,
}

/// `rule NAME = BASE(NAME: literal, ...) { clause* }`
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// The new rule's name.
    pub name: Name,
    /// The rule that it is an instance of.
    pub base: Name,
    /// Values for the base's parameters.
    pub args: Vec<(Name, Spanned<Literal>)>,
    /// Clauses that replace the base's.
    pub overrides: Vec<Spanned<Clause>>,
}

/// A clause of a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Clause {
    /// `about "..."`
    About(Spanned<String>),
    /// `severity NAME`
    Severity(Name),
    /// `tags ["...", ...]`
    Tags(Vec<Spanned<String>>),
    /// `meta { ... }`
    Meta(Vec<(Name, Spanned<Expr>)>),
    /// `param ...`
    Param(ParamDecl),
    /// `define ...`
    Define(Define),
    /// `from NAME, ...`, or `from *` as `None`
    From(Option<Vec<Name>>),
    /// `key ...`
    Key(Vec<KeyPart>),
    /// `match ...`
    Match(Body),
    /// `within ...`
    Within(Dur),
    /// `skip ...`
    Skip(Skip),
    /// `report ...`
    Report(Report),
    /// `emit as NAME { ... }`
    Emit(Emit),
    /// `on timeout emit as NAME { ... }`
    OnTimeout(Emit),
    /// `having EXPR`
    Having(Spanned<Expr>),
    /// `suppress DUR by NAME, ...`
    Suppress(Dur, Vec<Name>),
    /// `once`, `once per rule`
    Once(Once),
    /// `limit N partials ...`
    Limit(Spanned<u64>, LimitPolicy),
}

impl Clause {
    /// Returns the word or words that start the clause.
    pub fn head(&self) -> &'static str {
        match self {
            Clause::About(_) => "about",
            Clause::Severity(_) => "severity",
            Clause::Tags(_) => "tags",
            Clause::Meta(_) => "meta",
            Clause::Param(_) => "param",
            Clause::Define(_) => "define",
            Clause::From(_) => "from",
            Clause::Key(_) => "key",
            Clause::Match(_) => "match",
            Clause::Within(_) => "within",
            Clause::Skip(_) => "skip",
            Clause::Report(_) => "report",
            Clause::Emit(_) => "emit",
            Clause::OnTimeout(_) => "on timeout",
            Clause::Having(_) => "having",
            Clause::Suppress(..) => "suppress",
            Clause::Once(_) => "once",
            Clause::Limit(..) => "limit",
        }
    }
}

/// The part of a rule that ends with its first match.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Once {
    /// `once`: each key of the rule.
    Key,
    /// `once per rule`: the rule, for all keys.
    Rule,
}

/// One component of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyPart {
    /// The component's name; the field too, unless types give their own.
    pub name: Name,
    /// `{ TYPE: path, ... }`: the field by event type.
    pub paths: Vec<(Name, Path)>,
}

/// `skip ...`
#[derive(Clone, Debug, PartialEq)]
pub struct Skip {
    /// The strategy: what is dropped after a match.
    pub strategy: SkipStrategy,
    /// True if a match waits for older partial matches.
    pub ordered: bool,
}

/// The skip strategy: what is dropped after a match.
#[derive(Clone, Debug, PartialEq)]
pub enum SkipStrategy {
    /// `none`
    None,
    /// `past last`
    PastLast,
    /// `to next`
    ToNext,
    /// `to first NAME`
    ToFirst(Name),
    /// `to last NAME`
    ToLast(Name),
}

/// The choice among the matches that one event completes.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// `all`
    All,
    /// `count`
    Count,
    /// `first N`
    First(Spanned<u64>),
    /// `last N`
    Last(Spanned<u64>),
    /// `longest`
    Longest,
    /// `shortest`
    Shortest,
}

/// `emit as NAME { ... }`
#[derive(Clone, Debug, PartialEq)]
pub struct Emit {
    /// The event type that the record feeds.
    pub as_type: Option<Name>,
    /// The record; a name without value stands for itself.
    pub fields: Vec<(Name, Option<Spanned<Expr>>)>,
}

/// The policy for a key that holds too many partial matches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LimitPolicy {
    /// `drop oldest`
    DropOldest,
    /// `drop newest`
    DropNewest,
    /// `fail`
    Fail,
}
