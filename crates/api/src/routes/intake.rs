//! How submissions come in: a form whose file goes straight to the object store, then one transaction that makes it a
//! submission with a job, or leaves nothing.

mod body;
mod form;
mod upload;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use referee_client::documents;
use referee_scoring::Over;
use referee_scoring::model_form::ClassOrder;
use referee_storage::challenges::settings::{AfterClose, OutsideData};
use referee_storage::challenges::{self, State as ChallengeState};
use referee_storage::submissions::intake::{self, Intake, NewData, NewSubmission, Refusal, Terms};
use referee_storage::submissions::{Entry, Kind};
use tracing::Instrument;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::auth::SignedIn;
use crate::extract::Path;
use crate::outage::database_away;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::routes::submissions::{document, stored};
use crate::slots::{UploadSlot, Uploader};
use crate::uploads::announced_length;
use form::Completed;
use upload::{File, Files, Rules, Upload};

/// What a form may add to its file: fields, headers and boundaries.
const FORM_BYTES: u64 = 1 << 20;
/// What began before the close may end so long after it.
const SLOW_ENDS_AFTER: TimeDelta = TimeDelta::minutes(1);

pub fn routes() -> OpenApiRouter<App> {
    // The file is limited by the challenge, as it streams.
    OpenApiRouter::new()
        .routes(routes!(submit))
        .layer(DefaultBodyLimit::disable())
}

/// Submit predictions or a model: `multipart/form-data`, parts in any order. What the form or the file's first bytes show is
/// answered at once; what needs the whole file shows in the submission's status later.
///
/// A repeated `Idempotency-Key` is answered with the submission that it was first used for.
#[utoipa::path(post, path = "/challenges/{slug}/submissions", tag = "submissions",
    params(("slug" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = SubmissionForm, content_type = "multipart/form-data"),
    security(("token" = []), ("session" = [])), responses(
    (status = 202, description = "It is in the queue", body = documents::Submission,
        headers(("location" = String, description = "Where the submission is"))),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 403, description = "The challenge is not open", body = documents::Problem),
    (status = 404, description = "There is no such challenge", body = documents::Problem),
    (status = 409, description = "The challenge has no labels yet, or the key belongs to another submission", body = documents::Problem),
    (status = 408, description = "Less than 4 KiB a second arrived for a minute", body = documents::Problem),
    (status = 413, description = "The file is larger than the challenge allows", body = documents::Problem),
    (status = 415, description = "This is no form", body = documents::Problem),
    (status = 422, description = "The form or the file is not acceptable", body = documents::Problem),
    (status = 429, description = "A limit is used up; says when the next is allowed", body = documents::Problem),
    (status = 503, description = "Every upload slot is taken, the database is away, or the server is being stopped", body = documents::Problem),
    (status = 507, description = "The server's storage is full", body = documents::Problem)
))]
async fn submit(
    State(app): State<App>,
    Path(slug): Path<String>,
    user: Result<SignedIn, Problem>,
    peer: Peer,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let received_at = Utc::now();
    let upload = Upload::new(request, app.last_call.clone())
        .await
        .map_err(|_| no_form())?;
    let admission = match user {
        Ok(user) => admit(&app, &slug, user, peer, &headers, received_at).await,
        Err(problem) => Err(problem),
    };
    let id = match admission {
        Ok(Admission::Granted(ticket, slot)) => {
            // Goes on when the client goes away, so that its end is orderly then, too.
            let receiving = receive(app.clone(), *ticket, slot, upload).in_current_span();
            tokio::spawn(receiving)
                .await
                .map_err(|error| Problem::internal(&error))??
        }
        Ok(Admission::Repeated(id)) => {
            upload.discard().await;
            id
        }
        Err(problem) => {
            upload.discard().await;
            return Err(problem);
        }
    };
    let document = document(&app, stored(&app, id).await?).await?;
    let location = format!("/api/v1/submissions/{id}");
    Ok((
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        axum::Json(document),
    )
        .into_response())
}

fn no_form() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "send a form (multipart/form-data): `curl -F file=@predictions.txt -F method=…`",
    )
}

/// The fields of the form.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the form, which is read part by part")]
struct SubmissionForm {
    /// Predictions in any accepted format; or a model, `.safetensors` or `.onnx`.
    #[schema(value_type = String, format = Binary)]
    file: String,
    /// Side files of an ONNX model, each under the bare name that it refers to it by.
    #[schema(value_type = Option<Vec<String>>, format = Binary)]
    data: Option<Vec<String>>,
    kind: Option<documents::Kind>,
    /// What made the predictions, 1 to 100 characters.
    method: String,
    /// Markdown, at most 10,000 characters.
    description: Option<String>,
    /// ILSVRC text with four integers after every class.
    boxes: Option<bool>,
    /// Of a safetensors model, such as `resnet50` or `mlp(512,256)`; the file's metadata may say it instead.
    architecture: Option<String>,
    /// How images become a model's input: JSON (as in the file's metadata), timm's or Hugging Face's, or a name such as
    /// `torchvision:ResNet50_Weights.IMAGENET1K_V2`.
    preprocess: Option<String>,
    /// `challenge`, `wnid`, or the classes in the order of the model's columns, one a line.
    class_order: Option<String>,
    /// How many of a model's first columns are no classes.
    class_offset: Option<u32>,
    /// The name of the ONNX output that holds the logits.
    output: Option<String>,
    /// `wider` (the default) or `challenge`: which of the challenge's class lists the file is over, where it names a wider one
    /// (`test.wider_classes`).
    classes: Option<String>,
    /// Whether data from elsewhere was used.
    outside_data: Option<bool>,
    paper_url: Option<String>,
    code_url: Option<String>,
}

