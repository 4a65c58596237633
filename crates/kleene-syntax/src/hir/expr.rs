//! Typed expressions over a candidate event and the events that a partial match has captured.

use std::net::IpAddr;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

pub use crate::hir::text::{PatternSyntax, Regex, TextCase, TextPatterns};
use crate::hir::{StepId, TotalId};
pub use crate::syntax::ast::level;
pub use crate::syntax::ast::{BinaryOp, ItemQuantifier};
use kleene_event::schema::{FieldId, TypeId};
use kleene_event::value::{Kind, Same, Value, ValueRef, equal_int};

/// An expression whose names are resolved and whose types were checked.
///
/// Null runs through: arithmetic and functions of null are null, and so is a comparison with null
/// or of values that do not compare. `and` and `or` are null where the part that is null decides,
/// `not` of null is null. A condition that is null does not hold.
#[derive(Clone, Debug)]
pub enum Expr {
    /// A constant.
    Literal(Value),
    /// A field of the candidate event.
    Field(FieldRef),
    /// A field of a captured event.
    Captured(CapturedField),
    /// An aggregate over captured events.
    Aggregate(Box<Aggregate>),
    /// A register of the run. The automaton's builder replaces the two variants above by it.
    Register(usize),
    /// A component of the key, in emits.
    Key(usize),
    /// True if the step's own key of the candidate event is the key of the stream.
    StepKey(StepKeyTest),
    /// A fact about the match, in emits.
    Match(MatchFact),
    /// A fact about the set of matches that are reported together, in emits.
    Matches(MatchesFact),
    /// `not x`
    Not(Box<Expr>),
    /// `-x`
    Neg(Box<Expr>),
    /// `a op b`
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `x in set`
    In(Box<Expr>, Box<Set>),
    /// `x is null`
    IsNull(Box<Expr>),
    /// `x is true`: never null.
    IsTrue(Box<Expr>),
    /// A compiled regular expression found in a text.
    Regex(Box<Expr>, Arc<Regex>),
    /// A text that fits one of several patterns.
    Fits(Box<Expr>, Arc<TextPatterns>),
    /// A text, or a list's texts, with capital and small letters made the same.
    Fold(Box<Expr>),
    /// A test of the items of a list: the quantifier, the list and the test.
    Items(ItemQuantifier, Box<Expr>, Box<Expr>),
    /// The item, in the test of [`Items`](Expr::Items).
    Item,
    /// `if c then a else b`
    If(Box<[Expr; 3]>),
    /// A function, built in or of the host.
    Call(super::functions::Callee, Vec<Expr>),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `{ a: x, b: y }`: what an emit makes.
    Record(Vec<(Arc<str>, Expr)>),
}

impl Expr {
    /// Returns the expressions that this one is evaluated from. The argument of an aggregate is none
    /// of them: it is evaluated for other events.
    pub fn parts(&self) -> SmallVec<[&Expr; 3]> {
        match self {
            Expr::Literal(_)
            | Expr::Field(_)
            | Expr::Captured(_)
            | Expr::Aggregate(_)
            | Expr::Register(_)
            | Expr::Key(_)
            | Expr::StepKey(_)
            | Expr::Match(_)
            | Expr::Matches(_)
            | Expr::Item => SmallVec::new(),
            Expr::Not(x)
            | Expr::Neg(x)
            | Expr::IsNull(x)
            | Expr::IsTrue(x)
            | Expr::Fold(x)
            | Expr::Regex(x, _)
            | Expr::Fits(x, _) => smallvec![&**x],
            Expr::Binary(_, a, b) | Expr::Items(_, a, b) => smallvec![&**a, &**b],
            Expr::In(x, set) => match &**set {
                Set::Values(_) => smallvec![&**x],
                Set::Range(low, high) => smallvec![&**x, low, high],
                Set::Expr(list) => smallvec![&**x, list],
            },
            Expr::If(parts) => parts.iter().collect(),
            Expr::Call(_, items) | Expr::List(items) => items.iter().collect(),
            Expr::Record(fields) => fields.iter().map(|(_, value)| value).collect(),
        }
    }

    /// Returns the expressions that `and` joins to this one, in order: itself if there is no `and`.
    pub fn conjuncts(&self) -> Vec<&Expr> {
        let (mut found, mut open) = (Vec::new(), vec![self]);
        while let Some(expr) = open.pop() {
            match expr {
                Expr::Binary(BinaryOp::And, a, b) => open.extend([&**b, &**a]),
                other => found.push(other),
            }
        }
        found
    }

