//! What organizers decide: a challenge is made as a draft, changed, and published once.

use chrono::{DateTime, Utc};
use referee_scoring::ImageOrder;
use referee_scoring::classes::ClassEntry;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Challenge, image_order, lock, touch_board, wake_scorer};
use crate::{ApiDb, StorageError};

/// What happens to a submission whose first byte arrives after the close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum AfterClose {
    Reject,
    /// Scored, marked late, never ranked.
    Score,
}

/// The error that ranks, that the ladder gates and that ties are tested on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Primary {
    Top1,
    Top5,
}

/// How much of a score its team learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Feedback {
    Exact,
    /// The last accepted submission's errors.
    Ladder,
}

/// Which of a team's submissions stands on the public board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Ranking {
    Best,
    Latest,
}

/// Whether data from elsewhere may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum OutsideData {
    Declared,
    Forbidden,
}

/// A line across the challenge's pictures that is no submission: a human's error, say.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    pub label: String,
    /// The primary error, in [0, 1].
    pub error: f64,
}

impl Reference {
    /// From the two columns, which the schema keeps both there or both absent.
    pub(super) fn of(label: Option<String>, error: Option<f64>) -> Option<Self> {
        label.zip(error).map(|(label, error)| Self { label, error })
    }
}

/// Everything that an organizer decides about a challenge, its slug and its files apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub title: String,
    pub series: Option<String>,
    /// Markdown.
    pub description: String,
    /// Position = class index.
    pub classes: Vec<ClassEntry>,
    /// A longer list that holds them all, which competitors' files are over.
    pub wider_classes: Option<Vec<ClassEntry>>,
    pub public_images: bool,
    /// In which order the names of the test images are counted; none where nobody has said.
    pub image_order: Option<ImageOrder>,
    pub opens: Option<DateTime<Utc>>,
    pub closes: Option<DateTime<Utc>>,
    pub after_close: AfterClose,
    pub per_day: Option<i32>,
    pub per_week: Option<i32>,
    pub total: Option<i32>,
    pub upload_mb: i32,
    pub primary: Primary,
    pub public_fraction: f64,
    pub feedback: Feedback,
    pub ranking: Ranking,
    pub final_selections: i32,
    pub reference: Option<Reference>,
    pub outside_data: OutsideData,
}

