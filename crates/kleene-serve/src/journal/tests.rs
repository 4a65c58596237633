use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tempfile::TempDir;

use super::{AppendError, Journal, JournalReader, JournalSettings, Resume};

const NOW: Duration = Duration::ZERO;

fn settings(directory: &TempDir) -> JournalSettings {
    JournalSettings { is_durable: false, ..JournalSettings::new(directory.path().join("in")) }
}

fn open(directory: &TempDir) -> Arc<Journal> {
    Arc::new(Journal::open(settings(directory), Resume::Keep).unwrap())
}

fn append(journal: &Journal, body: &str) -> u64 {
    journal
        .append_blocking(Bytes::copy_from_slice(body.as_bytes()), Journal::NO_KEY)
        .unwrap()
        .offset
}

fn append_with(journal: &Journal, body: &str, key: &str) -> Result<(u64, bool), AppendError> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    journal.append_blocking(body, Some(key)).map(|accepted| (accepted.offset, accepted.is_repeat))
}

fn read_all(journal: &Arc<Journal>, from: u64) -> String {
    let mut reader = JournalReader::new(Arc::clone(journal), from).unwrap();
    let mut all = Vec::new();
    while let Some(chunk) = reader.read(16, NOW).unwrap() {
        all.extend(chunk.bytes);
    }
    String::from_utf8(all).unwrap()
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("journal-"))
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_appended_is_read_after_a_reopening_too() {
    let directory = TempDir::new().unwrap();
    let journal = open(&directory);
    assert_eq!(append(&journal, "a\nb"), 0);
    let second = append(&journal, "c\n");
    assert_eq!(read_all(&journal, 0), "a\nb\nc\n");
    drop(journal);
    let journal = open(&directory);
    assert_eq!(read_all(&journal, 0), "a\nb\nc\n");
    assert_eq!(read_all(&journal, second), "c\n");
    append(&journal, "d\n");
    assert_eq!(read_all(&journal, second), "c\nd\n");
}

#[test]
fn chunks_have_whole_frames_and_positions_to_go_on_from() {
    let directory = TempDir::new().unwrap();
    let journal = open(&directory);
    for body in ["one\n", "two\n", "a line that is longer than a chunk\n", "four\n"] {
        append(&journal, body);
    }
    let mut reader = JournalReader::new(Arc::clone(&journal), 0).unwrap();
    let mut texts = Vec::new();
    while let Some(chunk) = reader.read(8, NOW).unwrap() {
        assert_eq!(chunk.end_offset, reader.position());
        assert!(chunk.accepted_at > 1_700_000_000_000_000);
        texts.push(String::from_utf8(chunk.bytes).unwrap());
    }
    assert_eq!(texts, ["one\ntwo\n", "a line that is longer than a chunk\n", "four\n"]);
    assert_eq!(reader.position(), journal.end());
}

#[test]
fn large_bodies_are_read_whole() {
    let directory = TempDir::new().unwrap();
    let journal = open(&directory);
    let large = format!("{}\n", "x".repeat(700_000));
    append(&journal, "small\n");
    append(&journal, &large);
    append(&journal, "small\n");
    assert_eq!(read_all(&journal, 0), format!("small\n{large}small\n"));
}

#[test]
fn a_torn_tail_is_cut_wherever_it_is_torn() {
    let directory = TempDir::new().unwrap();
    let journal = open(&directory);
    append(&journal, "first\n");
    let start = append_with(&journal, "second\n", "key").unwrap().0;
    let end = journal.end();
    drop(journal);
    let path = directory.path().join("in").join(files(&directory.path().join("in")).remove(0));
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len() as u64, end);
    for length in start..end {
        fs::write(&path, &whole[..usize::try_from(length).unwrap()]).unwrap();
        let journal = open(&directory);
        assert_eq!(journal.end(), start, "cut at {length}");
        assert_eq!(append_with(&journal, "again\n", "key").unwrap(), (start, false));
        assert_eq!(read_all(&journal, 0), "first\nagain\n");
        drop(journal);
    }
    // Blocks that the file system has given to the file, but that were never written.
    let mut padded = whole.clone();
    padded.extend([0; 5000]);
    fs::write(&path, &padded).unwrap();
    assert_eq!(open(&directory).end(), end);
}

