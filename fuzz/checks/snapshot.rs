//! Restoring anywhere changes nothing, and what is no snapshot is refused or does no harm.

pub(crate) fn check(data: &[u8]) {
    kleene_test::restore::fuzz(data);
}
