//! The cost of keeping idle keys in a file: `cargo bench -p kleene-cli --bench spill -- KEYS`.
//!
//! As many orders are created, one of a hundred is paid, at random, and then time passes by the
//! thirty days that the rules wait. That is done for each kind of rule: those that report what runs
//! out of time, those that only forget it, silences, loops with and without aggregates, windows,
//! what goes several ways, what has no bound, and what is remembered of matches. Each way is a
//! process of its own, since what is measured is the memory of one: all keys in memory, and a
//! fiftieth of them, under a limit of the system (`ulimit -v`) that grows by 40 bytes a key. Both
//! have to report the same. Without an argument it is a small number; one kind alone: `-- KEYS
//! within`.

use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use kleene::stream::{Match, Timeout};
use kleene::{Engine, Record, RuleSet, Sink, Timestamp, Value};
use kleene_host::spill::Spill;

const EVENTS: &str = "
event order_created { order: int, name: string, amount: float, customer: string, at: time }
event order_paid    { order: int, name: string, at: time }
event done          { order: int, at: time }
";

/// A kind of rules by what they keep of a key, and until when.
struct Kind {
    name: &'static str,
    /// The key of its rules.
    key: &'static str,
    /// The first rule, from `match` on. Those after it begin with `rule NAME {`, without a brace at
    /// the end.
    rule: &'static str,
    /// The least and the greatest number of results for a number of keys. One key of a hundred is
    /// paid, some of them twice.
    results: fn(u64) -> Range<u64>,
    /// The number of bytes of a key that are never in the file, about.
    remembered: u64,
}

const fn kind(name: &'static str, rule: &'static str, results: fn(u64) -> Range<u64>) -> Kind {
    Kind { name, key: "order", rule, results, remembered: 0 }
}

/// A kind of rules that remember for each key that it was reported.
const fn remembering(name: &'static str, rule: &'static str) -> Kind {
    Kind { remembered: 120, ..kind(name, rule, all) }
}

/// All keys report something.
fn all(keys: u64) -> Range<u64> {
    keys..keys + 1
}

/// Those that are paid do.
fn paid(keys: u64) -> Range<u64> {
    keys / 200..keys / 99
}

/// Those that are not paid do.
fn unpaid(keys: u64) -> Range<u64> {
    keys - keys / 99..keys
}

const KINDS: &[Kind] = &[
    kind(
        "timeout",
        "match order_created as c -> order_paid within 30d
         emit { order, amount: c.amount }  on timeout emit { order, amount: c.amount }",
        all,
    ),
    kind(
        "within",
        "match order_created as c -> order_paid within 30d  emit { amount: c.amount }",
        paid,
    ),
    kind(
        "silence",
        "match order_created as c -> not order_paid for 30d  emit { amount: c.amount }",
        unpaid,
    ),
    // Each silence that is not broken is reported after 30 days, and once more at the end of time.
    kind(
        "repeat",
        "match order_created as c -> not order_paid for 30d repeat  emit { amount: c.amount }",
        |keys| 2 * (keys - keys / 99)..2 * keys,
    ),
    // A key for which a silence is broken is remembered, without a partial match.
    kind("broken", "match not order_created for 30d -> order_paid as p  emit { order }", |_| 0..1),
    kind(
        "loop",
        "match order_created+ as c -> order_paid within 30d  emit { amount: sum(c.amount) }",
        paid,
    ),
    kind(
        "aggregate",
        "match order_created[count(c) == 0 or amount > avg(c.amount)]+ as c
           -> order_paid[order not in distinct(c.amount) and count(c) < 9] within 30d
         emit { amount: sum(c.amount) }",
        paid,
    ),
    kind("window", "match order_created{3} as c within 30d  emit { sum: sum(c.amount) }", |_| 0..1),
    // Several partial matches of each key, in the general way.
    kind(
        "ways",
        "match order_created as c -> any (order_created or order_paid)+ as o within 30d
         skip none  emit { amount: c.amount, count: count(o) }",
        paid,
    ),
    kind(
        "operands",
        "match order_created as c and order_paid within 30d  emit { amount: c.amount }",
        paid,
    ),
    kind("forever", "match order_created as c -> order_paid  emit { amount: c.amount }", paid),
    Kind {
        name: "text",
        key: "name",
        rule: "match order_created as c -> order_paid within 30d  emit { amount: c.amount }",
        results: paid,
        remembered: 0,
    },
    // Two rules hold state for each key; one of them feeds a third.
    kind(
        "several",
        "match order_created as c -> order_paid within 30d  emit as done { order }
         } rule late { key order  match order_created -> order_paid within 60d
         } rule after { key order  match done as d -> order_created  within 90d",
        |keys| 2 * keys / 200..2 * keys / 99,
    ),
    remembering("once", "match order_created as c  emit { amount: c.amount }  once"),
    remembering("suppress", "match order_created as c  emit { amount: c.amount }  suppress 30d"),
];

