-- Whether every picture that an organizer uploaded can be decoded. The api cannot tell: an inference worker without other work looks,
-- and its finding is for the organizers' eyes.

ALTER TABLE challenge_files
    ADD COLUMN checked_at         timestamptz,          -- every picture was tried
    ADD COLUMN check_leased_until timestamptz,          -- a worker is at it; until then no other begins
    ADD COLUMN problem            text;                 -- the pictures that cannot be decoded, by name

GRANT UPDATE (checked_at, check_leased_until, problem) ON challenge_files TO referee_inference;
