//! The connections of the server: how long a request's head may take, how slowly an answer may be read, and how they end when the server stops.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::routing::get;
use axum::serve::Listener;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::app::App;
use crate::problem::Problem;
use crate::reading::Reading;
use crate::router::router;

/// A connection that has not sent a whole head by then is closed, as is one that is not used.
const HEAD: Duration = Duration::from_mins(1);
/// When the server stops, a connection without a request is looked at so often, and closed the second time.
const LAST_LOOKS: Duration = Duration::from_millis(500);

/// How long uploads may go on after the server was told to stop; what is not whole by then is answered 503.
const UPLOADS_FINISH: Duration = Duration::from_mins(1);

/// Serves until `shutdown` is ready, then ends the open event streams and finishes the requests under way. A listener that
/// cannot accept is tried again every second.
pub async fn serve(
    listener: TcpListener,
    app: App,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let (closing, last_call) = (app.closing.clone(), app.last_call.clone());
    serve_routes(listener, router(app), closing, last_call, shutdown).await;
}

/// Answers 503 with the newest sentence of `why` until `shutdown` is ready, from its first change on: the server waits for what it
/// stands on.
pub async fn serve_waiting(
    listener: TcpListener,
    mut why: watch::Receiver<String>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    if why.changed().await.is_err() {
        return;
    }
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(move || {
            let why = why.borrow().clone();
            async move { Problem::unavailable(5, why) }
        });
    let never = CancellationToken::new;
    serve_routes(listener, routes, never(), never(), shutdown).await;
}

async fn serve_routes(
    mut listener: TcpListener,
    routes: Router,
    closing: CancellationToken,
    last_call: CancellationToken,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, peer) = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
            accepted = Listener::accept(&mut listener) => accepted,
        };
        connections.spawn(connection(stream, peer, routes.clone(), closing.clone()));
    }
    drop(listener);
    closing.cancel();
    let finished = async { while connections.join_next().await.is_some() {} };
    let given_up = async {
        sleep(UPLOADS_FINISH).await;
        last_call.cancel();
        std::future::pending::<()>().await;
    };
    tokio::select! { () = finished => {}, () = given_up => {} }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    closing: CancellationToken,
) {
    // Each request holds it until its answer is sent; this function and the service hold it always.
    let under_way = Arc::new(());
    let held = Arc::clone(&under_way);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (routes, held) = (routes.clone(), Arc::clone(&held));
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let answer = routes.oneshot(request).await?;
            Ok::<_, Infallible>(answer.map(|body| Answer { body, _held: held }))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(Reading::new(stream)), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            // It ends by itself after the answer under way, but would wait for the rest of a head.
            let unused = async {
                let mut looks = 0;
                while looks < 2 {
                    sleep(LAST_LOOKS).await;
                    looks = if Arc::strong_count(&under_way) > 2 { 0 } else { looks + 1 };
                }
            };
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = unused => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended early");
    }
}

/// An answer's body, which says by its end that the request is no longer under way.
struct Answer {
    body: Body,
    _held: Arc<()>,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
