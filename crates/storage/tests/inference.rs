//! Several workers on one model: who claims, who joins, whose range is whose, and what of it survives whom.

mod arena;

use arena::Arena;
use chrono::{TimeDelta, Utc};
use referee_storage::Wait;
use referee_storage::inference::{
    Ending, FailureReason, Findings, Part, Shard, Taken, complete, end, finish, give_back,
    joinable, leave, lose, plan, progress, put_off, records, take_part, take_shard,
};
use referee_storage::objects::Stored;
use referee_storage::scorer;
use referee_storage::submissions::intake::{Refusal, refusal};
use referee_storage::submissions::{Kind, Status, Submission, retries, submission};
use referee_storage::testing::not_around_midnight;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

const IMAGES: usize = 10;

/// As the object store says that it has stored one.
fn record(key: &str) -> Stored {
    Stored {
        key: key.to_owned(),
        bytes: 1,
        sha256: [7; 32],
    }
}

struct Models {
    arena: Arena,
    ann: Uuid,
}

impl Models {
    /// A challenge of ten images, which competitors may see or not, with two submissions a day.
    async fn new(public_images: bool) -> Self {
        let arena = Arena::new(public_images, Some(2)).await;
        let ann = arena.person("ann").await;
        Self { arena, ann }
    }

    async fn submit(&self) -> Uuid {
        self.arena.submit(self.ann, Kind::Model).await
    }

    async fn claim(&self, id: Uuid) -> Part {
        match take_part(&self.arena.database.inference, id)
            .await
            .expect("take part")
        {
            Taken::Claimed(part) => part,
            other => panic!("{other:?}"),
        }
    }

    async fn plan(&self, part: &Part, images_per_shard: usize) -> bool {
        let findings = Findings {
            model: json!({ "parameters": 7 }),
            notices: json!([]),
            preprocess: json!({ "crop": 28 }),
            layers: json!({ "layers": [], "filters": null }),
        };
        plan(
            &self.arena.database.inference,
            part,
            &findings,
            IMAGES,
            images_per_shard,
        )
        .await
        .expect("plan")
    }

    async fn shard(&self, part: &Part) -> Option<Shard> {
        take_shard(&self.arena.database.inference, part)
            .await
            .expect("take a range")
    }

    async fn finish(&self, part: &Part, shard: &Shard, row: u8) -> bool {
        let record = vec![row; 24 * shard.count];
        finish(&self.arena.database.inference, part, shard, &record)
            .await
            .expect("finish")
    }

    async fn read(&self, id: Uuid) -> Submission {
        submission(&self.arena.database.api, id)
            .await
            .expect("read")
            .expect("a submission")
    }

    async fn reject(&self, part: &Part) -> bool {
        end(
            &self.arena.database.inference,
            part,
            &Ending::Rejected("no".into()),
        )
        .await
        .expect("end")
    }

    async fn refusal(&self) -> Option<Refusal> {
        refusal(
            &self.arena.database.api,
            self.arena.challenge,
            self.ann,
            Utc::now(),
        )
        .await
        .expect("usage")
    }

    /// As if so much time had gone by without a word from any worker.
    async fn silence(&self, seconds: u32) {
        let statement = format!(
            "UPDATE submissions SET progress_at = progress_at - interval '{seconds} seconds';
             UPDATE shards SET leased_until = leased_until - interval '{seconds} seconds';"
        );
        let mut owner = PgConnection::connect(self.arena.database.owner_url())
            .await
            .expect("connect");
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut owner)
            .await
            .expect("update");
    }
}

