//! The methods of `io.kleene.flink.NativeEngine`.
//!
//! Each takes and returns numbers, arrays of bytes and direct buffers only. Errors and panics become
//! exceptions: `KleeneException`, or `RulesException` for rules with mistakes.

use std::any::Any;
use std::fmt;

use jni::errors::ErrorPolicy;
use jni::objects::{JByteArray, JByteBuffer, JClass, JLongArray, JObject, JObjectArray};
use jni::strings::JNIString;
use jni::sys::{jboolean, jint, jlong};
use jni::{Env, EnvUnowned};
use kleene::ruleset::{RuleDiagnostics, RulesError};
use kleene::{RuleSet, Timestamp};
use kleene_event::util::wire::{Reader, put_bytes};

use crate::error::HostError;
use crate::handle;
use crate::host::{Host, Settings, write_verdicts};
use crate::key_group::{KeyHasher, key_group};
use crate::layout::{LayoutError, read_batch};
use crate::memory;
use crate::one_key::{Done, KeyState, OneKey};
use crate::parts::KeyGroups;
use crate::plan::Plan;
use crate::results::ResultParts;
use crate::rules::{RuleTexts, files_beside};

/// What becomes an exception.
#[derive(Debug)]
enum Failure {
    /// A mistake in rules: the diagnostics.
    Rules(String),
    /// Anything else.
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Rules(message) | Failure::Other(message) => f.write_str(message),
        }
    }
}

impl From<jni::errors::Error> for Failure {
    fn from(error: jni::errors::Error) -> Failure {
        Failure::Other(format!("a call into the Java virtual machine failed: {error}"))
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Failure {
        Failure::Other(error.to_string())
    }
}

impl From<LayoutError> for Failure {
    fn from(error: LayoutError) -> Failure {
        Failure::Other(error.to_string())
    }
}

impl From<RulesError> for Failure {
    fn from(error: RulesError) -> Failure {
        Failure::Rules(error.to_string())
    }
}

/// Throws errors and panics as exceptions.
enum Throw {}

impl<T: Default> ErrorPolicy<T, Failure> for Throw {
    type Captures<'l: 'm, 'm> = ();

    fn on_error<'l: 'm, 'm>(
        env: &mut Env<'l>,
        (): &mut (),
        failure: Failure,
    ) -> jni::errors::Result<T> {
        if env.exception_check() {
            return Ok(T::default());
        }
        let class = match failure {
            Failure::Rules(_) => "io/kleene/flink/RulesException",
            Failure::Other(_) => "io/kleene/flink/KleeneException",
        };
        Ok(throw(env, class, &failure.to_string()))
    }

    fn on_panic<'l: 'm, 'm>(
        env: &mut Env<'l>,
        (): &mut (),
        payload: Box<dyn Any + Send + 'static>,
    ) -> jni::errors::Result<T> {
        let text = payload.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        let text = text.unwrap_or_else(|| String::from("no message"));
        let message = format!("native code panicked, which is a mistake of Kleene: {text}");
        Ok(throw(env, "io/kleene/flink/KleeneException", &message))
    }
}

fn throw<T: Default>(env: &mut Env<'_>, class: &str, message: &str) -> T {
    // The result of a throw is an error, too, so that callers stop.
    let _ = env.throw_new(JNIString::from(class), JNIString::from(message));
    T::default()
}

/// Calls a function and throws what it fails with.
fn guarded<'l, T: Default>(
    mut env: EnvUnowned<'l>,
    call: impl FnOnce(&mut Env<'l>) -> Result<T, Failure>,
) -> T {
    env.with_env(call).resolve_with::<Throw, _>(|| ())
}

/// Returns the host of a handle.
///
/// # Safety
/// `handle` is of `create` or `restore`, was not freed, and no other thread uses it.
unsafe fn host<'h>(engine: jlong) -> Result<&'h mut Host, Failure> {
    // SAFETY: the caller's promise.
    let host = unsafe { handle::borrow(engine) };
    host.ok_or_else(|| Failure::Other(String::from("the engine is closed")))
}

fn bytes(env: &Env<'_>, array: &JByteArray<'_>) -> Result<Vec<u8>, Failure> {
    Ok(env.convert_byte_array(array)?)
}

fn array<'l>(env: &mut Env<'l>, bytes: &[u8]) -> Result<JByteArray<'l>, Failure> {
    if jint::try_from(bytes.len()).is_err() {
        let message = format!("{} bytes do not fit into an array of Java", bytes.len());
        return Err(Failure::Other(message));
    }
    Ok(env.byte_array_from_slice(bytes)?)
}

/// Reads the texts of rules and builds them.
fn texts(bytes: &[u8]) -> Result<RuleTexts, Failure> {
    let damaged = || Failure::Other(String::from("the texts of rules are damaged"));
    RuleTexts::from_bytes(bytes).ok_or_else(damaged)
}

