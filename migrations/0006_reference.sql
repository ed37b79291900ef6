-- A line that an organizer draws across a challenge's pictures: a human's error, or a published baseline's.

ALTER TABLE challenges
    ADD COLUMN reference_label text CHECK (char_length(reference_label) BETWEEN 1 AND 60),
    ADD COLUMN reference_error double precision CHECK (reference_error BETWEEN 0 AND 1),
    ADD CHECK ((reference_label IS NULL) = (reference_error IS NULL));

GRANT UPDATE (reference_label, reference_error) ON challenges TO referee_api;
