//! Rule files, checked and ready for an [`Engine`](crate::stream).

mod archive;
mod cascade;
pub(crate) mod compiled;
mod files;
mod reach;
pub(crate) mod relink;
mod screen;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hashbrown::HashMap;

use self::archive::{LoadedFile, Origin};
use self::cascade::Broken;
use self::compiled::{CompiledRule, LinkedCache, LinkedRules};
pub use self::files::FileLoader;
use kleene_automata::nfa::CompileCache;
use kleene_event::event::Event;
use kleene_event::schema::{EventType, Schema, TypeId};
use kleene_syntax::diagnostic::{Code, Diagnostic, Severity, Source, Span};
#[doc(inline)]
pub use kleene_syntax::hir::functions::HostFunction;
use kleene_syntax::hir::lower::{self, HostParam};
#[doc(inline)]
pub use kleene_syntax::hir::{KeyPart, Limit, Meta, Once, Rule, TestBlock};
use kleene_syntax::syntax::{self, ast};

/// The maximum number of files that one rule set reads through `use`.
const MAX_FILES: usize = 1000;

/// Rules that were checked together, with the event types that they declare.
///
/// A rule set is immutable; cloning copies a pointer. Parsing also compiles the rules: a rule that
/// cannot run is a mistake of the text, with its place. All engines of a rule set share the
/// automata, if their events are numbered by the set's own [schema](RuleSet::schema), as
/// [`Record`](crate::Record)s are. For events of a Rust type with other numbers, the first engine
/// compiles the rules for that type, and later engines over the type share these automata.
///
/// ```
/// let rules = kleene::RuleSet::parse(
///     "event paid { order_id: string, at: time }
///      event sent { order_id: string, at: time }
///      rule not_sent { key order_id  match paid -> not sent for 2d }",
/// )?;
/// assert_eq!(rules.rules().len(), 1);
/// # Ok::<(), kleene::ruleset::RulesError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RuleSet(Arc<SharedRules>);

#[derive(Debug)]
struct SharedRules {
    rules: Vec<Arc<Rule>>,
    /// The rules with their automata, with the numbers of the set's own schema.
    linked: Arc<LinkedRules>,
    /// The compiled rules for events that use other numbers for their types and fields.
    relinked: LinkedCache,
    tests: Vec<TestBlock>,
    by_name: HashMap<Arc<str>, usize>,
    warnings: Vec<RuleDiagnostic>,
    origin: Origin,
}

impl RuleSet {
    /// Parses the rules of a text. The text cannot name files (`list ... from`, `use`); see
    /// [`RuleSetBuilder::loader`].
    ///
    /// # Errors
    /// [`RulesError`] with every mistake of the text.
    pub fn parse(text: &str) -> Result<RuleSet, RulesError> {
        RuleSet::builder().text(text).build()
    }

    /// Parses the rules of a text over events of the Rust type `E`, which derives
    /// [`Event`](macro@crate::Event). The text needs no `event` items: `E` declares them.
    ///
    /// # Errors
    /// [`RulesError`] with every mistake of the text.
    ///
    /// ```
    /// use kleene::{Engine, Event, RuleSet, Timestamp};
    ///
    /// #[derive(Clone, Event)]
    /// struct Login { user: String, ok: bool, at: Timestamp }
    ///
    /// let text = "rule guessed { key user  match login[not ok]{3} -> login[ok]  within 1m }";
    /// let rules = RuleSet::parse_for::<Login>(text)?;
    /// let engine = Engine::<Login>::builder().rules(&rules).build()?;
    /// # Ok::<(), kleene::Error>(())
    /// ```
    pub fn parse_for<E: Event>(text: &str) -> Result<RuleSet, RulesError> {
        RuleSet::builder().events::<E>().text(text).build()
    }

    /// Reads the rules of a file. The file may name other files in its folder and below;
    /// [`RuleSetBuilder::allow_path`] allows other folders.
    ///
    /// # Errors
    /// [`RulesError`] with every mistake of the file and of the files that it uses, and with each
    /// file that cannot be read.
    pub fn from_path(path: impl AsRef<Path>) -> Result<RuleSet, RulesError> {
        RuleSet::builder().path(path).build()
    }

