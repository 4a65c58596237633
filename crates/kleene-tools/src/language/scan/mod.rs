//! What each name of a rule file is, however much of the file is missing.
//!
//! This walks over the tokens and keeps track of where it is: in which rule, which clause, which
//! brackets. It never fails and looks nothing up; a text that is half typed gives the names that
//! stand before the hole and those behind it. What names mean is found by [`super::names`].

mod walker;

use kleene::diagnostic::Span;
use kleene::syntax::tokens;

use self::walker::Walker;

/// A name with what is known of its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Mark {
    /// Where it stands.
    pub(super) span: Span,
    /// What it is.
    pub(super) role: Role,
    /// The rule that it stands in, by its number in [`Scan::rules`].
    pub(super) rule: Option<usize>,
}

/// What a name is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// A word of the language.
    Keyword,
    /// The name of an item where it is declared, by its number in [`Scan::items`].
    Item(usize),
    /// A field where it is declared: the item's number and the field's.
    Field(usize, usize),
    /// A parameter or define of a rule where it is declared.
    Local,
    /// An event type or a define, as a step.
    Step,
    /// An event type.
    Event,
    /// The name that a step is given, by its number in [`RuleScan::names`].
    Alias(usize),
    /// A step's name, where only that can stand.
    StepName,
    /// A name in an expression with the names before it: `a.b` is `["a", "b"]` at `b`.
    Path {
        /// The names up to this one.
        names: Vec<String>,
        /// The step (an event type or define) whose event is tested, in a condition.
        candidate: Option<String>,
    },
    /// `$name`
    Param,
    /// The path of a file that is used.
    Used,
    /// A function.
    Function,
    /// A part of the key.
    Key,
    /// A rule.
    Rule,
    /// A parameter in an instance of the rule of this name.
    Argument(String),
    /// A field in a record of a test: of an event type, or of what a rule reports.
    Record(RecordOf),
}

/// Whose fields a record of a test holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum RecordOf {
    /// An event type's.
    Event(String),
    /// Those that a rule emits.
    Rule(String),
}

/// A declaration.
#[derive(Clone, Debug)]
pub(super) struct ItemScan {
    pub(super) kind: ItemKind,
    /// Its name; that of its rule for a test.
    pub(super) name: String,
    pub(super) name_span: Span,
    /// All of it.
    pub(super) span: Span,
    /// The fields of an event type, nested ones dotted.
    pub(super) fields: Vec<FieldScan>,
    /// True if `..` allows an event type further fields.
    pub(super) open: bool,
    /// The type of a list or parameter; the step of a define.
    pub(super) detail: String,
    /// The rule's number in [`Scan::rules`].
    pub(super) rule: Option<usize>,
}

/// What an item is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ItemKind {
    Event,
    List,
    Param,
    Define,
    Rule,
    Test,
    Use,
}

/// A field of an event type.
#[derive(Clone, Debug)]
pub(super) struct FieldScan {
    /// Its dotted name.
    pub(super) name: String,
    pub(super) span: Span,
    /// Its type as it is written, `?` and all; empty for one with nested fields.
    pub(super) ty: String,
}

/// A rule or an instance.
#[derive(Clone, Debug, Default)]
pub(super) struct RuleScan {
    pub(super) name: String,
    /// The rule that this is an instance of.
    pub(super) base: Option<String>,
    /// What its pattern captures, in the order of the text.
    pub(super) steps: Vec<StepScan>,
    /// Names given with `as`.
    pub(super) names: Vec<AliasScan>,
    /// Its own parameters and defines.
    pub(super) locals: Vec<LocalScan>,
    /// The parts of its key.
    pub(super) key: Vec<(String, Span)>,
    /// The event types of its `from`.
    pub(super) from: Vec<String>,
    /// The fields of its `emit` and `on timeout emit`.
    pub(super) emits: Vec<(String, Span)>,
}

