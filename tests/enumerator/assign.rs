//! Every way to assign events to the steps of a pattern, whatever the conditions say.

use super::rule::{Body, Branch, Event, Item, Kind, Parts, Quantifier, Test};

/// The events that an item has, as the pattern's tree.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Not,
    /// The event of each repetition.
    Step(Vec<usize>),
    /// The content of each repetition.
    Group(Vec<Content>),
}

/// The events of a body.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Sequence(Vec<Node>),
    /// For each branch that happens what it has. A silence has nothing.
    Branches(Vec<Option<Vec<Node>>>),
}

/// Something with the number of its last event; none if it has no event and none came before.
type Ending<T> = (T, Option<usize>);

/// Returns every way in which one repetition can capture events.
type Once<'o, A, T> = dyn FnMut(&mut A, Option<usize>) -> Vec<Ending<T>> + 'o;

/// The stream, and a bound on the assignments.
pub(super) struct Assigner<'a> {
    pub(super) events: &'a [Event],
    /// The rule is given up where there are more.
    pub(super) most: usize,
    pub(super) too_many: bool,
}

impl Assigner<'_> {
    /// Returns every assignment to a body after the event `after`.
    pub(super) fn bodies(&mut self, body: &Body, after: Option<usize>) -> Vec<Ending<Content>> {
        match &body.parts {
            Parts::Sequence(items) => {
                let sequences = self.sequences(items, after).into_iter();
                sequences.map(|(nodes, last)| (Content::Sequence(nodes), last)).collect()
            }
            Parts::Branches { branches, need } => self.branches(branches, *need, after),
        }
    }

    /// Returns every assignment to a sequence: what each item has comes after the item before.
    fn sequences(&mut self, items: &[Item], after: Option<usize>) -> Vec<Ending<Vec<Node>>> {
        let mut found = vec![(Vec::new(), after)];
        for item in items {
            let mut longer = Vec::new();
            for (nodes, last) in found {
                for (node, last) in self.items(item, last) {
                    let mut nodes: Vec<Node> = nodes.clone();
                    nodes.push(node);
                    longer.push((nodes, last));
                }
            }
            found = self.bounded(longer);
        }
        found
    }

    fn items(&mut self, item: &Item, after: Option<usize>) -> Vec<Ending<Node>> {
        match &item.kind {
            Kind::Not { .. } => vec![(Node::Not, after)],
            Kind::Step { test, quantifier, .. } => {
                let found = self.repeated(quantifier, after, &mut |this, last| {
                    let next = last.map_or(0, |last| last + 1);
                    let events = next..this.events.len();
                    let fitting = events.filter(|event| this.may_fit(test, *event));
                    fitting.map(|event| (event, Some(event))).collect()
                });
                found.into_iter().map(|(events, last)| (Node::Step(events), last)).collect()
            }
            Kind::Group { body, quantifier } => {
                // Repetitions without an event are not listed.
                let once = quantifier.is_once();
                let open = body.parts.may_be_empty() && !once;
                let min = if open { 0 } else { quantifier.min };
                let quantifier = &Quantifier { min, ..quantifier.clone() };
                let found = self.repeated(quantifier, after, &mut |this, last| {
                    let contents = this.bodies(body, last).into_iter();
                    // A repetition without events would be none.
                    let is_something = |content: &Content| {
                        once || matches!(content, Content::Branches(_))
                            || !events_of_content(content).is_empty()
                    };
                    contents.filter(|(content, _)| is_something(content)).collect()
                });
                found.into_iter().map(|(all, last)| (Node::Group(all), last)).collect()
            }
        }
    }

    /// Returns every list of repetitions whose length the quantifier allows.
    fn repeated<T: Clone>(
        &mut self,
        quantifier: &Quantifier,
        after: Option<usize>,
        once: &mut Once<'_, Self, T>,
    ) -> Vec<Ending<Vec<T>>> {
        let mut found = Vec::new();
        let mut lists = vec![(Vec::new(), after)];
        let mut length = 0;
        while !lists.is_empty() {
            if length >= quantifier.min || length == 0 && quantifier.or_none {
                found.extend(lists.iter().cloned());
            }
            if quantifier.max == Some(length) {
                break;
            }
            let mut longer = Vec::new();
            for (list, last) in lists {
                for (one, last) in once(self, last) {
                    let mut list = list.clone();
                    list.push(one);
                    longer.push((list, last));
                }
            }
            lists = self.bounded(longer);
            length += 1;
        }
        self.bounded(found)
    }

    /// Returns every choice of `need` branches with assignments that share no event.
    fn branches(
        &mut self,
        branches: &[Branch],
        need: usize,
        after: Option<usize>,
    ) -> Vec<Ending<Content>> {
        let mut found: Vec<Vec<Option<Vec<Node>>>> = vec![Vec::new()];
        for branch in branches {
            let sequences = match branch {
                Branch::Silence { .. } => vec![Vec::new()],
                Branch::Sequence(items) => {
                    self.sequences(items, after).into_iter().map(|(nodes, _)| nodes).collect()
                }
            };
            let mut longer = Vec::new();
            for chosen in found {
                let mut without = chosen.clone();
                without.push(None);
                longer.push(without);
                for nodes in &sequences {
                    let events = events_of(nodes);
                    let is_silence = matches!(branch, Branch::Silence { .. });
                    let taken: Vec<usize> =
                        chosen.iter().flatten().flat_map(|n| events_of(n)).collect();
                    if (is_silence || !events.is_empty())
                        && !events.iter().any(|event| taken.contains(event))
                    {
                        let mut with = chosen.clone();
                        with.push(Some(nodes.clone()));
                        longer.push(with);
                    }
                }
            }
            longer.retain(|chosen| chosen.iter().flatten().count() <= need);
            found = self.bounded(longer);
        }
        found.retain(|chosen| chosen.iter().flatten().count() == need);
        let ends = found.into_iter().map(|chosen| {
            let last = chosen.iter().flatten().flat_map(|nodes| events_of(nodes)).max();
            (Content::Branches(chosen), last.or(after))
        });
        ends.collect()
    }

    /// Looks at the type only.
    fn may_fit(&self, test: &Test, event: usize) -> bool {
        test.ty.is_none_or(|ty| self.events[event].ty == ty)
    }

    fn bounded<T>(&mut self, mut found: Vec<T>) -> Vec<T> {
        if found.len() > self.most {
            self.too_many = true;
            found.truncate(1);
        }
        found
    }
}

