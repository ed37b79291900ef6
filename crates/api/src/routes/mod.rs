//! A file per resource: its handlers, what they answer, and their tests.

mod architectures;
mod challenges;
mod commitment;
mod events;
mod files;
mod images;
mod intake;
mod labels;
mod leaderboard;
mod me;
mod organizers;
mod queue;
mod quota;
mod session;
mod submissions;
mod users;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// Everything below `/api/v1`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(users::routes())
        .merge(session::routes())
        .merge(me::routes())
        .merge(challenges::routes())
        .merge(organizers::routes())
        .merge(labels::routes())
        .merge(commitment::routes())
        .merge(images::routes())
        .merge(files::routes())
        .merge(architectures::routes())
        .merge(intake::routes())
        .merge(submissions::routes())
        .merge(quota::routes())
        .merge(queue::routes())
        .merge(leaderboard::routes())
        .merge(events::routes())
}
