//! The builder of a rule set: reads, checks and compiles its sources.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hashbrown::HashMap;

use crate::ruleset::cascade::Broken;
use crate::ruleset::compiled::{CompiledRule, LinkedRules};
use crate::ruleset::diagnostic::RuleDiagnostic;
use crate::ruleset::error::RulesError;
use crate::ruleset::files::FileLoader;
use crate::ruleset::origin::{LoadedFile, Origin};
use crate::ruleset::reach;
use crate::ruleset::set::RuleSet;
use crate::ruleset::sources::{read, take_in};
use kleene_automata::nfa::CompileCache;
use kleene_event::event::Event;
use kleene_event::schema::EventType;
use kleene_event::util::order;
use kleene_syntax::diagnostic::{Severity, Source};
use kleene_syntax::hir::Rule;
use kleene_syntax::hir::functions::HostFunction;
use kleene_syntax::hir::lower::{self, HostParam};
use kleene_syntax::syntax::ast;

/// Starting a rule set.
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
    /// `#[derive(Event)]`. The text needs no `event` items: `E` declares them.
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
}

/// Collects the sources and settings of a [`RuleSet`].
#[derive(Default)]
pub struct RuleSetBuilder<'l> {
    inputs: Vec<Input>,
    pub(super) types: Vec<EventType>,
    params: Vec<HostParam>,
    pub(super) functions: Vec<Arc<HostFunction>>,
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
    /// Returns the builder of rules that ran before.
    pub(super) fn of_running_rules() -> Self {
        RuleSetBuilder { has_run: true, ..RuleSetBuilder::default() }
    }

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
    /// [schema](Event::schema), as [`Record`](kleene_event::event::Record) is, declares nothing.
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
    /// text, or the reason why it has no text. Without a loader, a [`FileLoader`] reads files
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
        order::sort_by_key(&mut reports, |report| {
            let file = order.get(&report.source.name).copied().unwrap_or(usize::MAX);
            (file, report.diagnostic.primary.span)
        });
        if reports.iter().any(|report| report.diagnostic.severity == Severity::Error) {
            return Err(RulesError { diagnostics: reports });
        }
        let lower::Checked { schema, rules, tests, .. } = checked;
        let rules: Vec<Arc<Rule>> = rules.into_iter().map(Arc::new).collect();
        let compiled = rules.iter().zip(programs);
        let compiled =
            compiled.map(|(rule, program)| Ok(CompiledRule { rule: rule.clone(), program }));
        let linked = LinkedRules::new(Arc::new(schema), compiled.collect(), known.memory_usage());
        let origin = Origin { sources, types, params, functions, loaded };
        Ok(RuleSet::new(rules, linked, tests, reports, origin))
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
