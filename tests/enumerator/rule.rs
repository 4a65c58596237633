//! Rules as the enumerator sees them, and their text.

use std::fmt::{self, Display, Write as _};

/// The names of the event types, by number.
pub(super) const TYPES: [&str; 4] = ["a", "b", "c", "d"];

/// An event: its number is its place in the stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Event {
    pub(super) ty: usize,
    pub(super) v: Option<i64>,
    pub(super) time: i64,
    /// The value of its key; a rule without `key` reads none.
    pub(super) key: Option<i64>,
}

impl Event {
    /// Returns the value of its field `wait`, in milliseconds: some are null, negative or zero.
    pub(super) fn wait(&self) -> Option<i64> {
        self.v.map(|v| 2 * v - 2)
    }
}

/// A length of time: in milliseconds, or what the event of a step says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Length {
    Millis(i64),
    Said(usize),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Arrow {
    Relaxed,
    Next,
    Any,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    Greedy,
    Each,
    Longest,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Comparison {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
    Unequal,
}

/// What a condition compares. Steps are named by number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Operand {
    Literal(i64),
    Own,
    Prev,
    Field(usize),
    First(usize),
    Last(usize),
    Min(usize),
    Max(usize),
    Sum(usize),
    Count(usize),
    Plus(Box<Operand>, Box<Operand>),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Condition {
    Compare(Comparison, Operand, Operand),
    OwnIsNull,
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

/// An event type (none for `any event`) and a condition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Test {
    pub(super) ty: Option<usize>,
    pub(super) condition: Option<Condition>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Quantifier {
    pub(super) min: usize,
    pub(super) max: Option<usize>,
    pub(super) inner: Arrow,
    pub(super) mode: Mode,
    pub(super) until: Vec<Test>,
    /// True if it can also be left out, whatever the least number is: `(a{2}){0..1}`.
    pub(super) or_none: bool,
}

impl Quantifier {
    pub(super) fn once() -> Quantifier {
        Quantifier {
            min: 1,
            max: Some(1),
            inner: Arrow::Relaxed,
            mode: Mode::Greedy,
            until: Vec::new(),
            or_none: false,
        }
    }

    pub(super) fn is_once(&self) -> bool {
        (self.min, self.max) == (1, Some(1)) && !self.or_none
    }

    pub(super) fn may_be_none(&self) -> bool {
        self.min == 0 || self.or_none
    }

    /// True if more than one number of repetitions is possible.
    pub(super) fn varies(&self) -> bool {
        self.or_none || self.max != Some(self.min)
    }

    pub(super) fn is_greedy(&self) -> bool {
        self.varies() && self.mode != Mode::Each
    }
}

/// The bound on the time from the event before, both ends included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Gap {
    pub(super) least: Option<Length>,
    pub(super) most: Option<Length>,
}

impl Gap {
    pub(super) const NONE: Gap = Gap { least: None, most: None };
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Item {
    /// Without meaning for the first item of a sequence.
    pub(super) arrow: Arrow,
    pub(super) gap: Gap,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Step {
        id: usize,
        test: Test,
        quantifier: Quantifier,
    },
    /// With the arrow `next`, it concerns the next event only.
    Not {
        tests: Vec<Test>,
        time: Option<Length>,
        repeat: bool,
    },
    Group {
        body: Body,
        quantifier: Quantifier,
    },
}

/// What stands in parentheses, and the pattern as a whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Body {
    pub(super) parts: Parts,
    pub(super) without: Vec<Test>,
    pub(super) within: Option<Length>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Parts {
    Sequence(Vec<Item>),
    /// As many of the branches have to happen.
    Branches {
        branches: Vec<Branch>,
        need: usize,
    },
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Branch {
    Sequence(Vec<Item>),
    Silence { tests: Vec<Test>, time: Length },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Skip {
    None,
    PastLast,
    ToNext,
    ToFirst(usize),
    ToLast(usize),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Report {
    All,
    Count,
    First(usize),
    Last(usize),
    Longest,
    Shortest,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Rule {
    /// The types of `from`, if it is written.
    pub(super) from: Option<Vec<usize>>,
    /// `not tests for time ->` before the first event.
    pub(super) leading: Option<(Vec<Test>, i64)>,
    pub(super) body: Body,
    pub(super) skip: Skip,
    pub(super) ordered: bool,
    pub(super) report: Report,
    pub(super) timeouts: bool,
}

impl Body {
    /// True if the step stands in it.
    pub(super) fn has(&self, step: usize) -> bool {
        match &self.parts {
            Parts::Sequence(items) => items.iter().any(|item| item.has(step)),
            Parts::Branches { branches, .. } => {
                branches.iter().flat_map(Branch::items).any(|item| item.has(step))
            }
        }
    }
}

impl Branch {
    /// The items of a sequence; a silence has none.
    pub(super) fn items(&self) -> &[Item] {
        match self {
            Branch::Sequence(items) => items,
            Branch::Silence { .. } => &[],
        }
    }
}

impl Item {
    /// True if the step stands in it.
    pub(super) fn has(&self, step: usize) -> bool {
        match &self.kind {
            Kind::Step { id, .. } => *id == step,
            Kind::Group { body, .. } => body.has(step),
            Kind::Not { .. } => false,
        }
    }

    pub(super) fn is_not(&self) -> bool {
        matches!(self.kind, Kind::Not { .. })
    }

    /// True if it can happen without an event.
    pub(super) fn may_be_empty(&self) -> bool {
        match &self.kind {
            Kind::Step { quantifier, .. } => quantifier.may_be_none(),
            Kind::Not { .. } => true,
            Kind::Group { body, quantifier } => {
                quantifier.may_be_none() || body.parts.may_be_empty()
            }
        }
    }
}

impl Parts {
    pub(super) fn may_be_empty(&self) -> bool {
        match self {
            Parts::Sequence(items) => items.iter().all(Item::may_be_empty),
            Parts::Branches { .. } => false,
        }
    }
}

impl Rule {
    /// The types of the rule's stream.
    pub(super) fn stream(&self) -> Vec<usize> {
        if let Some(types) = &self.from {
            return types.clone();
        }
        let mut types = Vec::new();
        self.visit_tests(&mut |test| types.extend(test.ty));
        types.sort_unstable();
        types.dedup();
        types
    }

    pub(super) fn visit_tests(&self, visit: &mut dyn FnMut(&Test)) {
        self.leading.iter().flat_map(|(tests, _)| tests).for_each(&mut *visit);
        visit_body(&self.body, visit);
    }
}

fn visit_body(body: &Body, visit: &mut dyn FnMut(&Test)) {
    body.without.iter().for_each(&mut *visit);
    match &body.parts {
        Parts::Sequence(items) => visit_items(items, visit),
        Parts::Branches { branches, .. } => {
            for branch in branches {
                match branch {
                    Branch::Sequence(items) => visit_items(items, visit),
                    Branch::Silence { tests, .. } => tests.iter().for_each(&mut *visit),
                }
            }
        }
    }
}

fn visit_items(items: &[Item], visit: &mut dyn FnMut(&Test)) {
    for item in items {
        match &item.kind {
            Kind::Step { test, quantifier, .. } => {
                visit(test);
                quantifier.until.iter().for_each(&mut *visit);
            }
            Kind::Not { tests, .. } => tests.iter().for_each(&mut *visit),
            Kind::Group { body, quantifier } => {
                visit_body(body, visit);
                quantifier.until.iter().for_each(&mut *visit);
            }
        }
    }
}

impl Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |types: &[usize]| types.iter().map(|ty| TYPES[*ty]).collect::<Vec<_>>();
        if let Some(types) = &self.from {
            write!(f, "from {} ", names(types).join(", "))?;
        }
        f.write_str("match ")?;
        if let Some((tests, time)) = &self.leading {
            write!(f, "not {} for {time}ms -> ", choice(tests))?;
        }
        write!(f, "{}", inside(&self.body))?;
        if let Some(within) = self.body.within {
            write!(f, " within {within}")?;
        }
        match self.skip {
            Skip::None => write!(f, " skip none")?,
            Skip::PastLast => write!(f, " skip past last")?,
            Skip::ToNext => write!(f, " skip to next")?,
            Skip::ToFirst(step) => write!(f, " skip to first s{step}")?,
            Skip::ToLast(step) => write!(f, " skip to last s{step}")?,
        }
        if self.ordered {
            write!(f, " ordered")?;
        }
        match self.report {
            Report::All => {}
            Report::Count => write!(f, " report count")?,
            Report::First(most) => write!(f, " report first {most}")?,
            Report::Last(most) => write!(f, " report last {most}")?,
            Report::Longest => write!(f, " report longest")?,
            Report::Shortest => write!(f, " report shortest")?,
        }
        if self.timeouts {
            write!(f, " on timeout emit {{ step: match.step }}")?;
        }
        Ok(())
    }
}

/// A body without its parentheses and its `within`.
fn inside(body: &Body) -> String {
    let mut text = match &body.parts {
        Parts::Sequence(items) => sequence(items),
        Parts::Branches { branches, need } => {
            let texts: Vec<String> = branches.iter().map(branch).collect();
            match *need {
                1 => texts.join(" or "),
                need if need == branches.len() => texts.join(" and "),
                need => format!("({need} of ({}))", texts.join(", ")),
            }
        }
    };
    if !body.without.is_empty() {
        let _ = write!(text, " without {}", choice(&body.without));
    }
    text
}

fn branch(branch: &Branch) -> String {
    match branch {
        Branch::Sequence(items) => sequence(items),
        Branch::Silence { tests, time } => format!("not {} for {time}", choice(tests)),
    }
}

fn sequence(items: &[Item]) -> String {
    let mut text = String::new();
    for (number, item) in items.iter().enumerate() {
        if number > 0 {
            text += " ->";
            let end = |end: Option<Length>| end.map(|end| end.to_string()).unwrap_or_default();
            if item.gap != Gap::NONE {
                let _ = write!(text, "[{}..{}]", end(item.gap.least), end(item.gap.most));
            }
            text += match item.arrow {
                Arrow::Relaxed => " ",
                Arrow::Next => " next ",
                Arrow::Any => " any ",
            };
        }
        let _ = write!(text, "{item}");
    }
    text
}

impl Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Step { id, test, quantifier } => write!(f, "{test}{quantifier} as s{id}"),
            Kind::Not { tests, time, repeat } => {
                write!(f, "not {}", choice(tests))?;
                if let Some(time) = time {
                    write!(f, " for {time}")?;
                }
                f.write_str(if *repeat { " repeat" } else { "" })
            }
            Kind::Group { body, quantifier } => {
                write!(f, "({}", inside(body))?;
                if let Some(within) = body.within {
                    write!(f, " within {within}")?;
                }
                write!(f, "){quantifier}")
            }
        }
    }
}

impl Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Length::Millis(millis) => write!(f, "{millis}ms"),
            Length::Said(step) => write!(f, "s{step}.wait"),
        }
    }
}

