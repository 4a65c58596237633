//! A picture as SVG, laid out from top to bottom without the help of other programs.
//!
//! Nodes stand in layers, each below those that lead to it. What leads from one layer to the next
//! is drawn between them; what leads further down goes along the right side, what leads back along
//! the left one, each on a lane of its own. Labels in one gap between layers have a line each, so
//! that they do not cover each other.

use std::fmt::Write as _;

use super::picture::{Node, Picture, PictureEdge, Shape};
use kleene_event::util::order;

/// The height of a line of text, and about a third of it for what is below the line.
const LINE: i64 = 16;
/// The space around everything.
const MARGIN: i64 = 20;
/// The space between nodes of a layer.
const BETWEEN: i64 = 36;
/// The size of a loop at a node.
const LOOP: i64 = 34;
/// The largest number of characters in a line of a label.
const WRAP: usize = 44;

const STYLE: &str = "\
text{font:12px Helvetica,Arial,sans-serif;fill:#1b1f24}\
.title{font-size:14px;font-weight:bold}\
.name{font-weight:bold}\
.label{font-size:11px;fill:#424a53;paint-order:stroke;stroke:#fff;stroke-width:4px}\
.arc{fill:none;stroke:#57606a;stroke-width:1.3}\
.dashed{stroke-dasharray:5 4}\
.node{stroke:#57606a;stroke-width:1.3;fill:#fff}\
.step{fill:#eaf2fb}.start{fill:#e8e8e8}.match{fill:#e6f4e6}.end{fill:#fbeaea}.fork{fill:#f6f2e4}";

impl Picture {
    /// The picture as an SVG file.
    pub fn to_svg(&self) -> String {
        let mut layout = SvgLayout::new(self);
        layout.place();
        layout.draw()
    }
}

/// A node with its place: the middle of its top side is at `x`, `y`.
struct Placed {
    lines: Vec<String>,
    shape: Shape,
    layer: usize,
    width: i64,
    height: i64,
    /// The distance from the middle of the node to the right end of all that belongs to it.
    right: i64,
    x: i64,
    y: i64,
}

impl Placed {
    fn bottom(&self) -> i64 {
        self.y + self.height
    }

    fn middle(&self) -> i64 {
        self.y + self.height / 2
    }
}

struct SvgLayout<'a> {
    picture: &'a Picture,
    nodes: Vec<Placed>,
    /// The arrows, those between the same nodes as one, with their labels in lines.
    arrows: Vec<(PictureEdge, Vec<String>)>,
    /// The top and the bottom of each layer.
    rows: Vec<(i64, i64)>,
    out: String,
    left: i64,
    right: i64,
    bottom: i64,
}

