//! The HTTP interface: events in, results out, rules that change.
//!
//! Only this part is asynchronous. It has a runtime of its own, and reaches the rest by journals, the
//! hub and [`Control`], which may block and is called on threads that may.

mod auth;
mod counters;
mod error;
mod events;
mod rules;
mod server;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Query, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio::task;
use tokio::time;

use self::auth::{Caller, Limiter};
use self::counters::Reason;
use self::error::{Refusal, Refused};
use crate::control::Control;
use crate::hub::Hub;
use crate::journal::Journal;

pub(crate) use self::auth::{Role, Token};
pub(crate) use self::counters::{HttpCounters, Route};
pub(crate) use self::server::{Server, start};

/// The bytes of bodies that are in memory at once, for all requests, unless one may be larger.
const BODY_MEMORY: usize = 256 << 20;

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
            max_body: 16 << 20,
            max_connections: 1024,
            max_requests_per_second: None,
            request_timeout: Duration::from_secs(30),
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_mins(1),
            max_listeners: 256,
        }
    }
}

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

/// The state that all requests share.
struct App {
    settings: Settings,
    parts: Parts,
    limiter: Limiter,
    /// The kilobytes of bodies that may still be read.
    memory: Arc<Semaphore>,
    /// True when the service stops.
    stopping: watch::Receiver<bool>,
}

/// The address that a connection comes from.
#[derive(Clone, Copy, Debug)]
struct Peer(IpAddr);

impl App {
    fn new(settings: Settings, parts: Parts, stopping: watch::Receiver<bool>) -> App {
        let limiter = Limiter::new(settings.max_requests_per_second);
        let kilobytes = BODY_MEMORY.max(settings.max_body * 2).div_ceil(1024);
        let memory = Arc::new(Semaphore::new(kilobytes.min(Semaphore::MAX_PERMITS)));
        App { settings, parts, limiter, memory, stopping }
    }

    /// Asks the service something, on a thread that may wait.
    async fn ask<T: Send + 'static>(
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

fn router(app: Arc<App>) -> Router {
    let rule = get(rules::get).put(rules::put).delete(rules::delete);
    Router::new()
        .route("/events", post(events::post))
        .route("/events/{source}", post(events::post))
        .route("/results", get(results))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .route("/readyz", get(readiness))
        .route("/rules", get(rules::list))
        .route("/rules/{name}", rule)
        .method_not_allowed_fallback(unknown_method)
        .fallback(unknown_route)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), admit))
        .with_state(app)
}

/// Returns the route of a request, and the role that its caller needs.
fn route_of(request: &Request) -> (Route, Option<Role>) {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    // A request for the head only is one for the whole, whose body is left out.
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    match (method.as_str(), path.unwrap_or_default()) {
        ("POST", "/events" | "/events/{source}") => (Route::PostEvents, Some(Role::Intake)),
        ("GET", "/results") => (Route::GetResults, Some(Role::Read)),
        ("GET", "/status") => (Route::GetStatus, Some(Role::Read)),
        ("GET", "/metrics") => (Route::GetMetrics, Some(Role::Read)),
        ("GET", "/healthz") => (Route::GetHealth, None),
        ("GET", "/readyz") => (Route::GetReadiness, None),
        ("GET", "/rules") => (Route::GetRules, Some(Role::Read)),
        ("GET", "/rules/{name}") => (Route::GetRule, Some(Role::Read)),
        ("PUT", "/rules/{name}") => (Route::PutRule, Some(Role::Edit)),
        ("DELETE", "/rules/{name}") => (Route::DeleteRule, Some(Role::Edit)),
        _ => (Route::Other, None),
    }
}

/// Lets a request through to its handler, or refuses it; counts it, and logs a refusal.
async fn admit(
    State(app): State<Arc<App>>,
    Extension(Peer(address)): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = Caller::of(request.headers(), &app.settings.tokens);
    let (route, role) = route_of(&request);
    let allowed = match &caller {
        Caller::Anyone => auth::check_is_local(request.headers()),
        Caller::Token { .. } | Caller::Unknown { .. } => Ok(()),
    };
    let allowed = allowed
        .and_then(|()| app.limiter.check(&caller, address))
        .and_then(|()| role.map_or(Ok(()), |role| caller.check(role)));
    let name = caller.name().to_owned();
    let method = request.method().clone();
    let path: String = request.uri().path().chars().take(200).collect();
    let response = match allowed {
        Ok(()) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    };
    let counters = &app.parts.counters;
    counters.count_request(route, response.status().as_u16());
    if let Some(Refused { reason, text }) = response.extensions().get::<Refused>() {
        counters.count_refused(*reason);
        let (status, reason) = (response.status().as_u16(), reason.name());
        // The text of diagnostics is for the client; the log has one line.
        let text = text.lines().next().unwrap_or_default();
        tracing::warn!(%method, ?path, caller = name, %address, status, reason, text, "refused");
    }
    response
}

async fn unknown_route() -> Refusal {
    let routes: Vec<&str> =
        Route::ALL.into_iter().filter(|route| *route != Route::Other).map(Route::name).collect();
    Refusal::not_found(format!("there is no such route; there are: {}", routes.join(", ")))
}

async fn unknown_method() -> Refusal {
    let text = "the route does not have this method; `GET /` lists the routes";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Reason::NotFound, text)
}

async fn status(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    app.ask(|control| control.status()).await.map(|status| json_response(&status))
}

async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    let text = app.ask(|control| control.metrics()).await?;
    let kind = if text.ends_with("# EOF\n") {
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    } else {
        "text/plain; version=0.0.4; charset=utf-8"
    };
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}

async fn health(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    let health = app.ask(|control| control.check_health()).await?;
    health.map_err(Refusal::failed).map(|()| json_response(&json!({ "status": "ok" })))
}

async fn readiness(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    if *app.stopping.borrow() {
        return Err(Refusal::failed("the service stops"));
    }
    let readiness = app.ask(|control| control.check_readiness()).await?;
    readiness.map_err(Refusal::failed).map(|()| json_response(&json!({ "status": "ready" })))
}

#[derive(Deserialize)]
struct ResultsQuery {
    rule: Option<String>,
}

/// Gives results to a client until it goes away, or the service stops.
async fn results(
    State(app): State<Arc<App>>,
    query: Result<Query<ResultsQuery>, axum::extract::rejection::QueryRejection>,
    headers: axum::http::HeaderMap,
) -> Result<Response, Refusal> {
    let Ok(Query(ResultsQuery { rule })) = query else {
        return Err(Refusal::invalid("the query can be `?rule=NAME`"));
    };
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let subscription = app.parts.hub.subscribe(rule, last_id);
    // The own one is counted as well.
    if app.parts.hub.clients() > app.settings.max_listeners {
        return Err(Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            Reason::Connections,
            format!("{} clients listen already; close one", app.settings.max_listeners),
        ));
    }
    let state = (subscription, app.stopping.clone());
    let pieces = stream::unfold(state, |(mut subscription, mut stopping)| async move {
        let piece = tokio::select! {
            piece = subscription.next() => piece,
            () = server::stopped(&mut stopping) => return None,
        };
        Some((Ok::<_, std::convert::Infallible>(piece), (subscription, stopping)))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Proxies do not collect the results.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

fn json_response(value: &serde_json::Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], format!("{value}\n")).into_response()
}
