//! Load on the intake over HTTP: starts a service in a folder of its own, posts events at a rate,
//! reads the results from the stream, and checks that each accepted event is there once.
//!
//! `tools/service/load` builds and runs it. Each request has one batch of events and an idempotency
//! key. One pair of events in `--match-every` makes a result, and one event of ten opens a partial
//! match that finds no partner within two seconds.
//!
//! The latency of a result is the time from the start of the request with its second event until the
//! result arrives in the stream. The bound on disorder is a part of it.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};

const USAGE: &str = "\
load --kleene PATH [OPTIONS]
  --phase RATE:SECONDS   events a second (0: as many as possible); may be repeated [200000:60]
  --connections N        connections, each with a thread [8]
  --batch N              events of a request [500]
  --match-every N        events for each result, at least 2 [100]
  --durable BOOL         events are on the disk before the answer [true]
  --disorder MS          bound on disorder of the service [500]
  --backlog SIZE         backlog of the source [256 MiB]
  --folder DIR           where the service has its files [a temporary folder]
  --every SECONDS        interval of the lines that are printed [5]
";

/// The time after which a partial match ends.
const WITHIN: &str = "2s";

/// The time to wait for the last results.
const PATIENCE: Duration = Duration::from_mins(1);

struct Options {
    kleene: PathBuf,
    phases: Vec<(u64, u64)>,
    connections: u64,
    batch: u64,
    match_every: u64,
    durable: bool,
    disorder: u64,
    backlog: String,
    folder: Option<PathBuf>,
    every: u64,
}

fn options() -> Result<Options> {
    let mut options = Options {
        kleene: PathBuf::new(),
        phases: Vec::new(),
        connections: 8,
        batch: 500,
        match_every: 100,
        durable: true,
        disorder: 500,
        backlog: "256 MiB".to_owned(),
        folder: None,
        every: 5,
    };
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words.next().with_context(|| format!("{name} needs a value\n{USAGE}"))?;
        match &*name {
            "--kleene" => options.kleene = value.into(),
            "--phase" => {
                let (rate, seconds) = value.split_once(':').context(USAGE)?;
                options.phases.push((rate.parse()?, seconds.parse()?));
            }
            "--connections" => options.connections = value.parse()?,
            "--batch" => options.batch = value.parse()?,
            "--match-every" => options.match_every = value.parse()?,
            "--durable" => options.durable = value.parse()?,
            "--disorder" => options.disorder = value.parse()?,
            "--backlog" => options.backlog = value,
            "--folder" => options.folder = Some(value.into()),
            "--every" => options.every = value.parse()?,
            _ => bail!("unknown option {name}\n{USAGE}"),
        }
    }
    ensure!(!options.kleene.as_os_str().is_empty(), "{USAGE}");
    ensure!(options.connections > 0 && options.batch > 0 && options.every > 0, "{USAGE}");
    ensure!(options.match_every > 1, "a result has two events\n{USAGE}");
    if options.phases.is_empty() {
        options.phases.push((200_000, 60));
    }
    Ok(options)
}

