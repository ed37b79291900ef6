//! The audit trail: triggers write it (`migrations/0018_audit.sql`), the scorer chains it, everybody who has it can check it.
//!
//! Whoever changes something through the api is said for the length of a request with [`acting`]; what the transactions in it
//! write down carries that.

use std::fmt::{self, Display, Write as _};
use std::str::FromStr;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{ApiDb, ScorerDb, StorageError};

tokio::task_local! {
    static ACTING: Acting;
}

/// Who acts, once that is known, and from where.
struct Acting {
    address: Option<String>,
    account: OnceLock<Uuid>,
}

/// Does `work` in the name of whoever [`identify`] says, from `address`.
pub async fn acting<F: Future>(address: Option<String>, work: F) -> F::Output {
    let acting = Acting {
        address,
        account: OnceLock::new(),
    };
    ACTING.scope(acting, work).await
}

/// Says whose account it is that acts. Of two in one request the first counts.
pub fn identify(account: Uuid) {
    // Outside of a request there is nobody to be named.
    let _ = ACTING.try_with(|acting| acting.account.set(account));
}

/// The account and the address, where there is either.
pub(crate) fn actor() -> Option<(Option<Uuid>, Option<String>)> {
    ACTING
        .try_with(|acting| (acting.account.get().copied(), acting.address.clone()))
        .ok()
        .filter(|(account, address)| account.is_some() || address.is_some())
}

/// A place in the trail and the hash there, which stands for everything up to it. Written `POSITION:HASH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub position: i64,
    pub hash: [u8; 32],
}

impl Head {
    /// Of a trail without a line.
    pub const START: Self = Self {
        position: 0,
        hash: [0; 32],
    };
}

impl Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.position, hexadecimal(&self.hash))
    }
}

/// No head of a trail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no head; write it as the log and `referee audit verify` do: a number, a colon, 64 hexadecimal digits"
)]
pub struct NoHead(String);

impl FromStr for Head {
    type Err = NoHead;

    fn from_str(text: &str) -> Result<Self, NoHead> {
        let parsed = || {
            let (position, digits) = text.split_once(':')?;
            Some(Self {
                position: position.parse().ok().filter(|position| *position >= 0)?,
                hash: from_hexadecimal(digits)?,
            })
        };
        parsed().ok_or_else(|| NoHead(text.to_owned()))
    }
}

/// A line of the trail, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub position: i64,
    /// JSON, byte for byte what was hashed.
    pub text: String,
    pub hash: [u8; 32],
}

impl Line {
    /// As `referee audit export` writes it: the JSON with one more member, the hash, at its end.
    pub fn exported(&self) -> String {
        let open = self.text.strip_suffix('}').unwrap_or(&self.text);
        format!("{open}, \"hash\" : \"{}\"}}", hexadecimal(&self.hash))
    }

    /// Reads back what [`Self::exported`] wrote.
    pub fn imported(line: &str) -> Option<Self> {
        let (open, end) = line.rsplit_once(", \"hash\" : \"")?;
        let text = format!("{open}}}");
        let entry: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(Self {
            position: entry["position"].as_i64()?,
            hash: from_hexadecimal(end.strip_suffix("\"}")?)?,
            text,
        })
    }
}

/// Where a trail is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error(
        "the audit trail is broken: after line {after} comes line {found}, so lines are missing or come twice"
    )]
    Gap { after: i64, found: i64 },
    #[error(
        "the audit trail is broken at line {0}: it is not the line that was written, or one before it was taken out or put in"
    )]
    Changed(i64),
    #[error("the audit trail is not the one that the head {0} was taken of: its line {position} has another hash", position = .0.position)]
    OtherHead(Head),
    #[error(
        "the audit trail ends at line {end}, before the head {head}: its last lines were taken away"
    )]
    Short { end: i64, head: Head },
}

/// Follows a trail from its first line and looks at every hash.
#[derive(Clone, Debug)]
pub struct Check {
    at: Head,
    /// A head that somebody kept: the trail must go through it.
    expected: Option<Head>,
}