/// A step of a pattern.
#[derive(Clone, Debug)]
pub(super) struct StepScan {
    /// The event type or define.
    pub(super) name: String,
    pub(super) span: Span,
    /// True if it must not come.
    pub(super) negated: bool,
    /// True if it has a name of its own.
    pub(super) renamed: bool,
}

/// `as name`
#[derive(Clone, Debug)]
pub(super) struct AliasScan {
    pub(super) name: String,
    pub(super) span: Span,
    /// The steps that it names, from the first to before the last.
    pub(super) steps: (usize, usize),
}

/// What a name inside of a rule was declared as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LocalKind {
    Param,
    Define,
}

/// A parameter or define in a rule.
#[derive(Clone, Debug)]
pub(super) struct LocalScan {
    pub(super) kind: LocalKind,
    pub(super) name: String,
    pub(super) name_span: Span,
    /// All of it.
    pub(super) span: Span,
    /// The type of a parameter, the step of a define.
    pub(super) detail: String,
}

/// What can stand at a place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Slot {
    /// An item.
    Item,
    /// A name that does not exist yet, a number, a text: nothing to offer.
    Free,
    /// These words.
    Words(&'static [&'static str]),
    /// A type.
    Type,
    /// A rule.
    Rule,
    /// A clause of a rule.
    Clause,
    /// An event type.
    Event,
    /// A field that is a part of the key.
    Key,
    /// A step; `true` right behind an arrow or `match`.
    Step(bool),
    /// What follows a step.
    AfterStep,
    /// The name of a step.
    StepName,
    /// A duration.
    Duration,
    /// An operand.
    Operand,
    /// An operator, or the end of the expression.
    Operator,
    /// The field of a record.
    RecordField,
    /// A parameter of an instance.
    Argument,
    /// What follows a name and a dot.
    Member(Vec<String>),
    /// A parameter behind `$`.
    Param,
    /// The type of an event in a test.
    TestStep,
}

/// Which brackets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    File,
    EventBody {
        prefix: String,
    },
    RuleBody,
    TestBody,
    /// `[ ]` behind a step, whose name this is.
    Condition(String),
    /// `( )` in a pattern, with the number of steps before it.
    Group(usize),
    /// `{ }` behind a step.
    Quant,
    /// `[ ]` behind an arrow.
    Gap,
    /// `[ ]` behind a path.
    Index,
    /// Brackets of an expression.
    Inner,
    /// `{ }` of an `emit`.
    Emit,
    /// `{ }` of a `meta`.
    Meta,
    /// `{ }` behind a part of the key.
    KeyPaths,
    /// `{ }` in a test.
    Record(RecordOf),
    /// `( )` of an instance of the rule of this name.
    Arguments(String),
    /// Something else.
    Other,
}

/// A rule file with what its names are.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) marks: Vec<Mark>,
    pub(super) items: Vec<ItemScan>,
    /// The event types that `emit as` makes of records, which need no declaration.
    pub(super) emitted: Vec<ItemScan>,
    pub(super) rules: Vec<RuleScan>,
    /// What can stand at the end.
    pub(super) end: End,
}

/// The state at the end of a text.
#[derive(Debug)]
pub(super) struct End {
    pub(super) slot: Slot,
    /// The brackets that it ends in, the innermost last.
    pub(super) kinds: Vec<Kind>,
    /// The rule that it ends in.
    pub(super) rule: Option<usize>,
    /// The last word or symbol.
    pub(super) last: String,
}

/// Walks over a text.
pub(super) fn scan(text: &str) -> Scan {
    let tokens = tokens(text);
    let mut walker = Walker::new(text);
    for (index, token) in tokens.iter().enumerate() {
        walker.token(*token, tokens.get(index + 1).copied());
    }
    walker.finish()
}

/// A name without its back-quotes.
pub(super) fn bare(text: &str) -> &str {
    text.strip_prefix('`').and_then(|text| text.strip_suffix('`')).unwrap_or(text)
}
