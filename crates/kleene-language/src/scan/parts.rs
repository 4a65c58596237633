//! What a scan finds: names, declarations and rules, and what can stand at the end.

use kleene::diagnostic::Span;

/// A name with what is known of its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mark {
    /// Its place in the text.
    pub span: Span,
    /// The role.
    pub role: Role,
    /// The rule that it stands in, by its number in [`Scan::rules`].
    pub rule: Option<usize>,
}

/// The role of a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Role {
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
    /// An event type or a step, in the braces behind a part of the key.
    Keyed,
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
pub enum RecordOf {
    /// An event type's.
    Event(String),
    /// Those that a rule emits.
    Rule(String),
}

/// A declaration.
#[derive(Clone, Debug)]
pub struct ItemScan {
    /// The kind.
    pub kind: ItemKind,
    /// Its name; for a test, the name of its rule.
    pub name: String,
    /// The place of the name.
    pub name_span: Span,
    /// All of it.
    pub span: Span,
    /// The fields of an event type, nested ones dotted.
    pub fields: Vec<FieldScan>,
    /// True if `..` allows an event type further fields.
    pub open: bool,
    /// The type of a list or parameter; the step of a define.
    pub detail: String,
    /// The rule's number in [`Scan::rules`].
    pub rule: Option<usize>,
}

/// The kind of an item.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ItemKind {
    /// An event type.
    Event,
    /// A list.
    List,
    /// A parameter of all rules.
    Param,
    /// A named step.
    Define,
    /// A rule or an instance.
    Rule,
    /// A test.
    Test,
    /// A file that is used.
    Use,
}

/// A field of an event type.
#[derive(Clone, Debug)]
pub struct FieldScan {
    /// Its dotted name.
    pub name: String,
    /// Its place in the text.
    pub span: Span,
    /// Its type as it is written, `?` and all; empty for one with nested fields.
    pub ty: String,
}

/// A rule or an instance.
#[derive(Clone, Debug, Default)]
pub struct RuleScan {
    /// Its name.
    pub name: String,
    /// The rule that this is an instance of.
    pub base: Option<String>,
    /// The steps of its pattern, in the order of the text.
    pub steps: Vec<StepScan>,
    /// Names given with `as`.
    pub names: Vec<AliasScan>,
    /// Its own parameters and defines.
    pub locals: Vec<LocalScan>,
    /// The parts of its key.
    pub key: Vec<(String, Span)>,
    /// The event types of its `from`.
    pub from: Vec<String>,
    /// The fields of its `emit` and `on timeout emit`.
    pub emits: Vec<(String, Span)>,
}

/// A step of a pattern.
#[derive(Clone, Debug)]
pub struct StepScan {
    /// The event type or define.
    pub name: String,
    /// Its place in the text.
    pub span: Span,
    /// True if it must not come.
    pub negated: bool,
    /// True if it has a name of its own.
    pub renamed: bool,
}

/// `as name`
#[derive(Clone, Debug)]
pub struct AliasScan {
    /// The name.
    pub name: String,
    /// Its place in the text.
    pub span: Span,
    /// The steps that it names, from the first to before the last.
    pub steps: (usize, usize),
}

/// The kind of a name that is declared inside a rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LocalKind {
    /// A parameter.
    Param,
    /// A named step.
    Define,
}

/// A parameter or define in a rule.
#[derive(Clone, Debug)]
pub struct LocalScan {
    /// The kind.
    pub kind: LocalKind,
    /// Its name.
    pub name: String,
    /// The place of the name.
    pub name_span: Span,
    /// All of it.
    pub span: Span,
    /// The type of a parameter, the step of a define.
    pub detail: String,
}

/// The kind of text that can stand at a place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Slot {
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
    /// A step.
    Step,
    /// The text behind a step.
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
    /// The text behind a name and a dot.
    Member(Vec<String>),
    /// A parameter behind `$`.
    Param,
    /// The type of an event in a test.
    TestStep,
}

/// The kind of brackets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BracketKind {
    /// None: the file itself.
    File,
    /// `{ }` of an event type, or of an object in it.
    EventBody {
        /// The names around it, each with a dot.
        prefix: String,
    },
    /// `{ }` of a rule.
    RuleBody,
    /// `{ }` of a test.
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
pub struct Scan {
    /// All names.
    pub marks: Vec<Mark>,
    /// All declarations.
    pub items: Vec<ItemScan>,
    /// The event types that `emit as` makes of records, which need no declaration.
    pub emitted: Vec<ItemScan>,
    /// All rules and instances.
    pub rules: Vec<RuleScan>,
    /// The kind of text that can stand at the end.
    pub end: End,
}

/// The state at the end of a text.
#[derive(Debug)]
pub struct End {
    /// The kind of text that can stand here.
    pub slot: Slot,
    /// The brackets that it ends in, the innermost last.
    pub kinds: Vec<BracketKind>,
    /// The rule that it ends in.
    pub rule: Option<usize>,
    /// The last word or symbol.
    pub last: String,
}

/// A name without its back-quotes.
pub fn bare(text: &str) -> &str {
    text.strip_prefix('`').and_then(|text| text.strip_suffix('`')).unwrap_or(text)
}
