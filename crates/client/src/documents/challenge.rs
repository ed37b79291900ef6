//! A challenge as the server shows it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Class, LeaderboardRules, Limits, Rules, Schedule, words};

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
    /// Handles.
    pub organizers: Vec<String>,
    /// Teams with a submission.
    pub teams: u64,
    /// Competitors' submissions that were not rejected.
    pub submissions: u64,
    pub created_at: DateTime<Utc>,
    pub published_at: Option<DateTime<Utc>>,
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
    pub created_at: DateTime<Utc>,
    pub published_at: Option<DateTime<Utc>>,
}

/// The test images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestDocument {
    pub public_images: bool,
    /// Whether images have names; `GET /challenges/{slug}/images/names` lists them ([`ImageNames`]).
    pub named_images: bool,
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

/// What stands between a draft and its publication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Publishing {
    /// What has not been uploaded yet or was refused, a sentence each.
    pub missing: Vec<String>,
    /// Whether the scorer is still looking at the labels.
    pub checking: bool,
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
    pub created_at: DateTime<Utc>,
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
