//! The commitment to a challenge's hidden labels, and what opens it.

use axum::extract::State;
use referee_client::documents;
use referee_storage::challenges::Challenge;
use referee_storage::challenges::files::{self, Purpose};
use referee_storage::commitments::{self, Commitment, Opening};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::MaybeSignedIn;
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::secrets::hexadecimal;

/// The download whose presence says that the labels are published.
const PUBLISHED_LABELS: &str = "test-labels";

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show))
}

/// The commitment to the hidden labels: SHA-256 over labels, split and rules, with a salt. What opens it is there once the private
/// scores are released (where all images are public, after the close): for the challenge's organizers, and for everyone where they
/// have put the labels among the downloads, as `test-labels`.
#[utoipa::path(get, operation_id = "show_commitment", path = "/challenges/{slug}/commitment", tag = "challenges", params(("slug" = String, Path)), responses(
    (status = 200, description = "The commitment", body = documents::CommitmentDocument),
    (status = 404, description = "There is no such challenge, or no commitment yet", body = documents::Problem)
))]
async fn show(
    State(app): State<App>,
    viewer: MaybeSignedIn,
    Path(slug): Path<String>,
) -> Result<Json<documents::CommitmentDocument>, Problem> {
    let visible = app.visible_challenge(&slug, &viewer).await?;
    let challenge = &visible.challenge;
    let none = || {
        Problem::not_found(format!(
            "nothing is committed to in `{slug}` yet: that is done when it is published"
        ))
    };
    let made = commitments::current(&app.db, challenge.id)
        .await?
        .ok_or_else(none)?;
    let opening = opening(&app, challenge, visible.is_organizer, made).await?;
    let sealed_because = opening.as_ref().err().map(|why| (*why).to_owned());
    Ok(Json(documents::CommitmentDocument {
        label_version: made.label_version.unsigned_abs(),
        sha256: hexadecimal(&made.sha256),
        opening: opening.ok().map(opening_document),
        sealed_because,
    }))
}

/// The opening, or why there is none for whoever asks.
async fn opening(
    app: &App,
    challenge: &Challenge,
    is_organizer: bool,
    made: Commitment,
) -> Result<Result<Opening, &'static str>, Problem> {
    let published = files::file(&app.db, challenge.id, Purpose::Download, PUBLISHED_LABELS);
    if !is_organizer && published.await?.is_none() {
        return Ok(Err(
            "only the organizers can open it until they publish the labels, as the download `test-labels`",
        ));
    }
    let opening = commitments::open(&app.db, challenge.id, made.label_version).await?;
    Ok(opening.ok_or("it is opened when the private scores are released, or, where all images are public, after the close"))
}

fn opening_document(opening: Opening) -> documents::CommitmentOpening {
    documents::CommitmentOpening {
        salt: hexadecimal(&opening.salt),
        rules: opening.rules,
        public_images: hexadecimal(opening.public_images.as_bytes()),
    }
}

/// The commitment as a challenge's own document shows it.
pub fn document(made: Commitment) -> documents::Commitment {
    documents::Commitment {
        label_version: made.label_version.unsigned_abs(),
        sha256: hexadecimal(&made.sha256),
    }
}
