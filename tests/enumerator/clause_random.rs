//! Random rules with clauses, random streams with keys, and smaller cases of them.

use std::fmt::Write as _;

use super::clauses::{ClauseRule, Emitted, GiveWay, Having, Once, Suppress, steps, streams};
use super::partials;
use super::random::{self, Random};
use super::rule::{Comparison, Event, Report, Rule, Skip, TYPES};
use super::shrink::{Case, shrink};

/// The number of the type that a cascade feeds.
const FED: usize = 3;

/// The names of the rules, by number.
pub(super) const RULES: [&str; 2] = ["r", "t"];

/// Rules and a stream.
#[derive(Clone, Debug)]
pub(super) struct ClauseCase {
    /// The rules as they are given.
    pub(super) rules: Vec<ClauseRule>,
    pub(super) events: Vec<Event>,
    /// The engine is made again from a snapshot before the events of the set bits.
    pub(super) restarts: u64,
}

impl ClauseCase {
    /// Returns the numbers of the rules so that each comes after those that feed it.
    pub(super) fn order(&self) -> Vec<usize> {
        let feeds = |number: &usize| self.rules[*number].feeds.is_none();
        let mut order: Vec<usize> = (0..self.rules.len()).collect();
        order.sort_by_key(feeds);
        order
    }

    /// Returns for each rule its pattern alone, over what the rule sees.
    pub(super) fn patterns(&self) -> Option<Vec<ClauseCase>> {
        let streams = streams(&self.rules, &self.order(), &self.events, self.end())?;
        let alone = streams.into_iter().map(|(number, stream)| {
            let ClauseRule { rule, keyed, .. } = self.rules[number].clone();
            let rule = Rule { skip: Skip::None, report: Report::All, timeouts: false, ..rule };
            ClauseCase {
                rules: vec![ClauseRule { keyed, ..ClauseRule::new(rule) }],
                events: stream.into_iter().map(|one| one.event).collect(),
                restarts: 0,
            }
        });
        Some(alone.collect())
    }

    pub(super) fn end(&self) -> i64 {
        self.events.last().map_or(0, |event| event.time) + 100
    }

    /// Returns the rules as a file.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for name in TYPES {
            let _ = writeln!(
                text,
                "event {name} {{ id: int, v: int?, wait: duration?, k: int?, at: time }}"
            );
        }
        for (number, rule) in self.rules.iter().enumerate() {
            let _ = writeln!(text, "rule {} {{ {} }}", RULES[number], rule.text());
        }
        text
    }
}

impl ClauseRule {
    pub(super) fn new(rule: Rule) -> ClauseRule {
        ClauseRule {
            rule,
            keyed: false,
            subject: 0,
            emit: Vec::new(),
            feeds: None,
            having: None,
            suppress: None,
            once: None,
            limit: None,
        }
    }

    /// Returns the clauses of the rule.
    pub(super) fn text(&self) -> String {
        let mut text = String::from(if self.keyed { "key k " } else { "" });
        let _ = write!(text, "{}", self.rule);
        if !self.emit.is_empty() {
            let of_type = self.feeds.map_or(String::new(), |ty| format!("as {} ", TYPES[ty]));
            let fields = self.emit.iter().map(|(name, value)| self.field(name, *value));
            let mut fields: Vec<String> = fields.collect();
            if self.feeds.is_some() {
                // The event says what any event of its `v` says.
                fields.push(format!("wait: 1ms * (2 * ({}) - 2)", self.value(self.emit[1].1)));
            }
            let _ = write!(text, " emit {of_type}{{ {} }}", fields.join(", "));
        }
        if let Some(Having { field, comparison, value }) = self.having {
            let sign = match comparison {
                Comparison::Less => "<",
                Comparison::AtMost => "<=",
                Comparison::Greater => ">",
                Comparison::AtLeast => ">=",
                Comparison::Equal => "==",
                Comparison::Unequal => "!=",
            };
            let _ = write!(text, " having {} {sign} {value}", self.emit[field].0);
        }
        if let Some(Suppress { time, by }) = &self.suppress {
            let _ = write!(text, " suppress {time}ms");
            let names: Vec<&str> = by.iter().map(|field| self.emit[*field].0).collect();
            if !names.is_empty() {
                let _ = write!(text, " by {}", names.join(", "));
            }
        }
        text += match self.once {
            None => "",
            Some(Once::PerKey) => " once",
            Some(Once::PerRule) => " once per rule",
        };
        if let Some((most, gives_way)) = self.limit {
            let which = if gives_way == GiveWay::Oldest { "oldest" } else { "newest" };
            let _ = write!(text, " limit {most} partials drop {which}");
        }
        text
    }

