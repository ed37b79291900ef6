//! A submission as its team, its organizers or, once it is on the board, anyone sees it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ProblemLine, StoredFile, present, words};

/// What was uploaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Kind {
    #[default]
    Predictions,
    Model,
}
words!(Kind { Predictions = "predictions", Model = "model" });

/// In what capacity it was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Entry {
    Competitor,
    /// An organizer's: no rank, no quota, allowed in a draft.
    Baseline,
}
words!(Entry { Competitor = "competitor", Baseline = "baseline" });

/// Where a submission is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Status {
    Queued,
    Running,
    Scored,
    /// The submitter's fault: `problem` says what and where.
    Rejected,
    /// The server's fault, after retries; the quota is given back.
    Failed,
    Withdrawn,
}
words!(Status {
    Queued = "queued",
    Running = "running",
    Scored = "scored",
    Rejected = "rejected",
    Failed = "failed",
    Withdrawn = "withdrawn",
});

impl Status {
    /// Whether no worker will touch it again, a rescore excepted.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// A submission. Those who are neither its team nor organizers get it without `description`, `problem` and `file`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "marks that are independent of each other"
)]
pub struct Submission {
    pub id: Uuid,
    /// The slug.
    pub challenge: String,
    /// The name.
    pub team: String,
    /// The handle of the person who submitted.
    pub submitter: String,
    pub kind: Kind,
    pub method: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What was uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<StoredFile>,
    pub entry: Entry,
    pub status: Status,
    /// `null` unless it is being worked on, or waits for trouble of the server's to pass: then `stage` says for what, and since when.
    pub progress: Option<Progress>,
    /// Only while it is queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    /// Why it was rejected or failed.
    pub problem: Option<SubmissionProblem>,
    pub notices: Vec<Notice>,
    /// `null` until it is scored.
    pub scores: Option<Scores>,
    /// `null` for predictions.
    pub model: Option<ModelProfile>,
    /// The preprocessing recipe that was used; `null` for predictions.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub preprocess: Option<serde_json::Value>,
    pub outside_data: bool,
    pub paper_url: Option<String>,
    pub code_url: Option<String>,
    /// Chosen by its team for the private board.
    pub selected: bool,
    /// Received after the close: never ranked.
    pub late: bool,
    /// Taken off the board by the organizers, who say why.
    pub hidden: Option<Hidden>,
    /// The organizers looked into it and found it sound.
    pub verified: bool,
    pub created_at: DateTime<Utc>,
    pub scored_at: Option<DateTime<Utc>>,
    /// Rises with every change.
    pub revision: i64,
}

/// The networks whose weights may be submitted as safetensors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Architectures {
    /// What the form field `architecture` may be; `mlp(…)` stands for any multi-layer perceptron.
    pub names: Vec<String>,
}

/// How far the work on a submission is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    pub stage: String,
    /// Of `total`: images of a model, bytes of a file of predictions.
    pub done: u64,
    pub total: u64,
    pub images_per_second: Option<f64>,
    pub eta_seconds: Option<f64>,
}

/// What a waiting submission waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Queue {
    /// 1 = next.
    pub position: u64,
    /// `null` where nothing is known to estimate it from.
    pub eta_seconds: Option<f64>,
    /// Workers of the kind it needs that were seen in the last seconds.
    pub workers_alive: u64,
}

/// Why a submission was rejected or failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubmissionProblem {
    /// One sentence with the fact and the remedy.
    pub detail: String,
    /// At most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemLine>,
}

/// Something that was handled and that the submitter should know. Depends only on the file, the form and public facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Notice {
    pub code: String,
    pub detail: String,
}

/// The scores of both splits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Scores {
    pub public: SplitScore,
    /// `null` until the challenge has closed, and where all images are public.
    pub private: Option<SplitScore>,
}

/// The score on one split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SplitScore {
    /// Those not skipped.
    pub images: u32,
    pub label_version: u32,
    pub top1_error: f64,
    pub top5_error: f64,
    /// 95 % Wilson interval, `[low, high]`.
    pub top1_interval: [f64; 2],
    pub top5_interval: [f64; 2],
}

/// What a model is and how fast it ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelProfile {
    pub architecture: Option<String>,
    /// Trainable scalars of the inference graph.
    pub parameters: Option<u64>,
    /// Multiply-accumulates of one image.
    pub macs: Option<u64>,
    /// Weight layers on the longest path from input to output.
    pub depth: Option<u32>,
    pub precision: Option<String>,
    /// Batch normalisation was folded into the weights before the upload.
    #[serde(default)]
    pub folded: bool,
    pub images_per_second: Option<f64>,
    /// What it ran on: processor or GPU, threads and batch. Speeds compare on the same device only.
    pub device: Option<String>,
}

/// A network as it is drawn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelLayers {
    /// In the order of their execution.
    pub layers: Vec<ModelLayer>,
    /// `null` unless the first layer is a convolution.
    pub filters: Option<ModelFilters>,
}

/// One operator of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelLayer {
    pub name: String,
    pub op: String,
    /// At batch 1, the batch left out.
    pub output_shape: Vec<u64>,
    pub parameters: u64,
    pub macs: u64,
}

/// The filters of a network's first layer, each stretched to 0..255.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelFilters {
    /// `[n, height, width, channels]`
    pub shape: [u64; 4],
    /// uint8 in C order, as base64.
    pub data: String,
}

/// The mark of a submission that the organizers took off the board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Hidden {
    pub reason: String,
}

/// Changes a submission. `hidden` and `verified` are the organizers', the rest its team's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubmissionPatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub paper_url: Option<Option<String>>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub code_url: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selected: Option<bool>,
    /// A reason hides it, `null` brings it back.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Hidden>))]
    pub hidden: Option<Option<Hidden>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
}
