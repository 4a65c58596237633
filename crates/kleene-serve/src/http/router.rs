//! The routes, and what is checked before a request reaches its handler.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{MatchedPath, Query, Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;

use super::app::{App, Peer, Phase, json_response, stopped};
use super::auth::{self, Caller, Role};
use super::counters::{Reason, Route};
use super::error::{Refusal, Refused};
use super::{events, rules};
use crate::metrics::plain_page;

/// Makes the routes of the HTTP interface.
pub(super) fn router(app: Arc<App>) -> Router {
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
    let mut response = match allowed {
        Ok(()) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    };
    // A browser must not guess that a rule file is a page.
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    let counters = &app.parts.counters;
    counters.count_request(route, response.status().as_u16());
    if let Some(Refused { reason, text }) = response.extensions().get::<Refused>() {
        counters.count_refused(*reason);
        if let Some(unlogged) = app.refusals.admit(*reason, Instant::now()) {
            let (status, reason) = (response.status().as_u16(), reason.name());
            // The text of diagnostics is for the client; the log has one line.
            let text = text.lines().next().unwrap_or_default();
            tracing::warn!(
                %method, ?path, caller = name, %address, status, reason, text, unlogged, "refused"
            );
        }
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

/// Returns the metrics: in `OpenMetrics` to a client that asks for it, as Prometheus does, else in the
/// older text format, which every tool reads.
async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let page = app.ask(|control| control.metrics()).await?;
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if accepted.any(|kinds| kinds.contains("application/openmetrics-text")) {
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        return Ok(([(CONTENT_TYPE, kind)], page).into_response());
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], plain_page(&page)).into_response())
}

async fn health(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    let health = app.ask(|control| control.check_health()).await?;
    health.map_err(Refusal::failed).map(|()| json_response(&json!({ "status": "ok" })))
}

async fn readiness(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    if *app.phase.borrow() == Phase::Stopping {
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
    query: Result<Query<ResultsQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let Ok(Query(ResultsQuery { rule })) = query else {
        return Err(Refusal::invalid("the query can be `?rule=NAME`"));
    };
    if app.settings.max_listeners == 0 {
        return Err(Refusal::not_found("there are no streams: `max_streams` of `[http]` is 0"));
    }
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
    let state = (subscription, app.phase.clone());
    let pieces = stream::unfold(state, |(mut subscription, mut phase)| async move {
        let piece = tokio::select! {
            piece = subscription.next() => piece,
            () = stopped(&mut phase) => return None,
        };
        Some((Ok::<_, Infallible>(piece), (subscription, phase)))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Proxies do not collect the results.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}
