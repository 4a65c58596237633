//! How commands end.

use crate::interrupt;

/// The end of a command, as its exit code says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    /// All is fine.
    Fine,
    /// The rules are wrong, or a test of them fails; that was reported.
    WrongRules,
    /// The command cannot do what was asked; that was reported.
    WrongUsage,
    /// Not one event of the input could be used; that was reported.
    Unusable,
    /// Ctrl-C.
    Interrupted,
}

impl Ending {
    /// Returns the exit code that reports this end.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Ending::Fine => 0,
            Ending::WrongRules => 1,
            Ending::WrongUsage => 2,
            Ending::Unusable => 3,
            Ending::Interrupted => interrupt::EXIT_CODE,
        }
    }
}
