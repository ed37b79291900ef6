//! What travels over HTTP, as section 4 of the contract names it. Times are RFC 3339 in UTC, errors are fractions in
//! `[0, 1]`, a challenge is its slug, a team its name, a submission its id (UUID version 7).
//!
//! In patches an absent field is left alone. Where a field can also be cleared, its type is `Option<Option<T>>`: absent,
//! `null`, or a value.

mod accounts;
mod challenge;
mod leaderboard;
mod moment;
mod settings;
mod submission;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

pub use accounts::{
    CreatedToken, CurrentSession, Me, NewSession, NewToken, NewUser, Registration, Role, Token,
    User, UserPatch,
};
pub use challenge::{
    Allowance, BestEntry, ChallengeChange, ChallengeDocument, ChallengeEvent, ChallengeSummary,
    Commitment, CommitmentDocument, CommitmentOpening, ImageNames, LabelState, LabelVersion,
    Organizer, Publishing, Quota, Retried, Selection, State, StoredFile, TestDocument,
    ValidationDocument, WorkQueue, Worker,
};
pub use leaderboard::{Leaderboard, LeaderboardEntry, Split};
pub use moment::parse_moment;
pub use settings::{
    AfterClose, ChallengePatch, ChallengeSettings, Class, Feedback, ImageOrder, LeaderboardPatch,
    LeaderboardRules, LeaderboardSettings, Limits, LimitsPatch, OutsideData, Primary, Ranking,
    Reference, Rules, RulesPatch, Schedule, SchedulePatch, TestPatch, TestSettings,
};
pub use submission::{
    Architectures, Entry, Hidden, Kind, ModelFilters, ModelLayer, ModelLayers, ModelProfile,
    Notice, Progress, Queue, Scores, SplitScore, Status, Submission, SubmissionPatch,
    SubmissionProblem,
};

/// An `application/problem+json` answer (RFC 9457): what went wrong and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `about:blank`, or a URI that names the kind of problem.
    #[serde(default = "about_blank")]
    pub r#type: String,
    /// The HTTP status in words.
    pub title: String,
    pub status: u16,
    /// One sentence with the fact and the remedy.
    pub detail: String,
    /// At most ten places in an uploaded file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemLine>,
}

fn about_blank() -> String {
    "about:blank".into()
}

/// One place in an uploaded file that was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProblemLine {
    /// 1-based line of the decompressed text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// 0-based row of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    pub detail: String,
}

impl fmt::Display for ProblemLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.row) {
            (Some(line), _) => write!(f, "line {line}: {}", self.detail),
            (None, Some(row)) => write!(f, "row {row}: {}", self.detail),
            (None, None) => f.write_str(&self.detail),
        }
    }
}

/// A part of a list, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The value of `after` that asks for the next part; `null` at the end.
    pub next: Option<String>,
}

/// Reads a field of a patch that is present, so that `null` becomes `Some(None)` and only absence becomes `None`.
#[expect(
    clippy::option_option,
    reason = "a patch has three cases: leave alone, clear, set"
)]
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Implements `as_str`, `Display` and `FromStr` of a closed set of words, as they are written in JSON.
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $name {
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("`{word}` is none of {}", [$($word),+].join(", "))),
                }
            }
        }
    };
}
use words;

#[cfg(test)]
mod tests;
