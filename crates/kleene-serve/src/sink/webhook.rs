//! A webhook: results that are sent to a URL, each at least once, in their order.
//!
//! A thread reads the outbox and sends. A request that fails is repeated, with the same idempotency
//! key, until the receiver takes it. What the receiver refuses goes to a file of dead letters.

mod dead;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use hmac::{Hmac, KeyInit as _, Mac as _};
use kleene_host::disk::Durability;
use sha2::Sha256;
use ureq::Agent;
use ureq::http::header::RETRY_AFTER;
use ureq::http::{HeaderMap, Request, StatusCode};

use self::dead::DeadLetters;
use super::outbox::{Cursor, OutboxQueue};
use crate::client::{self, MAX_ANSWER, Stop};
use crate::journal::{Journal, JournalReader, Waker};

/// The bytes of a request, unless a single result has more.
const MAX_BYTES: usize = 1 << 20;

/// The first wait before a request is repeated, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_mins(1));

/// The longest wait that a receiver can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// The position is synced this often. Between, it is written.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// How results are sent.
#[derive(Clone)]
pub(crate) struct WebhookSettings {
    /// The name of the sink. It is a part of the idempotency keys.
    pub(crate) name: String,
    /// Where results are sent to.
    pub(crate) url: String,
    /// The key of the signatures.
    pub(crate) secret: Option<String>,
    /// Headers that requests have.
    pub(crate) headers: Vec<(String, String)>,
    /// The time for a request.
    pub(crate) timeout: Duration,
    /// The time for which a request is repeated, without end if there is none.
    pub(crate) max_retry_time: Option<Duration>,
    /// The number of results that a request may have.
    pub(crate) max_batch: usize,
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // URLs and headers have secrets as well.
        f.debug_struct("WebhookSettings")
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .field("max_retry_time", &self.max_retry_time)
            .field("max_batch", &self.max_batch)
            .finish_non_exhaustive()
    }
}

/// What a webhook counts.
#[derive(Debug, Default)]
pub(crate) struct WebhookCounters {
    delivered: AtomicU64,
    retries: AtomicU64,
    dead: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl WebhookCounters {
    /// Returns the number of results that the receiver has taken.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Returns the number of requests that were repetitions.
    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Returns the number of results that went to the dead letters.
    pub(crate) fn dead(&self) -> u64 {
        self.dead.load(Ordering::Relaxed)
    }

    /// Returns why the last request failed, until one succeeds.
    pub(crate) fn last_error(&self) -> Option<String> {
        lock(&self.last_error).clone()
    }
}

/// A webhook that runs. It stops when this is dropped; results that wait stay in the outbox.
#[derive(Debug)]
pub(crate) struct Webhook {
    counters: Arc<WebhookCounters>,
    journal: Arc<Journal>,
    dropped: Arc<AtomicU64>,
    stop: Arc<Stop>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Webhook {
    /// Starts the thread that delivers.
    pub(crate) fn start(settings: WebhookSettings, queue: OutboxQueue) -> Result<Webhook> {
        let name = settings.name.clone();
        let sink = || format!("sink `{name}`");
        let headers = check(&settings).with_context(sink)?;
        let cursor = queue.load_cursor().with_context(sink)?;
        let journal = Arc::clone(&queue.journal);
        let reader =
            JournalReader::new(Arc::clone(&journal), cursor.delivered).with_context(sink)?;
        let waker = reader.waker();
        let (counters, stop) = (Arc::<WebhookCounters>::default(), Arc::<Stop>::default());
        let agent = client::agent(settings.timeout);
        let delivery = Delivery {
            dead: DeadLetters::new(queue.path("dead-letters.ndjson")),
            dropped: Arc::clone(&queue.dropped),
            settings,
            headers,
            agent,
            queue,
            reader,
            cursor,
            synced: Instant::now(),
            counters: Arc::clone(&counters),
            stop: Arc::clone(&stop),
        };
        let dropped = Arc::clone(&delivery.dropped);
        let thread = thread::Builder::new()
            .name(format!("webhook {name}"))
            .spawn(move || delivery.run())
            .with_context(sink)?;
        Ok(Webhook { counters, journal, dropped, stop, waker, thread: Some(thread) })
    }

    /// Returns what it counts.
    pub(crate) fn counters(&self) -> &Arc<WebhookCounters> {
        &self.counters
    }

    /// Returns the bytes that wait in the outbox.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        self.journal.stats().unread
    }

    /// Returns the number of results that a full outbox has dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until all results are delivered. Returns false if that takes longer.
    #[cfg(test)]
    pub(crate) fn wait_until_delivered(&self, timeout: Duration) -> bool {
        self.journal.wait_until_read(timeout)
    }

