//! Smaller cases.

use super::rule::{
    Arrow, Body, Branch, Event, Gap, Item, Kind, Length, Mode, Parts, Quantifier, Rule, Test,
};

/// A rule and a stream.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) rule: Rule,
    pub(super) events: Vec<Event>,
}

/// Returns a case that fails still and of which no part can be left out.
pub(super) fn shrink(mut case: Case, fails: &mut dyn FnMut(&Case) -> bool) -> Case {
    loop {
        let smaller = smaller_cases(&case).into_iter().find(|smaller| fails(smaller));
        match smaller {
            Some(smaller) => case = smaller,
            None => return case,
        }
    }
}

fn smaller_cases(case: &Case) -> Vec<Case> {
    let mut found = Vec::new();
    for number in 0..case.events.len() {
        let mut events = case.events.clone();
        events.remove(number);
        found.push(Case { events, ..case.clone() });
    }
    for rule in smaller_rules(&case.rule) {
        found.push(Case { rule, ..case.clone() });
    }
    for number in 0..case.events.len() {
        if case.events[number].v != Some(0) {
            let mut events = case.events.clone();
            events[number].v = Some(0);
            found.push(Case { events, ..case.clone() });
        }
        let before = if number == 0 { 0 } else { case.events[number - 1].time };
        let more = case.events[number].time - before;
        for less in [0, 1].into_iter().filter(|less| *less < more) {
            let mut events = case.events.clone();
            events[number..].iter_mut().for_each(|event| event.time -= more - less);
            found.push(Case { events, ..case.clone() });
        }
    }
    found
}

fn smaller_rules(rule: &Rule) -> Vec<Rule> {
    let mut found = Vec::new();
    if rule.from.is_some() {
        found.push(Rule { from: None, ..rule.clone() });
    }
    if rule.leading.is_some() {
        found.push(Rule { leading: None, ..rule.clone() });
    }
    if rule.timeouts {
        found.push(Rule { timeouts: false, ..rule.clone() });
    }
    for body in smaller_bodies(&rule.body) {
        found.push(Rule { body, ..rule.clone() });
    }
    found
}

fn smaller_bodies(body: &Body) -> Vec<Body> {
    let mut found = Vec::new();
    if !body.without.is_empty() {
        found.push(Body { without: Vec::new(), ..body.clone() });
        for without in smaller_tests(&body.without) {
            found.push(Body { without, ..body.clone() });
        }
    }
    if body.within.is_some() {
        found.push(Body { within: None, ..body.clone() });
    }
    for within in smaller_lengths(body.within) {
        found.push(Body { within: Some(within), ..body.clone() });
    }
    match &body.parts {
        Parts::Sequence(items) => {
            for items in smaller_sequences(items) {
                found.push(Body { parts: Parts::Sequence(items), ..body.clone() });
            }
        }
        Parts::Branches { branches, need } => {
            for branch in branches {
                if let Branch::Sequence(items) = branch {
                    found.push(Body { parts: Parts::Sequence(items.clone()), ..body.clone() });
                }
            }
            for parts in smaller_branches(branches, *need) {
                found.push(Body { parts, ..body.clone() });
            }
        }
    }
    found
}

fn smaller_branches(branches: &[Branch], need: usize) -> Vec<Parts> {
    let mut found = Vec::new();
    for number in 0..branches.len() {
        if branches.len() > 2 {
            let mut fewer = branches.to_vec();
            fewer.remove(number);
            for need in [need, need.saturating_sub(1)] {
                if need > 0 && need <= fewer.len() {
                    found.push(Parts::Branches { branches: fewer.clone(), need });
                }
            }
        }
        let smaller: Vec<Branch> = match &branches[number] {
            Branch::Sequence(items) => {
                smaller_sequences(items).into_iter().map(Branch::Sequence).collect()
            }
            Branch::Silence { tests, time } => {
                let tests_of = smaller_tests(tests).into_iter();
                let with_tests = tests_of.map(|tests| Branch::Silence { tests, time: *time });
                let times = smaller_lengths(Some(*time)).into_iter();
                let with_time = times.map(|time| Branch::Silence { tests: tests.clone(), time });
                with_tests.chain(with_time).collect()
            }
        };
        for branch in smaller {
            let mut branches = branches.to_vec();
            branches[number] = branch;
            found.push(Parts::Branches { branches, need });
        }
    }
    found
}

fn smaller_sequences(items: &[Item]) -> Vec<Vec<Item>> {
    let mut found = Vec::new();
    for number in 0..items.len() {
        if items.len() > 1 {
            let mut fewer = items.to_vec();
            fewer.remove(number);
            found.push(fewer);
        }
        for item in smaller_items(&items[number]) {
            let mut items = items.to_vec();
            items.splice(number..=number, item);
            found.push(items);
        }
    }
    // A `not` in the first place would be another one.
    found.retain(|items| items.first().is_some_and(|item| !item.is_not()));
    found
}

