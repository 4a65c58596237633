//! Rule text as a tree that keeps everything: names as written, every span, every literal.
//!
//! The tree knows no schema. It prints back to text that parses to the same tree.

use smallvec::{SmallVec, smallvec};

use crate::diagnostic::Span;

/// Something with the place where it was written.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// The thing.
    pub node: T,
    /// Its place in the text.
    pub span: Span,
}

/// Trees are equal if they say the same, wherever it stands.
impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

/// A name, without the back-quotes that it may have been written in.
pub type Name = Spanned<String>;

/// A rule file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Its items in the order of the text.
    pub items: Vec<Item>,
}

/// One item of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `event NAME { ... }`
    Event(EventDecl),
    /// `list NAME: type = [...]` or `from "file"`
    List(ListDecl),
    /// `param NAME: type = literal`
    Param(ParamDecl),
    /// `define NAME = step`
    Define(Define),
    /// `rule NAME { ... }`
    Rule(Rule),
    /// `rule NAME = NAME(...) { ... }`
    Instance(Instance),
    /// `test NAME { ... }`
    Test(Test),
    /// `use "file"`
    Use(Spanned<String>),
}

impl Item {
    /// Returns the place of its name, or of the file's path after `use`.
    pub fn name_span(&self) -> Span {
        match self {
            Item::Event(event) => event.name.span,
            Item::List(list) => list.name.span,
            Item::Param(param) => param.name.span,
            Item::Define(define) => define.name.span,
            Item::Rule(rule) => rule.name.span,
            Item::Instance(instance) => instance.name.span,
            Item::Test(test) => test.rule.span,
            Item::Use(path) => path.span,
        }
    }
}

/// `event NAME { field, ..., .. }`
#[derive(Clone, Debug, PartialEq)]
pub struct EventDecl {
    /// The event type's name.
    pub name: Name,
    /// Its fields.
    pub fields: Vec<FieldDecl>,
    /// True if `..` allows undeclared fields.
    pub open: bool,
}

/// `NAME: type? = event time`
#[derive(Clone, Debug, PartialEq)]
pub struct FieldDecl {
    /// The field's name.
    pub name: Name,
    /// Its type.
    pub ty: Spanned<Type>,
    /// True if it is followed by `?`.
    pub optional: bool,
    /// True if it is marked `= event time`.
    pub event_time: bool,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `float`
    Float,
    /// `string`
    String,
    /// `time`
    Time,
    /// `duration`
    Duration,
    /// `ip`
    Ip,
    /// `list<type>`
    List(Box<Spanned<Type>>),
    /// `{ field, ... }`
    Record(Vec<FieldDecl>),
}

/// `list NAME: type = [...]` or `list NAME: type from "file"`
#[derive(Clone, Debug, PartialEq)]
pub struct ListDecl {
    /// The list's name.
    pub name: Name,
    /// The type of its entries.
    pub ty: Spanned<Type>,
    /// The source of the entries.
    pub source: ListSource,
}

/// The source of a list's entries.
#[derive(Clone, Debug, PartialEq)]
pub enum ListSource {
    /// `= [literal, ...]`
    Inline(Vec<Spanned<Literal>>),
    /// `from "path"`
    File(Spanned<String>),
}

/// `param NAME: type = literal`
#[derive(Clone, Debug, PartialEq)]
pub struct ParamDecl {
    /// The parameter's name.
    pub name: Name,
    /// Its type.
    pub ty: Spanned<Type>,
    /// Its value unless the instance or the host gives another.
    pub value: Spanned<Literal>,
}

/// `define NAME = step`
#[derive(Clone, Debug, PartialEq)]
pub struct Define {
    /// The new name.
    pub name: Name,
    /// The step that the name stands for.
    pub step: Step,
}

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
#[non_exhaustive]
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
#[non_exhaustive]
pub enum LimitPolicy {
    /// `drop oldest`
    DropOldest,
    /// `drop newest`
    DropNewest,
    /// `fail`
    Fail,
}