    /// Returns this expression with each of its [parts](Expr::parts) as `part` gives it, in order.
    ///
    /// # Errors
    /// The first error that `part` returns.
    pub fn map_parts<E>(&self, mut part: impl FnMut(&Expr) -> Result<Expr, E>) -> Result<Expr, E> {
        let mut boxed = |inner: &Expr| part(inner).map(Box::new);
        Ok(match self {
            Expr::Literal(_)
            | Expr::Field(_)
            | Expr::Captured(_)
            | Expr::Aggregate(_)
            | Expr::Register(_)
            | Expr::Key(_)
            | Expr::StepKey(_)
            | Expr::Match(_)
            | Expr::Matches(_)
            | Expr::Item => self.clone(),
            Expr::Not(x) => Expr::Not(boxed(x)?),
            Expr::Neg(x) => Expr::Neg(boxed(x)?),
            Expr::IsNull(x) => Expr::IsNull(boxed(x)?),
            Expr::IsTrue(x) => Expr::IsTrue(boxed(x)?),
            Expr::Fold(x) => Expr::Fold(boxed(x)?),
            Expr::Regex(x, regex) => Expr::Regex(boxed(x)?, Arc::clone(regex)),
            Expr::Fits(x, patterns) => Expr::Fits(boxed(x)?, Arc::clone(patterns)),
            Expr::Items(of, list, test) => Expr::Items(*of, boxed(list)?, boxed(test)?),
            Expr::Binary(op, a, b) => Expr::Binary(*op, boxed(a)?, boxed(b)?),
            Expr::In(x, set) => {
                let x = boxed(x)?;
                let set = match &**set {
                    Set::Values(values) => Set::Values(Arc::clone(values)),
                    Set::Range(low, high) => Set::Range(part(low)?, part(high)?),
                    Set::Expr(list) => Set::Expr(part(list)?),
                };
                Expr::In(x, Box::new(set))
            }
            Expr::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                Expr::If(Box::new([part(condition)?, part(then)?, part(otherwise)?]))
            }
            Expr::Call(function, args) => {
                Expr::Call(function.clone(), args.iter().map(part).collect::<Result<_, E>>()?)
            }
            Expr::List(items) => Expr::List(items.iter().map(part).collect::<Result<_, E>>()?),
            Expr::Record(fields) => {
                let fields = fields.iter().map(|(name, value)| Ok((name.clone(), part(value)?)));
                Expr::Record(fields.collect::<Result<_, E>>()?)
            }
        })
    }
}

/// The test that the stream's key is the key that a step gives its event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepKeyTest {
    /// The number of the step's key among those of the rule
    /// ([`StepKey::variants`](crate::hir::StepKey::variants)).
    pub variant: u8,
    /// The fields of the step's key, by part, as rules spell them.
    pub fields: Arc<str>,
}

/// A field of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldRef {
    /// A declared field of the one type that the event has.
    Declared(FieldId),
    /// An undeclared field of an open type, by its dotted path.
    Dynamic(Arc<str>),
    /// The event's time.
    Time,
    /// The field by the event's type; null for other types. For `prev` and mixed aliases.
    ByType(Arc<[(TypeId, FieldRef)]>),
}

/// A field of one captured event.
#[derive(Clone, Debug)]
pub struct CapturedField {
    /// Whose event: a step's, or `None` for `prev`, the event captured last in this partial match.
    pub step: Option<StepId>,
    /// The choice among the step's events.
    pub pick: Pick,
    /// The field of the event.
    pub field: FieldRef,
}

/// The choice among several events that a step captured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pick {
    /// The first.
    First,
    /// The last.
    Last,
    /// `[i]` from 0.
    Nth(u32),
    /// `[-i]`: 1 is the last.
    FromEnd(u32),
}

/// An aggregate over the events that a step has captured so far.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// The operation.
    pub op: AggregateOp,
    /// Over whose events.
    pub step: StepId,
    /// The aggregated expression, evaluated with each captured event as the candidate; `None` if
    /// `count` counts the events themselves.
    pub arg: Option<Expr>,
    /// True if each value of the expression is an integer or null, by the declarations.
    pub of_ints: bool,
}

/// The aggregates. Nulls are left out of all of them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AggregateOp {
    /// The number of values; 0 for none.
    Count,
    /// The sum; 0 over nothing.
    Sum,
    /// The mean; null over nothing.
    Avg,
    /// The least; null over nothing.
    Min,
    /// The greatest; null over nothing.
    Max,
    /// The first captured; null over nothing.
    First,
    /// The last captured; null over nothing.
    Last,
    /// The different values in the order of their first appearance.
    Distinct,
    /// All values in order.
    Collect,
    /// The standard deviation of the population; null over nothing.
    Stddev,
}

