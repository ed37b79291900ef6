//! What people change about a submission: its description and its marks. Nothing scored is ever deleted.

use sqlx::PgConnection;
use uuid::Uuid;

use super::Entry;
use crate::challenges::{touch_board, wake_scorer};
use crate::{ApiDb, StorageError};

/// What is to change; what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub method: Option<String>,
    pub description: Option<String>,
    pub paper_url: Option<Option<String>>,
    pub code_url: Option<Option<String>>,
    pub selected: Option<bool>,
    /// The reason why it is hidden; none to show it again.
    pub hidden: Option<Option<String>>,
    pub verified: Option<bool>,
}

/// Why a submission cannot be selected for the private board.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionRefusal {
    #[error(
        "the challenge has closed: what is selected for the private board can no longer change"
    )]
    Closed,
    #[error(
        "only a competitor's submission in time, neither withdrawn nor rejected nor failed, can be selected for the private board"
    )]
    NotEligible,
    #[error(
        "a team can select {limit} for the private board and this one has selected {}: deselect one first",
        .selected.iter().map(|(id, method)| format!("{id} ({method})")).collect::<Vec<_>>().join(", ")
    )]
    Full {
        limit: i32,
        selected: Vec<(Uuid, String)>,
    },
}

/// Changes a submission on behalf of `by`, all or nothing.
pub async fn change(
    db: &ApiDb,
    submission: Uuid,
    by: Uuid,
    changes: &Changes,
) -> Result<Result<(), SelectionRefusal>, StorageError> {
    let mut transaction = db.begin().await?;
    if let Some(selected) = changes.selected
        && let Some(refusal) = selection_refusal(&mut transaction, submission, selected).await?
    {
        return Ok(Err(refusal));
    }
    let challenge = sqlx::query_scalar!(
        r#"
        UPDATE submissions
        SET method = coalesce($3, method),
            description = coalesce($4, description),
            paper_url = CASE WHEN $5 THEN $6 ELSE paper_url END,
            code_url = CASE WHEN $7 THEN $8 ELSE code_url END,
            selected = coalesce($9, selected),
            hidden_at = CASE WHEN $10 THEN CASE WHEN $11::text IS NOT NULL THEN now() END ELSE hidden_at END,
            hidden_by = CASE WHEN $10 THEN CASE WHEN $11::text IS NOT NULL THEN $2::uuid END ELSE hidden_by END,
            hidden_reason = CASE WHEN $10 THEN $11 ELSE hidden_reason END,
            verified_at = CASE $12::boolean WHEN true THEN now() WHEN false THEN NULL ELSE verified_at END,
            verified_by = CASE $12::boolean WHEN true THEN $2::uuid WHEN false THEN NULL ELSE verified_by END
        WHERE id = $1
        RETURNING challenge
        "#,
        submission,
        by,
        changes.method,
        changes.description,
        changes.paper_url.is_some(),
        changes.paper_url.as_ref().and_then(Option::as_deref),
        changes.code_url.is_some(),
        changes.code_url.as_ref().and_then(Option::as_deref),
        changes.selected,
        changes.hidden.is_some(),
        changes.hidden.as_ref().and_then(Option::as_deref),
        changes.verified,
    )
    .fetch_one(&mut *transaction)
    .await?;
    touch_board(&mut transaction, challenge).await?;
    // Only a submission that comes or goes changes others' ranks.
    if changes.hidden.is_some() {
        wake_scorer(&mut transaction, challenge).await?;
    }
    transaction.commit().await?;
    Ok(Ok(()))
}

/// Takes a submission off the board for good; its quota stays spent. Nothing happens the second time.
pub async fn withdraw(db: &ApiDb, submission: Uuid) -> Result<(), StorageError> {
    let mut transaction = db.begin().await?;
    let challenge = sqlx::query_scalar!(
        "UPDATE submissions SET withdrawn_at = now() WHERE id = $1 AND withdrawn_at IS NULL RETURNING challenge",
        submission,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    if let Some(challenge) = challenge {
        touch_board(&mut transaction, challenge).await?;
        wake_scorer(&mut transaction, challenge).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Looks at a team's selection with the team locked, so that two selections at once cannot exceed the limit, and with the
/// challenge held still, so that the limit is not lowered meanwhile.
async fn selection_refusal(
    connection: &mut PgConnection,
    submission: Uuid,
    select: bool,
) -> Result<Option<SelectionRefusal>, StorageError> {
    sqlx::query!(
        r#"
        SELECT teams.id
        FROM submissions
        JOIN challenges ON challenges.id = submissions.challenge
        JOIN teams ON teams.id = submissions.team
        WHERE submissions.id = $1
        FOR NO KEY UPDATE OF teams
        FOR SHARE OF challenges
        "#,
        submission,
    )
    .fetch_one(&mut *connection)
    .await?;
    // Read only now: whoever had the team locked may have changed what it has selected.
    let wanted = sqlx::query!(
        r#"
        SELECT submissions.team, submissions.selected, submissions.entry AS "entry: Entry", submissions.late,
               submissions.withdrawn_at IS NULL AND submissions.status NOT IN ('rejected', 'failed') AS "stands!",
               coalesce(challenges.closes <= clock_timestamp(), false) AS "closed!",
               challenges.final_selections
        FROM submissions
        JOIN challenges ON challenges.id = submissions.challenge
        WHERE submissions.id = $1
        "#,
        submission,
    )
    .fetch_one(&mut *connection)
    .await?;
    if wanted.selected == select {
        return Ok(None);
    }
    if wanted.closed {
        return Ok(Some(SelectionRefusal::Closed));
    }
    if !select {
        return Ok(None);
    }
    if wanted.entry == Entry::Baseline || wanted.late || !wanted.stands {
        return Ok(Some(SelectionRefusal::NotEligible));
    }
    let selected = selected(connection, wanted.team).await?;
    let limit = wanted.final_selections;
    let full = i64::try_from(selected.len()).is_ok_and(|count| count >= i64::from(limit));
    Ok(full.then_some(SelectionRefusal::Full { limit, selected }))
}

/// What a team has selected for the private board, with the methods.
pub(super) async fn selected(
    connection: &mut PgConnection,
    team: Uuid,
) -> Result<Vec<(Uuid, String)>, StorageError> {
    let rows = sqlx::query!(
        r#"
        SELECT id, method
        FROM submissions
        WHERE team = $1
          AND selected
          AND withdrawn_at IS NULL
          AND status NOT IN ('rejected', 'failed')
        ORDER BY id
        "#,
        team,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.method)).collect())
}