#[test]
fn damage_in_the_middle_is_an_error_that_names_the_place() {
    let directory = TempDir::new().unwrap();
    let journal = open(&directory);
    append(&journal, "first\n");
    let second = append(&journal, "second\n");
    append(&journal, "third\n");
    drop(journal);
    let path = directory.path().join("in").join(files(&directory.path().join("in")).remove(0));
    let whole = fs::read(&path).unwrap();
    let at = usize::try_from(second).unwrap();
    for byte in [at, at + 1, at + 2, at + 3, at + 5, at + 20] {
        let mut damaged = whole.clone();
        damaged[byte] ^= 0x41;
        fs::write(&path, &damaged).unwrap();
        let error = Journal::open(settings(&directory), Resume::Keep).unwrap_err().to_string();
        assert!(error.contains(&format!("the frame at offset {second} ")), "{byte}: {error}");
        assert!(error.contains("journal-00000000000000000000"), "{error}");
    }
    fs::write(&path, &whole).unwrap();
    let journal = open(&directory);
    let mut reader = JournalReader::new(Arc::clone(&journal), 0).unwrap();
    let mut damaged = whole;
    damaged[at + 20] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let error = reader.read(1000, NOW).unwrap_err().to_string();
    assert!(error.contains(&format!("offset {second}: the frame is damaged")), "{error}");
}

#[test]
fn a_repeated_key_is_acknowledged_and_not_written() {
    let directory = TempDir::new().unwrap();
    let journal = open(&directory);
    assert_eq!(append_with(&journal, "a\n", "1").unwrap(), (0, false));
    let second = append_with(&journal, "b\n", "2").unwrap().0;
    assert_eq!(append_with(&journal, "a", "1").unwrap(), (0, true));
    assert_eq!(append_with(&journal, "c", "1").unwrap_err(), AppendError::KeyReused);
    drop(journal);
    let journal = open(&directory);
    assert_eq!(append_with(&journal, "b\n", "2").unwrap(), (second, true));
    assert_eq!(append_with(&journal, "a\n", "1").unwrap(), (0, true));
    assert_eq!(read_all(&journal, 0), "a\nb\n");
}

