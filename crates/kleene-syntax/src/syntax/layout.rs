//! Line breaks. The printer writes everything on one line and marks where it may be broken. This
//! file decides which of the marks become breaks, and places comments and blank lines.

use std::collections::BTreeMap;

/// Longest line that a record, a list or a pattern stays on.
const MAX_WIDTH: usize = 100;

/// Comments at the ends of lines are moved so far at most to stand below each other.
const MAX_SHIFT: usize = 40;

/// The text at a break.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BreakEdge {
    /// Between two things.
    Between,
    /// Behind an opening bracket: no blank line follows.
    Open,
    /// Before a closing bracket, which stands one level further out.
    Close,
    /// Between the brackets of nothing.
    Empty,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum MarkKind {
    /// A group begins. Its breaks are all taken or none.
    Begin,
    /// It ends.
    End,
    Indent,
    Dedent,
    /// A comma, if the lines are broken here.
    Comma,
    /// A line break, which replaces a number of blanks of the flat text.
    Break {
        /// True if it breaks in any case.
        hard: bool,
        blanks: usize,
        edge: BreakEdge,
        /// True if a blank line belongs here, wanted or not.
        apart: bool,
    },
}

/// A place in the flat text where the layout may change something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) at: usize,
    pub(super) kind: MarkKind,
}

/// Text on one line with marks in the order of their places.
#[derive(Debug, Default)]
pub(super) struct Flat {
    pub(super) text: String,
    pub(super) marks: Vec<Mark>,
}

/// A comment, and how it stood.
#[derive(Debug)]
pub(super) struct Comment {
    pub(super) text: String,
    /// True if something else stands before it on its line.
    pub(super) trailing: bool,
    /// True if a blank line stands before it.
    pub(super) blank: bool,
}

/// Comments and empty lines that the author put at a break.
#[derive(Debug, Default)]
pub(super) struct Trivia {
    pub(super) comments: Vec<Comment>,
    /// True if a blank line stands before what follows.
    pub(super) blank: bool,
}

#[derive(Default)]
struct Line {
    indent: usize,
    text: String,
    comment: Option<String>,
}

/// The text with its lines broken; `trivia` by the index of the mark at which it stands.
pub(super) fn lay_out(flat: &Flat, trivia: &BTreeMap<usize, Trivia>) -> String {
    let ends = ends(&flat.marks);
    let forced = forced(&flat.marks, trivia);
    let mut lines = vec![Line::default()];
    let (mut at, mut indent, mut broken) = (0, 0, Vec::new());
    for (index, mark) in flat.marks.iter().enumerate() {
        if at < mark.at {
            append(&mut lines, &flat.text[at..mark.at]);
            at = mark.at;
        }
        match mark.kind {
            MarkKind::Begin => {
                let column = lines.last().map_or(0, |line| 2 * line.indent + width(&line.text));
                let may = broken.last() != Some(&false);
                broken.push(may && (forced[index] || !fits(flat, index, ends[index], column)));
            }
            MarkKind::End => drop(broken.pop()),
            MarkKind::Indent => indent += 1,
            MarkKind::Dedent => indent -= 1,
            MarkKind::Comma if broken.last() == Some(&true) => append(&mut lines, ","),
            MarkKind::Comma => {}
            MarkKind::Break { hard, blanks, edge, apart } => {
                if hard || broken.last() == Some(&true) {
                    at += blanks;
                    break_line(&mut lines, indent, edge, apart, trivia.get(&index));
                }
            }
        }
    }
    append(&mut lines, &flat.text[at..]);
    finish(lines)
}

