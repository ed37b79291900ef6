//! People: accounts, browser sessions and API tokens. Sessions and tokens are looked up by the SHA-256 of their secret.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{ApiDb, StorageError};

/// What an account may do beyond competing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Role {
    Competitor,
    /// May create challenges, and is organizer of those.
    Organizer,
    /// May do what every organizer may, and change accounts.
    Administrator,
}

/// An account as its holder and administrators see it.
#[derive(Clone, Debug)]
pub struct User {
    pub id: Uuid,
    pub handle: String,
    pub email: Option<String>,
    pub role: Role,
    pub disabled: bool,
    pub created_at: DateTime<Utc>,
}

/// A token as its holder sees it; the secret is shown once, when it is made.
#[derive(Clone, Debug)]
pub struct Token {
    pub id: Uuid,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The account of a handle, whatever its case.
pub async fn user_by_handle(db: &ApiDb, handle: &str) -> Result<Option<User>, StorageError> {
    Ok(sqlx::query_as!(
        User,
        r#"
        SELECT id, handle, email, role AS "role: Role", disabled, created_at
        FROM users
        WHERE lower(handle) = lower($1)
        "#,
        handle,
    )
    .fetch_optional(db.pool())
    .await?)
}

/// The account of a handle, with the PHC string that its password is checked against.
pub async fn user_with_password_hash(
    db: &ApiDb,
    handle: &str,
) -> Result<Option<(User, String)>, StorageError> {
    let row = sqlx::query!(
        r#"
        SELECT id, handle, email, role AS "role: Role", disabled, created_at, password_hash
        FROM users
        WHERE lower(handle) = lower($1)
        "#,
        handle,
    )
    .fetch_optional(db.pool())
    .await?;
    Ok(row.map(|row| {
        let user = User {
            id: row.id,
            handle: row.handle,
            email: row.email,
            role: row.role,
            disabled: row.disabled,
            created_at: row.created_at,
        };
        (user, row.password_hash)
    }))
}

/// Changes what is given of an account; `None` where there is no such handle.
pub async fn change_user(
    db: &ApiDb,
    handle: &str,
    role: Option<Role>,
    disabled: Option<bool>,
) -> Result<Option<User>, StorageError> {
    let mut transaction = db.begin().await?;
    let changed = sqlx::query_as!(
        User,
        r#"
        UPDATE users
        SET role = coalesce($2, role),
            disabled = coalesce($3, disabled)
        WHERE lower(handle) = lower($1)
        RETURNING id, handle, email, role AS "role: Role", disabled, created_at
        "#,
        handle,
        role as Option<Role>,
        disabled,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(changed)
}

/// Gives an account another password (a PHC string), ends its sessions and deletes its tokens: whoever knew the old password
/// may hold some of them. Whether there is such a handle.
pub async fn set_password(
    db: &ApiDb,
    handle: &str,
    password_hash: &str,
) -> Result<bool, StorageError> {
    let mut transaction = db.begin().await?;
    let user = sqlx::query_scalar!(
        "UPDATE users SET password_hash = $2 WHERE lower(handle) = lower($1) RETURNING id",
        handle,
        password_hash,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    if let Some(user) = user {
        sqlx::query!("DELETE FROM sessions WHERE user_id = $1", user)
            .execute(&mut *transaction)
            .await?;
        sqlx::query!("DELETE FROM tokens WHERE user_id = $1", user)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(user.is_some())
}

/// Opens a browser session for whoever knew the password of `password_hash`, and forgets the ones of the account that have
/// run out. `false`: the account has another password by now.
pub async fn open_session(
    db: &ApiDb,
    user: Uuid,
    password_hash: &str,
    secret_hash: &[u8; 32],
    expires_at: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let mut transaction = db.begin().await?;
    // Held until the session is there, so that a new password either prevents it or ends it.
    let account = sqlx::query_scalar!(
        "SELECT id FROM users WHERE id = $1 AND password_hash = $2 FOR SHARE",
        user,
        password_hash,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    if account.is_none() {
        return Ok(false);
    }
    sqlx::query!(
        "DELETE FROM sessions WHERE user_id = $1 AND expires_at < now()",
        user
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!(
        "INSERT INTO sessions (secret_hash, user_id, expires_at) VALUES ($1, $2, $3)",
        secret_hash,
        user,
        expires_at,
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Ends a session; nothing happens where it has ended already.
pub async fn close_session(db: &ApiDb, secret_hash: &[u8; 32]) -> Result<(), StorageError> {
    sqlx::query!("DELETE FROM sessions WHERE secret_hash = $1", secret_hash)
        .execute(db.pool())
        .await?;
    Ok(())
}

/// Whose session this is, unless it has run out. The account may be disabled.
pub async fn user_of_session(
    db: &ApiDb,
    secret_hash: &[u8; 32],
) -> Result<Option<User>, StorageError> {
    Ok(sqlx::query_as!(
        User,
        r#"
        SELECT users.id, handle, email, role AS "role: Role", disabled, users.created_at
        FROM sessions
        JOIN users ON users.id = sessions.user_id
        WHERE secret_hash = $1
          AND expires_at > now()
        "#,
        secret_hash,
    )
    .fetch_optional(db.pool())
    .await?)
}

/// Whose token this is. The account may be disabled. The token's last use is noted, once a minute at most.
pub async fn user_of_token(
    db: &ApiDb,
    secret_hash: &[u8; 32],
) -> Result<Option<User>, StorageError> {
    let row = sqlx::query!(
        r#"
        SELECT users.id, handle, email, role AS "role: Role", disabled, users.created_at, tokens.id AS token,
               coalesce(last_used_at < now() - interval '1 minute', true) AS "note_use!"
        FROM tokens
        JOIN users ON users.id = tokens.user_id
        WHERE secret_hash = $1
        "#,
        secret_hash,
    )
    .fetch_optional(db.pool())
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.note_use {
        sqlx::query!(
            "UPDATE tokens SET last_used_at = now() WHERE id = $1",
            row.token
        )
        .execute(db.pool())
        .await?;
    }
    Ok(Some(User {
        id: row.id,
        handle: row.handle,
        email: row.email,
        role: row.role,
        disabled: row.disabled,
        created_at: row.created_at,
    }))
}

/// Adds a token to an account for whoever holds its session or token with the secret hash `by`; `None` where a new password
/// has ended that meanwhile.
pub async fn create_token(
    db: &ApiDb,
    user: Uuid,
    by: &[u8; 32],
    name: &str,
    secret_hash: &[u8; 32],
) -> Result<Option<Token>, StorageError> {
    let mut transaction = db.begin().await?;
    // Held until the token is there, so that a new password either prevents it or ends it.
    sqlx::query!("SELECT id FROM users WHERE id = $1 FOR SHARE", user)
        .fetch_optional(&mut *transaction)
        .await?;
    let token = sqlx::query_as!(
        Token,
        r#"
        INSERT INTO tokens (id, user_id, name, secret_hash)
        SELECT $1, $2, $3, $4
        WHERE EXISTS (SELECT FROM sessions WHERE secret_hash = $5 AND user_id = $2)
           OR EXISTS (SELECT FROM tokens WHERE secret_hash = $5 AND user_id = $2)
        RETURNING id, name, created_at, last_used_at
        "#,
        Uuid::now_v7(),
        user,
        name,
        secret_hash,
        by,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(token)
}

/// The tokens of an account, newest first.
pub async fn tokens(db: &ApiDb, user: Uuid) -> Result<Vec<Token>, StorageError> {
    Ok(sqlx::query_as!(
        Token,
        r#"
        SELECT id, name, created_at, last_used_at
        FROM tokens
        WHERE user_id = $1
        ORDER BY id DESC
        "#,
        user,
    )
    .fetch_all(db.pool())
    .await?)
}

/// Revokes a token of an account; whether there was one.
pub async fn delete_token(db: &ApiDb, user: Uuid, token: Uuid) -> Result<bool, StorageError> {
    let deleted = sqlx::query!(
        "DELETE FROM tokens WHERE id = $1 AND user_id = $2",
        token,
        user
    )
    .execute(db.pool())
    .await?;
    Ok(deleted.rows_affected() == 1)
}
