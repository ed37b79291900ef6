-- Behind the wall. The api role may add label rows and nothing else; the inference role may not even look in.

CREATE SCHEMA sealed;

CREATE TABLE sealed.labels (
    challenge uuid NOT NULL,
    version   integer NOT NULL,
    ordinal   integer NOT NULL CHECK (ordinal >= 0),
    labels    smallint[] NOT NULL,                      -- classes from 0; any of them is right; empty = skipped
    PRIMARY KEY (challenge, version, ordinal),
    FOREIGN KEY (challenge, version) REFERENCES public.label_versions (challenge, version)
);

-- Which test images are public: made once per challenge and kept for every later version of its labels.
CREATE TABLE sealed.splits (
    challenge     uuid PRIMARY KEY REFERENCES public.challenges (id),
    key           bytea NOT NULL CHECK (octet_length(key) = 32),
    images        integer NOT NULL,
    public_images bytea NOT NULL                        -- bitmap by ordinal, least significant bit first
);

CREATE SEQUENCE sealed.scored_seq;

-- Which images each submission got right, so that two can be compared without reading predictions again.
CREATE TABLE sealed.outcomes (
    submission      uuid NOT NULL REFERENCES public.submissions (id),
    label_version   integer NOT NULL,
    top1_hits       bytea NOT NULL,                     -- bitmaps by ordinal, least significant bit first
    top5_hits       bytea NOT NULL,
    ladder_accepted boolean NOT NULL,                   -- whether the team's ladder stood on this submission when it was scored
    PRIMARY KEY (submission, label_version)
);

-- Exact counts of both splits, whatever the feedback rule lets out.
CREATE TABLE sealed.scores (
    submission    uuid NOT NULL REFERENCES public.submissions (id),
    label_version integer NOT NULL,
    split         text NOT NULL CHECK (split IN ('public', 'private')),
    images        integer NOT NULL,
    top1_misses   integer NOT NULL,
    top5_misses   integer NOT NULL,
    PRIMARY KEY (submission, label_version, split)
);

GRANT USAGE ON SCHEMA sealed TO referee_api, referee_scorer;
GRANT INSERT ON sealed.labels TO referee_api;
GRANT SELECT, INSERT ON sealed.labels, sealed.splits TO referee_scorer;
GRANT SELECT, INSERT, UPDATE ON sealed.outcomes, sealed.scores TO referee_scorer;
GRANT USAGE ON SEQUENCE sealed.scored_seq TO referee_scorer;
