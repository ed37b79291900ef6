use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use referee_storage::presence::Presence;
use referee_storage::{ScorerDb, StorageError, audit, queue, scorer};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What a scorer does by the clock: it says that it lives, looks for stuck submissions and challenges that have closed,
/// and has the ranks of changed boards computed anew.
#[derive(Clone, Debug)]
pub(super) struct Rounds {
    db: ScorerDb,
    presence: Presence,
    deadline: Duration,
    changed: Arc<Mutex<HashSet<Uuid>>>,
    head_logged: Arc<Mutex<Option<Instant>>>,
}

const DAY: Duration = Duration::from_hours(24);

impl Rounds {
    pub fn new(db: ScorerDb, deadline: Duration) -> Self {
        Self {
            presence: Presence::of_scorer(&db),
            db,
            deadline,
            changed: Arc::default(),
            head_logged: Arc::default(),
        }
    }

    /// The board of a challenge changed: its rank ranges are due in the next round, once for however many changes.
    pub fn board_changed(&self, challenge: Uuid) {
        self.changed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(challenge);
    }

    /// A round a second until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        if let Err(error) = self.catch_up().await {
            tracing::warn!(%error, "the scorer could not look at what was left undone");
        }
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = tick.tick() => if let Err(error) = self.round().await {
                    tracing::warn!(%error, "a round of the scorer did not come to its end; the next is in a second");
                },
            }
        }
        if let Err(error) = self.presence.leave().await {
            tracing::warn!(%error, "the scorer could not say that it leaves");
        }
    }

    /// Ranks and releases that a scorer owed when it was stopped are made good by the next one that starts.
    async fn catch_up(&self) -> Result<(), StorageError> {
        for challenge in scorer::challenges_with_boards(&self.db).await? {
            self.board_changed(challenge);
        }
        Ok(())
    }

    /// Adds what was done to the audit trail. Its head is logged once a day: whoever keeps it can tell later whether the trail
    /// is still the same.
    async fn chain_audit(&self) -> Result<(), StorageError> {
        let head = audit::chain(&self.db).await?;
        let mut logged = self
            .head_logged
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if logged.is_none_or(|logged| logged.elapsed() >= DAY) {
            *logged = Some(Instant::now());
            tracing::info!(%head, "the audit trail's head; `referee audit verify --head` checks that it is still in the trail");
        }
        Ok(())
    }

    async fn round(&self) -> Result<(), StorageError> {
        self.presence.renew().await?;
        if let Err(error) = self.chain_audit().await {
            tracing::warn!(%error, "nothing was added to the audit trail; the next try is in a second");
        }
        let watched = scorer::watch(&self.db, self.deadline).await?;
        if watched.requeued + watched.failed > 0 {
            tracing::warn!(
                requeued = watched.requeued,
                failed = watched.failed,
                "the watchdog acted on stuck submissions"
            );
        }
        let freed = queue::free_challenges(&self.db).await?;
        if freed > 0 {
            tracing::warn!(
                freed,
                "freed challenges in which nothing would have run any more"
            );
        }
        let changed =
            std::mem::take(&mut *self.changed.lock().unwrap_or_else(PoisonError::into_inner));
        for challenge in &changed {
            if let Err(error) = scorer::wake(&self.db, *challenge).await {
                // All of them, for the next round: to wake a challenge twice does no harm.
                self.changed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend(&changed);
                return Err(error);
            }
        }
        let due = scorer::due_closings(&self.db).await?;
        let untended = scorer::untended_challenges(&self.db).await?;
        for challenge in due.into_iter().chain(untended) {
            scorer::remind(&self.db, challenge).await?;
        }
        for challenge in scorer::challenges_with_left_out(&self.db).await? {
            scorer::look_again(&self.db, challenge).await?;
        }
        Ok(())
    }
}
