//! What it costs to keep idle keys in a file: `cargo bench -p kleene-cli --bench spill -- KEYS`.
//!
//! As many orders are created, one of a hundred is paid, at random, and then time passes by the
//! thirty days that the rules wait. That is done for each kind of rule: those that report what runs
//! out of time, those that only forget it, silences, loops, and what has no bound. Each way is a
//! process of its own, since what is measured is the memory of one: all keys in memory, and a
//! fiftieth of them, under a limit of the system (`ulimit -v`) that grows by 40 bytes a key. Both
//! have to tell the same. Without an argument it is a small number; one kind alone: `-- KEYS within`.

#[path = "../src/disk.rs"]
#[expect(dead_code, reason = "idle keys need a part of it")]
mod disk;
#[path = "../src/spill.rs"]
#[expect(dead_code, reason = "it is made over a file here")]
mod spill;

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use kleene::stream::{Match, Timeout};
use kleene::{Engine, Record, RuleSet, Sink, Timestamp, Value};
use spill::Spill;

const EVENTS: &str = "
event order_created { order: int, amount: float, customer: string, at: time }
event order_paid    { order: int, at: time }
";

/// Kinds of rules by what they keep of a key, and until when.
const KINDS: [(&str, &str); 5] = [
    (
        "timeout",
        "match order_created as c -> order_paid within 30d
         emit { order, amount: c.amount }  on timeout emit { order, amount: c.amount }",
    ),
    ("within", "match order_created as c -> order_paid within 30d  emit { amount: c.amount }"),
    ("silence", "match order_created as c -> not order_paid for 30d  emit { amount: c.amount }"),
    ("loop", "match order_created+ as c -> order_paid within 30d  emit { amount: sum(c.amount) }"),
    ("forever", "match order_created as c -> order_paid  emit { amount: c.amount }"),
];

/// So many orders come in a second.
const RATE: u64 = 100;

fn main() -> Result<()> {
    // `cargo bench` and `cargo test` pass options of their own.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let mut out = std::io::stdout().lock();
    match &args[..] {
        [kind, keys, directory @ ..] if KINDS.iter().any(|(name, _)| name == kind) => {
            measure(kind, number(keys)?, directory.first().map(Path::new))
        }
        args => {
            let keys = args.first().map_or(Ok(20_000), |keys| number(keys))?;
            let only = args.get(1);
            if let Some(only) = only {
                ensure!(KINDS.iter().any(|(name, _)| name == only), "{only} is no kind of rule");
            }
            for (kind, _) in KINDS.iter().filter(|(name, _)| only.is_none_or(|only| only == name)) {
                let directory = tempfile::tempdir()?;
                let few = run(kind, keys, Some(directory.path()))?;
                let count = in_memory(keys);
                write!(out, "{kind}: {keys} keys, {count} of them in memory\n{few}")?;
                let all = run(kind, keys, None)?;
                write!(out, "{kind}: {keys} keys, all of them in memory\n{all}")?;
                let told = |text: &str| text.lines().last().map(str::to_owned);
                ensure!(told(&few) == told(&all), "they do not tell the same");
            }
            Ok(())
        }
    }
}

/// Measures one kind of rule in a process of its own: with a file under a limit, or without.
fn run(kind: &str, keys: u64, directory: Option<&Path>) -> Result<String> {
    let itself = std::env::current_exe()?;
    let mut child = if let Some(directory) = directory {
        let kilobytes = (FIXED + keys * PER_KEY + in_memory(keys) * PER_KEY_IN_MEMORY) >> 10;
        let mut child = Command::new("sh");
        child.args(["-c", "ulimit -v \"$1\" && shift && exec \"$@\"", "sh"]);
        child.arg(kilobytes.to_string()).arg(itself);
        child.args([kind, &keys.to_string()]).arg(directory);
        child
    } else {
        let mut child = Command::new(itself);
        child.args([kind, &keys.to_string()]);
        child
    };
    let ran = child.stderr(std::process::Stdio::inherit()).output()?;
    ensure!(ran.status.success(), "{kind} has failed: {}", ran.status);
    Ok(String::from_utf8(ran.stdout)?)
}

/// What a run with a file may take: the program and its caches, and for each key.
const FIXED: u64 = 160 << 20;
/// A table of 22 bytes a key at most, and the half as large one that it grows out of.
const PER_KEY: u64 = 40;
const PER_KEY_IN_MEMORY: u64 = 1024;

fn number(text: &str) -> Result<u64> {
    text.replace('_', "").parse().with_context(|| format!("{text} is not a number of keys"))
}

fn in_memory(keys: u64) -> u64 {
    keys / 50
}

/// Counts what it is told, and hashes it in its order.
#[derive(Default)]
struct Told {
    matches: u64,
    timeouts: u64,
    hash: u64,
}

impl Told {
    fn add(&mut self, told: &str) {
        for byte in told.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl Sink<Record> for Told {
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
    let (_, rule) = KINDS.iter().find(|(name, _)| *name == kind).context("no such kind")?;
    let rules = RuleSet::parse(&format!("{EVENTS}rule unpaid {{ key order  {rule} }}"))?;
    let types = ["order_created", "order_paid"].map(|name| rules.schema().type_id(name));
    let [Some(created), Some(paid)] = types else { bail!("the rules declare other types") };
    let at = |index: u64| {
        let millis = 1_700_000_000_000 + index * 1000 / RATE;
        Timestamp::from_millis(millis.cast_signed())
    };
    let order = |index: u64| Value::Int(index.wrapping_mul(0x9e37_79b9).cast_signed());
    let builder = Engine::builder().rules(rules.clone());
    let mut file = None;
    let mut engine = match directory {
        Some(directory) => {
            let scratch = tempfile::tempfile_in(directory)?;
            file = Some(scratch.try_clone()?);
            builder.cold_store(Spill::over(scratch)?, in_memory(keys)).build()?
        }
        None => builder.build()?,
    };
    let mut told = Told::default();
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
        let values = vec![order(index), amount, customer, Value::Time(time)];
        engine.push(&Record::new(created, time, values), &mut told)?;
    }
    ensure!(engine.stats().keys == keys, "{:?}", engine.stats());
    say("created", keys, start, &engine)?;

    let start = Instant::now();
    let (mut random, now) = (7_u64, at(keys));
    for _ in 0..keys / 100 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let values = vec![order((random >> 20) % keys), Value::Time(now)];
        engine.push(&Record::new(paid, now, values), &mut told)?;
    }
    say("paid", keys / 100, start, &engine)?;

    let start = Instant::now();
    engine.advance(at(keys).plus_millis(31 * 86_400_000), &mut told);
    say("time passed", keys, start, &engine)?;
    engine.finish(&mut told);
    if let Some(failure) = engine.failure() {
        bail!("{failure}");
    }
    let found = told.matches + told.timeouts;
    let expected = match kind {
        // Those that were paid, of which some were drawn twice.
        "within" | "loop" | "forever" => keys / 200..keys / 99,
        "silence" => keys - keys / 99..keys,
        _ => keys..keys + 1,
    };
    ensure!(expected.contains(&found), "{kind}: {found} results of {keys} keys");
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} matches, {} timeouts, {:016x}", told.matches, told.timeouts, told.hash)?;
    Ok(())
}

/// How many kilobytes this process has had at most.
fn peak_memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let Some(line) = line else { return Ok(0) };
    line.trim().trim_end_matches(" kB").parse().context("the kernel writes a number")
}
