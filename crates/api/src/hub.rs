//! What changes in the database, told to whoever waits for it in this process, over one connection that LISTENs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use referee_storage::events::{Change, Changes};
use referee_storage::{ApiDb, StorageError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Between attempts to listen again after the connection was lost.
const RETRY: Duration = Duration::from_millis(500);

/// Counts the changes of every submission and challenge that somebody watches. Clones share it.
#[derive(Clone, Default)]
pub struct Hub {
    topics: Arc<Mutex<HashMap<Uuid, watch::Sender<u64>>>>,
}

/// The changes of one submission or challenge.
pub struct Watched {
    id: Uuid,
    hub: Hub,
    changes: watch::Receiver<u64>,
}

impl Hub {
    /// A hub that listens until `closing` is cancelled.
    pub fn listening(db: ApiDb, closing: CancellationToken) -> Self {
        let hub = Self::default();
        tokio::spawn({
            let hub = hub.clone();
            async move {
                closing.run_until_cancelled(hub.listen_for_ever(&db)).await;
            }
        });
        hub
    }

    /// From now on, every change of the submission or challenge `id` is counted: watch first, then read.
    pub fn watch(&self, id: Uuid) -> Watched {
        let changes = self.topics().entry(id).or_default().subscribe();
        Watched {
            id,
            hub: self.clone(),
            changes,
        }
    }

    async fn listen_for_ever(&self, db: &ApiDb) {
        loop {
            let Err(error) = self.listen(db).await;
            tracing::warn!(%error, "changes in the database are not heard at the moment");
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn listen(&self, db: &ApiDb) -> Result<std::convert::Infallible, StorageError> {
        let mut changes = Changes::listen(db).await?;
        // Whatever happened while nobody listened is not told any more.
        self.everything_changed();
        loop {
            let (Change::Submission(id) | Change::Board(id)) = changes.next().await?;
            self.count_change(id);
        }
    }

    /// Counts a change of the submission or challenge `id`: one that was announced, or that was read before it was.
    pub fn count_change(&self, id: Uuid) {
        if let Some(topic) = self.topics().get(&id) {
            topic.send_modify(|count| *count += 1);
        }
    }

    fn everything_changed(&self) {
        for topic in self.topics().values() {
            topic.send_modify(|count| *count += 1);
        }
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Uuid, watch::Sender<u64>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    /// How many changes there were.
    pub fn count(&self) -> u64 {
        *self.changes.borrow()
    }

    /// Waits for the first change since this was last called.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            // The sender lives as long as anybody watches; without it nothing can be announced.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut topics = self.hub.topics();
        if topics
            .get(&self.id)
            .is_some_and(|topic| topic.receiver_count() == 1)
        {
            topics.remove(&self.id);
        }
    }
}
