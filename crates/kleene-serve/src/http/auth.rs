//! Who may do what: tokens, limits of rate, and foreign hosts.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use hashbrown::HashMap;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::counters::Reason;
use super::error::Refusal;

/// The addresses whose requests are counted before those that wait are forgotten.
const MAX_BUCKETS: usize = 8192;

/// What the owner of a token may do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Read results, rules, the status and metrics.
    Read,
    /// Send events.
    Intake,
    /// Change rules, and read.
    Edit,
}

impl Role {
    fn allows(self, wanted: Role) -> bool {
        self == wanted || (self == Role::Edit && wanted == Role::Read)
    }

    fn name(self) -> &'static str {
        match self {
            Role::Read => "read",
            Role::Intake => "intake",
            Role::Edit => "edit",
        }
    }
}

/// A token. Of its secret it has only the SHA-256.
#[derive(Clone)]
pub(crate) struct Token {
    pub(super) name: String,
    role: Role,
    pub(super) digest: [u8; 32],
}

impl Token {
    /// Makes a token of its secret, which is not kept.
    pub(crate) fn new(name: impl Into<String>, role: Role, secret: &str) -> Token {
        Token { name: name.into(), role, digest: Sha256::digest(secret).into() }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// The one who makes a request.
#[derive(Clone, Debug)]
pub(super) enum Caller {
    /// The owner of a token.
    Token { index: usize, name: String, role: Role },
    /// Anyone, who may do everything: there are no tokens.
    Anyone,
    /// Somebody without a token, or with a wrong one.
    Unknown { has_token: bool },
}

impl Caller {
    /// Finds whose secret a request has.
    pub(super) fn of(headers: &HeaderMap, tokens: &[Token]) -> Caller {
        if tokens.is_empty() {
            return Caller::Anyone;
        }
        let value = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let secret = value.and_then(|value| match value.split_at_checked(7) {
            Some((scheme, secret)) if scheme.eq_ignore_ascii_case(b"bearer ") => Some(secret),
            _ => None,
        });
        let Some(secret) = secret else {
            return Caller::Unknown { has_token: value.is_some() };
        };
        let digest: [u8; 32] = Sha256::digest(secret.trim_ascii()).into();
        let mut found = None;
        // All are compared, so that the time does not depend on which one is nearly right.
        for (index, token) in tokens.iter().enumerate() {
            if bool::from(digest.ct_eq(&token.digest)) {
                found = Some((index, token));
            }
        }
        found.map_or(Caller::Unknown { has_token: true }, |(index, token)| Caller::Token {
            index,
            name: token.name.clone(),
            role: token.role,
        })
    }

    /// Returns the name for the log.
    pub(super) fn name(&self) -> &str {
        match self {
            Caller::Token { name, .. } => name,
            Caller::Anyone => "anyone",
            Caller::Unknown { .. } => "unknown",
        }
    }

    /// Refuses a caller who does not have a role.
    pub(super) fn check(&self, wanted: Role) -> Result<(), Refusal> {
        let unauthorized =
            |text: &str| Err(Refusal::new(StatusCode::UNAUTHORIZED, Reason::Unauthorized, text));
        match self {
            Caller::Anyone => Ok(()),
            Caller::Token { role, .. } if role.allows(wanted) => Ok(()),
            Caller::Token { name, role, .. } => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                Reason::Forbidden,
                format!(
                    "token `{name}` has the role `{}`; use a token with the role `{}`",
                    role.name(),
                    wanted.name()
                ),
            )),
            Caller::Unknown { has_token: true } => unauthorized("the token is not known"),
            Caller::Unknown { has_token: false } => {
                unauthorized("send a token: `Authorization: Bearer ..`")
            }
        }
    }
}

/// Refuses requests of web pages, for a service that is open to its own machine.
///
/// A page can have the name of its host lead here (DNS rebinding), or send a request to a local
/// address, whose answer it cannot read but which would be carried out.
pub(super) fn check_is_local(headers: &HeaderMap) -> Result<(), Refusal> {
    let refuse = |text: &str| Err(Refusal::new(StatusCode::FORBIDDEN, Reason::ForeignHost, text));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    if !host.is_some_and(|host| is_local(host.host())) {
        return refuse(
            "without tokens, the `Host` of a request must be `localhost`, `127.0.0.1` or `[::1]`",
        );
    }
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    if origin.is_some_and(|origin| origin.host().is_some_and(is_local)) {
        return Ok(());
    }
    refuse("without tokens, web pages of other hosts are refused; configure a token")
}

fn is_local(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The one whose rate is limited.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum BucketKey {
    Token(usize),
    Address(IpAddr),
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// The requests that may be made now.
    tokens: f64,
    filled: Instant,
}

/// Limits the requests that each token, and each address without one, may make in a second.
#[derive(Debug)]
pub(super) struct Limiter {
    per_second: Option<f64>,
    buckets: Mutex<HashMap<BucketKey, Bucket>>,
}

impl Limiter {
    pub(super) fn new(per_second: Option<u32>) -> Limiter {
        Limiter {
            per_second: per_second.filter(|limit| *limit > 0).map(f64::from),
            buckets: Mutex::default(),
        }
    }

    pub(super) fn check(&self, caller: &Caller, address: IpAddr) -> Result<(), Refusal> {
        let Some(per_second) = self.per_second else { return Ok(()) };
        let key = match caller {
            Caller::Token { index, .. } => BucketKey::Token(*index),
            Caller::Anyone | Caller::Unknown { .. } => BucketKey::Address(network_of(address)),
        };
        let now = Instant::now();
        let fill = |bucket: &Bucket| {
            let elapsed = now.saturating_duration_since(bucket.filled).as_secs_f64();
            (bucket.tokens + elapsed * per_second).min(per_second)
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_BUCKETS {
            buckets.retain(|key, bucket| {
                matches!(key, BucketKey::Token(_)) || fill(bucket) < per_second
            });
            if buckets.len() >= MAX_BUCKETS {
                buckets.clear();
            }
        }
        let full = Bucket { tokens: per_second, filled: now };
        let bucket = buckets.entry(key).or_insert(full);
        *bucket = Bucket { tokens: fill(bucket), filled: now };
        if bucket.tokens < 1.0 {
            return Err(Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                Reason::RateLimited,
                format!("more than {per_second} requests a second; send more events in each"),
            ));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

/// Returns the network of an address that one client can choose from: a /64 of IPv6.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
    }
}
