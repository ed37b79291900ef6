//! What is lost on the way: workers, jobs, files.

use std::time::Duration;

use referee_scoring::outcome::{Bitmap, Outcome, Tally};
use referee_storage::leaderboard::{Split, board};
use referee_storage::scorer::{self, FailureReason, Judged};
use referee_storage::submissions::{Status, marks};
use referee_storage::{MAX_LOSSES, Wait};

use crate::arena::{Arena, Rules, SLUG};
use crate::{IMAGES, wrong_first};

/// Waits until one entry stands on a board, its rank compared with nobody's.
async fn until_one_is_ranked(arena: &Arena, split: Split) {
    arena
        .eventually("the range of ranks", async || {
            let (_, places) = board(&arena.database.api, SLUG, split)
                .await
                .expect("read")
                .expect("a board");
            let ranges: Vec<_> = places.iter().map(|place| place.rank_range).collect();
            ranges == [Some((1, 1))]
        })
        .await;
}

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
    for _ in 0..MAX_LOSSES {
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
        for _ in 0..MAX_LOSSES {
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

/// Whoever can write to the store could hand in better predictions after the close, or have a rival's rejected.
#[tokio::test]
async fn a_file_that_was_altered_in_the_store_is_not_judged() {
    let arena = Arena::start(Rules::default()).await;
    let ann = arena.competitor("ann").await;
    arena.stop_scorer().await;
    let better = wrong_first(0);
    let altered = [better.as_str(), "no predictions at all", ""];
    let mut submissions = Vec::new();
    for content in altered {
        let submission = arena.submit(&ann, &wrong_first(3)).await;
        let file = arena.lose_file(submission).await;
        arena
            .restore_file(submission, content.to_owned().into())
            .await;
        submissions.push((submission, file));
    }
    arena.start_scorer().await;
    for (submission, file) in submissions {
        arena
            .eventually("a second start", async || {
                arena.attempts(submission).await > 1
            })
            .await;
        let status = arena.read(submission).await.status;
        assert!(
            matches!(status, Status::Queued | Status::Running),
            "{status:?}"
        );
        arena.restore_file(submission, file).await;
        let scored = arena.finished(submission).await;
        assert_eq!(scored.status, Status::Scored, "{:?}", scored.problem);
        assert_eq!(arena.released(submission, "public").await, Some((40, 3, 3)));
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_holds_up_neither_the_close_nor_the_ranks() {
    let arena = Arena::start(Rules {
        public_fraction: 0.5,
        ..Rules::default()
    })
    .await;
    let (ann, bob) = (arena.competitor("ann").await, arena.competitor("bob").await);
    let broken = arena.submit(&ann, &wrong_first(4)).await;
    let kept = arena.submit(&bob, &wrong_first(8)).await;
    arena.finished(broken).await;
    arena.finished(kept).await;
    arena.break_file(broken).await;
    arena.rescore().await;
    arena.version_shown(2).await;

    arena.close().await;
    arena
        .eventually("the private score", async || {
            arena.released(kept, "private").await.is_some()
        })
        .await;
    until_one_is_ranked(&arena, Split::Private).await;
    assert_eq!(arena.released(broken, "private").await, None);
}

/// Far more often than work on it may be lost.
#[tokio::test]
async fn what_cannot_be_read_waits_until_it_can_and_is_scored_then() {
    let arena = Arena::start(Rules::default()).await;
    let ann = arena.competitor("ann").await;
    arena.stop_scorer().await;
    let submission = arena.submit(&ann, &wrong_first(3)).await;
    let file = arena.lose_file(submission).await;
    let key = format!("submission:{submission}");
    arena.start_scorer().await;
    for attempt in 1..=3 * MAX_LOSSES {
        arena
            .eventually("a try", async || {
                arena.attempts(submission).await == attempt
                    && arena.read(submission).await.waiting_for == Some(Wait::Storage)
                    && arena.read(submission).await.status == Status::Queued
            })
            .await;
        if attempt < 3 * MAX_LOSSES {
            arena.due_now(&key).await;
        }
    }
    arena.restore_file(submission, file).await;
    arena.due_now(&key).await;
    let scored = arena.finished(submission).await;
    assert_eq!(
        (scored.status, scored.waiting_since),
        (Status::Scored, None)
    );
    assert_eq!(arena.watchdog_actions().await, ["waited"], "counted once");
}

/// The first that is scored again wakes the others, however long they would have waited.
#[tokio::test]
async fn what_waited_for_the_store_is_tried_as_soon_as_anything_can_be_read() {
    let arena = Arena::start(Rules::default()).await;
    let (ann, bob) = (arena.competitor("ann").await, arena.competitor("bob").await);
    arena.stop_scorer().await;
    let submissions = [
        arena.submit(&ann, &wrong_first(3)).await,
        arena.submit(&bob, &wrong_first(4)).await,
    ];
    arena.take_store_away();
    arena.start_scorer().await;
    for submission in submissions {
        arena
            .eventually("a wait", async || {
                arena.read(submission).await.waiting_for == Some(Wait::Storage)
                    && arena.read(submission).await.status == Status::Queued
            })
            .await;
    }
    for submission in submissions {
        arena.put_off(&format!("submission:{submission}")).await;
    }
    arena.bring_store_back();
    arena
        .due_now(&format!("submission:{}", submissions[0]))
        .await;
    for submission in submissions {
        assert_eq!(arena.finished(submission).await.status, Status::Scored);
    }
}

/// The board stays as it is, and changes once the store is back.
#[tokio::test]
async fn no_version_is_shown_while_the_store_is_away() {
    let arena = Arena::start(Rules::default()).await;
    let (ann, bob) = (arena.competitor("ann").await, arena.competitor("bob").await);
    let submissions = [
        arena.submit(&ann, &wrong_first(3)).await,
        arena.submit(&bob, &wrong_first(4)).await,
    ];
    for submission in submissions {
        arena.finished(submission).await;
    }
    arena.take_store_away();
    arena.rescore().await;
    let key = format!("challenge:{}", arena.challenge);
    arena.retry(&key, 1).await;
    assert_eq!(
        arena.released(submissions[0], "public").await,
        Some((40, 3, 3))
    );
    assert_eq!(
        arena.read(submissions[0]).await.notices,
        serde_json::json!([])
    );

    arena.bring_store_back();
    arena.due_now(&key).await;
    arena.version_shown(2).await;
    for (submission, wrong) in submissions.into_iter().zip([3, 4]) {
        assert_eq!(
            arena.released(submission, "public").await,
            Some((40, wrong, wrong))
        );
    }
}

/// A scorer that is told to stop, over and over.
#[tokio::test]
async fn a_scorer_that_gives_work_back_costs_nothing() {
    let arena = Arena::start(Rules::default()).await;
    let ann = arena.competitor("ann").await;
    arena.stop_scorer().await;
    let submission = arena.submit(&ann, &wrong_first(3)).await;
    let db = &arena.database.scorer;
    for _ in 0..3 * MAX_LOSSES {
        let claim = scorer::claim(db, submission).await.expect("claim");
        let claim = claim.expect("claimed");
        assert!(scorer::give_back(db, &claim).await.expect("give back"));
    }
    arena.start_scorer().await;
    assert_eq!(arena.finished(submission).await.status, Status::Scored);
}

/// The scorer looks every second at what it owes, which must not begin the waiting anew.
#[tokio::test]
async fn a_challenge_that_cannot_be_looked_after_is_tried_again_later_and_later() {
    let arena = Arena::without_labels(Rules::default()).await;
    let may = async |what: &str| {
        let statement = format!("{what} referee_scorer");
        arena.database.as_owner(&statement).await;
    };
    may("REVOKE SELECT ON sealed.labels FROM").await;
    arena.upload_true_labels().await;
    let key = format!("challenge:{}", arena.challenge);
    let first = arena.retry(&key, 1).await;
    let second = arena.retry(&key, 2).await;
    let waits = (second - first).as_seconds_f64();
    assert!(
        waits >= 2_f64.exp() - 0.001,
        "after the second try: {waits} s"
    );

    may("GRANT SELECT ON sealed.labels TO").await;
    arena.due_now(&key).await;
    arena.version_shown(1).await;
}

/// One that was cut off while it scored everything under version 2 comes back when the board shows version 3.
#[tokio::test]
async fn a_late_worker_does_not_bring_superseded_labels_back() {
    let arena = Arena::start(Rules::default()).await;
    let ann = arena.competitor("ann").await;
    let submission = arena.submit(&ann, &wrong_first(3)).await;
    arena.finished(submission).await;
    for version in [2, 3] {
        arena.rescore().await;
        arena.version_shown(version).await;
    }
    let db = &arena.database.scorer;
    let over = scorer::flip(db, arena.challenge, 2, &[]).await;
    assert!(over.expect("ask"), "there is nothing left to do");
    let shown = scorer::current_version(db, arena.challenge).await;
    assert_eq!(shown.expect("read"), Some(3));
}

/// A worker that was taken for dead goes on beside the one that has its work now.
#[tokio::test]
async fn a_ladder_that_two_workers_replay_ends_as_it_went() {
    let arena = Arena::start(Rules {
        ladder: true,
        ..Rules::default()
    })
    .await;
    let ann = arena.competitor("ann").await;
    for wrong in [20, 12] {
        let submission = arena.submit(&ann, &wrong_first(wrong)).await;
        arena.finished(submission).await;
    }
    arena.stop_scorer().await;
    arena.rescore().await;
    let db = &arena.database.scorer;
    let claims = scorer::unscored(db, arena.challenge, 2, &[], 10).await;
    let claims = claims.expect("read");
    for _worker in 0..2 {
        for (claim, wrong) in claims.iter().zip([20, 12]) {
            let hits = || (0..IMAGES).map(|image| image >= wrong).collect::<Bitmap>();
            let misses = u32::try_from(wrong).expect("few");
            let judged = Judged {
                label_version: 2,
                outcome: Outcome {
                    top1: hits(),
                    top5: hits(),
                },
                public: Tally {
                    images: u32::try_from(IMAGES).expect("few"),
                    top1_misses: misses,
                    top5_misses: misses,
                },
                private: None,
                public_mask: (0..IMAGES).map(|_| true).collect(),
            };
            scorer::add_outcome(db, claim, &judged)
                .await
                .expect("store");
        }
    }
    arena.start_scorer().await;
    arena.version_shown(2).await;
    assert_eq!(arena.public_top1_misses_in_order().await, [20, 12]);
}

#[tokio::test]
async fn ranks_that_could_not_be_asked_for_are_asked_for_again() {
    let arena = Arena::start(Rules::default()).await;
    let ann = arena.competitor("ann").await;
    let may = async |what: &str| {
        let statement = format!("{what} referee_scorer");
        arena.database.as_owner(&statement).await;
    };
    may("REVOKE EXECUTE ON FUNCTION enqueue_challenge(uuid, timestamptz) FROM").await;
    let submission = arena.submit(&ann, &wrong_first(3)).await;
    arena.finished(submission).await;
    // The scorer asks once a second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    may("GRANT EXECUTE ON FUNCTION enqueue_challenge(uuid, timestamptz) TO").await;
    until_one_is_ranked(&arena, Split::Public).await;
}

/// Two workers had the same job, and it was ended by the one that had not locked the challenge.
#[tokio::test]
async fn a_challenge_that_no_worker_will_free_goes_on() {
    let arena = Arena::start(Rules::default()).await;
    let lock = "UPDATE graphile_worker._private_job_queues
                SET locked_at = now(), locked_by = (SELECT id FROM graphile_worker._private_workers)
                WHERE locked_at IS NULL";
    arena
        .eventually("the end of the job", async || {
            arena.database.as_owner(lock).await == 1
        })
        .await;
    arena.rescore().await;
    arena.version_shown(2).await;
}
