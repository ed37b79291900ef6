use std::sync::OnceLock;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use referee_client::documents;
use referee_storage::operations::{self, Labelled, Readiness};
use referee_storage::{NotReady, Wait};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::outage::database_away;
use crate::problem::Problem;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
}

/// Whether the process runs.
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, description = "It does", body = String)))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the server can do its work: its database answers, has this version's schema and can be written to, as its storage can, and
/// the store is that database's.
#[utoipa::path(get, path = "/readyz", tag = "server", responses(
    (status = 200, description = "It can", body = String),
    (status = 503, description = "The database or the storage does not answer or is read-only, the database has another version's schema, or the object store is not this database's", body = documents::Problem),
    (status = 507, description = "The storage is full", body = documents::Problem)
))]
async fn readyz(State(app): State<App>) -> Result<&'static str, Problem> {
    if app.contact.lost_since().is_some() {
        return Err(database_away());
    }
    let looked = async {
        app.db.check_schema().await?;
        app.db.check_store(&app.objects).await
    };
    if let Err(error) = looked.await {
        let sentence = match &error {
            NotReady::Older { .. } | NotReady::Newer { .. } | NotReady::Altered { .. } => {
                error.to_string()
            }
            NotReady::Storage(_) => "the database does not answer".to_owned(),
            // Where it is, and whose, is not everybody's business.
            _ => "the object store is away, or is not this database's: the server's log says more"
                .to_owned(),
        };
        tracing::warn!(%error, "not ready");
        return Err(Problem::unavailable(5, sentence));
    }
    if let Ok(false) = app.db.is_as_given().await {
        return Err(Problem::unavailable(
            60,
            "the database role of this server has another password or other defaults than it was given: somebody has used the role for that; find out who, then run `referee migrate`",
        ));
    }
    match operations::readiness(&app.db).await {
        Some(Readiness::Ready) => {}
        Some(Readiness::ReadOnly) => {
            return Err(Problem::unavailable(30, "the database is read-only"));
        }
        None => {
            return Err(Problem::unavailable(
                5,
                "the database does not answer, or its schema is missing: run `referee migrate`",
            ));
        }
    }
    app.objects.try_writing().await?;
    Ok("ready\n")
}

/// Figures for Prometheus: requests by route, uploads, submissions by status, the oldest waiting one, workers alive,
/// and what the watchdog did.
#[utoipa::path(get, path = "/metrics", tag = "server", responses(
    (status = 200, description = "Prometheus text format", body = String)
))]
async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let pipeline = operations::pipeline(&app.db).await?;
    for status in [
        "queued",
        "running",
        "scored",
        "rejected",
        "failed",
        "withdrawn",
    ] {
        gauge!("referee_submissions", "status" => status)
            .set(count_of(&pipeline.submissions, status));
    }
    gauge!("referee_oldest_waiting_seconds").set(pipeline.oldest_waiting_seconds.unwrap_or(0.0));
    for kind in ["predictions", "model"] {
        gauge!("referee_workers_alive", "kind" => kind)
            .set(count_of(&pipeline.workers_alive, kind));
        gauge!("referee_unfinished", "kind" => kind).set(count_of(&pipeline.unfinished, kind));
    }
    for wait in Wait::ALL {
        gauge!("referee_submissions_waiting", "for" => wait.word())
            .set(count_of(&pipeline.troubled, wait.word()));
    }
    for action in ["requeued", "failed", "waited", "retried"] {
        gauge!("referee_watchdog_actions", "action" => action)
            .set(count_of(&pipeline.watchdog_actions, action));
    }
    let recorder = recorder();
    recorder.run_upkeep();
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        recorder.render(),
    )
        .into_response())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of submissions stay far below 2^52"
)]
fn count_of(counts: &[Labelled], label: &str) -> f64 {
    counts
        .iter()
        .find(|counted| counted.label == label)
        .map_or(0.0, |counted| counted.count as f64)
}

/// Counts a request under its route (never its path: slugs and ids are not labels) and measures how long its answer took
/// to begin.
pub async fn count_requests(request: Request, next: Next) -> Response {
    recorder();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("", MatchedPath::as_str)
        .to_owned();
    let method = request.method().to_string();
    let start = Instant::now();
    let response = next.run(request).await;
    let labels = [("method", method), ("route", route)];
    histogram!("referee_http_request_seconds", &labels).record(start.elapsed());
    let status = response.status().as_u16().to_string();
    let [method, route] = labels;
    counter!(
        "referee_http_requests_total",
        &[method, route, ("status", status)]
    )
    .increment(1);
    response
}

/// The process's recorder, installed at the first use; a process has one, whoever serves from it.
fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        const SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 10.0];
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .expect("the list of buckets is not empty")
            .build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is installed; /metrics shows only what is counted at the scrape");
        }
        handle
    })
}
