use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use referee_storage::ApiDb;
use referee_storage::objects::ObjectStore;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::auth::FailedSignIns;
use crate::board::Boards;
use crate::config::ApiConfig;
use crate::hub::Hub;
use crate::passwords::Passwords;
use crate::problem::Problem;

/// What every handler works with. Clones share everything.
#[derive(Clone)]
pub struct App {
    pub db: ApiDb,
    pub objects: ObjectStore,
    pub config: Arc<ApiConfig>,
    pub(crate) passwords: Passwords,
    pub(crate) failed_sign_ins: Arc<FailedSignIns>,
    /// Cancelled when the server is told to stop: open event streams end then.
    pub(crate) closing: CancellationToken,
    pub(crate) hub: Hub,
    pub(crate) boards: Boards,
    uploads: Arc<Semaphore>,
    /// The share of each person who uploads now.
    shares: Arc<Mutex<HashMap<Uuid, Arc<Semaphore>>>>,
    streams: Arc<Semaphore>,
}

/// Event streams that may be open at the same time.
const MAX_STREAMS: usize = 4_000;

/// Uploads that one person may have under way at the same time, so that nobody takes every slot.
const MAX_UPLOADS_EACH: usize = 8;
/// How long a person's next upload waits for one of the others to end.
const TURN: Duration = Duration::from_secs(5);

/// A place among the uploads under way, given back when it is dropped.
pub(crate) struct UploadSlot {
    _share: OwnedSemaphorePermit,
    _slot: OwnedSemaphorePermit,
}

impl App {
    /// Begins to listen for changes in the database: call it within a tokio runtime.
    pub fn new(db: ApiDb, objects: ObjectStore, config: ApiConfig) -> Self {
        let closing = CancellationToken::new();
        let hub = Hub::listening(db.clone(), closing.clone());
        Self {
            boards: Boards::new(db.clone(), hub.clone()),
            hub,
            db,
            objects,
            passwords: Passwords::new(),
            failed_sign_ins: Arc::default(),
            closing,
            shares: Arc::default(),
            uploads: Arc::new(Semaphore::new(config.max_upload_slots)),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            config: Arc::new(config),
        }
    }

    /// A place among the open event streams, held until the permit is dropped.
    ///
    /// # Errors
    /// 503 with `Retry-After` where all are taken.
    pub(crate) fn stream_place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            Problem::unavailable(
                30,
                "too many event streams are open; try again later, or ask for the state itself",
            )
        })
    }

    /// A place among the uploads under way. A person's ninth waits its turn for a few seconds.
    ///
    /// # Errors
    /// 503 with `Retry-After` where all are taken, or the person's share is.
    pub(crate) async fn upload_slot(&self, person: Uuid) -> Result<UploadSlot, Problem> {
        let share = tokio::time::timeout(TURN, self.share(person).acquire_owned()).await;
        let Ok(Ok(share)) = share else {
            return Err(Problem::unavailable(
                30,
                format!(
                    "you have {MAX_UPLOADS_EACH} uploads under way, the most for one person; try again when one has ended"
                ),
            ));
        };
        let slot = Arc::clone(&self.uploads).try_acquire_owned().map_err(|_| {
            Problem::unavailable(
                5,
                "every upload slot of this server is taken; try again in a few seconds",
            )
        })?;
        Ok(UploadSlot {
            _share: share,
            _slot: slot,
        })
    }

    fn share(&self, person: Uuid) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever uploads or waits holds the share; nobody else's is kept.
        shares.retain(|_, share| Arc::strong_count(share) > 1);
        let share = shares
            .entry(person)
            .or_insert_with(|| Arc::new(Semaphore::new(MAX_UPLOADS_EACH)));
        Arc::clone(share)
    }
}