#[tokio::test]
async fn two_workers_share_a_submission_and_the_last_hands_it_over() {
    let models = Models::new(true).await;
    let id = models.submit().await;
    let inference = &models.arena.database.inference;
    let first = models.claim(id).await;
    assert_eq!(
        joinable(inference).await.expect("look"),
        None,
        "nothing is planned yet"
    );
    assert!(models.plan(&first, 4).await);
    assert_eq!(joinable(inference).await.expect("look"), Some(id));
    let Taken::Joined(second) = take_part(inference, id).await.expect("take part") else {
        panic!("the second worker claimed what the first works on");
    };
    assert_eq!((second.attempt, second.is_planned), (first.attempt, true));

    let shards = [
        models.shard(&first).await.expect("free"),
        models.shard(&second).await.expect("free"),
        models.shard(&second).await.expect("free"),
    ];
    let ranges = shards.map(|shard| (shard.first, shard.count));
    assert_eq!(ranges, [(0, 4), (4, 4), (8, 2)]);
    assert_eq!(models.shard(&first).await, None);
    assert_eq!(joinable(inference).await.expect("look"), None);

    models.silence(1).await;
    assert!(
        progress(inference, &second, &shards[1], 3, Some(5.0))
            .await
            .expect("report")
    );
    let seen = models.read(id).await;
    assert_eq!(
        (seen.progress_done, seen.progress_total),
        (Some(3), Some(10))
    );
    assert_eq!(seen.images_per_second, Some(5.0));

    for (number, (shard, part)) in (1..).zip(shards.iter().zip([&first, &second, &second])) {
        assert_eq!(records(inference, &first).await.expect("read"), None);
        assert!(models.finish(part, shard, number).await);
    }
    let rows = records(inference, &first)
        .await
        .expect("read")
        .expect("all")
        .concat();
    assert_eq!(rows, [vec![1; 96], vec![2; 96], vec![3; 48]].concat());
    assert!(
        complete(inference, &second, &record("records/x"), Some(9.5))
            .await
            .expect("complete")
    );
    assert!(
        !complete(inference, &first, &record("records/y"), None)
            .await
            .expect("complete")
    );
    assert_eq!(
        records(inference, &first).await.expect("read"),
        Some(vec![])
    );
    let done = models.read(id).await;
    assert_eq!(
        (done.status, done.record_key.as_deref()),
        (Status::Queued, Some("records/x"))
    );
    let claim = scorer::claim(&models.arena.database.scorer, id)
        .await
        .expect("claim")
        .expect("it waits for the scorer");
    assert_eq!(claim.sha256.as_deref(), Some(&[7; 32][..]), "the record's");
    assert_eq!(
        done.model,
        Some(json!({ "parameters": 7, "images_per_second": 9.5 }))
    );
    assert_eq!(done.preprocess, Some(json!({ "crop": 28 })));
    assert!(matches!(
        take_part(inference, id).await.expect("take part"),
        Taken::Nothing
    ));
}

#[tokio::test]
async fn what_is_done_stays_done_and_who_comes_late_writes_nothing() {
    let models = Models::new(true).await;
    let id = models.submit().await;
    let inference = &models.arena.database.inference;
    let dead = models.claim(id).await;
    assert!(models.plan(&dead, 5).await);
    let done = models.shard(&dead).await.expect("free");
    assert!(models.finish(&dead, &done, 1).await);
    let lost = models.shard(&dead).await.expect("free");

    models.silence(60).await;
    let next = models.claim(id).await;
    assert_eq!((next.attempt, next.is_planned), (2, true));
    let taken = models.shard(&next).await.expect("free again");
    assert_eq!((taken.first, taken.lease), (5, 2));
    // The one believed dead comes back.
    assert!(
        !progress(inference, &dead, &lost, 5, None)
            .await
            .expect("report")
    );
    assert!(!models.finish(&dead, &lost, 9).await);
    assert!(!models.reject(&dead).await);
    assert!(
        !complete(inference, &dead, &record("records/dead"), None)
            .await
            .expect("complete")
    );
    assert!(models.finish(&next, &taken, 2).await);
    let rows = records(inference, &next)
        .await
        .expect("read")
        .expect("all")
        .concat();
    assert_eq!(rows, [vec![1; 120], vec![2; 120]].concat());
}

#[tokio::test]
async fn what_kills_its_worker_five_times_fails_and_a_range_given_back_does_not_count() {
    let models = Models::new(false).await;
    let id = models.submit().await;
    let inference = &models.arena.database.inference;
    for _ in 0..5 {
        models.claim(id).await;
        models.silence(6).await;
    }
    assert!(matches!(
        take_part(inference, id).await.expect("take part"),
        Taken::GivenUp
    ));
    let failed = models.read(id).await;
    assert_eq!(failed.status, Status::Failed);
    let problem = json!({ "detail": FailureReason::WorkerLost.sentence() });
    assert_eq!(failed.problem, Some(problem));

    let part = models.claim(models.submit().await).await;
    assert!(models.plan(&part, IMAGES).await);
    for _ in 0..9 {
        let shard = models.shard(&part).await.expect("free");
        assert!(!shard.is_hopeless());
        give_back(inference, &part, &shard, false)
            .await
            .expect("give back");
    }
    for _ in 0..5 {
        let shard = models.shard(&part).await.expect("free");
        assert!(!shard.is_hopeless());
        give_back(inference, &part, &shard, true)
            .await
            .expect("give back");
    }
    assert!(models.shard(&part).await.expect("free").is_hopeless());
}