impl AggregateOp {
    /// All of them.
    pub const ALL: [AggregateOp; 10] = [
        AggregateOp::Count,
        AggregateOp::Sum,
        AggregateOp::Avg,
        AggregateOp::Min,
        AggregateOp::Max,
        AggregateOp::First,
        AggregateOp::Last,
        AggregateOp::Distinct,
        AggregateOp::Collect,
        AggregateOp::Stddev,
    ];

    /// The name of the aggregate in rules.
    pub fn name(self) -> &'static str {
        match self {
            AggregateOp::Count => "count",
            AggregateOp::Sum => "sum",
            AggregateOp::Avg => "avg",
            AggregateOp::Min => "min",
            AggregateOp::Max => "max",
            AggregateOp::First => "first",
            AggregateOp::Last => "last",
            AggregateOp::Distinct => "distinct",
            AggregateOp::Collect => "collect",
            AggregateOp::Stddev => "stddev",
        }
    }
}

/// A fact about a match or timeout.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MatchFact {
    /// The time of the first event.
    Start,
    /// The time of the last event, or when the match was reported if that is later.
    End,
    /// The step that was captured last.
    Step,
    /// The steps that the partial match waits for.
    Awaits,
    /// The stable id.
    Id,
    /// The number of the report, from 1, of a silence that repeats.
    Repetition,
}

/// A fact about a set of matches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MatchesFact {
    /// The number of matches; the greatest integer if there are more.
    Count,
    /// A total of the pattern.
    Total(TotalId),
}

/// The values that `in` searches.
#[derive(Clone, Debug)]
pub enum Set {
    /// A list that is known when the rule is compiled.
    Values(Arc<ValueSet>),
    /// `a..b`, both ends included.
    Range(Expr, Expr),
    /// A list that an expression computes.
    Expr(Expr),
}

/// A set of constants, with networks for addresses.
#[derive(Clone, Debug, Default)]
pub struct ValueSet {
    /// The `list` that declares it, where one does.
    pub list: Option<Arc<str>>,
    /// The constants. Numbers are looked up as they compare: `1` finds `1.0`.
    pub values: hashbrown::HashSet<Value>,
    /// Networks, for `ip` values: address and prefix length.
    pub networks: Vec<(IpAddr, u8)>,
}

impl ValueSet {
    /// Adds a constant.
    pub fn insert(&mut self, value: &Value) {
        self.values.insert(normal(value.as_ref()).to_value());
    }

    /// Adds the network of the addresses that share the first `prefix` bits with `address`.
    pub fn insert_network(&mut self, address: IpAddr, prefix: u8) {
        self.networks.push((address, prefix));
    }

    /// True if `value` is one of the constants or networks, false if it is none of them; `None` for
    /// null, and for what does not compare with all of them.
    pub fn truth(&self, value: ValueRef<'_>) -> Option<bool> {
        if self.contains(value) {
            return Some(true);
        }
        if self.values.is_empty() && self.networks.is_empty() {
            return Some(false);
        }
        let compares = |item: &Value| value.compare(item.as_ref()).is_some();
        // The entries of a declared list have one type.
        let entries = if self.list.is_some() { 1 } else { usize::MAX };
        let is_other = !value.is_null() && self.values.iter().take(entries).all(compares);
        let is_address = self.networks.is_empty() || value.kind() == Kind::IP;
        (is_other && is_address).then_some(false)
    }

    /// True if `value` is one of the constants, or an address in one of the networks.
    pub fn contains(&self, value: ValueRef<'_>) -> bool {
        if value.is_null() {
            return false;
        }
        self.values.contains(&Same(normal(value)))
            || match value {
                ValueRef::Ip(ip) => {
                    self.networks.iter().any(|(network, prefix)| in_network(ip, *network, *prefix))
                }
                _ => false,
            }
    }
}

/// One form of values that conditions hold to be equal: numbers, and an IPv4 address written as an
/// IPv6 one.
pub fn normal(value: ValueRef<'_>) -> ValueRef<'_> {
    match value {
        ValueRef::Float(x) => equal_int(x).map_or(value, ValueRef::Int),
        ValueRef::Ip(ip) => ValueRef::Ip(ip.to_canonical()),
        other => other,
    }
}

/// True if `ip` shares the first `prefix` bits with `network`.
pub(crate) fn in_network(ip: IpAddr, network: IpAddr, prefix: u8) -> bool {
    match (ip.to_canonical(), network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            (ip.to_bits() ^ network.to_bits()) & mask == 0
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            (ip.to_bits() ^ network.to_bits()) & mask == 0
        }
        _ => false,
    }
}
