//! A journal: lines that are durable before they are acknowledged, for a thread that reads them.
//!
//! The HTTP interface appends what clients send, and the thread of an engine reads it, after a crash
//! again from the position that its checkpoint names. An [outbox](crate::sink::outbox) is a journal
//! as well. All frames are in files of about the same size, the segments. A position is the number of
//! bytes before it in all segments that there ever were.
//!
//! One thread writes. It takes all appends that wait, writes them at once, and syncs once: under load
//! a sync is shared by many clients.

mod frame;
mod handle;
mod keys;
mod reader;
mod segment;
mod settings;
mod shared;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use self::handle::{Journal, JournalStats};
pub(crate) use self::reader::{JournalReader, Waker};
pub(crate) use self::settings::{JournalSettings, Resume};
pub(crate) use self::shared::AppendError;
