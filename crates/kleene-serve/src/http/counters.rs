//! What the HTTP interface counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// A route, as metrics name it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Route {
    PostEvents,
    GetResults,
    GetStatus,
    GetMetrics,
    GetHealth,
    GetReadiness,
    GetRules,
    GetRule,
    PutRule,
    DeleteRule,
    Other,
}

impl Route {
    /// All routes, in the order of their numbers.
    pub(crate) const ALL: [Route; 11] = [
        Route::PostEvents,
        Route::GetResults,
        Route::GetStatus,
        Route::GetMetrics,
        Route::GetHealth,
        Route::GetReadiness,
        Route::GetRules,
        Route::GetRule,
        Route::PutRule,
        Route::DeleteRule,
        Route::Other,
    ];

    /// Returns the method and the path, as they are named to users.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Route::PostEvents => "POST /events/{source}",
            Route::GetResults => "GET /results",
            Route::GetStatus => "GET /status",
            Route::GetMetrics => "GET /metrics",
            Route::GetHealth => "GET /healthz",
            Route::GetReadiness => "GET /readyz",
            Route::GetRules => "GET /rules",
            Route::GetRule => "GET /rules/{name}",
            Route::PutRule => "PUT /rules/{name}",
            Route::DeleteRule => "DELETE /rules/{name}",
            Route::Other => "other",
        }
    }
}

/// Why a request was refused, as metrics name it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reason {
    Unauthorized,
    Forbidden,
    ForeignHost,
    RateLimited,
    TooLarge,
    Invalid,
    MediaType,
    Full,
    Failed,
    Timeout,
    NotFound,
    RuleMistakes,
    Connections,
}

impl Reason {
    /// All reasons, in the order of their numbers.
    pub(crate) const ALL: [Reason; 13] = [
        Reason::Unauthorized,
        Reason::Forbidden,
        Reason::ForeignHost,
        Reason::RateLimited,
        Reason::TooLarge,
        Reason::Invalid,
        Reason::MediaType,
        Reason::Full,
        Reason::Failed,
        Reason::Timeout,
        Reason::NotFound,
        Reason::RuleMistakes,
        Reason::Connections,
    ];

    /// Returns the reason as a label of a metric.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Reason::Unauthorized => "unauthorized",
            Reason::Forbidden => "forbidden",
            Reason::ForeignHost => "foreign_host",
            Reason::RateLimited => "rate_limited",
            Reason::TooLarge => "too_large",
            Reason::Invalid => "invalid",
            Reason::MediaType => "media_type",
            Reason::Full => "full",
            Reason::Failed => "failed",
            Reason::Timeout => "timeout",
            Reason::NotFound => "not_found",
            Reason::RuleMistakes => "rule_mistakes",
            Reason::Connections => "connections",
        }
    }
}

/// The classes of statuses, as metrics name them.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The counters of the HTTP interface.
#[derive(Debug, Default)]
pub(crate) struct HttpCounters {
    requests: [[AtomicU64; CLASSES.len()]; Route::ALL.len()],
    refused: [AtomicU64; Reason::ALL.len()],
    bytes_in: AtomicU64,
    lines_in: AtomicU64,
    repeats: AtomicU64,
    open_connections: AtomicU64,
}

impl HttpCounters {
    /// Returns the number of requests that were answered, by route and class of the status.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (Route, &'static str, u64)> {
        Route::ALL.into_iter().zip(&self.requests).flat_map(|(route, classes)| {
            let counts = classes.iter().map(|count| count.load(Ordering::Relaxed));
            CLASSES.into_iter().zip(counts).map(move |(class, count)| (route, class, count))
        })
    }

    /// Returns the number of requests that were refused, by reason.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (Reason, u64)> {
        let counts = self.refused.iter().map(|count| count.load(Ordering::Relaxed));
        Reason::ALL.into_iter().zip(counts)
    }

    /// Returns the bytes of the events that were accepted.
    pub(crate) fn bytes_in(&self) -> u64 {
        self.bytes_in.load(Ordering::Relaxed)
    }

    /// Returns the lines of events that were accepted.
    pub(crate) fn lines_in(&self) -> u64 {
        self.lines_in.load(Ordering::Relaxed)
    }

    /// Returns the number of requests whose idempotency key was known.
    pub(crate) fn repeats(&self) -> u64 {
        self.repeats.load(Ordering::Relaxed)
    }

    /// Returns the number of connections that are open.
    pub(crate) fn open_connections(&self) -> u64 {
        self.open_connections.load(Ordering::Relaxed)
    }

    pub(super) fn count_request(&self, route: Route, status: u16) {
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        self.requests[route as usize][class].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_refused(&self, reason: Reason) {
        self.refused[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_events(&self, bytes: u64, lines: u64) {
        self.bytes_in.fetch_add(bytes, Ordering::Relaxed);
        self.lines_in.fetch_add(lines, Ordering::Relaxed);
    }

    pub(super) fn count_repeat(&self) {
        self.repeats.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn connection_opened(&self) {
        self.open_connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn connection_closed(&self) {
        self.open_connections.fetch_sub(1, Ordering::Relaxed);
    }
}
