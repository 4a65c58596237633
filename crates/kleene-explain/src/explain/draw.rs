//! Pictures as text that other programs draw: Graphviz and Mermaid.

use std::fmt::Write as _;

use super::picture::{Picture, Shape};

impl Picture {
    /// The picture in the language of Graphviz.
    pub fn to_dot(&self) -> String {
        let mut out = String::from("digraph rule {\n  rankdir=TB;\n");
        let _ = writeln!(out, "  label={};\n  labelloc=t;", dot_text(&self.title.join("\n")));
        out.push_str("  node [fontname=\"Helvetica\", fontsize=11];\n");
        out.push_str("  edge [fontname=\"Helvetica\", fontsize=10];\n");
        for (index, node) in self.nodes.iter().enumerate() {
            let shape = match node.shape {
                Shape::Start => "shape=circle, style=filled, fillcolor=\"#e8e8e8\"",
                Shape::Step => "shape=box, style=\"rounded,filled\", fillcolor=\"#eaf2fb\"",
                Shape::State => "shape=ellipse",
                Shape::Fork | Shape::Join => "shape=box, style=filled, fillcolor=\"#f6f2e4\"",
                Shape::Match => "shape=doublecircle, style=filled, fillcolor=\"#e6f4e6\"",
                Shape::End => "shape=circle, style=filled, fillcolor=\"#fbeaea\"",
            };
            let _ =
                writeln!(out, "  n{index} [label={}, {shape}];", dot_text(&node.lines.join("\n")));
        }
        for arrow in &self.arrows {
            let dashed = if arrow.is_dashed { ", style=dashed" } else { "" };
            let label = dot_text(&arrow.label);
            let _ = writeln!(out, "  n{} -> n{} [label={label}{dashed}];", arrow.from, arrow.to);
        }
        out.push_str("}\n");
        out
    }

    /// The picture in the language of Mermaid, as Markdown pages show it.
    pub fn to_mermaid(&self) -> String {
        let mut out = String::from("flowchart TD\n");
        for line in &self.title {
            // A comment: Mermaid has no title that may hold any text.
            let _ = writeln!(out, "  %% {}", line.replace(['\n', '\r', '{', '}'], " "));
        }
        for (index, node) in self.nodes.iter().enumerate() {
            let (open, close) = match node.shape {
                Shape::Start | Shape::End => ("((", "))"),
                Shape::Step => ("(", ")"),
                Shape::State => ("([", "])"),
                Shape::Fork | Shape::Join => ("[", "]"),
                Shape::Match => ("(((", ")))"),
            };
            let _ =
                writeln!(out, "  n{index}{open}{}{close}", mermaid_text(&node.lines.join("\n")));
        }
        for arrow in &self.arrows {
            let line = if arrow.is_dashed { "-.->" } else { "-->" };
            let label = if arrow.label.is_empty() {
                String::new()
            } else {
                format!("|{}|", mermaid_text(&arrow.label))
            };
            let _ = writeln!(out, "  n{} {line}{label} n{}", arrow.from, arrow.to);
        }
        out
    }
}

/// A text in quotes.
fn dot_text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A text in quotes. What could mean something is written by its number.
fn mermaid_text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\n' => out.push_str("<br/>"),
            '"' | '#' | '<' | '>' | '&' | '`' | '|' | '\\' | '[' | ']' | '{' | '}' | '(' | ')'
            | ';' => {
                let _ = write!(out, "#{};", u32::from(c));
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
