//! Which object store is this database's.
//!
//! Whoever starts with the wrong database, or on a disk that is not mounted, must neither delete nor hide what lies there. So an
//! installation has an id, in its database and in its store, and nothing is done in a store where the two differ.

use sqlx::PgPool;
use uuid::Uuid;

use crate::ApiDb;
use crate::objects::{MARKER, ObjectError, ObjectStore};
use crate::readiness::NotReady;

/// Keys that are looked for in a store without a mark: no two installations have one in common, so that one is enough.
const MOST_KEYS: i64 = 100;

struct Installation {
    id: Uuid,
    /// An api has marked its store.
    has_store: bool,
}

impl ApiDb {
    /// Opens this database's store at `location`, and marks it where no api has done that before. Only a database that has had no
    /// store and refers to no object may begin with an empty one, or with one that is still to be made; an unmarked store that
    /// holds objects of this database, as those of earlier versions do, is taken for its own.
    ///
    /// # Errors
    /// [`NotReady`] for every other store.
    pub async fn open_or_mark_store(&self, location: &str) -> Result<ObjectStore, NotReady> {
        let installation = self.enrolled().await?;
        let keys = self.object_keys().await?;
        let is_new = !installation.has_store && keys.is_empty();
        let store = match ObjectStore::from_url(location) {
            Err(ObjectError::Missing { .. }) if is_new => ObjectStore::create(location)?,
            opened => opened?,
        };
        let mut owner = store.owner().await?;
        if owner.is_none() {
            let is_ours = if is_new {
                store.is_empty().await?
            } else {
                store.holds_any_of(&keys).await?
            };
            if is_ours {
                owner = Some(store.mark(installation.id).await?);
            }
        }
        compare(&store, owner, installation.id)?;
        store.make_directories().await?;
        if !installation.has_store {
            sqlx::query!("UPDATE installation SET store_marked_at = now()")
                .execute(self.pool())
                .await?;
        }
        Ok(store.guarded_by(installation.id))
    }

    /// The installation, which has its id from the first api that asks.
    async fn enrolled(&self) -> Result<Installation, NotReady> {
        sqlx::query!("INSERT INTO installation DEFAULT VALUES ON CONFLICT DO NOTHING")
            .execute(self.pool())
            .await?;
        find(self.pool()).await?.ok_or(NotReady::NoStoreYet)
    }

    /// Some of the objects that this database refers to.
    async fn object_keys(&self) -> Result<Vec<String>, NotReady> {
        Ok(sqlx::query_scalar!(
            r#"
            SELECT key AS "key!"
            FROM (
                SELECT object_key AS key FROM challenge_files
                UNION ALL
                SELECT object_key FROM submissions
                UNION ALL
                SELECT object_key FROM submission_data
            ) AS objects
            LIMIT $1
            "#,
            MOST_KEYS
        )
        .fetch_all(self.pool())
        .await?)
    }
}

/// Opens this database's store, which an api has marked.
pub(crate) async fn open_store(pool: &PgPool, location: &str) -> Result<ObjectStore, NotReady> {
    let installation = with_store(pool).await?;
    let store = ObjectStore::from_url(location)?;
    compare(&store, store.owner().await?, installation)?;
    Ok(store.guarded_by(installation))
}

/// Whether the store carries this database's mark.
pub(crate) async fn check_store(pool: &PgPool, store: &ObjectStore) -> Result<(), NotReady> {
    let installation = with_store(pool).await?;
    compare(store, store.owner().await?, installation)
}

async fn with_store(pool: &PgPool) -> Result<Uuid, NotReady> {
    let found = find(pool).await?.filter(|found| found.has_store);
    found.map(|found| found.id).ok_or(NotReady::NoStoreYet)
}

async fn find(pool: &PgPool) -> Result<Option<Installation>, NotReady> {
    Ok(sqlx::query_as!(
        Installation,
        r#"SELECT id, store_marked_at IS NOT NULL AS "has_store!" FROM installation"#
    )
    .fetch_optional(pool)
    .await?)
}

fn compare(store: &ObjectStore, owner: Option<Uuid>, installation: Uuid) -> Result<(), NotReady> {
    match owner {
        Some(owner) if owner == installation => Ok(()),
        Some(owner) => Err(NotReady::OfAnother {
            store: store.place(),
            owner,
            installation,
        }),
        None => Err(NotReady::Unmarked {
            store: store.place(),
            installation,
            marker: MARKER,
        }),
    }
}
