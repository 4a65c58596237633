//! The server: a runtime of its own, connections with limits, a graceful stop.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{self, Sleep};

use super::app::{App, Parts, Peer, Phase, stopped};
use super::auth::{Role, Token};
use super::counters::{HttpCounters, Reason};
use super::router::router;
use super::settings::Settings;

/// The bytes that are buffered of the head of a request, and in front of its body.
const MAX_BUFFER: usize = 64 << 10;

/// The time that requests have to be finished when the service stops.
const GRACE: Duration = Duration::from_secs(5);

/// The threads that wait for the service. They are few: all but a change of rules is quick.
const BLOCKING_THREADS: usize = 16;

/// A server that runs. It stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    /// The address that it listens at.
    pub(crate) addr: SocketAddr,
    phase: watch::Sender<Phase>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Stops: takes no connections any longer, and waits a few seconds for requests to be finished.
    pub(crate) fn stop(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        self.phase.send_replace(Phase::Stopping);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Starts the server on threads of its own.
pub(crate) fn start(settings: Settings, parts: Parts) -> Result<Server> {
    check(&settings)?;
    let listen = settings.listen;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("http")
        .enable_all()
        .build()?;
    let listener = runtime
        .block_on(TcpListener::bind(listen))
        .with_context(|| format!("cannot listen at {listen}; choose another address or port"))?;
    let addr = listener.local_addr()?;
    let (sender, phase) = watch::channel(Phase::Running);
    let app = Arc::new(App::new(settings, parts, phase));
    let thread = thread::Builder::new().name("http-accept".to_owned()).spawn(move || {
        runtime.block_on(accept(listener, &app));
        // A call of the service that does not come back must not hold up the stop.
        runtime.shutdown_timeout(Duration::from_secs(1));
    })?;
    Ok(Server { addr, phase: sender, thread: Some(thread) })
}

fn check(settings: &Settings) -> Result<()> {
    if settings.tokens.is_empty() {
        ensure!(
            settings.listen.ip().is_loopback(),
            "without tokens, everyone who reaches {} could change rules; \
             configure a token, or listen at 127.0.0.1",
            settings.listen
        );
        tracing::warn!("no tokens are configured: all users of this machine may change rules");
    }
    let empty = Token::new("", Role::Read, "").digest;
    for (index, token) in settings.tokens.iter().enumerate() {
        ensure!(token.digest != empty, "the secret of token `{}` is empty", token.name);
        for other in &settings.tokens[..index] {
            let (name, other_name) = (&token.name, &other.name);
            ensure!(name != other_name, "two tokens are named `{name}`");
            ensure!(
                token.digest != other.digest,
                "tokens `{other_name}` and `{name}` have the same secret"
            );
        }
    }
    if settings.max_body == 0 || settings.max_connections == 0 {
        return Err(anyhow!("the limits of bodies and connections cannot be 0"));
    }
    Ok(())
}

async fn accept(listener: TcpListener, app: &Arc<App>) {
    let router = router(Arc::clone(app));
    let connections = Arc::new(Semaphore::new(app.settings.max_connections));
    let mut phase = app.phase.clone();
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = tasks.join_next() => continue,
            () = stopped(&mut phase) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most often there are no file descriptors left.
                tracing::warn!(%error, "a connection cannot be accepted");
                time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else {
            app.parts.counters.count_refused(Reason::Connections);
            tracing::warn!(address = %peer.ip(), "refused: too many connections");
            refuse(&stream);
            continue;
        };
        let router = router.clone().layer(Extension(Peer(peer.ip())));
        let app = Arc::clone(app);
        tasks.spawn(async move {
            serve(stream, router, &app).await;
            drop(permit);
        });
    }
    drop(listener);
    let finish = async { while tasks.join_next().await.is_some() {} };
    let _ = time::timeout(GRACE, finish).await;
}

/// Says why a connection is closed, if that is possible at once.
fn refuse(stream: &TcpStream) {
    let body = "{\"error\":\"too many connections; try again after a second\"}\n";
    let length = body.len();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
    );
    let _ = stream.try_write(format!("{head}{body}").as_bytes());
}

/// Counts a connection as open.
struct Open<'a>(&'a HttpCounters);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.connection_closed();
    }
}

async fn serve(stream: TcpStream, router: Router, app: &App) {
    app.parts.counters.connection_opened();
    let _open = Open(&app.parts.counters);
    let _ = stream.set_nodelay(true);
    let stream = TimedStream { stream, timeout: app.settings.write_timeout, sleep: None };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(app.settings.header_timeout)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let mut phase = app.phase.clone();
    // Errors are those of clients that go away or send no HTTP.
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stopped(&mut phase) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection closed");
    }
}

/// A connection whose client has to take what is written to it in time.
#[derive(Debug)]
struct TimedStream {
    stream: TcpStream,
    timeout: Duration,
    /// Runs while a write waits.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl TimedStream {
    fn check<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.sleep = None;
            return written;
        }
        let timeout = self.timeout;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(time::sleep(timeout)));
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.check(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.check(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
