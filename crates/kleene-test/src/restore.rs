//! Checks that an engine that is made again from a snapshot goes on as if nothing had happened: for
//! tests and for fuzzing.

use std::fmt::Write as _;
use std::iter;
use std::sync::LazyLock;
use std::time::Duration;

use kleene::stream::{EngineBuilder, Ignore, Output, RuleChange, Verdict};
use kleene::{Engine, Record, RuleSet, Timestamp, Value};

/// A step of an engine's input.
#[derive(Clone, Debug)]
pub enum Step {
    /// An event.
    Push(Record),
    /// A watermark.
    Advance(Timestamp),
}

/// The number of partial matches beyond which the rest of the steps is left out.
const MOST_PARTIALS: u64 = 1500;

/// Runs `steps` through an engine, and through one that is snapshot and restored before each step
/// for which `restore_at` says so, and at the end: once from a whole snapshot, once from one with
/// the changes that were kept after each other step since. Gives how much was reported.
///
/// # Errors
/// The difference in outputs, in counts, or in a second snapshot.
pub fn restoring_changes_nothing(
    builder: impl Fn() -> Option<EngineBuilder<Record>>,
    steps: &[Step],
    restore_at: impl FnMut(usize) -> bool,
) -> Result<usize, String> {
    they_go_on_alike(&builder, &builder, steps, restore_at)
}

/// Compares as above, where the restored engine is built in another way that must make no
/// difference.
///
/// # Errors
/// The difference in outputs, in counts, in open partial matches, or in a second snapshot.
pub fn they_go_on_alike(
    plain: impl Fn() -> Option<EngineBuilder<Record>>,
    builder: impl Fn() -> Option<EngineBuilder<Record>>,
    steps: &[Step],
    mut restore_at: impl FnMut(usize) -> bool,
) -> Result<usize, String> {
    let plain = plain().and_then(|builder| builder.build().ok());
    let restored = builder().and_then(|builder| builder.build().ok());
    let (Some(mut plain), Some(mut restored)) = (plain, restored) else { return Ok(0) };
    let (mut expected, mut reported) = (Vec::new(), Vec::new());
    let mut parts = vec![restored.snapshot_base()];
    let mut restores = 0;
    for (index, step) in steps.iter().enumerate() {
        if restore_at(index) {
            restores += 1;
            let builder = || builder().ok_or("the rules were there before");
            let whole = again(&restored, builder()?)?;
            let chained = from_parts(&mut restored, &mut parts, builder()?)?;
            restored = if restores % 2 == 0 { chained } else { whole };
            parts = vec![restored.snapshot_base()];
        } else if index % 2 == 0 {
            parts.extend(restored.snapshot_changes());
        }
        for (engine, reported) in [(&mut plain, &mut expected), (&mut restored, &mut reported)] {
            match step {
                Step::Push(event) => drop(engine.push(event, reported)),
                Step::Advance(to) => drop(engine.advance(*to, reported)),
            }
        }
        compare((&plain, &expected), (&restored, &reported))
            .map_err(|different| format!("after step {index}: {different}"))?;
        if plain.stats().partials > MOST_PARTIALS {
            break;
        }
    }
    restored = again(&restored, builder().ok_or("the rules were there before")?)?;
    let finished = plain.end_time(&mut expected);
    if finished != restored.end_time(&mut reported) {
        return Err(String::from("one of the two has failed at the end"));
    }
    compare((&plain, &expected), (&restored, &reported))
        .map_err(|different| format!("at the end: {different}"))?;
    again(&restored, builder().ok_or("the rules were there before")?)?;
    Ok(expected.len())
}

/// The engine that a snapshot makes with the changes that followed it.
fn from_parts(
    engine: &mut Engine<Record>,
    parts: &mut Vec<Vec<u8>>,
    builder: EngineBuilder<Record>,
) -> Result<Engine<Record>, String> {
    parts.extend(engine.snapshot_changes());
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let (restored, _) =
        builder.restore(&parts).map_err(|error| format!("not restored from parts: {error}"))?;
    same_counts(engine, &restored)?;
    Ok(restored)
}

/// Compares the counts, except those that depend on where keys are.
fn same_counts(one: &Engine<Record>, other: &Engine<Record>) -> Result<(), String> {
    let [one, other] = [one, other].map(|engine| {
        let mut stats = engine.stats();
        stats.cold = 0;
        stats.captured_bytes = 0;
        stats
    });
    if one == other { Ok(()) } else { Err(format!("counts: {one:?} became {other:?}")) }
}

