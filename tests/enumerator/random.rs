//! Random rules and streams.

use super::rule::{
    Arrow, Body, Branch, Comparison, Condition, Event, Gap, Item, Kind, Length, Mode, Operand,
    Parts, Quantifier, Report, Rule, Skip, Test,
};

/// A generator of numbers (splitmix64): the same seed gives the same case.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below another one.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or_default()
    }

    /// A number from the range, both ends included.
    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        let range = usize::try_from(most - least + 1).unwrap_or(1);
        least + i64::try_from(self.below(range)).unwrap_or_default()
    }

    /// True in one of `times` cases, at random.
    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// A step that conditions can read.
#[derive(Clone, Copy)]
struct Known {
    id: usize,
    /// True if it may hold several events.
    several: bool,
}

/// A rule in the making.
struct Maker<'r> {
    random: &'r mut Random,
    steps: usize,
    known: Vec<Known>,
    /// The steps that come once, before what is made: their events can say how long something is.
    once: Vec<usize>,
    types: usize,
    /// True inside of what repeats.
    repeats: bool,
}

/// Returns a random rule without the clauses that choose among matches.
pub(super) fn rule(random: &mut Random) -> Rule {
    let types = 2 + random.below(3);
    let mut maker =
        Maker { random, steps: 0, known: Vec::new(), once: Vec::new(), types, repeats: false };
    let leading = maker.random.one_in(12).then(|| maker.tests(3)).map(|tests| (tests, 0));
    let parts = if maker.random.one_in(8) && leading.is_none() {
        maker.branches(2)
    } else {
        let mut items = maker.sequence(2, true);
        maker.end(&mut items);
        Parts::Sequence(items)
    };
    let leading = leading.map(|(tests, _)| (tests, maker.random.between(1, 4)));
    let without = if maker.random.one_in(8) { maker.tests(2) } else { Vec::new() };
    let mut within = maker.random.one_in(2).then(|| maker.length(2, 14));
    if let Parts::Sequence(items) = &parts
        && let Some(Kind::Not { time: None, .. }) = items.last().map(|item| &item.kind)
    {
        within = within.or(Some(Length::Millis(9)));
    }
    let from = maker.random.one_in(3).then(|| (0..types).collect());
    Rule {
        from,
        leading,
        body: Body { parts, without, within },
        skip: Skip::None,
        ordered: false,
        report: Report::All,
        timeouts: false,
    }
}

/// Returns a random stream.
pub(super) fn stream(random: &mut Random, types: &[usize]) -> Vec<Event> {
    let length = 2 + random.below(6);
    let mut time = 0;
    let events = (0..length).map(|_| {
        time += random.pick(&[0, 1, 1, 1, 1, 2, 2, 3, 5]);
        let v = if random.one_in(12) { None } else { Some(random.between(0, 4)) };
        Event { ty: random.pick(types), v, time, key: None }
    });
    events.collect()
}

