-- Models: the files beside them, the ranges of test images that workers share, and what is known of their layers.

ALTER TABLE submissions
    ADD COLUMN hidden_images_at   timestamptz,          -- first run over private images: from then on it counts, however it ends but `failed`
    ADD COLUMN inference_attempts integer NOT NULL DEFAULT 0, -- those of `attempt` that running the model took; the scorer counts its own
    ADD COLUMN preprocess         jsonb;                -- the recipe that was used

-- External data of an ONNX file, under the bare names that it refers to them by.
CREATE TABLE submission_data (
    submission uuid NOT NULL REFERENCES submissions (id),
    name       text NOT NULL CHECK (name <> '' AND name !~ '[/\\]' AND name NOT IN ('.', '..')),
    object_key text NOT NULL,
    bytes      bigint NOT NULL,
    sha256     bytea NOT NULL CHECK (octet_length(sha256) = 32),
    PRIMARY KEY (submission, name)
);
CREATE INDEX submission_data_objects ON submission_data (object_key);

-- Ranges of a challenge's test images. Any worker takes a free one by a query; what is done stays done, whoever dies.
-- `lease` rises with every taking and every later write names it, so that a worker whose lease ran out writes nothing.
CREATE TABLE shards (
    submission   uuid NOT NULL REFERENCES submissions (id),
    first        integer NOT NULL CHECK (first >= 0),
    count        integer NOT NULL CHECK (count > 0),
    lease        integer NOT NULL DEFAULT 0,
    starts       integer NOT NULL DEFAULT 0,            -- takings that were not given back: five at most
    leased_until timestamptz,
    done         integer NOT NULL DEFAULT 0 CHECK (done BETWEEN 0 AND count),
    pace         double precision,                      -- images per second of whoever holds the lease
    record       bytea CHECK (octet_length(record) = 24 * count), -- once done: the canonical record's rows, int32 little-endian [count,6]
    PRIMARY KEY (submission, first)
);
CREATE INDEX shards_unfinished ON shards (submission, first) WHERE record IS NULL;

-- A drawing of the network: {layers, filters}, as the api hands it out.
CREATE TABLE model_layers (
    submission uuid PRIMARY KEY REFERENCES submissions (id),
    document   jsonb NOT NULL
);

GRANT SELECT, INSERT ON submission_data TO referee_api;
GRANT SELECT ON model_layers TO referee_api;

GRANT UPDATE (hidden_images_at, inference_attempts, preprocess) ON submissions TO referee_inference;
GRANT SELECT ON submission_data TO referee_inference;
GRANT SELECT, INSERT, UPDATE, DELETE ON shards TO referee_inference;
GRANT SELECT, INSERT, UPDATE ON model_layers TO referee_inference;
