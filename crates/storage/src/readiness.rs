//! Whether a process may work: its database has the schema that it knows, and the object store is that database's.
//!
//! Each role looks at its start, whoever serves `readyz` at every question, and the sweep before it deletes anything.

use sqlx::PgPool;

use crate::StorageError;
use crate::migrate::MIGRATIONS;
use crate::objects::ObjectError;

/// Why a process may not work.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    #[error(
        "the database's schema is older than this version of Referee, migration {missing} has not run: run this version's `referee migrate` with the owner's DATABASE_URL"
    )]
    Older { missing: i64 },
    #[error(
        "the database's schema is newer than this version of Referee, which knows migrations up to {known}, not {found}: start the version that migrated it, or a later one"
    )]
    Newer { found: i64, known: i64 },
    #[error(
        "the database's migration {version} is not this version's: another build of Referee has migrated it; start that one"
    )]
    Altered { version: i64 },
    #[error(
        "the database has no object store yet: the first process with the role api chooses it and marks it as this database's"
    )]
    NoStoreYet,
    #[error(
        "the object store {store} belongs to another installation ({owner}; this database is {installation}'s): set REFEREE_OBJECTS to this database's own store. After a restore, the objects are put back when the dump is loaded"
    )]
    OfAnother {
        store: String,
        owner: uuid::Uuid,
        installation: uuid::Uuid,
    },
    #[error(
        "the object store {store} is not this database's, or its disk is not mounted: it does not carry the installation's mark and holds nothing that the database refers to; set REFEREE_OBJECTS to the right one, or put its objects back. To begin with this one all the same, write the line {installation} into its file {marker}"
    )]
    Unmarked {
        store: String,
        installation: uuid::Uuid,
        marker: &'static str,
    },
    #[error(transparent)]
    Objects(#[from] ObjectError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl NotReady {
    /// Somebody else is expected to mend it, with `referee migrate` or by starting an api: a process waits.
    pub fn is_waited_for(&self) -> bool {
        matches!(self, Self::Older { .. } | Self::NoStoreYet)
    }

    /// It does not pass while the process runs: the process, the database or the store is the wrong one.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Newer { .. } | Self::Altered { .. } | Self::OfAnother { .. }
        )
    }
}

impl From<sqlx::Error> for NotReady {
    fn from(error: sqlx::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// Compares the migrations that this build knows with those that the database has had.
pub(crate) async fn check_schema(pool: &PgPool) -> Result<(), NotReady> {
    let applied = sqlx::query!("SELECT version, checksum FROM _sqlx_migrations WHERE success")
        .fetch_all(pool)
        .await;
    let applied = match applied {
        Ok(rows) => rows,
        // No migration has run, or none that lets the roles look.
        Err(sqlx::Error::Database(error))
            if matches!(error.code().as_deref(), Some("42P01" | "42501")) =>
        {
            Vec::new()
        }
        Err(error) => return Err(error.into()),
    };
    let applied: Vec<(i64, Vec<u8>)> = applied
        .into_iter()
        .map(|row| (row.version, row.checksum))
        .collect();
    let known: Vec<(i64, &[u8])> = MIGRATIONS
        .iter()
        .map(|migration| (migration.version, &*migration.checksum))
        .collect();
    compare(&applied, &known)
}

fn compare(applied: &[(i64, Vec<u8>)], known: &[(i64, &[u8])]) -> Result<(), NotReady> {
    for (version, checksum) in applied {
        match known.iter().find(|(known, _)| known == version) {
            Some((_, ours)) if *ours == checksum.as_slice() => {}
            Some(_) => return Err(NotReady::Altered { version: *version }),
            None => {
                return Err(NotReady::Newer {
                    found: *version,
                    known: known.last().map_or(0, |(version, _)| *version),
                });
            }
        }
    }
    let missing = known
        .iter()
        .find(|(version, _)| !applied.iter().any(|(applied, _)| applied == version));
    match missing {
        Some((missing, _)) => Err(NotReady::Older { missing: *missing }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [(i64, &[u8]); 2] = [(1, b"one"), (2, b"two")];

    fn applied(migrations: &[(i64, &str)]) -> Vec<(i64, Vec<u8>)> {
        let bytes = |(version, checksum): &(i64, &str)| (*version, checksum.as_bytes().to_vec());
        migrations.iter().map(bytes).collect()
    }

    #[test]
    fn a_schema_is_the_same_older_newer_or_anothers() {
        let found = |migrations| compare(&applied(migrations), &KNOWN);
        assert!(found(&[(2, "two"), (1, "one")]).is_ok());
        assert!(matches!(found(&[]), Err(NotReady::Older { missing: 1 })));
        let older = found(&[(1, "one")]).expect_err("older");
        assert!(matches!(older, NotReady::Older { missing: 2 }) && older.is_waited_for());
        let newer = found(&[(1, "one"), (2, "two"), (3, "three")]).expect_err("newer");
        assert!(matches!(newer, NotReady::Newer { found: 3, known: 2 }) && newer.is_final());
        // Newer and older at once, as two branches make it: waiting would not help.
        let both = found(&[(1, "one"), (3, "three")]).expect_err("neither");
        assert!(both.is_final() && !both.is_waited_for());
        let altered = found(&[(1, "one"), (2, "another")]).expect_err("altered");
        assert!(matches!(altered, NotReady::Altered { version: 2 }) && altered.is_final());
    }
}
