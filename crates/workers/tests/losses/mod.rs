//! What is lost on the way: workers, jobs, files.

use referee_storage::scorer::{self, FailureReason, MAX_ATTEMPTS};
use referee_storage::submissions::{Status, marks};

use crate::arena::{Arena, Rules};
use crate::wrong_first;

#[tokio::test]
async fn a_dead_workers_submission_is_started_again() {
    let arena = Arena::start(Rules::default()).await;
    let ann = arena.competitor("ann").await;
    arena.stop_scorer().await;
    let submission = arena.submit(&ann, &wrong_first(3)).await;
    // A worker claimed it and died: no job, no sign of life.
    let claim = scorer::claim(&arena.database.scorer, submission)
        .await
        .expect("claim")
        .expect("claimed");
    arena.forget_jobs().await;
    arena.start_scorer().await;
    let scored = arena.finished(submission).await;
    assert_eq!(scored.status, Status::Scored);
    assert!(
        arena
            .watchdog_actions()
            .await
            .contains(&"requeued".to_owned())
    );

    // The first worker comes back: its claim no longer stands.
    let stands = scorer::fail(&arena.database.scorer, &claim, FailureReason::Internal)
        .await
        .expect("ask");
    assert!(!stands);
    assert_eq!(arena.finished(submission).await.status, Status::Scored);
}

#[tokio::test]
async fn a_submission_without_a_job_is_queued_again() {
    let arena = Arena::start(Rules::default()).await;
    let ann = arena.competitor("ann").await;
    arena.stop_scorer().await;
    let submission = arena.submit(&ann, &wrong_first(3)).await;
    arena.forget_jobs().await;
    arena.start_scorer().await;
    assert_eq!(arena.finished(submission).await.status, Status::Scored);
}

#[tokio::test]
async fn a_submission_that_kills_its_worker_every_time_fails_with_a_reason() {
    let arena = Arena::start(Rules::default()).await;
    let ann = arena.competitor("ann").await;
    arena.stop_scorer().await;
    let submission = arena.submit(&ann, &wrong_first(3)).await;
    for _ in 0..MAX_ATTEMPTS {
        scorer::claim(&arena.database.scorer, submission)
            .await
            .expect("claim")
            .expect("claimed");
    }
    arena.forget_jobs().await;
    arena.start_scorer().await;
    let failed = arena.finished(submission).await;
    assert_eq!(failed.status, Status::Failed);
    assert_eq!(
        failed.problem.expect("a reason")["detail"],
        FailureReason::WorkerLost.sentence()
    );
    assert_eq!(arena.watchdog_actions().await, ["failed"]);
}

#[tokio::test]
async fn a_withdrawn_submission_stays_withdrawn_when_its_worker_is_lost() {
    let arena = Arena::start(Rules::default()).await;
    let ann = arena.competitor("ann").await;
    arena.stop_scorer().await;
    let [withdrawn, stuck] = [
        arena.submit(&ann, &wrong_first(3)).await,
        arena.submit(&ann, &wrong_first(4)).await,
    ];
    for submission in [withdrawn, stuck] {
        for _ in 0..MAX_ATTEMPTS {
            scorer::claim(&arena.database.scorer, submission)
                .await
                .expect("claim")
                .expect("claimed");
        }
    }
    marks::withdraw(&arena.database.api, withdrawn)
        .await
        .expect("withdraw");
    arena.forget_jobs().await;
    arena.start_scorer().await;
    assert_eq!(arena.finished(stuck).await.status, Status::Failed);
    assert_eq!(arena.watchdog_actions().await, ["failed"]);
}

#[tokio::test]
async fn a_lost_file_fails_after_every_try_and_says_so() {
    let arena = Arena::start(Rules::default()).await;
    let ann = arena.competitor("ann").await;
    arena.stop_scorer().await;
    let submission = arena.submit(&ann, &wrong_first(3)).await;
    // All but the last try are behind it, so that the test need not sit through the back-off.
    for _ in 1..MAX_ATTEMPTS {
        scorer::claim(&arena.database.scorer, submission)
            .await
            .expect("claim")
            .expect("claimed");
    }
    arena.lose_file(submission).await;
    arena.start_scorer().await;
    let failed = arena.finished(submission).await;
    assert_eq!(failed.status, Status::Failed);
    assert_eq!(
        failed.problem.expect("a reason")["detail"],
        FailureReason::FileUnreadable.sentence()
    );
}