/// So many orders come in a second.
const RATE: u64 = 100;

fn main() -> Result<()> {
    // `cargo bench` and `cargo test` pass options of their own.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let mut out = std::io::stdout().lock();
    match &args[..] {
        [kind, keys, directory @ ..] if KINDS.iter().any(|known| known.name == kind) => {
            measure(kind, number(keys)?, directory.first().map(Path::new))
        }
        args => {
            let keys = args.first().map_or(Ok(20_000), |keys| number(keys))?;
            let only = args.get(1);
            if let Some(only) = only {
                ensure!(KINDS.iter().any(|known| known.name == only), "{only} is no kind of rule");
            }
            for kind in KINDS.iter().filter(|kind| only.is_none_or(|only| only == kind.name)) {
                let (name, directory) = (kind.name, tempfile::tempdir()?);
                let few = run(kind, keys, Some(directory.path()))?;
                let count = in_memory(keys);
                write!(out, "{name}: {keys} keys, {count} of them in memory\n{few}")?;
                let all = run(kind, keys, None)?;
                write!(out, "{name}: {keys} keys, all of them in memory\n{all}")?;
                let reported = |text: &str| text.lines().last().map(str::to_owned);
                ensure!(reported(&few) == reported(&all), "they do not report the same");
            }
            Ok(())
        }
    }
}

/// Measures one kind of rule in a process of its own: with a file under a limit, or without.
fn run(kind: &Kind, keys: u64, directory: Option<&Path>) -> Result<String> {
    let Kind { name, remembered, .. } = kind;
    let itself = std::env::current_exe()?;
    let mut child = if let Some(directory) = directory {
        let kilobytes =
            (FIXED + keys * (PER_KEY + remembered) + in_memory(keys) * PER_KEY_IN_MEMORY) >> 10;
        let mut child = Command::new("sh");
        child.args(["-c", "ulimit -v \"$1\" && shift && exec \"$@\"", "sh"]);
        child.arg(kilobytes.to_string()).arg(itself);
        child.args([name, &*keys.to_string()]).arg(directory);
        child
    } else {
        let mut child = Command::new(itself);
        child.args([name, &*keys.to_string()]);
        child
    };
    let ran = child.stderr(std::process::Stdio::inherit()).output()?;
    ensure!(ran.status.success(), "{name} has failed: {}", ran.status);
    Ok(String::from_utf8(ran.stdout)?)
}

/// The memory that a run with a file may take: the program and its caches, and a part for each key.
const FIXED: u64 = 160 << 20;
/// A table of 25 bytes a key at most, and the half as large one that it grows out of.
const PER_KEY: u64 = 40;
const PER_KEY_IN_MEMORY: u64 = 1024;

fn number(text: &str) -> Result<u64> {
    text.replace('_', "").parse().with_context(|| format!("{text} is not a number of keys"))
}

fn in_memory(keys: u64) -> u64 {
    keys / 50
}

/// Counts and hashes the outputs in their order.
#[derive(Default)]
struct OutputHash {
    matches: u64,
    timeouts: u64,
    hash: u64,
}

