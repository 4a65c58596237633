//! The state of key groups: snapshots of parts of the keys, without what they have in common.
//!
//! Each part of a snapshot has the schema, the rules and their texts. A host with 128 key groups would
//! keep them 128 times. So they are cut out of each part, and kept once, as its *head*.

use std::collections::BTreeMap;

use kleene::stream::{EngineBuilder, Replacement};
use kleene::{Engine, Record, Timestamp};
use kleene_event::util::fnv::Fnv;

use crate::error::HostError;

/// The state of key groups.
#[derive(Clone, Debug, Default)]
pub struct KeyGroups {
    /// What parts have in common. The parts of one engine have the same head.
    pub heads: Vec<Vec<u8>>,
    /// The parts without it, by key group. A key group without state has no bytes.
    pub parts: Vec<Vec<u8>>,
}

/// The bytes before the part itself: the identity of its head, and where the head was.
const PREFIX: usize = 16;

impl KeyGroups {
    /// Cuts the head out of each part of a snapshot.
    pub(crate) fn of_parts(parts: Vec<Vec<u8>>) -> KeyGroups {
        let mut groups = KeyGroups::default();
        // Rules may be long, and are hashed once.
        let mut identities: Vec<u64> = Vec::new();
        for part in parts {
            let Some((start, end)) = head_of(&part) else {
                groups.parts.push(Vec::new());
                continue;
            };
            let head = &part[start..end];
            let known = groups.heads.iter().position(|known| known == head);
            let number = known.unwrap_or_else(|| {
                groups.heads.push(head.to_vec());
                identities.push(identity(head));
                identities.len() - 1
            });
            let mut cut = Vec::with_capacity(PREFIX + part.len() - head.len());
            cut.extend_from_slice(&identities[number].to_le_bytes());
            cut.extend_from_slice(&(start as u64).to_le_bytes());
            cut.extend_from_slice(&part[..start]);
            cut.extend_from_slice(&part[end..]);
            groups.parts.push(cut);
        }
        groups
    }
}

/// Restores an engine of key groups. Parts with different heads are of engines with different rules:
/// the parts of each are restored to the builder's rules first, and then joined.
///
/// A key group without state has no bytes and no watermark. If it comes from a host whose watermark
/// was earlier than that of all parts, its next events would be late: so the engine starts at the
/// beginning of time if its watermark is after `earliest`.
pub(crate) fn restore(
    builder: impl Fn() -> EngineBuilder<Record>,
    state: &KeyGroups,
    earliest: Timestamp,
) -> Result<(Engine<Record>, Replacement), HostError> {
    let (engine, verdicts) = join(&builder, state)?;
    if engine.watermark() <= earliest {
        return Ok((engine, verdicts));
    }
    let new = builder().build().map_err(HostError::new)?;
    let (engine, _) = restored(builder(), &[new.snapshot(), engine.snapshot()])?;
    Ok((engine, verdicts))
}

fn join(
    builder: &impl Fn() -> EngineBuilder<Record>,
    state: &KeyGroups,
) -> Result<(Engine<Record>, Replacement), HostError> {
    let heads: BTreeMap<u64, &[u8]> =
        state.heads.iter().map(|head| (identity(head), &head[..])).collect();
    let mut by_head: BTreeMap<u64, Vec<Vec<u8>>> = BTreeMap::new();
    for part in state.parts.iter().filter(|part| !part.is_empty()) {
        let (head, part) = whole(part, &heads)?;
        by_head.entry(head).or_default().push(part);
    }
    let mut verdicts = Replacement::default();
    let mut joined: Vec<Vec<u8>> = Vec::new();
    let several = by_head.len() > 1;
    for parts in by_head.into_values() {
        if !several {
            joined = parts;
            break;
        }
        let (engine, replacement) = restored(builder(), &parts)?;
        joined.push(engine.snapshot());
        verdicts.rules.extend(replacement.rules);
    }
    if joined.is_empty() {
        return Ok((builder().build().map_err(HostError::new)?, verdicts));
    }
    let (engine, replacement) = restored(builder(), &joined)?;
    if verdicts.rules.is_empty() {
        verdicts = replacement;
    }
    Ok((engine, verdicts))
}

fn restored(
    builder: EngineBuilder<Record>,
    parts: &[Vec<u8>],
) -> Result<(Engine<Record>, Replacement), HostError> {
    let parts: Vec<&[u8]> = parts.iter().map(|part| &part[..]).collect();
    builder.restore(&parts).map_err(HostError::new)
}

/// Puts the head back into a part.
fn whole(part: &[u8], heads: &BTreeMap<u64, &[u8]>) -> Result<(u64, Vec<u8>), HostError> {
    let damaged = || HostError::new("the state of a key group is damaged");
    let (head, rest) = part.split_first_chunk::<8>().ok_or_else(damaged)?;
    let (at, rest) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    let head = u64::from_le_bytes(*head);
    let at = usize::try_from(u64::from_le_bytes(*at)).ok().filter(|at| *at <= rest.len());
    let at = at.ok_or_else(damaged)?;
    let common = heads.get(&head).ok_or_else(|| {
        HostError::new("the state of a key group has lost the rules that it was taken under")
    })?;
    Ok((head, [&rest[..at], common, &rest[at..]].concat()))
}

fn identity(head: &[u8]) -> u64 {
    let mut hash = Fnv::new();
    hash.write(head);
    hash.finish()
}

/// Returns where the schema, the rules and their texts begin and end in a snapshot: its sections 3 to
/// 5, which follow each other (docs/format.md). `None` if there is no such place.
fn head_of(snapshot: &[u8]) -> Option<(usize, usize)> {
    const FRAME: usize = 12;
    const CHECKSUM: usize = 4;
    let end = snapshot.len().checked_sub(CHECKSUM)?;
    let (mut at, mut start, mut stop) = (FRAME, None, None);
    while at < end {
        let section = *snapshot.get(at)?;
        let length = snapshot.get(at + 1..at + 9)?.try_into().ok()?;
        let next = usize::try_from(u64::from_le_bytes(length)).ok()?.checked_add(at + 9)?;
        match section {
            3 => start = Some(at),
            5 => stop = Some(next),
            _ => {}
        }
        at = next;
    }
    Some((start?, stop?)).filter(|(start, stop)| start < stop && *stop <= end)
}