/// A rejection after the first private image tells something about the images; one before it does not.
#[tokio::test]
async fn a_model_counts_from_its_first_private_image_on() {
    for (public_images, sees_images, counts) in [
        (false, false, false),
        (false, true, true),
        (true, true, false),
    ] {
        not_around_midnight().await;
        let models = Models::new(public_images).await;
        for _ in 0..2 {
            let part = models.claim(models.submit().await).await;
            if sees_images {
                assert!(models.plan(&part, 5).await);
            }
            assert!(models.reject(&part).await);
        }
        let refused = models.refusal().await;
        assert_eq!(
            refused.is_some(),
            counts,
            "{public_images} {sees_images}: {refused:?}"
        );
        if let Some(refused) = refused {
            assert!(refused.next().expect("tomorrow") - Utc::now() <= TimeDelta::days(1));
        }
    }
}

#[tokio::test]
async fn a_failed_model_gives_its_quota_back() {
    let models = Models::new(false).await;
    for _ in 0..2 {
        let part = models.claim(models.submit().await).await;
        assert!(models.plan(&part, 5).await);
        let failed = Ending::Failed(FailureReason::Internal);
        assert!(
            end(&models.arena.database.inference, &part, &failed)
                .await
                .expect("end")
        );
    }
    assert_eq!(models.refusal().await, None);
}

/// It does so with the submission first, then its ranges, of which another worker may be renewing the lease.
#[tokio::test]
async fn an_attempt_ends_while_another_worker_goes_on() {
    let models = Models::new(true).await;
    let id = models.submit().await;
    let part = models.claim(id).await;
    assert!(models.plan(&part, IMAGES).await);
    let shard = models.shard(&part).await.expect("a range");
    // Long enough for progress to be told.
    models.silence(1).await;

    let database = &models.arena.database;
    let mut owner = PgConnection::connect(database.owner_url())
        .await
        .expect("connect");
    let mut ending = owner.begin().await.expect("begin");
    sqlx::query("UPDATE submissions SET status = 'rejected' WHERE id = $1")
        .bind(id)
        .execute(&mut *ending)
        .await
        .expect("end");
    let forget = async {
        database.until_somebody_waits().await;
        sqlx::query("DELETE FROM shards WHERE submission = $1")
            .bind(id)
            .execute(&mut *ending)
            .await
            .expect("forget the ranges");
        ending.commit().await.expect("commit");
    };
    let renew = progress(&database.inference, &part, &shard, 1, None);
    let (renewed, ()) = tokio::join!(renew, forget);
    renewed.expect("renew");
}

/// Of each range's workers three are killed before they have finished any, and the fourth once it has.
#[tokio::test]
async fn a_finished_range_makes_good_for_the_workers_that_were_lost() {
    let models = Models::new(true).await;
    let id = models.submit().await;
    for number in 0..7 {
        for _ in 0..3 {
            let lost = models.claim(id).await;
            if !lost.is_planned {
                assert!(models.plan(&lost, 1).await);
            }
            models.silence(6).await;
        }
        let part = models.claim(id).await;
        let shard = models.shard(&part).await.expect("a range");
        assert_eq!(shard.first, number);
        assert!(models.finish(&part, &shard, 1).await);
        models.silence(6).await;
    }
    let part = models.claim(id).await;
    assert_eq!(part.attempt, 7 * 4 + 1);
    assert_eq!(models.read(id).await.status, Status::Running);
}