    /// Stops, after the request that is on its way.
    pub(crate) fn stop(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        self.stop.set();
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Checks the settings. Returns the headers of all requests.
fn check(settings: &WebhookSettings) -> Result<HeaderMap> {
    client::check_url(&settings.url)?;
    if settings.max_batch == 0 {
        bail!("a request has one result at least");
    }
    let more = settings.headers.iter().map(|(name, value)| (&**name, &**value));
    client::headers("application/x-ndjson", more)
}

/// Results of the outbox that are sent together.
#[derive(Debug)]
struct Batch {
    start: u64,
    end: u64,
    lines: Vec<u8>,
    /// The end of each result, in the outbox and in the lines.
    ends: Vec<(u64, usize)>,
}

impl Batch {
    /// Returns the batches of the single results.
    fn singles(&self) -> impl Iterator<Item = Batch> {
        let starts = std::iter::once((self.start, 0)).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|((start, from), &(end, to))| {
            let lines = self.lines[from..to].to_vec();
            Batch { start, end, ends: vec![(end, lines.len())], lines }
        })
    }
}

/// The result of a request.
#[derive(Debug)]
enum Outcome {
    Taken,
    /// It did not work, but may later, after a time that the receiver has named.
    Failed(String, Option<Duration>),
    Refused(StatusCode, String),
}

/// The result of all requests with a batch.
#[derive(Debug)]
enum Verdict {
    Taken,
    Refused(StatusCode, String),
    TimeOver(String),
    Stopped,
}

/// The thread that delivers.
struct Delivery {
    settings: WebhookSettings,
    headers: HeaderMap,
    agent: Agent,
    queue: OutboxQueue,
    reader: JournalReader,
    cursor: Cursor,
    synced: Instant,
    dead: DeadLetters,
    dropped: Arc<AtomicU64>,
    counters: Arc<WebhookCounters>,
    stop: Arc<Stop>,
}

impl Delivery {
    fn run(mut self) {
        while !self.stop.wait(Duration::ZERO) {
            // What fails here is the disk: a damaged outbox, or one without space.
            if let Err(error) = self.step() {
                let text = format!("{error:#}");
                tracing::error!(sink = self.settings.name, error = text, "delivery failed");
                *lock(&self.counters.last_error) = Some(text);
                if self.stop.wait(Duration::from_secs(1)) {
                    break;
                }
            }
        }
        if let Err(error) = self.queue.save_cursor(self.cursor, Durability::Synced) {
            let error = format!("{error:#}");
            tracing::warn!(sink = self.settings.name, error, "the position cannot be written");
        }
    }

    /// Delivers the next results, if there are any.
    fn step(&mut self) -> Result<()> {
        // A step that failed is repeated from its begin.
        if self.reader.position() != self.cursor.delivered {
            self.reader.seek(self.cursor.delivered);
        }
        let Some(batch) = self.next_batch()? else {
            if self.reader.is_finished() {
                self.stop.wait(Duration::from_millis(500));
            }
            return Ok(());
        };
        self.cursor.sending = batch.end;
        self.queue.save_cursor(self.cursor, Durability::Written)?;
        match self.send(&batch) {
            Verdict::Stopped => return Ok(()),
            // One bad result must not take the others with it.
            Verdict::Refused(status, _) if batch.ends.len() > 1 && is_about_content(status) => {
                for single in batch.singles() {
                    if !self.send_and_bury(&single)? {
                        return Ok(());
                    }
                    self.advance(single.end)?;
                }
            }
            verdict => self.bury(&batch, verdict)?,
        }
        self.advance(batch.end)
    }

    /// Sends a result. Returns false if the service stops before that is decided.
    fn send_and_bury(&mut self, batch: &Batch) -> Result<bool> {
        let verdict = self.send(batch);
        if matches!(verdict, Verdict::Stopped) {
            return Ok(false);
        }
        self.bury(batch, verdict)?;
        Ok(true)
    }

    /// Writes the results of a batch that was not taken to the dead letters.
    fn bury(&mut self, batch: &Batch, verdict: Verdict) -> Result<()> {
        let reason = match verdict {
            Verdict::Taken | Verdict::Stopped => return Ok(()),
            Verdict::Refused(_, reason) => reason,
            Verdict::TimeOver(reason) => format!("not delivered in time: {reason}"),
        };
        let key = self.key_of(batch);
        self.dead.write(&batch.lines, unix_time(), &key, &reason).context("dead letters")?;
        let count = batch.ends.len() as u64;
        self.counters.dead.fetch_add(count, Ordering::Relaxed);
        let sink = &self.settings.name;
        tracing::error!(sink, reason, results = count, "results went to the dead letters");
        Ok(())
    }

    /// Everything before the position is delivered.
    fn advance(&mut self, delivered: u64) -> Result<()> {
        self.cursor.delivered = delivered;
        self.queue.journal.consumed(delivered);
        if self.synced.elapsed() >= SYNC_INTERVAL {
            self.queue.save_cursor(self.cursor, Durability::Synced)?;
            self.queue.journal.release(delivered)?;
            self.synced = Instant::now();
        }
        Ok(())
    }

