//! Events that clients posted: read back from the journal of their source.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use kleene_input::{AheadParser, Block, Position};

use super::inbox::{Arrived, Inbox, SourcePosition};
use crate::journal::{Journal, JournalReader};

/// The number of bytes that are read at once, unless one request has more.
const BYTES: usize = 256 << 10;

/// The longest wait until the end of the service is seen.
const WAIT: Duration = Duration::from_millis(200);

/// Starts to read a journal in a thread, from a position on.
pub(crate) fn start(
    journal: Arc<Journal>,
    (number, from): (usize, SourcePosition),
    ahead: AheadParser,
    inbox: Arc<Inbox>,
    stop: Arc<AtomicBool>,
) {
    thread::spawn(move || {
        let end = run(&journal, (number, from.at), ahead, &inbox, &stop);
        inbox.put(number, Arrived::End(end));
    });
}

fn run(
    journal: &Arc<Journal>,
    (number, from): (usize, Position),
    mut ahead: AheadParser,
    inbox: &Inbox,
    stop: &AtomicBool,
) -> io::Result<()> {
    let mut reader = JournalReader::new(journal.clone(), from.offset)?;
    let mut line = from.line.max(1);
    while !stop.load(Ordering::Relaxed) {
        let Some(chunk) = reader.read(BYTES, WAIT)? else { continue };
        let lines = memchr::memchr_iter(b'\n', &chunk.bytes).count() as u64;
        let block = ahead.parse(Block::new(chunk.bytes, line));
        line += lines;
        let at = Position { offset: chunk.end_offset, line };
        let end = SourcePosition { at, file: None };
        let accepted = SystemTime::UNIX_EPOCH + Duration::from_micros(chunk.accepted_at);
        if !inbox.put(number, Arrived::Lines { block, end, at: accepted }) {
            return Ok(());
        }
        // What waits in the inbox is bounded there.
        journal.consumed(chunk.end_offset);
    }
    Ok(())
}
