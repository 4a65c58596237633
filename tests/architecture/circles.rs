//! The imports between the files of a crate, read from the text of the files, and the circles of
//! files that import each other.
//!
//! An import is a path that begins with `crate`, `super`, `self` or a module below the file. A path
//! through a re-export leads to the file that defines the item: so a `mod.rs` that only re-exports is
//! imported by none. Tests, comments and the paths in `pub(in ..)` are left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::text::{plain, tokens, without_tests};

/// The names of a module from the root of its crate: `["stream", "engine"]`.
type Module = Vec<String>;

/// A `use` of a module: the name that it brings, and the path that the name stands for.
type Names = BTreeMap<String, Vec<String>>;

/// Returns each set of files that import each other, all of one crate, sorted. `sources` are the
/// crate's files with their paths below its `src` folder.
pub(crate) fn circles(sources: &[(String, String)]) -> Vec<Vec<String>> {
    let imports = imports(sources);
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        imports.keys().map(|file| (&**file, reachable(&imports, file))).collect();
    let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, others) in &reached {
        let is_mutual = |other: &&&str| reached[**other].contains(file);
        let circle: Vec<String> =
            others.iter().filter(is_mutual).map(|other| (*other).to_owned()).collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

/// Returns for each file the files that it imports from.
pub(crate) fn imports(sources: &[(String, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let texts: Vec<(&str, Module, Vec<String>)> = sources
        .iter()
        .map(|(path, text)| (&**path, module(path), tokens(&without_tests(&plain(text)))))
        .collect();
    let tests: BTreeSet<Module> =
        sources.iter().flat_map(|(path, text)| tests(path, text)).collect();
    let texts: Vec<_> =
        texts.into_iter().filter(|(_, module, _)| !tests.contains(module)).collect();
    let files: BTreeMap<&Module, &str> =
        texts.iter().map(|(path, module, _)| (module, *path)).collect();
    let uses: BTreeMap<&Module, (Names, Vec<Vec<String>>)> =
        texts.iter().map(|(_, module, tokens)| (module, paths(tokens))).collect();
    let mut imports = BTreeMap::new();
    for (path, module, _) in &texts {
        let (names, others) = &uses[module];
        let mut targets = BTreeSet::new();
        for segments in names.values().chain(others) {
            let Some(found) = resolve(module, segments, &files, &uses, 0) else { continue };
            if found != *module {
                targets.insert(files[&found].to_owned());
            }
        }
        imports.insert((*path).to_owned(), targets);
    }
    imports
}

/// Returns the files that can be reached from `start` by one import or more.
pub(crate) fn reachable<'a>(
    imports: &'a BTreeMap<String, BTreeSet<String>>,
    start: &str,
) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = vec![start];
    while let Some(file) = open.pop() {
        for next in &imports[file] {
            if found.insert(&**next) {
                open.push(next);
            }
        }
    }
    found
}

fn module(path: &str) -> Module {
    let stem = path.trim_end_matches(".rs");
    let mut module: Module = stem.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") || stem == "lib" || stem == "main" {
        module.pop();
    }
    module
}

/// Returns the modules of tests that a file declares: `#[cfg(test)] mod tests;`.
fn tests(path: &str, text: &str) -> Vec<Module> {
    let plain = plain(text);
    let after = plain.split("#[cfg(test)]").skip(1);
    let names = after.filter_map(|rest| {
        let (name, _) = rest.trim_start().strip_prefix("mod ")?.split_once(';')?;
        name.chars().all(|c| c.is_alphanumeric() || c == '_').then_some(name)
    });
    names.map(|name| [&module(path)[..], &[name.to_owned()]].concat()).collect()
}

/// Returns the file in which the item at the end of a path is defined; `None` outside of the crate.
fn resolve(
    from: &Module,
    segments: &[String],
    files: &BTreeMap<&Module, &str>,
    uses: &BTreeMap<&Module, (Names, Vec<Vec<String>>)>,
    depth: usize,
) -> Option<Module> {
    let mut at = from.clone();
    let mut rest = segments.iter().peekable();
    match rest.peek()?.as_str() {
        "crate" => at.clear(),
        "self" | "super" => {}
        name if files.contains_key(&[&at[..], &[name.to_owned()]].concat()) => {}
        _ => return None,
    }
    while let Some(segment) = rest.next() {
        match &**segment {
            "crate" | "self" | "*" => continue,
            "super" => {
                at.pop()?;
                continue;
            }
            _ => {}
        }
        let below = [&at[..], std::slice::from_ref(segment)].concat();
        if files.contains_key(&below) {
            at = below;
            continue;
        }
        // A name that the module has from elsewhere leads there.
        let (names, _) = uses.get(&at)?;
        return match names.get(segment) {
            Some(path) if depth < 8 => {
                let path: Vec<String> = path.iter().chain(rest).cloned().collect();
                resolve(&at, &path, files, uses, depth + 1)
            }
            _ => Some(at),
        };
    }
    Some(at)
}

/// Returns what `use` brings into a module by name, and all other paths.
fn paths(tokens: &[String]) -> (Names, Vec<Vec<String>>) {
    let (mut names, mut others) = (Names::new(), Vec::new());
    let mut index = 0;
    while index < tokens.len() {
        let before = index.checked_sub(1).map_or("", |before| &*tokens[before]);
        match &*tokens[index] {
            "use" if tokens.get(index + 1).is_some_and(|next| next != "<") => {
                index = tree(tokens, index + 1, &[], &mut names, &mut others);
            }
            "crate" | "super" | "self" if before != "in" && before != "::" => {
                let mut path = vec![tokens[index].clone()];
                while tokens.get(index + 1).is_some_and(|next| next == "::")
                    && let Some(name) = tokens.get(index + 2).filter(|name| is_word(name))
                {
                    path.push(name.clone());
                    index += 2;
                }
                if path.len() > 1 {
                    others.push(path);
                }
                index += 1;
            }
            _ => index += 1,
        }
    }
    (names, others)
}

/// Reads a tree of `use` from a token on. Returns the index behind it.
fn tree(
    tokens: &[String],
    mut index: usize,
    before: &[String],
    names: &mut Names,
    others: &mut Vec<Vec<String>>,
) -> usize {
    let mut path = before.to_vec();
    while let Some(token) = tokens.get(index) {
        match &**token {
            "::" => index += 1,
            "{" => {
                index += 1;
                while tokens.get(index).is_some_and(|token| token != "}") {
                    index = tree(tokens, index, &path, names, others);
                    index += usize::from(tokens.get(index).is_some_and(|token| token == ","));
                }
                return index + 1;
            }
            "as" => {
                names.insert(tokens[index + 1].clone(), path);
                return index + 2;
            }
            "," | ";" | "}" => break,
            _ => {
                path.push(token.clone());
                index += 1;
            }
        }
    }
    if path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    match path.last() {
        Some(last) if last != "*" => {
            names.insert(last.clone(), path);
        }
        _ => others.push(path),
    }
    index
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}