/// Makes a draft with its board, and its maker its organizer; `false` where the slug is taken.
pub async fn create(
    db: &ApiDb,
    slug: &str,
    settings: &Settings,
    creator: Uuid,
) -> Result<bool, StorageError> {
    let mut transaction = db.begin().await?;
    let id = Uuid::now_v7();
    let created = sqlx::query!(
        r#"
        INSERT INTO challenges (id, slug, title, series, description, classes, public_images, opens, closes, after_close,
                                per_day, per_week, total, upload_mb, primary_error, public_fraction, feedback, ranking,
                                final_selections, outside_data, created_by, reference_label, reference_error, wider_classes)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
        ON CONFLICT (slug) DO NOTHING
        "#,
        id,
        slug,
        settings.title,
        settings.series,
        settings.description,
        Json(&settings.classes) as _,
        settings.public_images,
        settings.opens,
        settings.closes,
        settings.after_close as AfterClose,
        settings.per_day,
        settings.per_week,
        settings.total,
        settings.upload_mb,
        settings.primary as Primary,
        settings.public_fraction,
        settings.feedback as Feedback,
        settings.ranking as Ranking,
        settings.final_selections,
        settings.outside_data as OutsideData,
        creator,
        settings.reference.as_ref().map(|line| line.label.as_str()),
        settings.reference.as_ref().map(|line| line.error),
        settings.wider_classes.as_ref().map(Json) as _,
    )
    .execute(&mut *transaction)
    .await?;
    if created.rows_affected() == 0 {
        return Ok(false);
    }
    if let Some(order) = settings.image_order {
        image_order::put(&mut transaction, id, order).await?;
    }
    sqlx::query!(
        "INSERT INTO challenge_organizers (challenge, user_id) VALUES ($1, $2)",
        id,
        creator,
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!("INSERT INTO boards (challenge) VALUES ($1)", id)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}

/// A challenge as an organizer's change leaves it.
pub struct Change {
    pub settings: Settings,
    pub publish: bool,
    pub known_labels: bool,
}

/// What was made under the settings as they are.
#[derive(Clone, Copy, Debug)]
pub struct Dependents {
    /// Whether labels were ever uploaded.
    pub has_labels: bool,
    /// Whether a submission's file or record has been read, or will be, with the class lists as they are.
    pub has_submissions: bool,
    /// The most submissions that a team has selected for the private board.
    pub most_selected: i64,
}

/// Changes a challenge by what `decide` makes of it as it stands, while nobody else can change it; `None` where there is
/// no such challenge. `decide` is also told what depends on the settings.
///
/// # Errors
/// Whatever `decide` refuses with; then nothing changes.
pub async fn change<E: From<StorageError>>(
    db: &ApiDb,
    slug: &str,
    decide: impl FnOnce(&Challenge, Dependents) -> Result<Change, E>,
) -> Result<Option<()>, E> {
    let mut transaction = db.begin().await?;
    let Some(challenge) = lock(&mut transaction, slug).await? else {
        return Ok(None);
    };
    let dependents = sqlx::query_as!(
        Dependents,
        r#"
        SELECT EXISTS (SELECT FROM label_versions WHERE challenge = $1 AND state <> 'refused') AS "has_labels!",
               EXISTS (SELECT
                       FROM submissions
                       WHERE challenge = $1
                         AND withdrawn_at IS NULL
                         AND status NOT IN ('rejected', 'failed')) AS "has_submissions!",
               coalesce(max(teams.selected), 0) AS "most_selected!"
        FROM (
            SELECT count(*) AS selected
            FROM submissions
            WHERE challenge = $1
              AND selected
              AND withdrawn_at IS NULL
              AND status NOT IN ('rejected', 'failed')
            GROUP BY team
        ) AS teams
        "#,
        challenge.id,
    )
    .fetch_one(&mut *transaction)
    .await
    .map_err(StorageError::from)?;
    let Change {
        settings,
        publish,
        known_labels,
    } = decide(&challenge, dependents)?;
    // Apart from the rest, which the api may write as it likes: the close lets private scores out.
    sqlx::query!(
        r#"SELECT set_schedule($1, $2, $3) AS "set: ()""#,
        challenge.id,
        settings.opens,
        settings.closes,
    )
    .fetch_one(&mut *transaction)
    .await
    .map_err(StorageError::from)?;
    sqlx::query!(
        r#"
        UPDATE challenges
        SET title = $2, series = $3, description = $4, classes = $5, public_images = $6, after_close = $7, per_day = $8,
            per_week = $9, total = $10, upload_mb = $11, primary_error = $12, public_fraction = $13, feedback = $14,
            ranking = $15, final_selections = $16, outside_data = $17, known_labels = $18, reference_label = $20,
            reference_error = $21, wider_classes = $22,
            published_at = CASE WHEN $19 THEN coalesce(published_at, now()) ELSE published_at END,
            label_leak_checked = label_leak_checked AND classes = $5
        WHERE id = $1
        "#,
        challenge.id,
        settings.title,
        settings.series,
        settings.description,
        Json(&settings.classes) as _,
        settings.public_images,
        settings.after_close as AfterClose,
        settings.per_day,
        settings.per_week,
        settings.total,
        settings.upload_mb,
        settings.primary as Primary,
        settings.public_fraction,
        settings.feedback as Feedback,
        settings.ranking as Ranking,
        settings.final_selections,
        settings.outside_data as OutsideData,
        known_labels,
        publish,
        settings.reference.as_ref().map(|line| line.label.as_str()),
        settings.reference.as_ref().map(|line| line.error),
        settings.wider_classes.as_ref().map(Json) as _,
    )
    .execute(&mut *transaction)
    .await
    .map_err(StorageError::from)?;
    if let Some(order) = settings.image_order
        && challenge.settings.image_order != Some(order)
    {
        image_order::put(&mut transaction, challenge.id, order).await?;
    }
    touch_board(&mut transaction, challenge.id).await?;
    wake_scorer(&mut transaction, challenge.id).await?;
    transaction.commit().await.map_err(StorageError::from)?;
    Ok(Some(()))
}
