//! A file per resource: its handlers, what they answer, and their tests.

mod me;
mod session;
mod users;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// Everything below `/api/v1`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(users::routes())
        .merge(session::routes())
        .merge(me::routes())
}
