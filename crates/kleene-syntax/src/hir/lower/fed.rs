//! The event types that only rules make, and the records that they are made of.

use std::sync::Arc;

use crate::hir::site::Site;
use kleene_event::value::Kind;

/// The type of what some rules feed, where no `event` declares it.
pub(super) struct Fed {
    /// The first `emit as`.
    pub(super) site: Site,
    /// The number of records that are still to be read.
    pub(super) waits: usize,
    /// The records that were, with their places.
    pub(super) records: Vec<(Site, Vec<FedField>)>,
    /// True if a rule that feeds it was refused.
    pub(super) is_broken: bool,
}

/// A field of a record that is fed.
#[derive(Clone)]
pub(super) struct FedField {
    pub(super) name: Arc<str>,
    pub(super) kind: Kind,
    /// True if it is `match.end`, which is the event's time.
    pub(super) is_end: bool,
}

/// A record that feeds a type without declaration: the type's name, where it stands, its fields.
pub(super) type FedRecord<'a> = (&'a str, Site, Vec<FedField>);
