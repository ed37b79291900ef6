//! What an organizer decides about a challenge: to create it, and to change it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{moment, present, words};

/// A class; its position in the list is its index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Class {
    pub name: String,
    /// A second name, such as a WNID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// The error that ranks, that the ladder gates and that ties are tested on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Primary {
    Top1,
    Top5,
}
words!(Primary { Top1 = "top1", Top5 = "top5" });

impl Primary {
    /// `top5`, but `top1` below 50 classes.
    pub fn for_classes(classes: usize) -> Self {
        if classes < 50 { Self::Top1 } else { Self::Top5 }
    }
}

/// What happens to a submission whose first byte arrives after the close.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AfterClose {
    #[default]
    Reject,
    /// Scored, marked late, never ranked.
    Score,
}
words!(AfterClose { Reject = "reject", Score = "score" });

/// How much of a public score a team gets to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Feedback {
    #[default]
    Exact,
    /// Both errors and both intervals are those of the last accepted submission (Blum and Hardt 2015).
    Ladder,
}
words!(Feedback { Exact = "exact", Ladder = "ladder" });

/// Which of a team's submissions stands on the public board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Ranking {
    #[default]
    Best,
    Latest,
}
words!(Ranking { Best = "best", Latest = "latest" });

/// Whether data from elsewhere may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum OutsideData {
    #[default]
    Declared,
    Forbidden,
}
words!(OutsideData { Declared = "declared", Forbidden = "forbidden" });

/// In which order the names of test images are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ImageOrder {
    /// By the bytes of the names: `10.png` before `2.png`.
    Bytes,
    /// Runs of digits by their value: `2.png` before `10.png`.
    Natural,
}
words!(ImageOrder { Bytes = "bytes", Natural = "natural" });

/// Creates a challenge: `challenge.toml` as JSON, with the description and the classes themselves and without files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChallengeSettings {
    /// `[a-z0-9-]{2,40}`, unique.
    pub slug: String,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<String>,
    /// Markdown.
    #[serde(default)]
    pub description: String,
    pub classes: Vec<Class>,
    #[serde(default)]
    pub test: TestSettings,
    #[serde(default)]
    pub schedule: Schedule,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub leaderboard: LeaderboardSettings,
    #[serde(default)]
    pub rules: Rules,
}

impl ChallengeSettings {
    /// The error that ranks: the one asked for, else what suits the number of classes.
    pub fn primary(&self) -> Primary {
        self.leaderboard
            .primary
            .unwrap_or_else(|| Primary::for_classes(self.classes.len()))
    }

    /// What is wrong with these settings, a sentence each; empty when nothing is. The class names are checked elsewhere.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut require = |holds: bool, sentence: String| {
            if !holds {
                faults.push(sentence);
            }
        };
        let is_slug = |word: &str| {
            (2..=40).contains(&word.len())
                && word
                    .bytes()
                    .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        };
        require(
            is_slug(&self.slug),
            format!("slug `{}` must be 2 to 40 of a-z, 0-9 and -", self.slug),
        );
        require(
            !self.title.trim().is_empty(),
            "title is empty; name the challenge".into(),
        );
        require(
            self.title.chars().count() <= 200 && !self.title.contains(char::is_control),
            "title must be one line of at most 200 characters".into(),
        );
        if let Some(series) = &self.series {
            require(
                is_slug(series),
                format!("series `{series}` must be 2 to 40 of a-z, 0-9 and -"),
            );
        }
        require(
            self.classes.len() >= 2,
            format!(
                "{} classes; a challenge needs at least 2",
                self.classes.len()
            ),
        );
        if let (Some(opens), Some(closes)) = (self.schedule.opens, self.schedule.closes) {
            require(
                closes > opens,
                format!("schedule.closes ({closes}) must be later than schedule.opens ({opens})"),
            );
        }
        for (limit, value) in [
            ("per_day", self.limits.per_day),
            ("per_week", self.limits.per_week),
            ("total", self.limits.total),
            ("upload_mb", Some(self.limits.upload_mb)),
        ] {
            let holds = value.is_none_or(|value| (1..=i32::MAX.unsigned_abs()).contains(&value));
            require(
                holds,
                format!(
                    "limits.{limit} must be from 1 to {}; leave it out for no limit",
                    i32::MAX
                ),
            );
        }
        let fraction = self.leaderboard.public_fraction;
        require(
            fraction > 0.0 && fraction <= 1.0,
            format!(
                "leaderboard.public_fraction {fraction} must be above 0 and at most 1 (1 = all public)"
            ),
        );
        if let Some(reference) = &self.leaderboard.reference {
            faults_of_reference(reference, &mut require);
        }
        let selections = self.leaderboard.final_selections;
        require(
            (1..=1000).contains(&selections),
            format!("leaderboard.final_selections {selections} must be from 1 to 1000"),
        );
        faults
    }
}

