//! What a team is told when its score is another under new labels.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::StorageError;

/// Leaves a notice on each submission, or this one, whose released scores under the version that the board shows are not those
/// under the version that it showed before.
pub(super) async fn tell_of_changed_scores(
    connection: &mut PgConnection,
    challenge: Uuid,
    submission: Option<Uuid>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "WITH shown AS (
             SELECT s.id AS submission, c.label_version AS version,
                    (SELECT max(v.version)
                     FROM label_versions v
                     JOIN released_scores r ON r.submission = s.id AND r.label_version = v.version
                     WHERE v.challenge = c.id
                       AND v.version < c.label_version
                       AND v.current_at IS NOT NULL) AS before
             FROM challenges c
             JOIN submissions s ON s.challenge = c.id
             WHERE c.id = $1
               AND s.status = 'scored'
               AND ($2::uuid IS NULL OR s.id = $2)
         ),
         told AS (
             SELECT shown.submission, shown.before, shown.version,
                    string_agg(
                        format('on the %s images a top-1 error of %s %% instead of %s %%, a top-5 error of %s %% instead of %s %%', old.split,
                               round(100.0 * new.top1_misses / greatest(new.images, 1), 2), round(100.0 * old.top1_misses / greatest(old.images, 1), 2),
                               round(100.0 * new.top5_misses / greatest(new.images, 1), 2), round(100.0 * old.top5_misses / greatest(old.images, 1), 2)),
                        '; ' ORDER BY old.split DESC) AS figures
             FROM shown
             JOIN released_scores old ON old.submission = shown.submission AND old.label_version = shown.before
             JOIN released_scores new ON new.submission = shown.submission AND new.label_version = shown.version AND new.split = old.split
             WHERE (old.images, old.top1_misses, old.top5_misses) <> (new.images, new.top1_misses, new.top5_misses)
             GROUP BY shown.submission, shown.before, shown.version
         )
         UPDATE submissions s
         SET notices = s.notices || jsonb_build_array(jsonb_build_object(
                 'code', 'score-changed',
                 'detail', format('The labels changed from version %s to version %s, and with them this score: %s.',
                                  told.before, told.version, told.figures)))
         FROM told
         WHERE s.id = told.submission",
        challenge,
        submission
    )
    .execute(connection)
    .await?;
    Ok(())
}
