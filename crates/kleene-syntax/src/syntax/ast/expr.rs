//! Durations, paths, literals and expressions.

use smallvec::{SmallVec, smallvec};

use super::spanned::{Name, Spanned};
use crate::diagnostic::Span;

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
    #[must_use]
    pub fn mirrored(self) -> BinaryOp {
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
    pub fn level(self) -> u8 {
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
pub mod level {
    /// `if`
    pub const IF: u8 = 0;
    /// `or`
    pub const OR: u8 = 1;
    /// `and`
    pub const AND: u8 = 2;
    /// `not`
    pub const NOT: u8 = 3;
    /// Comparisons, and `in`, `like` and their kind.
    pub const COMPARE: u8 = 4;
    /// `+` and `-`
    pub const ADD: u8 = 5;
    /// `*`, `/` and `%`
    pub const MUL: u8 = 6;
    /// A sign.
    pub const UNARY: u8 = 7;
    /// What needs no brackets.
    pub const OPERAND: u8 = 8;
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
