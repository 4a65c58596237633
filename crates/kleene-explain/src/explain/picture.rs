//! A picture as nodes and arrows, before it is drawn in one format or another.

use super::explanation::Explanation;
use super::spans::{span, times};
use super::words::Words;
use kleene_syntax::hir::{Contiguity, Item, ItemKind, LoopMode, Quantifier, Sequence};

/// A picture of a rule: what to draw, without where.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Picture {
    /// The title above the picture, line by line.
    pub title: Vec<String>,
    /// The nodes; arrows name them by their places here.
    pub nodes: Vec<Node>,
    /// The arrows.
    pub arrows: Vec<PictureEdge>,
}

/// A node of a picture.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Node {
    /// The text of the node, line by line.
    pub lines: Vec<String>,
    /// The shape of the node.
    pub shape: Shape,
}

/// The shape of a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Shape {
    /// The start of everything.
    Start,
    /// A step.
    Step,
    /// A state of the automaton.
    State,
    /// The node at which branches part.
    Fork,
    /// The node at which they meet again.
    Join,
    /// A match.
    Match,
    /// The end without a match.
    End,
}

/// An arrow of a picture.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PictureEdge {
    /// The node that it leaves.
    pub from: usize,
    /// The node that it leads to.
    pub to: usize,
    /// The text on the arrow; may be empty.
    pub label: String,
    /// True if it is dashed: it takes no event.
    pub is_dashed: bool,
}

impl PictureEdge {
    pub(super) fn new(from: usize, to: usize, label: String) -> PictureEdge {
        PictureEdge { from, to, label, is_dashed: false }
    }

    pub(super) fn dashed(from: usize, to: usize, label: String) -> PictureEdge {
        PictureEdge { from, to, label, is_dashed: true }
    }
}

impl Picture {
    /// A picture with a title that says what bounds the rule.
    pub(super) fn new(of: &Explanation<'_>) -> Picture {
        let rule = of.rule;
        let mut facts = Vec::new();
        if !rule.key.is_empty() {
            let names: Vec<&str> = rule.key.iter().map(|part| &*part.name).collect();
            facts.push(format!("key {}", names.join(", ")));
        }
        let words = of.words();
        facts.extend(rule.pattern.within.map(|within| format!("within {}", words.length(within))));
        facts.push(format!("skip {}", of.words().skip()));
        if let Some(without) = &rule.pattern.body.without {
            facts.push(format!("without {}", of.words().step_text(without.condition)));
        }
        let title = vec![rule.name.to_string(), facts.join(", ")];
        Picture { title, nodes: Vec::new(), arrows: Vec::new() }
    }

    pub(super) fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Takes the last node away if no arrow leads there.
    pub(super) fn drop_unused(&mut self, node: usize) {
        if node + 1 == self.nodes.len() && self.arrows.iter().all(|arrow| arrow.to != node) {
            self.nodes.pop();
        }
    }
}

/// The steps of a rule: one node for each, arrows for how they follow each other.
pub(super) fn of_rule(of: &Explanation<'_>) -> Picture {
    let mut painter = Painter { words: of.words(), picture: Picture::new(of) };
    let start = painter.node(vec![String::from("start")], Shape::Start);
    let from = vec![Exit { node: start, notes: Vec::new() }];
    let exits = painter.sequence(&of.rule.pattern.body, from, None);
    let found = painter.node(vec![String::from("match")], Shape::Match);
    for exit in exits {
        let label = exit.notes.join(", ");
        let dashed = !label.is_empty();
        let arrow = PictureEdge { from: exit.node, to: found, label, is_dashed: dashed };
        painter.picture.arrows.push(arrow);
    }
    painter.picture
}

struct Painter<'a> {
    words: Words<'a>,
    picture: Picture,
}

/// A way out of a sequence, with notes for the arrow that leaves it.
#[derive(Clone)]
struct Exit {
    node: usize,
    notes: Vec<String>,
}