fn faults_of_reference(reference: &Reference, require: &mut impl FnMut(bool, String)) {
    let Reference { label, error } = reference;
    require(
        (1..=60).contains(&label.chars().count())
            && label.trim() == label
            && !label.contains(char::is_control),
        format!("leaderboard.reference.label `{label}` must be one line of 1 to 60 characters"),
    );
    require(
        (0.0..=1.0).contains(error),
        format!("leaderboard.reference.error {error} must be a fraction from 0 to 1"),
    );
}

/// `[test]`: whether competitors may download the test images, in which order these are, and which classes their files are over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestSettings {
    pub public_images: bool,
    /// A longer list that holds all of `classes` by name or id: what competitors send, and the record, are over it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wider_classes: Option<Vec<Class>>,
    /// Must be given where the two orders of the images' names differ; else it is their byte order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<ImageOrder>,
}

impl Default for TestSettings {
    fn default() -> Self {
        Self {
            public_images: true,
            wider_classes: None,
            order: None,
        }
    }
}

/// `[schedule]`: judged by the first byte received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Schedule {
    #[serde(deserialize_with = "moment::optional")]
    pub opens: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "moment::optional")]
    pub closes: Option<DateTime<Utc>>,
    pub after_close: AfterClose,
}

/// `[limits]`, per team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Limits {
    /// Per UTC day.
    pub per_day: Option<u32>,
    /// Per ISO week, UTC.
    pub per_week: Option<u32>,
    pub total: Option<u32>,
    /// Of the bytes as sent, in units of 2^20.
    pub upload_mb: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_day: None,
            per_week: None,
            total: None,
            upload_mb: 1024,
        }
    }
}

/// A line across the pictures of a challenge that is no submission, such as a human's error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reference {
    /// What it is, in at most 60 characters.
    pub label: String,
    /// The primary error.
    pub error: f64,
}

/// `[leaderboard]` as an organizer writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaderboardSettings {
    /// By default [`Primary::for_classes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<Primary>,
    /// The rest is private until the close; 1 = all public.
    pub public_fraction: f64,
    pub feedback: Feedback,
    pub ranking: Ranking,
    /// How many submissions a team may select for the private board.
    pub final_selections: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
}

impl Default for LeaderboardSettings {
    fn default() -> Self {
        Self {
            primary: None,
            public_fraction: 1.0,
            feedback: Feedback::Exact,
            ranking: Ranking::Best,
            final_selections: 1,
            reference: None,
        }
    }
}

/// `[leaderboard]` as it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaderboardRules {
    pub primary: Primary,
    pub public_fraction: f64,
    pub feedback: Feedback,
    pub ranking: Ranking,
    pub final_selections: u32,
    /// `null` unless the organizers gave one.
    pub reference: Option<Reference>,
}

/// `[rules]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rules {
    pub outside_data: OutsideData,
}

/// Changes a challenge: any subset of the settings, and its publication.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChallengePatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub series: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<Class>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<TestPatch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<SchedulePatch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitsPatch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaderboard: Option<LeaderboardPatch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<RulesPatch>,
    /// `true` publishes a draft; there is no way back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<bool>,
    /// The labels are public anyway: publish although something public predicts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_labels: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestPatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_images: Option<bool>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Class>>))]
    pub wider_classes: Option<Option<Vec<Class>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<ImageOrder>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SchedulePatch {
    #[serde(
        deserialize_with = "moment::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<DateTime<Utc>>))]
    pub opens: Option<Option<DateTime<Utc>>>,
    #[serde(
        deserialize_with = "moment::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<DateTime<Utc>>))]
    pub closes: Option<Option<DateTime<Utc>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_close: Option<AfterClose>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LimitsPatch {
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u32>))]
    pub per_day: Option<Option<u32>>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u32>))]
    pub per_week: Option<Option<u32>>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u32>))]
    pub total: Option<Option<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload_mb: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaderboardPatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<Primary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_fraction: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranking: Option<Ranking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub final_selections: Option<u32>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Reference>))]
    pub reference: Option<Option<Reference>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RulesPatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outside_data: Option<OutsideData>,
}
