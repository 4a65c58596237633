//! The reader of keys: the fields and the closures of the host that give the parts of a key.

use std::fmt;
use std::sync::Arc;

use crate::pattern::HostKey;
use crate::stream::keys::key::Key;
use kleene_automata::exec::field_of;
use kleene_event::event::Event;
use kleene_syntax::hir::expr::FieldRef;

/// The closures of a rule's key by part; `None` for a part that is in a field.
pub(crate) type KeyClosures<E> = Arc<[Option<HostKey<E>>]>;

/// Reads the key from events of one type.
///
/// The field of a part that a closure computes is always null. Keys in fields, which are most keys,
/// are therefore read without a look at `closures`: only an event with a null field asks for them.
pub(crate) struct KeyReader<E> {
    pub(super) fields: Box<[FieldRef]>,
    /// `None` if all parts are in fields.
    closures: Option<KeyClosures<E>>,
}

impl<E> KeyReader<E> {
    pub(in crate::stream) fn new(
        fields: Box<[FieldRef]>,
        closures: Option<KeyClosures<E>>,
    ) -> KeyReader<E> {
        KeyReader { fields, closures }
    }
}

impl<E> Clone for KeyReader<E> {
    fn clone(&self) -> KeyReader<E> {
        KeyReader { fields: self.fields.clone(), closures: self.closures.clone() }
    }
}

impl<E> fmt::Debug for KeyReader<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyReader").field("fields", &self.fields).finish_non_exhaustive()
    }
}

impl<E: Event> KeyReader<E> {
    /// Returns the fields of the parts.
    pub(in crate::stream) fn fields(&self) -> &[FieldRef] {
        &self.fields
    }

    /// Returns the key of an event with a null field. `None` if a part of the key is null.
    #[inline(never)]
    pub(super) fn compute(&self, event: &E) -> Option<Key> {
        let closures = self.closures.as_ref()?;
        let parts = self.fields.iter().zip(&**closures).map(|(field, closure)| {
            let value = match closure {
                Some(closure) => closure(event),
                None => field_of(event, field).to_value(),
            };
            Some(value).filter(|value| !value.as_ref().is_null())
        });
        parts.collect()
    }
}
