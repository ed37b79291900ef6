//! How accounts are opened: by anybody, with an invitation, or as the first one of an installation.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::accounts::{Role, User};
use crate::{ApiDb, StorageError};

/// An account about to be made.
#[derive(Clone, Copy)]
pub struct NewUser<'a> {
    pub handle: &'a str,
    pub email: Option<&'a str>,
    /// PHC string.
    pub password_hash: &'a str,
    pub admission: Admission,
}

/// By what right somebody opens an account.
#[derive(Clone, Copy)]
pub enum Admission {
    /// Anybody may. The first account of the installation becomes administrator where `first_is_administrator`.
    Open { first_is_administrator: bool },
    /// With an invitation, by the SHA-256 of its secret.
    Invited([u8; 32]),
    /// The operator does, on the server's machine.
    Appointed(Role),
}

/// What became of a new account.
#[derive(Debug)]
pub enum Registered {
    Done(User),
    /// Somebody has the handle, whatever its case.
    HandleTaken,
    /// Somebody has the mail address.
    EmailTaken,
    /// There is no such invitation, it has run out or is used up.
    NotInvited,
}

impl Registered {
    /// The account, if it was made.
    pub fn done(self) -> Option<User> {
        match self {
            Self::Done(user) => Some(user),
            Self::HandleTaken | Self::EmailTaken | Self::NotInvited => None,
        }
    }
}

/// An invitation about to be made.
pub struct NewInvitation {
    /// SHA-256.
    pub secret_hash: [u8; 32],
    /// Of those who use it.
    pub role: Role,
    pub uses: i32,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Makes an account. Where it is not made, an invitation is not used.
pub async fn register(db: &ApiDb, new: NewUser<'_>) -> Result<Registered, StorageError> {
    let mut transaction = db.begin().await?;
    // Two first accounts at the same moment must not both become administrator.
    sqlx::query!(r#"SELECT wait_for_sign_ups() AS "waited: ()""#)
        .fetch_one(&mut *transaction)
        .await?;
    let Some(role) = role(&mut transaction, new.admission).await? else {
        return Ok(Registered::NotInvited);
    };
    let email_key = new.email.map(email_key);
    if let Some(key) = &email_key {
        let taken = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM users WHERE email_key = $1) AS "taken!""#,
            key
        )
        .fetch_one(&mut *transaction)
        .await?;
        if taken {
            return Ok(Registered::EmailTaken);
        }
    }
    let created = sqlx::query_as!(
        User,
        r#"
        INSERT INTO users (id, handle, email, email_key, password_hash, role)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT ((lower(handle))) DO NOTHING
        RETURNING id, handle, email, role AS "role: Role", disabled, created_at
        "#,
        Uuid::now_v7(),
        new.handle,
        new.email,
        email_key,
        new.password_hash,
        role as Role,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(user) = created else {
        return Ok(Registered::HandleTaken);
    };
    if user.role == Role::Administrator {
        // Nobody needs a setup link any more.
        sqlx::query!("DELETE FROM invitations WHERE role = 'administrator'")
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(Registered::Done(user))
}

async fn role(
    connection: &mut PgConnection,
    admission: Admission,
) -> Result<Option<Role>, StorageError> {
    Ok(match admission {
        Admission::Appointed(role) => Some(role),
        Admission::Open {
            first_is_administrator,
        } => {
            let first = first_is_administrator && !exists(&mut *connection).await?;
            Some(if first {
                Role::Administrator
            } else {
                Role::Competitor
            })
        }
        Admission::Invited(secret_hash) => {
            sqlx::query_scalar!(
                r#"
                UPDATE invitations
                SET uses_left = uses_left - 1
                WHERE secret_hash = $1
                  AND uses_left > 0
                  AND (expires_at IS NULL OR expires_at > now())
                RETURNING role AS "role: Role"
                "#,
                &secret_hash,
            )
            .fetch_optional(connection)
            .await?
        }
    })
}

/// Whether there is an account.
pub async fn has_accounts(db: &ApiDb) -> Result<bool, StorageError> {
    exists(&mut *db.pool().acquire().await?).await
}

async fn exists(connection: &mut PgConnection) -> Result<bool, StorageError> {
    Ok(
        sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM users) AS "exists!""#)
            .fetch_one(connection)
            .await?,
    )
}

/// Makes an invitation, and forgets those that have run out.
pub async fn invite(db: &ApiDb, new: &NewInvitation) -> Result<(), StorageError> {
    sqlx::query!("DELETE FROM invitations WHERE uses_left = 0 OR expires_at < now()")
        .execute(db.pool())
        .await?;
    sqlx::query!(
        "INSERT INTO invitations (secret_hash, role, uses_left, expires_at) VALUES ($1, $2, $3, $4)",
        &new.secret_hash,
        new.role as Role,
        new.uses,
        new.expires_at,
    )
    .execute(db.pool())
    .await?;
    Ok(())
}

/// What two addresses of one mailbox share: the case does not matter, and neither does what follows a `+`.
fn email_key(email: &str) -> String {
    let email = email.trim().to_lowercase();
    match email.rsplit_once('@') {
        Some((name, host)) => {
            let name = name.split_once('+').map_or(name, |(name, _)| name);
            format!("{name}@{host}")
        }
        None => email,
    }
}

#[cfg(test)]
mod tests {
    use super::email_key;

    #[test]
    fn a_mailbox_counts_once() {
        for same in [
            "ada@example.org",
            "Ada@Example.ORG",
            "ada+second@example.org",
        ] {
            assert_eq!(email_key(same), "ada@example.org");
        }
        assert_eq!(email_key("a.da@example.org"), "a.da@example.org");
    }
}
