//! The state that all requests share.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use tokio::sync::{Semaphore, watch};
use tokio::task;
use tokio::time;

use super::auth::Limiter;
use super::counters::{HttpCounters, Reason};
use super::error::Refusal;
use super::refusals::RefusalLog;
use super::settings::Settings;
use crate::control::Control;
use crate::hub::Hub;
use crate::journal::Journal;

/// The bytes of bodies that are in memory at once, for all requests, unless one may be larger.
const BODY_MEMORY: usize = 256 << 20;

/// What the HTTP interface works on.
#[derive(Clone)]
pub(crate) struct Parts {
    /// The journals that take events, by the name of their source.
    pub(crate) journals: BTreeMap<String, Arc<Journal>>,
    /// The newest results.
    pub(crate) hub: Arc<Hub>,
    /// The service.
    pub(crate) control: Arc<dyn Control>,
    /// What is counted.
    pub(crate) counters: Arc<HttpCounters>,
}

/// If the service goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Running,
    Stopping,
}

/// Waits until the service stops.
pub(super) async fn stopped(phase: &mut watch::Receiver<Phase>) {
    // It fails when the server is gone, which is a stop too.
    let _ = phase.wait_for(|phase| *phase == Phase::Stopping).await;
}

/// The state that all requests share.
pub(super) struct App {
    pub(super) settings: Settings,
    pub(super) parts: Parts,
    pub(super) limiter: Limiter,
    pub(super) refusals: RefusalLog,
    /// The kilobytes of bodies that may still be read.
    pub(super) memory: Arc<Semaphore>,
    pub(super) phase: watch::Receiver<Phase>,
}

/// The address that a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

impl App {
    pub(super) fn new(settings: Settings, parts: Parts, phase: watch::Receiver<Phase>) -> App {
        let limiter = Limiter::new(settings.max_requests_per_second);
        let kilobytes = BODY_MEMORY.max(settings.max_body * 2).div_ceil(1024);
        let memory = Arc::new(Semaphore::new(kilobytes.min(Semaphore::MAX_PERMITS)));
        let refusals = RefusalLog::default();
        App { settings, parts, limiter, refusals, memory, phase }
    }

    /// Asks the service something, on a thread that may wait.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Control) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let control = Arc::clone(&self.parts.control);
        let answer = task::spawn_blocking(move || question(&*control));
        match time::timeout(self.settings.request_timeout, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Refusal::failed("the service could not answer; see its log")),
            Err(_) => Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                Reason::Timeout,
                "the service has not answered in time; look at /status before trying again",
            )),
        }
    }
}

/// Returns a response of JSON.
pub(super) fn json_response(value: &serde_json::Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], format!("{value}\n")).into_response()
}
