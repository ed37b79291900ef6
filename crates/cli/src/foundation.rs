//! What the parts of a server stand on: connections as their roles, the schema that this build knows, and the object store that
//! belongs to the database.

use std::time::Duration;

use anyhow::{Context as _, bail};
use referee_storage::objects::ObjectStore;
use referee_storage::{ApiDb, InferenceDb, NotReady, ScorerDb, StorageError};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::databases::Databases;
use crate::server::Role;

/// How often a process that waits for another's work looks again.
const LOOK: Duration = Duration::from_secs(1);

/// Connections of the roles that a process plays, and their store.
pub struct Foundation {
    pub api: Option<ApiDb>,
    pub scorer: Option<ScorerDb>,
    pub inference: Option<InferenceDb>,
    pub objects: ObjectStore,
}

impl Foundation {
    /// Waits, until `stop`, for a schema that is still to be migrated and for a store that an api is still to choose; `waiting` is
    /// told why.
    ///
    /// # Errors
    /// Where waiting does not help: a database that cannot be used, a newer schema, another installation's store.
    pub async fn lay(
        databases: &Databases,
        roles: &[Role],
        location: &str,
        waiting: &watch::Sender<String>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let mut api = None;
        if roles.contains(&Role::Api) {
            api = Some(connect("API", databases.api.as_ref(), ApiDb::connect).await?);
        }
        let mut scorer = None;
        if roles.contains(&Role::Scorer) {
            scorer = Some(connect("SCORER", databases.scorer.as_ref(), ScorerDb::connect).await?);
        }
        let mut inference = None;
        if roles.contains(&Role::Inference) {
            let url = databases.inference.as_ref();
            inference = Some(connect("INFERENCE", url, InferenceDb::connect).await?);
        }
        let objects = loop {
            match store(api.as_ref(), scorer.as_ref(), inference.as_ref(), location).await {
                Ok(objects) => break objects,
                Err(error) if error.is_waited_for() => {
                    let sentence = error.to_string();
                    waiting.send_if_modified(|said| {
                        let is_new = *said != sentence;
                        if is_new {
                            tracing::warn!("waiting: {sentence}");
                            *said = sentence;
                        }
                        is_new
                    });
                }
                Err(error) => return Err(error.into()),
            }
            tokio::select! {
                () = stop.cancelled() => bail!("told to stop while it waited: {}", *waiting.borrow()),
                () = sleep(LOOK) => {}
            }
        };
        Ok(Self {
            api,
            scorer,
            inference,
            objects,
        })
    }
}

/// The store, which an api may mark as its database's; workers only ever look for the mark.
async fn store(
    api: Option<&ApiDb>,
    scorer: Option<&ScorerDb>,
    inference: Option<&InferenceDb>,
    location: &str,
) -> Result<ObjectStore, NotReady> {
    let mut objects = None;
    if let Some(db) = api {
        db.check_schema().await?;
        objects = Some(db.open_or_mark_store(location).await?);
    }
    if let Some(db) = scorer {
        db.check_schema().await?;
        objects = Some(db.open_store(location).await?);
    }
    if let Some(db) = inference {
        db.check_schema().await?;
        objects = Some(db.open_store(location).await?);
    }
    objects.ok_or(NotReady::NoStoreYet)
}

/// Connects to the database of a role, `SCORER` and so on.
async fn connect<T>(
    role: &str,
    url: Option<&String>,
    connect: impl AsyncFnOnce(&str) -> Result<T, StorageError>,
) -> anyhow::Result<T> {
    let (variable, name) = (format!("REFEREE_{role}_DATABASE_URL"), role.to_lowercase());
    let url = url.with_context(|| {
        format!("{variable} is not set, which the role {name} needs; set it, or leave the role out of --roles")
    })?;
    connect(url).await.with_context(|| {
        format!(
            "the database of the role {name} cannot be used: see that PostgreSQL runs where {variable} says, that the password is right, and that `referee migrate` has run"
        )
    })
}