/// The engine that the snapshot of another one makes.
fn again(
    engine: &Engine<Record>,
    builder: EngineBuilder<Record>,
) -> Result<Engine<Record>, String> {
    let bytes = engine.snapshot();
    let (restored, replacement) =
        builder.restore(&[&bytes]).map_err(|error| format!("not restored: {error}"))?;
    let is_same = |change: &RuleChange| change.verdict == Verdict::Unchanged && change.dropped == 0;
    if !replacement.rules.iter().all(is_same) {
        return Err(format!("not restored whole: {replacement}"));
    }
    same_counts(engine, &restored)?;
    // The order in which keys are written depends on where they are.
    let is_cold = engine.stats().cold > 0 || restored.stats().cold > 0;
    if !is_cold && restored.snapshot() != bytes {
        return Err(String::from("a snapshot of what was restored is another one"));
    }
    Ok(restored)
}

type EngineOutputs<'a> = (&'a Engine<Record>, &'a Vec<Output<Record>>);

fn compare(plain: EngineOutputs<'_>, restored: EngineOutputs<'_>) -> Result<(), String> {
    let mut different = String::new();
    if plain.1 != restored.1 {
        let _ = write!(different, "reported {:#?}, restored {:#?}", plain.1, restored.1);
    }
    if let Err(counts) = same_counts(plain.0, restored.0) {
        different.push_str(&counts);
    }
    if restored.0.stats().cold > 0 && open(plain.0) != open(restored.0) {
        let _ = write!(different, "open {}, restored {}", open(plain.0), open(restored.0));
    }
    if plain.0.watermark() != restored.0.watermark() {
        different.push_str("the watermark is another one");
    }
    if different.is_empty() { Ok(()) } else { Err(different) }
}

/// Returns the open partial matches as text. Partial matches of the same events have no order among
/// each other.
fn open(engine: &Engine<Record>) -> String {
    let mut open = String::new();
    for rule in engine.rules() {
        let mut lines = Vec::new();
        for partial in engine.collect_partials(&rule.name) {
            let (key, events): (Vec<_>, Vec<_>) =
                (partial.key_values().collect(), partial.captures().collect());
            let (awaits, deadline) = (partial.awaits().collect::<Vec<_>>(), partial.deadline());
            lines.push(format!("{} {key:?} {events:?} {awaits:?} {deadline:?}", rule.name));
        }
        lines.sort_unstable();
        for line in lines {
            let _ = writeln!(open, "{line}");
        }
    }
    open
}