#[test]
fn repeats_at_the_same_time_are_written_once() {
    let directory = TempDir::new().unwrap();
    let journal = open(&directory);
    let tickets: Vec<_> = (0..1000)
        .map(|index| {
            let body = super::shared::Body::Whole(Bytes::from(format!("{}\n", index % 10)));
            journal.submit(body, Some(&(index % 10).to_string())).unwrap()
        })
        .collect();
    let first = tickets.into_iter().map(|ticket| ticket.wait().unwrap());
    assert_eq!(first.filter(|accepted| !accepted.is_repeat).count(), 10);
    assert_eq!(read_all(&journal, 0), "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
}

#[test]
fn old_keys_are_forgotten() {
    let directory = TempDir::new().unwrap();
    let settings = JournalSettings { max_keys: 3, ..settings(&directory) };
    let journal = Journal::open(settings.clone(), Resume::Keep).unwrap();
    for key in ["1", "2", "3", "4"] {
        append_with(&journal, key, key).unwrap();
    }
    assert!(append_with(&journal, "2", "2").unwrap().1);
    assert!(!append_with(&journal, "1", "1").unwrap().1);
    drop(journal);
    let settings = JournalSettings { max_key_age: Duration::from_millis(5), ..settings };
    let journal = Journal::open(settings, Resume::Keep).unwrap();
    std::thread::sleep(Duration::from_millis(10));
    assert!(!append_with(&journal, "1", "1").unwrap().1);
}

#[test]
fn a_full_journal_refuses_until_its_reader_goes_on() {
    let directory = TempDir::new().unwrap();
    let settings = JournalSettings { max_unread: 100, ..settings(&directory) };
    let journal = Arc::new(Journal::open(settings, Resume::Keep).unwrap());
    let body = "x".repeat(49);
    append_with(&journal, &body, "key").unwrap();
    let full = journal.append_blocking(Bytes::from(body.clone()), Journal::NO_KEY).unwrap_err();
    assert_eq!(full, AppendError::Full { unread: 71 });
    assert_eq!(append_with(&journal, &body, "key").unwrap(), (0, true));
    let mut reader = JournalReader::new(Arc::clone(&journal), 0).unwrap();
    let chunk = reader.read(1000, NOW).unwrap().unwrap();
    assert!(journal.append_blocking(Bytes::from(body.clone()), Journal::NO_KEY).is_err());
    journal.consumed(chunk.end_offset);
    // One body is always taken, however small the limit is.
    append(&journal, &"x".repeat(1000));
    assert_eq!(journal.stats().unread, 1019);
}

#[test]
fn released_segments_are_deleted_and_their_keys_kept() {
    let directory = TempDir::new().unwrap();
    let settings = JournalSettings { segment_bytes: 100, ..settings(&directory) };
    let journal = Arc::new(Journal::open(settings.clone(), Resume::Keep).unwrap());
    let mut ends = Vec::new();
    for index in 0..10 {
        append_with(&journal, &"x".repeat(50), &index.to_string()).unwrap();
        ends.push(journal.end());
    }
    let path = directory.path().join("in");
    assert_eq!(files(&path).len(), 10);
    assert_eq!(read_all(&journal, 0).len(), 510);
    journal.release(ends[4] + 1).unwrap();
    assert_eq!(files(&path).len(), 5);
    assert_eq!(journal.stats().start, ends[4]);
    journal.release(u64::MAX).unwrap();
    assert_eq!(files(&path).len(), 1);
    drop(journal);
    let journal = Arc::new(Journal::open(settings, Resume::AtLeast(ends[8])).unwrap());
    assert_eq!(append_with(&journal, &"x".repeat(50), "3").unwrap(), (ends[2], true));
    assert_eq!(read_all(&journal, ends[8]).len(), 51);
    let error = JournalReader::new(Arc::clone(&journal), 5).unwrap_err().to_string();
    assert!(error.contains("the checkpoint is at 5"), "{error}");
}

#[test]
fn a_missing_segment_is_an_error() {
    let directory = TempDir::new().unwrap();
    let settings = JournalSettings { segment_bytes: 10, ..settings(&directory) };
    let journal = Journal::open(settings.clone(), Resume::Keep).unwrap();
    for _ in 0..3 {
        append(&journal, "x");
    }
    drop(journal);
    let path = directory.path().join("in");
    fs::remove_file(path.join(&files(&path)[1])).unwrap();
    let error = Journal::open(settings, Resume::Keep).unwrap_err().to_string();
    assert!(error.contains("a file of the journal is missing"), "{error}");
}

#[test]
fn a_journal_is_cut_to_the_position_of_a_checkpoint() {
    let directory = TempDir::new().unwrap();
    let settings = JournalSettings { segment_bytes: 60, ..settings(&directory) };
    let journal = Journal::open(settings.clone(), Resume::Keep).unwrap();
    let offsets: Vec<u64> = (0..9).map(|index| append(&journal, &index.to_string())).collect();
    drop(journal);
    assert!(Journal::open(settings.clone(), Resume::Exactly(offsets[4] + 1)).is_err());
    let journal = Arc::new(Journal::open(settings.clone(), Resume::Exactly(offsets[4])).unwrap());
    append(&journal, "new");
    assert_eq!(read_all(&journal, 0), "0\n1\n2\n3\nnew\n");
    drop(journal);
    // The machine went down before all of it was on the disk.
    let journal = Arc::new(Journal::open(settings, Resume::AtLeast(5000)).unwrap());
    assert_eq!(append(&journal, "later"), 5000);
    assert_eq!(read_all(&journal, 5000), "later\n");
}

#[test]
fn only_one_process_opens_a_journal() {
    let directory = TempDir::new().unwrap();
    let journal = open(&directory);
    let error = Journal::open(settings(&directory), Resume::Keep).unwrap_err().to_string();
    assert!(error.contains("another process uses this journal"), "{error}");
    drop(journal);
    open(&directory);
}

#[test]
fn a_reader_waits_and_is_woken() {
    let directory = TempDir::new().unwrap();
    let journal = open(&directory);
    let mut reader = JournalReader::new(Arc::clone(&journal), 0).unwrap();
    let waker = reader.waker();
    let long = Duration::from_mins(1);
    let start = Instant::now();
    let thread = std::thread::spawn(move || {
        let first = reader.read(100, long).unwrap();
        let second = reader.read(100, long).unwrap();
        let third = reader.read(100, Duration::from_millis(5)).unwrap();
        (first, second, third)
    });
    std::thread::sleep(Duration::from_millis(20));
    append(&journal, "x");
    std::thread::sleep(Duration::from_millis(20));
    waker.wake();
    let (first, second, third) = thread.join().unwrap();
    assert_eq!(first.unwrap().bytes, b"x\n");
    assert_eq!((second, third), (None, None));
    assert!(start.elapsed() < long);
}

#[test]
fn lines_become_frames_of_their_own() {
    let directory = TempDir::new().unwrap();
    let journal = open(&directory);
    let accepted = journal.append_lines(Bytes::from_static(b"a\nbc\nd\n")).unwrap().wait().unwrap();
    assert_eq!((accepted.offset, accepted.end), (0, 61));
    assert_eq!(journal.sync().unwrap(), 61);
    let mut reader = JournalReader::new(Arc::clone(&journal), 0).unwrap();
    let mut frames = Vec::new();
    reader
        .visit(NOW, |at, frame| {
            frames.push((at, frame.body.to_vec()));
            true
        })
        .unwrap();
    assert_eq!(frames, [(0, b"a\n".to_vec()), (20, b"bc\n".to_vec()), (41, b"d\n".to_vec())]);
}

#[test]
fn threads_append_at_once() {
    let directory = TempDir::new().unwrap();
    let settings = JournalSettings { segment_bytes: 3000, ..settings(&directory) };
    let journal = Arc::new(Journal::open(settings, Resume::Keep).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let journal = &journal;
            scope.spawn(move || {
                for index in 0..200 {
                    append(journal, &format!("{thread} {index}"));
                }
            });
        }
    });
    let text = read_all(&journal, 0);
    for thread in 0..8 {
        let own = format!("{thread} ");
        let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(&own)).collect();
        assert_eq!(lines, (0..200).map(|index| index.to_string()).collect::<Vec<_>>());
    }
}

