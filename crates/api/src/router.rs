use std::any::Any;

use axum::extract::OriginalUri;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::problem::Problem;
use crate::{auth, health, hosts, openapi, outage, peer, routes, web};

/// Every route of the server with its description.
pub(crate) fn described_routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::Frame::openapi())
        .nest("/api/v1", routes::routes())
        .merge(health::routes())
}

/// The whole server: the API below `/api/v1`, `/healthz`, `/readyz`, `/metrics`, and the web UI everywhere else.
pub fn router(app: App) -> Router {
    let (routes, document) = described_routes().split_for_parts();
    routes
        .route(
            "/api/v1/openapi.json",
            get(|| async { axum::Json(document) }),
        )
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(outside_the_routes)
        .route_layer(middleware::from_fn_with_state(
            app.clone(),
            outage::answer_from_memory,
        ))
        .route_layer(middleware::from_fn(health::count_requests))
        .layer(middleware::from_fn_with_state(
            app.clone(),
            auth::refuse_other_origins,
        ))
        .layer(middleware::from_fn_with_state(
            app.clone(),
            peer::note_for_audit,
        ))
        .layer(middleware::from_fn_with_state(
            app.clone(),
            hosts::refuse_other_hosts,
        ))
        .layer(middleware::from_fn(web::add_security_headers))
        .layer(CompressionLayer::new().compress_when(is_text))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(TraceLayer::new_for_http().on_response(DefaultOnResponse::new()))
        .with_state(app)
}

async fn outside_the_routes(
    method: Method,
    OriginalUri(uri): OriginalUri,
    request: axum::extract::Request,
) -> Response {
    let path = uri.path();
    if path == "/api" || path.starts_with("/api/") || !matches!(method, Method::GET | Method::HEAD)
    {
        return Problem::not_found(format!(
            "there is no {path} here; /api/v1/openapi.json lists what there is"
        ))
        .into_response();
    }
    web::answer(path, request.headers())
}

async fn method_not_allowed(method: Method, OriginalUri(uri): OriginalUri) -> Problem {
    let detail = format!(
        "{} does not answer {method}; /api/v1/openapi.json lists what it does",
        uri.path()
    );
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

/// Text is compressed on the way; data sets, predictions and event streams are not.
fn is_text(
    status: StatusCode,
    _: axum::http::Version,
    headers: &axum::http::HeaderMap,
    _: &axum::http::Extensions,
) -> bool {
    const TEXT: [&str; 6] = [
        "application/json",
        "application/problem+json",
        "text/html",
        "text/css",
        "text/javascript",
        "image/svg+xml",
    ];
    let kind = headers
        .get(axum::http::header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    status != StatusCode::PARTIAL_CONTENT && TEXT.iter().any(|text| kind.starts_with(text))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "CatchPanicLayer hands the panic over"
)]
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let cause = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words");
    Problem::internal(cause).into_response()
}