/// Tries to restore any bytes; then goes on with what it got, if it got something.
///
/// Nothing is promised but that it does not panic: bytes whose checksum holds may be a snapshot.
pub fn any_bytes_are_taken_or_refused(
    builder: EngineBuilder<Record>,
    bytes: &[u8],
    steps: &[Step],
) {
    let Ok((mut engine, _)) = builder.restore(&[bytes]) else { return };
    for step in steps {
        match step {
            Step::Push(event) => drop(engine.push(event, &mut Vec::new())),
            Step::Advance(to) => drop(engine.advance(*to, &mut Vec::new())),
        }
        if engine.stats().partials > MOST_PARTIALS {
            break;
        }
    }
    let _ = engine.snapshot();
    let _ = engine.end_time(&mut Vec::new());
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

/// Rules whose state has all that a snapshot can hold: all together, and in parts, as fewer rules
/// are built faster. The last rule sees what the one before it makes.
const RULES: [&str; 3] = [
    "rule loops { key v  match e[type == \"a\"]{1.. any} as all -> e[v > count(all)] within 9ms  on timeout emit { n: count(all) } }",
    "rule quiet { match not e[type == \"c\"] for 3ms -> e[type == \"a\"] as x -> not e[type == \"b\" and v == x.v] for 4ms }",
    "rule three { key type  match e{3 next} as all within 20ms  skip past last  emit as spree { v: last(all.v), n: sum(all.v) }  suppress 2ms }
     rule fed   { match spree as one -> spree[n >= one.n] as two within 30ms  skip past last ordered }",
];

/// The types of their events.
const TYPES: &str = "
event e { type: string, v: int, at: time }
event spree { v: int, n: int, at: time }
";

/// Rules that are read once, and the snapshot of an engine that has seen `made_steps`.
struct Subject {
    rules: RuleSet,
    snapshot: Vec<u8>,
}

/// All rules, then each part of them.
static SUBJECTS: LazyLock<Vec<Subject>> = LazyLock::new(|| {
    let all = RULES.concat();
    let texts = iter::once(all.as_str()).chain(RULES);
    texts.map(Subject::new).collect()
});

impl Subject {
    fn new(rules: &str) -> Subject {
        let rules = RuleSet::parse(&format!("{TYPES}{rules}")).unwrap_or_else(|e| panic!("{e}"));
        let mut subject = Subject { rules, snapshot: Vec::new() };
        if let Ok(mut engine) = subject.builder().build() {
            for step in subject.made_steps() {
                if let Step::Push(event) = step {
                    drop(engine.push(&event, &mut Ignore));
                }
            }
            subject.snapshot = engine.snapshot();
        }
        subject
    }

    /// The first rule doubles what it holds with each event, and lists it when its time is over.
    fn builder(&self) -> EngineBuilder<Record> {
        let builder = Engine::builder().rules(&self.rules).limit_partials_per_key(100);
        builder.limit_matches_per_set(100).out_of_order(Duration::from_millis(3))
    }

    /// Returns the step that two bytes stand for; `time` is the time of the step before.
    fn step(&self, time: &mut i64, bytes: [u8; 2]) -> Step {
        let [a, b] = bytes.map(i64::from);
        *time += a % 4;
        let at = Timestamp::from_millis(*time - b % 5);
        let Some(ty) = self.rules.schema().type_id("e").filter(|_| a & 0x30 != 0x30) else {
            return Step::Advance(at);
        };
        let kind = ["a", "b", "c"][usize::from(bytes[0]) / 4 % 3];
        let values = vec![Value::from(kind), Value::Int(b / 5 % 4), Value::Time(at)];
        Step::Push(Record::new(ty, at, values))
    }

    fn steps(&self, pairs: &[[u8; 2]]) -> Vec<Step> {
        let mut time = 100;
        pairs.iter().map(|pair| self.step(&mut time, *pair)).collect()
    }

    /// Returns steps that do not depend on the input.
    fn made_steps(&self) -> Vec<Step> {
        let pairs = (0..40_u8).map(|i| [i.wrapping_mul(37), i.wrapping_mul(91)]);
        self.steps(&pairs.collect::<Vec<_>>())
    }
}

/// The number of steps beyond which the rest of a fuzzer's input is left out.
const MOST_STEPS: usize = 24;

/// The number of restores for one input before its end: each compiles the rules.
const MOST_RESTORES: usize = 1;

/// The entry point of a fuzzer, for any bytes: restoring anywhere changes nothing, and bytes that
/// are no snapshot are refused or do no harm. The first byte chooses the rules and the engines.
///
/// # Panics
/// If a restored engine goes on in another way than one that was never stopped.
pub fn fuzz(data: &[u8]) {
    let Some((mode, data)) = data.split_first() else { return };
    let (mode, part) = (mode % 4, usize::from(mode / 4));
    let subject = &SUBJECTS[part % SUBJECTS.len()];
    match mode {
        0 | 2 => {
            let (pairs, _) = data.as_chunks::<2>();
            let pairs = &pairs[..pairs.len().min(MOST_STEPS)];
            let mut restores = 0;
            let restore_at = |index: usize| {
                let says_so = pairs.get(index).is_some_and(|[a, _]| a & 0x40 != 0);
                restores += usize::from(says_so);
                says_so && restores <= MOST_RESTORES
            };
            let builder = || Some(subject.builder());
            if let Err(different) =
                restoring_changes_nothing(builder, &subject.steps(pairs), restore_at)
            {
                panic!("{different}");
            }
        }
        1 => any_bytes_are_taken_or_refused(subject.builder(), data, &subject.made_steps()),
        _ => {
            // A snapshot that is whole, but for what the data says.
            let mut bytes = subject.snapshot.clone();
            for [high, low, value] in data.as_chunks::<3>().0 {
                let at = usize::from(u16::from_be_bytes([*high, *low])) % bytes.len();
                bytes[at] = *value;
            }
            let bytes = with_checksum(&bytes);
            any_bytes_are_taken_or_refused(subject.builder(), &bytes, &subject.made_steps());
        }
    }
}