/// Reads the settings of a host: signature, name of the time field, both `text`, and two `bool`s: with
/// events, with JSON.
fn settings(bytes: &[u8]) -> Result<Settings, Failure> {
    let mut reader = Reader::new(bytes);
    let read = |reader: &mut Reader<'_>| {
        let (signature, time_field) = (reader.str()?.to_owned(), reader.str()?.to_owned());
        let parts = ResultParts { events: reader.bool()?, json: reader.bool()? };
        Some(Settings { signature, time_field, parts })
    };
    read(&mut reader).ok_or_else(|| Failure::Other(String::from("the settings are damaged")))
}

fn build(bytes: &[u8]) -> Result<RuleSet, Failure> {
    Ok(texts(bytes)?.build(None)?)
}

/// The version of the library and of its layouts. Java refuses another one than its own.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeEngine_stamp<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
) -> JByteArray<'l> {
    guarded(env, |env| array(env, env!("CARGO_PKG_VERSION").as_bytes()))
}

/// Checks rules. Returns, each as `bytes`, their texts with the files that they name, their plan, and
/// their warnings as they are printed. With `may_read` files are read from the folders of the rule
/// files.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeEngine_load<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    rules: JByteArray<'l>,
    may_read: jboolean,
) -> JByteArray<'l> {
    guarded(env, |env| {
        let mut texts = texts(&bytes(env, &rules)?)?;
        let names: Vec<String> = texts.files.iter().map(|(name, _)| name.clone()).collect();
        let files = files_beside(names.iter().map(|name| &**name));
        let rules = texts.build(may_read.then_some(&files))?;
        let mut plan = Vec::new();
        Plan::new(&rules).write(&mut plan);
        let warnings = match rules.warnings() {
            [] => String::new(),
            warnings => RuleDiagnostics(warnings).to_string(),
        };
        let mut out = Vec::new();
        for part in [&texts.to_bytes(), &plan, warnings.as_bytes()] {
            put_bytes(&mut out, part);
        }
        array(env, &out)
    })
}

/// Makes an engine, and returns its handle.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeEngine_create<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    rules: JByteArray<'l>,
    with: JByteArray<'l>,
) -> jlong {
    guarded(env, |env| {
        let rules = build(&bytes(env, &rules)?)?;
        Ok(handle::give(Host::new(&rules, settings(&bytes(env, &with)?)?)?))
    })
}

/// Makes an engine of the state of key groups, of which the earliest watermark is `earliest`. Its
/// handle goes to `handles`; returns the verdicts.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeEngine_restore<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    rules: JByteArray<'l>,
    with: JByteArray<'l>,
    heads: JObjectArray<'l, JByteArray<'l>>,
    parts: JObjectArray<'l, JByteArray<'l>>,
    earliest: jlong,
    handles: JLongArray<'l>,
) -> JByteArray<'l> {
    guarded(env, |env| {
        let rules = build(&bytes(env, &rules)?)?;
        let settings = settings(&bytes(env, &with)?)?;
        let state = KeyGroups { heads: arrays(env, &heads)?, parts: arrays(env, &parts)? };
        let (host, replacement) =
            Host::restore(&rules, settings, &state, Timestamp::from_millis(earliest))?;
        let mut out = Vec::new();
        write_verdicts(&mut out, &replacement);
        let verdicts = array(env, &out)?;
        let engine = handle::give(host);
        if let Err(error) = handles.set_region(env, 0, &[engine]) {
            // SAFETY: Java has not got the handle.
            unsafe { handle::free::<Host>(engine) };
            return Err(error.into());
        }
        Ok(verdicts)
    })
}

fn arrays<'l>(
    env: &mut Env<'l>,
    arrays: &JObjectArray<'l, JByteArray<'l>>,
) -> Result<Vec<Vec<u8>>, Failure> {
    let mut all = Vec::new();
    for index in 0..arrays.len(env)? {
        let array = arrays.get_element(env, index)?;
        all.push(bytes(env, &array)?);
        env.delete_local_ref(array);
    }
    Ok(all)
}

/// Pushes the batch that the header describes ([`crate::layout`]), and returns results.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeEngine_push<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    engine: jlong,
    header: JByteBuffer<'l>,
    words: jint,
) -> JByteBuffer<'l> {
    guarded(env, |env| {
        // SAFETY: `NativeEngine.java` uses an engine in the thread of its task only, until it is
        // freed.
        let host = unsafe { host(engine)? };
        host.drop_read();
        push_batch(env, host, &header, words)?;
        results(env, host)
    })
}