fn append(lines: &mut [Line], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.text.push_str(text);
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// For each beginning the index of its end.
fn ends(marks: &[Mark]) -> Vec<usize> {
    let mut ends = vec![0; marks.len()];
    let mut open = Vec::new();
    for (index, mark) in marks.iter().enumerate() {
        match mark.kind {
            MarkKind::Begin => open.push(index),
            MarkKind::End => {
                if let Some(begin) = open.pop() {
                    ends[begin] = index;
                }
            }
            _ => {}
        }
    }
    ends
}

/// For each beginning whether something inside has to be broken.
fn forced(marks: &[Mark], trivia: &BTreeMap<usize, Trivia>) -> Vec<bool> {
    let mut forced = vec![false; marks.len()];
    let mut open: Vec<usize> = Vec::new();
    for (index, mark) in marks.iter().enumerate() {
        match mark.kind {
            MarkKind::Begin => open.push(index),
            MarkKind::End => {
                // A group that breaks also breaks the groups around it.
                if let (Some(inner), Some(&outer)) = (open.pop(), open.last()) {
                    forced[outer] |= forced[inner];
                }
            }
            MarkKind::Break { hard, .. } => {
                let reported = trivia.get(&index).is_some_and(|trivia| !trivia.comments.is_empty());
                if let Some(&begin) = open.last() {
                    forced[begin] |= hard || reported;
                }
            }
            _ => {}
        }
    }
    forced
}

/// True if what begins at the mark `begin`, and what sticks to its end, fits into the line.
fn fits(flat: &Flat, begin: usize, end: usize, column: usize) -> bool {
    let start = flat.marks[begin].at;
    let mut commas = 0;
    let mut stop = flat.text.len();
    for mark in &flat.marks[end..] {
        match mark.kind {
            MarkKind::Break { .. } => {
                stop = mark.at;
                break;
            }
            MarkKind::Comma => commas = 1,
            _ => {}
        }
    }
    // Every character is a byte at least, and at most four.
    if stop - start > 4 * MAX_WIDTH {
        return false;
    }
    column + width(&flat.text[start..stop]) + commas <= MAX_WIDTH
}

/// Ends the line, with the comments that stand here.
fn break_line(
    lines: &mut Vec<Line>,
    indent: usize,
    edge: BreakEdge,
    apart: bool,
    trivia: Option<&Trivia>,
) {
    let comments = trivia.map_or(&[][..], |trivia| &trivia.comments);
    let mut blank = trivia.is_some_and(|trivia| trivia.blank);
    // A blank line that has to be stands before the comments, unless the author put it elsewhere.
    let mut apart = apart && !blank && !comments.iter().any(|comment| comment.blank);
    let mut first = matches!(edge, BreakEdge::Open | BreakEdge::Empty);
    let at_start = lines.len() == 1 && lines[0].text.is_empty();
    if at_start {
        lines.clear();
    }
    for (index, comment) in comments.iter().enumerate() {
        match lines.last_mut() {
            Some(line) if index == 0 && comment.trailing => {
                line.comment = Some(comment.text.clone());
            }
            _ => {
                if !first && (comment.blank || apart) {
                    lines.push(Line::default());
                }
                (first, apart) = (false, false);
                lines.push(Line { indent, text: comment.text.clone(), comment: None });
            }
        }
    }
    let closes = matches!(edge, BreakEdge::Close | BreakEdge::Empty);
    blank = (blank || apart) && !first && !closes;
    if blank {
        lines.push(Line::default());
    }
    let indent = if closes { indent.saturating_sub(1) } else { indent };
    lines.push(Line { indent, ..Line::default() });
}

/// The lines as text; comments at the ends of lines that follow each other stand below each other.
fn finish(mut lines: Vec<Line>) -> String {
    while lines.last().is_some_and(|line| line.text.is_empty()) {
        lines.pop();
    }
    let mut out = String::new();
    let mut column = 0;
    for (index, line) in lines.iter().enumerate() {
        let start = out.len();
        if !line.text.is_empty() {
            out.extend(std::iter::repeat_n("  ", line.indent));
            out.push_str(&line.text);
        }
        if let Some(comment) = &line.comment {
            if index == 0 || lines[index - 1].comment.is_none() {
                let run = lines[index..].iter().take_while(|line| line.comment.is_some());
                let widths = run.map(|line| 2 * line.indent + width(&line.text));
                let (least, most) =
                    widths.fold((usize::MAX, 0), |(a, b), width| (a.min(width), b.max(width)));
                // Not if that moves them out of sight.
                column = if most - least <= MAX_SHIFT { most } else { 0 };
            }
            let width = width(&out[start..]);
            let pad = column.max(width) + 2 - width;
            out.extend(std::iter::repeat_n(' ', pad));
            out.push_str(comment);
        }
        out.push('\n');
    }
    out
}
