use std::sync::Arc;

use referee_storage::ApiDb;
use referee_storage::objects::ObjectStore;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::auth::FailedSignIns;
use crate::config::ApiConfig;
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
    uploads: Arc<Semaphore>,
}

impl App {
    pub fn new(db: ApiDb, objects: ObjectStore, config: ApiConfig) -> Self {
        Self {
            db,
            objects,
            passwords: Passwords::new(),
            failed_sign_ins: Arc::default(),
            closing: CancellationToken::new(),
            uploads: Arc::new(Semaphore::new(config.max_upload_slots)),
            config: Arc::new(config),
        }
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
