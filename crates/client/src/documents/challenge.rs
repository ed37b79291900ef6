//! A challenge as the server shows it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Class, ImageOrder, Kind, LeaderboardRules, Limits, Notice, Rules, Schedule, Split, Submission,
    words,
};

/// Where a challenge is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum State {
    /// Seen by its organizers only.
    Draft,
    Upcoming,
    Open,
    Closed,
}
words!(State { Draft = "draft", Upcoming = "upcoming", Open = "open", Closed = "closed" });

/// A challenge in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChallengeDocument {
    pub slug: String,
    pub title: String,
    pub series: Option<String>,
    /// Markdown; to be sanitised when shown.
    pub description: String,
    pub classes: Vec<Class>,
    pub test: TestDocument,
    /// Public images with public labels on which every model is run first, uncounted.
    pub validation: Option<ValidationDocument>,
    /// What competitors may download, by key.
    pub files: BTreeMap<String, StoredFile>,
    pub schedule: Schedule,
    pub limits: Limits,
    pub leaderboard: LeaderboardRules,
    pub rules: Rules,
    pub state: State,
    /// The number of test images, once labels or images are there.
    pub images: Option<u32>,
    /// The version of the labels that the board shows.
    pub label_version: Option<u32>,
    /// Whether the private scores are released, which ends the challenge for good; where not all images are public, there is a
    /// private board then.
    #[serde(default)]
    pub private_released: bool,
    /// Handles.
    pub organizers: Vec<String>,
    /// Teams with a submission.
    pub teams: u64,
    /// Competitors' submissions that were not rejected.
    pub submissions: u64,
    pub created_at: DateTime<Utc>,
    pub published_at: Option<DateTime<Utc>>,
    /// To the labels that the board shows; from publishing on.
    #[serde(default)]
    pub commitment: Option<Commitment>,
    /// For its organizers only, until it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publishing: Option<Publishing>,
    /// The labels last uploaded, for its organizers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelVersion>,
}

/// A challenge in a list: the same fields, without what is long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChallengeSummary {
    pub slug: String,
    pub title: String,
    pub series: Option<String>,
    pub class_count: u32,
    pub schedule: Schedule,
    pub leaderboard: LeaderboardRules,
    pub state: State,
    pub images: Option<u32>,
    pub teams: u64,
    pub submissions: u64,
    /// Who is first on the board that counts: the private one once its scores are released, before that the public one;
    /// `null` while nobody is ranked.
    #[serde(default)]
    pub best: Option<BestEntry>,
    /// Whether whoever asks runs it.
    #[serde(default)]
    pub is_organizer: bool,
    pub created_at: DateTime<Utc>,
    pub published_at: Option<DateTime<Utc>>,
}

/// The first of a board, for lists of challenges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BestEntry {
    /// The board.
    #[serde(default)]
    pub split: Split,
    pub team: String,
    pub method: String,
    pub submission: Uuid,
    pub top1_error: f64,
    pub top5_error: f64,
}

/// The test images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestDocument {
    pub public_images: bool,
    /// A longer list that holds all of `classes`: predictions, models and the record are over it, unless a submission's `classes` is
    /// `challenge`. Scores of other classes are left out; guesses of them are wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wider_classes: Option<Vec<Class>>,
    /// Whether images have names; `GET /challenges/{slug}/images/names` lists them ([`ImageNames`]).
    pub named_images: bool,
    /// In which order the names are counted: that of the lines of a text file and the rows of an array. `null` where nobody has said,
    /// which is byte order.
    #[serde(default)]
    pub order: Option<ImageOrder>,
    /// The stored images, for those who may download them.
    pub file: Option<StoredFile>,
}

/// The names of the test images, public whether or not the images are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImageNames {
    /// Position = ordinal; `null` where images are known by their ordinal alone.
    pub names: Option<Vec<String>>,
}

/// The validation set, as far as it has been uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValidationDocument {
    pub images: Option<StoredFile>,
    pub labels: Option<StoredFile>,
}

/// A file in the server's store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoredFile {
    pub filename: String,
    pub bytes: u64,
    /// 64 hexadecimal digits.
    pub sha256: String,
}

/// A commitment to hidden labels, their split and the rules: whoever keeps it can tell later whether they are still the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Commitment {
    pub label_version: u32,
    /// 64 hexadecimal digits.
    pub sha256: String,
}

/// A commitment with what opens it, for those who may have that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommitmentDocument {
    pub label_version: u32,
    /// 64 hexadecimal digits.
    pub sha256: String,
    pub opening: Option<CommitmentOpening>,
    /// Why there is no `opening` for whoever asks, in a sentence.
    pub sealed_because: Option<String>,
}

/// What, together with the labels, makes the commitment again; `docs/CHALLENGE.md` says how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommitmentOpening {
    /// 64 hexadecimal digits.
    pub salt: String,
    /// As they were when it was made, a line each.
    pub rules: String,
    /// Which images are public: a bit each, in hexadecimal bytes, the lowest bit first.
    pub public_images: String,
}

