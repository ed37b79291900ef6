use std::sync::Arc;

use referee_storage::ApiDb;
use referee_storage::objects::ObjectStore;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

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
    streams: Arc<Semaphore>,
}

/// Event streams that may be open at the same time.
const MAX_STREAMS: usize = 4_000;

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

    /// A place among the uploads under way, held until the permit is dropped.
    ///
    /// # Errors
    /// 503 with `Retry-After` where all are taken.
    pub(crate) fn upload_slot(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.uploads).try_acquire_owned().map_err(|_| {
            Problem::unavailable(
                5,
                "every upload slot of this server is taken; try again in a few seconds",
            )
        })
    }
}
