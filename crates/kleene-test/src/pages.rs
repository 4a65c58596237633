//! The pages of the documentation and what is tested of them: their fenced blocks.
//!
//! The words behind the language of a block are its attributes:
//! ```` ```cep file=shop.cep append ````.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A page of the documentation.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its path from the root of the repository.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Its fenced blocks, in order.
    pub blocks: Vec<Block>,
}

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Block {
    /// The page's line with the opening fence, from 1.
    pub line: usize,
    /// The first word behind the fence; empty if there is none.
    pub language: String,
    /// The other words: `name=value`, or a name alone, whose value is empty.
    pub attributes: BTreeMap<String, String>,
    /// The lines between the fences, without the indentation of the fence.
    pub text: String,
}

impl Block {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// README.md and every page below `docs/`, sorted by path.
///
/// # Panics
/// If a page cannot be read, or a block is never closed.
pub fn all(root: &Path) -> Vec<Page> {
    let mut paths = vec![root.join("README.md")];
    let mut open = vec![root.join("docs")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be listed") {
            let path: PathBuf = entry.expect("it can be listed").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root).expect("it is below the root");
            let name = name.to_string_lossy().replace('\\', "/");
            let text = fs::read_to_string(&path).expect("a page is UTF-8");
            let blocks = blocks(&name, &text);
            Page { name, text, blocks }
        })
        .collect()
}

fn blocks(name: &str, text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let info = line.trim_start();
        if !info.starts_with("```") {
            continue;
        }
        let indent = line.len() - info.len();
        let fence = &info[..info.len() - info.trim_start_matches('`').len()];
        let mut words = info[fence.len()..].split_whitespace();
        let language = words.next().unwrap_or_default().to_owned();
        let attributes = words
            .map(|word| word.split_once('=').unwrap_or((word, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut text = String::new();
        loop {
            let Some((_, line)) = lines.next() else {
                panic!("{name}:{}: the block is never closed", index + 1);
            };
            if line.trim() == fence {
                break;
            }
            text += line.get(indent..).unwrap_or_default();
            text.push('\n');
        }
        found.push(Block { line: index + 1, language, attributes, text });
    }
    found
}