/// Returns the numbers of the events, in the order of the pattern.
pub(super) fn events_of(nodes: &[Node]) -> Vec<usize> {
    nodes.iter().flat_map(events_of_node).collect()
}

pub(super) fn events_of_node(node: &Node) -> Vec<usize> {
    match node {
        Node::Not => Vec::new(),
        Node::Step(events) => events.clone(),
        Node::Group(repetitions) => repetitions.iter().flat_map(events_of_content).collect(),
    }
}

pub(super) fn events_of_content(content: &Content) -> Vec<usize> {
    match content {
        Content::Sequence(nodes) => events_of(nodes),
        Content::Branches(branches) => {
            let mut events: Vec<usize> =
                branches.iter().flatten().flat_map(|nodes| events_of(nodes)).collect();
            events.sort_unstable();
            events
        }
    }
}

/// Adds the captured events with their steps.
pub(super) fn captures_of(body: &Body, content: &Content, into: &mut Vec<(usize, usize)>) {
    match (&body.parts, content) {
        (Parts::Sequence(items), Content::Sequence(nodes)) => captures_of_items(items, nodes, into),
        (Parts::Branches { branches, .. }, Content::Branches(chosen)) => {
            for (branch, nodes) in branches.iter().zip(chosen) {
                if let (Branch::Sequence(items), Some(nodes)) = (branch, nodes) {
                    captures_of_items(items, nodes, into);
                }
            }
        }
        _ => unreachable!("the assignment is one of this body"),
    }
}

fn captures_of_items(items: &[Item], nodes: &[Node], into: &mut Vec<(usize, usize)>) {
    for (item, node) in items.iter().zip(nodes) {
        match (&item.kind, node) {
            (Kind::Step { id, .. }, Node::Step(events)) => {
                into.extend(events.iter().map(|event| (*event, *id)));
            }
            (Kind::Group { body, .. }, Node::Group(repetitions)) => {
                for content in repetitions {
                    captures_of(body, content, into);
                }
            }
            _ => {}
        }
    }
}