impl Painter<'_> {
    fn node(&mut self, lines: Vec<String>, shape: Shape) -> usize {
        self.picture.add(Node { lines, shape })
    }

    /// Draws a sequence behind `from`; `how` is how its first item follows, where that is said of
    /// the group around it.
    fn sequence(&mut self, sequence: &Sequence, from: Vec<Exit>, how: Option<&Item>) -> Vec<Exit> {
        let mut exits = from;
        for (index, item) in sequence.items.iter().enumerate() {
            let how = if index == 0 { how.unwrap_or(item) } else { item };
            exits = self.item(item, how, exits);
        }
        exits
    }

    fn item(&mut self, item: &Item, how: &Item, from: Vec<Exit>) -> Vec<Exit> {
        match &item.kind {
            ItemKind::Not { condition, .. } => {
                let bound = item.gap.and_then(|gap| gap.silence());
                let bound = bound.map(|max| format!(" for {}", self.words.length(max)));
                let next = if item.contiguity == Contiguity::Next { "next is " } else { "" };
                let step = self.words.step_text(*condition);
                let note = format!("{next}no {step}{}", bound.unwrap_or_default());
                from.into_iter()
                    .map(|mut exit| {
                        exit.notes.push(note.clone());
                        exit
                    })
                    .collect()
            }
            ItemKind::Step { step, condition, quantifier } => {
                let (name, text) = (self.words.step(*step), self.words.step_text(*condition));
                let mut lines = vec![name.to_owned()];
                if text != name {
                    lines.push(text);
                }
                let node = self.node(lines, Shape::Step);
                self.connect(&from, node, how);
                if quantifier.max != Some(1) {
                    let label = self.again(quantifier);
                    self.picture.arrows.push(PictureEdge::new(node, node, label));
                }
                exits(vec![Exit { node, notes: Vec::new() }], quantifier, from)
            }
            ItemKind::Group { body, quantifier, within, .. } => {
                let first = self.picture.nodes.len();
                let mut inner = self.sequence(body, from.clone(), Some(how));
                let mut label = Vec::new();
                if quantifier.max != Some(1) {
                    label.push(self.again(quantifier));
                }
                label.extend(within.map(|within| format!("within {}", self.words.length(within))));
                if let Some(without) = &body.without {
                    label.push(format!("without {}", self.words.step_text(without.condition)));
                }
                if quantifier.max == Some(1) {
                    for exit in &mut inner {
                        exit.notes.extend(label.iter().cloned());
                    }
                } else if let Some(last) = inner.first() {
                    let arrow = PictureEdge::new(last.node, first, label.join(", "));
                    self.picture.arrows.push(arrow);
                }
                exits(inner, quantifier, from)
            }
            ItemKind::Alternatives { branches, count } => {
                let text = match *count {
                    1 => String::from("one of"),
                    count if count == branches.len() => String::from("all of, in any order"),
                    count => format!("{count} of, in any order"),
                };
                let fork = self.node(vec![text], Shape::Fork);
                self.connect(&from, fork, how);
                let mut inner = Vec::new();
                for branch in branches {
                    let from = vec![Exit { node: fork, notes: Vec::new() }];
                    inner.extend(self.sequence(branch, from, None));
                }
                let join = self.node(vec![String::from("done")], Shape::Join);
                for exit in inner {
                    let label = exit.notes.join(", ");
                    self.picture.arrows.push(PictureEdge::new(exit.node, join, label));
                }
                vec![Exit { node: join, notes: Vec::new() }]
            }
        }
    }

    fn connect(&mut self, from: &[Exit], to: usize, how: &Item) {
        for exit in from {
            let is_start = self.picture.nodes[exit.node].shape == Shape::Start;
            let is_fork = self.picture.nodes[exit.node].shape == Shape::Fork;
            let mut label = exit.notes.clone();
            if !is_start && !is_fork {
                let how_it_follows = match how.contiguity {
                    Contiguity::Next => "right after",
                    Contiguity::Relaxed => "later",
                    Contiguity::Any => "any later",
                };
                label.insert(
                    0,
                    match how.gap {
                        Some(gap) if !how.is_not() => {
                            let span = span(gap, &self.words);
                            if how.contiguity == Contiguity::Relaxed {
                                span
                            } else {
                                format!("{how_it_follows}, {span}")
                            }
                        }
                        _ => how_it_follows.to_owned(),
                    },
                );
            }
            self.picture.arrows.push(PictureEdge::new(exit.node, to, label.join(", ")));
        }
    }

    fn again(&self, quantifier: &Quantifier) -> String {
        let mut label = vec![times(quantifier)];
        match quantifier.inner {
            Contiguity::Next => label.push(String::from("right after each other")),
            Contiguity::Relaxed => {}
            Contiguity::Any => label.push(String::from("any of them")),
        }
        match quantifier.mode {
            LoopMode::Longest => label.push(String::from("longest")),
            LoopMode::Each if quantifier.max != Some(quantifier.min) => {
                label.push(String::from("each length"));
            }
            LoopMode::Each | LoopMode::Greedy => {}
        }
        if let Some(until) = quantifier.until {
            label.push(format!("until {}", self.words.step_text(until)));
        }
        label.join(", ")
    }
}

/// The exits of an item, with those before it where it may be left out.
fn exits(mut inner: Vec<Exit>, quantifier: &Quantifier, from: Vec<Exit>) -> Vec<Exit> {
    if quantifier.optional {
        inner.extend(from);
    }
    inner
}