    fn field(&self, name: &str, value: Emitted) -> String {
        if value == Emitted::Key && self.keyed {
            return String::from("k");
        }
        format!("{name}: {}", self.value(value))
    }

    fn value(&self, value: Emitted) -> String {
        let step = self.subject;
        match value {
            Emitted::Key => format!("min(s{step}.k)"),
            Emitted::Id => format!("100 + sum(s{step}.id)"),
            Emitted::Min => format!("min(s{step}.v)"),
            Emitted::Sum => format!("sum(s{step}.v)"),
            Emitted::Count => format!("count(s{step})"),
            Emitted::SetCount => String::from("matches.count"),
            Emitted::SetSum => format!("matches.sum(s{step}.v)"),
            Emitted::Repetition => String::from("match.repetition"),
        }
    }
}

/// Returns a random rule, or two of which one feeds the other.
pub(super) fn rules(random: &mut Random) -> Vec<ClauseRule> {
    if random.one_in(4) {
        let feeding = pattern(random, &|types| !types.contains(&FED));
        let seeing = pattern(random, &|types| types.contains(&FED));
        let feeding = with_clauses(random, feeding, Some(FED));
        let seeing = with_clauses(random, seeing, None);
        if random.one_in(2) { vec![feeding, seeing] } else { vec![seeing, feeding] }
    } else {
        let rule = pattern(random, &|_| true);
        vec![with_clauses(random, rule, None)]
    }
}

/// Returns a random rule whose partial matches are enumerated: with timeouts, a limit, or both.
pub(super) fn rules_with_partials(random: &mut Random) -> Vec<ClauseRule> {
    let within = random.between(3, 12);
    let pattern = loop {
        let pattern = partials::plain(&pattern(random, &|_| true), within);
        if let Some(pattern) = pattern.filter(|pattern| !pattern.stream().is_empty()) {
            break pattern;
        }
    };
    let mut rule = with_clauses(random, pattern, None);
    if random.one_in(2) {
        let gives_way = random.pick(&[GiveWay::Oldest, GiveWay::Newest]);
        rule.limit = Some((1 + random.below(4), gives_way));
    }
    rule.rule.timeouts = rule.limit.is_none() || random.one_in(2);
    if rule.limit.is_none() && rule.rule.skip != Skip::None && random.one_in(2) {
        rule.rule.ordered = true;
        rule.rule.timeouts = random.one_in(2);
    }
    vec![rule]
}

/// Returns a random pattern of a stream that fits.
fn pattern(random: &mut Random, fits: &dyn Fn(&[usize]) -> bool) -> Rule {
    loop {
        let rule = random::rule(random);
        let has_steps = !steps(&rule.body).is_empty() && !rule.stream().is_empty();
        if has_steps && fits(&rule.stream()) {
            return rule;
        }
    }
}

fn with_clauses(random: &mut Random, mut rule: Rule, feeds: Option<usize>) -> ClauseRule {
    let steps = steps(&rule.body);
    let step = random.pick(&steps);
    rule.skip = match random.below(8) {
        0 | 1 => Skip::None,
        2 | 3 => Skip::PastLast,
        4 | 5 => Skip::ToNext,
        6 => Skip::ToFirst(step),
        _ => Skip::ToLast(step),
    };
    rule.report = match random.below(10) {
        0 => Report::Count,
        1 => Report::First(1 + random.below(2)),
        2 => Report::Last(1 + random.below(2)),
        3 => Report::Longest,
        4 => Report::Shortest,
        _ => Report::All,
    };
    let emit = if feeds.is_some() {
        let v = random.pick(&[Emitted::Min, Emitted::Sum, Emitted::SetCount, Emitted::SetSum]);
        vec![("id", Emitted::Id), ("v", v), ("k", Emitted::Key)]
    } else {
        let all = [
            ("low", Emitted::Min),
            ("total", Emitted::Sum),
            ("n", Emitted::Count),
            ("size", Emitted::SetCount),
            ("sums", Emitted::SetSum),
            ("k", Emitted::Key),
            ("number", Emitted::Repetition),
        ];
        let count = if rule.to_string().contains(" repeat") { all.len() } else { all.len() - 1 };
        all[..count].to_vec()
    };
    let (fields, last) = (emit.len(), ClauseRule::new(rule));
    let mut made = ClauseRule { subject: random.pick(&steps), emit, feeds, ..last };
    made.keyed = random.one_in(2);
    if random.one_in(3) {
        let comparison = random.pick(&[
            Comparison::Less,
            Comparison::AtMost,
            Comparison::Greater,
            Comparison::AtLeast,
            Comparison::Equal,
            Comparison::Unequal,
        ]);
        let value = random.between(0, 4);
        made.having = Some(Having { field: random.below(fields), comparison, value });
    }
    match random.below(6) {
        0 => made.once = Some(Once::PerKey),
        1 => made.once = Some(Once::PerRule),
        2 | 3 => {
            let by = if random.one_in(2) { vec![random.below(fields)] } else { Vec::new() };
            made.suppress = Some(Suppress { time: random.between(1, 6), by });
        }
        _ => {}
    }
    made
}