/// `seq ((and seq)+ | (or seq)+)? (without choice)?`
#[derive(Clone, Debug)]
pub struct Body {
    /// The sequences; more than one only with `joined_by`.
    pub sequences: Vec<Sequence>,
    /// `and` or `or` between them.
    pub joined_by: Option<Junction>,
    /// `without choice`
    pub without: Option<Choice>,
    /// All of it.
    pub span: Span,
}

impl PartialEq for Body {
    fn eq(&self, other: &Body) -> bool {
        (&self.sequences, &self.joined_by, &self.without)
            == (&other.sequences, &other.joined_by, &other.without)
    }
}

/// The word that joins the sequences of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Junction {
    /// All, in any order.
    And,
    /// Any one.
    Or,
}

/// `item (arrow item)*`
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Its parts; the first one's arrow is meaningless and `Arrow::default()`.
    pub parts: Vec<(Arrow, Part)>,
    /// All of it.
    pub span: Span,
}

impl PartialEq for Sequence {
    fn eq(&self, other: &Sequence) -> bool {
        self.parts == other.parts
    }
}

/// `-> [min..max] next|any`
#[derive(Clone, Debug, Default)]
pub struct Arrow {
    /// The contiguity between the part before and the part after the arrow.
    pub contiguity: Contiguity,
    /// `[min..max]`, both ends included.
    pub gap: Option<Gap>,
    /// The arrow with its words.
    pub span: Option<Span>,
}

impl PartialEq for Arrow {
    fn eq(&self, other: &Arrow) -> bool {
        (&self.contiguity, &self.gap) == (&other.contiguity, &other.gap)
    }
}

/// `[dur? .. dur?]`
#[derive(Clone, Debug)]
pub struct Gap {
    /// At least this long.
    pub min: Option<Dur>,
    /// At most this long.
    pub max: Option<Dur>,
    /// With its brackets.
    pub span: Span,
}

impl PartialEq for Gap {
    fn eq(&self, other: &Gap) -> bool {
        (&self.min, &self.max) == (&other.min, &other.max)
    }
}

/// The relation of an event to the event before it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Contiguity {
    /// The first later event that fits; others are skipped.
    #[default]
    Relaxed,
    /// The very next event of the stream: `next`.
    Next,
    /// Every later event that fits, one match each: `any`.
    Any,
}

/// One part of a sequence.
#[derive(Clone, Debug)]
pub enum Part {
    /// `not choice (for dur repeat?)?`
    Not {
        /// The event that must not come.
        what: Choice,
        /// For how long.
        duration: Option<Dur>,
        /// The word `repeat`: it is reported again each time that the duration has passed.
        repeat: Option<Span>,
        /// All of it.
        span: Span,
    },
    /// `unit quant? (until ...)? (as NAME)?`
    Take(Box<Take>),
}

impl PartialEq for Part {
    fn eq(&self, other: &Part) -> bool {
        match (self, other) {
            (
                Part::Not { what, duration, repeat, .. },
                Part::Not { what: other, duration: bound, repeat: again, .. },
            ) => (what, duration, repeat.is_some()) == (other, bound, again.is_some()),
            (Part::Take(take), Part::Take(other)) => take == other,
            _ => false,
        }
    }
}

/// A part that takes events.
#[derive(Clone, Debug)]
pub struct Take {
    /// The step or the group.
    pub unit: Unit,
    /// The number of repetitions.
    pub quant: Option<Quant>,
    /// The end of the loop.
    pub until: Option<Until>,
    /// `as NAME`
    pub alias: Option<Name>,
    /// All of it.
    pub span: Span,
}

impl PartialEq for Take {
    fn eq(&self, other: &Take) -> bool {
        (&self.unit, &self.quant, &self.until, &self.alias)
            == (&other.unit, &other.quant, &other.until, &other.alias)
    }
}

/// The step or the group of a part.
#[derive(Clone, Debug, PartialEq)]
pub enum Unit {
    /// One event.
    Step(Step),
    /// `( body within dur )`
    Group(Body, Option<Dur>),
    /// `N of (seq, seq, ... within dur)`
    Of(Spanned<u64>, Vec<Sequence>, Option<Dur>),
}