impl Check {
    pub fn new(expected: Option<Head>) -> Self {
        Self {
            at: Head::START,
            expected,
        }
    }

    /// # Errors
    /// Where `line` does not follow from those before.
    pub fn follow(&mut self, line: &Line) -> Result<(), Broken> {
        if line.position != self.at.position + 1 {
            return Err(Broken::Gap {
                after: self.at.position,
                found: line.position,
            });
        }
        let mut hash = Sha256::new();
        hash.update(self.at.hash);
        hash.update(&line.text);
        let names_itself = serde_json::from_str::<serde_json::Value>(&line.text)
            .is_ok_and(|entry| entry["position"] == line.position);
        if !names_itself || hash.finalize().as_slice() != line.hash {
            return Err(Broken::Changed(line.position));
        }
        self.at = Head {
            position: line.position,
            hash: line.hash,
        };
        match self.expected {
            Some(expected) if expected.position == self.at.position && expected != self.at => {
                Err(Broken::OtherHead(expected))
            }
            _ => Ok(()),
        }
    }

    /// The head of the whole trail.
    ///
    /// # Errors
    /// Where it ends before the head that somebody kept.
    pub fn end(self) -> Result<Head, Broken> {
        match self.expected {
            Some(head) if head.position > self.at.position => Err(Broken::Short {
                end: self.at.position,
                head,
            }),
            Some(head) if head.position == 0 && head != Head::START => Err(Broken::OtherHead(head)),
            _ => Ok(self.at),
        }
    }
}

/// Up to `limit` lines after `position`, in order.
pub async fn lines(db: &ApiDb, position: i64, limit: i64) -> Result<Vec<Line>, StorageError> {
    let rows = sqlx::query!(
        "SELECT position, line, hash FROM audit_trail WHERE position > $1 ORDER BY position LIMIT $2",
        position,
        limit,
    )
    .fetch_all(db.pool())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Line {
                position: row.position,
                text: row.line,
                hash: digest(row.hash)?,
            })
        })
        .collect()
}

/// Entries that the scorer has not chained yet.
pub async fn waiting(db: &ApiDb) -> Result<i64, StorageError> {
    Ok(
        sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM audit_pending"#)
            .fetch_one(db.pool())
            .await?,
    )
}

/// Whom and where the ids of the trail stand for: handles of accounts, addresses.
pub async fn names(db: &ApiDb) -> Result<Vec<(Uuid, String)>, StorageError> {
    let rows = sqlx::query!(
        r#"
        SELECT audit_people.id AS "id!", users.handle AS "name!"
        FROM audit_people
        JOIN users ON users.id = audit_people.account
        UNION ALL
        SELECT id, address
        FROM audit_addresses
        "#
    )
    .fetch_all(db.pool())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}

/// Takes away what says whose account an id of the trail is. The trail itself stays whole.
pub async fn forget(db: &ApiDb, account: Uuid) -> Result<(), StorageError> {
    sqlx::query!(r#"SELECT forget_in_audit($1) AS "forgotten: ()""#, account)
        .fetch_one(db.pool())
        .await?;
    Ok(())
}

/// Adds what waits to the trail, ten thousand entries at most; the head after that.
pub async fn chain(db: &ScorerDb) -> Result<Head, StorageError> {
    let row =
        sqlx::query!(r#"SELECT last_position AS "position!", head AS "hash!" FROM chain_audit()"#)
            .fetch_one(db.pool())
            .await?;
    Ok(Head {
        position: row.position,
        hash: digest(row.hash)?,
    })
}

fn digest(bytes: Vec<u8>) -> Result<[u8; 32], StorageError> {
    bytes
        .try_into()
        .map_err(|_| StorageError::Corrupt("a hash of the audit trail that is not 32 bytes long"))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("writing to a String never fails");
        digits
    })
}

fn from_hexadecimal(digits: &str) -> Option<[u8; 32]> {
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
