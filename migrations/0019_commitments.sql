-- From publishing on, a version of the labels is committed to: a SHA-256 over labels, split and rules that everybody may keep, with
-- a salt that stays sealed, so that nobody can try guesses against it. Once private scores are out it can be opened.

ALTER TABLE label_versions ADD COLUMN commitment bytea CHECK (octet_length(commitment) = 32);

CREATE TABLE sealed.commitments (
    challenge uuid NOT NULL,
    version   integer NOT NULL,
    salt      bytea NOT NULL CHECK (octet_length(salt) = 32),
    rules     text NOT NULL,                            -- as they were when it was made, a line each
    PRIMARY KEY (challenge, version),
    FOREIGN KEY (challenge, version) REFERENCES public.label_versions (challenge, version)
);

GRANT SELECT, INSERT ON sealed.commitments TO referee_scorer;
GRANT UPDATE (commitment) ON label_versions TO referee_scorer;

-- What opens a commitment. Nothing before the private scores are out; where all images are public, before the close.
CREATE FUNCTION open_commitment(challenge_id uuid, of_version integer)
RETURNS TABLE (salt bytea, rules text, images integer, public_images bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT commitments.salt, commitments.rules, splits.images, splits.public_images
    FROM sealed.commitments
    JOIN sealed.splits ON splits.challenge = commitments.challenge
    JOIN public.challenges ON challenges.id = commitments.challenge
    WHERE commitments.challenge = challenge_id
      AND commitments.version = of_version
      AND (challenges.private_released_at IS NOT NULL
           OR challenges.published_at IS NOT NULL AND challenges.public_fraction = 1 AND challenges.closes <= now())
$$;
REVOKE ALL ON FUNCTION open_commitment(uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION open_commitment(uuid, integer) TO referee_api;
