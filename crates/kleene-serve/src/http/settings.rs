//! How the HTTP interface is set up.

use std::net::SocketAddr;
use std::time::Duration;

use super::auth::Token;

/// How the HTTP interface is set up.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The address to listen at. Port 0 takes any that is free.
    pub(crate) listen: SocketAddr,
    /// Who may do what. Without any, everyone may do everything, from this machine only.
    pub(crate) tokens: Vec<Token>,
    /// The longest body of a request in bytes.
    pub(crate) max_body: usize,
    /// The connections that may be open at once.
    pub(crate) max_connections: usize,
    /// The requests that a token, or an address without one, may make in a second.
    pub(crate) max_requests_per_second: Option<u32>,
    /// The time for a request, from its head to the answer.
    pub(crate) request_timeout: Duration,
    /// The time for the head of a request, and between two requests.
    pub(crate) header_timeout: Duration,
    /// The time after which a client that does not read its answer is given up.
    pub(crate) write_timeout: Duration,
    /// The clients that may listen to results at once.
    pub(crate) max_listeners: usize,
}

impl Settings {
    /// Returns the settings that the documentation names as defaults.
    pub(crate) fn new(listen: SocketAddr) -> Settings {
        Settings {
            listen,
            tokens: Vec::new(),
            max_body: 8 << 20,
            max_connections: 1000,
            max_requests_per_second: None,
            request_timeout: Duration::from_secs(30),
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_mins(1),
            max_listeners: 100,
        }
    }
}