impl Unit {
    /// Returns the sequences in it; none of a step.
    pub(crate) fn sequences(&self) -> &[Sequence] {
        match self {
            Unit::Step(_) => &[],
            Unit::Group(body, _) => &body.sequences,
            Unit::Of(_, sequences, _) => sequences,
        }
    }
}

/// One of several steps: `step`, or `( step (or step)* )`.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The steps; never empty.
    pub steps: Vec<Step>,
    /// All of it, with its parentheses.
    pub span: Span,
}

impl Choice {
    /// The steps without their conditions, as they are written: `(a or b)`.
    pub fn name(&self) -> String {
        let names: Vec<&str> = self.steps.iter().map(|step| step.name.node.as_str()).collect();
        match names.as_slice() {
            [one] => (*one).to_owned(),
            several => format!("({})", several.join(" or ")),
        }
    }
}

impl PartialEq for Choice {
    fn eq(&self, other: &Choice) -> bool {
        self.steps == other.steps
    }
}

/// `NAME [ expr ]`, or `any event [ expr ]`
#[derive(Clone, Debug)]
pub struct Step {
    /// An event type or a define. Of a wildcard [`ANY_EVENT`], where its words stand.
    pub name: Name,
    /// True for the wildcard `any event`: every type of the rule's stream.
    pub wildcard: bool,
    /// The condition on the event.
    pub condition: Option<Spanned<Expr>>,
    /// All of it.
    pub span: Span,
}

impl PartialEq for Step {
    fn eq(&self, other: &Step) -> bool {
        (&self.name, self.wildcard, &self.condition)
            == (&other.name, other.wildcard, &other.condition)
    }
}

/// The name of the wildcard, and of its step if `as` gives no other.
pub const ANY_EVENT: &str = "any event";

/// The end of a loop.
#[derive(Clone, Debug, PartialEq)]
pub enum Until {
    /// `until choice`
    Step(Choice),
    /// `until [expr]`
    Condition(Spanned<Expr>),
}

/// `{min..max contiguity mode}` and its short forms.
#[derive(Clone, Debug)]
pub struct Quant {
    /// At least so often.
    pub min: u64,
    /// At most so often; without bound where `None`.
    pub max: Option<u64>,
    /// The contiguity between two repetitions.
    pub contiguity: Contiguity,
    /// The mode of the loop, if a word gives it.
    pub mode: Option<LoopMode>,
    /// All of it.
    pub span: Span,
}

impl PartialEq for Quant {
    fn eq(&self, other: &Quant) -> bool {
        (self.min, self.max, self.contiguity, self.mode)
            == (other.min, other.max, other.contiguity, other.mode)
    }
}

/// The mode of a loop: which repetitions are matches.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum LoopMode {
    /// Takes what it can before the next step may.
    #[default]
    Greedy,
    /// A match for each length.
    Each,
    /// Reported when it can grow no more.
    Longest,
}

/// A duration: `10m`, `$wait`, `o.sla`.
#[derive(Clone, Debug, PartialEq)]
pub enum Dur {
    /// Milliseconds.
    Literal(Spanned<i64>),
    /// `$name`
    Param(Name),
    /// A field of a captured event.
    Path(Path),
}

impl Dur {
    /// Its place in the text.
    pub fn span(&self) -> Span {
        match self {
            Dur::Literal(literal) => literal.span,
            Dur::Param(name) => name.span,
            Dur::Path(path) => path.span,
        }
    }
}

/// `test NAME { ... }`
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// The rule that it tests.
    pub rule: Name,
    /// The steps of the test, in order.
    pub steps: Vec<Spanned<TestStep>>,
}

/// One line of a test.
#[derive(Clone, Debug, PartialEq)]
pub enum TestStep {
    /// `at DURATION NAME record`
    Event {
        /// Milliseconds after the start of the test.
        at: Spanned<i64>,
        /// The event type.
        ty: Name,
        /// Its fields.
        fields: Vec<(Name, Option<Spanned<Expr>>)>,
    },
    /// `advance to DURATION`
    Advance(Spanned<i64>),
    /// `expect no? (match | timeout) record? (count INT)? (at DURATION)?`
    Expect {
        /// True if it is expected not to come.
        no: bool,
        /// A timeout rather than a match.
        timeout: bool,
        /// The fields that the emitted record must contain.
        fields: Vec<(Name, Option<Spanned<Expr>>)>,
        /// The number of matches in the set.
        count: Option<Spanned<u64>>,
        /// When it is reported.
        at: Option<Spanned<i64>>,
    },
}