/// Something that changed after a challenge was published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChallengeChange {
    pub at: DateTime<Utc>,
    /// A setting or file as the challenge's document calls it (`schedule.closes`, `limits.per_day`, `files.train-images`), or `published`,
    /// `released` (the private scores), `labels` (corrected) or `rescored` (the same labels, everything scored anew).
    pub what: String,
    /// What it was, in JSON as the document has it: of labels the version, of files the name. Null where there was nothing, or where it is too
    /// long to be repeated.
    pub before: Option<serde_json::Value>,
    /// What it is since then.
    pub after: Option<serde_json::Value>,
    /// The same as a sentence.
    pub detail: String,
}

/// What stands between a draft and its publication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Publishing {
    /// What has not been uploaded yet or was refused, a sentence each.
    pub missing: Vec<String>,
    /// Whether workers are still looking at the labels or at the pictures.
    pub checking: bool,
    /// What is waited for where `checking`, a sentence each.
    pub waits_for: Vec<String>,
    /// What public thing gives the labels away, and the remedy.
    pub leak: Option<String>,
    /// The organizers declared the labels public, so that `leak` does not matter.
    pub known_labels: bool,
}

/// Where a version of the hidden labels is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum LabelState {
    /// Stored; the scorer has not looked at it yet.
    Uploaded,
    /// Checked and split; submissions are being scored under it.
    Sealed,
    /// The board shows it.
    Current,
    Superseded,
    /// Could not be used; `problem` says why.
    Refused,
}
words!(LabelState { Uploaded = "uploaded", Sealed = "sealed", Current = "current", Superseded = "superseded", Refused = "refused" });

/// A version of the hidden labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LabelVersion {
    pub version: u32,
    /// Test images, skipped ones included.
    pub images: u32,
    pub state: LabelState,
    pub problem: Option<String>,
    /// What whoever uploads them should know, such as classes that never occur; only in the answer to that upload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    /// A rescore: the version whose labels were scored anew.
    #[serde(default)]
    pub copy_of: Option<u32>,
    /// The handle of who uploaded it or asked for the rescore.
    #[serde(default)]
    pub created_by: Option<String>,
    pub created_at: DateTime<Utc>,
    /// When the board first showed it.
    #[serde(default)]
    pub current_at: Option<DateTime<Utc>>,
}

/// What the team of whoever asks may still submit to a challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Quota {
    /// `null` before the first submission, which makes the team.
    pub team: Option<String>,
    /// The UTC day; `null` where the challenge sets no such limit, and so below.
    pub day: Option<Allowance>,
    /// The ISO week, UTC.
    pub week: Option<Allowance>,
    pub total: Option<Allowance>,
    /// Why another submission would be refused now, in a sentence; `null` where these limits allow one.
    pub refusal: Option<String>,
    /// When the next one is allowed, where that is known.
    pub next_allowed_at: Option<DateTime<Utc>>,
    /// Submissions selected for the private board, of `final_selections` that may be.
    pub selected: u32,
    pub final_selections: u32,
    /// The selected ones.
    #[serde(default)]
    pub selections: Vec<Selection>,
}

/// A submission that a team has selected for the private board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Selection {
    pub submission: Uuid,
    pub method: String,
}

/// A limit and how much of it is used. Rejected and failed submissions are not counted, withdrawn ones are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Allowance {
    pub limit: u32,
    pub used: u64,
    /// When all of it is there again; `null` where it never is.
    pub renews_at: Option<DateTime<Utc>>,
}

/// What is being worked on in a challenge and what waits, as its organizers see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkQueue {
    /// Those alive; they work for every challenge of the server.
    pub workers: Vec<Worker>,
    pub waiting: u64,
    pub running: u64,
    /// Ended through no fault of their submitters: `POST …/queue/retry` runs them again.
    #[serde(default)]
    pub failed: u64,
    /// Since the oldest that still waits was received.
    pub oldest_waiting_seconds: Option<f64>,
    /// At most 100: those at work first, then in the order in which workers take them.
    pub submissions: Vec<Submission>,
    /// What stops every model: pictures among the test images or the validation images that cannot be decoded, by name.
    pub image_problems: Vec<String>,
}

/// How many submissions were queued again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Retried {
    pub retried: u64,
}

/// A worker that was seen in the last seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Worker {
    /// What it works on.
    pub kind: Kind,
    pub device: String,
    pub started_at: DateTime<Utc>,
}

/// Someone who runs a challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Organizer {
    pub handle: String,
    pub added_at: DateTime<Utc>,
}

/// What a challenge's event stream sends when its state or its boards change. The boards themselves are read anew, with
/// `If-None-Match`: they can be large.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChallengeEvent {
    pub challenge: String,
    pub state: State,
    /// `null` before the first labels are in use.
    pub label_version: Option<u32>,
    /// Whether there is a private board to see.
    pub private_released: bool,
    /// The leaderboards'.
    pub revision: i64,
    /// When they last changed.
    pub as_of: DateTime<Utc>,
}
