-- People: accounts, browser sessions and API tokens. Only the api role ever reads these tables.

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    handle        text NOT NULL CHECK (handle ~ '^[A-Za-z0-9][A-Za-z0-9_-]{1,38}$'),
    email         text,
    password_hash text NOT NULL,
    role          text NOT NULL DEFAULT 'competitor' CHECK (role IN ('competitor', 'organizer', 'administrator')),
    disabled      boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_handle ON users (lower(handle));

-- A session or token is stored as the SHA-256 of a random secret that only its holder knows.
CREATE TABLE sessions (
    secret_hash bytea PRIMARY KEY CHECK (octet_length(secret_hash) = 32),
    user_id     uuid NOT NULL REFERENCES users (id),
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE tokens (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users (id),
    name         text NOT NULL,
    secret_hash  bytea NOT NULL UNIQUE CHECK (octet_length(secret_hash) = 32),
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz
);
CREATE INDEX tokens_user ON tokens (user_id);

GRANT SELECT, INSERT, UPDATE ON users TO referee_api;
GRANT SELECT, INSERT, DELETE ON sessions TO referee_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON tokens TO referee_api;
