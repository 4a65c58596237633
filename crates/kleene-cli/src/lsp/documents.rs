//! Open documents, and the files that belong to one.

use std::path::{Path, PathBuf};

use hashbrown::{HashMap, HashSet};
use kleene::diagnostic::Source;
use kleene::ruleset::FileLoader;

use serde_json::Value;

use kleene_language::scan::{ItemKind, Role, bare, scan};
use kleene_language::{File, Set, plain};

use super::uri;

/// The most files that one document takes in.
const MAX_FILES: usize = 500;

/// A document as the editor shows it, which may not be saved.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) source: Source,
    pub(super) version: i32,
}

/// The documents that are open, by their names.
#[derive(Debug, Default)]
pub(super) struct Documents {
    open: HashMap<String, Document>,
    /// The folders that the editor has opened, in which rule files may name files.
    folders: Vec<PathBuf>,
}

impl Documents {
    /// Documents in the folders that an editor's `initialize` names.
    pub(super) fn of(params: &Value) -> Documents {
        let folders = params["workspaceFolders"].as_array().into_iter().flatten();
        let uris = folders.map(|folder| &folder["uri"]).chain([&params["rootUri"]]);
        let folders = uris.filter_map(|uri| uri::to_path(uri.as_str()?)).collect();
        Documents { open: HashMap::new(), folders }
    }

    /// A document has this text now.
    pub(super) fn set(&mut self, uri: &str, text: String, version: i32) {
        let name = match uri::to_path(uri) {
            Some(path) => path.display().to_string(),
            None => uri.to_owned(),
        };
        self.open.insert(uri.to_owned(), Document { source: Source::new(name, text), version });
    }

    /// A document is no longer open.
    pub(super) fn close(&mut self, uri: &str) {
        self.open.remove(uri);
    }

    /// The document of this name, if it is open.
    pub(super) fn get(&self, uri: &str) -> Option<&Document> {
        self.open.get(uri)
    }

    /// All open documents, sorted by name.
    pub(super) fn all(&self) -> Vec<(&str, &Document)> {
        let mut all: Vec<_> = self.open.iter().map(|(uri, document)| (&**uri, document)).collect();
        all.sort_by_key(|(uri, _)| *uri);
        all
    }

    /// Returns the text of a file that `from` names: the editor's text if the file is open there.
    pub(super) fn load(&self, from: &Source, path: &str) -> Result<String, String> {
        let directory = Path::new(&*from.name).parent().ok_or("this text is not saved yet")?;
        if !Path::new(&*from.name).is_absolute() {
            return Err(String::from("this text is not saved yet"));
        }
        if let Some(text) = self.text(&plain(&directory.join(path))) {
            return Ok(text);
        }
        let mut files = FileLoader::default();
        for folder in &self.folders {
            files.allow(folder);
        }
        for open in self.open.values() {
            files.allow_beside(&*open.source.name);
        }
        // Its own folder was allowed when this file was reached.
        files.allow(directory);
        files.load(from, path)
    }

    /// Returns the text that the editor shows of a file.
    fn text(&self, path: &Path) -> Option<String> {
        let name = path.display().to_string();
        let open = self.open.values().find(|open| *open.source.name == *name)?;
        Some(open.source.text.to_string())
    }

    /// The rule files beside a document, without itself.
    pub(super) fn beside(&self, source: &Source) -> Vec<Source> {
        let own = Path::new(&*source.name);
        let Some(directory) = own.parent().filter(|_| own.is_absolute()) else { return Vec::new() };
        let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "cep"))
            .filter(|path| path != own)
            .take(MAX_FILES)
            .collect();
        paths.sort();
        let mut files = FileLoader::default();
        files.allow(directory);
        let read = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            let text = self.text(path).or_else(|| files.load(source, name?).ok())?;
            Some(Source::new(path.display().to_string(), text))
        };
        paths.iter().filter_map(read).collect()
    }

    /// A document with the files that it uses, itself first. Where it names what none of them
    /// declares, but at the byte `at`, where someone types, the files beside it belong to it, too.
    pub(super) fn set_of(&self, source: &Source, at: Option<usize>) -> Set {
        let mut files: Vec<File> = Vec::new();
        let mut waiting = vec![source.clone()];
        while let Some(source) = waiting.pop() {
            if files.len() >= MAX_FILES || files.iter().any(|file| file.source.name == source.name)
            {
                continue;
            }
            let file = File { scan: scan(&source.text), source };
            let used = file.scan.items.iter().filter(|item| item.kind == ItemKind::Use);
            let directory = Path::new(&*file.source.name).parent();
            for item in used {
                let Ok(text) = self.load(&file.source, &item.name) else { continue };
                let Some(directory) = directory else { continue };
                let name = plain(&directory.join(&item.name)).display().to_string();
                waiting.push(Source::new(name, text));
            }
            files.push(file);
        }
        let mut set = Set { files };
        if needs_more(&set, at) {
            for source in self.beside(source) {
                if !set.files.iter().any(|file| file.source.name == source.name) {
                    set.files.push(File { scan: scan(&source.text), source });
                }
            }
        }
        set
    }
}

/// True if the first file names what no file declares, or no file declares anything.
fn needs_more(set: &Set, at: Option<usize>) -> bool {
    let Some(own) = set.files.first() else { return false };
    let items =
        || set.files.iter().flat_map(|file| file.scan.items.iter().chain(&file.scan.emitted));
    if !items().any(|item| item.kind == ItemKind::Event) {
        return true;
    }
    let locals = own.scan.rules.iter().flat_map(|rule| &rule.locals).map(|local| &local.name);
    let known: HashSet<&str> =
        items().map(|item| &item.name).chain(locals).map(String::as_str).collect();
    own.scan.marks.iter().any(|mark| {
        let (start, end) = (mark.span.start as usize, mark.span.end as usize);
        let is_typed = at.is_some_and(|at| (start..=end).contains(&at));
        let is_name = matches!(mark.role, Role::Step | Role::Event | Role::Rule);
        let name = own.source.text.get(start..end).map(bare);
        is_name && !is_typed && name.is_some_and(|name| !known.contains(name))
    })
}