/// `a.b[2].c`
#[derive(Clone, Debug)]
pub struct Path {
    /// The first name.
    pub root: Name,
    /// The parts behind the first name.
    pub rest: Vec<PathPart>,
    /// All of it.
    pub span: Span,
}

impl PartialEq for Path {
    fn eq(&self, other: &Path) -> bool {
        self.root == other.root && self.rest == other.rest
    }
}

/// A part of a path behind its first name.
#[derive(Clone, Debug, PartialEq)]
pub enum PathPart {
    /// `.name`
    Field(Name),
    /// `[i]`; negative counts from the end
    Index(Spanned<i64>),
}

/// A literal value.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// `12`
    Int(i64),
    /// `1.5`
    Float(f64),
    /// `"text"`
    String(String),
    /// `10m`, in milliseconds
    Duration(i64),
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum BinaryOp {
    /// `or`
    Or,
    /// `and`
    And,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `~`
    Matches,
    /// `not ~`
    NotMatches,
    /// `like`
    Like,
    /// `not like`
    NotLike,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Rem,
}

impl BinaryOp {
    /// The operator as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            BinaryOp::Or => "or",
            BinaryOp::And => "and",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::Matches => "~",
            BinaryOp::NotMatches => "not ~",
            BinaryOp::Like => "like",
            BinaryOp::NotLike => "not like",
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Rem => "%",
        }
    }

    /// Returns the operator that means the same for swapped sides: `5 < x` is `x > 5`.
    pub(crate) fn mirrored(self) -> BinaryOp {
        match self {
            BinaryOp::Lt => BinaryOp::Gt,
            BinaryOp::Le => BinaryOp::Ge,
            BinaryOp::Gt => BinaryOp::Lt,
            BinaryOp::Ge => BinaryOp::Le,
            other => other,
        }
    }

    /// Returns the operator without its `not`, if it has one: `like` for `not like`.
    pub(crate) fn without_not(self) -> Option<BinaryOp> {
        match self {
            BinaryOp::NotLike => Some(BinaryOp::Like),
            BinaryOp::NotMatches => Some(BinaryOp::Matches),
            _ => None,
        }
    }

    /// Returns the binding strength.
    pub(crate) fn level(self) -> u8 {
        match self {
            BinaryOp::Or => level::OR,
            BinaryOp::And => level::AND,
            BinaryOp::Add | BinaryOp::Sub => level::ADD,
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => level::MUL,
            _ => level::COMPARE,
        }
    }
}

/// The number of items of a list for which a comparison has to hold.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ItemQuantifier {
    /// `any`: one or more.
    Any,
    /// `all`: each of them.
    All,
}

impl ItemQuantifier {
    /// Both.
    pub const ALL: [ItemQuantifier; 2] = [ItemQuantifier::Any, ItemQuantifier::All];

    /// The quantifier as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            ItemQuantifier::Any => "any",
            ItemQuantifier::All => "all",
        }
    }
}

/// The binding strengths of operators.
pub(crate) mod level {
    pub(crate) const IF: u8 = 0;
    pub(crate) const OR: u8 = 1;
    pub(crate) const AND: u8 = 2;
    pub(crate) const NOT: u8 = 3;
    pub(crate) const COMPARE: u8 = 4;
    pub(crate) const ADD: u8 = 5;
    pub(crate) const MUL: u8 = 6;
    pub(crate) const UNARY: u8 = 7;
    pub(crate) const OPERAND: u8 = 8;
}