    /// Parses the rules of several texts, which share their declarations.
    ///
    /// # Errors
    /// [`RulesError`] with every mistake of every text.
    pub fn load(sources: impl IntoIterator<Item = Source>) -> Result<RuleSet, RulesError> {
        sources.into_iter().fold(RuleSet::builder(), RuleSetBuilder::source).build()
    }

    /// Returns a builder, for rules with parameters of the host, several files or a loader.
    pub fn builder<'l>() -> RuleSetBuilder<'l> {
        RuleSetBuilder::default()
    }

    /// Returns the event types that the rules declare.
    pub fn schema(&self) -> &Arc<Schema> {
        self.0.linked.schema()
    }

    /// Returns the rules in the order of the text.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.0.rules
    }

    /// Returns the rule with this name.
    pub fn rule(&self, name: &str) -> Option<&Arc<Rule>> {
        self.0.by_name.get(name).map(|index| &self.0.rules[*index])
    }

    /// Returns the `test` blocks in the order of the text. The crate `kleene-explain` runs them.
    pub fn tests(&self) -> &[TestBlock] {
        &self.0.tests
    }

    /// Returns warnings: rule text that is valid but may not be meant as written. [`RuleDiagnostics`]
    /// prints them.
    pub fn warnings(&self) -> &[RuleDiagnostic] {
        &self.0.warnings
    }

    /// Returns the approximate heap size in bytes: the rules, their automata and their texts. Parts
    /// that rules share count once. A regular expression counts with the length of its text only.
    ///
    /// Engines share this memory. [`Engine::memory_usage`](crate::Engine::memory_usage) does not
    /// include it.
    pub fn memory_usage(&self) -> usize {
        let SharedRules { rules, linked, relinked, origin, .. } = &*self.0;
        let texts = origin.sources.iter().map(|source| source.text.len());
        let loaded = origin.loaded.iter().map(|file| file.text.len());
        let types = self.schema().types().chain(origin.types.iter().map(|ty| (TypeId::new(0), ty)));
        let of_type = |ty: &EventType| {
            let names: usize = ty.fields.iter().map(|field| field.name.len()).sum();
            size_of_val(ty) + ty.name.len() + size_of_val(&*ty.fields) + names
        };
        size_of_val(&**rules)
            + linked.bytes()
            + relinked.memory_usage()
            + self.0.by_name.capacity() * size_of::<(Arc<str>, usize)>()
            + types.map(|(_, ty)| of_type(ty)).sum::<usize>()
            + texts.chain(loaded).sum::<usize>()
    }
}

/// A diagnostic with its source text. `Display` renders the diagnostic with the source line,
/// without a newline at the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleDiagnostic {
    /// The source text.
    pub source: Source,
    /// The diagnostic.
    pub diagnostic: Diagnostic,
}

impl fmt::Display for RuleDiagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.diagnostic.render(&self.source).trim_end_matches('\n'))
    }
}

/// A list of diagnostics to print. `Display` renders those that fit on a screen, errors first,
/// and counts the rest; `{:#}` renders all.
#[derive(Clone, Copy, Debug)]
pub struct RuleDiagnostics<'a>(pub &'a [RuleDiagnostic]);

impl fmt::Display for RuleDiagnostics<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        screen::write(f, self.0, f.alternate())
    }
}

/// The reasons why rules cannot be used. `Display` renders the diagnostics that fit on a screen and
/// counts the rest; `{:#}` renders all. `Debug` prints the same text, for `unwrap` and for a `main`
/// that returns the error.
///
/// ```
/// let error = kleene::RuleSet::parse("rule paid { match payed }").unwrap_err();
/// let text = error.to_string();
/// assert!(text.starts_with("error[E0201]: there is no event type or define `payed`"));
/// assert_eq!(format!("{error:?}"), error.to_string());
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct RulesError {
    diagnostics: Vec<RuleDiagnostic>,
}