/// The service under test. It is killed when this is dropped.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(options: &Options, folder: &Path) -> Result<Service> {
        let rules = format!(
            "event sale {{ ts: time, card: int, amount: int, id: int }}\n\
             rule two_large {{\n  key card\n  match sale[amount >= 900] as one -> \
             sale[amount >= 900] as two\n  within {WITHIN}\n  skip none\n  emit {{ id: two.id }}\n}}\n"
        );
        let config = format!(
            "state = \"state\"\nrejects = \"rejects.jsonl\"\n[rules]\npaths = [\"load.cep\"]\n\
             [time]\nout_of_order = \"{}ms\"\n[[source]]\nname = \"posted\"\nkind = \"http\"\n\
             backlog = \"{}\"\ndurable = {}\n[[sink]]\nname = \"found\"\nkind = \"file\"\n\
             path = \"found.jsonl\"\nevents = \"none\"\n[http]\nlisten = \"127.0.0.1:0\"\n",
            options.disorder, options.backlog, options.durable
        );
        fs::write(folder.join("load.cep"), rules)?;
        fs::write(folder.join("kleene.toml"), config)?;
        let kleene = options.kleene.canonicalize().context("the path of kleene")?;
        let mut child = Command::new(kleene)
            .current_dir(folder)
            .args(["serve", "kleene.toml"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = child.stderr.take().context("no log")?;
        let mut service = Service { child, address: String::new() };
        let mut lines = BufReader::new(log).lines();
        for line in lines.by_ref() {
            let line = line?;
            if let Some((_, rest)) = line.split_once("addr=") {
                let address = rest.split_whitespace().next();
                address.unwrap_or_default().clone_into(&mut service.address);
                break;
            }
        }
        ensure!(!service.address.is_empty(), "the service does not start");
        thread::spawn(move || {
            // Refused requests are counted by their senders.
            let lines = lines.map_while(Result::ok);
            for line in lines.filter(|line| !line.contains("WARN refused")) {
                say(&format!("  service: {line}"));
            }
        });
        let start = Instant::now();
        while Connection::open(&service.address)?.send("GET /readyz", "", b"")?.0 != 200 {
            ensure!(start.elapsed() < PATIENCE, "the service does not become ready");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(service)
    }

    /// Returns the resident memory in MiB, and the seconds of processor time.
    fn usage(&self) -> (u64, f64) {
        let proc = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(proc.join("status")).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = resident.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        let stat = fs::read_to_string(proc.join("stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = after_name.split_whitespace().skip(11).take(2);
        let ticks: f64 = ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        (kilobytes.unwrap_or(0_u64) / 1024, ticks / 100.0)
    }

    /// Returns the sum of the values of a metric.
    fn metric(&self, name: &str) -> f64 {
        let page =
            Connection::open(&self.address).and_then(|mut c| c.send("GET /metrics", "", b""));
        let page = page.map(|(_, page)| page).unwrap_or_default();
        let of_name =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
        page.lines().filter(of_name).filter_map(value).sum()
    }

    fn stop(mut self) -> Result<()> {
        let id = self.child.id().to_string();
        ensure!(Command::new("kill").args(["-INT", &id]).status()?.success(), "cannot stop it");
        let status = self.child.wait()?;
        ensure!(status.success(), "the service ended with {status}");
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection that is kept open.
struct Connection {
    reader: BufReader<TcpStream>,
    head: String,
    request: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Connection { reader: BufReader::new(stream), head: String::new(), request: Vec::new() })
    }

    /// Sends a request. Returns the status and the body of the answer.
    fn send(&mut self, what: &str, headers: &str, body: &[u8]) -> io::Result<(u16, String)> {
        self.request.clear();
        write!(
            self.request,
            "{what} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        )?;
        self.request.extend_from_slice(body);
        self.reader.get_mut().write_all(&self.request)?;
        let (mut status, mut length) = (0, 0);
        loop {
            self.head.clear();
            if self.reader.read_line(&mut self.head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = self.head.trim_end().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(0);
            } else if let Some(rest) = line.strip_prefix("content-length:") {
                length = rest.trim().parse().unwrap_or(0);
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// What all threads share.
struct Shared {
    start: Instant,
    address: String,
    /// The number of the next pair that makes a result.
    next_pair: AtomicU64,
    /// The number of the next card that is used once.
    next_card: AtomicU64,
    /// The time at which a pair was posted in microseconds since the start, by its number.
    posted: Vec<AtomicU64>,
    /// How often the result of a pair has arrived.
    arrived: Vec<AtomicU8>,
    results: AtomicU64,
    /// Results that the stream skipped because it was read too slowly.
    skipped: AtomicU64,
    expected: AtomicU64,
    counts: Counts,
    latencies: Mutex<Vec<u64>>,
    is_over: AtomicBool,
}

/// The answers to requests.
#[derive(Default)]
struct Counts {
    events: AtomicU64,
    accepted: AtomicU64,
    full: AtomicU64,
    unavailable: AtomicU64,
    other: AtomicU64,
}

impl Counts {
    /// Returns the counts: events, 202, 429, 503 and others.
    fn all(&self) -> [u64; 5] {
        [&self.events, &self.accepted, &self.full, &self.unavailable, &self.other]
            .map(|count| count.load(Ordering::Relaxed))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn wall_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Cards that are used once start here.
const CARDS: u64 = 1 << 40;

/// Makes the events of a request. Returns the number of its first pair, and of its pairs.
fn batch(shared: &Shared, options: &Options, random: &mut u64, body: &mut Vec<u8>) -> (u64, u64) {
    let Options { batch, match_every, .. } = *options;
    let pairs = batch / match_every;
    let first = shared.next_pair.fetch_add(pairs, Ordering::Relaxed);
    let card = shared.next_card.fetch_add(batch, Ordering::Relaxed) + CARDS;
    let ts = wall_millis();
    body.clear();
    for number in 0..batch {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        let (pair, at) = (number / match_every, number % match_every);
        let (card, amount, id) = if at < 2 && pair < pairs {
            (card + pair * match_every, 950, first + pair)
        } else if number % 10 == 5 {
            (card + number, 900 + *random % 100, 0)
        } else {
            (*random % 100_000, *random % 900, 0)
        };
        let _ = writeln!(
            body,
            r#"{{"type":"sale","ts":{ts},"card":{card},"amount":{amount},"id":{id}}}"#
        );
    }
    (first, pairs)
}

/// Posts batches at the rate of a phase until it is over.
fn post(shared: &Shared, options: &Options, worker: u64, (rate, seconds): (u64, u64)) {
    let seed = (worker + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut random = seed ^ micros(shared.start.elapsed());
    let (mut body, mut connection) = (Vec::new(), None);
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let mut number = 0;
    loop {
        if rate > 0 {
            // The requests of all workers are evenly spread.
            let position = u128::from((number * options.connections + worker) * options.batch);
            let nanos = position * 1_000_000_000 / u128::from(rate);
            let due = start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            if due >= end {
                return;
            }
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        if Instant::now() >= end {
            return;
        }
        number += 1;
        let (first, pairs) = batch(shared, options, &mut random, &mut body);
        let key = format!("{worker}-{first}-{}", micros(shared.start.elapsed()));
        let now = micros(shared.start.elapsed());
        for pair in first..first + pairs {
            if let Some(posted) = usize::try_from(pair).ok().and_then(|at| shared.posted.get(at)) {
                posted.store(now, Ordering::Relaxed);
            }
        }
        send(shared, &mut connection, &key, &body, (options.batch, pairs));
    }
}

/// Sends a batch. It is repeated with its key until the answer says what became of it.
fn send(
    shared: &Shared,
    connection: &mut Option<Connection>,
    key: &str,
    body: &[u8],
    (events, pairs): (u64, u64),
) {
    let headers = format!("Content-Type: application/x-ndjson\r\nIdempotency-Key: {key}\r\n");
    let counts = &shared.counts;
    let count = |count: &AtomicU64, by| count.fetch_add(by, Ordering::Relaxed);
    for _ in 0..1000 {
        let open = match connection.take() {
            Some(open) => Ok(open),
            None => Connection::open(&shared.address),
        };
        let answer = open.and_then(|mut open| {
            let answer = open.send("POST /events", &headers, body)?;
            *connection = Some(open);
            Ok(answer.0)
        });
        match answer {
            Ok(202) => {
                count(&counts.accepted, 1);
                count(&counts.events, events);
                count(&shared.expected, pairs);
                return;
            }
            Ok(429) => {
                // The next batch has other events, with the time of then.
                count(&counts.full, 1);
                thread::sleep(Duration::from_millis(5));
                return;
            }
            Ok(503) => count(&counts.unavailable, 1),
            Ok(_) | Err(_) => count(&counts.other, 1),
        };
        thread::sleep(Duration::from_millis(20));
    }
}

/// Reads results until the stream ends.
fn listen(shared: &Shared, stream: TcpStream) {
    let mut reader = BufReader::with_capacity(256 << 10, stream);
    let mut line = String::new();
    while !shared.is_over.load(Ordering::Relaxed) {
        line.clear();
        if !matches!(reader.read_line(&mut line), Ok(1..)) {
            return;
        }
        let Some(data) = line.strip_prefix("data: ") else { continue };
        if let Some(rest) = data.strip_prefix("{\"skipped\":") {
            let number = rest.trim_end().trim_end_matches('}').parse().unwrap_or(0);
            shared.skipped.fetch_add(number, Ordering::Relaxed);
        }
        let emitted = data.split_once("\"emit\":{\"id\":").map_or("", |(_, rest)| rest);
        let digits = emitted.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        let Ok(id) = digits.parse::<usize>() else { continue };
        shared.results.fetch_add(1, Ordering::Relaxed);
        let Some(posted) = shared.posted.get(id) else { continue };
        shared.arrived[id].fetch_add(1, Ordering::Relaxed);
        let took = micros(shared.start.elapsed()).saturating_sub(posted.load(Ordering::Relaxed));
        shared.latencies.lock().unwrap_or_else(PoisonError::into_inner).push(took);
    }
}

fn say(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

#[expect(clippy::cast_precision_loss, reason = "these are figures for people")]
fn float(number: u64) -> f64 {
    number as f64
}

/// Returns the quantile of sorted values in milliseconds.
fn quantile(sorted: &[u64], permille: usize) -> f64 {
    let index = (sorted.len() * permille / 1000).min(sorted.len().saturating_sub(1));
    float(sorted.get(index).copied().unwrap_or(0)) / 1000.0
}

/// Says what a phase came to.
fn summary(options: &Options, counts: [u64; 5], took: Duration, latencies: &mut [u64]) {
    latencies.sort_unstable();
    let [events, accepted, full, unavailable, other] = counts;
    let rate = float(events) / took.as_secs_f64();
    say(&format!(
        "  accepted {events} events in {:.1} s: {rate:.0}/s; 202: {accepted}, 429: {full}, \
         503: {unavailable}, others: {other}",
        took.as_secs_f64()
    ));
    let [p50, p99, p999, max] = [500, 990, 999, 1000].map(|part| quantile(latencies, part));
    let disorder = float(options.disorder);
    let without = |value: f64| (value - disorder).max(0.0);
    say(&format!(
        "  latency of {} results: p50 {p50:.1} ms, p99 {p99:.1} ms, p99.9 {p999:.1} ms, max \
         {max:.1} ms; without the bound on disorder: p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms",
        latencies.len(),
        without(p50),
        without(p99),
        without(p999)
    ));
}

/// Prints a line now and then until the phase is over.
fn watch(service: &Service, shared: &Shared, every: u64, is_over: &AtomicBool) {
    let (mut before, mut cpu_before) = (shared.counts.all()[0], service.usage().1);
    let mut next = Instant::now() + Duration::from_secs(every);
    while !is_over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(100));
        if Instant::now() < next {
            continue;
        }
        next += Duration::from_secs(every);
        let [events, _, full, ..] = shared.counts.all();
        let (resident, cpu) = service.usage();
        say(&format!(
            "  {:4.0} s  {:8.0} events/s  429: {full:6}  results {:8}  memory {resident:5} MiB  \
             processors {:.2}  unread {:.1} MB  partial matches {}",
            shared.start.elapsed().as_secs_f64(),
            float(events - before) / float(every),
            shared.results.load(Ordering::Relaxed),
            (cpu - cpu_before) / float(every),
            service.metric("kleene_journal_unread_bytes") / 1e6,
            service.metric("kleene_partial_matches"),
        ));
        (before, cpu_before) = (events, cpu);
    }
}

/// Runs a phase.
fn run_phase(service: &Service, shared: &Shared, options: &Options, phase: (u64, u64)) {
    let before = shared.counts.all();
    shared.latencies.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let start = Instant::now();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers = (0..options.connections)
            .map(|worker| scope.spawn(move || post(shared, options, worker, phase)))
            .collect::<Vec<_>>();
        scope.spawn(|| watch(service, shared, options.every, &is_over));
        for worker in workers {
            let _ = worker.join();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let after = shared.counts.all();
    let counts = std::array::from_fn(|at| after[at] - before[at]);
    let mut latencies = shared.latencies.lock().unwrap_or_else(PoisonError::into_inner);
    summary(options, counts, start.elapsed(), &mut latencies);
}

fn main() -> Result<()> {
    let options = options()?;
    let temporary = tempfile::tempdir()?;
    let folder = options.folder.as_deref().unwrap_or(temporary.path());
    fs::create_dir_all(folder)?;
    let service = Service::start(&options, folder)?;
    // Without a limit of the rate there may be this many events a second.
    let most = |(rate, seconds): &(u64, u64)| if *rate == 0 { 4_000_000 } else { *rate } * seconds;
    let events: u64 = options.phases.iter().map(most).sum();
    let pairs = usize::try_from(events / options.match_every)? + 100_000;
    let shared = Arc::new(Shared {
        start: Instant::now(),
        address: service.address.clone(),
        next_pair: AtomicU64::new(0),
        next_card: AtomicU64::new(0),
        posted: (0..pairs).map(|_| AtomicU64::new(0)).collect(),
        arrived: (0..pairs).map(|_| AtomicU8::new(0)).collect(),
        results: AtomicU64::new(0),
        skipped: AtomicU64::new(0),
        expected: AtomicU64::new(0),
        counts: Counts::default(),
        latencies: Mutex::default(),
        is_over: AtomicBool::new(false),
    });
    let mut stream = TcpStream::connect(&service.address)?;
    stream.write_all(b"GET /results HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")?;
    let listener = Arc::clone(&shared);
    thread::spawn(move || listen(&listener, stream));
    for phase in &options.phases {
        let (rate, seconds) = phase;
        let wanted = if *rate == 0 { "all".to_owned() } else { rate.to_string() };
        say(&format!(
            "{wanted} events/s for {seconds} s, {} connections, {} events a request, durable: {}",
            options.connections, options.batch, options.durable
        ));
        run_phase(&service, &shared, &options, *phase);
    }
    finish(service, &shared, &options, folder)
}

/// Moves time past all events, waits for the last results, and checks that each is there once.
fn finish(service: Service, shared: &Shared, options: &Options, folder: &Path) -> Result<()> {
    let last = wall_millis() + options.disorder + 1000;
    let event = format!(r#"{{"type":"sale","ts":{last},"card":1,"amount":1,"id":0}}"#);
    let mut connection = Connection::open(&service.address)?;
    let start = Instant::now();
    while connection.send("POST /events", "", event.as_bytes())?.0 != 202 {
        ensure!(start.elapsed() < PATIENCE, "the service does not recover");
        thread::sleep(Duration::from_millis(50));
    }
    let expected = shared.expected.load(Ordering::Relaxed);
    let seen = || shared.results.load(Ordering::Relaxed) + shared.skipped.load(Ordering::Relaxed);
    while seen() < expected && start.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(10));
    }
    say(&format!(
        "the last results came {:.2} s after the last event",
        start.elapsed().as_secs_f64()
    ));
    thread::sleep(Duration::from_millis(1200));
    let [results, skipped] =
        [&shared.results, &shared.skipped].map(|count| count.load(Ordering::Relaxed));
    let doubled = shared.arrived.iter().filter(|count| count.load(Ordering::Relaxed) > 1).count();
    let late = service.metric("kleene_late_events_total");
    let (resident, cpu) = service.usage();
    let checkpoint = service.metric("kleene_checkpoint_duration_seconds");
    let bytes = service.metric("kleene_checkpoint_bytes");
    shared.is_over.store(true, Ordering::Relaxed);
    service.stop()?;
    let in_file = fs::read_to_string(folder.join("found.jsonl"))?.lines().count();
    say(&format!(
        "expected {expected} results: {results} in the stream and {skipped} skipped, {in_file} in \
         the file, {doubled} doubled; {late} late events; memory {resident} MiB, {cpu:.1} s of processor time; last \
         checkpoint {bytes} bytes in {checkpoint:.3} s"
    ));
    ensure!(late == 0.0, "events were late: use a larger --disorder");
    ensure!(
        u64::try_from(in_file)? == expected && results + skipped == expected && doubled == 0,
        "results are lost or doubled"
    );
    Ok(())
}