/// An expression. Parentheses are not kept; the printer puts them where they are needed.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A literal.
    Literal(Literal),
    /// `[a, b]`
    List(Vec<Spanned<Expr>>),
    /// `name`, `alias.field`, `alias[0].field`
    Path(Path),
    /// `$name`
    Param(Name),
    /// `not x`
    Not(Box<Spanned<Expr>>),
    /// `-x`
    Neg(Box<Spanned<Expr>>),
    /// `a + b`
    Binary(BinaryOp, Box<Spanned<Expr>>, Box<Spanned<Expr>>),
    /// `x in set`, `x not in set`: the set is a list, a named list, a range or a CIDR text
    In {
        /// True if it is `not in`.
        negated: bool,
        /// The value that is looked for.
        value: Box<Spanned<Expr>>,
        /// The set.
        set: Box<Spanned<Expr>>,
    },
    /// `a..b`, only after `in`
    Range(Box<Spanned<Expr>>, Box<Spanned<Expr>>),
    /// `x is null`, `x is not null`
    IsNull {
        /// True if it is `is not null`.
        negated: bool,
        /// The value that is tested.
        value: Box<Spanned<Expr>>,
    },
    /// `x is true`, `x is not true`, `x is false`, `x is not false`
    Is {
        /// True if it is `is not`.
        negated: bool,
        /// The value that is asked for.
        truth: bool,
        /// The value that is tested.
        value: Box<Spanned<Expr>>,
    },
    /// `any x`, `all x`: the items of a list, only at the left of a comparison
    Quantified(ItemQuantifier, Box<Spanned<Expr>>),
    /// `a == b nocase`: a comparison or a call that does not distinguish capital and small letters
    NoCase(Box<Spanned<Expr>>),
    /// `name(arg, ...)`
    Call(Name, Vec<Spanned<Expr>>),
    /// `matches.name(arg, ...)`
    OfMatches(Name, Vec<Spanned<Expr>>),
    /// `if c then a else b`
    If(Box<[Spanned<Expr>; 3]>),
}

impl Expr {
    /// `a op b op c ...` for an `op` that is `And` or `Or`: a balanced tree, so that a chain of
    /// hundreds nests only a few levels. Chains of the same operator inside are taken apart first;
    /// this is the one form in which the parser builds them.
    pub fn join(op: BinaryOp, operands: Vec<Spanned<Expr>>) -> Spanned<Expr> {
        let mut flat = Vec::with_capacity(operands.len());
        for operand in operands {
            flatten(op, operand, &mut flat);
        }
        let count = flat.len();
        balance(op, &mut flat.into_iter(), count)
            .unwrap_or(Spanned { node: Expr::Literal(Literal::Null), span: Span::default() })
    }

    /// Returns the expressions that stand in this one, in the order of the text.
    pub(crate) fn parts(&self) -> SmallVec<[&Spanned<Expr>; 3]> {
        match self {
            Expr::Literal(_) | Expr::Path(_) | Expr::Param(_) => SmallVec::new(),
            Expr::Not(x)
            | Expr::Neg(x)
            | Expr::IsNull { value: x, .. }
            | Expr::Is { value: x, .. }
            | Expr::Quantified(_, x)
            | Expr::NoCase(x) => smallvec![&**x],
            Expr::Binary(_, a, b) | Expr::Range(a, b) | Expr::In { value: a, set: b, .. } => {
                smallvec![&**a, &**b]
            }
            Expr::List(items) | Expr::Call(_, items) | Expr::OfMatches(_, items) => {
                items.iter().collect()
            }
            Expr::If(parts) => parts.iter().collect(),
        }
    }
}

fn flatten(op: BinaryOp, expr: Spanned<Expr>, flat: &mut Vec<Spanned<Expr>>) {
    match expr.node {
        Expr::Binary(inner, left, right) if inner == op => {
            flatten(op, *left, flat);
            flatten(op, *right, flat);
        }
        _ => flat.push(expr),
    }
}

/// A tree of the next `count` of `operands`, the left side the bigger one.
fn balance(
    op: BinaryOp,
    operands: &mut impl Iterator<Item = Spanned<Expr>>,
    count: usize,
) -> Option<Spanned<Expr>> {
    if count <= 1 {
        return operands.next();
    }
    let left = balance(op, operands, count.div_ceil(2))?;
    let right = balance(op, operands, count / 2)?;
    let span = left.span.to(right.span);
    Some(Spanned { node: Expr::Binary(op, Box::new(left), Box::new(right)), span })
}