fn push_batch(
    env: &Env<'_>,
    host: &mut Host,
    header: &JByteBuffer<'_>,
    words: jint,
) -> Result<(), Failure> {
    let words = usize::try_from(words).unwrap_or(0);
    if env.get_direct_buffer_capacity(header)? < words * size_of::<i64>() {
        return Err(Failure::Other(String::from("the header of a batch is too short")));
    }
    let address = env.get_direct_buffer_address(header)?.expose_provenance();
    let first = std::ptr::with_exposed_provenance::<i64>(address);
    if !first.is_aligned() {
        return Err(Failure::Other(String::from("the header of a batch is not aligned")));
    }
    // SAFETY: it is aligned, has that many words, and Java holds it during the call.
    let header = unsafe { std::slice::from_raw_parts(first, words) };
    // SAFETY: `BatchWriter.java` writes addresses of its own buffers, and what they hold.
    let batch = unsafe { read_batch(header, host.plan(), host.schema())? };
    Ok(host.push(batch)?)
}

/// Returns what was reported, in place; null if there is nothing. The next call drops it.
fn results<'l>(env: &mut Env<'l>, host: &mut Host) -> Result<JByteBuffer<'l>, Failure> {
    let results = host.read_results();
    if results.is_empty() {
        return Ok(JByteBuffer::default());
    }
    if jint::try_from(results.len()).is_err() {
        let message = format!("{} bytes of results do not fit into a buffer", results.len());
        return Err(Failure::Other(message));
    }
    let first = results.as_ptr().cast_mut();
    // SAFETY: the results stay where they are until the next call of `push`, `advance` or `free`.
    // `NativeEngine.java` only reads them, and only before.
    Ok(unsafe { env.new_direct_byte_buffer(first, results.len())? })
}

/// Advances the watermark, and returns results. The greatest time ends time.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeEngine_advance<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    engine: jlong,
    to: jlong,
) -> JByteBuffer<'l> {
    guarded(env, |env| {
        // SAFETY: as in `push`.
        let host = unsafe { host(engine)? };
        host.drop_read();
        advance(host, to)?;
        results(env, host)
    })
}

fn advance(host: &mut Host, to: jlong) -> Result<(), Failure> {
    match to {
        jlong::MAX => host.end_time()?,
        to => host.advance(Timestamp::from_millis(to))?,
    }
    Ok(())
}

/// Returns the state of key groups: an array of the heads, and one of the parts.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeEngine_snapshot<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    engine: jlong,
    groups: jint,
    first: jint,
    last: jint,
) -> JObjectArray<'l, JObject<'l>> {
    guarded(env, |env| {
        // SAFETY: as in `push`.
        let host = unsafe { host(engine)? };
        let number = |number: jint| u32::try_from(number).unwrap_or(0);
        let state = host.snapshot(number(groups), number(first), number(last))?;
        let heads = array_of_arrays(env, &state.heads)?;
        let parts = array_of_arrays(env, &state.parts)?;
        let class = env.find_class(JNIString::from("java/lang/Object"))?;
        let both = env.new_object_array(2, class, JObject::null())?;
        both.set_element(env, 0, &heads)?;
        both.set_element(env, 1, &parts)?;
        Ok(both)
    })
}

fn array_of_arrays<'l>(
    env: &mut Env<'l>,
    all: &[Vec<u8>],
) -> Result<JObjectArray<'l, JObject<'l>>, Failure> {
    let class = env.find_class(JNIString::from("[B"))?;
    let length = jint::try_from(all.len()).unwrap_or(jint::MAX);
    let arrays = env.new_object_array(length, class, JObject::null())?;
    for (index, bytes) in all.iter().enumerate() {
        let element = array(env, bytes)?;
        arrays.set_element(env, index, &element)?;
        env.delete_local_ref(element);
    }
    Ok(arrays)
}

/// Replaces the rules of an engine, and returns the verdicts.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeEngine_replace<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    engine: jlong,
    rules: JByteArray<'l>,
) -> JByteArray<'l> {
    guarded(env, |env| {
        // SAFETY: as in `push`.
        let host = unsafe { host(engine)? };
        let rules = build(&bytes(env, &rules)?)?;
        let mut out = Vec::new();
        write_verdicts(&mut out, &host.replace(&rules)?);
        array(env, &out)
    })
}

/// Writes the counts of an engine to an array, in the order of `NativeEngine.Count`.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeEngine_counts<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    engine: jlong,
    counts: JLongArray<'l>,
) {
    guarded(env, |env| {
        // SAFETY: as in `push`.
        let stats = unsafe { host(engine)? }.engine().stats();
        let all = [
            stats.events,
            stats.matches,
            stats.timeouts,
            stats.rejected,
            stats.keyless,
            stats.partials,
            stats.keys,
            stats.buffered,
            stats.overflowed,
            stats.suppressed,
            stats.filtered,
            stats.captured_bytes,
        ];
        let all = all.map(|count| jlong::try_from(count).unwrap_or(jlong::MAX));
        let room = counts.len(env)?.min(all.len());
        Ok(counts.set_region(env, 0, &all[..room])?)
    });
}

