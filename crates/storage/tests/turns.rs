//! In which order waiting submissions run: teams take turns, and nobody waits for ever.

mod arena;

use std::collections::VecDeque;

use arena::Arena;
use referee_storage::scorer::{Claim, FailureReason, claim, fail};
use referee_storage::submissions::Kind;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// A scorer that takes what the queue would give it: `graphile_worker` runs the lowest priority first, then the earliest.
struct Scorer<'a> {
    arena: &'a Arena,
    owner: PgConnection,
}

impl<'a> Scorer<'a> {
    async fn new(arena: &'a Arena) -> Self {
        let owner = PgConnection::connect(arena.database.owner_url())
            .await
            .expect("connect");
        Self { arena, owner }
    }

    async fn begin(&mut self) -> Claim {
        let next: String = sqlx::query_scalar(
            "WITH next AS (
                 SELECT id FROM graphile_worker._private_jobs WHERE key LIKE 'submission:%'
                 ORDER BY priority, run_at, id LIMIT 1
             )
             DELETE FROM graphile_worker._private_jobs AS jobs USING next WHERE jobs.id = next.id
             RETURNING jobs.payload ->> 'submission'",
        )
        .fetch_one(&mut self.owner)
        .await
        .expect("a job");
        let submission = next.parse().expect("an id");
        claim(&self.arena.database.scorer, submission)
            .await
            .expect("claim")
            .expect("waiting")
    }

    async fn end(&self, claim: &Claim) {
        let stood = fail(&self.arena.database.scorer, claim, FailureReason::Internal).await;
        assert!(stood.expect("end"));
    }

    async fn run(&mut self) -> Uuid {
        let claim = self.begin().await;
        self.end(&claim).await;
        claim.submission
    }
}

#[tokio::test]
async fn a_team_with_many_and_one_with_few_take_turns() {
    let arena = Arena::new(false, None).await;
    let (ann, bob) = (arena.person("ann").await, arena.person("bob").await);
    let mut scorer = Scorer::new(&arena).await;

    let mut of_ann = VecDeque::new();
    for _ in 0..4 {
        of_ann.push_back(arena.submit(ann, Kind::Predictions).await);
    }
    let running = scorer.begin().await;
    let first_of_bob = arena.submit(bob, Kind::Predictions).await;
    let second_of_bob = arena.submit(bob, Kind::Predictions).await;
    scorer.end(&running).await;

    assert_eq!(Some(running.submission), of_ann.pop_front());
    // Bob comes while Ann's first runs: his go in turns with those that she has waiting.
    for of_bob in [first_of_bob, second_of_bob] {
        assert_eq!(Some(scorer.run().await), of_ann.pop_front());
        assert_eq!(scorer.run().await, of_bob);
    }
    assert_eq!(Some(scorer.run().await), of_ann.pop_front());
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let arena = Arena::new(false, None).await;
    let ann = arena.person("ann").await;
    let mut others = Vec::new();
    for number in 0..8 {
        others.push(arena.person(&format!("other-{number}")).await);
    }
    let mut scorer = Scorer::new(&arena).await;

    for _ in 0..3 {
        arena.submit(ann, Kind::Predictions).await;
    }
    let last = arena.submit(ann, Kind::Predictions).await;
    for &other in &others {
        arena.submit(other, Kind::Predictions).await;
    }
    // Each of the others always has one waiting: the next comes as soon as theirs has begun.
    let mut taken = 0;
    loop {
        let claim = scorer.begin().await;
        taken += 1;
        if claim.submission == last {
            break;
        }
        assert!(taken < 100, "Ann's fourth has still not run");
        arena
            .submit(others[taken % others.len()], Kind::Predictions)
            .await;
        scorer.end(&claim).await;
    }
    // Four turns, in each of which everyone runs once.
    assert!(taken <= 4 * (1 + others.len()), "{taken}");
}

#[tokio::test]
async fn models_and_predictions_take_turns_apart() {
    let arena = Arena::new(false, None).await;
    let ann = arena.person("ann").await;
    for _ in 0..3 {
        arena.submit(ann, Kind::Model).await;
    }
    let predictions = arena.submit(ann, Kind::Predictions).await;
    let mut owner = PgConnection::connect(arena.database.owner_url())
        .await
        .expect("connect");
    let turn: i16 = sqlx::query_scalar("SELECT priority FROM submissions WHERE id = $1")
        .bind(predictions)
        .fetch_one(&mut owner)
        .await
        .expect("read");
    assert_eq!(turn, 1, "three models wait for other workers");
}
