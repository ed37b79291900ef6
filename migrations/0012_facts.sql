-- Files and labels are read with a challenge's classes and image names. Whoever has read something with them must be able to
-- tell that they changed meanwhile.

ALTER TABLE challenges
    ADD COLUMN facts_revision integer NOT NULL DEFAULT 1; -- one more with every change of classes, images or labels
GRANT UPDATE (facts_revision) ON challenges TO referee_api;

-- When other classes or image names took the place of these: labels from before were read with those.
ALTER TABLE challenges RENAME COLUMN image_names_changed_at TO labels_stale_since;
