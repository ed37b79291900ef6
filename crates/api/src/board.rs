//! Leaderboards as they are served: encoded once per revision, however many read them.

mod csv;
mod document;
mod fresh;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use referee_client::documents::Split;
use referee_storage::leaderboard::{self, Standing};
use referee_storage::{ApiDb, StorageError};

use crate::contact::Contact;
use crate::hub::{Hub, Watched};
use crate::problem::Problem;
pub use document::{Body, EncodedBoard, capacity, kind};
use fresh::Fresh;

/// A board of 10,000 teams takes a noticeable part of a second to read and encode.
const REBUILT_AT_MOST_EVERY: Duration = Duration::from_millis(200);

/// The boards of this process. A request that finds nothing changed costs no query, and while the database is away none is made.
#[derive(Clone)]
pub struct Boards {
    db: ApiDb,
    hub: Hub,
    contact: Contact,
    challenges: Arc<RwLock<HashMap<String, Arc<Kept>>>>,
}

/// What is kept of a challenge, each part until the challenge changes.
struct Kept {
    watched: Watched,
    standing: Fresh<Standing>,
    public: Fresh<EncodedBoard>,
    private: Fresh<EncodedBoard>,
}

impl Boards {
    pub fn new(db: ApiDb, hub: Hub, contact: Contact) -> Self {
        Self {
            db,
            hub,
            contact,
            challenges: Arc::default(),
        }
    }

    /// The challenge's dates and its boards' revision.
    ///
    /// # Errors
    /// 404 where there is no such challenge. Whether it may be seen is for the caller to decide.
    pub async fn standing(&self, slug: &str) -> Result<Arc<Standing>, Problem> {
        let kept = self.kept(slug).await?;
        self.standing_of(&kept, slug).await
    }

    /// The same as the database has it now, where the announcement of a change may still be on its way.
    ///
    /// # Errors
    /// 404 where there is no such challenge.
    pub async fn latest_standing(&self, slug: &str) -> Result<Standing, Problem> {
        let kept = self.kept(slug).await?;
        let latest = self
            .read_standing(slug)
            .await?
            .ok_or_else(|| no_challenge(slug))?;
        kept.standing.forget();
        Ok(latest)
    }

    /// The board of a split.
    ///
    /// # Errors
    /// 404 where there is no such challenge. Whether it may be seen is for the caller to decide.
    pub async fn board(&self, slug: &str, split: Split) -> Result<Arc<EncodedBoard>, Problem> {
        let kept = self.kept(slug).await?;
        let (board, stored_split) = match split {
            Split::Public => (&kept.public, leaderboard::Split::Public),
            Split::Private => (&kept.private, leaderboard::Split::Private),
        };
        board
            .get(&kept.watched, self.is_away(), async || {
                let (standing, placed) = leaderboard::board(&self.db, slug, stored_split)
                    .await?
                    .ok_or_else(|| no_challenge(slug))?;
                tokio::task::spawn_blocking(move || EncodedBoard::new(&standing, split, placed))
                    .await
                    .map_err(|error| Problem::internal(&error))?
                    .map_err(|error| Problem::internal(&error))
            })
            .await
    }

    /// The board that counts: the private one once its scores are released.
    ///
    /// # Errors
    /// 404 where there is no such challenge.
    pub async fn deciding(&self, slug: &str) -> Result<Arc<EncodedBoard>, Problem> {
        let standing = self.standing(slug).await?;
        let is_released = standing.has_private && standing.private_released_at.is_some();
        let split = if is_released {
            Split::Private
        } else {
            Split::Public
        };
        self.board(slug, split).await
    }

    async fn standing_of(&self, kept: &Kept, slug: &str) -> Result<Arc<Standing>, Problem> {
        kept.standing
            .get(&kept.watched, self.is_away(), async || {
                self.read_standing(slug)
                    .await?
                    .ok_or_else(|| no_challenge(slug))
            })
            .await
    }

    /// Only challenges that exist are kept, so that asking for others fills no memory.
    async fn kept(&self, slug: &str) -> Result<Arc<Kept>, Problem> {
        let known = self
            .challenges
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(slug)
            .cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let standing = self
            .read_standing(slug)
            .await?
            .ok_or_else(|| no_challenge(slug))?;
        let mut challenges = self
            .challenges
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let kept = challenges.entry(slug.to_owned()).or_insert_with(|| {
            Arc::new(Kept {
                watched: self.hub.watch(standing.challenge),
                standing: Fresh::new(Duration::ZERO),
                public: Fresh::new(REBUILT_AT_MOST_EVERY),
                private: Fresh::new(REBUILT_AT_MOST_EVERY),
            })
        });
        Ok(Arc::clone(kept))
    }

    /// What is kept is shown as it is then.
    fn is_away(&self) -> bool {
        self.contact.lost_since().is_some()
    }

    async fn read_standing(&self, slug: &str) -> Result<Option<Standing>, StorageError> {
        leaderboard::standing(&self.db, slug).await
    }
}

fn no_challenge(slug: &str) -> Problem {
    Problem::not_found(format!("there is no challenge `{slug}`"))
}