fn smaller_items(item: &Item) -> Vec<Vec<Item>> {
    let mut found = Vec::new();
    if item.gap != Gap::NONE {
        found.push(vec![Item { gap: Gap::NONE, ..item.clone() }]);
        for least in smaller_lengths(item.gap.least) {
            let gap = Gap { least: Some(least), ..item.gap };
            found.push(vec![Item { gap, ..item.clone() }]);
        }
        for most in smaller_lengths(item.gap.most) {
            let gap = Gap { most: Some(most), ..item.gap };
            found.push(vec![Item { gap, ..item.clone() }]);
        }
    }
    if item.arrow != Arrow::Relaxed {
        found.push(vec![Item { arrow: Arrow::Relaxed, ..item.clone() }]);
    }
    let with = |kind: Kind| vec![Item { kind, ..item.clone() }];
    match &item.kind {
        Kind::Step { id, test, quantifier } => {
            for quantifier in smaller_quantifiers(quantifier) {
                found.push(with(Kind::Step { id: *id, test: test.clone(), quantifier }));
            }
            for test in smaller_test(test) {
                let quantifier = quantifier.clone();
                found.push(with(Kind::Step { id: *id, test, quantifier }));
            }
        }
        Kind::Not { tests, time, repeat } => {
            if time.is_some() {
                let tests = tests.clone();
                found.push(with(Kind::Not { tests, time: None, repeat: false }));
            }
            if *repeat {
                let tests = tests.clone();
                found.push(with(Kind::Not { tests, time: *time, repeat: false }));
            }
            for time in smaller_lengths(*time) {
                let (tests, time) = (tests.clone(), Some(time));
                found.push(with(Kind::Not { tests, time, repeat: *repeat }));
            }
            for tests in smaller_tests(tests) {
                found.push(with(Kind::Not { tests, time: *time, repeat: *repeat }));
            }
        }
        Kind::Group { body, quantifier } => {
            if let Parts::Sequence(items) = &body.parts {
                let mut items = items.clone();
                (items[0].arrow, items[0].gap) = (item.arrow, item.gap);
                found.push(items);
            }
            for quantifier in smaller_quantifiers(quantifier) {
                found.push(with(Kind::Group { body: body.clone(), quantifier }));
            }
            for body in smaller_bodies(body) {
                found.push(with(Kind::Group { body, quantifier: quantifier.clone() }));
            }
        }
    }
    found
}

fn smaller_quantifiers(quantifier: &Quantifier) -> Vec<Quantifier> {
    let mut found = Vec::new();
    if quantifier.is_once() {
        return found;
    }
    found.push(Quantifier::once());
    if quantifier.mode == Mode::Longest {
        found.push(Quantifier { mode: Mode::Greedy, ..quantifier.clone() });
    }
    if !quantifier.until.is_empty() {
        found.push(Quantifier { until: Vec::new(), ..quantifier.clone() });
        for until in smaller_tests(&quantifier.until) {
            found.push(Quantifier { until, ..quantifier.clone() });
        }
    }
    if quantifier.inner != Arrow::Relaxed {
        found.push(Quantifier { inner: Arrow::Relaxed, ..quantifier.clone() });
    }
    if quantifier.min > 0 && quantifier.max != Some(quantifier.min) {
        found.push(Quantifier { min: quantifier.min - 1, ..quantifier.clone() });
    }
    found
}

/// Returns a fixed length for a length that an event says.
fn smaller_lengths(length: Option<Length>) -> Vec<Length> {
    let said = length.filter(|length| matches!(length, Length::Said(_)));
    said.map(|_| vec![Length::Millis(2)]).unwrap_or_default()
}

fn smaller_tests(tests: &[Test]) -> Vec<Vec<Test>> {
    let mut found = Vec::new();
    for number in 0..tests.len() {
        if tests.len() > 1 {
            let mut fewer = tests.to_vec();
            fewer.remove(number);
            found.push(fewer);
        }
        for test in smaller_test(&tests[number]) {
            let mut tests = tests.to_vec();
            tests[number] = test;
            found.push(tests);
        }
    }
    found
}

fn smaller_test(test: &Test) -> Vec<Test> {
    use super::rule::Condition::{And, Not, Or};
    let Some(condition) = &test.condition else { return Vec::new() };
    let mut found = vec![Test { condition: None, ..test.clone() }];
    let mut with = |part: &super::rule::Condition| {
        found.push(Test { condition: Some(part.clone()), ..test.clone() });
    };
    match condition {
        Not(part) => with(part),
        And(one, other) | Or(one, other) => {
            with(one);
            with(other);
        }
        _ => {}
    }
    found
}
