//! Rule sets as bytes: all texts, the files that they name, and the values of parameters.
//!
//! A job is put together on one machine and runs on others. The files that a rule file names are
//! read once, where the job is put together.

use kleene::RuleSet;
use kleene::diagnostic::Source;
use kleene::ruleset::{FileLoader, RulesError};
use kleene_event::util::wire::{Reader, put_bytes, put_len};

/// The texts of a rule set, with all that they name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RuleTexts {
    /// The rule files: names and texts.
    pub files: Vec<(String, String)>,
    /// Values of parameters: names and values as text.
    pub params: Vec<(String, String)>,
    /// Files that others name: the name of the file that names it, the path as written, the text.
    pub named: Vec<(String, String, String)>,
}

impl RuleTexts {
    /// Builds the rule set. Of the files that the texts name, those in `named` are known, and
    /// `files` reads the others; without it they are missing.
    ///
    /// # Errors
    /// [`RulesError`] with every mistake.
    pub fn build(&mut self, files: Option<&FileLoader>) -> Result<RuleSet, RulesError> {
        let mut builder = RuleSet::builder();
        for (name, text) in &self.files {
            builder = builder.source(Source::new(&**name, &**text));
        }
        for (name, value) in &self.params {
            builder = builder.param(name, value);
        }
        let named = &mut self.named;
        builder
            .loader(|from: &Source, path: &str| {
                let is_it =
                    |(by, at, _): &&(String, String, String)| **by == *from.name && at == path;
                if let Some((.., text)) = named.iter().find(is_it) {
                    return Ok(text.clone());
                }
                let Some(files) = files else {
                    return Err(String::from("only the rules of the job can name files"));
                };
                let text = files.load(from, path)?;
                named.push((from.name.to_string(), path.to_owned(), text.clone()));
                Ok(text)
            })
            .build()
    }

    /// Returns the texts as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for pairs in [&self.files, &self.params] {
            put_len(&mut out, pairs.len());
            for (name, text) in pairs {
                put_bytes(&mut out, name.as_bytes());
                put_bytes(&mut out, text.as_bytes());
            }
        }
        put_len(&mut out, self.named.len());
        for (by, path, text) in &self.named {
            put_bytes(&mut out, by.as_bytes());
            put_bytes(&mut out, path.as_bytes());
            put_bytes(&mut out, text.as_bytes());
        }
        out
    }

    /// Reads texts. `None` if the bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Option<RuleTexts> {
        let mut reader = Reader::new(bytes);
        let text = |reader: &mut Reader<'_>| Some(reader.str()?.to_owned());
        let pair = |reader: &mut Reader<'_>| Some((text(reader)?, text(reader)?));
        let files = reader.list(pair)?;
        let params = reader.list(pair)?;
        let named = reader.list(|reader| Some((text(reader)?, text(reader)?, text(reader)?)))?;
        reader.is_at_end().then_some(RuleTexts { files, params, named })
    }
}

/// Returns a loader that reads files in the folders of these rule files.
pub fn files_beside<'a>(paths: impl IntoIterator<Item = &'a str>) -> FileLoader {
    let mut files = FileLoader::default();
    paths.into_iter().for_each(|path| files.allow_beside(path));
    files
}
