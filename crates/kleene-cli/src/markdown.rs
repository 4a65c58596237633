//! Rules in Markdown: the fenced blocks that are marked `cep`, formatted where they stand.

use std::ops::Range;

use kleene::diagnostic::{Diagnostic, Severity, Source};
use kleene_syntax::syntax::{self, MAX_DIAGNOSTICS};

use kleene_report::counts::counted;

/// A page whose blocks are formatted.
#[derive(Debug)]
pub(crate) struct Page {
    /// Its text. What is no rule is as it was, byte for byte, and so are blocks with mistakes.
    pub(crate) text: String,
    /// The mistakes, as they are printed; where there are very many, how many blocks have more.
    pub(crate) errors: Vec<String>,
}

/// Formats the rules in a page. A block that is marked with an `error`, such as
/// ```` ```cep error=E0201 ````, shows a mistake and stays as it is.
pub(crate) fn format(page: &Source) -> Page {
    let mut text = String::with_capacity(page.text.len());
    let (mut errors, mut unreported) = (Vec::new(), 0);
    let mut end = 0;
    for block in blocks(&page.text) {
        let old = &page.text[block.content.clone()];
        match syntax::format(&Source::new(page.name.clone(), block.unindented(old))) {
            Ok(new) => {
                text.push_str(&page.text[end..block.content.start]);
                text.push_str(&block.indented(&new));
                end = block.content.end;
            }
            Err(_) if errors.len() < MAX_DIAGNOSTICS => errors.extend(mistakes(page, &block)),
            Err(_) => unreported += 1,
        }
    }
    if unreported > 0 {
        errors.push(format!("{} with mistakes", counted(unreported, "more block")));
    }
    text.push_str(&page.text[end..]);
    Page { text, errors }
}

/// Returns the mistakes of a block, with their places in the page.
fn mistakes(page: &Source, block: &Block) -> Vec<String> {
    // Nothing but line ends before the block, so that lines and columns are those of the page.
    let lines = page.text[..block.content.start].matches('\n').count();
    let text = "\n".repeat(lines) + &page.text[block.content.clone()];
    let source = Source::new(page.name.clone(), text);
    let (_, diagnostics) = syntax::parse(&source);
    let is_error = |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Error;
    diagnostics.iter().filter(is_error).map(|diagnostic| diagnostic.render(&source)).collect()
}

/// A fenced block of rules.
#[derive(Debug)]
struct Block {
    /// The lines between the fences.
    content: Range<usize>,
    /// The text before the opening fence.
    indent: String,
    line_end: &'static str,
}

impl Block {
    /// The content as it would be without the indentation of its fence.
    fn unindented(&self, text: &str) -> String {
        let strip = |line: &str| {
            let common = line.bytes().zip(self.indent.bytes()).take_while(|(a, b)| a == b).count();
            line[common..].to_owned()
        };
        text.split_inclusive('\n').map(strip).collect()
    }

    /// The opposite.
    fn indented(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for line in text.lines() {
            if !line.is_empty() {
                out.push_str(&self.indent);
            }
            out.push_str(line);
            out.push_str(self.line_end);
        }
        out
    }
}

/// The blocks of rules in a page. One that is never closed is none.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(Fence<'_>, Block)> = None;
    let mut at = 0;
    for line in page.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let Some(fence) = Fence::read(line) else { continue };
        match open.take() {
            None => {
                let line_end = if line.ends_with("\r\n") { "\r\n" } else { "\n" };
                let indent = fence.indent.to_owned();
                open = Some((fence, Block { content: at..at, indent, line_end }));
            }
            Some((opening, mut block)) if fence.closes(&opening) => {
                block.content.end = start;
                if opening.is_rules() {
                    blocks.push(block);
                }
            }
            still_open => open = still_open,
        }
    }
    blocks
}

/// A line that may begin or end a block.
#[derive(Debug)]
struct Fence<'a> {
    indent: &'a str,
    mark: char,
    length: usize,
    /// The text behind the fence.
    info: &'a str,
}