impl RulesError {
    /// Returns the errors and warnings, file by file in the order of the text.
    pub fn diagnostics(&self) -> &[RuleDiagnostic] {
        &self.diagnostics
    }
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RuleDiagnostics(&self.diagnostics).fmt(f)
    }
}

impl fmt::Debug for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for RulesError {}

/// Collects the sources and settings of a [`RuleSet`].
#[derive(Default)]
pub struct RuleSetBuilder<'l> {
    inputs: Vec<Input>,
    types: Vec<EventType>,
    params: Vec<HostParam>,
    functions: Vec<Arc<HostFunction>>,
    loader: Option<Box<lower::Loader<'l>>>,
    allowed: Vec<PathBuf>,
    /// True if the rules ran before.
    has_run: bool,
}

enum Input {
    Source(Source),
    Path(PathBuf),
}

impl fmt::Debug for RuleSetBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self
            .inputs
            .iter()
            .map(|input| match input {
                Input::Source(source) => source.name.to_string(),
                Input::Path(path) => path.display().to_string(),
            })
            .collect();
        f.debug_struct("RuleSetBuilder")
            .field("inputs", &names)
            .field("types", &self.types.len())
            .field("params", &self.params)
            .field("functions", &self.functions)
            .finish_non_exhaustive()
    }
}