impl OutputHash {
    fn add(&mut self, reported: &str) {
        for byte in reported.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl Sink<Record> for OutputHash {
    fn matched(&mut self, found: Match<'_, Record>) {
        self.matches += 1;
        self.add(&found.id().to_string());
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
        self.timeouts += 1;
        self.add(&timeout.id().to_string());
    }
}

fn measure(kind: &str, keys: u64, directory: Option<&Path>) -> Result<()> {
    let kind = KINDS.iter().find(|known| known.name == kind).context("no such kind")?;
    let Kind { name: kind, key, rule, results, .. } = kind;
    let rules = RuleSet::parse(&format!("{EVENTS}rule unpaid {{ key {key}  {rule} }}"))?;
    let types = ["order_created", "order_paid"].map(|name| rules.schema().type_id(name));
    let [Some(created), Some(paid)] = types else { bail!("the rules declare other types") };
    let at = |index: u64| {
        let millis = 1_700_000_000_000 + index * 1000 / RATE;
        Timestamp::from_millis(millis.cast_signed())
    };
    let order = |index: u64| Value::Int(index.wrapping_mul(0x9e37_79b9).cast_signed());
    let name = |index: u64| Value::from(format!("order number {index:012}").as_str());
    let builder = Engine::builder().rules(&rules);
    let mut file = None;
    let mut engine = match directory {
        Some(directory) => {
            let scratch = tempfile::tempfile_in(directory)?;
            file = Some(scratch.try_clone()?);
            builder.cold_store(Spill::over(scratch)?, in_memory(keys)).build()?
        }
        None => builder.build()?,
    };
    let mut reported = OutputHash::default();
    let mut out = std::io::stdout().lock();
    let size = || match &file {
        Some(file) => {
            let meta = file.metadata().map(|meta| meta.len());
            meta.map_or(String::new(), |bytes| format!(", {} MB in the file", bytes >> 20))
        }
        None => String::new(),
    };
    let mut say =
        |what: &str, events: u64, start: Instant, engine: &Engine<Record>| -> Result<()> {
            #[expect(clippy::cast_precision_loss, reason = "a speed to look at")]
            let rate = events as f64 / start.elapsed().as_secs_f64();
            let (held, peak) = (engine.memory_usage() >> 20, peak_memory()? >> 10);
            writeln!(
                out,
                "{what:<12}{rate:>12.0}/s  engine {held} MB, process at most {peak} MB{}",
                size()
            )?;
            Ok(())
        };

    let start = Instant::now();
    for index in 0..keys {
        let customer = Value::from(format!("customer-{}", index % 100_000).as_str());
        #[expect(clippy::cast_precision_loss, reason = "any amount")]
        let amount = Value::Float(index as f64 / 100.0);
        let time = at(index);
        let values = vec![order(index), name(index), amount, customer, Value::Time(time)];
        engine.push(&Record::new(created, time, values), &mut reported)?;
    }
    let held = engine.stats().keys;
    ensure!(held == 0 || held % keys == 0, "{:?}", engine.stats());
    say("created", keys, start, &engine)?;

    let start = Instant::now();
    let (mut random, now) = (7_u64, at(keys));
    for _ in 0..keys / 100 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let index = (random >> 20) % keys;
        let values = vec![order(index), name(index), Value::Time(now)];
        engine.push(&Record::new(paid, now, values), &mut reported)?;
    }
    say("paid", keys / 100, start, &engine)?;

    let start = Instant::now();
    engine.advance(at(keys).plus_millis(31 * 86_400_000), &mut reported).expect("no limit fails");
    say("time passed", keys, start, &engine)?;
    engine.end_time(&mut reported).expect("no limit fails");
    if let Some(failure) = engine.failure() {
        bail!("{failure}");
    }
    let found = reported.matches + reported.timeouts;
    let expected = results(keys);
    ensure!(expected.contains(&found), "{kind}: {found} results of {keys} keys");
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{} matches, {} timeouts, {:016x}",
        reported.matches, reported.timeouts, reported.hash
    )?;
    Ok(())
}

/// Returns the largest memory of this process so far, in kilobytes.
fn peak_memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let Some(line) = line else { return Ok(0) };
    line.trim().trim_end_matches(" kB").parse().context("the kernel writes a number")
}
