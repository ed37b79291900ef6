//! Challenges as the api role sees them: what they are (here), how organizers change them ([`settings`]), their public
//! files and test images ([`files`]), what changed since their publication ([`changes`]), their organizers ([`organizers`]) and the versions of their hidden labels
//! ([`labels`]), which go in and never come out.

pub mod changes;
pub mod files;
pub mod labels;
pub mod organizers;
pub mod settings;

use chrono::{DateTime, Utc};
use referee_scoring::classes::{ClassEntry, ClassList};
use referee_scoring::images::ImageList;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{ApiDb, StorageError};
use settings::{AfterClose, Feedback, OutsideData, Primary, Ranking, Reference, Settings};

/// A challenge: what its organizers decided, and what has become of it.
#[derive(Clone, Debug)]
pub struct Challenge {
    pub id: Uuid,
    pub slug: String,
    pub settings: Settings,
    /// Test images, once labels or images are uploaded.
    pub images: Option<i32>,
    pub has_image_names: bool,
    /// Of classes, images and labels: another number, other facts.
    pub facts_revision: i32,
    /// The version of the labels that the board shows.
    pub label_version: Option<i32>,
    pub leak: Leak,
    pub published_at: Option<DateTime<Utc>>,
    pub private_released_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    /// Teams with a submission.
    pub teams: i64,
    /// Competitors' submissions that were not rejected.
    pub submissions: i64,
}

/// Whether something public predicts the labels, as far as the scorer has looked.
#[derive(Clone, Debug)]
pub struct Leak {
    pub is_checked: bool,
    /// The scorer's sentence.
    pub finding: Option<String>,
    /// The organizers declared the labels public anyway.
    pub known_labels: bool,
}

/// Where a challenge is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Draft,
    Upcoming,
    Open,
    Closed,
}

impl State {
    pub(crate) fn of(
        published_at: Option<DateTime<Utc>>,
        opens: Option<DateTime<Utc>>,
        closes: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Self {
        if published_at.is_none() {
            Self::Draft
        } else if closes.is_some_and(|closes| closes <= now) {
            Self::Closed
        } else if opens.is_some_and(|opens| opens > now) {
            Self::Upcoming
        } else {
            Self::Open
        }
    }
}

impl Challenge {
    pub fn state_at(&self, now: DateTime<Utc>) -> State {
        State::of(
            self.published_at,
            self.settings.opens,
            self.settings.closes,
            now,
        )
    }
}

/// A challenge in a list: without what is long.
#[derive(Clone, Debug)]
pub struct Summary {
    pub id: Uuid,
    pub slug: String,
    pub title: String,
    pub series: Option<String>,
    pub class_count: i32,
    pub opens: Option<DateTime<Utc>>,
    pub closes: Option<DateTime<Utc>>,
    pub after_close: AfterClose,
    pub primary: Primary,
    pub public_fraction: f64,
    pub feedback: Feedback,
    pub ranking: Ranking,
    pub final_selections: i32,
    pub reference: Option<Reference>,
    pub images: Option<i32>,
    pub published_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub teams: i64,
    pub submissions: i64,
    /// Whether the viewer runs it.
    pub is_organizer: bool,
}

impl Summary {
    pub fn state_at(&self, now: DateTime<Utc>) -> State {
        State::of(self.published_at, self.opens, self.closes, now)
    }
}

/// The challenge with this slug, drafts included.
pub async fn challenge(db: &ApiDb, slug: &str) -> Result<Option<Challenge>, StorageError> {
    let mut connection = db.pool().acquire().await?;
    read(&mut connection, slug).await
}

/// Holds the challenge's row until the transaction ends: settings, labels and images change one after the other. Submissions
/// come in meanwhile, as a long file of labels takes a while to store.
async fn lock(
    connection: &mut PgConnection,
    slug: &str,
) -> Result<Option<Challenge>, StorageError> {
    sqlx::query_scalar!(
        "SELECT id FROM challenges WHERE slug = $1 FOR NO KEY UPDATE",
        slug
    )
    .fetch_optional(&mut *connection)
    .await?;
    read(connection, slug).await
}

async fn read(
    connection: &mut PgConnection,
    slug: &str,
) -> Result<Option<Challenge>, StorageError> {
    let row = sqlx::query!(
        r#"
        SELECT id, slug, title, series, description, classes AS "classes: Json<Vec<ClassEntry>>", public_images, opens,
               closes, after_close AS "after_close: AfterClose", per_day, per_week, total, upload_mb,
               primary_error AS "primary: Primary", public_fraction, feedback AS "feedback: Feedback",
               ranking AS "ranking: Ranking", final_selections, outside_data AS "outside_data: OutsideData", images,
               image_names IS NOT NULL AS "has_image_names!", facts_revision, label_version, label_leak,
               label_leak_checked, known_labels, published_at, private_released_at, created_at, reference_label,
               reference_error,
               (SELECT count(DISTINCT team)
                FROM submissions
                WHERE challenge = challenges.id AND entry = 'competitor') AS "teams!",
               (SELECT count(*)
                FROM submissions
                WHERE challenge = challenges.id AND entry = 'competitor' AND status <> 'rejected') AS "submissions!"
        FROM challenges
        WHERE slug = $1
        "#,
        slug,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Challenge {
        id: row.id,
        slug: row.slug,
        settings: Settings {
            title: row.title,
            series: row.series,
            description: row.description,
            classes: row.classes.0,
            public_images: row.public_images,
            opens: row.opens,
            closes: row.closes,
            after_close: row.after_close,
            per_day: row.per_day,
            per_week: row.per_week,
            total: row.total,
            upload_mb: row.upload_mb,
            primary: row.primary,
            public_fraction: row.public_fraction,
            feedback: row.feedback,
            ranking: row.ranking,
            final_selections: row.final_selections,
            reference: Reference::of(row.reference_label, row.reference_error),
            outside_data: row.outside_data,
        },
        images: row.images,
        has_image_names: row.has_image_names,
        facts_revision: row.facts_revision,
        label_version: row.label_version,
        leak: Leak {
            is_checked: row.label_leak_checked,
            finding: row.label_leak,
            known_labels: row.known_labels,
        },
        published_at: row.published_at,
        private_released_at: row.private_released_at,
        created_at: row.created_at,
        teams: row.teams,
        submissions: row.submissions,
    }))
}