/// What is known before a byte of the form is read.
enum Admission {
    Granted(Box<Ticket>, UploadSlot),
    /// The `Idempotency-Key` was used for this submission.
    Repeated(Uuid),
}

struct Ticket {
    user: SignedIn,
    terms: Terms,
    entry: Entry,
    late: bool,
    received_at: DateTime<Utc>,
    idempotency_key: Option<String>,
}

impl Ticket {
    /// Dates the submission by when its content began to arrive, which a head that was sent early says nothing of, and sees whether
    /// it is late: it also is where it took so long that it ended more than a minute after the close.
    fn date(&mut self, began_at: DateTime<Utc>, ended_at: DateTime<Utc>) -> Result<(), Problem> {
        self.received_at = began_at;
        if self.entry == Entry::Competitor {
            self.late = is_late(&self.terms, began_at.max(ended_at - SLOW_ENDS_AFTER))?;
        }
        Ok(())
    }
}

fn rules(terms: &Terms) -> Rules {
    Rules {
        upload_mb: terms.upload_mb.unsigned_abs(),
        forbids_outside_data: terms.outside_data == OutsideData::Forbidden,
        classes: usize::try_from(terms.classes).unwrap_or_default(),
        wider_classes: (terms.wider_classes).and_then(|classes| usize::try_from(classes).ok()),
        takes_models: terms.has_images,
    }
}

async fn admit(
    app: &App,
    slug: &str,
    user: SignedIn,
    peer: Peer,
    headers: &HeaderMap,
    received_at: DateTime<Utc>,
) -> Result<Admission, Problem> {
    let idempotency_key = idempotency_key(headers)?;
    let terms = intake::terms(&app.db, slug, user.0.id).await?;
    let organizes = |terms: &Terms| terms.organizes || user.is_administrator();
    let terms = terms
        .filter(|terms| terms.state_at(received_at) != ChallengeState::Draft || organizes(terms))
        .ok_or_else(|| Problem::not_found(format!("there is no challenge `{slug}`")))?;
    if let Some(key) = &idempotency_key
        && let Some(earlier) = intake::submitted_under(&app.db, user.0.id, key).await?
    {
        return repeated(earlier, &terms).map(Admission::Repeated);
    }
    let entry = if organizes(&terms) {
        Entry::Baseline
    } else {
        Entry::Competitor
    };
    let late = entry == Entry::Competitor && is_late(&terms, received_at)?;
    if !terms.has_labels {
        return Err(Problem::conflict(
            "this challenge has no sealed labels to score by: upload them, wait a few seconds, and submit again",
        ));
    }
    if announced_length(headers)
        .is_some_and(|length| length > rules(&terms).most_bytes() + FORM_BYTES)
    {
        return Err(rules(&terms).too_large());
    }
    if entry == Entry::Competitor
        && let Some(refusal) =
            intake::refusal(&app.db, terms.challenge, user.0.id, received_at).await?
    {
        return Err(refused(&refusal, &terms));
    }
    let who = Uploader {
        account: user.0.id,
        network: peer.network(),
        organizes: entry == Entry::Baseline,
    };
    let slot = app
        .upload_slots
        .take(who, announced_length(headers))
        .await?;
    Ok(Admission::Granted(
        Box::new(Ticket {
            user,
            terms,
            entry,
            late,
            received_at,
            idempotency_key,
        }),
        slot,
    ))
}