impl<'a> SvgLayout<'a> {
    fn new(picture: &'a Picture) -> SvgLayout<'a> {
        let mut arrows: Vec<(PictureEdge, Vec<String>)> = Vec::new();
        for arrow in &picture.arrows {
            let lines = wrapped(&arrow.label);
            let same = arrows.iter_mut().find(|(known, _)| {
                (known.from, known.to, known.is_dashed) == (arrow.from, arrow.to, arrow.is_dashed)
            });
            match same {
                Some((_, known)) => known.extend(lines),
                None => arrows.push((arrow.clone(), lines)),
            }
        }
        let mut nodes: Vec<Placed> = picture.nodes.iter().map(placed).collect();
        for (arrow, lines) in &arrows {
            if arrow.from == arrow.to {
                let node = &mut nodes[arrow.from];
                node.right = node.right.max(node.width / 2 + LOOP + 6 + widest(lines));
                node.height = node.height.max(count(lines.len()) * LINE + 8);
            }
        }
        // Nodes are in the order in which they are reached: what leads to an earlier one leads
        // back.
        for index in 0..nodes.len() {
            let before = arrows.iter().filter(|(arrow, _)| arrow.to == index && arrow.from < index);
            let layer = before.map(|(arrow, _)| nodes[arrow.from].layer + 1).max();
            nodes[index].layer = layer.unwrap_or(0);
        }
        let rows = Vec::new();
        SvgLayout { picture, nodes, arrows, rows, out: String::new(), left: 0, right: 0, bottom: 0 }
    }

    /// The arrows from one layer to the next below it.
    fn is_short(&self, arrow: &PictureEdge) -> bool {
        self.nodes[arrow.to].layer == self.nodes[arrow.from].layer + 1
    }

    fn place(&mut self) {
        let layers = self.nodes.iter().map(|node| node.layer + 1).max().unwrap_or(0);
        let mut y = MARGIN + count(self.picture.title.len()) * (LINE + 2) + 10;
        for layer in 0..layers {
            let mut row: Vec<usize> =
                (0..self.nodes.len()).filter(|&node| self.nodes[node].layer == layer).collect();
            // Below the middle of what leads there.
            let aim = |node: &usize| {
                let before =
                    self.arrows.iter().filter(|(arrow, _)| arrow.to == *node && arrow.from < *node);
                let places: Vec<i64> = before.map(|(arrow, _)| self.nodes[arrow.from].x).collect();
                places.iter().sum::<i64>() / count(places.len().max(1))
            };
            order::sort_by_key(&mut row, aim);
            let widths =
                row.iter().map(|&node| self.nodes[node].width / 2 + self.nodes[node].right);
            let between = BETWEEN * count(row.len().saturating_sub(1));
            // A single node stands in the middle, whatever hangs on its side.
            let mut x = match row[..] {
                [only] => -self.nodes[only].width / 2,
                _ => -(widths.sum::<i64>() + between) / 2,
            };
            let height = row.iter().map(|&node| self.nodes[node].height).max().unwrap_or(0);
            for &index in &row {
                let node = &mut self.nodes[index];
                node.x = x + node.width / 2;
                node.y = y + (height - node.height) / 2;
                x = node.x + node.right + BETWEEN;
                self.left = self.left.min(node.x - node.width / 2);
                self.right = self.right.max(node.x + node.right);
            }
            let labels = self
                .arrows
                .iter()
                .filter(|(arrow, _)| self.nodes[arrow.from].layer == layer && self.is_short(arrow));
            let lines: usize = labels.map(|(_, lines)| lines.len()).sum();
            self.rows.push((y, y + height));
            self.bottom = y + height;
            y += height + 34 + count(lines) * LINE;
        }
    }

    fn draw(mut self) -> String {
        let mut taken = vec![0_i64; self.nodes.len()];
        let layers: Vec<usize> = self.nodes.iter().map(|node| node.layer).collect();
        let mut lines_in_gap = vec![0_usize; layers.iter().max().map_or(0, |last| last + 1)];
        let (mut right, mut left) = (self.right + 24, self.left - 24);
        for (arrow, lines) in std::mem::take(&mut self.arrows) {
            if arrow.from == arrow.to {
                self.draw_loop(&arrow, &lines);
            } else if self.is_short(&arrow) {
                let gap = &mut lines_in_gap[layers[arrow.from]];
                let above = *gap;
                *gap += lines.len();
                let leaving = taken[arrow.from];
                taken[arrow.from] += 1;
                self.draw_short(&arrow, &lines, above, leaving);
            } else {
                let is_back = arrow.to < arrow.from;
                let lane = if is_back { left } else { right };
                self.draw_lane(&arrow, &lines, lane, is_back);
                let step = widest(&lines) + 26;
                if is_back {
                    left -= step;
                } else {
                    right += step;
                }
            }
        }
        self.right = self.right.max(right);
        self.left = self.left.min(left);
        for index in 0..self.nodes.len() {
            self.draw_node(index);
        }
        self.finish()
    }

    fn finish(self) -> String {
        let title = self.picture.title.iter().map(|line| width(line) + 20).max().unwrap_or(0);
        let (left, wide) = (self.left - MARGIN, (self.right - self.left).max(title) + 2 * MARGIN);
        let high = self.bottom + MARGIN;
        let mut out = String::new();
        let _ = writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{left} 0 {wide} {high}\" \
             width=\"{wide}\" height=\"{high}\" role=\"img\">"
        );
        let name = self.picture.title.first().map_or("", String::as_str);
        let _ = writeln!(out, "<title>{}</title>", escaped(name));
        let _ = writeln!(out, "<style>{STYLE}</style>");
        out.push_str(
            "<defs><marker id=\"tip\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" \
             markerHeight=\"7\" orient=\"auto\"><path d=\"M0 1 L9 5 L0 9 z\" fill=\"#57606a\"/>\
             </marker></defs>\n",
        );
        let _ = writeln!(
            out,
            "<rect x=\"{left}\" y=\"0\" width=\"{wide}\" height=\"{high}\" fill=\"#fff\"/>"
        );
        for (index, line) in self.picture.title.iter().enumerate() {
            let (x, y) = (left + MARGIN, MARGIN + count(index) * (LINE + 2));
            let class = if index == 0 { "title" } else { "label" };
            let line = escaped(line);
            let _ = writeln!(out, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{line}</text>");
        }
        out.push_str(&self.out);
        out.push_str("</svg>\n");
        out
    }

    fn path(&mut self, arrow: &PictureEdge, path: &str) {
        let class = if arrow.is_dashed { "arc dashed" } else { "arc" };
        let _ =
            writeln!(self.out, "<path class=\"{class}\" d=\"{path}\" marker-end=\"url(#tip)\"/>");
    }

    fn label(&mut self, lines: &[String], x: i64, y: i64, anchor: &str) {
        for (index, line) in lines.iter().enumerate() {
            let (y, line) = (y + count(index) * LINE, escaped(line));
            let _ = writeln!(
                self.out,
                "<text class=\"label\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{line}</text>"
            );
        }
    }

    /// A loop at the right side of its node.
    fn draw_loop(&mut self, arrow: &PictureEdge, lines: &[String]) {
        let node = &self.nodes[arrow.from];
        let (side, middle) = (node.x + node.width / 2, node.middle());
        let (far, top, low) = (side + LOOP + 8, middle - 9, middle + 9);
        self.path(
            arrow,
            &format!("M{side} {top} C{far} {}, {far} {}, {side} {low}", top - 12, low + 12),
        );
        let first = middle + 4 - (count(lines.len()) - 1) * LINE / 2;
        self.label(lines, side + LOOP + 4, first, "start");
    }

    /// An arrow to the layer below; its label begins `above` lines below those before it.
    fn draw_short(&mut self, arrow: &PictureEdge, lines: &[String], above: usize, leaving: i64) {
        let (from, to) = (&self.nodes[arrow.from], &self.nodes[arrow.to]);
        let of_node = self.picture.arrows.iter().filter(|other| other.from == arrow.from);
        let many = count(of_node.filter(|other| self.is_short(other)).count()).max(1);
        let spread = (from.width / (many + 1)).min(30);
        let x = from.x + (2 * leaving - (many - 1)) * spread / 2;
        let (top, low) = (from.bottom(), to.y);
        let bend = (low - top) / 2;
        let path =
            format!("M{x} {top} C{x} {}, {} {}, {} {low}", top + bend, to.x, low - bend, to.x);
        let first = top + 20 + count(above) * LINE;
        // About where the curve is at that height.
        let part = (first - top).clamp(0, low - top) * 100 / (low - top).max(1);
        let at = x + (to.x - x) * part / 100;
        self.path(arrow, &path);
        self.label(lines, at + 8, first, "start");
        self.right = self.right.max(at + 8 + widest(lines));
    }

    /// An arrow along a side: down from its node, and from above into the other.
    fn draw_lane(&mut self, arrow: &PictureEdge, lines: &[String], lane: i64, is_back: bool) {
        let (from, to) = (&self.nodes[arrow.from], &self.nodes[arrow.to]);
        let side = if is_back { -1 } else { 1 };
        let (start, end) = (from.x + side * from.width / 4, to.x + side * to.width / 4);
        let (a, b) = (self.rows[from.layer].1 + 9, self.rows[to.layer].0 - 11);
        let down = if b > a { 8 } else { -8 };
        let turn = side * 8;
        let path = format!(
            "M{start} {} L{start} {} Q{start} {a}, {} {a} L{} {a} Q{lane} {a}, {lane} {} \
             L{lane} {} Q{lane} {b}, {} {b} L{} {b} Q{end} {b}, {end} {} L{end} {}",
            from.bottom(),
            a - 5,
            start + turn,
            lane - turn,
            a + down,
            b - down,
            lane - turn,
            end + turn,
            b + 5,
            to.y,
        );
        let middle = i64::midpoint(a, b) - (count(lines.len()) - 1) * LINE / 2;
        self.path(arrow, &path);
        let (x, anchor) = if is_back { (lane - 6, "end") } else { (lane + 6, "start") };
        self.label(lines, x, middle, anchor);
    }

    fn draw_node(&mut self, index: usize) {
        let Placed { lines, shape, width, height, x, y, .. } = &self.nodes[index];
        let (left, middle) = (x - width / 2, y + height / 2);
        let _ = match shape {
            Shape::Step => writeln!(
                self.out,
                "<rect class=\"node step\" x=\"{left}\" y=\"{y}\" width=\"{width}\" \
                 height=\"{height}\" rx=\"8\"/>"
            ),
            Shape::Fork | Shape::Join => writeln!(
                self.out,
                "<rect class=\"node fork\" x=\"{left}\" y=\"{y}\" width=\"{width}\" \
                 height=\"{height}\" rx=\"2\"/>"
            ),
            Shape::Start | Shape::State | Shape::End | Shape::Match => {
                let class = match shape {
                    Shape::Start => "start",
                    Shape::Match => "match",
                    Shape::End => "end",
                    _ => "state",
                };
                let (rx, ry) = (width / 2, height / 2);
                // Whoever shows the picture can find the states that are occupied.
                let data = match (shape, lines.first()) {
                    (Shape::State, Some(name)) => format!(" data-state=\"{}\"", escaped(name)),
                    _ => String::new(),
                };
                let _ = writeln!(
                    self.out,
                    "<ellipse class=\"node {class}\"{data} cx=\"{x}\" cy=\"{middle}\" rx=\"{rx}\" \
                     ry=\"{ry}\"/>"
                );
                if *shape == Shape::Match {
                    writeln!(
                        self.out,
                        "<ellipse class=\"node {class}\" cx=\"{x}\" cy=\"{middle}\" rx=\"{}\" \
                         ry=\"{}\"/>",
                        rx - 4,
                        ry - 4
                    )
                } else {
                    Ok(())
                }
            }
        };
        let first = middle + 4 - (count(lines.len()) - 1) * LINE / 2;
        for (index, line) in lines.iter().enumerate() {
            let (y, line) = (first + count(index) * LINE, escaped(line));
            let class = if index == 0 { " class=\"name\"" } else { "" };
            let _ = writeln!(
                self.out,
                "<text{class} x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{line}</text>"
            );
        }
    }
}

fn placed(node: &Node) -> Placed {
    let lines: Vec<String> = node.lines.iter().flat_map(|line| wrapped(line)).collect();
    let is_round = !matches!(node.shape, Shape::Step | Shape::Fork | Shape::Join);
    let width = (widest(&lines) + if is_round { 40 } else { 24 }).max(50);
    let height = count(lines.len()) * LINE + if is_round { 22 } else { 14 };
    Placed { lines, shape: node.shape, layer: 0, width, height, right: width / 2, x: 0, y: 0 }
}

/// About how wide a line is.
fn width(line: &str) -> i64 {
    count(line.chars().count()) * 67 / 10
}

fn widest(lines: &[String]) -> i64 {
    lines.iter().map(|line| width(line)).max().unwrap_or(0)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Breaks a text into lines of bounded width. A line is longer only if a word is.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < WRAP => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
