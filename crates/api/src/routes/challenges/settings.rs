//! An organizer's settings: as documents, as stored, and the rules by which they may change.

use chrono::{DateTime, TimeDelta, Utc};
use referee_client::documents;
use referee_scoring::ImageOrder;
use referee_scoring::classes::ClassEntry;
use referee_storage::challenges::Challenge;
use referee_storage::challenges::settings::{
    self as stored, AfterClose, Change, Dependents, Feedback, OutsideData, Primary, Ranking,
    Reference, Settings,
};

use super::{check, class_entries};
use crate::app::App;
use crate::problem::Problem;

/// A word of the documents and the same word in storage, in both directions.
macro_rules! same_words {
    ($($name:ident { $($word:ident),+ } $to_document:ident $to_stored:ident;)+) => {$(
        pub fn $to_document(word: $name) -> documents::$name {
            match word { $($name::$word => documents::$name::$word),+ }
        }

        fn $to_stored(word: documents::$name) -> $name {
            match word { $(documents::$name::$word => $name::$word),+ }
        }
    )+};
}
same_words! {
    AfterClose { Reject, Score } after_close_document stored_after_close;
    Primary { Top1, Top5 } primary_document stored_primary;
    Feedback { Exact, Ladder } feedback_document stored_feedback;
    Ranking { Best, Latest } ranking_document stored_ranking;
    OutsideData { Declared, Forbidden } outside_data_document stored_outside_data;
    ImageOrder { Bytes, Natural } image_order_document stored_image_order;
}

pub fn class_documents(classes: &[ClassEntry]) -> Vec<documents::Class> {
    let class = |entry: &ClassEntry| documents::Class {
        name: entry.name.clone(),
        id: entry.id.clone(),
    };
    classes.iter().map(class).collect()
}

pub fn schedule(
    opens: Option<DateTime<Utc>>,
    closes: Option<DateTime<Utc>>,
    after_close: AfterClose,
) -> documents::Schedule {
    documents::Schedule {
        opens,
        closes,
        after_close: after_close_document(after_close),
    }
}

pub fn limits(settings: &Settings) -> documents::Limits {
    documents::Limits {
        per_day: settings.per_day.map(i32::unsigned_abs),
        per_week: settings.per_week.map(i32::unsigned_abs),
        total: settings.total.map(i32::unsigned_abs),
        upload_mb: settings.upload_mb.unsigned_abs(),
    }
}

pub fn leaderboard(settings: &Settings) -> documents::LeaderboardRules {
    documents::LeaderboardRules {
        primary: primary_document(settings.primary),
        public_fraction: settings.public_fraction,
        feedback: feedback_document(settings.feedback),
        ranking: ranking_document(settings.ranking),
        final_selections: settings.final_selections.unsigned_abs(),
        reference: settings.reference.as_ref().map(reference_document),
    }
}

pub fn reference_document(reference: &Reference) -> documents::Reference {
    documents::Reference {
        label: reference.label.clone(),
        error: reference.error,
    }
}

/// Settings that [`check`] let pass, as they are stored.
pub fn to_store(settings: documents::ChallengeSettings) -> Settings {
    // `check` keeps every limit within i32.
    let limit = |limit: u32| i32::try_from(limit).unwrap_or(i32::MAX);
    Settings {
        primary: stored_primary(settings.primary()),
        title: settings.title,
        series: settings.series,
        description: settings.description,
        classes: class_entries(&settings.classes),
        wider_classes: settings.test.wider_classes.as_deref().map(class_entries),
        public_images: settings.test.public_images,
        image_order: settings.test.order.map(stored_image_order),
        opens: settings.schedule.opens,
        closes: settings.schedule.closes,
        after_close: stored_after_close(settings.schedule.after_close),
        per_day: settings.limits.per_day.map(limit),
        per_week: settings.limits.per_week.map(limit),
        total: settings.limits.total.map(limit),
        upload_mb: limit(settings.limits.upload_mb),
        public_fraction: settings.leaderboard.public_fraction,
        feedback: stored_feedback(settings.leaderboard.feedback),
        ranking: stored_ranking(settings.leaderboard.ranking),
        final_selections: limit(settings.leaderboard.final_selections),
        reference: settings.leaderboard.reference.map(|line| Reference {
            label: line.label,
            error: line.error,
        }),
        outside_data: stored_outside_data(settings.rules.outside_data),
    }
}

/// A close so long ago is taken for "now": clocks differ.
const JUST_NOW: TimeDelta = TimeDelta::minutes(5);

/// # Errors
/// 422 for a close that is over: a wrong year would end the challenge for good and release its private scores.
pub fn is_to_come(closes: Option<DateTime<Utc>>) -> Result<(), Problem> {
    match closes {
        Some(closes) if closes + JUST_NOW < Utc::now() => Err(Problem::unprocessable(format!(
            "schedule.closes ({closes}) is over; give a time to come, or the present to close the challenge at once"
        ))),
        _ => Ok(()),
    }
}

/// Changes what the patch says of the settings; its wish to publish is somebody else's.
///
/// # Errors
/// 422 where the settings would not be acceptable, 409 where they may not change any more.
pub async fn apply(app: &App, slug: &str, patch: documents::ChallengePatch) -> Result<(), Problem> {
    let changed = stored::change(&app.db, slug, |challenge, dependents| {
        if patch.published == Some(false) && challenge.published_at.is_some() {
            return Err(Problem::conflict(
                "a published challenge cannot become a draft again; move its close instead",
            ));
        }
        let known_labels = patch.known_labels.unwrap_or(challenge.leak.known_labels);
        let settings = patched(challenge, patch);
        check(&settings)?;
        if settings.schedule.closes != challenge.settings.closes {
            is_to_come(settings.schedule.closes)?;
        }
        let settings = to_store(settings);
        may_become(challenge, dependents, &settings)?;
        Ok(Change {
            settings,
            publish: false,
            known_labels,
        })
    })
    .await?;
    changed.ok_or_else(|| Problem::not_found(format!("there is no challenge `{slug}`")))
}

