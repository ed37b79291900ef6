//! What is stored of a challenge, as the contract's documents.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use referee_client::documents;
use referee_storage::challenges::files::{self, File, Purpose};
use referee_storage::challenges::labels::{self, LabelState, LabelVersion};
use referee_storage::challenges::{State, Summary, organizers};
use referee_storage::commitments;

use super::publishing;
use super::settings::{self, class_documents};
use crate::app::App;
use crate::auth::MaybeSignedIn;
use crate::problem::Problem;
use crate::routes::commitment;

/// The challenge as whoever asks may see it.
pub async fn challenge(
    app: &App,
    slug: &str,
    viewer: &MaybeSignedIn,
) -> Result<documents::ChallengeDocument, Problem> {
    let visible = app.visible_challenge(slug, viewer).await?;
    let (challenge, is_organizer) = (&visible.challenge, visible.is_organizer);
    let settings = &challenge.settings;
    let files = Files::sort(files::files(&app.db, challenge.id).await?);
    let shows_images = settings.public_images || is_organizer;
    let newest = if is_organizer {
        labels::newest(&app.db, challenge.id).await?
    } else {
        None
    };
    let publishing = match challenge.published_at {
        None => {
            let validation = files.validation.as_ref();
            Some(publishing::outlook(app, challenge, newest.as_ref(), validation).await?)
        }
        Some(_) => None,
    };
    let organizers = organizers::organizers(&app.db, challenge.id).await?;
    Ok(documents::ChallengeDocument {
        slug: challenge.slug.clone(),
        title: settings.title.clone(),
        series: settings.series.clone(),
        description: settings.description.clone(),
        classes: class_documents(&settings.classes),
        test: documents::TestDocument {
            public_images: settings.public_images,
            wider_classes: settings.wider_classes.as_deref().map(class_documents),
            named_images: challenge.has_image_names,
            order: settings.image_order.map(settings::image_order_document),
            file: files.test_images.filter(|_| shows_images),
        },
        validation: files.validation,
        files: files.downloads,
        schedule: settings::schedule(settings.opens, settings.closes, settings.after_close),
        limits: settings::limits(settings),
        leaderboard: settings::leaderboard(settings),
        rules: documents::Rules {
            outside_data: settings::outside_data_document(settings.outside_data),
        },
        state: state_document(challenge.state_at(Utc::now())),
        images: challenge.images.map(i32::unsigned_abs),
        label_version: challenge.label_version.map(i32::unsigned_abs),
        private_released: challenge.private_released_at.is_some(),
        organizers: organizers
            .into_iter()
            .map(|organizer| organizer.handle)
            .collect(),
        teams: challenge.teams.unsigned_abs(),
        submissions: challenge.submissions.unsigned_abs(),
        created_at: challenge.created_at,
        published_at: challenge.published_at,
        commitment: commitments::current(&app.db, challenge.id)
            .await?
            .map(commitment::document),
        publishing,
        labels: newest.map(label_version_document),
    })
}

pub fn summary(
    summary: Summary,
    best: Option<documents::BestEntry>,
    now: DateTime<Utc>,
) -> documents::ChallengeSummary {
    documents::ChallengeSummary {
        state: state_document(summary.state_at(now)),
        slug: summary.slug,
        title: summary.title,
        series: summary.series,
        class_count: summary.class_count.unsigned_abs(),
        schedule: settings::schedule(summary.opens, summary.closes, summary.after_close),
        leaderboard: documents::LeaderboardRules {
            primary: settings::primary_document(summary.primary),
            public_fraction: summary.public_fraction,
            feedback: settings::feedback_document(summary.feedback),
            ranking: settings::ranking_document(summary.ranking),
            final_selections: summary.final_selections.unsigned_abs(),
            reference: summary.reference.as_ref().map(settings::reference_document),
        },
        images: summary.images.map(i32::unsigned_abs),
        teams: summary.teams.unsigned_abs(),
        submissions: summary.submissions.unsigned_abs(),
        best,
        is_organizer: summary.is_organizer,
        created_at: summary.created_at,
        published_at: summary.published_at,
    }
}

pub fn state_document(state: State) -> documents::State {
    match state {
        State::Draft => documents::State::Draft,
        State::Upcoming => documents::State::Upcoming,
        State::Open => documents::State::Open,
        State::Closed => documents::State::Closed,
    }
}

/// A version of the labels; never the labels.
pub fn label_version_document(version: LabelVersion) -> documents::LabelVersion {
    documents::LabelVersion {
        version: version.version.unsigned_abs(),
        images: version.images.unsigned_abs(),
        state: match version.state {
            LabelState::Uploaded => documents::LabelState::Uploaded,
            LabelState::Sealed => documents::LabelState::Sealed,
            LabelState::Current => documents::LabelState::Current,
            LabelState::Superseded => documents::LabelState::Superseded,
            LabelState::Refused => documents::LabelState::Refused,
        },
        problem: version.problem,
        notices: Vec::new(),
        copy_of: version.copy_of.map(i32::unsigned_abs),
        created_by: Some(version.created_by),
        created_at: version.created_at,
        current_at: version.current_at,
    }
}

pub fn stored_file_document(file: &File) -> documents::StoredFile {
    documents::StoredFile {
        filename: file.filename.clone(),
        bytes: file.bytes.unsigned_abs(),
        sha256: crate::secrets::hexadecimal(&file.sha256),
    }
}

/// The files of a challenge by what they are for.
#[derive(Default)]
pub struct Files {
    pub test_images: Option<documents::StoredFile>,
    pub validation: Option<documents::ValidationDocument>,
    pub downloads: BTreeMap<String, documents::StoredFile>,
}

impl Files {
    pub fn sort(files: Vec<File>) -> Self {
        let mut sorted = Self::default();
        for file in files {
            let document = stored_file_document(&file);
            let validation = || documents::ValidationDocument {
                images: None,
                labels: None,
            };
            match file.purpose {
                Purpose::Download => drop(sorted.downloads.insert(file.key, document)),
                Purpose::TestImages => sorted.test_images = Some(document),
                Purpose::ValidationImages => {
                    sorted.validation.get_or_insert_with(validation).images = Some(document);
                }
                Purpose::ValidationLabels => {
                    sorted.validation.get_or_insert_with(validation).labels = Some(document);
                }
            }
        }
        sorted
    }
}