/// Returns a random stream of the events that the rules see.
pub(super) fn stream(random: &mut Random, rules: &[ClauseRule]) -> Vec<Event> {
    let mut types: Vec<usize> = rules.iter().flat_map(|rule| rule.rule.stream()).collect();
    types.sort_unstable();
    types.dedup();
    let keys = if rules.iter().any(|rule| rule.keyed) { random.between(1, 3) } else { 1 };
    let length = 3 + random.below(7);
    let mut time = 0;
    let events = (0..length).map(|_| {
        time += random.pick(&[0, 0, 1, 1, 1, 1, 2, 2, 3, 5]);
        let v = if random.one_in(12) { None } else { Some(random.between(0, 4)) };
        let key = if random.one_in(30) { None } else { Some(random.between(1, keys)) };
        Event { ty: random.pick(&types), v, time, key }
    });
    events.collect()
}

/// Returns a case that fails still and of which no part can be left out.
pub(super) fn smallest(
    mut case: ClauseCase,
    fails: &mut dyn FnMut(&ClauseCase) -> bool,
) -> ClauseCase {
    loop {
        if let Some(smaller) = smaller_cases(&case).into_iter().find(|one| fails(one)) {
            case = smaller;
            continue;
        }
        let before = format!("{case:?}");
        for number in 0..case.rules.len() {
            let with = |pattern: &Case| {
                let mut smaller = case.clone();
                smaller.rules[number].rule = pattern.rule.clone();
                smaller.events.clone_from(&pattern.events);
                smaller
            };
            let pattern =
                Case { rule: case.rules[number].rule.clone(), events: case.events.clone() };
            let small = shrink(pattern, &mut |pattern| fails(&with(pattern)));
            case = with(&small);
        }
        if format!("{case:?}") == before {
            return case;
        }
    }
}

fn smaller_cases(case: &ClauseCase) -> Vec<ClauseCase> {
    let mut found = Vec::new();
    let with_rules = |rules: Vec<ClauseRule>| ClauseCase { rules, ..case.clone() };
    if case.restarts != 0 {
        found.push(ClauseCase { restarts: 0, ..case.clone() });
    }
    if let [one, other] = &case.rules[..] {
        found.push(with_rules(vec![ClauseRule { feeds: None, ..one.clone() }]));
        found.push(with_rules(vec![ClauseRule { feeds: None, ..other.clone() }]));
    }
    for (number, rule) in case.rules.iter().enumerate() {
        for smaller in smaller_clauses(rule) {
            let mut rules = case.rules.clone();
            rules[number] = smaller;
            found.push(with_rules(rules));
        }
    }
    for number in 0..case.events.len() {
        if case.events[number].key != Some(1) {
            let mut smaller = case.clone();
            smaller.events[number].key = Some(1);
            found.push(smaller);
        }
    }
    found
}

fn smaller_clauses(rule: &ClauseRule) -> Vec<ClauseRule> {
    let mut found = Vec::new();
    let mut with = |is_there: bool, change: &dyn Fn(&mut ClauseRule)| {
        let mut smaller = rule.clone();
        change(&mut smaller);
        if is_there {
            found.push(smaller);
        }
    };
    with(rule.keyed, &|rule| rule.keyed = false);
    with(rule.having.is_some(), &|rule| rule.having = None);
    with(rule.suppress.is_some(), &|rule| rule.suppress = None);
    with(rule.once.is_some(), &|rule| rule.once = None);
    with(rule.limit.is_some(), &|rule| rule.limit = None);
    with(rule.rule.report != Report::All, &|rule| rule.rule.report = Report::All);
    let has_skip = rule.rule.skip != Skip::None && !rule.rule.ordered;
    with(has_skip, &|rule| rule.rule.skip = Skip::None);
    with(rule.rule.ordered, &|rule| rule.rule.ordered = false);
    let is_read = rule.having.is_some() || rule.suppress.is_some() || rule.feeds.is_some();
    with(!rule.emit.is_empty() && !is_read, &|rule| rule.emit.clear());
    found
}