impl<'a> Fence<'a> {
    fn read(line: &'a str) -> Option<Fence<'a>> {
        let fence = line.trim_start_matches([' ', '\t']);
        let indent = &line[..line.len() - fence.len()];
        let mark = fence.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let info = fence.trim_start_matches(mark);
        let length = fence.len() - info.len();
        // Three marks within a line are code in a sentence.
        let is_inline = mark == '`' && info.contains('`');
        let fence = Fence { indent, mark, length, info: info.trim() };
        (length >= 3 && !is_inline).then_some(fence)
    }

    fn closes(&self, opening: &Fence<'_>) -> bool {
        self.info.is_empty() && self.mark == opening.mark && self.length >= opening.length
    }

    fn is_rules(&self) -> bool {
        let mut words = self.info.split_whitespace();
        words.next() == Some("cep") && !words.any(|word| word.starts_with("error="))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(text: &str) -> Page {
        let page = format(&Source::new("page.md", text));
        let again = format(&Source::new("page.md", page.text.as_str()));
        assert_eq!(again.text, page.text, "it formats to itself");
        page
    }

    #[test]
    fn only_rules_change() {
        let text = "# A  title\r\n\ta  b\n```cep file=a.cep\nevent   a {v:int}\n```\n\
            ```rust\nevent   a {v:int}\n```\n~~~cep\nevent   a {v:int}\n~~~\nend";
        let page = formatted(text);
        let event = "event a { v: int }";
        let expected = text
            .replace("a.cep\nevent   a {v:int}", &format!("a.cep\n{event}"))
            .replace("~~~cep\nevent   a {v:int}", &format!("~~~cep\n{event}"));
        assert_eq!((page.text, page.errors.len()), (expected, 0));
        assert_eq!(formatted("").text, "");
        assert_eq!(formatted("```cep\n```\n").text, "```cep\n```\n");
    }

    #[test]
    fn indentation_and_line_ends_are_those_of_the_fence() {
        let page = formatted(
            "1. so\n\n   ```cep\n   rule r {\n     match   a\n   within 60s }\n\n\n\n   event   b {}\n   ```\n",
        );
        assert_eq!(
            page.text,
            "1. so\n\n   ```cep\n   rule r {\n     match a\n     within 1m\n   }\n\n   event b {}\n   ```\n"
        );
        let page = formatted("a\r\n```cep\r\nrule r {\r\n  match   a\r\n}\r\n```\r\nb\r\n");
        assert_eq!(page.text, "a\r\n```cep\r\nrule r {\r\n  match a\r\n}\r\n```\r\nb\r\n");
        // A line that stands further left than its fence.
        let page = formatted("  ```cep\n event   a {}\n  ```\n");
        assert_eq!(page.text, "  ```cep\n  event a {}\n  ```\n");
    }

    #[test]
    fn what_is_no_block_of_rules_stays() {
        for text in [
            "````md\n```cep\nrule   r {}\n```\n````\n",
            "```cep\nrule   r { match a }\n",
            "```cep\nrule   r { match a }\n~~~\n``\n",
            "```cepx\nrule   r { match a }\n```\n",
            "``` cep ``` rule   r\n",
            "```cep error=E0101\nrule   r {\n```\n",
            "> ```cep\n> rule   r { match a }\n> ```\n",
        ] {
            let page = formatted(text);
            assert_eq!((&*page.text, page.errors.len()), (text, 0));
        }
    }

    #[test]
    fn mistakes_are_reported_with_their_place_and_the_other_blocks_are_formatted() {
        let text =
            "text\n- x\n  ```cep\n  rule r { match   a[ }\n  ```\n```cep\nevent   q {}\n```\n";
        let page = formatted(text);
        assert_eq!(page.text, text.replace("event   q", "event q"));
        assert!(page.errors[0].contains("page.md:4:23"), "{}", page.errors[0]);
    }

    #[test]
    fn what_is_wrong_with_a_page_has_an_end() {
        let page = formatted(&"```cep\nrule r { match a[ }\n```\n".repeat(1000));
        let reported = MAX_DIAGNOSTICS;
        assert_eq!(page.errors.len(), reported + 1);
        assert_eq!(page.errors[reported], format!("{} more blocks with mistakes", 1000 - reported));
    }
}
