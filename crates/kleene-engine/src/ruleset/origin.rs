//! The origin of a rule set: all that it was built from.

use std::sync::Arc;

use kleene_event::schema::EventType;
use kleene_syntax::diagnostic::Source;
use kleene_syntax::hir::functions::HostFunction;
use kleene_syntax::hir::lower::HostParam;

/// The texts, parameters and functions of a rule set.
#[derive(Debug, Default)]
pub(super) struct Origin {
    pub(super) sources: Vec<Source>,
    pub(super) types: Vec<EventType>,
    pub(super) params: Vec<HostParam>,
    pub(super) functions: Vec<Arc<HostFunction>>,
    pub(super) loaded: Vec<LoadedFile>,
}

/// A file that a rule file named.
#[derive(Debug)]
pub(super) struct LoadedFile {
    /// The name of the source that named the file, and the path as written there.
    pub(super) from: Arc<str>,
    pub(super) path: Arc<str>,
    pub(super) text: Arc<str>,
}