impl<'l> RuleSetBuilder<'l> {
    /// Adds rule text without a name; [`source`](RuleSetBuilder::source) gives it one.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.source(Source::new("<rules>", text))
    }

    /// Adds rule text with the name that diagnostics show.
    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.inputs.push(Input::Source(source));
        self
    }

    /// Declares the event types of a Rust type that derives [`Event`]. Rule text can use these
    /// types without an `event` item.
    ///
    /// An `event` item of the same name must declare the same fields, types and event time, in any
    /// order. Two Rust types cannot declare event types of one name. A type without a
    /// [schema](Event::schema), as [`Record`](crate::Record) is, declares nothing.
    ///
    /// ```
    /// use kleene::{Engine, Event, RuleSet, Timestamp};
    ///
    /// #[derive(Clone, Event)]
    /// enum Shop {
    ///     Created { order: u32, at: Timestamp },
    ///     Paid { order: u32, at: Timestamp },
    /// }
    ///
    /// let text = "rule unpaid { key order  match created -> not paid for 1h  emit { order } }";
    /// let rules = RuleSet::builder().events::<Shop>().text(text).build()?;
    /// let engine = Engine::<Shop>::builder().rules(&rules).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn events<E: Event>(mut self) -> Self {
        let schema = E::schema().unwrap_or_default();
        self.types.extend(schema.types().map(|(_, ty)| ty.clone()));
        self
    }

    /// Adds a rule file. [`build`](Self::build) reads the file.
    #[must_use]
    pub fn path(mut self, path: impl AsRef<Path>) -> Self {
        self.inputs.push(Input::Path(path.as_ref().to_owned()));
        self
    }

    /// Allows rule files to name files in this folder and below, in addition to the folders of the
    /// files that [`path`](Self::path) adds. [`FileLoader`] documents which files are read.
    #[must_use]
    pub fn allow_path(mut self, folder: impl AsRef<Path>) -> Self {
        self.allowed.push(folder.as_ref().to_owned());
        self
    }

    /// Sets the value of a parameter, as text. `name` is `parameter`, or `rule.parameter` for the
    /// parameter of a single rule, which takes precedence. Of two values for one name, the later
    /// counts.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.push(HostParam { name: name.into(), value: value.into() });
        self
    }

    /// Adds a function of the host that rules can call by its name. The name must differ from the
    /// names of other host functions and of built-in functions.
    ///
    /// ```
    /// use kleene::RuleSet;
    /// use kleene::diagnostic::Source;
    /// use kleene::ruleset::HostFunction;
    /// use kleene::value::{Kind, Value, ValueRef};
    ///
    /// let is_prime = HostFunction::new("is_prime", Kind::BOOL, |args| match args {
    ///     [ValueRef::Int(n)] => Value::Bool(*n > 1 && (2..*n).all(|d| n % d > 0)),
    ///     _ => Value::Null,
    /// });
    /// let text = "event draw { player: string, number: int, at: time }
    ///             rule lucky { key player  match draw[is_prime(number)]{3}  within 1h }";
    /// let rules = RuleSet::builder()
    ///     .function(is_prime.param("n", Kind::INT))
    ///     .source(Source::new("draws.cep", text))
    ///     .build()?;
    /// # Ok::<(), kleene::ruleset::RulesError>(())
    /// ```
    #[must_use]
    pub fn function(mut self, function: HostFunction) -> Self {
        self.functions.push(Arc::new(function));
        self
    }

    /// Sets the loader of the files that rule files name.
    ///
    /// The closure gets the source that names the file and the path as written. It returns the
    /// text, or the reason why there is none. Without a loader, a [`FileLoader`] reads files
    /// relative to the rule file that names them. The loader alone decides which files are allowed.
    #[must_use]
    pub fn loader(
        mut self,
        loader: impl FnMut(&Source, &str) -> Result<String, String> + 'l,
    ) -> Self {
        self.loader = Some(Box::new(loader));
        self
    }

    /// Reads and checks all sources.
    ///
    /// # Errors
    /// [`RulesError`] with every mistake of every source, and with each file that cannot be read.
    pub fn build(self) -> Result<RuleSet, RulesError> {
        let RuleSetBuilder { inputs, types, params, functions, loader, allowed, has_run } = self;
        let mut loader = loader.unwrap_or_else(|| files_of(&inputs, &allowed));
        let mut loaded = Vec::new();
        let mut loader = |source: &Source, path: &str| {
            let text = loader(source, path)?;
            let (from, kept) = (source.name.clone(), text.as_str().into());
            loaded.push(LoadedFile { from, path: path.into(), text: kept });
            Ok(text)
        };
        let mut sources = Vec::new();
        let mut reports = Vec::new();
        let mut files: Vec<(Source, ast::File)> = Vec::new();
        for input in inputs {
            let source = match input {
                Input::Source(source) => source,
                Input::Path(path) => match read(&path) {
                    Ok(source) => source,
                    Err(report) => {
                        reports.push(*report);
                        continue;
                    }
                },
            };
            sources.push(source.clone());
            take_in(source, &mut files, &mut reports, &mut loader);
        }
        let mut broken = Broken::default();
        for report in &reports {
            broken.add(report);
        }
        let (checked, diagnostics) = lower::check(&files, &types, &params, &functions, &mut loader);
        let mut checks: Vec<RuleDiagnostic> = diagnostics
            .into_iter()
            .map(|(source, diagnostic)| RuleDiagnostic { source, diagnostic })
            .collect();
        let mut known = CompileCache::default();
        let programs = reach::compile(&checked, &files, &mut known, &mut checks);
        if has_run {
            // A version that did not know this has run a rule that can never match: its file is
            // read all the same, so that the others go on.
            checks.retain(|report| !report.diagnostic.code.is_of_no_match());
        }
        let checks = checks.into_iter();
        reports.extend(checks.filter(|report| !broken.explains(report)));
        // File by file, in the order of the text.
        let order: HashMap<Arc<str>, usize> =
            files.iter().enumerate().map(|(i, (source, _))| (source.name.clone(), i)).collect();
        reports.sort_by_key(|report| {
            let file = order.get(&report.source.name).copied().unwrap_or(usize::MAX);
            (file, report.diagnostic.primary.span)
        });
        if reports.iter().any(|report| report.diagnostic.severity == Severity::Error) {
            return Err(RulesError { diagnostics: reports });
        }
        let by_name =
            checked.rules.iter().enumerate().map(|(i, rule)| (rule.name.clone(), i)).collect();
        let lower::Checked { schema, rules, tests, .. } = checked;
        let rules: Vec<Arc<Rule>> = rules.into_iter().map(Arc::new).collect();
        let compiled = rules.iter().zip(programs);
        let compiled =
            compiled.map(|(rule, program)| Ok(CompiledRule { rule: rule.clone(), program }));
        let linked =
            Arc::new(LinkedRules::new(Arc::new(schema), compiled.collect(), known.memory_usage()));
        let origin = Origin { sources, types, params, functions, loaded };
        let relinked = LinkedCache::default();
        let inner =
            SharedRules { rules, linked, relinked, tests, by_name, warnings: reports, origin };
        Ok(RuleSet(Arc::new(inner)))
    }
}

