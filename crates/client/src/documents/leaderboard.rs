use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Entry, Kind, ModelProfile, Primary, words};

/// A part of the test images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Split {
    #[default]
    Public,
    /// Shown after the close.
    Private,
}
words!(Split { Public = "public", Private = "private" });

/// A whole board, by the primary error, then the other, then earlier time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Leaderboard {
    pub challenge: String,
    pub split: Split,
    pub primary: Primary,
    /// `null` before the first labels are in use.
    pub label_version: Option<u32>,
    /// Also its `ETag`.
    pub revision: i64,
    /// When the board last changed.
    pub as_of: DateTime<Utc>,
    pub entries: Vec<LeaderboardEntry>,
}

/// A team's place, or a baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaderboardEntry {
    /// From 1; `null` for baselines and late entries.
    pub rank: Option<u32>,
    /// The ranks that the place is statistically compatible with; `null` for about a second after the board changed, until
    /// they are computed anew.
    pub rank_low: Option<u32>,
    pub rank_high: Option<u32>,
    pub team: String,
    pub submission: Uuid,
    pub method: String,
    pub kind: Kind,
    pub entry: Entry,
    pub outside_data: bool,
    pub late: bool,
    pub top1_error: f64,
    pub top5_error: f64,
    pub top1_interval: [f64; 2],
    pub top5_interval: [f64; 2],
    pub model: Option<ModelProfile>,
    pub paper_url: Option<String>,
    pub code_url: Option<String>,
    pub submitted_at: DateTime<Utc>,
}
