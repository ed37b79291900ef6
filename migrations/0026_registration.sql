-- Who may open an account: invitations, and a mail address that counts once.

-- The link with an invitation's secret opens accounts while uses are left. Whoever starts a server without accounts is given
-- one that makes an administrator.
CREATE TABLE invitations (
    secret_hash bytea PRIMARY KEY CHECK (octet_length(secret_hash) = 32),
    role        text NOT NULL CHECK (role IN ('competitor', 'organizer', 'administrator')),
    uses_left   integer NOT NULL CHECK (uses_left >= 0),
    expires_at  timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- The address as far as its provider tells addresses apart, in lower case: of addresses that were given twice before, the first
-- has it.
ALTER TABLE users ADD COLUMN email_key text UNIQUE;
UPDATE users
SET email_key = lower(email)
WHERE email IS NOT NULL
  AND NOT EXISTS (SELECT FROM users earlier WHERE lower(earlier.email) = lower(users.email) AND earlier.id < users.id);

GRANT SELECT, INSERT, DELETE ON invitations TO referee_api;
GRANT UPDATE (uses_left) ON invitations TO referee_api;