#[tokio::test]
async fn trouble_of_ours_is_waited_out_and_shown_for_as_long_as_it_lasts() {
    let models = Models::new(true).await;
    let id = models.submit().await;
    let inference = &models.arena.database.inference;
    let mut since = None;
    for _ in 0..20 {
        let part = models.claim(id).await;
        assert!(
            put_off(inference, &part, Wait::Storage)
                .await
                .expect("put off")
        );
        assert!(
            !put_off(inference, &part, Wait::Storage)
                .await
                .expect("put off"),
            "no longer its own"
        );
        let waiting = models.read(id).await;
        assert_eq!(
            (waiting.status, waiting.waiting_for),
            (Status::Queued, Some(Wait::Storage))
        );
        assert!(
            since.is_none() || waiting.waiting_since == since,
            "since the first time"
        );
        since = waiting.waiting_since;
    }
    let part = models.claim(id).await;
    assert!(part.has_waited);
    assert!(models.plan(&part, IMAGES).await);
    assert_eq!(models.read(id).await.waiting_since, None);
    let waits = "UPDATE watchdog_actions SET at = at WHERE action = 'waited'";
    assert_eq!(
        models.arena.database.as_owner(waits).await,
        1,
        "counted once"
    );
}

/// The next try comes when it has waited as long again, five minutes later at most.
#[tokio::test]
async fn tries_come_later_and_later_up_to_five_minutes() {
    let models = Models::new(true).await;
    let id = models.submit().await;
    let database = &models.arena.database;
    for (waited, least, most) in [(0, 1, 3), (40, 39, 45), (86_400, 299, 301)] {
        let part = models.claim(id).await;
        let earlier = format!(
            "UPDATE submissions SET waiting_for = 'storage', waiting_since = now() - interval '{waited} seconds' WHERE {waited} > 0"
        );
        database.as_owner(&earlier).await;
        assert!(
            put_off(&database.inference, &part, Wait::Storage)
                .await
                .expect("put off")
        );
        let due = format!(
            "UPDATE graphile_worker._private_jobs SET run_at = run_at
             WHERE key = 'submission:{id}' AND run_at - now() BETWEEN interval '{least} seconds' AND interval '{most} seconds'"
        );
        assert_eq!(database.as_owner(&due).await, 1, "after {waited} s");
    }
}

#[tokio::test]
async fn what_breaks_over_a_model_five_times_fails_and_can_be_run_again() {
    let models = Models::new(true).await;
    let id = models.submit().await;
    let database = &models.arena.database;
    for _ in 0..5 {
        let part = models.claim(id).await;
        assert!(lose(&database.inference, &part).await.expect("lose"));
    }
    let failed = models.read(id).await;
    assert_eq!(failed.status, Status::Failed);
    let problem = json!({ "detail": FailureReason::Internal.sentence() });
    assert_eq!(failed.problem, Some(problem));
    assert!(matches!(
        take_part(&database.inference, id).await.expect("take part"),
        Taken::Nothing
    ));

    let others = models.submit().await;
    let retried = retries::retry_all(&database.api, models.arena.challenge).await;
    assert_eq!(
        retried.expect("retry"),
        1,
        "one that waits its turn is none of them"
    );
    assert!(!retries::retry(&database.api, others).await.expect("retry"));
    assert_eq!(models.read(id).await.problem, None);
    models.claim(id).await;
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_leaves_as_often_as_it_likes() {
    let models = Models::new(true).await;
    let id = models.submit().await;
    let inference = &models.arena.database.inference;
    for _ in 0..9 {
        let part = models.claim(id).await;
        assert!(leave(inference, &part).await.expect("leave"));
        assert_eq!(models.read(id).await.status, Status::Queued);
    }
    // Where another one is at a range, that one goes on.
    let part = models.claim(id).await;
    assert!(models.plan(&part, 5).await);
    models.shard(&part).await.expect("a range");
    assert!(leave(inference, &part).await.expect("leave"));
    assert_eq!(models.read(id).await.status, Status::Running);
}

/// The database was away for longer than a lease, and nobody has begun with the range since.
#[tokio::test]
async fn rows_that_could_not_be_written_for_a_while_are_written_then() {
    let models = Models::new(true).await;
    let id = models.submit().await;
    let part = models.claim(id).await;
    assert!(models.plan(&part, 5).await);
    let shard = models.shard(&part).await.expect("a range");
    models.silence(60).await;
    let next = models.claim(id).await;
    assert!(models.finish(&part, &shard, 1).await, "nobody else has it");
    let rest = models.shard(&next).await.expect("the other range");
    assert_eq!(rest.first, 5);
}
