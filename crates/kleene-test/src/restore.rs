//! Whether an engine that is made again from a snapshot goes on as if nothing had happened: for
//! tests and for fuzzing.

use std::fmt::Write as _;

use kleene::stream::{Builder, Output, Stats};
use kleene::{Engine, Record};

/// What goes into an engine.
#[derive(Clone, Debug)]
pub enum Step {
    /// An event.
    Push(Record),
    /// A watermark.
    Advance(kleene::Timestamp),
}

/// Where combinations explode, the rest of the steps is left out.
const MOST_PARTIALS: u64 = 1500;

/// Runs `steps` through an engine, and through one that is snapshot and restored before each step
/// for which `restore_at` says so, and at the end. Gives how much was told.
///
/// # Errors
/// What is different: in what is told, in what is counted, or in a second snapshot.
pub fn restoring_changes_nothing(
    builder: impl Fn() -> Option<Builder<Record>>,
    steps: &[Step],
    mut restore_at: impl FnMut(usize) -> bool,
) -> Result<usize, String> {
    let start = || builder().and_then(|builder| builder.build().ok());
    let (Some(mut plain), Some(mut restored)) = (start(), start()) else { return Ok(0) };
    let (mut expected, mut told) = (Vec::new(), Vec::new());
    for (index, step) in steps.iter().enumerate() {
        if restore_at(index) {
            restored = again(&restored, builder().ok_or("the rules were there before")?)?;
        }
        for (engine, told) in [(&mut plain, &mut expected), (&mut restored, &mut told)] {
            match step {
                Step::Push(event) => drop(engine.push(event, told)),
                Step::Advance(to) => engine.advance(*to, told),
            }
        }
        compare((&plain, &expected), (&restored, &told))
            .map_err(|different| format!("after step {index}: {different}"))?;
        if plain.stats().partials > MOST_PARTIALS {
            break;
        }
    }
    restored = again(&restored, builder().ok_or("the rules were there before")?)?;
    plain.finish(&mut expected);
    restored.finish(&mut told);
    compare((&plain, &expected), (&restored, &told))
        .map_err(|different| format!("at the end: {different}"))?;
    again(&restored, builder().ok_or("the rules were there before")?)?;
    Ok(expected.len())
}

/// The engine that the snapshot of another one makes.
fn again(engine: &Engine<Record>, builder: Builder<Record>) -> Result<Engine<Record>, String> {
    let bytes = engine.snapshot();
    let (restored, replacement) =
        builder.restore(&[&bytes]).map_err(|error| format!("not restored: {error}"))?;
    let is_same = |change: &kleene::stream::RuleChange| {
        change.verdict == kleene::stream::Verdict::Unchanged && change.dropped == 0
    };
    if !replacement.rules.iter().all(is_same) {
        return Err(format!("not restored whole: {replacement}"));
    }
    if restored.stats() != engine.stats() {
        return Err(format!("counts: {:?} became {:?}", engine.stats(), restored.stats()));
    }
    if restored.snapshot() != bytes {
        return Err(String::from("a snapshot of what was restored is another one"));
    }
    Ok(restored)
}

type Told<'a> = (&'a Engine<Record>, &'a Vec<Output<Record>>);

fn compare(plain: Told<'_>, restored: Told<'_>) -> Result<(), String> {
    let mut different = String::new();
    if plain.1 != restored.1 {
        let _ = write!(different, "told {:#?}, restored {:#?}", plain.1, restored.1);
    }
    let (one, other): (Stats, Stats) = (plain.0.stats(), restored.0.stats());
    if one != other {
        let _ = write!(different, "counts {one:?}, restored {other:?}");
    }
    if plain.0.watermark() != restored.0.watermark() {
        different.push_str("the watermark is another one");
    }
    if different.is_empty() { Ok(()) } else { Err(different) }
}

/// Tries to restore any bytes; then goes on with what it got, if it got something.
///
/// Nothing is promised but that it does not panic: bytes whose checksum holds may be a snapshot.
pub fn any_bytes_are_taken_or_refused(builder: Builder<Record>, bytes: &[u8], steps: &[Step]) {
    let Ok((mut engine, _)) = builder.restore(&[bytes]) else { return };
    for step in steps {
        match step {
            Step::Push(event) => drop(engine.push(event, &mut Vec::new())),
            Step::Advance(to) => engine.advance(*to, &mut Vec::new()),
        }
        if engine.stats().partials > MOST_PARTIALS {
            break;
        }
    }
    let _ = engine.snapshot();
    engine.finish(&mut Vec::new());
}

/// The bytes with a checksum that holds, for those who damage what is inside.
pub fn with_checksum(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some((body, checksum)) = bytes.split_last_chunk_mut::<4>() {
        let crc = body.iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 }
            })
        });
        *checksum = (!crc).to_le_bytes();
    }
    bytes
}