const NO_LOADER: &str = "these rules were not loaded from a file, so they can't name files";

/// Returns a loader for the folders of rule files that were added by path, and for allowed folders.
fn files_of<'l>(inputs: &[Input], allowed: &[PathBuf]) -> Box<lower::Loader<'l>> {
    let mut files = FileLoader::default();
    for folder in allowed {
        files.allow(folder);
    }
    let mut has_files = !allowed.is_empty();
    for input in inputs {
        if let Input::Path(path) = input {
            has_files = true;
            files.allow_beside(path);
        }
    }
    if has_files {
        Box::new(move |source, path| files.load(source, path))
    } else {
        Box::new(|_, _| Err(NO_LOADER.to_owned()))
    }
}

fn read(path: &Path) -> Result<Source, Box<RuleDiagnostic>> {
    let name = path.display().to_string();
    match files::read_given(path) {
        Ok(text) => Ok(Source::new(name, text)),
        Err(reason) => {
            let message = format!("`{name}` can't be read: {reason}");
            let diagnostic = Diagnostic::error(Code::UnreadableFile, Span::default(), message);
            Err(Box::new(RuleDiagnostic { source: Source::new(name, ""), diagnostic }))
        }
    }
}

/// Parses a source and the files that it uses, each file once.
fn take_in(
    source: Source,
    files: &mut Vec<(Source, ast::File)>,
    reports: &mut Vec<RuleDiagnostic>,
    loader: &mut lower::Loader<'_>,
) {
    let mut waiting = vec![source];
    while let Some(source) = waiting.pop() {
        if files.iter().any(|(other, _)| other.name == source.name && other.text == source.text) {
            continue;
        }
        let (file, diagnostics) = syntax::parse(&source);
        reports.extend(
            diagnostics
                .into_iter()
                .map(|diagnostic| RuleDiagnostic { source: source.clone(), diagnostic }),
        );
        for item in &file.items {
            let ast::Item::Use(path) = item else { continue };
            let name = beside_name(&source, &path.node);
            if files.iter().any(|(other, _)| *other.name == *name)
                || waiting.iter().any(|other| *other.name == *name)
            {
                continue;
            }
            let text = if files.len() + waiting.len() >= MAX_FILES {
                Err(format!("more than {MAX_FILES} files are in use"))
            } else if Path::new(&path.node).extension().is_none_or(|ending| ending != "cep") {
                // Its mistakes would be shown with their lines, whatever file it is.
                Err(files::NO_RULE_FILE.to_owned())
            } else {
                loader(&source, &path.node)
            };
            match text {
                Ok(text) => waiting.push(Source::new(name, text)),
                Err(reason) => {
                    let message = format!("`{}` can't be read: {reason}", path.node);
                    let diagnostic = Diagnostic::error(Code::UnreadableFile, path.span, message)
                        .help("the path is relative to the rule file");
                    reports.push(RuleDiagnostic { source: source.clone(), diagnostic });
                }
            }
        }
        files.push((source, file));
    }
}

/// Returns the name of a used file: its path relative to the start of the first file's path.
fn beside_name(from: &Source, path: &str) -> String {
    let mut name = PathBuf::new();
    let joined = Path::new(&*from.name).parent().unwrap_or(Path::new("")).join(path);
    // `a/../b` is `b`, so that a circle of files comes back to the same names.
    for part in joined.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir
                if matches!(
                    name.components().next_back(),
                    Some(std::path::Component::Normal(_))
                ) =>
            {
                name.pop();
            }
            part => name.push(part),
        }
    }
    name.display().to_string()
}
