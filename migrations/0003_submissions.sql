-- Teams, their submissions, and the scores that the scorer has released.

CREATE TABLE teams (
    id         uuid PRIMARY KEY,
    challenge  uuid NOT NULL REFERENCES challenges (id),
    name       text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9_-]{1,38}$'),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, challenge)
);
CREATE UNIQUE INDEX teams_name ON teams (challenge, lower(name));

CREATE TABLE team_members (
    challenge uuid NOT NULL REFERENCES challenges (id),
    team      uuid NOT NULL,
    user_id   uuid NOT NULL REFERENCES users (id),
    joined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (challenge, user_id),
    FOREIGN KEY (team, challenge) REFERENCES teams (id, challenge)
);
CREATE INDEX team_members_team ON team_members (team);

-- The row is the truth about a submission; the queue only wakes workers up. `attempt` rises with every claim, and every
-- later write names the attempt it belongs to, so that a worker cut off for a while cannot overwrite its successor.
-- Withdrawn, hidden, verified, selected, late are marks: nothing scored is ever deleted.
CREATE TABLE submissions (
    id                uuid PRIMARY KEY,                 -- UUIDv7
    challenge         uuid NOT NULL REFERENCES challenges (id),
    team              uuid NOT NULL,
    submitter         uuid NOT NULL REFERENCES users (id),
    kind              text NOT NULL CHECK (kind IN ('predictions', 'model')),
    entry             text NOT NULL CHECK (entry IN ('competitor', 'baseline')),
    method            text NOT NULL,
    description       text NOT NULL DEFAULT '',
    paper_url         text,
    code_url          text,
    outside_data      boolean NOT NULL DEFAULT false,
    form              jsonb NOT NULL DEFAULT '{}',      -- how to read the file: boxes, architecture, preprocess, class_order, class_offset, output
    object_key        text NOT NULL,
    filename          text NOT NULL,
    bytes             bigint NOT NULL,
    sha256            bytea NOT NULL CHECK (octet_length(sha256) = 32),
    idempotency_key   text,
    received_at       timestamptz NOT NULL,             -- first byte of the upload: what the deadline and the quota look at
    created_at        timestamptz NOT NULL DEFAULT now(),
    late              boolean NOT NULL DEFAULT false,
    status            text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'scored', 'rejected', 'failed')),
    priority          smallint NOT NULL DEFAULT 0,      -- the job's; its team's unfinished submissions of the kind when queued
    attempt           integer NOT NULL DEFAULT 0,
    stage             text,
    progress_done     bigint,
    progress_total    bigint,
    images_per_second double precision,
    progress_at       timestamptz,                      -- last sign of life of the attempt
    record_key        text,                             -- the canonical record that inference wrote
    problem           jsonb,                            -- rejected: {detail, errors}; failed: {detail} from a fixed list
    notices           jsonb NOT NULL DEFAULT '[]',
    model             jsonb,
    scored_at         timestamptz,
    scored_seq        bigint,                           -- order of first scoring; the ladder advances in it
    selected          boolean NOT NULL DEFAULT false,
    withdrawn_at      timestamptz,
    hidden_at         timestamptz,
    hidden_by         uuid REFERENCES users (id),
    hidden_reason     text,
    verified_at       timestamptz,
    verified_by       uuid REFERENCES users (id),
    revision          bigint NOT NULL DEFAULT 1,
    FOREIGN KEY (team, challenge) REFERENCES teams (id, challenge),
    UNIQUE (submitter, idempotency_key),
    CHECK ((hidden_at IS NULL) = (hidden_reason IS NULL))
);
CREATE INDEX submissions_challenge ON submissions (challenge, id);
CREATE INDEX submissions_team ON submissions (team, received_at);
CREATE INDEX submissions_unfinished ON submissions (kind, priority, created_at) WHERE status IN ('queued', 'running');
CREATE INDEX submissions_objects ON submissions (object_key);
CREATE INDEX submissions_records ON submissions (record_key) WHERE record_key IS NOT NULL;
CREATE INDEX submissions_pace ON submissions (kind, scored_at) WHERE scored_at IS NOT NULL;

CREATE FUNCTION raise_submission_revision() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.revision := OLD.revision + 1;
    RETURN NEW;
END;
$$;
CREATE TRIGGER raise_submission_revision BEFORE UPDATE ON submissions FOR EACH ROW EXECUTE FUNCTION raise_submission_revision();

CREATE FUNCTION notify_submission() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('referee_submission', NEW.id::text);
    RETURN NULL;
END;
$$;
CREATE TRIGGER notify_submission AFTER INSERT OR UPDATE ON submissions FOR EACH ROW EXECUTE FUNCTION notify_submission();

-- What the challenge's feedback rule lets out. Counts, not rates: `images` are those not skipped.
CREATE TABLE released_scores (
    submission    uuid NOT NULL REFERENCES submissions (id),
    label_version integer NOT NULL,
    split         text NOT NULL CHECK (split IN ('public', 'private')),
    images        integer NOT NULL CHECK (images >= 0),
    top1_misses   integer NOT NULL CHECK (top1_misses BETWEEN 0 AND images),
    top5_misses   integer NOT NULL CHECK (top5_misses BETWEEN 0 AND images),
    PRIMARY KEY (submission, label_version, split)
);

-- Ranks that a submission's place is statistically compatible with (pairwise McNemar mid-p, Holm).
CREATE TABLE rank_ranges (
    submission    uuid NOT NULL REFERENCES submissions (id),
    split         text NOT NULL CHECK (split IN ('public', 'private')),
    label_version integer NOT NULL,
    rank_low      integer NOT NULL CHECK (rank_low >= 1),
    rank_high     integer NOT NULL CHECK (rank_high >= rank_low),
    PRIMARY KEY (submission, split)
);

-- Who is at work. A worker that was not seen for 10 seconds is not counted as alive.
CREATE TABLE workers (
    id         uuid PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('predictions', 'model')),
    device     text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now()
);

-- What the watchdog did, for the metrics and for people who look into an incident.
CREATE TABLE watchdog_actions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    submission uuid NOT NULL REFERENCES submissions (id),
    action     text NOT NULL CHECK (action IN ('requeued', 'failed')),
    at         timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT ON teams, team_members TO referee_api;
GRANT UPDATE (name) ON teams TO referee_api;
GRANT SELECT, INSERT ON submissions TO referee_api;
GRANT UPDATE (method, description, paper_url, code_url, selected, withdrawn_at, hidden_at, hidden_by, hidden_reason, verified_at, verified_by)
    ON submissions TO referee_api;
GRANT SELECT ON released_scores, rank_ranges, workers, watchdog_actions TO referee_api;

GRANT SELECT ON teams, submissions, released_scores, rank_ranges, workers, watchdog_actions TO referee_scorer;
GRANT UPDATE (status, attempt, stage, progress_done, progress_total, images_per_second, progress_at, problem, notices, scored_at, scored_seq)
    ON submissions TO referee_scorer;
GRANT INSERT, UPDATE ON released_scores TO referee_scorer;
GRANT INSERT, UPDATE, DELETE ON rank_ranges TO referee_scorer;
GRANT INSERT, UPDATE, DELETE ON workers TO referee_scorer;
GRANT INSERT ON watchdog_actions TO referee_scorer;

GRANT SELECT ON submissions, workers TO referee_inference;
GRANT UPDATE (status, attempt, stage, progress_done, progress_total, images_per_second, progress_at, record_key, problem, notices, model)
    ON submissions TO referee_inference;
GRANT INSERT, UPDATE, DELETE ON workers TO referee_inference;