/// Returns the bytes that the library holds.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeEngine_usedBytes<'l>(
    _: EnvUnowned<'l>,
    _: JClass<'l>,
) -> jlong {
    memory::used_bytes()
}

/// Returns the most bytes that the library has held at once.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeEngine_peakBytes<'l>(
    _: EnvUnowned<'l>,
    _: JClass<'l>,
) -> jlong {
    memory::peak_bytes()
}

/// Returns the address of a direct buffer.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeEngine_address<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    buffer: JByteBuffer<'l>,
) -> jlong {
    guarded(env, |env| {
        let address = env.get_direct_buffer_address(&buffer)?.expose_provenance();
        Ok(jlong::try_from(address).unwrap_or(0))
    })
}

/// Returns the key group of a key, whose values are written as in snapshots: a count and the values.
/// For the test that Java computes the same.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeEngine_keyGroup<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    key: JByteArray<'l>,
    groups: jint,
) -> jint {
    guarded(env, |env| {
        let bytes = bytes(env, &key)?;
        let values = kleene_event::value::wire::read_values(&mut Reader::new(&bytes));
        let Some(values) = values else {
            return Err(Failure::Other(String::from("these are no values")));
        };
        let hash = KeyHasher::default().hash(&values);
        let group = key_group(hash, u32::try_from(groups).unwrap_or(1));
        Ok(jint::try_from(group).unwrap_or(0))
    })
}

/// Panics: for the test that a panic is an exception.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeEngine_panic<'l>(env: EnvUnowned<'l>, _: JClass<'l>) {
    guarded(env, |_| -> Result<(), Failure> { panic!("on request") });
}

/// Compiles rules that run for one key at a time, and returns their handle.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeOneKey_compile<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    rules: JByteArray<'l>,
    with: JByteArray<'l>,
) -> jlong {
    guarded(env, |env| {
        let rules = build(&bytes(env, &rules)?)?;
        Ok(handle::give(OneKey::new(rules, settings(&bytes(env, &with)?)?)?))
    })
}

/// Returns what the states of all keys under these rules have in common.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeOneKey_head<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    rules: jlong,
) -> JByteArray<'l> {
    guarded(env, |env| {
        // SAFETY: `NativeOneKey.java` uses a handle in the thread of its task only, until it is freed.
        let rules = unsafe { one_key(rules)? };
        array(env, rules.head())
    })
}

/// Pushes a batch, if its header has words, and advances the watermark, unless it is the least
/// time. `state` has the head and the part of the key's state. Its new state, and the results, go to
/// `state`; returns when the key is due, the least time if it has no state.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeOneKey_run<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    rules: jlong,
    state: JObjectArray<'l, JByteArray<'l>>,
    header: JByteBuffer<'l>,
    words: jint,
    to: jlong,
) -> jlong {
    guarded(env, |env| {
        // SAFETY: as in `head`.
        let rules = unsafe { one_key(rules)? };
        let (head, part) = (state.get_element(env, 0)?, state.get_element(env, 1)?);
        let before = KeyState { head: bytes(env, &head)?, part: bytes(env, &part)? };
        let mut host = rules.enter(&before)?;
        if words > 0 {
            push_batch(env, &mut host, &header, words)?;
        }
        if to != jlong::MIN {
            advance(&mut host, to)?;
        }
        let Done { state: after, results, due } = rules.leave(host)?;
        for (place, bytes) in [after.head, after.part, results].iter().enumerate() {
            let bytes = array(env, bytes)?;
            state.set_element(env, place, &bytes)?;
        }
        Ok(due.map_or(jlong::MIN, Timestamp::as_millis))
    })
}

/// Frees compiled rules.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeOneKey_free<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    rules: jlong,
) {
    guarded(env, |_| {
        // SAFETY: `NativeOneKey.java` frees each handle once, and uses it no more.
        unsafe { handle::free::<OneKey>(rules) };
        Ok(())
    });
}

/// Returns the rules of a handle.
///
/// # Safety
/// `handle` is of `compile`, and was not freed.
unsafe fn one_key<'h>(rules: jlong) -> Result<&'h OneKey, Failure> {
    // SAFETY: the caller's promise.
    let rules: Option<&mut OneKey> = unsafe { handle::borrow(rules) };
    rules.map(|rules| &*rules).ok_or_else(|| Failure::Other(String::from("the rules are closed")))
}

/// Frees an engine.
#[unsafe(no_mangle)]
extern "system" fn Java_io_kleene_flink_NativeEngine_free<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    engine: jlong,
) {
    guarded(env, |_| {
        // SAFETY: `NativeEngine.java` frees each handle once, and uses it no more.
        unsafe { handle::free::<Host>(engine) };
        Ok(())
    });
}