impl Display for Quantifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_once() {
            write!(f, "{{{}", self.min)?;
            match self.max {
                Some(max) if max == self.min => {}
                Some(max) => write!(f, "..{max}")?,
                None => write!(f, "..")?,
            }
            f.write_str(match self.inner {
                Arrow::Relaxed => "",
                Arrow::Next => " next",
                Arrow::Any => " any",
            })?;
            f.write_str(match self.mode {
                Mode::Greedy => "}",
                Mode::Each => " each}",
                Mode::Longest => " longest}",
            })?;
        }
        if !self.until.is_empty() {
            write!(f, " until {}", choice(&self.until))?;
        }
        Ok(())
    }
}

fn choice(tests: &[Test]) -> String {
    match tests {
        [one] => one.to_string(),
        several => {
            let texts: Vec<String> = several.iter().map(Test::to_string).collect();
            format!("({})", texts.join(" or "))
        }
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.ty.map_or("any event", |ty| TYPES[ty]))?;
        if let Some(condition) = &self.condition {
            write!(f, "[{condition}]")?;
        }
        Ok(())
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Compare(comparison, left, right) => {
                let sign = match comparison {
                    Comparison::Less => "<",
                    Comparison::AtMost => "<=",
                    Comparison::Greater => ">",
                    Comparison::AtLeast => ">=",
                    Comparison::Equal => "==",
                    Comparison::Unequal => "!=",
                };
                write!(f, "{left} {sign} {right}")
            }
            Condition::OwnIsNull => f.write_str("v is null"),
            Condition::Not(part) => write!(f, "not ({part})"),
            Condition::And(left, right) => write!(f, "({left}) and ({right})"),
            Condition::Or(left, right) => write!(f, "({left}) or ({right})"),
        }
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Literal(value) => write!(f, "{value}"),
            Operand::Own => f.write_str("v"),
            Operand::Prev => f.write_str("prev.v"),
            Operand::Field(step) => write!(f, "s{step}.v"),
            Operand::First(step) => write!(f, "first(s{step}.v)"),
            Operand::Last(step) => write!(f, "last(s{step}.v)"),
            Operand::Min(step) => write!(f, "min(s{step}.v)"),
            Operand::Max(step) => write!(f, "max(s{step}.v)"),
            Operand::Sum(step) => write!(f, "sum(s{step}.v)"),
            Operand::Count(step) => write!(f, "count(s{step})"),
            Operand::Plus(left, right) => write!(f, "({left} + {right})"),
        }
    }
}
