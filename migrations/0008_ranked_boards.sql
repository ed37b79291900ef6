-- The order of a board that its rank ranges were computed from. While the board's own order is another, the ranges are
-- those of a board that is gone, and are not shown.
CREATE TABLE ranked_boards (
    challenge uuid NOT NULL REFERENCES challenges (id),
    split     text NOT NULL CHECK (split IN ('public', 'private')),
    digest    bytea NOT NULL CHECK (octet_length(digest) = 32),  -- SHA-256 of the ranked submissions and their counts
    PRIMARY KEY (challenge, split)
);

GRANT SELECT ON ranked_boards TO referee_api, referee_scorer;
GRANT INSERT, UPDATE ON ranked_boards TO referee_scorer;

-- The test set of a draft may still change its size, and is then split anew.
GRANT UPDATE (key, images, public_images) ON sealed.splits TO referee_scorer;