/// Who looks at a list of challenges: published ones are shown to everybody.
#[derive(Clone, Copy, Debug)]
pub enum Viewer {
    Anyone,
    /// Sees the drafts that this user organizes too.
    User(Uuid),
    /// Sees every draft.
    Administrator,
}

/// Up to `limit` challenges that the viewer may see, newest first, from the one after `after` on.
pub async fn list(
    db: &ApiDb,
    viewer: Viewer,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Summary>, StorageError> {
    let (user, sees_all) = match viewer {
        Viewer::Anyone => (None, false),
        Viewer::User(user) => (Some(user), false),
        Viewer::Administrator => (None, true),
    };
    let rows = sqlx::query!(
        r#"
        SELECT id, slug, title, series, jsonb_array_length(classes) AS "class_count!", opens, closes,
               after_close AS "after_close: AfterClose", primary_error AS "primary: Primary", public_fraction,
               feedback AS "feedback: Feedback", ranking AS "ranking: Ranking", final_selections, images, published_at,
               created_at, reference_label, reference_error,
               (SELECT count(DISTINCT team)
                FROM submissions
                WHERE challenge = challenges.id AND entry = 'competitor') AS "teams!",
               (SELECT count(*)
                FROM submissions
                WHERE challenge = challenges.id AND entry = 'competitor' AND status <> 'rejected') AS "submissions!",
               $2 OR EXISTS (SELECT FROM challenge_organizers WHERE challenge = challenges.id AND user_id = $1)
                   AS "is_organizer!"
        FROM challenges
        WHERE (published_at IS NOT NULL
               OR $2
               OR EXISTS (SELECT FROM challenge_organizers WHERE challenge = challenges.id AND user_id = $1))
          AND ($3::uuid IS NULL OR id < $3)
        ORDER BY id DESC
        LIMIT $4
        "#,
        user,
        sees_all,
        after,
        limit,
    )
    .fetch_all(db.pool())
    .await?;
    let summaries = rows.into_iter().map(|row| Summary {
        id: row.id,
        slug: row.slug,
        title: row.title,
        series: row.series,
        class_count: row.class_count,
        opens: row.opens,
        closes: row.closes,
        after_close: row.after_close,
        primary: row.primary,
        public_fraction: row.public_fraction,
        feedback: row.feedback,
        ranking: row.ranking,
        final_selections: row.final_selections,
        reference: Reference::of(row.reference_label, row.reference_error),
        images: row.images,
        published_at: row.published_at,
        created_at: row.created_at,
        teams: row.teams,
        submissions: row.submissions,
        is_organizer: row.is_organizer,
    });
    Ok(summaries.collect())
}

/// What a file about the test images is read with: the classes and the images.
///
/// `None` for the images until labels or images are uploaded.
pub async fn public_facts(
    db: &ApiDb,
    challenge: Uuid,
) -> Result<(ClassList, Option<ImageList>), StorageError> {
    let row = sqlx::query!(
        r#"
        SELECT classes AS "classes: Json<Vec<ClassEntry>>", images, image_names
        FROM challenges
        WHERE id = $1
        "#,
        challenge,
    )
    .fetch_one(db.pool())
    .await?;
    let classes = ClassList::new(row.classes.0)
        .map_err(|_| StorageError::Corrupt("a stored class list is not valid"))?;
    let images = match (row.images, row.image_names) {
        (_, Some(names)) => Some(
            ImageList::named(names)
                .map_err(|_| StorageError::Corrupt("a stored image list is not valid"))?,
        ),
        (Some(images), None) => Some(ImageList::ordinals(images.unsigned_abs() as usize)),
        (None, None) => None,
    };
    Ok((classes, images))
}

/// The names of the test images in the order of their ordinals; `None` where they have none.
pub async fn image_names(db: &ApiDb, challenge: Uuid) -> Result<Option<Vec<String>>, StorageError> {
    Ok(sqlx::query_scalar!(
        "SELECT image_names FROM challenges WHERE id = $1",
        challenge
    )
    .fetch_one(db.pool())
    .await?)
}

/// Raises the board's revision: whoever watches the challenge reads it anew.
pub(crate) async fn touch_board(
    connection: &mut PgConnection,
    challenge: Uuid,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE boards SET revision = revision + 1, changed_at = now() WHERE challenge = $1",
        challenge,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Has the scorer look at what may be due after a change: labels to seal, leaks to look for, ranks to test.
pub(crate) async fn wake_scorer(
    connection: &mut PgConnection,
    challenge: Uuid,
) -> Result<(), StorageError> {
    sqlx::query!("SELECT enqueue_challenge($1)", challenge)
        .execute(connection)
        .await?;
    Ok(())
}