#[test]
fn a_disk_that_has_space_again_is_written_to_again() {
    let directory = TempDir::new().unwrap();
    let settings = JournalSettings { segment_bytes: 200, ..settings(&directory) };
    let journal = Arc::new(Journal::open(settings.clone(), Resume::Keep).unwrap());
    append(&journal, "before");
    let has_no_space = &journal.shared.has_no_space;
    has_no_space.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        let error = append_with(&journal, "lost", "key").unwrap_err();
        let AppendError::Failed(text) = error else { panic!("{error}") };
        assert!(text.contains("no storage space"), "{text}");
        assert_eq!(read_all(&journal, 0), "before\n");
    }
    assert_eq!(journal.stats().failures, 3);
    has_no_space.store(false, Ordering::Relaxed);
    assert!(!append_with(&journal, "after", "key").unwrap().1);
    for _ in 0..5 {
        has_no_space.store(true, Ordering::Relaxed);
        append_with(&journal, &"x".repeat(150), "other").unwrap_err();
        has_no_space.store(false, Ordering::Relaxed);
        append(&journal, &"x".repeat(150));
    }
    let text = read_all(&journal, 0);
    assert_eq!(text.len(), 7 + 6 + 5 * 151);
    drop(journal);
    let journal = Arc::new(Journal::open(settings, Resume::Keep).unwrap());
    assert_eq!(read_all(&journal, 0), text);
}

#[test]
fn a_closed_journal_is_read_to_its_end() {
    let directory = TempDir::new().unwrap();
    let journal = open(&directory);
    append(&journal, "x");
    let mut reader = JournalReader::new(Arc::clone(&journal), 0).unwrap();
    journal.close();
    assert!(!reader.is_finished());
    let long = Duration::from_mins(1);
    assert!(reader.read(100, long).unwrap().is_some());
    assert!(reader.read(100, long).unwrap().is_none());
    assert!(reader.is_finished() && journal.is_closed());
}

/// `cargo test --release -p kleene-serve -- --ignored --nocapture speed`: of appends.
#[test]
#[ignore = "a measurement"]
fn speed_of_appends() {
    for (is_durable, threads) in [(false, 1), (false, 8), (true, 1), (true, 8), (true, 64)] {
        let directory = TempDir::new_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let settings = JournalSettings { is_durable, max_unread: u64::MAX, ..settings(&directory) };
        let journal = Journal::open(settings, Resume::Keep).unwrap();
        let body = Bytes::from("{\"type\":\"order\",\"id\":17,\"amount\":12.5}\n".repeat(100));
        let begin = Instant::now();
        let count = std::sync::atomic::AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while begin.elapsed() < Duration::from_secs(2) {
                        journal.append_blocking(body.clone(), Journal::NO_KEY).unwrap();
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let count = count.into_inner();
        let seconds = begin.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "it is printed")]
        let per_second = count as f64 / seconds;
        let syncs = journal.stats().syncs;
        println!(
            "durable {is_durable}, {threads} threads: {per_second:.0} appends/s, {syncs} syncs"
        );
    }
}

/// `KLEENE_TEST_SMALL_DISK=/a/disk/of/a/few/megabytes cargo test -p kleene-serve -- --ignored`.
#[test]
#[ignore = "needs a small disk"]
fn a_full_disk_is_written_to_again_when_there_is_space() {
    let Some(disk) = std::env::var_os("KLEENE_TEST_SMALL_DISK") else { return };
    let directory = TempDir::new_in(&disk).unwrap();
    let settings =
        JournalSettings { is_durable: true, segment_bytes: 1 << 20, ..settings(&directory) };
    let journal = Arc::new(Journal::open(settings.clone(), Resume::Keep).unwrap());
    let body = Bytes::from("x".repeat(100_000));
    let mut count = 0;
    let error = loop {
        match journal.append_blocking(body.clone(), Journal::NO_KEY) {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, AppendError::Failed(text) if text.contains("No space")), "{error}");
    assert_eq!(read_all(&journal, 0).len(), count * 100_001);
    let end = journal.end();
    // The last files are in the way of the first.
    journal.release(end / 2).unwrap();
    let start = journal.stats().start;
    append(&journal, &"y".repeat(100_000));
    let text = read_all(&journal, start);
    assert!(text.ends_with("y\n"));
    drop(journal);
    let journal = Arc::new(Journal::open(settings, Resume::Keep).unwrap());
    assert_eq!(read_all(&journal, start), text);
}