/// Whether what arrives now is late.
///
/// # Errors
/// 403 where the challenge is not open to it at all.
fn is_late(terms: &Terms, now: DateTime<Utc>) -> Result<bool, Problem> {
    let date = |date: Option<DateTime<Utc>>| {
        date.map(|date| date.to_rfc3339_opts(SecondsFormat::Secs, true))
            .unwrap_or_default()
    };
    match terms.state_at(now) {
        ChallengeState::Draft | ChallengeState::Open => Ok(false),
        ChallengeState::Upcoming => Err(Problem::forbidden(format!(
            "this challenge opens at {}",
            date(terms.opens)
        ))),
        ChallengeState::Closed if terms.after_close == AfterClose::Score => Ok(true),
        ChallengeState::Closed => Err(Problem::forbidden(format!(
            "this challenge closed at {}",
            date(terms.closes)
        ))),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = key
        .to_str()
        .ok()
        .filter(|key| (1..=200).contains(&key.len()));
    key.map(|key| Some(key.to_owned()))
        .ok_or_else(|| Problem::bad_request("`Idempotency-Key` is 1 to 200 characters of ASCII"))
}

fn repeated(earlier: intake::Earlier, terms: &Terms) -> Result<Uuid, Problem> {
    if earlier.challenge == terms.challenge {
        return Ok(earlier.submission);
    }
    Err(Problem::conflict(
        "this `Idempotency-Key` was used for a submission to another challenge; use a new one for each submission",
    ))
}

fn refused(refusal: &Refusal, terms: &Terms) -> Problem {
    let Some(next) = refusal.next() else {
        return match refusal {
            Refusal::TeamName(_) => Problem::conflict(refusal.to_string()),
            Refusal::PrivateScoresOut => Problem::forbidden(refusal.to_string()),
            _ => Problem::new(StatusCode::TOO_MANY_REQUESTS, refusal.to_string()),
        };
    };
    let seconds = (next - Utc::now()).num_seconds().max(0).unsigned_abs() + 1;
    let closed_by_then = terms.after_close == AfterClose::Reject
        && terms.closes.is_some_and(|closes| closes <= next);
    let remark = if closed_by_then {
        ", when the challenge will have closed"
    } else {
        ""
    };
    Problem::too_many(seconds, format!("{refusal}{remark}"))
}

/// Reads the form and makes it a submission. Where it does not become one, nothing is left of it.
async fn receive(
    app: App,
    mut ticket: Ticket,
    slot: UploadSlot,
    mut upload: Upload,
) -> Result<Uuid, Problem> {
    let received = upload.receive(&app.objects, rules(&ticket.terms), slot);
    match received.await {
        Ok((form, file, data)) => {
            let checked = match ticket.date(upload.began_at(), Utc::now()) {
                Ok(()) => check_class_order(&app, &ticket.terms, &form).await,
                Err(problem) => Err(problem),
            };
            if let Err(problem) = checked {
                let file = Some(file);
                Files { file, data }.delete(&app.objects).await;
                return Err(problem);
            }
            register(&app, &ticket, &form, file, data).await
        }
        Err(problem) => {
            upload.discard().await;
            Err(problem)
        }
    }
}

/// Whether a model's columns are the classes of the challenge.
async fn check_class_order(app: &App, terms: &Terms, form: &Completed) -> Result<(), Problem> {
    let Some(order) = &form.class_order else {
        return Ok(());
    };
    let (classes, wider) = challenges::classes(&app.db, terms.challenge).await?;
    let own = || order.columns(&classes);
    let columns = match (&wider, order, form.classes) {
        (None, ..) | (_, _, Some(Over::Challenge)) => own(),
        // The number of columns may say that they are the challenge's own.
        (Some(_), ClassOrder::Listed(names), None) if names.len() == classes.len() => own(),
        (Some(wider), ..) => order.columns(wider.list()),
    };
    match columns {
        Ok(_) => Ok(()),
        Err(error) => Err(Problem::unprocessable(format!("`class_order`: {error}"))),
    }
}

async fn register(
    app: &App,
    ticket: &Ticket,
    form: &Completed,
    file: File,
    data: Vec<File>,
) -> Result<Uuid, Problem> {
    let side_files: Vec<NewData> = data
        .iter()
        .map(|file| NewData {
            name: file.filename.clone(),
            object_key: file.stored.key.clone(),
            bytes: file.stored.bytes.cast_signed(),
            sha256: file.stored.sha256,
        })
        .collect();
    let new = NewSubmission {
        id: Uuid::now_v7(),
        challenge: ticket.terms.challenge,
        submitter: ticket.user.0.id,
        handle: &ticket.user.0.handle,
        kind: match form.kind {
            documents::Kind::Predictions => Kind::Predictions,
            documents::Kind::Model => Kind::Model,
        },
        entry: ticket.entry,
        method: &form.method,
        description: &form.description,
        paper_url: form.paper_url.as_deref(),
        code_url: form.code_url.as_deref(),
        outside_data: form.outside_data,
        form: &form.reading,
        object_key: &file.stored.key,
        filename: &file.filename,
        bytes: file.stored.bytes.cast_signed(),
        sha256: &file.stored.sha256,
        data: &side_files,
        idempotency_key: ticket.idempotency_key.as_deref(),
        received_at: ticket.received_at,
        late: ticket.late,
    };
    let id = new.id;
    if app.contact.lost_since().is_some() {
        let file = Some(file);
        Files { file, data }.delete(&app.objects).await;
        return Err(database_away());
    }
    // After an error nobody knows whether it was committed: the sweep will see whether the files are needed.
    let accepted = intake::accept(&app.db, &new).await?;
    let files = Files {
        file: Some(file),
        data,
    };
    match accepted {
        Intake::Accepted => Ok(id),
        Intake::Repeated(earlier) => {
            files.delete(&app.objects).await;
            repeated(earlier, &ticket.terms)
        }
        Intake::Refused(refusal) => {
            files.delete(&app.objects).await;
            Err(refused(&refusal, &ticket.terms))
        }
    }
}