impl Maker<'_> {
    fn sequence(&mut self, depth: usize, top: bool) -> Vec<Item> {
        let count = if top { 1 + self.random.below(4) } else { 1 + self.random.below(2) };
        let mut items: Vec<Item> = Vec::new();
        for number in 0..count {
            let follows = items.last().is_some_and(|item| !item.is_not() && !item.may_be_empty());
            let is_last = number + 1 == count;
            if follows && self.random.one_in(4) && (top || !is_last) {
                items.extend(self.row_of_nots());
            } else {
                items.push(self.item(depth));
            }
        }
        if !top && items.iter().all(Item::may_be_empty) {
            let last = items.len() - 1;
            items[last] = self.plain();
        }
        if let [Item { arrow, gap, .. }, ..] = &mut items[..] {
            (*arrow, *gap) = (Arrow::Relaxed, Gap::NONE);
        }
        items
    }

    /// Makes the last loop `longest` in some rules, and lets a last silence repeat.
    fn end(&mut self, items: &mut [Item]) {
        let [before @ .., last] = items else { return };
        let is_behind_not = before.last().is_some_and(Item::is_not);
        match &mut last.kind {
            Kind::Step { quantifier, .. }
                if quantifier.varies()
                    && quantifier.inner != Arrow::Any
                    && self.random.one_in(3) =>
            {
                quantifier.mode = Mode::Longest;
            }
            Kind::Not { time: Some(_), repeat, .. } if !is_behind_not => {
                *repeat = self.random.one_in(3);
            }
            _ => {}
        }
    }

    fn arrow(&mut self) -> Arrow {
        self.random.pick(&[Arrow::Relaxed, Arrow::Relaxed, Arrow::Relaxed, Arrow::Next, Arrow::Any])
    }

    fn gap(&mut self) -> Gap {
        if !self.random.one_in(8) {
            return Gap::NONE;
        }
        let least = self.random.one_in(2).then(|| self.length(1, 3));
        let from = if let Some(Length::Millis(least)) = least { least } else { 0 };
        let most = self.random.one_in(2).then(|| self.length(from, from + 4));
        Gap { least, most }
    }

    /// A length of time from a range, or one that an event says.
    fn length(&mut self, least: i64, most: i64) -> Length {
        if !self.once.is_empty() && self.random.one_in(5) {
            return Length::Said(self.random.pick(&self.once));
        }
        Length::Millis(self.random.between(least, most))
    }

    /// A `not`, or up to three in a row.
    fn row_of_nots(&mut self) -> Vec<Item> {
        let mut row = vec![self.not()];
        while row.len() < 3 && self.random.one_in(4) {
            row.push(self.not());
        }
        row
    }

    fn not(&mut self) -> Item {
        let tests = self.tests(2);
        let time = self.random.one_in(3).then(|| self.length(1, 6));
        let arrow =
            if time.is_none() && self.random.one_in(4) { Arrow::Next } else { Arrow::Relaxed };
        Item { arrow, gap: Gap::NONE, kind: Kind::Not { tests, time, repeat: false } }
    }

    fn plain(&mut self) -> Item {
        let (arrow, gap) = (self.arrow(), self.gap());
        let test = self.test(2);
        let id = self.name(self.repeats);
        Item { arrow, gap, kind: Kind::Step { id, test, quantifier: Quantifier::once() } }
    }

    fn item(&mut self, depth: usize) -> Item {
        let (arrow, gap) = (self.arrow(), self.gap());
        if depth > 0 && self.random.one_in(5) {
            let kind = self.group(depth - 1);
            return Item { arrow, gap, kind };
        }
        let quantifier = self.quantifier();
        let several = self.repeats || !quantifier.is_once();
        let id = self.name(several);
        if !several {
            self.known.pop();
        }
        let test = self.test(2);
        let quantifier = self.with_until(quantifier);
        if !several {
            self.known.push(Known { id, several });
        }
        Item { arrow, gap, kind: Kind::Step { id, test, quantifier } }
    }

    fn group(&mut self, depth: usize) -> Kind {
        let branches = self.random.one_in(2);
        let quantifier = if self.random.one_in(2) { Quantifier::once() } else { self.quantifier() };
        let outside = self.repeats;
        self.repeats |= !quantifier.is_once();
        let parts = if branches {
            self.branches(depth)
        } else {
            Parts::Sequence(self.sequence(depth, false))
        };
        self.repeats = outside;
        let quantifier = self.with_until(quantifier);
        let without = if self.random.one_in(10) { self.tests(2) } else { Vec::new() };
        let within = self.random.one_in(8).then(|| self.length(2, 6));
        Kind::Group { body: Body { parts, without, within }, quantifier }
    }

    fn branches(&mut self, depth: usize) -> Parts {
        let count = if self.random.one_in(3) { 3 } else { 2 };
        let mut branches = Vec::new();
        let before = self.once.len();
        let mut inside = Vec::new();
        for _ in 0..count {
            if self.random.one_in(5) {
                branches.push(Branch::Silence { tests: self.tests(2), time: self.length(2, 7) });
            } else {
                let mut items = self.sequence(depth.min(1), false);
                repair_branch(&mut items);
                branches.push(Branch::Sequence(items));
            }
            inside.extend(self.once.drain(before..));
        }
        self.once.extend(inside);
        Parts::Branches { branches, need: 1 + self.random.below(count) }
    }

    fn name(&mut self, several: bool) -> usize {
        let id = self.steps;
        self.steps += 1;
        self.known.push(Known { id, several });
        if !several {
            self.once.push(id);
        }
        id
    }

    fn quantifier(&mut self) -> Quantifier {
        let (min, max) = match self.random.below(16) {
            0..8 => return Quantifier::once(),
            8 => (0, Some(1)),
            9 => (0, None),
            10 => (1, None),
            11 => (2, Some(2)),
            12 => (1, Some(2)),
            13 => (2, Some(3)),
            14 => (0, Some(2)),
            _ => (2, None),
        };
        let inner = self.random.pick(&[Arrow::Relaxed, Arrow::Relaxed, Arrow::Next, Arrow::Any]);
        let inner = if max == Some(1) { Arrow::Relaxed } else { inner };
        let varies = max != Some(min);
        let each = self.random.one_in(3) || inner == Arrow::Any;
        let mode = if varies && each { Mode::Each } else { Mode::Greedy };
        Quantifier { min, max, inner, mode, until: Vec::new(), or_none: false }
    }

    fn with_until(&mut self, quantifier: Quantifier) -> Quantifier {
        if quantifier.max.is_some() || !self.random.one_in(4) {
            return quantifier;
        }
        Quantifier { until: self.tests(2), ..quantifier }
    }

    fn tests(&mut self, depth: usize) -> Vec<Test> {
        let count = if self.random.one_in(5) { 2 } else { 1 };
        let mut tests: Vec<Test> = Vec::new();
        for _ in 0..count {
            let test = self.test(depth);
            if tests
                .iter()
                .all(|other| other.ty != test.ty && other.ty.is_some() && test.ty.is_some())
            {
                tests.push(test);
            }
        }
        tests
    }

    fn test(&mut self, depth: usize) -> Test {
        let ty = if self.random.one_in(16) { None } else { Some(self.random.below(self.types)) };
        let condition = self.random.one_in(3).then(|| self.condition(depth));
        Test { ty, condition }
    }

    fn condition(&mut self, depth: usize) -> Condition {
        if depth > 0 && self.random.one_in(6) {
            let (one, other) = (self.condition(depth - 1), self.condition(depth - 1));
            return match self.random.below(3) {
                0 => Condition::Not(Box::new(one)),
                1 => Condition::And(Box::new(one), Box::new(other)),
                _ => Condition::Or(Box::new(one), Box::new(other)),
            };
        }
        if self.random.one_in(20) {
            return Condition::OwnIsNull;
        }
        let comparison = self.random.pick(&[
            Comparison::Less,
            Comparison::AtMost,
            Comparison::Greater,
            Comparison::Greater,
            Comparison::AtLeast,
            Comparison::Equal,
            Comparison::Unequal,
        ]);
        if self.random.one_in(2) {
            let value = Operand::Literal(self.random.between(0, 4));
            return Condition::Compare(comparison, Operand::Own, value);
        }
        let captured = self.captured();
        match captured {
            Operand::Count(_) => {
                let value = Operand::Literal(self.random.between(0, 2));
                Condition::Compare(comparison, captured, value)
            }
            Operand::Sum(_) => {
                let sum = Operand::Plus(Box::new(captured), Box::new(Operand::Own));
                let value = Operand::Literal(self.random.between(2, 8));
                Condition::Compare(comparison, sum, value)
            }
            captured => Condition::Compare(comparison, Operand::Own, captured),
        }
    }

    fn captured(&mut self) -> Operand {
        if self.known.is_empty() || self.random.one_in(3) {
            return Operand::Prev;
        }
        let Known { id, several } = self.random.pick(&self.known);
        if !several {
            return Operand::Field(id);
        }
        match self.random.below(6) {
            0 => Operand::First(id),
            1 => Operand::Last(id),
            2 => Operand::Min(id),
            3 => Operand::Max(id),
            4 => Operand::Sum(id),
            _ => Operand::Count(id),
        }
    }
}

/// Leaves out what the page does not decide about a branch: greed before what can be left out at its
/// end.
fn repair_branch(items: &mut [Item]) {
    if let [_, .., last] = items {
        require(last);
    }
}

/// Makes an item one that cannot be left out.
fn require(item: &mut Item) {
    match &mut item.kind {
        Kind::Step { quantifier, .. } => quantifier.min = quantifier.min.max(1),
        Kind::Group { body, quantifier } => {
            quantifier.min = quantifier.min.max(1);
            if let Parts::Sequence(items) = &mut body.parts
                && let Some(last) = items.last_mut()
            {
                require(last);
            }
        }
        Kind::Not { .. } => {}
    }
}
