-- A challenge is one test set, one protocol, one board. Its state (draft, upcoming, open, closed) follows from
-- published_at, opens and closes and is never stored.

CREATE TABLE challenges (
    id                  uuid PRIMARY KEY,
    slug                text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9-]{2,40}$'),
    title               text NOT NULL,
    series              text,
    description         text NOT NULL DEFAULT '',
    classes             jsonb NOT NULL,                 -- [{"name": …, "id": …}], position = class index
    public_images       boolean NOT NULL DEFAULT true,
    opens               timestamptz,
    closes              timestamptz,
    after_close         text NOT NULL DEFAULT 'reject' CHECK (after_close IN ('reject', 'score')),
    per_day             integer CHECK (per_day > 0),
    per_week            integer CHECK (per_week > 0),
    total               integer CHECK (total > 0),
    upload_mb           integer NOT NULL DEFAULT 1024 CHECK (upload_mb > 0),
    primary_error       text NOT NULL CHECK (primary_error IN ('top1', 'top5')),
    public_fraction     double precision NOT NULL DEFAULT 1.0 CHECK (public_fraction > 0 AND public_fraction <= 1),
    feedback            text NOT NULL DEFAULT 'exact' CHECK (feedback IN ('exact', 'ladder')),
    ranking             text NOT NULL DEFAULT 'best' CHECK (ranking IN ('best', 'latest')),
    final_selections    integer NOT NULL DEFAULT 1 CHECK (final_selections > 0),
    outside_data        text NOT NULL DEFAULT 'declared' CHECK (outside_data IN ('declared', 'forbidden')),
    images              integer CHECK (images > 0),     -- test images; known once labels or images are uploaded
    image_names         text[],                         -- ordinal -> name, where images have names
    image_sizes         bigint[],                       -- encoded bytes of each image, where they are files of a tar
    image_names_changed_at timestamptz,                 -- when other names took the place of these; labels from before were read with those
    label_version       integer,                        -- the version that the board shows
    label_leak          text,                           -- the scorer's finding that something public predicts the labels
    label_leak_checked  boolean NOT NULL DEFAULT false, -- false again after every change of images or labels
    known_labels        boolean NOT NULL DEFAULT false, -- published in spite of label_leak
    published_at        timestamptz,
    private_released_at timestamptz,                    -- when the scorer released the private scores
    created_by          uuid NOT NULL REFERENCES users (id),
    created_at          timestamptz NOT NULL DEFAULT now(),
    CHECK (closes IS NULL OR opens IS NULL OR closes > opens)
);
CREATE INDEX challenges_series ON challenges (series);

CREATE TABLE challenge_organizers (
    challenge uuid NOT NULL REFERENCES challenges (id),
    user_id   uuid NOT NULL REFERENCES users (id),
    added_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (challenge, user_id)
);

-- Everything public that a challenge consists of, and the test images, public or not.
CREATE TABLE challenge_files (
    challenge   uuid NOT NULL REFERENCES challenges (id),
    purpose     text NOT NULL CHECK (purpose IN ('download', 'test-images', 'validation-images', 'validation-labels')),
    key         text NOT NULL,                          -- names a download; equals purpose otherwise
    filename    text NOT NULL,
    object_key  text NOT NULL,
    bytes       bigint NOT NULL,
    sha256      bytea NOT NULL CHECK (octet_length(sha256) = 32),
    uploaded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (challenge, purpose, key)
);

-- Versions of the hidden labels; the labels themselves are in sealed.labels.
-- uploaded: rows are in, the scorer has not looked. sealed: checked and split, submissions are being scored under it.
-- current: the board shows it. superseded: a later one is current. refused: could not be used, `problem` says why.
CREATE TABLE label_versions (
    challenge  uuid NOT NULL REFERENCES challenges (id),
    version    integer NOT NULL CHECK (version > 0),
    images     integer NOT NULL CHECK (images > 0),
    digest     bytea NOT NULL CHECK (octet_length(digest) = 32),  -- HMAC-SHA256(server key, file)
    copy_of    integer,                                 -- a rescore: the same labels as that version, scored anew
    state      text NOT NULL DEFAULT 'uploaded' CHECK (state IN ('uploaded', 'sealed', 'current', 'superseded', 'refused')),
    problem    text,
    created_by uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    current_at timestamptz,
    PRIMARY KEY (challenge, version),
    FOREIGN KEY (challenge, copy_of) REFERENCES label_versions (challenge, version)
);

-- The board as a document: a revision that every visible change raises.
CREATE TABLE boards (
    challenge  uuid PRIMARY KEY REFERENCES challenges (id),
    revision   bigint NOT NULL DEFAULT 1,
    changed_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION notify_board() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('referee_board', NEW.challenge::text);
    RETURN NULL;
END;
$$;
CREATE TRIGGER notify_board AFTER INSERT OR UPDATE ON boards FOR EACH ROW EXECUTE FUNCTION notify_board();

GRANT SELECT, INSERT ON challenges TO referee_api;
GRANT UPDATE (title, series, description, classes, public_images, opens, closes, after_close, per_day, per_week, total, upload_mb,
              primary_error, public_fraction, feedback, ranking, final_selections, outside_data, images, image_names, image_sizes,
              image_names_changed_at,
              label_leak_checked, known_labels, published_at)
    ON challenges TO referee_api;
GRANT SELECT, INSERT, DELETE ON challenge_organizers TO referee_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON challenge_files TO referee_api;
GRANT SELECT, INSERT ON label_versions TO referee_api;
GRANT SELECT, INSERT, UPDATE ON boards TO referee_api;

GRANT SELECT ON challenges, challenge_files, label_versions, boards TO referee_scorer;
GRANT UPDATE (label_version, label_leak, label_leak_checked, private_released_at) ON challenges TO referee_scorer;
GRANT UPDATE (state, problem, current_at) ON label_versions TO referee_scorer;
GRANT UPDATE (revision, changed_at) ON boards TO referee_scorer;

GRANT SELECT ON challenges, challenge_files TO referee_inference;