/// The settings as they would be after the patch.
fn patched(
    challenge: &Challenge,
    patch: documents::ChallengePatch,
) -> documents::ChallengeSettings {
    let now = &challenge.settings;
    let test = patch.test.unwrap_or_default();
    let schedule = patch.schedule.unwrap_or_default();
    let limits = patch.limits.unwrap_or_default();
    let leaderboard = patch.leaderboard.unwrap_or_default();
    let (limits_now, leaderboard_now) = (self::limits(now), self::leaderboard(now));
    documents::ChallengeSettings {
        slug: challenge.slug.clone(),
        title: patch.title.unwrap_or_else(|| now.title.clone()),
        series: patch.series.unwrap_or_else(|| now.series.clone()),
        description: patch.description.unwrap_or_else(|| now.description.clone()),
        classes: patch
            .classes
            .unwrap_or_else(|| class_documents(&now.classes)),
        test: documents::TestSettings {
            public_images: test.public_images.unwrap_or(now.public_images),
            wider_classes: (test.wider_classes)
                .unwrap_or_else(|| now.wider_classes.as_deref().map(class_documents)),
            order: test.order.or(now.image_order.map(image_order_document)),
        },
        schedule: documents::Schedule {
            opens: schedule.opens.unwrap_or(now.opens),
            closes: schedule.closes.unwrap_or(now.closes),
            after_close: schedule
                .after_close
                .unwrap_or(after_close_document(now.after_close)),
        },
        limits: documents::Limits {
            per_day: limits.per_day.unwrap_or(limits_now.per_day),
            per_week: limits.per_week.unwrap_or(limits_now.per_week),
            total: limits.total.unwrap_or(limits_now.total),
            upload_mb: limits.upload_mb.unwrap_or(limits_now.upload_mb),
        },
        leaderboard: documents::LeaderboardSettings {
            primary: Some(leaderboard.primary.unwrap_or(leaderboard_now.primary)),
            public_fraction: leaderboard
                .public_fraction
                .unwrap_or(leaderboard_now.public_fraction),
            feedback: leaderboard.feedback.unwrap_or(leaderboard_now.feedback),
            ranking: leaderboard.ranking.unwrap_or(leaderboard_now.ranking),
            final_selections: leaderboard
                .final_selections
                .unwrap_or(leaderboard_now.final_selections),
            reference: leaderboard.reference.unwrap_or(leaderboard_now.reference),
        },
        rules: documents::Rules {
            outside_data: patch
                .rules
                .and_then(|rules| rules.outside_data)
                .unwrap_or(outside_data_document(now.outside_data)),
        },
    }
}

/// What stays as it is: classes and the public fraction once published; the number of classes and the public fraction
/// once there are labels, because those were read with the classes and split by the fraction; the close once private
/// scores are out; a ladder and what it stands on, once published. What teams have selected for the private board is not
/// taken from them.
#[expect(
    clippy::float_cmp,
    reason = "an unchanged fraction is bit for bit the same"
)]
fn may_become(
    challenge: &Challenge,
    dependents: Dependents,
    new: &Settings,
) -> Result<(), Problem> {
    let Dependents {
        has_labels,
        has_submissions,
        most_selected,
    } = dependents;
    let now = &challenge.settings;
    let is_published = challenge.published_at.is_some();
    if is_published && new.classes != now.classes {
        return Err(Problem::conflict(
            "the classes of a published challenge cannot change; make a new challenge",
        ));
    }
    if is_published && new.wider_classes != now.wider_classes {
        return Err(Problem::conflict(
            "the wider classes of a published challenge cannot change; make a new challenge",
        ));
    }
    if has_submissions && new.wider_classes != now.wider_classes {
        return Err(Problem::conflict(
            "there are submissions, which were read with the wider classes as they are: withdraw them first, or make a new challenge",
        ));
    }
    // In a challenge of before, where nobody had to say, it is byte order.
    if is_published && new.image_order.unwrap_or_default() != now.image_order.unwrap_or_default() {
        return Err(Problem::conflict(
            "the order of the images of a published challenge cannot change; make a new challenge",
        ));
    }
    if (is_published || has_labels) && new.public_fraction != now.public_fraction {
        return Err(Problem::conflict(format!(
            "public_fraction stays {} once labels are uploaded, because they were split by it; make a new challenge",
            now.public_fraction
        )));
    }
    if is_published
        && now.feedback == Feedback::Ladder
        && (new.feedback, new.primary) != (Feedback::Ladder, now.primary)
    {
        return Err(Problem::conflict(
            "a published challenge keeps its ladder and the error that it stands on, as an exact score or another error would tell what the ladder has kept back; make a new challenge",
        ));
    }
    if has_labels && new.classes.len() != now.classes.len() {
        return Err(Problem::conflict(format!(
            "there are labels for {} classes; to have {}, make a new challenge",
            now.classes.len(),
            new.classes.len()
        )));
    }
    if new.final_selections < now.final_selections
        && i64::from(new.final_selections) < most_selected
    {
        return Err(Problem::conflict(format!(
            "final_selections stays {} or becomes at least {most_selected}, because a team has selected that many for the private board",
            now.final_selections
        )));
    }
    if challenge.private_released_at.is_some() && new.closes != now.closes {
        return Err(Problem::conflict(
            "the close cannot be moved any more, because private scores have been released",
        ));
    }
    Ok(())
}
