use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use referee_storage::ApiDb;
use referee_storage::objects::ObjectStore;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

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
use crate::sign_ups::SignUps;
use crate::slots::UploadSlots;

/// What every handler works with. Clones share everything.
#[derive(Clone)]
pub struct App {
    pub db: ApiDb,
    pub objects: ObjectStore,
    pub config: Arc<ApiConfig>,
    pub(crate) passwords: Passwords,
    pub(crate) failed_sign_ins: Arc<FailedSignIns>,
    pub(crate) sign_ups: Arc<SignUps>,
    /// Whether some request came through a proxy.
    behind_proxy: Arc<AtomicBool>,
    /// Cancelled when the server is told to stop: open event streams end then.
    pub(crate) closing: CancellationToken,
    /// Cancelled when uploads that are still under way then are given up.
    pub(crate) last_call: CancellationToken,
    pub(crate) contact: Contact,
    pub(crate) memory: Memory,
    pub(crate) hub: Hub,
    pub(crate) boards: Boards,
    pub(crate) upload_slots: UploadSlots,
    streams: Arc<Semaphore>,
    /// Of the addresses that have streams open; unknown ones share one.
    stream_shares: Arc<Shares<Option<IpAddr>>>,
    /// Of the addresses that download files now.
    download_shares: Arc<Shares<Option<IpAddr>>>,
}

/// Event streams that may be open at the same time.
const MAX_STREAMS: usize = 4_000;
/// Of one address, behind which a whole school may be.
const MAX_STREAMS_EACH: usize = 1_000;
/// Files that one address may download at the same time.
const MAX_DOWNLOADS_EACH: usize = 256;

/// A place among the open event streams, given back when it is dropped.
pub(crate) struct StreamPlace {
    _share: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
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
            sign_ups: Arc::new(SignUps::new(config.sign_ups_per_hour)),
            behind_proxy: Arc::default(),
            closing,
            upload_slots: UploadSlots::new(config.max_upload_slots),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            stream_shares: Arc::new(Shares::of(MAX_STREAMS_EACH)),
            download_shares: Arc::new(Shares::of(MAX_DOWNLOADS_EACH)),
            config: Arc::new(config),
        }
    }

    /// Whether only people at this machine reach the server, as far as is known: nothing says that it is behind a proxy.
    pub(crate) fn is_reached_from_this_machine_only(&self) -> bool {
        self.config.listens_on_loopback
            && self.config.public_url.is_none()
            && !self.behind_proxy.load(Ordering::Relaxed)
    }

    /// Notes that a request came through a proxy.
    pub(crate) fn note_proxy(&self) {
        self.behind_proxy.store(true, Ordering::Relaxed);
    }

    /// A place among the downloads under way to `peer`.
    ///
    /// # Errors
    /// 429 with `Retry-After` where the address's share is taken.
    pub(crate) fn download_place(&self, peer: Peer) -> Result<OwnedSemaphorePermit, Problem> {
        let share = self.download_shares.of_holder(peer.network());
        share.try_acquire_owned().map_err(|_| {
            Problem::too_many(
                30,
                format!(
                    "{MAX_DOWNLOADS_EACH} files are being downloaded to this address, the most for one; try again when one has arrived"
                ),
            )
        })
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
}
