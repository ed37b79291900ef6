use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use referee_storage::ApiDb;
use referee_storage::objects::ObjectStore;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::auth::FailedSignIns;
use crate::board::Boards;
use crate::config::ApiConfig;
use crate::contact::Contact;
use crate::hub::Hub;
use crate::outage::Memory;
use crate::passwords::Passwords;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::shares::Shares;

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
    /// Cancelled when uploads that are still under way then are given up.
    pub(crate) last_call: CancellationToken,
    pub(crate) contact: Contact,
    pub(crate) memory: Memory,
    pub(crate) hub: Hub,
    pub(crate) boards: Boards,
    uploads: Arc<Semaphore>,
    /// Of those who upload now.
    upload_shares: Arc<Shares<Uuid>>,
    streams: Arc<Semaphore>,
    /// Of the addresses that have streams open; unknown ones share one.
    stream_shares: Arc<Shares<Option<IpAddr>>>,
}

/// Event streams that may be open at the same time.
const MAX_STREAMS: usize = 4_000;
/// Of one address, behind which a whole school may be.
const MAX_STREAMS_EACH: usize = 1_000;

/// Uploads that one person may have under way at the same time, so that nobody takes every slot.
const MAX_UPLOADS_EACH: usize = 8;
/// How long a person's next upload waits for one of the others to end.
const TURN: Duration = Duration::from_secs(5);

/// A place among the open event streams, given back when it is dropped.
pub(crate) struct StreamPlace {
    _share: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

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
        let contact = Contact::watching(&db, closing.clone());
        Self {
            boards: Boards::new(db.clone(), hub.clone(), contact.clone()),
            contact,
            memory: Memory::default(),
            last_call: CancellationToken::new(),
            hub,
            db,
            objects,
            passwords: Passwords::new(),
            failed_sign_ins: Arc::new(FailedSignIns::new()),
            closing,
            upload_shares: Arc::new(Shares::of(MAX_UPLOADS_EACH)),
            uploads: Arc::new(Semaphore::new(config.max_upload_slots)),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            stream_shares: Arc::new(Shares::of(MAX_STREAMS_EACH)),
            config: Arc::new(config),
        }
    }

    /// A place among the open event streams for who listens at `peer`.
    ///
    /// # Errors
    /// 429 where the address's share is taken, 503 where all are, both with `Retry-After`.
    pub(crate) fn stream_place(&self, peer: Peer) -> Result<StreamPlace, Problem> {
        let share = self.stream_shares.of_holder(peer.network());
        let share = share.try_acquire_owned().map_err(|_| {
            Problem::too_many(
                30,
                format!(
                    "{MAX_STREAMS_EACH} event streams are open from this address, the most for one; close some, or ask for the state itself"
                ),
            )
        })?;
        let place = Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            Problem::unavailable(
                30,
                "too many event streams are open; try again later, or ask for the state itself",
            )
        })?;
        Ok(StreamPlace {
            _share: share,
            _place: place,
        })
    }

    /// A place among the uploads under way. A person's ninth waits its turn for a few seconds.
    ///
    /// # Errors
    /// 503 with `Retry-After` where all are taken, or the person's share is.
    pub(crate) async fn upload_slot(&self, person: Uuid) -> Result<UploadSlot, Problem> {
        let share = self.upload_shares.of_holder(person).acquire_owned();
        let share = tokio::time::timeout(TURN, share).await;
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
}