    /// Reads the next results. Waits for them for a while.
    fn next_batch(&mut self) -> Result<Option<Batch>> {
        let start = self.cursor.delivered;
        let mut batch = Batch { start, end: start, lines: Vec::new(), ends: Vec::new() };
        // After a restart the first batch has the same results as before.
        let was_sending = Some(self.cursor.sending).filter(|sending| *sending > start);
        let max_batch = self.settings.max_batch;
        self.reader.visit(Duration::from_millis(500), |position, frame| {
            let fits = match was_sending {
                Some(sending) => position < sending,
                None => {
                    batch.ends.is_empty()
                        || batch.ends.len() < max_batch
                            && batch.lines.len() + frame.body.len() <= MAX_BYTES
                }
            };
            if fits {
                batch.lines.extend_from_slice(frame.body);
                batch.end = position + frame.length as u64;
                batch.ends.push((batch.end, batch.lines.len()));
            }
            fits
        })?;
        Ok((!batch.ends.is_empty()).then_some(batch))
    }

    /// Sends a batch until it is taken or refused, the time for it is over, or the service stops.
    fn send(&self, batch: &Batch) -> Verdict {
        let begin = Instant::now();
        let mut attempt = 0;
        loop {
            let (reason, retry_after) = match self.request(batch) {
                Outcome::Taken => {
                    self.counters.delivered.fetch_add(batch.ends.len() as u64, Ordering::Relaxed);
                    *lock(&self.counters.last_error) = None;
                    return Verdict::Taken;
                }
                Outcome::Refused(status, reason) => {
                    *lock(&self.counters.last_error) = Some(reason.clone());
                    return Verdict::Refused(status, reason);
                }
                Outcome::Failed(reason, retry_after) => (reason, retry_after),
            };
            if attempt == 0 {
                tracing::warn!(sink = self.settings.name, reason, "not delivered; will try again");
            }
            *lock(&self.counters.last_error) = Some(reason.clone());
            let mut pause =
                retry_after.map_or(back_off(attempt), |asked| asked.min(MAX_RETRY_AFTER));
            if let Some(max) = self.settings.max_retry_time {
                let left = max.saturating_sub(begin.elapsed());
                if left.is_zero() {
                    return Verdict::TimeOver(reason);
                }
                // The last attempt is at the end of the time.
                pause = pause.min(left);
            }
            if self.stop.wait(pause) {
                return Verdict::Stopped;
            }
            attempt += 1;
            self.counters.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn request(&self, batch: &Batch) -> Outcome {
        let failed = |error: &dyn fmt::Display| Outcome::Failed(error.to_string(), None);
        let mut request = Request::post(&self.settings.url);
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&self.headers);
        }
        request = request.header("idempotency-key", self.key_of(batch));
        if let Some(secret) = &self.settings.secret {
            request = request.header("kleene-signature", sign(secret, unix_time(), &batch.lines));
        }
        let request = match request.body(&batch.lines[..]) {
            Ok(request) => request,
            Err(error) => return failed(&error),
        };
        let mut response = match self.agent.run(request) {
            Ok(response) => response,
            Err(error) => return failed(&error),
        };
        let status = response.status();
        let retry_after = retry_after(response.headers());
        // The connection is used again only after the answer is read.
        let answer = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        if status.is_success() {
            return Outcome::Taken;
        }
        let reason = client::refusal(status, &answer.unwrap_or_default());
        let is_temporary = status.is_server_error()
            || matches!(
                status,
                StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
            );
        if is_temporary {
            Outcome::Failed(reason, retry_after)
        } else {
            Outcome::Refused(status, reason)
        }
    }

    /// Returns the idempotency key: the position, which is the same in all attempts, and a checksum.
    /// After a restart with other rules there can be another result at a position.
    fn key_of(&self, batch: &Batch) -> String {
        let sum = crc32fast::hash(&batch.lines);
        format!("{}-{}-{}-{sum:08x}", self.settings.name, batch.start, batch.end)
    }
}

/// Returns true if a receiver refuses what it was sent, not the one who sends.
fn is_about_content(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::CONFLICT
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY
    )
}

/// Returns the wait before an attempt is repeated: twice as long each time, and a part of it by
/// chance, so that many senders do not come back together.
fn back_off(attempt: u32) -> Duration {
    let (first, longest) = BACK_OFF;
    let full = first.saturating_mul(1 << attempt.min(16)).min(longest);
    let random = RandomState::new().hash_one(attempt) % 1024;
    full / 2 + full / 2 * u32::try_from(random).unwrap_or_default() / 1024
}

/// Reads how long the receiver wants the next attempt to wait: seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// Returns the header that proves who has sent a body, and when.
fn sign(secret: &str, time: u64, body: &[u8]) -> String {
    let mut text = format!("t={time},v1=");
    // A key can have any length.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        mac.update(time.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        for byte in mac.finalize().into_bytes() {
            text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
            text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        }
    }
    text
}

fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
